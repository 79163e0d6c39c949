#!/usr/bin/env bats
# runtime-process.bats: brig-runtime's processes: terminals, exec, hooks, limits, the command line. Needs root; BRIG_RUNTIME names the binary.

load runtime

# ---- terminal ----

@test "terminal: in the foreground, with its size and /dev/console" {
  config '.process.terminal = true | .process.consoleSize = {height: 30, width: 100}'
  script 'tty; test -t 0 -a -t 1 -a -t 2 && echo three; stat -c %t /dev/console; sh -c "echo x >/dev/tty" && echo controls'
  run command script -qec "'$BRIG_RUNTIME' --root '$suite/state' run --bundle '$bundle' '$id'" /dev/null
  echo "$output"
  [[ $output == */dev/pts/0*three*88*controls* ]]
}

@test "terminal: over the console socket" {
  config '.process.terminal = true'
  script 'tty; echo done'
  go_detached() { brig run --detach --console-socket "$bundle/sock" --bundle "$bundle" "$id"; }
  run brig run --detach --bundle "$bundle" "$id"
  [[ $status -eq 1 && $output == *"console socket"* ]]
  python3 - "$bundle/sock" >"$bundle/out" <<'PY' 3>&- &
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(1)
conn, _ = server.accept()
data, fds, _, _ = socket.recv_fds(conn, 100, 1)
text = b""
try:
    while b"done" not in text:
        text += os.read(fds[0], 1000)
except OSError:
    pass
print(data, text)
PY
  reader=$!
  wait_for test -S "$bundle/sock"
  go_detached
  wait $reader
  [[ $(cat "$bundle/out") == *"/dev/pts/0"*done* ]]
}

# ---- exec ----

