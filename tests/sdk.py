#!/usr/bin/python3
"""sdk.py NAME IMAGE: one check of brigd through Docker's Python SDK (Debian's python3-docker); DOCKER_HOST says where. A check is a function
of this file; an assertion that fails, or an exception, is its failure. Called by sdk.bats."""
import io
import os
import socket
import struct
import sys
import tarfile
import threading
import time

import docker
import docker.errors
import docker.types
import requests.exceptions

client = docker.from_env(timeout=60)
image = sys.argv[2] if len(sys.argv) > 2 else "busybox:latest"


def shell(text, **options):
    """A container that runs a line of shell in the background."""
    return client.containers.run(image, ["sh", "-c", text], detach=True, **options)


def gone(container):
    container.remove(force=True, v=True)


def refused(status, call, *words):
    """The call ends in the daemon's error of that status, which has those words."""
    try:
        answer = call()
        if hasattr(answer, "__next__"):
            answer = next(answer)
    except docker.errors.APIError as error:
        assert error.status_code == status, error
        assert all(word in str(error) for word in words), error
    else:
        raise AssertionError(f"it was done: {answer!r}")


def system():
    assert client.ping()
    version = client.version()
    assert version["Os"] == "linux" and version["ApiVersion"], version
    assert client.info()["Driver"] == "overlay2", client.info()["Driver"]


def run():
    assert client.containers.run(image, ["echo", "hello"], remove=True) == b"hello\n"
    assert client.containers.run(image, ["sh", "-c", "echo out; echo err >&2"], remove=True, stdout=True, stderr=True) in (b"out\nerr\n", b"err\nout\n")
    assert b"".join(client.containers.run(image, ["sh", "-c", "echo 1; echo 2"], remove=True, stream=True)) == b"1\n2\n"
    try:
        client.containers.run(image, ["sh", "-c", "echo why >&2; exit 3"], remove=True)
    except docker.errors.ContainerError as error:
        assert error.exit_status == 3 and b"why" in error.stderr, error
    else:
        raise AssertionError("exit status 3 was taken")
    try:
        client.containers.run("no-such-image:here", "true")
    except (docker.errors.ImageNotFound, docker.errors.APIError) as error:
        assert "no-such-image" in str(error), error


