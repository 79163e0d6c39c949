#!/usr/bin/env bats
# What brig builds runs elsewhere: pushed by the unmodified docker client into Debian's docker-registry, read by skopeo, pulled and run by
# Debian's podman; and what `docker save` writes, both load. podman has storage, state and a mount namespace of its own, which go with the test.

setup_file() {
  load lib
  make_host
  start_daemon
  start_registry 5000
  export root host_pid daemon_pid registry_pid registry_port
  podman_host
  export podman_pid
  build_image
}

teardown_file() {
  load lib
  kill "$podman_pid" && { wait "$podman_pid" 2>/dev/null || :; }
  stop_registry
  end_host
}

setup() { load lib; }

# A mount namespace for podman, in the network of the registry: its mounts are nobody else's, and end with it. crun refuses a host with both
# versions of control groups, so it sees the second alone; podman is told to use none.
podman_host() {
  local ready=$root/podman-ready
  mkdir -p "$root"/podman/{store,run,tmp}
  mkfifo "$ready"
  nsenter --target "$host_pid" --net -- unshare --mount --propagation private bash -c 'mount -t cgroup2 none /sys/fs/cgroup && echo up >"$1" && exec tail -f /dev/null' podman "$ready" >/dev/null 2>&1 3>&- &
  podman_pid=$!
  await "$ready" "podman's mount namespace"
  podman_pid=$(pgrep -P "$podman_pid" -x tail || echo "$podman_pid")
  cat >"$root/podman/containers.conf" <<'END'
[containers]
cgroups = "disabled"
netns = "none"
log_driver = "k8s-file"
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "file"
END
  printf 'unqualified-search-registries = []\n[[registry]]\nlocation = "127.0.0.1:5000"\ninsecure = true\n' >"$root/podman/registries.conf"
  printf '{"default": [{"type": "insecureAcceptAnything"}]}\n' >"$root/podman/policy.json"
}

pod() {
  CONTAINERS_CONF=$root/podman/containers.conf CONTAINERS_REGISTRIES_CONF=$root/podman/registries.conf TMPDIR=$root/podman/tmp \
    nsenter --target "$podman_pid" --net --mount -- timeout 60 podman --root "$root/podman/store" --runroot "$root/podman/run" --tmpdir "$root/podman/tmp" \
    --storage-driver vfs "$@"
}

