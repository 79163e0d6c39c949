"""The stage of the truth table: a host, its LANs, brig's networks and containers on them. What is made is written down here once, and
rules.py reads the same. Everything lives in network namespaces of this process's own, besides the host's, in which the daemon runs."""
import concurrent.futures
import dataclasses
import ipaddress
import json
import os
import subprocess
import sys

sys.path.insert(1, os.path.join(os.path.dirname(__file__), "..", "policy"))
from stage import CLONE_NEWNET, Inside, libc

FAMILIES = (4, 6)
PRIVATE, OPEN = 7000, 7001  # every machine serves both; it is the second that containers publish
SERVED = (PRIVATE, OPEN)
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
PROTOCOLS = ("tcp", "udp", "sctp")


@dataclasses.dataclass(frozen=True)
class Network:
    name: str
    subnets: dict  # family → text; of the families that it has
    options: tuple = ()  # of `network create`
    driver: str = "bridge"
    lan: str = ""  # of macvlan and ipvlan: the LAN that its containers are on
    internal: bool = False
    icc: bool = True
    mode: str = "nat"
    masquerade: bool = True
    l3: bool = False

    def gateway(self, family):
        return str(ipaddress.ip_network(self.subnets[family])[1]) if family in self.subnets else None

    def on_host(self):
        """Whether the host has the gateway's address."""
        return self.driver == "bridge" and self.mode != "isolated"


def both(number):
    return {4: "172.%d.0.0/16" % number, 6: "fd00:%d::/64" % number}


def option(key, value):
    return ("--opt", "com.docker.network.bridge." + key + "=" + value)


def gateway_mode(mode):
    return option("gateway_mode_ipv4", mode) + option("gateway_mode_ipv6", mode)


# The host is .100 on each LAN, its machine .50. On the first, where macvlan is, there is a second machine.
LANS = {"lan0": {4: "192.168.1.%s/24", 6: "fd00:a:1::%s/64"},
        "lan1": {4: "192.168.2.%s/24", 6: "fd00:a:2::%s/64"},
        "lan2": {4: "192.168.3.%s/24", 6: "fd00:a:3::%s/64"}}


def on_lan(lan, host, family):
    return LANS[lan][family].split("/")[0] % host


def lan_network(name, driver, lan, *options):
    subnets = {family: str(ipaddress.ip_interface(LANS[lan][family] % 0).network) for family in FAMILIES}
    places = ("--gateway", on_lan(lan, 50, 4), "--ip-range", on_lan(lan, 128, 4) + "/25", "--gateway", on_lan(lan, 50, 6))
    return Network(name, subnets, ("-o", "parent=" + lan) + places + options, driver, lan)


NETWORKS = [
    Network("default", {4: "172.17.0.0/16"}),  # is there already, as "bridge"
    Network("front", both(28)),
    Network("back", both(29)),
    Network("quiet", both(31), option("enable_icc", "false"), icc=False),
    Network("inner", both(30), ("--internal",), internal=True),
    Network("isolated", both(24), ("--internal",) + gateway_mode("isolated"), internal=True, mode="isolated"),
    Network("routed", both(26), gateway_mode("routed"), mode="routed"),
    Network("unprotected", both(25), gateway_mode("nat-unprotected"), mode="nat-unprotected"),
    Network("plain", both(27), option("enable_ip_masquerade", "false"), masquerade=False),
    lan_network("macvlan", "macvlan", "lan0"),
    Network("lonely", both(21), driver="macvlan", internal=True),
]
# Where the kernel has ipvlan: each mode upon a parent of its own.
IPVLAN = [
    lan_network("flat", "ipvlan", "lan1"),
    Network("deep", both(20), ("-o", "parent=lan2", "-o", "ipvlan_mode=l3"), "ipvlan", "lan2", l3=True),
]

LAN, GATEWAY, LOCAL, ANY = "lan", "gateway", "loopback", "any"  # what a port is published on
PUBLISHED = {
    "default1": [(ANY, 8087)],
    "front1": [(ANY, 8080), (LAN, 8000), (GATEWAY, 8006)],
    "back1": [(LOCAL, 8081)],
    "quiet1": [(ANY, 8082)],
    "inner1": [(ANY, 8083)],
    "routed1": [(ANY, 8084)],
    "unprotected1": [(ANY, 8085)],
    "plain1": [(ANY, 8086)],
    "macvlan1": [(ANY, 8088)],
}


