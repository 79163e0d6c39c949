/* locks.h: the order of the engine's locks, asserted. A thread takes locks in rising rank only; see
 * docs/engine.md. */
#pragma once

#include <assert.h>
#include <pthread.h>

typedef enum LockRank {
        LOCK_POLICIES,  /* Policies.lock: one change of the network policies at a time; net and the
                           record are changed under it */
        LOCK_CONTAINER, /* Container.lock; one at a time */
        LOCK_KILL,      /* Container.kill_lock: the record is written under it */
        LOCK_NETWORKS,  /* the index of networks; short */
        LOCK_REGISTRY,  /* Engine.registry_lock; short */
        LOCK_STATE,     /* Container.state_lock; short, one at a time */
} LockRank;

extern __thread unsigned locks_held; /* bit n: rank n */

static inline void lock_take(pthread_mutex_t *lock, LockRank rank) {
        assert((locks_held >> rank) == 0);
        pthread_mutex_lock(lock);
        locks_held |= 1u << rank;
}

static inline void lock_drop(pthread_mutex_t *lock, LockRank rank) {
        assert(locks_held & (1u << rank));
        locks_held &= ~(1u << rank);
        pthread_mutex_unlock(lock);
}
