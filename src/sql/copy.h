/* copy.h: a second copy of a database beside it, "<file>.copy", and what puts it in the file's
 * place once that is damaged. It is written behind who writes, a moment after the first of several
 * changes, by a thread that is there only while there is something to copy. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

#include "base/error.h"

typedef struct SqlCopier SqlCopier;

/* Of the database at path, which stays open until sql_copier_free. */
SqlCopier *sql_copier_new(const char *path);
/* From now on what the connection commits is copied. It takes the connection's sqlite3_wal_hook,
 * and checkpoints as SQLite would without one. */
void sql_copier_watch(SqlCopier *copier, sqlite3 *db);
/* A copy within a few seconds; from any thread, waits for nothing. */
void sql_copier_want(SqlCopier *copier);
/* Makes the copy that is still wanted; NULL is fine. */
SqlCopier *sql_copier_free(SqlCopier *copier);

/* Before it is opened: 0 where it is sound, or there is neither file nor copy. -EUCLEAN and the
 * remedy where it is damaged (PRAGMA quick_check), or gone while its copy is there. */
int sql_check_file(const char *path, Error *err);
/* Puts the copy in the place of a file that sql_check_file refuses, which becomes "<file>.damaged";
 * that of an earlier damage is replaced. Of a file that was gone that one is empty, unless there is
 * an earlier one. *ret: whether it did. Nobody may have the file open. */
int sql_restore(const char *path, bool *ret, Error *err);
/* Whether "<file>.damaged" is there: then what the database does not know may be somebody's. */
bool sql_was_restored(const char *path);
