# lib.bash: a daemon of its own for each test file, in namespaces of its own; loaded by every .bats file. BRIG_BUILD names the build
# folder (default: build). Nothing of the host's network is touched: `on_host` runs a command where the daemon's network is.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$top" && realpath "${BRIG_BUILD:-build}")
export PATH=$build/src/cli:/usr/local/bin:$PATH
. "$top/tests/sanitizer.bash"

# As images call it.
host_architecture() { local machine; machine=$(uname -m); case $machine in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) echo "$machine" ;; esac; }

# Makes $root, and a process that holds the network and mount namespaces in which the daemon lives: a daemon that is killed is started
# again in the same ones. Its mounts are shared with each other's copies, as systemd makes them: what leaks shows, and what only a private mount
# can do fails.
make_host() {
  root=$(mktemp -d "${TMPDIR:-/tmp}/brig-test.XXXXXX")
  report_to "$root"
  local ready=$root/ready
  mkfifo "$ready"
  # What other tests have mounted goes when they remove its place, which would look as if ours had taken it away.
  unshare --net --mount --propagation private bash -c '
    awk "\$5 ~ \"/(bats-run-|brig-test[.])\" { print \$5 }" /proc/self/mountinfo | tac | xargs -r umount -l
    mount --make-rshared / && ip link set lo up && echo up >"$1" && exec tail -f /dev/null' host "$ready" \
    >/dev/null 2>&1 3>&- &
  host_pid=$!
  await "$ready" "the namespaces of the test's host"
}

# await FIFO WHAT: until a line has come, for as long as wait_until: who was to write it may have failed.
await() {
  read -rt "${WAIT_SECONDS:-30}" _ <>"$1" || { echo "$2: no word within ${WAIT_SECONDS:-30} seconds that it is there"; return 1; }
}

# Not for the background: what is ended by its $! would be the shell, not the command. Write nsenter there.
on_host() { nsenter --target "$host_pid" --net --mount -- "$@"; }

# A network beside the host, whose own side is lan0 (192.168.1.100, fd00:a:1::100); on the other, $lan_pid's, are 192.168.1.50 and
# fd00:a:1::50. `on_lan` runs a command there.
make_lan() {
  local ready=$root/lan
  mkfifo "$ready"
  unshare --net bash -c 'ip link set lo up && echo up >"$1" && exec tail -f /dev/null' lan "$ready" >/dev/null 2>&1 3>&- &
  lan_pid=$!
  await "$ready" "the network beside the test's host"
  on_host ip link add lan0 type veth peer name eth0 netns "$lan_pid"
  on_host ip addr add 192.168.1.100/24 dev lan0
  on_host ip addr add fd00:a:1::100/64 dev lan0 nodad
  on_host ip link set lan0 up
  on_lan ip addr add 192.168.1.50/24 dev eth0
  on_lan ip addr add fd00:a:1::50/64 dev eth0 nodad
  on_lan ip link set eth0 up
}

on_lan() { nsenter --target "$lan_pid" --net -- "$@"; }

# pid_of CONTAINER; packets PID ...: packets.py in the network namespace of that process.
pid_of() { brig inspect -f '{{.State.Pid}}' "$1"; }
packets() { nsenter --target "$1" --net -- "$top/tests/packets.py" "${@:2}"; }

# The same beside the test, which holds the pipe "$root/go" open as descriptor 8: until that says so, or until the test is gone, however
# that came. Its id is $begun and in `children`.
begin_packets() {
  nsenter --target "$1" --net -- "$top/tests/packets.py" "${@:2}" <"$root/go" 3>&- 8>&- &
  begun=$!
  children+=("$begun")
}

end_lan() {
  on_host ip link del lan0
  kill "$lan_pid" && { wait "$lan_pid" 2>/dev/null || :; }
}

# start_daemon [FLAG...]: brigd in the test's host; returns once it answers. BRIG_FAILPOINT is passed on; BRIG_CGROUP_DRIVER=systemd: containers
# are in scopes.
start_daemon() {
  local groups=(--cgroup-parent "/brig-test-$host_pid")
  [[ ${BRIG_CGROUP_DRIVER:-} != systemd ]] || groups=(--exec-opt native.cgroupdriver=systemd --cgroup-parent "brigtest$host_pid.slice")
  nsenter --target "$host_pid" --net --mount -- "$build/src/daemon/brigd" --data-root "$root/data" --exec-root "$root/run" -H "unix://$root/brig.sock" --pidfile "$root/brigd.pid" \
    "${groups[@]}" --bip 172.17.0.1/16 "$@" >>"$root/brigd.log" 2>&1 3>&- &
  daemon_pid=$!
  export DOCKER_HOST=unix://$root/brig.sock BRIG_HOST=unix://$root/brig.sock
  wait_until daemon_answers || { echo "the daemon did not come up:"; tail -20 "$root/brigd.log"; return 1; }
}

