#!/usr/bin/python3
"""net.py: brigd's networks beside dockerd 20.10's, each in namespaces of its own with a LAN beside it, the same work by turns; prints medians, their ratio,
and whether it keeps the goal of docs/performance.md. Exits 1 where one does not. The load is netload.c's.

dockerd would take minutes to publish 5,000 ports, and a process for each: it publishes one, and the rules that it made for that are repeated for the other
4,999 with iptables-restore, in its own chains. A port's docker-proxy costs the same however many others there are: that one is enough."""
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / "bench"), str(TOP / "tests"), str(TOP / "tests/compare")]
from api import Daemon as Api, container  # noqa: E402
from compare import BUILD, DAEMONS, Daemon  # noqa: E402
from engine import command, timed  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
SECONDS = os.environ.get("BENCH_SECONDS", "2")  # of load a turn
FIRST, MANY, WEB = 10000, 5000, 15000
LAST = FIRST + MANY - 1
NETLOAD = BUILD / "netload"
HOST, LAN = "192.168.1.100", "192.168.1.50"


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def within(pid, *words, **options):
    """A command in the network namespace of that process."""
    return run("nsenter", "--target", pid, "--net", "--", *words, **options)


class Namespace:
    """A network namespace with loopback up, held by a process."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"], stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.pid = self.holder.pid

    def end(self):
        self.holder.kill()
        self.holder.wait()


def pair(left, right, left_link, left_address, right_address):
    """A veth pair from a process's namespace to a Namespace, where it is eth0."""
    within(left, "ip", "link", "add", left_link, "type", "veth", "peer", "name", "eth0", "netns", right.pid)
    for pid, link, address in ((left, left_link, left_address), (right.pid, "eth0", right_address)):
        within(pid, "ip", "address", "add", f"{address}/24", "dev", link)
        within(pid, "ip", "link", "set", link, "up")


class Host(Daemon):
    """A daemon and the LAN beside its host."""

    def __init__(self, name, kind):
        super().__init__(name, DAEMONS[kind])
        self.pid, self.api, self.servers = self.process.pid, Api(str(self.socket)), []
        self.lan = Namespace()
        pair(self.pid, self.lan, "lan0", HOST, LAN)
        for pid in (self.pid, self.lan.pid):  # else a round's closed connections are most of the table in the next
            within(pid, "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_close=1")
        command(self, "docker", "load", "-i", ARCHIVE + "/busybox.oci")
        self.api.call("POST", "/networks/create", {"Name": "net"})

    def started(self, name, ports, **more):
        """A container on the network "net" that publishes these ports under their own numbers."""
        body = container("busybox", ["sleep", "100000"], NetworkMode="net")
        body["ExposedPorts"] = {f"{port}/tcp": {} for port in ports}
        body["HostConfig"]["PortBindings"] = {f"{port}/tcp": [{"HostPort": str(port)}] for port in ports}
        body.update(more)
        self.api.call("POST", f"/containers/create?name={name}", body)
        self.api.call("POST", f"/containers/{name}/start")
        return self.api.call("GET", f"/containers/{name}/json")["State"]["Pid"]

    def serve(self, pid):
        self.servers.append(serve(pid))

    def end(self):
        for server in self.servers:
            server.kill()
            server.wait()
        self.lan.end()
        super().end()


def serve(pid):
    server = subprocess.Popen(["nsenter", "--target", str(pid), "--net", "--", NETLOAD, "serve", str(FIRST), str(LAST)], stdout=subprocess.PIPE)
    if server.stdout.readline() != b"ready\n":
        sys.exit("bench: netload serves nothing")
    return server


def repeat_rules(peer):
    """What dockerd made for one port, for the others: the same chains, the same order."""
    rules, table = [], None
    for line in within(peer.pid, "iptables-save").splitlines():
        if line.startswith("*"):
            table = line
        elif f"--dport {FIRST} " in line + " ":
            rules.append((table, line))
    if len({table for table, _ in rules}) < 2:
        sys.exit(f"bench: dockerd's rules of a published port are not known again: {rules}")
    for table, line in rules:
        lines = "\n".join(line.replace(str(FIRST), str(port)) for port in range(FIRST + 1, LAST + 1))
        within(peer.pid, "iptables-restore", "--noflush", input=f"{table}\n{lines}\nCOMMIT\n")


def by_turns(works, rounds=ROUNDS):
    """The median of each, after one round that does not count."""
    taken = [[work() for work in works] for _ in range(rounds + 1)][1:]
    return [statistics.median(each) for each in zip(*taken)]


