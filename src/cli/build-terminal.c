/* build-terminal.c: progress drawn in place: a frame is one write, and there are at most ten a
 * second. Lines are shorter than the terminal is wide, so that how many rows a frame takes is
 * known, even after the terminal became narrower and broke its lines. */
#include "cli/build-progress.h"
#include "cli/values.h"

#define FRAME (100 * NSEC_PER_MSEC)
#define TAIL_LINES ((size_t)6)
#define LEAST_COLUMNS 20u

#define COLOR_NONE ""
#define COLOR_DONE "\033[34m"
#define COLOR_ERROR "\033[31m"
#define COLOR_WARNING "\033[33m"

/* What a frame shows of a step. */
typedef struct Share {
        bool shown;
        size_t items, tail;
} Share;

typedef struct Frame {
        BuildDisplay *display;
        int64_t now;
        bool last;
        Buf out;
        size_t *widths;
        size_t count;
} Frame;

/* left, cut where it must be, and right at the other end. */
static void add_line(Frame *frame, const char *color, const char *left, const char *right) {
        size_t columns = MAX(frame->display->columns, LEAST_COLUMNS) - 1;
        size_t taken = strlen(right) + (*right ? 1 : 0), width;
        _cleanup_free_ char *cut = text_ellipsis(left, columns - taken);

        color = frame->display->color ? color : COLOR_NONE;
        width = text_width(cut);
        buf_format(&frame->out, "%s%s%*s%s%s\033[K\n", color, cut,
                   *right ? (int)(columns - taken - width + 1) : 0, "", right,
                   *color ? "\033[0m" : "");
        GROW(frame->widths, frame->count);
        frame->widths[frame->count++] = *right ? columns : width;
}

static bool is_running(const BuildStep *step) {
        return step->ended == 0;
}

static void add_item(Frame *frame, const BuildItem *item) {
        char current[SIZE_TEXT_MAX], total[SIZE_TEXT_MAX], seconds[SECONDS_TEXT_MAX];
        _cleanup_buf_ Buf left = {};

        buf_add_str(&left, " => => ");
        terminal_text_add(&left, item->label, strlen(item->label));
        if (item->current > 0)
                buf_format(&left, " %s", size_human((double)item->current, 4, current));
        if (item->current > 0 && item->total > 0)
                buf_format(&left, " / %s", size_human((double)item->total, 4, total));
        add_line(frame, item->ended ? COLOR_DONE : COLOR_NONE, left.data,
                 seconds_text(item->started, item->ended ?: frame->now, seconds));
}

static void add_tail(Frame *frame, const char *text, size_t length) {
        _cleanup_buf_ Buf left = {};

        buf_add_str(&left, " => => # ");
        terminal_text_add(&left, text, length);
        add_line(frame, COLOR_NONE, left.data, "");
}

/* The last lines of the output; one that has no end yet is the last of all. */
static void add_tails(Frame *frame, const BuildStep *step, size_t count) {
        size_t whole = count - (count > 0 && step->partial.length > 0);

        for (size_t i = step->tail_count - whole; i < step->tail_count; i++)
                add_tail(frame, step->tail[i].text, strlen(step->tail[i].text));
        if (whole < count)
                add_tail(frame, step->partial.data, step->partial.length);
}

static void add_step(Frame *frame, const BuildStep *step, const Share *share) {
        bool canceled = frame->last && is_running(step);
        int64_t until = step->ended ?: frame->now;
        char seconds[SECONDS_TEXT_MAX];
        _cleanup_buf_ Buf left = {};

        buf_format(&left, " => %s%s%s", step->cached ? "CACHED " : "", step->failed ? "ERROR " : "",
                   canceled ? "CANCELED " : "");
        terminal_text_add(&left, step->name ?: "", strlen(step->name ?: ""));
        add_line(frame,
                 step->failed  ? COLOR_ERROR
                 : canceled    ? COLOR_WARNING
                 : step->ended ? COLOR_DONE
                               : COLOR_NONE,
                 left.data, seconds_text(step->cached ? until : step->started, until, seconds));
        for (size_t i = step->item_count - share->items; i < step->item_count; i++)
                add_item(frame, &step->items[i]);
        add_tails(frame, step, share->tail);
}

