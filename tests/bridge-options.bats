#!/usr/bin/env bats
# The daemon's options for the default bridge and for the subnets of networks. Each test starts the daemon with others.

setup_file() {
  load lib
  make_host
  start_daemon
  load_busybox
  export root host_pid
}

teardown_file() {
  load lib
  daemon_pid=$(cat "$root/brigd.pid" 2>/dev/null)
  end_host
}

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  daemon_pid=$(cat "$root/brigd.pid" 2>/dev/null) || :
}

teardown() {
  local ids
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
  for name in $(brig network ls --filter type=custom --format '{{.Name}}'); do brig network rm "$name" >/dev/null; done
}

# Flags behind those of lib.bash count. An empty one says nothing.
restart() { stop_daemon; start_daemon "$@"; }

bridge() { brig network inspect bridge --format "$1"; }

# What brigd says as it refuses to start.
refused() {
  nsenter --target "$host_pid" --net --mount -- timeout 20 "$build/src/daemon/brigd" --data-root "$root/data" --exec-root "$root/run" \
    -H "unix://$root/brig.sock" --pidfile "$root/brigd.pid" "$@" 2>&1 3>&-
}

@test "bip, fixed-cidr, default-gateway, mtu and ip make the default bridge another one, and who was on it is connected to it" {
  brig run -d --name web -p 8080:80 busybox httpd -f -h /www
  brig create --name later busybox sleep 1000
  id=$(bridge '{{.Id}}')
  other="--bip 10.77.0.1/24 --fixed-cidr 10.77.0.128/25 --default-gateway 10.77.0.254 --mtu 1400 --ip 127.0.0.1"
  restart $other
  [ "$(bridge '{{.Id}}')" = "$id" ]
  [ "$(bridge '{{json .IPAM.Config}}')" = '[{"Subnet":"10.77.0.0/24","IPRange":"10.77.0.128/25","Gateway":"10.77.0.1","AuxiliaryAddresses":{"DefaultGatewayIPv4":"10.77.0.254"}}]' ]
  [ "$(on_host ip -4 -o addr show brig0 | awk '{print $4}')" = 10.77.0.1/24 ]
  run brig inspect web --format '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Gateway}} {{json .NetworkSettings.Ports}}'
  [ "$output" = "10.77.0.128 10.77.0.254 {\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}]}" ]
  run brig exec web sh -c 'ip -4 -o addr show eth0; ip route; cat /sys/class/net/eth0/mtu'
  [[ $output == *"10.77.0.128/24"*"default via 10.77.0.254"*1400 ]]
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:8080/)" = "hello from a container" ]
  no on_host curl -s --max-time 5 http://10.77.0.1:8080/
  brig start later
  [ "$(brig inspect later --format '{{.NetworkSettings.IPAddress}}')" = 10.77.0.129 ]
  restart $other
  run brig inspect web later --format '{{.NetworkSettings.IPAddress}}'
  [ "$output" = $'10.77.0.128\n10.77.0.129' ]
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:8080/)" = "hello from a container" ]
}

@test "icc=false keeps containers of the default bridge apart, and those that run when it is true again are not" {
  restart --icc=false --ip-masq=false
  brig run -d --name one busybox sleep 1000
  brig run -d --name two busybox sleep 1000
  two=$(brig inspect two --format '{{.NetworkSettings.IPAddress}}')
  no brig exec one ping -c 1 -W 1 "$two"
  run on_host nft list set inet brig masq4
  [[ $status -eq 0 && $output != *172.17* ]]
  restart
  on_host nft list set inet brig masq4 | grep 172.17
  two=$(brig inspect two --format '{{.NetworkSettings.IPAddress}}')
  brig exec one ping -c 1 -W 5 "$two"
}

@test "ipv6 gives the default bridge IPv6, of fixed-cidr-v6 where it is given" {
  restart --ipv6 --fixed-cidr-v6 fd00:77::/64 --default-gateway-v6 fd00:77::fe
  run brig run --rm busybox sh -c 'ip -6 -o addr show eth0 scope global; ip -6 route'
  [[ $output == *"fd00:77::2/64"*"default via fd00:77::fe"* ]]
  [ "$(bridge '{{.EnableIPv6}}')" = true ]
  restart --ipv6
  [[ $(brig run --rm busybox ip -6 -o addr show eth0 scope global) == *" fd00:77::2/64 "* ]]
  restart
  [ "$(bridge '{{.EnableIPv6}} {{len .IPAM.Config}}')" = "false 1" ]
}

@test "fixed-cidr without bip is the subnet, or a part of that of a bridge that is there" {
  restart --bip= --fixed-cidr 10.78.1.0/24
  [ "$(bridge '{{json .IPAM.Config}}')" = '[{"Subnet":"10.78.1.0/24","IPRange":"10.78.1.0/24","Gateway":"10.78.1.1"}]' ]
  on_host ip link add br9 type bridge
  on_host ip addr add 10.9.0.1/24 dev br9
  restart --bip= --bridge br9 --fixed-cidr 10.9.0.64/26
  [ "$(bridge '{{json .IPAM.Config}}')" = '[{"Subnet":"10.9.0.0/24","IPRange":"10.9.0.64/26","Gateway":"10.9.0.1"}]' ]
  [[ $(brig run --rm busybox ip -4 -o addr show eth0) == *" 10.9.0.64/24 "* ]]
  restart
  on_host ip link del br9
}

