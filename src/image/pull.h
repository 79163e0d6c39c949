/* pull.h: what the files of a pull share: pull-documents.c finds out what is pulled, pull.c gets
 * it. Inside image only. */
#pragma once

#include "image/assembly.h"
#include "image/session.h"

typedef struct Pull {
        Assembly assembly;
        SessionOptions options;
        Reference reference;
        char *familiar; /* as Docker prints it */
        ImagePlatform platform;
        bool platform_given;
        bool one_of_many;          /* of a repository's tags: the whole says how it ended */
        Document document;         /* the manifest */
        char top[DIGEST_TEXT_MAX]; /* what the name stands for: the index, or the manifest */
        const Layer *layers; /* chain, parent and diff of each; NULL: as the assembly has them */
} Pull;

/* ---- for build caches, too: cache-fetch.c ---- */
/* platform: or NULL. pull->assembly and pull->options are the caller's to set before. */
int pull_prepare(Pull *pull, const char *name, const char *platform, Error *err);
void pull_done(Pull *pull);
/* The manifest that the name stands for, through an index where there is one, into pull->document;
 * its text is appended. Its digests are checked. */
int pull_manifest(Pull *pull, Session *session, Buf *text, Error *err);
int pull_config(Pull *pull, Session *session, Buf *text, Error *err);
/* A Crew's work, upon the manifest's layers. */
int pull_layer(void *data, Session *session, size_t position, Error *err);

typedef struct PullRequest {
        ImageStore *store;
        const char *platform; /* or NULL */
        const RegistryAuth *auth;
        const RegistryOptions *options;
        ImageProgressFn progress;
        void *data;
} PullRequest;

/* One name. *ret_newer: it meant something else before, or nothing. pull.c */
int pull_one(const PullRequest *request, const char *name, bool one_of_many, char **ret_id,
             bool *ret_newer, Error *err);

/* Index, manifest and configuration: after it the assembly knows the image's layers, and the three
 * documents are in the store, pinned. */
int pull_resolve(Pull *pull, Session *session, Error *err);
/* Docker's words for what a registry answered; returns the error's negative errno. */
int pull_word_error(const Pull *pull, const Session *session, Error *err);
