/* sockets.h: where brigd listens: Unix sockets, TCP on the loopback, and sockets that systemd
 * passes. */
#pragma once

#include "http/server.h"

typedef struct Socket {
        int fd;     /* listening; -1 once it was handed over */
        char *path; /* of a Unix socket that is to be removed at the end, else NULL */
        bool local; /* a Unix socket */
        long group; /* whose members may connect beside root; -1: none */
} Socket;

typedef struct Sockets {
        Socket **items;
        size_t count;
} Sockets;

/* Opens one address ("unix:///run/brig/brig.sock"); group NULL: "brig" where it exists. Connections
 * queue until they are served. */
int sockets_open(Sockets *sockets, const char *address, const char *group, Error *err);
/* Hands all of them to the server. */
int sockets_serve(Sockets *sockets, HttpServer *server, Error *err);
/* Removes the paths and frees. */
void sockets_done(Sockets *sockets);
