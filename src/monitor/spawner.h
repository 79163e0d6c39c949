/* spawner.h: brig-monitor as the process whose children the monitors are. */
#pragma once

#include "base/error.h"

#define SPAWNER_REQUEST_MAX 8192

/* Makes a child for each request that comes on MONITOR_FD: bytes, which are what the list of
 * processes shows of the monitor behind its name, each word ended by a NUL, and one descriptor, the
 * monitor's end of its first connection. monitor is what the child runs and exits with, there as
 * its MONITOR_FD. Ends when the daemon does. argv is main's own, whose memory the names are written
 * into. unfit: why no monitor can be made, told on each connection; NULL: they can. */
_Noreturn void spawner_serve(char **argv, int (*monitor)(void), const Error *unfit);
