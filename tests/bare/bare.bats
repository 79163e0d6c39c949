#!/usr/bin/env bats
# The README's two commands on a machine that has neither make nor a compiler. tools/check compiles for both (BARE_CCACHE); what that took it
# (COMPILE_SECONDS) counts as taken here.

@test "tools/demo shows the page, the second time in under ten seconds; tools/check starts" {
  run "$BATS_TEST_DIRNAME/enter" env compiled="${COMPILE_SECONDS:-0}" bash -c '
    ! command -v gcc && ! command -v make || exit 90
    what_there_is() {
      awk "{print \$5, \$9}" /proc/self/mountinfo; ls -A /tmp /run/netns 2>/dev/null
      find /sys/fs/cgroup -type d -name "brig-demo-*"; pgrep -l brig; ls /var/lib/brig /run/brig 2>/dev/null
    }
    command -v pgrep >/dev/null || pgrep() { for p in /proc/[0-9]*/comm; do cat "$p" 2>/dev/null; done | grep brig; }
    before=$(what_there_is)
    start=$SECONDS; sudo tools/demo || exit 91; first=$((SECONDS - start)); echo "first: $first s"
    [[ $((first + compiled)) -lt 300 ]] || exit 96
    start=$SECONDS; sudo tools/demo || exit 92; second=$((SECONDS - start)); echo "second: $second s"
    [[ $second -lt 10 ]] || exit 93
    diff <(echo "$before") <(what_there_is) || exit 95
    sudo tools/check unit:base || exit 94'
  echo "$output"
  grep -E '^(first|second): ' <<<"$output" | sed 's/^/# /' >&3
  [ "$status" -eq 0 ]
  [ "$(grep -c 'this page comes out of a container' <<<"$output")" -eq 2 ]
}
