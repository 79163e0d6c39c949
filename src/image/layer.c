/* layer.c: a layer's snapshot: unpacked by brig-image into tmp/, checked, moved to its place and
 * recorded, in that order; and unpacked again where it is lost. See store.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/id.h"
#include "image/store.h"
#include "sql/sql.h"

void layer_done(Layer *layer) {
        free(layer->media_type);
        layer->media_type = NULL;
}

static void read_digest(sqlite3_stmt *statement, int column, char text[DIGEST_TEXT_MAX]) {
        const char *value = (const char *)sqlite3_column_text(statement, column);

        (void)snprintf(text, DIGEST_TEXT_MAX, "%s", value ? value : "");
}

int layer_load(ImageStore *store, const char *chain, Layer *ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT chain, parent, diff, blob, media_type, blob_size, size FROM "
                            "layers WHERE chain=?",
                            "t", chain);

        if (r == 0)
                r = sql_step(statement, err);
        if (r < 0)
                return r;
        if (r == 0)
                return error_kind(err, ERROR_NOT_FOUND, "no layer '%s' in the image store", chain);
        read_digest(statement, 0, ret->chain);
        read_digest(statement, 1, ret->parent);
        read_digest(statement, 2, ret->diff);
        read_digest(statement, 3, ret->blob);
        ret->media_type = sql_text(statement, 4);
        ret->blob_size = sqlite3_column_int64(statement, 5);
        ret->size = sqlite3_column_int64(statement, 6);
        return 0;
}

/* ---- unpacking ---- */

int unpack_start(ImageStore *store, int input_fd, int copy_fd, Unpack *ret, Error *err) {
        char id[ID_LENGTH + 1];
        Unpack unpack = { .store = store, .helper = { .socket = -1 } };
        _cleanup_free_ char *target = NULL;
        _cleanup_close_ int target_fd = -1;
        int r;

        id_new(id);
        (void)snprintf(unpack.name, sizeof(unpack.name), "snap-%.32s", id);
        target = str_format("%s/fs", unpack.name);
        r = dir_open_at(store->tmp_fd, target, 0755, &target_fd, err);
        if (r == 0) {
                const SpawnFd fds[] = {
                        { input_fd, IMAGE_FD_INPUT },
                        { target_fd, IMAGE_FD_TARGET },
                        { copy_fd, IMAGE_FD_COPY },
                };

                r = helper_start(store->helper, "unpack", fds, ELEMENTS(fds), &unpack.helper, err);
        }
        if (r < 0)
                unpack_done(&unpack);
        else
                *ret = unpack;
        return r;
}

int unpack_step(Unpack *unpack, int64_t *ret_consumed, Error *err) {
        _cleanup_(image_message_done) ImageMessage message = {};
        int r = helper_report(&unpack->helper, &message, err);

        if (r < 0)
                return r;
        if (r == 0) {
                *ret_consumed = message.current;
                return 0;
        }
        if (!digest_valid(message.digest))
                return error_kind(err, ERROR_INTERNAL, "unpack: brig-image gave no digest");
        memcpy(unpack->diff, message.digest, DIGEST_TEXT_MAX);
        unpack->size = message.size;
        unpack->media_type = TAKE_PTR(message.media_type);
        return 1;
}

int unpack_finish(Unpack *unpack, Error *err) {
        int64_t consumed;
        int r;

        do
                r = unpack_step(unpack, &consumed, err);
        while (r == 0);
        return r < 0 ? r : 0;
}

void unpack_done(Unpack *unpack) {
        if (!unpack->store)
                return;
        helper_end(&unpack->helper);
        if (unpack->name[0])
                (void)dir_remove_at(unpack->store->tmp_fd, unpack->name,
                                    NULL); /* else at the next start */
        free(unpack->media_type);
        *unpack = (Unpack){ .helper.socket = -1 };
}

static int move_snapshot(ImageStore *store, int from_fd, const char *name, const char *chain,
                         Error *err) {
        /* An unrecorded or damaged one of that name can only be a leftover. */
        int r = dir_remove_at(store->snapshots_fd, digest_hex(chain), err);

        if (r < 0)
                return r;
        if (renameat(from_fd, name, store->snapshots_fd, digest_hex(chain)) == 0)
                return 0;
        if (errno == EXDEV)
                return error_set(err, errno,
                                 "store snapshot '%s': '%s' must be made on the image store's own "
                                 "mount",
                                 chain, name);
        return error_set(err, errno, "store snapshot '%s'", chain);
}

/* ---- landing ---- */

/* One transaction: who holds it, holds it from the first moment on. */
static int insert(ImageStore *store, const Layer *layer, const LayerPlace *place, Error *err) {
        STORE_LOCKED(store);
        int r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");

        if (r < 0)
                return r;
        r = sql_run(store->db, err,
                    "INSERT OR IGNORE INTO layers(chain, parent, diff, blob, media_type, "
                    "blob_size, size)"
                    " VALUES(?,?,?,?,?,?,?)",
                    "tttttii", layer->chain, *layer->parent ? layer->parent : NULL, layer->diff,
                    layer->blob, layer->media_type, layer->blob_size, layer->size);
        if (r == 0 && place->holder)
                r = sql_run(store->db, err,
                            "INSERT OR IGNORE INTO holds(holder, chain) VALUES(?,?)", "tt",
                            place->holder, layer->chain);
        if (r == 0 && place->unkept)
                r = sql_run(store->db, err,
                            "INSERT OR IGNORE INTO unkept(chain, epoch) VALUES(?,?)", "ti",
                            layer->chain, place->epoch);
        if (r == 0 && place->unsynced)
                r = sql_run(store->db, err, "INSERT OR IGNORE INTO unsynced(chain) VALUES(?)", "t",
                            layer->chain);
        return sql_end(store->db, r, err);
}

