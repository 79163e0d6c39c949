/* member.c: what an endpoint is given before it has a link: an address, a MAC, host ports. */
#include <errno.h>

#include "base/clock.h"
#include "net/state.h"
#include "os/rtnetlink.h"

Member *member_free(Member *member) {
        if (!member)
                return NULL;
        for (size_t i = 0; i < member->held_count; i++)
                close_fd(&member->held[i]);
        free(member->held);
        json_done(&net_endpoint_table, &member->endpoint);
        free(member);
        return NULL;
}

/* ---- address ---- */

static int claim_wanted(Member *member, const char *text, Error *err) {
        Network *network = member->network;
        uint32_t address;

        if (ipv4_parse(text, &address) < 0)
                return error_kind(err, ERROR_INVALID, "invalid IPv4 address: %s", text);
        for (size_t i = 0; i < network->pool_count; i++) {
                int r = pool_claim(network->pools[i], address);

                if (r == -ERANGE)
                        continue;
                if (r < 0)
                        return error_kind(err, ERROR_FORBIDDEN, "Address already in use");
                member->address = address;
                member->pool = i;
                return 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "Invalid address %s: It does not belong to any of this network's subnets",
                          text);
}

static int take_any(Member *member, Error *err) {
        Network *network = member->network;

        for (size_t i = 0; i < network->pool_count; i++) {
                if (pool_take(network->pools[i], clock_monotonic(), &member->address) < 0)
                        continue;
                member->pool = i;
                return 0;
        }
        return error_kind(err, ERROR_INTERNAL,
                          "no available IPv4 addresses on this network's address pools: %s (%s)",
                          network->config.name, network->config.id);
}

static void note_address(Member *member) {
        Subnet subnet = pool_subnet(member->network->pools[member->pool]);
        Endpoint *endpoint = &member->endpoint;
        char text[IPV4_TEXT_MAX];

        ipv4_format(member->address, text);
        free(endpoint->address);
        endpoint->address = str_format("%s/%u", text, subnet.prefix);
        ipv4_format(member->network->gateways[member->pool], text);
        str_replace(&endpoint->gateway, text);
}

/* A MAC that follows from the address, so that one who held the address before leaves no stale
 * neighbour entries behind. */
static int choose_mac(Member *member, Error *err) {
        Endpoint *endpoint = &member->endpoint;
        uint32_t address = member->address;
        unsigned b[MAC_LENGTH];
        char end;

        free(endpoint->mac);
        endpoint->mac = NULL;
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

static int hold_ports(Net *net, Member *member, Error *err) {
        NetPort *ports = member->endpoint.ports.items;
        size_t count = member->endpoint.ports.count;

        member->held = NEW_ARRAY(int, count);
        for (size_t i = 0; i < count; i++) {
                int r;

                if (ports[i].container_port < 1 || ports[i].container_port > 65535)
                        return error_kind(err, ERROR_INVALID, "invalid container port %d",
                                          (int)ports[i].container_port);
                r = ports_hold(net->ports, &ports[i], member->network->default_host_ip,
                               &member->held[i], err);
                if (r < 0)
                        return r;
                member->held_count++;
        }
        return 0;
}

/* ---- both ---- */

int member_new(Net *net, Network *network, const Endpoint *endpoint, Member **ret, Error *err) {
        Member *member = NEW(Member);
        int r = 0;

        member->network = network;
        json_copy(&net_endpoint_table, endpoint, &member->endpoint);
        if (network->driver->addresses) {
                r = str_empty(endpoint->wanted_address)
                            ? take_any(member, err)
                            : claim_wanted(member, endpoint->wanted_address, err);
                if (r == 0) {
                        note_address(member);
                        r = choose_mac(member, err);
                }
                /* An internal network publishes nothing, as in Docker. */
                if (network->config.internal)
                        while (member->endpoint.ports.count)
                                json_done(&net_port_table, (NetPort *)member->endpoint.ports.items +
                                                                   --member->endpoint.ports.count);
                if (r == 0)
                        r = hold_ports(net, member, err);
        }
        if (r < 0) {
                member_release(net, member);
                member_free(member);
                return r;
        }
        *ret = member;
        return 0;
}

void member_release(Net *net, Member *member) {
        NetPort *ports = member->endpoint.ports.items;

        for (size_t i = 0; i < member->held_count; i++) {
                ports_release(net->ports, &ports[i], member->held[i]);
                member->held[i] = -1;
        }
        member->held_count = 0;
        if (member->address)
                pool_give_back(member->network->pools[member->pool], member->address,
                               member->joined, clock_monotonic());
        member->address = 0;
}
