/* policy-elements.c: see policy-elements.h. */
#include "net/policy-elements.h"

#include <string.h>

void policy_elements_done(PolicyElements *elements) {
        free(elements->items);
        *elements = (PolicyElements){ 0 };
}

static NftElement *add(PolicyElements *to, bool bridge, const char *set) {
        GROW(to->items, to->count);
        to->items[to->count] = (PolicyElement){ bridge, { .set = set } };
        return &to->items[to->count++].element;
}

static const char *by_family(IpAddress address, const char *ipv4, const char *ipv6) {
        return address.family == AF_INET ? ipv4 : ipv6;
}

/* ---- endpoints ---- */

static void add_address(PolicyElements *to, const PolicyEndpoint *endpoint, IpAddress address) {
        const bool out = endpoint->class->selected[POLICY_EGRESS];
        const bool in = endpoint->class->selected[POLICY_INGRESS];
        NftElement *element = add(to, false, by_family(address, "class4", "class6"));

        nft_value_ip(&element->key, address);
        nft_value_mark(&element->data, endpoint->class->number);
        if (out)
                nft_value_ip(&add(to, false, by_family(address, "judge_out4", "judge_out6"))->key,
                             address);
        if (in)
                nft_value_ip(&add(to, false, by_family(address, "judge_in4", "judge_in6"))->key,
                             address);
        if (!out && !in)
                return;
        nft_value_ip(&add(to, false, by_family(address, "judged4", "judged6"))->key, address);
        element = add(to, false, by_family(address, "self4", "self6"));
        nft_value_ip(&element->key, address);
        nft_value_ip(&element->key, address);
        element = add(to, true, by_family(address, "up4", "up6"));
        nft_value_ip(&element->key, address);
        nft_value_mac(&element->data, endpoint->router);
        element->data.length = POLICY_MAC_LENGTH; /* no field follows that would want padding */
}

/* What the bridge must know of a port, where one of its ports is judged. */
static void add_port(PolicyElements *to, const PolicyEndpoint *endpoint) {
        NftElement *element = add(to, true, "ports");

        nft_value_link(&element->key, endpoint->link);
        element = add(to, true, "router");
        nft_value_link(&element->key, endpoint->link);
        nft_value_mac(&element->key, endpoint->router);
        for (size_t i = 0; i < endpoint->address_count; i++) {
                const IpAddress address = endpoint->addresses[i];

                if (!address.family)
                        continue;
                element = add(to, true, by_family(address, "own4", "own6"));
                nft_value_link(&element->key, endpoint->link);
                nft_value_ip(&element->key, address);
        }
}

/* ---- what is allowed ---- */

/* Whom an element is about, without the ports. */
typedef struct Flow {
        const char *set;
        uint32_t subject, peer; /* classes; peer 0: first to last */
        IpAddress first, last;
} Flow;

static void put_key(NftValue *key, const Flow *flow, IpAddress address, uint8_t protocol,
                    uint16_t port) {
        nft_value_mark(key, flow->subject);
        if (flow->peer)
                nft_value_mark(key, flow->peer);
        else
                nft_value_ip(key, address);
        nft_value_protocol(key, protocol);
        nft_value_port(key, port);
}

static void add_flow(PolicyElements *to, const Flow *flow, const PortSet *ports) {
        const PortRange everything = { 0, 0, UINT16_MAX };
        const size_t count = ports->all ? 1 : ports->count;

        for (size_t i = 0; i < count; i++) {
                const PortRange range = ports->all ? everything : ports->ranges[i];
                NftElement *element = add(to, false, flow->set);

                put_key(&element->key, flow, flow->first, range.protocol, range.first);
                put_key(&element->end, flow, flow->last, ports->all ? UINT8_MAX : range.protocol,
                        range.last);
        }
}

