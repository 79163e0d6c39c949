#!/usr/bin/env bats
# What a build needs of a base image, and when: its layers only where a step must run upon them or the result needs them; and builds for
# several platforms. A registry at 5000 has a base for two; 5001 is a relay to it that writes down what is asked for. Nothing of the other
# platform is ever run.

setup_file() {
  load lib
  make_host
  start_daemon
  start_registry 5000
  nsenter --target "$host_pid" --net -- python3 "$top/tests/relay.py" 5001 5000 1000000000000 "$root/asked" >/dev/null 2>&1 3>&- &
  relay_pid=$!
  wait_until on_host curl -s -o /dev/null http://127.0.0.1:5001/v2/
  load_busybox
  make_bases
  export root host_pid daemon_pid registry_pid registry_port relay_pid
}

teardown_file() {
  load lib
  kill "$relay_pid" && { wait "$relay_pid" 2>/dev/null || :; }
  stop_registry
  end_host
}

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  context=$(mktemp -d "$root/context.XXXXXX")
  cd "$context" || return
  : >"$root/asked"
}

# variant ARCHITECTURE: pushes base:ARCHITECTURE, a root that says what it is for.
variant() {
  local dir=$root/variant
  mkdir -p "$dir/etc" && echo "$1" >"$dir/etc/arch"
  if [[ $1 == amd64 ]]; then tar -C "$dir" -xf "$(busybox_tar)"; else rm -rf "$dir/bin"; mkdir "$dir/bin"; echo "no program of this machine" >"$dir/bin/sh"; fi
  tar -C "$dir" --owner=0 --group=0 -cf "$root/variant.tar" .
  make_archive "$root/variant.tar" "$root/variant.archive" "$1"
  on_host skopeo copy --quiet --dest-tls-verify=false "docker-archive:$root/variant.archive" "docker://127.0.0.1:5000/base:$1"
}

# base:two is an index of both, base:arm64 and base:amd64 the images alone.
make_bases() {
  local arch manifests=()
  for arch in amd64 arm64; do
    variant "$arch"
    on_host skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:5000/base:$arch" >"$root/manifest"
    manifests+=("{\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"digest\":\"sha256:$(sha256sum "$root/manifest" | cut -d' ' -f1)\",\"size\":$(stat -c %s "$root/manifest"),\"platform\":{\"os\":\"linux\",\"architecture\":\"$arch\"}}")
  done
  printf '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[%s,%s]}' "${manifests[@]}" >"$root/index"
  on_host curl -sf -X PUT -H 'Content-Type: application/vnd.docker.distribution.manifest.list.v2+json' --data-binary "@$root/index" http://127.0.0.1:5000/v2/base/manifests/two
}

dockerfile() { cat >"$context/Dockerfile"; }
build() { run brig build --progress plain "$@" "$context"; }

# How many blobs were asked for, not counting configurations, which are JSON.
layers_asked() {
  local count=0 digest
  for digest in $(grep -o 'blobs/sha256:[0-9a-f]*' "$root/asked" | sort -u); do
    [[ $(on_host curl -s "http://127.0.0.1:5000/v2/base/${digest}" | head -c 1) == "{" ]] || count=$((count + 1))
  done
  echo $count
}

@test "a rebuild of what is cached asks for no layer of a base that is gone, nor does --pull of what is here" {
  dockerfile <<'END'
FROM 127.0.0.1:5001/base:two
RUN echo made >/made
END
  build -t cached; echo "$output"; [ "$status" -eq 0 ]
  [ "$(layers_asked)" -eq 1 ]
  [ "$(brig run --rm cached cat /etc/arch /made)" = $'amd64\nmade' ]
  : >"$root/asked"
  build -t cached --pull; echo "$output"; [ "$status" -eq 0 ]
  grep manifests/two "$root/asked"
  [ "$(layers_asked)" -eq 0 ]
  # Docker's classic form says so in the words of a pull
  run -0 env DOCKER_BUILDKIT=0 docker build --pull -t cached "$context"
  [[ $output == *'Status: Image is up to date for 127.0.0.1:5001/base:two'* ]]
  brig rmi 127.0.0.1:5001/base:two
  : >"$root/asked"
  build -t cached2; echo "$output"; [ "$status" -eq 0 ]
  [[ $output == *"CACHED"* ]]
  grep manifests/two "$root/asked"
  [ "$(layers_asked)" -eq 0 ]
  [ "$(brig image inspect -f '{{.RootFS}}' cached)" = "$(brig image inspect -f '{{.RootFS}}' cached2)" ]
  # With the images gone the result's base must come again.
  brig rmi cached cached2
  : >"$root/asked"
  build -t cached; echo "$output"; [ "$status" -eq 0 ]
  [[ $output == *"CACHED"* ]]
  [ "$(layers_asked)" -eq 1 ]
  [ "$(brig run --rm cached cat /etc/arch /made)" = $'amd64\nmade' ]
  brig rmi cached 127.0.0.1:5001/base:two
}

