/* policy-ask.c: asks the policies who may reach whom, of the containers that run. The answer is
 * the documents' (net/policy.h), not the firewall's. */
#include <netinet/in.h>

#include "engine/engine-private.h"
#include "engine/labels.h"
#include "engine/locks.h"
#include "engine/policies.h"
#include "engine/registry.h"

#define TABLE_MAX 256 /* containers in one table */

/* ---- who is there ---- */

typedef struct Place {
        char *network_id;
        IpAddress address;
} Place;

typedef struct Pod {
        Container *container;        /* a reference */
        ContainerSnapshot *snapshot; /* a reference: whose name and labels these are */
        char *name;
        PolicyPod pod;
        Place *places;
        size_t count;
} Pod;

typedef struct Pods {
        Pod *items;
        size_t count;
} Pods;

static void pods_done(Pods *pods) {
        for (size_t i = 0; i < pods->count; i++) {
                for (size_t n = 0; n < pods->items[i].count; n++)
                        free(pods->items[i].places[n].network_id);
                free(pods->items[i].places);
                snapshot_unref(pods->items[i].snapshot);
                container_unref(pods->items[i].container);
        }
        free(pods->items);
        *pods = (Pods){ 0 };
}

/* text: an address with its prefix length; NULL: none. */
static void add_place(Pod *pod, const char *network_id, const char *text) {
        _cleanup_free_ char *bare = text ? str_copy_n(text, strcspn(text, "/")) : NULL;
        IpAddress address;

        if (!bare || ip_parse(bare, &address) < 0)
                return;
        GROW(pod->places, pod->count);
        pod->places[pod->count++] = (Place){ str_copy(network_id), address };
}

static void add_pod(Pods *pods, Container *container) {
        ContainerSnapshot *snapshot = container_snapshot(container);
        const ContainerEndpoint *endpoints = snapshot->endpoints.items;
        const Pairs *labels = snapshot_labels(container, snapshot);
        Pod pod = { .container = container_ref(container),
                    .snapshot = snapshot,
                    .name = snapshot->name,
                    .pod = { labels_namespace(labels), labels } };

        for (size_t i = 0; i < snapshot->endpoints.count; i++) {
                if (!endpoints[i].joined)
                        continue;
                add_place(&pod, endpoints[i].network_id, endpoints[i].endpoint.address);
                add_place(&pod, endpoints[i].network_id, endpoints[i].endpoint.address6);
        }
        GROW(pods->items, pods->count);
        pods->items[pods->count++] = pod;
}

static int by_name(const void *left, const void *right) {
        const Pod *a = left, *b = right;
        int r = strcmp(a->pod.namespace, b->pod.namespace);

        return r ?: strcmp(a->name, b->name);
}

/* Those that have an address; the others are on no network, or on one of another's. */
static void pods_gather(Engine *engine, Pods *ret) {
        size_t kept = 0;

        _cleanup_roster_ Roster *containers = containers_all(engine);
        for (size_t i = 0; i < containers->count; i++)
                add_pod(ret, containers->items[i]);
        for (size_t i = 0; i < ret->count; i++) {
                const Pod pod = ret->items[i];

                if (pod.count > 0) {
                        ret->items[kept++] = pod;
                        continue;
                }
                snapshot_unref(pod.snapshot);
                container_unref(pod.container);
        }
        ret->count = kept;
        if (kept > 1)
                qsort(ret->items, kept, sizeof(Pod), by_name);
}

/* The addresses under which they meet; false: they have no network in common. */
static bool meet(const Pod *from, const Pod *to, IpAddress *ret_from, IpAddress *ret_to) {
        for (size_t i = 0; i < from->count; i++) {
                for (size_t n = 0; n < to->count; n++) {
                        const Place *a = &from->places[i], *b = &to->places[n];

                        if (!str_equal(a->network_id, b->network_id) ||
                            a->address.family != b->address.family)
                                continue;
                        *ret_from = a->address;
                        *ret_to = b->address;
                        return true;
                }
        }
        return false;
}

/* ---- the table ---- */

typedef struct RangeDocument {
        char *protocol;
        int64_t port, last;
} RangeDocument;

