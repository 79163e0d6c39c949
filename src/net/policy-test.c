/* policy-test.c: what is read and refused, what policies decide, and what a firewall is told of it.
 * tests/policy compares decisions with an oracle of its own; here are the corners. */
#include <errno.h>
#include <netinet/in.h>

#include "base/test.h"
#include "net/policy-elements.h"

#define HEAD "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec:\n"

typedef struct Case {
        Policy *policies;
        size_t count;
} Case;

static void case_done(Case *c) {
        policies_free(c->policies, c->count);
        *c = (Case){ 0 };
}

static int parse(const char *text, Case *ret, Error *err) {
        return policy_parse(text, strlen(text), NULL, &ret->policies, &ret->count, err);
}

static char *refusal(const char *text) {
        Case c = { 0 };
        Error err = { 0 };
        int r = parse(text, &c, &err);

        case_done(&c);
        return str_copy(r < 0 ? err.message : "accepted");
}

#define REFUSED(text, expected)                                                                    \
        do {                                                                                       \
                _cleanup_free_ char *why_ = refusal(text);                                         \
                ASSERT_STR(why_, expected);                                                        \
        } while (0)

TEST(refused) {
        REFUSED("", "there is no policy in this file");
        REFUSED("kind: Pod\napiVersion: v1\n",
                "kind: 'Pod' is not supported: only NetworkPolicy is");
        REFUSED("kind: NetworkPolicy\napiVersion: extensions/v1beta1\n",
                "apiVersion: 'extensions/v1beta1' is not supported: only networking.k8s.io/v1 is");
        REFUSED(HEAD "  podselector: {}\n",
                "policy 'p': spec.podselector: there is no such field in a NetworkPolicy");
        REFUSED(HEAD "  policyTypes: [Ingress]\n", "policy 'p': spec: podSelector: is missing");
        REFUSED(HEAD "  podSelector: {matchLabels: {a: 1}}\n",
                "policy 'p': spec: podSelector.matchLabels: must be a string");
        REFUSED(HEAD "  podSelector: {}\n  policyTypes: [ingress]\n",
                "policy 'p': spec.policyTypes: 'ingress' is neither Ingress nor Egress");
        REFUSED(HEAD "  podSelector: {}\n  ingress: [null]\n",
                "policy 'p': spec.ingress[0]: must be an object");
        REFUSED(HEAD "  podSelector: {}\n  ingress: [{from: [{}]}]\n",
                "policy 'p': spec.ingress[0].from[0]: give podSelector, namespaceSelector or "
                "ipBlock (to allow everybody, leave out 'from' or 'to')");
        REFUSED(HEAD "  podSelector: {}\n  ingress: [{to: []}]\n",
                "policy 'p': spec.ingress[0].to: there is no such field in a NetworkPolicy");
        REFUSED(HEAD "  podSelector: {}\n"
                     "  ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]\n",
                "policy 'p': spec.ingress[0].from[0]: ipBlock goes with no selector: make it a "
                "peer of its own");
        REFUSED(HEAD "  podSelector: {}\n  egress: [{ports: [{port: http}]}]\n",
                "policy 'p': spec.egress[0].ports[0].port: 'http' is a name, and containers have "
                "no named ports: give a number");
        REFUSED(HEAD "  podSelector: {}\n  egress: [{ports: [{port: 80, endPort: 79}]}]\n",
                "policy 'p': spec.egress[0].ports[0].endPort: must be from 80 (port) to 65535");
        REFUSED(HEAD "  podSelector: {}\n  egress: [{ports: [{protocol: ICMP}]}]\n",
                "policy 'p': spec.egress[0].ports[0].protocol: 'ICMP' is none of TCP, UDP, SCTP");
        REFUSED(HEAD "  podSelector: {}\n"
                     "  egress: [{to: [{ipBlock: {cidr: 10.0.0.1/8}}]}]\n",
                "policy 'p': spec.egress[0].to[0].ipBlock.cidr: '10.0.0.1/8' is no subnet: write "
                "it like 192.168.1.0/24, without host bits");
        REFUSED(HEAD "  podSelector: {}\n"
                     "  egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]\n",
                "policy 'p': spec.egress[0].to[0].ipBlock.except: '11.0.0.0/16' does not lie "
                "strictly within 10.0.0.0/8");
        REFUSED(HEAD "  podSelector: {matchExpressions: [{key: a, operator: Is, values: [b]}]}\n",
                "policy 'p': spec.podSelector.matchExpressions[0].operator: 'Is' is none of In, "
                "NotIn, Exists, DoesNotExist");
        REFUSED(HEAD "  podSelector: {matchExpressions: [{key: a, operator: In}]}\n",
                "policy 'p': spec.podSelector.matchExpressions[0].values: must not be empty for "
                "operator In");
        REFUSED(HEAD "  podSelector: {}\n---\n" HEAD "  podSelector: {}\n",
                "policy 'default/p' comes twice");
}

