/* build.c: see build.h. A build reads the Dockerfile, checks and plans it, has it solved, and
 * exports what came of it. */
#include <errno.h>
#include <sys/mount.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "build/stages.h"
#include "engine/build-private.h"
#include "engine/builder.h"
#include "engine/engine-private.h"
#include "engine/room.h"
#include "image/assembly.h"

#define BUILDING "building:" /* who holds the images that a build reads */

#define STEPS_AT_ONCE 32

/* ---- the builder ---- */

int builder_detach(Builder *builder, const char *name, Error *err) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_close_ int fd = -1;
        struct dirent *entry;
        int r = dir_open_at(builder->run_fd, name, 0, &fd, NULL);

        if (r < 0) /* an agent's socket, or nothing */
                return dir_remove_at(builder->run_fd, name, err);
        dir = fdopendir(fd);
        if (!dir)
                return error_set(err, errno, "look for mounts of a build");
        TAKE_FD(fd);
        while ((entry = readdir(dir))) {
                _cleanup_free_ char *path = str_format(
                        "%s/build/%s/%s", builder->engine->options.exec_root, name, entry->d_name);

                if (entry->d_name[0] != '.' && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 &&
                    errno != EINVAL)
                        log_warn("take '%s' off: %s", path, strerror(errno));
        }
        return dir_remove_at(builder->run_fd, name, err);
}

/* What steps of a daemon that was killed left mounted. */
static int detach_all(Builder *builder, Error *err) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_close_ int fd = dup(builder->run_fd);
        struct dirent *entry;
        int r = 0;

        if (fd < 0 || !(dir = fdopendir(fd)))
                return error_set(err, errno, "look for mounts of builds");
        TAKE_FD(fd);
        while (r == 0 && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        r = builder_detach(builder, entry->d_name, err);
        return r;
}

/* The image store holds what the cache names and nothing else for builds, whatever was killed in
 * between. */
static int hold_chains(Builder *builder, Error *err) {
        ImageStore *images = builder->engine->images;
        _cleanup_strv_ char **chains = NULL;
        int r = build_cache_chains(builder->cache, &chains, err);

        if (r == 0)
                r = image_forget_holders(images, BUILDING "*", err);
        if (r == 0)
                r = image_forget_holders(images, "build:*", err);
        for (char **chain = chains; r == 0 && chain && *chain; chain++) {
                _cleanup_free_ char *holder = str_format("build:%s", *chain);

                r = image_hold_layer(images, *chain, holder, err);
                /* The store drops what was not written out when a daemon was killed. */
                if (r == -ENOENT)
                        r = build_cache_chain_lost(builder->cache, *chain, err);
        }
        return r < 0 ? r : image_release(images, BUILDING, err); /* collects what is left */
}

static void refill(void *engine) {
        room_refill(engine);
}

int builder_new(Engine *engine, Builder **ret, Error *err) {
        Builder *builder = NEW(Builder);
        _cleanup_close_ int scratch_fd = -1;

        builder->engine = engine;
        builder->dir_fd = builder->layers_fd = builder->run_fd = -1;
        builder->contexts_fd = builder->removed_fd = -1;
        remover_init(&builder->remover, "builder");
        (void)pthread_rwlock_init(&builder->moving, NULL);
        (void)sem_init(&builder->slots, 0, STEPS_AT_ONCE);
        builder->flights = flights_new();
        int r = dir_open_at(engine->data_root_fd, "build", 0710, &builder->dir_fd, err);
        if (r == 0)
                r = dir_open_at(engine->exec_root_fd, "build", 0700, &builder->run_fd, err);
        if (r == 0)
                r = detach_all(builder, err);
        if (r == 0)
                r = dir_open_at(builder->dir_fd, "scratch/fs", 0755, &scratch_fd, err);
        if (r == 0)
                r = build_contexts_open(builder, err);
        if (r == 0)
                r = build_cache_open(builder->dir_fd, &builder->cache, err);
        if (r == 0)
                build_cache_on_removed(builder->cache, refill, engine);
        if (r == 0)
                remover_on_idle(&builder->remover, refill, engine);
        if (r == 0)
                r = dir_open_at(builder->dir_fd, "layers", 0710, &builder->layers_fd, err);
        if (r == 0)
                r = hold_chains(builder, err);
        if (r == 0)
                r = collector_start(builder, err);
        if (r < 0)
                builder = builder_free(builder);
        *ret = builder;
        return r;
}

