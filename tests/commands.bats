#!/usr/bin/env bats
# The brig command against a real daemon with real containers: one daemon for the file, each test with containers of its own.

load one-daemon

teardown() {
  local ids
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
}

@test "run prints what the program prints and ends as it ends" {
  run --separate-stderr brig run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
  [ "$status" -eq 7 ]
  [ "$output" = out ]
  [ "$stderr" = err ]
}

# said PROGRAM WORD...: what it says of a format, without the types' and the template's own names, and its exit code.
said() {
  local code=0 text
  text=$(env -u BRIG_HOST "$@" 2>&1) || code=$?
  sed 's/version:1:/:1:/; s/executing "version"/executing ""/; s/ in type .*//' <<<"$text"
  echo "exit code $code"
}

@test "a format that is none ends each command as it ends docker's" {
  local command format
  for format in '{{.ID' '{{nope .}}' '{{.Nope}}'; do
    for command in ps images "network ls" "volume ls" "stats --no-stream" "system df" "history busybox" "context ls" info version \
      "inspect busybox" "network inspect bridge" "events --since 0 --until 1"; do
      [[ $command$format != events*Nope* ]] || continue # without an event, brig takes any member
      echo "$command $format"
      diff <(said docker $command --format "$format") <(said brig $command --format "$format")
    done
  done
  # What goes wrong with an empty row only is no error.
  [ -z "$(brig ps --format '{{slice .ID 0 3}} {{.Label "x"}}')" ]
}

@test "run passes standard input on, and its end" {
  run bash -c 'printf "one\ntwo\n" | brig run --rm -i busybox wc -l'
  [ "$status" -eq 0 ]
  [ "${output// /}" = 2 ]
}

@test "a program that is not there is 127, one that cannot be run 126, a wrong flag 125" {
  run brig run --rm busybox nope
  [ "$status" -eq 127 ]
  [[ $output == *'exec: "nope": executable file not found in $PATH'* ]]
  run brig run --rm busybox /etc
  [ "$status" -eq 126 ]
  run brig run --rm --nonsense busybox true
  [ "$status" -eq 125 ]
  [[ $output == *'unknown flag: --nonsense'* ]]
}

@test "a terminal has its size, and resizes" {
  run expect -c 'set timeout 20
    spawn brig run --rm -it busybox sh
    expect "#"
    stty rows 33 columns 77 < $spawn_out(slave,name)
    send "until stty size | grep -q 33.77; do true; done; stty size\r"
    set seen 0
    for {set i 0} {!$seen && $i < 20} {incr i} {
      exec kill -WINCH [exp_pid]; # lost, where the client does not listen yet
      expect -timeout 1 "33 77" { set seen 1 } timeout {}
    }
    if {!$seen} { exec kill -KILL [exp_pid]; exit 9 }
    send "exit 5\r"
    expect eof {} timeout { exec kill -KILL [exp_pid]; exit 10 }
    exit [lindex [wait] 3]'
  [ "$status" -eq 5 ]
}

@test "a container gets its environment, directory, user, groups and host name" {
  run brig run --rm -e A=1 -e B="x y" -w /www -u web --group-add 2001 -h box busybox sh -c 'echo $A $B; pwd; id -u; id -G; hostname'
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = "1 x y" ]
  [ "${lines[1]}" = /www ]
  [ "${lines[2]}" = 1000 ]
  [[ " ${lines[3]} " == *" 2000 "* && " ${lines[3]} " == *" 2001 "* ]]
  [ "${lines[4]}" = box ]
}

@test "an unknown user is refused by name" {
  run brig run --rm -u nobody-here busybox true
  [ "$status" -ne 0 ]
  [[ $output == *'unable to find user nobody-here: no matching entries in passwd file'* ]]
}

@test "detached: ps, logs, exec, inspect, top, stop, rm" {
  brig run -d --name one busybox sh -c 'trap "exit 3" TERM; echo started; while :; do sleep 1; done'
  wait_until bash -c 'brig logs one | grep -q started'
  run brig ps --format '{{.Names}} {{.State}}'
  [ "$output" = "one running" ]
  run brig exec one sh -c 'echo in; exit 4'
  [ "$status" -eq 4 ]
  [ "$output" = in ]
  run brig inspect --format '{{.State.Running}} {{.Config.Image}}' one
  [ "$output" = "true busybox" ]
  run brig top one
  [[ $output == *PID* && $output == *sh* ]]
  run brig stop -t 5 one
  [ "$output" = one ]
  run brig inspect --format '{{.State.ExitCode}}' one
  [ "$output" = 3 ]
  run brig rm one
  [ "$status" -eq 0 ]
}

