/* remover.h: a thread that removes files and trees of them, one after the other: on a busy disk a
 * large one takes minutes, which nobody has to wait for. It remembers nothing beyond its process:
 * who gives it something must find it again after a kill. Thread-safe. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct RemoverItem RemoverItem;

typedef struct Remover {
        const char *owner;    /* for its warnings: "build cache"; borrowed */
        pthread_mutex_t lock; /* guards what follows; taken last */
        pthread_cond_t changed;
        RemoverItem *first, **last; /* the first is being removed */
        uint64_t queued, removed;   /* so far */
        void (*idle)(void *data);
        void *idle_data;
        bool started, hurried;
        pthread_t thread;
        atomic_bool stop;
} Remover;

void remover_init(Remover *remover, const char *owner);
/* Ends it in the middle of what it does. */
void remover_done(Remover *remover);
/* Whenever it has removed all that there was, idle is called on its thread, without a lock. */
void remover_on_idle(Remover *remover, void (*idle)(void *data), void *data);
/* Has it removed; what fails is logged. dir_fd: stays open until remover_done. Any lock may be
 * held. */
void remover_add(Remover *remover, int dir_fd, const char *name);
/* Waits until all that was given to it so far is removed, at most `patience` ns; 0: however long.
 */
void remover_wait(Remover *remover, int64_t patience);
/* From now on nobody waits: the process is about to end. */
void remover_hurry(Remover *remover);
