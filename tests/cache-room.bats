#!/usr/bin/env bats
# The build cache's cap: what is kept, what goes by itself, and what is never taken.

setup_file() {
  load lib
  make_host
  start_daemon --bridge none --builder-keep-storage 3MiB
  load_busybox
  export root host_pid daemon_pid
}

teardown_file() {
  load lib
  daemon_pid=$(cat "$root/brigd.pid")
  end_host
}

setup() {
  load lib
  context=$(mktemp -d "$root/context.XXXXXX")
  cd "$context" || return
  brig builder prune -af >/dev/null
}

build() { run brig build --progress plain --network none "$@" "$context"; echo "$output"; [ "$status" -eq 0 ]; }
# Another shell's child.
end_daemon() {
  local pid
  pid=$(cat "$root/brigd.pid")
  kill -TERM "$pid"
  wait_until process_is_gone "$pid"
}
df_of() { curl -s --unix-socket "$root/brig.sock" 'http://d/v1.44/system/df?type=build-cache' | jq "$1"; }
# Bytes of what is the cache's alone.
cache_size() { df_of '[.BuildCache[]? | select(.Shared | not).Size] | add // 0'; }
within() { [ "$(cache_size)" -le $((3 * 1024 * 1024)) ]; }
# megabytes N: a Dockerfile whose result is a tar, so that no image has its layers.
megabytes() {
  printf 'FROM busybox\n' >Dockerfile
  for i in $(seq "$1"); do echo "RUN head -c 1000000 /dev/urandom >/$i && echo $2" >>Dockerfile; done
}
build_tar() { build -o type=tar,dest="$context/out.tar" "$@"; }

@test "after a build what is over the cap goes by itself; system df and prune agree" {
  megabytes 2 first
  build_tar
  [ "$(cache_size)" = 2000000 ]
  megabytes 2 second
  build_tar
  wait_until within
  [ "$(cache_size)" = 3000000 ]
  build_tar
  wait_until within
  [ "$(cache_size)" = 3000000 ]
  run brig builder prune -af
  [[ $output == *"Total reclaimed space: 3MB"* ]]
  [ "$(cache_size)" = 0 ]
}

@test "builds at the cap keep hitting: what was used last stays, what the others stand upon too" {
  printf 'FROM busybox\nRUN head -c 1000000 /dev/urandom >/base\nCOPY file /file\n' >Dockerfile
  for i in 1 2 3 4 5; do
    head -c 1000000 /dev/urandom >file
    build_tar
    [ "$i" = 1 ] || [ "$(grep -c CACHED <<<"$output")" = 1 ]
    wait_until within
    build_tar
    [ "$(grep -c CACHED <<<"$output")" = 2 ]
  done
  [ "$(cache_size)" = 3000000 ]
}

@test "what an image has counts not and stays" {
  megabytes 4 image
  build -t kept
  megabytes 2 tar
  build_tar
  [ "$(cache_size)" = 2000000 ]
  megabytes 4 image
  build -t kept
  [ "$(grep -c CACHED <<<"$output")" = 4 ]
  brig rmi -f kept >/dev/null
  # its layers are the cache's alone now
  megabytes 1 another
  build_tar
  wait_until within
}

@test "a cache mount that grows makes others go, while the build runs; what is in use stays" {
  megabytes 2 old
  build_tar
  mkfifo go
  cat >Dockerfile <<'EOF'
FROM busybox
RUN head -c 1000000 /dev/urandom >/new
RUN --mount=type=cache,target=/cache head -c 2000000 /dev/urandom >/cache/file
RUN --mount=type=secret,id=wait,target=/wait true
RUN --mount=type=cache,target=/cache --mount=type=bind,from=busybox,target=/b sh -c 'until test -e /cache/go; do usleep 50000; done; wc -c </cache/file >/size'
EOF
  printf x >wait
  brig build --progress plain --network none --secret id=wait,src=wait -o type=tar,dest=out.tar . >build.log 2>&1 3>&- &
  pid=$!
  wait_until grep -q 'usleep' build.log
  # the old build's layers are gone, the running one's are not: its own layer and its mount are in use
  gone() { [ "$(df_of '[.BuildCache[] | select(.InUse | not)] | length')" = 0 ]; }
  wait_until gone
  [ "$(cache_size)" -ge 3000000 ]
  touch "$(find "$root/data/build/mounts" -name file -printf '%h')/go"
  wait "$pid" || { cat build.log; false; }
  [ "$(tar -xOf out.tar size)" = 2000000 ]
  wait_until within
}

@test "a daemon that is started with a lower cap takes at once; 0 is no cap" {
  megabytes 3 lower
  build_tar
  [ "$(cache_size)" = 3000000 ]
  end_daemon
  start_daemon --bridge none --builder-keep-storage 1MiB
  one() { [ "$(cache_size)" = 1000000 ]; }
  wait_until one
  end_daemon
  echo '{"builder":{"gc":{"enabled":false}}}' >"$root/daemon.json"
  start_daemon --bridge none --config-file "$root/daemon.json"
  megabytes 5 none
  build_tar
  build_tar
  [ "$(grep -c CACHED <<<"$output")" = 5 ]
  [ "$(cache_size)" = 6000000 ]
}

