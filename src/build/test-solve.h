/* test-solve.h: for the solver's tests: a worker of the test's own, whose images are in memory and
 * whose programs write a file or wait, and builds with it; the cache is a real one. */
#pragma once

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "build/solve.h"
#include "build/test-cache.h"

#define STEP_WAIT_MS 20000
#define PLATFORMS_MAX 3

typedef struct Fake {
        TestCache cache;
        Flights *flights;
        char context[40], roots[40]; /* directories */
        int context_fd, roots_fd;
        Tree tree;
        char *const *triggers; /* ONBUILD of the image "triggers" */
        const char *commit;    /* of every repository */
        pthread_mutex_t lock;  /* guards what follows */
        char **ran;            /* the steps, as progress shows them */
        char **threads;        /* that ran one, each once */
        char **brought;        /* images, "name platform" */
        char **mismatches;     /* "architecture for platform" */
        size_t waiting;        /* steps that say "wait" and are there */
        bool gate;             /* they go on */
        size_t count;          /* of "unique" and of roots */
        size_t fetching;       /* URLs that were asked for; one is not there before two are */
        size_t crowd, crowded; /* threads that ask for or bring an image "crowd…": now, at most */
} Fake;

static UNUSED Fake fake_open(void) {
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

static UNUSED void fake_done(Fake *fake) {
        flights_free(fake->flights);
        close_fd(&fake->context_fd);
        close_fd(&fake->roots_fd);
        (void)dir_remove_at(AT_FDCWD, fake->context, NULL);
        (void)dir_remove_at(AT_FDCWD, fake->roots, NULL);
        strv_free(fake->ran);
        strv_free(fake->threads);
        strv_free(fake->brought);
        strv_free(fake->mismatches);
        test_cache_done(&fake->cache);
}
#define _cleanup_fake_ _cleanup_(fake_done)

static UNUSED void put_text(int dir_fd, const char *name, const char *text) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        if (fd < 0 || fd_write_full(fd, text, strlen(text)) < 0)
                abort();
}

