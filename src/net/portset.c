/* portset.c: see portset.h. */
#include "net/portset.h"

#include <string.h>

#include "base/alloc.h"
#include "base/macro.h"

void port_set_done(PortSet *set) {
        free(set->ranges);
        *set = (PortSet){ 0 };
}

/* One number that orders by protocol, then port; the next port is the next number. */
static uint32_t at(uint8_t protocol, uint16_t port) {
        return (uint32_t)protocol << 16 | port;
}

static bool touches(PortRange a, PortRange b) {
        return a.protocol == b.protocol && a.first <= (uint32_t)b.last + 1 &&
               b.first <= (uint32_t)a.last + 1;
}

void port_set_add(PortSet *set, PortRange range) {
        PortRange *ranges;
        size_t count = 0;
        bool placed = false;

        if (set->all)
                return;
        ranges = NEW_ARRAY(PortRange, set->count + 1);
        for (size_t i = 0; i < set->count; i++) {
                const PortRange old = set->ranges[i];

                if (touches(old, range)) {
                        range.first = MIN(range.first, old.first);
                        range.last = MAX(range.last, old.last);
                        continue;
                }
                if (!placed && at(range.protocol, range.first) < at(old.protocol, old.first)) {
                        ranges[count++] = range;
                        placed = true;
                }
                ranges[count++] = old;
        }
        if (!placed)
                ranges[count++] = range;
        free(set->ranges);
        set->ranges = ranges;
        set->count = count;
}

void port_set_add_all(PortSet *set) {
        port_set_done(set);
        set->all = true;
}

void port_set_unite(PortSet *set, const PortSet *with) {
        if (with->all)
                port_set_add_all(set);
        for (size_t i = 0; i < with->count; i++)
                port_set_add(set, with->ranges[i]);
}

void port_set_intersect(const PortSet *a, const PortSet *b, PortSet *ret) {
        if (a->all || b->all) {
                port_set_unite(ret, a->all ? b : a);
                return;
        }
        for (size_t i = 0; i < a->count; i++) {
                for (size_t j = 0; j < b->count; j++) {
                        const PortRange common = { a->ranges[i].protocol,
                                                   MAX(a->ranges[i].first, b->ranges[j].first),
                                                   MIN(a->ranges[i].last, b->ranges[j].last) };

                        if (a->ranges[i].protocol == b->ranges[j].protocol &&
                            common.first <= common.last)
                                port_set_add(ret, common);
                }
        }
}

bool port_set_has(const PortSet *set, uint8_t protocol, uint16_t port) {
        if (set->all)
                return true;
        for (size_t i = 0; i < set->count; i++)
                if (set->ranges[i].protocol == protocol && set->ranges[i].first <= port &&
                    port <= set->ranges[i].last)
                        return true;
        return false;
}

bool port_set_equal(const PortSet *a, const PortSet *b) {
        if (a->all != b->all || a->count != b->count)
                return false;
        for (size_t i = 0; i < a->count; i++)
                if (a->ranges[i].protocol != b->ranges[i].protocol ||
                    a->ranges[i].first != b->ranges[i].first ||
                    a->ranges[i].last != b->ranges[i].last)
                        return false;
        return true;
}
