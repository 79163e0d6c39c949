"""Other projects' test tables, from the Go module proxy: read where a test needs them, kept outside of this repository (in $BRIG_CORPORA_DIR, or brig-corpora
in the user's cache). Each is pinned by the digest of its zip, so that a table never changes under a test."""
import hashlib
import http.client
import os
import pathlib
import urllib.error
import urllib.request
import zipfile

PROXY = "https://proxy.golang.org"
MODULES = {
    "github.com/moby/buildkit": ("v0.34.2", "d491e17052d6e45779fda89eeab5d41f157da373e963931f010dac650c7ebdfc"),
    "github.com/moby/patternmatcher": ("v0.6.1", "63143eefbfab2697750be63bc4be899b2607538b3b1fb8e862ced521f7f9545f"),
    "github.com/containers/buildah": ("v1.43.0", "7e321353d9d5388325a317309686abde037c48fef227f84b8340614e0d795b80"),
}


class Unreachable(Exception):
    """No copy is here and none can be had: a reason to skip, not to fail."""


def cache():
    return pathlib.Path(os.environ.get("BRIG_CORPORA_DIR") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "brig-corpora")


class Module:
    """The files of a module, by their paths in its repository. A module's zip has regular files only, and no modes."""

    def __init__(self, name):
        self.name, (self.version, digest) = name, MODULES[name]
        path = cache() / f"{name.replace('/', '+')}@{self.version}.zip"
        if not path.exists():
            self.download(path)
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise SystemExit(f"{path} is not {name} {self.version}: its SHA-256 is not {digest}; remove the file to have it fetched again")
        self.zip, self.prefix = zipfile.ZipFile(path), f"{name}@{self.version}/"

    def download(self, path):
        address = f"{PROXY}/{self.name}/@v/{self.version}.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                part.write_bytes(answer.read())
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise Unreachable(f"{address}: {error}") from error
        part.rename(path)

    def names(self, folder):
        """All files below a folder, relative to it."""
        prefix = f"{self.prefix}{folder}/"
        return sorted(name.removeprefix(prefix) for name in self.zip.namelist() if name.startswith(prefix))

    def bytes(self, path):
        return self.zip.read(self.prefix + path)

    def text(self, path):
        return self.bytes(path).decode()
