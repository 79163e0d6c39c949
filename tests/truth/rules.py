"""Who answers, by Docker's rules, written from its documentation ("Bridge network driver", "Packet filtering and firewalls", "Port publishing
and mapping", "Macvlan", "IPvlan", "Host", "None") and from docs/net.md and docs/differences.md, not from brig's sources nor from what was seen.
No rule knows the protocol: TCP, UDP and SCTP are alike."""
from world import ANY, LOOPBACK, OPEN, SERVED, published_on


def expected(world, source, address, port):
    """Who answers `source` at this address and port, and under which address he sees it; None: nobody."""
    name = answers(world, source, address, port)
    return "%s as %s" % (name, seen(world, world.self_of(source), world.places[name], address)) if name else None


def answers(world, source, address, port):
    source = world.self_of(source)
    family = 6 if ":" in address else 4
    if address in LOOPBACK.values():
        return at_loopback(world, source, family, port)
    owner, place = world.owner(address)
    # An address that nobody has (an isolated network's gateway), or of a family that the source does not have.
    if owner is None or not source.has(family):
        return None
    if owner is source and owner is not world.host:
        return served(owner, port)
    if owner is world.host:
        return at_host(world, source, address, port)
    if owner.kind == "neighbour":
        return served(owner, port) if gets_to_neighbour(world, source, owner, place, family) else None
    return at_container(world, source, owner, world.networks[place], family, port)


def served(place, port):
    return place.name if port in SERVED else None


def has_way_out(world, place, family):
    """A container has one through the host if one of its bridges is not internal."""
    return any(n.driver == "bridge" and not n.internal and family in n.subnets for n in place.networks)


# ---- the host, and its published ports ----

def published(world, address, family, port):
    """Where a port of the host's leads. It is published in the families in which the container's network leads out; an internal network
    publishes nothing, a routed one is asked at its own addresses, and macvlan knows no ports."""
    for place in world.places.values():
        network = place.networks[0] if place.networks else None
        if not network or network.driver != "bridge" or network.internal or network.mode == "routed" or family not in network.subnets:
            continue
        for where, host_port in place.published:
            if host_port == port and (where == ANY or published_on(where, network, family) == address):
                return place.name
    return None


def at_loopback(world, source, family, port):
    """Everybody's loopback is its own. The host's has the ports that are published there or everywhere; who sends to it from outside,
    whatever routes he made, is not heard."""
    if source.by_host:
        return None
    if source is not world.host:
        return served(source, port)
    # ::1 refuses published ports where br_netfilter shows IPv6 to the firewall: docs/net.md.
    silent = family == 6 and world.filtered
    return (None if silent else published(world, LOOPBACK[family], family, port)) or served(source, port)


def at_host(world, source, address, port):
    family = 6 if ":" in address else 4
    if not gets_to_host(world, source, address, family):
        return None
    container = published(world, address, family, port)
    if container:
        # What an internal network's container asks for at its gateway would leave the network.
        return container if source.kind != "container" or has_way_out(world, source, family) else None
    return served(world.host, port)


def gets_to_host(world, source, address, family):
    """Addresses are the host's, not a link's: who gets to one gets to each that he has a way to. The host is open to containers, an
    internal one has its gateway alone."""
    if source is world.host:
        return True
    if source.kind == "neighbour":
        return source.by_host or any(world.host.addresses[lan, family] == address for lan in source.lans)
    if has_way_out(world, source, family):
        return True
    # macvlan and ipvlan: the kernel keeps the host and what is upon its link apart. An isolated network has no gateway.
    return any(n.on_host() and n.gateway(family) == address for n in source.networks)


# ---- the LANs' machines ----

def gets_to_neighbour(world, source, neighbour, lan, family):
    if source is world.host or lan in source.lans:
        return True
    if source.kind == "neighbour":
        return False  # the host forwarded for nobody before brig, and does not now
    for network in source.networks:
        if network.lan == lan:
            return not network.l3 or network.name in neighbour.back
    if not has_way_out(world, source, family):
        return False
    # Under the host's address, or else under his own, to which the neighbour must know the way.
    return any(n.driver == "bridge" and not n.internal and (is_masqueraded(n) or n.name in neighbour.back) for n in source.networks)


def is_masqueraded(network):
    return network.masquerade and network.mode != "routed"


# ---- containers at their own addresses ----

def at_container(world, source, target, network, family, port):
    if network in source.networks:
        return served(target, port) if network.icc else None
    if source is world.host:
        return served(target, port) if network.on_host() else None
    if network.internal:
        return None
    if network.lan:
        # It is a machine of that LAN; through the host leads no way to it.
        there = network.lan in source.lans and (not network.l3 or network.name in source.back)
        return served(target, port) if there else None
    if not (source.by_host or source.kind == "container" and has_way_out(world, source, family)):
        return None
    if network.mode == "nat-unprotected":
        return served(target, port)
    # A container's own address is closed, published port or not, but that a routed network's published ports have no other.
    return served(target, port) if network.mode == "routed" and port == OPEN and target.published else None


# ---- under which address ----

def seen(world, source, target, address):
    """A client's address stays what it is but where an answer would not come back: behind a port of the host's that it asks for from the same
    network or from loopback, and where it leaves a network whose packets go under the host's address."""
    family = 6 if ":" in address else 4
    if source is world.host:
        return from_host(world, target, address, family)
    if target is source and (address in source.addresses.values() or address in LOOPBACK.values()):
        return address
    if source.kind == "neighbour":
        return next(iter(a for (_, f), a in source.addresses.items() if f == family))
    for network in source.networks:
        if address in (target.addresses.get((network.name, family)), network.gateway(family) if target is world.host else None) or \
                (network.lan and network.lan in target.lans):
            return source.addresses[network.name, family]
    return under_way(world, source, target, family)


def from_host(world, target, address, family):
    if target is world.host:
        return address
    if target.kind == "neighbour":
        return world.host.addresses[target.lans[0], family]
    # What asks an address of its own asks from it. 127.0.0.1 means nothing to a container, and what comes from a network's subnet, though
    # the host's own address there, leaves under another.
    place = next((name for (name, _), one in world.host.addresses.items() if one == address), None)
    network = world.networks.get(place)
    own = place and not (network and network not in target.networks and not network.internal and is_masqueraded(network))
    return address if own else target.networks[0].gateway(family)


def under_way(world, source, target, family):
    """From a container through the host, by its default route: of two networks alike the first by name."""
    out = min((n for n in source.networks if n.on_host() and family in n.subnets and not n.internal), key=lambda n: n.name)
    if target.kind == "neighbour":
        return world.host.addresses[target.lans[0], family] if is_masqueraded(out) else source.addresses[out.name, family]
    if target is not world.host and (is_masqueraded(out) or out in target.networks):
        return target.networks[0].gateway(family)
    return source.addresses[out.name, family]
