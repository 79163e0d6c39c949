/* policy-plan.c: see policy-plan.h. */
#include "net/policy-plan.h"

#include "net/policy-document.h"

typedef struct PolicyMemo {
        PolicySpans spans[POLICY_DIRECTIONS][2]; /* IPv4, IPv6 */
        PortSet **ports[POLICY_DIRECTIONS];      /* by the peer's index; NULL: not known yet */
        size_t count;                            /* of each of them */
} PolicyMemo;

struct PolicyPlan {
        const Policy *policies;
        size_t count;
        Map by_signature; /* → PolicyClass */
        PolicyClass **classes;
        size_t class_count;
        uint32_t before; /* the last class's number of the plan before */
};

PolicyPlan *policy_plan_new(const Policy *policies, size_t count, const PolicyPlan *before) {
        PolicyPlan *plan = NEW(PolicyPlan);

        plan->policies = policies;
        plan->count = count;
        /* Begins anew long before it could run over. */
        if (before && before->before < UINT32_MAX / 2)
                plan->before = before->before + (uint32_t)before->class_count;
        return plan;
}

static void memo_free(PolicyMemo *memo) {
        for (PolicyDirection d = 0; d < POLICY_DIRECTIONS; d++) {
                for (size_t f = 0; f < 2; f++) {
                        for (size_t i = 0; i < memo->spans[d][f].count; i++)
                                port_set_done(&memo->spans[d][f].items[i].ports);
                        free(memo->spans[d][f].items);
                }
                for (size_t i = 0; i < memo->count; i++) {
                        if (memo->ports[d][i])
                                port_set_done(memo->ports[d][i]);
                        free(memo->ports[d][i]);
                }
                free(memo->ports[d]);
        }
        free(memo);
}

PolicyPlan *policy_plan_free(PolicyPlan *plan) {
        if (!plan)
                return NULL;
        for (size_t i = 0; i < plan->class_count; i++) {
                memo_free(plan->classes[i]->memo);
                free((char *)plan->classes[i]->pod.namespace);
                pairs_done(&plan->classes[i]->labels);
                free(plan->classes[i]);
        }
        free(plan->classes);
        map_done(&plan->by_signature, NULL);
        free(plan);
        return NULL;
}

/* ---- classes ---- */

static void add_bit(Buf *signature, bool bit) {
        buf_add_char(signature, bit ? '1' : '0');
}

/* Every question that a policy asks of a pod, answered. */
static void add_answers(Buf *signature, const Policy *policy, const PolicyPod *pod) {
        add_bit(signature, str_equal(policy->namespace, pod->namespace) &&
                                   selector_matches(policy->pods, pod->labels));
        for (PolicyDirection d = 0; d < POLICY_DIRECTIONS; d++) {
                const PolicyRule *rules = policy->rules[d].items;

                for (size_t i = 0; i < policy->rules[d].count; i++) {
                        const PolicyPeer *peers = rules[i].peers.items;

                        for (size_t n = 0; n < rules[i].peers.count; n++)
                                add_bit(signature, peer_selects(&peers[n], policy->namespace, pod));
                }
        }
}

PolicyClass *policy_plan_class(PolicyPlan *plan, const PolicyPod *pod) {
        _cleanup_buf_ Buf signature = { 0 };
        PolicyClass *class;

        buf_add_char(&signature, ':');
        for (size_t i = 0; i < plan->count; i++)
                add_answers(&signature, &plan->policies[i], pod);
        class = map_get(&plan->by_signature, signature.data);
        if (class)
                return class;
        class = NEW(PolicyClass);
        class->memo = NEW(PolicyMemo);
        class->index = plan->class_count;
        class->number = plan->before + (uint32_t) class->index + 1;
        class->pod.namespace = str_copy(pod->namespace);
        pairs_copy(&class->labels, pod->labels);
        class->pod.labels = &class->labels;
        for (PolicyDirection d = 0; d < POLICY_DIRECTIONS; d++)
                for (size_t i = 0; i < plan->count; i++)
                        class->selected[d] |= policy_selects(&plan->policies[i], pod, d);
        GROW(plan->classes, plan->class_count);
        plan->classes[plan->class_count++] = class;
        (void)map_put(&plan->by_signature, signature.data, class);
        return class;
}

