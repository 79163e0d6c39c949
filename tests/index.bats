#!/usr/bin/env bats
# Multi-platform indexes against Debian's docker-registry: an index of two platforms, made of the busybox root. What is of another platform
# than this host's is kept, shown, pushed and saved, never run.

hosts_directory() { echo "$root/certs.d"; }

setup_file() {
  load lib
  make_host
  mkdir "$(hosts_directory)"
  start_daemon --registry-hosts-dir "$(hosts_directory)"
  start_registry 5000
  index=$("$top/tests/make-index.py" "$(busybox_tar)" "$root/layout" "$(host_architecture)" riscv64)
  on_host skopeo --insecure-policy copy -q --all --dest-tls-verify=false "oci:$root/layout:v1" docker://127.0.0.1:5000/multi:v1
  export root host_pid daemon_pid registry_pid registry_port index
}

teardown_file() {
  load lib
  stop_registry
  end_host
}

setup() { load lib; }

teardown() {
  for helper in ${liar:-} ${tls:-}; do kill "$helper" 2>/dev/null || :; done # of a test that failed before it ended them
  brig rmi -f $(brig images -aq) >/dev/null 2>&1 || :
}

id_of() { brig image inspect --format '{{.Id}}' "$@"; }

registry_digest() { on_host curl -sI -H 'Accept: application/vnd.oci.image.index.v1+json' "http://127.0.0.1:5000/v2/$1/manifests/$2" | tr -d '\r' | awk -F': ' 'tolower($1) == "docker-content-digest" { print $2 }'; }

store_is_empty() { [[ $(stored_blobs) -eq 0 && $(ls "$root/data/image/snapshots" | wc -l) -eq 0 ]]; }

stored_blobs() { ls "$root/data/image/blobs/sha256" | wc -l; }

@test "a pull keeps the index whole: its digest is the image's, its document is in the store" {
  run brig pull 127.0.0.1:5000/multi:v1
  [ "$status" -eq 0 ]
  [[ $output == *"Digest: $index"* ]]
  [ -e "$root/data/image/blobs/sha256/${index#sha256:}" ]
  [ "$(brig image inspect --format '{{index .RepoDigests 0}}' 127.0.0.1:5000/multi:v1)" = "127.0.0.1:5000/multi@$index" ]
  [ "$(brig images -q | wc -l)" -eq 1 ]
  [ "$(brig run --rm 127.0.0.1:5000/multi:v1)" = "$(host_architecture)" ]
  run brig image inspect --platform linux/riscv64 127.0.0.1:5000/multi:v1
  [ "$status" -eq 1 ]
  [[ $output == *"does not match the specified platform: wanted linux/riscv64, actual: linux/$(host_architecture)"* ]]
  run brig pull 127.0.0.1:5000/multi:v1
  [[ $output == *'Status: Image is up to date for 127.0.0.1:5000/multi:v1'* ]]
  brig rmi 127.0.0.1:5000/multi:v1
  [ "$(stored_blobs)" -eq 0 ]
}

@test "platforms of one tag live side by side; the name is this host's" {
  brig pull -q --platform linux/riscv64 127.0.0.1:5000/multi:v1
  foreign=$(id_of 127.0.0.1:5000/multi:v1)
  brig pull -q 127.0.0.1:5000/multi:v1
  own=$(id_of 127.0.0.1:5000/multi:v1)
  [ "$own" != "$foreign" ]
  [ "$(id_of --platform linux/riscv64 127.0.0.1:5000/multi:v1)" = "$foreign" ]
  [ "$(brig images --format '{{.Repository}}:{{.Tag}}' | sort | uniq -c | awk '{print $1}')" = 2 ]
  [ "$(brig history --platform riscv64 -q 127.0.0.1:5000/multi:v1 | head -1)" != "$(brig history -q 127.0.0.1:5000/multi:v1 | head -1)" ] || [ -z "$(brig history -q 127.0.0.1:5000/multi:v1)" ]
  # a container of the foreign one is made, not run
  container=$(brig create --platform linux/riscv64 127.0.0.1:5000/multi:v1)
  [ "$(brig inspect --format '{{.Image}}' "$container")" = "$foreign" ]
  brig cp "$container:/platform" - >/dev/null 2>&1 || brig export "$container" | tar -xO platform | grep -qx riscv64
  [ "$(brig run --rm --platform "linux/$(host_architecture)" 127.0.0.1:5000/multi:v1)" = "$(host_architecture)" ]
  run brig rmi 127.0.0.1:5000/multi:v1
  [ "$status" -eq 0 ]
  # the one that a container uses stays
  [ "$(brig images -aq --no-trunc)" = "$foreign" ]
  brig rm "$container"
  brig image prune -f
  wait_until store_is_empty # a container's hold on its layers may outlive its removal a little
}

