/* mount-spec.h: the words of -v, --mount and --tmpfs; knows no volumes and touches no file. */
#pragma once

#include "engine/container.h"

/* "src:dst[:options]" or "dst" of HostConfig.Binds. A bind where src is absolute, else a volume by
 * that name (none: anonymous). invalid, in Docker's words. */
int mount_parse_bind(const char *text, MountPoint *ret, Error *err);
/* HostConfig.Mounts. Whether a bind's source exists is the caller's to check. */
int mount_parse_spec(const MountSpec *spec, MountPoint *ret, Error *err);
/* An element of HostConfig.Tmpfs: options "size=1m,mode=1777". */
int mount_parse_tmpfs(const char *destination, const char *options, MountPoint *ret, Error *err);
/* "container[:ro|rw]" of VolumesFrom; *ret_ref is the caller's. */
int mount_parse_from(const char *text, char **ret_ref, bool *ret_read_only, Error *err);
/* Without "." and "..", double and trailing slashes; absolute; the caller's. */
char *path_clean(const char *path);
