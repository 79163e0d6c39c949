#!/usr/bin/env bats
# checkpoint.bats: containers are dumped by criu and go on from it: brig-runtime's commands, then the engine's. criu must know the kernel: Debian 12's does not
# know Linux 6.18, so tests/vm/suite runs this on Debian's own; CRIU_PATH is a directory with a newer one, for a run elsewhere.

setup_file() {
  [[ -z ${CRIU_PATH:-} ]] || export PATH=$CRIU_PATH:$PATH
  criu check >/dev/null 2>&1 || skip "this criu does not know this kernel"
  load lib
  make_host
  start_daemon
  load_busybox
  runtime=$build/src/runtime/brig-runtime place=$root/place
  export root host_pid daemon_pid runtime place
  mkdir -p "$place/bundle/rootfs"/{bin,etc,tmp,proc,sys,dev} "$place/data"
  cp /bin/busybox "$place/bundle/rootfs/bin/"
  for name in sh sleep cat nc; do ln -s busybox "$place/bundle/rootfs/bin/$name"; done
  "$runtime" spec --bundle "$place/bundle"
  config '.process.terminal = false | .root.readonly = false | .process.cwd = "/tmp"
    | .mounts += [{destination: "/data", type: "bind", source: $data, options: ["rbind"]}]' --arg data "$place/data"
  cp "$place/bundle/config.json" "$place/plain.json"
}

teardown_file() {
  load lib
  end_host
}

