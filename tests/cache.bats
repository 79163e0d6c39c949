#!/usr/bin/env bats
# The build cache elsewhere: two daemons with a root each, one registry that logs what is asked of it, an image's configuration, a directory.

setup_file() {
  load lib
  make_host
  start_logged_registry
  start_daemon --bridge none # two daemons in one network: neither has a bridge
  [[ -e $suite/busybox.oci ]] || make_busybox_archive
  brig load -q -i "$suite/busybox.oci"
  second=$root/second
  mkdir "$second"
  export root host_pid daemon_pid registry_pid second
  start_second
  on_second brig load -q -i "$suite/busybox.oci"
}

teardown_file() {
  load lib
  stop_second
  registry_pid=$(cat "$root/registry.pid") # a test starts it again
  stop_registry
  end_host
}

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  context=$(mktemp -d "$root/context.XXXXXX")
  cd "$context" || return
  ref=127.0.0.1:5000/cache/$BATS_TEST_NUMBER
}

# The registry, with a line for each request.
start_logged_registry() {
  registry_port=5000
  cat >"$root/registry.yml" <<EOF
version: 0.1
log: {level: error, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: $root/registry}, delete: {enabled: true}}
http: {addr: 127.0.0.1:5000}
EOF
  nsenter --target "$host_pid" --net --mount -- docker-registry serve "$root/registry.yml" >"$root/registry.log" 2>&1 3>&- &
  registry_pid=$!
  echo $registry_pid >"$root/registry.pid"
  wait_until on_host curl -s -o /dev/null http://127.0.0.1:5000/v2/
}

# Another machine: its own data, the same network.
start_second() {
  nsenter --target "$host_pid" --net --mount -- "$build/src/daemon/brigd" --data-root "$second/data" --exec-root "$second/run" -H "unix://$second/brig.sock" --pidfile "$second/brigd.pid" \
    --cgroup-parent "/brig-test-$host_pid/second" --bridge none >>"$root/brigd.log" 2>&1 3>&- &
  wait_until curl -s -o /dev/null --unix-socket "$second/brig.sock" http://d/_ping
}
stop_second() {
  local pid
  pid=$(cat "$second/brigd.pid") && kill -TERM "$pid" && wait_until process_is_gone "$pid"
}
on_second() { env DOCKER_HOST="unix://$second/brig.sock" BRIG_HOST="unix://$second/brig.sock" "$@"; }
# As new: no image but busybox's and no cache.
fresh_second() {
  on_second brig rmi -f $(on_second brig images -q | sort -u) >/dev/null 2>&1 || :
  on_second brig builder prune -af >/dev/null
  on_second brig load -q -i "$suite/busybox.oci"
}

