#!/usr/bin/env bats
# What containers use: the document of the API, brig's and docker's tables, and that all who look share one reading. About 20 s, most of
# which is waited for: an answer is about a second.

setup_file() {
  load lib
  make_host
  start_daemon
  load_busybox
  brig run -d --name web -m 64m --pids-limit 100 busybox sh -c 'head -c 5000000 /dev/zero >/fat; httpd -f -h /www -p 80' >/dev/null
  brig create --name cold busybox >/dev/null
  export root host_pid daemon_pid
}

teardown_file() {
  load lib
  end_host
}

setup() { load lib; }

stats_of() { curl -s --max-time 20 --unix-socket "$root/brig.sock" "http://d/containers/$1/stats?$2"; }

@test "the document: what is asked once has a second to compare with" {
  stats_of web stream=false >"$root/document"
  run jq -r '[.name, .id[:3] == (.id[:12])[:3], .preread > "2000", .read > .preread, .num_procs] | @tsv' "$root/document"
  [ "$output" = $'/web\ttrue\ttrue\ttrue\t0' ]
  run jq -r '.memory_stats | [.limit, .usage > 100000, .usage <= .max_usage, (.stats | length > 10)] | @tsv' "$root/document"
  [ "$output" = $'67108864\ttrue\ttrue\ttrue' ]
  run jq -r '.pids_stats | [.current >= 1, .limit] | @tsv' "$root/document"
  [ "$output" = $'true\t100' ]
  run jq -r '[.cpu_stats.online_cpus, .cpu_stats.system_cpu_usage > .precpu_stats.system_cpu_usage, .cpu_stats.cpu_usage.total_usage >= .precpu_stats.cpu_usage.total_usage,
    .precpu_stats.cpu_usage.total_usage > 0, (.cpu_stats.throttling_data | keys | join(","))] | @tsv' "$root/document"
  [ "$output" = "$(nproc)"$'\ttrue\ttrue\ttrue\tperiods,throttled_periods,throttled_time' ]
  run jq -r '.networks | [keys[0], (.eth0 | keys | length)] | @tsv' "$root/document"
  [ "$output" = $'eth0\t8' ]
  run jq -r '.blkio_stats | keys | length' "$root/document"
  [ "$output" = 8 ]
}

@test "the figures are those of the kernel: memory, processor time and bytes on the network move with what is done" {
  before=$(stats_of web 'stream=false&one-shot=true')
  brig exec web sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'
  on_host curl -sf -o /dev/null "http://$(brig inspect -f '{{.NetworkSettings.IPAddress}}' web)/index.html"
  after() { # what is read is at most a second old
    now=$(stats_of web 'stream=false&one-shot=true')
    jq -e -n --argjson a "$before" --argjson b "$now" '$b.cpu_stats.cpu_usage.total_usage > $a.cpu_stats.cpu_usage.total_usage + 5000000 and $b.networks.eth0.rx_bytes > $a.networks.eth0.rx_bytes + 70
      and $b.networks.eth0.tx_bytes > $a.networks.eth0.tx_bytes + 70' >/dev/null
  }
  wait_until after
  [ "$(jq -r '.preread + " " + (.precpu_stats.cpu_usage.total_usage | tostring)' <<<"$now")" = '0001-01-01T00:00:00Z 0' ]
}

