#!/usr/bin/env bats
# Containers on the LAN by macvlan, against a real daemon. In the virtual machine tests/vm/lan.bats does the same with ipvlan and VLANs, which
# this machine's kernel may lack.

setup_file() {
  load lib
  make_host
  make_lan
  start_daemon
  load_busybox
  export root host_pid lan_pid
  echo "$daemon_pid" >"$root/daemon"
}

teardown_file() {
  load lib
  daemon_pid=$(cat "$root/daemon")
  end_lan
  end_host
}

setup() {
  load lib
}

teardown() {
  local ids
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
  for name in $(brig network ls --filter type=custom --format '{{.Name}}'); do brig network rm "$name" >/dev/null; done
}

lan_network() { brig network create -d macvlan --subnet 192.168.1.0/24 --gateway 192.168.1.50 --ip-range 192.168.1.128/25 -o parent=lan0 "$@"; }

@test "a database tier on the LAN: limits, a sysctl, a device, addresses of the LAN, names" {
  lan_network --aux-address printer=192.168.1.128 dmz
  brig run -d --name db --network dmz --ip 192.168.1.200 --mac-address 02:00:00:00:00:c8 --ulimit nofile=2048:4096 --sysctl net.core.somaxconn=2048 \
    --device /dev/null:/dev/disk0 busybox httpd -f -h /www
  run on_lan curl -s --max-time 5 http://192.168.1.200/
  [ "$output" = "hello from a container" ]
  run brig exec db sh -c 'ulimit -Sn; ulimit -Hn; cat /proc/sys/net/core/somaxconn; ls /dev/disk0; ip route; cat /sys/class/net/eth0/address'
  [ "${lines[0]}" = 2048 ]
  [ "${lines[1]}" = 4096 ]
  [ "${lines[2]}" = 2048 ]
  [ "${lines[3]}" = /dev/disk0 ]
  [[ ${lines[4]} == "default via 192.168.1.50 dev eth0"* ]]
  [ "${lines[6]}" = 02:00:00:00:00:c8 ]
  run brig run --rm --network dmz busybox sh -c 'wget -qO- http://db/ && ip -4 -o addr show eth0'
  [[ $output == 'hello from a container'*192.168.1.129/24* ]]
  run brig network inspect -f '{{.Driver}} {{.Internal}} {{.Options.parent}} {{(index .IPAM.Config 0).Gateway}} {{range .Containers}}{{.Name}} {{.IPv4Address}} {{.MacAddress}}{{end}}' dmz
  [ "$output" = "macvlan false lan0 192.168.1.50 db 192.168.1.200/24 02:00:00:00:00:c8" ]
  no on_host curl -s --max-time 1 http://192.168.1.200/
}

@test "both families, and ports that are the container's own" {
  lan_network --ipv6 --subnet fd00:a:1::/64 --gateway fd00:a:1::50 both
  brig run -d --name web --network both --ip6 fd00:a:1::77 -p 18080:80 busybox httpd -f -h /www
  run on_lan curl -s --max-time 5 -g 'http://[fd00:a:1::77]/'
  [ "$output" = "hello from a container" ]
  run brig port web
  [ -z "$output" ]
  no on_host curl -s --max-time 1 http://127.0.0.1:18080/
  grep -q 'its ports are not published on the host' "$root/brigd.log"
  run brig exec web ip -6 route show default
  [[ $output == *fd00:a:1::50* ]]
}

@test "connect, disconnect, restart of the container and of the daemon" {
  lan_network dmz >/dev/null
  brig network create alpha >/dev/null
  brig run -d --name mover --network alpha busybox httpd -f -h /www
  brig network connect --ip 192.168.1.201 dmz mover
  run on_lan curl -s --max-time 5 http://192.168.1.201/
  [ "$output" = "hello from a container" ]
  [[ $(brig exec mover ip route show default) == *'dev eth0'* ]] # alpha's, by name
  brig network disconnect alpha mover
  [[ $(brig exec mover ip route show default) == 'default via 192.168.1.50 dev eth1'* ]]
  brig restart -t 0 mover
  run on_lan curl -s --retry 3 --retry-connrefused --max-time 5 http://192.168.1.201/
  [ "$output" = "hello from a container" ]
  daemon_pid=$(cat "$root/daemon")
  kill_daemon
  start_daemon
  echo "$daemon_pid" >"$root/daemon"
  run on_lan curl -s --max-time 5 http://192.168.1.201/
  [ "$output" = "hello from a container" ]
  brig network disconnect dmz mover
  [ -z "$(brig exec mover ip -4 -o addr show scope global)" ]
  brig network connect --ip 192.168.1.201 dmz mover
  run on_lan curl -s --max-time 5 http://192.168.1.201/
  [ "$output" = "hello from a container" ]
}

