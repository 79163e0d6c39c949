/* policy-document.c: NetworkPolicy documents (Kubernetes' API reference, networking.k8s.io/v1) as
 * structs. What protects containers must not be guessed: an unknown name is refused, where it would
 * be ignored elsewhere. */
#include "net/policy-document.h"

#include <ctype.h>
#include <netinet/in.h>

#include "format/yaml.h"

#define NAME_MAX_LENGTH 253
#define LABEL_VALUE_MAX 4096 /* Docker's labels are longer than Kubernetes' 63 */

#define LIST_MAX 1000 /* rules of a policy, peers and ports of a rule */

/* ---- tables ---- */

static const JsonField expression_fields[] = {
        JSON_FIELD(PolicyExpression, "key", JSON_STRING, key, JSON_REQUIRED),
        JSON_FIELD(PolicyExpression, "operator", JSON_STRING, operator, JSON_REQUIRED),
        JSON_FIELD(PolicyExpression, "values", JSON_STRINGS, values, JSON_OMIT_EMPTY),
};
static const JsonTable expression_table =
        JSON_TABLE(PolicyExpression, "expression", expression_fields);

static const JsonField selector_fields[] = {
        JSON_FIELD(PolicySelector, "matchLabels", JSON_PAIRS, labels, JSON_OMIT_EMPTY),
        JSON_NESTED(PolicySelector, "matchExpressions", JSON_ARRAY, expressions, JSON_OMIT_EMPTY,
                    &expression_table),
};
static const JsonTable selector_table = JSON_TABLE(PolicySelector, "selector", selector_fields);

static const JsonField block_fields[] = {
        JSON_FIELD(PolicyBlock, "cidr", JSON_STRING, cidr, JSON_REQUIRED),
        JSON_FIELD(PolicyBlock, "except", JSON_STRINGS, except, JSON_OMIT_EMPTY),
};
static const JsonTable block_table = JSON_TABLE(PolicyBlock, "ipBlock", block_fields);

static const JsonField peer_fields[] = {
        JSON_NESTED(PolicyPeer, "podSelector", JSON_OBJECT, pods, JSON_PRESENT, &selector_table),
        JSON_NESTED(PolicyPeer, "namespaceSelector", JSON_OBJECT, namespaces, JSON_PRESENT,
                    &selector_table),
        JSON_NESTED(PolicyPeer, "ipBlock", JSON_OBJECT, block, JSON_PRESENT, &block_table),
};
static const JsonTable peer_table = JSON_TABLE(PolicyPeer, "peer", peer_fields);

static const JsonField port_fields[] = {
        JSON_FIELD(PolicyPort, "protocol", JSON_STRING, protocol, JSON_OMIT_EMPTY),
        JSON_FIELD(PolicyPort, "port", JSON_RAW, number, JSON_OMIT_EMPTY),
        JSON_FIELD(PolicyPort, "endPort", JSON_MAYBE_INT, last, JSON_OMIT_EMPTY),
};
static const JsonTable port_table = JSON_TABLE(PolicyPort, "port", port_fields);

static const JsonField ingress_fields[] = {
        JSON_NESTED(PolicyRule, "from", JSON_ARRAY, peers, JSON_OMIT_EMPTY, &peer_table),
        JSON_NESTED(PolicyRule, "ports", JSON_ARRAY, ports, JSON_OMIT_EMPTY, &port_table),
};
static const JsonField egress_fields[] = {
        JSON_NESTED(PolicyRule, "to", JSON_ARRAY, peers, JSON_OMIT_EMPTY, &peer_table),
        JSON_NESTED(PolicyRule, "ports", JSON_ARRAY, ports, JSON_OMIT_EMPTY, &port_table),
};
static const JsonTable ingress_table = JSON_TABLE(PolicyRule, "rule", ingress_fields);
static const JsonTable egress_table = JSON_TABLE(PolicyRule, "rule", egress_fields);

/* A Policy's members lie at the depths of the document. */
static const JsonField spec_fields[] = {
        JSON_NESTED(Policy, "podSelector", JSON_OBJECT, pods, JSON_REQUIRED, &selector_table),
        JSON_FIELD(Policy, "policyTypes", JSON_STRINGS, types, 0),
        JSON_NESTED(Policy, "ingress", JSON_ARRAY, rules[POLICY_INGRESS], JSON_OMIT_EMPTY,
                    &ingress_table),
        JSON_NESTED(Policy, "egress", JSON_ARRAY, rules[POLICY_EGRESS], JSON_OMIT_EMPTY,
                    &egress_table),
};
static const JsonTable spec_table = JSON_TABLE(Policy, "spec", spec_fields);

