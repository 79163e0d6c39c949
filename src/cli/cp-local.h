/* cp-local.h: the files of `cp` on this host: packed and unpacked by brig-image, which runs as the
 * user. Knows no container. */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

typedef struct LocalCopy {
        pid_t pid;     /* 0: none */
        int stream_fd; /* the archive: to be read, or to be written and then closed */
        int error_fd;  /* what it complains of */
} LocalCopy;

/* Packs `name` of `directory` under the name `as`. */
int local_pack(const char *directory, const char *name, const char *as, LocalCopy *ret, Error *err);
/* Unpacks into `directory`; the entry `from`, and what is below it, as `to` (NULL: as it is). */
int local_unpack(const char *directory, const char *from, const char *to, LocalCopy *ret,
                 Error *err);
/* Closes the stream and waits for the end: 0, or what it complained of. -EPIPE: of nothing but that
 * nobody read its archive. */
int local_end(LocalCopy *copy, Error *err);