void builder_hurry(Builder *builder) {
        build_cache_hurry(builder->cache);
}

Builder *builder_free(Builder *builder) {
        if (!builder)
                return NULL;
        collector_stop(builder);
        remover_done(&builder->remover);
        build_cache_free(builder->cache);
        flights_free(builder->flights);
        map_done(&builder->moved, free);
        close_fd(&builder->dir_fd);
        close_fd(&builder->layers_fd);
        close_fd(&builder->contexts_fd);
        close_fd(&builder->removed_fd);
        close_fd(&builder->run_fd);
        (void)pthread_rwlock_destroy(&builder->moving);
        (void)sem_destroy(&builder->slots);
        free(builder);
        return NULL;
}

/* ---- events ---- */

int build_event(Build *build, const BuildEvent *event) {
        BuildEvent dated = *event;
        int r;

        dated.time = clock_now();
        (void)pthread_mutex_lock(&build->event_lock);
        r = build->sink(build->data, &dated);
        (void)pthread_mutex_unlock(&build->event_lock);
        return r;
}

/* The instruction as it is written, which classic clients show; a trigger of the base has the place
 * of FROM and no text in the file. */
static const char *as_written(const Build *build, const SolveEvent *event) {
        for (size_t i = 0; event->instruction && event->at.line && i < build->file->count; i++) {
                const Instruction *instruction = &build->file->instructions[i];

                if (instruction->at.line == event->at.line &&
                    str_after(event->instruction, instruction_name(instruction->kind)))
                        return instruction->text;
        }
        return event->instruction;
}

/* ARG before the first FROM: no step of a stage, but one to classic clients. A line each. */
static char *global_args(const Dockerfile *file) {
        Buf lines = {};

        for (size_t i = 0; i < file->count && file->instructions[i].kind == INSTRUCTION_ARG; i++)
                buf_format(&lines, "%s\n", file->instructions[i].text);
        return buf_take(&lines);
}

static int on_event(void *data, const SolveEvent *event) {
        static const BuildEventKind kinds[] = {
                [SOLVE_PLANNED] = BUILD_PLANNED, [SOLVE_STARTED] = BUILD_STARTED,
                [SOLVE_CACHED] = BUILD_CACHED,   [SOLVE_OUTPUT] = BUILD_OUTPUT,
                [SOLVE_STATUS] = BUILD_STATUS,   [SOLVE_DONE] = BUILD_DONE,
                [SOLVE_FAILED] = BUILD_FAILED,   [SOLVE_READING] = BUILD_READING,
        };
        Build *build = data;
        _cleanup_free_ char *args = event->kind == SOLVE_PLANNED ? global_args(build->file) : NULL;
        const BuildEvent told = { .kind = kinds[event->kind],
                                  .step = event->step,
                                  .written = event->written,
                                  .trigger = event->trigger,
                                  .triggers = event->triggers,
                                  .name = event->name,
                                  .instruction = as_written(build, event),
                                  .why = event->why,
                                  .text = str_empty(args) ? event->text : args,
                                  .status = event->status,
                                  .layer = event->layer,
                                  .length = event->length,
                                  .inputs = event->inputs,
                                  .input_count = event->input_count,
                                  .stream = event->stream,
                                  .current = event->current,
                                  .total = event->total,
                                  .container = event->container,
                                  .exit_code = event->exit_code,
                                  .command = event->command,
                                  .at = event->at };

        return build_event(build, &told);
}

