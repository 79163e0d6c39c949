/* oci.c: the tables of the OCI runtime document. Names, types and what is required follow
 * runtime-spec 1.2, config.md and config-linux.md; what a value means is the runtime's business. */
#include "spec/oci.h"

#define OMIT JSON_OMIT_EMPTY

static const JsonField id_mapping_fields[] = {
        JSON_FIELD(OciIdMapping, "containerID", JSON_INT, container_id, JSON_REQUIRED),
        JSON_FIELD(OciIdMapping, "hostID", JSON_INT, host_id, JSON_REQUIRED),
        JSON_FIELD(OciIdMapping, "size", JSON_INT, size, JSON_REQUIRED),
};
const JsonTable oci_id_mapping_table = JSON_TABLE(OciIdMapping, "mapping", id_mapping_fields);

/* ---- process ---- */
static const JsonField user_fields[] = {
        JSON_FIELD(OciUser, "uid", JSON_INT, uid, 0),
        JSON_FIELD(OciUser, "gid", JSON_INT, gid, 0),
        JSON_FIELD(OciUser, "umask", JSON_MAYBE_INT, umask, OMIT),
        JSON_FIELD(OciUser, "additionalGids", JSON_INTS, additional_gids, OMIT),
        JSON_FIELD(OciUser, "username", JSON_STRING, username, OMIT),
};
static const JsonTable user_table = JSON_TABLE(OciUser, "user", user_fields);

static const JsonField capabilities_fields[] = {
        JSON_FIELD(OciCapabilities, "bounding", JSON_STRINGS, bounding, OMIT),
        JSON_FIELD(OciCapabilities, "effective", JSON_STRINGS, effective, OMIT),
        JSON_FIELD(OciCapabilities, "inheritable", JSON_STRINGS, inheritable, OMIT),
        JSON_FIELD(OciCapabilities, "permitted", JSON_STRINGS, permitted, OMIT),
        JSON_FIELD(OciCapabilities, "ambient", JSON_STRINGS, ambient, OMIT),
};
const JsonTable oci_capabilities_table =
        JSON_TABLE(OciCapabilities, "capabilities", capabilities_fields);

static const JsonField rlimit_fields[] = {
        JSON_FIELD(OciRlimit, "type", JSON_STRING, type, JSON_REQUIRED),
        JSON_FIELD(OciRlimit, "hard", JSON_UINT, hard, JSON_REQUIRED),
        JSON_FIELD(OciRlimit, "soft", JSON_UINT, soft, JSON_REQUIRED),
};
const JsonTable oci_rlimit_table = JSON_TABLE(OciRlimit, "rlimit", rlimit_fields);

static const JsonField box_fields[] = {
        JSON_FIELD(OciBox, "height", JSON_INT, height, 0),
        JSON_FIELD(OciBox, "width", JSON_INT, width, 0),
};
static const JsonTable box_table = JSON_TABLE(OciBox, "consoleSize", box_fields);

static const JsonField io_priority_fields[] = {
        JSON_FIELD(OciIoPriority, "class", JSON_STRING, class_, JSON_REQUIRED),
        JSON_FIELD(OciIoPriority, "priority", JSON_INT, priority, 0),
};
static const JsonTable io_priority_table =
        JSON_TABLE(OciIoPriority, "ioPriority", io_priority_fields);

static const JsonField scheduler_fields[] = {
        JSON_FIELD(OciScheduler, "policy", JSON_STRING, policy, JSON_REQUIRED),
        JSON_FIELD(OciScheduler, "nice", JSON_INT, nice, OMIT),
        JSON_FIELD(OciScheduler, "priority", JSON_INT, priority, OMIT),
        JSON_FIELD(OciScheduler, "flags", JSON_STRINGS, flags, OMIT),
        JSON_FIELD(OciScheduler, "runtime", JSON_UINT, runtime, OMIT),
        JSON_FIELD(OciScheduler, "deadline", JSON_UINT, deadline, OMIT),
        JSON_FIELD(OciScheduler, "period", JSON_UINT, period, OMIT),
};
static const JsonTable scheduler_table = JSON_TABLE(OciScheduler, "scheduler", scheduler_fields);

