/* options.h: what brigd is told by its command line and by daemon.json, with dockerd's names. */
#pragma once

#include "base/log.h"
#include "format/json.h"
#include "spec/container.h"
#include "spec/settings.h"

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

/* How registries and downloads are reached. */
typedef struct ProxySettings {
        char *http, *https, *none;
} ProxySettings;

/* TLS on TCP. */
typedef struct TlsSettings {
        bool *on, *verify;     /* NULL: nothing was said; verify: of clients */
        char *ca, *cert, *key; /* files */
} TlsSettings;

typedef struct DaemonOptions {
        char *data_root, *exec_root, *pidfile, *group, *cgroup_parent, *log_level;
        /* The default bridge's: see BridgeOptions in engine/engine.h. */
        char *bridge, *bip, *fixed_cidr, *fixed_cidr6, *gateway, *gateway6, *host_ip;
        bool *icc, *masquerade, *ip_forward; /* NULL: true */
        int64_t *mtu;
        bool ipv6;
        JsonArray address_pools; /* of AddressPoolSpec */
        char **hosts;            /* unix://PATH, tcp://HOST:PORT, fd:// */
        char **dns, **registry_hosts_dirs, **exec_options;
        DaemonSettings settings; /* what SIGHUP changes, with log_level */
        ContainerDefaults defaults;
        json_object *shm_size; /* as it was said; defaults.shm_size has it */
        char *seccomp_profile; /* a file, "unconfined" or "builtin"; defaults.seccomp has its text
                                */
        char *init_path;
        char *userns_remap; /* as it was said; NULL or "": nobody is remapped */
        ProxySettings proxies;
        TlsSettings tls;
        char *log_driver;
        Pairs log_opts;
        BuilderSettings builder;
        int64_t *build_cache_max; /* what builder says: bytes, 0: any; NULL: nothing was said */
        char *config_file;        /* NULL: the default one, which may be absent */
        char **given;             /* members that flags have set */
        bool help, version, validate, restore;
} DaemonOptions;

#define OPTIONS_CONFIG_FILE "/etc/brig/daemon.json"

/* Reads flags and the file, and fills in the defaults. invalid names the flag or the member; a
 * setting given in both places is refused, as dockerd does. *ret must be zeroed; options_done it.
 */
int options_read(int argc, char *const *argv, DaemonOptions *ret, Error *err);
void options_done(DaemonOptions *options);
/* Whether TCP has TLS, and whether clients must show a certificate. */
bool options_tls(const DaemonOptions *options);
bool options_tls_verify(const DaemonOptions *options);
/* Whether systemd makes the containers' control groups. */
bool options_systemd_cgroup(const DaemonOptions *options);
/* The level that debug and log-level say together. invalid. */
int options_log_level(const DaemonOptions *options, LogLevel *ret, Error *err);
/* Members whose values differ and that SIGHUP does not change; the caller's list, NULL: none. */
char **options_need_restart(const DaemonOptions *running, const DaemonOptions *fresh);
void options_print_help(void);
