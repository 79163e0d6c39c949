#!/usr/bin/env bats
# drills.bats: attacks of our own on the engine, each a hostile image, bundle or call. What is asked after each is whether the host is
# as it was: its programs, canary files, mounts and links. Needs root.

load lib

setup_file() {
  make_host
  export root host_pid
  start_daemon
  export daemon_pid
  load_busybox
  echo untouched >"$root/canary"
  snapshot >"$root/before"
}

teardown_file() { end_host; }

teardown() {
  local ids
  ids=$(brig ps -aq) && [[ -n $ids ]] && brig rm -f $ids >/dev/null
  snapshot | diff "$root/before" -
}

# What no drill may change: programs, canaries, the pattern of core files, links; mounts are end_host's to ask.
snapshot() {
  sha256sum "$build/src/runtime/brig-runtime" "$build/src/monitor/brig-monitor" /bin/busybox "$root/canary" /etc/passwd
  cat /proc/sys/kernel/core_pattern
  stat -c '%t:%T %a %u' /dev/null
}

# image_of DIRECTORY NAME: the busybox root with what is in the directory laid over it.
image_of() {
  local tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree"
  tar -C "$tree" -xf "$(busybox_tar)"
  cp -a --remove-destination "$1/." "$tree/"
  tar -C "$tree" --numeric-owner --owner=0 --group=0 -c . | brig import - "$2" >/dev/null
}

fails() { if "$@" >/dev/null 2>&1; then echo "succeeded: $*"; return 1; fi; }

@test "drill: exec of a program through a leaked directory (CVE-2024-21626)" {
  local n up
  brig run -d --name drill busybox sleep 1000
  for n in {3..40}; do
    for up in . ../../../../../../../..; do
      fails brig exec drill "/proc/self/fd/$n/$up/bin/busybox" true
    done
  done
}

@test "drill: exec of an image's link to a program through a leaked directory" {
  local n over=$BATS_TEST_TMPDIR/over
  for n in {3..40}; do
    mkdir -p "$over/leak$n"
    ln -s "/proc/self/fd/$n/../../../../../../../../bin/busybox" "$over/leak$n/true"
  done
  image_of "$over" hostile
  brig run -d --name drill hostile sleep 1000
  for n in {3..40}; do
    fails brig exec drill "/leak$n/true"
    fails brig run --rm --entrypoint "/leak$n/true" hostile
  done
}

@test "drill: a working directory through a leaked directory (CVE-2024-21626)" {
  local n
  brig run -d --name drill busybox sleep 1000
  for n in {3..40}; do
    fails brig exec -w "/proc/self/fd/$n" drill true
    fails brig run --rm -w "/proc/self/fd/$n" busybox true
  done
}

@test "drill: only the three standard descriptors reach a program" {
  brig run -d --name drill busybox sleep 1000
  [[ $(brig exec drill sh -c 'cd /proc/1/fd && echo *') == "0 1 2" ]]
  # [ is the shell's own, so that self is what exec started.
  [[ -z $(brig exec drill sh -c 'n=3; while [ $n -lt 100 ]; do [ ! -L /proc/self/fd/$n ] || echo $n; n=$((n + 1)); done') ]]
}

@test "drill: the runtime's program is not written to (CVE-2019-5736)" {
  local over=$BATS_TEST_TMPDIR/over
  mkdir -p "$over/bin"
  # A script whose interpreter is the process itself: what runs it is the runtime's file, if it can be reached.
  printf '#!/proc/self/exe\n' >"$over/bin/again"
  chmod 755 "$over/bin/again"
  image_of "$over" hostile
  brig run -d --name drill hostile sh -c 'while :; do for p in /proc/[0-9]*; do (echo overwritten >$p/exe) 2>/dev/null; done; done'
  for n in 1 2 3 4 5; do
    fails brig exec drill /bin/again
  done
}

@test "drill: an image whose /proc or /sys is a link to elsewhere (CVE-2019-19921, CVE-2023-27561)" {
  local name tree bundle
  for name in proc sys; do
    tree=$BATS_TEST_TMPDIR/$name bundle=$BATS_TEST_TMPDIR/bundle-$name
    mkdir -p "$tree/elsewhere/self/attr" "$bundle"
    tar -C "$tree" -xf "$(busybox_tar)"
    rmdir "$tree/$name" && ln -s /elsewhere "$tree/$name"
    tar -C "$tree" -c . | brig import - "linked-$name" >/dev/null
    # The engine's init layer has a directory in its place, as dockerd's; nothing is mounted where the link leads.
    brig run --rm "linked-$name" sh -c "[ ! -L /$name ] && grep -q ' /$name ' /proc/mounts && ! grep -q elsewhere /proc/mounts && [ ! -e /elsewhere/kernel ]"
    # The runtime by itself refuses.
    mv "$tree" "$bundle/rootfs"
    "$build/src/runtime/brig-runtime" spec --bundle "$bundle"
    jq '.process.terminal = false | .process.args = ["true"]' "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
    fails "$build/src/runtime/brig-runtime" --root "$BATS_TEST_TMPDIR/state" run --bundle "$bundle" "linked-$name"
  done
}

