#!/usr/bin/env bats
# A data root that is full in the middle of a build: on an ext4 of its own, mounted on a loop device in the test's mount namespace, which
# takes both with it. After each: the daemon lives, the error says why and what helps, the next build works once there is space, nothing is
# left, and what is in the cache has the digests that it should.

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  make_host
  mkdir "$root/data" "$root/context"
}

teardown() {
  local status=0
  stop_registry_if_any
  end_host || status=1
  # The file is gone, and its mount with the namespace: the device detaches itself.
  wait_until eval '[[ -z $(losetup -n -O BACK-FILE | grep -F "$root") ]]' || { losetup; status=1; }
  return $status
}

stop_registry_if_any() { [[ -z ${registry_pid:-} ]] || stop_registry; }

# small_root SIZE [MKFS-OPTION...]: the data root becomes a file system of that size, and brig runs in it.
small_root() {
  truncate -s "$1" "$root/disk"
  mkfs.ext4 -q -m 0 -O ^has_journal "${@:2}" "$root/disk"
  on_host mount -o loop "$root/disk" "$root/data"
  start_daemon
  load_busybox
  id_of_daemon=$daemon_pid
}

# Where the data root is seen from outside of its namespace.
data() { echo "/proc/$host_pid/root$root/data"; }
free_kb() { on_host df --output=avail -k "$root/data" | tail -1; }
free_inodes() { on_host df --output=iavail "$root/data" | tail -1; }

# fill [KB]: leaves so much, no byte more than a block.
fill() {
  local keep=${1:-0}
  on_host fallocate -l "$(( $(free_kb) - keep ))K" "$root/data/filler" 2>/dev/null || :
  while [[ $(free_kb) -gt $keep ]]; do on_host dd if=/dev/zero of="$root/data/filler" bs=1k count=$(( $(free_kb) - keep )) oflag=append conv=notrunc status=none 2>/dev/null || break; done
}
unfill() { on_host rm -rf "$root/data/filler"; }

dockerfile() { cat >"$root/context/Dockerfile"; }
build() { run timeout 60 brig build --progress plain "$@" "$root/context"; echo "$output"; }

fails_for_room() {
  [ "$status" -eq 1 ]
  [[ $output == *"the file system of $root/data "*"full"*"make room, e.g. with 'brig builder prune -a' or 'brig system prune'"* ]]
  lives
}

nothing_to_remove() { [[ -z $(on_host find "$root/data/image/tmp" -mindepth 1 -maxdepth 1) ]]; }

lives() {
  daemon_answers
  no process_is_gone "$id_of_daemon"
  no pgrep -f "brig-monitor.*$root"
  [ -z "$(on_host find "$root/run/build" "$root/data/containers" "$root/data/build/contexts" "$root/run/containers" -mindepth 1 -maxdepth 1)" ]
  wait_until nothing_to_remove # the answers do not wait for it
  no grep -F "$root/run/build" "/proc/$host_pid/mountinfo"
}