dockerfile() { cat >"$context/Dockerfile"; }
build() { run brig build --progress plain --network none "$@" "$context"; echo "$output"; [ "$status" -eq 0 ]; }
build_second() { run on_second brig build --progress plain --network none "$@" "$context"; echo "$output"; [ "$status" -eq 0 ]; }
# steps_run: how many steps of the last build were run, not found.
steps_run() { grep -c '^#[0-9]* miss' <<<"$output" || :; }
cached() { grep -c '^#[0-9]* CACHED' <<<"$output" || :; }
# Blobs that were asked for since the log was this long.
mark() { asked_before=$(wc -l <"$root/registry.log"); }
blobs_got() { tail -n "+$((asked_before + 1))" "$root/registry.log" | grep -oE '"GET /v2/[^ ]*/blobs/sha256:[0-9a-f]+' | sort -u | wc -l; }
manifest_of() { on_host curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://127.0.0.1:5000/v2/cache/$BATS_TEST_NUMBER/manifests/${1:-latest}"; }
document_of() { on_host curl -s "http://127.0.0.1:5000/v2/cache/$BATS_TEST_NUMBER/blobs/$(manifest_of "$1" | jq -r .config.digest)"; }

two_stages() {
  echo one >source
  dockerfile <<'EOF'
FROM busybox AS maker
COPY source /source
RUN cat /source >/made && head -c 300000 /dev/urandom >/large
FROM busybox
COPY --from=maker /made /made
RUN cat /made >/twice
EOF
}

@test "registry, mode=max: all is cached on another machine, and only the result's layers are fetched" {
  two_stages
  build -t made --cache-to "type=registry,ref=$ref,mode=max"
  [ "$(manifest_of | jq '.layers | length')" = 4 ]
  [ "$(manifest_of | jq -r .config.mediaType)" = application/vnd.brig.buildcache.v1+json ]
  # The document was the store's as long as it was sent.
  [ -e "$root/data/image/blobs/sha256" ]
  [ ! -e "$root/data/image/blobs/sha256/$(manifest_of | jq -r .config.digest | cut -d: -f2)" ]
  fresh_second
  mark
  build_second -t made --cache-from "type=registry,ref=$ref"
  [ "$(steps_run)" = 0 ]
  [ "$(cached)" = 4 ]
  [ "$(blobs_got)" = 3 ] # the document and two layers of four
  [ "$(brig image inspect -f '{{.Id}}' made)" = "$(on_second brig image inspect -f '{{.Id}}' made)" ]
  # it is the second's own cache now
  mark
  build_second -t made
  [ "$(blobs_got)" = 0 ]
}

@test "a step that must run fetches what lies below it, and says why it runs" {
  two_stages
  build -t made --cache-to "type=registry,ref=$ref,mode=max"
  fresh_second
  sed -i 's,cat /made >/twice,cat /made >/thrice; ls -l /made,' Dockerfile
  mark
  build_second -t made --cache-from "$ref"
  [ "$(steps_run)" = 1 ]
  [ "$(blobs_got)" = 2 ] # the document, and the layer of COPY
  echo two >source
  build_second -t made --cache-from "$ref"
  [[ $output == *"file source changed"* || $output == *"it was never built here"* ]]
  [ "$(on_second brig run --rm --network none made cat /thrice)" = two ]
}

@test "mode=min: the layers of the result alone; what it was made of is known by its keys" {
  two_stages
  build -t made --cache-to "type=registry,ref=$ref"
  [ "$(manifest_of | jq '.layers | length')" = 2 ]
  fresh_second
  mark
  build_second -t made --cache-from "$ref"
  [ "$(steps_run)" = 0 ]
  [ "$(blobs_got)" = 3 ]
  # where the stage itself is wanted it is run, as nobody has its layers
  fresh_second
  build_second --target maker --cache-from "$ref"
  [ "$(steps_run)" = 2 ]
  [[ $output == *"no cache that was given has its layer"* ]]
}

@test "a cache that was read and not needed is written again whole" {
  two_stages
  build -t made --cache-to "type=registry,ref=$ref,mode=max"
  before=$(manifest_of | jq -S '[.layers[].digest] | sort')
  fresh_second
  mark
  build_second -t made --cache-from "$ref" --cache-to "type=registry,ref=$ref,mode=max"
  [ "$(steps_run)" = 0 ]
  [ "$(blobs_got)" = 3 ]
  [ "$(manifest_of | jq -S '[.layers[].digest] | sort')" = "$before" ]
  # to another repository the layers go along
  build_second -t made --cache-from "$ref" --cache-to "type=registry,ref=$ref/other,mode=max"
  [ "$(steps_run)" = 0 ]
}

@test "inline: the image has its cache along, which others ignore" {
  two_stages
  build -t "$ref" --cache-to type=inline
  brig push -q "$ref"
  [ "$(document_of | jq '."brig.buildcache.v1".records | length')" = 4 ]
  on_host skopeo inspect --tls-verify=false "docker://$ref" >/dev/null
  fresh_second
  mark
  build_second -t other --cache-from "type=registry,ref=$ref"
  [ "$(steps_run)" = 0 ]
  [ "$(blobs_got)" = 3 ]
  [ "$(on_second brig run --rm --network none other cat /twice)" = one ]
  # an image upon it does not inherit it
  printf 'FROM %s\nRUN true\n' "$ref" >Dockerfile
  build -t child
  [ "$(brig save child | tar -xO manifest.json | jq -r '.[0].Config')" ]
  brig save child >child.tar
  run tar -xOf child.tar "$(tar -xOf child.tar manifest.json | jq -r '.[0].Config')"
  [[ $output != *buildcache* ]]
}

@test "docker build --cache-from IMAGE and BUILDKIT_INLINE_CACHE: the classic API" {
  two_stages
  run env DOCKER_BUILDKIT=0 docker build --network none -t "$ref" --build-arg BUILDKIT_INLINE_CACHE=1 .
  [ "$status" -eq 0 ]
  brig push -q "$ref"
  fresh_second
  run on_second env DOCKER_BUILDKIT=0 docker build --network none -t other --cache-from "$ref" .
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(grep -c 'Using cache' <<<"$output")" -ge 4 ]
  fresh_second
  on_second brig pull -q "$ref"
  stop_registry
  run on_second env DOCKER_BUILDKIT=0 docker build --network none -t other --cache-from "$ref" .
  start_logged_registry
  [ "$status" -eq 0 ]
  [ "$(grep -c 'Using cache' <<<"$output")" -ge 4 ]
}

@test "docker build --cache-from IMAGE: the classic API uses of the cache here what that image came of, and nothing where it is not here" {
  printf 'FROM busybox\nENV A=b\nRUN echo one >/one\nRUN echo two >/two\n' >Dockerfile.alone
  hits() { env DOCKER_BUILDKIT=0 docker build --network none -f Dockerfile.alone "$@" . | grep -c 'Using cache' || :; }
  [ "$(hits -t first)" -eq 1 ]
  [ "$(hits -t second --cache-from first)" -eq 3 ]
  printf 'RUN echo three >/three\n' >>Dockerfile.alone
  [ "$(hits -t longer)" -eq 3 ]
  [ "$(hits -t second --cache-from first)" -eq 3 ]
  [ "$(hits -t second)" -eq 4 ]
  [ "$(hits -t third --cache-from second)" -eq 4 ]
  [ "$(hits -t other --cache-from 127.0.0.1:5000/nowhere)" -eq 0 ]
  brig rmi -f first second third longer other
}

@test "local: a directory of the client's, written and read through its descriptor" {
  two_stages
  build -t made --cache-to "type=local,dest=$context/cache,mode=max" --cache-to "type=local,dest=$context/cache,tag=small"
  [ "$(jq '.manifests | length' cache/index.json)" = 2 ]
  on_host skopeo inspect --raw "oci:$context/cache:latest" >/dev/null
  find cache -type f ! -user "$(id -un)" | grep . && false
  fresh_second
  build_second -t made --cache-from "type=local,src=$context/cache"
  [ "$(steps_run)" = 0 ]
  fresh_second
  build_second --target maker --cache-from "type=local,src=$context/cache,tag=small"
  [ "$(steps_run)" = 2 ]
  digest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "latest").digest' cache/index.json)
  fresh_second
  build_second --target maker --cache-from "type=local,src=$context/cache,digest=$digest"
  [ "$(steps_run)" = 0 ]
}

