/* options-table.c: brigd's options, one row each, for flags, help and daemon.json's members; and
 * the members' documents. */
#include "daemon/options-private.h"

#define AT(member) offsetof(DaemonOptions, member)

const Option option_rows[] = {
        { "add-runtime", 0, OPTION_RUNTIME, AT(settings.runtimes), "runtimes", "NAME=PATH",
          "Another OCI runtime, for containers that name it", OPTION_RELOADS },
        { "bip", 0, OPTION_STRING, AT(bip), "bip", "CIDR",
          "Address and subnet of the default bridge" },
        { "bridge", 'b', OPTION_STRING, AT(bridge), "bridge", "NAME",
          "Link of the default bridge; 'none' for no such network (default brig0)" },
        { "builder-keep-storage", 0, OPTION_STRING, AT(builder.gc.keep), "builder", "SIZE",
          "What the build cache may take, as 20GB; 0: any (default a tenth of the disk)" },
        { "cgroup-parent", 0, OPTION_STRING, AT(cgroup_parent), "cgroup-parent", "PATH",
          "Control group of the containers' groups (default /brig), or their slice" },
        { "config-file", 0, OPTION_STRING, AT(config_file), NULL, "FILE",
          "Settings (default " OPTIONS_CONFIG_FILE ")" },
        { "data-root", 0, OPTION_STRING, AT(data_root), "data-root", "DIR",
          "Images, containers, volumes, state (default /var/lib/brig)" },
        { "debug", 'D', OPTION_BOOL, AT(settings.debug), "debug", NULL, "Log everything",
          OPTION_RELOADS },
        { "default-cgroupns-mode", 0, OPTION_STRING, AT(defaults.cgroupns_mode),
          "default-cgroupns-mode", "MODE",
          "Control group namespace of containers that name none: host or private" },
        { "default-address-pool", 0, OPTION_POOL, AT(address_pools), "default-address-pools",
          "base=CIDR,size=N",
          "Where subnets of networks come from: CIDR, cut into subnets of N bits of prefix" },
        { "default-gateway", 0, OPTION_STRING, AT(gateway), "default-gateway", "ADDRESS",
          "Default gateway of containers on the default bridge (default the bridge)" },
        { "default-gateway-v6", 0, OPTION_STRING, AT(gateway6), "default-gateway-v6", "ADDRESS",
          "The same of IPv6" },
        { "default-ipc-mode", 0, OPTION_STRING, AT(defaults.ipc_mode), "default-ipc-mode", "MODE",
          "IPC namespace of containers that name none: shareable or private (default private)" },
        { "default-runtime", 0, OPTION_STRING, AT(settings.default_runtime), "default-runtime",
          "NAME", "Runtime of containers that name none (default runc, which is brig's own)",
          OPTION_RELOADS },
        { "default-shm-size", 0, OPTION_SIZE, AT(shm_size), "default-shm-size", "SIZE",
          "Size of /dev/shm of containers that name none (default 64M)" },
        { "default-ulimit", 0, OPTION_ULIMIT, AT(defaults.ulimits), "default-ulimits",
          "NAME=SOFT[:HARD]", "Limit of containers that do not set it" },
        { "dns", 0, OPTION_LIST, AT(dns), "dns", "ADDRESS", "Name server for containers" },
        { "dns-opt", 0, OPTION_LIST, AT(defaults.dns_options), "dns-opts", "OPTION",
          "Option for containers' resolv.conf" },
        { "dns-search", 0, OPTION_LIST, AT(defaults.dns_search), "dns-search", "DOMAIN",
          "Search domain for containers" },
        { "exec-opt", 0, OPTION_LIST, AT(exec_options), "exec-opts", "KEY=VALUE",
          "native.cgroupdriver=cgroupfs, or systemd" },
        { "exec-root", 0, OPTION_STRING, AT(exec_root), "exec-root", "DIR",
          "What does not outlive a boot (default /run/brig)" },
        { "feature", 0, OPTION_FEATURE, AT(settings.features), "features", "NAME[=BOOL]",
          "buildkit, or another of dockerd's with the value that is so anyway", OPTION_RELOADS },
        { "fixed-cidr", 0, OPTION_STRING, AT(fixed_cidr), "fixed-cidr", "CIDR",
          "Part of the default bridge's subnet that containers get addresses of" },
        { "fixed-cidr-v6", 0, OPTION_STRING, AT(fixed_cidr6), "fixed-cidr-v6", "CIDR",
          "IPv6 subnet of the default bridge" },
        { "group", 'G', OPTION_STRING, AT(group), "group", "NAME",
          "Group of the Unix sockets (default brig, where it exists)" },
        { "help", 0, OPTION_BOOL, AT(help), NULL, NULL, "Print this" },
        { "host", 'H', OPTION_LIST, AT(hosts), "hosts", "ADDRESS",
          "Where to listen: unix://PATH, tcp://ADDRESS:PORT, fd:// "
          "(default unix:///run/brig/brig.sock)" },
        { "host-gateway-ip", 0, OPTION_LIST, AT(defaults.host_gateway), "host-gateway-ips",
          "ADDRESS", "What host-gateway stands for in --add-host (default the bridge's)" },
        { "http-proxy", 0, OPTION_STRING, AT(proxies.http), "proxies", "URL",
          "Proxy for registries and downloads (default $HTTP_PROXY)" },
        { "https-proxy", 0, OPTION_STRING, AT(proxies.https), "proxies", "URL",
          "The same over TLS (default $HTTPS_PROXY)" },
        { "icc", 0, OPTION_MAYBE_BOOL, AT(icc), "icc", NULL,
          "Whether containers on the default bridge may speak to each other (default true)" },
        { "image-gc-max-size", 0, OPTION_STRING, AT(settings.image_gc.max_size), "image-gc", "SIZE",
          "Remove what was used longest ago of the images that nothing uses, while images take "
          "more",
          OPTION_RELOADS },
        { "image-gc-min-age", 0, OPTION_STRING, AT(settings.image_gc.min_age), "image-gc",
          "DURATION", "What was used since is not removed for the size's sake (default 10m)",
          OPTION_RELOADS },
        { "image-gc-unused-for", 0, OPTION_STRING, AT(settings.image_gc.unused_for), "image-gc",
          "DURATION", "Remove images that nothing has used for so long, as 720h (default never)",
          OPTION_RELOADS },
        { "init", 0, OPTION_BOOL, AT(defaults.init), "init", NULL,
          "An init in containers that do not say whether they have one" },
        { "init-path", 0, OPTION_STRING, AT(init_path), "init-path", "FILE",
          "The program of --init, static (default brig-init)" },
        { "insecure-registry", 0, OPTION_LIST, AT(settings.insecure_registries),
          "insecure-registries", "HOST", "Registry that may be spoken to without TLS",
          OPTION_RELOADS },
        { "ip", 0, OPTION_STRING, AT(host_ip), "ip", "ADDRESS",
          "Where ports that name no host address are published (default 0.0.0.0)" },
        { "ip-forward", 0, OPTION_MAYBE_BOOL, AT(ip_forward), "ip-forward", NULL,
          "Whether the host is made a router for networks (default true)" },
        { "ip-masq", 0, OPTION_MAYBE_BOOL, AT(masquerade), "ip-masq", NULL,
          "Whether packets from the default bridge leave under the host's address (default true)" },
        { "ipv6", 0, OPTION_BOOL, AT(ipv6), "ipv6", NULL, "IPv6 on the default bridge" },
        { "label", 0, OPTION_LIST, AT(settings.labels), "labels", "KEY=VALUE",
          "What info shows of this daemon", OPTION_RELOADS },
        { "log-driver", 0, OPTION_STRING, AT(log_driver), "log-driver", "NAME",
          "Log driver of containers (default json-file)" },
        { "log-level", 'l', OPTION_STRING, AT(log_level), "log-level", "LEVEL",
          "debug, info, warn, error or fatal (default info)", OPTION_RELOADS },
        { "log-opt", 0, OPTION_PAIR, AT(log_opts), "log-opts", "KEY=VALUE",
          "Option of the log driver" },
        { "max-concurrent-downloads", 0, OPTION_MAYBE_INT, AT(settings.downloads),
          "max-concurrent-downloads", "N", "Layers that a pull fetches at a time (default 3)",
          OPTION_RELOADS },
        { "max-concurrent-uploads", 0, OPTION_MAYBE_INT, AT(settings.uploads),
          "max-concurrent-uploads", "N", "Layers that a push sends at a time (default 5)",
          OPTION_RELOADS },
        { "max-download-attempts", 0, OPTION_MAYBE_INT, AT(settings.attempts),
          "max-download-attempts", "N", "How often a transfer is tried (default 5)",
          OPTION_RELOADS },
        { "mtu", 0, OPTION_MAYBE_INT, AT(mtu), "mtu", "BYTES",
          "MTU of the default bridge (default 1500)" },
        { "no-new-privileges", 0, OPTION_BOOL, AT(defaults.no_new_privileges), "no-new-privileges",
          NULL,
          "No privileges by set-user-ID programs, unless a container "
          "is made with no-new-privileges=false" },
        { "no-proxy", 0, OPTION_STRING, AT(proxies.none), "proxies", "HOSTS",
          "Hosts that are reached without a proxy (default $NO_PROXY)" },
        { "pidfile", 'p', OPTION_STRING, AT(pidfile), "pidfile", "FILE",
          "Where to write the process id (default /run/brig/brigd.pid)" },
        { "registry-hosts-dir", 0, OPTION_LIST, AT(registry_hosts_dirs), "registry-hosts-dirs",
          "DIR",
          "Directory of hosts.toml and certificates of registries (default "
          "/etc/containerd/certs.d and /etc/docker/certs.d)" },
        { "registry-mirror", 0, OPTION_LIST, AT(settings.registry_mirrors), "registry-mirrors",
          "URL", "Where to look first for images of docker.io", OPTION_RELOADS },
        { "restore", 0, OPTION_BOOL, AT(restore), NULL, NULL,
          "Put the copies of databases that are damaged in their place, and end" },
        { "seccomp-profile", 0, OPTION_STRING, AT(seccomp_profile), "seccomp-profile", "FILE",
          "Profile of containers that name none; unconfined: no profile (default builtin)" },
        { "shutdown-timeout", 0, OPTION_MAYBE_INT, AT(settings.shutdown_timeout),
          "shutdown-timeout", "SECONDS",
          "How long calls that are under way may take at the end; containers go on (default 10)",
          OPTION_RELOADS },
        { "tls", 0, OPTION_MAYBE_BOOL, AT(tls.on), "tls", NULL,
          "TLS on TCP; implied by --tlsverify" },
        { "tlscacert", 0, OPTION_STRING, AT(tls.ca), "tlscacert", "FILE",
          "Authority that clients' certificates are of (default /etc/brig/ca.pem)" },
        { "tlscert", 0, OPTION_STRING, AT(tls.cert), "tlscert", "FILE",
          "Certificate of this daemon (default /etc/brig/cert.pem)" },
        { "tlskey", 0, OPTION_STRING, AT(tls.key), "tlskey", "FILE",
          "Its key (default /etc/brig/key.pem)" },
        { "tlsverify", 0, OPTION_MAYBE_BOOL, AT(tls.verify), "tlsverify", NULL,
          "TLS on TCP, for clients with a certificate of that authority" },
        { "userns-remap", 0, OPTION_STRING, AT(userns_remap), "userns-remap", "USER[:GROUP]",
          "Run containers in user namespaces, as the subordinate ids of USER; default: dockremap" },
        { "validate", 0, OPTION_BOOL, AT(validate), NULL, NULL, "Check the settings, and end" },
        { "version", 'v', OPTION_BOOL, AT(version), NULL, NULL, "Print the version" },
};

