#!/usr/bin/env bats
# Volumes with options of the local driver: mounted while a container that uses them runs, in Docker's words, and never left behind.

load one-daemon

teardown() {
  end_servers
  remove_all
  brig volume prune -af >/dev/null
  no mounted
}

# mounted [NAME]: what is mounted below the volumes, or on that one, where the daemon is.
mounted() { nsenter --target "$host_pid" --mount -- grep -F " $root/data/volumes/${1:+$1/_data }" /proc/self/mountinfo; }

@test "a tmpfs is one for all containers that run, survives the daemon, and goes with the last" {
  brig volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=1m,uid=1000,noexec fast
  [ "$(brig volume inspect -f '{{json .Options}}' fast)" = '{"device":"tmpfs","o":"size=1m,uid=1000,noexec","type":"tmpfs"}' ]
  no mounted fast
  brig run -d --name one -v fast:/fast busybox sh -c 'echo kept >/fast/file; exec sleep 1000'
  wait_until brig exec one test -s /fast/file
  [[ $(mounted fast) == *noexec*"- tmpfs tmpfs"*size=1024k,uid=1000* ]]
  kill_daemon
  start_daemon
  run brig run --rm -v fast:/fast busybox cat /fast/file
  [ "$output" = kept ]
  [ "$(mounted fast | wc -l)" -eq 1 ]
  brig stop -t 0 one
  no mounted fast
  run brig run --rm -v fast:/fast busybox ls /fast
  [ -z "$output" ]
  no mounted fast
}

@test "a directory of the host: writable, read-only, filled from the image, and not removed with the volume" {
  mkdir "$BATS_TEST_TMPDIR/there"
  brig volume create --opt type=none --opt o=bind --opt "device=$BATS_TEST_TMPDIR/there" there
  brig run --rm -v there:/www busybox sh -c 'echo more >/www/more'
  [ "$(cd "$BATS_TEST_TMPDIR/there" && echo *)" = 'index.html more' ]
  brig volume rm there
  [ "$(cat "$BATS_TEST_TMPDIR/there/more")" = more ]
  run brig run --rm --mount "type=volume,src=other,dst=/o,volume-opt=type=none,volume-opt=device=$BATS_TEST_TMPDIR/there,\"volume-opt=o=bind,ro\"" busybox sh -c 'cat /o/more; echo x >/o/x'; echo "$output"
  [[ $output == *more*'Read-only file system'* ]]
}

@test "what is read-only on the host stays so in a bind" {
  mkdir "$BATS_TEST_TMPDIR/fixed"
  nsenter --target "$host_pid" --mount -- mount -t tmpfs -o ro fixed "$BATS_TEST_TMPDIR/fixed"
  nsenter --target "$host_pid" --mount -- mount -o remount,bind,rw "$BATS_TEST_TMPDIR/fixed" # the mount alone is to decide
  nsenter --target "$host_pid" --mount -- mount -o remount,rw "$BATS_TEST_TMPDIR/fixed"
  nsenter --target "$host_pid" --mount -- mount -o remount,bind,ro "$BATS_TEST_TMPDIR/fixed"
  run brig run --rm -v "$BATS_TEST_TMPDIR/fixed:/f" busybox touch /f/x; echo "$output"
  nsenter --target "$host_pid" --mount -- umount "$BATS_TEST_TMPDIR/fixed"
  [[ $output == *'Read-only file system'* ]]
}

@test "what a killed daemon leaves mounted, the next one takes away" {
  brig volume create --opt type=tmpfs --opt device=tmpfs left
  brig run -d --name short -v left:/l busybox sleep 1000
  brig run -d --name long --volumes-from short busybox sleep 1000
  short=$(pid_of short) long=$(pid_of long)
  kill_daemon
  kill -KILL "$short"
  start_daemon
  wait_until bash -c '[[ $(brig inspect -f "{{.State.Status}}" short) == exited ]]'
  mounted left # the other still runs
  kill_daemon
  kill -KILL "$long"
  start_daemon
  wait_until no mounted left
}

