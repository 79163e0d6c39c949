#!/usr/bin/env bats
# Named contexts that are OCI layouts: make-index.py's, an index of this host's image and another platform's, of the tag v1.

load one-daemon

daemon_options=(--bridge none)

fill_daemon() {
  index=$("$top/tests/make-index.py" "$(busybox_tar)" "$root/layout" "$(host_architecture)" riscv64)
  export index
}

before_test() {
  context=$(mktemp -d "$root/context.XXXXXX")
  cd "$context" || return
}

teardown() {
  brig rmi -f $(brig images -aq) >/dev/null 2>&1 || :
  brig builder prune -af >/dev/null
}

dockerfile() { cat >"$context/Dockerfile"; }
build() { run brig build --progress plain --network none "$@" "$context"; echo "$output"; }
cached() { grep -c '^#[0-9]* CACHED' <<<"$output" || :; }
stored() { find "$root/data/image/$1" -mindepth 1 -maxdepth 1 | wc -l; }
store_is_empty() { [[ $(stored blobs/sha256) -eq 0 && $(stored snapshots) -eq 0 ]]; }
# copy_layout: a layout of this test's own, ./layout; manifest ARCHITECTURE: its manifest's digits; layer N: those of a layer of the host's.
copy_layout() { cp -r "$root/layout" "$context/layout"; }
manifest() { jq -r ".manifests[] | select(.platform.architecture == \"$1\") | .digest[7:]" "$root/layout/blobs/sha256/${index#sha256:}"; }
layer() { jq -r ".layers[$1].digest[7:]" "$root/layout/blobs/sha256/$(manifest "$(host_architecture)")"; }

all_uses() {
  dockerfile <<'END'
FROM base AS one
RUN cp /platform /was
FROM base
COPY --from=one /was /was
COPY --from=base /platform /copied
RUN --mount=from=base,target=/m cp /m/platform /mounted
END
}

@test "the image stands wherever its name does: FROM, COPY, a mount; nothing of it is listed, nothing stays" {
  all_uses
  build -t made --build-context "base=oci-layout://$root/layout:v1"; [ "$status" -eq 0 ]
  architecture=$(host_architecture)
  [ "$(brig run --rm --network none made cat /was /copied /mounted)" = "$architecture"$'\n'"$architecture"$'\n'"$architecture" ]
  [ "$(brig image inspect -f '{{.Config.Cmd}} {{.Config.Env}}' made)" = '[cat /platform] [PATH=/bin]' ] # the base's
  [ "$(brig images --format '{{.Repository}}')" = made ]
  [ "$(brig images -aq | wc -l)" -eq 1 ]
  brig rmi made
  # Found again without its layers; with the image and the cache gone, they are.
  build --build-context "base=oci-layout://$root/layout:v1" -o type=cacheonly; [ "$status" -eq 0 ]
  [ "$(cached)" -eq 4 ]
  brig builder prune -af
  wait_until store_is_empty
  # A name that looks like a registry's; the layout's path may be relative, and its one tag left out.
  dockerfile <<<$'FROM reg.example/team/base:3\nRUN cp /platform /was'
  copy_layout
  build --build-context reg.example/team/base:3=oci-layout://layout -o out; [ "$status" -eq 0 ]
  [ "$(cat out/was)" = "$architecture" ]
  [[ $output != *"has no tag"* ]]
  # So it is where another tag is asked for, as in buildx, but not without a word.
  build --build-context reg.example/team/base:3=oci-layout://layout:v7 -o type=cacheonly; [ "$status" -eq 0 ]
  [[ $output == *"the OCI layout 'layout' has no tag 'v7': the one image that it has is taken"* ]]
}

@test "a platform of an index, the index's digest, a manifest's" {
  dockerfile <<<$'FROM base\nCOPY --from=base /platform /copied'
  build --platform "linux/$(host_architecture),linux/riscv64" --build-context "base=oci-layout://$root/layout@$index" -o out; [ "$status" -eq 0 ]
  [ "$(cat out/linux_riscv64/copied)" = riscv64 ]
  [ "$(cat "out/linux_$(host_architecture)/copied")" = "$(host_architecture)" ]
  build --build-context "base=oci-layout://$root/layout:v1@sha256:$(manifest riscv64)" -o other; [ "$status" -eq 0 ]
  [ "$(cat other/copied)" = riscv64 ]
  [[ $output == *InvalidBaseImagePlatform* ]]
  build --platform linux/s390x --build-context "base=oci-layout://$root/layout:v1"; [ "$status" -eq 1 ]
  [[ $output == *"context 'base': the OCI layout '$root/layout' has no image for linux/s390x"* ]]
}

