/* ipam.c: the addresses that are taken, sorted: of an IPv6 subnet no table could hold them all, and
 * where a run of taken addresses ends is found by halving. */
#include "net/ipam.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"

#define COOLING_TIME (10 * NSEC_PER_SEC)

typedef struct Cooling {
        IpNumber address;
        int64_t until;
} Cooling;

struct AddressPool {
        Subnet subnet;
        IpNumber first, last; /* what pool_take may give */
        IpNumber *used;       /* sorted: taken, or cooling */
        size_t used_count;
        Cooling *cooling; /* given back lately, in that order: a ring */
        size_t cooling_first, cooling_count, cooling_capacity;
};

/* ---- subnets ---- */

/* Docker's: 172.17.0.0/16 … 172.31.0.0/16, then 192.168.0.0/20 … 192.168.240.0/20. What is before
 * the first of them in its base is passed over. */
static const struct {
        SubnetSource source;
        uint32_t first;
} defaults[] = {
        { { { { 0xac100000, AF_INET }, 12 }, 16 }, 0xac110000 },
        { { { { 0xc0a80000, AF_INET }, 16 }, 20 }, 0xc0a80000 },
};

/* One that overlaps, or NULL. */
static const Subnet *find_overlap(Subnet subnet, const Subnet *taken, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (subnets_overlap(subnet, taken[i]))
                        return &taken[i];
        return NULL;
}

/* The first free one from `first` on. Behind one that is taken the search goes on at the larger
 * one's end, so it takes as many steps as are taken, not as there are subnets. */
static bool choose_from(const SubnetSource *source, IpNumber first, const Subnet *taken,
                        size_t count, Subnet *ret) {
        const IpNumber last = subnet_last(source->base);
        Subnet subnet = { { first, source->base.address.family }, source->prefix };

        for (;;) {
                const Subnet *in_the_way = find_overlap(subnet, taken, count);
                IpNumber end;

                if (!in_the_way) {
                        *ret = subnet;
                        return true;
                }
                end = MAX(subnet_last(subnet), subnet_last(*in_the_way));
                if (end >= last)
                        return false;
                /* Subnets begin at multiples of their size. */
                subnet.address.number = (end | subnet_host_mask(subnet)) + 1;
        }
}

static void choose_ipv6(const Subnet *taken, size_t count, Subnet *ret) {
        do {
                uint8_t bytes[IP_BYTES_MAX] = { 0xfd };

                random_bytes(bytes + 1, 5);
                *ret = (Subnet){ ip_from_bytes(AF_INET6, bytes), 64 };
        } while (find_overlap(*ret, taken, count));
}

int subnet_choose(int family, const SubnetSource *sources, size_t source_count, const Subnet *taken,
                  size_t count, Subnet *ret, Error *err) {
        bool any = false;

        for (size_t i = 0; i < source_count; i++) {
                const Subnet base = sources[i].base;

                if (base.address.family != family)
                        continue;
                any = true;
                if (choose_from(&sources[i], base.address.number, taken, count, ret))
                        return 0;
        }
        if (!any && family == AF_INET6) {
                choose_ipv6(taken, count, ret);
                return 0;
        }
        for (size_t i = 0; !any && i < ELEMENTS(defaults); i++)
                if (choose_from(&defaults[i].source, defaults[i].first, taken, count, ret))
                        return 0;
        return error_kind(err, ERROR_CONFLICT,
                          "all predefined address pools have been fully subnetted: "
                          "remove unused networks, or name a subnet with --subnet");
}

/* ---- a pool ---- */

AddressPool *pool_new(Subnet subnet, const Subnet *range) {
        AddressPool *pool = NEW(AddressPool);
        const Subnet *from = range ?: &subnet;

        pool->subnet = subnet;
        pool->first = from->address.number;
        pool->last = subnet_last(*from);
        /* IPv4: the network's own address and its broadcast are nobody's, but in /31 (RFC 3021) and
         * /32. IPv6: the first is the routers' anycast address (RFC 4291, 2.6.1), but in /127 (RFC
         * 6164) and /128. */
        if (subnet.prefix < ip_width(subnet.address.family) - 1) {
                pool->first = MAX(pool->first, subnet.address.number + 1);
                if (subnet.address.family == AF_INET)
                        pool->last = MIN(pool->last, subnet_last(subnet) - 1);
        }
        return pool;
}

