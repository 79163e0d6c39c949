/* check.c: whether the store's files and its record agree, and whether blobs are what their digests
 * say. What a job has just made is not in the record yet: it is pinned, and young. tmp/ belongs to
 * the jobs that run, and is emptied when the store is opened. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/size.h"
#include "image/store.h"
#include "sql/sql.h"

#define YOUNG_S 600 /* seconds in which a job records what it has made */
#define BLOCK ((size_t)1 << 20)
#define TOLD_EVERY ((int64_t)64 << 20)

typedef struct Check {
        ImageStore *store;
        const CheckSink *sink;
} Check;

/* repair may be NULL. */
static int tell(const Check *check, CheckFinding *finding,
                int (*repair)(Check *, const char *, Error *)) {
        Error err = {};

        finding->repairable = repair != NULL;
        if (repair && check->sink->repair) {
                finding->repaired = repair((Check *)check, finding->name, &err) >= 0;
                if (!finding->repaired)
                        finding->error = err.message;
        }
        return check->sink->found(check->sink->data, finding);
}

/* ---- what the record says ---- */

/* Under the lock. */
static bool is_named_locked(ImageStore *store, const char *sql, const char *digest) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;

        /* An error is none of being unused. */
        return map_get(&store->pins, digest) ||
               sql_prepare(store->db, &statement, NULL, sql, "t", digest) < 0 ||
               sql_step(statement, NULL) != 0;
}

static bool is_named(ImageStore *store, const char *sql, const char *digest) {
        STORE_LOCKED(store);

        return is_named_locked(store, sql, digest);
}

/* The texts of the query's column; the caller's. */
static int list_texts(ImageStore *store, const char *sql, char ***ret, Error *err) {
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err, sql, "");

        while (r >= 0 && (r = sql_step(statement, err)) > 0)
                strv_add(ret, (const char *)sqlite3_column_text(statement, 0));
        return r;
}

/* What was there before the store was opened is no running job's. */
static bool is_young(const ClockMark *opened, int dir_fd, const char *name, int64_t *ret_size) {
        struct stat st;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return true; /* gone meanwhile */
        *ret_size = S_ISREG(st.st_mode) ? st.st_size : 0;
        if (S_ISDIR(st.st_mode)) {
                int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                *ret_size = fd < 0 ? 0 : directory_size(fd);
        }
        const int64_t changed = st.st_ctim.tv_sec * NSEC_PER_SEC + st.st_ctim.tv_nsec;
        return clock_is_after(opened, changed) &&
               clock_age(opened, changed) < YOUNG_S * NSEC_PER_SEC;
}

/* Names of a directory that are digests' hex; the caller's. */
static int list_names(int dir_fd, char ***ret, Error *err) {
        _cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir)
                return error_set(err, errno, "read the image store");
        TAKE_FD(fd);
        for (const struct dirent *entry; (entry = readdir(dir));) {
                _cleanup_free_ char *digest = str_format("sha256:%s", entry->d_name);

                if (digest_valid(digest))
                        strv_add(ret, digest);
        }
        return 0;
}

/* ---- files that nothing names ---- */

/* Under one lock from the question on: a pull that begins meanwhile would find it here. */
static int drop_blob(Check *check, const char *digest, Error *err) {
        STORE_LOCKED(check->store);

        if (is_named_locked(check->store, SQL_BLOB_IN_USE, digest))
                return 0;
        return store_discard(check->store, check->store->blobs_fd, digest_hex(digest), err);
}

#define SQL_LAYER "SELECT 1 FROM layers WHERE chain=?1"

static int drop_snapshot(Check *check, const char *chain, Error *err) {
        STORE_LOCKED(check->store);

        if (is_named_locked(check->store, SQL_LAYER, chain))
                return 0;
        return store_discard(check->store, check->store->snapshots_fd, digest_hex(chain), err);
}