@test "a program that ignores TERM is killed at the timeout" {
  brig run -d --name deaf busybox sh -c 'trap "" TERM; while :; do sleep 1; done'
  run timeout 20 brig stop -t 1 deaf
  [ "$status" -eq 0 ]
  run brig inspect --format '{{.State.ExitCode}}' deaf
  [ "$output" = 137 ]
}

@test "logs: tail, since the beginning, times, follow to the end" {
  brig run --name talker busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done' >/dev/null
  run brig logs --tail 2 talker
  [ "$output" = $'line 4\nline 5' ]
  run brig logs -t --tail 1 talker
  [[ $output =~ ^20[0-9-]+T[0-9:.]+Z\ line\ 5$ ]]
  run timeout 10 brig logs -f talker
  [ "$status" -eq 0 ]
  [ "${#lines[@]}" -eq 5 ]
}

@test "volumes keep their content, binds show the host's" {
  brig volume create data >/dev/null
  brig run --rm -v data:/data busybox sh -c 'echo kept >/data/file'
  run brig run --rm -v data:/data:ro busybox sh -c 'cat /data/file; echo no >/data/file'
  [[ $output == *kept* && $output == *'Read-only file system'* ]]
  run brig volume rm data
  [ "$output" = data ]
  echo from-host >"$root/hostfile"
  run brig run --rm --mount "type=bind,source=$root/hostfile,target=/f,readonly" busybox cat /f
  [ "$output" = from-host ]
  run brig run --rm --mount type=bind,source=/not/there,target=/f busybox true
  [ "$status" -eq 125 ]
  [[ $output == *'bind source path does not exist: /not/there'* ]]
}

@test "limits reach the kernel" {
  run brig run --rm -m 64m --pids-limit 50 --cpus 0.5 --ulimit nofile=100:200 --shm-size 8m busybox sh -c \
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max; ulimit -n; df -k /dev/shm | tail -1'
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = 67108864 ]
  [ "${lines[1]}" = 100 ]
  [[ ${lines[2]} == *8192* ]]
}

@test "defaults are Docker's: capabilities, no new device, masked paths, read-only sysctls" {
  run brig run --rm busybox sh -c 'grep CapEff /proc/self/status; ls /proc/kcore -l; echo 1 >/proc/sys/kernel/hostname; mknod /tmp/x b 8 0; cat /tmp/x'
  [[ $output == *00000000a80425fb* ]]
  [[ $output == *'Read-only file system'* ]]
  run brig run --rm --read-only --tmpfs /t busybox sh -c 'echo x >/t/ok && cat /t/ok; echo x >/no'
  [[ $output == x* && $output == *'Read-only file system'* ]]
  run brig run --rm --cap-drop ALL --cap-add CHOWN busybox grep CapEff /proc/self/status
  [[ $output == *0000000000000001* ]]
}

endless_profile() {
  python3 -c 'import json
least = (2, 1, 0, 2, 1, 0), (0, 1, 2, 0, 1, 2), (1, 0, 2, 1, 0, 2), (0, 0, 1, 1, 2, 2)
print(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [
        {"index": i, "value": value, "op": "SCMP_CMP_GE"} for i, value in enumerate(rule)]}
    for rule in least]}))'
}

@test "seccomp refuses what Docker's default profile refuses, and can be left out" {
  run brig run --rm busybox unshare -U true
  [ "$status" -ne 0 ]
  run brig run --rm busybox grep Seccomp: /proc/self/status
  [[ $output == *2 ]]
  run brig run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status
  [[ $output == *0 ]]
}

has_lines() { # FILE LINE...: that this file's lines are among, whatever space is in them
  local line lines
  lines=$(tr -d '\t ' <"$1")
  for line in "${@:2}"; do grep -qx "$line" <<<"$lines" || return; done
}

