/* plan-steps-test.c: RUN with its mounts and heredocs, COPY and ADD. */
#include "build/plan-test.h"

/* ---- RUN ---- */

TEST(run_forms) {
        _cleanup_(made_done) Made made =
                make("FROM busybox\nENV v=1\nRUN echo \"$v\" $none '$v' \\\n  x\\y\nRUN [\"a\", "
                     "\"$v\"]\n",
                     (PlanOptions){ .network = "none" });
        _cleanup_free_ char *all = NULL, *shown = NULL;
        const Step *step;

        ASSERT_MADE(made);
        step = step_of(&made, STEP_RUN);
        ASSERT_LIST(step->run.argv, "/bin/sh,-c,echo \"$v\" $none '$v'   x\\y");
        ASSERT_LIST(step->run.env, "PATH=/bin,BASE=image,v=1");
        ASSERT_LIST(step->run.volatile_env, "(none)");
        ASSERT_STR(step->run.network, "none");
        ASSERT_STR(step->run.script, NULL);
        ASSERT_INT(step->at.line, 3);
        ASSERT_LIST(step[1].run.argv, "a,$v");
        all = history(&made);
        ASSERT_STR(all, "-ENV v=1\nRUN /bin/sh -c echo \"$v\" $none '$v'   x\\y # buildkit\n"
                        "RUN a $v # buildkit\n");
        shown = texts(&made);
        ASSERT_STR(shown, "ENV v=1\nRUN echo \"1\" $none '$v'   xy\nRUN [\"a\", \"1\"]\n");
        ASSERT_ERROR("FROM scratch\nRUN []\n", "D:2:1: RUN has an empty command: name a program");
}

TEST(run_flags) {
        _cleanup_(made_done) Made made =
                make("FROM busybox\nRUN --network=host --security=sandbox a\n"
                     "RUN --network=default a\n",
                     (PlanOptions){ .network = "none",
                                    .grants[ENTITLEMENT_HOST_NETWORK].granted = true });

        ASSERT_MADE(made);
        ASSERT_STR(target(&made)->steps[0].run.network, "host");
        ASSERT(!target(&made)->steps[0].run.insecure);
        ASSERT_STR(target(&made)->steps[1].run.network, "none");
        ASSERT_ERROR("FROM scratch\nRUN --device=gpu a\n",
                     "D:2:1: RUN --device=gpu: devices are not given to builds; leave the flag "
                     "out, and use the device in a container");
}

TEST(run_that_needs_a_grant) {
        static const char insecure[] = "FROM scratch\nARG v=1\nRUN --security=insecure a\nRUN b\n";
        const PlanGrant granted = { .granted = true };
        _cleanup_(made_done) Made made =
                make(insecure, (PlanOptions){ .grants[ENTITLEMENT_INSECURE] = granted });

        ASSERT_MADE(made);
        ASSERT(step_of(&made, STEP_RUN)[0].run.insecure &&
               !step_of(&made, STEP_RUN)[1].run.insecure);
        ASSERT_STR(step_of(&made, STEP_RUN)->text, "RUN --security=insecure a");
        ASSERT_HISTORY(insecure,
                       "-ARG v=1\nRUN --security=insecure |1 v=1 /bin/sh -c a # buildkit\n"
                       "RUN |1 v=1 /bin/sh -c b # buildkit\n",
                       .grants[ENTITLEMENT_INSECURE] = granted);
        ASSERT_ERROR(insecure, "D:3:1: RUN --security=insecure: security.insecure is not allowed");
        /* One grant is not the other; and what is said of it stands behind. */
        ASSERT_ERROR(insecure,
                     "D:3:1: RUN --security=insecure: security.insecure is not allowed: why",
                     .grants = { { .why_not = "why" }, granted });
        ASSERT_ERROR("FROM scratch\nRUN --network=host a\n",
                     "D:2:1: RUN --network=host: network.host is not allowed",
                     .grants[ENTITLEMENT_INSECURE] = granted);
        ASSERT_ERROR("FROM scratch\nRUN a\n",
                     "D:2:1: RUN in the build's network 'host': network.host is not allowed",
                     .network = "host");
        /* Nobody runs what the target does not reach. */
        ASSERT_HISTORY("FROM scratch AS a\nRUN --security=insecure a\nFROM scratch\nRUN b\n",
                       "RUN /bin/sh -c b # buildkit\n", );
        test_triggers = LIST("RUN --security=insecure a");
        ASSERT_ERROR("FROM busybox\n",
                     "D:1:1: ONBUILD trigger of the base: RUN --security=insecure: "
                     "security.insecure is not allowed");
        test_triggers = NULL;
}

