#!/usr/bin/env bats
# What nothing uses goes and the rest stays: prunes and system df, by brig and by the unmodified docker client.

load one-daemon

teardown() {
  local ids
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
  brig volume prune -af >/dev/null
  brig network prune -f >/dev/null
  brig images -q | xargs -r brig rmi -f >/dev/null
  brig builder prune -af >/dev/null
  load_busybox
}

# asked PATH [VERSION]: the answer to GET PATH.
asked() { curl -s --unix-socket "$root/brig.sock" "http://d/v${2:-1.44}$1"; }
posted() { curl -s -X POST --unix-socket "$root/brig.sock" "http://d/v${2:-1.44}$1"; }
# Two images upon busybox, `one` of another layer, `two` of one megabyte more.
build_two() {
  printf 'FROM busybox\nRUN echo 1 >/1\n' | brig build -q -t one - >/dev/null
  printf 'FROM busybox\nRUN dd if=/dev/urandom of=/2 bs=1M count=1 2>&1\n' | brig build -q -t two - >/dev/null
}

@test "containers: those that run, also paused, stay; the others go and their space is told" {
  brig run -d --name runs busybox sleep 1000
  brig run -d --name paused busybox sleep 1000
  brig pause paused
  stopped=$(brig run -d --name stopped busybox sh -c 'dd if=/dev/zero of=/big bs=1000 count=2000 2>&1')
  brig wait stopped
  created=$(brig create --name created busybox)
  run brig container prune -f
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = 'Deleted Containers:' ]
  [ "$(sort <<<"${lines[1]}"$'\n'"${lines[2]}")" = "$(sort <<<"$stopped"$'\n'"$created")" ]
  [ "${lines[3]}" = 'Total reclaimed space: 2MB' ]
  [ "$(brig ps -a --format '{{.Names}}' | sort | xargs)" = 'paused runs' ]
  [ "$(brig container prune -f)" = 'Total reclaimed space: 0B' ]
  brig unpause paused
}

@test "containers: label, label! and until" {
  for name in aa bb cc; do brig create --name $name --label "name=$name" busybox; done
  brig container prune -f --filter until=1h
  [ "$(brig ps -aq | wc -l)" -eq 3 ]
  brig container prune -f --filter label=name=aa
  [ "$(brig ps -a --format '{{.Names}}' | sort | xargs)" = 'bb cc' ]
  brig container prune -f --filter label!=name=cc
  [ "$(brig ps -a --format '{{.Names}}')" = cc ]
  docker container prune -f --filter "until=$(date +%s)" --filter label=other
  [ "$(brig ps -aq | wc -l)" -eq 1 ]
  docker container prune -f --filter "until=$(date -d '+1 minute' +%Y-%m-%dT%H:%M:%S)"
  [ -z "$(brig ps -aq)" ]
}

@test "nothing goes before yes was said" {
  brig create --name kept busybox
  for answer in n '' no yes; do
    run brig container prune <<<"$answer"
    [ "$status" -eq 0 ]
    [ "$output" = $'WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] ' ]
  done
  run brig system prune </dev/null
  [ "$status" -eq 0 ]
  [[ $output == *'- all dangling images'*'- unused build cache'*'continue? [y/N] ' ]]
  [ "$(brig ps -aq | wc -l)" -eq 1 ]
  run brig container prune <<<Y
  [[ $output == *'continue? [y/N] Deleted Containers:'* ]]
  [ -z "$(brig ps -aq)" ]
}

@test "what is asked, what is printed and how it ends is the same as with docker" {
  brig create --name kept busybox
  for command in 'container prune' 'image prune' 'image prune -a' 'volume prune' 'volume prune -a' 'network prune' 'system prune' \
    'system prune -a --volumes' 'system prune --filter label=x --filter until=24h' 'volume prune -a --filter all=1' \
    'system prune --volumes --filter until=1h' 'container prune -f --filter nonsense=1' 'image prune -f --filter dangling=x' \
    'container prune -f --filter until=never' 'volume prune -f --filter until=1h' 'image prune -f' 'image prune -f --filter dangling=1' 'volume prune -f' 'network prune -f' \
    'system prune -f --filter label=nobody'; do
    run docker $command <<<n
    theirs=$status:$output
    run brig $command <<<n
    [ "$status:$output" = "$theirs" ] || { echo "$command: $status:$output"; echo "docker: $theirs"; return 1; }
  done
  [ "$(brig ps -aq | wc -l)" -eq 1 ]
}

