/* build-progress.h: how a build goes, put together from the daemon's BuildProgress objects, and the
 * views that show it. Writes into a buffer and is told the time: knows no connection, no
 * descriptor, no clock. */
#pragma once

#include "base/clock.h"
#include "spec/build.h"

#define BUILD_TAIL 50 /* lines of a step's output that are kept */

typedef struct BuildLine {
        int64_t time; /* ns since 1970 */
        char *text;
} BuildLine;

/* Bytes that move, or a thing done: " => => LABEL 1.2MB / 3.4MB". */
typedef struct BuildItem {
        char *label;
        int64_t current, total, started, ended;
        bool told;     /* plain */
        int64_t shown; /* plain, of what is read: when it was, last */
} BuildItem;

typedef struct BuildStep {
        int64_t id;     /* the daemon's number, -1: a step of ours */
        int64_t number; /* from 1, in the order of their beginning */
        char *name, *why, *error;
        int64_t started, ended; /* 0: not yet */
        bool cached, failed;
        int64_t *inputs; /* ids of the steps that it stands upon */
        size_t input_count;
        int64_t line, end_line; /* in the Dockerfile; 0: nowhere */
        Buf partial;            /* of output: a line that has no end yet */
        int64_t partial_time;
        BuildLine *tail; /* the last ones */
        size_t tail_count;
        BuildItem *items;
        size_t item_count, changed; /* changed: the last one that was */
        /* plain */
        Buf pending; /* what waits for another step's text to end */
        int64_t pending_since;
        bool headed, closed; /* its DONE was written */
} BuildStep;

typedef struct BuildWarning {
        char *text;
        int64_t line, end_line;
} BuildWarning;

typedef struct BuildDisplay BuildDisplay;

typedef struct BuildView {
        /* All of these may be NULL. step is NULL for an event of none. */
        void (*event)(BuildDisplay *display, const BuildProgress *event, BuildStep *step);
        /* Bytes of a step's output, as they came. */
        void (*output)(BuildDisplay *display, BuildStep *step, const BuildProgress *event,
                       const char *data, size_t length);
        /* One line of it, without its end. */
        void (*line)(BuildDisplay *display, BuildStep *step, int64_t time, const char *text,
                     size_t length);
        int (*tick)(BuildDisplay *display, int64_t now);
        void (*end)(BuildDisplay *display, int64_t now);
} BuildView;
extern const BuildView build_view_terminal, build_view_plain, build_view_raw, build_view_quiet;

struct BuildDisplay {
        const BuildView *view;
        Buf out; /* to be written out and cleared by the caller, in one write */
        BuildStep **steps;
        size_t count;
        int64_t total;              /* steps that are planned */
        int64_t begun, ended;       /* ended: 0 before the stream's end */
        char *image, *error;        /* as the end told them */
        char *pushed, *pushed_type; /* the last manifest that was pushed: digest, media type */
        int64_t pushed_size;
        BuildWarning *warnings;
        size_t warning_count;
        const char *source_name, *source; /* the Dockerfile, borrowed; source may be NULL */
        bool color, debug;
        bool opened; /* raw: its first line was written */
        /* terminal */
        unsigned rows, columns;
        int64_t drawn;  /* when; 0: never */
        size_t *widths; /* of the lines that stand there */
        size_t width_count;
        /* plain */
        BuildStep *current;
};

/* now: ns since 1970, like the events' times. */
void build_display_init(BuildDisplay *display, const BuildView *view, int64_t now);
void build_display_done(BuildDisplay *display);
/* One of the stream's lines. */
void build_display_event(BuildDisplay *display, const BuildProgress *event);
/* Shows what is due. In how many ms to come again; -1: no sooner than the next event. */
int build_display_tick(BuildDisplay *display, int64_t now);
/* The stream has ended: the last of the view, warnings, and the failed step with its output and its
 * place in the Dockerfile. */
void build_display_end(BuildDisplay *display, int64_t now);

/* What stands for name, where a terminal must not obey it: without escape sequences and control
 * characters; a tab is spaces, a carriage return begins the line anew. */
void terminal_text_add(Buf *buf, const char *text, size_t length);
/* "0.4s" between two points in time. */
#define SECONDS_TEXT_MAX 32
char *seconds_text(int64_t from, int64_t to, char text[SECONDS_TEXT_MAX]);
/* build-closing.c */
void build_closing_add(BuildDisplay *display);
