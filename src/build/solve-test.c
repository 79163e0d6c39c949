/* solve-test.c: what is run and what is found, and why. */
#include "base/clock.h"
#include "build/test-solve.h"

/* ---- found ---- */

static const char two_stages[] =
        "FROM busybox AS never\nRUN write no no\n"
        "FROM busybox AS maker\nCOPY file /\nRUN write made same\n"
        "FROM busybox\nENV a=b\nCOPY --from=maker made /\nRUN write end x\n";
#define TWO_STAGES_RAN "COPY --from=maker made /,COPY file /,RUN write end x,RUN write made same"

TEST(second_time_all_is_cached) {
        _cleanup_fake_ Fake fake = fake_open();

        put_text(fake.context_fd, "file", "one");
        ASSERT_BUILD(&fake, two_stages, TWO_STAGES_RAN, );
        ASSERT_BUILD(&fake, two_stages, "", );
        reopen(&fake.cache);
        ASSERT_BUILD(&fake, two_stages, "", );
        ASSERT_INT(count_in(&fake.cache, "layers"), 4);
}

TEST(the_result_has_its_layers_and_they_stay) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(
                &fake, "FROM busybox AS a\nRUN write x 1\nFROM a\nENV a=b\nRUN write y 2\n", );

        (void)build_main(&built);
        ASSERT_BUILT(&built);
        ASSERT_INT(strv_length(built.results[0].layers), 3);
        ASSERT_INT(prune(&fake.cache, (CachePrune){ .all = true }, NULL), 0);
        ASSERT(exists(&fake.cache, "layers", built.results[0].layers[2]));
        ASSERT_STR(built.results[0].config.config.env[0],
                   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        ASSERT_INT(built.results[0].config.history.count, 3);
        ASSERT(built.results[0].config.created > 0);
        solve_result_done(&built.results[0]);
        (void)prune(&fake.cache, (CachePrune){ .all = true }, NULL);
        ASSERT_INT(count_in(&fake.cache, "layers"), 0);
}

TEST(a_changed_file_runs_what_reads_it_and_says_so) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, two_stages, );
        _cleanup_free_ char *why = NULL;

        put_text(fake.context_fd, "file", "one");
        ASSERT_BUILD(&fake, two_stages, TWO_STAGES_RAN, );
        put_text(fake.context_fd, "file", "two!");
        (void)build_main(&built);
        ASSERT_BUILT(&built);
        /* What the stage gives is the same: what follows is found by its content. */
        ASSERT_RAN(&fake, "COPY file /,RUN write made same");
        why = strv_join(built.why, ",");
        ASSERT_STR(why,
                   "COPY file /: file file changed,RUN write made same: the step before it ran");
}

TEST(another_network_is_told_as_that) {
        static const char text[] = "FROM busybox\nRUN write x 1\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, text, .network = "host",
                                            .grants[ENTITLEMENT_HOST_NETWORK].granted = true);

        ASSERT_BUILD(&fake, text, "RUN write x 1", .network = "none");
        (void)build_main(&built);
        ASSERT_BUILT(&built);
        ASSERT_RAN(&fake, "RUN write x 1");
        ASSERT_STR(built.why[0], "RUN write x 1: the network changed");
}