@test "filters of config.json are heeded" {
  mkdir -p "$root/config"
  echo '{"pruneFilters":["label!=keep","label=drop"]}' >"$root/config/config.json"
  brig create --name keep --label keep --label drop busybox
  brig create --name drop --label drop busybox
  brig create --name other busybox
  brig --config "$root/config" container prune -f
  [ "$(brig ps -a --format '{{.Names}}' | sort | xargs)" = 'keep other' ]
  brig --config "$root/config" container prune -f --filter label=keep
  [ "$(brig ps -a --format '{{.Names}}' | sort | xargs)" = other ]
}

@test "images: without a name; with -a whatever no container uses" {
  image_of again 'echo 1 >one'
  old=$(brig image inspect -f '{{.Id}}' again)
  image_of again 'echo 2 >two'
  brig create --name user busybox
  brig tag busybox second:name
  run docker image prune -f
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = 'Deleted Images:' ]
  [ "${lines[1]}" = "deleted: $old" ]
  [[ $output == *'Total reclaimed space: '[1-9]* ]]
  brig image inspect again
  run brig image prune -a -f
  [[ $output == *'untagged: again:latest'*'deleted: sha256:'*'Total reclaimed space: '[1-9]* ]]
  [ "$(brig images --format '{{.Repository}}' | sort | xargs)" = 'busybox second' ]
  brig rm user
  brig image prune -a -f
  [ -z "$(brig images -q)" ]
}

@test "images: label and until" {
  printf 'FROM busybox\nLABEL a=1\n' | brig build -q -t labelled - >/dev/null
  brig create --name user busybox
  brig image prune -af --filter until=1h
  brig image prune -af --filter label=a=2
  brig image prune -af --filter label!=a
  brig image inspect labelled >/dev/null
  run brig image prune -af --filter label=a=1
  [[ $output == *'untagged: labelled:latest'* ]]
}

@test "volumes: anonymous ones; with -a, and for clients before API 1.42, all; never those in use" {
  brig volume create named
  brig volume create --label a=1 labelled
  nameless=$(brig volume create)
  brig create --name user -v used:/u -v /anonymous busybox
  brig run --name gone -v /x busybox sh -c 'dd if=/dev/zero of=/x/big bs=1000 count=3000 2>&1'
  brig rm gone
  run docker volume prune -f
  [ "$status" -eq 0 ]
  [[ $output == 'Deleted Volumes:'*"$nameless"*'Total reclaimed space: 3MB' ]]
  [ "$(brig volume ls -q | wc -l)" -eq 4 ]
  brig volume prune -af --filter label!=a=1
  [ "$(brig volume ls -q | grep -xE 'named|labelled|used' | xargs)" = 'labelled used' ]
  posted '/volumes/prune' 1.41 | jq -e '.VolumesDeleted == ["labelled"]'
  [ "$(brig volume ls -q | wc -l)" -eq 2 ]
  brig start user && brig volume prune -af
  [ "$(brig volume ls -q | wc -l)" -eq 2 ]
}

@test "networks: one with a running container stays, and those that are always there" {
  brig network create used
  brig network create --label x free
  brig network create other
  brig run -d --name user --network used busybox sleep 1000
  brig network prune -f --filter until=1h
  [ "$(brig network ls -q | wc -l)" -eq 6 ]
  run docker network prune -f --filter label=x
  [ "$output" = $'Deleted Networks:\nfree' ]
  run brig network prune -f
  [ "$output" = $'Deleted Networks:\nother' ]
  [ "$(brig network ls --format '{{.Name}}' | sort | xargs)" = 'bridge host none used' ]
}

