/* id.h: identifiers of containers, networks and execs: 64 lower-case hexadecimal digits from the
 * kernel's generator. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ID_LENGTH 64
#define ID_SHORT 12

/* Fills text with ID_LENGTH random digits and a NUL; the first 12 are never all decimal, as a host
 * name could then be read as a number (Docker does the same). */
void id_new(char text[ID_LENGTH + 1]);
bool id_valid(const char *text);        /* exactly 64 lower-case hexadecimal digits */
bool id_prefix_valid(const char *text); /* 1 to 64 of them */

void random_bytes(void *data, size_t length); /* getrandom(2); aborts where the kernel has none */
void hex_encode(const unsigned char *data, size_t length,
                char *text); /* 2 × length digits and a NUL */
/* Docker's name rule: [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
bool name_valid(const char *text);
