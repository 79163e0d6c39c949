#!/usr/bin/env bats
# runtime.bats: brig-runtime on bundles of its own: every feature of the document that it takes, and what it refuses. Needs root.
# BRIG_RUNTIME names the binary.

load runtime

# ---- running ----

@test "run: output and exit code are the program's" {
  in_container 'echo out; echo err >&2; exit 7'
  [[ $status -eq 7 && $output == *out* && $output == *err* ]]
}

@test "run: a signal's exit code is 128 and its number" {
  in_container 'trap "kill -9 0" EXIT; (kill -9 $$); sh -c "kill -TERM \$\$"'
  [[ $status -eq 143 || $status -eq 137 ]]
}

@test "run: under a parent that ignores its children's ends" {
  script 'exit 7'
  config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["swapon"], action: "SCMP_ACT_ERRNO"}]}'
  run bash -c "trap '' CHLD; exec \"\$@\"" - "$BRIG_RUNTIME" --root "$suite/state" run --bundle "$bundle" "$id"
  [ "$status" -eq 7 ]
}

@test "run: standard input reaches the program" {
  script 'read line; echo "got $line"'
  output=$(echo hello | brig run --bundle "$bundle" "$id")
  [[ $output == "got hello" ]]
}

@test "life: create, state, start, kill, delete" {
  config '.process.args = ["sleep", "1000"]'
  brig create --bundle "$bundle" --pid-file "$bundle/pid" "$id" </dev/null >/dev/null 2>&1
  [[ $(status_of "$id") == created ]]
  [[ $(brig state "$id" | jq .pid) == "$(cat "$bundle/pid")" ]]
  brig start "$id"
  [[ $(status_of "$id") == running ]]
  run brig start "$id"
  [[ $status -eq 1 && $output == *"already running"* ]]
  run brig delete "$id"
  [[ $status -eq 1 && $output == *"not stopped: running"* ]]
  brig kill "$id" KILL
  wait_for has_status "$id" stopped
  [[ $(brig state "$id" | jq .pid) == 0 ]]
  run brig kill "$id"
  [[ $status -eq 1 && $output == *"not running"* ]]
  brig delete "$id"
  run brig state "$id"
  [[ $status -eq 1 && $output == *"does not exist"* ]]
}

@test "run --detach returns at once; list and ps show the container" {
  config '.process.args = ["sleep", "1000"]'
  brig run --detach --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1
  [[ $(brig list -q) == "$id" ]]
  [[ $(brig list | tail -1) == "$id"*running* ]]
  [[ $(brig list -f json | jq -r '.[0].status') == running ]]
  [[ $(brig ps -f json "$id") == "[$(brig state "$id" | jq .pid)]" ]]
  [[ $(brig ps "$id" | head -1) == *UID*PID*CMD* && $(brig ps "$id" | tail -1) == *sleep\ 1000* && $(brig ps "$id" | wc -l) -eq 2 ]]
  [[ $(brig ps "$id" -o pid,stat | tail -1) == *"$(brig state "$id" | jq .pid)"*S* ]]
  brig delete --force "$id"
}

@test "delete --force: of a created container, and of none" {
  brig create --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1
  brig delete --force "$id"
  brig delete --force "$id"
  run brig delete "$id"
  [[ $status -eq 1 ]]
}

@test "an id is taken once; its form is checked" {
  start_sleeper
  run brig run --bundle "$bundle" "$id"
  [[ $status -eq 1 && $output == *"exists"* ]]
  run brig run --bundle "$bundle" ../x
  [[ $status -eq 1 && $output == *"invalid container ID format"* ]]
}

@test "pause and resume" {
  start_sleeper
  brig pause "$id"
  [[ $(status_of "$id") == paused ]]
  run brig exec "$id" true
  [[ $status -ne 0 && $output == *paused* ]]
  brig resume "$id"
  [[ $(status_of "$id") == running ]]
}

@test "a process that has the number of a container's by now is a stranger, and lives" {
  start_sleeper
  brig kill "$id" KILL
  wait_for has_status "$id" stopped
  sleep 1000 3>&- &
  local stranger=$! record
  children+=("$stranger")
  record=$(grep -rl startTime "$suite/state/$id")
  jq --argjson pid "$stranger" '.pid = $pid' "$record" >"$bundle/record" && cat "$bundle/record" >"$record"
  [[ $(status_of "$id") == stopped ]]
  run brig kill "$id" KILL
  [[ $status -eq 1 && $output == *"not running"* ]]
  brig delete --force "$id"
  kill -0 "$stranger"
}

