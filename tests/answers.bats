#!/usr/bin/env bats
# What docker's client and plain requests are answered where names, options and values are unusual. dockerd's answers are the measure.

load one-daemon

teardown() {
  local ids name
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
  for name in $(brig network ls -q --filter type=custom); do brig network rm "$name" >/dev/null; done
}

api() { curl -s --unix-socket "$root/brig.sock" -X "$1" -H 'Content-Type: application/json' -w '%{http_code}' "${@:3}" "http://d$2"; }

# columns OPTION...: the header that top has with ps's options, its words parted by single blanks.
columns() { brig top web "$@" | head -1 | tr -s ' ' | sed 's/ $//'; }

@test "top takes ps's options in clusters, and has the columns that ps has" {
  brig run -d --name web busybox sh -c 'sleep 1001 & exec sleep 1000'
  wait_until bash -c 'brig top web | grep -q "sleep 1001"'
  local full='UID PID PPID C STIME TTY TIME CMD' bsd='USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND' options
  for options in -ef -efww -fe; do [ "$(columns $options)" = "$full" ]; done
  for options in aux -aux axuww 'a ux'; do [ "$(columns $options)" = "$bsd" ]; done
  for options in '-eo pid,comm' '-eopid,comm' '-efo pid,comm' 'axo pid,comm' '-axo pid,comm' '-eo pid -o comm' '-ef -o pid,comm' '-e --format pid,comm' '--format=pid,comm:30'; do
    [ "$(columns $options)" = 'PID COMMAND' ]
  done
  for options in x -x ax -ax; do [ "$(columns $options)" = 'PID TTY STAT TIME COMMAND' ]; done
  [ "$(columns -e)" = 'PID TTY TIME CMD' ]
  [ "$(columns -ej)" = 'PID PGID SID TTY TIME CMD' ]
  [ "$(columns -eF)" = 'UID PID PPID C SZ RSS PSR STIME TTY TIME CMD' ]
  [ "$(columns -eLf)" = 'UID PID PPID LWP C NLWP STIME TTY TIME CMD' ]
  [ "$(columns)" = "$full" ]
}

@test "top's columns are those of the host's ps" {
  command -v ps >/dev/null || skip "no ps on this machine"
  brig run -d --name web busybox sleep 1000
  local options pid; pid=$(pid_of web)
  for options in -ef -eF -ej -ejf -eL -eLf -e aux x axuw 'ax -o pid,user,ppid,pgid,sid,nlwp,lwp,psr,args' '-eo pid,user=WHO,comm=,args'; do
    [ "$(columns $options)" = "$(ps -q "$pid" $options 2>/dev/null | head -1 | tr -s ' ' | sed 's/^ //; s/ $//')" ] || { echo "$options"; columns $options; return 1; }
  done
}

@test "top draws a forest, names columns anew, and leaves a header out" {
  brig run -d --name web busybox sh -c 'sh -c "sleep 1001; :" & sleep 1002; :'
  wait_until bash -c '[[ $(brig top web | grep -c "sleep 100[12]$") -eq 2 ]]'
  local options
  for options in faux auxf 'aux --forest' '-ef --forest' axf; do
    run brig top web $options
    [[ $output == *' \_ sh -c sleep 1001; :'*' |   \_ sleep 1001'*' \_ sleep 1002'* ]]
  done
  run brig top web -eo pid,ppid=PARENT,comm=NAME
  [[ ${lines[0]} =~ ^PID\ +PARENT\ +NAME$ && ${lines[1]} =~ ^$(pid_of web)\ +[0-9]+\ +sh$ ]]
  [[ $(api GET '/containers/web/top?ps_args=-o%20pid%3D,comm%3D') == '{"Processes":[["'$(pid_of web)'","sh"],'*'"Titles":["",""]}'* ]]
}

@test "top tells the threads" {
  [[ -x /usr/bin/python3 && -d /lib64 ]] || skip "no python3 of the host's to run in a container"
  brig run -d --name web -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro busybox /usr/bin/python3 -c 'import threading as t; t.Thread(target=t.Event().wait).start()'
  two() { [[ $(brig top web -eL | wc -l) -eq 3 ]]; }
  wait_until two
  local pid; pid=$(pid_of web)
  run brig top web -eLo pid,lwp,nlwp,comm
  [[ ${lines[1]} =~ ^$pid\ +$pid\ +2\ +python ]]
  [[ ${lines[2]} =~ ^$pid\ +([0-9]+)\ +2\ +python && ${BASH_REMATCH[1]} -gt $pid ]]
}

@test "top refuses by name what it does not know" {
  brig run -d --name web busybox sleep 1000
  refused() { run brig top web "${@:2}"; [[ $status -eq 1 && $output == *"$1"* ]] || { echo "$output"; return 1; }; }
  refused "ps's option '-Z' (of '-efZ') is not supported" -efZ
  refused "ps's option 'e' (of 'auxe') is not supported" auxe
  refused "ps's option '--sort=pid' is not supported" --sort=pid
  refused "ps's option '-u' (of '-u') is not supported" -u root
  refused "ps's column 'nonsense' is not supported" -eo pid,nonsense
  refused "ps's option '-o' wants a list of columns" -eo
  refused 'conflicting format options' aux -o pid
  refused "Couldn't find PID field in ps output" -eo comm
}

