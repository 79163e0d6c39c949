/* base64.h: bytes inside a JSON string: RFC 4648, section 4, with padding. */
#pragma once

#include <stddef.h>

#include "base/error.h"

char *base64_encode(const void *data, size_t length); /* the caller's */
/* The bytes, NUL-terminated, are the caller's. */
int base64_decode(const char *text, char **ret, size_t *ret_length, Error *err);