@test "kill --all reaches every process" {
  script 'sleep 1000 & sleep 1000 & wait'
  brig run -d --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1
  two_children() { [[ $(brig ps -f json "$id" | jq length) -eq 3 ]]; }
  wait_for two_children
  brig kill --all "$id" TERM
  nobody() { [[ $(brig ps -f json "$id" | jq length) -le 1 ]]; }
  wait_for nobody
  brig kill --all "$id" KILL
  wait_for has_status "$id" stopped
}

# ---- errors, in words that Docker's clients match ----

@test "a program that is not there" {
  config '.process.args = ["nonesuch"]'
  go
  [[ $status -eq 1 && $output == *'exec: "nonesuch": executable file not found in $PATH'* ]]
  run brig create --bundle "$bundle" "$id" # whoever creates and starts learns it at once, as with runc
  [[ $status -ne 0 && $output == *'exec: "nonesuch": executable file not found in $PATH'* ]]
  run brig state "$id"
  [[ $status -ne 0 ]]
  config '.process.args = ["/nonesuch"]'
  go
  [[ $status -eq 1 && $output == *'exec: "/nonesuch": stat /nonesuch: no such file or directory'* ]]
  config '.process.args = ["/etc/passwd"]'
  go
  [[ $status -eq 1 && $output == *'exec: "/etc/passwd": permission denied'* ]]
  config '.process.args = ["/etc"]'
  go
  [[ $status -eq 1 && $output == *'exec: "/etc": is a directory'* ]]
}

@test "a program that the kernel cannot run" {
  printf 'no format' >"$bundle/rootfs/bin/bad"; chmod +x "$bundle/rootfs/bin/bad"
  config '.process.args = ["/bin/bad"]'
  go
  [[ $status -eq 1 && $output == *'exec format error'* ]]
}

@test "a working directory: made where it is missing, an error where it is none or forbidden" {
  config '.process.cwd = "/made/for/it"'
  in_container pwd
  [[ $status -eq 0 && $output == /made/for/it ]]
  config '.process.cwd = "/etc/passwd"'
  go
  [[ $status -eq 1 && $output == *'chdir to cwd ("/etc/passwd") set in config.json failed: not a directory'* ]]
  # The runtime may put a program where it could not go itself, as runc does.
  mkdir "$bundle/rootfs/closed"; chmod 700 "$bundle/rootfs/closed"
  config '.process.cwd = "/closed" | .process.user = {uid: 1000, gid: 1000}'
  in_container 'ls . 2>/dev/null || echo closed; pwd'
  [[ $status -eq 0 && $output == closed*/closed ]]
}

@test "--log gets the error as JSON" {
  config '.process.args = ["nonesuch"]'
  run brig --log "$bundle/log" --log-format json run --bundle "$bundle" "$id"
  [[ $(jq -r .level "$bundle/log") == error && $(jq -r .msg "$bundle/log") == *"not found in \$PATH"* ]]
}

@test "documents that make no sense are refused by the field's name" {
  refuse() { # FILTER WORDS
    cp "$bundle/config.json" "$bundle/kept"
    config "$1"
    go
    mv "$bundle/kept" "$bundle/config.json"
    [[ $status -eq 1 && $output == *"$2"* ]] || { echo "$1: $status $output"; return 1; }
  }
  refuse '.process.args = []' process.args
  refuse '.process.cwd = "x"' 'absolute path'
  refuse '.process.capabilities.bounding = ["CAP_NONE"]' CAP_NONE
  refuse '.process.rlimits[0].type = "RLIMIT_X"' RLIMIT_X
  refuse '.process.rlimits += [.process.rlimits[0]]' twice
  refuse '.linux.namespaces += [{type: "pid"}]' twice
  refuse '.linux.namespaces |= map(select(.type != "uts"))' 'UTS namespace'
  refuse '.linux.namespaces |= map(select(.type != "mount"))' 'mount namespace'
  refuse '.linux.namespaces += [{type: "x"}]' "'x'"
  refuse '.linux.sysctl = {"kernel.panic": "1"}' 'kernel.panic'
  # ".." in either form: what begins in a namespace of the container's leads to the whole host's.
  for name in net.//.kernel.panic net/../kernel/panic net..kernel.panic fs.mqueue.//.//.kernel.panic; do
    refuse '.linux.sysctl = {"'"$name"'": "0"}' "'$name'"
  done
  refuse '.linux.sysctl = {"net.ipv4.ip_forward": "1"} | .linux.namespaces |= map(select(.type != "network"))' 'net.ipv4.ip_forward'
  refuse '.linux.uidMappings = [{containerID: 0, hostID: 1, size: 1}]' 'user namespace'
  refuse '.linux.rootfsPropagation = "x"' rootfsPropagation
  refuse '.root = null' root
  refuse '.root.path = "none"' "root 'none'"
  refuse '.ociVersion = "9"' ociVersion
  refuse '.process.user.uid = -1' uid
  refuse '.mounts += [{destination: "relative", type: "tmpfs"}]' relative
}

