/* db.h: the engine's record on disk: one SQLite file, documents by id. Knows rows, not what they
 * mean. Thread-safe, but a row handler must not call back into the same Db. */
#pragma once

#include <stddef.h>

#include "base/error.h"

typedef struct Db Db;
typedef enum DbTable { DB_CONTAINERS, DB_NETWORKS, DB_VOLUMES, DB_POLICIES } DbTable;

typedef struct DbRecord {
        const char *id;       /* a volume's is its name */
        const char *name;     /* unique in its table; NULL in a put: unchanged */
        const char *document; /* JSON that does not change; NULL in a put: unchanged */
        const char *state;    /* JSON that does; NULL: none, or unchanged */
} DbRecord;

/* Opens or makes <data_root>/engine.db. A damaged file is refused with the remedy, as is one of a
 * newer brig. */
int db_open(const char *path, Db **ret, Error *err);
Db *db_close(Db *db);
/* One transaction each. durable: on disk when it returns; else a killed daemon loses nothing, a
 * power cut may lose the last of them. */
int db_insert(Db *db, DbTable table, const DbRecord *record, bool durable, Error *err);
int db_update(Db *db, DbTable table, const DbRecord *record, bool durable, Error *err);
int db_delete(Db *db, DbTable table, const char *id, bool durable, Error *err);
/* The table's rows are these from now on, in one transaction. */
int db_replace_all(Db *db, DbTable table, const DbRecord *records, size_t count, bool durable,
                   Error *err);
/* Calls row for every record; the strings are valid during the call only. A negative answer ends it
 * and is returned. */
typedef int (*DbRow)(void *data, const DbRecord *record, Error *err);
int db_each(Db *db, DbTable table, DbRow row, void *data, Error *err);