static void add_classes(PolicyElements *to, const PolicyPlan *plan, PolicyDirection direction,
                        const PolicyClass *class) {
        PolicyClass **classes;
        const size_t count = policy_plan_classes(plan, &classes);

        for (size_t i = 0; i < count; i++) {
                const Flow flow = { .set = direction == POLICY_EGRESS ? "allow_out" : "allow_in",
                                    .subject = class->number,
                                    .peer = classes[i]->number };
                PortSet ports = { 0 };

                policy_plan_ports(plan, direction, class, classes[i], &ports);
                add_flow(to, &flow, &ports);
                port_set_done(&ports);
        }
}

static int add_spans(PolicyElements *to, const PolicyPlan *plan, PolicyDirection direction,
                     const PolicyClass *class, int family, Error *err) {
        static const char *const sets[POLICY_DIRECTIONS][2] = { { "to4", "to6" },
                                                                { "from4", "from6" } };
        PolicySpan *spans;
        size_t count;
        int r = policy_plan_spans(plan, direction, class, family, &spans, &count, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++) {
                const Flow flow = { .set = sets[direction][family == AF_INET ? 0 : 1],
                                    .subject = class->number,
                                    .first = spans[i].first,
                                    .last = spans[i].last };

                add_flow(to, &flow, &spans[i].ports);
        }
        policy_spans_free(spans, count);
        return 0;
}

static int add_allowed(PolicyElements *to, const PolicyPlan *plan, Error *err) {
        static const int families[] = { AF_INET, AF_INET6 };
        PolicyClass **classes;
        const size_t count = policy_plan_classes(plan, &classes);
        const size_t before = to->count;

        for (size_t i = 0; i < count; i++) {
                for (PolicyDirection d = 0; d < POLICY_DIRECTIONS; d++) {
                        int r = 0;

                        if (!classes[i]->selected[d])
                                continue;
                        add_classes(to, plan, d, classes[i]);
                        for (size_t f = 0; r == 0 && f < ELEMENTS(families); f++)
                                r = add_spans(to, plan, d, classes[i], families[f], err);
                        if (r == 0 && to->count - before > POLICY_ELEMENTS_MAX)
                                r = error_kind(err, ERROR_UNSUPPORTED,
                                               "the policies come to more than %d entries between "
                                               "%zu classes of containers: let selectors tell "
                                               "fewer of them apart",
                                               POLICY_ELEMENTS_MAX, count);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* ---- all ---- */

static int compare_values(const NftValue *a, const NftValue *b) {
        return a->length != b->length ? (a->length < b->length ? -1 : 1)
                                      : memcmp(a->bytes, b->bytes, a->length);
}

int policy_element_compare(const void *left, const void *right) {
        const PolicyElement *a = left, *b = right;
        int r = (int)a->bridge - (int)b->bridge;

        if (r == 0)
                r = strcmp(a->element.set, b->element.set);
        if (r == 0)
                r = compare_values(&a->element.key, &b->element.key);
        if (r == 0)
                r = compare_values(&a->element.end, &b->element.end);
        return r ?: compare_values(&a->element.data, &b->element.data);
}

static void sort(PolicyElements *elements) {
        size_t kept = 0;

        if (elements->count > 1)
                qsort(elements->items, elements->count, sizeof(*elements->items),
                      policy_element_compare);
        for (size_t i = 0; i < elements->count; i++)
                if (i == 0 || policy_element_compare(&elements->items[i],
                                                     &elements->items[kept - 1]) != 0)
                        elements->items[kept++] = elements->items[i];
        elements->count = kept;
}

int policy_elements(const PolicyPlan *plan, const PolicyEndpoint *endpoints, size_t count,
                    PolicyElements *ret, Error *err) {
        PolicyElements elements = { 0 };
        int r;

        for (size_t i = 0; i < count; i++) {
                for (size_t n = 0; n < endpoints[i].address_count; n++)
                        if (endpoints[i].addresses[n].family)
                                add_address(&elements, &endpoints[i], endpoints[i].addresses[n]);
                if (endpoints[i].beside_selected)
                        add_port(&elements, &endpoints[i]);
        }
        r = add_allowed(&elements, plan, err);
        if (r < 0) {
                policy_elements_done(&elements);
                return r;
        }
        sort(&elements);
        *ret = elements;
        return 0;
}
