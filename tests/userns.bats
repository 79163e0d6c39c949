#!/usr/bin/env bats
# userns.bats: userns-remap: containers in user namespaces over layers, volumes and files that nobody remapped. Its /etc is a copy, in
# which useradd may make dockremap.
load lib

setup_file() {
  make_host
  mkdir "$root/etc" "$root/etc.work"
  on_host mount -t overlay overlay -o "lowerdir=/etc,upperdir=$root/etc,workdir=$root/etc.work" /etc
  on_host sh -c 'sed -i /dockremap/d /etc/passwd /etc/group; printf "other:100000:70000\n" >/etc/subuid; printf "other:200000:65536\n" >/etc/subgid'
  start_daemon --userns-remap default
  load_busybox
  export root build host_pid daemon_pid
}
teardown_file() { end_host; }

# Some tests take the remap away: where one failed before it was back, it comes back here.
setup() {
  [[ $(brig info -f '{{json .SecurityOptions}}') == *name=userns* ]] || { stop_daemon; start_daemon --userns-remap default; }
}

teardown() { remove_all; }

first_uid=170000 first_gid=265536

@test "default: dockremap is made, with ranges behind all others; info says so" {
  [[ $(on_host cat /etc/subuid) == *dockremap:$first_uid:65536* && $(on_host cat /etc/subgid) == *dockremap:$first_gid:65536* ]]
  on_host id dockremap
  [[ $(brig info -f '{{json .SecurityOptions}}') == *name=userns* ]]
}

@test "root inside is nobody outside; the rest is as in any container" {
  brig run -d --name box busybox sh -c 'echo out; touch /mine; sleep 600'
  pid=$(pid_of box)
  [[ $(stat -c %u:%g "/proc/$pid") == "$first_uid:$first_gid" ]]
  run brig exec box sh -c 'id -u; cat /proc/self/uid_map; stat -c "%n %u:%g" / /bin/busybox /mine /etc/hosts /etc/resolv.conf /etc/hostname
    echo x >/dev/null; echo "10.0.0.9 added" >>/etc/hosts && echo hosts; echo again >/dev/stdout
    ls /sys/class/net; cat /proc/sys/net/ipv4/ping_group_range; echo 1 >/proc/sysrq-trigger || echo masked; hostname; mount -t tmpfs x /tmp || echo no mount
    mknod /tmp/n c 1 3 || echo no mknod'
  echo "$output"
  [[ $status -eq 0 && ${lines[0]} == 0 && $output == *"$first_uid"* ]]
  for file in / /bin/busybox /mine /etc/hosts /etc/resolv.conf /etc/hostname; do [[ $output == *"$file 0:0"* ]]; done
  [[ $output == *hosts*again* && $output == *eth0* && $output == *65535* && $output == *masked* && $output == *"no mount"* && $output == *"no mknod"* ]]
  [[ $(brig logs box) == out ]]
  # On the disk it is as in the image, and in a copy, a list and an image.
  [[ $(stat -c %u:%g "$(echo "$root"/data/containers/*/upper/mine)") == 0:0 ]]
  brig cp box:/mine - | tar -tvf - --numeric-owner | grep '0/0'
  [[ $(brig diff box) == *"A /mine"* ]]
  brig commit box made >/dev/null
  [[ $(brig run --rm made stat -c %u:%g /mine) == 0:0 ]]
  [[ $(brig run --rm --userns host made stat -c %u:%g /mine) == 0:0 ]]
  brig rmi made >/dev/null
}

