/* exchange.h: what server.c and exchange.c share: one connection and the exchange on it. */
#pragma once

#include <pthread.h>

#include "http/input.h"
#include "http/server.h"

struct HttpExchange {
        bool relayed; /* not the client itself is at the other end */
        HttpServer *server;
        HttpExchange *previous, *next; /* in the server's list; its lock guards them and fd */
        int fd;
        int usual_room; /* of a socket that http_exchange_widen made wider; else 0 */
        HttpInput input;

        /* one request */
        Buf text; /* what head points into */
        HttpHead head;
        HttpBody body;
        bool continue_sent;
        int pump_fd; /* the pump's end of the socket pair */
        bool pumping;
        pthread_t pump;

        /* its answer */
        Buf fields;
        bool begun, ended, chunked;
        bool keep; /* the connection serves another request */
};

/* Hands the connection over: the server knows it no more. */
int http_exchange_take(HttpExchange *exchange);
/* A client that does not read as fast as an answer is written: lets a Unix socket hold the most of
 * a long one, so that the two need not take turns, until the answer is finished or the connection
 * taken. Few may have that at once; the others stay as they are, and so do all without
 * CAP_NET_ADMIN. What the socket holds by then it holds until the client reads or goes. */
void http_exchange_widen(HttpExchange *exchange);
/* Between requests. */
void http_exchange_reset(HttpExchange *exchange);
/* Ends the answer and the body: what is left of the body is read where it is short, else the
 * connection ends. */
void http_exchange_finish(HttpExchange *exchange);
/* {"message":"…"} */
void http_answer_error(HttpExchange *exchange, int status, const char *message);
