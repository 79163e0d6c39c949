/* names.c: lists of records, a network each. A question walks those of the asker's networks only.
 */
#include "net/names.h"

#include <strings.h>

#include "base/id.h"

typedef struct Record {
        char *container_id, *name, *hostname, *short_id;
        char **aliases;
        Pairs links; /* alias → name, for this container's own questions */
        IpAddress addresses[NAMES_ADDRESSES];
} Record;

typedef struct Zone {
        char *id, *name;
        bool internal, resolver;
        Record *records;
        size_t count;
} Zone;

struct Names {
        Zone **zones; /* sorted by name */
        size_t count;
};

Names *names_new(void) {
        return NEW(Names);
}

static void free_record(Record *record) {
        free(record->container_id);
        free(record->name);
        free(record->hostname);
        free(record->short_id);
        strv_free(record->aliases);
        pairs_done(&record->links);
}

static void free_zone(Zone *zone) {
        for (size_t i = 0; i < zone->count; i++)
                free_record(&zone->records[i]);
        free(zone->records);
        free(zone->id);
        free(zone->name);
        free(zone);
}

Names *names_free(Names *names) {
        if (!names)
                return NULL;
        for (size_t i = 0; i < names->count; i++)
                free_zone(names->zones[i]);
        free(names->zones);
        free(names);
        return NULL;
}

/* ---- changes ---- */

static Zone *find_zone(const Names *names, const char *id) {
        for (size_t i = 0; i < names->count; i++)
                if (str_equal(names->zones[i]->id, id))
                        return names->zones[i];
        return NULL;
}

static Zone *add_zone(Names *names, const NetworkConfig *network) {
        Zone *zone = NEW(Zone);
        size_t i = names->count;

        zone->id = str_copy(network->id);
        zone->name = str_copy(network->name);
        zone->internal = network->internal;
        zone->resolver = network->resolver;
        GROW(names->zones, names->count);
        for (; i > 0 && strcmp(names->zones[i - 1]->name, zone->name) > 0; i--)
                names->zones[i] = names->zones[i - 1];
        names->zones[i] = zone;
        names->count++;
        return zone;
}

static Record *find_record(const Zone *zone, const char *container_id) {
        for (size_t i = 0; i < zone->count; i++)
                if (str_equal(zone->records[i].container_id, container_id))
                        return &zone->records[i];
        return NULL;
}

void names_put(Names *names, const NetworkConfig *network, const Endpoint *endpoint,
               const IpAddress addresses[NAMES_ADDRESSES]) {
        Zone *zone = find_zone(names, network->id) ?: add_zone(names, network);
        Record *record = find_record(zone, endpoint->container_id);

        if (record) {
                free_record(record);
        } else {
                GROW(zone->records, zone->count);
                record = &zone->records[zone->count++];
        }
        *record = (Record){ .container_id = str_copy(endpoint->container_id),
                            .name = str_copy(endpoint->container_name),
                            .hostname = str_copy(endpoint->hostname),
                            .short_id = str_copy_n(endpoint->container_id,
                                                   strnlen(endpoint->container_id, ID_SHORT)),
                            .aliases = strv_copy(endpoint->aliases) };
        pairs_copy(&record->links, &endpoint->links);
        memcpy(record->addresses, addresses, sizeof(record->addresses));
}

static void drop_zone(Names *names, Zone *zone) {
        size_t i = 0;

        while (names->zones[i] != zone)
                i++;
        for (; i + 1 < names->count; i++)
                names->zones[i] = names->zones[i + 1];
        names->count--;
        free_zone(zone);
}

void names_drop(Names *names, const char *network_id, const char *container_id) {
        Zone *zone = find_zone(names, network_id);
        Record *record = zone ? find_record(zone, container_id) : NULL;

        if (!record)
                return;
        free_record(record);
        *record = zone->records[--zone->count];
        if (zone->count == 0)
                drop_zone(names, zone);
}

/* ---- questions ---- */

static bool same(const char *have, const char *name) {
        return have && strcasecmp(have, name) == 0;
}

static bool has_alias(const Record *record, const char *name) {
        for (char **alias = record->aliases; alias && *alias; alias++)
                if (same(*alias, name))
                        return true;
        return false;
}

static bool has_name(const Record *record, const char *name) {
        return same(record->name, name) || same(record->short_id, name) ||
               same(record->hostname, name);
}

static size_t collect(const Zone *zone, const char *name,
                      bool (*matches)(const Record *record, const char *name), IpAddress **ret) {
        size_t count = 0;

        for (size_t i = 0; i < zone->count * NAMES_ADDRESSES; i++) {
                const Record *record = &zone->records[i / NAMES_ADDRESSES];
                const IpAddress address = record->addresses[i % NAMES_ADDRESSES];

                if (!address.family || !matches(record, name))
                        continue;
                GROW(*ret, count);
                (*ret)[count++] = address;
        }
        return count;
}

static size_t find_in_zone(const Zone *zone, const char *name, IpAddress **ret) {
        size_t count = collect(zone, name, has_alias, ret);

        return count ? count : collect(zone, name, has_name, ret);
}

/* What the asker means by a name on this network. */
static const char *linked(const Record *asker, const char *name) {
        for (size_t i = 0; i < asker->links.count; i++)
                if (same(asker->links.items[i].key, name))
                        return asker->links.items[i].value;
        return name;
}

/* "web.front" in the network "front": "web", the caller's; else NULL. */
static char *cut_network(const char *name, const char *network) {
        size_t length = strlen(name), tail = strlen(network);

        if (length < tail + 2 || name[length - tail - 1] != '.' ||
            strcasecmp(name + length - tail, network) != 0)
                return NULL;
        return str_copy_n(name, length - tail - 1);
}

size_t names_find(const Names *names, const char *container_id, const char *name,
                  IpAddress **ret_addresses) {
        *ret_addresses = NULL;
        for (int qualified = 0; qualified < 2; qualified++) {
                for (size_t i = 0; i < names->count; i++) {
                        const Zone *zone = names->zones[i];
                        _cleanup_free_ char *cut = NULL;
                        size_t count;

                        const Record *asker = find_record(zone, container_id);

                        if (!zone->resolver || !asker)
                                continue;
                        cut = qualified ? cut_network(name, zone->name) : str_copy(name);
                        count = cut ? find_in_zone(zone, linked(asker, cut), ret_addresses) : 0;
                        if (count)
                                return count;
                }
        }
        return 0;
}

static bool has_address(const Record *record, IpAddress address) {
        for (size_t i = 0; i < NAMES_ADDRESSES; i++)
                if (ip_equal(record->addresses[i], address))
                        return true;
        return false;
}

char *names_find_reverse(const Names *names, const char *container_id, IpAddress address) {
        for (size_t i = 0; i < names->count; i++) {
                const Zone *zone = names->zones[i];

                if (!zone->resolver || !find_record(zone, container_id))
                        continue;
                for (size_t n = 0; n < zone->count; n++)
                        if (has_address(&zone->records[n], address))
                                return str_format(
                                        "%s.%s", zone->records[n].name ?: zone->records[n].short_id,
                                        zone->name);
        }
        return NULL;
}

bool names_leads_out(const Names *names, const char *container_id) {
        for (size_t i = 0; i < names->count; i++)
                if (!names->zones[i]->internal && find_record(names->zones[i], container_id))
                        return true;
        return false;
}
