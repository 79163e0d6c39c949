#!/usr/bin/env bats
# Log drivers: what they write and send, what targets that are away cost, rotation and compression over kills, clearing, refusals.
# What is waited for is a file's content or a state.

load one-daemon

prepare_host() {
  on_host mount -t tmpfs tmpfs /run # a journal's socket is made there
  on_host mkdir -p /run/systemd/journal
}

before_test() {
  out=$root/received
  rm -f "$out"
  receivers=()
}

teardown() {
  local ids
  ids=$(brig ps -aq) && [[ -n $ids ]] && brig rm -f $ids >/dev/null || :
  end_receivers
}

# receive KIND ADDRESS [MORE...]: log-receiver.py in the daemon's host, into $out; returns once it listens.
receive() {
  local ready=$root/receiver.$RANDOM kind=$1 address=$2
  mkfifo "$ready"
  nsenter --target "$host_pid" --net --mount -- "$top/tests/log-receiver.py" "$kind" "$address" "$out" "${@:3}" >"$ready" 3>&- &
  receivers+=("$!")
  await "$ready" log-receiver.py
}

end_receivers() {
  local pid
  for pid in "${receivers[@]}"; do kill -CONT "$pid" 2>/dev/null; kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done || :
  receivers=()
}

has_line() { grep -qE "$1" "$out" 2>/dev/null; }
has_lines() { [[ $(wc -l <"$out" 2>/dev/null) -ge $1 ]]; }
directory_of() { echo "$root/data/containers/$(brig inspect -f '{{.Id}}' "$1")"; }
run_state() { brig inspect -f '{{.State.Status}}' "$1"; }
all_packed() { ! ls "$1" | grep -qE 'log\.[0-9]+$|tmp$'; }
# counts FILE LAST: lines 1 to LAST, each once, in this order.
counts() { seq "$2" | cmp - "$1"; }

