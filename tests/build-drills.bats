#!/usr/bin/env bats
# Hostile builds of our own: Dockerfiles, contexts, archives and base images that want out. What is asked after each is whether the host is as
# it was: canary files, mounts, links, the daemon's descriptors, control groups; and whether anything of the host is in the image. Needs root.

setup_file() {
  load lib
  make_host
  # An environment that no step may see (CVE-2021-3602).
  export BRIG_DRILL_SECRET=host-environment
  start_daemon
  unset BRIG_DRILL_SECRET
  export root host_pid daemon_pid
  load_busybox
  mkdir -p "$root/out/deep"
  echo host-canary >"$root/out/canary"
  echo host-canary >"$root/out/deep/canary"
  chmod 700 "$root/out/deep"
  printf 'FROM busybox\nRUN true\n' | brig build -q - >/dev/null
  # Taken through a link: what a hostile path to the host is, from any depth.
  export up=../../../../../../../../../../../..
  snapshot >"$root/before"
}

teardown_file() { load lib; end_host; }

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  context=$(mktemp -d "$root/context.XXXXXX")
}

teardown() {
  [[ -z ${helper:-} ]] || kill "$helper" 2>/dev/null || : # of a test that failed before it ended it
  wait_until eval 'snapshot | cmp -s "$root/before" -' || { snapshot | diff "$root/before" -; return 1; }
}

# What no drill may change.
snapshot() {
  sha256sum "$build/src/runtime/brig-runtime" "$build/src/monitor/brig-monitor" "$build/src/image/brig-image" /bin/busybox /etc/passwd /etc/shadow /etc/hostname
  find "$root/out" -printf '%p %y %m %U %s %l\n' | sort
  find "$root/out" -type f -exec sha256sum {} +
  cat /proc/sys/kernel/core_pattern
  stat -c '%t:%T %a %u' /dev/null
  awk '{ print $4, $5, $6 }' "/proc/$host_pid/mountinfo" /proc/self/mountinfo | sort
  on_host ip -o link | sed 's/@.*//; s/<.*//'
  find /sys/fs/cgroup -path "*/brig-test-$host_pid/*" -type d
  # Connections of clients end a moment later than their requests; sockets stay; databases are opened a second time for their copies.
  ls -l "/proc/$daemon_pid/fd" | grep -o '/.*' | grep -v -e '^/.* socket:' -e '\.db' | sort
  find "$root/run/build" "$root/data/containers" "$root/data/build/contexts" "$root/run/containers" -mindepth 1 -maxdepth 1
}

dockerfile() { cat >"$context/Dockerfile"; }
build() { run timeout 60 brig build --progress plain "$@" "$context"; echo "$output"; [ "$status" -ne 124 ]; }
# The build ends, well or with an error, and gives nothing of the host.
gives_nothing_of_the_host() {
  build -t drill "$@"
  # Its own instructions may name the canary, what they print may not have it.
  grep -v -e ' RUN ' -e '|' <<<"$output" | no grep host-canary
  [ "$status" -ne 0 ] || { brig save -o "$root/drill.tar" drill; no grep -qa host-canary "$root/drill.tar"; }
}
# It goes well, which a build that is merely refused does not.
builds_nothing_of_the_host() { gives_nothing_of_the_host "$@"; [ "$status" -eq 0 ]; }
# ends_with TEXT: it fails with this error; without a text it goes well.
ends_with() {
  [[ -n $1 ]] || { builds_nothing_of_the_host; return; }
  gives_nothing_of_the_host
  [ "$status" -eq 1 ]
  [[ $(tail -1 <<<"$output") == *"$1"* ]]
}
fails_with() { build; [ "$status" -eq 1 ]; [[ $output == *"$1"* ]]; }
in_image() { brig run --rm drill "$@"; }

