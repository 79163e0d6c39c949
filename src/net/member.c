/* member.c: what an endpoint is given before it has a link: addresses, a MAC, host ports. */
#include <errno.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "net/options.h"
#include "net/state.h"
#include "os/rtnetlink.h"

const int net_families[NET_FAMILIES] = { AF_INET, AF_INET6 };

Member *member_free(Member *member) {
        if (!member)
                return NULL;
        for (size_t i = 0; i < member->held_count; i++)
                close_fd(&member->held[i]);
        free(member->held);
        close_fd(&member->netns_fd);
        json_done(&net_endpoint_table, &member->endpoint);
        free(member->namespace);
        pairs_done(&member->labels);
        free(member);
        return NULL;
}

/* ---- addresses ---- */

static int claim_wanted(Member *member, int family, const char *text, Error *err) {
        Network *network = member->network;
        IpAddress address;

        if (ip_parse(text, &address) < 0 || address.family != family)
                return error_kind(err, ERROR_INVALID, "invalid IPv%d address: %s",
                                  family == AF_INET ? 4 : 6, text);
        for (size_t i = 0; i < network->pool_count; i++) {
                int r = pool_claim(network->pools[i], address);

                if (r == -ERANGE)
                        continue;
                if (r < 0)
                        return error_kind(err, ERROR_FORBIDDEN, "Address already in use");
                member->places[net_family_index(family)] = (Place){ address, i };
                return 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "Invalid address %s: It does not belong to any of this network's subnets",
                          text);
}

static int take_any(Member *member, int family, Error *err) {
        Network *network = member->network;
        Place *place = &member->places[net_family_index(family)];

        for (size_t i = 0; i < network->pool_count; i++) {
                if (pool_subnet(network->pools[i]).address.family != family ||
                    pool_take(network->pools[i], clock_monotonic(), &place->address) < 0)
                        continue;
                place->pool = i;
                return 0;
        }
        return error_kind(err, ERROR_INTERNAL,
                          "no available IPv%d addresses on this network's address pools: %s (%s)",
                          family == AF_INET ? 4 : 6, network->config.name, network->config.id);
}

static void note_address(Member *member, size_t index) {
        const Place *place = &member->places[index];
        Endpoint *endpoint = &member->endpoint;
        char **address = index == NET_IPV4 ? &endpoint->address : &endpoint->address6;
        char text[IP_TEXT_MAX];

        ip_format(place->address, text);
        free(*address);
        *address =
                str_format("%s/%u", text, pool_subnet(member->network->pools[place->pool]).prefix);
        if (member->network->device_route || member->network->modes[index] == GATEWAY_ISOLATED)
                return; /* packets need none to leave, or do not */
        ip_format(member->network->exits[index].family ? member->network->exits[index]
                                                       : member->network->gateways[place->pool],
                  text);
        str_replace(index == NET_IPV4 ? &endpoint->gateway : &endpoint->gateway6, text);
}

static int take_addresses(Member *member, Error *err) {
        const char *const wanted[NET_FAMILIES] = { member->endpoint.wanted_address,
                                                   member->endpoint.wanted_address6 };

        for (size_t i = 0; i < NET_FAMILIES; i++) {
                const int family = net_families[i];
                int r = 0;

                if (!str_empty(wanted[i]))
                        r = claim_wanted(member, family, wanted[i], err);
                else if (network_has_family(member->network, family))
                        r = take_any(member, family, err);
                if (r < 0)
                        return r;
                if (member->places[i].address.family)
                        note_address(member, i);
        }
        return 0;
}

/* A MAC that follows from the address, so that one who held the address before leaves no stale
 * neighbour entries behind. */
static int choose_mac(Member *member, Error *err) {
        const Place *ipv4 = &member->places[NET_IPV4], *ipv6 = &member->places[NET_IPV6];
        Endpoint *endpoint = &member->endpoint;
        uint32_t address = (uint32_t)(ipv4->address.family ? ipv4 : ipv6)->address.number;
        unsigned b[MAC_LENGTH];
        char end;

        free(endpoint->mac);
        endpoint->mac = NULL;
        if (member->network->parents_mac)
                return str_empty(endpoint->wanted_mac)
                               ? 0
                               : error_kind(err, ERROR_INVALID,
                                            "%s interfaces do not support custom mac address "
                                            "assignment",
                                            member->network->driver->name);
        if (str_empty(endpoint->wanted_mac)) {
                endpoint->mac = str_format("02:42:%02x:%02x:%02x:%02x", address >> 24,
                                           address >> 16 & 255, address >> 8 & 255, address & 255);
                return 0;
        }
        if (strlen(endpoint->wanted_mac) != 17 ||
            sscanf(endpoint->wanted_mac, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3],
                   &b[4], &b[5], &end) != 6)
                return error_kind(err, ERROR_INVALID, "%s is not a valid mac address",
                                  endpoint->wanted_mac);
        if (b[0] & 1)
                return error_kind(err, ERROR_INVALID,
                                  "%s is a multicast address: no link can have it",
                                  endpoint->wanted_mac);
        endpoint->mac =
                str_format("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
        return 0;
}

