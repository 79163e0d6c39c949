/* container.c: the tables of Config, HostConfig and what they hold, and the body of POST
 * /containers/create. Names and order are the Engine API's (1.44); what a value means is the
 * engine's business. Filters and the smaller requests are in request.c. */
#include "spec/container.h"

#include <strings.h>

#define OMIT JSON_OMIT_EMPTY
#define NULL_EMPTY JSON_NULL_EMPTY

/* ---- Config ---- */

static const JsonField config_fields[] = {
        JSON_FIELD(ContainerConfig, "Hostname", JSON_STRING, hostname, 0),
        JSON_FIELD(ContainerConfig, "Domainname", JSON_STRING, domainname, 0),
        JSON_FIELD(ContainerConfig, "User", JSON_STRING, user, 0),
        JSON_FIELD(ContainerConfig, "AttachStdin", JSON_BOOL, attach_stdin, 0),
        JSON_FIELD(ContainerConfig, "AttachStdout", JSON_BOOL, attach_stdout, 0),
        JSON_FIELD(ContainerConfig, "AttachStderr", JSON_BOOL, attach_stderr, 0),
        JSON_FIELD(ContainerConfig, "ExposedPorts", JSON_SET, exposed_ports, OMIT),
        JSON_FIELD(ContainerConfig, "Tty", JSON_BOOL, tty, 0),
        JSON_FIELD(ContainerConfig, "OpenStdin", JSON_BOOL, open_stdin, 0),
        JSON_FIELD(ContainerConfig, "StdinOnce", JSON_BOOL, stdin_once, 0),
        JSON_FIELD(ContainerConfig, "Env", JSON_STRINGS, env, 0),
        JSON_FIELD(ContainerConfig, "Cmd", JSON_WORDS, cmd, 0),
        JSON_NESTED(ContainerConfig, "Healthcheck", JSON_OBJECT, health, OMIT,
                    &health_config_table),
        JSON_FIELD(ContainerConfig, "ArgsEscaped", JSON_BOOL, args_escaped, OMIT),
        JSON_FIELD(ContainerConfig, "Image", JSON_STRING, image, 0),
        JSON_FIELD(ContainerConfig, "Volumes", JSON_SET, volumes, NULL_EMPTY),
        JSON_FIELD(ContainerConfig, "WorkingDir", JSON_STRING, working_dir, 0),
        JSON_FIELD(ContainerConfig, "Entrypoint", JSON_WORDS, entrypoint, 0),
        JSON_FIELD(ContainerConfig, "NetworkDisabled", JSON_BOOL, network_disabled, OMIT),
        JSON_FIELD(ContainerConfig, "MacAddress", JSON_STRING, mac_address, OMIT),
        JSON_FIELD(ContainerConfig, "OnBuild", JSON_STRINGS, on_build, NULL_EMPTY),
        JSON_FIELD(ContainerConfig, "Labels", JSON_PAIRS, labels, 0),
        JSON_FIELD(ContainerConfig, "StopSignal", JSON_STRING, stop_signal, OMIT),
        JSON_FIELD(ContainerConfig, "StopTimeout", JSON_MAYBE_INT, stop_timeout, OMIT),
        JSON_FIELD(ContainerConfig, "Shell", JSON_WORDS, shell, OMIT),
};
const JsonTable container_config_table = JSON_TABLE(ContainerConfig, "Config", config_fields);

/* ---- what HostConfig holds ---- */

static const JsonField port_binding_fields[] = {
        JSON_FIELD(PortBinding, "HostIp", JSON_STRING, host_ip, 0),
        JSON_FIELD(PortBinding, "HostPort", JSON_STRING, host_port, 0),
};
const JsonTable port_binding_table = JSON_TABLE(PortBinding, "PortBinding", port_binding_fields);

/* The value of a map's element is an array here, which JSON_MAP can't be: see bindings_read. */
static const JsonField port_bindings_fields[] = {
        JSON_NESTED(PortBindings, "bindings", JSON_ARRAY, bindings, 0, &port_binding_table),
};
const JsonTable port_bindings_table =
        JSON_TABLE(PortBindings, "PortBindings", port_bindings_fields);

static const JsonField restart_fields[] = {
        JSON_FIELD(RestartPolicy, "Name", JSON_STRING, name, 0),
        JSON_FIELD(RestartPolicy, "MaximumRetryCount", JSON_INT, maximum_retry_count, 0),
};
const JsonTable restart_policy_table = JSON_TABLE(RestartPolicy, "RestartPolicy", restart_fields);

