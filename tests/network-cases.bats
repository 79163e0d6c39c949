#!/usr/bin/env bats
# Whole set-ups as users build them: tiers of which each reaches the next and nothing else; a load balancer in front of two servers.

setup_file() {
  load lib
  make_host
  make_lan
  start_daemon
  load_busybox
  export root host_pid lan_pid daemon_pid
}

teardown_file() {
  load lib
  end_lan
  end_host
}

setup() {
  load lib
}

teardown() { remove_all; }

# tier NAME PORT FLAG...: a server that answers with its name.
tier() {
  brig run -d --name "$1" --label tier="$1" "${@:3}" busybox sh -c "mkdir /page; echo $1 >/page/index.html; exec httpd -f -p $2 -h /page" >/dev/null
}

# reached FROM ADDRESS:PORT: who answers.
reached() { brig exec "$1" timeout 2 wget -qO- "http://$2/" 2>/dev/null || echo nobody; }

policy() { printf 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\nspec:\n' "$1"; sed 's/^/  /'; }

# The drawing: a browser on the LAN -> web:8080 -> api -> database, which is on the host's network, and -> cache on the default bridge.
@test "three tiers: each arrow of the drawing is reachable, and nothing else" {
  local cache row
  brig network create front
  tier database 5432 --network host
  tier cache 6379
  tier web 80 --network front -p 192.168.1.100:8080:80
  tier api 3000 --network front --add-host database:host-gateway
  brig network connect bridge api
  cache=$(brig inspect -f '{{.NetworkSettings.IPAddress}}' cache)
  { policy web <<<$'podSelector: {matchLabels: {tier: web}}\npolicyTypes: [Egress]\negress:\n- to: [{podSelector: {matchLabels: {tier: api}}}]\n  ports: [{port: 3000}]'
    echo ---
    policy api <<<$'podSelector: {matchLabels: {tier: api}}\npolicyTypes: [Ingress, Egress]\ningress:\n- from: [{podSelector: {matchLabels: {tier: web}}}]\negress:\n- to: [{podSelector: {matchLabels: {tier: cache}}}]\n- to: [{ipBlock: {cidr: 172.17.0.1/32}}]\n  ports: [{port: 5432}]'
    echo ---
    policy cache <<<$'podSelector: {matchLabels: {tier: cache}}\npolicyTypes: [Ingress, Egress]\ningress:\n- from: [{podSelector: {matchLabels: {tier: api}}}]'; } | brig policy apply -f -
  wait_until on_lan curl -s -o "$root/page" --max-time 2 http://192.168.1.100:8080/
  grep -qx web "$root/page"
  while read -r from to expected; do
    row=$(reached "$from" "$to")
    [[ $row == "$expected" ]] || { echo "$from -> $to: $row, not $expected"; return 1; }
  done <<END
web api:3000 api
api database:5432 database
api $cache:6379 cache
web 172.17.0.1:5432 nobody
web 192.168.1.100:5432 nobody
web $cache:6379 nobody
api web:80 nobody
api 172.17.0.1:8080 nobody
cache 172.17.0.1:5432 nobody
cache 192.168.1.100:8080 nobody
cache $(brig inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' api):3000 nobody
END
  on_lan ip route add 172.16.0.0/12 via 192.168.1.100
  no on_lan curl -s --max-time 1 "http://$cache:6379/"
  no on_lan curl -s --max-time 1 "http://$(brig inspect -f '{{.NetworkSettings.Networks.front.IPAddress}}' api):3000/"
  on_lan ip route del 172.16.0.0/12
}

# Debian's package and what it needs, in an image made once a suite run.
load_haproxy() {
  local dir=$root/haproxy
  mkdir -p "$suite"
  if [[ ! -e $suite/haproxy.tar ]]; then
    mmdebstrap --quiet --variant=extract --include=haproxy,busybox-static bookworm "$dir"
    tar -C "$dir" --exclude=./usr/share --exclude='./dev/*' -cf "$suite/haproxy.tar" .
    rm -rf --one-file-system "$dir"
  fi
  brig import - haproxy:debian <"$suite/haproxy.tar" >/dev/null
}

@test "haproxy in front of two servers: both are asked, one that stops is left out, and it comes back" {
  load_haproxy
  brig network create web
  tier one 80 --network web --network-alias app1
  tier two 80 --network web --network-alias app2
  mkdir -p "$root/conf"
  cat >"$root/conf/haproxy.cfg" <<'END'
global
  maxconn 100
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
resolvers engine
  nameserver names 127.0.0.11:53
  hold valid 1s
frontend all
  bind :80
  default_backend servers
backend servers
  balance roundrobin
  option httpchk GET /
  default-server check inter 100ms rise 1 fall 1 resolvers engine init-addr last,libc,none
  server one app1:80
  server two app2:80
END
  brig run -d --name balancer --network web -p 80:80 -v "$root/conf:/conf:ro" --sysctl net.core.somaxconn=2048 --ulimit nofile=1000:1000 \
    haproxy:debian haproxy -db -f /conf/haproxy.cfg
  asked() { local i; for i in 1 2 3 4; do on_lan curl -s --max-time 2 http://192.168.1.100/; done | sort -u | tr '\n' ' '; }
  answers() { [[ $(asked) == "$1 " ]]; }
  wait_until answers 'one two' || { brig logs balancer; return 1; }
  brig stop -t 0 one
  wait_until answers two
  brig start one
  wait_until answers 'one two'
  [ "$(brig exec balancer busybox cat /proc/sys/net/core/somaxconn)" = 2048 ]
}