@test "damage and absence are warnings: what can't be had is built" {
  two_stages
  build -t made --cache-to "type=local,dest=$context/cache,mode=max"
  # one layer has other bytes: that step runs, and what lies upon it
  manifest=cache/blobs/sha256/$(jq -r '.manifests[0].digest' cache/index.json | cut -d: -f2)
  layer=cache/blobs/sha256/$(jq -r '.layers[-1].digest' "$manifest" | cut -d: -f2)
  printf x | dd of="$layer" bs=1 seek=20 conv=notrunc status=none
  fresh_second
  build_second -t made --cache-from "type=local,src=$context/cache"
  [ "$(steps_run)" = 1 ]
  [[ $output == *"is not whole"* ]]
  # a link in a blob's place is not followed
  cp "$layer" elsewhere && ln -sf "$context/elsewhere" "$layer"
  fresh_second
  build_second -t made --cache-from "type=local,src=$context/cache"
  [ "$(steps_run)" = 1 ]
  # the document
  config=cache/blobs/sha256/$(jq -r .config.digest "$manifest" | cut -d: -f2)
  echo >>"$config"
  fresh_second
  build_second -t made --cache-from "type=local,src=$context/cache"
  [ "$(steps_run)" = 4 ]
  [[ $output == *"is not used"* ]]
  # nothing at all
  build_second -t made --cache-from "type=registry,ref=$ref/none" --cache-from "type=local,src=$context/none"
  [[ $output == *"is not used"* ]]
}

