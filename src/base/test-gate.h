/* test-gate.h: stops a thread at a place until the test lets it go on. */
#pragma once

#include <semaphore.h>

typedef struct Gate {
        sem_t closed, open; /* the thread is there; it may go on */
} Gate;

static inline void gate_pass(void *data) {
        Gate *gate = data;

        (void)sem_post(&gate->closed);
        (void)sem_wait(&gate->open);
}