def row(name, unit, peer, ours, goal):
    """goal: "<= 1.2" of the ratio ours / peer, or "ours <= 5" of ours alone; None: there is none."""
    ratio = ours / peer
    if goal is None:
        print(f"{name:66} {peer:10.4g} {ours:10.4g} {unit:5} {ratio:7.3f}", flush=True)
        return True
    sign, limit = goal.split()[-2:]
    value = ours if goal.startswith("ours") else ratio
    kept = value <= float(limit) if sign == "<=" else value >= float(limit)
    print(f"{name:66} {peer:10.4g} {ours:10.4g} {unit:5} {ratio:7.3f}   goal {goal:12} {'kept' if kept else 'MISSED'}", flush=True)
    return kept


# ---- the rows ----

def processor_time(pid):
    """Seconds that the threads of a process have had of the processors, those that are gone, too (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def reconnect(host):
    """Milliseconds of putting a running container with a published port on a network (address, names, port), and those in which the daemon worked."""
    def connect():
        host.api.call("POST", "/networks/net/connect", {"Container": "probe"})
    host.api.call("POST", "/networks/net/disconnect", {"Container": "probe"})
    before = processor_time(host.pid)
    return 1000 * timed(connect), 1000 * (processor_time(host.pid) - before)


def publishing(peer, ours):
    for host in (peer, *ours):
        host.started("probe", [9000])
        reconnect(host)
        if not host.api.call("GET", "/containers/probe/json")["NetworkSettings"]["Ports"]["9000/tcp"]:
            sys.exit(f"bench: {host.name}: the port is not published")
    rounds = [[reconnect(host) for host in (peer, *ours)] for _ in range(ROUNDS * 3 + 1)][1:]
    docker, none, thousand, many = ([statistics.median(each) for each in zip(*taken)] for taken in zip(*rounds))
    for host in (peer, *ours):
        host.api.call("DELETE", "/containers/probe?force=1")
    print(f"{'join a bridge with one port at 5,000 ports, asked to answered':66} {docker[0]:10.4g} {many[0]:10.4g} ms    {many[0] / docker[0]:7.3f}")
    return [row("the same, the daemon's processor time", "ms", docker[1], many[1], "ours <= 5"),
            row("the same in brigd at 1,000 ports, beside none", "ms", none[1], thousand[1], "<= 1.2"),
            row("the same in brigd at 5,000 ports, beside none", "ms", none[1], many[1], "<= 1.2")]


def connections(pid, address, last):
    return float(within(pid, NETLOAD, "connect", address, FIRST, last, SECONDS))


def rates(peer, ours):
    lan = by_turns([lambda host=host: connections(host.lan.pid, HOST, LAST) for host in (peer, ours)])
    loopback = by_turns([lambda host=host: connections(host.pid, "127.0.0.1", FIRST) for host in (peer, ours)])
    return [row("new connections from the LAN: iptables rules of 5,000 ports, brigd", "1/s", *lan, ">= 2.5"),
            row("new connections from loopback: docker-proxy, brigd", "1/s", *loopback, ">= 4")]


def web(pid):
    """A web server in that process's network namespace, with a page of 6 bytes."""
    folder = "/tmp/brig-bench-www"
    os.makedirs(folder, exist_ok=True)
    pathlib.Path(folder, "index.html").write_text("hello\n")
    server = subprocess.Popen(["nsenter", "--target", str(pid), "--net", "--", "busybox", "httpd", "-f", "-p", str(WEB), "-h", folder])
    while subprocess.run(["nsenter", "--target", str(pid), "--net", "--", NETLOAD, "get", "127.0.0.1", str(WEB), "1"], capture_output=True).returncode != 0:
        time.sleep(0.05)
    return server


class Kernel:
    """What the kernel alone asks for a network: a bridge with two namespaces on it and a LAN beside it, on a host that tracks connections, with one rule."""

    def __init__(self, stack):
        self.host, self.one, self.two, self.lan = [namespace(stack) for _ in range(4)]
        self.pid = self.host.pid
        pair(self.pid, self.lan, "lan0", "10.7.0.1", "10.7.0.2")
        within(self.pid, "sh", "-ec", "ip link add br0 type bridge; ip address add 10.8.0.1/24 dev br0; ip link set br0 up; echo 1 >/proc/sys/net/ipv4/ip_forward")
        for port, each, address in (("port1", self.one, "10.8.0.2"), ("port2", self.two, "10.8.0.3")):
            pair(self.pid, each, port, "10.8.0.4", address)
            within(self.pid, "sh", "-ec", f"ip address flush dev {port}; ip link set {port} master br0")
            within(each.pid, "ip", "route", "add", "default", "via", "10.8.0.1")
        within(self.lan.pid, "ip", "route", "add", "default", "via", "10.7.0.1")
        within(self.pid, "nft", "add table inet t; " + "; ".join(
            f"add chain inet t {hook} {{ type filter hook {hook} priority 0; }}; add rule inet t {hook} ct state established accept" for hook in ("input", "forward")))


def namespace(stack):
    made = Namespace()
    stack.callback(made.end)
    return made


