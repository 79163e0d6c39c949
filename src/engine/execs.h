/* execs.h: execs as the life of their container sees them. Inside engine only. */
#pragma once

#include "engine/container.h"
#include "engine/engine-private.h"

int execs_new(Engine *engine, Execs **ret, Error *err);
Execs *execs_free(Execs *execs);
/* On the loop's thread: the monitor's notice "exec-exited". Must not block: guard execs by
 * state_lock. */
void exec_notice(Container *container, const MonitorReply *reply);
/* At daemon start, published: its monitor, or its exit record, knows these execs (MonitorExec). */
void execs_adopt(Container *container, const JsonArray *known);
/* The container has ended: so have its execs. lock held. */
void exec_container_ended(Container *container);
/* The container is being removed: forget its execs. lock held. */
void exec_container_removed(Container *container);
/* A health check is about to be started; its end comes by exec_notice. Must not block. */
void exec_probe_begin(Container *container, const char *id, const ExecConfig *config);
void exec_probe_started(Engine *engine, const char *id, int64_t pid);
void exec_probe_failed(Engine *engine, const char *id);
