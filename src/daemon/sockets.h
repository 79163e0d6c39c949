/* sockets.h: where brigd listens: Unix sockets, TCP, and sockets that systemd passes. */
#pragma once

#include "http/server.h"

typedef struct Socket {
        int fd;     /* listening; -1 once it was handed over */
        char *path; /* of a Unix socket that is to be removed at the end, else NULL */
        bool local; /* a Unix socket */
        bool tls;   /* TCP on which TLS is spoken */
        long group; /* whose members may connect beside root; -1: none */
} Socket;

typedef struct Sockets {
        Socket **items;
        size_t count;
        bool tls, verify; /* of TCP: TLS, and clients show a certificate. Set before they are opened
                           */
} Sockets;

/* Opens one address ("unix:///run/brig/brig.sock"); group NULL: "brig" where it exists. Connections
 * queue until they are served. */
int sockets_open(Sockets *sockets, const char *address, const char *group, Error *err);
/* Hands those without TLS to the server. */
int sockets_serve(Sockets *sockets, HttpServer *server, Error *err);
/* Removes the paths and frees. */
void sockets_done(Sockets *sockets);
