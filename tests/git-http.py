#!/usr/bin/python3
"""git-http.py ROOT LOG [PORT]: repositories below ROOT by HTTP, for tests/git.bats. Prints its port once it listens. By the first part of the path:

/smart/…   git http-backend
/private/… the same for who sends ROOT/token as x-access-token, else 401
/dumb/…    the files themselves: git's old protocol
/stalled/… answers the first question, then says nothing more until the connection ends
/moved/…   redirects to /smart/…
/away/…    redirects to /smart/… of the address in the file ROOT/elsewhere
/near/…    redirects to /private/…
/loop/…    redirects to itself
/astray/…  redirects to what is no repository

LOG gets a line a request: method, path, and the Authorization header's kind; and one where an answer stalls: "stalled", path, kind."""
import base64
import http.server
import os
import subprocess
import sys
import threading

root, log_path = sys.argv[1], sys.argv[2]
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def note(self):
        kind = (self.headers.get("Authorization") or "-").split(" ")[0]
        with lock, open(log_path, "a") as log:
            log.write(f"{self.command} {self.path} {kind}\n")

    def give(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def is_welcome(self):
        token = open(os.path.join(root, "token")).read().strip()
        wanted = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return (self.headers.get("Authorization") or "").lower() == f"basic {wanted}".lower()

    def body(self):
        if "chunked" not in (self.headers.get("Transfer-Encoding") or ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = b""
        while size := int(self.rfile.readline(), 16):
            text += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return text

    def backend(self, path, query, body):
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type") or "",
            "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "", "REMOTE_USER": "test", "REMOTE_ADDR": "127.0.0.1",
            "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent",
        }
        answer = subprocess.run(["git", "-c", "safe.directory=*", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE).stdout
        head, _, rest = answer.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split(" ")[0])
            elif name:
                headers.append((name, value))
        self.give(status, rest, headers)

    def file(self, path):
        full = os.path.realpath(os.path.join(root, path.lstrip("/")))
        if not full.startswith(os.path.realpath(root) + "/") or not os.path.isfile(full):
            return self.give(404)
        self.give(200, open(full, "rb").read())

    def serve(self):
        self.note()
        path, _, query = self.path.partition("?")
        kind, _, rest = path.lstrip("/").partition("/")
        body = self.body()
        if kind == "private" and not self.is_welcome():
            return self.give(401, headers=[("WWW-Authenticate", 'Basic realm="git"')])
        if kind == "moved":
            return self.give(302, headers=[("Location", "/smart/" + rest + (f"?{query}" if query else ""))])
        if kind in ("away", "near", "loop", "astray"):
            to = {"near": "/private/", "loop": "/loop/", "astray": "/login?for=/"}.get(kind)
            to = to or open(os.path.join(root, "elsewhere")).read().strip() + "/smart/"
            return self.give(301, headers=[("Location", to + rest + (f"?{query}" if query and kind != "astray" else ""))])
        if kind == "dumb":
            return self.file(rest)
        if kind == "stalled" and self.command == "POST" and b"command=fetch" in body:
            with lock, open(log_path, "a") as log:
                log.write(f"stalled {path} {(self.headers.get('Authorization') or '-').split(' ')[0]}\n")
            self.connection.recv(1)  # until the client has gone
            self.close_connection = True
            return None
        return self.backend("/" + rest, query, body)

    do_GET = do_POST = serve


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