static const JsonField affinity_fields[] = {
        JSON_FIELD(OciCpuAffinity, "initial", JSON_STRING, initial, OMIT),
        JSON_FIELD(OciCpuAffinity, "final", JSON_STRING, final, OMIT),
};
static const JsonTable affinity_table =
        JSON_TABLE(OciCpuAffinity, "execCPUAffinity", affinity_fields);

static const JsonField process_fields[] = {
        JSON_FIELD(OciProcess, "terminal", JSON_BOOL, terminal, OMIT),
        JSON_NESTED(OciProcess, "consoleSize", JSON_OBJECT, console_size, OMIT, &box_table),
        JSON_NESTED(OciProcess, "user", JSON_INLINE, user, 0, &user_table),
        JSON_FIELD(OciProcess, "args", JSON_STRINGS, args, OMIT),
        JSON_FIELD(OciProcess, "env", JSON_STRINGS, env, OMIT),
        JSON_FIELD(OciProcess, "cwd", JSON_STRING, cwd, 0),
        JSON_NESTED(OciProcess, "capabilities", JSON_OBJECT, capabilities, OMIT,
                    &oci_capabilities_table),
        JSON_NESTED(OciProcess, "rlimits", JSON_ARRAY, rlimits, OMIT, &oci_rlimit_table),
        JSON_FIELD(OciProcess, "noNewPrivileges", JSON_BOOL, no_new_privileges, OMIT),
        JSON_FIELD(OciProcess, "oomScoreAdj", JSON_MAYBE_INT, oom_score_adj, OMIT),
        JSON_FIELD(OciProcess, "apparmorProfile", JSON_STRING, apparmor_profile, OMIT),
        JSON_FIELD(OciProcess, "selinuxLabel", JSON_STRING, selinux_label, OMIT),
        JSON_NESTED(OciProcess, "ioPriority", JSON_OBJECT, io_priority, OMIT, &io_priority_table),
        JSON_NESTED(OciProcess, "scheduler", JSON_OBJECT, scheduler, OMIT, &scheduler_table),
        JSON_NESTED(OciProcess, "execCPUAffinity", JSON_OBJECT, exec_cpu_affinity, OMIT,
                    &affinity_table),
};
const JsonTable oci_process_table = JSON_TABLE(OciProcess, "process", process_fields);

/* ---- mounts, hooks ---- */
static const JsonField mount_fields[] = {
        JSON_FIELD(OciMount, "destination", JSON_STRING, destination, JSON_REQUIRED),
        JSON_FIELD(OciMount, "type", JSON_STRING, type, OMIT),
        JSON_FIELD(OciMount, "source", JSON_STRING, source, OMIT),
        JSON_FIELD(OciMount, "options", JSON_STRINGS, options, OMIT),
        JSON_NESTED(OciMount, "uidMappings", JSON_ARRAY, uid_mappings, OMIT, &oci_id_mapping_table),
        JSON_NESTED(OciMount, "gidMappings", JSON_ARRAY, gid_mappings, OMIT, &oci_id_mapping_table),
};
const JsonTable oci_mount_table = JSON_TABLE(OciMount, "mount", mount_fields);

static const JsonField hook_fields[] = {
        JSON_FIELD(OciHook, "path", JSON_STRING, path, JSON_REQUIRED),
        JSON_FIELD(OciHook, "args", JSON_STRINGS, args, OMIT),
        JSON_FIELD(OciHook, "env", JSON_STRINGS, env, OMIT),
        JSON_FIELD(OciHook, "timeout", JSON_MAYBE_INT, timeout, OMIT),
};
const JsonTable oci_hook_table = JSON_TABLE(OciHook, "hook", hook_fields);

