/* ipvlan.c: an endpoint is a link upon the host's that shares its hardware address and is told by
 * its IP address. What it shares with macvlan is lan.c's. */
#include "net/drivers/inner.h"
#include "net/drivers/lan.h"

static const LanWord modes[] = {
        { "l2", IPVLAN_MODE_L2 },
        { "l3", IPVLAN_MODE_L3 },
        { "l3s", IPVLAN_MODE_L3S },
};
static const LanWord flags[] = {
        { "bridge", 0 },
        { "private", IPVLAN_F_PRIVATE },
        { "vepa", IPVLAN_F_VEPA },
};

/* The mode is the parent's, and so one network's. */
static int check_beside(const Network *network, const Network *other, Error *err) {
        return error_kind(err, ERROR_FORBIDDEN, "network %s is already using parent interface %s",
                          other->config.name, network->config.parent);
}

static const LanKind kind = { RTNL_IPVLAN, "di-", check_beside };

static int refuse(const Network *network, const char *option, const char *what,
                  const char *standard, Error *err) {
        return error_kind(err, ERROR_INVALID,
                          "requested ipvlan %s '%s' is not valid, %s is the ipvlan driver default",
                          what, pairs_get(&network->config.options, option), standard);
}

static int ipvlan_configure(Network *network, Error *err) {
        uint32_t flag;

        if (!lan_option(network, "ipvlan_mode", modes, ELEMENTS(modes), &network->lan_mode))
                return refuse(network, "ipvlan_mode", "mode", "'l2' mode", err);
        if (!lan_option(network, "ipvlan_flag", flags, ELEMENTS(flags), &flag))
                return refuse(network, "ipvlan_flag", "flag", "'bridge'", err);
        network->lan_flags = (uint16_t)flag;
        network->parents_mac = true;
        /* The parent itself finds out the next hop. */
        network->device_route = network->lan_mode != IPVLAN_MODE_L2;
        return lan_configure(network, &kind, err);
}

const NetDriver ipvlan_driver = {
        .name = "ipvlan",
        .addresses = true,
        .late = true,
        .configure = ipvlan_configure,
        .create = lan_create,
        .remove = lan_remove,
        .join = lan_join,
        .route = inner_route,
        .leave = lan_leave,
        .rejoin = lan_rejoin,
};