@test "another user, its pipes and terminal, a copy into what runs and what does not" {
  brig run -d --name box -u web busybox sleep 600
  [[ $(stat -c %u "/proc/$(pid_of box)") == $((first_uid + 1000)) ]]
  [[ $(brig exec box sh -c 'echo hello >/dev/stdout; id -un') == *hello*web* ]]
  [[ $(brig exec -u 0 box sh -c 'chown 7:8 /www && stat -c %u:%g /www') == 7:8 ]]
  run script -qec "$build/src/cli/brig exec -t -u 0 box tty" /dev/null
  [[ $output == */dev/pts/* ]]
  echo new >"$root/file" && chown 1000:1000 "$root/file"
  for state in runs stopped; do
    brig cp "$root/file" "box:/$state"
    brig cp -a "$root/file" "box:/$state-a"
    [[ $state == stopped ]] || brig stop -t 0 box >/dev/null
  done
  brig start box >/dev/null
  run brig exec box stat -c '%n %u:%g' /runs /runs-a /stopped /stopped-a
  [[ ${lines[*]} == "/runs 1000:1000 /runs-a 1000:1000 /stopped 1000:1000 /stopped-a 1000:1000" ]]
}

@test "volumes belong to whoever is inside, remapped or not; binds are shown as they are" {
  image_of owned 'mkdir data && echo x >data/seed && chown 1000:1000 data data/seed'
  [[ $(brig run --rm -v vol:/data owned sh -c 'echo y >/data/more; stat -c %u:%g /data /data/seed /data/more') == $'1000:1000\n1000:1000\n0:0' ]]
  [[ $(brig run --rm -v vol:/data --userns host busybox stat -c %u:%g /data/seed /data/more) == $'1000:1000\n0:0' ]]
  mkdir "$root/bound" && touch "$root/bound/file"
  run brig run --rm -v "$root/bound:/data" busybox sh -c 'stat -c %u:%g /data/file; touch /data/new'
  [[ $status -ne 0 && $output == 65534:65534*denied* ]]
  brig volume rm vol >/dev/null; brig rmi owned >/dev/null
}

@test "idmap: a bind with the container's ids, or with those that are said" {
  local maps='idmap=uids=1000-0-1#0-1-1000;gids=1000-0-1#0-1-1000'
  mkdir "$root/mapped" && touch "$root/mapped/file" && chown -R 1000:1000 "$root/mapped"
  [[ $(brig run --rm -v "$root/mapped:/data:idmap" -u web busybox sh -c 'touch /data/own && stat -c %u:%g /data/file') == 1000:1000 ]]
  [[ $(stat -c %u:%g "$root/mapped/own") == 1000:1000 ]]
  brig run --name box --userns host -v "$root/mapped:/data:$maps" busybox sh -c 'stat -c %u:%g /data/file; touch /data/root'
  [[ $(brig logs box) == 0:0 && $(stat -c %u:%g "$root/mapped/root") == 1000:1000 ]]
  brig cp box:/data/file - | tar -tvf - --numeric-owner | grep '0/0'
  [[ $(brig run --rm --userns host --mount "type=bind,src=$root/mapped,dst=/data,$maps" busybox stat -c %u:%g /data/file) == 0:0 ]]
  run brig create -v "$root/mapped:/data:$maps" busybox
  [[ $status -ne 0 && $output == *"say idmap alone"* ]]
  run brig create --userns host --mount "type=bind,src=$root/mapped,dst=/data,idmap" busybox
  [[ $status -ne 0 && $output == *"say which ids"* ]]
  run brig create --userns host -v "$root/mapped:/data:idmap=uids=0-1" busybox
  [[ $status -ne 0 && $output == *"invalid mount option"* ]]
}

@test "an image's mount has its owners as they are inside, of a container and of its copies" {
  image_of owned 'chmod 755 . && mkdir data && echo x >data/seed && chown 1000:1000 data data/seed'
  brig create --name box --mount type=image,src=owned,dst=/x -u web busybox sh -c 'stat -c %u:%g /x/data/seed /x/bin/busybox; cat /x/data/seed; touch /x/data/y || echo read-only'
  run brig start -a box
  [[ $output == *$'1000:1000\n0:0\nx\n'*read-only* ]] || { echo "$output"; return 1; }
  brig cp box:/x/data/seed - | tar -tvf - --numeric-owner | grep '1000/1000'
  [[ $(brig run --rm --userns host --mount type=image,src=owned,dst=/x,image-subpath=data busybox stat -c %u:%g /x/seed) == 1000:1000 ]]
  [[ $(brig run --rm --mount type=image,src=owned,dst=/x,image-subpath=data busybox stat -c %u:%g /x/seed) == 1000:1000 ]]
  brig rm box >/dev/null; brig rmi owned >/dev/null
}

@test "what dockerd refuses with user namespaces, and what --userns host lets through" {
  refuse() { run brig run --rm "${@:2}" busybox true; [[ $status -eq 125 && $output == *"$1"* ]] || { echo "$output"; return 1; }; }
  refuse 'privileged mode is incompatible with user namespaces' --privileged
  refuse "cannot share the host's network namespace when user namespaces are enabled" --network host
  refuse 'cannot share the host PID namespace when user namespaces are enabled' --pid host
  refuse UsernsMode --userns private
  [[ $(brig run --rm --userns host --privileged --network host --pid host busybox cat /proc/self/uid_map) == *" 0 4294967295"* ]]
  brig create --name host --userns host busybox true
  [[ $(brig inspect -f '{{.HostConfig.UsernsMode}}' host) == host ]]
}

@test "networks and processes are shared with their user namespace" {
  brig run -d --name donor --ipc shareable busybox sleep 600
  run brig run --rm --network container:donor --pid container:donor --ipc container:donor busybox sh -c 'touch /dev/shm/x; readlink /proc/self/ns/user; ls /sys/class/net; ps | grep -c "sleep 600"'
  [[ $status -eq 0 && ${lines[0]} == "$(readlink "/proc/$(pid_of donor)/ns/user")" && $output == *eth0* ]]
  run brig debug -u 0 donor sh -c 'readlink /proc/self/ns/user; stat -c %u /target/etc; echo x >/target/root/x'
  [[ $status -eq 0 && ${lines[0]} == "$(readlink "/proc/$(pid_of donor)/ns/user")" && ${lines[1]} == 0 && $(brig exec donor stat -c %u /root/x) == 0 ]]
  brig exec donor test -f /dev/shm/x
  run brig run --rm --pid container:donor busybox true
  [[ $status -eq 125 && $output == *'--network container:'* ]]
  brig run -d --name plain --userns host busybox sleep 600
  run brig run --rm --network container:plain busybox true
  [[ $status -eq 125 && $output == *"--userns host"* ]]
  brig run -d --name other busybox sleep 600
  run brig run --rm --network container:donor --pid container:other busybox true
  [[ $status -eq 125 && $output == *"containers donor and other are in two user namespaces"*"of the same container"* ]] || { echo "$output"; return 1; }
  brig run --rm --ipc host busybox true
  brig run --rm --device /dev/kmsg busybox test -c /dev/kmsg
  brig run --rm --cap-add NET_ADMIN busybox ip addr add 10.9.9.9/32 dev eth0
  run timeout 20 brig run --rm busybox ping -c 1 127.0.0.1
  [[ $status -eq 0 ]]
}

@test "builds run remapped, and their layers are not" {
  mkdir "$root/context" && echo a >"$root/context/a"
  cat >"$root/context/Dockerfile" <<'END'
FROM busybox AS one
RUN cat /proc/self/uid_map >/map && touch /ran && chown 7:8 /ran && mkdir /out && echo part >/out/part && chmod 600 /out/part
FROM busybox
COPY --from=one --chown=5 /ran /copied
RUN --mount=type=cache,target=/cache --mount=type=secret,id=s --mount=type=bind,target=/ctx --mount=type=bind,from=one,source=/out,target=/out \
  --mount=type=bind,from=one,source=/out,target=/rw,rw \
  cat /run/secrets/s /ctx/a /out/part >/all && touch /cache/x /rw/new && stat -c %u /cache/x /out/part >>/all
COPY --from=one /map /ran /
END
  echo secret >"$root/secret"
  brig build -q --secret "id=s,src=$root/secret" -t built "$root/context"
  run brig run --rm --userns host built sh -c 'cat /map /all; stat -c "%n %u:%g" /ran /copied'
  echo "$output"
  [[ $status -eq 0 && ${lines[0]} == *"$first_uid"*65536 && ${lines[*]:1} == "secret a part 0 0 /ran 7:8 /copied 5:5" ]]
  brig rmi built >/dev/null
}

@test "ids of a mount are judged at the start, too: the remap may have come since" {
  mkdir "$root/judged"
  brig create --name box --mount "type=bind,src=$root/judged,dst=/data,idmap" busybox true
  stop_daemon
  start_daemon
  run brig start box
  [[ $status -ne 0 && $output == *"without a user namespace say which ids"* ]] || { echo "$output"; return 1; }
  stop_daemon
  start_daemon --userns-remap default
  brig start -a box
}

@test "without the remap its containers go on, as others; a user that cannot be is refused by name" {
  brig run -d --name runs busybox sleep 600
  brig create --name rests busybox stat -c %u:%g /mine
  echo x >"$root/mine" && brig cp "$root/mine" rests:/mine
  stop_daemon
  run on_host timeout 20 "$build/src/daemon/brigd" --userns-remap no-such-user --data-root "$root/data" --exec-root "$root/run" -H "unix://$root/brig.sock"
  [[ $status -ne 0 && $output == *"no user 'no-such-user'"* ]]
  run on_host timeout 20 "$build/src/daemon/brigd" --userns-remap daemon --data-root "$root/data" --exec-root "$root/run" -H "unix://$root/brig.sock"
  [[ $status -ne 0 && $output == *"/etc/subuid has no range for user 'daemon'"*usermod* ]]
  start_daemon
  [[ $(brig info -f '{{json .SecurityOptions}}') != *name=userns* ]]
  [[ $(brig exec runs cat /proc/self/uid_map) == *"$first_uid"* ]]
  brig cp runs:/bin/busybox - | tar -tvf - --numeric-owner | grep '0/0'
  [[ $(brig start -a rests) == 0:0 ]]
}
