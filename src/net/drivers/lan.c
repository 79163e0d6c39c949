/* lan.c: parents (the host's links, their VLANs, links of a network's own) and the links upon them,
 * which are in containers' namespaces alone. */
#include "net/drivers/lan.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "net/drivers/inner.h"
#include "net/netns.h"
#include "net/options.h"

#define CARRIER_PATIENCE 500 /* milliseconds */
#define MTU_OPTION "com.docker.network.driver.mtu"

/* ---- options ---- */

bool lan_option(const Network *network, const char *option, const LanWord *words, size_t count,
                uint32_t *ret) {
        const char *value = pairs_get(&network->config.options, option);

        for (size_t i = 0; i < count; i++) {
                if (!str_equal(words[i].word, str_empty(value) ? words[0].word : value))
                        continue;
                *ret = words[i].value;
                return true;
        }
        return false;
}

/* Without a parent the network has one of its own, which leads nowhere. */
int lan_configure(Network *network, const LanKind *kind, Error *err) {
        NetworkConfig *config = &network->config;
        const char *parent = pairs_get(&config->options, "parent");
        const char *mtu = pairs_get(&config->options, MTU_OPTION);

        network->lan = kind;
        network->inner_prefix = "eth";
        if (str_equal(parent, "lo"))
                return error_kind(err, ERROR_INVALID,
                                  "loopback interface is not a valid %s parent link",
                                  network->driver->name);
        free(config->parent);
        if (str_empty(parent)) {
                config->parent = str_format("%s%.12s", kind->own_parent, config->id);
                config->internal = true;
        } else {
                int r;

                config->parent = str_copy(parent);
                r = option_link_name("option parent", parent, IFNAMSIZ - 1, err);
                if (r < 0)
                        return r;
        }
        return mtu ? option_mtu(MTU_OPTION, mtu, &network->mtu, err) : 0;
}

/* ---- parents ---- */