@test "the greatest gateway priority has the default route, whoever comes when" {
  lan_network dmz >/dev/null
  brig network create alpha >/dev/null
  brig network create zeta >/dev/null
  brig run -d --name many --network alpha --network name=dmz,gw-priority=5 busybox sleep 1000
  [[ $(brig exec many ip route show default) == 'default via 192.168.1.50 '* ]]
  brig network connect --gw-priority 9 zeta many
  gateway=$(brig network inspect -f '{{(index .IPAM.Config 0).Gateway}}' zeta)
  [[ $(brig exec many ip route show default) == "default via $gateway "* ]]
  brig network disconnect zeta many
  [[ $(brig exec many ip route show default) == 'default via 192.168.1.50 '* ]]
  run brig inspect -f '{{.NetworkSettings.Networks.dmz.GwPriority}}' many
  [ "$output" = 5 ]
}

@test "each family has a default route of its own, and ports follow it" {
  brig network create alpha >/dev/null
  brig network create --ipv6 both >/dev/null
  brig run -d --name many --network name=alpha,gw-priority=1 --network both -p 18081:80 busybox httpd -f -h /www
  four=$(brig network inspect -f '{{(index .IPAM.Config 0).Gateway}}' alpha)
  six=$(brig network inspect -f '{{(index .IPAM.Config 1).Gateway}}' both)
  [[ $(brig exec many ip route show default) == "default via $four "* ]]
  [[ $(brig exec many ip -6 route show default) == "default via $six "* ]]
  run on_lan curl -s --max-time 5 http://192.168.1.100:18081/
  [ "$output" = "hello from a container" ]
  run on_lan curl -s --max-time 5 -g 'http://[fd00:a:1::100]:18081/'
  [ "$output" = "hello from a container" ]
}

@test "an endpoint's link has the name and the sysctls that it is given" {
  brig network create alpha >/dev/null
  run brig run --rm --network name=alpha,driver-opt=com.docker.network.endpoint.ifname=front0,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1 \
    busybox cat /proc/sys/net/ipv4/conf/front0/log_martians
  [ "$output" = 1 ]
  # The user's word counts, not brig's own.
  run brig run --rm --network name=alpha,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.arp_notify=0 busybox cat /proc/sys/net/ipv4/conf/eth0/arp_notify
  [ "$output" = 0 ]
  run brig run --rm --network name=alpha,driver-opt=com.docker.network.endpoint.sysctls=net.core.somaxconn=1 busybox true
  [ "$status" -eq 125 ]
  [[ $output == *"invalid com.docker.network.endpoint.sysctls 'net.core.somaxconn=1'"* ]]
}

@test "network ls tells them apart" {
  lan_network --label tier=db dmz >/dev/null
  brig network create --internal alpha >/dev/null
  run brig network ls --filter driver=macvlan --format '{{.Name}} {{.Driver}} {{.Scope}} {{.IPv6}} {{.Internal}} {{.Labels}} {{.Label "tier"}}'
  [ "$output" = 'dmz macvlan local false false tier=db db' ]
  run brig network ls -q --no-trunc --filter label=tier=db --filter dangling=true --filter scope=local --filter type=custom --filter name=dm
  [ "$output" = "$(brig network inspect -f '{{.Id}}' dmz)" ]
  run brig network ls --filter driver=bridge --filter type=custom --format '{{.Name}} {{.Internal}}'
  [ "$output" = 'alpha true' ]
  run brig network ls --filter id="$(brig network inspect -f '{{.Id}}' alpha)" --format '{{json .Name}}'
  [ "$output" = '"alpha"' ]
}

@test "a network without a parent is its containers' own, and what is wrong is refused" {
  id=$(brig network create -d macvlan lonely)
  on_host ip link show "dm-${id:0:12}"
  [ "$(brig network inspect -f '{{.Internal}}' lonely)" = true ]
  brig run -d --name alone --network lonely busybox httpd -f -h /www
  run brig run --rm --network lonely busybox sh -c 'wget -qO- http://alone/; ip route'
  [[ $output == 'hello from a container'* && $output != *default* ]]
  brig rm -f alone
  brig network rm lonely
  no on_host ip link show "dm-${id:0:12}"
  run brig network create -d macvlan -o parent=nothing0 wrong
  [ "$status" -eq 1 ]
  [[ $output == *'-o parent interface was not found on the host: nothing0'* ]]
  run brig network create -d macvlan -o parent=lan0 -o macvlan_mode=sideways wrong
  [[ $output == *"requested macvlan mode 'sideways' is not valid, 'bridge' mode is the macvlan driver default"* ]]
  lan_network -o macvlan_mode=passthru whole
  run brig network create -d macvlan -o parent=lan0 second
  [ "$status" -eq 1 ]
  [[ $output == *'macvlan network whole is already using parent interface lan0 in mode passthru'* ]]
}
