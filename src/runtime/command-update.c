/* command-update.c: update changes the limits of a container that runs: from options, or from a
 * resources document. What is not named stays. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/cli.h"
#include "runtime/private.h"

#define RESOURCES_MAX (1 << 20)

#define LIMIT(name, member, help)                                                                  \
        { name, 0, OPTION_TEXT, offsetof(Options, limits.member), help }

static const CommandOption update_options[] = {
        { "resources", 'r', OPTION_TEXT, offsetof(Options, resources),
          "file with an OCI resources document, or '-'; the other options are then ignored" },
        LIMIT("blkio-weight", blkio_weight, "weight of block I/O, 10 to 1000"),
        LIMIT("cpu-period", cpu_period, "length of a CPU period, microseconds"),
        LIMIT("cpu-quota", cpu_quota, "CPU time in a period, microseconds; -1: no limit"),
        LIMIT("cpu-burst", cpu_burst, "CPU time that may be saved up, microseconds"),
        LIMIT("cpu-share", cpu_share, "CPU shares, against other containers"),
        LIMIT("cpu-rt-period", cpu_rt_period, "length of a realtime period, microseconds"),
        LIMIT("cpu-rt-runtime", cpu_rt_runtime, "realtime in a period, microseconds"),
        LIMIT("cpu-idle", cpu_idle, "1: run only when nobody else would"),
        LIMIT("cpuset-cpus", cpus, "processors that may be used"),
        LIMIT("cpuset-mems", mems, "memory nodes that may be used"),
        LIMIT("kernel-memory", kernel_memory, "accepted: kernels no longer limit it"),
        LIMIT("kernel-memory-tcp", kernel_memory_tcp, "memory of TCP's buffers (version 1)"),
        LIMIT("memory", memory, "memory in bytes, or with a suffix k, m, g; -1: no limit"),
        LIMIT("memory-reservation", memory_reservation, "memory that is kept for it"),
        LIMIT("memory-swap", memory_swap, "memory and swap together; -1: no limit"),
        LIMIT("pids-limit", pids, "number of processes; -1: no limit"),
        LIMIT("l3-cache-schema", l3_cache, "refused: Intel RDT is not done"),
        LIMIT("mem-bw-schema", memory_bandwidth, "refused: Intel RDT is not done"),
        {},
};

/* "100", "64M", "1.5g" no: whole numbers with one suffix, optionally followed by b. */
static int parse_bytes(const char *option, const char *text, int64_t *ret, Error *err) {
        static const char suffixes[] = "bkmgtp";
        _cleanup_free_ char *digits = str_copy_n(text, strspn(text, "-0123456789"));
        _cleanup_free_ char *rest = str_copy(text + strlen(digits));
        const char *suffix = str_empty(rest) ? suffixes : strchr(suffixes, str_lower(rest)[0]);
        int64_t number, unit;

        if (!suffix || (rest[0] && rest[1] && !str_equal(rest + 1, "b")) ||
            str_to_int64(digits, &number) < 0 || number < -1)
                return error_kind(err, ERROR_INVALID,
                                  "invalid value for %s: '%s' is not a number of bytes", option,
                                  text);
        unit = INT64_C(1) << (10 * (suffix - suffixes));
        if (number > INT64_MAX / unit)
                return error_kind(err, ERROR_INVALID, "invalid value for %s: '%s' is too large",
                                  option, text);
        *ret = number == -1 ? -1 : number * unit;
        return 0;
}

static int put_bytes(const char *option, const char *text, int64_t **slot, Error *err) {
        int64_t number = 0;
        int r;

        if (str_empty(text))
                return 0;
        r = parse_bytes(option, text, &number, err);
        if (r < 0)
                return r;
        *slot = *slot ?: NEW(int64_t);
        **slot = number;
        return 0;
}

static int put_number(const char *option, const char *text, int64_t **slot, Error *err) {
        int64_t number;

        if (str_empty(text))
                return 0;
        if (str_to_int64(text, &number) < 0)
                return error_kind(err, ERROR_INVALID, "invalid value for %s: '%s' is not a number",
                                  option, text);
        *slot = *slot ?: NEW(int64_t);
        **slot = number;
        return 0;
}