static const JsonField log_config_fields[] = {
        JSON_FIELD(LogConfig, "Type", JSON_STRING, type, 0),
        JSON_FIELD(LogConfig, "Config", JSON_PAIRS, config, 0),
};
static const JsonTable log_config_table = JSON_TABLE(LogConfig, "LogConfig", log_config_fields);

static const JsonField device_fields[] = {
        JSON_FIELD(DeviceMapping, "PathOnHost", JSON_STRING, path_on_host, 0),
        JSON_FIELD(DeviceMapping, "PathInContainer", JSON_STRING, path_in_container, 0),
        JSON_FIELD(DeviceMapping, "CgroupPermissions", JSON_STRING, cgroup_permissions, 0),
};
const JsonTable device_mapping_table = JSON_TABLE(DeviceMapping, "Device", device_fields);

static const JsonField ulimit_fields[] = {
        JSON_FIELD(Ulimit, "Name", JSON_STRING, name, JSON_REQUIRED),
        JSON_FIELD(Ulimit, "Hard", JSON_INT, hard, 0),
        JSON_FIELD(Ulimit, "Soft", JSON_INT, soft, 0),
};
const JsonTable ulimit_table = JSON_TABLE(Ulimit, "Ulimit", ulimit_fields);

static const JsonField weight_device_fields[] = {
        JSON_FIELD(WeightDevice, "Path", JSON_STRING, path, 0),
        JSON_FIELD(WeightDevice, "Weight", JSON_INT, weight, 0),
};
const JsonTable weight_device_table =
        JSON_TABLE(WeightDevice, "BlkioWeightDevice", weight_device_fields);

static const JsonField throttle_device_fields[] = {
        JSON_FIELD(ThrottleDevice, "Path", JSON_STRING, path, 0),
        JSON_FIELD(ThrottleDevice, "Rate", JSON_UINT, rate, 0),
};
const JsonTable throttle_device_table =
        JSON_TABLE(ThrottleDevice, "BlkioDevice", throttle_device_fields);

static const JsonField bind_options_fields[] = {
        JSON_FIELD(MountBindOptions, "Propagation", JSON_STRING, propagation, OMIT),
        JSON_FIELD(MountBindOptions, "IdMap", JSON_STRING, idmap, OMIT),
        JSON_FIELD(MountBindOptions, "NonRecursive", JSON_BOOL, non_recursive, OMIT),
        JSON_FIELD(MountBindOptions, "CreateMountpoint", JSON_BOOL, create_mountpoint, OMIT),
        JSON_FIELD(MountBindOptions, "ReadOnlyNonRecursive", JSON_BOOL, read_only_non_recursive,
                   OMIT),
        JSON_FIELD(MountBindOptions, "ReadOnlyForceRecursive", JSON_BOOL, read_only_force_recursive,
                   OMIT),
};
static const JsonTable bind_options_table =
        JSON_TABLE(MountBindOptions, "BindOptions", bind_options_fields);

static const JsonField driver_config_fields[] = {
        JSON_FIELD(MountDriverConfig, "Name", JSON_STRING, name, OMIT),
        JSON_FIELD(MountDriverConfig, "Options", JSON_PAIRS, options, OMIT),
};
static const JsonTable driver_config_table =
        JSON_TABLE(MountDriverConfig, "DriverConfig", driver_config_fields);

static const JsonField volume_options_fields[] = {
        JSON_FIELD(MountVolumeOptions, "NoCopy", JSON_BOOL, no_copy, OMIT),
        JSON_FIELD(MountVolumeOptions, "Labels", JSON_PAIRS, labels, OMIT),
        JSON_FIELD(MountVolumeOptions, "Subpath", JSON_STRING, subpath, OMIT),
        JSON_NESTED(MountVolumeOptions, "DriverConfig", JSON_OBJECT, driver_config, OMIT,
                    &driver_config_table),
};
static const JsonTable volume_options_table =
        JSON_TABLE(MountVolumeOptions, "VolumeOptions", volume_options_fields);

