# What runtime.bats and runtime-process.bats share: brig-runtime with a state of its own, a root of busybox, a bundle a test, whose
# containers, groups and mounts are gone after it.

setup_file() {
  top=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  BRIG_RUNTIME=$(realpath "${BRIG_RUNTIME:-${BRIG_BUILD:-$top/build}/src/runtime/brig-runtime}")
  suite=$(mktemp -d "${TMPDIR:-/tmp}/brig-runtime-test.XXXXXX")
  export BRIG_RUNTIME suite
  load sanitizer
  report_to "$suite"
  mkdir -p "$suite/rootfs"/{bin,etc,tmp,root,proc,sys,dev,var}
  cp /bin/busybox "$suite/rootfs/bin/busybox"
  for name in $(/bin/busybox --list); do [[ $name == busybox ]] || ln -s busybox "$suite/rootfs/bin/$name"; done
  printf 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/var/web:/bin/sh\n' >"$suite/rootfs/etc/passwd"
  chmod 1777 "$suite/rootfs/tmp"
  chmod 755 "$suite" "$suite/rootfs"
}

teardown_file() {
  local status=0
  load sanitizer
  sanitizer_reports "$suite" || status=1
  rm -rf --one-file-system "$suite"
  return $status
}

setup() {
  id=t$BATS_TEST_NUMBER-$$
  children=()
  bundle=$suite/$id
  mkdir -p "$bundle"
  cp -a "$suite/rootfs" "$bundle/rootfs"
  "$BRIG_RUNTIME" spec --bundle "$bundle"
  config '.process.terminal = false'
}

teardown() {
  [[ ${#children[@]} -eq 0 ]] || kill "${children[@]}" 2>/dev/null || :
  brig list -q | while read -r left; do brig delete --force "$left"; done
  [[ -z $(find /sys/fs/cgroup -type d -name "*$id*" -print -quit) ]]
  no grep -F "$bundle" /proc/self/mountinfo
  rm -rf --one-file-system "$bundle"
}

# no COMMAND...: that it fails, as in lib.bash, which this file does without.
no() { if "$@"; then echo "succeeded: $*"; return 1; fi; }
brig() { "$BRIG_RUNTIME" --root "$suite/state" "$@"; }
config() { jq "$@" "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"; }
# in_container SCRIPT: the script is what sh runs.
script() { config --arg text "$1" '.process.args = ["sh", "-c", $text]'; }
go() { run brig run --bundle "$bundle" "$id"; }
in_container() { script "$1"; go; }

# A container that sleeps, started.
start_sleeper() {
  config '.process.args = ["sleep", "1000"]'
  brig create --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1
  brig start "$id"
}
status_of() { brig state "$1" | jq -r .status; }

# wait_for COMMAND...: until it succeeds, ten seconds at the most.
wait_for() {
  local end=$((SECONDS + 10))
  until "$@"; do
    [[ $SECONDS -lt $end ]] || return 1
    read -rt 0.02 <> <(:) || :
  done
}
has_status() { [[ $(status_of "$1") == "$2" ]]; }

cgroup_file() { # FILE_V1 CONTROLLER FILE_V2
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then cat "/sys/fs/cgroup/$id/$3"; else cat /sys/fs/cgroup/*"$2"*/"$id/$1" | head -1; fi
}
