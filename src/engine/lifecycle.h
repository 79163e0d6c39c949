/* lifecycle.h: how a container starts, ends, is restarted and removed. Inside engine only. */
#pragma once

#include "engine/container.h"
#include "engine/engine-private.h"

/* start.c: lock held, not running. On failure the record says why and nothing runs. */
int container_start_locked(Container *container, Error *err);

/* monitors.c */
/* Where the directories of running containers are; the caller's. */
char *engine_run_directory(const Engine *engine);
/* See monitor_begin; the caller's. */
MonitorProcess *container_begin_monitor(const Container *container);
/* The monitor's handler, on the loop's thread; data: the container. */
void monitor_notice(void *data, const MonitorReply *reply);
/* lock held. Ends the connection and gives back the reference that its handler had. watched:
 * notices may be under way. */
void container_drop_monitor(Container *container, bool watched);

/* exit.c: what of a container's end does not wait until its monitor has removed its control groups:
 * it leaves its networks. Blocks; takes the lock. Nothing happens if its process runs, or has been
 * dealt with. */
void exit_begin(Container *container);
/* Takes note of the end of a container: record, network, waits, auto-remove, restart
 * policy. Blocks; takes the lock. Nothing happens if it is not running. */
void exit_handle(Container *container, const ExitRecord *record);
/* The same with the lock held. */
void exit_handle_locked(Container *container, const ExitRecord *record);
/* For a container whose monitor is gone: what the exit file says, or that it was killed. */
void exit_handle_lost(Container *container);
/* Without its monitor a container has no streams, no log and nobody to reap it: what is left of it
 * is ended and its control group removed, within bounds. Nothing left is fine. */
void container_kill_orphan(Container *container);
/* The exit file of the container's last run; not_found where that has not ended. Frees with
 * json_done. */
int exit_record_of(Container *container, ExitRecord *ret, Error *err);
/* Before a start is recorded: a file that is there is of the run that the record has, or of a later
 * one. No time says that, as the clock may have been set back. */
int exit_record_forget(const Container *container, Error *err);

/* restart.c: lock held, the container has just ended. Whether its policy wants it started again,
 * given its exit code. */
bool restart_wanted(const Container *container);
/* lock held, status RESTARTING: starts it after the back-off. */
void restart_schedule(Container *container);
/* lock held, status RESTARTING: it no longer waits for its next start; back-off begins afresh. */
void restart_forget(Container *container);
/* lock held, status RESTARTING: it is not started again. */
int restart_cancel(Container *container, Error *err);
/* status RESTARTING: starts the container on a worker. */
void restart_now(Container *container);
/* At the engine's end, on the loop's thread. */
void restart_timers_drop(Engine *engine);

/* remove.c: lock held, not running. Returns once the record says that it is gone; kernel and files
 * follow on a worker. */
int container_remove_locked(Container *container, bool volumes, Error *err);
/* Queues what removal leaves to be done: for reconcile, too. Takes no reference of the caller's. */
void removal_finish_later(Container *container);
Removals *removals_new(void);
Removals *removals_free(Removals *removals); /* after workers_free */
