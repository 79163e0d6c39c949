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
        nft_value_class(&element->data, endpoint->class->number);
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

/* A container's address, and of which class it is. */
typedef struct Point {
        IpNumber number;
        const PolicyClass *class;
} Point;

typedef struct Points {
        Point *items; /* sorted */
        size_t count;
        int family;
} Points;

/* Elements of one class, direction and family, under way: neighbouring addresses with the same
 * ports become one. */
typedef struct Emitter {
        PolicyElements *to;
        const char *set;
        uint32_t class;
        int family;
        IpNumber first, last; /* what waits for its neighbour, where there are ports */
        PortSet ports;
} Emitter;

static void put_key(NftValue *key, const Emitter *emitter, IpNumber number, uint8_t protocol,
                    uint16_t port) {
        nft_value_class(key, emitter->class);
        nft_value_ip(key, (IpAddress){ number, emitter->family });
        nft_value_protocol(key, protocol);
        nft_value_port(key, port);
}

static void flush(Emitter *emitter) {
        static const PortRange everything = { 0, 0, UINT16_MAX };
        const PortSet *ports = &emitter->ports;
        const size_t count = ports->all ? 1 : ports->count;

        for (size_t i = 0; i < count; i++) {
                const PortRange range = ports->all ? everything : ports->ranges[i];
                NftElement *element = add(emitter->to, false, emitter->set);

                put_key(&element->key, emitter, emitter->first, range.protocol, range.first);
                put_key(&element->end, emitter, emitter->last,
                        ports->all ? UINT8_MAX : range.protocol, range.last);
        }
        port_set_done(&emitter->ports);
}

static void emit(Emitter *emitter, IpNumber first, IpNumber last, const PortSet *ports) {
        if (!port_set_empty(&emitter->ports) && emitter->last + 1 == first &&
            port_set_equal(&emitter->ports, ports)) {
                emitter->last = last;
                return;
        }
        flush(emitter);
        emitter->first = first;
        emitter->last = last;
        port_set_unite(&emitter->ports, ports);
}

/* The addresses of one span of blocks, and the containers in it that selectors let do more. *at:
 * the first point that is not behind the span. */
static void emit_span(Emitter *emitter, PolicyPlan *plan, PolicyDirection direction,
                      PolicyClass *class, const PolicySpan *span, const Points *points,
                      size_t *at) {
        IpNumber next = span->first.number;
        bool more = true;

        for (; *at < points->count && points->items[*at].number <= span->last.number; ++*at) {
                const Point *point = &points->items[*at];
                PortSet both = { 0 };

                port_set_unite(&both, &span->ports);
                port_set_unite(&both, policy_plan_ports(plan, direction, class, point->class));
                if (next < point->number)
                        emit(emitter, next, point->number - 1, &span->ports);
                emit(emitter, point->number, point->number, &both);
                port_set_done(&both);
                more = point->number < span->last.number;
                next = point->number + 1;
        }
        if (more)
                emit(emitter, next, span->last.number, &span->ports);
}

static void emit_points(Emitter *emitter, PolicyPlan *plan, PolicyDirection direction,
                        PolicyClass *class, const Points *points, size_t *at, IpNumber before,
                        bool all) {
        for (; *at < points->count && (all || points->items[*at].number < before); ++*at) {
                const Point *point = &points->items[*at];
                const PortSet *ports = policy_plan_ports(plan, direction, class, point->class);

                if (!port_set_empty(ports))
                        emit(emitter, point->number, point->number, ports);
        }
}

static int add_family(PolicyElements *to, PolicyPlan *plan, PolicyDirection direction,
                      PolicyClass *class, const Points *points, Error *err) {
        static const char *const sets[POLICY_DIRECTIONS][2] = { { "to4", "to6" },
                                                                { "from4", "from6" } };
        Emitter emitter = { .to = to,
                            .set = sets[direction][points->family == AF_INET ? 0 : 1],
                            .class = class->number,
                            .family = points->family };
        const PolicySpans *spans;
        size_t at = 0;
        int r = policy_plan_spans(plan, direction, class, points->family, &spans, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < spans->count; i++) {
                emit_points(&emitter, plan, direction, class, points, &at,
                            spans->items[i].first.number, false);
                emit_span(&emitter, plan, direction, class, &spans->items[i], points, &at);
        }
        emit_points(&emitter, plan, direction, class, points, &at, 0, true);
        flush(&emitter);
        return 0;
}

static int compare_points(const void *left, const void *right) {
        const Point *a = left, *b = right;

        return a->number < b->number ? -1 : a->number > b->number;
}