def filter_bridges(pids, on):
    """Whether bridged packets pass the firewall, too (br_netfilter), as is usual where dockerd or Kubernetes have been."""
    for pid in pids:
        within(pid, "sh", "-ec", f"for i in iptables ip6tables arptables; do echo {on} >/proc/sys/net/bridge/bridge-nf-call-$i; done")


def latency(peer, ours):
    """As from one end of the bare pair to the other: to a published port from the daemon's host and from the LAN, and between containers of a network."""
    with contextlib.ExitStack() as stack:
        left, right, kernel = namespace(stack), namespace(stack), Kernel(stack)
        pair(left.pid, right, "eth0", "10.9.0.1", "10.9.0.2")
        for pid in (right.pid, kernel.one.pid):
            stack.callback(serve(pid).kill)
        for pid in (right.pid, kernel.one.pid, *(host.started("web", [WEB]) for host in (peer, ours))):
            stack.callback(web(pid).kill)
        askers = [host.started("beside", []) for host in (peer, ours)]
        addresses = [host.api.call("GET", "/containers/server/json")["NetworkSettings"]["Networks"]["net"]["IPAddress"] for host in (peer, ours)]
        bare = (left.pid, "10.9.0.2")
        ways = {"host to published port": (bare, (ours.pid, HOST), (kernel.pid, "10.8.0.2"), (peer.pid, HOST)),
                "LAN to published port": (bare, (ours.lan.pid, HOST), (kernel.lan.pid, "10.8.0.2"), (peer.lan.pid, HOST)),
                "container to container": (bare, (askers[1], addresses[1]), (kernel.two.pid, "10.8.0.2"), (askers[0], addresses[0]))}

        def turns(ends, mode, port, count):
            return by_turns([lambda pid=pid, address=address: float(within(pid, NETLOAD, mode, address, port, count)) / 1000 for pid, address in ends])
        kept = []
        print(f"{'bare veth pair, brigd; dockerd and a bridge that tracks beside the pair':66}")
        for on in ("1", "0") if os.path.exists("/proc/sys/net/bridge") else ("none",):
            if on != "none":
                filter_bridges((peer.pid, ours.pid, kernel.pid), on)
            for name, ends in ways.items():
                for what, *load in (("a kept connection", "request", FIRST, 10000), ("HTTP, a new one", "get", WEB, 1000)):
                    if what.startswith("HTTP") and name.startswith("container"):
                        continue  # the web servers are other containers
                    pair_us, mine, floor, docker = turns(ends, *load)
                    goal = "<= 1.05" if name.startswith("host") else None
                    title = f"{name}, {what}, br_netfilter {on}"
                    kept.append(row(title, "us", pair_us, mine, goal))
                    print(f"{'':66} bridge {floor / pair_us:6.3f}, dockerd {docker / pair_us:6.3f}", flush=True)
    return kept


def names(peer, ours):
    for host in (peer, ours):
        pid = host.started("asker", [])
        host.started("asked", [])
        sent, right, wrong, rate = within(pid, NETLOAD, "ask", "127.0.0.11", "asked", 10000, 5).split()
        lost = int(sent) - int(right) - int(wrong)
        print(f"{'DNS questions, 10,000 a second for five seconds: ' + host.name:66} {sent} asked, {lost} lost, {wrong} wrong", end="")
        kept = lost == 0 and wrong == "0" and float(rate) >= 9900
        print(f"   goal none      {'kept' if kept else 'MISSED'}" if host is ours else "", flush=True)
    return [kept]


ARCHIVE = "/tmp/brig-bench-image"
PARTS = {"publishing": publishing, "rates": rates, "latency": latency, "names": names}


def main(parts):
    run("cc", "-O2", "-Wall", "-D_GNU_SOURCE", "-o", NETLOAD, TOP / "bench/netload.c")
    run("bash", "-c", f"BRIG_SUITE_DIR={ARCHIVE}; . {TOP}/tests/lib.bash; [[ -e {ARCHIVE}/busybox.oci ]] || make_busybox_archive")
    kept = []
    with contextlib.ExitStack() as stack:
        def host(name, kind):
            made = Host(name, kind)
            stack.callback(made.end)
            return made
        peer, ours = host("dockerd", "dockerd"), host("brigd", "brigd")
        peer.serve(peer.started("server", [FIRST]))
        repeat_rules(peer)
        ours.serve(ours.started("server", range(FIRST, LAST + 1)))
        print(f"{'':66} {'peer':>10} {'brigd':>10}         ratio")
        for part in parts or PARTS:
            if part != "publishing":
                kept += PARTS[part](peer, ours)
                continue
            none, thousand = host("brigd-none", "brigd"), host("brigd-thousand", "brigd")
            thousand.started("server", range(FIRST, FIRST + 1000))
            kept += publishing(peer, (none, thousand, ours))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
