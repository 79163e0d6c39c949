#!/usr/bin/python3
"""send-build.py SOCKET PATH [cacheTo|ssh|layout]: asks for a build whose files, or whose cache, go to the directory, or whose agent is the socket, with a descriptor that the
sender could open but not write to, which brig itself would not send; prints the answer."""
import array, os, socket, sys

what = sys.argv[3] if len(sys.argv) > 3 else "outputs"
entry = {"ssh": b'"id":"default"', "layout": b'"type":"oci","layout":true'}.get(what, b'"type":"local"')
body = b'{"dockerfile":"FROM scratch\\n","%s":[{%s,"fd":0}]}' % (b"outputs" if what == "layout" else what.encode(), entry)
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
fds = array.array("i", [os.open(sys.argv[2], os.O_PATH if what == "ssh" else os.O_RDONLY | os.O_DIRECTORY)])
connection.sendmsg([b"POST /build HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: application/vnd.brig.build+json\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body) + body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
while data := connection.recv(65536):
    sys.stdout.write(data.decode())
