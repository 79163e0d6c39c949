"""plain.py: the API's client that measures: a kept connection, a request in one write, then bytes until the answer has ended. http.client, which reads
a head as an email and a long body line by line, took most of the list and a tenth of a container's run; to a peer that is thirty times slower the
same milliseconds are nothing, so they hid the ratio."""
import json
import socket

ROOM = 4 << 20  # an answer's head and body


class Plain:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.buffer = bytearray(ROOM)
        self.view = memoryview(self.buffer)

    def call(self, method, url, body=b""):
        """The answer's body as it came, valid until the next call. Raises with the daemon's message where it is an error."""
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if method == "POST" else ""
        self.socket.sendall(f"{method} /v1.41{url} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n".encode() + body)
        length = 0
        while (head := self.buffer.find(b"\r\n\r\n", 0, length) + 4) < 4:
            length += self._receive(length)
        fields = bytes(self.view[:head]).lower()
        if b"transfer-encoding: chunked" in fields:
            while not self.buffer.endswith(b"0\r\n\r\n", head, length):  # a JSON document has no such line within
                length += self._receive(length)
        elif b"content-length: " in fields:
            while length - head < int(fields.split(b"content-length: ")[1].split(b"\r\n")[0]):
                length += self._receive(length)
        status, text = int(fields[9:12]), self.view[head:length]
        if status >= 400:
            raise RuntimeError(f"{method} {url}: {status} {bytes(text).decode(errors='replace').strip()}")
        return text

    def _receive(self, length):
        if length == ROOM:
            raise RuntimeError(f"an answer is longer than the {ROOM} bytes that there are for it: make ROOM larger")
        got = self.socket.recv_into(self.view[length:])
        if got == 0:
            raise RuntimeError("the daemon closed the connection within its answer")
        return got


def document(text):
    """What Plain.call answered, decoded."""
    rest = bytes(text)
    if rest.startswith((b"{", b"[")):
        return json.loads(rest)
    whole = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        whole, rest = whole + rest[:int(size, 16)], rest[int(size, 16) + 2:]
    return json.loads(whole)
