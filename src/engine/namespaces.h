/* namespaces.h: the namespaces of containers, and those that they share. Inside engine only. */
#pragma once

#include "engine/container.h"

/* A namespace ("pid", "net": its file in /proc) of a running container, the caller's descriptor;
 * conflict "cannot join <what> of a non running container: …" where it does not run. Takes no lock
 * but state_lock; what is opened is of its init, never of a process that got its number. */
int container_namespace_open(Container *container, const char *what, const char *file, int *ret_fd,
                             Error *err);
/* lock held. Takes init's pidfd, -1: it has ended. */
void container_set_pidfd(Container *container, int pidfd);
/* HostConfig.PidMode container:x: *ret_fd is that one's namespace, else it stays. owner: see
 * userns_share. */
int pid_mode_open(Container *container, const Container *owner, int *ret_fd, int *ret_userns_fd,
                  Error *err);

/* ---- ipc-mode.c ---- */
typedef struct IpcJoin {
        int ns_fd; /* -1: none; the caller's */
        char *shm; /* where the other's /dev/shm is until mount_places_clear; the caller's */
} IpcJoin;
/* HostConfig.IpcMode container:x, at start; else *ret stays. Conflict where x does not run,
 * internal where it does not share, in dockerd's words. owner: see userns_share. */
int ipc_mode_open(Container *container, const Container *owner, IpcJoin *ret, int *ret_userns_fd,
                  Error *err);

/* ---- userns.c ---- */
/* A network namespace for a start, and a user namespace that it belongs to where the container has
 * one (else *ret_userns_fd stays). */
int userns_make(const Container *container, int *ret_userns_fd, int *ret_netns_fd, Error *err);
/* Who shares a remapped container's network or processes shares its user namespace: as that owns
 * them. *ret_fd is replaced. owner: whose *ret_fd is already, NULL: nobody's; conflict where it is
 * another one. */
int userns_share(const Container *container, const Container *owner, Container *donor, int *ret_fd,
                 Error *err);
/* The user namespace of a container that runs; -1: this daemon's own. */
int userns_of_running(Container *container, int *ret_fd, Error *err);
