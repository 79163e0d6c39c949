/* alloc.c: the one place that meets an empty heap. */
#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static void *must(void *memory) {
        if (!memory) {
                (void)fputs("brig: out of memory\n", stderr);
                abort();
        }
        return memory;
}

void *alloc_zero(size_t count, size_t size) {
        return must(calloc(count ? count : 1, size ? size : 1));
}

void *alloc_resize(void *old, size_t count, size_t size) {
        return must(reallocarray(old, count ? count : 1, size ? size : 1));
}

void *alloc_copy(const void *data, size_t size) {
        void *copy = alloc_zero(1, size);

        if (size > 0)
                memcpy(copy, data, size);
        return copy;
}
