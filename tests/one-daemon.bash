# one-daemon.bash: a test file whose tests share one daemon, with busybox loaded. What a file does otherwise it defines after `load one-daemon`.

setup_file() {
  load lib
  make_host
  start_daemon
  load_busybox
  export root host_pid daemon_pid
}

teardown_file() {
  load lib
  end_host
}

setup() {
  load lib
  bats_require_minimum_version 1.5.0
}
