/* agent-relay.h: a socket of the daemon's own for each agent's: who connects to it is connected to
 * the agent. So the agent may be anywhere, whose it is and in whichever mount namespace, and an
 * agent that lets in nobody but its user and root (as ssh-agent) serves others, who are chosen
 * here. Knows nothing of what is said. */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

typedef struct AgentRelay AgentRelay;

typedef struct AgentAccess {
        uid_t uid;
        gid_t gid;
        mode_t mode;
} AgentAccess;

/* Makes the socket `name` in dir_fd, a directory that only root writes to, and serves it from a
 * thread, at most 16 connections at once. agent_fd, opened with O_PATH, and dir_fd stay the
 * caller's. */
int agent_relay_new(int agent_fd, int dir_fd, const char *name, const AgentAccess *access,
                    AgentRelay **ret, Error *err);
/* Ends its connections and removes the socket. NULL is fine; returns NULL. */
AgentRelay *agent_relay_free(AgentRelay *relay);
DEFINE_CLEANUP(AgentRelay *, agent_relay_free)
