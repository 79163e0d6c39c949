#!/usr/bin/env bats
# Docker's Python SDK, as Debian has it, against brigd: each test is a function of sdk.py.

setup_file() {
  load lib
  make_host
  start_daemon -H tcp://127.0.0.1:2375 # for the WebSocket: the SDK has it over TCP alone
  load_busybox
  start_registry 5000
  push_busybox busybox:latest
  export root host_pid daemon_pid registry_pid registry_port SDK_REGISTRY=127.0.0.1:5000
}

teardown_file() {
  load lib
  stop_registry
  end_host
}

setup() {
  load lib
  /usr/bin/python3 -c 'import docker' 2>/dev/null || skip "no python3-docker on this machine"
}

sdk() { run timeout 120 /usr/bin/python3 "$top/tests/sdk.py" "$1" busybox:latest; echo "$output"; [ "$status" -eq 0 ]; }

@test "SDK: ping, version, info" { sdk system; }
@test "SDK: containers.run, its output and its errors" { sdk run; }
@test "SDK: a container's options" { sdk options; }
@test "SDK: create, start, pause, rename, restart, kill, stop" { sdk lifecycle; }
@test "SDK: wait, and wait with a time" { sdk waiting; }
@test "SDK: logs, streamed and cut" { sdk logs; }
@test "SDK: a log followed to its end" { sdk logs_to_the_end; }
@test "SDK: attach, by socket and stream" { sdk attach; }
@test "SDK: attach over a WebSocket" { run on_host env DOCKER_HOST=tcp://127.0.0.1:2375 timeout 120 /usr/bin/python3 "$top/tests/sdk.py" attach_websocket busybox:latest; echo "$output"; [ "$status" -eq 0 ]; }
@test "SDK: exec_run: stream, demux, socket" { sdk execute; }
@test "SDK: images tag, save, load, history, remove" { sdk images; }
@test "SDK: an image from a tar" { sdk imported; }
@test "SDK: images.pull" { sdk pull; }
@test "SDK: networks" { sdk networks; }
@test "SDK: volumes and mounts" { sdk volumes; }
@test "SDK: events, as they come and of the past" { sdk events; }
@test "SDK: prunes and df" { sdk prunes; }
@test "SDK: a volume driver" { sdk own_driver; }
@test "SDK: a commit while the container ends" { sdk committed; }
@test "SDK: swarm and plugins, outside of them" { sdk outside_a_swarm; }
@test "SDK: get_archive and put_archive" { sdk archives; }
@test "SDK: stats, once and as a stream" { sdk stats; }
@test "SDK: update of limits and restart policy" { sdk update; }
@test "SDK: what is not done is refused" { sdk not_done; }
