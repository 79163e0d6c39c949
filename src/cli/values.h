/* values.h: the grammars of options' values, with Docker's words where one is wrong, and how sizes
 * and times are shown. Each value_… has the member that holds the value. */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

int value_bool(void *member, const char *text, Error *err);     /* bool */
int value_string(void *member, const char *text, Error *err);   /* char * */
int value_list(void *member, const char *text, Error *err);     /* char **, adds */
int value_strings(void *member, const char *text, Error *err);  /* char **, adds each */
int value_filter(void *member, const char *text, Error *err);   /* char **, adds */
int value_env(void *member, const char *text, Error *err);      /* char **, adds */
int value_label(void *member, const char *text, Error *err);    /* char **, adds */
int value_int(void *member, const char *text, Error *err);      /* int64_t */
int value_uint16(void *member, const char *text, Error *err);   /* int64_t */
int value_bytes(void *member, const char *text, Error *err);    /* int64_t */
int value_swap(void *member, const char *text, Error *err);     /* int64_t */
int value_cpus(void *member, const char *text, Error *err);     /* int64_t */
int value_duration(void *member, const char *text, Error *err); /* int64_t */
int value_map(void *member, const char *text, Error *err);      /* Pairs */

/* A number of Go's strconv.ParseInt. ERROR_INVALID with its words. */
int number_parse(const char *function, const char *text, int64_t low, int64_t high, int64_t *ret,
                 Error *err);

#define SIZE_TEXT_MAX 32
/* Go's units.HumanSizeWithPrecision: powers of 1000, `digits` significant: "1.24MB". */
char *size_human(double bytes, int digits, char text[SIZE_TEXT_MAX]);
/* Go's units.BytesSize: powers of 1024, four digits: "23.54GiB". */
char *size_binary(double bytes, char text[SIZE_TEXT_MAX]);

/* Columns that text takes: its characters, not its bytes. */
size_t text_width(const char *text);
/* At most `width` characters, the last of which is "…" if something was cut. The caller's. */
char *text_ellipsis(const char *text, size_t width);
