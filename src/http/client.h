/* client.h: one HTTP/1.1 request after another over a Unix or TCP socket, bodies streamed both
 * ways, and the raw stream after an upgrade. Knows nothing of Docker's API; no TLS, no redirects.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

typedef struct HttpClient HttpClient;
typedef struct HttpReply HttpReply;

typedef struct HttpRequest {
        const char *method, *path; /* path with its query, percent-encoded already */
        const Pairs *headers;      /* more of them; may be NULL */
        const char *content_type;  /* NULL: none */
        const void *body;          /* of `length` bytes; NULL: none */
        size_t length;
        int body_fd; /* body is what it yields up to its end, sent in chunks, if has_body_fd */
        bool has_body_fd;
        bool answer_ends_body; /* an answer that comes before body_fd's end says that no more of it
                                  is wanted: who waits for input would not hear of it */
        bool upgrade;          /* Connection: Upgrade, Upgrade: tcp */
        /* Descriptors sent along with the first byte, at most HTTP_FDS_MAX (http/head.h), over a
         * Unix socket only; they stay the caller's. */
        const int *fds;
        size_t fd_count;
} HttpRequest;

/* host: "unix:///run/brig/brig.sock" or "tcp://127.0.0.1:2375" ("http://…" alike; an IPv6 address
 * in brackets). Host names are those of /etc/hosts. Does not connect yet. ERROR_INVALID. */
int http_client_new(const char *host, HttpClient **ret, Error *err);
/* Connections are made by dial, which returns a stream socket or a negative errno; name is for
 * errors, host for the Host header. data must outlive the client. */
typedef int (*HttpDial)(void *data, Error *err);
HttpClient *http_client_new_dialed(const char *name, const char *host, HttpDial dial, void *data);
/* A connection that nothing was sent on, the caller's; or a negative errno. */
int http_client_dial(HttpClient *client, Error *err);
HttpClient *http_client_free(HttpClient *client); /* replies must be freed before */
DEFINE_CLEANUP(HttpClient *, http_client_free)
/* Sent with every request; both copied, replaces a header of that name. */
void http_client_header(HttpClient *client, const char *name, const char *value);

/* Once fd is readable (a signalfd, mostly), an answer is waited for HTTP_GIVE_UP_S seconds more,
 * and then not: -EINTR. HTTP_NOW: that is so at once. fd stays the caller's; -1 takes it back. The
 * one that was so far. */
#define HTTP_GIVE_UP_S 3
#define HTTP_NOW (-2)
int http_client_give_up_on(HttpClient *client, int fd);

/* Sends the request and reads the reply's head. Uses the idle connection if there is one, else a
 * new one. Where nothing listens: ERROR_UNAVAILABLE, err->number says why. */
int http_client_send(HttpClient *client, const HttpRequest *request, HttpReply **ret, Error *err);

int http_reply_status(const HttpReply *reply);
const char *http_reply_header(const HttpReply *reply, const char *name); /* borrowed, or NULL */
/* Up to size bytes of the decoded body, 0 at its end, or a negative errno. */
ssize_t http_reply_read(HttpReply *reply, void *data, size_t size, Error *err);
/* The connection, on which poll(2) waits for more of the body; -1 where http_reply_read has
 * something to give out or to say without waiting. */
int http_reply_poll_fd(const HttpReply *reply);
/* What is left of the body, appended to buf; more than limit bytes is an error. */
int http_reply_read_all(HttpReply *reply, size_t limit, Buf *buf, Error *err);
/* The connection itself, after an upgrade: the caller's; early gets what came with the head. */
int http_reply_take_stream(HttpReply *reply, Buf *early);
/* Keeps the connection for the next request if the body was read to its end. NULL is fine. */
HttpReply *http_reply_free(HttpReply *reply);
DEFINE_CLEANUP(HttpReply *, http_reply_free)
#define _cleanup_reply_ _cleanup_(http_reply_freep)

/* Appends text, percent-encoded for a query's value or a path's segment. */
void http_escape(Buf *buf, const char *text);
