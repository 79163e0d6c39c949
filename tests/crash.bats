#!/usr/bin/env bats
# SIGKILL of the daemon, and of monitors, at every failpoint (crash-matrix.py), and in the middle of anything: the next daemon serves what was
# acknowledged, and nothing is left of what was not. Needs a build with -Dfailpoints=true (BRIG_BUILD).

setup_file() {
  load lib
  "$build/src/daemon/brigd" --version | grep -q failpoints || { echo "build with failpoints: tools/build asan" >&2; return 1; }
}

setup() {
  load lib
  make_host
  start_daemon
  load_busybox
}

teardown() {
  [[ ! -p $root/gate ]] || : <>"$root/gate" # who is held goes on
  [[ -z ${registry_pid:-} ]] || stop_registry # of a test that failed before it did
  end_host
}

# restart_with [POINT=ACTION]: the daemon again, with a failpoint set.
restart_with() {
  [[ -z ${daemon_pid:-} ]] || stop_daemon
  BRIG_FAILPOINT=${1:-} start_daemon
}

# expect_death POINT: the daemon kills itself there; then a new one without a failpoint.
expect_death() {
  wait_until daemon_is_gone || { echo "$1 was not reached"; return 1; }
  wait "$daemon_pid" 2>/dev/null || :
  daemon_pid=
  start_daemon
}

# The engine works, and nothing of the network or of processes is left behind once its containers are gone.
daemon_is_gone() { ! kill -0 "$daemon_pid" 2>/dev/null; }

no_monitor() { ! pgrep -f "brig-monitor.*$root" >/dev/null; }

engine_is_well() {
  run brig run --rm -p 18999:80 busybox echo well
  [ "$output" = well ]
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids
  wait_until bash -c "! nsenter -t $host_pid -n ip -o link | grep -q ': veth'"
  wait_until no_monitor # a step's ends behind its build
  leftovers "$root"
}

@test "each failpoint of daemon, monitor and logger: nothing is left over, nothing acknowledged is lost, the engine works" {
  stop_daemon
  timeout -k 120 600 python3 "$top/tests/crash-matrix.py" "$build" >"$root/matrix" || { grep -v '^ok' "$root/matrix"; return 1; }
  [ "$(grep -c '^ok' "$root/matrix")" -ge 100 ]
}

@test "killed while an image's init layer is made: the next container finishes it" {
  restart_with create.initlayer=kill
  image_of fresh 'echo fresh >own'
  run brig create --name first fresh true
  expect_death create.initlayer
  [ "$(ls -d "$root"/data/image/snapshots/*/init.new | wc -l)" -eq 1 ]
  [ "$(brig run --rm fresh sh -c 'cat own; readlink /etc/mtab')" = $'fresh\n/proc/mounts' ]
  [ -z "$(ls -d "$root"/data/image/snapshots/*/init.new 2>/dev/null)" ]
  brig rm -f first >/dev/null 2>&1 || :
  brig rmi fresh
  engine_is_well
}

@test "a daemon without descriptors for its monitors does not start, and their containers go on" {
  restart_with
  for i in 1 2 3 4 5 6 7 8 9 10; do brig run -d --name many$i busybox sleep 1000; done
  kill_daemon
  run on_host prlimit --nofile=60:60 "$build/src/daemon/brigd" --data-root "$root/data" --exec-root "$root/run" -H "unix://$root/brig.sock" \
    --pidfile "$root/brigd.pid" --cgroup-parent "/brig-test-$host_pid" --bip 172.17.0.1/16
  [ "$status" -eq 1 ]
  [[ $output == *"runs and cannot be asked; it goes on. Give brigd more descriptors"* ]]
  start_daemon
  [ "$(brig ps -q --filter name=many | wc -l)" -eq 10 ]
  brig rm -f many1 many2 many3 many4 many5 many6 many7 many8 many9 many10
  engine_is_well
}

