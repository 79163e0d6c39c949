/* tls.h: brigd's side of brig-tls, the program that speaks TLS for it. */
#pragma once

#include "daemon/options.h"
#include "daemon/sockets.h"

typedef struct TlsServer TlsServer;

/* Starts the program for those of the sockets that have TLS, and waits until it serves: what is
 * wrong with the files is an error here. Sockets and server must outlive it; program is copied.
 * *ret is NULL where no socket has TLS. */
int tls_server_new(Loop *loop, const char *program, const TlsSettings *settings,
                   const Sockets *sockets, HttpServer *server, TlsServer **ret, Error *err);
/* Nobody is accepted any more; connections that are there go on. NULL is fine. */
TlsServer *tls_server_free(TlsServer *tls);
