#!/usr/bin/env bats
# Limits: those of create and run in the group's files, and their change in a container that is there: all or nothing, recorded, kept
# over its restart and the daemon's; ports and mounts likewise. Both versions of the control groups; and where systemd makes scopes, which fake-systemd.py plays (the real
# one: tests/package/scopes). About 32 s.

load one-daemon

end_helpers() { [[ ! -e $root/systemd.pid ]] || kill "$(cat "$root/systemd.pid")" 2>/dev/null || :; }

before_test() {
  v2=
  [[ ! -e /sys/fs/cgroup/cgroup.controllers ]] || v2=yes
}

teardown() {
  local ids
  ids=$(brig ps -aq)
  [[ -z $ids ]] || brig rm -f $ids >/dev/null
}

# Where the test's groups are below a hierarchy: start_daemon's parent, by its driver.
parent() { if [[ ${BRIG_CGROUP_DRIVER:-} == systemd ]]; then echo "brigtest$host_pid.slice"; else echo "brig-test-$host_pid"; fi; }

# group_of CONTAINER: its group below that parent; in its scope, where systemd makes those.
group_of() {
  local id
  id=$(brig inspect -f '{{.Id}}' "$1")
  if [[ ${BRIG_CGROUP_DRIVER:-} == systemd ]]; then echo "brig-$id.scope/container"; else echo "$id"; fi
}

# file CONTAINER CONTROLLER FILE: of its group, which on version 2 has no controllers' directories.
file() {
  local directory=/sys/fs/cgroup
  [[ -n $v2 ]] || directory+=/$2
  cat "$directory/$(parent)/$(group_of "$1")/$3"
}

# either V1 V2: the text that is expected here.
either() { if [[ -n $v2 ]]; then echo "$2"; else echo "$1"; fi; }

memory() { either "$(file "$1" memory memory.limit_in_bytes 2>/dev/null)" "$(file "$1" memory memory.max 2>/dev/null)"; }
# Memory and swap together.
swap() { if [[ -n $v2 ]]; then echo $(($(file "$1" memory memory.max) + $(file "$1" memory memory.swap.max))); else file "$1" memory memory.memsw.limit_in_bytes; fi; }
shares() { either "$(file "$1" cpu cpu.shares 2>/dev/null)" "$(file "$1" cpu cpu.weight 2>/dev/null)"; }
quota() { if [[ -n $v2 ]]; then file "$1" cpu cpu.max; else echo "$(file "$1" cpu cpu.cfs_quota_us) $(file "$1" cpu cpu.cfs_period_us)"; fi; }
pids() { file "$1" pids pids.max; }
cpus() { file "$1" cpuset cpuset.cpus; }
host() { brig inspect -f "{{.HostConfig.$2}}" "$1"; }
update() { curl -s --unix-socket "$root/brig.sock" -X POST -H 'Content-Type: application/json' -d "$2" "http://d/containers/$1/update"; }
create() { curl -s --unix-socket "$root/brig.sock" -X POST -H 'Content-Type: application/json' -d "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"1000\"],\"HostConfig\":$2}" "http://d/v1.44/containers/create?name=$1"; }

@test "every limit of a container that runs, in its group at once and in the record" {
  brig run -d --name web -m 64m busybox sleep 1000
  run brig update -m 128m --memory-swap 256m --memory-reservation 32m --cpu-shares 512 --cpus 0.5 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 77 --blkio-weight 300 --restart on-failure:3 web
  [ "$status" -eq 0 ]
  [ "$output" = web ]
  [ "$(memory web)" = 134217728 ]
  [ "$(swap web)" = 268435456 ]
  [ "$(shares web)" = "$(either 512 20)" ]
  [ "$(quota web)" = '50000 100000' ]
  [ "$(cpus web)" = 0 ]
  [ "$(pids web)" = 77 ]
  same() { [ "$(brig inspect web | jq -c '.[0].HostConfig | [.Memory, .MemorySwap, .MemoryReservation, .CpuShares, .NanoCpus, .CpusetCpus, .CpusetMems, .PidsLimit, .BlkioWeight, .RestartPolicy]')" = \
    '[134217728,268435456,33554432,512,500000000,"0","0",77,300,{"Name":"on-failure","MaximumRetryCount":3}]' ]; }
  same
  [ "$(brig events --since 0 --until "$(date +%s.%N)" --filter event=update --format '{{.Actor.Attributes.name}}')" = web ]
  brig restart -t 0 web
  same
  [ "$(memory web) $(swap web) $(pids web) $(quota web)" = '134217728 268435456 77 50000 100000' ]
  kill_daemon
  start_daemon
  same
  [ "$(memory web) $(pids web)" = '134217728 77' ]
}