TEST(run_heredocs) {
        ASSERT_HISTORY("FROM scratch\nRUN <<E\nmkdir $x\nls\nE\n",
                       "RUN /bin/sh -c mkdir $x\nls\n # buildkit\n");
        ASSERT_TEXTS("FROM scratch\nENV x=y\nRUN <<-E\n\tmkdir $x\n\tls\nE\nRUN <<'F'\none\nF\n",
                     "ENV x=y\nRUN <<-E (mkdir y...)\nRUN <<'F' (one)\n");
        ASSERT_HISTORY("FROM scratch\nRUN cat <<A <<B > c\na\nA\nb\nB\n",
                       "RUN /bin/sh -c cat <<A <<B > c\na\nA\nb\nB # buildkit\n");
        /* In the exec form it is an argument as others. */
        ASSERT_HISTORY("FROM scratch\nRUN [\"cat\", \"<<A\"]\n", "RUN cat <<A # buildkit\n");
}

TEST(run_script) {
        _cleanup_(made_done) Made made =
                make("FROM scratch\nSHELL [\"bash\", \"-c\"]\nRUN <<E\n#!/bin/x\n$a\nE\n",
                     (PlanOptions){});
        const Step *step;

        ASSERT_MADE(made);
        step = step_of(&made, STEP_RUN);
        ASSERT_LIST(step->run.argv, "bash,-c,/dev/pipes/E");
        ASSERT_STR(step->run.script_path, "/dev/pipes/E");
        ASSERT_STR(step->run.script, "#!/bin/x\n$a\n");
        ASSERT_STR(step->created_by, "RUN bash -c /dev/pipes/E # buildkit");
        ASSERT_STR(step->text, "RUN <<E (#!/bin/x...)");
}

TEST(steps_without_cache) {
        static const char text[] = "FROM scratch AS a\nRUN x\nFROM a AS b\nRUN y\n";
        _cleanup_(made_done) Made some =
                make(text, (PlanOptions){ .no_cache_filter = LIST("B", "stage-0") });
        _cleanup_(made_done) Made all = make(text, (PlanOptions){ .no_cache = true });

        ASSERT_MADE(some);
        ASSERT(!some.stages[0].steps[0].no_cache && some.stages[1].steps[0].no_cache);
        ASSERT_MADE(all);
        ASSERT(all.stages[0].steps[0].no_cache && all.stages[1].steps[0].no_cache);
}

/* ---- mounts ---- */

/* "KIND from source target env id flags sharing size uid:gid mode" of each mount, a line each. The
 * caller's. */
static char *mounts_text(Made *made) {
        static const char *const kinds[] = { "bind", "cache", "tmpfs", "secret", "ssh" };
        const RunStep *run = &step_of(made, STEP_RUN)->run;
        Buf text = {};

        for (size_t i = 0; i < run->mount_count; i++) {
                const RunMount *m = &run->mounts[i];
                _cleanup_free_ char *from = input_text(&m->from);

                buf_format(&text, "%s %s %s %s env=%s id=%s %s%s sharing=%d %lld %lld:%lld %llo\n",
                           kinds[m->kind], from, m->source ?: "-", m->target ?: "-", m->env ?: "-",
                           m->id ?: "-", m->readonly ? "ro" : "rw", m->required ? " required" : "",
                           (int)m->sharing, (long long)m->size, (long long)m->uid,
                           (long long)m->gid, (unsigned long long)m->mode);
        }
        return buf_take(&text);
}

#define ASSERT_MOUNT(mounts, expected)                                                             \
        do {                                                                                       \
                _cleanup_(made_done) Made made_ =                                                  \
                        make("FROM scratch AS lib\nFROM busybox\nARG v=val\nRUN " mounts " x\n",   \
                             (PlanOptions){});                                                     \
                ASSERT_MADE(made_);                                                                \
                _cleanup_free_ char *mounts_ = mounts_text(&made_);                                \
                ASSERT_STR(mounts_, expected);                                                     \
        } while (0)

#define ASSERT_NO_MOUNT(mount, expected)                                                           \
        ASSERT_ERROR("FROM scratch\nRUN --mount=" mount " x\n", "D:2:1: " expected)

