/* serve.h: the two things that brig-tls does. They return when they are done. */
#pragma once

#include "tls/context.h"

/* Accepts, and gives each client that passed the handshake to brigd as a plain socket. Ends when
 * brigd does; connections go on in processes of their own. */
int tls_serve(const TlsFiles *files, Error *err);
/* Connects, and carries bytes until both sides are done. */
int tls_connect(const char *host, const char *port, const TlsFiles *files, Error *err);
/* One datagram to who started this program; fd -1: none comes along. */
int tls_report(char kind, const char *words, int fd);
