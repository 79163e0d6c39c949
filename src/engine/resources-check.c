/* resources-check.c: whether the resources that a request asks for make sense on this host, in the
 * words of Docker, which people search for. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/ocispec.h"
#include "os/cgroup.h"

#define MEMORY_MINIMUM (6LL << 20)
#define CPUS_MAX 4096
#define NANO_CPUS 1000000000LL
#define INVALID(...) error_kind(err, ERROR_INVALID, __VA_ARGS__)

static int memory_check(const HostConfig *host, bool part, Error *err) {
        const int64_t *swappiness = host->memory_swappiness;

        if (host->memory > 0 && host->memory < MEMORY_MINIMUM)
                return INVALID("Minimum memory limit allowed is 6MB");
        if (host->memory > 0 && host->memory_swap > 0 && host->memory_swap < host->memory)
                return INVALID("Minimum memoryswap limit should be larger than memory limit, see "
                               "usage");
        if (host->memory == 0 && host->memory_swap > 0 && !part)
                return INVALID("You should always set the Memory limit when using Memoryswap "
                               "limit, see usage");
        if (swappiness && (*swappiness < -1 || *swappiness > 100))
                return INVALID("Invalid value: %lld, valid memory swappiness range is 0-100",
                               (long long)*swappiness);
        if (host->memory_reservation > 0 && host->memory_reservation < MEMORY_MINIMUM)
                return INVALID("Minimum memory reservation allowed is 6MB");
        if (host->memory > 0 && host->memory_reservation > host->memory)
                return INVALID("Minimum memory limit can not be less than memory reservation "
                               "limit, see usage");
        if (host->memory < 0 || host->memory_reservation < 0 || host->memory_swap < -1)
                return INVALID("a memory limit must not be negative");
        if (host->shm_size < 0)
                return INVALID("SHM size can not be less than 0");
        if (host->oom_score_adj < -1000 || host->oom_score_adj > 1000)
                return INVALID("Invalid value %lld, range for oom score adj is [-1000, 1000]",
                               (long long)host->oom_score_adj);
        return 0;
}

static int weights_check(const HostConfig *host, Error *err) {
        const WeightDevice *list = host->blkio_weight_device.items;

        if (host->blkio_weight != 0 && (host->blkio_weight < 10 || host->blkio_weight > 1000))
                return INVALID("Range of blkio weight is from 10 to 1000");
        for (size_t i = 0; i < host->blkio_weight_device.count; i++)
                if (list[i].weight < 10 || list[i].weight > 1000)
                        return INVALID("BlkioWeightDevice: weight %lld of '%s' is not from 10 to "
                                       "1000",
                                       (long long)list[i].weight, list[i].path ?: "");
        return 0;
}

static int real_time_check(const HostConfig *host, Error *err) {
        CgroupMode mode;

        if (host->cpu_realtime_period < 0 || host->cpu_realtime_runtime < 0)
                return INVALID("a CPU real-time limit must not be negative");
        if (host->cpu_realtime_period == 0 && host->cpu_realtime_runtime == 0)
                return 0;
        if (cgroup_mode(&mode, NULL) < 0 || mode == CGROUP_V2 ||
            access("/sys/fs/cgroup/cpu/cpu.rt_runtime_us", F_OK) < 0)
                return INVALID("Your kernel does not support CPU real-time scheduler: "
                               "CpuRealtimePeriod and CpuRealtimeRuntime need control groups of "
                               "version 1 and CONFIG_RT_GROUP_SCHED; leave them out");
        if (host->cpu_realtime_period > 0 && host->cpu_realtime_runtime > host->cpu_realtime_period)
                return INVALID("cpu real-time runtime cannot be higher than cpu real-time period");
        return 0;
}

static int cpu_check(const HostConfig *host, Error *err) {
        long count = sysconf(_SC_NPROCESSORS_ONLN);

        if (host->nano_cpus > 0 && host->cpu_period > 0)
                return INVALID("Conflicting options: Nano CPUs and CPU Period cannot both be set");
        if (host->nano_cpus > 0 && host->cpu_quota > 0)
                return INVALID("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
        if (host->nano_cpus < 0 || host->nano_cpus > count * NANO_CPUS)
                return INVALID("Range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs "
                               "available",
                               count, count);
        if (host->cpu_period != 0 && (host->cpu_period < 1000 || host->cpu_period > 1000000))
                return INVALID("CPU cfs period can not be less than 1ms (i.e. 1000) or larger "
                               "than 1s (i.e. 1000000)");
        if (host->cpu_quota > 0 && host->cpu_quota < 1000)
                return INVALID("CPU cfs quota can not be less than 1ms (i.e. 1000)");
        if (host->cpu_shares < 0)
                return INVALID("the CPU shares must not be negative");
        return real_time_check(host, err);
}

int cpuset_parse(const char *text, bool *set, size_t count) {
        _cleanup_strv_ char **ranges = str_split(text, ',');

        for (char **range = ranges; range && *range; range++) {
                char *dash = strchr(*range, '-');
                int first, last;

                if (dash)
                        *dash = '\0';
                if (str_to_int_in(*range, 0, (int)count - 1, &first) < 0)
                        return -1;
                last = first;
                if (dash && str_to_int_in(dash + 1, first, (int)count - 1, &last) < 0)
                        return -1;
                for (int i = first; i <= last; i++)
                        set[i] = true;
        }
        return 0;
}

typedef struct SetWords {
        const char *file, *field, *what;
} SetWords;

static int set_check(const char *text, const SetWords *words, Error *err) {
        bool wanted[CPUS_MAX] = { false }, available[CPUS_MAX] = { false };
        _cleanup_free_ char *online = NULL;
        size_t length;

        if (str_empty(text))
                return 0;
        if (cpuset_parse(text, wanted, CPUS_MAX) < 0)
                return INVALID("Invalid value %s for %s: invalid format: %s", text, words->field,
                               text);
        /* Without the file there is one node, or nothing to compare with. */
        if (file_read_at(AT_FDCWD, words->file, 4096, &online, &length, NULL) < 0)
                online = str_copy("0");
        (void)cpuset_parse(str_trim(online), available, CPUS_MAX);
        for (size_t i = 0; i < CPUS_MAX; i++)
                if (wanted[i] && !available[i])
                        return INVALID("Requested %s are not available - requested %s, available: "
                                       "%s",
                                       words->what, text, str_trim(online));
        return 0;
}

