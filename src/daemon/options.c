/* options.c: one table for flags, help and the file's members. */
#include "daemon/options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/fd.h"

#define CONFIG_MAX ((size_t)1024 * 1024)

typedef enum OptionKind {
        OPTION_STRING,
        OPTION_LIST,
        OPTION_PAIR,
        OPTION_BOOL,
        OPTION_MAYBE_BOOL, /* bool *: NULL where nothing was said */
        OPTION_MAYBE_INT,  /* int64_t * */
        OPTION_POOL,       /* JsonArray of AddressPoolSpec */
} OptionKind;

typedef struct Option {
        const char *name;
        char letter; /* 0: none */
        OptionKind kind;
        size_t offset;
        const char *member; /* in daemon.json; NULL: not there */
        const char *argument, *help;
} Option;

#define AT(member) offsetof(DaemonOptions, member)

static const Option options[] = {
        { "bip", 0, OPTION_STRING, AT(bip), "bip", "CIDR",
          "Address and subnet of the default bridge" },
        { "bridge", 'b', OPTION_STRING, AT(bridge), "bridge", "NAME",
          "Link of the default bridge; 'none' for no such network (default brig0)" },
        { "builder-keep-storage", 0, OPTION_STRING, AT(builder.gc.keep), "builder", "SIZE",
          "What the build cache may take, as 20GB; 0: any (default a tenth of the disk)" },
        { "cgroup-parent", 0, OPTION_STRING, AT(cgroup_parent), "cgroup-parent", "PATH",
          "Control group of the containers' groups (default /brig)" },
        { "config-file", 0, OPTION_STRING, AT(config_file), NULL, "FILE",
          "Settings (default " OPTIONS_CONFIG_FILE ")" },
        { "data-root", 0, OPTION_STRING, AT(data_root), "data-root", "DIR",
          "Images, containers, volumes, state (default /var/lib/brig)" },
        { "debug", 'D', OPTION_BOOL, AT(debug), "debug", NULL, "Log everything" },
        { "default-address-pool", 0, OPTION_POOL, AT(address_pools), "default-address-pools",
          "base=CIDR,size=N",
          "Where subnets of networks come from: CIDR, cut into subnets of N bits of prefix" },
        { "default-gateway", 0, OPTION_STRING, AT(gateway), "default-gateway", "ADDRESS",
          "Default gateway of containers on the default bridge (default the bridge)" },
        { "default-gateway-v6", 0, OPTION_STRING, AT(gateway6), "default-gateway-v6", "ADDRESS",
          "The same of IPv6" },
        { "dns", 0, OPTION_LIST, AT(dns), "dns", "ADDRESS", "Name server for containers" },
        { "exec-root", 0, OPTION_STRING, AT(exec_root), "exec-root", "DIR",
          "What does not outlive a boot (default /run/brig)" },
        { "fixed-cidr", 0, OPTION_STRING, AT(fixed_cidr), "fixed-cidr", "CIDR",
          "Part of the default bridge's subnet that containers get addresses of" },
        { "fixed-cidr-v6", 0, OPTION_STRING, AT(fixed_cidr6), "fixed-cidr-v6", "CIDR",
          "IPv6 subnet of the default bridge" },
        { "group", 'G', OPTION_STRING, AT(group), "group", "NAME",
          "Group of the Unix sockets (default brig, where it exists)" },
        { "help", 0, OPTION_BOOL, AT(help), NULL, NULL, "Print this" },
        { "host", 'H', OPTION_LIST, AT(hosts), "hosts", "ADDRESS",
          "Where to listen: unix://PATH, tcp://127.0.0.1:PORT, fd:// "
          "(default unix:///run/brig/brig.sock)" },
        { "icc", 0, OPTION_MAYBE_BOOL, AT(icc), "icc", NULL,
          "Whether containers on the default bridge may speak to each other (default true)" },
        { "insecure-registry", 0, OPTION_LIST, AT(insecure_registries), "insecure-registries",
          "HOST", "Registry that may be spoken to without TLS" },
        { "ip", 0, OPTION_STRING, AT(host_ip), "ip", "ADDRESS",
          "Where ports that name no host address are published (default 0.0.0.0)" },
        { "ip-masq", 0, OPTION_MAYBE_BOOL, AT(masquerade), "ip-masq", NULL,
          "Whether packets from the default bridge leave under the host's address (default true)" },
        { "ipv6", 0, OPTION_BOOL, AT(ipv6), "ipv6", NULL, "IPv6 on the default bridge" },
        { "log-driver", 0, OPTION_STRING, AT(log_driver), "log-driver", "NAME",
          "Log driver of containers (default json-file)" },
        { "log-level", 'l', OPTION_STRING, AT(log_level), "log-level", "LEVEL",
          "debug, info, warn, error or fatal (default info)" },
        { "log-opt", 0, OPTION_PAIR, AT(log_opts), "log-opts", "KEY=VALUE",
          "Option of the log driver" },
        { "mtu", 0, OPTION_MAYBE_INT, AT(mtu), "mtu", "BYTES",
          "MTU of the default bridge (default 1500)" },
        { "pidfile", 'p', OPTION_STRING, AT(pidfile), "pidfile", "FILE",
          "Where to write the process id (default /run/brig/brigd.pid)" },
        { "registry-hosts-dir", 0, OPTION_LIST, AT(registry_hosts_dirs), "registry-hosts-dirs",
          "DIR",
          "Directory of hosts.toml and certificates of registries (default "
          "/etc/containerd/certs.d and /etc/docker/certs.d)" },
        { "registry-mirror", 0, OPTION_LIST, AT(registry_mirrors), "registry-mirrors", "URL",
          "Where to look first for images of docker.io" },
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

static const JsonField file_fields[] = {
        JSON_FIELD(DaemonOptions, "bip", JSON_STRING, bip, 0),
        JSON_FIELD(DaemonOptions, "bridge", JSON_STRING, bridge, 0),
        JSON_NESTED(DaemonOptions, "builder", JSON_INLINE, builder, 0, &builder_table),
        JSON_FIELD(DaemonOptions, "cgroup-parent", JSON_STRING, cgroup_parent, 0),
        JSON_FIELD(DaemonOptions, "data-root", JSON_STRING, data_root, 0),
        JSON_FIELD(DaemonOptions, "debug", JSON_BOOL, debug, 0),
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
        JSON_FIELD(DaemonOptions, "insecure-registries", JSON_STRINGS, insecure_registries, 0),
        JSON_FIELD(DaemonOptions, "ip", JSON_STRING, host_ip, 0),
        JSON_FIELD(DaemonOptions, "ip-masq", JSON_MAYBE_BOOL, masquerade, 0),
        JSON_FIELD(DaemonOptions, "ipv6", JSON_BOOL, ipv6, 0),
        JSON_FIELD(DaemonOptions, "log-driver", JSON_STRING, log_driver, 0),
        JSON_FIELD(DaemonOptions, "log-level", JSON_STRING, log_level, 0),
        JSON_FIELD(DaemonOptions, "log-opts", JSON_PAIRS, log_opts, 0),
        JSON_FIELD(DaemonOptions, "mtu", JSON_MAYBE_INT, mtu, 0),
        JSON_FIELD(DaemonOptions, "pidfile", JSON_STRING, pidfile, 0),
        JSON_FIELD(DaemonOptions, "registry-hosts-dirs", JSON_STRINGS, registry_hosts_dirs, 0),
        JSON_FIELD(DaemonOptions, "registry-mirrors", JSON_STRINGS, registry_mirrors, 0),
};
static const JsonTable file_table = JSON_TABLE(DaemonOptions, "daemon.json", file_fields);

static void *slot_of(const DaemonOptions *values, const Option *option) {
        return (char *)values + option->offset;
}

static const Option *find_long(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(aliases); i++)
                if (strlen(aliases[i].name) == length &&
                    strncmp(aliases[i].name, name, length) == 0)
                        return find_long(aliases[i].stands_for, strlen(aliases[i].stands_for));
        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (strlen(options[i].name) == length &&
                    strncmp(options[i].name, name, length) == 0)
                        return &options[i];
        return NULL;
}

