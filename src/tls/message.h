/* message.h: how brig-tls is started, and what it says to who started it: one datagram over a
 * SOCK_SEQPACKET pair, its first byte one of these. */
#pragma once

/*  brig-tls serve CA CERT KEY VERIFY       the listening sockets come in a first message
 *  brig-tls connect HOST PORT CA CERT KEY VERIFY
 * Empty words: none. VERIFY: 0 or 1. */
#define TLS_FD_REPORT 3 /* the pair's other end */
#define TLS_FD_PLAIN 4  /* connect: the socket whose bytes travel over TLS */

#define TLS_READY 'R'      /* serve: it listens; connect: bytes may flow */
#define TLS_ERROR 'E'      /* the words follow; it ends */
#define TLS_CONNECTION 'C' /* serve: a client, whose plain socket comes along */

#define TLS_LISTENERS_MAX 16
#define TLS_WORDS_MAX 1024
