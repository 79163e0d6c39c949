"""The builds that compare-builds.py compares. A case is tagged with its name, so that a later one can stand on it. `files` is shell that fills the context; `kept`
names directories of the image that must have the time of one of the context, as BuildKit 0.29 keeps it and 0.8 does not."""
import dataclasses


@dataclasses.dataclass
class Case:
    name: str
    dockerfile: str
    files: str = ":"
    options: tuple = ()
    classic: bool = False
    fails: bool = False
    since: int | None = None
    kept: dict = dataclasses.field(default_factory=dict)


CASES = []


def case(name, dockerfile, files=":", options=(), **more):
    CASES.append(Case(name, dockerfile.lstrip("\n"), files, tuple(options), **more))


# Configuration.

case("empty-steps", """
FROM busybox
ENV A=1 B="two words" C='single $A'
LABEL a=1 "b c"="d e" multi="one \\
two"
EXPOSE 80 90/udp 100-103
USER web
STOPSIGNAL SIGINT
MAINTAINER Some One <one@example.com>
VOLUME /data /more
CMD ["echo", "hi"]
""")
case("scratch", "FROM scratch\nCOPY one /\n", "echo 1 >one")
case("old-forms", "FROM busybox\nENV old form of it\nLABEL old form\nENV A\\ B=c D=e\\ f\nCMD echo shell form\nENTRYPOINT shell entry\n")
case("cmd-reset", "FROM busybox\nCMD [\"a\"]\nENTRYPOINT [\"b\"]\n")
case("cmd-reset-child", "FROM cmd-reset\nENTRYPOINT [\"c\"]\n")
case("cmd-kept-child", "FROM cmd-reset\nENTRYPOINT [\"c\"]\nCMD [\"d\"]\n")
case("cmd-empty", "FROM busybox\nENTRYPOINT []\nCMD []\n")
case("cmd-not-json", "FROM busybox\nCMD ['a', 'b']\n")
case("healthcheck", "FROM busybox\nHEALTHCHECK --interval=5s --timeout=3s --start-period=1m --retries=2 CMD test -e /x || exit 1\n")
case("healthcheck-exec", "FROM busybox\nHEALTHCHECK CMD [\"true\"]\n")
case("healthcheck-none", "FROM healthcheck\nHEALTHCHECK NONE\n")
case("shell", "FROM busybox\nSHELL [\"/bin/sh\", \"-xc\"]\nRUN echo $0 >/shell\nCMD echo me\nENTRYPOINT hello\nHEALTHCHECK CMD look\n")
case("shell-child", "FROM shell\nCMD echo other\n")
case("expose-variables", "FROM busybox\nARG P=8080\nENV Q=9090\nEXPOSE $P ${Q}/udp 7000-7002/tcp 80 80\n")
case("stopsignal-number", "FROM busybox\nSTOPSIGNAL 9\n")
case("stopsignal-wrong", "FROM busybox\nSTOPSIGNAL SIGNONE\n", fails=True)
case("labels-options", "FROM busybox\nLABEL a=1 b=2\nRUN :\n", options=["--label", "b=3", "--label", "c=4"])
case("label-child", "FROM labels-options\nLABEL a=9\nLABEL b=\n")
case("user-forms", "FROM busybox\nUSER web:extra\nRUN id -u >/tmp/u; id -g >/tmp/g\nUSER 12:34\nRUN id -u >/tmp/u2; id -g >/tmp/g2\nUSER daemon\n")
case("volume-json", "FROM busybox\nVOLUME [\"/a\", \"/b c\"]\nVOLUME /d /e\n")
case("directive-escape", "# escape=`\nFROM busybox\nENV A=x `\n  B=y\nRUN echo one `\n  two >/out\n")
case("comments", "# comment\n\nFROM busybox\nRUN echo a \\\n# between\n  b \\\n\n  c >/out\n  # indented\nENV X=#1\n")
case("lower-case", "from busybox as one\nrun echo 1 >/1\nfrom one\ncopy --from=one /1 /2\ncmd [\"x\"]\n")

# Variables.

