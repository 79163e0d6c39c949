/* rtnetlink.c: builds messages of rtnetlink(7) with libmnl's attribute writers. What links mean is
 * src/net's business. */
#include "os/rtnetlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/veth.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"
#include "os/nlmsg.h"

#define QUEUE_MAX 16
#define MESSAGE_MAX 1024
#define DUMP_TRIES 20

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

int rtnl_open(Rtnl **ret, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NEW(Rtnl);
        struct sockaddr_nl address = { .nl_family = AF_NETLINK };
        int on = 1;

        rtnl->sequence = 1;
        rtnl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        if (rtnl->fd < 0)
                return error_set(err, errno, "open an rtnetlink socket");
        if (bind(rtnl->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return error_set(err, errno, "bind an rtnetlink socket");
        /* Both only make answers shorter or wordier: a kernel without them still answers. */
        (void)setsockopt(rtnl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
        (void)setsockopt(rtnl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
        *ret = TAKE_PTR(rtnl);
        return 0;
}

Rtnl *rtnl_adopt(int fd) {
        Rtnl *rtnl = NEW(Rtnl);

        rtnl->sequence = 1;
        rtnl->fd = fd;
        return rtnl;
}

Rtnl *rtnl_close(Rtnl *rtnl) {
        if (!rtnl)
                return NULL;
        close_fd(&rtnl->fd);
        free(rtnl);
        return NULL;
}

/* ---- building ---- */

static struct nlmsghdr *put_message(Rtnl *rtnl, uint16_t type, uint16_t flags, int tolerated,
                                    const char *what, const char *name) {
        Queued *queued = &rtnl->queue[rtnl->count];
        struct nlmsghdr *header;

        if (rtnl->count == QUEUE_MAX)
                abort(); /* callers queue a handful: more is a bug of ours */
        header = mnl_nlmsg_put_header(rtnl->out + rtnl->count * MESSAGE_MAX);
        header->nlmsg_type = type;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        header->nlmsg_seq = rtnl->sequence + (uint32_t)rtnl->count;
        queued->tolerated = tolerated;
        (void)snprintf(queued->what, sizeof(queued->what), "%s '%s'", what, name);
        rtnl->count++;
        return header;
}

static void put_data(struct nlmsghdr *header, uint16_t type, size_t length, const void *data) {
        if (!mnl_attr_put_check(header, MESSAGE_MAX, type, length, data))
                abort(); /* names and aliases are bounded by the kernel's own limits */
}

static void put_u32(struct nlmsghdr *header, uint16_t type, uint32_t value) {
        put_data(header, type, sizeof(value), &value);
}

static void put_text(struct nlmsghdr *header, uint16_t type, const char *text) {
        put_data(header, type, strlen(text) + 1, text);
}

static struct ifinfomsg *put_link(struct nlmsghdr *header, unsigned index, bool up) {
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

        info->ifi_family = AF_UNSPEC;
        info->ifi_index = (int)index;
        if (up)
                info->ifi_flags = info->ifi_change = IFF_UP;
        return info;
}

static void put_index_text(char text[16], unsigned index) {
        (void)snprintf(text, 16, "%u", index);
}

/* The kernel takes an alias for a link that exists only. */
static void put_alias(Rtnl *rtnl, const char *name, const char *alias) {
        struct nlmsghdr *header;

        if (!alias)
                return;
        header = put_message(rtnl, RTM_SETLINK, 0, 0, "name the owner of link", name);
        (void)put_link(header, 0, false);
        put_text(header, IFLA_IFNAME, name);
        put_data(header, IFLA_IFALIAS, strlen(alias), alias);
}

static void put_peer(struct nlmsghdr *header, const RtnlVeth *veth) {
        struct nlattr *peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

        info->ifi_family = AF_UNSPEC;
        put_text(header, IFLA_IFNAME, veth->peer);
        put_u32(header, IFLA_NET_NS_FD, (uint32_t)veth->peer_netns_fd);
        put_data(header, IFLA_ADDRESS, MAC_LENGTH, veth->peer_mac);
        if (veth->mtu)
                put_u32(header, IFLA_MTU, veth->mtu);
        mnl_attr_nest_end(header, peer);
}

void rtnl_put_veth(Rtnl *rtnl, const RtnlVeth *veth) {
        struct nlmsghdr *header = put_message(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0,
                                              "make link", veth->name);
        struct nlattr *info, *data;

        (void)put_link(header, 0, true);
        put_text(header, IFLA_IFNAME, veth->name);
        put_u32(header, IFLA_MASTER, veth->master);
        if (veth->mtu)
                put_u32(header, IFLA_MTU, veth->mtu);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        put_text(header, IFLA_INFO_KIND, "veth");
        data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        put_peer(header, veth);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, info);
        put_alias(rtnl, veth->name, veth->alias);
}

void rtnl_put_bridge(Rtnl *rtnl, const char *name, const char *alias, unsigned mtu) {
        struct nlmsghdr *header =
                put_message(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, "make bridge", name);
        struct nlattr *info;
        uint8_t mac[MAC_LENGTH];

        random_bytes(mac, sizeof(mac));
        mac[0] = (uint8_t)((mac[0] & 0xfc) | 2); /* one station's, locally administered: IEEE 802 */
        (void)put_link(header, 0, false);
        put_text(header, IFLA_IFNAME, name);
        put_data(header, IFLA_ADDRESS, sizeof(mac), mac);
        if (mtu)
                put_u32(header, IFLA_MTU, mtu);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        put_text(header, IFLA_INFO_KIND, "bridge");
        mnl_attr_nest_end(header, info);
        put_alias(rtnl, name, alias);
}

void rtnl_put_up(Rtnl *rtnl, unsigned index) {
        char text[16];

        put_index_text(text, index);
        (void)put_link(put_message(rtnl, RTM_SETLINK, 0, 0, "bring up link", text), index, true);
}

void rtnl_put_master(Rtnl *rtnl, unsigned index, unsigned master) {
        char text[16];
        struct nlmsghdr *header;

        put_index_text(text, index);
        header = put_message(rtnl, RTM_SETLINK, 0, 0, "put into a bridge link", text);
        (void)put_link(header, index, true);
        put_u32(header, IFLA_MASTER, master);
}

void rtnl_put_delete(Rtnl *rtnl, const char *name) {
        struct nlmsghdr *header = put_message(rtnl, RTM_DELLINK, 0, ENODEV, "delete link", name);

        (void)put_link(header, 0, false);
        put_text(header, IFLA_IFNAME, name);
}

void rtnl_put_group(Rtnl *rtnl, const char *name, uint32_t group) {
        struct nlmsghdr *header = put_message(rtnl, RTM_SETLINK, 0, ENODEV, "group link", name);

        (void)put_link(header, 0, false);
        put_text(header, IFLA_IFNAME, name);
        put_u32(header, IFLA_GROUP, group);
}

void rtnl_put_delete_group(Rtnl *rtnl, uint32_t group) {
        struct nlmsghdr *header =
                put_message(rtnl, RTM_DELLINK, 0, ENODEV, "delete link group", "");

        (void)put_link(header, 0, false);
        put_u32(header, IFLA_GROUP, group);
}

static void put_port(Rtnl *rtnl, unsigned index, int tolerated, uint16_t type, uint8_t value) {
        char text[16];
        struct nlmsghdr *header;
        struct nlattr *port;

        put_index_text(text, index);
        header = put_message(rtnl, RTM_SETLINK, 0, tolerated, "set bridge port", text);
        put_link(header, index, false)->ifi_family = AF_BRIDGE;
        port = mnl_attr_nest_start(header, IFLA_PROTINFO | NLA_F_NESTED);
        put_data(header, type, sizeof(value), &value);
        mnl_attr_nest_end(header, port);
}

void rtnl_put_port_state(Rtnl *rtnl, unsigned index, uint8_t state) {
        put_port(rtnl, index, ENODEV, IFLA_BRPORT_STATE, state);
}

void rtnl_put_port_isolated(Rtnl *rtnl, unsigned index) {
        put_port(rtnl, index, 0, IFLA_BRPORT_ISOLATED, 1);
}

void rtnl_put_port_hairpin(Rtnl *rtnl, unsigned index) {
        put_port(rtnl, index, 0, IFLA_BRPORT_MODE, 1);
}

void rtnl_put_bridge_filtered(Rtnl *rtnl, unsigned index) {
        char text[16];
        struct nlmsghdr *header;
        struct nlattr *info, *data;
        uint8_t on = 1;

        put_index_text(text, index);
        header = put_message(rtnl, RTM_NEWLINK, 0, 0, "set bridge", text);
        (void)put_link(header, index, false);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        put_text(header, IFLA_INFO_KIND, "bridge");
        data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        put_data(header, IFLA_BR_NF_CALL_IPTABLES, sizeof(on), &on);
        put_data(header, IFLA_BR_NF_CALL_IP6TABLES, sizeof(on), &on);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, info);
}

static void put_ip(struct nlmsghdr *header, uint16_t type, IpAddress address) {
        uint8_t bytes[IP_BYTES_MAX];
        size_t length = ip_bytes(address, bytes);

        put_data(header, type, length, bytes);
}

void rtnl_put_address(Rtnl *rtnl, unsigned index, IpAddress address, unsigned prefix) {
        const Subnet subnet = { address, prefix };
        char text[16];
        struct nlmsghdr *header;
        struct ifaddrmsg *info;

        put_index_text(text, index);
        header = put_message(rtnl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, EEXIST,
                             "give an address to link", text);
        info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        info->ifa_family = (uint8_t)address.family;
        info->ifa_prefixlen = (uint8_t)prefix;
        info->ifa_index = index;
        put_ip(header, IFA_LOCAL, address);
        put_ip(header, IFA_ADDRESS, address);
        if (address.family == AF_INET6)
                info->ifa_flags = IFA_F_NODAD;
        else if (prefix < 31)
                put_ip(header, IFA_BROADCAST, (IpAddress){ subnet_last(subnet), AF_INET });
}

void rtnl_put_default_route(Rtnl *rtnl, unsigned index, IpAddress gateway) {
        char text[16];
        struct nlmsghdr *header;
        struct rtmsg *info;

        put_index_text(text, index);
        header = put_message(rtnl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, 0,
                             "make the default route through link", text);
        info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        info->rtm_family = (uint8_t)gateway.family;
        info->rtm_table = RT_TABLE_MAIN;
        info->rtm_protocol = RTPROT_BOOT;
        info->rtm_scope = RT_SCOPE_UNIVERSE;
        info->rtm_type = RTN_UNICAST;
        put_ip(header, RTA_GATEWAY, gateway);
        put_u32(header, RTA_OIF, index);
}

#define LOCAL_METRIC 2048 /* behind the kernel's own route, which has none */

void rtnl_put_local_route(Rtnl *rtnl, unsigned index, IpAddress address) {
        char text[16];
        struct nlmsghdr *header;
        struct rtmsg *info;

        put_index_text(text, index);
        header = put_message(rtnl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, EEXIST,
                             "make a local route through link", text);
        info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        info->rtm_family = (uint8_t)address.family;
        info->rtm_dst_len = (uint8_t)ip_width(address.family);
        info->rtm_table = RT_TABLE_LOCAL;
        info->rtm_protocol = RTPROT_BOOT;
        info->rtm_scope = RT_SCOPE_HOST;
        info->rtm_type = RTN_LOCAL;
        put_ip(header, RTA_DST, address);
        put_u32(header, RTA_OIF, index);
        put_u32(header, RTA_PRIORITY, LOCAL_METRIC + index); /* another route for each link */
}

/* ---- sending ---- */

static int receive(Rtnl *rtnl, size_t *ret_length, Error *err) {
        for (;;) {
                ssize_t length = recv(rtnl->fd, rtnl->in, sizeof(rtnl->in), 0);

                if (length < 0 && errno == EINTR)
                        continue;
                if (length < 0)
                        return error_set(err, errno, "read an rtnetlink answer");
                *ret_length = (size_t)length;
                return 0;
        }
}

static int note_text(const struct nlattr *attribute, void *data) {
        if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
            mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
                *(const char **)data = mnl_attr_get_str(attribute);
        return MNL_CB_OK;
}

/* The kernel's own sentence about a failure, or NULL. */
static const char *explanation(const struct nlmsghdr *header) {
        const char *text = NULL;
        unsigned skip = sizeof(struct nlmsgerr);

        if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
                return NULL;
        if (!(header->nlmsg_flags & NLM_F_CAPPED)) {
                const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);

                skip += error->msg.nlmsg_len - (unsigned)sizeof(struct nlmsghdr);
        }
        if (MNL_ALIGN(skip) < mnl_nlmsg_get_payload_len(header))
                (void)mnl_attr_parse(header, skip, note_text, &text);
        return text;
}

/* Takes the answer to one queued message; keeps the first failure in *result. */
static void take_answer(Rtnl *rtnl, const struct nlmsghdr *header, int *result, Error *err) {
        const Queued *queued = &rtnl->queue[header->nlmsg_seq - rtnl->sequence];
        int number = nlmsg_errno(header);
        const char *text;

        if (number == 0 || *result < 0 || number == queued->tolerated)
                return;
        text = explanation(header);
        *result = text ? error_set(err, number, "%s: %s", queued->what, text)
                       : error_set(err, number, "%s", queued->what);
}

static int read_answers(Rtnl *rtnl, Error *err) {
        size_t answered = 0, length;
        int result = 0;

        while (answered < rtnl->count) {
                int left, r = receive(rtnl, &length, err);
                const struct nlmsghdr *header = (const struct nlmsghdr *)rtnl->in;

                if (r < 0)
                        return r;
                left = (int)length;
                for (; nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                        if (header->nlmsg_type != NLMSG_ERROR ||
                            mnl_nlmsg_get_payload_len(header) < sizeof(struct nlmsgerr) ||
                            header->nlmsg_seq - rtnl->sequence >= rtnl->count)
                                continue;
                        take_answer(rtnl, header, &result, err);
                        answered++;
                }
        }
        return result;
}

int rtnl_commit(Rtnl *rtnl, Error *err) {
        struct iovec parts[QUEUE_MAX];
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = rtnl->count };
        int r;

        for (size_t i = 0; i < rtnl->count; i++) {
                struct nlmsghdr *header = (struct nlmsghdr *)(rtnl->out + i * MESSAGE_MAX);

                parts[i] = (struct iovec){ header, MNL_ALIGN(header->nlmsg_len) };
        }
        if (rtnl->count == 0)
                return 0;
        r = sendmsg(rtnl->fd, &message, 0) < 0 ? error_set(err, errno, "send rtnetlink messages")
                                               : read_answers(rtnl, err);
        rtnl->sequence += (uint32_t)rtnl->count;
        rtnl->count = 0;
        return r;
}

