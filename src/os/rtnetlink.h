/* rtnetlink.h: links, addresses and routes of one network namespace. Messages are queued and go to
 * the kernel in one system call; knows nothing of networks or containers. */
#pragma once

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/ip.h"

#define MAC_LENGTH 6

/* A socket of the network namespace in which the calling thread is when it is opened; it stays that
 * namespace's. One thread at a time. */
typedef struct Rtnl Rtnl;

int rtnl_open(Rtnl **ret, Error *err);
/* Over a socket that is open already and is then its own: a test's, which answers itself. */
Rtnl *rtnl_adopt(int fd);
Rtnl *rtnl_close(Rtnl *rtnl);
DEFINE_CLEANUP(Rtnl *, rtnl_close)

/* ---- the queue: rtnl_commit sends it; the kernel handles each message on its own ---- */

typedef struct RtnlVeth {
        const char *name;  /* this side: up, in `master` */
        const char *alias; /* shown by `ip link`; NULL for none */
        unsigned master;   /* a bridge's index */
        unsigned mtu;      /* 0: the kernel's default, both sides */
        bool no_local6;    /* IPv6 gives this side no link-local address; the kernel has IPv6 */
        const char *peer;  /* the other side's name, down, in the namespace `peer_netns_fd` */
        int peer_netns_fd;
        uint8_t peer_mac[MAC_LENGTH];
} RtnlVeth;

/* Each side has one queue a direction, whatever the processors: a veth locks none and keeps no
 * packet, and each queue is a directory of sysfs and its notice to udev, made and removed. */
void rtnl_put_veth(Rtnl *rtnl, const RtnlVeth *veth);
/* With a random hardware address that stays: a bridge that is given none takes the lowest of its
 * ports', and so another one when a port comes or goes, which its neighbours do not learn. */
void rtnl_put_bridge(Rtnl *rtnl, const char *name, const char *alias, unsigned mtu);

/* A link upon another, in the namespace `netns_fd`, down. */
typedef enum RtnlSublinkKind { RTNL_MACVLAN, RTNL_IPVLAN } RtnlSublinkKind;
typedef struct RtnlSublink {
        RtnlSublinkKind kind;
        const char *name;
        unsigned parent; /* the index of the link below, in this namespace */
        int netns_fd;
        unsigned mtu;       /* 0: the parent's */
        const uint8_t *mac; /* of MAC_LENGTH; NULL: the kernel's choice */
        uint32_t mode;      /* MACVLAN_MODE_*, IPVLAN_MODE_* */
        uint16_t flags;     /* IPVLAN_F_* */
} RtnlSublink;

void rtnl_put_sublink(Rtnl *rtnl, const RtnlSublink *link);
/* The link of one VLAN (IEEE 802.1Q, id 1 to 4094) of the link `parent`, up. */
void rtnl_put_vlan(Rtnl *rtnl, const char *name, const char *alias, unsigned parent, uint16_t id);
/* A link of a kind with nothing set, up: "dummy", or "bridge" (which, without ports, has its
 * carrier as long as nobody gives it an address). EOPNOTSUPP where the kernel has none. */
void rtnl_put_plain(Rtnl *rtnl, const char *kind, const char *name, const char *alias);
void rtnl_put_mac(Rtnl *rtnl, unsigned index, const uint8_t mac[MAC_LENGTH]);
void rtnl_put_up(Rtnl *rtnl, unsigned index);
/* The kernel announces the link's IPv4 addresses when it comes up (arp_notify of ip-sysctl): to be
 * queued before that. */
void rtnl_put_announcing(Rtnl *rtnl, unsigned index);
/* Puts a link into a bridge, where it may be already, and brings it up. */
void rtnl_put_master(Rtnl *rtnl, unsigned index, unsigned master);
void rtnl_put_delete(Rtnl *rtnl, const char *name);
/* group: links that rtnl_put_delete_group deletes at one stroke, which costs one grace period in
 * the kernel however many they are. */
