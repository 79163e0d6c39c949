#!/usr/bin/env bats
# ufw and firewalld beside brig, each as a user has it: what they decide about published ports and about containers' packets, and what
# their reloads leave. Both run in the test's host, over copies of their files.
#
# firewalld is asked by its methods, which is what firewall-cmd does: that takes a fifth of a second of processor for a question, and gives
# up after 25 seconds, which a machine whose processors many want does exceed. For the same reason nobody starts polkit on this bus, which
# firewalld asks before each answer where it can: root is root without.

setup_file() {
  load lib
  make_host
  make_lan
  on_lan ip route add default via 192.168.1.100
  on_host bash -c 'for folder in /etc/ufw /etc/firewalld; do
      cp -a "$folder" "$1/${folder##*/}" && mount --bind "$1/${folder##*/}" "$folder" || exit
    done
    mkdir "$1/zones" && cp /usr/lib/firewalld/zones/* "$2" "$1/zones/" && mv "$1/zones/${2##*/}" "$1/zones/brig.xml" && mount --bind "$1/zones" /usr/lib/firewalld/zones
    mkdir "$1/services" && mount --bind "$1/services" /usr/share/dbus-1/system-services || exit
    mount -t tmpfs run /run && mkdir -p /run/dbus /run/lock' copies "$root" "$top/src/net/firewalld-zone.xml"
  on_host dbus-daemon --system --fork --nopidfile --print-pid >"$root/dbus.pid"
  start_daemon
  load_busybox
  export root host_pid lan_pid
  echo "$daemon_pid" >"$root/daemon"
}

teardown_file() {
  load lib
  daemon_pid=$(cat "$root/daemon")
  kill "$(cat "$root/dbus.pid")"
  end_lan
  end_host
}

setup() {
  load lib
  daemon_pid=$(cat "$root/daemon")
  children=()
  rm -f "$root/go" && mkfifo "$root/go" && exec 8<>"$root/go"
  background nsenter --target "$lan_pid" --net -- socat TCP-LISTEN:7101,fork,reuseaddr EXEC:cat
  wait_until bash -c "nsenter --target $lan_pid --net -- ss -ltn | grep -q ':7101 '"
}