@test "one that does not run has them from its next start on; a limit of processes goes" {
  brig create --name cold --pids-limit 50 -c 100 busybox sleep 1000
  brig update --pids-limit -1 -m 32m --memory-swap -1 -c 200 --cpu-period 50000 --cpu-quota 25000 cold
  brig start cold
  [ "$(pids cold)" = max ]
  [ "$(memory cold)" = 33554432 ]
  [ "$(shares cold)" = "$(either 200 8)" ]
  [ "$(quota cold)" = '25000 50000' ]
  brig update --pids-limit 60 cold
  [ "$(pids cold)" = 60 ]
  brig update --pids-limit -1 cold
  [ "$(pids cold)" = max ]
  [ "$(host cold MemorySwap)" = -1 ]
}

@test "memory may go up and down together with swap, whichever the kernel wants first" {
  brig run -d --name web -m 64m busybox sleep 1000
  for size in 512 48 96 32; do
    brig update -m ${size}m --memory-swap $((2 * size))m web
    [ "$(memory web) $(swap web)" = "$((size * 1048576)) $((size * 2097152))" ]
  done
}

@test "what is refused, in Docker's words, leaves the record and the group as they were" {
  brig run -d --name web -m 64m --cpus 1 --pids-limit 50 busybox sleep 1000
  brig run -d --name free busybox sleep 1000
  brig create --rm --name once busybox sleep 1000
  id=$(brig inspect -f '{{.Id}}' web)
  before=$(brig inspect web | jq -c '.[0].HostConfig')
  refused() { # CONTAINER BODY WORDS
    run update "$1" "$2"
    [ "$(jq -r .message <<<"$output")" = "$3" ] || { echo "$2: $output"; return 1; }
  }
  refused web '{"Memory": 1000000, "PidsLimit": 7}' 'Minimum memory limit allowed is 6MB'
  refused web '{"Memory": 134217729, "PidsLimit": 7}' "Cannot update container $id: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
  refused web '{"Memory": 33554432, "MemorySwap": 16777216}' 'Minimum memoryswap limit should be larger than memory limit, see usage'
  refused web '{"MemorySwap": 16777216}' 'Minimum memoryswap limit should be larger than memory limit, see usage'
  refused web '{"MemoryReservation": 100}' 'Minimum memory reservation allowed is 6MB'
  refused web '{"MemoryReservation": 67108865}' 'Minimum memory limit can not be less than memory reservation limit, see usage'
  refused web '{"CpuPeriod": 50000}' "Cannot update container $id: Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set"
  refused web '{"CpuQuota": 50000}' "Cannot update container $id: Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set"
  refused web '{"CpusetCpus": "99"}' "Requested CPUs are not available - requested 99, available: $(cat /sys/devices/system/cpu/online)"
  refused web '{"CpusetCpus": "x"}' 'Invalid value x for cpuset cpus: invalid format: x'
  refused web '{"BlkioWeight": 5}' 'Range of blkio weight is from 10 to 1000'
  refused web '{"RestartPolicy": {"Name": "sometimes"}}' "invalid restart policy 'sometimes'"
  refused web '{"KernelMemory": 50000000}' 'KernelMemory cannot be changed of a container that is there: remove it and run it anew with the other value'
  refused web '{"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 1}]}' 'Ulimits cannot be changed of a container that is there: remove it and run it anew with the other value'
  refused free '{"Memory": 67108864}' "Cannot update container $(brig inspect -f '{{.Id}}' free): Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
  refused free '{"MemorySwap": 67108864}' 'You should always set the Memory limit when using Memoryswap limit, see usage'
  refused once '{"RestartPolicy": {"Name": "always"}}' "Cannot update container $(brig inspect -f '{{.Id}}' once): Restart policy cannot be updated because AutoRemove is enabled for the container"
  refused nothing '{"Memory": 67108864}' 'No such container: nothing'
  [ "$(brig inspect web | jq -c '.[0].HostConfig')" = "$before" ]
  [ "$(pids web) $(memory web)" = '50 67108864' ]
}