static const JsonField hooks_fields[] = {
        JSON_NESTED(OciHooks, "prestart", JSON_ARRAY, prestart, OMIT, &oci_hook_table),
        JSON_NESTED(OciHooks, "createRuntime", JSON_ARRAY, create_runtime, OMIT, &oci_hook_table),
        JSON_NESTED(OciHooks, "createContainer", JSON_ARRAY, create_container, OMIT,
                    &oci_hook_table),
        JSON_NESTED(OciHooks, "startContainer", JSON_ARRAY, start_container, OMIT, &oci_hook_table),
        JSON_NESTED(OciHooks, "poststart", JSON_ARRAY, poststart, OMIT, &oci_hook_table),
        JSON_NESTED(OciHooks, "poststop", JSON_ARRAY, poststop, OMIT, &oci_hook_table),
};
static const JsonTable hooks_table = JSON_TABLE(OciHooks, "hooks", hooks_fields);

/* ---- linux ---- */
static const JsonField namespace_fields[] = {
        JSON_FIELD(OciNamespace, "type", JSON_STRING, type, JSON_REQUIRED),
        JSON_FIELD(OciNamespace, "path", JSON_STRING, path, OMIT),
};
const JsonTable oci_namespace_table = JSON_TABLE(OciNamespace, "namespace", namespace_fields);

static const JsonField device_fields[] = {
        JSON_FIELD(OciDevice, "path", JSON_STRING, path, JSON_REQUIRED),
        JSON_FIELD(OciDevice, "type", JSON_STRING, type, JSON_REQUIRED),
        JSON_FIELD(OciDevice, "major", JSON_INT, major, 0),
        JSON_FIELD(OciDevice, "minor", JSON_INT, minor, 0),
        JSON_FIELD(OciDevice, "fileMode", JSON_MAYBE_INT, file_mode, OMIT),
        JSON_FIELD(OciDevice, "uid", JSON_MAYBE_INT, uid, OMIT),
        JSON_FIELD(OciDevice, "gid", JSON_MAYBE_INT, gid, OMIT),
};
const JsonTable oci_device_table = JSON_TABLE(OciDevice, "device", device_fields);

static const JsonField device_rule_fields[] = {
        JSON_FIELD(OciDeviceRule, "allow", JSON_BOOL, allow, 0),
        JSON_FIELD(OciDeviceRule, "type", JSON_STRING, type, OMIT),
        JSON_FIELD(OciDeviceRule, "major", JSON_MAYBE_INT, major, OMIT),
        JSON_FIELD(OciDeviceRule, "minor", JSON_MAYBE_INT, minor, OMIT),
        JSON_FIELD(OciDeviceRule, "access", JSON_STRING, access, OMIT),
};
const JsonTable oci_device_rule_table =
        JSON_TABLE(OciDeviceRule, "device rule", device_rule_fields);

static const JsonField memory_fields[] = {
        JSON_FIELD(OciMemory, "limit", JSON_MAYBE_INT, limit, OMIT),
        JSON_FIELD(OciMemory, "reservation", JSON_MAYBE_INT, reservation, OMIT),
        JSON_FIELD(OciMemory, "swap", JSON_MAYBE_INT, swap, OMIT),
        JSON_FIELD(OciMemory, "kernel", JSON_MAYBE_INT, kernel, OMIT),
        JSON_FIELD(OciMemory, "kernelTCP", JSON_MAYBE_INT, kernel_tcp, OMIT),
        JSON_FIELD(OciMemory, "swappiness", JSON_MAYBE_UINT, swappiness, OMIT),
        JSON_FIELD(OciMemory, "disableOOMKiller", JSON_MAYBE_BOOL, disable_oom_killer, OMIT),
        JSON_FIELD(OciMemory, "useHierarchy", JSON_MAYBE_BOOL, use_hierarchy, OMIT),
        JSON_FIELD(OciMemory, "checkBeforeUpdate", JSON_MAYBE_BOOL, check_before_update, OMIT),
};
static const JsonTable memory_table = JSON_TABLE(OciMemory, "memory", memory_fields);

