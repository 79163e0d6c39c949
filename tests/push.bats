#!/usr/bin/env bats
# push, login, logout and search against Debian's docker-registry: plain at 5000; with TLS and a password at 5443. The unmodified docker
# client does the same. 5001 is a relay to 5000 that breaks connections off.

setup_file() {
  load lib
  make_host
  start_daemon
  start_registry 5000
  start_secured_registry
  load_busybox
  export root host_pid daemon_pid registry_pid registry_port secured_pid
}

teardown_file() {
  load lib
  kill "$secured_pid" && { wait "$secured_pid" 2>/dev/null || :; }
  stop_registry
  end_host
}

setup() {
  load lib
  export DOCKER_CONFIG=$BATS_TEST_TMPDIR/config
  mkdir "$DOCKER_CONFIG"
}

# A second registry on 127.0.0.1:5443, with a certificate of its own and the user "user" with the password "secret".
start_secured_registry() {
  mkdir -p "$root/secured"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout "$root/key.pem" -out "$root/cert.pem" 2>/dev/null
  htpasswd -Bbc "$root/htpasswd" user secret 2>/dev/null
  cat >"$root/secured.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $root/secured}}
http: {addr: "127.0.0.1:5443", tls: {certificate: $root/cert.pem, key: $root/key.pem}}
auth: {htpasswd: {realm: test, path: $root/htpasswd}}
END
  nsenter --target "$host_pid" --net --mount -- docker-registry serve "$root/secured.yml" >"$root/secured.log" 2>&1 3>&- &
  secured_pid=$!
  wait_until on_host curl -sk -o /dev/null https://127.0.0.1:5443/v2/
}

id_of() { brig image inspect --format '{{.Id}}' "$1"; }

digest_of() { on_host curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://127.0.0.1:5000/v2/$1/manifests/$2" | tr -d '\r' | awk -F': ' 'tolower($1) == "docker-content-digest" { print $2 }'; }

@test "push: Docker's words, and the image comes back the same" {
  brig tag busybox 127.0.0.1:5000/first
  id=$(id_of busybox)
  run brig push 127.0.0.1:5000/first
  echo "$output"
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = "Using default tag: latest" ]
  [ "${lines[1]}" = "The push refers to repository [127.0.0.1:5000/first]" ]
  [[ ${lines[2]} =~ ^[0-9a-f]{12}:\ Preparing$ ]]
  [[ $output =~ [0-9a-f]{12}:\ Pushed ]]
  [[ ${lines[-1]} =~ ^latest:\ digest:\ (sha256:[0-9a-f]{64})\ size:\ [0-9]+$ ]]
  digest=${BASH_REMATCH[1]}
  [ "$(digest_of first latest)" = "$digest" ]
  run brig image inspect --format '{{json .RepoDigests}}' busybox
  [[ $output == *"127.0.0.1:5000/first@$digest"* ]]
  brig rmi -f "$id"
  run brig pull -q 127.0.0.1:5000/first
  [ "$status" -eq 0 ]
  [ "$(id_of 127.0.0.1:5000/first)" = "$id" ]
  run brig run --rm 127.0.0.1:5000/first cat /www/index.html
  [ "$output" = "hello from a container" ]
  brig rmi -f "$id"
  load_busybox
}

@test "what was pushed, skopeo reads: layers are gzip, the configuration is the image's id" {
  brig tag busybox 127.0.0.1:5000/read:v1
  brig push 127.0.0.1:5000/read:v1
  run on_host curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' http://127.0.0.1:5000/v2/read/manifests/v1
  [[ $output == *'"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"'* ]]
  [[ $output == *"$(id_of busybox)"* ]]
  mkdir "$BATS_TEST_TMPDIR/copy"
  on_host skopeo --insecure-policy copy -q --src-tls-verify=false docker://127.0.0.1:5000/read:v1 "dir:$BATS_TEST_TMPDIR/copy"
}

