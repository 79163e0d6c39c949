/* network-mode.h: HostConfig.NetworkMode. Inside engine only. */
#pragma once

#include "engine/container.h"

/* HostConfig.NetworkMode: "bridge", "host", "none", "container:<id>", or a network's name
 * ("default" and "" become "bridge"). */
const char *container_network_mode(const Container *container);

/* Whether mode names a network that a user made. */
bool network_mode_is_user(const char *mode);

/* network-mode.c: at create, what cannot go together, in Docker's words. */
int network_mode_check(const ContainerCreate *create, Error *err);
/* The container whose network namespace this one joins (container:x), a new reference; NULL in *ret
 * if it has its own. */
int container_network_owner(Container *container, Container **ret, Error *err);