AddressPool *pool_free(AddressPool *pool) {
        if (!pool)
                return NULL;
        free(pool->used);
        free(pool->cooling);
        free(pool);
        return NULL;
}

Subnet pool_subnet(const AddressPool *pool) {
        return pool->subnet;
}

/* ---- what is taken ---- */

/* Where address is, or would be. */
static size_t place_of(const AddressPool *pool, IpNumber address) {
        size_t low = 0, high = pool->used_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (pool->used[middle] < address)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static bool is_used(const AddressPool *pool, IpNumber address) {
        size_t place = place_of(pool, address);

        return place < pool->used_count && pool->used[place] == address;
}

static void use(AddressPool *pool, IpNumber address) {
        size_t place = place_of(pool, address);

        GROW(pool->used, pool->used_count);
        memmove(&pool->used[place + 1], &pool->used[place],
                (pool->used_count - place) * sizeof(*pool->used));
        pool->used[place] = address;
        pool->used_count++;
}

static void unuse(AddressPool *pool, IpNumber address) {
        size_t place = place_of(pool, address);

        if (place == pool->used_count || pool->used[place] != address)
                return;
        pool->used_count--;
        memmove(&pool->used[place], &pool->used[place + 1],
                (pool->used_count - place) * sizeof(*pool->used));
}

/* The lowest free address. From the place of `first` on, a run without a gap holds first + n at its
 * n-th place: what is behind the run does not. */
static bool find_free(const AddressPool *pool, IpNumber *ret) {
        size_t start = place_of(pool, pool->first), low = start, high = pool->used_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (pool->used[middle] - pool->first == middle - start)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret = pool->first + (low - start);
        /* It wraps to 0 behind the last address of all. */
        return pool->first <= pool->last && *ret >= pool->first && *ret <= pool->last;
}

static void thaw(AddressPool *pool) {
        unuse(pool, pool->cooling[pool->cooling_first].address);
        pool->cooling_first = (pool->cooling_first + 1) % pool->cooling_capacity;
        pool->cooling_count--;
}

int pool_take(AddressPool *pool, int64_t now, IpAddress *ret) {
        IpNumber found;

        while (pool->cooling_count && pool->cooling[pool->cooling_first].until <= now)
                thaw(pool);
        while (!find_free(pool, &found)) {
                if (pool->cooling_count == 0)
                        return -ENOSPC;
                thaw(pool);
        }
        use(pool, found);
        *ret = (IpAddress){ found, pool->subnet.address.family };
        return 0;
}

/* Takes an address out of the ring, if it is there. */
static bool claim_cooling(AddressPool *pool, IpNumber address) {
        size_t found = 0;

        while (found < pool->cooling_count &&
               pool->cooling[(pool->cooling_first + found) % pool->cooling_capacity].address !=
                       address)
                found++;
        if (found == pool->cooling_count)
                return false;
        for (size_t i = found; i + 1 < pool->cooling_count; i++)
                pool->cooling[(pool->cooling_first + i) % pool->cooling_capacity] =
                        pool->cooling[(pool->cooling_first + i + 1) % pool->cooling_capacity];
        pool->cooling_count--;
        return true;
}

int pool_claim(AddressPool *pool, IpAddress address) {
        if (!subnet_has(pool->subnet, address))
                return -ERANGE;
        if (!is_used(pool, address.number))
                use(pool, address.number);
        else if (!claim_cooling(pool, address.number))
                return -EADDRINUSE;
        return 0;
}

static void grow_ring(AddressPool *pool) {
        size_t capacity = MAX(pool->cooling_capacity * 2, (size_t)16);
        Cooling *ring = NEW_ARRAY(Cooling, capacity);

        for (size_t i = 0; i < pool->cooling_count; i++)
                ring[i] = pool->cooling[(pool->cooling_first + i) % pool->cooling_capacity];
        free(pool->cooling);
        pool->cooling = ring;
        pool->cooling_first = 0;
        pool->cooling_capacity = capacity;
}

void pool_give_back(AddressPool *pool, IpAddress address, bool was_used, int64_t now) {
        if (!subnet_has(pool->subnet, address))
                return;
        if (!was_used) {
                unuse(pool, address.number);
                return;
        }
        if (pool->cooling_count == pool->cooling_capacity)
                grow_ring(pool);
        pool->cooling[(pool->cooling_first + pool->cooling_count++) % pool->cooling_capacity] =
                (Cooling){ address.number, now + COOLING_TIME };
}
