/* volume-call.h: calls on what a volume has mounted, or is to have: a server of files may be away,
 * and then nobody waits for it longer than CALL_TIMEOUT of volume-call.c. Inside engine only. */
#pragma once

#include <stdatomic.h>

#include "engine/volumes.h"

/* One call. make may go on on a thread of its own when nobody waits any more, so it sees nothing
 * but this. */
typedef struct VolumeCall {
        int (*make)(struct VolumeCall *call, Error *err);
        /* What is asked. */
        char *name;    /* the volume's */
        int place_fd;  /* of volume_open_place; "_data" below it is what may not answer */
        char *subpath; /* below that */
        Pairs options; /* what is to be mounted */
        /* The answer. */
        int fd;
        bool mounted, empty;

        int result;
        Error error;
        atomic_int owners;
        atomic_bool over;
} VolumeCall;
VolumeCall *volume_call_new(const char *name, int (*make)(VolumeCall *call, Error *err));
void volume_call_unref(VolumeCall *call);
DEFINE_CLEANUP(VolumeCall *, volume_call_unref)
#define _cleanup_call_ _cleanup_(volume_call_unrefp)

/* Makes it; the answer is in it where this is 0. mount: volume_mount_of's; of NULL, and of what is
 * this machine's own, it is waited for without bound. Else unavailable after CALL_TIMEOUT, and at
 * once as long as an earlier one of the volume's goes on. */
int volume_call_make(VolumeMount *mount, VolumeCall *call, Error *err);

/* volume-mount.c: whether another machine may have to answer before what the options name is there.
 */
bool volume_may_hang(const Pairs *options);
