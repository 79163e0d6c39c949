#!/usr/bin/python3
"""thousand.py SOCKET IMAGE COUNT: creates, starts, waits for and removes COUNT containers with four clients at once."""
import concurrent.futures
import sys
import threading

from api import Daemon, container

local = threading.local()


def one(socket, image, number):
    if not hasattr(local, "daemon"):
        local.daemon = Daemon(socket)
    daemon = local.daemon
    made = daemon.call("POST", f"/containers/create?name=k{number}", container(image, ["true"], [80]))["Id"]
    daemon.call("POST", f"/containers/{made}/start")
    code = daemon.call("POST", f"/containers/{made}/wait")["StatusCode"]
    daemon.call("DELETE", f"/containers/{made}?force=1")
    if code != 0:
        raise RuntimeError(f"container {number} ended with {code}")


def main():
    socket, image, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(one, socket, image, number) for number in range(count)]:
            job.result()
    left = Daemon(socket).call("GET", "/containers/json?all=1")
    if left:
        sys.exit(f"{len(left)} containers are left")


main()
