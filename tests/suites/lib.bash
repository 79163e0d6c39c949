# What the runners of suites that talk to a daemon share: a daemon of either engine, images by the names that a suite expects, results.
# Loads tests/lib.bash. The variable engine says which daemon: brigd or dockerd.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.bash"

start_dockerd() {
  nsenter --target "$host_pid" --net --mount -- unshare --mount --propagation private bash -c "mount -t tmpfs tmpfs /run && exec dockerd --data-root $root/data --exec-root /run/engine \
    -H unix://$root/brig.sock --pidfile $root/brigd.pid --bip 172.17.0.1/16 --registry-mirror http://127.0.0.1:5000" >"$root/brigd.log" 2>&1 &
  daemon_pid=$!
  export DOCKER_HOST=unix://$root/brig.sock BRIG_HOST=unix://$root/brig.sock
  wait_until daemon_answers
}

# start_engine: a host, a registry in it and the engine, whose mirror it is; all of it ends with the script.
start_engine() {
  make_host
  trap end_engine EXIT
  start_registry 5000
  if [[ $engine == dockerd ]]; then start_dockerd; else start_daemon --registry-mirror http://127.0.0.1:5000; fi
}

end_engine() {
  stop_registry
  if [[ $engine == brigd ]]; then end_host; else
    docker ps -aq | xargs -r docker rm -f >/dev/null
    stop_daemon
    kill "$host_pid"
    rm -rf --one-file-system "$root"
  fi
}

# push_image NAME TAG...: an image of its own of that name, with what the suites look for in Alpine's and busybox's. image_command: what its
# containers run, a JSON array, by default a shell.
push_image() {
  local dir=$root/image
  mkdir "$dir"
  tar -C "$dir" -xf "$(busybox_tar)"
  mkdir -p "$dir/var/opt"
  echo 'postgres:x:70:70:postgres:/var/lib/postgresql:/bin/sh' >>"$dir/etc/passwd"
  echo 'operator:x:11:0:operator:/root:/bin/sh' >>"$dir/etc/passwd"
  echo "$*" >"$dir/etc/image"
  tar -C "$dir" -cf "$dir.tar" .
  make_archive "$dir.tar" "$dir.archive" amd64 "${image_command:-[\"sh\"]}"
  for tag in "${@:2}"; do skopeo_push "$dir.archive" "library/$1:$tag"; done
  rm -rf "$dir" "$dir.tar" "$dir.archive"
}

skopeo_push() { on_host skopeo copy --quiet --dest-tls-verify=false "docker-archive:$1" "docker://127.0.0.1:$registry_port/$2"; }

# run_pytest SITE REPORT ARGUMENT...: Debian's Python, in the engine's host, with a home of its own and pytest from SITE. The suites' failures
# are in REPORT, a JUnit file, so that its exit code says nothing more.
run_pytest() {
  local site=$1 report=$2
  shift 2
  mkdir -p "$root/home/.docker"
  echo '{}' >"$root/home/.docker/config.json" # else contexts would be made in the suite's folder
  # The suites make every warning an error, and Python 3.11 warns of the distutils that docker-py 5 uses.
  echo 'import warnings; warnings.simplefilter = lambda *_, **__: None' >"$site/no_warnings.py"
  # A shell's background command has interrupts ignored, which some tests send: they get the default again.
  HOME=$root/home DOCKER_CONFIG=$root/home/.docker PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH} nsenter --target "$host_pid" --net --mount --wd="$PWD" -- \
    env --default-signal=INT /usr/bin/python3 -m pytest -p no:cacheprovider -p no_warnings -W ignore::DeprecationWarning -q --timeout 120 --tb=short --junit-xml="$report" "$@" || :
  [[ -s $report ]]
}

# results REPORT: a line "pass|fail|skip CLASS.TEST" for each test of a JUnit file, sorted.
results() {
  /usr/bin/python3 - "$1" <<'END_OF_PYTHON' | sort
import sys, xml.etree.ElementTree as tree
for case in tree.parse(sys.argv[1]).iter("testcase"):
    kinds = {child.tag for child in case}
    word = "fail" if kinds & {"failure", "error"} else "skip" if "skipped" in kinds else "pass"
    print(word, (case.get("classname") or "").split(".")[-1] + "." + case.get("name"))
END_OF_PYTHON
}

# judge SUITE REPORT: prints the failures; fails where docs/differences.md does not argue one (a line "- `SUITE NAME`: why").
judge() {
  local name status=0
  while read -r name; do
    grep -qF -- "- \`$1 $name\`: " "$top/docs/differences.md" && { echo "argued: $name"; continue; }
    echo "not argued: $name"
    status=1
  done < <(results "$2" | sed -n 's/^fail //p')
  results "$2" | cut -d' ' -f1 | uniq -c | tr '\n' ' '
  echo
  return $status
}