# libseccomp never comes to an end with four such rules.
@test "a seccomp profile without end is refused, and holds no other start" {
  brig run --rm busybox true # its profile is known from here on
  brig create --name patient busybox true
  endless_profile >"$suite/endless.json"
  brig run --rm --security-opt "seccomp=$suite/endless.json" busybox true 2>"$suite/endless.err" &
  hostile=$!
  wait_until pgrep -P "$daemon_pid" -x brig-seccomp
  compiler=$(pgrep -P "$daemon_pid" -x brig-seccomp)
  brig start -a patient
  kill -0 "$hostile" # it is still being looked at
  # What looks at it has nothing that it could be taken over for.
  confined=(CapPrm:0000000000000000 CapEff:0000000000000000 NoNewPrivs:1)
  [[ $build == *san* ]] || confined+=(Seccomp:2)
  wait_until has_lines "/proc/$compiler/status" "${confined[@]}"
  [ "$(ls "/proc/$compiler/fd" | xargs)" = "0 1 2" ]
  status=0
  wait "$hostile" || status=$?
  [ "$status" -eq 125 ]
  [[ $(<"$suite/endless.err") == *"fewer rules with several conditions"* ]]
  brig rm patient
}

@test "--init reaps, passes signals on, and keeps the exit code" {
  run brig run --rm --init busybox sh -c 'cat /proc/1/comm; exit 9'
  [ "$status" -eq 9 ]
  [[ $output == *init* ]]
}

@test "pause and unpause, rename, restart, kill, wait, port" {
  brig run -d --name pp -p 127.0.0.1:18081:80 busybox httpd -f -h /www
  brig pause pp
  run brig ps --format '{{.Status}}'
  [[ $output == *Paused* ]]
  brig unpause pp
  brig rename pp qq
  run brig port qq
  [ "$output" = "80/tcp -> 127.0.0.1:18081" ]
  brig restart -t 1 qq
  run on_host curl -s --max-time 5 http://127.0.0.1:18081/
  [ "$output" = "hello from a container" ]
  brig kill qq
  run brig wait qq
  [ "$output" = 137 ]
}

# Its layer need not survive a power cut, so its end must not wait for the disk; the kernel mounts such a layer only once unless told.
@test "an --rm container's layer is volatile, and restarts all the same" {
  brig run -d --rm --name fleeting busybox sh -c 'echo kept >>/file; exec sleep 1000'
  run brig exec fleeting grep ' / overlay .*volatile' /proc/mounts
  [ "$status" -eq 0 ]
  brig restart -t 0 fleeting
  [ "$(brig exec fleeting wc -l /file)" = "2 /file" ]
  brig rm -f fleeting
  run brig run --name kept busybox grep volatile /proc/mounts
  [ "$status" -eq 1 ]
}

@test "restart policies start a container again" {
  brig run -d --name again --restart on-failure:2 busybox sh -c 'exit 1'
  wait_until bash -c '[[ $(brig inspect -f "{{.RestartCount}} {{.State.Status}}" again) == "2 exited" ]]'
}

# What happened to a container or by it, in order: action, and of volumes' what their events say beside the container.
told() { brig events --since "$1" --until "$(($(date +%s) + 1))" --format '{{json .}}' | jq -r --arg id "$2" \
  'select(.Actor.ID == $id or .Actor.Attributes.container == $id) | if .Type == "volume" then .Actor.Attributes.container = "" | "\(.Action) \(.Actor.ID) \(.Actor.Attributes)" else .Action end'; }

