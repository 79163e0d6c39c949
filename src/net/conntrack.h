/* conntrack.h: makes the kernel forget connections that it tracks. */
#pragma once

#include "base/error.h"
#include "base/ip.h"

/* A socket for conntrack_forget_if, of the calling thread's namespace. */
int conntrack_open(int *ret_fd, Error *err);
/* A connection as the kernel tracks it. */
typedef struct ConntrackFlow {
        IpAddress source, destination; /* of its first packet, as that came in */
        IpAddress answerer;            /* who answers: the destination behind translation */
        uint16_t port, answerer_port;  /* 0 where the protocol has none */
        uint8_t protocol;              /* IPPROTO_* */
} ConntrackFlow;
/* Deletes the entries that matches wants to go. */
typedef bool (*ConntrackMatch)(void *data, const ConntrackFlow *flow);
int conntrack_forget_if(int fd, ConntrackMatch matches, void *data, Error *err);
/* Returns once every packet that was under way is through the kernel: one that met the firewall's
 * elements as they were would put its connection onto the list after it was read. */
void conntrack_wait_for_packets(void);
