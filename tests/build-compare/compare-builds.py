#!/usr/bin/python3
"""compare-builds.py [--only TEXT] [--show]: builds the cases of cases.py with BuildKit in dockerd 20.10 and with `brig build` on brigd, each in namespaces
of its own, and compares the images: the tree after every layer (type, mode, owner, content, link target, hard links, device, extended attributes; no
times), the configuration and the history. Cases marked classic are built by the docker client's classic API on both. A difference is accepted only
where docs/differences.md names the case (a line "- `build NAME`: why"). Prints TAP; exits 1 on a difference that is not argued. Needs: docker.io,
busybox-static, root."""
import argparse
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/build-compare"), str(TOP / "tests/compare")]
from cases import CASES  # noqa: E402
from compare import BUILD, argued, start_all  # noqa: E402

PEER_CLIENT = "/usr/bin/docker"  # 20.10, whose client has BuildKit's half built in

# Where histories tell the same in the words of a newer BuildKit (docs/differences.md); what they tell is compared in the configuration.
NEWER = [
    (r"^(ARG \w+)=.*$", r"\1"),
    (r"^(COPY|ADD)( --ch(own|mod)=\S+)+", r"\1"),
    (r"^HEALTHCHECK .*$", "HEALTHCHECK"),
    (r"^EXPOSE .*$", lambda match: "EXPOSE " + " ".join(sorted(set(re.findall(r"\d+/\w+", match.group()))))),
]


def created_by(step):
    text = step.get("created_by", "")
    for pattern, stands in NEWER:
        text = re.sub(pattern, stands, text, flags=re.S)
    return text


class Node:
    """A file of a tree; names that are hard links share it."""

    def __init__(self, entry, data):
        self.told = {"type": entry.type.decode() if entry.type != tarfile.AREGTYPE else "0", "mode": oct(entry.mode & 0o7777),
                     "owner": f"{entry.uid}:{entry.gid}", "target": entry.linkname, "digest": hashlib.sha256(data).hexdigest()[:12], "size": len(data),
                     "xattrs": {key: value for key, value in sorted(entry.pax_headers.items()) if key.startswith("SCHILY.xattr.")}}
        if entry.ischr() or entry.isblk():
            self.told["device"] = f"{entry.devmajor}:{entry.devminor}"


def remove(tree, path, itself=True):
    for name in [name for name in tree if name.startswith(path + "/" if path else "") or (itself and name == path)]:
        if name != path or itself:
            del tree[name]


def name_of(path):
    """A member's name without "./" and slashes around it; the root's is empty."""
    path = path.strip("/").removeprefix("./")
    return "" if path == "." else path


def apply(tree, layer):
    """The tree after that layer, a tar."""
    tree, entries = dict(tree), [(name_of(entry.name), entry) for entry in layer]
    for path, entry in entries:  # what is removed first: it is said of the layers below
        folder, _, name = path.rpartition("/")
        if name == ".wh..wh..opq":
            remove(tree, folder, itself=False)
        elif name.startswith(".wh."):
            remove(tree, f"{folder}/{name[4:]}".lstrip("/"))
    for path, entry in entries:
        if path.rpartition("/")[2].startswith(".wh."):
            continue
        if not entry.isdir():
            remove(tree, path)
        tree[path] = tree[name_of(entry.linkname)] if entry.islnk() else Node(entry, layer.extractfile(entry).read() if entry.isreg() else b"")
    return tree


def plain(tree):
    """A tree as dictionaries that can be compared: a hard link tells its first name."""
    first = {}
    for path in sorted(tree):
        first.setdefault(id(tree[path]), path)
    return {path: {**node.told, "first name": first[id(node)]} for path, node in tree.items()}


def member(archive, name):
    """A file of an image archive; dockerd saves a layer that is there twice as a link to the first."""
    entry = archive.getmember(name)
    while entry.issym() or entry.islnk():
        target = os.path.join(os.path.dirname(entry.name), entry.linkname) if entry.issym() else entry.linkname
        entry = archive.getmember(os.path.normpath(target))
    return archive.extractfile(entry).read()


def image(daemon, tag, classic):
    """What is compared of an image: its trees, and its configuration."""
    saved = subprocess.run([PEER_CLIENT, "save", tag], env=daemon.env, capture_output=True, check=True).stdout
    archive = tarfile.open(fileobj=io.BytesIO(saved))
    manifest = json.loads(member(archive, "manifest.json"))[0]
    config = json.loads(member(archive, manifest["Config"]))
    trees = [{}]
    for name in manifest["Layers"]:
        trees.append(apply(trees[-1], tarfile.open(fileobj=io.BytesIO(member(archive, name)))))
    # The classic builder of 20.10 has histories of its own, with digests in them, and no ArgsEscaped.
    skipped = ("Hostname", "Image", "ArgsEscaped") if classic else ("Hostname", "Image")
    config_told = {key: value for key, value in (config.get("config") or {}).items() if value not in (None, "", [], {}, False) and key not in skipped}
    history = [{"created_by": None if classic else created_by(step), "empty_layer": step.get("empty_layer", False), "author": step.get("author")} for step in config["history"]]
    return {"layers": len(config["rootfs"]["diff_ids"]), "config": config_told, "history": history, "author": config.get("author"),
            "platform": [config.get("os"), config.get("architecture"), config.get("variant")], "trees": [plain(tree) for tree in trees[1:]]}


