/* db.c: the SQLite file behind db.h. WAL with one writing connection; what is merely state is
 * committed without a sync (a killed daemon loses nothing), what a user would miss after a power
 * cut with one. Checkpoints, which sync, run on a thread of their own with their own connection, so
 * that no request pays for them. */
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/db.h"
#include "sql/copy.h"
#include "sql/sql.h"

#define SCHEMA_VERSION 1
#define CHECKPOINT_PAGES 1000 /* SQLite's own default: about 4 MB of log */
#define LOG_PAGES_MAX 2000    /* from here on a checkpoint is made whole */
#define LOG_BYTES_KEPT "4194304"
#define BUSY_TIMEOUT_MS 5000

typedef enum Statement {
        STATEMENT_INSERT,
        STATEMENT_INSERT_DOCUMENT,
        STATEMENT_UPDATE,
        STATEMENT_UPDATE_DOCUMENT,
        STATEMENT_UPDATE_STATE,
        STATEMENT_DELETE,
        STATEMENT_DELETE_DOCUMENT,
        STATEMENTS
} Statement;

#define DB_TABLES 4

struct Db {
        pthread_mutex_t lock; /* of everything but the checkpointer's own */
        sqlite3 *handle;
        char *path;
        sqlite3_stmt *statements[DB_TABLES][STATEMENTS];
        bool durable; /* what "synchronous" is set to now: FULL or NORMAL */

        SqlCopier *copier;

        pthread_t checkpointer;
        pthread_mutex_t checkpoint_lock;
        pthread_cond_t checkpoint_wanted;
        bool wanted, closing, has_checkpointer;
};

static const char *const table_names[] = {
        [DB_CONTAINERS] = "containers",
        [DB_NETWORKS] = "networks",
        [DB_VOLUMES] = "volumes",
        [DB_POLICIES] = "policies",
};
_Static_assert(ELEMENTS(table_names) == DB_TABLES, "a table without statements");

/* The document, which is long and hardly ever changes, has a table of its own: a change of state
 * rewrites its whole row. */
static const char *const statement_texts[STATEMENTS] = {
        [STATEMENT_INSERT] = "INSERT INTO %s (id, name, state) VALUES (?1, ?2, ?4)",
        [STATEMENT_INSERT_DOCUMENT] = "INSERT INTO %s_documents (id, document) VALUES (?1, ?3)",
        [STATEMENT_UPDATE] =
                "UPDATE %s SET name = ifnull(?2, name), state = ifnull(?4, state) WHERE id = ?1",
        [STATEMENT_UPDATE_DOCUMENT] = "UPDATE %s_documents SET document = ?3 WHERE id = ?1",
        [STATEMENT_UPDATE_STATE] = "UPDATE %s SET state = ?4 WHERE id = ?1",
        [STATEMENT_DELETE] = "DELETE FROM %s WHERE id = ?1",
        [STATEMENT_DELETE_DOCUMENT] = "DELETE FROM %s_documents WHERE id = ?1",
};

static int db_error(Db *db, Error *err, const char *doing) {
        int code = sqlite3_extended_errcode(db->handle);
        const char *why = sqlite3_errmsg(db->handle);

        switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return error_kind(err, ERROR_INTERNAL,
                                  "%s: the record '%s' is damaged (%s). Containers that run go on. "
                                  "Stop brigd, and run it once with --restore",
                                  doing, db->path, why);
        case SQLITE_FULL:
                return error_set(err, ENOSPC, "%s: the record '%s'", doing, db->path);
        case SQLITE_CONSTRAINT:
                return error_kind(err, ERROR_CONFLICT, "%s: %s", doing, why);
        default:
                return error_kind(err, ERROR_INTERNAL, "%s: the record '%s': %s", doing, db->path,
                                  why);
        }
}

static int db_execute(Db *db, const char *sql, const char *doing, Error *err) {
        if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
                return db_error(db, err, doing);
        return 0;
}

/* The first column of the first row. */
static int db_query_text(Db *db, const char *sql, char **ret, Error *err) {
        sqlite3_stmt *statement;

        if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK)
                return db_error(db, err, "read the state");
        int r = sqlite3_step(statement);
        if (r == SQLITE_ROW)
                *ret = str_copy((const char *)sqlite3_column_text(statement, 0));
        (void)sqlite3_finalize(statement);
        if (r != SQLITE_ROW && r != SQLITE_DONE)
                return db_error(db, err, "read the state");
        return 0;
}

/* ---- opening ---- */