case("args", """
ARG TAG=latest
ARG UNUSED
FROM busybox:${TAG}
ARG TAG
ARG A=1
ARG B
ARG C=${A}3
ENV FROM_ARG=$A
RUN echo "$TAG $A $B $C" >/out
""", options=["--build-arg", "B=given", "--build-arg", "TAG=latest"])
case("arg-scopes", "ARG A=outer\nFROM busybox AS one\nRUN echo \"[$A]\" >/1\nARG A\nRUN echo \"[$A]\" >/2\nFROM busybox\nARG A=inner\nCOPY --from=one /1 /2 /\nRUN echo \"[$A]\" >/3\n")
case("env-over-arg", "FROM busybox\nENV A=env\nARG A=arg\nRUN echo $A >/1\nARG B=arg\nENV B=env\nRUN echo $B >/2\n", options=["--build-arg", "B=option"])
case("env-same-line", "FROM busybox\nENV a=hello\nENV a=bye d=$a\nENV e=$a\n")
case("variable-forms", "FROM busybox\nENV A=a E=\nENV B=${A:-x} C=${N:-x} D=${A:+y} F=${N:+y} G=\\$A H=\"$A\" I='$A' J=${E:-empty} K=${A}b\nWORKDIR /w/$A/${N:-n}\nLABEL l=$A m='$A'\n")
case("predefined-arg", "FROM busybox\nRUN echo $HTTP_PROXY >/out\n", options=["--build-arg", "HTTP_PROXY=http://127.0.0.1:9"])
case("platform-args", "FROM busybox\nARG TARGETPLATFORM\nARG BUILDARCH\nARG TARGETOS\nRUN echo $TARGETPLATFORM $BUILDARCH $TARGETOS >/out\n")
case("arg-several", "FROM busybox\nARG A=1\nARG B=$A-2\nLABEL a=$A b=$B\nUSER ${A}\n")
case("path-env", "FROM busybox\nENV PATH=/own:$PATH\nRUN echo $PATH >/path; echo $HOME >/home; env | grep -v -e PWD -e HOSTNAME | sort >/env\n")
case("run-hostname", "FROM busybox\nRUN env | grep HOSTNAME >/variable; :\n")

# WORKDIR.

case("workdir", "FROM busybox\nWORKDIR /a\nWORKDIR b\nWORKDIR c/../d\nRUN pwd >pwd\nWORKDIR /\nWORKDIR relative/\n")
case("workdir-user", "FROM busybox\nUSER web\nWORKDIR /home/web/deep\nUSER root\nWORKDIR other\nRUN stat -c %u /home /home/web /home/web/deep >/out\n")
case("workdir-there", "FROM busybox\nRUN mkdir -m 700 /w && chown web /w\nWORKDIR /w\nWORKDIR /tmp\n")
case("workdir-link", "FROM busybox\nRUN mkdir /real && ln -s real /link\nWORKDIR /link/sub\nRUN pwd >/out\n")

# COPY.

case("copy-file", "FROM busybox\nCOPY one /\nCOPY one /two\nCOPY one /three/\nCOPY one /deep/er/four\nCOPY [\"with space\", \"/to here/\"]\n", "echo 1 >one; chmod 640 one; echo s >'with space'")
case("copy-dir", "FROM busybox\nCOPY dir /to\nCOPY dir/. /dot/\nCOPY dir /slash/\nCOPY . /all/\nCOPY dir/sub /to/\n", "mkdir -p dir/sub dir/none; echo 1 >dir/one; echo 2 >dir/sub/two; chmod 700 dir/sub; chmod 4755 dir/one; chmod 1777 dir/none",
     kept={"to": "dir/sub", "to/sub": "dir/sub", "dot": "dir", "slash": "dir", "slash/none": "dir/none", "slash/sub": "dir/sub", "all/dir": "dir"})
