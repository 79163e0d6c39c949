"""relay.py PORT TO LIMIT [LOG]: passes connections on to 127.0.0.1:TO; every other one that brings more than LIMIT bytes is broken off.
The first line of each request is written to LOG before the request is passed on."""
import re
import socket
import sys
import threading

port, to, limit = (int(word) for word in sys.argv[1:4])
log = open(sys.argv[4], "ab", buffering=0) if len(sys.argv) > 4 else None
breaks = threading.Lock()
state = {"broken": False}


def pump(source, target, counts, pair, ended):
    sent, counted = 0, counts
    try:
        while data := source.recv(65536):
            sent += len(data)
            if counted and sent > limit:
                with breaks:
                    state["broken"] = not state["broken"]
                    if state["broken"]:
                        break
                counted = False
            if log and counts:
                log.writelines(re.findall(rb"^[A-Z]+ /.* HTTP/1\.1\r?\n", data, re.M))
            target.sendall(data)
    except OSError:
        pass
    for end in pair:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    # The second of the two closes them: what was not read is then answered with a reset, and a sender does not wait for room.
    with breaks:
        ended.append(source)
        if len(ended) == len(pair):
            for end in pair:
                end.close()


server = socket.create_server(("127.0.0.1", port))
while True:
    client, _ = server.accept()
    other = socket.create_connection(("127.0.0.1", to))
    ended = []
    for one, two, counted in ((client, other, True), (other, client, False)):
        threading.Thread(target=pump, args=(one, two, counted, (client, other), ended), daemon=True).start()