@test "one that does not run: a name and nothing else, at once and in a stream" {
  run stats_of cold stream=false
  [ "$(jq -c '[.read, .name, .memory_stats, .pids_stats, .blkio_stats.io_service_bytes_recursive, .networks]' <<<"$output")" = '["0001-01-01T00:00:00Z","/cold",{},{},null,null]' ]
  first=$(timeout 10 curl -sN --unix-socket "$root/brig.sock" http://d/containers/cold/stats | head -n 1)
  [ "$(jq -r .name <<<"$first")" = /cold ]
}

@test "a container without a network of its own has no networks" {
  brig run -d --name hosted --network host busybox sleep 100
  brig run -d --name lone --network none busybox sleep 100
  brig run -d --name joined --network container:web busybox sleep 100
  [ "$(stats_of hosted 'stream=0&one-shot=1' | jq .networks)" = null ]
  [ "$(stats_of lone 'stream=0&one-shot=1' | jq .networks)" = null ]
  [ "$(stats_of joined 'stream=0&one-shot=1' | jq -r '.networks | keys[0]')" = eth0 ]
  brig rm -f hosted lone joined
}

@test "all who look get the same readings, and a stream ends with its container" {
  brig run -d --name watched busybox sleep 1000
  local readers=()
  for i in 1 2 3; do
    curl -sN --max-time 60 --unix-socket "$root/brig.sock" http://d/containers/watched/stats >"$root/stream.$i" 3>&- &
    readers+=($!)
  done
  have_three() { for i in 1 2 3; do [[ $(wc -l <"$root/stream.$i") -ge 3 ]] || return 1; done; }
  wait_until have_three
  brig rm -f watched
  for pid in "${readers[@]}"; do wait "$pid"; done
  for i in 1 2 3; do jq -r 'select(.memory_stats.usage) | .read' "$root/stream.$i" | tail -n +2 | head -2; done | sort | uniq -c >"$root/reads"
  [ "$(awk '{n += $1} END {print n}' "$root/reads")" = 6 ]
  [ "$(wc -l <"$root/reads")" -le 4 ] # of six, were each client to read on its own
  # A second after the other, each comparing itself with the one before.
  jq -s -e '.[2].preread == .[1].read and .[0].preread == "0001-01-01T00:00:00Z"' "$root/stream.1"
}

@test "a client that does not read costs others nothing, and one that leaves ends its stream" {
  mkfifo "$root/slow"
  curl -sN --unix-socket "$root/brig.sock" http://d/containers/web/stats >"$root/slow" 3>&- &
  slow=$!
  exec 7<"$root/slow"
  read -r -u 7 line
  [ "$(jq -r .name <<<"$line")" = /web ]
  [ "$(stats_of web 'stream=0&one-shot=1' | jq -r .name)" = /web ]
  exec 7<&-
  kill "$slow"; wait "$slow" || :
  [ "$(stats_of web 'stream=0' | jq -r .name)" = /web ]
}

@test "errors: no such container, and what does not go together" {
  [ "$(stats_of nothing '' | jq -r .message)" = 'No such container: nothing' ]
  [ "$(stats_of web 'one-shot=1' | jq -r .message)" = 'cannot have stream=true and one-shot=true' ]
}

@test "brig stats and docker stats: the same table" {
  run brig stats --no-stream web cold
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == 'CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT'*'MEM %     NET I/O'*'BLOCK I/O'*'PIDS' ]]
  [[ ${lines[1]} =~ ^[0-9a-f]{12}\ +web\ +[0-9.]+%\ +[0-9.]+[KM]iB\ /\ 64MiB\ +[0-9.]+%\ +[0-9.]+k?B\ /\ [0-9.]+k?B\ +[0-9.]+k?M?B\ /\ [0-9.]+k?M?B\ +[0-9]+$ ]]
  [[ ${lines[2]} =~ ^[0-9a-f]{12}\ +cold\ +0.00%\ +0B\ /\ 0B\ +0.00%\ +0B\ /\ 0B\ +0B\ /\ 0B\ +0$ ]]
  ours=$(brig stats --no-stream --format '{{.Container}} {{.Name}} {{.ID}} {{.PIDs}}' --no-trunc web cold)
  [ "$ours" = "web web $(brig inspect -f '{{.Id}}' web) 1"$'\n'"cold cold $(brig inspect -f '{{.Id}}' cold) 0" ]
  command -v docker >/dev/null || skip "no docker client on this machine"
  [ "$(docker stats --no-stream --format '{{.Container}} {{.Name}} {{.ID}} {{.PIDs}}' --no-trunc web cold)" = "$ours" ]
  [ "$(docker stats --no-stream | head -1 | tr -s ' ')" = "$(brig stats --no-stream | head -1 | tr -s ' ')" ]
}

@test "all that run, all that there are, as JSON; a name that is not there; statsFormat" {
  [ "$(brig stats --no-stream --format '{{.Name}}')" = web ]
  [ "$(brig stats --no-stream -a --format '{{.Name}}' | sort | paste -sd,)" = cold,web ]
  [ "$(brig stats --no-stream --format json web | jq -r 'keys | join(",")')" = BlockIO,CPUPerc,Container,ID,MemPerc,MemUsage,Name,NetIO,PIDs ]
  run brig stats --no-stream web nothing
  [ "$status" -eq 1 ]
  [ "$output" = 'Error response from daemon: No such container: nothing' ]
  mkdir "$root/config"
  echo '{"statsFormat": "{{.Name}}!"}' >"$root/config/config.json"
  [ "$(brig --config "$root/config" stats --no-stream)" = 'web!' ]
}

@test "brig stats goes on: new containers come, removed ones go" {
  brig stats --format '<{{.Name}}>' >"$root/screen" 3>&- &
  watcher=$!
  seen() { grep -q "<$1>" "$root/screen"; }
  wait_until seen web
  brig run -d --name late busybox sleep 100
  wait_until seen late
  brig rm -f late
  last_lacks() { [[ $(awk 'BEGIN { RS = "\033\\[H" } { text = $0 } END { print text }' "$root/screen") != *'<late>'* ]]; }
  wait_until last_lacks
  kill "$watcher"; wait "$watcher" || :
  grep -q $'\033\\[J' "$root/screen"
}

@test "docker stats goes on: by streams and events, as it does with dockerd" {
  command -v docker >/dev/null || skip "no docker client on this machine"
  docker stats --format '<{{.Name}} {{.PIDs}}>' >"$root/theirs" 3>&- &
  watcher=$!
  seen() { grep -q "<$1>" "$root/theirs"; }
  wait_until seen 'web 1'
  brig run -d --name later busybox sleep 100
  wait_until seen 'later 1'
  brig rm -f later
  last_lacks() { [[ $(awk 'BEGIN { RS = "\033\\[H" } { text = $0 } END { print text }' "$root/theirs") == *'<web'* ]] && [[ $(awk 'BEGIN { RS = "\033\\[H" } { text = $0 } END { print text }' "$root/theirs") != *'<later'* ]]; }
  wait_until last_lacks
  kill "$watcher"; wait "$watcher" || :
}

@test "brig stats of a name ends when that is removed" {
  brig run -d --name short busybox sleep 100
  timeout 20 brig stats short >"$root/short" 3>&- &
  watcher=$!
  seen() { grep -q short "$root/short"; }
  wait_until seen
  brig rm -f short
  wait "$watcher"
}