# swap_all A B [A B…]: exchanges each pair in turn, until end_swap or this test's process has ended; the number of rounds goes to $root/rounds.
swap_all() {
  python3 -c '
import ctypes, itertools, signal, sys
libc = ctypes.CDLL(None)
pairs = [(a.encode(), b.encode()) for a, b in zip(sys.argv[2::2], sys.argv[3::2])]
rounds = 0
def end(*_):
    open(sys.argv[1], "w").write(str(rounds)); sys.exit(0)
signal.signal(signal.SIGTERM, end)
libc.prctl(1, signal.SIGTERM) # PR_SET_PDEATHSIG
for a, b in itertools.cycle(pairs):
    libc.renameat2(-100, a, -100, b, 2)
    rounds += 1' "$root/rounds" "$@" >/dev/null 2>&1 3>&- &
  helper=$!
}
end_swap() { kill "$helper"; wait "$helper" 2>/dev/null || :; helper=; echo "$(cat "$root/rounds") exchanges"; [ "$(cat "$root/rounds")" -ge 10000 ]; }

# ---- races ----

@test "CVE-2024-23651: a context's directory becomes a link to the host's while it is copied and bound" {
  local end=$((SECONDS + 8)) builds=0 well=0
  mkdir -p "$context/race/d"; echo inside >"$context/race/d/canary"
  ln -s "$root/out" "$context/link"
  echo link >"$context/.dockerignore"
  swap_all "$context/race/d" "$context/link"
  while [[ $SECONDS -lt $end ]]; do
    # As a directory or as a link, or refused as having changed; what is behind the link in no case.
    if [[ $((builds % 2)) -eq 0 ]]; then
      printf 'FROM scratch\nCOPY race /%s\n' $builds >"$context/Dockerfile"
    else
      printf 'FROM busybox\nRUN %s cat /m*/d/canary || : %s\n' "$(printf -- '--mount=source=race,target=/m%s ' {1..40})" $builds >"$context/Dockerfile"
    fi
    gives_nothing_of_the_host
    [[ $status -ne 0 ]] || well=$((well + 1))
    [[ $status -le 1 ]]
    builds=$((builds + 1))
  done
  echo "# $well of $builds builds went well"
  end_swap
  [ "$well" -ge 2 ]
  brig rmi -f drill >/dev/null 2>&1 || :
}

@test "CVE-2024-23651: a shared cache mount's directory becomes a link while another step mounts below it" {
  local end=$((SECONDS + 7)) builds=0 inside=0
  # What another step could do to the cache that both share is done from outside, as fast as it goes.
  cat >"$context/Dockerfile" <<END
FROM busybox
RUN --mount=type=cache,id=race,target=/c mkdir -p /c/d && ln -sfn $up$root/out /c/l && echo inside >/c/d/canary
END
  build -t drill; [ "$status" -eq 0 ]
  local cache; cache=$(dirname "$(find "$root/data/build/mounts" -name canary -path '*/d/*' | head -1)")
  [ -n "$cache" ]
  swap_all "$cache" "$(dirname "$cache")/l"
  while [[ $SECONDS -lt $end ]]; do
    dockerfile <<END
FROM busybox
RUN --mount=type=cache,id=race,target=/c --mount=type=tmpfs,target=/c/d/deep --mount=type=bind,target=/c/d/made touch /c/d/deep/x; cat /c/d/canary; echo $builds
END
    # As a directory or as a link within the step's own root; where it changes from one to the other in the middle of a mount, that is refused.
    gives_nothing_of_the_host
    [[ $status -eq 0 || $output == *"make '/c/d/"*"' in the container's root: Not a directory"* ]]
    [[ $output != *" inside"* ]] || inside=$((inside + 1))
    builds=$((builds + 1))
  done
  echo "$builds builds, $inside saw the directory"
  end_swap
  [ "$inside" -ge 1 ]
  brig builder prune -af >/dev/null
}

@test "CVE-2024-23652: what a step leaves in place of a mount point's parents leads nowhere when the mounts go" {
  dockerfile <<END
FROM busybox
RUN --mount=type=tmpfs,target=/a/deep/canary --mount=type=cache,target=/b/deep mv /a /moved; ln -s $root/out /a; mv /b /moved2; ln -s $up$root/out /b; mkdir -p /x; ls /a /b || true
RUN --mount=type=tmpfs,target=/a/deep/canary --mount=type=tmpfs,target=/b/deep --mount=type=secret,id=s,target=/a/secret ls /a /b
END
  echo x >"$root/secret"
  builds_nothing_of_the_host --secret "id=s,src=$root/secret"
}

# ---- what is not allowed ----

