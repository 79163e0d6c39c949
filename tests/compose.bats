#!/usr/bin/env bats
# docker-compose 1.29, Debian's package, against brigd: a project is brought up, looked at, scaled, stopped with Ctrl-C and taken down.

setup_file() {
  load lib
  make_host
  start_daemon
  load_busybox
  export root host_pid daemon_pid COMPOSE_PROJECT_NAME=proj COMPOSE_FILE=$top/tests/compose/docker-compose.yml
}

teardown_file() {
  load lib
  end_host
}

setup() {
  load lib
  command -v docker-compose >/dev/null || skip "no docker-compose on this machine"
}

teardown() { timeout 60 docker-compose --ansi never down -v -t 0 --remove-orphans >/dev/null 2>&1 || :; }

compose() { timeout 180 docker-compose --ansi never "$@" 3>&-; }

says() { compose logs --no-color "$1" 2>/dev/null | grep -q "$2"; }

@test "up -d, ps, port, exec, top, down" {
  compose up -d
  run compose ps
  [[ $output == *proj_web_1*Up*0.0.0.0:18080* && $output == *proj_count_1*Up* ]]
  run compose port web 80
  [ "$output" = 0.0.0.0:18080 ]
  run on_host curl -s --max-time 5 http://127.0.0.1:18080/
  [ "$output" = "hello from a container" ]
  run compose exec -T web sh -c 'echo $GREETING; exit 5'
  [ "$status" -eq 5 ]
  [[ $output == *hello* ]]
  run compose exec -T count wget -qO- http://site/
  [[ $output == *'hello from a container'* ]]
  run compose top
  [[ $output == *httpd* ]]
  run compose up -d
  [[ $output == *'proj_web_1 is up-to-date'* && $output == *'proj_count_1 is up-to-date'* ]]
  run compose down -v -t 0
  [ "$status" -eq 0 ]
  [ -z "$(brig ps -aq)" ]
  [[ $(brig network ls -q -f name=proj) == '' && $(brig volume ls -q) == '' ]]
}

@test "exec under a terminal" {
  compose up -d web
  run expect -c 'set timeout 30
    spawn docker-compose exec web sh
    expect "#"
    send "echo \$((6*7)); exit 4\r"
    expect "42"
    expect eof {} timeout { exec kill -KILL [exp_pid] }
    exit [lindex [wait] 3]'
  [ "$status" -eq 4 ]
}

@test "logs, logs -f until the service is stopped" {
  compose up -d
  wait_until says count 'tick 3'
  run compose logs --no-color --tail 2 count
  [ "$(grep -c tick <<<"$output")" -eq 2 ]
  timeout 60 docker-compose --ansi never logs -f --no-color count >"$root/follow" 2>&1 3>&- &
  follower=$!
  wait_until grep -q 'tick 5' "$root/follow"
  compose stop -t 5 count
  wait "$follower"
  grep -q 'bye' "$root/follow"
}

@test "up in the foreground: output of all, Ctrl-C stops them" {
  run expect -c 'set timeout 40
    spawn docker-compose --ansi never up -t 5
    expect "tick 2"
    send "\003"
    expect "Gracefully stopping"
    expect "bye"
    expect eof {} timeout { exec kill -KILL [exp_pid] }
    exit [lindex [wait] 3]'
  echo "$output"
  [[ $output == *'Stopping proj_count_1 ... done'* && $output == *'Stopping proj_web_1'*done* ]]
  run brig ps -a --format '{{.Names}} {{.Status}}'
  [[ $output == *'proj_count_1 Exited (3)'* ]]
  [ -z "$(brig ps -q)" ]
}

@test "up --abort-on-container-exit --exit-code-from" {
  cat >"$root/once.yml" <<<'{"version": "3", "services": {"once": {"image": "busybox", "command": "sh -c \"echo done; exit 6\""}, "other": {"image": "busybox", "command": "sleep 1000"}}}'
  run timeout 60 docker-compose --ansi never -f "$root/once.yml" up -t 0 --exit-code-from once
  echo "$output"
  [ "$status" -eq 6 ]
  [[ $output == *'proj_once_1 exited with code 6'* || $output == *'once_1 exited with code 6'* ]]
}

@test "scale up and down" {
  compose up -d --scale count=3
  [ "$(compose ps -q count | wc -l)" -eq 3 ]
  compose up -d --scale count=1
  [ "$(compose ps -q count | wc -l)" -eq 1 ]
}

@test "run: output, exit code, --rm, standard input" {
  run compose run --rm -T count sh -c 'echo once; exit 9'
  [ "$status" -eq 9 ]
  [[ $output == *once* ]]
  run bash -c 'echo typed | timeout 60 docker-compose --ansi never run --rm -T --no-deps count cat'
  [[ $output == *typed* ]]
  [ -z "$(brig ps -aq -f name=count_run)" ]
}

@test "restart, pause, kill, start, rm; a change makes the container anew" {
  compose up -d
  compose restart -t 0 count
  compose pause web
  run compose ps
  [[ $output == *proj_web_1*Paused* ]]
  compose unpause web
  compose kill count
  wait_until bash -c "brig ps -a --format '{{.Names}} {{.Status}}' | grep -q 'proj_count_1 Exited (137)'"
  compose start count
  compose rm -fsv count
  [ -z "$(brig ps -aq -f name=count)" ]
  sed 's/GREETING: hello/GREETING: changed/' "$COMPOSE_FILE" >"$root/changed.yml"
  run compose -f "$root/changed.yml" up -d -t 0
  [[ $output == *'Recreating proj_web_1'* ]]
  run compose -f "$root/changed.yml" exec -T web sh -c 'echo $GREETING'
  [[ $output == *changed* ]]
}

