/* sql.c: see sql.h. */
#include "image/sql.h"

#include <stdarg.h>

#include "base/str.h"

static int failed(sqlite3 *db, Error *err, const char *what) {
        bool full = sqlite3_errcode(db) == SQLITE_FULL;

        return error_kind(err, full ? ERROR_UNAVAILABLE : ERROR_INTERNAL, "image database: %s: %s",
                          what, sqlite3_errmsg(db));
}

int sql_open(const char *path, const char *schema, sqlite3 **ret, Error *err) {
        sqlite3 *db = NULL;
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
        int r = 0;

        if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK ||
            sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
                r = db ? failed(db, err, path) : error_kind(err, ERROR_INTERNAL, "open '%s'", path);
        if (r < 0) {
                (void)sqlite3_close(db);
                return r;
        }
        *ret = db;
        return 0;
}

void sql_close(sqlite3 *db) {
        sqlite3_stmt *statement;

        while ((statement = sqlite3_next_stmt(db, NULL)))
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
                return failed(db, err, sql);
        for (int i = 0; types[i]; i++) {
                int r = types[i] == 't'
                                ? sqlite3_bind_text(statement, i + 1,
                                                    va_arg(arguments, const char *), -1,
                                                    SQLITE_STATIC)
                                : sqlite3_bind_int64(statement, i + 1, va_arg(arguments, int64_t));
                if (r != SQLITE_OK)
                        return failed(db, err, sql);
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
        return failed(sqlite3_db_handle(statement), err, sqlite3_sql(statement));
}

int sql_run(sqlite3 *db, Error *err, const char *sql, const char *types, ...) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = prepare(db, &statement, err, sql, types, arguments);
        va_end(arguments);
        if (r < 0)
                return r;
        r = sql_step(statement, err);
        return r < 0 ? r : 0;
}

int sql_end(sqlite3 *db, int r, Error *err) {
        if (r == 0)
                r = sql_run(db, err, "COMMIT", "");
        if (r < 0)
                (void)sql_run(db, NULL, "ROLLBACK", "");
        return r;
}

int sql_set(sqlite3 *db, const char *pragma, Error *err) {
        return sqlite3_exec(db, pragma, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                       : failed(db, err, pragma);
}

char *sql_text(sqlite3_stmt *statement, int column) {
        return str_copy((const char *)sqlite3_column_text(statement, column));
}