setup() {
  load lib
  id=checkpoint$BATS_TEST_NUMBER-$$
  images=$place/images$BATS_TEST_NUMBER
  cp "$place/plain.json" "$place/bundle/config.json"
  rm -f "$place"/data/*
}

teardown() {
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
  oci list -q | while read -r left; do oci delete --force "$left"; done
  no grep -F "$place" /proc/self/mountinfo
  [[ -z $(find /sys/fs/cgroup -type d -name "*$id*" -print -quit) ]]
}

oci() { "$runtime" --root "$place/state" "$@"; }
config() { local filter=$1; shift; jq "$@" "$filter" "$place/bundle/config.json" >"$place/new" && mv "$place/new" "$place/bundle/config.json"; }
status_of() { oci state "$id" | jq -r .status; }
# start SCRIPT: a container that runs it in the background.
start() {
  config '.process.args = ["sh", "-c", $text]' --arg text "$1"
  oci run --detach --bundle "$place/bundle" "$id" </dev/null >/dev/null 2>&1
}
dump() { oci checkpoint --image-path "$images" "$@" "$id"; }
restore() { oci restore --detach --bundle "$place/bundle" --image-path "$images" "$@" "$id" </dev/null >/dev/null 2>&1; }
count() { cat "$place/data/count" 2>/dev/null || echo 0; }
counted() { [[ $(count) -gt $1 ]]; }
counter='i=0; while :; do i=$((i + 1)); echo $i >/data/new; busybox mv /data/new /data/count; sleep 0.1; done'

@test "a container is dumped, gone, and goes on where it was" {
  start "trap 'exit 7' USR1; echo mine >/tmp/file; echo shared >/dev/shm/file; $counter"
  wait_until counted 2
  dump
  run oci list -q
  [ -z "$output" ]
  before=$(count)
  rm "$place/data/count"
  restore --pid-file "$place/pid"
  wait_until counted "$before"
  [ "$(count)" -lt $((before + 600)) ]
  [ "$(status_of)" = running ]
  [ "$(oci state "$id" | jq .pid)" = "$(<"$place/pid")" ]
  [[ $(cat "/proc/$(<"$place/pid")/cgroup") == *"/$id"* ]]
  run oci exec "$id" sh -c 'cat /tmp/file /dev/shm/file; echo >/proc/sys/kernel/hostname' # which is read-only
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = mine ]
  [ "${lines[1]}" = shared ]
  [[ $output == *'Read-only file system'* ]]
  # From images of a restored one, and with somebody who waits for its end.
  dump
  oci restore --bundle "$place/bundle" --image-path "$images" "$id" </dev/null >/dev/null 2>&1 3>&- &
  waiter=$!
  rm "$place/data/count"
  wait_until counted "$before"
  oci kill "$id" USR1
  status=0; wait "$waiter" || status=$?
  [ "$status" -eq 7 ]
  run oci list -q
  [ -z "$output" ]
}

@test "with --leave-running and after a --pre-dump it runs on, and the last dump has what changed" {
  start "$counter"
  wait_until counted 0
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
  wait_until counted "$before"
  oci delete --force "$id"
  restore
  rm -f "$place/data/count"
  wait_until counted "$before"
}

@test "open connections are an error without --tcp-established, and the container runs on; with it they hold" {
  start 'nc -l -p 7000 -e sh -c "while read line; do echo got \$line >>/data/got; done" &
    until { i=0; while :; do i=$((i + 1)); echo $i; sleep 0.2; done; } | nc 127.0.0.1 7000; do sleep 0.1; done'
  wait_until test -s "$place/data/got"
  run dump
  [ "$status" -eq 1 ]
  [[ $output == *'--tcp-established'*dump.log* ]]
  [ "$(status_of)" = running ]
  [ ! -e "$images/brig-checkpoint.json" ]
  run restore
  [ "$status" -eq 1 ]
  before=$(wc -l <"$place/data/got")
  wait_until eval '[[ $(wc -l <"$place/data/got") -gt $before ]]'
  dump --tcp-established
  before=$(wc -l <"$place/data/got")
  restore --tcp-established
  wait_until eval '[[ $(wc -l <"$place/data/got") -gt $before ]]'
  # One after the other, with none missing.
  sed 's/got //' "$place/data/got" >"$place/got"
  diff "$place/got" <(seq "$(wc -l <"$place/got")")
}

@test "a terminal is handed over anew" {
  config '.process.terminal = true | .process.args = ["sh"]'
  cat >"$place/console.py" <<'PYTHON'
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
  python3 "$place/console.py" "$place/console" >"$place/said" 3>&- &
  wait_until test -S "$place/console"
  oci run --detach --bundle "$place/bundle" --console-socket "$place/console" "$id"
  wait_until grep -q first "$place/said"
  dump
  oci restore --detach --bundle "$place/bundle" --console-socket "$place/console" --image-path "$images" "$id"
  wait_until grep -q second "$place/said"
}

@test "a mount below a bind comes back, and no link that was put in its place is followed" {
  mkdir -p "$place/tree/sub"
  mount -t tmpfs below "$place/tree/sub"
  echo below >"$place/tree/sub/file"
  config '.mounts += [{destination: "/tree", type: "bind", source: $tree, options: ["rbind"]}]' --arg tree "$place/tree"
  start "$counter"
  wait_until counted 0
  dump
  echo stale >"$images/restore.log"
  restore
  run oci exec "$id" cat /tree/sub/file
  oci delete --force "$id"
  umount "$place/tree/sub"
  [ "$output" = below ]
  no grep stale "$images/restore.log"
  rmdir "$place/tree/sub"
  ln -s / "$place/tree/sub"
  run oci restore --detach --bundle "$place/bundle" --image-path "$images" "$id"
  [[ $status -eq 1 && $output == *"the mount at '/tree/sub'"*'a link is on the way'* ]]
  for change in '(.mounts[] | select(.below == "/sub") | .below) = "/../.."' '(.mounts[] | select(.below == "/sub")) |= (del(.destination) | .hierarchy = "..")'; do
    cp "$images/brig-checkpoint.json" "$place/whole"
    jq "$change" "$place/whole" >"$images/brig-checkpoint.json"
    run oci restore --detach --bundle "$place/bundle" --image-path "$images" "$id"
    [[ $status -eq 1 && $output == *'/tree/sub'*@(leads out|that a checkpoint writes)* ]] || { echo "$output"; false; }
    cp "$place/whole" "$images/brig-checkpoint.json"
  done
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
  run "$runtime" --root "$place/state" --criu "$place/none" checkpoint --image-path "$images" "$id"
  [[ $status -eq 1 && $output == *"'$place/none'"*'install the package criu'* ]]
  dump
  config 'del(.mounts[] | select(.destination == "/data"))'
  run oci restore --detach --bundle "$place/bundle" --image-path "$images" "$id"
  [[ $status -eq 1 && $output == *"a bind at '/data', which this one has not"* ]]
  mv "$images/pages-1.img" "$images/no"
  cp "$place/plain.json" "$place/bundle/config.json"
  run oci restore --detach --bundle "$place/bundle" --image-path "$images" "$id"
  [[ $status -eq 1 && $output == *restore.log* ]]
  config 'del(.linux.namespaces[] | select(.type == "pid"))'
  start "$counter"
  run dump
  [[ $status -eq 1 && $output == *'without a pid namespace'* ]]
}

# ---- the engine's ----

lines_of() { brig logs "$1" 2>/dev/null | wc -l; }
has_lines() { [[ $(lines_of "$1") -gt $2 ]]; }
state_of() { brig inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$1"; }
counting='trap "exit 7" TERM; i=0; while :; do i=$((i + 1)); echo $i; sleep 0.1; done'
# Each line is one more than the line before it.
counts_on() { brig logs "$1" >"$root/lines"; diff "$root/lines" <(seq "$(wc -l <"$root/lines")"); }

@test "a container ends with its checkpoint, whatever its restart policy, and is started from it with the next line" {
  brig run -d --name counts --restart always -v there:/v -p 18080:80 busybox sh -c "echo mine >/v/file; $counting"
  wait_until has_lines counts 2
  [ "$(brig checkpoint create counts one)" = one ]
  [ "$(state_of counts)" = 'exited 137' ]
  [ "$(brig checkpoint ls counts)" = $'CHECKPOINT NAME\none' ]
  [ "$(brig checkpoint ls -q counts)" = one ]
  before=$(lines_of counts)
  brig start --checkpoint one counts
  wait_until has_lines counts $((before + 2))
  counts_on counts
  [ "$(state_of counts)" = 'running 0' ]
  [ "$(brig exec counts cat /v/file)" = mine ]
  brig exec counts ip -o -4 addr show eth0 | grep -q 'inet 172.17.'
  [[ $(brig port counts) == *18080* ]]
  # From the same again, by Docker's client; its end is as any other's.
  brig stop counts
  [ "$(state_of counts)" = 'exited 7' ]
  docker start --checkpoint one counts
  wait_until has_lines counts $((before + 4))
  brig attach --no-stdin --detach-keys ctrl-x counts >"$root/attached" 3>&- & attached=$!
  wait_until test -s "$root/attached"
  brig kill -s TERM counts
  status=0
  wait "$attached" || status=$?
  [ "$status" -eq 7 ]
  run brig events --since 1h --until 0s --filter event=checkpoint --format '{{.Action}} {{.Actor.Attributes.name}}'
  [ "$output" = 'checkpoint counts' ]
  brig checkpoint rm counts one
  [ -z "$(brig checkpoint ls -q counts)" ]
  run brig start --checkpoint one counts
  [[ $status -eq 1 && $output == *'checkpoint one does not exist for container counts'* ]]
}

@test "a terminal that runs on, with its checkpoint elsewhere, by Docker's client" {
  brig run -dit --name terminal busybox sh
  brig exec terminal true
  docker checkpoint create --leave-running --checkpoint-dir "$root/elsewhere" terminal two
  [ "$(docker checkpoint ls --checkpoint-dir "$root/elsewhere" terminal | tail -1)" = two ]
  [ -z "$(docker checkpoint ls terminal | sed 1d)" ]
  [ "$(state_of terminal)" = 'running 0' ]
  brig stop -t 0 terminal
  brig start --checkpoint two --checkpoint-dir "$root/elsewhere" terminal
  [ "$(state_of terminal)" = 'running 0' ]
  python3 - "$build/src/cli/brig" <<'PYTHON'
import os, pty, sys
pid, master = pty.fork()
if pid == 0: os.execv(sys.argv[1], [sys.argv[1], "attach", "terminal"])
os.write(master, b"echo go$((3 + 4)); exit 5\n"); seen = b""
try:
    while True:
        more = os.read(master, 4096)
        if not more: break
        seen += more
except OSError: pass
assert b"go7" in seen, seen
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
PYTHON
  docker checkpoint rm --checkpoint-dir "$root/elsewhere" terminal two
  [ ! -e "$root/elsewhere/two" ]
}

@test "the engine refuses what would fail or be lost, by name, and the container runs on" {
  brig run -d --name counts --rm busybox sh -c "$counting"
  refuses() { run brig checkpoint create "${@:2}" three; [[ $status -eq 1 && $output == *"$1"* ]] || { echo "$output"; return 1; }; }
  refuses 'leave it running (--leave-running)' counts
  refuses 'must be an absolute path' --checkpoint-dir here --leave-running counts
  brig exec -d counts sleep 1000
  refuses 'an exec runs in it' --leave-running counts
  brig container exec-kill "$(brig container exec-ls -q counts)"
  brig pause counts
  refuses 'it is paused: unpause it first' --leave-running counts
  brig unpause counts
  run brig checkpoint create --leave-running counts ../three
  [[ $status -eq 1 && $output == *'Invalid checkpoint ID (../three)'* ]]
  [ "$(state_of counts)" = 'running 0' ]
  brig create --name rests busybox true
  run brig checkpoint create rests three
  [[ $status -eq 1 && $output == *'is not running'* ]]
  brig run -d --name joins --pid host busybox sleep 1000
  run brig checkpoint create joins three
  [[ $status -eq 1 && $output == *'without a pid namespace of its own has no checkpoints'* ]]
  [ "$(state_of joins)" = 'running 0' ]
  [ -z "$(brig checkpoint ls -q joins)" ]
  run brig start --checkpoint three rests
  [[ $status -eq 1 && $output == *'checkpoint three does not exist for container rests'* ]]
  run brig start --checkpoint three rests joins
  [[ $status -eq 1 && $output == *'cannot restore multiple containers at once'* ]]
}

@test "a name is taken once; a damaged checkpoint is an error of the start, and the container is as before" {
  brig run -d --name counts busybox sh -c "$counting"
  brig checkpoint create --leave-running counts four
  run brig checkpoint create --leave-running counts four
  [[ $status -eq 1 && $output == *'checkpoint with name four already exists for container counts'* ]]
  brig stop -t 0 counts
  images=$(echo "$root"/data/containers/*/checkpoints/four)
  mv "$images/pages-1.img" "$images/no"
  run brig start --checkpoint four counts
  [[ $status -eq 1 && $output == *'Cannot restore container counts: criu: '* ]]
  [ "$(state_of counts)" = 'exited 128' ]
  mv "$images/no" "$images/pages-1.img"
  brig start --checkpoint four counts
  before=$(lines_of counts)
  wait_until has_lines counts "$before"
}

