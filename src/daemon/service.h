/* service.h: what keeps brigd one of its kind and what it tells its service manager. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* Opens (making it) the directory `path` and holds a lock in it until the descriptor is closed.
 * conflict if another brigd holds it. */
int service_lock_root(const char *path, mode_t mode, int *ret_lock_fd, Error *err);
/* Takes from the directory what `mode` does not allow, whoever made it (a disk's own root is
 * everybody's to read). A sticky one, as /tmp, stays as it is: it is not this daemon's alone. */
int service_close_root(const char *path, mode_t mode, Error *err);

/* Writes the process id; *ret_fd keeps the file locked. conflict if another daemon holds it. */
int service_write_pid(const char *path, int *ret_fd, Error *err);
void service_remove_pid(const char *path, int *fd);

/* sd_notify(3): "READY=1". Without NOTIFY_SOCKET nothing happens. */
void service_notify(const char *state);

/* The path of one of brig's programs, the caller's: beside brigd, where the build leaves it
 * (build/src/<folder>), or in ../libexec/brig. not_found names all of them. */
int service_find_program(const char *name, const char *build_folder, char **ret, Error *err);
