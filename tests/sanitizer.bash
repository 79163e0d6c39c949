# sanitizer.bash: what a sanitizer (tools/build asan, tsan) finds in the programs that a test runs fails the test file.

# report_to FOLDER: there goes, as sanitizer.PID, what a sanitizer finds in any program of ours that this test begins:
# commands, whose standard error is the test's, and the daemon with its monitors and runtimes, whose standard error is /dev/null or a container's.
# UBSan writes to standard error though told otherwise, where ASan is, too: it aborts, which ASan reports.
# brig-image and brig-tls, which get no environment, write to the daemon's log. `sanitizer_reports` looks at both.
report_to() {
  local options=log_path=$1/sanitizer:exitcode=99
  export ASAN_OPTIONS=$options:handle_abort=1 UBSAN_OPTIONS=$options:print_stacktrace=1:halt_on_error=1:abort_on_error=1 TSAN_OPTIONS=$options
}

# sanitizer_reports [FOLDER]: prints and fails on what a sanitizer found in a program of ours (leaks at its end too): see report_to. A report
# that cannot be written, as in a container's root, ends its program.
sanitizer_reports() {
  local reports
  reports=$(find "${1:-$root}" -maxdepth 1 \( -name 'sanitizer.*' -o -name brigd.log \) -exec grep -hE -A 30 '(Address|Leak|Thread)Sanitizer|runtime error:|ERROR: Can.t open file' {} + | head -150)
  [[ -z $reports ]] || { echo "a sanitizer reports:"; printf '%s\n' "$reports"; return 1; }
}