/* ---- questions ---- */

int rtnl_index(Rtnl *rtnl, const char *name) {
        struct ifreq request = { 0 };

        if (strlen(name) >= sizeof(request.ifr_name))
                return -ENODEV;
        memcpy(request.ifr_name, name, strlen(name));
        return ioctl(rtnl->fd, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
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

        if (receive(rtnl, &length, NULL) < 0)
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

static int dump_once(Rtnl *rtnl, uint16_t type, uint8_t family, DumpHandler handler, void *data,
                     bool *interrupted, Error *err) {
        struct {
                struct nlmsghdr header;
                struct rtmsg body; /* the largest of the three headers, family first in each */
        } request = { { .nlmsg_len = sizeof(request),
                        .nlmsg_type = type,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                        .nlmsg_seq = ++rtnl->sequence },
                      { .rtm_family = family } };
        size_t length;
        int r;

        *interrupted = false;
        if (send(rtnl->fd, &request, sizeof(request), 0) < 0)
                return error_set(err, errno, "ask for the kernel's network state");
        do {
                r = receive(rtnl, &length, err);
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
        RtnlLink *link = data;

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
        default:
                break;
        }
        return MNL_CB_OK;
}

static void take_link(const struct nlmsghdr *header, void *data) {
        LinkWalk *walk = data;
        const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
        RtnlLink link = { .name = "", .alias = "", .kind = "" };

        if (header->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(header) < sizeof(*info))
                return;
        link.index = (unsigned)info->ifi_index;
        link.up = (info->ifi_flags & IFF_UP) != 0;
        (void)mnl_attr_parse(header, sizeof(*info), take_link_attribute, &link);
        walk->found(walk->data, &link);
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
