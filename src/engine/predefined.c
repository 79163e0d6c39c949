/* predefined.c: the networks that every engine has: host, none, and the default bridge, which is
 * made anew when the daemon's options for it are others than before (default-bridge.c). */
#include "base/id.h"
#include "engine/engine-private.h"
#include "engine/networks.h"

static NetworkObject *predefined_new(const char *name, const char *driver) {
        NetworkObject *network = network_object_new();

        network->config.name = str_copy(name);
        network->config.driver = str_copy(driver);
        network->ipam_driver = str_copy("default");
        network->predefined = true;
        return network;
}

/* As the record is to have it; its id is new, where there was none before. */
static int bridge_config(const Engine *engine, NetworkConfig *ret, Error *err) {
        const NetworkObject *old = networks_old_bridge(engine);
        int r = default_bridge_config(&engine->options, old ? &old->config : NULL, ret, err);

        if (r < 0)
                return r;
        ret->id = alloc_zero(1, ID_LENGTH + 1);
        if (old)
                str_replace(&ret->id, old->config.id);
        else
                id_new(ret->id);
        return 0;
}

static int bridge_error(const Engine *engine, Error *err) {
        return error_prefix(err, "make the default bridge %s",
                            default_bridge_link(&engine->options));
}

static int bridge_make(Engine *engine, Error *err) {
        NetworkConfig config = { 0 };
        int r = bridge_config(engine, &config, err);

        if (r < 0)
                return r;
        NetworkObject *network = predefined_new("bridge", "bridge");
        json_done(&net_config_table, &network->config);
        network->config = config;
        network->remade = networks_old_bridge(engine) != NULL;
        r = network_make(engine, network, NULL, err);
        return r < 0 ? bridge_error(engine, err) : 0;
}

static bool has_network(Engine *engine, const char *name) {
        _cleanup_network_ NetworkObject *network = NULL;

        return network_lookup(engine, name, &network, NULL) == 0;
}

static bool lacks_bridge(Engine *engine) {
        return !str_equal(engine->options.bridge.link, "none") && !has_network(engine, "bridge");
}

int networks_check(Engine *engine, Error *err) {
        _cleanup_free_ NetworkConfig *others = NULL;
        NetworkConfig config = { 0 };
        NetworkObject **networks;
        size_t count, other_count = 0;

        if (!lacks_bridge(engine))
                return 0;
        int r = bridge_config(engine, &config, err);
        if (r < 0)
                return r;
        networks_all(engine, &networks, &count);
        others = NEW_ARRAY(NetworkConfig, count + 1);
        for (size_t i = 0; i < count; i++)
                if (!networks[i]->config_only)
                        others[other_count++] = networks[i]->config;
        r = network_check(engine->net, &config, others, other_count, err);
        json_done(&net_config_table, &config);
        networks_all_free(networks, count);
        return r < 0 ? bridge_error(engine, err) : 0;
}

int networks_start(Engine *engine, Error *err) {
        int r = 0;

        if (!has_network(engine, "host"))
                r = network_make(engine, predefined_new("host", "host"), NULL, err);
        if (r == 0 && !has_network(engine, "none"))
                r = network_make(engine, predefined_new("none", "null"), NULL, err);
        if (r == 0 && lacks_bridge(engine))
                r = bridge_make(engine, err);
        return r;
}

/* ---- the default bridge, for those who are on it ---- */

/* A new reference; the index has its own for as long as the engine lives. NULL: there is none. */
static NetworkObject *find_bridge(Engine *engine) {
        _cleanup_network_ NetworkObject *network = NULL;

        if (network_lookup(engine, "bridge", &network, NULL) < 0 || !network->predefined)
                return NULL;
        return TAKE_PTR(network);
}

const char *networks_bridge(Engine *engine, bool *ret_remade) {
        _cleanup_network_ NetworkObject *bridge = find_bridge(engine);
        const NetworkObject *old = networks_old_bridge(engine);

        *ret_remade = old || (bridge && bridge->remade);
        return old ? old->config.id : bridge ? bridge->config.id : NULL;
}

int networks_settled(Engine *engine, Error *err) {
        _cleanup_network_ NetworkObject *bridge = find_bridge(engine);

        if (!bridge || !bridge->remade)
                return 0;
        bridge->remade = false;
        return network_save(engine, bridge, true, err);
}
