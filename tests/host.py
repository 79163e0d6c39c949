"""host.py: namespaces with a daemon of their own, and one oracle (Host.oracle): whether what was acknowledged is there, nothing is left over and
the engine works. For programs that kill the daemon again and again: crash-matrix.py, churn.py."""
import contextlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time

from api import Daemon, container

PATIENCE = 30  # seconds
LOST = (OSError, RuntimeError, ValueError, http.client.HTTPException)


def wait_for(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.01)
    return value


def end_on_signals():
    """SIGTERM and SIGINT end the main thread as sys.exit does: what it has to end, it ends. timeout(1) sends two: the second changes nothing."""
    def ended(number, _):
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: None)
        sys.exit(f"ended by {signal.Signals(number).name}")

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, ended)


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
        environment = {**os.environ, "BRIG_FAILPOINT": "@" + self.point, "ASAN_OPTIONS": report + ":handle_abort=1",
                       "UBSAN_OPTIONS": report + ":print_stacktrace=1:halt_on_error=1:abort_on_error=1",
                       "TSAN_OPTIONS": report}
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

    def processes(self):
        """The daemon and all that it started, by their ids."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    ours = ("@" + self.point).encode() in file.read()
                with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
                    ours = ours or self.cgroup + "/" in file.read()
            except OSError:
                continue
            if ours:
                yield int(pid)

    def groups(self):
        """The control groups of its containers, parents first."""
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            depth = folder.count("/")
            if self.cgroup in folder.split("/"):
                yield folder
            elif depth > 5:
                names.clear()

    def residue(self):
        """All that the host has of the engine; after the clean-up as it was before the first case."""
        found = [f"mount {line.split()[4]}" for line in open(f"/proc/{self.holder.pid}/mountinfo", encoding="utf-8") if self.root in line]
        namespaces = set()
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    found.append("process " + os.path.basename(file.read().split(b"\0")[0].decode()))
                namespaces.update(os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "mnt", "pid"))
            except OSError:
                continue
        found.append(f"namespaces {len(namespaces)}")
        found += ["cgroup " + folder for folder in self.groups()]
        network = self.run("sh", "-c", "ip -o link; ip -o addr; ip route; ip -6 route; nft list ruleset")
        # Whether a bridge without ports has a carrier the kernel finds out when it has time.
        passing = r"(?m)^\d+: |@if\d+|NO-CARRIER,|,LOWER_UP| state \w+|expires \S+| linkdown| tentative|counter packets \d+ bytes \d+"
        found += ["net " + line for line in re.sub(passing, "", network).split("\n")]
        for top in ("data", "run"):
            for folder, names, files in os.walk(f"{self.root}/{top}"):
                # In `partial` is what the next pull may go on with; it expires.
                if folder.endswith(("/fs", "/upper", "/_data", "/image/partial")):
                    names.clear()
                    continue
                found += [f"file {folder[len(self.root):]}/{name}" for name in names + files if not name.endswith(("-wal", "-shm", ".db.copy.new"))]
        found += [f"descriptor {name}" for name in self.descriptors() if ".db" not in name]
        return sorted(found + self.rows())

    def descriptors(self):
        """What the daemon has open, without numbers; some are closed while one looks."""
        folder, found = f"/proc/{self.process.pid}/fd", []
        for fd in os.listdir(folder):
            try:
                found.append(re.sub(r"\d+", "", os.readlink(f"{folder}/{fd}")))
            except FileNotFoundError:
                continue
        return found

    def ask(self, name, *questions):
        """What a copy of a database of the data root answers, a number each: the daemon may have the file for itself."""
        copy = tempfile.mkdtemp(dir=self.root, prefix="copy.")
        for end in ("", "-wal"):
            try:
                shutil.copy(f"{self.root}/data/{name}{end}", f"{copy}/copy.db{end}")
            except FileNotFoundError:
                continue
        with sqlite3.connect(f"{copy}/copy.db") as base:
            answers = [base.execute(question).fetchone()[0] for question in questions]
        base.close()
        shutil.rmtree(copy)
        return answers

    def rows(self):
        found = []
        for name, tables in (("engine.db", "containers containers_documents networks volumes policies"), ("image/images.db", "images names layers holds indexes"),
                             ("build/cache.db", "records mounts")):
            tables = tables.split()
            counts = self.ask(name, *(f"SELECT count(*) FROM {table}" for table in tables))
            found += [f"rows {table} {count}" for table, count in zip(tables, counts)]
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
        for copy in ("engine.db.copy", "image/images.db.copy"):
            wait_for(lambda: os.path.exists(f"{self.root}/data/{copy}"), copy)
        self.before = self.residue()
        wait_for(lambda: self.before == self.residue() or setattr(self, "before", self.residue()), "the first state settles")

    def end(self):
        """The daemon's end has to be a clean one. Whatever came, nothing of the host stays."""
        try:
            self.disarm()
            if self.process and self.process.poll() is None:
                self.api.close()  # who was interrupted may have been in the middle of a call
                for one in self.call("GET", "/containers/json?all=1"):
                    self.call("DELETE", f"/containers/{one['Id']}?force=1&v=1")
                self.process.terminate()
                assert self.process.wait(PATIENCE) == 0, f"the daemon ended with {self.process.returncode}"
            reports = [name for name in os.listdir(self.root) if name.startswith("sanitizer.")]
            assert not reports, "a sanitizer reports: " + "".join(open(f"{self.root}/{name}", encoding="utf-8").read() for name in reports)
        finally:
            self.sweep()

    def sweep(self):
        """What lives here is killed, with or without a daemon; the namespaces' mounts and links go with the last who is in them."""
        try:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            wait_for(self.is_empty, "all that the daemon started is gone")
        finally:
            self.holder.kill()
            self.holder.wait()
            self.log.close()
            shutil.rmtree(self.root, ignore_errors=True)

    def is_empty(self):
        living = list(self.processes())
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for folder in reversed(list(self.groups())):
            with contextlib.suppress(OSError):  # not before its processes are gone
                os.rmdir(folder)
        return not living and not any(self.groups())
