/* drill-options.h: the options of `brig drill`, which brig reads for its help and completion and
 * brig-drill for what it does. */
#pragma once

#include "cli/options.h"

typedef struct DrillOptions {
        char *format; /* NULL: text */
        bool list;
        int64_t rounds; /* of a race; 0: not given */
} DrillOptions;

extern const OptionTable drill_option_table;
/* The forms that --format names; NULL-terminated. */
extern const char *const drill_formats[];
