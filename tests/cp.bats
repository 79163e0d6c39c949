#!/usr/bin/env bats
# Files between host and containers: brig cp and docker cp by the same tables, the API's archive calls, what a copy holds and what ends it, and
# a container that renames and links while it is copied from and to (CVE-2018-15664). Needs root; docker, if it is there.

load lib

setup_file() {
  make_host
  export root host_pid
  start_daemon
  export daemon_pid
  load_busybox
  brig run -d --name box -v cpvol:/vol --tmpfs /mem busybox sleep 10000
  brig exec box sh -c 'mkdir -p /d/sub /e; echo a >/d/f; echo b >/d/sub/g; ln -s f /d/l; ln -s d /dl; ln -s /nowhere/x /dang; ln -s /e /el; echo v >/vol/v; echo m >/mem/m'
}

teardown_file() { end_host; }

setup() {
  cd "$BATS_TEST_TMPDIR"
  mkdir -p src/sub out
  echo one >src/one; echo two >src/sub/two; ln -s one src/ln
  echo file >file; ln -s src srcln; ln -s file fileln; ln -s none dangln; echo old >exist
}

teardown() {
  local ids
  [[ -z ${swap_pid:-} ]] || kill "$swap_pid"
  ids=$(brig ps -aq --filter label=of=test) && [[ -n $ids ]] && brig rm -f $ids >/dev/null
  :
}

clients() { echo brig; [[ ! -x /usr/local/bin/docker ]] || echo /usr/local/bin/docker; }
api() { curl -s --unix-socket "$root/brig.sock" "$@"; }
# What lies below /e, in one line; afterwards it is empty again.
in_e() { brig exec box sh -c 'cd /e && find . -mindepth 1 | sort | tr "\n" " "; rm -rf /e; mkdir /e'; }
in_out() { find out exist -mindepth 0 ! -name out | sort | tr '\n' ' '; rm -rf out; mkdir out; }

# table LIST: rows "words of cp | outcome", where the outcome is what LIST shows, or the error's words.
table() {
  local client words outcome seen status=0
  for client in $(clients); do
    while IFS='|' read -r words outcome; do
      [[ -n $words ]] || continue
      read -r outcome <<<"$outcome"
      seen=$($client cp $words 2>&1 >/dev/null | grep -v level=error) || :
      seen="$seen$($1)"; seen=${seen% }
      [[ $seen == *"$outcome" && ( -z $2 || $seen == "$outcome" ) ]] || { echo "$client cp $words: '$seen', not '$outcome'"; status=1; }
    done <<<"$3"
  done
  return $status
}

@test "to a container: files and directories, onto what is there and what is not" {
  table in_e exact '
file box:/e | ./file
file box:/e/ | ./file
file box:/e/new | ./new
src box:/e | ./src ./src/ln ./src/one ./src/sub ./src/sub/two
src box:/e/new | ./new ./new/ln ./new/one ./new/sub ./new/sub/two
src/ box:/e/new/ | ./new ./new/ln ./new/one ./new/sub ./new/sub/two
src/. box:/e | ./ln ./one ./sub ./sub/two
src/. box:/e/new | ./new ./new/ln ./new/one ./new/sub ./new/sub/two
srcln box:/e | ./srcln
srcln/ box:/e | ./srcln ./srcln/ln ./srcln/one ./srcln/sub ./srcln/sub/two
-L srcln box:/e | ./srcln ./srcln/ln ./srcln/one ./srcln/sub ./srcln/sub/two
-L fileln box:/e | ./fileln
dangln box:/e | ./dangln
file box:/el | ./file
file box:../../e/./x/.. | ./file
'
}

