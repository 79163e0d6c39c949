/* spawner.h: brig-monitor as the process whose children the monitors are. */
#pragma once

#include "base/error.h"

#define SPAWNER_REQUEST_MAX 8192

/* Makes a child for each request that comes on MONITOR_FD: bytes, which are what the list of
 * processes shows of the monitor behind its name, each word ended by a NUL, and one descriptor, the
 * monitor's end of its first connection, which the child has as its MONITOR_FD, has sent "begun"
 * on, and is monitor's from then on; it exits with monitor's result. Where there is no child, an
 * "error" is sent there. Ends when the daemon does. argv is main's own, whose memory the words are
 * written into. unfit: why this process can make none; it tells all that wait, and ends. NULL: it
 * can. */
_Noreturn void spawner_serve(char **argv, int (*monitor)(void), const Error *unfit);