/* ---- ports ---- */

void net_ports_done(JsonArray *ports) {
        while (ports->count)
                json_done(&net_port_table, (NetPort *)ports->items + --ports->count);
        free(ports->items);
        *ports = (JsonArray){ 0 };
}

void net_ports_copy(const JsonArray *from, JsonArray *to) {
        for (size_t i = 0; i < from->count; i++) {
                NetPort port = { 0 };

                json_copy(&net_port_table, (const NetPort *)from->items + i, &port);
                *(NetPort *)json_append(to, &net_port_table) = port;
        }
}

static NetPort *add_port(JsonArray *to, const NetPort *from, const char *host_ip) {
        NetPort port = { 0 }, *added;

        json_copy(&net_port_table, from, &port);
        str_replace(&port.host_ip, host_ip);
        if (str_empty(port.protocol))
                str_replace(&port.protocol, "tcp");
        added = json_append(to, &net_port_table);
        *added = port;
        return added;
}

/* Whether the endpoint's ports of that family are its own to publish, and not another endpoint's of
 * the container. */
static bool publishes(const Member *member, size_t family) {
        const bool carries[NET_FAMILIES] = { member->endpoint.default_gateway,
                                             member->endpoint.default_gateway6 };

        return member->places[family].address.family &&
               (carries[family] || (!carries[NET_IPV4] && !carries[NET_IPV6]));
}

static bool is_open_already(const JsonArray *ports, const NetPort *port, const char *host_ip) {
        const NetPort *items = ports->items;

        for (size_t i = 0; i < ports->count; i++)
                if (items[i].open && items[i].container_port == port->container_port &&
                    str_equal(items[i].protocol,
                              str_empty(port->protocol) ? "tcp" : port->protocol) &&
                    str_equal(items[i].host_ip, host_ip))
                        return true;
        return false;
}

/* Where the network is routed, its container is asked at its own address: the host has no port. */
static NetPort *add_of_family(const Member *member, size_t family, const NetPort *port,
                              const char *host_ip, JsonArray *to) {
        static const char *const any[NET_FAMILIES] = { "0.0.0.0", "::" };
        NetPort *added;

        if (member->network->modes[family] != GATEWAY_ROUTED)
                return add_port(to, port, host_ip);
        if (is_open_already(to, port, any[family]))
                return NULL;
        added = add_port(to, port, any[family]);
        added->open = true;
        added->host_port = added->host_port_end = 0;
        return NULL;
}

/* A port that names no host address is one of each family that the endpoint publishes. The
 * network's default may be an IPv4 address of the host: then it means that one alone. */
static void add_everywhere(const Member *member, const NetPort *port, JsonArray *to) {
        const char *ipv4 = member->network->default_host_ip;
        const bool has_ipv4 = publishes(member, NET_IPV4);
        const bool has_ipv6 = publishes(member, NET_IPV6);

        const bool first = has_ipv4 && add_of_family(member, NET_IPV4, port, ipv4, to) != NULL;
        NetPort *second = NULL;

        if (has_ipv6 && (!has_ipv4 || str_equal(ipv4, "0.0.0.0")))
                second = add_of_family(member, NET_IPV6, port, "::", to);
        if (second)
                second->twin = first;
}

static int check_port(const Member *member, const NetPort *port, Error *err) {
        IpAddress address;

        if (port->container_port < 1 || port->container_port > 65535)
                return error_kind(err, ERROR_INVALID, "invalid container port %d",
                                  (int)port->container_port);
        if (str_empty(port->host_ip))
                return 0;
        if (ip_parse(port->host_ip, &address) < 0)
                return error_kind(err, ERROR_INVALID, "invalid IP address %s", port->host_ip);
        if (member->places[net_family_index(address.family)].address.family)
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "publish on %s: network %s gives its containers no IPv%d address to "
                          "forward to: create it with %s",
                          port->host_ip, member->network->config.name,
                          address.family == AF_INET ? 4 : 6,
                          address.family == AF_INET ? "--ipv4" : "--ipv6");
}

static void add_one(const Member *member, const NetPort *port, JsonArray *to) {
        const size_t family = strchr(port->host_ip, ':') ? NET_IPV6 : NET_IPV4;

        (void)add_of_family(member, family, port, port->host_ip, to);
}

static int expand_ports(Member *member, Error *err) {
        const NetPort *ports = member->endpoint.ports.items;
        JsonArray expanded = { 0 };

        for (size_t i = 0; i < member->endpoint.ports.count; i++) {
                int r = check_port(member, &ports[i], err);

                if (r < 0) {
                        net_ports_done(&expanded);
                        return r;
                }
                if (str_empty(ports[i].host_ip))
                        add_everywhere(member, &ports[i], &expanded);
                else
                        add_one(member, &ports[i], &expanded);
        }
        net_ports_done(&member->endpoint.ports);
        member->endpoint.ports = expanded;
        return 0;
}

