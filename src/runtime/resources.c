/* resources.c: a document's resource limits as cgroup files: tables for what is one number in one
 * file, code for the rest. runtime-spec config-linux.md "Control groups"; the conversions to v2 are
 * those that its runtimes agree on. */
#include <errno.h>

#include "runtime/device-filter.h"
#include "runtime/private.h"

static int write_number(const char *cgroup, const char *controller, const char *file,
                        int64_t number, Error *err) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%lld", (long long)number);
        return cgroup_write(cgroup, controller, file, text, err);
}

static int write_unsigned(const char *cgroup, const char *controller, const char *file,
                          uint64_t number, Error *err) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
        return cgroup_write(cgroup, controller, file, text, err);
}

static int write_if(const char *cgroup, const char *controller, const char *file,
                    const int64_t *number, Error *err) {
        return number ? write_number(cgroup, controller, file, *number, err) : 0;
}

static int write_unsigned_if(const char *cgroup, const char *controller, const char *file,
                             const uint64_t *number, Error *err) {
        return number ? write_unsigned(cgroup, controller, file, *number, err) : 0;
}

static int write_text_if(const char *cgroup, const char *controller, const char *file,
                         const char *text, Error *err) {
        return str_empty(text) ? 0 : cgroup_write(cgroup, controller, file, text, err);
}

/* ---- v1 ---- */

/* No limit of memory means none of memory and swap either, where the kernel counts that. */
static int lift_swap(const char *cgroup, Error *err) {
        int r = write_number(cgroup, "memory", "memory.memsw.limit_in_bytes", -1, err);

        return r == -ENOENT ? 0 : r;
}

/* memory.limit may not exceed memory+swap at any moment: the order depends on which way they move.
 */
static int v1_memory_limits(const char *cgroup, const OciMemory *memory, Error *err) {
        int64_t limit = memory->limit ? *memory->limit : 0, swap = memory->swap ? *memory->swap : 0;
        int r = 0;

        if (swap && (!limit || swap == -1)) {
                r = write_number(cgroup, "memory", "memory.memsw.limit_in_bytes", swap, err);
                swap = 0;
                /* A kernel without swap accounting has no such file; "no limit" is what it has
                 * anyway. */
                if (r == -ENOENT && memory->swap && *memory->swap == -1)
                        r = 0;
        }
        if (r == 0 && limit == -1 && !swap)
                r = lift_swap(cgroup, err);
        if (r < 0 || !limit)
                return r;
        r = write_number(cgroup, "memory", "memory.limit_in_bytes", limit, err);
        /* It is above what the two together may take yet. */
        if (r == -EINVAL && swap) {
                r = write_number(cgroup, "memory", "memory.memsw.limit_in_bytes", swap, err);
                return r < 0 ? r
                             : write_number(cgroup, "memory", "memory.limit_in_bytes", limit, err);
        }
        if (r == 0 && swap)
                r = write_number(cgroup, "memory", "memory.memsw.limit_in_bytes", swap, err);
        return r;
}

static int v1_memory(const char *cgroup, const OciMemory *memory, Error *err) {
        int r = v1_memory_limits(cgroup, memory, err);

        if (r == 0 && memory->reservation && *memory->reservation)
                r = write_number(cgroup, "memory", "memory.soft_limit_in_bytes",
                                 *memory->reservation, err);
        if (r == 0 && memory->kernel_tcp && *memory->kernel_tcp)
                r = write_number(cgroup, "memory", "memory.kmem.tcp.limit_in_bytes",
                                 *memory->kernel_tcp, err);
        if (r == 0)
                r = write_unsigned_if(cgroup, "memory", "memory.swappiness", memory->swappiness,
                                      err);
        if (r == 0 && memory->disable_oom_killer && *memory->disable_oom_killer)
                r = cgroup_write(cgroup, "memory", "memory.oom_control", "1", err);
        return r;
}

/* Under a parent's limit a shorter period may be refused before the quota has shrunk with it. */
static int v1_quota(const char *cgroup, const OciCpu *cpu, Error *err) {
        bool has_quota = cpu->quota && *cpu->quota, again = false;
        int r = 0;

        if (cpu->period && *cpu->period)
                r = write_unsigned(cgroup, "cpu", "cpu.cfs_period_us", *cpu->period, err);
        again = r == -EINVAL && has_quota;
        if ((r == 0 || again) && has_quota)
                r = write_number(cgroup, "cpu", "cpu.cfs_quota_us", *cpu->quota, err);
        if (r == 0 && again)
                r = write_unsigned(cgroup, "cpu", "cpu.cfs_period_us", *cpu->period, err);
        return r;
}