static int sync_directories(ImageStore *store, Error *err) {
        if (fsync(store->blobs_fd) < 0 || fsync(store->snapshots_fd) < 0)
                return error_set(err, errno, "sync the image store's directories");
        return 0;
}

int layer_place(ImageStore *store, const Layer *layer, const LayerPlace *place, BlobTemp *temp,
                Error *err) {
        int r = place->unsynced ? 0 : store_sync(store, err);

        if (r == 0)
                r = failpoint("image.layer-synced", err);
        if (r == 0 && temp)
                r = blob_temp_commit(temp, layer->blob, err);
        if (r == 0)
                r = move_snapshot(store, place->from_fd, place->name, layer->chain, err);
        if (r == 0 && !place->unsynced)
                r = sync_directories(store, err);
        if (r == 0)
                r = failpoint("image.layer-moved", err);
        return r < 0 ? r : insert(store, layer, place, err);
}

static int land(Layer *layer, Unpack *unpack, BlobTemp *temp, Error *err) {
        const LayerPlace place = { .from_fd = unpack->store->tmp_fd, .name = unpack->name };

        if (!str_equal(layer->diff, unpack->diff))
                return error_kind(err, ERROR_INVALID,
                                  "layer %s holds %s, but the image's configuration says %s: the "
                                  "image is damaged",
                                  layer->blob, unpack->diff, layer->diff);
        if (!unpack->media_type)
                return error_kind(err, ERROR_INVALID,
                                  "layer %s is compressed, but not with gzip or zstd", layer->blob);
        str_replace(&layer->media_type, unpack->media_type);
        layer->size = unpack->size;
        return layer_place(unpack->store, layer, &place, temp, err);
}

int layer_land(Layer *layer, Unpack *unpack, BlobTemp *temp, Error *err) {
        ImageStore *store = unpack->store;
        int r = land(layer, unpack, temp, err);

        layer_give_up(store, layer->chain);
        return r;
}

/* ---- again ---- */

static int restore(ImageStore *store, const Layer *layer, Error *err) {
        _cleanup_(unpack_done) Unpack unpack = {};
        _cleanup_close_ int blob_fd = -1;
        int r;

        if (!blob_exists(store, layer->blob))
                return error_kind(err, ERROR_NOT_FOUND,
                                  "the files of layer %s are lost: build, pull or load the image "
                                  "again",
                                  layer->chain);
        r = blob_open(store, layer->blob, &blob_fd, NULL, err);
        if (r == 0)
                r = unpack_start(store, blob_fd, -1, &unpack, err);
        if (r == 0)
                r = unpack_finish(&unpack, err);
        if (r < 0)
                return error_prefix(err, "restore layer %s", layer->chain);
        if (!str_equal(unpack.diff, layer->diff))
                return error_kind(err, ERROR_INTERNAL,
                                  "blob '%s' is damaged: pull or load the image again",
                                  layer->blob);
        r = store_sync(store, err);
        if (r == 0)
                r = move_snapshot(store, store->tmp_fd, unpack.name, layer->chain, err);
        return r < 0 ? r : sync_directories(store, err);
}

static bool is_unpacked(const ImageStore *store, const char *chain) {
        _cleanup_free_ char *path = str_format("%s/fs", digest_hex(chain));

        return faccessat(store->snapshots_fd, path, F_OK, 0) == 0;
}

static int find_layer(ImageStore *store, const char *chain, Layer *ret, Error *err) {
        STORE_LOCKED(store);

        return layer_load(store, chain, ret, err);
}

static void unlock_mutexp(pthread_mutex_t **mutex) {
        (void)pthread_mutex_unlock(*mutex);
}

int layer_ensure(ImageStore *store, const char *chain, Error *err) {
        _cleanup_(layer_done) Layer layer = {};
        int r;

        if (is_unpacked(store, chain))
                return 0;
        r = find_layer(store, chain, &layer, err);
        if (r < 0)
                return r;
        /* One at a time: a second restorer would replace what the first one's caller has mounted.
         */
        (void)pthread_mutex_lock(&store->restoring);
        _cleanup_(unlock_mutexp) UNUSED pthread_mutex_t *locked = &store->restoring;
        return is_unpacked(store, chain) ? 0 : restore(store, &layer, err);
}

int image_layer_path(ImageStore *store, const char *chain, char **ret_path, Error *err) {
        _cleanup_(layer_done) Layer layer = {};
        int r = find_layer(store, chain, &layer, err);

        if (r == 0)
                r = layer_ensure(store, chain, err);
        if (r == 0)
                *ret_path = str_format("snapshots/%s/fs", digest_hex(chain));
        return r;
}