@test "cache mounts leave as an archive and come back: owners, links, an empty one; what is there is replaced" {
  cat >Dockerfile <<'EOF'
FROM busybox
RUN --mount=type=cache,id=tools,target=/c,uid=1000,gid=2000,mode=0750 --mount=type=cache,target=/empty sh -c 'echo one >/c/file && chown 7:8 /c/file && chmod 4711 /c/file && ln -s file /c/link && ln /c/file /c/again && mkdir -p /c/.wh.dir && echo >/c/.wh.dir/.wh.x'
EOF
  build_tar
  run brig builder cache export nothing -o none.tar
  [ "$status" -ne 0 ]
  [[ $output == *"no cache mount 'nothing': there is /empty, tools"* && ! -e none.tar ]]
  run brig builder cache export -o none.tar
  [[ $output == *"give the ids of cache mounts, or --all"* ]]
  brig builder cache export --all -o - >piped.tar
  [ ! -e ./- ]
  [ "$(tar -tf piped.tar | wc -l)" -eq 2 ]
  run script -qec "brig builder cache export --all -o -" /dev/null
  [[ $output == *"refusing to write an archive to a terminal"* ]]
  brig builder cache export --all -o mounts.tar
  run tar -tf mounts.tar
  [ "${#lines[@]}" -eq 2 ] # one mount's archive, as the other is empty, and the list
  [ "$(tar -xOf mounts.tar mounts.json | jq -c '[.mounts[].id]')" = '["/empty","tools"]' ]
  brig builder prune -af >/dev/null
  run brig builder cache import mounts.tar
  echo "$output"
  [ "$output" = $'Imported cache mount: /empty\nImported cache mount: tools' ]
  printf 'FROM busybox\nRUN --mount=type=cache,id=tools,target=/c sh -c "stat -c %%a:%%u:%%g:%%h /c /c/file && readlink /c/link && ls -A /c/.wh.dir && cat /c/file; echo two >/c/file; touch /c/new" >/out\n' >Dockerfile
  build_tar
  [ "$(tar -xOf out.tar out)" = $'750:1000:2000:3\n4711:7:8:2\nfile\n.wh.x\none' ]
  brig builder cache import - <mounts.tar
  printf 'FROM busybox\nRUN --mount=type=cache,id=tools,target=/c sh -c "cat /c/file; ls /c" >/out\n' >Dockerfile
  build_tar
  [ "$(tar -xOf out.tar out)" = $'one\nagain\nfile\nlink' ]
}

@test "what is no archive of cache mounts is refused, and leaves nothing" {
  before=$(ls "$root/data/build/contexts" "$root/data/build/mounts")
  head -c 100000 /dev/urandom >noise
  run brig builder cache import noise
  [ "$status" -ne 0 ]
  bad() {
    rm -rf archive && mkdir archive && echo "$1" >archive/mounts.json
    tar -C archive -cf bad.tar .
    run brig builder cache import bad.tar
    echo "$output"
    [ "$status" -ne 0 ]
    [[ $output == *"$2"* ]]
  }
  bad '{"version":2,"mounts":[]}' 'version 2'
  bad '{"version":1,"mounts":[{"id":"a","file":"../../../etc/passwd","mode":0,"uid":0,"gid":0}]}' "no id, or no file's name"
  bad '{"version":1,"mounts":[{"id":"a","file":"7.tar","mode":0,"uid":0,"gid":0}]}' "7.tar"
  bad '[]' 'no archive of cache mounts'
  [ "$(ls "$root/data/build/contexts" "$root/data/build/mounts")" = "$before" ]
}

@test "a cache mount that a step has is neither exported nor replaced" {
  cat >Dockerfile <<'EOF'
FROM busybox
RUN --mount=type=cache,id=busy,target=/cache sh -c 'touch /cache/there; until test -e /cache/go; do usleep 50000; done'
EOF
  printf '{"version":1,"mounts":[{"id":"busy","mode":493,"uid":0,"gid":0}]}' >mounts.json && tar -cf mounts.tar mounts.json
  brig build --progress plain --network none -o type=tar,dest=out.tar . >build.log 2>&1 3>&- &
  pid=$!
  has_begun() { find "$root/data/build/mounts" -name there | grep -q .; }
  wait_until has_begun
  run brig builder cache export busy -o busy.tar
  [ "$status" -ne 0 ]
  [[ $output == *"cache mount 'busy' is in use"* && ! -e busy.tar ]]
  run brig builder cache import mounts.tar
  [ "$status" -ne 0 ]
  [[ $output == *"cache mount 'busy' is in use"* ]]
  touch "$(find "$root/data/build/mounts" -name there -printf '%h')/go"
  wait "$pid"
  brig builder cache export busy -o busy.tar
  brig builder cache import mounts.tar
}