@test "a second push finds every layer there, with nothing compressed again, and gives the same digest" {
  brig tag busybox 127.0.0.1:5000/twice
  first=$(brig push 127.0.0.1:5000/twice | tail -1)
  run brig push 127.0.0.1:5000/twice
  [ "$status" -eq 0 ]
  [[ $output =~ [0-9a-f]{12}:\ Layer\ already\ exists ]]
  [[ $output != *Pushed* ]]
  [ "${lines[-1]}" = "$first" ]
}

@test "another repository of the registry has the layer mounted" {
  image_of base:mount 'echo mounted >www/index.html'
  brig tag base:mount 127.0.0.1:5000/team/source
  brig push -q 127.0.0.1:5000/team/source
  brig tag base:mount 127.0.0.1:5000/team/target
  run brig push 127.0.0.1:5000/team/target
  [ "$status" -eq 0 ]
  [[ $output == *'Mounted from team/source'* ]]
  # one that was pulled is known to be there, too
  brig rmi -f "$(id_of base:mount)"
  brig pull -q 127.0.0.1:5000/team/target
  brig tag 127.0.0.1:5000/team/target 127.0.0.1:5000/third:x
  run brig push 127.0.0.1:5000/third:x
  [[ $output == *'Mounted from team/'* ]]
}

@test "an image that was pulled goes up as it came: the same digest, Docker's manifest" {
  # a layer that the store has no other form of
  mkdir "$BATS_TEST_TMPDIR/came" && echo came >"$BATS_TEST_TMPDIR/came/word"
  tar -C "$BATS_TEST_TMPDIR/came" -cf "$BATS_TEST_TMPDIR/came.tar" word
  make_archive "$BATS_TEST_TMPDIR/came.tar" "$BATS_TEST_TMPDIR/came.archive"
  on_host skopeo --insecure-policy copy --quiet --format v2s2 --dest-tls-verify=false "docker-archive:$BATS_TEST_TMPDIR/came.archive" docker://127.0.0.1:5000/came:v2
  before=$(digest_of came v2)
  brig pull -q 127.0.0.1:5000/came:v2
  brig tag 127.0.0.1:5000/came:v2 127.0.0.1:5000/went:v2
  run brig push 127.0.0.1:5000/went:v2
  [ "$status" -eq 0 ]
  [ "$(digest_of went v2)" = "$before" ]
  [[ ${lines[-1]} == "v2: digest: $before size: "* ]]
}

@test "push -a pushes every tag, push -q says the name alone" {
  brig tag busybox 127.0.0.1:5000/many:a
  brig tag busybox 127.0.0.1:5000/many:b
  run brig push -a 127.0.0.1:5000/many
  [ "$status" -eq 0 ]
  [ "$(grep -c 'digest: sha256:' <<<"$output")" -eq 2 ]
  [ "$(digest_of many a)" = "$(digest_of many b)" ]
  run brig push -q 127.0.0.1:5000/many:a
  [ "$output" = 127.0.0.1:5000/many:a ]
}

@test "push: errors in Docker's words" {
  run brig push 127.0.0.1:5000/absent
  [ "$status" -eq 1 ]
  [[ $output == *'An image does not exist locally with the tag: 127.0.0.1:5000/absent' ]]
  brig tag busybox 127.0.0.1:5000/there:v1
  run brig push 127.0.0.1:5000/there:v2
  [ "$status" -eq 1 ]
  [[ $output == *'tag does not exist: 127.0.0.1:5000/there:v2' ]]
  run brig push -a 127.0.0.1:5000/there:v1
  [[ $output == "tag can't be used with --all-tags/-a" ]]
  brig tag busybox 127.0.0.1:1/nobody
  run brig push 127.0.0.1:1/nobody
  [ "$status" -eq 1 ]
  [[ $output == *'connection refused' ]]
}