@test "what the kernel refuses half-way is taken back as a whole: group, record, labels" {
  [[ -z $v2 ]] || skip 'version 2 takes what is below what is in use, and kills'
  brig run -d --name fat -m 256m --memory-swap 256m --pids-limit 50 --label a=1 --tmpfs /fill:size=100m busybox sh -c 'head -c 60000000 /dev/zero >/fill/x; sleep 1000'
  full() { [[ $(file fat memory memory.usage_in_bytes) -gt 60000000 ]]; }
  wait_until full
  run update fat '{"Memory": 8388608, "MemorySwap": 8388608, "PidsLimit": 7, "CpuShares": 99, "Labels": {"a": "2"}}'
  [[ $(jq -r .message <<<"$output") == "Cannot update container $(brig inspect -f '{{.Id}}' fat): write '8388608' to /sys/fs/cgroup/memory/"*': Device or resource busy' ]]
  [ "$(memory fat) $(swap fat) $(pids fat) $(shares fat)" = '268435456 268435456 50 1024' ]
  [ "$(brig inspect fat | jq -c '.[0] | [.HostConfig.Memory, .HostConfig.PidsLimit, .HostConfig.CpuShares, .Config.Labels.a]')" = '[268435456,50,0,"1"]' ]
  kill_daemon
  start_daemon
  [ "$(host fat Memory) $(pids fat)" = '268435456 50' ]
}

@test "what is not changed is not asked of the kernel again: a throttled device may have gone" {
  mknod "$root/disk" b $(awk 'NR > 2 { print $1, $2; exit }' /proc/partitions)
  create web "{\"BlkioDeviceReadBps\":[{\"Path\":\"$root/disk\",\"Rate\":1000000}]}"
  brig start web
  rm "$root/disk"
  brig update --restart always web
  brig update --pids-limit 33 web
  [ "$(host web RestartPolicy.Name) $(pids web)" = 'always 33' ]
}

@test "a restart policy that is changed is the one that is followed" {
  brig run -d --name web busybox sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
  brig update --restart on-failure:1 web
  pid=$(pid_of web)
  kill -TERM "$pid"
  again() { [[ $(brig inspect -f '{{.RestartCount}} {{.State.Running}}' web) == '1 true' ]]; }
  wait_until again
  brig update --restart no web
  kill -TERM "$(pid_of web)"
  over() { [[ $(brig inspect -f '{{.State.Status}}' web) == exited ]]; }
  wait_until over
  brig update --restart always web
  kill_daemon
  start_daemon
  runs() { [[ $(brig inspect -f '{{.State.Running}}' web) == true ]]; }
  wait_until runs
}

@test "brig update and docker update: several containers, errors at the end, no flag" {
  brig run -d --name one busybox sleep 1000
  brig create --name two busybox
  run brig update --pids-limit 40 one nothing two
  [ "$status" -eq 1 ]
  [ "$output" = $'one\ntwo\nError response from daemon: No such container: nothing' ]
  [ "$(host one PidsLimit) $(host two PidsLimit)" = '40 40' ]
  run brig update one
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = 'you must provide one or more flags when using this command' ]
  command -v docker >/dev/null || skip "no docker client on this machine"
  run docker update --pids-limit 41 -m 64m --memory-swap 128m --cpus 0.25 --restart unless-stopped one two
  [ "$status" -eq 0 ]
  [ "$output" = $'one\ntwo' ]
  [ "$(pids one) $(memory one) $(quota one)" = '41 67108864 25000 100000' ]
  [ "$(brig inspect -f '{{.HostConfig.RestartPolicy.Name}}' two)" = unless-stopped ]
  run docker update --pids-limit 42 nothing
  [ "$status" -eq 1 ]
  [[ $output == 'Error response from daemon: No such container: nothing' ]]
}