@test "CVE-2024-23653: --security=insecure is refused, whoever asks, as this daemon does not allow it" {
  dockerfile <<<$'FROM busybox\nRUN echo ran\nRUN --security=insecure true'
  fails_with "Dockerfile:3:1: RUN --security=insecure: security.insecure is not allowed"
  [[ $output != *"] RUN echo ran"* ]]
  [[ $output == *"did not ask for it (\`brig build --allow security.insecure\`"*", and the daemon does not allow it (\"builder\": {\"entitlements\": {\"security-insecure\": true}}"* ]]
  build --allow security.insecure
  [ "$status" -eq 1 ]
  [[ $output == *"Dockerfile:3:1: RUN --security=insecure: security.insecure is not allowed: the daemon does not allow it"* && $output != *"] RUN echo ran"* ]]
  run env DOCKER_BUILDKIT=0 docker build "$context"; echo "$output"; [ "$status" -eq 1 ]
  [[ $output == *"security.insecure is not allowed"* ]]
  # Nor by what a base image has its children run.
  printf 'FROM busybox\nONBUILD RUN --security=insecure true\n' | brig build -q -t trigger - >/dev/null
  printf 'FROM busybox\nRUN echo ran\nFROM trigger\nCOPY --from=0 /bin/busybox /ran\n' >"$context/Dockerfile"
  build --allow security.insecure
  [ "$status" -eq 1 ]
  [[ $output == *"Dockerfile:3:1: ONBUILD trigger of the base: RUN --security=insecure: security.insecure is not allowed"* && $output != *"] RUN echo ran"* ]]
  brig rmi trigger >/dev/null
  # The host's network is its client's to give.
  dockerfile <<<$'FROM busybox\nRUN --network=host ls /sys/class/net'
  fails_with "Dockerfile:2:1: RUN --network=host: network.host is not allowed: the build did not ask for it"
  build --allow network.host; [ "$status" -eq 0 ]
  [[ $output == *brig0* ]]
  run brig build --allow security.insecure=1 --allow device "$context"; echo "$output"; [ "$status" -ne 0 ]
  [[ $output == *"invalid --allow: allow security.insecure=1: no such thing can be allowed"* ]]
  dockerfile <<<$'FROM busybox\nARG S=insecure\nRUN --security=$S true'
  build; [ "$status" -eq 1 ]
  # Nor by a frontend's image: `# syntax=` runs nothing.
  dockerfile <<<$'# syntax=127.0.0.1:1/evil:latest\nFROM busybox\nRUN grep CapEff /proc/self/status >/caps; grep -c . /proc/kcore >/dev/null 2>&1 && echo kcore >>/caps; mknod /disk b 254 0 && head -c1 /disk >>/caps 2>/dev/null; mount -t tmpfs x /mnt 2>/dev/null && echo mounts >>/caps; cat /caps'
  build -t drill; [ "$status" -eq 0 ]
  [ "$(in_image sh -c 'wc -l </caps; tail -1 /caps')" = $'1\nCapEff:\t00000000a80425fb' ]
}

@test "CVE-2021-3602: nothing of the daemon's environment, descriptors or secrets is in a step or an image" {
  dockerfile <<'END'
FROM busybox
RUN env >/seen; cat /proc/*/environ >>/seen 2>/dev/null; cat /proc/*/cmdline >>/seen; ls -l /proc/1/fd /proc/self/fd >>/seen; cat /proc/mounts >>/seen
END
  build -t drill; [ "$status" -eq 0 ]
  in_image cat /seen >"$root/seen"
  grep -q HOME= "$root/seen"
  no grep host-environment "$root/seen"
  tr '\0' '\n' <"/proc/$daemon_pid/environ" | grep -q host-environment
  [ -z "$(in_image sh -c "grep -e '-> /[^dp]' /seen | grep -v -e '-> /seen'")" ]
  brig image inspect drill >"$root/seen"
  no grep host-environment "$root/seen"
  # What the environment of a step is: the image's, and nothing else.
  dockerfile <<<$'FROM busybox\nRUN env | cut -d= -f1 | sort | tr "\\n" " "'
  build; [[ $output == *" HOME PATH PWD SHLVL "* ]]
}

