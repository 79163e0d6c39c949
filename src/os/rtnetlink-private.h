/* rtnetlink-private.h: an rtnetlink socket, for rtnetlink.c and rtnetlink-links.c, which change
 * things, and rtnetlink-questions.c, which asks. */
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

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

/* A message more in the queue. tolerated: an errno that is success here, or 0; what and name are an
 * error's words. */
struct nlmsghdr *rtnl_message(Rtnl *rtnl, uint16_t type, uint16_t flags, int tolerated,
                              const char *what, const char *name);
/* The header of a message about a link; index 0: its attributes name it. */
struct ifinfomsg *rtnl_add_link(struct nlmsghdr *header, unsigned index, bool up);
void rtnl_add_data(struct nlmsghdr *header, uint16_t type, size_t length, const void *data);
void rtnl_add_u32(struct nlmsghdr *header, uint16_t type, uint32_t value);
void rtnl_add_text(struct nlmsghdr *header, uint16_t type, const char *text);
/* Another message, which names the owner of the link that the one before makes; no alias, no
 * message: NULL. */
struct nlmsghdr *rtnl_add_alias(Rtnl *rtnl, const char *name, const char *alias);

/* The next datagram, in rtnl->in. */
int rtnl_receive(Rtnl *rtnl, size_t *ret_length, Error *err);