case("copy-wildcard", "FROM busybox\nCOPY *.txt /t/\nCOPY d?r/*.md /m/\nCOPY [a-b]* /ab/\nCOPY d* /d/\n", "mkdir dir; touch a.txt b.txt c dir/x.md dir/y.md dir/z")
case("copy-several", "FROM busybox\nWORKDIR /w\nCOPY a dir b ./\nCOPY a dir/c sub/\n", "mkdir dir; echo a >a; echo b >b; echo c >dir/c")
case("copy-several-no-folder", "FROM busybox\nCOPY a b /file\n", "touch a b", fails=True)
case("copy-missing", "FROM busybox\nCOPY none /\n", fails=True)
case("copy-wildcard-none", "FROM busybox\nCOPY *.none /\n")
case("copy-outside", "FROM busybox\nCOPY ../a ../../b/ /x/\n", "echo a >a; mkdir b; echo c >b/c")
case("copy-onto-file", "FROM busybox\nCOPY a /f\nCOPY b /f\n", "echo a >a; echo b >b; chmod 600 b")
case("copy-onto-dir", "FROM busybox\nRUN mkdir -m 700 /d && echo old >/d/old && chown -R web /d\nCOPY a /d\nCOPY dir /d\n", "echo a >a; mkdir dir; echo n >dir/new; echo o >dir/old")
case("copy-dir-onto-file", "FROM busybox\nRUN echo >/f\nCOPY dir /f\n", "mkdir dir; touch dir/x", fails=True)
case("copy-file-where-dir", "FROM busybox\nRUN mkdir -p /d/a\nCOPY a /d/\n", "echo a >a", fails=True)
case("copy-onto-link", "FROM busybox\nRUN mkdir /real && ln -s real /to-dir && echo t >/target && ln -s target /to-file\nCOPY a /to-dir/\nCOPY a /to-file\nCOPY dir /to-dir\n", "echo a >a; mkdir dir; echo b >dir/b")
case("copy-links", "FROM busybox\nCOPY link /1\nCOPY dir /2\nCOPY dirlink /3\nCOPY dirlink/x /4\n", "mkdir dir; echo x >dir/x; ln -s x dir/y; ln -s none dir/dangling; ln -s /etc/passwd dir/abs; ln -s dir/x link; ln -s dir dirlink")
case("copy-through-dangling", "FROM busybox\nRUN ln -s /elsewhere/deep /link\nCOPY a /link/\n", "echo a >a")
case("copy-link-dir-conflict", "FROM busybox\nRUN mkdir /d && ln -s /d /x\nCOPY tree /\n", "mkdir -p tree/x; echo a >tree/x/a", fails=True)
case("copy-chown", "FROM busybox\nCOPY --chown=web a /1\nCOPY --chown=web:extra dir /2\nCOPY --chown=7:8 dir /new/3/\nCOPY --chown=9 a /4\nCOPY --chown=:2000 a /5\n", "echo a >a; mkdir dir; echo b >dir/b; chown -R 55:66 a dir")
case("copy-chown-existing", "FROM busybox\nRUN mkdir /d\nCOPY --chown=web dir /d\n", "mkdir dir; echo b >dir/b")
case("copy-chown-unknown", "FROM busybox\nCOPY --chown=nobody-here a /\n", "echo a >a", fails=True)
case("copy-chown-scratch", "FROM scratch\nCOPY --chown=3:4 a /d/a\n", "echo a >a")
case("copy-chmod", "FROM busybox\nCOPY --chmod=600 a /1\nCOPY --chmod=0711 dir /2\n", "echo a >a; mkdir dir; echo b >dir/b")
case("copy-setuid-chown", "FROM busybox\nCOPY --chown=web a /a\nCOPY b /b\n", "echo a >a; chmod 6755 a; echo b >b; chmod 4711 b")
case("copy-hard-links", "FROM busybox AS one\nRUN mkdir /d && echo x >/d/a && ln /d/a /d/b && ln /d/a /d/c\nFROM busybox\nCOPY --from=one /d /d\nCOPY dir /e\n", "mkdir dir; echo y >dir/1; ln dir/1 dir/2")
case("copy-special", "FROM busybox\nCOPY dir /d\n", "mkdir dir; mkfifo dir/fifo; echo a >dir/a")
case("copy-names", "FROM busybox\nCOPY . /n/\n", "mkdir -p \"$(printf 'n%.0s' {1..200})/$(printf 'm%.0s' {1..200})\"; echo l >\"$(printf 'n%.0s' {1..200})/$(printf 'm%.0s' {1..200})/leaf\"; touch -- 'größe' 'ファイル' 'a b' 'q\"uote' '-dash' '$dollar' 'back\\slash' \"$(printf 'x%.0s' {1..255})\"")
case("copy-xattrs", "FROM busybox AS one\nCOPY dir /c\nFROM busybox\nCOPY --from=one /c /c\nCOPY dir/a /c/b\n", "mkdir dir; echo a >dir/a; python3 -c 'import os; os.setxattr(\"dir/a\", \"user.mine\", b\"it\"); os.setxattr(\"dir\", \"user.its\", b\"it\")'")
case("copy-capability", "FROM busybox\nCOPY dir /c\n", "mkdir dir; echo a >dir/a; setcap cap_net_raw+ep dir/a")
case("add-capability", "FROM busybox AS one\nADD t.tar /c/\nFROM busybox\nCOPY --from=one /c /d\n", "echo a >a; setcap cap_net_raw+ep a; tar --xattrs --xattrs-include='*' -cf t.tar a; rm a")
case("copy-empty", "FROM busybox\nCOPY . /none/\nCOPY none /there\n", "mkdir none; printf 'Dockerfile\\n.dockerignore\\n' >.dockerignore")
case("copy-twice", "FROM busybox\nCOPY a /\nCOPY a /\nRUN :\n", "echo a >a")
case("copy-variables", "FROM busybox\nARG SRC=a\nENV TO=/to\nCOPY $SRC ${TO}/$SRC\nCOPY --chown=${OWNER:-web} a /owned\n", "echo a >a")
case("copy-onto-parent-file", "FROM busybox\nRUN echo >/f\nCOPY a /f/g\n", "echo a >a", fails=True)

