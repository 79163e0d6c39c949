#!/usr/bin/python3
"""crash-matrix.py BUILD [POINT...]: each failpoint of the daemon, the monitor and the logger (or those that are named): what passes it is
asked for, the program kills itself there, the daemon is started again, and one oracle (Host.oracle) says whether what was acknowledged is there,
nothing is left over and the engine works. A failpoint without a case, and a case without one, is a failure. Prints TAP."""
import contextlib
import os
import queue
import re
import signal
import socket
import sys
import threading
import time
import traceback

from host import LOST, PATIENCE, Host, archive, end_on_signals, wait_for

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LANES = 3

# Those that other tests kill at, since they need another daemon's options, a registry or a fault of a step and not a death.
ELSEWHERE = {
    "network.reconnect": "crash.bats", "image.index-put": "crash.bats", "image.index-record": "crash.bats", "image.unindexed": "crash.bats",
    "build.platforms": "crash.bats",
    "checkpoint.dumped": "checkpoint.bats", "checkpoint.made": "checkpoint.bats", "checkpoint.undo": "checkpoint.bats", "restore.ready": "checkpoint.bats",  # by hand, in the virtual machine
}


def failpoints():
    """All there are, as the source has them: calls by name, and tables of steps."""
    found = set()
    for folder, _, names in os.walk(f"{TOP}/src"):
        for name in names:
            if not name.endswith(".c") or name.endswith(("-test.c", "-fuzz.c")):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = file.read()
            found.update(re.findall(r'(?:failpoint|exit_fail)\("([a-z.-]+)"', text))
            if "engine/steps.h" in text or "JobStep" in text:
                found.update(re.findall(r'\{ "([a-z-]+\.[a-z-]+)", \w+, \w+ \}', text))
    return found


# ---- the cases ----

class Case:
    """prepare, then with the point armed act, whose answer (or None, where the daemon died first) check gets once all runs again. monitor: it
    is the monitor or the logger that dies, and the daemon lives on."""

    def __init__(self, points, act, check=None, prepare=None, monitor=False):
        self.points, self.act, self.check, self.prepare, self.monitor = points.split(), act, check, prepare, monitor


def created(host, answer):
    assert answer is None or host.state("half"), "an acknowledged container is gone"
    if host.state("half"):
        host.call("DELETE", "/containers/half?force=1&v=1")
    host.create("half", ["true"])


def startable(host, _):
    state = host.state("victim")
    assert state["Status"] in ("created", "exited", "running"), state
    if state["Status"] != "running":
        host.start_container("victim")
    assert host.state("victim")["Running"]


def still_runs(host, _):
    state = host.state("victim")
    assert state["Status"] == "running", state
    host.execute("victim", ["true"])


def ended(host, _):
    wait_for(lambda: host.state("victim")["Status"] == "exited", "the end is known")
    assert host.state("victim")["ExitCode"] == 7, host.state("victim")


def gone(host, _):
    wait_for(lambda: host.state("victim") is None, "it is removed")


def ended_somehow(host, _):
    wait_for(lambda: host.state("victim")["Status"] in ("created", "exited", "dead"), "it has ended")
    host.start_container("victim")


def renamed(host, answer):
    names = [name for name in ("victim", "renamed") if host.state(name)]
    assert len(names) == 1 and (answer is None or names == ["renamed"]), names


MOUNTS = {"MountsAdded": [{"Type": "volume", "Target": "/data"}], "MountsRemoved": ["/before"]}


def mounted(host, answer):
    """All or nothing, no volume that nothing has, and the other one out of use."""
    have = {one["Destination"]: one["Name"] for one in host.call("GET", "/containers/victim/json")["Mounts"]}
    assert list(have) == ["/data"] or answer is None and list(have) == ["/before"], have
    volumes = {one["Name"] for one in host.call("GET", "/volumes")["Volumes"]}
    assert volumes == {"kept", "before", *have.values()}, (volumes, have)
    if "/data" in have:
        host.call("DELETE", "/volumes/before")
    else:
        host.call("POST", "/containers/victim/update", MOUNTS)
    host.start_container("victim")


