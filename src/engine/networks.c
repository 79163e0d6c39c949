/* networks.c: the networks of an engine: their index, their record, making and removing them; which
 * there are from the start is predefined.c's. Links, addresses and rules are net's; who is on a
 * network is in the containers' snapshots. */
#include <errno.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/locks.h"
#include "engine/networks.h"

struct Networks {
        pthread_mutex_t lock;  /* short; never while net works */
        NetworkObject **items; /* oldest first; one reference each */
        size_t count;
        char **creating; /* names of networks that are being made */
        /* The default bridge of an earlier daemon that was started with other options: it is made
         * anew under its id, which stopped containers have. */
        NetworkObject *old_bridge;
};

static const JsonField network_fields[] = {
        JSON_NESTED(NetworkObject, "config", JSON_INLINE, config, JSON_REQUIRED, &net_config_table),
        JSON_FIELD(NetworkObject, "created", JSON_INT, created, 0),
        JSON_FIELD(NetworkObject, "scope", JSON_STRING, scope, 0),
        JSON_FIELD(NetworkObject, "attachable", JSON_BOOL, attachable, 0),
        JSON_FIELD(NetworkObject, "ingress", JSON_BOOL, ingress, 0),
        JSON_FIELD(NetworkObject, "configOnly", JSON_BOOL, config_only, 0),
        JSON_FIELD(NetworkObject, "configFrom", JSON_STRING, config_from, JSON_OMIT_EMPTY),
        JSON_FIELD(NetworkObject, "predefined", JSON_BOOL, predefined, 0),
        JSON_FIELD(NetworkObject, "remade", JSON_BOOL, remade, JSON_OMIT_EMPTY),
        JSON_FIELD(NetworkObject, "ipamDriver", JSON_STRING, ipam_driver, 0),
        JSON_FIELD(NetworkObject, "hasIpamOptions", JSON_BOOL, has_ipam_options, 0),
        JSON_FIELD(NetworkObject, "ipamOptions", JSON_PAIRS, ipam_options, 0),
        JSON_FIELD(NetworkObject, "labels", JSON_PAIRS, labels, 0),
};
const JsonTable network_table = JSON_TABLE(NetworkObject, "network", network_fields);

/* ---- objects and index ---- */

NetworkObject *network_object_new(void) {
        NetworkObject *network = NEW(NetworkObject);

        atomic_init(&network->references, 1);
        return network;
}

NetworkObject *network_ref(NetworkObject *network) {
        (void)atomic_fetch_add_explicit(&network->references, 1, memory_order_relaxed);
        return network;
}

NetworkObject *network_unref(NetworkObject *network) {
        if (network &&
            atomic_fetch_sub_explicit(&network->references, 1, memory_order_acq_rel) == 1) {
                json_done(&network_table, network);
                free(network);
        }
        return NULL;
}

static void networks_lock(Engine *engine) {
        lock_take(&engine->networks->lock, LOCK_NETWORKS);
}

static void networks_unlock(Engine *engine) {
        lock_drop(&engine->networks->lock, LOCK_NETWORKS);
}

/* Those that a name or the beginning of an id fits. */
typedef struct Matches {
        size_t count;
        const char *on; /* "name" or "ID prefix" */
} Matches;

static NetworkObject *find_named(const Networks *networks, const char *name, Matches *matches) {
        NetworkObject *found = NULL;

        *matches = (Matches){ .on = "name" };
        for (size_t i = 0; i < networks->count; i++) {
                if (!str_equal(networks->items[i]->config.name, name))
                        continue;
                found = networks->items[i];
                matches->count++;
        }
        return found;
}

/* Lock held; borrowed. NULL where there is none, or more than one. */
static NetworkObject *find(const Networks *networks, const char *ref, Matches *matches) {
        NetworkObject *found;

        for (size_t i = 0; i < networks->count; i++)
                if (str_equal(networks->items[i]->config.id, ref))
                        return networks->items[i];
        found = find_named(networks, ref, matches);
        if (!found)
                matches->on = "ID prefix";
        for (size_t i = 0;
             str_equal(matches->on, "ID prefix") && !str_empty(ref) && i < networks->count; i++) {
                if (!str_after(networks->items[i]->config.id, ref))
                        continue;
                found = networks->items[i];
                matches->count++;
        }
        return matches->count == 1 ? found : NULL;
}

