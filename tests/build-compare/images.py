"""Images as what is compared of them: the tree after every layer (type, mode, owner, content, link target, hard links, device, extended attributes, and the
time where that is asked for), the configuration and the history; and their differences, one line each."""
import hashlib
import io
import json
import os
import re
import tarfile

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
    """A file of a tree; names that are hard links share it. Its time is told where it is older than `since`: what was made by the builds themselves is "new"."""

    def __init__(self, entry, data, since):
        self.told = {"type": entry.type.decode() if entry.type != tarfile.AREGTYPE else "0", "mode": oct(entry.mode & 0o7777),
                     "owner": f"{entry.uid}:{entry.gid}", "target": entry.linkname, "digest": hashlib.sha256(data).hexdigest()[:12], "size": len(data),
                     "xattrs": {key: value for key, value in sorted(entry.pax_headers.items()) if key.startswith("SCHILY.xattr.")}}
        if entry.ischr() or entry.isblk():
            self.told["device"] = f"{entry.devmajor}:{entry.devminor}"
        if since:
            self.told["time"] = int(entry.mtime) if entry.mtime < since else "new"


def remove(tree, path, itself=True):
    for name in [name for name in tree if name.startswith(path + "/" if path else "") or (itself and name == path)]:
        if name != path or itself:
            del tree[name]


def name_of(path):
    """A member's name without "./" and slashes around it; the root's is empty."""
    path = path.strip("/").removeprefix("./")
    return "" if path == "." else path


def apply(tree, layer, since):
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
        tree[path] = tree[name_of(entry.linkname)] if entry.islnk() else Node(entry, layer.extractfile(entry).read() if entry.isreg() else b"", since)
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


def image(file, classic=False, since=None):
    """What is compared of an image in a docker-archive: its trees, with times older than `since` if that is given, and its configuration. A member of the
    configuration that is null, "" or false is one that is not there, as Go's encoder leaves them out or not and its decoder cannot tell; [] and {} are told."""
    archive = tarfile.open(fileobj=file)
    manifest = json.loads(member(archive, "manifest.json"))[0]
    config = json.loads(member(archive, manifest["Config"]))
    trees = [{}]
    for name in manifest["Layers"]:
        trees.append(apply(trees[-1], tarfile.open(fileobj=io.BytesIO(member(archive, name))), since))
    # The classic builder of 20.10 has histories of its own, with digests in them, and no ArgsEscaped.
    skipped = ("Hostname", "Image", "ArgsEscaped") if classic else ("Hostname", "Image")
    config_told = {key: value for key, value in (config.get("config") or {}).items() if value not in (None, "", False) and key not in skipped}
    history = [{"created_by": None if classic else created_by(step), "empty_layer": step.get("empty_layer", False), "author": step.get("author")} for step in config["history"]]
    return {"layers": len(config["rootfs"]["diff_ids"]), "config": config_told, "history": history, "author": config.get("author"),
            "platform": [config.get("os"), config.get("architecture"), config.get("variant")], "trees": [plain(tree) for tree in trees[1:]]}


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
    return found + tree_differences(theirs["trees"], ours["trees"])


def tree_differences(theirs, ours):
    """Of all layers: a difference that stays as it is in those above is told once, with the layer that begins it."""
    found = {}
    for number, (one, other) in enumerate(zip(theirs, ours)):
        for path in sorted(one.keys() | other.keys()):
            for line in file_differences(path, one.get(path), other.get(path)):
                found.setdefault(line, f"layer {number} {line}")
    return list(found.values())


def file_differences(path, one, other):
    """Of a directory the time counts where the peer kept its source's: BuildKit 0.8 and buildah often do not, and whether they do depends on the build before."""
    if not one or not other:
        return [f"/{path}: only {'theirs' if one else 'ours'}"]
    return [f"/{path} {aspect}: {one.get(aspect)} | {other.get(aspect)}" for aspect in sorted(one.keys() | other.keys())
            if one.get(aspect) != other.get(aspect) and not (aspect == "time" and one["type"] == "5" and one["time"] == "new")]


def result(told):
    """Of an image what a container sees, whatever its layers and history are: the files, and the configuration without what other builders do not write, or write
    empty where it is not set."""
    config = {key: value for key, value in told["config"].items() if key != "ArgsEscaped" and value not in ([], {})}
    return {**told, "layers": 1, "history": [], "trees": told["trees"][-1:], "config": {"WorkingDir": "/", **config}}


def result_differences(theirs, ours):
    return differences(*(told if "fails" in told else result(told) for told in (theirs, ours)))
