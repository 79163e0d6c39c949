/* ocispec-mounts.c: the mounts of the OCI document: the file systems that every container has, then
 * what mounts.c resolved, and the generated files of /etc. */
#include <unistd.h>

#include "engine/engine-private.h"
#include "engine/idmap-spec.h"
#include "engine/mounts-change.h"
#include "engine/ocispec.h"

#define WORDS_MAX 8

typedef struct DefaultMount {
        const char *destination, *type, *source;
        const char *options[WORDS_MAX];
} DefaultMount;

static const DefaultMount defaults[] = {
        { "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
        { "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
        { "/dev/pts",
          "devpts",
          "devpts",
          { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
        { "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
        { "/sys/fs/cgroup", "cgroup", "cgroup", { "ro", "nosuid", "noexec", "nodev" } },
        { "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
        { "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777" } },
};

static const char *const generated[] = { "resolv.conf", "hostname", "hosts" };

static OciMount *add(OciConfig *config, const char *destination, const char *type,
                     const char *source) {
        OciMount *mount = json_append(&config->mounts, &oci_mount_table);

        mount->destination = str_copy(destination);
        mount->type = str_copy(type);
        mount->source = str_copy(source);
        return mount;
}

static const MountPoint *find_point(const Container *container, const char *destination) {
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < mounts->count; i++)
                if (str_equal(points[i].destination, destination))
                        return &points[i];
        return NULL;
}

/* A user's mount takes a default one's place; one at /dev takes those below it along. */
static bool is_overridden(const Container *container, const char *destination) {
        return find_point(container, destination) ||
               (str_after(destination, "/dev/") && find_point(container, "/dev"));
}

/* Of --ipc host: POSIX shared memory, and, as in a user namespace no mqueue of the host's IPC
 * namespace can be made, its message queues. */
static void add_host_ipc(const char *path, OciConfig *config) {
        OciMount *bind;

        if (access(path, F_OK) < 0)
                return; /* a host without */
        bind = add(config, path, "bind", path);

        strv_add(&bind->options, "rbind");
        strv_add(&bind->options, "rprivate");
}

/* Of --ipc container:x. */
static void add_joined_shm(const char *source, OciConfig *config) {
        OciMount *bind = add(config, "/dev/shm", "bind", source);

        strv_add(&bind->options, "bind");
        strv_add(&bind->options, "rprivate");
}

static void add_default(const Container *container, const DefaultMount *mount, const char *shm,
                        OciConfig *config) {
        const HostConfig *host = &container->spec.host;
        bool is_shm = str_equal(mount->destination, "/dev/shm");

        if (is_overridden(container, mount->destination) ||
            (is_shm && str_equal(host->ipc_mode, "none")))
                return;
        if (is_shm && shm) {
                add_joined_shm(shm, config);
                return;
        }
        if (str_equal(host->ipc_mode, "host") &&
            (is_shm || (str_equal(mount->type, "mqueue") && container_is_remapped(container)))) {
                add_host_ipc(mount->destination, config);
                return;
        }
        OciMount *added = add(config, mount->destination, mount->type, mount->source);
        for (const char *const *word = mount->options; *word; word++)
                if (!host->privileged || !str_equal(*word, "ro"))
                        strv_add(&added->options, *word);
        if (is_shm)
                strv_format(&added->options, "size=%lld", (long long)host->shm_size);
}

/* ---- tmpfs options ---- */

static char *name_of(const char *option) {
        return str_copy_n(option, strcspn(option, "="));
}

static bool is_overridden_option(const char *word, char *const *given) {
        for (; given && *given; given++) {
                _cleanup_free_ char *name = name_of(*given);

                /* "exec" against "noexec" */
                if (str_equal(*given, word) || str_equal(name, str_after(word, "no")))
                        return true;
        }
        return false;
}

char **tmpfs_options(char *const *given) {
        static const char *const words[] = { "noexec", "nosuid", "nodev" };
        char **options = NULL;

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (!is_overridden_option(words[i], given))
                        strv_add(&options, words[i]);
        for (; given && *given; given++)
                strv_add(&options, *given);
        return options;
}

/* What is the engine's is stored with the container's own ids, whatever those are outside; what the
 * user binds is shown as it is, as with dockerd. */
static void map_owners(const Container *container, bool is_own, OciMount *mount) {
        if (is_own && container_is_remapped(container) && !strv_has(mount->options, "idmap"))
                strv_add(&mount->options, "idmap");
}

static int map_as_asked(const MountPoint *point, OciMount *mount, Error *err) {
        _cleanup_idmap_ IdmapSpec spec = {};
        int r = point->idmap ? idmap_parse(point->idmap, &spec, err) : 0;

        if (r < 0 || !point->idmap)
                return r;
        strv_add(&mount->options, "idmap");
        mount->uid_mappings = spec.uids;
        mount->gid_mappings = spec.gids;
        spec = (IdmapSpec){};
        return 0;
}

/* ---- the user's mounts ---- */

/* source_fd: what is mounted, where it is not to be found by its path; -1. The monitor finds it
 * under this daemon's descriptors. */
static int add_point(const Container *container, const MountPoint *point, int source_fd,
                     OciConfig *config, Error *err) {
        bool is_tmpfs = str_equal(point->type, "tmpfs");
        _cleanup_free_ char *opened =
                source_fd >= 0 ? str_format("/proc/%d/fd/%d", getpid(), source_fd) : NULL;
        OciMount *mount = add(config, point->destination, is_tmpfs ? "tmpfs" : "bind",
                              is_tmpfs ? "tmpfs" : opened ?: point->source);

        if (is_tmpfs) {
                mount->options = tmpfs_options(point->options);
                return 0;
        }
        strv_add(&mount->options, strv_has(point->options, "bind") ? "bind" : "rbind");
        /* Never "rw": what is read-only on the host stays so. */
        if (!point->rw)
                strv_add(&mount->options, point->ro_below ? "rro" : "ro");
        strv_add(&mount->options, str_empty(point->propagation) ? "rprivate" : point->propagation);
        for (char **option = point->options; option && *option; option++)
                if (!str_equal(*option, "bind"))
                        strv_add(&mount->options, *option);
        int r = map_as_asked(point, mount, err);
        if (r == 0)
                map_owners(container, point->name || point->is_own, mount);
        return r;
}

static void add_generated(const Container *container, const char *id, OciConfig *config) {
        for (size_t i = 0; i < ELEMENTS(generated); i++) {
                _cleanup_free_ char *destination = str_format("/etc/%s", generated[i]);
                _cleanup_free_ char *source =
                        str_format("%s/containers/%s/%s", container->engine->options.data_root, id,
                                   generated[i]);

                if (find_point(container, destination))
                        continue;
                OciMount *mount = add(config, destination, "bind", source);
                strv_add(&mount->options, "rbind");
                strv_add(&mount->options, container->spec.host.readonly_rootfs ? "ro" : "rw");
                strv_add(&mount->options, "rprivate");
                map_owners(container, true, mount);
        }
}

static size_t depth(const char *path) {
        size_t count = 0;

        for (; *path; path++)
                count += *path == '/' && path[1] && path[1] != '/';
        return count;
}

/* Parents before what is mounted in them; else as given (a stable insertion sort of a short list).
 */
static void sort_by_depth(OciMount *mounts, size_t count) {
        for (size_t i = 1; i < count; i++) {
                OciMount mount = mounts[i];
                size_t j = i;

                for (; j > 0 && depth(mounts[j - 1].destination) > depth(mount.destination); j--)
                        mounts[j] = mounts[j - 1];
                mounts[j] = mount;
        }
}

/* ---- --init ---- */

static void add_init(const Container *container, OciConfig *config) {
        OciMount *mount =
                add(config, "/sbin/docker-init", "bind", container->engine->options.init_program);

        strv_add(&mount->options, "bind");
        strv_add(&mount->options, "ro");
}

int ocispec_mounts(Container *container, const OcispecContext *context, OciConfig *config,
                   Error *err) {
        const HostConfig *host = &container->spec.host;
        const JsonArray *mounts = container_mounts(container);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; i < ELEMENTS(defaults); i++)
                add_default(container, &defaults[i], context->shm, config);
        size_t first = config->mounts.count;
        for (size_t i = 0; i < mounts->count; i++) {
                int r = add_point(container, &points[i],
                                  context->source_fds ? context->source_fds[i] : -1, config, err);

                if (r < 0)
                        return r;
        }
        if (context->netfiles_id)
                add_generated(container, context->netfiles_id, config);
        sort_by_depth((OciMount *)config->mounts.items + first, config->mounts.count - first);
        if (host->init && *host->init && pid_mode_is_private(host)) {
                if (str_empty(container->engine->options.init_program))
                        return error_kind(err, ERROR_UNAVAILABLE,
                                          "--init: this daemon was started without an init "
                                          "program; start brigd with --init-path");
                add_init(container, config);
        }
        return 0;
}
