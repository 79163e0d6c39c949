#!/usr/bin/python3
"""pull.py: pull and unpack of a Debian root system (gzip, some hundred megabytes of files) from a registry on loopback, by brigd and by dockerd
20.10 in turn; prints medians and their ratio, and exits 1 where it misses the goal of docs/performance.md. Each pull has a daemon, a host and
an ext4 of its own, made anew: ext4 avoids the inodes of what was removed a minute ago, which costs more than all of a pull."""
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from engine import CLIENT, command, row, settled  # noqa: E402
from compare import DAEMONS, Daemon  # noqa: E402 (found by engine)

ROUNDS = int(os.environ.get("BENCH_PULLS", "7"))
GOAL = 0.3
DISK_SIZE = 4 << 30
FOLDER = pathlib.Path("/tmp/brig-bench-image")
ADDRESS = "127.0.0.1:5000"
IMAGE = f"{ADDRESS}/debian:bench"


def make_root():
    """The root system as an image archive, made once."""
    archive, root = FOLDER / "debian.oci", FOLDER / "debian.tar"
    if archive.exists():
        return archive
    FOLDER.mkdir(exist_ok=True)
    subprocess.run(["mmdebstrap", "--quiet", "--variant=important", "bookworm", root], check=True)
    layout = subprocess.run(["bash", "-c", """
        set -e; cd "$0"; mkdir -p layout; mv debian.tar layout/layer.tar; cd layout
        diff=$(sha256sum layer.tar | cut -d' ' -f1)
        printf '{"architecture":"amd64","os":"linux","created":"2024-01-01T00:00:00Z","config":{"Cmd":["sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"2024-01-01T00:00:00Z","created_by":"mmdebstrap"}]}' "$diff" >config
        name=$(sha256sum config | cut -d' ' -f1).json; mv config "$name"
        printf '[{"Config":"%s","RepoTags":["debian:bench"],"Layers":["layer.tar"]}]' "$name" >manifest.json
        tar -cf ../debian.part manifest.json "$name" layer.tar; cd ..; rm -r layout; mv debian.part debian.oci""", str(FOLDER)], check=False)
    if layout.returncode != 0:
        sys.exit("bench: the Debian image could not be made")
    return archive


def in_host(daemon, *words):
    return ["nsenter", "--target", str(daemon.process.pid), "--net", "--", *words]


def start_registry(daemon):
    config = daemon.root / "registry.yml"
    config.write_text("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
                      f"storage: {{filesystem: {{rootdirectory: {FOLDER / 'registry'}}}}}\nhttp: {{addr: {ADDRESS}}}\n")
    registry = subprocess.Popen(in_host(daemon, "docker-registry", "serve", str(config)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while subprocess.run(in_host(daemon, "curl", "-s", "-o", "/dev/null", f"http://{ADDRESS}/v2/"), check=False).returncode != 0:
        if time.monotonic() > end or registry.poll() is not None:
            sys.exit("bench: the registry did not come up")
    return registry


@contextlib.contextmanager
def fresh_disk():
    """The folder of a new ext4 in a file; what makes temporary folders makes them there."""
    file, folder = FOLDER / "disk", FOLDER / "mount"
    folder.mkdir(exist_ok=True)
    with open(file, "wb") as image:
        image.truncate(DISK_SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file], check=True)
    subprocess.run(["mount", "-o", "loop", file, folder], check=True)
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = None
        subprocess.run(["umount", folder], check=True)
        file.unlink()


@contextlib.contextmanager
def started(name):
    daemon = Daemon(name, DAEMONS[name])
    try:
        registry = start_registry(daemon)
        try:
            yield daemon
        finally:
            registry.terminate()
            registry.wait(20)
    finally:
        daemon.end()


def push(archive):
    with started("brigd") as daemon:
        subprocess.run(in_host(daemon, "skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"docker-archive:{archive}", f"docker://{IMAGE}"),
                       check=True)


def pull(name):
    with fresh_disk(), started(name) as daemon:
        os.sync()
        return settled(lambda: command(daemon, CLIENT, "pull", "-q", IMAGE))


def main():
    archive = make_root()
    push(archive)
    pairs = [[pull(name) for name in ("dockerd", "brigd")] for _ in range(ROUNDS)]
    print(f"{'':52} {'dockerd ms':>10} {'brigd ms':>10}   ratio")
    size = archive.stat().st_size >> 20
    return 0 if row(f"docker pull, one gzip layer of {size} MiB of files", *(statistics.median(side) for side in zip(*pairs)), GOAL) else 1


if __name__ == "__main__":
    sys.exit(main())
