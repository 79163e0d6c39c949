#!/bin/bash
# runtime.sh [ROUNDS]: `run` of a static program that does nothing, in its own namespaces and with a default seccomp profile: brig-runtime
# beside crun and runc, interleaved; prints medians and ratios. BRIG_RUNTIME names the binary.
set -euo pipefail
if [[ -z ${BENCH_NAMESPACE:-} ]]; then
  # crun 1.8 refuses a hybrid machine on which the unified hierarchy has a controller: all of them then run without that hierarchy.
  BENCH_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"
fi
if [[ -n $(cat /sys/fs/cgroup/unified/cgroup.controllers 2>/dev/null) ]]; then umount /sys/fs/cgroup/unified; fi
rounds=${1:-50}
top=$(cd "$(dirname "$0")/.." && pwd)
brig=$(realpath "${BRIG_RUNTIME:-$top/build/src/runtime/brig-runtime}")
profile=${SECCOMP_PROFILE:-/usr/share/containers/seccomp.json}
work=$(mktemp -d)
trap 'umount "$work/state" 2>/dev/null; rm -rf --one-file-system "$work"' EXIT

mkdir "$work/state" && mount -t tmpfs state "$work/state" # as /run is
mkdir -p "$work/bundle/rootfs"/{proc,sys,dev}
echo 'int main(void) { return 0; }' | cc -O2 -static -x c - -o "$work/bundle/rootfs/true"

# The profile as an engine hands it down: the rules for this architecture that need no capability.
seccomp() {
  jq '{defaultAction, defaultErrnoRet, architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    syscalls: [.syscalls[] | select((.includes.caps // []) == [] and (.includes.arches // ["amd64"] | index("amd64")))
      | {names, action, errnoRet, args} | del(..|nulls)]}' "$profile"
}
(cd "$work/bundle" && "$brig" spec)
jq --slurpfile seccomp <(seccomp) '.process.terminal = false | .process.args = ["/true"] | .linux.seccomp = $seccomp[0]' \
  "$work/bundle/config.json" >"$work/config.json"
mv "$work/config.json" "$work/bundle/config.json"

run_one() { # NAME COMMAND...: appends microseconds to the file NAME
  local name=$1 start end
  shift
  start=${EPOCHREALTIME/./}
  "$@" </dev/null >/dev/null
  end=${EPOCHREALTIME/./}
  echo $((end - start)) >>"$work/$name"
}
median() { sort -n "$work/$1" | sed -n "$((($(wc -l <"$work/$1") + 1) / 2))p"; }

runtimes=(brig-runtime)
for peer in crun runc; do command -v $peer >/dev/null && runtimes+=($peer); done
for ((i = 0; i < rounds; i++)); do
  for name in "${runtimes[@]}"; do
    program=$name
    [[ $name == brig-runtime ]] && program=$brig
    run_one "$name" "$program" --root "$work/state/$name" run --bundle "$work/bundle" "bench-$$-$i"
  done
done

ours=$(median brig-runtime)
for name in "${runtimes[@]}"; do
  theirs=$(median "$name")
  printf '%-13s %7.2f ms' "$name" "$(bc -l <<<"$theirs / 1000")"
  [[ $name == brig-runtime ]] || printf '   brig-runtime takes %.3f of it' "$(bc -l <<<"$ours / $theirs")"
  echo
done
