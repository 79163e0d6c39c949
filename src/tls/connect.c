/* connect.c: the client's side: brig is linked statically, and this is where host names and TLS
 * are. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/ip.h"
#include "base/str.h"
#include "tls/message.h"
#include "tls/relay.h"
#include "tls/serve.h"

#define HANDSHAKE_MS 30000

DEFINE_CLEANUP(struct addrinfo *, freeaddrinfo)

static int open_one(const struct addrinfo *address, int *ret_fd) {
        _cleanup_close_ int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);
        int on = 1;

        if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0)
                return -errno;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* The first of the name's addresses that answers. */
static int open_host(const char *host, const char *port, int *ret_fd, Error *err) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
        _cleanup_(freeaddrinfop) struct addrinfo *list = NULL;
        int r = getaddrinfo(host, port, &hints, &list);

        if (r != 0)
                return error_kind(err, ERROR_UNAVAILABLE, "look up %s: %s", host, gai_strerror(r));
        r = -ENOENT;
        for (const struct addrinfo *one = list; one; one = one->ai_next) {
                r = open_one(one, ret_fd);
                if (r == 0)
                        return 0;
        }
        return error_kind(err, ERROR_UNAVAILABLE, "connect to %s:%s: %s", host, port, strerror(-r));
}

/* Whom the certificate must be of (RFC 6125); the name goes along for servers of several. */
static int expect(SSL *ssl, const char *host, Error *err) {
        X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
        IpAddress address;
        bool is_address = ip_parse(host, &address) == 0;

        if ((is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, host)
                        : X509_VERIFY_PARAM_set1_host(param, host, 0)) != 1 ||
            (!is_address && SSL_set_tlsext_host_name(ssl, host) != 1))
                return error_kind(err, ERROR_INVALID, "'%s' is no name of a host", host);
        return 0;
}

int tls_connect(const char *host, const char *port, const TlsFiles *files, Error *err) {
        _cleanup_(SSL_CTX_freep) SSL_CTX *context = NULL;
        _cleanup_(SSL_freep) SSL *ssl = NULL;
        _cleanup_close_ int fd = -1;
        int r = tls_context_client(files, &context, err);

        if (r == 0)
                r = open_host(host, port, &fd, err);
        if (r < 0)
                return r;
        ssl = SSL_new(context);
        if (!ssl || SSL_set_fd(ssl, fd) != 1)
                return error_kind(err, ERROR_INTERNAL, "OpenSSL: %s", tls_reason("no memory"));
        SSL_set_connect_state(ssl);
        r = expect(ssl, host, err);
        if (r == 0)
                r = tls_handshake(ssl, fd, HANDSHAKE_MS, err);
        if (r == 0)
                r = tls_report(TLS_READY, "", -1);
        if (r < 0)
                return r;
        (void)close(TLS_FD_REPORT);
        tls_relay(ssl, fd, TLS_FD_PLAIN);
        return 0;
}
