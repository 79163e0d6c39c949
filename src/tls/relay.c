/* relay.c: see relay.h. One poll loop, one buffer a direction: who reads slowly is written to
 * slowly. */
#include "tls/relay.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"

#define PIECE 16384 /* of a TLS record */
#define LINGER_MS 2000

typedef struct Direction {
        char bytes[PIECE];
        size_t from, to; /* what waits to be written */
        bool ended;      /* nothing more is read */
        bool told;       /* and the other side knows */
} Direction;

typedef struct Relay {
        SSL *ssl;
        int tls_fd, plain_fd;
        short tls_wants, plain_wants; /* what to poll for */
        bool gone;                    /* a side is, and all is over */
        Direction in, out;            /* in: from TLS to plain */
} Relay;

static bool waiting(const Direction *direction) {
        return direction->from < direction->to;
}

/* What a call of OpenSSL's came to: true where it is to be called again once the socket is ready.
 */
static bool tls_again(Relay *relay, int result) {
        switch (SSL_get_error(relay->ssl, result)) {
        case SSL_ERROR_WANT_READ:
                relay->tls_wants |= POLLIN;
                return true;
        case SSL_ERROR_WANT_WRITE:
                relay->tls_wants |= POLLOUT;
                return true;
        default:
                return false;
        }
}

/* ---- from TLS to plain ---- */

static bool read_tls(Relay *relay) {
        Direction *in = &relay->in;
        int n, why;

        ERR_clear_error();
        n = SSL_read(relay->ssl, in->bytes, PIECE);
        if (n > 0) {
                in->from = 0;
                in->to = (size_t)n;
                return true;
        }
        why = SSL_get_error(relay->ssl, n);
        if (tls_again(relay, n))
                return false;
        in->ended = true;
        relay->gone |= why != SSL_ERROR_ZERO_RETURN;
        return true;
}

static bool write_plain(Relay *relay) {
        Direction *in = &relay->in;
        ssize_t n = send(relay->plain_fd, in->bytes + in->from, in->to - in->from,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n >= 0) {
                in->from += (size_t)n;
                return true;
        }
        if (errno == EINTR)
                return true;
        if (errno == EAGAIN)
                relay->plain_wants |= POLLOUT;
        else
                relay->gone = true;
        return false;
}

/* True where something moved. */
static bool step_in(Relay *relay) {
        Direction *in = &relay->in;

        if (waiting(in))
                return write_plain(relay);
        if (!in->ended)
                return read_tls(relay);
        if (!in->told)
                (void)shutdown(relay->plain_fd, SHUT_WR);
        in->told = true;
        return false;
}

/* ---- from plain to TLS ---- */

static bool read_plain(Relay *relay) {
        Direction *out = &relay->out;
        ssize_t n = recv(relay->plain_fd, out->bytes, PIECE, MSG_DONTWAIT);

        if (n > 0) {
                out->from = 0;
                out->to = (size_t)n;
                return true;
        }
        if (n < 0 && errno == EINTR)
                return true;
        if (n < 0 && errno == EAGAIN) {
                relay->plain_wants |= POLLIN;
                return false;
        }
        out->ended = true;
        return true;
}

static bool write_tls(Relay *relay) {
        Direction *out = &relay->out;
        int n;

        ERR_clear_error();
        n = SSL_write(relay->ssl, out->bytes + out->from, (int)(out->to - out->from));
        if (n > 0) {
                out->from += (size_t)n;
                return true;
        }
        if (!tls_again(relay, n))
                relay->gone = true;
        return false;
}

static bool tell_tls(Relay *relay) {
        int n;

        ERR_clear_error();
        n = SSL_shutdown(relay->ssl);
        if (n < 0 && tls_again(relay, n))
                return false;
        (void)shutdown(relay->tls_fd, SHUT_WR);
        relay->out.told = true;
        return true;
}

static bool step_out(Relay *relay) {
        Direction *out = &relay->out;

        if (waiting(out))
                return write_tls(relay);
        if (!out->ended)
                return read_plain(relay);
        return !out->told && tell_tls(relay);
}

/* ---- both ---- */

/* The plain side is closed, not only its one direction: what TLS sends is for nobody. */
static bool plain_is_gone(const Relay *relay) {
        struct pollfd fd = { .fd = relay->plain_fd };

        return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR));
}

static bool is_over(const Relay *relay) {
        return relay->gone || (relay->out.told && (relay->in.told || plain_is_gone(relay)));
}

/* What the peer still sends is read for a while, or the kernel would reset the connection, and what
 * was written last could be lost. */
static void linger(int fd) {
        const int64_t end = clock_monotonic() + LINGER_MS * NSEC_PER_MSEC;
        char bytes[4096];

        for (;;) {
                struct pollfd wait = { .fd = fd, .events = POLLIN };
                int64_t left = (end - clock_monotonic()) / NSEC_PER_MSEC;

                if (left <= 0 || poll(&wait, 1, (int)left) <= 0 ||
                    recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
                        return;
        }
}

void tls_relay(SSL *ssl, int tls_fd, int plain_fd) {
        Relay *relay = NEW(Relay);

        *relay = (Relay){ .ssl = ssl, .tls_fd = tls_fd, .plain_fd = plain_fd };
        (void)fd_set_nonblocking(tls_fd, true);
        for (;;) {
                struct pollfd fds[2];
                bool moved;

                relay->tls_wants = relay->plain_wants = 0;
                moved = step_in(relay);
                moved |= step_out(relay);
                if (is_over(relay))
                        break;
                if (moved)
                        continue;
                fds[0] = (struct pollfd){ .fd = tls_fd, .events = relay->tls_wants };
                fds[1] = (struct pollfd){ .fd = plain_fd, .events = relay->plain_wants };
                /* A descriptor that nobody waits for would report its end over and over. */
                if (!fds[0].events)
                        fds[0].fd = -1;
                if (!fds[1].events && !relay->out.told)
                        fds[1].fd = -1;
                (void)poll(fds, 2, -1);
        }
        if (relay->out.told && !relay->gone)
                linger(tls_fd);
        free(relay);
}

/* ---- the handshake ---- */

static int failed(SSL *ssl, Error *err) {
        long verdict = SSL_get_verify_result(ssl);

        if (verdict != X509_V_OK)
                return error_kind(err, ERROR_UNAVAILABLE, "TLS: %s",
                                  X509_verify_cert_error_string(verdict));
        return error_kind(err, ERROR_UNAVAILABLE, "TLS: %s",
                          tls_reason("the connection ended during the handshake"));
}

int tls_handshake(SSL *ssl, int fd, int ms, Error *err) {
        const int64_t end = clock_monotonic() + ms * NSEC_PER_MSEC;

        (void)fd_set_nonblocking(fd, true);
        for (;;) {
                struct pollfd wait = { .fd = fd };
                int64_t left = (end - clock_monotonic()) / NSEC_PER_MSEC;
                int result, why;

                ERR_clear_error();
                result = SSL_do_handshake(ssl);
                if (result == 1)
                        return 0;
                why = SSL_get_error(ssl, result);
                if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                        return failed(ssl, err);
                wait.events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
                if (left <= 0)
                        return error_kind(err, ERROR_UNAVAILABLE,
                                          "TLS: the other side did not answer in time");
                (void)poll(&wait, 1, (int)left);
        }
}
