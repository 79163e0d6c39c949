#!/usr/bin/python3
"""churn.py SOCKET IMAGE SECONDS: four clients that create, start and remove containers, whatever happens to the daemon meanwhile."""
import http.client
import sys
import threading
import time

from api import Daemon, container


def work(socket, image, end):
    daemon = Daemon(socket)
    while time.monotonic() < end:
        try:
            made = daemon.call("POST", "/containers/create", container(image, ["sleep", "1"], [80]))["Id"]
            daemon.call("POST", f"/containers/{made}/start")
            daemon.call("DELETE", f"/containers/{made}?force=1")
        except (OSError, RuntimeError, ValueError, http.client.HTTPException) as problem:
            # The daemon died, or has just come back: once more. What it should never answer is shown.
            if " 500 " in str(problem):
                print(problem, file=sys.stderr)
            daemon.close()
            daemon = Daemon(socket)


def main():
    end = time.monotonic() + float(sys.argv[3])
    threads = [threading.Thread(target=work, args=(sys.argv[1], sys.argv[2], end)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
