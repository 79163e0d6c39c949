#!/usr/bin/env bats
# runtime-commands.bats: what brig-runtime has of runc beyond making containers: update, events, features, exec's groups, seccomp's agents,
# clocks, schedulers; each was led by a test of runc's own suite (tests/suites/runc) or of runtime-tools. Needs root. About ten seconds.

setup_file() {
  top=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  BRIG_RUNTIME=$(realpath "${BRIG_RUNTIME:-${BRIG_BUILD:-$top/build}/src/runtime/brig-runtime}")
  suite=$(mktemp -d "${TMPDIR:-/tmp}/brig-runtime-test.XXXXXX")
  export BRIG_RUNTIME suite
  load sanitizer
  report_to "$suite"
  mkdir -p "$suite/rootfs"/{bin,etc,tmp,proc,sys,dev}
  cp /bin/busybox "$suite/rootfs/bin/busybox"
  for name in $(/bin/busybox --list); do [[ $name == busybox ]] || ln -s busybox "$suite/rootfs/bin/$name"; done
  chmod 755 "$suite" "$suite/rootfs"
}

teardown_file() {
  local status=0
  load sanitizer
  sanitizer_reports "$suite" || status=1
  rm -rf --one-file-system "$suite"
  return $status
}

setup() {
  id=c$BATS_TEST_NUMBER-$$
  bundle=$suite/$id
  mkdir -p "$bundle"
  cp -a "$suite/rootfs" "$bundle/rootfs"
  "$BRIG_RUNTIME" spec --bundle "$bundle"
  config '.process.terminal = false'
}

teardown() {
  brig list -q | while read -r left; do brig delete --force "$left"; done
  [[ -z $(find /sys/fs/cgroup -type d -name "*$id*" -print -quit) ]]
  rm -rf --one-file-system "$bundle"
}