TEST(an_insecure_step_is_another_than_a_sandboxed_one) {
        static const char sandboxed[] = "FROM busybox\nRUN write x 1\n";
        static const char insecure[] = "FROM busybox\nRUN --security=insecure write x 1\n";
        const PlanGrant granted = { .granted = true };
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built more =
                BUILD(&fake, insecure, .grants[ENTITLEMENT_INSECURE] = granted);
        _cleanup_built_ Built less = BUILD(&fake, sandboxed, );

        ASSERT_BUILD(&fake, sandboxed, "RUN write x 1", );
        (void)build_main(&more);
        ASSERT_BUILT(&more);
        ASSERT_RAN(&fake, "RUN --security=insecure write x 1");
        ASSERT_STR(more.why[0], "RUN --security=insecure write x 1: it runs with "
                                "--security=insecure now");
        ASSERT_BUILD(&fake, insecure, "", .grants[ENTITLEMENT_INSECURE] = granted);
        ASSERT_BUILD(&fake, sandboxed, "", );
        ASSERT_BUILD(&fake, "FROM busybox\nRUN --security=sandbox write x 1\n", "", );
        ASSERT_BUILD(&fake, insecure, "", .grants[ENTITLEMENT_INSECURE] = granted);
        forget(&fake, "RUN write");
        (void)build_main(&less);
        ASSERT_BUILT(&less);
        ASSERT_RAN(&fake, "RUN write x 1");
        ASSERT_STR(less.why[0], "RUN write x 1: it runs without --security=insecure now");
}

TEST(a_repository_is_found_by_its_commit) {
        static const char https[] = "FROM scratch\nADD https://u:p@h/r.git#main /d\n";
        static const char ssh[] = "FROM scratch\nADD git@h:r.git?branch=main /d\n";
        static const char kept[] = "FROM scratch\nADD --keep-git-dir git@h:r.git#main /d\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built moved = BUILD(&fake, https, );

        fake.commit = "one";
        ASSERT_BUILD(&fake, https, "ADD https://u:p@h/r.git#main /d", );
        ASSERT_BUILD(&fake, https, "", );
        ASSERT_BUILD(&fake, ssh, "", );
        ASSERT_BUILD(&fake, kept, "ADD --keep-git-dir git@h:r.git#main /d", );
        ASSERT_BUILD(&fake, https, "", );
        forget(&fake, "ADD");
        ASSERT_BUILD(&fake, https, "ADD https://u:p@h/r.git#main /d", );
        fake.commit = "two";
        (void)build_main(&moved);
        ASSERT_BUILT(&moved);
        ASSERT_STR(moved.why[0], "ADD https://u:p@h/r.git#main /d: https://h/r.git#main points at "
                                 "another commit");
        ASSERT_RAN(&fake, "ADD https://u:p@h/r.git#main /d");
}

TEST(another_user_of_a_repository_is_told_as_that) {
        static const char text[] = "FROM scratch\nADD https://h/r.git#main /d\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built other = BUILD(&fake, text, );

        fake.commit = "one";
        fake.git_user = " of h for a";
        ASSERT_BUILD(&fake, text, "ADD https://h/r.git#main /d", );
        fake.git_user = " of h for b";
        (void)build_main(&other);
        ASSERT_BUILT(&other);
        ASSERT_STR(other.why[0], "ADD https://h/r.git#main /d: https://h/r.git#main was fetched "
                                 "for another user");
        ASSERT_RAN(&fake, "ADD https://h/r.git#main /d");
}

TEST(a_stage_that_gives_something_else_runs_what_reads_it) {
        static const char one[] = "FROM busybox AS a\nRUN write x 1\nFROM busybox\nCOPY --from=a x "
                                  "/\nRUN write y 1\n";
        static const char two[] = "FROM busybox AS a\nRUN write x 2\nFROM busybox\nCOPY --from=a x "
                                  "/\nRUN write y 1\n";
        _cleanup_fake_ Fake fake = fake_open();

        ASSERT_BUILD(&fake, one, "COPY --from=a x /,RUN write x 1,RUN write y 1", );
        ASSERT_BUILD(&fake, two, "COPY --from=a x /,RUN write x 2,RUN write y 1", );
        ASSERT_BUILD(&fake, one, "", );
}

TEST(what_is_copied_out_of_a_stage_that_ran_again_is_found_by_its_content) {
        static const char text[] = "FROM other AS a\nCOPY file /\nFROM busybox\nCOPY --from=a "
                                   "file /\nRUN write y 1\n";
        _cleanup_fake_ Fake fake = fake_open();

        put_text(fake.context_fd, "file", "one");
        ASSERT_BUILD(&fake, text, "COPY --from=a file /,COPY file /,RUN write y 1", );
        forget(&fake, "COPY file");
        ASSERT_INT(count_in(&fake.cache, "layers"), 2);
        ASSERT_BUILD(&fake, text, "COPY file /", );
        ASSERT_BUILD(&fake, text, "", );
}

