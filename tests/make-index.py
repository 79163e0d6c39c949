#!/usr/bin/env python3
"""make-index.py LAYER.tar DIRECTORY ARCHITECTURE...: an OCI layout with one index, tagged v1, of an image for each architecture: the
layer of LAYER.tar, gzip, under one that holds a file /platform with the architecture's name. Nothing of it is run but the host's own."""
import gzip, hashlib, io, json, os, sys, tarfile

source, target, architectures = sys.argv[1], sys.argv[2], sys.argv[3:]
blobs = os.path.join(target, "blobs", "sha256")
os.makedirs(blobs, exist_ok=True)


def put(data, media_type, **more):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(blobs, digest), "wb") as file:
        file.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data), **more}


def layer(plain):
    diff = "sha256:" + hashlib.sha256(plain).hexdigest()
    return diff, put(gzip.compress(plain, 6, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")


def file_layer(name, text):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return layer(out.getvalue())


def document(value):
    return json.dumps(value, separators=(",", ":")).encode()


base = layer(open(source, "rb").read())
manifests = []
for architecture in architectures:
    top = file_layer("platform", architecture.encode() + b"\n")
    config = put(document({"architecture": architecture, "os": "linux", "config": {"Cmd": ["cat", "/platform"], "Env": ["PATH=/bin"]},
                           "rootfs": {"type": "layers", "diff_ids": [base[0], top[0]]}}), "application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [base[1], top[1]]}
    manifests.append(put(document(manifest), manifest["mediaType"], platform={"architecture": architecture, "os": "linux"}))
index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
named = put(document(index), index["mediaType"], annotations={"org.opencontainers.image.ref.name": "v1"})
with open(os.path.join(target, "index.json"), "wb") as file:
    file.write(document({"schemaVersion": 2, "manifests": [named]}))
with open(os.path.join(target, "oci-layout"), "wb") as file:
    file.write(b'{"imageLayoutVersion":"1.0.0"}')
print(named["digest"])