/* A record of an earlier brig lacks the tables of what it did not know. */
static int schema_make(Db *db, bool fresh, Error *err) {
        _cleanup_buf_ Buf sql = { 0 };

        buf_add_str(&sql, "BEGIN IMMEDIATE;");
        if (fresh)
                buf_add_str(&sql, "CREATE TABLE meta (version INTEGER NOT NULL); INSERT INTO meta "
                                  "VALUES (1);");
        for (size_t i = 0; i < ELEMENTS(table_names); i++)
                buf_format(&sql,
                           "CREATE TABLE IF NOT EXISTS %s (id TEXT PRIMARY KEY, name TEXT UNIQUE, "
                           "state TEXT) "
                           "WITHOUT ROWID;"
                           "CREATE TABLE IF NOT EXISTS %s_documents (id TEXT PRIMARY KEY, document "
                           "TEXT) WITHOUT "
                           "ROWID;",
                           table_names[i], table_names[i]);
        buf_add_str(&sql, "COMMIT;");
        return db_execute(db, sql.data, "make the state's tables", err);
}

static int schema_check(Db *db, Error *err) {
        _cleanup_free_ char *has = NULL, *version = NULL;
        int64_t number = 0;

        int r = db_query_text(db, "SELECT name FROM sqlite_master WHERE name = 'meta'", &has, err);
        if (r < 0)
                return r;
        if (!has)
                return schema_make(db, true, err);
        r = db_query_text(db, "SELECT version FROM meta", &version, err);
        if (r < 0)
                return r;
        if (!version || str_to_int64(version, &number) < 0 || number < 1)
                return error_kind(err, ERROR_INTERNAL,
                                  "the record '%s' has no version: it is not brig's", db->path);
        if (number > SCHEMA_VERSION)
                return error_kind(err, ERROR_INTERNAL,
                                  "the record '%s' has version %lld, this brigd knows %d: it was "
                                  "written by a newer one; install that or use another data root",
                                  db->path, (long long)number, SCHEMA_VERSION);
        return schema_make(db, false, err);
}

/* The length of the log, or 0. */
static int checkpoint(Db *db, sqlite3 *handle) {
        int pages = 0;

        if (sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, NULL) ==
            SQLITE_OK)
                return pages;
        log_warn("checkpoint of '%s': %s", db->path, sqlite3_errmsg(handle));
        return 0;
}

/* A connection that has read nothing knows of no log, and would checkpoint nothing. */
static int checkpoint_open(Db *db, sqlite3 **handle) {
        int r = sqlite3_open_v2(db->path, handle, SQLITE_OPEN_READWRITE, NULL);

        if (r == SQLITE_OK)
                r = sqlite3_busy_timeout(*handle, BUSY_TIMEOUT_MS);
        if (r == SQLITE_OK)
                r = sqlite3_exec(*handle, "SELECT version FROM meta", NULL, NULL, NULL);
        if (r != SQLITE_OK)
                log_warn("open '%s' for a checkpoint: %s", db->path, sqlite3_errstr(r));
        return r;
}

/* The log begins anew only where a change finds all of it in the file, and while changes come
 * without a pause there always are some of the time that the checkpoint took. Then, once in some
 * thousand changes, the next one waits until those few are there, too. */
static void checkpoint_run(Db *db) {
        sqlite3 *handle = NULL;

        if (checkpoint_open(db, &handle) == SQLITE_OK && checkpoint(db, handle) >= LOG_PAGES_MAX) {
                pthread_mutex_lock(&db->lock);
                (void)checkpoint(db, handle);
                pthread_mutex_unlock(&db->lock);
        }
        (void)sqlite3_close(handle);
}

static void *checkpointer_main(void *data) {
        Db *db = data;

        pthread_mutex_lock(&db->checkpoint_lock);
        for (;;) {
                while (!db->wanted && !db->closing)
                        pthread_cond_wait(&db->checkpoint_wanted, &db->checkpoint_lock);
                if (db->closing)
                        break;
                db->wanted = false;
                pthread_mutex_unlock(&db->checkpoint_lock);
                checkpoint_run(db);
                pthread_mutex_lock(&db->checkpoint_lock);
        }
        pthread_mutex_unlock(&db->checkpoint_lock);
        return NULL;
}

