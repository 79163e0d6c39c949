#!/usr/bin/env bats
# brig drill against a daemon of ours: every drill holds, its report has three forms; and with the protection taken away (tools/build asan,
# docs/drill.md) the drill that looks for it is red. Needs root.

load lib

setup_file() {
  [[ -n ${BRIG_BUILD:-} ]] || { "$BATS_TEST_DIRNAME/../tools/build" asan; BRIG_BUILD=build-asan; }
  load lib
  make_host
  export root host_pid BRIG_BUILD
  on_host mount -t tmpfs tmpfs /run # what is switched on here is off for everybody else
  start_daemon
  export daemon_pid
}

teardown_file() {
  load lib
  end_host
}

setup() {
  load lib
  children=()
}

# What a test that failed did not take back.
teardown() {
  [[ ${#children[@]} -eq 0 ]] || { kill "${children[@]}" 2>/dev/null; wait "${children[@]}" 2>/dev/null; } || :
  chmod o-x "$root/data"
  on_host rm -f /run/brig-drill-bugs
  # Once another has called listen(2) for its socket, the daemon is found by this alone.
  ! on_host test -e /run/brig/brigd.pid || on_host tee /run/brig/brigd.pid <<<"$daemon_pid" >/dev/null
}

drill() { on_host "$build/src/cli/brig" -H "unix://$root/brig.sock" drill "$@"; }

@test "every drill holds, and none leaves anything" {
  run drill --rounds 12
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output =~ \ 0\ broken,\ 0\ could\ not\ be\ tried,\ [1-9][0-9]*\ not\ covered ]]
  run bash -c 'brig ps -aq; brig images -aq; brig volume ls -q; brig network ls -qf type=custom; brig policy ls | tail -n +2; ls -d /var/tmp/brig-drill* 2>/dev/null
    brig system df --format json | jq -e "select(.Type == \"Build Cache\") | .TotalCount != \"0\"" >/dev/null && echo a build cache'
  echo "left: $output"
  [ -z "$output" ]
}

@test "a run that is interrupted ends by what it made being taken back" {
  has_network() { [[ -n $(brig network ls -qf name=brig-drill-quiet) ]]; }
  has_bundle() { compgen -G '/var/tmp/brig-drill-bundle.*' >/dev/null; }
  local pid drills status
  for drills in has_network:neighbours has_bundle:mount-race; do
    nsenter --target "$host_pid" --net --mount -- env --default-signal=INT "$build/src/cli/brig" -H "unix://$root/brig.sock" drill --rounds 100000 \
      "${drills#*:}" >"$root/interrupted" 2>&1 3>&- &
    pid=$! children=("$pid")
    wait_until "${drills%:*}"
    kill -INT "$pid"
    status=0; wait "$pid" || status=$?
    cat "$root/interrupted"
    [ "$status" -eq 130 ]
    run bash -c 'brig ps -aq; brig images -aq; brig network ls -qf type=custom; ls -d /var/tmp/brig-drill* 2>/dev/null'
    echo "left: $output"
    [ -z "$output" ]
  done
  grep -q 'interrupted by SIGINT' "$root/interrupted"
  children=()
}

@test "a report that nobody reads ends no run before what it made is taken back" {
  local status=0
  mkfifo "$BATS_TEST_TMPDIR/report"
  exec 8<>"$BATS_TEST_TMPDIR/report" 9>"$BATS_TEST_TMPDIR/report" 8<&-
  nsenter --target "$host_pid" --net --mount -- env --default-signal=PIPE "$build/src/cli/brig" -H "unix://$root/brig.sock" drill --format junit keyctl >&9 3>&- ||
    status=$?
  exec 9>&-
  [ "$status" -eq 1 ]
  run bash -c 'brig ps -aq; brig images -aq; ls -d /var/tmp/brig-drill* 2>/dev/null'
  echo "left: $output"
  [ -z "$output" ]
}

@test "a policy of a user's that denies all is in no drill's way" {
  brig policy apply -f - <<<"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}"
  run drill neighbours address-claims
  brig policy rm deny
  echo "$output"
  [ "$status" -eq 0 ]
}

# DRILL|WHAT IT SAYS: with its bug on, each is red, and for the reason that it looks for. The bugs of a list are on at once, so that one run
# shows them all: a drill's own words tell whether it was its own. The last ones look for what another's bug would hide.
reds="keyctl|keyctl(KEYCTL_GET_KEYRING_ID)
namespaces|unshare(CLONE_NEWUSER)
filtered-calls|userfaultfd
masked-paths|is read
read-only-paths|/proc/sys/kernel/core_pattern opens for writing
devices|a loop device (7:0) is let through
capabilities|not empty: CapInh:
groups|group 1000 is not among
user-range|user '4294967296' runs
descriptors|/proc/self/fd/
working-directory|a process works in /proc/self/fd/
terminal|the terminal's session
linked-proc|is mounted where the link leads
router-advertisements|eth0 takes a stranger's
proc-writes|what was meant for the kernel is in a volume's file
mount-race|new on the host: name /var/tmp/brig-drill
user-cgroups|cgroup.procs opens for writing
exec-flood|the container's monitor keeps output that nobody takes
attaches|descriptors of clients that have gone
exec|/proc/self/fd/
exec-directory|a process works in /proc/self/fd/
exec-program|a program of the host's runs
runtime-program|a program that is not the container's can be written to
ids|GET /volumes/
names|a volume is named '../../brig-drill'
request-framing|a request's body is taken that has two lengths
request-framing|a request's body is taken that has length 0 and is chunked
file-lines|by Hostname: /etc/hostname has a line
file-lines|by ExtraHosts: /etc/hosts has a line
file-lines|by DnsOptions: /etc/resolv.conf has a line
copy-links|the host's file is read through /abs
mount-links|new on the host: name /var/tmp/brig-drill
passwd-links|a user of no passwd file runs
unpack-dots|an archive is taken with '..' inside a name
unpack-links|gone from the host: file /var/tmp/brig-drill
unpack-sizes|an archive is taken with GNU.sparse.size
unpack-whiteouts|an archive is taken with .wh.
ambiguous-manifest|a manifest with layers and manifests is loaded
build-security|a step runs that is confined by nothing
build-source|a step's mount has the host's files
build-cache-ids|a step's cache is a directory of the host's
build-environment|a step sees an environment that is not its image's
build-mounts|gone from the host: name /var/tmp/brig-drill
build-cache-race|a step's mount point is made on the host
build-history|a build FROM scratch takes a layer
build-history|a build FROM brig-drill:guest takes a layer
neighbours|a container is reached: PEER1
neighbours|a container is reached: PEER2
loopback-sources|what comes through a published port comes from 127.0.0.1
address-claims|who claims a neighbour's address gets its packets
internal-names|inside.brig-drill.test is answered
internal-names|a server outside hears what is asked for
credentials|a registry's password goes to the server that it leads to
layer-urls|the engine asks a server that a manifest names
layer-urls|it gives that the registry's password"

race_reds="copy-programs|a copy can load what is at the container's /
proc-race|is mounted where the link leads
proc-cover|a file system is mounted over /proc/tty
mask-race|is masked by another file than /dev/null
console-race|/dev/console is another file"

last_reds="copy-race|the host
volume-copies|the host's files are in a volume"

# Monitors know the bugs that were there when their spawner began: it is followed by another.
end_spawner() { pkill -KILL -P "$(cat "$root/brigd.pid")" -x brig-spawner || :; }

# each_is_red LIST
each_is_red() {
  local drill words quiet=
  { cut -d'|' -f1 <<<"$1"; echo seccomp; } | on_host tee /run/brig-drill-bugs
  end_spawner
  run drill --rounds 40 --format json $(cut -d'|' -f1 <<<"$1")
  on_host rm /run/brig-drill-bugs
  end_spawner
  echo "$output"
  while IFS='|' read -r drill words; do
    jq -e --arg drill "$drill" --arg words "$words" '.Drills[] | select(.Name == $drill) | .Result == "broken" and (.Detail | contains($words))' <<<"$output" >/dev/null ||
      quiet+=" $drill"
  done <<<"$1"
  echo "green with their bug, or red for another reason:$quiet"
  [ -z "$quiet" ]
}

@test "with its bug put back, each drill is red" {
  [[ $("$build/src/daemon/brigd" --version) == *"with bugs"* ]] || { echo "this build has no bugs: tools/build asan"; false; }
  each_is_red "$reds"
  each_is_red "$race_reds"
  each_is_red "$last_reds"
}

@test "an engine's abstract socket is found on the host's network" {
  local out=$BATS_TEST_TMPDIR/ready
  mkfifo "$out"
  nsenter --target "$host_pid" --net -- python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind("\0containerd-shim-drill"); s.listen()
open(sys.argv[1], "w").write("up\n"); sys.stdin.read()' "$out" < <(exec tail -f /dev/null --pid=$$) 3>&- &
  children+=($!)
  read -rt 30 _ 0<>"$out"
  run drill abstract-sockets
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"an engine's abstract socket: @containerd-shim-drill"*"what to change: end what listens"* ]]
}

