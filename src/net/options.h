/* options.h: the values of networks' and endpoints' options, in Docker's words. Touches the kernel
 * in endpoint_options_apply only. */
#pragma once

#include "base/ip.h"
#include "net/net.h"

/* "true", "0", "T" … */
int option_bool(const char *name, const char *value, bool *ret, Error *err);
/* A link's name of at most `longest` characters. what: the option, or what else the user calls it.
 */
int option_link_name(const char *what, const char *value, size_t longest, Error *err);
/* 0: the kernel's choice. */
int option_mtu(const char *name, const char *value, unsigned *ret, Error *err);

#define ENDPOINT_OPTION "com.docker.network.endpoint."

/* Refuses what endpoint_options_apply could not do for any link. */
int endpoint_options_check(const Endpoint *endpoint, Error *err);
/* Reads one of endpoint->link_local with the prefix length that Docker gives it: /16, /64. */
int endpoint_link_local(const char *text, Subnet *ret, Error *err);
/* The name that the link in the container is to have, or NULL. */
const char *endpoint_options_link(const Endpoint *endpoint);
bool endpoint_has_sysctls(const Endpoint *endpoint);
/* Writes the sysctls that the endpoint asks for its link, in the calling thread's namespace. */
int endpoint_options_apply(const Endpoint *endpoint, const char *link, Error *err);
