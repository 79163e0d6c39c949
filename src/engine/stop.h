/* stop.h: signals to a container, and the wait for its end. Inside engine only. */
#pragma once

#include "engine/container.h"

/* wait.c */
/* lock held, so that no end is missed between a signal and the wait. */
EngineWait *wait_register(Container *container, WaitCondition condition);
/* timeout in ns, -1: none; cancel_fd as in engine.h. 0, -ETIMEDOUT or -ECANCELED. No lock held. */
int wait_poll(EngineWait *wait, int64_t timeout, int cancel_fd);
/* Readable once it is over, for a poll together with others; -1 where there was no descriptor left.
 */
int wait_fd(const EngineWait *wait);
EngineWait *wait_free(EngineWait *wait);
DEFINE_CLEANUP(EngineWait *, wait_free)
typedef enum WaitEvent { WAIT_EVENT_EXIT, WAIT_EVENT_REMOVED } WaitEvent;
/* lock held, state set and published. */
void waits_fire(Container *container, WaitEvent event);
/* The same for those that wait for a removal which has failed: their answer says why. */
void waits_fire_kept(Container *container, const char *why);

/* signals.c */
int signal_parse(const char *text, int *ret,
                 Error *err); /* "TERM", "SIGTERM", "15"; invalid "Invalid signal: x" */
/* lock held, running: sends it to init. */
int container_signal(Container *container, int signal, Error *err);
/* As engine_container_pause(); for_commit: a daemon that is killed meanwhile leaves no pause. */
int container_pause_for(Engine *engine, const char *ref, bool for_commit, Error *err);
int container_unpause_for_commit(Engine *engine, const char *ref, Error *err);
/* SIGKILL, and waits. No lock held. */
int container_end(Container *container, Error *err);

/* stop.c: lock held, it runs. What it is to be stopped with: the signal, and seconds (at most
 * INT32_MAX), below 0: as long as it takes. */
int container_stop_signal(const Container *container);
int64_t container_stop_timeout(const Container *container);
/* The signal and its event; the restart policy goes on. */
int container_kill_locked(Container *container, int signal, Error *err);