static int look_for_strays(Check *check, int dir_fd, const char *sql, const char *kind,
                           int (*drop)(Check *, const char *, Error *), Error *err) {
        _cleanup_strv_ char **names = NULL;
        int r = list_names(dir_fd, &names, err);

        for (size_t i = 0; r == 0 && names && names[i]; i++) {
                CheckFinding finding = {
                        .kind = (char *)kind,
                        .name = names[i],
                        .problem = (char *)"no image, index or layer has it",
                        .remedy = (char *)"it can be removed: --repair",
                };

                if (!is_named(check->store, sql, names[i]) &&
                    !is_young(&check->store->opened, dir_fd, digest_hex(names[i]), &finding.size))
                        r = tell(check, &finding, drop);
        }
        return r;
}

static int collect_unused(Check *check, const char *chain, Error *err) {
        (void)chain;
        return store_collect(check->store, NULL, NULL, err);
}

/* Bytes of a layer's blob, as far as it is the layer's alone and there. */
static int64_t blob_size_of(ImageStore *store, const char *chain) {
        _cleanup_free_ char *blob = NULL;
        struct stat st;
        STORE_LOCKED(store);

        if (sql_find_text(store->db, &blob, NULL,
                          "SELECT blob FROM layers WHERE chain=?1 AND (SELECT count(*) FROM layers "
                          "AS others WHERE others.blob=layers.blob)=1",
                          chain) <= 0 ||
            fstatat(store->blobs_fd, digest_hex(blob), &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        return st.st_size;
}

static int look_for_unused(Check *check, Error *err) {
        _cleanup_strv_ char **chains = NULL;
        int r = list_texts(
                check->store,
                "SELECT chain FROM layers WHERE chain NOT IN (SELECT chain FROM image_layers)"
                " AND chain NOT IN (SELECT chain FROM holds)",
                &chains, err);

        for (size_t i = 0; r == 0 && chains && chains[i]; i++) {
                CheckFinding finding = {
                        .kind = (char *)"layer",
                        .name = chains[i],
                        .problem = (char *)"no image, container or build has it",
                        .remedy = (char *)"it can be removed: --repair",
                };

                if (is_named(check->store, "SELECT 1 WHERE ?1 IS NULL", chains[i]) ||
                    is_young(&check->store->opened, check->store->snapshots_fd,
                             digest_hex(chains[i]), &finding.size))
                        continue;
                finding.size += blob_size_of(check->store, chains[i]);
                r = tell(check, &finding, collect_unused);
        }
        return r;
}

/* ---- what is named and not there ---- */

/* "remove and pull again: a, b" */
static char *remedy_for(ImageStore *store, const char *blob) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *list = NULL;
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, NULL,
                            "SELECT name FROM names WHERE image IN (SELECT id FROM images WHERE "
                            "id=?1 OR manifest=?1 UNION SELECT image FROM image_layers JOIN layers "
                            "USING(chain) WHERE blob=?1 OR chain=?1) LIMIT 5",
                            "t", blob);

        while (r >= 0 && (r = sql_step(statement, NULL)) > 0)
                strv_add(&names, (const char *)sqlite3_column_text(statement, 0));
        list = names ? strv_join(names, ", ") : str_copy("the images that have it");
        return str_format("remove %s and pull, load or build it again", list);
}

static int tell_of_blob(Check *check, const char *digest, const char *problem, int64_t size) {
        _cleanup_free_ char *remedy = remedy_for(check->store, digest);
        CheckFinding finding = { .kind = (char *)"blob",
                                 .name = (char *)digest,
                                 .problem = (char *)problem,
                                 .remedy = remedy,
                                 .size = size };

        return tell(check, &finding, NULL);
}

#define SQL_BLOBS                                                                                  \
        "SELECT id FROM images UNION SELECT manifest FROM images WHERE manifest IS NOT NULL "      \
        "UNION SELECT blob FROM layers WHERE chain NOT IN (SELECT chain FROM unkept) "             \
        "UNION SELECT digest FROM indexes"

static int look_for_lost_blobs(Check *check, Error *err) {
        _cleanup_strv_ char **digests = NULL;
        int r = list_texts(check->store, SQL_BLOBS, &digests, err);

        for (size_t i = 0; r == 0 && digests && digests[i]; i++)
                if (digest_valid(digests[i]) && !blob_exists(check->store, digests[i]) &&
                    is_named(check->store, SQL_BLOB_IN_USE, digests[i]))
                        r = tell_of_blob(check, digests[i], "it is gone", 0);
        return r;
}

