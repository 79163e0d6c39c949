/* build-classic.c: what happens in a build as `docker build` tells it without BuildKit: one step
 * after the other. brig runs stages at once, so what a later step says is held back until the steps
 * before it have ended. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>

#include "api/build.h"
#include "api/stream.h"
#include "base/fd.h"
#include "base/id.h"
#include "format/reference.h"

#define HELD_MEMORY ((size_t)64 * 1024)      /* of a step; more goes to a file … */
#define HELD_MAX ((int64_t)16 * 1024 * 1024) /* … and more than that is left out */
#define NO_STEP SIZE_MAX

typedef struct ClassicStep {
        bool ended, clipped;
        Buf held;        /* the last of what is held back … */
        int spill_fd;    /* … and what came before that, or -1 */
        int64_t spilled; /* bytes in it */
        char *container; /* that was told */
} ClassicStep;

struct ClassicBuild {
        HttpExchange *exchange;
        ClassicOptions options;
        ClassicStep *steps;
        size_t count, total;
        size_t args;   /* ARGs before the first FROM, which count as steps */
        size_t front;  /* the step that is heard; in a quiet build it stays the first's turn */
        size_t failed; /* or NO_STEP */
        int exit_code;
        char *command; /* that ended with it; NULL: no program failed */
        Buf tail;      /* what is said once all steps have ended */
};

ClassicBuild *classic_new(HttpExchange *exchange, const ClassicOptions *options) {
        ClassicBuild *build = NEW(ClassicBuild);

        build->exchange = exchange;
        build->options = *options;
        build->failed = NO_STEP;
        return build;
}

static void step_done(ClassicStep *step) {
        buf_done(&step->held);
        close_fd(&step->spill_fd);
        free(step->container);
        step->container = NULL;
}

ClassicBuild *classic_free(ClassicBuild *build) {
        if (!build)
                return NULL;
        for (size_t i = 0; i < build->count; i++)
                step_done(&build->steps[i]);
        free(build->steps);
        buf_done(&build->tail);
        free(build->command);
        free(build);
        return NULL;
}

static ClassicStep *step_of(ClassicBuild *build, size_t number) {
        while (build->count <= number) {
                GROW(build->steps, build->count);
                build->steps[build->count++] = (ClassicStep){ .spill_fd = -1 };
        }
        return &build->steps[number];
}

/* ---- objects ---- */

static void add_stream(Buf *json, const char *text, size_t length) {
        buf_add_str(json, "{\"stream\":");
        text_add_quoted(json, text, length);
        buf_add_str(json, "}\r\n");
}

