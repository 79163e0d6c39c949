#!/usr/bin/env bats
# The brig command where it needs no daemon: grammar, help, errors, exit codes, how it finds and starts a daemon.

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  unset DOCKER_HOST BRIG_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY
  export DOCKER_CONFIG=$BATS_TEST_TMPDIR
  report_to "$BATS_TEST_TMPDIR"
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
  for command in run create exec ps images 'network create' 'volume create' logs build 'builder prune' 'system df'; do
    run brig $command --help
    while IFS= read -r line; do [ "${#line}" -le 100 ]; done <<<"$output"
  done
}

@test "every command of the help has a help of its own" {
  local group command
  for command in run create start stop restart kill rm pause unpause ps logs exec attach wait inspect top port rename events pull load save import tag \
    images rmi history version info build; do brig $command --help | grep -q "^Usage:  brig $command"; done
  for group in container image network volume system builder buildx manifest; do
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
  refused 1 'type=gha is not done: type=registry,ref=NAME or type=local,src=DIRECTORY' brig build --cache-from type=gha .
  refused 125 'attestations are not done: leave it out, or say false' brig build --provenance=true .
  refused 1 "'brig volume update' is not done yet" brig volume update
  refused 125 "'--gpus' is not done yet" brig run --gpus all image
  refused 1 "'--tree' is not done yet" brig images --tree
}

