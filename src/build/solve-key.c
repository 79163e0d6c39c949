/* solve-key.c: what a step's key is made of. A key is the digest of a text of named parts, each
 * name, which may be a Dockerfile's, and each value with its length before it, so that no two lists
 * of parts give one text. docs/build.md, "Keys". */
#include "base/bug.h"
#include "base/clock.h"
#include "build/solve-private.h"

/* Raised when the meaning of a key changes: older records are found no more. */
#define KEY_VERSION "brig-build-4"

typedef struct KeyText {
        Buf text;
        CacheParts *parts; /* or NULL */
        Buf instruction;   /* for parts: all that the Dockerfile itself says */
} KeyText;

static void put(Buf *text, const char *name, const char *value) {
        buf_format(text, "%zu:%s:%zu:%s;", strlen(name), name, value ? strlen(value) : 0,
                   value ?: "");
}

/* Something that the instruction says. */
static void key_say(KeyText *key, const char *name, const char *value) {
        put(&key->text, name, value);
        put(&key->instruction, name, value);
}

static void key_say_number(KeyText *key, const char *name, int64_t value) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%lld", (long long)value);
        key_say(key, name, text);
}

static void key_say_list(KeyText *key, const char *name, char *const *list) {
        for (; list && *list; list++)
                key_say(key, name, *list);
}

/* Something that lies outside of it: told apart when a miss is explained. */
static void key_depend(KeyText *key, const char *name, const char *value) {
        put(&key->text, name, value);
        if (key->parts)
                pairs_put(&key->parts->items, name, value ?: "");
}

static void key_done(KeyText *key) {
        buf_done(&key->text);
        buf_done(&key->instruction);
}

/* ---- inputs ---- */

size_t step_input_count(const Step *step) {
        if (step->kind == STEP_RUN)
                return step->run.mount_count;
        return step->kind == STEP_COPY ? 1 : 0;
}

const Input *step_input(const Step *step, size_t index) {
        return step->kind == STEP_RUN ? &step->run.mounts[index].from : &step->copy.from;
}

bool step_reads_files(const Step *step, size_t index) {
        if (step->kind == STEP_RUN)
                return step->run.mounts[index].kind == MOUNT_BIND;
        for (size_t i = 0; i < step->copy.source_count; i++)
                if (step->copy.sources[i].kind == COPY_FILES)
                        return true;
        return false;
}

bool step_is_linked(const Step *step) {
        return step->kind == STEP_COPY && copy_is_linked(&step->copy);
}

int input_open(const StageState *stage, const Input *input, SolveInput *ret, Error *err) {
        Solver *solver = stage->solver;
        const SolveWorker *worker = &solver->options->worker;
        NamedImage *image = stage_image(stage, input);
        int r;

        if (input->kind == INPUT_STAGE) {
                const StageState *from = stage_at(stage, input->stage);

                r = image_bring(solver, stage_root(from), err);
                if (r == 0)
                        ret->layers = stage_layers(from, from->plan.step_count);
                return r;
        }
        if (image) {
                r = image_bring(solver, image, err);
                if (r == 0)
                        ret->layers = strv_copy(image->image.layers);
                return r;
        }
        if (input->kind == INPUT_CONTEXT)
                return worker->context(worker->data, input->name, &ret->tree, err);
        return 0;
}

/* What a step selects of its input: the caller frees the list, not what is in it. */
static char **selected_patterns(const Step *step, size_t index, SelectOptions *ret) {
        const CopyStep *copy = &step->copy;
        size_t count = 0;
        char **patterns;

        *ret = (SelectOptions){};
        if (step->kind == STEP_RUN) {
                patterns = NEW_ARRAY(char *, 2);
                patterns[0] = step->run.mounts[index].source;
                ret->literal = ret->itself = true;
        } else {
                patterns = NEW_ARRAY(char *, copy->source_count + 1);
                for (size_t i = 0; i < copy->source_count; i++)
                        if (copy->sources[i].kind == COPY_FILES)
                                patterns[count++] = copy->sources[i].path;
                ret->excludes = copy->excludes;
                ret->parents = copy->parents;
                ret->allow_nothing = true;
                ret->chmod = copy->chmod;
                ret->chown = copy->chown != NULL;
        }
        ret->patterns = patterns;
        return patterns;
}