static void add_line(Buf *json, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_line(Buf *json, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int length;

        va_start(arguments, format);
        length = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (length < 0)
                abort(); /* out of memory, as base/alloc.h has it */
        add_stream(json, text, (size_t)length);
}

static int send_json(ClassicBuild *build, const Buf *json) {
        int r = http_begin(build->exchange, 200, "application/json");

        return r < 0 ? r : http_write(build->exchange, json->data, json->length);
}

/* ---- holding back ---- */

static int open_spill(void) {
        int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        return fd >= 0 ? fd : memfd_create("brig-build-output", MFD_CLOEXEC);
}

static void clip(ClassicStep *step) {
        step->clipped = true;
        add_line(&step->held,
                 "[output clipped: there was more than is kept while earlier steps run]\n");
}

static void hold(ClassicStep *step, const Buf *json) {
        if (step->clipped)
                return;
        if (step->spilled + (int64_t)(step->held.length + json->length) > HELD_MAX) {
                clip(step);
                return;
        }
        buf_add(&step->held, json->data, json->length);
        if (step->held.length <= HELD_MEMORY)
                return;
        if (step->spill_fd < 0)
                step->spill_fd = open_spill();
        if (step->spill_fd < 0 ||
            fd_write_full(step->spill_fd, step->held.data, step->held.length) < 0) {
                clip(step); /* the disk is full: what is in memory is kept */
                return;
        }
        step->spilled += (int64_t)step->held.length;
        buf_clear(&step->held);
}

static int send_spilled(ClassicBuild *build, ClassicStep *step) {
        _cleanup_free_ char *piece = alloc_zero(1, HELD_MEMORY);

        for (int64_t at = 0; at < step->spilled;) {
                size_t want = (size_t)MIN((int64_t)HELD_MEMORY, step->spilled - at);
                ssize_t n = pread(step->spill_fd, piece, want, at);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                r = send_json(build, &(Buf){ .data = piece, .length = (size_t)n });
                if (r < 0)
                        return r;
                at += n;
        }
        return 0;
}

/* Sends what was held of a step. */
static int release(ClassicBuild *build, ClassicStep *step) {
        int r = send_spilled(build, step);

        if (r >= 0 && step->held.length > 0)
                r = send_json(build, &step->held);
        close_fd(&step->spill_fd);
        step->spilled = 0;
        buf_done(&step->held);
        return r;
}

static bool is_heard(const ClassicBuild *build, size_t number) {
        return !build->options.quiet && number == build->front;
}

static int say(ClassicBuild *build, size_t number, const Buf *json) {
        if (json->length == 0)
                return 0;
        if (is_heard(build, number))
                return send_json(build, json);
        hold(step_of(build, number), json);
        return 0;
}

/* The turn goes on to the first step that has not ended. */
static int end_step(ClassicBuild *build, size_t number) {
        step_of(build, number)->ended = true;
        if (build->options.quiet)
                return 0;
        while (build->front < build->count && build->steps[build->front].ended) {
                int r;

                build->front++;
                if (build->front == build->count)
                        break;
                r = release(build, &build->steps[build->front]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- events ---- */

static int on_planned(ClassicBuild *build, const BuildEvent *event) {
        _cleanup_strv_ char **args = event->text ? str_split(event->text, '\n') : NULL;
        _cleanup_buf_ Buf json = { 0 };

        for (char **arg = args; arg && *arg; arg++)
                build->args += **arg != '\0';
        build->total = (size_t)event->total - event->triggers + build->args;
        for (size_t i = 0; i < build->args; i++)
                add_line(&json, "Step %zu/%zu : %s\n", i + 1, build->total, args[i]);
        return build->options.quiet || json.length == 0 ? 0 : send_json(build, &json);
}

/* ONBUILD triggers of the base are no steps: FROM says how many there are. */
static void add_header(const ClassicBuild *build, const BuildEvent *event, Buf *json) {
        if (event->trigger)
                return;
        add_line(json, "Step %zu/%zu : %s", build->args + event->written + 1, build->total,
                 event->instruction);
        add_line(json, "\n");
        if (event->triggers > 0)
                add_line(json, "# Executing %zu build trigger%s\n", event->triggers,
                         event->triggers == 1 ? "" : "s");
}

static int on_started(ClassicBuild *build, const BuildEvent *event) {
        ClassicStep *step = step_of(build, event->step);
        _cleanup_buf_ Buf json = { 0 };

        add_header(build, event, &json);
        if (!str_empty(event->why))
                add_line(&json, " ---> miss: %s\n", event->why);
        if (!str_empty(event->container)) {
                free(step->container);
                step->container =
                        str_copy_n(event->container, MIN(strlen(event->container), ID_SHORT));
                add_line(&json, " ---> Running in %s\n", step->container);
        }
        return say(build, event->step, &json);
}

/* What FROM gives is what the last trigger leaves. */
static void add_layer(const BuildEvent *event, Buf *json) {
        const char *hex = event->layer ? str_after(event->layer, "sha256:") : NULL;

        if (!str_empty(event->layer) && event->triggers == 0)
                add_line(json, " ---> %.*s\n", ID_SHORT, hex ?: event->layer);
}

static int on_cached(ClassicBuild *build, const BuildEvent *event) {
        _cleanup_buf_ Buf json = { 0 };
        int r;

        add_header(build, event, &json);
        add_line(&json, " ---> Using cache\n");
        add_layer(event, &json);
        r = say(build, event->step, &json);
        return r < 0 ? r : end_step(build, event->step);
}

/* Docker's daemon paints what a program writes to its standard error. */
static int on_output(ClassicBuild *build, const BuildEvent *event) {
        _cleanup_buf_ Buf json = { 0 }, text = { 0 };

        if (event->stream == 2)
                buf_add_str(&text, "\033[91m");
        buf_add(&text, event->text, event->length);
        if (event->stream == 2)
                buf_add_str(&text, "\033[0m");
        add_stream(&json, text.data, text.length);
        return say(build, event->step, &json);
}

/* How far a pull got is worth nothing later. */
static int on_status(ClassicBuild *build, const BuildEvent *event) {
        Progress progress = { .exchange = build->exchange };
        ImageProgress step = { .id = event->layer,
                               .status = event->status,
                               .current = event->current,
                               .total = event->total };

        return is_heard(build, event->step) ? progress_send(&progress, &step) : 0;
}

static int on_done(ClassicBuild *build, const BuildEvent *event) {
        ClassicStep *step = step_of(build, event->step);
        _cleanup_buf_ Buf json = { 0 };
        int r;

        if (step->ended)
                return 0;
        if (step->container && build->options.remove)
                add_line(&json, " ---> Removed intermediate container %s\n", step->container);
        add_layer(event, &json);
        r = say(build, event->step, &json);
        return r < 0 ? r : end_step(build, event->step);
}

/* The build's error says how; the others that fail by it are not heard. */
static int on_failed(ClassicBuild *build, const BuildEvent *event) {
        if (build->failed != NO_STEP)
                return 0;
        build->failed = event->step;
        build->exit_code = event->exit_code;
        build->command = event->command ? str_copy(event->command) : NULL;
        return 0;
}

/* Findings of the checks are BuildKit's; Docker's classic builder has none. */
static int on_warning(ClassicBuild *build, const BuildEvent *event) {
        if (event->at.line == 0)
                add_line(&build->tail, "[Warning] %s\n", event->text);
        return 0;
}

static int on_image(ClassicBuild *build, const BuildEvent *event) {
        const char *hex = str_after(event->text, "sha256:");

        add_line(&build->tail, "Successfully built %.*s\n", ID_SHORT, hex ?: event->text);
        return 0;
}

static int on_tagged(ClassicBuild *build, const BuildEvent *event) {
        Reference reference = { 0 };
        _cleanup_free_ char *name = NULL;

        if (reference_parse(event->text, &reference, NULL) >= 0)
                name = reference_familiar(&reference);
        reference_done(&reference);
        add_line(&build->tail, "Successfully tagged %s\n", name ?: event->text);
        return 0;
}

/* Docker's classic builder pulls what it is told to look for again; here layers come when a step
 * needs their files. */
static int on_resolved(ClassicBuild *build, const BuildEvent *event) {
        Progress progress = { .exchange = build->exchange };
        _cleanup_free_ char *digest = str_format("Digest: %s", event->layer);
        _cleanup_free_ char *end = str_format(
                "Status: %s for %s", event->current ? "Image is up to date" : "Newer image is used",
                event->name);
        int r = 0;

        if (!build->options.quiet)
                r = progress_send(&progress, &(ImageProgress){ .status = digest });
        if (!build->options.quiet && r == 0)
                r = progress_send(&progress, &(ImageProgress){ .status = end });
        return r;
}

/* What Docker's form of a request does not ask for, or has no words for. */
static int on_other(ClassicBuild *build, const BuildEvent *event) {
        return 0;
}

int classic_send(void *data, const BuildEvent *event) {
        static int (*const events[])(ClassicBuild *, const BuildEvent *) = {
                [BUILD_PLANNED] = on_planned, [BUILD_STARTED] = on_started,
                [BUILD_CACHED] = on_cached,   [BUILD_OUTPUT] = on_output,
                [BUILD_STATUS] = on_status,   [BUILD_DONE] = on_done,
                [BUILD_FAILED] = on_failed,   [BUILD_WARNING] = on_warning,
                [BUILD_IMAGE] = on_image,     [BUILD_TAGGED] = on_tagged,
                [BUILD_PUSHING] = on_other,   [BUILD_PUSHED] = on_other,
                [BUILD_READING] = on_other,   [BUILD_DOCKERFILE] = on_other,
                [BUILD_IGNORE] = on_other,    [BUILD_RESOLVED] = on_resolved,
        };

        return events[event->kind](data, event);
}

/* ---- the end ---- */

/* What is held of the steps up to `last`, whether they have ended or not. */
static int release_up_to(ClassicBuild *build, size_t last) {
        for (size_t i = build->front; i < build->count && i <= last; i++) {
                int r = release(build, &build->steps[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void send_end(ClassicBuild *build, const char *image) {
        _cleanup_buf_ Buf json = { 0 };

        if (!build->options.quiet && release_up_to(build, build->count) < 0)
                return; /* the client left */
        if (image && build->options.aux) {
                buf_add_str(&json, "{\"aux\":{\"ID\":");
                json_add_quoted(&json, image);
                buf_add_str(&json, "}}\r\n");
        }
        if (!build->options.quiet)
                buf_add(&json, build->tail.data, build->tail.length);
        else if (image)
                add_line(&json, "%s\n", image);
        (void)send_json(build, &json); /* or the client left */
}

/* In the words of Docker's classic builder, which its clients look for. */
static char *what_failed(const ClassicBuild *build, const Error *err) {
        return build->command ? str_format("The command '%s' returned a non-zero code: %d",
                                           build->command, build->exit_code)
                              : str_copy(err->message);
}

static int send_error(ClassicBuild *build, int r, const Error *err) {
        _cleanup_free_ char *message = what_failed(build, err);
        size_t length = strlen(message);
        _cleanup_buf_ Buf json = { 0 };

        if (build->failed != NO_STEP && release_up_to(build, build->failed) < 0)
                return 0; /* the client left */
        if (!http_answered(build->exchange))
                return r;
        buf_add_str(&json, "{\"errorDetail\":{");
        if (build->exit_code != 0)
                buf_format(&json, "\"code\":%d,", build->exit_code);
        buf_add_str(&json, "\"message\":");
        text_add_quoted(&json, message, length);
        buf_add_str(&json, "},\"error\":");
        text_add_quoted(&json, message, length);
        buf_add_str(&json, "}\r\n");
        (void)send_json(build, &json); /* or the client left */
        return 0;
}

int classic_end(ClassicBuild *build, int r, const char *image, const Error *err) {
        if (r < 0)
                return send_error(build, r, err);
        send_end(build, image);
        return 0;
}
