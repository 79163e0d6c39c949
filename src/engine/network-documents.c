/* network-documents.c: networks as Docker's API shows them, from the index and the containers'
 * snapshots. */
#include "engine/networks.h"
#include "engine/registry.h"
#include "engine/snapshot.h"

typedef struct MemberDocument {
        char *id; /* the key */
        char *name, *endpoint_id, *mac, *ipv4, *ipv6;
} MemberDocument;

static const JsonField member_fields[] = {
        JSON_FIELD(MemberDocument, "Name", JSON_STRING, name, 0),
        JSON_FIELD(MemberDocument, "EndpointID", JSON_STRING, endpoint_id, 0),
        JSON_FIELD(MemberDocument, "MacAddress", JSON_STRING, mac, 0),
        JSON_FIELD(MemberDocument, "IPv4Address", JSON_STRING, ipv4, 0),
        JSON_FIELD(MemberDocument, "IPv6Address", JSON_STRING, ipv6, 0),
};
static const JsonTable member_table = JSON_TABLE(MemberDocument, "Containers", member_fields);

typedef struct IpamDocument {
        char *driver;
        Pairs options;
        JsonArray config;
} IpamDocument;

/* Docker has null for a network that was made without the member, as the predefined ones are. */
static const JsonField ipam_fields[] = {
        JSON_FIELD(IpamDocument, "Driver", JSON_STRING, driver, 0),
        JSON_FIELD(IpamDocument, "Options", JSON_PAIRS, options, 0),
        JSON_NESTED(IpamDocument, "Config", JSON_ARRAY, config, 0, &net_pool_table),
};
static const JsonTable ipam_table = JSON_TABLE(IpamDocument, "IPAM", ipam_fields);

static const JsonField ipam_null_fields[] = {
        JSON_FIELD(IpamDocument, "Driver", JSON_STRING, driver, 0),
        JSON_FIELD(IpamDocument, "Options", JSON_PAIRS, options, JSON_NULL_EMPTY),
        JSON_NESTED(IpamDocument, "Config", JSON_ARRAY, config, 0, &net_pool_table),
};
static const JsonTable ipam_null_table = JSON_TABLE(IpamDocument, "IPAM", ipam_null_fields);

/* Every pointer but `members` is borrowed from the network. */
typedef struct NetworkDocument {
        char *name, *id, *scope, *driver;
        int64_t created;
        bool enable_ipv4, enable_ipv6, internal, attachable, ingress, config_only;
        json_object *ipam;
        ConfigReference from;
        JsonArray members;
        Pairs options, labels;
} NetworkDocument;

static const JsonField document_fields[] = {
        JSON_FIELD(NetworkDocument, "Name", JSON_STRING, name, 0),
        JSON_FIELD(NetworkDocument, "Id", JSON_STRING, id, 0),
        JSON_FIELD(NetworkDocument, "Created", JSON_TIME, created, 0),
        JSON_FIELD(NetworkDocument, "Scope", JSON_STRING, scope, 0),
        JSON_FIELD(NetworkDocument, "Driver", JSON_STRING, driver, 0),
        JSON_FIELD(NetworkDocument, "EnableIPv4", JSON_BOOL, enable_ipv4, 0),
        JSON_FIELD(NetworkDocument, "EnableIPv6", JSON_BOOL, enable_ipv6, 0),
        JSON_FIELD(NetworkDocument, "IPAM", JSON_RAW, ipam, 0),
        JSON_FIELD(NetworkDocument, "Internal", JSON_BOOL, internal, 0),
        JSON_FIELD(NetworkDocument, "Attachable", JSON_BOOL, attachable, 0),
        JSON_FIELD(NetworkDocument, "Ingress", JSON_BOOL, ingress, 0),
        JSON_NESTED(NetworkDocument, "ConfigFrom", JSON_INLINE, from, 0, &config_reference_table),
        JSON_FIELD(NetworkDocument, "ConfigOnly", JSON_BOOL, config_only, 0),
        JSON_NESTED(NetworkDocument, "Containers", JSON_MAP, members, 0, &member_table),
        JSON_FIELD(NetworkDocument, "Options", JSON_PAIRS, options, 0),
        JSON_FIELD(NetworkDocument, "Labels", JSON_PAIRS, labels, 0),
};
static const JsonTable document_table = JSON_TABLE(NetworkDocument, "network", document_fields);

static void member_add(JsonArray *members, const Container *container,
                       const ContainerSnapshot *snapshot, const ContainerEndpoint *endpoint) {
        MemberDocument *member = json_append(members, &member_table);

        member->id = str_copy(container->id);
        member->name = str_copy(snapshot->name);
        member->endpoint_id = str_copy(endpoint->endpoint_id);
        member->mac = str_copy(endpoint->endpoint.mac ? endpoint->endpoint.mac : "");
        member->ipv4 = str_copy(endpoint->endpoint.address ? endpoint->endpoint.address : "");
        member->ipv6 = str_copy(endpoint->endpoint.address6 ? endpoint->endpoint.address6 : "");
}

static void members_collect(Engine *engine, const char *network_id, JsonArray *members) {
        _cleanup_roster_ Roster *containers = containers_all(engine);
        for (size_t i = 0; i < containers->count; i++) {
                Container *container = containers->items[i];
                _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
                const ContainerEndpoint *endpoints = snapshot->endpoints.items;
                for (size_t j = 0; j < snapshot->endpoints.count; j++)
                        if (endpoints[j].joined && str_equal(endpoints[j].network_id, network_id))
                                member_add(members, container, snapshot, &endpoints[j]);
        }
}

