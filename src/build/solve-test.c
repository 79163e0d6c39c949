/* solve-test.c: what is run and what is found, and why. The worker is one of the test's own: its
 * images are in memory, its programs write a file or wait; the cache is a real one. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "build/solve.h"
#include "build/test-cache.h"

#define STEP_WAIT_MS 20000

typedef struct Fake {
        TestCache cache;
        Flights *flights;
        char context[40], roots[40]; /* directories */
        int context_fd, roots_fd;
        Tree tree;
        char *const *triggers; /* ONBUILD of the image "triggers" */
        pthread_mutex_t lock;  /* guards what follows */
        char **ran;            /* the steps, as progress shows them */
        size_t waiting;        /* steps that say "wait" and are there */
        bool gate;             /* they go on */
        size_t count;          /* of "unique" and of roots */
        size_t fetching;       /* URLs that were asked for; one is not there before two are */
} Fake;

static Fake fake_open(void) {
        Fake fake = { .cache = test_cache(),
                      .flights = flights_new(),
                      .context = "/tmp/brig-solve-XXXXXX",
                      .roots = "/tmp/brig-solve-XXXXXX",
                      .context_fd = -1,
                      .roots_fd = -1,
                      .lock = PTHREAD_MUTEX_INITIALIZER };
        Error err = {};

        if (!mkdtemp(fake.context) || !mkdtemp(fake.roots) ||
            dir_open_at(AT_FDCWD, fake.context, 0, &fake.context_fd, &err) < 0 ||
            dir_open_at(AT_FDCWD, fake.roots, 0, &fake.roots_fd, &err) < 0)
                abort();
        fake.tree = (Tree){ .root_fd = fake.context_fd, .neutral_owner = true };
        return fake;
}

static void fake_done(Fake *fake) {
        flights_free(fake->flights);
        close_fd(&fake->context_fd);
        close_fd(&fake->roots_fd);
        (void)dir_remove_at(AT_FDCWD, fake->context, NULL);
        (void)dir_remove_at(AT_FDCWD, fake->roots, NULL);
        strv_free(fake->ran);
        test_cache_done(&fake->cache);
}
#define _cleanup_fake_ _cleanup_(fake_done)

static void put_text(int dir_fd, const char *name, const char *text) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        if (fd < 0 || fd_write_full(fd, text, strlen(text)) < 0)
                abort();
}