static bool is_certain(const NetPort *port) {
        return port->host_port > 0 && port->host_port_end <= port->host_port;
}

/* A port that could not be held, and its twin. False: one of them is not
 * certain, or another endpoint's. */
static bool publish_anyway(Net *net, Member *member, size_t count) {
        NetPort *ports = (NetPort *)member->endpoint.ports.items + member->held_count;

        for (size_t i = 0; i < count; i++) {
                int *fd = &member->held[member->held_count];
                Error err = { 0 };

                if (!is_certain(&ports[i]) || ports_have(net->ports, &ports[i]))
                        return false;
                *fd = -1;
                if (ports_hold(net->ports, &ports[i], 1, fd, &err) < 0) {
                        *fd = -1;
                        ports_note(net->ports, &ports[i]);
                        log_warn("container %.12s: %s", member->endpoint.container_id, err.message);
                }
                member->held_count++;
        }
        return true;
}

static int hold_ports(Net *net, Member *member, Error *err) {
        NetPort *ports = member->endpoint.ports.items;
        size_t count = member->endpoint.ports.count;

        member->held = NEW_ARRAY(int, count);
        while (member->held_count < count) {
                size_t at = member->held_count;
                size_t group = at + 1 < count && ports[at + 1].twin ? 2 : 1;
                int r = 0;

                member->held[at] = -1;
                if (!ports[at].open)
                        r = ports_hold(net->ports, &ports[at], group, &member->held[at], err);
                if ((r == -EADDRINUSE || r == -EADDRNOTAVAIL) && member->endpoint.insists &&
                    publish_anyway(net, member, group))
                        continue;
                if (r < 0)
                        return r;
                member->held_count += group;
        }
        return 0;
}

/* ---- link ---- */

void member_name_link(Member *member) {
        unsigned char digits[4];
        char text[2 * sizeof(digits) + 1];

        if (!member->network->driver->routed || !str_empty(member->endpoint.host_link))
                return;
        random_bytes(digits, sizeof(digits));
        hex_encode(digits, sizeof(digits), text);
        free(member->endpoint.host_link);
        member->endpoint.host_link = str_format("veth%.7s", text);
}

/* ---- publishing ---- */

/* An internal network publishes nothing, nor does one that is not this host's, as in Docker. */
static bool can_publish(const Member *member) {
        const Network *network = member->network;

        if (!network->driver->routed && member->endpoint.ports.count)
                log_warn("container %.12s: network %s is of the driver %s, whose containers have "
                         "addresses on the LAN: its ports are not published on the host",
                         member->endpoint.container_id, network->config.name,
                         network->driver->name);
        return member_speaks_out(member);
}

int member_take_ports(Net *net, Member *member, Error *err) {
        int r;

        if (!can_publish(member))
                net_ports_done(&member->endpoint.ports);
        r = expand_ports(member, err);
        if (r == 0)
                r = hold_ports(net, member, err);
        if (r < 0) {
                member_release_ports(net, member);
                net_ports_done(&member->endpoint.ports);
        }
        return r;
}

void member_release_ports(Net *net, Member *member) {
        const NetPort *ports = member->endpoint.ports.items;

        for (size_t i = 0; i < member->held_count; i++)
                if (!ports[i].open)
                        ports_release(net->ports, &ports[i], member->held[i]);
        member->held_count = 0;
        free(member->held);
        member->held = NULL;
}

/* ---- all ---- */

static int take_all(Net *net, Member *member, Error *err) {
        int r = endpoint_options_check(&member->endpoint, err);

        if (r == 0)
                r = take_addresses(member, err);
        if (r == 0)
                r = choose_mac(member, err);
        return r < 0 ? r : member_take_ports(net, member, err);
}

int member_new(Net *net, Network *network, const Endpoint *endpoint, Member **ret, Error *err) {
        Member *member = NEW(Member);
        int r = 0;

        member->network = network;
        member->netns_fd = -1;
        json_copy(&net_endpoint_table, endpoint, &member->endpoint);
        member->endpoint.insists = endpoint->insists;
        member->namespace = str_copy(endpoint->namespace);
        if (endpoint->labels)
                pairs_copy(&member->labels, endpoint->labels);
        if (network->driver->addresses)
                r = take_all(net, member, err);
        if (r < 0) {
                member_release(net, member);
                member_free(member);
                return r;
        }
        *ret = member;
        return 0;
}

void member_release(Net *net, Member *member) {
        member_release_ports(net, member);
        for (size_t i = 0; i < NET_FAMILIES; i++) {
                Place *place = &member->places[i];

                if (place->address.family)
                        pool_give_back(member->network->pools[place->pool], place->address,
                                       member->joined, clock_monotonic());
                *place = (Place){ 0 };
        }
}