static int not_found(const char *ref, const Matches *matches, Error *err) {
        if (matches->count > 1)
                return error_kind(err, ERROR_INVALID,
                                  "network %s is ambiguous (%zu matches found based on %s)", ref,
                                  matches->count, matches->on);
        return error_kind(err, ERROR_NOT_FOUND, "network %s not found", ref);
}

static int lookup(Engine *engine, const char *ref, bool acquire, NetworkObject **ret, Error *err) {
        Matches matches = {};
        bool removing = false;

        networks_lock(engine);
        NetworkObject *network = find(engine->networks, ref, &matches);
        if (network) {
                removing = acquire && network->removing;
                network_ref(network);
                if (acquire && !removing)
                        network->active++;
        }
        networks_unlock(engine);
        if (network && !removing) {
                *ret = network;
                return 0;
        }
        network_unref(network);
        return not_found(ref, &matches, err);
}

int network_lookup(Engine *engine, const char *ref, NetworkObject **ret, Error *err) {
        return lookup(engine, ref, false, ret, err);
}

int network_acquire(Engine *engine, const char *ref, NetworkObject **ret, Error *err) {
        _cleanup_network_ NetworkObject *network = NULL;
        int r = lookup(engine, ref, true, &network, err);

        if (r < 0)
                return r;
        if (network->config_only) {
                network_release(engine, network->config.id);
                return error_kind(err, ERROR_FORBIDDEN,
                                  "cannot create endpoint on configuration-only network: %s",
                                  network->config.name);
        }
        *ret = TAKE_PTR(network);
        return 0;
}

void network_release(Engine *engine, const char *id) {
        Matches matches;

        networks_lock(engine);
        NetworkObject *network = find(engine->networks, id, &matches);
        if (network && network->active > 0)
                network->active--;
        networks_unlock(engine);
}

void networks_all(Engine *engine, NetworkObject ***ret, size_t *ret_count) {
        Networks *networks = engine->networks;

        networks_lock(engine);
        NetworkObject **list = NEW_ARRAY(NetworkObject *, networks->count + 1);
        for (size_t i = 0; i < networks->count; i++)
                list[i] = network_ref(networks->items[i]);
        *ret_count = networks->count;
        networks_unlock(engine);
        *ret = list;
}

void networks_all_free(NetworkObject **networks, size_t count) {
        for (size_t i = 0; i < count; i++)
                network_unref(networks[i]);
        free(networks);
}

/* Lock held; takes the reference over. */
static void index_add(Networks *networks, NetworkObject *network) {
        GROW(networks->items, networks->count);
        networks->items[networks->count++] = network;
}

/* Lock held. */
static void index_drop(Networks *networks, const NetworkObject *network) {
        for (size_t i = 0; i < networks->count; i++) {
                if (networks->items[i] != network)
                        continue;
                network_unref(networks->items[i]);
                memmove(&networks->items[i], &networks->items[i + 1],
                        (networks->count - i - 1) * sizeof(*networks->items));
                networks->count--;
                return;
        }
}

/* ---- record ---- */

int network_save(Engine *engine, const NetworkObject *network, bool replaces, Error *err) {
        _cleanup_free_ char *document = json_text(&network_table, network);
        /* The record's names are unique. */
        const DbRecord record = { .id = network->config.id,
                                  .name = network->shares_name ? NULL : network->config.name,
                                  .document = document };

        return replaces ? db_update(engine->db, DB_NETWORKS, &record, true, err)
                        : db_insert(engine->db, DB_NETWORKS, &record, true, err);
}

static int load_row(void *data, const DbRecord *record, Error *err) {
        Networks *networks = data;
        _cleanup_network_ NetworkObject *network = network_object_new();

        int r = json_parse(&network_table, record->document, strlen(record->document), network,
                           err);
        if (r < 0)
                return error_prefix(err, "network '%s' in the record", record->id);
        index_add(networks, TAKE_PTR(network));
        return 0;
}

