/* volume-mount.c: volumes of the local driver that have options. What they name, a file system of
 * the kernel's (tmpfs, nfs, …) or a directory of the host, is mounted on the volume's directory
 * while a container that uses it runs, and no longer. The kernel is the record of what is mounted:
 * a daemon that finds a mount that nobody uses takes it away. What may ask a server goes through
 * volume-call.c; which volumes there are is volumes.c's. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/volume-call.h"
#include "os/mount.h"

/* Words of "o" that are the mount's, not the file system's. */
static const struct {
        const char *word;
        uint64_t set, clear;
} attributes[] = {
        { "ro", MOUNT_ATTR_RDONLY, 0 },
        { "rw", 0, MOUNT_ATTR_RDONLY },
        { "nosuid", MOUNT_ATTR_NOSUID, 0 },
        { "suid", 0, MOUNT_ATTR_NOSUID },
        { "nodev", MOUNT_ATTR_NODEV, 0 },
        { "dev", 0, MOUNT_ATTR_NODEV },
        { "noexec", MOUNT_ATTR_NOEXEC, 0 },
        { "exec", 0, MOUNT_ATTR_NOEXEC },
        { "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
        { "relatime", 0, MOUNT_ATTR__ATIME },
        { "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
        { "diratime", 0, MOUNT_ATTR_NODIRATIME },
};

/* ---- the options ---- */

int volume_options_check(const Pairs *options, Error *err) {
        static const char *const known[] = { "type", "o", "device", NULL };
        static const char *const needed[] = { "type", "device" };

        for (size_t i = 0; i < options->count; i++) {
                const char *name = options->items[i].key;

                if (str_equal(name, "size"))
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "option 'size' is a quota, which brig does not set: give "
                                          "type=tmpfs, device=tmpfs and o=size=…, or a file system "
                                          "of that size");
                if (!strv_has((char *const *)known, name))
                        return error_kind(err, ERROR_INVALID, "invalid option: \"%s\"", name);
        }
        for (size_t i = 0; options->count > 0 && i < ELEMENTS(needed); i++)
                if (!pairs_get(options, needed[i]))
                        return error_kind(err, ERROR_INVALID, "missing required option: \"%s\"",
                                          needed[i]);
        return 0;
}

typedef struct Words {
        uint64_t set, clear;
        bool bind, recursive;
        char **rest; /* the file system's */
} Words;

static void words_done(Words *words) {
        strv_free(words->rest);
}

static bool add_attribute(Words *words, const char *word) {
        for (size_t i = 0; i < ELEMENTS(attributes); i++) {
                if (!str_equal(attributes[i].word, word))
                        continue;
                words->set = (words->set & ~attributes[i].clear) | attributes[i].set;
                return true;
        }
        return false;
}

static void words_read(const Pairs *options, Words *ret) {
        _cleanup_strv_ char **list = str_split(pairs_get(options, "o") ?: "", ',');

        for (char **word = list; word && *word; word++) {
                bool recursive = str_equal(*word, "rbind");

                if (recursive || str_equal(*word, "bind")) {
                        ret->bind = true;
                        ret->recursive = recursive;
                } else if (**word && !str_equal(*word, "defaults") && !add_attribute(ret, *word)) {
                        strv_add(&ret->rest, *word);
                }
        }
        /* A device that cannot be written to is mounted only so. */
        if (!ret->bind && ret->set & MOUNT_ATTR_RDONLY)
                strv_add(&ret->rest, "ro");
}

/* ---- what is mounted ---- */

/* The kernel takes a server's address, not its name: "addr=NAME" of network file systems. */
static int resolve_address(Words *words, Error *err) {
        for (char **word = words->rest; word && *word; word++) {
                const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
                const char *name = str_after(*word, "addr=");
                struct addrinfo *found = NULL;
                char address[NI_MAXHOST];

                if (!name)
                        continue;
                int r = getaddrinfo(name, NULL, &hints, &found);
                if (r == 0)
                        r = getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof(address),
                                        NULL, 0, NI_NUMERICHOST);
                if (found)
                        freeaddrinfo(found);
                if (r != 0)
                        return error_kind(err, ERROR_INTERNAL, "addr=%s: %s", name,
                                          gai_strerror(r));
                char *text = str_format("addr=%s", address);
                free(*word);
                *word = text;
        }
        return 0;
}