@test "an AppArmor profile that the kernel has not is refused by name" {
  config '.process.apparmorProfile = "none-such"'
  go
  [ "$status" -eq 1 ]
  [[ $output == *"unable to apply apparmor profile 'none-such'"* || $output == *"process.apparmorProfile 'none-such': AppArmor is not enabled on this host"* ]]
}

@test "what is not done is refused by name" {
  refuse() {
    cp "$bundle/config.json" "$bundle/kept"
    config "$1"
    go
    mv "$bundle/kept" "$bundle/config.json"
    [[ $status -eq 1 && $output == *"$2"* && $output == *"not done"* ]] || { echo "$1: $status $output"; return 1; }
  }
  refuse '.process.selinuxLabel = "x"' selinuxLabel
  refuse '.linux.mountLabel = "x"' mountLabel
  refuse '.linux.intelRdt = {closID: "x"}' intelRdt
  refuse '.linux.netDevices = {eth0: {}}' netDevices
  refuse '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}' memoryPolicy
  run unshare --mount bash -c 'mount -t tmpfs tmpfs /run && exec "$@"' bash "$BRIG_RUNTIME" --root "$suite/state" --systemd-cgroup run --bundle "$bundle" "$id"
  [[ $status -eq 1 && $output == *"no systemd runs here"*"leave out --systemd-cgroup"* ]]
  config '.linux.cgroupsPath = "/a/b"'
  run brig --systemd-cgroup run --bundle "$bundle" "$id"
  [[ $status -eq 1 && $output == *"'/a/b': where systemd manages control groups it is SLICE:PREFIX:NAME"* ]]
}

@test "checkpoints want criu, and say so by the package's name; the container runs on" {
  start_sleeper
  run brig --criu "$bundle/none" checkpoint --image-path "$bundle/images" "$id"
  [[ $status -eq 1 && $output == *"'$bundle/none', which is not here: install the package criu"* ]]
  [ "$(status_of "$id")" = running ]
  run brig --criu "$bundle/none" restore --bundle "$bundle" --image-path "$bundle/images" "$id-2"
  [[ $status -eq 1 && $output == *"install the package criu"* ]]
  run brig checkpoint --lazy-pages "$id"
  [[ $status -eq 1 && $output == *"--lazy-pages is not done"* ]]
  config 'del(.linux.namespaces[] | select(.type == "pid"))'
  run brig restore --bundle "$bundle" --image-path "$bundle/images" "$id-2"
  [[ $status -eq 1 && $output == *"without a pid namespace of its own has no checkpoints"* ]]
}

@test "a checkpoint is made once its container was killed, whatever criu says then; else it is none" {
  start_sleeper
  cat >"$bundle/criu" <<'PYTHON'
#!/usr/bin/env python3
import os, socket
criu = socket.socket(fileno=3)
criu.recv(65536)
criu.send(b'\x08\x06\x10\x01\x2a\x0b\x0a\x09post-dump')
if criu.recv(100).endswith(b'\x18\x01') and os.environ['KILLED']: os.kill(int(os.environ['KILLED']), 9)
PYTHON
  chmod +x "$bundle/criu"
  KILLED='' run brig --criu "$bundle/criu" checkpoint --image-path "$bundle/images" "$id"
  [[ $status -eq 1 && $output == *'dump.log'* ]]
  [ "$(status_of "$id")" = running ]
  [ ! -e "$bundle/images/brig-checkpoint.json" ]
  KILLED=$(brig state "$id" | jq .pid) run brig --criu "$bundle/criu" checkpoint --image-path "$bundle/images" "$id"
  [ "$status" -eq 0 ]
  [ -s "$bundle/images/brig-checkpoint.json" ]
}

# ---- namespaces, names ----

@test "namespaces are new, or joined by path" {
  config '.linux.namespaces |= map(select(.type != "cgroup")) + [{type: "cgroup"}]'
  in_container 'for n in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done; echo pid $$'
  [[ $status -eq 0 && $output == *"pid 1"* ]]
  for n in pid net ipc uts mnt cgroup; do [[ $output != *"$(readlink /proc/self/ns/$n)"* ]]; done
  start_sleeper
  pid=$(brig state "$id" | jq .pid)
  other=$bundle-b; cp -a "$bundle" "$other"
  jq --arg pid "$pid" '.linux.namespaces = [{type: "mount"}, ({pid: "pid", network: "net", ipc: "ipc", uts: "uts"} | to_entries[]
    | {type: .key, path: "/proc/\($pid)/ns/\(.value)"})] | .hostname = "joined" | .process.args = ["sh", "-c",
    "readlink /proc/self/ns/net; readlink /proc/self/ns/pid; readlink /proc/self/ns/uts; readlink /proc/1/cmdline; cat /proc/1/cmdline"]' \
    "$bundle/config.json" >"$other/config.json"
  run brig run --bundle "$other" "$id-b"
  rm -rf "$other"
  [[ $status -eq 0 || $status -eq 1 ]]
  for n in net pid uts; do [[ $output == *"$(readlink "/proc/$pid/ns/$n")"* ]]; done
  [[ $output == *sleep* ]]
  brig delete --force "$id"
}