TEST(another_file_of_the_same_stage_is_another_copy) {
        static const char one[] = "FROM busybox AS a\nRUN write x 1\nRUN write y 2\nFROM busybox\n"
                                  "COPY --from=a x /\n";
        static const char two[] = "FROM busybox AS a\nRUN write x 1\nRUN write y 2\nFROM busybox\n"
                                  "COPY --from=a y /\n";
        _cleanup_fake_ Fake fake = fake_open();

        ASSERT_BUILD(&fake, one, "COPY --from=a x /,RUN write x 1,RUN write y 2", );
        ASSERT_BUILD(&fake, two, "COPY --from=a y /", );
        ASSERT_BUILD(&fake, one, "", );
        ASSERT_BUILD(&fake, two, "", );
}

/* A layer was made upon what its step saw: upon another result of the same step it would mix two.
 */
TEST(what_stands_upon_a_step_that_ran_again_runs_again) {
        static const char text[] = "FROM busybox\nRUN unique x\nRUN write y 1\n";
        static const char copied[] = "FROM busybox\nCOPY file /\nRUN write z 1\n";
        _cleanup_fake_ Fake fake = fake_open();

        put_text(fake.context_fd, "file", "one");
        ASSERT_BUILD(&fake, copied, "COPY file /,RUN write z 1", );
        forget(&fake, "COPY file");
        ASSERT_BUILD(&fake, copied, "COPY file /,RUN write z 1", );

        ASSERT_BUILD(&fake, text, "RUN unique x,RUN write y 1", );
        forget(&fake, "RUN unique");
        ASSERT_BUILD(&fake, text, "RUN unique x,RUN write y 1", );
        ASSERT_BUILD(&fake, text, "", );
}

/* Its layer stands upon nothing, and what comes after it upon both. */
TEST(a_linked_copy_fits_upon_any_base) {
        static const char one[] = "FROM busybox\nCOPY --link file /\nRUN write y 1\n";
        static const char two[] = "FROM other\nCOPY --link file /\nRUN write y 1\n";
        static const char three[] =
                "FROM busybox\nRUN write x 1\nCOPY --link file /\nRUN write y 1\n";
        _cleanup_fake_ Fake fake = fake_open();

        put_text(fake.context_fd, "file", "one");
        ASSERT_BUILD(&fake, one, "COPY --link file /,RUN write y 1", );
        ASSERT_BUILD(&fake, two, "RUN write y 1", );
        ASSERT_BUILD(&fake, three, "RUN write x 1,RUN write y 1", );
        ASSERT_BUILD(&fake, one, "", );
        put_text(fake.context_fd, "file", "two");
        ASSERT_BUILD(&fake, two, "COPY --link file /,RUN write y 1", );
}

TEST(what_a_linked_copy_was_not_made_of_is_no_reason) {
        _cleanup_fake_ Fake fake = fake_open();
        Built built = { .fake = &fake,
                        .text = "FROM busybox\nRUN write x 1\nCOPY --link file /\n" };
        Built again = { .fake = &fake, .text = "FROM other\nRUN write x 1\nCOPY --link file /\n" };

        put_text(fake.context_fd, "file", "one");
        (void)build_main(&built);
        ASSERT_OK(built.r, &built.err);
        put_text(fake.context_fd, "file", "two");
        (void)build_main(&again);
        ASSERT_OK(again.r, &again.err);
        ASSERT_SORTED(&again.why, "COPY --link file /: file file changed,RUN write x 1: the base "
                                  "image changed");
        built_done(&built);
        built_done(&again);
}

