#!/usr/bin/env bats
# Network policies against an oracle that reads the same documents: 300 generated ones, by decision and by packets, while containers that run
# are given other labels.

setup_file() {
  load lib
  make_host
  start_daemon
  load_busybox
  export root host_pid
  echo "$daemon_pid" >"$root/daemon"
  brig network create --ipv6 --subnet 10.88.0.0/24 --subnet fd88::/64 stage >/dev/null
  local number=16 project app tier
  for project in default shop lab; do
    for app in web db cache; do
      tier=back; [[ $app != web ]] || tier=front
      brig run -d --name "$project-$app" --network stage --ip "10.88.0.$number" --ip6 "fd88::$(printf %x "$number")" \
        --label "app=$app" --label "tier=$tier" $([[ $app != db ]] || echo --label stage=live) \
        $([[ $project == default ]] || echo --label "com.docker.compose.project=$project") busybox sleep 1000 >/dev/null
      number=$((number + 1))
    done
  done
}

teardown_file() {
  load lib
  daemon_pid=$(cat "$root/daemon")
  end_host
}

setup() { load lib; }

oracle() { on_host python3 "$top/tests/policy/oracle.py" "$1" "$root/brig.sock" "${@:2}"; }

@test "three hundred policies are decided as the oracle decides them" {
  run oracle decisions 1 300
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output =~ ^300\ policies,\ 9\ containers,\ [2-9][0-9]\ times\ other\ labels,\ 0\ probes:\ the\ same$ ]]
}

@test "packets pass as the oracle says" {
  run oracle probes 2 300 6
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "the same after containers were started anew, and after the daemon was killed" {
  brig restart -t 0 default-web shop-db lab-cache >/dev/null
  run oracle probes 3 300 2
  echo "$output"
  [ "$status" -eq 0 ]
  brig policy ls >"$root/before"
  daemon_pid=$(cat "$root/daemon")
  kill_daemon
  start_daemon
  echo "$daemon_pid" >"$root/daemon"
  brig policy ls | diff "$root/before" -
  run oracle probes 4 300 2
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "the same where br_netfilter shows nothing of a bridge's inside" {
  [[ $(on_host cat /proc/sys/net/bridge/bridge-nf-call-iptables) == 1 ]] || skip "the tests before had none"
  daemon_pid=$(cat "$root/daemon")
  stop_daemon
  on_host sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
  start_daemon
  echo "$daemon_pid" >"$root/daemon"
  run oracle probes 5 300 6
  echo "$output"
  [ "$status" -eq 0 ]
}