static const JsonField metadata_fields[] = {
        JSON_FIELD(Policy, "name", JSON_STRING, name, JSON_REQUIRED),
        JSON_FIELD(Policy, "namespace", JSON_STRING, namespace, JSON_OMIT_EMPTY),
        JSON_FIELD(Policy, "labels", JSON_PAIRS, labels, JSON_OMIT_EMPTY),
        JSON_FIELD(Policy, "annotations", JSON_PAIRS, annotations, JSON_OMIT_EMPTY),
};
static const JsonTable metadata_table = JSON_TABLE(Policy, "metadata", metadata_fields);

static const JsonField head_fields[] = {
        JSON_FIELD(Policy, "apiVersion", JSON_STRING, api_version, JSON_REQUIRED),
        JSON_FIELD(Policy, "kind", JSON_STRING, kind, JSON_REQUIRED),
};
static const JsonTable head_table = JSON_TABLE(Policy, "policy", head_fields);

void policy_done(Policy *policy) {
        json_done(&spec_table, policy);
        json_done(&metadata_table, policy);
        json_done(&head_table, policy);
}

void policies_free(Policy *policies, size_t count) {
        for (size_t i = 0; policies && i < count; i++)
                policy_done(&policies[i]);
        free(policies);
}

json_object *policy_write(const Policy *policy) {
        json_object *document = json_write(&head_table, policy);

        (void)json_object_object_add(document, "metadata", json_write(&metadata_table, policy));
        (void)json_object_object_add(document, "spec", json_write(&spec_table, policy));
        return document;
}

char *policy_key(const Policy *policy) {
        return str_format("%s/%s", policy->namespace, policy->name);
}

/* ---- names that nobody knows ---- */

static const JsonField *find_field(const JsonTable *table, const char *name) {
        for (size_t i = 0; i < table->count; i++)
                if (str_equal(table->fields[i].name, name))
                        return &table->fields[i];
        return NULL;
}

static int check_names(const JsonTable *table, json_object *object, const char *path, Error *err);