@test "a stage that is found, and an image that is only copied from, ask for no layer" {
  dockerfile <<'END'
FROM 127.0.0.1:5001/base:amd64 AS maker
RUN echo made >/made
FROM scratch
COPY --from=maker /made /
COPY --from=127.0.0.1:5001/base:two /etc/arch /
END
  build -t stages; echo "$output"; [ "$status" -eq 0 ]
  [ "$(layers_asked)" -eq 1 ]
  brig rmi 127.0.0.1:5001/base:amd64
  brig rmi 127.0.0.1:5001/base:two || :
  : >"$root/asked"
  build -t stages; echo "$output"; [ "$status" -eq 0 ]
  grep manifests/ "$root/asked"
  [ "$(layers_asked)" -eq 0 ]
  brig rmi stages
}

@test "a cache of all stages is written though the base of one that was found is not here" {
  dockerfile <<'END'
FROM 127.0.0.1:5001/base:amd64 AS maker
RUN echo all >/all
FROM scratch
COPY --from=maker /all /
END
  build -t stages; echo "$output"; [ "$status" -eq 0 ]
  brig rmi 127.0.0.1:5001/base:amd64
  : >"$root/asked"
  build -t stages --cache-to "type=local,dest=$context/cache,mode=max"; echo "$output"; [ "$status" -eq 0 ]
  [[ $output != *"miss:"* ]]
  [ "$(layers_asked)" -eq 0 ]
  [ "$(jq '.layers | length' "cache/blobs/sha256/$(jq -r '.manifests[0].digest' cache/index.json | cut -d: -f2)")" -eq 2 ]
  brig rmi stages && brig builder prune -af
}

@test "an image that the registry does not have fails before anything runs" {
  dockerfile <<'END'
FROM busybox AS first
RUN echo ran
FROM 127.0.0.1:5001/base:none
COPY --from=first /etc/passwd /
END
  build; echo "$output"; [ "$status" -ne 0 ]
  [[ $output == *"Dockerfile:3:1: 127.0.0.1:5001/base:none: failed to resolve source metadata"*"   3 | >>> FROM 127.0.0.1:5001/base:none"* ]]
  [[ $output != *"] RUN echo ran"* ]]
}

# ---- several platforms ----

# Copies only for what it is for, and a stage that this machine runs for both.
two_platforms() {
  dockerfile <<'END'
FROM --platform=$BUILDPLATFORM 127.0.0.1:5001/base:two AS common
RUN cat /etc/arch >/common; cat /proc/sys/kernel/random/uuid >/uuid
FROM common AS maker
ARG TARGETARCH TARGETPLATFORM
RUN echo "$TARGETPLATFORM on $(cat /etc/arch)" >/made
FROM 127.0.0.1:5001/base:two
COPY --from=maker /made /
COPY --from=common /common /uuid /
ENV A=b
END
}

@test "two platforms: what they share runs once, the rest for each; the image store has an index" {
  two_platforms
  build --platform linux/amd64,linux/arm64 -t both --metadata-file meta --iidfile iid; echo "$output"; [ "$status" -eq 0 ]
  [[ $output == *"[linux/amd64 common 2/2] RUN cat"* && $output == *"[linux/amd64 maker 2/2] RUN echo"* ]]
  [[ $output == *"[linux/amd64->arm64 maker 2/2] RUN echo"* && $output == *"[linux/arm64 stage-2 2/3] COPY --from=maker"* ]]
  [ "$(grep -c 'RUN cat /etc/arch' <<<"$output")" -eq 1 ]
  [ "$(brig run --rm both cat /etc/arch /made /common)" = $'amd64\nlinux/amd64 on amd64\namd64' ]
  brig save both | tar -xf - -C "$context"
  local index digest; index=$(on_host skopeo inspect --raw "oci:$context")
  echo "$index"
  [ "$(jq -r '.mediaType, (.manifests[].platform | .os + "/" + .architecture)' <<<"$index")" = $'application/vnd.oci.image.index.v1+json\nlinux/amd64\nlinux/arm64' ]
  digest=sha256:$(printf %s "$index" | sha256sum | cut -d' ' -f1)
  [ "$(jq -r '."containerimage.digest"' meta)" = "$digest" ]
  [ "$(jq 'has("containerimage.config.digest")' meta)" = false ]
  [ "$(cat iid)" = "$digest" ]
  # Again: nothing runs, and it is the same.
  build --platform linux/amd64,linux/arm64 -t both --iidfile iid; [ "$status" -eq 0 ]
  [[ $output != *"miss:"* ]]
  [ "$(cat iid)" = "$digest" ]
  build --platform linux/amd64,linux/arm64 -t both --no-cache; echo "$output"; [ "$status" -eq 0 ]
  [ "$(grep -c 'RUN cat /etc/arch' <<<"$output")" -eq 1 ]
}