@test "a daemon that is not there" {
  refused 1 "Cannot connect to the brig daemon at unix:///nope" brig -H unix:///nope ps
  refused 125 "Cannot connect to the brig daemon at unix:///nope" brig -H unix:///nope run image
  refused 1 "unix:///nope" env DOCKER_HOST=unix:///nope brig images
  refused 1 "unix:///brig-nope" env DOCKER_HOST=unix:///nope BRIG_HOST=unix:///brig-nope brig images
  refused 1 "Cannot connect to the daemon at tcp://127.0.0.1:1: connect to 127.0.0.1:1: Connection refused" brig --tlsverify -H tcp://127.0.0.1:1 ps
  refused 1 'context "other": context not found: open ' brig -c other ps
  refused 1 "cannot specify both --host and --context" brig -c other -H unix:///nope ps
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

@test "version tells the commit and its time, or SOURCE_DATE_EPOCH; without git it leaves them out" {
  local tree=$BATS_TEST_TMPDIR/tree commit
  commit=$(brig -v); commit=${commit##* }
  run --separate-stderr brig -H unix:///nope version
  if [[ $commit == unknown ]]; then
    [[ $output != *"Git commit:"* ]]
  else
    [[ $output == *$'\n Git commit:        '"$commit"$'\n Built:             '* ]]
    [[ $output =~ Built:\ +(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\ [A-Z][a-z][a-z]\ [\ 0-9][0-9]\ [0-9:]{8}\ [0-9]{4} ]]
  fi
  mkdir -p "$tree/tools" "$tree/inner/tools"
  cp "$top/tools/built-from" "$tree/tools"; cp "$top/tools/built-from" "$tree/inner/tools"
  [ "$(env -u SOURCE_DATE_EPOCH "$tree/tools/built-from")" = '"", ""' ]
  [ "$(SOURCE_DATE_EPOCH=1000000000 "$tree/tools/built-from")" = '"", "2001-09-09T01:46:40.000000000+00:00"' ]
  git -C "$tree" init -q
  GIT_COMMITTER_DATE="2024-03-05T06:07:08+0200" git -C "$tree" -c user.name=a -c user.email=b commit -q --allow-empty -m one
  commit=$(git -C "$tree" rev-parse --short=7 HEAD)
  [ "$(env -u SOURCE_DATE_EPOCH "$tree/tools/built-from")" = "\"$commit\", \"2024-03-05T04:07:08.000000000+00:00\"" ]
  [ "$(SOURCE_DATE_EPOCH=1000000000 "$tree/tools/built-from")" = "\"$commit\", \"2001-09-09T01:46:40.000000000+00:00\"" ]
  # A tree inside of another's repository is at none of its commits.
  [ "$(env -u SOURCE_DATE_EPOCH "$tree/inner/tools/built-from")" = '"", ""' ]
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
  [ "$(brig build --call check,format=json "$dir" | jq '.warnings | length')" -eq 1 ]
  refused 1 'ERROR: failed to build: invalid format "xml"' brig build --call check,format=xml "$dir"
  refused 1 'METHOD,format=FORMAT' brig build --call check,colour=red "$dir"
  refused 1 '# check=error=true' brig build --call check,error=true "$dir"
  brig build --call check,ignorestatus=true,format=json "$dir" | jq -e '.warnings and (has("buildError") | not)'
  refused 1 '--call outline is not done' brig build --call outline "$dir"
  # what stands before the line that cannot be read is checked all the same
  printf 'FROM scratch AS Big\nMAINTAINER me\nBAD\nCMD a\n' > "$dir/Dockerfile"
  run --separate-stderr brig build --check --format json "$dir"
  [ "$status" -eq 1 ]
  [ "$(jq -r '.warnings[].ruleName' <<< "$output")" = $'StageNameCasing\nMaintainerDeprecated' ]
  [[ $stderr == *'unknown instruction: BAD'* ]]
  # and why it cannot be is a part of the result, as BuildKit has it
  local error='.message, .location.ranges[0].start.line, .location.ranges[0].end.line'
  [ "$(jq -r ".buildError | $error" <<< "$output")" = $'dockerfile parse error on line 3: unknown instruction: BAD (did you mean ADD?)\n3\n3' ]
  run --separate-stderr brig build --call=check,format=json -f - "$dir" <<< $'FROM scratch AS a\nCOPY --from=2 \\\n x /'
  [ "$status" -eq 1 ]
  [ "$(jq -r ".buildError | $error" <<< "$output")" = $'invalid from flag value 2: invalid stage index 2\n2\n3' ]
  run --separate-stderr brig build --call=check,format=json --target b -f - "$dir" <<< $'FROM scratch AS a'
  [ "$(jq -c '[.warnings, .buildError.message, .buildError.location]' <<< "$output")" = '[null,"target stage \"b\" could not be found (did you mean a?)",null]' ]
  [ "$(brig build --check --format sarif -f - "$dir" <<< BAD 2>/dev/null | jq -r '.runs[0].results[0] | .level, .locations[0].physicalLocation.region.startLine')" = $'error\n1' ]
  printf 'FROM scratch AS Big\nRUN <<END\nMAINTAINER x\n' > "$dir/Dockerfile"
  run --separate-stderr brig build --check --format json "$dir"
  [ "$(jq -r '.warnings[].ruleName' <<< "$output")" = StageNameCasing ]
  [[ $stderr == *'unterminated heredoc'* ]]
}

@test "build: what is wrong is said before a daemon is asked" {
  local dir=$BATS_TEST_TMPDIR/context
  mkdir "$dir"
  echo FROM scratch > "$dir/Dockerfile"
  export BRIG_HOST=unix:///nope
  refused 1 "ERROR: failed to build: Cannot connect to the brig daemon at unix:///nope" brig build --rm --force-rm --provenance=false "$dir"
  refused 1 'unable to prepare context: path "/none" not found' brig build /none
  refused 1 'failed to read dockerfile' brig build -f /none "$dir"
  refused 1 "invalid git ref 'a..b'" brig build https://example.com/a.git#a..b
  refused 1 "its host begins with '-'" brig build ssh://-x/a
  refused 1 "can't use standard input for both" brig build -f - -
  refused 1 'standard input is empty' brig build - </dev/null
  refused 1 'ambiguous Dockerfile source' brig build -f x - <<< 'FROM scratch'
  refused 1 'invalid tag "A": invalid reference format' brig build -t A "$dir"
  printf 'FROM scratch\nLABEL a=\0b\n' >"$dir/nul"
  refused 1 "'$dir/nul' has a NUL character" brig build -f "$dir/nul" "$dir"
  refused 1 "'-' has a NUL character" brig build -f - "$dir" <"$dir/nul"
  refused 1 "builders other than 'default' are not done" brig buildx build --builder other "$dir"
  refused 1 '--call outline is not done' brig build --call outline "$dir"
  refused 1 'invalid progress "fancy"' brig build --progress fancy "$dir"
  refused 1 'invalid progress "fancy"' env BUILDKIT_PROGRESS=fancy brig build "$dir"
  refused 1 'standard error is no terminal' brig build --progress tty "$dir"
  refused 1 "tag is needed when pushing to registry" brig build -o type=registry "$dir"
  refused 1 "tag is needed when pushing to registry" brig build --push "$dir"
  refused 1 "--iidfile: write '/nope/iid': its directory: No such file or directory" brig build --iidfile /nope/iid "$dir"
  refused 1 "--metadata-file: write '$dir/Dockerfile/m': its directory: Not a directory" brig build --metadata-file "$dir/Dockerfile/m" "$dir"
  refused 1 "--iidfile: write '$dir': it is a directory: name a file" brig build --iidfile "$dir" "$dir"
  ln -s /nope/behind "$dir/link"
  refused 1 "--iidfile: write '$dir/link': its directory: No such file or directory" brig build --iidfile "$dir/link" "$dir"
  refused 1 "open output '/nope/out.tar': No such file or directory" brig build -o type=tar,dest=/nope/out.tar "$dir"
  refused 1 "invalid --cache-to 'type=typo': there is no type 'typo': type=registry,ref=NAME, type=local,dest=DIRECTORY or type=inline" brig build --cache-to type=typo "$dir"
  refused 1 "invalid --cache-from 'type=gha': type=gha is not done: type=registry,ref=NAME or type=local,src=DIRECTORY" brig build --cache-from type=gha "$dir"
  refused 1 "another one goes to '$dir/a', too" brig build -o "type=tar,dest=$dir/a" -o "type=oci,dest=$dir/a" "$dir"
  [ -z "$(find "$dir" -name '*.tmp*' -o -name a)" ]
  [ "$(brig build --call=check "$dir")" = 'Check complete, no warnings found.' ]
}

# fake_builder ADDRESS: something that says that it is brigd and answers builds with canned progress; what it got is in $got.
fake_builder() {
  got=$BATS_TEST_TMPDIR/got
  local ready=$BATS_TEST_TMPDIR/ready
  mkfifo "$ready"
  "$top/tests/fake-builder.py" "$1" "$got" >"$ready" 2>&1 3>&- &
  builder=$!
  await "$ready" fake-builder.py
  mkdir "$BATS_TEST_TMPDIR/context"; cd "$BATS_TEST_TMPDIR/context"
  printf 'FROM busybox\nRUN make\n' > Dockerfile
  echo drop > .dockerignore; echo x > drop; echo y > keep
}

teardown() {
  [[ -z ${builder:-} ]] || kill "$builder"
  sanitizer_reports "$BATS_TEST_TMPDIR"
}

plain='#1 [1/2] FROM busybox
#1 CACHED

#2 [2/2] RUN make
#2 miss: file a changed
#2 0.123 hello'

@test "build: the request, plain progress, the files it leaves" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  export BRIG_HOST=unix://$BATS_TEST_TMPDIR/s A=1 SECRET=s3
  run --separate-stderr brig build -t x -t y:2 --build-arg A --build-arg NONE --build-arg B=2 --secret id=SECRET --iidfile i --metadata-file m .
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  [ "$stderr" = "$plain"$'\n#2 DONE 0.4s' ]
  [ "$(cat i)" = "sha256:$(printf 'a%.0s' {1..64})" ]
  [ "$(jq -r '."image.name", ."containerimage.digest"' m)" = "docker.io/library/x:latest,docker.io/library/y:2"$'\n'"$(cat i)" ]
  [ "$(jq -c '.document | [.dockerfile, .ignore, .tags, .args, (.secrets[0].value | @base64d)]' "$got")" = \
    '["FROM busybox\nRUN make\n","drop\n",["x","y:2"],["A=1","B=2"],"s3"]' ]
  [ "$(brig build -q . 2>&1)" = "$(cat i)" ]
  run --separate-stderr brig build - <<< 'FROM other'
  [ "$status" -eq 0 ]
  [ "$(tail -1 "$got" | jq -c '.document | [.dockerfile, .contexts]')" = '["FROM other\n",null]' ]
}

@test "build: several outputs, a push, and what is said of it" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  export BRIG_HOST=unix://$BATS_TEST_TMPDIR/s
  run --separate-stderr brig build -t h/x -o type=tar,dest=a.tar -o type=tar,dest=- -o type=registry,compression=zstd --metadata-file m .
  [ "$status" -eq 0 ]
  [ "$output" = archive ]
  [ "$(cat a.tar)" = archive ]
  [[ $stderr == *$'exporting to image\n#3 pushing layer abc 2kB done\n#3 pushing manifest for h/x:latest@sha256:'* ]]
  [ "$(jq -c '[."containerimage.digest"[:10], ."containerimage.descriptor".mediaType, ."containerimage.config.digest"[:10]]' m)" = \
    '["sha256:ccc","a/manifest","sha256:aaa"]' ]
  [ "$(jq -c '.document.outputs' "$got")" = '[{"type":"tar","fd":1},{"type":"tar","fd":2},{"type":"image","push":true,"compression":"zstd"}]' ]
  brig build -q --push -t h/x . ; [ "$(tail -1 "$got" | jq -c '.document.outputs')" = '[{"type":"image","push":true}]' ]
  brig build -q --load -o type=tar,dest=b.tar . ; [ "$(tail -1 "$got" | jq -c '.document.outputs')" = '[{"type":"tar","fd":1},{"type":"image"}]' ]
  brig build -q -o type=cacheonly . ; [ "$(tail -1 "$got" | jq -c '.document.outputs')" = null ]
  [ "$(brig build --progress rawjson --push -t h/x . 2>&1 >/dev/null | jq -r '.statuses[]?.id | select(startswith("pushing manifest"))')" = "pushing manifest for h/x:latest@sha256:$(printf 'c%.0s' {1..64})" ]
}

@test "build: --progress rawjson is BuildKit's" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  export BRIG_HOST=unix://$BATS_TEST_TMPDIR/s
  brig build --progress rawjson . 2>lines
  jq -s -e 'map(keys[0]) | unique - ["logs", "statuses", "vertexes", "warnings"] == []' lines
  [ "$(jq -r '.vertexes[]? | select(.completed) | [.name, .cached // false, .error // "", (.inputs | length)] | @csv' lines)" = \
    $'"[internal] load build definition from Dockerfile",false,"",0\n"[1/2] FROM busybox",true,"",0\n"[2/2] RUN make",false,"",1' ]
  local make
  make=$(jq -r '.vertexes[]? | select(.name == "[2/2] RUN make") | .digest' lines | uniq)
  [[ $make =~ ^sha256:[0-9a-f]{64}$ ]]
  [ "$(jq -r '.vertexes[]? | select(.name == "[1/2] FROM busybox") | .digest' lines)" = "$(jq -r '.vertexes[]? | select(.name == "[2/2] RUN make") | .inputs[]' lines | uniq)" ]
  [ "$(jq -r --arg v "$make" '.logs[]? | select(.vertex == $v) | [.stream, (.data | @base64d), .timestamp] | @json' lines)" = '[1,"hello\n","2001-09-09T01:46:40.123Z"]' ]
  [ "$(jq -r --arg v "$make" '.statuses[]? | select(.vertex == $v) | .id' lines)" = 'miss: file a changed' ]
  run --separate-stderr brig build --progress rawjson --target fail .
  [ "$status" -eq 1 ]
  [ "$(tail -1 <<<"$stderr")" = 'ERROR: failed to build: process "make" did not complete successfully: exit code: 2' ]
  [ "$(head -n -1 <<<"$stderr" | jq -r '.vertexes[]?.error // empty')" = 'exit code: 2' ]
}