/* ---- one build ---- */

int build_findings(Build *build, const LintOptions *options, const Findings *findings, Error *err) {
        for (size_t i = 0; i < findings->count; i++) {
                _cleanup_free_ char *text =
                        str_format("%s: %s", findings->list[i].rule, findings->list[i].detail);
                const BuildEvent event = { .kind = BUILD_WARNING,
                                           .text = text,
                                           .length = strlen(text),
                                           .at = findings->list[i].at };

                if (build_event(build, &event) < 0)
                        return error_set(err, ECANCELED, "the build was cancelled");
        }
        if (findings->count > 0 && dockerfile_lint_fails(build->file, options))
                return error_kind(err, ERROR_INVALID,
                                  "lint violation found for rules: %s (check=error=true)",
                                  findings->list[0].rule);
        return 0;
}

static int check(Build *build, const char *platform, Error *err) {
        const BuildRequest *request = build->request;
        const BuildTree *tree = build_tree(build, "");
        const LintOptions options = { .build_args = request->args,
                                      .platform = platform,
                                      .target = request->target,
                                      .ignored = tree ? tree->ignored : NULL };
        _cleanup_(findings_done) Findings findings = {};
        int r = dockerfile_lint(build->file, &options, &findings, err);
        Error why = {};
        int told = build_findings(build, &options, &findings, r < 0 ? &why : err);

        return r < 0 ? r : told;
}

/* What is wrong with the lines before the one that cannot be read is told all the same. */
static int read_file(Build *build, const char *text, size_t length, Dockerfile *file, Error *err) {
        const char *name = str_empty(build->request->dockerfile_name)
                                   ? "Dockerfile"
                                   : build->request->dockerfile_name;
        Error why = {};
        int r = dockerfile_parse(name, text, length, file, err);

        build->file = file;
        if (r == 0)
                return 0;
        dockerfile_parse_start(name, text, length, file);
        (void)check(build, build->platforms ? build->platforms[0] : NULL, &why);
        return r;
}

static const char *context_url(const BuildRequest *request) {
        for (size_t i = 0; i < request->context_count; i++)
                if (!*request->contexts[i].name)
                        return request->contexts[i].url;
        return NULL;
}

/* The repository of the first tag, without its version; the caller's. */
static char *repository_of(const BuildRequest *request) {
        const char *tag = request->tags ? request->tags[0] : NULL, *colon, *slash;

        if (!tag)
                return str_copy("");
        colon = strrchr(tag, ':');
        slash = strrchr(tag, '/');
        return colon && (!slash || colon > slash) ? str_copy_n(tag, (size_t)(colon - tag))
                                                  : str_copy(tag);
}

/* What tells this Dockerfile from others: the directory or the URL that it builds; of an archive,
 * whose directory is another each time, what the image is called. Never the tag's version, which
 * may be another for each build. */
