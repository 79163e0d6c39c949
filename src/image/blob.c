/* blob.c: content by digest, below blobs/sha256. See store.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/id.h"
#include "image/store.h"

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
        if (!temp->store)
                return;
        close_fd(&temp->fd);
        if (temp->name[0])
                (void)unlinkat(temp->store->tmp_fd, temp->name, 0);
        *temp = (BlobTemp){ .fd = -1 };
}

int blob_temp_commit(BlobTemp *temp, const char *digest, Error *err) {
        ImageStore *store = temp->store;

        if (renameat(store->tmp_fd, temp->name, store->blobs_fd, digest_hex(digest)) < 0)
                return error_set(err, errno, "store blob '%s'", digest);
        temp->name[0] = '\0';
        return 0;
}

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
