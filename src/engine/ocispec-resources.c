/* ocispec-resources.c: HostConfig's limits as linux.resources. The document speaks cgroup v1's
 * numbers; the runtime converts them for v2. */
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
        cpu->cpus = str_empty(host->cpuset_cpus) ? NULL : str_copy(host->cpuset_cpus);
        cpu->mems = str_empty(host->cpuset_mems) ? NULL : str_copy(host->cpuset_mems);
}

void ocispec_resources(const Container *container, OciResources *ret) {
        const HostConfig *host = &container->spec.host;

        memory(host, ret);
        cpu(host, ret);
        if (host->pids_limit && *host->pids_limit != 0) {
                ret->pids = NEW(OciPids);
                ret->pids->limit = *host->pids_limit > 0 ? *host->pids_limit : -1;
        }
        if (host->blkio_weight > 0) {
                ret->block_io = NEW(OciBlockIo);
                ret->block_io->weight = PUT_INT(int64_t, host->blkio_weight);
        }
}