static int restore(Check *check, const char *chain, Error *err) {
        return layer_ensure(check->store, chain, err);
}

static int look_for_lost_layers(Check *check, Error *err) {
        _cleanup_strv_ char **chains = NULL;
        int r = list_texts(check->store, "SELECT chain FROM layers", &chains, err);

        for (size_t i = 0; r == 0 && chains && chains[i]; i++) {
                _cleanup_free_ char *path = str_format("%s/fs", digest_hex(chains[i]));
                _cleanup_free_ char *remedy = NULL;
                CheckFinding finding = { .kind = (char *)"layer",
                                         .name = chains[i],
                                         .problem = (char *)"its files are gone" };

                if (faccessat(check->store->snapshots_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
                    !is_named(check->store, SQL_LAYER, chains[i]))
                        continue;
                remedy = remedy_for(check->store, chains[i]);
                finding.remedy =
                        str_format("unpack it again of its archive: --repair, or %s", remedy);
                r = tell(check, &finding, restore);
                free(finding.remedy);
        }
        return r;
}

/* ---- contents ---- */

typedef struct Reading {
        int64_t done, told, total;
} Reading;

/* *ret: it is what its name says, or it is gone meanwhile. */
static int verify_blob(Check *check, const char *digest, Reading *reading, bool *ret,
                       int64_t *ret_size, Error *err) {
        _cleanup_free_ char *block = NEW_ARRAY(char, BLOCK);
        _cleanup_close_ int fd = openat(check->store->blobs_fd, digest_hex(digest),
                                        O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        char text[DIGEST_TEXT_MAX];
        Digester digester;
        ssize_t n;

        *ret = true;
        if (fd < 0)
                return 0;
        digester_init(&digester);
        while ((n = read(fd, block, BLOCK)) > 0) {
                digester_add(&digester, block, (size_t)n);
                *ret_size += n;
                reading->done += n;
                if (reading->done - reading->told < TOLD_EVERY)
                        continue;
                reading->told = reading->done;
                int r = check->sink->progress(check->sink->data, "blobs", reading->done,
                                              reading->total);
                if (r < 0)
                        return r;
        }
        if (n < 0)
                return error_set(err, errno, "read blob %s", digest);
        digester_end(&digester, text);
        *ret = str_equal(text, digest);
        return 0;
}

static int64_t size_of(int dir_fd, char *const *digests) {
        int64_t total = 0;
        struct stat st;

        for (; digests && *digests; digests++)
                if (fstatat(dir_fd, digest_hex(*digests), &st, AT_SYMLINK_NOFOLLOW) == 0)
                        total += st.st_size;
        return total;
}

static int verify_all(Check *check, Error *err) {
        _cleanup_strv_ char **digests = NULL;
        Reading reading = {};
        int r = list_names(check->store->blobs_fd, &digests, err);

        reading.total = size_of(check->store->blobs_fd, digests);
        for (size_t i = 0; r == 0 && digests && digests[i]; i++) {
                int64_t size = 0;
                bool good;

                r = verify_blob(check, digests[i], &reading, &good, &size, err);
                if (r == 0 && !good && blob_exists(check->store, digests[i]))
                        r = tell_of_blob(check, digests[i],
                                         "its content is not what its digest says", size);
        }
        return r;
}

int image_check(ImageStore *store, const CheckSink *sink, bool contents, Error *err) {
        Check check = { store, sink };
        int r = look_for_unused(&check, err);

        if (r == 0)
                r = look_for_strays(&check, store->snapshots_fd, SQL_LAYER, "layer-directory",
                                    drop_snapshot, err);
        if (r == 0)
                r = look_for_strays(&check, store->blobs_fd, SQL_BLOB_IN_USE, "blob", drop_blob,
                                    err);
        if (r == 0)
                r = look_for_lost_layers(&check, err);
        if (r == 0)
                r = look_for_lost_blobs(&check, err);
        return r == 0 && contents ? verify_all(&check, err) : r;
}