# .dockerignore.

case("ignore", "FROM busybox\nCOPY . /c/\n", "mkdir -p a/b/c logs deep/x; touch a/1.log a/b/2.log a/b/keep.log a/b/c/3 logs/4 deep/x/y top.log z; printf '# comment\\n**/*.log\\n!a/b/keep.log\\nlogs\\ndeep/*\\n\\n  z  \\n' >.dockerignore")
case("ignore-all-but", "FROM busybox\nCOPY . /c/\n", "mkdir -p src/sub out; touch src/1 src/sub/2 out/3 4; printf '*\\n!src\\nsrc/sub\\n' >.dockerignore")
case("ignore-inner", "FROM busybox\nCOPY d /c/\nCOPY e* /e/\n", "mkdir -p d/x/y d/z e1 e2; touch d/x/y/1 d/x/2 d/z/3 e1/4 e2/5; printf 'd/x\\n!d/x/y\\ne1\\n' >.dockerignore")
case("ignore-copied", "FROM busybox\nCOPY a /\n", "echo a >a; echo a >.dockerignore", fails=True)
case("ignore-named", "FROM busybox\nCOPY . /c/\n", "touch a b; mv Dockerfile my.file; echo a >my.file.dockerignore; echo b >.dockerignore", options=["-f", "my.file"])
case("dockerfile-elsewhere", "FROM busybox\nCOPY . /c/\n", "mkdir sub; mv Dockerfile sub/Other; touch a", options=["-f", "sub/Other"])

# ADD.

case("add-archives", "FROM busybox\nADD t.tar /1\nADD t.tar.gz /2/\nADD t.tar.xz /3/\nADD t.tar.bz2 /4/\nADD not.tar /5/\nADD not.tar.gz /6\n", "mkdir -p d/sub; echo a >d/a; ln -s a d/l; ln d/a d/h; chmod 640 d/a; chown 5:6 d/a; chmod 711 d/sub; for z in '' z J j; do case $z in '') n=t.tar;; z) n=t.tar.gz;; J) n=t.tar.xz;; j) n=t.tar.bz2;; esac; tar -C d -c${z}f $n .; done; rm -r d; echo not >not.tar; echo not | gzip -n >not.tar.gz")
case("add-archive-onto", "FROM busybox\nRUN mkdir -m 700 -p /d/sub && echo old >/d/a && echo kept >/d/sub/kept\nADD t.tar /d\n", "mkdir -p d/sub; echo new >d/a; chmod 755 d/sub; chown 5:6 d/sub; tar -C d -cf t.tar .; rm -r d")
case("add-archive-chown", "FROM busybox\nADD --chown=web:extra t.tar /d/\n", "mkdir d; echo a >d/a; chown 5:6 d/a; tar -C d -cf t.tar a; rm -r d")
case("add-plain", "FROM busybox\nADD a /a\nADD dir /d/\nADD a dir /e/\n", "echo a >a; mkdir dir; echo b >dir/b; tar -C dir -cf dir/in.tar b")
case("copy-archive", "FROM busybox\nCOPY t.tar /t/\n", "echo a >a; tar --mtime=@0 -cf t.tar a")

