/* relay.h: carries bytes between a TLS connection and a plain socket, until both have ended. */
#pragma once

#include "tls/context.h"

/* The handshake is over; both sockets are made non-blocking. The end of one direction becomes that
 * of the other side's (close_notify and FIN; shutdown(2)), and bytes go on in the other direction.
 * A TLS peer whose connection ends without close_notify has ended its direction, as Docker's older
 * clients do it. Returns once both directions are over or a side is gone. */
void tls_relay(SSL *ssl, int tls_fd, int plain_fd);
/* Takes SSL_connect or SSL_accept to its end. ms: at most. unavailable, with the reason. */
int tls_handshake(SSL *ssl, int fd, int ms, Error *err);
