#!/usr/bin/env bats
# Repositories of git as contexts, named contexts and sources of ADD: by smart and dumb HTTP, git:// and ssh; what a moved ref, a secret, a
# hostile repository, a cancelled build and a killed daemon come to. tests/git-http.py serves the repositories.

setup_file() {
  load lib
  make_host
  start_daemon --group users -H tcp://127.0.0.1:2375 # for the test of what another user finds
  load_busybox
  serve_repositories
  export root host_pid daemon_pid http_pid http_port git_pid url GIT_CONFIG_GLOBAL
}

teardown_file() {
  load lib
  kill "$http_pid" "$git_pid"
  wait "$http_pid" "$git_pid" 2>/dev/null || :
  daemon_pid=$(cat "$root/brigd.pid")
  end_host
}

setup() {
  load lib
  bats_require_minimum_version 1.5.0
  context=$(mktemp -d "$root/context.XXXXXX")
  cd "$context" || return
  : >"$root/http.log"
}

teardown() { [[ -z ${agent:-} ]] || kill "$agent" 2>/dev/null || :; }

# The servers, inside the test's host; who makes the commits is a configuration of the test's own.
serve_repositories() {
  export GIT_CONFIG_GLOBAL=$root/gitconfig
  printf '[user]\nname = t\nemail = t@example.com\n[init]\ndefaultBranch = main\n[protocol "file"]\nallow = always\n[safe]\ndirectory = *\n' >"$GIT_CONFIG_GLOBAL"
  mkdir -p "$root/served" "$root/work"
  echo s3cret-t0ken >"$root/served/token"
  mkfifo "$root/port"
  nsenter --target "$host_pid" --net --mount -- python3 "$top/tests/git-http.py" "$root/served" "$root/http.log" >"$root/port" 2>"$root/http.err" 3>&- &
  http_pid=$!
  read -r http_port <"$root/port"
  url=http://127.0.0.1:$http_port
  nsenter --target "$host_pid" --net --mount -- /usr/lib/git-core/git-daemon --base-path="$root/served" --export-all --reuseaddr --listen=127.0.0.1 --port=9418 >"$root/git-daemon.log" 2>&1 3>&- &
  git_pid=$!
  wait_until git_daemon_answers
}
git_daemon_answers() { on_host bash -c 'exec 5<>/dev/tcp/127.0.0.1/9418' 2>/dev/null; }

# repository NAME: a new one that is served; its working copy is $work, its first commit has a Dockerfile, a file, a directory and a link.
repository() {
  name=$1 work=$root/work/$1
  mkdir -p "$work/dir"
  git init -q "$work"
  printf 'FROM scratch\nCOPY . /\n' >"$work/Dockerfile"
  echo "$1" >"$work/name" # so that no two have a commit in common
  echo one >"$work/file"; echo below >"$work/dir/below"; ln -s file "$work/link"
  printf '#!/bin/sh\n' >"$work/script"; chmod 755 "$work/script"
  git init -q --bare "$root/served/$1.git"
  git -C "$work" remote add origin "$root/served/$1.git"
  commit first
}

# commit MESSAGE: all of $work, at a fixed time, pushed with all tags.
commit() {
  git -C "$work" add -A
  GIT_AUTHOR_DATE='2020-02-02T02:02:02Z' GIT_COMMITTER_DATE='2020-02-02T02:02:02Z' git -C "$work" commit -qm "$1"
  push
}
push() { git -C "$work" push -q --force origin --all; git -C "$work" push -q --force origin --tags; git -C "$root/served/$name.git" update-server-info; }
commit_of() { git -C "$work" rev-parse "$1^{commit}"; }

dockerfile() { cat >"$context/Dockerfile"; }
# build ARG...: the build of the context into $context/out, its plain progress in $output.
build() { rm -rf "$context/out"; run timeout 60 brig build --progress plain -o "$context/out" "$@"; echo "$output"; }
# refused TEXT ARG...: the build fails and says so.
refused() {
  build "${@:2}"
  [ "$status" -ne 0 ] || return 1
  [[ $output == *"$1"* ]] || { echo "expected: $1"; return 1; }
}
# How often a repository's server was asked for refs or objects.
asked() { grep -c "POST /[a-z]*/$1.git/git-upload-pack" "$root/http.log" || :; }

