/* lognames.h: the names of a log's files: path, then path.1, path.2 … from new to old, compressed
 * ones with ".gz" behind. Shared by who writes and who reads. */
#pragma once

#include "base/str.h"

#define LOG_PACKED ".gz"

/* Numbers that a reader and a cleaner look at; a rotation fills the lowest that is free. */
#define LOG_NUMBERS_MAX 1000

/* The nanoseconds of a compressed file's mtime: which plain file it was made of, while somebody may
 * have that open. */
#define LOG_STAMP(inode) ((long)((inode) % 1000000000))

/* The caller's. */
static inline char *log_name(const char *path, int64_t number, bool packed) {
        const char *suffix = packed ? LOG_PACKED : "";

        return number == 0 ? str_format("%s%s", path, suffix)
                           : str_format("%s.%lld%s", path, (long long)number, suffix);
}
