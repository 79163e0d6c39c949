# daemon.json and flags as dockerd has them: what containers get by default, what is read again at SIGHUP, what is refused.

load lib.bash
bats_require_minimum_version 1.5.0

setup_file() {
  make_host
  cat >"$root/daemon.json" <<JSON
{
  "labels": ["site=one"],
  "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 512, "Hard": 1024}},
  "default-shm-size": "32M",
  "default-ipc-mode": "shareable",
  "dns": ["192.0.2.53"], "dns-opts": ["timeout:7"], "dns-search": ["example.test"],
  "host-gateway-ips": ["192.0.2.1", "2001:db8::1"],
  "init": true,
  "no-new-privileges": true,
  "proxies": {"http-proxy": "http://192.0.2.9:3128", "no-proxy": "example.test"},
  "live-restore": true, "userland-proxy": false, "storage-driver": "overlay2", "iptables": true,
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "shutdown-timeout": 5
}
JSON
  start_daemon --config-file "$root/daemon.json"
  export root host_pid daemon_pid DOCKER_HOST BRIG_HOST
  load_busybox
}

teardown_file() { end_host; }

# The reload is over once its line is in the log.
reload() {
  local before
  before=$(grep -c 'settings were' "$root/brigd.log" || :)
  kill -HUP "$(cat "$root/brigd.pid")"
  wait_until eval '[[ $(grep -c "settings were" "$root/brigd.log" || :) -gt '"$before"' ]]'
}

@test "what a container gets that says nothing" {
  run -0 brig run --rm busybox sh -c 'ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1; cat /etc/resolv.conf; cat /proc/1/comm; grep NoNewPrivs /proc/self/status'
  [[ ${lines[0]} == 512 && ${lines[1]} == 1024 && ${lines[2]} == *32768* ]]
  [[ $output == *"nameserver 192.0.2.53"* && $output == *"search example.test"* && $output == *"options timeout:7"* ]]
  [[ $output == *init* && $output == *NoNewPrivs:*1* ]]
  brig create --name said busybox >/dev/null
  [[ $(brig inspect -f '{{.HostConfig.IpcMode}} {{.HostConfig.ShmSize}} {{.HostConfig.Runtime}}' said) == "shareable 33554432 runc" ]]
  brig rm said
}

@test "what a container says itself wins" {
  run -0 brig run --rm --ulimit nofile=100:200 --shm-size 1m --dns 192.0.2.54 --dns-option ndots:3 --dns-search other.test --init=false --security-opt no-new-privileges=false \
    busybox sh -c 'ulimit -n; df -k /dev/shm | tail -1; cat /etc/resolv.conf; cat /proc/1/comm; grep NoNewPrivs /proc/self/status'
  [[ ${lines[0]} == 100 && ${lines[1]} == *1024* && $output == *192.0.2.54* && $output == *ndots:3* && $output == *other.test* ]]
  [[ $output != *timeout:7* && $output != *192.0.2.53* && $output != *example.test* && $output != *init* && $output == *NoNewPrivs:*0* ]]
}

@test "host-gateway is what the settings say, in both families" {
  run -0 brig run --rm --add-host door:host-gateway busybox grep door /etc/hosts
  [[ $output == *"192.0.2.1"*"2001:db8::1"* ]]
}

@test "info shows labels, proxies, options; docker's as well" {
  run -0 brig info -f '{{json .Labels}} {{.HttpProxy}} {{.NoProxy}} {{.Debug}} {{json .SecurityOptions}}'
  [[ $output == '["site=one"] http://192.0.2.9:3128 example.test false ["name=seccomp,profile=default","name=no-new-privileges"]' ]]
  run -0 docker info -f '{{json .Labels}} {{.LiveRestoreEnabled}} {{.DefaultRuntime}}'
  [[ $output == '["site=one"] true runc' ]]
}

@test "SIGHUP reads again what may change, and tells of it" {
  local since
  since=$(date +%s.%N)
  sed -i 's/site=one/site=two/; s/^{/{"debug": true, "registry-mirrors": ["http:\/\/192.0.2.7:5000"], "max-concurrent-downloads": 1, /' "$root/daemon.json"
  reload
  run -0 brig info -f '{{json .Labels}} {{.Debug}} {{json .RegistryConfig.Mirrors}}'
  [[ $output == '["site=two"] true ["http://192.0.2.7:5000"]' ]]
  run -0 brig events --since "$since" --until "$(date +%s.%N)" --filter type=daemon --format '{{.Action}} {{.Actor.Attributes.labels}} {{index .Actor.Attributes "max-concurrent-downloads"}} {{.Actor.Attributes.debug}}'
  [[ $output == 'reload ["site=two"] 1 true' ]]
  run -0 docker events --since "$since" --until "$(date +%s.%N)" --filter type=daemon
  [[ $output == *"daemon reload"* ]]
}

