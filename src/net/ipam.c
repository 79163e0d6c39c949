/* ipam.c: one bit an address. A /8 has two megabytes of them, of which the kernel maps only the
 * pages that are touched. */
#include "net/ipam.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"

#define COOLING_TIME (10 * NSEC_PER_SEC)

typedef struct Cooling {
        uint32_t address;
        int64_t until;
} Cooling;

struct AddressPool {
        Subnet subnet;
        uint32_t first, last; /* what pool_take may give */
        uint64_t *used;       /* bit n: subnet.address + n is taken, or cooling */
        Cooling *cooling;     /* given back lately, in that order: a ring */
        size_t cooling_first, cooling_count, cooling_capacity;
};

/* ---- text ---- */

int ipv4_parse(const char *text, uint32_t *ret) {
        struct in_addr address;

        if (!text || inet_pton(AF_INET, text, &address) != 1)
                return -EINVAL;
        *ret = ntohl(address.s_addr);
        return 0;
}

void ipv4_format(uint32_t address, char text[IPV4_TEXT_MAX]) {
        (void)snprintf(text, IPV4_TEXT_MAX, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                       address >> 8 & 255, address & 255);
}

void subnet_format(Subnet subnet, char text[IPV4_TEXT_MAX]) {
        size_t used;

        ipv4_format(subnet.address, text);
        used = strlen(text);
        (void)snprintf(text + used, IPV4_TEXT_MAX - used, "/%u", subnet.prefix);
}

static uint32_t host_mask(unsigned prefix) {
        return prefix == 0 ? UINT32_MAX : prefix >= 32 ? 0 : UINT32_MAX >> prefix;
}

int cidr_parse(const char *text, Subnet *ret) {
        const char *slash = strchr(text, '/');
        _cleanup_free_ char *address_text = slash ? str_copy_n(text, (size_t)(slash - text)) : NULL;
        uint32_t address;
        int prefix;

        if (!slash || ipv4_parse(address_text, &address) < 0 ||
            str_to_int_in(slash + 1, 1, 32, &prefix) < 0)
                return -EINVAL;
        *ret = (Subnet){ address & ~host_mask((unsigned)prefix), (unsigned)prefix };
        return ret->address == address ? 0 : -ERANGE;
}

int subnet_parse(const char *text, Subnet *ret, Error *err) {
        char right[IPV4_TEXT_MAX];

        if (strchr(text, ':'))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "subnet %s: IPv6 networks are not supported yet, leave it out",
                                  text);
        switch (cidr_parse(text, ret)) {
        case 0:
                return 0;
        case -ERANGE:
                subnet_format(*ret, right);
                return error_kind(err, ERROR_INVALID, "invalid subnet %s: it should be %s", text,
                                  right);
        default:
                return error_kind(err, ERROR_INVALID,
                                  "Invalid subnet %s : invalid CIDR address: %s", text, text);
        }
}

/* ---- subnets ---- */

uint32_t subnet_last(Subnet subnet) {
        return subnet.address | host_mask(subnet.prefix);
}

bool subnet_has(Subnet subnet, uint32_t address) {
        return address >= subnet.address && address <= subnet_last(subnet);
}

bool subnets_overlap(Subnet a, Subnet b) {
        return subnet_has(a, b.address) || subnet_has(b, a.address);
}

/* Docker's defaults: `count` subnets, one behind the other. */
static const struct {
        Subnet first;
        uint32_t count;
} defaults[] = {
        { { 0xac110000, 16 }, 15 }, /* 172.17.0.0/16 … 172.31.0.0/16 */
        { { 0xc0a80000, 20 }, 16 }, /* 192.168.0.0/20 … 192.168.240.0/20 */
};

static bool is_taken(Subnet subnet, const Subnet *taken, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (subnets_overlap(subnet, taken[i]))
                        return true;
        return false;
}

int subnet_choose(const Subnet *taken, size_t count, Subnet *ret, Error *err) {
        for (size_t i = 0; i < ELEMENTS(defaults); i++) {
                Subnet subnet = defaults[i].first;

                for (uint32_t n = 0; n < defaults[i].count; n++) {
                        if (!is_taken(subnet, taken, count)) {
                                *ret = subnet;
                                return 0;
                        }
                        subnet.address = subnet_last(subnet) + 1;
                }
        }
        return error_kind(err, ERROR_CONFLICT,
                          "all predefined address pools have been fully subnetted: "
                          "remove unused networks, or name a subnet with --subnet");
}

/* ---- addresses ---- */

AddressPool *pool_new(Subnet subnet, const Subnet *range) {
        AddressPool *pool = NEW(AddressPool);
        uint64_t size = (uint64_t)host_mask(subnet.prefix) + 1;

        pool->subnet = subnet;
        pool->used = NEW_ARRAY(uint64_t, (size + 63) / 64);
        pool->first = range ? range->address : subnet.address;
        pool->last = range ? subnet_last(*range) : subnet_last(subnet);
        /* The network's own address and its broadcast are nobody's, but in /31 (RFC 3021) and /32.
         */
        if (subnet.prefix < 31) {
                pool->first = MAX(pool->first, subnet.address + 1);
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

static uint64_t *word_of(const AddressPool *pool, uint32_t address, uint64_t *ret_bit) {
        uint32_t offset = address - pool->subnet.address;

        *ret_bit = 1ull << (offset & 63);
        return &pool->used[offset / 64];
}

static void thaw(AddressPool *pool) {
        uint64_t bit, *word = word_of(pool, pool->cooling[pool->cooling_first].address, &bit);

        *word &= ~bit;
        pool->cooling_first = (pool->cooling_first + 1) % pool->cooling_capacity;
        pool->cooling_count--;
}

static bool find_free(AddressPool *pool, uint32_t *ret) {
        uint32_t address = pool->first;

        /* `address` may wrap to 0 behind 255.255.255.255. */
        while (address >= pool->first && address <= pool->last) {
                uint64_t bit, *word = word_of(pool, address, &bit);

                if (*word == UINT64_MAX) {
                        address += 64 - ((address - pool->subnet.address) & 63);
                } else if (!(*word & bit)) {
                        *word |= bit;
                        *ret = address;
                        return true;
                } else {
                        address++;
                }
        }
        return false;
}

int pool_take(AddressPool *pool, int64_t now, uint32_t *ret) {
        while (pool->cooling_count && pool->cooling[pool->cooling_first].until <= now)
                thaw(pool);
        while (!find_free(pool, ret)) {
                if (pool->cooling_count == 0)
                        return -ENOSPC;
                thaw(pool);
        }
        return 0;
}

/* Takes an address out of the ring, if it is there. */
static bool claim_cooling(AddressPool *pool, uint32_t address) {
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

int pool_claim(AddressPool *pool, uint32_t address) {
        uint64_t bit, *word;

        if (!subnet_has(pool->subnet, address))
                return -ERANGE;
        word = word_of(pool, address, &bit);
        if ((*word & bit) && !claim_cooling(pool, address))
                return -EADDRINUSE;
        *word |= bit;
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

void pool_give_back(AddressPool *pool, uint32_t address, bool was_used, int64_t now) {
        uint64_t bit, *word;

        if (!subnet_has(pool->subnet, address))
                return;
        if (!was_used) {
                word = word_of(pool, address, &bit);
                *word &= ~bit;
                return;
        }
        if (pool->cooling_count == pool->cooling_capacity)
                grow_ring(pool);
        pool->cooling[(pool->cooling_first + pool->cooling_count++) % pool->cooling_capacity] =
                (Cooling){ address, now + COOLING_TIME };
}
