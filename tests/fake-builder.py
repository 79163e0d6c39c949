#!/usr/bin/python3
"""fake-builder.py ADDRESS LOG: says that it is brigd and answers builds with canned progress, for tests of the command alone. ADDRESS is
a path or a port. What it was sent goes to LOG, one JSON object a request. The build's target chooses how it goes: fail, hang, broken."""
import array, base64, io, json, os, socket, sys, tarfile, threading, urllib.parse

address, log_path = sys.argv[1:]
if address.isdigit():
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(address)))
else:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
listener.listen(8)
print("ready", flush=True)

def read_line(stream):
    line = stream.readline()
    return line.rstrip(b"\r\n").decode()

def read_body(stream, headers):
    if headers.get("transfer-encoding") != "chunked":
        return stream.read(int(headers.get("content-length", 0)))
    body = b""
    while size := int(read_line(stream), 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body

class Reader(io.RawIOBase):
    """The connection's bytes; the descriptors that came along are kept."""
    def __init__(self, connection):
        self.connection, self.fds = connection, []
    def readable(self):
        return True
    def readinto(self, buffer):
        data, ancillary, _, _ = self.connection.recvmsg(len(buffer), socket.CMSG_SPACE(64 * 4))
        for _, _, payload in ancillary:
            fds = array.array("i")
            fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
            self.fds += fds
        buffer[:len(data)] = data
        return len(data)

def answer(connection, body, kind="application/json", status="200 OK"):
    connection.sendall(f"HTTP/1.1 {status}\r\nServer: brig/0 (linux)\r\nApi-Version: 1.44\r\nContent-Type: {kind}\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

def stream(connection, objects):
    for thing in objects:
        line = json.dumps(thing).encode() + b"\n"
        connection.sendall(b"%x\r\n%s\r\n" % (len(line), line))

def build(connection, document, fds):
    target, time = document.get("target"), 10 ** 18
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    stream(connection, [
        {"kind": "planned", "total": 2},
        {"kind": "cached", "step": 0, "name": "[1/2] FROM busybox", "time": time},
        {"kind": "started", "step": 1, "name": "[2/2] RUN make", "why": "file a changed", "line": 2, "inputs": [0], "time": time},
        {"kind": "output", "step": 1, "text": "hello\n", "stream": 1, "time": time + 123000000}])
    if target == "hang":
        connection.recv(1)  # until the other end is gone
        return
    if target == "broken":
        return
    if target == "fail":
        stream(connection, [{"kind": "failed", "step": 1, "text": "exit code: 2", "line": 2, "time": time + 400000000},
                            {"kind": "end", "error": "process \"make\" did not complete successfully: exit code: 2", "time": time}])
    else:
        for output in document.get("outputs", []):
            if output["type"] == "tar":
                os.write(fds[output["fd"]], b"archive")
            if output.get("push"):
                stream(connection, [{"kind": "pushing", "text": "h/x:latest", "status": status, "layer": "abc", "current": current,
                                     "total": total, "time": time} for status, current, total in
                                    (("Preparing", 0, 0), ("Pushing", 1000, 2000), ("Pushing", 2000, 2000), ("Pushed", 0, 0))] +
                       [{"kind": "pushed", "text": "h/x:latest", "layer": "sha256:" + "c" * 64, "status": "a/manifest", "total": 7,
                         "time": time}])
        stream(connection, [{"kind": "done", "step": 1, "time": time + 400000000},
                            {"kind": "end", "image": "sha256:" + "a" * 64, "time": time + 500000000}])
    connection.sendall(b"0\r\n\r\n")

def classic(connection, quiet):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    stream(connection, [{"stream": "sha256:" + "b" * 64 + "\n"}] if quiet else
           [{"stream": "Step 1/1 : FROM scratch\n"}, {"aux": {"ID": "sha256:" + "b" * 64}}, {"stream": "Successfully built bbbbbbbbbbbb\n"}])
    connection.sendall(b"0\r\n\r\n")

def serve(connection):
    reader = Reader(connection)
    buffered = io.BufferedReader(reader)
    while request := read_line(buffered):
        method, path, _ = request.split(" ")
        headers = {}
        while line := read_line(buffered):
            name, value = line.split(": ", 1)
            headers[name.lower()] = value
        body = read_body(buffered, headers)
        url = urllib.parse.urlsplit(path)
        entry = {"path": url.path.split("/", 2)[-1], "query": urllib.parse.parse_qs(url.query)}
        if headers.get("content-type") == "application/vnd.brig.build+json":
            entry["document"] = json.loads(body)
            entry["fds"] = [os.readlink(f"/proc/self/fd/{fd}") for fd in reader.fds]
        elif headers.get("content-type") == "application/x-tar":
            with tarfile.open(fileobj=io.BytesIO(body)) as archive:
                entry["files"] = {m.name: archive.extractfile(m).read().decode() if m.isreg() else None for m in archive}
        if method != "HEAD":
            with open(log_path, "a") as log:
                log.write(json.dumps(entry) + "\n")
        if "document" in entry:
            build(connection, entry["document"], reader.fds)
            while reader.fds:
                os.close(reader.fds.pop())  # a pipe's reader waits for that
            if entry["document"].get("target") in ("hang", "broken"):
                return connection.close()
        elif entry["path"] == "build":
            classic(connection, "q" in entry["query"])
        elif entry["path"] == "build/prune":
            answer(connection, b'{"CachesDeleted":["one","two"],"SpaceReclaimed":1234567}')
        elif entry["path"] == "system/df":
            answer(connection, json.dumps({
                "LayersSize": 2000000,
                "Images": [{"Id": "sha256:" + "c" * 64, "RepoTags": ["busybox:latest"], "Size": 1500000, "SharedSize": 0, "Containers": 1,
                            "Created": 0}],
                "Containers": [{"Id": "d" * 64, "Image": "busybox", "Command": "sh", "State": "exited", "Status": "Exited (0)",
                                "SizeRw": 1000, "Names": ["/box"], "Mounts": [{"Type": "volume"}]}],
                "Volumes": [{"Name": "data", "UsageData": {"RefCount": 0, "Size": 5000}}],
                "BuildCache": [{"ID": "e" * 64, "Type": "regular", "Size": 3000, "InUse": True, "UsageCount": 2},
                               {"ID": "f" * 64, "Type": "regular", "Size": 7000}]}).encode())
        else:
            answer(connection, b"", "text/plain")

while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
