#!/usr/bin/env bats
# drills.bats: attacks of our own on the engine, each a hostile image, bundle or call, that `brig drill` does not try (docs/drill.md). What is
# asked after each is whether the host is as it was: its programs, canary files, mounts and links. Needs root.

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

@test "drill: passwd files that are a device or too large" {
  hostile_image zero 'rm etc/passwd && mknod etc/passwd c 1 5'
  hostile_image large 'head -c 20000000 /dev/zero | tr "\0" a >etc/passwd'
  for name in zero large; do fails brig run --rm -u web "$name" true; done
  for user in 4294967295 0:4294967296; do fails brig run --rm -u "$user" busybox true; done
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

has_peers() { [[ $(brig ps -q | wc -l) -ge 2 ]]; }

@test "brig drill removes what a killed run has left, and nothing of one that lives" {
  local run=(nsenter --target "$host_pid" --net --mount -- "$build/src/cli/brig" -H "unix://$root/brig.sock" drill)
  local pid here dead living bundle name runtime=("$build/src/runtime/brig-runtime")
  on_host mount -t tmpfs tmpfs /var/tmp # others' drills have theirs
  "${run[@]}" --rounds 100000 neighbours >"$root/killed" 2>&1 3>&- &
  pid=$!
  wait_until has_peers
  kill -KILL "$pid"
  wait "$pid" || :
  here=$(on_host ls /var/tmp) && [[ $here =~ ^brig-drill\.([0-9a-f]{8}-[0-9a-f]{6}-[0-9a-f]+)-[0-9a-f]+-[0-9a-f]+\.[A-Za-z0-9]{6}$ ]]
  # A run by this process lives; one by a process that had its number before does not.
  dead=${BASH_REMATCH[1]}-$(printf '%x-1' $$)
  living=${dead%-1}-$(printf '%x' "$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)")
  brig create --label "brig-drill.run=$living" --name living busybox >/dev/null
  brig create --label "brig-drill.run=other" --name other busybox >/dev/null
  for name in "$dead" "$living"; do
    brig policy apply -f - <<<"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: brig-drill-$name, namespace: brig-drill-$name}, spec: {podSelector: {matchLabels: {nobody: x}}}}" >/dev/null
  done
  bundle=/var/tmp/brig-drill-bundle.$dead.tEst01
  on_host mkdir -p "/var/tmp/brig-drill.$living.tEst01" "$bundle/rootfs/bin" "$bundle/rootfs/proc" "$bundle/rootfs/dev" "$bundle/rootfs/sys"
  on_host cp /bin/busybox "$bundle/rootfs/bin/sh"
  on_host "${runtime[@]}" spec --bundle "$bundle"
  on_host sed -i 's/"terminal": true/"terminal": false/' "$bundle/config.json"
  on_host "${runtime[@]}" --root "$bundle/state" create --bundle "$bundle" --pid-file "$root/left.pid" left </dev/null >/dev/null 2>&1 3>&-
  grep -q '^State:.[^Z]' "/proc/$(cat "$root/left.pid")/status"

  "${run[@]}" ids >"$root/after" 2>&1
  cat "$root/after"
  grep -qx 'brig-drill: removed what a run that was killed had left: [2-9] containers, 2 networks, 1 policy document, 2 in /var/tmp' "$root/after"
  no grep -qs '^State:.[^Z]' "/proc/$(cat "$root/left.pid")/status"
  [ "$(on_host ls /var/tmp)" = "brig-drill.$living.tEst01" ]
  [ "$(brig ps -a --format '{{.Names}}' | sort | xargs)" = "living other" ]
  [ -z "$(brig network ls -qf type=custom)" ]
  brig policy ls >"$root/policies"
  grep -qw "brig-drill-$living" "$root/policies"
  no grep -qw "brig-drill-$dead" "$root/policies" # as a word: a start time may begin with the other
  brig policy rm "brig-drill-$living/brig-drill-$living" >/dev/null
  # With nobody else's run there the images go at once, too.
  on_host rmdir "/var/tmp/brig-drill.$living.tEst01"
  brig rm living >/dev/null
  brig tag busybox brig-drill:guest
  "${run[@]}" ids 2>&1 | grep -qx 'brig-drill: removed what a run that was killed had left: 1 image'
  [ -z "$(brig images -q brig-drill)" ]
  on_host umount /var/tmp
}

@test "brig drill: what of a killed run cannot go is told, and what is another machine's or nobody's stays" {
  local run=(nsenter --target "$host_pid" --net --mount -- "$build/src/cli/brig" -H "unix://$root/brig.sock" drill)
  local pid name dead before stay=() network
  on_host mount -t tmpfs tmpfs /var/tmp
  brig network create brig-drill-quiet >/dev/null # an earlier version's, without a label
  "${run[@]}" --rounds 100000 neighbours >"$root/killed" 2>&1 3>&- &
  pid=$!
  wait_until has_peers
  kill -KILL "$pid"
  wait "$pid" || :
  name=$(on_host ls /var/tmp) && [[ $name =~ ^brig-drill\.(([0-9a-f]{8})-[0-9a-f]{6}-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+)\. ]]
  dead=${BASH_REMATCH[1]} before=${BASH_REMATCH[2]}-0badca-1-1-1
  # An earlier boot's goes, unless the machine has no id; names that are no run's, and another machine's, stay.
  stay=(brig-drill.a-1-1-1 "brig-drill.$before.aaaaaa.old" "brig-drill.$before" brig-drill.0badcafe-0badca-1-1-1.aaaaaa "brig-drill.$dead.bUsy01")
  for name in "${stay[@]}"; do on_host mkdir "/var/tmp/$name"; done
  on_host mkdir "/var/tmp/brig-drill.$before.aaaaaa" "/var/tmp/brig-drill.$dead.bUsy01/mount"
  [[ ${before%%-*} != 00000000 ]] || stay+=("brig-drill.$before.aaaaaa")
  on_host mount -t tmpfs tmpfs "/var/tmp/brig-drill.$dead.bUsy01/mount"
  for name in "$dead" 0badcafe-0badca-1-1-1; do
    brig build -q --no-cache - <<<"FROM busybox"$'\n'"RUN --mount=type=cache,target=/m,id=../var/tmp/brig-drill.$name.aaaaaa true" >/dev/null
  done
  network=$(brig network ls -qf "name=brig-drill-quiet-$dead")
  brig run -d --network "$network" busybox sleep 1000 >/dev/null # a user's

  "${run[@]}" ids neighbours >"$root/after" 2>&1
  cat "$root/after"
  grep "^brig-drill: what an earlier run left stays, the next run tries again: network $network" "$root/after" | grep -q 'active endpoints'
  grep -q "stays, the next run tries again: directory /var/tmp/brig-drill\\.$dead\\.bUsy01: .*cross-device" "$root/after"
  [ "$(grep -c 'tries again' "$root/after")" -eq 2 ]
  [ "$(on_host ls /var/tmp | LC_ALL=C sort)" = "$(printf '%s\n' "${stay[@]}" | LC_ALL=C sort)" ]
  on_host curl -fsS --unix-socket "$root/brig.sock" 'http://d/system/df?type=build-cache' | jq -r '.BuildCache[].Description' >"$root/caches"
  cat "$root/caches"
  no grep -q "$dead" "$root/caches"
  grep -qx 'cache mount .*brig-drill.0badcafe-0badca-1-1-1.aaaaaa' "$root/caches"
  [ "$(brig network ls --format '{{.Name}}' -f type=custom | sort | xargs)" = "brig-drill-quiet brig-drill-quiet-$dead" ]
  brig rm -f $(brig ps -q) >/dev/null
  brig network rm brig-drill-quiet "$network" >/dev/null
  on_host umount "/var/tmp/brig-drill.$dead.bUsy01/mount" /var/tmp
}
