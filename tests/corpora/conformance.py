#!/usr/bin/python3
"""conformance.py [--only TEXT] [--show] [--jobs N]: builds the contexts of containers/buildah's conformance tests with brig and compares files and configuration with
what the builders make that the table there compares: BuildKit (dockerd 20.10); the docker client's classic API, asked of dockerd and of brigd, where the table
does not ask for BuildKit; Debian's buildah. It is enough to agree with one of them. A build that the table says must fail has to. What none of them reads yet
is compared with a tree that plain commands make (TREES), and with the same Dockerfile without heredocs. Images are one busybox with the names that the Dockerfiles
use. A difference from all is accepted only where docs/differences.md names it ("- `conformance NAME`: why"); at least 95 of 100 must be equal. Prints TAP; a skip
where the contexts can't be had. Needs: docker.io, buildah, busybox-static, root."""
import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/corpora"), str(TOP / "tests/build-compare"), str(TOP / "tests/compare")]
import contexts  # noqa: E402
import sources  # noqa: E402
from compare import argued  # noqa: E402
from engines import load_base, start_engines  # noqa: E402
from images import result_differences  # noqa: E402

NAMES = ["mirror.gcr.io/busybox", "mirror.gcr.io/alpine", "quay.io/libpod/centos:7", "quay.io/libpod/ubuntu:latest"]
# What their RUNs and --chowns use of those images.
MORE = r"""
printf 'bin:x:1001:1001::/bin:/bin/false\nlp:x:1002:1002::/:/bin/false\nadm:x:1003:1003::/:/bin/false\nmail:x:1004:1004::/:/bin/false\n' >>etc/passwd
printf 'bin:x:1001:\nlp:x:1002:\nadm:x:1003:\nmail:x:1004:\n' >>etc/group
printf '#!/bin/sh\nexec /bin/sh "$@"\n' >bin/bash; chmod 755 bin/bash
echo ID=busybox >etc/os-release; echo hosts: files >etc/nsswitch.conf; mkdir -p usr/bin usr/local/bin var; touch usr/bin/script
mkdir base cache # where the contexts mount: BuildKit 0.8 leaves such mount points in layers"""

# Shell in the context that makes in $to the files of the image: of COPY --parents and --exclude as BuildKit's reference has them; of a wildcard's "**", which is
# a "*" without --parents (0.8 fails); without the mount points of RUN, which newer BuildKits leave out.
PARENTS = "cp -rP --parents --no-preserve=timestamps"
TREES = {
    "add--exclude-includes-star": 'mkdir $to/subdir; cp -rP . $to/subdir; find $to -name "*-c" -prune -exec rm -r {} +',
    "add--exclude-includes-slash": "mkdir $to/subdir; cp -rP . $to/subdir; find $to/subdir -maxdepth 1 -name '*.txt' -delete",
    "add--exclude-includes-dot": "mkdir $to/subdir; cp -rP . $to/subdir; rm -r $to/subdir/*-c",
    "copy--exclude-includes-subdir-slash": 'mkdir $to/subdir; cp -rP . $to/subdir; find $to -name "*-c" -prune -exec rm -r {} +',
    "copy--exclude-includes-dot-slash": "mkdir $to/subdir; cp -rP . $to/subdir",
    "copy--exclude-includes-slash": "mkdir $to/subdir; cp -rP . $to/subdir",
    "copy--parents": f"mkdir $to/no_parents $to/parents; cp y/a.txt $to/no_parents; {PARENTS} x/a.txt y/a.txt $to/parents",
    "copy--parents-directories": f"mkdir $to/parents; {PARENTS} x $to/parents",
    "copy--parents-dir-with-links": "mkdir $to/parents $to/parents_dir_point; ln -s /x/z/b.txt x/z/symlink-b.txt; ln x/z/a.txt x/z/hardlink-a.txt; "
                                    "ln x/y/b.txt x/z/hardlink-y-b.txt; cp -a x $to/parents; cp -a x/z $to/parents_dir_point",
    "copy--parents-all-directories": "mkdir $to/parents; cp -rP . $to/parents",
    "copy--parents-directory-with-parent-directory": f"mkdir $to/parents; {PARENTS} x/y $to/parents",
    "copy--parents-path-with-star": f"mkdir $to/parents; {PARENTS} x/*/a.txt */b.txt $to/parents",
    "copy--parents-two-parent-directories": f"mkdir $to/parents; {PARENTS} x/y/*.txt $to/parents",
    "copy--parents-unknown-count-parent-directories": f"mkdir $to/parents; {PARENTS} x/* $to/parents",
    "copy--parents-directory-limit-parents-unknown-count-parent-directories": "mkdir $to/parents; cp -rP x/. $to/parents",
    "copy--parents-limit-parents-unknown-count-parent-directories": "mkdir $to/parents; cp -rP x/* $to/parents",
    "copy--parents-limit-parent-directories": f"mkdir $to/parents; cd x; {PARENTS} y/*.txt $to/parents",
    "copy--parents-limit-parent-directories-1": "mkdir $to/parents; cp x/y/*.txt $to/parents",
    "copyglob-1": "shopt -s dotglob; for file in */*.txt; do cp $file $to; done",
    "mount-targets-new": "cp true $to",
    "mount-targets-mount": "cp true $to",
}