@test "run's flags for devices, weights and processors are in the group's files" {
  local disk=
  for disk in $(ls /sys/block); do [[ ! -b /dev/$disk ]] || break; done
  [[ -b /dev/$disk ]] || skip 'no block device'
  number=$(cat "/sys/block/$disk/dev")
  brig run -d --name io --device-read-bps "/dev/$disk:2mb" --device-write-bps "/dev/$disk:1mb" --device-read-iops "/dev/$disk:200" --device-write-iops "/dev/$disk:100" \
    --cpu-shares 300 --cpuset-mems 0 --device-cgroup-rule 'c 42:* rwm' busybox sleep 1000
  if [[ -n $v2 ]]; then
    [ "$(file io io io.max)" = "$number rbps=2097152 wbps=1048576 riops=200 wiops=100" ]
  else
    [ "$(file io blkio blkio.throttle.read_bps_device)" = "$number 2097152" ]
    [ "$(file io blkio blkio.throttle.write_bps_device)" = "$number 1048576" ]
    [ "$(file io blkio blkio.throttle.read_iops_device)" = "$number 200" ]
    [ "$(file io blkio blkio.throttle.write_iops_device)" = "$number 100" ]
    file io devices devices.list | grep -qx 'c 42:\* rwm'
  fi
  [ "$(shares io)" = "$(either 300 12)" ]
  # A device's own weight needs bfq: in force, or refused by name with what to do.
  run brig run -d --name heavy --blkio-weight-device "/dev/$disk:300" busybox sleep 1000
  if [[ $status -eq 0 ]]; then
    cat "/sys/fs/cgroup/blkio/brig-test-$host_pid"/*/blkio*weight_device "/sys/fs/cgroup/$(parent)/$(group_of heavy)/io.bfq.weight" 2>/dev/null | grep -q "^$number 300"
  else
    [[ $output == *"the scheduler of device $number knows no weights: write bfq to /sys/dev/block/$number/queue/scheduler, or leave the device's weight out"* ]]
  fi
  [ "$(brig inspect io | jq -c '.[0].HostConfig.BlkioDeviceReadBps')" = "[{\"Path\":\"/dev/$disk\",\"Rate\":2097152}]" ]
  command -v docker >/dev/null || skip "no docker client on this machine"
  docker run -d --name theirs --device-read-bps "/dev/$disk:2mb" busybox sleep 1000
  [ "$(brig inspect theirs | jq -c '.[0].HostConfig.BlkioDeviceReadBps')" = "[{\"Path\":\"/dev/$disk\",\"Rate\":2097152}]" ]
}

@test "memory's flags: swappiness, the OOM killer, kernel memory of TCP; what version 2 lacks is said and left out" {
  run brig run -d --name web -m 64m --memory-swappiness 20 --oom-kill-disable busybox sleep 1000
  [ "$status" -eq 0 ]
  if [[ -n $v2 ]]; then
    [[ $output == *'OomKillDisable discarded.'* && $output == *'Memory swappiness discarded.'* ]]
  else
    [ "$(file web memory memory.swappiness)" = 20 ]
    file web memory memory.oom_control | grep -qx 'oom_kill_disable 1'
    create tcp '{"KernelMemoryTCP": 8388608}' | jq -e '.Id and .Warnings == []'
    brig start tcp
    [ "$(file tcp memory memory.kmem.tcp.limit_in_bytes)" = 8388608 ]
  fi
  run create bad '{"KernelMemory": 8388608}'
  [ "$(jq -r .message <<<"$output")" = 'KernelMemory is not supported yet: the kernel dropped it; use Memory' ]
}

@test "real-time processor time is given where the parent has some, and refused by name where there is none" {
  if [[ ! -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ]]; then
    run brig run -d --cpu-rt-runtime 1000 busybox
    [ "$status" -eq 125 ]
    [[ $output == *'Your kernel does not support CPU real-time scheduler: CpuRealtimePeriod and CpuRealtimeRuntime need control groups of version 1'* ]]
    return
  fi
  brig run -d --name web busybox sleep 1000
  run brig update --cpu-rt-runtime 1000 web
  [ "$status" -eq 1 ]
  [[ $output == *"write '1000' to /sys/fs/cgroup/cpu/"*'cpu.rt_runtime_us: Invalid argument'* ]]
  [ "$(host web CpuRealtimeRuntime)" = 0 ]
  run brig run -d --cpu-rt-period 1000 --cpu-rt-runtime 2000 busybox
  [[ $output == *'cpu real-time runtime cannot be higher than cpu real-time period'* ]]
  { echo 20000 >"/sys/fs/cgroup/cpu/brig-test-$host_pid/cpu.rt_runtime_us"; } 2>/dev/null || skip 'another group has all real-time time of this machine'
  brig update --cpu-rt-runtime 1000 web
  [ "$(file web cpu cpu.rt_runtime_us)" = 1000 ]
  brig rm -f web
  give_back() { echo 0 2>/dev/null >"/sys/fs/cgroup/cpu/brig-test-$host_pid/cpu.rt_runtime_us"; } # once the group is gone
  wait_until give_back
}

@test "a parent of its own for the group" {
  local name=brig-test-$host_pid/below below=below
  [[ ${BRIG_CGROUP_DRIVER:-} != systemd ]] || name=brigtest$host_pid-below.slice below=$name
  brig run -d --name web --cgroup-parent "$name" busybox sleep 1000
  directory=$(either "/sys/fs/cgroup/memory" /sys/fs/cgroup)/$(parent)/$below
  [ "$(cat "$directory/$(group_of web)/cgroup.procs")" = "$(pid_of web)" ]
  brig rm -f web
  # systemd keeps a slice that is empty; the test's own go with it, but what is below is looked for by end_host.
  [[ ${BRIG_CGROUP_DRIVER:-} != systemd ]] || systemctl stop "$name"
  find /sys/fs/cgroup -depth -path "*/brig-test-$host_pid/below" -type d -exec rmdir {} \; || :
}

