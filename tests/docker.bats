#!/usr/bin/env bats
# The unmodified docker client against brigd: the main job, with an image from a registry.

setup_file() {
  load lib
  make_host
  start_daemon
  start_registry 5000
  push_busybox busybox:latest
  export root host_pid daemon_pid registry_pid registry_port
}

teardown_file() {
  load lib
  stop_registry
  end_host
}

setup() {
  load lib
  command -v docker >/dev/null || skip "no docker client on this machine"
  image=127.0.0.1:5000/busybox
}

teardown() {
  local ids
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
}

@test "docker pulls from a registry" {
  run docker pull $image
  [ "$status" -eq 0 ]
  [[ $output == *'Status: Downloaded newer image for 127.0.0.1:5000/busybox:latest'* ]]
  run docker pull $image
  [[ $output == *'Image is up to date'* ]]
  run docker images --format '{{.Repository}}:{{.Tag}}' $image
  [ "$output" = "$image:latest" ]
}

@test "docker pulls what is not there: Docker's error" {
  run docker pull 127.0.0.1:5000/nothing
  [ "$status" -eq 1 ]
  [[ $output == *'not found'* ]]
}

@test "docker run, with and without --rm, and its exit codes" {
  run docker run --rm $image echo hi
  [ "$status" -eq 0 ]
  [ "$output" = hi ]
  run docker run --rm $image sh -c 'exit 42'
  [ "$status" -eq 42 ]
  run docker run --rm $image nope
  [ "$status" -eq 127 ]
}

@test "docker run -it under a terminal, with resize" {
  run expect -c 'set timeout 20
    spawn docker run --rm -it 127.0.0.1:5000/busybox sh
    expect "#"
    stty rows 31 columns 71 < $spawn_out(slave,name)
    send "until stty size | grep -q 31.71; do true; done; stty size\r"
    set seen 0
    for {set i 0} {!$seen && $i < 20} {incr i} {
      exec kill -WINCH [exp_pid]; # lost, where the client does not listen yet
      expect -timeout 1 "31 71" { set seen 1 } timeout {}
    }
    if {!$seen} { exec kill -KILL [exp_pid]; exit 9 }
    send "exit 6\r"
    expect eof {} timeout { exec kill -KILL [exp_pid]; exit 10 }
    exit [lindex [wait] 3]'
  [ "$status" -eq 6 ]
}

@test "docker run -d -p answers; exec, logs -f, ps, inspect, stop, rm" {
  docker run -d --name web -p 18080:80 $image sh -c 'echo serving; exec httpd -f -h /www'
  run on_host curl -s --max-time 5 http://127.0.0.1:18080/
  [ "$output" = "hello from a container" ]
  run docker exec web cat /www/index.html
  [ "$output" = "hello from a container" ]
  run docker exec -w /www -u web -e X=1 web sh -c 'pwd; id -u; echo $X'
  [ "$output" = $'/www\n1000\n1' ]
  run docker ps --format '{{.Names}} {{.Ports}}'
  [ "$output" = "web 0.0.0.0:18080->80/tcp" ]
  run docker inspect -f '{{.State.Status}} {{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' web
  [ "$output" = "running 18080" ]
  docker stop -t 2 web
  run timeout 10 docker logs -f web
  [ "$output" = serving ]
  run docker ps -a --filter status=exited --format '{{.Names}}'
  [ "$output" = web ]
  run docker rm -f web
  [ "$output" = web ]
}

@test "docker network and volume commands" {
  docker network create --subnet 10.66.0.0/24 dnet
  run docker run --rm --network dnet --name alone $image ip -4 -o addr show eth0
  [[ $output == *10.66.0.2/24* ]]
  docker network rm dnet
  docker volume create dvol
  docker run --rm -v dvol:/d $image sh -c 'echo 1 >/d/f'
  run docker run --rm -v dvol:/d $image cat /d/f
  [ "$output" = 1 ]
  docker volume rm dvol
}

@test "docker info, version, events, system calls of a daemon outside a swarm" {
  run docker version --format '{{.Server.APIVersion}}'
  [ "$output" = 1.51 ]
  run docker info --format '{{.Swarm.LocalNodeState}} {{.Driver}}'
  [[ $output == inactive* ]]
  run docker node ls
  [ "$status" -eq 1 ]
  [[ $output == *'not a swarm manager'* ]]
}

@test "a real Debian image loads, runs apt-get, a shell and a service" {
  debian=$suite/debian.tar
  [[ -e $debian ]] || mmdebstrap --quiet --variant=minbase bookworm "$debian" >"$root/mmdebstrap.log" 2>&1
  docker import "$debian" debian:test
  run docker run --rm debian:test apt-get --version
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == 'apt 2.'* ]]
  run docker run --rm -i debian:test bash -c 'echo $BASH_VERSION; cat /etc/debian_version'
  [[ ${lines[1]} == 12.* ]]
  docker run -d --name perl debian:test perl -MIO::Socket::INET -e \
    '$s=IO::Socket::INET->new(Listen=>5,LocalPort=>80,ReuseAddr=>1) or die; while($c=$s->accept){print $c "HTTP/1.0 200 OK\r\n\r\nperl\n"; close $c}'
  address=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' perl)
  wait_until bash -c "nsenter -t $host_pid -n curl -s --max-time 2 http://$address/ | grep -q perl"
}

@test "fifty containers start at once and all answer" {
  docker image inspect $image >/dev/null || docker pull -q $image
  for i in $(seq 50); do docker run -d --name many$i -p $((20000 + i)):80 $image httpd -f -h /www >/dev/null 2>"$root/many$i" & done
  wait
  for i in $(seq 50); do
    run on_host curl -s --retry 5 --retry-connrefused --max-time 10 http://127.0.0.1:$((20000 + i))/
    [ "$output" = "hello from a container" ]
  done
}

@test "a thousand containers created, started and removed leave nothing" {
  run python3 "$top/tests/thousand.py" "$root/brig.sock" $image 1000
  echo "$output"
  [ "$status" -eq 0 ]
  leftovers "$root"
}

@test "docker run --health-…: the states, ps, events, --no-healthcheck" {
  docker pull -q $image
  docker run -d --name web --health-cmd 'test -e /up' --health-interval 1h --health-timeout 5s --health-retries 1 --health-start-period 1h \
    --health-start-interval 100ms $image sleep 1000
  [ "$(docker inspect -f '{{.Config.Healthcheck}}' web)" = '{[CMD-SHELL test -e /up] 1h0m0s 5s 1h0m0s 100ms 1}' ]
  [[ $(docker ps --format '{{.Status}}') == 'Up '*'(health: starting)' ]]
  docker exec web touch /up
  wait_until bash -c '[[ $(docker ps -q --filter health=healthy) ]]'
  # The state comes first, then the event.
  told() { docker events --since 1h --until 0s --filter event=health_status --format '{{.Action}} {{.Actor.Attributes.name}}' | grep -qx 'health_status: healthy web'; }
  wait_until told
  run docker run --rm --no-healthcheck $image echo fine
  [ "$output" = fine ]
}