static int put_unsigned(const char *option, const char *text, uint64_t **slot, Error *err) {
        uint64_t number;

        if (str_empty(text))
                return 0;
        if (str_to_uint64(text, &number) < 0)
                return error_kind(err, ERROR_INVALID, "invalid value for %s: '%s' is not a number",
                                  option, text);
        *slot = *slot ?: NEW(uint64_t);
        **slot = number;
        return 0;
}

static int put_memory(const UpdateLimits *limits, OciMemory *memory, Error *err) {
        int r = put_bytes("memory", limits->memory, &memory->limit, err);

        if (r == 0)
                r = put_bytes("memory-reservation", limits->memory_reservation,
                              &memory->reservation, err);
        if (r == 0)
                r = put_bytes("memory-swap", limits->memory_swap, &memory->swap, err);
        if (r == 0)
                r = put_bytes("kernel-memory", limits->kernel_memory, &memory->kernel, err);
        return r < 0 ? r
                     : put_bytes("kernel-memory-tcp", limits->kernel_memory_tcp,
                                 &memory->kernel_tcp, err);
}

static int put_cpu(const UpdateLimits *limits, OciCpu *cpu, Error *err) {
        int r = put_unsigned("cpu-period", limits->cpu_period, &cpu->period, err);

        if (r == 0)
                r = put_number("cpu-quota", limits->cpu_quota, &cpu->quota, err);
        if (r == 0)
                r = put_unsigned("cpu-burst", limits->cpu_burst, &cpu->burst, err);
        if (r == 0)
                r = put_unsigned("cpu-share", limits->cpu_share, &cpu->shares, err);
        if (r == 0)
                r = put_unsigned("cpu-rt-period", limits->cpu_rt_period, &cpu->realtime_period,
                                 err);
        if (r == 0)
                r = put_number("cpu-rt-runtime", limits->cpu_rt_runtime, &cpu->realtime_runtime,
                               err);
        if (r == 0)
                r = put_number("cpu-idle", limits->cpu_idle, &cpu->idle, err);
        if (limits->cpus)
                str_replace(&cpu->cpus, limits->cpus);
        if (limits->mems)
                str_replace(&cpu->mems, limits->mems);
        return r;
}

static int from_options(const UpdateLimits *limits, OciResources *ret, Error *err) {
        int64_t *pids = NULL;
        int r;

        if (limits->l3_cache || limits->memory_bandwidth)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "--l3-cache-schema, --mem-bw-schema: Intel RDT is not done");
        ret->memory = NEW(OciMemory);
        ret->cpu = NEW(OciCpu);
        ret->block_io = NEW(OciBlockIo);
        r = put_memory(limits, ret->memory, err);
        if (r == 0)
                r = put_cpu(limits, ret->cpu, err);
        if (r == 0)
                r = put_number("blkio-weight", limits->blkio_weight, &ret->block_io->weight, err);
        if (r == 0)
                r = put_number("pids-limit", limits->pids, &pids, err);
        if (r == 0 && pids) {
                ret->pids = NEW(OciPids);
                ret->pids->limit = *pids;
        }
        free(pids);
        return r;
}

static int from_file(const char *path, OciResources *ret, Error *err) {
        _cleanup_close_ int fd = str_equal(path, "-")
                                         ? fcntl(0, F_DUPFD_CLOEXEC, 3)
                                         : openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        _cleanup_buf_ Buf text = {};
        int r = fd < 0 ? -errno : fd_read_all(fd, RESOURCES_MAX, &text);

        if (r < 0)
                return error_set(err, -r, "read '%s'", path);
        r = json_parse(&oci_resources_table, text.data ?: "", text.length, ret, err);
        return r < 0 ? error_prefix(err, "%s", path) : 0;
}

static int run_update(const Options *options, char **words, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        ContainerStatus status = STATUS_STOPPED;
        OciResources resources = {};
        Record record = {};
        int r = record_load(options, words[0], &record, &dir_fd, &pidfd, &status, err);

        if (r == 0 && status == STATUS_STOPPED)
                r = error_kind(err, ERROR_CONFLICT, "container %s is not running", words[0]);
        if (r == 0)
                r = options->resources ? from_file(options->resources, &resources, err)
                                       : from_options(&options->limits, &resources, err);
        if (r == 0)
                r = resources_update(record.cgroup, &resources, err);
        json_done(&oci_resources_table, &resources);
        record_done(&record);
        return r;
}

const Command command_update = {
        "update",       "<container-id>", "change the limits of a container", 1, 1,
        update_options, run_update
};
