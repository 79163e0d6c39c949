/* layout-write.c: see layout-write.h. */
#include "image/layout-write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/log.h"

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_LOCK "index.json.lock"
#define LOCK_PAUSE_MS 50
#define LOCK_PATIENCE (60 * NSEC_PER_SEC)

static int own(const LayoutWriter *writer, int fd, Error *err) {
        if (writer->uid >= 0 && fchown(fd, (uid_t)writer->uid, (gid_t)writer->gid) < 0)
                return error_set(err, errno, "give a file of %s to its owner", writer->layout.what);
        return 0;
}

/* Whoever may write to a directory may put another one in the place of what was just made in it.
 * What that one holds is not to become the client's; an empty one he could make himself. */
static int check_empty(const LayoutWriter *writer, int fd, const char *name, Error *err) {
        _cleanup_close_ int copy_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = copy_fd < 0 ? NULL : fdopendir(copy_fd);
        const struct dirent *entry;

        if (!dir)
                return error_set(err, errno, "look into '%s' of %s", name, writer->layout.what);
        (void)TAKE_FD(copy_fd); /* the stream's */
        errno = 0;
        while ((entry = readdir(dir)))
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        return error_kind(err, ERROR_CONFLICT,
                                          "another directory was put in the place of '%s' of %s "
                                          "while that was made",
                                          name, writer->layout.what);
        return errno ? error_set(err, errno, "look into '%s' of %s", name, writer->layout.what) : 0;
}

/* What is there by then stays. File systems that can't say so have but the plain call, which
 * replaces an empty directory. */
static int move_new(const LayoutWriter *writer, int dir_fd, const char *temporary, const char *name,
                    Error *err) {
        int r = renameat2(dir_fd, temporary, dir_fd, name, RENAME_NOREPLACE);

        if (r < 0 && (errno == EINVAL || errno == ENOSYS))
                r = renameat(dir_fd, temporary, dir_fd, name);
        if (r == 0 || errno == EEXIST || errno == ENOTEMPTY)
                return 0;
        return error_set(err, errno, "make '%s' of %s", name, writer->layout.what);
}

/* It is its owner's before another writer can put something into it. */
static int make_new(const LayoutWriter *writer, int dir_fd, const char *name, Error *err) {
        char id[ID_LENGTH + 1];
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        id_new(id);
        temporary = str_format(".brig-%.20s", id);
        if (mkdirat(dir_fd, temporary, 0755) < 0)
                return error_set(err, errno, "make '%s' of %s", name, writer->layout.what);
        r = fd = layout_open_below(&writer->layout, dir_fd, temporary, err);
        if (r >= 0)
                r = check_empty(writer, fd, name, err);
        if (r == 0)
                r = own(writer, fd, err);
        if (r == 0)
                r = move_new(writer, dir_fd, temporary, name, err);
        (void)unlinkat(dir_fd, temporary, AT_REMOVEDIR); /* where it was not moved */
        return r;
}

int layout_make_below(const LayoutWriter *writer, int dir_fd, const char *name, Error *err) {
        struct stat st;
        int r = 0;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                r = make_new(writer, dir_fd, name, err);
        return r < 0 ? r : layout_open_below(&writer->layout, dir_fd, name, err);
}

int layout_make_blobs(const LayoutWriter *writer, Error *err) {
        _cleanup_close_ int blobs_fd =
                layout_make_below(writer, writer->layout.dir_fd, "blobs", err);

        return blobs_fd < 0 ? blobs_fd : layout_make_below(writer, blobs_fd, "sha256", err);
}

static int sum(const LayoutWriter *writer, int from_fd, int to_fd, int64_t limit,
               char ret_digest[DIGEST_TEXT_MAX], Error *err) {
        const LayoutCopy copy = { .from_fd = from_fd, .to_fd = to_fd, .limit = limit };

        return layout_copy(&writer->layout, &copy, ret_digest, err);
}

