#!/usr/bin/python3
"""engine.py: brigd beside dockerd 20.10, each in namespaces of its own, the same work done by turns; prints medians and their ratio, and
whether the ratio keeps the goal of docs/performance.md. Exits 1 where one does not."""
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests/compare")]
from api import Daemon as Api, container  # noqa: E402
from compare import BUILD, CLIENT, start_all  # noqa: E402
from plain import Plain, document  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
MANY = int(os.environ.get("BENCH_MANY", "1000"))


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def command(daemon, *words):
    done = subprocess.run(words, env=daemon.env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {daemon.name}: {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


SLEEPER = json.dumps(container("busybox", ["sleep", "1000"])).encode()
API_RUN = json.dumps(container("busybox", ["true"], [80])).encode()


def api_run(api):
    made = document(api.call("POST", "/containers/create", API_RUN))["Id"]
    api.call("POST", f"/containers/{made}/start")
    api.call("POST", f"/containers/{made}/wait")
    api.call("DELETE", f"/containers/{made}")


def at_once(daemon, program, count=20):
    """Spawned, not forked: copies of this process would be a tenth of what is measured."""
    quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", flags, 0) for fd, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY))]
    words = [program, "run", "--rm", "busybox", "true"]
    pids = [os.posix_spawn(program, words, daemon.env, file_actions=quiet) for _ in range(count)]
    if any(os.waitpid(pid, 0)[1] for pid in pids):
        sys.exit(f"bench: {daemon.name}: one of {count} docker run at once failed")


def row(name, peer, ours, goal):
    ratio = ours / peer
    kept = ratio <= goal
    print(f"{name:52} {peer * 1000:10.2f} {ours * 1000:10.2f}   1/{1 / ratio:<7.1f} goal 1/{1 / goal:<5.3g} {'kept' if kept else 'MISSED'}", flush=True)
    return kept


def processor_ticks():
    """What the processors did so far, and what of it was work, in ticks of 10 ms."""
    user, nice, system, idle, wait, *others = map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8])
    work = user + nice + system + sum(others)
    return work + idle + wait, work


class Patience:
    """Seconds to wait for the machine's rest at the most. One that others load has none: each wait in vain halves the next."""
    longest, least = 10, 1
    now = longest


def settle():
    """Both daemons tear down behind their answer; that belongs to nobody's next turn. Waits until the machine works less than a tenth of 100 ms."""
    end = time.monotonic() + Patience.now
    while time.monotonic() < end:
        before = processor_ticks()
        time.sleep(0.1)
        passed, work = (after - start for after, start in zip(processor_ticks(), before))
        if work * 10 <= passed:
            Patience.now = Patience.longest
            return
    Patience.now = max(Patience.least, Patience.now / 2)


def settled(work):
    """Seconds that it takes once the machine is at rest."""
    settle()
    return timed(work)


def interleaved(peer_work, our_work, rounds=ROUNDS):
    """Medians of both, done by turns after one round that does not count."""
    peer_work(), our_work()
    pairs = [(settled(peer_work), settled(our_work)) for _ in range(rounds)]
    return statistics.median(p for p, _ in pairs), statistics.median(o for _, o in pairs)


