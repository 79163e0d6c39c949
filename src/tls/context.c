/* context.c: see context.h. */
#include "tls/context.h"

#include <errno.h>
#include <openssl/err.h>

#include "base/str.h"

const char *tls_reason(const char *otherwise) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());

        ERR_clear_error();
        return reason ?: otherwise;
}

static int bad_file(const char *what, const char *path, Error *err) {
        /* The first error of a file that can't be opened is the system's. */
        unsigned long code = ERR_peek_error();

        if (ERR_SYSTEM_ERROR(code)) {
                ERR_clear_error();
                return error_set(err, (int)ERR_GET_REASON(code), "%s '%s'", what, path);
        }
        return error_kind(err, ERROR_INVALID, "%s '%s': %s", what, path,
                          tls_reason("it is no PEM file"));
}

static int load(SSL_CTX *context, const TlsFiles *files, Error *err) {
        if (!str_empty(files->cert) &&
            SSL_CTX_use_certificate_chain_file(context, files->cert) != 1)
                return bad_file("TLS certificate", files->cert, err);
        if (!str_empty(files->key) &&
            SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) != 1)
                return bad_file("TLS key", files->key, err);
        if (!str_empty(files->cert) && SSL_CTX_check_private_key(context) != 1)
                return error_kind(err, ERROR_INVALID,
                                  "TLS key '%s' is not that of the certificate '%s'", files->key,
                                  files->cert);
        if (!str_empty(files->ca) && SSL_CTX_load_verify_file(context, files->ca) != 1)
                return bad_file("TLS authority", files->ca, err);
        return 0;
}

static int make(const SSL_METHOD *method, const TlsFiles *files, SSL_CTX **ret, Error *err) {
        _cleanup_(SSL_CTX_freep) SSL_CTX *context = SSL_CTX_new(method);
        int r;

        if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
                return error_kind(err, ERROR_INTERNAL, "start OpenSSL: %s", tls_reason("unknown"));
        (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
        (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                                SSL_MODE_RELEASE_BUFFERS);
        r = load(context, files, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(context);
        return 0;
}

int tls_context_server(const TlsFiles *files, SSL_CTX **ret, Error *err) {
        _cleanup_(SSL_CTX_freep) SSL_CTX *context = NULL;
        int r = make(TLS_server_method(), files, &context, err);

        if (r < 0)
                return r;
        /* A session that goes on would show its certificate to nobody. */
        (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        (void)SSL_CTX_set_num_tickets(context, 0);
        (void)SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        if (files->verify) {
                STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(files->ca);

                if (!names)
                        return bad_file("TLS authority", files->ca, err);
                SSL_CTX_set_client_CA_list(context, names);
                SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                                   NULL);
        }
        *ret = TAKE_PTR(context);
        return 0;
}

int tls_context_client(const TlsFiles *files, SSL_CTX **ret, Error *err) {
        _cleanup_(SSL_CTX_freep) SSL_CTX *context = NULL;
        int r = make(TLS_client_method(), files, &context, err);

        if (r < 0)
                return r;
        if (files->verify && str_empty(files->ca) && SSL_CTX_set_default_verify_paths(context) != 1)
                return error_kind(err, ERROR_INTERNAL, "find the host's authorities: %s",
                                  tls_reason("unknown"));
        SSL_CTX_set_verify(context, files->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
        *ret = TAKE_PTR(context);
        return 0;
}