@test "a missing platform is pulled by run and create" {
  brig pull -q 127.0.0.1:5000/multi:v1
  run brig create --platform linux/riscv64 127.0.0.1:5000/multi:v1
  [ "$status" -eq 0 ]
  brig rm "${lines[-1]}"
  [ "$(brig images -q | wc -l)" -eq 2 ]
  run brig create --pull never --platform linux/s390x 127.0.0.1:5000/multi:v1
  [ "$status" -ne 0 ]
}

@test "prune: all of an index, or what of it nobody uses" {
  brig pull -q 127.0.0.1:5000/multi:v1
  brig pull -q --platform riscv64 127.0.0.1:5000/multi:v1
  run brig image prune -f
  [ "$(brig images -q | wc -l)" -eq 2 ]
  brig create --name user 127.0.0.1:5000/multi:v1
  brig image prune -af
  [ "$(brig images --format '{{.Repository}}:{{.Tag}} {{.ID}}')" = "127.0.0.1:5000/multi:v1 $(brig inspect --format '{{.Image}}' user | cut -c8-19)" ]
  brig rm user
  brig image prune -af
  wait_until store_is_empty
}

@test "an index that is here whole is pushed whole, under the same digest; skopeo copies all of it" {
  brig pull -q 127.0.0.1:5000/multi:v1
  brig pull -q --platform riscv64 127.0.0.1:5000/multi:v1
  brig tag 127.0.0.1:5000/multi:v1 127.0.0.1:5000/again/multi:v2
  run brig push 127.0.0.1:5000/again/multi:v2
  echo "$output"
  [ "$status" -eq 0 ]
  [[ ${lines[-1]} == "v2: digest: $index size: "* ]]
  [ "$(registry_digest again/multi v2)" = "$index" ]
  on_host skopeo --insecure-policy copy -q --all --src-tls-verify=false docker://127.0.0.1:5000/again/multi:v2 "oci:$BATS_TEST_TMPDIR/copied:v2"
  [ -e "$BATS_TEST_TMPDIR/copied/blobs/sha256/${index#sha256:}" ]
  [ "$(ls "$BATS_TEST_TMPDIR/copied/blobs/sha256" | wc -l)" -eq 8 ]
  run brig image inspect --format '{{json .RepoDigests}}' 127.0.0.1:5000/again/multi:v2
  [[ $output == *"127.0.0.1:5000/again/multi@$index"* ]]
}

@test "push --platform, and of an index that is not here whole: the one image" {
  brig pull -q 127.0.0.1:5000/multi:v1
  brig tag 127.0.0.1:5000/multi:v1 127.0.0.1:5000/part:v1
  run brig push 127.0.0.1:5000/part:v1
  [ "$status" -eq 0 ]
  [[ $output == *'only the available one was pushed'* ]]
  [ "$(registry_digest part v1)" != "$index" ]
  run on_host skopeo inspect --raw --tls-verify=false docker://127.0.0.1:5000/part:v1
  [[ $output == *'"layers":'* ]]
  run brig push --platform linux/riscv64 127.0.0.1:5000/part:v1
  [ "$status" -eq 1 ]
  [[ $output == *'does not provide the specified platform (linux/riscv64)'* ]]
  brig pull -q --platform riscv64 127.0.0.1:5000/multi:v1
  brig push -q --platform linux/riscv64 127.0.0.1:5000/part:v1
  [ "$(on_host skopeo inspect --tls-verify=false --override-arch riscv64 --format '{{.Architecture}}' docker://127.0.0.1:5000/part:v1)" = riscv64 ]
}

