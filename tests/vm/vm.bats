#!/usr/bin/env bats
# What only Debian's own kernel shows: cgroup v2 alone, raised limits, lowered out-of-memory scores, AppArmor. Run by tests/vm/suite.

setup_file() {
  load ../lib
  WAIT_SECONDS=${WAIT_SECONDS:-120}
  make_host
  start_daemon
  load_busybox
  export root host_pid daemon_pid WAIT_SECONDS
}

teardown_file() {
  load ../lib
  end_host
}

setup() {
  load ../lib
}

@test "this is cgroup v2, and a container is in a group of its own" {
  [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]
  run brig run --rm -m 64m --pids-limit 60 --cpus 0.5 busybox sh -c 'cat /proc/self/cgroup; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max'
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = 0::/ ]
  [ "${lines[1]}" = 67108864 ]
  [ "${lines[2]}" = 60 ]
  [ "${lines[3]}" = "50000 100000" ]
}

@test "limits can be raised where the kernel allows it" {
  [ "$(ulimit -Hn)" -lt 1048576 ]
  run brig run --rm --ulimit nofile=1048576:1048576 busybox sh -c 'ulimit -Hn'
  [ "$output" = 1048576 ]
}

@test "the out-of-memory score can be lowered" {
  run brig run --rm --oom-score-adj -500 busybox cat /proc/self/oom_score_adj
  [ "$output" = -500 ]
}

@test "the out-of-memory killer is told in the exit" {
  brig run --name hungry -m 16m --memory-swap 16m busybox sh -c 'x=a; while :; do x=$x$x; done' || true
  run brig inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' hungry
  [ "$output" = "true 137" ]
  brig rm hungry
}

@test "pause stops every process, and devices are refused by the cgroup" {
  brig run -d --name frozen busybox sleep 1000
  brig pause frozen
  run brig inspect -f '{{.State.Status}}' frozen
  [ "$output" = paused ]
  brig unpause frozen
  brig rm -f frozen
  run brig run --rm busybox sh -c 'mknod /tmp/k c 1 11 && cat /tmp/k'
  [[ $output == *'Operation not permitted'* ]]
}

@test "a published port answers" {
  brig run -d --name web -p 18080:80 busybox httpd -f -h /www
  run on_host curl -s --max-time 20 http://127.0.0.1:18080/
  [ "$output" = "hello from a container" ]
  brig rm -f web
}

# An owned table goes with its owner before Linux 6.9: there is an open one as well (docs/net.md).
@test "a foreign flush passes the twin by: a published port answers at once, and the table comes back" {
  has_table() { on_host nft list chain "$@" >/dev/null 2>&1; }
  brig run -d --name web -p 18081:80 busybox httpd -f -h /www
  on_host nft list table inet brig-twin | grep -q 'flags owner'
  for i in 1 2 3; do
    on_host nft flush ruleset
    has_table inet brig-twin forward
    run on_host curl -s --max-time 20 http://127.0.0.1:18081/
    [ "$output" = "hello from a container" ]
    wait_until has_table inet brig forward
  done
  kill_daemon
  has_table inet brig forward
  no has_table inet brig-twin forward
  start_daemon
  has_table inet brig-twin forward
  brig rm -f web
}

# What a container may do by capabilities and mounts, and its profile forbids.
@test "AppArmor: brig-default confines, in an exec too, and comes back where somebody took it away; unconfined; one's own; one that is not there" {
  profile() { brig inspect -f '{{.AppArmorProfile}}' "$1"; }
  options=(--cap-add SYS_ADMIN --security-opt systempaths=unconfined)
  attempts='cat /proc/self/attr/current; mount -t tmpfs x /tmp && echo mounted; for file in sysrq-trigger sys/vm/swappiness self/comm; do
    echo 1 >/proc/$file && echo wrote $file; done 2>/dev/null; head -c 1 /proc/kcore >/dev/null && echo read kcore; true'
  [[ $(brig info -f '{{.SecurityOptions}}') == *name=apparmor* ]]
  brig run -d --name box "${options[@]}" busybox sleep 1000
  run brig exec --privileged box sh -c "$attempts"
  [ "$(grep -v denied <<<"$output")" = $'brig-default (enforce)\nwrote self/comm' ]
  [ "$(profile box)" = brig-default ]
  [[ $(grep brig-default /sys/kernel/security/apparmor/profiles) == *enforce* ]]
  brig rm -f box
  printf brig-default >/sys/kernel/security/apparmor/.remove
  run brig run "${options[@]}" --name box --security-opt apparmor=unconfined busybox sh -c "cat /proc/self/attr/current; mount -t tmpfs x /tmp && echo mounted"
  [ "$output" = $'unconfined\nmounted' ]
  [ "$(profile box)" = unconfined ]
  brig rm box
  [ "$(brig run --rm --privileged busybox cat /proc/self/attr/current)" = unconfined ]
  no grep brig-default /sys/kernel/security/apparmor/profiles
  [ "$(brig run --rm busybox cat /proc/self/attr/current)" = 'brig-default (enforce)' ]
  echo 'profile mine flags=(attach_disconnected) { file, signal, deny /www/** r, }' | apparmor_parser --skip-cache --replace
  run brig run --rm --security-opt apparmor=mine busybox sh -c 'cat /proc/self/attr/current /www/index.html'
  [[ $output == "mine (enforce)"*'Permission denied'* ]]
  run brig run --rm --security-opt apparmor=none-such busybox true
  [ "$status" -eq 125 ]
  [[ $output == *"unable to apply apparmor profile 'none-such': the kernel has none of that name: load it with apparmor_parser"* ]]
}
