/* attach.h: what attach.c and exec.c share. Inside engine only. */
#pragma once

#include "engine/internal.h"

/* The monitor's request for a client; attach_request_done frees it. */
void attach_request(const AttachOptions *options, bool tty, bool open_stdin, MonitorRequest *ret);
void attach_request_done(MonitorRequest *request);
/* Waits, for 20 ms at the most, until the client has taken what was sent to it. */
void attach_let_head_be_read(int fd);
