#!/usr/bin/env bats
# The daemon goes away while brig waits for a container, which runs on: brig waits for the daemon and goes on. The containers here end when
# the file go in their volume is made.

setup_file() {
  load lib
  make_host
  start_daemon
  load_busybox
  export root host_pid
  echo "$daemon_pid" >"$root/daemon"
}

teardown_file() {
  load lib
  daemon_pid=$(cat "$root/daemon")
  end_host
}

setup() {
  load lib
  daemon_pid=$(cat "$root/daemon")
  export DOCKER_HOST=unix://$root/brig.sock BRIG_HOST=unix://$root/brig.sock
  go=$root/go$BATS_TEST_NUMBER
  mkdir "$go"
  out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err
}

teardown() {
  [[ -n $daemon_pid ]] || return_daemon
  brig rm -f $(brig ps -aq) >/dev/null || :
}

return_daemon() { start_daemon; echo "$daemon_pid" >"$root/daemon"; }

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
  return_daemon
  ends_with 7
  grep -q 'connected again' "$err"
  whole ran
}

@test "run, whose container goes on after the daemon is back" {
  background brig run --name ran -v "$go:/go" busybox sh -c "$counting"
  begun
  stop_daemon
  return_daemon
  lines=$(wc -l <"$out")
  wait_until bash -c "[[ \$(wc -l <'$out') -gt $lines ]]"
  touch "$go/end"
  ends_with 7
  whole ran
}

@test "run --rm: a container that was removed meanwhile: its code is not known, and brig says so" {
  background brig run --rm --name ran -v "$go:/go" busybox sh -c "$counting"
  begun
  kill_daemon
  touch "$go/end"
  noticed
  return_daemon
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
  return_daemon
  ends_with 0
  [ "$(cat "$out")" = 7 ]
}

@test "logs -f goes on with the line after the last one" {
  brig run -d --name logged -v "$go:/go" busybox sh -c "$counting"
  background brig logs -f logged
  begun
  kill_daemon
  noticed
  return_daemon
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
  return_daemon
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
  return_daemon
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
