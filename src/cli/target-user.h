/* target-user.h: who a container's processes are, in numbers: its names mean nothing elsewhere. */
#pragma once

#include "cli/cli.h"

/* user: Config.User, "name[:group]" or numbers; "" is root. *ret is the caller's: "uid:gid". Names
 * are looked up in the container's own /etc/passwd and /etc/group. */
int target_user(Cli *cli, const char *id, const char *user, char **ret, Error *err);

/* The archive's first entry that is no record of pax(1): *ret_text is a file's text, as far as it
 * is there, *ret_link where a symbolic link leads, NULL where it is none. The caller's. */
void archive_entry(const char *bytes, size_t length, char **ret_text, char **ret_link);
/* The number in column `wanted` (from 0) of the line of a passwd(5) or group(5) file whose column 0
 * is name, or whose column 2 is; -1: there is none. */
int64_t account_number(const char *text, const char *name, size_t wanted);
