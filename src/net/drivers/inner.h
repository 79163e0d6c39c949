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
/* The namespace's sysctls of IPv6's links, while an endpoint's link is made in it. */
typedef struct InnerSettings {
        int conf_fd;    /* the directory; -1: the kernel has no IPv6 */
        int default_fd; /* disable_ipv6 of links to come, while it is not what it was */
        char was;
        bool expected; /* the link was made with IPv6, or without, as its endpoint needs it */
} InnerSettings;

/* Of the namespace that the calling thread is in. */
int inner_settings_open(InnerSettings *settings, Error *err);
void inner_settings_close(InnerSettings *settings);
#define _cleanup_settings_ _cleanup_(inner_settings_close)

/* Before and after the link is made: it has IPv6 from the start only where the endpoint has. */
int inner_expect(InnerSettings *settings, const Endpoint *endpoint, Error *err);
int inner_expected(InnerSettings *settings, Error *err);
/* Sysctls, addresses, up, default routes. The calling thread is in the container's namespace. */
int inner_configure(const Member *member, Rtnl *inner, const char *link,
                    const InnerSettings *settings, Error *err);
/* NetDriver.route. */
int inner_route(const Member *member, int netns_fd, Error *err);