def published_on(where, network, family):
    return {LAN: on_lan("lan0", 100, family), GATEWAY: network.gateway(family), LOCAL: LOOPBACK[family], ANY: None}[where]


@dataclasses.dataclass
class Place:
    """A machine or a container: who it is for the rules, and its network namespace."""
    name: str
    kind: str  # host, neighbour, container
    fd: int = -1
    networks: list = dataclasses.field(default_factory=list)  # Network, of containers
    addresses: dict = dataclasses.field(default_factory=dict)  # (network's or LAN's name, family) → address
    lans: tuple = ()  # that it is on itself
    by_host: bool = False  # believes that the host is its router: for containers' subnets, and for 127.0.0.1
    back: tuple = ()  # names of networks to whose addresses it knows the way
    published: tuple = ()  # (where, host port), which lead to OPEN
    other: str = ""  # the name of the place whose namespace this is

    def all_addresses(self):
        return list(LOOPBACK.values()) + list(self.addresses.values())

    def has(self, family):
        return any(f == family for _, f in self.addresses)


def run(*command, **how):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **how)
    if done.returncode != 0:
        raise SystemExit("%s\n%s" % (" ".join(command), done.stdout))
    return done.stdout.strip()


def ip(place, *lines):
    with Inside(place.fd):
        run("ip", "-batch", "-", input="\n".join(lines) + "\n")


def sysctl(place, key, value):
    with Inside(place.fd), open("/proc/sys/net/" + key, "w") as file:
        file.write(value)


def new_netns():
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError("unshare")
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    libc.setns(Inside.home, CLONE_NEWNET)
    return fd