static const JsonField range_fields[] = {
        JSON_FIELD(RangeDocument, "Protocol", JSON_STRING, protocol, 0),
        JSON_FIELD(RangeDocument, "Port", JSON_INT, port, 0),
        JSON_FIELD(RangeDocument, "EndPort", JSON_INT, last, 0),
};
static const JsonTable range_table = JSON_TABLE(RangeDocument, "range", range_fields);

typedef struct PairDocument {
        char *from, *to;
        bool apart, all;
        JsonArray ports; /* of RangeDocument */
} PairDocument;

static const JsonField pair_fields[] = {
        JSON_FIELD(PairDocument, "From", JSON_STRING, from, 0),
        JSON_FIELD(PairDocument, "To", JSON_STRING, to, 0),
        JSON_FIELD(PairDocument, "Apart", JSON_BOOL, apart, 0),
        JSON_FIELD(PairDocument, "All", JSON_BOOL, all, 0),
        JSON_NESTED(PairDocument, "Ports", JSON_ARRAY, ports, 0, &range_table),
};
static const JsonTable pair_table = JSON_TABLE(PairDocument, "pair", pair_fields);

typedef struct PodDocument {
        char *id, *name, *namespace;
        char **selected[POLICY_DIRECTIONS]; /* by these policies */
} PodDocument;

static const JsonField pod_fields[] = {
        JSON_FIELD(PodDocument, "Id", JSON_STRING, id, 0),
        JSON_FIELD(PodDocument, "Name", JSON_STRING, name, 0),
        JSON_FIELD(PodDocument, "Namespace", JSON_STRING, namespace, 0),
        JSON_FIELD(PodDocument, "Egress", JSON_STRINGS, selected[POLICY_EGRESS], 0),
        JSON_FIELD(PodDocument, "Ingress", JSON_STRINGS, selected[POLICY_INGRESS], 0),
};
static const JsonTable pod_table = JSON_TABLE(PodDocument, "container", pod_fields);

static const struct {
        const char *name;
        uint8_t number;
} protocols[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP } };

static const char *protocol_name(uint8_t number) {
        for (size_t i = 0; i < ELEMENTS(protocols); i++)
                if (protocols[i].number == number)
                        return protocols[i].name;
        return "";
}

static void allowed_ports(const Policies *policies, const Pod *from, const Pod *to, PortSet *ret,
                          bool *ret_apart) {
        PolicyParty a = { &from->pod, { 0 } }, b = { &to->pod, { 0 } };
        PortSet out = { 0 }, in = { 0 };

        *ret_apart = false;
        if (from == to) {
                port_set_add_all(ret);
                return;
        }
        *ret_apart = !meet(from, to, &a.address, &b.address);
        if (*ret_apart)
                return;
        (void)policies_ports(policies->items, policies->count, POLICY_EGRESS, a.pod, b, &out);
        (void)policies_ports(policies->items, policies->count, POLICY_INGRESS, b.pod, a, &in);
        port_set_intersect(&out, &in, ret);
        port_set_done(&out);
        port_set_done(&in);
}

static void add_pair(const Policies *policies, const Pod *from, const Pod *to, Buf *json) {
        PairDocument pair = { .from = str_copy(from->name), .to = str_copy(to->name) };
        PortSet ports = { 0 };

        allowed_ports(policies, from, to, &ports, &pair.apart);
        pair.all = ports.all;
        for (size_t i = 0; i < ports.count; i++) {
                RangeDocument *range = json_append(&pair.ports, &range_table);

                range->protocol = str_copy(protocol_name(ports.ranges[i].protocol));
                range->port = ports.ranges[i].first;
                range->last = ports.ranges[i].last;
        }
        json_add_text(json, &pair_table, &pair);
        json_done(&pair_table, &pair);
        port_set_done(&ports);
}

static char **selectors(const Policies *policies, const PolicyPod *pod, PolicyDirection direction) {
        char **keys = NULL;

        for (size_t i = 0; i < policies->count; i++)
                if (policy_selects(&policies->items[i], pod, direction))
                        strv_take(&keys, policy_key(&policies->items[i]));
        return keys;
}

static void add_pod_document(const Policies *policies, const Pod *pod, Buf *json) {
        PodDocument document = { .id = str_copy(pod->container->id),
                                 .name = str_copy(pod->name),
                                 .namespace = str_copy(pod->pod.namespace) };

        for (PolicyDirection i = 0; i < POLICY_DIRECTIONS; i++)
                document.selected[i] = selectors(policies, &pod->pod, i);
        json_add_text(json, &pod_table, &document);
        json_done(&pod_table, &document);
}

