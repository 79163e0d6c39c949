/* container-options.c: the table of run's and create's options. What they make of the request is
 * container-request.c's. */
#include "cli/container-options.h"

#define B(name_, letter_, member_, help_)                                                          \
        { name_, letter_, OPTION_BOOL, offsetof(ContainerOptions, member_), help_ }
#define S(name_, letter_, member_, help_)                                                          \
        { name_, letter_, OPTION_STRING, offsetof(ContainerOptions, member_), help_ }
#define L(name_, letter_, member_, help_)                                                          \
        { name_, letter_, OPTION_LIST, offsetof(ContainerOptions, member_), help_ }
#define T(name_, letter_, type_, member_, help_)                                                   \
        { name_, letter_, type_, offsetof(ContainerOptions, member_), help_ }
#define P(name_, letter_, kind_, member_, parse_, help_)                                           \
        {                                                                                          \
                .name = name_, .letter = letter_, .type = OPTION_PARSED,                           \
                .offset = offsetof(ContainerOptions, member_), .kind = kind_, .parse = parse_,     \
                .help = help_                                                                      \
        }
#define REFUSED(name_, kind_, help_)                                                               \
        {                                                                                          \
                .name = name_, .type = OPTION_LIST, .kind = kind_, .help = help_,                  \
                .flags = OPTION_REFUSED                                                            \
        }

/* Docker's, for another kind of container. */
#define WINDOWS(name_, kind_, help_)                                                               \
        {                                                                                          \
                .name = name_, .type = OPTION_LIST, .kind = kind_, .help = help_,                  \
                .flags = OPTION_REFUSED, .remedy = "it is for Windows containers"                  \
        }

static int parse_sysctl(void *member, const char *text, Error *err) {
        static const char *const allowed[] = { "kernel.", "net.", "fs.mqueue." };
        _cleanup_free_ char *key = str_copy_n(text, strcspn(text, "="));

        for (size_t i = 0; strchr(text, '=') && i < ELEMENTS(allowed); i++)
                if (str_after(key, allowed[i])) {
                        pairs_put(member, key, strchr(text, '=') + 1);
                        return 0;
                }
        return error_kind(err, ERROR_INVALID, "sysctl '%s' is not allowed", text);
}

/* Run's own rows stand first, so that create's table is the rest. */
#define RUN_ROWS 3