static const JsonField tmpfs_options_fields[] = {
        JSON_FIELD(MountTmpfsOptions, "SizeBytes", JSON_INT, size_bytes, OMIT),
        JSON_FIELD(MountTmpfsOptions, "Mode", JSON_INT, mode, OMIT),
        JSON_FIELD(MountTmpfsOptions, "Options", JSON_RAW, options, OMIT),
};
static const JsonTable tmpfs_options_table =
        JSON_TABLE(MountTmpfsOptions, "TmpfsOptions", tmpfs_options_fields);

static const JsonField image_options_fields[] = {
        JSON_FIELD(MountImageOptions, "Subpath", JSON_STRING, subpath, OMIT),
};
static const JsonTable image_options_table =
        JSON_TABLE(MountImageOptions, "ImageOptions", image_options_fields);

static const JsonField mount_fields[] = {
        JSON_FIELD(MountSpec, "Type", JSON_STRING, type, OMIT),
        JSON_FIELD(MountSpec, "Source", JSON_STRING, source, OMIT),
        JSON_FIELD(MountSpec, "Target", JSON_STRING, target, OMIT),
        JSON_FIELD(MountSpec, "ReadOnly", JSON_BOOL, read_only, OMIT),
        JSON_FIELD(MountSpec, "Consistency", JSON_STRING, consistency, OMIT),
        JSON_NESTED(MountSpec, "BindOptions", JSON_OBJECT, bind, OMIT, &bind_options_table),
        JSON_NESTED(MountSpec, "VolumeOptions", JSON_OBJECT, volume, OMIT, &volume_options_table),
        JSON_NESTED(MountSpec, "TmpfsOptions", JSON_OBJECT, tmpfs, OMIT, &tmpfs_options_table),
        JSON_NESTED(MountSpec, "ImageOptions", JSON_OBJECT, image, OMIT, &image_options_table),
};
const JsonTable mount_spec_table = JSON_TABLE(MountSpec, "Mount", mount_fields);

/* ---- HostConfig; PortBindings and ConsoleSize are read and written by hand below ---- */