@test "pull -a: every tag" {
  brig pull -q 127.0.0.1:5000/multi:v1
  for tag in a b c; do brig tag 127.0.0.1:5000/multi:v1 127.0.0.1:5000/tags:$tag; done
  brig push -q -a 127.0.0.1:5000/tags
  brig rmi -f $(brig images -q)
  run brig pull -a 127.0.0.1:5000/tags
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(brig images 127.0.0.1:5000/tags --format '{{.Tag}}' | sort | tr '\n' ' ')" = "a b c " ]
  [ "${lines[-1]}" = 127.0.0.1:5000/tags ]
  [ "${lines[-2]}" = 'Status: Downloaded newer image for 127.0.0.1:5000/tags' ]
  run brig pull -a 127.0.0.1:5000/tags:a
  [ "$status" -eq 1 ]
  [ "$output" = "tag can't be used with --all-tags/-a" ]
  run docker pull -a 127.0.0.1:5000/tags
  [ "$status" -eq 0 ]
  [[ $output == *'Status: Image is up to date for 127.0.0.1:5000/tags'* ]]
}

@test "save and load carry the index; skopeo reads it, too" {
  brig pull -q 127.0.0.1:5000/multi:v1
  brig pull -q --platform riscv64 127.0.0.1:5000/multi:v1
  own=$(id_of 127.0.0.1:5000/multi:v1)
  brig save -o "$BATS_TEST_TMPDIR/multi.tar" 127.0.0.1:5000/multi:v1
  brig rmi 127.0.0.1:5000/multi:v1
  run brig load -i "$BATS_TEST_TMPDIR/multi.tar"
  [ "$output" = 'Loaded image: 127.0.0.1:5000/multi:v1' ]
  [ "$(id_of 127.0.0.1:5000/multi:v1)" = "$own" ]
  id_of --platform riscv64 127.0.0.1:5000/multi:v1
  brig tag 127.0.0.1:5000/multi:v1 127.0.0.1:5000/loaded:v1
  brig push -q 127.0.0.1:5000/loaded:v1
  [ "$(registry_digest loaded v1)" = "$index" ]
  on_host skopeo --insecure-policy copy -q "docker-archive:$BATS_TEST_TMPDIR/multi.tar:127.0.0.1:5000/multi:v1" "dir:$BATS_TEST_TMPDIR/one"
  on_host skopeo --insecure-policy copy -q --all "oci-archive:$BATS_TEST_TMPDIR/multi.tar" "dir:$BATS_TEST_TMPDIR/all"
  cmp "$BATS_TEST_TMPDIR/all/manifest.json" "$root/layout/blobs/sha256/${index#sha256:}"
}

