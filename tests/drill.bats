#!/usr/bin/env bats
# brig drill against a daemon of ours: every drill holds, its report has three forms; and with the protection taken away (tools/build bugs,
# docs/drill.md) the drill that looks for it is red. Needs root.

load lib

setup_file() {
  [[ -n ${BRIG_BUILD:-} ]] || { "$BATS_TEST_DIRNAME/../tools/build" bugs; BRIG_BUILD=build-bugs; }
  load lib
  make_host
  export root host_pid BRIG_BUILD
  rm -f /run/brig-drill-bugs
  start_daemon
  export daemon_pid
}

teardown_file() {
  rm -f /run/brig-drill-bugs
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
  [[ $("$build/src/daemon/brigd" --version) == *"with bugs"* ]] || skip "this build has no bugs: tools/build bugs"
  local bug drills quiet=
  while read -r bug drills; do
    echo "$bug" >/run/brig-drill-bugs
    run drill --format json $drills
    echo "$bug: $output"
    [[ $status -eq 1 && $(jq -r '[.Drills[].Result] | unique | join(",")' <<<"$output") == broken ]] || quiet+=" $bug"
  done <<<"$bugs"
  rm -f /run/brig-drill-bugs
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
