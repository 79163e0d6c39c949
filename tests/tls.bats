# Mutual TLS on TCP, with docker's client and brig's; and the ways over ssh.

load lib.bash
bats_require_minimum_version 1.5.0

setup_file() {
  make_host
  certificates=$root/certificates
  mkdir "$certificates" && "$top/tests/certificates" "$certificates"
  tls=(--tlsverify --tlscacert "$certificates/ca.pem" --tlscert "$certificates/server/cert.pem" --tlskey "$certificates/server/key.pem")
  start_daemon -H tcp://0.0.0.0:2376 "${tls[@]}"
  export root host_pid daemon_pid DOCKER_HOST BRIG_HOST certificates
  load_busybox
}

teardown_file() { end_host; }

# as WHO PROGRAM...: the program's daemon is reached over TLS, with that one's certificate.
as() {
  on_host env -u BRIG_HOST DOCKER_HOST="${tls_host:-tcp://127.0.0.1:2376}" DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH="$certificates/$1" timeout 20 "${@:2}"
}

ask() { on_host curl -s --max-time "${WAIT_SECONDS:-10}" --cacert "$certificates/ca.pem" "$@"; }

of() { echo --cert "$certificates/$1/cert.pem" --key "$certificates/$1/key.pem"; }

@test "docker and brig run, exec, attach; the end of input is heard, and output follows it" {
  local client
  for client in docker brig; do
    [[ $(as client "$client" run --rm busybox echo hello) == hello ]]
    [[ $(echo hello | as client "$client" run -i --rm busybox sh -c 'wc -c; echo after') == $'6\nafter' ]]
    [[ $(as client "$client" run --rm busybox sh -c 'head -c 20000000 /dev/zero' | wc -c) == 20000000 ]]
    as client "$client" run -d --name "far-$client" busybox sleep 600 >/dev/null
    [[ $(head -c 3000000 /dev/zero | as client "$client" exec -i "far-$client" sh -c 'wc -c; echo after') == $'3000000\nafter' ]]
    run -3 as client "$client" exec "far-$client" sh -c 'exit 3'
    as client "$client" rm -f "far-$client"
  done
}