@test "a pull of an index killed at each step is done again, and rmi killed while it sweeps the index leaves nothing" {
  start_registry 5000
  "$top/tests/make-index.py" "$(busybox_tar)" "$root/layout" amd64 riscv64
  on_host skopeo --insecure-policy copy -q --all --dest-tls-verify=false "oci:$root/layout:v1" docker://127.0.0.1:5000/multi:v1
  local name=127.0.0.1:5000/multi:v1 before
  before=$(ls "$root/data/image/blobs/sha256" | sort)
  for point in image.index-put image.layer-moved image.record; do
    restart_with "$point=kill"
    brig pull --platform riscv64 $name || :
    expect_death "$point"
    run brig image inspect $name
    [ "$status" -eq 1 ] || { echo "$point: the name is there"; return 1; }
    brig pull -q --platform riscv64 $name
    brig pull -q --platform amd64 $name
    [ "$(brig images -q $name | wc -l)" -eq 2 ]
    brig rmi $name
    [ "$(ls "$root/data/image/blobs/sha256" | sort)" = "$before" ] || { echo "after $point: blobs are left"; return 1; }
  done
  brig pull -q --platform riscv64 $name
  brig pull -q --platform amd64 $name
  restart_with image.unindexed=kill
  brig rmi $name || :
  expect_death image.unindexed
  run brig image inspect $name
  [ "$status" -eq 1 ]
  [ "$(ls "$root/data/image/blobs/sha256" | sort)" = "$before" ]
  stop_registry
}

@test "the daemon killed with containers running: they run on, output and exit codes are there" {
  brig run -d --name steady -p 18003:80 busybox sh -c 'httpd -h /www; n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.2; done'
  brig run -d --name ending busybox sh -c 'while ! test -e /go; do sleep 0.1; done; echo last words; exit 6'
  pid=$(brig inspect -f '{{.State.Pid}}' steady)
  brig exec -d ending sh -c 'sleep 1; touch /go'
  kill_daemon
  kill -0 "$pid"
  run on_host curl -s --max-time 5 http://127.0.0.1:18003/
  [ "$output" = "hello from a container" ]
  start_daemon
  [ "$(brig inspect -f '{{.State.Pid}} {{.State.Status}}' steady)" = "$pid running" ]
  wait_until bash -c '[[ $(brig inspect -f "{{.State.Status}} {{.State.ExitCode}}" ending) == "exited 6" ]]'
  [ "$(brig logs ending)" = "last words" ]
  run brig exec steady echo still
  [ "$output" = still ]
  ticks=$(brig logs steady | wc -l)
  wait_until bash -c "[[ \$(brig logs steady | wc -l) -gt $ticks ]]"
  brig logs steady | awk '{ if ($2 != NR) exit 1 }'
  brig stop -t 1 steady
}

# The program's line in a file of the host each time that it runs.
restarting() { brig run -d --name again -v "$root/runs:/runs" --restart on-failure:2 busybox sh -c "$1"; }

has_ended() { [[ $(brig inspect -f '{{.State.Status}} {{.RestartCount}}' again) == "exited $1" ]]; }

# Both containers are where the bridge is now, and what they publish answers.
both_answer() {
  for name in one two; do
    [[ $(brig inspect $name --format '{{.NetworkSettings.IPAddress}}') == "$1".* ]] || { echo "$name: $(brig inspect $name --format '{{.NetworkSettings.IPAddress}}')"; return 1; }
    [[ $(brig exec $name ip route) == "default via $1.1 "* ]]
  done
  for port in 18001 18002; do [ "$(on_host curl -s --max-time 5 http://127.0.0.1:$port/)" = "hello from a container" ]; done
}

@test "the default bridge made anew: killed before all are on it, or failed for one, the next start connects them" {
  brig run -d --name one -p 18001:80 busybox httpd -f -h /www
  brig run -d --name two -p 18002:80 busybox httpd -f -h /www
  stop_daemon
  WAIT_SECONDS=2 BRIG_FAILPOINT=network.reconnect=kill@2 start_daemon --bip 10.77.0.1/24 || :
  wait_until daemon_is_gone
  wait "$daemon_pid" 2>/dev/null || :
  start_daemon --bip 10.77.0.1/24
  both_answer 10.77.0
  stop_daemon
  BRIG_FAILPOINT=network.reconnect=error start_daemon --bip 10.78.0.1/24
  no both_answer 10.78.0
  stop_daemon
  start_daemon --bip 10.78.0.1/24
  both_answer 10.78.0
  no grep 'not every network was restored' "$root/brigd.log"
  engine_is_well
}