static void add_head(Frame *frame) {
        const BuildDisplay *display = frame->display;
        char seconds[SECONDS_TEXT_MAX];
        _cleanup_free_ char *head = NULL;
        size_t ended = 0, total = 0;

        for (size_t i = 0; i < display->count; i++)
                ended += !is_running(display->steps[i]);
        total = (size_t)MAX(display->total, 0);
        for (size_t i = 0; i < display->count; i++)
                total += display->steps[i]->id < 0; /* nobody planned those */
        head = str_format("[+] Building %s (%zu/%zu)%s",
                          seconds_text(display->begun, display->ended ?: frame->now, seconds),
                          ended, MAX(total, display->count),
                          frame->last && !display->error ? " FINISHED" : "");
        add_line(frame, COLOR_NONE, head, "");
}

/* ---- what there is room for ---- */

static size_t tail_of(const BuildStep *step, size_t most) {
        return MIN(step->tail_count + (step->partial.length > 0), most);
}

/* Running steps first, each with the same number of lines of its output at the most. */
static size_t share_running(const BuildDisplay *display, Share *shares, size_t room) {
        size_t running = 0, most;

        for (size_t i = display->count; i-- > 0;)
                if (is_running(display->steps[i]) && running < room) {
                        shares[i].shown = true;
                        running++;
                }
        room -= running;
        most = running ? MIN(room / running, TAIL_LINES) : 0;
        for (size_t i = 0; i < display->count; i++)
                if (shares[i].shown) {
                        shares[i].tail = tail_of(display->steps[i], most);
                        room -= shares[i].tail;
                }
        return room;
}

/* Then the newest of the others, and what each moved. */
static void share_rest(const BuildDisplay *display, Share *shares, size_t room) {
        for (size_t i = display->count; i-- > 0 && room > 0;) {
                if (!shares[i].shown)
                        room--;
                shares[i].shown = true;
                shares[i].items = MIN(display->steps[i]->item_count, room);
                room -= shares[i].items;
        }
}

static void share_all(const BuildDisplay *display, Share *shares) {
        for (size_t i = 0; i < display->count; i++)
                shares[i] = (Share){ .shown = true, .items = display->steps[i]->item_count };
}

/* ---- a frame ---- */

/* The rows that the last frame takes now: a terminal breaks lines that became too long. */
static size_t rows_taken(const BuildDisplay *display) {
        size_t rows = 0, columns = MAX(display->columns, 1u);

        for (size_t i = 0; i < display->width_count; i++)
                rows += MAX((display->widths[i] + columns - 1) / columns, (size_t)1);
        return rows;
}

static void draw(BuildDisplay *display, int64_t now, bool last) {
        _cleanup_free_ Share *shares = NEW_ARRAY(Share, display->count + 1);
        Frame frame = { .display = display, .now = now, .last = last };
        size_t up = rows_taken(display);

        if (last)
                share_all(display, shares);
        else
                share_rest(display, shares,
                           share_running(display, shares, MAX(display->rows, 6u) - 3));
        add_head(&frame);
        for (size_t i = 0; i < display->count; i++)
                if (shares[i].shown)
                        add_step(&frame, display->steps[i], &shares[i]);
        buf_add_str(&display->out, "\033[?25l");
        if (up > 0)
                buf_format(&display->out, "\033[%zuA", up);
        buf_add_char(&display->out, '\r');
        buf_add(&display->out, frame.out.data, frame.out.length);
        buf_add_str(&display->out, "\033[J\033[?25h");
        buf_done(&frame.out);
        free(display->widths);
        display->widths = frame.widths;
        display->width_count = frame.count;
        display->drawn = now;
}

static int on_tick(BuildDisplay *display, int64_t now) {
        bool fresh = display->drawn && now >= display->drawn; /* else the clock was set back */
        int64_t due = fresh ? display->drawn + FRAME : now;

        if (now < due)
                return (int)((due - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
        draw(display, now, false);
        return (int)(FRAME / NSEC_PER_MSEC);
}

static void on_end(BuildDisplay *display, int64_t now) {
        draw(display, display->ended ?: now, true);
}

const BuildView build_view_terminal = { .tick = on_tick, .end = on_end };
