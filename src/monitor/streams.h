/* streams.h: the standard streams of one process (a container's own or an exec) and the clients
 * that are attached to them. Knows descriptors, frames and the log, nothing of containers. */
#pragma once

#include "base/loop.h"
#include "base/str.h"
#include "monitor/logfile.h"
#include "monitor/protocol.h"
#include "runtime/runtime.h"

/* What is read at a time, and so the most that waits for a client before its slowness stops the
 * process. */
#define STREAMS_CHUNK (16 * 1024)
/* The most that is kept for a slow client once the process has ended. */
#define STREAMS_PENDING_MAX (4 << 20)

typedef struct Streams Streams;
typedef struct Attachment Attachment;

typedef struct Output {
        Streams *streams;
        int fd;     /* -1: ended, or never there */
        int stream; /* 1 stdout (and a terminal), 2 stderr */
        LoopSource *source;
} Output;

struct Streams {
        Loop *loop;
        bool terminal;
        bool stdin_once;          /* a client that ends its input ends the process's */
        bool running;             /* outputs are read */
        bool process_ended;       /* and opens its terminal no more */
        bool overflowing;         /* the process has ended: nobody's slowness stops the reading */
        int console;              /* the terminal's master, -1 */
        int slave;                /* its other end, if the process had closed it; -1 */
        int stdin_fd;             /* the pipe's end, or a duplicate of console; -1: closed */
        LoopSource *stdin_source; /* while input waits */
        Buf input;                /* not yet taken by the process */
        bool input_ends;          /* close stdin_fd once input is empty */
        Output outputs[2];
        Attachment *attachments;
        LogFile *log; /* borrowed; NULL: none */

        /* Told of what happens; any may be NULL. on_change: after each change, possibly of nothing
         * that matters; it must not free the streams. */
        void (*on_change)(void *data);
        void (*on_detach)(void *data);
        void (*on_warning)(void *data, const Error *err);
        void *data;
};

/* The process's ends of pipes, to be closed once it was made. */
typedef struct StreamsChild {
        int fds[3];
} StreamsChild;

/* Which streams a process gets; those it does not are /dev/null. A terminal has all three in one.
 */
typedef struct StreamsWants {
        bool terminal, stdin_, stdout_, stderr_;
        uid_t owner; /* of pipes: who is root in the process's user namespace, so that it may give
                        them away, or open them anew as /dev/stdout */
        gid_t group;
} StreamsWants;

void streams_init(Streams *streams, Loop *loop);
void streams_done(Streams *streams); /* closes everything */
/* Makes the pipes and fills *io; with a terminal the runtime fills streams->console through it. */
int streams_open(Streams *streams, StreamsWants wants, ProcessIo *io, StreamsChild *child,
                 Error *err);
void streams_child_done(StreamsChild *child);
/* After the process was made: what reading its output needs, before clients come. */
int streams_prepare(Streams *streams, Error *err);
/* After streams_prepare: begins to read what it writes. */
void streams_run(Streams *streams);

/* From now on the outputs end with the last who has them open. */
void streams_process_ended(Streams *streams);

int streams_resize(Streams *streams, int64_t width, int64_t height, Error *err);
void streams_close_stdin(Streams *streams); /* after what waits for the process */

/* client_fd: a stream socket, duplicated. */
int streams_attach(Streams *streams, int client_fd, const MonitorRequest *request, Error *err);

/* After the process has ended: reads what is left, waiting at most timeout_ms for writers that end
 * just now, and closes the outputs. */
void streams_drain(Streams *streams, int timeout_ms);
/* Ends each attachment once its client took what waits for it. */
void streams_end(Streams *streams);
void streams_drop_clients(Streams *streams); /* at once */
bool streams_outputs_ended(const Streams *streams);

/* ---- between streams.c and attachment.c ---- */

int attachment_new(Streams *streams, int client_fd, const MonitorRequest *request, Attachment **ret,
                   Error *err);
Attachment *attachment_free(Attachment *attachment);
/* Passes output on, at once as far as the socket takes it. */
void attachment_output(Attachment *attachment, int stream, const void *data, size_t length);
void attachment_end(Attachment *attachment); /* closes once nothing waits */
bool attachment_waiting(const Attachment *attachment);
bool attachment_dead(const Attachment *attachment);
/* Brings what is watched in line with the state. */
void attachment_update(Attachment *attachment);

/* Input for the process. False where it must wait: then it is kept, and no more may come until the
 * next attachment_update. */
void streams_input(Streams *streams, const void *data, size_t length);
bool streams_takes_input(const Streams *streams);
/* Frees dead attachments and brings everything that is watched in line. */
void streams_update(Streams *streams);

struct Attachment {
        Attachment *next;
        Streams *streams;
        int fd;
        LoopSource *source;
        uint32_t events; /* watched */
        bool want_stdin, want_stdout, want_stderr, multiplex;
        bool input_ended; /* the client sends no more */
        bool gone;        /* the client reads no more; its input may still wait in the socket */
        bool ending, dead;
        struct DetachKeys *keys; /* terminals only */
        Buf pending;
};
