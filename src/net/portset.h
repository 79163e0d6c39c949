/* portset.h: sets of ports of TCP, UDP and SCTP, as ranges. Knows no policy. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PortRange {
        uint8_t protocol; /* IPPROTO_* */
        uint16_t first, last;
} PortRange;

/* Sorted, and no two ranges touch. */
typedef struct PortSet {
        bool all; /* every port of every protocol, and protocols without ports */
        PortRange *ranges;
        size_t count;
} PortSet;

void port_set_done(PortSet *set);
void port_set_add(PortSet *set, PortRange range);
void port_set_add_all(PortSet *set); /* everything */
void port_set_unite(PortSet *set, const PortSet *with);
/* What both have; *ret must be zeroed. */
void port_set_intersect(const PortSet *a, const PortSet *b, PortSet *ret);
bool port_set_has(const PortSet *set, uint8_t protocol, uint16_t port);
bool port_set_equal(const PortSet *a, const PortSet *b);
static inline bool port_set_empty(const PortSet *set) {
        return !set->all && set->count == 0;
}
