#!/usr/bin/env bats
# Networks against a real daemon: the reference case, names, ports, isolation.

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
  bats_require_minimum_version 1.5.0
}

teardown() {
  local ids
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
  for name in $(brig network ls --filter type=custom --format '{{.Name}}'); do brig network rm "$name" >/dev/null; done
}

address_of() { on_host ip -br link show "$1" | awk "{print \$3}"; }

fetch() { on_host curl -s --max-time 5 "$1"; }

@test "the reference case: a bridge of its own name, two containers by name, a range and a fixed port" {
  brig network create --driver=bridge --subnet=172.28.0.0/16 --gateway=172.28.0.1 --opt com.docker.network.bridge.name=mybr0 custom-net
  brig run -d --name web --network custom-net -p 192.168.1.100:8000-8100:80 -p 443:443/tcp busybox \
    sh -c 'httpd -p 443 -h /www; exec httpd -f -h /www'
  wait_until eval 'brig exec web wget -qO- http://localhost/ >/dev/null 2>&1' # it listens
  run brig run --rm --network custom-net busybox wget -qO- http://web/
  [ "$output" = "hello from a container" ]
  brig run -d --name other --network custom-net busybox sleep 1000
  run brig exec web ping -c 1 -W 5 other
  [ "$status" -eq 0 ]
  run on_host ip -o link show master mybr0
  [[ $output == *veth* ]]
  run on_host ip -d -o link show master mybr0
  [ "${#lines[@]}" -eq 2 ]
  [[ ${lines[0]} == *'numtxqueues 1 numrxqueues 1 '* && ${lines[1]} == *'numtxqueues 1 numrxqueues 1 '* ]]
  [ "$(on_host ip -4 -o addr show mybr0 | grep -c 172.28.0.1/16)" -eq 1 ]
  run fetch http://192.168.1.100:8000/
  [ "$output" = "hello from a container" ]
  run fetch http://192.168.1.100:443/
  [ "$output" = "hello from a container" ]
  run fetch http://127.0.0.1:443/
  [ "$output" = "hello from a container" ]
  run fetch http://127.0.0.1:8000/
  [ "$status" -ne 0 ]
  run brig port web
  [[ $output == *"443/tcp -> 0.0.0.0:443"* ]]
  [[ $output == *"80/tcp -> 192.168.1.100:8000"* ]]
}

@test "a second container of a range gets the next port" {
  brig run -d --name aa -p 8000-8001:80 busybox httpd -f -h /www
  brig run -d --name bb -p 8000-8001:80 busybox httpd -f -h /www
  run brig port bb 80
  [ "$output" = "0.0.0.0:8001" ]
  run brig run --rm -p 8000-8001:80 busybox true
  [ "$status" -eq 125 ]
  [[ $output == *'port is already allocated'* || $output == *'all ports are allocated'* ]]
}

@test "-P publishes what is exposed" {
  brig run -d --name exposed --expose 80 -P busybox httpd -f -h /www
  port=$(brig port exposed 80 | sed 's/.*://')
  run fetch "http://127.0.0.1:$port/"
  [ "$output" = "hello from a container" ]
}

@test "a port that the host uses is refused, and nothing is left of the container's start" {
  nsenter --target "$host_pid" --net -- socat TCP-LISTEN:9999,fork,reuseaddr /dev/null 3>&- &
  listener=$!
  wait_until bash -c 'nsenter -t '"$host_pid"' -n ss -ltn | grep -q 9999'
  run brig run -d --name clash -p 9999:80 busybox true
  kill $listener
  [ "$status" -eq 125 ]
  [[ $output == *9999* ]]
  run on_host ip -o link
  [[ $output != *veth* ]]
}

@test "networks are apart, containers of one network are not" {
  brig network create n1
  brig network create n2
  brig run -d --name one --network n1 busybox httpd -f -h /www
  address=$(brig inspect -f '{{.NetworkSettings.Networks.n1.IPAddress}}' one)
  run brig run --rm --init --network n2 busybox timeout 2 wget -qO- "http://$address/"
  [ "$status" -ne 0 ]
  run brig run --rm --network n1 busybox wget -qO- "http://$address/"
  [ "$status" -eq 0 ]
}

