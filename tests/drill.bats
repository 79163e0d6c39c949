#!/usr/bin/env bats
# brig drill against a daemon of ours: every drill holds, its report has three forms; and with the protection taken away (tools/build asan,
# docs/drill.md) the drill that looks for it is red. Needs root.

load lib

setup_file() {
  [[ -n ${BRIG_BUILD:-} ]] || { "$BATS_TEST_DIRNAME/../tools/build" asan; BRIG_BUILD=build-asan; }
  load lib
  make_host
  export root host_pid BRIG_BUILD
  on_host mount -t tmpfs tmpfs /run # what is switched on here is off for everybody else
  start_daemon
  export daemon_pid
}

teardown_file() {
  load lib
  end_host
}

setup() { load lib; }

drill() { on_host "$build/src/cli/brig" -H "unix://$root/brig.sock" drill "$@"; }

@test "every drill holds, and none leaves anything" {
  run drill --rounds 50
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output =~ \ 0\ broken,\ 0\ could\ not\ be\ tried,\ [1-9][0-9]*\ not\ covered ]]
  run bash -c 'brig ps -aq; brig images -aq; brig volume ls -q'
  echo "left: $output"
  [ -z "$output" ]
}

# BUG DRILL...: with the bug on, each is red, and for the reason that it looks for.
bugs='seccomp keyctl namespaces filtered-calls
masked-paths masked-paths
read-only-paths read-only-paths
devices devices
capabilities capabilities
groups groups
user-range user-range
router-advertisements router-advertisements
names names
unpack-dots unpack-dots
unpack-whiteouts unpack-whiteouts'

@test "with its bug put back, each drill is red" {
  [[ $("$build/src/daemon/brigd" --version) == *"with bugs"* ]] || { echo "this build has no bugs: tools/build asan"; false; }
  local bug drills quiet=
  while read -r bug drills; do
    on_host tee /run/brig-drill-bugs <<<"$bug"
    run drill --format json $drills
    echo "$bug: $output"
    [[ $status -eq 1 && $(jq -r '[.Drills[].Result] | unique | join(",")' <<<"$output") == broken ]] || quiet+=" $bug"
  done <<<"$bugs"
  on_host rm /run/brig-drill-bugs
  echo "green with their bug:$quiet"
  [ -z "$quiet" ]
}

@test "an engine's abstract socket is found on the host's network" {
  local out=$BATS_TEST_TMPDIR/ready
  mkfifo "$out"
  nsenter --target "$host_pid" --net -- python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind("\0containerd-shim-drill"); s.listen()
open(sys.argv[1], "w").write("up\n"); sys.stdin.read()' "$out" < <(exec tail -f /dev/null --pid=$$) 3>&- &
  read -r _ <"$out"
  run drill abstract-sockets
  kill $!
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"an engine's abstract socket: @containerd-shim-drill"*"what to change: end what listens"* ]]
}

# As systemd's socket, the front's is another process's: the oracle watches the daemon, or nothing at all.
@test "behind a socket that another opened, the pid file says which process is the daemon" {
  socat "UNIX-LISTEN:$root/front.sock,fork" "UNIX-CONNECT:$root/brig.sock" >/dev/null 2>&1 3>&- &
  local front=$!
  wait_until curl -sf -o "$BATS_TEST_TMPDIR/ping" --unix-socket "$root/front.sock" http://d/_ping
  front_drill() { on_host "$build/src/cli/brig" -H "unix://$root/front.sock" drill descriptors; }
  run front_drill
  echo "$output"
  [[ $status -eq 1 && $output == *"process $front, which opened the daemon's socket unix://$root/front.sock, is no brigd, and /run/brig/brigd.pid names none: give brigd --pidfile /run/brig/brigd.pid"* ]]
  on_host mkdir -p /run/brig
  on_host tee /run/brig/brigd.pid <<<"$front"
  run front_drill
  [[ $status -eq 1 && $output == *"is no brigd"* ]]
  on_host tee /run/brig/brigd.pid <<<"$daemon_pid"
  run front_drill
  kill "$front"
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "names, list, forms, and what is refused" {
  run drill --list
  [ "$status" -eq 0 ]
  [[ $output == *working-directory*CVE-2024-21626*"NOT COVERED"* ]]
  run drill --format junit keyctl
  [ "$status" -eq 0 ]
  [[ $(grep -c '<testcase classname="brig.drill" ' <<<"$output") == 1 && $output == *'name="keyctl"'*'failures="0"'* || $output == *'failures="0"'*'name="keyctl"'* ]]
  run drill nonsense
  [[ $status -eq 1 && $output == *"no drill 'nonsense': --list shows what there is"* ]]
  run drill --format yaml
  [[ $status -eq 1 && $output == *"--format 'yaml' is none of text, json and junit"* ]]
  run drill --rounds 0
  [[ $status -eq 1 && $output == *"--rounds is 1 to 1000000"* ]]
}