def build(daemon, case, folder):
    words = [str(BUILD / "src/cli/brig")] if daemon.name == "brigd" and not case.classic else [PEER_CLIENT]
    env = {**daemon.env, "BRIG_HOST": daemon.env["DOCKER_HOST"], "DOCKER_BUILDKIT": "0" if case.classic else "1"}
    progress = [] if case.classic else ["--progress", "plain"]
    done = subprocess.run([*words, "build", *progress, "-t", case.name, *case.options, "."], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=120, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        return {"fails": True}, done.stdout
    return image(daemon, case.name, case.classic), done.stdout


def differences(theirs, ours):
    """One line a difference."""
    if "fails" in theirs or "fails" in ours:
        return [] if theirs == ours else [f"fails: {'fails' in theirs} | {'fails' in ours}"]
    found = [f"{key}: {theirs[key]} | {ours[key]}" for key in ("layers", "author", "platform") if theirs[key] != ours[key]]
    for key in sorted(theirs["config"].keys() | ours["config"].keys()):
        if theirs["config"].get(key) != ours["config"].get(key):
            found.append(f"config {key}: {theirs['config'].get(key)} | {ours['config'].get(key)}")
    if len(theirs["history"]) != len(ours["history"]):
        found.append(f"history: {len(theirs['history'])} | {len(ours['history'])} steps")
    found += [f"history {number}: {one} | {other}" for number, (one, other) in enumerate(zip(theirs["history"], ours["history"])) if one != other]
    for number, (one, other) in enumerate(zip(theirs["trees"], ours["trees"])):
        if one != other:
            found += [f"layer {number} /{path}: {one.get(path)} | {other.get(path)}" for path in sorted(one.keys() | other.keys()) if one.get(path) != other.get(path)]
            break  # what is different in a layer is different above it
    return found


def load_base(daemons):
    """busybox with the files that BuildKit 0.8 would otherwise leave in the layers of RUN as the mount points of its own."""
    with tempfile.TemporaryDirectory(prefix="brig-build-compare-image.") as folder:
        script = (f"BRIG_SUITE_DIR={folder}; . {TOP}/tests/lib.bash; mkdir {folder}/more {folder}/more/etc; cd {folder}/more; touch etc/hosts etc/hostname etc/resolv.conf; "
                  f"tar=$(busybox_tar); tar --owner=0 --group=0 -rf $tar ./etc/hosts ./etc/hostname ./etc/resolv.conf; make_archive $tar {folder}/image")
        subprocess.run(["bash", "-c", script], check=True)
        for daemon in daemons:
            subprocess.run([PEER_CLIENT, "load", "-i", f"{folder}/image"], env=daemon.env, check=True, capture_output=True)


def compare(daemons, case):
    """The differences, and the two outputs; a case that must fail and does not is a difference, too."""
    with tempfile.TemporaryDirectory(prefix="brig-build-compare.") as folder:
        (pathlib.Path(folder) / "Dockerfile").write_text(case.dockerfile)
        subprocess.run(["bash", "-ec", f"umask 022; {case.files}"], cwd=folder, check=True)
        (theirs, said), (ours, we_said) = (build(daemon, case, folder) for daemon in daemons)
    found = differences(theirs, ours)
    if not found and ("fails" in theirs) != case.fails:
        found = ["both fail" if "fails" in theirs else "neither fails"]
    outputs = [said, we_said] if "fails" in theirs or "fails" in ours else []
    return found, outputs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--show", action="store_true", help="print argued differences, and the output of builds that fail")
    options = parser.parse_args()
    accepted, counts = argued(), {"equal": 0, "argued": 0, "different": 0}
    daemons = start_all()
    try:
        load_base(daemons)
        cases = [case for case in CASES if options.only in case.name]
        for number, case in enumerate(cases, 1):
            found, outputs = compare(daemons, case)
            kind = "equal" if not found else "argued" if f"build {case.name}" in accepted else "different"
            counts[kind] += 1
            if kind == "different" or options.show:
                for line in found + [line for output in outputs for line in output.splitlines()[-12:]]:
                    print(f"# {line}")
            print(f"{'not ok' if kind == 'different' else 'ok'} {number} - build: {case.name}{' (argued)' if kind == 'argued' else ''}", flush=True)
    finally:
        for daemon in daemons:
            daemon.end()
    print(f"1..{len(cases)}\n# {len(cases)} builds: {counts['equal']} equal, {counts['argued']} argued, {counts['different']} different")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
