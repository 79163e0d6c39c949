/* resolver-private.h: what resolver.c (containers and their questions), stream.c (TCP clients) and
 * forward.c (upstream servers) share. All of it is the resolver thread's alone. */
#pragma once

#include <netinet/in.h>

#include "base/loop.h"
#include "net/dns.h"
#include "net/resolver.h"
#include "net/upstream.h"

#define FORWARDS_MAX 1024     /* questions under way upstream, of all containers */
#define FORWARDS_MAX_EACH 128 /* … of one container */
#define STREAMS_MAX 1024      /* TCP connections of all containers: each may wait with 64 KiB */
#define STREAMS_MAX_EACH 32   /* … of one container */

typedef struct Forward Forward;
typedef struct Stream Stream;

/* One container that is served. */
typedef struct Attachment {
        Resolver *resolver;
        char *container_id;
        int udp_fd, tcp_fd;
        int netns_fd; /* where upstream servers are asked from; -1: the host's */
        LoopSource *udp_source, *tcp_source;
        LoopSource *tcp_timer; /* no descriptor was free: until connections are taken again */
        Servers servers;       /* that were given */
        bool follows_host;     /* none were: the host's are asked */
        Forward *forwards;
        Stream *streams;
        size_t forward_count, stream_count;
} Attachment;

/* Where an answer goes: a stream, or (NULL) an address of the UDP socket. */
typedef struct Client {
        Stream *stream;
        struct sockaddr_in address;
} Client;

Loop *resolver_loop(Resolver *resolver);
size_t *resolver_forward_count(Resolver *resolver);
size_t *resolver_stream_count(Resolver *resolver);
/* Whom it is to ask now; the list may be another one later. */
const Servers *attachment_servers(const Attachment *attachment);

/* Answers a question, now or later by client_answer. */
void client_ask(Attachment *attachment, const Client *client, const uint8_t *data, size_t length);
void client_answer(Attachment *attachment, const Client *client, const void *data, size_t length);

/* Takes the connections that come to attachment->tcp_fd from now on. */
int stream_listen(Attachment *attachment, Error *err);
void stream_answer(Stream *stream, const void *data, size_t length);
void stream_close_all(Attachment *attachment);

/* Asks the upstream servers in turn, over the client's protocol; answers REFUSED if too many
 * questions are under way, SERVFAIL if no server answers. */
void forward_ask(Attachment *attachment, const Client *client, const uint8_t *data, size_t length,
                 const DnsQuery *query);
/* Forgets the questions of a stream that closed; NULL: of every client. */
void forward_cancel(Attachment *attachment, const Stream *stream);
