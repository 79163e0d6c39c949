#!/usr/bin/env bats
# The firewall against a real daemon: other programs' flushes under traffic, the administrator's own rules, and drills: packets that no
# honest program sends. The drills' CVEs are listed in docs/net.md.

setup_file() {
  load lib
  make_host
  make_lan
  on_lan ip route add default via 192.168.1.100
  on_host sysctl -qw net.ipv6.conf.all.disable_ipv6=0
  # br_netfilter, where this kernel has it: with it ports cannot be isolated (docs/net.md).
  on_host bash -c '! cd /proc/sys/net/bridge 2>/dev/null || { echo 0 >bridge-nf-call-iptables; echo 0 >bridge-nf-call-ip6tables; }'
  start_daemon
  load_busybox
  brig network create --ipv6 --subnet 10.90.0.0/24 --subnet fd90::/64 -o com.docker.network.bridge.name=open0 open
  brig network create --internal --subnet 10.91.0.0/24 -o com.docker.network.bridge.name=inner0 inner
  brig network create --subnet 10.92.0.0/24 -o com.docker.network.bridge.enable_icc=false -o com.docker.network.bridge.name=quiet0 quiet
  brig run -d --name web --network open --ip 10.90.0.10 --ip6 fd90::10 -p 7007:7 -p 127.0.0.1:7008:8/udp busybox sleep 1000
  brig run -d --name peer --network open --ip 10.90.0.11 --ip6 fd90::11 busybox sleep 1000
  brig run -d --name hidden --network inner --ip 10.91.0.10 busybox sleep 1000
  brig run -d --name mute --network quiet --ip 10.92.0.10 busybox sleep 1000
  brig run -d --name mute2 --network quiet --ip 10.92.0.11 busybox sleep 1000
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
  daemon_pid=$(cat "$root/daemon")
  children=()
  rm -f "$root"/heard.* "$root/go" && mkfifo "$root/go" && exec 8<>"$root/go"
}