static int v1_cpu(const char *cgroup, const OciCpu *cpu, Error *err) {
        int r = 0;

        if (cpu->shares && *cpu->shares)
                r = write_unsigned(cgroup, "cpu", "cpu.shares", *cpu->shares, err);
        if (r == 0)
                r = v1_quota(cgroup, cpu, err);
        if (r == 0)
                r = write_unsigned_if(cgroup, "cpu", "cpu.cfs_burst_us", cpu->burst, err);
        if (r == 0 && cpu->realtime_period && *cpu->realtime_period)
                r = write_unsigned(cgroup, "cpu", "cpu.rt_period_us", *cpu->realtime_period, err);
        if (r == 0 && cpu->realtime_runtime && *cpu->realtime_runtime)
                r = write_number(cgroup, "cpu", "cpu.rt_runtime_us", *cpu->realtime_runtime, err);
        if (r == 0)
                r = write_if(cgroup, "cpu", "cpu.idle", cpu->idle, err);
        return r;
}

static int v1_throttle(const char *cgroup, const char *file, const JsonArray *devices, Error *err) {
        const OciThrottleDevice *list = devices->items;

        for (size_t i = 0; i < devices->count; i++) {
                _cleanup_free_ char *text =
                        str_format("%lld:%lld %llu", (long long)list[i].major,
                                   (long long)list[i].minor, (unsigned long long)list[i].rate);
                int r = cgroup_write(cgroup, "blkio", file, text, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* The weight of single devices, which are the business of their schedulers: of bfq, and on version
 * 1 of cfq in old kernels. Into the first of the files that there is. */
static int write_weights(const char *cgroup, const char *const files[], const JsonArray *devices,
                         bool leaf, Error *err) {
        const OciWeightDevice *list = devices->items;

        for (size_t i = 0; i < devices->count; i++) {
                const int64_t *weight = leaf ? list[i].leaf_weight : list[i].weight;
                _cleanup_free_ char *text = NULL;
                int r = -ENOENT;

                if (!weight)
                        continue;
                text = str_format("%lld:%lld %lld", (long long)list[i].major,
                                  (long long)list[i].minor, (long long)*weight);
                for (const char *const *file = files; *file && r == -ENOENT; file++)
                        r = cgroup_write(cgroup, "blkio", *file, text, err);
                if (r == -ENOENT || r == -EOPNOTSUPP)
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "the scheduler of device %lld:%lld knows no weights: "
                                          "write bfq to /sys/dev/block/%lld:%lld/queue/scheduler, "
                                          "or leave the device's weight out",
                                          (long long)list[i].major, (long long)list[i].minor,
                                          (long long)list[i].major, (long long)list[i].minor);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const char *const v1_weights[] = { "blkio.weight_device", "blkio.bfq.weight_device", NULL },
                         *const v1_leaf_weights[] = { "blkio.leaf_weight_device", NULL },
                         *const v2_weights[] = { "io.bfq.weight", NULL };

static int v1_block_io(const char *cgroup, const OciBlockIo *io, Error *err) {
        int r = 0;

        if (io->weight && *io->weight) {
                r = write_number(cgroup, "blkio", "blkio.weight", *io->weight, err);
                if (r == -ENOENT) /* the BFQ scheduler's name for it */
                        r = write_number(cgroup, "blkio", "blkio.bfq.weight", *io->weight, err);
        }
        if (r == 0 && io->leaf_weight && *io->leaf_weight)
                r = write_number(cgroup, "blkio", "blkio.leaf_weight", *io->leaf_weight, err);
        if (r == 0)
                r = write_weights(cgroup, v1_weights, &io->weight_device, false, err);
        if (r == 0)
                r = write_weights(cgroup, v1_leaf_weights, &io->weight_device, true, err);
        if (r == 0)
                r = v1_throttle(cgroup, "blkio.throttle.read_bps_device", &io->throttle_read_bps,
                                err);
        if (r == 0)
                r = v1_throttle(cgroup, "blkio.throttle.write_bps_device", &io->throttle_write_bps,
                                err);
        if (r == 0)
                r = v1_throttle(cgroup, "blkio.throttle.read_iops_device", &io->throttle_read_iops,
                                err);
        if (r == 0)
                r = v1_throttle(cgroup, "blkio.throttle.write_iops_device",
                                &io->throttle_write_iops, err);
        return r;
}

static char *v1_device_text(const OciDeviceRule *rule) {
        const char *type = str_empty(rule->type) ? "a" : rule->type;
        char major_[24] = "*", minor_[24] = "*", access[4] = "";
        size_t length = 0;

        /* Other letters mean nothing, as to every runtime; the kernel would refuse them. */
        for (const char *letter = "rwm"; *letter; letter++)
                if (str_empty(rule->access) || strchr(rule->access, *letter))
                        access[length++] = *letter;

        if (rule->major && *rule->major >= 0)
                (void)snprintf(major_, sizeof(major_), "%lld", (long long)*rule->major);
        if (rule->minor && *rule->minor >= 0)
                (void)snprintf(minor_, sizeof(minor_), "%lld", (long long)*rule->minor);
        return str_format("%s %s:%s %s", type, major_, minor_, access);
}

/* The order of the rules counts: neighbours of one kind go to their file together. */
static int v1_device_rules(const char *cgroup, const OciDeviceRule *rules, size_t count,
                           Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < count;) {
                _cleanup_strv_ char **texts = strv_new(count - i);
                bool allow = rules[i].allow;

                for (size_t k = 0; i < count && rules[i].allow == allow; i++)
                        texts[k++] = v1_device_text(&rules[i]);
                r = cgroup_write_each(cgroup, "devices", allow ? "devices.allow" : "devices.deny",
                                      texts, err);
        }
        return r;
}

static int v1_devices(const char *cgroup, const JsonArray *rules, Error *err) {
        int r;

        if (rules->count == 0)
                return 0;
        r = v1_device_rules(cgroup, rules->items, rules->count, err);
        return r < 0 ? r
                     : v1_device_rules(cgroup, device_rules_default, device_rules_default_count,
                                       err);
}

/* The kernel would cut what does not fit in 32 bits, and read a name only up to a space. */
static int check_network(const OciNetwork *network, Error *err) {
        const OciInterfacePriority *list = network->priorities.items;

        if (network->class_id && *network->class_id > UINT32_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "linux.resources.network.classID: %llu is more than 32 bits",
                                  (unsigned long long)*network->class_id);
        for (size_t i = 0; i < network->priorities.count; i++)
                if (str_empty(list[i].name) || list[i].name[strcspn(list[i].name, " \t\n")] ||
                    list[i].priority > UINT32_MAX)
                        return error_kind(err, ERROR_INVALID,
                                          "linux.resources.network.priorities: '%s': %llu: must be "
                                          "the name of an interface and a number of 32 bits",
                                          list[i].name, (unsigned long long)list[i].priority);
        return 0;
}

/* What version 2 has no files for: the class of the traffic, which the host's tc reads, and the
 * priority on each of the host's interfaces. Linux Documentation/admin-guide/cgroup-v1/net_cls.rst,
 * net_prio.rst. */
static int v1_network(const char *cgroup, const OciNetwork *network, Error *err) {
        const OciInterfacePriority *list = network->priorities.items;
        int r = check_network(network, err);

        if (r == 0 && network->class_id && *network->class_id)
                r = write_unsigned(cgroup, "net_cls", "net_cls.classid", *network->class_id, err);
        for (size_t i = 0; r == 0 && i < network->priorities.count; i++) {
                _cleanup_free_ char *text =
                        str_format("%s %llu", list[i].name, (unsigned long long)list[i].priority);

                r = cgroup_write(cgroup, "net_prio", "net_prio.ifpriomap", text, err);
        }
        return r;
}

static int v1_apply(const char *cgroup, const OciResources *resources, bool devices, Error *err) {
        int r = devices ? v1_devices(cgroup, &resources->devices, err) : 0;

        if (r == 0 && resources->memory)
                r = v1_memory(cgroup, resources->memory, err);
        if (r == 0 && resources->cpu)
                r = v1_cpu(cgroup, resources->cpu, err);
        if (r == 0 && resources->block_io)
                r = v1_block_io(cgroup, resources->block_io, err);
        if (r == 0 && resources->network)
                r = v1_network(cgroup, resources->network, err);
        if (r == 0 && resources->unified.count > 0)
                r = error_kind(err, ERROR_UNSUPPORTED,
                               "linux.resources.unified: invalid configuration: this machine's "
                               "control groups are version 1");
        return r;
}

/* ---- v2 ---- */

/* -1 is "max". */
static int v2_limit(const char *cgroup, const char *file, int64_t number, Error *err) {
        return number < 0 ? cgroup_write(cgroup, "", file, "max", err)
                          : write_number(cgroup, "", file, number, err);
}

static int v2_memory(const char *cgroup, const OciMemory *memory, Error *err) {
        int64_t limit = memory->limit ? *memory->limit : 0, swap = memory->swap ? *memory->swap : 0;
        int r = 0;

        /* The document's swap is memory and swap; v2's is swap alone. */
        if (swap > 0 && limit > 0 && swap < limit)
                return error_kind(err, ERROR_INVALID,
                                  "linux.resources.memory: swap (%lld) is less than limit (%lld)",
                                  (long long)swap, (long long)limit);
        if (swap > 0 && limit <= 0)
                return error_kind(err, ERROR_INVALID, "linux.resources.memory: swap needs a limit");
        if (swap)
                r = v2_limit(cgroup, "memory.swap.max", swap < 0 ? -1 : swap - limit, err);
        if (r == 0 && limit)
                r = v2_limit(cgroup, "memory.max", limit, err);
        if (r == 0 && memory->reservation && *memory->reservation)
                r = v2_limit(cgroup, "memory.low", *memory->reservation, err);
        return r;
}

/* cpu.max has both, so the one that is not given stays as it is. */
static int v2_quota(const char *cgroup, const OciCpu *cpu, Error *err) {
        _cleanup_free_ char *now = NULL, *text = NULL;
        _cleanup_strv_ char **words = NULL;
        bool has_quota = cpu->quota && *cpu->quota, has_period = cpu->period && *cpu->period;
        uint64_t period = has_period ? *cpu->period : 100000;
        const char *quota = "max";
        int r = has_quota && has_period ? 0 : cgroup_read(cgroup, "", "cpu.max", &now, err);

        if (r < 0)
                return r;
        words = now ? str_split(str_trim(now), ' ') : NULL;
        if (!has_quota && words && words[0])
                quota = words[0];
        if (!has_period && words && words[0] && words[1])
                (void)str_to_uint64(words[1], &period); /* the kernel's own number */
        text = has_quota && *cpu->quota > 0
                       ? str_format("%lld %llu", (long long)*cpu->quota, (unsigned long long)period)
                       : str_format("%s %llu", has_quota ? "max" : quota,
                                    (unsigned long long)period);
        return cgroup_write(cgroup, "", "cpu.max", text, err);
}

static int v2_cpu(const char *cgroup, const OciCpu *cpu, Error *err) {
        int r = 0;

        /* 2…262144 shares onto 1…10000 of weight, as every runtime does. */
        if (cpu->shares && *cpu->shares) {
                uint64_t shares = MIN(MAX(*cpu->shares, UINT64_C(2)), UINT64_C(262144));

                r = write_unsigned(cgroup, "", "cpu.weight", 1 + (shares - 2) * 9999 / 262142, err);
        }
        if (r == 0 && ((cpu->quota && *cpu->quota) || (cpu->period && *cpu->period))) {
                r = v2_quota(cgroup, cpu, err);
        }
        if (r == 0)
                r = write_unsigned_if(cgroup, "", "cpu.max.burst", cpu->burst, err);
        if (r == 0)
                r = write_if(cgroup, "", "cpu.idle", cpu->idle, err);
        return r;
}

static int v2_throttle(const char *cgroup, const char *key, const JsonArray *devices, Error *err) {
        const OciThrottleDevice *list = devices->items;

        for (size_t i = 0; i < devices->count; i++) {
                _cleanup_free_ char *text =
                        str_format("%lld:%lld %s=%llu", (long long)list[i].major,
                                   (long long)list[i].minor, key, (unsigned long long)list[i].rate);
                int r = cgroup_write(cgroup, "", "io.max", text, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int v2_block_io(const char *cgroup, const OciBlockIo *io, Error *err) {
        int r = 0;

        if (io->weight && *io->weight) {
                r = write_number(cgroup, "", "io.bfq.weight", *io->weight, err);
                /* 10…1000 onto 1…10000 */
                if (r == -ENOENT)
                        r = write_number(cgroup, "", "io.weight",
                                         1 + (*io->weight - 10) * 9999 / 990, err);
        }
        if (r == 0)
                r = write_weights(cgroup, v2_weights, &io->weight_device, false, err);
        if (r == 0)
                r = v2_throttle(cgroup, "rbps", &io->throttle_read_bps, err);
        if (r == 0)
                r = v2_throttle(cgroup, "wbps", &io->throttle_write_bps, err);
        if (r == 0)
                r = v2_throttle(cgroup, "riops", &io->throttle_read_iops, err);
        if (r == 0)
                r = v2_throttle(cgroup, "wiops", &io->throttle_write_iops, err);
        return r;
}

static int v2_unified(const char *cgroup, const Pairs *files, Error *err) {
        for (size_t i = 0; i < files->count; i++) {
                const char *file = files->items[i].key;
                int r;

                if (strchr(file, '/') || file[0] == '.' || !strchr(file, '.'))
                        return error_kind(err, ERROR_INVALID,
                                          "linux.resources.unified: '%s' is not a cgroup file",
                                          file);
                r = cgroup_write(cgroup, "", file, files->items[i].value, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int v2_apply(const char *cgroup, const OciResources *resources, bool devices, Error *err) {
        int r = devices ? device_filter_attach(cgroup, &resources->devices, err) : 0;

        if (r == 0 && resources->memory)
                r = v2_memory(cgroup, resources->memory, err);
        if (r == 0 && resources->cpu)
                r = v2_cpu(cgroup, resources->cpu, err);
        if (r == 0 && resources->block_io)
                r = v2_block_io(cgroup, resources->block_io, err);
        return r == 0 ? v2_unified(cgroup, &resources->unified, err) : r;
}

/* ---- alike in both ---- */

static int apply_cpuset(const char *cgroup, const OciCpu *cpu, Error *err) {
        int r = write_text_if(cgroup, "cpuset", "cpuset.cpus", cpu->cpus, err);

        return r < 0 ? r : write_text_if(cgroup, "cpuset", "cpuset.mems", cpu->mems, err);
}

static int apply_hugepages(const char *cgroup, const JsonArray *limits, bool v2, Error *err) {
        const OciHugepageLimit *list = limits->items;

        for (size_t i = 0; i < limits->count; i++) {
                _cleanup_free_ char *file = str_format("hugetlb.%s.%s", list[i].page_size,
                                                       v2 ? "max" : "limit_in_bytes");
                int r = strchr(file, '/')
                                ? error_kind(
                                          err, ERROR_INVALID,
                                          "linux.resources.hugepageLimits: '%s' is not a page size",
                                          list[i].page_size)
                                : write_unsigned(cgroup, "hugetlb", file, list[i].limit, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int apply_pids(const char *cgroup, const OciPids *pids, Error *err) {
        if (pids->limit == 0)
                return 0;
        return pids->limit < 0 ? cgroup_write(cgroup, "pids", "pids.max", "max", err)
                               : write_number(cgroup, "pids", "pids.max", pids->limit, err);
}

/* What may have a say over a container's processes only once: on v1 an empty list changes nothing,
 * but v2's program would be put on a second time. */
static int apply(const char *cgroup, const OciResources *resources, bool devices, Error *err) {
        CgroupMode mode;
        int r = cgroup_mode(&mode, err);

        if (r == 0)
                r = mode == CGROUP_V2 ? v2_apply(cgroup, resources, devices, err)
                                      : v1_apply(cgroup, resources, devices, err);
        if (r == 0 && resources->cpu)
                r = apply_cpuset(cgroup, resources->cpu, err);
        if (r == 0 && resources->pids)
                r = apply_pids(cgroup, resources->pids, err);
        if (r == 0)
                r = apply_hugepages(cgroup, &resources->hugepage_limits, mode == CGROUP_V2, err);
        return r;
}

int resources_apply(const char *cgroup, const OciResources *resources, Error *err) {
        return apply(cgroup, resources, true, err);
}

int resources_update(const char *cgroup, const OciResources *resources, Error *err) {
        return apply(cgroup, resources, false, err);
}
