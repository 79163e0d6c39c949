/* explore-view.h: the screen of `brig image explore`: layers on the left, the files at the chosen
 * layer on the right. Takes keys and draws into a buffer; the terminal itself is explore-tui.c's.
 */
#pragma once

#include "cli/explore-tree.h"

/* Keys that are no character. */
typedef enum ViewKey {
        KEY_NONE = -1, /* bytes that mean nothing */
        KEY_UP = 256,
        KEY_DOWN,
        KEY_LEFT,
        KEY_RIGHT,
        KEY_PAGE_UP,
        KEY_PAGE_DOWN,
        KEY_HOME,
        KEY_END,
} ViewKey;
#define KEY_TAB 9
#define KEY_ENTER 13
#define KEY_ESCAPE 27
#define KEY_BACKSPACE 127
#define KEY_INTERRUPT 3 /* ctrl-c: raw mode makes no signal of it */

/* The first key of what a terminal sent: bytes used, 0 where it is not complete. *ret: a character
 * of UTF-8's bytes, one at a time, or a ViewKey. flush: nothing more will come, so that a lone
 * escape is the key. */
size_t view_key_read(const char *data, size_t length, bool flush, int *ret);

typedef struct View {
        const Report *report;
        Tree tree;
        TreeShow show; /* its filter is `filter` below */
        Buf filter;
        bool filtering; /* keys go into the filter */
        bool on_files;  /* the pane that has the keys */
        size_t layer, layer_top;
        size_t line, top; /* of tree.lines */
        unsigned rows, columns;
} View;

void view_init(View *view, const Report *report);
void view_done(View *view);
void view_resize(View *view, unsigned rows, unsigned columns);
/* True when the user wants to leave. */
bool view_key(View *view, int key);
/* Appends the whole screen. */
void view_draw(const View *view, Buf *out); /* explore-draw.c */

/* ---- between the two files ---- */
unsigned view_left_columns(const View *view);
unsigned view_body_rows(const View *view);  /* of either pane, its head among them */
unsigned view_layer_rows(const View *view); /* of the list of layers */
bool view_too_small(const View *view);