@test "system prune: all of it at once, also the build cache; volumes where they are asked for" {
  build_two
  brig network create alone
  brig run --name gone -v /x -v named:/n busybox true
  brig run -d --name runs busybox sleep 1000
  run docker system prune -f
  [ "$status" -eq 0 ]
  [[ $output == 'Deleted Containers:'*'Deleted Networks:'*alone*'Total reclaimed space: '* && $output != *'Deleted Volumes'* ]]
  [ "$(brig images -q | wc -l)" -eq 3 ]
  run brig system prune -a -f --volumes
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == 'Deleted Volumes:'*'Deleted Images:'*'untagged: two:latest'*'Deleted build cache objects:'*'Total reclaimed space: 1'*MB ]]
  [ "$(brig images --format '{{.Repository}}')" = busybox ]
  [ "$(brig volume ls -q)" = named ]
  [ "$(asked /system/df | jq '.BuildCache | length')" -eq 0 ]
  [ "$(asked /system/df | jq .LayersSize)" -eq "$(brig image inspect -f '{{.Size}}' busybox)" ]
  [ "$(brig ps --format '{{.Names}}')" = runs ]
}

@test "a filter by label leaves the build cache, which has none; until and unused-for spare what is younger" {
  build_two
  before=$(asked /system/df | jq '.BuildCache | length')
  [ "$before" -ge 2 ]
  docker system prune -af --filter label=x
  posted '/build/prune?all=1&filters=%7B%22unused-for%22:%5B%221h%22%5D%7D' | jq -e '.CachesDeleted == null'
  docker builder prune -af --filter until=1h
  [ "$(asked /system/df | jq '.BuildCache | length')" -eq "$before" ]
}

@test "the build cache that an image shares stays without -a; that of a removed image goes" {
  build_two
  docker builder prune -f
  [ "$(asked /system/df | jq '[.BuildCache[].Shared] == [true, true]')" = true ]
  brig rmi two
  [ "$(asked /system/df | jq '[.BuildCache[] | .Shared] | sort == [false, true]')" = true ]
  run docker builder prune -f
  [[ $output == *'Total reclaimed'*1.049MB ]]
  [ "$(asked /system/df | jq '.BuildCache | length')" -eq 1 ]
}

@test "system df: each layer once, who shares what, who uses what" {
  build_two
  brig run --name user -v data:/d one sh -c 'dd if=/dev/zero of=/d/x bs=1000 count=5 2>&1; dd if=/dev/zero of=/y bs=1000 count=7 2>&1'
  brig volume create free
  asked /system/df >"$root/df.json"
  asked '/images/json?shared-size=1' >"$root/images.json"
  base=$(brig image inspect -f '{{.Size}}' busybox)
  jq -e --argjson base "$base" '[.Images[] | select(.RepoTags[0] | test("^(one|two)")) | .SharedSize] == [$base, $base]' "$root/df.json"
  jq -e --argjson base "$base" '.LayersSize > $base + 1048576 and .LayersSize < 2 * $base' "$root/df.json"
  jq -e '[.Images[] | {(.RepoTags[0]): .Containers}] | add == {"busybox:latest": 0, "one:latest": 1, "two:latest": 0}' "$root/df.json"
  jq -e '[.Containers[].SizeRw] == [7000]' "$root/df.json"
  jq -e '[.Volumes[] | [.Name, .UsageData.RefCount, .UsageData.Size]] == [["data", 1, 5000], ["free", 0, 0]]' "$root/df.json"
  jq -e --slurpfile df "$root/df.json" '[.[] | .SharedSize] == [$df[0].Images[] | .SharedSize] and all(.[]; .Containers == -1)' "$root/images.json"
  asked /images/json | jq -e 'all(.[]; .SharedSize == -1)'
  asked '/system/df?type=volume&type=image' | jq -e '(.Volumes | length) == 2 and (.Images | length) == 3 and .Containers == null and .BuildCache == null'
  asked '/system/df?type=container' | jq -e '.LayersSize == 0 and .Images == null'
  asked '/system/df?type=nonsense' | jq -e '.message == "unknown object type: nonsense"'
}

