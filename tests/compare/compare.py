#!/usr/bin/python3
"""compare.py [--only TEXT] [--show]: runs tests/compare/commands with the docker client against dockerd 20.10 and against brigd, each in
network and mount namespaces of its own, and compares output, errors and exit codes. A difference is accepted only where docs/differences.md
names the command (a line "- `command`: why"). Prints TAP; exits 1 on a difference that is not argued. Needs: docker.io, docker (the client
named by DOCKER_CLIENT, default /usr/local/bin/docker), busybox-static, root."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = (TOP / os.environ.get("BRIG_BUILD", "build")).resolve()
CLIENT = os.environ.get("DOCKER_CLIENT", "/usr/local/bin/docker")

# What differs between two runs of the same daemon, too: in this order.
NOISE = [
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<short>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
    (r"(About )?(an?|\d+) (second|minute|hour|day|week|month|year)s?( ago)?", "<ago>"),
    (r"Less than a second( ago)?", "<ago>"),
    (r"/tmp/brig-compare[^/ \"]*", "<root>"),
    (r"\"ConsoleSize\":\[\d+,\d+\]", '"ConsoleSize":[0,0]'),
    (r"time=\d+\.\d+ ms|min/avg/max = [\d./]+ ms", "<ms>"),
    (r"[ \t]+(?=\n|$)", ""),
]


def normal(text):
    for pattern, stands in NOISE:
        text = re.sub(pattern, stands, text)
    return text


class Daemon:
    """A daemon in a host of its own; `start` is shell that execs it with $ROOT as its folder."""

    def __init__(self, name, start):
        self.name, self.root = name, pathlib.Path(tempfile.mkdtemp(prefix=f"brig-compare-{name}."))
        self.socket = self.root / "d.sock"
        script = f"ip link set lo up; mount -t tmpfs tmpfs /run; {start}"
        self.log = open(self.root / "log", "wb")
        self.process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "bash", "-c", script],
            env={**os.environ, "ROOT": str(self.root), "BUILD": str(BUILD)}, stdout=self.log, stderr=self.log)
        self.env = {**os.environ, "DOCKER_HOST": f"unix://{self.socket}", "DOCKER_API_VERSION": "1.41", "DOCKER_CONFIG": str(self.root / "cfg"),
                    "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        (self.root / "bin").mkdir()
        (self.root / "bin" / "docker").symlink_to(CLIENT)
        (self.root / "bin" / "brig").symlink_to(BUILD / "src/cli/brig")
        end = time.monotonic() + 60
        while subprocess.run(["docker", "version"], env=self.env, capture_output=True).returncode != 0:
            if time.monotonic() > end or self.process.poll() is not None:
                self.process.kill()
                sys.exit(f"compare: {name} did not come up; see {self.root}/log")

    def run(self, command):
        try:
            done = subprocess.run(["bash", "-c", command], env=self.env, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return "timeout", "", ""
        return done.returncode, normal(done.stdout.decode(errors="replace")), normal(done.stderr.decode(errors="replace"))

    def end(self):
        ids = subprocess.run(["docker", "ps", "-aq"], env=self.env, capture_output=True, text=True).stdout.split()
        if ids:
            subprocess.run(["docker", "rm", "-f", *ids], env=self.env, capture_output=True)
        self.process.terminate()
        self.process.wait(60)
        self.log.close()
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.root)])


DAEMONS = {
    "dockerd": "exec dockerd --data-root $ROOT/data --exec-root /run/engine -H unix://$ROOT/d.sock --pidfile $ROOT/pid --bip 172.17.0.1/16",
    "brigd": "exec $BUILD/src/daemon/brigd --data-root $ROOT/data --exec-root /run/engine -H unix://$ROOT/d.sock --pidfile $ROOT/pid --bip 172.17.0.1/16",
}


def start_all():
    """All of them, or an exit that leaves none."""
    daemons = []
    try:
        for name, start in DAEMONS.items():
            daemons.append(Daemon(name, start))
    except BaseException:
        for daemon in daemons:
            daemon.end()
        raise
    return daemons


def argued():
    text = (TOP / "docs/differences.md").read_text()
    return {m.group(1) for m in re.finditer(r"^- `(.+?)`: ", text, re.M)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--show", action="store_true", help="print both answers of every difference")
    options = parser.parse_args()
    accepted, archive = argued(), pathlib.Path(tempfile.mkdtemp(prefix="brig-compare-image."))
    subprocess.run(["bash", "-c", f"BRIG_SUITE_DIR={archive}; . {TOP}/tests/lib.bash; make_busybox_archive"], check=True)
    daemons = []
    number = compared = failed = 0
    try:
        daemons.extend(start_all())
        for daemon in daemons:
            daemon.run(f"docker load -i {archive}/busybox.oci")
        for line in (TOP / "tests/compare/commands").read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            command = line.lstrip("! ").replace("IMG", "busybox")
            answers = [daemon.run(command) for daemon in daemons]
            if line.startswith("!") and any(code == "timeout" for code, _, _ in answers):
                failed += 1
                number += 1
                print(f"not ok {number} - compare: prepared in time: {line[2:].replace('#', ' ')}", flush=True)
            if line.startswith("!") or options.only not in line:
                continue
            compared += 1
            same = answers[0] == answers[1]
            word = "ok" if same or line in accepted else "not ok"
            failed += word == "not ok"
            number += 1
            if (not same and line not in accepted) or (options.show and not same):
                for daemon, (code, out, err) in zip(daemons, answers):
                    for stream in (f"exit {code}", out, err):
                        for text in stream.splitlines():
                            print(f"# {daemon.name:8}| {text}")
            print(f"{word} {number} - compare: {line.replace('#', ' ')}{'' if same or word == 'not ok' else ' (argued)'}", flush=True)
    finally:
        for daemon in daemons:
            daemon.end()
        subprocess.run(["rm", "-rf", str(archive)])
    print(f"1..{number}\n# {compared} commands compared, {failed} differences not argued")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