static int check_others(const Net *net, const Network *network, Error *err) {
        const char *id;
        Network *other;

        MAP_EACH(&net->networks, id, other) {
                int r;

                if (other == network || !other->lan ||
                    !str_equal(other->config.parent, network->config.parent))
                        continue;
                if (other->lan != network->lan)
                        return error_kind(err, ERROR_FORBIDDEN,
                                          "parent interface %s is used by the %s network %s: a "
                                          "link carries macvlan or ipvlan, not both. Use another "
                                          "parent, or a VLAN of it like %s.10",
                                          network->config.parent, other->driver->name,
                                          other->config.name, network->config.parent);
                r = network->lan->check_beside(network, other, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A link upon none: what the kernel says to it shows whether it has such links. */
static int check_kernel(Rtnl *rtnl, const Network *network, Error *err) {
        _cleanup_close_ int netns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

        if (netns_fd < 0)
                return error_set(err, errno, "open this thread's network namespace");
        rtnl_put_sublink(rtnl, &(RtnlSublink){ .kind = network->lan->sublink,
                                               .name = "brig-probe",
                                               .netns_fd = netns_fd,
                                               .mode = network->lan_mode });
        if (rtnl_commit(rtnl, NULL) != -EOPNOTSUPP)
                return 0;
        return error_kind(err, ERROR_UNSUPPORTED,
                          "this host's kernel has no %s links: load its module %s, or boot a "
                          "kernel that has it",
                          network->driver->name, network->driver->name);
}

/* A bridge without ports does as well: between macvlan links the kernel carries packets itself, and
 * what goes to others ends there. */
static int make_own(Rtnl *rtnl, const char *name, Error *err) {
        static const char *const kinds[] = { "dummy", "bridge" };
        int r = -EOPNOTSUPP;

        for (size_t i = 0; r == -EOPNOTSUPP && i < ELEMENTS(kinds); i++) {
                rtnl_put_plain(rtnl, kinds[i], name, LINK_ALIAS);
                r = rtnl_commit(rtnl, err);
        }
        /* The host itself has nothing to say there. */
        return r < 0 ? r : sysctl_write_link("ipv6", name, "disable_ipv6", "1", err);
}

static int make_vlan(Rtnl *rtnl, const char *name, Error *err) {
        const char *dot = strrchr(name, '.');
        _cleanup_free_ char *below = str_copy_n(name, dot ? (size_t)(dot - name) : 0);
        int id, index, r;

        if (!dot)
                return error_kind(
                        err, ERROR_INVALID,
                        "-o parent interface was not found on the host: %s. Name one that "
                        "`ip link` shows, or a VLAN of one, like eth0.10",
                        name);
        if (str_to_int_in(dot + 1, 1, 4094, &id) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "vlan id must be between 1-4094, received: %s (in parent %s)",
                                  dot + 1, name);
        index = rtnl_index(rtnl, below);
        if (index < 0)
                return error_kind(err, ERROR_INVALID,
                                  "-o parent interface was not found on the host: %s", below);
        rtnl_put_vlan(rtnl, name, LINK_ALIAS, (unsigned)index, (uint16_t)id);
        r = rtnl_commit(rtnl, err);
        if (r == -EOPNOTSUPP)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "this host's kernel has no 802.1Q links for parent %s: load its "
                                  "module 8021q",
                                  name);
        return r;
}

/* Makes what is missing, if it is ours to make. */
static int ensure_parent(Rtnl *rtnl, const Network *network, Error *err) {
        const char *parent = network->config.parent;
        int r;

        if (rtnl_index(rtnl, parent) > 0)
                return 0;
        r = str_empty(pairs_get(&network->config.options, "parent")) ? make_own(rtnl, parent, err)
                                                                     : make_vlan(rtnl, parent, err);
        if (r == -EEXIST) /* another container's join was quicker */
                return 0;
        if (r < 0) {
                rtnl_put_delete(rtnl, parent);
                (void)rtnl_commit(rtnl, NULL); /* r tells what went wrong first */
        }
        return r;
}

int lan_create(const Net *net, Network *network, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int r = check_others(net, network, err);

        if (r == 0)
                r = rtnl_open(&rtnl, err);
        if (r == 0)
                r = check_kernel(rtnl, network, err);
        return r < 0 ? r : ensure_parent(rtnl, network, err);
}

typedef struct OwnSearch {
        const char *name;
        bool is_ours;
} OwnSearch;

static void match_own(void *data, const RtnlLink *link) {
        OwnSearch *search = data;

        if (str_equal(link->name, search->name))
                search->is_ours = str_equal(link->alias, LINK_ALIAS);
}

/* A parent that a network of ours made goes with the last one upon it. */
int lan_remove(const Net *net, Network *network, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        OwnSearch search = { .name = network->config.parent };
        const char *id;
        Network *other;
        int r;

        MAP_EACH(&net->networks, id, other)
                if (other != network && str_equal(other->config.parent, network->config.parent))
                        return 0;
        r = rtnl_open(&rtnl, err);
        if (r == 0)
                r = rtnl_each_link(rtnl, match_own, &search, err);
        if (r < 0 || !search.is_ours)
                return r;
        rtnl_put_delete(rtnl, search.name);
        return rtnl_commit(rtnl, err);
}

/* ---- endpoints ---- */

/* Opened here, to leave by: until then it keeps the namespace. */
static int keep_netns(Member *member, int netns_fd, Error *err) {
        int fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 0);

        if (fd < 0)
                return error_set(err, errno, "keep a container's network namespace");
        close_fd(&member->netns_fd);
        member->netns_fd = fd;
        return 0;
}

/* One link under way: `host` is a socket of the host's namespace, `inner` one of the container's.
 */
typedef struct Join {
        Net *net;
        Member *member;
        Rtnl *host, *inner;
        unsigned parent;
        int netns_fd;
        char link[IFNAMSIZ];
} Join;

static bool is_passthru(const Network *network) {
        return network->lan->sublink == RTNL_MACVLAN && network->lan_mode == MACVLAN_MODE_PASSTHRU;
}

static int make_link(Join *join, Error *err) {
        const Network *network = join->member->network;
        const char *mac = join->member->endpoint.mac;
        uint8_t bytes[MAC_LENGTH];
        RtnlSublink link = { .kind = network->lan->sublink,
                             .name = join->link,
                             .parent = join->parent,
                             .netns_fd = join->netns_fd,
                             .mtu = network->mtu,
                             .mode = network->lan_mode,
                             .flags = network->lan_flags };
        int r;

        if (!str_empty(mac)) {
                r = inner_parse_mac(mac, bytes, err);
                if (r < 0)
                        return r;
                link.mac = bytes;
        }
        rtnl_put_sublink(join->host, &link);
        r = rtnl_commit(join->host, err);
        if (r == -EBUSY || (r == -EINVAL && is_passthru(network)))
                return error_kind(
                        err, ERROR_CONFLICT,
                        "failed to create the %s port: parent interface %s is in use by a "
                        "bridge, a bond, another driver or a container in mode passthru",
                        network->driver->name, network->config.parent);
        return r;
}

/* In passthru the kernel gives the link its parent's hardware address; one that was asked for
 * becomes the parent's, until the link goes. */
static int settle_mac(const Join *join, Error *err) {
        Endpoint *endpoint = &join->member->endpoint;
        uint8_t mac[MAC_LENGTH];
        int r;

        if (!is_passthru(join->member->network))
                return 0;
        if (!str_empty(endpoint->wanted_mac)) {
                r = inner_parse_mac(endpoint->mac, mac, err);
                if (r < 0)
                        return r;
                rtnl_put_mac(join->inner, (unsigned)rtnl_index(join->inner, join->link), mac);
                return rtnl_commit(join->inner, err);
        }
        r = rtnl_mac(join->inner, join->link, mac);
        if (r < 0)
                return error_set(err, -r, "read the hardware address of link '%s'", join->link);
        free(endpoint->mac);
        endpoint->mac = str_format("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                                   mac[4], mac[5]);
        return 0;
}

static int configure(const Join *join, Error *err) {
        _cleanup_settings_ InnerSettings settings = { .conf_fd = -1, .default_fd = -1 };
        int r = settle_mac(join, err);

        if (r == 0)
                r = inner_settings_open(&settings, err);
        if (r == 0)
                r = inner_configure(join->member, join->inner, join->link, &settings, err);
        if (r == -EADDRINUSE)
                return error_kind(err, ERROR_CONFLICT,
                                  "hardware address %s is in use on parent interface %s: give the "
                                  "container another --mac-address or --ip",
                                  join->member->endpoint.mac, join->member->network->config.parent);
        return r;
}

/* In the container's namespace. */
static int join_inside(Join *join, Error *err) {
        int r = rtnl_open(&join->inner, err);

        if (r == 0)
                r = inner_choose_name(join->net, join->member, join->inner, join->link, err);
        if (r == 0)
                r = make_link(join, err);
        if (r < 0)
                return r;
        r = configure(join, err);
        if (r < 0) {
                rtnl_put_delete(join->inner, join->link);
                (void)rtnl_commit(join->inner, NULL); /* r tells what went wrong first */
                return r;
        }
        /* The first packet after the return must pass, and IPv6 answers for its addresses only once
         * it knows of the carrier. */
        (void)rtnl_settle(join->inner, (unsigned)rtnl_index(join->inner, join->link),
                          str_empty(join->member->endpoint.address6) ? 0 : CARRIER_PATIENCE);
        return 0;
}

int lan_join(Net *net, Member *member, int netns_fd, Error *err) {
        Join join = { .net = net, .member = member, .netns_fd = netns_fd };
        int r = rtnl_open(&join.host, err), index = -1, home = -1;

        if (r < 0)
                return r;
        r = ensure_parent(join.host, member->network, err);
        if (r == 0)
                index = rtnl_index(join.host, member->network->config.parent);
        if (r == 0 && index < 0)
                r = error_set(err, -index, "link '%s'", member->network->config.parent);
        join.parent = (unsigned)index;
        if (r == 0)
                r = keep_netns(member, netns_fd, err);
        if (r == 0)
                r = netns_enter(netns_fd, &home, err);
        if (r == 0)
                r = join_inside(&join, err);
        netns_return(&home);
        rtnl_close(join.inner);
        rtnl_close(join.host);
        if (r == 0)
                str_replace(&member->endpoint.inner_link, join.link);
        else
                close_fd(&member->netns_fd);
        return r;
}

/* A socket of the container's namespace. */
static int open_inside(int netns_fd, Rtnl **ret, Error *err) {
        _cleanup_netns_ int home = -1;
        int r = netns_enter(netns_fd, &home, err);

        return r < 0 ? r : rtnl_open(ret, err);
}

/* The link goes before the return, as its hardware address on the LAN, or in passthru its parent,
 * may be the next container's at once. */
void lan_leave(Net *net, Member *member) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        Error err = { 0 };
        int r = open_inside(member->netns_fd, &rtnl, &err);

        (void)net;
        if (r == 0 && !str_empty(member->endpoint.inner_link)) {
                rtnl_put_delete(rtnl, member->endpoint.inner_link);
                r = rtnl_commit(rtnl, &err);
        }
        if (r < 0)
                log_warn("network %s: take container %.12s off: %s", member->network->config.name,
                         member->endpoint.container_id, err.message);
        close_fd(&member->netns_fd);
}

typedef struct Unrecorded {
        const Member *member;
        char **links;        /* of the network's kind */
        unsigned *addressed; /* indices of links that have an address of the member's */
        size_t count;
} Unrecorded;

static void note_link(void *data, const RtnlLink *link) {
        Unrecorded *search = data;

        if (str_equal(link->kind, search->member->network->driver->name))
                strv_add(&search->links, link->name);
}

static void note_address(void *data, const RtnlAddress *address) {
        Unrecorded *search = data;

        for (size_t i = 0; i < NET_FAMILIES; i++) {
                if (!ip_equal(address->address, search->member->places[i].address))
                        continue;
                GROW(search->addressed, search->count);
                search->addressed[search->count++] = address->link;
        }
}

static bool is_unrecorded(Rtnl *rtnl, const Unrecorded *search, const char *link) {
        const Member *member = search->member;
        const unsigned index = (unsigned)MAX(rtnl_index(rtnl, link), 0);
        uint8_t mac[MAC_LENGTH], own[MAC_LENGTH];

        for (size_t i = 0; i < search->count; i++)
                if (search->addressed[i] == index)
                        return true;
        return !member->network->parents_mac && !str_empty(member->endpoint.mac) &&
               inner_parse_mac(member->endpoint.mac, own, NULL) == 0 &&
               rtnl_mac(rtnl, link, mac) == 0 && memcmp(mac, own, MAC_LENGTH) == 0;
}

/* The daemon may have been killed after it made a link and before it recorded which: it is found by
 * its addresses, and would keep them from the one that is made instead. */
static void drop_unrecorded(const Member *member, Rtnl *rtnl) {
        Unrecorded search = { .member = member };
        Error err = { 0 };
        int r = rtnl_each_link(rtnl, note_link, &search, &err);

        if (r == 0)
                r = rtnl_each_address(rtnl, note_address, &search, &err);
        for (char **link = search.links; r == 0 && link && *link; link++) {
                if (!is_unrecorded(rtnl, &search, *link))
                        continue;
                rtnl_put_delete(rtnl, *link);
                r = rtnl_commit(rtnl, &err);
        }
        if (r < 0)
                log_warn("container %.12s: look for a link that was not recorded: %s",
                         member->endpoint.container_id, err.message);
        strv_free(search.links);
        free(search.addressed);
}

bool lan_rejoin(Member *member, int netns_fd) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;

        if (keep_netns(member, netns_fd, NULL) < 0 || open_inside(netns_fd, &rtnl, NULL) < 0)
                return false;
        if (!str_empty(member->endpoint.inner_link) &&
            rtnl_index(rtnl, member->endpoint.inner_link) > 0)
                return true;
        drop_unrecorded(member, rtnl);
        return false;
}