static void members_done(JsonArray *members) {
        MemberDocument *items = members->items;

        for (size_t i = 0; i < members->count; i++) {
                free(items[i].id);
                items[i].id = NULL;
                json_done(&member_table, &items[i]);
        }
        free(items);
}

/* json_write takes a const struct whose strings are char *: nothing of what is lent is changed. */
static void document_add(Engine *engine, const NetworkObject *network, bool members, Buf *json) {
        const IpamDocument ipam = { .driver = network->ipam_driver,
                                    .options = network->ipam_options,
                                    .config = network->config.pools };
        NetworkDocument document = {
                .name = network->config.name,
                .id = network->config.id,
                .created = network->created,
                .scope = network->scope,
                .driver = network->config.driver,
                .enable_ipv4 = !network->config.no_ipv4,
                .enable_ipv6 = network->config.ipv6,
                .internal = network->config.internal,
                .attachable = network->attachable,
                .ingress = network->ingress,
                .config_only = network->config_only,
                .from = { .network = network->config_from ?: (char *)"" },
                .options = network->config.options,
                .labels = network->labels,
        };

        _cleanup_json_ json_object *ipam_document =
                json_write(network->has_ipam_options ? &ipam_table : &ipam_null_table, &ipam);
        document.ipam = ipam_document;
        if (members)
                members_collect(engine, network->config.id, &document.members);
        json_add_text(json, &document_table, &document);
        members_done(&document.members);
}

int engine_network_inspect(Engine *engine, const char *ref, bool verbose, Buf *json, Error *err) {
        _cleanup_network_ NetworkObject *network = NULL;

        int r = network_lookup(engine, ref, &network, err);
        if (r < 0)
                return r;
        document_add(engine, network, true, json);
        return 0;
}

/* ---- list ---- */

static bool list_has(char *const *values, bool (*matches)(const NetworkObject *, const char *),
                     const NetworkObject *network) {
        if (!values)
                return true;
        for (; *values; values++)
                if (matches(network, *values))
                        return true;
        return false;
}

static bool has_name(const NetworkObject *network, const char *value) {
        return strstr(network->config.name, value) != NULL;
}

static bool has_id(const NetworkObject *network, const char *value) {
        return str_after(network->config.id, value) != NULL;
}

static bool has_driver(const NetworkObject *network, const char *value) {
        return str_equal(network->config.driver, value);
}

static bool has_scope(const NetworkObject *network, const char *value) {
        return str_equal(network->scope, value);
}

static bool has_type(const NetworkObject *network, const char *value) {
        return network->predefined == str_equal(value, "builtin");
}

static bool has_label(const NetworkObject *network, const char *value) {
        const char *equals = strchr(value, '=');
        _cleanup_free_ char *key =
                str_copy_n(value, equals ? (size_t)(equals - value) : strlen(value));
        const char *label = pairs_get(&network->labels, key);

        return label && (!equals || str_equal(label, equals + 1));
}

static const struct {
        const char *name;
        bool (*matches)(const NetworkObject *network, const char *value);
} filter_table[] = {
        { "name", has_name },   { "id", has_id },     { "driver", has_driver },
        { "scope", has_scope }, { "type", has_type },
};

/* Every label that is asked for must be there; of the other filters one value. */
static bool passes(const NetworkObject *network, const Filters *filters) {
        char *const *labels = filters_get(filters, "label");

        for (; labels && *labels; labels++)
                if (!has_label(network, *labels))
                        return false;
        for (size_t i = 0; i < ELEMENTS(filter_table); i++)
                if (!list_has(filters_get(filters, filter_table[i].name), filter_table[i].matches,
                              network))
                        return false;
        return true;
}

static bool is_used(Engine *engine, const NetworkObject *network) {
        JsonArray members = { 0 };

        members_collect(engine, network->config.id, &members);
        bool used = members.count > 0;
        members_done(&members);
        return used;
}

/* dangling=true: made by a user and on it nobody. */
static bool passes_dangling(Engine *engine, const NetworkObject *network, const Filters *filters) {
        char *const *values = filters_get(filters, "dangling");

        if (!values || !*values)
                return true;
        bool wanted = str_equal(*values, "true") || str_equal(*values, "1");
        return wanted == (!network->predefined && !is_used(engine, network));
}

static int type_check(const Filters *filters, Error *err) {
        char *const *types = filters_get(filters, "type");

        for (; types && *types; types++)
                if (!str_equal(*types, "custom") && !str_equal(*types, "builtin"))
                        return error_kind(err, ERROR_INVALID, "Invalid filter: 'type'='%s'",
                                          *types);
        return 0;
}

int engine_network_list(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        static const char *const accepted[] = { "dangling", "driver", "id",   "label",
                                                "name",     "scope",  "type", NULL };
        static const Filters none;
        NetworkObject **networks;
        size_t count;
        bool first = true;

        if (!filters)
                filters = &none;
        int r = filters_check(filters, accepted, err);
        if (r == 0)
                r = type_check(filters, err);
        if (r < 0)
                return r;
        networks_all(engine, &networks, &count);
        buf_add_char(json, '[');
        for (size_t i = count; i-- > 0;) {
                if (!passes(networks[i], filters) || !passes_dangling(engine, networks[i], filters))
                        continue;
                if (!first)
                        buf_add_char(json, ',');
                first = false;
                document_add(engine, networks[i], false, json);
        }
        buf_add_char(json, ']');
        networks_all_free(networks, count);
        return 0;
}