static const JsonField host_fields[] = {
        JSON_FIELD(HostConfig, "Binds", JSON_STRINGS, binds, NULL_EMPTY),
        JSON_FIELD(HostConfig, "ContainerIDFile", JSON_STRING, container_id_file, 0),
        JSON_NESTED(HostConfig, "LogConfig", JSON_INLINE, log_config, 0, &log_config_table),
        JSON_FIELD(HostConfig, "NetworkMode", JSON_STRING, network_mode, 0),
        JSON_NESTED(HostConfig, "RestartPolicy", JSON_INLINE, restart_policy, 0,
                    &restart_policy_table),
        JSON_FIELD(HostConfig, "AutoRemove", JSON_BOOL, auto_remove, 0),
        JSON_FIELD(HostConfig, "VolumeDriver", JSON_STRING, volume_driver, 0),
        JSON_FIELD(HostConfig, "VolumesFrom", JSON_STRINGS, volumes_from, NULL_EMPTY),
        JSON_FIELD(HostConfig, "Annotations", JSON_PAIRS, annotations, OMIT),
        JSON_FIELD(HostConfig, "CapAdd", JSON_STRINGS, cap_add, NULL_EMPTY),
        JSON_FIELD(HostConfig, "CapDrop", JSON_STRINGS, cap_drop, NULL_EMPTY),
        JSON_FIELD(HostConfig, "CgroupnsMode", JSON_STRING, cgroupns_mode, 0),
        JSON_FIELD(HostConfig, "Dns", JSON_STRINGS, dns, 0),
        JSON_FIELD(HostConfig, "DnsOptions", JSON_STRINGS, dns_options, 0),
        JSON_FIELD(HostConfig, "DnsSearch", JSON_STRINGS, dns_search, 0),
        JSON_FIELD(HostConfig, "ExtraHosts", JSON_STRINGS, extra_hosts, NULL_EMPTY),
        JSON_FIELD(HostConfig, "GroupAdd", JSON_STRINGS, group_add, NULL_EMPTY),
        JSON_FIELD(HostConfig, "IpcMode", JSON_STRING, ipc_mode, 0),
        JSON_FIELD(HostConfig, "Cgroup", JSON_STRING, cgroup, 0),
        JSON_FIELD(HostConfig, "Links", JSON_STRINGS, links, NULL_EMPTY),
        JSON_FIELD(HostConfig, "OomScoreAdj", JSON_INT, oom_score_adj, 0),
        JSON_FIELD(HostConfig, "PidMode", JSON_STRING, pid_mode, 0),
        JSON_FIELD(HostConfig, "Privileged", JSON_BOOL, privileged, 0),
        JSON_FIELD(HostConfig, "PublishAllPorts", JSON_BOOL, publish_all_ports, 0),
        JSON_FIELD(HostConfig, "ReadonlyRootfs", JSON_BOOL, readonly_rootfs, 0),
        JSON_FIELD(HostConfig, "SecurityOpt", JSON_STRINGS, security_opt, NULL_EMPTY),
        JSON_FIELD(HostConfig, "StorageOpt", JSON_PAIRS, storage_opt, OMIT),
        JSON_FIELD(HostConfig, "Tmpfs", JSON_PAIRS, tmpfs, OMIT),
        JSON_FIELD(HostConfig, "UTSMode", JSON_STRING, uts_mode, 0),
        JSON_FIELD(HostConfig, "UsernsMode", JSON_STRING, userns_mode, 0),
        JSON_FIELD(HostConfig, "ShmSize", JSON_INT, shm_size, 0),
        JSON_FIELD(HostConfig, "Sysctls", JSON_PAIRS, sysctls, OMIT),
        JSON_FIELD(HostConfig, "Runtime", JSON_STRING, runtime, 0),
        JSON_FIELD(HostConfig, "Isolation", JSON_STRING, isolation, 0),
        JSON_FIELD(HostConfig, "CpuShares", JSON_INT, cpu_shares, 0),
        JSON_FIELD(HostConfig, "Memory", JSON_INT, memory, 0),
        JSON_FIELD(HostConfig, "NanoCpus", JSON_INT, nano_cpus, 0),
        JSON_FIELD(HostConfig, "CgroupParent", JSON_STRING, cgroup_parent, 0),
        JSON_FIELD(HostConfig, "BlkioWeight", JSON_INT, blkio_weight, 0),
        JSON_NESTED(HostConfig, "BlkioWeightDevice", JSON_ARRAY, blkio_weight_device, 0,
                    &weight_device_table),
        JSON_NESTED(HostConfig, "BlkioDeviceReadBps", JSON_ARRAY, blkio_read_bps, 0,
                    &throttle_device_table),
        JSON_NESTED(HostConfig, "BlkioDeviceWriteBps", JSON_ARRAY, blkio_write_bps, 0,
                    &throttle_device_table),
        JSON_NESTED(HostConfig, "BlkioDeviceReadIOps", JSON_ARRAY, blkio_read_iops, 0,
                    &throttle_device_table),
        JSON_NESTED(HostConfig, "BlkioDeviceWriteIOps", JSON_ARRAY, blkio_write_iops, 0,
                    &throttle_device_table),
        JSON_FIELD(HostConfig, "CpuPeriod", JSON_INT, cpu_period, 0),
        JSON_FIELD(HostConfig, "CpuQuota", JSON_INT, cpu_quota, 0),
        JSON_FIELD(HostConfig, "CpuRealtimePeriod", JSON_INT, cpu_realtime_period, 0),
        JSON_FIELD(HostConfig, "CpuRealtimeRuntime", JSON_INT, cpu_realtime_runtime, 0),
        JSON_FIELD(HostConfig, "CpusetCpus", JSON_STRING, cpuset_cpus, 0),
        JSON_FIELD(HostConfig, "CpusetMems", JSON_STRING, cpuset_mems, 0),
        JSON_NESTED(HostConfig, "Devices", JSON_ARRAY, devices, 0, &device_mapping_table),
        JSON_FIELD(HostConfig, "DeviceCgroupRules", JSON_STRINGS, device_cgroup_rules, NULL_EMPTY),
        JSON_FIELD(HostConfig, "DeviceRequests", JSON_RAW, device_requests, NULL_EMPTY),
        JSON_FIELD(HostConfig, "KernelMemory", JSON_INT, kernel_memory, OMIT),
        JSON_FIELD(HostConfig, "KernelMemoryTCP", JSON_INT, kernel_memory_tcp, OMIT),
        JSON_FIELD(HostConfig, "MemoryReservation", JSON_INT, memory_reservation, 0),
        JSON_FIELD(HostConfig, "MemorySwap", JSON_INT, memory_swap, 0),
        JSON_FIELD(HostConfig, "MemorySwappiness", JSON_MAYBE_INT, memory_swappiness, NULL_EMPTY),
        JSON_FIELD(HostConfig, "OomKillDisable", JSON_MAYBE_BOOL, oom_kill_disable, NULL_EMPTY),
        JSON_FIELD(HostConfig, "PidsLimit", JSON_MAYBE_INT, pids_limit, NULL_EMPTY),
        JSON_NESTED(HostConfig, "Ulimits", JSON_ARRAY, ulimits, 0, &ulimit_table),
        JSON_FIELD(HostConfig, "CpuCount", JSON_INT, cpu_count, 0),
        JSON_FIELD(HostConfig, "CpuPercent", JSON_INT, cpu_percent, 0),
        JSON_FIELD(HostConfig, "IOMaximumIOps", JSON_INT, io_maximum_iops, 0),
        JSON_FIELD(HostConfig, "IOMaximumBandwidth", JSON_INT, io_maximum_bandwidth, 0),
        JSON_NESTED(HostConfig, "Mounts", JSON_ARRAY, mounts, OMIT, &mount_spec_table),
        JSON_FIELD(HostConfig, "MaskedPaths", JSON_STRINGS, masked_paths, 0),
        JSON_FIELD(HostConfig, "ReadonlyPaths", JSON_STRINGS, readonly_paths, 0),
        JSON_FIELD(HostConfig, "Init", JSON_MAYBE_BOOL, init, OMIT),
};
const JsonTable host_config_table = JSON_TABLE(HostConfig, "HostConfig", host_fields);