brig() { "$BRIG_RUNTIME" --root "$suite/state" "$@"; }
config() { jq "$@" "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"; }
script() { config --arg text "$1" '.process.args = ["sh", "-c", $text]'; }
go() { run timeout 20 "$BRIG_RUNTIME" --root "$suite/state" run --bundle "$bundle" "$id"; }
in_container() { script "$1"; go; }
start_sleeper() {
  config '.process.args = ["sleep", "1000"]'
  brig run --detach --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1
}
v2() { [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; }
# group V1-CONTROLLER V1-FILE V2-FILE: what stands in the container's file.
group() { if v2; then cat "/sys/fs/cgroup/$id/$3"; else cat "/sys/fs/cgroup/$1/$id/$2"; fi; }

@test "update: options, a document, and what is not named stays" {
  config '.linux.resources.memory = {limit: 33554432} | .linux.resources.pids = {limit: 20} | .linux.resources.cpu = {quota: 50000, period: 100000}'
  start_sleeper
  brig update "$id" --memory 64M --pids-limit 30
  [[ $(group memory memory.limit_in_bytes memory.max) == 67108864 && $(group pids pids.max pids.max) == 30 ]]
  brig update --cpu-period 200000 "$id"
  if v2; then [[ $(group cpu x cpu.max) == "50000 200000" ]]; else [[ $(group cpu cpu.cfs_quota_us x) == 50000 && $(group cpu cpu.cfs_period_us x) == 200000 ]]; fi
  brig update -r - "$id" <<<'{"pids": {"limit": -1}}'
  [[ $(group pids pids.max pids.max) == max && $(group memory memory.limit_in_bytes memory.max) == 67108864 ]]
  run brig update "$id" --memory 1x
  [[ $status -eq 1 && $output == *"memory: '1x' is not a number of bytes"* ]]
  run brig update "$id" --l3-cache-schema x
  [[ $status -eq 1 && $output == *"Intel RDT is not done"* ]]
}

@test "events: one report, and a death for want of memory" {
  config '.linux.resources.memory = {limit: 16777216}'
  start_sleeper
  run brig events --stats "$id"
  [[ $status -eq 0 ]]
  jq -e '.type == "stats" and .data.memory.usage.limit == 16777216 and .data.pids.current >= 1 and .data.cpu.usage.total > 0' <<<"$output"
  run brig events --interval 0s "$id"
  [[ $status -eq 1 && $output == *"greater than 0"* ]]
  timeout 30 "$BRIG_RUNTIME" --root "$suite/state" events --interval 50ms "$id" >"$bundle/events" 3>&- &
  watcher=$!
  until [[ -s $bundle/events ]]; do read -rt 0.02 <> <(:) || :; done
  run brig exec "$id" sh -c 'head -c 60000000 /dev/zero | tail' # tail keeps it all
  until grep -q '"type":"oom"' "$bundle/events"; do read -rt 0.02 <> <(:) || :; done
  brig delete --force "$id"
  wait "$watcher"
}

@test "features: the document of the specification" {
  run brig features
  jq -e '.ociVersionMax == "1.3.0" and (.hooks | length) == 6 and (.mountOptions | index("rro")) and (.linux.namespaces | index("time"))
    and (.linux.capabilities | index("CAP_BPF")) and (.linux.seccomp.actions | index("SCMP_ACT_NOTIFY")) and .linux.cgroup.v2' <<<"$output"
}

@test "exec --cgroup: a group below the container's, and no other" {
  config '.linux.cgroupsPath = "/'"$id"'" | .mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)'
  start_sleeper
  run brig exec --cgroup .. "$id" true
  [[ $status -eq 255 && $output == *" .. is not a sub cgroup path"* ]]
  run brig exec --cgroup nonesuch "$id" true
  [[ $status -eq 255 && $output == *"adding pid"*"/nonesuch/cgroup.procs: no such file"* ]]
  brig exec "$id" sh -c 'mkdir /sys/fs/cgroup/memory/below 2>/dev/null || mkdir /sys/fs/cgroup/below'
  if v2; then sub=below; else sub=memory:below; fi
  run brig exec --cgroup $sub "$id" cat /proc/self/cgroup
  [[ $status -eq 0 && $output == *"/$id/below"* || $output == "0::/below" ]]
  brig exec "$id" sh -c 'rmdir /sys/fs/cgroup/memory/below 2>/dev/null || rmdir /sys/fs/cgroup/below'
}

@test "exec --ignore-paused: runs once the container is resumed" {
  start_sleeper
  brig pause "$id"
  run brig exec "$id" true
  [[ $status -eq 255 && $output == *paused* ]]
  timeout 20 "$BRIG_RUNTIME" --root "$suite/state" exec --ignore-paused "$id" echo ran >"$bundle/said" 3>&- &
  brig resume "$id"
  wait $!
  [[ $(cat "$bundle/said") == ran ]]
}

@test "a group that somebody froze is refused, and nothing waits for it" {
  if v2; then dir=/sys/fs/cgroup/$id file=cgroup.freeze word=1; else dir=/sys/fs/cgroup/freezer/$id file=freezer.state word=FROZEN; fi
  mkdir "$dir"
  echo $word >"$dir/$file"
  config '.linux.cgroupsPath = "/'"$id"'"'
  in_container true
  rmdir "$dir"
  [[ $status -eq 1 && $output == *"cgroup unexpectedly frozen"* ]]
}

# An agent that lets mkdir fail with ENOTEMPTY, 39: takes one descriptor and one call. Its socket has its name once it listens; $agent is its
# process, as $! is the process substitution's after the loop.
agent() {
  python3 - "$1" >"$bundle/agent" 3>&- <<'PYTHON' &
import array, fcntl, json, os, socket, struct, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1] + ".new")
server.listen()
os.rename(sys.argv[1] + ".new", sys.argv[1])
peer, _ = server.accept()
text, fds, _, _ = socket.recv_fds(peer, 65536, 1)
state = json.loads(text)
print(state["fds"], state["metadata"], state["pid"] > 0, state["state"]["status"], flush=True)
call = bytearray(80)
fcntl.ioctl(fds[0], 0xC0502100, call)
fcntl.ioctl(fds[0], 0xC0182101, bytearray(call[:8]) + struct.pack("qiI", 0, -39, 0))
PYTHON
  agent=$!
  until [[ -S $1 ]]; do read -rt 0.02 <> <(:) || :; done
}

