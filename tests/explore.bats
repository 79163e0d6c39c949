#!/usr/bin/env bats
# brig image explore and brig history against a real daemon, on an image whose waste, secret and setuid file are known.

# layered_archive: a docker-archive of three layers with empty ones between them, on standard output. 10000 bytes, of them wasted: 1200
# (etc/app.conf, written twice), 5000 (srv/cache/big, removed with its directory), 50 (a secret, removed).
layered_archive() {
  python3 - <<'PY'
import hashlib, io, json, sys, tarfile
def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.GNU_FORMAT) as tar:
        for name, mode, data in entries:
            info = tarfile.TarInfo(name); info.mode = mode; info.mtime = 1000000000
            if data is None: info.type = tarfile.DIRTYPE; tar.addfile(info)
            else: info.size = len(data); tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
layers = [
    layer(('etc/', 0o755, None), ('etc/app.conf', 0o644, b'a' * 1000), ('bin/', 0o755, None), ('bin/up', 0o4755, b'u' * 100),
          ('srv/', 0o755, None), ('srv/cache/', 0o755, None), ('srv/cache/big', 0o644, b'b' * 5000)),
    layer(('etc/', 0o755, None), ('etc/app.conf', 0o644, b'c' * 1200), ('root/', 0o700, None), ('root/.aws/', 0o700, None),
          ('root/.aws/credentials', 0o600, b's' * 50), ('bin/', 0o755, None)),
    layer(('srv/', 0o755, None), ('srv/.wh.cache', 0o644, b''), ('root/', 0o700, None), ('root/.aws/', 0o700, None),
          ('root/.aws/.wh.credentials', 0o644, b''), ('www/', 0o755, None), ('www/<script>alert(1)', 0o644, b'w' * 2650)),
]
when = '2024-03-0%dT10:00:00Z'
history = [{'created': when % 1, 'created_by': '/bin/sh -c #(nop) ADD file:0123456789 in / '},
           {'created': when % 2, 'created_by': '/bin/sh -c #(nop)  ENV A=b', 'empty_layer': True},
           {'created': when % 3, 'created_by': 'COPY etc /etc # buildkit', 'comment': 'buildkit.dockerfile.v0'},
           {'created': when % 4, 'created_by': 'CMD ["/bin/up"]', 'empty_layer': True},
           {'created': when % 5, 'created_by': 'RUN /bin/sh -c rm -rf /srv/cache /root/.aws/credentials && build\tthe pages # buildkit'}]
config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'created': when % 5, 'config': {'Cmd': ['/bin/up']}, 'history': history,
                     'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(l).hexdigest() for l in layers]}}).encode()
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|') as tar:
    files = {'config.json': config, **{'%d/layer.tar' % i: l for i, l in enumerate(layers)}}
    files['manifest.json'] = json.dumps([{'Config': 'config.json', 'RepoTags': ['layered:v1'], 'Layers': ['%d/layer.tar' % i for i in range(3)]}]).encode()
    for name, data in files.items():
        info = tarfile.TarInfo(name); info.size = len(data); tar.addfile(info, io.BytesIO(data))
PY
}

load one-daemon

fill_daemon() { layered_archive | brig load >/dev/null; }

@test "the table has layers, waste and findings" {
  run brig image explore layered:v1
  [ "$status" -eq 0 ]
  [[ $output == *"Size:        10kB in 3 layers, 9 paths"* ]]
  [[ $output == *"Efficiency:  37.50%"* ]]
  [[ $output == *"Wasted:      6.25kB (62.50%)"* ]]
  [[ $output =~ 1\ +6.1kB\ +7\ +0\ +0\ +0\ +5kB\ +ADD\ file:0123456789\ in\ / ]]
  [[ $output =~ 2\ +1.25kB\ +3\ +1\ +0\ +2\ +1.25kB\ +COPY\ etc\ /etc ]]
  [[ $output =~ 3\ +2.65kB\ +2\ +0\ +3\ +3\ +0B ]]
  [[ $output == *"5kB      1        srv/cache/big (removed)"* ]]
  [[ $output == *"1.2kB    2        etc/app.conf"* ]]
  [[ $output =~ 2\ +root/.aws/credentials\ +secret:\ AWS\ credentials\ \(removed\ later,\ still\ in\ the\ layer\) ]]
  [[ $output =~ 1\ +bin/up\ +setuid ]]
  [[ $output != *ssss* ]]
}

@test "the JSON has every path of every layer" {
  brig image explore --json - layered:v1 >"$BATS_TEST_TMPDIR/out.json"
  run jq -r '[.Size, .Wasted, .Paths, .Secrets, .Setuid] | @tsv' "$BATS_TEST_TMPDIR/out.json"
  [ "$output" = $'10000\t6250\t9\t1\t1' ]
  run jq -r '.Files[] | select(.Path | startswith("srv")) | [.Path, .Layer, .Change] | join(" ")' "$BATS_TEST_TMPDIR/out.json"
  [ "$output" = $'srv 0 added\nsrv 2 same\nsrv/cache 0 added\nsrv/cache 2 removed\nsrv/cache/big 0 added\nsrv/cache/big 2 removed' ]
  run jq '([.Layers[].Size] | add) == .Size and ([.Layers[].Wasted] | add) == .Wasted and ([.Files[].Wasted // 0] | add) == .Wasted' "$BATS_TEST_TMPDIR/out.json"
  [ "$output" = true ]
}