#define READING_TOLD ((int64_t)16 << 20) /* bytes; less is read before anybody would wonder */
#define READING_PAUSE (100 * NSEC_PER_MSEC)

typedef struct Reading {
        CacheParts *parts; /* NULL: nobody asks */
        Solver *solver;
        const char *name;     /* what it is called in events; NULL: none is sent */
        pthread_mutex_t lock; /* guards what follows */
        int64_t bytes, told_at;
        size_t number;
} Reading;

static void add_entry(void *data, const char *path, const char *digest) {
        cache_parts_file(((Reading *)data)->parts, path, digest);
}

static bool reading_cancelled(void *data) {
        return solver_cancelled(((Reading *)data)->solver);
}

static void tell_reading(Reading *reading, int64_t total) {
        const SolveEvent event = { .kind = SOLVE_READING,
                                   .step = reading->number,
                                   .name = reading->name,
                                   .current = reading->bytes,
                                   .total = total };

        (void)solver_event(reading->solver, &event, NULL);
}

static void on_read(void *data, size_t bytes) {
        Reading *reading = data;
        int64_t now;

        (void)pthread_mutex_lock(&reading->lock);
        reading->bytes += (int64_t)bytes;
        now = reading->bytes >= READING_TOLD ? clock_monotonic() : 0;
        if (now > 0 && reading->told_at == 0)
                reading->number = atomic_fetch_add(&reading->solver->readings, 1);
        if (now > 0 && (reading->told_at == 0 || now >= reading->told_at + READING_PAUSE)) {
                reading->told_at = now;
                tell_reading(reading, 0);
        }
        (void)pthread_mutex_unlock(&reading->lock);
}

/* As BuildKit calls it. The caller's; NULL: it is no context. */
static char *reading_name(const Input *input) {
        if (input->kind != INPUT_CONTEXT)
                return NULL;
        return str_empty(input->name) ? str_copy("[internal] load build context")
                                      : str_format("[context %s] load", input->name);
}

static int digest_tree(const StageState *stage, size_t index, size_t number, const Tree *tree,
                       CacheParts *parts, char digest[DIGEST_TEXT_MAX], Error *err) {
        _cleanup_(selection_done) Selection selection = {};
        _cleanup_free_ char *name = reading_name(step_input(&stage->plan.steps[index], number));
        Reading reading = { .parts = parts,
                            .solver = stage->solver,
                            .name = name,
                            .lock = PTHREAD_MUTEX_INITIALIZER };
        SelectOptions options;
        _cleanup_free_ UNUSED char **patterns =
                selected_patterns(&stage->plan.steps[index], number, &options);
        const TreeJob job = { .sink = parts ? add_entry : NULL,
                              .cancelled = reading_cancelled,
                              .read = name ? on_read : NULL,
                              .data = &reading };
        int r = tree_select(tree, &options, &selection, err);

        if (r == 0)
                r = tree_digest(tree, &selection, &options, &job, digest, err);
        if (reading.told_at > 0)
                tell_reading(&reading, reading.bytes);
        return r;
}

static int digest_layers(const StageState *stage, size_t index, size_t number, char *const *layers,
                         CacheParts *parts, char digest[DIGEST_TEXT_MAX], Error *err) {
        const SolveWorker *worker = &stage->solver->options->worker;
        _cleanup_close_ int root_fd = -1;
        int r = worker->open(worker->data, layers, &root_fd, err);

        if (r < 0)
                return r;
        const Tree tree = { .root_fd = root_fd };
        return digest_tree(stage, index, number, &tree, parts, digest, err);
}