static const Option rows[] = {
        B("detach", 'd', detach, "Run the container in the background and print its ID"),
        S("detach-keys", 0, detach_keys, "Keys that detach from the container"),
        { "sig-proxy", 0, OPTION_BOOL, offsetof(ContainerOptions, sig_proxy),
          "Pass signals that brig gets on to the process", NULL, "true" },

        P("add-host", 0, "list", extra_hosts, extra_host_parse,
          "Add a line to /etc/hosts (host:ip)"),
        T("annotation", 0, OPTION_MAP, annotations, "Add an annotation for the OCI runtime"),
        P("attach", 'a', "list", attach, attach_parse, "Attach to STDIN, STDOUT or STDERR"),
        T("blkio-weight", 0, OPTION_UINT16, blkio_weight,
          "Block IO weight, 10 to 1000, or 0 for none"),
        P("blkio-weight-device", 0, "list", blkio_weight_device, weight_device_parse,
          "Block IO weight for one device"),
        L("cap-add", 0, cap_add, "Add Linux capabilities"),
        L("cap-drop", 0, cap_drop, "Drop Linux capabilities"),
        S("cgroup-parent", 0, cgroup_parent, "Parent of the container's cgroup"),
        S("cgroupns", 0, cgroupns, "Cgroup namespace (host|private); '': the daemon's default"),
        S("cidfile", 0, cidfile, "Write the container's ID to this file"),
        WINDOWS("cpu-count", "int", "CPU count (Windows only)"),
        WINDOWS("cpu-percent", "int", "CPU percent (Windows only)"),
        T("cpu-period", 0, OPTION_INT, cpu_period, "CFS period in microseconds"),
        T("cpu-quota", 0, OPTION_INT, cpu_quota, "CFS quota in microseconds"),
        T("cpu-rt-period", 0, OPTION_INT, cpu_rt_period, "Real-time period in microseconds"),
        T("cpu-rt-runtime", 0, OPTION_INT, cpu_rt_runtime, "Real-time runtime in microseconds"),
        T("cpu-shares", 'c', OPTION_INT, cpu_shares, "Relative weight of the processors"),
        T("cpus", 0, OPTION_CPUS, cpus, "Number of processors"),
        S("cpuset-cpus", 0, cpuset_cpus, "Processors to run on (0-3, 0,1)"),
        S("cpuset-mems", 0, cpuset_mems, "Memory nodes to use (0-3, 0,1)"),
        L("device", 0, devices, "Add a device of the host"),
        L("device-cgroup-rule", 0, device_cgroup_rules, "Add a rule to the allowed devices"),
        P("device-read-bps", 0, "list", device_read_bps, rate_device_parse,
          "Limit bytes a second read from a device"),
        P("device-read-iops", 0, "list", device_read_iops, count_device_parse,
          "Limit reads a second from a device"),
        P("device-write-bps", 0, "list", device_write_bps, rate_device_parse,
          "Limit bytes a second written to a device"),
        P("device-write-iops", 0, "list", device_write_iops, count_device_parse,
          "Limit writes a second to a device"),
        { "disable-content-trust", 0, OPTION_BOOL, offsetof(ContainerOptions, disable_trust),
          "Skip the check of the image's signature", NULL, "true" },
        P("dns", 0, "list", dns, dns_parse, "Set the DNS servers"),
        { "dns-opt", 0, OPTION_LIST, offsetof(ContainerOptions, dns_options), "Set DNS options",
          NULL, NULL, OPTION_HIDDEN },
        L("dns-option", 0, dns_options, "Set DNS options"),
        L("dns-search", 0, dns_search, "Set DNS search domains"),
        S("domainname", 0, domainname, "NIS domain name"),
        S("entrypoint", 0, entrypoint, "Replace the image's entry point"),
        T("env", 'e', OPTION_ENV, env, "Set environment variables"),
        L("env-file", 0, env_files, "Read environment variables from a file"),
        L("expose", 0, expose, "Expose a port or a range of ports"),
        REFUSED("gpus", "gpu-request", "GPUs to add ('all' for every one)"),
        L("group-add", 0, group_add, "Additional groups of the process"),
        S("health-cmd", 0, health_cmd, "Command that checks health"),
        T("health-interval", 0, OPTION_DURATION, health_interval, "Time between two checks"),
        T("health-retries", 0, OPTION_INT, health_retries,
          "Failures in a row that make it unhealthy"),
        T("health-start-interval", 0, OPTION_DURATION, health_start_interval,
          "Time between two checks while it starts"),
        T("health-start-period", 0, OPTION_DURATION, health_start_period,
          "Time to start in which failures do not count"),
        T("health-timeout", 0, OPTION_DURATION, health_timeout, "Longest time of one check"),
        S("hostname", 'h', hostname, "Host name in the container"),
        B("init", 0, init, "Run an init that forwards signals and reaps processes"),
        B("interactive", 'i', interactive, "Keep STDIN open even if not attached"),
        WINDOWS("io-maxbandwidth", "bytes",
                "Limit of I/O bandwidth of the system drive (Windows only)"),
        WINDOWS("io-maxiops", "uint", "Limit of I/O operations of the system drive (Windows only)"),
        S("ip", 0, ip, "IPv4 address (172.30.100.104)"),
        S("ip6", 0, ip6, "IPv6 address (2001:db8::33)"),
        S("ipc", 0, ipc, "IPC mode"),
        S("isolation", 0, isolation, "Isolation technology"),
        T("kernel-memory", 0, OPTION_BYTES, kernel_memory, "Kernel memory limit"),
        T("label", 'l', OPTION_LABEL, labels, "Set labels"),
        L("label-file", 0, label_files, "Read labels from a file"),
        L("link", 0, links, "Add a link to another container"),
        L("link-local-ip", 0, link_local_ips, "Link-local addresses"),
        S("log-driver", 0, log_driver, "Driver that writes the log"),
        L("log-opt", 0, log_opts, "Options of the log driver"),
        S("mac-address", 0, mac_address, "MAC address (92:d0:c6:0a:29:33)"),
        T("memory", 'm', OPTION_BYTES, memory, "Memory limit"),
        T("memory-reservation", 0, OPTION_BYTES, memory_reservation, "Soft memory limit"),
        T("memory-swap", 0, OPTION_SWAP, memory_swap,
          "Limit of memory and swap together; -1: no limit on swap"),
        { "memory-swappiness", 0, OPTION_INT, offsetof(ContainerOptions, memory_swappiness),
          "Tendency to swap (0 to 100)", NULL, "-1" },
        P("mount", 0, "mount", mounts, mount_parse, "Attach a file system"),
        S("name", 0, name, "Name of the container"),
        { "net", 0, OPTION_PARSED, offsetof(ContainerOptions, networks), "Connect to a network",
          "network", NULL, OPTION_HIDDEN, network_spec_parse },
        { "net-alias", 0, OPTION_LIST, offsetof(ContainerOptions, aliases), "Add an alias", NULL,
          NULL, OPTION_HIDDEN },
        P("network", 0, "network", networks, network_spec_parse, "Connect to a network"),
        L("network-alias", 0, aliases, "Add a name by which the network knows the container"),
        B("no-healthcheck", 0, no_healthcheck, "Drop the image's health check"),
        B("oom-kill-disable", 0, oom_kill_disable, "Switch the OOM killer off"),
        T("oom-score-adj", 0, OPTION_INT, oom_score_adj, "OOM preference (-1000 to 1000)"),
        S("pid", 0, pid, "PID namespace"),
        T("pids-limit", 0, OPTION_INT, pids_limit, "Limit of processes (-1: none)"),
        S("platform", 0, platform, "Platform of the image, os/architecture"),
        B("privileged", 0, privileged, "Give every privilege of the host"),
        L("publish", 'p', publish, "Publish ports to the host"),
        B("publish-all", 'P', publish_all, "Publish every exposed port to some port"),
        { "pull", 0, OPTION_STRING, offsetof(ContainerOptions, pull),
          "Pull the image first (\"always\", \"missing\", \"never\")", NULL, "\"missing\"" },
        B("quiet", 'q', quiet, "Do not show how the pull goes"),
        B("read-only", 0, read_only, "Mount the root file system read-only"),
        { "restart", 0, OPTION_STRING, offsetof(ContainerOptions, restart),
          "What to do when the container exits", NULL, "\"no\"" },
        { "restart-unhealthy", 0, OPTION_BOOL, offsetof(ContainerOptions, restart_unhealthy),
          "Start it anew once its health check says that it is unhealthy" },
        B("rm", 0, remove, "Remove the container and its anonymous volumes when it exits"),
        S("runtime", 0, runtime, "OCI runtime"),
        L("security-opt", 0, security_opts, "Security options"),
        T("shm-size", 0, OPTION_BYTES, shm_size, "Size of /dev/shm"),
        S("stop-signal", 0, stop_signal, "Signal that stops the container"),
        T("stop-timeout", 0, OPTION_INT, stop_timeout, "Seconds that it has to stop"),
        L("storage-opt", 0, storage_opts, "Options of the storage driver"),
        P("sysctl", 0, "map", sysctls, parse_sysctl, "Kernel settings of its namespaces"),
        L("tmpfs", 0, tmpfs, "Mount a tmpfs"),
        B("tty", 't', tty, "Give it a terminal"),
        P("ulimit", 0, "ulimit", ulimits, ulimit_parse, "Resource limits"),
        REFUSED("use-api-socket", "", "Bind mount the API's socket"),
        S("user", 'u', user, "User (<name|uid>[:<group|gid>])"),
        S("userns", 0, userns, "User namespace"),
        S("uts", 0, uts, "UTS namespace"),
        L("volume", 'v', volumes, "Bind mount a volume"),
        S("volume-driver", 0, volume_driver, "Driver of the volumes"),
        L("volumes-from", 0, volumes_from, "Mount the volumes of other containers"),
        S("workdir", 'w', workdir, "Working directory"),
};