@test "json-file: rotated and compressed files read as one log: all, tail across files, since, until" {
  brig run -d --name many --log-opt max-size=20k --log-opt max-file=100 --log-opt compress=true busybox sh -c 'seq 4000; exec sleep 1000' >/dev/null
  wait_until bash -c '[[ $(brig logs --tail 1 many) = 4000 ]]'
  brig logs many >"$root/text" # while they are compressed, or not yet
  counts "$root/text" 4000
  dir=$(directory_of many)
  wait_until all_packed "$dir"
  zcat "$dir"/*json.log.3.gz | head -1 | grep -q '^{"log":"'
  brig logs many >"$root/text"
  counts "$root/text" 4000
  # What is still plain at a container's end is compressed at its next start.
  brig kill many >/dev/null
  brig wait many >/dev/null
  gunzip "$dir"/*json.log.2.gz
  : >"$(brig inspect -f '{{.LogPath}}' many).gz.tmp"
  brig start many >/dev/null
  wait_until all_packed "$dir"
  wait_until bash -c '[[ $(brig logs many | wc -l) = 8000 ]]'
  brig logs many >"$root/text"
  { seq 4000; seq 4000; } | cmp - "$root/text"
  brig logs --tail 3500 many | cmp - <(seq 501 4000)
  docker logs --tail 4002 many | cmp - <(echo 3999; echo 4000; seq 4000)
  third=$(brig logs -t many | sed -n 3000p | cut -d' ' -f1)
  brig logs -t --since "$third" many | head -1 | grep -q "^$third"
  [ "$(brig logs -t --until "$third" many | tail -1 | cut -d' ' -f1)" = "$third" ]
}

@test "json-file: labels, environment and tag are attributes of each line" {
  brig run --name attributes -l a.one=1 -l a.two=2 -l other=3 -e ONE=x -e TWO='y z' --log-opt labels=other,none --log-opt labels-regex='^a\.' --log-opt env=TWO \
    --log-opt env-regex='^ON' --log-opt tag='{{.Name}}/{{.ID}}/{{.ImageName}}' busybox echo hello >/dev/null
  jq -e --arg id "$(brig inspect -f '{{.Id}}' attributes)" \
    '.attrs == {"a.one":"1","a.two":"2","other":"3","ONE":"x","TWO":"y z","tag":("attributes/" + $id[:12] + "/busybox")}' \
    "$(brig inspect -f '{{.LogPath}}' attributes)"
  docker logs --details attributes | grep -q 'other=3.* hello$'
  brig logs --details attributes | grep -q 'TWO=y+z'
}

@test "local: compact, bounded, read as any other, and no path that somebody else may read" {
  brig run --name compact --log-driver local busybox sh -c 'seq 3; echo to err >&2; printf part' >/dev/null 2>&1
  [ "$(brig logs compact 2>&1 | tr '\n' ,)" = "1,2,3,to err,part" ]
  [ "$(docker logs compact 2>/dev/null | tr '\n' ,)" = "1,2,3,part" ]
  [ -z "$(brig inspect -f '{{.LogPath}}' compact)" ]
  [ "$(brig inspect -f '{{.HostConfig.LogConfig.Type}}' compact)" = local ]
  grep -qE '^o[0-9]{19} 2$' "$(directory_of compact)/local.log"
  brig run -d --name long --log-driver local --log-opt max-size=10k --log-opt max-file=200 busybox \
    sh -c 'head -c 40000 /dev/zero | tr "\0" x; echo; seq 2000; exec sleep 1000' >/dev/null
  wait_until bash -c '[[ $(brig logs --tail 1 long) = 2000 ]]'
  wait_until all_packed "$(directory_of long)"
  ls "$(directory_of long)" | grep -q 'local.log.[0-9]*.gz'
  [ "$(brig logs long | head -1 | wc -c)" = 40001 ]
  brig logs long | tail -n +2 | cmp - <(seq 2000)
  brig run --name few --log-driver local --log-opt max-size=1k --log-opt max-file=2 --log-opt compress=false busybox seq 1000 >/dev/null
  [ "$(ls "$(directory_of few)" | grep -c 'local.log')" = 2 ]
  [ "$(brig logs few | tail -1)" = 1000 ]
}

@test "syslog: udp, tcp, unix, unixgram, with their formats, tags and facilities; logs come from the cache" {
  receive udp 127.0.0.1:5140
  brig run --name one --log-driver syslog --log-opt syslog-address=udp://127.0.0.1:5140 --log-opt tag='{{.Name}}' busybox sh -c 'echo hello; echo bad >&2' >/dev/null 2>&1
  wait_until has_lines 2
  grep -qE '^<30>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} one\[[0-9]+\]: hello$' "$out"
  grep -qE '^<27>.* one\[[0-9]+\]: bad$' "$out"
  [ "$(docker logs one 2>&1 | sort | tr '\n' ,)" = "bad,hello," ]
  receive tcp 127.0.0.1:5141
  brig run --name two --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:5141 --log-opt syslog-format=rfc5424micro --log-opt syslog-facility=local3 busybox echo five >/dev/null
  id=$(brig inspect -f '{{.Id}}' two)
  wait_until has_line "^<158>1 [0-9-]+T[0-9:]+\.[0-9]{6}[^ ]+ [^ ]+ ${id:0:12} [0-9]+ ${id:0:12} - five$"
  receive unix "$root/log.sock"
  brig run --name three --log-driver syslog --log-opt syslog-address="unix://$root/log.sock" --log-opt syslog-format=rfc3164 --log-opt cache-disabled=true busybox echo three >/dev/null
  wait_until has_line '^<30>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} [^ ]+ [0-9a-f]{12}\[[0-9]+\]: three$'
  run brig logs three
  [ "$status" -ne 0 ]
  [[ $output == *"configured logging driver does not support reading"* ]]
  receive unixgram "$root/gram.sock"
  brig run --log-driver syslog --log-opt syslog-address="unixgram://$root/gram.sock" busybox echo four >/dev/null
  wait_until has_line ': four$'
}

@test "syslog: a server that goes away delays lines, and loses none" {
  receive tcp 127.0.0.1:5142
  mkfifo "$root/go.$BATS_TEST_NUMBER"
  brig run -d --name patient --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:5142 -v "$root/go.$BATS_TEST_NUMBER:/go" busybox sh -c 'seq 100; read line </go; seq 101 300; read line </go; seq 301 400' >/dev/null
  wait_until has_lines 100
  end_receivers
  echo on >"$root/go.$BATS_TEST_NUMBER"
  wait_until bash -c '[[ $(brig logs patient | wc -l) = 300 ]]'
  wait_until grep -q 'log driver syslog: dial tcp 127.0.0.1:5142: connect: connection refused; it is tried again' "$root/brigd.log"
  receive tcp 127.0.0.1:5142
  wait_until has_lines 300
  wait_until grep -q 'log driver syslog takes records again' "$root/brigd.log"
  # What the container wrote last comes though it, and its monitor, are gone meanwhile; a logger that is killed leaves it to the next.
  kill -KILL "$(pgrep -P "$(pgrep -f "brig-monitor $(brig inspect -f '{{.Id}}' patient)")" brig-logger)"
  end_receivers
  echo on >"$root/go.$BATS_TEST_NUMBER"
  brig wait patient >/dev/null
  receive tcp 127.0.0.1:5142
  wait_until has_lines 400
  sed 's/.*: //' "$out" | cmp - <(seq 400)
}

@test "a server that reads nothing: blocking stops the container, non-blocking drops, counts and says so" {
  # More than the kernel holds for a connection.
  local many='x=$(head -c 400 /dev/zero | tr "\0" x); seq 40000 | sed "s/$/ $x/"'
  receive tcp 127.0.0.1:5143
  kill -STOP "${receivers[0]}"
  brig run -d --name held --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:5143 --log-opt cache-disabled=true busybox sh -c "$many" >/dev/null
  brig run --name free --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:5143 --log-opt mode=non-blocking --log-opt max-buffer-size=100k --log-opt tag=free busybox sh -c "$many" >/dev/null
  [ "$(run_state held)" = running ]
  [ "$(brig logs free | wc -l)" = 40000 ]
  kill -CONT "${receivers[0]}"
  brig wait held >/dev/null
  dropped=$(grep -oE '^[0-9]+ log records were dropped' "$(directory_of free)/logger.log" | cut -d' ' -f1)
  grep -q "log records were dropped so far" "$root/brigd.log"
  wait_until bash -c "[[ \$(grep -vc ' free\[' '$out') = 40000 ]]"
  grep -v ' free\[' "$out" | sed 's/.*: //; s/ x*$//' | cmp - <(seq 40000)
  [ "$dropped" -gt 0 ]
  wait_until bash -c "[[ \$(( \$(grep -c ' free\[' '$out') + $dropped )) = 40000 ]]"
}

@test "syslog over TLS: a server whose certificate is trusted, and none other" {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=log -addext subjectAltName=IP:127.0.0.1 -keyout "$root/key" -out "$root/cert" 2>/dev/null
  receive tls 127.0.0.1:5144 0 "$root/cert" "$root/key"
  run brig run --log-driver syslog --log-opt syslog-address=tcp+tls://127.0.0.1:5144 busybox echo never
  [ "$status" -ne 0 ]
  [[ $output == *"failed to initialize logging driver: tls: the certificate of 127.0.0.1 is not trusted: self-signed certificate"* ]]
  brig run --log-driver syslog --log-opt syslog-address=tcp+tls://127.0.0.1:5144 --log-opt syslog-tls-ca-cert="$root/cert" --log-opt syslog-format=rfc5424 busybox echo secret >/dev/null
  wait_until has_line '^[0-9]+ <30>1 .* - secret$'
  brig run --log-driver syslog --log-opt syslog-address=tcp+tls://127.0.0.1:5144 --log-opt syslog-tls-skip-verify=true busybox echo blind >/dev/null
  wait_until has_line ': blind$'
}

@test "journald: Docker's fields, pieces of long lines, memory files for large records" {
  run brig run --log-driver journald busybox echo never
  [[ $output == *"failed to initialize logging driver: journald is not enabled on this host"* ]]
  receive journal /run/systemd/journal/socket
  brig run --name journal --log-driver journald -l app.name=shop -e ROLE=front --log-opt labels=app.name --log-opt env=ROLE --log-opt tag='{{.Name}}' busybox \
    sh -c 'echo hello; echo bad >&2; head -c 20000 /dev/zero | tr "\0" x; echo' >/dev/null 2>&1
  id=$(brig inspect -f '{{.Id}}' journal)
  wait_until has_line '^CONTAINER_PARTIAL_LAST=true$'
  for line in MESSAGE=hello PRIORITY=6 PRIORITY=3 "CONTAINER_ID=${id:0:12}" "CONTAINER_ID_FULL=$id" CONTAINER_NAME=journal CONTAINER_TAG=journal IMAGE_NAME=busybox SYSLOG_IDENTIFIER=journal APP_NAME=shop \
    ROLE=front CONTAINER_PARTIAL_MESSAGE=true CONTAINER_PARTIAL_ORDINAL=2; do
    grep -qx "$line" "$out"
  done
  [ "$(docker logs journal 2>/dev/null | head -1)" = hello ]
  printf 'A=%s\nB=%s\n' "$(head -c 120000 /dev/zero | tr '\0' a)" "$(head -c 120000 /dev/zero | tr '\0' b)" >"$root/env"
  brig run --log-driver journald --env-file "$root/env" --log-opt env=A,B busybox echo large >/dev/null
  wait_until has_line '^MEMFD=1$'
  grep -qx MESSAGE=large "$out"
}

@test "clearing a log: of a container that runs, with a reader that follows, and of one that does not" {
  mkfifo "$root/clear" "$root/over" # one each: who opens it again at once may still meet the writer before
  brig run -d --name cleared --log-opt max-size=1k --log-opt max-file=50 --log-opt compress=true -v "$root/clear:/go" -v "$root/over:/over" busybox sh -c 'seq 200; read line </go; echo after; read line </over' >/dev/null
  wait_until bash -c '[[ $(brig logs cleared | tail -1) = 200 ]]'
  timeout 60 docker logs -f cleared >"$root/followed" 3>&- &
  follower=$!
  wait_until bash -c "[[ \$(tail -1 '$root/followed') = 200 ]]"
  brig logs --clear cleared
  [ -z "$(brig logs cleared)" ]
  echo on >"$root/clear"
  wait_until bash -c '[[ $(docker logs cleared) = after ]]'
  echo on >"$root/over"
  wait "$follower"
  [ "$(tail -1 "$root/followed")" = after ]
  curl -sf --unix-socket "$root/brig.sock" -X POST http://d/containers/cleared/logs/clear
  [ -z "$(brig logs cleared)" ]
  [ "$(ls "$(directory_of cleared)" | grep -c 'json.log')" = 0 ]
  run brig logs --clear nobody
  [[ $output == *"No such container: nobody"* ]]
}

@test "a daemon that is killed again and again while a log rotates and is compressed: no line is lost, none comes twice" {
  mkfifo "$root/end"
  brig run -d --name steady --log-opt max-size=4k --log-opt max-file=900 --log-opt compress=true -v "$root/end:/end" busybox \
    sh -c 'i=0; while [ $i -lt 6000 ]; do i=$((i+1)); echo $i; done; read line </end' >/dev/null
  for kill in 1 2 3; do
    kill_daemon
    start_daemon
    brig logs steady >"$root/text"
    counts "$root/text" "$(wc -l <"$root/text")"
  done
  wait_until bash -c '[[ $(brig logs --tail 1 steady) = 6000 ]]'
  brig logs steady >"$root/text"
  counts "$root/text" 6000
  wait_until all_packed "$(directory_of steady)"
  brig logs steady | cmp - "$root/text"
  echo on >"$root/end"
}

@test "a monitor that is killed within a rotation leaves every line readable" {
  "$build/src/daemon/brigd" --version | grep -q failpoints || skip "no failpoints in this build"
  kill_daemon
  BRIG_FAILPOINT=monitor.log-rotate=kill@8 start_daemon
  brig run --name torn --log-opt max-size=1k --log-opt max-file=9 busybox seq 2000 >/dev/null 2>&1 || :
  brig logs torn >"$root/text"
  last=$(tail -1 "$root/text")
  [ "$last" -gt 20 ]
  counts "$root/text" "$last"
  kill_daemon
  start_daemon
  brig start torn >/dev/null && brig wait torn >/dev/null
  [ "$(brig logs torn | tail -1)" = 2000 ]
  brig logs torn | awk 'NR > 1 && $1 != last + 1 && $1 != 1 { bad = 1 } { last = $1 } END { exit bad }'
}

@test "refusals name the driver, the option, the target; the daemon's defaults are checked and used" {
  refused() { run docker "${@:2}"; [ "$status" -ne 0 ]; [[ $output == *"$1"* ]] || { echo "$output"; return 1; }; }
  refused 'error looking up logging plugin nonsense: plugin "nonsense" not found' create --log-driver nonsense busybox
  refused "unknown log opt 'nonsense' for json-file log driver" create --log-opt nonsense=1 busybox
  refused "unknown log opt 'max-size' for syslog log driver" create --log-driver syslog --log-opt max-size=1m busybox
  refused 'failed to initialize logging driver: dial tcp 127.0.0.1:1: connect: connection refused' run --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:1 busybox true
  refused 'failed to initialize logging driver: invalid log tag: "{{.Nonsense}}" is not supported' run --log-opt tag='{{.Nonsense}}' busybox true
  docker run --name silent --log-driver none busybox echo hello
  refused 'configured logging driver does not support reading' logs silent
  [ "$(docker info -f '{{.LoggingDriver}} {{.Plugins.Log}}')" = "json-file [journald json-file local syslog]" ]
  run on_host "$build/src/daemon/brigd" --data-root "$root/other" --exec-root "$root/other-run" -H "unix://$root/other.sock" --pidfile "$root/other.pid" --log-driver local --log-opt tag=x
  [ "$status" -ne 0 ]
  [[ $output == *"failed to set log opts: unknown log opt 'tag' for log driver local"* ]]
  kill_daemon
  start_daemon --log-driver local --log-opt max-size=1m --log-opt max-file=4
  [ "$(docker info -f '{{.LoggingDriver}}')" = local ]
  docker create --name default busybox >/dev/null
  [ "$(docker inspect -f '{{json .HostConfig.LogConfig}}' default)" = '{"Type":"local","Config":{"max-file":"4","max-size":"1m"}}' ]
}