@test "docker system df, also -v, tells what brig's does" {
  build_two
  brig run --name user -v data:/d one sh -c 'dd if=/dev/zero of=/d/x bs=1000 count=5 2>&1'
  run docker system df
  [ "$status" -eq 0 ]
  [[ ${lines[1]} =~ ^Images\ +3\ +1\  ]]
  [[ ${lines[2]} =~ ^Containers\ +1\ +0\  ]]
  [[ ${lines[3]} =~ ^Local\ Volumes\ +1\ +1\ +5kB\ +0B ]]
  [[ ${lines[4]} =~ ^Build\ Cache\ +[1-9] ]]
  [ "$output" = "$(brig system df)" ]
  run docker system df -v
  [ "$status" -eq 0 ]
  echo "$output"
  [[ $output == *'Images space usage:'*two*one*busybox*'Containers space usage:'*user*'Local Volumes space usage:'*data*1*5kB*'Build cache usage:'* ]]
}

@test "prunes are told in the events" {
  begin=$(date +%s)
  brig create --name gone busybox
  brig system prune -f >/dev/null
  brig volume prune -f >/dev/null
  events=$(brig events --since "$begin" --until "$(($(date +%s) + 1))" --filter event=prune --format '{{.Type}} {{.Action}} {{json .Actor.Attributes}}')
  for type in container image network volume; do
    grep -qE "^$type prune \{\"reclaimed\":\"[0-9]+\"\}$" <<<"$events"
  done
}

used_at() { brig image inspect -f '{{.Metadata.LastUsedTime}}' "$1"; }
is_gone() { [[ $(brig image inspect "$1" 2>&1) == *"No such image: $1"* ]]; }
# settings JSON: the daemon's, from now on.
settings() {
  local before
  before=$(grep -c 'settings were' "$root/brigd.log" || :)
  echo "$1" >"$root/daemon.json"
  kill -HUP "$(cat "$root/brigd.pid")"
  wait_until eval '[[ $(grep -c "settings were" "$root/brigd.log" || :) -gt '"$before"' ]]'
}

@test "image-gc: off by default; above its size what was used longest ago goes; then what is unused for long; never what a container has" {
  build_two
  echo '{}' >"$root/daemon.json"
  stop_daemon
  start_daemon --config-file "$root/daemon.json"
  before=$(used_at one)
  brig create --name short one >/dev/null
  [[ $(used_at one) > $before ]]
  between=$(used_at one)
  brig rm short >/dev/null
  [[ $(used_at one) > $between && $(used_at one) > $(used_at two) ]]
  # As a mount, too, until that is taken away, or goes with its container.
  brig create --name mounts --mount type=image,src=one,dst=/one busybox >/dev/null
  between=$(used_at one)
  brig update --mount-rm /one mounts >/dev/null
  [[ $(used_at one) > $between ]]
  brig update --mount-add type=image,src=one,dst=/one mounts >/dev/null
  between=$(used_at one)
  brig rm mounts >/dev/null
  [[ $(used_at one) > $between ]]
  brig create --name user busybox >/dev/null
  kill_daemon
  start_daemon --config-file "$root/daemon.json"
  [[ $(used_at one) > $(used_at two) ]]
  run -0 brig image prune -af --filter unused-for=24h
  [ "$output" = 'Total reclaimed space: 0B' ]
  run brig image prune -af --filter unused-for=long
  [[ $status -ne 0 && $output == *"invalid filter 'unused-for=long'"* ]]
  # Without `two`, which has a megabyte more and was used before `one`, it is enough.
  since=$(date +%s.%N)
  settings '{"image-gc": {"max-size": "'"$(($(asked /system/df | jq .LayersSize) - 500000))"'", "min-age": "0s"}}'
  wait_until grep -q 'image-gc: image sha256:.*two:latest.* was removed: images take' "$root/brigd.log" # told after all else
  is_gone two
  [ "$(brig events --since "$since" --until "$(date +%s.%N)" --filter type=image --format '{{.Action}}' | xargs)" = 'untag delete' ]
  brig image inspect one busybox >/dev/null
  settings '{"image-gc": {"unused-for": "1ms"}}'
  wait_until is_gone one
  brig image inspect busybox >/dev/null
  settings '{"image-gc": {"unused-for": "soon"}}'
  grep -q 'nothing changes: invalid image-gc.unused-for "soon": give a duration, as 720h or 30m' "$root/brigd.log"
  brig rm user >/dev/null # the last who used it, just now
  settings '{"image-gc": {"unused-for": "1us"}}'
  wait_until is_gone busybox
  settings '{}'
  load_busybox
  brig image inspect busybox >/dev/null
}

