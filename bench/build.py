#!/usr/bin/python3
"""build.py: `brig build` on brigd beside Debian's `docker build` with BuildKit in dockerd 20.10, each in namespaces of its own, by turns on a machine at
rest; prints medians and their ratio, and whether the ratio keeps the goal of docs/performance.md. Exits 1 where one does not."""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / "bench"), str(TOP / "tests"), str(TOP / "tests/compare")]
from compare import BUILD, start_all  # noqa: E402
from engine import command, interleaved, row, settled  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
PEER_CLIENT = "/usr/bin/docker"  # 20.10, whose client has BuildKit's half built in

TEN_STEPS = "FROM busybox\nWORKDIR /app\nCOPY . .\n" + "".join(f"RUN echo step {n} >>log && cat log >/dev/null\n" for n in range(10))
FOUR_STAGES = "".join(f"FROM busybox AS s{n}\nRUN sleep 1 && echo {n} >/{n}\n" for n in range(4)) + "FROM busybox\n" + "".join(f"COPY --from=s{n} /{n} /\n" for n in range(4))
# The large layer is made by building what reads one byte of it; what is measured then is exporting it.
LARGE = "FROM busybox AS large\nRUN head -c 300000000 /dev/urandom >/large && echo >/small\nFROM busybox AS made\nCOPY --from=large /small /\n"


class Project:
    """A context with that Dockerfile; change() makes one file another."""

    def __init__(self, dockerfile, files=20):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="brig-bench-build."))
        (self.folder / "Dockerfile").write_text(dockerfile)
        for number in range(files):
            (self.folder / f"file{number}").write_text(f"content of file {number}\n" * 100)
        self.changes = 0

    def change(self):
        self.changes += 1
        (self.folder / "file7").write_text(f"change {self.changes}\n")

    def touch(self):
        for path in self.folder.iterdir():
            path.touch()


def build(daemon, project, *options):
    if daemon.name == "dockerd":
        env = {**daemon.env, "DOCKER_BUILDKIT": "1"}
        words = [PEER_CLIENT, "build", "-q", *options, str(project.folder)]
    else:
        env, words = daemon.env, [str(BUILD / "src/cli/brig"), "build", "-q", *options, str(project.folder)]
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {daemon.name}: {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def pair(daemons, project, *options, before=lambda: None, rounds=ROUNDS):
    def work(daemon):
        return lambda: build(daemon, project, *options)

    def turn(this):
        before()
        return settled(this)
    return interleaved(*(work(daemon) for daemon in daemons), rounds, turn)


def export_pair(daemons, project, rounds=5):
    """Each time a layer that no image has had before."""
    times = {daemon.name: [] for daemon in daemons}
    for _ in range(rounds):
        for daemon in daemons:
            build(daemon, project, "--no-cache")
            times[daemon.name].append(settled(lambda daemon=daemon: build(daemon, project, "--target", "large")))
    return (statistics.median(times[daemon.name]) for daemon in daemons)


def main():
    archive = "/tmp/brig-bench-image"
    subprocess.run(["bash", "-c", f"BRIG_SUITE_DIR={archive}; . {TOP}/tests/lib.bash; [[ -e {archive}/busybox.oci ]] || make_busybox_archive"], check=True)
    peer, ours = daemons = start_all()
    kept = []
    ten, four, large = Project(TEN_STEPS), Project(FOUR_STAGES, 0), Project(LARGE, 0)
    try:
        for daemon in daemons:
            command(daemon, "docker", "load", "-i", f"{archive}/busybox.oci")
            build(daemon, ten, "-t", "ten")
        print(f"{'':52} {'BuildKit ms':>10} {'brig ms':>10}   ratio")
        kept.append(row("ten steps, all cached", *pair(daemons, ten), 1 / 10))
        kept.append(row("the same after touch of every file", *pair(daemons, ten, before=ten.touch), 1 / 10))
        kept.append(row("one changed file, ten steps after it", *pair(daemons, ten, before=ten.change), 1 / 4))
        kept.append(row("ten steps, cold", *pair(daemons, ten, "--no-cache"), 1 / 4))
        kept.append(row("exporting a layer of 300 MB", *export_pair(daemons, large), 1 / 5))
        _, took = pair(daemons, four, "--no-cache", rounds=3)
        kept.append(took <= 0.35 * 4)
        print(f"four stages of one second at once: {took:.2f} s (goal: 0.35 of 4 s) {'kept' if kept[-1] else 'MISSED'}")
    finally:
        for daemon in daemons:
            daemon.end()
        for project in (ten, four, large):
            subprocess.run(["rm", "-rf", str(project.folder)])
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
