#!/usr/bin/env python3
"""Who may reach whom by Kubernetes' NetworkPolicy documents: an oracle that shares nothing with brig but the documentation
("Network Policies", concepts/services-networking, and the API reference of networking.k8s.io/v1), and a generator of policies.

oracle.py generate SEED COUNT      prints COUNT policies, in sets of two to four, as a JSON list of lists
oracle.py decisions SOCKET SEED COUNT      compares the engine's table with the oracle's for each set
oracle.py probes SOCKET SEED COUNT SECONDS      the same with packets between the containers' network namespaces

The containers of the last two run already; their labels are what is asked of the engine. In every third set one or two of them are given
other labels while they run, after the set was compared, which is then compared again."""
import ipaddress
import json
import random
import sys

import yaml

sys.path.insert(0, __file__.rsplit("/", 1)[0])

PORTS = [8080, 9090]
PROTOCOLS = ["TCP", "UDP", "SCTP"]


# ---- the semantics ----

def selector_matches(selector, labels):
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions") or []:
        key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
        if operator == "In" and labels.get(key) not in values:
            return False
        if operator == "NotIn" and key in labels and labels[key] in values:
            return False
        if operator == "Exists" and key not in labels:
            return False
        if operator == "DoesNotExist" and key in labels:
            return False
    return True


def namespace_of(policy):
    return policy["metadata"].get("namespace", "default")


def types_of(policy):
    """Without policyTypes: Ingress always, Egress if there are any egress rules."""
    spec = policy["spec"]
    return spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def selects(policy, pod, kind):
    return kind in types_of(policy) and pod is not None and namespace_of(policy) == pod["namespace"] and \
        selector_matches(policy["spec"]["podSelector"], pod["labels"])


def peer_matches(peer, policy, other, address):
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        ip = ipaddress.ip_address(address)

        def inside(cidr):
            network = ipaddress.ip_network(cidr)
            return network.version == ip.version and ip in network
        return inside(block["cidr"]) and not any(inside(cidr) for cidr in block.get("except") or [])
    if other is None:
        return False
    if "namespaceSelector" in peer:
        if not selector_matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other["namespace"]}):
            return False
    elif other["namespace"] != namespace_of(policy):
        return False
    return "podSelector" not in peer or selector_matches(peer["podSelector"], other["labels"])


def port_matches(rule_port, protocol, port):
    if rule_port.get("protocol", "TCP") != protocol:
        return False
    if "port" not in rule_port:
        return True
    return rule_port["port"] <= port <= rule_port.get("endPort", rule_port["port"])


def rule_allows(rule, peers, policy, other, address, protocol, port):
    return (not rule.get(peers) or any(peer_matches(p, policy, other, address) for p in rule[peers])) and \
        (not rule.get("ports") or any(port_matches(p, protocol, port) for p in rule["ports"]))


def side_allows(policies, kind, pod, other, address, protocol, port):
    rules, peers = ("ingress", "from") if kind == "Ingress" else ("egress", "to")
    chosen = [policy for policy in policies if selects(policy, pod, kind)]
    return not chosen or any(rule_allows(rule, peers, policy, other, address, protocol, port)
                             for policy in chosen for rule in policy["spec"].get(rules) or [])


def allows(policies, source, source_address, target, target_address, protocol, port):
    """A new connection; source and target are containers, or None for what is outside."""
    if source is target:
        return True
    return side_allows(policies, "Egress", source, target, target_address, protocol, port) and \
        side_allows(policies, "Ingress", target, source, source_address, protocol, port)


# ---- the generator ----

NAMESPACES = ["default", "shop", "lab"]
LABELS = {"app": ["web", "db", "cache"], "tier": ["front", "back"], "stage": ["test", "live"]}


def some_selector(rng, labels):
    selector = {}
    kind = rng.random()
    if kind < 0.2:
        return selector
    if kind < 0.75:
        key = rng.choice(sorted(labels))
        selector["matchLabels"] = {key: rng.choice(labels[key])}
    if kind > 0.6:
        key = rng.choice(sorted(labels))
        operator = rng.choice(["In", "NotIn", "Exists", "DoesNotExist"])
        expression = {"key": key, "operator": operator}
        if operator in ("In", "NotIn"):
            expression["values"] = sorted(rng.sample(labels[key], rng.randint(1, len(labels[key]))))
        selector["matchExpressions"] = [expression]
    return selector


def some_block(rng):
    """Around the containers' addresses: 10.88.0.16 to .24 and fd88::10 to ::18."""
    if rng.random() < 0.3:
        whole = rng.choice(["::/0", "fd88::/64", "fd88::10/125"])
        parts = ["fd88::12/127", "fd88::11/128", "fd88::16/128"]
    else:
        whole = rng.choice(["0.0.0.0/0", "10.88.0.0/24", "10.88.0.16/29", "10.0.0.0/8"])
        parts = ["10.88.0.18/31", "10.88.0.17/32", "10.88.0.20/30", "10.88.0.23/32"]
    block = {"cidr": whole}
    network = ipaddress.ip_network(whole)
    inside = [p for p in parts if ipaddress.ip_network(p).subnet_of(network)]
    if inside and rng.random() < 0.6:
        block["except"] = sorted(rng.sample(inside, rng.randint(1, len(inside))))
    return block