static void gather_points(const PolicyEndpoint *endpoints, size_t count, Points *to) {
        for (size_t i = 0; i < count; i++) {
                for (size_t n = 0; n < endpoints[i].address_count; n++) {
                        const IpAddress address = endpoints[i].addresses[n];

                        if (address.family != to->family)
                                continue;
                        GROW(to->items, to->count);
                        to->items[to->count++] = (Point){ address.number, endpoints[i].class };
                }
        }
        if (to->count > 1)
                qsort(to->items, to->count, sizeof(Point), compare_points);
}

static int add_allowed(PolicyElements *to, PolicyPlan *plan, const Points *points, Error *err) {
        PolicyClass **classes;
        const size_t count = policy_plan_classes(plan, &classes);
        const size_t before = to->count;

        for (size_t i = 0; i < count; i++) {
                for (PolicyDirection d = 0; d < POLICY_DIRECTIONS; d++) {
                        int r = 0;

                        if (!classes[i]->used || !classes[i]->selected[d])
                                continue;
                        for (size_t f = 0; r == 0 && f < 2; f++)
                                r = add_family(to, plan, d, classes[i], &points[f], err);
                        if (r == 0 && to->count - before > POLICY_ELEMENTS_MAX)
                                r = error_kind(err, ERROR_UNSUPPORTED,
                                               "the policies come to more than %d entries for %zu "
                                               "kinds of containers: let selectors tell fewer "
                                               "apart, or give them larger blocks of addresses",
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
                if (i == 0 ||
                    policy_element_compare(&elements->items[i], &elements->items[kept - 1]) != 0)
                        elements->items[kept++] = elements->items[i];
        elements->count = kept;
}

int policy_elements(PolicyPlan *plan, const PolicyEndpoint *endpoints, size_t count,
                    PolicyElements *ret, Error *err) {
        PolicyElements elements = { 0 };
        Points points[2] = { { .family = AF_INET }, { .family = AF_INET6 } };
        PolicyClass **classes;
        const size_t class_count = policy_plan_classes(plan, &classes);
        int r;

        for (size_t i = 0; i < class_count; i++)
                classes[i]->used = false;
        for (size_t i = 0; i < count; i++) {
                endpoints[i].class->used = true;
                for (size_t n = 0; n < endpoints[i].address_count; n++)
                        if (endpoints[i].addresses[n].family)
                                add_address(&elements, &endpoints[i], endpoints[i].addresses[n]);
                if (endpoints[i].beside_selected)
                        add_port(&elements, &endpoints[i]);
        }
        for (size_t f = 0; f < 2; f++)
                gather_points(endpoints, count, &points[f]);
        r = add_allowed(&elements, plan, points, err);
        free(points[0].items);
        free(points[1].items);
        if (r < 0) {
                policy_elements_done(&elements);
                return r;
        }
        sort(&elements);
        *ret = elements;
        return 0;
}

/* ---- between two states ---- */

/* Whether it is of what is allowed, and for which class: a number to compare, no more. */
static bool allows(const PolicyElement *element, uint32_t *ret_class) {
        static const char *const sets[] = { "to4", "to6", "from4", "from6" };

        for (size_t i = 0; !element->bridge && i < ELEMENTS(sets); i++) {
                if (!str_equal(element->element.set, sets[i]))
                        continue;
                memcpy(ret_class, element->element.key.bytes, sizeof(*ret_class));
                return true;
        }
        return false;
}

typedef struct Numbers {
        uint32_t *items; /* sorted, each as often as it comes */
        size_t count;
} Numbers;

static int compare_numbers(const void *left, const void *right) {
        const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

        return a < b ? -1 : a > b;
}

static void gather_classes(const PolicyElements *elements, Numbers *to) {
        uint32_t class;

        for (size_t i = 0; i < elements->count; i++) {
                if (!allows(&elements->items[i], &class) ||
                    (to->count > 0 && to->items[to->count - 1] == class))
                        continue;
                GROW(to->items, to->count);
                to->items[to->count++] = class;
        }
        if (to->count > 1)
                qsort(to->items, to->count, sizeof(*to->items), compare_numbers);
}

static void add_all(PolicyElements *to, const PolicyElements *from, const Numbers *without) {
        for (size_t i = 0; i < from->count; i++) {
                uint32_t class;

                if (without &&
                    (!allows(&from->items[i], &class) ||
                     (without->count > 0 && bsearch(&class, without->items, without->count,
                                                    sizeof(class), compare_numbers))))
                        continue;
                GROW(to->items, to->count);
                to->items[to->count++] = from->items[i];
        }
}

void policy_elements_with(const PolicyElements *base, const PolicyElements *other,
                          PolicyElements *ret) {
        Numbers known = { 0 };

        gather_classes(base, &known);
        *ret = (PolicyElements){ 0 };
        add_all(ret, base, NULL);
        add_all(ret, other, &known);
        sort(ret);
        free(known.items);
}
