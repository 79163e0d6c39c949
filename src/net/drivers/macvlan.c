/* macvlan.c: an endpoint is a link with a hardware address of its own upon the host's. What it
 * shares with ipvlan is lan.c's. */
#include "net/drivers/inner.h"
#include "net/drivers/lan.h"

static const LanWord modes[] = {
        { "bridge", MACVLAN_MODE_BRIDGE },
        { "private", MACVLAN_MODE_PRIVATE },
        { "vepa", MACVLAN_MODE_VEPA },
        { "passthru", MACVLAN_MODE_PASSTHRU },
};

/* In passthru a link has its parent for itself. */
static int check_beside(const Network *network, const Network *other, Error *err) {
        if (network->lan_mode == MACVLAN_MODE_PASSTHRU)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "cannot use mode passthru, macvlan network %s is already using "
                                  "parent interface %s",
                                  other->config.name, network->config.parent);
        if (other->lan_mode == MACVLAN_MODE_PASSTHRU)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "macvlan network %s is already using parent interface %s in mode "
                                  "passthru",
                                  other->config.name, network->config.parent);
        return 0;
}

static const LanKind kind = { RTNL_MACVLAN, "dm-", check_beside };

static int macvlan_configure(Network *network, Error *err) {
        if (!lan_option(network, "macvlan_mode", modes, ELEMENTS(modes), &network->lan_mode))
                return error_kind(err, ERROR_INVALID,
                                  "requested macvlan mode '%s' is not valid, 'bridge' mode is the "
                                  "macvlan driver default",
                                  pairs_get(&network->config.options, "macvlan_mode"));
        return lan_configure(network, &kind, err);
}

const NetDriver macvlan_driver = {
        .name = "macvlan",
        .addresses = true,
        .late = true,
        .configure = macvlan_configure,
        .create = lan_create,
        .remove = lan_remove,
        .join = lan_join,
        .route = inner_route,
        .leave = lan_leave,
        .rejoin = lan_rejoin,
};
