/* copy.c: see copy.h. */
#include "sql/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "sql/sql.h"

#define COPY_DELAY_S 2
#define CHECKPOINT_PAGES 1000 /* SQLite's own default */
#define BUSY_TIMEOUT_MS 5000

struct SqlCopier {
        char *path;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        pthread_t thread;
        bool wanted, closing;
        bool running;    /* the thread looks at `wanted` once more before it ends */
        bool has_thread; /* which may have ended, and is to be joined */
};

static char *beside(const char *path, const char *end) {
        return str_format("%s%s", path, end);
}

/* ---- writing ---- */

/* By a connection of its own: the others go on. A copy that is not whole has another name. */
static int write_copy(const char *path, const char *new, Error *err) {
        sqlite3 *db = NULL;
        char *sql = sqlite3_mprintf("PRAGMA cache_size=-64; VACUUM INTO %Q", new);
        int r = 0;

        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
            SQLITE_OK)
                (void)sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
        if (!sql || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                r = sql_error(db, err, "copy it");
        sqlite3_free(sql);
        (void)sqlite3_close(db);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = open(new, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fdatasync(fd) < 0)
                return error_set(err, errno, "write '%s'", new);
        return 0;
}

/* The directory is not synced: after a power cut the copy is this one or the one before. */
static void copy_now(const char *path) {
        _cleanup_free_ char *copy = beside(path, ".copy"), *new = beside(path, ".copy.new");
        _cleanup_free_ char *journal = beside(path, ".copy.new-journal");
        Error err = {};

        (void)unlink(journal); /* of one that a killed daemon began */
        (void)unlink(new);
        int r = sql_make_private(new, &err);
        if (r == 0)
                r = write_copy(path, new, &err);
        if (r == 0 && rename(new, copy) < 0)
                r = error_set(&err, errno, "rename '%s'", new);
        if (r == 0)
                return;
        (void)unlink(new);
        log_warn("the copy of '%s' stays as it was: %s", path, err.message);
}

static void *copier_main(void *data) {
        SqlCopier *copier = data;

        (void)pthread_mutex_lock(&copier->lock);
        while (copier->wanted) {
                struct timespec until;

                (void)clock_gettime(CLOCK_MONOTONIC, &until);
                until.tv_sec += COPY_DELAY_S;
                while (!copier->closing && pthread_cond_clockwait(&copier->changed, &copier->lock,
                                                                  CLOCK_MONOTONIC, &until) == 0)
                        ;
                copier->wanted = false;
                (void)pthread_mutex_unlock(&copier->lock);
                copy_now(copier->path);
                (void)pthread_mutex_lock(&copier->lock);
        }
        copier->running = false;
        (void)pthread_mutex_unlock(&copier->lock);
        return NULL;
}

SqlCopier *sql_copier_new(const char *path) {
        SqlCopier *copier = NEW(SqlCopier);

        copier->path = str_copy(path);
        (void)pthread_mutex_init(&copier->lock, NULL);
        (void)pthread_cond_init(&copier->changed, NULL);
        return copier;
}

void sql_copier_want(SqlCopier *copier) {
        (void)pthread_mutex_lock(&copier->lock);
        copier->wanted = true;
        if (!copier->running) {
                if (copier->has_thread)
                        (void)pthread_join(copier->thread, NULL); /* it has ended, or is about to */
                /* Without a thread the next change, or the end, makes the copy. */
                copier->running = copier->has_thread =
                        pthread_create(&copier->thread, NULL, copier_main, copier) == 0;
        }
        (void)pthread_mutex_unlock(&copier->lock);
}

static int on_commit(void *data, sqlite3 *db, const char *name, int pages) {
        if (pages >= CHECKPOINT_PAGES)
                (void)sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        sql_copier_want(data);
        return SQLITE_OK;
}

void sql_copier_watch(SqlCopier *copier, sqlite3 *db) {
        (void)sqlite3_wal_hook(db, on_commit, copier);
}

SqlCopier *sql_copier_free(SqlCopier *copier) {
        if (!copier)
                return NULL;
        (void)pthread_mutex_lock(&copier->lock);
        copier->closing = true;
        (void)pthread_cond_signal(&copier->changed);
        (void)pthread_mutex_unlock(&copier->lock);
        if (copier->has_thread)
                (void)pthread_join(copier->thread, NULL);
        if (copier->wanted)
                copy_now(copier->path);
        (void)pthread_cond_destroy(&copier->changed);
        (void)pthread_mutex_destroy(&copier->lock);
        free(copier->path);
        free(copier);
        return NULL;
}

/* ---- damage ---- */

/* -EUCLEAN with words of SQLite's, or of its kind: damaged. */
static int ask_file(sqlite3 *db, bool *ret_empty, Error *err) {
        _cleanup_sql_ sqlite3_stmt *check = NULL;
        int64_t tables = 0;
        int r = sql_prepare(db, &check, err, "PRAGMA quick_check(1)", "");

        if (r == 0)
                r = sql_step(check, err);
        if (r < 0)
                return r;
        const char *answer = r > 0 ? (const char *)sqlite3_column_text(check, 0) : NULL;
        if (!str_equal(answer, "ok"))
                return error_set(err, EUCLEAN, "%s", answer ?: "no answer");
        r = sql_number(db, &tables, err, "SELECT count(*) FROM sqlite_master", "");
        *ret_empty = tables == 0;
        return r;
}