static void add_table(const Policies *policies, const Pods *pods, Buf *json) {
        buf_add_str(json, "{\"Containers\":[");
        for (size_t i = 0; i < pods->count; i++) {
                if (i > 0)
                        buf_add_char(json, ',');
                add_pod_document(policies, &pods->items[i], json);
        }
        buf_add_str(json, "],\"Pairs\":[");
        for (size_t i = 0; i < pods->count; i++) {
                for (size_t n = 0; n < pods->count; n++) {
                        if (i + n > 0)
                                buf_add_char(json, ',');
                        add_pair(policies, &pods->items[i], &pods->items[n], json);
                }
        }
        buf_add_str(json, "]}");
}

int engine_policy_table(Engine *engine, Buf *json, Error *err) {
        Pods pods = { 0 };
        int r = 0;

        pods_gather(engine, &pods);
        if (pods.count > TABLE_MAX) {
                r = error_kind(err, ERROR_UNSUPPORTED,
                               "a table of %zu containers is too large (the most is %d): name two "
                               "of them and a port",
                               pods.count, TABLE_MAX);
        } else {
                lock_take(&engine->policies->lock, LOCK_POLICIES);
                add_table(engine->policies, &pods, json);
                lock_drop(&engine->policies->lock, LOCK_POLICIES);
        }
        pods_done(&pods);
        return r;
}

/* ---- one question ---- */

typedef struct ReasonDocument {
        bool allowed;
        char *policy; /* "": none selects this side */
        int64_t rule;
        char *reason;
} ReasonDocument;

static const JsonField reason_fields[] = {
        JSON_FIELD(ReasonDocument, "Allowed", JSON_BOOL, allowed, 0),
        JSON_FIELD(ReasonDocument, "Policy", JSON_STRING, policy, 0),
        JSON_FIELD(ReasonDocument, "Rule", JSON_INT, rule, 0),
        JSON_FIELD(ReasonDocument, "Reason", JSON_STRING, reason, 0),
};
static const JsonTable reason_table = JSON_TABLE(ReasonDocument, "reason", reason_fields);

typedef struct AnswerDocument {
        bool allowed;
        char *from, *to, *protocol;
        int64_t port;
        char *reason;
        ReasonDocument sides[POLICY_DIRECTIONS];
} AnswerDocument;

static const JsonField answer_fields[] = {
        JSON_FIELD(AnswerDocument, "Allowed", JSON_BOOL, allowed, 0),
        JSON_FIELD(AnswerDocument, "From", JSON_STRING, from, 0),
        JSON_FIELD(AnswerDocument, "To", JSON_STRING, to, 0),
        JSON_FIELD(AnswerDocument, "Port", JSON_INT, port, 0),
        JSON_FIELD(AnswerDocument, "Protocol", JSON_STRING, protocol, 0),
        JSON_FIELD(AnswerDocument, "Reason", JSON_STRING, reason, JSON_OMIT_EMPTY),
        JSON_NESTED(AnswerDocument, "Egress", JSON_INLINE, sides[POLICY_EGRESS], 0, &reason_table),
        JSON_NESTED(AnswerDocument, "Ingress", JSON_INLINE, sides[POLICY_INGRESS], 0,
                    &reason_table),
};
static const JsonTable answer_table = JSON_TABLE(AnswerDocument, "answer", answer_fields);

/* One side of the question: a container, or (pod NULL) an address outside. */
typedef struct Side {
        const Pod *pod;
        IpAddress address;
        const char *name;
} Side;

static int find_side(Engine *engine, const Pods *pods, const char *ref, Side *ret, Error *err) {
        _cleanup_container_ Container *container = NULL;
        int r;

        *ret = (Side){ .name = ref };
        if (ip_parse(ref, &ret->address) == 0) {
                for (size_t i = 0; i < pods->count; i++)
                        for (size_t n = 0; n < pods->items[i].count; n++)
                                if (ip_equal(pods->items[i].places[n].address, ret->address))
                                        ret->pod = &pods->items[i];
                return 0;
        }
        r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < pods->count; i++)
                if (pods->items[i].container == container)
                        ret->pod = &pods->items[i];
        if (ret->pod)
                return 0;
        return error_kind(err, ERROR_CONFLICT,
                          "container %s has no address: it does not run, or is on no network of "
                          "its own",
                          ref);
}

