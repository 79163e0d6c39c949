#!/usr/bin/env bats
# RUN --security=insecure where the daemon's administrator allows it: what such a step may, and that the host is as it was after it. That it may
# nothing where one of the two permissions is missing is in build-drills.bats, too. Needs root.

setup_file() {
  load lib
  make_host
  echo '{"builder": {"entitlements": {"security-insecure": true, "network-host": false}}}' >"$root/daemon.json"
  start_daemon --config-file "$root/daemon.json"
  export root host_pid daemon_pid
  load_busybox
  # What a build needs once, bridge and scratch directories, is no trace of a step.
  printf 'FROM busybox\nRUN true\n' | brig build -q - >/dev/null
  snapshot >"$root/before"
}

teardown_file() { load lib; end_host; }

setup() {
  load lib
  context=$(mktemp -d "$root/context.XXXXXX")
}

teardown() {
  wait_until eval 'snapshot | cmp -s "$root/before" -' || { snapshot | diff "$root/before" -; return 1; }
}

# What no step may change.
snapshot() {
  awk '{ print $4, $5, $6 }' "/proc/$host_pid/mountinfo" "/proc/$daemon_pid/mountinfo" /proc/self/mountinfo | sort
  on_host ip -o link | sed 's/@.*//; s/<.*//'
  find /sys/fs/cgroup \( -path "*/brig-test-$host_pid/*" -o -name 'brig-drill*' \) -type d
  find "$root/run/build" "$root/data/containers" "$root/data/build/contexts" "$root/run/containers" -mindepth 1 -maxdepth 1
  pgrep -f 'sleep 1009' || : # no other test's number
}

dockerfile() { cat >"$context/Dockerfile"; }
build() { run timeout 60 brig build --progress plain "$@" "$context"; echo "$output"; [ "$status" -ne 124 ]; }
# The same of a step that says "ready" and waits for its cache's FIFO "go": what it has mounted is not seen from the host meanwhile.
build_and_look() {
  timeout 60 brig build --progress plain "$@" "$context" >"$root/progress" 2>&1 3>&- &
  local building=$!
  WAIT_SECONDS=50 wait_until grep -q ' ready$' "$root/progress" || { cat "$root/progress"; return 1; }
  cat /proc/self/mountinfo "/proc/$host_pid/mountinfo" "/proc/$daemon_pid/mountinfo" >"$root/meanwhile"
  timeout 30 bash -c ': >"$1"' go "$(find "$root/data/build/mounts" -name go)"
  status=0
  wait "$building" || status=$?
  output=$(cat "$root/progress")
  echo "$output"
  no grep brig-drill "$root/meanwhile"
}