@test "seccomp: an agent answers for calls, of init and of exec, with and without no_new_privs" {
  for privileges in true false; do
    agent "$bundle/agent.sock"
    config --arg path "$bundle/agent.sock" --argjson no $privileges '.process.noNewPrivileges = $no | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
      listenerPath: $path, listenerMetadata: "mine", syscalls: [{names: ["mkdir", "close", "openat"], action: "SCMP_ACT_NOTIFY"}]}'
    config '.linux.seccomp.syscalls[0].names = ["mkdir"]'
    in_container 'mkdir /dev/shm/x'
    wait "$agent"
    rm "$bundle/agent.sock"
    [[ $status -eq 1 && $output == *"Directory not empty"* && $(cat "$bundle/agent") == "['seccompFd'] mine True creating" ]]
  done
  agent "$bundle/agent.sock"
  start_sleeper_with_agent() { config '.process.args = ["sleep", "1000"]'; brig run --detach --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1; }
  start_sleeper_with_agent
  rm "$bundle/agent.sock"
  kill "$agent" && wait "$agent" || :
  agent "$bundle/agent.sock"
  run brig exec "$id" mkdir /dev/shm/y
  wait "$agent"
  [[ $status -eq 1 && $output == *"Directory not empty"* && $(cat "$bundle/agent") == *running ]]
}

@test "seccomp: an agent that is missing, unnamed, or asked for write, is an error" {
  config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}'
  in_container true
  [[ $status -eq 1 && $output == *"listenerPath: must be given"* ]]
  config '.linux.seccomp.listenerPath = "/nonesuch"'
  go
  [[ $status -eq 1 && $output == *"failed to connect with seccomp agent"* ]]
  config '.linux.seccomp.syscalls[0].names = ["write"]'
  go
  [[ $status -eq 1 && $output == *"cannot be used for the write syscall"* ]]
}

@test "seccomp: a filter that forbids close_range, and one that startContainer hooks are under" {
  config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["close_range"], action: "SCMP_ACT_ERRNO", errnoRet: 38}]}'
  in_container 'ls /proc/self/fd | wc -l'
  [[ $status -eq 0 && $output == 4 ]]
  config '.linux.seccomp.syscalls = [{names: ["mkdir"], action: "SCMP_ACT_KILL_PROCESS"}]
    | .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "mkdir /dev/shm/x"]}]'
  go
  [[ $status -eq 1 && $output == *"error running hook: signal: bad system call"* ]]
}

@test "time namespace: the clocks are set apart" {
  config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 864000000}}'
  in_container 'cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time'
  [[ $status -eq 0 && ${lines[0]} -gt 864000000 && ${lines[1]} != "$(readlink /proc/self/ns/time)" ]]
  config '.linux.timeOffsets = {realtime: {secs: 1}}'
  go
  [[ $status -eq 1 && $output == *"'realtime' is neither"* ]]
  config '.linux.namespaces |= map(select(.type != "time")) | .linux.timeOffsets = {boottime: {secs: 1}}'
  go
  [[ $status -eq 1 && $output == *"time namespace is needed"* ]]
}

@test "scheduler, priority of block I/O, personality, processors of exec" {
  config '.process.scheduler = {policy: "SCHED_BATCH", nice: 5} | .process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0} | .linux.personality = {domain: "LINUX32"}'
  in_container 'cut -d" " -f19,41 /proc/self/stat; ionice -p 0; uname -m'
  [[ $status -eq 0 && $output == "5 3"*idle*i686 ]]
  config '.process.scheduler.policy = "SCHED_X"'
  go
  [[ $status -eq 1 && $output == *"process.scheduler.policy: 'SCHED_X' is not known"* ]]
  config 'del(.process.scheduler, .linux.personality)'
  start_sleeper
  jq '.process | .args = ["grep", "Cpus_allowed_list", "/proc/self/status"] | .execCPUAffinity = {final: "0"}' "$bundle/config.json" >"$bundle/process.json"
  run brig exec --process "$bundle/process.json" "$id"
  [[ $status -eq 0 && $output == *:*0 ]]
}

@test "a tmpfs that is read-only holds what is mounted on it" {
  config '.mounts |= map(if .destination == "/dev" then .options += ["ro"] else . end)'
  in_container 'grep " /dev " /proc/mounts; touch /dev/x 2>&1; ls /dev/pts/ptmx'
  [[ $status -eq 0 && $output == *" ro,"*Read-only*ptmx* ]]
}

