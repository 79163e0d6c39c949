/* ocispec-resources.c: HostConfig's limits as linux.resources. The document speaks cgroup v1's
 * numbers; the runtime converts them for v2. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "engine/container-limits.h"
#include "engine/ocispec.h"

#define CPU_PERIOD_US 100000LL
#define NANO_CPUS 1000000000LL

static void memory(const HostConfig *host, OciResources *ret) {
        OciMemory *memory = ret->memory = NEW(OciMemory);

        if (host->memory > 0)
                memory->limit = PUT_INT(int64_t, host->memory);
        if (host->memory_reservation > 0)
                memory->reservation = PUT_INT(int64_t, host->memory_reservation);
        if (host->memory_swap != 0)
                memory->swap = PUT_INT(int64_t, host->memory_swap);
        if (host->memory_swappiness && *host->memory_swappiness >= 0)
                memory->swappiness = PUT_INT(uint64_t, (uint64_t)*host->memory_swappiness);
        if (host->oom_kill_disable && *host->oom_kill_disable)
                memory->disable_oom_killer = PUT_INT(bool, true);
        if (host->kernel_memory_tcp > 0)
                memory->kernel_tcp = PUT_INT(int64_t, host->kernel_memory_tcp);
}

static void cpu(const HostConfig *host, OciResources *ret) {
        OciCpu *cpu = ret->cpu = NEW(OciCpu);

        if (host->cpu_shares > 0)
                cpu->shares = PUT_INT(uint64_t, (uint64_t)host->cpu_shares);
        if (host->nano_cpus > 0) {
                cpu->period = PUT_INT(uint64_t, CPU_PERIOD_US);
                cpu->quota = PUT_INT(int64_t, host->nano_cpus * CPU_PERIOD_US / NANO_CPUS);
        }
        if (host->cpu_period > 0)
                cpu->period = PUT_INT(uint64_t, (uint64_t)host->cpu_period);
        if (host->cpu_quota != 0)
                cpu->quota = PUT_INT(int64_t, host->cpu_quota);
        if (host->cpu_realtime_period > 0)
                cpu->realtime_period = PUT_INT(uint64_t, (uint64_t)host->cpu_realtime_period);
        if (host->cpu_realtime_runtime > 0)
                cpu->realtime_runtime = PUT_INT(int64_t, host->cpu_realtime_runtime);
        cpu->cpus = str_empty(host->cpuset_cpus) ? NULL : str_copy(host->cpuset_cpus);
        cpu->mems = str_empty(host->cpuset_mems) ? NULL : str_copy(host->cpuset_mems);
}

/* ---- block devices ---- */

static int device_number(const char *field, const char *path, int64_t *ret_major,
                         int64_t *ret_minor, Error *err) {
        struct stat status;

        if (stat(path ?: "", &status) < 0)
                return error_kind(err, ERROR_INVALID, "%s: device '%s': %s", field, path ?: "",
                                  strerror(errno));
        if (!S_ISBLK(status.st_mode))
                return error_kind(err, ERROR_INVALID, "%s: '%s' is not a block device", field,
                                  path);
        *ret_major = major(status.st_rdev);
        *ret_minor = minor(status.st_rdev);
        return 0;
}

static int weights(const JsonArray *devices, JsonArray *ret, Error *err) {
        const WeightDevice *list = devices->items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < devices->count; i++) {
                OciWeightDevice *item = json_append(ret, &oci_weight_device_table);

                item->weight = PUT_INT(int64_t, list[i].weight);
                r = device_number("BlkioWeightDevice", list[i].path, &item->major, &item->minor,
                                  err);
        }
        return r;
}

static int throttles(const char *field, const JsonArray *devices, JsonArray *ret, Error *err) {
        const ThrottleDevice *list = devices->items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < devices->count; i++) {
                OciThrottleDevice *item = json_append(ret, &oci_throttle_device_table);

                item->rate = list[i].rate;
                r = device_number(field, list[i].path, &item->major, &item->minor, err);
        }
        return r;
}

static int block_io(const HostConfig *host, OciResources *ret, Error *err) {
        OciBlockIo *io;
        int r;

        if (host->blkio_weight == 0 &&
            host->blkio_weight_device.count + host->blkio_read_bps.count +
                            host->blkio_write_bps.count + host->blkio_read_iops.count +
                            host->blkio_write_iops.count ==
                    0)
                return 0;
        io = ret->block_io = NEW(OciBlockIo);
        if (host->blkio_weight > 0)
                io->weight = PUT_INT(int64_t, host->blkio_weight);
        r = weights(&host->blkio_weight_device, &io->weight_device, err);
        if (r == 0)
                r = throttles("BlkioDeviceReadBps", &host->blkio_read_bps, &io->throttle_read_bps,
                              err);
        if (r == 0)
                r = throttles("BlkioDeviceWriteBps", &host->blkio_write_bps,
                              &io->throttle_write_bps, err);
        if (r == 0)
                r = throttles("BlkioDeviceReadIOps", &host->blkio_read_iops,
                              &io->throttle_read_iops, err);
        if (r == 0)
                r = throttles("BlkioDeviceWriteIOps", &host->blkio_write_iops,
                              &io->throttle_write_iops, err);
        return r;
}

static int resources(const HostConfig *host, OciResources *ret, Error *err) {
        memory(host, ret);
        cpu(host, ret);
        if (host->pids_limit && *host->pids_limit != 0) {
                ret->pids = NEW(OciPids);
                ret->pids->limit = *host->pids_limit > 0 ? *host->pids_limit : -1;
        }
        return block_io(host, ret, err);
}

int ocispec_resources(const Container *container, OciResources *ret, Error *err) {
        const HostConfig host = container_host(container);

        return resources(&host, ret, err);
}

int ocispec_limits(const Container *container, OciResources *ret, Error *err) {
        HostConfig host = container_host(container);

        host.blkio_weight_device = (JsonArray){ 0 };
        host.blkio_read_bps = host.blkio_write_bps = (JsonArray){ 0 };
        host.blkio_read_iops = host.blkio_write_iops = (JsonArray){ 0 };
        return resources(&host, ret, err);
}
