/* ocispec.h: what the files that turn a container into an OCI document share. Inside engine only.
 */
#pragma once

#include "engine/container.h"

/* ---- ocispec.c ---- */
typedef struct OcispecContext {
        const char *cgroup;      /* the document's cgroupsPath */
        const char *netfiles_id; /* the container whose hosts, hostname and resolv.conf are bound
                                    into this one */
        bool own_netns; /* a namespace is passed to the monitor by descriptor; else the host's (mode
                           host) */
        bool joined_netns;     /* mode container:x: passed by descriptor too */
        const char *shm;       /* another's /dev/shm, to be bound there; NULL: its own */
        const char *rootfs;    /* NULL: the monitor mounts the overlay */
        const int *source_fds; /* of mounts_open; NULL: none */
} OcispecContext;
/* At start, lock held. *ret must be zeroed; json_done(&oci_config_table) frees it. linux.seccomp
 * stays NULL: see seccomp_profile_*. */
int ocispec_build(Container *container, const OcispecContext *context, OciConfig *ret, Error *err);
/* The process document of an exec. */
int ocispec_exec_process(Container *container, const ExecConfig *exec, OciProcess *ret, Error *err);

/* ---- capabilities.c ---- */
/* The names "CAP_…" that a container gets: Docker's default 14, changed by add and drop ("ALL",
 * with or without "CAP_"), or all that this daemon has. The caller's list. */
char **capabilities_of(const HostConfig *host, bool privileged);
/* invalid "invalid CapAdd: unknown capability: "CAP_X"". */
int capabilities_check(const HostConfig *host, Error *err);

/* ---- security.c: --security-opt ---- */
typedef struct SecurityOptions {
        bool no_new_privileges, unconfined, systempaths_unconfined;
        bool own_seccomp;     /* it is not the daemon's default */
        const char *apparmor; /* the profile's name, borrowed; NULL: as apparmor.h has it */
        const char *seccomp;  /* the profile's text, borrowed; NULL: Docker's default */
} SecurityOptions;
/* defaults: what holds where the options say nothing. */
int security_parse(const ContainerDefaults *defaults, char *const *options, SecurityOptions *ret,
                   Error *err);

/* ---- user.c ---- */
/* The user "name|uid[:group|gid]" (empty: root) and the groups to add, looked up in the container's
 * passwd and group files. ret's list and text are the caller's. */
int user_resolve(const Container *container, const char *user, char *const *group_add, OciUser *ret,
                 Error *err);
/* The same from the files' texts (NULL: no such file); most: the largest id that is taken. */
int user_lookup(const char *passwd, const char *group, const char *user, char *const *group_add,
                int64_t most, OciUser *ret, Error *err);
#define USER_ID_MAX INT32_MAX /* a process's, as runc has it */
#define OWNER_ID_MAX                                                                               \
        ((int64_t)UINT32_MAX - 1) /* a file's: the number above is chown(2)'s "as it is" */

/* ---- rootfiles.c ---- */
/* A regular file of the container's root, as the overlay of its layers shows it: *ret_fd, or -1
 * where there is none. The path is relative, "etc/passwd". */
int rootfs_open_file(const Container *container, const char *path, int *ret_fd, Error *err);
/* openat2(2) with O_CLOEXEC; -1 and errno. */
int open_in_root(int root_fd, const char *path, uint64_t flags, uint64_t resolve);
/* A descriptor of a read-only, detached view of the container's root as its image has it. */
int rootfs_open_image(const Container *container, int *ret_fd, Error *err);

/* The same of its root as it is now. */
int rootfs_open(const Container *container, int *ret_fd, Error *err);

/* A detached overlay of directories below the data root, topmost first; read-only where upper_fd
 * and work_fd are -1. flags: overlay_mount's. */
int rootfs_mount_layers(const Engine *engine, char *const *paths, int upper_fd, int work_fd,
                        unsigned flags, int *ret_fd, Error *err);

/* ---- initlayer.c ---- */
/* The layer that goes on top of an image's, made where it is not there yet; lowers are the image's,
 * topmost first, below the data root, as container->lowers has them. *ret is such a path, too, the
 * caller's. Follows the image's links within its root only. */
int init_layer(Engine *engine, char *const *lowers, char **ret, Error *err);

/* ---- ocispec-mounts.c, ocispec-devices.c, ocispec-resources.c: parts of the document ---- */
int ocispec_mounts(Container *container, const OcispecContext *context, OciConfig *config,
                   Error *err);
int ocispec_devices(const Container *container, OciLinux *linux_, Error *err);
/* Its limits; the paths of devices become numbers: invalid where one is no device. *ret zeroed. */
int ocispec_resources(const Container *container, OciResources *ret, Error *err);
/* The same without those of devices: no update changes them, and a device may have gone since the
 * group was told of it. */
int ocispec_limits(const Container *container, OciResources *ret, Error *err);
/* The file system's options for --tmpfs and --mount type=tmpfs: Docker's defaults, overridden. */
char **tmpfs_options(char *const *given);

/* ---- resources-check.c ---- */
/* What HostConfig's resources may be on this host, in Docker's words. */
/* part: of what is to be changed alone, which leaves out what stays. */
int resources_check(const HostConfig *host, bool part, Error *err);
/* spec-check.c: the restart policy. */
int restart_check(const HostConfig *host, Error *err);
/* "0-3,7": whether it is a list of numbers, and whether all are in available. invalid. */
int cpuset_parse(const char *text, bool *set, size_t count);

/* ---- namespaces.c: --pid, --ipc, --uts, --cgroupns ---- */
int namespaces_check(const ContainerCreate *create, Error *err);
/* At create: names of other containers become ids. invalid "No such container: x". */
int namespaces_resolve(Container *container, Error *err);
int ocispec_namespaces(Container *container, const OcispecContext *context, OciLinux *linux_,
                       Error *err);
bool pid_mode_is_private(const HostConfig *host);

/* ---- userns.c: userns-remap ---- */
bool engine_remaps(const Engine *engine);
/* Whether its next start is in a user namespace. */
bool container_is_remapped(const Container *container);
/* invalid: what dockerd refuses with user namespaces, too. */
int userns_check(const Engine *engine, const HostConfig *host, Error *err);
void ocispec_userns(const Container *container, OciLinux *linux_);
/* rootfs_mount_layers of paths (upper and work may be NULL) as remapped containers see them. */
int userns_mount_layers(const Engine *engine, char *const *lowers, const char *upper,
                        const char *work, unsigned flags, int *ret_fd, Error *err);
/* An id of the container's as it is outside: for files whose file system maps none. */
uid_t userns_uid(const Container *container, int64_t uid);
gid_t userns_gid(const Container *container, int64_t gid);
/* The largest group that processes of it can be in. */
int64_t userns_last_gid(const Container *container);

#define PUT_INT(type, value)                                                                       \
        ({                                                                                         \
                type *slot_ = NEW(type);                                                           \
                *slot_ = (value);                                                                  \
                slot_;                                                                             \
        })

/* ---- seccomp-default.c ---- */
/* *ret_key: a text that is equal for equal profiles ("default:<capabilities that matter>",
 * "file:<sha256 of it>"), the caller's, or NULL where the container runs unconfined. Cheap: called
 * at each start and exec. */
int seccomp_profile_key(const Container *container, bool privileged, char **ret_key, Error *err);
/* The document itself; the caller frees it with json_free(&oci_seccomp_table). Called once a key.
 */
int seccomp_profile_build(const Container *container, bool privileged, OciSeccomp **ret,
                          Error *err);