static const Option *find_letter(char letter) {
        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (options[i].letter == letter)
                        return &options[i];
        return NULL;
}

static int set_bool(bool *slot, const Option *option, const char *value, Error *err) {
        if (!value || str_equal(value, "true") || str_equal(value, "1"))
                *slot = true;
        else if (str_equal(value, "false") || str_equal(value, "0"))
                *slot = false;
        else
                return error_kind(err, ERROR_INVALID,
                                  "invalid argument \"%s\" for \"--%s\": give true or false", value,
                                  option->name);
        return 0;
}

static int set_pair(Pairs *slot, const Option *option, const char *value, Error *err) {
        const char *equals = value ? strchr(value, '=') : NULL;
        _cleanup_free_ char *key = NULL;

        if (!equals || equals == value)
                return error_kind(err, ERROR_INVALID,
                                  "invalid argument \"%s\" for \"--%s\": give KEY=VALUE", value,
                                  option->name);
        key = str_copy_n(value, (size_t)(equals - value));
        pairs_put(slot, key, equals + 1);
        return 0;
}

static int set_maybe_bool(bool **slot, const Option *option, const char *value, Error *err) {
        if (!*slot)
                *slot = NEW(bool);
        return set_bool(*slot, option, value, err);
}

static int set_maybe_int(int64_t **slot, const Option *option, const char *value, Error *err) {
        int number;

        if (str_to_int_in(value, 0, INT_MAX, &number) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid argument \"%s\" for \"--%s\": give a whole number",
                                  value, option->name);
        if (!*slot)
                *slot = NEW(int64_t);
        **slot = number;
        return 0;
}