@test "CVE-2024-24557: an image of the same history is not the cache of what differs; HEALTHCHECK and ONBUILD count" {
  echo good >"$context/file"
  dockerfile <<<$'FROM scratch\nCOPY file /file\nHEALTHCHECK CMD good\nONBUILD RUN good'
  build -t drill; [ "$status" -eq 0 ]
  # The same history and configuration over another layer.
  brig save drill >"$root/saved.tar"
  python3 - "$root/saved.tar" "$root/evil.tar" <<'END'
import hashlib, io, json, sys, tarfile
tar = tarfile.open(sys.argv[1])
read = lambda name: tar.extractfile(name).read()
manifest = json.loads(read("manifest.json"))
config = json.loads(read(manifest[0]["Config"]))
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w") as out:
    info = tarfile.TarInfo("file"); info.size = 5
    out.addfile(info, io.BytesIO(b"evil\n"))
layer = layer.getvalue()
config["rootfs"]["diff_ids"] = ["sha256:" + hashlib.sha256(layer).hexdigest()]
config["config"]["Healthcheck"] = {"Test": ["CMD-SHELL", "evil"]}
text = json.dumps(config).encode()
with tarfile.open(sys.argv[2], "w") as out:
    for name, data in (("c.json", text), ("layer.tar", layer), ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["evil:latest"], "Layers": ["layer.tar"]}]).encode())):
        info = tarfile.TarInfo(name); info.size = len(data)
        out.addfile(info, io.BytesIO(data))
END
  brig rmi -f drill >/dev/null; brig builder prune -af >/dev/null
  brig load <"$root/evil.tar"
  build -t drill; [ "$status" -eq 0 ]
  [[ $output != *CACHED* ]]
  run env DOCKER_BUILDKIT=0 docker build --cache-from evil -t drill2 "$context"; echo "$output"; [ "$status" -eq 0 ]
  for name in drill drill2; do
    [[ $(brig image inspect $name) != *evil* ]]
    brig save -o "$root/saved.tar" $name
    tar -xOf "$root/saved.tar" >"$root/seen"
    no grep -qa evil "$root/seen"
  done
  [ "$(brig image inspect -f '{{json .Config.Healthcheck.Test}}' drill)" = '["CMD-SHELL","good"]' ]
  dockerfile <<<$'FROM scratch\nCOPY file /file\nHEALTHCHECK CMD other\nONBUILD RUN other'
  build -t drill; [ "$status" -eq 0 ]
  [ "$(brig image inspect -f '{{json .Config.Healthcheck.Test}} {{json .Config.OnBuild}}' drill)" = '["CMD-SHELL","other"] ["RUN other"]' ]
  brig rmi -f evil drill drill2 >/dev/null 2>&1 || :
}

# ---- names and paths ----

