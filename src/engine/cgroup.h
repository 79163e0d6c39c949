/* cgroup.h: which control group a container has. What is in it is os/cgroup.h's. Inside engine
 * only.
 */
#pragma once

#include "engine/container.h"

/* The group that counts, limits and freezes its processes, below every hierarchy's mount point; the
 * caller's. */
char *container_cgroup(const Container *container);
/* At start: that group as the daemon's settings have it now, into the state. Invalid: no slice. */
int container_plan_cgroup(Container *container, Error *err);
char *container_cgroups_path(const Container *container); /* the document's; the caller's */
/* Where systemd makes scopes, parent must be a slice; NULL and "" are the default one. */
int cgroup_check_parent(bool systemd, const char *parent, Error *err);
int cgroup_check_driver(const EngineOptions *options, Error *err); /* unavailable: no systemd */