static const JsonField cpu_fields[] = {
        JSON_FIELD(OciCpu, "shares", JSON_MAYBE_UINT, shares, OMIT),
        JSON_FIELD(OciCpu, "quota", JSON_MAYBE_INT, quota, OMIT),
        JSON_FIELD(OciCpu, "burst", JSON_MAYBE_UINT, burst, OMIT),
        JSON_FIELD(OciCpu, "period", JSON_MAYBE_UINT, period, OMIT),
        JSON_FIELD(OciCpu, "realtimeRuntime", JSON_MAYBE_INT, realtime_runtime, OMIT),
        JSON_FIELD(OciCpu, "realtimePeriod", JSON_MAYBE_UINT, realtime_period, OMIT),
        JSON_FIELD(OciCpu, "cpus", JSON_STRING, cpus, OMIT),
        JSON_FIELD(OciCpu, "mems", JSON_STRING, mems, OMIT),
        JSON_FIELD(OciCpu, "idle", JSON_MAYBE_INT, idle, OMIT),
};
static const JsonTable cpu_table = JSON_TABLE(OciCpu, "cpu", cpu_fields);

static const JsonField pids_fields[] = { JSON_FIELD(OciPids, "limit", JSON_INT, limit, 0) };
static const JsonTable pids_table = JSON_TABLE(OciPids, "pids", pids_fields);

static const JsonField weight_device_fields[] = {
        JSON_FIELD(OciWeightDevice, "major", JSON_INT, major, JSON_REQUIRED),
        JSON_FIELD(OciWeightDevice, "minor", JSON_INT, minor, JSON_REQUIRED),
        JSON_FIELD(OciWeightDevice, "weight", JSON_MAYBE_INT, weight, OMIT),
        JSON_FIELD(OciWeightDevice, "leafWeight", JSON_MAYBE_INT, leaf_weight, OMIT),
};
const JsonTable oci_weight_device_table =
        JSON_TABLE(OciWeightDevice, "weightDevice", weight_device_fields);

static const JsonField throttle_device_fields[] = {
        JSON_FIELD(OciThrottleDevice, "major", JSON_INT, major, JSON_REQUIRED),
        JSON_FIELD(OciThrottleDevice, "minor", JSON_INT, minor, JSON_REQUIRED),
        JSON_FIELD(OciThrottleDevice, "rate", JSON_UINT, rate, JSON_REQUIRED),
};
const JsonTable oci_throttle_device_table =
        JSON_TABLE(OciThrottleDevice, "throttleDevice", throttle_device_fields);

static const JsonField block_io_fields[] = {
        JSON_FIELD(OciBlockIo, "weight", JSON_MAYBE_INT, weight, OMIT),
        JSON_FIELD(OciBlockIo, "leafWeight", JSON_MAYBE_INT, leaf_weight, OMIT),
        JSON_NESTED(OciBlockIo, "weightDevice", JSON_ARRAY, weight_device, OMIT,
                    &oci_weight_device_table),
        JSON_NESTED(OciBlockIo, "throttleReadBpsDevice", JSON_ARRAY, throttle_read_bps, OMIT,
                    &oci_throttle_device_table),
        JSON_NESTED(OciBlockIo, "throttleWriteBpsDevice", JSON_ARRAY, throttle_write_bps, OMIT,
                    &oci_throttle_device_table),
        JSON_NESTED(OciBlockIo, "throttleReadIOPSDevice", JSON_ARRAY, throttle_read_iops, OMIT,
                    &oci_throttle_device_table),
        JSON_NESTED(OciBlockIo, "throttleWriteIOPSDevice", JSON_ARRAY, throttle_write_iops, OMIT,
                    &oci_throttle_device_table),
};
static const JsonTable block_io_table = JSON_TABLE(OciBlockIo, "blockIO", block_io_fields);

static const JsonField hugepage_fields[] = {
        JSON_FIELD(OciHugepageLimit, "pageSize", JSON_STRING, page_size, JSON_REQUIRED),
        JSON_FIELD(OciHugepageLimit, "limit", JSON_UINT, limit, JSON_REQUIRED),
};
static const JsonTable hugepage_table =
        JSON_TABLE(OciHugepageLimit, "hugepageLimit", hugepage_fields);

static const JsonField interface_priority_fields[] = {
        JSON_FIELD(OciInterfacePriority, "name", JSON_STRING, name, JSON_REQUIRED),
        JSON_FIELD(OciInterfacePriority, "priority", JSON_UINT, priority, JSON_REQUIRED),
};
static const JsonTable interface_priority_table =
        JSON_TABLE(OciInterfacePriority, "interfacePriority", interface_priority_fields);