@test "the page holds the names as data and needs nothing else" {
  local page=$BATS_TEST_TMPDIR/page.html
  run brig image explore --html "$page" layered:v1
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  [ "$(grep -c 'script>alert' "$page")" -eq 0 ]
  grep -q 'www/\\u003cscript\\u003ealert(1)' "$page"
  run grep -E 'https?://|src=|@import|url\(' "$page"
  [ "$status" -eq 1 ]
}

@test "rules fail with a line each" {
  run --separate-stderr brig image explore --fail-if 'efficiency<0.9' --fail-if 'wasted>20MB,secrets>0' --fail-if 'setuid>1' --json "$BATS_TEST_TMPDIR/unread" layered:v1
  [ "$status" -eq 1 ]
  [ "$stderr" = $'failed: efficiency<0.9: efficiency is 0.3750\nfailed: secrets>0: secrets is 1' ]
  run brig image explore --fail-if 'efficiency<0.3' --json "$BATS_TEST_TMPDIR/unread" layered:v1
  [ "$status" -eq 0 ]
  run --separate-stderr brig image explore --fail-if 'beauty<1' layered:v1
  [ "$status" -eq 1 ]
  [[ $stderr == *'no such measure; there are efficiency, wasted'* ]]
  [ -z "$output" ]
}

@test "an image that is not there" {
  run brig image explore nothing:here
  [ "$status" -eq 1 ]
  [[ $output == *"No such image: nothing:here"* ]]
}

@test "the terminal interface moves, filters, folds and leaves the terminal as it was" {
  cat >"$BATS_TEST_TMPDIR/keys" <<'END'
set timeout 10
proc want {text} {
  expect -ex $text {} timeout { puts "lacks: $text"; exit 1 } eof { puts "ended before: $text"; exit 1 }
}
set stty_init "rows 24 columns 120"
spawn -noecho bash -c {before=$(stty -g); brig image explore layered:v1; echo "code $?"; [[ $(stty -g) == "$before" ]] && echo restored}
want "\033\[?1049h"
want "ADD file:0123456789 in /"
want "q quit"
send "\033\[B"
want "Size 1.25kB, of it wasted 1.25kB"
send "\t/app\r"
want "app.conf"
send "\033\[B"
want "etc/app.conf: changed, wasted 1.2kB"
send "\033"
want "root/"
stty rows 8 columns 120 < $spawn_out(slave,name)
want "the window is too small"
stty rows 40 columns 60 < $spawn_out(slave,name)
want "World-writable 0"
send "q"
want "\033\[?1049lcode 0\r\nrestored"
END
  run expect -f "$BATS_TEST_TMPDIR/keys"
  [ "$status" -eq 0 ] || { echo "$output" | tail -c 900; return 1; }
}

# ---- history ----

@test "history gives each layer its size and empty ones none" {
  run brig history --format '{{.Size}}|{{.CreatedBy}}|{{.Comment}}' --no-trunc layered:v1
  [ "${lines[0]}" = '2.65kB|RUN /bin/sh -c rm -rf /srv/cache /root/.aws/credentials && build the pages # buildkit|' ]
  [ "${lines[1]}" = '0B|CMD ["/bin/up"]|' ]
  [ "${lines[2]}" = '1.25kB|COPY etc /etc # buildkit|buildkit.dockerfile.v0' ]
  [ "${lines[3]}" = '0B|/bin/sh -c #(nop)  ENV A=b|' ]
  [ "${lines[4]}" = '6.1kB|/bin/sh -c #(nop) ADD file:0123456789 in / |' ]
  [ "${#lines[@]}" -eq 5 ]
}

@test "history prints what docker prints" {
  command -v docker >/dev/null || skip "no docker client"
  local arguments
  while IFS= read -r arguments; do
    eval "docker history $arguments layered:v1" >"$BATS_TEST_TMPDIR/docker"
    eval "brig history $arguments layered:v1" >"$BATS_TEST_TMPDIR/brig"
    diff "$BATS_TEST_TMPDIR/docker" "$BATS_TEST_TMPDIR/brig" || { echo "differs: $arguments"; return 1; }
  done <<'END'

--no-trunc
-q
-q --no-trunc
--human=false
-H=false --no-trunc
--format json
--format '{{.ID}} {{.CreatedSince}} {{.CreatedAt}} {{.Size}}'
--human=false --format '{{.ID}} {{.CreatedSince}} {{.CreatedAt}} {{.Size}} {{.Comment}}'
--format 'table {{.ID}}\t{{.CreatedBy}}'
END
}
