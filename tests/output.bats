#!/usr/bin/env bats
# What comes out of `brig build`: images in registries (Debian's docker-registry at 127.0.0.1:5000), several outputs at once, forms of
# compression, and what must not come out.

setup_file() {
  load lib
  make_host
  start_daemon --group users # for the test of what another user may do
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

teardown() { [[ -z ${server:-} ]] || kill "$server" 2>/dev/null || :; }

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
  [ "$(jq -r '.statuses[]?.id | select(startswith("pushing manifest for"))' <<<"$stderr")" = "pushing manifest for 127.0.0.1:5000/pushed:latest@$digest" ]
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

@test "push-by-digest: no tag there, none here, the digest in the metadata; of several platforms, too" {
  run --separate-stderr brig build --progress plain --metadata-file m --iidfile i -o type=image,name=127.0.0.1:5000/untagged,push-by-digest=true,name-canonical=true,push=true .
  echo "$stderr"
  [ "$status" -eq 0 ]
  digest=$(jq -r '."containerimage.digest"' m)
  [[ $stderr == *" pushing manifest for 127.0.0.1:5000/untagged@$digest done"* ]]
  [ "$(jq -r '."image.name"' m)" = 127.0.0.1:5000/untagged ]
  [ "sha256:$(digest_of untagged "$digest")" = "$digest" ]
  [ "$(on_host curl -s http://127.0.0.1:5000/v2/untagged/tags/list | jq -c .tags)" = null ]
  [ "$(brig image inspect --format '{{.RepoTags}} {{.RepoDigests}}' "$(cat i)")" = "[] [127.0.0.1:5000/untagged@$digest]" ]
  brig build -q -t tagged -o type=registry,name=127.0.0.1:5000/untagged,push-by-digest=true . # its tag is its own
  [ "$(id_of tagged)" = "$(cat i)" ]
  brig build -q -t 127.0.0.1:5000/by-tag --push -o type=image,push-by-digest=true --metadata-file m .
  [ "$(manifest by-tag "$(jq -r '."containerimage.digest"' m)" | jq -r .config.digest)" = "$(id_of 127.0.0.1:5000/by-tag)" ]
  [ "$(on_host curl -s http://127.0.0.1:5000/v2/by-tag/tags/list | jq -c .tags)" = null ]
  printf 'FROM scratch\nCOPY file /file\n' >Dockerfile
  brig build -q --platform linux/amd64,linux/arm64 --metadata-file m -o type=registry,name=127.0.0.1:5000/untagged-index,push-by-digest=true .
  digest=$(jq -r '."containerimage.digest"' m)
  [ "$(on_host curl -s -H 'Accept: application/vnd.oci.image.index.v1+json' "http://127.0.0.1:5000/v2/untagged-index/manifests/$digest" | jq '.manifests | length')" -eq 2 ]
  [ "$(on_host curl -s http://127.0.0.1:5000/v2/untagged-index/tags/list | jq -c .tags)" = null ]
  brig pull -q "127.0.0.1:5000/untagged-index@$digest"
  run ! brig build -q -o type=registry,name=127.0.0.1:5000/untagged:1,push-by-digest=true .
  [[ $output == *"can't push tagged ref 127.0.0.1:5000/untagged:1 by digest"* ]]
  run ! brig build -q -o type=image,name=untagged,name-canonical=true .
  [[ $output == *"name-canonical=true is not done without a push"* ]]
}

@test "compression: gzip, zstd and uncompressed layers, media types, read back by brig and skopeo" {
  local form level suffix
  for form in gzip zstd uncompressed; do
    level=1; [[ $form != uncompressed ]] || level=99 # which says nothing, as to BuildKit
    brig build -q -o "type=registry,name=127.0.0.1:5000/form:$form,compression=$form,compression-level=$level" .
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
  moved() { jq -r '.statuses[]? | select((.id | test("^(pushing|compressing) layer")) and .current > 0) | .id' <<<"$stderr"; }
  run --separate-stderr brig build --progress rawjson -o type=image,name=127.0.0.1:5000/kept,compression=zstd,push=true .
  [ "$(moved | cut -d' ' -f1 | sort -u)" = $'compressing\npushing' ]
  first=$(digest_of kept)
  run --separate-stderr brig build --progress rawjson -o type=image,name=127.0.0.1:5000/kept,compression=zstd,push=true .
  [ "$(moved)" = "" ]
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

@test "annotations: of manifests, of one platform's, of an index, and of the descriptors that name them" {
  printf 'FROM scratch\nCOPY file /file\n' >Dockerfile
  noted() { brig build -q --platform linux/amd64,linux/arm64 --metadata-file m --annotation plain=1 --annotation 'index,manifest[linux/arm64]:several=2' --annotation manifest-descriptor:d=3 "$@" .; }
  noted -o type=registry,name=127.0.0.1:5000/noted:index,annotation-index-descriptor.id=4,annotation-manifest-descriptor[linux/amd64].d=5 -o type=oci,dest=noted.tar,annotation-index-descriptor.id=6,annotation-index.own=7
  index=$(on_host skopeo inspect --raw --tls-verify=false docker://127.0.0.1:5000/noted:index)
  [ "$(jq -c '.annotations, [.manifests[].annotations]' <<<"$index")" = '{"several":"2"}'$'\n''[{"d":"5"},{"d":"3"}]' ]
  [ "$(for digest in $(jq -r '.manifests[].digest' <<<"$index"); do manifest noted "$digest" | jq -c .annotations; done)" = '{"plain":"1"}'$'\n''{"plain":"1","several":"2"}' ]
  [ "$(jq -c '."containerimage.descriptor".annotations' m)" = '{"id":"4"}' ]
  [ "$(tar -xOf noted.tar index.json | jq -c '[.manifests[].annotations.id]')" = '["6"]' ]
  digest=$(tar -xOf noted.tar index.json | jq -r '.manifests[0].digest')
  [ "$(tar -xOf noted.tar "blobs/sha256/${digest#sha256:}" | jq -c '.annotations, [.manifests[].annotations]')" = '{"own":"7","several":"2"}'$'\n''[{"d":"3"},{"d":"3"}]' ]
  brig build -q --annotation manifest-descriptor:d=1 --annotation 'manifest[linux/amd64]:p=2' --annotation p=3 -o type=docker,dest=one.tar .
  [ "$(tar -xOf one.tar index.json | jq -c '[.manifests[].annotations.d]')" = '["1"]' ]
  digest=$(tar -xOf one.tar index.json | jq -r '.manifests[0].digest')
  [ "$(tar -xOf one.tar "blobs/sha256/${digest#sha256:}" | jq -c .annotations)" = '{"p":"2"}' ]
}

@test "annotations of what is not there are refused, before anything runs" {
  refused() { local part=$1; shift; run --separate-stderr brig build --progress plain "$@" .; [ "$status" -eq 1 ]; [[ $stderr == *"$part"* && $stderr != *'] RUN'* ]]; }
  refused 'index annotations not supported for single platform export' --annotation index:a=b
  refused 'index annotations not supported for single platform export' -o type=image,annotation-index-descriptor.a=b
  refused 'invalid annotation: no platform linux/s390x found in source' --annotation 'manifest[linux/s390x]:a=b'
  refused 'cannot export annotations with "oci-mediatypes=false"' -o type=image,oci-mediatypes=false,annotation-manifest-descriptor.a=b
  printf 'FROM busybox\n' >Dockerfile
  brig build -q --platform linux/amd64/v2 -t second .
  printf 'FROM second\n' >Dockerfile
  refused 'linux/amd64 and linux/amd64/v2 are the same image' --platform linux/amd64,linux/amd64/v2 --annotation 'manifest[linux/amd64]:a=b'
}

@test "tar=false: an OCI layout, and more into one; what is there stays, and other programs read it" {
  entries() { jq -r '.manifests[].annotations | (."io.containerd.image.name" // "-") + " " + ."org.opencontainers.image.ref.name"' deep/layout/index.json; }
  brig build -q -t laid -o type=oci,tar=false,dest=deep/layout .
  [ "$(entries)" = "docker.io/library/laid:latest latest" ]
  on_host skopeo --insecure-policy copy -q "oci:$context/deep/layout:latest" "dir:$context/copied"
  brig build -q -o type=docker,tar=false,dest=deep/layout,name=other:2,compression=zstd,annotation-manifest-descriptor.a=b .
  brig build -q -o type=oci,tar=false,dest=deep/layout .
  echo changed >file
  brig build -q -t laid -o type=oci,tar=false,dest=deep/layout .
  [ "$(entries)" = $'docker.io/library/other:2 2\n- latest\ndocker.io/library/laid:latest latest' ]
  [ "$(jq -r '.manifests[0].annotations.a' deep/layout/index.json)" = b ]
  [ "$(ls -A deep/layout)" = $'blobs\nindex.json\noci-layout' ]
  for blob in deep/layout/blobs/sha256/*; do [ "$(sha256sum <"$blob")" = "${blob##*/}  -" ]; done
  printf 'FROM scratch\nCOPY file /file\n' >Dockerfile
  brig build -q --platform linux/amd64,linux/arm64 -t both -o type=oci,tar=false,dest=both .
  on_host skopeo --insecure-policy copy -q --all "oci:$context/both:latest" "dir:$context/copied.both"
  [ "$(jq '.manifests | length' copied.both/manifest.json)" -eq 2 ]
  printf 'FROM base\nRUN cat /made\n' >Dockerfile
  brig build -q --build-context "base=oci-layout://$context/deep/layout:2" .
}

@test "tar=false: what fails or is interrupted leaves a layout as it was, and the files are the user's" {
  mkdir bad; echo nonsense >bad/index.json
  run ! brig build -q -o type=oci,tar=false,dest=bad .
  [[ $output == *"'index.json' of the output's directory"* ]]
  [ "$(ls -A bad)" = index.json ]
  [ "$(cat bad/index.json)" = nonsense ]
  brig build -q -t first -o type=oci,tar=false,dest=layout .
  before=$(find layout | sort; cat layout/index.json)
  echo changed >file
  exec 5>layout/index.json.lock; flock 5
  brig build -q -t second -o type=oci,tar=false,dest=layout . 3>&- 5>&- & client=$!
  wait_until compgen -G 'layout/.brig-*/*' # it is under way
  kill -TERM "$client"; wait "$client" || :
  wait_until no compgen -G 'layout/.brig-*'
  rm layout/index.json.lock; exec 5>&-
  [ "$(find layout | sort; cat layout/index.json)" = "$before" ]
  install -m 755 "$build/src/cli/brig" "$root/brig"; chmod 755 "$root" "$context"
  mkdir -m 755 theirs
  as_user() { on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" env "DOCKER_HOST=$DOCKER_HOST" HOME=/ "$root/brig" build -q -o "type=oci,tar=false,dest=$context/theirs" "$context"; }
  run ! as_user
  [[ $output == *"write output to '$context/theirs': Permission denied"* ]]
  run on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" /usr/bin/python3 - "$root/brig.sock" "$context/theirs" layout <"$top/tests/send-build.py"
  [[ $output == *"403 Forbidden"*"output 'oci': the client (user 1000) cannot write there: Permission denied"* ]]
  [ -z "$(ls -A theirs)" ]
  chown 1000:1000 theirs
  as_user
  [ "$(find theirs -printf '%u:%g\n' | sort -u)" = "$(stat -c %U:%G theirs)" ]
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

@test "local: set-id bits stay, as with BuildKit; who may not write there is refused by the client and by the daemon" {
  printf 'FROM busybox AS make\nRUN echo x >/x && chmod 4755 /x\nFROM scratch\nCOPY --from=make /x /x\n' >Dockerfile
  brig build -q -o out .
  [ "$(stat -c %a out/x)" = 4755 ]
  install -m 755 "$build/src/cli/brig" "$root/brig" # where any user finds it
  mkdir -m 755 theirs; chmod 755 "$root" "$context"
  run on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" env "DOCKER_HOST=$DOCKER_HOST" HOME=/ "$root/brig" build -q -o "$context/theirs" "$context"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"write output to '$context/theirs': Permission denied" ]]
  run on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" /usr/bin/python3 - "$root/brig.sock" "$context/theirs" <"$top/tests/send-build.py"
  echo "$output"
  [[ $output == *"403 Forbidden"*"output 'local': the client (user 1000) cannot write there: Permission denied"* ]]
  # The same of a cache.
  run on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" env "DOCKER_HOST=$DOCKER_HOST" HOME=/ "$root/brig" build -q --cache-to "type=local,dest=$context/theirs" "$context"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"write a cache to '$context/theirs': Permission denied" ]]
  run on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" /usr/bin/python3 - "$root/brig.sock" "$context/theirs" cacheTo <"$top/tests/send-build.py"
  echo "$output"
  [[ $output == *"403 Forbidden"*"cache 'local': the client (user 1000) cannot write there: Permission denied"* ]]
  [ -z "$(ls theirs)" ]
  # And an agent that is another user's: the daemon would connect to it as root.
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' agent; chmod 600 agent
  run on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" /usr/bin/python3 - "$root/brig.sock" "$context/agent" ssh <"$top/tests/send-build.py"
  echo "$output"
  [[ $output == *"403 Forbidden"*"ssh agent 'default': the client (user 1000) cannot write there: Permission denied"* ]]
  install -d -o 1000 mine
  on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" env "DOCKER_HOST=$DOCKER_HOST" HOME=/ "$root/brig" build -q -o "$context/mine" "$context"
  [ "$(stat -c '%u %a' mine/x)" = '1000 4755' ]
}

@test "an unreadable file of a context that is packed is named; who may not talk to the daemon is told so" {
  printf 'FROM scratch\nCOPY . /\n' >Dockerfile
  install -m 755 "$build/src/cli/brig" "$root/brig"
  echo secret >closed; chmod 000 closed; chmod 777 "$context"; chmod 755 "$root"
  run on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" env "DOCKER_HOST=$DOCKER_HOST" HOME=/ bash -c "cd '$context' && echo before >log && $root/brig build . 1<>log 2>&1; status=\$?; cat log; exit \$status"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"ERROR: failed to build: open 'closed' in the context: Permission denied"* ]]
  for i in {1..10}; do
    run on_host setpriv --reuid 1000 --regid 1000 --clear-groups env "DOCKER_HOST=$DOCKER_HOST" HOME=/ "$root/brig" ps
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"only root and members of the socket's group may talk to this daemon"* || $output == *"permission denied while trying to connect"* ]]
  done
}

@test "a tar on standard input has secrets, annotations and outputs, too" {
  echo shh >"$root/token"
  printf 'FROM busybox\nCOPY file /file\nRUN --mount=type=secret,id=token cat /run/secrets/token >/seen\n' >Dockerfile
  run bash -c "tar -cz . | brig build --progress plain -t archived --secret id=token,src=$root/token -o type=local,dest=out -"
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(cat out/seen out/file)" = "shh"$'\n'"$BATS_TEST_NUMBER" ]
  run bash -c "head -c 2000 <(tar -c . ) | brig build -q -"
  [ "$status" -eq 1 ]
  [[ $output == *'read the build context'* ]]
  mv Dockerfile Other
  tar -c . | brig build -q -f Other --secret "id=token,src=$root/token" -
}

@test "plain progress of a URL context names each step once" {
  mkdir served; tar -czf served/c.tar.gz Dockerfile file
  nsenter --target "$host_pid" --net -- python3 -u -m http.server -d "$context/served" 8098 >served.log 2>&1 3>&- &
  server=$!
  wait_until on_host curl -sfo /dev/null http://127.0.0.1:8098/
  run brig build --progress plain -t url http://127.0.0.1:8098/c.tar.gz
  kill "$server"; server=
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(grep -c ' exporting to image$' <<<"$output")" -eq 1 ]
}

@test "the classic stream shows instructions as they are written, and ARG before FROM" {
  printf 'ARG BASE=busybox\nARG other\nFROM $BASE AS first\nENV A=1\nLABEL a=$A\nCMD [a,b]\n' >Dockerfile
  run env DOCKER_BUILDKIT=0 docker build .
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(grep '^Step' <<<"$output")" = 'Step 1/6 : ARG BASE=busybox
Step 2/6 : ARG other
Step 3/6 : FROM $BASE AS first
Step 4/6 : ENV A=1
Step 5/6 : LABEL a=$A
Step 6/6 : CMD [a,b]' ]
}

@test "check: what planning finds is told; a directive makes findings errors, in a check and in a build" {
  printf 'FROM busybox AS one\nCOPY --from=two /a /a\nFROM one AS two\nCOPY --from=two /b /b\n' >Dockerfile
  run brig build --check .
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output != *"no warnings found"* && $output == *"ERROR: failed to build: Dockerfile:"* ]]
  run brig build --check --target nope -f - . <<<'FROM scratch'
  [ "$status" -eq 1 ]
  [[ $output == *'target stage "nope" could not be found' && $output != *'Check complete'* ]]
  run brig build --call=check - <<<'FROM scratch'
  [ "$output" = 'Check complete, no warnings found.' ]
  printf '# check=error=true\nFROM busybox as a\n' >Dockerfile
  run brig build .
  [ "$status" -eq 1 ]
  [[ $output == *'lint violation found for rules: FromAsCasing'* ]]
  run brig build --check .
  [ "$status" -eq 1 ]
}

@test "ssh: an agent in another mount namespace, for a step of a user who is not its own" {
  cat >"$context/agent.py" <<'END'
import socket
s = socket.socket(socket.AF_UNIX); s.bind("/mnt/agent"); s.listen(8)
while True:
    client = s.accept()[0]
    client.sendall(b"heard " + client.makefile("rb").read()); client.close()
END
  mkdir programs # busybox's nc knows no Unix sockets
  cp -L --parents /usr/bin/socat $(ldd /usr/bin/socat | grep -oE '/[^ ]+') programs
  cat >Dockerfile <<'END'
FROM busybox
COPY programs /
RUN mkdir -m 777 /out
USER 1234:1235
RUN --mount=type=ssh,uid=1234,gid=1235,mode=0440 stat -c '%a %u:%g' $SSH_AUTH_SOCK >/out/who
RUN --mount=type=ssh,uid=1234 for i in 1 2; do echo hello $i | socat -t 30 - UNIX-CONNECT:$SSH_AUTH_SOCK; done >/out/said
RUN --mount=type=ssh ! socat -u /dev/null UNIX-CONNECT:$SSH_AUTH_SOCK 2>/out/refused
END
  run unshare --mount --propagation private bash -c 'mount -t tmpfs none /mnt && { python3 agent.py & } && until [[ -S /mnt/agent ]]; do :; done; timeout 60 brig build --progress plain -o out --ssh default=/mnt/agent .; status=$?; kill %1; exit $status'
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(cat out/out/who)" = "440 1234:1235" ]
  [ "$(cat out/out/said)" = $'heard hello 1\nheard hello 2' ]
  grep -q 'Permission denied' out/out/refused
}

@test "what is not there is called as docker calls it" {
  run --separate-stderr brig image inspect nope
  [ "$output" = '[]' ]
  theirs=$(docker image inspect nope 2>&1 >/dev/null) || :
  [ "$stderr" = "$theirs" ]
  run --separate-stderr brig inspect nope
  theirs=$(docker inspect nope 2>&1 >/dev/null) || :
  [ "$stderr" = "$theirs" ]
}