size_t policy_plan_classes(const PolicyPlan *plan, PolicyClass ***ret) {
        *ret = plan->classes;
        return plan->class_count;
}

/* ---- what selectors allow ---- */

static bool rule_selects(const PolicyRule *rule, const char *namespace, const PolicyPod *pod) {
        const PolicyPeer *peers = rule->peers.items;

        for (size_t i = 0; i < rule->peers.count; i++)
                if (peer_selects(&peers[i], namespace, pod))
                        return true;
        return false;
}

static void compute_ports(const PolicyPlan *plan, PolicyDirection direction,
                          const PolicyClass *class, const PolicyClass *peer, PortSet *ret) {
        for (size_t i = 0; i < plan->count; i++) {
                const Policy *policy = &plan->policies[i];
                const PolicyRule *rules = policy->rules[direction].items;

                if (!policy_selects(policy, &class->pod, direction))
                        continue;
                for (size_t n = 0; n < policy->rules[direction].count; n++)
                        if (rule_selects(&rules[n], policy->namespace, &peer->pod))
                                rule_add_ports(&rules[n], ret);
        }
}

const PortSet *policy_plan_ports(PolicyPlan *plan, PolicyDirection direction, PolicyClass *class,
                                 const PolicyClass *peer) {
        PolicyMemo *memo = class->memo;

        while (memo->count <= peer->index) {
                for (PolicyDirection d = 0; d < POLICY_DIRECTIONS; d++) {
                        size_t count = memo->count;

                        GROW(memo->ports[d], count);
                        memo->ports[d][count] = NULL;
                }
                memo->count++;
        }
        if (!memo->ports[direction][peer->index]) {
                memo->ports[direction][peer->index] = NEW(PortSet);
                compute_ports(plan, direction, class, peer, memo->ports[direction][peer->index]);
        }
        return memo->ports[direction][peer->index];
}

/* ---- what blocks of addresses allow ---- */

typedef struct Interval {
        IpNumber first, last;
        const PolicyRule *rule;
} Interval;

typedef struct Intervals {
        Interval *items;
        size_t count;
        int family;
} Intervals;

static IpNumber last_number(int family) {
        return family == AF_INET ? UINT32_MAX : ~(IpNumber)0;
}

static void add_interval(Intervals *to, IpNumber first, IpNumber last, const PolicyRule *rule) {
        GROW(to->items, to->count);
        to->items[to->count++] = (Interval){ first, last, rule };
}

/* Cuts a subnet out of those from `from` on. Subnets nest or are apart. */
static void cut(Intervals *from, size_t begin, Subnet hole) {
        const IpNumber first = hole.address.number, last = subnet_last(hole);
        const size_t count = from->count;

        for (size_t i = begin; i < count; i++) {
                const Interval whole = from->items[i];

                if (whole.first > last || whole.last < first || whole.first > whole.last)
                        continue;
                if (whole.last > last)
                        add_interval(from, last + 1, whole.last, whole.rule);
                if (whole.first < first)
                        from->items[i].last = first - 1;
                else
                        from->items[i] = (Interval){ 1, 0, whole.rule }; /* nothing is left */
        }
}

static void add_block(Intervals *to, const PolicyBlock *block, const PolicyRule *rule) {
        const size_t begin = to->count;
        Subnet subnet;

        if (policy_cidr_parse(block->cidr, &subnet) < 0 || subnet.address.family != to->family)
                return;
        add_interval(to, subnet.address.number, subnet_last(subnet), rule);
        for (char **except = block->except; except && *except && to->count <= POLICY_BLOCKS_MAX;
             except++)
                if (policy_cidr_parse(*except, &subnet) == 0)
                        cut(to, begin, subnet);
}

