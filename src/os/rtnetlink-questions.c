/* rtnetlink-questions.c: what links and addresses there are, and whether one is up; see
 * rtnetlink.h. */
#include "os/rtnetlink-private.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "os/nlmsg.h"

#define DUMP_TRIES 20

int rtnl_index(Rtnl *rtnl, const char *name) {
        struct ifreq request = { 0 };

        if (strlen(name) >= sizeof(request.ifr_name))
                return -ENODEV;
        memcpy(request.ifr_name, name, strlen(name));
        return ioctl(rtnl->fd, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

/* Reads up to the answer to the question of that number: 1 if it is a link, 0 if it is that there
 * is none. */
static int read_existence(Rtnl *rtnl, uint32_t sequence, Error *err) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)rtnl->in;
        size_t length;
        int number;

        do {
                int r = rtnl_receive(rtnl, &length, err);

                if (r < 0)
                        return r;
        } while (!nlmsg_ok(header, (int)length) || header->nlmsg_seq != sequence);
        if (header->nlmsg_type == RTM_NEWLINK)
                return 1;
        number = header->nlmsg_type == NLMSG_ERROR ? nlmsg_errno(header) : 0;
        return number == ENODEV ? 0 : error_set(err, number ?: EBADMSG, "read the kernel's answer");
}

int rtnl_exists(Rtnl *rtnl, const char *name, Error *err) {
        _Alignas(struct nlmsghdr) char buffer[256];
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        int r;

        if (rtnl->count > 0)
                abort(); /* the numbers of what is queued would be no longer those that count */
        if (strlen(name) >= IFNAMSIZ)
                return 0;
        header->nlmsg_type = RTM_GETLINK;
        header->nlmsg_flags = NLM_F_REQUEST;
        header->nlmsg_seq = rtnl->sequence++;
        (void)rtnl_add_link(header, 0, false);
        rtnl_add_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        rtnl_add_text(header, IFLA_IFNAME, name);
        r = send(rtnl->fd, header, header->nlmsg_len, 0) < 0
                    ? error_set(err, errno, "ask the kernel")
                    : read_existence(rtnl, header->nlmsg_seq, err);
        return r < 0 ? error_prefix(err, "look for a link '%s'", name) : r;
}

int rtnl_mac(Rtnl *rtnl, const char *name, uint8_t ret[MAC_LENGTH]) {
        struct ifreq request = { 0 };

        if (strlen(name) >= sizeof(request.ifr_name))
                return -ENODEV;
        memcpy(request.ifr_name, name, strlen(name));
        if (ioctl(rtnl->fd, SIOCGIFHWADDR, &request) < 0)
                return -errno;
        memcpy(ret, request.ifr_hwaddr.sa_data, MAC_LENGTH);
        return 0;
}

static int take_operstate(const struct nlattr *attribute, void *data) {
        if (mnl_attr_get_type(attribute) == IFLA_OPERSTATE &&
            mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0)
                *(uint8_t *)data = mnl_attr_get_u8(attribute);
        return MNL_CB_OK;
}

/* Reads one answer or notice. 1 if it says that the link is up, 0 if it says anything else. */
static int read_state(Rtnl *rtnl, unsigned index) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)rtnl->in;
        const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
        uint8_t state = IF_OPER_UNKNOWN;
        size_t length;

        if (rtnl_receive(rtnl, &length, NULL) < 0)
                return -EIO;
        if (!nlmsg_ok(header, (int)length) || header->nlmsg_type != RTM_NEWLINK ||
            mnl_nlmsg_get_payload_len(header) < sizeof(*info) || info->ifi_index != (int)index)
                return 0;
        (void)mnl_attr_parse(header, sizeof(*info), take_operstate, &state);
        return state == IF_OPER_UP;
}

static int ask_state(Rtnl *rtnl, unsigned index) {
        struct {
                struct nlmsghdr header;
                struct ifinfomsg body;
                struct nlattr filter;
                uint32_t mask;
        } request = { { .nlmsg_len = sizeof(request),
                        .nlmsg_type = RTM_GETLINK,
                        .nlmsg_flags = NLM_F_REQUEST,
                        .nlmsg_seq = rtnl->sequence++ },
                      { .ifi_index = (int)index },
                      { sizeof(struct nlattr) + sizeof(uint32_t), IFLA_EXT_MASK },
                      RTEXT_FILTER_SKIP_STATS };

        return send(rtnl->fd, &request, sizeof(request), 0) < 0 ? -errno : read_state(rtnl, index);
}