@test "build: proxies of config.json and SOURCE_DATE_EPOCH are arguments; --build-arg wins" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  export BRIG_HOST=unix://$BATS_TEST_TMPDIR/s SOURCE_DATE_EPOCH=1700000000
  args() { tail -1 "$got" | jq -c '.document.args // [] | sort'; }
  brig build -q . ; [ "$(args)" = '["SOURCE_DATE_EPOCH=1700000000"]' ]
  brig build -q --build-arg SOURCE_DATE_EPOCH=5 . ; [ "$(args)" = '["SOURCE_DATE_EPOCH=5"]' ]
  SOURCE_DATE_EPOCH= brig build -q . ; [ "$(args)" = '[]' ]
  unset SOURCE_DATE_EPOCH
  echo '{"proxies":{"default":{"httpProxy":"h","httpsProxy":"s","ftpProxy":"f","noProxy":"n","allProxy":"a"}}}' >"$DOCKER_CONFIG/config.json"
  brig build -q .
  [ "$(args)" = '["ALL_PROXY=a","FTP_PROXY=f","HTTPS_PROXY=s","HTTP_PROXY=h","NO_PROXY=n","all_proxy=a","ftp_proxy=f","http_proxy=h","https_proxy=s","no_proxy=n"]' ]
  jq --arg daemon "$BRIG_HOST" '.proxies[$daemon] = {httpProxy: "own", noProxy: ""}' "$DOCKER_CONFIG/config.json" >config.json
  mv config.json "$DOCKER_CONFIG/config.json"
  brig build -q . ; [ "$(args)" = '["HTTP_PROXY=own","http_proxy=own"]' ]
  brig build -q --build-arg HTTP_PROXY=mine . ; [ "$(args)" = '["HTTP_PROXY=mine","http_proxy=own"]' ]
  brig build -q --build-arg HTTP_PROXY --build-arg http_proxy . ; [ "$(args)" = '[]' ]
}