def memory(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def at_rest(pid, field, goal):
    """A monitor gives back what its start needed once it has had nothing to do for a while: read until it has, for three seconds at the most."""
    end = time.monotonic() + 3
    while (found := memory(pid, field)) > goal and time.monotonic() < end:
        time.sleep(0.05)
    return found


def pid_of(name, argument):
    """The process of that name which has argument in its command line."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words and words[0].endswith(name.encode()) and any(argument.encode() in word for word in words):
            return int(folder.name)
    return None


def main():
    archive = "/tmp/brig-bench-image"
    subprocess.run(["bash", "-c", f"BRIG_SUITE_DIR={archive}; . {TOP}/tests/lib.bash; [[ -e {archive}/busybox.oci ]] || make_busybox_archive"], check=True)
    peer, ours = daemons = start_all()
    kept = []
    try:
        for daemon in daemons:
            command(daemon, "docker", "load", "-i", f"{archive}/busybox.oci")
        peer_api, our_api = Plain(str(peer.socket)), Plain(str(ours.socket))
        brigd = int((ours.root / "pid").read_text())
        idle = memory(brigd, "Rss")
        run = ("run", "--rm", "-p", "80", "busybox", "true")
        brig = str(BUILD / "src/cli/brig")
        print(f"{'':52} {'dockerd ms':>10} {'brigd ms':>10}   ratio")
        kept.append(row("docker run --rm -p 80 IMAGE true", *interleaved(lambda: command(peer, CLIENT, *run), lambda: command(ours, CLIENT, *run)), 1 / 12))
        kept.append(row("the same as brig run", *interleaved(lambda: command(peer, CLIENT, *run), lambda: command(ours, brig, *run)), 1 / 25))
        kept.append(row("API create, start, wait, remove; a port", *interleaved(lambda: api_run(peer_api), lambda: api_run(our_api), ROUNDS * 2), 1 / 40))
        kept.append(row("docker exec", *exec_pair(peer, ours, CLIENT), 1))
        kept.append(row("docker exec beside brig exec", *exec_pair(peer, ours, brig), 1 / 10))
        kept.append(row("20 docker run at once", *interleaved(lambda: at_once(peer, CLIENT), lambda: at_once(ours, CLIENT), 11), 1 / 10))
        kept.append(row("100 starts through the API, ten at a time", *starts_pair(peer, ours), 1 / 30))
        kept.append(row(f"list of {MANY} containers", *list_pair(peer, ours), 1 / 50))
        kept.append(footprint(ours, idle))
    finally:
        for daemon in daemons:
            daemon.end()
    return 0 if all(kept) else 1


def exec_pair(peer, ours, client):
    """docker's exec in the peer beside a client's in ours."""
    for daemon in (peer, ours):
        command(daemon, "docker", "run", "-d", "--name", "held", "busybox", "sleep", "1000")
    pair = interleaved(lambda: command(peer, CLIENT, "exec", "held", "true"), lambda: command(ours, client, "exec", "held", "true"))
    for daemon in (peer, ours):
        command(daemon, "docker", "rm", "-f", "held")
    return pair


def starts(daemon, count=100, clients=10):
    """Seconds in which clients of one connection each start containers on the default bridge, which are made before and removed after."""
    apis = [Plain(str(daemon.socket)) for _ in range(clients)]
    made = [document(apis[0].call("POST", "/containers/create", SLEEPER))["Id"] for _ in range(count)]
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        taken = settled(lambda: list(pool.map(lambda n: [apis[n].call("POST", f"/containers/{each}/start") for each in made[n::clients]], range(clients))))
        list(pool.map(lambda n: [apis[n].call("DELETE", f"/containers/{each}?force=1") for each in made[n::clients]], range(clients)))
    return taken


def starts_pair(peer, ours, rounds=5, turns=3):
    """Ours has three turns to each of the peer's, which last thirty times as long: a moment in which the machine is slow can have all of a short one."""
    starts(peer), starts(ours)
    pairs = [(starts(peer), [starts(ours) for _ in range(turns)]) for _ in range(rounds)]
    return statistics.median(p for p, _ in pairs), statistics.median(o for _, each in pairs for o in each)


def list_pair(peer, ours):
    """From the request's sending to the last byte of the answer, which nobody reads while the time is taken."""
    apis = [Api(str(daemon.socket)) for daemon in (peer, ours)]
    for api in apis:
        for number in range(MANY):
            api.call("POST", f"/containers/create?name=l{number}", container("busybox", ["true"]))
    clients = [Plain(str(daemon.socket)) for daemon in (peer, ours)]
    for client in clients:
        if len(document(client.call("GET", "/containers/json?all=1"))) != MANY:
            sys.exit(f"bench: a list of {MANY} containers has not all of them")
    pair = interleaved(*(lambda client=client: client.call("GET", "/containers/json?all=1") for client in clients))
    for api in apis:
        for number in range(MANY):
            api.call("DELETE", f"/containers/l{number}")
    return pair


def footprint(ours, idle):
    made = command(ours, "docker", "run", "-d", "busybox", "sleep", "1000").strip()
    monitor = pid_of("brig-monitor", made)
    pss = at_rest(monitor, "Pss", 120) if monitor else 0
    command(ours, "docker", "rm", "-f", made)
    print(f"idle brigd {idle} kB RSS (goal 7680), a monitor {pss} kB PSS (goal 120)")
    return idle <= 7680 and 0 < pss <= 120


if __name__ == "__main__":
    sys.exit(main())
