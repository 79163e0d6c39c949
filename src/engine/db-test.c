/* db-test.c: rows, transactions and refusals of the record. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/test.h"
#include "engine/db.h"

#define COMMITS 30000

static char directory[] = "/tmp/brig-db-XXXXXX";

static char *path_of(const char *name) {
        return str_format("%s/%s", directory, name);
}

static void db_freep(Db **db) {
        db_close(*db);
}

static int collect(void *data, const DbRecord *record, Error *err) {
        buf_format(data, "%s=%s:%s:%s;", record->id, record->name ? record->name : "-",
                   record->document ? record->document : "-", record->state ? record->state : "-");
        return 0;
}

TEST(rows) {
        _cleanup_(db_freep) Db *db = NULL;
        _cleanup_free_ char *path = path_of("rows.db");
        _cleanup_buf_ Buf seen = { 0 };
        Error err = { 0 };

        ASSERT_OK(db_open(path, &db, &err), &err);
        ASSERT_OK(db_insert(db, DB_CONTAINERS, &(DbRecord){ "a", "one", "{}", "[1]" }, true, &err),
                  &err);
        ASSERT_OK(db_insert(db, DB_CONTAINERS, &(DbRecord){ "b", "two", "{}", NULL }, false, &err),
                  &err);
        ASSERT_OK(
                db_update(db, DB_CONTAINERS, &(DbRecord){ .id = "a", .state = "[2]" }, false, &err),
                &err);
        ASSERT_OK(db_each(db, DB_CONTAINERS, collect, &seen, &err), &err);
        ASSERT_STR(seen.data, "a=one:{}:[2];b=two:{}:-;");
        /* A name is one container's only. */
        ASSERT_INT(db_insert(db, DB_CONTAINERS, &(DbRecord){ "c", "one", "{}", NULL }, false,
                             &err) < 0,
                   1);
        ASSERT_INT(err.kind, ERROR_CONFLICT);
        ASSERT_OK(db_delete(db, DB_CONTAINERS, "a", false, &err), &err);
        ASSERT_OK(db_insert(db, DB_CONTAINERS, &(DbRecord){ "c", "one", "{}", NULL }, false, &err),
                  &err);
}

TEST(survives_reopening) {
        _cleanup_free_ char *path = path_of("again.db");
        _cleanup_buf_ Buf seen = { 0 };
        Error err = { 0 };
        Db *db;

        ASSERT_OK(db_open(path, &db, &err), &err);
        ASSERT_OK(db_insert(db, DB_VOLUMES, &(DbRecord){ "v", "v", "{\"x\":1}", NULL }, true, &err),
                  &err);
        db_close(db);
        ASSERT_OK(db_open(path, &db, &err), &err);
        ASSERT_OK(db_each(db, DB_VOLUMES, collect, &seen, &err), &err);
        db_close(db);
        ASSERT_STR(seen.data, "v=v:{\"x\":1}:-;");
}

TEST(refuses_a_newer_schema) {
        _cleanup_free_ char *path = path_of("newer.db");
        sqlite3 *handle;
        Error err = { 0 };
        Db *db;

        ASSERT_OK(db_open(path, &db, &err), &err);
        db_close(db);
        ASSERT_INT(sqlite3_open(path, &handle), SQLITE_OK);
        ASSERT_INT(sqlite3_exec(handle, "UPDATE meta SET version = 99", NULL, NULL, NULL),
                   SQLITE_OK);
        (void)sqlite3_close(handle);
        ASSERT_INT(db_open(path, &db, &err) < 0, 1);
        ASSERT_INT(strstr(err.message, "newer") != NULL, 1);
}

TEST(refuses_damage) {
        _cleanup_free_ char *path = path_of("damaged.db");
        Error err = { 0 };
        Db *db;

        ASSERT_OK(file_replace_at(AT_FDCWD, path, "this is no database, but it is long enough", 42,
                                  0600, false, &err),
                  &err);
        ASSERT_INT(db_open(path, &db, &err) < 0, 1);
        ASSERT_INT(strstr(err.message, "damaged") != NULL, 1);
}

static int64_t size_of(const char *path) {
        struct stat status;

        return stat(path, &status) < 0 ? -errno : status.st_size;
}

/* Many commits without a pause: the log is checkpointed beside them, and begun anew. */
TEST(checkpoints) {
        _cleanup_(db_freep) Db *db = NULL;
        _cleanup_free_ char *path = path_of("many.db"), *log = path_of("many.db-wal");
        char last[32];
        _cleanup_buf_ Buf seen = { 0 };
        Error err = { 0 };

        ASSERT_OK(db_open(path, &db, &err), &err);
        ASSERT_OK(db_insert(db, DB_NETWORKS, &(DbRecord){ "n", "n", "{}", "0" }, false, &err),
                  &err);
        for (int i = 1; i <= COMMITS; i++) {
                char number[16];
                (void)snprintf(number, sizeof(number), "%d", i);
                ASSERT_OK(db_update(db, DB_NETWORKS, &(DbRecord){ .id = "n", .state = number },
                                    false, &err),
                          &err);
        }
        ASSERT_OK(db_each(db, DB_NETWORKS, collect, &seen, &err), &err);
        (void)snprintf(last, sizeof(last), "n=n:{}:%d;", COMMITS);
        ASSERT_STR(seen.data, last);
        ASSERT(size_of(log) > 0);
        ASSERT(size_of(log) < (int64_t)COMMITS * 4096 / 2);
}

TEST(cleans_up) {
        Error err = { 0 };

        ASSERT_OK(dir_remove_at(AT_FDCWD, directory, &err), &err);
}

__attribute__((constructor)) static void make_directory(void) {
        if (!mkdtemp(directory))
                abort();
}

TEST_MAIN()