/* The key of what an input is made of; "": not known yet. */
static const char *made_of(const StageState *stage, const Input *input) {
        const NamedImage *image = stage_image(stage, input);

        if (input->kind == INPUT_STAGE)
                return stage_at(stage, input->stage)->key;
        return image ? image->image.key : "scratch";
}

/* What the step reads of an input, which must be there; read once a build, but for parts. */
static int read_input(const StageState *stage, size_t index, size_t number, CacheParts *parts,
                      char digest[DIGEST_TEXT_MAX], Error *err) {
        const Step *step = &stage->plan.steps[index];
        StepState *state = &stage->steps[index];
        _cleanup_(solve_input_done) SolveInput opened = {};
        int r;

        if (!state->digests)
                state->digests = alloc_zero(step_input_count(step), sizeof(*state->digests));
        memcpy(digest, state->digests[number], DIGEST_TEXT_MAX);
        if (*digest && !parts)
                return 0;
        r = input_open(stage, step_input(step, number), &opened, err);
        if (r == 0 && opened.tree)
                r = digest_tree(stage, index, number, opened.tree, parts, digest, err);
        else if (r == 0)
                r = digest_layers(stage, index, number, opened.layers, parts, digest, err);
        if (r == 0)
                memcpy(state->digests[number], digest, DIGEST_TEXT_MAX);
        return r;
}

/* What was changed last is most likely what the step found changed. */
static int refuse_changed(const StageState *stage, size_t index, size_t number, const Tree *tree,
                          Error *err) {
        const Step *step = &stage->plan.steps[index];
        _cleanup_(selection_done) Selection selection = {};
        _cleanup_free_ char *newest = NULL;
        SelectOptions options;
        _cleanup_free_ UNUSED char **patterns = selected_patterns(step, number, &options);

        if (tree_select(tree, &options, &selection, NULL) == 0)
                (void)tree_newest(tree, &selection, &options, &newest, NULL);
        return error_kind(
                err, ERROR_CONFLICT,
                "files of the build context were changed (last: '%.200s') while \"%.200s\" "
                "read them: build again, or name what changes in .dockerignore",
                str_empty(newest) ? "." : newest, step->text);
}

int step_check_contexts(const StageState *stage, size_t index, Error *err) {
        const Step *step = &stage->plan.steps[index];
        const StepState *state = &stage->steps[index];

        for (size_t i = 0; i < step_input_count(step); i++) {
                _cleanup_(solve_input_done) SolveInput opened = {};
                char digest[DIGEST_TEXT_MAX];
                int r;

                if (!step_reads_files(step, i) || step_input(step, i)->kind != INPUT_CONTEXT)
                        continue;
                r = input_open(stage, step_input(step, i), &opened, err);
                if (r < 0)
                        return r;
                if (!opened.tree)
                        continue;
                r = digest_tree(stage, index, i, opened.tree, NULL, digest, err);
                if (r < 0)
                        return r;
                if (!str_equal(digest, state->digests[i]))
                        return refuse_changed(stage, index, i, opened.tree, err);
        }
        return 0;
}

static void explain_source(const StageState *stage, const Input *input, CacheParts *parts) {
        const char *name = input_image_name(stage->solver, input);
        _cleanup_free_ char *part = NULL;

        if (!parts)
                return;
        if (input->kind == INPUT_STAGE)
                name = stage_at(stage, input->stage)->stage->name;
        part = str_format("from %s", name ?: "scratch");
        pairs_put(&parts->items, part, made_of(stage, input));
}

/* Which of its files are meant: where a key says what an input is made of, not what is read. */
static void say_selection(KeyText *key, const Step *step) {
        for (size_t i = 0; step->kind == STEP_COPY && i < step->copy.source_count; i++)
                if (step->copy.sources[i].kind == COPY_FILES)
                        put(&key->text, "select", step->copy.sources[i].path);
}

