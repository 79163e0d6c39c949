#!/usr/bin/env bats
# What a container did to its root: diff, commit and export, against a real daemon.

load one-daemon

teardown() {
  local ids
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
}

@test "diff lists what was added, changed and deleted" {
  brig run --name box-d busybox sh -c 'mkdir /new && echo x >/new/file && echo more >>/etc/passwd && rm /bin/true && touch /tmp/t'
  run brig diff box-d
  [ "$status" -eq 0 ]
  [[ $output == *$'A /new\nA /new/file'* ]]
  [[ $output == *$'C /bin\nD /bin/true'* ]]
  [[ $output == *$'C /etc\nC /etc/passwd'* ]]
  [[ $output != *'/etc/hosts'* ]]
  [ "$(brig container diff box-d)" = "$output" ]
}

@test "diff says nothing of a container that changed nothing, nor of one that was only started" {
  brig create --name still busybox true
  run brig diff still
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  brig start -a still
  run brig diff still
  [ -z "$output" ]
}

@test "diff of a directory that was made anew shows what is gone" {
  brig run --name box-r busybox sh -c 'mkdir -p /data/old; echo 1 >/data/old/a; echo 2 >/data/b'
  brig commit box-r based
  brig run --name box-s based sh -c 'rm -rf /data && mkdir /data && echo 3 >/data/c'
  run brig diff box-s
  [[ $output == *$'C /data\nD /data/b\nA /data/c\nD /data/old'* ]]
}