/* With --chmod it is a copy as any other, and an owner's name is looked up in the base. */
TEST(what_depends_upon_the_base_is_not_linked) {
        static const char one[] = "FROM busybox\nCOPY --link --chmod=600 file /\nCOPY --link "
                                  "--chown=root:0 file /\nCOPY --link --chown=1:0 file /\n";
        static const char two[] = "FROM other\nCOPY --link --chmod=600 file /\nCOPY --link "
                                  "--chown=root:0 file /\nCOPY --link --chown=1:0 file /\n";
        _cleanup_fake_ Fake fake = fake_open();

        put_text(fake.context_fd, "file", "one");
        ASSERT_BUILD(&fake, one,
                     "COPY --link --chmod=600 file /,COPY --link --chown=1:0 file /,COPY --link "
                     "--chown=root:0 file /", );
        ASSERT_BUILD(&fake, two,
                     "COPY --link --chmod=600 file /,COPY --link --chown=root:0 file /", );
}

/* A miss is compared with the build before it, also where that ran nothing. */
TEST(a_reason_names_what_changed_since_the_last_build) {
        static const char text[] = "FROM busybox\nCOPY a /\nCOPY b /\n";
        _cleanup_fake_ Fake fake = fake_open();
        Built built = { .fake = &fake, .text = text };

        put_text(fake.context_fd, "a", "1");
        put_text(fake.context_fd, "b", "1");
        ASSERT_BUILD(&fake, text, "COPY a /,COPY b /", );
        put_text(fake.context_fd, "a", "2");
        ASSERT_BUILD(&fake, text, "COPY a /,COPY b /", );
        put_text(fake.context_fd, "a", "1");
        ASSERT_BUILD(&fake, text, "", );
        put_text(fake.context_fd, "b", "2");
        (void)build_main(&built);
        ASSERT_OK(built.r, &built.err);
        ASSERT_SORTED(&built.why, "COPY b /: file b changed");
        built_done(&built);
}

TEST(no_cache_runs_all_and_no_cache_filter_a_stage) {
        static const char text[] =
                "FROM busybox AS a\nRUN write x 1\nFROM busybox\nCOPY --from=a x "
                "/\nRUN write y 1\n";
        static char *const filter[] = { (char *)"a", NULL };
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, text, .no_cache = true);

        ASSERT_BUILD(&fake, text, "COPY --from=a x /,RUN write x 1,RUN write y 1", );
        (void)build_main(&built);
        ASSERT_BUILT(&built);
        ASSERT_RAN(&fake, "COPY --from=a x /,RUN write x 1,RUN write y 1");
        ASSERT_STR(built.why[0], "RUN write x 1: the cache was not to be used");
        ASSERT_BUILD(&fake, text, "RUN write x 1", .no_cache_filter = filter);
        ASSERT_BUILD(&fake, text, "", );
}

/* ---- URLs ---- */

TEST(urls_are_fetched_at_once_and_once) {
        static const char text[] = "FROM busybox AS a\nADD http://x/together1 http://x/together2 "
                                   "/\nFROM busybox\nADD http://x/together1 /\nCOPY --from=a a /\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, text, .target = "a");

        (void)build_main(&built);
        ASSERT_BUILT(&built);
        ASSERT_INT(fake.fetching, 2);
}

TEST(a_url_that_is_not_there_is_its_steps_failure) {
        static const char text[] = "FROM busybox\nRUN write x 1\nADD http://x/missing /\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, text, );

        (void)build_main(&built);
        ASSERT_INT(built.r, -ENOENT);
        ASSERT_STR(built.err.message, "no http://x/missing");
        ASSERT_STR(built.failed[0], "no http://x/missing");
        ASSERT_RAN(&fake, "RUN write x 1");
}

/* ---- ONBUILD ---- */