# Adds a day to the end that the record has of the one container.
ended_tomorrow() {
  local changed
  changed=$(sqlite3 "$root/data/engine.db" "UPDATE containers SET state=json_set(state, '$.state.finishedAt', json_extract(state, '$.state.finishedAt') + 86400000000000)
    WHERE json_extract(state, '$.state.finishedAt') > 0; SELECT changes()")
  [ "$changed" -eq 1 ]
}

@test "on-failure:2 restarts twice, whatever the restart's daemon was killed at, and however often" {
  mkdir -p "$root/runs"
  for point in start.intent start.namespace start.netns start.created start.go start.record exit.begin exit.record; do
    : >"$root/runs/log"
    restart_with "$point=kill@3"
    restarting 'echo run >>/runs/log; exit 1' || :
    wait_until daemon_is_gone || { echo "$point was not reached"; return 1; }
    wait "$daemon_pid" 2>/dev/null || :
    # Once more at once, where the next daemon comes by there.
    WAIT_SECONDS=3 BRIG_FAILPOINT="$point=kill" start_daemon || :
    kill -KILL "$daemon_pid" 2>/dev/null || :
    wait "$daemon_pid" 2>/dev/null || :
    # The last end seems to be of after the start that was begun, as where the clock was set back by a day.
    [[ $point != start.created ]] || ended_tomorrow
    start_daemon
    wait_until has_ended 2 || { echo "after $point: $(brig inspect -f '{{.State.Status}} {{.RestartCount}}' again)"; return 1; }
    [ "$(wc -l <"$root/runs/log")" -eq 3 ] || { echo "after $point: $(wc -l <"$root/runs/log") runs"; return 1; }
    brig rm again
  done
}

@test "on-failure:2 counts a restart whose daemon and monitor were killed together" {
  mkdir -p "$root/runs"
  restart_with start.record=kill@3
  restarting 'echo run >>/runs/log; [ $(wc -l </runs/log) -lt 3 ] || exec sleep 86399; exit 1' || :
  wait_until daemon_is_gone
  wait "$daemon_pid" 2>/dev/null || :
  wait_until eval 'init=$(pgrep -xf "sleep 86399")'
  kill -KILL "$(awk '/^PPid:/ { print $2 }' "/proc/$init/status")"
  start_daemon
  wait_until has_ended 2
  [ "$(brig inspect -f '{{.State.ExitCode}}' again)" = 137 ]
  [ "$(wc -l <"$root/runs/log")" -eq 3 ]
}

# end_host reports the leak, in a build with sanitizers (tools/build asan).
@test "a container that is removed, stopped or started while it waits for its restart is forgotten by the daemon's timers" {
  for name in removed stopped started; do
    brig run -d --name $name --restart always busybox false
  done
  # Three seconds and more until the next start.
  for name in removed stopped started; do
    wait_until eval '[[ $(brig inspect -f "{{.State.Status}}{{.RestartCount}}" '$name') == restarting[5-9] ]]'
  done
  brig rm -f removed
  brig stop stopped
  brig start started || :
  brig rm -f stopped started
  stop_daemon
  start_daemon
}

@test "a rename that fails halfway, or whose daemon is killed there, leaves the old name or the new one, whole" {
  for point in rename.record rename.networks; do
    restart_with "$point=error"
    id=$(brig run -d --name before busybox sleep 1000)
    run brig rename before after
    [ "$status" -ne 0 ]
    [ "$(brig inspect -f '{{.Id}} {{.Name}}' before)" = "$id /before" ] || { echo "at $point"; return 1; }
    brig create --name after busybox true
    run brig create --name before busybox true
    [[ $output == *'already in use'* ]]
    restart_with
    [ "$(brig inspect -f '{{.Name}}' "$id")" = /before ] || { echo "at $point, recorded"; return 1; }
    brig rm after
    restart_with "$point=kill"
    brig rename before after || :
    expect_death "$point"
    name=$(brig inspect -f '{{.Name}}' "$id")
    [[ $name == /before || $name == /after ]]
    brig rename "$id" again
    brig rm -f again
  done
}

@test "a container on the LAN whose daemon was killed before it recorded the link has that link, and no other" {
  brig network create -d macvlan --subnet 10.91.0.0/24 lan
  brig run -d --name peer --network lan busybox httpd -f -h /www
  restart_with start.record=kill
  brig run -d --name on-lan --network lan --ip 10.91.0.9 busybox sleep 1000 || :
  expect_death start.record
  no grep 'not every network was restored' "$root/brigd.log"
  [ "$(brig exec on-lan ip -o addr | awk '/inet / && !/ lo / { print $4 }')" = 10.91.0.9/24 ]
  [ "$(brig exec on-lan ls /sys/class/net | wc -l)" -eq 2 ]
  [ "$(brig exec on-lan wget -qO- http://peer/)" = "hello from a container" ]
  brig rm -f on-lan
  [ "$(brig run --rm --network lan --ip 10.91.0.9 busybox wget -qO- http://peer/)" = "hello from a container" ]
  brig rm -f peer
  brig network rm lan
  engine_is_well
}

@test "a container whose daemon was killed while it took it off its network is on it" {
  brig network create web
  brig run -d --name served --network web -p 18005:80 busybox httpd -f -h /www
  # What such a daemon leaves: the port is disabled, its link and the record are there.
  kill_daemon
  port=$(on_host ip -o link | grep -o 'veth[0-9a-f]*')
  on_host bridge link set dev "$port" state 0
  start_daemon
  run on_host curl -s --max-time 5 http://127.0.0.1:18005/
  [ "$output" = "hello from a container" ]
  brig rm -f served
  brig network rm web
  engine_is_well
}

# judged: who of two clients reaches the server, by network policies.
judged() {
  local name who=
  for name in red blue; do
    if brig exec "$name" timeout 2 wget -qO- http://back/ >/dev/null 2>&1; then who+="$name "; fi
  done
  echo "${who% }"
}

# only NAME: a policy that lets NAME in.
only() {
  printf 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: only}\nspec: {podSelector: {matchLabels: {app: back}}, ingress: [{from: [{podSelector: {matchLabels: {app: %s}}}]}]}\n' "$1" |
    brig policy apply -f -
}

