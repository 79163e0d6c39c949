/* apparmor.h: the AppArmor profile that containers get which ask for none. Inside engine only. */
#pragma once

#include "engine/ocispec.h"

#define APPARMOR_DEFAULT "brig-default"

/* The default profile is there, or can be: else containers that ask for none run without, and the
 * log says why. Loads it. */
void apparmor_start(Engine *engine);
/* Loads it where somebody has taken it away. */
int apparmor_ensure(const Engine *engine, Error *err);
/* What the container's processes run under: its own, "unconfined" with --privileged, the default.
 * NULL: the host has no AppArmor, and none was asked for. Borrowed. */
const char *apparmor_profile(const Engine *engine, const HostConfig *host,
                             const SecurityOptions *security);