def memory(host, answer):
    value = host.call("GET", "/containers/victim/json")["HostConfig"]["Memory"]
    assert value == 128 << 20 or answer is None and value == 64 << 20, value
    group = host.cgroup + "/" + host.call("GET", "/containers/victim/json")["Id"]
    for path in (f"/sys/fs/cgroup/memory/{group}/memory.limit_in_bytes", f"/sys/fs/cgroup/{group}/memory.max"):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                assert int(file.read()) == value, "the record and the group differ"


POLICY = b"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: only}\nspec: {podSelector: {}, ingress: []}\n"


def judged(host, answer):
    names = [policy["name"] for policy in host.call("GET", "/brig/policies")]
    assert answer is None or names == ["only"], names
    host.send("POST", "/brig/policies", POLICY, "application/yaml")
    host.call("DELETE", "/brig/policies/default/only")
    host.process.terminate()  # a daemon that had policies listens for what changes
    assert host.process.wait(PATIENCE) == 0
    host.start()


def network_whole(host, answer):
    there = [one for one in host.call("GET", "/networks") if one["Name"] == "half"]
    assert there or answer is None, "an acknowledged network is gone"
    if not there:
        host.call("POST", "/networks/create", {"Name": "half"})
    host.runs("user", NetworkMode="half")


def network_as_before(host, answer):
    if answer is None:
        host.runs("user", NetworkMode="half")


def connected(host, answer):
    still_runs(host, answer)
    networks = host.call("GET", "/containers/victim/json")["NetworkSettings"]["Networks"]
    assert answer is None or "half" in networks, networks
    if "half" in networks:
        assert networks["half"]["IPAddress"], "it is on the network, without an address"
        host.call("POST", "/networks/half/disconnect", {"Container": "victim"})
    host.call("POST", "/networks/half/connect", {"Container": "victim"})


def disconnected(host, answer):
    still_runs(host, answer)
    networks = host.call("GET", "/containers/victim/json")["NetworkSettings"]["Networks"]
    if "half" in networks:
        assert answer is None, networks
        host.call("POST", "/networks/half/disconnect", {"Container": "victim"})
    host.call("POST", "/networks/half/connect", {"Container": "victim"})


def on_half(host):
    host.call("POST", "/networks/create", {"Name": "half"})
    host.runs("victim")
    host.call("POST", "/networks/half/connect", {"Container": "victim"})


def volume_whole(host, answer):
    names = [one["Name"] for one in host.call("GET", "/volumes")["Volumes"]]
    assert answer is None or "half" in names
    host.runs("user", ["sh", "-c", "echo x >/v/f && sleep 1000"], Binds=["half:/v"])


def volume_gone(host, answer):
    names = [one["Name"] for one in host.call("GET", "/volumes")["Volumes"]]
    assert answer is None or "half" not in names, "a removed volume is back"


def tmpfs_volume(host):
    host.call("POST", "/volumes/create", {"Name": "half", "DriverOpts": {"type": "tmpfs", "device": "tmpfs"}})
    host.create("victim", Binds=["half:/v"])


def ipc_joiner(host):
    host.runs("giver", IpcMode="shareable")
    host.create("victim", IpcMode="container:giver")


def removable(host, _):
    host.call("DELETE", "/containers/victim?force=1")
    assert not host.state("victim")


def tagged(host, answer):
    tags = [tag for image in host.call("GET", "/images/json") for tag in image["RepoTags"] or []]
    assert answer is None or "other:latest" in tags, tags


def loaded_image(host):
    host.load("fresh")


def untagged(host, answer):
    tags = [tag for image in host.call("GET", "/images/json") for tag in image["RepoTags"] or []]
    assert answer is None or "fresh:latest" not in tags, tags


