# Contexts: docker and brig see each other's, with their certificates, and use them.

load lib.bash
bats_require_minimum_version 1.5.0

setup_file() {
  make_host
  certificates=$root/certificates
  mkdir "$certificates" && "$top/tests/certificates" "$certificates"
  start_daemon -H tcp://127.0.0.1:2376 --tlsverify --tlscacert "$certificates/ca.pem" --tlscert "$certificates/server/cert.pem" --tlskey "$certificates/server/key.pem"
  export root host_pid daemon_pid DOCKER_HOST BRIG_HOST certificates DOCKER_CONFIG=$root/config
  far="host=tcp://127.0.0.1:2376,ca=$certificates/ca.pem,cert=$certificates/client/cert.pem,key=$certificates/client/key.pem"
  export far
}

teardown_file() { end_host; }

plain() { on_host env -u DOCKER_HOST -u BRIG_HOST "$@"; }

@test "one's contexts are the other's" {
  plain brig context create --description "made by brig" --docker "$far" ours
  plain docker context create --description "made by docker" --docker "$far" theirs
  diff <(plain docker context inspect ours theirs) <(plain brig context inspect ours theirs)
  diff <(plain docker context ls --format '{{.Name}}|{{.Description}}|{{.DockerEndpoint}}|{{.Current}}' | tail -n +2) \
    <(plain brig context ls --format '{{.Name}}|{{.Description}}|{{.DockerEndpoint}}|{{.Current}}' | tail -n +2)
  diff <(plain docker context ls | sed 's, *unix:[^ ]*,,; s, *$,,; s,  *, ,g') <(plain brig context ls | sed 's, *unix:[^ ]*,,; s, *$,,; s,  *, ,g')
  [[ $(stat -c %a "$(plain brig context inspect -f '{{.Storage.TLSPath}}' ours)/docker/key.pem") == 600 ]]
}

@test "they lead to the daemon, over TLS" {
  [[ $(plain brig --context theirs version -f '{{.Server.Version}}') == "$(brig version -f '{{.Server.Version}}')" ]]
  [[ $(plain docker --context ours version -f '{{.Server.Version}}') == "$(brig version -f '{{.Server.Version}}')" ]]
  [[ $(DOCKER_CONTEXT=theirs plain brig ps -q) == "" ]]
  run -1 plain brig --context theirs -H unix:///x ps
  [[ $output == *"cannot specify both --host and --context"* ]]
}

@test "use, show, and a host that is said wins" {
  plain brig context use theirs
  [[ $(plain docker context show) == theirs && $(plain brig context show) == theirs ]]
  plain brig ps
  [[ $(brig context show) == default ]]
  run -1 plain brig context rm theirs
  [[ $output == *'context "theirs" is in use, set -f flag to force remove'* ]]
  plain docker context use ours
  [[ $(plain brig context show) == ours ]]
  plain brig context use default
  [[ $(plain docker context show) == default ]]
}

@test "update, copy, remove; what cannot be" {
  plain brig context update --description other ours
  plain docker context inspect ours | grep -q '"Description": "other"'
  plain brig --context ours ps
  plain brig context create --from ours copy
  plain brig --context copy ps
  run -1 plain brig context create --docker host=unix:///x ours
  [[ $output == *'context "ours" already exists'* ]]
  run -1 plain brig context create --docker hosts=unix:///x new
  [[ $output == *"unrecognized config key: hosts"* ]]
  for program in docker brig; do
    run -1 plain $program context create --docker host=unix:///x x
    [[ $output == *'context name "x" is invalid'* ]]
  done
  run -1 plain brig context create --docker host=unix:///x ../new
  [[ $output == *'context name "../new" is invalid'* ]]
  run -1 plain brig context rm default
  [[ $output == *'"default" cannot be removed'* ]]
  run -1 plain brig context use none
  [[ $output == *'context "none": context not found'* ]]
  plain brig context rm ours copy theirs
  [[ $(plain docker context ls -q) == default && -z $(find "$DOCKER_CONFIG/contexts" -type f) ]]
}

pems() { ls "$(plain brig context inspect -f '{{.Storage.TLSPath}}' "$1")/docker" 2>/dev/null | tr '\n' ' '; }
skips() { plain brig context inspect -f '{{.Endpoints.docker.SkipTLSVerify}}' "$1"; }

