/* relay.h: passes a container's records on, one after the other, to a target that may be away. */
#pragma once

#include "base/error.h"

/* Descriptors as monitor/logger.h has them. A first relay says whether it has reached its target,
 * and ends if not; one that takes up what another has left (again) tries as long as it is of use.
 * Returns when the monitor is gone and all is passed on, or the target could not be reached for
 * RELAY_PATIENCE seconds after that. */
int relay_run(bool again, Error *err);

#define RELAY_PATIENCE 60
