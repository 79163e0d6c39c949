#!/usr/bin/env bats
# The brig command where it needs no daemon: grammar, help, errors, exit codes, how it finds and starts a daemon.

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  unset DOCKER_HOST BRIG_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY
  export DOCKER_CONFIG=$BATS_TEST_TMPDIR
}

# refused CODE WORDS COMMAND...: the command ends with that code and says those words on standard error.
refused() {
  local code=$1 words=$2; shift 2
  run --separate-stderr "$@"
  [[ $status -eq $code ]] || { echo "exit code $status, not $code: $stderr"; return 1; }
  [[ $stderr == *"$words"* ]] || { echo "'$stderr' lacks '$words'"; return 1; }
  [[ -z $output ]] || { echo "printed: $output"; return 1; }
}

@test "help lists commands and global options, and exits 0" {
  run brig
  [ "$status" -eq 0 ]
  [[ $output == "Usage:  brig [OPTIONS] COMMAND"* ]]
  for word in 'Common Commands:' 'Management Commands:' 'Global Options:' '-H, --host list'; do [[ $output == *"$word"* ]]; done
  [ "$(brig --help)" = "$output" ]
  [ "$(brig help)" = "$output" ]
}

@test "help of a command comes from its table" {
  run brig run --help
  [ "$status" -eq 0 ]
  [[ $output == "Usage:  brig run [OPTIONS] IMAGE [COMMAND] [ARG...]"* ]]
  [[ $output == *"brig container run, brig run"* ]]
  [[ $output == *"-m, --memory bytes"* && $output == *"-e, --env list"* && $output != *"--net "* ]]
  [ "$(brig help run)" = "$output" ]
}

@test "no line of help is wider than a terminal" {
  for command in run create exec ps images 'network create' 'volume create' logs; do
    run brig $command --help
    while IFS= read -r line; do [ "${#line}" -le 100 ]; done <<<"$output"
  done
}

@test "every command of the help has a help of its own" {
  local group command
  for command in run create start stop restart kill rm pause unpause ps logs exec attach wait inspect top port rename events pull load save import tag \
    images rmi history version info; do brig $command --help | grep -q "^Usage:  brig $command"; done
  for group in container image network volume system; do
    brig $group --help | grep -q "^Usage:  brig $group COMMAND"
    while read -r command _; do brig $group "$command" --help | grep -q "^Usage:  brig $group $command"; done < <(
      brig $group --help | sed -n '/^Commands:/,/^$/p' | grep '^  ' | grep -v 'not done yet')
  done
}

@test "the version is said in Docker's words" {
  run brig --version
  [ "$status" -eq 0 ]
  [[ $output =~ ^brig\ version\ [0-9.]+,\ build\ ([0-9a-f]{7,}|unknown)$ ]]
  ln -s "$build/src/cli/brig" "$BATS_TEST_TMPDIR/docker"
  run "$BATS_TEST_TMPDIR/docker" --version
  [[ $output =~ ^Docker\ version\ [0-9.]+,\ build\ ([0-9a-f]{7,}|unknown)$ ]]
}

@test "as docker it says docker" {
  ln -s "$build/src/cli/brig" "$BATS_TEST_TMPDIR/docker"
  run "$BATS_TEST_TMPDIR/docker" ps --foo
  [ "$status" -eq 125 ]
  [[ $output == *"Usage:  docker ps [OPTIONS]"* && $output == *"Run 'docker ps --help' for more information"* ]]
  refused 1 "Cannot connect to the Docker daemon at unix:///nope. Is the docker daemon running?" "$BATS_TEST_TMPDIR/docker" -H unix:///nope ps
}

@test "unknown words and options are named, with the nearest" {
  refused 1 "brig: unknown command: brig foo" brig foo
  refused 1 "Did you mean 'brig images'?" brig iamges
  refused 1 "brig: unknown command: brig network foo" brig network foo
  refused 125 "unknown flag: --foo" brig ps --foo
  refused 125 "Did you mean '--network'?" brig run --netwrok x y
  refused 125 "Did you mean '--help'?" brig ps --hlep
  refused 125 "unknown shorthand flag: 'z' in -z" brig ps -z
  refused 125 "flag needs an argument: --name" brig run --name
  refused 125 "flag needs an argument: 'e' in -e" brig run -e
}

@test "the number of arguments is checked" {
  refused 1 "'brig run' requires at least 1 argument" brig run
  refused 1 "'brig logs' requires 1 argument" brig logs a b
  refused 1 "'brig rename' requires 2 arguments" brig rename a
  refused 1 "'brig ps' accepts no arguments" brig ps a
  refused 1 "'brig exec' requires at least 2 arguments" brig exec a
  refused 1 "'brig import' requires at least 1 and at most 2 arguments" brig import
}

@test "values are refused in Docker's words" {
  refused 125 "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'" brig run -m x image
  refused 125 'invalid argument "a=b" for "--ulimit" flag: invalid ulimit type: a' brig run --ulimit a=b image
  refused 125 "invalid field 'x' must be a key=value pair" brig run --mount x image
  refused 125 "invalid environment variable: " brig run -e '' image
  refused 125 'bad format of filter (expected name=value)' brig ps -f foo
  refused 125 'valid streams are STDIN, STDOUT and STDERR' brig run -a x image
  refused 125 'strconv.ParseInt: parsing "x": invalid syntax' brig stop -t x name
}

