/* bug.h: places where a protection can be taken away, so that a drill is seen to fail without it
 * (docs/drill.md). if (BUG("name")) stands where the protection stands. Compiled in by
 * -Ddrill_bugs=true only; any other build has a constant there.
 *
 * The names that are on, one a line, are in BUG_FILE. A program that has lost sight of it, or that
 * runs in a container's root, goes by what it read when it began. */
#pragma once

#include <stdbool.h>

#define BUG_FILE "/run/brig-drill-bugs"

#ifdef BRIG_BUGS /* Meson's */
bool bug_is_on(const char *name);
#define BUG(name) bug_is_on(name)
#define BUGS_MARK " (with bugs)" /* for --version: such a build is no user's */
#else
#define BUG(name) false
#define BUGS_MARK ""
#endif
