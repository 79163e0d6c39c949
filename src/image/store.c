/* store.c: opens the store, brings disk and record into agreement, and keeps pins. See store.h. */
#include "image/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/log.h"
#include "image/origin.h"
#include "sql/sql.h"

/* What a killed daemon left is mostly gone before anybody looks. */
#define REMOVAL_PATIENCE (5 * NSEC_PER_SEC)

static const char schema[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA "
        "cache_size=-256;"
        "CREATE TABLE IF NOT EXISTS images(id TEXT PRIMARY KEY, manifest TEXT, tagged_at INTEGER "
        "NOT NULL);"
        "CREATE TABLE IF NOT EXISTS names(name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES "
        "images(id) ON DELETE CASCADE);"
        "CREATE INDEX IF NOT EXISTS names_image ON names(image);"
        "CREATE TABLE IF NOT EXISTS layers(chain TEXT PRIMARY KEY, parent TEXT, diff TEXT NOT "
        "NULL, blob TEXT NOT NULL,"
        " media_type TEXT NOT NULL, blob_size INTEGER NOT NULL, size INTEGER NOT NULL);"
        "CREATE INDEX IF NOT EXISTS layers_blob ON layers(blob);"
        "CREATE TABLE IF NOT EXISTS image_layers(image TEXT NOT NULL REFERENCES images(id) ON "
        "DELETE CASCADE,"
        " position INTEGER NOT NULL, chain TEXT NOT NULL REFERENCES layers(chain), PRIMARY "
        "KEY(image, position));"
        "CREATE INDEX IF NOT EXISTS image_layers_chain ON image_layers(chain);"
        "CREATE TABLE IF NOT EXISTS holds(holder TEXT NOT NULL, chain TEXT NOT NULL REFERENCES "
        "layers(chain),"
        " PRIMARY KEY(holder, chain));"
        "CREATE INDEX IF NOT EXISTS holds_chain ON holds(chain);"
        "CREATE TABLE IF NOT EXISTS unsynced(chain TEXT PRIMARY KEY REFERENCES layers(chain) ON "
        "DELETE CASCADE);"
        "CREATE TABLE IF NOT EXISTS unkept(chain TEXT PRIMARY KEY REFERENCES layers(chain) ON "
        "DELETE CASCADE, epoch INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS indexes(digest TEXT PRIMARY KEY);"
        "CREATE TABLE IF NOT EXISTS index_images(index_digest TEXT NOT NULL REFERENCES "
        "indexes(digest) ON DELETE CASCADE,"
        " manifest TEXT NOT NULL, image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,"
        " host INTEGER NOT NULL, PRIMARY KEY(index_digest, manifest));"
        "CREATE INDEX IF NOT EXISTS index_images_image ON index_images(image);"
        "CREATE INDEX IF NOT EXISTS index_images_manifest ON index_images(manifest);"
        "CREATE TABLE IF NOT EXISTS name_indexes(name TEXT PRIMARY KEY REFERENCES names(name) ON "
        "DELETE CASCADE, digest TEXT NOT NULL REFERENCES indexes(digest));"
        "CREATE INDEX IF NOT EXISTS name_indexes_digest ON name_indexes(digest);"
        "CREATE TABLE IF NOT EXISTS uses(image TEXT PRIMARY KEY REFERENCES images(id) ON DELETE "
        "CASCADE, at INTEGER NOT NULL);" /* besides images.tagged_at */
        "CREATE TABLE IF NOT EXISTS origins(blob TEXT NOT NULL, registry TEXT NOT NULL, repository "
        "TEXT NOT NULL,"
        " PRIMARY KEY(blob, registry, repository));"
        "DROP TABLE IF EXISTS packed;" /* of earlier versions: gzip alone */
        "CREATE TABLE IF NOT EXISTS repacked(blob TEXT NOT NULL, form TEXT NOT NULL, digest TEXT "
        "NOT NULL, size INTEGER NOT NULL, PRIMARY KEY(blob, form));"
        "CREATE TABLE IF NOT EXISTS image_forms(image TEXT PRIMARY KEY REFERENCES images(id) ON "
        "DELETE CASCADE, form TEXT NOT NULL);"
        /* Images and indexes that a job has made and has further use for: no removal takes them.
           They are the daemon's that has the job, and gone with it. */
        "PRAGMA temp_store=MEMORY;"
        "CREATE TEMP TABLE IF NOT EXISTS leases(holder TEXT NOT NULL, digest TEXT NOT NULL, "
        "PRIMARY KEY(holder, digest));";

typedef struct Pin {
        unsigned users;
        bool busy; /* its layer is being made */
} Pin;

void store_lock(ImageStore *store) {
        (void)pthread_mutex_lock(&store->lock);
}

void store_unlock(ImageStore *store) {
        (void)pthread_mutex_unlock(&store->lock);
}

/* ---- pins ---- */

static Pin *pin_of(ImageStore *store, const char *key) {
        Pin *pin = map_get(&store->pins, key);

        if (!pin) {
                pin = NEW(Pin);
                (void)map_put(&store->pins, key, pin);
        }
        return pin;
}

void pins_add(PinSet *pins, const char *key) {
        STORE_LOCKED(pins->store);

        pins_add_locked(pins, key);
}

void pins_add_locked(PinSet *pins, const char *key) {
        if (strv_has(pins->keys, key))
                return;
        pin_of(pins->store, key)->users++;
        strv_add(&pins->keys, key);
}

void pins_release(PinSet *pins) {
        if (!pins->store)
                return;
        STORE_LOCKED(pins->store);
        for (size_t i = 0; pins->keys && pins->keys[i]; i++) {
                Pin *pin = map_get(&pins->store->pins, pins->keys[i]);

                if (--pin->users == 0)
                        free(map_drop(&pins->store->pins, pins->keys[i]));
        }
        pins->keys = strv_free(pins->keys);
}

static bool layer_recorded(ImageStore *store, const char *chain) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;

        return sql_prepare(store->db, &statement, NULL, "SELECT 1 FROM layers WHERE chain=?", "t",
                           chain) == 0 &&
               sql_step(statement, NULL) > 0;
}