@test "to a container: what is refused, in Docker's words" {
  table in_e '' '
file box:/e/newdir/ | no such directory
src box:/d/f | cannot copy directory
file box:/e/no/such | Error response from daemon: Could not find the file /e/no in container box
file box:/dang | Error response from daemon: Could not find the file /nowhere in container box
none box:/e | no such file or directory
-L dangln box:/e | none: no such file or directory
file nope:/e | Error response from daemon: No such container: nope
box:/d box:/e | copying between containers is not supported
file out | must specify at least one container source
src/one box:/d/f/x | Error response from daemon: extraction point is not a directory
'
}

@test "from a container: files and directories, onto what is there and what is not" {
  table in_out exact '
box:/d/f out | exist out/f
box:/d/f out/new | exist out/new
box:/d out | exist out/d out/d/f out/d/l out/d/sub out/d/sub/g
box:/d out/new | exist out/new out/new/f out/new/l out/new/sub out/new/sub/g
box:/d/. out | exist out/f out/l out/sub out/sub/g
box:/d/. out/new | exist out/new out/new/f out/new/l out/new/sub out/new/sub/g
box:/dl out | exist out/dl
box:/dl/ out | exist out/dl out/dl/f out/dl/l out/dl/sub out/dl/sub/g
-L box:/dl out | exist out/dl out/dl/f out/dl/l out/dl/sub out/dl/sub/g
-L box:/d/l out/q | exist out/q
box:/dang out | exist out/dang
box:/vol out | exist out/vol out/vol/v
box:/mem/m out | exist out/m
box:/d/f exist | exist
'
  [ "$(cat exist)" = a ]
}

@test "from a container: what is refused, in Docker's words" {
  table in_out '' "
box:/none out | Could not find the file /none in container boxexist
-L box:/dang out | Could not find the file /nowhere/x in container boxexist
box:/d exist | cannot copy directoryexist
box:/d/f out/newdir/ | no such directoryexist
box:/d/f no/such | invalid output path: directory \"$PWD/no\" does not existexist
box:/d/f /dev/null | must be a directory or a regular file: got a deviceexist
box:/etc/passwd/ out | /etc/passwd/: not a directoryexist
"
}

@test "a directory takes no file's place, nor a file a directory's" {
  mkdir -p g/f; touch sub; mkdir out/f
  run brig cp g/f box:/d; [ "$output" = 'Error response from daemon: cannot overwrite non-directory "/d/f" with directory "/d"' ]
  run brig cp sub box:/d; [ "$output" = 'Error response from daemon: cannot overwrite directory "/d/sub" with non-directory "/d"' ]
  run brig cp box:/d/f out; [ "$output" = "cannot overwrite directory \"$PWD/out/f\" with non-directory \"$PWD/out\"" ]
  [ "$status" -eq 1 ]
}

@test "streams: '-' on either side, compressed too, and what is no archive" {
  for client in $(clients); do
    [ "$($client cp box:/d/. - | tar t | sort | tr '\n' ' ')" = './ ./f ./l ./sub/ ./sub/g ' ]
    tar cz src | $client cp - box:/e
    [ "$(in_e)" = './src ./src/ln ./src/one ./src/sub ./src/sub/two ' ]
    run $client cp - box:/e/none <file; [[ $status -eq 1 && $output == *'destination "box:/e/none" must be a directory' ]]
    run bash -c "echo junk | $client cp - box:/e"; [[ $status -eq 1 && $output == *'damaged tar archive'* ]]
    tar c src | head -c 700 >half
    run $client cp - box:/e <half; [ "$status" -eq 1 ]
  done
  in_e
}

@test "owners, modes, times, hard links, attributes, holes and FIFOs, there and back" {
  chown 7:8 file; chmod 4751 file; touch -d '2001-02-03 04:05:06' file
  mkdir all; cp -p file all/; ln all/file all/hard; mkfifo all/fifo; setfattr -n user.word -v value all/file
  truncate -s 300M all/hole; echo end >>all/hole
  brig cp all box:/e
  [ "$(brig exec box stat -c '%u:%g %a %Y %h' /e/all/file)" = "7:8 4751 $(stat -c %Y file) 2" ]
  [ "$(brig exec box stat -c '%F' /e/all/fifo)" = fifo ]
  timeout 60 brig cp box:/e/all out/back
  [ "$(stat -c '%u:%g %a %Y %h' out/back/file)" = "0:0 4751 $(stat -c %Y file) 2" ]
  [ "$(getfattr -n user.word --only-values out/back/hard)" = value ]
  cmp all/hole out/back/hole
  run brig cp -q=false box:/e/all/file out/one; [[ $output == "Successfully copied "*"B to $PWD/out/one" ]]
  in_e
}

