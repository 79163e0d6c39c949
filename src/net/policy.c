/* policy.c: what policies decide, as Kubernetes' documentation has it ("Network Policies"):
 * policies add up, a rule's peers are alternatives, a peer's two selectors go together. Reading
 * them is policy-document.c's. */
#include "net/policy.h"

#include <netinet/in.h>

#include "net/policy-document.h"

const char *policy_direction_name(PolicyDirection direction) {
        return direction == POLICY_EGRESS ? "egress" : "ingress";
}

/* ---- selectors ---- */

static bool expression_matches(const PolicyExpression *expression, const Pairs *labels) {
        const char *value = pairs_get(labels, expression->key);

        if (str_equal(expression->operator, "Exists"))
                return value != NULL;
        if (str_equal(expression->operator, "DoesNotExist"))
                return value == NULL;
        if (str_equal(expression->operator, "In"))
                return value && strv_has(expression->values, value);
        return !value || !strv_has(expression->values, value); /* NotIn */
}

bool selector_matches(const PolicySelector *selector, const Pairs *labels) {
        const PolicyExpression *expressions = selector->expressions.items;

        for (size_t i = 0; i < selector->labels.count; i++) {
                const Pair *wanted = &selector->labels.items[i];
                const char *value = pairs_get(labels, wanted->key);

                if (!value || !str_equal(value, wanted->value))
                        return false;
        }
        for (size_t i = 0; i < selector->expressions.count; i++)
                if (!expression_matches(&expressions[i], labels))
                        return false;
        return true;
}

static bool namespace_matches(const PolicySelector *selector, const char *namespace) {
        Pair name = { (char *)POLICY_NAMESPACE_LABEL, (char *)namespace };
        const Pairs labels = { &name, 1 };

        return selector_matches(selector, &labels);
}

bool policy_selects(const Policy *policy, const PolicyPod *pod, PolicyDirection direction) {
        return strv_has(policy->types, direction == POLICY_EGRESS ? "Egress" : "Ingress") &&
               str_equal(policy->namespace, pod->namespace) &&
               selector_matches(policy->pods, pod->labels);
}

bool peer_selects(const PolicyPeer *peer, const char *namespace, const PolicyPod *pod) {
        if (!pod || peer->block)
                return false;
        if (peer->namespaces ? !namespace_matches(peer->namespaces, pod->namespace)
                             : !str_equal(namespace, pod->namespace))
                return false;
        return !peer->pods || selector_matches(peer->pods, pod->labels);
}

static bool block_has(const char *cidr, IpAddress address) {
        Subnet subnet;

        return policy_cidr_parse(cidr, &subnet) == 0 && subnet_has(subnet, address);
}

bool peer_has_address(const PolicyPeer *peer, IpAddress address) {
        if (!peer->block || !block_has(peer->block->cidr, address))
                return false;
        for (char **except = peer->block->except; except && *except; except++)
                if (block_has(*except, address))
                        return false;
        return true;
}

/* ---- rules ---- */

static bool rule_matches(const PolicyRule *rule, const char *namespace, PolicyParty party) {
        const PolicyPeer *peers = rule->peers.items;

        for (size_t i = 0; i < rule->peers.count; i++)
                if (peer_selects(&peers[i], namespace, party.pod) ||
                    peer_has_address(&peers[i], party.address))
                        return true;
        return rule->peers.count == 0;
}

void rule_add_ports(const PolicyRule *rule, PortSet *to) {
        const PolicyPort *ports = rule->ports.items;

        if (rule->ports.count == 0)
                port_set_add_all(to);
        for (size_t i = 0; i < rule->ports.count; i++)
                port_set_add(to, policy_port_range(&ports[i]));
}

bool policies_ports(const Policy *policies, size_t count, PolicyDirection direction,
                    const PolicyPod *pod, PolicyParty peer, PortSet *ret) {
        bool selected = false;

        for (size_t i = 0; pod && i < count; i++) {
                const PolicyRule *rules = policies[i].rules[direction].items;

                if (!policy_selects(&policies[i], pod, direction))
                        continue;
                selected = true;
                for (size_t n = 0; n < policies[i].rules[direction].count; n++)
                        if (rule_matches(&rules[n], policies[i].namespace, peer))
                                rule_add_ports(&rules[n], ret);
        }
        if (!selected)
                port_set_add_all(ret);
        return selected;
}

static bool rule_has_port(const PolicyRule *rule, uint8_t protocol, uint16_t port) {
        PortSet ports = { 0 };
        bool has;

        rule_add_ports(rule, &ports);
        has = port_set_has(&ports, protocol, port);
        port_set_done(&ports);
        return has;
}

static PolicyReason decide(const Policy *policies, size_t count, PolicyDirection direction,
                           const PolicyPod *pod, PolicyParty peer, uint8_t protocol,
                           uint16_t port) {
        PolicyReason reason = { .allowed = true, .rule = -1 };

        for (size_t i = 0; pod && i < count; i++) {
                const PolicyRule *rules = policies[i].rules[direction].items;

                if (!policy_selects(&policies[i], pod, direction))
                        continue;
                if (!reason.policy)
                        reason = (PolicyReason){ false, &policies[i], -1 };
                for (size_t n = 0; n < policies[i].rules[direction].count; n++)
                        if (rule_matches(&rules[n], policies[i].namespace, peer) &&
                            rule_has_port(&rules[n], protocol, port))
                                return (PolicyReason){ true, &policies[i], (int)n };
        }
        return reason;
}

bool policies_decide(const Policy *policies, size_t count, PolicyParty from, PolicyParty to,
                     uint8_t protocol, uint16_t port, PolicyReason reasons[POLICY_DIRECTIONS]) {
        reasons[POLICY_EGRESS] =
                decide(policies, count, POLICY_EGRESS, from.pod, to, protocol, port);
        reasons[POLICY_INGRESS] =
                decide(policies, count, POLICY_INGRESS, to.pod, from, protocol, port);
        return reasons[POLICY_EGRESS].allowed && reasons[POLICY_INGRESS].allowed;
}
