/* publish-change.c: ports added to and taken from a container that is there. What a binding means
 * is publish.c's. */
#include <errno.h>

#include "base/ip.h"
#include "base/log.h"
#include "engine/engine-private.h"
#include "engine/network-mode.h"
#include "engine/networks.h"
#include "engine/publish.h"
#include "engine/state.h"
#include "net/ports.h"

/* ---- the new bindings ---- */

static void bindings_copy(const JsonArray *from, JsonArray *to) {
        const PortBindings *ports = from->items;

        for (size_t i = 0; i < from->count; i++) {
                PortBindings *slot = json_append(to, &port_bindings_table);

                slot->port = str_copy(ports[i].port);
                for (size_t j = 0; j < ports[i].bindings.count; j++)
                        json_copy(&port_binding_table,
                                  (const PortBinding *)ports[i].bindings.items + j,
                                  json_append(&slot->bindings, &port_binding_table));
        }
}

static PortBindings *bindings_find(JsonArray *all, const char *spec) {
        PortBindings *ports = all->items;

        for (size_t i = 0; i < all->count; i++) {
                _cleanup_free_ char *plain = str_format("%s/tcp", ports[i].port);

                if (str_equal(ports[i].port, spec) || str_equal(plain, spec))
                        return &ports[i];
        }
        return NULL;
}

static bool fits(const PortBinding *given, const PortBinding *has) {
        return (str_empty(given->host_ip) || str_equal(given->host_ip, has->host_ip)) &&
               (str_empty(given->host_port) || str_equal(given->host_port, has->host_port));
}

/* given NULL: all of them. Returns how many went. */
static size_t drop_fitting(PortBindings *slot, const PortBinding *given) {
        PortBinding *items = slot->bindings.items;
        size_t kept = 0, count = slot->bindings.count;

        for (size_t i = 0; i < count; i++) {
                if (!given || fits(given, &items[i]))
                        json_done(&port_binding_table, &items[i]);
                else
                        items[kept++] = items[i];
        }
        slot->bindings.count = kept;
        return count - kept;
}

static int remove_one(const Container *container, JsonArray *all, const char *spec,
                      const PortBinding *given, Error *err) {
        PortBindings *slot = bindings_find(all, spec);

        if (slot && drop_fitting(slot, given) > 0)
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "container %s does not publish %s%s%s%s%s: HostConfig.PortBindings of "
                          "its inspect has what it does",
                          container->name, spec, given && !str_empty(given->host_ip) ? " at " : "",
                          given && given->host_ip ? given->host_ip : "",
                          given && !str_empty(given->host_port) ? " as " : "",
                          given && given->host_port ? given->host_port : "");
}

static void drop_empty(JsonArray *all) {
        PortBindings *ports = all->items;
        size_t kept = 0;

        for (size_t i = 0; i < all->count; i++) {
                if (ports[i].bindings.count > 0) {
                        ports[kept++] = ports[i];
                        continue;
                }
                free(ports[i].port);
                json_done(&port_bindings_table, &ports[i]);
        }
        all->count = kept;
}

static int remove_all(const Container *container, JsonArray *all, const JsonArray *removed,
                      Error *err) {
        const PortBindings *ports = removed->items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < removed->count; i++) {
                const PortBinding *given = ports[i].bindings.items;
                _cleanup_free_ char *spec = port_spec_of(ports[i].port, err);

                if (!spec)
                        return -EINVAL;
                if (ports[i].bindings.count == 0)
                        r = remove_one(container, all, spec, NULL, err);
                for (size_t j = 0; r == 0 && j < ports[i].bindings.count; j++)
                        r = remove_one(container, all, spec, &given[j], err);
        }
        return r;
}

/* A certain port that is there already is no second one; one of the ephemeral range is. */
static bool has_binding(const PortBindings *slot, const PortBinding *binding) {
        const PortBinding *items = slot->bindings.items;

        for (size_t i = 0; !str_empty(binding->host_port) && i < slot->bindings.count; i++)
                if (str_equal(items[i].host_port, binding->host_port) &&
                    str_equal(items[i].host_ip ?: "", binding->host_ip ?: ""))
                        return true;
        return false;
}

static int add_one(JsonArray *all, const char *spec, const PortBinding *binding, Error *err) {
        PortBindings *slot = bindings_find(all, spec);
        int r = port_binding_check(spec, binding, err);

        if (r < 0 || (slot && has_binding(slot, binding)))
                return r;
        if (!slot) {
                slot = json_append(all, &port_bindings_table);
                slot->port = str_copy(spec);
        }
        json_copy(&port_binding_table, binding, json_append(&slot->bindings, &port_binding_table));
        return 0;
}

