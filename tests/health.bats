#!/usr/bin/env bats
# Health checks: states, what ends and restarts them, what events, ps and inspect tell. What is waited for is an event or a state; no
# test depends on how long a check takes.

load one-daemon

teardown() {
  local ids
  ids=$(brig ps -aq) && [[ -n $ids ]] && brig rm -f $ids >/dev/null || :
}

health() { brig inspect -f "${2:-{{.State.Health.Status\}\}}" "$1"; }
is() { [[ $(health "$1") == "$2" ]]; }
streak_is() { [[ $(brig inspect -f '{{.State.Health.FailingStreak}}' "$1") -ge $2 ]]; }
# results NAME COUNT: at least that many are logged.
results() { [[ $(brig inspect "$1" | jq '.[0].State.Health.Log | length') -ge $2 ]]; }
events_of() { brig events --since 0 --until "$(date +%s.%N)" --filter "container=$1" --format '{{.Action}}'; }

# checked NAME COMMAND [FLAG...]: runs it with short times.
checked() {
  local name=$1 command=$2
  shift 2
  brig run -d --name "$name" --health-cmd "$command" --health-interval 100ms --health-timeout 5s --health-retries 2 "$@" busybox sleep 1000 >/dev/null
}

@test "starting, healthy, unhealthy, healthy again: inspect, ps, events" {
  brig run -d --name web --health-cmd 'test ! -e /bad && echo fine' --health-interval 1h busybox sleep 1000
  [ "$(brig inspect web | jq -c '.[0].State.Health')" = '{"Status":"starting","FailingStreak":0,"Log":[]}' ]
  [[ $(brig ps --format '{{.Status}}') == 'Up '*'(health: starting)' ]]
  brig rm -f web
  checked web 'test ! -e /bad && echo fine'
  wait_until is web healthy
  [[ $(brig ps --format '{{.Status}}') == 'Up '*' (healthy)' ]]
  run jq -c '.[0].State.Health.Log[0] | [.ExitCode, .Output, .Start < .End]' <<<"$(brig inspect web)"
  [ "$output" = '[0,"fine\n",true]' ]
  brig exec web touch /bad
  wait_until is web unhealthy
  [[ $(brig ps --format '{{.Status}}') == 'Up '*' (unhealthy)' ]]
  wait_until streak_is web 3
  [ "$(brig inspect web | jq '.[0].State.Health.Log | length')" -le 5 ]
  brig exec web rm /bad
  wait_until is web healthy
  [ "$(brig inspect -f '{{.State.Health.FailingStreak}}' web)" -eq 0 ]
  told() { [[ $(events_of web | grep health_status | paste -sd,) == 'health_status: healthy,health_status: unhealthy,health_status: healthy' ]]; }
  wait_until told # the state comes first, then the event
}

@test "a check is an exec: exec_create, exec_start, exec_die with its exit code; its id is known while it runs" {
  checked execs 'exit 3'
  wait_until is execs unhealthy
  run brig events --since 0 --until "$(date +%s.%N)" --filter container=execs --format '{{json .}}'
  run jq -r '.Action + " " + (.Actor.Attributes.exitCode // "-")' <<<"$output"
  echo "$output"
  [ "$(grep -m 3 '^exec' <<<"$output" | paste -sd,)" = 'exec_create: /bin/sh -c exit 3 -,exec_start: /bin/sh -c exit 3 -,exec_die 3' ]
  brig rm -f execs
  brig run -d --name execs --health-cmd 'sleep 1000' --health-interval 10ms busybox sleep 1000
  wait_until bash -c '[[ $(brig inspect -f "{{len .ExecIDs}}" execs) == 1 ]]'
  id=$(brig inspect execs | jq -r '.[0].ExecIDs[0]')
  run curl -s --unix-socket "$root/brig.sock" "http://d/exec/$id/json"
  [ "$(jq -c '[.Running, .ProcessConfig.entrypoint, .ProcessConfig.arguments]' <<<"$output")" = '[true,"/bin/sh",["-c","sleep 1000"]]' ]
}

@test "too slow: killed with what it started, exit code -1, what it said is kept" {
  checked web 'echo began; sleep 1001; true' --health-timeout 200ms --health-retries 1
  wait_until is web unhealthy
  run jq -c '.[0].State.Health.Log[0] | [.ExitCode, .Output]' <<<"$(brig inspect web)"
  [ "$output" = '[-1,"Health check exceeded timeout (200ms): began\n"]' ]
  wait_until results web 3
  # One may be under way; those before it are gone, the shell's child too.
  [ "$(brig exec web ps -o args | grep -c '^sleep 1001')" -le 1 ]
}

