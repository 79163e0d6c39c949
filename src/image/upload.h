/* upload.h: one blob to a registry: distribution-spec 1.1, "pushing blobs". Asks whether it is
 * there, has it mounted from another repository, else uploads it, going on where a transfer broke.
 * Part of brig-image; knows no store. */
#pragma once

#include "image/registry.h"

typedef struct Upload {
        const char *digest;
        int file_fd; /* -1: only ask, and mount */
        int64_t size;
        char *const *sources; /* repositories of the registry that have the blob, or NULL */
        void (*progress)(void *data, int64_t current);
        void *data;
} Upload;

/* *ret_outcome: PUSH_EXISTS and the like (message.h); *ret_source: where it was mounted from,
 * borrowed, or NULL. *ret_status: of the registry's last answer, 0 if there was none. */
int upload_blob(Registry *registry, const Upload *upload, const char **ret_outcome,
                const char **ret_source, long *ret_status, char ret_code[64], Error *err);
/* What "0-1023" or "bytes=0-1023" says: how many bytes the registry has; -1: it says nothing. */
int64_t upload_range(const char *text);
