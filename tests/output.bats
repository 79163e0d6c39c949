#!/usr/bin/env bats
# What comes out of `brig build`: images in registries (Debian's docker-registry at 127.0.0.1:5000), several outputs at once, forms of
# compression, and what must not come out.

setup_file() {
  load lib
  make_host
  start_daemon
  start_registry 5000
  load_busybox
  export root host_pid daemon_pid registry_pid registry_port
}

teardown_file() {
  load lib
  stop_registry
  end_host
}

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  context=$(mktemp -d "$root/context.XXXXXX")
  cd "$context" || return
  printf 'FROM busybox\nCOPY file /file\nRUN echo made >/made\n' >Dockerfile
  echo "$BATS_TEST_NUMBER" >file
}

manifest() { on_host curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://127.0.0.1:5000/v2/$1/manifests/${2:-latest}"; }
digest_of() { manifest "$@" | sha256sum | cut -d' ' -f1; }
inspect() { on_host skopeo inspect --tls-verify=false "docker://127.0.0.1:5000/$1"; }
id_of() { brig image inspect --format '{{.Id}}' "$1"; }

@test "--push: the image is in the registry and here; progress and metadata tell its digest" {
  run --separate-stderr brig build --progress plain --push -t 127.0.0.1:5000/pushed -t 127.0.0.1:5000/pushed:two --metadata-file m --iidfile i .
  echo "$stderr"
  [ "$status" -eq 0 ]
  digest=sha256:$(digest_of pushed)
  [[ $stderr == *" pushing layer "*" done"* ]]
  [[ $stderr == *" pushing manifest for 127.0.0.1:5000/pushed:latest@$digest done"* ]]
  [[ $stderr == *" pushing manifest for 127.0.0.1:5000/pushed:two@$digest done"* ]]
  [ "$(grep -c 'exporting to image' <<<"$stderr")" -eq 1 ]
  [ "$(jq -r '."containerimage.digest"' m)" = "$digest" ]
  [ "$(jq -r '."containerimage.descriptor".digest, ."containerimage.descriptor".size' m)" = "$digest"$'\n'"$(manifest pushed | wc -c)" ]
  [ "$(jq -r '."containerimage.config.digest"' m)" = "$(cat i)" ]
  [ "$(id_of 127.0.0.1:5000/pushed)" = "$(cat i)" ]
  [ "$(manifest pushed | jq -r .config.digest)" = "$(cat i)" ]
  [[ $(brig image inspect --format '{{json .RepoDigests}}' 127.0.0.1:5000/pushed) == *"@$digest"* ]]
  brig rmi -f "$(cat i)"
  brig pull -q 127.0.0.1:5000/pushed
  [ "$(brig run --rm 127.0.0.1:5000/pushed cat /made)" = made ]
  run --separate-stderr brig build --progress rawjson --push -t 127.0.0.1:5000/pushed .
  [ "$(jq -r 'select(.kind == "pushed") | .layer' <<<"$stderr")" = "$digest" ]
}

@test "type=registry and type=image,push=true: name=, and a push that fails says which" {
  brig build -q -o type=registry,name=127.0.0.1:5000/named:v1 .
  [ "$(manifest named v1 | jq -r .schemaVersion)" = 2 ]
  brig build -q -o '"type=image","name=127.0.0.1:5000/a:1,127.0.0.1:5000/b:2",push=true' .
  [ "$(digest_of a 1)" = "$(digest_of b 2)" ]
  run brig build --progress plain -o type=registry,name=127.0.0.1:1/nobody .
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *'ERROR: failed to build: failed to push 127.0.0.1:1/nobody:latest: '*'connection refused' ]]
}

@test "compression: gzip, zstd and uncompressed layers, media types, read back by brig and skopeo" {
  local form
  for form in gzip zstd uncompressed; do
    brig build -q -o "type=registry,name=127.0.0.1:5000/form:$form,compression=$form,compression-level=1" . 2>/dev/null ||
      brig build -q -o "type=registry,name=127.0.0.1:5000/form:$form,compression=$form" .
    suffix=+$form; [[ $form != uncompressed ]] || suffix=
    [ "$(manifest form "$form" | jq -r '.layers[-1].mediaType')" = "application/vnd.oci.image.layer.v1.tar$suffix" ]
    on_host skopeo --insecure-policy copy -q --src-tls-verify=false "docker://127.0.0.1:5000/form:$form" "oci:$context/$form"
    brig rmi -f "$(id_of "127.0.0.1:5000/form:$form")"
    brig pull -q "127.0.0.1:5000/form:$form"
    [ "$(brig run --rm "127.0.0.1:5000/form:$form" cat /file /made)" = "$BATS_TEST_NUMBER"$'\nmade' ]
    brig rmi -f "$(id_of "127.0.0.1:5000/form:$form")"
  done
  [ "$(digest_of form gzip)" != "$(digest_of form zstd)" ]
}

