/* attach.h: clients at a container's streams: what attach.c shares with exec.c, and what the life
 * of the container has to do with them. Inside engine only. */
#pragma once

#include "engine/container.h"

/* The monitor's request for a client; attach_request_done frees it. */
void attach_request(const AttachOptions *options, bool tty, bool open_stdin, MonitorRequest *ret);
void attach_request_done(MonitorRequest *request);
/* Waits, for 20 ms at the most, until the client has taken what was sent to it. */
void attach_let_head_be_read(int fd);

/* ---- attach.c ---- */
/* lock held; between monitor_created and monitor_go: hands the clients that attached before the
 * start to the monitor. */
int attach_start_pending(Container *container, Error *err);
/* On the loop's thread: a client left a terminal by its keys; emits "detach" or "exec_detach". Must
 * not block. */
void attach_detached(Container *container, const MonitorReply *reply);
/* Drops them: the start failed or the container is removed. lock held. */
void attach_drop_pending(Container *container);
