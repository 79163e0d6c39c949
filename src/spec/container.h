/* spec/container.h: the documents with which Docker's clients make containers, networks and
 * volumes. Engine API 1.44. */
#pragma once

#include "format/json.h"
#include "spec/image.h"

/* "Config": what the image's run config has, and the container's own. */
typedef struct ContainerConfig {
        char *hostname, *domainname, *user, *working_dir, *stop_signal, *image, *mac_address;
        bool attach_stdin, attach_stdout, attach_stderr, tty, open_stdin, stdin_once,
                network_disabled, args_escaped;
        char **exposed_ports, **volumes; /* sets */
        char **env, **cmd, **entrypoint, **shell, **on_build;
        bool has_cmd, has_entrypoint; /* set by the reader's caller: given, if empty */
        Pairs labels;
        int64_t *stop_timeout; /* seconds */
        HealthConfig *health;
} ContainerConfig;

typedef struct PortBinding {
        char *host_ip, *host_port; /* "", or a number, or a range "8000-8100" */
} PortBinding;

/* An element of PortBindings and of NetworkSettings.Ports: "80/tcp" → bindings (null where none).
 */
typedef struct PortBindings {
        char *port;
        JsonArray bindings; /* of PortBinding */
} PortBindings;

typedef struct RestartPolicy {
        char *name; /* "", no, always, unless-stopped, on-failure */
        int64_t maximum_retry_count;
} RestartPolicy;

typedef struct LogConfig {
        char *type;
        Pairs config;
} LogConfig;

typedef struct DeviceMapping {
        char *path_on_host, *path_in_container, *cgroup_permissions;
} DeviceMapping;

typedef struct Ulimit {
        char *name;
        int64_t soft, hard;
} Ulimit;

typedef struct MountBindOptions {
        char *propagation;
        char *idmap; /* brig's own */
        bool non_recursive, create_mountpoint, read_only_non_recursive, read_only_force_recursive;
} MountBindOptions;

typedef struct MountDriverConfig {
        char *name;
        Pairs options;
} MountDriverConfig;

typedef struct MountVolumeOptions {
        bool no_copy;
        Pairs labels;
        MountDriverConfig *driver_config;
        char *subpath;
} MountVolumeOptions;

typedef struct MountTmpfsOptions {
        int64_t size_bytes, mode;
        json_object *options; /* from API 1.46 on: arrays of a word, or of a name and its value */
} MountTmpfsOptions;

typedef struct MountImageOptions {
        char *subpath;
} MountImageOptions;

/* What BlkioWeightDevice and the BlkioDevice… lists hold. */
typedef struct WeightDevice {
        char *path;
        int64_t weight;
} WeightDevice;

typedef struct ThrottleDevice {
        char *path;
        uint64_t rate; /* a second */
} ThrottleDevice;

/* HostConfig.Mounts */
typedef struct MountSpec {
        char *target, *source, *type, *consistency;
        bool read_only;
        MountBindOptions *bind;
        MountVolumeOptions *volume;
        MountTmpfsOptions *tmpfs;
        MountImageOptions *image;
} MountSpec;

