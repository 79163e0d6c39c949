/* launch.h: the process of a monitor, for client-calls.c alone: sent its first message. What
 * begins and frees one is in client.h. */
#pragma once

#include "monitor/client.h"

/* *ret_fd: the connection, on which "start" was sent; the caller's. *ret_loop: on whose thread its
 * notices are read. */
int monitor_process_start(MonitorProcess *process, const MonitorSpawn *spawn, Loop **ret_loop,
                          int *ret_fd, Error *err);
