/* policy-document.h: what policy.c needs to know of how documents say things. */
#pragma once

#include "net/policy.h"

/* cidr_parse, but that everything (0.0.0.0/0, ::/0) is a block, too. */
int policy_cidr_parse(const char *text, Subnet *ret);
/* Of a port that was checked. */
PortRange policy_port_range(const PolicyPort *port);