static char *project_of(const Build *build) {
        const BuildRequest *request = build->request;
        const BuildTree *tree = build_tree(build, "");
        _cleanup_free_ char *repository = NULL;
        char link[32], path[PATH_MAX];
        const char *url = context_url(request);
        ssize_t n = -1;

        if (tree && !tree->unpacked && !url) {
                (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", tree->tree.root_fd);
                n = readlink(link, path, sizeof(path) - 1);
        }
        repository = n > 0 || url ? str_copy("") : repository_of(request);
        return str_format("%s\n%.*s\n%s\n%s", request->dockerfile_name ?: "", n > 0 ? (int)n : 0,
                          path, repository, url ?: "");
}

static char **context_names(const BuildRequest *request) {
        char **names = NULL;

        for (size_t i = 0; i < request->context_count; i++)
                if (*request->contexts[i].name)
                        strv_add(&names, request->contexts[i].name);
        return names;
}

/* Each once, under the name that images have for it. */
static int read_platforms(Build *build, Error *err) {
        char *const *given = build->request->platforms;

        for (; given && *given; given++) {
                _cleanup_free_ char *platform = NULL;
                int r = platform_normal(*given, &platform, err);

                if (r < 0)
                        return r;
                if (!strv_has(build->platforms, platform))
                        strv_add(&build->platforms, platform);
        }
        return 0;
}

static int make_plan(const Build *build, const char *platform, Plan **ret, Error *err) {
        const BuildRequest *request = build->request;
        _cleanup_free_ char *host = build_host_platform();
        _cleanup_strv_ char **contexts = context_names(request);
        PlanOptions options = { .args = request->args,
                                .target = request->target,
                                .build_platform = host,
                                .target_platform = platform,
                                .contexts = contexts,
                                .no_cache_filter = request->no_cache_filter,
                                .network = request->network,
                                .labels = request->labels,
                                .source_date_epoch = -1,
                                .no_cache = request->no_cache };
        BuildGrants grants = {};

        build_grant(build, &grants, options.grants);
        int r = plan_new(build->file, &options, ret, err);
        build_grants_done(&grants);
        return r;
}

/* ---- what is built, once for each platform ---- */

typedef struct Targets {
        size_t count;
        Plan **plans;
        SolveResult *results;
} Targets;

static void targets_done(Targets *targets) {
        for (size_t i = 0; i < targets->count; i++) {
                solve_result_done(&targets->results[i]);
                plan_free(targets->plans[i]);
        }
        free(targets->plans);
        free(targets->results);
}

static int make_plans(const Build *build, Targets *targets, Error *err) {
        int r = build_network_find(build, err);

        targets->count = MAX(strv_length(build->platforms), (size_t)1);
        targets->plans = NEW_ARRAY(Plan *, targets->count);
        targets->results = NEW_ARRAY(SolveResult, targets->count);
        for (size_t i = 0; r == 0 && i < targets->count; i++)
                r = make_plan(build, build->platforms ? build->platforms[i] : NULL,
                              &targets->plans[i], err);
        return r;
}

/* Of hosts the names alone: where a service of the build lies today is nothing that a step was made
 * of, as BuildKit has it. */
static char **given_to_run(const BuildRequest *request) {
        const Ulimit *ulimits = request->ulimits.items;
        char **given = NULL;

        for (char *const *host = request->extra_hosts; host && *host; host++)
                strv_format(&given, "host %.*s", (int)strcspn(*host, ":"), *host);
        for (size_t i = 0; i < request->ulimits.count; i++)
                strv_format(&given, "ulimit %s=%lld:%lld", ulimits[i].name,
                            (long long)ulimits[i].soft, (long long)ulimits[i].hard);
        if (request->shm_size)
                strv_format(&given, "shm %lld", (long long)request->shm_size);
        return given;
}

static bool solve_cancelled(void *data) {
        return build_cancelled(data);
}

static int solve_plans(Build *build, Targets *targets, Error *err) {
        _cleanup_free_ char *project = project_of(build);
        _cleanup_strv_ char **given = given_to_run(build->request);
        SolveOptions options = { .cache = build->builder->cache,
                                 .flights = build->builder->flights,
                                 .worker = build_worker,
                                 .project = project,
                                 .given = given,
                                 .no_cache = build->request->no_cache,
                                 .event = on_event,
                                 .cancelled = solve_cancelled,
                                 .data = build };

        options.worker.data = build;
        if (build->request->cache_from_alone && build->request->cache_from_count > 0)
                options.worker.trusts = build_trusts;
        return solve(targets->plans, targets->count, &options, targets->results, err);
}

/* The plans are of one file: what one of them does not ask for, none does. */
static int warn_unused(Build *build, const Plan *plan) {
        _cleanup_strv_ char **unused = plan_unused_args(plan);
        _cleanup_free_ char *names = unused ? strv_join(unused, " ") : NULL;
        _cleanup_free_ char *text =
                str_format("One or more build-args [%s] were not consumed", names ?: "");
        const BuildEvent event = { .kind = BUILD_WARNING, .text = text, .length = strlen(text) };

        return unused && *unused ? build_event(build, &event) : 0;
}

static void build_done(Build *build) {
        Error error = {};

        for (Download *download = build->downloads; download;) {
                Download *next = download->next;

                download_free(download);
                download = next;
        }
        build_close_contexts(build);
        build_git_done(build);
        strv_free(build->platforms);
        strv_free(build->mismatches);
        strv_free(build->layouts_told);
        build_close_imports(build);
        build_cache_flush(build->builder->cache);
        if (image_release(build->engine->images, build->holder, &error) < 0)
                log_error("let go of a build's images: %s", error.message);
        builder_collect(build->builder);
        (void)pthread_mutex_destroy(&build->lock);
        (void)pthread_mutex_destroy(&build->event_lock);
}

static int build_file(Build *build, char **ret_id, Error *err) {
        _cleanup_(targets_done) Targets targets = {};
        int r = build_check_annotations(build, err);

        if (r == 0)
                r = check(build, build->platforms ? build->platforms[0] : NULL, err);
        if (r == 0)
                r = make_plans(build, &targets, err);
        if (r == 0)
                r = build_open_imports(build, err);
        if (r == 0)
                r = solve_plans(build, &targets, err);
        if (r == 0 && warn_unused(build, targets.plans[0]) < 0)
                r = error_set(err, ECANCELED, "the build was cancelled");
        if (r < 0)
                return r;
        return targets.count == 1
                       ? build_export(build, targets.plans[0], &targets.results[0], ret_id, err)
                       : build_export_platforms(build, targets.plans, targets.results, ret_id, err);
}

/* Whether it is the place of an output or of a cache that has no room. */
static bool client_is_full(const BuildRequest *request) {
        for (size_t i = 0; i < request->output_count; i++)
                if (request->outputs[i].fd >= 0 && room_is_full(request->outputs[i].fd))
                        return true;
        for (size_t i = 0; i < request->cache_to_count; i++)
                if (request->cache_to[i].kind == BUILD_CACHE_LOCAL &&
                    room_is_full(request->cache_to[i].dir_fd))
                        return true;
        return false;
}

int engine_build(Engine *engine, const BuildRequest *request, BuildSink sink, void *data,
                 int cancel_fd, char **ret_id, Error *err) {
        _cleanup_(build_done) Build build = { .engine = engine,
                                              .builder = engine->builder,
                                              .request = request,
                                              .sink = sink,
                                              .data = data,
                                              .cancel_fd = cancel_fd,
                                              .lock = PTHREAD_MUTEX_INITIALIZER,
                                              .event_lock = PTHREAD_MUTEX_INITIALIZER };
        _cleanup_(dockerfile_done) Dockerfile file = {};
        _cleanup_free_ char *text = NULL;
        char id[ID_LENGTH + 1];
        size_t length = 0;

        id_new(id);
        (void)snprintf(build.holder, sizeof(build.holder), BUILDING "%.32s", id);
        *ret_id = NULL;
        int r = read_platforms(&build, err);
        if (r == 0)
                r = build_open_contexts(&build, err);
        if (r == 0)
                r = build_read_dockerfile(&build, &text, &length, err);
        if (r == 0 && request->texts)
                return build_tell_texts(&build, text, length, err);
        if (r == 0)
                r = build_read_ignore(&build, err);
        if (r == 0)
                r = read_file(&build, text, length, &file, err);
        if (r == 0)
                r = build_file(&build, ret_id, err);
        if (r < 0)
                /* What the client has no room for is the client's to see to. */
                room_explain(engine, !build.delivering || !client_is_full(request), err);
        return r;
}
