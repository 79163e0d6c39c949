/* fake-build.c: the fake engine's builds: each target is a script of events. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "api/fake-engine.h"
#include "base/fd.h"
#include "engine/build.h"

char fake_build[8192];
int fake_contexts;
int fake_cancelled;

#define IMAGE "sha256:abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
#define LAYER "sha256:0123456789ab0123456789ab0123456789ab0123456789ab0123456789abcdef"

/* ---- contexts ---- */

int engine_build_context(Engine *engine, int tar_fd, int *ret_dir_fd, Error *err) {
        char path[] = "/tmp/brig-api-test.XXXXXX";
        _cleanup_buf_ Buf text = { 0 };
        _cleanup_close_ int fd = -1;
        int r = fd_read_all(tar_fd, 100000, &text);

        if (r < 0)
                return error_set(err, -r, "read the context");
        if (str_equal(text.data, "bad"))
                return error_kind(err, ERROR_INVALID, "the context is no archive");
        if (!mkdtemp(path) || (fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return error_set(err, errno, "%s", path);
        r = file_replace_at(fd, "Dockerfile", text.data ?: "", text.length, 0600, false, err);
        if (r < 0)
                return r;
        fake_contexts++;
        *ret_dir_fd = TAKE_FD(fd);
        return 0;
}

void engine_build_context_done(Engine *engine, int dir_fd) {
        _cleanup_free_ char *link = str_format("/proc/self/fd/%d", dir_fd);
        char path[64] = "";

        (void)unlinkat(dir_fd, "Dockerfile", 0);
        if (readlink(link, path, sizeof(path) - 1) > 0 && rmdir(path) == 0)
                fake_contexts--;
        close_fd(&dir_fd);
}

/* ---- what was asked ---- */

static Buf asked;

static void note_list(const char *name, char *const *list) {
        _cleanup_free_ char *text = strv_join(list, " ");

        if (list && *list)
                buf_format(&asked, "%s %s\n", name, text);
}

static void note_text(const char *name, const char *text) {
        if (text)
                buf_format(&asked, "%s %s\n", name, text);
}

static void note_number(const char *name, int64_t number) {
        if (number != 0)
                buf_format(&asked, "%s %lld\n", name, (long long)number);
}

static void note_inputs(const BuildRequest *request) {
        for (size_t i = 0; i < request->context_count; i++) {
                const BuildContext *context = &request->contexts[i];
                _cleanup_free_ char *text = NULL;
                size_t length;

                buf_format(&asked, "context '%s' %s%s%s", context->name, context->image ?: "",
                           context->url ?: "", context->tar_fd >= 0 ? "tar" : "");
                if (context->dir_fd >= 0 &&
                    file_read_at(context->dir_fd, "Dockerfile", 1000, &text, &length, NULL) >= 0)
                        buf_format(&asked, "[%s]", text);
                if (context->layout_fd >= 0)
                        buf_format(&asked, " %s:%s@%s", context->path ?: "", context->tag ?: "",
                                   context->digest ?: "");
                buf_add_char(&asked, '\n');
        }
        for (size_t i = 0; i < request->secret_count; i++)
                buf_format(&asked, "secret %s %.*s\n", request->secrets[i].id,
                           (int)request->secrets[i].length, request->secrets[i].data);
        for (size_t i = 0; i < request->ssh_count; i++)
                buf_format(&asked, "ssh %s %d\n", request->ssh[i].id,
                           request->ssh[i].socket_fd >= 0);
        for (size_t i = 0; i < strv_length(request->auth_hosts); i++)
                buf_format(&asked, "auth %s %s %s\n", request->auth_hosts[i],
                           request->auths[i].username ?: "-", request->auths[i].password ?: "-");
        for (size_t i = 0; i < request->ulimits.count; i++) {
                const Ulimit *limit = (const Ulimit *)request->ulimits.items + i;

                buf_format(&asked, "ulimit %s %lld:%lld\n", limit->name, (long long)limit->soft,
                           (long long)limit->hard);
        }
}

static void note_limits(const BuildRequest *request) {
        note_number("shm", request->shm_size);
        note_number("memory", request->memory);
        note_number("swap", request->memory_swap);
        note_number("shares", request->cpu_shares);
        note_number("period", request->cpu_period);
        note_number("quota", request->cpu_quota);
        note_text("cpus", request->cpuset_cpus);
        note_text("mems", request->cpuset_mems);
        note_text("parent", request->cgroup_parent);
        note_number("nocache", request->no_cache);
        note_number("pull", request->pull);
        note_number("texts", request->texts);
}

static void note_annotations(const JsonArray *list) {
        const BuildAnnotation *annotations = list->items;

        for (size_t i = 0; i < list->count; i++)
                buf_format(&asked, " %s%s%s:%s=%s", annotations[i].of,
                           annotations[i].platform ? "@" : "", annotations[i].platform ?: "",
                           annotations[i].key, annotations[i].value);
}

static void note_output(const BuildRequest *request, const BuildOutput *output) {
        buf_format(&asked, "output %s %d owner %d", output->type, output->fd >= 0,
                   request->output_uid == (int64_t)getuid());
        if (output->layout)
                buf_add_str(&asked, " layout");
        if (output->push)
                buf_add_str(&asked, output->by_digest ? " push by digest" : " push");
        for (size_t i = 0; i < strv_length(output->names); i++)
                buf_format(&asked, " %s", output->names[i]);
        if (output->form.compression)
                buf_format(&asked, " form %d level %d", (int)output->form.compression,
                           output->form.has_level ? output->form.level : -1);
        if (output->form.force || output->form.docker)
                buf_format(&asked, " force %d docker %d", output->form.force, output->form.docker);
        note_annotations(&output->annotations);
        buf_add_char(&asked, '\n');
}

static void note_request(const BuildRequest *request) {
        note_text("text", request->dockerfile);
        note_text("file", request->dockerfile_name);
        note_text("ignore", request->ignore);
        note_inputs(request);
        note_list("args", request->args);
        note_list("labels", request->labels);
        note_list("tags", request->tags);
        note_list("filter", request->no_cache_filter);
        note_list("hosts", request->extra_hosts);
        note_list("allow", request->allow);
        note_list("platform", request->platforms);
        note_text("network", request->network);
        note_limits(request);
        note_annotations(&request->annotations);
        if (request->annotations.count > 0)
                buf_add_char(&asked, '\n');
        for (size_t i = 0; i < request->output_count; i++)
                note_output(request, &request->outputs[i]);
        (void)snprintf(fake_build, sizeof(fake_build), "%s", asked.data ?: "");
        buf_done(&asked);
}

/* ---- scripts ---- */

#define STEP(kind_, step_, ...)                                                                    \
        { .kind = kind_, .step = step_, .written = step_, __VA_ARGS__ }
#define PLAN(total_)                                                                               \
        { .kind = BUILD_PLANNED, .total = total_ }
#define START(step_, text_) STEP(BUILD_STARTED, step_, .instruction = text_, .name = "[x] " text_)
#define SAY(step_, text_)                                                                          \
        STEP(BUILD_OUTPUT, step_, .text = text_, .length = sizeof(text_) - 1, .stream = 1)
#define DONE(step_) STEP(BUILD_DONE, step_, .layer = LAYER)

static const BuildEvent plain[] = {
        PLAN(3),
        STEP(BUILD_STATUS, 0, .status = "Downloading", .layer = "aa", .current = 1500,
             .total = 3000),
        STEP(BUILD_CACHED, 0, .instruction = "FROM busybox", .name = "[1/3] FROM busybox",
             .layer = LAYER),
        STEP(BUILD_STARTED, 1, .instruction = "RUN x", .name = "[2/3] RUN x",
             .why = "the command changed", .container = "fedcba9876543210"),
        SAY(1, "hi \"you\"\n"),
        STEP(BUILD_OUTPUT, 1, .text = "o\xffps\n", .length = 5, .stream = 2),
        DONE(1),
        STEP(BUILD_STARTED, 2, .instruction = "CMD x", .name = "[3/3] CMD x"),
        STEP(BUILD_DONE, 2, .layer = ""),
        { .kind = BUILD_WARNING, .text = "a finding", .at = { .line = 2, .end_line = 3 } },
        { .kind = BUILD_WARNING, .text = "no sense" },
        { .kind = BUILD_IMAGE, .text = IMAGE },
        { .kind = BUILD_TAGGED, .text = "docker.io/library/t:latest" },
};

static const BuildEvent arguments[] = {
        { .kind = BUILD_PLANNED, .total = 1, .text = "ARG A=1\nARG b\n" },
        START(0, "FROM x"),
        DONE(0),
        { .kind = BUILD_IMAGE, .text = IMAGE },
};

static const BuildEvent texts[] = {
        { .kind = BUILD_DOCKERFILE, .name = "Dockerfile", .text = "FROM \xff", .length = 6 },
        { .kind = BUILD_IGNORE, .name = ".dockerignore", .text = "*\n", .length = 2 },
};

static const size_t inputs[] = { 0, 7 };
static const BuildEvent reading[] = {
        PLAN(1),
        STEP(BUILD_READING, 3, .name = "[internal] load build context", .current = 17),
        STEP(BUILD_READING, 3, .name = "[internal] load build context", .current = 18, .total = 18),
        STEP(BUILD_CACHED, 0, .instruction = "RUN x", .name = "[x] RUN x", .layer = LAYER,
             .inputs = inputs, .input_count = 2),
        { .kind = BUILD_IMAGE, .text = IMAGE },
};

/* FROM with two triggers, and one step of the Dockerfile's own. */
#define TRIGGER(kind_, step_, left_, ...)                                                          \
        { .kind = kind_, .step = step_, .trigger = true, .triggers = left_, __VA_ARGS__ }
static const BuildEvent triggers[] = {
        { .kind = BUILD_PLANNED, .total = 4, .triggers = 2 },
        STEP(BUILD_STARTED, 0, .instruction = "FROM x", .triggers = 2),
        STEP(BUILD_DONE, 0, .layer = LAYER, .triggers = 2),
        TRIGGER(BUILD_STARTED, 1, 1, .instruction = "ONBUILD RUN a", .container = "c1"),
        TRIGGER(BUILD_OUTPUT, 1, 1, .text = "a1\n", .length = 3, .stream = 1),
        TRIGGER(BUILD_DONE, 1, 1, .layer = LAYER),
        TRIGGER(BUILD_CACHED, 2, 0, .instruction = "ONBUILD RUN b", .layer = LAYER),
        { .kind = BUILD_CACHED, .step = 3, .written = 1, .instruction = "RUN c", .layer = LAYER },
        { .kind = BUILD_IMAGE, .text = IMAGE },
};

static const BuildEvent parallel[] = {
        PLAN(4),           START(2, "RUN c"),
        SAY(2, "c1\n"),    STEP(BUILD_STATUS, 2, .status = "Downloading"),
        START(0, "RUN a"), SAY(0, "a1\n"),
        DONE(2),           START(1, "RUN b"),
        SAY(1, "b1\n"),    SAY(0, "a2\n"),
        DONE(0),           SAY(1, "b2\n"),
        START(3, "RUN d"), SAY(3, "d1\n"),
        DONE(1),           SAY(3, "d2\n"),
        DONE(3),           { .kind = BUILD_IMAGE, .text = IMAGE },
};

static const BuildEvent failing[] = {
        PLAN(4),
        START(0, "RUN a"),
        SAY(0, "a1\n"),
        START(2, "RUN c"),
        SAY(2, "c1\n"),
        START(3, "RUN d"),
        SAY(3, "d1\n"),
        STEP(BUILD_FAILED, 2, .text = "it failed", .exit_code = 7),
        STEP(BUILD_FAILED, 3, .text = "ended by the other", .exit_code = 137),
};

static const BuildEvent begun[] = { PLAN(2), START(0, "RUN a"), SAY(0, "a1\n") };

static int play(const BuildEvent *events, size_t count, BuildSink sink, void *data) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < count; i++)
                r = sink(data, &events[i]);
        return r;
}