/* What is in the list, sorted, "," between the items, the caller's; the list is empty then. */
static UNUSED int by_text(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static UNUSED char *sorted(char ***list) {
        char *text;

        if (*list)
                qsort(*list, strv_length(*list), sizeof(**list), by_text);
        text = *list ? strv_join(*list, ",") : str_copy("");
        *list = strv_free(*list);
        return text;
}

#define ASSERT_SORTED(list, expected)                                                              \
        do {                                                                                       \
                _cleanup_free_ char *sorted_ = sorted(list);                                       \
                ASSERT_STR(sorted_, expected);                                                     \
        } while (0)

#define ASSERT_RAN(fake, expected)                                                                 \
        do {                                                                                       \
                _cleanup_free_ char *ran_ = sorted(&(fake)->ran);                                  \
                ASSERT_STR(ran_, expected);                                                        \
        } while (0)

/* ---- the worker ---- */

static UNUSED bool wait_for(Fake *fake, const size_t *number, size_t wanted);

/* Stays long enough for others to come. */
static UNUSED void join_crowd(Fake *fake, const char *name) {
        if (!str_after(name, "crowd"))
                return;
        (void)pthread_mutex_lock(&fake->lock);
        fake->crowd++;
        fake->crowded = MAX(fake->crowded, fake->crowd);
        (void)pthread_mutex_unlock(&fake->lock);
        (void)poll(NULL, 0, 1);
        (void)pthread_mutex_lock(&fake->lock);
        fake->crowd--;
        (void)pthread_mutex_unlock(&fake->lock);
}

/* "busybox", "triggers" (with ONBUILD) and "other"; an image's only layer holds no files. */
static UNUSED int on_image(void *data, const char *name, const char *platform, SolveImage *ret,
                           Error *err) {
        Fake *fake = data;

        join_crowd(fake, name);
        if (str_equal(name, "missing") || str_equal(name, "buzybox"))
                return error_kind(err, ERROR_NOT_FOUND, "no image %s", name);
        ret->config.os = str_copy("linux");
        /* "only" exists for amd64 only. */
        ret->config.architecture = str_copy(
                str_equal(name, "only") ? "amd64" : str_after(platform, "linux/") ?: platform);
        if (str_equal(name, "triggers"))
                ret->config.config.on_build = strv_copy(fake->triggers);
        _cleanup_free_ char *files = str_format("%s %s", name, platform);
        digest_of(files, strlen(files), ret->key);
        strv_add(&ret->layers, ret->key);
        return 0;
}

static UNUSED bool gate_opens(Fake *fake) {
        bool open = false;

        for (int i = 0; !open && i < STEP_WAIT_MS; i++) {
                (void)poll(NULL, 0, 1);
                (void)pthread_mutex_lock(&fake->lock);
                open = fake->gate;
                (void)pthread_mutex_unlock(&fake->lock);
        }
        return open;
}

/* An image that is called "stays" never comes, and "slow" when the gate is open. */
static UNUSED int on_bring(void *data, const char *name, const char *platform,
                           const SolveImage *image, Error *err) {
        Fake *fake = data;

        (void)pthread_mutex_lock(&fake->lock);
        strv_format(&fake->brought, "%s %s", name, platform);
        (void)pthread_mutex_unlock(&fake->lock);
        join_crowd(fake, name);
        if (str_equal(name, "slow") && !gate_opens(fake))
                return error_set(err, ETIMEDOUT, "the gate was never opened");
        return str_equal(name, "stays") ? error_kind(err, ERROR_UNAVAILABLE, "%s stays", name) : 0;
}

static UNUSED int on_mismatch(void *data, const Stage *stage, const ImageConfig *base, Error *err) {
        Fake *fake = data;

        strv_format(&fake->mismatches, "%s for %s", base->architecture, stage->platform);
        return 0;
}

static UNUSED bool on_can_run(void *data, const char *platform) {
        return str_equal(platform, "linux/amd64");
}

static const char *on_alias(void *data, const char *name) {
        return NULL;
}

static UNUSED int on_context(void *data, const char *name, const Tree **ret, Error *err) {
        *ret = &((Fake *)data)->tree;
        return 0;
}

static UNUSED int on_fetch(void *data, const char *url, const char *checksum, char digest[],
                           Error *err) {
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

/* The ref points at what the test says. */
static UNUSED int on_git(void *data, const char *url, const char *checksum, bool keep_git_dir,
                         char **ret, Error *err) {
        *ret = str_format("%s%s", ((Fake *)data)->commit, keep_git_dir ? ".git" : "");
        return 0;
}

static UNUSED int copy_files(int from_fd, int to_fd, Error *err) {
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
static UNUSED int on_open(void *data, char *const *layers, int *ret_fd, Error *err) {
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
static UNUSED int wait_gate(Fake *fake, const SolveJob *job, Error *err) {
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
static UNUSED int run(Fake *fake, const SolveJob *job, int fs_fd, Error *err) {
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

static UNUSED int copy(Fake *fake, const SolveJob *job, int fs_fd, Error *err) {
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

static UNUSED int on_execute(void *data, const SolveJob *job, Error *err) {
        Fake *fake = data;
        _cleanup_close_ int fs_fd = -1;
        _cleanup_free_ char *thread = str_format("%d", (int)gettid());
        int r = dir_open_at(job->layer_fd, "fs", 0755, &fs_fd, err);

        if (r < 0)
                return r;
        (void)pthread_mutex_lock(&fake->lock);
        strv_add(&fake->ran, job->step->text);
        if (!strv_has(fake->threads, thread))
                strv_add(&fake->threads, thread);
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
        char *const *platforms;
        Dockerfile file;
        Plan *plans[PLATFORMS_MAX];
        size_t count;
        SolveResult results[PLATFORMS_MAX];
        int r;
        Error err;
        char **why;       /* "RUN x: reason", of each step that was run */
        char **failed;    /* texts of FAILED */
        char **names;     /* of what was run, as progress shows it */
        char **inputs;    /* "number<input input" of what has a name and began, or was found */
        char **readings;  /* "number bytes name" of each that ended */
        int64_t planned;  /* steps, as told */
        bool *told;       /* one a step: it was said to be there, or not to be */
        size_t refuse_at; /* events until the client has enough; 0: never */
        size_t events;
        atomic_bool cancelled;
        pthread_t thread;
} Built;

static UNUSED void note_inputs(const SolveEvent *event, char ***list) {
        _cleanup_buf_ Buf text = {};

        buf_format(&text, "%zu<", event->step);
        for (size_t i = 0; i < event->input_count; i++)
                buf_format(&text, "%s%zu", i > 0 ? " " : "", event->inputs[i]);
        strv_add(list, text.data);
}

static UNUSED int on_event(void *data, const SolveEvent *event) {
        Built *built = data;

        if (event->kind == SOLVE_PLANNED) {
                built->planned = event->total;
                built->told = NEW_ARRAY(bool, (size_t)event->total + 1);
        }
        if (event->kind == SOLVE_STARTED && event->why)
                strv_take(&built->why, str_format("%s: %s", event->instruction, event->why));
        if (event->kind == SOLVE_STARTED && event->why)
                strv_add(&built->names, event->name);
        if ((event->kind == SOLVE_STARTED || event->kind == SOLVE_CACHED) && event->name)
                note_inputs(event, &built->inputs);
        if (event->kind == SOLVE_READING && event->total > 0)
                strv_format(&built->readings, "%zu %lld %s", event->step, (long long)event->current,
                            event->name);
        if (event->kind == SOLVE_FAILED)
                strv_add(&built->failed, event->text);
        if (event->kind == SOLVE_CACHED || event->kind == SOLVE_DONE || event->kind == SOLVE_FAILED)
                built->told[event->step] = true;
        return ++built->events == built->refuse_at ? -EPIPE : 0;
}

static UNUSED bool on_cancelled(void *data) {
        return atomic_load(&((Built *)data)->cancelled);
}

/* One for each platform that is asked for, and one where none is. */
static UNUSED int make_plans(Built *built) {
        char *const *platforms = built->platforms;
        int r = 0;

        do {
                if (platforms)
                        built->options.target_platform = *platforms++;
                r = plan_new(&built->file, &built->options, &built->plans[built->count++],
                             &built->err);
        } while (r == 0 && platforms && *platforms);
        return r;
}

static UNUSED void *build_main(void *data) {
        Built *built = data;
        SolveOptions options = { .cache = built->fake->cache.cache,
                                 .flights = built->fake->flights,
                                 .worker = { .image = on_image,
                                             .bring_image = on_bring,
                                             .mismatch = on_mismatch,
                                             .can_run = on_can_run,
                                             .alias = on_alias,
                                             .context = on_context,
                                             .fetch = on_fetch,
                                             .git = on_git,
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
                built->r = make_plans(built);
        if (built->r == 0)
                built->r = solve(built->plans, built->count, &options, built->results, &built->err);
        return NULL;
}

static UNUSED void built_done(Built *built) {
        for (size_t i = 0; i < PLATFORMS_MAX; i++) {
                solve_result_done(&built->results[i]);
                plan_free(built->plans[i]);
        }
        dockerfile_done(&built->file);
        strv_free(built->why);
        strv_free(built->failed);
        strv_free(built->names);
        strv_free(built->inputs);
        strv_free(built->readings);
        free(built->told);
}
#define _cleanup_built_ _cleanup_(built_done)

#define BUILD(fake_, text_, ...)                                                                   \
        {                                                                                          \
                .fake = (fake_), .text = (text_), .options = { __VA_ARGS__ }                       \
        }

static UNUSED bool all_told(const Built *built) {
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

static UNUSED void begin(Built *built) {
        if (pthread_create(&built->thread, NULL, build_main, built) != 0)
                abort();
}

static UNUSED bool wait_for(Fake *fake, const size_t *number, size_t wanted) {
        bool there = false;

        for (int i = 0; !there && i < STEP_WAIT_MS; i++) {
                (void)poll(NULL, 0, 1);
                (void)pthread_mutex_lock(&fake->lock);
                there = *number >= wanted;
                (void)pthread_mutex_unlock(&fake->lock);
        }
        return there;
}

static UNUSED void open_gate(Fake *fake) {
        (void)pthread_mutex_lock(&fake->lock);
        fake->gate = true;
        (void)pthread_mutex_unlock(&fake->lock);
}

static UNUSED void forget(Fake *fake, const char *description) {
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