static const struct { const char *name, *stands_for; } aliases[] = { { "config", "config-file" } };

static const JsonField gc_fields[] = {
        JSON_FIELD(BuilderGc, "enabled", JSON_MAYBE_BOOL, enabled, 0),
        JSON_FIELD(BuilderGc, "defaultKeepStorage", JSON_STRING, keep, 0),
        JSON_FIELD(BuilderGc, "policy", JSON_RAW, policy, 0),
};
static const JsonTable gc_table = JSON_TABLE(BuilderGc, "gc", gc_fields);

static const JsonField entitlement_fields[] = {
        JSON_FIELD(BuilderEntitlements, "network-host", JSON_MAYBE_BOOL, host_network, 0),
        JSON_FIELD(BuilderEntitlements, "security-insecure", JSON_MAYBE_BOOL, insecure, 0),
        JSON_FIELD(BuilderEntitlements, "device", JSON_MAYBE_BOOL, device, 0),
};
static const JsonTable entitlements_table =
        JSON_TABLE(BuilderEntitlements, "entitlements", entitlement_fields);

static const JsonField builder_fields[] = {
        JSON_NESTED(BuilderSettings, "gc", JSON_INLINE, gc, 0, &gc_table),
        JSON_NESTED(BuilderSettings, "entitlements", JSON_INLINE, entitlements, 0,
                    &entitlements_table),
};
static const JsonTable builder_table = JSON_TABLE(BuilderSettings, "builder", builder_fields);