TEST(triggers_name_stages_that_nothing_else_needs) {
        static char *const triggers[] = { (char *)"COPY --from=upon file /",
                                          (char *)"COPY --from=other:1 x /", NULL };
        static const char text[] = "FROM other AS below\nCOPY file /\nFROM below AS upon\n"
                                   "RUN write x 1\nFROM busybox AS unused\nRUN fail\n"
                                   "FROM triggers\nRUN write y 1\n";
        static char *const only[] = { (char *)"COPY --from=upon file x /", NULL };
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, text, );

        put_text(fake.context_fd, "file", "one");
        fake.triggers = only;
        ASSERT_BUILD(&fake, text,
                     "COPY file /,ONBUILD COPY --from=upon file x /,RUN write x 1,RUN write y 1", );
        ASSERT_BUILD(&fake, text, "", );
        /* And an image: it has no such file. */
        fake.triggers = triggers;
        (void)build_main(&built);
        ASSERT(built.r < 0);
        ASSERT(strstr(built.err.message, "not found"));
}

/* ---- failures ---- */

TEST(a_failure_ends_the_others_and_is_what_is_reported) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(
                &fake,
                "FROM busybox AS a\nRUN wait\nRUN write x 1\nFROM busybox AS b\nRUN write z 1\nRUN "
                "fail\nFROM busybox\nCOPY --from=a x /\nCOPY --from=b z /\n", );

        (void)build_main(&built);
        ASSERT_INT(built.err.kind, ERROR_INVALID);
        ASSERT_STR(built.err.message, "exit code: 3");
        ASSERT(strv_has(built.failed, "exit code: 3"));
        /* What ended well stays, what did not leaves nothing. */
        ASSERT_INT(count_in(&fake.cache, "layers"), 1);
}

TEST(an_image_that_is_not_there_fails_before_anything_runs) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake,
                                            "FROM busybox AS a\nRUN write x 1\nFROM other\nCOPY "
                                            "--from=missing x /\nCOPY --from=a x /\n", );

        (void)build_main(&built);
        ASSERT_INT(built.r, -ENOENT);
        ASSERT_STR(built.err.message, "D:4:1: no image missing\n--------------------\n"
                                      "   2 |     RUN write x 1\n   3 |     FROM other\n"
                                      "   4 | >>> COPY --from=missing x /\n"
                                      "   5 |     COPY --from=a x /\n   6 |     \n"
                                      "--------------------");
        ASSERT_RAN(&fake, "");
}

/* Wherever it is named; the stages' names and common images are what may have been meant. */
TEST(an_image_that_is_not_there_is_told_of_where_it_is_named) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "FROM busybox AS missin\nFROM missing\n",
                  "D:2:1: no image missing (did you mean missin?)" },
                { "FROM busybox\nRUN --mount=type=bind,from=missing,target=/m write x 1\n"
                  "FROM busybox AS Missing2\nCOPY --from=0 x /\n",
                  "D:2:1: no image missing (did you mean missing2?)" },
                { "FROM buzybox\n", "D:1:1: no image buzybox (did you mean busybox?)" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_fake_ Fake fake = fake_open();
                _cleanup_built_ Built built = BUILD(&fake, cases[i].text, );

                (void)build_main(&built);
                ASSERT_INT(built.r, -ENOENT);
                ASSERT_INT(built.err.kind, ERROR_NOT_FOUND);
                built.err.message[strcspn(built.err.message, "\n")] = '\0';
                ASSERT_STR(built.err.message, cases[i].expected);
        }
}

TEST(a_client_that_has_enough_ends_the_build_with_an_error) {
        static const char text[] = "FROM busybox\nRUN write x 1\nCOPY file /\n";
        size_t at = 1;
        int r = -1;

        for (; r < 0; at++) {
                _cleanup_fake_ Fake fake = fake_open();
                _cleanup_built_ Built built = BUILD(&fake, text, );

                put_text(fake.context_fd, "file", "one");
                built.refuse_at = at;
                (void)build_main(&built);
                r = built.r;
                ASSERT(r == 0 || r == -ECANCELED);
                if (r < 0)
                        ASSERT(str_after(built.err.message, "the build was cancelled"));
        }
        ASSERT(at > 8);
}

/* ---- builds at once ---- */

