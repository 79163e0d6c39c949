#!/usr/bin/env bats
# brig-runtime in the place of runc under the engines that Debian has: dockerd 20.10, containerd 1.6 (ctr) and podman 4.3, each unmodified and in a
# host of its own. One script of commands for all of them; tests/runtimes.bats has the other way round, runc and crun under brigd.

load lib.bash
bats_require_minimum_version 1.5.0

setup() {
  make_host
  # podman takes a hybrid hierarchy of control groups for one that it cannot use.
  on_host umount /sys/fs/cgroup/unified 2>/dev/null || :
  on_host mount -t tmpfs none /run
  runtime=$build/src/runtime/brig-runtime peer_pid=
  [[ -e $suite/busybox.oci ]] || make_busybox_archive
}

teardown() {
  [[ -z $peer_pid ]] || { kill "$peer_pid" && { wait "$peer_pid" || :; }; }
  end_host
}

# peer COMMAND...: a daemon of the other engine.
peer() {
  nsenter --target "$host_pid" --net --mount -- "$@" >"$root/peer.log" 2>&1 3>&- &
  peer_pid=$!
}

# The script, in docker's words: engine runs a command of the engine, pid_in NAME tells a container's first process. Each line is a command, or
# what came of it.
script() {
  local pid group
  # 1 to 10: streams, exit codes, a terminal, what a process is given
  [[ $(engine run --rm busybox echo hello) == hello ]]
  [[ $(echo typed | engine run --rm -i busybox head -n 1) == typed ]]
  run -7 engine run --rm busybox sh -c 'exit 7'
  run ! engine run --rm busybox no-such-program 2>&1
  [[ $output == *no-such-program* ]]
  [[ $(engine run --rm -t busybox tty </dev/null) == */dev/pts/0* ]]
  [[ $(engine run --rm -e WORD=said busybox sh -c 'echo $WORD') == said ]]
  [[ $(engine run --rm -w /tmp busybox pwd) == /tmp ]]
  run engine run --rm --read-only busybox touch /x
  [[ $status -ne 0 && $output == *'Read-only file system'* ]]
  run -0 engine run --rm --cap-drop ALL busybox grep -E 'Cap(Eff|Inh)' /proc/self/status
  [[ $output == *CapInh:*0000000000000000*CapEff:*0000000000000000* ]]
  mkdir "$root/bound" && echo shared >"$root/bound/file"
  [[ $(engine run --rm -v "$root/bound:/b:ro" busybox sh -c 'cat /b/file; touch /b/x 2>/dev/null && echo written') == shared ]]
  # 11 to 13: one that stays, and its place on the host
  run -0 engine run -d --name box -m 64m busybox sleep 1000
  pid=$(pid_in box)
  [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == 'sleep 1000 ' ]]
  group=$(awk -F: '$2 == "memory" { print $3 }' "/proc/$pid/cgroup")
  [[ $(cat "/sys/fs/cgroup/memory$group/memory.limit_in_bytes") -eq $((64 << 20)) ]]
  run -0 engine ps
  [[ $output == *box* ]]
  run engine run -d --name box busybox true
  [[ $status -ne 0 ]]
  # 14 to 17: other processes in it
  [[ $(engine exec box cat /proc/1/comm) == sleep ]]
  run -6 engine exec box sh -c 'exit 6'
  [[ $(engine exec -u 1000 -w /tmp box sh -c 'id -u; pwd') == $'1000\n/tmp' ]]
  [[ $(engine exec -t box tty </dev/null) == */dev/pts/* ]]
  # 18 to 20: held and let go
  run -0 engine pause box
  [[ $(cat "/sys/fs/cgroup/freezer$(awk -F: '$2 == "freezer" { print $3 }' "/proc/$pid/cgroup")/freezer.state") == FROZEN ]]
  run -0 engine unpause box
  [[ $(cat "/sys/fs/cgroup/freezer$(awk -F: '$2 == "freezer" { print $3 }' "/proc/$pid/cgroup")/freezer.state") == THAWED ]]
  run -0 engine top box
  [[ $output == *[0-9]* ]]
  # 21 to 25: its end, and its name again
  run -0 engine kill -s KILL box
  [[ $(engine wait box | tail -1) == 137 ]]
  run -0 engine rm box
  run -0 engine ps -a
  [[ $output != *box* ]]
  [[ ! -e /proc/$pid && ! -e /sys/fs/cgroup/memory$group ]]
  [[ $(engine run --rm --name box busybox echo again) == again ]]
}

@test "dockerd 20.10: 25 commands" {
  mkdir "$root/client"
  peer dockerd --data-root "$root/docker" --exec-root /run/docker -H "unix://$root/docker.sock" --pidfile "$root/docker.pid" --bridge none \
    --add-runtime "brig=$runtime" --default-runtime brig
  engine() { DOCKER_CONFIG=$root/client DOCKER_API_VERSION=1.41 timeout 60 docker -H "unix://$root/docker.sock" "$@"; }
  pid_in() { engine inspect -f '{{.State.Pid}}' "$1"; }
  answers() { engine version >/dev/null 2>&1; }
  wait_until answers
  engine load -q -i "$suite/busybox.oci"
  [[ $(engine info -f '{{.DefaultRuntime}}') == brig ]]
  script
}

@test "podman 4.3: 25 commands" {
  mkdir -p "$root"/podman/{store,run,tmp}
  printf '[containers]\nnetns = "none"\nlog_driver = "k8s-file"\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >"$root/podman/containers.conf"
  engine() {
    on_host env "CONTAINERS_CONF=$root/podman/containers.conf" "TMPDIR=$root/podman/tmp" timeout 60 podman --root "$root/podman/store" --runroot "$root/podman/run" \
      --tmpdir "$root/podman/tmp" --runtime "$runtime" --storage-driver vfs "$@"
  }
  pid_in() { engine inspect -f '{{.State.Pid}}' "$1"; }
  engine load -q -i "$suite/busybox.oci"
  script
}

# ctr has words of its own: the options and commands of the script in them.
ctr_engine() {
  local command=$1 words=() cap terminal= name=one; shift
  # ctr's own terminal has to be one where the container's is.
  c() {
    local words=(nsenter --target "$host_pid" --net --mount -- timeout --foreground 60 ctr "$@")
    if [[ $terminal ]]; then timeout 60 script -qefc "$(printf '%q ' "${words[@]}")" /dev/null; else "${words[@]}"; fi
  }
  case $command in
    run)
      while [[ $1 == -* ]]; do
        case $1 in
          --rm) words+=(--rm) ;;
          -i) ;;
          -d) words+=(-d) ;;
          -t) words+=(-t); terminal=1 ;;
          -e) words+=(--env "$2"); shift ;;
          -w) words+=(--cwd "$2"); shift ;;
          -m) words+=(--memory-limit $((${2%m} << 20))); shift ;;
          --read-only) words+=(--read-only) ;;
          --name) name=$2; shift ;;
          --cap-drop) for cap in CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE; do words+=(--cap-drop "CAP_$cap"); done; shift ;;
          -v) words+=(--mount "type=bind,src=${2%%:*},dst=/b,options=rbind:ro"); shift ;;
        esac
        shift
      done
      c run --seccomp --runc-binary "$runtime" "${words[@]}" "docker.io/library/$1:latest" "$name" "${@:2}" ;;
    exec)
      while [[ $1 == -* ]]; do
        case $1 in
          -u) words+=(--user "$2"); shift ;;
          -w) words+=(--cwd "$2"); shift ;;
          -t) words+=(-t); terminal=1 ;;
        esac
        shift
      done
      c task exec --exec-id "exec$RANDOM" "${words[@]}" "$@" ;;
    ps) [[ ${1:-} == -a ]] && c container ls || c task ls ;;
    pause) c task pause "$1" ;;
    unpause) c task resume "$1" ;;
    top) c task ps "$1" ;;
    kill) c task kill -s "$2" "$3" ;;
    wait) wait_until task_stopped "$1"; run c task rm "$1"; grep -oE '[0-9]+' <<<"$output" | tail -1 ;;
    rm) c container rm "$1" ;;
  esac
}
task_stopped() { on_host ctr task ls | grep -q "^$1 .*STOPPED"; }

@test "containerd 1.6 with ctr: 25 commands" {
  peer containerd --root "$root/containerd" --state /run/containerd --address /run/containerd/containerd.sock
  answers() { on_host ctr version >/dev/null 2>&1; }
  wait_until answers
  on_host ctr images import --no-unpack "$suite/busybox.oci" >/dev/null
  engine() { ctr_engine "$@"; }
  pid_in() { on_host ctr task ls | awk -v name="$1" '$1 == name { print $2 }'; }
  script
}