@test "a client's mistakes: devices that are none" {
  run brig run --device-read-bps /dev/null:1mb busybox
  [ "$status" -eq 125 ]
  [[ $output == *"BlkioDeviceReadBps: '/dev/null' is not a block device"* ]]
  brig create --name none --device-write-iops /dev/nothing:1 busybox
  run brig start none
  [ "$status" -eq 1 ]
  [[ $output == *"BlkioDeviceWriteIOps: device '/dev/nothing': No such file or directory"* ]]
  run brig run --device-write-iops sda:1 busybox
  [[ $output == *'bad format for device path: sda:1'* ]]
  run brig run --device-write-bps /dev/x:fast busybox
  [[ $output == *'invalid rate for device: /dev/x:fast. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb'* ]]
  run brig run --blkio-weight-device /dev/x:5 busybox
  [[ $output == *'invalid weight for device: /dev/x:5'* ]]
}

@test "ports come and go while it runs: what stays keeps its number, and its connections; a port that is taken says by whom" {
  brig run -d --name web -p 18080:80 -p 81 busybox sh -c 'for p in 80 81 82; do httpd -p $p -h /www; done; sleep 1000'
  ports() { brig inspect -f '{{json .NetworkSettings.Ports}}' "$1" | jq -c "map_values(map(select(.HostIp == \"0.0.0.0\") | .HostPort | tonumber))"; }
  random=$(brig port web 81 | head -1 | sed 's/.*://')
  answers() { on_host curl -sf --max-time 2 "http://127.0.0.1:$1/index.html" | grep -q hello; }
  wait_until answers 18080
  brig update --publish-add 18082:82 --publish-add 127.0.0.1:18083:82/tcp --publish-rm 18080:80 --label fresh=1 web
  [ "$(brig port web 81 | head -1)" = "0.0.0.0:$random" ]
  [ "$(brig port web 82 | sort | tr '\n' ' ')" = '0.0.0.0:18082 127.0.0.1:18083 ' ] || { brig port web; return 1; }
  wait_until answers 18082
  answers 18083
  answers "$random"
  run answers 18080
  [ "$status" -ne 0 ]
  [[ $(on_host nft list ruleset) != *18080* ]]
  [ "$(brig inspect -f '{{json .HostConfig.PortBindings}}' web | jq -c 'keys')" = '["81/tcp","82/tcp"]' ]
  [[ $(brig ps --filter publish=18082 --format '{{.Ports}}') == *'0.0.0.0:18082->82/tcp'* ]]

  # Taken by a container, by a program of the host's; nothing has changed then.
  brig run -d --name other -p 18090:80 busybox sleep 1000
  before=$(brig port web)
  run brig update --publish-rm 82 --publish-add 18090:80 web
  [[ $status -eq 1 && $output == *'port is already allocated: container other has it'* ]]
  [ "$(brig port web)" = "$before" ]
  answers 18082
  nsenter --target "$host_pid" --net -- python3 -m http.server -b 0.0.0.0 18091 >/dev/null 2>&1 3>&- &
  listener=$!
  taken() { on_host ss -ltn | grep -q ':18091 '; }
  wait_until taken
  run brig update --publish-add 18091:80 web
  kill "$listener"
  [[ $status -eq 1 && $output == *"address already in use: process $listener (python3) has it"* ]]
  [ "$(brig port web)" = "$before" ]

  # The next daemon, and the next start, have them.
  kill_daemon
  start_daemon
  [ "$(brig port web)" = "$before" ]
  answers 18082
  brig restart -t 0 web
  [ "$(brig port web 82 | sort | tr '\n' ' ')" = '0.0.0.0:18082 127.0.0.1:18083 ' ]
  [ -z "$(brig port web 80 2>/dev/null)" ]
  # A stopped one has them from its next start on; a port may move from one to the other at once.
  brig stop -t 0 web
  brig update --publish-rm 82 --publish-add 18082:80 --publish-add 18080-18081:80-81 web
  brig start web
  wait_until answers 18082
  answers 18081
  brig update --publish-rm 18082:80 --publish-add 18082:82 web
  wait_until answers 18082
  [[ $(brig port web) == *'82/tcp -> 0.0.0.0:18082'* ]]
}

