"""The engines whose builds are compared: daemons that the docker client or `brig build` talks to, and Debian's buildah, each in namespaces of its own. A build
gives what images.py tells of the image, or {"fails": True}, and the output. A case has a name, which its image is tagged with, options of `docker build`, and
`classic`: whether the docker client's classic API is asked, and `since`: from when on times are not told (images.py)."""
import os
import io
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/build-compare"), str(TOP / "tests/compare")]
from compare import BUILD, start_all  # noqa: E402
from images import image  # noqa: E402

PEER_CLIENT = "/usr/bin/docker"  # 20.10, whose client has BuildKit's half built in


def run(words, folder=None, env=None):
    return subprocess.run(words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=120,
                          stdin=subprocess.DEVNULL)


class DaemonEngine:
    def __init__(self, daemon):
        self.daemon, self.name = daemon, daemon.name

    def load(self, archive, names):
        """The image of a docker-archive, by its own name and by others."""
        subprocess.run([PEER_CLIENT, "load", "-i", archive], env=self.daemon.env, check=True, capture_output=True)
        for name in names:
            subprocess.run([PEER_CLIENT, "tag", "busybox", name], env=self.daemon.env, check=True, capture_output=True)

    def build(self, case, folder):
        with_brig = self.name == "brigd" and not case.classic
        env = {**self.daemon.env, "BRIG_HOST": self.daemon.env["DOCKER_HOST"], "DOCKER_BUILDKIT": "0" if case.classic else "1"}
        progress = [] if case.classic else ["--progress", "plain"]
        done = run([str(BUILD / "src/cli/brig") if with_brig else PEER_CLIENT, "build", *progress, "-t", case.name, *case.options, "."], folder, env)
        if done.returncode != 0:
            return {"fails": True}, done.stdout
        saved = subprocess.run([PEER_CLIENT, "save", case.name], env=self.daemon.env, capture_output=True, check=True).stdout
        return image(io.BytesIO(saved), case.classic, case.since), done.stdout

    def end(self):
        self.daemon.end()


class Buildah:
    name = "buildah"

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="brig-build-compare-buildah."))
        ready = self.root / "ready"
        os.mkfifo(ready)
        self.host = subprocess.Popen(["unshare", "--net", "--mount", "--propagation", "private", "bash", "-c",
                                      f"ip link set lo up && mount -t tmpfs tmpfs /run && echo up >{ready} && exec tail -f /dev/null"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ready.read_text()
        (self.root / "tmp").mkdir()
        self.env = {**os.environ, "TMPDIR": str(self.root / "tmp"), "BUILDAH_ISOLATION": "chroot"}

    def words(self, *words, folder="/"):
        return ["nsenter", "--target", str(self.host.pid), "--net", "--mount", "--", "env", "-C", str(folder), "buildah", "--root", str(self.root / "store"),
                "--runroot", str(self.root / "run"), "--storage-driver", "overlay", *words]

    def load(self, archive, names):
        done = subprocess.run(self.words("pull", "--quiet", f"docker-archive:{archive}"), env=self.env, check=True, capture_output=True, text=True)
        if names:
            subprocess.run(self.words("tag", done.stdout.split()[-1], *names), env=self.env, check=True, capture_output=True)

    def build(self, case, folder):
        done = run(self.words("bud", "--format", "docker", "--layers=false", "--pull-never", "--identity-label=false", "-t", case.name, *case.options, ".",
                              folder=folder), env=self.env)
        if done.returncode != 0:
            return {"fails": True}, done.stdout
        saved = self.root / f"saved-{case.name}"
        subprocess.run(self.words("push", "--quiet", case.name, f"docker-archive:{saved}"), env=self.env, check=True, capture_output=True)
        with open(saved, "rb") as file:
            saved.unlink()
            return image(file, since=case.since), done.stdout

    def end(self):
        self.host.terminate()
        self.host.wait(60)
        shutil.rmtree(self.root)


def start_engines():
    """dockerd, brigd and buildah."""
    daemons = [DaemonEngine(daemon) for daemon in start_all()]
    try:
        return [*daemons, Buildah()]
    except BaseException:
        for daemon in daemons:
            daemon.end()
        raise


def load_base(engines, names=(), more=":"):
    """busybox with the files that BuildKit 0.8 and buildah would otherwise leave in the layers of RUN as the mount points of their own; `more` is shell that adds to it."""
    with tempfile.TemporaryDirectory(prefix="brig-build-compare-image.") as folder:
        script = (f"set -e; BRIG_SUITE_DIR={folder}; . {TOP}/tests/lib.bash; mkdir {folder}/tree; tar -C {folder}/tree -xf $(busybox_tar); cd {folder}/tree; "
                  f"mkdir run; touch etc/hosts etc/hostname etc/resolv.conf; {more}\ntar --sort=name --mtime=@900000000 --owner=0 --group=0 --numeric-owner -cf ../tree.tar .; "
                  f"make_archive {folder}/tree.tar {folder}/image")
        subprocess.run(["bash", "-c", script], check=True)
        for engine in engines:
            engine.load(f"{folder}/image", names)
