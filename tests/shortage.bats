#!/usr/bin/env bats
# What a daemon may run out of, or find damaged: inodes, descriptors, processes, memory, a clock that stands, its databases. Each gives an error that says
# what, loses nothing, and all works again once the cause is gone. (A full disk: disk-full.bats.)

setup_file() {
  load lib
  make_host
  mkdir "$root/data"
  # A file system of few inodes, in the host's mount namespace alone.
  on_host mount -t tmpfs -o size=256m,nr_inodes=3000 tmpfs "$root/data"
  start_daemon
  load_busybox
  brig network create kept
  brig volume create kept
  brig run --rm -v kept:/kept busybox sh -c 'echo mine >/kept/file'
  brig run -d --name witness --network kept -p 18080:80 -v kept:/kept busybox httpd -f -h /kept
  brig create --name first busybox true
  brig rename first other
  brig tag busybox second:name
  export root host_pid daemon_pid
}

teardown_file() {
  load lib
  end_host
}

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  witness=$(pid_of witness)
}

# What a test that failed did not take back: no other's daemon is short of anything.
teardown() {
  local group
  group=$(shortage_group)
  [[ ! -e $group/pids.max ]] || echo max >"$group/pids.max"
  prlimit --pid "$(daemon)" --nofile=4096: || : # a test may have left no daemon
  on_host rm -rf "$root/data/filler"
  [[ ! -d $group ]] || wait_until leave "$group"
  group=$(memory_group)
  [[ ! -d $group ]] || wait_until leave "$group"
  timeout 30 brig rm -f trial goes ends >/dev/null 2>&1 || : # most are not there
}

daemon() { cat "$root/brigd.pid"; }
shortage_group() { echo "$(dirname "$(find /sys/fs/cgroup/pids /sys/fs/cgroup -maxdepth 1 -name cgroup.procs 2>/dev/null | head -1)")/brig-shortage-$host_pid"; }

# leave GROUP: its processes go one up, and it goes; fails where one came meanwhile.
leave() {
  local pid
  for pid in $(cat "$1/cgroup.procs"); do echo "$pid" >"${1%/*}/cgroup.procs" || :; done
  rmdir "$1"
}

data() { echo "/proc/$host_pid/root$root/data"; }

# What was there is there, what ran was never interrupted, and the engine works.
all_is_well() {
  [ "$(pid_of witness)" = "$witness" ]
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:18080/file)" = mine ]
  [ "$(brig inspect -f '{{.State.Status}}' other)" = created ]
  [ "$(brig run --rm -v kept:/kept --network kept second:name cat /kept/file)" = mine ]
  [ "$(brig ps -aq | wc -l)" -eq 2 ]
  run brig system check
  echo "$output"
  [ "$status" -eq 0 ]
}

# works_or_says PATTERN: a container runs, or the error is of that pattern; which of them it is goes to $worked.
works_or_says() {
  run timeout -k 1 60 brig run -d --name trial busybox true
  echo "$output"
  worked=$((status == 0))
  [[ $worked -eq 1 || $output =~ $1 ]]
}

# For when the shortage is over: its end may have waited for that.
trial_ends() {
  [[ $worked -eq 0 ]] || timeout 30 brig wait trial >/dev/null
  brig rm -f trial >/dev/null 2>&1 || : # one that was refused is not there
}

@test "no inode: an error, containers go on, removal works, and all works again" {
  brig create --name goes busybox true
  on_host sh -c "mkdir $root/data/filler && cd $root/data/filler && i=0 && while : >\$i; do i=\$((i+1)); done" 2>/dev/null || :
  works_or_says 'No space left on device'
  [ "$worked" -eq 0 ]
  brig rm goes
  on_host rm -r "$root/data/filler"
  no brig inspect trial
  all_is_well
}

@test "no descriptor: calls are refused by name, and all works again" {
  local held failed=0
  held=$(ls "/proc/$(daemon)/fd" | wc -l)
  for more in 0 2 4 8 16 32; do
    prlimit --pid "$(daemon)" --nofile=$((held + more)):
    works_or_says 'no descriptor left|Too many open files'
    failed=$((failed + 1 - worked))
    prlimit --pid "$(daemon)" --nofile=4096:
    trial_ends
  done
  [ "$failed" -gt 0 ]
  all_is_well
}

