#!/usr/bin/env bats
# checkpoint.bats: containers are dumped by criu and go on from it: brig-runtime's commands, then the engine's. criu must know the kernel: Debian 12's does not
# know Linux 6.18, so tests/vm/suite runs this on Debian's own; CRIU_PATH is a directory with a newer one, for a run elsewhere.

setup_file() {
  [[ -z ${CRIU_PATH:-} ]] || export PATH=$CRIU_PATH:$PATH
  criu check >/dev/null 2>&1 || skip "this criu does not know this kernel"
  top=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  runtime=$(realpath "${BRIG_BUILD:-$top/build}/src/runtime/brig-runtime")
  suite=$(mktemp -d "${TMPDIR:-/tmp}/brig-checkpoint-test.XXXXXX")
  export runtime suite
  mkdir -p "$suite/bundle/rootfs"/{bin,etc,tmp,proc,sys,dev} "$suite/data"
  cp /bin/busybox "$suite/bundle/rootfs/bin/"
  for name in sh sleep cat nc; do ln -s busybox "$suite/bundle/rootfs/bin/$name"; done
  "$runtime" spec --bundle "$suite/bundle"
  config '.process.terminal = false | .root.readonly = false | .process.cwd = "/tmp"
    | .mounts += [{destination: "/data", type: "bind", source: $suite, options: ["rbind"]}]' --arg suite "$suite/data"
  cp "$suite/bundle/config.json" "$suite/plain.json"
}

teardown_file() {
  rm -rf --one-file-system "$suite"
}

