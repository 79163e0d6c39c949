/* pull.h: what comes from a registry: shared by pull.c (images) and cache-fetch.c (build caches).
 * Inside image only. */
#pragma once

#include "image/crew.h"

typedef struct Pull {
        Assembly assembly;
        SessionOptions options;
        Reference reference;
        char *familiar; /* as Docker prints it */
        ImagePlatform platform;
        bool platform_given;
        Document document;         /* the manifest */
        char top[DIGEST_TEXT_MAX]; /* what the name stands for: the index, or the manifest */
        const Layer *layers; /* chain, parent and diff of each; NULL: as the assembly has them */
} Pull;

/* platform: or NULL. pull->assembly and pull->options are the caller's to set before. */
int pull_prepare(Pull *pull, const char *name, const char *platform, Error *err);
void pull_done(Pull *pull);
/* The manifest that the name stands for, through an index where there is one, into pull->document;
 * its text is appended. Its digests are checked. */
int pull_manifest(Pull *pull, Session *session, Buf *text, Error *err);
int pull_config(Pull *pull, Session *session, Buf *text, Error *err);
/* A Crew's work, upon the manifest's layers. */
int pull_layer(void *data, Session *session, size_t position, Error *err);