# RUN and layers.

case("run-forms", "FROM busybox\nRUN [\"/bin/sh\", \"-c\", \"echo exec $HOME >/1\"]\nRUN echo shell \"quoted\"   spaces >/2\nRUN echo one && \\\n    echo two >/3\n")
case("run-fails", "FROM busybox\nRUN exit 3\n", fails=True)
case("run-nothing", "FROM busybox\nRUN :\nRUN true\n")
case("run-deletes", "FROM busybox\nRUN mkdir -p /d/sub /e && touch /d/1 /d/2 /d/sub/3 /e/4\nRUN rm /d/1 && rm -r /d/sub /e\nRUN rm /etc/group && rm -r /www\n")
case("run-opaque", "FROM busybox\nRUN mkdir /d && touch /d/1 /d/2\nRUN rm -r /d && mkdir /d && touch /d/3\nRUN rm -r /d && echo file >/d\nRUN rm /d && mkdir /d\n")
case("run-renames", "FROM busybox\nRUN mkdir -p /d/sub && echo 1 >/d/1 && echo 2 >/d/sub/2\nRUN mv /d/1 /d/one\nRUN mv /d /e\nRUN mv /e/sub /sub && mv /www /d\n")
case("run-hard-links", "FROM busybox\nRUN echo a >/a && ln /a /b\nRUN echo more >>/a\nRUN ln /b /c && ln -s /c /d\n")
case("run-modes", "FROM busybox\nRUN echo >/s && chmod 4755 /s && echo >/g && chmod 2711 /g && mkdir -m 1777 /t && mkdir -m 2775 /u && chown web:extra /u\nRUN chmod 700 /u\nRUN chown daemon /s\nRUN mkfifo /fifo && touch /u/x\n")
case("run-metadata-only", "FROM busybox\nRUN chmod 711 /www\nRUN touch /etc/passwd\nRUN chown 5 /etc/passwd\n")
case("run-umask", "FROM busybox\nRUN umask >/u; mkdir /m; touch /f\n")
case("run-special-files", "FROM busybox\nRUN mknod /null c 1 3; ln -s loop /loop; printf 'x%.0s' $(seq 300) >/x; touch -- '/-dash' \"$(printf '/new\\\\nline')\" '/.whlike'\n")
case("run-overlay-mounts", "FROM busybox\nRUN echo >/dev/new; echo >/proc/none 2>/dev/null; mkdir /sys/new 2>/dev/null; echo 1 >/tmp/t; :\n")
case("mount-base", "FROM busybox AS b\nRUN mkdir /r && cp -r /bin /r/\nFROM scratch\nCOPY --from=b /r /\n")
case("mount-points", "FROM mount-base\nRUN ls /etc >/dev/null\n")
case("volume-run", "FROM busybox\nRUN mkdir /v && echo before >/v/1\nVOLUME /v\nRUN echo after >/v/2\nCOPY a /v/3\n", "echo a >a")
case("run-mounts", "FROM busybox AS one\nRUN echo s >/s\nFROM busybox\nRUN --mount=type=bind,target=/c cat /c/a >/1\nRUN --mount=type=bind,from=one,source=/s,target=/m/s cat /m/s >/2\nRUN --mount=type=cache,target=/cache echo >/cache/x\nRUN --mount=type=tmpfs,target=/t echo >/t/x\n", "echo a >a")
case("run-secret", "FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s | wc -c >/1\nRUN --mount=type=secret,id=none ls /run/secrets 2>/dev/null; :\n", "echo secret >s", options=["--secret", "id=s,src=/etc/hostname"])
case("run-as-user", "FROM busybox\nUSER web\nWORKDIR /tmp/w\nRUN echo $HOME >/tmp/h; touch /tmp/f\nCOPY a /tmp/a\n", "echo a >a")
case("run-network-none", "FROM busybox\nRUN ls /sys/class/net | sort >/n\n", options=["--network", "none"])