@test "what is not done is refused by name" {
  refused 1 "'brig build' is not done yet" brig build .
  refused 1 "'brig container prune' is not done yet" brig container prune
  refused 125 "'--gpus' is not done yet" brig run --gpus all image
  refused 1 "'--tree' is not done yet" brig images --tree
  refused 1 "TLS to the daemon is not done yet" brig --tlsverify ps
  refused 1 "context 'other'" brig -c other ps
}

@test "a daemon that is not there" {
  refused 1 "Cannot connect to the brig daemon at unix:///nope" brig -H unix:///nope ps
  refused 125 "Cannot connect to the brig daemon at unix:///nope" brig -H unix:///nope run image
  refused 1 "unix:///nope" env DOCKER_HOST=unix:///nope brig images
  refused 1 "unix:///brig-nope" env DOCKER_HOST=unix:///nope BRIG_HOST=unix:///brig-nope brig images
  refused 1 "specify only one -H" brig -H unix:///a -H unix:///b ps
  refused 1 "unable to parse docker host" brig -H foo://bar ps
  refused 1 "neither an address nor in /etc/hosts" brig -H tcp://host.invalid:1 ps
}

@test "version says the client's even without a daemon" {
  run --separate-stderr brig -H unix:///nope version
  [ "$status" -eq 1 ]
  [[ $output == "Client:"*"API version:"* && $stderr == *"Cannot connect"* ]]
  [[ $(brig -v) == "brig version "* ]]
}

@test "completion offers words of the tables" {
  [[ $(brig completion bash) == *"complete -o default -F _brig_complete brig"* ]]
  [ "$(brig __complete ru)" = run ]
  [ "$(brig __complete network conn)" = connect ]
  [[ $(brig __complete run --memory) == *--memory-swap* ]]
  [ -z "$(brig __complete run --gpu)" ]
}

# in_own_run DAEMON COMMAND: with a /run of its own and this script as brigd beside brig.
in_own_run() {
  cp "$build/src/cli/brig" "$BATS_TEST_TMPDIR/brig"
  printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/brigd"; chmod +x "$BATS_TEST_TMPDIR/brigd"
  unshare --mount --propagation private bash -c 'mount -t tmpfs none /run; cd "$1"; eval "$2"' own "$BATS_TEST_TMPDIR" "$2"
}

@test "a daemon that fails at its start: its log's end is shown" {
  run in_own_run $'#!/bin/sh\necho cannot: a reason; exit 3' './brig ps'
  [ "$status" -eq 1 ]
  [[ $output == *"ended at its start"* && $output == *"cannot: a reason"* ]]
}

@test "a daemon is started in a session of its own, once for two commands" {
  run in_own_run '#!/usr/bin/python3
import os, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("/run/brig/brig.sock")
listener.listen()
print("started", os.getsid(0) == os.getpid(), flush=True)
ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ready.sendto(b"READY=1\n", "\0" + os.environ["NOTIFY_SOCKET"][1:])
left = 2
while left:
    connection, _ = listener.accept()
    while data := connection.recv(65536):
        lists = b"/containers/json" in data
        left -= lists
        body = b"[]" if lists else b""
        connection.send(b"HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
' './brig ps && ./brig ps -q && cat /run/brig/brigd.log'
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == "CONTAINER ID"*NAMES ]]
  [ "${lines[1]}" = "started True" ]
  [ "${#lines[@]}" -eq 2 ]
}

@test "build --check: findings, formats, exit codes, the ignore file, a Dockerfile on standard input" {
  local dir=$BATS_TEST_TMPDIR/context
  mkdir "$dir"
  printf 'FROM scratch\nCOPY secret /\nCMD a\n' > "$dir/Dockerfile"
  run brig build --check "$dir"
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = "Check complete, 1 warning has been found!" ]
  [[ $output == *"WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/"*"   3 | >>> CMD a"* ]]
  echo secret > "$dir/.dockerignore"
  run brig build --check --format json "$dir"
  [ "$status" -eq 1 ]
  [ "$(jq -r '.warnings[] | "\(.ruleName) \(.location.ranges[0].start.line)"' <<< "$output")" = $'CopyIgnoredFile 2\nJSONArgsRecommended 3' ]
  [ "$(brig build --check --format sarif "$dir" | jq -r '.runs[0].results | length')" -eq 2 ]
  echo none > "$dir/Dockerfile.dockerignore"
  [ "$(brig build --check --format json "$dir" | jq '.warnings | length')" -eq 1 ]
  run brig build --check -f - "$dir" <<< 'FROM scratch'
  [ "$status" -eq 0 ]
  [ "$output" = "Check complete, no warnings found." ]
  refused 1 "unknown instruction: BAD" brig build --check -f - "$dir" <<< BAD
  refused 1 "invalid format" brig build --check --format xml "$dir"
}
