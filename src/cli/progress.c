/* progress.c: see progress.h. */
#include "cli/progress.h"

#include <errno.h>

#include "cli/credentials.h"
#include "cli/terminal.h"
#include "cli/values.h"
#include "format/reference.h"

#define BAR_WIDTH 50
#define WIDE 110 /* columns from which on there is room for the bar */

typedef struct Display {
        FILE *out;
        bool terminal, quiet;
        unsigned columns;
        char **ids; /* that have a line of their own, in order */
} Display;

/* "[=====>    ]  1.2MB/3.4MB"; "" where nothing is known. The caller's. */
static char *bar(const Display *display, json_object *detail) {
        double current = json_object_get_double(json_member(detail, "current"));
        double total = json_object_get_double(json_member(detail, "total"));
        char have[SIZE_TEXT_MAX], all[SIZE_TEXT_MAX];
        int done;

        if (current <= 0 && total <= 0)
                return str_copy("");
        (void)size_human(current, 4, have);
        if (total <= 0)
                return str_format("%8s", have);
        (void)size_human(total, 4, all);
        if (display->columns <= WIDE)
                return str_format("%8s/%s", have, all);
        done = MIN((int)(current / total * 100) / 2, BAR_WIDTH);
        return str_format("[%.*s>%*s] %8s/%s", done,
                          "==================================================", BAR_WIDTH - done,
                          "", have, all);
}

static size_t line_of(Display *display, const char *id) {
        size_t count = strv_length(display->ids);

        for (size_t i = 0; i < count; i++)
                if (str_equal(display->ids[i], id))
                        return i;
        strv_add(&display->ids, id);
        if (display->terminal)
                (void)fputc('\n', display->out);
        return count;
}

static void show_status(Display *display, json_object *message, const char *id,
                        const char *progress) {
        const char *end = display->terminal && *progress ? "\r" : "\n";

        if (id)
                (void)fprintf(display->out, "%s: ", id);
        (void)fprintf(display->out, "%s%s%s%s", json_words(message, "status"), *progress ? " " : "",
                      progress, end);
}

static void show_in_place(Display *display, json_object *message, const char *id,
                          const char *progress) {
        size_t up = 0;
        bool placed = id && json_member(message, "progressDetail");

        if (placed) {
                size_t line = line_of(display, id);

                up = strv_length(display->ids) - line;
                (void)fprintf(display->out, "\033[%zuA", up);
        } else {
                display->ids = strv_free(display->ids);
        }
        if (placed) {
                (void)fprintf(display->out, "\033[2K\r%s: %s%s%s\r", id,
                              json_words(message, "status"), *progress ? " " : "", progress);
                (void)fprintf(display->out, "\033[%zuB", up);
        } else {
                show_status(display, message, id, "");
        }
}

static int show(Display *display, json_object *message, Error *err) {
        const char *error = json_member_string(message, "error");
        const char *detail = json_member_string(json_member(message, "errorDetail"), "message");
        const char *stream = json_member_string(message, "stream");
        const char *id = json_member_string(message, "id");
        _cleanup_free_ char *progress = NULL;

        if (error || detail)
                return error_kind(err, ERROR_INTERNAL, "%s", detail ?: error);
        if (display->quiet)
                return 0;
        if (stream) {
                (void)fputs(stream, display->out);
                return 0;
        }
        if (!*json_words(message, "status"))
                return 0;
        progress = bar(display, json_member(message, "progressDetail"));
        if (display->terminal)
                show_in_place(display, message, id, progress);
        else if (!*progress)
                show_status(display, message, id, "");
        (void)fflush(display->out);
        return 0;
}

int progress_show(HttpReply *reply, FILE *out, bool quiet, Error *err) {
        Display display = { .out = out, .quiet = quiet, .terminal = isatty(fileno(out)) };
        _cleanup_buf_ Buf held = {};
        unsigned rows;
        int r;

        if (!terminal_size(fileno(out), &rows, &display.columns))
                display.columns = 200;
        for (;;) {
                _cleanup_json_ json_object *message = NULL;

                r = api_next_json(reply, &held, &message, err);
                if (r <= 0)
                        break;
                r = show(&display, message, err);
                if (r < 0)
                        break;
        }
        (void)strv_free(display.ids);
        return r;
}

int image_pull(Cli *cli, const char *image, const char *platform, FILE *out, bool quiet,
               Error *err) {
        _cleanup_(reference_done) Reference reference = {};
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_free_ char *path = str_copy("/images/create"), *name = NULL, *auth = NULL;
        Pairs headers = {};
        HttpRequest request = { .method = "POST", .headers = &headers };
        int r;

        r = reference_parse(image, &reference, err);
        if (r < 0)
                return r;
        name = reference_familiar_repository(&reference);
        path_query(&path, "fromImage", name);
        if (reference.digest || reference.tag) /* else every tag is meant */
                path_query(&path, "tag", reference.digest ?: reference.tag);
        if (!str_empty(platform))
                path_query(&path, "platform", platform);
        auth = credentials_header(cli, reference.domain);
        pairs_put(&headers, "X-Registry-Auth", auth);
        r = api_send(cli, &request, path, &reply, err);
        pairs_done(&headers);
        return r < 0 ? r : progress_show(reply, out, quiet, err);
}