# In an emulation a curl takes a second of the processor that the daemon needs to come up: none before there is a socket.
daemon_answers() { [[ -S $root/brig.sock ]] && curl -s --max-time "${WAIT_SECONDS:-2}" --unix-socket "$root/brig.sock" http://d/_ping 2>/dev/null | grep -q OK; }

# wait_until COMMAND...: asks again and again, for 30 seconds at the most; what is waited for is the condition, the pause only spares the
# processor.
wait_until() {
  local end=$((SECONDS + ${WAIT_SECONDS:-30}))
  until "$@"; do
    [[ $SECONDS -lt $end ]] || return 1
    read -rt 0.05 <> <(:) || :
  done
}

# no COMMAND...: that it fails. Bash's own ! fails no test.
no() { if "$@"; then echo "succeeded: $*"; return 1; fi; }

# The daemon may be another shell's child, and a test may have started it anew: its file says which it is.
stop_daemon() {
  local pid
  [[ -n ${daemon_pid:-} ]] || return 0
  pid=$(cat "$root/brigd.pid" 2>/dev/null) || pid=$daemon_pid
  kill -TERM "$pid" 2>/dev/null || :
  wait "$pid" 2>/dev/null || wait_until process_is_gone "$pid"
  daemon_pid=
}

# Gone, or nothing but an exit code that its parent has not asked for: all that it held is free. While one of its threads is in the kernel,
# nothing is.
process_is_gone() {
  local threads
  threads=("/proc/$1/task/"*)
  [[ ! -e /proc/$1/stat || ${#threads[@]} -le 1 && $(awk '{print $3}' "/proc/$1/stat" 2>/dev/null) == [ZX]* ]]
}

# A daemon gone without a word. It may be the child of another shell, which a wait is not for.
kill_daemon() {
  local pid
  pid=$(cat "$root/brigd.pid")
  kill -KILL "$pid" 2>/dev/null || kill -KILL "$daemon_pid"
  wait "$daemon_pid" 2>/dev/null || wait_until process_is_gone "$daemon_pid"
  wait_until process_is_gone "$pid" # another test of the file may have started it: then it is no child of this one
  daemon_pid=
}

# Removes all containers, network policies and networks of the test's, between two tests of a file.
remove_all() {
  local ids names
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
  names=$(brig policy ls -q)
  [[ -z $names ]] || brig policy rm $names >/dev/null
  for name in $(brig network ls --filter type=custom --format '{{.Name}}'); do brig network rm "$name" >/dev/null; done
}

# Removes all containers, then stops the daemon and the host, then checks that nothing is left.
end_host() {
  local ids status=0
  if [[ -n ${daemon_pid:-} ]]; then
    ids=$(brig ps -aq) && [[ -n $ids ]] && brig rm -f $ids >/dev/null
    stop_daemon
  fi
  leftovers "$root" || status=1
  sanitizer_reports || status=1
  kill "$host_pid" && { wait "$host_pid" 2>/dev/null || :; }
  rm -rf --one-file-system "$root"
  return $status
}

no_spawner() { ! pgrep -f "brig-spawner $1" >/dev/null; } # ends once its daemon has

# leftovers ROOT: prints and fails on what the engine left behind: mounts, processes, links, tables, control groups.
leftovers() {
  local found=0 what slice
  what=$(grep -F "$1" /proc/self/mountinfo) && { echo "mounts left: $what"; found=1; }
  [[ -n ${daemon_pid:-} ]] || wait_until no_spawner "$1" || { echo "a spawner is left"; found=1; }
  what=$(pgrep -af "brig-(monitor|image).*$1") && { echo "processes left: $what"; found=1; }
  what=$(on_host ip -o link | grep -E ': veth') && { echo "links left: $what"; found=1; }
  [[ ${BRIG_CGROUP_DRIVER:-} == systemd ]] || slice="brigtest$host_pid.slice" # systemd itself removes an empty one, when it likes
  what=$(find /sys/fs/cgroup \( -name "${slice:-}" -o -path "*/brig-test-$host_pid/*" -o -path "*/brigtest$host_pid.slice/*" -o -name "brig-shortage-$host_pid" \) -type d 2>/dev/null | head -3)
  [[ -z $what ]] || { echo "control groups left: $what"; found=1; }
  [[ -n ${daemon_pid:-} ]] || what=$(find /sys/fs/cgroup -name "brig-test-$host_pid" -type d 2>/dev/null) && [[ -n $what ]] && { echo "control groups left: $what"; found=1; }
  return $found
}

# A root file system of busybox, made once a suite run, as tar at $suite/busybox.tar, and a registry image.
suite=${BRIG_SUITE_DIR:-/tmp/brig-suite}

# busybox_tar: the path of a tar with a busybox root (bin/busybox and its links, etc/passwd, a page in www/).
busybox_tar() {
  local tar=$suite/busybox.tar dir
  mkdir -p "$suite"
  if [[ ! -e $tar ]]; then
    dir=$(mktemp -d)
    mkdir -p "$dir"/{bin,etc,tmp,root,www,proc,sys,dev,var/log}
    chmod 1777 "$dir/tmp"
    cp /bin/busybox "$dir/bin/busybox"
    for name in $(/bin/busybox --list); do [[ $name == busybox ]] || ln -s busybox "$dir/bin/$name"; done
    printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nweb:x:1000:1000:web:/www:/bin/sh\n' >"$dir/etc/passwd"
    printf 'root:x:0:\ndaemon:x:1:\nweb:x:1000:\nextra:x:2000:web\n' >"$dir/etc/group"
    echo 'hello from a container' >"$dir/www/index.html"
    tar -C "$dir" --sort=name --owner=0 --group=0 --numeric-owner -cf "$dir.part" . && mv "$dir.part" "$tar"
    rm -rf "$dir"
  fi
  echo "$tar"
}

load_busybox() { brig import --change 'CMD ["sh"]' - busybox:latest <"$(busybox_tar)" >/dev/null; }

# start_registry: Debian's docker-registry on 127.0.0.1:$registry_port inside the test's host.
start_registry() {
  registry_port=${1:-5000}
  mkdir -p "$root/registry"
  cat >"$root/registry.yml" <<EOF
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $root/registry}, delete: {enabled: true}}
http: {addr: 127.0.0.1:$registry_port}
EOF
  nsenter --target "$host_pid" --net --mount -- docker-registry serve "$root/registry.yml" >"$root/registry.log" 2>&1 3>&- &
  registry_pid=$!
  wait_until on_host curl -s -o /dev/null "http://127.0.0.1:$registry_port/v2/"
}

stop_registry() {
  kill "$registry_pid" 2>/dev/null && { wait "$registry_pid" 2>/dev/null || :; }
  registry_pid=
}

# push_busybox NAME: the busybox root as an image of one layer, pushed by skopeo.
push_busybox() {
  [[ -e $suite/busybox.oci ]] || make_busybox_archive
  on_host skopeo copy --quiet --dest-tls-verify=false "docker-archive:$suite/busybox.oci" "docker://127.0.0.1:$registry_port/$1"
}

# image_of NAME COMMAND: the busybox root, changed by a shell command that runs in it.
image_of() {
  rm -rf "$root/changed" && mkdir "$root/changed"
  tar -C "$root/changed" -xf "$(busybox_tar)"
  (cd "$root/changed" && eval "$2")
  tar -C "$root/changed" -cf - . | brig import - "$1" >/dev/null
}

# A docker-archive of the busybox root, made without any engine.
make_busybox_archive() {
  make_archive "$(busybox_tar)" "$suite/busybox.oci.$BASHPID" && mv "$suite/busybox.oci.$BASHPID" "$suite/busybox.oci"
}

# make_archive TAR ARCHIVE [ARCHITECTURE]: a docker-archive of one layer, the tar.
make_archive() {
  local dir layer config
  dir=$(mktemp -d)
  cp "$1" "$dir/layer.tar"
  layer=$(sha256sum "$dir/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"%s","os":"linux","created":"2024-01-01T00:00:00Z","config":{"Cmd":%s,"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"2024-01-01T00:00:00Z","created_by":"busybox root"}]}' "${3:-amd64}" "${4:-[\"sh\"]}" "$layer" >"$dir/config.json"
  config=$(sha256sum "$dir/config.json" | cut -d' ' -f1)
  mv "$dir/config.json" "$dir/$config.json"
  mkdir "$dir/$layer" && mv "$dir/layer.tar" "$dir/$layer/layer.tar"
  printf '[{"Config":"%s.json","RepoTags":["busybox:latest"],"Layers":["%s/layer.tar"]}]' "$config" "$layer" >"$dir/manifest.json"
  tar -C "$dir" -cf "$2" manifest.json "$config.json" "$layer"
  rm -rf "$dir"
}