class World:
    def __init__(self, host_pid):
        self.networks = {}
        self.places = {}
        self.filtered = False  # br_netfilter shows IPv6 to the firewall
        self.host = self.add(Place("host", "host", os.open("/proc/%s/ns/net" % host_pid, os.O_RDONLY)))
        for lan in LANS:
            self.host.addresses.update({(lan, family): on_lan(lan, 100, family) for family in FAMILIES})

    def add(self, place):
        self.places[place.name] = place
        return place

    # ---- LANs ----

    def make_lans(self):
        # Neither is anybody's router, nor was the host before brig (see `run`).
        for lan in LANS:
            self.make_neighbour("lan" if lan == "lan0" else lan + "-machine", lan)
        # Who is on an ipvlan of mode l3 is found behind the host's address.
        router = self.places["lan2-machine"]
        router.back = ("deep",)
        ip(router, *("route add %s via %s" % (IPVLAN[1].subnets[family], on_lan("lan2", 100, family)) for family in FAMILIES))
        self.make_scout()

    def make_neighbour(self, name, lan):
        place = self.add(Place(name, "neighbour", new_netns(), lans=(lan,)))
        place.addresses = {(lan, family): on_lan(lan, 50, family) for family in FAMILIES}
        link = "switch" if lan == "lan0" else "eth0"
        ip(self.host, "link add %s type veth peer name cable netns /proc/%d/fd/%d" % (lan, os.getpid(), place.fd))
        ip(place, "link set lo up", *(["link add switch type bridge", "link set cable master switch up"] if lan == "lan0" else
                                      ["link set cable name eth0"]))
        sysctl(place, "ipv4/ip_forward", "0")
        for one, side, number in ((self.host, lan, 100), (place, link, 50)):
            ip(one, *("addr add %s dev %s nodad" % (LANS[lan][family] % number, side) for family in FAMILIES), "link set %s up" % side)

    def make_scout(self):
        """A machine of the first LAN that was told to go through the host: to the containers' subnets, and to 127.0.0.1."""
        scout = self.add(Place("scout", "neighbour", new_netns(), lans=("lan0",), by_host=True, back=tuple(n.name for n in NETWORKS)))
        scout.addresses = {("lan0", family): on_lan("lan0", 66, family) for family in FAMILIES}
        ip(self.places["lan"], "link add port type veth peer name eth0 netns /proc/%d/fd/%d" % (os.getpid(), scout.fd),
           "link set port master switch up")
        ip(scout, *("addr add %s dev eth0 nodad" % (LANS["lan0"][family] % 66) for family in FAMILIES), "link set eth0 up", "link set lo up",
           *("route add default via %s" % on_lan("lan0", 100, family) for family in FAMILIES),
           # Not its own any more, or it would take the answers for forged.
           "addr del 127.0.0.1/8 dev lo", "addr del ::1/128 dev lo", "route add 127.0.0.0/8 via " + on_lan("lan0", 100, 4),
           "route add ::1 via " + on_lan("lan0", 100, 6))
        sysctl(scout, "ipv4/conf/all/route_localnet", "1")

    # ---- brig's ----

    def make_networks(self):
        for network in NETWORKS + IPVLAN:
            if network.name != "default" and not self.make_network(network):
                continue
            self.networks[network.name] = network
            if network.on_host():
                self.host.addresses.update({(network.name, family): network.gateway(family) for family in network.subnets})
        for lan in ("lan1", "lan2"):
            if not any(network.lan == lan for network in self.networks.values()):
                print("# not shown here: this kernel has no ipvlan")
                return

    def make_network(self, network):
        command = ["brig", "network", "create", "-d", network.driver, "--ipv6", *network.options]
        for subnet in network.subnets.values():
            command += ["--subnet", subnet]
        if network.driver != "ipvlan":
            return run(*command, network.name)
        done = subprocess.run(command + [network.name], capture_output=True, text=True, check=False)
        if done.returncode != 0 and "kernel" not in done.stderr:
            raise SystemExit(done.stderr)
        return done.returncode == 0

    def make_container(self, name, networks, *options):
        place = Place(name, "container", networks=[self.networks[n] for n in networks], published=tuple(PUBLISHED.get(name, ())))
        command = ["brig", "run", "-d", "--name", name, *options]
        for network in networks:
            command += ["--network", "bridge" if network == "default" else network]
        command += self.port_options(place)
        run(*command, "busybox", "sleep", "100000")
        self.look_inside(place)
        return place

    def port_options(self, place):
        options = []
        for where, port in place.published:
            for family in FAMILIES if where != ANY else (4,):
                address = published_on(where, place.networks[0], family)
                host = "" if where == ANY else ("[%s]:" if family == 6 else "%s:") % address
                for protocol in PROTOCOLS:
                    options += ["-p", "%s%d:%d/%s" % (host, port, OPEN, protocol)]
        return options

    def look_inside(self, place):
        document = json.loads(run("brig", "inspect", place.name))[0]
        place.fd = os.open("/proc/%d/ns/net" % document["State"]["Pid"], os.O_RDONLY)
        for network in place.networks:
            there = document["NetworkSettings"]["Networks"]["bridge" if network.name == "default" else network.name]
            for family, key in ((4, "IPAddress"), (6, "GlobalIPv6Address")):
                if there[key]:
                    place.addresses[network.name, family] = there[key]

    def make_containers(self):
        """Two on each network, and the kinds that have none of their own. Their order in the table does not hang on who is started first."""
        wanted = [(name + number, [name]) for name in self.networks for number in "12"]
        wanted += [("both", ["front", "back"]), ("smuggler", ["inner"]), ("host-mode", [], "--network", "host"), ("none", [], "--network", "none")]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for place in list(pool.map(lambda one: self.make_container(*one), wanted)):
                self.add(place)
        shared = self.add(self.make_container("shared", [], "--network", "container:front1"))
        shared.other = "front1"
        self.places["host-mode"].other = "host"
        ip(self.places["smuggler"], *("route add default via %s" % self.networks["inner"].gateway(family) for family in FAMILIES))

    # ---- what the rules ask ----

    def self_of(self, place):
        """The place whose namespace it is: of mode host the host, of a container that joined another's that one."""
        return self.places[place.other] if place.other else place

    def owner(self, address):
        """Whose it is, and on which network or LAN; None: nobody's."""
        for place in self.places.values():
            for (name, _), one in place.addresses.items():
                if one == address:
                    return place, name
        return None, None
