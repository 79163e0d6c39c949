#!/usr/bin/python3
"""fake-systemd.py DIRECTORY: systemd's own socket, DIRECTORY/private, as far as scopes go: makes a scope's groups in the unified hierarchy and
in its own of version 1, removes them when the last process is gone, and tells both. What DIRECTORY/answer says, if it is there, is how jobs end
("failed"), "silent", or "refuse"."""
import os
import select
import socket
import struct
import sys
import threading

MANAGER = "org.freedesktop.systemd1.Manager"
HIERARCHIES = [h for h in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup") if os.path.exists(f"{h}/cgroup.procs")]
directory = sys.argv[1]
clients, scopes, lock = [], set(), threading.Lock()


def pad(data, to):
    return data + b"\0" * (-len(data) % to)


def string(data, text):
    data = pad(data, 4)
    return data + struct.pack("<I", len(text)) + text.encode() + b"\0"


def field(data, code, kind, value):
    data = pad(data, 8) + bytes([code, 1]) + kind.encode() + b"\0"
    if kind == "u":
        return data + struct.pack("<I", value)
    if kind == "g":
        return data + bytes([len(value)]) + value.encode() + b"\0"
    return string(data, value)


def message(kind, signature, values, reply_to=0, member=None, error=None):
    fields, body = b"", b""
    if reply_to:
        fields = field(fields, 5, "u", reply_to)
    if member:
        fields = field(field(field(fields, 1, "o", "/org/freedesktop/systemd1"), 2, "s", MANAGER), 3, "s", member)
    if error:
        fields = field(fields, 4, "s", error)
    if signature:
        fields = field(fields, 8, "g", signature)
    for letter, value in zip(signature, values):
        body = pad(body, 4) + struct.pack("<I", value) if letter == "u" else string(body, value)
    return pad(b"l" + bytes([kind, 1, 1]) + struct.pack("<III", len(body), 7, len(fields)) + fields, 8) + body


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def align(self, to):
        self.at += -self.at % to

    def number(self):
        self.align(4)
        self.at += 4
        return struct.unpack_from("<I", self.data, self.at - 4)[0]

    def text(self, length=None):
        length = self.number() if length is None else length
        self.at += length + 1
        return self.data[self.at - length - 1:self.at - 1].decode()

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def value(self, signature):
        if signature == "s":
            return self.text()
        if signature == "au":
            end = self.number() + self.at
            numbers = []
            while self.at < end:
                numbers.append(self.number())
            return numbers
        return self.number()

    def properties(self):
        end, found = self.number(), {}
        self.align(8)
        end += self.at
        while self.at < end:
            self.align(8)
            name = self.text()
            found[name] = self.value(self.text(self.byte()))
        return found


def tell(data):
    with lock:
        for client in clients:
            try:
                client.sendall(data)
            except OSError:
                pass


def path_of(slice_, name):
    parts = slice_.removesuffix(".slice").split("-")
    return "/".join("-".join(parts[:i + 1]) + ".slice" for i in range(len(parts))) + "/" + name


def delegate(hierarchy, path):
    """Version 2: what the root has of controllers, each group above the scope passes on."""
    above = hierarchy
    for part in path.split("/"):
        if not os.path.exists(f"{above}/cgroup.subtree_control"):
            return
        try:
            with open(f"{above}/cgroup.controllers") as known, open(f"{above}/cgroup.subtree_control", "w") as control:
                control.write(" ".join("+" + name for name in known.read().split()))
        except OSError as problem:
            print(f"delegate {above}: {problem}", file=sys.stderr)
        above += "/" + part


def remove(path):
    for below, folders, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(below)
        except OSError as problem:
            print(f"remove {below}: {problem}", file=sys.stderr)


def watch(name, path):
    events = open(f"{HIERARCHIES[0]}/{path}/cgroup.events")
    poll = select.poll()
    poll.register(events, select.POLLPRI)
    while True:
        events.seek(0)
        if "populated 0" in events.read():
            break
        poll.poll()
    for hierarchy in HIERARCHIES:
        remove(f"{hierarchy}/{path}")
        try:
            os.rmdir(f"{hierarchy}/{os.path.dirname(path)}")
        except OSError:
            pass  # others are in the slice
    scopes.discard(name)
    tell(message(4, "so", [name, "/unit"], member="UnitRemoved"))


def start(client, serial, reader):
    name, _, properties = reader.text(), reader.text(), reader.properties()
    answer = open(f"{directory}/answer").read().strip() if os.path.exists(f"{directory}/answer") else "done"
    with open(f"{directory}/asked", "a") as asked:
        print(name, sorted((k, v) for k, v in properties.items() if k != "PIDs"), file=asked)
    if answer == "silent":
        return
    if answer == "refuse" or name in scopes:
        error = "UnitExists" if name in scopes else "NoSuchUnit"
        client.sendall(message(3, "s", [f"{name}: {answer}"], serial, error=f"org.freedesktop.systemd1.{error}"))
        return
    client.sendall(message(2, "o", ["/job/1"], serial))
    if answer == "done":
        scopes.add(name)
        path = path_of(properties["Slice"], name)
        for hierarchy in HIERARCHIES:
            os.makedirs(f"{hierarchy}/{path}", exist_ok=True)
            delegate(hierarchy, path)
            for pid in properties["PIDs"]:
                with open(f"{hierarchy}/{path}/cgroup.procs", "w") as procs:
                    procs.write(str(pid))
        threading.Thread(target=watch, args=(name, path), daemon=True).start()
    tell(message(4, "uoss", [1, "/job/1", name, answer], member="JobRemoved"))


def receive(client, data, length):
    while len(data) < length:
        more = client.recv(4096)
        if not more:
            raise EOFError
        data += more
    return data


def serve(client):
    data = b""
    while not data.endswith(b"\r\n"):
        data = receive(client, data, len(data) + 1)
    if data != b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n":
        client.sendall(b"REJECTED\r\n")
        return
    client.sendall(b"OK 00\r\n")
    data = receive(client, b"", len(b"BEGIN\r\n"))[len(b"BEGIN\r\n"):]
    with lock:
        clients.append(client)
    while True:
        data = receive(client, data, 16)
        body, serial, fields = struct.unpack_from("<III", data, 4)
        begin = 16 + fields + -fields % 8
        data = receive(client, data, begin + body)
        header, reader, data = data[:begin], Reader(data[begin:begin + body]), data[begin + body:]
        if b"StartTransientUnit\0" in header:
            start(client, serial, reader)
        else:
            client.sendall(message(3, "s", ["not loaded"], serial, error="org.freedesktop.systemd1.NoSuchUnit"))


def talk(client):
    try:
        serve(client)
    except (EOFError, OSError):
        pass
    with lock:
        if client in clients:
            clients.remove(client)
    client.close()


listener = socket.socket(socket.AF_UNIX)
listener.bind(f"{directory}/private")
listener.listen()
while True:
    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
