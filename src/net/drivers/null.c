/* null.c: the drivers host and null, which make no links: "host" is the host's own namespace,
 * "none" an empty one. */
#include "net/state.h"

static int configure(Network *network, Error *err) {
        if (network->config.pools.count)
                return error_kind(err, ERROR_INVALID, "network driver %s takes no subnets",
                                  network->driver->name);
        return 0;
}

const NetDriver host_driver = { .name = "host", .configure = configure };
const NetDriver null_driver = { .name = "null", .configure = configure };
