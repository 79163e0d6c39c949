/* job-copy.c: the job that copies between an archive and a container's root, for `cp`; see job.h.
 *
 * brigd sends "mount" for each mount that the root is to get (name: where; the mount's descriptor
 * comes along), then "start" with what is to be done as its name, the path in the root, and what
 * the root is: ConfineRoot's members, IMAGE_FD_TARGET its descriptor. This confines itself to the
 * root and answers: stat: "done", with what is at the path. out: "entry", with the same; then waits
 * for "go", and writes the archive. in: reads the archive and unpacks it in the directory at the
 * path. places: only what the mounts need is made in the root. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/confine.h"
#include "image/copy-path.h"
#include "image/job.h"
#include "image/message.h"
#include "image/pack.h"
#include "image/unpack.h"

/* A directory is held open for each level that is packed. */
#define COPY_FILES_MAX 4096
#define NSEC ((int64_t)1000000000)

typedef struct Copy {
        ImageMessage request;
        ConfineMount *mounts;
        size_t mount_count;
        int root_fd;
} Copy;

static void mounts_done(Copy *copy) {
        for (size_t i = 0; i < copy->mount_count; i++) {
                close_fd(&copy->mounts[i].fd);
                free(copy->mounts[i].destination);
        }
        free(copy->mounts);
        copy->mounts = NULL;
        copy->mount_count = 0;
}

static void copy_done(Copy *copy) {
        mounts_done(copy);
        image_message_done(&copy->request);
        close_fd(&copy->root_fd);
}

/* ---- what is asked ---- */

static int take_mount(Copy *copy, ImageMessage *message, int fd, Error *err) {
        if (fd < 0 || str_empty(message->name))
                return error_kind(err, ERROR_INTERNAL, "copy: a mount without a descriptor");
        GROW(copy->mounts, copy->mount_count);
        copy->mounts[copy->mount_count++] = (ConfineMount){ fd, message->name };
        message->name = NULL;
        return 0;
}

/* Until "start". */
static int take_request(Copy *copy, Error *err) {
        for (;;) {
                _cleanup_(image_message_done) ImageMessage message = {};
                size_t count = 0;
                int fd = -1;
                int r = image_message_receive(IMAGE_FD_SOCKET, &message, &fd, 1, &count, err);

                if (r <= 0)
                        return r < 0 ? r
                                     : error_kind(err, ERROR_INTERNAL, "copy: nothing was asked");
                if (str_equal(message.kind, "start")) {
                        copy->request = message;
                        message = (ImageMessage){};
                        return 0;
                }
                r = take_mount(copy, &message, count > 0 ? fd : -1, err);
                if (r < 0)
                        return r;
        }
}

static int confine(Copy *copy, Error *err) {
        const ConfineRoot root = {
                .live = copy->request.live,
                .remapped = copy->request.remapped,
                .fd = IMAGE_FD_TARGET,
                .mounts = copy->mounts,
                .mount_count = copy->mount_count,
                .read_only = copy->request.read_only,
                .hidden = copy->request.hidden,
        };
        int r = confine_to_root(&root, &copy->root_fd, err);

        if (r < 0)
                return r;
        mounts_done(copy);
        return confine_to_files(COPY_FILES_MAX, err);
}

/* ---- stat and out ---- */

/* Of a time that the container chose; one that has no room becomes the nearest that has (1677 and
 * 2262). */
static int64_t nanoseconds(const struct timespec *time) {
        int64_t all;

        if (__builtin_mul_overflow(time->tv_sec, NSEC, &all) ||
            __builtin_add_overflow(all, time->tv_nsec, &all))
                return time->tv_sec < 0 ? INT64_MIN : INT64_MAX;
        return all;
}

static int report_place(const CopyPlace *place, const char *kind, Error *err) {
        ImageMessage message = {
                .kind = (char *)kind,
                .name = place->shown,
                .link = place->link,
                .size = place->st.st_size,
                .mode = place->st.st_mode,
                .time = nanoseconds(&place->st.st_mtim),
        };
        int r = image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);

        return r < 0 ? error_set(err, r, "say what was found") : 0;
}

static int report_done(int64_t size) {
        ImageMessage message = { .kind = (char *)"done", .size = size };

        return image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);
}

static int copy_stat(const Copy *copy, Error *err) {
        _cleanup_(copy_place_done) CopyPlace place = { .parent_fd = -1 };
        int r = copy_place_find(copy->root_fd, copy->request.path, &place, err);

        return r < 0 ? r : report_place(&place, "done", err);
}

static int await_go(Error *err) {
        _cleanup_(image_message_done) ImageMessage message = {};
        int r = image_message_receive(IMAGE_FD_SOCKET, &message, NULL, 0, NULL, err);

        if (r == 0)
                return error_kind(err, ERROR_UNAVAILABLE, "nobody wants the archive any more");
        return MIN(r, 0);
}