# pod_run IMAGE COMMAND...: its output; without a network and control groups.
pod_run() { pod run --rm --network none --cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"; }

# Several layers with all that a layer can say: files replaced and removed, an opaque directory, hard and symbolic links, owners, modes,
# a capability, a name with a newline, a FIFO.
build_image() {
  mkdir -p "$root/context"/{dir/sub,old}
  echo one >"$root/context/dir/one"; echo two >"$root/context/dir/sub/two"; echo old >"$root/context/old/file"
  ln "$root/context/dir/one" "$root/context/dir/hard"; ln -s sub/two "$root/context/dir/link"
  setfattr -n user.mark -v marked "$root/context/dir/one" 2>/dev/null || python3 -c 'import os,sys; os.setxattr(sys.argv[1], "user.mark", b"marked")' "$root/context/dir/one"
  # podman gives a container the root directory's mode that the image says, Docker and brig 0755.
  image_of base 'chmod 755 .'
  cat >"$root/context/Dockerfile" <<'END'
FROM base
COPY --chown=web:web dir /data
COPY old /old
RUN echo gone >/gone; mkdir -p /opaque/below && echo hidden >/opaque/below/hidden; chmod 4711 /data/sub/two; mkfifo -m 600 /pipe
RUN rm /gone /old/file && rm -rf /opaque && mkdir /opaque && echo fresh >/opaque/fresh; touch "$(printf '/data/new\nline')"
ENV GREETING="hello world" EMPTY=
LABEL is=built
WORKDIR /data
USER web
VOLUME /volume
ENTRYPOINT ["/bin/sh", "-c", "echo $GREETING from $(id -un) in $PWD: $0 $*"]
CMD ["one", "two three"]
END
  brig build -q -t portable "$root/context" >"$root/built"
  brig tag portable 127.0.0.1:5000/portable:v1
}

expected_line='hello world from web in /data: one two three'

# What is in the root, one line an entry, but for what an engine adds.
tree_script='cd / && find bin data etc/passwd etc/group old opaque pipe root tmp www var gone 2>/dev/null | sort | while IFS= read -r f; do [ -e "$f" ] || [ -L "$f" ] || { echo "part: $f"; continue; }; [ -d "$f" ] && links= || links=$(stat -c %h "$f"); echo "$(stat -c "%A %u:%g %F" "$f") $links $f $(readlink "$f") $([ ! -f "$f" ] || md5sum <"$f")"; done'

tree_of_brig() { brig run --rm --user 0 --entrypoint sh portable -c "$tree_script"; }

# Its tree and its line, as podman has them.
runs_in_podman() {
  local image=$1
  run pod_run "$image"
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$output" = "$expected_line" ]
  run pod_run "$image" other words
  [ "$output" = 'hello world from web in /data: other words' ]
  tree_of_brig >"$root/tree.brig"
  pod_run --user 0 --entrypoint sh "$image" -c "$tree_script" >"$root/tree.podman"
  diff "$root/tree.brig" "$root/tree.podman"
  grep -q ' data/one ' "$root/tree.podman"
  no grep -qE 'gone|old/file|hidden' "$root/tree.podman"
  [ "$(pod image inspect --format '{{.Config.User}} {{.Config.WorkingDir}} {{json .Config.Cmd}} {{.Labels.is}} {{.Architecture}}' "$image")" = 'web /data ["one","two three"] built amd64' ]
}

# The extended attribute, in the layer as it was written: of the first of the two hard links.
has_attribute() {
  local layer
  for layer in "$@"; do
    [[ $(python3 - "$layer" <<'END'
import sys, tarfile
for member in tarfile.open(sys.argv[1]):
    if member.pax_headers.get("SCHILY.xattr.user.mark") == "marked": print(member.name)
END
    ) != *data/hard* ]] || return 0
  done
  return 1
}

# digests_are_right DIRECTORY: a copy by skopeo (dir:): each file is what its name says, each layer inflated what the configuration says.
digests_are_right() {
  local name config layers
  for name in "$1"/*; do
    [[ ${name##*/} == manifest.json || ${name##*/} == version ]] || [[ $(sha256sum <"$name") == "${name##*/} "* ]] || { echo "$name is another"; return 1; }
  done
  config=$(jq -r .config.digest "$1/manifest.json")
  [ "$config" = "$(cat "$root/built")" ]
  layers=$(for name in $(jq -r '.layers[].digest' "$1/manifest.json"); do zcat -f "$1/${name#sha256:}" | sha256sum | sed 's/ .*//; s/^/sha256:/'; done)
  [ "$layers" = "$(jq -r '.rootfs.diff_ids[]' "$1/${config#sha256:}")" ]
}

@test "docker push; skopeo reads what was built, digest by digest" {
  DOCKER_BUILDKIT=0 run docker push 127.0.0.1:5000/portable:v1
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output =~ v1:\ digest:\ (sha256:[0-9a-f]{64}) ]]
  digest=${BASH_REMATCH[1]}
  run on_host skopeo copy --quiet --src-tls-verify=false docker://127.0.0.1:5000/portable:v1 "dir:$root/copied"
  echo "$output"
  [ "$status" -eq 0 ]
  [ "sha256:$(sha256sum <"$root/copied/manifest.json" | cut -d' ' -f1)" = "$digest" ]
  digests_are_right "$root/copied"
  has_attribute $(jq -r --arg dir "$root/copied" '.layers[].digest | sub("sha256:"; $dir + "/")' "$root/copied/manifest.json")
}

@test "podman pulls it and runs it: output, user, directory, tree" {
  run pod pull -q 127.0.0.1:5000/portable:v1
  echo "$output"
  [ "$status" -eq 0 ]
  [ "sha256:${lines[-1]}" = "$(cat "$root/built")" ]
  runs_in_podman 127.0.0.1:5000/portable:v1
  pod rmi -f 127.0.0.1:5000/portable:v1
}

@test "docker save: podman loads it and runs it" {
  docker save portable -o "$root/saved.tar"
  run pod load -q -i "$root/saved.tar"
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *docker.io/library/portable:latest* ]]
  [ "sha256:$(pod image inspect --format '{{.Id}}' docker.io/library/portable:latest)" = "$(cat "$root/built")" ]
  runs_in_podman docker.io/library/portable:latest
  pod rmi -f docker.io/library/portable:latest
}

@test "docker save: skopeo reads it as docker-archive and as OCI, with the same digests" {
  [[ -e $root/saved.tar ]] || docker save portable -o "$root/saved.tar"
  on_host skopeo copy --quiet "docker-archive:$root/saved.tar" "dir:$root/from-docker"
  digests_are_right "$root/from-docker"
  on_host skopeo copy --quiet "oci-archive:$root/saved.tar" "dir:$root/from-oci"
  digests_are_right "$root/from-oci"
}

@test "a build's own archive (-o type=oci) is the same image to podman" {
  brig build -q -o "type=oci,dest=$root/out.oci" "$root/context"
  on_host skopeo copy --quiet "oci-archive:$root/out.oci" "dir:$root/from-build"
  digests_are_right "$root/from-build"
}

@test "nothing of podman's is left" {
  [ -z "$(pod ps -aq)" ]
  no grep -F "$root/podman" /proc/self/mountinfo
  no pgrep -af "conmon.*$root/podman"
}
