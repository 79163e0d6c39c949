/* str.h: strings, lists of strings, and a buffer that grows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

/* ---- one string; every returned char * is the caller's to free ---- */
char *str_format(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((returns_nonnull));
char *str_copy(const char *text); /* NULL stays NULL */
char *str_copy_n(const char *text, size_t length);
void str_replace(char **slot, const char *text); /* frees what was there, stores a copy */
bool str_equal(const char *a, const char *b);    /* two NULLs are equal */
bool str_empty(const char *text);                /* NULL or "" */
const char *str_after(const char *text, const char *prefix); /* what follows prefix, or NULL */
bool str_ends(const char *text, const char *suffix);
char *
str_trim(char *text); /* in place: drops white space at both ends; returns its first character */
char *str_lower(char *text); /* in place, ASCII */

/* Whole-string numbers: base 10 (int_in, size) or as named; trailing text, overflow and emptiness
 * are -EINVAL or -ERANGE. */
int str_to_int64(const char *text, int64_t *ret);
int str_to_uint64(const char *text, uint64_t *ret);
int str_to_int_in(const char *text, int low, int high, int *ret);
int str_to_double(const char *text, double *ret); /* decimal; finite */
/* Go's units.RAMInBytes: "512", "64k", "1.5GiB"; powers of 1024. */
int str_to_size(const char *text, int64_t *ret);

/* Levenshtein distance in which two neighbours that changed places count once, for 'Did you mean
 * …'. */
unsigned str_distance(const char *a, const char *b);

/* ---- NULL-terminated lists of strings; NULL is the empty list ---- */
size_t strv_length(char *const *list);
/* An empty list with room for that many, to be filled from the front by index: strv_take looks for
 * the end each time. */
char **strv_new(size_t length);
char **strv_copy(char *const *list);
char **strv_free(char **list);
void strv_add(char ***list, const char *text); /* stores a copy */
void strv_take(char ***list, char *text);      /* stores text itself */
/* strv_take where the list's length is known: a long list is then filled in linear time. */
void strv_take_at(char ***list, size_t length, char *text);
void strv_format(char ***list, const char *format, ...) PRINTF_LIKE(2, 3);
bool strv_has(char *const *list, const char *text);
bool strv_drop(char **list, const char *text);      /* drops the first equal one; false if none */
char **str_split(const char *text, char separator); /* "a,,b" → a, "", b; "" → empty list */
char *strv_join(char *const *list, const char *separator);
DEFINE_CLEANUP(char **, strv_free)
#define _cleanup_strv_ _cleanup_(strv_freep)

/* ---- environment lists of NAME=value ---- */
const char *env_get(char *const *env, const char *name);        /* the value, borrowed, or NULL */
void env_put(char ***env, const char *name, const char *value); /* replaces or adds */
void env_drop(char **env, const char *name);

/* ---- a growing buffer; always NUL-terminated once something was added ---- */
typedef struct Buf {
        char *data;
        size_t length, capacity;
} Buf;

void buf_done(Buf *buf);
void buf_clear(Buf *buf); /* keeps the memory */
void buf_add(Buf *buf, const void *data, size_t length);
void buf_add_str(Buf *buf, const char *text);
void buf_add_char(Buf *buf, char character);
void buf_format(Buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_drop_front(Buf *buf, size_t length);
void buf_reserve(Buf *buf, size_t more); /* room for `more` bytes after length */
char *buf_take(Buf *buf); /* the text ("" if empty), the caller's; the buffer is empty after */
#define _cleanup_buf_ _cleanup_(buf_done)
