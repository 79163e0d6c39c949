/* stream.h: the user's terminal or pipes on one side, a hijacked connection to a container's
 * process on the other: run, start, attach and exec. */
#pragma once

#include "cli/cli.h"
#include "cli/terminal.h"

typedef struct Stream {
        Cli *cli;
        int fd;     /* the hijacked connection, owned */
        Buf input;  /* from it, not yet written out; partial frames */
        Buf output; /* for it, not yet sent */
        bool tty;   /* the process has a terminal: no frames, detach keys, resize */
        bool with_stdin, with_stdout, with_stderr;
        char *resize;      /* the path that takes ?h= and &w=, or NULL */
        const char *proxy; /* the container that gets our signals, or NULL */
        DetachKeys detach;
        int signal_fd, ending_fd; /* what it reads, and what ends a wait for an answer */
        struct Waiting *waiting;  /* for the process's end, watched meanwhile; borrowed, or NULL */
        bool stdin_ended, size_pending, signal_was_lost;
} Stream;

#define STREAM_DETACHED 1 /* the user typed the detach keys */

/* Zeroes stream and blocks the signals that it will read; before the process starts. */
void stream_init(Stream *stream, Cli *cli, bool tty);
/* Opens the connection: POST path with an upgrade; body may be NULL. */
int stream_open(Stream *stream, const char *path, json_object *body, Error *err);
/* Sends the terminal's size now; a failure is tried again with the next output. */
void stream_resize(Stream *stream);
/* The same, after a size that is one larger: a process that runs already draws its screen anew. */
void stream_redraw(Stream *stream);
/* Copies both ways until the process's end of it closes: 0, STREAM_DETACHED, or a negative errno.
 */
int stream_run(Stream *stream, Error *err);
void stream_done(Stream *stream);
/* Sends the container a signal; -EINTR from a daemon that does not answer. */
int signal_send(Cli *cli, const char *id, int number, Error *err);
#define _cleanup_stream_ _cleanup_(stream_done)

/* One frame of the multiplexed output at the start of buf goes out: true if there was a whole one.
 * Stream 3, the daemon's own error, goes to err and ends with a negative *r. */
bool frame_write(Buf *buf, int *r, Error *err);
/* Reads a reply's body to its end and calls take with each whole frame that is the process's. */
typedef int (*FrameTakeFn)(void *data, int fd, const char *bytes, size_t length, Error *err);
int frames_read(HttpReply *reply, FrameTakeFn take, void *data, Error *err);
/* Reads a reply's body to its end and writes it out: as frames, or as it is. */
int frames_copy(HttpReply *reply, bool raw, Error *err);
