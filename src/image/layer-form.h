/* layer-form.h: how a layer marks what is deleted: in its archive, by image-spec layer.md,
 * "Representing Changes", and in its snapshot, by the kernel's overlayfs.rst, "whiteouts and opaque
 * directories". What unpack.c turns into the one, pack.c turns into the other. */
#pragma once

#include <sys/stat.h>

#include "base/str.h"

#define WHITEOUT ".wh."
#define AUFS_METADATA ".wh..wh."
#define OPAQUE_MARK ".wh..wh..opq"
#define OPAQUE_XATTR "trusted.overlay.opaque"
#define LAYER_PATH_MAX 4095

static inline bool is_whiteout(const struct stat *st) {
        return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* Extended attributes that a layer may have. */
static inline bool layer_xattr_allowed(const char *name) {
        if (str_after(name, "user.overlay."))
                return false;
        return str_after(name, "user.") || str_equal(name, "security.capability");
}