/* Step 1 writes that much while step 0 still runs. */
static int play_much(size_t pieces, BuildSink sink, void *data) {
        static char piece[1000];
        const BuildEvent first[] = { PLAN(2), START(1, "RUN b"), START(0, "RUN a") };
        const BuildEvent last[] = { SAY(1, "the last\n"), DONE(0), DONE(1) };
        BuildEvent output =
                STEP(BUILD_OUTPUT, 1, .text = piece, .length = sizeof(piece), .stream = 1);
        int r = play(first, ELEMENTS(first), sink, data);

        for (size_t i = 0; r >= 0 && i < pieces; i++) {
                memset(piece, 'a' + (int)(i % 26), sizeof(piece) - 1);
                piece[sizeof(piece) - 1] = '\n';
                r = sink(data, &output);
        }
        return r < 0 ? r : play(last, ELEMENTS(last), sink, data);
}

static int play_until_left(BuildSink sink, void *data, int cancel_fd, Error *err) {
        struct pollfd wait = { .fd = cancel_fd, .events = POLLRDHUP };

        (void)play(begun, ELEMENTS(begun), sink, data);
        while (poll(&wait, 1, 20000) < 0 && errno == EINTR)
                ;
        if (wait.revents)
                fake_cancelled++;
        (void)error_kind(err, ERROR_UNAVAILABLE, "the build was cancelled");
        return -ECANCELED;
}

