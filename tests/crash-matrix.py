#!/usr/bin/python3
"""crash-matrix.py BUILD [POINT...]: each failpoint of the daemon, the monitor and the logger (or those that are named): what passes it is
asked for, the program kills itself there, the daemon is started again, and one oracle (Host.oracle) says whether what was acknowledged is there,
nothing is left over and the engine works. A failpoint without a case, and a case without one, is a failure. Prints TAP."""
import http.client
import io
import json
import os
import queue
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import traceback

from api import Daemon, container

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LANES = 3
PATIENCE = 30  # seconds
LOST = (OSError, RuntimeError, ValueError, http.client.HTTPException)

# Those that other tests kill at, since they need another daemon's options, a registry or a fault of a step and not a death.
ELSEWHERE = {
    "network.reconnect": "crash.bats", "image.index-put": "crash.bats", "image.index-record": "crash.bats", "image.unindexed": "crash.bats",
    "build.platforms": "crash.bats",
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


def wait_for(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.01)
    return value


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o755
            tar.addfile(member, io.BytesIO(text))
    return out.getvalue()


class Host:
    """Namespaces with a daemon of their own."""

    def __init__(self, build, busybox):
        self.build, self.busybox = build, busybox
        self.root = tempfile.mkdtemp(prefix="brig-matrix.")
        self.holder = subprocess.Popen(["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c",
                                        "mount --make-rshared / && ip link set lo up && echo up && exec tail -f /dev/null"],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.holder.stdout.readline()
        self.point, self.process, self.api, self.witness = f"{self.root}/failpoint", None, None, None
        self.cgroup = f"brig-test-{self.holder.pid}"
        self.log = open(f"{self.root}/brigd.log", "ab")

    def run(self, *command):
        return subprocess.run(["nsenter", "--target", str(self.holder.pid), "--net", "--mount", "--", *command],
                              check=True, stdout=subprocess.PIPE, text=True).stdout

    # ---- the daemon ----

    def start(self):
        report = f"log_path={self.root}/sanitizer:exitcode=99:detect_leaks=0"
        environment = {**os.environ, "BRIG_FAILPOINT": "@" + self.point, "ASAN_OPTIONS": report, "UBSAN_OPTIONS": report + ":print_stacktrace=1"}
        self.process = subprocess.Popen(
            ["nsenter", "--target", str(self.holder.pid), "--net", "--mount", "--", f"{self.build}/src/daemon/brigd", "--data-root", f"{self.root}/data",
             "--exec-root", f"{self.root}/run", "-H", f"unix://{self.root}/brig.sock", "--pidfile", f"{self.root}/brigd.pid", "--cgroup-parent",
             "/" + self.cgroup, "--bip", "172.17.0.1/16", "--config-file", f"{self.root}/daemon.json"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment)
        self.api = Daemon(f"{self.root}/brig.sock")
        wait_for(self.answers, "the daemon answers")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.tail()}")
        try:
            return self.api.call("GET", "/_ping")
        except LOST:
            self.api.close()
            return None

    def tail(self):
        with open(f"{self.root}/brigd.log", encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-12:])

    def arm(self, point):
        with open(self.point + ".new", "w", encoding="utf-8") as file:
            file.write(point)
        os.rename(self.point + ".new", self.point)

    def disarm(self):
        if os.path.exists(self.point):
            os.unlink(self.point)

    def call(self, method, url, body=None):
        return self.api.call(method, url, body)

    def send(self, method, url, data, kind="application/x-tar"):
        self.api.request(method, "/v1.41" + url, data, {"Content-Type": kind})
        answer = self.api.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status >= 300 or '"errorDetail"' in text:
            raise RuntimeError(f"{method} {url}: {answer.status} {text}")
        return text

    # ---- what the cases are made of ----

    def create(self, name, command=("sleep", "1000"), **host):
        body = container(host.pop("Image", "busybox"), list(command), host.pop("ports", ()), **host)
        return self.call("POST", f"/containers/create?name={name}", body)["Id"]

    def start_container(self, name):
        self.call("POST", f"/containers/{name}/start")

    def runs(self, name, command=("sleep", "1000"), **host):
        self.create(name, command, **host)
        self.start_container(name)

    def state(self, name):
        try:
            return self.call("GET", f"/containers/{name}/json")["State"]
        except RuntimeError as problem:
            if " 404 " in str(problem):
                return None
            raise

    def execute(self, name, command, detach=True):
        made = self.call("POST", f"/containers/{name}/exec", {"Cmd": command, "AttachStdout": True})["Id"]
        self.call("POST", f"/exec/{made}/start", {"Detach": detach})
        return made

    def load(self, name, files=None):
        self.send("POST", f"/images/create?fromSrc=-&repo={name}", archive(files or {"bin/busybox": self.busybox, "bin/sh": self.busybox, "own": name.encode()}))

    def build_image(self, name="built"):
        text = self.send("POST", f'/build?t={name}&buildargs={{"SOURCE_DATE_EPOCH":"1700000000"}}', archive({
            "Dockerfile": b"FROM busybox AS maker\nRUN cat /own >/made\nFROM busybox\nCOPY --from=maker /made /made\nCOPY file /file\nRUN cat /made /file >/both\n",
            "file": b"data\n"}))
        return re.findall(r'"ID":"(sha256:[0-9a-f]+)"', text)[-1]

    # ---- the oracle ----

    def residue(self):
        """All that the host has of the engine; after the clean-up as it was before the first case."""
        found = [f"mount {line.split()[4]}" for line in open(f"/proc/{self.holder.pid}/mountinfo", encoding="utf-8") if self.root in line]
        namespaces = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    ours = ("@" + self.point).encode() in file.read()
                with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
                    ours = ours or self.cgroup + "/" in file.read()
                if not ours:
                    continue
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    found.append("process " + os.path.basename(file.read().split(b"\0")[0].decode()))
                namespaces.update(os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "mnt", "pid"))
            except OSError:
                continue
        found.append(f"namespaces {len(namespaces)}")
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            depth = folder.count("/")
            if self.cgroup in folder.split("/"):
                found.append("cgroup " + folder)
            elif depth > 5:
                names.clear()
        network = self.run("sh", "-c", "ip -o link; ip -o addr; ip route; ip -6 route; nft list ruleset")
        found += ["net " + line for line in re.sub(r"(?m)^\d+: |@if\d+|expires \S+| linkdown| tentative|counter packets \d+ bytes \d+", "", network).split("\n")]
        for top in ("data", "run"):
            for folder, names, files in os.walk(f"{self.root}/{top}"):
                # In `partial` is what the next pull may go on with; it expires.
                if folder.endswith(("/fs", "/upper", "/_data", "/image/partial")):
                    names.clear()
                    continue
                found += [f"file {folder[len(self.root):]}/{name}" for name in names + files if not name.endswith(("-wal", "-shm"))]
        fds = [re.sub(r"\d+", "", os.readlink(f"/proc/{self.process.pid}/fd/{fd}")) for fd in os.listdir(f"/proc/{self.process.pid}/fd")]
        found += [f"descriptor {name}" for name in fds if ".db" not in name]
        return sorted(found + self.rows())

    def rows(self):
        found = []
        for name, tables in (("engine.db", "containers containers_documents networks volumes policies"), ("image/images.db", "images names layers holds indexes"),
                             ("build/cache.db", "records mounts")):
            copy = tempfile.mkdtemp(dir=self.root, prefix="copy.")
            for end in ("", "-wal"):
                if os.path.exists(f"{self.root}/data/{name}{end}"):
                    shutil.copy(f"{self.root}/data/{name}{end}", f"{copy}/copy.db{end}")
            with sqlite3.connect(f"{copy}/copy.db") as base:
                found += [f"rows {table} {base.execute(f'SELECT count(*) FROM {table}').fetchone()[0]}" for table in tables.split()]
            base.close()
            shutil.rmtree(copy)
        return found

    def settles(self):
        """Two looks that differ only by what is under way."""
        now = []
        try:
            wait_for(lambda: now.clear() or now.extend(self.residue()) or now == self.before, "", 10)
        except AssertionError:
            gone, left = list(self.before), list(now)
            for item in now:
                if item in gone:
                    gone.remove(item)
                    left.remove(item)
            raise AssertionError(f"left: {left}; gone: {gone}") from None

    def works(self):
        self.create("well", ["sh", "-c", "exit 3"], ports=[80])
        self.start_container("well")
        assert self.call("POST", "/containers/well/wait")["StatusCode"] == 3
        self.call("DELETE", "/containers/well?v=1")

    def clean(self):
        for one in self.call("GET", "/containers/json?all=1"):
            if one["Names"] != ["/witness"]:
                self.call("DELETE", f"/containers/{one['Id']}?force=1&v=1")
        for policy in self.call("GET", "/brig/policies") or []:
            self.call("DELETE", f"/brig/policies/{policy.get('namespace') or policy['metadata'].get('namespace', 'default')}/{policy.get('name') or policy['metadata']['name']}")
        for network in self.call("GET", "/networks"):
            if network["Name"] not in ("bridge", "host", "none", "kept"):
                self.call("DELETE", f"/networks/{network['Id']}")
        for volume in self.call("GET", "/volumes")["Volumes"] or []:
            if volume["Name"] != "kept":
                self.call("DELETE", f"/volumes/{volume['Name']}")
        for image in self.call("GET", "/images/json?all=1"):
            if "busybox:latest" in (image["RepoTags"] or []):
                for name in image["RepoTags"]:
                    if name != "busybox:latest":
                        self.call("DELETE", f"/images/{name}")
            else:
                self.call("DELETE", f"/images/{image['Id']}?force=1")
        self.call("POST", "/build/prune?all=1")

    def oracle(self):
        """What was acknowledged long ago is there as it was; the engine works; once all else is removed, nothing is left."""
        now = self.call("GET", "/containers/witness/json")
        assert now["State"]["Running"] and now["State"]["Pid"] == self.witness["State"]["Pid"], f"the witness: {now['State']}"
        assert now["NetworkSettings"] == self.witness["NetworkSettings"], f"the witness' network: {now['NetworkSettings']}"
        page = self.run("curl", "-s", "--max-time", "5", "http://127.0.0.1:18777/own")
        assert page == "busybox", f"the witness answers: {page}"
        self.works()
        self.clean()
        self.settles()

    # ---- a life ----

    def begin(self):
        with open(f"{self.root}/daemon.json", "w", encoding="utf-8") as file:
            file.write("{}")
        self.start()
        names = subprocess.run(["/bin/busybox", "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        files = {"bin/busybox": self.busybox, "own": b"busybox", "data/seed": b"seed"}
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(text), 0o755
                tar.addfile(member, io.BytesIO(text))
            for name in names:
                member = tarfile.TarInfo(f"bin/{name}")
                if name != "busybox":
                    member.type, member.linkname = tarfile.SYMTYPE, "busybox"
                    tar.addfile(member)
        self.send("POST", "/images/create?fromSrc=-&repo=busybox&tag=latest", out.getvalue())
        self.call("POST", "/networks/create", {"Name": "kept"})
        self.call("POST", "/volumes/create", {"Name": "kept"})
        body = container("busybox", ["httpd", "-f", "-h", "/"], (), Binds=["kept:/kept"], NetworkMode="kept", PortBindings={"80/tcp": [{"HostPort": "18777"}]})
        body["ExposedPorts"] = {"80/tcp": {}}
        self.call("POST", "/containers/create?name=witness", body)
        self.start_container("witness")
        self.build_whole = self.build_image()
        self.works()
        self.clean()
        self.process.kill()
        self.process.wait()
        self.start()
        self.works()
        self.witness = self.call("GET", "/containers/witness/json")
        self.before = self.residue()
        wait_for(lambda: self.before == self.residue() or setattr(self, "before", self.residue()), "the first state settles")

    def end(self):
        try:
            self.disarm()
            if self.process.poll() is None:
                self.call("DELETE", "/containers/witness?force=1")
                self.process.terminate()
                assert self.process.wait() == 0, f"the daemon ended with {self.process.returncode}"
            reports = [name for name in os.listdir(self.root) if name.startswith("sanitizer.")]
            assert not reports, "a sanitizer reports: " + "".join(open(f"{self.root}/{name}", encoding="utf-8").read() for name in reports)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self.holder.kill()
            self.holder.wait()
            self.log.close()
            shutil.rmtree(self.root, ignore_errors=True)


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
    Case("create.image create.name create.networks create.layers create.intent create.directories create.hold create.mounts create.record create.ready",
         lambda host: host.create("half", ["true"], ports=[80], Binds=["named:/named"], Mounts=[{"Type": "volume", "Target": "/data"}]), created),
    Case("create.initlayer", lambda host: host.create("half", ["/bin/busybox", "true"], Image="fresh"), created, loaded_image),
    Case("start.reserve start.intent start.copies start.directories start.namespace start.document start.spawn start.network start.created start.attach "
         "start.go start.record", START, startable, lambda host: host.create("victim", ports=[80])),
    Case("exit.begin exit.network exit.record", START, ended, EXIT7),
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
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    print(f"1..{len(results)}")
    for number, (point, failure, seconds) in enumerate(results, 1):
        print(f"{'not ok' if failure else 'ok'} {number} - {point} ({seconds:.2f} s)")
        if failure:
            print("# " + failure.strip().replace("\n", "\n# "))
    sys.exit(any(failure for _, failure, _ in results))


main()
