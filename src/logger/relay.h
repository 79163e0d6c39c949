/* relay.h: passes a container's records on, one after the other, to a target that may be away. */
#pragma once

#include "base/error.h"

/* Descriptors as monitor/logger.h has them. Returns when the monitor is gone and all is passed on,
 * or the target could not be reached for RELAY_PATIENCE seconds after that. */
int relay_run(Error *err);

#define RELAY_PATIENCE 60
