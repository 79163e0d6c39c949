/* policies.h: the network policies that an engine holds. What they mean is net/policy.h's. */
#pragma once

#include "engine/internal.h"
#include "net/policy.h"

struct Policies {
        pthread_mutex_t lock; /* LOCK_POLICIES */
        Policy *items;        /* by namespace and name */
        size_t count;
};