@test "login, push and pull with TLS and a password, logout" {
  brig tag busybox 127.0.0.1:5443/secret
  run brig push 127.0.0.1:5443/secret
  [ "$status" -eq 1 ]
  [ "${lines[-1]}" = "no basic auth credentials" ]
  run brig login -u user -p wrong 127.0.0.1:5443
  [ "$status" -eq 1 ]
  [[ $output == *'login attempt to https://127.0.0.1:5443/v2/ failed with status: 401 Unauthorized' ]]
  [ ! -e "$DOCKER_CONFIG/config.json" ]
  echo '{"psFormat":"{{.ID}}","unknown":{"kept":1}}' >"$DOCKER_CONFIG/config.json"
  run brig login -u user --password-stdin 127.0.0.1:5443 <<<secret
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"WARNING! Your credentials are stored unencrypted in '$DOCKER_CONFIG/config.json'."* ]]
  [ "${lines[-1]}" = "Login Succeeded" ]
  [ "$(stat -c %a "$DOCKER_CONFIG/config.json")" = 600 ]
  [ "$(jq -c '[.psFormat, .unknown, .auths["127.0.0.1:5443"].auth]' "$DOCKER_CONFIG/config.json")" = '["{{.ID}}",{"kept":1},"dXNlcjpzZWNyZXQ="]' ]
  run brig push 127.0.0.1:5443/secret
  [ "$status" -eq 0 ]
  [[ $output =~ Pushed ]]
  run brig pull 127.0.0.1:5443/secret
  [ "$status" -eq 0 ]
  run brig login 127.0.0.1:5443 </dev/null
  [ "$status" -eq 0 ]
  [[ $output == *'Authenticating with existing credentials... [Username: user]'* ]]
  run brig logout 127.0.0.1:5443
  [ "$output" = "Removing login credentials for 127.0.0.1:5443" ]
  [ "$(jq -c . "$DOCKER_CONFIG/config.json")" = '{"psFormat":"{{.ID}}","unknown":{"kept":1},"auths":{}}' ]
  run brig pull 127.0.0.1:5443/secret
  [ "$status" -eq 1 ]
}

@test "login asks at a terminal and does not show the password" {
  run expect -c 'set timeout 20
    spawn brig login 127.0.0.1:5443
    expect "Username: "
    send "user\r"
    expect "Password: "
    send "secreX\177t\r"
    expect "Login Succeeded"
    expect eof {} timeout { exec kill -KILL [exp_pid] }
    exit [lindex [wait] 3]'
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output != *secre* ]]
  run brig login 127.0.0.1:5000 </dev/null
  [ "$status" -eq 1 ]
  [ "$output" = "Error: Cannot perform an interactive login from a non TTY device" ]
}

@test "a credential helper keeps the password: store, get, erase" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  cat >"$BATS_TEST_TMPDIR/bin/docker-credential-test" <<'END'
#!/bin/sh
kept=$DOCKER_CONFIG/kept
case $1 in
  store) cat >"$kept" ;;
  get) [ -e "$kept" ] && cat "$kept" || { echo "credentials not found in native keychain"; exit 1; } ;;
  erase) rm "$kept" ;;
esac
END
  chmod +x "$BATS_TEST_TMPDIR/bin/docker-credential-test"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
  echo '{"credHelpers":{"127.0.0.1:5443":"test"}}' >"$DOCKER_CONFIG/config.json"
  brig tag busybox 127.0.0.1:5443/helped
  run brig push 127.0.0.1:5443/helped
  [ "$status" -eq 1 ]
  [[ $output != *WARNING* ]]
  run brig login -u user --password-stdin 127.0.0.1:5443 <<<secret
  [ "$output" = "Login Succeeded" ]
  [ "$(jq -c . "$DOCKER_CONFIG/kept")" = '{"ServerURL":"127.0.0.1:5443","Username":"user","Secret":"secret"}' ]
  run cat "$DOCKER_CONFIG/config.json"
  [[ $output != *dXNl* ]]
  brig push -q 127.0.0.1:5443/helped
  brig logout 127.0.0.1:5443
  [ ! -e "$DOCKER_CONFIG/kept" ]
}

@test "a config.json that cannot be read is not overwritten" {
  echo '{broken' >"$DOCKER_CONFIG/config.json"
  run brig login -u user --password-stdin 127.0.0.1:5443 <<<secret
  [ "$status" -eq 1 ]
  [[ $output == *'it is not overwritten'* ]]
  [ "$(cat "$DOCKER_CONFIG/config.json")" = '{broken' ]
}