/* ---- endpoints ---- */

static const JsonField endpoint_ipam_fields[] = {
        JSON_FIELD(EndpointIpam, "IPv4Address", JSON_STRING, ipv4_address, OMIT),
        JSON_FIELD(EndpointIpam, "IPv6Address", JSON_STRING, ipv6_address, OMIT),
        JSON_FIELD(EndpointIpam, "LinkLocalIPs", JSON_STRINGS, link_local_ips, OMIT),
};
static const JsonTable endpoint_ipam_table =
        JSON_TABLE(EndpointIpam, "IPAMConfig", endpoint_ipam_fields);

static const JsonField endpoint_fields[] = {
        JSON_NESTED(EndpointSettings, "IPAMConfig", JSON_OBJECT, ipam, NULL_EMPTY,
                    &endpoint_ipam_table),
        JSON_FIELD(EndpointSettings, "Links", JSON_STRINGS, links, NULL_EMPTY),
        JSON_FIELD(EndpointSettings, "Aliases", JSON_STRINGS, aliases, NULL_EMPTY),
        JSON_FIELD(EndpointSettings, "MacAddress", JSON_STRING, mac_address, 0),
        JSON_FIELD(EndpointSettings, "NetworkID", JSON_STRING, network_id, 0),
        JSON_FIELD(EndpointSettings, "EndpointID", JSON_STRING, endpoint_id, 0),
        JSON_FIELD(EndpointSettings, "Gateway", JSON_STRING, gateway, 0),
        JSON_FIELD(EndpointSettings, "IPAddress", JSON_STRING, ip_address, 0),
        JSON_FIELD(EndpointSettings, "IPPrefixLen", JSON_INT, ip_prefix_len, 0),
        JSON_FIELD(EndpointSettings, "DriverOpts", JSON_PAIRS, driver_opts, NULL_EMPTY),
        JSON_FIELD(EndpointSettings, "GwPriority", JSON_INT, gw_priority, OMIT),
        JSON_FIELD(EndpointSettings, "DNSNames", JSON_STRINGS, dns_names, NULL_EMPTY),
};
const JsonTable endpoint_settings_table =
        JSON_TABLE(EndpointSettings, "EndpointSettings", endpoint_fields);

typedef struct Networking {
        JsonArray endpoints;
} Networking;
static const JsonField networking_fields[] = {
        JSON_NESTED(Networking, "EndpointsConfig", JSON_MAP, endpoints, 0,
                    &endpoint_settings_table),
};
static const JsonTable networking_table =
        JSON_TABLE(Networking, "NetworkingConfig", networking_fields);

static const JsonField create_fields[] = {
        JSON_NESTED(ContainerCreate, "HostConfig", JSON_INLINE, host, 0, &host_config_table),
        JSON_NESTED(ContainerCreate, "NetworkingConfig", JSON_INLINE, endpoints, 0,
                    &networking_table),
};
static const JsonTable create_table = JSON_TABLE(ContainerCreate, "request", create_fields);

