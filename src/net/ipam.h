/* ipam.h: hands out subnets and IPv4 addresses; knows nothing of links or networks. Addresses are
 * in host byte order here. Not thread-safe: net's lock guards it. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

typedef struct Subnet {
        uint32_t address; /* the network's own, host bits 0 */
        unsigned prefix;
} Subnet;

#define IPV4_TEXT_MAX 20 /* "255.255.255.255/32" and a NUL */

/* "172.28.0.0/16". -EINVAL for what is no such text; -ERANGE, with *ret what it should be, for an
 * address with host bits. */
int cidr_parse(const char *text, Subnet *ret);
/* The same with Docker's words for what is refused, IPv6 too. */
int subnet_parse(const char *text, Subnet *ret, Error *err);
void subnet_format(Subnet subnet, char text[IPV4_TEXT_MAX]);
uint32_t subnet_last(Subnet subnet);
bool subnet_has(Subnet subnet, uint32_t address);
bool subnets_overlap(Subnet a, Subnet b);

int ipv4_parse(const char *text, uint32_t *ret); /* -EINVAL */
void ipv4_format(uint32_t address, char text[IPV4_TEXT_MAX]);

/* The first of Docker's default pools (172.17.0.0/16 … 172.31.0.0/16, then 192.168.0.0/16 in
 * /20s) that overlaps none of `taken`. */
int subnet_choose(const Subnet *taken, size_t count, Subnet *ret, Error *err);

/* The addresses of one subnet: the lowest free one first, but one that was given back lately last
 * of all, as neighbours may still hold its old owner's state. */
typedef struct AddressPool AddressPool;

/* range: addresses are taken from there only (--ip-range); NULL for the whole subnet. */
AddressPool *pool_new(Subnet subnet, const Subnet *range);
AddressPool *pool_free(AddressPool *pool);
DEFINE_CLEANUP(AddressPool *, pool_free)

Subnet pool_subnet(const AddressPool *pool);
/* now: clock_monotonic. -ENOSPC if the pool is exhausted. */
int pool_take(AddressPool *pool, int64_t now, uint32_t *ret);
/* One certain address. -EADDRINUSE, or -ERANGE if it is not the subnet's. */
int pool_claim(AddressPool *pool, uint32_t address);
/* was_used: somebody had it, so it is left alone for a while if there are others. */
void pool_give_back(AddressPool *pool, uint32_t address, bool was_used, int64_t now);
