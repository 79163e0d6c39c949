#!/usr/bin/env python3
"""relabel.py SOCKET SERVER ALLOWED FORBIDDEN COUNT: gives SERVER the labels role=blue and role=red in turn, COUNT times, while ALLOWED asks it over
UDP again and again and FORBIDDEN sends to it all the time, each question from a socket of its own. Fails if a question got no answer, or if
anything of FORBIDDEN's arrived."""
import select
import socket
import sys
import threading

from stage import Engine

PORT = 7001
PATIENCE = 5  # seconds for an answer


class Stage:
    def __init__(self, path, server, allowed, forbidden):
        self.engine, self.over, self.answered = Engine(path), threading.Event(), threading.Event()
        self.server, self.allowed, self.forbidden = (self.engine.inside(name) for name in (server, allowed, forbidden))
        places = self.engine.get("/containers/%s/json" % server)["NetworkSettings"]["Networks"]
        self.address = list(places.values())[0]["IPAddress"]
        self.heard, self.asked, self.unanswered, self.sent = set(), 0, 0, 0

    def socket_in(self, place):
        with place:
            return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def serve(self, one):
        while not self.answered.is_set():
            if select.select([one], [], [], 0.05)[0]:
                data, sender = one.recvfrom(64)
                self.heard.add(data)
                one.sendto(data, sender)

    def ask(self):
        while not self.over.is_set():
            with self.socket_in(self.allowed) as one:
                one.sendto(b"allowed", (self.address, PORT))
                self.asked += 1
                if not select.select([one], [], [], PATIENCE)[0]:
                    self.unanswered += 1

    def intrude(self):
        while not self.over.is_set():
            with self.socket_in(self.forbidden) as one:
                one.sendto(b"forbidden", (self.address, PORT))
                self.sent += 1
            self.over.wait(0.0005)  # so that the others get the processor

    def run(self, name, count):
        listening = self.socket_in(self.server)
        listening.bind(("", PORT))
        server = threading.Thread(target=self.serve, args=(listening,))
        clients = [threading.Thread(target=self.ask), threading.Thread(target=self.intrude)]
        for thread in [server] + clients:
            thread.start()
        for number in range(count):
            self.engine.ask("POST", "/containers/%s/update" % name, '{"Labels": {"role": "%s"}}' % ("red" if number % 2 else "blue"))
        self.over.set()
        for thread in clients:
            thread.join()
        self.answered.set()  # the last question has its answer, too
        server.join()


stage = Stage(*sys.argv[1:5])
stage.run(sys.argv[2], int(sys.argv[5]))
print("%d questions, %d without an answer; %d of the forbidden, %s were heard" % (stage.asked, stage.unanswered, stage.sent, sorted(stage.heard)))
sys.exit(0 if stage.asked > 20 and stage.sent > 20 and stage.unanswered == 0 and stage.heard == {b"allowed"} else 1)
