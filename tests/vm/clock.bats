#!/usr/bin/env bats
# The machine's clock is set forward and back by a day while containers run: nothing hangs, is lost, or begins again in a loop. Run by tests/vm/suite, as
# nowhere else may a test set the clock.

setup_file() {
  load ../lib
  WAIT_SECONDS=${WAIT_SECONDS:-120}
  make_host
  mkdir -p "$root/data"
  start_daemon
  load_busybox
  brig network create net
  export root host_pid daemon_pid WAIT_SECONDS
}

teardown_file() {
  load ../lib
  end_host
}

setup() {
  load ../lib
  before=$(uptime_s)
}

uptime_s() { cut -d. -f1 /proc/uptime; }

# jump DAYS: sets the clock, which what the test itself waits by (SECONDS of bash is the clock's) does not outlive.
jump() { date -s "@$(($(date +%s) + $1 * 86400))" >/dev/null; }

# until_true COMMAND...: wait_until, by the clock that nobody sets.
until_true() {
  local end=$(($(uptime_s) + WAIT_SECONDS))
  until "$@"; do
    [ "$(uptime_s)" -lt "$end" ] || return 1
    read -rt 0.2 <> <(:) || :
  done
}

is() { [[ $(brig inspect -f "$1" "$2") == "$3" ]]; }

@test "health checks go on, and an unhealthy container is told so, in either direction" {
  brig run -d --name checked --health-cmd 'date +%s >/last; test ! -e /sick' --health-interval 1s --health-timeout 60s --health-retries 2 busybox sleep 100000
  until_true is '{{.State.Health.Status}}' checked healthy
  for days in 1 -1 -1 1; do
    jump "$days"
    brig exec checked rm -f /last
    until_true brig exec checked test -s /last
    is '{{.State.Health.Status}}' checked healthy
  done
  jump 1
  brig exec checked touch /sick
  until_true is '{{.State.Health.Status}}' checked unhealthy
  jump -1
  brig exec checked rm /sick
  until_true is '{{.State.Health.Status}}' checked healthy
  brig rm -f checked
}

@test "restarts keep their back-off, and none is waited for longer than it is" {
  brig run -d --name again --restart on-failure:6 busybox false
  local days=1
  until_true is '{{.RestartCount}}' again 1
  until is '{{.State.Status}} {{.RestartCount}}' again 'exited 6'; do
    jump "$days"
    days=$((-days))
    [ $(($(uptime_s) - before)) -lt 400 ]
  done
  # 100 ms and each time twice as much: six waits are 6.3 s at the least.
  [ $(($(uptime_s) - before)) -ge 6 ]
  [ "$days" -eq 1 ] || jump -1
  brig rm again
}

@test "stop's time-out, wait, a name, and a start are as quick as ever; a start period is not over before its time" {
  brig run -d --name web --network net busybox httpd -f -h /www
  brig run -d --name stays --network net --health-cmd false --health-interval 1s --health-retries 1 --health-start-period 1h busybox sh -c 'trap "" TERM; while :; do sleep 0.2; done'
  brig run -d --name ends --network net busybox sh -c 'while [ ! -e /go ]; do sleep 0.2; done; exit 7'
  brig wait ends >"$root/waited" 3>&- &
  local waits=$!
  for days in 1 -1; do
    jump "$days"
    [ "$(brig exec stays wget -qO- http://web/)" = 'hello from a container' ]
  done
  jump 1
  kill_daemon # the next one takes the age of what runs from elsewhere than the clock
  jump 1
  start_daemon
  [ "$(brig exec stays wget -qO- http://web/)" = 'hello from a container' ]
  until_true is '{{len .State.Health.Log}}' stays 5
  is '{{.State.Health.Status}}' stays starting
  jump -1
  brig stop -t 3 stays >/dev/null 3>&- &
  local stops=$!
  jump -1
  until_true process_is_gone "$stops"
  is '{{.State.Status}} {{.State.ExitCode}}' stays 'exited 137'
  brig exec ends touch /go
  until_true process_is_gone "$waits"
  [ "$(cat "$root/waited")" = 7 ]
  brig rm -f web stays ends
}

@test "logs and events that are followed lose nothing, and end at their time" {
  brig run -d --name talks busybox sh -c 'while :; do echo line; sleep 0.3; done'
  local now
  now=$(date +%s)
  brig logs -f --since "$now" --until "$((now + 90))" talks >"$root/log" 3>&- &
  local logs=$!
  brig events --since "$now" --until "$((now + 90))" --filter type=volume --format '{{.Action}} {{.Actor.ID}}' >"$root/events" 3>&- &
  local events=$!
  until_true test -s "$root/log"
  jump -1
  local lines
  lines=$(wc -l <"$root/log")
  brig volume create after
  until_true grep -q 'create after' "$root/events"
  until_true eval '[ "$(wc -l <"$root/log")" -gt $((lines + 3)) ] || process_is_gone '"$logs"
  [ "$(wc -l <"$root/log")" -gt "$lines" ]
  until_true process_is_gone "$logs"
  until_true process_is_gone "$events"
  [ $(($(uptime_s) - before)) -lt 400 ]
  jump 1
  # What was written while the clock was a day back is not lost for one who asks for all since the beginning.
  lines=$(brig logs talks | wc -l)
  [ "$(brig logs --since "$now" talks | wc -l)" -gt 3 ]
  [ "$lines" -ge "$(wc -l <"$root/log")" ]
  brig volume rm after
  brig rm -f talks
}

@test "image-gc and the build cache take nothing for old that is not; a build's image stays its" {
  stop_daemon
  echo '{"image-gc": {"unused-for": "12h"}}' >"$root/daemon.json"
  start_daemon --config-file "$root/daemon.json"
  mkdir "$root/context"
  printf 'FROM busybox\nRUN echo made >/made\n' >"$root/context/Dockerfile"
  brig build -q -t built "$root/context" >/dev/null
  brig tag busybox idle:tag
  jump 1
  # The end of a container makes the collector look.
  brig run --rm built cat /made
  brig image inspect idle:tag >/dev/null
  [[ $(brig build --progress plain "$root/context" 2>&1) == *CACHED* ]]
  jump -1
  brig run --rm built cat /made
  brig image inspect idle:tag built:latest >/dev/null
  [[ $(brig build --progress plain "$root/context" 2>&1) == *CACHED* ]]
  run brig system check
  echo "$output"
  [ "$status" -eq 0 ]
}
