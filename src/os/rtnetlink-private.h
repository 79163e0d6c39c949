/* rtnetlink-private.h: how messages are queued, for the files that write them. */
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "os/rtnetlink.h"

#define RTNL_MESSAGE_MAX 1024

/* A message more in the queue. tolerated: an errno that is success here, or 0; what and name are an
 * error's words. */
struct nlmsghdr *rtnl_message(Rtnl *rtnl, uint16_t type, uint16_t flags, int tolerated,
                              const char *what, const char *name);
/* The header of a message about a link; index 0: its attributes name it. */
struct ifinfomsg *rtnl_add_link(struct nlmsghdr *header, unsigned index, bool up);
void rtnl_add_data(struct nlmsghdr *header, uint16_t type, size_t length, const void *data);
void rtnl_add_u32(struct nlmsghdr *header, uint16_t type, uint32_t value);
void rtnl_add_text(struct nlmsghdr *header, uint16_t type, const char *text);
/* Another message, which names the owner of the link that the one before makes. NULL: none. */
void rtnl_add_alias(Rtnl *rtnl, const char *name, const char *alias);