static int add_all(JsonArray *all, const JsonArray *added, Error *err) {
        const PortBindings *ports = added->items;
        const PortBinding any = { 0 };
        int r = 0;

        for (size_t i = 0; r == 0 && i < added->count; i++) {
                const PortBinding *bindings = ports[i].bindings.items;
                _cleanup_free_ char *spec = port_spec_of(ports[i].port, err);

                if (!spec)
                        return -EINVAL;
                if (ports[i].bindings.count == 0)
                        r = add_one(all, spec, &any, err);
                for (size_t j = 0; r == 0 && j < ports[i].bindings.count; j++)
                        r = add_one(all, spec, &bindings[j], err);
        }
        return r;
}

static int mode_check(const Container *container, Error *err) {
        const char *mode = container_network_mode(container);

        if (!container->spec.config.network_disabled && !str_equal(mode, "host") &&
            !str_equal(mode, "none") && !str_after(mode, "container:"))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "container %s has no network to publish ports of (network mode %s): run "
                          "it anew on a bridge network",
                          container->name, mode);
}

int publish_change(const Container *container, const ContainerUpdate *update, PublishSet **ret,
                   Error *err) {
        PublishSet *set;
        _cleanup_json_ json_object *before = NULL, *after = NULL;
        int r = 0;

        if (update->ports_added.count == 0 && update->ports_removed.count == 0)
                return 0;
        set = NEW(PublishSet);
        atomic_init(&set->references, 1);
        bindings_copy(container_bindings(container), &set->bindings);
        if (update->ports_added.count > 0)
                r = mode_check(container, err);
        if (r == 0 && update->ports_removed.count > 0 && container->spec.host.publish_all_ports)
                r = error_kind(err, ERROR_UNSUPPORTED,
                               "container %s publishes all ports that it exposes (-P), and would "
                               "publish this one anew: run it anew without",
                               container->name);
        if (r == 0)
                r = remove_all(container, &set->bindings, &update->ports_removed, err);
        if (r == 0)
                r = add_all(&set->bindings, &update->ports_added, err);
        drop_empty(&set->bindings);
        before = port_bindings_write(container_bindings(container));
        after = port_bindings_write(&set->bindings);
        if (r < 0 || json_object_equal(before, after))
                publish_set_unref(set);
        else
                *ret = set;
        return r;
}

/* ---- in force ---- */

static bool is_same(const Wanted *a, const Wanted *b) {
        return !a->matched && !b->matched && str_equal(a->spec, b->spec) &&
               !a->binding == !b->binding &&
               (!a->binding ||
                (str_equal(a->binding->host_ip ?: "", b->binding->host_ip ?: "") &&
                 str_equal(a->binding->host_port ?: "", b->binding->host_port ?: "")));
}

static void match(WantedList *old, WantedList *new) {
        for (size_t i = 0; i < old->count; i++)
                for (size_t j = 0; j < new->count && !old->items[i].matched; j++)
                        if (is_same(&old->items[i], &new->items[j]))
                                old->items[i].matched = new->items[j].matched = true;
}

/* How much a wish leaves open: a certain port is found first, so that one of no certain number does
 * not take it for its own. */
static int openness(const NetPort *wish) {
        return wish->host_port == 0 ? 2 : wish->host_port_end > wish->host_port ? 1 : 0;
}

static bool answers(const NetPort *wish, const NetPort *port) {
        return wish->container_port == port->container_port &&
               str_equal(wish->protocol, port->protocol) &&
               (str_empty(wish->host_ip) || str_equal(wish->host_ip, port->host_ip)) &&
               (port->open || wish->host_port == 0 ||
                (wish->host_port <= port->host_port &&
                 port->host_port <= MAX(wish->host_port, wish->host_port_end)));
}

/* Marks what the wish got: a port, and its twin of the other family. gone: it is to go. */
static void claim(const NetPort *wish, const JsonArray *ports, bool gone, bool *taken,
                  bool *leaves) {
        const NetPort *items = ports->items, *first = NULL;

        for (size_t i = 0; i < ports->count; i++) {
                if (taken[i] || !answers(wish, &items[i]) ||
                    (first && (first->host_port != items[i].host_port ||
                               str_equal(first->host_ip, items[i].host_ip))))
                        continue;
                taken[i] = true;
                leaves[i] = gone;
                if (first || !str_empty(wish->host_ip))
                        return;
                first = &items[i];
        }
}

static void mark(const Container *container, const Endpoint *endpoint, const WantedList *old,
                 bool *leaves) {
        _cleanup_free_ bool *taken = NEW_ARRAY(bool, endpoint->ports.count + 1);

        for (int pass = 0; pass <= 2; pass++)
                for (size_t i = 0; i < old->count; i++) {
                        const Wanted *wanted = &old->items[i];
                        JsonArray wish = { 0 };

                        if (wanted->binding &&
                            !container_port_is_for(container, endpoint, wanted->binding))
                                continue;
                        if (container_port_add(&wish, wanted->spec, wanted->binding, NULL) == 0 &&
                            openness(wish.items) == pass)
                                claim(wish.items, &endpoint->ports, !wanted->matched, taken,
                                      leaves);
                        net_ports_done(&wish);
                }
}