@test "output: 4096 bytes, then dots; no UTF-8 and zeros are replaced; a flood does not hold it up" {
  checked long 'head -c 5000 /dev/zero | tr "\0" x'
  checked bytes 'printf "a\377\000b"'
  checked flood 'yes | head -c 5000000; exit 0'
  checked behind 'sleep 1000 & echo left'
  for name in long bytes flood behind; do wait_until results $name 1; done
  [ "$(brig inspect long | jq '.[0].State.Health.Log[0].Output | length, .[-4:]' | paste -sd,)" = '4099,"x..."' ]
  [ "$(brig inspect bytes | jq -c '.[0].State.Health.Log[0].Output')" = '"a��b"' ]
  wait_until is flood healthy
  wait_until is behind healthy
  [ "$(brig inspect behind | jq -c '.[0].State.Health.Log[0].Output')" = '"left\n"' ]
}

@test "a check that cannot be run" {
  image_of nothing 'true'
  brig build -q -t broken - <<<$'FROM busybox\nHEALTHCHECK --interval=100ms --retries=1 CMD ["/not/there"]' >/dev/null
  brig run -d --name web broken sleep 1000
  wait_until is web unhealthy
  run jq -c '.[0].State.Health.Log[0] | [.ExitCode, .Output]' <<<"$(brig inspect web)"
  echo "$output"
  [[ $output == '[-1,"OCI runtime exec failed: exec failed: unable to start container process: exec: \"/not/there\": '*'no such file or directory: unknown"]' ]]
  forgotten() { [[ $(brig inspect web | jq -c '.[0].ExecIDs') == null ]]; }
  wait_until forgotten # one may be under way
}

@test "start period: failures do not count, the start interval rules, a success ends it" {
  checked web 'test -e /up' --health-interval 1h --health-start-period 1h --health-start-interval 100ms --health-retries 1
  wait_until results web 3
  is web starting
  [ "$(brig inspect -f '{{.State.Health.FailingStreak}}' web)" -eq 0 ]
  brig exec web touch /up
  wait_until is web healthy
}

@test "CMD and CMD-SHELL: the image's SHELL, user, directory and environment" {
  brig build -q -t shelled - >/dev/null <<'EOF'
FROM busybox
SHELL ["/bin/sh", "-ec"]
USER web
WORKDIR /www
ENV GREETING=hello
HEALTHCHECK --interval=100ms --retries=5 CMD id -un; pwd; echo $GREETING $-
EOF
  brig run -d --name web shelled sleep 1000
  wait_until is web healthy
  brig inspect web | jq -c '.[0].State.Health'
  [[ $(brig inspect web | jq -c '.[0].State.Health.Log[0].Output') == '"web\n/www\nhello '*e* ]]
  [ "$(brig inspect web | jq -c '.[0].Config.Healthcheck')" = '{"Test":["CMD-SHELL","id -un; pwd; echo $GREETING $-"],"Interval":100000000,"Retries":5}' ]
}

@test "what a container leaves out is its image's; --no-healthcheck; NONE" {
  brig build -q -t base - <<<$'FROM busybox\nHEALTHCHECK --interval=1h --timeout=7s --retries=9 CMD true' >/dev/null
  brig create --name some --health-timeout 2s --health-cmd 'test 1' base >/dev/null
  [ "$(brig inspect some | jq -c '.[0].Config.Healthcheck')" = '{"Test":["CMD-SHELL","test 1"],"Interval":3600000000000,"Timeout":2000000000,"Retries":9}' ]
  [ "$(brig inspect some | jq -c '.[0].State.Health')" = null ]
  brig run -d --name none --no-healthcheck base sleep 1000 >/dev/null
  [ "$(brig inspect none | jq -c '.[0].Config.Healthcheck.Test, .[0].State.Health' | paste -sd' ')" = '["NONE"] null' ]
  [[ $(brig ps --format '{{.Status}}') != *health* ]]
  brig commit -c 'HEALTHCHECK --retries=2 CMD other' some committed >/dev/null
  [ "$(brig image inspect committed | jq -c '.[0].Config.Healthcheck')" = '{"Test":["CMD-SHELL","other"],"Interval":3600000000000,"Timeout":2000000000,"Retries":2}' ]
}