static int older_first(const void *left, const void *right) {
        const NetworkObject *a = *(NetworkObject *const *)left, *b = *(NetworkObject *const *)right;
        return a->created > b->created ? 1 : a->created < b->created ? -1 : 0;
}

/* The record stays until the new one takes its place. */
static int set_old_bridge_aside(const Engine *engine, Networks *networks, Error *err) {
        NetworkConfig wanted = { 0 };
        int r = default_bridge_config(&engine->options, NULL, &wanted, err);

        for (size_t i = 0; r == 0 && i < networks->count; i++) {
                NetworkObject *network = networks->items[i];
                if (!network->predefined || !str_equal(network->config.name, "bridge") ||
                    default_bridge_is(&wanted, &network->config))
                        continue;
                networks->old_bridge = network_ref(network);
                index_drop(networks, network);
                break;
        }
        json_done(&net_config_table, &wanted);
        return r;
}

const NetworkObject *networks_old_bridge(const Engine *engine) {
        return engine->networks->old_bridge;
}

int networks_new(Engine *engine, Networks **ret, Error *err) {
        Networks *networks = NEW(Networks);

        pthread_mutex_init(&networks->lock, NULL);
        int r = db_each(engine->db, DB_NETWORKS, load_row, networks, err);
        if (r == 0)
                r = set_old_bridge_aside(engine, networks, err);
        if (r < 0) {
                networks_free(networks);
                return r;
        }
        if (networks->count > 1)
                qsort(networks->items, networks->count, sizeof(NetworkObject *), older_first);
        *ret = networks;
        return 0;
}

Networks *networks_free(Networks *networks) {
        if (!networks)
                return NULL;
        for (size_t i = 0; i < networks->count; i++)
                network_unref(networks->items[i]);
        free(networks->items);
        strv_free(networks->creating);
        network_unref(networks->old_bridge);
        pthread_mutex_destroy(&networks->lock);
        free(networks);
        return NULL;
}

/* ---- making ---- */

/* Lock held. Whether a configuration has the name, which others find it by. */
static bool has_configuration(const Networks *networks, const char *name) {
        for (size_t i = 0; i < networks->count; i++)
                if (networks->items[i]->config_only &&
                    str_equal(networks->items[i]->config.name, name))
                        return true;
        return false;
}

/* Takes the name, unless the network shares it; conflict where it may not have it. */
static int name_reserve(Engine *engine, const NetworkObject *network, Error *err) {
        const char *name = network->config.name;
        Networks *networks = engine->networks;
        Matches matches;
        bool taken;

        networks_lock(engine);
        taken = network->shares_name ? has_configuration(networks, name)
                                     : strv_has(networks->creating, name) ||
                                               find_named(networks, name, &matches);
        if (!taken && !network->shares_name)
                strv_add(&networks->creating, name);
        networks_unlock(engine);
        if (taken)
                return error_kind(err, ERROR_CONFLICT, "network with name %s already exists", name);
        return 0;
}

static void network_event(Engine *engine, const NetworkObject *network, const char *action) {
        Pairs attributes = { 0 };

        pairs_put(&attributes, "name", network->config.name);
        pairs_put(&attributes, "type", network->config.driver);
        engine_event_emit(engine, "network", action, network->config.id, &attributes);
        pairs_done(&attributes);
}

static int make_and_save(Engine *engine, NetworkObject *network, Error *err) {
        Error later = { 0 };

        int r = failpoint("network.create", err);
        if (r == 0 && !network->config_only)
                r = network_create(engine->net, &network->config, err);
        if (r < 0)
                return r;
        r = failpoint("network.record", err);
        if (r == 0)
                r = network_save(engine, network, network->remade, err);
        if (r < 0 && !network->config_only &&
            network_remove(engine->net, &network->config, &later) < 0)
                log_error("take back network %s: %s", network->config.name, later.message);
        return r;
}