/* The steps that were run since the last call, sorted, "," between them; the caller's. */
static int by_text(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *ran(Fake *fake) {
        char *text;

        if (fake->ran)
                qsort(fake->ran, strv_length(fake->ran), sizeof(*fake->ran), by_text);
        text = fake->ran ? strv_join(fake->ran, ",") : str_copy("");
        strv_free(fake->ran);
        fake->ran = NULL;
        return text;
}

#define ASSERT_RAN(fake, expected)                                                                 \
        do {                                                                                       \
                _cleanup_free_ char *ran_ = ran(fake);                                             \
                ASSERT_STR(ran_, expected);                                                        \
        } while (0)

/* ---- the worker ---- */

/* "busybox", "triggers" (with ONBUILD) and "other"; an image's only layer holds no files. */
static int on_image(void *data, const char *name, const char *platform, SolveImage *ret,
                    Error *err) {
        const Fake *fake = data;

        if (str_equal(name, "missing"))
                return error_kind(err, ERROR_NOT_FOUND, "no image %s", name);
        ret->config.os = str_copy("linux");
        ret->config.architecture = str_copy("amd64");
        if (str_equal(name, "triggers"))
                ret->config.config.on_build = strv_copy(fake->triggers);
        digest_of(name, strlen(name), ret->key);
        strv_add(&ret->layers, ret->key);
        return 0;
}

static const char *on_alias(void *data, const char *name) {
        return NULL;
}

static int on_context(void *data, const char *name, const Tree **ret, Error *err) {
        *ret = &((Fake *)data)->tree;
        return 0;
}

static bool wait_for(Fake *fake, const size_t *number, size_t wanted);

static int on_fetch(void *data, const char *url, const char *checksum, char digest[], Error *err) {
        Fake *fake = data;

        if (strstr(url, "missing"))
                return error_kind(err, ERROR_NOT_FOUND, "no %s", url);
        (void)pthread_mutex_lock(&fake->lock);
        fake->fetching++;
        (void)pthread_mutex_unlock(&fake->lock);
        if (strstr(url, "together") && !wait_for(fake, &fake->fetching, 2))
                return error_set(err, ETIMEDOUT, "alone");
        digest_of(url, strlen(url), digest);
        return 0;
}

static int copy_files(int from_fd, int to_fd, Error *err) {
        _cleanup_closedir_ DIR *dir = fdopendir(dup(from_fd));
        struct dirent *entry;
        int r = 0;

        while (r == 0 && (entry = readdir(dir))) {
                _cleanup_free_ char *text = NULL;
                size_t length;

                if (entry->d_name[0] == '.')
                        continue;
                r = file_read_at(from_fd, entry->d_name, 4096, &text, &length, err);
                if (r == 0)
                        put_text(to_fd, entry->d_name, text);
        }
        return r;
}

/* Layers have files only, no directories: a root is a directory with a copy of each. */
static int on_open(void *data, char *const *layers, int *ret_fd, Error *err) {
        Fake *fake = data;
        _cleanup_close_ int root_fd = -1;
        char name[32];
        int r;

        (void)pthread_mutex_lock(&fake->lock);
        (void)snprintf(name, sizeof(name), "%zu", ++fake->count);
        (void)pthread_mutex_unlock(&fake->lock);
        r = dir_open_at(fake->roots_fd, name, 0755, &root_fd, err);
        for (; r == 0 && layers && *layers; layers++) {
                _cleanup_free_ char *path = str_format("layers/%s/fs", *layers);
                _cleanup_close_ int layer_fd = -1;

                if (str_after(*layers, "sha256:"))
                        continue;
                r = dir_open_at(fake->cache.fd, path, 0, &layer_fd, err);
                if (r == 0)
                        r = copy_files(layer_fd, root_fd, err);
        }
        if (r == 0)
                *ret_fd = TAKE_FD(root_fd);
        return r;
}

/* "wait": until the gate is open, or the build is cancelled. */
static int wait_gate(Fake *fake, const SolveJob *job, Error *err) {
        bool open = false;

        (void)pthread_mutex_lock(&fake->lock);
        fake->waiting++;
        (void)pthread_mutex_unlock(&fake->lock);
        for (int i = 0; !open && i < STEP_WAIT_MS; i++) {
                if (job->cancelled(job->data))
                        return error_set(err, ECANCELED, "cancelled");
                (void)poll(NULL, 0, 1);
                (void)pthread_mutex_lock(&fake->lock);
                open = fake->gate;
                (void)pthread_mutex_unlock(&fake->lock);
        }
        return open ? 0 : error_set(err, ETIMEDOUT, "the gate was never opened");
}

/* RUN write NAME TEXT…, RUN unique NAME, RUN wait, RUN fail. */
static int run(Fake *fake, const SolveJob *job, int fs_fd, Error *err) {
        _cleanup_strv_ char **words = str_split(job->step->run.argv[2], ' ');
        char number[32];

        job->output(job->data, 1, "said\n", 5);
        if (str_equal(words[0], "fail")) {
                *job->ret_exit_code = 3;
                return error_kind(err, ERROR_INVALID, "exit code: 3");
        }
        if (str_equal(words[0], "wait"))
                return wait_gate(fake, job, err);
        (void)pthread_mutex_lock(&fake->lock);
        (void)snprintf(number, sizeof(number), "%zu", ++fake->count);
        (void)pthread_mutex_unlock(&fake->lock);
        if (words[1])
                put_text(fs_fd, words[1], str_equal(words[0], "unique") ? number : words[2] ?: "");
        return 0;
}

static int copy(Fake *fake, const SolveJob *job, int fs_fd, Error *err) {
        _cleanup_close_ int root_fd = -1;
        int from_fd = fake->context_fd;
        int r = 0;

        if (!job->inputs[0].tree) {
                r = on_open(fake, job->inputs[0].layers, &root_fd, err);
                from_fd = root_fd;
        }
        for (size_t i = 0; r == 0 && i < job->step->copy.source_count; i++) {
                const char *path = job->step->copy.sources[i].path;
                _cleanup_free_ char *text = NULL;
                size_t length;

                if (job->step->copy.sources[i].kind != COPY_FILES)
                        continue;

                r = file_read_at(from_fd, path, 4096, &text, &length, err);
                if (r == 0)
                        put_text(fs_fd, path, text);
        }
        return r;
}

static int on_execute(void *data, const SolveJob *job, Error *err) {
        Fake *fake = data;
        _cleanup_close_ int fs_fd = -1;
        int r = dir_open_at(job->layer_fd, "fs", 0755, &fs_fd, err);

        if (r < 0)
                return r;
        (void)pthread_mutex_lock(&fake->lock);
        strv_add(&fake->ran, job->step->text);
        (void)pthread_mutex_unlock(&fake->lock);
        if (job->step->kind == STEP_RUN)
                return run(fake, job, fs_fd, err);
        return job->step->kind == STEP_COPY ? copy(fake, job, fs_fd, err) : 0;
}

/* ---- a build ---- */

typedef struct Built {
        Fake *fake;
        const char *text;
        PlanOptions options;
        Dockerfile file;
        Plan *plan;
        SolveResult result;
        int r;
        Error err;
        char **why;       /* "RUN x: reason", of each step that was run */
        char **failed;    /* texts of FAILED */
        int64_t planned;  /* steps, as told */
        bool *told;       /* one a step: it was said to be there, or not to be */
        size_t refuse_at; /* events until the client has enough; 0: never */
        size_t events;
        atomic_bool cancelled;
        pthread_t thread;
} Built;

static int on_event(void *data, const SolveEvent *event) {
        Built *built = data;

        if (event->kind == SOLVE_PLANNED) {
                built->planned = event->total;
                built->told = NEW_ARRAY(bool, (size_t)event->total + 1);
        }
        if (event->kind == SOLVE_STARTED && event->why)
                strv_take(&built->why, str_format("%s: %s", event->instruction, event->why));
        if (event->kind == SOLVE_FAILED)
                strv_add(&built->failed, event->text);
        if (event->kind == SOLVE_CACHED || event->kind == SOLVE_DONE || event->kind == SOLVE_FAILED)
                built->told[event->step] = true;
        return ++built->events == built->refuse_at ? -EPIPE : 0;
}

static bool on_cancelled(void *data) {
        return atomic_load(&((Built *)data)->cancelled);
}

static void *build_main(void *data) {
        Built *built = data;
        SolveOptions options = { .cache = built->fake->cache.cache,
                                 .flights = built->fake->flights,
                                 .worker = { .image = on_image,
                                             .alias = on_alias,
                                             .context = on_context,
                                             .fetch = on_fetch,
                                             .open = on_open,
                                             .execute = on_execute,
                                             .data = built->fake },
                                 .project = "test",
                                 .no_cache = built->options.no_cache,
                                 .event = on_event,
                                 .cancelled = on_cancelled,
                                 .data = built };

        built->options.source_date_epoch = -1;
        built->options.build_platform = "linux/amd64";
        built->r =
                dockerfile_parse("D", built->text, strlen(built->text), &built->file, &built->err);
        if (built->r == 0)
                built->r = plan_new(&built->file, &built->options, &built->plan, &built->err);
        if (built->r == 0)
                built->r = solve(built->plan, &options, &built->result, &built->err);
        return NULL;
}

static void built_done(Built *built) {
        solve_result_done(&built->result);
        plan_free(built->plan);
        dockerfile_done(&built->file);
        strv_free(built->why);
        strv_free(built->failed);
        free(built->told);
}
#define _cleanup_built_ _cleanup_(built_done)

#define BUILD(fake_, text_, ...)                                                                   \
        {                                                                                          \
                .fake = (fake_), .text = (text_), .options = { __VA_ARGS__ }                       \
        }

static bool all_told(const Built *built) {
        for (int64_t i = 0; i < built->planned; i++)
                if (!built->told[i])
                        return false;
        return built->planned > 0;
}

#define ASSERT_BUILT(built)                                                                        \
        do {                                                                                       \
                ASSERT_OK((built)->r, &(built)->err);                                              \
                ASSERT(all_told(built));                                                           \
        } while (0)

/* Builds, and says what ran. */
#define ASSERT_BUILD(fake, text, expected, ...)                                                    \
        do {                                                                                       \
                _cleanup_built_ Built built_ = BUILD(fake, text, __VA_ARGS__);                     \
                (void)build_main(&built_);                                                         \
                ASSERT_BUILT(&built_);                                                             \
                ASSERT_RAN(fake, expected);                                                        \
        } while (0)

static void begin(Built *built) {
        if (pthread_create(&built->thread, NULL, build_main, built) != 0)
                abort();
}

static bool wait_for(Fake *fake, const size_t *number, size_t wanted) {
        bool there = false;

        for (int i = 0; !there && i < STEP_WAIT_MS; i++) {
                (void)poll(NULL, 0, 1);
                (void)pthread_mutex_lock(&fake->lock);
                there = *number >= wanted;
                (void)pthread_mutex_unlock(&fake->lock);
        }
        return there;
}

static void open_gate(Fake *fake) {
        (void)pthread_mutex_lock(&fake->lock);
        fake->gate = true;
        (void)pthread_mutex_unlock(&fake->lock);
}

static void forget(Fake *fake, const char *description) {
        CacheEntry *entries = NULL;
        size_t count = 0;
        Error err = {};

        if (build_cache_list(fake->cache.cache, &entries, &count, &err) < 0)
                abort();
        for (size_t i = 0; i < count; i++)
                if (strstr(entries[i].description, description)) {
                        char *ids[] = { entries[i].id, NULL };
                        (void)prune(&fake->cache, (CachePrune){ .all = true, .ids = ids }, NULL);
                }
        cache_entries_free(entries, count);
}

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
        ASSERT_INT(strv_length(built.result.layers), 3);
        ASSERT_INT(prune(&fake.cache, (CachePrune){ .all = true }, NULL), 0);
        ASSERT(exists(&fake.cache, "layers", built.result.layers[2]));
        ASSERT_STR(built.result.config.config.env[0],
                   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        ASSERT_INT(built.result.config.history.count, 3);
        ASSERT(built.result.config.created > 0);
        solve_result_done(&built.result);
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
        ASSERT_STR(built.err.message, "no image missing");
        ASSERT_RAN(&fake, "");
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
        ASSERT_STR(first.result.layers[2], second.result.layers[2]);
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
        ASSERT(!str_equal(first.result.layers[2], second.result.layers[2]));
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
                       str_equal(builds[i].result.layers[3], builds[0].result.layers[3]);
                if (builds[i].r < 0)
                        printf("# %s\n", builds[i].err.message);
        }
        for (size_t i = 0; i < ELEMENTS(builds); i++)
                built_done(&builds[i]);
        ASSERT(well);
        ASSERT_RAN(&fake, "COPY --from=a a /,COPY --from=b c /,COPY --from=c d /,RUN write a 1,RUN "
                          "write b 1,RUN write c 1,RUN write d 1");
}

TEST_MAIN()