@test "what cannot be published is refused, and changes nothing" {
  brig run -d --name web -p 18080:80 busybox sleep 1000
  brig run -d --name host --network host busybox sleep 1000
  run brig update --publish-rm 90 web
  [[ $status -eq 1 && $output == *'container web does not publish 90/tcp'* ]]
  run brig update --publish-rm 18081:80 web
  [[ $status -eq 1 && $output == *'container web does not publish 80/tcp as 18081'* ]]
  run brig update --publish-add 18081:81 host
  [[ $status -eq 1 && $output == *'container host has no network to publish ports of (network mode host)'* ]]
  run update web '{"PortsAdded": {"80/tcp": [{"HostPort": "x"}]}}'
  [[ $output == *'invalid port specification: \"x\"'* ]]
  run update web '{"PortsAdded": {"80/carrier": []}}'
  [[ $output == *'invalid proto: carrier'* ]]
  run update web '{"PortsAdded": ["80"]}'
  [[ $output == *'PortsAdded: must be an object'* ]]
  [ "$(brig port web | head -1)" = '80/tcp -> 0.0.0.0:18080' ]
}

@test "mounts come and go of what does not run: uses of volumes, inspect, the next daemon, the next start" {
  mkdir -p "$root/shown" && echo seen >"$root/shown/file"
  image_of tree 'mkdir leaf'
  brig run -d --name web -v kept:/kept -v gone:/gone -v /anon --tmpfs /tmp:size=1m --mount "type=bind,src=$root/shown,dst=/bound" --mount type=image,src=tree,dst=/tree busybox sleep 1000
  run brig update --label a=b --mount-rm /gone web
  [[ $status -eq 1 && $output == *'container web runs, and its mounts are changed while it does not: stop it (brig stop web)'* ]]
  [ "$(brig inspect -f '{{index .Config.Labels "a"}}' web)" = "" ]
  brig stop -t 0 web
  anonymous=$(brig inspect web | jq -r '.[0].Mounts[] | select(.Destination == "/anon") | .Name')
  run brig rmi tree
  [ "$status" -ne 0 ]
  before=$(date +%s.%N)
  brig update --mount-rm /gone --mount-rm /tmp --mount-rm /bound/ --mount-rm /anon --mount-rm /tree --mount-add type=volume,src=new,dst=/new --mount-add type=volume,dst=/fresh \
    --mount-add "type=bind,src=$root/shown,dst=/there,readonly" --mount-add type=image,src=busybox,dst=/image --mount-add type=tmpfs,dst=/scratch --label c=d --label-add a=b web
  [ "$(brig events --since "$before" --until "$(date +%s.%N)" --filter type=container --format '{{.Action}}')" = update ]
  shown() { brig inspect web | jq -c '.[0] | [([.Mounts[].Destination] | sort), .HostConfig.Binds, .HostConfig.Tmpfs, [.HostConfig.Mounts[].Target], .Config.Labels.a]'; }
  now='[["/fresh","/image","/kept","/new","/scratch","/there"],["kept:/kept"],null,["/new","/fresh","/there","/image","/scratch"],"b"]'
  [ "$(shown)" = "$now" ] || { shown; return 1; }
  brig rmi tree
  brig volume rm gone
  brig volume inspect "$anonymous" >/dev/null
  brig volume rm "$anonymous"
  [ "$(brig ps -a --filter volume=new --format '{{.Names}}')" = web ]
  [ -z "$(brig ps -aq --filter volume=gone)" ]
  kill_daemon
  start_daemon
  [ "$(shown)" = "$now" ]
  run brig volume rm new
  [[ $status -ne 0 && $output == *'volume is in use'* ]]
  brig start web
  [ "$(brig exec web cat /there/file)" = seen ]
  run brig exec web touch /there/x
  [ "$status" -ne 0 ]
  brig exec web sh -c 'test -e /image/bin/busybox && touch /fresh/x /new/x /scratch/x && grep -q " /scratch tmpfs" /proc/mounts && ! grep -E " /(gone|tmp|bound|anon|tree) " /proc/mounts'
  fresh=$(brig inspect web | jq -r '.[0].Mounts[] | select(.Destination == "/fresh") | .Name')
  brig run --rm --volumes-from web busybox test -e /new/x
  brig rm -f -v web
  [ "$(brig volume ls -q | sort | tr '\n' ' ')" = 'kept new ' ] || { echo "$fresh"; brig volume ls; return 1; }
  brig volume rm kept new
}