/* What the endpoint is to publish: of what it has, all but what is to go, and what is new. */
static int ports_next(const Container *container, const Endpoint *endpoint, const WantedList *old,
                      const WantedList *new, JsonArray *ret, Error *err) {
        const NetPort *has = endpoint->ports.items;
        _cleanup_free_ bool *leaves = NEW_ARRAY(bool, endpoint->ports.count + 1);
        int r = 0;

        mark(container, endpoint, old, leaves);
        for (size_t i = 0; i < endpoint->ports.count; i++) {
                NetPort port = { 0 };

                if (leaves[i])
                        continue;
                json_copy(&net_port_table, &has[i], &port);
                *(NetPort *)json_append(ret, &net_port_table) = port;
        }
        for (size_t i = 0; r == 0 && i < new->count; i++) {
                const Wanted *wanted = &new->items[i];

                if (!wanted->matched &&
                    (!wanted->binding ||
                     container_port_is_for(container, endpoint, wanted->binding)))
                        r = container_port_add(ret, wanted->spec, wanted->binding, err);
        }
        return r;
}

static int put(Container *container, ContainerEndpoint *place, const JsonArray *ports, Error *err) {
        _cleanup_network_ NetworkObject *network = NULL;
        int r = network_lookup(container->engine, place->network_id, &network, err);

        return r < 0 ? r
                     : endpoint_publish(container->engine->net, &network->config, &place->endpoint,
                                        ports, err);
}

/* Whether the text has ":80", and not as the beginning of ":8080". */
static bool has_number(const char *text, const char *number) {
        for (const char *at = text; (at = strstr(at, number)); at++)
                if (!strchr("0123456789", at[strlen(number)]) || !at[strlen(number)])
                        return true;
        return false;
}

static void name_holder(const Container *container, const JsonArray *ports, Error *err) {
        const NetPort *items = ports->items;

        for (size_t i = 0; i < ports->count; i++) {
                _cleanup_free_ char *number = str_format(":%lld", (long long)items[i].host_port);
                _cleanup_free_ char *holder = NULL;
                size_t length = strlen(err->message);

                if (items[i].host_port == 0 || !has_number(err->message, number))
                        continue;
                holder = port_holder(container, &items[i]);
                if (holder)
                        (void)snprintf(err->message + length, sizeof(err->message) - length,
                                       ": %s has it", holder);
                return;
        }
}

static int apply_one(Container *container, ContainerEndpoint *place, const WantedList *old,
                     const WantedList *new, Error *err) {
        JsonArray next = { 0 };
        int r;

        if (!place->joined ||
            (!place->endpoint.default_gateway && !place->endpoint.default_gateway6))
                return 0;
        r = ports_next(container, &place->endpoint, old, new, &next, err);
        if (r == 0)
                r = put(container, place, &next, err);
        if (r < 0)
                name_holder(container, &next, err);
        net_ports_done(&next);
        return r;
}

void publish_before_done(PublishBefore *before) {
        for (size_t i = 0; i < before->count; i++)
                net_ports_done(&before->ports[i]);
        free(before->ports);
        *before = (PublishBefore){ 0 };
}

void publish_restore(Container *container, PublishBefore *before) {
        ContainerEndpoint *endpoints = container->endpoints.items;
        Error why = { 0 };

        for (size_t i = 0; i < before->count; i++)
                if (endpoints[i].joined &&
                    put(container, &endpoints[i], &before->ports[i], &why) < 0)
                        log_error("take back the ports of container %s: %s", container->id,
                                  why.message);
        publish_before_done(before);
}

int publish_apply(Container *container, const JsonArray *bindings, PublishBefore *ret_before,
                  Error *err) {
        ContainerEndpoint *endpoints = container->endpoints.items;
        PublishBefore before = { NEW_ARRAY(JsonArray, container->endpoints.count + 1), 0 };
        WantedList old, new;
        Error ours = { 0 };
        int r = 0;

        err = err ?: &ours;
        old = wanted_of(container, bindings);
        new = wanted_of(container, container_bindings(container));
        match(&old, &new);
        for (size_t i = 0; i < container->endpoints.count; i++)
                net_ports_copy(&endpoints[i].endpoint.ports, &before.ports[before.count++]);
        for (size_t i = 0;
             r == 0 && container_is_running(container) && i < container->endpoints.count; i++)
                r = apply_one(container, &endpoints[i], &old, &new, err);
        free(old.items);
        free(new.items);
        if (r < 0)
                publish_restore(container, &before);
        else
                *ret_before = before;
        return r;
}