def some_peer(rng):
    kind = rng.random()
    if kind < 0.25:
        return {"ipBlock": some_block(rng)}
    peer = {}
    if kind < 0.75:
        peer["podSelector"] = some_selector(rng, LABELS)
    if kind > 0.55:
        peer["namespaceSelector"] = some_selector(rng, {"kubernetes.io/metadata.name": NAMESPACES})
    return peer


def some_port(rng):
    port = {}
    if rng.random() < 0.7:
        port["protocol"] = rng.choice(PROTOCOLS)
    if rng.random() < 0.85:
        port["port"] = rng.choice(PORTS + [80, 8000, 9000])
        if rng.random() < 0.3:
            port["endPort"] = port["port"] + rng.choice([0, 10, 80, 1010, 2000])
    return port


def some_rule(rng, peers):
    rule = {}
    if rng.random() < 0.8:
        rule[peers] = [some_peer(rng) for _ in range(rng.randint(0 if rng.random() < 0.1 else 1, 3))]
    if rng.random() < 0.6:
        rule["ports"] = [some_port(rng) for _ in range(rng.randint(1, 3))]
    return rule


def some_policy(rng, name, namespace):
    spec = {"podSelector": some_selector(rng, LABELS)}
    for rules, peers in (("ingress", "from"), ("egress", "to")):
        if rng.random() < 0.65:
            spec[rules] = [some_rule(rng, peers) for _ in range(rng.randint(0 if rng.random() < 0.3 else 1, 3))]
    if rng.random() < 0.7:
        spec["policyTypes"] = rng.choice([["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Ingress", "Egress"]])
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def generate(seed, count):
    rng = random.Random(seed)
    sets = []
    while count > 0:
        size = min(count, rng.randint(2, 4))
        sets.append([some_policy(rng, "p%d" % i, NAMESPACES[(i + 1) % 3]) for i in range(size)])
        count -= size
    return sets


# ---- other labels for containers that run ----

PROJECT = "com.docker.compose.project"


def some_labels(rng):
    labels = {key: rng.choice(LABELS[key]) for key in sorted(LABELS) if rng.random() < 0.8}
    if rng.random() < 0.75:
        labels[PROJECT] = rng.choice(NAMESPACES)
    return labels


def relabel(rng, engine, pods):
    for pod in rng.sample(pods, rng.randint(1, 2)):
        engine.relabel(pod, some_labels(rng))


# ---- the comparison ----

def differences(policies, pods, family, said):
    """said(source, target, protocol, port): what the other party thinks, None: it was not asked."""
    for source in pods:
        for target in pods:
            for protocol in PROTOCOLS:
                for port in PORTS:
                    other = said(source, target, protocol, port)
                    expected = allows(policies, source, source[family], target, target[family], protocol, port)
                    if other is not None and other != expected:
                        yield "%s to %s (%s) %d/%s: %s, and the oracle says %s" % (
                            source["name"], target["name"], family, port, protocol, other, expected)


def compare_decisions(engine, policies, pods):
    table = {(pair["From"], pair["To"]): pair for pair in engine.get("/brig/policies/test")["Pairs"]}

    def said(source, target, protocol, port):
        pair = table[source["name"], target["name"]]
        return pair["All"] or any(r["Protocol"] == protocol.lower() and r["Port"] <= port <= r["EndPort"] for r in pair["Ports"])
    return list(differences(policies, pods, "ipv4", said))


def report(policies, wrong):
    for line in wrong[:10]:
        print(line)
    print(yaml.safe_dump_all(policies, sort_keys=False))
    return 1


def run(kind, socket_path, seed, count, seconds):
    from stage import Engine, Prober, Clock
    engine = Engine(socket_path)
    pods = engine.pods()
    clock = Clock(seconds)
    prober = Prober(pods) if kind == "probes" else None
    rng = random.Random(seed)
    done = probed = relabelled = 0
    for policies in generate(seed, count):
        if clock.is_over():
            break
        engine.set_policies(yaml.safe_dump_all(policies, sort_keys=False), policies)
        wrong = compare_decisions(engine, policies, pods)
        if rng.random() < 0.34 and not wrong:
            relabel(rng, engine, pods)
            relabelled += 1
            wrong = compare_decisions(engine, policies, pods)
        for family in ("ipv4", "ipv6") if prober else ():
            reached = prober.probe(family, lambda *flow: allows(policies, flow[0], flow[0][family], flow[1], flow[1][family], *flow[2:]))
            wrong += list(differences(policies, pods, family, lambda *flow: reached.get((flow[0]["name"], flow[1]["name"], *flow[2:]))))
            probed += len(reached)
        if wrong:
            return report(policies, wrong)
        done += len(policies)
    print("%d policies, %d containers, %d times other labels, %d probes: the same" % (done, len(pods), relabelled, probed))
    return 0 if done and len(pods) == 9 and (kind == "probes" or done == count) else 1


if __name__ == "__main__":
    if sys.argv[1] == "generate":
        print(json.dumps(generate(int(sys.argv[2]), int(sys.argv[3]))))
    else:
        sys.exit(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]) if len(sys.argv) > 5 else 1e9))
