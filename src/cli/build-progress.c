/* build-progress.c: the state that every view shows; see build-progress.h. The views that show next
 * to nothing of it are here, too. */
#include "cli/build-progress.h"

#include <errno.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "cli/cells.h"

#define EXPORTING (-1) /* ids of steps of ours */
#define TRANSFER (-2)
#define READING (-3)                /* and below: what is read of contexts */
#define PARTIAL_MAX ((size_t)65536) /* a line longer than that is cut in two */

/* ---- steps ---- */

static BuildStep *find_step(const BuildDisplay *display, int64_t id) {
        for (size_t i = 0; i < display->count; i++)
                if (display->steps[i]->id == id)
                        return display->steps[i];
        return NULL;
}

static BuildStep *new_step(BuildDisplay *display, int64_t id, const char *name, int64_t time) {
        BuildStep *step = NEW(BuildStep);

        GROW(display->steps, display->count);
        display->steps[display->count++] = step;
        *step = (BuildStep){ .id = id,
                             .number = (int64_t)display->count,
                             .name = visible_text(name),
                             .started = time };
        return step;
}

static BuildStep *free_step(BuildStep *step) {
        for (size_t i = 0; i < step->tail_count; i++)
                free(step->tail[i].text);
        for (size_t i = 0; i < step->item_count; i++)
                free(step->items[i].label);
        free(step->tail);
        free(step->inputs);
        free(step->items);
        free(step->name);
        free(step->why);
        free(step->error);
        buf_done(&step->partial);
        buf_done(&step->pending);
        free(step);
        return NULL;
}

/* The step that the event is of; one that is named is made. */
static BuildStep *step_of(BuildDisplay *display, const BuildProgress *event) {
        BuildStep *step = find_step(display, event->step);

        if (step || event->step < 0 || str_empty(event->name))
                return step;
        step = new_step(display, event->step, event->name, event->time);
        step->input_count = event->inputs.count;
        step->inputs = NEW_ARRAY(int64_t, step->input_count + 1);
        if (step->input_count > 0)
                memcpy(step->inputs, event->inputs.items, step->input_count * sizeof(int64_t));
        return step;
}

/* What is made of the steps is shown as one more, for which the daemon has no number; so is what
 * moves before any begins. */
static BuildStep *own_step(BuildDisplay *display, int64_t id, int64_t time) {
        return find_step(display, id)
                       ?: new_step(display, id,
                                   id == EXPORTING ? "exporting to image" : "[internal] transfer",
                                   time);
}

static BuildItem *find_item(BuildStep *step, const char *label) {
        for (size_t i = 0; i < step->item_count; i++)
                if (str_equal(step->items[i].label, label))
                        return &step->items[i];
        return NULL;
}

static BuildItem *item_of(BuildStep *step, const char *text, int64_t time) {
        _cleanup_free_ char *label = visible_text(text);
        BuildItem *item = find_item(step, label);

        if (item)
                return item;
        GROW(step->items, step->item_count);
        item = &step->items[step->item_count++];
        *item = (BuildItem){ .started = time };
        item->label = TAKE_PTR(label);
        return item;
}

/* ---- output ---- */

static void keep_line(BuildStep *step, int64_t time, const char *text, size_t length) {
        if (step->tail_count == BUILD_TAIL) {
                free(step->tail[0].text);
                memmove(step->tail, step->tail + 1, (BUILD_TAIL - 1) * sizeof(*step->tail));
                step->tail_count--;
        }
        if (!step->tail)
                step->tail = NEW_ARRAY(BuildLine, BUILD_TAIL);
        step->tail[step->tail_count++] =
                (BuildLine){ .time = time, .text = str_copy_n(text, length) };
}

static void end_line(BuildDisplay *display, BuildStep *step) {
        size_t length = step->partial.length;

        if (length > 0 && step->partial.data[length - 1] == '\r')
                length--;
        keep_line(step, step->partial_time, step->partial.data ?: "", length);
        if (display->view->line)
                display->view->line(display, step, step->partial_time, step->partial.data ?: "",
                                    length);
        buf_clear(&step->partial);
}

static void take_output(BuildDisplay *display, BuildStep *step, int64_t time, const char *text,
                        size_t length) {
        for (size_t i = 0; i < length; i++) {
                if (step->partial.length == 0)
                        step->partial_time = time;
                if (text[i] != '\n')
                        buf_add_char(&step->partial, text[i]);
                if (text[i] == '\n' || step->partial.length >= PARTIAL_MAX)
                        end_line(display, step);
        }
}

static BuildStep *on_output(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        _cleanup_buf_ Buf bytes = {};

        if (!step)
                return NULL;
        if (!event->encoded)
                buf_add_str(&bytes, event->text ?: "");
        else if (base64_decode_any(event->text ?: "", &bytes) < 0)
                return step;
        if (bytes.length == 0)
                return step;
        if (display->view->output)
                display->view->output(display, step, event, bytes.data, bytes.length);
        take_output(display, step, event->time, bytes.data, bytes.length);
        return step;
}

