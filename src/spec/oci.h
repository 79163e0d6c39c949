/* spec/oci.h: the OCI runtime document, config.json. runtime-spec 1.3, config.md and
 * config-linux.md. */
#pragma once

#include "format/json.h"

typedef struct OciUser {
        int64_t uid, gid;
        int64_t *umask;
        JsonArray additional_gids; /* of int64_t (JSON_INTS) */
        char *username;
} OciUser;

typedef struct OciCapabilities {
        char **bounding, **effective, **inheritable, **permitted, **ambient;
} OciCapabilities;

typedef struct OciRlimit {
        char *type; /* RLIMIT_NOFILE … */
        uint64_t soft, hard;
} OciRlimit;

typedef struct OciBox {
        int64_t height, width;
} OciBox;

typedef struct OciIoPriority {
        char *class_; /* IOPRIO_CLASS_RT, _BE, _IDLE */
        int64_t priority;
} OciIoPriority;

typedef struct OciScheduler {
        char *policy, **flags; /* SCHED_…, SCHED_FLAG_… */
        int64_t nice, priority;
        uint64_t runtime, deadline, period; /* ns */
} OciScheduler;

typedef struct OciCpuAffinity {
        char *initial, *final; /* lists of processors, "0-3,7" */
} OciCpuAffinity;

typedef struct OciProcess {
        bool terminal, no_new_privileges;
        OciBox *console_size;
        OciUser user;
        char **args, **env, *cwd;
        OciCapabilities *capabilities;
        JsonArray rlimits; /* of OciRlimit */
        int64_t *oom_score_adj;
        char *apparmor_profile, *selinux_label;
        OciIoPriority *io_priority;
        OciScheduler *scheduler;
        OciCpuAffinity *exec_cpu_affinity;
} OciProcess;

typedef struct OciIdMapping {
        int64_t container_id, host_id, size;
} OciIdMapping;

typedef struct OciMount {
        char *destination, *type, *source;
        char **options;
        JsonArray uid_mappings, gid_mappings; /* of OciIdMapping */
} OciMount;

typedef struct OciHook {
        char *path;
        char **args, **env;
        int64_t *timeout; /* seconds */
} OciHook;

typedef struct OciHooks {
        JsonArray prestart, create_runtime, create_container, start_container, poststart,
                poststop; /* of OciHook */
} OciHooks;

typedef struct OciNamespace {
        char *type, *path; /* pid, network, mount, ipc, uts, user, cgroup, time; path: join, NULL:
                              create */
} OciNamespace;

typedef struct OciDevice {
        char *path, *type; /* c, b, u, p */
        int64_t major, minor;
        int64_t *file_mode, *uid, *gid;
} OciDevice;

typedef struct OciDeviceRule {
        bool allow;
        char *type;             /* a, c, b; NULL: a */
        int64_t *major, *minor; /* NULL: any */
        char *access;
} OciDeviceRule;

typedef struct OciMemory {
        int64_t *limit, *reservation, *swap, *kernel, *kernel_tcp;
        uint64_t *swappiness;
        bool *disable_oom_killer, *use_hierarchy, *check_before_update;
} OciMemory;

typedef struct OciCpu {
        uint64_t *shares, *period, *realtime_period;
        int64_t *quota, *realtime_runtime, *idle;
        uint64_t *burst;
        char *cpus, *mems;
} OciCpu;

typedef struct OciPids {
        int64_t limit;
} OciPids;

typedef struct OciWeightDevice {
        int64_t major, minor;
        int64_t *weight, *leaf_weight;
} OciWeightDevice;

typedef struct OciThrottleDevice {
        int64_t major, minor;
        uint64_t rate;
} OciThrottleDevice;

typedef struct OciBlockIo {
        int64_t *weight, *leaf_weight;
        JsonArray weight_device; /* of OciWeightDevice */
        JsonArray throttle_read_bps, throttle_write_bps, throttle_read_iops,
                throttle_write_iops; /* of OciThrottleDevice */
} OciBlockIo;

typedef struct OciHugepageLimit {
        char *page_size;
        uint64_t limit;
} OciHugepageLimit;

typedef struct OciInterfacePriority {
        char *name;
        uint64_t priority;
} OciInterfacePriority;

typedef struct OciNetwork {
        uint64_t *class_id;
        JsonArray priorities; /* of OciInterfacePriority */
} OciNetwork;

typedef struct OciResources {
        JsonArray devices; /* of OciDeviceRule */
        OciMemory *memory;
        OciCpu *cpu;
        OciPids *pids;
        OciBlockIo *block_io;
        JsonArray hugepage_limits; /* of OciHugepageLimit */
        OciNetwork *network;
        Pairs unified; /* cgroup v2 file → value */
} OciResources;

typedef struct OciSeccompArg {
        int64_t index;
        uint64_t value, value_two;
        char *op; /* SCMP_CMP_EQ … */
} OciSeccompArg;

typedef struct OciSyscall {
        char **names, *action;
        int64_t *errno_ret;
        JsonArray args; /* of OciSeccompArg */
} OciSyscall;

typedef struct OciSeccomp {
        char *default_action;
        int64_t *default_errno_ret;
        char **architectures, **flags, *listener_path, *listener_metadata;
        JsonArray syscalls; /* of OciSyscall */
} OciSeccomp;

typedef struct OciPersonality {
        char *domain, **flags; /* LINUX, LINUX32 */
} OciPersonality;

typedef struct OciTimeOffset {
        char *clock; /* monotonic, boottime */
        int64_t secs;
        int64_t nanosecs;
} OciTimeOffset;

typedef struct OciLinux {
        JsonArray namespaces;                 /* of OciNamespace */
        JsonArray uid_mappings, gid_mappings; /* of OciIdMapping */
        JsonArray devices;                    /* of OciDevice */
        char *cgroups_path;
        OciResources *resources;
        Pairs sysctl;
        OciSeccomp *seccomp;
        char *rootfs_propagation, *mount_label;
        char **masked_paths, **readonly_paths;
        OciPersonality *personality;
        JsonArray time_offsets; /* of OciTimeOffset */
        /* Read to be refused by name. */
        json_object *intel_rdt, *net_devices, *memory_policy;
} OciLinux;

typedef struct OciRoot {
        char *path;
        bool readonly;
} OciRoot;

typedef struct OciConfig {
        char *version;
        OciProcess *process;
        OciRoot *root;
        char *hostname, *domainname;
        JsonArray mounts; /* of OciMount */
        OciHooks *hooks;
        OciLinux *linux_;
        Pairs annotations;
} OciConfig;

extern const JsonTable oci_config_table, oci_process_table, oci_mount_table, oci_hook_table,
        oci_namespace_table, oci_rlimit_table, oci_device_table, oci_device_rule_table,
        oci_weight_device_table, oci_throttle_device_table, oci_resources_table, oci_seccomp_table,
        oci_syscall_table, oci_seccomp_arg_table, oci_id_mapping_table, oci_capabilities_table;
