/* checkpoint.h: what dumps of a container have to do with the rest of its life. Inside engine only.
 */
#pragma once

#include "engine/container.h"

/* lock held: no dump with which the container ends goes on any more. ended: it did end, and stays
 * down as one that the user stopped. */
void container_end_checkpointing(Container *container, bool ended);
/* container_lock for who will kill it. One that is being dumped, for which a dump may hold the lock
 * for a quarter of an hour, is killed at once, recorded as stopped by the user: true; the dump then
 * fails soon. */
bool container_lock_to_kill(Container *container);
/* At the daemon's start: what dumps have left that no daemon came to finish. A dump that still runs
 * cannot succeed: who would let it end the container is gone. */
void checkpoints_sweep(const Container *container);
/* The same: whether a dump that an earlier daemon began may have ended it: only what is whole may,
 * as that is written before criu may kill, and goes before anything else where a dump has failed.
 */
bool checkpoint_may_have_ended(const Container *container);
/* Of one that runs: whether the dump that an earlier daemon let end it does so. Waits
 * for it, up to 12 s while somebody traces the container's first process, else up to 2 s, and not
 * beyond until (clock_monotonic); at once false where none was begun. */
bool checkpoint_await_end(const Container *container, int64_t until);
/* No lock held, for its server may never answer, which is an error after seconds: the directory
 * that the client named, the caller's; the place is the container's own: nothing is done. */
int checkpoint_open_holder(const Container *container, const CheckpointPlace *place, int *ret_fd,
                           Error *err);
/* Then, lock held: the directory of a checkpoint's images, the caller's. *holder_fd: what that has
 * opened; of the container's own it is opened here. */
int checkpoint_open(const Container *container, const CheckpointPlace *place, int *holder_fd,
                    int *ret_fd, Error *err);
