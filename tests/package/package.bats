#!/usr/bin/env bats
# The Debian package: built as dpkg-buildpackage does, looked at by lintian, installed into a bare Debian, and there, in the virtual machine under
# systemd, upgraded and downgraded with containers running (inside), and with containers in scopes of systemd's (scopes).

setup_file() {
  export TOP=$BATS_TEST_DIRNAME/../.. WORK=$BATS_FILE_TMPDIR
  . "$TOP/tests/lib.bash"
  mkdir "$WORK/brig"
  (cd "$TOP" && git ls-files -z | tar --null -T - -c) | tar -x -C "$WORK/brig"
  # Nobody here looks at debug information or at speed: without them it takes half the time.
  (cd "$WORK/brig" && DEB_CFLAGS_APPEND='-O1 -g0' DEB_BUILD_OPTIONS=noautodbgsym nice dpkg-buildpackage -us -uc -b) >"$WORK/log" 2>&1 || { tail -30 "$WORK/log" >&2; return 1; }
  DEB=$(echo "$WORK"/brig_*_*.deb)
  export DEB
}

setup() { . "$TOP/tests/lib.bash"; }

@test "lintian has nothing to say" {
  run lintian --fail-on info --allow-root "$WORK"/*.changes
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output != *brig:* ]]
}

@test "every manual page can be read, and has the commands' options" {
  dpkg-deb -x "$DEB" "$WORK/tree"
  local page count=0
  for page in "$WORK"/tree/usr/share/man/man[18]/*; do
    count=$((count + 1))
    if [[ -L $page && -e $page ]]; then continue; fi
    complaints=$(cd "$WORK/tree/usr/share/man" && zcat "$page" | sed 's/^\(\.so .*\)$/\1.gz/' | LC_ALL=C.UTF-8 man --warnings -Tutf8 -P cat -l - 2>&1 >/dev/null)
    [ -z "$complaints" ] || { echo "$page: $complaints"; false; }
  done
  [ "$count" -gt 100 ]
  zcat "$WORK/tree/usr/share/man/man1/brig-run.1.gz" | grep -F '\fB\-v\fR, \fB\-\-volume\fR'
  zcat "$WORK/tree/usr/share/man/man8/brigd.8.gz" | grep -F '\-\-data\-root'
  zcat "$WORK/tree/usr/share/man/man8/brig-runtime.8.gz" | grep -F '\-\-console\-socket'
}

@test "a bare Debian takes it; under systemd three containers outlive an upgrade and a downgrade" {
  local root=$WORK/root
  run mmdebstrap --quiet --variant=minbase --include=systemd-sysv,kmod,procps,ca-certificates --customize-hook="copy-in '$DEB' /tmp" \
    --customize-hook="chroot \"\$1\" apt-get install -y -q --no-install-recommends '/tmp/${DEB##*/}'" bookworm "$root" /etc/apt/sources.list.d/debian.sources
  echo "$output"
  [ "$status" -eq 0 ]
  [[ -e $suite/busybox.oci ]] || make_busybox_archive
  cp "$suite/busybox.oci" "$BATS_TEST_DIRNAME/inside" "$BATS_TEST_DIRNAME/scopes" "$root/srv"
  # Not compressed: emulation takes its time for that.
  dpkg-deb -R "$DEB" "$WORK/older"
  dpkg-deb -b --root-owner-group -Znone "$WORK/older" "$root/srv/older.deb"
  sed -i 's/^Version: .*/Version: 999/' "$WORK/older/DEBIAN/control"
  dpkg-deb -b --root-owner-group -Znone "$WORK/older" "$root/srv/newer.deb"
  run env VM_ROOT="$root" VM_TIMEOUT=700 "$TOP/tests/vm/boot" /srv/inside
  echo "$output"
  grep '^ok' <<<"$output" | tail -1 | sed 's/^ok/# under systemd:/; s/ - .*/ verdicts/' >&3
  [ "$status" -eq 0 ]
  # The first one stands behind what the firmware said.
  verdicts=$(grep -oE '(not )?ok [0-9]+ - ' <<<"$output")
  [ "$(wc -l <<<"$verdicts")" -eq 75 ]
  [[ $verdicts != *not* ]]
}
