/* drill-options.c: see drill-options.h. */
#include "cli/drill-options.h"

static const Option rows[] = {
        { "format", 0, OPTION_STRING, offsetof(DrillOptions, format),
          "Form of the report (\"text\", \"json\", \"junit\")", NULL, "\"text\"" },
        { "list", 0, OPTION_BOOL, offsetof(DrillOptions, list),
          "Show the drills, and what is not covered, and try nothing" },
        { "rounds", 0, OPTION_INT, offsetof(DrillOptions, rounds),
          "How often a race is tried; the catalogue's figure is 10000", NULL, "200" },
};

const OptionTable drill_option_table = { rows, ELEMENTS(rows), sizeof(DrillOptions) };
const char *const drill_formats[] = { "text", "json", "junit", NULL };
