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
@test "a WebSocket's client that leaves is let go, though the process takes none of its input" {
  python3 - "$root/brig.sock" "$top/tests" <<'END'
import select, socket, struct, sys
sys.path.insert(0, sys.argv[2])
from api import Daemon
daemon = Daemon(sys.argv[1])
id = daemon.call("POST", "/containers/create", {"Image": "busybox:latest", "Cmd": ["sleep", "1000"], "OpenStdin": True})["Id"]
daemon.call("POST", f"/containers/{id}/start")
s = socket.socket(socket.AF_UNIX)
s.settimeout(30)
s.connect(sys.argv[1])
s.sendall((f"GET /v1.41/containers/{id}/attach/ws?stream=1&stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").encode())
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += s.recv(1)
assert b" 101 " in head, head
s.sendall(b"\x82\xff" + struct.pack(">Q", 1 << 30) + bytes(4))
while select.select([], [s], [], 0.5)[1]:  # as much as there is room for anywhere
    s.send(bytes(65536), socket.MSG_DONTWAIT)
s.shutdown(socket.SHUT_WR)
try:
    while s.recv(65536):
        pass
except ConnectionResetError:  # of what nobody read
    pass
daemon.call("DELETE", f"/containers/{id}?force=1")
END
}
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