@test "two platforms: an archive has both, tar and a directory have one directory for each" {
  two_platforms
  build --platform linux/amd64,linux/arm64 -t archive -o type=oci,dest=out.tar; echo "$output"; [ "$status" -eq 0 ]
  on_host skopeo copy --quiet --all "oci-archive:$context/out.tar" "dir:$context/copied"
  [ "$(jq -r '.manifests[].platform.architecture' copied/manifest.json)" = $'amd64\narm64' ]
  build --platform linux/amd64,linux/arm64 -o out; echo "$output"; [ "$status" -eq 0 ]
  [ "$(ls out)" = $'linux_amd64\nlinux_arm64' ]
  [ "$(cat out/linux_amd64/{etc/arch,made})" = $'amd64\nlinux/amd64 on amd64' ]
  [ "$(cat out/linux_arm64/{etc/arch,made})" = $'arm64\nlinux/arm64 on amd64' ]
  cmp out/linux_amd64/uuid out/linux_arm64/uuid
  build --platform linux/amd64,linux/arm64 -o type=tar,dest=files.tar; echo "$output"; [ "$status" -eq 0 ]
  mkdir files; tar -xf files.tar -C files
  diff -r --no-dereference out files
  # What the directory has of that name leads nowhere else.
  mkdir linked elsewhere && ln -s "$context/elsewhere" linked/linux_amd64
  build --platform linux/amd64,linux/arm64 -o linked; echo "$output"; [ "$status" -ne 0 ]
  [[ $output == *"open the output's directory 'linux_amd64'"* ]]
  [ -z "$(ls elsewhere)" ]
}

@test "a platform is spelt right before anything runs" {
  two_platforms
  build --platform linux/amd64,nonsense/; echo "$output"; [ "$status" -ne 0 ]
  [[ $output == *'"nonsense/" is no platform'* && $output != *FROM* ]]
}

# ---- an index by its digest ----

# Both, as no other test builds them.
own_platforms() { two_platforms; echo "LABEL test=$BATS_TEST_NUMBER" >>Dockerfile; }

architecture() { brig image inspect -f '{{.Architecture}}' "$@"; }

# Builds for both and leaves the index's digest, which is what -q prints, in $digest.
build_both() {
  run --separate-stderr brig build -q --platform linux/amd64,linux/arm64 "$@" "$context"
  echo "$output $stderr"
  [ "$status" -eq 0 ]
  digest=$output
}

@test "an index without a name is known by its digest, for all that an image's id is good for" {
  own_platforms
  brig image prune -f # what earlier builds left
  build_both --iidfile iid
  [[ $digest == sha256:???????????????????????????????????????????????????????????????? ]]
  [ "$(cat iid)" = "$digest" ]
  [ "$(architecture "$digest")" = amd64 ]
  [ "$(architecture --platform linux/arm64 "${digest:7:12}")" = arm64 ]
  [ "$(docker image inspect -f '{{.Architecture}}' "$digest")" = amd64 ]
  [ "$(brig image inspect "$digest" | jq -r '.[0].Descriptor | .digest, .mediaType')" = "$digest"$'\n'application/vnd.oci.image.index.v1+json ]
  run brig image inspect --platform linux/s390x "$digest"; [ "$status" -eq 1 ]
  [[ $output == *"does not match the specified platform: wanted linux/s390x"* ]]
  [ "$(brig run --rm "$digest" cat /etc/arch)" = amd64 ]
  [ "$(brig history --platform linux/arm64 --format '{{.CreatedBy}}' "$digest" | head -1)" = "LABEL test=$BATS_TEST_NUMBER" ]
  [ "$(brig images --digests | grep -c "^<none> *<none> *$digest ")" -eq 2 ]
  brig save "$digest" | tar -xf - -C "$context"
  [ "$(jq -r '.manifests[0].digest' index.json)" = "$digest" ]
  [ "$(jq length manifest.json)" -eq 1 ]
  brig tag "$digest" 127.0.0.1:5000/tagged:v1
  [ "$(architecture --platform linux/arm64 127.0.0.1:5000/tagged:v1)" = arm64 ]
  brig push -q 127.0.0.1:5000/tagged:v1
  on_host skopeo inspect --raw --tls-verify=false docker://127.0.0.1:5000/tagged:v1 | jq -e '.manifests | length == 2'
  run brig rmi "$digest"; echo "$output"; [ "$status" -eq 0 ]
  [[ $output == *"Untagged: 127.0.0.1:5000/tagged:v1"* && $output == *"Deleted: $digest"* ]]
  run brig image inspect "$digest"; [ "$status" -eq 1 ]
  [ -z "$(brig images -q --filter dangling=true)" ]
}