@test "what cannot be mounted fails in the daemon's words and leaves nothing" {
  brig volume create --opt type=none --opt o=bind --opt device=/nowhere/at/all lost
  run brig run --name lost -v lost:/l busybox true; echo "$output"
  [[ $output == *"error while mounting volume '$root/data/volumes/lost/_data': failed to mount local volume"*'/nowhere/at/all: No such file'* ]]
  output=$(brig run -v lost:/l:nocopy busybox true 2>&1) || :
  [[ $output == *"/nowhere/at/all: No such file"* ]]
  [ -z "$(brig ps -q)" ]
  brig volume create --opt type=nosuchfs --opt device=x odd
  run brig run -v odd:/l busybox true
  [[ $output == *"mount nosuchfs"* ]]
  brig volume rm odd # no container came of it
  run brig volume create --opt nonsense=1 x; [[ $output == *'invalid option: "nonsense"'* ]]
  run brig volume create --opt type=tmpfs x; [[ $output == *'missing required option: "device"'* ]]
  run brig volume create --opt o=bind --opt device=/x x; [[ $output == *'missing required option: "type"'* ]]
  run brig volume create --opt type=tmpfs --opt device=tmpfs --opt size=1m x; [[ $output == *"option 'size' is a quota"* ]]
  run brig run --mount type=volume,src=x,dst=/x,volume-opt=nonsense=1 busybox true; [[ $output == *'invalid option: "nonsense"'* ]]
  run brig volume inspect x
  [ "$status" -eq 1 ]
}

@test "volume-subpath: a directory and a file of a volume; what is not there, or leads out of it, is refused" {
  brig run --rm -v whole:/w busybox sh -c 'mkdir -p /w/a/b; echo deep >/w/a/b/file; ln -s a /w/link; ln -s /etc /w/out; ln -s ../../.. /w/up'
  sub() { run brig run --rm --mount "type=volume,src=whole,dst=/s,volume-subpath=$1" busybox sh -c 'cat /s/file 2>/dev/null || cat /s'; echo "$output"; }
  sub a/b; [ "$output" = deep ]
  sub link/b; [ "$output" = deep ]
  sub a/../a/b/file; [ "$output" = deep ]
  brig create --name later --mount type=volume,src=whole,dst=/s,volume-subpath=a/c,ro busybox touch /s/x
  run brig start -a later; [[ $output == *"cannot access subpath 'a/c' of volume whole: No such file"* ]]
  brig run --rm -v whole:/w busybox mkdir /w/a/c
  run brig start -a later; [[ $output == *'Read-only file system'* ]]
  for path in out up out/passwd; do sub $path; [[ $status -ne 0 && $output == *"subpath '$path' of volume whole leads out of the volume"* ]]; done
  for path in /a ../x a/../..; do sub $path; [[ $status -eq 125 && $output == *"subpath must be a relative path within the volume"* ]]; done
  brig volume create --opt type=tmpfs --opt device=tmpfs fast
  output=$(brig run --rm --mount type=volume,src=fast,dst=/s,volume-subpath=x busybox true 2>&1) || :
  [[ $output == *"cannot access subpath 'x'"* ]]
}

@test "cp with a container that does not run sees what its volumes' options and subpaths say, and leaves nothing mounted" {
  mkdir "$BATS_TEST_TMPDIR/there" && echo inside >"$BATS_TEST_TMPDIR/there/file"
  brig volume create --opt type=none --opt o=bind --opt "device=$BATS_TEST_TMPDIR/there" there
  brig run --rm -v parts:/w busybox sh -c 'mkdir -p /w/a; echo part >/w/a/file'
  brig create --name still -v there:/there --mount type=volume,src=parts,dst=/part,volume-subpath=a busybox true
  [ "$(brig cp still:/there/file - | tar xO)" = inside ]
  [ "$(brig cp still:/part/file - | tar xO)" = part ]
  echo new >"$BATS_TEST_TMPDIR/new"
  brig cp "$BATS_TEST_TMPDIR/new" still:/there/
  [ "$(cat "$BATS_TEST_TMPDIR/there/new")" = new ]
  no mounted there
}