@test "mounts that cannot be are refused, and nothing of the request stays" {
  brig create --name web -v kept:/kept busybox sleep 1000
  same() { [ "$(brig inspect web | jq -c '.[0] | [[.Mounts[].Destination], .HostConfig.Binds, .HostConfig.Mounts]')" = '[["/kept"],["kept:/kept"],null]' ] && [ "$(brig volume ls -q)" = kept ]; }
  refused() { run brig update "${@:2}" web; [[ $status -eq 1 && $output == *"$1"* ]] && same || { echo "$output"; return 1; }; }
  refused 'container web has no mount at /nothing' --mount-rm /nothing
  refused 'Duplicate mount point: /kept: name it in MountsRemoved (brig update --mount-rm /kept), too' --mount-add type=volume,src=other,dst=/kept
  refused 'Duplicate mount point: /a' --mount-add type=volume,src=made,dst=/a --mount-add type=volume,dst=/a
  refused 'bind source path does not exist: /nowhere' --mount-rm /kept --mount-add type=volume,src=made,dst=/a --mount-add type=volume,dst=/b --mount-add type=bind,src=/nowhere,dst=/c
  refused 'No such image: missing' --mount-add type=image,src=missing,dst=/a
  [[ $(update web '{"MountsAdded": 5}') == *MountsAdded* ]]
  [[ $(update web '{"MountsAdded": [{"Type": "cluster", "Target": "/a"}]}') == *'mount type unknown'* ]]
  same
  run brig volume rm kept
  [[ $status -ne 0 && $output == *'volume is in use'* ]]
  # One takes another's place.
  brig update --mount-rm /kept --mount-add type=volume,src=new,dst=/kept web
  brig volume rm kept
  [ "$(brig inspect -f '{{range .Mounts}}{{.Name}}{{end}}' web)" = new ]
  brig rm web && brig volume rm new
}

# ---- scopes, with fake-systemd.py in systemd's place: not where the real one made those of the tests above ----

not_under_systemd() { [[ ${BRIG_CGROUP_DRIVER:-} != systemd ]] || skip 'with the real systemd: tests/package/scopes'; }

scope_path() { echo "brigtest$host_pid.slice/brig-$(brig inspect -f '{{.Id}}' "$1").scope"; }
no_scopes() { [[ -z $(find /sys/fs/cgroup -type d -path "*brigtest$host_pid.slice/*") ]]; }
# Of CONTAINER, in its group below its scope.
scope_file() {
  local directory=/sys/fs/cgroup
  [[ -n $v2 ]] || directory+=/$2
  cat "$directory/$(scope_path "$1")/container/$3"
}

@test "where systemd does not run, its driver is refused; with it, what is no slice" {
  not_under_systemd
  run on_host "$build/src/daemon/brigd" --exec-opt native.cgroupdriver=systemd --data-root "$root/other" --exec-root "$root/other-run" --pidfile "$root/other.pid" -H "unix://$root/other.sock"
  [ "$status" -eq 1 ]
  [[ $output == *'native.cgroupdriver=systemd: no systemd runs here: leave it out, or say native.cgroupdriver=cgroupfs'* ]]
  rm -rf "$root"/other*
  brig run -d --name before busybox sleep 1000
  before=$(pid_of before)
  on_host mount -t tmpfs tmpfs /run
  on_host mkdir -p /run/systemd/system
  nsenter --target "$host_pid" --mount -- "$top/tests/fake-systemd.py" /run/systemd >>"$root/systemd.log" 2>&1 3>&- &
  echo $! >"$root/systemd.pid"
  wait_until on_host test -e /run/systemd/private
  stop_daemon
  run on_host "$build/src/daemon/brigd" --validate --exec-opt native.cgroupdriver=systemd --cgroup-parent /x
  [ "$status" -eq 125 ]
  [[ $output == *'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"'* ]]
  start_daemon --exec-opt native.cgroupdriver=systemd --cgroup-parent "brigtest$host_pid.slice"
  [ "$(brig info --format '{{.CgroupDriver}}')" = systemd ]
  run brig run --cgroup-parent /x busybox
  [ "$status" -eq 125 ]
  [[ $output == *'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"'* ]]
  # What runs since before keeps its group.
  [ "$(file before pids cgroup.procs)" = "$before" ]
  brig pause before
  brig unpause before
  brig update -m 64m --memory-swap 64m before
  [ "$(memory before)" = 67108864 ]
  brig rm -f before
}

