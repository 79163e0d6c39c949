/* inner.h: the container's side of an endpoint, whatever its link is: its name, addresses and
 * routes. Knows nothing of what the link leads to. */
#pragma once

#include "net/state.h"
#include "os/rtnetlink.h"

/* "02:42:ac:1c:00:02" */
int inner_parse_mac(const char *text, uint8_t ret[MAC_LENGTH], Error *err);

/* The name that the link is to have: what it had, what the endpoint asks for, or the first free one
 * of prefix and number. inner: a socket of the container's namespace. */
int inner_choose_name(Net *net, const Member *member, Rtnl *inner, char ret[IFNAMSIZ], Error *err);
/* Before and after the link is made in the namespace that the calling thread is in: it has IPv6
 * from the start only where the endpoint has. *ret_was is for the second call. */
int inner_expect(const Endpoint *endpoint, char *ret_was, Error *err);
int inner_expected(char was, Error *err);
/* Sysctls, addresses, up, default routes. The calling thread is in the container's namespace. */
int inner_configure(const Member *member, Rtnl *inner, const char *link, Error *err);
/* NetDriver.route. */
int inner_route(const Member *member, int netns_fd, Error *err);