def save(host):
    host.load("fresh")
    host.api.request("GET", "/v1.41/images/fresh/get")
    host.saved = host.api.getresponse().read()
    host.call("DELETE", "/images/fresh")


def load_again(host, _):
    host.send("POST", "/images/load", host.saved)
    host.create("user", ["/bin/busybox", "true"], Image="fresh")
    host.start_container("user")


def build_again(host, _):
    assert host.build_image() == host.build_whole, "another image than of a build that nobody killed"


def committed(host, answer):
    state = host.state("victim")
    assert state["Status"] == "running", f"the container of a commit that was killed is {state['Status']}"
    host.call("POST", "/commit?container=victim&repo=again")
    assert answer is None or host.call("GET", "/images/other/json")


def unused(host):
    host.create("one"), host.create("two")
    host.call("POST", "/networks/create", {"Name": "half"})
    host.call("POST", "/volumes/create", {})


def logging(host, driver="json-file", **options):
    host.runs("victim", ["sh", "-c", "while ! test -e /go; do sleep 0.02; done; n=0; while test $n -lt 300; do n=$((n+1)); echo line $n; done; sleep 1000"],
              LogConfig={"Type": driver, "Config": options})


def go(host):
    host.execute("victim", ["sh", "-c", "echo >/go"])


def rotating(host):
    logging(host, **{"max-size": "1k", "max-file": "3", "compress": "true"})


def syslog(host):
    if not hasattr(host, "receiver"):
        host.receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        host.receiver.bind(f"{host.root}/syslog")
    return {"Type": "syslog", "Config": {"syslog-address": f"unixgram://{host.root}/syslog"}}


def reads_logs(host, _):
    still_runs(host, _)
    host.call("GET", "/containers/victim/logs?stdout=1&tail=5")


def reload(host):
    host.process.send_signal(signal.SIGHUP)
    wait_for(lambda: host.process.poll() is not None, "SIGHUP is handled")


START = lambda host: host.start_container("victim")
RUN = lambda host: host.runs("victim")
EXIT7 = lambda host: host.create("victim", ["sh", "-c", "exit 7"])
EXEC = lambda host: host.execute("victim", ["sleep", "1000"])
DELETE_FRESH = lambda host: host.call("DELETE", "/images/fresh")