@test "default is copied with its certificates; a new way has nothing of the old one; what is half removed can be removed" {
  DOCKER_CERT_PATH=$certificates/client DOCKER_TLS_VERIFY=1 on_host env -u BRIG_HOST DOCKER_HOST=tcp://127.0.0.1:2376 brig context create --docker from=default copied
  [[ $(pems copied) == 'ca.pem cert.pem key.pem ' && $(skips copied) == false ]]
  plain brig --context copied ps
  plain brig context update --description kept --docker "host=tcp://127.0.0.1:2376,skip-tls-verify=true" copied
  [[ -z $(pems copied) && $(skips copied) == true ]]
  plain brig context update --docker "host=tcp://127.0.0.1:2376,ca=$certificates/ca.pem" copied
  [[ $(pems copied) == 'ca.pem ' && $(skips copied) == false ]]
  [[ $(plain brig context inspect -f '{{.Metadata.Description}}' copied) == kept ]]

  local folder
  folder=$(plain brig context inspect -f '{{.Storage.TLSPath}}' copied)/docker
  on_host mount -t tmpfs none "$folder"
  run -1 plain brig context rm copied
  [[ $(plain brig context ls -q) == *copied* ]]
  on_host umount "$folder"
  plain brig context rm copied
  [[ -z $(find "$DOCKER_CONFIG/contexts" -type f) ]]
}

here() { plain env -C "$root" "$@"; }

@test "export and import: archives are the other's, with their keys; zip; what an archive may not have" {
  cd "$root" || return
  here brig context create --description "to go" --docker "$far" going
  here brig context export going 2>message
  grep -qx 'Written file "going.dockercontext"' message
  [[ $(stat -c %a going.dockercontext) == 600 ]]
  here docker context export going docker.tar
  diff <(tar -tvf going.dockercontext) <(tar -tvf docker.tar 2>/dev/null) # docker's ends within the last file's padding
  here brig context export going - | cmp - going.dockercontext
  run -1 here brig context export going
  [[ $output == *"open going.dockercontext: "*"ile exists"* ]]
  [[ $(here brig context import by-brig docker.tar) == by-brig && $(here docker context import by-docker going.dockercontext) == by-docker ]]
  diff <(here docker context inspect by-docker | sed 's/by-docker//; /Path/d') <(here docker context inspect by-brig | sed 's/by-brig//; /Path/d')
  [[ $(here brig --context by-brig version -f '{{.Server.Version}}') == "$(brig version -f '{{.Server.Version}}')" ]]
  [[ $(stat -c %a "$(here brig context inspect -f '{{.Storage.TLSPath}}' by-brig)"/docker{,/key.pem} | tr '\n' ' ') == '700 600 ' ]]
  diff -r "$(here brig context inspect -f '{{.Storage.TLSPath}}' by-brig)" "$(here brig context inspect -f '{{.Storage.TLSPath}}' by-docker)"
  run -1 here brig context import by-brig docker.tar
  [[ $output == *'context "by-brig" already exists'* ]]
  run -1 here brig context import default docker.tar
  [[ $output == *'"default" is a reserved context name'* ]]

  # Another's members are kept; a zip is read, too.
  python3 - <<'END'
import io, tarfile, zipfile
meta = b'{"Name":"x","Metadata":{"Description":"d","other":"kept"},"Endpoints":{"docker":{"Host":"tcp://h:1","SkipTLSVerify":false}}}'
with zipfile.ZipFile("c.zip", "w", zipfile.ZIP_DEFLATED) as file:
    file.writestr("meta.json", meta)
    file.writestr("tls/docker/ca.pem", 200 * "CA")
def tar(name, *entries):
    with tarfile.open(name, "w") as file:
        for path, data in (("meta.json", meta), *entries):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
tar("up.tar", ("tls/docker/../../../../up", b"x"))
tar("beside.tar", ("../beside", b"x"))
tar("large.tar", ("tls/docker/ca.pem", bytes(11 << 20)))
END
  here brig context import zipped - <c.zip
  here docker context import zipped2 c.zip
  diff <(here docker context inspect zipped | sed 's/zipped//; /Path/d') <(here docker context inspect zipped2 | sed 's/zipped2//; /Path/d')
  [[ $(<"$(here brig context inspect -f '{{.Storage.TLSPath}}' zipped)/docker/ca.pem") == CACA*CA ]]
  for case in 'up: unexpected path format' 'beside: unexpected context file' 'large: read exceeds the defined limit'; do
    run -1 here brig context import refused "${case%%:*}.tar"
    [[ $output == *"${case#*: }"* ]]
  done
  [[ -z $(here docker context ls -q | grep refused) && -z $(find "$DOCKER_CONFIG" "$root" -maxdepth 1 -name beside) ]]
  here brig context rm going by-brig by-docker zipped zipped2
  [[ -z $(find "$DOCKER_CONFIG/contexts" -type f) ]]
}
