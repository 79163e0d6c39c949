# lib.bash: what the reference builds need beside tests/lib.bash: a way out for the test's host, base images, a service that is asked.

projects=$BATS_TEST_DIRNAME/reference
bundle=/etc/ssl/certs/ca-certificates.crt

# connect_host: a user-mode network for the test's host. Connections leave this machine as slirp4netns's own; the resolver is the one in
# /etc/resolv.conf, which it reaches as well.
connect_host() {
  local ready=$root/slirp.ready
  mkfifo "$ready"
  slirp4netns --configure --disable-host-loopback --ready-fd=4 "$host_pid" tap0 >"$root/slirp.log" 2>&1 4<>"$ready" 3>&- &
  slirp_pid=$!
  read -rt 20 -n 1 _ <"$ready" || { cat "$root/slirp.log"; return 1; }
}

# reaches URL: skips the test if this machine itself gets no answer from there.
reaches() {
  curl -sS --max-time 20 --retry 2 -o "$root/reached" "$1" 2>"$root/reach.log" || skip "no way to $1: $(tail -1 "$root/reach.log")"
}

# ---- Base images: one root of Debian's packages with this machine's toolchains, or Debian's where it has none; made once a suite run ----

make_bases() {
  local change
  local -a changes=()
  mkdir -p "$suite"
  [[ -e $suite/reference.tar ]] || make_root
  while IFS= read -r change; do changes+=(--change "ENV $change"); done < <(base_environment)
  brig import "${changes[@]}" "$suite/reference.tar" debian:reference >/dev/null
  for name in golang python node; do brig tag debian:reference "$name:reference"; done
  make_distroless | brig import - distroless:reference >/dev/null
}

# What programs of this machine are told of its registries and its certificates.
base_environment() {
  echo PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  printf '%s\n' {SSL_CERT_FILE,PIP_CERT,REQUESTS_CA_BUNDLE,NODE_EXTRA_CA_CERTS}="$bundle"
  printf '%s\n' GOTOOLCHAIN=local DEBIAN_FRONTEND=noninteractive PIP_ROOT_USER_ACTION=ignore
  env | grep -E '^(https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|GOPROXY|GOSUMDB|PIP_INDEX_URL|npm_config_registry)=' || :
}

make_root() {
  local dir=$suite/reference.root
  local packages=ca-certificates,adduser,python3-pip,libstdc++6
  [[ -x /usr/local/go/bin/go ]] || packages+=,golang-go
  node_here || packages+=,nodejs,npm
  mmdebstrap --quiet --variant=minbase "--include=$packages" bookworm "$dir" >"$suite/mmdebstrap.log" 2>&1 || { cat "$suite/mmdebstrap.log"; return 1; }
  [[ ! -x /usr/local/go/bin/go ]] || tar -C /usr/local --exclude=go/test --exclude=go/api --exclude=go/doc -c go | tar -C "$dir/usr/local" -x
  ! node_here || tar -C /usr -c bin/node bin/npm lib/node_modules/npm | tar -C "$dir/usr" -x
  cp "$bundle" "$dir$bundle"
  cp /etc/apt/apt.conf.d/99* "$dir/etc/apt/apt.conf.d/" 2>/dev/null || :
  tar -C "$dir" --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale --exclude='./var/lib/apt/lists/*' \
    -cf "$suite/reference.tar.part" . && mv "$suite/reference.tar.part" "$suite/reference.tar"
  rm -rf --one-file-system "$dir"
}

node_here() { [[ -x /usr/bin/node && -e /usr/bin/npm && -d /usr/lib/node_modules/npm ]]; }

# No shell, no packages: users, certificates, a directory for temporary files.
make_distroless() {
  local dir=$root/distroless
  mkdir -p "$dir"/{etc/ssl/certs,home/nonroot,tmp} && chmod 1777 "$dir/tmp" && chown 65532:65532 "$dir/home/nonroot"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$dir/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$dir/etc/group"
  cp "$bundle" "$dir$bundle"
  tar -C "$dir" -c .
}

# ---- Building and asking ----

# build_project PROJECT ARG...: builds service-PROJECT; its plain progress in $output.
build_project() {
  local name=$1 start=$SECONDS; shift
  run timeout 240 brig build --progress plain -t "service-$name" "$@" "$projects/$name"
  echo "$output"
  [[ $status -eq 0 ]] || return 1
  echo "# $name: built in $((SECONDS - start)) s" >&3
}

# ran TEXT: whether a step with this text was run, not found, in $output.
ran() {
  local step
  step=$(grep -F -- "$1" <<<"$output" | grep -oE '^#[0-9]+ \[' | head -1) || { echo "no step says '$1'"; return 1; }
  ! grep -qE "^${step% \[} CACHED" <<<"$output"
}

not_run() { ! ran "$1"; }

# files_in IMAGE DIRECTORY...: the files of an image, which only root may see all of.
files_in() { brig run --rm --user 0 --entrypoint find "$1" "${@:2}" -type f | sort; }

# cached_by IMAGE DIRECTORY...: whether each of these cache mounts holds files.
cached_by() {
  local image=$1 dir; shift
  for dir in "$@"; do
    run brig build --progress plain - < <(printf 'FROM %s\nRUN --mount=type=cache,target=%s,sharing=locked [ -n "$(find %s -type f | head -1)" ]\n' "$image" "$dir" "$dir")
    [[ $status -eq 0 ]] || { echo "$output"; return 1; }
  done
}

# serve IMAGE PORT: runs it, with the port published, until it answers; its page in $page.
serve() {
  brig rm -f service >/dev/null 2>&1 || :
  brig run -d --name service -p "127.0.0.1:18080:$2" "$1" >/dev/null
  wait_until answers || { brig logs service; brig ps -a; return 1; }
  echo "$page"
}

is_healthy() { [[ $(brig ps --filter name="^$1\$" --format '{{.Status}}') == *"(healthy)" ]]; }

answers() { page=$(on_host curl -s --max-time 5 http://127.0.0.1:18080/); }