static int check_inner(const JsonField *field, json_object *value, const char *path, Error *err) {
        if (field->type == JSON_OBJECT && json_object_is_type(value, json_type_object))
                return check_names(field->table, value, path, err);
        if (field->type != JSON_ARRAY || !json_object_is_type(value, json_type_array))
                return 0;
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                _cleanup_free_ char *at = str_format("%s[%zu]", path, i);
                json_object *item = json_object_array_get_idx(value, i);
                int r;

                /* An item that is nothing would be a rule or peer that allows everything. */
                if (!json_object_is_type(item, json_type_object))
                        return error_kind(err, ERROR_INVALID, "%s: must be an object", at);
                r = check_names(field->table, item, at, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_names(const JsonTable *table, json_object *object, const char *path, Error *err) {
        json_object_object_foreach(object, name, value) {
                const JsonField *field = find_field(table, name);
                _cleanup_free_ char *at = str_format("%s%s%s", path, *path ? "." : "", name);
                int r;

                if (!field)
                        return error_kind(err, ERROR_INVALID,
                                          "%s: there is no such field in a NetworkPolicy", at);
                r = check_inner(field, value, at, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- values ---- */

static bool is_alphanumeric(char c) {
        return isalnum((unsigned char)c) != 0;
}

bool policy_name_valid(const char *text) {
        const size_t length = text ? strlen(text) : 0;

        if (length == 0 || length > NAME_MAX_LENGTH || !is_alphanumeric(text[0]) ||
            !is_alphanumeric(text[length - 1]))
                return false;
        for (const char *c = text; *c; c++)
                if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && *c != '-' &&
                    *c != '.')
                        return false;
        return true;
}

/* A namespace is a compose project's name: letters, digits, '-', '_'. */
static bool namespace_valid(const char *text) {
        const size_t length = text ? strlen(text) : 0;

        if (length == 0 || length > NAME_MAX_LENGTH)
                return false;
        for (const char *c = text; *c; c++)
                if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && *c != '-' &&
                    *c != '_' && *c != '.')
                        return false;
        return true;
}

static int check_key(const char *key, const char *path, Error *err) {
        if (!str_empty(key) && strlen(key) <= LABEL_VALUE_MAX)
                return 0;
        return error_kind(err, ERROR_INVALID, "%s: a label's key may not be empty", path);
}

static int check_expression(const PolicyExpression *expression, const char *path, Error *err) {
        static const struct {
                const char *name;
                bool values;
        } operators[] = {
                { "In", true }, { "NotIn", true }, { "Exists", false }, { "DoesNotExist", false }
        };
        const bool has = strv_length(expression->values) > 0;
        int r = check_key(expression->key, path, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(operators); i++) {
                if (!str_equal(expression->operator, operators[i].name))
                        continue;
                if (has == operators[i].values)
                        return 0;
                return error_kind(err, ERROR_INVALID, "%s.values: %s for operator %s", path,
                                  has ? "must be empty" : "must not be empty", operators[i].name);
        }
        return error_kind(err, ERROR_INVALID,
                          "%s.operator: '%s' is none of In, NotIn, Exists, DoesNotExist", path,
                          expression->operator);
}

static int check_selector(const PolicySelector *selector, const char *path, Error *err) {
        const PolicyExpression *expressions = selector->expressions.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < selector->labels.count; i++) {
                _cleanup_free_ char *at = str_format("%s.matchLabels", path);

                r = check_key(selector->labels.items[i].key, at, err);
        }
        for (size_t i = 0; r == 0 && i < selector->expressions.count; i++) {
                _cleanup_free_ char *at = str_format("%s.matchExpressions[%zu]", path, i);

                r = check_expression(&expressions[i], at, err);
        }
        return r;
}

int policy_cidr_parse(const char *text, Subnet *ret) {
        static const Subnet everything[] = { { { 0, AF_INET }, 0 }, { { 0, AF_INET6 }, 0 } };

        if (!str_equal(text, "0.0.0.0/0") && !str_equal(text, "::/0"))
                return cidr_parse(text, ret);
        *ret = everything[text[0] == ':'];
        return 0;
}

static int check_block(const PolicyBlock *block, const char *path, Error *err) {
        Subnet whole, part;

        if (policy_cidr_parse(block->cidr, &whole) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "%s.cidr: '%s' is no subnet: write it like 192.168.1.0/24, "
                                  "without host bits",
                                  path, block->cidr);
        for (char **except = block->except; except && *except; except++) {
                if (policy_cidr_parse(*except, &part) < 0)
                        return error_kind(err, ERROR_INVALID,
                                          "%s.except: '%s' is no subnet: write it like "
                                          "192.168.1.0/24, without host bits",
                                          path, *except);
                if (part.address.family != whole.address.family ||
                    !subnet_has(whole, part.address) || part.prefix <= whole.prefix)
                        return error_kind(err, ERROR_INVALID,
                                          "%s.except: '%s' does not lie strictly within %s", path,
                                          *except, block->cidr);
        }
        return 0;
}

static int check_peer(const PolicyPeer *peer, const char *path, Error *err) {
        const struct {
                const char *name;
                const PolicySelector *selector;
        } selectors[] = { { "podSelector", peer->pods },
                          { "namespaceSelector", peer->namespaces } };
        _cleanup_free_ char *block = str_format("%s.ipBlock", path);

        if (!peer->pods && !peer->namespaces && !peer->block)
                return error_kind(err, ERROR_INVALID,
                                  "%s: give podSelector, namespaceSelector or ipBlock (to allow "
                                  "everybody, leave out 'from' or 'to')",
                                  path);
        if (peer->block && (peer->pods || peer->namespaces))
                return error_kind(err, ERROR_INVALID,
                                  "%s: ipBlock goes with no selector: make it a peer of its own",
                                  path);
        for (size_t i = 0; i < ELEMENTS(selectors); i++) {
                _cleanup_free_ char *at = str_format("%s.%s", path, selectors[i].name);
                int r = selectors[i].selector ? check_selector(selectors[i].selector, at, err) : 0;

                if (r < 0)
                        return r;
        }
        return peer->block ? check_block(peer->block, block, err) : 0;
}

/* ---- ports ---- */

static const struct {
        const char *name;
        uint8_t number;
} protocols[] = { { "TCP", IPPROTO_TCP }, { "UDP", IPPROTO_UDP }, { "SCTP", IPPROTO_SCTP } };

static uint8_t find_protocol(const char *name) {
        for (size_t i = 0; i < ELEMENTS(protocols); i++)
                if (str_equal(name ?: "TCP", protocols[i].name))
                        return protocols[i].number;
        return 0;
}

PortRange policy_port_range(const PolicyPort *port) {
        PortRange range = { find_protocol(port->protocol), 0, UINT16_MAX };

        if (port->number) {
                range.first = (uint16_t)json_object_get_int(port->number);
                range.last = port->last ? (uint16_t)*port->last : range.first;
        }
        return range;
}

static int check_number(const PolicyPort *port, const char *path, Error *err) {
        const int64_t number = json_object_get_int64(port->number);

        if (json_object_is_type(port->number, json_type_string))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "%s.port: '%s' is a name, and containers have no named ports: "
                                  "give a number",
                                  path, json_object_get_string(port->number));
        if (!json_object_is_type(port->number, json_type_int) || number < 1 || number > 65535)
                return error_kind(err, ERROR_INVALID, "%s.port: must be a number from 1 to 65535",
                                  path);
        if (port->last && (*port->last < number || *port->last > 65535))
                return error_kind(err, ERROR_INVALID,
                                  "%s.endPort: must be from %lld (port) to 65535", path,
                                  (long long)number);
        return 0;
}

static int check_port(const PolicyPort *port, const char *path, Error *err) {
        if (!find_protocol(port->protocol))
                return error_kind(err, ERROR_INVALID, "%s.protocol: '%s' is none of TCP, UDP, SCTP",
                                  path, port->protocol);
        if (port->number)
                return check_number(port, path, err);
        if (port->last)
                return error_kind(err, ERROR_INVALID, "%s.endPort: goes with 'port' only", path);
        return 0;
}

/* ---- rules ---- */

static int check_rule(const PolicyRule *rule, PolicyDirection direction, const char *path,
                      Error *err) {
        const PolicyPeer *peers = rule->peers.items;
        const PolicyPort *ports = rule->ports.items;
        int r = 0;

        if (rule->peers.count > LIST_MAX || rule->ports.count > LIST_MAX)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "%s: more than %d peers or ports: make it several rules or "
                                  "policies",
                                  path, LIST_MAX);
        for (size_t i = 0; r == 0 && i < rule->peers.count; i++) {
                _cleanup_free_ char *at = str_format("%s.%s[%zu]", path,
                                                     direction == POLICY_EGRESS ? "to" : "from", i);

                r = check_peer(&peers[i], at, err);
        }
        for (size_t i = 0; r == 0 && i < rule->ports.count; i++) {
                _cleanup_free_ char *at = str_format("%s.ports[%zu]", path, i);

                r = check_port(&ports[i], at, err);
        }
        return r;
}

