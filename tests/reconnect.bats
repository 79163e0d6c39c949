#!/usr/bin/env bats
# The daemon goes away while brig waits for a container, which runs on: brig waits for the daemon and goes on. The containers here end when
# the file go in their volume is made.

load one-daemon

before_test() {
  go=$root/go$BATS_TEST_NUMBER
  mkdir "$go"
  out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err
}

teardown() {
  [[ -n $daemon_pid ]] || start_daemon
  brig rm -f $(brig ps -aq) >/dev/null || :
}

noticed() { wait_until grep -q 'is lost: waiting up to 60 seconds' "$err"; }

counting='i=0; while [ ! -e /go/end ]; do i=$((i+1)); echo line $i; sleep 0.05; done; exit 7'
background() { "$@" >"$out" 2>"$err" 3>&- & command=$!; }
begun() { wait_until grep -q 'line 3' "$out"; }

# Every line once, in order, to the container's last.
whole() { brig logs "$1" | cmp - "$out"; }

ends_with() { local status=0; wait "$command" || status=$?; [[ $status -eq $1 ]] || { echo "ended with $status"; cat "$err"; return 1; }; }

@test "run: the output goes on without the daemon, the exit code comes from the next one" {
  background brig run --name ran -v "$go:/go" busybox sh -c "$counting"
  begun
  kill_daemon
  lines=$(wc -l <"$out")
  wait_until bash -c "[[ \$(wc -l <'$out') -gt $((lines + 3)) ]]"
  touch "$go/end"
  noticed
  start_daemon
  ends_with 7
  grep -q 'connected again' "$err"
  whole ran
}

@test "run, whose container goes on after the daemon is back" {
  background brig run --name ran -v "$go:/go" busybox sh -c "$counting"
  begun
  stop_daemon
  start_daemon
  lines=$(wc -l <"$out")
  wait_until bash -c "[[ \$(wc -l <'$out') -gt $lines ]]"
  touch "$go/end"
  ends_with 7
  whole ran
}

# asked TIMES: for the container's end, by a brig with -D.
asked() { wait_until eval "[[ \$(grep -ac 'POST .*/wait' '$err') -ge $1 ]]"; }
rm_options() { echo --rm --name ran -v "$go:/go" "$@" busybox; }

@test "run --rm, whose container goes on after the daemon is back, and back again" {
  background brig -D run $(rm_options) sh -c "$counting"
  begun
  kill_daemon
  start_daemon
  asked 2
  stop_daemon
  lines=$(wc -l <"$out")
  wait_until bash -c "[[ \$(wc -l <'$out') -gt $((lines + 3)) ]]"
  start_daemon
  asked 3
  touch "$go/end"
  ends_with 7
  # Nothing was said beside the output, which went on.
  no grep -q 'is lost' "$err"
}

@test "start -a and attach of a container that is removed at its end, over a daemon that was away" {
  for follow in "start -a" attach; do
    rm -f "$go/end"
    brig create $(rm_options) sh -c "$counting"
    [[ $follow == start* ]] || brig start ran
    background brig -D $follow ran
    begun
    kill_daemon
    start_daemon
    asked 2
    touch "$go/end"
    ends_with 7
    wait_until no brig inspect ran
  done
}

@test "run --rm -it, over a daemon that was away" {
  background script -qec "brig -D run -it $(rm_options) sh -c 'echo line 3; while [ ! -e /go/end ]; do sleep 0.05; done; exit 7' 2>'$err'" /dev/null </dev/null
  begun
  kill_daemon
  start_daemon
  asked 2
  touch "$go/end"
  ends_with 7
}

@test "run: the output goes on beside a socket at which nobody answers yet" {
  background brig -D run $(rm_options) sh -c "$counting"
  begun
  kill_daemon
  rm "$root/brig.sock"
  python3 -c 'import signal, socket, sys; signal.alarm(60); s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(9); s.accept(); open(sys.argv[2], "w"); signal.pause()' \
    "$root/brig.sock" "$go/asked" 3>&- &
  listener=$!
  wait_until test -e "$go/asked"
  lines=$(wc -l <"$out")
  wait_until bash -c "[[ \$(wc -l <'$out') -gt $((lines + 3)) ]]"
  kill "$listener"
  wait "$listener" || :
  start_daemon
  asked 2
  touch "$go/end"
  ends_with 7
}