def options():
    container = shell(
        "exec sleep 1000", name="sdk-options", environment={"WORD": "x y"}, labels={"a": "b"}, hostname="host", user="1000:2000", working_dir="/tmp",
        mem_limit="64m", nano_cpus=500000000, pids_limit=50, cap_drop=["ALL"], cap_add=["CHOWN"], read_only=True, tmpfs={"/scratch": "size=1m"},
        ports={"80/tcp": None, "81/tcp": ("127.0.0.1", 18181)}, restart_policy={"Name": "on-failure", "MaximumRetryCount": 2}, init=True,
        extra_hosts={"other": "10.1.2.3"}, dns=["10.9.9.9"], ulimits=[docker.types.Ulimit(name="nofile", soft=100, hard=200)], shm_size="8m",
        log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m"}), sysctls={"net.ipv4.ip_forward": "1"},
        security_opt=["no-new-privileges"], oom_score_adj=10, stop_signal="SIGUSR1")
    try:
        container.reload()
        host, config = container.attrs["HostConfig"], container.attrs["Config"]
        assert container.status == "running" and container.name == "sdk-options" and container.labels == {"a": "b"}
        assert "WORD=x y" in config["Env"] and config["User"] == "1000:2000" and config["Hostname"] == "host"
        assert host["Memory"] == 64 << 20 and host["NanoCpus"] == 500000000 and host["PidsLimit"] == 50 and host["ShmSize"] == 8 << 20
        assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}, host["RestartPolicy"]
        assert container.ports["81/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "18181"}], container.ports
        assert int(container.ports["80/tcp"][0]["HostPort"]) > 0
        code, output = container.exec_run(["sh", "-c", "id -u; id -g; hostname; ulimit -n; cat /proc/sys/net/ipv4/ip_forward; grep -c 10.1.2.3 /etc/hosts"])
        assert code == 0 and output == b"1000\n2000\nhost\n100\n1\n1\n", output
        assert container.top()["Titles"] and container.top()["Processes"]
        assert client.containers.list(filters={"label": "a=b"}) == [container]
        assert client.containers.get("sdk-options").id == container.id
    finally:
        gone(container)
    assert client.containers.list(all=True, filters={"name": "sdk-options"}) == []


def lifecycle():
    container = client.containers.create(image, ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"], name="sdk-life")
    try:
        assert container.status == "created"
        container.start()
        container.pause()
        container.reload()
        assert container.status == "paused"
        container.unpause()
        container.rename("sdk-renamed")
        container.reload()
        assert container.name == "sdk-renamed" and container.status == "running"
        container.restart(timeout=0)
        container.kill("SIGKILL")
        assert container.wait(timeout=20)["StatusCode"] == 137
        container.start()
        container.stop(timeout=0)
        container.reload()
        assert container.status == "exited"
        refused(409, lambda: container.kill(), "is not running")
        refused(404, lambda: client.api.start("no-such-container"), "No such container")
    finally:
        gone(container)


def waiting():
    container = shell("exit 9")
    assert container.wait(timeout=20)["StatusCode"] == 9
    gone(container)
    container = shell("exec sleep 1000")
    try:
        container.wait(timeout=1)
    except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
        pass
    else:
        raise AssertionError("wait ended before the container")
    gone(container)


def logs():
    container = shell("for i in 1 2 3; do echo out $i; done; echo err >&2; exec sleep 1000")
    try:
        follow = container.logs(stream=True, follow=True)
        text = b""
        while text.count(b"\n") < 4:
            text += next(follow)
        follow.close()
        assert sorted(text.split()) == sorted(b"out 1 out 2 out 3 err".split()), text
        assert container.logs(stdout=False) == b"err\n" and container.logs(stderr=False) == b"out 1\nout 2\nout 3\n"
        assert len(container.logs(tail=1).splitlines()) == 1 and len(container.logs(tail="all").splitlines()) == 4
        assert b"T" in container.logs(timestamps=True, tail=1).split()[0]
        assert container.logs(since=2**31) == b""
    finally:
        gone(container)


def logs_to_the_end():
    container = shell("for i in $(seq 2000); do echo line $i; done")
    lines = b"".join(container.logs(stream=True, follow=True)).splitlines()
    assert len(lines) == 2000 and lines[-1] == b"line 2000", len(lines)
    gone(container)


def attach():
    container = client.containers.create(image, ["cat"], stdin_open=True)
    try:
        raw = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        container.start()
        raw._sock.sendall(b"typed\n")
        head = read_fully(raw, 8)
        assert head[0] == 1 and read_fully(raw, struct.unpack(">I", head[4:])[0]) == b"typed\n"
        raw._sock.shutdown(socket.SHUT_WR)
        assert container.wait(timeout=20)["StatusCode"] == 0
        raw.close()
        again = client.api.attach(container.id, logs=True, stream=False)
        assert again == b"typed\n", again
    finally:
        gone(container)


def closing(connection):
    """What comes until the daemon closes, and the code that it closes with."""
    text = b""
    while True:
        opcode, data = connection.recv_data()
        if opcode == 8:
            return text, struct.unpack(">H", data[:2])[0]
        assert opcode == 2, opcode
        text += data


def attach_websocket():
    import websocket

    container = client.containers.create(image, ["sh", "-c", "cat; echo err >&2; seq 1 20000"], stdin_open=True)
    params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
    try:
        connection = client.api.attach_socket(container.id, params=params, ws=True)
        container.start()
        connection.ping(b"are you there")
        assert connection.recv_data_frame(control_frame=True)[1].data == b"are you there"
        connection.send("typ", opcode=websocket.ABNF.OPCODE_TEXT)
        connection.send_binary(b"ed\n" + 70000 * b"x" + b"\n")
        came = b""
        while len(came) < 70007:
            opcode, data = connection.recv_data()
            assert opcode == 2, opcode
            came += data
        assert came == b"typed\n" + 70000 * b"x" + b"\n"
        # A plain client's end of input ends that of the process, with whose end the WebSocket closes.
        raw = container.attach_socket(params={"stdin": 1, "stream": 1})
        raw._sock.shutdown(socket.SHUT_WR)
        text, code = closing(connection)
        lines = b"".join(b"%d\n" % number for number in range(1, 20001))
        assert code == 1000 and text.replace(b"err\n", b"", 1) == lines and text != lines, (code, text[:20], text[-20:])
        assert container.wait(timeout=20)["StatusCode"] == 0
        raw.close()
        connection.close()
        # What was logged, without waiting for more; from 1.42 those streams alone that are asked for.
        again = client.api.attach_socket(container.id, params={"logs": 1, "stderr": 1}, ws=True)
        logged = closing(again)[0]
        recent = tuple(map(int, client.api._version.split("."))) >= (1, 42)
        assert logged == b"err\n" if recent else len(logged) == len(came + text), logged[:80]
        again.close()
    finally:
        gone(container)

    # The client's close ends the process's input; a terminal has detach keys.
    container = client.containers.create(image, ["sh", "-c", "cat; echo end"], stdin_open=True, tty=True)
    try:
        container.start()
        connection = client.api.attach_socket(container.id, params=dict(params, detachKeys="ctrl-x"), ws=True)
        connection.send(b"a\n")
        came = b""
        while len(came) < 6:
            came += connection.recv()
        assert came == b"a\r\na\r\n", came
        connection.send(b"\x18")
        assert closing(connection) == (b"", 1000)
        connection.close()
        container.reload()
        assert container.status == "running"
        # A frame that is not masked ends it, with the reason.
        connection = client.api.attach_socket(container.id, params=params, ws=True)
        connection.sock.sendall(b"\x81\x01a")
        assert closing(connection) == (b"", 1002)
        connection.close()
        refused(404, lambda: client.api.attach_socket("none", params=params), "No such container: none")
    finally:
        gone(container)

    container = client.containers.create(image, ["cat"], stdin_open=True)
    try:
        connection = client.api.attach_socket(container.id, params=params, ws=True)
        container.start()
        connection.send(b"last words")
        connection.close()
        assert container.wait(timeout=20)["StatusCode"] == 0
        assert container.logs() == b"last words"
    finally:
        gone(container)

    # A page that a browser shows may not.
    try:
        websocket.create_connection("ws://127.0.0.1:2375/containers/x/attach/ws", origin="http://page.example:2375")
    except websocket.WebSocketBadStatusException as error:
        assert error.status_code == 403, error
    else:
        raise AssertionError("a page's WebSocket was taken")


def read_fully(raw, length):
    data = b""
    while len(data) < length:
        part = raw.read(length - len(data))
        assert part, f"the stream ended after {data!r}"
        data += part
    return data


def execute():
    container = shell("exec sleep 1000")
    try:
        assert container.exec_run("echo hi") == (0, b"hi\n")
        assert container.exec_run(["sh", "-c", "exit 4"]).exit_code == 4
        code, stream = container.exec_run(["sh", "-c", "echo 1; echo 2"], stream=True)
        assert code is None and b"".join(stream) == b"1\n2\n"
        code, parts = container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True)
        assert code == 0 and parts == (b"out\n", b"err\n"), parts
        code, stream = container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True, stream=True)
        assert sorted(stream, key=str) == sorted([(b"out\n", None), (None, b"err\n")], key=str)
        code, raw = container.exec_run(["sh", "-c", "read word; echo got $word"], stdin=True, socket=True)
        raw._sock.sendall(b"this\n")
        head = read_fully(raw, 8)
        assert head[0] == 1 and read_fully(raw, struct.unpack(">I", head[4:])[0]) == b"got this\n"
        raw.close()
        assert container.exec_run("pwd", workdir="/etc", user="1000", environment={"A": "1"}, tty=True) == (0, b"/etc\r\n")
        assert container.exec_run("no-such-program").exit_code in (126, 127)
        # How the output comes, whoever starts an exec says: docker-py asks for frames of a terminal, too.
        made = client.api.exec_create(container.id, ["printf", "yay"], tty=True)["Id"]
        raw = client.api.exec_start(made, socket=True)
        assert read_fully(raw, 8) == b"\1\0\0\0\0\0\0\3" and read_fully(raw, 3) == b"yay"
        raw.close()
        made = client.api.exec_create(container.id, ["true"])["Id"]
        assert client.api.exec_start(made, detach=True) == ""
        assert client.api.exec_inspect(made)["ContainerID"] == container.id
        refused(404, lambda: client.api.exec_inspect("no-such-exec"), "no-such-exec")
    finally:
        gone(container)