CASES = [
    Case("create.image create.name create.namespaces create.networks create.layers create.intent create.directories create.hold create.mounts create.record create.ready",
         lambda host: host.create("half", ["true"], ports=[80], Binds=["named:/named"], Mounts=[{"Type": "volume", "Target": "/data"}]), created),
    Case("create.initlayer", lambda host: host.create("half", ["/bin/busybox", "true"], Image="fresh"), created, loaded_image),
    Case("start.begin start.reserve start.intent start.copies start.directories start.namespace start.document start.spawn start.netns start.network start.created start.attach "
         "start.go start.record", START, startable, lambda host: host.create("victim", ports=[80])),
    Case("exit.ending exit.begin exit.network exit.record", START, ended, EXIT7),
    Case("exit.remove", START, gone, lambda host: host.create("victim", ["true"], AutoRemove=True)),
    Case("rm.record rm.run-directory rm.directory rm.image rm.row", lambda host: host.call("DELETE", "/containers/victim?v=1"),
         lambda host, answer: answer is None or gone(host, answer), lambda host: host.create("victim", Mounts=[{"Type": "volume", "Target": "/data"}])),
    Case("copy.root copy.start", lambda host: host.send("PUT", "/containers/victim/archive?path=/", archive({"word": b"word"})),
         lambda host, _: host.send("PUT", "/containers/victim/archive?path=/", archive({"word": b"word"})), lambda host: host.create("victim")),
    Case("rename.record rename.networks", lambda host: host.call("POST", "/containers/victim/rename?name=renamed"), renamed, RUN),
    Case("update.apply update.ports update.record update.limits", lambda host: host.call("POST", "/containers/victim/update", {"Memory": 128 << 20, "MemorySwap": 128 << 20}), memory,
         lambda host: host.runs("victim", Memory=64 << 20, MemorySwap=64 << 20)),
    Case("update.mounts update.apply update.record volume.record volume.directory", lambda host: host.call("POST", "/containers/victim/update", MOUNTS), mounted,
         lambda host: host.create("victim", Binds=["before:/before"])),
    Case("policy.apply policy.record", lambda host: host.send("POST", "/brig/policies", POLICY, "application/yaml"),
         judged),
    Case("network.create network.record", lambda host: host.call("POST", "/networks/create", {"Name": "half"}), network_whole),
    Case("network.remove network.forget", lambda host: host.call("DELETE", "/networks/half"), network_as_before,
         lambda host: host.call("POST", "/networks/create", {"Name": "half"})),
    Case("connect.intent connect.join connect.names connect.record", lambda host: host.call("POST", "/networks/half/connect", {"Container": "victim"}), connected,
         lambda host: (host.call("POST", "/networks/create", {"Name": "half"}), host.runs("victim"))),
    Case("disconnect.leave disconnect.gateway disconnect.record", lambda host: host.call("POST", "/networks/half/disconnect", {"Container": "victim"}),
         disconnected, on_half),
    Case("volume.record volume.directory", lambda host: host.call("POST", "/volumes/create", {"Name": "half"}), volume_whole),
    Case("volume.unmount volume.remove volume.forget", lambda host: host.call("DELETE", "/volumes/half"), volume_gone,
         lambda host: host.call("POST", "/volumes/create", {"Name": "half"})),
    Case("volume.mounted", START, startable, tmpfs_volume),
    Case("start.document", START, removable, ipc_joiner),
    Case("exec.create exec.start exec.started", EXEC, still_runs, RUN),
    Case("stop.signal", lambda host: host.call("POST", "/containers/victim/stop?t=0"), startable, RUN),
    Case("restart.start", lambda host: host.call("POST", "/containers/victim/restart?t=0"), startable, RUN),
    Case("pause.freeze pause.record", lambda host: host.call("POST", "/containers/victim/pause"),
         lambda host, _: host.state("victim")["Paused"] and host.call("POST", "/containers/victim/unpause") or still_runs(host, _), RUN),
    Case("commit.paused commit.layer commit.image", lambda host: host.call("POST", "/commit?container=victim&repo=other"), committed,
         lambda host: host.runs("victim", ["sh", "-c", "echo x >/changed; sleep 1000"])),
    Case("logs.clear", lambda host: host.call("POST", "/containers/victim/logs/clear"), reads_logs, RUN),
    Case("reload.settings", reload, None, lambda host: open(f"{host.root}/daemon.json", "w", encoding="utf-8").write('{"labels": ["a=b"]}')),
    Case("prune.container", lambda host: host.call("POST", "/containers/prune"), None, unused),
    Case("prune.network", lambda host: host.call("POST", "/networks/prune"), None, unused),
    Case("prune.volume", lambda host: host.call("POST", "/volumes/prune"), None, unused),
    Case("image.tag", lambda host: host.call("POST", "/images/busybox/tag?repo=other&tag=latest"), tagged),
    Case("image.untag image.untagged image.unrecorded remover.remove", DELETE_FRESH, untagged, loaded_image),
    Case("load.staged image.layer-synced image.layer-moved image.record", lambda host: host.send("POST", "/images/load", host.saved), load_again, save),
    Case("run.describe run.directories run.mounts run.layers run.reserve run.document run.spawn run.network run.created run.go run.follow build.ran "
         "build.stored build.held build.moved build.layers build.made", lambda host: host.build_image(), build_again),
    Case("build.pruned-rows", lambda host: host.call("POST", "/build/prune?all=1"), build_again,
         lambda host: (host.build_image(), host.call("DELETE", "/images/built"))),
    Case("monitor.start monitor.created monitor.go runtime.ready monitor.exit-before-record monitor.exit-after-record", START, ended_somehow, EXIT7, monitor=True),
    Case("monitor.exec monitor.exec-started monitor.exec-end", lambda host: host.execute("victim", ["true"]), ended_somehow, RUN, monitor=True),
    Case("monitor.log-clear", lambda host: host.call("POST", "/containers/victim/logs/clear"), ended_somehow, RUN, monitor=True),
    Case("monitor.log-rotate", go, ended_somehow, rotating, monitor=True),
    Case("logger.compressed", go, reads_logs, rotating, monitor=True),
    Case("logger.start", START, lambda host, _: host.state("victim"), lambda host: host.create("victim", ["sh", "-c", "echo x; sleep 1000"], LogConfig=syslog(host)), monitor=True),
    Case("logger.record", START, still_runs, lambda host: host.create("victim", ["sh", "-c", "echo x; sleep 1000"], LogConfig=syslog(host)), monitor=True),
]