@test "exec: in the container's namespaces, cgroup and root; exit code" {
  start_sleeper
  run brig exec "$id" sh -c 'hostname; ls /proc | grep -c "^1$"; cat /proc/self/cgroup /proc/1/cgroup | sort | uniq -c | grep -v " 2 "; exit 9'
  [[ $status -eq 9 && ${lines[0]} == brig && ${lines[1]} == 1 && ${#lines[@]} -eq 2 ]]
}

@test "exec: options" {
  start_sleeper
  run brig exec --user 1000:1000 --cwd /tmp --env A=b -g 44 "$id" sh -c 'id -u; id -G; pwd; echo $A; echo $HOME; grep -E "CapEff|NoNew" /proc/self/status'
  echo "$output"
  [[ $status -eq 0 && ${lines[0]} == 1000 && ${lines[1]} == "1000 44" && ${lines[2]} == /tmp && ${lines[3]} == b && ${lines[4]} == /var/web ]]
  run brig exec --user root "$id" true
  [[ $status -eq 255 && $output == *"in numbers"* ]]
  run brig exec --user 4294967296 "$id" true
  [[ $status -eq 255 ]]
  run brig exec --cwd /nope "$id" true
  [[ $status -eq 255 && $output == *'chdir to cwd ("/nope")'* ]]
  run brig exec "$id" nonesuch
  [[ $status -eq 255 && $output == *'exec: "nonesuch": executable file not found in $PATH'* ]]
}

@test "exec: process document, detached, pid file, terminal" {
  start_sleeper
  jq '.process | .args = ["sleep", "500"]' "$bundle/config.json" >"$bundle/process.json"
  brig exec --process "$bundle/process.json" --detach --pid-file "$bundle/pid" "$id" </dev/null >/dev/null 2>&1
  [[ $(tr '\0' ' ' <"/proc/$(cat "$bundle/pid")/cmdline") == "sleep 500 " ]]
  run command script -qec "'$BRIG_RUNTIME' --root '$suite/state' exec -t '$id' tty" /dev/null
  [[ $output == */dev/pts/0* ]]
}

@test "exec: what a created container has not started cannot hide" {
  brig create --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1
  run brig exec "$id" true
  [[ $status -eq 0 ]]
}

@test "exec: a runtime process in the container is no object for its root" {
  config '.process.capabilities.bounding += ["CAP_SYS_PTRACE"]'
  start_sleeper
  script='while :; do for p in /proc/[0-9]*; do readlink $p/exe; done; done 2>/dev/null | grep -m1 brig-runtime'
  brig exec -d "$id" sh -c "$script" </dev/null >"$bundle/seen" 2>&1
  for round in 1 2 3 4 5 6 7 8 9 10; do brig exec "$id" true; done
  [[ ! -s $bundle/seen ]]
}

@test "the runtime's own file cannot be written from a container" {
  config '.root.readonly = false'
  printf '#!/proc/self/exe\n' >"$bundle/rootfs/bin/trick"; chmod +x "$bundle/rootfs/bin/trick"
  before=$(sha256sum <"$BRIG_RUNTIME")
  start_sleeper
  run brig exec "$id" /bin/trick
  [[ $(sha256sum <"$BRIG_RUNTIME") == "$before" ]]
  pid=$(brig state "$id" | jq .pid)
  brig delete --force "$id"
  # What /proc/self/exe of the runtime is, is read-only: seen from a hook, whose parent it is.
  config '.hooks.createContainer = [{path: "/bin/sh", args: ["sh", "-c", "(echo x >>/proc/$PPID/exe) 2>&1; true"], env: ["PATH=/bin"]}]
    | .hooks.createContainer[0].args[2] = "(echo x >>/proc/$PPID/exe) >'"$bundle"'/said 2>&1; true"'
  in_container 'true'
  [[ $(cat "$bundle/said") == *"Read-only"* || $(cat "$bundle/said") == *"busy"* || $(cat "$bundle/said") == *"denied"* ]]
}

# ---- hooks ----

@test "hooks: all six, in order, with the state" {
  for kind in prestart createRuntime createContainer poststart poststop; do
    config --arg kind $kind --arg out "$bundle/hooks" '.hooks[$kind] = [{path: "/bin/sh", args: ["sh", "-c", "echo \($kind) $(jq -r \"[.id, .status, .pid > 0, .bundle] | @csv\") $X >>\($out)"], env: ["PATH=/usr/bin:/bin", "X=\($kind)-env"]}]'
  done
  config '.root.readonly = false | .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "cat >/started; echo \"$OF_PROCESS\" >/environment"]}] | .process.env += ["OF_PROCESS=inside"]'
  OF_PROCESS=outside in_container 'cat /started /environment'
  echo "$output"; cat "$bundle/hooks"
  [[ $status -eq 0 && $output == *'"status":"created"'*inside ]] # a hook without an environment has the process's
  [[ $(cut -d' ' -f1 "$bundle/hooks" | tr '\n' ' ') == "prestart createRuntime createContainer poststart poststop " ]]
  grep -q "prestart \"$id\",\"created\",true,\"$bundle\" prestart-env" "$bundle/hooks"
  grep -q "poststop \"$id\",\"stopped\",false" "$bundle/hooks"
}

@test "hooks: a failure and a timeout undo the container" {
  config '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "echo bad news; exit 3"]}]'
  go
  [[ $status -eq 1 && $output == *"createRuntime hook #0: error running hook: exit status 3, output: bad news"* ]]
  config '.hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "100"], timeout: 1}]'
  go
  [[ $status -eq 1 && $output == *"did not end within 1 s"* ]]
  run brig state "$id"
  [[ $status -eq 1 ]]
  config '.hooks.createContainer = [{path: "bin/true"}] | del(.hooks.createRuntime)' # in the root it would be the image's
  run brig run --bundle "$bundle" "$id"
  [[ $status -eq 1 && $output == *"hooks.createContainer #0: path 'bin/true' is not absolute"* ]]
  config 'del(.hooks.createContainer)'
  for timeout in 0 -1 18446744074; do
    config '.hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "100"], timeout: '$timeout'}]'
    go
    [[ $status -eq 1 && $output == *"hooks.createRuntime #0: timeout $timeout:"* ]]
  done
  config '.hooks.createRuntime = [{path: "/nonesuch"}]'
  go
  [[ $status -eq 1 && $output == *"/nonesuch"* ]]
}

# ---- limits ----

@test "limits: memory, pids, cpu, cpuset" {
  config '.linux.resources += {memory: {limit: 67108864, reservation: 33554432}, pids: {limit: 20},
    cpu: {shares: 512, quota: 50000, period: 100000, cpus: "0"}} | .linux.cgroupsPath = "/'"$id"'"'
  start_sleeper
  [[ $(cgroup_file memory.limit_in_bytes memory memory.max) == 67108864 ]]
  [[ $(cgroup_file pids.max pids pids.max) == 20 ]]
  [[ $(cgroup_file cpuset.cpus cpuset cpuset.cpus) == 0 ]]
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    [[ $(cgroup_file - - cpu.max) == "50000 100000" && $(cgroup_file - - cpu.weight) == 20 ]]
  else
    [[ $(cat "/sys/fs/cgroup/cpu/$id/cpu.shares") == 512 && $(cat "/sys/fs/cgroup/cpu/$id/cpu.cfs_quota_us") == 50000 ]]
  fi
  run brig exec "$id" sh -c 'grep Cpus_allowed_list /proc/self/status; for i in $(seq 30); do sleep 5 & done; true'
  [[ $output == *"Cpus_allowed_list:"*0* && $output == *"can't fork"* ]]
}

@test "limits: a limit that the kernel refuses is an error, and nothing is left" {
  config '.linux.resources += {cpu: {cpus: "9999"}}'
  go
  [[ $status -eq 1 && $output == *cpuset.cpus* ]]
}

@test "limits: a parent group that was made a moment ago has no processors yet: it gets them" {
  [[ -d /sys/fs/cgroup/cpuset ]] || skip "version 1's cpuset only: version 2 inherits by itself"
  mkdir -p "/sys/fs/cgroup/cpuset/parent-$id/below"
  config '.linux.cgroupsPath = "/parent-'"$id"'/below/'"$id"'"'
  go
  local outcome=$status said=$output
  find /sys/fs/cgroup -maxdepth 3 -depth -type d -path "*/parent-$id*" -exec rmdir {} + 2>/dev/null || :
  [[ $outcome -eq 0 ]] || { echo "$said"; return 1; }
}

@test "limits: devices" {
  config '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 7, access: "r"}]
    | .linux.devices = [{path: "/dev/kmsg", type: "c", major: 1, minor: 11}] | .process.capabilities.bounding += ["CAP_MKNOD"]'
  in_container 'head -c1 /dev/zero >/dev/null && echo zero; cat /dev/kmsg >/dev/null || echo refused'
  [[ $output == *zero* && $output == *refused* ]]
}

@test "a cgroup that is in use is warned of, and its other members are spared" {
  config '.linux.cgroupsPath = "/'"$id"'/shared"'
  start_sleeper
  cp -a "$bundle" "$bundle-b"
  jq '.process.args = ["true"]' "$bundle/config.json" >"$bundle-b/config.json"
  run brig run --bundle "$bundle-b" "$id-b"
  rm -rf "$bundle-b"
  [[ $status -eq 0 && $output == *level=warning*"cgroup is not empty: 1 process(es) found"* ]]
  [[ $(status_of "$id") == running ]]
  brig delete --force "$id"
  find /sys/fs/cgroup -type d -name "$id" -exec rmdir {} + 2>/dev/null || : # other tests' groups end beside; what stays is seen at the end
}

# ---- spec ----

@test "spec: runs as it is, refuses to overwrite, rootless" {
  run "$BRIG_RUNTIME" spec --bundle "$bundle"
  [[ $status -eq 1 && $output == *"exists. Remove it first"* ]]
  rm "$bundle/config.json"
  "$BRIG_RUNTIME" spec --rootless --bundle "$bundle"
  [[ $(jq -r '.linux.uidMappings[0].size' "$bundle/config.json") == 1 ]]
  chown -R 0:0 "$bundle/rootfs"
  config '.process.terminal = false'
  in_container 'id -u'
  echo "$output"
  [[ $status -eq 0 && $output == 0 ]]
}

@test "command line: help, version, unknown words" {
  run brig --version
  [[ $status -eq 0 && $output == *"brig-runtime version"*spec:* ]]
  run brig --help
  [[ $status -eq 0 && $output == *create*delete*exec* ]]
  run brig run --help
  [[ $status -eq 0 && $output == *--bundle* ]]
  run brig nonesuch
  [[ $status -eq 1 && $output == *nonesuch* ]]
  run brig run --nonesuch x
  [[ $status -eq 1 && $output == *--nonesuch* ]]
  run brig state
  [[ $status -eq 1 && $output == *"<container-id>"* ]]
}

@test "user namespace: joined, with the other namespaces below it" {
  chown -R 100000:100000 "$bundle/rootfs"
  config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}]
    | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 1000}]'
  start_sleeper
  pid=$(brig state "$id" | jq .pid)
  cp -a "$bundle" "$bundle-b"
  jq --arg pid "$pid" 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces = [{type: "mount"}, {type: "pid"}, {type: "cgroup"}, {type: "ipc"},
    {type: "uts"}, {type: "user", path: "/proc/\($pid)/ns/user"}, {type: "network", path: "/proc/\($pid)/ns/net"}]
    | .process.args = ["sh", "-c", "readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u; echo pid $$; hostname; echo x >/dev/null"]' \
    "$bundle/config.json" >"$bundle-b/config.json"
  run brig run --bundle "$bundle-b" "$id-b"
  rm -rf "$bundle-b"
  echo "$output"
  [[ $status -eq 0 && ${lines[0]} == "$(readlink "/proc/$pid/ns/user")" && ${lines[1]} == "$(readlink "/proc/$pid/ns/net")" ]]
  [[ ${lines[2]} == 0 && ${lines[3]} == "pid 1" && ${lines[4]} == brig ]]
  run brig exec "$id" id -u
  [[ $status -eq 0 && $output == 0 ]]
}
