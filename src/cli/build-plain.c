/* build-plain.c: progress as lines, each with its step's number. The steps take turns: while one
 * writes, the text of the others waits, five seconds at the most. */
#include "cli/build-progress.h"
#include "cli/values.h"

#define TURN (5 * NSEC_PER_SEC)

static void add_header(BuildDisplay *display, BuildStep *step) {
        buf_format(&display->out, "#%lld %s\n", (long long)step->number, step->name ?: "");
        if (!step->headed && step->why)
                buf_format(&display->out, "#%lld miss: %s\n", (long long)step->number, step->why);
        step->headed = true;
}

static void flush_step(BuildDisplay *display, BuildStep *step) {
        add_header(display, step);
        if (step->pending.length > 0)
                buf_add(&display->out, step->pending.data, step->pending.length);
        buf_clear(&step->pending);
        step->pending_since = 0;
        display->current = step->ended ? NULL : step;
        if (step->ended)
                buf_add_char(&display->out, '\n');
}

/* Those that ended while another wrote, then the first that has something to say. */
static void next_turn(BuildDisplay *display) {
        for (size_t i = 0; i < display->count; i++)
                if (display->steps[i]->pending_since && display->steps[i]->ended)
                        flush_step(display, display->steps[i]);
        for (size_t i = 0; i < display->count && !display->current; i++)
                if (display->steps[i]->pending_since)
                        flush_step(display, display->steps[i]);
}

static void interrupt_turn(BuildDisplay *display) {
        if (display->current)
                buf_format(&display->out, "#%lld ...\n\n", (long long)display->current->number);
        display->current = NULL;
}

static void put(BuildDisplay *display, BuildStep *step, int64_t time, const char *text,
                size_t length) {
        bool ours = display->current == step;

        if (!ours && step->pending_since == 0)
                step->pending_since = MAX(time, 1);
        buf_add(ours ? &display->out : &step->pending, text, length);
        if (!display->current)
                next_turn(display);
        else if (ours && step->ended) {
                buf_add_char(&display->out, '\n');
                display->current = NULL;
                next_turn(display);
        }
}

static void put_line(BuildDisplay *display, BuildStep *step, int64_t time, const char *text) {
        _cleanup_free_ char *line = str_format("#%lld %s\n", (long long)step->number, text);

        put(display, step, time, line, strlen(line));
}

static void on_line(BuildDisplay *display, BuildStep *step, int64_t time, const char *text,
                    size_t length) {
        _cleanup_buf_ Buf line = {};

        buf_format(&line, "#%lld %.3f ", (long long)step->number,
                   (double)MAX(time - step->started, 0) / 1e9);
        buf_add(&line, text, length);
        buf_add_char(&line, '\n');
        put(display, step, time, line.data, line.length);
}

static void put_done(BuildDisplay *display, BuildStep *step) {
        char seconds[SECONDS_TEXT_MAX];
        _cleanup_free_ char *text =
                str_format("DONE %s", seconds_text(step->started, step->ended, seconds));

        put_line(display, step, step->ended, text);
        step->closed = true;
}

/* Once for each: when it has moved, or at once where there is nothing to move. */
static void put_item(BuildDisplay *display, BuildStep *step, int64_t time) {
        BuildItem *item = &step->items[step->changed];
        _cleanup_free_ char *text = NULL;
        char size[SIZE_TEXT_MAX];

        if (item->told || (item->total > 0 && item->ended == 0))
                return;
        item->told = true;
        text = item->total > 0 ? str_format("%s %s done", item->label,
                                            size_human((double)item->total, 4, size))
                               : str_format("%s%s", item->label, item->ended ? " done" : "");
        put_line(display, step, time, text);
}

/* How far it is: at its beginning, now and then, and at its end, in one piece with that. */
static void put_reading(BuildDisplay *display, BuildStep *step, int64_t time) {
        BuildItem *item = &step->items[step->changed];
        char size[SIZE_TEXT_MAX], seconds[SECONDS_TEXT_MAX];
        _cleanup_buf_ Buf text = {};

        if (!step->ended && item->shown > 0 && time < item->shown + TURN)
                return;
        item->shown = MAX(time, 1);
        buf_format(&text, "#%lld %s %s%s\n", (long long)step->number, item->label,
                   size_human((double)item->current, 4, size), step->ended ? " done" : "");
        step->closed = step->ended > 0;
        if (step->closed)
                buf_format(&text, "#%lld DONE %s\n", (long long)step->number,
                           seconds_text(step->started, step->ended, seconds));
        put(display, step, time, text.data, text.length);
}

/* The one whose turn it is ends last: what the others say waits for that, and is then one piece. */
static void end_own_steps(BuildDisplay *display) {
        BuildStep *current = display->current;

        for (size_t i = 0; i < display->count; i++)
                if (display->steps[i]->id < 0 && display->steps[i] != current &&
                    !display->steps[i]->closed)
                        put_done(display, display->steps[i]);
        if (current && current->id < 0)
                put_done(display, current);
}

static void on_event(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        _cleanup_free_ char *text = NULL;

        if (str_equal(event->kind, "end"))
                end_own_steps(display);
        if (!step)
                return;
        if (str_equal(event->kind, "started")) {
                put(display, step, event->time, "", 0);
        } else if (str_equal(event->kind, "cached")) {
                put_line(display, step, event->time, "CACHED");
        } else if (str_equal(event->kind, "failed")) {
                text = str_format("ERROR: %s", step->error ?: "");
                put_line(display, step, event->time, text);
        } else if (str_equal(event->kind, "done")) {
                put_done(display, step);
        } else if (str_equal(event->kind, "reading")) {
                put_reading(display, step, event->time);
        } else if (!str_equal(event->kind, "output")) {
                put_item(display, step, event->time);
        }
}

static int on_tick(BuildDisplay *display, int64_t now) {
        int64_t first = INT64_MAX;

        for (size_t i = 0; i < display->count; i++)
                if (display->steps[i]->pending_since)
                        first = MIN(first, display->steps[i]->pending_since);
        if (first == INT64_MAX)
                return -1;
        if (now < first + TURN)
                return (int)((first + TURN - now) / NSEC_PER_MSEC) + 1;
        interrupt_turn(display);
        next_turn(display);
        return on_tick(display, now);
}

static void on_end(BuildDisplay *display, int64_t now) {
        interrupt_turn(display);
        for (size_t i = 0; i < display->count; i++)
                if (display->steps[i]->pending_since) {
                        flush_step(display, display->steps[i]);
                        interrupt_turn(display);
                }
}

const BuildView build_view_plain = {
        .event = on_event, .line = on_line, .tick = on_tick, .end = on_end
};
