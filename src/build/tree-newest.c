/* tree-newest.c: which of what is selected was changed last, to name what changed under a build. */
#include "build/tree-private.h"

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

typedef struct Newest {
        char *path;
        int64_t ctime; /* ns */
} Newest;

static int look(void *data, const WalkEntry *entry, Error *err) {
        Newest *newest = data;
        int64_t ctime = stamp_of(entry->status).ctime;

        /* A new file and its directory have one time. */
        if (newest->path &&
            (ctime < newest->ctime || (ctime == newest->ctime && S_ISDIR(entry->status->st_mode))))
                return 0;
        str_replace(&newest->path, entry->path);
        newest->ctime = ctime;
        return 0;
}

static int leave(void *data, const WalkEntry *entry, Error *err) {
        return 0;
}

int tree_newest(const Tree *tree, const Selection *selection, const SelectOptions *options,
                char **ret, Error *err) {
        static const WalkVisitor visitor = { look, leave, look };
        _cleanup_(ignore_freep) IgnorePatterns *excludes = NULL;
        Newest newest = {};
        Walk walk = { .tree = tree,
                      .visitor = &visitor,
                      .data = &newest,
                      .parents = options && options->parents,
                      .base_fd = -1 };
        int r = options && options->excludes ? ignore_from_list(options->excludes, &excludes, err)
                                             : 0;

        walk.excludes = excludes;
        if (r == 0)
                r = walk_selection(&walk, selection, err);
        walk_done(&walk);
        if (r == 0)
                *ret = TAKE_PTR(newest.path);
        free(newest.path);
        return r;
}