@test "a bridge without the IPv6 that it had: who runs there is connected to it, and another network carries the default routes" {
  restart --ipv6 --fixed-cidr-v6 fd00:77::/64
  brig network create --ipv6 --subnet 10.79.0.0/24 --subnet fd00:79::/64 six
  brig run -d --name one -p 8081:80 busybox httpd -f -h /www
  brig run -d --name both -p 8082:80 busybox httpd -f -h /www
  brig network connect six both
  restart
  [[ $(brig inspect one --format '{{with .NetworkSettings.Networks.bridge}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}') == "172.17.0."*" " ]]
  run brig exec one sh -c 'ip route; ip -6 route show default'
  [[ $output == "default via 172.17.0.1 dev eth"* && $output != *fd00* ]]
  run brig exec both sh -c 'ip route; ip -6 route show default'
  [[ $output == "default via 10.79.0.1 "*"172.17.0.0/16 "*"default via fd00:79::1 "* ]]
  for port in 8081 8082; do [ "$(on_host curl -s --max-time 5 http://127.0.0.1:$port/)" = "hello from a container" ]; done
  brig network disconnect six both
  brig network rm six
}

# Whether somebody listens on the host's port 8080.
is_listening() { grep -q ':1F90 00000000:0000 0A' "/proc/$host_pid/net/tcp"; }

@test "a port that another program took is published at the bridge's new address all the same" {
  restart
  brig run -d --name web -p 8080:80 busybox httpd -f -h /www
  stop_daemon
  timeout 60 nsenter --target "$host_pid" --net -- python3 -m http.server 8080 --bind 127.0.0.1 --directory / >/dev/null 2>&1 3>&- &
  local other=$!
  wait_until is_listening
  start_daemon --ip 127.0.0.1
  [ "$(brig inspect web --format '{{json .NetworkSettings.Ports}}')" = '{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}' ]
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:8080/)" = "hello from a container" ]
  kill "$other"
  wait "$other" || :
}

@test "without a default bridge (--bridge none) who was on it has none, and is on it again at the start that has it" {
  restart
  brig run -d --name web -p 8080:80 busybox httpd -f -h /www
  restart --bridge none
  no brig network inspect bridge
  [ -z "$(brig inspect web --format '{{.NetworkSettings.IPAddress}}')" ]
  restart
  [[ $(brig exec web ip route) == "default via 172.17.0.1 "* ]]
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:8080/)" = "hello from a container" ]
}

@test "an ip-range needs a subnet, and a default gateway of the other family is none" {
  restart
  run curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' -d '{"Name":"x","IPAM":{"Config":[{"IPRange":"10.79.0.0/24"}]}}' http://d/networks/create
  [[ $output == *"invalid ip-range 10.79.0.0/24: it is a part of a subnet, and none is given"* ]]
  brig network create --ipv6 --subnet 10.79.0.0/24 --subnet fd00:79::/64 --aux-address DefaultGatewayIPv4=fd00:79::9 x
  [[ $(brig run --rm --network x busybox ip route) == "default via 10.79.0.1 "* ]]
}

@test "default-address-pools: networks get their subnets of them, one after the other" {
  echo '{"default-address-pools":[{"base":"10.10.0.0/23","size":24},{"base":"fd00:10::/47","size":64}]}' >"$root/pools.json"
  restart --config-file "$root/pools.json"
  brig network create one
  brig network create --ipv6 two
  [ "$(brig network inspect one two --format '{{range .IPAM.Config}}{{.Subnet}} {{end}}')" = $'10.10.0.0/24 \n10.10.1.0/24 fd00:10::/64 ' ]
  run brig network create three
  [ "$status" -ne 0 ]
  [[ $output == *"all predefined address pools have been fully subnetted"* ]]
  [ "$(docker info --format '{{json .DefaultAddressPools}}')" = '[{"Base":"10.10.0.0/23","Size":24},{"Base":"fd00:10::/47","Size":64}]' ]
  restart
  [ "$(brig network inspect one --format '{{range .IPAM.Config}}{{.Subnet}}{{end}}')" = 10.10.0.0/24 ]
}

@test "options that cannot be are refused by name when the daemon starts, and who runs keeps the network" {
  restart
  brig network create --subnet 10.66.0.0/24 taken
  brig run -d --name web -p 8080:80 busybox httpd -f -h /www
  address=$(brig inspect web --format '{{.NetworkSettings.IPAddress}}')
  stop_daemon
  run refused --bip 10.0.0.1
  [[ $status -eq 1 && $output == *"bip '10.0.0.1': give an IPv4 address and a prefix length"* ]]
  run refused --bip 10.0.0.1/24 --fixed-cidr 10.1.0.0/25
  [[ $output == *"fixed-cidr '10.1.0.0/25' is no part of the subnet of bip '10.0.0.1/24'"* ]]
  run refused --fixed-cidr-v6 fd00::/64
  [[ $output == *"say ipv6, too"* ]]
  run refused --bip 10.0.0.1/24 --default-gateway 10.1.0.1
  [[ $output == *"parent subnet 10.0.0.0/24 doesn't contain this address"* ]]
  run refused --ip ::1
  [[ $output == *"host_binding_ipv4 value: ::1 (invalid IPv4 address)"* ]]
  run refused --default-address-pool base=10.0.0.0/24,size=16
  [[ $output == *"subnets of size 16 out of 10.0.0.0/24: give a size from 24 to 32"* ]]
  run refused --bip 10.66.0.1/16
  [[ $status -eq 1 && $output == *"Pool overlaps with other one on this address space"* ]]
  run refused --bip 172.20.0.1/16 --fixed-cidr 172.20.0.0/15
  [[ $status -eq 1 && $output == *"CIDR block is bigger than its parent subnet 172.20.0.0/16"* ]]
  run refused --bip 10.0.0.1/24 --mtu 12
  [[ $status -eq 1 && $output == *mtu*12* ]]
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:8080/)" = "hello from a container" ]
  start_daemon
  [ "$(brig inspect web --format '{{.NetworkSettings.IPAddress}}')" = "$address" ]
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:8080/)" = "hello from a container" ]
}
