/* policies.h: the network policies that an engine holds. What they mean is net/policy.h's. */
#pragma once

#include "engine/container.h"
#include "engine/engine-private.h"
#include "net/policy.h"

struct Policies {
        pthread_mutex_t lock; /* LOCK_POLICIES */
        Policy *items;        /* by namespace and name */
        size_t count;
};

int policies_new(Engine *engine, Policies **ret, Error *err); /* reads the record */
/* Before the networks are reconciled: what was in force is in force again. */
int policies_start(Engine *engine, Error *err);
Policies *policies_done(Policies *policies);
/* In which namespace policies see a container of these labels: its compose project, else
 * "default". */
const char *labels_namespace(const Pairs *labels);
/* lock held. Lends what policies look at to an endpoint of the container, until they change. */
void endpoint_lend_labels(const Container *container, Endpoint *endpoint);
