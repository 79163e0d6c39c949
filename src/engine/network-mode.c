/* network-mode.c: HostConfig.NetworkMode: what it means, and what cannot be asked for beside it. */
#include "engine/network-mode.h"
#include "engine/engine-private.h"

const char *container_network_mode(const Container *container) {
        const char *mode = container->spec.host.network_mode;

        if (str_empty(mode) || str_equal(mode, "default"))
                return str_equal(container->engine->options.bridge.link, "none") ? "none"
                                                                                 : "bridge";
        return mode;
}

bool network_mode_is_user(const char *mode) {
        return !str_equal(mode, "bridge") && !str_equal(mode, "host") && !str_equal(mode, "none") &&
               !str_after(mode, "container:");
}

#define CONFLICT(...) error_kind(err, ERROR_INVALID, "conflicting options: " __VA_ARGS__)

/* A container in another's network namespace has that one's name, addresses and ports. */
static int joined_check(const ContainerCreate *create, Error *err) {
        const HostConfig *host = &create->host;

        if (!str_empty(create->config.hostname))
                return CONFLICT("hostname and the network mode");
        if (host->links)
                return CONFLICT(
                        "container type network can't be used with links. This would result "
                        "in undefined behavior");
        if (host->dns)
                return CONFLICT("dns and the network mode");
        if (host->extra_hosts)
                return CONFLICT("custom host-to-IP mapping and the network mode");
        if (!str_empty(create->config.mac_address))
                return CONFLICT("mac-address and the network mode");
        if (host->port_bindings.count > 0 || host->publish_all_ports)
                return CONFLICT("port publishing and the container type network mode");
        if (create->config.exposed_ports)
                return CONFLICT("port exposing and the container type network mode");
        return 0;
}

int network_mode_check(const ContainerCreate *create, Error *err) {
        const char *mode = create->host.network_mode;
        const char *other = mode ? str_after(mode, "container:") : NULL;

        if (mode && str_equal(mode, "container"))
                return error_kind(
                        err, ERROR_INVALID,
                        "Invalid network mode: invalid container format container:<name|id>");
        if (!other)
                return 0;
        if (!*other)
                return error_kind(
                        err, ERROR_INVALID,
                        "Invalid network mode: invalid container format container:<name|id>");
        return joined_check(create, err);
}