int network_make(Engine *engine, NetworkObject *network, char **ret_id, Error *err) {
        _cleanup_network_ NetworkObject *made = network;

        int r = name_reserve(engine, made, err);
        if (r < 0)
                return r;
        if (!made->config.id) {
                made->config.id = alloc_zero(1, ID_LENGTH + 1);
                id_new(made->config.id);
        }
        made->created = clock_now();
        made->scope = str_copy("local");
        r = make_and_save(engine, made, err);
        networks_lock(engine);
        if (!made->shares_name)
                (void)strv_drop(engine->networks->creating, made->config.name);
        if (r == 0)
                index_add(engine->networks, network_ref(made));
        networks_unlock(engine);
        if (r < 0)
                return r;
        if (!made->predefined)
                network_event(engine, made, "create");
        if (ret_id)
                *ret_id = str_copy(made->config.id);
        return 0;
}

/* ---- the engine's calls ---- */

static int create_check(const NetworkCreate *create, Error *err) {
        const char *driver = str_empty(create->driver) ? "bridge" : create->driver;
        static const char *const predefined[] = { "bridge", "host", "none", "default" };

        for (size_t i = 0; i < ELEMENTS(predefined); i++)
                if (str_equal(create->name, predefined[i]))
                        return error_kind(err, ERROR_FORBIDDEN,
                                          "operation is not permitted on predefined %s network ",
                                          create->name);
        if (str_empty(create->name))
                return error_kind(err, ERROR_INVALID, "invalid network name: it is empty");
        if (str_equal(driver, "host") || str_equal(driver, "null"))
                return error_kind(err, ERROR_FORBIDDEN,
                                  "only one instance of \"%s\" network is allowed", driver);
        if (str_equal(create->scope, "swarm") || create->ingress)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "This node is not a swarm manager. brig makes networks of the "
                                  "scope local only.");
        if (create->ipam && !str_empty(create->ipam->driver) &&
            !str_equal(create->ipam->driver, "default"))
                return error_kind(err, ERROR_NOT_FOUND, "plugin \"%s\" not found",
                                  create->ipam->driver);
        return network_template_check(create, err);
}

static void pools_copy(const IpamSpec *ipam, NetworkConfig *config) {
        const IpamPoolSpec *specs = ipam->config.items;

        for (size_t i = 0; i < ipam->config.count; i++) {
                NetPool *pool = json_append(&config->pools, &net_pool_table);
                pool->subnet = str_copy(specs[i].subnet);
                pool->gateway = str_copy(specs[i].gateway);
                pool->range = str_copy(specs[i].ip_range);
                pairs_copy(&pool->auxiliary, &specs[i].auxiliary);
        }
}

/* The option is how Docker's clients said it before they had a flag. */
static bool wants_ipv6(const NetworkCreate *create) {
        const char *option = pairs_get(&create->options, "com.docker.network.enable_ipv6");

        return create->enable_ipv6 || str_equal(option, "true") || str_equal(option, "1");
}

/* The caller's; NULL: it has the name alone. */
static char *name_shared(Engine *engine, const char *name) {
        Matches matches;

        networks_lock(engine);
        (void)find_named(engine->networks, name, &matches);
        networks_unlock(engine);
        return matches.count > 1 ? str_format("%zu networks have the name %s: each is named by its "
                                              "id alone",
                                              matches.count, name)
                                 : NULL;
}

/* What Docker passes over in silence; the caller's. */
static char *unused_subnets(const IpamSpec *ipam, bool ipv6) {
        const IpamPoolSpec *specs = ipam ? ipam->config.items : NULL;

        for (size_t i = 0; !ipv6 && ipam && i < ipam->config.count; i++)
                if (specs[i].subnet && strchr(specs[i].subnet, ':'))
                        return str_format("the subnet %s is not used: the network has no IPv6; "
                                          "create it with --ipv6",
                                          specs[i].subnet);
        return str_copy("");
}

static NetworkObject *requested(const NetworkCreate *create) {
        NetworkObject *network = network_object_new();

        network->config.name = str_copy(create->name);
        network->config.driver = str_copy(str_empty(create->driver) ? "bridge" : create->driver);
        network->config.internal = create->internal;
        network->config.no_ipv4 = create->enable_ipv4 && !*create->enable_ipv4;
        network->config.ipv6 = wants_ipv6(create);
        network->config.resolver = true;
        pairs_copy(&network->config.options, &create->options);
        pairs_copy(&network->labels, &create->labels);
        network->attachable = create->attachable;
        /* A configuration is found by its name. */
        network->shares_name = !create->check_duplicate && !create->config_only;
        network->ipam_driver = str_copy("default");
        if (create->ipam) {
                network->has_ipam_options = create->ipam->has_options;
                pools_copy(create->ipam, &network->config);
                pairs_copy(&network->ipam_options, &create->ipam->options);
        }
        return network;
}