@test "depends_on: a service starts once the one before it is healthy" {
  cat >"$root/healthy.yml" <<'EOF'
version: "2.4"
services:
  db:
    image: busybox
    command: sh -c "echo wait >/state; while ! grep -q asked /state; do :; done; sleep 1000"
    healthcheck: {test: "test -e /up || { echo asked >>/state; touch /up; exit 1; }", interval: 200ms, timeout: 5s, retries: 20}
  app:
    image: busybox
    command: sleep 1000
    depends_on: {db: {condition: service_healthy}}
  sick:
    image: busybox
    command: sleep 1000
    healthcheck: {test: "exit 1", interval: 100ms, retries: 1}
  never:
    image: busybox
    command: sleep 1000
    depends_on: {sick: {condition: service_healthy}}
EOF
  compose -f "$root/healthy.yml" up -d app
  run brig ps --format '{{.Names}} {{.Status}}'
  [[ $output == *'proj_db_1 Up '*'(healthy)'* && $output == *'proj_app_1 Up'* ]]
  # The app's start was later than the good news. (The record's log of checks keeps only the last five.)
  these=$(brig inspect --format '{{.Id}}' proj_db_1 proj_app_1)
  run brig events --since 0 --until "$(date +%s.%N)" $(printf -- '--filter container=%s ' $these) --format '{{.Actor.Attributes.name}} {{.Action}}'
  said=$(grep -xE 'proj_db_1 health_status: healthy|proj_app_1 start' <<<"$output" | head -2)
  [ "$said" = $'proj_db_1 health_status: healthy\nproj_app_1 start' ]
  run compose -f "$root/healthy.yml" up -d never
  [ "$status" -ne 0 ]
  [[ $output == *unhealthy* ]]
  timeout 60 docker-compose --ansi never -f "$root/healthy.yml" down -v -t 0 3>&-
}

# answers SERVICE NAME: which service answers under this name, asked from that one; nobody where none does.
answers() { compose exec -T "$1" timeout 5 wget -qO- "http://$2/" 2>/dev/null || echo nobody; }

# What docker-compose's own tests (tests/suites/compose) found.
@test "recreated: a volume of the image stays; link-local addresses; the default of IpcMode before API 1.40" {
  mkdir "$root/own"
  export COMPOSE_FILE=$root/own/docker-compose.yml
  printf 'FROM busybox\nVOLUME /data\nCMD ["top"]\n' >"$root/own/Dockerfile"
  printf 'version: "2.1"\nservices: {db: {build: ., networks: {own: {link_local_ips: [169.254.8.8]}}}}\nnetworks: {own: {}}\n' >"$COMPOSE_FILE"
  compose up -d
  [ "$(brig inspect -f '{{.NetworkSettings.Networks.proj_own.IPAMConfig.LinkLocalIPs}}' proj_db_1)" = '[169.254.8.8]' ]
  volume=$(brig inspect -f '{{(index .Mounts 0).Name}}' proj_db_1)
  compose up -d -t 0 --force-recreate
  [ "$(brig inspect -f '{{(index .Mounts 0).Name}}' proj_db_1)" = "$volume" ]
  [ "$(brig create --network proj_own busybox true | xargs brig inspect -f '{{json .NetworkSettings.Networks.proj_own.Aliases}} {{.HostConfig.IpcMode}}')" = 'null private' ]
  brig rm -f "$(brig ps -lq)" >/dev/null
  curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":["true"],"Entrypoint":[""],"HostConfig":{"CpuCount":2}}' "http://d/v1.39/containers/create?name=older" >"$root/created"
  [[ $(<"$root/created") == *'"Warnings":["CpuCount, '*'are for Windows'* ]]
  [ "$(brig inspect -f '{{.HostConfig.IpcMode}} {{json .Config.Entrypoint}} {{json .HostConfig.Dns}} {{.HostConfig.CpuCount}}' older)" = 'shareable null null 2' ]
  brig rm older >/dev/null
  brig rmi -f proj_db >/dev/null
}

@test "three networks: aliases, fixed addresses of both families, published ports, each service reaches its neighbours only" {
  export COMPOSE_FILE=$top/tests/compose/three-networks.yml
  on_host ip link add lan0 type veth peer name lan1
  on_host ip addr add 192.168.1.100/24 dev lan0
  on_host ip link set lan0 up
  compose up -d
  [ "$(brig inspect -f '{{.NetworkSettings.Networks.proj_middle.IPAddress}} {{.NetworkSettings.Networks.proj_middle.GlobalIPv6Address}} {{.NetworkSettings.Networks.proj_back.IPAddress}}' proj_api_1)" = '10.91.2.20 fd91:2::20 10.91.3.20' ]
  on_host ip -4 -o addr show front91 | grep -q 10.91.1.254/24
  while read -r from to expected; do
    found=$(answers "$from" "$to")
    [[ $found == "$expected" ]] || { echo "$from -> $to: $found, not $expected"; return 1; }
  done <<'END'
web api api
web backend api
web [fd91:2::20] api
web www web
web store nobody
web 10.91.3.30 nobody
api web web
api site nobody
api db store
api cache store
api 10.91.3.30 store
store writer api
store web nobody
store 10.91.2.10 nobody
END
  [ "$(on_host curl -s --max-time 5 http://192.168.1.100:18080/)" = web ]
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:18443/)" = web ]
  [ "$(on_host curl -s --max-time 5 http://127.0.0.1:18090/)" = api ]
  no on_host curl -s --max-time 1 http://192.168.1.100:18090/
  compose restart -t 0 api
  is_back() { [ "$(answers web backend)" = api ]; }
  wait_until is_back
  compose down -t 0
  [ -z "$(brig network ls -q -f name=proj)" ]
  on_host ip link del lan0
}
