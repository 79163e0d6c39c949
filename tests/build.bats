#!/usr/bin/env bats
# Building, by the unmodified docker client (the classic API) and by brig: one daemon for the file, a context of its own for each test.

load build

no_monitor() { ! pgrep -f "brig-monitor.*$root" >/dev/null; }

@test "what lies in contexts, layers and containers is spread over an ext4" {
  [[ $(stat -f -c %T "$root/data") == ext2/ext3 ]] || skip "another file system"
  for name in containers build/contexts build/layers; do [[ $(lsattr -d "$root/data/$name" | cut -d' ' -f1) == *T* ]]; done
}

@test "--chown takes any number that a file's owner can be; it is the same after save and load" {
  echo a >a; mkdir d; echo b >d/b
  printf 'FROM busybox\nCOPY --chown=4294967294 a /a\nCOPY --chown=7:2147483648 d /d\nFROM busybox\nCOPY --from=0 /a /d /x/\n' >Dockerfile
  build -t large; echo "$output"; [ "$status" -eq 0 ]
  brig save large >large.tar
  brig rmi large >/dev/null
  brig load -i large.tar >/dev/null
  [ "$(in_image large stat -c '%u:%g' /x/a /x/b)" = $'4294967294:4294967294\n7:2147483648' ]
  printf 'FROM busybox\nCOPY --chown=4294967295 a /a\n' >Dockerfile
  build; [ "$status" -eq 1 ]
  [[ $output == *"uids and gids must be in range 0-4294967294"* ]]
}

@test "docker build: steps, image, tag; the image runs" {
  echo hello >file
  dockerfile <<'END'
FROM busybox
ENV GREETING=hi
WORKDIR /work
COPY file .
RUN echo $GREETING >>file && cat file
CMD ["cat", "/work/file"]
END
  run env DOCKER_BUILDKIT=0 docker build -t first .
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"Step 1/6 : FROM busybox"* && $output == *"Step 5/6 : RUN echo"* ]]
  [[ $output == *"Successfully tagged first:latest"* ]]
  [ "$(in_image first)" = $'hello\nhi' ]
  [ "$(brig image inspect -f '{{.Config.WorkingDir}} {{.Config.Env}}' first)" = "/work [PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GREETING=hi]" ]
  run env DOCKER_BUILDKIT=0 docker build -t first .
  [ "$(grep -c 'Using cache' <<<"$output")" -ge 3 ]
  run -0 env DOCKER_BUILDKIT=0 docker build --no-cache -t first .
  [[ $output == *'Step 6/6 : CMD'* && $output != *'Using cache'* ]]
  # why a step ran, whatever the tag's version
  echo bye >file
  run env DOCKER_BUILDKIT=0 docker build -t first:2 .
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *$'Step 4/6 : COPY file .\n ---> miss: file file changed\n ---> '* ]]
}

