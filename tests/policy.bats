#!/usr/bin/env bats
# Network policies against a real daemon: files, commands, and who reaches whom.

setup_file() {
  load lib
  make_host
  nsenter --target "$host_pid" --net unshare --net tail -f /dev/null 3>&- &
  lan_pid=$!
  wait_until in_lan ip link set lo up
  on_host ip link add lan0 type veth peer name lan1 netns "$lan_pid"
  on_host ip addr add 192.168.1.100/24 dev lan0
  on_host ip link set lan0 up
  in_lan ip addr add 192.168.1.50/24 dev lan1
  in_lan ip link set lan1 up
  start_daemon
  load_busybox
  export root host_pid lan_pid
  echo "$daemon_pid" >"$root/daemon"
}

# A machine beside the host, 192.168.1.50. It is there once it no longer sees the host's links.
in_lan() { [[ $(readlink "/proc/$lan_pid/ns/net") != "$(readlink "/proc/$host_pid/ns/net")" && $(readlink "/proc/$lan_pid/ns/net") != "$(readlink /proc/self/ns/net)" ]] && nsenter --target "$lan_pid" --net -- "$@"; }

teardown_file() {
  load lib
  daemon_pid=$(cat "$root/daemon")
  kill "$lan_pid"
  wait_until bash -c "! nsenter --target $host_pid --net ip link show lan0 >/dev/null 2>&1"
  end_host
}

setup() {
  load lib
}

teardown() { remove_all; }

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

@test "a container is cut off from before its first process, and after a restart" {
  brig network create web
  serve back shop
  apply deny-out lab <<<$'podSelector: {}\npolicyTypes: [Egress]'
  address=$(brig inspect -f '{{.NetworkSettings.Networks.web.IPAddress}}' back)
  for i in 1 2 3 4 5; do
    run brig run --rm --network web --label com.docker.compose.project=lab busybox nc -w 1 "$address" 80 -e true
    [ "$status" -ne 0 ]
  done
  brig run -d --name again --network web --label com.docker.compose.project=lab busybox sleep 1000
  no reaches again "$address"
  brig restart -t 0 again
  no reaches again "$address"
  run brig run --rm --network web busybox nc -w 1 "$address" 80 -e true
  [ "$status" -eq 0 ]
}

