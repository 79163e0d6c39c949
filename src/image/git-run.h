/* git-run.h: runs one git command and waits for it: what it says goes into memory, how it gets on
 * to whoever waits, and it ends when it takes too long. Knows no repository. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

typedef struct GitRunner {
        const char *program; /* "/usr/bin/git" */
        char *const *environment;
        int64_t idle, total; /* ns: without a sign of life; in all */
        size_t output_max;   /* bytes of standard output */
        /* Told a few times a second, with the last line of progress ("Receiving objects: 40%"), or
         * NULL. Negative: nobody waits any more. */
        int (*alive)(void *data, const char *line);
        void *data;
} GitRunner;

typedef struct GitOutput {
        Buf text;        /* standard output */
        char *complaint; /* what it said of its failure, in one line; NULL: it ended well */
} GitOutput;
void git_output_done(GitOutput *output);

/* arguments: after "git". extra: more of the environment, NAME=value, or NULL. 0: it ended well; an
 * error has its complaint, which output has, too. output may be NULL. The command is the leader of
 * a process group, which is killed when it has ended. */
int git_run(const GitRunner *runner, char *const *arguments, char *const *extra, GitOutput *output,
            Error *err);

/* The telling lines of what git wrote to standard error, joined by "; ": fatal and error before
 * anything else, no progress, no control characters. The caller's. */
char *git_complaint(const char *text);