@test "the docker client: login, push, pull, logout" {
  command -v docker >/dev/null || skip "no docker client on this machine"
  brig tag busybox 127.0.0.1:5443/docker:v1
  run docker push 127.0.0.1:5443/docker:v1
  [ "$status" -eq 1 ]
  [[ $output == *'no basic auth credentials' ]]
  run docker login -u user -p wrong 127.0.0.1:5443
  [ "$status" -eq 1 ]
  run docker login -u user --password-stdin 127.0.0.1:5443 <<<secret
  [ "$status" -eq 0 ]
  [[ $output == *'Login Succeeded' ]]
  run docker push 127.0.0.1:5443/docker:v1
  [ "$status" -eq 0 ]
  [[ $output == *'v1: digest: sha256:'* ]]
  run docker push 127.0.0.1:5443/docker:v1
  [[ $output == *'Layer already exists'* ]]
  docker pull 127.0.0.1:5443/docker:v1
  docker logout 127.0.0.1:5443
  run docker pull 127.0.0.1:5443/docker:v1
  [ "$status" -eq 1 ]
}

@test "a push over connections that break comes through" {
  image_of base:broken 'head -c 30000000 /dev/urandom >big'
  brig tag base:broken 127.0.0.1:5001/broken
  nsenter --target "$host_pid" --net --mount -- python3 "$top/tests/relay.py" 5001 5000 4000000 3>&- &
  relay=$!
  wait_until on_host curl -s -o /dev/null http://127.0.0.1:5001/v2/
  run brig push 127.0.0.1:5001/broken
  kill "$relay"; wait "$relay" || :
  echo "$output"
  [ "$status" -eq 0 ]
  brig tag base:broken 127.0.0.1:5000/broken
  run brig push 127.0.0.1:5000/broken
  [[ $output == *'Layer already exists'* ]]
}

@test "a layer of several pieces (PATCH) comes back the same" {
  image_of 127.0.0.1:5000/large 'head -c 140000000 /dev/urandom >large'
  id=$(id_of 127.0.0.1:5000/large)
  run brig push 127.0.0.1:5000/large
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output =~ Pushed ]]
  brig rmi -f "$id"
  brig pull -q 127.0.0.1:5000/large
  [ "$(id_of 127.0.0.1:5000/large)" = "$id" ]
  brig rmi -f "$id"
}

@test "layers that a push without a manifest left behind are not sent again" {
  image_of base:half 'head -c 3000000 /dev/urandom >half'
  brig tag base:half 127.0.0.1:5000/half
  brig push -q 127.0.0.1:5000/half
  on_host curl -s -X DELETE "http://127.0.0.1:5000/v2/half/manifests/$(digest_of half latest)"
  run brig push 127.0.0.1:5000/half
  [ "$status" -eq 0 ]
  [[ $output == *'Layer already exists'* ]]
}

@test "GET /distribution/{name}/json" {
  brig tag busybox 127.0.0.1:5000/asked
  brig push -q 127.0.0.1:5000/asked
  run curl -s --unix-socket "$root/brig.sock" http://d/v1.44/distribution/127.0.0.1:5000/asked/json
  echo "$output"
  [ "$(jq -r .Descriptor.digest <<<"$output")" = "$(digest_of asked latest)" ]
  [ "$(jq -r '.Platforms[0].os' <<<"$output")" = linux ]
  run curl -s -o /dev/null -w '%{http_code}' --unix-socket "$root/brig.sock" http://d/v1.44/distribution/127.0.0.1:5000/missing/json
  [ "$output" = 404 ]
}

@test "search says that a registry has none" {
  run brig search 127.0.0.1:5000/busybox
  [ "$status" -eq 1 ]
  [[ $output == *'registry 127.0.0.1:5000 has no search'* ]]
}

@test "events tell of a push" {
  brig tag busybox 127.0.0.1:5000/event
  since=$(date +%s.%N) # not the second before: the test before this one pushed, too
  brig push -q 127.0.0.1:5000/event
  run brig events --since "$since" --until "$(($(date +%s) + 1))" --filter event=push --format '{{.Type}} {{.Action}} {{.Actor.ID}}'
  [ "$output" = "image push 127.0.0.1:5000/event:latest" ]
}