static Pairs pairs(const char *key, const char *value) {
        Pairs result = { 0 };

        pairs_put(&result, key, value);
        return result;
}

static IpAddress ip(const char *text) {
        IpAddress address = { 0 };

        (void)ip_parse(text, &address);
        return address;
}

TEST(defaults) {
        Case c = { 0 };
        Error err = { 0 };

        ASSERT_OK(parse(HEAD "  podSelector: {}\n  egress: []\n---\n"
                             "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
                             "metadata: {name: q, namespace: shop}\n"
                             "spec: {podSelector: {}, egress: [{}], status: null}\n",
                        &c, &err) == -EINVAL
                          ? 0
                          : -1,
                  &err);
        ASSERT_OK(parse(HEAD "  podSelector: {}\n  egress: []\n---\n"
                             "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
                             "metadata: {name: q, namespace: shop}\n"
                             "spec: {podSelector: {}, egress: [{}]}\n",
                        &c, &err),
                  &err);
        ASSERT_INT(c.count, 2);
        ASSERT_STR(c.policies[0].namespace, "default");
        ASSERT_INT(strv_length(c.policies[0].types), 1);
        ASSERT_STR(c.policies[0].types[0], "Ingress");
        ASSERT_STR(c.policies[1].namespace, "shop");
        ASSERT_INT(strv_length(c.policies[1].types), 2);
        case_done(&c);
}

TEST(decisions) {
        Case c = { 0 };
        Error err = { 0 };
        PolicyReason reasons[POLICY_DIRECTIONS];
        Pairs web = pairs("app", "web"), db = pairs("app", "db");
        const PolicyPod pods[] = { { "default", &web }, { "default", &db }, { "other", &web } };
        const PolicyParty parties[] = { { &pods[0], ip("10.0.0.1") },
                                        { &pods[1], ip("10.0.0.2") },
                                        { &pods[2], ip("10.0.0.3") },
                                        { NULL, ip("192.168.1.9") } };

        ASSERT_OK(parse(HEAD "  podSelector: {matchLabels: {app: db}}\n"
                             "  ingress:\n"
                             "  - from: [{podSelector: {matchLabels: {app: web}}}]\n"
                             "    ports: [{port: 5432}]\n"
                             "  - from: [{ipBlock: {cidr: 192.168.0.0/16, except: "
                             "[192.168.2.0/24]}}]\n",
                        &c, &err),
                  &err);
#define DECIDE(from, to, port)                                                                     \
        policies_decide(c.policies, c.count, parties[from], parties[to], IPPROTO_TCP, port, reasons)
        ASSERT(DECIDE(0, 1, 5432));
        ASSERT_INT(reasons[POLICY_INGRESS].rule, 0);
        ASSERT(!reasons[POLICY_EGRESS].policy);
        ASSERT(!DECIDE(0, 1, 5433));
        ASSERT_INT(reasons[POLICY_INGRESS].rule, -1);
        ASSERT_STR(reasons[POLICY_INGRESS].policy->name, "p");
        ASSERT(!DECIDE(2, 1, 5432)); /* the same label, another namespace */
        ASSERT(DECIDE(3, 1, 1));
        ASSERT_INT(reasons[POLICY_INGRESS].rule, 1);
        ASSERT(DECIDE(1, 0, 80)); /* not selected */
        ASSERT(!policies_decide(c.policies, c.count, (PolicyParty){ NULL, ip("192.168.2.1") },
                                parties[1], IPPROTO_TCP, 5432, reasons));
        case_done(&c);
        pairs_done(&web);
        pairs_done(&db);
}