@test "an engine's port that asks for no certificate, and a data root that is open, are found" {
  nsenter --target "$host_pid" --net -- socat TCP-LISTEN:2375,fork,reuseaddr "UNIX-CONNECT:$root/brig.sock" >/dev/null 2>&1 3>&- &
  children+=($!)
  wait_until on_host curl -sf -o "$BATS_TEST_TMPDIR/ping" http://127.0.0.1:2375/_ping
  chmod o+x "$root/data"
  run drill engine-ports modes
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"the engine's API answers a container at port 2375"* && $output == *"$root/data is open to others: mode 711, user 0"* ]]
}

# As systemd's, the socket is another process's, which called listen(2) for it: the oracle watches the daemon, or nothing at all.
@test "behind a socket that another opened, the pid file says which process is the daemon, if it listens there" {
  local opener out=$BATS_TEST_TMPDIR/ready
  mkfifo "$out"
  python3 -c '
import ctypes, os, socket, sys
libc = ctypes.CDLL(None)
pid = int(sys.argv[1]); pidfd = os.pidfd_open(pid)
for fd in os.listdir(f"/proc/{pid}/fd"):
    if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"): continue
    s = socket.socket(fileno=libc.syscall(438, pidfd, int(fd), 0)) # pidfd_getfd(2)
    if s.family == socket.AF_UNIX and s.getsockname() == sys.argv[2] and s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        s.listen(128); open(sys.argv[3], "w").write("up\n"); sys.stdin.read()' "$daemon_pid" "$root/brig.sock" "$out" < <(exec tail -f /dev/null --pid=$$) 3>&- &
  opener=$!
  children+=("$opener")
  read -rt 30 _ 0<>"$out"
  run drill descriptors
  echo "$output"
  [[ $status -eq 1 && $output == *"process $opener, which opened the daemon's socket unix://$root/brig.sock, is no brigd, and /run/brig/brigd.pid names none that listens there: give brigd --pidfile /run/brig/brigd.pid"* ]]
  # No brigd, and a brigd that has another socket.
  cp /bin/sleep "$BATS_TEST_TMPDIR/brigd"
  "$BATS_TEST_TMPDIR/brigd" 1000 3>&- &
  local other=$!
  children+=("$other")
  on_host mkdir -p /run/brig
  for pid in "$opener" "$other"; do
    on_host tee /run/brig/brigd.pid <<<"$pid"
    run drill descriptors
    [[ $status -eq 1 && $output == *"is no brigd, and "*" names none that listens there"* ]]
  done
  on_host tee /run/brig/brigd.pid <<<"$daemon_pid"
  run drill descriptors
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "names, list, forms, and what is refused" {
  # An installed brig starts what was installed with it, and nothing that merely lies there.
  mkdir -p "$BATS_TEST_TMPDIR"/{bin,drill}
  cp "$build/src/cli/brig" "$BATS_TEST_TMPDIR/bin/"
  ln -s /bin/true "$BATS_TEST_TMPDIR/drill/brig-drill"
  run "$BATS_TEST_TMPDIR/bin/brig" drill --list
  [[ $status -eq 1 && $output == *"brig-drill does not start"* ]]
  run drill --list
  [ "$status" -eq 0 ]
  [[ $output == *working-directory*CVE-2024-21626*"NOT COVERED"* ]]
  run drill --format junit keyctl
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $(grep -c '<testcase classname="brig.drill" ' <<<"$output") == 1 && $output == *'name="keyctl"'*'failures="0"'* || $output == *'failures="0"'*'name="keyctl"'* ]]
  run drill nonsense
  [[ $status -eq 1 && $output == *"no drill 'nonsense': --list shows what there is"* ]]
  run drill --format yaml
  [[ $status -eq 1 && $output == *"--format 'yaml' is none of text, json and junit"* ]]
  run drill --rounds 0
  [[ $status -eq 1 && $output == *"--rounds is 1 to 1000000"* ]]
}

# Of every test file: lib.bash waits for its namespaces, and whoever cannot make them is told.
@test "a host that cannot be made ends the file that wants it" {
  run bash -c 'BATS_TEST_DIRNAME=$1; source "$1/lib.bash"; unshare() { return 1; }; TMPDIR=$2 WAIT_SECONDS=1 make_host' - "$BATS_TEST_DIRNAME" "$BATS_TEST_TMPDIR"
  [[ $status -eq 1 && $output == "the namespaces of the test's host: no word within 1 seconds that it is there" ]]
}
