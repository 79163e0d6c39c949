#!/usr/bin/env bats
# COPY and ADD: one daemon for the file, a context of its own for each test.

load build

@test "COPY and ADD: owners, modes, wildcards, directories, exclude, parents, heredocs, archives" {
  mkdir -p dir/sub; echo 1 >dir/one; echo 2 >dir/sub/two.txt; echo 3 >top.md
  ln -s one dir/link; tar -czf archive.tar.gz -C dir .
  printf '*.md\n!keep.md\n' >.dockerignore; echo kept >keep.md
  dockerfile <<'END'
# syntax=docker/dockerfile:1
FROM busybox
COPY --chown=web:daemon --chmod=640 dir /owned
COPY dir/o* dir/sub/*.txt /wild/
COPY --exclude=sub dir /less
COPY --parents dir/./sub/two.txt /with/
COPY *.md /md/
ADD archive.tar.gz /unpacked/
COPY <<EOF /inline
hello $HOME
EOF
COPY <<"EOF" /quoted
hello $HOME
EOF
RUN <<EOF
set -e
ls /md > /listed
stat -c '%U:%G %a' /owned/one > /owner
EOF
END
  build -t copies; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image copies cat /owner)" = "web:daemon 640" ]
  [ "$(in_image copies cat /listed)" = keep.md ]
  run in_image copies sh -c 'ls /wild; ls /less; cd /with && find . -type f; readlink /unpacked/link; cat /unpacked/sub/two.txt /inline /quoted'
  echo "$output"
  [ "$output" = $'one\ntwo.txt\nlink\none\n./sub/two.txt\none\n2\nhello \nhello $HOME' ]
}

@test "an archive's entry for the root that is no directory, a user that nobody has" {
  python3 -c 'import io, tarfile
t = tarfile.open("odd.tar", "w")
for name, text in ("./", b""), ("in/file", b"there"):
    entry = tarfile.TarInfo(name); entry.size = len(text); t.addfile(entry, io.BytesIO(text))
t.close()'
  dockerfile <<'END'
FROM busybox
ADD odd.tar /
USER nobody-here
WORKDIR /made/by/root
END
  build -t odd; echo "$output"; [ "$status" -eq 0 ]
  run in_image --user 0 odd sh -c 'cat /in/file; echo; stat -c %u /made/by/root'
  echo "$output"
  [ "$output" = $'there\n0' ]
}

@test "COPY follows the destination's links, --link replaces them; modes of ADD, also in letters" {
  echo content >file
  dockerfile <<'END'
FROM busybox
RUN mkdir /real && ln -s real /to && ln -s real/later /name
COPY file /to/one
COPY file /name
ADD --chmod=711 file /mode
COPY --chmod=u+x,go= file /letters
FROM busybox
RUN mkdir /real && ln -s real /to
COPY --link file /to/one
END
  build -t followed --target 0; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image followed sh -c 'readlink /to; readlink /name; cat /real/one /real/later; stat -c %a /mode /letters')" = $'real\nreal/later\ncontent\ncontent\n711\n700' ]
  build -t replaced; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image replaced sh -c 'ls /real; readlink /to || cat /to/one')" = content ]
}

@test "COPY --link: its layer is used again upon a changed base and stored once; the tree is the base's and its own" {
  mkdir -p dir/sub; echo one >file; echo two >dir/sub/f; chmod 700 dir/sub
  upon() { # a base with that in it, and the image
    printf 'FROM busybox\nRUN mkdir -p /opt/old /real && ln -s real /to && chmod 1777 /tmp && touch /opt/old/%s\n' "$1" | brig build -q --network none -t base - >/dev/null
    build -t linked --network none; echo "$output"; [ "$status" -eq 0 ]
  }
  dockerfile <<'END'
FROM base
COPY --link file /tmp/file
COPY --link dir /opt
COPY --link --chown=5:6 file /to/one
RUN cat /to/one >/seen; ls /opt/old >/base
COPY --link file /tmp/file
END
  upon first
  upon second
  [ "$(grep -c '^#[0-9]* CACHED' <<<"$output")" -eq 4 ]
  [ "$(grep -c '^#[0-9]* miss' <<<"$output")" -eq 1 ] # RUN, which reads the base
  run in_image linked sh -c 'cat /base /seen; stat -c "%a %u:%g %n" /tmp /opt /opt/sub /to /to/one /tmp/file; ls /opt /opt/old /real'
  echo "$output"
  [ "$output" = $'second\none\n755 0:0 /tmp\n755 0:0 /opt\n700 0:0 /opt/sub\n755 5:6 /to\n644 5:6 /to/one\n644 0:0 /tmp/file\n/opt:\nold\nsub\n\n/opt/old:\nsecond\n\n/real:' ]
  # The same files under two chain ids are one inode.
  links=$(find "$root/data/image/snapshots" -path '*/fs/opt/sub/f' -printf '%i\n'); echo "$links"
  [ "$(wc -l <<<"$links")" -eq 2 ]
  [ "$(sort -u <<<"$links" | wc -l)" -eq 1 ]
  brig save -o saved.tar linked && brig rmi -f linked >/dev/null && brig load -q -i saved.tar
  [ "$(in_image linked cat /opt/sub/f /to/one)" = $'two\none' ]
  # A file that changed is a reason, the base is none.
  echo other >file
  build -t linked --network none; echo "$output"; [ "$status" -eq 0 ]
  [ "$(grep -c 'miss: file file changed' <<<"$output")" -eq 2 ] # the third is the first again
  # With --chmod it is a copy like others, as BuildKit has it.
  printf 'FROM base\nCOPY --link --chmod=600 file /tmp/file\n' >Dockerfile
  build -t linked --network none; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image linked stat -c %a /tmp)" = 1777 ]
}