TEST(port_sets) {
        PortSet a = { 0 }, b = { 0 }, both = { 0 };

        port_set_add(&a, (PortRange){ IPPROTO_TCP, 80, 90 });
        port_set_add(&a, (PortRange){ IPPROTO_TCP, 91, 95 });
        port_set_add(&a, (PortRange){ IPPROTO_UDP, 53, 53 });
        port_set_add(&a, (PortRange){ IPPROTO_TCP, 10, 20 });
        ASSERT_INT(a.count, 3);
        ASSERT(port_set_has(&a, IPPROTO_TCP, 95) && !port_set_has(&a, IPPROTO_TCP, 96));
        port_set_add(&b, (PortRange){ IPPROTO_TCP, 15, 85 });
        port_set_intersect(&a, &b, &both);
        ASSERT_INT(both.count, 2);
        ASSERT(port_set_has(&both, IPPROTO_TCP, 15) && port_set_has(&both, IPPROTO_TCP, 85));
        ASSERT(!port_set_has(&both, IPPROTO_TCP, 21) && !port_set_has(&both, IPPROTO_UDP, 53));
        port_set_done(&both);
        port_set_add_all(&b);
        port_set_intersect(&a, &b, &both);
        ASSERT(port_set_equal(&a, &both));
        port_set_add(&a, (PortRange){ IPPROTO_TCP, 0, UINT16_MAX });
        ASSERT_INT(a.count, 2);
        port_set_done(&a);
        port_set_done(&b);
        port_set_done(&both);
}

TEST(spans) {
        _cleanup_(policy_plan_freep) PolicyPlan *plan = NULL;
        Case c = { 0 };
        Error err = { 0 };
        Pairs none = { 0 };
        const PolicyPod pod = { "default", &none };
        const PolicySpans *spans;

        ASSERT_OK(parse(HEAD "  podSelector: {}\n"
                             "  ingress:\n"
                             "  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]\n"
                             "    ports: [{port: 80}]\n"
                             "  - from: [{ipBlock: {cidr: 10.0.0.0/16}}]\n"
                             "    ports: [{port: 81}]\n"
                             "  - ports: [{port: 443}]\n",
                        &c, &err),
                  &err);
        plan = policy_plan_new(c.policies, c.count, NULL);
        ASSERT_OK(policy_plan_spans(plan, POLICY_INGRESS, policy_plan_class(plan, &pod), AF_INET,
                                    &spans, &err),
                  &err);
        /* before 10/8, 10.0/16 with 80, 81 and 443, 10.1/16 with 443, the rest of 10/8, behind */
        ASSERT_INT(spans->count, 5);
        ASSERT(spans->items[0].first.number == 0);
        ASSERT(port_set_has(&spans->items[1].ports, IPPROTO_TCP, 81));
        ASSERT(!port_set_has(&spans->items[2].ports, IPPROTO_TCP, 80));
        ASSERT(port_set_has(&spans->items[3].ports, IPPROTO_TCP, 80));
        ASSERT(spans->items[4].last.number == UINT32_MAX);
        ASSERT_OK(policy_plan_spans(plan, POLICY_INGRESS, policy_plan_class(plan, &pod), AF_INET6,
                                    &spans, &err),
                  &err);
        ASSERT_INT(spans->count, 1);
        case_done(&c);
}

/* A thousand containers of ten projects and three roles under fifty policies: what the firewall is
 * told grows with the containers and with the classes, not with pairs. */
