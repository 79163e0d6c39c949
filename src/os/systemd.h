/* systemd.h: transient scopes, asked of systemd (org.freedesktop.systemd1(5), systemd.scope(5)),
 * and where slices lie. Knows no containers. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "os/dbus.h"

#define SYSTEMD_PRIVATE_SOCKET "/run/systemd/private"

bool systemd_runs(void); /* sd_booted(3) */

/* The group of a slice in the hierarchies (systemd.slice(5)): "a-b.slice" is "/a.slice/a-b.slice",
 * "-.slice" is "". The caller's. Invalid where it is no slice's name. */
int systemd_slice_path(const char *slice, char **ret, Error *err);

/* Over root's own socket of systemd, or where that does not answer over the system bus. */
int systemd_connect(DBus **ret, Error *err);

typedef struct SystemdScope {
        const char *name, *slice, *description; /* "x.scope", "a-b.slice" */
        pid_t pid;                              /* its first process */
} SystemdScope;

/* Makes a scope whose groups are delegated to the caller (systemd's CGROUP_DELEGATION), with pid in
 * it, and waits for timeout ns at the most until that is done. systemd removes it once it has no
 * processes. One of this name that is about to be removed is waited for; conflict: it stays. */
int systemd_start_scope(DBus *bus, const SystemdScope *scope, int64_t timeout, Error *err);
