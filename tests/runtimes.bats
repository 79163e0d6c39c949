# runc and crun under brigd, in place of its own runtime: one script of commands for each pairing, brig's own among them.

load lib.bash
bats_require_minimum_version 1.5.0

setup_file() {
  make_host
  # Debian's crun takes a hybrid hierarchy for one that it cannot use.
  on_host umount /sys/fs/cgroup/unified 2>/dev/null || :
  cat >"$root/daemon.json" <<JSON
{"runtimes": {"crun": {"path": "/usr/bin/crun"}, "oldrunc": {"path": "runc", "runtimeArgs": ["--debug"]}}}
JSON
  start_daemon --config-file "$root/daemon.json"
  export root host_pid daemon_pid DOCKER_HOST BRIG_HOST
  load_busybox
}

teardown_file() { end_host; }

running() { [[ $(brig inspect -f '{{.State.Running}}' "$1") == "$2" ]]; }

# The script: each line is one command, or what came of it.
script() {
  local r=(--runtime "$1") c=box-$1 gone
  # streams, exit codes, terminals
  [[ $(brig run --rm "${r[@]}" busybox echo hello) == hello ]]
  [[ $(echo hello | brig run -i --rm "${r[@]}" busybox sh -c 'wc -c; echo after') == $'6\nafter' ]]
  run -7 brig run --rm "${r[@]}" busybox sh -c 'exit 7'
  [[ $(brig run --rm -t "${r[@]}" busybox tty) == /dev/pts/* ]]
  run -127 brig run --rm "${r[@]}" busybox no-such-program
  run -126 brig run --rm "${r[@]}" busybox /etc/passwd
  [[ $(docker run --rm "${r[@]}" busybox echo docker) == docker ]]
  # what it is given
  run -0 brig run --rm "${r[@]}" -u 1000:1000 -w /tmp -e WORD=said -h there --cap-drop ALL -m 32m --pids-limit 50 --tmpfs /t --read-only busybox \
    sh -c 'id -u; pwd; echo $WORD; hostname; grep -E "CapBnd|Seccomp:|NoNewPrivs" /proc/self/status; touch /x 2>&1; grep " /t " /proc/mounts'
  echo "$output"
  [[ ${lines[0]} == 1000 && ${lines[1]} == /tmp && ${lines[2]} == said && ${lines[3]} == there && $output == *"0000000000000000"*Seccomp:*2*"Read-only file system"*tmpfs* ]]
  brig volume create "v-$1" >/dev/null
  brig run --rm "${r[@]}" -v "v-$1:/v" busybox sh -c 'echo kept >/v/file'
  [[ $(brig run --rm "${r[@]}" -v "v-$1:/v:ro" busybox cat /v/file) == kept ]]
  run -0 brig run --rm "${r[@]}" busybox sh -c 'ip -4 addr show eth0; ping -c 1 -w 5 172.17.0.1 >/dev/null && echo reached'
  [[ $output == *172.17.0.*reached* ]]
  # a life
  brig run -d --name "$c" "${r[@]}" busybox sh -c 'trap "echo stopping; exit 4" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
  wait_until eval "brig logs $c | grep -q up"
  [[ $(brig inspect -f '{{.HostConfig.Runtime}}' "$c") == "$1" ]]
  [[ $(brig exec "$c" cat /proc/1/comm) == sh ]]
  run -5 brig exec "$c" sh -c 'exit 5'
  [[ $(echo words | brig exec -i -u 1000 -w /tmp -e A=b "$c" sh -c 'id -u; pwd; echo $A; cat') == $'1000\n/tmp\nb\nwords' ]]
  [[ $(brig exec -t "$c" tty) == /dev/pts/* ]]
  run -126 brig exec "$c" no-such-program
  brig exec -d "$c" sh -c 'echo from-exec >/proc/1/fd/1'
  wait_until eval "brig logs $c | grep -q from-exec"
  [[ $(brig top "$c") == *"while :"* ]]
  brig pause "$c"
  [[ $(brig inspect -f '{{.State.Status}}' "$c") == paused ]]
  brig unpause "$c"
  # brigd is gone for a while
  gone=$(cat "$root/brigd.pid")
  kill_daemon
  wait_until process_is_gone "$gone" # another test may have started it
  start_daemon --config-file "$root/daemon.json"
  [[ $(brig exec "$c" echo still) == still ]]
  brig stop "$c"
  [[ $(brig inspect -f '{{.State.ExitCode}}' "$c") == 4 && $(brig logs "$c") == *stopping* ]]
  brig start "$c"
  brig restart -t 5 "$c"
  running "$c" true
  brig kill -s KILL "$c"
  [[ $(brig wait "$c") == 137 ]]
  brig rm "$c"
  brig run -d --name "$c" "${r[@]}" --restart on-failure:2 busybox false >/dev/null
  wait_until eval "[[ \$(brig inspect -f '{{.RestartCount}} {{.State.Status}}' $c) == '2 exited' ]]"
  brig rm "$c"
  brig run -d --name "$c" "${r[@]}" busybox sleep 600 >/dev/null
  [[ $(brig run --rm "${r[@]}" --pid "container:$c" busybox sh -c 'ps | grep -c "[s]leep 600"') == 1 ]]
  # Its monitor is killed: nothing of it is left, and it starts again.
  kill -KILL "$(awk '{print $4}' "/proc/$(pid_of "$c")/stat")"
  wait_until running "$c" false
  brig start "$c"
  running "$c" true
  brig rm -f "$c"
  brig volume rm "v-$1"
  [[ -z $(find /sys/fs/cgroup -path "*/brig-test-$host_pid/*" -type d 2>/dev/null) ]]
}

@test "brig's own" { script runc; }
@test "runc" { script oldrunc; }
@test "crun" { script crun; }

@test "info lists them; a name that is none is refused" {
  [[ $(brig info -f '{{range $name, $one := .Runtimes}}{{$name}} {{end}}{{.DefaultRuntime}}') == "crun oldrunc runc runc" ]]
  run -125 brig run --rm --runtime none busybox true
  [[ $output == *"Unknown runtime specified none"* || $output == *"unknown or invalid runtime name: none"* ]]
}

@test "SIGHUP: another default, and one that went away" {
  brig create --name old --runtime oldrunc busybox true >/dev/null
  echo '{"runtimes": {"crun": {"path": "/usr/bin/crun"}}, "default-runtime": "crun"}' >"$root/daemon.json"
  kill -HUP "$(cat "$root/brigd.pid")"
  wait_until eval '[[ $(brig info -f "{{.DefaultRuntime}}") == crun ]]'
  brig run --name new busybox true
  [[ $(brig inspect -f '{{.HostConfig.Runtime}}' new) == crun ]]
  run -1 brig start old
  [[ $output == *"unknown or invalid runtime name: oldrunc"* ]]
  brig rm old new
}

@test "a runtime that is not there, and one that only fails" {
  printf '#!/bin/sh\necho nothing >&2\nexit 1\n' >"$root/broken"
  chmod +x "$root/broken"
  stop_daemon
  start_daemon --add-runtime gone=/no/such --add-runtime "broken=$root/broken" --default-runtime broken
  run -125 brig run --rm --runtime gone busybox true
  [[ $output == *"the runtime 'gone' of container "*" is not at '/no/such'"* ]]
  run -125 brig run --rm busybox true
  [[ $output == *"$root/broken create: it failed and did not say why"* ]]
}
