/* rtnetlink.c: builds messages of rtnetlink(7) with libmnl's attribute writers. What links mean is
 * src/net's business. */
#include "os/rtnetlink-private.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/ip.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/str.h"
#include "os/nlmsg.h"

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

struct nlmsghdr *rtnl_message(Rtnl *rtnl, uint16_t type, uint16_t flags, int tolerated,
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

void rtnl_add_data(struct nlmsghdr *header, uint16_t type, size_t length, const void *data) {
        if (!mnl_attr_put_check(header, MESSAGE_MAX, type, length, data))
                abort(); /* names and aliases are bounded by the kernel's own limits */
}

void rtnl_add_u32(struct nlmsghdr *header, uint16_t type, uint32_t value) {
        rtnl_add_data(header, type, sizeof(value), &value);
}

void rtnl_add_text(struct nlmsghdr *header, uint16_t type, const char *text) {
        rtnl_add_data(header, type, strlen(text) + 1, text);
}

struct ifinfomsg *rtnl_add_link(struct nlmsghdr *header, unsigned index, bool up) {
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
struct nlmsghdr *rtnl_add_alias(Rtnl *rtnl, const char *name, const char *alias) {
        struct nlmsghdr *header;

        if (!alias)
                return NULL;
        header = rtnl_message(rtnl, RTM_SETLINK, 0, 0, "name the owner of link", name);
        (void)rtnl_add_link(header, 0, false);
        rtnl_add_text(header, IFLA_IFNAME, name);
        rtnl_add_data(header, IFLA_IFALIAS, strlen(alias), alias);
        return header;
}

static void add_no_local6(struct nlmsghdr *header) {
        const uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
        struct nlattr *families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
        struct nlattr *family = mnl_attr_nest_start(header, AF_INET6);

        rtnl_add_data(header, IFLA_INET6_ADDR_GEN_MODE, sizeof(mode), &mode);
        mnl_attr_nest_end(header, family);
        mnl_attr_nest_end(header, families);
}

static void add_veth_queues(struct nlmsghdr *header) {
        rtnl_add_u32(header, IFLA_NUM_TX_QUEUES, 1);
        rtnl_add_u32(header, IFLA_NUM_RX_QUEUES, 1);
}

static void put_peer(struct nlmsghdr *header, const RtnlVeth *veth) {
        struct nlattr *peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

        info->ifi_family = AF_UNSPEC;
        rtnl_add_text(header, IFLA_IFNAME, veth->peer);
        rtnl_add_u32(header, IFLA_NET_NS_FD, (uint32_t)veth->peer_netns_fd);
        rtnl_add_data(header, IFLA_ADDRESS, MAC_LENGTH, veth->peer_mac);
        add_veth_queues(header);
        if (veth->mtu)
                rtnl_add_u32(header, IFLA_MTU, veth->mtu);
        mnl_attr_nest_end(header, peer);
}

void rtnl_put_veth(Rtnl *rtnl, const RtnlVeth *veth) {
        struct nlmsghdr *header = rtnl_message(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0,
                                               "make link", veth->name);
        struct nlattr *info, *data;

        (void)rtnl_add_link(header, 0, true);
        rtnl_add_text(header, IFLA_IFNAME, veth->name);
        rtnl_add_u32(header, IFLA_MASTER, veth->master);
        add_veth_queues(header);
        if (veth->mtu)
                rtnl_add_u32(header, IFLA_MTU, veth->mtu);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        rtnl_add_text(header, IFLA_INFO_KIND, "veth");
        data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        put_peer(header, veth);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, info);
        header = rtnl_add_alias(rtnl, veth->name, veth->alias);
        if (header && veth->no_local6)
                add_no_local6(header);
}

void rtnl_put_bridge(Rtnl *rtnl, const char *name, const char *alias, unsigned mtu) {
        struct nlmsghdr *header =
                rtnl_message(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, "make bridge", name);
        struct nlattr *info;
        uint8_t mac[MAC_LENGTH];

        random_bytes(mac, sizeof(mac));
        mac[0] = (uint8_t)((mac[0] & 0xfc) | 2); /* one station's, locally administered: IEEE 802 */
        (void)rtnl_add_link(header, 0, false);
        rtnl_add_text(header, IFLA_IFNAME, name);
        rtnl_add_data(header, IFLA_ADDRESS, sizeof(mac), mac);
        if (mtu)
                rtnl_add_u32(header, IFLA_MTU, mtu);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        rtnl_add_text(header, IFLA_INFO_KIND, "bridge");
        mnl_attr_nest_end(header, info);
        (void)rtnl_add_alias(rtnl, name, alias);
}

void rtnl_put_up(Rtnl *rtnl, unsigned index) {
        char text[16];

        put_index_text(text, index);
        (void)rtnl_add_link(rtnl_message(rtnl, RTM_SETLINK, 0, 0, "bring up link", text), index,
                            true);
}

void rtnl_put_announcing(Rtnl *rtnl, unsigned index) {
        char text[16];
        struct nlmsghdr *header;
        struct nlattr *families, *family, *settings;

        put_index_text(text, index);
        header = rtnl_message(rtnl, RTM_SETLINK, 0, 0, "set arp_notify of link", text);
        (void)rtnl_add_link(header, index, false);
        families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
        family = mnl_attr_nest_start(header, AF_INET);
        settings = mnl_attr_nest_start(header, IFLA_INET_CONF);
        rtnl_add_u32(header, IPV4_DEVCONF_ARP_NOTIFY, 1);
        mnl_attr_nest_end(header, settings);
        mnl_attr_nest_end(header, family);
        mnl_attr_nest_end(header, families);
}

void rtnl_put_master(Rtnl *rtnl, unsigned index, unsigned master) {
        char text[16];
        struct nlmsghdr *header;

        put_index_text(text, index);
        header = rtnl_message(rtnl, RTM_SETLINK, 0, 0, "put into a bridge link", text);
        (void)rtnl_add_link(header, index, true);
        rtnl_add_u32(header, IFLA_MASTER, master);
}

void rtnl_put_delete(Rtnl *rtnl, const char *name) {
        struct nlmsghdr *header = rtnl_message(rtnl, RTM_DELLINK, 0, ENODEV, "delete link", name);

        (void)rtnl_add_link(header, 0, false);
        rtnl_add_text(header, IFLA_IFNAME, name);
}

void rtnl_put_group(Rtnl *rtnl, const char *name, uint32_t group) {
        struct nlmsghdr *header = rtnl_message(rtnl, RTM_SETLINK, 0, ENODEV, "group link", name);

        (void)rtnl_add_link(header, 0, false);
        rtnl_add_text(header, IFLA_IFNAME, name);
        rtnl_add_u32(header, IFLA_GROUP, group);
}

void rtnl_put_delete_group(Rtnl *rtnl, uint32_t group) {
        struct nlmsghdr *header =
                rtnl_message(rtnl, RTM_DELLINK, 0, ENODEV, "delete link group", "");

        (void)rtnl_add_link(header, 0, false);
        rtnl_add_u32(header, IFLA_GROUP, group);
}

static void put_port(Rtnl *rtnl, unsigned index, int tolerated, uint16_t type, uint8_t value) {
        char text[16];
        struct nlmsghdr *header;
        struct nlattr *port;

        put_index_text(text, index);
        header = rtnl_message(rtnl, RTM_SETLINK, 0, tolerated, "set bridge port", text);
        rtnl_add_link(header, index, false)->ifi_family = AF_BRIDGE;
        port = mnl_attr_nest_start(header, IFLA_PROTINFO | NLA_F_NESTED);
        rtnl_add_data(header, type, sizeof(value), &value);
        mnl_attr_nest_end(header, port);
}

void rtnl_put_port_state(Rtnl *rtnl, unsigned index, uint8_t state) {
        put_port(rtnl, index, ENODEV, IFLA_BRPORT_STATE, state);
}

void rtnl_put_port_isolated(Rtnl *rtnl, unsigned index, bool on) {
        put_port(rtnl, index, 0, IFLA_BRPORT_ISOLATED, on);
}

void rtnl_put_port_hairpin(Rtnl *rtnl, unsigned index, bool on) {
        put_port(rtnl, index, 0, IFLA_BRPORT_MODE, on);
}

void rtnl_put_bridge_filtered(Rtnl *rtnl, unsigned index, bool on) {
        char text[16];
        struct nlmsghdr *header;
        struct nlattr *info, *data;
        const uint8_t value = on;

        put_index_text(text, index);
        header = rtnl_message(rtnl, RTM_NEWLINK, 0, 0, "set bridge", text);
        (void)rtnl_add_link(header, index, false);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        rtnl_add_text(header, IFLA_INFO_KIND, "bridge");
        data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        rtnl_add_data(header, IFLA_BR_NF_CALL_IPTABLES, sizeof(value), &value);
        rtnl_add_data(header, IFLA_BR_NF_CALL_IP6TABLES, sizeof(value), &value);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, info);
}