@test "the gateway keeps its hardware address while containers come and go" {
  local first second
  brig network create --opt com.docker.network.bridge.name=steady0 steady
  first=$(address_of steady0)
  for i in 1 2 3 4; do
    brig run -d --name "steady$i" --network steady busybox sleep 1000
    [ "$(address_of steady0)" = "$first" ]
  done
  for i in 3 1 4 2; do
    brig rm -f "steady$i"
    second=$(address_of steady0)
    [ "$second" = "$first" ]
  done
}

@test "IPv6: addresses, names, hosts, a published port of both families, inspect, and IPv6 alone" {
  on_host ip -6 addr add fd00:a:1::100/64 dev lan0 nodad
  brig network create --ipv6 --subnet 10.80.0.0/24 --subnet fd00:80::/64 dual
  brig run -d --name six --network dual --ip6 fd00:80::80 -p 18060:80 busybox httpd -f -p '[::]:80' -h /www
  [ "$(brig inspect -f '{{with .NetworkSettings.Networks.dual}}{{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}} {{.IPAddress}}{{end}}' six)" = \
    'fd00:80::80/64 fd00:80::1 10.80.0.2' ]
  [ "$(brig port six)" = $'80/tcp -> 0.0.0.0:18060\n80/tcp -> [::]:18060' ]
  [ "$(brig network inspect dual | jq -r '.[0] | "\(.EnableIPv6) \(.IPAM.Config[1].Subnet) \(.IPAM.Config[1].Gateway) \(.Containers[].IPv6Address)"')" = \
    'true fd00:80::/64 fd00:80::1 fd00:80::80/64' ]
  brig exec six grep -q 'fd00:80::80' /etc/hosts
  run brig run --rm --network dual busybox sh -c 'nslookup -type=aaaa six && ping -6 -c 1 -W 5 six'
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *fd00:80::80* ]]
  # Where br_netfilter shows IPv6 to the firewall, ::1 refuses at once: docs/net.md.
  if [[ $(on_host cat /proc/sys/net/bridge/bridge-nf-call-ip6tables 2>/dev/null) == 1 ]]; then
    run -7 fetch 'http://[::1]:18060/'
    on_host sh -c 'echo 0 >/proc/sys/net/bridge/bridge-nf-call-ip6tables'
    # What is written into the table follows that setting: it is read anew with the next daemon.
    daemon_pid=$(cat "$root/daemon")
    stop_daemon
    start_daemon
    echo "$daemon_pid" >"$root/daemon"
    wait_until fetch 'http://[::1]:18060/'
  fi
  fetch 'http://[::1]:18060/'
  fetch 'http://[fd00:a:1::100]:18060/'
  fetch 'http://127.0.0.1:18060/'
  brig network create --ipv6 --ipv4=false alone
  run brig run --rm --network alone busybox sh -c 'ip -o -4 addr show eth0; ip -o -6 addr show eth0 scope global; ip -6 route show default'
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output != *'inet '* && $output == *'inet6 fd'*'/64'* && $output == *'default via fd'* ]]
  run brig network create --subnet fd00:81::/64 without
  [ "$status" -eq 0 ]
  [ "$(brig network inspect -f '{{.EnableIPv6}}' without)" = false ]
}

@test "network map: text, JSON, a drawing, a page" {
  brig network create --subnet 10.81.0.0/24 mapped
  brig network create --internal --subnet 10.82.0.0/24 hidden
  brig run -d --name shown --network mapped -p 18061:80 busybox sleep 1000
  brig network connect hidden shown
  run brig network map mapped hidden
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == 'hidden  (bridge, internal)  10.82.0.0/24 via 10.82.0.1' ]]
  [[ ${lines[1]} == '└─ shown  10.82.0.2  0.0.0.0:18061 → 80/tcp  also on mapped' ]]
  [[ ${lines[2]} == 'mapped  (bridge)  10.81.0.0/24 via 10.81.0.1' ]]
  [ "$(brig network map --json - | jq -r '.[] | select(.Name == "hidden").Containers[].IPv4')" = 10.82.0.2 ]
  brig network map --svg "$root/map.svg" --html "$root/map.html"
  python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$root/map.svg"
  grep -q '10.82.0.2' "$root/map.html"
  run brig network map nonsense
  [ "$status" -eq 1 ]
  [[ $output == *'network nonsense not found'* ]]
}

