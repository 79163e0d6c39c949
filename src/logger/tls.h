/* tls.h: TLS over a connected socket, as a client (OpenSSL). Knows no records. */
#pragma once

#include "base/error.h"
#include "monitor/logger.h"

typedef struct Tls Tls;

/* Shakes hands over fd, which stays the caller's: the server's certificate is checked against
 * tls_ca (else the system's authorities) and host, unless tls_skip_verify. */
int tls_new(int fd, const char *host, const LoggerOptions *options, Tls **ret, Error *err);
Tls *tls_free(Tls *tls);
/* All of it. *written: what the socket has taken since tls_new, with what TLS adds. */
int tls_write(Tls *tls, const void *data, size_t length, uint64_t *written, Error *err);
bool tls_has_ended(Tls *tls); /* the server has closed it; asks without waiting */
void tls_end(Tls *tls);       /* says that no more comes; NULL is fine */
