/* cleanup.h: resources that free themselves at the end of their scope, and the visible hand-over of
 * ownership. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macro.h"

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Defines function##p for use with _cleanup_, from a destructor that takes the thing itself. */
#define DEFINE_CLEANUP(type, function)                                                             \
        static inline void function##p(type *thing) {                                              \
                if (*thing)                                                                        \
                        function(*thing);                                                          \
        }

/* Hands the pointer to the caller and forgets it here. The argument is evaluated once. */
#define TAKE_PTR(pointer)                                                                          \
        ({                                                                                         \
                __typeof__(pointer) *place_ = &(pointer);                                          \
                __typeof__(pointer) taken_ = *place_;                                              \
                *place_ = NULL;                                                                    \
                taken_;                                                                            \
        })

/* Hands the descriptor to the caller and forgets it here. The argument is evaluated once. */
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int *place_ = &(fd);                                                               \
                int taken_ = *place_;                                                              \
                *place_ = -1;                                                                      \
                taken_;                                                                            \
        })

static inline void cleanup_freep(void *pointer) {
        free(*(void **)pointer);
}

/* Closes *fd if it is one and sets it to -1. */
static inline void close_fd(int *fd) {
        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
}

static inline void cleanup_fclosep(FILE **file) {
        if (*file)
                (void)fclose(*file);
}

static inline void cleanup_closedirp(DIR **dir) {
        if (*dir)
                (void)closedir(*dir);
}

#define _cleanup_free_ _cleanup_(cleanup_freep)
#define _cleanup_close_ _cleanup_(close_fd)
#define _cleanup_fclose_ _cleanup_(cleanup_fclosep)
#define _cleanup_closedir_ _cleanup_(cleanup_closedirp)