# A start that never reached the daemon leaves a container that nobody removes, and --rm waited for that.
@test "no descriptor: a run in the foreground ends and says why, and the daemon does not spin" {
  local held failed=0 lines
  for more in -1 0 1 2 3; do
    held=$(ls "/proc/$(daemon)/fd" | wc -l)
    prlimit --pid "$(daemon)" --nofile=$((held + more)):
    run timeout -k 10 5 brig run --rm --name trial busybox true
    prlimit --pid "$(daemon)" --nofile=4096:
    echo "$more: $status $output"
    [ "$status" -ne 137 ] # ended by SIGTERM, or by itself
    # Where nobody can be accepted it waits for the daemon, up to the signal.
    [[ $status -eq 0 || $status -eq 125 && $output =~ 'no descriptor left'|'Too many open files' || $status -eq 124 && $more -le 0 ]]
    failed=$((failed + (status == 125)))
    timeout 30 brig rm -f trial >/dev/null 2>&1 || : # most are not there
  done
  [ "$failed" -gt 0 ]
  lines=$(grep -c 'no descriptor is left' "$root/brigd.log")
  [ "$lines" -lt 100 ]
  all_is_well
}

# stands_still PID: all its threads do, as one of them may still answer after the kill.
stands_still() { [[ -z $(grep -L '^State:.T' /proc/"$1"/task/*/status) ]]; }

@test "a daemon that stands still: a run in the foreground says that a signal was not passed on, and the second one ends it" {
  local command
  brig run --rm --name goes busybox sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done' >"$root/stands" 2>&1 3>&- &
  command=$!
  wait_until grep -q up "$root/stands"
  kill -STOP "$(daemon)"
  wait_until stands_still "$(daemon)"
  kill -TERM "$command"
  wait_until grep -q 'SIGTERM was not passed on' "$root/stands" || { kill -CONT "$(daemon)"; false; }
  kill -TERM "$command"
  wait_until process_is_gone "$command" || { kill -CONT "$(daemon)"; kill -KILL "$command"; false; }
  kill -CONT "$(daemon)"
  brig rm -f goes
  all_is_well
}

@test "the process that makes monitors stands still: a start says so within its bound, and the next one works" {
  local spawner
  spawner=$(pgrep -P "$(daemon)" -x brig-spawner)
  kill -STOP "$spawner"
  wait_until stands_still "$spawner"
  run -125 brig run --rm busybox true
  [[ $output == *'brig-spawner, which makes monitors, did not answer and was killed: start the container again'* ]]
  brig run --rm busybox true
  no test -e "/proc/$spawner"
  all_is_well
}

@test "no process: calls are refused by name, and all works again" {
  local group failed=0
  group=$(shortage_group)
  mkdir "$group"
  [ -e "$group/pids.max" ] || skip "no pids controller here"
  daemon >"$group/cgroup.procs"
  pgrep -P "$(daemon)" -x brig-spawner >"$group/cgroup.procs"
  for more in 0 1 2 3 4; do
    echo $(($(cat "$group/pids.current") + more)) >"$group/pids.max"
    works_or_says 'a limit of processes'
    failed=$((failed + 1 - worked))
    echo max >"$group/pids.max"
    trial_ends
  done
  [ "$failed" -gt 0 ]
  all_is_well
  stop_daemon
  start_daemon
  wait_until rmdir "$group"
}

@test "no memory: the daemon ends, containers go on, and the next daemon has all" {
  [[ $build != *san* ]] || skip "a sanitizer has its own word for it"
  # On connections that have their threads: what the daemon has is all that it may have, and forty bodies of four megabytes are more.
  python3 - "$root/brig.sock" "$(daemon)" "$top/tests" <<'END'
import http.client, resource, sys
sys.path.insert(0, sys.argv[3])
from api import Daemon
daemons = [Daemon(sys.argv[1]) for _ in range(40)]
for daemon in daemons:
    daemon.call("GET", "/_ping")
resource.prlimit(int(sys.argv[2]), resource.RLIMIT_AS, (1000000, resource.RLIM_INFINITY))
try:
    for daemon in daemons:  # each waits for its last byte
        daemon.putrequest("POST", "/containers/create")
        daemon.putheader("Content-Type", "application/json")
        daemon.putheader("Content-Length", "4000001")
        daemon.endheaders(b"x" * 4000000)
except OSError:
    pass
END
  wait_until process_is_gone "$(daemon)"
  grep -q 'brig: out of memory' "$root/brigd.log"
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:18080/file)" = mine ]
  start_daemon
  all_is_well
}

memory_group() {
  if [[ -e /sys/fs/cgroup/memory/cgroup.procs ]]; then
    echo "/sys/fs/cgroup/memory/brig-shortage-$host_pid"
  else
    echo +memory >/sys/fs/cgroup/cgroup.subtree_control
    echo "/sys/fs/cgroup/brig-shortage-$host_pid"
  fi
}

# memory_limit GROUP BYTES: as much as it uses and those; in vain where it uses more than that by then.
memory_limit() {
  if [[ -e $1/memory.limit_in_bytes ]]; then
    echo $(($(cat "$1/memory.usage_in_bytes") + $2)) >"$1/memory.limit_in_bytes"
  else
    echo 0 >"$1/memory.swap.max"
    echo $(($(cat "$1/memory.current") + $2)) >"$1/memory.max"
  fi
}

# asks_until_gone PID COMMAND...: what needs memory of it, again and again.
asks_until_gone() {
  for ((i = 0; i < 200; i++)); do
    ! process_is_gone "$1" || return 0
    timeout -k 1 20 "${@:2}" >/dev/null 2>&1 || :
  done
  process_is_gone "$1"
}

@test "the kernel's OOM killer ends the daemon: containers go on, and one that was short of memory meanwhile is known for it" {
  local group pid words
  group=$(memory_group)
  words=$(grep -c 'out of memory' "$root/brigd.log") || :
  brig run -d --name goes -m 12m --memory-swap 12m busybox sh -c 'while [ ! -e /tmp/go ]; do sleep 0.1; done; x=a; while :; do x=$x$x; done'
  local init
  init=$(pid_of goes)
  mkdir "$group"
  pid=$(daemon)
  echo "$pid" >"$group/cgroup.procs"
  memory_limit "$group" 65536
  asks_until_gone "$pid" python3 "$top/tests/oom.py" "$root/brig.sock"
  [ "$(grep -c 'out of memory' "$root/brigd.log")" -eq "$words" ] # not by its own word, as in a test before
  leave "$group"
  touch "/proc/$init/root/tmp/go"
  wait_until process_is_gone "$init"
  start_daemon
  [ "$(brig inspect -f '{{.State.Status}} {{.State.OOMKilled}} {{.State.ExitCode}}' goes)" = 'exited true 137' ]
  brig events --since 1h --until 0s --filter event=oom --format '{{.Actor.Attributes.name}}' | grep -qx goes
  brig rm goes
  all_is_well
}

@test "the kernel's OOM killer ends a monitor: its container is ended and says so, the others go on" {
  local group monitor id
  group=$(memory_group)
  id=$(brig run -d --name goes busybox sleep 1000)
  monitor=$(pgrep -f "^brig-monitor $id")
  mkdir "$group"
  echo "$monitor" >"$group/cgroup.procs"
  wait_until memory_limit "$group" 4096
  asks_until_gone "$monitor" brig exec goes true
  wait_until eval '[[ $(brig inspect -f "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}" goes) == "exited 137 false" ]]'
  [[ $(brig inspect -f '{{.State.Error}}' goes) == *'monitor was killed'* ]]
  leave "$group"
  brig start goes
  brig exec goes true
  brig rm -f goes
  all_is_well
}

@test "a clock that was set back: the exit code of who ended meanwhile is kept" {
  brig run -d --name ends busybox sh -c 'while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 7'
  local id init
  id=$(brig inspect -f '{{.Id}}' ends)
  init=$(pid_of ends)
  kill_daemon
  touch "/proc/$init/root/tmp/go"
  wait_until test -s "$(data)/containers/$id/exit.json"
  # An hour earlier than it was, as a clock that was set back would have it.
  python3 - "$(data)/containers/$id/exit.json" <<'END'
import json, sys
with open(sys.argv[1], "r+") as file:
    record = json.load(file)
    record["exitedAt"] -= 3600 * 10**9
    file.seek(0)
    json.dump(record, file)
    file.truncate()
END
  start_daemon
  [ "$(brig inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' ends)" = 'exited 7 ' ]
  brig rm ends
  all_is_well
}

# ---- damaged databases ----

brigd() {
  on_host timeout 30 "$build/src/daemon/brigd" --data-root "$root/data" --exec-root "$root/run" -H "unix://$root/brig.sock" --pidfile "$root/brigd.pid" \
    --cgroup-parent "/brig-test-$host_pid" --bip 172.17.0.1/16 "$@" 2>&1
}

# refuses FILE: it names the file and what helps, and touches nothing.
refuses() {
  run brigd
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"the record '$root/data/$1' is damaged"*"go on"*"--restore"* ]]
}

# copied VOLUME: the record's copy has it.
copied() { [[ $(on_host sqlite3 -readonly "$root/data/engine.db.copy" "SELECT count(*) FROM volumes WHERE id='$1'") == 1 ]]; }

@test "databases that are damaged are refused by name, restored from their copies, and nothing is lost" {
  # A killed daemon made its copies while it ran.
  brig volume create after
  wait_until copied after
  kill_daemon
  dd if=/dev/urandom of="$(data)/engine.db" bs=1k seek=4 count=20 conv=notrunc status=none
  refuses engine.db
  dd if=/dev/urandom of="$(data)/image/images.db" bs=1k count=8 conv=notrunc status=none
  rm -f "$(data)/image/images.db-wal"
  refuses image/images.db
  run brigd --restore
  [ "$status" -eq 0 ]
  [[ $output == *"'$root/data/engine.db' is the copy now"*"'$root/data/image/images.db' is the copy now"* ]]
  [ "$(brigd --restore)" = 'nothing is damaged' ]
  start_daemon
  brig volume rm after
  all_is_well
  rm "$(data)"/engine.db.damaged* "$(data)"/image/images.db.damaged*
}

@test "a database that is gone is not begun anew over what belongs to it" {
  local late
  stop_daemon # copies at its end
  rm -f "$(data)"/engine.db{,-wal,-shm}
  [ ! -e "$(data)/engine.db" ]
  refuses engine.db
  # Of a container that is newer than the copy.
  late=$(printf '%064d' 7)
  mkdir "$(data)/containers/$late"
  brigd --restore
  start_daemon
  rmdir "$(data)/containers/$late"
  all_is_well
  rm "$(data)"/engine.db.damaged*
}

@test "what a restored record does not know stays until somebody has looked" {
  # The copy was made while an update made an anonymous volume, which the container has had since.
  local begun anonymous
  brig create --name donor -v /anonymous busybox true
  anonymous=$(brig inspect -f '{{(index .Mounts 0).Name}}' donor)
  begun=$(printf '%064d' 8)
  brig volume create "$begun"
  wait_until eval '[[ $(on_host sqlite3 -readonly "$root/data/engine.db.copy" "SELECT count(*) FROM volumes WHERE id=\"$begun\"") == 1 ]]'
  cp "$(data)/engine.db.copy" "$root/older"
  sqlite3 "$root/older" "UPDATE containers SET state=json_set(state, '$.state.volumesBegun', json_array('$begun')) WHERE name='other'"
  [ "$(sqlite3 "$root/older" "SELECT count(*) FROM containers WHERE state LIKE '%$begun%'")" -eq 1 ]
  local late
  late=$(brig create --volumes-from donor busybox true)
  kill_daemon
  truncate -s 5000 "$(data)/engine.db"
  rm -f "$(data)/engine.db-wal"
  cp "$root/older" "$(data)/engine.db.copy"
  brigd --restore
  start_daemon
  [ -d "$(data)/containers/$late" ]
  run brig system check --format '{{.Kind}} {{.Name}}'
  [ "$status" -eq 1 ]
  echo "$output"
  [[ $output == *"container-directory ${late:0:12}"* ]]
  # The one that the record does not know may have it, too.
  brig rm -v donor
  local command
  for command in 'brig volume prune -f' 'docker volume prune -f' 'docker volume prune -af'; do
    run $command
    echo "$output"
    [[ $status -eq 1 && $output == *'no volume is pruned: a container that the record, which was restored,'*"(docker volume rm "* ]]
  done
  [ "$(brig volume ls -q --filter "name=$anonymous")" = "$anonymous" ]
  # Where it would remove none it goes on.
  docker system prune -f --volumes --filter label=nobody
  rm "$(data)"/engine.db.damaged*
  stop_daemon
  start_daemon
  [ ! -e "$(data)/containers/$late" ]
  brig volume rm "$begun" "$anonymous"
  all_is_well
}
