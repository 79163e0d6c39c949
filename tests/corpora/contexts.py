"""The contexts of containers/buildah's conformance tests: folders of their repository, Dockerfiles and what their table in Go does to a folder first."""
import dataclasses
import io
import os
import pathlib
import re
import tarfile

import golang

TESTS = "tests/conformance"
# A module's zip leaves symbolic links out. Below testdata, as in their repository.
LINKS = {
    "copysymlink/file-link.tar.gz": "file.tar.gz",
    "dockerignore/populated/subdir-c/file-b.txt": "../file-a.txt",
    "dockerignore/populated/subdir-c/file-c.txt": "../file-b.txt",
    "dockerignore/populated/subdir-e/file-a.txt": "../file-a.txt",
    "dockerignore/populated/subdir-e/file-b.txt": "../file-b.txt",
    "dockerignore/populated/subdir-e/subdir-f/file-a.txt": "../../file-a.txt",
    "dockerignore/populated/subdir-e/subdir-f/file-n.txt": "../file-n.txt",
    "dockerignore/populated/subdir-e/subdir-f/subdir-g/subdir-b": "../../../subdir-b",
    "replace/symlink-with-directory/tree1/maybe-directory": "directory",
}
# And a program that their makefile compiles: one that ends with status 0.
PROGRAMS = {"mount-targets/true": "/bin/busybox"}


@dataclasses.dataclass
class Context:
    name: str
    fields: dict

    @property
    def fails(self):
        return self.fields.get("shouldFailAt", 0) != 0

    @property
    def without_docker(self):
        return self.fields.get("withoutDocker", False)

    @property
    def arguments(self):
        """--build-arg for each."""
        given = self.fields.get("buildArgs")
        return [word for name, value in (given.fields.items() if given else ()) for word in ("--build-arg", f"{name}={value}")]

    def write(self, module, folder):
        """Makes the context in an empty folder; the Dockerfile's name in it."""
        inside, dockerfile = self.fields.get("contextDir"), self.fields.get("dockerfile", "")
        if inside:
            write_folder(module, inside, folder)
        name = dockerfile or "Dockerfile"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.fields.get("dockerfileContents"):
            path.write_text(self.fields["dockerfileContents"])
        elif not path.exists():
            path.write_bytes(module.bytes(f"{TESTS}/testdata/{inside + '/' if inside else ''}{name}"))
        if self.fields.get("tweakContextDir"):
            Tweaks(folder).run(self.fields["tweakContextDir"])
        # Images are had by name only, and frontends not at all.
        text = re.sub(r"@sha256:[0-9a-f]{64}", "", path.read_text())
        path.write_text(re.sub(r"^# *syntax=", "# ", text, flags=re.M))
        return name


def write_folder(module, inside, folder):
    for name in module.names(f"{TESTS}/testdata/{inside}"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(module.bytes(f"{TESTS}/testdata/{inside}/{name}"))
    for name, target in LINKS.items():
        if name.startswith(f"{inside}/"):
            path = folder / name.removeprefix(f"{inside}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
    for name, program in PROGRAMS.items():
        if name.startswith(f"{inside}/"):
            path = folder / name.removeprefix(f"{inside}/")
            path.write_bytes(pathlib.Path(program).read_bytes())
            path.chmod(0o755)


class Tweaks:
    """The calls of the standard library by which the table's functions change a folder."""

    def __init__(self, folder):
        self.folder, self.archive, self.entry = folder, None, None
        self.functions = {
            "filepath.Join": lambda *parts: "/".join(parts), "int64": int, "len": len,
            "os.Mkdir": self.mkdir, "os.WriteFile": self.write, "os.Chown": os.chown, "syscall.Chmod": os.chmod, "copier.Lsetxattrs": self.set_attributes,
            "os.OpenFile": self.open_archive, "tw.WriteHeader": self.add_entry, "tw.Write": self.add_content, "io.Copy": lambda _, text: self.add_content(text),
        }

    def run(self, function):
        variables = {"contextDir": str(self.folder), "cISUID": 0o4000, "cISGID": 0o2000, "cISVTX": 0o1000, "xattrPAXRecordNamespace": "SCHILY.xattr."}
        golang.Reader(function.body, self.functions, variables).run()
        if self.archive:
            self.archive.close()

    def mkdir(self, path, mode):
        os.mkdir(path)
        os.chmod(path, mode)

    def write(self, path, text, mode):
        pathlib.Path(path).write_text(text)
        os.chmod(path, mode)

    def set_attributes(self, path, attributes):
        for name, value in attributes.fields.items():
            os.setxattr(path, name, value.encode())

    def open_archive(self, path, flags, mode):
        self.archive = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)

    def add_entry(self, header):
        fields = header.fields
        self.entry = tarfile.TarInfo(fields["Name"])
        self.entry.type = tarfile.DIRTYPE if fields["Typeflag"] == "tar.TypeDir" else tarfile.REGTYPE
        self.entry.size, self.entry.mode, self.entry.uid, self.entry.gid = fields["Size"], fields["Mode"], fields["Uid"], fields["Gid"]
        self.entry.pax_headers = dict(fields["PAXRecords"].fields) if "PAXRecords" in fields else {}
        if not self.entry.size:
            self.archive.addfile(self.entry)

    def add_content(self, text):
        self.archive.addfile(self.entry, io.BytesIO(text.encode()))


def contexts(module):
    """All of the table; a name that is there again gets a number."""
    seen, found = {}, []
    for row in golang.variable(module.text(f"{TESTS}/conformance_test.go"), "internalTestCases"):
        name = row.fields["name"].replace(" ", "-")
        seen[name] = seen.get(name, 0) + 1
        found.append(Context(name if seen[name] == 1 else f"{name}-{seen[name]}", row.fields))
    return found
