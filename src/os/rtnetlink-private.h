/* rtnetlink-private.h: an rtnetlink socket, for rtnetlink.c, which changes things, and
 * rtnetlink-questions.c, which asks. */
#pragma once

#include <linux/netlink.h>

#include "os/rtnetlink.h"

#define QUEUE_MAX 16
#define MESSAGE_MAX 1024

typedef struct Queued {
        char what[96]; /* for an error */
        int tolerated; /* an errno that is success here, or 0 */
} Queued;

struct Rtnl {
        int fd;
        uint32_t sequence; /* of the first message queued */
        size_t count, used;
        Queued queue[QUEUE_MAX];
        _Alignas(struct nlmsghdr) char out[QUEUE_MAX * MESSAGE_MAX];
        _Alignas(struct nlmsghdr) char in[32768];
};

/* The next datagram, in rtnl->in. */
int rtnl_receive(Rtnl *rtnl, size_t *ret_length, Error *err);