static int quick_check(const char *path, bool *ret_empty, Error *err) {
        sqlite3 *db = NULL;
        int r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
                                SQLITE_OK
                        ? ask_file(db, ret_empty, err)
                        : sql_error(db, err, "open it");

        sql_close(db);
        return r;
}

/* What is to be done, by whether the copy is there. -EUCLEAN, whose words would add nothing. */
static int refuse(const char *path, const char *why, Error *err) {
        _cleanup_free_ char *copy = beside(path, ".copy");
        char when[CLOCK_TEXT_MAX];
        struct stat st;

        if (stat(copy, &st) < 0)
                (void)error_kind(
                        err, ERROR_INTERNAL,
                        "the record '%s' is damaged (%s), and has no copy. Containers that run go "
                        "on. Bring back a backup of it, or move it to '%s.damaged': then brigd "
                        "begins an empty one, and removes nothing that it does not know",
                        path, why, path);
        else
                (void)error_kind(
                        err, ERROR_INTERNAL,
                        "the record '%s' is damaged (%s). Containers that run go on. Run brigd "
                        "once "
                        "with --restore and the options that it has otherwise: it puts the copy of "
                        "%s in its place",
                        path, why, clock_format(st.st_mtim.tv_sec * NSEC_PER_SEC, when));
        if (err)
                err->number = EUCLEAN;
        return -EUCLEAN;
}

int sql_check_file(const char *path, Error *err) {
        _cleanup_free_ char *copy = beside(path, ".copy");
        const bool has_copy = access(copy, F_OK) == 0;
        bool empty = false;
        Error why = {};

        if (access(path, F_OK) < 0) {
                if (errno != ENOENT)
                        return error_set(err, errno, "open the record '%s'", path);
                return has_copy ? refuse(path, "it is gone", err) : 0;
        }
        int r = quick_check(path, &empty, &why);
        if (r == -EUCLEAN)
                return refuse(path, why.message, err);
        if (r == 0 && empty && has_copy) /* its log is gone */
                return refuse(path, "it is empty", err);
        if (r < 0 && err)
                *err = why;
        return r;
}

static int rename_if_there(const char *from, const char *to, Error *err) {
        if (rename(from, to) < 0 && errno != ENOENT)
                return error_set(err, errno, "rename '%s' to '%s'", from, to);
        return 0;
}

static int sync_directory(const char *path, Error *err) {
        _cleanup_free_ char *directory = str_copy_n(path, (size_t)(strrchr(path, '/') - path));
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fsync(fd) < 0)
                return error_set(err, errno, "sync '%s'", directory);
        return 0;
}

/* It is there even where the file was gone, as what tells of the restoration. */
static int keep_damaged(const char *path, Error *err) {
        _cleanup_free_ char *damaged = beside(path, ".damaged");
        int r = rename_if_there(path, damaged, err);

        if (r < 0)
                return r;
        _cleanup_close_ int fd = open(damaged, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
        return fd < 0 ? error_set(err, errno, "make '%s'", damaged) : 0;
}

/* The copy is moved last, the file first: one that is gone is refused, so whatever happens in
 * between, the next run does the rest. The log alone may be what shows the damage. */
static int put_copy(const char *path, const char *copy, Error *err) {
        _cleanup_free_ char *log = beside(path, "-wal"), *index = beside(path, "-shm");
        _cleanup_free_ char *old = beside(path, ".damaged-wal");

        if (unlink(index) < 0 && errno != ENOENT)
                return error_set(err, errno, "remove '%s'", index);
        int r = keep_damaged(path, err);
        if (r == 0)
                r = rename_if_there(log, old, err);
        if (r == 0)
                r = sync_directory(path, err);
        if (r == 0 && rename(copy, path) < 0)
                r = error_set(err, errno, "rename '%s'", copy);
        return r < 0 ? r : sync_directory(path, err);
}

int sql_restore(const char *path, bool *ret, Error *err) {
        _cleanup_free_ char *copy = beside(path, ".copy");
        bool empty = false;
        Error why = {};
        int r = sql_check_file(path, &why);

        *ret = false;
        if (r == 0)
                return 0;
        if (r != -EUCLEAN || access(copy, F_OK) < 0) {
                if (err)
                        *err = why;
                return r;
        }
        r = quick_check(copy, &empty, err);
        if (r < 0)
                return error_prefix(err, "the copy '%s' is damaged as well", copy);
        r = put_copy(path, copy, err);
        *ret = r == 0;
        return r;
}

bool sql_was_restored(const char *path) {
        _cleanup_free_ char *damaged = beside(path, ".damaged");

        return access(damaged, F_OK) == 0;
}