@test "a document that lies about layers makes no other image" {
  two_stages
  build -t made --cache-to "type=local,dest=$context/cache,mode=max"
  # layer 0 is said to lie upon nothing: it is not what the step has below it
  manifest=$(jq -r '.manifests[0].digest' cache/index.json | cut -d: -f2)
  config=$(jq -r .config.digest "cache/blobs/sha256/$manifest" | cut -d: -f2)
  jq -c 'del(.layers[].parent)' "cache/blobs/sha256/$config" >lie
  new=$(sha256sum lie | cut -d' ' -f1) && cp lie "cache/blobs/sha256/$new"
  jq -c --arg d "sha256:$new" --argjson s "$(stat -c %s lie)" '.config.digest = $d | .config.size = $s' "cache/blobs/sha256/$manifest" >liar
  jq -c --arg d "sha256:$(sha256sum liar | cut -d' ' -f1)" '.manifests[0].digest = $d' cache/index.json >index && cp index cache/index.json
  cp liar "cache/blobs/sha256/$(sha256sum liar | cut -d' ' -f1)"
  fresh_second
  build_second -t made --cache-from "type=local,src=$context/cache"
  [ "$(steps_run)" = 4 ]
  [ "$(on_second brig run --rm --network none made cat /twice)" = one ]
}

# with_document FILE: the local cache in ./cache says that in its document's place.
with_document() {
  local manifest new
  manifest=$(jq -r '.manifests[0].digest' cache/index.json | cut -d: -f2)
  new=$(sha256sum "$1" | cut -d' ' -f1) && cp "$1" "cache/blobs/sha256/$new"
  jq -c --arg d "sha256:$new" --argjson s "$(stat -c %s "$1")" '.config.digest = $d | .config.size = $s' "cache/blobs/sha256/$manifest" >made
  cp made "cache/blobs/sha256/$(sha256sum made | cut -d' ' -f1)"
  jq -c --arg d "sha256:$(sha256sum made | cut -d' ' -f1)" '.manifests[0].digest = $d' cache/index.json >index && cp index cache/index.json
}
local_document() { jq -c . "$1/blobs/sha256/$(jq -r .config.digest "$1/blobs/sha256/$(jq -r '.manifests[0].digest' "$1/index.json" | cut -d: -f2)" | cut -d: -f2)"; }

@test "an imported record answers what was asked, and no other operation: neither here nor in what is written" {
  printf 'FROM busybox\nRUN echo honest >/x\n' >Dockerfile
  build -t honest --cache-to "type=local,dest=$context/victim"
  printf 'FROM busybox\nRUN echo evil >/x\n' >Dockerfile
  build -t evil --cache-to "type=local,dest=$context/cache"
  # The one's record gets the other's key, too.
  key=$(local_document victim | jq -r '.records[0].keys[0]')
  local_document cache | jq -c --arg k "$key" '.records[0].keys += [$k]' >planted
  with_document planted
  fresh_second
  build_second -t evil --cache-from "type=local,src=$context/cache" --cache-to "type=local,dest=$context/third"
  [ "$(steps_run)" = 0 ]
  [ "$(local_document third | grep -c "$key")" = 0 ]
  printf 'FROM busybox\nRUN echo honest >/x\n' >Dockerfile
  build_second -t honest
  [ "$(steps_run)" = 1 ]
  [ "$(on_second brig run --rm --network none honest cat /x)" = honest ]
  # Nor does one that says that it gives what another operation gave.
  fresh_second
  build_second -t honest --cache-from "type=local,src=$context/victim"
  [ "$(steps_run)" = 0 ]
  local_document cache | jq -c --argjson r "$(local_document victim | jq '.records[0].result')" '.records[0].result = $r' >planted
  with_document planted
  printf 'FROM busybox\nRUN echo evil >/x\n' >Dockerfile
  build_second -t evil --cache-from "type=local,src=$context/cache" --cache-to "type=local,dest=$context/fourth"
  [ "$(steps_run)" = 1 ]
  [ "$(local_document fourth | grep -c "$key")" = 0 ]
}

