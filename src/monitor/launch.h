/* launch.h: the process of a monitor, for client-calls.c alone: started, sent its first message,
 * reaped.
 */
#pragma once

#include "monitor/client.h"

/* *ret_fd: the connection, on which "start" was sent; the caller's. */
int monitor_spawn_process(Loop *loop, const MonitorSpawn *spawn, int *ret_fd, Error *err);
