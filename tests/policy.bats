#!/usr/bin/env bats
# Network policies against a real daemon: files, commands, and who reaches whom.

setup_file() {
  load lib
  make_host
  on_host ip link add lan0 type veth peer name lan1
  on_host ip addr add 192.168.1.100/24 dev lan0
  on_host ip link set lan0 up
  on_host ip link set lan1 up
  start_daemon
  load_busybox
  export root host_pid
  echo "$daemon_pid" >"$root/daemon"
}

teardown_file() {
  load lib
  daemon_pid=$(cat "$root/daemon")
  on_host ip link del lan0
  end_host
}

setup() {
  load lib
}

teardown() {
  local ids names
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
  names=$(brig policy ls -q)
  [[ -z $names ]] || brig policy rm $names >/dev/null
  for name in $(brig network ls --filter type=custom --format '{{.Name}}'); do brig network rm "$name" >/dev/null; done
}

# policy NAME NAMESPACE: the head of a policy whose spec follows on standard input.
policy() { printf 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s, namespace: %s}\nspec:\n' "$1" "$2"; sed 's/^/  /'; }
apply() { policy "$1" "$2" | brig policy apply -f -; }

# serve NAME PROJECT [FLAG...]: a web server.
serve() { brig run -d --name "$1" --network web --label "com.docker.compose.project=$2" --label "app=$1" "${@:3}" busybox httpd -f -p 80 -h /www >/dev/null; }
reaches() { brig exec "$1" timeout 2 wget -qO- "http://${2}/" >/dev/null 2>&1; }

@test "default deny cuts off, a rule lets in, and what is removed is open again; live" {
  brig network create web
  serve front shop
  serve back shop
  serve other lab
  reaches front back; reaches other back
  apply deny shop <<<'podSelector: {}'
  no reaches front back
  no reaches other back
  reaches back other
  brig exec back wget -qO- http://127.0.0.1/
  apply allow shop <<'END'
podSelector: {matchLabels: {app: back}}
ingress:
- from: [{podSelector: {matchLabels: {app: front}}}]
  ports: [{port: 80}]
END
  reaches front back
  no reaches other back
  no brig exec front ping -c 1 -W 1 back
  brig policy rm shop/allow
  no reaches front back
  brig policy rm -n shop deny
  reaches front back
  reaches other back
}
