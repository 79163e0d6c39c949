/* words-pattern.h: the patterns of ${v#…}, ${v%…} and ${v/…/…}: '*' is any text, '?' one character,
 * '\' takes the meaning from what follows. Knows no variables. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef enum PatternUse {
        PATTERN_PREFIX,  /* # and ##: taken off the front */
        PATTERN_SUFFIX,  /* % and %%: taken off the end */
        PATTERN_REPLACE, /* / and //: its longest match gives way to the replacement */
} PatternUse;

/* greedy: the longest one (##, %%), or every one (//). replacement is for PATTERN_REPLACE. An
 * escape before anything but * ? \ } and / is an error of the kind invalid. *ret is the caller's;
 * an error too where it would pass limit bytes. */
int pattern_apply(const char *pattern, PatternUse use, bool greedy, const char *value,
                  const char *replacement, size_t limit, char **ret, Error *err);