@test "a sysctl of a joined namespace that is the host's is refused" {
  local before; before=$(cat /proc/sys/net/ipv4/ip_default_ttl)
  config --arg pid $$ '.linux.namespaces |= map(select(.type != "network")) + [{type: "network", path: "/proc/\($pid)/ns/net"}] | .linux.sysctl = {"net.ipv4.ip_default_ttl": "33"}'
  go
  echo "$output"
  [[ $status -eq 1 && $output == *'sysctl "net.ipv4.ip_default_ttl" is not in a separate kernel namespace: the network namespace is the host'* ]]
  [[ $(cat /proc/sys/net/ipv4/ip_default_ttl) == "$before" ]]
}

@test "sysctls are written whatever lies on the container's /proc" {
  cp "$bundle/config.json" "$bundle/as-it-was"
  for change in . '(.mounts[] | select(.destination == "/proc") | .options) = ["ro"]' '(.mounts[] | select(.destination == "/proc") | .options) = ["subset=pid"]' 'del(.mounts[] | select(.destination == "/proc")) | del(.linux.maskedPaths, .linux.readonlyPaths)'; do
    echo "$change"
    cp "$bundle/as-it-was" "$bundle/config.json"
    config ".linux.sysctl = {\"net.ipv4.ip_default_ttl\": \"33\", \"kernel.shm_rmid_forced\": \"1\"} | $change"
    start_sleeper
    pid=$(brig state "$id" | jq .pid)
    [[ $(nsenter --target "$pid" --net --ipc cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/shm_rmid_forced) == 33$'\n'1 ]]
    brig delete --force "$id"
  done
}

@test "host name, domain name, loopback" {
  config '.hostname = "here" | .domainname = "there.example"'
  in_container 'hostname; cat /proc/sys/kernel/domainname; ip link show lo'
  [[ $output == *here*there.example*LOOPBACK,UP* ]]
}

@test "user namespace: ids are mapped, devices bound" {
  chown -R 100000:100000 "$bundle/rootfs"
  chmod 755 "$suite/state" 2>/dev/null || :
  config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}]
    | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .root.readonly = false'
  in_container 'id -u; cat /proc/self/uid_map; echo x >/dev/null && ls -ln /bin/busybox && touch /new'
  echo "$output"
  [[ $status -eq 0 && ${lines[0]} == 0 && $output == *100000*1000* ]]
  [[ $(stat -c %u "$bundle/rootfs/new") == 100000 ]]
  mkdir "$bundle/rootfs/var/nodes"
  mknod "$bundle/rootfs/var/nodes/null" c 1 3
  chown -R 100000:100000 "$bundle/rootfs/var/nodes"
  config '.mounts += [{destination: "/var/nodes", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}]'
  go
  [[ $status -eq 1 && $output == *"copy what the tmpfs hides: copy 'null': it is a device, and a user namespace may make none: mount the tmpfs without tmpcopyup"* ]]
}

@test "id-mapped binds: by maps of their own, or by the container's" {
  mkdir "$bundle/source" && touch "$bundle/source/file" && chown 1000:1001 "$bundle/source/file"
  bind() { config ".mounts = [.mounts[] | select(.destination != \"/mapped\")] + [{destination: \"/mapped\", type: \"bind\", source: \"source\"} + $1] | .root.readonly = false"; }
  bind '{options: ["bind", "idmap"], uidMappings: [{containerID: 1000, hostID: 0, size: 1}], gidMappings: [{containerID: 1001, hostID: 7, size: 1}]}'
  in_container 'stat -c %u:%g /mapped/file; touch /mapped/new || stat -c %u /mapped'
  [[ $status -eq 0 && ${lines[0]} == 0:7 && $output == *65534 ]]
  [[ $(stat -c %u:%g "$bundle/source/file") == 1000:1001 ]]
  refuse() { bind "$1"; go; [[ $status -eq 1 && $output == *"$2"* ]] || { echo "$output"; return 1; }; }
  refuse '{options: ["bind", "idmap"]}' "a container with a user namespace"
  refuse '{options: ["bind", "idmap"], uidMappings: [{containerID: 0, hostID: 4294967296, size: 1}], gidMappings: [{containerID: 0, hostID: 0, size: 1}]}' "ids are from 0 to 4294967294"
  refuse '{options: ["bind"], uidMappings: [{containerID: 0, hostID: 0, size: 1}]}' "needs both"
  refuse '{options: ["idmap"], type: "tmpfs"}' "for bind mounts only"
  chown -R 100000:100000 "$bundle/rootfs"
  bind '{options: ["rbind", "ridmap"]}'
  config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 2000}]
    | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 2000}]'
  in_container 'stat -c %u:%g /mapped/file; touch /mapped/new'
  [[ $status -eq 0 && $output == 1000:1001 && $(stat -c %u:%g "$bundle/source/new") == 0:0 ]]
}

