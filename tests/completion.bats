#!/usr/bin/env bats
# Completion: words of the tables, names that the daemon knows, and the three shells' own scripts in those shells.

setup_file() {
  load lib
  make_host
  start_daemon
  load_busybox
  brig network create shop-net
  brig volume create shop-data
  brig create --name shop-web --network shop-net busybox
  brig create --name shop-db --link shop-web:other busybox
}
setup() { load lib; }
teardown_file() { load lib; end_host; }

# offers "WORDS" PREFIX-OF-THE-COMMAND-LINE...
offers() {
  local expected=$1; shift
  run brig __complete "$@"
  [[ $status -eq 0 && $(tr '\n' ' ' <<<"$output") == "$expected " ]] || { echo "brig $*: offers '$output', not '$expected'"; return 1; }
}

@test "words of the tables" {
  offers "run" ru
  offers "connect" network conn
  offers "--memory-swap --memory-swappiness" run --memory-s
  offers "" run --gpu
  offers "--host" --ho
  offers "" no-such-command conn
}

@test "an option's value is no word of the command" {
  offers "connect" -H "$DOCKER_HOST" network conn
  offers "shop-db shop-web" rm --force shop-
  offers "busybox:latest" run --name shop- busy
  offers "busybox:latest" run -e A=b --name=x -it busy
}

@test "names that the daemon knows, by what the help says of the argument" {
  offers "shop-db shop-web" stop shop-
  offers "shop-web" stop shop-db shop-w
  offers "busybox:latest" rmi busy
  offers "shop-net" network rm shop
  offers "shop-net" run --network shop
  offers "shop-net" network connect shop
  offers "shop-web" network connect shop-net shop-w
  offers "" network connect shop-net shop-web shop
  offers "shop-data" volume inspect shop
  offers "shop-db shop-web" run --volumes-from shop
}

@test "what follows the first argument of run and exec is the container's" {
  offers "" run busybox --me
  offers "" exec shop-web shop
}

@test "without a daemon there are no names, and none is started" {
  run brig -H unix:///nowhere/brig.sock __complete stop shop
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  offers "stop" -H unix:///nowhere/brig.sock sto
}

# in_bash LINE WORD...: what bash offers for a command line, the last word of which is at the cursor.
in_bash() {
  bash --norc -c '. /usr/share/bash-completion/bash_completion; . <(brig completion bash)
    COMP_LINE=$1 COMP_POINT=${#1}; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _brig_complete; printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}

@test "bash: words, and a name with a colon" {
  [ "$(in_bash 'brig network conn' brig network conn)" = connect ]
  [ "$(in_bash 'brig stop shop-d' brig stop shop-d)" = shop-db ]
  # bash parts the words at the colon, and takes what follows it.
  [ "$(in_bash 'brig rmi busybox:la' brig rmi busybox : la)" = latest ]
}

@test "zsh: words, and files where there are none" {
  in_zsh() {
    zsh -fc 'compdef() { :; }; compadd() { shift; print -l -- "$@"; }; _files() { print files; }
      source <(brig completion zsh); words=("$@"); CURRENT=$#; _brig' zsh "$@"
  }
  [ "$(in_zsh brig network conn)" = connect ]
  [ "$(in_zsh brig stop shop-)" = $'shop-db\nshop-web' ]
  [ "$(in_zsh brig stop '')" = $'shop-db\nshop-web' ]
  [ "$(in_zsh brig import ./)" = files ]
}

@test "fish: words, names, and files" {
  in_fish() { HOME=$BATS_TEST_TMPDIR fish --no-config -c 'brig completion fish | source; complete -C $argv[1]' "$1"; }
  [ "$(in_fish 'brig network conn')" = connect ]
  [ "$(in_fish 'brig stop shop-' | sort)" = $'shop-db\nshop-web' ]
  touch "$BATS_TEST_TMPDIR/archive.tar"
  cd "$BATS_TEST_TMPDIR"
  [ "$(in_fish 'brig import arch')" = archive.tar ]
}

@test "another shell is refused by name" {
  run brig completion tcsh
  [ "$status" -eq 1 ]
  [[ $output == "no completion for 'tcsh': there are bash, zsh and fish"* ]]
}