@dataclasses.dataclass
class Build:
    """What engines.py builds."""
    name: str
    options: tuple
    classic: bool = False
    since: int | None = None


def without_heredocs(folder, dockerfile):
    """The Dockerfile with files and shell in the place of heredocs, for a builder that does not know those; its name. Variables are those of ARG and ENV."""
    left, text = (folder / dockerfile).read_text().splitlines(), []
    known = {name: value for name, value in re.findall(r"^(?:ARG|ENV) (\w+)=(\S+)$", "\n".join(left), re.M)}
    while left:
        line = left.pop(0)
        for number, (quote, name) in enumerate(re.findall(r'<<("?)([\w.]+)"?', line)):
            end = left.index(name)
            content, left = "".join(f"{each}\n" for each in left[:end]), left[end + 1:]
            if line.startswith("RUN"):
                line = f"RUN {json.dumps(['/bin/sh', '-c', content])}"
                continue
            file = folder / "heredocs" / f"{len(text)}.{number}" / name
            file.parent.mkdir(parents=True)
            file.write_text(content if quote else re.sub(r"\$(\w+)", lambda match: known.get(match.group(1), ""), content))
            line = re.sub(rf'<<"?{re.escape(name)}"?', str(file.relative_to(folder)), line, count=1)
        text += apart(line)
    (folder / "Dockerfile.plain").write_text("\n".join(text) + "\n")
    return "Dockerfile.plain"


def apart(line):
    """A COPY of another stage's files and of heredocs' as two."""
    words = line.split()
    if not line.startswith("COPY --from") or not any(word.startswith("heredocs/") for word in words):
        return [line]
    ours = [word for word in words[2:-1] if word.startswith("heredocs/")]
    return [" ".join(word for word in words if word not in ours), " ".join(["COPY", *ours, words[-1]])]


class Asked:
    """A context before the engines. Each build has a folder of its own, as one may not see what is made for another."""

    def __init__(self, engines, module, context, outside, number):
        self.made, self.wanted = f"made-{number}", f"wanted-{number}"  # others are built beside it
        self.engines, self.module, self.context, self.outside = engines, module, context, pathlib.Path(outside)
        self.options, self.mounts = tuple(context.arguments), context.fields.get("transientMounts") or ()

    def folder(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.outside))
        folder.chmod(0o755)
        return folder, self.context.write(self.module, folder)

    def brig(self, classic=False):
        folder, dockerfile = self.folder()
        return self.engines["brigd"].build(Build(self.made, (*self.options, "-f", dockerfile), classic), folder)

    def dockerd(self, classic=False):
        folder, dockerfile = self.folder()
        if "<<" in (folder / dockerfile).read_text():
            dockerfile = without_heredocs(folder, dockerfile)
        return self.engines["dockerd"].build(Build(self.wanted, (*self.options, "-f", dockerfile), classic), folder)

    def buildah(self):
        folder, dockerfile = self.folder()
        mounts = [word for mount in self.mounts for word in ("-v", mount.replace("@@TEMPDIR@@", str(folder)))]
        return self.engines["buildah"].build(Build(self.wanted, (*self.options, *mounts, "-f", dockerfile)), folder)

    def tree(self):
        folder, outside = self.folder()[0], pathlib.Path(tempfile.mkdtemp(dir=self.outside))
        (outside / "tree").mkdir()
        subprocess.run(["bash", "-ec", TREES[self.context.name]], cwd=folder, env={**os.environ, "to": str(outside / "tree")}, check=True)
        (outside / "Dockerfile").write_text("FROM scratch\nCOPY tree /\n")
        return self.engines["dockerd"].build(Build(self.wanted, ()), outside)

    def table(self):
        return {"fails": True}, ""

    def peers(self):
        """Who is asked, one after the other: name, what they make, and what brig makes, where that is not what `brig build` does."""
        if self.context.name in TREES:
            return [("plain commands", self.tree, None)]
        peers = [("BuildKit", self.dockerd, None)]
        if not self.context.fields.get("dockerUseBuildKit"):
            peers.append(("the classic builder", lambda: self.dockerd(classic=True), lambda: self.brig(classic=True)))
        peers.append(("buildah", self.buildah, None))
        if self.context.fails:
            peers.insert(0, ("the table", self.table, None))
        return peers[-1:] if self.mounts else peers