TEST(bind_mounts) {
        ASSERT_MOUNT("--mount=target=/m", "bind context: / /m env=- id=- ro sharing=0 0 0:0 0\n");
        ASSERT_MOUNT("--mount=type=bind,from=Lib,src=a/../$v,dst=m/,rw",
                     "bind stage:0 /val /srv/m env=- id=- rw sharing=0 0 0:0 0\n");
        /* By name only: a number is an image. */
        ASSERT_MOUNT("--mount=FROM=0,destination=/$v,ro=false",
                     "bind image:0 / /val env=- id=- rw sharing=0 0 0:0 0\n");
        ASSERT_MOUNT("--mount=from=scratch,target=/a,readwrite=0",
                     "bind scratch / /a env=- id=- ro sharing=0 0 0:0 0\n");
        ASSERT_MOUNT("--mount='target=/a'", "bind context: / /a env=- id=- ro sharing=0 0 0:0 0\n");
        ASSERT_NO_MOUNT("type=bind", "invalid mount target \"/\"");
        ASSERT_NO_MOUNT("target=/a,mode=1", "mode not allowed for \"bind\" type mounts");
        ASSERT_NO_MOUNT("target=/a,sharing=locked", "invalid cache sharing set for bind mount");
        ASSERT_NO_MOUNT("target=/a,ro=maybe", "invalid value for ro: maybe");
        ASSERT_NO_MOUNT("target=/a,required", "unexpected key 'required' for mount type 'bind'");
        ASSERT_NO_MOUNT("target=/a,size=1", "unexpected key 'size' for mount type 'bind'");
}

TEST(cache_mounts) {
        ASSERT_MOUNT("--mount=type=cache,target=c/",
                     "cache scratch / /srv/c env=- id=c rw sharing=0 0 0:0 755\n");
        ASSERT_MOUNT("--mount=type=CACHE,target=/c,id=$v,sharing=LOCKED,from=lib,source=s,mode="
                     "0700,uid=1,gid=2,readonly",
                     "cache stage:0 /s /c env=- id=val ro sharing=2 0 1:2 700\n");
        ASSERT_MOUNT("--mount=type=cache,target=/c,sharing=private",
                     "cache scratch / /c env=- id=/c rw sharing=1 0 0:0 755\n");
        ASSERT_NO_MOUNT("type=cache,target=/c,sharing=lockd",
                        "unsupported sharing value \"lockd\" (did you mean locked?)");
        ASSERT_NO_MOUNT("type=cache,target=/c,mode=9", "invalid value 9 for mode");
        ASSERT_NO_MOUNT("type=cache,target=/c,uid=x", "invalid value x for uid");
        ASSERT_NO_MOUNT("type=cache,target=/c,gid=4294967296", "invalid value 4294967296 for gid");
}

TEST(other_mounts) {
        ASSERT_MOUNT("--mount=type=tmpfs,target=/t,size=1.5MiB",
                     "tmpfs scratch / /t env=- id=- rw sharing=0 1572864 0:0 0\n");
        ASSERT_MOUNT("--mount=type=secret,id=a/b",
                     "secret scratch - /run/secrets/b env=- id=a/b ro sharing=0 0 0:0 400\n");
        ASSERT_MOUNT("--mount=type=secret,target=d/s,required,mode=0440,uid=7",
                     "secret scratch - /d/s env=- id=s ro required sharing=0 0 7:0 440\n");
        ASSERT_MOUNT("--mount=type=secret,id=tok,env=TOKEN",
                     "secret scratch - - env=TOKEN id=tok ro sharing=0 0 0:0 400\n");
        ASSERT_MOUNT("--mount=type=secret,src=tok,env=,target=/x",
                     "secret scratch - /x env=tok id=tok ro sharing=0 0 0:0 400\n");
        ASSERT_MOUNT("--mount=type=ssh --mount=type=ssh,id=k,required=true,target=s",
                     "ssh scratch - /run/buildkit/ssh_agent.0 env=- id=default ro sharing=0 0 0:0 "
                     "600\nssh scratch - /s env=- id=k ro required sharing=0 0 0:0 600\n");
        ASSERT_NO_MOUNT("type=tmpfs,target=/t,size=x", "invalid value for size: x");
        ASSERT_NO_MOUNT("type=secret", "invalid secret mount. one of source, target required");
        ASSERT_NO_MOUNT("type=secret,id=a,src=b", "both source and id can't be set");
        ASSERT_NO_MOUNT("type=secret,id=a,from=b", "secret mount should not have a from");
        ASSERT_NO_MOUNT("type=secret,id=a,sharing=shared",
                        "secret mount should not define sharing");
        ASSERT_NO_MOUNT("type=ssh,src=a", "ssh does not support source");
}