int layout_write(const LayoutWriter *writer, int dir_fd, const char *name, const char *text,
                 int from_fd, Error *err) {
        char id[ID_LENGTH + 1], digest[DIGEST_TEXT_MAX];
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = -1;
        int r = 0;

        id_new(id);
        temporary = str_format(".brig-%.20s", id);
        fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return error_set(err, errno, "write '%s' of %s", name, writer->layout.what);
        if (from_fd >= 0)
                r = sum(writer, from_fd, fd, INT64_MAX, digest, err);
        else if ((r = fd_write_full(fd, text, strlen(text))) < 0)
                r = error_set(err, r, "write '%s' of %s", name, writer->layout.what);
        if (r == 0)
                r = own(writer, fd, err);
        /* A document takes another's place: a power cut leaves one of the two. */
        if (r == 0 && from_fd < 0 && fdatasync(fd) < 0)
                r = error_set(err, errno, "write '%s' of %s", name, writer->layout.what);
        if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
                r = error_set(err, errno, "write '%s' of %s", name, writer->layout.what);
        if (r < 0)
                (void)unlinkat(dir_fd, temporary, 0);
        return r;
}

bool layout_has_blob(const LayoutWriter *writer, int blobs_fd, const char *digest, int64_t size) {
        _cleanup_close_ int fd = -1;
        char found[DIGEST_TEXT_MAX];

        return layout_open_regular(&writer->layout, blobs_fd, digest_hex(digest), &fd, NULL) == 0 &&
               sum(writer, fd, -1, size, found, NULL) == 0 && str_equal(found, digest);
}

/* ---- the index, which several may write to ---- */

/* Only a new one becomes the client's: what has the name already may be any file. */
static int open_lock(const LayoutWriter *writer, bool *ret_made, Error *err) {
        const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        _cleanup_close_ int fd =
                openat(writer->layout.dir_fd, INDEX_LOCK, flags | O_CREAT | O_EXCL, 0644);
        int r;

        *ret_made = fd >= 0;
        if (fd < 0 && errno == EEXIST)
                fd = openat(writer->layout.dir_fd, INDEX_LOCK, flags);
        else if (fd >= 0 && (r = own(writer, fd, err)) < 0)
                return r;
        return fd < 0 ? -errno : TAKE_FD(fd);
}

/* flock(2) of network and other file systems that know no locks, or have none left. */
static bool has_no_locks(int number) {
        return number == ENOLCK || number == ENOSYS || number == EOPNOTSUPP;
}

