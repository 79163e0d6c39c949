/* explore-walk.h: what explore.c, which walks, and explore-report.c, which judges what was found at
 * one path, share. */
#pragma once

#include <sys/types.h>

#include "base/map.h"
#include "image/explore.h"

/* What a layer does to a directory of the layers below it. */
typedef enum LayerState {
        LAYER_SILENT,  /* nothing */
        LAYER_MERGES,  /* has it, too */
        LAYER_HIDES,   /* has it, and hides what lies below: it is opaque or stands in such a one */
        LAYER_REMOVES, /* takes it away */
} LayerState;

/* One name of a directory, as one layer has it. */
typedef struct Copy {
        char *name;
        size_t layer;
        mode_t mode;
        uid_t uid;
        gid_t gid;
        int64_t size;
        ino_t inode;
        dev_t device;
        bool linked, whiteout;
} Copy;

typedef struct Directory {
        Copy *copies;
        size_t count;
} Directory;

typedef enum ExploreChange {
        EXPLORE_ADDED,
        EXPLORE_CHANGED,
        EXPLORE_REMOVED,
        EXPLORE_SAME,
} ExploreChange;

typedef struct ExploreRow {
        size_t layer;
        ExploreChange change;
        Copy copy;     /* its name is lent */
        bool repeated; /* a hard link whose bytes are counted at another path */
        int64_t wasted;
} ExploreRow;

/* One path through the layers. */
typedef struct Column {
        const char *path;
        ExploreRow *rows; /* at most one a layer */
        size_t count;
        const Copy *live;  /* what the layers so far show, or NULL */
        LayerState *below; /* what each layer does to it as a directory */
} Column;

typedef struct ExploredLayer {
        int fd;
} ExploredLayer;

typedef struct Explore {
        ExploreSink sink;
        void *data;
        ExploredLayer *layers; /* base first */
        size_t count;
        Map links; /* "layer:inode" of files with several names that were met */
        ExploreSummary summary;
} Explore;

/* Opens what lies at path in a layer, through no symbolic link. */
int explore_open(const Explore *explore, size_t layer, const char *path, int flags, int *ret_fd,
                 Error *err);
/* Whether upper changes nothing of lower but times; reads both where only the bytes can tell. */
int explore_compare(const Explore *explore, const char *path, const Copy *lower, const Copy *upper,
                    bool *ret, Error *err);
/* True at the first of the names of one file of one layer. */
bool explore_first_link(Explore *explore, const Copy *copy);
/* Counts the column's rows and hands them to the sink. */
int explore_report(Explore *explore, Column *column, Error *err);