@test "a scope: limits, exec, update, pause, restarts, and nothing left" {
  not_under_systemd
  brig run -d --name web -m 64m --restart always busybox sleep 1000
  grep "^brig-$(brig inspect -f '{{.Id}}' web).scope" <(on_host cat /run/systemd/asked)
  [[ $(on_host tail -1 /run/systemd/asked) == *"('CollectMode', 'inactive-or-failed'), ('DefaultDependencies', 0), ('Delegate', 1)"*"('Slice', 'brigtest$host_pid.slice')"* ]]
  [ "$(scope_file web pids cgroup.procs)" = "$(pid_of web)" ]
  [ "$(either "$(scope_file web memory memory.limit_in_bytes 2>/dev/null)" "$(scope_file web memory memory.max 2>/dev/null)")" = 67108864 ]
  [ -z "$(cat "/sys/fs/cgroup/$(either unified/ '')$(scope_path web)/cgroup.procs")" ]
  brig exec web true
  brig update -m 128m --memory-swap 256m web
  [ "$(either "$(scope_file web memory memory.limit_in_bytes 2>/dev/null)" "$(scope_file web memory memory.max 2>/dev/null)")" = 134217728 ]
  brig pause web
  [ "$(brig inspect -f '{{.State.Status}}' web)" = paused ]
  brig unpause web
  [[ $(brig stats --no-stream --format '{{.MemUsage}}' web) == *'/ 128MiB' ]]
  [[ $(brig top web) == *'sleep 1000'* ]]
  # The one before has not gone for long: its name is waited for.
  for _ in 1 2 3; do brig restart -t 0 web; done
  stop_daemon
  start_daemon --exec-opt native.cgroupdriver=systemd --cgroup-parent "brigtest$host_pid.slice"
  [ "$(scope_file web pids cgroup.procs)" = "$(pid_of web)" ]
  # Its monitor is killed: the daemon ends what is left, wherever that is.
  monitor=$(awk '{print $4}' "/proc/$(pid_of web)/stat")
  brig update --restart no web
  kill -KILL "$monitor"
  has_ended() { [[ $(brig inspect -f '{{.State.Status}}' web) == exited ]]; }
  wait_until has_ended
  wait_until no_scopes
}

@test "a scope by brig-runtime: named by the document, used by another, taken down" {
  not_under_systemd
  local bundle=$root/bundle group
  runtime() { on_host "$build/src/runtime/brig-runtime" --systemd-cgroup --root "$root/runtime" "$@" </dev/null; }
  mkdir -p "$bundle/rootfs" && tar -C "$bundle/rootfs" -xf "$(busybox_tar)"
  runtime spec --bundle "$bundle"
  jq --arg path "brigtest$host_pid.slice:mine:one" '.process.terminal = false | .process.args = ["sleep", "1000"] | .linux.cgroupsPath = $path | .linux.resources.pids.limit = 9
    | .annotations["org.systemd.property.KillSignal"] = "15"' "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
  runtime run --detach --bundle "$bundle" one >"$root/out" 2>&1
  grep 'annotation org.systemd.property.KillSignal: properties are not passed on to systemd' "$root/out"
  group=brigtest$host_pid.slice/mine-one.scope/container
  [ "$(cat "/sys/fs/cgroup/$(either pids/ '')$group/pids.max")" = 9 ]
  [ "$(cat "/sys/fs/cgroup/$(either unified/ '')$group/cgroup.procs")" = "$(runtime state one | jq .pid)" ]
  run runtime run --bundle "$bundle" two
  [[ $status -eq 1 && $output == *"scope 'mine-one.scope' is in use by process"*'systemctl stop mine-one.scope'* ]]
  runtime exec one true
  runtime update --pids-limit 8 one
  [ "$(cat "/sys/fs/cgroup/$(either pids/ '')$group/pids.max")" = 8 ]
  runtime pause one
  [ "$(runtime state one | jq -r .status)" = paused ]
  runtime resume one
  runtime delete --force one
  wait_until no_scopes
}

@test "a scope that systemd does not make is an error that says why, and leaves nothing" {
  not_under_systemd
  on_host bash -c 'echo failed >/run/systemd/answer'
  run brig run --name web busybox
  [ "$status" -eq 125 ]
  [[ $output == *"systemd: make scope 'brig-"*"its job ended as 'failed'"* ]]
  on_host bash -c 'echo refuse >/run/systemd/answer'
  run brig start web
  [[ $status -eq 1 && $output == *"org.freedesktop.systemd1.NoSuchUnit: brig-"* ]]
  on_host rm /run/systemd/answer
  kill "$(cat "$root/systemd.pid")"
  run brig start web
  [[ $status -eq 1 && $output == *'systemd does not answer at /run/systemd/private'* ]]
  wait_until no_scopes
  # Of the other driver's daemon, and the slice, which is systemd's.
  find /sys/fs/cgroup -depth \( -name "brig-test-$host_pid" -o -name "brigtest$host_pid.slice" \) -type d -exec rmdir {} \; || :
}
