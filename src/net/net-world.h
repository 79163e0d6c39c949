/* net-world.h: a Net in a network namespace of this process's own, and what to put on it: for the
 * tests of single files, without packets. */
#pragma once

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/test.h"
#include "net/netns.h"
#include "net/state.h"
#include "net/test-namespace.h"
#include "os/rtnetlink.h"

typedef struct World {
        Loop *loop;
        Net *net;
        Rtnl *rtnl;
} World;

static inline int world_new(World *world, Error *err) {
        int r = loop_new(&world->loop, err);

        if (r == 0)
                r = net_new(world->loop, &world->net, err);
        return r < 0 ? r : rtnl_open(&world->rtnl, err);
}

static inline void world_done(World *world) {
        Error err = { 0 };

        if (world->net && net_destroy_all(world->net, &err) < 0)
                printf("# %s\n", err.message);
        net_free(world->net);
        loop_free(world->loop);
        rtnl_close(world->rtnl);
}
#define _cleanup_world_ _cleanup_(world_done)

static inline void free_config(NetworkConfig *config) {
        json_done(&net_config_table, config);
}
#define _cleanup_config_ _cleanup_(free_config)

static inline void free_endpoint(Endpoint *endpoint) {
        json_done(&net_endpoint_table, endpoint);
}
#define _cleanup_endpoint_ _cleanup_(free_endpoint)

static inline IpAddress ip(const char *text) {
        IpAddress address;

        if (ip_parse(text, &address) < 0)
                abort();
        return address;
}

static inline NetworkConfig config_of(const char *subnet, const char *option, const char *value) {
        NetworkConfig config = { .driver = str_copy("bridge"), .name = str_copy("n") };
        char id[ID_LENGTH + 1];

        id_new(id);
        config.id = str_copy(id);
        if (subnet)
                ((NetPool *)json_append(&config.pools, &net_pool_table))->subnet = str_copy(subnet);
        if (option)
                pairs_put(&config.options, option, value);
        return config;
}

static inline Endpoint endpoint_of(const char *port) {
        char id[ID_LENGTH + 1];
        Endpoint endpoint = { 0 };

        id_new(id);
        endpoint.container_id = str_copy(id);
        endpoint.container_name = str_copy("c");
        if (port)
                (void)port_spec_parse(port, &endpoint.ports, NULL);
        return endpoint;
}
