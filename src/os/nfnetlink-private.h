/* nfnetlink-private.h: what nfnetlink-watch.c needs to know of a transaction's socket. */
#pragma once

#include "os/nfnetlink.h"

/* A bound netfilter socket; flags: SOCK_NONBLOCK or 0. */
int nft_socket(int flags, int *ret_fd, Error *err);
/* Its netlink address, by which the kernel tells in notices whose change it was. */
uint32_t nft_port(const Nft *nft);
/* The name of its table; borrowed. */
const char *nft_table(const Nft *nft);
