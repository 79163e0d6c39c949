/* client-private.h: what client.c and client-reply.c share. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "http/client.h"

struct HttpClient {
        char *name;                      /* as the caller wrote it, for errors */
        char *host;                      /* the Host header */
        struct sockaddr_storage address; /* large enough for a Unix path */
        socklen_t address_length;
        HttpDial dial; /* NULL: to the address */
        void *dial_data;
        Pairs headers;
        int give_up_fd; /* see http_client_give_up_on; or -1 */
        int idle_fd;    /* a connection that waits for the next request, or -1 */
};

/* Reads a reply's head from fd, which becomes the reply's, on error too. */
int reply_new(HttpClient *client, int fd, bool is_head, HttpReply **ret, Error *err);
