#!/usr/bin/python3
"""network-churn.py SOCKET IMAGE SEED ROUNDS: ten clients at once make, change and remove 200 containers on 20 networks in random order, each
container ROUNDS times. Each container, and each network, is one client's to make and remove, so it knows what the daemon has acknowledged. Prints "kill" where
it wants the daemon to be killed and started anew, and is told on standard input that this was done; meanwhile and at the end it holds what is
there against what was acknowledged, and no address may be two endpoints'. In the end it has removed all. The last line is the tally, the exit
code tells."""
import http.client
import ipaddress
import json
import random
import re
import sys
import threading
import time

from api import Daemon

CLIENTS, CONTAINERS, NETWORKS = 10, 200, 20
PATIENCE = 60  # seconds in which a daemon comes back, or does something
KILL_AFTER = 60, 160  # operations between two kills
LOST = (OSError, http.client.HTTPException, json.JSONDecodeError)
PAGE = b"hello from a container"
# What another client, who removes a network meanwhile or fills the small one, may be the cause of.
RACES = re.compile(r"network \S+ not found|has active endpoints|is not connected to network|no available IPv[46] addresses|"
                   r"already exists in network|could not find an available, non-overlapping")


class Wrong(Exception):
    """The daemon did what it must not."""


class Refused(Exception):
    pass


class Progress:
    """Counts what was done, and asks for a kill now and then."""

    def __init__(self, seed):
        self.lock, self.random = threading.Lock(), random.Random(seed)
        self.done = self.kills = 0
        self.next = self.random.randint(*KILL_AFTER)
        self.refused, self.wrong = 0, []

    def step(self, kills=True):
        with self.lock:
            self.done += 1
            if kills and self.done >= self.next:
                self.kills += 1
                self.next = self.done + self.random.randint(*KILL_AFTER)
                print("kill", flush=True)

    def wait_for_kills(self):
        """Until all that were asked for are over, and the daemon there is the last one."""
        for _ in range(self.kills):
            if not sys.stdin.readline():
                raise Wrong("a kill was asked for and not done")

    def fail(self, text):
        with self.lock:
            self.wrong.append(text)
            print(text, file=sys.stderr, flush=True)


# ---- the networks ----

def network_body(name, number):
    """Five kinds: IPv4, both families, internal, macvlan that leads nowhere, and one of a subnet of its own, without ICC, both families.
    Number 0 is small and stays."""
    body = {"Name": name, "Driver": "bridge", "CheckDuplicate": True, "EnableIPv6": number % 5 in (1, 4)}
    if number == 0:
        body.update(EnableIPv6=True, IPAM={"Config": [{"Subnet": "10.77.0.0/28"}, {"Subnet": "fd77::/124"}]})
    elif number % 5 == 2:
        body["Internal"] = True
    elif number % 5 == 3:
        body["Driver"] = "macvlan"
    elif number % 5 == 4:
        body.update(IPAM={"Config": [{"Subnet": f"10.78.{number}.0/24"}, {"Subnet": f"fd78:{number}::/64"}]},
                    Options={"com.docker.network.bridge.enable_icc": "false"})
    return body


def endpoint_body(network, container):
    """On networks of a subnet of their own each container has its own address, always the same."""
    number = int(network[1:])
    if number == 0 or number % 5 != 4:
        return {}
    return {"IPAMConfig": {"IPv4Address": f"10.78.{number}.{container + 20}", "IPv6Address": f"fd78:{number}::{container + 20:x}"}}


# ---- one client ----

