/* message.h: one document and its descriptors over a SOCK_SEQPACKET socket, both ways. Knows the
 * framing, not the documents. */
#pragma once

#include "format/json.h"

/* The most descriptors beside a document. */
#define MESSAGE_FDS_MAX 10

/* Documents up to MESSAGE_INLINE bytes are the message itself. A larger one travels in a memfd that
 * goes before the other descriptors, and the message is then the one byte MESSAGE_IN_MEMFD, which
 * no JSON document is: so a receiver needs a small buffer only. */
#define MESSAGE_INLINE 8192
#define MESSAGE_IN_MEMFD '@'

/* Descriptors stay the caller's. A non-blocking socket whose peer does not read is -EAGAIN. */
int message_send(int socket_fd, const JsonTable *table, const void *thing, const int *fds,
                 size_t fd_count, Error *err);

/* 1: a message, *thing (zeroed before) is filled and the descriptors are the caller's; 0: the peer
 * is gone; negative: a broken message (of the kind invalid) or socket. On 0 and below, *thing is
 * empty and no descriptor is left open. */
int message_receive(int socket_fd, const JsonTable *table, void *thing, int fds[MESSAGE_FDS_MAX],
                    size_t *ret_fd_count, Error *err);

/* A memfd that holds these bytes, read from its start; close-on-exec, the caller's. */
int memfd_with(const char *name, const void *data, size_t length, int *ret_fd, Error *err);
/* All of a memfd, at most limit bytes; NUL-terminated, the caller's. */
int memfd_read(int fd, size_t limit, char **ret, size_t *ret_length, Error *err);