/* ---- events ---- */

static void end_step(BuildDisplay *display, BuildStep *step, int64_t time) {
        if (step->partial.length > 0)
                end_line(display, step);
        step->ended = MAX(time, step->started);
        for (size_t i = 0; i < step->item_count; i++)
                if (step->items[i].ended == 0)
                        step->items[i].ended = step->ended;
}

static BuildStep *on_planned(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        display->total = event->total;
        return NULL;
}

static BuildStep *on_started(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        if (!step)
                return NULL;
        free(step->why);
        step->why = str_empty(event->why) ? NULL : visible_text(event->why);
        step->line = event->line;
        step->end_line = event->end_line;
        return step;
}

static BuildStep *on_cached(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        if (!step)
                return NULL;
        step->cached = true;
        end_step(display, step, event->time);
        return step;
}

static BuildStep *on_status(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        _cleanup_free_ char *label = str_format(
                "%s%s%s", event->status ?: "",
                !str_empty(event->status) && !str_empty(event->text) ? " " : "", event->text ?: "");
        BuildItem *item;

        if (!*label)
                return NULL;
        if (!step || step->ended)
                step = own_step(display, TRANSFER, event->time);
        item = item_of(step, label, event->time);
        step->changed = (size_t)(item - step->items);
        item->current = event->current;
        item->total = event->total;
        if (item->total > 0 && item->current >= item->total && item->ended == 0)
                item->ended = event->time;
        return step;
}

static BuildStep *on_done(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        if (step)
                end_step(display, step, event->time);
        return step;
}

static BuildStep *on_failed(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        if (!step)
                return NULL;
        step->failed = true;
        free(step->error);
        step->error = visible_text(event->text ?: event->error ?: "");
        if (event->line > 0) {
                step->line = event->line;
                step->end_line = event->end_line;
        }
        end_step(display, step, event->time);
        return step;
}

static BuildStep *on_warning(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        GROW(display->warnings, display->warning_count);
        display->warnings[display->warning_count++] =
                (BuildWarning){ .text = visible_text(event->text ?: ""),
                                .line = event->line,
                                .end_line = event->end_line };
        return NULL;
}

static BuildStep *on_made(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        BuildStep *export = own_step(display, EXPORTING, event->time);
        BuildItem *item;
        _cleanup_free_ char *label =
                str_format("%s %s", str_equal(event->kind, "image") ? "writing image" : "naming to",
                           event->text ?: "");

        item = item_of(export, label, event->time);
        item->ended = event->time;
        export->changed = (size_t)(item - export->items);
        return export;
}

/* Docker's words of a push, as those of a build. */
static const char *push_label(const BuildProgress *event, bool *ret_ended) {
        static const struct {
                const char *status, *label;
                bool ended;
        } words[] = {
                { "Preparing", "compressing layer", false },
                { "Pushing", "pushing layer", false },
                { "Pushed", "pushing layer", true },
                { "Layer already", "pushing layer", true },
                { "Mounted from", "pushing layer", true },
        };

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (str_after(event->status ?: "", words[i].status)) {
                        *ret_ended = words[i].ended;
                        return words[i].label;
                }
        return NULL;
}

static BuildStep *on_pushing(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        bool ended = false;
        const char *what = push_label(event, &ended);
        _cleanup_free_ char *label = str_format("%s %s", what ?: "", event->layer ?: "");
        BuildItem *item;

        if (!what || (!ended && event->total == 0))
                return NULL;
        step = own_step(display, EXPORTING, event->time);
        item = item_of(step, label, event->time);
        step->changed = (size_t)(item - step->items);
        item->current = ended ? item->total : event->current;
        item->total = ended ? item->total : event->total;
        if (item->ended == 0 && (ended || (item->total > 0 && item->current >= item->total)))
                item->ended = event->time;
        return step;
}

static BuildStep *on_pushed(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        _cleanup_free_ char *label =
                str_format("pushing manifest for %s@%s", event->text ?: "", event->layer ?: "");
        BuildItem *item;

        step = own_step(display, EXPORTING, event->time);
        item = item_of(step, label, event->time);
        item->ended = event->time;
        step->changed = (size_t)(item - step->items);
        str_replace(&display->pushed, event->layer);
        str_replace(&display->pushed_type, event->status);
        display->pushed_size = event->total;
        return step;
}

static BuildStep *on_reading(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        const char *name = str_empty(event->name) ? "[internal] load build context" : event->name;
        int64_t id = READING - MAX(event->step, 0);
        BuildItem *item;

        step = find_step(display, id) ?: new_step(display, id, name, event->time);
        item = item_of(step, "reading files", event->time);
        step->changed = (size_t)(item - step->items);
        item->current = event->current;
        item->total = event->total;
        if (event->total > 0)
                end_step(display, step, event->time);
        return step;
}

