/* network-templates.c: Docker's configuration networks: what --config-only stores and --config-from
 * takes over. */
#include "base/ip.h"
#include "engine/networks.h"

static int refuse(Error *err, const char *what) {
        return error_kind(err, ERROR_FORBIDDEN, "%s", what);
}

/* A configuration has nothing that is the operator's; who depends on one has no other. */
int network_template_check(const NetworkCreate *create, Error *err) {
        const char *from = create->config_from ? create->config_from->network : NULL;
        const IpamSpec *ipam = create->ipam;

        if (create->config_only &&
            (create->ingress || create->internal || create->attachable ||
             (!str_empty(create->scope) && !str_equal(create->scope, "local"))))
                return refuse(err, "configuration network can only contain network specific "
                                   "fields. Network operator fields like [ ingress | internal | "
                                   "attachable | scope ] are not supported.");
        if (str_empty(from))
                return 0;
        if (create->config_only)
                return refuse(err, "a configuration network cannot depend on another "
                                   "configuration network");
        if (create->enable_ipv6 || create->labels.count > 0 ||
            (ipam && (ipam->config.count > 0 || ipam->options.count > 0)))
                return refuse(err, "user specified configurations are not supported if the "
                                   "network depends on a configuration network");
        if (create->options.count > 0)
                return refuse(err, "network driver options are not supported if the network "
                                   "depends on a configuration network");
        return 0;
}

int network_template_store(NetworkObject *network, Error *err) {
        const NetPool *pools = network->config.pools.items;

        network->config_only = true;
        str_replace(&network->config.driver, "null");
        for (size_t i = 0; i < network->config.pools.count; i++) {
                Subnet subnet;
                int r = str_empty(pools[i].subnet) ? 0
                                                   : subnet_parse(pools[i].subnet, &subnet, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int network_template_apply(const NetworkObject *from, NetworkObject *to, Error *err) {
        const NetPool *pools = from->config.pools.items;

        if (!from->config_only)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "configuration network %s not found: the network of that name "
                                  "was not created with --config-only",
                                  from->config.name);
        to->config.ipv6 = from->config.ipv6;
        to->config.no_ipv4 = from->config.no_ipv4;
        for (size_t i = 0; i < from->config.pools.count; i++)
                json_copy(&net_pool_table, &pools[i],
                          json_append(&to->config.pools, &net_pool_table));
        pairs_copy(&to->config.options, &from->config.options);
        pairs_copy(&to->ipam_options, &from->ipam_options);
        pairs_copy(&to->labels, &from->labels);
        str_replace(&to->config_from, from->config.name);
        return 0;
}
