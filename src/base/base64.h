/* base64.h: bytes as text and back: RFC 4648, section 4, and the alphabet of URLs of section 5. */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

/* With padding; the caller's. */
char *base64_encode(const void *data, size_t length);
char *base64_url_encode(const void *data, size_t length);
/* Section 4 as it is written: the bytes, NUL-terminated, are the caller's. */
int base64_decode(const char *text, char **ret, size_t *ret_length, Error *err);
/* Either alphabet, with padding or without; appends. -EINVAL. */
int base64_decode_any(const char *text, Buf *ret);