TEST(the_same_step_of_two_builds_runs_once) {
        static const char text[] = "FROM busybox\nRUN wait\nRUN write x 1\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built first = BUILD(&fake, text, ), second = BUILD(&fake, text, );

        begin(&first);
        bool there = wait_for(&fake, &fake.waiting, 1);
        begin(&second);
        open_gate(&fake);
        (void)pthread_join(first.thread, NULL);
        (void)pthread_join(second.thread, NULL);
        ASSERT(there);
        ASSERT_BUILT(&first);
        ASSERT_BUILT(&second);
        ASSERT_RAN(&fake, "RUN wait,RUN write x 1");
        ASSERT_STR(first.results[0].layers[2], second.results[0].layers[2]);
}

/* What is run in any case is nobody else's to wait for. */
TEST(the_same_step_of_two_builds_without_cache_runs_twice_at_once) {
        static const char text[] = "FROM busybox\nRUN wait\nRUN write x 1\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built first = BUILD(&fake, text, .no_cache = true),
                              second = BUILD(&fake, text, .no_cache = true);

        begin(&first);
        begin(&second);
        bool both = wait_for(&fake, &fake.waiting, 2);
        open_gate(&fake);
        (void)pthread_join(first.thread, NULL);
        (void)pthread_join(second.thread, NULL);
        ASSERT(both);
        ASSERT_BUILT(&first);
        ASSERT_BUILT(&second);
        ASSERT_RAN(&fake, "RUN wait,RUN wait,RUN write x 1,RUN write x 1");
        ASSERT(!str_equal(first.results[0].layers[2], second.results[0].layers[2]));
        ASSERT_BUILD(&fake, text, "", );
}

TEST(of_two_builds_the_second_takes_over_when_the_first_is_cancelled) {
        static const char text[] = "FROM busybox\nRUN wait\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built first = BUILD(&fake, text, ), second = BUILD(&fake, text, );

        begin(&first);
        bool there = wait_for(&fake, &fake.waiting, 1);
        begin(&second);
        atomic_store(&first.cancelled, true);
        there = there && wait_for(&fake, &fake.waiting, 2);
        open_gate(&fake);
        (void)pthread_join(first.thread, NULL);
        (void)pthread_join(second.thread, NULL);
        ASSERT(there);
        ASSERT_INT(first.r, -ECANCELED);
        ASSERT_BUILT(&second);
        ASSERT_INT(count_in(&fake.cache, "layers"), 1);
}

TEST(a_cancelled_build_plans_no_stage) {
        _cleanup_fake_ Fake fake = fake_open();
        /* A mistake that only planning finds. */
        _cleanup_built_ Built built = BUILD(&fake, "FROM busybox\nEXPOSE $nothing:x\n", );

        atomic_store(&built.cancelled, true);
        (void)build_main(&built);
        ASSERT(str_after(built.err.message, "the build was cancelled"));
}

TEST(a_build_that_waits_for_another_can_be_cancelled) {
        static const char text[] = "FROM busybox\nRUN wait\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built first = BUILD(&fake, text, ), second = BUILD(&fake, text, );

        begin(&first);
        bool there = wait_for(&fake, &fake.waiting, 1);
        begin(&second);
        atomic_store(&second.cancelled, true);
        (void)pthread_join(second.thread, NULL);
        open_gate(&fake);
        (void)pthread_join(first.thread, NULL);
        ASSERT(there);
        ASSERT_INT(second.r, -ECANCELED);
        ASSERT_BUILT(&first);
        ASSERT_RAN(&fake, "RUN wait");
}

