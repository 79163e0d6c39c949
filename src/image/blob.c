/* blob.c: content by digest, below blobs/sha256, and what is on the way there. See store.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "image/store.h"

#define PARTIAL_AGE_MAX (7 * 24 * 3600 * NSEC_PER_SEC)

int blob_temp_new(ImageStore *store, BlobTemp *ret, Error *err) {
        char id[ID_LENGTH + 1];
        BlobTemp temp = { .store = store };

        id_new(id);
        (void)snprintf(temp.name, sizeof(temp.name), "blob-%.32s", id);
        temp.fd = openat(store->tmp_fd, temp.name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (temp.fd < 0)
                return error_set(err, errno, "create a file in the image store");
        *ret = temp;
        return 0;
}

void blob_temp_done(BlobTemp *temp) {
        struct stat st;

        if (!temp->store)
                return;
        if (temp->partial && fstat(temp->fd, &st) == 0 && st.st_size == 0)
                blob_partial_discard(temp);
        close_fd(&temp->fd);
        if (temp->name[0] && !temp->partial)
                (void)unlinkat(temp->store->tmp_fd, temp->name, 0);
        *temp = (BlobTemp){ .fd = -1 };
}

int blob_temp_commit(BlobTemp *temp, const char *digest, Error *err) {
        ImageStore *store = temp->store;

        if (renameat(temp->partial ? store->partial_fd : store->tmp_fd, temp->name, store->blobs_fd,
                     digest_hex(digest)) < 0)
                return error_set(err, errno, "store blob '%s'", digest);
        temp->name[0] = '\0';
        return 0;
}

/* ---- in parts ---- */

/* Whether the open file is the one of that name still: a job that had it may have moved it away. */
static bool is_named(const ImageStore *store, const BlobTemp *temp, const struct stat *st) {
        struct stat named;

        return fstatat(store->partial_fd, temp->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
               named.st_ino == st->st_ino && named.st_dev == st->st_dev;
}

int blob_partial_open(ImageStore *store, const char *digest, BlobTemp *ret, int64_t *ret_have,
                      Error *err) {
        BlobTemp temp = { .store = store, .partial = true };
        struct stat st;

        (void)snprintf(temp.name, sizeof(temp.name), "%s", digest_hex(digest));
        temp.fd = openat(store->partial_fd, temp.name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                         0600);
        if (temp.fd < 0)
                return error_set(err, errno, "open a file in the image store");
        /* The lock is brig-image's, too, which has the same open file. */
        if (flock(temp.fd, LOCK_EX | LOCK_NB) < 0 || fstat(temp.fd, &st) < 0 ||
            !is_named(store, &temp, &st)) {
                close_fd(&temp.fd);
                *ret_have = 0;
                return blob_temp_new(store, ret, err);
        }
        *ret_have = st.st_size;
        *ret = temp;
        return 0;
}

void blob_partial_discard(BlobTemp *temp) {
        if (!temp->store || !temp->partial || !temp->name[0])
                return;
        (void)unlinkat(temp->store->partial_fd, temp->name, 0);
        temp->name[0] = '\0';
}

int blob_partial_expire(ImageStore *store, const char *name, Error *err) {
        struct stat st;

        if (fstatat(store->partial_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "look at '%s' in the image store", name);
        if (clock_now() - ((int64_t)st.st_mtim.tv_sec * NSEC_PER_SEC) < PARTIAL_AGE_MAX)
                return 0;
        return dir_remove_at(store->partial_fd, name, err);
}

/* ---- whole ---- */

int blob_put(ImageStore *store, const void *data, size_t length, char digest[DIGEST_TEXT_MAX],
             Error *err) {
        digest_of(data, length, digest);
        if (blob_exists(store, digest))
                return 0;
        return file_replace_at(store->blobs_fd, digest_hex(digest), data, length, 0600, true, err);
}

static int check_digest(const char *digest, Error *err) {
        if (digest_valid(digest))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "digest '%.80s' is not sha256 and 64 hexadecimal digits",
                          digest ? digest : "");
}

int blob_open(ImageStore *store, const char *digest, int *ret_fd, int64_t *ret_size, Error *err) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r = check_digest(digest, err);

        if (r < 0)
                return r;
        fd = openat(store->blobs_fd, digest_hex(digest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set(err, errno, "open blob '%s'", digest);
        if (ret_size)
                *ret_size = st.st_size;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int blob_read(ImageStore *store, const char *digest, size_t limit, char **ret, size_t *ret_length,
              Error *err) {
        int r = check_digest(digest, err);

        return r < 0 ? r
                     : file_read_at(store->blobs_fd, digest_hex(digest), limit, ret, ret_length,
                                    err);
}

bool blob_exists(ImageStore *store, const char *digest) {
        return digest_valid(digest) && faccessat(store->blobs_fd, digest_hex(digest), F_OK, 0) == 0;
}
