/* specs.h: what users write for ports, mounts, networks, limits and files of variables, as parts of
 * the create request; in Docker's grammar, with Docker's words where it is wrong. */
#pragma once

#include "spec/container.h"

/* -p [[HOST_IP:]HOST_PORT[-LAST]:]PORT[-LAST][/PROTO]: adds to exposed (a set) and to bindings (of
 * PortBindings). */
int port_publish(const char *text, char ***exposed, JsonArray *bindings, Error *err);
/* --expose PORT[-LAST][/PROTO] */
int port_expose(const char *text, char ***exposed, Error *err);

/* The next field of a CSV line (RFC 4180), the caller's; moves *text past its comma. NULL at the
 * end. */
char *csv_field(const char **text);

/* --mount type=bind,source=/a,target=/b,readonly: appends to member, a JsonArray of MountSpec. */
int mount_parse(void *member, const char *text, Error *err);
/* -v [SOURCE:]TARGET[:MODE]: a bind for HostConfig.Binds, or an anonymous volume for
 * Config.Volumes. A source that is a relative path is made absolute. */
int volume_parse(const char *text, char ***binds, char ***volumes, Error *err);

/* --network NAME, or name=…,alias=…,ip=…,ip6=…,mac-address=…,driver-opt=…,link-local-ip=…,
 * gw-priority=… */
typedef struct NetworkSpec {
        char *name, *ip, *ip6, *mac_address;
        char **aliases, **link_local_ips;
        Pairs driver_opts;
        int64_t gw_priority;
} NetworkSpec;

typedef struct NetworkSpecs {
        NetworkSpec *items;
        size_t count;
} NetworkSpecs;

int network_spec_parse(void *member, const char *text, Error *err); /* appends to NetworkSpecs */
void network_specs_done(NetworkSpecs *specs);

/* --ulimit nofile=1024:2048: appends to, or replaces in, a JsonArray of Ulimit. */
int ulimit_parse(void *member, const char *text, Error *err);
/* --device HOST[:CONTAINER[:MODE]] */
int device_parse(const char *text, JsonArray *devices, Error *err);
/* --blkio-weight-device /dev/x:WEIGHT: appends to a JsonArray of WeightDevice. */
int weight_device_parse(void *member, const char *text, Error *err);
/* --device-read-bps /dev/x:RATE[UNIT] and --device-read-iops /dev/x:RATE: append to a JsonArray of
 * ThrottleDevice. */
int rate_device_parse(void *member, const char *text, Error *err);
int count_device_parse(void *member, const char *text, Error *err);
/* --add-host NAME:ADDRESS or NAME=ADDRESS: appends NAME:ADDRESS to a char **. */
int extra_host_parse(void *member, const char *text, Error *err);
/* --dns: appends to a char **. */
int dns_parse(void *member, const char *text, Error *err);
/* -a: appends stdin, stdout or stderr to a char **. */
int attach_parse(void *member, const char *text, Error *err);
/* --restart: no, always, unless-stopped, on-failure[:N] */
int restart_parse(const char *text, RestartPolicy *ret, Error *err);

/* Whether one of words is NAME or NAME=value. */
bool words_name(char *const *words, const char *name);
/* Adds the NAME=value lines of each file, then each of words; a NAME alone has its value from our
 * own environment (variables), or none (labels). */
int variables_read(char *const *files, char *const *words, bool environment, char ***ret,
                   Error *err);
