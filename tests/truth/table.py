#!/usr/bin/env python3
"""table.py HOST-PID [--table] [--rare]: who reaches whom, expected beside observed, between all machines and containers of world.py, for each address and
port below, by IPv4 and IPv6, TCP, UDP and SCTP. Prints TAP, one test for each of who asks, family and protocol, with what differs below it;
with --table every row; with --rare those alone that few kernels can show: ipvlan, and IPv4 by the kernel's own SCTP. Run by `run`, which makes the host and the daemon."""
import ipaddress
import os
import subprocess
import sys
import time

from prober import Prober, Question
from rules import expected
from world import FAMILIES, LOOPBACK, OPEN, PRIVATE, PROTOCOLS, PUBLISHED, Inside, World, on_lan

HOST_PORTS = sorted(port for some in PUBLISHED.values() for _, port in some)
FILTERS = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables")


def gateway(world, name):
    return {family: world.networks[name].gateway(family) for family in FAMILIES}


def targets(world):
    """(what it is, address by family, port): the same for all who ask. A family may lack the address."""
    for name, network in world.networks.items():
        one = world.places[name + "1"]
        own = {family: one.addresses.get((name, family)) for family in FAMILIES}
        yield one.name, own, PRIVATE
        if one.published:
            yield one.name + ", published", own, OPEN
        if network.driver == "bridge":
            yield "gateway of " + name, gateway(world, name), PRIVATE
    for place in world.places.values():
        for lan in place.lans:
            yield place.name, {family: place.addresses[lan, family] for family in FAMILIES}, PRIVATE
    for what, address, ports in (("host", {family: on_lan("lan0", 100, family) for family in FAMILIES}, [PRIVATE] + HOST_PORTS),
                                 ("loopback", LOOPBACK, [PRIVATE] + HOST_PORTS),
                                 ("gateway of front", gateway(world, "front"), [8080, 8000, 8006, 8081]),
                                 ("gateway of back", gateway(world, "back"), [8080, 8081]),
                                 ("gateway of inner", gateway(world, "inner"), [8080])):
        for port in ports:
            yield what, address, port


def ipvlan_networks(world):
    return [network for network in world.networks.values() if network.driver == "ipvlan"]


def is_rare(world, prober, question):
    """Whether a kernel without ipvlan and SCTP has no such row."""
    ipvlans = ipvlan_networks(world)
    asks = any(network in ipvlans for network in world.places[question.source].networks)
    answers = any(question.family in network.subnets and ipaddress.ip_address(question.address) in ipaddress.ip_network(network.subnets[question.family])
                  for network in ipvlans)
    return asks or answers or (question.protocol == "sctp" and question.family == 4 and not prober.raw_sctp)


def questions(world):
    for source in world.places:
        for family in FAMILIES:
            for protocol in PROTOCOLS:
                for what, address, port in targets(world):
                    if address.get(family):
                        question = Question(source, what, address[family], port, family, protocol)
                        question.expected = expected(world, world.places[source], question.address, port)
                        yield question


class Report:
    def __init__(self, options):
        self.whole, self.rare = "--table" in options, "--rare" in options
        self.tests, self.rows, self.failed = 0, 0, 0

    def line(self, one):
        print("# %-13s %-24s %-15s %5d  IPv%d %-4s  expected %-32s observed %s" % (
            one.source, one.target, one.address, one.port, one.family, one.protocol, one.expected or "nobody", one.observed or "nobody"))

    def group(self, some, mode):
        wrong = [one for one in some if one.expected != one.observed]
        self.tests, self.rows = self.tests + 1, self.rows + len(some)
        self.failed += bool(wrong)
        one = some[0]
        print("%s %d - %s by IPv%d, %s%s: %d ports, %d answer" % (
            "not ok" if wrong else "ok", self.tests, one.source, one.family, one.protocol, mode, len(some), sum(one.observed is not None for one in some)))
        for one in some if self.whole else wrong[:40]:
            self.line(one)
        sys.stdout.flush()


def compare(world, prober, report, mode):
    groups = {}
    for one in questions(world):
        if report.rare and not is_rare(world, prober, one):
            continue
        groups.setdefault((one.family, one.protocol), {}).setdefault(one.source, []).append(one)
    for by_source in groups.values():
        prober.ask([one for some in by_source.values() for one in some])
        for some in by_source.values():
            report.group(some, mode)


def set_filters(world, value):
    """br_netfilter, where the kernel has it, shows a bridge's own packets to the firewall; the daemon reads it when it starts."""
    with Inside(world.host.fd):
        for name in FILTERS:
            with open("/proc/sys/net/bridge/" + name, "w") as file:
                file.write(value)
    subprocess.run([os.path.join(os.path.dirname(__file__), "run"), "--restart"], check=True)


def main():
    begin = time.monotonic()
    world = World(sys.argv[1])
    world.make_lans()
    world.make_networks()
    world.make_containers()
    prober = Prober(world)
    report = Report(sys.argv[2:])
    print("# %.1f s to make %d machines and containers on %d networks; SCTP is %s" % (
        time.monotonic() - begin, len(world.places), len(world.networks), "raw" if prober.raw_sctp else "the kernel's"), flush=True)
    if os.path.exists("/proc/sys/net/bridge"):
        with Inside(world.host.fd), open("/proc/sys/net/bridge/" + FILTERS[1]) as file:
            world.filtered = file.read().strip() == "1"
        compare(world, prober, report, " with br_netfilter" if world.filtered else "")
        world.filtered = not world.filtered
        set_filters(world, "1" if world.filtered else "0")
    compare(world, prober, report, " with br_netfilter" if world.filtered else "")
    print("1..%d" % report.tests)
    print("# %d reachabilities in %.1f s, %d groups differ" % (report.rows, time.monotonic() - begin, report.failed))
    return 1 if report.failed or report.rows < 400 or (report.rare and not (ipvlan_networks(world) and not prober.raw_sctp)) else 0


if __name__ == "__main__":
    sys.exit(main())