# rows FORMAT FLAG...: of system check.
rows() { local format=$1; shift; brig system check "$@" --format "$format" | sort; }

@test "system check: what nobody knows is found and freed, what is used or being made is not; the exit code says so" {
  brig volume create kept >/dev/null
  brig run -d --name web -v kept:/data busybox sleep 1000
  run brig system check
  [ "$output" = 'All is as recorded.' ] || { echo "$output"; return 1; }
  [ "$status" -eq 0 ]

  stop_daemon
  ghost=$(printf 'a%.0s' {1..64})
  mkdir -p "$root/data/volumes/old/_data"
  echo data >"$root/data/volumes/old/_data/file"
  start_daemon
  # What came while the daemon ran, and no start has seen.
  mkdir -p "$root/data/containers/$ghost/upper" "$root/run/containers/$ghost"
  echo 12345 >"$root/data/containers/$ghost/upper/file"
  on_host ip link add vethghost type veth peer name vethother
  on_host ip link set vethghost alias "brig $ghost"
  on_host mkdir -p "$root/data/containers/$ghost/mnt"
  on_host mount -t tmpfs ghost "$root/data/containers/$ghost/mnt"
  parents=(/sys/fs/cgroup/*/brig-test-"$host_pid" /sys/fs/cgroup/brig-test-"$host_pid")
  for parent in "${parents[@]}"; do [[ ! -d $parent ]] || mkdir -p "$parent/$ghost"; done
  rm -r "$root/data/volumes/kept"

  expected="container-directory $ghost
control-group $ghost
link vethghost
mount $root/data/containers/$ghost/mnt
run-directory $ghost
volume kept
volume-directory old"
  [ "$(rows '{{.Kind}} {{.Name}}' --no-trunc)" = "$expected" ] || { rows '{{.Kind}} {{.Name}}' --no-trunc; return 1; }
  run brig system check --quick
  [ "$status" -eq 1 ]
  [[ ${lines[0]} == 'KIND '*'NAME '*'SIZE '*'PROBLEM '*'REMEDY'* ]]
  # What becomes a volume again frees nothing.
  [[ $output == *'7 found, 6B can be freed with --repair'* ]] || { echo "$output"; return 1; }
  [ -e "$root/data/containers/$ghost" ]

  run brig system check --repair
  [ "$status" -eq 1 ] # what is gone nobody can bring back
  [[ $output == *'7 found, 6 repaired'* ]] || { echo "$output"; return 1; }
  [ ! -e "$root/data/containers/$ghost" ]
  [ ! -e "$root/run/containers/$ghost" ]
  no on_host ip link show vethghost
  no on_host grep -q "$ghost" /proc/self/mountinfo
  [ -z "$(find /sys/fs/cgroup -maxdepth 3 -path "*/brig-test-$host_pid/$ghost")" ]
  [ "$(brig run --rm -v old:/old busybox cat /old/file)" = data ]
  [ "$(rows '{{.Kind}} {{.Name}}')" = 'volume kept' ]
  [ "$(brig inspect -f '{{.State.Running}}' web)" = true ]
  brig rm -f web
  brig volume rm kept old
  brig system check
}

@test "system check: blobs that are not what they are called, and what is gone, name the images" {
  brig create --name web busybox
  blob=$(find "$root/data/image/blobs/sha256" -type f -size +100k | head -1)
  cp "$blob" "$root/saved"
  printf X | dd of="$blob" conv=notrunc bs=1 seek=5000 2>/dev/null
  run brig system check
  [[ $status -eq 1 && $output == *'its content is not what its digest says'*'remove docker.io/library/busybox:latest and pull, load or build it again'* ]]
  brig system check --quick
  rm "$blob"
  run brig system check --quick
  [[ $status -eq 1 && $output == *'it is gone'* ]]
  cp "$root/saved" "$blob"
  brig rm web
  rm -r "$root"/data/image/snapshots/*/fs
  run brig system check --format '{{.Kind}} {{.Problem}}'
  [[ $status -eq 1 && $output == 'layer its files are gone'* ]]
  brig system check --repair
  [ "$(brig run --rm busybox echo whole)" = whole ]
  brig system check
}
