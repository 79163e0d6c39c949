/* device-filter.h: which devices a container may use, as a program of the kernel's BPF for control
 * groups v2. */
#pragma once

#include "runtime/runtime.h"

/* What every container may use beside what its document says: the default devices, and
 * pseudo-terminals. */
extern const OciDeviceRule device_rules_default[];
extern const size_t device_rules_default_count;

/* The rules in the document's order, the last match decides, nothing matches: refused. No rules: no
 * program. */
int device_filter_attach(const char *cgroup, const JsonArray *rules, Error *err);