def own_driver():
    """A volume driver that nothing uses may be any; a volume that it would have to make is refused."""
    container = client.containers.create(image, "true", volume_driver="foo")
    assert container.attrs["HostConfig"]["VolumeDriver"] == "foo"
    gone(container)
    refused(400, lambda: client.containers.create(image, "true", volume_driver="foo", volumes=["v:/v"]), 'plugin "foo" not found')


def images():
    tags = client.images.get(image).tags
    assert image in tags, tags
    copy = client.images.get(image)
    assert copy.tag("sdk/copy", tag="v1")
    copy.reload()
    assert "sdk/copy:v1" in copy.tags
    assert [i.id for i in client.images.list(name="sdk/copy")] == [copy.id]
    saved = b"".join(copy.save(named="sdk/copy:v1"))
    client.images.remove("sdk/copy:v1")
    loaded = client.images.load(saved)
    assert [i.id for i in loaded] == [copy.id] and "sdk/copy:v1" in loaded[0].tags, loaded
    assert copy.history()[0]["Id"] == copy.id
    client.images.remove("sdk/copy:v1")
    try:
        client.images.get("sdk/copy:v1")
    except docker.errors.ImageNotFound:
        pass
    else:
        raise AssertionError("a removed name is found")


def imported():
    text = client.api.import_image_from_data(tar_of("word", b"imported"), repository="sdk/import", tag="v1", changes=["CMD cat /word"])
    assert "sha256:" in text, text
    assert client.images.get("sdk/import:v1").attrs["Config"]["Cmd"] == ["/bin/sh", "-c", "cat /word"]
    client.images.remove("sdk/import:v1")