@test "two builds that write tags into one directory at once: the index has both, and no lock is left" {
  printf 'FROM busybox\nARG tag\nRUN echo $tag >/x\n' >Dockerfile
  pids=()
  for tag in a b c d e f g h; do
    daemon=on_second; [[ $tag > d ]] || daemon=env
    $daemon brig build --progress plain --network none --build-arg "tag=$tag" --cache-to "type=local,dest=$context/cache,tag=$tag" . >"$tag.log" 2>&1 3>&- &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || { cat ./*.log; false; }; done
  [ "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' cache/index.json | sort | tr -d '\n')" = abcdefgh ]
  [ "$(ls -A cache | sort | tr '\n' ' ')" = "blobs index.json oci-layout " ]
  # A lock that another process has is waited for; a link in its place is not followed.
  exec 8>cache/index.json.lock && flock 8
  brig build --progress plain --network none --build-arg tag=i --cache-to "type=local,dest=$context/cache,tag=i" . >waiting.log 2>&1 3>&- 8>&- &
  pid=$!
  wait_until grep -q "Waiting for another writer" waiting.log || { kill "$pid"; cat waiting.log; false; }
  exec 8>&-
  wait "$pid"
  [ "$(jq '.manifests | length' cache/index.json)" = 9 ]
  ln -sf "$context/Dockerfile" cache/index.json.lock
  run brig build --progress plain --network none --build-arg tag=j --cache-to "type=local,dest=$context/cache,tag=j" .
  [ "$status" -ne 0 ]
  [[ $output == *"index.json.lock"* ]]
  grep -q '^FROM' Dockerfile
}

@test "COPY --link is brought from a cache upon another base" {
  echo content >file
  printf 'FROM busybox\nRUN echo one >/base\nCOPY --link file /dir/file\n' >Dockerfile
  build -t linked --cache-to "type=local,dest=$context/cache"
  fresh_second
  sed -i 's,one,two,' Dockerfile
  build_second -t linked --cache-from "type=local,src=$context/cache"
  [ "$(steps_run)" = 1 ]
  [ "$(on_second brig run --rm --network none linked cat /base /dir/file)" = $'two\ncontent' ]
}

@test "secrets and arguments are in no document" {
  dockerfile <<'EOF'
FROM busybox
ARG TOKEN
RUN --mount=type=secret,id=key sh -c 'test -n "$(cat /run/secrets/key)"' && echo $TOKEN | wc -c >/length
EOF
  echo hidden-in-a-file >key
  build -t made --secret id=key,src=key --build-arg TOKEN=told-as-an-argument --cache-to "type=registry,ref=$ref,mode=max" --cache-to "type=local,dest=$context/cache,mode=max"
  run document_of
  [[ $output == *records* ]]
  [[ $output != *hidden-in-a-file* && $output != *told-as-an-argument* && $output != *wc* ]]
  run grep -rlE 'hidden-in-a-file|told-as-an-argument' cache
  [ "$status" -eq 1 ]
}

@test "what can't be written fails the build, unless it is said not to matter" {
  two_stages
  run brig build --progress plain --network none --cache-to "type=registry,ref=127.0.0.1:5999/no/registry" "$context"
  echo "$output"
  [ "$status" -ne 0 ]
  [[ $output == *"failed to write the build cache to 127.0.0.1:5999/no/registry"* ]]
  build --cache-to "type=registry,ref=127.0.0.1:5999/no/registry,ignore-error=true"
  [[ $output == *"failed to write the build cache"* ]]
  run brig build --cache-to type=s3,bucket=x "$context"
  [ "$status" -ne 0 ]
  [[ $output == *"invalid --cache-to 'type=s3,bucket=x': type=s3 is not done: type=registry,ref=NAME, "* ]]
}