@test "build: files of an earlier build do not outlive one that fails" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  echo old >i; echo old >m
  run brig -H "unix://$BATS_TEST_TMPDIR/s" build --target fail --iidfile i --metadata-file m .
  [ "$status" -eq 1 ]
  [[ ! -e i && ! -e m ]]
}

@test "build: a link is written through and stays one: /dev/stdout may lead to a file" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  export BRIG_HOST=unix://$BATS_TEST_TMPDIR/s
  local link
  for link in i m t; do ln -s "behind-$link" "$link"; done
  echo 'more than what will be there' >behind-t
  brig build -q -o type=tar,dest=t --iidfile i --metadata-file m .
  for link in i m t; do [ -L "$link" ]; done
  [ "$(cat behind-t)" = archive ]
  [[ $(cat behind-i) == sha256:aaa* && $(cat behind-m) == *'"containerimage.digest"'* ]]
  ln -s /proc/self/fd/1 out
  brig build -q -o type=tar,dest=out . >behind-out
  [ -L out ]
}

@test "build: descriptors are counted before anything is sent" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  export BRIG_HOST=unix://$BATS_TEST_TMPDIR/s
  refused 1 '33 contexts, agents, caches and outputs are more than the 32 that one build may have' brig build $(for i in {1..32}; do echo "--build-context=c$i=."; done) .
}

