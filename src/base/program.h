/* program.h: starts a program that has the descriptors it is given and nothing else of ours: no
 * other descriptor (a standard one that is not given is /dev/null), no blocked or ignored signal.
 * Waits for nothing. */
#pragma once

#include <sys/types.h>

#include "base/macro.h"

#define SPAWN_FDS_MAX 8

typedef struct SpawnFd {
        int ours, theirs; /* theirs: the number that it has in the program; ours < 0: not given */
} SpawnFd;

enum {
        SPAWN_GROUP = 1,   /* it leads a process group of its own */
        SPAWN_SESSION = 2, /* and a session */
};

typedef struct Spawn {
        const char *program; /* a path */
        char *const *argv, *const *environment;
        const SpawnFd *fds; /* at most SPAWN_FDS_MAX; they stay the caller's */
        size_t fd_count;
        unsigned flags; /* SPAWN_… */
} Spawn;

/* posix_spawn(3), which shares our memory until the exec, so that its size does not matter. 0 or a
 * negative errno: also of the exec. *ret is the caller's to reap. */
int program_spawn(const Spawn *spawn, pid_t *ret);
/* What helps where no process could be made for that number's reason, to stand behind what was
 * tried: " (a limit …)"; "" where nothing is known. */
const char *program_hint(int number) __attribute__((const, returns_nonnull));

/* The path of a program: name where it has a slash, else where PATH has it; NULL: there is none.
 * The caller's. */
char *program_find(const char *name);

/* Between its beginning and its exec a program that is being started has all of our descriptors,
 * also those that are closed meanwhile: what was closed before this call is closed after it. */
void program_settle(void);