static BuildStep *on_end(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        display->ended = MAX(event->time, display->begun);
        str_replace(&display->image, event->image);
        str_replace(&display->error, event->error);
        for (size_t i = 0; i < display->count; i++)
                if (display->steps[i]->id < 0 && display->steps[i]->ended == 0)
                        end_step(display, display->steps[i], display->ended);
        return NULL;
}

static const struct {
        const char *kind;
        /* Gives the step that is to be shown. */
        BuildStep *(*take)(BuildDisplay *display, const BuildProgress *event, BuildStep *step);
        bool of_step; /* else its number means nothing */
} events[] = {
        { "planned", on_planned, false }, { "started", on_started, true },
        { "cached", on_cached, true },    { "output", on_output, true },
        { "status", on_status, true },    { "done", on_done, true },
        { "failed", on_failed, true },    { "warning", on_warning, false },
        { "image", on_made, false },      { "tagged", on_made, false },
        { "pushing", on_pushing, false }, { "pushed", on_pushed, false },
        { "reading", on_reading, false }, { "end", on_end, false },
};

void build_display_event(BuildDisplay *display, const BuildProgress *event) {
        for (size_t i = 0; i < ELEMENTS(events); i++) {
                BuildStep *step = NULL;

                if (!str_equal(events[i].kind, event->kind))
                        continue;
                if (events[i].of_step)
                        step = step_of(display, event);
                step = events[i].take(display, event, step);
                if (display->view->event)
                        display->view->event(display, event, step);
        }
}

/* ---- beginning and end ---- */

void build_display_init(BuildDisplay *display, const BuildView *view, int64_t now) {
        *display = (BuildDisplay){ .view = view, .begun = now, .rows = 24, .columns = 80 };
}

int build_display_tick(BuildDisplay *display, int64_t now) {
        return display->view->tick ? display->view->tick(display, now) : -1;
}

void build_display_end(BuildDisplay *display, int64_t now) {
        if (display->ended == 0)
                display->ended = MAX(now, display->begun);
        if (display->view->end)
                display->view->end(display, now);
        build_closing_add(display);
}

void build_display_done(BuildDisplay *display) {
        for (size_t i = 0; i < display->count; i++)
                (void)free_step(display->steps[i]);
        for (size_t i = 0; i < display->warning_count; i++)
                free(display->warnings[i].text);
        free(display->warnings);
        free(display->steps);
        free(display->widths);
        free(display->image);
        free(display->pushed);
        free(display->pushed_type);
        free(display->error);
        buf_done(&display->out);
        *display = (BuildDisplay){};
}

const BuildView build_view_quiet = {};

/* ---- texts ---- */

char *seconds_text(int64_t from, int64_t to, char text[SECONDS_TEXT_MAX]) {
        (void)snprintf(text, SECONDS_TEXT_MAX, "%.1fs", (double)MAX(to - from, 0) / 1e9);
        return text;
}

/* The length of the escape sequence at text (ECMA-48): CSI … final, OSC … BEL or ST, or two bytes.
 */
static size_t escape_length(const char *text, size_t length) {
        size_t i = 2;

        if (length < 2)
                return length;
        if (text[1] == '[') {
                while (i < length && (text[i] < 0x40 || text[i] > 0x7e))
                        i++;
                return MIN(i + 1, length);
        }
        if (!strchr("]PX^_", text[1]))
                return 2;
        while (i < length && text[i] != '\a' && text[i] != 0x1b)
                i++;
        return MIN(i + (i < length && text[i] == 0x1b ? 2 : 1), length);
}

void terminal_text_add(Buf *buf, const char *text, size_t length) {
        size_t begin = buf->length, next;
        uint32_t value = 0;

        for (size_t i = 0; i < length; i += next) {
                unsigned char byte = (unsigned char)text[i];

                next = 1;
                if (byte == 0x1b) {
                        next = escape_length(text + i, length - i);
                } else if (byte == '\r') {
                        buf->length = i + 1 < length ? begin : buf->length;
                } else if (byte == '\t') {
                        do
                                buf_add_char(buf, ' ');
                        while ((buf->length - begin) % 8 != 0);
                } else if (byte >= ' ' && byte != 0x7f) {
                        next = utf8_decode(text + i, length - i, &value);
                        if (next == 0)
                                buf_add_char(buf, '?');
                        else if (value < 0x80 || value >= 0xa0) /* not C1 */
                                buf_add(buf, text + i, next);
                        next = MAX(next, (size_t)1);
                }
        }
        if (buf->data)
                buf->data[buf->length] = '\0';
}
