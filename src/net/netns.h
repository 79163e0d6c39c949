/* netns.h: visits to other network namespaces. */
#pragma once

#include "base/cleanup.h"
#include "net/net.h"

/* Takes the calling thread into netns_fd. *ret_home is where it came from: give it to
 * netns_return, which never fails to bring it back. */
int netns_enter(int netns_fd, int *ret_home, Error *err);
void netns_return(int *home);
#define _cleanup_netns_ _cleanup_(netns_return)

/* Writes a sysctl of the calling thread's namespace: "ipv4/conf/eth0/arp_notify". A kernel without
 * that key is success if it is below ipv6/. */
int sysctl_write(const char *path, const char *value, Error *err);
/* The same of a path below the directory, of IPv6's. */
int sysctl_write_at(int dir_fd, const char *path, const char *value, Error *err);
/* The same for a key of one interface: family "ipv4", key "arp_notify". */
int sysctl_write_link(const char *family, const char *link, const char *key, const char *value,
                      Error *err);
/* The first character of a sysctl, NUL where the kernel has none of that name. */
char sysctl_read(const char *path);

/* Where these are '1', br_netfilter shows the firewall what stays within a bridge. */
#define BRIDGE_NETFILTER "bridge/bridge-nf-call-iptables"
#define BRIDGE_NETFILTER6 "bridge/bridge-nf-call-ip6tables"