typedef struct HostConfig {
        /* resources */
        int64_t cpu_shares, memory, nano_cpus, cpu_period, cpu_quota, cpu_realtime_period,
                cpu_realtime_runtime;
        int64_t memory_reservation, memory_swap, blkio_weight;
        int64_t *memory_swappiness, *pids_limit;
        bool *oom_kill_disable, *init;
        char *cgroup_parent, *cpuset_cpus, *cpuset_mems;
        JsonArray devices;             /* of DeviceMapping */
        JsonArray blkio_weight_device; /* of WeightDevice */
        JsonArray blkio_read_bps, blkio_write_bps, blkio_read_iops,
                blkio_write_iops; /* of ThrottleDevice */
        int64_t kernel_memory_tcp;
        char **device_cgroup_rules;
        JsonArray ulimits; /* of Ulimit */
        /* the rest */
        char **binds;
        char *container_id_file, *network_mode, *volume_driver;
        LogConfig log_config;
        JsonArray port_bindings; /* map of PortBindings */
        RestartPolicy restart_policy;
        bool auto_remove, privileged, publish_all_ports, readonly_rootfs;
        char **volumes_from, **cap_add, **cap_drop, **dns, **dns_options, **dns_search,
                **extra_hosts, **group_add, **links;
        char *cgroup, *cgroupns_mode, *ipc_mode, *pid_mode, *uts_mode, *userns_mode, *runtime,
                *isolation;
        int64_t oom_score_adj, shm_size; /* bytes */
        char **security_opt;
        Pairs storage_opt, tmpfs, sysctls, annotations;
        int64_t console_height, console_width; /* ConsoleSize: [height, width] */
        JsonArray mounts;                      /* of MountSpec */
        char **masked_paths, **readonly_paths;
        bool has_masked_paths, has_readonly_paths;     /* null in JSON: the defaults; [] : none */
        bool has_dns, has_dns_options, has_dns_search; /* written as given, null or [] */
        /* Not done: refused by name where set (see container_create_refused). */
        int64_t kernel_memory, cpu_count, cpu_percent, io_maximum_iops, io_maximum_bandwidth;
        json_object *device_requests;
} HostConfig;

typedef struct EndpointIpam {
        char *ipv4_address, *ipv6_address;
        char **link_local_ips;
} EndpointIpam;

/* An element of NetworkingConfig.EndpointsConfig and of NetworkSettings.Networks. */
typedef struct EndpointSettings {
        char *network; /* the map's key */
        EndpointIpam *ipam;
        char **links, **aliases;
        char *mac_address, *network_id, *endpoint_id, *gateway, *ip_address;
        int64_t ip_prefix_len, gw_priority;
        Pairs driver_opts;
        char **dns_names;
        /* Not of the body: before API 1.44 an IPv6 address counts only where the network has IPv6.
         */
        bool ipv6_optional;
} EndpointSettings;

typedef struct ContainerCreate {
        ContainerConfig config; /* its members stand at the top of the request */
        HostConfig host;
        JsonArray endpoints; /* map of EndpointSettings: NetworkingConfig.EndpointsConfig */
        /* Not of the body: before API 1.44 a read-only mount left what is mounted below it
         * writable, unless it says otherwise. */
        bool shallow_read_only;
        bool ipv6_optional; /* nor this: see EndpointSettings, of all endpoints */
} ContainerCreate;

/* Reads and writes POST /containers/create's body: the members of Config beside HostConfig and
 * NetworkingConfig. */
int container_create_read(json_object *body, ContainerCreate *ret, Error *err);
json_object *container_create_write(const ContainerCreate *create); /* the caller's reference */
void container_create_done(ContainerCreate *create);
/* The parts of it, as inspect shows them; host_config_table alone lacks PortBindings and
 * ConsoleSize. */
json_object *container_config_write(const ContainerConfig *config);
json_object *host_config_write(const HostConfig *host);
/* "80/tcp" → bindings, or null where there are none; an array of PortBindings, which
 * port_bindings_done frees. what: the member's name, for errors. */
int port_bindings_read(const char *what, json_object *object, JsonArray *ret, Error *err);
json_object *port_bindings_write(const JsonArray *bindings);
void port_bindings_done(JsonArray *bindings);
/* unsupported, naming the field and the remedy, where create asks for what brig does not do. */
int container_create_refused(const ContainerCreate *create, Error *err);

extern const JsonTable container_config_table, host_config_table, port_binding_table,
        port_bindings_table, mount_spec_table, endpoint_settings_table, ulimit_table,
        device_mapping_table, weight_device_table, throttle_device_table, restart_policy_table;

/* POST /containers/{id}/exec */
typedef struct ExecConfig {
        char *user, *working_dir, *detach_keys;
        bool privileged, tty, attach_stdin, attach_stdout, attach_stderr;
        char **env, **cmd;
        json_object *console_size;
} ExecConfig;
extern const JsonTable exec_config_table;

