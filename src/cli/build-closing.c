/* build-closing.c: what stands below a build's progress: warnings; the step that failed with its
 * last lines; its place in the Dockerfile; the error. In the form that BuildKit's users know. */
#include "cli/build-progress.h"
#include "cli/cells.h"

#define CONTEXT_LINES 3 /* of the Dockerfile, around what is shown */
#define RULE "--------------------\n"

static void add_excerpt(BuildDisplay *display, int64_t line, int64_t end_line) {
        int64_t last = MAX(end_line, line), number = 1;
        const char *text = display->source;

        if (!text || line <= 0)
                return;
        buf_format(&display->out, "%s:%lld\n" RULE, display->source_name ?: "Dockerfile",
                   (long long)line);
        for (; *text && number <= last + CONTEXT_LINES; number++) {
                size_t length = strcspn(text, "\n");
                size_t shown = length > 0 && text[length - 1] == '\r' ? length - 1 : length;

                _cleanup_free_ char *written = str_copy_n(text, shown);
                _cleanup_free_ char *visible = visible_text(written);

                if (number >= line - CONTEXT_LINES)
                        buf_format(&display->out, "%4lld | %s %s\n", (long long)number,
                                   number >= line && number <= last ? ">>>" : "   ", visible);
                text += length + (text[length] == '\n');
        }
        buf_add_str(&display->out, RULE);
}

static void add_warnings(BuildDisplay *display) {
        if (display->warning_count == 0)
                return;
        buf_format(&display->out, "\n %zu warning%s found%s:\n", display->warning_count,
                   display->warning_count == 1 ? "" : "s",
                   display->debug ? "" : " (build with --debug to expand)");
        for (size_t i = 0; i < display->warning_count; i++) {
                const BuildWarning *warning = &display->warnings[i];

                buf_format(&display->out, " - %s", warning->text);
                if (warning->line > 0)
                        buf_format(&display->out, " (line %lld)", (long long)warning->line);
                buf_add_char(&display->out, '\n');
                if (display->debug)
                        add_excerpt(display, warning->line, warning->end_line);
        }
        buf_add_char(&display->out, '\n');
}

static const BuildStep *failed_step(const BuildDisplay *display) {
        for (size_t i = 0; i < display->count; i++)
                if (display->steps[i]->failed)
                        return display->steps[i];
        return NULL;
}

static void add_failed(BuildDisplay *display, const BuildStep *step) {
        buf_format(&display->out, "------\n > %s:\n", step->name ?: "");
        for (size_t i = 0; i < step->tail_count; i++) {
                const BuildLine *line = &step->tail[i];

                buf_format(&display->out, "%.3f ",
                           (double)MAX(line->time - step->started, 0) / 1e9);
                /* As in the view above: a terminal obeys nothing that a step says. */
                if (display->view == &build_view_terminal)
                        terminal_text_add(&display->out, line->text, strlen(line->text));
                else
                        buf_add_str(&display->out, line->text);
                buf_add_char(&display->out, '\n');
        }
        buf_add_str(&display->out, "------\n");
}

void build_closing_add(BuildDisplay *display) {
        const BuildStep *failed = failed_step(display);
        _cleanup_free_ char *error = visible_text(display->error);

        bool is_raw = display->view == &build_view_raw; /* which has told all but the error */

        if (display->view != &build_view_quiet && !is_raw)
                add_warnings(display);
        if (!display->error)
                return;
        if (is_raw)
                failed = NULL;
        if (failed)
                add_failed(display, failed);
        /* An error about a line brings that line along. */
        if (failed && !strstr(display->error, RULE))
                add_excerpt(display, failed->line, failed->end_line);
        buf_format(&display->out, "ERROR: failed to build: %s\n", error);
}
