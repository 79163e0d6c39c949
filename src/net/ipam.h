/* ipam.h: hands out subnets and addresses of both families; knows nothing of links or networks. Not
 * thread-safe: net's lock guards it. */
#pragma once

#include "base/cleanup.h"
#include "base/ip.h"

/* Where subnets of networks that name none come from: base, cut into subnets of that prefix. */
typedef struct SubnetSource {
        Subnet base;
        unsigned prefix;
} SubnetSource;

/* The first subnet of the sources that overlaps none of `taken`. Without sources of that family,
 * IPv4: Docker's defaults (172.17.0.0/16 … 172.31.0.0/16, then 192.168.0.0/16 in /20s); IPv6: a /64
 * of a unique local prefix with a random global identifier (RFC 4193, 3.2). */
int subnet_choose(int family, const SubnetSource *sources, size_t source_count, const Subnet *taken,
                  size_t count, Subnet *ret, Error *err);

/* The addresses of one subnet: the lowest free one first, but one that was given back lately last
 * of all, as neighbours may still hold its old owner's state. */
typedef struct AddressPool AddressPool;

/* range: addresses are taken from there only (--ip-range); NULL for the whole subnet. */
AddressPool *pool_new(Subnet subnet, const Subnet *range);
AddressPool *pool_free(AddressPool *pool);
DEFINE_CLEANUP(AddressPool *, pool_free)

Subnet pool_subnet(const AddressPool *pool);
/* now: clock_monotonic. -ENOSPC if the pool is exhausted. */
int pool_take(AddressPool *pool, int64_t now, IpAddress *ret);
/* One certain address. -EADDRINUSE, or -ERANGE if it is not the subnet's. */
int pool_claim(AddressPool *pool, IpAddress address);
/* was_used: somebody had it, so it is left alone for a while if there are others. */
void pool_give_back(AddressPool *pool, IpAddress address, bool was_used, int64_t now);
