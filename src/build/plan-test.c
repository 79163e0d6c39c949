/* plan-test.c: stages, arguments and the configuration of images. Steps are in plan-steps-test.c.
 */
#include "build/plan-test.h"

/* ---- stages ---- */

TEST(names_and_bases) {
        _cleanup_(made_done) Made made =
                make("FROM busybox AS One\nFROM one\nFROM scratch AS three\nFROM three\n",
                     (PlanOptions){});

        ASSERT_MADE(made);
        ASSERT_INT(plan_stage_count(made.plan), 4);
        ASSERT_INT(plan_target(made.plan), 3);
        ASSERT_STR(plan_stage(made.plan, 0)->name, "one");
        ASSERT_STR(plan_stage(made.plan, 1)->name, "stage-1");
        ASSERT_INPUT(&plan_stage(made.plan, 0)->base, "image:busybox");
        ASSERT_INPUT(&plan_stage(made.plan, 1)->base, "stage:0");
        ASSERT_INPUT(&plan_stage(made.plan, 2)->base, "scratch");
        ASSERT_INPUT(&plan_stage(made.plan, 3)->base, "stage:2");
        ASSERT_INT(plan_stage(made.plan, 3)->need_count, 1);
        ASSERT(!plan_stage(made.plan, 0)->reachable && !plan_stage(made.plan, 1)->reachable);
        ASSERT(plan_stage(made.plan, 2)->reachable && plan_stage(made.plan, 3)->reachable);
        ASSERT_INT(plan_stage(made.plan, 0)->input_count, 1);
        ASSERT_INT(plan_stage(made.plan, 3)->input_count, 0);
        ASSERT_INT(plan_stage(made.plan, 1)->at.line, 2);
}

TEST(the_last_stage_of_a_name) {
        _cleanup_(made_done) Made made = make(
                "FROM busybox AS a\nFROM a AS a\nFROM a\nCOPY --from=A x y\n", (PlanOptions){});

        ASSERT_MADE(made);
        ASSERT_INPUT(&plan_stage(made.plan, 1)->base, "stage:0");
        ASSERT_INPUT(&plan_stage(made.plan, 2)->base, "stage:1");
        ASSERT_INPUT(&step_of(&made, STEP_COPY)->copy.from, "stage:1");
}

TEST(targets) {
        static const char text[] = "FROM scratch AS a\nFROM scratch AS build\nFROM scratch\n";
        _cleanup_(made_done) Made named = make(text, (PlanOptions){ .target = "Build" });
        _cleanup_(made_done) Made numbered = make(text, (PlanOptions){ .target = "0" });

        ASSERT_MADE(named);
        ASSERT_INT(plan_target(named.plan), 1);
        ASSERT_MADE(numbered);
        ASSERT_INT(plan_target(numbered.plan), 0);
        ASSERT_ERROR(text, "target stage \"biuld\" could not be found (did you mean build?)",
                     .target = "biuld");
        ASSERT_ERROR(text, "target stage \"3\" could not be found (did you mean a?)",
                     .target = "3");
}

TEST(needs) {
        _cleanup_(made_done) Made made =
                make("FROM busybox AS a\nFROM busybox AS b\nFROM scratch AS unused\n"
                     "COPY --from=nowhere/x a b\nFROM a\nCOPY --from=b x y\nCOPY --from=1 x z\n"
                     "RUN --mount=from=alpine,target=/m --mount=from=b,target=/n x\n"
                     "COPY . .\nCOPY --from=alpine v w\n",
                     (PlanOptions){});

        ASSERT_MADE(made);
        const Stage *stage = plan_stage(made.plan, 3);
        ASSERT_INT(stage->need_count, 2);
        ASSERT_INT(stage->needs[0], 0);
        ASSERT_INT(stage->needs[1], 1);
        ASSERT_INT(stage->input_count, 2);
        ASSERT_INPUT(&stage->inputs[0], "image:alpine");
        ASSERT_STR(stage->inputs[0].platform, NULL);
        ASSERT_INPUT(&stage->inputs[1], "context:");
        ASSERT(!plan_stage(made.plan, 2)->reachable);
}