@test "save, load and rmi of one platform; docker's client, too" {
  tag=127.0.0.1:5000/multi:v1 own_platform=linux/$(host_architecture)
  brig pull -q --platform linux/riscv64 "$tag"
  brig pull -q "$tag"
  own=$(id_of "$tag") foreign=$(id_of --platform linux/riscv64 "$tag")
  brig save "$tag" -o "$root/both.tar"
  brig save --platform linux/riscv64 -o "$root/foreign.tar" "$tag"
  docker save --platform "$own_platform" -o "$root/own.tar" "$tag"
  run brig save --platform linux/s390x -o "$root/none.tar" "$tag"
  [[ $status -eq 1 && $output == *"does not match the specified platform: wanted linux/s390x"* ]] || { echo "$output"; return 1; }
  [ ! -e "$root/none.tar" ]
  [ "$(tar -xOf "$root/foreign.tar" manifest.json | jq -c '[.[].RepoTags]')" = "[[\"$tag\"]]" ]
  [ "$(tar -xOf "$root/foreign.tar" manifest.json | jq -r '.[0].Config')" = "blobs/sha256/${foreign#sha256:}" ]
  [ "$(tar -xOf "$root/own.tar" manifest.json | jq -r '.[0].Config')" = "blobs/sha256/${own#sha256:}" ]

  # Of an index: that image alone goes, or comes, and the names stay.
  run brig rmi --platform linux/s390x "$tag"
  [[ $status -eq 1 && $output == *"wanted linux/s390x"* ]]
  brig rmi --platform linux/riscv64 "$tag"
  [ "$(brig images -aq --no-trunc)" = "$own" ]
  docker rmi --platform "$own_platform" "$tag"
  [ -z "$(brig images -aq)" ]
  run brig load --platform linux/s390x -i "$root/both.tar"
  [[ $status -eq 1 && $output == *'the image archive has no image for platform linux/s390x'* ]] || { echo "$output"; return 1; }
  [ -z "$(brig images -aq)" ]
  docker load --platform linux/riscv64 -i "$root/both.tar"
  [ "$(brig images -aq --no-trunc)" = "$foreign" ]
  brig load --platform "$own_platform" -i "$root/both.tar"
  [ "$(id_of "$tag")" = "$own" ]
  [ "$(id_of --platform linux/riscv64 "$tag")" = "$foreign" ]
  [ "$(brig run --rm "$tag")" = "$(host_architecture)" ]
  brig rmi "$tag"
  # An archive without an index.
  run brig load --platform "$own_platform" -i "$root/foreign.tar"
  [ "$status" -eq 1 ]
  brig load --platform linux/riscv64 -i "$root/foreign.tar"
  [ "$(id_of "$tag")" = "$foreign" ]
  brig rmi "$tag"
  rm "$root"/{both,foreign,own}.tar
}

@test "a layout of skopeo's with an index is loaded" {
  tar -C "$root/layout" -cf "$BATS_TEST_TMPDIR/layout.tar" .
  run brig load -i "$BATS_TEST_TMPDIR/layout.tar"
  [ "$status" -eq 0 ]
  [[ $output == 'Loaded image ID: sha256:'* ]]
}

# ---- hosts.toml ----

# hosts REGISTRY: its hosts.toml from standard input.
hosts() { mkdir -p "$(hosts_directory)/$1"; cat >"$(hosts_directory)/$1/hosts.toml"; }

@test "a server and a mirror by hosts.toml: a dead mirror falls through" {
  hosts reg.example <<'END'
server = "http://127.0.0.1:5000"
[host."http://127.0.0.1:1"] # nobody is there
  capabilities = ["pull", "resolve"]
END
  run brig pull reg.example/multi:v1
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"Digest: $index"* ]]
  [ "$(brig run --rm reg.example/multi:v1)" = "$(host_architecture)" ]
  brig tag reg.example/multi:v1 reg.example/pushed:v1
  run brig push reg.example/pushed:v1
  [ "$status" -eq 0 ]
  on_host curl -sf -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' http://127.0.0.1:5000/v2/pushed/manifests/v1
}

@test "a mirror that lies is refused by digest" {
  cat >"$BATS_TEST_TMPDIR/liar.py" <<'END'
import http.server

class Liar(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"{}" if self.path.split("?")[0] == "/v2/" else b"a lie"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", 5002), Liar).serve_forever()
END
  nsenter --target "$host_pid" --net -- python3 "$BATS_TEST_TMPDIR/liar.py" 3>&- &
  liar=$!
  wait_until on_host curl -s -o /dev/null http://127.0.0.1:5002/v2/
  hosts lied.example <<'END'
server = "http://127.0.0.1:5000"
[host."http://127.0.0.1:5002"]
  capabilities = ["pull"]
END
  run brig pull lied.example/multi:v1
  kill "$liar"
  wait "$liar" 2>/dev/null || :; liar=
  [ "$status" -eq 1 ]
  [[ $output == *"refused, its digest is wrong"* ]]
  run brig image inspect lied.example/multi:v1
  [ "$status" -eq 1 ]
}

@test "a hosts.toml that is wrong is an error by file and line" {
  hosts wrong.example <<'END'
server = "http://127.0.0.1:5000"
[host."https://mirror.example"]
  skip-verify = true
END
  run brig pull wrong.example/multi:v1
  [ "$status" -eq 1 ]
  [[ $output == *"/certs.d/wrong.example/hosts.toml: line 3: 'skip-verify' is no setting of a host that brig knows"* ]]
}

@test "a directory of certificates that cannot be read is an error, not none" {
  mkdir -p "$(hosts_directory)/127.0.0.1:5000"
  chmod 311 "$(hosts_directory)/127.0.0.1:5000"
  run brig pull 127.0.0.1:5000/multi:v1
  chmod 755 "$(hosts_directory)/127.0.0.1:5000"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"read the registry's certificates in '$(hosts_directory)/127.0.0.1:5000': Permission denied"* ]]
  brig pull -q 127.0.0.1:5000/multi:v1
  rmdir "$(hosts_directory)/127.0.0.1:5000"
}