@test "commit makes an image of the changes and the configuration" {
  brig run --name box-c -e WORD=hello -w /work busybox sh -c 'echo text >/work/file; rm /bin/false; ln /work/file /work/hard; ln -s file /work/soft; chmod 4711 /work/file'
  before=$(brig diff box-c)
  run brig commit -a 'A Person <a@b>' -m 'a message' -c 'CMD ["cat", "file"]' -c 'LABEL k=v' box-c made:v1
  [ "$status" -eq 0 ]
  [[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
  [ "$(brig inspect -f '{{.Id}}' made:v1)" = "$output" ]
  [ "$(brig inspect -f '{{.Author}}|{{.Comment}}|{{index .Config.Labels "k"}}|{{.Config.WorkingDir}}' made:v1)" = 'A Person <a@b>|a message|v|/work' ]
  [ "$(brig run --rm made:v1)" = text ]
  [ "$(brig run --rm made:v1 sh -c 'echo $WORD; stat -c "%a %h" file; readlink soft; ls /bin/false 2>&1 || echo gone' | tail -1)" = gone ]
  [ "$(brig run --rm made:v1 stat -c '%a %h' hard)" = '4711 2' ]
  run brig history --format '{{.Comment}}' made:v1
  [ "${lines[0]}" = 'a message' ]
  [ "$(brig diff box-c)" = "$before" ] # the container kept its own
}

@test "commit of a container that changed nothing adds no layer" {
  brig create --name same busybox true
  brig commit same same-image
  [ "$(brig inspect -f '{{len .RootFS.Layers}}' same-image)" = "$(brig inspect -f '{{len .RootFS.Layers}}' busybox)" ]
}

@test "commit pauses what runs, and lets it go on" {
  brig run -d --name live busybox sleep 1000
  brig exec live sh -c 'echo up >/state'
  id=$(brig commit live)
  [ "$(brig inspect -f '{{.State.Status}}' live)" = running ]
  [ "$(brig run --rm "$id" cat /state)" = up ]
  brig commit -p=false live >/dev/null
  brig pause live
  brig commit live >/dev/null
  [ "$(brig inspect -f '{{.State.Status}}' live)" = paused ]
  brig unpause live
}

@test "commit and diff of what is not there, and a wrong instruction, are refused" {
  run brig commit nope
  [ "$status" -eq 1 ]
  [[ $output == *'No such container: nope'* ]]
  run brig diff nope
  [[ $output == *'No such container: nope'* ]]
  run brig export nope
  [ "$status" -eq 1 ]
  [[ $output == *'No such container: nope'* ]]
  brig create --name box-w busybox true
  run brig commit -c 'RUN true' box-w
  [ "$status" -eq 1 ]
  [[ $output == *RUN* ]]
  run brig commit box-w UPPER
  [ "$status" -eq 1 ]
  [[ $output == *'repository name'*'must be lowercase'* ]]
}

@test "export writes the whole root, and import takes it" {
  brig run --name box-e busybox sh -c 'echo exported >/mark; rm /bin/false'
  brig export box-e >"$BATS_TEST_TMPDIR/a.tar"
  brig export -o "$BATS_TEST_TMPDIR/b.tar" box-e
  cmp "$BATS_TEST_TMPDIR/a.tar" "$BATS_TEST_TMPDIR/b.tar"
  [ "$(tar -xOf "$BATS_TEST_TMPDIR/a.tar" mark)" = exported ]
  run ! tar -tf "$BATS_TEST_TMPDIR/a.tar" bin/false
  brig import "$BATS_TEST_TMPDIR/a.tar" again
  [ "$(brig run --rm again cat /mark)" = exported ]
  run brig export -o /nowhere/x.tar box-e
  [ "$status" -eq 1 ]
}

# What a removal takes while it is read is not there for the reader: without a look at its end it would read a part as the whole.
gone() { [[ ! -e $1 ]]; }

@test "a commit beside which its container is removed is an error, and makes no image" {
  brig run --name box-h busybox sh -c 'for name in a m z; do echo $name >/$name; done'
  upper=$(echo "$root/data/containers/$(brig inspect -f '{{.Id}}' box-h)"/upper)
  [ -e "$upper/z" ]
  images=$(brig images -aq | sort)
  # Who opens a file of which another has a lease waits for it.
  mkfifo "$BATS_TEST_TMPDIR/go"
  python3 -c 'import fcntl, os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
fd = os.open(sys.argv[1] + "/m", os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
for word in "held", "wanted":
    open(sys.argv[2] + "/" + word, "w").close()
    if word == "held": signal.sigwait({signal.SIGIO})
open(sys.argv[2] + "/go").read()
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)' "$upper" "$BATS_TEST_TMPDIR" 3>&- &
  holder=$!
  wait_until test -e "$BATS_TEST_TMPDIR/held"
  brig commit box-h half >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
  committing=$!
  wait_until test -e "$BATS_TEST_TMPDIR/wanted"
  brig rm -f box-h
  wait_until gone "$upper/z"
  echo >"$BATS_TEST_TMPDIR/go"
  status=0
  wait "$committing" || status=$?
  wait "$holder"
  cat "$BATS_TEST_TMPDIR/said"
  [ "$status" -eq 1 ]
  grep -q 'You cannot commit container .* which is being removed' "$BATS_TEST_TMPDIR/said"
  no brig image inspect half
  [ "$(brig images -aq | sort)" = "$images" ]
}

@test "an export beside which its container is removed is an error, not a part of it" {
  brig run --name box-x busybox sh -c 'mkdir /zz; for i in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=/zz/$i bs=1M count=1; done 2>/dev/null'
  directory=$root/data/containers/$(brig inspect -f '{{.Id}}' box-x)
  mkfifo "$BATS_TEST_TMPDIR/archive"
  curl -s --unix-socket "$root/brig.sock" -o "$BATS_TEST_TMPDIR/archive" http://d/containers/box-x/export 3>&- &
  exporting=$!
  exec {archive}<"$BATS_TEST_TMPDIR/archive"
  head -c 1000 <&"$archive" >/dev/null # the rest does not fit between them
  brig rm -f box-x
  wait_until gone "$directory"
  cat <&"$archive" >"$BATS_TEST_TMPDIR/rest"
  exec {archive}<&-
  status=0
  wait "$exporting" || status=$?
  [ "$(stat -c %s "$BATS_TEST_TMPDIR/rest")" -lt 8000000 ]
  [ "$status" -eq 18 ] # a part
}