/* ---- reading ---- */

/* As the tables find a member: exactly, else regardless of case; null is absent. */
static json_object *member_of(json_object *object, const char *name) {
        json_object *value = json_member(object, name);

        if (value || !json_object_is_type(object, json_type_object))
                return value;
        json_object_object_foreach(object, key, item) {
                if (item && strcasecmp(key, name) == 0)
                        return item;
        }
        return NULL;
}

static int binding_list_read(const char *what, const char *port, json_object *list,
                             PortBindings *ret, Error *err) {
        if (!json_object_is_type(list, json_type_array))
                return error_kind(err, ERROR_INVALID, "%s.%s: must be an array", what, port);
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                json_object *item = json_object_array_get_idx(list, i);
                PortBinding *binding = json_append(&ret->bindings, &port_binding_table);

                if (item && json_read(&port_binding_table, item, binding, err) < 0)
                        return error_prefix(err, "%s.%s", what, port);
        }
        return 0;
}

int port_bindings_read(const char *what, json_object *object, JsonArray *ret, Error *err) {
        if (!object)
                return 0;
        if (!json_object_is_type(object, json_type_object))
                return error_kind(err, ERROR_INVALID, "%s: must be an object", what);
        json_object_object_foreach(object, port, list) {
                PortBindings *element = json_append(ret, &port_bindings_table);
                int r;

                element->port = str_copy(port);
                r = list ? binding_list_read(what, port, list, element, err) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

json_object *port_bindings_write(const JsonArray *bindings) {
        json_object *object = json_object_new_object();
        const PortBindings *ports = bindings->items;

        for (size_t i = 0; i < bindings->count; i++) {
                const PortBinding *items = ports[i].bindings.items;
                json_object *list = ports[i].bindings.count ? json_object_new_array() : NULL;

                for (size_t j = 0; j < ports[i].bindings.count; j++)
                        (void)json_object_array_add(list,
                                                    json_write(&port_binding_table, &items[j]));
                (void)json_object_object_add(object, ports[i].port, list);
        }
        return object;
}

void port_bindings_done(JsonArray *bindings) {
        PortBindings *ports = bindings->items;

        for (size_t i = 0; i < bindings->count; i++) {
                free(ports[i].port);
                json_done(&port_bindings_table, &ports[i]);
        }
        free(ports);
        *bindings = (JsonArray){ 0 };
}

static int console_size_read(json_object *size, HostConfig *ret, Error *err) {
        if (!size)
                return 0;
        if (!json_object_is_type(size, json_type_array) || json_object_array_length(size) != 2)
                return error_kind(err, ERROR_INVALID,
                                  "HostConfig.ConsoleSize: must be [height, width]");
        for (size_t i = 0; i < 2; i++) {
                json_object *number = json_object_array_get_idx(size, i);
                int64_t value = json_object_is_type(number, json_type_int)
                                        ? json_object_get_int64(number)
                                        : -1;

                if (value < 0 || value > UINT16_MAX)
                        return error_kind(err, ERROR_INVALID,
                                          "HostConfig.ConsoleSize: must be two numbers of "
                                          "characters, at most 65535");
                *(i == 0 ? &ret->console_height : &ret->console_width) = value;
        }
        return 0;
}

int container_create_read(json_object *body, ContainerCreate *ret, Error *err) {
        json_object *host = member_of(body, "HostConfig");

        int r = json_read(&container_config_table, body, &ret->config, err);
        if (r == 0)
                r = json_read(&create_table, body, ret, err);
        if (r == 0)
                r = port_bindings_read("HostConfig.PortBindings", member_of(host, "PortBindings"),
                                       &ret->host.port_bindings, err);
        if (r == 0)
                r = console_size_read(member_of(host, "ConsoleSize"), &ret->host, err);
        if (r < 0)
                return r;
        ret->config.has_cmd = member_of(body, "Cmd") != NULL;
        ret->config.has_entrypoint = member_of(body, "Entrypoint") != NULL;
        ret->host.has_masked_paths = member_of(host, "MaskedPaths") != NULL;
        ret->host.has_readonly_paths = member_of(host, "ReadonlyPaths") != NULL;
        ret->host.has_dns = member_of(host, "Dns") != NULL;
        ret->host.has_dns_options = member_of(host, "DnsOptions") != NULL;
        ret->host.has_dns_search = member_of(host, "DnsSearch") != NULL;
        return 0;
}

/* ---- writing ---- */

/* An empty list that was not given is null, one that was given is []. */
static void null_unless(json_object *object, const char *name, char *const *list, bool given) {
        if (!given && strv_length(list) == 0)
                (void)json_object_object_add(object, name, NULL);
}

json_object *container_config_write(const ContainerConfig *config) {
        json_object *object = json_write(&container_config_table, config);

        null_unless(object, "Cmd", config->cmd, config->has_cmd);
        null_unless(object, "Entrypoint", config->entrypoint, config->has_entrypoint);
        return object;
}

json_object *host_config_write(const HostConfig *host) {
        json_object *object = json_write(&host_config_table, host);
        json_object *size = json_object_new_array();

        null_unless(object, "MaskedPaths", host->masked_paths, host->has_masked_paths);
        null_unless(object, "ReadonlyPaths", host->readonly_paths, host->has_readonly_paths);
        null_unless(object, "Dns", host->dns, host->has_dns);
        null_unless(object, "DnsOptions", host->dns_options, host->has_dns_options);
        null_unless(object, "DnsSearch", host->dns_search, host->has_dns_search);
        (void)json_object_object_add(object, "PortBindings",
                                     port_bindings_write(&host->port_bindings));
        (void)json_object_array_add(size, json_object_new_int64(host->console_height));
        (void)json_object_array_add(size, json_object_new_int64(host->console_width));
        (void)json_object_object_add(object, "ConsoleSize", size);
        return object;
}

json_object *container_create_write(const ContainerCreate *create) {
        json_object *object = container_config_write(&create->config);
        const Networking networking = { create->endpoints };

        (void)json_object_object_add(object, "HostConfig", host_config_write(&create->host));
        (void)json_object_object_add(object, "NetworkingConfig",
                                     json_write(&networking_table, &networking));
        return object;
}

void container_create_done(ContainerCreate *create) {
        json_done(&container_config_table, &create->config);
        port_bindings_done(&create->host.port_bindings);
        json_done(&create_table, create);
}

/* ---- what brig does not do ---- */

static bool raw_is_set(json_object *value) {
        if (json_object_is_type(value, json_type_array))
                return json_object_array_length(value) > 0;
        return value != NULL;
}

typedef struct Refusal {
        bool set;
        const char *field, *remedy;
} Refusal;

static int refuse(const Refusal *refusals, size_t count, Error *err) {
        for (size_t i = 0; i < count; i++)
                if (refusals[i].set)
                        return error_kind(err, ERROR_UNSUPPORTED, "%s is not supported yet: %s",
                                          refusals[i].field, refusals[i].remedy);
        return 0;
}

static int mounts_refused(const JsonArray *mounts, Error *err) {
        const MountSpec *items = mounts->items;

        for (size_t i = 0; i < mounts->count; i++) {
                const Refusal refusals[] = {
                        { str_equal(items[i].type, "cluster"), "a mount of type cluster",
                          "use a volume or a bind" },
                        { str_equal(items[i].type, "npipe"), "a mount of type npipe",
                          "it is for Windows" },
                };

                int r = refuse(refusals, ELEMENTS(refusals), err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int container_create_refused(const ContainerCreate *create, Error *err) {
        const HostConfig *host = &create->host;
        const Refusal refusals[] = {
                { raw_is_set(host->device_requests), "DeviceRequests (--gpus)",
                  "pass the devices with --device" },
                { host->kernel_memory != 0, "KernelMemory", "the kernel dropped it; use Memory" },
                { host->storage_opt.count > 0, "StorageOpt (--storage-opt)", "leave it out" },
                { !str_empty(host->isolation) && !str_equal(host->isolation, "default"),
                  "Isolation (--isolation)", "it is for Windows" },
                { !str_empty(host->userns_mode) && !str_equal(host->userns_mode, "host"),
                  "UsernsMode (--userns)",
                  "say --userns host, or nothing for what the daemon's userns-remap says" },
                { !str_empty(host->cgroup), "Cgroup", "use CgroupParent" },
        };

        int r = refuse(refusals, ELEMENTS(refusals), err);
        return r < 0 ? r : mounts_refused(&host->mounts, err);
}
