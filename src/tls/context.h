/* context.h: what one side of a TLS connection needs: its certificate, its key, whom it trusts.
 * Knows no sockets. */
#pragma once

#include <openssl/ssl.h>

#include "base/cleanup.h"
#include "base/error.h"

typedef struct TlsFiles {
        const char *ca, *cert, *key; /* PEM; NULL or "": none */
        bool verify;                 /* the other side must show a certificate of that authority */
} TlsFiles;

DEFINE_CLEANUP(SSL_CTX *, SSL_CTX_free)
DEFINE_CLEANUP(SSL *, SSL_free)

/* TLS 1.2 and newer. Errors name the file and what is wrong with it. The caller's. */
int tls_context_server(const TlsFiles *files, SSL_CTX **ret, Error *err);
int tls_context_client(const TlsFiles *files, SSL_CTX **ret, Error *err);
/* What OpenSSL says of the last error, or `otherwise`. Constant until the next call. */
const char *tls_reason(const char *otherwise);