/* POST /networks/create */
typedef struct IpamPoolSpec {
        char *subnet, *ip_range, *gateway;
        Pairs auxiliary; /* "AuxiliaryAddresses" */
} IpamPoolSpec;

typedef struct IpamSpec {
        char *driver;
        Pairs options;
        JsonArray config; /* of IpamPoolSpec */
        bool has_options; /* set by the reader's caller: given, if empty */
} IpamSpec;

/* An element of the daemon's default-address-pools, and of DefaultAddressPools in info. */
typedef struct AddressPoolSpec {
        char *base; /* "10.10.0.0/16" */
        int64_t size;
} AddressPoolSpec;
extern const JsonTable address_pool_spec_table;

typedef struct ConfigReference {
        char *network;
} ConfigReference;

typedef struct NetworkCreate {
        char *name, *driver, *scope;
        bool check_duplicate; /* no two networks of that name */
        bool internal, attachable, ingress, enable_ipv6, config_only;
        bool *enable_ipv4; /* NULL: true */
        ConfigReference *config_from;
        IpamSpec *ipam;
        Pairs options, labels;
} NetworkCreate;
extern const JsonTable network_create_table, config_reference_table, ipam_spec_table,
        ipam_pool_spec_table;

/* ---- limits.c ---- */
/* What of HostConfig can be changed of a container that is there; its members are named alike. */
typedef struct HostLimits {
        int64_t blkio_weight, cpu_shares, nano_cpus, cpu_period, cpu_quota, cpu_realtime_period,
                cpu_realtime_runtime, memory, memory_swap, memory_reservation;
        int64_t *pids_limit; /* 0 or less: none */
        char *cpuset_cpus, *cpuset_mems;
        RestartPolicy restart_policy;
} HostLimits;
extern const JsonTable host_limits_table;
/* The limits of host, borrowed. */
HostLimits host_limits_of(const HostConfig *host);
/* host has these limits from now on, borrowed: it is a copy that nobody frees. */
void host_limits_lend(HostConfig *host, const HostLimits *limits);
/* Those that given has take the place of what limits has; copies. */
void host_limits_change(HostLimits *limits, const HostLimits *given);
bool host_limits_any(const HostLimits *given); /* it has one */

/* POST /containers/{id}/update; the labels are brig's own. */
typedef struct ContainerUpdate {
        HostLimits limits;       /* those that are given */
        Pairs labels;            /* given, or given anew */
        char **labels_removed;   /* their names; one that is not there is none to remove */
        JsonArray ports_added;   /* of PortBindings, as those of HostConfig */
        JsonArray ports_removed; /* the same: a port without bindings is all of it; a member of a
                                    binding that is not given fits each */
        JsonArray mounts_added;  /* of MountSpec, as those of HostConfig */
        char **mounts_removed;   /* their destinations */
} ContainerUpdate;
/* invalid where it asks for the impossible; unsupported where it names anything else that is to
 * change. *ret zeroed; container_update_done frees it. */
int container_update_read(json_object *object, ContainerUpdate *ret, Error *err);
json_object *container_update_write(const ContainerUpdate *update); /* the caller's reference */
void container_update_done(ContainerUpdate *update);

/* POST /volumes/create */
typedef struct VolumeCreate {
        char *name, *driver;
        Pairs driver_opts, labels;
} VolumeCreate;
extern const JsonTable volume_create_table;

/* ?filters=…: {"k":["v"]} and {"k":{"v":true}} alike. Zero-initialised is none. */
typedef struct Filters {
        Map lists; /* key → char ** */
} Filters;
int filters_parse(const char *text, Filters *ret, Error *err);          /* NULL or "": none */
void filters_add(Filters *filters, const char *key, const char *value); /* one more value */
void filters_done(Filters *filters);
char *const *filters_get(const Filters *filters, const char *key); /* NULL: no such filter */
/* invalid "Invalid filter 'x'" if filters has a key that accepted (NULL-terminated) lacks. */
int filters_check(const Filters *filters, const char *const *accepted, Error *err);