static const JsonField network_fields[] = {
        JSON_FIELD(OciNetwork, "classID", JSON_MAYBE_UINT, class_id, OMIT),
        JSON_NESTED(OciNetwork, "priorities", JSON_ARRAY, priorities, OMIT,
                    &interface_priority_table),
};
static const JsonTable network_table = JSON_TABLE(OciNetwork, "network", network_fields);

static const JsonField resources_fields[] = {
        JSON_NESTED(OciResources, "devices", JSON_ARRAY, devices, OMIT, &oci_device_rule_table),
        JSON_NESTED(OciResources, "memory", JSON_OBJECT, memory, OMIT, &memory_table),
        JSON_NESTED(OciResources, "cpu", JSON_OBJECT, cpu, OMIT, &cpu_table),
        JSON_NESTED(OciResources, "pids", JSON_OBJECT, pids, OMIT, &pids_table),
        JSON_NESTED(OciResources, "blockIO", JSON_OBJECT, block_io, OMIT, &block_io_table),
        JSON_NESTED(OciResources, "hugepageLimits", JSON_ARRAY, hugepage_limits, OMIT,
                    &hugepage_table),
        JSON_NESTED(OciResources, "network", JSON_OBJECT, network, OMIT, &network_table),
        JSON_FIELD(OciResources, "unified", JSON_PAIRS, unified, OMIT),
};
const JsonTable oci_resources_table = JSON_TABLE(OciResources, "resources", resources_fields);

static const JsonField seccomp_arg_fields[] = {
        JSON_FIELD(OciSeccompArg, "index", JSON_INT, index, JSON_REQUIRED),
        JSON_FIELD(OciSeccompArg, "value", JSON_UINT, value, JSON_REQUIRED),
        JSON_FIELD(OciSeccompArg, "valueTwo", JSON_UINT, value_two, OMIT),
        JSON_FIELD(OciSeccompArg, "op", JSON_STRING, op, JSON_REQUIRED),
};
const JsonTable oci_seccomp_arg_table = JSON_TABLE(OciSeccompArg, "arg", seccomp_arg_fields);

static const JsonField syscall_fields[] = {
        JSON_FIELD(OciSyscall, "names", JSON_STRINGS, names, JSON_REQUIRED),
        JSON_FIELD(OciSyscall, "action", JSON_STRING, action, JSON_REQUIRED),
        JSON_FIELD(OciSyscall, "errnoRet", JSON_MAYBE_INT, errno_ret, OMIT),
        JSON_NESTED(OciSyscall, "args", JSON_ARRAY, args, OMIT, &oci_seccomp_arg_table),
};
const JsonTable oci_syscall_table = JSON_TABLE(OciSyscall, "syscall", syscall_fields);

static const JsonField seccomp_fields[] = {
        JSON_FIELD(OciSeccomp, "defaultAction", JSON_STRING, default_action, JSON_REQUIRED),
        JSON_FIELD(OciSeccomp, "defaultErrnoRet", JSON_MAYBE_INT, default_errno_ret, OMIT),
        JSON_FIELD(OciSeccomp, "architectures", JSON_STRINGS, architectures, OMIT),
        JSON_FIELD(OciSeccomp, "flags", JSON_STRINGS, flags, OMIT),
        JSON_FIELD(OciSeccomp, "listenerPath", JSON_STRING, listener_path, OMIT),
        JSON_FIELD(OciSeccomp, "listenerMetadata", JSON_STRING, listener_metadata, OMIT),
        JSON_NESTED(OciSeccomp, "syscalls", JSON_ARRAY, syscalls, OMIT, &oci_syscall_table),
};
const JsonTable oci_seccomp_table = JSON_TABLE(OciSeccomp, "seccomp", seccomp_fields);

static const JsonField personality_fields[] = {
        JSON_FIELD(OciPersonality, "domain", JSON_STRING, domain, JSON_REQUIRED),
        JSON_FIELD(OciPersonality, "flags", JSON_STRINGS, flags, OMIT),
};
static const JsonTable personality_table =
        JSON_TABLE(OciPersonality, "personality", personality_fields);