static void put_ip(struct nlmsghdr *header, uint16_t type, IpAddress address) {
        uint8_t bytes[IP_BYTES_MAX];
        size_t length = ip_bytes(address, bytes);

        rtnl_add_data(header, type, length, bytes);
}

void rtnl_put_address(Rtnl *rtnl, unsigned index, IpAddress address, unsigned prefix) {
        const Subnet subnet = { address, prefix };
        char text[16];
        struct nlmsghdr *header;
        struct ifaddrmsg *info;

        put_index_text(text, index);
        header = rtnl_message(rtnl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, EEXIST,
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
        header = rtnl_message(rtnl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, 0,
                              "make the default route through link", text);
        info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        info->rtm_family = (uint8_t)gateway.family;
        info->rtm_table = RT_TABLE_MAIN;
        info->rtm_protocol = RTPROT_BOOT;
        info->rtm_scope = RT_SCOPE_UNIVERSE;
        info->rtm_type = RTN_UNICAST;
        put_ip(header, RTA_GATEWAY, gateway);
        rtnl_add_u32(header, RTA_OIF, index);
}

#define LOCAL_METRIC 2048 /* behind the kernel's own route, which has none */

void rtnl_put_local_route(Rtnl *rtnl, unsigned index, IpAddress address) {
        char text[16];
        struct nlmsghdr *header;
        struct rtmsg *info;

        put_index_text(text, index);
        header = rtnl_message(rtnl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, EEXIST,
                              "make a local route through link", text);
        info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        info->rtm_family = (uint8_t)address.family;
        info->rtm_dst_len = (uint8_t)ip_width(address.family);
        info->rtm_table = RT_TABLE_LOCAL;
        info->rtm_protocol = RTPROT_BOOT;
        info->rtm_scope = RT_SCOPE_HOST;
        info->rtm_type = RTN_LOCAL;
        put_ip(header, RTA_DST, address);
        rtnl_add_u32(header, RTA_OIF, index);
        rtnl_add_u32(header, RTA_PRIORITY, LOCAL_METRIC + index); /* another route for each link */
}

/* ---- sending ---- */

int rtnl_receive(Rtnl *rtnl, size_t *ret_length, Error *err) {
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
                int left, r = rtnl_receive(rtnl, &length, err);
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

int rtnl_make_room(Rtnl *rtnl, Error *err) {
        return rtnl->count + 8 <= QUEUE_MAX ? 0 : rtnl_commit(rtnl, err);
}