@test "names stay: DNS is within the container" {
  brig network create web
  serve back shop
  apply deny shop <<<$'podSelector: {}\npolicyTypes: [Ingress, Egress]'
  run brig exec back nslookup back 127.0.0.11
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "a published port is ingress from the client's own address; the host is always let in" {
  brig network create web
  serve back shop -p 8080:80
  lan() { in_lan curl -s --max-time 2 http://192.168.1.100:8080/; }
  wait_until lan
  apply deny shop <<<'podSelector: {}'
  no lan
  on_host curl -s --max-time 5 http://192.168.1.100:8080/
  on_host curl -s --max-time 5 http://127.0.0.1:8080/
  apply lan shop <<'END'
podSelector: {}
ingress:
- from: [{ipBlock: {cidr: 192.168.1.0/24, except: [192.168.1.50/32]}}]
END
  no lan
  apply lan shop <<'END'
podSelector: {}
ingress:
- from: [{ipBlock: {cidr: 192.168.1.0/26}}]
  ports: [{port: 80}]
END
  lan
}

@test "what is forbidden now is cut, what stays allowed goes on" {
  brig network create web
  serve back shop; serve front shop; serve other lab
  # Judged from the start, so that the connections are known.
  apply open shop <<<$'podSelector: {}\ningress: [{}]'
  coproc CONNECTIONS { exec nsenter --target "$host_pid" --net --mount -- python3 "$top/tests/policy/connections.py" "$root/brig.sock" back front other 3>&-; }
  read -rt 20 line <&"${CONNECTIONS[0]}"
  [ "$line" = ready ]
  apply open shop <<<$'podSelector: {}\ningress: [{from: [{podSelector: {}}]}]'
  echo again >&"${CONNECTIONS[1]}"
  read -rt 20 line <&"${CONNECTIONS[0]}"
  kill "$CONNECTIONS_PID"
  echo "$line"
  [ "$line" = front ]
}

@test "what a container says to the host is egress: forbidden, allowed by address, cut" {
  local gateway address
  brig network create web
  serve back shop
  gateway=$(brig network inspect -f '{{(index .IPAM.Config 0).Gateway}}' web)
  address=$(brig inspect -f '{{.NetworkSettings.Networks.web.IPAddress}}' back)
  nsenter --target "$host_pid" --net timeout 60 socat -u TCP-LISTEN:7000,reuseaddr,fork "OPEN:$root/said,creat,append" 3>&- &
  listener=$!
  known() { on_host conntrack -L -s "$address" -p tcp --dport 7000 2>/dev/null | grep -q ESTABLISHED; }
  says() { brig exec back sh -c "echo '$1' | timeout 2 nc $gateway 7000"; wait_until grep -q "$1" "$root/said"; }
  listens() { on_host ss -Htln 'sport = :7000' | grep -q LISTEN; }
  wait_until listens
  says open
  brig exec -d back sh -c "sleep 60 | nc $gateway 7000"
  wait_until known
  apply out shop <<<$'podSelector: {}\npolicyTypes: [Egress]'
  no known
  run brig exec back timeout 2 nc -w 1 "$gateway" 7000 -e true
  [ "$status" -ne 0 ]
  run brig exec back ping -c 1 -W 1 "$gateway"
  [ "$status" -ne 0 ]
  on_host curl -sf --max-time 5 -o "$root/page" "http://$address/"
  # Link-local addresses are no way around it.
  on_host sysctl -qw net.ipv6.conf.all.disable_ipv6=0
  brig network create --ipv6 six
  brig network connect six back
  link=$(brig network inspect -f '{{.Id}}' six)
  local=$(on_host ip -6 -o addr show dev "br-${link:0:12}" scope link | awk '{print $4}' | cut -d/ -f1)
  nsenter --target "$host_pid" --net timeout 60 socat -u "TCP6-LISTEN:7006,reuseaddr,fork" "OPEN:$root/said,creat,append" 3>&- &
  six=$!
  wait_until eval "on_host ss -ltn | grep -q :7006"
  in_back() { nsenter --target "$(brig inspect -f '{{.State.Pid}}' back)" --net -- "$@"; }
  no in_back timeout 2 socat -u OPEN:/etc/hostname "TCP6:[$local%eth1]:7006,connect-timeout=1"
  brig policy rm shop/out
  in_back timeout 5 socat -u OPEN:/etc/hostname "TCP6:[$local%eth1]:7006"
  kill "$six"
  apply out shop <<<$'podSelector: {}\negress: [{to: [{ipBlock: {cidr: '"$gateway"$'/32}}], ports: [{port: 7000}]}]\npolicyTypes: [Egress]'
  says allowed
  kill "$listener"
}

label_of() { brig inspect "$1" | jq -c ".[0].Config.Labels[\"$2\"]"; }

@test "other labels put a container that runs under other policies, for its connections too, and a killed daemon forgets none" {
  brig network create web
  serve back shop; serve front shop; serve other lab
  apply only shop <<'END'
podSelector: {matchLabels: {app: back}}
ingress:
- from: [{podSelector: {matchExpressions: [{key: role, operator: Exists}]}}]
END
  no reaches front back
  [ "$(brig update --label role=client --label empty front)" = front ]
  reaches front back
  [ "$(label_of front role) $(label_of front empty) $(label_of front app)" = '"client" "" "front"' ]
  [ "$(brig ps --filter label=role=client --format '{{.Names}}')" = front ]
  [[ $(brig policy test front back 80) == allowed* ]]
  run brig events --since 0 --until 0s --filter event=update --format '{{.Actor.Attributes.name}} {{.Actor.Attributes.role}}'
  [ "$output" = 'front client' ]
  # Of another namespace, until the project says otherwise.
  brig update -l role=client other
  no reaches other back
  brig update -l com.docker.compose.project=shop other
  reaches other back
  daemon_pid=$(cat "$root/daemon")
  kill_daemon
  start_daemon
  echo "$daemon_pid" >"$root/daemon"
  [ "$(label_of front role) $(label_of other com.docker.compose.project)" = '"client" "shop"' ]
  reaches front back; reaches other back
  coproc CONNECTIONS { exec nsenter --target "$host_pid" --net --mount -- python3 "$top/tests/policy/connections.py" "$root/brig.sock" back front other 3>&-; }
  read -rt 20 line <&"${CONNECTIONS[0]}"
  [ "$line" = ready ]
  brig update --label-rm role --label-rm missing other
  echo again >&"${CONNECTIONS[1]}"
  read -rt 20 line <&"${CONNECTIONS[0]}"
  kill "$CONNECTIONS_PID"
  [ "$line" = front ]
  no reaches other back
  run brig policy test other back 80
  [ "$status" -eq 1 ]
  brig restart -t 0 other
  no reaches other back
  [ "$(label_of other role)" = null ]
  # What is made of it has the labels that it has.
  brig commit other of-other >/dev/null
  [ "$(brig image inspect of-other | jq -c '.[0].Config.Labels')" = '{"app":"other","com.docker.compose.project":"shop"}' ]
  brig rmi of-other >/dev/null
}

@test "labels under which a container could not be protected are refused; what update does not do is named" {
  brig network create -d macvlan lan
  brig run -d --name on-lan --network lan --label com.docker.compose.project=lab busybox sleep 1000
  apply deny shop <<<'podSelector: {}'
  run brig update --label com.docker.compose.project=shop on-lan
  [ "$status" -eq 1 ]
  [[ $output == *'policy shop/deny selects container on-lan, and policies cannot be enforced on network lan of driver macvlan'* ]]
  [ "$(label_of on-lan com.docker.compose.project)" = '"lab"' ]
  run brig update --pids-limit 50 --label com.docker.compose.project=shop on-lan
  [ "$status" -eq 1 ]
  [ "$(brig inspect -f '{{.HostConfig.PidsLimit}}' on-lan)" = '<nil>' ]
  run brig update on-lan
  [ "$status" -eq 1 ]
  [[ $output == *'you must provide one or more flags'* ]]
  run brig update --label a=b none on-lan
  [ "$status" -eq 1 ]
  [[ $output == *'No such container: none'*on-lan* || $output == on-lan*'No such container: none'* ]]
}

@test "while labels change, packets are judged by those before or by those after, never by none" {
  brig network create web
  serve back shop; serve front shop; serve other lab
  for role in red blue; do
    apply "$role" shop <<END
podSelector: {matchLabels: {role: $role}}
ingress: [{from: [{podSelector: {matchLabels: {app: front}}}]}]
END
  done
  brig update --label role=red back
  run nsenter --target "$host_pid" --net --mount -- python3 "$top/tests/policy/relabel.py" "$root/brig.sock" back front other 60
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "a foreign flush brings the policies back, in the same transaction as the rest" {
  brig network create web
  serve back shop; serve other lab
  apply deny shop <<<'podSelector: {}'
  no reaches other back
  brig update --label role=client back
  for i in 1 2; do
    on_host nft flush ruleset
    in_force() { on_host nft list table bridge brig >/dev/null 2>&1 && on_host nft list set inet brig judged4 2>/dev/null | grep -q elements; }
    wait_until in_force
    no reaches other back
  done
  on_host nft list ruleset >/dev/null
}

@test "a container that takes another's address, or speaks link-local or to all, gets nowhere" {
  on_host sysctl -qw net.ipv6.conf.all.disable_ipv6=0
  brig network create --ipv6 --subnet 10.89.0.0/24 --subnet fd89::/64 web
  serve front shop --ip 10.89.0.10; serve back shop --ip 10.89.0.11
  brig run -d --name spy --network web --cap-add NET_ADMIN --label com.docker.compose.project=lab --ip 10.89.0.12 busybox sleep 1000
  apply only shop <<'END'
podSelector: {matchLabels: {app: back}}
ingress:
- from: [{podSelector: {matchLabels: {app: front}}}]
END
  reaches front back
  no reaches spy back
  local=$(brig exec back ip -6 -o addr show dev eth0 scope link | awk '{print $4}' | cut -d/ -f1)
  in_netns() { nsenter --target "$(brig inspect -f '{{.State.Pid}}' "$1")" --net -- "${@:2}"; }
  in_netns back timeout 30 socat -u UDP-RECV:9000,reuseaddr "OPEN:$root/heard,creat,append" 3>&- &
  listener=$!
  wait_until eval "in_netns back ss -lun | grep -q :9000"
  brig exec -d back httpd -p '[::]:81' -h /www
  no brig exec spy timeout 2 wget -qO- "http://[$local%eth0]:81/"
  echo loud | in_netns spy socat -u - UDP-DATAGRAM:10.89.0.255:9000,broadcast
  echo loud | in_netns spy socat -u - UDP-DATAGRAM:10.89.0.11:9000
  become() { brig exec spy ip -4 addr flush dev eth0; brig exec spy ip addr add "$1/24" dev eth0; }
  become 10.89.0.10
  no reaches spy 10.89.0.11
  become 10.89.0.99
  no reaches spy 10.89.0.10
  become 10.89.0.12
  reaches spy 10.89.0.10
  echo quiet | in_netns front socat -u - UDP-DATAGRAM:10.89.0.11:9000
  wait_until grep -q quiet "$root/heard"
  kill "$listener"
  [ "$(<"$root/heard")" = quiet ]
  reaches front back
}

@test "network map: who is selected, and what that leaves, in every form" {
  brig network create web
  serve front shop; serve back shop; serve other lab
  run brig network map web
  [[ $output != *policies* ]]
  apply only shop <<'END'
podSelector: {matchLabels: {app: back}}
ingress:
- from: [{podSelector: {matchLabels: {app: front}}}]
  ports: [{port: 80}]
END
  run brig network map web
  echo "$output"
  [[ $output == *$'Selected by policies\n└─ back  ingress by shop/only\n\nWhat they leave between containers\n└─ front → back  tcp/80' ]]
  [ "$(brig network map --json - web | jq -c '.[].Containers[] | select(.Name == "back") | [.Ingress, .Egress]')" = \
    '[{"Policies":["shop/only"],"Containers":[{"Name":"front","Ports":"tcp/80"}]},null]' ]
  brig network map --svg "$root/map.svg"
  python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$root/map.svg"
  grep -q 'front → back tcp/80' "$root/map.svg"
}

@test "files: several documents, all or nothing, changes told; errors name the place" {
  { policy a shop <<<'podSelector: {}'; echo ---; policy b lab <<<$'podSelector: {matchLabels: {app: db}, matchExpressions: [{key: tier, operator: NotIn, values: [x, y]}]}\npolicyTypes: [Ingress, Egress]'; } >"$root/two.yaml"
  [ "$(brig policy apply -f "$root/two.yaml")" = $'networkpolicy shop/a created\nnetworkpolicy lab/b created' ]
  [ "$(apply a shop <<<$'podSelector: {}\ningress: [{}]')" = 'networkpolicy shop/a configured' ]
  [ "$(brig policy apply -f "$root/two.yaml")" = $'networkpolicy shop/a configured\nnetworkpolicy lab/b unchanged' ]
  run brig policy ls
  echo "$output"
  [[ ${lines[1]} =~ ^lab\ +b\ +app=db,tier\ notin\ \(x,y\)\ +Ingress,Egress$ ]]
  [[ ${lines[2]} =~ ^shop\ +a\ +\<all\>\ +Ingress$ ]]
  [ "$(brig policy ls -q -n lab)" = lab/b ]
  [ "$(brig policy inspect lab/b | jq -r '.[0].spec.podSelector.matchLabels.app')" = db ]
  run brig policy inspect lab/none
  [ "$status" -eq 1 ]
  [[ $output == *'No such policy: lab/none'* ]]
  { policy c shop <<<'podSelector: {}'; echo ---; policy d shop <<<$'podSelector: {}\ningress: [{ports: [{port: http}]}]'; } >"$root/bad.yaml"
  run brig policy apply -f "$root/bad.yaml"
  [ "$status" -eq 1 ]
  [[ $output == *"policy 'd': spec.ingress[0].ports[0].port: 'http' is a name"* ]]
  [ "$(brig policy ls -q)" = $'lab/b\nshop/a' ]
  run apply e shop <<<'podselector: {}'
  [[ $output == *'spec.podselector: there is no such field'* ]]
  run brig policy apply -f - <<<$'a: &x 1\nb: *x'
  [[ $output == *'line 1: an anchor'* ]]
  run brig policy apply -f "$root/none.yaml"
  [[ $output == *none.yaml* ]]
  [ "$(policy f x <<<'podSelector: {}' | sed 's/, namespace: x//' | brig policy apply -n lab -f -)" = 'networkpolicy lab/f created' ]
  run brig policy rm lab/f nothing
  [ "$status" -eq 1 ]
  [[ $output == *lab/f*'No such policy: default/nothing'* ]]
}

@test "test: the table, one question with its reason, exit codes" {
  brig network create web
  serve front shop; serve back shop; serve other lab
  brig network create apart
  brig run -d --name far --network apart busybox sleep 1000
  apply back shop <<'END'
podSelector: {matchLabels: {app: back}}
ingress:
- from: [{podSelector: {matchLabels: {app: front}}}]
  ports: [{port: 80}, {port: 8000, endPort: 8010}, {port: 53, protocol: UDP}]
END
  run brig policy test
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output =~ front\ +apart\ +all\ +tcp/80,8000-8010\ udp/53\ +all ]]
  [[ $output =~ other\ +apart\ +all\ +-\ +all ]]
  [ "$(brig policy test --format json | jq -c '[.Pairs[] | select(.From == "other" and .To == "back") | .All, .Ports]')" = '[false,[]]' ]
  run brig policy test front back 80
  [ "$status" -eq 0 ]
  [[ $output == allowed*'ingress rule 1 of policy shop/back allows it' ]]
  run brig policy test front back 80/udp
  [ "$status" -eq 1 ]
  [[ $output == denied*'policy shop/back selects it for ingress, and no rule of any allows this' ]]
  run brig policy test 192.168.1.7 back 80
  [ "$status" -eq 1 ]
  run brig policy test far back 80
  [ "$status" -eq 1 ]
  [[ $output == *'they have no network in common' ]]
  run brig policy test nobody back 80
  [ "$status" -eq 2 ]
  [[ $output == *'No such container: nobody'* ]]
  run brig policy test front back 80/icmp
  [ "$status" -eq 2 ]
}