@test "build: a failure shows its step, its place and exits 1" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  run --separate-stderr brig -H "unix://$BATS_TEST_TMPDIR/s" build --target fail --iidfile i .
  [ "$status" -eq 1 ]
  [[ $stderr == "$plain"$'\n#2 ERROR: exit code: 2\n\n------\n > [2/2] RUN make:\n0.123 hello\n------\nDockerfile:2\n'*'   2 | >>> RUN make'* ]]
  [[ $stderr == *'ERROR: failed to build: process "make" did not complete successfully: exit code: 2' ]]
  [ ! -e i ]
  refused 1 'the daemon closed the connection' brig -H "unix://$BATS_TEST_TMPDIR/s" build --target broken .
}

@test "build: ctrl-c ends it within a second, with 130" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  exec 5< <(exec env --default-signal=INT brig -H "unix://$BATS_TEST_TMPDIR/s" build --target hang --output type=tar,dest=out . 2>&1 3>&-)
  local pid=$! line status=0
  while read -r line <&5; do [[ $line != *hello ]] || break; done
  local before=${EPOCHREALTIME/./}
  kill -INT "$pid"
  wait "$pid" || status=$?
  [ "$status" -eq 130 ]
  [ $((${EPOCHREALTIME/./} - before)) -lt 1000000 ]
  [[ $(cat <&5) == *'interrupted: the daemon cancels the build' ]]
  [ -z "$(ls | grep out)" ]
}

