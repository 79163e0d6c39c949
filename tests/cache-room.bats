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