/* An address of the side's own of that family; of any where it is 0. */
static bool own_address(Side *side, int family) {
        for (size_t i = 0; side->pod && i < side->pod->count; i++) {
                if (family && side->pod->places[i].address.family != family)
                        continue;
                side->address = side->pod->places[i].address;
                return true;
        }
        return false;
}

/* What keeps them apart whatever policies say; NULL: nothing. */
static const char *settle_addresses(Side *from, Side *to) {
        if (from->pod && to->pod)
                return from->pod == to->pod ||
                                       meet(from->pod, to->pod, &from->address, &to->address)
                               ? NULL
                               : "they have no network in common";
        if (!from->pod && !to->pod)
                return "neither is a container";
        if (from->pod ? !own_address(from, to->address.family)
                      : !own_address(to, from->address.family))
                return "the container has no address of this family";
        return NULL;
}

static void explain(const PolicyReason *reason, bool has_pod, PolicyDirection direction,
                    ReasonDocument *ret) {
        const char *way = policy_direction_name(direction);

        ret->allowed = reason->allowed;
        ret->rule = reason->rule;
        ret->policy = reason->policy ? policy_key(reason->policy) : str_copy("");
        if (!has_pod)
                ret->reason = str_copy("it is no container");
        else if (!reason->policy)
                ret->reason = str_format("no policy selects it for %s", way);
        else if (reason->allowed)
                ret->reason = str_format("%s rule %d of policy %s allows it", way, reason->rule + 1,
                                         ret->policy);
        else
                ret->reason = str_format("policy %s selects it for %s, and no rule of any allows "
                                         "this",
                                         ret->policy, way);
}

static void answer(const Policies *policies, Side from, Side to, uint8_t protocol, int port,
                   AnswerDocument *ret) {
        const char *apart = settle_addresses(&from, &to);
        PolicyReason reasons[POLICY_DIRECTIONS];

        ret->allowed =
                policies_decide(policies->items, policies->count,
                                (PolicyParty){ from.pod ? &from.pod->pod : NULL, from.address },
                                (PolicyParty){ to.pod ? &to.pod->pod : NULL, to.address }, protocol,
                                (uint16_t)port, reasons);
        explain(&reasons[POLICY_EGRESS], from.pod != NULL, POLICY_EGRESS,
                &ret->sides[POLICY_EGRESS]);
        explain(&reasons[POLICY_INGRESS], to.pod != NULL, POLICY_INGRESS,
                &ret->sides[POLICY_INGRESS]);
        if (apart) {
                ret->allowed = false;
                ret->reason = str_copy(apart);
        } else if (from.pod && from.pod == to.pod) {
                ret->allowed = true;
                ret->reason = str_copy("a container always reaches itself");
        }
}

static int parse_protocol(const char *text, uint8_t *ret, Error *err) {
        for (size_t i = 0; i < ELEMENTS(protocols); i++) {
                if (!str_equal(text, protocols[i].name))
                        continue;
                *ret = protocols[i].number;
                return 0;
        }
        return error_kind(err, ERROR_INVALID, "protocol '%s' is none of tcp, udp, sctp", text);
}

int engine_policy_test(Engine *engine, const char *from, const char *to, int port,
                       const char *protocol, Buf *json, Error *err) {
        AnswerDocument document = { 0 };
        Pods pods = { 0 };
        Side a, b;
        uint8_t number = 0;
        int r = parse_protocol(protocol, &number, err);

        if (r < 0)
                return r;
        pods_gather(engine, &pods);
        r = find_side(engine, &pods, from, &a, err);
        if (r == 0)
                r = find_side(engine, &pods, to, &b, err);
        if (r == 0) {
                document.from = str_copy(from);
                document.to = str_copy(to);
                document.protocol = str_copy(protocol);
                document.port = port;
                lock_take(&engine->policies->lock, LOCK_POLICIES);
                answer(engine->policies, a, b, number, port, &document);
                lock_drop(&engine->policies->lock, LOCK_POLICIES);
                json_add_text(json, &answer_table, &document);
                json_done(&answer_table, &document);
        }
        pods_done(&pods);
        return r;
}