_Static_assert(ELEMENTS(rows) <= OPTIONS_MAX, "OPTIONS_MAX bounds Options.given");

/* What options_done does not free. */
static void container_options_done(void *data) {
        ContainerOptions *values = data;
        JsonArray *arrays[] = {
                &values->mounts,           &values->ulimits,          &values->blkio_weight_device,
                &values->device_read_bps,  &values->device_write_bps, &values->device_read_iops,
                &values->device_write_iops
        };
        const JsonTable *tables[] = { &mount_spec_table,      &ulimit_table,
                                      &weight_device_table,   &throttle_device_table,
                                      &throttle_device_table, &throttle_device_table,
                                      &throttle_device_table };

        for (size_t i = 0; i < ELEMENTS(arrays); i++) {
                for (size_t j = 0; j < arrays[i]->count; j++)
                        json_done(tables[i], (char *)arrays[i]->items + j * tables[i]->size);
                free(arrays[i]->items);
                *arrays[i] = (JsonArray){};
        }
        network_specs_done(&values->networks);
        pairs_done(&values->sysctls);
        values->extra_hosts = strv_free(values->extra_hosts);
        values->attach = strv_free(values->attach);
        values->dns = strv_free(values->dns);
}

const OptionTable run_option_table = { rows, ELEMENTS(rows), sizeof(ContainerOptions),
                                       container_options_done };
const OptionTable create_option_table = { rows + RUN_ROWS, ELEMENTS(rows) - RUN_ROWS,
                                          sizeof(ContainerOptions), container_options_done };