/* The clock's name is the key. */
static const JsonField time_offset_fields[] = {
        JSON_FIELD(OciTimeOffset, "secs", JSON_INT, secs, OMIT),
        JSON_FIELD(OciTimeOffset, "nanosecs", JSON_INT, nanosecs, OMIT),
};
static const JsonTable time_offset_table =
        JSON_TABLE(OciTimeOffset, "timeOffsets", time_offset_fields);

static const JsonField linux_fields[] = {
        JSON_NESTED(OciLinux, "namespaces", JSON_ARRAY, namespaces, OMIT, &oci_namespace_table),
        JSON_NESTED(OciLinux, "uidMappings", JSON_ARRAY, uid_mappings, OMIT, &oci_id_mapping_table),
        JSON_NESTED(OciLinux, "gidMappings", JSON_ARRAY, gid_mappings, OMIT, &oci_id_mapping_table),
        JSON_NESTED(OciLinux, "devices", JSON_ARRAY, devices, OMIT, &oci_device_table),
        JSON_FIELD(OciLinux, "cgroupsPath", JSON_STRING, cgroups_path, OMIT),
        JSON_NESTED(OciLinux, "resources", JSON_OBJECT, resources, OMIT, &oci_resources_table),
        JSON_FIELD(OciLinux, "sysctl", JSON_PAIRS, sysctl, OMIT),
        JSON_NESTED(OciLinux, "seccomp", JSON_OBJECT, seccomp, OMIT, &oci_seccomp_table),
        JSON_FIELD(OciLinux, "rootfsPropagation", JSON_STRING, rootfs_propagation, OMIT),
        JSON_FIELD(OciLinux, "mountLabel", JSON_STRING, mount_label, OMIT),
        JSON_FIELD(OciLinux, "maskedPaths", JSON_STRINGS, masked_paths, OMIT),
        JSON_FIELD(OciLinux, "readonlyPaths", JSON_STRINGS, readonly_paths, OMIT),
        JSON_NESTED(OciLinux, "personality", JSON_OBJECT, personality, OMIT, &personality_table),
        JSON_NESTED(OciLinux, "timeOffsets", JSON_MAP, time_offsets, OMIT, &time_offset_table),
        JSON_FIELD(OciLinux, "intelRdt", JSON_RAW, intel_rdt, OMIT),
        JSON_FIELD(OciLinux, "netDevices", JSON_RAW, net_devices, OMIT),
        JSON_FIELD(OciLinux, "memoryPolicy", JSON_RAW, memory_policy, OMIT),
};
static const JsonTable linux_table = JSON_TABLE(OciLinux, "linux", linux_fields);

/* ---- the document ---- */
static const JsonField root_fields[] = {
        JSON_FIELD(OciRoot, "path", JSON_STRING, path, JSON_REQUIRED),
        JSON_FIELD(OciRoot, "readonly", JSON_BOOL, readonly, OMIT),
};
static const JsonTable root_table = JSON_TABLE(OciRoot, "root", root_fields);

static const JsonField config_fields[] = {
        JSON_FIELD(OciConfig, "ociVersion", JSON_STRING, version, JSON_REQUIRED),
        JSON_NESTED(OciConfig, "process", JSON_OBJECT, process, OMIT, &oci_process_table),
        JSON_NESTED(OciConfig, "root", JSON_OBJECT, root, OMIT, &root_table),
        JSON_FIELD(OciConfig, "hostname", JSON_STRING, hostname, OMIT),
        JSON_FIELD(OciConfig, "domainname", JSON_STRING, domainname, OMIT),
        JSON_NESTED(OciConfig, "mounts", JSON_ARRAY, mounts, OMIT, &oci_mount_table),
        JSON_NESTED(OciConfig, "hooks", JSON_OBJECT, hooks, OMIT, &hooks_table),
        JSON_FIELD(OciConfig, "annotations", JSON_PAIRS, annotations, OMIT),
        JSON_NESTED(OciConfig, "linux", JSON_OBJECT, linux_, OMIT, &linux_table),
};
const JsonTable oci_config_table = JSON_TABLE(OciConfig, "config", config_fields);