teardown() {
  [[ ${#children[@]} -eq 0 ]] || kill "${children[@]}" 2>/dev/null || :
  remove_all
}

background() { "$@" 3>&- 8>&- & children+=($!); }
fetch_from_lan() { on_lan curl -s --max-time "${2:-5}" "http://$1/"; }

# Whether a container's packets get out.
leaves() { [[ $(brig exec "$1" sh -c 'echo word | nc -w 2 192.168.1.50 7101') == word ]]; }

@test "ufw: a published port is closed until a route is allowed, and brig's own table does not go with ufw's" {
  brig network create --subnet 10.93.0.0/24 -o com.docker.network.bridge.name=fire0 fire
  brig run -d --name web --network fire --ip 10.93.0.10 -p 8080:80 busybox httpd -f -h /www
  [ "$(fetch_from_lan 192.168.1.100:8080)" = "hello from a container" ]
  on_host ufw --force enable
  run on_host ufw status verbose
  echo "$output"
  [[ $output == *'Status: active'* && $output == *'deny (incoming)'* && $output == *'(routed)'* ]]
  no fetch_from_lan 192.168.1.100:8080 1
  no leaves web
  on_host ufw route allow proto tcp from 192.168.1.0/24 to 10.93.0.10 port 80
  [ "$(fetch_from_lan 192.168.1.100:8080)" = "hello from a container" ]
  no leaves web
  on_host ufw route allow in on fire0
  leaves web
  on_host ufw reload
  [ "$(fetch_from_lan 192.168.1.100:8080)" = "hello from a container" ]
  no fetch_from_lan 10.93.0.10 1
  on_host ufw disable
  no fetch_from_lan 10.93.0.10 1
  [ "$(fetch_from_lan 192.168.1.100:8080)" = "hello from a container" ]
}

start_firewalld() {
  nsenter --target "$host_pid" --net --mount -- firewalld --nofork --nopid --log-file "$root/firewalld.file" >"$root/firewalld.log" 2>&1 3>&- 8>&- &
  firewalld_pid=$!
  children+=("$firewalld_pid")
  wait_until firewalld_runs
}

# firewalld METHOD [ARGUMENT...]: prints what it answers, in a line.
firewalld() {
  local arguments=("${@:2}") answer
  answer=$(on_host dbus-send --system --print-reply=literal --reply-timeout=120000 --dest=org.fedoraproject.FirewallD1 \
    /org/fedoraproject/FirewallD1 "$1" "${arguments[@]/#/string:}") && echo $answer
}

firewalld_runs() { [[ $(firewalld org.freedesktop.DBus.Properties.Get org.fedoraproject.FirewallD1 state 2>/dev/null) == *RUNNING ]]; }
zone() { firewalld org.fedoraproject.FirewallD1.zone.getInterfaces brig; }
zone_of() { firewalld org.fedoraproject.FirewallD1.zone.getZoneOfInterface "$1"; }

# Without an answer, a bridge is neither in the zone nor out of it.
in_zone() { local links; links=$(zone) && [[ " $links " == *" $1 "* ]]; }
out_of_zone() { local links; links=$(zone) && [[ " $links " != *" $1 "* ]]; }

# What is closed stays so, what is open answers. What is dropped is waited for side by side.
as_before() {
  local direct across
  [ "$(fetch_from_lan 192.168.1.100:8080)" = "hello from a container" ]
  leaves web
  no fetch_from_lan 192.168.1.100:8081 1
  no fetch_from_lan 10.94.0.10 1 3>&- 8>&- & direct=$!
  no timeout 10 brig exec far timeout 1 nc 10.94.0.10 80 3>&- 8>&- & across=$!
  wait "$direct"
  wait "$across"
}

@test "firewalld: bridges are in brig's zone, published ports answer, reloads break no connection and open nothing" {
  local in out
  brig network create --subnet 10.94.0.0/24 -o com.docker.network.bridge.name=fire0 fire
  brig network create --subnet 10.95.0.0/24 -o com.docker.network.bridge.name=fire1 other
  brig run -d --name web --network fire --ip 10.94.0.10 -p 8080:80 -p 127.0.0.1:8081:80 -p 7007:7 busybox httpd -f -h /www
  brig run -d --name far --network other busybox sleep 1000
  start_firewalld
  wait_until in_zone fire1
  wait_until in_zone fire0
  as_before
  on_host ip link add adopt0 type bridge
  on_host ip address add 10.96.0.1/24 dev adopt0
  firewalld org.fedoraproject.FirewallD1.zone.changeZoneOfInterface drop adopt0
  brig network create -o com.docker.network.bridge.name=adopt0 adopted
  brig network create -o com.docker.network.bridge.name=fire2 late
  wait_until in_zone fire2
  brig network rm late
  wait_until out_of_zone fire2
  [ "$(zone_of adopt0)" = drop ]
  background nsenter --target "$(pid_of web)" --net -- socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat
  wait_until bash -c "nsenter --target $(pid_of web) --net -- ss -ltn | grep -q ':7 '"
  begin_packets "$lan_pid" stream 192.168.1.100 7007 >"$root/in" 2>&1; in=$begun
  begin_packets "$(pid_of web)" stream 192.168.1.50 7101 >"$root/out" 2>&1; out=$begun
  wait_until grep -q connected "$root/in"
  wait_until grep -q connected "$root/out"
  firewalld org.fedoraproject.FirewallD1.reload
  wait_until in_zone fire1
  as_before
  # Not --complete-reload: it takes modules out of the kernel that the whole machine uses, other tests too.
  echo end >&8
  wait "$in" || { cat "$root/in"; false; }
  wait "$out" || { cat "$root/out"; false; }
  [ "$(tail -1 "$root/in")" -gt 20 ]
  [ "$(tail -1 "$root/out")" -gt 20 ]
  kill "$firewalld_pid"
  wait "$firewalld_pid" || :
  start_firewalld
  wait_until in_zone fire1
  wait_until in_zone fire0
  out_of_zone adopt0
  as_before
  brig network rm adopted
  on_host ip link show adopt0
}