@test "docker's client has top with its options" {
  command -v docker >/dev/null || skip "no docker client on this machine"
  brig run -d --name web busybox sleep 1000
  run docker top web -eo pid,comm
  [[ ${lines[0]} =~ ^PID\ +COMMAND$ && ${lines[1]} =~ ^$(pid_of web)\ +sleep$ ]]
  run docker top web faux
  [[ ${lines[1]} == *'sleep 1000' ]]
}

@test "a network with slashes in its name is inspected, connected to and removed by it" {
  command -v docker >/dev/null || skip "no docker client on this machine"
  local id; id=$(docker network create a/b)
  [ "$(docker network inspect -f '{{.Id}} {{.Name}}' a/b)" = "$id a/b" ]
  brig run -d --name web busybox httpd -f -h /www
  docker network connect --alias www a/b web
  [ "$(docker inspect -f '{{json .NetworkSettings.Networks}}' web | grep -c '"a/b":')" = 1 ]
  [ "$(docker run --rm --network a/b busybox wget -qO- http://www/)" = 'hello from a container' ]
  docker network disconnect a/b web
  [[ $(docker inspect -f '{{json .NetworkSettings.Networks}}' web) != *'a/b'* ]]
  [ "$(api GET /networks/a%2Fb -o /dev/null)" = 200 ]
  [ "$(docker network rm a/b)" = a/b ]
  [ "$(api GET /networks/a%2Fb)" = '{"message":"network a/b not found"}'$'\n404' ]
}

@test "a network's name is no path" {
  local before; before=$(cd "$root" && find . -path ./data/image -prune -o -type d -print | sort)
  [ "$(api POST /networks/create -d '{"Name": "../../x"}' -o /dev/null)" = 201 ]
  brig run --rm --network ../../x busybox true
  [ "$(brig network inspect -f '{{.Name}}' ../../x)" = ../../x ]
  brig network rm ../../x
  [ ! -e "$root/x" ]
  [ "$before" = "$(cd "$root" && find . -path ./data/image -prune -o -type d -print | sort)" ]
}

@test "create refuses ports that cannot be published, and makes nothing" {
  # bound BINDINGS MESSAGE
  bound() {
    local answer; answer=$(api POST '/containers/create?name=never' -d '{"Image": "busybox", "HostConfig": {"PortBindings": '"$1"'}}')
    [ "$answer" = '{"message":"'"$2"'"}'$'\n400' ] || { echo "$answer"; return 1; }
  }
  bound '{"80/tcp": [{"HostPort": "x"}]}' 'invalid port specification: \"x\"'
  bound '{"80/tcp": [{"HostPort": "90-80"}]}' 'invalid port specification: \"90-80\"'
  bound '{"80/tcp": [{"HostPort": "65536"}]}' 'invalid port specification: \"65536\"'
  bound '{"x/tcp": [{"HostPort": "80"}]}' 'invalid port specification: \"x\"'
  bound '{"x/tcp": null}' 'invalid port specification: \"x\"'
  bound '{"80/foo": [{"HostPort": "80"}]}' 'invalid proto: foo'
  bound '{"80/tcp": [{"HostIp": "foo", "HostPort": "80"}]}' 'invalid IP address: foo'
  [ -z "$(brig ps -aq)" ]
  local answer; answer=$(api POST /containers/create -d '{"Image": "busybox", "HostConfig": {"PortBindings": {"80": [{"HostPort": ""}], "81/udp": [{"HostIp": "127.0.0.1", "HostPort": "8000-8002"}], "82/tcp": null, "83/TCP": [{}]}}}')
  [[ $answer == *201 ]]
  brig start "$(brig ps -aq)"
}

@test "a file of 1970 has its time" {
  brig run --name web busybox touch -d '1970-01-01 00:00:00' /old
  local stat; stat=$(api HEAD '/containers/web/archive?path=/old' -I | tr -d '\r' | sed -n 's/^X-Docker-Container-Path-Stat: //p' | base64 -d)
  [[ $stat == *'"mtime":"1970-01-01T00:00:00Z"'* ]]
}

@test "info's ID is the engine's own, and is kept" {
  local id; id=$(brig info --format '{{.ID}}')
  [[ $id =~ ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]]
  [ "$(stat -c %a "$root/data/engine-id")" = 600 ]
  stop_daemon
  start_daemon
  [ "$(brig info --format '{{.ID}}')" = "$id" ]
  stop_daemon
  echo damaged >"$root/data/engine-id"
  start_daemon
  run brig info --format '{{.ID}}'
  [[ $output =~ ^[0-9a-f-]{36}$ && $output != "$id" ]]
  [ "$output" = "$(cat "$root/data/engine-id")" ]
}
