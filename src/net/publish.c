/* publish.c: other published ports for an endpoint that has joined, one by one: those that stay
 * keep their sockets, their elements and their connections. What a port needs is member.c's. */
#include "base/log.h"
#include "net/state.h"

/* Ports and the sockets that hold them, as a member has them. */
typedef struct HeldPorts {
        JsonArray ports; /* of NetPort */
        int *fds;        /* as many */
        size_t count;
} HeldPorts;

static void held_add(HeldPorts *held, const NetPort *port, int fd) {
        *(NetPort *)json_append(&held->ports, &net_port_table) = *port;
        GROW(held->fds, held->count);
        held->fds[held->count++] = fd;
}

/* Moves all of them to the end of `to`. */
static void held_move(HeldPorts *from, HeldPorts *to) {
        const NetPort *ports = from->ports.items;

        for (size_t i = 0; i < from->ports.count; i++)
                held_add(to, &ports[i], i < from->count ? from->fds[i] : -1);
        free(from->ports.items);
        free(from->fds);
        *from = (HeldPorts){ 0 };
}

static HeldPorts held_take(Member *member) {
        const HeldPorts held = { member->endpoint.ports, member->held, member->held_count };

        member->endpoint.ports = (JsonArray){ 0 };
        member->held = NULL;
        member->held_count = 0;
        return held;
}

static void held_give(HeldPorts *held, Member *member) {
        member->endpoint.ports = held->ports;
        member->held = held->fds;
        member->held_count = held->count;
        *held = (HeldPorts){ 0 };
}

static void held_release(Net *net, HeldPorts *held) {
        const NetPort *ports = held->ports.items;

        for (size_t i = 0; i < held->count; i++)
                if (!ports[i].open)
                        ports_release(net->ports, &ports[i], held->fds[i]);
        free(held->fds);
        held->fds = NULL;
        held->count = 0;
}

/* ---- what stays ---- */

static bool is_same(const NetPort *a, const NetPort *b) {
        return a->open == b->open && a->container_port == b->container_port &&
               a->host_port == b->host_port && a->host_port_end == b->host_port_end &&
               str_equal(a->protocol, b->protocol) && str_equal(a->host_ip, b->host_ip);
}

static bool has_port(const JsonArray *ports, const NetPort *port) {
        const NetPort *items = ports->items;

        for (size_t i = 0; i < ports->count; i++)
                if (is_same(&items[i], port))
                        return true;
        return false;
}

/* The member's ports, parted into those that are wanted and those that are not. */
static void part(HeldPorts *all, const JsonArray *wanted, HeldPorts *kept, HeldPorts *removed) {
        const NetPort *ports = all->ports.items;

        for (size_t i = 0; i < all->ports.count; i++)
                held_add(has_port(wanted, &ports[i]) ? kept : removed, &ports[i],
                         i < all->count ? all->fds[i] : -1);
        free(all->ports.items);
        free(all->fds);
        *all = (HeldPorts){ 0 };
}

static void copy_new(const JsonArray *wanted, const JsonArray *kept, JsonArray *ret) {
        const NetPort *ports = wanted->items;

        for (size_t i = 0; i < wanted->count; i++) {
                NetPort port = { 0 };

                if (has_port(kept, &ports[i]))
                        continue;
                json_copy(&net_port_table, &ports[i], &port);
                *(NetPort *)json_append(ret, &net_port_table) = port;
        }
}

/* ---- what comes and goes ---- */

/* Takes ports, which are then the member's; on failure it has none. */
static int take(Net *net, Member *member, JsonArray *ports, bool insists, Error *err) {
        int r;

        member->endpoint.ports = *ports;
        *ports = (JsonArray){ 0 };
        member->endpoint.insists = insists;
        r = member_take_ports(net, member, err);
        member->endpoint.insists = false;
        return r;
}

static void take_back(Net *net, Member *member, HeldPorts *removed) {
        Error why = { 0 };

        if (take(net, member, &removed->ports, true, &why) < 0)
                log_error("container %.12s: take back its ports: %s", member->endpoint.container_id,
                          why.message);
}

static void put(Net *net, const Member *member, const JsonArray *ports, bool add) {
        const NetPort *items = ports->items;

        for (size_t i = 0; i < ports->count; i++) {
                const FirewallPort port = net_firewall_port(member, &items[i]);

                firewall_put_port(net->firewall, &port, add);
        }
}

static void forget(Net *net, const Member *member, const JsonArray *ports) {
        const NetPort *items = ports->items;

        for (size_t i = 0; i < ports->count; i++) {
                const FirewallPort port = net_firewall_port(member, &items[i]);

                if (!port.open) /* nothing is translated */
                        reaper_forget(net->reaper, &port);
        }
}

/* The member has what is added, and nothing else; on failure, nothing. */
static int exchange(Net *net, Member *member, HeldPorts *kept, HeldPorts *removed, Error *err) {
        HeldPorts added = held_take(member);
        JsonArray came = { 0 };
        int r;

        put(net, member, &removed->ports, false);
        put(net, member, &added.ports, true);
        net_ports_copy(&added.ports, &came);
        held_move(&added, kept);
        held_give(kept, member);
        r = net_apply_queued(net, err);
        if (r == 0) {
                forget(net, member, &removed->ports);
                forget(net, member, &came);
        } else {
                HeldPorts undone = { 0 };

                added = held_take(member);
                part(&added, &came, &undone, kept);
                held_release(net, &undone);
                net_ports_done(&undone.ports);
        }
        net_ports_done(&came);
        return r;
}

/* Lock held. Another port may want what one of them gives up, so those go first. */
static int change(Net *net, Member *member, const JsonArray *wanted, Error *err) {
        HeldPorts all = held_take(member), kept = { 0 }, removed = { 0 };
        JsonArray added = { 0 };
        int r;

        part(&all, wanted, &kept, &removed);
        copy_new(wanted, &kept.ports, &added);
        held_release(net, &removed);
        r = take(net, member, &added, false, err);
        if (r == 0)
                r = exchange(net, member, &kept, &removed, err);
        if (r < 0) {
                take_back(net, member, &removed);
                all = held_take(member);
                held_move(&all, &kept);
                held_give(&kept, member);
                (void)net_apply(net, NULL); /* r tells what went wrong first */
        }
        net_ports_done(&removed.ports);
        return r;
}

int endpoint_publish(Net *net, const NetworkConfig *config, Endpoint *endpoint,
                     const JsonArray *ports, Error *err) {
        Network *network;
        Member *member;
        int r;

        net_lock(net);
        network = map_get(&net->networks, config->id);
        member = network ? map_get(&network->members, endpoint->container_id) : NULL;
        if (!member || !member->joined)
                r = error_kind(err, ERROR_CONFLICT, "container %.12s is not on network %s",
                               endpoint->container_id, config->name);
        else
                r = change(net, member, ports, err);
        if (member) {
                net_ports_done(&endpoint->ports);
                net_ports_copy(&member->endpoint.ports, &endpoint->ports);
        }
        net_unlock(net);
        return r;
}
