/* redirect.h: the sockets behind 127.0.0.11:53 in a container's network namespace. */
#pragma once

#include "net/closer.h"

/* Non-blocking sockets of netns_fd that get what is sent there to 127.0.0.11, port 53: UDP, and TCP
 * that listens. Repeating it makes the new ones take over from those before. closer gets what need
 * not be waited for. */
int redirect_open(int netns_fd, Closer *closer, int *ret_udp, int *ret_tcp, Error *err);
