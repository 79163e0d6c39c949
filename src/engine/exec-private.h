/* exec-private.h: what the files of execs share. Inside engine only. */
#pragma once

#include "engine/container.h"
#include "engine/engine-private.h"
#include "engine/engine.h"
#include "engine/locks.h"

/* Execs a container that were created and not started: each holds its whole request. */
#define EXECS_CREATED_MAX 256
#define EXIT_CANNOT_START 126

typedef struct Exec {
        atomic_int references;
        /* Never change. */
        char id[ID_LENGTH + 1];
        Container *container; /* a reference */
        ExecConfig config;
        bool probe; /* a health check's: forgotten with its end */

        /* Guarded by the index's lock. */
        bool started, running, ended;
        int64_t exit_code, pid;
        int64_t started_at; /* ns since 1970; 0: not yet, or nobody knows any more */
        struct Exec *next;  /* older */
} Exec;

Exec *exec_unref(Exec *exec); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(Exec *, exec_unref)
#define _cleanup_exec_ _cleanup_(exec_unrefp)

void execs_lock(Engine *engine); /* the index's lock: short; below all others */
void execs_unlock(Engine *engine);
/* A new reference. */
int exec_lookup(Engine *engine, const char *id, Exec **ret, Error *err);
/* The same by a prefix that no other exec's id has. */
int exec_find(Engine *engine, const char *ref, Exec **ret, Error *err);
/* References to the execs of a container, NULL: of all, newest first, without health checks; the
 * caller unrefs each and frees the array. */
Exec **execs_of(Engine *engine, const Container *container, size_t *ret_count);
/* False: too many of its container wait to be started, and nothing was done. */
bool exec_add(Execs *execs, Exec *exec);
/* Notes the end; false if it was noted already. */
bool exec_end(Execs *execs, Exec *exec, int64_t exit_code);
/* "exec_create: sh -c …" */
void exec_event_command(Exec *exec, const char *action);
/* "exec_kill", brig's own */
void exec_event_signal(Exec *exec, int signal);
/* What inspect shows of a started exec; its environment is of no use any more. The caller's. */
char *exec_note(const ExecConfig *config);
/* What runc would have said around the runtime's words; those of the document stay as they are. */
int exec_wrap_error(Error *err);