@test "build: a daemon without descriptors gets the classic request" {
  local port=$((20000 + RANDOM % 10000))
  fake_builder "$port"
  export BRIG_HOST=tcp://127.0.0.1:$port
  mkdir -p "$BATS_TEST_TMPDIR/other"; echo FROM elsewhere > "$BATS_TEST_TMPDIR/other/File"
  run --separate-stderr brig build -t x --label a=b .
  [ "$status" -eq 0 ]
  [[ $output == 'Step 1/1 : FROM scratch'*'Successfully built'* ]]
  [ "$(tail -1 "$got" | jq -c '[.query.t, .query.labels, (.files | keys)]')" = '[["x"],["{\"a\":\"b\"}"],[".dockerignore","Dockerfile","keep"]]' ]
  brig build -f "$BATS_TEST_TMPDIR/other/File" .
  [[ $(tail -1 "$got" | jq -r '.query.dockerfile[0] as $name | .files[$name], .query.dockerfile[0]') == $'FROM elsewhere\n\n.dockerfile.'* ]]
  tar c . | brig build -f Dockerfile -
  [ "$(tail -1 "$got" | jq -r '.files."./drop"')" = x ]
  [ "$(brig build -q .)" = "sha256:$(printf 'b%.0s' {1..64})" ]
  brig build https://example.com/context.tar.gz
  [ "$(tail -1 "$got" | jq -r '.query.remote[0]')" = https://example.com/context.tar.gz ]
  refused 1 '--secret needs brigd on a Unix socket' brig build --secret id=HOME .
  refused 1 '--output needs brigd on a Unix socket' brig build -o out - < <(tar c .)
  refused 1 '--push needs brigd on a Unix socket' brig build --push -t h/x .
}

@test "builder prune and system df" {
  fake_builder "$BATS_TEST_TMPDIR/s"
  export BRIG_HOST=unix://$BATS_TEST_TMPDIR/s
  [ "$(brig builder prune -af --keep-storage 1g --filter until=24h)" = $'Deleted build cache objects:\none\ntwo\n\nTotal reclaimed space: 1.235MB' ]
  [ "$(tail -1 "$got" | jq -c .query)" = '{"all":["1"],"keep-storage":["1073741824"],"filters":["{\"until\":{\"24h\":true}}"]}' ]
  run brig builder prune <<< n
  [ "$status" -eq 0 ]
  [[ $output == *'[y/N] ' ]]
  run brig system df
  [ "${lines[1]}" = 'Images          1         1         2MB       500kB (25%)' ]
  [ "${lines[4]}" = 'Build Cache     2         1         10kB      7kB' ]
  [ "$(brig system df --format '{{.Type}}={{.TotalCount}}' | head -1)" = Images=1 ]
  run brig system df -v
  [[ $output == *$'busybox      latest    cccccccccccc   N/A       1.5MB     0B            1.5MB         1\n'* ]]
  [[ $output == *'Build cache usage: 10kB'* ]]
}
