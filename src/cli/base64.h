/* base64.h: bytes as text and back: RFC 4648, sections 4 and 5, with padding. */
#pragma once

#include "base/error.h"
#include "base/str.h"

char *base64_text(const void *data, size_t length);     /* the caller's */
char *base64_url_text(const void *data, size_t length); /* the alphabet of URLs; the caller's */
/* Appends what text stands for, in either alphabet; -EINVAL. */
int base64_read(const char *text, Buf *ret);