@test "-a: what comes is the container's user's" {
  brig create --name user --label of=test -u web:extra busybox true
  chown 7:8 file
  brig cp file user:/www; [ "$(brig cp user:/www/file - | tar tv --numeric-owner | cut -d' ' -f2)" = 7/8 ]
  brig cp -a file user:/www; [ "$(brig cp user:/www/file - | tar tv --numeric-owner | cut -d' ' -f2)" = 1000/2000 ]
}

@test "containers that do not run, are paused, or have ended; volumes and bound files of each" {
  mkdir bound; echo b >bound/b
  brig create --name still --label of=test -v cpvol:/made/vol -v "$PWD/bound:/made/bound:ro" -v "$PWD/file:/made/one" busybox sh -c 'cat /e/file /made/vol/file'
  [ "$(brig cp still:/made/vol/v - | tar xO)" = v ]
  [ "$(brig cp still:/made/. - | tar t | sort | tr '\n' ' ')" = './ ./bound/ ./bound/b ./one ./vol/ ./vol/v ' ]
  brig cp src/. still:/e
  brig cp file still:/e
  brig cp file still:/made/vol
  [ "$(brig exec box cat /vol/file)" = file ]
  run brig cp file still:/made/bound; [ "$output" = 'Error response from daemon: mounted volume is marked read-only' ]
  [ "$(brig start -a still)" = $'file\nfile' ]
  brig cp still:/e out && cmp out/e/sub/two src/sub/two
  [ "$(brig cp still:/etc/hosts - | tar xO | grep -c localhost)" -ge 1 ]
  brig pause box
  brig cp file box:/vol/paused
  [ "$(brig cp box:/vol/paused - | tar xO)" = file ]
  brig unpause box
  brig exec box rm /vol/paused /vol/file
}