bool rtnl_settle(Rtnl *rtnl, unsigned index, int timeout_ms) {
        struct pollfd item = { .fd = rtnl->fd, .events = POLLIN };
        int64_t left, end = clock_monotonic() + timeout_ms * NSEC_PER_MSEC;
        int group = RTNLGRP_LINK, r = ask_state(rtnl, index);

        if (r != 0 || timeout_ms == 0)
                return r > 0;
        /* Asked again once notices come, so that none is missed in between. */
        if (setsockopt(rtnl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
                return false;
        r = ask_state(rtnl, index);
        while (r == 0 && (left = (end - clock_monotonic()) / NSEC_PER_MSEC) > 0 &&
               poll(&item, 1, (int)left) > 0)
                r = read_state(rtnl, index);
        (void)setsockopt(rtnl->fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group));
        /* All of them, also behind those that the socket had no room for (ENOBUFS): a notice
         * carries the number of another program's request, which could be one of ours. */
        while (poll(&item, 1, 0) > 0)
                (void)read_state(rtnl, index);
        return r > 0;
}

typedef void (*DumpHandler)(const struct nlmsghdr *header, void *data);

/* 1 at the end of the list; *interrupted if it changed while the kernel wrote it. */
static int take_dump(Rtnl *rtnl, size_t length, DumpHandler handler, void *data, bool *interrupted,
                     Error *err) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)rtnl->in;
        int left = (int)length;

        for (; nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                if (header->nlmsg_seq != rtnl->sequence)
                        continue;
                *interrupted |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
                if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
                        int number = nlmsg_errno(header);

                        return number == 0
                                       ? 1
                                       : error_set(err, number, "list the kernel's network state");
                }
                handler(header, data);
        }
        return 0;
}

/* Of the header that the kernel reads a question with: what is beyond it counts as attributes. */
static size_t question_size(uint16_t type) {
        return type == RTM_GETLINK   ? sizeof(struct ifinfomsg)
               : type == RTM_GETADDR ? sizeof(struct ifaddrmsg)
                                     : sizeof(struct rtmsg);
}

static int dump_once(Rtnl *rtnl, uint16_t type, uint8_t family, DumpHandler handler, void *data,
                     bool *interrupted, Error *err) {
        struct {
                struct nlmsghdr header;
                struct ifinfomsg body; /* the largest, family first in each */
        } request = { { .nlmsg_len = NLMSG_LENGTH((uint32_t)question_size(type)),
                        .nlmsg_type = type,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                        .nlmsg_seq = ++rtnl->sequence },
                      { .ifi_family = family } };
        size_t length;
        int r;

        *interrupted = false;
        if (send(rtnl->fd, &request, request.header.nlmsg_len, 0) < 0)
                return error_set(err, errno, "ask for the kernel's network state");
        do {
                r = rtnl_receive(rtnl, &length, err);
                if (r == 0)
                        r = take_dump(rtnl, length, handler, data, interrupted, err);
        } while (r == 0);
        rtnl->sequence++;
        return r < 0 ? r : 0;
}

/* What the kernel says was interrupted may lack what was there all the time. */
static int dump(Rtnl *rtnl, uint16_t type, uint8_t family, DumpHandler handler, void *data,
                Error *err) {
        bool interrupted = false;

        for (int i = 0; i < DUMP_TRIES; i++) {
                int r = dump_once(rtnl, type, family, handler, data, &interrupted, err);

                if (r < 0 || !interrupted)
                        return r;
        }
        return error_set(err, EINTR, "list the kernel's network state");
}

typedef struct LinkWalk {
        void (*found)(void *data, const RtnlLink *link);
        void *data;
} LinkWalk;

/* What a message tells of a link: its counters are not aligned there. */
typedef struct LinkMessage {
        RtnlLink link;
        struct rtnl_link_stats64 counters;
} LinkMessage;

static const char *attribute_text(const struct nlattr *attribute) {
        return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0 ? ""
                                                                     : mnl_attr_get_str(attribute);
}

static int take_kind(const struct nlattr *attribute, void *data) {
        if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
                ((RtnlLink *)data)->kind = attribute_text(attribute);
        return MNL_CB_OK;
}

static int take_link_attribute(const struct nlattr *attribute, void *data) {
        LinkMessage *message = data;
        RtnlLink *link = &message->link;

        switch (mnl_attr_get_type(attribute)) {
        case IFLA_IFNAME:
                link->name = attribute_text(attribute);
                break;
        case IFLA_IFALIAS:
                link->alias = attribute_text(attribute);
                break;
        case IFLA_MASTER:
                if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
                        link->master = mnl_attr_get_u32(attribute);
                break;
        case IFLA_LINKINFO:
                (void)mnl_attr_parse_nested(attribute, take_kind, link);
                break;
        case IFLA_STATS64: /* of a newer kernel it is longer, of an older one shorter */
                memcpy(&message->counters, mnl_attr_get_payload(attribute),
                       MIN(sizeof(message->counters), (size_t)mnl_attr_get_payload_len(attribute)));
                link->counters = &message->counters;
                break;
        default:
                break;
        }
        return MNL_CB_OK;
}