# Stages.

case("stages", "FROM busybox AS one\nRUN echo 1 >/1\nFROM one AS two\nENV TWO=2\nRUN echo 2 >/2\nFROM busybox\nCOPY --from=one /1 /from-name\nCOPY --from=1 /1 /2 /from-number/\nCOPY --from=busybox /etc/passwd /from-image\n")
case("stage-target", "FROM busybox AS one\nRUN echo 1 >/1\nFROM busybox AS two\nRUN exit 1\n", options=["--target", "one"])
case("stage-target-number", "FROM busybox\nRUN echo 1 >/1\nFROM busybox\nRUN exit 1\n", options=["--target", "0"])
case("stage-inherits", "FROM busybox AS one\nENV A=1\nWORKDIR /w\nUSER web\nLABEL l=1\nEXPOSE 1\nFROM one\nRUN id -u >/tmp/id; pwd >>/tmp/id; echo $A >>/tmp/id\n")
case("stage-copy-links", "FROM busybox AS one\nRUN mkdir -p /d/e && echo f >/d/e/f && ln -s e /d/l && ln -s /d/e/f /abs && ln -s /d /dl\nFROM busybox\nCOPY --from=one /abs /1\nCOPY --from=one /d /2\nCOPY --from=one /dl/e /3\nCOPY --from=one /dl /4\nCOPY --from=one /d/l/f /5\n")
case("stage-copy-owners", "FROM busybox AS one\nRUN mkdir /d && touch /d/a && chown -R web:extra /d && chmod 2750 /d\nFROM busybox\nCOPY --from=one /d /d\nCOPY --from=one /d/a /new/a\nCOPY --from=one --chown=1:2 /d /e\n")
case("stage-copy-all", "FROM busybox AS one\nRUN rm -r /www && echo 1 >/1\nFROM scratch\nCOPY --from=one / /\nRUN ls / >/all\n")
case("stage-copy-wildcard", "FROM busybox AS one\nRUN mkdir /d && touch /d/a1 /d/a2 /d/b\nFROM busybox\nCOPY --from=one /d/a* /x/\n")
case("stage-unknown", "FROM busybox\nCOPY --from=3 /a /b\n", fails=True)

# ONBUILD.

case("onbuild", "FROM busybox\nONBUILD RUN echo built >/onbuild\nONBUILD COPY . /c/\nONBUILD ENV O=1\nRUN echo base >/base\n", "touch x")
case("onbuild-child", "FROM onbuild\nRUN echo child >/child\n", "touch y")
case("onbuild-grandchild", "FROM onbuild-child\nRUN :\n", "touch z")

# The client's classic API on both.

case("classic", "FROM busybox\nARG A=1\nENV B=2\nLABEL l=1\nWORKDIR /w\nCOPY . .\nADD t.tar /t/\nRUN echo $A $B >out\nEXPOSE 80\nUSER web\nVOLUME /v\nENTRYPOINT [\"a\"]\nCMD [\"b\"]\n", "echo a >a; tar -cf t.tar a", classic=True)
case("classic-stages", "FROM busybox AS one\nRUN echo 1 >/1\nFROM busybox\nCOPY --from=one /1 /1\nCOPY --chown=web a /a\n", "echo a >a", classic=True, options=["--build-arg", "NONE=1"])
case("classic-deletes", "FROM busybox\nRUN rm -r /www && mkdir /www\nRUN rm /etc/group\n", classic=True)
case("classic-ignore", "FROM busybox\nCOPY . /c/\n", "mkdir d; touch d/1 d/2 3; printf 'd\\n!d/2\\n' >.dockerignore", classic=True)
case("classic-fails", "FROM busybox\nRUN exit 4\n", classic=True, fails=True)

