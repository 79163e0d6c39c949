/* build-git.h: who asks for a repository of git; between build-git.c and build-git-client.c. */
#pragma once

#include "engine/agent-relay.h"
#include "engine/build-private.h"
#include "format/git-source.h"
#include "image/git.h"

typedef struct GitAsking {
        char **headers, **environment;
        AgentRelay *relay;
        int agent_fd; /* the relay's socket */
        GitRequest request;
} GitAsking;
/* *ret, whose agent_fd is -1, is to be freed by git_asking_done whatever comes of it. */
int git_asking_init(Build *build, const GitRemote *remote, GitAsking *ret, Error *err);
void git_asking_done(GitAsking *asking);
/* Whether the answers may be for this client's eyes alone. */
bool git_shows_credentials(const Build *build, const GitRemote *remote);
/* Whose the credentials are: the user's, as a token is changed now and then; of who is unknown
 * nothing is known but what he shows. Keyed with a secret of this cache's: nobody who sees it can
 * guess what was shown, and another machine's user 1000 is somebody else. */
int git_digest_client(const Build *build, const GitRemote *remote, char digest[DIGEST_TEXT_MAX],
                      Error *err);