static int check_rules(const Policy *policy, Error *err) {
        int r = 0;

        for (PolicyDirection d = 0; d < POLICY_DIRECTIONS; d++) {
                const PolicyRule *rules = policy->rules[d].items;

                if (policy->rules[d].count > LIST_MAX)
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "spec.%s: more than %d rules: make it several policies",
                                          policy_direction_name(d), LIST_MAX);
                for (size_t i = 0; r == 0 && i < policy->rules[d].count; i++) {
                        _cleanup_free_ char *at =
                                str_format("spec.%s[%zu]", policy_direction_name(d), i);

                        r = check_rule(&rules[i], d, at, err);
                }
        }
        return r;
}

/* Without any: ingress always, and egress where there are rules for it. */
static int settle_types(Policy *policy, Error *err) {
        for (char **type = policy->types; type && *type; type++)
                if (!str_equal(*type, "Ingress") && !str_equal(*type, "Egress"))
                        return error_kind(err, ERROR_INVALID,
                                          "spec.policyTypes: '%s' is neither Ingress nor Egress",
                                          *type);
        if (strv_length(policy->types) > 0)
                return 0;
        strv_free(policy->types);
        policy->types = NULL;
        strv_add(&policy->types, "Ingress");
        if (policy->rules[POLICY_EGRESS].count > 0)
                strv_add(&policy->types, "Egress");
        return 0;
}

/* ---- the document ---- */

/* What a cluster adds to what a user wrote; it means nothing here. */
static void drop_bookkeeping(json_object *document) {
        static const char *const names[] = { "creationTimestamp", "generation", "managedFields",
                                             "resourceVersion",   "selfLink",   "uid" };
        json_object *metadata = json_member(document, "metadata");

        json_object_object_del(document, "status");
        if (json_object_is_type(metadata, json_type_object))
                for (size_t i = 0; i < ELEMENTS(names); i++)
                        json_object_object_del(metadata, names[i]);
}

