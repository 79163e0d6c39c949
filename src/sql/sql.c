/* sql.c: see sql.h. */
#include "sql/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/str.h"

/* The file's name is enough for a message: each is one of its kind. */
static const char *name_of(sqlite3 *db) {
        const char *path = sqlite3_db_filename(db, "main"),
                   *slash = path ? strrchr(path, '/') : NULL;

        return slash ? slash + 1 : path ? path : "";
}

int sql_error(sqlite3 *db, Error *err, const char *what) {
        const char *why = sqlite3_errmsg(db);

        switch (sqlite3_errcode(db) & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return error_set(err, EUCLEAN, "database '%s': %s: %s", name_of(db), what, why);
        case SQLITE_FULL:
                (void)error_kind(err, ERROR_UNAVAILABLE, "database '%s': %s: %s", name_of(db), what,
                                 why);
                if (err)
                        err->number = ENOSPC;
                return -ENOSPC;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return error_kind(err, ERROR_UNAVAILABLE, "database '%s': %s: %s", name_of(db),
                                  what, why);
        default:
                return error_kind(err, ERROR_INTERNAL, "database '%s': %s: %s", name_of(db), what,
                                  why);
        }
}

int sql_path_at(int dir_fd, const char *name, char **ret, Error *err) {
        char link[64], path[PATH_MAX];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return error_set(err, errno, "find the path of the database '%s'", name);
        *ret = str_format("%.*s/%s", (int)n, path, name);
        return 0;
}

int sql_make_private(const char *path, Error *err) {
        static const char *const beside[] = { "", "-wal", "-shm", ".copy" };
        _cleanup_close_ int made = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        if (made < 0 && errno != EEXIST)
                return error_set(err, errno, "make the database '%s'", path);
        for (size_t i = 0; i < ELEMENTS(beside); i++) {
                _cleanup_free_ char *file = str_format("%s%s", path, beside[i]);

                if (chmod(file, 0600) < 0 && errno != ENOENT)
                        return error_set(err, errno, "close '%s' to others", file);
        }
        return 0;
}

int sql_open_at(int dir_fd, const char *name, const char *schema, sqlite3 **ret, Error *err) {
        _cleanup_free_ char *path = NULL;
        sqlite3 *db = NULL;
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
        int r = name ? sql_path_at(dir_fd, name, &path, err) : (path = str_copy(":memory:"), 0);

        if (r == 0 && name)
                r = sql_make_private(path, err);
        if (r < 0)
                return r;
        if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK ||
            sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
                r = db ? sql_error(db, err, path)
                       : error_kind(err, ERROR_INTERNAL, "open '%s'", path);
        if (r < 0) {
                (void)sqlite3_close(db);
                return r;
        }
        *ret = db;
        return 0;
}

void sql_close(sqlite3 *db) {
        sqlite3_stmt *statement;

        while (db && (statement = sqlite3_next_stmt(db, NULL)))
                (void)sqlite3_finalize(statement);
        (void)sqlite3_close(db);
}

/* SQLite lists a connection's statements: one with this text that is not being read is used again,
 * since compiling takes longer than running. */
static sqlite3_stmt *find_compiled(sqlite3 *db, const char *sql) {
        sqlite3_stmt *statement = NULL;

        while ((statement = sqlite3_next_stmt(db, statement)))
                if (!sqlite3_stmt_busy(statement) && str_equal(sqlite3_sql(statement), sql))
                        break;
        return statement;
}

static int prepare(sqlite3 *db, sqlite3_stmt **ret, Error *err, const char *sql, const char *types,
                   va_list arguments) {
        _cleanup_sql_ sqlite3_stmt *statement = find_compiled(db, sql);

        if (!statement && sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                                             NULL) != SQLITE_OK)
                return sql_error(db, err, sql);
        for (int i = 0; types[i]; i++) {
                int r = types[i] == 't'
                                ? sqlite3_bind_text(statement, i + 1,
                                                    va_arg(arguments, const char *), -1,
                                                    SQLITE_STATIC)
                                : sqlite3_bind_int64(statement, i + 1, va_arg(arguments, int64_t));
                if (r != SQLITE_OK)
                        return sql_error(db, err, sql);
        }
        *ret = TAKE_PTR(statement);
        return 0;
}

int sql_prepare(sqlite3 *db, sqlite3_stmt **ret, Error *err, const char *sql, const char *types,
                ...) {
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = prepare(db, ret, err, sql, types, arguments);
        va_end(arguments);
        return r;
}

int sql_step(sqlite3_stmt *statement, Error *err) {
        int r = sqlite3_step(statement);

        if (r == SQLITE_ROW || r == SQLITE_DONE)
                return r == SQLITE_ROW;
        return sql_error(sqlite3_db_handle(statement), err, sqlite3_sql(statement));
}

/* Runs the statement; a row's first column goes to *ret, where that is not NULL. */
static int run(sqlite3 *db, int64_t *ret, Error *err, const char *sql, const char *types,
               va_list arguments) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = prepare(db, &statement, err, sql, types, arguments);

        if (r == 0)
                r = sql_step(statement, err);
        if (r >= 0 && ret)
                *ret = r > 0 ? sqlite3_column_int64(statement, 0) : 0;
        return r < 0 ? r : 0;
}

int sql_run(sqlite3 *db, Error *err, const char *sql, const char *types, ...) {
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = run(db, NULL, err, sql, types, arguments);
        va_end(arguments);
        return r;
}

int sql_number(sqlite3 *db, int64_t *ret, Error *err, const char *sql, const char *types, ...) {
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = run(db, ret, err, sql, types, arguments);
        va_end(arguments);
        return r;
}

int sql_find_text(sqlite3 *db, char **ret, Error *err, const char *sql, const char *value) {
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        int r = sql_prepare(db, &row, err, sql, "t", value);

        if (r == 0)
                r = sql_step(row, err);
        if (r <= 0 || sqlite3_column_type(row, 0) == SQLITE_NULL)
                return MIN(r, 0);
        *ret = sql_text(row, 0);
        return 1;
}

int sql_begin(sqlite3 *db, Error *err) {
        return sql_run(db, err, "BEGIN IMMEDIATE", "");
}

int sql_end(sqlite3 *db, int r, Error *err) {
        if (r == 0)
                r = sql_run(db, err, "COMMIT", "");
        /* A full disk may have rolled it back already. */
        if (r < 0 && !sqlite3_get_autocommit(db))
                (void)sql_run(db, NULL, "ROLLBACK", "");
        return r;
}

int sql_set(sqlite3 *db, const char *pragma, Error *err) {
        return sqlite3_exec(db, pragma, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                       : sql_error(db, err, pragma);
}

char *sql_text(sqlite3_stmt *statement, int column) {
        return str_copy((const char *)sqlite3_column_text(statement, column));
}