int layer_claim(PinSet *pins, const char *chain, int (*check)(void *data), void *data, bool *ret,
                Error *err) {
        ImageStore *store = pins->store;
        Pin *pin;

        pins_add(pins, chain);
        STORE_LOCKED(store);
        pin = pin_of(store, chain);
        while (pin->busy) {
                struct timespec until;

                (void)clock_gettime(CLOCK_MONOTONIC, &until);
                until.tv_sec++; /* the other job's end wakes this one; the second is for check */
                (void)pthread_cond_clockwait(&store->changed, &store->lock, CLOCK_MONOTONIC,
                                             &until);
                if (check && check(data) < 0)
                        return error_kind(err, ERROR_UNAVAILABLE, "cancelled");
        }
        *ret = layer_recorded(store, chain);
        pin->busy = !*ret;
        return 0;
}

void layer_give_up(ImageStore *store, const char *chain) {
        STORE_LOCKED(store);

        pin_of(store, chain)->busy = false;
        (void)pthread_cond_broadcast(&store->changed);
}

/* ---- opening ---- */

/* Calls visit with each name in the directory; it may remove the entry. */
static int each_entry(int dir_fd, int (*visit)(ImageStore *, const char *, Error *),
                      ImageStore *store, Error *err) {
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!dir)
                return error_set(err, errno, "read a directory of the image store");
        while ((entry = readdir(dir))) {
                int r;

                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
                        continue;
                r = visit(store, entry->d_name, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int store_discard(ImageStore *store, int dir_fd, const char *name, Error *err) {
        char id[ID_LENGTH + 1];

        id_new(id);
        if (renameat(dir_fd, name, store->tmp_fd, id) < 0)
                /* A full disk may have no room for another name, but takes one away. */
                return errno == ENOENT ? 0 : dir_remove_at(dir_fd, name, err);
        remover_add(&store->remover, store->tmp_fd, id);
        return 0;
}

static int remove_temporary(ImageStore *store, const char *name, Error *err) {
        (void)err;
        remover_add(&store->remover, store->tmp_fd, name);
        return 0;
}

static int recorded(ImageStore *store, const char *sql, const char *name, bool *ret, Error *err) {
        _cleanup_free_ char *digest = str_format("sha256:%s", name);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err, sql, "t", digest);

        if (r == 0)
                r = sql_step(statement, err);
        *ret = r > 0;
        return r < 0 ? r : 0;
}

static int check_snapshot(ImageStore *store, const char *name, Error *err) {
        bool known;
        int r = recorded(store, "SELECT 1 FROM layers WHERE chain=?", name, &known, err);

        if (r < 0 || known)
                return r;
        log_info("image store: removing the unfinished snapshot %.12s", name);
        return store_discard(store, store->snapshots_fd, name, err);
}

static int check_blob(ImageStore *store, const char *name, Error *err) {
        bool known;
        int r = recorded(store, SQL_BLOB_IN_USE, name, &known, err);

        if (r < 0 || known)
                return r;
        log_info("image store: removing the unfinished blob %.12s", name);
        return store_discard(store, store->blobs_fd, name, err);
}

/* A database that was restored may lack what the files belong to: a check tells of them. */
static int remove_unknown(ImageStore *store, const char *path, Error *err) {
        if (sql_was_restored(path)) {
                log_warn("'%s.damaged' is there: layers and blobs that the record does not know "
                         "stay; "
                         "'brig system check' lists them. Remove that file once nothing is missed",
                         path);
                return 0;
        }
        int r = each_entry(store->snapshots_fd, check_snapshot, store, err);
        return r < 0 ? r : each_entry(store->blobs_fd, check_blob, store, err);
}

static int reconcile(ImageStore *store, const char *path, Error *err) {
        int r = each_entry(store->tmp_fd, remove_temporary, store, err);

        if (r == 0)
                r = store_drop_unsynced(store, err);
        if (r == 0)
                r = store_set_aside(store, err);
        if (r == 0)
                r = origins_expire(store, err);
        if (r == 0)
                r = each_entry(store->partial_fd, blob_partial_expire, store, err);
        return r < 0 ? r : remove_unknown(store, path, err);
}

static int open_database(ImageStore *store, const char *path, Error *err) {
        int r = sql_check_file(path, err);

        if (r == 0)
                r = sql_open_at(store->root_fd, "images.db", schema, &store->db, err);
        if (r < 0)
                return r;
        store->copier = sql_copier_new(path);
        sql_copier_watch(store->copier, store->db);
        sql_copier_want(store->copier); /* what a killed daemon did last */
        return 0;
}

static int open_directories(ImageStore *store, int root_fd, Error *err) {
        int r = 0;

        store->root_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
        if (store->root_fd < 0)
                return error_set(err, errno, "open the image store");
        r = dir_open_at(store->root_fd, "blobs/sha256", 0700, &store->blobs_fd, err);
        if (r == 0)
                r = dir_open_at(store->root_fd, "snapshots", 0710, &store->snapshots_fd, err);
        if (r == 0)
                r = dir_open_at(store->root_fd, "partial", 0700, &store->partial_fd, err);
        return r < 0 ? r : dir_open_at(store->root_fd, "tmp", 0700, &store->tmp_fd, err);
}

int image_store_open(int root_fd, const char *unpacker, ImageStore **ret, Error *err) {
        _cleanup_(image_store_freep) ImageStore *store = NEW(ImageStore);
        _cleanup_free_ char *path = NULL;
        int r;

        *store = (ImageStore){
                .root_fd = -1,
                .blobs_fd = -1,
                .snapshots_fd = -1,
                .partial_fd = -1,
                .tmp_fd = -1,
                .opened = clock_mark(),
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .changed = PTHREAD_COND_INITIALIZER,
                .restoring = PTHREAD_MUTEX_INITIALIZER,
                .helper = str_copy(unpacker),
        };
        remover_init(&store->remover, "image store");
        r = open_directories(store, root_fd, err);
        if (r == 0)
                r = sql_path_at(store->root_fd, "images.db", &path, err);
        if (r == 0)
                r = open_database(store, path, err);
        if (r == 0)
                r = reconcile(store, path, err);
        remover_wait(&store->remover, REMOVAL_PATIENCE);
        if (r < 0)
                return error_prefix(err, "open the image store");
        *ret = TAKE_PTR(store);
        return 0;
}

ImageStore *image_store_free(ImageStore *store) {
        Error why = {};

        if (!store)
                return NULL;
        if (store->db && store_settle(store, &why) < 0)
                log_warn("image store: %s", why.message);
        remover_done(&store->remover);
        sql_copier_free(store->copier);
        sql_close(store->db);
        map_done(&store->pins, free);
        map_done(&store->descriptors, descriptor_free);
        close_fd(&store->tmp_fd);
        close_fd(&store->partial_fd);
        close_fd(&store->snapshots_fd);
        close_fd(&store->blobs_fd);
        close_fd(&store->root_fd);
        (void)pthread_cond_destroy(&store->changed);
        (void)pthread_mutex_destroy(&store->lock);
        (void)pthread_mutex_destroy(&store->restoring);
        free(store->helper);
        free(store);
        return NULL;
}

void image_on_removed(ImageStore *store, void (*removed)(void *data), void *data) {
        remover_on_idle(&store->remover, removed, data);
}

void image_removed_wait(ImageStore *store, int64_t patience) {
        remover_wait(&store->remover, patience);
}

void image_removed_hurry(ImageStore *store) {
        remover_hurry(&store->remover);
}

int store_sync(ImageStore *store, Error *err) {
        if (syncfs(store->root_fd) < 0)
                return error_set(err, errno, "sync the image store");
        return 0;
}