@test "an index without a name: image prune takes it whole; what a container uses stays" {
  own_platforms
  brig image prune -f # what earlier builds left
  build_both
  run brig image prune -f; echo "$output"; [ "$status" -eq 0 ]
  [[ $output == *"deleted: $digest"* ]]
  run brig image inspect "$digest"; [ "$status" -eq 1 ]
  [ -z "$(brig images -q --filter dangling=true)" ]
  build_both
  container=$(brig create "$digest")
  run docker rmi "$digest"; [ "$status" -eq 1 ]
  [[ $output == *"image is being used by stopped container"* ]]
  brig image prune -f
  [ "$(architecture "$digest")" = amd64 ]
  brig rm "$container"
  docker rmi "$digest"
  [ -z "$(brig images -q --filter dangling=true)" ]
}

@test "an index whose name goes to another build stays as what it is, and shares images with it" {
  brig image prune -f
  own_platforms
  build_both -t moved; first=$digest
  echo 'LABEL other=one' >>Dockerfile
  build_both -t moved
  [ "$digest" != "$first" ]
  [ "$(architecture --platform linux/arm64 "$first")" = arm64 ]
  brig rmi moved
  [ "$(architecture "$first")" = amd64 ]
  brig image prune -f
  run brig image inspect "$first"; [ "$status" -eq 1 ]
}

