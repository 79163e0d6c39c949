/* settings.h: the daemon's settings that its parts share, by the names that daemon.json has for
 * them. Who reads them, and when, is the daemon's. */
#pragma once

#include "format/json.h"

/* Another OCI runtime: a program that speaks runc's command line. */
typedef struct RuntimeSpec {
        char *name;
        char *path;       /* absolute, or to be found in PATH */
        char **arguments; /* before the command's name */
        char *type;       /* runtimeType: containerd's shims, which there are none of */
        json_object *options;
} RuntimeSpec;

/* When images that nothing uses are removed, as it was said; NULL: not at all. */
typedef struct ImageGc {
        char *max_size;   /* "20GB": of all images together */
        char *unused_for; /* "720h": since it was last used */
        char *min_age;    /* "10m": what was used since stays, whatever its size */
} ImageGc;
/* The same as numbers; 0: not said. */
typedef struct ImageGcBounds {
        int64_t size;        /* bytes */
        int64_t unused, age; /* ns */
} ImageGcBounds;
/* invalid names the member. */
int image_gc_bounds(const ImageGc *said, ImageGcBounds *ret, Error *err);

/* What can be changed while the daemon runs. */
typedef struct DaemonSettings {
        bool debug;
        char **labels; /* KEY=VALUE, shown by info */
        char **insecure_registries, **registry_mirrors;
        int64_t *downloads, *uploads; /* layers at a time, of each pull and push; NULL: as usual */
        int64_t *attempts;            /* at a transfer */
        int64_t *shutdown_timeout;    /* s, for calls that are under way when brigd is to end */
        char *default_runtime;        /* NULL: "runc" */
        ImageGc image_gc;
        JsonArray runtimes;    /* of RuntimeSpec */
        json_object *features; /* of booleans; NULL: none */
} DaemonSettings;

/* What containers get whose creation leaves it open. */
typedef struct ContainerDefaults {
        JsonArray ulimits;                /* of Ulimit */
        int64_t shm_size;                 /* bytes; 0: 64 MiB */
        char *ipc_mode, *cgroupns_mode;   /* NULL: Docker's */
        char *seccomp;                    /* as --security-opt seccomp= has it; NULL: builtin */
        char **dns_options, **dns_search; /* instead of the host's; NULL: the host's */
        char **host_gateway;              /* what "host-gateway" is; NULL: the bridge */
        bool init, no_new_privileges;
} ContainerDefaults;

extern const JsonTable image_gc_table;
extern const JsonTable runtime_spec_table, daemon_settings_table, container_defaults_table;
extern const JsonTable default_ulimit_table; /* Ulimit, by its name */

/* The runtime of that name; NULL: there is none, or it is the engine's own. Borrowed. */
const RuntimeSpec *settings_runtime(const DaemonSettings *settings, const char *name);
/* Whether that name is one for the engine's own runtime, which none else can have. */
bool runtime_is_own(const char *name);
