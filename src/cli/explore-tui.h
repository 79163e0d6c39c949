/* explore-tui.h: `brig image explore` on a terminal. */
#pragma once

#include "cli/explore-report.h"

/* Shows the report on the terminal that is standard input and output until the user leaves, or a
 * signal ends it; the terminal is then as it was. */
int explore_tui(const Report *report, Error *err);
