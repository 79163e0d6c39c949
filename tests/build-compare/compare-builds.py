#!/usr/bin/python3
"""compare-builds.py [--only TEXT] [--show]: builds the cases of cases.py with BuildKit in dockerd 20.10, with `brig build` on brigd and with Debian's buildah,
each in namespaces of its own. With BuildKit's image is compared: the tree after every layer (type, mode, owner, content, link target, hard links, device,
extended attributes; no times), the configuration and the history; with buildah's, whose layers and histories are others: the tree and the configuration.
Cases marked classic are built by the docker client's classic API on both daemons. A difference is accepted only where docs/differences.md names the case (a
line "- `build NAME`: why", or "- `buildah NAME`: why"). Prints TAP; exits 1 on a difference that is not argued. Needs: docker.io, buildah, busybox-static, root."""
import argparse
import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/build-compare"), str(TOP / "tests/compare")]
from cases import CASES, NOT_BUILDAH  # noqa: E402
from compare import argued  # noqa: E402
from engines import load_base, start_engines  # noqa: E402
from images import differences, result_differences  # noqa: E402


def compare(engines, case):
    """What each engine made of it, side by side: {name: (image, output)}."""
    with tempfile.TemporaryDirectory(prefix="brig-build-compare.") as folder:
        (pathlib.Path(folder) / "Dockerfile").write_text(case.dockerfile)
        subprocess.run(["bash", "-ec", f"umask 022; {case.files}"], cwd=folder, check=True)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            builds = {engine.name: pool.submit(engine.build, case, folder) for engine in engines if engine.name != "buildah" or case.name not in NOT_BUILDAH}
            return {name: build.result() for name, build in builds.items()}


def found_in(case, theirs, ours, find):
    """The differences; a case that must fail and does not is one, too."""
    found = find(theirs, ours)
    if not found and ("fails" in theirs) != case.fails:
        found = ["both fail" if "fails" in theirs else "neither fails"]
    return found


class Tally:
    def __init__(self, show):
        self.show, self.accepted = show, argued()
        self.counts = {"equal": 0, "argued": 0, "different": 0, "skipped": 0}

    def tell(self, name, found, outputs):
        kind = "equal" if not found else "argued" if name in self.accepted else "different"
        self.counts[kind] += 1
        if kind == "different" or self.show:
            for line in found + [line for output in outputs for line in output.splitlines()[-12:]]:
                print(f"# {line}")
        self.line(f"{'not ok' if kind == 'different' else 'ok'} %d - {name}{' (argued)' if kind == 'argued' else ''}")

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
    tally, engines = Tally(options.show), start_engines()
    try:
        load_base(engines)
        for case in (case for case in CASES if options.only in case.name):
            made = compare(engines, case)
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
    print(f"1..{sum(tally.counts.values())}\n# {tally.counts['equal']} equal, {tally.counts['argued']} argued, {tally.counts['different']} different, "
          f"{tally.counts['skipped']} skipped")
    return 1 if tally.counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