@test "a repository is the context: default branch, branch, tag, commit, directory, query; its files are its Dockerfile's" {
  repository context
  git -C "$work" tag -a -m annotated v1; git -C "$work" tag light
  git -C "$work" checkout -qb topic/deep; echo topic >"$work/file"; commit topic
  git -C "$work" checkout -q main; echo two >"$work/file"; commit second
  build "$url/smart/context.git"
  [ "$status" -eq 0 ]
  [ "$(cat out/file)" = two ]
  [ "$(readlink out/link)" = file ]
  [ "$(stat -c %a out/script out/file out/dir)" = $'755\n644\n755' ]
  [ ! -e out/.git ]
  local ref wanted
  while read -r ref wanted; do
    build "$url/smart/context.git$ref"
    [ "$status" -eq 0 ]
    [ "$(cat out/file)" = "$wanted" ]
  done <<END
#main two
#v1 one
#light one
#refs/tags/v1 one
#topic/deep topic
#refs/heads/topic/deep topic
#heads/main two
#$(commit_of v1) one
#$(commit_of v1 | cut -c1-9) one
?ref=topic/deep topic
?tag=v1 one
?branch=topic/deep topic
?ref=v1&checksum=$(commit_of v1) one
?commit=$(commit_of topic/deep) topic
END
  refused "repository does not contain ref gone" "$url/smart/context.git#gone"
  refused "expected checksum to match abc123" "$url/smart/context.git?checksum=abc123#main"
  refused "'$url/smart/none.git'" "$url/smart/none.git"
  run brig build -o out2 -f - "$url/smart/context.git#main:dir" <<<$'FROM scratch\nCOPY below /'
  [ "$status" -eq 0 ]
  [ "$(cat out2/below)" = below ]
  refused "has no directory 'none'" "$url/smart/context.git#main:none"
}

