/* options.h: what brigd is told by its command line and by daemon.json, with dockerd's names. */
#pragma once

#include "base/log.h"
#include "format/json.h"
#include "spec/container.h"

/* daemon.json's "builder". */
typedef struct BuilderGc {
        bool *enabled;
        char *keep; /* as --builder-keep-storage */
        json_object *policy;
} BuilderGc;
/* What builds may be given that ask for it. */
typedef struct BuilderEntitlements {
        bool *host_network; /* NULL: true */
        bool *insecure;     /* NULL: false */
        bool *device;       /* true is refused */
} BuilderEntitlements;
typedef struct BuilderSettings {
        BuilderGc gc;
        BuilderEntitlements entitlements;
} BuilderSettings;

typedef struct DaemonOptions {
        char *data_root, *exec_root, *pidfile, *group, *cgroup_parent, *log_level;
        /* The default bridge's: see BridgeOptions in engine/engine.h. */
        char *bridge, *bip, *fixed_cidr, *fixed_cidr6, *gateway, *gateway6, *host_ip;
        bool *icc, *masquerade; /* NULL: true */
        int64_t *mtu;
        bool ipv6;
        JsonArray address_pools; /* of AddressPoolSpec */
        char **hosts;            /* unix://PATH, tcp://HOST:PORT, fd:// */
        char **dns, **insecure_registries, **registry_mirrors, **registry_hosts_dirs;
        bool debug;
        char *log_driver;
        Pairs log_opts;
        BuilderSettings builder;
        int64_t *build_cache_max; /* what builder says: bytes, 0: any; NULL: nothing was said */
        char *config_file;        /* NULL: the default one, which may be absent */
        bool help, version;
} DaemonOptions;

#define OPTIONS_CONFIG_FILE "/etc/brig/daemon.json"

/* Reads flags and the file, and fills in the defaults. invalid names the flag or the member; a
 * setting given in both places is refused, as dockerd does. *ret must be zeroed; options_done it.
 */
int options_read(int argc, char *const *argv, DaemonOptions *ret, Error *err);
void options_done(DaemonOptions *options);
/* The level that debug and log-level say together. invalid. */
int options_log_level(const DaemonOptions *options, LogLevel *ret, Error *err);
void options_print_help(void);