@test "events of volumes that come and go with containers, and of a paused container that is stopped" {
  since=$(date +%s)
  id=$(brig run -d -v told:/v --mount type=volume,src=told2,dst=/v2,readonly -v /tmp:/bound busybox sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done')
  wait_until eval 'brig exec $id true'
  brig pause "$id"
  brig stop -t 5 "$id"
  events=$(told "$since" "$id")
  grep -qxF 'mount told {"container":"","destination":"/v","driver":"local","propagation":"","read/write":"true"}' <<<"$events"
  grep -qxF 'mount told2 {"container":"","destination":"/v2","driver":"local","propagation":"","read/write":"false"}' <<<"$events"
  grep -qxF 'unmount told {"container":"","driver":"local"}' <<<"$events"
  [ "$(grep -c mount <<<"$events")" -eq 4 ]
  [ "$(grep -E '^(pause|kill|unpause|stop)$' <<<"$events" | tr '\n' ' ')" = 'pause kill unpause stop ' ]
  brig start "$id"
  brig pause "$id"
  brig kill "$id"
  wait_until eval '[[ $(brig inspect -f "{{.State.Status}}" $id) == exited ]]'
  [ "$(told "$since" "$id" | grep -c unpause)" -eq 1 ]
  # A start that fails takes back what it told.
  id=$(brig create -v told:/v busybox no-such-program)
  run brig start "$id"
  [ "$status" -ne 0 ]
  [ "$(told "$since" "$id" | grep -cE '^(un)?mount')" -eq 2 ]
}

@test "/etc/mtab shows the container's mounts, /.dockerenv that it is one; no link of an image is followed to make them" {
  [ "$(brig run --rm busybox readlink /etc/mtab)" = /proc/mounts ]
  brig run --rm busybox test -f /.dockerenv
  image_of own-mtab 'echo "of the image" >etc/mtab; chmod 750 etc; chown 0:33 etc; chmod 4711 bin/busybox'
  [ "$(brig run --rm own-mtab sh -c 'readlink /etc/mtab; stat -c "%a %u:%g" /etc; cat /etc/passwd | head -1')" = $'/proc/mounts\n750 0:33\nroot:x:0:0:root:/root:/bin/sh' ]
  mkdir "$root/outside"
  touch "$root/outside/resolv.conf" "$root/outside/hosts" "$root/outside/hostname"
  image_of linked-mtab "ln -s '$root/outside/target' etc/mtab; ln -s '$root/outside/mark' .dockerenv"
  [ "$(brig run --rm linked-mtab readlink /etc/mtab)" = /proc/mounts ]
  image_of linked-etc "mkdir -p '.$root/outside'; rm -r etc; ln -s '$root/outside' etc"
  brig run --rm linked-etc true
  [ "$(ls "$root/outside")" = $'hostname\nhosts\nresolv.conf' ]
  image_of no-etc "rm -r etc"
  [ "$(brig run --rm no-etc sh -c 'readlink /etc/mtab; stat -c %a /etc')" = $'/proc/mounts\n755' ]
  brig rmi own-mtab linked-mtab linked-etc no-etc
}

@test "an image without layers is refused, and the daemon lives on" {
  mkdir "$root/none"
  printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["/x"]},"rootfs":{"type":"layers","diff_ids":[]}}' >"$root/none/config.json"
  printf '[{"Config":"config.json","RepoTags":["none:latest"],"Layers":[]}]' >"$root/none/manifest.json"
  tar -C "$root/none" -cf - manifest.json config.json | brig load
  run brig create none
  [ "$status" -eq 1 ]
  [[ "$output" == *"image 'none' has no layers"* ]]
  daemon_answers
  brig rmi none
}