/* 0, or a negative errno of flock. */
static int take_lock(int fd) {
        return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

/* 1: it is locked, or (*ret_fd is -1) cannot be: the index is replaced whole, so of two who write
 * at once one may lose its entry, no more. 0: somebody has it. */
static int try_lock(const LayoutWriter *writer, int *ret_fd, Error *err) {
        bool made = false;
        _cleanup_close_ int fd = open_lock(writer, &made, err);
        struct stat opened, named;
        int r = fd < 0 ? fd : take_lock(fd);

        if (r == -EWOULDBLOCK || (fd == -ENOENT && !made)) /* removed between two looks */
                return 0;
        if (r < 0 && made)
                (void)unlinkat(writer->layout.dir_fd, INDEX_LOCK, 0);
        if (fd >= 0 && has_no_locks(-r))
                return 1;
        if (r < 0)
                return error_set(err, r, "lock '" INDEX_LOCK "' of %s", writer->layout.what);
        /* Who had it before may have removed it meanwhile: another one is the lock then. */
        if (fstat(fd, &opened) < 0 ||
            fstatat(writer->layout.dir_fd, INDEX_LOCK, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
            named.st_dev != opened.st_dev || named.st_ino != opened.st_ino)
                return 0;
        *ret_fd = TAKE_FD(fd);
        return 1;
}

static int tell(const LayoutWriter *writer, const char *status, Error *err) {
        return writer->report ? writer->report(writer->data, status, err) : 0;
}

/* Of all daemons one, and of BuildKit's, which lock the same file. It is held for as long as a file
 * of some kilobytes takes. */
static int wait_for_lock(const LayoutWriter *writer, int *ret_fd, Error *err) {
        const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * NSEC_PER_MSEC };
        int64_t until = clock_monotonic() + LOCK_PATIENCE;

        for (;;) {
                int r = try_lock(writer, ret_fd, err);

                if (r != 0)
                        return MIN(r, 0);
                r = tell(writer, "Waiting for another writer", err);
                if (r < 0)
                        return r;
                if (clock_monotonic() > until)
                        return error_kind(err, ERROR_CONFLICT,
                                          "another process has had '" INDEX_LOCK
                                          "' of %s locked for a minute: end it",
                                          writer->layout.what);
                (void)nanosleep(&pause, NULL);
        }
}

static int lock_index(const LayoutWriter *writer, int *ret_fd, Error *err) {
        int r = wait_for_lock(writer, ret_fd, err);

        if (r < 0 || *ret_fd >= 0)
                return r;
        log_warn("%s is on a file system without locks: of several builds that write to it at once "
                 "one may lose its entry",
                 writer->layout.what);
        return tell(writer, "Writing without a lock, which the file system has not", err);
}

static void unlock_index(const LayoutWriter *writer, int *fd) {
        if (*fd >= 0)
                (void)unlinkat(writer->layout.dir_fd, INDEX_LOCK, 0); /* while it is ours */
        close_fd(fd);
}

static bool same_text(const Descriptor *a, const Descriptor *b, const char *key) {
        const char *of_a = pairs_get(&a->annotations, key), *of_b = pairs_get(&b->annotations, key);

        return str_equal(of_a ?: "", of_b ?: "");
}

/* BuildKit's rule: the same tag and the same name. */
static bool takes_place(const ImageIndex *entries, const Descriptor *old) {
        const Descriptor *items = entries->manifests.items;

        for (size_t i = 0; i < entries->manifests.count; i++)
                if (same_text(&items[i], old, LAYOUT_REF_NAME) &&
                    same_text(&items[i], old, LAYOUT_IMAGE_NAME))
                        return true;
        return false;
}

static void add_entries(ImageIndex *to, const ImageIndex *from, const ImageIndex *but) {
        const Descriptor *items = from->manifests.items;

        for (size_t i = 0; i < from->manifests.count; i++)
                if (!but || !takes_place(but, &items[i]))
                        json_copy(&descriptor_table, &items[i],
                                  json_append(&to->manifests, &descriptor_table));
}

/* None, or, where it may be begun anew, one that makes no sense, is an empty one. */
static int read_old(const LayoutWriter *writer, ImageIndex *ret, Error *err) {
        Error why = {};
        int r = layout_read_index(&writer->layout, ret, &why);

        if (r < 0 && (writer->renew || r == -ENOENT)) {
                image_index_done(ret);
                return 0;
        }
        if (r < 0 && err)
                *err = why;
        return r;
}

/* What else the index names stays. */
static int write_index(const LayoutWriter *writer, const ImageIndex *old, const ImageIndex *entries,
                       Error *err) {
        _cleanup_(image_index_done) ImageIndex index = { .schema_version = 2 };
        _cleanup_free_ char *text = NULL;

        index.media_type = str_copy(MEDIA_OCI_INDEX);
        pairs_copy(&index.annotations, &old->annotations);
        add_entries(&index, old, entries);
        add_entries(&index, entries, NULL);
        text = json_text(&image_index_table, &index);
        if (strlen(text) > DOCUMENT_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "index.json of %s would have more than %u bytes, and nobody "
                                  "could read it: write to another directory",
                                  writer->layout.what, DOCUMENT_MAX);
        return layout_write(writer, writer->layout.dir_fd, "index.json", text, -1, err);
}

/* The lock is held. Nothing is settled upon an index that makes no sense. */
static int put_entries(const LayoutWriter *writer, const ImageIndex *entries,
                       int (*settle)(void *data, Error *err), void *data, Error *err) {
        _cleanup_(image_index_done) ImageIndex old = {};
        int r = read_old(writer, &old, err);

        if (r == 0 && settle)
                r = settle(data, err);
        if (r == 0)
                r = layout_write(writer, writer->layout.dir_fd, "oci-layout", LAYOUT_TEXT, -1, err);
        return r < 0 ? r : write_index(writer, &old, entries, err);
}

int layout_put_entries(const LayoutWriter *writer, const ImageIndex *entries,
                       int (*settle)(void *data, Error *err), void *data, Error *err) {
        int lock_fd = -1;
        int r = lock_index(writer, &lock_fd, err);

        if (r < 0)
                return r;
        r = put_entries(writer, entries, settle, data, err);
        unlock_index(writer, &lock_fd);
        return r;
}
