/* terminal.h: the user's terminal: raw mode, its size, the keys that detach. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

/* Raw mode on fd until terminal_restore; without effect if fd is no terminal. */
int terminal_raw(int fd, Error *err);
void terminal_restore(void); /* also at exit */
/* Rows and columns of the terminal fd; false if it is none. */
bool terminal_size(int fd, unsigned *rows, unsigned *columns);

/* Prints the prompt and reads a line that is typed at the terminal fd, without its end; hidden: it
 * is not shown, from before the prompt is. The terminal is as before when it returns, a signal's
 * key being read as -ECANCELED. -EFBIG: more than limit bytes. */
int terminal_read_line(int fd, const char *prompt, bool hidden, size_t limit, Buf *line);

#define DETACH_KEYS_MAX 16

/* Finds the detach keys in what the user types: bytes that may begin them are held back. */
typedef struct DetachKeys {
        unsigned char keys[DETACH_KEYS_MAX];
        size_t count, matched;
} DetachKeys;

/* "ctrl-p,ctrl-q", "a", …; NULL or "" gives ctrl-p,ctrl-q. ERROR_INVALID. */
int detach_keys_parse(const char *text, DetachKeys *ret, Error *err);
/* Appends to out what the container gets of data; true once the keys are complete. */
bool detach_keys_filter(DetachKeys *keys, const char *data, size_t length, Buf *out);