@test "two mirrors of one host that differ by their paths are two" {
  cat >"$BATS_TEST_TMPDIR/paths.py" <<'END'
import http.server, sys, urllib.error, urllib.request

log = open(sys.argv[1], "a", buffering=1)

class Paths(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, file=log)
        if not self.path.startswith("/good/"):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        ask = urllib.request.Request("http://127.0.0.1:5000" + self.path[5:].split("?")[0])
        for accept in self.headers.get_all("Accept", []):
            ask.add_header("Accept", ask.get_header("Accept", "") + ("," if ask.has_header("Accept") else "") + accept)
        with urllib.request.urlopen(ask) as answer:
            body = answer.read()
            self.send_response(200)
            for name in ("Content-Type", "Docker-Content-Digest"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", 5003), Paths).serve_forever()
END
  nsenter --target "$host_pid" --net -- python3 "$BATS_TEST_TMPDIR/paths.py" "$BATS_TEST_TMPDIR/asked" 3>&- &
  liar=$!
  wait_until on_host curl -s -o /dev/null http://127.0.0.1:5003/good/v2/
  hosts paths.example <<'END'
server = "http://127.0.0.1:1"
[host."http://127.0.0.1:5003/bad"]
[host."http://127.0.0.1:5003/good"]
END
  run brig pull paths.example/multi:v1
  kill "$liar"; wait "$liar" 2>/dev/null || :; liar=
  echo "$output"; cat "$BATS_TEST_TMPDIR/asked"
  [ "$status" -eq 0 ]
  # Once the first was found to have nothing, nobody asks it again.
  no grep '^/bad/.*/blobs/' "$BATS_TEST_TMPDIR/asked"
}

@test "TLS: the authority and the client's certificate of hosts.toml" {
  (
    cd "$root"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.crt
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=client -keyout client.key -out client.cert
  ) 2>/dev/null
  cat >"$root/tls.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $root/registry}}
http: {addr: "127.0.0.1:5443", tls: {certificate: $root/tls.crt, key: $root/tls.key, clientcas: [$root/client.cert]}}
END
  nsenter --target "$host_pid" --net --mount -- docker-registry serve "$root/tls.yml" >"$root/tls.log" 2>&1 3>&- &
  tls=$!
  wait_until on_host curl -sk -o /dev/null --cert "$root/client.cert" --key "$root/client.key" https://127.0.0.1:5443/v2/
  hosts tls.example <<END
server = "https://127.0.0.1:5443"
ca = "$root/tls.crt"
client = [["$root/client.cert", "$root/client.key"]]
END
  run brig pull tls.example/multi:v1
  echo "$output"
  [ "$status" -eq 0 ]
  echo 'server = "https://127.0.0.1:5443"' | hosts tls.example
  run brig pull tls.example/multi:v1
  [ "$status" -eq 1 ]
  [[ $output == *'x509: certificate of 127.0.0.1 is not trusted'* ]]
  printf 'server = "https://127.0.0.1:5443"\nskip_verify = true\nclient = ["%s", "%s"]\n' "$root/client.cert" "$root/client.key" | hosts tls.example
  brig pull -q tls.example/multi:v1
  kill "$tls"
  wait "$tls" 2>/dev/null || :; tls=
}

# ---- manifest ----

# as_docker ARGUMENT...: `manifest` of brig and of docker, each with files of its own, exit and print the same.
as_docker() {
  local status_docker
  run on_host env DOCKER_CONFIG="$BATS_TEST_TMPDIR/docker" docker manifest "$@"
  status_docker=$status
  printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/docker.out"
  DOCKER_CONFIG=$BATS_TEST_TMPDIR/brig run brig manifest "$@"
  printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/brig.out"
  diff "$BATS_TEST_TMPDIR/docker.out" "$BATS_TEST_TMPDIR/brig.out" && [ "$status" -eq "$status_docker" ]
}

@test "manifest: create, annotate, inspect, push and rm do as docker's" {
  mkdir "$BATS_TEST_TMPDIR/docker" "$BATS_TEST_TMPDIR/brig"
  local own=127.0.0.1:5000/single/own:v1 foreign=127.0.0.1:5000/list:riscv64 list=127.0.0.1:5000/list:v1
  on_host skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false docker://127.0.0.1:5000/multi:v1 docker://$own
  on_host skopeo --insecure-policy --override-arch riscv64 copy -q --src-tls-verify=false --dest-tls-verify=false docker://127.0.0.1:5000/multi:v1 docker://$foreign
  as_docker create --insecure $list $own $foreign
  [ "$status" -eq 0 ]
  as_docker create --insecure $list $own
  [ "$status" -eq 1 ]
  as_docker create --insecure --amend $list $own
  as_docker create --insecure 127.0.0.1:5000/other:v1 127.0.0.1:5000/multi:v1 || [[ $(cat "$BATS_TEST_TMPDIR/brig.out") == *'is a manifest list' ]]
  as_docker annotate --os linux --arch arm --variant v7 --os-version 1 --os-features a --os-features b $list $foreign
  as_docker inspect $list
  as_docker inspect $list $own
  as_docker inspect -v $list $foreign
  as_docker annotate --arch vax $list $foreign
  [ "$status" -eq 1 ]
  as_docker annotate $list 127.0.0.1:5000/nothing:v1
  [ "$status" -eq 1 ]
  as_docker push --insecure $list
  [ "$status" -eq 0 ]
  [ "${lines[-1]}" = "$(registry_digest list v1)" ]
  as_docker inspect --insecure 127.0.0.1:5000/multi:v1
  as_docker inspect --insecure $own
  as_docker rm $list
  [ "$status" -eq 0 ]
  as_docker rm $list
  [ "$status" -eq 1 ]
  brig pull -q 127.0.0.1:5000/list:v1
  [ "$(brig run --rm 127.0.0.1:5000/list:v1)" = "$(host_architecture)" ]
}

@test "manifest push: mounts from another repository, purges; each goes on with the other's files" {
  export DOCKER_CONFIG=$BATS_TEST_TMPDIR/config
  mkdir "$DOCKER_CONFIG"
  on_host skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false docker://127.0.0.1:5000/multi:v1 docker://127.0.0.1:5000/single/here:v1
  brig manifest create 127.0.0.1:5000/mounted:v1 127.0.0.1:5000/single/here:v1
  run on_host docker manifest inspect 127.0.0.1:5000/mounted:v1
  [ "$output" = "$(brig manifest inspect 127.0.0.1:5000/mounted:v1)" ]
  run brig manifest push --purge 127.0.0.1:5000/mounted:v1
  echo "$output"
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == "Pushed ref 127.0.0.1:5000/mounted@sha256:"*" with digest: sha256:"* ]]
  [ "$(registry_digest mounted v1)" = "${lines[1]}" ]
  run brig manifest push 127.0.0.1:5000/mounted:v1
  [ "$status" -eq 1 ]
  [[ $output == *'No such manifest: 127.0.0.1:5000/mounted:v1' ]]
  on_host docker manifest create --insecure 127.0.0.1:5000/mounted:v2 127.0.0.1:5000/single/here:v1
  brig manifest push 127.0.0.1:5000/mounted:v2
  brig manifest create 127.0.0.1:5000/mounted:v3 127.0.0.1:5000/single/here:v1
  sed -i 's/"os":"linux"/"os":""/' "$DOCKER_CONFIG"/manifests/127.0.0.1-5000_mounted-v3/*
  run brig manifest push 127.0.0.1:5000/mounted:v3
  [ "$status" -eq 1 ]
  [[ $output == *'must have an OS and Architecture to be pushed to a registry' ]]
}
