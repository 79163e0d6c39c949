/* forward.h: hands a container's records on to its logger (brig-logger forward), over a socket
 * whose both ends the monitor keeps: what waits in it outlives a logger that dies, and the next one
 * reads on. Knows no target. */
#pragma once

#include "monitor/logfile.h"

/* Starts the logger (log->program, borrowed) and waits until it has reached its target; why it has
 * not is the error. What nobody hears any more is said in LOGGER_LAST_WORDS below log->dir_fd. */
int forward_open(const LogFile *log, const MonitorLog *options, const LogHost *host,
                 LogForward **ret, Error *err);
/* The logger takes over what waits and ends when it has passed it on, or cannot for a minute. */
LogForward *forward_free(LogForward *forward);

/* What finds no room is dropped and counted (non-blocking), or waits here. */
void forward_add(LogForward *forward, const LogEntry *entry);
/* Blocking, and something waits here: no more shall come until the host's ready was called. */
bool forward_waits(const LogForward *forward);
/* What was said when there was no monitor is forgotten. NULL is fine. */
int forward_clear(LogForward *forward, Error *err);
/* Whether it waits for a time. */
bool forward_timed(const LogForward *forward);

#define LOGGER_LAST_WORDS "logger.log" /* below the container's directory */