@test "an internal network has no way out; aliases, fixed addresses and live connections work" {
  brig network create --internal --subnet 10.77.0.0/24 inner
  run brig run --rm --network inner busybox ip route
  [[ $output != *default* ]]
  brig run -d --name fixed --network inner --ip 10.77.0.9 --network-alias db busybox sleep 1000
  run brig run --rm --network inner busybox nslookup db
  [[ $output == *10.77.0.9* ]]
  brig network create outer
  brig network connect --alias joined outer fixed
  run brig run --rm --network outer busybox ping -c 1 -W 5 joined
  [ "$status" -eq 0 ]
  brig network disconnect outer fixed
  wait_until bash -c '! brig exec fixed ip -o addr | grep -q eth1'
  run brig network rm inner
  [ "$status" -eq 1 ]
  [[ $output == *'has active endpoints'* ]]
}

@test "link-local addresses: on the link beside the network's own, in inspect, and none but such" {
  brig network create one
  brig network create two
  docker run -d --name local --network one --link-local-ip 169.254.33.33 --link-local-ip fe80::77 busybox sleep 1000
  run brig exec local ip -o addr show eth0
  [[ $output == *"inet 169.254.33.33/16 "* && $output == *"inet6 fe80::77/64 "* ]]
  [ "$(brig inspect local --format '{{json .NetworkSettings.Networks.one.IPAMConfig}}')" = '{"LinkLocalIPs":["169.254.33.33","fe80::77"]}' ]
  brig run -d --name near --network one --link-local-ip 169.254.33.34 busybox sleep 1000
  brig exec near ping -c 1 -W 5 169.254.33.33
  brig network connect --link-local-ip 169.254.44.44 two local
  brig exec local ip -o addr show eth1 | grep "inet 169.254.44.44/16 "
  # More than one message to the kernel holds.
  run brig run --rm --network one $(printf -- '--link-local-ip 169.254.50.%d ' {1..40}) busybox ip -o addr show eth0
  [ "$(grep -c 'inet 169.254.50' <<<"$output")" -eq 40 ]
  brig network create $(printf -- '--subnet 10.77.%d.0/24 ' {1..40}) many
  [ "$(brig network inspect many --format '{{len .IPAM.Config}}')" -eq 40 ]
  brig network rm many
  run brig run --rm --network one --link-local-ip 10.0.0.1 busybox true
  [[ $status -eq 125 && $output == *"Invalid link-local IP address: 10.0.0.1: it is neither of 169.254.0.0/16 nor of fe80::/10"* ]]
}

@test "the default route and the ports move to another network when theirs is left, and come with the first that leads out" {
  brig network create left >/dev/null
  brig network create right >/dev/null
  brig network create --internal hidden >/dev/null
  brig run -d --name mover --network left -p 18086:80 busybox httpd -f -h /www
  brig network connect right mover
  address=$(brig inspect -f '{{.NetworkSettings.Networks.right.IPAddress}}' mover)
  gateway=$(brig network inspect -f '{{(index .IPAM.Config 0).Gateway}}' right)
  brig network disconnect left mover
  run brig exec mover ip route show default
  [[ $output == "default via $gateway "* ]]
  [ "$(brig inspect -f '{{.NetworkSettings.Networks.right.IPAddress}}' mover)" = "$address" ]
  run on_host curl -s --retry 3 --retry-connrefused --max-time 5 http://127.0.0.1:18086/
  [ "$output" = "hello from a container" ]
  brig run -d --name inmate --network hidden -p 18087:80 busybox httpd -f -h /www
  [ -z "$(brig port inmate)" ]
  brig network connect right inmate
  run brig exec inmate ip route show default
  [[ $output == "default via $gateway "* ]]
  run on_host curl -s --retry 3 --retry-connrefused --max-time 5 http://127.0.0.1:18087/
  [ "$output" = "hello from a container" ]
}

@test "--pid container: joins, with the network or without, and says who does not run" {
  brig run -d --name base busybox sleep 4711
  run brig run --rm --pid container:base busybox ps -o pid,args
  [[ $output == *'1 sleep 4711'* ]]
  run brig run --rm --pid container:base --network container:base busybox sh -c 'for kind in pid net; do [ "$(readlink /proc/1/ns/$kind)" = "$(readlink /proc/self/ns/$kind)" ] && echo same; done'
  [ "$output" = $'same\nsame' ]
  brig kill base
  wait_until eval '[[ $(brig inspect -f "{{.State.Status}}" base) == exited ]]'
  run brig run --rm --pid container:base busybox true
  [ "$status" -eq 125 ]
  [[ $output == *"cannot join PID of a non running container: $(brig inspect -f '{{.Id}}' base)"* ]]
}