/* SQLite calls this after each commit with the length of the log. */
static int on_commit(void *data, sqlite3 *handle, const char *name, int pages) {
        Db *db = data;

        (void)handle;
        (void)name;
        sql_copier_want(db->copier);
        if (pages >= CHECKPOINT_PAGES) {
                pthread_mutex_lock(&db->checkpoint_lock);
                db->wanted = true;
                pthread_cond_signal(&db->checkpoint_wanted);
                pthread_mutex_unlock(&db->checkpoint_lock);
        }
        return SQLITE_OK;
}

static int statements_prepare(Db *db, Error *err) {
        for (size_t table = 0; table < ELEMENTS(table_names); table++) {
                for (size_t i = 0; i < STATEMENTS; i++) {
                        _cleanup_buf_ Buf sql = { 0 };
                        const char *text = statement_texts[i], *place = strstr(text, "%s");

                        buf_add(&sql, text, (size_t)(place - text));
                        buf_add_str(&sql, table_names[table]);
                        buf_add_str(&sql, place + 2);
                        if (sqlite3_prepare_v3(db->handle, sql.data, -1, SQLITE_PREPARE_PERSISTENT,
                                               &db->statements[table][i], NULL) != SQLITE_OK)
                                return db_error(db, err, "prepare the state's statements");
                }
        }
        return 0;
}

