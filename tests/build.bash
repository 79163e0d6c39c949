# What build.bats and build-copy.bats share: one daemon for the file, a context of its own for each test.

load one-daemon

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  context=$(mktemp -d "$root/context.XXXXXX")
  cd "$context" || return
}

# dockerfile: standard input becomes the context's Dockerfile.
dockerfile() { cat >"$context/Dockerfile"; }
# build ARG...: brig build of the context, its plain progress in $output.
build() { run brig build --progress plain "$@" "$context"; }
in_image() { brig run --rm "$@"; }
