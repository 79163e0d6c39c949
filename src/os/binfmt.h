/* binfmt.h: whether programs of another processor can be run on this machine: by the processor
 * itself, or by an emulator that the kernel starts for them (admin-guide/binfmt-misc.rst). Knows no
 * images. */
#pragma once

#include <stdbool.h>

/* architecture: Go's name. An emulator counts if its handler is enabled and has the flag F: without
 * that the kernel looks for its file in the container. */
bool machine_runs(const char *architecture);

/* Whether that handler, as a file of binfmt_misc describes it, is one for this architecture. */
bool binfmt_handles(const char *handler, const char *architecture);