static int check_head(const Policy *policy, Error *err) {
        if (!str_equal(policy->kind, "NetworkPolicy"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "kind: '%s' is not supported: only NetworkPolicy is",
                                  policy->kind);
        if (!str_equal(policy->api_version, "networking.k8s.io/v1"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "apiVersion: '%s' is not supported: only networking.k8s.io/v1 "
                                  "is",
                                  policy->api_version);
        return 0;
}

static int read_part(const JsonTable *table, json_object *document, const char *name, Policy *ret,
                     Error *err) {
        json_object *part = json_member(document, name);
        int r;

        if (!json_object_is_type(part, json_type_object))
                return error_kind(err, ERROR_INVALID, "%s: must be there, and be an object", name);
        r = check_names(table, part, name, err);
        if (r < 0)
                return r;
        r = json_read(table, part, ret, err);
        return r < 0 ? error_prefix(err, "%s", name) : 0;
}

/* The members of the document itself; what is in them is the parts'. */
static int check_top(json_object *document, Error *err) {
        static const char *const known[] = { "apiVersion", "kind", "metadata", "spec" };

        json_object_object_foreach(document, name, value) {
                bool found = false;

                (void)value;
                for (size_t i = 0; i < ELEMENTS(known); i++)
                        found |= str_equal(name, known[i]);
                if (!found)
                        return error_kind(err, ERROR_INVALID,
                                          "%s: there is no such field in a NetworkPolicy", name);
        }
        return 0;
}

static int read_document(json_object *document, Policy *ret, Error *err) {
        int r = json_read(&head_table, document, ret, err);

        if (r == 0)
                r = check_head(ret, err);
        if (r < 0)
                return r;
        drop_bookkeeping(document);
        r = check_top(document, err);
        if (r == 0)
                r = read_part(&metadata_table, document, "metadata", ret, err);
        if (r == 0 && !policy_name_valid(ret->name))
                r = error_kind(err, ERROR_INVALID,
                               "metadata.name: '%s' is no name: lower-case letters, digits, '-' "
                               "and '.', with a letter or digit at both ends",
                               ret->name);
        if (r == 0 && ret->namespace && !namespace_valid(ret->namespace))
                r = error_kind(err, ERROR_INVALID,
                               "metadata.namespace: '%s' is no name: lower-case letters, digits, "
                               "'-', '_' and '.'",
                               ret->namespace);
        if (r == 0)
                r = read_part(&spec_table, document, "spec", ret, err);
        if (r == 0)
                r = check_selector(ret->pods, "spec.podSelector", err);
        if (r == 0)
                r = check_rules(ret, err);
        return r < 0 ? r : settle_types(ret, err);
}

int policy_read(json_object *document, Policy *ret, Error *err) {
        int r;

        if (!json_object_is_type(document, json_type_object))
                return error_kind(err, ERROR_INVALID, "a policy must be an object");
        r = read_document(document, ret, err);
        if (r < 0)
                return ret->name ? error_prefix(err, "policy '%.100s'", ret->name) : r;
        if (!ret->namespace)
                ret->namespace = str_copy(POLICY_NAMESPACE);
        return 0;
}

/* ---- files ---- */

typedef struct Collection {
        Policy *policies;
        size_t count;
        const char *namespace;
} Collection;

static int add_document(Collection *collection, json_object *document, Error *err) {
        json_object *metadata = json_member(document, "metadata");
        Policy *policy;
        int r;

        if (json_object_is_type(metadata, json_type_object) && collection->namespace &&
            !json_member(metadata, "namespace"))
                (void)json_object_object_add(metadata, "namespace",
                                             json_object_new_string(collection->namespace));
        GROW(collection->policies, collection->count);
        policy = &collection->policies[collection->count];
        *policy = (Policy){ 0 };
        collection->count++;
        r = policy_read(document, policy, err);
        for (size_t i = 0; r == 0 && i + 1 < collection->count; i++)
                if (str_equal(collection->policies[i].name, policy->name) &&
                    str_equal(collection->policies[i].namespace, policy->namespace))
                        r = error_kind(err, ERROR_INVALID, "policy '%s/%s' comes twice",
                                       policy->namespace, policy->name);
        return r;
}

static int add_documents(Collection *collection, json_object *documents, Error *err) {
        for (size_t i = 0; i < json_object_array_length(documents); i++) {
                json_object *document = json_object_array_get_idx(documents, i);
                json_object *items = json_member(document, "items");
                const char *kind = json_object_is_type(document, json_type_object)
                                           ? json_member_string(document, "kind")
                                           : NULL;
                int r;

                if (str_equal(kind, "List") && json_object_is_type(items, json_type_array))
                        r = add_documents(collection, items, err);
                else
                        r = add_document(collection, document, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int policy_parse(const char *text, size_t length, const char *default_namespace, Policy **ret,
                 size_t *ret_count, Error *err) {
        _cleanup_json_ json_object *documents = NULL;
        Collection collection = { .namespace = default_namespace };
        int r = yaml_parse(text, length, &documents, err);

        if (r == 0)
                r = add_documents(&collection, documents, err);
        if (r == 0 && collection.count == 0)
                r = error_kind(err, ERROR_INVALID, "there is no policy in this file");
        if (r < 0) {
                policies_free(collection.policies, collection.count);
                return r;
        }
        *ret = collection.policies;
        *ret_count = collection.count;
        return 0;
}