/* One input into both keys. */
static int add_input(const StageState *stage, size_t index, size_t number, bool by_content,
                     KeyText *def, KeyText *content, Error *err) {
        const Step *step = &stage->plan.steps[index];
        const Input *input = step_input(step, number);
        bool is_tree = input->kind == INPUT_CONTEXT && !input_image_name(stage->solver, input);
        char digest[DIGEST_TEXT_MAX];
        int r;

        if (!step_reads_files(step, number))
                return 0;
        if (!is_tree) {
                put(&def->text, "made of", made_of(stage, input));
                say_selection(def, step);
                explain_source(stage, input, content->parts);
                if (!by_content)
                        return 0;
        }
        r = read_input(stage, index, number, content->parts, digest, err);
        if (r < 0)
                return r;
        if (is_tree)
                put(&def->text, "files", digest);
        put(&content->text, "files", digest);
        return 0;
}

/* ---- steps ---- */

static void say_mount(KeyText *key, const RunMount *mount) {
        key_say_number(key, "mount", mount->kind);
        key_say(key, "target", mount->target);
        key_say(key, "env", mount->env);
        key_say(key, "readonly", mount->readonly ? "1" : "");
        if (mount->kind == MOUNT_BIND)
                key_say(key, "source", mount->source);
        if (mount->kind == MOUNT_TMPFS)
                key_say_number(key, "size", mount->size);
        if (mount->kind == MOUNT_BIND || mount->kind == MOUNT_TMPFS)
                return;
        if (mount->kind != MOUNT_CACHE) /* whose content is no part of it either */
                key_say(key, "id", mount->id);
        key_say_number(key, "uid", mount->uid);
        key_say_number(key, "gid", mount->gid);
        key_say_number(key, "mode", mount->mode);
}

static void say_run(KeyText *key, const RunStep *run, char *const *given) {
        key_say_list(key, "arg", run->argv);
        for (char *const *item = run->env; item && *item; item++) {
                const char *equals = strchr(*item, '=');
                _cleanup_free_ char *name =
                        str_copy_n(*item, equals ? (size_t)(equals - *item) : strlen(*item));
                _cleanup_free_ char *part = str_format("variable %s", name);

                if (!strv_has(run->volatile_env, name))
                        key_depend(key, part, equals ? equals + 1 : "");
        }
        key_depend(key, "network", run->network);
        if (run->insecure)
                key_depend(key, "security", "insecure");
        key_say(key, "script path", run->script_path);
        key_say(key, "script", run->script);
        for (size_t i = 0; i < run->mount_count; i++)
                say_mount(key, &run->mounts[i]);
        for (; given && *given; given++)
                key_depend(key, *given, "");
}

static void git_done(SolveGit *git) {
        free(git->files);
        free(git->whose);
}

/* The commit and the directory, by whatever address they are got. */
static int say_git(const StageState *stage, KeyText *key, const CopyStep *copy,
                   const CopySource *source, Error *err) {
        const SolveWorker *worker = &stage->solver->options->worker;
        _cleanup_(git_done) SolveGit git = {};
        _cleanup_free_ char *part = str_format("git %s", source->content);
        _cleanup_free_ char *user = str_format("git-user %s", source->content);
        char whose[DIGEST_TEXT_MAX];
        int r = worker->git(worker->data, source->path, copy->checksum, copy->keep_git_dir, &git,
                            err);

        if (r < 0)
                return r;
        put(&key->text, "commit", git.files);
        if (*git.whose)
                put(&key->text, "for", git.whose);
        if (key->parts)
                pairs_put(&key->parts->items, part, git.files);
        digest_of(git.whose, strlen(git.whose), whose);
        if (key->parts && *git.whose)
                pairs_put(&key->parts->items, user, whose);
        return 0;
}

static int say_source(const StageState *stage, KeyText *key, const CopyStep *copy,
                      const CopySource *source, Error *err) {
        char digest[DIGEST_TEXT_MAX];
        int r;

        key_say_number(key, "source", source->kind);
        if (source->kind == COPY_FILES)
                return 0; /* the digest has the names that the files get */
        if (source->kind == COPY_GIT)
                return say_git(stage, key, copy, source, err);
        key_say(key, "path", source->path);
        key_say(key, "content", source->content);
        if (source->kind == COPY_INLINE)
                return 0;
        r = solver_fetched(stage->solver, source->path, copy->checksum, digest, err);
        if (r == 0)
                key_depend(key, source->path, digest);
        return r;
}