@test "sysctls of the container's namespaces" {
  config '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "123456", "net/ipv4/ip_default_ttl": "77"}'
  in_container 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_default_ttl'
  [[ $output == *1*123456*77* ]]
}

# ---- root and mounts ----

@test "root: read-only, or not" {
  in_container 'touch /x'
  [[ $status -ne 0 && $output == *"Read-only"* ]]
  config '.root.readonly = false'
  in_container 'touch /x'
  [[ $status -eq 0 && -e $bundle/rootfs/x ]]
}

@test "root: --no-pivot" {
  script 'ls / && readlink /proc/self/root'
  run brig run --no-pivot --bundle "$bundle" "$id"
  [[ $status -eq 0 && $output == *bin* ]]
}

@test "binds: directory, file, read-only, recursive, missing target, missing source" {
  mkdir -p "$bundle/src/sub"; echo data >"$bundle/src/file"
  config --arg src "$bundle/src" '.root.readonly = false | .mounts += [
    {destination: "/made/here", source: $src, options: ["bind", "ro"]},
    {destination: "/made/file", source: ($src + "/file"), type: "bind", options: ["rbind", "rw"]},
    {destination: "/rel", source: "src", options: ["bind", "nosuid", "noexec", "nodev"]}]'
  in_container 'cat /made/here/file /made/file; touch /made/here/x || echo refused; grep -E " (/made/here|/rel) " /proc/self/mountinfo; echo new >/made/file'
  echo "$output"
  [[ $output == *data*data*refused* && $output == *"/made/here ro"* && $output == *"/rel rw,nosuid,nodev,noexec"* ]]
  [[ $(cat "$bundle/src/file") == new ]]
  config '.mounts += [{destination: "/x", source: "/nonesuch", options: ["bind"]}]'
  go
  [[ $status -eq 1 && $output == *'error mounting "/nonesuch" to rootfs at "/x": No such file'* ]]
}