@test "a second push in a form sends and compresses nothing; brig push keeps the form that the image was built with" {
  brig build -q -o type=image,name=127.0.0.1:5000/kept,compression=zstd,push=true .
  first=$(digest_of kept)
  run --separate-stderr brig build --progress rawjson -o type=image,name=127.0.0.1:5000/kept,compression=zstd,push=true .
  [ "$(jq -r 'select(.kind == "pushing" and .status == "Pushed")' <<<"$stderr")" = "" ]
  [ "$(digest_of kept)" = "$first" ]
  brig tag 127.0.0.1:5000/kept 127.0.0.1:5000/later
  brig push -q 127.0.0.1:5000/later
  [ "$(digest_of later)" = "$first" ]
}

@test "force-compression: layers that came as gzip become zstd; without it they stay" {
  image_of 127.0.0.1:5000/base:gzip 'echo base >www/base'
  brig push -q 127.0.0.1:5000/base:gzip
  brig rmi -f "$(id_of 127.0.0.1:5000/base:gzip)"
  brig pull -q 127.0.0.1:5000/base:gzip
  sed -i 's#busybox#127.0.0.1:5000/base:gzip#' Dockerfile
  brig build -q -o type=registry,name=127.0.0.1:5000/mixed,compression=zstd .
  [ "$(manifest mixed | jq -r '[.layers[].mediaType | split("+")[1]] | join(" ")')" = "gzip zstd zstd" ]
  brig build -q -o type=registry,name=127.0.0.1:5000/forced,compression=zstd,force-compression=true .
  [ "$(manifest forced | jq -r '[.layers[].mediaType | split("+")[1]] | unique | join(" ")')" = zstd ]
  brig build -q -o type=oci,dest=plain.tar,compression=uncompressed,force-compression=true .
  [ "$(tar -xOf plain.tar manifest.json | jq -r '.[0].Layers[]' | while read -r layer; do tar -xOf plain.tar "$layer" | file -b - | cut -d' ' -f1-2; done | sort -u)" = "POSIX tar" ]
}

@test "oci-mediatypes=false: Docker's manifest; annotations and zstd have OCI's all the same" {
  brig build -q -o type=registry,name=127.0.0.1:5000/docker,oci-mediatypes=false .
  [ "$(manifest docker | jq -r '.mediaType, .config.mediaType, .layers[0].mediaType')" = $'application/vnd.docker.distribution.manifest.v2+json\napplication/vnd.docker.container.image.v1+json\napplication/vnd.docker.image.rootfs.diff.tar.gzip' ]
  brig rmi -f "$(id_of 127.0.0.1:5000/docker)"; brig pull -q 127.0.0.1:5000/docker
  brig build -q --annotation a=b -o type=registry,name=127.0.0.1:5000/noted,oci-mediatypes=false,annotation.c=d,annotation-manifest.e=f .
  [ "$(manifest noted | jq -c '[.mediaType, .annotations]')" = '["application/vnd.oci.image.manifest.v1+json",{"a":"b","c":"d","e":"f"}]' ]
}

@test "several outputs at once: files, archives, a registry, the engine; cacheonly leaves nothing but the cache" {
  brig build -q -t several -o type=local,dest=out -o type=tar,dest=root.tar -o type=oci,dest=image.oci,compression=gzip -o type=registry,name=127.0.0.1:5000/several .
  [ "$(cat out/made)" = made ]
  [ "$(tar -xOf root.tar made)" = made ]
  on_host skopeo inspect "oci-archive:$context/image.oci:latest" >/dev/null || on_host skopeo --insecure-policy copy -q "oci-archive:$context/image.oci" "dir:$context/copied"
  tar -xOf image.oci manifest.json | jq -e '.[0].RepoTags | index("several:latest")'
  [ "$(manifest several | jq -r .config.digest)" = "$(id_of several)" ]
  brig load -q <image.oci
  before=$(brig images -aq | sort)
  echo other >file
  run brig build --progress plain -o type=cacheonly .
  [ "$status" -eq 0 ]
  [[ $output != *"writing image"* ]]
  [ "$(brig images -aq | sort)" = "$before" ]
  run brig build --progress plain -o type=cacheonly .
  [ "$(grep -c CACHED <<<"$output")" -ge 2 ]
}