def tar_of(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def pull():
    name = os.environ["SDK_REGISTRY"] + "/busybox"
    pulled = client.images.pull(name, tag="latest")
    assert pulled.tags == [name + ":latest"] or name + ":latest" in pulled.tags, pulled.tags
    lines = list(client.api.pull(name, tag="latest", stream=True, decode=True))
    assert any("Image is up to date" in line.get("status", "") for line in lines), lines
    try:
        client.images.pull(os.environ["SDK_REGISTRY"] + "/nothing", tag="latest")
    except docker.errors.APIError as error:
        assert error.status_code in (404, 500), error
    else:
        raise AssertionError("what is not there was pulled")
    client.images.remove(name + ":latest")


def networks():
    pool = docker.types.IPAMPool(subnet="10.77.0.0/24", gateway="10.77.0.254")
    network = client.networks.create("sdk-net", driver="bridge", ipam=docker.types.IPAMConfig(pool_configs=[pool]), labels={"k": "v"}, check_duplicate=True)
    container = shell("exec sleep 1000", name="sdk-member")
    try:
        assert client.networks.list(names=["sdk-net"]) == [network]
        network.connect(container, aliases=["friend"], ipv4_address="10.77.0.9")
        network.reload()
        assert network.containers == [container]
        assert network.attrs["IPAM"]["Config"] == [{"Subnet": "10.77.0.0/24", "Gateway": "10.77.0.254"}], network.attrs["IPAM"]
        assert b"10.77.0.9" in container.exec_run("ip -4 -o addr").output
        assert b"10.77.0.9" in client.containers.run(image, ["nslookup", "friend"], network="sdk-net", remove=True)
        refused(403, network.remove, "has active endpoints")
        network.disconnect(container)
        network.reload()
        assert network.containers == []
    finally:
        gone(container)
    network.remove()
    refused(404, lambda: client.networks.get("sdk-net"), "sdk-net")


def volumes():
    volume = client.volumes.create("sdk-volume", driver="local", labels={"k": "v"})
    try:
        assert volume in client.volumes.list(filters={"label": "k=v"})
        client.containers.run(image, ["sh", "-c", "echo kept >/d/f"], volumes={"sdk-volume": {"bind": "/d", "mode": "rw"}}, remove=True)
        mount = docker.types.Mount("/d", "sdk-volume", read_only=True)
        assert client.containers.run(image, ["cat", "/d/f"], mounts=[mount], remove=True) == b"kept\n"
        holder = shell("exec sleep 1000", volumes=["sdk-volume:/d"])
        refused(409, volume.remove, "volume is in use")
        gone(holder)
    finally:
        volume.remove()
    refused(404, lambda: client.volumes.get("sdk-volume"), "sdk-volume")


def events():
    seen, ready, begin = [], threading.Event(), int(time.time())
    stream = client.events(decode=True, filters={"type": "container", "label": "sdk-events"})

    def listen():
        ready.set()
        for event in stream:
            seen.append(event["Action"])
            if event["Action"] == "destroy":
                break

    listener = threading.Thread(target=listen)
    listener.start()
    ready.wait(10)
    gone(shell("exec sleep 1000", labels={"sdk-events": ""}))
    listener.join(20)
    stream.close()
    assert seen[:2] == ["create", "start"] and "die" in seen and seen[-1] == "destroy", seen
    past = list(client.events(decode=True, since=begin, until=int(time.time()) + 1, filters={"type": "container", "label": "sdk-events"}))
    assert [event["Action"] for event in past] == seen, past


def prunes():
    """The dictionaries of the prunes and of df have what the SDK's users read."""
    container = client.containers.create(image, "true", labels={"sdk-prune": ""})
    assert client.containers.prune(filters={"label": "sdk-prune"})["ContainersDeleted"] == [container.id]
    client.networks.create("sdk-prune-net")
    assert client.networks.prune()["NetworksDeleted"] == ["sdk-prune-net"]
    volume = client.volumes.create()
    assert client.volumes.prune()["VolumesDeleted"] == [volume.name]
    assert client.images.prune()["ImagesDeleted"] is None
    usage = client.df()
    assert usage["LayersSize"] > 0 and len(usage["Images"]) == len(client.images.list()) and usage["Volumes"] == []


def outside_a_swarm():
    """What is a swarm's or a plugin's answers as a daemon does that has none."""
    assert client.plugins.list() == []
    refused(404, lambda: client.plugins.get("sshfs"), 'plugin "sshfs" not found')
    refused(503, lambda: client.services.list(), "not a swarm manager")
    refused(503, lambda: client.swarm.leave(), "not part of a swarm")


def committed():
    container = shell("echo 1 >/new")
    try:
        # It is about to end, has ended, or runs on: a commit is whole whichever it is.
        made = client.images.get(client.api.commit(container.id, changes=["EXPOSE 80"])["Id"])
        assert made.attrs["Container"] == container.id and made.attrs["ContainerConfig"]["Image"] == image, made.attrs
        assert made.attrs["Parent"] == client.images.get(image).id
        client.images.remove(made.id)
        for _ in range(10):
            container.start()
            client.images.remove(container.commit().id)
    finally:
        gone(container)


def archives():
    container = shell("exec sleep 1000", user="1000:2000")
    try:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            info = tarfile.TarInfo("in/file")
            info.size, info.uid, info.gid, info.mode = 4, 7, 8, 0o640
            tar.addfile(info, io.BytesIO(b"put\n"))
        assert container.put_archive("/tmp", data.getvalue())
        chunks, stat = container.get_archive("/tmp/in")
        assert stat["name"] == "in" and stat["mode"] & 1 << 31 and stat["linkTarget"] == "", stat
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            assert tar.getnames() == ["in", "in/file"] and tar.extractfile("in/file").read() == b"put\n", tar.getnames()
            file = tar.getmember("in/file")
            assert (file.uid, file.gid, file.mode) == (7, 8, 0o640), file.get_info()
        refused(404, lambda: container.get_archive("/none"), "Could not find the file /none in container")
        refused(404, lambda: container.put_archive("/none", data.getvalue()), "/none")
        refused(400, lambda: container.put_archive("/etc/passwd", data.getvalue()), "extraction point is not a directory")
        refused(400, lambda: container.put_archive("/tmp", b"no archive"), "damaged tar archive")
    finally:
        gone(container)


def stats():
    container = shell("exec sleep 1000", name="sdk-stats", mem_limit="64m")
    try:
        once = container.stats(stream=False)
        assert once["name"] == "/sdk-stats" and once["id"] == container.id and once["memory_stats"]["limit"] == 64 << 20, once
        assert once["precpu_stats"]["system_cpu_usage"] < once["cpu_stats"]["system_cpu_usage"], once
        stream = container.stats(decode=True)
        first, second = next(stream), next(stream)
        assert first["read"] == second["preread"] and first["preread"].startswith("0001-01-01"), (first, second)
        stream.close()
    finally:
        gone(container)
    refused(404, lambda: client.api.stats("sdk-stats", stream=False), "No such container")


def update():
    container = shell("exec sleep 1000", name="sdk-update", mem_limit="64m")
    try:
        assert container.update(mem_limit="32m", memswap_limit="96m", cpu_shares=300, restart_policy={"Name": "always"}) == {"Warnings": None}
        container.reload()
        host = container.attrs["HostConfig"]
        assert (host["Memory"], host["MemorySwap"], host["CpuShares"]) == (32 << 20, 96 << 20, 300), host
        assert host["RestartPolicy"] == {"Name": "always", "MaximumRetryCount": 0}, host
        refused(400, lambda: container.update(mem_limit="1m"), "Minimum memory limit allowed is 6MB")
        refused(409, lambda: container.update(mem_limit="1g"), "update the memoryswap at the same time")
    finally:
        gone(container)


def not_done():
    """What brig leaves out is refused with a reason, not with a stream that never ends or a wrong answer."""
    container = shell("exec sleep 1000")
    try:
        refused(501, lambda: client.swarm.init(), "not")
    finally:
        gone(container)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