@test "nothing of brig outlives it while it looks for the daemon" {
  background brig run --name ran -v "$go:/go" busybox sh -c "$counting"
  begun
  kill_daemon
  wait_until pgrep -P "$command"
  prober=$(pgrep -P "$command")
  kill -KILL "$command"
  ends_with 137
  wait_until process_is_gone "$prober"
  touch "$go/end"
  start_daemon
}

@test "run --rm: a container that was removed meanwhile: its code is not known, and brig says so" {
  background brig run --rm --name ran -v "$go:/go" busybox sh -c "$counting"
  begun
  kill_daemon
  touch "$go/end"
  noticed
  start_daemon
  ends_with 125
  grep -q 'its exit code is not known' "$err"
}

@test "wait" {
  brig run -d --name waited -v "$go:/go" busybox sh -c "$counting"
  background brig -D wait waited
  wait_until grep -q 'POST .*/wait' "$err"
  kill_daemon
  noticed
  touch "$go/end"
  start_daemon
  ends_with 0
  [ "$(cat "$out")" = 7 ]
}

@test "logs -f goes on with the line after the last one" {
  brig run -d --name logged -v "$go:/go" busybox sh -c "$counting"
  background brig logs -f logged
  begun
  kill_daemon
  noticed
  start_daemon
  wait_until grep -q 'connected again' "$err"
  lines=$(wc -l <"$out")
  wait_until bash -c "[[ \$(wc -l <'$out') -gt $lines ]]"
  touch "$go/end"
  ends_with 0
  whole logged
}

@test "logs -f with --tail and times" {
  brig run -d --name logged -v "$go:/go" busybox sh -c "$counting"
  wait_until bash -c "brig logs logged | grep -q 'line 5'"
  background brig logs -f -t --tail 1 logged
  wait_until test -s "$out"
  kill_daemon
  noticed
  touch "$go/end"
  start_daemon
  ends_with 0
  brig logs -t logged | tail -n "$(wc -l <"$out")" | cmp - "$out"
}

@test "signals while the daemon is away: said to be lost, then the end of brig" {
  background brig run --name ran -v "$go:/go" busybox sh -c "$counting"
  begun
  kill_daemon
  kill -TERM "$command"
  wait_until grep -q 'SIGTERM was not passed on' "$err"
  kill -TERM "$command"
  ends_with 125
  grep -q 'interrupted while the daemon' "$err"
  start_daemon
  [ "$(brig inspect -f '{{.State.Running}}' ran)" = true ]

  background brig attach ran
  begun
  kill_daemon
  touch "$go/end"
  noticed
  kill -INT "$command"
  ends_with 1
  grep -q 'interrupted while the daemon' "$err"
}

@test "a daemon that was never there is not waited for" {
  run brig -H unix:///nope wait x
  [ "$status" -eq 1 ]
  [[ $output == *'Cannot connect'* && $output != *waiting* ]]
}

# The record says that a dump was begun that ends `saved`: into that directory, or, of an older daemon, without saying so.
record_dump() { sqlite3 "$root/data/engine.db" "UPDATE containers SET state=json_set(state, '$.state.checkpointing', json('true')${1:+, '$.state.dumpImages', '$1'}) WHERE name='saved'"; }
# It ends while no daemon runs, which the record says of a dump.
ends_with_dump() {
  kill_daemon
  record_dump "$@"
  pid=$(sqlite3 "$root/data/engine.db" "SELECT state->>'$.state.pid' FROM containers WHERE name='saved'")
  kill -KILL "$pid"
  wait_until process_is_gone "$pid"
  start_daemon
}