TEST(mount_fields_as_they_are_written) {
        ASSERT_MOUNT("--mount=\\\"target=/a,b\\\",source=x",
                     "bind context: /x /a,b env=- id=- ro sharing=0 0 0:0 0\n");
        ASSERT_NO_MOUNT("\\\"target=/a", "failed to parse csv mounts: '\"' is not closed: "
                                         "\"target=/a");
        ASSERT_NO_MOUNT("a\\\"b", "failed to parse csv mounts: bare '\"' in a field that does not "
                                  "begin with one: a\"b");
        ASSERT_NO_MOUNT("type=bnd", "unsupported mount type \"bnd\" (did you mean bind?)");
        ASSERT_NO_MOUNT("tarjet=/a", "unexpected key 'tarjet' in 'tarjet=/a' (did you mean "
                                     "target?)");
        ASSERT_NO_MOUNT("target", "invalid field 'target' must be a key=value pair");
        ASSERT_NO_MOUNT("target=${x?unset}", "failed to process \"${x?unset}\": x: unset");
}

TEST(mounts_and_the_environment) {
        _cleanup_(made_done) Made made = make("FROM busybox\nRUN --mount=type=ssh,target=/agent "
                                              "--mount=type=secret,id=t,env=TOKEN echo $TOKEN\n",
                                              (PlanOptions){});

        ASSERT_MADE(made);
        ASSERT_LIST(step_of(&made, STEP_RUN)->run.env, "PATH=/bin,BASE=image,SSH_AUTH_SOCK=/agent");
        ASSERT_STR(step_of(&made, STEP_RUN)->text,
                   "RUN --mount=type=ssh,target=/agent --mount=type=secret,id=t,env=TOKEN echo "
                   "****");
        ASSERT_STR(step_of(&made, STEP_RUN)->created_by, "RUN /bin/sh -c echo $TOKEN # buildkit");
}

/* ---- COPY and ADD ---- */

static char *copy_text(const CopyStep *copy) {
        static const char *const kinds[] = { "files", "inline", "url", "git" };
        _cleanup_free_ char *from = input_text(&copy->from);
        Buf text = {};

        buf_format(&text, "%s", from);
        for (size_t i = 0; i < copy->source_count; i++)
                buf_format(&text, " %s:%s", kinds[copy->sources[i].kind], copy->sources[i].path);
        buf_format(&text, " %s", copy->dest);
        return buf_take(&text);
}

#define ASSERT_COPY(text, expected)                                                                \
        do {                                                                                       \
                _cleanup_(made_done) Made made_ =                                                  \
                        make("FROM scratch AS lib\nFROM busybox\nARG v=val\n" text "\n",           \
                             (PlanOptions){});                                                     \
                ASSERT_MADE(made_);                                                                \
                _cleanup_free_ char *copy_ = copy_text(&step_of(&made_, STEP_COPY)->copy);         \
                ASSERT_STR(copy_, expected);                                                       \
        } while (0)

TEST(copy_paths) {
        ASSERT_COPY("COPY a b", "context: files:a /srv/b");
        ASSERT_COPY("COPY /a/../../b* ./c// $v/ /d/", "context: files:b* files:c files:val /d/");
        ASSERT_COPY("COPY . .", "context: files:. /srv/");
        ASSERT_COPY("COPY x/. d/.", "context: files:x /srv/d/");
        ASSERT_COPY("COPY [\"a b\", \"$v\", \"/\"]", "context: files:a b files:val /");
        ASSERT_COPY("COPY --parents a/./b/../c ./x/y d/", "context: files:a/./c files:x/y "
                                                          "/srv/d/");
        ASSERT_COPY("COPY --parents /./a / ", "context: files:a /");
}