int engine_build(Engine *engine, const BuildRequest *request, BuildSink sink, void *data,
                 int cancel_fd, char **ret_id, Error *err) {
        const char *target = request->target ?: "plain";
        int r = 0;

        note_request(request);
        if (str_equal(target, "wait"))
                return play_until_left(sink, data, cancel_fd, err);
        if (str_equal(target, "early"))
                return error_kind(err, ERROR_INVALID, "Dockerfile:1:1: unknown instruction");
        if (str_equal(target, "failing")) {
                (void)play(failing, ELEMENTS(failing), sink, data);
                return error_kind(err, ERROR_INTERNAL,
                                  "The command '/bin/sh -c c' returned a non-zero code: 7");
        }
        if (request->texts)
                r = play(texts, ELEMENTS(texts), sink, data);
        else if (str_equal(target, "reading"))
                r = play(reading, ELEMENTS(reading), sink, data);
        else if (str_equal(target, "plain"))
                r = play(plain, ELEMENTS(plain), sink, data);
        else if (str_equal(target, "arguments"))
                r = play(arguments, ELEMENTS(arguments), sink, data);
        else if (str_equal(target, "triggers"))
                r = play(triggers, ELEMENTS(triggers), sink, data);
        else if (str_equal(target, "parallel"))
                r = play(parallel, ELEMENTS(parallel), sink, data);
        else if (str_equal(target, "much"))
                r = play_much(200, sink, data);
        else if (str_equal(target, "too-much"))
                r = play_much(20000, sink, data);
        if (r < 0)
                return error_set(err, -r, "the client left");
        *ret_id = str_copy(IMAGE);
        return 0;
}

