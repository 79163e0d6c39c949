/* policy-document.h: what policy.c needs to know of how documents say things. */
#pragma once

#include "net/policy.h"

/* Of a port that was checked. */
PortRange policy_port_range(const PolicyPort *port);
