/* alloc.h: allocation that never fails. A daemon that can be killed at any time loses nothing when
 * it aborts for want of memory, so no caller carries a branch for it. */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"

void *alloc_zero(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *alloc_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
void *alloc_copy(const void *data, size_t size) __attribute__((malloc, returns_nonnull));

#define NEW(type) ((type *)alloc_zero(1, sizeof(type)))
#define NEW_ARRAY(type, count) ((type *)alloc_zero((count), sizeof(type)))

/* Makes room for one element more in an array of `count` elements that grows by doubling. */
#define GROW(array, count)                                                                         \
        do {                                                                                       \
                if (((count) & ((count)-1)) == 0)                                                  \
                        (array) = alloc_resize((array), (count) ? (size_t)(count)*2 : 1,           \
                                               sizeof(*(array)));                                  \
        } while (0)