@test "network policies and labels whose change fails, or is killed before or after it is in force: those that were acknowledged are" {
  brig network create web
  for name in back red blue; do brig run -d --name $name --network web --label app=$name busybox httpd -f -h /www; done
  only red
  brig policy ls >"$root/policies"
  same() { [ "$(judged)" = red ] && brig policy ls | diff "$root/policies" - && [ "$(brig inspect -f '{{.Config.Labels.app}}' blue)" = blue ]; }
  same
  for point in policy.apply policy.record; do
    restart_with "$point=error"
    run only blue
    [ "$status" -eq 1 ]
    run brig policy rm only
    [ "$status" -eq 1 ]
    same || { echo "$point failed"; return 1; }
    restart_with "$point=kill"
    only blue || :
    expect_death "$point"
    same || { echo "after $point"; return 1; }
    restart_with "$point=kill"
    brig policy rm only || :
    expect_death "$point"
    same || { echo "after the removal's $point"; return 1; }
  done
  for point in update.apply update.record; do
    restart_with "$point=error"
    run brig update --label app=red --label-rm other blue
    [ "$status" -eq 1 ]
    same || { echo "$point failed"; return 1; }
    restart_with "$point=kill"
    brig update --label app=red blue || :
    expect_death "$point"
    same || { echo "after $point"; return 1; }
  done
  # Acknowledged, then killed at once.
  brig update --label app=red blue
  brig update --label app=none red
  kill_daemon
  start_daemon
  [ "$(judged)" = blue ]
  only back
  kill_daemon
  start_daemon
  [ "$(judged)" = "" ]
  brig rm -f back red blue
  brig policy rm only
  brig network rm web
  engine_is_well
}

@test "limits whose change fails leave what was, and one that is killed leaves the record and the group agreed" {
  local group point
  brig run -d --name web -m 64m --memory-swap 64m busybox sleep 1000
  group=brig-test-$host_pid/$(brig inspect -f '{{.Id}}' web)
  recorded() { brig inspect -f '{{.HostConfig.Memory}}' web; }
  in_force() { cat "/sys/fs/cgroup/memory/$group/memory.limit_in_bytes" "/sys/fs/cgroup/$group/memory.max" 2>/dev/null; }
  for point in update.apply update.record update.limits; do
    restart_with "$point=error"
    run brig update -m 128m --memory-swap 128m web
    [ "$status" -eq 1 ]
    [ "$(recorded) $(in_force)" = '67108864 67108864' ] || { echo "$point failed"; return 1; }
  done
  for point in update.apply update.record update.limits; do
    restart_with "$point=kill"
    brig update -m 128m --memory-swap 128m web || :
    expect_death "$point"
    [ "$(recorded)" = "$(in_force)" ] || { echo "after $point"; return 1; }
  done
  [ "$(in_force)" = 134217728 ] # it was recorded when the last daemon died
  brig update -m 96m --memory-swap 96m web # acknowledged, then killed at once
  kill_daemon
  start_daemon
  [ "$(recorded) $(in_force)" = '100663296 100663296' ]
  brig rm -f web
  engine_is_well
}