@test "asked for and allowed: every privilege, in namespaces and groups of its own, and no trace on the host" {
  mkdir -p "$context/sub"
  echo shh >"$root/secret"
  cat >"$context/script" <<'END'
grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status
echo "masked: $(grep -c ' /proc/' /proc/mounts)"
awk '$2 == "/sys" { print "sysfs: " substr($4, 1, 2) }' /proc/mounts
# A device that nobody has: another error where the control group forbids it.
mknod /device c 10 254; cat /device; rm /device
# Below whatever is mounted here.
for at in /ctx/sub /cache/sub /other/sub /tmpfs/sub /mnt /dev/shm /sys/kernel /proc/sys /etc; do
  [ -d $at ] || mkdir -p $at
  mount -t tmpfs brig-drill-leak $at && echo "mounted: $at"
done
mount --bind /bin/busybox /secret && echo "mounted: /secret"
# Groups below its own, with a process that does not end by itself; none is seen above.
for procs in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
  [ -e $procs ] || continue
  mkdir ${procs%/*}/brig-drill && echo "group: made"
  echo $$ >${procs%/*}/brig-drill/cgroup.procs || :
done 2>/dev/null
mkdir /groups
mount -t cgroup -o pids none /groups 2>/dev/null || mount -t cgroup2 none /groups
find /groups -name 'brig-test-*' | grep -q . || echo "groups: its own"
(setsid sleep 1009 &)
[ -p /cache/go ] || mkfifo /cache/go
echo ready
cat /cache/go
exit $CODE
END
  dockerfile <<'END'
FROM busybox AS other
RUN mkdir -p /files/sub
FROM busybox
ARG CODE=0
RUN --security=insecure --mount=target=/ctx --mount=type=cache,target=/cache --mount=from=other,source=/files,target=/other,rw --mount=type=tmpfs,target=/tmpfs --mount=type=secret,id=s,target=/secret sh /ctx/script
RUN --security=insecure --network=none echo "links: $(ls /sys/class/net | tr '\n' ' ')"
RUN grep -E '^(CapEff|Seccomp):' /proc/self/status | sed s/^/after:/; no=$(grep -c brig-drill /proc/mounts); echo "after: $no mounts"
END
  build_and_look -t drill --allow security.insecure --secret "id=s,src=$root/secret"
  [ "$status" -eq 0 ]
  [[ $output == *"CapEff:"?"$(awk '/^CapEff/ { print $2 }' "/proc/$daemon_pid/status")"* ]]
  [[ $output == *"Seccomp:"?0* && $output == *"NoNewPrivs:"?0* && $output == *"masked: 0"* && $output == *"sysfs: rw"* ]]
  [[ $output == *"'/device': No such device"* ]]
  local at
  for at in /ctx/sub /cache/sub /other/sub /tmpfs/sub /mnt /dev/shm /sys/kernel /proc/sys /etc /secret; do [[ $output == *"mounted: $at"* ]]; done
  [[ $output == *"group: made"* && $output == *"groups: its own"* && $output == *"links: lo "* ]]
  [[ $output == *"after:CapEff:"?00000000a80425fb* && $output == *"after:Seccomp:"?2*"after: 0 mounts"* ]]
  # Who reads its history sees it; and nothing of what was mounted is in a layer.
  [[ $(brig history --no-trunc drill) == *"RUN --security=insecure |1 CODE=0 /bin/sh -c sh /ctx/script # buildkit"* ]]
  [[ $(brig run --rm drill ls /etc /mnt) == *passwd* ]]
  # One that fails leaves as little.
  build_and_look --allow security.insecure --secret "id=s,src=$root/secret" --build-arg CODE=3
  [ "$status" -eq 1 ]
  [[ $output == *"exit code: 3"* ]]
  brig rmi -f drill >/dev/null
  brig builder prune -af >/dev/null
}

@test "the cache tells such a step from another, and gives it to nobody who did not ask" {
  dockerfile <<<$'FROM busybox\nRUN --security=insecure echo made >/made'
  build --allow security.insecure; [ "$status" -eq 0 ]
  build --allow network.host,security.insecure; [ "$status" -eq 0 ]; [[ $output == *CACHED* ]]
  build
  [ "$status" -eq 1 ]
  [[ $output == *"Dockerfile:2:1: RUN --security=insecure: security.insecure is not allowed: the build did not ask for it (\`brig build --allow security.insecure\`"* ]]
  [[ $output != *CACHED* && $output != *daemon.json* ]]
  brig build --check "$context"
  sed -i 's/--security=insecure //' "$context/Dockerfile"
  build; [ "$status" -eq 0 ]
  [[ $output == *"miss: it runs without --security=insecure now"* ]]
  brig builder prune -af >/dev/null
}

@test "a base's trigger has what its build was given; Docker's classic API gives nothing" {
  printf 'FROM busybox\nONBUILD RUN --security=insecure mkdir /mnt && mount -t tmpfs brig-drill-leak /mnt && echo trigger\n' | brig build -q -t base - >/dev/null
  dockerfile <<<'FROM base'
  build
  [ "$status" -eq 1 ]
  [[ $output == *"Dockerfile:1:1: ONBUILD trigger of the base: RUN --security=insecure: security.insecure is not allowed"* ]]
  run env DOCKER_BUILDKIT=0 docker build "$context"; echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"security.insecure is not allowed"*"Docker's classic API"* ]]
  run env DOCKER_BUILDKIT=0 brig build --allow security.insecure "$context"; echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"--allow is not in the classic request, which DOCKER_BUILDKIT=0 asks for"* ]]
  build --allow security.insecure; [ "$status" -eq 0 ]
  [[ $output == *trigger* ]]
  brig rmi -f base >/dev/null
  brig builder prune -af >/dev/null
}

@test "a daemon that does not allow the host's network" {
  dockerfile <<<$'FROM busybox\nRUN --network=host true'
  build --allow network.host
  [ "$status" -eq 1 ]
  [[ $output == *"Dockerfile:2:1: RUN --network=host: network.host is not allowed: the daemon does not allow it (\"builder\": {\"entitlements\": {\"network-host\": true}}"* ]]
  sed -i 's/--network=host //' "$context/Dockerfile"
  build --network host
  [ "$status" -eq 1 ]
  [[ $output == *"RUN in the build's network 'host': network.host is not allowed"* ]]
}