static int pack_place(const CopyPlace *place, const char *name, int out_fd, bool no_devices,
                      Error *err) {
        PackOptions options = { .epoch = -1, .mounts = true, .no_devices = no_devices };
        PackPart part = { .dir_fd = -1, .name = (char *)(str_equal(name, "/") ? "" : name) };
        _cleanup_close_ int fd = -1;

        if (!S_ISDIR(place->st.st_mode)) {
                options.base = place->name;
                options.name = name;
                return pack_directory(place->parent_fd, out_fd, &options, NULL, NULL, err);
        }
        fd = openat(place->parent_fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return error_set(err, errno, "open directory '%s'", place->shown);
        part.dir_fd = fd;
        return pack_parts(&part, 1, out_fd, &options, err);
}

static int copy_out(const Copy *copy, Error *err) {
        _cleanup_(copy_place_done) CopyPlace place = { .parent_fd = -1 };
        int r = copy_place_find(copy->root_fd, copy->request.path, &place, err);

        if (r == 0)
                r = report_place(&place, "entry", err);
        if (r == 0)
                r = await_go(err);
        if (r == 0)
                r = pack_place(&place, place.shown, IMAGE_FD_OUTPUT, true, err);
        return r < 0 ? r : report_done(0);
}

/* ---- in ---- */

static int open_target(const Copy *copy, int *ret, Error *err) {
        _cleanup_free_ char *path = copy_path_clean(copy->request.path);
        int fd = root_open(copy->root_fd, path, O_RDONLY | O_DIRECTORY);

        if (fd == -ENOTDIR)
                return error_kind(err, ERROR_INVALID, "extraction point is not a directory");
        if (fd < 0)
                return error_set(err, fd, "%s", copy->request.path);
        *ret = fd;
        return 0;
}

/* In Docker's words. */
static int check_writable(const Copy *copy, int target_fd, Error *err) {
        struct statx root, target;
        struct statfs fs;

        if (fstatfs(target_fd, &fs) < 0 ||
            statx(copy->root_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &root) < 0 ||
            statx(target_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &target) < 0)
                return error_set(err, errno, "look at '%s'", copy->request.path);
        if (!(fs.f_flags & ST_RDONLY))
                return 0;
        return error_kind(err, ERROR_INVALID, "%s is marked read-only",
                          root.stx_mnt_id == target.stx_mnt_id ? "container rootfs"
                                                               : "mounted volume");
}

static int unpack_into(int target_fd, const UnpackTree *options, Error *err) {
        _cleanup_(tar_stream_freep) TarStream *stream = NULL;
        char digest[DIGEST_TEXT_MAX];
        int r = tar_stream_new(IMAGE_FD_INPUT, -1, unpack_limits.stream, &stream, err);

        if (r == 0)
                r = unpack_tree(stream, target_fd, &unpack_limits, options, NULL, NULL, err);
        return r < 0 ? r : tar_stream_finish(stream, digest, err);
}

static int copy_in(const Copy *copy, Error *err) {
        const ImageMessage *request = &copy->request;
        _cleanup_close_ int target_fd = -1;
        int64_t bytes = 0;
        const UnpackTree options = { .devices = true,
                                     .into = true,
                                     .inside = true,
                                     .keep_types = request->keep_types,
                                     .uid = request->uid,
                                     .gid = request->gid,
                                     .shown = request->path,
                                     .ret_bytes = &bytes };
        int r = open_target(copy, &target_fd, err);

        if (r == 0)
                r = check_writable(copy, target_fd, err);
        if (r == 0)
                r = unpack_into(target_fd, &options, err);
        return r < 0 ? r : report_done(bytes);
}

/* ---- the job ---- */

static int copy_places(const Copy *copy, Error *err) {
        (void)copy;
        (void)err;
        return report_done(0);
}

static const struct {
        const char *name;
        int (*run)(const Copy *copy, Error *err);
} actions[] = {
        { "stat", copy_stat },
        { "out", copy_out },
        { "in", copy_in },
        { "places", copy_places },
};

int job_copy(Error *err) {
        _cleanup_(copy_done) Copy copy = { .root_fd = -1 };
        int r = take_request(&copy, err);

        if (r == 0)
                r = confine(&copy, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(actions); i++)
                if (str_equal(actions[i].name, copy.request.name))
                        return actions[i].run(&copy, err);
        return error_kind(err, ERROR_INTERNAL, "copy: no action '%s'", copy.request.name);
}

/* ---- brig's own end of a copy: files of its user ---- */

int job_pack_local(char **words, Error *err) {
        _cleanup_(copy_place_done) CopyPlace place = { .parent_fd = -1 };

        place.name = str_copy(words[1]);
        place.shown = str_copy(words[1]);
        place.parent_fd = open(words[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (place.parent_fd < 0 ||
            fstatat(place.parent_fd, place.name, &place.st, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "open '%s/%s'", words[0], words[1]);
        return pack_place(&place, words[2], STDOUT_FILENO, false, err);
}

int job_unpack_local(char **words, Error *err) {
        _cleanup_close_ int target_fd = open(words[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool renamed = *words[2] != '\0';
        int64_t bytes = 0;
        const UnpackTree options = { .devices = true,
                                     .into = true,
                                     .keep_types = true,
                                     .own = true,
                                     .shown = words[0],
                                     .from = renamed ? words[1] : NULL,
                                     .to = words[2],
                                     .ret_bytes = &bytes };
        int r;

        if (target_fd < 0)
                return error_set(err, errno, "open '%s'", words[0]);
        r = confine_calls(err);
        return r < 0 ? r : unpack_into(target_fd, &options, err);
}