# What the cache names is there, and nothing else is.
cache_is_whole() {
  local known layer at; at=$(data)
  rm -rf "$root/cache-copy" && mkdir "$root/cache-copy"
  cp "$at"/build/cache.db* "$root/cache-copy"
  known=$(sqlite3 "$root/cache-copy/cache.db" "PRAGMA integrity_check; SELECT DISTINCT layer FROM records WHERE layer<>'' ORDER BY 1")
  [ "$(head -1 <<<"$known")" = ok ]
  known=$(sed 1d <<<"$known")
  [ "$(ls "$at/build/layers" | sort)" = "$(grep -v ^sha256: <<<"$known" | sed '/^$/d')" ] || { echo "layers: $(ls "$at/build/layers"); records: $known"; return 1; }
  for layer in $(grep ^sha256: <<<"$known"); do [[ -d $at/image/snapshots/${layer#sha256:}/fs ]] || { echo "$layer is not in the image store"; return 1; }; done
}

# digests_are_right IMAGE: saved, each of its layers is what its configuration says.
digests_are_right() {
  brig save "$1" | python3 -c '
import hashlib, json, sys, tarfile
files = {}
links = {}
for member in (tar := tarfile.open(fileobj=sys.stdin.buffer, mode="r|")):
    if member.isfile(): files[member.name] = tar.extractfile(member).read()
    elif member.issym() or member.islnk(): links[member.name] = member.linkname
manifest = json.loads(files["manifest.json"])[0]
config = json.loads(files[manifest["Config"]])
digests = ["sha256:" + hashlib.sha256(files[name]).hexdigest() for name in manifest["Layers"]]
assert digests == config["rootfs"]["diff_ids"] and digests, (digests, config["rootfs"])'
}

# With space again: the same build works, and gives what it should; without its image and its cache the disk is as empty as before.
works_again() {
  local expected=$1
  unfill
  build -t works
  [ "$status" -eq 0 ]
  [ "$(brig run --rm works cat /result)" = "$expected" ]
  digests_are_right works
  lives
  cache_is_whole
  brig rmi -f works >/dev/null
  brig builder prune -af >/dev/null
  cache_is_whole
}

@test "in the middle of a RUN, of bytes and of inodes" {
  small_root 96M -N 2000
  local before; before=$(free_kb)
  dockerfile <<<$'FROM busybox\nRUN echo first >/result\nRUN dd if=/dev/zero of=/big bs=1M count=200'
  build -t big
  fails_for_room
  [[ $output == *"No space left on device"* ]]
  [ "$(free_kb)" -gt $((before - 1000)) ]
  dockerfile <<<$'FROM busybox\nRUN echo first >/result\nRUN cd /var; n=0; while : >$n; do n=$((n+1)); done'
  build -t many
  [[ $output == *"echo first >/result"*CACHED* ]]
  fails_for_room
  [ "$(free_inodes)" -gt 1000 ]
  dockerfile <<<$'FROM busybox\nRUN echo first >/result\nRUN echo second >>/result'
  build -t works
  [[ $output == *"echo first >/result"*CACHED* ]]
  works_again $'first\nsecond'
  [ "$(free_kb)" -gt $((before - 1000)) ]
}

@test "in the middle of a COPY, an ADD of an archive, and a context that is sent" {
  small_root 64M
  local before; before=$(free_kb)
  head -c 100m /dev/urandom >"$root/context/big"
  echo small >"$root/context/small"
  dockerfile <<<$'FROM busybox\nCOPY small /result\nCOPY big /'
  build
  fails_for_room
  (cd "$root/context" && tar cf packed.tar big && rm big)
  dockerfile <<<$'FROM busybox\nCOPY small /result\nADD packed.tar /'
  build
  fails_for_room
  run bash -c "tar -c -C '$root/context' . | brig build -"
  echo "$output"
  fails_for_room
  rm "$root/context/packed.tar"
  dockerfile <<<$'FROM busybox\nCOPY small /result'
  works_again small
  [ "$(free_kb)" -gt $((before - 1000)) ]
}

@test "in the middle of a base's pull and of its unpacking" {
  small_root 64M
  local before tree=$root/base; before=$(free_kb)
  start_registry 5000
  mkdir "$tree" && tar -C "$tree" -xf "$(busybox_tar)"
  head -c 100m /dev/zero >"$tree/zeros"
  tar -C "$tree" -cf "$root/base.tar" . && make_archive "$root/base.tar" "$root/zeros.archive"
  head -c 100m /dev/urandom >"$tree/zeros"
  tar -C "$tree" -cf "$root/base.tar" . && make_archive "$root/base.tar" "$root/random.archive"
  for kind in zeros random; do
    on_host skopeo copy --quiet --dest-tls-verify=false "docker-archive:$root/$kind.archive" "docker://127.0.0.1:5000/$kind"
    dockerfile <<<"FROM 127.0.0.1:5000/$kind"$'\nRUN echo never'
    build
    fails_for_room
    [ "$(free_kb)" -gt $((before - 2000)) ]
  done
  dockerfile <<<$'FROM busybox\nRUN echo base >/result'
  works_again base
}

@test "full to the last block: a build ends with an error, prune works, also after the daemon was started again" {
  small_root 64M
  dockerfile <<<$'FROM busybox\nRUN head -c 8m /dev/zero >/result'
  build -t old
  brig rmi -f old >/dev/null
  dockerfile <<<$'FROM busybox\nRUN echo new >/result'
  brig volume create unused
  fill 0
  build -t works
  fails_for_room
  fill 0
  run brig volume rm unused
  echo "$output"
  [ "$status" -eq 0 ]
  run brig builder prune -af
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"Total"*"8"*MB* ]]
  [ "$(free_kb)" -gt 6000 ]
  # Once more, through a start on a full disk.
  unfill
  dockerfile <<<$'FROM busybox\nRUN head -c 8m /dev/zero >/other'
  build -t old
  fill 0
  stop_daemon
  start_daemon
  id_of_daemon=$daemon_pid
  run brig rmi -f old
  echo "$output"
  [ "$status" -eq 0 ]
  fill 0
  run brig builder prune -af
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(free_kb)" -gt 6000 ]
  dockerfile <<<$'FROM busybox\nRUN echo new >/result'
  works_again new
}

@test "wherever it is that the last kilobytes end: layer, cache.db, blob, images.db; and the cache is not poisoned" {
  small_root 64M
  local keep failed=0
  dockerfile <<'END'
FROM busybox
ARG N
RUN head -c 20000 /dev/zero | tr '\0' $N >/filled
RUN echo $N >/result; wc -c </filled >>/result
END
  for keep in 0 4 8 16 24 32 40 48 56 64 80 96 128 160 192 256; do
    fill "$keep"
    build -q -t works --build-arg "N=$((keep % 7))"
    if [[ $status -ne 0 ]]; then fails_for_room; failed=$((failed + 1)); fi
    lives
    unfill
    build -t works --build-arg "N=$((keep % 7))"
    [ "$status" -eq 0 ]
    [ "$(brig run --rm works cat /result)" = "$((keep % 7))"$'\n20000' ]
    digests_are_right works
    brig rmi -f works >/dev/null
    brig builder prune -af >/dev/null
    cache_is_whole
  done
  echo "$failed failed"
  [ "$failed" -gt 4 ]
}

@test "an image whose layers are there already, and no room for its configuration; output to a full directory names that" {
  small_root 64M
  dockerfile <<<$'FROM busybox\nRUN head -c 3m /dev/zero >/zeros; echo kept >/result'
  build -t first
  [ "$status" -eq 0 ]
  fill 0
  build -t works --label which=second
  fails_for_room
  unfill
  # An archive of it needs its layer's bytes once more, in the data root.
  head -c 40m /dev/urandom >"$root/context/big"
  dockerfile <<<$'FROM busybox\nCOPY big /big\nRUN echo kept >/result'
  build -t first -o "type=docker,dest=$root/first.tar"
  fails_for_room
  rm "$root/context/big"
  brig rmi -f first >/dev/null && brig builder prune -af >/dev/null
  dockerfile <<<$'FROM busybox\nRUN head -c 3m /dev/zero >/zeros; echo kept >/result'
  # The data root has room; the directory that the client names has none.
  mkdir "$root/small" && on_host mount -t tmpfs -o size=1m none "$root/small"
  run on_host env "PATH=$PATH" brig build -q -o "$root/small" "$root/context"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"No space left on device"* && $output != *"builder prune"* ]]
  on_host dd if=/dev/zero of="$root/small/filler" bs=4k status=none || :
  run on_host env "PATH=$PATH" brig build -q --cache-to "type=local,dest=$root/small" "$root/context"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"failed to write the build cache to the directory '$root/small': "*"No space left on device"* && $output != *"builder prune"* ]]
  on_host umount "$root/small"
  works_again kept
}