@test "an image is the same from a layout and from brig load: so are the keys" {
  all_uses
  build --build-context "base=oci-layout://$root/layout:v1" -t made; [ "$status" -eq 0 ]
  [ "$(cached)" -eq 0 ]
  tar -C "$root/layout" -c . | brig load -q
  id=$(brig images -q --no-trunc --filter dangling=true | head -1)
  brig tag "$id" loaded
  build --build-context base=docker-image://loaded -t again; [ "$status" -eq 0 ]
  [ "$(cached)" -eq 4 ]
  [ "$(brig image inspect -f '{{.Id}}' made)" = "$(brig image inspect -f '{{.Id}}' again)" ]
  # And what the store has is not read: this layout has no layers any more.
  copy_layout
  rm "layout/blobs/sha256/$(layer 0)" "layout/blobs/sha256/$(layer 1)"
  build --no-cache --build-context base=oci-layout://layout:v1 -t third; [ "$status" -eq 0 ]
}

@test "a prune while it is built from leaves it alone" {
  dockerfile <<<$'FROM base\nRUN --mount=type=cache,id=gate,target=/gate mkfifo /gate/shut; cat /gate/shut\nRUN cp /platform /end'
  brig build --progress plain --network none --build-context "base=oci-layout://$root/layout:v1" -o out . >build.log 2>&1 3>&- &
  pid=$!
  gate() { compgen -G "$root/data/build/mounts/*/fs/shut"; }
  wait_until gate || { cat build.log; false; }
  brig system prune -af >/dev/null
  brig image prune -af >/dev/null
  timeout 30 bash -c ': >"$1"' open "$(gate)"
  wait "$pid" || { cat build.log; false; }
  [ "$(cat out/end)" = "$(host_architecture)" ]
}

@test "a layout that is damaged, or leads elsewhere, is named" {
  dockerfile <<<$'FROM base\nRUN true'
  copy_layout
  top_layer=layout/blobs/sha256/$(layer 1)
  mv "$top_layer" kept
  build --build-context base=oci-layout://layout:v1; [ "$status" -eq 1 ]
  [[ $output == *"context 'base': open '$(layer 1)' of the OCI layout 'layout': No such file or directory"* ]]
  ln -s "$context/kept" "$top_layer"
  build --build-context base=oci-layout://layout:v1; [ "$status" -eq 1 ]
  [[ $output == *"context 'base': '$(layer 1)' of the OCI layout 'layout' is a symbolic link"* ]]
  rm "$top_layer"; tr 'a-y' 'b-z' <kept >"$top_layer"
  build --build-context base=oci-layout://layout:v1; [ "$status" -eq 1 ]
  [[ $output == *"context 'base': the OCI layout 'layout' has sha256:"*" for layer sha256:$(layer 1)"* ]]
  head -c 100 kept >"$top_layer"
  build --build-context base=oci-layout://layout:v1; [ "$status" -eq 1 ]
  [[ $output == *"context 'base': the OCI layout 'layout' has 100 bytes for layer sha256:$(layer 1), its manifest says "* ]]
  rm "layout/blobs/sha256/${index#sha256:}"
  build --build-context base=oci-layout://layout:v1; [ "$status" -eq 1 ]
  [[ $output == *"Dockerfile:1:1: "*"context 'base': open '${index#sha256:}' of the OCI layout 'layout': No such file or directory"* ]]
  build --build-context base=oci-layout://nowhere; [ "$status" -eq 1 ]
  [[ $output == *"build context 'base': open 'nowhere': No such file or directory"* ]]
  build --build-context base=oci-layout://.; [ "$status" -eq 1 ]
  [[ $output == *"context 'base': the OCI layout '.' has no index.json"* ]]
  # The scheme is a context's, no image's.
  dockerfile <<<$'FROM oci-layout://base\nRUN true'
  build --build-context "base=oci-layout://$root/layout:v1"; [ "$status" -eq 1 ]
  [[ $output == *"invalid reference format"* ]]
}
