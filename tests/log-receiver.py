#!/usr/bin/python3
"""log-receiver.py KIND ADDRESS FILE [COUNT]: takes what a log driver sends and writes it to FILE, as it comes.
KIND: tcp, tls (then CERT and KEY follow COUNT), udp, unix, unixgram, journal. With COUNT a stream's receiver hangs up after so many
messages, and goes on with the next connection. Writes "ready" to standard output once it listens."""
import os
import socket
import ssl
import sys

kind, address, name = sys.argv[1:4]
limit = int(sys.argv[4]) if len(sys.argv) > 4 else 0
out = open(name, "ab", buffering=0)


def listen():
    if kind in ("unix", "unixgram", "journal"):
        if os.path.exists(address):
            os.unlink(address)
        place, family = address, socket.AF_UNIX
    else:
        host, port = address.rsplit(":", 1)
        place, family = (host, int(port)), socket.AF_INET
    way = socket.SOCK_STREAM if kind in ("tcp", "tls", "unix") else socket.SOCK_DGRAM
    sock = socket.socket(family, way)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if way == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    sock.bind(place)
    if way == socket.SOCK_STREAM:
        sock.listen(8)
    return sock


def stream(sock):
    context = None
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[5], sys.argv[6])
    while True:
        client, _ = sock.accept()
        try:
            if context:
                client = context.wrap_socket(client, server_side=True)
            with client.makefile("rb") as lines:
                for count, line in enumerate(lines, 1):
                    out.write(line)
                    if count == limit:
                        break
        except (OSError, ssl.SSLError):
            pass
        client.close()


def datagrams(sock):
    while True:
        data, fds, _, _ = socket.recv_fds(sock, 1 << 20, 1)
        for fd in fds:
            size = os.fstat(fd).st_size
            data = b"MEMFD=1\n" + os.pread(fd, size, 0)
            os.close(fd)
        out.write(data + (b"\n" if kind == "journal" else b""))


server = listen()
print("ready", flush=True)
if kind in ("tcp", "tls", "unix"):
    stream(server)
else:
    datagrams(server)