@test "--ipc container: joins the namespace and /dev/shm of one that shares them, and says who does not" {
  brig run -d --name shares --ipc shareable --shm-size 1m busybox sh -c 'echo here >/dev/shm/x && sleep 4711'
  wait_until brig exec shares test -s /dev/shm/x
  brig run -d --name joined --ipc container:shares busybox sh -c 'readlink /proc/self/ns/ipc; cat /dev/shm/x; echo there >/dev/shm/y; sleep 4711'
  wait_until brig exec shares test -s /dev/shm/y
  [ "$(brig logs joined)" = "$(brig exec shares readlink /proc/self/ns/ipc)"$'\nhere' ]
  [ "$(brig inspect -f '{{.HostConfig.IpcMode}}' joined)" = "container:$(brig inspect -f '{{.Id}}' shares)" ]
  # one that joined shares, too; nothing is left in the run directory
  [ "$(brig run --rm --ipc container:joined busybox cat /dev/shm/x /dev/shm/y)" = $'here\nthere' ]
  run ! grep -F "$root/run/containers" <(on_host cat /proc/self/mountinfo | grep -w shm)
  brig run -d --name keeps busybox sleep 4711
  run -125 brig run --rm --ipc container:keeps busybox true
  [[ $output == *"can't join IPC of container $(brig inspect -f '{{.Id}}' keeps): non-shareable IPC (hint: use IpcMode:shareable for the donor container)"* ]]
  brig kill joined keeps
  brig rm -f shares
  run -125 brig run --rm --ipc container:shares busybox true
  [[ $output == *'No such container: shares'* ]]
}

@test "host, none and container: networks" {
  run brig run --rm --network none busybox ip -o link
  [[ $output == *lo* && $output != *eth0* ]]
  run brig run --rm --network host busybox ip -o link
  [[ $output == *lan0* ]]
  brig run -d --name base busybox sleep 1000
  base=$(brig exec base ip -4 -o addr show eth0)
  run brig run --rm --network container:base busybox ip -4 -o addr show eth0
  [ "$output" = "$base" ]
  run brig run --rm --network container:base -p 80:80 busybox true
  [ "$status" -eq 125 ]
  [[ $output == *'conflicting options: port publishing and the container type network mode'* ]]
  run brig run --rm --network container:base -h other busybox true
  [ "$status" -eq 125 ]
}

@test "the files of the network: hosts, hostname, resolv.conf" {
  run brig run --rm --name files -h box --add-host db:10.0.0.9 --dns 10.1.2.3 busybox sh -c 'cat /etc/hosts /etc/hostname /etc/resolv.conf'
  [[ $output == *$'10.0.0.9\tdb'* ]]
  [[ $output == *box* ]]
  [[ $output == *'nameserver 10.1.2.3'* ]]
  brig network create named
  run brig run --rm --network named busybox cat /etc/resolv.conf
  [[ $output == *'nameserver 127.0.0.11'* ]]
}

@test "a foreign flush of the ruleset is undone, and published ports answer again" {
  brig run -d --name keep -p 18090:80 busybox httpd -f -h /www
  on_host nft flush ruleset
  wait_until bash -c 'nsenter -t '"$host_pid"' -n curl -s --max-time 2 http://127.0.0.1:18090/ | grep -q hello'
}

@test "the default bridge shows its subnet and gateway" {
  run brig network inspect bridge --format '{{json .IPAM}}'
  [ "$output" = '{"Driver":"default","Options":null,"Config":[{"Subnet":"172.17.0.0/16","Gateway":"172.17.0.1"}]}' ]
}

# Asked without the daemon's help, the moment it answers.
@test "a daemon that was killed holds its ports and serves names again once it answers" {
  brig network create front
  brig run -d --name web --network front -p 18091:80 -p 18092:80/udp busybox httpd -f -h /www
  brig run -d --name asker --network front busybox sleep 1000
  address=$(brig inspect -f '{{.NetworkSettings.Networks.front.IPAddress}}' web)
  asker=$(brig inspect -f '{{.State.Pid}}' asker)
  daemon_pid=$(cat "$root/daemon")
  kill_daemon
  start_daemon
  echo "$daemon_pid" >"$root/daemon"
  run nsenter --target "$asker" --net busybox nslookup web 127.0.0.11
  [[ $output == *"Address: $address"* || $output == *"Address 1: $address"* ]]
  run on_host python3 -c 'import socket; socket.socket().bind(("0.0.0.0", 18091))'
  [[ $output == *'Address already in use'* ]]
  run on_host python3 -c 'import socket; socket.socket(type=socket.SOCK_DGRAM).bind(("0.0.0.0", 18092))'
  [[ $output == *'Address already in use'* ]]
  run fetch http://127.0.0.1:18091/
  [ "$output" = "hello from a container" ]
}