int engine_build_cache_list(Engine *engine, Buf *json, Error *err) {
        buf_add_str(json, "[]");
        return 0;
}

int engine_build_prune(Engine *engine, bool all, int64_t keep, const Filters *filters, Buf *json,
                       Error *err) {
        char *const *until = filters_get(filters, "until");

        (void)snprintf(fake_asked, sizeof(fake_asked), "prune %d %lld %s", all, (long long)keep,
                       until ? until[0] : "-");
        if (filters_get(filters, "wrong"))
                return error_kind(err, ERROR_INVALID, "Invalid filter 'wrong'");
        buf_add_str(json, "{\"CachesDeleted\":[],\"SpaceReclaimed\":0}");
        return 0;
}

int engine_build_mounts_export(Engine *engine, char *const *ids, int fd, Error *err) {
        (void)snprintf(fake_asked, sizeof(fake_asked), "mounts %s", ids ? ids[0] : "-");
        if (ids && str_equal(ids[0], "none"))
                return error_kind(err, ERROR_NOT_FOUND, "no cache mount 'none'");
        return fd_write_full(fd, "archive", 7);
}

int engine_build_mounts_import(Engine *engine, int tar_fd, Buf *json, Error *err) {
        _cleanup_buf_ Buf text = { 0 };

        (void)fd_read_all(tar_fd, 4096, &text);
        (void)snprintf(fake_asked, sizeof(fake_asked), "import %s", text.data ?: "");
        buf_add_str(json, "{\"Mounts\":[\"a\"]}");
        return 0;
}