static int say_copy(const StageState *stage, KeyText *key, const CopyStep *copy, Error *err) {
        int r = 0;

        key_say(key, "copy", copy->add ? "add" : "copy");
        key_say(key, "dest", copy->dest);
        key_say(key, "chown", copy->chown);
        key_say(key, "chmod", copy->chmod);
        key_say_list(key, "exclude", copy->excludes);
        key_say(key, "link", copy->link ? "1" : "");
        key_say(key, "parents", copy->parents ? "1" : "");
        key_say(key, "git", copy->keep_git_dir ? "1" : "");
        key_say(key, "unpack", copy->unpack ? (*copy->unpack ? "1" : "0") : "");
        for (size_t i = 0; r == 0 && i < copy->source_count; i++)
                r = say_source(stage, key, copy, &copy->sources[i], err);
        return r;
}

static int say_step(const StageState *stage, KeyText *key, const Step *step, const char *parent,
                    Error *err) {
        int r = 0;

        key_say(key, "version", KEY_VERSION);
        key_say_number(key, "kind", step->kind);
        key_say(key, "platform", stage->stage->platform);
        key_say_number(key, "epoch", plan_source_date_epoch(stage->branch->plan));
        if (step->kind == STEP_RUN) {
                key_say(key, "user", step->user);
                key_say(key, "cwd", step->cwd);
                say_run(key, &step->run, stage->solver->options->given);
        } else if (step->kind == STEP_COPY) {
                r = say_copy(stage, key, &step->copy, err);
        } else {
                key_say(key, "workdir", step->workdir);
                key_say(key, "user", step->user);
        }
        if (!step_is_linked(step))
                key_depend(key, parent == stage->base_key ? "base" : "before", parent);
        return r;
}

static void finish(const KeyText *key, char digest[DIGEST_TEXT_MAX]) {
        digest_of(key->text.data ?: "", key->text.length, digest);
}

bool step_is_certain(const StageState *stage, size_t index) {
        const Step *step = &stage->plan.steps[index];

        for (size_t i = 0; i < step_input_count(step); i++)
                if (step_reads_files(step, i) && (step_input(step, i)->kind == INPUT_STAGE ||
                                                  stage_image(stage, step_input(step, i))))
                        return false;
        return *stage->base_key != '\0';
}

/* Whether all that the inputs are made of is known. */
static bool inputs_known(const StageState *stage, const Step *step) {
        for (size_t i = 0; i < step_input_count(step); i++)
                if (step_reads_files(step, i) && !*made_of(stage, step_input(step, i)))
                        return false;
        return true;
}

int step_keys(const StageState *stage, size_t index, const char *parent, bool by_content,
              StepKeys *ret, CacheParts *parts, Error *err) {
        const Step *step = &stage->plan.steps[index];
        _cleanup_(key_done) KeyText def = {}, content = { .parts = parts };
        char instruction[DIGEST_TEXT_MAX];
        int r = say_step(stage, &content, step, parent, err);

        if (r == 0)
                buf_add(&def.text, content.text.data, content.text.length);
        for (size_t i = 0; r == 0 && i < step_input_count(step); i++)
                r = add_input(stage, index, i, by_content, &def, &content, err);
        if (r < 0)
                return r;
        *ret = (StepKeys){};
        if (inputs_known(stage, step))
                finish(&def, ret->def);
        finish(&content, ret->content);
        if (BUG("build-history")) /* what a history can tell */
                digest_of(step->created_by, strlen(step->created_by), ret->def);
        if (parts) {
                digest_of(content.instruction.data, content.instruction.length, instruction);
                pairs_put(&parts->items, "instruction", instruction);
        }
        return 0;
}