@test "five thousand ports of one container: published, shown, no other's, found again by the next daemon, given back" {
  brig run -d --name wide -p 10000-14999:10000-14999 busybox sh -c 'httpd -p 10000 -h /www; exec httpd -f -p 14999 -h /www'
  for port in 10000 14999; do [ "$(fetch "http://127.0.0.1:$port/")" = "hello from a container" ]; done
  [ "$(brig port wide | wc -l)" -eq 5000 ]
  [ "$(docker port wide 12345)" = 0.0.0.0:12345 ]
  run brig run --rm -p 12345:80 busybox true
  [[ $status -eq 125 && $output == *"Bind for 0.0.0.0:12345 failed: port is already allocated"* ]]
  daemon_pid=$(cat "$root/daemon")
  stop_daemon
  start_daemon
  echo "$daemon_pid" >"$root/daemon"
  for port in 10000 14999; do [ "$(fetch "http://192.168.1.100:$port/")" = "hello from a container" ]; done
  brig rm -f wide
  [ "$(on_host nft list map inet brig pub4_any | grep -c elements)" -eq 0 ]
  run brig run --rm -p 12345:80 busybox true
  [ "$status" -eq 0 ]
}

# api VERSION PATH BODY: what a client of that version gets.
api() { curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' -d "$3" "http://d/v$1$2"; }

@test "before API 1.44 an IPv6 address is passed over where the network has no IPv6, at create and at connect; no other is" {
  brig network create --subnet 10.56.0.0/24 --subnet fd00:56::/64 plain
  body='{"Image":"busybox","Cmd":["sleep","4711"],"HostConfig":{"NetworkMode":"plain"},"NetworkingConfig":{"EndpointsConfig":{"plain":{"IPAMConfig":{"IPv6Address":"fd00:56::f00d"}}}}}'
  api 1.43 "/containers/create?name=lax" "$body"
  api 1.44 "/containers/create?name=strict" "$body"
  brig start lax
  run brig start strict
  [ "$status" -ne 0 ]
  [[ $output == *"Invalid address fd00:56::f00d: It does not belong to any of this network's subnets"* ]]
  [ "$(brig inspect -f '{{with .NetworkSettings.Networks.plain}}{{.IPAMConfig.IPv6Address}} {{.GlobalIPv6Address}}|{{end}}' lax)" = 'fd00:56::f00d |' ]
  brig network disconnect plain lax
  connect='{"Container":"lax","EndpointConfig":{"IPAMConfig":{"IPv6Address":"fd00:56::f00e"}}}'
  [[ $(api 1.44 /networks/plain/connect "$connect") == *'Invalid address fd00:56::f00e'* ]]
  [[ $(api 1.43 /networks/plain/connect "${connect/fd00:56::f00e/f00e}") == *'invalid IPv6 address: f00e'* ]]
  [ -z "$(api 1.43 /networks/plain/connect "$connect")" ]
  [ "$(brig inspect -f '{{.NetworkSettings.Networks.plain.IPAMConfig.IPv6Address}}' lax)" = fd00:56::f00e ]
  brig restart -t 0 lax
  brig network create --ipv6 --subnet 10.57.0.0/24 --subnet fd00:57::/64 both
  [[ $(api 1.43 /networks/both/connect "$connect") == *'Invalid address fd00:56::f00e'* ]]
  brig rm -f lax strict
}

@test "before API 1.44 two networks have one name where nobody asks to check; each has its id" {
  brig network create --subnet 10.58.0.0/24 twin
  [[ $(api 1.43 /networks/create '{"Name":"twin","CheckDuplicate":true}') == *'network with name twin already exists'* ]]
  [[ $(api 1.44 /networks/create '{"Name":"twin"}') == *'network with name twin already exists'* ]]
  made=$(api 1.43 /networks/create '{"Name":"twin","IPAM":{"Config":[{"Subnet":"10.59.0.0/24"}]}}')
  echo "$made"
  [ "$(jq -r .Warning <<<"$made")" = '2 networks have the name twin: each is named by its id alone' ]
  run brig network inspect twin
  [ "$status" -eq 1 ]
  [[ $output == *'network twin is ambiguous (2 matches found based on name)'* ]]
  run brig network rm twin
  [[ $status -eq 1 && $output == *'network twin is ambiguous (2 matches found based on name)'* ]]
  id=$(jq -r .Id <<<"$made")
  [[ $(brig run --rm --network "$id" busybox ip -o addr show eth0) == *'inet 10.59.0.'* ]]
  brig run -d --name stays --network "$id" busybox sleep 4711
  brig restart -t 0 stays
  [[ $(brig exec stays ip -o addr show eth0) == *'inet 10.59.0.'* ]]
  other=$(brig network ls -q --no-trunc --filter name=twin | grep -v "$id")
  run brig network disconnect "$other" stays
  [[ $status -eq 1 && $output == *'is not connected to network twin'* ]]
  [[ $(brig exec stays ip -o addr show eth0) == *'inet 10.59.0.'* ]]
  run brig network connect "$other" stays
  [[ $status -eq 1 && $output == *'endpoint with name stays already exists in network twin'* ]]
  run brig run --rm --network "$id" --network "$other" busybox true
  [[ $status -eq 125 && $output == *'cannot be on two networks that have the name twin'* ]]
  brig network disconnect "$id" stays
  brig network connect "$other" stays
  [[ $(brig exec stays ip -o addr) == *'inet 10.58.0.'* ]]
  brig rm -f stays
  brig network rm "$id"
  [ "$(brig network inspect -f '{{(index .IPAM.Config 0).Subnet}}' twin)" = 10.58.0.0/24 ]
  # A configuration is found by its name.
  brig network create --config-only plan
  [[ $(api 1.43 /networks/create '{"Name":"plan"}') == *'network with name plan already exists'* ]]
  brig network rm plan
}

@test "overlapping and wrong networks are refused in Docker's words" {
  brig network create --subnet 10.55.0.0/16 first
  run brig network create --subnet 10.55.1.0/24 second
  [ "$status" -eq 1 ]
  [[ $output == *'Pool overlaps with other one on this address space'* ]]
  run brig network create --subnet 300.0.0.0/16 second
  [ "$status" -eq 1 ]
  [[ $output == *'Invalid subnet 300.0.0.0/16 : invalid CIDR address: 300.0.0.0/16' ]]
  run brig network create first
  [[ $output == *'network with name first already exists'* ]]
  run brig network rm bridge
  [[ $output == *'is a pre-defined network and cannot be removed'* ]]
  run brig run --rm --network nowhere busybox true
  [ "$status" -eq 125 ]
  [[ $output == *'network nowhere not found'* ]]
}

@test "configuration networks: stored, taken over, in use, kept by prune" {
  brig network create --config-only --subnet 10.84.0.0/24 --gateway 10.84.0.9 --label a=b -o com.docker.network.bridge.name=conf84 conf
  [ "$(brig network inspect -f '{{.ConfigOnly}} {{.Driver}}' conf)" = 'true null' ]
  run brig run --rm --network conf busybox true
  [[ $status -eq 125 && $output == *'cannot create endpoint on configuration-only network: conf'* ]]
  brig network create --config-from conf made
  [ "$(brig network inspect -f '{{.ConfigFrom.Network}} {{(index .IPAM.Config 0).Gateway}} {{index .Labels "a"}}' made)" = 'conf 10.84.0.9 b' ]
  on_host ip -4 -o addr show conf84 | grep -q 10.84.0.9/24
  brig run -d --name named --hostname host84 --network made --network-alias alias84 busybox sleep 1000
  [ "$(brig inspect -f '{{json .NetworkSettings.Networks.made.DNSNames}}' named)" = "[\"named\",\"alias84\",\"$(brig ps -q -f name=named)\",\"host84\"]" ]
  brig rm -f named
  run brig network rm conf
  [[ $status -eq 1 && $output == *'configuration network "conf" is in use'* ]]
  brig network prune -f
  [ "$(brig network ls -q -f type=custom | wc -l)" -eq 1 ]
  run brig network create --config-from bridge wrong
  [[ $status -eq 1 && $output == *'configuration network bridge not found'* ]]
  run brig network create --config-from conf --subnet 10.85.0.0/24 wrong
  [[ $status -eq 1 && $output == *'user specified configurations are not supported'* ]]
}
