/* ignore-fuzz.c: the first line is a path, the rest an ignore file. What is excluded with its
 * directory must be excluded by a walk, too. */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "build/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

/* A walk that skips what it need not enter sees the same as a look at every path. */
static bool walk_excludes(const IgnorePatterns *patterns, const char *path) {
        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
                _cleanup_free_ char *directory = str_copy_n(path, (size_t)(slash - path));
                bool descend = false;

                (void)ignore_matches(patterns, directory, &descend);
                if (!descend)
                        return true;
        }
        return ignore_matches(patterns, path, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
        size_t length = newline ? (size_t)(newline - data) : size;
        _cleanup_free_ char *raw = str_copy_n((const char *)data, length), *path = NULL,
                            *again = NULL;
        _cleanup_(ignore_freep) IgnorePatterns *patterns = NULL;

        path = ignore_clean_path(raw);
        again = ignore_clean_path(path);
        if (!str_equal(path, again))
                abort();
        if (!newline ||
            ignore_parse((const char *)newline + 1, size - length - 1, &patterns, NULL) < 0)
                return 0;
        if (*path != '/' && walk_excludes(patterns, path) != ignore_matches(patterns, path, NULL))
                abort();
        return 0;
}
