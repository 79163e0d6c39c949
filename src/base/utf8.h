/* utf8.h: UTF-8 by RFC 3629's table: what is a character, and bytes made fit for a JSON text. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define UTF8_MAX 4 /* bytes of a character */

/* Reads one character of at most `length` bytes: its length, 0 where the bytes are no UTF-8. */
size_t utf8_decode(const char *text, size_t length, uint32_t *ret);
/* Appends the character, which is below 0x200000. */
void buf_add_utf8(Buf *buf, uint32_t code);
/* The text with each byte that is not part of UTF-8, and each zero, as U+FFFD, as Go and browsers
 * do. The caller's. */
char *utf8_clean(const char *text, size_t length);
