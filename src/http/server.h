/* server.h: an HTTP/1.1 server: an acceptor on the event loop, one blocking thread a connection.
 * Keep-alive, pipelining, chunked bodies both ways, 100-continue, and connections that change
 * their protocol (hijacked). Knows no routes and no documents. */
#pragma once

#include "base/loop.h"
#include "base/str.h"
#include "http/head.h"

typedef struct HttpServer HttpServer;
typedef struct HttpExchange HttpExchange; /* a request and the answer to it */

/* Answers the request; runs on the connection's thread and may block. What it leaves unanswered is
 * answered with 500. */
typedef void (*HttpHandler)(void *data, HttpExchange *exchange);

/* Whether this peer may talk to the server; what is said otherwise is a 403 with *why (constant).
 */
typedef bool (*HttpAllow)(void *data, int fd, const char **why);

typedef struct HttpServerOptions {
        HttpHandler handler;
        void *data;
        unsigned connections_max;    /* 0: 1024; one more is answered with 503 */
        int64_t idle_timeout;        /* ns without a request, 0: five minutes */
        int64_t head_timeout;        /* ns from a head's first byte to its last, 0: 30 seconds */
        void (*on_idle)(void *null); /* on the loop's thread once the last connection is gone, maybe
                                        after the server is; may be NULL */
} HttpServerOptions;

/* Call from the loop's thread, as listen and stop. SIGPIPE must be ignored. */
int http_server_new(Loop *loop, const HttpServerOptions *options, HttpServer **ret, Error *err);
/* Accepts from listen_fd (the server's from now on, closed on error, too). allow may be NULL. */
int http_server_listen(HttpServer *server, int listen_fd, HttpAllow allow, void *data, Error *err);
/* Serves a connection that is there already (the server's from now on), as if it had been accepted.
 */
void http_server_serve(HttpServer *server, int fd);
/* The same where another program carries the bytes, which has seen to it that the client may. */
void http_server_serve_relayed(HttpServer *server, int fd);
/* Closes the listeners, tells every connection that its peer is gone (so that streams end, while
 * calls under way still answer), and runs the loop for up to `grace` ns until they have. False if
 * threads were left: then the server must not be freed, and the program ends. */
bool http_server_stop(HttpServer *server, int64_t grace);
HttpServer *http_server_free(HttpServer *server); /* after stop */

/* ---- the request ---- */
const HttpHead *http_request_head(const HttpExchange *exchange);
/* The connection's socket, for noticing that the client left; not to be read or written. */
int http_request_socket(const HttpExchange *exchange);
/* Where a request is from: a Unix socket, whose kernel knows the peer; TCP; or another program,
 * which is the peer in the client's place. */
typedef enum HttpOrigin { HTTP_LOCAL, HTTP_TCP, HTTP_RELAYED } HttpOrigin;
HttpOrigin http_request_origin(const HttpExchange *exchange);
/* The whole body. invalid where it is malformed or over limit bytes. */
int http_request_body(HttpExchange *exchange, size_t limit, Buf *buf, Error *err);
/* The body as a stream socket that ends where the body ends; a client that leaves before makes
 * reading fail with ECONNRESET. The caller closes *ret_fd before it returns from the handler. */
int http_request_body_fd(HttpExchange *exchange, int *ret_fd, Error *err);
/* The descriptors that the client sent along with the request's first byte (SCM_RIGHTS, Unix
 * sockets only), in their order; the caller's from now on. To be called once the body was read.
 * What nobody takes is closed with the request; one with more than HTTP_FDS_MAX is refused before
 * its handler. invalid where they may be those of a request that was sent before this one was
 * answered. */
int http_request_fds(HttpExchange *exchange, int fds[HTTP_FDS_MAX], size_t *ret, Error *err);

/* ---- the answer ---- */
/* A header field of the answer to come. value is sent up to its first control character. */
void http_header(HttpExchange *exchange, const char *name, const char *value);
/* The whole answer. type may be NULL where there is no body. */
void http_answer(HttpExchange *exchange, int status, const char *type, const void *data,
                 size_t length);
/* The header of an answer whose length is not known yet, sent at once; then its pieces. A negative
 * errno once the client is gone. */
int http_begin(HttpExchange *exchange, int status, const char *type);
int http_write(HttpExchange *exchange, const void *data, size_t length);
/* Breaks the answer off, so that the client sees that it is not whole. */
void http_abort(HttpExchange *exchange);
bool http_answered(const HttpExchange *exchange); /* at least begun */

/* Before http_hijack and http_switch: takes the bytes that the client sent behind its request. */
void http_early_bytes(HttpExchange *exchange, Buf *early);
/* Changes the protocol: 101 UPGRADED where the client asked by an Upgrade field, else 200, as
 * Docker does. From then on the connection is the caller's: *ret_fd, the descriptor that
 * http_request_socket told. */
int http_hijack(HttpExchange *exchange, const char *type, int *ret_fd, Error *err);
/* Changes the protocol to the one named, with the header fields set so far. The connection stays
 * the server's: the handler speaks the protocol on http_request_socket, whose peer seems to be gone
 * once the server stops, and what it leaves is closed. */
int http_switch(HttpExchange *exchange, const char *protocol, Error *err);
