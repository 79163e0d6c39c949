#!/usr/bin/python3
"""compare-builds.py [--only TEXT] [--show]: builds the cases of cases.py with BuildKit in dockerd 20.10, with `brig build` on brigd and with Debian's buildah,
each in namespaces of its own. With BuildKit's image is compared: the tree after every layer (type, mode, owner, content, link target, hard links, device,
extended attributes, and times where the peer kept the source's), the configuration and the history; with buildah's, whose layers and histories are others: the
tree and the configuration. Cases marked classic are built by the docker client's classic API on both daemons. A difference is accepted only where docs/differences.md
names the case (a line "- `build NAME`: why", or "- `buildah NAME`: why") and ARGUED of cases.py has its very line. Prints TAP; exits 1 on any other. Needs:
docker.io, buildah, busybox-static, root."""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/build-compare"), str(TOP / "tests/compare")]
from cases import ARGUED, CASES, NOT_BUILDAH  # noqa: E402
from compare import argued  # noqa: E402
from engines import load_base, start_engines  # noqa: E402
from images import differences, result_differences  # noqa: E402


# Archives of the context have old times in them, too.
PRELUDE = 'tar() { command tar --mtime=@1100000000 "$@"; }; '


def age(folder, case):
    """Gives each file of each context a time of its own, long ago: what has another time in an image has it from the build. (A client of BuildKit takes a file of
    the same name, size and time for the one that it sent before.)"""
    for number, path in enumerate(sorted(pathlib.Path(folder).rglob("*"), reverse=True)):
        os.utime(path, (1000000000 + 100000 * CASES.index(case) + 1000 * number,) * 2, follow_symlinks=False)


def compare(engines, case, since):
    """The case with the times that must be kept, and what each engine made of it, side by side: {name: (image, output)}."""
    with tempfile.TemporaryDirectory(prefix="brig-build-compare.") as folder:
        (pathlib.Path(folder) / "Dockerfile").write_text(case.dockerfile)
        subprocess.run(["bash", "-ec", f"umask 022; {PRELUDE}{case.files}"], cwd=folder, check=True)
        age(folder, case)
        case = dataclasses.replace(case, since=since, kept={path: int((pathlib.Path(folder) / source).stat().st_mtime) for path, source in case.kept.items()})
        with concurrent.futures.ThreadPoolExecutor() as pool:
            builds = {engine.name: pool.submit(engine.build, case, folder) for engine in engines if engine.name != "buildah" or case.name not in NOT_BUILDAH}
            return case, {name: build.result() for name, build in builds.items()}


def found_in(case, theirs, ours, find):
    """The differences; a case that must fail and does not is one, too."""
    found = find(theirs, ours)
    if not found and ("fails" in theirs) != case.fails:
        found = ["both fail" if "fails" in theirs else "neither fails"]
    if "fails" in ours:
        return found
    tree = ours["trees"][-1]
    return found + [f"/{path} does not have its source's time {time}: {tree[path]}" for path, time in case.kept.items() if tree[path]["time"] != time]


def matches(pattern, line):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), re.sub(r"^layer \d+ ", "", line), re.S)


def unlike(found, argued_lines):
    """What was found and is not argued, and what is argued and was not found."""
    return [line for line in found if not any(matches(pattern, line) for pattern in argued_lines)] + \
        [f"argued, but not so: {pattern}" for pattern in argued_lines if not any(matches(pattern, line) for line in found)]


class Tally:
    def __init__(self, show):
        self.show, self.accepted = show, argued()
        self.counts = {"equal": 0, "argued": 0, "different": 0, "skipped": 0}

    def tell(self, name, found, outputs):
        wrong = unlike(found, ARGUED.get(name, []))
        if (name in ARGUED) != (name in self.accepted):  # a reason, and what it is the reason of
            wrong.append(f"named in {'ARGUED' if name in ARGUED else 'docs/differences.md'} alone")
        kind = "different" if wrong else "argued" if found else "equal"
        self.counts[kind] += 1
        if kind == "different" or self.show:
            for line in (found if self.show else []) + wrong + [line for output in outputs for line in output.splitlines()[-12:]]:
                print(f"# {line}")
        self.line(f"{'not ok' if kind == 'different' else 'ok'} %d - {name}{' (argued)' if kind == 'argued' else ''}")

    def tell_argued(self, names):
        """That what is argued is a case."""
        argued_names = set(ARGUED) | {name for name in self.accepted if name.startswith(("build ", "buildah "))}
        self.tell("what is argued is compared", [f"no case: {name}" for name in sorted(argued_names - names)], [])

    def skip(self, name, reason):
        self.counts["skipped"] += 1
        self.line(f"ok %d - {name} # SKIP {reason}")

    def line(self, form):
        print(form % sum(self.counts.values()), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--show", action="store_true", help="print argued differences, and the output of builds that fail")
    options = parser.parse_args()
    tally, started, engines = Tally(options.show), int(time.time()), start_engines()
    try:
        load_base(engines)
        for case in (case for case in CASES if options.only in case.name):
            case, made = compare(engines, case, started)
            (ours, said), (theirs, they_said) = made["brigd"], made["dockerd"]
            outputs = [they_said, said] if "fails" in theirs or "fails" in ours else []
            tally.tell(f"build {case.name}", found_in(case, theirs, ours, differences), outputs)
            if case.name in NOT_BUILDAH:
                tally.skip(f"buildah {case.name}", NOT_BUILDAH[case.name])
                continue
            theirs, they_said = made["buildah"]
            outputs = [they_said, said] if "fails" in theirs or "fails" in ours else []
            tally.tell(f"buildah {case.name}", found_in(case, theirs, ours, result_differences), outputs)
    finally:
        for engine in engines:
            engine.end()
    tally.tell_argued({f"{builder} {case.name}" for case in CASES for builder in ("build", "buildah")})
    print(f"1..{sum(tally.counts.values())}\n# {tally.counts['equal']} equal, {tally.counts['argued']} argued, {tally.counts['different']} different, "
          f"{tally.counts['skipped']} skipped")
    return 1 if tally.counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