@test "killed or failing at any step of a dump or a restore: nothing is left, and nothing lost" {
  "$build/src/daemon/brigd" --version | grep -q failpoints || skip "build with failpoints: tools/build asan"
  again() { stop_daemon; BRIG_FAILPOINT=${1:-} start_daemon; }
  brig run -d --name counts busybox sh -c "$counting"
  again checkpoint.dumped=error
  run brig checkpoint create counts five
  [[ $status -eq 1 && $output == *'Cannot checkpoint container counts'*checkpoint.dumped* ]]
  [ "$(state_of counts)" = 'running 0' ]
  [ -z "$(ls "$root"/data/containers/*/checkpoints)" ]
  before=$(lines_of counts)
  wait_until has_lines counts "$before"
  # Also where the record of it fails, too.
  again checkpoint.dumped=error,checkpoint.undo=error
  run brig checkpoint create counts five
  [ "$status" -ne 0 ]
  [ -z "$(ls "$root"/data/containers/*/checkpoints)" ]
  # Images without their description are no checkpoint: the next daemon removes them.
  again checkpoint.dumped=kill
  run brig checkpoint create counts five
  [ "$status" -ne 0 ]
  wait_until process_is_gone "$(<"$root/brigd.pid")"
  daemon_pid=; start_daemon
  before=$(lines_of counts)
  wait_until has_lines counts "$before"
  [ -z "$(brig checkpoint ls -q counts)" ]
  [ -z "$(ls "$root"/data/containers/*/checkpoints)" ]
  # With it they are one, whoever hears of it.
  again checkpoint.made=kill
  run brig checkpoint create counts five
  [ "$status" -ne 0 ]
  wait_until process_is_gone "$(<"$root/brigd.pid")"
  daemon_pid=; start_daemon
  [ "$(brig checkpoint ls -q counts)" = five ]
  wait_until eval '[[ $(state_of counts) == "exited 137" ]]'
  for action in error kill; do
    again restore.ready=$action
    run brig start --checkpoint five counts
    [ "$status" -ne 0 ]
    wait_until eval '[[ $(state_of counts) == exited* ]]'
  done
  again
  brig start --checkpoint five counts
  before=$(lines_of counts)
  wait_until has_lines counts "$before"
  counts_on counts
  brig rm -f counts
  leftovers "$root"
}
