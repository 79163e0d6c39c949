#!/usr/bin/env bats
# Reference builds: projects as people write them (tests/reference), whose steps fetch from the package registries that this machine
# reaches, on the default bridge. The daemon's host is a network namespace as everywhere; slirp4netns, a process, is its way out: no link,
# table or route of this machine is touched.

setup_file() {
  load lib
  load reference/lib
  make_host
  connect_host
  start_daemon
  make_bases
  export root host_pid daemon_pid slirp_pid
}

teardown_file() {
  load lib
  end_host
  kill "$slirp_pid"
  no pgrep -f "slirp4netns .* $host_pid tap0" # it goes with its namespace
}

setup() {
  load lib
  load reference/lib
  bats_require_minimum_version 1.5.0
}

@test "a Go service: modules before sources, a static binary, a user of its own, a health check" {
  reaches https://proxy.golang.org/github.com/google/uuid/@v/list
  build_project go --build-arg VERSION=1.2.3
  [ "$(brig run --rm --entrypoint stat service-go -c '%U:%G %u' /app/greeter)" = "appuser:appgroup 10001" ]
  serve service-go 8080
  [ "$page" = "go 1.2.3 uid=10001 env=1.2.3 id=36" ]
  # What the image says of its health, and that the engine asks for it: as the image's user, within its root.
  [ "$(brig image inspect -f '{{json .Config.Healthcheck}}' service-go | jq -c '[.Test, .Interval, .Timeout, .Retries]')" = \
    '[["CMD","/app/greeter","-health"],1000000000,5000000000,30]' ]
  wait_until is_healthy service
  [ "$(brig inspect service | jq -c '.[0].State.Health | [.FailingStreak, .Log[-1].ExitCode]')" = '[0,0]' ]
  # Sources change, modules do not: what comes before the sources is found.
  cp -r "$projects/go" "$root/go-changed"
  echo '// changed' >>"$root/go-changed/main.go"
  run brig build --progress plain --build-arg VERSION=1.2.3 "$root/go-changed"
  echo "$output"
  [ "$status" -eq 0 ]
  not_run "go mod download"
  ran "go build"
}

@test "a Go service in a root without a shell, USER nonroot:nonroot, sources of a named context" {
  reaches https://proxy.golang.org/github.com/google/uuid/@v/list
  build_project distroless --build-context "go=$projects/go"
  [ "$(brig image inspect -f '{{.Config.User}} {{json .Config.Entrypoint}}' service-distroless)" = 'nonroot:nonroot ["/greeter"]' ]
  run -127 brig run --rm --entrypoint /bin/sh service-distroless -c true
  serve service-distroless 8080
  [ "$page" = "go unset uid=65532 env= id=36" ]
}

@test "a Python service in stages: a compiler by apt in the base, requirements before sources" {
  reaches http://deb.debian.org/debian/dists/bookworm/InRelease
  reaches https://pypi.org/simple/flask/
  build_project python
  serve service-python 8000
  [ "$page" = "python uid=10002 compiled=True mode=production" ]
  run -127 brig run --rm --entrypoint sh service-python -c 'command -v gcc'
  [ "$status" -ne 0 ]
  [[ $output != *gcc* ]]
  # What the steps cached is in their mounts (pip's only where the registry lets it keep anything), and not in the stage that they made.
  cached_by python:reference /var/cache/apt /var/lib/apt/lists
  build_project python --target builder
  brig tag service-python python-builder
  [ -n "$(files_in python-builder /install)" ]
  [ "$(files_in python-builder /root /var/cache/apt /var/lib/apt/lists)" = "$(files_in python:reference /root /var/cache/apt /var/lib/apt/lists)" ]
  # An argument of the last stage: neither apt nor pip runs again.
  build_project python --build-arg MODE=testing
  not_run "apt-get"
  not_run "pip install"
  serve service-python 8000
  [ "$page" = "python uid=10002 compiled=True mode=testing" ]
}

@test "a Node service: package.json and its lock file first, a cache of packages" {
  reaches https://registry.npmjs.org/ms
  build_project node
  serve service-node 3000
  [ "$page" = "node uid=10003 minute=60000 env=production" ]
  run brig run --rm --user 0 --entrypoint ls service-node -A /app /root
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *node_modules* && $output != *Dockerfile* && $output != *.npm* ]]
  cached_by node:reference /root/.npm
  cp -r "$projects/node" "$root/node-changed"
  echo '// changed' >>"$root/node-changed/server.js"
  run brig build --progress plain "$root/node-changed"
  echo "$output"
  [ "$status" -eq 0 ]
  not_run "npm ci"
}

@test "BUILD_ENV, both ways: packages for development are there only in a development build" {
  reaches https://registry.npmjs.org/isarray
  build_project environment
  serve service-environment 3000
  [ "$page" = "production ms" ]
  build_project environment --build-arg BUILD_ENV=development
  [[ $output == *"BUILD_ENV"* ]]
  serve service-environment 3000
  [ "$page" = "development isarray,ms" ]
}

@test "the docker client builds and runs the Go service, too" {
  reaches https://proxy.golang.org/github.com/google/uuid/@v/list
  run env DOCKER_BUILDKIT=0 docker build --build-arg VERSION=1.2.3 -t service-docker "$projects/go"
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"Successfully tagged service-docker:latest"* ]]
  serve service-docker 8080
  [ "$page" = "go 1.2.3 uid=10001 env=1.2.3 id=36" ]
}
