#!/usr/bin/env bats
# The README's two commands on a machine that has neither make nor a compiler.

@test "tools/demo shows the page, the second time in under ten seconds; tools/check starts" {
  run "$BATS_TEST_DIRNAME/enter" bash -c '
    ! command -v gcc && ! command -v make || exit 90
    start=$SECONDS; sudo tools/demo || exit 91; echo "first: $((SECONDS - start)) s"
    start=$SECONDS; sudo tools/demo || exit 92; second=$((SECONDS - start)); echo "second: $second s"
    [[ $second -lt 10 ]] || exit 93
    sudo tools/check unit || exit 94
    ! grep -E "brig" /proc/self/mountinfo | grep -v " / / " || exit 95'
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(grep -c 'this page comes out of a container' <<<"$output")" -eq 2 ]
}
