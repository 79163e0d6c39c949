/* sql.h: the few calls of SQLite that the image store and the build cache make. Knows no tables. */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

/* The file `name` of the directory dir_fd, made where it isn't, by one connection that one thread
 * uses at a time; name NULL: one in memory. schema is run first. A full disk and a file that
 * another process has locked are unavailable, a damaged file and what is no database are -EUCLEAN,
 * here and below. */
int sql_open_at(int dir_fd, const char *name, const char *schema, sqlite3 **ret, Error *err);
/* Nobody but the owner reads or writes that database and what SQLite keeps beside it, whoever made
 * them; where there is none an empty one is made. Before it is opened in this process: whoever
 * closes a database's file lets its locks go (SQLite, "How To Corrupt", 2.2). */
int sql_make_private(const char *path, Error *err);
/* SQLite knows paths only: that of a file of the directory, the caller's. */
int sql_path_at(int dir_fd, const char *name, char **ret, Error *err);
/* What the last call of SQLite failed of, for those that are made directly. */
int sql_error(sqlite3 *db, Error *err, const char *what);
void sql_close(sqlite3 *db); /* with its statements; NULL is fine */

/* Compiles sql, unless that was done before, and binds its parameters: types has a letter each, t
 * text (NULL allowed; must outlive the statement) or i int64_t. The statement is the connection's,
 * which one thread uses at a time; _cleanup_sql_ gives it back. */
int sql_prepare(sqlite3 *db, sqlite3_stmt **ret, Error *err, const char *sql, const char *types,
                ...);
/* 1 a row, 0 the end. */
int sql_step(sqlite3_stmt *statement, Error *err);
/* Compiles, binds and runs a statement without rows. */
int sql_run(sqlite3 *db, Error *err, const char *sql, const char *types, ...);
/* Runs a PRAGMA, which takes effect when it is compiled, so each time anew. */
int sql_set(sqlite3 *db, const char *pragma, Error *err);
/* Sets *ret to the first column of the first row, 0 where there is none. */
int sql_number(sqlite3 *db, int64_t *ret, Error *err, const char *sql, const char *types, ...);
/* 1: *ret is the first column of the first row, the caller's; 0: there is none, or it is NULL. sql
 * has one parameter, a text. */
int sql_find_text(sqlite3 *db, char **ret, Error *err, const char *sql, const char *value);
/* A transaction: begin, then end with what came of it: commits 0, else rolls back. Returns r or the
 * error of the commit. */
int sql_begin(sqlite3 *db, Error *err);
int sql_end(sqlite3 *db, int r, Error *err);
/* A column as text that the caller frees; NULL stays NULL. */
char *sql_text(sqlite3_stmt *statement, int column);

static inline void sql_give_back(sqlite3_stmt **statement) {
        if (!*statement)
                return;
        (void)sqlite3_reset(*statement); /* the error of a step, told already */
        (void)sqlite3_clear_bindings(*statement);
}
#define _cleanup_sql_ _cleanup_(sql_give_back)