# What criu does stands here for it: it traces the container's first process, and kills it.
@test "a dump that an earlier daemon let end its container is waited for, and no restart policy follows it; unfinished ones are removed" {
  brig run -d --name saved --restart always busybox sleep 1000
  id=$(brig inspect -f '{{.Id}}' saved) pid=$(brig inspect -f '{{.State.Pid}}' saved)
  checkpoints=$root/data/containers/$id/checkpoints
  mkdir -p "$checkpoints"/{half,whole}
  touch "$checkpoints/half/pages-1.img" "$checkpoints/whole/brig-checkpoint.json"
  kill_daemon
  record_dump "$id/checkpoints/whole"
  python3 - "$pid" "$root/brigd.log" "$out" 3>&- <<'PYTHON' &
import ctypes, os, sys, time
pid, log, ready = int(sys.argv[1]), sys.argv[2], sys.argv[3]
begun = os.path.getsize(log)
assert ctypes.CDLL(None).ptrace(0x4206, pid, 0, 0) == 0 # PTRACE_SEIZE
open(ready, "w").close()
end = time.monotonic() + 20
while True:
    with open(log, "rb") as file:
        file.seek(begun)
        if b"waiting for the end of the dump of container" in file.read(): break
    assert time.monotonic() < end, "the daemon does not wait"
    time.sleep(0.02)
os.kill(pid, 9)
PYTHON
  tracer=$!
  wait_until test -e "$out"
  start_daemon
  wait "$tracer"
  wait_until eval '[[ $(brig inspect -f "{{.State.Status}} {{.State.ExitCode}}" saved) == "exited 137" ]]'
  [ "$(ls "$checkpoints")" = whole ]
  # One that went wrong: it runs on, and its policy holds again.
  brig start saved
  kill_daemon
  record_dump "$id/checkpoints/whole"
  start_daemon
  kill -KILL "$(brig inspect -f '{{.State.Pid}}' saved)"
  wait_until eval '[[ $(brig inspect -f "{{.RestartCount}} {{.State.Status}}" saved) == "1 running" ]]'
  # One whose record could not be taken back: it has no images, and the end is not its doing.
  ends_with_dump "$id/checkpoints/gone"
  wait_until eval '[[ $(brig inspect -f "{{.RestartCount}} {{.State.Status}}" saved) == "2 running" ]]'
  # The same in a directory that the client named, where that is unfinished.
  mkdir -p "$go/disk/half"
  ends_with_dump "$go/disk/half"
  wait_until eval '[[ $(brig inspect -f "{{.RestartCount}} {{.State.Status}}" saved) == "3 running" ]]'
}

@test "a container stays down with a checkpoint that cannot be looked at, or of which an older daemon's record does not say where it is" {
  brig run -d --name saved --restart always busybox sleep 1000
  for images in "$go/disk/moved" ""; do
    ends_with_dump "$images"
    [ "$(brig inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}' saved)" = 'exited 137 0' ]
    brig start saved
  done
  grep -q "whether the checkpoint '$go/disk/moved' of container .* is whole cannot be told" "$root/brigd.log"
}

recorded_dump() { sqlite3 -readonly "$root/data/engine.db" "SELECT state->>'$.state.checkpointing', state->>'$.state.dumpImages' FROM containers WHERE name='saved'"; }

# A criu that does nothing until the container has ended.
@test "a dump holds up no list, no inspect and no kill" {
  brig run -d --name saved busybox sleep 1000
  mkdir "$go/bin"
  printf '#!/bin/sh\ntouch %s/begun\nexec tail -s 0.05 -f /dev/null --pid=%s\n' "$go" "$(brig inspect -f '{{.State.Pid}}' saved)" >"$go/bin/criu"
  chmod +x "$go/bin/criu"
  stop_daemon
  PATH=$go/bin:$PATH start_daemon
  background brig checkpoint create saved one
  wait_until test -e "$go/begun"
  # An older daemon, too, understands the record.
  [ "$(recorded_dump)" = "1|$(brig inspect -f '{{.Id}}' saved)/checkpoints/one" ]
  [ "$(timeout 10 brig ps --format '{{.Names}}')" = saved ]
  [ "$(timeout 10 brig inspect -f '{{.State.Status}}' saved)" = running ]
  timeout 10 brig kill saved
  ends_with 1
  grep -q 'Cannot checkpoint container saved' "$err"
  [ "$(brig inspect -f '{{.State.Status}} {{.State.ExitCode}}' saved)" = 'exited 137' ]
  [ ! -e "$root"/data/containers/*/checkpoints/one ]
  # Nor is one started again, whatever its policy, that a user has killed so, and whose end no daemon came to record.
  brig update --restart always saved >/dev/null
  brig start saved
  pid=$(brig inspect -f '{{.State.Pid}}' saved)
  printf '#!/bin/sh\ntouch %s/again\nexec tail -s 0.05 -f /dev/null --pid=%s\n' "$go" "$(cat "$root/brigd.pid")" >"$go/bin/criu"
  # What an earlier dump has left in the record is none of this one's.
  record_dump gone
  background brig checkpoint create --leave-running saved one
  wait_until test -e "$go/again"
  [ "$(recorded_dump)" = '|' ]
  timeout 30 brig kill saved >/dev/null 2>&1 3>&- &
  killer=$!
  wait_until process_is_gone "$pid"
  kill_daemon
  wait "$command" "$killer" || :
  start_daemon
  [ "$(brig inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}' saved)" = 'exited 137 0' ]
  # The next test's daemon has none of it.
  stop_daemon
  start_daemon
}