@test "binds: recursive attributes reach the mounts below" {
  mkdir -p "$bundle/src/sub"
  unshare --mount --propagation private bash -ec '
    mount -t tmpfs t "$1/src/sub"
    jq --arg src "$1/src" ".root.readonly = false | .mounts += [{destination: \"/a\", source: \$src, options: [\"rbind\", \"ro\"]},
      {destination: \"/b\", source: \$src, options: [\"rbind\", \"rro\"]}] | .process.args = [\"sh\", \"-c\",
      \"touch /a/sub/x && echo a-writable; touch /b/sub/x || echo b-refused\"]" "$1/config.json" >"$1/new"
    mv "$1/new" "$1/config.json"
    "$2" --root "$3/state" run --bundle "$1" "$4"' x "$bundle" "$BRIG_RUNTIME" "$suite" "$id" >"$bundle/out" 2>&1
  [[ $(cat "$bundle/out") == *a-writable* && $(cat "$bundle/out") == *b-refused* ]]
}

@test "file systems: options, propagation" {
  config '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=1m", "mode=700", "noexec", "nosuid", "strictatime", "shared"]}]'
  in_container 'grep " /tmp " /proc/self/mountinfo; stat -c %a /tmp'
  echo "$output"
  [[ $output == *"rw,nosuid,noexec shared:"* && $output == *size=1024k* && $output == *700* ]]
}

@test "tmpcopyup: a tmpfs begins with what it hides" {
  mkdir -p "$bundle/rootfs/var/kept/deep"
  echo text >"$bundle/rootfs/var/kept/deep/file"
  chmod 2750 "$bundle/rootfs/var/kept/deep"
  chown 3:4 "$bundle/rootfs/var/kept/deep/file"; chmod 4755 "$bundle/rootfs/var/kept/deep/file"
  touch -d @1000000000 "$bundle/rootfs/var/kept/deep/file" "$bundle/rootfs/var/kept/deep"
  ln -s /etc/passwd "$bundle/rootfs/var/kept/link"
  mkfifo "$bundle/rootfs/var/kept/pipe"
  config '.mounts += [{destination: "/var/kept", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "size=1m"]}]'
  in_container 'cd /var/kept; stat -c "%n %A %u:%g %Y" deep deep/file; readlink link; ls -l pipe | cut -c1; cat deep/file; echo more >deep/new && echo written'
  echo "$output"
  [ "$output" = $'deep drwxr-s--- 0:0 1000000000\ndeep/file -rwsr-xr-x 3:4 1000000000\n/etc/passwd\np\ntext\nwritten' ]
  [[ ! -e $bundle/rootfs/var/kept/deep/new ]]
  head -c 2M /dev/zero >"$bundle/rootfs/var/kept/big"
  go
  [[ $status -eq 1 && $output == *"copy what the tmpfs hides: copy 'big': No space left on device"* ]]
  # The copy counts as the container's memory, also where no mount of control groups makes it join them.
  config '.mounts[-1].options = ["tmpcopyup"] | .mounts |= map(select(.type != "cgroup")) | .linux.cgroupsPath = "/'"$id"'"'
  brig create --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1
  [[ $(cgroup_file memory.max_usage_in_bytes memory memory.current) -ge 2097152 ]]
  brig delete --force "$id"
  config '.mounts[-1].options += ["bind"]'
  go
  [[ $status -eq 1 && $output == *"'tmpcopyup' is for a tmpfs, not for a bind"* ]]
  config '.mounts[-1] |= (.type = "proc")'
  go
  [[ $status -eq 1 && $output == *"option 'tmpcopyup' is for a tmpfs"* ]]
}

@test "mounts through links of the image stay inside the root" {
  ln -s /../../../../tmp "$bundle/rootfs/evil"
  ln -s "$bundle/outside" "$bundle/rootfs/dangling"
  mkdir "$bundle/src"; touch "$bundle/src/mark"
  config --arg src "$bundle/src" '.root.readonly = false | .mounts += [{destination: "/evil/in", source: $src, options: ["bind"]},
    {destination: "/dangling", source: $src, options: ["bind"]}]'
  in_container 'ls /tmp/in /dangling'
  [[ $status -eq 0 && ! -e /tmp/in && ! -e $bundle/outside && -d $bundle/rootfs/tmp/in ]]
}

@test "mounts inside /proc, and /proc through a link, are refused" {
  config '.mounts += [{destination: "/proc/sys", type: "tmpfs"}]'
  go
  [[ $status -eq 1 && $output == *"inside /proc"* ]]
  config 'del(.mounts[-1])'
  rmdir "$bundle/rootfs/proc"; ln -s tmp "$bundle/rootfs/proc"
  go
  echo "$output"
  [[ $status -eq 1 && $output == *"ordinary directory"* ]]
}

@test "rootfsPropagation" {
  config '.linux.rootfsPropagation = "shared"'
  in_container 'head -1 /proc/self/mountinfo'
  [[ $output == *shared:* ]]
  config '.linux.rootfsPropagation = "private"'
  in_container 'head -1 /proc/self/mountinfo'
  [[ $output != *shared:* && $output != *master:* ]]
}

@test "masked and read-only paths" {
  mkdir "$bundle/rootfs/secret"; echo s >"$bundle/rootfs/secret/s"; echo f >"$bundle/rootfs/file"; mkdir "$bundle/rootfs/fixed"
  config '.root.readonly = false | .linux.maskedPaths += ["/secret", "/file", "/nonesuch"] | .linux.readonlyPaths += ["/fixed"]'
  in_container 'ls /secret; cat /file; touch /fixed/x || echo refused; cat /proc/keys; echo 1 >/proc/sys/vm/swappiness || echo sysrefused'
  [[ $output != *s/s* && $output == *refused* && $output == *sysrefused* ]]
  [[ $(in_container 'ls /secret; cat /file /proc/keys'; echo "$output") == "" ]]
}

@test "a false /dev/null masks nothing: refused" {
  config '.mounts |= map(select(.destination | startswith("/dev") | not)) | .root.readonly = false'
  ln -s /etc/passwd "$bundle/rootfs/dev/null"
  go
  [[ $status -eq 1 && $output == *"another file is in its place"* ]]
}