class Client(threading.Thread):
    def __init__(self, number, arguments, progress):
        super().__init__()
        self.socket, self.image, self.rounds = arguments
        self.progress, self.random = progress, random.Random(progress.random.random())
        self.engine = Daemon(self.socket)
        self.networks = {f"n{n}": None for n in range(number, NETWORKS, CLIENTS) if n != 0}  # name → id, where it is there
        self.containers = {n: None for n in range(number, CONTAINERS, CLIENTS)}  # number → {"id", "running", "networks"}
        self.left = {n: self.rounds for n in self.containers}
        self.kills = True

    # -- the daemon --

    def call(self, method, url, body=None):
        """None: the daemon went away, and nobody knows whether it was done."""
        try:
            answer = self.engine.call(method, url, body)
            self.progress.step(self.kills)
            return answer if answer else True
        except LOST:
            self.engine.close()
            self.engine = Daemon(self.socket)
            return None
        except RuntimeError as problem:
            self.progress.step(self.kills)
            if not RACES.search(str(problem)):
                raise Wrong(str(problem)) from None
            with self.progress.lock:
                self.progress.refused += 1
            raise Refused(str(problem)) from None

    def ask(self, url):
        """What is there now, None: nothing; the daemon may have to come back first."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                return self.engine.call("GET", url)
            except LOST:
                self.engine.close()
                self.engine = Daemon(self.socket)
                time.sleep(0.05)
            except RuntimeError as problem:
                if ": 404 " in str(problem):
                    return None
                raise Wrong(str(problem)) from None
        raise Wrong(f"no answer to {url}")

    # -- containers --

    def look(self, number):
        """The container as the daemon has it; None: there is none."""
        document = self.ask(f"/containers/w{number}/json")
        if not document or document["State"]["Status"] == "removing":
            return None
        return {"id": document["Id"], "running": document["State"]["Running"], "networks": set(document["NetworkSettings"]["Networks"])}

    def check(self, number):
        there = self.look(number)
        if there != self.containers[number]:
            raise Wrong(f"w{number} is {there}, and acknowledged was {self.containers[number]}")

    def one_of(self, number, *outcomes):
        """After an answer that was lost: as before, or done."""
        there = self.look(number)
        if there not in outcomes:
            raise Wrong(f"w{number} is {there} after a call that was cut off, and could be {outcomes}")
        self.containers[number] = there

    def create(self, number):
        networks = self.random.sample([f"n{n}" for n in range(NETWORKS)], self.random.choice([1, 1, 2]))
        exposed = {"80/tcp": [{"HostPort": str(20000 + number)}]} if number % 2 else {"80/tcp": [{"HostPort": ""}], "53/udp": [{"HostPort": ""}]}
        body = {"Image": self.image, "Cmd": ["httpd", "-f", "-p", "80", "-h", "/www"], "Labels": {"number": str(number)},
                "HostConfig": {"NetworkMode": networks[0], "PortBindings": exposed},
                "NetworkingConfig": {"EndpointsConfig": {name: endpoint_body(name, number) for name in networks}}}
        answer = self.call("POST", f"/containers/create?name=w{number}", body)
        if not answer:
            there = self.look(number)
            if there and (there["running"] or there["networks"] != set(networks)):
                raise Wrong(f"w{number} is {there} after its create was cut off")
            self.containers[number] = there
        else:
            self.containers[number] = {"id": answer["Id"], "running": False, "networks": set(networks)}
        if self.containers[number]:
            self.start_it(number)

    def start_it(self, number):
        before = self.containers[number]
        if self.call("POST", f"/containers/w{number}/start"):
            before["running"] = True
        else:
            self.one_of(number, before, {**before, "running": True})

    def stop_it(self, number):
        before = self.containers[number]
        if self.call("POST", f"/containers/w{number}/stop?t=0"):
            before["running"] = False
        else:
            self.one_of(number, before, {**before, "running": False})

    def remove(self, number):
        before = self.containers[number]
        if self.call("DELETE", f"/containers/w{number}?force=1"):
            self.containers[number] = None
        else:
            # It is killed, then removed.
            self.one_of(number, before, None, {**before, "running": False})

    def connect_it(self, number):
        before = self.containers[number]
        network = f"n{self.random.randrange(NETWORKS)}"
        if network in before["networks"]:
            return
        after = {**before, "networks": before["networks"] | {network}}
        if self.call("POST", f"/networks/{network}/connect", {"Container": f"w{number}", "EndpointConfig": endpoint_body(network, number)}):
            self.containers[number] = after
        else:
            self.one_of(number, before, after)

    def disconnect_it(self, number):
        before = self.containers[number]
        if not before["networks"]:
            return
        network = self.random.choice(sorted(before["networks"]))
        after = {**before, "networks": before["networks"] - {network}}
        if self.call("POST", f"/networks/{network}/disconnect", {"Container": f"w{number}"}):
            self.containers[number] = after
        else:
            self.one_of(number, before, after)

    # -- networks --

    def turn_network(self, name):
        there = self.ask(f"/networks/{name}")
        if (there and there["Id"]) != self.networks[name]:
            raise Wrong(f"network {name} is {there and there['Id']}, and acknowledged was {self.networks[name]}")
        answer = self.call("DELETE", f"/networks/{name}") if there else self.call("POST", "/networks/create", network_body(name, int(name[1:])))
        if not answer:
            after = self.ask(f"/networks/{name}")
            self.networks[name] = after and after["Id"]
        else:
            self.networks[name] = None if there else answer["Id"]

    # -- what it does --

    def act(self):
        alive = [n for n, there in self.containers.items() if there]
        dead = [n for n, there in self.containers.items() if not there and self.left[n]]
        if self.random.random() < 0.1:
            self.turn_network(self.random.choice(sorted(self.networks)))
        elif dead and self.random.random() < 0.5 or not alive:
            number = self.random.choice(dead)
            self.left[number] -= 1
            self.create(number)
        else:
            number = self.random.choice(alive)
            self.check(number)
            what = self.random.choice(["remove"] * 5 + ["connect", "connect", "disconnect", "restart"])
            if what == "remove":
                self.remove(number)
            elif what == "connect":
                self.connect_it(number)
            elif what == "disconnect":
                self.disconnect_it(number)
            else:
                self.stop_it(number) if self.containers[number]["running"] else self.start_it(number)

    def guarded(self, act, *arguments):
        try:
            act(*arguments)
        except Refused:
            pass
        except Wrong as problem:
            self.progress.fail(str(problem))
        except Exception as problem:
            self.progress.fail(f"{type(problem).__name__}: {problem}")
            raise

    def run(self):
        for name in self.networks:
            self.guarded(self.turn_network, name)
        while any(self.left.values()) and not self.progress.wrong:
            self.guarded(self.act)
        for number in self.containers:
            self.guarded(self.check, number)

    def clear(self):
        """Removes all that is its own, in random order."""
        numbers = [n for n, there in self.containers.items() if there]
        self.random.shuffle(numbers)
        for number in numbers:
            while self.containers[number] and not self.progress.wrong:  # its connection may be one to a daemon that was killed
                self.guarded(self.remove, number)


# ---- what must hold ----

def places(daemon, container):
    """(start, {(network, address)}) of a container; None: it is gone."""
    try:
        document = daemon.call("GET", f"/containers/{container}/json")
    except RuntimeError:
        return None
    found = {(one["NetworkID"], address) for one in document["NetworkSettings"]["Networks"].values()
             for address in (one["IPAddress"], one["GlobalIPv6Address"]) if address}
    return (document["State"]["StartedAt"], found) if document["State"]["Running"] else None


def check_addresses(daemon):
    """No two endpoints have one address: a list is not of one moment, so a pair is looked at again, the first one twice."""
    holders = {}
    for one in daemon.call("GET", "/containers/json"):
        for place in one["NetworkSettings"]["Networks"].values():
            for address in (place["IPAddress"], place["GlobalIPv6Address"]):
                if address:
                    holders.setdefault((place["NetworkID"], address), []).append(one["Id"])
    for key, ids in holders.items():
        for other in ids[1:]:
            first, second, again = places(daemon, ids[0]), places(daemon, other), places(daemon, ids[0])
            if first and first == again and second and key in first[1] and key in second[1]:
                raise Wrong(f"{ids[0]} and {other} both have {key}")


def watch(socket, progress, over):
    daemon = Daemon(socket)
    while not over.wait(0.5):
        try:
            check_addresses(daemon)
        except Wrong as problem:
            progress.fail(str(problem))
        except LOST + (RuntimeError,):
            daemon.close()
            daemon = Daemon(socket)


def addresses_inside(pid):
    """Of the network namespace, by what the kernel says."""
    with open(f"/proc/{pid}/net/fib_trie", encoding="utf8") as file:
        found = set(re.findall(r"\|-- (\S+)\n +/32 host LOCAL", file.read()))
    with open(f"/proc/{pid}/net/if_inet6", encoding="utf8") as file:
        for line in file:
            digits, _, _, scope, _, name = line.split()
            if int(scope, 16) == 0 and name != "lo":
                found.add(str(ipaddress.IPv6Address(bytes.fromhex(digits))))
    return {address for address in found if not address.startswith("127.")}


def answers(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return PAGE in connection.getresponse().read()
    except OSError as problem:
        print(problem, file=sys.stderr)
        return False


def audit(socket, clients):
    """Nothing is under way: what is there is what was acknowledged, in the kernel too. The number of containers."""
    daemon = Daemon(socket)
    known = {f"/w{number}" for client in clients for number, there in client.containers.items() if there}
    listed = {one["Names"][0] for one in daemon.call("GET", "/containers/json?all=1")}
    if listed != known:
        raise Wrong(f"containers {sorted(listed)} are there, and acknowledged were {sorted(known)}")
    known = {name for client in clients for name, there in client.networks.items() if there} | {"n0", "bridge", "host", "none"}
    listed = {one["Name"] for one in daemon.call("GET", "/networks")}
    if listed != known:
        raise Wrong(f"networks {sorted(listed)} are there, and acknowledged were {sorted(known)}")
    check_addresses(daemon)
    running = daemon.call("GET", "/containers/json")
    for one in running:
        document = daemon.call("GET", f"/containers/{one['Id']}/json")
        found, inside = places(daemon, one["Id"])[1], addresses_inside(document["State"]["Pid"])
        if {address for _, address in found} != inside:
            raise Wrong(f"{one['Names'][0]} has {inside}, and inspect says {found}")
        for binding in document["NetworkSettings"]["Ports"].get("80/tcp") or []:
            if binding["HostIp"] == "0.0.0.0" and not answers(int(binding["HostPort"])):
                raise Wrong(f"{one['Names'][0]}, pid {document['State']['Pid']}, does not answer at {binding}: {document['NetworkSettings']['Networks']}")
    return len(running)


def in_parallel(act, items):
    threads = [threading.Thread(target=act, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def fill(socket, image, progress):
    """Every address of the small network can be had, and no more: 13 of IPv4, as its own, the network's and the broadcast's are none."""
    daemon = Daemon(socket)
    started = []

    def start(number):
        own = Daemon(socket)
        try:
            own.call("POST", f"/containers/create?name=z{number}", {"Image": image, "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "n0"}})
            own.call("POST", f"/containers/z{number}/start")
            started.append(number)
        except RuntimeError as problem:
            if "no available IPv" not in str(problem):
                progress.fail(str(problem))
    in_parallel(start, range(14))
    if len(started) != 13:
        progress.fail(f"{len(started)} containers found an address on a network of 13")
    check_addresses(daemon)
    in_parallel(lambda number: Daemon(socket).call("DELETE", f"/containers/z{number}?force=1"), range(14))


def main():
    socket, image, seed, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    progress, over = Progress(seed), threading.Event()
    Daemon(socket).call("POST", "/networks/create", network_body("n0", 0))
    clients = [Client(number, (socket, image, rounds), progress) for number in range(CLIENTS)]
    watcher = threading.Thread(target=watch, args=(socket, progress, over))
    watcher.start()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    over.set()
    watcher.join()
    running = 0
    try:
        progress.wait_for_kills()
        for client in clients:
            client.kills = False
        running = audit(socket, clients)
        in_parallel(Client.clear, clients)
        fill(socket, image, progress)
    except (Wrong, RuntimeError, *LOST) as problem:
        progress.fail(str(problem))
    for network in Daemon(socket).call("GET", "/networks") if not progress.wrong else ():
        try:
            if re.match(r"n\d", network["Name"]):
                Daemon(socket).call("DELETE", f"/networks/{network['Name']}")
        except RuntimeError as problem:
            progress.fail(f"{problem}; {Daemon(socket).call('GET', '/networks/' + network['Name'])['Containers']}")
    print(f"{progress.done} operations, {progress.refused} of them refused for another client's doing, {progress.kills} kills, "
          f"{running} containers at the end, {len(progress.wrong)} wrong", flush=True)
    sys.exit(1 if progress.wrong else 0)


main()