/* The configuration network stays while the other is made. */
static int make_from(Engine *engine, const char *name, NetworkObject *network, char **ret_id,
                     Error *err) {
        _cleanup_network_ NetworkObject *from = NULL;
        _cleanup_network_ NetworkObject *made = network;
        int r = lookup(engine, name, true, &from, err);

        if (r < 0)
                return error_prefix(err, "failed to retrieve the configuration network \"%s\"",
                                    name);
        r = network_template_apply(from, made, err);
        if (r == 0)
                r = network_make(engine, TAKE_PTR(made), ret_id, err);
        network_release(engine, from->config.id);
        return r;
}

int engine_network_create(Engine *engine, const NetworkCreate *create, char **ret_id,
                          char **ret_warning, Error *err) {
        const char *from = create->config_from ? create->config_from->network : NULL;
        _cleanup_network_ NetworkObject *network = NULL;
        int r = create_check(create, err);

        if (r < 0)
                return r;
        network = requested(create);
        if (create->config_only)
                r = network_template_store(network, err);
        if (r == 0)
                r = str_empty(from) ? network_make(engine, TAKE_PTR(network), ret_id, err)
                                    : make_from(engine, from, TAKE_PTR(network), ret_id, err);
        if (r == 0)
                *ret_warning = name_shared(engine, create->name)
                                       ?: unused_subnets(create->ipam, wants_ipv6(create));
        return r;
}

/* Lock held: a network that was made from this configuration; NULL: none. */
static const NetworkObject *dependent(const Networks *networks, const NetworkObject *network) {
        for (size_t i = 0; network->config_only && i < networks->count; i++)
                if (str_equal(networks->items[i]->config_from, network->config.name))
                        return networks->items[i];
        return NULL;
}

/* Lock held while it decides. */
static int remove_begin(Engine *engine, const char *ref, NetworkObject **ret, Error *err) {
        Matches matches = {};
        bool user = false;
        int active = 0;

        networks_lock(engine);
        NetworkObject *network = find(engine->networks, ref, &matches);
        bool missing = !network || network->removing;
        bool predefined = network && network->predefined;
        if (!missing && !predefined) {
                user = dependent(engine->networks, network) != NULL;
                active = network->active;
                network->removing = active == 0 && !user;
                network_ref(network);
        }
        networks_unlock(engine);
        if (missing)
                return not_found(ref, &matches, err);
        if (predefined)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "%s is a pre-defined network and cannot be removed", ref);
        *ret = network;
        if (user)
                return error_kind(err, ERROR_FORBIDDEN, "configuration network \"%s\" is in use",
                                  network->config.name);
        if (active > 0)
                return error_kind(
                        err, ERROR_FORBIDDEN,
                        "error while removing network: network %s id %s has active endpoints",
                        network->config.name, network->config.id);
        return 0;
}

static int remove_now(Engine *engine, NetworkObject *network, Error *err) {
        int r = failpoint("network.remove", err);
        if (r == 0 && !network->config_only)
                r = network_remove(engine->net, &network->config, err);
        if (r == 0)
                r = failpoint("network.forget", err);
        if (r == 0)
                r = db_delete(engine->db, DB_NETWORKS, network->config.id, true, err);
        return r;
}

int engine_network_remove(Engine *engine, const char *ref, Error *err) {
        _cleanup_network_ NetworkObject *network = NULL;

        int r = remove_begin(engine, ref, &network, err);
        if (r < 0)
                return r;
        r = remove_now(engine, network, err);
        networks_lock(engine);
        if (r == 0)
                index_drop(engine->networks, network);
        else
                network->removing = false;
        networks_unlock(engine);
        if (r == 0)
                network_event(engine, network, "destroy");
        return r;
}
