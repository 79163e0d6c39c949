/* rtnetlink-links.c: links upon other links (macvlan, ipvlan, 802.1Q) and links that lead nowhere
 * (dummy). Queueing and answers are rtnetlink.c's. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

#include "base/str.h"
#include "os/rtnetlink-private.h"

static void add_macvlan(struct nlmsghdr *header, const RtnlSublink *link) {
        rtnl_add_u32(header, IFLA_MACVLAN_MODE, link->mode);
}

static void add_ipvlan(struct nlmsghdr *header, const RtnlSublink *link) {
        const uint16_t mode = (uint16_t)link->mode;

        rtnl_add_data(header, IFLA_IPVLAN_MODE, sizeof(mode), &mode);
        rtnl_add_data(header, IFLA_IPVLAN_FLAGS, sizeof(link->flags), &link->flags);
}

static const struct {
        const char *kind;
        void (*add)(struct nlmsghdr *header, const RtnlSublink *link);
} sublinks[] = {
        [RTNL_MACVLAN] = { "macvlan", add_macvlan },
        [RTNL_IPVLAN] = { "ipvlan", add_ipvlan },
};

void rtnl_put_sublink(Rtnl *rtnl, const RtnlSublink *link) {
        struct nlmsghdr *header = rtnl_message(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0,
                                               "make link", link->name);
        struct nlattr *info, *data;

        (void)rtnl_add_link(header, 0, false);
        rtnl_add_text(header, IFLA_IFNAME, link->name);
        rtnl_add_u32(header, IFLA_LINK, link->parent);
        rtnl_add_u32(header, IFLA_NET_NS_FD, (uint32_t)link->netns_fd);
        if (link->mac)
                rtnl_add_data(header, IFLA_ADDRESS, MAC_LENGTH, link->mac);
        if (link->mtu)
                rtnl_add_u32(header, IFLA_MTU, link->mtu);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        rtnl_add_text(header, IFLA_INFO_KIND, sublinks[link->kind].kind);
        data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        sublinks[link->kind].add(header, link);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, info);
}

void rtnl_put_vlan(Rtnl *rtnl, const char *name, const char *alias, unsigned parent, uint16_t id) {
        struct nlmsghdr *header =
                rtnl_message(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, "make link", name);
        struct nlattr *info, *data;

        (void)rtnl_add_link(header, 0, true);
        rtnl_add_text(header, IFLA_IFNAME, name);
        rtnl_add_u32(header, IFLA_LINK, parent);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        rtnl_add_text(header, IFLA_INFO_KIND, "vlan");
        data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        rtnl_add_data(header, IFLA_VLAN_ID, sizeof(id), &id);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, info);
        (void)rtnl_add_alias(rtnl, name, alias);
}

void rtnl_put_plain(Rtnl *rtnl, const char *kind, const char *name, const char *alias) {
        struct nlmsghdr *header =
                rtnl_message(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, "make link", name);
        struct nlattr *info;

        (void)rtnl_add_link(header, 0, true);
        rtnl_add_text(header, IFLA_IFNAME, name);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        rtnl_add_text(header, IFLA_INFO_KIND, kind);
        mnl_attr_nest_end(header, info);
        (void)rtnl_add_alias(rtnl, name, alias);
}

void rtnl_put_mac(Rtnl *rtnl, unsigned index, const uint8_t mac[MAC_LENGTH]) {
        char text[16];
        struct nlmsghdr *header;

        (void)snprintf(text, sizeof(text), "%u", index);
        header = rtnl_message(rtnl, RTM_SETLINK, 0, 0, "give a hardware address to link", text);
        (void)rtnl_add_link(header, index, false);
        rtnl_add_data(header, IFLA_ADDRESS, MAC_LENGTH, mac);
}

void rtnl_put_device_route(Rtnl *rtnl, unsigned index, int family) {
        char text[16];
        struct nlmsghdr *header;
        struct rtmsg *info;

        (void)snprintf(text, sizeof(text), "%u", index);
        header = rtnl_message(rtnl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, 0,
                              "make the default route through link", text);
        info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        info->rtm_family = (uint8_t)family;
        info->rtm_table = RT_TABLE_MAIN;
        info->rtm_protocol = RTPROT_BOOT;
        info->rtm_scope = RT_SCOPE_LINK;
        info->rtm_type = RTN_UNICAST;
        rtnl_add_u32(header, RTA_OIF, index);
}
