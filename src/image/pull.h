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
        bool one_of_many;   /* of a repository's tags: the whole says how it ended */
        bool any_platform;  /* what there is will do, where there is no choice */
        const char *pinned; /* what the name stood for earlier, to be had again; NULL: now */
        Buf index, manifest, config; /* the documents' texts; index may be empty */
        Document document;           /* the manifest */
        char top[DIGEST_TEXT_MAX];   /* what the name stands for: the index, or the manifest */
        const Layer *layers; /* chain, parent and diff of each; NULL: as the assembly has them */
} Pull;

/* ---- for build caches, too: cache-fetch.c ---- */
/* platform: or NULL. pull->assembly and pull->options are the caller's to set before. */
int pull_prepare(Pull *pull, const char *name, const char *platform, Error *err);
void pull_done(Pull *pull);
/* The manifest that the name stands for, through an index where there is one, into pull->document;
 * their texts are the pull's. Their digests are checked. */
int pull_manifest(Pull *pull, Session *session, Error *err);
int pull_config(Pull *pull, Session *session, Buf *text, Error *err);
/* A Crew's work, upon the manifest's layers. */
int pull_layer(void *data, Session *session, size_t position, Error *err);

typedef struct PullRequest {
        ImageStore *store;
        const char *platform; /* or NULL */
        const char *holder;   /* for whom the layers are held, or NULL */
        const char *pinned;   /* see Pull */
        bool any_platform, one_of_many;
        const RegistryAuth *auth;
        const RegistryOptions *options;
        ImageProgressFn progress;
        void *data;
} PullRequest;

/* One name. *ret_newer: it meant something else before, or nothing. pull.c */
int pull_one(const PullRequest *request, const char *name, char **ret_id, bool *ret_newer,
             Error *err);
/* *ret is the caller's to pull_done, on error too. */
int pull_begin(Pull *ret, const PullRequest *request, const char *name, Error *err);

/* Index, manifest and configuration: after it the assembly knows the image's layers; nothing is
 * stored yet. */
int pull_resolve(Pull *pull, Session *session, Error *err);
/* Puts the three documents into the store, pinned. */
int pull_keep(Pull *pull, Error *err);
/* Docker's words for what a registry answered; returns the error's negative errno. */
int pull_word_error(const Pull *pull, const Session *session, Error *err);
