/* checkpoint.h: what the dump and the restore of a container share: brig's own description of a
 * checkpoint, which lies beside criu's images. */
#pragma once

#include "format/json.h"
#include "runtime/private.h"

#define CHECKPOINT_FILE RUNTIME_CHECKPOINT_FILE
#define CHECKPOINT_VERSION 1
#define CHECKPOINT_NETNS "extRootNetNS" /* how criu wants it called */

/* A mount whose files are not in the images, since they are the host's. */
typedef struct CheckpointMount {
        char *cookie;      /* its name in criu's images */
        char *path;        /* where it is in the container */
        char *destination; /* of the document's bind that it belongs to; NULL: a control group's */
        char *below;       /* "" or the path below that bind's root, with '/' */
        char *hierarchy;   /* of control groups: "" or the directory of version 1 */
} CheckpointMount;

typedef struct Checkpoint {
        int64_t version;
        char **descriptors; /* of standard input, output and error: what criu calls them where they
                               lead out of the container, else "" */
        bool terminal;
        char *netns; /* the network namespace's name in the images; NULL: the host's */
        JsonArray mounts;
} Checkpoint;
extern const JsonTable checkpoint_table;
void checkpoint_done(Checkpoint *checkpoint);

int checkpoint_read(int images_fd, Checkpoint *ret, Error *err);
int checkpoint_write(int images_fd, const Checkpoint *checkpoint, Error *err);

/* What a container that runs has of the host's: its mounts and standard streams. */
int checkpoint_describe(const OciConfig *config, pid_t pid, Checkpoint *ret, Error *err);

/* Refuses, by name, what a checkpoint could not hold. */
int checkpoint_check(const OciConfig *config, Error *err);
/* The options that dump and restore share, put into criu's. */
void checkpoint_add_common(Buf *opts, const OciConfig *config, const CheckpointOptions *options,
                           const char *log);
int checkpoint_work_fd(const CheckpointOptions *options);
