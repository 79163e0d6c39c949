# one-daemon.bash: a test file whose tests share one daemon, with busybox loaded. What a file does otherwise it defines after `load one-daemon`:
# the daemon's options, and what comes before the daemon, after it, before its end, and before each test. A test may start the daemon anew.

daemon_options=()
prepare_host() { :; }
fill_daemon() { load_busybox; }
end_helpers() { :; }
before_test() { :; }

setup_file() {
  load lib
  make_host
  prepare_host
  start_daemon "${daemon_options[@]}"
  fill_daemon
  export root host_pid daemon_pid
}

teardown_file() {
  load lib
  end_helpers
  end_host
}

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  [[ ! -e $root/brigd.pid ]] || daemon_pid=$(cat "$root/brigd.pid") # an earlier test may have started it anew
  before_test
}