TEST(bad_stages) {
        ASSERT_ERROR("ARG a\n", "D: dockerfile contains no stages to build");
        ASSERT_ERROR("FROM $NONE\n", "D:1:1: base name ($NONE) should not be blank");
        ASSERT_ERROR("FROM Upper\n",
                     "D:1:1: failed to parse stage name \"Upper\": invalid reference format: "
                     "repository name (library/Upper) must be lowercase");
        ASSERT_ERROR("FROM ${a\n", "D:1:1: failed to process \"${a\": syntax error: missing '}'");
        ASSERT_ERROR("FROM scratch AS a\nCOPY --from=a x y\n",
                     "D:2:1: circular dependency detected on stage: a");
        ASSERT_ERROR("FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\n"
                     "RUN --mount=from=a,target=/x y\n",
                     "D:4:1: circular dependency detected on stage: a");
        ASSERT_ERROR("FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\n",
                     "D:2:1: cannot copy from stage \"b\", it needs to be defined before current "
                     "stage \"a\"",
                     .target = "a");
        ASSERT_ERROR("FROM scratch\nCOPY --from=3 a b\n",
                     "D:2:1: invalid from flag value 3: invalid stage index 3");
        ASSERT_ERROR("FROM scratch\nCOPY --from=-1 a b\n",
                     "D:2:1: invalid from flag value -1: invalid stage index -1");
        ASSERT_ERROR("ARG s=a\nFROM scratch\nCOPY --from=$s a b\n",
                     "D:3:1: invalid from flag value $s: variable expansion is not supported for "
                     "--from, define a new stage with FROM using ARG from global scope as a "
                     "workaround");
        ASSERT_ERROR("FROM scratch\nRUN --mount=from=$s,target=/a b\n",
                     "D:2:1: 'from' doesn't support variable expansion, define alias stage "
                     "instead");
        ASSERT_ERROR("RUN x\n",
                     "D:1:1: dockerfile parse error on line 1: no build stage in current context: "
                     "only ARG may stand before the first FROM");
}

TEST(contexts) {
        _cleanup_(made_done) Made made =
                make("FROM busybox AS src\nRUN x\nFROM src\nFROM docker.io/library/alpine:latest\n"
                     "COPY --from=src a b\nCOPY --from=files a b\nCOPY --from=busybox a b\n",
                     (PlanOptions){ .contexts = LIST("src", "alpine", "files") });
        const Step *steps;

        ASSERT_MADE(made);
        ASSERT_INPUT(&plan_stage(made.plan, 0)->base, "context:src");
        ASSERT(!plan_stage(made.plan, 0)->reachable);
        ASSERT_INPUT(&plan_stage(made.plan, 1)->base, "stage:0");
        ASSERT_INPUT(&plan_stage(made.plan, 2)->base, "context:alpine");
        /* A directory: of an image the configuration would be known. */
        steps = made.stages[2].steps;
        ASSERT_STR(steps[0].text, "COPY --from=alpine . /");
        ASSERT_INPUT(&steps[0].copy.from, "context:alpine");
        ASSERT_INPUT(&steps[1].copy.from, "context:src");
        ASSERT_STR(steps[1].copy.from.platform, "linux/amd64");
        ASSERT_INPUT(&steps[2].copy.from, "context:files");
        ASSERT_INPUT(&steps[3].copy.from, "image:busybox");
}

/* ---- platforms and arguments ---- */

