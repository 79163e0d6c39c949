/* cgroup-test.c: the statistics of both versions, read from directories that are written here as
 * the kernel's look. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/test.h"
#include "os/cgroup-private.h"

typedef struct Sample {
        char path[64];
        int fd;
} Sample;

static void sample_done(Sample *sample) {
        close_fd(&sample->fd);
        (void)dir_remove_at(AT_FDCWD, sample->path, NULL);
}

static bool sample_make(Sample *sample) {
        (void)snprintf(sample->path, sizeof(sample->path), "/tmp/cgroup-test.XXXXXX");
        sample->fd = -1;
        if (!mkdtemp(sample->path))
                return false;
        sample->fd = open(sample->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return sample->fd >= 0;
}

/* The file below group "c" of a hierarchy, a directory of the sample's. */
static bool put(const Sample *sample, const char *hierarchy, const char *file, const char *text) {
        _cleanup_free_ char *directory = str_format("%s/c", hierarchy);
        _cleanup_free_ char *path = str_format("%s/%s", directory, file);
        int r = dir_make_at(sample->fd, directory, 0700, NULL);

        return r == 0 &&
               file_replace_at(sample->fd, path, text, strlen(text), 0600, false, NULL) == 0;
}

static bool hierarchy_open(const Sample *sample, const char *name, Hierarchy *ret) {
        (void)snprintf(ret->name, sizeof(ret->name), "%s", name);
        ret->fd = openat(sample->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return ret->fd >= 0;
}

static void groups_done(Cgroups *groups) {
        for (size_t i = 0; i < groups->v1_count; i++)
                close_fd(&groups->v1[i].fd);
        close_fd(&groups->unified.fd);
}

static bool is_io(const CgroupIoCounts *counts, size_t index, const char *operation,
                  uint64_t value) {
        const CgroupIoCount *item = &counts->items[index];

        return index < counts->count && item->major == 254 && item->minor == 16 &&
               str_equal(item->operation, operation) && item->value == value;
}

static bool v1_sample(const Sample *sample, Cgroups *groups) {
        static const char *const names[] = { "memory", "cpu,cpuacct", "pids", "blkio" };
        bool done =
                put(sample, "memory", "memory.usage_in_bytes", "8192\n") &&
                put(sample, "memory", "memory.max_usage_in_bytes", "16384\n") &&
                put(sample, "memory", "memory.limit_in_bytes", "9223372036854771712\n") &&
                put(sample, "memory", "memory.failcnt", "3\n") &&
                put(sample, "memory", "memory.oom_control",
                    "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n") &&
                put(sample, "memory", "memory.stat", "cache 4096\ntotal_inactive_file 1024\n") &&
                put(sample, "cpu,cpuacct", "cpuacct.usage", "300\n") &&
                put(sample, "cpu,cpuacct", "cpuacct.usage_user", "200\n") &&
                put(sample, "cpu,cpuacct", "cpuacct.usage_sys", "100\n") &&
                put(sample, "cpu,cpuacct", "cpuacct.usage_percpu", "120 180 \n") &&
                put(sample, "cpu,cpuacct", "cpu.stat",
                    "nr_periods 7\nnr_throttled 5\nthrottled_time 900\n") &&
                put(sample, "pids", "pids.current", "4\n") &&
                put(sample, "pids", "pids.max", "max\n") &&
                put(sample, "blkio", "blkio.throttle.io_service_bytes_recursive",
                    "254:16 Read 4096\n254:16 Write 0\n254:16 Total 4096\nTotal 4096\n") &&
                put(sample, "blkio", "blkio.throttle.io_serviced", "254:16 Read 2\nTotal 2\n") &&
                put(sample, "blkio", "blkio.bfq.time_recursive", "254:16 77\n");

        for (size_t i = 0; done && i < ELEMENTS(names); i++)
                done = hierarchy_open(sample, names[i], &groups->v1[groups->v1_count++]);
        return done;
}

TEST(version_1) {
        _cleanup_(sample_done) Sample sample;
        _cleanup_(groups_done) Cgroups groups = { .mode = CGROUP_V1, .unified.fd = -1 };
        _cleanup_(cgroup_stats_done) CgroupStats stats = { 0 };

        ASSERT(sample_make(&sample));
        ASSERT(v1_sample(&sample, &groups));
        cgroup_v1.stats(&groups, "/c", &stats);
        ASSERT_INT(stats.memory_usage, 8192);
        ASSERT_INT(stats.memory_max_usage, 16384);
        ASSERT_INT(stats.memory_limit, 9223372036854771712LL);
        ASSERT_INT(stats.memory_failures, 3);
        ASSERT_INT(stats.oom_kills, 2);
        ASSERT_INT(stats.memory_count, 2);
        ASSERT_INT(cgroup_stats_memory(&stats, "total_inactive_file"), 1024);
        ASSERT_INT(cgroup_stats_memory(&stats, "total"), 0);
        ASSERT_INT(stats.cpu_total, 300);
        ASSERT_INT(stats.cpu_user, 200);
        ASSERT_INT(stats.cpu_system, 100);
        ASSERT_INT(stats.cpu_count, 2);
        ASSERT_INT(stats.cpu_each[1], 180);
        ASSERT_INT(stats.cpu_periods, 7);
        ASSERT_INT(stats.cpu_throttled_periods, 5);
        ASSERT_INT(stats.cpu_throttled, 900);
        ASSERT_INT(stats.pids_current, 4);
        ASSERT_INT(stats.pids_limit, 0);
        ASSERT_INT(stats.io[CGROUP_IO_BYTES].count, 3);
        ASSERT(is_io(&stats.io[CGROUP_IO_BYTES], 0, "Read", 4096));
        ASSERT(is_io(&stats.io[CGROUP_IO_BYTES], 2, "Total", 4096));
        ASSERT(is_io(&stats.io[CGROUP_IO_OPERATIONS], 0, "Read", 2));
        ASSERT(is_io(&stats.io[CGROUP_IO_TIME], 0, "", 77));
        ASSERT_INT(stats.io[CGROUP_IO_SECTORS].count, 0);
}

TEST(version_1_without_controllers_is_empty) {
        Cgroups groups = { .mode = CGROUP_V1, .unified.fd = -1 };
        CgroupStats stats = { 0 };

        cgroup_v1.stats(&groups, "/c", &stats);
        ASSERT_INT(stats.memory_usage + stats.cpu_total + stats.pids_current, 0);
        ASSERT_INT(stats.memory_count + stats.cpu_count, 0);
        cgroup_stats_done(&stats);
}

static bool v2_sample(const Sample *sample, Cgroups *groups) {
        return put(sample, "u", "memory.current", "8192\n") &&
               put(sample, "u", "memory.peak", "16384\n") &&
               put(sample, "u", "memory.max", "max\n") &&
               put(sample, "u", "memory.events", "low 0\noom 3\noom_kill 2\n") &&
               put(sample, "u", "memory.stat", "anon 4096\ninactive_file 1024\n") &&
               put(sample, "u", "cpu.stat",
                   "usage_usec 3\nuser_usec 2\nsystem_usec 1\nnr_periods 7\nnr_throttled 5\n"
                   "throttled_usec 9\n") &&
               put(sample, "u", "pids.current", "4\n") && put(sample, "u", "pids.max", "64\n") &&
               put(sample, "u", "io.stat",
                   "7:0 \n254:16 rbytes=4096 wbytes=512 rios=2 wios=1 dbytes=0 dios=0\n") &&
               hierarchy_open(sample, "u", &groups->unified);
}

TEST(version_2) {
        _cleanup_(sample_done) Sample sample;
        _cleanup_(groups_done) Cgroups groups = { .mode = CGROUP_V2, .unified.fd = -1 };
        _cleanup_(cgroup_stats_done) CgroupStats stats = { 0 };

        ASSERT(sample_make(&sample));
        ASSERT(v2_sample(&sample, &groups));
        cgroup_v2.stats(&groups, "/c", &stats);
        ASSERT_INT(stats.memory_usage, 8192);
        ASSERT_INT(stats.memory_max_usage, 16384);
        ASSERT_INT(stats.memory_limit, 0);
        ASSERT_INT(stats.memory_failures, 3);
        ASSERT_INT(stats.oom_kills, 2);
        ASSERT_INT(cgroup_stats_memory(&stats, "inactive_file"), 1024);
        ASSERT_INT(stats.cpu_total, 3000);
        ASSERT_INT(stats.cpu_user, 2000);
        ASSERT_INT(stats.cpu_system, 1000);
        ASSERT_INT(stats.cpu_count, 0);
        ASSERT_INT(stats.cpu_periods, 7);
        ASSERT_INT(stats.cpu_throttled_periods, 5);
        ASSERT_INT(stats.cpu_throttled, 9000);
        ASSERT_INT(stats.pids_current, 4);
        ASSERT_INT(stats.pids_limit, 64);
        ASSERT_INT(stats.io[CGROUP_IO_BYTES].count, 2);
        ASSERT(is_io(&stats.io[CGROUP_IO_BYTES], 0, "read", 4096));
        ASSERT(is_io(&stats.io[CGROUP_IO_BYTES], 1, "write", 512));
        ASSERT(is_io(&stats.io[CGROUP_IO_OPERATIONS], 1, "write", 1));
}

TEST(lines_that_are_none_are_left_out) {
        CgroupStats stats = { 0 };

        cgroup_parse_counts("\nfile\n 5\nx -1\ny 99999999999999999999\nz 1", &stats.memory,
                            &stats.memory_count);
        cgroup_parse_io("8 Read 1\n8: Read 1\n8:0 Read x\n8:0 Averyverylongoperation 1\n8:0\n",
                        &stats.io[0]);
        cgroup_parse_io_stat("8:0 rbytes=x wbytes=\nrbytes=1\n", "rbytes", "wbytes", &stats.io[0]);
        cgroup_parse_numbers(" x 1", &stats.cpu_each, &stats.cpu_count);
        ASSERT_INT(stats.memory_count, 1);
        ASSERT_STR(stats.memory[0].name, "z");
        ASSERT_INT(stats.io[0].count, 0);
        ASSERT_INT(stats.cpu_count, 0);
        cgroup_stats_done(&stats);
}

TEST_MAIN()