teardown() {
  [[ ${#children[@]} -eq 0 ]] || kill "${children[@]}" 2>/dev/null || :
  on_host nft delete table inet my_containers 2>/dev/null || :
}

inside() { nsenter --target "$(pid_of "$1")" --net -- "${@:2}"; }
mac_of() { nsenter --target "$1" --net -- ip -br link show "$2" | awk '{print $3}'; }

# background COMMAND...: ended after the test. Its shell is replaced, so that $! is the command.
background() { "$@" 3>&- 8>&- & children+=($!); }

# listen NAME PID PORT: what datagrams reach that namespace's port goes to $root/heard.NAME.
listen() {
  : >"$root/heard.$1"
  background nsenter --target "$2" --net -- socat -u "UDP4-RECVFROM:$3,fork,reuseaddr" "OPEN:$root/heard.$1,append"
  wait_until bash -c "nsenter --target $2 --net -- ss -lun | grep -q ':$3 '"
}
heard() { [[ -s $root/heard.$1 ]]; }

has_table() { on_host nft list chain inet brig forward >/dev/null 2>&1; }

@test "twenty flushes under traffic: connections live, nothing opens" {
  local i
  for i in web hidden mute; do listen "$i" "$(pid_of "$i")" 9; done
  listen loopback "$(pid_of web)" 8
  background nsenter --target "$(pid_of web)" --net -- socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat
  background nsenter --target "$lan_pid" --net -- socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat
  wait_until bash -c "nsenter --target $(pid_of web) --net -- ss -ltn | grep -q ':7 '"
  wait_until bash -c "nsenter --target $lan_pid --net -- ss -ltn | grep -q ':7 '"
  # Through a published port, and out.
  begin_packets "$lan_pid" stream 192.168.1.100 7007 >"$root/in" 2>&1; in=$begun
  begin_packets "$(pid_of peer)" stream 192.168.1.50 7 >"$root/out" 2>&1; out=$begun
  begin_packets "$lan_pid" probe 9 10.90.0.10 10.91.0.10 10.92.0.10 >/dev/null; lan=$begun
  begin_packets "$lan_pid" probe 7008 192.168.1.100 >/dev/null; local=$begun
  begin_packets "$(pid_of mute2)" probe 9 10.90.0.10 10.91.0.10 10.92.0.10 >/dev/null; mute=$begun
  begin_packets "$(pid_of hidden)" probe 9 10.90.0.10 192.168.1.50 >/dev/null; hidden=$begun
  wait_until grep -q connected "$root/in"
  wait_until grep -q connected "$root/out"
  for i in {1..20}; do
    on_host nft add table inet foreign
    on_host nft flush ruleset
    wait_until has_table
  done
  no on_host nft list table inet foreign
  echo end >&8
  wait "$in" || { cat "$root/in"; false; }
  wait "$out" || { cat "$root/out"; false; }
  [ "$(tail -1 "$root/in")" -gt 20 ]
  [ "$(tail -1 "$root/out")" -gt 20 ]
  wait "$lan" "$local" "$mute" "$hidden"
  for i in web hidden mute loopback; do no heard "$i"; done
  # They can hear: the host may speak to its containers.
  for i in 10.90.0.10 10.91.0.10 10.92.0.10; do on_host bash -c "echo hello >/dev/udp/$i/9"; done
  on_host bash -c 'echo hello >/dev/udp/127.0.0.1/7008'
  for i in web hidden mute loopback; do wait_until heard "$i"; done
}

# The example is the documentation's.
@test "the administrator's own rules hold, and stay when brig applies its table again or starts again" {
  background nsenter --target "$(pid_of web)" --net -- socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat
  answers() { on_lan timeout "$1" bash -c 'exec 5<>/dev/tcp/192.168.1.100/7007 && echo hello >&5 && read -r word <&5 && [[ $word == hello ]]'; }
  wait_until answers 5
  sed -n '/^```nft$/,/^```$/{/^```/d;p}' "$top/docs/net.md" >"$root/admin.nft"
  grep -q 7007 "$root/admin.nft"
  on_host nft -f "$root/admin.nft"
  no answers 1
  on_host bash -c 'exec 5<>/dev/tcp/192.168.1.100/7007'
  brig run --rm -p 7010:80 busybox true
  no answers 1
  kill_daemon
  start_daemon
  echo "$daemon_pid" >"$root/daemon"
  no answers 1
  on_host nft delete table inet my_containers
  answers 5
}

@test "a second daemon in the same namespace gets no bridge networks, and the first one's table stays" {
  local second=$root/second
  mkdir "$second"
  background nsenter --target "$host_pid" --net --mount -- "$build/src/daemon/brigd" --data-root "$second/data" --exec-root "$second/run" \
    -H "unix://$second/brig.sock" --pidfile "$second/pid" --bridge none
  wait_until curl -s -o /dev/null --unix-socket "$second/brig.sock" http://d/_ping
  run brig -H "unix://$second/brig.sock" network create other
  [ "$status" -ne 0 ]
  [[ $output == *"there is another brigd in this network namespace"* ]]
  has_table
  kill "${children[0]}" && wait_until process_is_gone "${children[0]}"
}

@test "drill: packets for 127.0.0.1 from the LAN and from a container (CVE-2020-8558, CVE-2025-54388)" {
  listen host "$host_pid" 7100
  listen web "$(pid_of web)" 8
  local to lan0=$(mac_of "$host_pid" lan0) open0=$(mac_of "$host_pid" open0) peer=$(pid_of peer)
  for to in 7100 7008; do
    packets "$lan_pid" udp eth0 "$lan0" "$to" 192.168.1.50 127.0.0.1 127.0.0.1 127.0.0.1
    packets "$peer" udp eth0 "$open0" "$to" 10.90.0.11 127.0.0.1 127.0.0.1 127.0.0.1
  done
  # What comes later passes, so those before were dropped.
  packets "$lan_pid" udp eth0 "$lan0" 7100 192.168.1.50 192.168.1.100
  wait_until heard host
  [ "$(cat "$root/heard.host")" = forged ]
  on_host bash -c 'echo hello >/dev/udp/127.0.0.1/7008'
  wait_until heard web
  [ "$(cat "$root/heard.web")" = hello ]
}

@test "drill: a container speaks under another's address" {
  listen lan "$lan_pid" 7101
  local open0=$(mac_of "$host_pid" open0) peer=$(pid_of peer) to=192.168.1.50 i
  # The first of them is one that the firewall knows, on another network; with published ports or without.
  for i in "$peer" "$(pid_of web)"; do
    packets "$i" udp eth0 "$open0" 7101 10.92.0.10 $to 192.168.1.100 $to 192.168.1.50 $to 8.8.8.8 $to
  done
  no heard lan
  on_host nft list set inet brig known4 | grep -q '"quiet0" . 10.92.0.10'
  no eval 'on_host nft list set inet brig known4 | grep -q inner0'
  packets "$peer" udp eth0 "$open0" 7101 10.90.0.11 $to
  wait_until heard lan
  [ "$(cat "$root/heard.lan")" = forged ]
}

@test "drill: routers' advertisements of a container to others and to the host (CVE-2020-13401)" {
  local web taken
  web=$(pid_of web)
  routes() { nsenter --target "$1" --net -- ip -6 route show proto ra; }
  packets "$(pid_of peer)" advertise eth0 fd66::/64
  # What the bridge carries later has come, so that has.
  brig exec peer ping -6 -c 1 -W 5 fd90::10
  brig exec peer ping -6 -c 1 -W 5 fd90::1
  [ -z "$(routes "$web")" ]
  [ -z "$(routes "$host_pid")" ]
  # One who listens to them would have taken it.
  nsenter --target "$web" --net -- sysctl -qw net.ipv6.conf.eth0.accept_ra=2
  packets "$(pid_of peer)" advertise eth0 fd66::/64
  taken() { [[ -n $(routes "$web") ]]; }
  wait_until taken
  nsenter --target "$web" --net -- sysctl -qw net.ipv6.conf.eth0.accept_ra=0
  nsenter --target "$web" --net -- ip -6 route flush proto ra
  # Without IPv6 there is nobody to hear them.
  [ "$(inside mute cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" = 1 ]
}

@test "drill: ARP: on a network without ICC nobody hears a neighbour's claims; on others they are neighbours" {
  local mute=$(pid_of mute) peer=$(pid_of peer)
  neighbour() { nsenter --target "$1" --net -- ip neigh show "$2"; }
  brig exec mute ping -c 1 -W 5 10.92.0.1
  packets "$(pid_of mute2)" arp eth0 10.92.0.1
  brig exec mute ping -c 1 -W 5 10.92.0.1
  [[ $(neighbour "$mute" 10.92.0.1) == *"$(mac_of "$host_pid" quiet0)"* ]]
  brig exec web ping -c 1 -W 5 10.90.0.1
  packets "$peer" arp eth0 10.90.0.1
  believes() { [[ $(neighbour "$(pid_of web)" 10.90.0.1) == *"$(mac_of "$peer" eth0)"* ]]; }
  wait_until believes
  inside web ip neigh flush dev eth0
}

@test "drill: the client's address is the LAN's, not the host's or loopback's (CVE-2021-20199)" {
  background nsenter --target "$(pid_of web)" --net -- socat TCP-LISTEN:7,fork,reuseaddr 'SYSTEM:echo $SOCAT_PEERADDR'
  peer_of() { on_lan timeout 5 bash -c 'exec 5<>/dev/tcp/192.168.1.100/7007 && read -r peer <&5 && echo "$peer"'; }
  wait_until peer_of
  [ "$(peer_of)" = 192.168.1.50 ]
}

@test "drill: a name asked for on an internal network leaves the host in no form (CVE-2024-29018)" {
  listen lan "$lan_pid" 53
  on_host bash -c 'echo nameserver 192.168.1.50 >"$1"/resolv.conf && mount --bind "$1"/resolv.conf /etc/resolv.conf' resolv "$root"
  no brig exec hidden nslookup data.example.com
  no heard lan
  brig exec -d peer nslookup data.example.com
  wait_until heard lan
  on_host umount /etc/resolv.conf
}

@test "drill: an address of the host's own out of 169.254/16, as clouds' metadata have, is not reached from an internal network" {
  brig run -d --name linked --network inner --ip 10.91.0.11 --link-local-ip 169.254.33.33 busybox sleep 1000 # 169.254/16 is at home there now
  on_host ip address add 169.254.169.254/32 dev lo
  listen host "$host_pid" 7102
  local to=169.254.169.254
  packets "$(pid_of linked)" udp eth0 "$(mac_of "$host_pid" inner0)" 7102 10.91.0.11 $to 169.254.33.33 $to
  no heard host
  # What comes later passes, so those before were dropped.
  packets "$(pid_of peer)" udp eth0 "$(mac_of "$host_pid" open0)" 7102 10.90.0.11 $to
  wait_until heard host
  [ "$(cat "$root/heard.host")" = forged ]
  on_host ip address del 169.254.169.254/32 dev lo
  brig rm -f linked
}