@test "an image is mounted read-only, whole or a directory of it, is held by its container, and never left mounted" {
  printf 'FROM busybox\nRUN mkdir -p /data/sub && echo hello >/data/sub/file && ln -s /data/sub /link && ln -s /../../../data /out\n' | brig build -q -t tree -
  run brig run --name whole --mount type=image,source=tree,target=/x busybox sh -c 'cat /x/data/sub/file; ls /x/bin/sh; touch /x/y'; echo "$output"
  [[ $output == *hello*/x/bin/sh*'Read-only file system'* ]]
  # An absolute link leads within the image, as does one that climbs; a single file is mounted too.
  run brig run --rm --mount type=image,source=tree,target=/x,image-subpath=link --mount type=image,src=tree,dst=/f,image-subpath=data/sub/file busybox cat /x/file /f; echo "$output"
  [ "$output" = $'hello\nhello' ]
  run brig run --rm --mount type=image,source=tree,target=/x,image-subpath=out busybox ls /x
  [ "$output" = sub ]
  run brig inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}} {{(index .HostConfig.Mounts 0).Source}}' whole
  [ "$output" = 'image tree /x false tree' ]
  for wrong in '125 image-subpath=../x=subpath must be a relative path within the image' '127 image-subpath=nowhere=cannot access subpath '"'nowhere'"' of image tree: No such file' \
    '125 volume-nocopy=true=cannot mix' ; do
    code=${wrong%% *} wrong=${wrong#* }
    run "-$code" brig run --rm --mount "type=image,source=tree,target=/x,${wrong%=*}" busybox true; echo "$output"
    [[ $output == *"${wrong##*=}"* ]]
  done
  run brig run --rm --mount type=image,source=missing,target=/x busybox true; echo "$output"
  [[ $status -eq 125 && $output == *'No such image: missing'* ]]
  no nsenter --target "$host_pid" --mount -- grep -F /image-0 /proc/self/mountinfo
  # It is used, also by a container that takes it over, and by one that was there before the daemon.
  brig create --name heir --volumes-from whole busybox cat /x/data/sub/file
  brig rm whole
  kill_daemon
  start_daemon
  run brig rmi tree; echo "$output"
  [[ $status -ne 0 && $output == *'is using its referenced image'* ]]
  brig image prune -af >/dev/null
  brig rmi -f tree
  run brig start -a heir
  [ "$output" = hello ]
  [ "$(brig cp heir:/x/data/sub/file - | tar -xO)" = hello ]
  brig rm heir
  # Docker's own client; an older one is refused in dockerd's words.
  docker -H "unix://$root/brig.sock" run --rm --mount type=image,source=busybox,target=/x,image-subpath=bin busybox test -e /x/sh
  run curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' -d '{"Image":"busybox","HostConfig":{"Mounts":[{"Type":"image","Source":"busybox","Target":"/x"}]}}' http://d/v1.47/containers/create
  [[ $output == *'Mount type \"Image\" needs API v1.48 or newer'* ]]
}

@test "a volume that a container has at two places stays its own where one of them is overridden" {
  brig create --name donor -v twice:/a -v twice:/b busybox
  brig create --name heir --volumes-from donor -v other:/a busybox
  brig rm donor
  run brig volume rm twice
  [[ $status -ne 0 && $output == *'volume is in use'* ]]
  brig rm heir
  brig volume rm twice other
}

# row STATE: what the record has of volume `held` is that, of a daemon that was killed.
row() { kill_daemon; sqlite3 "$root/data/engine.db" "UPDATE volumes SET state = '$1' WHERE id = 'held'; SELECT changes()" | grep -qx 1; start_daemon; }

@test "a removal that failed is over: what the volume gets afterwards no later daemon removes" {
  brig volume create held
  nsenter --target "$host_pid" --mount -- sh -c 'mkdir "$1" && mount -t tmpfs below "$1"' sh "$root/data/volumes/held/_data/below"
  run brig volume rm held; echo "$output"
  nsenter --target "$host_pid" --mount -- umount "$root/data/volumes/held/_data/below"
  [[ $status -eq 1 && $output == *'remove held: '* ]]
  brig run -d --name holder -v held:/h busybox sh -c 'echo kept >/h/file; exec sleep 1000'
  wait_until brig exec holder test -s /h/file
  kill_daemon
  start_daemon
  [ "$(brig exec holder cat /h/file)" = kept ]
  stop_daemon
  start_daemon
  [ "$(brig exec holder cat /h/file)" = kept ]
  [ "$(brig volume ls -q --filter name=held)" = held ]
  brig rm -f holder
  brig volume rm held
  no test -e "$root/data/volumes/held"
}