@test "requests that cannot be: in Docker's words, at create" {
  ask() { curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' -d "{\"Image\":\"busybox\",\"Healthcheck\":$1}" "http://d${2:-}/containers/create" | jq -r '.message // "made"'; }
  [ "$(ask '{"Interval":1}')" = "Interval in Healthcheck cannot be less than 1ms" ]
  [ "$(ask '{"Timeout":-1}')" = "Timeout in Healthcheck cannot be less than 1ms" ]
  [ "$(ask '{"StartPeriod":5}')" = "StartPeriod in Healthcheck cannot be less than 1ms" ]
  [ "$(ask '{"StartInterval":5}')" = "StartInterval in Healthcheck cannot be less than 1ms" ]
  [ "$(ask '{"Retries":-1}')" = "Retries in Healthcheck cannot be negative" ]
  [ "$(ask '{"StartInterval":5}' /v1.43)" = made ] # the field came with 1.44
}

@test "ps --filter health=" {
  checked good true
  checked bad false
  brig run -d --name plain busybox sleep 1000
  brig run -d --name slow --health-cmd true --health-interval 1h busybox sleep 1000
  wait_until is good healthy
  wait_until is bad unhealthy
  for pair in healthy:good unhealthy:bad starting:slow none:plain; do
    [ "$(brig ps --filter "health=${pair%:*}" --format '{{.Names}}')" = "${pair#*:}" ]
  done
  run brig ps --filter health=sick
  [[ $status -ne 0 && $output == *"Unrecognised filter value for health: sick"* ]]
}

@test "a pause: no checks meanwhile, and the health stays" {
  checked web 'echo x >>/checks'
  wait_until is web healthy
  brig pause web
  before=$(brig inspect web | jq -c '.[0].State.Health.Log')
  [[ $(brig ps --format '{{.Status}}') == *'(Paused)' ]]
  # Others, which are checked as often, tell that time has passed.
  checked other true
  wait_until results other 4
  [ "$(brig inspect web | jq -c '.[0].State.Health.Log')" = "$before" ]
  is web healthy
  brig unpause web
  wait_until bash -c "[[ \$(brig inspect web | jq -c '.[0].State.Health.Log') != '$before' ]]"
  is web healthy
}

@test "restart: starting again; what has ended is unhealthy and not checked" {
  checked again 'test ! -e /bad'
  wait_until is again healthy
  brig exec again touch /bad
  wait_until is again unhealthy
  brig stop -t 0 again
  is again unhealthy
  [[ $(brig ps -a --format '{{.Status}}') == Exited* ]]
  brig start again
  [[ $(health again) == starting || $(health again) == unhealthy ]]
  wait_until is again unhealthy
  brig restart -t 0 again
  told() { [[ $(events_of again | grep -c 'health_status: unhealthy') -ge 2 ]]; }
  wait_until told
  run brig ps --format '{{.Status}}'
  [[ $output == *starting* || $output == *unhealthy* ]]
}

@test "a check that hangs delays neither stop nor rm, nor the checks of others" {
  checked stuck 'sleep 1000' --health-timeout 1h
  wait_until bash -c '[[ $(brig inspect -f "{{len .ExecIDs}}" stuck) == 1 ]]'
  checked other true
  wait_until is other healthy
  timeout 5 brig stop -t 0 stuck
  timeout 5 brig rm stuck
  brig run -d --rm --name frozen --health-cmd 'sleep 1000' --health-interval 10ms busybox sleep 1000
  wait_until bash -c '[[ $(brig inspect -f "{{len .ExecIDs}}" frozen) == 1 ]]'
  brig pause frozen
  timeout 5 brig rm -f frozen
}

@test "fifty containers, checked ten times a second each: all are healthy, and nothing piles up" {
  for i in {1..50}; do checked "many$i" true; done
  all_healthy() { [[ $(brig ps -q --filter health=healthy | wc -l) -eq 50 ]]; }
  wait_until all_healthy
  ids=$(brig ps -q)
  timeout "${WAIT_SECONDS:-30}" brig rm -f $ids
  [ -z "$(brig ps -aq)" ]
}

@test "--restart-unhealthy: started anew, also over a daemon that is killed, and after SIGKILL where it takes too long; a stop is not undone" {
  checked web 'test ! -e /dev/shm/bad' --restart-unhealthy --stop-timeout 1
  [ "$(brig inspect -f '{{index .Config.Labels "brig.restart-unhealthy"}}' web)" = true ]
  wait_until is web healthy
  brig exec web touch /dev/shm/bad # sleep, as pid 1, does not hear SIGTERM
  anew() { [[ $(brig inspect -f '{{.RestartCount}} {{.State.Running}} {{.State.Health.Status}}' "$1") == "$2 true healthy" ]]; }
  wait_until anew web 1
  [[ $(events_of web | paste -sd,) == *'health_status: unhealthy,'*'kill,'*'kill,'*'die,'*'start'* ]]
  brig run -d --name slow --health-cmd 'test ! -e /dev/shm/bad' --health-interval 100ms --health-retries 2 --label brig.restart-unhealthy=1 --stop-timeout 100 busybox sleep 1000
  brig exec slow touch /dev/shm/bad
  killed() { events_of slow | grep -qx kill; }
  wait_until killed
  pid=$(pid_of slow)
  kill_daemon
  kill -KILL "$pid"
  start_daemon
  wait_until anew slow 1
  brig exec slow touch /dev/shm/bad
  again() { [[ $(events_of slow | grep -cx kill) -ge 1 ]]; }
  wait_until again
  brig stop -t 0 slow
  [ "$(brig inspect -f '{{.State.Status}}' slow)" = exited ]
  brig run -d --name plain --health-cmd false --health-interval 100ms --health-retries 1 busybox sleep 1000
  wait_until streak_is plain 3
  [ "$(brig inspect -f '{{.RestartCount}}' plain)" = 0 ]
}