static const JsonField proxies_fields[] = {
        JSON_FIELD(ProxySettings, "http-proxy", JSON_STRING, http, 0),
        JSON_FIELD(ProxySettings, "https-proxy", JSON_STRING, https, 0),
        JSON_FIELD(ProxySettings, "no-proxy", JSON_STRING, none, 0),
};
static const JsonTable proxies_table = JSON_TABLE(ProxySettings, "proxies", proxies_fields);

static const JsonField file_fields[] = {
        JSON_FIELD(DaemonOptions, "bip", JSON_STRING, bip, 0),
        JSON_FIELD(DaemonOptions, "bridge", JSON_STRING, bridge, 0),
        JSON_NESTED(DaemonOptions, "builder", JSON_INLINE, builder, 0, &builder_table),
        JSON_FIELD(DaemonOptions, "cgroup-parent", JSON_STRING, cgroup_parent, 0),
        JSON_FIELD(DaemonOptions, "data-root", JSON_STRING, data_root, 0),
        JSON_FIELD(DaemonOptions, "debug", JSON_BOOL, settings.debug, 0),
        JSON_NESTED(DaemonOptions, "default-address-pools", JSON_ARRAY, address_pools, 0,
                    &address_pool_spec_table),
        JSON_FIELD(DaemonOptions, "default-gateway", JSON_STRING, gateway, 0),
        JSON_FIELD(DaemonOptions, "default-gateway-v6", JSON_STRING, gateway6, 0),
        JSON_FIELD(DaemonOptions, "dns", JSON_STRINGS, dns, 0),
        JSON_FIELD(DaemonOptions, "exec-root", JSON_STRING, exec_root, 0),
        JSON_FIELD(DaemonOptions, "fixed-cidr", JSON_STRING, fixed_cidr, 0),
        JSON_FIELD(DaemonOptions, "fixed-cidr-v6", JSON_STRING, fixed_cidr6, 0),
        JSON_FIELD(DaemonOptions, "group", JSON_STRING, group, 0),
        JSON_FIELD(DaemonOptions, "hosts", JSON_STRINGS, hosts, 0),
        JSON_FIELD(DaemonOptions, "icc", JSON_MAYBE_BOOL, icc, 0),
        JSON_NESTED(DaemonOptions, "image-gc", JSON_INLINE, settings.image_gc, 0, &image_gc_table),
        JSON_FIELD(DaemonOptions, "insecure-registries", JSON_STRINGS, settings.insecure_registries,
                   0),
        JSON_FIELD(DaemonOptions, "ip", JSON_STRING, host_ip, 0),
        JSON_FIELD(DaemonOptions, "ip-masq", JSON_MAYBE_BOOL, masquerade, 0),
        JSON_FIELD(DaemonOptions, "ipv6", JSON_BOOL, ipv6, 0),
        JSON_FIELD(DaemonOptions, "log-driver", JSON_STRING, log_driver, 0),
        JSON_FIELD(DaemonOptions, "log-level", JSON_STRING, log_level, 0),
        JSON_FIELD(DaemonOptions, "log-opts", JSON_PAIRS, log_opts, 0),
        JSON_FIELD(DaemonOptions, "mtu", JSON_MAYBE_INT, mtu, 0),
        JSON_FIELD(DaemonOptions, "pidfile", JSON_STRING, pidfile, 0),
        JSON_FIELD(DaemonOptions, "registry-hosts-dirs", JSON_STRINGS, registry_hosts_dirs, 0),
        JSON_FIELD(DaemonOptions, "registry-mirrors", JSON_STRINGS, settings.registry_mirrors, 0),
        JSON_FIELD(DaemonOptions, "default-cgroupns-mode", JSON_STRING, defaults.cgroupns_mode, 0),
        JSON_FIELD(DaemonOptions, "default-ipc-mode", JSON_STRING, defaults.ipc_mode, 0),
        JSON_FIELD(DaemonOptions, "default-runtime", JSON_STRING, settings.default_runtime, 0),
        JSON_FIELD(DaemonOptions, "default-shm-size", JSON_RAW, shm_size, 0),
        JSON_NESTED(DaemonOptions, "default-ulimits", JSON_MAP, defaults.ulimits, 0,
                    &default_ulimit_table),
        JSON_FIELD(DaemonOptions, "dns-opts", JSON_STRINGS, defaults.dns_options, 0),
        JSON_FIELD(DaemonOptions, "dns-search", JSON_STRINGS, defaults.dns_search, 0),
        JSON_FIELD(DaemonOptions, "exec-opts", JSON_STRINGS, exec_options, 0),
        JSON_FIELD(DaemonOptions, "features", JSON_RAW, settings.features, 0),
        JSON_FIELD(DaemonOptions, "host-gateway-ips", JSON_STRINGS, defaults.host_gateway, 0),
        JSON_FIELD(DaemonOptions, "init", JSON_BOOL, defaults.init, 0),
        JSON_FIELD(DaemonOptions, "init-path", JSON_STRING, init_path, 0),
        JSON_FIELD(DaemonOptions, "ip-forward", JSON_MAYBE_BOOL, ip_forward, 0),
        JSON_FIELD(DaemonOptions, "labels", JSON_STRINGS, settings.labels, 0),
        JSON_FIELD(DaemonOptions, "max-concurrent-downloads", JSON_MAYBE_INT, settings.downloads,
                   0),
        JSON_FIELD(DaemonOptions, "max-concurrent-uploads", JSON_MAYBE_INT, settings.uploads, 0),
        JSON_FIELD(DaemonOptions, "max-download-attempts", JSON_MAYBE_INT, settings.attempts, 0),
        JSON_FIELD(DaemonOptions, "no-new-privileges", JSON_BOOL, defaults.no_new_privileges, 0),
        JSON_NESTED(DaemonOptions, "proxies", JSON_INLINE, proxies, 0, &proxies_table),
        JSON_NESTED(DaemonOptions, "runtimes", JSON_MAP, settings.runtimes, 0, &runtime_spec_table),
        JSON_FIELD(DaemonOptions, "seccomp-profile", JSON_STRING, seccomp_profile, 0),
        JSON_FIELD(DaemonOptions, "shutdown-timeout", JSON_MAYBE_INT, settings.shutdown_timeout, 0),
        JSON_FIELD(DaemonOptions, "tls", JSON_MAYBE_BOOL, tls.on, 0),
        JSON_FIELD(DaemonOptions, "tlscacert", JSON_STRING, tls.ca, 0),
        JSON_FIELD(DaemonOptions, "tlscert", JSON_STRING, tls.cert, 0),
        JSON_FIELD(DaemonOptions, "tlskey", JSON_STRING, tls.key, 0),
        JSON_FIELD(DaemonOptions, "tlsverify", JSON_MAYBE_BOOL, tls.verify, 0),
        JSON_FIELD(DaemonOptions, "userns-remap", JSON_STRING, userns_remap, 0),
};
const JsonTable options_file_table = JSON_TABLE(DaemonOptions, "daemon.json", file_fields);

const size_t option_row_count = ELEMENTS(option_rows);

static bool is_name(const char *name, const char *text, size_t length) {
        return strlen(name) == length && strncmp(name, text, length) == 0;
}

const Option *option_find(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(aliases); i++)
                if (is_name(aliases[i].name, name, length))
                        return option_find(aliases[i].stands_for, strlen(aliases[i].stands_for));
        for (size_t i = 0; i < ELEMENTS(option_rows); i++)
                if (is_name(option_rows[i].name, name, length))
                        return &option_rows[i];
        return NULL;
}

const Option *option_find_letter(char letter) {
        for (size_t i = 0; i < ELEMENTS(option_rows); i++)
                if (option_rows[i].letter == letter)
                        return &option_rows[i];
        return NULL;
}

const Option *option_find_member(const char *name) {
        for (size_t i = 0; i < ELEMENTS(option_rows); i++)
                if (str_equal(option_rows[i].member, name))
                        return &option_rows[i];
        return NULL;
}