@test "what the record has as being removed goes with the next daemon, but not where a container has it" {
  brig run -d --name holder -v held:/h busybox sh -c 'echo kept >/h/file; exec sleep 1000'
  wait_until brig exec holder test -s /h/file
  row '{"removing":true}'
  [ "$(brig exec holder cat /h/file)" = kept ]
  grep -F 'volume held, whose removal was begun by an earlier daemon, stays: a container has it' "$root/brigd.log"
  # It is no other than it was.
  brig run --rm -v held:/h busybox test -s /h/file
  brig rm -f holder
  kill_daemon
  start_daemon
  [ -s "$root/data/volumes/held/_data/file" ]
  row '{"removing":true}'
  no brig volume inspect held
  no test -e "$root/data/volumes/held"
}

# server NAME: volume NAME of a server that answers until $root/away is there.
server() {
  mkdir "$BATS_TEST_TMPDIR/$1"
  nsenter --target "$host_pid" --mount -- "$top/tests/away.py" "$BATS_TEST_TMPDIR/$1" "$root/away" 3>&- &
  servers[$!]=$BATS_TEST_TMPDIR/$1
  wait_until nsenter --target "$host_pid" --mount -- mountpoint -q "$BATS_TEST_TMPDIR/$1"
  brig volume create --opt type=none --opt o=bind --opt "device=$BATS_TEST_TMPDIR/$1" "$1"
}

# Who waits for one gets an error.
end_servers() {
  for pid in "${!servers[@]}"; do
    kill "$pid"
    wait "$pid" || :
    nsenter --target "$host_pid" --mount -- umount -l "${servers[$pid]}"
  done
  servers=()
  rm -f "$root/away"
}

@test "a server that is away holds up nobody but who asks it, and those for half a minute" {
  server filled
  server started
  brig run -d --name one -v started:/x busybox sleep 1000
  brig create --name two -v started:/x busybox true
  brig create --name three --mount type=volume,src=started,dst=/x,volume-subpath=y busybox true
  : >"$root/away"
  # Each waits for its own server's volume.
  brig create -v filled:/www busybox >"$BATS_TEST_TMPDIR/create" 2>&1 3>&- & waiting=("$!")
  brig start two >"$BATS_TEST_TMPDIR/start" 2>&1 3>&- & waiting+=("$!")
  wait_until mounted filled
  # Meanwhile others work: also to fill theirs, and to ask how much there is.
  timeout 10 brig create --name quick -v quick:/www busybox
  [ -s "$root/data/volumes/quick/_data/index.html" ]
  run timeout 10 brig system df -v; echo "$output"
  [[ $status -eq 0 && $output == *$'\n'started*N/A* ]]
  timeout 10 curl -sf --unix-socket "$root/brig.sock" 'http://d/system/df?type=volume' | python3 -c '
import json, sys
assert {volume["Name"]: volume["UsageData"]["Size"] for volume in json.load(sys.stdin)["Volumes"]} == {"filled": -1, "quick": 23, "started": -1}'
  timeout 10 brig system check
  # They are told, and no container's lock stays held.
  for pid in "${waiting[@]}"; do no wait "$pid"; done
  grep -F 'no answer in 30 seconds: look whether its server is there' "$BATS_TEST_TMPDIR/create"
  grep -F 'no answer in 30 seconds: look whether its server is there' "$BATS_TEST_TMPDIR/start"
  run timeout 10 brig start three
  [[ $output == *'an earlier call still waits for an answer'* ]]
  timeout 10 brig rm -f two three
  timeout 10 brig rm -f one
  no mounted
  # It is back, as another one.
  end_servers
  wait_until brig run --rm -v started:/x busybox true
}