@test "a second build is cached after touch and in another clone; a changed file says why" {
  mkdir src; echo one >src/a; echo two >src/b
  dockerfile <<'END'
FROM busybox
COPY src /src
RUN cat /src/* >/all
END
  build -t cached -q; [ "$status" -eq 0 ]; first=$output
  touch src/*
  build -t cached -q; [ "$output" = "$first" ]
  cp -r "$context" "$context.clone"
  run brig build -q -t cached "$context.clone"; [ "$output" = "$first" ]
  echo three >src/b
  build -t cached
  echo "$output"
  [[ $output == *"file src/b changed"* ]]
  [ "$(in_image cached cat /all)" = $'one\nthree' ]
  # by whatever tag, or none
  echo four >src/b
  build -t cached:4; [[ $output == *"miss: file src/b changed"* ]]
  echo five >src/b
  build; [[ $output == *"miss: file src/b changed"* ]]
  build -t other --network none; [[ $output == *"miss: the network changed"* && $output != *"instruction changed"* ]]
  printf 'FROM busybox\nARG X\nRUN echo $X\n' >Dockerfile
  build --build-arg X=3; [ "$status" -eq 0 ]
  build --build-arg X=4 -t foo:bar; echo "$output"; [[ $output == *"miss: variable X changed"* ]]
}

@test "stages: unreachable ones never run, what is copied has the key of its files, stages are named and numbered" {
  dockerfile <<'END'
FROM busybox AS never
RUN exit 1
FROM busybox AS maker
ARG STAMP=1
RUN echo made >/made; echo $STAMP >/stamp
FROM busybox
COPY --from=maker /made /made
COPY --from=1 /made /again
RUN cat /made /again >/both
END
  build -t stages; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image stages cat /both)" = $'made\nmade' ]
  [[ $output != *"exit 1"* ]]
  build -t stages --build-arg STAMP=2; echo "$output"
  [[ $output == *"variable STAMP"* ]]
  # The stage ran again, but /made is the same: what comes after the copy is found.
  [ "$(grep -c CACHED <<<"$output")" -ge 3 ]
  build --target never; [ "$status" -ne 0 ]
  [[ $output == *"exit code: 1"* ]]
}

@test "a step that runs again gives new files to what follows: --no-cache, --no-cache-filter" {
  dockerfile <<'END'
FROM busybox AS maker
RUN cat /proc/sys/kernel/random/uuid >/a
FROM maker AS user
RUN cp /a /b
FROM busybox
COPY --from=user /a /b /
END
  build -t again; [ "$status" -eq 0 ]
  local first; first=$(in_image again cat /a)
  [ "$(in_image again cat /b)" = "$first" ]
  build --no-cache --target maker; [ "$status" -eq 0 ]
  build -t again; echo "$output"; [ "$status" -eq 0 ]
  local second; second=$(in_image again cat /a)
  [ "$second" != "$first" ]
  [ "$(in_image again cat /b)" = "$second" ]
  build -t again --no-cache-filter maker; echo "$output"; [ "$status" -eq 0 ]
  local third; third=$(in_image again cat /a)
  [ "$third" != "$second" ]
  [ "$(in_image again cat /b)" = "$third" ]
  build -t again; [ "$(in_image again cat /a)" = "$third" ]
}

@test "--add-host, --ulimit and another id of a mount run the step again" {
  dockerfile <<'END'
FROM busybox
RUN --mount=type=cache,id=one,target=/c grep -c theirs /etc/hosts >/hosts; ulimit -n >/files; echo x >>/c/n; wc -l </c/n >/n
END
  build -t given; [ "$status" -eq 0 ]
  [ "$(in_image given cat /hosts /n)" = $'0\n1' ]
  build -t given --add-host theirs:10.1.2.3; echo "$output"
  [ "$(in_image given cat /hosts /n)" = $'1\n2' ]
  build -t given --add-host theirs:10.1.2.3; [[ $output == *CACHED* ]]
  # Where the host lies is no part of the key, that there is one of this name is.
  build -t given --add-host theirs:10.9.9.9; echo "$output"; [[ $output == *CACHED* ]]
  build -t given --add-host others:10.1.2.3; echo "$output"; [ "$(in_image given cat /hosts)" = 0 ]
  build -t given --add-host theirs:10.1.2.3
  build -t given --ulimit nofile=321:321; [ "$(in_image given cat /files)" = 321 ]
  sed -i s/id=one/id=two/ Dockerfile
  build -t given; [ "$(in_image given cat /n)" = 1 ]
}

@test "cache mounts: an id twice in one step, and locked ones in another order, wait for nobody for ever" {
  dockerfile <<'END'
FROM busybox AS one
RUN --mount=type=cache,id=x,target=/a,sharing=locked --mount=type=cache,id=x,target=/b,sharing=locked echo 1 >/a/f; cat /b/f >/f
RUN --mount=type=cache,id=x,target=/a,sharing=locked --mount=type=cache,id=y,target=/b,sharing=locked sleep 0.3
FROM busybox AS two
RUN --mount=type=cache,id=y,target=/a,sharing=locked --mount=type=cache,id=x,target=/b,sharing=locked sleep 0.3
FROM scratch
COPY --from=one /f /
COPY --from=two /etc/group /
END
  run timeout 30 brig build -q "$context"; echo "$output"; [ "$status" -eq 0 ]
}

@test "a cache mount that begins with a stage's directory has its owner and mode, unless others are asked for" {
  dockerfile <<'END'
FROM busybox AS seed
RUN mkdir -p /seed && echo x >/seed/f && chown -R 1000:1001 /seed && chmod 2750 /seed
FROM busybox
RUN --mount=type=cache,id=kept,target=/a,from=seed,source=/seed --mount=type=cache,id=given,target=/b,from=seed,source=/seed,uid=7,mode=0700 stat -c %a:%u:%g /a /a/f /b >/out
END
  build -t seeded
  [ "$(in_image seeded cat /out)" = $'2750:1000:1001\n644:1000:1001\n700:7:1001' ]
}

@test "stages run side by side" {
  dockerfile <<'END'
FROM busybox AS a
RUN echo a >/a; sleep 1
FROM busybox AS b
RUN echo b >/b; sleep 1
FROM busybox AS c
RUN echo c >/c; sleep 1
FROM scratch
COPY --from=a /a /
COPY --from=b /b /
COPY --from=c /c /
END
  local start=$EPOCHREALTIME
  build -t side; [ "$status" -eq 0 ]
  local took=$(( (${EPOCHREALTIME/./} - ${start/./}) / 1000 ))
  echo "took $took ms"
  [ "$took" -lt 2500 ]
}

@test "a build that packs a large layer holds up no other" {
  dockerfile <<<$'FROM busybox\nRUN truncate -s 60G /hole'
  brig build --progress plain -t hole "$context" >"$root/hole" 2>&1 3>&- &
  local client=$!
  wait_until grep -q '^#2 DONE' "$root/hole"
  run timeout 60 brig build -q - <<<$'FROM busybox\nRUN echo beside >/beside'
  echo "$output"; [ "$status" -eq 0 ]
  kill -0 "$client" # it is at it still
  kill -TERM "$client"
  wait "$client" || true
  no grep -q 'naming to' "$root/hole"
}

@test "builds without a cache run the same step side by side" {
  dockerfile <<'END'
FROM busybox
RUN --mount=type=cache,id=beside,target=/c touch /c/$(cat /proc/sys/kernel/random/uuid); n=0; while [ $(ls /c | wc -l) -lt 2 ]; do n=$((n+1)); [ $n -lt 200 ] || exit 9; sleep 0.1; done
END
  local clients=() client
  for name in one two; do timeout 60 brig build -q --no-cache -t "$name" "$context" >/dev/null 2>&1 3>&- & clients+=($!); done
  for client in "${clients[@]}"; do wait "$client"; done
}

@test "RUN mounts: bind, cache, tmpfs, secret; none of them is left in the image" {
  echo from-context >file; echo shh >"$root/secret"
  dockerfile <<'END'
FROM busybox AS tools
RUN echo tool >/tool
FROM busybox
RUN --mount=type=bind,source=file,target=/mnt/file cat /mnt/file >/bound
RUN --mount=type=bind,from=tools,target=/tools cat /tools/tool >/tool-seen
RUN --mount=type=cache,target=/cache echo x >>/cache/count
RUN --mount=type=cache,target=/cache echo x >>/cache/count; wc -l </cache/count >/counted
RUN --mount=type=tmpfs,target=/scratch grep ' /scratch tmpfs' /proc/mounts >/tmpfs-seen; echo x >/scratch/x
RUN --mount=type=secret,id=token md5sum </run/secrets/token >/sum
RUN --mount=type=secret,id=token,env=TOKEN [ "$TOKEN" = shh ]
END
  printf shh >"$root/secret"
  build -t mounts --secret "id=token,src=$root/secret"; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image mounts cat /bound /tool-seen /counted)" = $'from-context\ntool\n2' ]
  [ "$(in_image mounts sh -c 'cut -d" " -f1 /sum; ls -d /mnt /cache /scratch /run/secrets/token /tools 2>/dev/null')" = "$(md5sum <"$root/secret" | cut -d' ' -f1)" ]
  [ "$(brig save mounts | grep -c shh)" -eq 1 ] # the instruction's own text
}

@test "RUN binds: source= is a name, not a pattern; a directory that is mounted counts with its mode" {
  mkdir '[ab]' a; echo brackets >'[ab]/f'; echo plain >a/f; chmod 750 '[ab]'
  dockerfile <<'END'
FROM busybox AS maker
ARG MODE=750
RUN mkdir -m $MODE /d && echo made >/d/f
FROM busybox
RUN --mount=source=[ab],target=/m cat /m/f >/f; stat -c %a:%u /m >/mode
RUN --mount=from=maker,source=/d,target=/m cat /m/f >/g; stat -c %a /m >/mode2
END
  build -t binds; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image binds cat /f /mode /g /mode2)" = $'brackets\n750:0\nmade\n750' ]
  echo other >'[ab]/f'
  build -t binds; echo "$output"; [ "$(in_image binds cat /f)" = other ]
  chmod 711 '[ab]'
  build -t binds --build-arg MODE=700; echo "$output"
  [ "$(in_image binds cat /mode /mode2)" = $'711:0\n700' ]
  echo unseen >a/f; chmod 755 .
  build -t binds --build-arg MODE=700; [[ $output != *"RUN --mount=source"*changed* ]]
  [ "$(grep -c CACHED <<<"$output")" -ge 2 ]
}

@test "RUN has no HOSTNAME in its environment but one that the Dockerfile gives" {
  dockerfile <<<$'FROM busybox\nRUN env | grep -c ^HOSTNAME= >/none; hostname >/name\nENV HOSTNAME=own\nRUN echo $HOSTNAME >/own'
  build -t hostname; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image hostname cat /none /name /own)" = $'0\nbuildkitsandbox\nown' ]
}

@test "steps in a network of one's own reach who is on it; one that is not there, and the host's by its id, are refused" {
  dockerfile <<'END'
FROM busybox
RUN wget -qO- http://there/
END
  brig network create builders
  brig run -d --name there --network builders busybox httpd -f -h /www
  run env DOCKER_BUILDKIT=0 docker build --no-cache --network builders .; echo "$output"
  [[ $status -eq 0 && $output == *"hello from a container"* ]]
  build --no-cache --network builders; echo "$output"; [ "$status" -eq 0 ]
  brig rm -f there
  build --no-cache --network builders; [ "$status" -eq 1 ]
  brig network rm builders # no step is on it any more
  build --network builders; echo "$output"; [[ $status -eq 1 && $output == *"network builders not found"* ]]
  build --network "$(brig network inspect -f '{{.Id}}' host)"; [[ $status -eq 1 && $output == *"call it by its name, host"* ]]
  build --network container:x; [[ $status -eq 1 && $output == *"network 'container:x'"* ]]
}

@test "a failing step shows its output and its line, and leaves nothing" {
  dockerfile <<'END'
FROM busybox
RUN echo before; ls /nowhere
END
  build; echo "$output"; [ "$status" -eq 1 ]
  [[ $output == *"/nowhere"* && $output == *"exit code: 1"* ]]
  run env DOCKER_BUILDKIT=0 docker build .
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"The command '/bin/sh -c echo before; ls /nowhere' returned a non-zero code: 1" ]]
  run grep -F "$root/run/build" /proc/self/mountinfo
  [ "$status" -eq 1 ]
}

@test "what the builder refuses names the place" {
  dockerfile <<<$'FROM busybox\nCOPY nothing /x'
  build; echo "$output"; [ "$status" -eq 1 ]; [[ $output == *'"/nothing": not found'* ]]
  [[ $output == *'#2 [2/2] COPY nothing /x'*'#2 ERROR: "/nothing": not found'*'   2 | >>> COPY nothing /x'* ]]
  dockerfile <<<$'FROM busybox\nRUNN x'
  build; echo "$output"; [ "$status" -eq 1 ]; [[ $output == *"unknown instruction: RUNN (did you mean RUN?)"* ]]
  dockerfile <<<$'FROM busybox\nCOPY --from=nope /x /x'
  build; echo "$output"; [ "$status" -eq 1 ]
  rm Dockerfile
  build; echo "$output"; [ "$status" -eq 1 ]; [[ $output == *"Dockerfile"* ]]
}

@test "a finding's line is told once" {
  dockerfile <<<$'FROM busybox as a\nRUN echo a'
  build; echo "$output"; [ "$status" -eq 0 ]
  [[ $output == *"FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)" ]]
}

@test "a Dockerfile alone may copy heredocs; docker's -f may name one outside of the context" {
  run brig build -t inline - <<<$'FROM busybox\nCOPY <<A /a\ntext\nA'
  echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image inline cat /a)" = text ]
  run brig build - <<<$'FROM busybox\nCOPY a /a'
  echo "$output"; [ "$status" -eq 1 ]; [[ $output == *"no context to copy files from"* ]]
  printf 'FROM busybox\nCOPY file /file\n' >"$root/outside"
  echo data >file
  DOCKER_BUILDKIT=0 run docker build -t outside -f "$root/outside" .
  echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image outside cat /file)" = data ]
}

@test "configuration: ENTRYPOINT, CMD, USER, EXPOSE, VOLUME, LABEL, HEALTHCHECK, STOPSIGNAL, SHELL, ONBUILD" {
  dockerfile <<'END'
FROM busybox
LABEL a=b c="d e"
EXPOSE 80 53/udp
VOLUME /data
USER web
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT echo entry
ONBUILD RUN echo triggered >/tmp/triggered
END
  build -t config; echo "$output"; [ "$status" -eq 0 ]
  run brig image inspect -f '{{json .Config}}' config; echo "$output"
  [ "$(jq -c '[.User, .StopSignal, .Entrypoint, .Labels, (.ExposedPorts | keys), .Volumes, .Healthcheck.Interval, .OnBuild]' <<<"$output")" = \
    '["web","SIGINT",["/bin/sh","-ec","echo entry"],{"a":"b","c":"d e"},["53/udp","80/tcp"],{"/data":{}},5000000000,["RUN echo triggered >/tmp/triggered"]]' ]
  dockerfile <<<'FROM config'
  build -t child; echo "$output"; [ "$status" -eq 0 ]
  [ "$(brig run --rm --entrypoint cat child /tmp/triggered)" = triggered ]
}

@test "outputs: files, a tar; --iidfile; a Dockerfile and a tar on standard input" {
  echo data >file
  dockerfile <<<$'FROM scratch\nCOPY file /out/file'
  build -o "$root/local"; echo "$output"; [ "$status" -eq 0 ]
  [ "$(cat "$root/local/out/file")" = data ]
  build -o "type=tar,dest=$root/out.tar"; echo "$output"; [ "$status" -eq 0 ]
  [ "$(tar -xOf "$root/out.tar" out/file)" = data ]
  build --iidfile "$root/iid" -t named; echo "$output"; [ "$status" -eq 0 ]
  [ "$(cat "$root/iid")" = "$(brig image inspect -f '{{.Id}}' named)" ]
  run bash -c 'printf "FROM busybox\nRUN echo in >/x\n" | env DOCKER_BUILDKIT=0 docker build -q -'
  echo "$output"; [ "$status" -eq 0 ]
  run bash -c 'printf "FROM busybox\nRUN echo in >/x\n" | brig build -q -'
  echo "$output"; [ "$status" -eq 0 ]
  run bash -c "tar -c . | brig build -q -"
  echo "$output"; [ "$status" -eq 0 ]
}

@test "SOURCE_DATE_EPOCH: two cold builds give one image" {
  echo data >file
  dockerfile <<<$'FROM busybox\nARG SOURCE_DATE_EPOCH\nCOPY file /file\nWORKDIR /x/y'
  build -q --no-cache --build-arg SOURCE_DATE_EPOCH=1700000000; first=$output
  touch file
  build -q --no-cache --build-arg SOURCE_DATE_EPOCH=1700000000
  echo "$first $output"; [ "$output" = "$first" ]
}

@test "a build reaches a network by default, none with --network none" {
  dockerfile <<<$'FROM busybox\nRUN ip -o addr show eth0 | grep -c inet >/net'
  build -t net; echo "$output"; [ "$status" -eq 0 ]
  dockerfile <<<$'FROM busybox\nRUN --network=none ip -o link | grep -c eth0 | grep -x 0'
  build; echo "$output"; [ "$status" -eq 0 ]
}

@test "a client that leaves ends its build" {
  dockerfile <<<$'FROM busybox\nRUN echo begun; sleep 1000'
  brig build --progress plain "$context" >"$root/left" 2>&1 3>&- &
  local client=$!
  wait_until grep -q begun "$root/left"
  kill -TERM "$client" # a shell starts what it puts into the background without SIGINT
  wait "$client" || true
  wait_until no_monitor
  run grep -F "$root/run/build" /proc/self/mountinfo
  [ "$status" -eq 1 ]
}

@test "builder prune is an event" {
  dockerfile <<<$'FROM busybox\nRUN head -c 100000 /dev/zero >/zeros'
  build -o type=tar,dest=- >/dev/null
  brig builder prune -af
  run brig events --since 0 --until "$(date +%s.%N)" --filter type=builder --format '{{.Type}} {{.Action}} {{.Actor.ID}} {{.Actor.Attributes.reclaimed}}'
  echo "$output"
  [[ ${lines[-1]} =~ ^'builder prune  '[0-9]+$ && ${lines[-1]##* } -ge 100000 ]]
}

@test "builder prune empties the cache; the image stays" {
  dockerfile <<<$'FROM busybox\nRUN head -c 100000 /dev/zero >/zeros'
  build -t pruned; echo "$output"; [ "$status" -eq 0 ]
  run brig builder prune -af; echo "$output"; [ "$status" -eq 0 ]
  [[ $output == *"Total"* ]]
  [ "$(in_image pruned sh -c 'wc -c </zeros')" = 100000 ]
  build -t pruned; echo "$output"; [[ $output != *CACHED*zeros* ]]
}

@test "the classic API: ONBUILD triggers are no steps of their own; a warning is one" {
  printf 'FROM busybox\nONBUILD RUN echo one >/one\nONBUILD ENV a=b\n' | brig build -q --network none -t triggering - >/dev/null
  printf 'FROM triggering\nRUN cat /one\n' >Dockerfile
  run env DOCKER_BUILDKIT=0 docker build --network none --build-arg unused=1 .
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(grep -E '^(Step|#)' <<<"$output")" = $'Step 1/2 : FROM triggering\n# Executing 2 build triggers\nStep 2/2 : RUN cat /one' ]
  [ "$(grep -c '\[Warning\] One or more build-args \[unused\] were not consumed' <<<"$output")" -eq 1 ]
  [[ $output != *"[Warning] [Warning]"* ]]
}

@test "what ends because another step failed is not told as the failure" {
  printf 'FROM busybox AS slow\nRUN echo slow; sleep 300\nFROM busybox AS bad\nRUN echo the culprit; exit 7\nFROM busybox\nCOPY --from=slow /etc/passwd /1\nCOPY --from=bad /etc/passwd /2\n' >Dockerfile
  run brig build --progress plain --no-cache .
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"> [bad 2/2] RUN echo the culprit; exit 7:"* ]]
  [ "$(grep -c '^#[0-9]* ERROR' <<<"$output")" -eq 1 ]
}

@test "a label without a value is empty" {
  printf 'FROM scratch\nCMD ["x"]\n' | brig build -q --label y --label x=2 -t labelled - >/dev/null
  run bash -c "brig image inspect -f '{{json .Config.Labels}}' labelled | jq -cS ."; echo "$output"
  [ "$output" = '{"x":"2","y":""}' ]
}

@test "a log that grows in the context is what it was at the beginning; what else changes is named" {
  echo kept >keep; echo old >data
  setfattr -n user.note -v 'a=b' keep 2>/dev/null || touch no-attributes
  dockerfile <<'END'
FROM busybox
COPY . /x
RUN --mount=target=/m wc -c </m/build.log; seq 20000; wc -c </m/build.log
END
  brig build --progress plain -t grows . >build.log 2>&1 || { cat build.log; return 1; }
  grep -q 'RUN --mount' build.log
  [ "$(in_image grows sh -c 'cat /x/keep; wc -c </x/build.log')" = $'kept\n0' ]
  # what it is packed with counts as much as in the directory itself: the same is found
  printf 'FROM busybox\nCOPY keep /x\n' >Dockerfile
  build; [[ $output != *CACHED*COPY* ]]
  brig build --progress plain . >build.log 2>&1
  grep -q CACHED build.log
  no grep -q miss: build.log
  # nothing was packed or unpacked for it
  no grep -q 'the context' build.log
  # a named context with it
  mkdir "$root/outside.$$"
  printf 'FROM busybox\nRUN --mount=from=other,target=/m wc -c </m/build.log; seq 20000; wc -c </m/build.log\nCOPY --from=other . /x\n' >"$root/outside.$$/Dockerfile"
  brig build --progress plain --build-context other=. -t grows "$root/outside.$$" >build.log 2>&1 || { cat build.log; return 1; }
  no grep -q "the context 'other'" build.log
  [ "$(in_image grows sh -c 'cat /x/keep; wc -c </x/build.log')" = $'kept\n0' ]
  # what it had before counts, and no more
  printf 'FROM busybox\nCOPY build.log /x\nRUN seq 2000\n' >Dockerfile
  echo earlier >build.log
  brig build --progress plain -t grows . >>build.log 2>&1 || { cat build.log; return 1; }
  grep -q seq build.log
  [ "$(in_image grows cat /x)" = earlier ]
  # where that is written over, an archive has it as it was when it was packed; unpacking one has a line of its own
  echo earlier >build.log
  head -c 20M /dev/zero >big
  brig build --progress plain -t grows . 1<>build.log 2>&1 || { cat build.log; return 1; }
  grep -q 'the context' build.log
  rm big
  # one that is ignored changes nothing: the directory is passed as it is
  printf 'build.log\n' >.dockerignore
  printf 'FROM busybox\nCOPY . /x\nRUN --mount=target=/m seq 20000; ls /m /x\n' >Dockerfile
  brig build --progress plain . >build.log 2>&1 || { cat build.log; return 1; }
  no grep -q ' build.log$' build.log
  # another's file that changes
  rm .dockerignore
  dockerfile <<<$'FROM busybox\nRUN --mount=target=/m --mount=type=cache,id=gate,target=/gate touch /gate/shut; until [ -e /gate/open ]; do usleep 50000; done'
  brig build --progress plain . >"$root/out" 2>&1 3>&- &
  client=$!
  gate() { find "$root/data/build/mounts" -name shut -printf '%h\n' | grep .; }
  wait_until gate
  echo new >data
  touch "$(gate)/open"
  status=0; wait "$client" || status=$?
  cat "$root/out"
  [ "$status" -eq 1 ]
  [[ $(cat "$root/out") == *"files of the build context were changed (last: 'data') while \"RUN --mount=target=/m"*'.dockerignore'* ]]
}

@test "proxies of config.json reach steps and containers, and are in no key and no history" {
  export DOCKER_CONFIG=$BATS_TEST_TMPDIR
  echo '{"proxies":{"default":{"httpProxy":"http://one:1","noProxy":"local"}}}' >"$DOCKER_CONFIG/config.json"
  dockerfile <<<$'FROM busybox\nRUN env | grep -i _proxy | sort >/proxies'
  build -t proxied; [ "$status" -eq 0 ]
  [ "$(in_image proxied cat /proxies)" = $'HTTP_PROXY=http://one:1\nNO_PROXY=local\nhttp_proxy=http://one:1\nno_proxy=local' ]
  [[ $(brig history --no-trunc proxied) != *one:1* ]]
  sed -i s/one:1/two:2/ "$DOCKER_CONFIG/config.json"
  build -t proxied; [[ $output == *CACHED* && $output != *miss:* ]]
  # containers: -e and --env-file win, by their exact names
  echo NO_PROXY=file >env
  [ "$(brig run --rm -e HTTP_PROXY=mine -e http_proxy --env-file env busybox sh -c 'env | grep -i _proxy | sort')" = $'HTTP_PROXY=mine\nNO_PROXY=file\nno_proxy=local' ]
  brig create --name proxied proxied
  [[ $(brig inspect -f '{{.Config.Env}}' proxied) == *HTTP_PROXY=http://two:2* ]]
  brig rm proxied
  brig run -d --name plain busybox sleep 100
  [[ $(brig exec -e A=1 plain env) == *$'\nHTTP_PROXY=http://two:2'* ]]
  brig rm -f plain
}

@test "a check of an archive and of a URL's Dockerfile: the daemon reads it" {
  printf 'FROM scratch AS Big\nCOPY secret /\n' >Dockerfile
  echo secret >.dockerignore
  run brig build --check --format json - < <(tar c .)
  [ "$status" -eq 1 ]
  [ "$(jq -r '.warnings[] | "\(.ruleName) \(.location.ranges[0].start.line)"' <<<"$output")" = $'StageNameCasing 1\nCopyIgnoredFile 2' ]
  run brig build --check - < <(tar cz .)
  [ "$status" -eq 1 ]
  [[ $output == *"Check complete, 2 warnings have been found!"* ]]
  mkdir sub; printf 'FROM scratch\n' >sub/File
  run brig build --check -f sub/File - < <(tar cJ .)
  [ "$output" = 'Check complete, no warnings found.' ]
  run brig build --check -f nothing - < <(tar c .)
  [ "$status" -eq 1 ]
  [[ $output == *"failed to read dockerfile: open nothing: no such file or directory"* ]]
  [ -z "$(ls "$root/data/build/contexts")" ]
}

@test "limits of the steps: by descriptors and by the classic API" {
  dockerfile <<'END'
FROM busybox
RUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max
END
  build --no-cache -m 64m --memory-swap 64m; echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *" 67108864"* ]]
  run env DOCKER_BUILDKIT=0 brig build --no-cache -m 32m --memory-swap 32m .; echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *33554432* ]]
  build --no-cache -m 1m; echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"Minimum memory limit allowed is 6MB"* ]]
}

@test "an unpacked context is removed behind the answer, and what a kill left by the next daemon" {
  removed_all() { [ -z "$(ls "$root/data/build/removed")" ]; }
  printf 'FROM busybox\nCOPY Dockerfile /\n' >Dockerfile
  tar c . | brig build -q -
  [ -z "$(ls "$root/data/build/contexts")" ]
  wait_until removed_all
  stop_daemon
  mkdir -p "$root"/data/build/{contexts/left,removed/gone}/behind
  start_daemon
  [ -z "$(ls "$root/data/build/contexts")" ]
  wait_until removed_all
}

@test "a wrong pattern is told with the ignore file that it is in" {
  dockerfile <<<$'FROM scratch\nCOPY . /'
  printf 'fine\n' >.dockerignore; printf '[z-a]\n' >Dockerfile.dockerignore
  build; echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"error reading "*"Dockerfile.dockerignore: "* ]]
  run bash -c "tar -c . | brig build --progress plain -"
  echo "$output"
  [[ $output == *"error reading Dockerfile.dockerignore: "* ]]
}

@test "findings before a line that cannot be read are told" {
  dockerfile <<<$'FROM scratch AS Big\nMAINTAINER me\nRUNN x'
  build
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"2 warnings found"*"StageNameCasing: "*"(line 1)"*"MaintainerDeprecated: "*"unknown instruction: RUNN"* ]]
  run env DOCKER_BUILDKIT=0 docker build .
  [ "$status" -eq 1 ]
  [[ $output == *"unknown instruction: RUNN"* ]]
}

@test "reading much of a context has a line of its own, once" {
  head -c 20M /dev/urandom >big
  dockerfile <<<$'FROM scratch\nCOPY big /'
  build; [ "$status" -eq 0 ]
  echo "$output"
  [[ $output =~ '#'[0-9]+' [internal] load build context' && $output =~ '#'[0-9]+' reading files 20.97MB done' ]]
  [ "$(grep -c 'load build context' <<<"$output")" -eq 1 ]
  build; [[ $output != *'load build context'* ]]
  dockerfile <<<$'FROM scratch\nCOPY --from=other big /'
  cp big "$root/again"; mkdir other; mv "$root/again" other/big
  run brig build --progress rawjson --build-context other=other .
  echo "$output"
  [ "$(jq -r '.vertexes[]? | select(.name | startswith("[context")) | [.name, .completed != null] | @json' <<<"$output" | tail -1)" = '["[context other] load",true]' ]
  [ "$(jq -r '.statuses[]? | select(.id == "reading files").current' <<<"$output" | tail -1)" = 20971520 ]
}

@test "rawjson: a step's inputs are the steps that it stands upon" {
  dockerfile <<'END'
FROM busybox AS a
ENV X=1
RUN echo a >/a
FROM a AS b
RUN echo b >/b
FROM busybox
COPY --from=b /b /
RUN --mount=from=a,target=/a cat /a/a /b
END
  run brig build --progress rawjson .
  [ "$status" -eq 0 ]
  run jq -s -r '[.[].vertexes[]?] | (map({key: .digest, value: .name}) | from_entries) as $names | map(select(.completed and .inputs)) | unique_by(.digest) | sort_by(.name)[] | "\(.name) <- \(.inputs | map($names[.]) | join(", "))"' <<<"$output"
  echo "$output"
  [[ $output == *'[a 2/2] RUN echo a >/a <- [a 1/2] FROM busybox'* ]]
  [[ $output == *'[b 2/2] RUN echo b >/b <- [b 1/2] FROM a'* && $output == *'[b 1/2] FROM a <- [a 2/2] RUN echo a >/a'* ]]
  [[ $output == *'[stage-2 2/3] COPY --from=b /b / <- [stage-2 1/3] FROM busybox, [b 2/2] RUN echo b >/b'* ]]
  [[ $output == *'[stage-2 3/3] RUN --mount=from=a,target=/a cat /a/a /b <- [stage-2 2/3] COPY --from=b /b /, [a 2/2] RUN echo a >/a'* ]]
}