# What buildah is not asked, and why.
NOT_BUILDAH = {
    "run-network-none": "buildah's chroot isolation, which needs no runtime, leaves RUN the host's network",
}

# What may be different, line by line ("theirs | ours"; * stands for any text), for the reasons in docs/differences.md. What is not here fails, and so does what is
# here and does not come.
SHELL = ["config Cmd: ['/bin/sh', '-c', 'echo *'] | ['/bin/sh', '-xc', 'echo *']", "config Entrypoint: ['/bin/sh', '-c', 'hello'] | ['/bin/sh', '-xc', 'hello']"]
XATTR = "xattrs: {} | {'SCHILY.xattr.user.mine': 'it'}"
THEY_FAIL, WE_FAIL = ["fails: True | False"], ["fails: False | True"]


def only_theirs(*paths):
    return [f"{path}: only theirs" for path in paths]


ARGUED = {
    "build copy-several-no-folder": WE_FAIL,
    "build copy-chown-unknown": WE_FAIL,
    "build copy-chmod": ["/2 mode: 0o755 | 0o711"],
    "build copy-special": ["/d/fifo: only ours"],
    "build copy-xattrs": [f"/c/a {XATTR}", f"/c/b {XATTR}"],
    "build copy-capability": ["/c/a xattrs: {} | {'SCHILY.xattr.security.capability': *}"],
    "build mount-points": only_theirs("/dev", "/etc", "/proc", "/sys"),
    "build run-mounts": only_theirs("/c", "/m", "/cache", "/t"),
    "build run-secret": only_theirs("/run/secrets"),
    "build stage-target-number": THEY_FAIL,
    "buildah empty-steps": ["config ExposedPorts: {'100-103/tcp': {}, '80/tcp': {}, '90/udp': {}} | "
                            "{'100/tcp': {}, '101/tcp': {}, '102/tcp': {}, '103/tcp': {}, '80/tcp': {}, '90/udp': {}}"],
    "buildah expose-variables": ["config ExposedPorts: {'7000-7002/tcp': {}, '80/tcp': {}, '8080/tcp': {}, '9090/udp': {}} | "
                                 "{'7000/tcp': {}, '7001/tcp': {}, '7002/tcp': {}, '80/tcp': {}, '8080/tcp': {}, '9090/udp': {}}"],
    "buildah shell": SHELL,
    "buildah shell-child": SHELL,
    "buildah volume-json": only_theirs("/d", "/e"),
    "buildah volume-run": ["/v/2: only ours"],
    "buildah env-over-arg": ["/1 digest: *"],
    "buildah run-hostname": ["/variable digest: *", "/variable size: * | 0"],
    "buildah copy-dir": [f"{path}/one mode: 0o755 | 0o4755" for path in ("/all/dir", "/dot", "/slash", "/to")],
    "buildah copy-setuid-chown": ["/a mode: 0o755 | 0o6755", "/b mode: 0o711 | 0o4711"],
    "buildah copy-several-no-folder": WE_FAIL,
    "buildah copy-wildcard-none": THEY_FAIL,
    "buildah copy-file-where-dir": WE_FAIL,
    "buildah copy-onto-link": ["/target digest: *", "/target time: new | *", "/to-file digest: *", "/to-file mode: 0o644 | 0o777", "/to-file size: 2 | 0",
                               "/to-file target:  | target", "/to-file time: * | new", "/to-file type: 0 | 2"],
    "buildah copy-link-dir-conflict": WE_FAIL,
    "buildah copy-chmod": ["/2 mode: 0o755 | 0o711"],
    "buildah run-hard-links": [f"{path} {aspect}" for path in ("/b", "/c") for aspect in ("digest: *", "first name: a | b", "size: 7 | 2")],
    "buildah run-special-files": ["/null: only ours"],
    "buildah mount-points": only_theirs("/dev", "/etc", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/proc", "/run", "/sys"),
    "buildah run-mounts": only_theirs("/m"),
    "buildah run-secret": only_theirs("/run/secrets"),
}