TEST(platforms) {
        _cleanup_(made_done) Made made =
                make("FROM --platform=$BUILDPLATFORM busybox AS a\nFROM --platform=linux/x86_64 "
                     "scratch AS s\nFROM a\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT "
                     "BUILDPLATFORM BUILDOS BUILDARCH BUILDVARIANT TARGETSTAGE\n",
                     (PlanOptions){ .target_platform = "linux/arm" });
        _cleanup_free_ char *text = NULL;

        ASSERT_MADE(made);
        ASSERT_STR(plan_stage(made.plan, 0)->platform, "linux/amd64");
        ASSERT_STR(plan_stage(made.plan, 1)->platform, "linux/arm/v7");
        ASSERT_STR(plan_stage(made.plan, 2)->platform, "linux/amd64");
        ASSERT_STR(plan_stage(made.plan, 0)->inputs[0].platform, "linux/amd64");
        text = history(&made);
        ASSERT_STR(text, "-ARG TARGETPLATFORM=linux/arm/v7 TARGETOS=linux TARGETARCH=arm "
                         "TARGETVARIANT=v7 BUILDPLATFORM=linux/amd64 BUILDOS=linux "
                         "BUILDARCH=amd64 BUILDVARIANT= TARGETSTAGE=default\n");
        ASSERT_STR(target(&made)->config.architecture, "arm");
        ASSERT_STR(target(&made)->config.variant, "v7");
        ASSERT_HISTORY("FROM scratch AS Last\nARG TARGETSTAGE TARGETARCH\n",
                       "-ARG TARGETSTAGE=last TARGETARCH=own\n", .args = LIST("TARGETARCH=own"));
        ASSERT_ERROR("FROM --platform=$NO a\n", "D:1:1: empty platform value from expression $NO");
        ASSERT_ERROR("FROM --platform=foo a\n",
                     "D:1:1: failed to parse platform foo: \"foo\" is no platform: write "
                     "os/architecture[/variant], as linux/arm64");
        ASSERT_ERROR("FROM a\n",
                     "\"a/b/c/d\" is no platform: write os/architecture[/variant], as linux/arm64",
                     .target_platform = "a/b/c/d");
}