static const char *const ulimits[] = { "as",     "core",   "cpu",        "data",
                                       "fsize",  "locks",  "memlock",    "msgqueue",
                                       "nice",   "nofile", "nproc",      "rss",
                                       "rtprio", "rttime", "sigpending", "stack" };

static int ulimits_check(const JsonArray *list, Error *err) {
        const Ulimit *items = list->items;

        for (size_t i = 0; i < list->count; i++) {
                bool known = false;

                for (size_t j = 0; j < ELEMENTS(ulimits); j++)
                        known |= str_equal(ulimits[j], items[i].name);
                if (!known)
                        return INVALID("invalid ulimit type: %s", items[i].name);
                if (items[i].hard != -1 && (items[i].soft == -1 || items[i].soft > items[i].hard))
                        return INVALID("ulimit soft limit must be less than or equal to hard "
                                       "limit: %lld > %lld",
                                       (long long)items[i].soft, (long long)items[i].hard);
        }
        return 0;
}

int resources_check(const HostConfig *host, bool part, Error *err) {
        static const SetWords cpus = { "/sys/devices/system/cpu/online", "cpuset cpus", "CPUs" };
        static const SetWords mems = { "/sys/devices/system/node/online", "cpuset mems",
                                       "memory nodes" };

        int r = memory_check(host, part, err);
        if (r == 0)
                r = cpu_check(host, err);
        if (r == 0)
                r = set_check(host->cpuset_cpus, &cpus, err);
        if (r == 0)
                r = set_check(host->cpuset_mems, &mems, err);
        if (r == 0)
                r = weights_check(host, err);
        return r < 0 ? r : ulimits_check(&host->ulimits, err);
}
