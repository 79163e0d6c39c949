/* session.h: brigd's end of a session with a registry, which brig-image holds. See registry.h. */
#pragma once

#include "format/reference.h"
#include "image/store.h"

typedef struct Session {
        Helper helper;
        char *endpoint, *authorization; /* after the first answer */
        char *link;                     /* the last answer's Link header, or NULL */
        /* the last error's, if a registry answered: */
        int64_t status;
        char *code;
} Session;

typedef struct SessionOptions {
        ImageStore *store;
        const Reference *reference;
        const RegistryAuth *auth;       /* may be NULL */
        const RegistryOptions *options; /* may be NULL */
        char *const *scopes;            /* what a token shall allow; NULL: pulling */
        bool no_mirrors;                /* the registry itself is meant */
        bool offline;                   /* a token that stands for the password is wanted */
} SessionOptions;

/* known: a session of the same options that has had an answer, or NULL. */
int session_start(const SessionOptions *options, const Session *known, Session *ret, Error *err);
void session_done(Session *session);

/* Asks for path; the answer goes to file_fd and, if pipe_fd ≥ 0, there too. size: at most. Both
 * descriptors stay the caller's. have: bytes that file_fd has from an earlier attempt, from its
 * start on; its offset is there. */
int session_ask(Session *session, const char *path, char *const *accept, int64_t size, int64_t have,
                int file_fd, int pipe_fd, Error *err);
/* Asks anything else of job-push.h's; file_fd: for request, or -1. */
int session_request(Session *session, const ImageMessage *request, int file_fd, Error *err);
/* GETs a small document of at most `limit` bytes, such as a manifest, into *text, and sums it. */
int session_document(Session *session, ImageStore *store, const char *path, char *const *accept,
                     int64_t limit, Buf *text, char digest[DIGEST_TEXT_MAX], char **media_type,
                     Error *err);
/* Takes one report: 1 done (message->digest, size, media_type are set), 0 progress (current). */
int session_step(Session *session, ImageMessage *ret, Error *err);