void rtnl_put_group(Rtnl *rtnl, const char *name, uint32_t group);
void rtnl_put_delete_group(Rtnl *rtnl, uint32_t group);
/* The bridge's side of a port: state is one of BR_STATE_*; an isolated port reaches no other
 * isolated port. */
void rtnl_put_port_state(Rtnl *rtnl, unsigned index, uint8_t state);
void rtnl_put_port_isolated(Rtnl *rtnl, unsigned index, bool on);
/* Lets a port's packets return through it. */
void rtnl_put_port_hairpin(Rtnl *rtnl, unsigned index, bool on);
/* Shows what passes between a bridge's ports to the firewall, whatever
 * net.bridge.bridge-nf-call-iptables and -ip6tables say; needs br_netfilter. off: as these say. */
void rtnl_put_bridge_filtered(Rtnl *rtnl, unsigned index, bool on);
/* An address or route that exists already is fine. IPv6: without duplicate address detection, which
 * would keep the address from use for a second. */
void rtnl_put_address(Rtnl *rtnl, unsigned index, IpAddress address, unsigned prefix);
void rtnl_put_default_route(Rtnl *rtnl, unsigned index, IpAddress gateway);
/* The default route of a family through a link that finds everybody itself. */
void rtnl_put_device_route(Rtnl *rtnl, unsigned index, int family);
/* Makes `address`, which is the host's already, a local one for what comes in through the link,
 * too: IPv6 looks for ::1 at the link of arrival only. Packets for ::1 are dropped on arrival all
 * the same, but for those that a firewall turned into such. */
void rtnl_put_local_route(Rtnl *rtnl, unsigned index, IpAddress address);

/* Sends what is queued and waits for all answers; the queue is empty afterwards. Returns the first
 * failure, in the words "make link 'x': <the kernel's reason>", or 0. */
int rtnl_commit(Rtnl *rtnl, Error *err);

/* Commits what is queued, unless there is room for eight messages more: for lists whose length a
 * user decides. */
int rtnl_make_room(Rtnl *rtnl, Error *err);

/* ---- questions ---- */

/* The link's index, or -ENODEV; no Error, as absence is an answer. */
int rtnl_index(Rtnl *rtnl, const char *name);
/* Whether there is such a link, for names that most often are not there: the kernel takes
 * rtnl_index for one that is not there as a wish for a module, and starts modprobe(8) twice. 1, 0
 * or a negative errno; nothing may be queued. */
int rtnl_exists(Rtnl *rtnl, const char *name, Error *err);
/* The link's hardware address; -ENODEV. */
int rtnl_mac(Rtnl *rtnl, const char *name, uint8_t ret[MAC_LENGTH]);

/* Waits until the kernel has acted on the link's carrier: a port that just came up drops packets
 * until a worker of the kernel's has had its turn, and asking makes it act at once (Linux 6.8).
 * An older kernel is waited for, timeout_ms at most, if the link is not up then. True if it is up.
 */
bool rtnl_settle(Rtnl *rtnl, unsigned index, int timeout_ms);

typedef struct RtnlLink {
        unsigned index, master;
        const char *name, *alias, *kind; /* alias and kind: "" where the link has none */
        bool up;
        const struct rtnl_link_stats64 *counters; /* what passed through it; NULL: none told */
} RtnlLink;
typedef struct RtnlRoute {
        Subnet destination;
        unsigned link; /* an index, 0 where the route has none */
} RtnlRoute;
typedef struct RtnlAddress {
        IpAddress address;
        unsigned prefix, link;
} RtnlAddress;

/* Each calls back for every route of every table, link, or address, of both families; more than
 * once for some where they change meanwhile, as the kernel must then be asked again. */
int rtnl_each_link(Rtnl *rtnl, void (*found)(void *data, const RtnlLink *link), void *data,
                   Error *err);
int rtnl_each_route(Rtnl *rtnl, void (*found)(void *data, const RtnlRoute *route), void *data,
                    Error *err);
int rtnl_each_address(Rtnl *rtnl, void (*found)(void *data, const RtnlAddress *address), void *data,
                      Error *err);
