/* wait.h: the wait for a container's end, POST …/wait, that outlives the daemon which was asked. */
#pragma once

#include "cli/cli.h"

typedef struct Waiting {
        Cli *cli;
        const char *id, *condition; /* borrowed */
        HttpReply *reply;           /* of the daemon that was asked; NULL: of none */
        json_object *answer;        /* once there is one */
        Probe probe;                /* for the next daemon, after one that went away */
} Waiting;

/* Zeroes waiting and asks: condition is "next-exit" and the like. */
int waiting_open(Waiting *waiting, Cli *cli, const char *id, const char *condition, Error *err);
/* What poll(2) waits for while something else goes on, -1: nothing. When it can be read,
 * waiting_look asks the next daemon where the last one has gone, without a word: one that is asked
 * only at the end would know no container that it has removed. */
int waiting_watch(Waiting *waiting);
void waiting_look(Waiting *waiting);
/* Until there is an answer, for which a daemon that went away is waited for, and asked again.
 * signal_fd: see cli_reconnect. */
int waiting_end(Waiting *waiting, int signal_fd, Error *err);
/* The exit code of the answer; says what it says of an error. */
int waiting_code(const Waiting *waiting);
void waiting_done(Waiting *waiting);
#define _cleanup_waiting_ _cleanup_(waiting_done)
