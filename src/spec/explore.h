/* spec/explore.h: what GET /images/{name}/explore answers: one line of JSON for each change that a
 * layer makes to a path, in the order of a walk through the tree (a directory before what it holds,
 * the layers of one path base first), and one line with the sums at the end. docs/api.md. */
#pragma once

#include "format/json.h"

/* One path in one layer. */
typedef struct ExploreFile {
        char *path;    /* without a leading slash: "etc/passwd"; bytes as on disk, UTF-8 or not */
        int64_t layer; /* 0 is the base */
        char *change;  /* added, changed, removed, same (a copy that changes nothing) */
        char *kind;    /* file, directory, symlink, char, block, fifo, socket */
        int64_t size;  /* bytes; 0 but for files, and for all but the first of hard links; of what
                          is gone where change is "removed" */
        int64_t mode;  /* permission bits, setuid, setgid and sticky among them */
        int64_t uid, gid;
        int64_t wasted;  /* bytes of this copy that the image carries for nothing */
        char **findings; /* setuid, setgid, world-writable, "secret: <reason>" */
} ExploreFile;

typedef struct ExploreLayer {
        char *digest;     /* the diff id; "" for none */
        char *created_by; /* the instruction, from the history; "" where that tells none */
        int64_t created;
        int64_t size; /* of the copies in it; the same as the sum of its files' sizes */
        int64_t added, changed, removed, same; /* paths */
        int64_t added_bytes, changed_bytes, removed_bytes, same_bytes;
        int64_t wasted; /* bytes */
} ExploreLayer;

typedef struct ExploreSummary {
        char *id;
        char **names;
        int64_t size;  /* bytes of all layers */
        int64_t paths; /* paths of the root file system that they make */
        int64_t wasted;
        double efficiency; /* 1 - wasted / size; 1 where size is 0 */
        /* Paths whose last copy is so: */
        int64_t setuid, setgid, world_writable;
        int64_t secrets;  /* copies in any layer: who has the image can read those that are gone */
        JsonArray layers; /* of ExploreLayer, base first */
} ExploreSummary;

/* One line: exactly one of them. */
typedef struct ExploreLine {
        ExploreFile *file;
        ExploreSummary *summary;
        char *error; /* the walk ended early, for this reason */
} ExploreLine;

extern const JsonTable explore_file_table, explore_layer_table, explore_summary_table,
        explore_line_table;
