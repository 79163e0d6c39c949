#!/usr/bin/env python3
"""connections.py SOCKET SERVER CLIENT...: makes a TCP connection from each container to SERVER and says "ready"; at a line on standard
input it says whose connection still carries."""
import socket
import sys
import threading

from stage import Engine

PORT = 7000


def answer(one):
    while data := one.recv(64):
        one.sendall(data)


def echo(listener):
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def carries(one):
    try:
        one.sendall(b"?")
        return one.recv(64) != b""
    except OSError:
        return False


engine = Engine(sys.argv[1])
with engine.inside(sys.argv[2]):
    listener = socket.create_server(("", PORT))
threading.Thread(target=echo, args=(listener,), daemon=True).start()
address = list(engine.get("/containers/%s/json" % sys.argv[2])["NetworkSettings"]["Networks"].values())[0]["IPAddress"]
clients = {}
for name in sys.argv[3:]:
    with engine.inside(name):
        clients[name] = socket.socket()
    clients[name].settimeout(3)
    clients[name].connect((address, PORT))
if all(carries(one) for one in clients.values()):
    print("ready", flush=True)
for _ in sys.stdin:
    print(" ".join(name for name, one in clients.items() if carries(one)), flush=True)