@test "drill: masked and read-only paths, kernel files and devices" {
  run brig run --rm busybox sh -c '
    for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; do [ ! -e $f ] || [ -z "$(head -c 1 $f 2>/dev/null)" ] || echo "reads $f"; done
    for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe; do (echo x >$f) 2>/dev/null && echo "writes $f"; done
    mknod /tmp/disk b 254 0 && (head -c 1 /tmp/disk) 2>/dev/null && echo "reads a disk"
    mount -t tmpfs none /tmp 2>/dev/null && echo mounts
    unshare -U true 2>/dev/null && echo "makes a user namespace"
    grep -E "^CapInh:.*[1-9a-f]" /proc/self/status
    :'
  [[ $status -eq 0 && -z $output ]]
}

@test "drill: ids that lead out of the data root" {
  local id
  for id in '..%2f..%2fcanary' '%2e%2e' '..' '.%00' 'a%2f..%2fb'; do
    run curl -s -o /dev/null -w '%{http_code}' --path-as-is -X DELETE --unix-socket "$root/brig.sock" "http://d/containers/$id"
    [[ $output == 4* ]]
    run curl -s -o /dev/null -w '%{http_code}' --path-as-is --unix-socket "$root/brig.sock" "http://d/volumes/$id"
    [[ $output == 4* || $output == 301 ]]
  done
}

# swap A B: exchanges the two for as long as it lives.
swap() {
  python3 -c '
import ctypes, sys
a, b = (x.encode() for x in sys.argv[1:])
libc = ctypes.CDLL(None)
while True: libc.renameat2(-100, a, -100, b, 2)' "$1" "$2" >/dev/null 2>&1 3>&- &
  swap_pid=$!
}

@test "drill: procfs is mounted on a directory that becomes a link meanwhile (CVE-2019-19921)" {
  local bundle=$BATS_TEST_TMPDIR/bundle volume=$BATS_TEST_TMPDIR/volume runtime round caught=0
  runtime=("$build/src/runtime/brig-runtime" --root "$BATS_TEST_TMPDIR/state")
  mkdir -p "$bundle/rootfs/elsewhere" "$volume/proc"
  tar -C "$bundle/rootfs" -xf "$(busybox_tar)"
  ln -s /elsewhere "$volume/link"
  "${runtime[@]}" spec --bundle "$bundle"
  jq --arg volume "$volume" '.process.terminal = false | .process.args = ["sh", "-c", "[ ! -e /elsewhere/self ]"]
    | .mounts += [{destination: "/v", type: "bind", source: $volume, options: ["rbind"]}, {destination: "/v/proc", type: "proc", source: "proc"}]' \
    "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
  swap "$volume/proc" "$volume/link"
  for round in {1..150}; do
    # Refused, or mounted where it was to be: 1 is the script's word that it is elsewhere.
    "${runtime[@]}" run --bundle "$bundle" "race$round" >"$BATS_TEST_TMPDIR/out" 2>&1 || [[ -s $BATS_TEST_TMPDIR/out ]] || caught=$round
  done
  kill "$swap_pid"; wait "$swap_pid" 2>/dev/null || :
  [[ $caught -eq 0 ]]
}

# hostile_image NAME SCRIPT: the busybox root, changed by the script in it.
hostile_image() {
  local tree=$BATS_TEST_TMPDIR/$1
  mkdir -p "$tree" && tar -C "$tree" -xf "$(busybox_tar)"
  (cd "$tree" && eval "$2") && tar -C "$tree" -c . | brig import - "$1" >/dev/null
}

@test "drill: passwd files that are none, and ids that overflow (CVE-2024-40635)" {
  local user
  hostile_image fifo 'rm etc/passwd && mkfifo etc/passwd'
  hostile_image zero 'rm etc/passwd && mknod etc/passwd c 1 5'
  hostile_image magic 'ln -sf /proc/self/fd/0 etc/passwd'
  hostile_image large 'head -c 20000000 /dev/zero | tr "\0" a >etc/passwd'
  for name in fifo zero magic large; do fails brig run --rm -u web "$name" true; done
  for user in 4294967296 4294967295 18446744073709551616 -1 0:4294967296 $'web\n'; do fails brig run --rm -u "$user" busybox true; done
}

@test "drill: mount targets, directories and generated files through an image's links" {
  local out=../../../../../../../..$root/out
  mkdir -p "$root/out"
  echo alive >"$root/out/canary"
  hostile_image links "ln -sf $out link; for f in hosts hostname resolv.conf; do ln -sf $out/canary etc/\$f; done"
  brig run --rm -v drill-volume:/link/volume -w /link/deep/er --tmpfs /link/tmpfs links true
  brig volume rm drill-volume >/dev/null
  [[ $(ls "$root/out") == canary && $(cat "$root/out/canary") == alive ]]
}

@test "drill: a bind at //dev puts no node and no link into the host's directory" {
  mkdir "$root/hostdev"
  run brig run --rm -v "$root/hostdev://dev" busybox true
  [ -z "$(find "$root/hostdev" -type b -o -type c -o -type l)" ]
}
