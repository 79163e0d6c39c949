/* target-user.h: who a container's processes are, in numbers: its names mean nothing elsewhere. */
#pragma once

#include "cli/cli.h"

/* user: Config.User, "name[:group]" or numbers; "" is root. *ret is the caller's: "uid:gid". Names
 * are looked up in the container's own /etc/passwd and /etc/group. */
int target_user(Cli *cli, const char *id, const char *user, char **ret, Error *err);

/* The number in column `wanted` (from 0) of the line of a passwd(5) or group(5) file whose column 0
 * is name, or whose column 2 is; -1: there is none. */
int64_t account_number(const char *text, const char *name, size_t wanted);