@test "nobody without a certificate of the authority" {
  [[ $(ask $(of client) https://127.0.0.1:2376/_ping) == OK ]]
  run ! ask https://127.0.0.1:2376/_ping
  run ! ask $(of stranger) https://127.0.0.1:2376/_ping
  run -1 as stranger docker ps
  run -1 as stranger brig ps
  run ! ask http://127.0.0.1:2376/_ping
  grep -q 'a client at 127.0.0.1 was turned away: TLS: ' "$root/brigd.log"
  run -1 on_host env -u BRIG_HOST brig -H tcp://127.0.0.1:2376 ps
}

@test "old versions of TLS are refused" {
  on_host openssl s_client -connect 127.0.0.1:2376 -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null 2>&1 | grep -q 'alert protocol version'
  [[ $(ask $(of client) --tlsv1.2 --tls-max 1.2 https://127.0.0.1:2376/_ping) == OK ]]
}

@test "brig talks to no other host than it is told, unless it is told not to look" {
  tls_host=tcp://127.0.0.2:2376 run -1 as client brig ps
  echo "$output"; [[ $output == *"IP address mismatch"* ]]
  mkdir "$root/mixed" && cp "$certificates"/client/*.pem "$root/mixed" && cp "$certificates/other.pem" "$root/mixed/ca.pem"
  DOCKER_CERT_PATH=$root/mixed run -1 on_host env -u BRIG_HOST brig --tlsverify -H tcp://127.0.0.1:2376 ps
  [[ $output == *"certificate"* ]]
  on_host env -u BRIG_HOST brig --tls --tlscert "$certificates/client/cert.pem" --tlskey "$certificates/client/key.pem" -H tcp://127.0.0.2:2376 ps
  on_host env -u BRIG_HOST -u DOCKER_HOST brig --tlsverify --tlscacert "$certificates/ca.pem" --tlscert "$certificates/client/cert.pem" --tlskey "$certificates/client/key.pem" \
    -H tcp://localhost:2376 ps
}

@test "a web page may not use its reader's certificate" {
  run -0 ask $(of client) -H 'Origin: http://page.example' -o /dev/null -w '%{http_code}' https://127.0.0.1:2376/info
  [[ $output == 403 ]]
}

@test "who says nothing keeps nobody waiting, and brigd has no TLS in its memory" {
  mkfifo "$root/silent"
  nsenter --target "$host_pid" --net -- python3 -c '
import resource, signal, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
quiet = [socket.create_connection(("127.0.0.1", 2376)) for _ in range(1100)] # more than brigd serves
open(sys.argv[1], "w").close()
signal.pause()
' "$root/silent" 3>&- &
  local quiet=$!
  cat "$root/silent"
  run ask $(of client) https://127.0.0.1:2376/_ping
  kill "$quiet"
  [[ $output == OK ]]
  [[ $(grep -c 'too many handshakes over TLS' "$root/brigd.log") == 1 ]] # of about a thousand that were ended
  run ! grep -E 'libssl|libcrypto' "/proc/$(cat "$root/brigd.pid")/maps"
}

@test "what is open goes on without brigd, and the next one has the port" {
  as client brig run -d --name lasting busybox sleep 600 >/dev/null
  mkfifo "$root/go-on" "$root/said"
  exec 7<>"$root/go-on"
  # brig itself waits for a lost daemon: the stream is what counts here.
  (as client docker exec -i lasting sh -c 'echo one; read x; echo "$x"' <"$root/go-on" >"$root/said" 2>/dev/null) 3>&- &
  exec 6<"$root/said"
  read -ru 6 line
  [[ $line == one ]]
  # Who serves a client has its sockets, and little else.
  local service client status
  service=$(pgrep -P "$(cat "$root/brigd.pid")" brig-tls)
  client=$(pgrep -n -P "$service"); status=$(cat "/proc/$client/status")
  [[ $build == *san || $status == *$'Seccomp:\t2'* ]]
  [[ $status == *$'NoNewPrivs:\t1'* && $status == *$'CapPrm:\t0000000000000000'* ]]
  grep -qE '^Max processes +0 +0' "/proc/$client/limits"
  grep -qE '^Max open files +64 +64' "/proc/$client/limits"
  kill_daemon
  echo two >&7
  read -ru 6 line
  [[ $line == two ]]
  exec 7>&- 6<&-
  tls=(--tlsverify --tlscacert "$certificates/ca.pem" --tlscert "$certificates/server/cert.pem" --tlskey "$certificates/server/key.pem")
  start_daemon -H tcp://0.0.0.0:2376 "${tls[@]}"
  [[ $(as client brig inspect -f '{{.State.Running}}' lasting) == true ]]
  as client brig rm -f lasting
}

@test "brig-tls is started again" {
  local first
  first=$(pgrep -P "$(cat "$root/brigd.pid")" brig-tls)
  kill -KILL "$first"
  wait_until eval 'ask $(of client) https://127.0.0.1:2376/_ping | grep -q OK'
  [[ $(pgrep -P "$(cat "$root/brigd.pid")" brig-tls) != "$first" ]]
}

@test "files that are none are named" {
  local brigd=$build/src/daemon/brigd
  run -125 "$brigd" --validate --tlsverify --tlscacert "$certificates/none.pem" --tlscert "$certificates/server/cert.pem" --tlskey "$certificates/server/key.pem"
  [[ $output == *"tlscacert '$certificates/none.pem': No such file"* ]]
  run -1 on_host "$brigd" --data-root "$root/d2" --exec-root "$root/r2" --pidfile "$root/p2" --bridge none -H tcp://127.0.0.1:2377 --tlsverify --tlscacert "$certificates/ca.pem" \
    --tlscert "$certificates/server/cert.pem" --tlskey "$certificates/client/key.pem"
  [[ $output == *"key"* && $output == *"$certificates/client/key.pem"* ]]
  run -1 on_host "$brigd" --data-root "$root/d2" --exec-root "$root/r2" --pidfile "$root/p2" --bridge none -H tcp://0.0.0.0:2377 --tls --tlscert "$certificates/server/cert.pem" \
    --tlskey "$certificates/server/key.pem"
  [[ $output == *"ask for clients' certificates"* ]]
}

# An ssh that runs the command here; what docker calls docker is brig there.
fake_ssh() {
  mkdir -p "$root/bin" "$root/far"
  cat >"$root/bin/ssh" <<SSH
#!/bin/bash
echo "\$*" >>"$root/ssh.log"
while [[ \$1 != -- ]]; do shift; done
shift 2
export BRIG_HOST=unix://$root/brig.sock PATH=$root/far:\$PATH
exec sh -c "\$*"
SSH
  chmod +x "$root/bin/ssh"
  ln -sf "$build/src/cli/brig" "$root/far/docker"
}

@test "system dial-stdio: brig and docker over ssh" {
  local client
  fake_ssh
  for client in brig docker; do
    over() { env -u BRIG_HOST PATH="$root/bin:$PATH" DOCKER_HOST="${ssh_host:-ssh://me@far:2222}" timeout 20 "$client" "$@"; }
    [[ $(echo hello | over run -i --rm busybox sh -c 'wc -c; echo after') == $'6\nafter' ]]
    [[ $(over run --rm busybox sh -c 'head -c 5000000 /dev/zero' | wc -c) == 5000000 ]]
  done
  grep -q -- '-l *me -p *2222.* far brig system dial-stdio' "$root/ssh.log"
  client=brig ssh_host=ssh://far$root/brig.sock over version >/dev/null
  grep -q -- "far brig --host 'unix://$root/brig.sock' system dial-stdio" "$root/ssh.log"
  client=brig ssh_host=ssh://me:word@far run -1 over ps
  [[ $output == *"passwords are not supported"* ]]
  client=brig ssh_host=ssh://-oProxyCommand=x run -1 over ps
  [[ $output == *"is no address"* ]]
}
