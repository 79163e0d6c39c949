/* tls.c: see tls.h. */
#include "logger/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/fd.h"

#define HANDSHAKE_S 10

struct Tls {
        SSL_CTX *context;
        SSL *ssl;
        int fd;
};

/* The library's own reason for the last failure. */
static int tls_error(const char *what, Error *err) {
        unsigned long code = ERR_peek_last_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;

        ERR_clear_error();
        return error_kind(err, ERROR_UNAVAILABLE, "tls: %s: %s", what,
                          reason ?: "the connection was closed");
}

static int load_files(SSL_CTX *context, const LoggerOptions *options, Error *err) {
        if (!str_empty(options->tls_ca)) {
                if (SSL_CTX_load_verify_locations(context, options->tls_ca, NULL) != 1)
                        return tls_error(options->tls_ca, err);
        } else if (SSL_CTX_set_default_verify_paths(context) != 1)
                return tls_error("the system's certificate authorities", err);
        if (str_empty(options->tls_cert) && str_empty(options->tls_key))
                return 0;
        if (SSL_CTX_use_certificate_chain_file(context, options->tls_cert ?: "") != 1)
                return tls_error(options->tls_cert ?: "syslog-tls-cert", err);
        if (SSL_CTX_use_PrivateKey_file(context, options->tls_key ?: "", SSL_FILETYPE_PEM) != 1)
                return tls_error(options->tls_key ?: "syslog-tls-key", err);
        return 0;
}

/* Whom the certificate has to name. */
static bool expect_host(SSL *ssl, const char *host) {
        unsigned char address[sizeof(struct in6_addr)];

        if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
                return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
        return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static int shake_hands(Tls *tls, const char *host, Error *err) {
        const struct timeval limit = { .tv_sec = HANDSHAKE_S }, none = {};
        long verified;
        int shaken;

        if (!expect_host(tls->ssl, host) || SSL_set_fd(tls->ssl, tls->fd) != 1)
                return tls_error("set up", err);
        /* A server that accepts and says nothing is none. */
        (void)setsockopt(tls->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        shaken = SSL_connect(tls->ssl);
        (void)setsockopt(tls->fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
        if (shaken == 1)
                return 0;
        verified = SSL_get_verify_result(tls->ssl);
        if (verified != X509_V_OK)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "tls: the certificate of %s is not trusted: %s", host,
                                  X509_verify_cert_error_string(verified));
        return tls_error("handshake", err);
}

int tls_new(int fd, const char *host, const LoggerOptions *options, Tls **ret, Error *err) {
        Tls *tls = NEW(Tls);
        int r = 0;

        *tls = (Tls){ .fd = fd, .context = SSL_CTX_new(TLS_client_method()) };
        if (!tls->context || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
                r = tls_error("set up", err);
        if (r == 0)
                r = load_files(tls->context, options, err);
        if (r == 0) {
                SSL_CTX_set_verify(tls->context,
                                   options->tls_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                                   NULL);
                tls->ssl = SSL_new(tls->context);
                r = tls->ssl ? shake_hands(tls, host, err) : tls_error("set up", err);
        }
        if (r < 0) {
                tls_free(tls);
                return r;
        }
        *ret = tls;
        return 0;
}

Tls *tls_free(Tls *tls) {
        if (!tls)
                return NULL;
        SSL_free(tls->ssl);
        SSL_CTX_free(tls->context);
        free(tls);
        return NULL;
}

int tls_write(Tls *tls, const void *data, size_t length, uint64_t *written, Error *err) {
        size_t done;

        ERR_clear_error();
        if (SSL_write_ex(tls->ssl, data, length, &done) != 1)
                return tls_error("write", err);
        *written = BIO_number_written(SSL_get_wbio(tls->ssl));
        return 0;
}

bool tls_has_ended(Tls *tls) {
        struct pollfd poll_fd = { .fd = tls->fd, .events = POLLIN };
        char byte;

        if (poll(&poll_fd, 1, 0) == 0)
                return false;
        ERR_clear_error();
        /* What comes may be a session ticket, which is nothing that a reader sees. */
        (void)fd_set_nonblocking(tls->fd, true);
        int n = SSL_read(tls->ssl, &byte, 1);
        int reason = SSL_get_error(tls->ssl, n);
        (void)fd_set_nonblocking(tls->fd, false);
        return n <= 0 && reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE;
}

void tls_end(Tls *tls) {
        if (tls)
                (void)SSL_shutdown(tls->ssl);
}