@test "ADD --link of an archive, and of several things into a directory that the base has" {
  mkdir -p tree/etc/made; echo in >tree/etc/made/f; ln -s made tree/etc/link; ln tree/etc/made/f tree/etc/hard
  tar -C tree -czf tree.tar.gz .; echo a >a; echo b >b
  printf 'FROM busybox\nADD --link tree.tar.gz /\nCOPY --link a b /etc/\n' >Dockerfile
  build -t added --network none; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image added sh -c 'cat /etc/link/f /etc/a /etc/b; stat -c %h /etc/hard; test -s /etc/passwd && echo passwd')" = $'in\na\nb\n2\npasswd' ]
}

@test "a socket in a context, and in a stage, becomes an empty file, as BuildKit has it; FIFOs stay" {
  python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
  chmod 640 socket; mkfifo fifo
  printf 'FROM busybox AS one\nCOPY . /c\nRUN mkdir /d; ln -s /d/s /dev/log; syslogd -n & until test -S /d/s; do usleep 10000; done; kill $!\nFROM busybox\nCOPY --from=one /c /c\nCOPY --from=one /d /d\nCOPY socket /alone\n' >Dockerfile
  build -t sockets --network none; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image sockets stat -c '%F %s' /c/socket /alone /d/s)" = $'regular empty file 0\nregular empty file 0\nregular empty file 0' ]
  [ "$(in_image sockets stat -c %a /alone)" = 640 ]
  [ "$(in_image sockets stat -c %F /c/fifo)" = fifo ]
  run env DOCKER_BUILDKIT=0 brig build -t sent .
  [ "$status" -eq 0 ]
}

@test "a named context that is an image: owners stay; a build context: they do not; ADD knows what was selected" {
  printf 'FROM busybox\nRUN echo owned >/owned && chown 7:8 /owned\n' >Dockerfile
  build -t owner; [ "$status" -eq 0 ]
  dockerfile <<'END'
FROM busybox
COPY --from=owner /owned /
END
  build -t owned; [ "$(in_image owned stat -c %u:%g /owned)" = 7:8 ]
  build --no-cache -t owned --build-context owner=docker-image://owner; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image owned stat -c %u:%g /owned)" = 7:8 ]
  # One that is a directory stands in a stage's place, too.
  mkdir st; echo outside >st/file
  printf 'FROM busybox AS st\nRUN exit 3\nFROM busybox\nCOPY --from=st file /\nRUN --mount=from=st,target=/m cat /m/file >>/file\n' >Dockerfile
  build -t overridden --build-context st=st; echo "$output"; [ "$status" -eq 0 ]
  [ "$(in_image overridden cat /file)" = $'outside\noutside' ]
  printf 'FROM busybox AS st\nFROM st\nENV a=1\nFROM other\nCOPY --from=1 / /below\n' >Dockerfile
  mkdir other; echo other >other/of; echo of >other/.dockerignore; echo y >other/y
  build -o out --build-context st=st --build-context other=other; echo "$output"; [ "$status" -eq 0 ]
  [ "$(cd out && find . -type f | sort | xargs)" = './.dockerignore ./below/file ./y' ]
  mkdir -p in/a; tar cf in/b.tar -C / etc/hostname
  printf 'FROM busybox\nADD in/* /d/\n' >Dockerfile
  build -t added; [ "$status" -eq 0 ]
  in_image added test -e /d/etc/hostname
  mv in/b.tar in/a/
  build -t added; [ "$status" -eq 0 ]
  in_image added test -e /d/b.tar
}

@test "ADD of one URL by stages that run side by side, unpacked" {
  mkdir served; seq 200000 >served/numbers; tar cf served/a.tar -C served numbers; rm served/numbers
  nsenter --target "$host_pid" --net -- python3 -u -m http.server -d "$context/served" 8099 >served.log 2>&1 3>&- &
  local server=$!
  wait_until on_host curl -sfo /dev/null http://127.0.0.1:8099/
  printf 'FROM busybox AS %s\nADD --unpack http://127.0.0.1:8099/a.tar /%s/\n' a a b b c c >Dockerfile
  printf 'FROM scratch\n%s\n%s\n%s\n' 'COPY --from=a /a /a' 'COPY --from=b /b /b' 'COPY --from=c /c /c' >>Dockerfile
  # A URL that ends in no name gives a file that BuildKit calls so.
  printf '%s\n' 'ADD http://127.0.0.1:8099/ /unnamed/' >>Dockerfile
  run timeout 60 brig build -o out "$context"; echo "$output"
  kill "$server"
  [ "$status" -eq 0 ]
  for name in a b c; do [ "$(tail -1 "out/$name/numbers")" = 200000 ]; done
  grep -q a.tar out/unnamed/__unnamed__
}