setup() {
  id=checkpoint$BATS_TEST_NUMBER-$$
  images=$suite/images$BATS_TEST_NUMBER
  cp "$suite/plain.json" "$suite/bundle/config.json"
  rm -f "$suite"/data/*
}

teardown() {
  oci list -q | while read -r left; do oci delete --force "$left"; done
  no grep -F "$suite" /proc/self/mountinfo
  [[ -z $(find /sys/fs/cgroup -type d -name "*$id*" -print -quit) ]]
}

no() { if "$@"; then echo "succeeded: $*"; return 1; fi; }
oci() { "$runtime" --root "$suite/state" "$@"; }
config() { local filter=$1; shift; jq "$@" "$filter" "$suite/bundle/config.json" >"$suite/new" && mv "$suite/new" "$suite/bundle/config.json"; }
status_of() { oci state "$id" | jq -r .status; }
# start SCRIPT: a container that runs it in the background.
start() {
  config '.process.args = ["sh", "-c", $text]' --arg text "$1"
  oci run --detach --bundle "$suite/bundle" "$id" </dev/null >/dev/null 2>&1
}
dump() { oci checkpoint --image-path "$images" "$@" "$id"; }
restore() { oci restore --detach --bundle "$suite/bundle" --image-path "$images" "$@" "$id" </dev/null >/dev/null 2>&1; }
wait_for() {
  local end=$((SECONDS + 60))
  until "$@"; do ((SECONDS < end)) || { echo "waited in vain: $*"; return 1; }; sleep 0.05; done
}
count() { cat "$suite/data/count" 2>/dev/null || echo 0; }
counted() { [[ $(count) -gt $1 ]]; }
counter='i=0; while :; do i=$((i + 1)); echo $i >/data/new; busybox mv /data/new /data/count; sleep 0.1; done'

@test "a container is dumped, gone, and goes on where it was" {
  start "trap 'exit 7' USR1; echo mine >/tmp/file; echo shared >/dev/shm/file; $counter"
  wait_for counted 2
  dump
  run oci list -q
  [ -z "$output" ]
  before=$(count)
  rm "$suite/data/count"
  restore --pid-file "$suite/pid"
  wait_for counted "$before"
  [ "$(count)" -lt $((before + 600)) ]
  [ "$(status_of)" = running ]
  [ "$(oci state "$id" | jq .pid)" = "$(<"$suite/pid")" ]
  [[ $(cat "/proc/$(<"$suite/pid")/cgroup") == *"/$id"* ]]
  run oci exec "$id" sh -c 'cat /tmp/file /dev/shm/file; echo >/proc/sys/kernel/hostname' # which is read-only
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = mine ]
  [ "${lines[1]}" = shared ]
  [[ $output == *'Read-only file system'* ]]
  # From images of a restored one, and with somebody who waits for its end.
  dump
  oci restore --bundle "$suite/bundle" --image-path "$images" "$id" </dev/null >/dev/null 2>&1 3>&- &
  waiter=$!
  rm "$suite/data/count"
  wait_for counted "$before"
  oci kill "$id" USR1
  status=0; wait "$waiter" || status=$?
  [ "$status" -eq 7 ]
  run oci list -q
  [ -z "$output" ]
}

@test "with --leave-running and after a --pre-dump it runs on, and the last dump has what changed" {
  start "$counter"
  wait_for counted 0
  mkdir -p "$images/first"
  if criu check --feature mem_dirty_track >/dev/null 2>&1; then
    oci checkpoint --pre-dump --image-path "$images/first" "$id"
    [ "$(status_of)" = running ]
    dump --parent-path first --leave-running
    [ -L "$images/parent" ]
  else # a kernel that does not tell which pages have changed
    run oci checkpoint --pre-dump --image-path "$images/first" "$id"
    [[ $status -eq 1 && $output == *'Tracking memory is not available'* ]]
    dump --leave-running
  fi
  [ "$(status_of)" = running ]
  before=$(count)
  wait_for counted "$before"
  oci delete --force "$id"
  restore
  rm -f "$suite/data/count"
  wait_for counted "$before"
}

@test "open connections are an error without --tcp-established, and the container runs on; with it they hold" {
  start 'nc -l -p 7000 -e sh -c "while read line; do echo got \$line >>/data/got; done" & sleep 1
    { i=0; while :; do i=$((i + 1)); echo $i; sleep 0.2; done; } | nc 127.0.0.1 7000'
  wait_for test -s "$suite/data/got"
  run dump
  [ "$status" -eq 1 ]
  [[ $output == *'--tcp-established'*dump.log* ]]
  [ "$(status_of)" = running ]
  [ ! -e "$images/brig-checkpoint.json" ]
  run restore
  [ "$status" -eq 1 ]
  before=$(wc -l <"$suite/data/got")
  wait_for eval '[[ $(wc -l <"$suite/data/got") -gt $before ]]'
  dump --tcp-established
  before=$(wc -l <"$suite/data/got")
  restore --tcp-established
  wait_for eval '[[ $(wc -l <"$suite/data/got") -gt $before ]]'
  # One after the other, with none missing.
  sed 's/got //' "$suite/data/got" >"$suite/got"
  diff "$suite/got" <(seq "$(wc -l <"$suite/got")")
}

@test "a terminal is handed over anew" {
  config '.process.terminal = true | .process.args = ["sh"]'
  cat >"$suite/console.py" <<'PYTHON'
import array, os, socket, sys
listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(2)
def take():
    connection, _ = listener.accept()
    _, data, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(4))
    return array.array('i', data[0][2][:4])[0]
def ask(terminal, words, answer):
    os.write(terminal, words); seen = b''
    while answer not in seen: seen += os.read(terminal, 4096)
first = take(); ask(first, b'x=5; echo go$((x + 1))\n', b'go6'); print('first', flush=True)
second = take(); ask(second, b'echo go$((x + 2))\n', b'go7'); print('second', flush=True)
PYTHON
  python3 "$suite/console.py" "$suite/console" >"$suite/said" 3>&- &
  wait_for test -S "$suite/console"
  oci run --detach --bundle "$suite/bundle" --console-socket "$suite/console" "$id"
  wait_for grep -q first "$suite/said"
  dump
  oci restore --detach --bundle "$suite/bundle" --console-socket "$suite/console" --image-path "$images" "$id"
  wait_for grep -q second "$suite/said"
}

@test "what cannot be dumped or restored is refused by name, and nothing is left" {
  run dump
  [[ $status -eq 1 && $output == *"container does not exist: $id"* ]]
  start "$counter"
  for option in --lazy-pages --page-server=127.0.0.1:1 --status-fd=5 --manage-cgroups-mode=strict; do
    run dump "$option"
    [[ $status -eq 1 && $output == *"${option%=*}"*'is not done'* ]]
  done
  run dump --parent-path /tmp
  [[ $status -eq 1 && $output == *'--parent-path must be relative'* ]]
  run "$runtime" --root "$suite/state" --criu "$suite/none" checkpoint --image-path "$images" "$id"
  [[ $status -eq 1 && $output == *"'$suite/none'"*'install the package criu'* ]]
  dump
  config 'del(.mounts[] | select(.destination == "/data"))'
  run oci restore --detach --bundle "$suite/bundle" --image-path "$images" "$id"
  [[ $status -eq 1 && $output == *"a bind at '/data', which this one has not"* ]]
  mv "$images/pages-1.img" "$images/no"
  cp "$suite/plain.json" "$suite/bundle/config.json"
  run oci restore --detach --bundle "$suite/bundle" --image-path "$images" "$id"
  [[ $status -eq 1 && $output == *restore.log* ]]
  config 'del(.linux.namespaces[] | select(.type == "pid"))'
  start "$counter"
  run dump
  [[ $status -eq 1 && $output == *'without a pid namespace'* ]]
}