static void take_link(const struct nlmsghdr *header, void *data) {
        LinkWalk *walk = data;
        const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
        LinkMessage message = { .link = { .name = "", .alias = "", .kind = "" } };

        if (header->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(header) < sizeof(*info))
                return;
        message.link.index = (unsigned)info->ifi_index;
        message.link.up = (info->ifi_flags & IFF_UP) != 0;
        (void)mnl_attr_parse(header, sizeof(*info), take_link_attribute, &message);
        walk->found(walk->data, &message.link);
}

int rtnl_each_link(Rtnl *rtnl, void (*found)(void *data, const RtnlLink *link), void *data,
                   Error *err) {
        LinkWalk walk = { found, data };

        return dump(rtnl, RTM_GETLINK, AF_UNSPEC, take_link, &walk, err);
}

typedef struct RouteWalk {
        void (*found)(void *data, const RtnlRoute *route);
        void *data;
} RouteWalk;

/* Takes an attribute of the address's family over, unless it is not of that length. */
static void take_ip(const struct nlattr *attribute, IpAddress *address) {
        if (mnl_attr_get_payload_len(attribute) == ip_width(address->family) / 8)
                *address = ip_from_bytes(address->family, mnl_attr_get_payload(attribute));
}

static int take_route_attribute(const struct nlattr *attribute, void *data) {
        RtnlRoute *route = data;

        if (mnl_attr_get_type(attribute) == RTA_DST)
                take_ip(attribute, &route->destination.address);
        else if (mnl_attr_get_type(attribute) == RTA_OIF &&
                 mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
                route->link = mnl_attr_get_u32(attribute);
        return MNL_CB_OK;
}

static bool is_ip(int family) {
        return family == AF_INET || family == AF_INET6;
}

static void take_route(const struct nlmsghdr *header, void *data) {
        RouteWalk *walk = data;
        const struct rtmsg *info = mnl_nlmsg_get_payload(header);
        RtnlRoute route = { 0 };

        if (header->nlmsg_type != RTM_NEWROUTE ||
            mnl_nlmsg_get_payload_len(header) < sizeof(*info) || !is_ip(info->rtm_family) ||
            info->rtm_dst_len > ip_width(info->rtm_family))
                return;
        route.destination = (Subnet){ { 0, info->rtm_family }, info->rtm_dst_len };
        (void)mnl_attr_parse(header, sizeof(*info), take_route_attribute, &route);
        walk->found(walk->data, &route);
}

int rtnl_each_route(Rtnl *rtnl, void (*found)(void *data, const RtnlRoute *route), void *data,
                    Error *err) {
        RouteWalk walk = { found, data };

        return dump(rtnl, RTM_GETROUTE, AF_UNSPEC, take_route, &walk, err);
}

typedef struct AddressWalk {
        void (*found)(void *data, const RtnlAddress *address);
        void *data;
} AddressWalk;

static int take_address_attribute(const struct nlattr *attribute, void *data) {
        IpAddress *address = &((RtnlAddress *)data)->address;

        /* IPv6 has no IFA_LOCAL, unless the link is a tunnel. */
        if (mnl_attr_get_type(attribute) == IFA_LOCAL ||
            (mnl_attr_get_type(attribute) == IFA_ADDRESS && address->family == AF_INET6))
                take_ip(attribute, address);
        return MNL_CB_OK;
}

static void take_address(const struct nlmsghdr *header, void *data) {
        AddressWalk *walk = data;
        const struct ifaddrmsg *info = mnl_nlmsg_get_payload(header);
        RtnlAddress address = { 0 };

        if (header->nlmsg_type != RTM_NEWADDR ||
            mnl_nlmsg_get_payload_len(header) < sizeof(*info) || !is_ip(info->ifa_family))
                return;
        address.address.family = info->ifa_family;
        address.prefix = info->ifa_prefixlen;
        address.link = info->ifa_index;
        (void)mnl_attr_parse(header, sizeof(*info), take_address_attribute, &address);
        walk->found(walk->data, &address);
}

int rtnl_each_address(Rtnl *rtnl, void (*found)(void *data, const RtnlAddress *address), void *data,
                      Error *err) {
        AddressWalk walk = { found, data };

        return dump(rtnl, RTM_GETADDR, AF_UNSPEC, take_address, &walk, err);
}
