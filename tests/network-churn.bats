#!/usr/bin/env bats
# Containers and networks that come and go while the daemon is killed. BRIG_CHURN_ROUNDS=20 runs some minutes, BRIG_CHURN_SEED=N the same
# choices again (not the same order of things: ten clients are at it).

setup() {
  load lib
  make_host
  start_daemon
  load_busybox
}

teardown() {
  end_host
}

# What the host has of networks and mounts: as before, when all is removed.
of_host() { on_host nft list ruleset | sort; on_host ip -o addr | sed 's/^[0-9]*: //'; { on_host ip route; on_host ip -6 route; } | sed "s, linkdown,," | sort; grep -c "$root" "/proc/$host_pid/mountinfo" || :; }

# The daemon's descriptors, by what they are of: host ports are sockets, namespaces of containers are files. How many it has of a
# database is SQLite's matter, which closes none while another holds a lock, and that of its copies.
fds() { find "/proc/$(cat "$root/brigd.pid")/fd" -type l -printf '%l\n' | grep -v '\.db' | sed -E 's/[0-9]+//g' | sort | uniq -c; }

@test "200 containers on 20 networks made and removed by ten clients, the daemon killed every few seconds: nothing leaks, no address is given twice" {
  local seed=${BRIG_CHURN_SEED:-$RANDOM} tally=
  echo "seed $seed"
  # What the first of its kind leaves: a host that routes IPv6 and is closed to others, a directory that stays open.
  brig network create --ipv6 first >/dev/null
  brig run --rm --network first -p 80 busybox true
  brig network rm first >/dev/null
  of_host >"$root/before"
  fds >"$root/fds"
  mkfifo "$root/asks" "$root/told"
  nsenter --target "$host_pid" --net --mount -- timeout 1200 python3 "$top/tests/network-churn.py" "$root/brig.sock" busybox "$seed" "${BRIG_CHURN_ROUNDS:-1}" \
    <"$root/told" >"$root/asks" 2>"$root/wrong" 3>&- & churn=$!
  exec 8>"$root/told" 9<"$root/asks"
  while read -r tally <&9; do
    [[ $tally == kill ]] || break
    kill_daemon
    start_daemon 8>&- 9<&-
    echo killed >&8
  done
  exec 8>&- 9<&-
  wait "$churn" || { cat "$root/wrong"; tail -30 "$root/brigd.log"; echo "$tally"; return 1; }
  echo "$tally" >&3
  [ -z "$(brig ps -aq)" ]
  wait_until eval 'of_host | diff "$root/before" - >"$root/diff"' || { cat "$root/diff"; return 1; }
  wait_until eval 'fds | diff "$root/fds" - >"$root/diff"' || { cat "$root/diff"; return 1; }
  wait_until eval '[[ -z $(ls "$root/data/containers" "$root/run/containers" | grep -v :) ]]' || { ls "$root/data/containers" "$root/run/containers"; return 1; }
  mkdir "$root/copy" && cp "$root"/data/engine.db* "$root/copy" # the daemon has the file for itself
  [ "$(sqlite3 "$root/copy/engine.db" 'SELECT (SELECT count(*) FROM containers), (SELECT count(*) FROM networks)')" = '0|3' ]
}
