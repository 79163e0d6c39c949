/* cells.h: text from anywhere made fit for a terminal: bytes that are no UTF-8 and characters that
 * would steer the terminal become visible, and columns are counted in its cells. Knows no command.
 */
#pragma once

#include <stddef.h>

#include "base/str.h"

/* The text with each byte that is not part of UTF-8 as U+FFFD, as Go and browsers do. The caller's.
 */
char *text_utf8(const char *text);
/* Appends it with control characters, C1 and those that turn the direction of text as \x1b, \u202e.
 */
void cells_add(Buf *out, const char *text);
/* Cells that cells_add's form of it takes. */
size_t cells_width(const char *text);
/* Appends it in exactly `width` cells: cut, with "…" at the end, or filled up with spaces. */
void cells_fit(Buf *out, const char *text, size_t width);
/* The same, with the spaces in front. */
void cells_fit_right(Buf *out, const char *text, size_t width);
/* The text with what would steer a terminal made visible ("\x1b"), but for the ends of its lines
 * and tabs: for names, errors and lines of a Dockerfile, which anyone may have written. The
 * caller's; NULL for NULL. */
char *visible_text(const char *text);