static void add_rule(Intervals *to, const PolicyRule *rule) {
        const PolicyPeer *peers = rule->peers.items;

        if (rule->peers.count == 0)
                add_interval(to, 0, last_number(to->family), rule);
        for (size_t i = 0; i < rule->peers.count; i++)
                if (peers[i].block)
                        add_block(to, peers[i].block, rule);
}

static int by_number(const void *left, const void *right) {
        const IpNumber a = *(const IpNumber *)left, b = *(const IpNumber *)right;

        return a < b ? -1 : a > b;
}

/* Where what is allowed may change; sorted. */
static size_t find_edges(const Intervals *intervals, IpNumber *edges) {
        size_t count = 0, kept = 0;

        for (size_t i = 0; i < intervals->count; i++) {
                const Interval *interval = &intervals->items[i];

                if (interval->first > interval->last)
                        continue;
                edges[count++] = interval->first;
                if (interval->last < last_number(intervals->family))
                        edges[count++] = interval->last + 1;
        }
        if (count > 1)
                qsort(edges, count, sizeof(*edges), by_number);
        for (size_t i = 0; i < count; i++)
                if (i == 0 || edges[i] != edges[kept - 1])
                        edges[kept++] = edges[i];
        return kept;
}

static void allowed_at(const Intervals *intervals, IpNumber number, PortSet *ret) {
        for (size_t i = 0; i < intervals->count; i++)
                if (intervals->items[i].first <= number && number <= intervals->items[i].last)
                        rule_add_ports(intervals->items[i].rule, ret);
}

static void make_spans(const Intervals *intervals, PolicySpans *ret) {
        const int family = intervals->family;
        _cleanup_free_ IpNumber *edges = NEW_ARRAY(IpNumber, 2 * intervals->count + 1);
        const size_t edge_count = find_edges(intervals, edges);
        PolicySpan *spans = NULL;
        size_t count = 0;

        for (size_t i = 0; i < edge_count; i++) {
                const IpNumber last = i + 1 < edge_count ? edges[i + 1] - 1 : last_number(family);
                PolicySpan span = { { edges[i], family }, { last, family }, { 0 } };

                allowed_at(intervals, edges[i], &span.ports);
                if (port_set_empty(&span.ports))
                        continue;
                if (count > 0 && spans[count - 1].last.number + 1 == edges[i] &&
                    port_set_equal(&spans[count - 1].ports, &span.ports)) {
                        spans[count - 1].last.number = last;
                        port_set_done(&span.ports);
                        continue;
                }
                GROW(spans, count);
                spans[count++] = span;
        }
        *ret = (PolicySpans){ spans, count, true };
}

int policy_plan_spans(PolicyPlan *plan, PolicyDirection direction, PolicyClass *class, int family,
                      const PolicySpans **ret, Error *err) {
        PolicySpans *spans = &class->memo->spans[direction][family == AF_INET ? 0 : 1];
        Intervals intervals = { .family = family };
        int r = 0;

        *ret = spans;
        if (spans->known)
                return 0;
        for (size_t i = 0; i < plan->count && intervals.count <= POLICY_BLOCKS_MAX; i++) {
                const Policy *policy = &plan->policies[i];
                const PolicyRule *rules = policy->rules[direction].items;

                if (!policy_selects(policy, &class->pod, direction))
                        continue;
                for (size_t n = 0; n < policy->rules[direction].count; n++)
                        add_rule(&intervals, &rules[n]);
        }
        if (intervals.count > POLICY_BLOCKS_MAX)
                r = error_kind(err, ERROR_UNSUPPORTED,
                               "the policies' ipBlocks for %s of one container come to more than "
                               "%d ranges of addresses: use larger blocks",
                               policy_direction_name(direction), POLICY_BLOCKS_MAX);
        else
                make_spans(&intervals, spans);
        free(intervals.items);
        return r;
}
