"""api.py: a few lines to speak to a daemon's socket from tests and benchmarks; one kept connection."""
import http.client
import json
import socket


class Daemon(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, url, body=None, ok=(200, 201, 204, 304), decode=True):
        """The answer, decoded unless that would be most of what a benchmark measures; raises with the daemon's message where the status is not
        in ok."""
        data = None if body is None else json.dumps(body)
        self.request(method, "/v1.41" + url, data, {"Content-Type": "application/json"} if data else {})
        answer = self.getresponse()
        text = answer.read()
        if answer.status not in ok:
            raise RuntimeError(f"{method} {url}: {answer.status} {text.decode(errors='replace').strip()}")
        return json.loads(text) if decode and text and answer.headers.get_content_type() == "application/json" else text


def container(image, command, ports=(), **host):
    """The body of POST /containers/create."""
    body = {"Image": image, "Cmd": command, "HostConfig": dict(host)}
    if ports:
        body["ExposedPorts"] = {f"{port}/tcp": {} for port in ports}
        body["HostConfig"]["PortBindings"] = {f"{port}/tcp": [{"HostPort": ""}] for port in ports}
    return body
