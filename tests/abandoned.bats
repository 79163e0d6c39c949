#!/usr/bin/env bats
# Calls whose other side is gone hold up nobody else: a directory whose server of files never answers, and clients that left. (Containers that are removed beside what
# reads them: commit.bats.)

load one-daemon

teardown() {
  local ids
  [[ -z ${client:-} ]] || kill "$client" 2>/dev/null || :
  [[ -z ${fuse:-} ]] || answer
  ids=$(timeout 60 brig ps -aq)
  [[ -z $ids ]] || timeout 60 brig rm -f $ids >/dev/null
}

# A file system of FUSE at $root/dead, whose server, this shell, never answers; until `answer` lets all calls that wait fail.
make_dead() {
  mkdir "$root/dead" "$root/fuse"
  exec {fuse}<>/dev/fuse
  on_host mount -i -t fuse -o "fd=$fuse,rootmode=40000,user_id=0,group_id=0" dead "$root/dead"
  on_host mount -t fusectl fusectl "$root/fuse"
}

answer() {
  exec {fuse}>&-
  fuse=
  wait_until on_host umount "$root/dead" # calls that have just failed are on their way out of it
  on_host umount "$root/fuse"
  rmdir "$root/dead" "$root/fuse"
}

# The kernel's first request counts, too.
calls_wait() { [[ $(on_host bash -c 'cat "$1/fuse/$(grep -F " $1/dead " /proc/self/mountinfo | cut -d" " -f3 | cut -d: -f2)/waiting"' waiting "$root") -eq $(($1 + 1)) ]]; }

call() { curl -s --max-time 60 --unix-socket "$root/brig.sock" "$@" {fuse}>&-; }
sockets() { find "/proc/$(cat "$root/brigd.pid")/fd" -lname 'socket:*' 2>/dev/null | wc -l; }
has_sockets() { [[ $(sockets) -eq $1 ]]; }
terms() { brig logs deaf | grep -c TERM; }
has_terms() { [[ $(terms) -eq $1 ]]; }
start_deaf() {
  brig run -d --name deaf "$@" busybox sh -c 'trap "echo TERM" TERM; sleep 1000 & echo up; while :; do wait; done'
  wait_until eval 'brig logs deaf | grep -q up'
}

# abandon PATH: a client asks for it and leaves once the container has its signal.
abandon() {
  local before
  before=$(terms) || :
  curl -s -X POST --unix-socket "$root/brig.sock" "http://d$1" 3>&- &
  client=$!
  wait_until has_terms $((before + 1))
  kill "$client"
  wait "$client" || :
  client=
}

@test "a directory of checkpoints whose server does not answer: the container can be stopped, started and removed, and the call ends" {
  start_deaf
  brig create --name rests busybox true
  brig create --name goes busybox true
  make_dead
  begun=$SECONDS
  call -X POST -H 'Content-Type: application/json' -d "{\"CheckpointID\": \"one\", \"CheckpointDir\": \"$root/dead\"}" -o "$root/created" http://d/containers/deaf/checkpoints 3>&- {fuse}>&- &
  creating=$!
  call -X DELETE -o "$root/deleted" "http://d/containers/goes/checkpoints/one?dir=$root/dead" 3>&- {fuse}>&- &
  deleting=$!
  call -X POST -o "$root/started" "http://d/containers/rests/start?checkpoint=one&checkpoint-dir=$root/dead" 3>&- {fuse}>&- &
  starting=$!
  wait_until calls_wait 3
  timeout 4 brig stop -t 0 deaf
  timeout 4 brig start rests
  timeout 4 brig rm -f goes rests
  call -o "$root/listed" "http://d/containers/deaf/checkpoints?dir=$root/dead"
  wait "$creating" "$deleting" "$starting"
  [ $((SECONDS - begun)) -lt 20 ]
  for which in created deleted started; do
    jq -r .message "$root/$which"
    [[ $(jq -r .message "$root/$which") == *"'$root/dead'"*'no answer in 5 seconds'* ]]
  done
}

@test "a stop without bound ends when its client leaves, and the container has its signal" {
  start_deaf
  before=$(sockets)
  abandon '/containers/deaf/stop?t=-1'
  wait_until has_sockets "$before"
  has_terms 1
  [ "$(brig inspect -f '{{.State.Status}}' deaf)" = running ]
  brig kill deaf
}

@test "a stop within bounds kills, although its client left" {
  start_deaf
  abandon '/containers/deaf/stop?t=2'
  [ "$(timeout 30 brig wait deaf)" = 137 ]
}

@test "of restarts without bound whose clients left one goes on, for who else would start the container" {
  start_deaf
  before=$(sockets)
  started=$(brig inspect -f '{{.State.StartedAt}}' deaf)
  for number in 1 2 3; do abandon '/containers/deaf/restart?t=-1'; done
  wait_until has_sockets $((before + 1))
  has_terms 3
  brig kill deaf
  wait_until eval '[[ $(brig inspect -f "{{.State.Status}} {{.State.StartedAt}}" deaf) == "running "* && $(brig inspect -f "{{.State.StartedAt}}" deaf) != "$started" ]]'
  wait_until has_sockets "$before"
  # With --rm, too, it stays while anybody restarts it.
  brig rm -f deaf
  start_deaf --rm
  abandon '/containers/deaf/restart?t=-1'
  abandon '/containers/deaf/restart?t=-1'
  started=$(brig inspect -f '{{.State.StartedAt}}' deaf)
  brig kill deaf
  wait_until eval '[[ $(brig inspect -f "{{.State.Status}}" deaf) == running && $(brig inspect -f "{{.State.StartedAt}}" deaf) != "$started" ]]'
}

@test "a bind whose server does not answer: the start ends, and the container can be removed; so does a create that asks for it" {
  local i pids=()
  brig create --name binds -v "$root/dead/x:/x" busybox true
  make_dead
  begun=$SECONDS
  run timeout 60 brig start binds
  [[ $status -eq 1 && $output == *"$root/dead/x"*"no answer in 5 seconds"* ]]
  run timeout 60 brig create --mount "type=bind,source=$root/dead/y,target=/y" busybox true
  [[ $status -eq 1 && $output == *"$root/dead/y"*"no answer in 5 seconds"* ]]
  run timeout 60 brig cp binds:/bin/busybox "$root/copied"
  [[ $status -eq 1 && $output == *"no answer in 5 seconds"* ]]
  timeout 60 brig rm -f binds
  brig run --rm -v "$root:/mine" busybox true # others' are looked at all the while
  [ $((SECONDS - begun)) -lt 40 ]
  # No more than eight looks hang at a time, and then the next is refused at once.
  for i in {1..8}; do
    timeout 60 brig create --mount "type=bind,source=$root/dead/z,target=/z" busybox true >"$BATS_TEST_TMPDIR/z.$i" 2>&1 3>&- &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i" || :; done
  [ -z "$(grep -L 'no answer' "$BATS_TEST_TMPDIR"/z.*)" ]
  run timeout 60 brig create --mount "type=bind,source=$root/dead/z,target=/z" busybox true
  [[ $status -eq 1 && $output == *"others have had no answer yet"* ]]
  answer
  brig run --rm -v "$root:/mine" busybox true
}