TEST(copy_from) {
        ASSERT_COPY("COPY --from=LIB a b", "stage:0 files:a /srv/b");
        ASSERT_COPY("COPY --from=0 a b", "stage:0 files:a /srv/b");
        ASSERT_COPY("COPY --from=debian:12 a b", "image:debian:12 files:a /srv/b");
        ASSERT_COPY("COPY --from=scratch a b", "scratch files:a /srv/b");
        ASSERT_COPY("COPY --from= a b", "context: files:a /srv/b");
        ASSERT_ERROR("FROM scratch\nCOPY --from=Debian a b\n",
                     "D:2:1: invalid from flag value Debian: invalid reference format: "
                     "repository name (library/Debian) must be lowercase");
}

TEST(copy_options) {
        _cleanup_(made_done) Made made =
                make("FROM busybox\nARG o=me m=u=rwX,go-w\nCOPY --chown=$o:2 --chmod=$m --link "
                     "--parents --exclude=*.o --exclude=$o a b\nADD --link=false --chmod=0755 "
                     "--unpack=false --keep-git-dir a b\n",
                     (PlanOptions){});
        _cleanup_free_ char *all = NULL, *shown = NULL;
        const CopyStep *copy;

        ASSERT_MADE(made);
        copy = &step_of(&made, STEP_COPY)->copy;
        ASSERT_STR(copy->chown, "me:2");
        ASSERT_STR(copy->chmod, "u=rwX,go-w");
        ASSERT_LIST(copy->excludes, "*.o,$o");
        ASSERT(copy->link && copy->parents && !copy->add && !copy->unpack);
        copy = &target(&made)->steps[2].copy;
        ASSERT(copy->add && !copy->link && copy->keep_git_dir);
        ASSERT(copy->unpack && !*copy->unpack);
        ASSERT_STR(copy->chown, NULL);
        all = history(&made);
        ASSERT_STR(all, "-ARG o=me m=u=rwX,go-w\n"
                        "COPY --parents --chown=me:2 --chmod=u=rwX,go-w a b # buildkit\n"
                        "ADD --chmod=0755 a b # buildkit\n");
        shown = texts(&made);
        ASSERT_STR(shown, "ARG o=me m=u=rwX,go-w\nCOPY --chown=me:2 --chmod=u=rwX,go-w --link "
                          "--parents --exclude=*.o --exclude=me a b\nADD --link=false "
                          "--chmod=0755 --unpack=false --keep-git-dir a b\n");
        ASSERT_ERROR("FROM scratch\nCOPY --chmod=9 a b\n",
                     "D:2:1: invalid chmod parameter: '9'. it should be octal string and between "
                     "0 and 07777, or symbolic, as u=rwX,go=rX");
        ASSERT_ERROR("FROM scratch\nCOPY --chmod=10000 a b\n",
                     "D:2:1: invalid chmod parameter: '10000'. it should be octal string and "
                     "between 0 and 07777, or symbolic, as u=rwX,go=rX");
        ASSERT_ERROR("FROM scratch\nCOPY --chmod=u+rz a b\n",
                     "D:2:1: invalid chmod parameter: 'u+rz'. it should be octal string and "
                     "between 0 and 07777, or symbolic, as u=rwX,go=rX");
}

TEST(copy_heredocs) {
        _cleanup_(made_done) Made made =
                make("FROM scratch\nENV v=1\nCOPY <<one x <<\"two\" /d/\n\"$v\" \\$v ${v:+'}\none\n"
                     "$v\ntwo\nADD <<-t /t\n\ta\n\tt\n",
                     (PlanOptions){});
        _cleanup_free_ char *all = NULL, *copy = NULL;
        const Step *steps;

        ASSERT_MADE(made);
        steps = target(&made)->steps;
        copy = copy_text(&steps[1].copy);
        ASSERT_STR(copy, "context: files:x inline:one inline:two /d/");
        ASSERT_STR(steps[1].copy.sources[1].content, "\"1\" $v '\n");
        ASSERT_STR(steps[1].copy.sources[2].content, "$v\n");
        ASSERT_STR(steps[2].copy.sources[0].content, "a\n");
        all = history(&made);
        ASSERT_STR(all, "-ENV v=1\nCOPY x <<one <<two /d/ # buildkit\nADD <<t /t # buildkit\n");
        /* Nothing but a heredoc needs no context. */
        ASSERT_INT(plan_stage(made.plan, 0)->input_count, 1);
        _cleanup_(made_done) Made inline_only =
                make("FROM scratch\nCOPY <<E /x\na\nE\n", (PlanOptions){});
        ASSERT_INT(plan_stage(inline_only.plan, 0)->input_count, 0);
        ASSERT_ERROR("FROM scratch\nCOPY <<E /x\n${v?no}\nE\n",
                     "D:2:1: failed to process \"${v?no}");
}

