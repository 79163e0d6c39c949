"""What oracle.py compares with: the engine over its socket, and packets between the containers' network namespaces."""
import ctypes
import http.client
import json
import os
import select
import socket
import struct
import time

PORTS = [8080, 9090]
PATIENCE = 5.0  # for what must arrive
SILENCE = 0.15  # in which nothing more may arrive


class Clock:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def is_over(self):
        return time.monotonic() > self.end


# ---- the engine ----

class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("d", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def namespace_of(labels):
    return labels.get("com.docker.compose.project", "default")


class Engine:
    def __init__(self, path):
        self.path = path
        self.names = set()

    def ask(self, method, path, body=None):
        connection = Connection(self.path)
        connection.request(method, path, body, {"Content-Type": "application/json"} if path.endswith("/update") else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise SystemExit("%s %s: %d %s" % (method, path, answer.status, text.decode()))
        return json.loads(text) if text else None

    def get(self, path):
        return self.ask("GET", path)

    def inside(self, name):
        return Inside(os.open("/proc/%d/ns/net" % self.get("/containers/%s/json" % name)["State"]["Pid"], os.O_RDONLY))

    def pods(self):
        """Running containers that are on the network 'stage'."""
        pods = []
        for one in self.get("/containers/json"):
            document = self.get("/containers/%s/json" % one["Id"])
            place = document["NetworkSettings"]["Networks"].get("stage")
            if not place:
                continue
            labels = document["Config"]["Labels"]
            pods.append({"name": document["Name"].lstrip("/"), "labels": labels, "pid": document["State"]["Pid"],
                         "namespace": namespace_of(labels), "ipv4": place["IPAddress"], "ipv6": place["GlobalIPv6Address"]})
        return sorted(pods, key=lambda pod: pod["name"])

    def relabel(self, pod, labels):
        """The container has these labels from now on, and no others."""
        gone = sorted(set(pod["labels"]) - set(labels))
        self.ask("POST", "/containers/%s/update" % pod["name"], json.dumps({"Labels": labels, "LabelsRemoved": gone}))
        if self.get("/containers/%s/json" % pod["name"])["Config"]["Labels"] != labels:
            raise SystemExit("%s does not have the labels %s" % (pod["name"], labels))
        pod["labels"], pod["namespace"] = labels, namespace_of(labels)

    def set_policies(self, text, policies):
        wanted = {(p["metadata"]["namespace"], p["metadata"]["name"]) for p in policies}
        there = {(p["metadata"]["namespace"], p["metadata"]["name"]) for p in self.get("/brig/policies")}
        self.ask("POST", "/brig/policies", text)
        for namespace, name in there - wanted:
            self.ask("DELETE", "/brig/policies/%s/%s" % (namespace, name))


# ---- packets ----

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
SCTP = 132


class Inside:
    """Within it, sockets are made in the namespace."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)

    def __init__(self, fd):
        self.fd = fd

    def __enter__(self):
        if libc.setns(self.fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def __exit__(self, *_):
        if libc.setns(self.home, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns home")


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def sctp_init(source_port, port):
    """The first packet of an association (RFC 9260, 3.3.2). The kernels of build machines have no SCTP of their own."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 0x1234, 65535, 10, 10, 1)
    head = struct.pack("!HHI", source_port, port, 0)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


class Prober:
    def __init__(self, pods):
        self.pods = pods
        self.fds = {}
        self.servers = {}  # descriptor → (kind, pod, port or None, socket)
        self.next_port = 20000
        for pod in pods:
            self.fds[pod["name"]] = os.open("/proc/%d/ns/net" % pod["pid"], os.O_RDONLY)
            with Inside(self.fds[pod["name"]]):
                for family in (socket.AF_INET, socket.AF_INET6):
                    self.serve(pod, family)

    def add(self, kind, pod, port, one):
        one.setblocking(False)
        self.servers[one.fileno()] = (kind, pod, port, one)

    def serve(self, pod, family):
        for port in PORTS:
            for kind, protocol in ((socket.SOCK_STREAM, "TCP"), (socket.SOCK_DGRAM, "UDP")):
                one = socket.socket(family, kind)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind(("" if family == socket.AF_INET else "::", port))
                if kind == socket.SOCK_STREAM:
                    one.listen(64)
                self.add(protocol, pod, port, one)
        raw = socket.socket(family, socket.SOCK_RAW, SCTP)
        self.add("SCTP", pod, None, raw)

    # A TCP connection that is made, a UDP answer that comes back, an SCTP packet that arrives.

    def send(self, family, source, target, protocol, port):
        address = (target[family], port)
        kind = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM, "SCTP": socket.SOCK_RAW}[protocol]
        with Inside(self.fds[source["name"]]):
            one = socket.socket(socket.AF_INET if family == "ipv4" else socket.AF_INET6, kind, SCTP if protocol == "SCTP" else 0)
        one.setblocking(False)
        try:
            if protocol == "TCP":
                one.connect_ex(address)
            elif protocol == "UDP":
                one.connect(address)
                one.send(b"?")
            else:
                self.next_port = 20000 + (self.next_port - 19999) % 30000
                one.sendto(sctp_init(self.next_port, port), (target[family], 0))
        except OSError:
            pass
        return one

    def take_served(self, fd, reached, family):
        kind, pod, port, one = self.servers[fd]
        try:
            if kind == "TCP":
                one.accept()[0].close()
            elif kind == "UDP":
                data, sender = one.recvfrom(64)
                one.sendto(data, sender)
            else:
                data, sender = one.recvfrom(128)
                offset = (data[0] & 15) * 4 if one.family == socket.AF_INET else 0
                source = [p for p in self.pods if p[family] == sender[0]]
                if source:
                    reached[source[0]["name"], pod["name"], "SCTP", struct.unpack_from("!H", data, offset + 2)[0]] = True
        except OSError:
            pass

    def probe(self, family, expected):
        """Every flow at once; who is to be reached is waited for, then nobody else may be. SCTP is its own judge of the sender."""
        reached, clients = {}, {}
        poll = select.poll()
        for fd in self.servers:
            poll.register(fd, select.POLLIN)
        wanted = set()
        for source in self.pods:
            for target in self.pods:
                for protocol in ("TCP", "UDP", "SCTP"):
                    for port in PORTS:
                        if source is target:
                            continue
                        key = (source["name"], target["name"], protocol, port)
                        reached[key] = False
                        if expected(source, target, protocol, port):
                            wanted.add(key)
                        one = self.send(family, source, target, protocol, port)
                        clients[one.fileno()] = (key, one)
                        if protocol != "SCTP":
                            poll.register(one.fileno(), select.POLLOUT if protocol == "TCP" else select.POLLIN)
        self.collect(poll, family, reached, clients, wanted)
        for _, one in clients.values():
            one.close()
        return reached

    def collect(self, poll, family, reached, clients, wanted):
        patience = Clock(PATIENCE)
        silence = None
        while not (silence and silence.is_over()) and not patience.is_over():
            for fd, events in poll.poll(20):
                if fd in self.servers:
                    self.take_served(fd, reached, family)
                    continue
                key, one = clients[fd]
                poll.unregister(fd)
                try:
                    if key[2] == "UDP":
                        one.recv(64)
                    reached[key] = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
                except OSError:
                    pass
            if not silence and all(reached[key] for key in wanted):
                silence = Clock(SILENCE)