static int clone_directory(const char *path, const Words *words, int *ret_fd, Error *err) {
        _cleanup_close_ int from_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

        if (from_fd < 0)
                return error_set(err, errno, "bind %s", path);
        int r = mount_clone(from_fd, words->recursive, &fd, err);
        if (r == 0)
                r = mount_change(fd, words->recursive, 0, 0, MS_PRIVATE, err);
        if (r == 0 && words->set)
                r = mount_change(fd, false, words->set, 0, 0, err);
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

static int new_mount(const Pairs *options, int *ret_fd, Error *err) {
        const char *type = pairs_get(options, "type"), *device = pairs_get(options, "device");
        _cleanup_(words_done) Words words = { 0 };
        int r = 0;

        words_read(options, &words);
        if (words.bind)
                return clone_directory(device, &words, ret_fd, err);
        if (str_after(type, "nfs") || str_equal(type, "cifs"))
                r = resolve_address(&words, err);
        return r < 0 ? r : mount_new(type, device, words.rest, words.set, ret_fd, err);
}

/* A directory of the host may be a server's. */
bool volume_may_hang(const Pairs *options) {
        static const char *const types[] = { "nfs",  "nfs4",  "cifs", "smb3",     "ceph",
                                             "9p",   "afs",   "coda", "orangefs", "lustre",
                                             "gfs2", "ocfs2", "fuse", NULL };
        _cleanup_(words_done) Words words = { 0 };

        words_read(options, &words);
        if (words.bind)
                return true;
        for (char **word = words.rest; word && *word; word++)
                if (str_after(*word, "addr="))
                        return true;
        return strv_has((char *const *)types, pairs_get(options, "type"));
}

static int make_mount(VolumeCall *call, Error *err) {
        return new_mount(&call->options, &call->fd, err);
}

/* ---- the volume's directory ---- */

/* Its server is asked, so that whoever finds it by its path next is not the first to. Where root
 * may not look at it (FUSE, NFS with Kerberos) it has answered. */
static int look(VolumeCall *call, Error *err) {
        struct statx status = { 0 };

        if (statx(call->place_fd, "_data", AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC,
                  STATX_BASIC_STATS, &status) == 0)
                call->mounted = status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
        else if (errno == EACCES || errno == EPERM)
                call->mounted = true;
        else if (errno != ENOENT)
                return error_set(err, errno, "look at what is mounted");
        return 0;
}

static int look_at(Engine *engine, VolumeMount *mount, const char *name, bool *ret_mounted,
                   Error *err) {
        _cleanup_call_ VolumeCall *call = volume_call_new(name, look);
        int r = volume_open_place(engine, name, &call->place_fd, err);

        if (r == 0)
                r = volume_call_make(mount, call, err);
        if (r == 0)
                *ret_mounted = call->mounted;
        return r;
}

int volume_unmount(Engine *engine, const char *name, Error *err) {
        _cleanup_free_ char *path = volume_mountpoint(engine, name);

        /* What containers still see of it is their own copy. It is not looked at first: a server
         * of files that is away would not answer. */
        while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
                ;
        return errno == EINVAL || errno == ENOENT
                       ? 0
                       : error_set(err, errno, "unmount volume '%s'", path);
}

static int mount_it(Engine *engine, VolumeMount *mount, const char *name, Error *err) {
        _cleanup_call_ VolumeCall *call = volume_call_new(name, make_mount);
        _cleanup_close_ int root_fd = -1;
        int r = volume_open(engine, name, &root_fd, err);

        pairs_copy(&call->options, mount->options);
        if (r == 0)
                r = volume_call_make(mount, call, err);
        if (r == 0)
                r = mount_attach(call->fd, root_fd, err);
        return r < 0 ? r : failpoint("volume.mounted", err);
}

/* The mount's lock is held. */
static int mount_once(Engine *engine, VolumeMount *mount, const char *name, Error *err) {
        bool mounted = false;
        int r = look_at(engine, mount, name, &mounted, err);

        if (r == 0 && !mounted) {
                r = mount_it(engine, mount, name, err);
                if (r == 0)
                        r = look_at(engine, mount, name, &mounted, err);
        }
        if (r == 0)
                return 0;
        _cleanup_free_ char *path = volume_mountpoint(engine, name);
        error_prefix(err, "error while mounting volume '%s': failed to mount local volume", path);
        /* "Not found" would make a client look for an image. */
        if (err)
                err->kind = ERROR_INTERNAL;
        return error_number_of(ERROR_INTERNAL);
}

static void lock_drop(pthread_mutex_t **lock) {
        pthread_mutex_unlock(*lock);
}
#define HOLD(mutex)                                                                                \
        _cleanup_(lock_drop) UNUSED pthread_mutex_t *held_ = (mutex);                              \
        pthread_mutex_lock(held_)

int volume_activate(Engine *engine, const char *name, const char *container_id, Error *err) {
        VolumeMount *mount = volume_mount_of(engine, name);

        if (!mount) {
                _cleanup_close_ int fd = -1;
                return volume_open(engine, name, &fd, err);
        }
        HOLD(&mount->lock);
        int r = mount_once(engine, mount, name, err);
        if (r < 0)
                return r;
        if (!strv_has(mount->active, container_id))
                strv_add(&mount->active, container_id);
        return 0;
}

void volume_deactivate(Engine *engine, const char *name, const char *container_id) {
        VolumeMount *mount = volume_mount_of(engine, name);
        Error error = { 0 };

        if (!mount)
                return;
        HOLD(&mount->lock);
        if (mount->active)
                (void)strv_drop(mount->active, container_id);
        if (strv_length(mount->active) == 0 && volume_unmount(engine, name, &error) < 0)
                log_error("%s", error.message);
}

void volume_adopt_mount(Engine *engine, const char *name, const char *container_id) {
        VolumeMount *mount = volume_mount_of(engine, name);

        if (!mount)
                return;
        HOLD(&mount->lock);
        if (!strv_has(mount->active, container_id))
                strv_add(&mount->active, container_id);
}

void volumes_settle(Engine *engine) {
        VolumeInfo *volumes;
        size_t count;

        volumes_all(engine, &volumes, &count);
        for (size_t i = 0; i < count; i++)
                volume_deactivate(engine, volumes[i].name, "");
        volumes_free_all(volumes, count);
}