def passes(host, case, point):
    if case.prepare:
        case.prepare(host)
    trace, host.problem = f"{host.point}.passed", None
    host.arm(f"{point}=kill")
    try:
        answer = case.act(host) or True
    except LOST as problem:
        answer = None
        host.problem = problem
    host.api.close()
    # Who kills itself says so first: see failpoint.c.
    wait_for(lambda: os.path.exists(trace), f"{point} is reached: {host.problem}", 8)
    host.disarm()
    os.unlink(trace)
    if not case.monitor:
        host.process.wait(PATIENCE)
        host.start()
    assert host.process.poll() is None, "the daemon died of it: " + host.tail()
    if case.check:
        case.check(host, answer)
    host.oracle()


def lane(build, busybox, work, results):
    host = None
    while True:
        try:
            case, point = work.get_nowait()
        except queue.Empty:
            break
        began, failure = time.monotonic(), None
        try:
            if not host:
                host = Host(build, busybox)
                host.begin()
            passes(host, case, point)
        except Exception:
            failure = traceback.format_exc(limit=-4) + (host.tail() if host else "")
        results.append((point, failure, time.monotonic() - began))
        if failure and host:  # what it left is no other case's
            finish(host, results, False)
            host = None
    if host:
        finish(host, results, True)


def finish(host, results, told):
    try:
        host.end()
    except Exception:
        if told:
            results.append(("the end", traceback.format_exc(limit=-4), 0))


def main():
    end_on_signals()
    build, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    have, cased, results, work = failpoints(), [point for case in CASES for point in case.points], [], queue.Queue()
    for point in sorted(have - set(cased) - set(ELSEWHERE)):
        results.append((point, "it has no case", 0))
    for point in sorted((set(cased) | set(ELSEWHERE)) - have):
        results.append((point, "there is no such failpoint", 0))
    for point, name in ELSEWHERE.items():
        with open(f"{TOP}/tests/{name}", encoding="utf-8") as file:
            if point not in file.read():
                results.append((point, f"{name} does not kill there", 0))
    for case in CASES:
        for point in case.points:
            if not wanted or point in wanted:
                work.put((case, point))
    with open("/bin/busybox", "rb") as file:
        busybox = file.read()
    lanes = [threading.Thread(target=lane, args=(build, busybox, work, results)) for _ in range(min(LANES, work.qsize()))]
    try:
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()
    except SystemExit:  # a signal: each lane ends its host after the case that it is at, and Python waits for them
        with contextlib.suppress(queue.Empty):
            while True:
                work.get_nowait()
        raise
    print(f"1..{len(results)}")
    for number, (point, failure, seconds) in enumerate(results, 1):
        print(f"{'not ok' if failure else 'ok'} {number} - {point} ({seconds:.2f} s)")
        if failure:
            print("# " + failure.strip().replace("\n", "\n# "))
    sys.exit(any(failure for _, failure, _ in results))


main()