# What BuildKit does not do either, where the classic builder does: the same words in both outputs.
REFUSALS = [r"cannot copy to non-directory: ", r"cannot replace (to )?directory \S+ with (a )?file"]


def refused_alike(*outputs):
    return any(all(re.search(refusal, output) for output in outputs) for refusal in REFUSALS)


def compare(engines, module, number, context):
    """The peer that agrees; or None, and the differences from the first one with the two outputs."""
    with tempfile.TemporaryDirectory(prefix="brig-conformance.") as outside, concurrent.futures.ThreadPoolExecutor() as pool:
        asked, first = Asked(engines, module, context, outside, number), None
        made = pool.submit(asked.brig)
        for name, theirs, ours in asked.peers():
            other = pool.submit(ours) if ours else made
            (wanted, they_said), (got, we_said) = theirs(), other.result()
            found = result_differences(wanted, got)
            if not found and "fails" in got and not context.fails and not refused_alike(they_said, we_said):
                found = ["it fails with both, and should not"]
            if not found:
                return name, [], []
            first = first or (found, [they_said, we_said])
        return None, *first


def compared(options, module, engines):
    """Several contexts at once, as a build mostly waits for a container; told in their order."""
    wanted = [context for context in contexts.contexts(module) if options.only in context.name]
    numbers = range(1, len(wanted) + 1)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        yield from zip(numbers, wanted, pool.map(lambda number, context: compare(engines, module, number, context), numbers, wanted))


def compare_all(options, module, engines):
    accepted, counts = argued(), {"equal": 0, "argued": 0, "different": 0}
    for number, context, (agrees, found, outputs) in compared(options, module, engines):
        kind = "equal" if agrees else "argued" if f"conformance {context.name}" in accepted else "different"
        counts[kind] += 1
        if kind == "different" or options.show:
            for line in found + [line for output in outputs if found for line in output.splitlines()[-12:]]:
                print(f"# {line}")
        print(f"{'not ok' if kind == 'different' else 'ok'} {number} - conformance {context.name} ({f'as {agrees}' if agrees else kind})", flush=True)
    total = sum(counts.values())
    enough = total > 0 and counts["equal"] >= 0.95 * total
    if not options.only:
        print(f"{'ok' if enough else 'not ok'} {total + 1} - conformance: {counts['equal']} of {total} are equal")
    print(f"1..{total + (not options.only)}\n# {total} contexts: {counts['equal']} equal, {counts['argued']} argued, {counts['different']} different")
    return 1 if counts["different"] or not enough else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="contexts whose name has this in it")
    parser.add_argument("--show", action="store_true", help="print argued differences, too")
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count()), help="contexts at once")
    options = parser.parse_args()
    os.umask(0o022)
    try:
        module = sources.Module("github.com/containers/buildah")
    except sources.Unreachable as reason:
        print(f"ok 1 - conformance # SKIP no copy of buildah's contexts: {reason}\n1..1")
        return 0
    engines = start_engines()
    try:
        load_base(engines, NAMES, MORE)
        return compare_all(options, module, {engine.name: engine for engine in engines})
    finally:
        for engine in engines:
            engine.end()


if __name__ == "__main__":
    sys.exit(main())