/* "base=10.10.0.0/16,size=24" */
static int add_pool(JsonArray *slot, const Option *option, const char *value, Error *err) {
        _cleanup_strv_ char **words = str_split(value, ',');
        const char *base = NULL;
        int size = -1;

        for (char **word = words; word && *word; word++) {
                const char *number = str_after(*word, "size=");
                const char *subnet = str_after(*word, "base=");

                if (subnet)
                        base = subnet;
                if (number && str_to_int_in(number, 0, 128, &size) < 0)
                        size = -1;
        }
        if (strv_length(words) != 2 || !base || size < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid argument \"%s\" for \"--%s\": give "
                                  "base=10.10.0.0/16,size=24",
                                  value, option->name);
        AddressPoolSpec *source = json_append(slot, &address_pool_spec_table);
        source->base = str_copy(base);
        source->size = size;
        return 0;
}

/* value is NULL for a switch without one. */
static int set_option(DaemonOptions *values, const Option *option, const char *value, Error *err) {
        void *slot = slot_of(values, option);

        if (option->kind == OPTION_BOOL)
                return set_bool(slot, option, value, err);
        if (option->kind == OPTION_MAYBE_BOOL)
                return set_maybe_bool(slot, option, value, err);
        if (option->kind == OPTION_MAYBE_INT)
                return set_maybe_int(slot, option, value, err);
        if (option->kind == OPTION_POOL)
                return add_pool(slot, option, value, err);
        if (option->kind == OPTION_PAIR)
                return set_pair(slot, option, value, err);
        if (option->kind == OPTION_LIST)
                strv_add(slot, value);
        else
                str_replace(slot, value);
        return 0;
}

static int unknown_flag(const char *flag, Error *err) {
        return error_kind(err, ERROR_INVALID, "unknown flag: %s\nSee 'brigd --help'.", flag);
}

/* One flag at argv[*at]; moves *at behind it and its value. */
static int read_flag(int argc, char *const *argv, int *at, DaemonOptions *values, Error *err) {
        const char *word = argv[(*at)++];
        const char *value = NULL;
        const Option *option;

        if (word[0] != '-' || !word[1])
                return error_kind(err, ERROR_INVALID,
                                  "\"brigd\" accepts no arguments, but was given '%s'.\nSee "
                                  "'brigd --help'.",
                                  word);
        if (word[1] == '-') {
                size_t length = strcspn(word + 2, "=");

                option = find_long(word + 2, length);
                value = word[2 + length] ? word + 2 + length + 1 : NULL;
        } else {
                option = find_letter(word[1]);
                value = word[2] ? word + 2 + (word[2] == '=') : NULL;
        }
        if (!option)
                return unknown_flag(word, err);
        if (!value && option->kind != OPTION_BOOL && option->kind != OPTION_MAYBE_BOOL) {
                if (*at >= argc)
                        return error_kind(err, ERROR_INVALID, "flag needs an argument: %s", word);
                value = argv[(*at)++];
        }
        return set_option(values, option, value, err);
}

/* ---- the file ---- */

static const Option *find_member(const char *name) {
        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (str_equal(options[i].member, name))
                        return &options[i];
        return NULL;
}

static bool is_set(const DaemonOptions *values, const Option *option) {
        const void *slot = slot_of(values, option);

        switch (option->kind) {
        case OPTION_BOOL:
                return *(const bool *)slot;
        case OPTION_PAIR:
                return ((const Pairs *)slot)->count > 0;
        case OPTION_POOL:
                return ((const JsonArray *)slot)->count > 0;
        default:
                return *(void *const *)slot != NULL;
        }
}

/* Each member is known, and not set by a flag too. */
static int check_members(json_object *file, const DaemonOptions *flags, const char *path,
                         Error *err) {
        json_object_object_foreach(file, name, value) {
                const Option *option = find_member(name);

                (void)value;
                if (!option)
                        return error_kind(err, ERROR_INVALID,
                                          "unable to configure the daemon with file %s: the "
                                          "following directives don't match any configuration "
                                          "option: %s",
                                          path, name);
                if (is_set(flags, option))
                        return error_kind(err, ERROR_INVALID,
                                          "unable to configure the daemon with file %s: the "
                                          "following directives are specified both as a flag and "
                                          "in the configuration file: %s: remove one of them",
                                          path, name);
        }
        return 0;
}

