/* explore-page.h: the lines of explore.html, which Meson turns into explore-page.c. */
#pragma once

#include <stddef.h>

extern const char *const explore_page[]; /* NULL at the end */
