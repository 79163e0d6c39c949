/* detach.h: the keys that let a client leave a terminal without ending what runs in it. */
#pragma once

#include "base/error.h"
#include "base/str.h"

#define DETACH_KEYS_MAX 16
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

typedef struct DetachKeys {
        unsigned char codes[DETACH_KEYS_MAX];
        size_t count, matched; /* how many of them were typed so far */
} DetachKeys;

/* Docker's grammar: single characters, "ctrl-" with a to z or one of @ [ \ ] ^ _, and DEL,
 * separated by commas. NULL and "" mean DETACH_KEYS_DEFAULT. */
int detach_keys_parse(const char *text, DetachKeys *ret, Error *err);

/* Appends to `out` what of data is meant for the process; bytes that may yet turn out to be the
 * keys are held back. True once all keys were typed: what follows them is dropped. */
bool detach_keys_filter(DetachKeys *keys, const void *data, size_t length, Buf *out);
