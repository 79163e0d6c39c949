/* layer-blob.c: the blob of a layer that was made here: it is not kept, as the snapshot holds the
 * same files, and packing always gives the same bytes. Who saves or pushes the layer has it made.
 */
#include <errno.h>

#include "base/fd.h"
#include "image/pack.h"
#include "image/store.h"
#include "sql/sql.h"

/* 1: there is such a layer whose blob is not kept. */
static int find_unkept(ImageStore *store, const char *digest, char **ret_chain, int64_t *ret_epoch,
                       Error *err) {
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT layers.chain, epoch FROM layers JOIN unkept USING(chain) WHERE "
                            "blob=?",
                            "t", digest);

        if (r == 0)
                r = sql_step(statement, err);
        if (r > 0) {
                *ret_chain = sql_text(statement, 0);
                *ret_epoch = sqlite3_column_int64(statement, 1);
        }
        return r;
}

static int pack_snapshot(ImageStore *store, const char *chain, int64_t epoch, const char *digest,
                         BlobTemp *temp, Error *err) {
        const PackOptions options = { .overlay = true, .epoch = epoch };
        _cleanup_free_ char *path = str_format("%s/fs", digest_hex(chain));
        _cleanup_close_ int dir_fd = -1;
        char packed[DIGEST_TEXT_MAX];
        int r = dir_open_at(store->snapshots_fd, path, 0, &dir_fd, err);

        if (r == 0)
                r = pack_directory(dir_fd, temp->fd, &options, packed, NULL, err);
        if (r == 0 && !str_equal(packed, digest))
                r = error_kind(err, ERROR_INTERNAL,
                               "the files of layer %s are not those that it was made of: build or "
                               "load the image again",
                               chain);
        return r;
}

static int make(ImageStore *store, const char *digest, Error *err) {
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        _cleanup_free_ char *chain = NULL;
        int64_t epoch = -1;
        int r = find_unkept(store, digest, &chain, &epoch, err);

        if (r == 0)
                r = error_kind(err, ERROR_NOT_FOUND, "blob '%s' is lost: pull or load the image",
                               digest);
        if (r > 0)
                r = blob_temp_new(store, &temp, err);
        if (r == 0)
                r = pack_snapshot(store, chain, epoch, digest, &temp, err);
        return r < 0 ? r : blob_temp_commit(&temp, digest, err);
}

int layer_blob_open(ImageStore *store, const char *digest, int *ret_fd, int64_t *ret_size,
                    Error *err) {
        if (digest_valid(digest) && !blob_exists(store, digest)) {
                int r = make(store, digest, err);

                if (r < 0)
                        return r;
        }
        return blob_open(store, digest, ret_fd, ret_size, err);
}