@test "ADD of a repository: content of the directory, owner, modes, excludes, links; the commit's time" {
  repository add
  echo '*' >"$work/.dockerignore"; tar -C "$work" -cf "$work/inside.tar" file; commit more
  dockerfile <<END
FROM busybox
ADD $url/smart/add.git /whole
ADD --chown=5:6 --chmod=750 --exclude=script $url/smart/add.git#main /owned/
ADD $url/smart/add.git#main:dir $url/smart/add.git?subdir=dir/ /below
RUN cd /whole && stat -c '%n %a %u:%g %Y' file script dir >/stat; stat -c '%a %u:%g' /owned/file >>/stat; ls /owned/script /whole/.git >>/stat 2>&1; cat /below/below
END
  build .
  [ "$status" -eq 0 ]
  [ "$(cat out/stat)" = "file 644 0:0 1580608922
script 755 0:0 1580608922
dir 755 0:0 1580608922
750 5:6
ls: /owned/script: No such file or directory
ls: /whole/.git: No such file or directory" ]
  [ "$(readlink out/whole/link)" = file ]
  [ -f out/whole/inside.tar ]
  # HEAD, main: each is asked for once; their one commit is fetched once.
  [ "$(asked add)" -eq 3 ]
}

@test "a ref that did not move: nothing is fetched; one that moved: the reason says so" {
  repository moving
  dockerfile <<END
FROM busybox
ADD $url/smart/moving.git#main /src
RUN cat /src/file >/copy
END
  build .; [ "$status" -eq 0 ]
  local before; before=$(asked moving)
  build .
  [ "$(grep -c CACHED <<<"$output")" -eq 2 ]
  [ $(($(asked moving) - before)) -eq 1 ] # for the refs
  sed -i 's,smart/moving.git#main,moved/moving.git?branch=main,' Dockerfile
  build .
  [ "$(grep -c CACHED <<<"$output")" -eq 2 ]
  echo two >"$work/file"; commit second
  sed -i 's,moved/moving.git?branch=main,smart/moving.git#main,' Dockerfile
  build .
  [[ $output == *"miss: $url/smart/moving.git#main points at another commit"* ]]
  [ "$(cat out/copy)" = two ]
  # A context is kept, too: its files are not fetched again.
  build "$url/smart/moving.git"; : >"$root/http.log"
  build "$url/smart/moving.git"
  [[ $output == *CACHED* ]]
  [ "$(asked moving)" -eq 1 ]
  # A commit is asked of nobody.
  : >"$root/http.log"
  build "$url/smart/moving.git#$(commit_of main)"
  [ "$status" -eq 0 ]
  [ ! -s "$root/http.log" ]
  # The collector has it.
  [[ $(curl -s --unix-socket "$root/brig.sock" http://d/system/df | jq -r '.BuildCache[].Description') == *"git $url/smart/moving.git"* ]]
  brig builder prune -af >/dev/null
  build "$url/smart/moving.git#$(commit_of main)"
  [ "$status" -eq 0 ]
  [ -s "$root/http.log" ]
}

@test "--keep-git-dir: a repository that git can read, without what was secret" {
  repository kept
  git -C "$work" tag -a -m annotated v1; push
  dockerfile <<END
FROM busybox
ADD --keep-git-dir http://me:hidden@127.0.0.1:$http_port/smart/kept.git#v1 /src
END
  build .; [ "$status" -eq 0 ]
  grep -q 'upload-pack basic' "$root/http.log"
  [ "$(git -C out/src describe)" = v1 ]
  [ "$(git -C out/src rev-parse HEAD)" = "$(commit_of v1)" ]
  [ -z "$(git -C out/src status --porcelain)" ]
  [ "$(git -C out/src remote get-url origin)" = "$url/smart/kept.git" ]
  run grep -rE 'hidden|bWU6aGlkZGVu' out/src; [ "$status" -eq 1 ]
  [ ! -d out/src/.git/hooks ]
  rm -rf first; brig build -o first . ; brig builder prune -af >/dev/null
  rm -rf out; brig build -o out .
  diff -r first/src out/src
  build --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 "$url/smart/kept.git"
  [ "$(git -C out rev-parse HEAD)" = "$(commit_of v1)" ]
  dockerfile <<END
FROM busybox
ADD $url/smart/kept.git?keep-git-dir=1&checksum=$(commit_of v1 | cut -c1-12)#main /src
ADD --checksum=$(git -C "$work" rev-parse v1) $url/smart/kept.git#v1 /tagged
END
  build .; [ "$status" -eq 0 ]
  [ -d out/src/.git ]
  [ ! -e out/tagged/.git ]
}

@test "git://, dumb HTTP, a redirection, a named context" {
  repository plain
  echo old >"$work/old"; commit middle
  echo new >"$work/new"; commit last
  build "git://127.0.0.1/plain.git"; [ "$status" -eq 0 ]; [ -e out/new ]
  brig builder prune -af >/dev/null
  build "$url/dumb/plain.git#main"; [ "$status" -eq 0 ]; [ -e out/new ]
  brig builder prune -af >/dev/null
  build "$url/dumb/plain.git#$(git -C "$work" rev-parse HEAD~1)"; [ "$status" -eq 0 ]; [ -e out/old ]; [ ! -e out/new ]
  refused "the server does not give the commit" "$url/dumb/plain.git#0123456789abcdef0123456789abcdef01234567"
  refused "the server does not give the commit" "$url/smart/plain.git#0123456789abcdef0123456789abcdef01234567"
  brig builder prune -af >/dev/null
  build "$url/moved/plain.git"; [ "$status" -eq 0 ]; [ -e out/new ]
  printf 'FROM scratch\nCOPY --from=source new /\n' >Dockerfile
  build --build-context "source=$url/smart/plain.git#main" .; [ "$status" -eq 0 ]; [ "$(ls out)" = new ]
}

@test "the API's remote=" {
  repository remote
  run curl -s --unix-socket "$root/brig.sock" -X POST "http://d/v1.41/build?t=remote&remote=$url/smart/remote.git%23main"
  [[ $output == *"Successfully tagged remote:latest"* ]]
  run curl -s --unix-socket "$root/brig.sock" -X POST "http://d/v1.41/build?remote=git://127.0.0.1/remote.git%23--x"
  [[ $output == *"invalid git ref '--x'"* ]]
}

@test "secrets: a token and a header, for this host and for others" {
  repository private
  dockerfile <<END
FROM busybox
ADD $url/private/private.git#main /src
END
  refused "--secret id=GIT_AUTH_TOKEN" .
  build --secret "id=GIT_AUTH_TOKEN,src=$root/served/token" .; [ "$status" -eq 0 ]; [ -e out/src/file ]
  brig builder prune -af >/dev/null
  build --secret "id=GIT_AUTH_TOKEN.127.0.0.1:$http_port,src=$root/served/token" --secret "id=GIT_AUTH_TOKEN,src=/etc/hostname" .; [ "$status" -eq 0 ]
  brig builder prune -af >/dev/null
  HEADER="basic $(printf 'x-access-token:%s' "$(cat "$root/served/token")" | base64)" build --secret id=GIT_AUTH_HEADER,env=HEADER .
  [ "$status" -eq 0 ]
  refused "--secret id=GIT_AUTH_TOKEN" --secret "id=GIT_AUTH_TOKEN.other.example,src=$root/served/token" "$url/private/private.git"
  run grep -rF "$(cat "$root/served/token")" "$root/brigd.log" "$root/data/build" out; [ "$status" -eq 1 ]
}

# Another server of the same repositories, on another port; what it is asked is in $root/other.log.
serve_elsewhere() {
  [[ ! -e $root/elsewhere.port ]] || return 0
  mkfifo "$root/elsewhere.port"
  nsenter --target "$host_pid" --net --mount -- python3 "$top/tests/git-http.py" "$root/served" "$root/other.log" >"$root/elsewhere.port" 2>>"$root/http.err" 3>&- &
  elsewhere_pid=$!
  read -r other_port <"$root/elsewhere.port"
  echo "http://127.0.0.1:$other_port" >"$root/served/elsewhere"
}

@test "redirections: a secret stays with its host, and is followed there; without one it is followed anywhere" {
  repository away
  serve_elsewhere
  local token="id=GIT_AUTH_TOKEN,src=$root/served/token"
  build "$url/away/away.git"; [ "$status" -eq 0 ]; [ -e out/file ]
  grep -q 'POST /smart/away.git/git-upload-pack -' "$root/other.log"
  brig builder prune -af >/dev/null
  : >"$root/other.log"
  refused "redirects to 'http://127.0.0.1:$other_port/smart/away.git', where the secret for 127.0.0.1:$http_port is not sent: name that address" --secret "$token" "$url/away/away.git"
  refused "is not sent" "http://me:hidden@127.0.0.1:$http_port/away/away.git"
  dockerfile <<<"FROM scratch
ADD $url/away/away.git#main /src"
  refused "--secret id=GIT_AUTH_TOKEN.127.0.0.1:$other_port" --secret "$token" .
  [ ! -s "$root/other.log" ]
  # The same host: what is asked there has the secret, too.
  build --secret "$token" "$url/near/away.git"; [ "$status" -eq 0 ]; [ -e out/file ]
  grep -q 'POST /private/away.git/git-upload-pack basic' "$root/http.log"
  refused "returned error: 301" --secret "$token" "$url/loop/away.git"
  refused "which is no repository" --secret "$token" "$url/astray/away.git"
  kill "$elsewhere_pid"
}

@test "what a secret was shown for is found again by who may read the repository, not by its commit alone" {
  repository shown
  local commit token="id=GIT_AUTH_TOKEN,src=$root/served/token"
  commit=$(commit_of main)
  dockerfile <<<"FROM scratch
ADD $url/private/shown.git#$commit /src"
  build --secret "$token" "$url/private/shown.git#$commit"; [ "$status" -eq 0 ]; [ -e out/file ]
  build --secret "$token" .; [ "$status" -eq 0 ]; [ -e out/src/file ]
  refused "--secret id=GIT_AUTH_TOKEN" "$url/private/shown.git#$commit"
  refused "--secret id=GIT_AUTH_TOKEN" .
  refused "--secret id=GIT_AUTH_TOKEN" --secret id=GIT_AUTH_TOKEN,src=/etc/hostname "$url/private/shown.git#$commit"
  refused "--secret id=GIT_AUTH_TOKEN" --secret id=GIT_AUTH_TOKEN,src=/etc/hostname .
  # Another secret that is good, too: it is asked whether it is, and nothing is fetched.
  echo another-t0ken >"$root/served/token"
  : >"$root/http.log"
  build --secret "$token" "$url/private/shown.git#$commit"; [ "$status" -eq 0 ]; [ -e out/file ]
  build --secret "$token" .; [ "$status" -eq 0 ]
  [[ $output == *CACHED* ]]
  [ "$(asked shown)" -eq 2 ]
}

# build_as_other ARG...: as build, by a user of the socket's group who is not root.
build_as_other() {
  run on_host setpriv --reuid 1000 --regid 1000 --groups "$(stat -c %g "$root/brig.sock")" env "DOCKER_HOST=$DOCKER_HOST" HOME=/ timeout 60 "$root/brig" build --progress plain --output type=cacheonly "$@" "$context"
  echo "$output"
}

@test "private submodules that one user's credentials fetched: another user's fetch their own" {
  repository inner
  repository outer
  git -C "$work" submodule --quiet add "$root/served/inner.git" sub
  git -C "$work" config -f "$work/.gitmodules" submodule.sub.url "$url/private/inner.git"; commit with-submodule
  echo s3cret-t0ken >"$root/served/token"
  local fetched token="id=GIT_AUTH_TOKEN,src=$root/served/token"
  install -m 755 "$build/src/cli/brig" "$root/brig"; chmod 755 "$root"; chmod 777 "$context"
  dockerfile <<<"FROM scratch
ADD $url/private/outer.git /src"
  build --secret "$token" .; [ "$status" -eq 0 ]; [ -e out/src/sub/file ]
  fetched=$(asked inner)
  [ "$fetched" -gt 0 ]
  build --secret "$token" .; [ "$status" -eq 0 ]; [[ $output == *CACHED* ]]
  [ "$(asked inner)" -eq "$fetched" ]
  # By another user: asked and fetched, and found again by the same one.
  for i in 1 2; do
    build_as_other --secret "$token"
    [ "$status" -eq 0 ]
    [ "$(asked inner)" -eq $((fetched * 2)) ]
    [[ $i -gt 1 || $output == *"miss: $url/private/outer.git was fetched for another user"* ]]
  done
  # Without submodules the repository's own answer is enough.
  dockerfile <<<"FROM scratch
ADD $url/private/outer.git?submodules=false /src"
  build --secret "$token" .; [ "$status" -eq 0 ]; [ ! -e out/src/sub/file ]
  : >"$root/http.log"
  build_as_other --secret "$token"
  [ "$status" -eq 0 ]
  [[ $output == *CACHED* ]]
  [ "$(asked outer)" -eq 1 ]
  # Who comes by TCP is who shows the same.
  local secret wanted=0
  : >"$root/http.log"
  for secret in s3cret-t0ken s3cret-t0ken other-t0ken; do
    [[ $(cat "$root/served/token") == "$secret" ]] && [[ $wanted -gt 0 ]] || wanted=$((wanted + fetched))
    echo "$secret" >"$root/served/token"
    run on_host curl -s -X POST "http://127.0.0.1:2375/v1.41/build?t=theirs&remote=http://x-access-token:$secret@127.0.0.1:$http_port/private/outer.git"
    echo "$output"
    [[ $output == *"Successfully tagged theirs:latest"* ]]
    [ "$(asked inner)" -eq "$wanted" ]
  done
}

# hostile FILE: a program in git's place that tries what git must not, and says what it could as an error of git's.
hostile() {
  cat >"$1" <<END
#!/usr/bin/python3
import ctypes, os, platform, socket, stat, sys
found = []
def attempt(what, action):
    try:
        action()
        found.append(what)
    except OSError:
        pass
def connect(address):
    socket.socket(socket.AF_UNIX).connect(address)
def low_half(family):
    if platform.machine() == "x86_64" and ctypes.CDLL(None).syscall(ctypes.c_long(41), ctypes.c_ulong(1 << 32 | family), ctypes.c_ulong(1), ctypes.c_ulong(0)) < 0:
        raise OSError
    if platform.machine() != "x86_64":
        raise OSError
attempt("an abstract socket", lambda: connect("\0brig-drill-$host_pid"))
attempt("the daemon's socket", lambda: connect("$root/brig.sock"))
attempt("a Unix socket", lambda: socket.socket(socket.AF_UNIX))
attempt("a Unix socket by half", lambda: low_half(socket.AF_UNIX))
for family in ("AF_ALG", "AF_PACKET", "AF_VSOCK", "AF_TIPC"):
    attempt(family, lambda: socket.socket(getattr(socket, family), socket.SOCK_SEQPACKET if family == "AF_ALG" else socket.SOCK_STREAM))
for path in ("/etc/shadow", "/root", "/proc/self", "$root", "/run/systemd"):
    attempt(path, lambda: os.stat(path))
attempt("a process outside", lambda: os.kill($daemon_pid, 0))
attempt("a node", lambda: os.mknod("/tmp/node", stat.S_IFBLK | 0o600, os.makedev(7, 0)))
attempt("another user", lambda: os.setuid(0))
attempt("a write to the root", lambda: open("/file", "w"))
attempt("a write to /usr", lambda: open("/usr/file", "w"))
for fd in range(3, 1024):
    attempt("descriptor %d" % fd, lambda: os.fstat(fd))
agent = os.environ.get("SSH_AUTH_SOCK")
if agent:
    attempt("the agent", lambda: connect(agent))
print("fatal: drill of %d:%d %s: %s" % (os.getuid(), os.getgid(), os.getgroups(), ", ".join(found) or "nothing"), file=sys.stderr)
sys.exit(128)
END
  chmod 755 "$1"
}

@test "hostile git: it is nobody, and reaches no Unix socket, no abstract one, no file, no process of the host's" {
  repository drill
  hostile "$root/hostile"
  nsenter --target "$host_pid" --net --mount -- socat "ABSTRACT-LISTEN:brig-drill-$host_pid,fork" SYSTEM:true 2>/dev/null 3>&- &
  local listener=$! with_agent="a Unix socket, the agent"
  abstract_answers() { on_host socat -u /dev/null "ABSTRACT-CONNECT:brig-drill-$host_pid" 2>/dev/null; }
  wait_until abstract_answers
  on_host mount --bind "$root/hostile" /usr/bin/git
  build "$url/smart/drill.git"
  local first=$output
  # With an agent there are Unix sockets; that no abstract one is reached then takes Linux 6.12.
  agent=$(ssh-agent -a "$context/agent.sock" | grep -oE 'SSH_AGENT_PID=[0-9]+' | cut -d= -f2)
  build --ssh "default=$context/agent.sock" "$url/smart/drill.git"
  kill "$agent" "$listener"; agent=
  on_host umount /usr/bin/git
  [[ $first == *"fatal: drill of 65523:65523 []: nothing"* ]]
  python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(444, 0, 0, 1) < 6)' || with_agent="an abstract socket, a Unix socket, the agent"
  [[ $output == *"fatal: drill of 65523:65523 []: $with_agent"* ]]
}

@test "hostile git: a link in the place of its files leads nobody out" {
  repository linked
  mkdir -p "$root/canary/below" && chown 1234:1234 "$root/canary" "$root/canary/below"
  cat >"$root/linking" <<END
#!/usr/bin/python3
import os, subprocess, sys
status = subprocess.call(["/usr/lib/git-core/git"] + sys.argv[1:])
if "cat-file" in sys.argv: # the last that is asked of it
    os.rename("/work/fs", "/work/files")
    os.symlink("$root/canary", "/work/fs")
sys.exit(status)
END
  chmod 755 "$root/linking"
  on_host mount --bind "$root/linking" /usr/bin/git
  build "$url/smart/linked.git"
  on_host umount /usr/bin/git
  [ "$status" -ne 0 ]
  [[ $output == *"open directory 'fs'"* ]]
  [ "$(stat -c %u:%g "$root/canary" "$root/canary/below" | sort -u)" = 1234:1234 ]
}

# The processes of the daemon's that have to do with git.
ours() { pstree -p "$(cat "$root/brigd.pid")" | grep -oE '(git|git-remote-http|brig-image)\([0-9]+' | grep -oE '[0-9]+$'; }
remote_http() { pgrep -f "git-remote-http origin $url/stalled"; }
no_git() { ! remote_http >/dev/null && ! pgrep -f "^brig-image git" >/dev/null; }

@test "while git runs: secrets are on no command line and in no environment, it is confined, and ends with its build" {
  repository stalled
  printf 'FROM scratch\nADD %s/stalled/stalled.git#main /src\n' "$url" >Dockerfile
  SECRET=very-s3cret-value brig build --secret id=GIT_AUTH_TOKEN,env=SECRET . >"$root/stalled.log" 2>&1 3>&- &
  local client=$! pid count=0
  wait_until grep -q 'stalled /stalled/stalled.git/git-upload-pack basic' "$root/http.log"
  wait_until remote_http >/dev/null
  for pid in $(ours); do
    run grep -qaE 's3cret|LXMzY3JldC' "/proc/$pid/cmdline" "/proc/$pid/environ"
    [ "$status" -eq 1 ]
    count=$((count + 1))
  done
  [ "$count" -ge 3 ]
  pid=$(remote_http | head -1)
  grep -q 'CapEff:.0000000000000000' "/proc/$pid/status"
  grep -q 'CapBnd:.0000000000000000' "/proc/$pid/status"
  grep -q 'NoNewPrivs:.1' "/proc/$pid/status"
  grep -q 'Seccomp:.2' "/proc/$pid/status"
  [ -e "/proc/$pid/root/work" ]
  [ ! -e "/proc/$pid/root/etc/shadow" ]
  [ ! -e "/proc/$pid/root/root" ]
  [ ! -e "/proc/$pid/root/$root" ]
  [ "$(readlink "/proc/$pid/ns/net")" = "$(readlink "/proc/$host_pid/ns/net")" ]
  [ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink /proc/self/ns/pid)" ]
  run ls -l "/proc/$pid/fd"
  [[ $output != *"$root"* ]]
  # The client leaves: all of it ends.
  kill -TERM "$client"; wait "$client" || :
  wait_until no_git
  wait_until no_clones
}
no_clones() { [[ -z $(find "$root/data/build" -name 'repository-*') ]]; }

@test "a killed daemon leaves no git, and the next one nothing of the clone" {
  repository stalled2
  agent=$(ssh-agent -a "$context/agent.sock" | grep -oE 'SSH_AGENT_PID=[0-9]+' | cut -d= -f2)
  brig build --ssh "default=$context/agent.sock" "$url/stalled/stalled2.git" >"$root/stalled.log" 2>&1 3>&- &
  local client=$!
  wait_until grep -q 'stalled /stalled/stalled2.git/git-upload-pack' "$root/http.log"
  wait_until remote_http >/dev/null
  kill_daemon
  wait "$client" || :
  wait_until no_git
  [ -n "$(find "$root/run/build" -type s)" ]
  start_daemon
  no_clones
  [ -z "$(find "$root/run/build" -type s)" ]
}

@test "submodules: relative and absolute, nested, without, kept; their commit, not their branch" {
  repository leaf; echo leaf >"$work/leaf"; commit leaf
  repository branch
  git -C "$work" submodule --quiet add "$root/served/leaf.git" nested/leaf
  git -C "$work" config -f "$work/.gitmodules" submodule.nested/leaf.url ../leaf.git; commit branch
  repository tree
  git -C "$work" submodule --quiet add "$root/served/branch.git" 'with space'
  git -C "$work" config -f "$work/.gitmodules" 'submodule.with space.url' "$url/smart/branch.git"; commit tree
  local tree=$work
  name=leaf work=$root/work/leaf; echo later >"$work/leaf"; commit later
  build "$url/smart/tree.git"; [ "$status" -eq 0 ]
  [ "$(cat 'out/with space/nested/leaf/leaf')" = leaf ]
  [ -z "$(find out -name .git)" ]
  build "$url/smart/tree.git?submodules=false"; [ "$status" -eq 0 ]
  [ -z "$(ls 'out/with space')" ]
  printf 'FROM scratch\nADD --keep-git-dir %s/smart/tree.git /src\n' "$url" >Dockerfile
  build .; [ "$status" -eq 0 ]
  [ -z "$(git -C out/src status --porcelain)" ]
  [ "$(git -C 'out/src/with space/nested/leaf' log --format=%s -1)" = leaf ]
  # What it does not find says which one.
  git -C "$tree" config -f "$tree/.gitmodules" 'submodule.with space.url' ../gone.git; name=tree work=$tree; commit gone
  refused "submodule 'with space': " "$url/smart/tree.git"
}

@test "hostile repositories: nothing is executed, nothing is written or read outside" {
  repository evil
  mkdir "$work/hooks"; printf '#!/bin/sh\ntouch %s/pwned\n' "$root" >"$work/hooks/post-checkout"; chmod +x "$work/hooks/post-checkout"
  printf '[core]\n\tfsmonitor = touch %s/pwned\n' "$root" >"$work/.gitconfig"
  printf '* filter=evil diff=evil ident\n' >"$work/.gitattributes"
  ln -s /etc "$work/etc"; ln -s ../../.. "$work/up"; ln -s dir "$work/inner"
  commit evil
  run brig build -o out -f - "$url/smart/evil.git#main:inner" <<<$'FROM scratch\nCOPY below /'; echo "$output"; [ "$status" -eq 0 ]
  refused "is a link that leads out of the repository" "$url/smart/evil.git#main:etc"
  refused "is a link that leads out of the repository" "$url/smart/evil.git#main:up"
  # Dots lead to the root of the repository and no further.
  build "$url/smart/evil.git#main:../../../.."; [ "$status" -eq 0 ]; [ -e out/file ]
  refused "invalid git ref '--upload-pack=touch" "$url/smart/evil.git#--upload-pack=touch%20$root/pwned"
  refused "a character that no ref has" "$url/smart/evil.git?ref=main%0atouch"
  refused "longer than 1000 bytes" "$url/smart/evil.git#$(printf 'a%.0s' {1..1001})"
  refused "its host begins with '-'" "ssh://-oProxyCommand=touch/x"
  [ ! -e "$root/pwned" ]
}

@test "hostile submodules: names and paths that lead out, options, local files, other protocols" {
  local module path address wanted count=0
  repository module
  while IFS='|' read -r module path address wanted; do
    repository "sub$((++count))"
    printf '[submodule "%s"]\n\tpath = %s\n\turl = %s\n\tupdate = !touch %s/pwned\n' "$module" "$path" "$address" "$root" >"$work/.gitmodules"
    git -C "$work" add .gitmodules
    git -C "$work" update-index --add --cacheinfo "160000,$(git -C "$root/work/module" rev-parse HEAD),sub"
    git -C "$work" commit -qm hostile; push
    build "$url/smart/$name.git"
    if [[ $wanted == fine ]]; then
      [ "$status" -eq 0 ]
      [ -e out/sub/file ]
    else
      [ "$status" -ne 0 ]
      [[ $output == *"$wanted"* ]] || { echo "expected: $wanted"; return 1; }
    fi
  done <<END
../../../../x|sub|../module.git|fine
sub|../../x|../module.git|which is no path in it
sub|.git/hooks|../module.git|which is no path in it
sub|sub|$root/served/module.git|it is none of https://
sub|sub|file://$root/served/module.git|it is none of https://
sub|sub|ext::sh -c touch% $root/pwned|control character
sub|sub|ext::touch|it is none of https://
sub|sub|--upload-pack=touch|it is none of https://
sub|sub|ssh://-oProxyCommand=touch/x|its host begins with '-'
sub|sub|http://u:p@127.0.0.1:$http_port/smart/module.git|has a user or a password in it
END
  [ ! -e "$root/pwned" ]
}

# evil_tree LINE...: the branch "evil" is a tree of these entries, in mktree's form.
evil_tree() {
  local raw id
  raw=$(printf '%b\n' "$@" | git -C "$work" mktree --missing)
  id=$(git -C "$work" commit-tree -m hostile "$raw")
  git -C "$work" update-ref refs/heads/evil "$id"
  git -C "$work" push -q --force origin evil
}

@test "trees that git itself refuses: .git as a file and as a directory, dots, a link in a directory's place" {
  repository blobs
  local file link sub entry
  file=$(echo x | git -C "$work" hash-object -w --stdin) link=$(printf /etc | git -C "$work" hash-object -w --stdin)
  sub=$(printf '100644 blob %s\tconfig\n' "$file" | git -C "$work" mktree --missing)
  for entry in "100644 blob $file\t.git" "40000 tree $sub\t.git" "40000 tree $sub\t.." "40000 tree $sub\t.GIT"; do
    evil_tree "$entry"
    refused "invalid path" "$url/smart/blobs.git#evil"
  done
  evil_tree "120000 blob $link\ta" "40000 tree $sub\ta"
  build "$url/smart/blobs.git#evil"
  [ ! -e /etc/config ]
}

@test "without git: what to install" {
  repository without
  on_host mount --bind /dev/null /usr/bin/git
  refused "install its package (apt-get install git)" "$url/smart/without.git"
  on_host umount /usr/bin/git
}

# A stand-in for ssh, which asks the agent and then talks to the git daemon: there is no sshd in the test.
fake_ssh() {
  cat >"$root/ssh" <<'END'
#!/bin/bash
# ssh [OPTION...] HOST COMMAND
ssh-add -l >&2 || exit 255
command=${*: -1} path=${command#*\'}
line="git-upload-pack ${path%\'}"
{ printf '%04x%s\0host=127.0.0.1\0' $((${#line} + 20)) "$line"; cat; } | socat -t 5 - TCP:127.0.0.1:9418
END
  chmod 755 "$root/ssh"
  on_host mount --bind "$root/ssh" /usr/bin/ssh
}

@test "ssh: the client's agent is asked, through a socket that is its user's alone" {
  repository byssh
  ssh-keygen -q -t ed25519 -N '' -f key
  agent=$(ssh-agent -a "$context/agent.sock" | grep -oE 'SSH_AGENT_PID=[0-9]+' | cut -d= -f2)
  SSH_AUTH_SOCK=$context/agent.sock ssh-add -q key
  chown 1234:1234 "$context/agent.sock"; chmod 600 "$context/agent.sock"
  fake_ssh
  printf 'FROM busybox\nADD git@127.0.0.1:/byssh.git#main /src\n' >Dockerfile
  refused "or --ssh default for ssh" .
  build --ssh "default=$context/agent.sock" .
  kill "$agent"; agent=
  on_host umount /usr/bin/ssh
  [ "$status" -eq 0 ]
  [ -e out/src/file ]
  # Nothing of the relay is left.
  [ -z "$(find "$root/run/build" -type s)" ]
}
