#!/usr/bin/env bats
# --link: on the default bridge hosts file and environment, on other networks a name of one's own.

load one-daemon

teardown() {
  local ids
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
  for name in $(brig network ls --filter type=custom --format '{{.Name}}'); do brig network rm "$name" >/dev/null; done
}

@test "on the default bridge: hosts and environment, in Docker's words" {
  brig run -d --name my-db --hostname box -e PASSWORD=secret -e HOME=/x --expose 5432 --expose 5433 --expose 53/udp busybox httpd -f -h /www
  address=$(brig inspect -f '{{.NetworkSettings.IPAddress}}' my-db)
  brig run -d --name app --link my-db:the-db busybox sleep 1000
  run brig exec app cat /etc/hosts
  [[ $output == *"$address"$'\tthe-db box my-db'* ]]
  run brig exec app wget -qO- http://the-db/
  [ "$output" = "hello from a container" ]
  run brig exec app sh -c 'env | grep ^THE_DB | sort'
  [ "$output" = "THE_DB_ENV_PASSWORD=secret
THE_DB_NAME=/app/the-db
THE_DB_PORT=tcp://$address:5432
THE_DB_PORT_53_UDP=udp://$address:53
THE_DB_PORT_53_UDP_ADDR=$address
THE_DB_PORT_53_UDP_PORT=53
THE_DB_PORT_53_UDP_PROTO=udp
THE_DB_PORT_5432_TCP=tcp://$address:5432
THE_DB_PORT_5432_TCP_ADDR=$address
THE_DB_PORT_5432_TCP_END=tcp://$address:5433
THE_DB_PORT_5432_TCP_PORT=5432
THE_DB_PORT_5432_TCP_PORT_END=5433
THE_DB_PORT_5432_TCP_PORT_START=5432
THE_DB_PORT_5432_TCP_PROTO=tcp
THE_DB_PORT_5432_TCP_START=tcp://$address:5432
THE_DB_PORT_5433_TCP=tcp://$address:5433
THE_DB_PORT_5433_TCP_ADDR=$address
THE_DB_PORT_5433_TCP_PORT=5433
THE_DB_PORT_5433_TCP_PROTO=tcp" ]
  run brig inspect -f '{{json .HostConfig.Links}}' app
  [ "$output" = '["/my-db:/app/the-db"]' ]
  brig rename my-db other
  run brig inspect -f '{{json .HostConfig.Links}}' app
  [ "$output" = '["/other:/app/the-db"]' ]
}

@test "rm --link takes one link off; its hosts line goes at once, and neither comes back with the next daemon" {
  brig run -d --name db busybox sleep 1000
  brig run -d --name app --link db:one --link db:two busybox sleep 1000
  run brig rm app/one; echo "$output"
  [[ $status -eq 1 && $output == *'No such container: app/one'* ]]
  brig rm --link app/one
  run brig exec app cat /etc/hosts
  [[ $output != *one* && $output == *two* ]]
  [ "$(brig inspect -f '{{json .HostConfig.Links}}' app)" = '["/db:/app/two"]' ]
  run brig rm --link app/one
  [[ $output == *'No such container: app/one'* ]]
  run brig rm --link app
  [[ $output == *'cannot remove the default link name'* ]]
  kill_daemon
  start_daemon
  [ "$(brig inspect -f '{{json .HostConfig.Links}}' app)" = '["/db:/app/two"]' ]
}

@test "a linked container that comes back at another address is found again" {
  brig run -d --name db busybox httpd -f -h /www
  brig run -d --name app --link db busybox sleep 1000
  before=$(brig inspect -f '{{.NetworkSettings.IPAddress}}' db)
  brig stop -t 0 db
  brig run -d --name squatter busybox sleep 1000 # the address rests, and the next one is another's
  brig start db
  after=$(brig inspect -f '{{.NetworkSettings.IPAddress}}' db)
  [ "$before" != "$after" ]
  wait_until bash -c "brig exec app grep -q '^$after' /etc/hosts"
  run brig exec app wget -qO- http://db/
  [ "$output" = "hello from a container" ]
}

@test "what cannot be linked is refused" {
  run brig run --rm --link nowhere busybox true
  [ "$status" -eq 125 ]
  [[ $output == *'could not get container for nowhere: No such container: nowhere'* ]]
  brig create --name idle busybox true
  run brig run --rm --name app --link idle:x busybox true
  [ "$status" -eq 125 ]
  [[ $output == *'Cannot link to a non running container: /idle AS /app/x'* ]]
  run brig run --rm --network host --link idle busybox true
  [ "$status" -eq 125 ]
  [[ $output == *"conflicting options: host type networking can't be used with links"* ]]
  run brig run --rm --link :x busybox true
  [ "$status" -eq 125 ]
  [[ $output == *'bad format for links: :x'* ]]
}

@test "on a network of one's own a link is a name that its container alone knows" {
  brig network create mine >/dev/null
  brig run -d --name web --network mine busybox httpd -f -h /www
  run brig run --rm --network mine --link web:front busybox wget -qO- http://front/
  [ "$output" = "hello from a container" ]
  run brig run --rm --network mine busybox nslookup front
  [ "$status" -ne 0 ]
  brig run -d --name late busybox sleep 1000
  brig network connect --link web:back mine late
  run brig exec late wget -qO- http://back/
  [ "$output" = "hello from a container" ]
  run brig inspect -f '{{json .NetworkSettings.Networks.mine.Links}}' late
  [ "$output" = '["web:back"]' ]
}

# As after a boot: nothing runs, and what has a restart policy is started.
@test "a linked container that its policy starts waits for the one that it is linked to" {
  local pids
  brig run -d --name db --restart always busybox httpd -f -h /www
  brig run -d --name app --restart always --link db busybox sleep 1000
  pids=$(brig inspect -f '{{.State.Pid}}' db app)
  kill_daemon
  kill -KILL $pids
  start_daemon
  wait_until bash -c '[[ $(brig inspect -f "{{.State.Running}} {{.State.Restarting}}" db app | xargs) == "true false true false" ]]'
  run brig exec app wget -qO- http://db/
  [ "$output" = "hello from a container" ]
}