@test "a mount in a volume has its place there: a second copy makes none again; times that have no room" {
  local work before
  echo bound >bound
  brig create --name nested --label of=test -v nested:/vol -v "$PWD/bound:/vol/in/bound" busybox true
  brig cp nested:/vol/in/bound - >/dev/null # makes it
  work=$root/data/containers/$(brig inspect -f '{{.Id}}' nested)/work
  before=$(stat -c %i.%y "$work" "$work"/*)
  [ "$(brig cp nested:/vol/in/bound - | tar xO)" = bound ]
  [ "$(stat -c %i.%y "$work" "$work"/*)" = "$before" ] # nothing was mounted on it
  brig exec box touch -d @99999999999 /mem/late
  run api -I "http://d/containers/box/archive?path=/mem/late"
  [[ $(tr -d '\r' <<<"$output" | sed -n 's/X-Docker-Container-Path-Stat: //p' | base64 -d | jq -r .mtime) == 2262-04-11T* ]]
}

@test "a read-only root is refused, its volumes are not; running and not" {
  brig create --name ro --label of=test --read-only -v cpvol:/vol --tmpfs /t busybox sleep 1000
  for run in no yes; do
    run brig cp file ro:/; [ "$output" = 'Error response from daemon: container rootfs is marked read-only' ]
    brig cp file ro:/vol/x
    [ "$(brig cp ro:/vol/x - | tar xO)" = file ]
    brig start ro
  done
  brig cp file ro:/t
  [ "$(brig exec ro cat /t/file)" = file ]
  brig exec box rm /vol/x
}

@test "the API: the header of a path, what is missing and wrong, events" {
  local stat
  since=$(date +%s)
  stat=$(api -I "http://d/containers/box/archive?path=/d/l" | tr -d '\r' | sed -n 's/X-Docker-Container-Path-Stat: //p' | base64 -d)
  [ "$(jq -c '[.name, .size, .mode, .linkTarget]' <<<"$stat")" = '["l",1,134218239,"/d/f"]' ]
  [[ $(jq -r .mtime <<<"$stat") == 20*Z ]]
  [ "$(api -o /dev/null -w '%{http_code}' "http://d/containers/box/archive?path=/none")" = 404 ]
  [ "$(api -o /dev/null -w '%{http_code}' "http://d/containers/box/archive")" = 400 ]
  [ "$(api -o /dev/null -w '%{http_code}' -T file "http://d/containers/box/archive?path=/d/f")" = 400 ]
  [ "$(api "http://d/containers/nope/archive?path=/" | jq -r .message)" = 'No such container: nope' ]
  # Without noOverwriteDirNonDir a file takes a directory's place.
  mkdir sub; tar cf dir.tar sub; rmdir sub; echo x >sub; tar cf file.tar sub
  [ "$(api -o /dev/null -w '%{http_code}' -T dir.tar "http://d/containers/box/archive?path=/e")" = 200 ]
  [ "$(api -o /dev/null -w '%{http_code}' -T file.tar "http://d/containers/box/archive?path=/e")" = 200 ]
  [ "$(brig exec box cat /e/sub)" = x ]
  in_e
  brig cp box:/d/f - >/dev/null
  run brig events --since "$since" --until "$(date +%s.%N)" --filter container=box --format '{{.Action}}'
  [[ $output == *extract-to-dir*extract-to-dir*archive-path* ]]
}

# ---- what a copy holds, and what ends it ----

# A copy into the container that goes on until descriptor 7 is closed; $helper is the program that does it: the only one, once it has taken more
# than pipes and sockets hold, as the one that only looked at the destination has ended by then.
hold_copy() {
  mkfifo "$BATS_TEST_TMPDIR/in"
  brig cp - "$1" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/held" 2>&1 3>&- &
  holding=$!
  exec 7>"$BATS_TEST_TMPDIR/in"
  truncate -s 8M src/big
  tar c src | head -c 4M >&7
  wait_until eval 'helper=$(pgrep -P "$(cat "$root/brigd.pid")" -x brig-image) && [[ $helper != *[^0-9]* ]]'
}

@test "a copy has nothing but the container's mounts, on none of which there is a device or a program" {
  hold_copy box:/e
  wait_until grep -q ' / / .*nodev' "/proc/$helper/mountinfo"
  # The root, and the volume and files that are in it.
  [ "$(awk '{print $5}' "/proc/$helper/mountinfo" | sort | tr '\n' ' ')" = '/ /etc/hostname /etc/hosts /etc/resolv.conf /mem /vol ' ]
  [ "$(grep -vc 'nosuid,nodev,noexec' "/proc/$helper/mountinfo")" = 0 ]
  [[ $build == *san ]] || wait_until grep -q 'Seccomp:.*2' "/proc/$helper/status" # a sanitizer makes calls of its own
  [ $((0x$(awk '/CapBnd/ {print $2}' "/proc/$helper/status"))) = 0 ]
  [ $((0x$(awk '/CapEff/ {print $2}' "/proc/$helper/status") & 1 << 21)) = 0 ] # CAP_SYS_ADMIN
  # A container in the host's pid namespace, which has all its capabilities and more, looks at another's program, and not at this one.
  run brig run --rm --pid host busybox sh -c 'readlink "/proc/$1/exe" && ! readlink "/proc/$2/exe" && ! readlink "/proc/$2/fd/0" && ! cat "/proc/$2/environ"' \
    sh "$(pid_of box)" "$helper"
  echo "$output"
  [[ $status -eq 0 && $output == *"/environ"*"Permission denied"* ]]
  # Nothing waits for it.
  timeout 60 brig exec box true
  timeout 60 brig cp box:/d/f - >/dev/null
  # A client that leaves ends it.
  kill "$holding"; exec 7>&-
  wait_until process_is_gone "$helper"
  in_e
}

@test "a start and a removal end a copy into what did not run; another copy waits for it" {
  local why='while files were copied: what was copied is not whole'
  brig create --name held --label of=test busybox sleep 1000
  hold_copy held:/
  timeout 60 brig cp held:/etc/passwd - >/dev/null
  timeout 0.5 brig cp file held:/ && return 1 # it waits
  timeout 60 brig start held
  wait "$holding" && return 1
  [[ $(cat held) == *"was started $why"* ]]
  exec 7>&-; rm in
  timeout 60 brig cp file held:/
  brig kill held; brig wait held
  hold_copy held:/
  timeout 60 brig rm held
  wait "$holding" && return 1
  [[ $(cat held) == *"was removed $why"* ]]
  exec 7>&-
}

@test "a daemon that is killed in the middle leaves no mount and no program, and the next one works" {
  brig create --name cut --label of=test -v cpvol:/vol busybox cat /src/one
  hold_copy cut:/
  kill_daemon
  wait_until process_is_gone "$helper"
  exec 7>&-; wait "$holding" || :
  no grep -F "$root" /proc/self/mountinfo
  no on_host grep -F "$root/data/containers" /proc/self/mountinfo
  start_daemon
  brig cp src cut:/
  [ "$(brig start -a cut)" = one ]
  [ "$(brig cp box:/d/f - | tar xO)" = a ] # that one ran all the time
}

# ---- a container that renames and links meanwhile ----

swap() {
  python3 -c '
import ctypes, sys
libc = ctypes.CDLL(None)
libc.prctl(1, 15) # PR_SET_PDEATHSIG
a, b = (x.encode() for x in sys.argv[1:])
while True: libc.renameat2(-100, a, -100, b, 2)' "$1" "$2" >/dev/null 2>&1 3>&- &
  swap_pid=$!
}

# race CONTAINER: the directory /race/d is exchanged with a link to the host's secret meanwhile, as fast as can be.
race() {
  local round out=0 in=0 got
  for round in {1..12}; do
    got=$(api "http://d/containers/$1/archive?path=/race/d/x" | strings -n 4); [[ $got != *secret* ]]
    [[ $got == *inside* ]] && out=$((out + 1))
    got=$(api "http://d/containers/$1/archive?path=/race/d/" | strings -n 4); [[ $got != *secret* ]]
    [[ $(api -o /dev/null -w '%{http_code}' -T new.tar "http://d/containers/$1/archive?path=/race/d") == 200 ]] && in=$((in + 1))
    [[ $(api -o /dev/null -w '%{http_code}' -T through.tar "http://d/containers/$1/archive?path=/race") == 200 ]] || :
    [[ $(ls "$root/host") == x && $(cat "$root/host/x") == secret ]] || { echo "round $round: the host was written to"; return 1; }
  done
  echo "$1: $round rounds, $out read, $in written"
  [[ $out -gt 0 && $in -gt 0 ]]
}

@test "drill: a directory becomes a link to the host while it is copied from and to (CVE-2018-15664)" {
  mkdir -p "$root/host" race/d; echo secret >"$root/host/x"; echo inside >race/d/x
  ln -s "$root/host" race/link
  touch new; tar cf new.tar new; mkdir -p in/d; touch in/d/through; tar cf through.tar -C in d/through
  brig run -d --name racer --label of=test -v "$PWD/race:/race" busybox sleep 1000
  brig create --name sleeper --label of=test -v "$PWD/race:/race" busybox true
  swap "$PWD/race/d" "$PWD/race/link"
  race racer
  race sleeper
}
