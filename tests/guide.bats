#!/usr/bin/env bats
# The user guide: every command in it is run, and what it prints compared (guide.py), on a host whose mirror of Docker Hub has busybox.

setup_file() {
  load lib
  make_host
  start_registry
  push_busybox library/busybox:latest
  start_daemon --registry-mirror "http://127.0.0.1:$registry_port"
  export root host_pid daemon_pid registry_pid
}

teardown_file() {
  load lib
  stop_registry
  end_host
}

@test "every command of the guide does what it says" {
  load lib
  mkdir "$root/guide"
  ln -s "$build/src/cli/brig" "$root/guide/brig"
  cd "$root/guide"
  run on_host env "PATH=$root/guide:$PATH" COMPOSE_PROJECT_NAME=notes timeout 200 "$top/tests/guide.py" "$top/docs/guide.md"
  echo "$output"
  [ "$status" -eq 0 ]
  grep -oE '[0-9]+ commands' <<<"$output" | awk '{ n += $1 } END { print "# " n " commands of the guide" }' >&3
}