@test "devices: the default ones, more, and links" {
  config '.linux.devices = [{path: "/dev/more/mine", type: "c", major: 1, minor: 3, fileMode: 384, uid: 5, gid: 6}, {path: "/dev/pipe", type: "p"}]'
  in_container 'stat -c "%n %t:%T %a %u:%g" /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/more/mine; for l in fd stdin core ptmx; do readlink /dev/$l; done; stat -c %F /dev/pipe'
  echo "$output"
  [[ $output == *"/dev/null 1:3 666 0:0"* && $output == *"/dev/tty 5:0 666"* && $output == *"/dev/more/mine 1:3 600 5:6"* ]]
  [[ $output == *"/proc/self/fd"*"pts/ptmx"*fifo* ]]
  [[ ! -e /proc/kcore || $output == *"/proc/kcore"* ]]
}

@test "cgroup mount shows the container's groups" {
  config '.linux.namespaces |= map(select(.type != "cgroup")) + [{type: "cgroup"}]'
  in_container 'cat /proc/self/cgroup; ls /sys/fs/cgroup; find /sys/fs/cgroup -name cgroup.procs | head -1 | xargs cat; mkdir /sys/fs/cgroup/memory/x || mkdir /sys/fs/cgroup/x || echo refused'
  [[ $status -eq 0 && $output == *":/"* && $output == *refused* && $output != *"$id"* ]]
}

# ---- the process ----

net_cls() { awk -v "column=$1" '/^net_cls\t/ { print $column }' /proc/cgroups; } # COLUMN: 2 its hierarchy, 3 the groups in it, 4 whether it is enabled
unmounted() { [[ $(net_cls 2) == 0 ]]; }

