/* client-private.h: a monitor's connection, for the files of client.h alone: client.c has it and
 * asks, client-calls.c knows what there is to ask, launch.c begins them. */
#pragma once

#include <pthread.h>

#include "monitor/client.h"

/* An answer with the descriptor that came beside it, -1: none. */
typedef struct Answer {
        MonitorReply reply;
        int fd;
} Answer;

/* An exec for which nobody waits. */
typedef struct Probe {
        struct Probe *next;
        uint64_t number; /* of its request */
        char *exec;
} Probe;

struct Monitor {
        Loop *loop;
        int fd;
        LoopSource *source;
        MonitorNotice notice;
        void *data;
        int64_t answer_max;
        bool netns_later; /* as its start was sent */

        pthread_mutex_t call; /* held from a request to its answer */
        bool watched;         /* guarded by call: the loop's thread reads */

        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t changed;
        uint64_t sent,
                received; /* requests that have an answer, and answers: they keep the order */
        uint64_t wanted;  /* the number of that which a thread waits for, 0: none does */
        bool answered;    /* answer is there */
        Answer answer;
        Probe *probes;   /* whose beginning is not known yet */
        int64_t version; /* the monitor's: MONITOR_VERSION */
        bool ended;      /* the monitor is gone */
        bool over;       /* and that is no surprise: it has said so, or the start failed */
        bool freed;      /* by its owner: no notices any more */
        int callers;     /* threads within a call; freeing waits for them */
};

Monitor *monitor_client_new(Loop *loop, int fd, MonitorNotice notice, void *data);
/* Posted to the loop: from then on its thread reads. data: the Monitor. */
void monitor_client_watch(void *data);
/* As message_receive, with at most one descriptor; the caller's to monitor_client_answer_done. A
 * monitor that ended without reading all that was sent to it is reported once as an error, before
 * its own last words: those are read. */
int monitor_client_receive(int socket_fd, Answer *ret, Error *err);
void monitor_client_answer_done(Answer *answer);

/* Around what is no call of monitor_client_ask: threads ask one after the other. */
void monitor_client_enter(Monitor *monitor);
void monitor_client_leave(Monitor *monitor);
/* Sends a request and waits for its answer; an error answer is an error here. *ret is the caller's
 * to monitor_client_answer_done. */
int monitor_client_ask(Monitor *monitor, const MonitorRequest *request, const int *fds,
                       size_t fd_count, Answer *ret, Error *err);
/* The same, of which the answer says nothing more. */
int monitor_client_ask_plain(Monitor *monitor, const MonitorRequest *request, const int *fds,
                             size_t fd_count, Error *err);
/* Between monitor_client_enter and monitor_client_leave. */
int monitor_client_ask_locked(Monitor *monitor, const MonitorRequest *request, const int *fds,
                              size_t fd_count, Answer *ret, Error *err);
int monitor_client_wait_answer(Monitor *monitor, Answer *ret, Error *err);
/* Sends and waits for nothing; monitor->lock is held, so that numbers are in the order of the
 * requests. */
int monitor_client_send(Monitor *monitor, const MonitorRequest *request, const int *fds,
                        size_t fd_count, Error *err);