TEST(add_remote) {
        ASSERT_COPY("ADD https://x.org/$v.tar?a#b /d", "context: url:https://x.org/val.tar?a#b /d");
        ASSERT_COPY("ADD https://x.org/a.git#main:sub git@x.org:a/b.git ssh://g@x/r git://x/r /d/",
                    "context: git:https://x.org/a.git#main:sub git:git@x.org:a/b.git "
                    "git:ssh://g@x/r git:git://x/r /d/");
        /* Neither a scheme that is known nor a repository. */
        ASSERT_COPY("ADD ftp://x/y github.com/a/b.git ./g@h:x /d/",
                    "context: files:ftp:/x/y files:github.com/a/b.git files:g@h:x /d/");
        ASSERT_COPY("ADD --checksum=sha256:"
                    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef http://x/y /",
                    "context: url:http://x/y /");
        ASSERT_COPY("ADD --checksum=abc http://x/y.git /", "context: git:http://x/y.git /");
        ASSERT_COPY("ADD --keep-git-dir http://u:p@x/y.git?keep-git-dir=1&checksum=AB#$v /",
                    "context: git:http://u:p@x/y.git?keep-git-dir=1&checksum=AB#val /");
        ASSERT_ERROR("FROM scratch\nADD --checksum=abg http://x/y.git /\n",
                     "D:2:1: invalid checksum abg for Git URL, expected hex commit hash");
        ASSERT_ERROR("FROM scratch\nADD --checksum=abc http://x/y.git?commit=def#m /\n",
                     "D:2:1: checksum mismatch \"abc\" != \"def\"");
        ASSERT_ERROR("FROM scratch\nADD --keep-git-dir=false http://x/y.git?keep-git-dir /\n",
                     "D:2:1: inconsistent keep-git-dir configuration");
        ASSERT_ERROR("FROM scratch\nADD http://x/y.git#--upload-pack=z /\n",
                     "D:2:1: invalid git ref '--upload-pack=z': it begins with '-'");
        ASSERT_ERROR("FROM scratch\nADD --checksum=sha256:12 http://x/y /\n",
                     "D:2:1: invalid checksum digest format: \"sha256:12\": write sha256: and 64 "
                     "hexadecimal digits");
        ASSERT_ERROR("FROM scratch\nADD --checksum=a x /\n",
                     "D:2:1: checksum requires HTTP(S) or Git sources");
        ASSERT_ERROR("FROM scratch\nADD --checksum=a http://x/y http://x/z /\n",
                     "D:2:1: checksum can't be specified for multiple sources");
        ASSERT_ERROR("FROM scratch\nCOPY http://x/y /\n",
                     "D:2:1: source can't be a URL for COPY: use ADD");
        ASSERT_ERROR("FROM scratch\nCOPY http://x/y.git /\n",
                     "D:2:1: source can't be a git ref for COPY: use ADD");
}

TEST(what_a_step_is_for_where_that_is_another_platform) {
        static const char text[] = "FROM --platform=$BUILDPLATFORM busybox AS a\nRUN x\n"
                                   "ARG TARGETARCH\nRUN y\nFROM a\nRUN z\n";
        _cleanup_(made_done) Made cross =
                make(text, (PlanOptions){ .target_platform = "linux/arm/v7" });
        _cleanup_(made_done) Made whole =
                make("FROM --platform=linux/amd64 x\nARG TARGETPLATFORM\nRUN y\n",
                     (PlanOptions){ .target_platform = "windows/amd64" });
        _cleanup_(made_done) Made own =
                make(text, (PlanOptions){ .target_platform = "linux/amd64" });

        ASSERT_MADE(cross);
        ASSERT(!cross.stages[0].steps[0].target);
        ASSERT_STR(cross.stages[0].steps[2].target, "arm/v7");
        ASSERT_STR(cross.stages[1].steps[0].target, "arm/v7");
        ASSERT_MADE(whole);
        ASSERT_STR(whole.stages[0].steps[1].target, "windows/amd64");
        ASSERT_MADE(own);
        ASSERT(!own.stages[0].steps[2].target);
}

TEST_MAIN()
