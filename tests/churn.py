#!/usr/bin/python3
"""churn.py BUILD [--rounds N] [--clients N] [--kill-every SECONDS] [--settle N] [--no-memory]: clients that create, start, stop and remove N
containers while the daemon is killed again and again (0: never), and go on until it was killed twice. A client whose daemon dies goes on where it
was, and what was acknowledged must be so. In the end one oracle (host.py): nothing is left of mounts, namespaces, links, addresses, elements,
control groups, descriptors, files and rows, the data root has the bytes that it had, and a daemon that did N rounds in quiet has, within a tenth,
the memory (RSS) of one that did them before. Prints what it found; the exit code is 1 where that is anything."""
import argparse
import http.client
import os
import sys
import threading
import time
import traceback

from api import Daemon, container
from host import Host, end_on_signals

RSS_PART = 0.1
PAGE = 4096  # SQLite's
KILLS = 2  # at the least, where any are asked for


class Client(threading.Thread):
    """One thread of rounds; `problems` has what should not have been."""

    def __init__(self, churn):
        super().__init__()
        self.churn, self.api = churn, Daemon(churn.host.api.path)

    def run(self):
        try:
            for number in self.churn.numbers:
                self.round(number)
        except Exception:
            self.churn.problems.append(traceback.format_exc(limit=-3))
        self.api.close()

    def call(self, method, url, body=None, ok=(200,)):
        """The answer, of one status of ok; the same call again to the next daemon where one dies of it."""
        while True:
            try:
                return self.api.call(method, url, body, ok)
            except (OSError, http.client.HTTPException):
                self.api.close()
                if self.churn.problems:
                    raise
                time.sleep(0.02)

    def state(self, name):
        return self.call("GET", f"/containers/{name}/json")["State"]

    def round(self, number):
        name = f"churn{number}"
        # The second answer is that of a daemon whose predecessor did it and died before it said so.
        self.call("POST", f"/containers/create?name={name}", self.churn.body(number), (201, 409))
        self.call("POST", f"/containers/{name}/start", None, (204, 304))
        state = self.state(name)
        assert state["Running"], f"{name} was started: {state}"
        self.call("POST", f"/containers/{name}/stop?t=10", None, (204, 304))
        state = self.state(name)
        assert state["Status"] == "exited", f"{name} was stopped: {state}"
        self.call("DELETE", f"/containers/{name}?v=1", None, (204, 404))
        self.call("GET", f"/containers/{name}/json", None, (404,))


class Churn:
    def __init__(self, host):
        self.host, self.problems, self.numbers, self.done, self.kills = host, [], iter(()), 0, 0

    @staticmethod
    def body(number):
        """Three kinds in turn: a port on the default bridge, a user's network with an init, none with a volume of its own."""
        kind = number % 3
        body = container("busybox", ["sleep", "1000"], [80] if kind == 0 else [], NetworkMode=("bridge", "kept", "none")[kind], Init=kind == 1)
        body["StopSignal"] = "SIGTERM" if kind == 1 else "SIGKILL"  # who is the first process ignores TERM
        if kind == 2:
            body["Volumes"] = {"/data": {}}
        return body

    def run(self, rounds, clients, kill_every):
        """How many rounds there were."""
        first, least = self.done, self.kills + KILLS
        self.numbers = Numbers(first, lambda number: not self.problems and (number < first + rounds or kill_every and self.kills < least))
        threads = [Client(self) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            self.attend(threads, kill_every)
        except BaseException:
            self.problems.append(traceback.format_exc(limit=-3))  # no client asks a daemon that is not there again
            raise
        finally:
            for thread in threads:
                thread.join()
        self.done = self.numbers.next
        if self.problems:
            raise AssertionError("".join(self.problems) + self.host.tail())
        return self.done - first

    def attend(self, threads, kill_every):
        """Kills the daemon and starts it again until the clients have ended."""
        last = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            if kill_every and time.monotonic() - last >= kill_every:
                self.host.process.kill()
                self.host.process.wait()
                self.host.start()
                self.kills += 1
                last = time.monotonic()
            threads[0].join(0.05)
            if not threads[0].is_alive():
                threads.append(threads.pop(0))

    def memory(self):
        """KiB."""
        with open(f"/proc/{self.host.process.pid}/status", encoding="utf-8") as file:
            return int(next(line for line in file if line.startswith("VmRSS")).split()[1])

    def bytes(self):
        """Of the data root, by its first folders: what files take, and of databases the pages that are in use."""
        pages, sizes = "(SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)", {}
        top = f"{self.host.root}/data"
        for folder, _, files in os.walk(top):
            for name in files:
                path = os.path.join(folder, name)[len(top) + 1:]
                if ".db-" in name or ".db.copy" in name:
                    continue
                used = self.host.ask(path, "SELECT " + pages)[0] * PAGE if name.endswith(".db") else os.lstat(f"{top}/{path}").st_blocks * 512
                key = "/".join(path.split("/")[:2])
                sizes[key] = sizes.get(key, 0) + used
        return sizes


class Numbers:
    """The numbers of the rounds, for several threads, while more(NUMBER) is true."""

    def __init__(self, first, more):
        self.lock, self.next, self.more = threading.Lock(), first, more

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            if not self.more(self.next):
                raise StopIteration
            self.next += 1
            return self.next - 1


def quiet_memory(churn, rounds, clients):
    """Of a daemon that has just been started, after so many rounds."""
    churn.host.process.kill()
    churn.host.process.wait()
    churn.host.start()
    churn.run(rounds, clients, 0)
    churn.host.clean()
    churn.host.settles()
    return churn.memory()


def check(churn, options):
    began = time.monotonic()
    before, sizes = quiet_memory(churn, options.settle, options.clients), churn.bytes()
    rounds = churn.run(options.rounds, options.clients, options.kill_every)
    print(f"{rounds} rounds by {options.clients} clients, {churn.kills} kills, {time.monotonic() - began:.0f} s")
    churn.host.oracle()
    # A daemon that was never killed is the same one.
    after = quiet_memory(churn, options.settle, options.clients) if churn.kills else churn.memory()
    now = churn.bytes()
    print(f"RSS before {before} KiB, after {after} KiB; bytes before {sizes}, after {now}")
    assert now == sizes, f"bytes: {sizes} before, {now} after"
    assert options.no_memory or after <= before * (1 + RSS_PART), f"memory: {before} KiB before, {after} KiB after"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=10000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--kill-every", type=float, default=10)
    parser.add_argument("--settle", type=int, default=500)
    parser.add_argument("--no-memory", action="store_true")
    options = parser.parse_args()
    end_on_signals()
    with open("/bin/busybox", "rb") as file:
        host = Host(os.path.abspath(options.build), file.read())
    try:
        host.begin()
        check(Churn(host), options)
    except AssertionError as problem:
        sys.exit(f"{problem}\n{host.tail()}")
    finally:
        host.end()


if __name__ == "__main__":
    main()