# version_1_network COMMAND…: the control groups of this machine and the two controllers, which only version 1 has, in a mount namespace of its own.
# A hierarchy goes with its mount only where its groups are quite gone before.
version_1_network() {
  unshare --mount --propagation private bash -c '
    set -e
    mount -t tmpfs tmpfs "$1"
    for group in /sys/fs/cgroup/*/; do
      mkdir "$1/$(basename "$group")"
      mount --bind "$group" "$1/$(basename "$group")"
    done
    mkdir "$1/net_cls,net_prio"
    mount -t cgroup -o net_cls,net_prio cgroup "$1/net_cls,net_prio"
    mount --move "$1" /sys/fs/cgroup
    shift
    status=0
    "$@" || status=$?
    until [[ $(net_cls 3) -eq 1 || $SECONDS -ge 10 ]]; do read -rt 0.02 <> <(:) || :; done
    exit $status' bash "$suite/groups" "$@"
}

@test "network: the class and the priorities of its traffic; refused by name without the controllers, and what they could not hold" {
  [[ ! -e /sys/fs/cgroup/cgroup.controllers ]] || skip "version 2 has no such controllers"
  export -f net_cls
  [[ "$(net_cls 2) $(net_cls 4)" == "0 1" ]] || skip "the two controllers are taken, or the kernel has them not"
  config '.linux.cgroupsPath = "/'"$id"'" | .linux.resources.network = {classID: 1048577, priorities: [{name: "lo", priority: 7}]}'
  run brig run --bundle "$bundle" "$id"
  [[ $status -eq 1 && $output == *"this machine has no cgroup controller 'net_cls'"* ]]
  mkdir "$suite/groups"
  config '.process.args = ["sleep", "1000"]'
  run version_1_network bash -c '
    set -e
    brig() { "$BRIG_RUNTIME" --root "$suite/state" "$@"; }
    brig create --bundle "$2" "$1" </dev/null >/dev/null 2>&1
    cd "/sys/fs/cgroup/net_cls,net_prio/$1"
    echo "made $(cat net_cls.classid) $(grep ^lo net_prio.ifpriomap) $(cat cgroup.procs | wc -l)"
    echo "{\"network\": {\"classID\": 5, \"priorities\": [{\"name\": \"lo\", \"priority\": 9}]}}" | brig update -r - "$1"
    echo "updated $(cat net_cls.classid) $(grep ^lo net_prio.ifpriomap)"
    for wrong in "{\"classID\": 4294967296}" "{\"priorities\": [{\"name\": \"lo\", \"priority\": 4294967296}]}" \
      "{\"priorities\": [{\"name\": \"lo 3\", \"priority\": 1}]}" "{\"priorities\": [{\"name\": \"none0\", \"priority\": 1}]}"; do
      if echo "{\"network\": $wrong}" | brig update -r - "$1"; then echo "taken: $wrong"; fi
    done
    cd /
    brig delete --force "$1"' bash "$id" "$bundle"
  echo "$output"
  [[ $status -eq 0 && ${lines[0]} == "made 1048577 lo 7 1" && ${lines[1]} == "updated 5 lo 9" && ${#lines[@]} -eq 6 ]]
  [[ ${lines[2]} == *"network.classID: 4294967296"* && ${lines[3]} == *"'lo': 4294967296"* && ${lines[4]} == *"'lo 3'"* && ${lines[5]} == *"none0 1"*"net_prio.ifpriomap"* ]]
  wait_for unmounted
}

@test "ids, groups, umask, HOME" {
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [7, 8], umask: 63}'
  in_container 'id -u; id -g; id -G; umask; echo $HOME; touch /tmp/mine'
  echo "$output"
  [[ ${lines[0]} == 1000 && ${lines[1]} == 1000 && ${lines[2]} == "1000 7 8" && ${lines[3]} == 0077 && ${lines[4]} == /var/web ]]
}

@test "capabilities: five sets" {
  config '.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"], effective: ["CAP_KILL"], permitted: ["CAP_KILL", "CAP_CHOWN"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]}
    | .process.user = {uid: 1000, gid: 1000}'
  in_container 'grep Cap /proc/self/status'
  echo "$output"
  [[ $output == *CapInh:*0000000000000020*CapPrm:*0000000000000020*CapEff:*0000000000000020*CapBnd:*0000000000000021*CapAmb:*0000000000000020* ]]
  config 'del(.process.capabilities) | .process.capabilities = {}'
  in_container 'grep CapEff /proc/self/status'
  [[ $output == *0000000000000000* ]]
}

@test "no_new_privs, limits, oom score" {
  config '.process.oomScoreAdj = 500 | .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}]'
  in_container 'grep NoNew /proc/self/status; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj'
  [[ $output == *NoNewPrivs:*1*100*200*500* ]]
  config '.process.noNewPrivileges = false | del(.process.oomScoreAdj)'
  in_container 'grep NoNew /proc/self/status'
  [[ $output == *0* ]]
}

@test "seccomp: errno, arguments, with and without no_new_privs, from the cache" {
  config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], syscalls: [
    {names: ["mkdir", "mkdirat", "nonesuch"], action: "SCMP_ACT_ERRNO", errnoRet: 28},
    {names: ["kill"], action: "SCMP_ACT_ERRNO", args: [{index: 1, value: 10, op: "SCMP_CMP_EQ"}]}]}'
  for new in true false; do
    config --argjson new $new '.process.noNewPrivileges = $new | .process.capabilities.bounding += ["CAP_SYS_ADMIN"]'
    for round in 1 2; do
      in_container 'mkdir /tmp/x; kill -USR1 $$; kill -0 $$ && echo alive; grep Seccomp: /proc/self/status'
      [[ $output == *"No space left"* && $output == *"not permitted"* && $output == *alive*Seccomp:*2* ]]
    done
  done
  [[ -n $(ls "$suite/state/@seccomp") ]]
}

@test "seccomp: a call newer than the profile is unknown, not forbidden" {
  config '.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", syscalls: [{names: ["read", "write", "openat", "open", "close", "execve", "execveat", "exit",
    "exit_group", "mmap", "munmap", "mprotect", "brk", "arch_prctl", "set_tid_address", "rt_sigaction", "rt_sigprocmask", "fstat", "newfstatat", "getuid",
    "getpid", "getppid", "ioctl", "fcntl", "sendmsg", "sendto", "wait4", "uname", "readlink", "rseq", "prlimit64", "getrandom", "set_robust_list", "dup2",
    "close_range", "getegid", "geteuid", "getgid", "getcwd", "clone", "vfork", "fork", "rt_sigreturn", "stat", "poll", "lseek", "faccessat", "prctl"], action: "SCMP_ACT_ALLOW"}]}'
  in_container 'echo ran; mkdir /tmp/y'
  echo "$output"
  [[ $output == *ran* && $output == *"not permitted"* ]]
}

@test "descriptors: only the three, and those that are preserved" {
  exec 8<"$suite/rootfs/etc/passwd"
  in_container 'ls /proc/self/fd | wc -l'
  exec 8<&-
  [[ $output == 4 ]]
  script 'cat <&3'
  run env BUNDLE="$bundle" ID="$id" STATE="$suite/state" PASSWD="$suite/rootfs/etc/passwd" bash -c \
    'exec 3<"$PASSWD"; "$BRIG_RUNTIME" --root "$STATE" run --preserve-fds 1 --bundle "$BUNDLE" "$ID"'
  [[ $output == *root:x:0:0* ]]
}

@test "a working directory outside the root is refused" {
  for n in 3 4 5 6 7 8 9 10; do
    config --arg cwd "/proc/self/fd/$n" '.process.cwd = $cwd'
    in_container 'cat /etc/hostname; ls ..'
    [[ $status -eq 1 ]] || { echo "$n: $output"; return 1; }
  done
}

@test "session keyring is the container's own" {
  in_container 'cat /proc/self/cmdline >/dev/null; echo ok'
  [[ $output == ok ]]
}