static int db_start(Db *db, Error *err) {
        static const char settings[] =
                "PRAGMA journal_mode = WAL;"
                "PRAGMA synchronous = NORMAL;"
                "PRAGMA wal_autocheckpoint = 0;"
                "PRAGMA journal_size_limit = " LOG_BYTES_KEPT ";"
                "PRAGMA cache_size = -256;"; /* KiB: rows are read once, at start */

        (void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
        int r = db_execute(db, settings, "set up the state", err);
        if (r < 0)
                return r;
        r = schema_check(db, err);
        if (r < 0)
                return r;
        r = statements_prepare(db, err);
        if (r < 0)
                return r;
        (void)sqlite3_wal_hook(db->handle, on_commit, db);
        r = pthread_create(&db->checkpointer, NULL, checkpointer_main, db);
        if (r != 0)
                return error_set(err, r, "start the record's checkpoint thread");
        db->has_checkpointer = true;
        sql_copier_want(db->copier); /* what a killed daemon did last */
        return 0;
}

int db_open(const char *path, Db **ret, Error *err) {
        Db *db = NEW(Db);

        pthread_mutex_init(&db->lock, NULL);
        pthread_mutex_init(&db->checkpoint_lock, NULL);
        pthread_cond_init(&db->checkpoint_wanted, NULL);
        db->path = str_copy(path);
        db->copier = sql_copier_new(path);
        int r = sql_check_file(path, err);
        if (r == 0)
                r = sql_make_private(path, err);
        if (r == 0)
                r = sqlite3_open_v2(path, &db->handle,
                                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                            SQLITE_OPEN_NOMUTEX,
                                    NULL) == SQLITE_OK
                            ? db_start(db, err)
                            : db_error(db, err, "open the state");
        if (r < 0) {
                db_close(db);
                return r;
        }
        *ret = db;
        return 0;
}

Db *db_close(Db *db) {
        if (!db)
                return NULL;
        if (db->has_checkpointer) {
                pthread_mutex_lock(&db->checkpoint_lock);
                db->closing = true;
                pthread_cond_signal(&db->checkpoint_wanted);
                pthread_mutex_unlock(&db->checkpoint_lock);
                (void)pthread_join(db->checkpointer, NULL);
        }
        sql_copier_free(db->copier);
        for (size_t table = 0; table < ELEMENTS(table_names); table++)
                for (size_t i = 0; i < STATEMENTS; i++)
                        (void)sqlite3_finalize(db->statements[table][i]);
        (void)sqlite3_close(db->handle);
        pthread_cond_destroy(&db->checkpoint_wanted);
        pthread_mutex_destroy(&db->checkpoint_lock);
        pthread_mutex_destroy(&db->lock);
        free(db->path);
        free(db);
        return NULL;
}

/* ---- rows ---- */

static int db_set_durable(Db *db, bool durable, Error *err) {
        if (db->durable == durable)
                return 0;
        int r = db_execute(db,
                           durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                           "set the state's durability", err);
        if (r == 0)
                db->durable = durable;
        return r;
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text) {
        if (text)
                (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
        else
                (void)sqlite3_bind_null(statement, index);
}

static int statement_run(Db *db, DbTable table, Statement which, const DbRecord *record,
                         Error *err) {
        sqlite3_stmt *statement = db->statements[table][which];
        int count = sqlite3_bind_parameter_count(statement), r = 0;
        const char *const values[] = { record->id, record->name, record->document, record->state };

        for (int i = 0; i < count; i++)
                bind_text(statement, i + 1, values[i]);
        if (sqlite3_step(statement) != SQLITE_DONE)
                r = db_error(db, err, "write the state");
        (void)sqlite3_reset(statement);
        (void)sqlite3_clear_bindings(statement);
        return r;
}

static int db_write_both(Db *db, DbTable table, Statement first, const DbRecord *record,
                         Error *err) {
        int r = db_execute(db, "BEGIN IMMEDIATE", "write the state", err);

        if (r < 0)
                return r;
        r = statement_run(db, table, first, record, err);
        if (r == 0)
                r = statement_run(db, table, first + 1, record, err);
        if (r == 0)
                r = db_execute(db, "COMMIT", "write the state", err);
        if (r < 0)
                (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
        return r;
}

static int db_run(Db *db, DbTable table, Statement first, const DbRecord *record, bool both,
                  bool durable, Error *err) {
        pthread_mutex_lock(&db->lock);
        int r = db_set_durable(db, durable, err);
        /* One statement is a transaction of its own. */
        if (r == 0)
                r = both ? db_write_both(db, table, first, record, err)
                         : statement_run(db, table, first, record, err);
        pthread_mutex_unlock(&db->lock);
        return r;
}

int db_insert(Db *db, DbTable table, const DbRecord *record, bool durable, Error *err) {
        return db_run(db, table, STATEMENT_INSERT, record, true, durable, err);
}

/* Who sets a name writes its index too, even with the same one. */
int db_update(Db *db, DbTable table, const DbRecord *record, bool durable, Error *err) {
        if (!record->name && !record->document && record->state)
                return db_run(db, table, STATEMENT_UPDATE_STATE, record, false, durable, err);
        return db_run(db, table, STATEMENT_UPDATE, record, record->document != NULL, durable, err);
}

int db_delete(Db *db, DbTable table, const char *id, bool durable, Error *err) {
        const DbRecord record = { .id = id };
        return db_run(db, table, STATEMENT_DELETE, &record, true, durable, err);
}

static int replace_rows(Db *db, DbTable table, const DbRecord *records, size_t count, Error *err) {
        _cleanup_free_ char *sql = str_format("DELETE FROM %s; DELETE FROM %s_documents",
                                              table_names[table], table_names[table]);
        int r = db_execute(db, sql, "write the state", err);

        for (size_t i = 0; r == 0 && i < count; i++) {
                r = statement_run(db, table, STATEMENT_INSERT, &records[i], err);
                if (r == 0)
                        r = statement_run(db, table, STATEMENT_INSERT_DOCUMENT, &records[i], err);
        }
        return r;
}

int db_replace_all(Db *db, DbTable table, const DbRecord *records, size_t count, bool durable,
                   Error *err) {
        pthread_mutex_lock(&db->lock);
        int r = db_set_durable(db, durable, err);
        if (r == 0)
                r = db_execute(db, "BEGIN IMMEDIATE", "write the state", err);
        if (r == 0) {
                r = replace_rows(db, table, records, count, err);
                if (r == 0)
                        r = db_execute(db, "COMMIT", "write the state", err);
                if (r < 0)
                        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
        }
        pthread_mutex_unlock(&db->lock);
        return r;
}

static int db_each_row(Db *db, sqlite3_stmt *statement, DbRow row, void *data, Error *err) {
        int r;

        while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
                const DbRecord record = {
                        .id = (const char *)sqlite3_column_text(statement, 0),
                        .name = (const char *)sqlite3_column_text(statement, 1),
                        .document = (const char *)sqlite3_column_text(statement, 2),
                        .state = (const char *)sqlite3_column_text(statement, 3),
                };
                int answer = row(data, &record, err);
                if (answer < 0)
                        return answer;
        }
        return r == SQLITE_DONE ? 0 : db_error(db, err, "read the state");
}

int db_each(Db *db, DbTable table, DbRow row, void *data, Error *err) {
        _cleanup_free_ char *sql = str_format(
                "SELECT id, name, document, state FROM %s JOIN %s_documents USING (id) ORDER BY id",
                table_names[table], table_names[table]);
        sqlite3_stmt *statement = NULL;
        int r;

        pthread_mutex_lock(&db->lock);
        if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) == SQLITE_OK)
                r = db_each_row(db, statement, row, data, err);
        else
                r = db_error(db, err, "read the state");
        (void)sqlite3_finalize(statement);
        pthread_mutex_unlock(&db->lock);
        return r;
}