exec_field() { curl -s --unix-socket "$root/brig.sock" "http://d/v1.41/exec/$1/json" | jq -c "$2"; }

# new_exec CONTAINER SCRIPT: creates and starts an exec, its id.
new_exec() {
  local id
  id=$(curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' \
    -d "$(jq -n --arg script "$2" '{AttachStdout: true, User: "web", Env: ["A=b"], Cmd: ["sh", "-c", $script]}')" "http://d/v1.41/containers/$1/exec" | jq -r .Id)
  curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' -d '{"Detach": true}' "http://d/v1.41/exec/$id/start"
  echo "$id"
}

@test "execs that run, or ended while no daemon was there, are known to the next one with their exit codes" {
  brig run -d --name host busybox sleep 1000
  brig run -d --name short busybox sh -c 'while ! test -e /tmp/go; do sleep 0.1; done; exit 4'
  before=$(new_exec host 'exit 3')
  wait_until eval '[[ $(exec_field $before .ExitCode) == 3 ]]'
  runs=$(new_exec host 'while ! test -e /tmp/go; do sleep 0.1; done; exit 8')
  ends=$(new_exec host 'while ! test -e /tmp/end; do sleep 0.1; done; exit 9')
  last=$(new_exec short 'touch /tmp/run; sleep 1000')
  pid=$(exec_field "$runs" .Pid)
  [ "$pid" -gt 0 ]
  init=$(brig inspect -f '{{.State.Pid}}' host)
  short=$(brig inspect -f '{{.State.Pid}}' short)
  kill_daemon
  end_pid=$(pgrep -f 'tmp/end; do' | head -1)
  touch "/proc/$init/root/tmp/end" "/proc/$short/root/tmp/go"
  wait_until eval '! kill -0 $end_pid 2>/dev/null && ! kill -0 $short 2>/dev/null'
  start_daemon
  [ "$(exec_field "$runs" '[.Running, .ExitCode, .Pid, .ProcessConfig.user, .ProcessConfig.entrypoint, .OpenStdout]')" = "[true,null,$pid,\"web\",\"sh\",true]" ]
  [ "$(exec_field "$ends" '[.Running, .ExitCode, .Pid, .CanRemove]')" = '[false,9,0,true]' ]
  [ "$(exec_field "$before" '[.Running, .ExitCode]')" = '[false,3]' ]
  [ "$(exec_field "$last" '[.Running, .ExitCode]')" = '[false,137]' ]
  [ "$(brig inspect -f '{{json .ExecIDs}}' host)" = "[\"$runs\"]" ]
  run brig events --since 1h --until 0s --filter event=exec_die --format '{{.Actor.Attributes.execID}} {{.Actor.Attributes.exitCode}}'
  [[ $output == *"$ends 9"* && $output == *"$last 137"* && $output != *"$before"* ]]
  # Told once: the next daemon knows the code, and does not tell it again. One that is stopped is no other than one that is killed.
  stop_daemon
  start_daemon
  [ "$(exec_field "$ends" .ExitCode)" = 9 ]
  run brig events --since 1h --until 0s --filter event=exec_die
  [ -z "$output" ]
  touch "/proc/$init/root/tmp/go"
  wait_until eval '[[ $(exec_field $runs .ExitCode) == 8 ]]'
  run brig events --since 1h --until 0s --filter event=exec_die --format '{{.Actor.Attributes.execID}} {{.Actor.Attributes.exitCode}}'
  [ "$output" = "$runs 8" ]
}

@test "names are served and ports are held after the daemon was killed" {
  brig network create crashnet
  brig run -d --name web --network crashnet -p 18004:80 busybox httpd -f -h /www
  brig run -d --name peer --network crashnet busybox sleep 1000
  kill_daemon
  start_daemon
  run brig exec peer wget -qO- http://web/
  [ "$output" = "hello from a container" ]
  run brig run --rm -p 18004:80 busybox true
  [[ $output == *'port is already allocated'* ]]
  brig rm -f web peer
  brig network rm crashnet
}

@test "killed again and again while eight clients work: nothing leaks" {
  stop_daemon
  # Memory is judged where no sanitizer keeps what was freed; the long form is by hand: docs/reliability.md.
  timeout -k 120 300 python3 "$top/tests/churn.py" "$build" --rounds 200 --kill-every 3 --settle 8 --no-memory
}

@test "a daemon that ends answers the calls that are under way, a stop that waits for its container too" {
  brig run -d --name slow busybox sh -c 'trap "echo ending; sleep 1; exit 3" TERM; echo ready; while :; do sleep 0.1; done'
  wait_until eval 'brig logs slow | grep -q ready'
  brig stop -t 20 slow >"$root/stop.out" 2>&1 3>&- & stopping=$!
  wait_until eval 'brig logs slow | grep -q ending'
  started=$SECONDS
  stop_daemon
  [ $((SECONDS - started)) -lt 8 ]
  wait "$stopping"
  [ "$(cat "$root/stop.out")" = slow ]
  start_daemon
  [ "$(brig inspect -f '{{.State.Status}} {{.State.ExitCode}}' slow)" = 'exited 3' ]
}

# ---- builds ----

# A stage that another is copied from, so that there are two layers of programs and one of files; a bind, a cache mount and a secret, so that
# the step has mounts of each kind.
build_context() {
  mkdir -p "$root/context"
  echo data >"$root/context/file"
  echo shh >"$root/secret"
  cat >"$root/context/Dockerfile" <<'END'
FROM busybox AS maker
RUN --mount=type=bind,target=/from --mount=type=cache,target=/cache --mount=type=secret,id=token cat /from/file >/made; echo x >>/cache/count
FROM busybox
COPY --from=maker /made /made
COPY file /file
RUN cat /made /file >/both
END
}

build_it() { run timeout 60 brig build -q --secret "id=token,src=$root/secret" --build-arg SOURCE_DATE_EPOCH=1700000000 -t built "$@" "$root/context"; }

# What the cache has is there: layers with a record and no other, those that an image took over in the image store.
cache_is_whole() {
  local known layer
  rm -rf "$root/cache-copy" && mkdir "$root/cache-copy"
  cp "$root"/data/build/cache.db* "$root/cache-copy" # the daemon has the file for itself
  known=$(sqlite3 "$root/cache-copy/cache.db" "SELECT DISTINCT layer FROM records WHERE layer<>'' ORDER BY 1")
  [ "$(ls "$root/data/build/layers" | sort)" = "$(grep -v ^sha256: <<<"$known" | sed '/^$/d')" ] ||
    { echo "layers: $(ls "$root/data/build/layers"); records: $known"; return 1; }
  for layer in $(grep ^sha256: <<<"$known"); do
    [[ -d $root/data/image/snapshots/${layer#sha256:}/fs ]] || { echo "layer $layer is not in the image store"; return 1; }
  done
}

build_left_nothing() {
  wait_until eval '! pgrep -f "brig-monitor.*$root" >/dev/null' || { echo "a monitor is left"; return 1; }
  leftovers "$root" || return 1
  left=$(find "$root/run/build" "$root/data/containers" "$root/data/build/contexts" "$root/run/containers" -mindepth 1 -maxdepth 1)
  [ -z "$left" ] || { echo "left: $left"; return 1; }
  cache_is_whole
}

build_points="run.describe run.directories run.mounts run.layers run.reserve run.document run.spawn run.network run.created run.go run.follow build.ran
  build.stored build.held build.moved build.layers build.made image.layer-synced image.layer-moved image.record"

@test "a build for two platforms killed at each step of its index leaves none; rmi killed with the rows gone leaves no blob" {
  mkdir "$root/context"
  printf 'FROM scratch\nCOPY file /\n' >"$root/context/Dockerfile"
  echo data >"$root/context/file"
  build_both() { brig build -q --platform linux/amd64,linux/riscv64 --build-arg SOURCE_DATE_EPOCH=1 -t both "$root/context"; }
  blobs() { find "$root/data/image/blobs/sha256" "$root/data/image/snapshots" -mindepth 1 -maxdepth 1 | sort; }
  before=$(blobs)
  for point in build.platforms image.index-put image.index-record; do
    restart_with "$point=kill"
    run build_both
    expect_death "$point"
    run brig image inspect both
    [ "$status" -eq 1 ] || { echo "$point: the name is there"; return 1; }
    build_left_nothing || { echo "after $point"; return 1; }
    whole=$(build_both)
    [ "$(build_both)" = "$whole" ]
    [ "$(brig images -q both | wc -l)" -eq 2 ]
    brig rmi -f both
    brig builder prune -af
    [ "$(blobs)" = "$before" ] || { echo "after $point: left:"; comm -13 <(echo "$before") <(blobs); return 1; }
  done
  build_both
  brig builder prune -af
  restart_with image.unrecorded=kill@3 # those before are the start's own sweeps
  brig rmi -f both || :
  expect_death image.unrecorded
  brig rmi -f both >/dev/null 2>&1 || : # acknowledged or not
  wait_until eval '[ "$(blobs)" = "$before" ]' || { echo "left:"; comm -13 <(echo "$before") <(blobs); return 1; }
  engine_is_well
}

@test "a build whose step fails at each point leaves nothing while its daemon goes on" {
  build_context
  for point in $build_points; do
    # Between the image store's record and the cache's a layer is lost to the cache: its record is none.
    [[ $point != image.* && $point != build.stored ]] || continue
    restart_with "$point=error"
    build_it
    [ "$status" -ne 0 ] || { echo "$point was not reached"; return 1; }
    build_left_nothing || { echo "after $point"; return 1; }
    restart_with
    brig rmi -f built >/dev/null 2>&1 || :
    brig builder prune -af >/dev/null
  done
}

@test "lists, inspect, events, df and other containers' calls answer while a start holds its container's lock" {
  stop_daemon
  mkfifo "$root/gate"
  BRIG_FAILPOINT_GATE=$root/gate restart_with "@$root/points"
  brig network create kept
  brig run -d --name other --network kept busybox sleep 1000
  brig create --name held --network kept busybox sleep 1000
  printf start.created=hold >"$root/points"
  brig start held >"$root/started" 2>&1 3>&- &
  local starting=$!
  # It has its link, and the thread that starts it waits for the gate.
  wait_until eval 'grep -qs wait_for_partner /proc/$(cat "$root/brigd.pid")/task/*/wchan'
  rm "$root/points"
  local answers=(
    'ps' 'ps -a --no-trunc' 'ps -as' 'inspect held' 'inspect other' 'ps -a --filter network=kept' 'system df -v' 'info' 'image ls' 'volume ls'
    'network ls' 'network inspect kept' 'events --since 1h --until 0s' 'stats --no-stream other' 'logs held' 'top other' 'exec other true' 'port held'
    'run --rm --network kept busybox true' 'stop -t 0 other' 'start other' 'rm -f other'
  )
  for call in "${answers[@]}"; do
    timeout 20 brig $call >/dev/null || { echo "no answer: $call"; return 1; }
  done
  [ "$(brig inspect -f '{{.State.Status}}' held)" = created ]
  kill -0 "$starting"
  exec 4>"$root/gate"
  wait_until process_is_gone "$starting"
  exec 4>&-
  [ "$(cat "$root/started")" = held ]
  [ "$(brig inspect -f '{{.State.Status}}' held)" = running ]
  brig rm -f held
  brig network rm kept
  engine_is_well
}

@test "no answer waits for a context's removal, and no build for that of an earlier one's" {
  stop_daemon
  mkfifo "$root/gate"
  BRIG_FAILPOINT_GATE=$root/gate restart_with remover.remove=hold
  mkdir "$root/sent"
  printf 'FROM scratch\nCOPY Dockerfile /\n' >"$root/sent/Dockerfile"
  tar -C "$root/sent" -cf "$root/sent.tar" .
  timeout 60 brig build -q - <"$root/sent.tar"
  [ "$(ls "$root/data/build/removed" | wc -l)" -eq 1 ] # it is held there
  curl -s --max-time 60 --unix-socket "$root/brig.sock" -H 'Content-Type: application/x-tar' --data-binary "@$root/sent.tar" http://d/build | grep -q 'Successfully built'
  timeout 60 brig build -q - <"$root/sent.tar"
  [ "$(ls "$root/data/build/removed" | wc -l)" -eq 3 ]
  [ -z "$(ls "$root/data/build/contexts")" ]
  exec 4>"$root/gate"
  wait_until bash -c "[[ -z \$(ls '$root/data/build/removed') ]]"
  exec 4>&-
  engine_is_well
}

@test "a build's program ends with its daemon, killed or stopped" {
  mkdir "$root/context"
  printf 'FROM busybox\nRUN exec sleep 86397\n' >"$root/context/Dockerfile"
  for end in kill_daemon stop_daemon; do
    timeout 60 brig build "$root/context" >"$root/build.out" 2>&1 3>&- & client=$!
    wait_until pgrep -xf 'sleep 86397' >/dev/null
    $end
    wait "$client" || :
    wait_until eval '! pgrep -xf "sleep 86397" >/dev/null'
    start_daemon
    build_left_nothing || { echo "after $end"; return 1; }
  done
}

@test "an image and the cache are removed while a build uses them" {
  mkdir "$root/context"
  image_of base 'echo base >base'
  printf 'FROM base AS a\nRUN echo one >/one\nFROM a\nRUN touch /waits; while ! test -e /cache/go; do sleep 0.1; done\nRUN cat /base /one >/all\n' >"$root/context/Dockerfile"
  sed -i 's/^RUN touch/RUN --mount=type=cache,target=\/cache touch/' "$root/context/Dockerfile"
  timeout 60 brig build --progress plain -t built "$root/context" >"$root/build.out" 2>&1 3>&- & client=$!
  wait_until eval 'step=$(pgrep -f "while ! test -e /cache/go" | grep -m1 .)'
  wait_until test -e "/proc/$step/root/waits"
  brig rmi -f base
  brig builder prune -af
  touch "/proc/$step/root/cache/go"
  wait "$client" || { cat "$root/build.out"; return 1; }
  [ "$(brig run --rm built cat /all)" = $'base\none' ]
  brig rmi -f built
  engine_is_well
}

fds() { find "/proc/$daemon_pid/fd" -type l -printf '%l\n' | grep -vc '\.db'; } # databases: SQLite's matter, and that of their copies
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon_pid/status"; }

@test "200 builds by eight clients, a third of them cancelled: nothing is left" {
  build_context
  build_it
  before=$(fds)
  python3 "$top/tests/build-churn.py" "$root/context" 8 25
  wait_until eval '[[ $(fds) -le $before ]]' || { echo "descriptors: $before, then $(fds)"; ls -l "/proc/$daemon_pid/fd"; return 1; }
  [ "$(rss)" -lt 300000 ] || { echo "$(rss) KiB"; return 1; }
  build_left_nothing
  build_it; echo "$output"; [ "$status" -eq 0 ]
  engine_is_well
}

# is NAME STATUS: its health.
is() { [[ $(brig inspect -f '{{.State.Health.Status}}' "$1") == "$2" ]]; }

@test "a daemon that is stopped, and one that is killed: the health is kept, checks go on" {
  local times=(--health-interval 100ms --health-retries 2)
  brig run -d --name good --health-cmd 'test ! -e /bad' "${times[@]}" busybox sleep 1000
  brig run -d --name bad --health-cmd false "${times[@]}" busybox sleep 1000
  wait_until is good healthy
  wait_until is bad unhealthy
  stop_daemon
  start_daemon
  is good healthy
  is bad unhealthy
  brig exec good touch /bad
  wait_until is good unhealthy
  kill_daemon
  start_daemon
  brig exec good rm /bad
  wait_until is good healthy
}

@test "a daemon that is killed in the middle of a check: the next one ends it and goes on" {
  brig run -d --name web --health-cmd 'test -e /done || sleep 1002' --health-interval 50ms --health-timeout 1h busybox sleep 1000
  hangs() { brig exec web ps -o args | grep -q '^sleep 1002'; }
  wait_until hangs
  old=$(brig inspect web | jq -r '.[0].ExecIDs[0]')
  kill_daemon
  start_daemon
  is_gone() { ! brig inspect web | jq -e --arg id "$old" '.[0].ExecIDs | index($id)' >/dev/null; }
  wait_until is_gone
  brig exec web touch /done
  died() { brig events --since 0 --until "$(date +%s.%N)" --filter container=web --filter event=exec_die --format '{{.Actor.Attributes.execID}} {{.Actor.Attributes.exitCode}}' | grep -qx "$old 137"; }
  wait_until died
  # The check that the new daemon began hangs too, until it is killed with all that it started.
  brig exec web sh -c 'kill $(ps -o pid,args | awk "/[s]leep 1002/ {print \$1}")' || :
  wait_until is web healthy
}
