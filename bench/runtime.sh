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

runtimes=("$brig")
for peer in crun runc; do runtimes+=($(type -P $peer || :)); done
python3 "$top/bench/interleaved.py" "$rounds" "$work/state" "$work/bundle" "${runtimes[@]}"