TEST(image_keeps_its_platform_unless_one_is_asked_for) {
        _cleanup_(made_done) Made implicit = make("FROM busybox\n", (PlanOptions){});
        _cleanup_(made_done) Made scratch = make("FROM scratch\n", (PlanOptions){});

        ASSERT_MADE(implicit);
        ASSERT_STR(target(&implicit)->config.architecture, "arm64");
        ASSERT_MADE(scratch);
        ASSERT_STR(target(&scratch)->config.architecture, "amd64");
        ASSERT_STR(target(&scratch)->config.variant, NULL);
        ASSERT_STR(target(&scratch)->config.os, "linux");
        ASSERT_STR(target(&scratch)->config.config.working_dir, "/");
        ASSERT_STR(target(&scratch)->config.rootfs.type, "layers");
        ASSERT_LIST(target(&scratch)->config.config.env,
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

TEST(arguments) {
        ASSERT_HISTORY("ARG v=1 w=$v\nFROM scratch\nARG v\nARG w=own\nARG x\nRUN a\n",
                       "-ARG v=1\n-ARG w=own\n-ARG x\n"
                       "RUN |3 v=1 w=own x= /bin/sh -c a # buildkit\n");
        ASSERT_HISTORY("ARG v=1\nFROM scratch\nARG v=2 y=$v\nRUN a\n",
                       "-ARG v=given y=given\nRUN |2 v=given y=given /bin/sh -c a # buildkit\n",
                       .args = LIST("v=first", "v=given", "other"));
        /* A stage does not see what stands before the first FROM unless it asks. */
        ASSERT_HISTORY("ARG v=1\nFROM scratch\nENV e=x$v\n", "-ENV e=x\n");
        /* Stages take over what their base declared. */
        ASSERT_HISTORY("FROM scratch AS a\nARG v=1\nENV e=2\nFROM a\nRUN $v\n",
                       "RUN |1 v=1 /bin/sh -c $v # buildkit\n");
        ASSERT_ERROR("FROM scratch\nARG v=${x?none}\n",
                     "D:2:1: failed to process \"${x?none}\": x: none");
        ASSERT_HISTORY("FROM scratch\nARG v=${x?none}\n", "-ARG v=1\n", .args = LIST("v=1"));
        ASSERT_ERROR("ARG v=${x?none}\nFROM scratch\n",
                     "D:1:1: failed to process \"${x?none}\": x: none");
}

TEST(argument_in_from) {
        static const char text[] = "ARG tag=1\nFROM busybox:$tag AS a\nFROM ${base:-a}\n";
        _cleanup_(made_done) Made made = make(text, (PlanOptions){});
        _cleanup_(made_done) Made given =
                make(text, (PlanOptions){ .args = LIST("tag=2", "base=x") });

        ASSERT_MADE(made);
        ASSERT_INPUT(&plan_stage(made.plan, 0)->base, "image:busybox:1");
        ASSERT_INPUT(&plan_stage(made.plan, 1)->base, "stage:0");
        ASSERT_MADE(given);
        ASSERT_INPUT(&plan_stage(given.plan, 0)->base, "image:busybox:2");
        /* base was not declared. */
        ASSERT_INPUT(&plan_stage(given.plan, 1)->base, "stage:0");
        _cleanup_strv_ char **unused = plan_unused_args(given.plan);
        ASSERT_LIST(unused, "base");
}

TEST(proxies) {
        _cleanup_(made_done) Made made =
                make("FROM scratch\nENV no_proxy=mine\nARG FTP_PROXY\nRUN $http_proxy\n",
                     (PlanOptions){ .args = LIST("http_proxy=h", "NO_PROXY=n", "FTP_PROXY=f",
                                                 "https_proxy=", "typo=1") });
        _cleanup_free_ char *text = NULL;
        const RunStep *run;

        ASSERT_MADE(made);
        run = &step_of(&made, STEP_RUN)->run;
        ASSERT_LIST(run->env,
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin,"
                    "no_proxy=mine,FTP_PROXY=f,HTTP_PROXY=h,http_proxy=h,ftp_proxy=f,NO_PROXY=n");
        ASSERT_LIST(run->volatile_env, "HTTP_PROXY,http_proxy,ftp_proxy,NO_PROXY");
        text = history(&made);
        ASSERT_STR(text, "-ENV no_proxy=mine\n-ARG FTP_PROXY=f\n"
                         "RUN |1 FTP_PROXY=f /bin/sh -c $http_proxy # buildkit\n");
        _cleanup_strv_ char **unused = plan_unused_args(made.plan);
        ASSERT_LIST(unused, "typo");
}

TEST(environment_and_arguments_of_one_name) {
        /* What comes later wins, as with BuildKit. */
        ASSERT_TEXTS("FROM scratch\nARG v=arg\nENV v=env\nRUN $v\n",
                     "ARG v=arg\nENV v=env\nRUN env\n");
        ASSERT_TEXTS("FROM scratch\nENV v=env\nARG v=arg\nRUN $v\n",
                     "ENV v=env\nARG v=arg\nRUN arg\n");
        /* An image's environment is put again where a stage begins. */
        ASSERT_TEXTS("FROM scratch AS a\nENV v=env\nARG v=arg\nFROM a\nRUN $v\n", "RUN env\n");
        ASSERT_HISTORY("FROM scratch\nENV v=env\nARG v=arg\nENV w=$v\n",
                       "-ENV v=env\n-ARG v=arg\n-ENV w=arg\n");
}

TEST(epoch) {
        _cleanup_(made_done) Made option =
                make("FROM scratch\n", (PlanOptions){ .source_date_epoch = 5 });
        _cleanup_(made_done) Made given =
                make("ARG SOURCE_DATE_EPOCH=6\nFROM scratch\n",
                     (PlanOptions){ .source_date_epoch = 5, .args = LIST("SOURCE_DATE_EPOCH=7") });
        _cleanup_(made_done) Made written =
                make("ARG SOURCE_DATE_EPOCH=6\nFROM scratch\n", (PlanOptions){});
        _cleanup_(made_done) Made none = make("FROM scratch\nARG SOURCE_DATE_EPOCH\n",
                                              (PlanOptions){ .args = LIST("SOURCE_DATE_EPOCH=") });

        ASSERT_INT(plan_source_date_epoch(option.plan), 5);
        ASSERT_INT(plan_source_date_epoch(given.plan), 7);
        ASSERT_INT(plan_source_date_epoch(written.plan), 6);
        ASSERT_INT(plan_source_date_epoch(none.plan), -1);
        ASSERT_ERROR("FROM scratch\n",
                     "invalid SOURCE_DATE_EPOCH: soon: give the seconds since 1970",
                     .args = LIST("SOURCE_DATE_EPOCH=soon"));
}

/* ---- the configuration ---- */

TEST(env_and_label) {
        _cleanup_(made_done) Made made =
                make("FROM busybox\nENV a=1\nENV a=b c=$a d='x y'\nENV old value $a\nLABEL l=$a "
                     "\"two words\"='$a'\nLABEL l=last\n",
                     (PlanOptions){ .labels = LIST("given=g") });
        _cleanup_free_ char *text = NULL;

        ASSERT_MADE(made);
        ASSERT_LIST(target(&made)->config.config.env,
                    "PATH=/bin,BASE=image,a=b,c=1,d=x y,old=value b");
        ASSERT_STR(pairs_get(&target(&made)->config.config.labels, "l"), "last");
        ASSERT_STR(pairs_get(&target(&made)->config.config.labels, "two words"), "$a");
        ASSERT_STR(pairs_get(&target(&made)->config.config.labels, "given"), "g");
        text = history(&made);
        ASSERT_STR(text, "-ENV a=1\n-ENV a=b c=1 d=x y\n-ENV old=value b\n"
                         "-LABEL l=b two words=$a\n-LABEL l=last\n");
        ASSERT_INT(target(&made)->base_history, 1);
        ASSERT_ERROR("FROM scratch\nENV $none=1\n", "D:2:1: ENV names can not be blank");
        ASSERT_ERROR("FROM scratch\nLABEL a=${b:?}\n",
                     "D:2:1: failed to process \"${b:?}\": b: is not allowed to be unset");
}

TEST(workdir_and_user) {
        _cleanup_(made_done) Made made =
                make("FROM busybox\nRUN a\nWORKDIR x\nWORKDIR ../y/$BASE/.\nUSER $BASE:2\nRUN b\n"
                     "WORKDIR /\n",
                     (PlanOptions){});
        _cleanup_free_ char *text = NULL;
        const Step *steps;

        ASSERT_MADE(made);
        steps = target(&made)->steps;
        ASSERT_STR(steps[0].cwd, "/srv");
        ASSERT_STR(steps[0].user, "basis");
        ASSERT_INT(steps[1].kind, STEP_WORKDIR);
        ASSERT_STR(steps[1].workdir, "/srv/x");
        ASSERT_STR(steps[2].workdir, "/srv/y/image");
        ASSERT_STR(steps[4].cwd, "/srv/y/image");
        ASSERT_STR(steps[4].user, "image:2");
        ASSERT_INT(steps[5].kind, STEP_META);
        ASSERT_STR(target(&made)->config.config.working_dir, "/");
        ASSERT_STR(target(&made)->config.config.user, "image:2");
        text = history(&made);
        ASSERT_STR(text, "RUN /bin/sh -c a # buildkit\nWORKDIR /srv/x\nWORKDIR /srv/y/image\n"
                         "-USER image:2\nRUN /bin/sh -c b # buildkit\n-WORKDIR /\n");
}

TEST(commands) {
        _cleanup_(made_done) Made made =
                make("FROM busybox\nENTRYPOINT [\"a\", \"b \\\"\\n\"]\n", (PlanOptions){});
        _cleanup_(made_done) Made kept =
                make("FROM busybox\nCMD own $x\nENTRYPOINT e\n", (PlanOptions){});
        _cleanup_free_ char *text = NULL;

        ASSERT_MADE(made);
        ASSERT_LIST(target(&made)->config.config.cmd, "(none)");
        ASSERT_LIST(target(&made)->config.config.entrypoint, "a,b \"\n");
        text = history(&made);
        ASSERT_STR(text, "-ENTRYPOINT [\"a\" \"b \\\"\\n\"]\n");
        ASSERT_MADE(kept);
        ASSERT_LIST(target(&kept)->config.config.cmd, "/bin/sh,-c,own $x");
        ASSERT_LIST(target(&kept)->config.config.entrypoint, "/bin/sh,-c,e");
        ASSERT(target(&kept)->config.config.args_escaped);
        ASSERT_HISTORY("FROM scratch\nCMD [\"sh\"]\nCMD []\n", "-CMD [\"sh\"]\n-CMD []\n");
        ASSERT_HISTORY("FROM scratch\nSHELL [\"bash\", \"-ec\"]\nRUN a\nCMD b\n",
                       "-SHELL [bash -ec]\nRUN bash -ec a # buildkit\n"
                       "-CMD [\"bash\" \"-ec\" \"b\"]\n");
}

TEST(ports_and_volumes) {
        _cleanup_(made_done) Made made =
                make("FROM scratch\nARG p=9000-9002\nEXPOSE 8080/UDP 80 $p\nEXPOSE 80 1:2/sctp\n"
                     "VOLUME /a $p\nVOLUME [\"/a\", \"/b c\"]\nSTOPSIGNAL ${s:-SIGTERM}\n",
                     (PlanOptions){});
        _cleanup_free_ char *text = NULL;

        ASSERT_MADE(made);
        ASSERT_LIST(target(&made)->config.config.exposed_ports,
                    "9000/tcp,9001/tcp,9002/tcp,80/tcp,8080/udp,2/sctp");
        ASSERT_LIST(target(&made)->config.config.volumes, "/a,9000-9002,/b c");
        ASSERT_STR(target(&made)->config.config.stop_signal, "SIGTERM");
        text = history(&made);
        ASSERT_STR(text, "-ARG p=9000-9002\n-EXPOSE [9000/tcp 9001/tcp 9002/tcp 80/tcp 8080/udp]\n"
                         "-EXPOSE [2/sctp 80/tcp]\n-VOLUME [/a 9000-9002]\n-VOLUME [/a /b c]\n"
                         "-STOPSIGNAL SIGTERM\n");
        ASSERT_ERROR("FROM scratch\nARG p=x\nEXPOSE $p\n", "D:3:1: invalid containerPort: x");
        ASSERT_ERROR("FROM scratch\nVOLUME $p\n",
                     "D:2:1: VOLUME specified can not be an empty string");
        ASSERT_ERROR("FROM scratch\nSTOPSIGNAL SIGNOT\n",
                     "D:2:1: invalid signal: SIGNOT: give a number or a name, as SIGTERM");
        ASSERT_HISTORY("FROM scratch\nSTOPSIGNAL rtmin+3\nSTOPSIGNAL 9\nSTOPSIGNAL RTMAX-1\n",
                       "-STOPSIGNAL rtmin+3\n-STOPSIGNAL 9\n-STOPSIGNAL RTMAX-1\n");
        ASSERT_ERROR("FROM scratch\nSTOPSIGNAL 65\n",
                     "D:2:1: invalid signal: 65: give a number or a name, as SIGTERM");
}

TEST(health) {
        _cleanup_(made_done) Made made =
                make("FROM scratch\nHEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=2ms "
                     "--start-interval=1h --retries=3 CMD curl $x\n",
                     (PlanOptions){});
        _cleanup_free_ char *text = NULL;
        const HealthConfig *health;

        ASSERT_MADE(made);
        health = target(&made)->config.config.health;
        ASSERT_LIST(health->test, "CMD-SHELL,curl $x");
        ASSERT_INT(health->interval, 90000000000);
        ASSERT_INT(health->timeout, 1500000000);
        ASSERT_INT(health->start_period, 2000000);
        ASSERT_INT(health->start_interval, 3600000000000);
        ASSERT_INT(health->retries, 3);
        text = history(&made);
        ASSERT_STR(text, "-HEALTHCHECK {Test:[CMD-SHELL curl $x] Interval:1m30s Timeout:1.5s "
                         "StartPeriod:2ms StartInterval:1h0m0s Retries:3}\n");
        ASSERT_HISTORY("FROM scratch\nHEALTHCHECK CMD [\"a\", \"b\"]\nHEALTHCHECK none\n",
                       "-HEALTHCHECK {Test:[CMD a b] Interval:0s Timeout:0s StartPeriod:0s "
                       "StartInterval:0s Retries:0}\n"
                       "-HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s "
                       "StartInterval:0s Retries:0}\n");
}

TEST(maintainer) {
        _cleanup_(made_done) Made made = make("FROM scratch\nMAINTAINER me $x\n", (PlanOptions){});

        ASSERT_MADE(made);
        ASSERT_STR(target(&made)->config.author, "me $x");
        ASSERT_HISTORY("FROM scratch\nMAINTAINER me $x\n", "-MAINTAINER me $x\n");
}

/* ---- ONBUILD ---- */

TEST(onbuild_is_kept_for_the_next_stage) {
        _cleanup_(made_done) Made made =
                make("FROM busybox AS lib\nFROM busybox AS a\nONBUILD RUN make $v\n"
                     "ONBUILD COPY --from=lib x /y\nONBUILD COPY <<E /z\nin $BASE\nE\n"
                     "FROM a AS b\nRUN own\nFROM b\n",
                     (PlanOptions){});

        ASSERT_MADE(made);
        ASSERT_INT(made.stages[1].step_count, 0);
        ASSERT_INT(made.stages[1].config.history.count, 1);
        ASSERT_LIST(made.stages[1].config.config.on_build,
                    "RUN make $v,COPY --from=lib x /y,COPY <<E /z\nin $BASE\nE");
        ASSERT_INT(plan_stage(made.plan, 2)->need_count, 2);
        ASSERT(plan_stage(made.plan, 0)->reachable);
        ASSERT_INT(made.stages[2].step_count, 4);
        ASSERT_STR(made.stages[2].steps[0].text, "ONBUILD RUN make $v");
        ASSERT_STR(made.stages[2].steps[0].created_by, "RUN /bin/sh -c make $v # buildkit");
        ASSERT_INT(made.stages[2].steps[0].at.line, 8);
        ASSERT_INPUT(&made.stages[2].steps[1].copy.from, "stage:0");
        ASSERT_STR(made.stages[2].steps[2].copy.sources[0].content, "in image\n");
        ASSERT_STR(made.stages[2].steps[3].text, "RUN own");
        /* Once. */
        ASSERT_LIST(made.stages[2].config.config.on_build, "(none)");
        ASSERT_INT(made.stages[3].step_count, 0);
}

TEST(onbuild_of_an_image) {
        test_triggers = LIST("copy --from=a x y", "CMD [\"triggered\"]", "COPY --from=debian q r");
        _cleanup_(made_done) Made made =
                make("FROM scratch AS a\nFROM busybox\nENTRYPOINT e\n", (PlanOptions){});
        test_triggers = LIST("RUN a\nRUN b");
        ASSERT_ERROR("FROM busybox\n", "D:1:1: ONBUILD trigger \"RUN a");
        test_triggers = LIST("FROM a");
        ASSERT_ERROR("FROM busybox\n",
                     "D:1:1: ONBUILD trigger \"FROM a\" of the base: ONBUILD:1:1: dockerfile parse "
                     "error on line 1: FROM isn't allowed as an ONBUILD trigger");
        test_triggers = LIST("COPY --from=9 a b");
        ASSERT_ERROR("FROM busybox\n", "D:1:1: invalid from flag value 9: invalid stage index 9");
        test_triggers = NULL;
        ASSERT_MADE(made);
        /* What only the image knows is added to the stage's needs. */
        ASSERT_INT(plan_stage(made.plan, 1)->need_count, 1);
        ASSERT_INT(plan_stage(made.plan, 1)->needs[0], 0);
        ASSERT_INPUT(&plan_stage(made.plan, 1)->inputs[1], "image:debian");
        ASSERT_STR(target(&made)->steps[0].text, "ONBUILD COPY --from=a x y");
        ASSERT_LIST(target(&made)->config.config.cmd, "triggered");
}

TEST(a_stage_is_not_endless) {
        _cleanup_buf_ Buf text = {};

        buf_add_str(&text, "FROM scratch\nENV a=0123456789abcdef\n");
        for (size_t i = 0; i < 17; i++)
                buf_add_str(&text, "ENV a=$a$a\n");
        for (size_t i = 0; i < 20; i++)
                buf_add_str(&text, "LABEL l=$a\n");
        ASSERT_ERROR(text.data,
                     "D:25:1: the stage \"stage-0\" comes to more than 64 MiB of text: shorten the "
                     "values that its instructions repeat");
}

TEST(chains_of_stages_are_not_endless) {
        _cleanup_buf_ Buf text = {};

        buf_add_str(&text, "FROM scratch AS s0\nENV a=0123456789abcdef\n");
        for (size_t i = 0; i < 18; i++)
                buf_add_str(&text, "ENV a=$a$a\n");
        for (size_t i = 1; i < 7; i++)
                buf_format(&text, "FROM s%zu AS s%zu\n", i - 1, i);
        ASSERT_ERROR(text.data,
                     "D:24:1: the stages up to \"s4\" take more than 64 MiB of variables, labels "
                     "and history over from their bases: build fewer stages upon each other");
}

TEST_MAIN()
