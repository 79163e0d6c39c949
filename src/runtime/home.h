/* home.h: HOME from the container's /etc/passwd. */
#pragma once

#include <sys/types.h>

/* The home directory of uid, "/" where passwd names none; the caller's. Runs inside the container's
 * root. */
char *home_of(uid_t uid);