TEST(many_builds_at_once_run_each_step_once) {
        static const char text[] =
                "FROM busybox AS a\nRUN write a 1\nRUN write b 1\nFROM busybox AS b\nRUN write c "
                "1\n"
                "FROM a AS c\nRUN write d 1\nFROM busybox\nCOPY --from=a a /\nCOPY --from=b c /\n"
                "COPY --from=c d /\n";
        _cleanup_fake_ Fake fake = fake_open();
        Built builds[8];
        bool well = true;

        for (size_t i = 0; i < ELEMENTS(builds); i++) {
                builds[i] = (Built)BUILD(&fake, text, );
                begin(&builds[i]);
        }
        for (size_t i = 0; i < ELEMENTS(builds); i++) {
                (void)pthread_join(builds[i].thread, NULL);
                well = well && builds[i].r == 0 && all_told(&builds[i]) &&
                       str_equal(builds[i].results[0].layers[3], builds[0].results[0].layers[3]);
                if (builds[i].r < 0)
                        printf("# %s\n", builds[i].err.message);
        }
        for (size_t i = 0; i < ELEMENTS(builds); i++)
                built_done(&builds[i]);
        ASSERT(well);
        ASSERT_RAN(&fake, "COPY --from=a a /,COPY --from=b c /,COPY --from=c d /,RUN write a 1,RUN "
                          "write b 1,RUN write c 1,RUN write d 1");
}

/* ---- what is told ---- */

TEST(events_have_their_inputs) {
        static const char text[] =
                "FROM busybox AS a\nENV x=y\nRUN write a 1\nFROM a AS b\nRUN write b 2\n"
                "FROM busybox\nCOPY --from=b b /\nRUN --mount=from=a,target=/a write c 3\n";
        static const char *const expected = "0<,2<0,3<2,4<3,5<,6<5 4,7<6 2";
        _cleanup_fake_ Fake fake = fake_open();

        for (int i = 0; i < 2; i++) { /* run, then found */
                _cleanup_built_ Built built = BUILD(&fake, text, );

                (void)build_main(&built);
                ASSERT_BUILT(&built);
                ASSERT_SORTED(&built.inputs, expected);
        }
}

TEST(a_reading_that_takes_a_while_is_told) {
        static const char text[] = "FROM busybox\nRUN --mount=target=/m write a 1\n";
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built small = BUILD(&fake, text, ), large = BUILD(&fake, text, );
        _cleanup_close_ int fd = -1;

        put_text(fake.context_fd, "file", "small");
        (void)build_main(&small);
        ASSERT_BUILT(&small);
        ASSERT(!small.readings);
        fd = openat(fake.context_fd, "file", O_WRONLY | O_CLOEXEC);
        ASSERT_INT(ftruncate(fd, 17 << 20), 0);
        (void)build_main(&large);
        ASSERT_BUILT(&large);
        /* Once for the key, for what a later miss is explained by, and to see that nothing changed.
         */
        ASSERT(strv_length(large.readings) >= 2);
        ASSERT_STR(large.readings[0], "0 17825792 [internal] load build context");
        ASSERT_STR(large.readings[1], "1 17825792 [internal] load build context");
}

/* ns; 0: can't be read. */
static int64_t changed_at(const Fake *fake, const char *name) {
        struct stat status;

        if (fstatat(fake->context_fd, name, &status, 0) < 0)
                return 0;
        return status.st_ctim.tv_sec * NSEC_PER_SEC + status.st_ctim.tv_nsec;
}

TEST(what_changes_under_a_step_is_named) {
        _cleanup_fake_ Fake fake = fake_open();
        _cleanup_built_ Built built = BUILD(&fake, "FROM busybox\nRUN --mount=target=/m wait\n", );

        put_text(fake.context_fd, "file", "one");
        put_text(fake.context_fd, "other", "one");
        begin(&built);
        ASSERT(wait_for(&fake, &fake.waiting, 1));
        do /* until the clock of files, which has ticks of some ms, has gone on */
                put_text(fake.context_fd, "file", "two");
        while (changed_at(&fake, "file") == changed_at(&fake, "other"));
        open_gate(&fake);
        ASSERT_INT(pthread_join(built.thread, NULL), 0);
        ASSERT_INT(built.err.kind, ERROR_CONFLICT);
        ASSERT(strstr(built.err.message, "(last: 'file') while \"RUN --mount=target=/m wait\""));
}

TEST_MAIN()
