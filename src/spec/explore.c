/* explore.c: the tables of spec/explore.h. A row of an ordinary file is short: zeros are left out.
 */
#include "spec/explore.h"

#define OMIT JSON_OMIT_EMPTY

static const JsonField file_fields[] = {
        JSON_FIELD(ExploreFile, "Path", JSON_STRING, path, JSON_REQUIRED),
        JSON_FIELD(ExploreFile, "Layer", JSON_INT, layer, JSON_REQUIRED),
        JSON_FIELD(ExploreFile, "Change", JSON_STRING, change, JSON_REQUIRED),
        JSON_FIELD(ExploreFile, "Kind", JSON_STRING, kind, JSON_REQUIRED),
        JSON_FIELD(ExploreFile, "Size", JSON_INT, size, OMIT),
        JSON_FIELD(ExploreFile, "Mode", JSON_INT, mode, OMIT),
        JSON_FIELD(ExploreFile, "Uid", JSON_INT, uid, OMIT),
        JSON_FIELD(ExploreFile, "Gid", JSON_INT, gid, OMIT),
        JSON_FIELD(ExploreFile, "Wasted", JSON_INT, wasted, OMIT),
        JSON_FIELD(ExploreFile, "Findings", JSON_STRINGS, findings, OMIT),
};
const JsonTable explore_file_table = JSON_TABLE(ExploreFile, "File", file_fields);

static const JsonField layer_fields[] = {
        JSON_FIELD(ExploreLayer, "Digest", JSON_STRING, digest, 0),
        JSON_FIELD(ExploreLayer, "CreatedBy", JSON_STRING, created_by, 0),
        JSON_FIELD(ExploreLayer, "Created", JSON_TIME, created, 0),
        JSON_FIELD(ExploreLayer, "Size", JSON_INT, size, 0),
        JSON_FIELD(ExploreLayer, "Added", JSON_INT, added, 0),
        JSON_FIELD(ExploreLayer, "Changed", JSON_INT, changed, 0),
        JSON_FIELD(ExploreLayer, "Removed", JSON_INT, removed, 0),
        JSON_FIELD(ExploreLayer, "Same", JSON_INT, same, 0),
        JSON_FIELD(ExploreLayer, "AddedBytes", JSON_INT, added_bytes, 0),
        JSON_FIELD(ExploreLayer, "ChangedBytes", JSON_INT, changed_bytes, 0),
        JSON_FIELD(ExploreLayer, "RemovedBytes", JSON_INT, removed_bytes, 0),
        JSON_FIELD(ExploreLayer, "SameBytes", JSON_INT, same_bytes, 0),
        JSON_FIELD(ExploreLayer, "Wasted", JSON_INT, wasted, 0),
};
const JsonTable explore_layer_table = JSON_TABLE(ExploreLayer, "Layer", layer_fields);

static const JsonField summary_fields[] = {
        JSON_FIELD(ExploreSummary, "Id", JSON_STRING, id, JSON_REQUIRED),
        JSON_FIELD(ExploreSummary, "Names", JSON_STRINGS, names, 0),
        JSON_FIELD(ExploreSummary, "Size", JSON_INT, size, JSON_REQUIRED),
        JSON_FIELD(ExploreSummary, "Paths", JSON_INT, paths, JSON_REQUIRED),
        JSON_FIELD(ExploreSummary, "Wasted", JSON_INT, wasted, JSON_REQUIRED),
        JSON_FIELD(ExploreSummary, "Efficiency", JSON_DOUBLE, efficiency, JSON_REQUIRED),
        JSON_FIELD(ExploreSummary, "Setuid", JSON_INT, setuid, 0),
        JSON_FIELD(ExploreSummary, "Setgid", JSON_INT, setgid, 0),
        JSON_FIELD(ExploreSummary, "WorldWritable", JSON_INT, world_writable, 0),
        JSON_FIELD(ExploreSummary, "Secrets", JSON_INT, secrets, 0),
        JSON_NESTED(ExploreSummary, "Layers", JSON_ARRAY, layers, 0, &explore_layer_table),
};
const JsonTable explore_summary_table = JSON_TABLE(ExploreSummary, "Summary", summary_fields);

static const JsonField line_fields[] = {
        JSON_NESTED(ExploreLine, "File", JSON_OBJECT, file, OMIT, &explore_file_table),
        JSON_NESTED(ExploreLine, "Summary", JSON_OBJECT, summary, OMIT, &explore_summary_table),
        JSON_FIELD(ExploreLine, "error", JSON_STRING, error, OMIT),
};
const JsonTable explore_line_table = JSON_TABLE(ExploreLine, "line", line_fields);