# writes VERSION HOSTCONFIG: which of /x and /x/below a container that is made so by a client of that API version can write to.
writes() {
  local id
  id=$(curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' "http://d/v$1/containers/create" \
    -d "{\"Image\": \"busybox\", \"Cmd\": [\"sh\", \"-c\", \"for d in /x /x/below; do touch \$d/f 2>/dev/null && echo -n \$d; done\"], \"HostConfig\": $2}" | jq -r .Id)
  brig start -a "$id"
}

bind() { echo "{\"Mounts\": [{\"Type\": \"bind\", \"Source\": \"$root/ro\", \"Target\": \"/x\", \"ReadOnly\": $1, \"BindOptions\": {${2:-}}}]}"; }

@test "read-only binds are so with what is mounted below, from API 1.44 on and as asked" {
  mkdir -p "$root/ro/below"
  on_host mount -t tmpfs tmpfs "$root/ro/below"
  [ "$(writes 1.44 "$(bind false)")" = /x/x/below ]
  [ -z "$(writes 1.44 "$(bind true)")" ]
  [ -z "$(writes 1.44 "{\"Binds\": [\"$root/ro:/x:ro\"]}")" ]
  [ "$(writes 1.44 "$(bind true '"ReadOnlyNonRecursive": true')")" = /x/below ]
  [ -z "$(writes 1.44 "$(bind true '"ReadOnlyForceRecursive": true')")" ]
  [ "$(writes 1.43 "$(bind true)")" = /x/below ]
  [ "$(writes 1.43 "{\"Binds\": [\"$root/ro:/x:ro\"]}")" = /x/below ]
  [ -z "$(writes 1.44 "$(bind true '"NonRecursive": true')")" ]
  [ "$(brig run --rm -v "$root/ro:/x:ro" busybox sh -c 'touch /x/below/f && echo wrote')" = "" ]
  donor=$(brig create -v "$root/ro:/x" busybox)
  [ -z "$(writes 1.44 "{\"VolumesFrom\": [\"$donor:ro\"]}")" ]
  on_host umount "$root/ro/below"
}

@test "the list has annotations from API 1.46 on, and all else for every version" {
  curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' "http://d/v1.51/containers/create" \
    -d '{"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Annotations": {"b": "2", "a": "1"}}}'
  listed() { curl -s --unix-socket "$root/brig.sock" "http://d/v$1/containers/json?all=1" | jq -c '.[0] | [.HostConfig, .State, .Status]'; }
  [ "$(listed 1.45)" = '[{"NetworkMode":"default"},"created","Created"]' ]
  [ "$(listed 1.46)" = '[{"NetworkMode":"default","Annotations":{"a":"1","b":"2"}},"created","Created"]' ]
  [ "$(listed 1.45)" = '[{"NetworkMode":"default"},"created","Created"]' ]
}

@test "execs are listed, and killed with their process group; the exit code says by what" {
  brig run -d --name web busybox sleep 1000
  brig exec -d web sh -c 'sleep 2000 & sleep 2001 & wait'
  brig exec -d -u web web sleep 2002
  brig exec web true
  listed() { [[ $(brig container exec-ls -q web | wc -l) -eq 2 && $(brig top web | grep -c 'sleep 200[0-9]') -ge 3 ]]; }
  wait_until listed
  [ "$(brig container exec-ls --format '{{.Container}}/{{.Command}}/{{.User}}/{{.Status}}' web)" = $'web/sleep 2002/web/Running\nweb/sh -c sleep 2000 & sleep 2001 & wait//Running' ]
  [[ $(brig container exec-ls -a web) == 'EXEC ID '*'STARTED'*'Exited (0)'* ]]
  shell=$(brig container exec-ls -q --no-trunc | tail -1)
  kill_daemon
  start_daemon
  [[ $(brig container exec-ls | tail -1) == *' ago '*Running* ]]
  run brig container exec-kill -s term "${shell:0:12}"
  [ "$output $status" = "${shell:0:12} 0" ]
  alone() { [[ $(brig top web | grep -c 'sleep 200[0-9]') -eq 1 ]]; }
  wait_until alone
  ended() { [[ $(curl -s --unix-socket "$root/brig.sock" "http://d/exec/$1/json" | jq -c '[.Running, .ExitCode]') == "$2" ]]; }
  wait_until ended "$shell" '[false,143]'
  [ "$(curl -s -o /dev/null -w '%{http_code}' -X POST --unix-socket "$root/brig.sock" "http://d/exec/$shell/kill")" = 304 ]
  other=$(brig container exec-ls -q --no-trunc)
  brig container exec-kill "$other"
  wait_until ended "$other" '[false,137]'
  [ "$(brig events --since 0 --until "$(date +%s.%N)" --filter event=exec_kill --format '{{.Actor.Attributes.execID}} {{.Actor.Attributes.signal}}')" = "$shell 15"$'\n'"$other 9" ]
  created=$(curl -s -X POST --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' -d '{"Cmd":["true"]}' http://d/containers/web/exec | jq -r .Id)
  run brig container exec-kill "$created"
  [[ $status -eq 1 && $output == *"exec $created was not started"* ]]
  run brig container exec-kill nothing
  [[ $status -eq 1 && $output == *'No such exec instance: nothing'* ]]
  run brig container exec-kill -s WHAT "$other"
  [[ $status -eq 1 && $output == *'Invalid signal: WHAT'* ]]
}

@test "debug: tools beside a container that has none, in its namespaces, confined as it is, with its root at /target" {
  printf 'FROM busybox AS b\nRUN mkdir -p /e/etc /e/srv && echo "app:x:65532:65533::/:/x" >/e/srv/passwd && ln -s ../srv/passwd /e/etc/passwd && cp /bin/busybox /e/\nFROM scratch\nCOPY --from=b /e /\nUSER app\nCMD ["/busybox", "sleep", "1000"]\n' >"$root/Dockerfile.scratch"
  brig build -q -t scratchy -f "$root/Dockerfile.scratch" - </dev/null >/dev/null 2>&1 || brig build -q -t scratchy -f "$root/Dockerfile.scratch" "$BATS_TEST_TMPDIR" >/dev/null
  brig run -d --name bare --cap-drop ALL --security-opt no-new-privileges --memory 64m --tmpfs /t -v kept:/data scratchy >/dev/null
  run ! brig exec bare sh
  local script='id -u; id -g; cat /target/etc/passwd; ps -o args | grep -c "sleep 100[0]"; hostname; grep -E "CapBnd|NoNewPrivs|Seccomp:" /proc/self/status | tr -d "\t\n"; echo
    for ns in ipc net pid user; do [ "$(readlink /proc/self/ns/$ns)" = "$(readlink /proc/1/ns/$ns)" ] || echo "another $ns"; done
    grep -c " /target/data " /proc/mounts; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || :'
  run -0 brig debug bare sh -c "$script"
  [[ ${lines[0]} == 65532 && ${lines[1]} == 65533 && ${lines[2]} == app:x:65532:* && ${lines[3]} == 1 && $(brig inspect -f '{{.Config.Hostname}}' bare) == "${lines[4]}" ]]
  [[ ${lines[5]} == 'CapBnd:0000000000000000NoNewPrivs:1Seccomp:2' && ${lines[6]} == 1 ]]
  [[ $(printf '%s\n' "${lines[@]:7}") == @(|67108864) ]]
  # Files are the container's, which has nothing else of it; its own user may no more than it, and root no more than its capabilities.
  run brig diff bare
  [[ $status -eq 0 && $output != *target* && $output != */bin* ]]
  brig debug -i bare sh -c 'cat >/target/t/in' <<<'from outside'
  run -0 brig debug bare cat /target/t/in
  [ "$output" = 'from outside' ]
  run -1 brig debug --read-only bare sh -c 'echo x >/target/t/out'
  [[ $output == *'Read-only file system'* ]]
  run -0 brig debug --user 0 -w /target bare sh -c 'id -u; pwd; mount -t tmpfs none /mnt 2>/dev/null || echo no'
  [ "$output" = $'0\n/target\nno' ]
  # It ends as its program does, leaves nothing, and goes when the container does.
  run -7 brig debug bare sh -c 'exit 7'
  run -127 brig debug bare nope
  run -125 brig debug --image none:1 --pull never bare
  [[ $(brig ps -aq | wc -l) == 1 ]]
  brig debug bare sh -c 'echo up; exec sleep 1000' >"$root/debug.out" 3>&- &
  local client=$!
  wait_until grep -q up "$root/debug.out"
  brig kill bare >/dev/null
  status=0
  wait "$client" || status=$? # run would ask in a subshell, whose child it is not
  [ "$status" -eq 137 ]
  run -125 brig debug bare
  [[ $output == *'container bare is not running: start it'* ]]
  [[ $(brig ps -aq | wc -l) == 1 ]]
  ! on_host grep image- /proc/mounts
}

@test "--ipc container: shares the namespace and /dev/shm of a shareable one, and of no other; its root can be mounted" {
  brig run -d --name giver --ipc shareable busybox sh -c 'echo shared >/dev/shm/f; echo root >/here; exec sleep 1000' >/dev/null
  wait_until brig exec giver test -s /here
  run -0 brig run --rm --ipc container:giver busybox sh -c 'cat /dev/shm/f; readlink /proc/self/ns/ipc'
  [ "$output" = "shared"$'\n'"$(brig exec giver readlink /proc/self/ns/ipc)" ]
  run -0 brig run --rm --mount type=container,source=giver,target=/its,readonly busybox cat /its/here
  [ "$output" = root ]
  brig run -d --name private busybox sleep 1000 >/dev/null
  run -125 brig run --rm --ipc container:private busybox true
  [[ $output == *'non-shareable IPC (hint: use IpcMode:shareable for the donor container)'* ]]
  run -125 brig run --rm --mount type=container,source=none,target=/its busybox true
  [[ $output == *'No such container: none'* ]]
  # A start that fails lets the mount go before its container is removed.
  for _ in 1 2 3 4 5; do run -127 brig run --rm --mount type=container,source=giver,target=/its,readonly busybox nonesuch; done
  wait_until eval '[ -z "$(ls "$root/run/containers" | grep -vxF -f <(brig ps -aq --no-trunc))" ]'
  brig kill giver >/dev/null
  run -125 brig run --rm --mount type=container,source=giver,target=/its busybox true
  [[ $output == *'cannot join mount of a non running container'* ]]
  [[ $(brig ps -aq | wc -l) == 2 ]]
}

@test "execs that are created and never started are bounded, and go with their container" {
  id=$(brig run -d busybox sleep 1000)
  create() { curl -s -w '%{http_code}\n' --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' -d '{"Cmd": ["true"]}' "${@:2}" "http://d/v1.41/containers/$id/exec$1"; }
  first=$(create | jq -r '.Id? // empty')
  [[ $(create '?[1-255]' -o /dev/null | sort | uniq -c) == *' 255 201' ]] # as one process: in an emulation each takes a second
  run create
  [[ $output == *"container $id has 256 execs that were created and never started: start them, or remove the container"*409 ]]
  # One that was started makes room.
  curl -s --unix-socket "$root/brig.sock" -H 'Content-Type: application/json' -d '{"Detach": true}' "http://d/v1.41/exec/$first/start"
  [[ $(create) == *201 && $(create) == *409 ]]
  brig rm -f "$id"
  run curl -s --unix-socket "$root/brig.sock" "http://d/v1.41/exec/$first/json"
  [[ $output == *"No such exec instance: $first"* ]]
}

@test "events tell what happened" {
  since=$(date +%s)
  brig run --rm --name evented busybox true
  run brig events --since "$since" --until "$(($(date +%s) + 1))" --filter container=evented --format '{{.Action}}'
  [[ $output == *create* && $output == *start* && $output == *die* && $output == *destroy* ]]
}

@test "attach joins a running container, and its end ends it" {
  brig run -di --name at busybox sh -c 'read word; echo "got $word"; exit 8'
  # The end of standard input would end the attachment, as Docker has it: so it stays open.
  mkfifo "$root/input"
  run bash -c 'exec 4<>"$1"; echo through >&4; timeout -s KILL 20 brig attach at <"$1"' _ "$root/input"
  [ "$status" -eq 8 ]
  [[ $output == *'got through'* ]]
}

@test "clients that attach before the start and leave are forgotten; wrong keys are refused and harm nobody" {
  brig create --name early busybox echo started
  run python3 - "$root/brig.sock" "$(cat "$root/brigd.pid")" <<'EOF'
import os, socket, sys

def attach(query):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(sys.argv[1])
    client.sendall(f"POST /containers/early/attach?stream=1&stdout=1{query} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
    return client, client.recv(4096)

def descriptors():
    return len(os.listdir(f"/proc/{sys.argv[2]}/fd"))

before = descriptors()
for _ in range(100):
    client, answer = attach("")
    assert b" 200 OK" in answer, answer
    client.close()
assert descriptors() < before + 20, descriptors()
client, answer = attach("&detachKeys=garbage-x")
assert b" 400 " in answer, answer
EOF
  echo "$output"
  [ "$status" -eq 0 ]
  run timeout -s KILL 20 brig start -a early
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *started* ]]
}

@test "a cidfile whose directory is not there is told before anything is pulled or made" {
  run brig run --cidfile /nope/cid 127.0.0.1:1/never
  [ "$status" -eq 125 ]
  [[ $output == *"failed to create the container ID file '/nope/cid': No such file or directory"* && $output != *'Unable to find image'* ]]
}

@test "what is asked twice is a conflict, what is not there is not found" {
  brig create --name twice busybox true
  run brig create --name twice busybox true
  [ "$status" -eq 1 ] || [ "$status" -eq 125 ]
  [[ $output == *'is already in use by container'* ]]
  run brig inspect nobody
  [ "$status" -eq 1 ]
  [[ $output == *'No such object: nobody'* ]]
  run brig start nobody
  [[ $output == *'No such container: nobody'* ]]
}

@test "names that nearly are commands get a suggestion" {
  run brig rnu
  [ "$status" -ne 0 ]
  [[ $output == *"Did you mean"*run* ]]
}

@test "save and export into a device or a pipe write into it; no file takes its place" {
  mknod "$root/null" c 1 3
  brig save -o "$root/null" busybox
  [ -c "$root/null" ]
  brig create --name devices busybox
  brig export -o "$root/null" devices
  [ -c "$root/null" ]
  mkfifo "$root/pipe"
  tar -t <"$root/pipe" >"$root/names" 3>&- &
  local reader=$!
  brig export -o "$root/pipe" devices
  wait "$reader"
  grep -q bin/busybox "$root/names"
  brig rm devices
}

@test "images: save, load, tag, history, rmi" {
  brig tag busybox copy:v1
  brig save -o "$root/saved.tar" copy:v1
  run tar -tf "$root/saved.tar"
  [[ $output == *manifest.json* && $output == *index.json* ]]
  run skopeo inspect --raw "docker-archive:$root/saved.tar"
  [ "$status" -eq 0 ]
  brig rmi copy:v1
  run brig load -i "$root/saved.tar"
  [ "$output" = "Loaded image: copy:v1" ]
  run brig history -q --no-trunc copy:v1
  [[ ${lines[0]} == sha256:* ]]
  brig rmi copy:v1
}

@test "an image whose configuration the disk lost is told, removed by its id, and then loaded anew" {
  printf 'FROM scratch\nLABEL lost=1\n' >"$root/lost"
  id=$(brig build -q -t lost - <"$root/lost")
  brig save -o "$root/lost.tar" lost
  : >"$root/data/image/blobs/sha256/${id#sha256:}"
  run brig image inspect lost
  [ "$status" -eq 1 ]
  brig images | grep -q busybox
  grep -q "image $id can't be read: .*; remove it by its id" "$root/brigd.log"
  run brig rmi -f "$id"
  [[ $status -eq 0 && $output == *"Deleted: $id"* ]]
  brig load -i "$root/lost.tar"
  [ "$(brig image inspect --format '{{.Config.Labels.lost}}' lost)" = 1 ]
  brig rmi lost
}

@test "a checkpoint takes no directory of the host's that is there, and none that others can write to" {
  local holder=$root/holder
  mkdir -p -m 755 "$holder" "$holder/alice" "$holder/bob"
  echo mine >"$holder/alice/file"
  touch "$holder/bob/brig-checkpoint.json"
  chown 1000 "$holder/bob"
  brig run -d --name runs busybox sleep 1000
  brig create --name rests busybox true
  refuses() { run brig checkpoint create --leave-running --checkpoint-dir "$holder" runs "$1"; [[ $status -eq 1 && $output == *"$2"* ]] || { echo "$output"; return 1; }; }
  refuses alice "'$holder/alice' already exists, and is no checkpoint"
  refuses bob 'checkpoint with name bob already exists for container runs'
  run brig checkpoint rm --checkpoint-dir "$holder" runs alice
  [[ $status -eq 1 && $output == *'checkpoint alice does not exist for container runs'* ]]
  [ "$(<"$holder/alice/file")" = mine ]
  # What is restored, and removed, is root's.
  run brig start --checkpoint bob --checkpoint-dir "$holder" rests
  [[ $status -eq 1 && $output == *"'bob' of checkpoints belongs to user 1000"* ]]
  run brig checkpoint rm --checkpoint-dir "$holder" runs bob
  [[ $status -eq 1 && $output == *'belongs to user 1000'* && -d $holder/bob ]]
  chmod 1777 "$holder"
  refuses new "'$holder' of checkpoints has mode 1777"
  [ ! -e "$holder/new" ]
}

@test "what an interrupted checkpoint has left in the container's directory is removed by its name" {
  local id place
  id=$(brig create --name rests busybox true)
  place=$root/data/containers/$id/checkpoints
  mkdir -p -m 700 "$place/half"
  touch "$place/half/pages-1.img"
  [ -z "$(brig checkpoint ls -q rests)" ]
  brig checkpoint rm rests half
  [ ! -e "$place/half" ]
  run brig checkpoint rm rests half
  [[ $status -eq 1 && $output == *'checkpoint half does not exist for container rests'* ]]
}