@test "cache ids with ../, separators and newlines are names like others" {
  local id
  for id in ../../../out ../../../../out/canary /etc . .. a/../../out "$(printf 'a%.0s' {1..300})" '$(id)' 'a;b' $'\tx'; do
    printf 'FROM busybox\nRUN --mount="type=cache,target=/c,id=%s" echo x >/c/canary; ls /c\n' "$id" >"$context/Dockerfile"
    build
    [ "$status" -eq 0 ]
  done
  find "$root/data/build/mounts" -mindepth 1 -maxdepth 1 | while read -r dir; do [[ ${dir##*/} =~ ^[0-9a-f.-]+$ ]]; done
  brig builder prune -af >/dev/null
  [ -z "$(find "$root/data/build/mounts" -mindepth 1 -maxdepth 1)" ]
}

@test "targets: .., links of the image, /proc, /dev, /etc/passwd" {
  echo shh >"$root/secret"
  dockerfile <<END
FROM busybox AS links
RUN ln -s $root/out /abs; ln -s $up$root/out /rel; ln -s /proc/1/root /magic; ln -s /proc/self/cwd /magic2; mkdir /etc/x
FROM links
RUN --mount=type=tmpfs,target=../../../../..$root/out/up touch $root/out/up/made
RUN --mount=type=tmpfs,target=/abs/made --mount=type=tmpfs,target=/rel/deep/made2 touch /abs/made/x /rel/deep/made2/x
RUN --mount=type=bind,target=/rel/context ls /rel/context
RUN --mount=type=secret,id=s,target=/abs/canary cat /abs/canary >/one
RUN --mount=type=secret,id=s,target=/etc/passwd cat /etc/passwd >/two
RUN --mount=type=secret,id=s,target=/etc/x/../../rel/secret cat /rel/secret >/three
RUN cat /one /two /three | sort -u; head -1 /etc/passwd
END
  builds_nothing_of_the_host --secret "id=s,src=$root/secret"
  [[ $output == *"shh"*"root:x:0:0"* ]]
  [ "$(in_image head -1 /etc/passwd)" = "root:x:0:0:root:/root:/bin/sh" ]
  local target
  for target in / /proc /proc/self /sys /dev /dev/null /magic/tmp/drill-made /magic2/x; do
    printf 'FROM %s\nRUN --mount=type=tmpfs,target=%s [ ! -e /magic/%s ] && ls / >/dev/null\n' drill "$target" "$root" >"$context/Dockerfile"
    build
  done
  [ ! -e /tmp/drill-made ]
}

@test "a directory to work in and a mount's source through links of the image" {
  dockerfile <<END
FROM busybox AS links
RUN ln -s $root/out /abs; ln -s $up$root/out /rel; ln -s /proc/1/root /magic
FROM links AS one
WORKDIR /abs/made
RUN pwd; echo x >here
WORKDIR /rel/made2
COPY --from=links /etc/passwd /abs/passwd
COPY --from=links /etc/passwd /rel/
ADD --chown=5:5 Dockerfile /abs/deep/
COPY --link Dockerfile /rel/linked
COPY <<A /abs/inline
text
A
END
  builds_nothing_of_the_host
  [[ $(in_image ls -R "$root/out") == *inline*passwd* ]]
  printf 'FROM drill\nRUN --mount=from=drill,source=%s,target=/m cat /m/canary; ls -R /m\n' /rel /abs /rel/../out "/..$root/out" >"$context/Dockerfile"
  builds_nothing_of_the_host
  printf 'FROM drill\nWORKDIR /magic/tmp/drill-made\nRUN touch x\n' >"$context/Dockerfile"
  ends_with "make '/magic/tmp/drill-made' in the container's root: Too many levels of symbolic links"
  [ ! -e /tmp/drill-made ]
}

@test "COPY out of a stage, and of a context, through links that lead out" {
  ln -s "$root/out" "$context/abs"; ln -s "$up$root/out" "$context/rel"; ln -s /proc/self/root "$context/magic"; ln -s "$root/out/canary" "$context/file"
  mkdir "$context/sub"; ln -s "../$up$root/out/canary" "$context/sub/file"
  dockerfile <<END
FROM busybox AS links
RUN ln -s $root/out /abs; ln -s $up$root/out /rel; ln -s /proc/self/root /magic; ln -s $root/out/canary /file; mkdir /all; ln -s $root/out/canary /all/one
FROM busybox
COPY --from=links /all /all
COPY sub /sub
END
  builds_nothing_of_the_host
  local source from missing
  for from in '' '--from=links '; do
    for source in abs/canary rel/canary "magic$root/out/canary" file sub/file 'abs/*' 'r*/canary' "../..$root/out/canary" "$root/out/canary" 'abs/./canary' 'magic/etc/shadow'; do
      printf 'FROM busybox AS links\nRUN ln -s %s /abs; ln -s %s /rel; ln -s /proc/self/root /magic; ln -s %s /file; mkdir /sub; ln -s ..%s /sub/file\nFROM busybox\nCOPY %s%s /got/\nRUN cat /got/* || true\n' \
        "$root/out" "$up$root/out" "$root/out/canary" "/$up$root/out/canary" "$from" "$source" >"$context/Dockerfile"
      # A wildcard copies what it finds, which is a link or nothing; with --parents a link is copied as one.
      missing="not found"; [[ $source != *'*'* ]] || missing=
      ends_with "$missing"
      [[ $source != *file ]] || missing=
      sed -i 's/^COPY/COPY --parents/' "$context/Dockerfile"
      ends_with "$missing"
    done
  done
}

# ---- archives and contexts ----

# hostile_tars DIRECTORY: one archive an attack.
hostile_tars() {
  python3 - "$1" "$root" <<'END'
import io, os, sys, tarfile
where, root = sys.argv[1:]
up = "../" * 14 + root.lstrip("/")
def make(name, *entries, form=tarfile.GNU_FORMAT):
    with tarfile.open(f"{where}/{name}.tar", "w", format=form) as tar:
        for path, kind, value in entries:
            info = tarfile.TarInfo(path)
            info.type = kind
            if kind == tarfile.REGTYPE: info.size = len(value); tar.addfile(info, io.BytesIO(value))
            else:
                if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE): info.linkname = value
                if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE): info.devmajor, info.devminor = value
                tar.addfile(info)
F, S, L, D = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
make("dots", (up + "/out/canary", F, b"evil"), ("ok", F, b"ok"))
make("absolute", (root + "/out/canary", F, b"evil"))
make("symlink-parent", ("link", S, root + "/out"), ("link/canary", F, b"evil"), ("link/deep/new", F, b"evil"))
make("symlink-parent-up", ("link", S, up + "/out"), ("link/canary", F, b"evil"))
make("symlink-file", ("canary", S, root + "/out/canary"), ("canary", F, b"evil"))
make("hardlink-out", ("hard", L, up + "/out/canary"))
make("hardlink-absolute", ("hard", L, root + "/out/canary"), ("hard", F, b"evil"))
make("hardlink-through-symlink", ("link", S, root + "/out"), ("hard", L, "link/canary"), ("hard", F, b"evil"))
make("hardlink-of-symlink", ("link", S, root + "/out/canary"), ("hard", L, "link"), ("hard", F, b"evil"))
make("chmod-through-symlink", ("link", S, root + "/out"), ("link", D, None))
make("device", ("disk", tarfile.BLKTYPE, (254, 0)), ("mem", tarfile.CHRTYPE, (1, 1)))
make("dot-names", ("..", D, None), (".", D, None), ("a/../../b", F, b"evil"), ("", F, b"x"))
make("whiteouts", (".wh..wh..opq", F, b""), (".wh.etc", F, b""), ("x/.wh..wh..opq", F, b""), (".wh.", F, b""), (".wh..", F, b""))
make("long", ("a" * 300, F, b"x"), ("/".join(["d" * 200] * 30), F, b"x"))
make("fifo", ("pipe", tarfile.FIFOTYPE, None))
# Sizes: of PAX records, of 2^63 and beyond, negative in base 256.
def raw(name, size, pax):
    info = tarfile.TarInfo("big"); info.size = 0
    head = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    if pax:
        record = f" size={size}\n"; length = len(record) + 2
        record = f"{length if len(str(length)) == 2 else length + 1}{record}".encode()
        extra = tarfile.TarInfo("pax"); extra.type = b"x"; extra.size = len(record)
        head = bytearray(extra.tobuf(tarfile.USTAR_FORMAT)) + record.ljust(512, b"\0") + head
    else:
        head[124:136] = size
        head[148:156] = b"        "
        head[148:156] = b"%06o\0 " % sum(head)
    open(f"{where}/{name}.tar", "wb").write(bytes(head) + b"data" * 128 + bytes(1024))
raw("pax-2-63", 2 ** 63, True)
raw("pax-2-63-less", 2 ** 63 - 1, True)
raw("pax-2-64", 2 ** 64 + 5, True)
raw("pax-negative", -1, True)
raw("base256", b"\xff" * 12, False)
raw("base256-large", b"\x80" + b"\x7f" * 11, False)
END
}

@test "ADD of hostile archives: .., absolute names, hard links through links, devices, sizes of 2^63" {
  local name refused
  hostile_tars "$context"
  for name in "$context"/*.tar; do
    name=${name##*/}
    printf 'FROM busybox\nADD %s /d/\nRUN find /d -type f -exec cat {} + ; ls -R /d /etc/passwd\n' "$name" >"$context/Dockerfile"
    case $name in
      dot* | hardlink-absolute* | hardlink-out* | hardlink-through* | long* | symlink-parent*) refused="refused archive entry" ;;
      whiteouts*) refused="can't be part of a layer" ;;
      *) refused= ;;
    esac
    ends_with "$refused"
    [[ -n $refused || $output == *"/etc/passwd"* ]]
    gzip -c "$context/$name" >"$context/$name.gz"
    sed -i "s/$name/$name.gz/" "$context/Dockerfile"
    ends_with "$refused"
    rm "$context/$name.gz"
  done
}

