/* scan.h: what the readers of Dockerfiles count as white space. Text is UTF-8; a byte that is none
 * is an ordinary character. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* What separates an instruction's words: a no-break space, say, does not. */
#define WORD_SPACE "\t\v\f\r "

/* The length in bytes of the white space character at text (Unicode's property White_Space), 0 if
 * it is another one or the end. */
static inline size_t space_at(const char *text) {
        static const char *const wide[] = { "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
                                            "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
                                            "\xe2\x81\x9f", "\xe3\x80\x80" };
        unsigned char first = (unsigned char)*text;
        if (first < 0x80)
                return first == ' ' || (first >= '\t' && first <= '\r');
        for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++)
                if (!strncmp(text, wide[i], strlen(wide[i])))
                        return strlen(wide[i]);
        /* U+2000 to U+200A */
        if (!strncmp(text, "\xe2\x80", 2) && (unsigned char)text[2] >= 0x80 &&
            (unsigned char)text[2] <= 0x8a)
                return 3;
        return 0;
}

/* The length of the white space that text begins with. */
static inline size_t space_span(const char *text) {
        size_t length = 0;
        for (size_t step; (step = space_at(text + length)); length += step)
                ;
        return length;
}

/* The length of text[0..length) without the white space at its end. */
static inline size_t trimmed_length(const char *text, size_t length) {
        for (bool again = true; again && length;) {
                again = false;
                for (size_t back = 1; back <= 3 && back <= length; back++)
                        if (space_at(text + length - back) == back) {
                                length -= back;
                                again = true;
                                break;
                        }
        }
        return length;
}
