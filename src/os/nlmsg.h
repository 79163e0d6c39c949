/* nlmsg.h: what every reader of netlink messages must check before it believes them. */
#pragma once

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdbool.h>

/* Whether a whole message is within the bytes that are left. mnl_nlmsg_ok takes a length beyond
 * INT_MAX for one that fits. */
static inline bool nlmsg_ok(const struct nlmsghdr *header, int left) {
        return left >= (int)sizeof(*header) && header->nlmsg_len >= sizeof(*header) &&
               header->nlmsg_len <= (unsigned)left;
}

/* The errno, positive, that a complete NLMSG_ERROR or NLMSG_DONE carries; 0: none, it acknowledges
 * or ends; EBADMSG: it is no errno at all. */
static inline int nlmsg_errno(const struct nlmsghdr *header) {
        const int *number = mnl_nlmsg_get_payload(header);

        if (mnl_nlmsg_get_payload_len(header) < sizeof(*number))
                return header->nlmsg_type == NLMSG_DONE ? 0 : EBADMSG;
        return *number > 0 || *number < -4095 ? EBADMSG : -*number;
}
