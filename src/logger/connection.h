/* connection.h: a way to a syslog server: udp, tcp, tcp+tls, unix, unixgram. One that is lost is
 * made anew by the next call; what TCP's peer has not acknowledged by then is sent again. */
#pragma once

#include "base/error.h"
#include "monitor/logger.h"

typedef struct Connection Connection;

/* Connects, or leaves that to the first send (later). options must outlive it. Errors read as Go's:
 * "dial tcp 127.0.0.1:1: connect: connection refused". */
int connection_open(const LoggerOptions *options, bool later, Connection **ret, Error *err);
/* One record, whole. 0: it is on its way. */
int connection_send(Connection *connection, const void *data, size_t length, Error *err);
/* Makes it anew if it has ended. */
int connection_mend(Connection *connection, Error *err);
int connection_fd(const Connection *connection); /* -1: it is lost, or cannot end */
/* Nothing more is sent: waits until all of it was acknowledged, at most ms. Records that were not,
 * of streams over TCP. */
size_t connection_end(Connection *connection, int ms);
Connection *connection_free(Connection *connection);

bool connection_secure(const Connection *connection);