@test "what takes a restart is named" {
  sed -i 's/"init": true/"init": false/' "$root/daemon.json"
  reload
  tail -n 3 "$root/brigd.log" | grep -q 'a restart is needed for: init'
  brig run --rm busybox cat /proc/1/comm | grep -q init
}

@test "a broken file changes nothing, and the log says why" {
  cp "$root/daemon.json" "$root/well.json"
  sed -i 's/site=two/site=three/; s/^{/{"no-such-key": 1, /' "$root/daemon.json"
  reload
  grep -q "nothing changes: .*don't match any configuration option: no-such-key" "$root/brigd.log"
  [[ $(brig info -f '{{json .Labels}}') == '["site=two"]' ]]
  echo '{"labels": ["site=' >"$root/daemon.json"
  reload
  [[ $(brig info -f '{{json .Labels}}') == '["site=two"]' ]]
  cp "$root/well.json" "$root/daemon.json"
}

@test "calls and reloads at once" {
  local i pids=()
  for i in 1 2 3; do
    (for _ in 1 2 3 4 5 6 7 8; do brig info -f '{{json .Labels}}' >/dev/null && brig run --rm busybox true || exit 1; done) 3>&- &
    pids+=($!)
  done
  for i in {1..20}; do sed -i "s/site=[a-z0-9]*/site=n$i/" "$root/daemon.json"; reload; done
  for i in "${pids[@]}"; do wait "$i"; done
  [[ $(brig info -f '{{json .Labels}}') == '["site=n20"]' ]]
}

@test "--validate checks and ends" {
  run -0 "$build/src/daemon/brigd" --validate --config-file "$root/daemon.json"
  [[ $output == "configuration OK" ]]
  run -125 "$build/src/daemon/brigd" --validate --label a=b --config-file "$root/daemon.json"
  [[ $output == *"specified both as a flag and in the configuration file: labels"* ]]
  run -125 "$build/src/daemon/brigd" --validate --storage-driver btrfs --config-file "$root/well.json"
  [[ $output == *"storage-driver 'btrfs' is not supported"* ]]
}

@test "seccomp's profile for all, and a host that is made no router" {
  local knob=/proc/sys/net/ipv4/ip_forward
  stop_daemon
  on_host sh -c "echo 0 >$knob"
  echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}' >"$root/seccomp.json"
  start_daemon --seccomp-profile "$root/seccomp.json" --ip-forward=false
  run -1 brig run --rm busybox mkdir /x
  [[ $output == *"not permitted"* ]]
  brig run --rm --security-opt seccomp=builtin busybox mkdir /x
  brig run --rm --privileged busybox mkdir /x
  [[ $(brig info -f '{{json .SecurityOptions}}') == '["name=seccomp,profile=custom"]' ]]
  [[ $(on_host cat $knob) == 0 ]]
}

@test "registries are asked through the proxy" {
  stop_daemon
  start_daemon --http-proxy http://127.0.0.1:3128 --insecure-registry 192.0.2.5:5000 --max-download-attempts 1
  mkfifo "$root/proxy"
  nsenter --target "$host_pid" --net -- python3 -c '
import socket, sys
door = socket.create_server(("127.0.0.1", 3128))
open(sys.argv[1], "w").close()
door.settimeout(20)
for _ in range(2):
    client = door.accept()[0]
    print(client.recv(4096).decode().split("\r\n")[0], flush=True)
    client.sendall(b"HTTP/1.1 404 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    client.close()
' "$root/proxy" >"$root/asked" 3>&- &
  local proxy=$!
  cat "$root/proxy"
  run -1 brig pull 192.0.2.5:5000/x
  kill "$proxy" || :
  wait "$proxy" || :
  cat "$root/asked"
  grep -qE '(GET|CONNECT) .*192.0.2.5:5000' "$root/asked"
}

@test "a data root on an overlay is refused; one that others may read is closed, with what is in it" {
  local own=(--exec-root "$root/other-run" -H "unix://$root/other.sock" --pidfile "$root/other.pid" -b none)
  mkdir "$root"/{lower,upper,work,merged} && mkdir -m 755 "$root/open"
  on_host mount -t overlay -o "lowerdir=$root/lower,upperdir=$root/upper,workdir=$root/work" overlay "$root/merged"
  run on_host timeout 20 "$build/src/daemon/brigd" --data-root "$root/merged" "${own[@]}"
  on_host umount "$root/merged"
  [[ $status -eq 1 && $output == *"the data root '$root/merged' lies on an overlay"*"--data-root elsewhere"* ]]

  on_host "$build/src/daemon/brigd" --data-root "$root/open" "${own[@]}" >"$root/other.log" 2>&1 3>&- &
  other=$!
  wait_until [ -S "$root/other.sock" ]
  wait_until [ -e "$root/open/engine.db" ]
  kill "$(cat "$root/other.pid")"
  wait "$other"
  [ "$(stat -c %a "$root/open")" = 710 ]
  [ -z "$(find "$root/open" -name '*.db*' -perm /077)" ]
}
