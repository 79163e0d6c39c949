#!/usr/bin/env bats
# ipvlan, 802.1Q and links that lead nowhere, which Debian's kernel has. Run by tests/vm/suite.

setup_file() {
  load ../lib
  WAIT_SECONDS=120
  make_host
  make_lan
  on_lan ip link add link eth0 name eth0.50 type vlan id 50
  on_lan ip addr add 10.50.0.1/24 dev eth0.50
  on_lan ip link set eth0.50 up
  start_daemon
  load_busybox
  export root host_pid lan_pid daemon_pid WAIT_SECONDS
}

teardown_file() {
  load ../lib
  end_lan
  end_host
}

setup() {
  load ../lib
}

@test "who reaches whom, in each mode of macvlan and ipvlan" {
  run "$build/src/net/lan-test"
  [ "$status" -eq 0 ]
  [[ $output != *'not shown here'* ]]
}

@test "a database tier on a VLAN, which comes and goes with its networks" {
  brig network create -d macvlan --subnet 10.50.0.0/24 --gateway 10.50.0.1 -o parent=lan0.50 tier
  brig run -d --name db --network tier --ip 10.50.0.9 --ulimit nofile=2048:2048 --sysctl net.core.somaxconn=2048 --device /dev/null:/dev/disk0 \
    busybox httpd -f -h /www
  run on_lan curl -s --max-time 30 http://10.50.0.9/
  [ "$output" = "hello from a container" ]
  run brig exec db sh -c 'ulimit -n; cat /proc/sys/net/core/somaxconn; ls /dev/disk0'
  [ "$output" = $'2048\n2048\n/dev/disk0' ]
  run on_host ip -d link show lan0.50
  [[ $output == *'vlan protocol 802.1Q id 50'* ]]
  brig rm -f db
  brig network rm tier
  no on_host ip link show lan0.50
}

@test "ipvlan: l2 with the LAN's router, l3 with a route through the link, and one network a parent" {
  brig network create -d ipvlan --subnet 192.168.1.0/24 --gateway 192.168.1.50 -o parent=lan0 flat
  run brig network create -d ipvlan -o parent=lan0 second
  [[ $output == *'network flat is already using parent interface lan0'* ]]
  brig run -d --name web --network flat --ip 192.168.1.99 busybox httpd -f -h /www
  run on_lan curl -s --max-time 30 http://192.168.1.99/
  [ "$output" = "hello from a container" ]
  [[ $(brig exec web ip route show default) == 'default via 192.168.1.50 dev eth0'* ]]
  [ -z "$(brig inspect -f '{{.NetworkSettings.Networks.flat.MacAddress}}' web)" ]
  run brig run --rm --network flat --mac-address 02:00:00:00:00:01 busybox true
  [ "$status" -eq 125 ]
  [[ $output == *'ipvlan interfaces do not support custom mac address assignment'* ]]
  brig rm -f web
  brig network rm flat
  brig network create -d ipvlan --subnet 10.7.0.0/24 -o parent=lan0 -o ipvlan_mode=l3 deep
  run brig run --rm --network deep busybox ip route
  [[ $output == *'default dev eth0'* ]]
  brig network rm deep
}

@test "a network of its own hangs on a dummy" {
  id=$(brig network create -d ipvlan lonely)
  run on_host ip -d link show "di-${id:0:12}"
  [[ $output == *dummy* ]]
  brig network rm lonely
}