@test "contexts that are hostile archives, by the API and by brig build -" {
  local name dir=$BATS_TEST_TMPDIR/tars well=
  mkdir "$dir"
  hostile_tars "$dir"
  for name in "$dir"/*.tar; do
    # The Dockerfile first, so that what follows is read, too.
    printf 'FROM busybox\nCOPY . /d/\nRUN find /d -type f -exec cat {} +\n' >"$BATS_TEST_TMPDIR/Dockerfile"
    (tar -C "$BATS_TEST_TMPDIR" -b1 -cf - Dockerfile | head -c 1024; cat "$name") >"$BATS_TEST_TMPDIR/context.tar"
    run timeout 60 brig build --progress plain - <"$BATS_TEST_TMPDIR/context.tar"
    [ "$status" -ne 124 ]; [[ $output != *host-canary* ]]
    [[ $status -ne 0 ]] || well+=" $(basename "$name" .tar)"
    run curl -s --max-time 60 -X POST -H 'Content-Type: application/x-tar' --data-binary "@$BATS_TEST_TMPDIR/context.tar" --unix-socket "$root/brig.sock" http://d/build
    [ "$status" -eq 0 ]; [[ $output != *host-canary* ]]
  done
  # What is odd and harmless is built all the same.
  [ "$well" = " absolute chmod-through-symlink fifo hardlink-of-symlink symlink-file" ]
}

@test "ADDs of one build: 64 GiB at the most, whatever the archives say" {
  # 40 GiB of hole each, a few hundred bytes as an archive.
  truncate -s 40G "$BATS_TEST_TMPDIR/hole"
  tar -C "$BATS_TEST_TMPDIR" -S -cf "$context/one.tar" hole
  mv "$BATS_TEST_TMPDIR/hole" "$BATS_TEST_TMPDIR/hole2"
  tar -C "$BATS_TEST_TMPDIR" -S -cf "$context/two.tar" hole2
  dockerfile <<<$'FROM scratch\nADD one.tar /\nADD two.tar /'
  fails_with "all that the ADDs of a build download and unpack may be 64 GiB"
}

@test "Dockerfile and .dockerignore: links out, FIFOs, devices, directories, huge; none is waited for" {
  local name
  for name in Dockerfile .dockerignore; do
    for what in "ln -s $root/out/canary" "ln -s $up$root/out/canary" 'ln -s /proc/self/environ' 'ln -s loop' mkfifo 'mkdir' 'truncate -s 2G' 'zero' 'ln -s /dev/zero' 'ln -s /dev/tty'; do
      rm -rf "$context/$name" "$context/loop"; ln -s "$name" "$context/loop"
      [[ $name == Dockerfile ]] || printf 'FROM busybox\nCOPY . /d\nRUN cat /d/* 2>/dev/null | head -c 1000\n' >"$context/Dockerfile"
      if [[ $what == zero ]]; then mknod "$context/$name" c 1 5; else $what "$context/$name"; fi
      run timeout 30 brig build --progress plain "$context"
      echo "$name $what: $status $output"
      [ "$status" -ne 124 ]
      # A client reads the Dockerfile that its user names, as docker's does, and shows nobody else what it found.
      [[ $output != *host-canary* || $output == *"unknown instruction: host-canary"* ]]
      [[ $name == .dockerignore || $status -eq 1 ]]
      # The context as an archive: what is in it is the same.
      if [[ $what != truncate* ]]; then
        run timeout 30 bash -c "tar -C '$context' -c . | brig build --progress plain -"
        [ "$status" -ne 124 ]
        [[ $output != *host-canary* ]]
      fi
    done
    rm -rf "$context/$name"
  done
}

# ---- what stays of a step ----

@test "writable binds: what is written there is thrown away, of a context and of a stage" {
  echo mine >"$context/file"
  mkdir "$context/dir"
  dockerfile <<'END'
FROM busybox AS other
RUN echo other >/other
FROM busybox
RUN --mount=target=/m,rw echo changed >/m/file && rm -rf /m/dir && touch /m/new && chmod 777 /m
RUN --mount=target=/m,rw --mount=from=other,target=/o,rw echo changed >/o/other && touch /o/new && rm /o/etc/passwd && chmod 4777 /o/bin/busybox
RUN --mount=target=/m --mount=from=other,target=/o cat /m/file /o/other; ls /m/new /o/new 2>&1; echo x >/m/y 2>&1; echo x >/o/y 2>&1; stat -c %a /o/bin/busybox; :
END
  build -t drill; [ "$status" -eq 0 ]
  [[ $output == *" mine"*" other"* && $output == *"Read-only file system"* && $output == *" 755"* ]]
  [ "$(cat "$context/file")" = mine ]
  [[ -d $context/dir && ! -e $context/new ]]
  run brig run --rm drill ls /m /o
  [[ $output != *other* ]]
}

@test "an agent's socket is there for its step and for no other, and is closed after it" {
  python3 -c '
import os, socket, sys, threading
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(8)
while True:
    c, _ = s.accept(); c.sendall(b"agent\n"); open(sys.argv[2], "a").write("x")
    threading.Thread(target=lambda c=c: (c.recv(1), open(sys.argv[2], "a").write("e"))).start()' "$root/agent.sock" "$root/agent.log" >/dev/null 2>&1 3>&- &
  helper=$!
  wait_until test -S "$root/agent.sock"
  dockerfile <<'END'
FROM busybox
RUN --mount=type=ssh echo $SSH_AUTH_SOCK >/path; ls -l $SSH_AUTH_SOCK | cut -c1; (nc local:$SSH_AUTH_SOCK </dev/null || :) 2>/dev/null; ln $SSH_AUTH_SOCK /kept 2>/dev/null; cp -a $SSH_AUTH_SOCK /kept2 2>/dev/null; (setsid sleep 1003 <$SSH_AUTH_SOCK &) 2>/dev/null; :
RUN [ -z "$SSH_AUTH_SOCK" ] && [ ! -e "$(cat /path)" ] && [ ! -S /kept ] && echo gone
END
  run timeout 60 brig build --progress plain --ssh "default=$root/agent.sock" -t drill "$context"
  echo "$output"
  cat "$root/agent.log" || :
  kill "$helper"; wait "$helper" 2>/dev/null || :; helper=
  rm -f "$root/agent.sock" "$root/agent.log"
  [ "$status" -eq 0 ]
  [[ $output == *" gone"* ]]
  no pgrep -f 'sleep 1003' # no other test's number: others run beside this one
}

@test "files for a directory of the client's: its links are not followed, no devices, no setuid of strangers" {
  mkdir "$root/dest"
  ln -s "$root/out" "$root/dest/etc"
  ln -s "$root/out/canary" "$root/dest/canary"
  dockerfile <<'END'
FROM busybox AS made
RUN mkdir -p /o/etc && echo evil >/o/etc/canary && echo evil >/o/canary && ln -s ../../../../etc /o/up
FROM scratch
COPY --from=made /o /
END
  build -o "$root/dest"
  [ "$status" -eq 1 ]
  [[ $output == *"etc"* ]]
  rm "$root/dest/etc"
  build -o "$root/dest"; [ "$status" -eq 0 ]
  [ "$(cat "$root/dest/canary")" = evil ]
  [ ! -L "$root/dest/canary" ]
  rm -rf "$root/dest"
}

@test "names with newlines and escape sequences: a terminal obeys none of them" {
  local odd=$'a\n31mred\e]0;title\a\e[2J\rb'
  echo x >"$context/$odd"
  printf 'FROM busybox\nCOPY ["a\\n31mred\\u001b]0;title\\u0007\\u001b*2J\\rb", "/x"]\nRUN echo "\e]0;said\a" >/dev/null\nRUN printf "said out\\\\033]0;put\\\\007\\\\033[31m\\\\n"; exit 3\nCOPY no\e[31mthing /y\n' >"$context/Dockerfile"
  build
  [ "$status" -eq 1 ]
  [[ $output == *'\x1b]0;said\x07'* && $output == *"said out"* ]]
  # But for what a step itself prints, which is passed as it is where nobody watches.
  grep -v 'said out' <<<"$output" | no grep -q $'[\e\a]'
  # At a terminal nothing of it is left.
  run timeout 60 script -qec "brig build --no-cache '$context'" /dev/null </dev/null
  [[ $output == *"said out"* ]]
  [[ $output != *$'\e]'* && $output != *$'\a'* && $output != *$'\e[2J'* ]]
  sed -i 's/exit 3/true/' "$context/Dockerfile"
  build
  [ "$status" -eq 1 ]
  [[ $output == *"syntax error in pattern 'no\x1b[31mthing'"* ]]
  grep -v 'said out' <<<"$output" | no grep -q $'[\e\a]'
}