TEST(a_thousand_containers) {
        _cleanup_(policy_plan_freep) PolicyPlan *plan = NULL;
        _cleanup_buf_ Buf text = { 0 };
        Case c = { 0 };
        Error err = { 0 };
        PolicyEndpoint *endpoints = NEW_ARRAY(PolicyEndpoint, 1000);
        IpAddress *addresses = NEW_ARRAY(IpAddress, 1000);
        PolicyElements elements = { 0 };
        PolicyClass **classes;
        char links[1000][16];

        for (int i = 0; i < 50; i++)
                buf_format(&text,
                           "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
                           "metadata: {name: p%d, namespace: n%d}\n"
                           "spec: {podSelector: {matchLabels: {role: r%d}}, ingress: [{from: "
                           "[{podSelector: {}}], ports: [{port: %d}]}]}\n",
                           i, i % 10, i % 3, 80 + i);
        ASSERT_OK(parse(text.data, &c, &err), &err);
        plan = policy_plan_new(c.policies, c.count, NULL);
        for (unsigned i = 0; i < 1000; i++) {
                _cleanup_free_ char *namespace = str_format("n%u", i % 10);
                _cleanup_free_ char *role = str_format("r%u", i / 10 % 3);
                Pairs labels = pairs("role", role);
                const PolicyPod pod = { namespace, &labels };

                (void)snprintf(links[i], sizeof(links[i]), "veth%u", i);
                addresses[i] = (IpAddress){ 0x0a000000 + i, AF_INET };
                endpoints[i] = (PolicyEndpoint){ .link = links[i],
                                                 .addresses = &addresses[i],
                                                 .address_count = 1,
                                                 .class = policy_plan_class(plan, &pod),
                                                 .beside_selected = true };
                pairs_done(&labels);
        }
        ASSERT_INT(policy_plan_classes(plan, &classes), 30);
        ASSERT_OK(policy_elements(plan, endpoints, 1000, &elements, &err), &err);
        ASSERT(elements.count > 1000 && elements.count < 16000);
        policy_elements_done(&elements);
        free(endpoints);
        free(addresses);
        case_done(&c);
}

/* Of a state to come, what is allowed to classes that are not known yet can be there before. */
TEST(between_two_states) {
        _cleanup_(policy_plan_freep) PolicyPlan *plan = NULL, *next = NULL;
        PolicyElements old = { 0 }, new = { 0 }, between = { 0 };
        IpAddress addresses[] = { { 0x0a000001, AF_INET }, { 0x0a000002, AF_INET } };
        PolicyEndpoint endpoints[2];
        Case c = { 0 };
        Error err = { 0 };

        ASSERT_OK(parse(HEAD "  podSelector: {matchLabels: {role: a}}\n"
                             "  ingress: [{ports: [{port: 80}]}]\n",
                        &c, &err),
                  &err);
        for (int step = 0; step < 2; step++) {
                PolicyPlan **made = step == 0 ? &plan : &next;

                *made = policy_plan_new(c.policies, c.count, plan);
                for (int i = 0; i < 2; i++) {
                        Pairs labels = pairs("role", i == 0 ? "a" : "b");
                        const PolicyPod pod = { "default", &labels };

                        endpoints[i] = (PolicyEndpoint){ .link = i == 0 ? "veth0" : "veth1",
                                                         .addresses = &addresses[i],
                                                         .address_count = 1,
                                                         .class = policy_plan_class(*made, &pod) };
                        ASSERT_INT(endpoints[i].class->number, step * 2 + i + 1);
                        pairs_done(&labels);
                }
                ASSERT_OK(policy_elements(*made, endpoints, 2, step == 0 ? &old : &new, &err),
                          &err);
        }
        policy_elements_with(&old, &new, &between);
        /* One element a family, IPv6's for everybody too. */
        ASSERT_INT(between.count, old.count + 2);
        policy_elements_done(&between);
        policy_elements_with(&new, &new, &between);
        ASSERT_INT(between.count, new.count);
        policy_elements_done(&between);
        policy_elements_done(&old);
        policy_elements_done(&new);
        case_done(&c);
}

TEST_MAIN()