static int read_file(DaemonOptions *values, Error *err) {
        const char *path = values->config_file ?: OPTIONS_CONFIG_FILE;
        _cleanup_json_ json_object *file = NULL;
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &length, err);

        if (r == -ENOENT && !values->config_file)
                return 0;
        if (r < 0)
                return r;
        if (!*str_trim(text))
                return 0;
        r = json_parse_any(text, strlen(text), &file, err);
        if (r >= 0 && !json_object_is_type(file, json_type_object))
                r = error_kind(err, ERROR_INVALID, "must be an object");
        if (r < 0)
                return error_prefix(err, "unable to configure the daemon with file %s", path);
        r = check_members(file, values, path, err);
        if (r < 0)
                return r;
        r = json_read(&file_table, file, values, err);
        return r < 0 ? error_prefix(err, "unable to configure the daemon with file %s", path) : 0;
}

/* ---- all of it ---- */

static void set_default(char **slot, const char *value) {
        if (!*slot)
                *slot = str_copy(value);
}

static int set_builder(DaemonOptions *values, Error *err) {
        const BuilderGc *gc = &values->builder.gc;
        const bool *device = values->builder.entitlements.device;
        int64_t bytes = 0;

        if (device && *device)
                return error_kind(err, ERROR_INVALID,
                                  "builder.entitlements.device is not done: devices are not given "
                                  "to builds: leave it out, or say false");

        if (gc->policy)
                return error_kind(err, ERROR_INVALID,
                                  "builder.gc.policy is not done: builder.gc.defaultKeepStorage "
                                  "is the cap of the whole cache");
        if (gc->keep && str_to_size(gc->keep, &bytes) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid size of the build cache \"%s\": give bytes, or a number "
                                  "with a unit, as 20GB",
                                  gc->keep);
        if (gc->enabled && !*gc->enabled)
                bytes = 0;
        else if (!gc->keep)
                return 0;
        values->build_cache_max = NEW(int64_t);
        *values->build_cache_max = bytes;
        return 0;
}

static int set_defaults(DaemonOptions *values, Error *err) {
        LogLevel level;
        int r = set_builder(values, err);

        if (r < 0)
                return r;

        set_default(&values->data_root, "/var/lib/brig");
        set_default(&values->exec_root, "/run/brig");
        set_default(&values->pidfile, "/run/brig/brigd.pid");
        set_default(&values->log_driver, "json-file");
        if (!values->registry_hosts_dirs) {
                strv_add(&values->registry_hosts_dirs, "/etc/containerd/certs.d");
                strv_add(&values->registry_hosts_dirs, "/etc/docker/certs.d");
        }
        if (!values->hosts)
                strv_add(&values->hosts, "unix:///run/brig/brig.sock");
        if (values->data_root[0] != '/' || values->exec_root[0] != '/')
                return error_kind(err, ERROR_INVALID,
                                  "data-root and exec-root must be absolute paths, not '%s' and "
                                  "'%s'",
                                  values->data_root, values->exec_root);
        return options_log_level(values, &level, err);
}

int options_log_level(const DaemonOptions *values, LogLevel *ret, Error *err) {
        if (log_level_parse(values->log_level ?: "info", ret) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "log-level '%s' is none of debug, info, warn, error, fatal",
                                  values->log_level);
        if (values->debug)
                *ret = LOG_LEVEL_DEBUG;
        return 0;
}

int options_read(int argc, char *const *argv, DaemonOptions *ret, Error *err) {
        int at = 1, r;

        while (at < argc) {
                r = read_flag(argc, argv, &at, ret, err);
                if (r < 0)
                        return r;
        }
        if (ret->help || ret->version)
                return 0;
        r = read_file(ret, err);
        return r < 0 ? r : set_defaults(ret, err);
}

void options_done(DaemonOptions *values) {
        json_done(&file_table, values);
        free(values->build_cache_max);
        free(values->config_file);
        *values = (DaemonOptions){ 0 };
}

void options_print_help(void) {
        printf("Usage:  brigd [OPTIONS]\n\nA container engine that speaks Docker's "
               "API.\n\nOptions:\n");
        for (size_t i = 0; i < ELEMENTS(options); i++) {
                const Option *option = &options[i];
                char left[64];

                if (option->letter)
                        (void)snprintf(left, sizeof(left), "-%c, --%s %s", option->letter,
                                       option->name, option->argument ?: "");
                else
                        (void)snprintf(left, sizeof(left), "    --%s %s", option->name,
                                       option->argument ?: "");
                printf("  %-34s %s\n", left, option->help);
        }
}