@test "binds: a directory goes onto no file and no file onto a directory; only a procfs onto /proc" {
  mkdir "$bundle/folder" && touch "$bundle/file" "$bundle/rootfs/etc/file"
  bind() { config --arg from "$1" --arg to "$2" '.root.readonly = false | .mounts = [.mounts[] | select(.type != "bind" and .destination != $to)] + [{destination: $to, type: "bind", source: $from, options: ["bind"]}]'; go; echo "$output"; }
  config '.process.args = ["true"]'
  bind "$bundle/folder" /etc/file
  [[ $status -eq 1 && $output == *'to rootfs at "/etc/file": not a directory: Are you trying to mount a directory onto a file (or vice-versa)?'* ]]
  bind "$bundle/file" /etc
  [[ $status -eq 1 && $output == *'to rootfs at "/etc": not a directory:'* ]]
  bind /proc /proc # as engines' --pid host may have it
  [[ $status -eq 0 ]]
  bind "$bundle/folder" /proc
  [[ $status -eq 1 && $output == *'"/proc" cannot be mounted because it is not of type proc'* ]]
  config '(.mounts[] | select(.destination == "/proc")).type = "proc"' # a bind's type says nothing
  go
  [[ $status -eq 1 && $output == *'"/proc" cannot be mounted because it is not of type proc'* ]]
  ln -s proc "$bundle/rootfs/other"
  config '(.mounts[] | select(.destination == "/proc")) |= (.type = "bind" | .destination = "/other")'
  go
  [[ $status -eq 1 && $output == *'"/other" cannot be mounted because it is not of type proc'* ]]
  config '.mounts = [.mounts[] | select(.destination != "/other")] + [{destination: "/proc", type: "tmpfs", source: "tmpfs"}]'
  go
  [[ $status -eq 1 && $output == *'not of type proc'* ]]
}

@test "--no-pivot: the host's procfs lets nobody inside mount another" {
  config '.process.args = ["unshare", "-mrpf", "sh", "-c", "mount -t proc none /proc && echo mounted"] | .process.capabilities.bounding += ["CAP_SETFCAP"] | .process.capabilities.permitted += ["CAP_SETFCAP"]'
  run timeout 20 "$BRIG_RUNTIME" --root "$suite/state" run --no-pivot --bundle "$bundle" "$id"
  [[ $status -eq 1 && $output == *"mount: permission denied"* ]]
  grep -q ' /proc proc ' /proc/mounts
}

@test "hooks that enter the namespace find the root at its own path, and createContainer runs in it" {
  config --arg root "$bundle/rootfs" '.root.readonly = false | .hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c",
      "pid=$(jq .pid) && nsenter -m -t $pid mount -t tmpfs mine \($root)/tmp && nsenter -m -t $pid touch \($root)/tmp/seen"]}]
    | .hooks.createContainer = [{path: "/bin/sh", args: ["sh", "-c", "touch tmp/there"]}]'
  in_container 'ls /tmp; grep -c " /tmp " /proc/mounts'
  echo "$output"
  [[ $status -eq 0 && $output == seen*there*1 && ! -e $bundle/rootfs/tmp/seen ]]
}

@test "a mount namespace by its path" {
  unshare --mount sh -c 'echo $$ >"$1"; exec sleep 100' sh "$bundle/pid" 3>&- &
  until [[ -s $bundle/pid && $(cat "/proc/$(cat "$bundle/pid")/comm") == sleep ]]; do read -rt 0.02 <> <(:) || :; done
  other=/proc/$(cat "$bundle/pid")/ns/mnt
  config --arg path "$other" '.linux.namespaces |= map(if .type == "mount" then .path = $path else . end)'
  in_container 'readlink /proc/self/ns/mnt'
  echo "$output"
  [[ $status -eq 0 && $output == "$(readlink "$other")" ]]
  kill "$(cat "$bundle/pid")"
}

@test "--debug tells in the log; options may follow the id" {
  config '.process.args = ["true"]'
  brig --debug --log "$bundle/log" --log-format json run "$id" --bundle "$bundle"
  [[ $(jq -r 'select(.level == "debug") | .msg' "$bundle/log" | wc -l) -ge 3 ]]
}