registry_digest() { on_host skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:5000/$1" | sha256sum | cut -d' ' -f1; }

@test "--push: what is printed, the id file, the metadata and the registry have one digest; rmi leaves nothing behind" {
  two_platforms
  build_both -t warm # the bases are here
  brig rmi warm
  before=$(brig images -aq | sort)
  build_both -t 127.0.0.1:5000/both:v1 -t 127.0.0.1:5000/both:v2 --push --metadata-file meta --iidfile iid
  [ "$digest" = "sha256:$(registry_digest both:v1)" ]
  [ "$digest" = "sha256:$(registry_digest both:v2)" ]
  [ "$digest" = "$(cat iid)" ]
  [ "$digest" = "$(jq -r '."containerimage.digest"' meta)" ]
  [ "$digest" = "$(jq -r '."containerimage.descriptor".digest' meta)" ]
  [ "$(architecture --platform linux/arm64 "$digest")" = arm64 ]
  [[ $(brig image inspect -f '{{json .RepoDigests}}' 127.0.0.1:5000/both:v1) == *"127.0.0.1:5000/both@$digest"* ]]
  # The same again, and pushed by itself.
  build_both -t 127.0.0.1:5000/both:v1 --push; [ "$digest" = "$(cat iid)" ]
  brig push -q 127.0.0.1:5000/both:v2; [ "$digest" = "sha256:$(registry_digest both:v2)" ]
  build_both -o type=registry,name=127.0.0.1:5000/both:docker,oci-mediatypes=false
  [ "$digest" = "sha256:$(registry_digest both:docker)" ]
  [ "$(on_host skopeo inspect --raw --tls-verify=false docker://127.0.0.1:5000/both:docker | jq -r '.mediaType, (.manifests[].mediaType)' | sort | uniq -c | awk '{print $1, $2}' | tr '\n' ' ')" = \
    "1 application/vnd.docker.distribution.manifest.list.v2+json 2 application/vnd.docker.distribution.manifest.v2+json " ]
  # Another form, other names; what is saved is whole all the same.
  build_both -o type=registry,name=127.0.0.1:5000/both:zstd,compression=zstd
  [ "$digest" = "sha256:$(registry_digest both:zstd)" ]
  brig save 127.0.0.1:5000/both:v1 | tar -xf - -C "$context"
  on_host skopeo --insecure-policy copy --quiet --all "oci:$context" "dir:$context/copied"
  # Two at once: each name is what its registry has, and the last is told.
  build_both -o type=registry,name=127.0.0.1:5000/one -o type=registry,name=127.0.0.1:5000/two,compression=zstd
  [ "$digest" = "sha256:$(registry_digest two:latest)" ]
  [ "$(brig image inspect 127.0.0.1:5000/one | jq -r '.[0].Descriptor.digest')" = "sha256:$(registry_digest one:latest)" ]
  [ "$(brig image inspect 127.0.0.1:5000/two | jq -r '.[0].Descriptor.digest')" = "$digest" ]
  brig rmi 127.0.0.1:5000/both:v1 127.0.0.1:5000/both:v2 127.0.0.1:5000/both:zstd 127.0.0.1:5000/both:docker 127.0.0.1:5000/one 127.0.0.1:5000/two
  [ "$(brig images -aq | sort)" = "$before" ]
}

@test "two platforms with one image: an entry for each" {
  dockerfile <<<'FROM busybox'
  build --platform linux/amd64/v2 -t second; [ "$status" -eq 0 ]
  dockerfile <<<'FROM second'
  run brig build -q --platform linux/amd64,linux/amd64/v2 -t same "$context"
  echo "$output"; [ "$status" -eq 0 ]
  index=blobs/sha256/${output#sha256:}
  brig save same | tar -xf - -C "$context"
  [ "$(jq -r '[.manifests[].platform | .architecture + (.variant // "")] | join(" ")' "$index")" = "amd64 amd64v2" ]
  [ "$(jq -r '[.manifests[].digest] | unique | length' "$index")" -eq 1 ]
  brig rmi same second
}

@test "archives of two platforms in a form: every layer has it, and brig loads them" {
  two_platforms
  local type form
  for type in oci docker; do
    for form in gzip zstd; do
      build_both -t "form:$form" -o "type=$type,dest=$type.tar,compression=$form,force-compression=true"
      rm -rf "copied.$type.$form"
      on_host skopeo --insecure-policy copy --quiet --all "oci-archive:$context/$type.tar" "dir:$context/copied.$type.$form"
      [ "$(jq -r '[.manifests[].platform.architecture] | join(" ")' "copied.$type.$form/manifest.json")" = "amd64 arm64" ]
      for manifest in $(jq -r '.manifests[].digest' "copied.$type.$form/manifest.json"); do
        [ "$(jq -r '[.layers[].mediaType | split("+")[1]] | unique | join(" ")' "copied.$type.$form/${manifest#sha256:}.manifest.json")" = "$form" ]
      done
      brig rmi -f "form:$form"
      brig load -q -i "$type.tar"
      [ "$(architecture --platform linux/arm64 "form:$form")" = arm64 ]
      [ "$(brig run --rm "form:$form" cat /etc/arch)" = amd64 ]
      brig rmi -f "form:$form"
    done
  done
}

@test "an archive has its own names, not those of other outputs" {
  two_platforms
  build_both -t tagged -o type=docker,dest=a.tar,name=own:1 -o type=image,name=other:1
  [ "$(tar -xOf a.tar manifest.json | jq -c '.[0].RepoTags')" = '["tagged:latest","own:1"]' ]
  brig build -q -t tagged -o type=docker,dest=b.tar,name=own:1 -o type=image,name=other:1 "$context"
  [ "$(tar -xOf b.tar manifest.json | jq -c '.[0].RepoTags')" = '["tagged:latest","own:1"]' ]
  [ "$(tar -xOf b.tar index.json | jq -r '.manifests[].annotations["io.containerd.image.name"]' | sort | tr '\n' ' ')" = "docker.io/library/own:1 docker.io/library/tagged:latest " ]
  brig rmi -f tagged own:1 other:1
}

ran() { grep -c 'miss:' <<<"$output" || :; }

@test "a cache of two platforms: registry, directory, in the images" {
  two_platforms
  build --platform linux/amd64,linux/arm64 -t 127.0.0.1:5000/cached:1 --push --cache-to type=inline \
    --cache-to "type=registry,ref=127.0.0.1:5000/cache:two,mode=max" --cache-to "type=local,dest=$context/cache,mode=max"
  echo "$output"; [ "$status" -eq 0 ]
  mv cache "$root/kept-cache"
  local from
  for from in "type=registry,ref=127.0.0.1:5000/cache:two" "type=local,src=$root/kept-cache"; do
    brig rmi -f 127.0.0.1:5000/cached:1 && brig builder prune -af
    build --platform linux/amd64,linux/arm64 -t 127.0.0.1:5000/cached:1 --cache-from "$from"
    echo "$output"; [ "$status" -eq 0 ]
    [ "$(ran)" -eq 0 ]
    [ "$(brig run --rm 127.0.0.1:5000/cached:1 cat /made)" = 'linux/amd64 on amd64' ]
  done
  # An image has its own last stage along, for each platform.
  brig rmi -f 127.0.0.1:5000/cached:1 && brig builder prune -af
  build --platform linux/amd64,linux/arm64 -t again --cache-from type=registry,ref=127.0.0.1:5000/cached:1
  echo "$output"; [ "$status" -eq 0 ]
  [ "$(ran)" -eq 0 ]
  brig rmi -f again && brig builder prune -af
  build --platform linux/arm64 -t again --cache-from type=registry,ref=127.0.0.1:5000/cached:1
  echo "$output"; [ "$status" -eq 0 ]
  [ "$(ran)" -eq 0 ]
  brig rmi -f again; rm -rf "$root/kept-cache"
}

@test "a build makes its index whatever is pruned and removed meanwhile" {
  two_platforms
  build_both -t raced
  while [[ ! -e $context/stop ]]; do brig image prune -f; brig rmi -f $(brig images -q --filter dangling=true); done >/dev/null 2>&1 3>&- &
  pruning=$!
  local i
  for i in {1..12}; do
    echo "LABEL round=$i" >>Dockerfile
    build_both -t raced -o type=image -o "type=oci,dest=$context/raced.tar" || { touch stop; wait $pruning; return 1; }
  done
  touch stop; wait $pruning || :
  [ "$(architecture --platform linux/arm64 raced)" = arm64 ]
  brig rmi -f raced
}

@test "one foreign platform: copies need no emulator; a RUN without one is refused before anything runs" {
  [[ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]] || skip "this machine runs arm64"
  brig pull -q 127.0.0.1:5001/base:two
  dockerfile <<'END'
FROM 127.0.0.1:5001/base:two
COPY Dockerfile /
WORKDIR /work
END
  build --platform linux/arm64 -t foreign; echo "$output"; [ "$status" -eq 0 ]
  [ "$(brig image inspect -f '{{.Os}}/{{.Architecture}}' foreign)" = linux/arm64 ]
  # The base's name is the host's still.
  [ "$(brig image inspect -f '{{.Architecture}}' 127.0.0.1:5001/base:two)" = amd64 ]
  dockerfile <<'END'
FROM --platform=$BUILDPLATFORM busybox AS own
RUN echo this runs
FROM 127.0.0.1:5001/base:two
COPY --from=own /etc/passwd /p
RUN cat /p
END
  build --platform linux/arm64; echo "$output"; [ "$status" -ne 0 ]
  [[ $output == *"Dockerfile:5"*"RUN cat /p is for linux/arm64"*"binfmt_misc"*"--platform=\$BUILDPLATFORM"* ]]
  [[ $output != *"this runs"* ]]
  [ "$(grep -c '>>> RUN cat /p' <<<"$output")" -eq 1 ]
}

@test "a base that exists for another platform only is told of, runs as what it is, and may be refused" {
  dockerfile <<'END'
FROM 127.0.0.1:5001/base:amd64
RUN cat /etc/arch
END
  build --platform linux/arm64 -t mismatch; echo "$output"; [ "$status" -eq 0 ]
  [[ $output == *'InvalidBaseImagePlatform: Base image 127.0.0.1:5001/base:amd64 was pulled with platform "linux/amd64", expected "linux/arm64" for current build (line 1)'* ]]
  sed -i '1i # check=skip=InvalidBaseImagePlatform' Dockerfile
  build --platform linux/arm64 -t mismatch; [[ $output != *InvalidBaseImagePlatform* ]]
  sed -i '1s/.*/# check=error=true/' Dockerfile
  build --platform linux/arm64 -t mismatch; echo "$output"; [ "$status" -ne 0 ]
  [[ $output == *"lint violation found for rules: InvalidBaseImagePlatform"* ]]
}
