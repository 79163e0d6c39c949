/* builder.c: brig builder prune: empties the build cache. */
#include <ctype.h>
#include <errno.h>

#include "cli/commands.h"
#include "cli/values.h"

typedef struct PruneOptions {
        bool all, force;
        char **filters;
        int64_t keep;
} PruneOptions;

static const Option prune_rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(PruneOptions, all),
          "Remove all of the cache that no build uses, not just what nothing needs" },
        { "filter", 0, OPTION_FILTER, offsetof(PruneOptions, filters),
          "Remove only what fits (\"until=24h\")" },
        { "force", 'f', OPTION_BOOL, offsetof(PruneOptions, force), "Do not ask" },
        { "keep-storage", 0, OPTION_BYTES, offsetof(PruneOptions, keep),
          "How much of the cache to keep" },
};

static bool asked(const PruneOptions *options) {
        char answer[16] = "";

        (void)printf("WARNING! This will remove all %sbuild cache. Are you sure you want to "
                     "continue? [y/N] ",
                     options->all ? "" : "dangling ");
        (void)fflush(stdout);
        return fgets(answer, sizeof(answer), stdin) && tolower((unsigned char)answer[0]) == 'y' &&
               (answer[1] == '\n' || answer[1] == '\0');
}

static char *prune_path(const PruneOptions *options) {
        char *path = str_copy("/build/prune");
        char size[24];

        if (options->all)
                path_query(&path, "all", "1");
        (void)snprintf(size, sizeof(size), "%lld", (long long)options->keep);
        if (options->keep > 0)
                path_query(&path, "keep-storage", size);
        path_filters(&path, options->filters);
        return path;
}

static int run_prune(Cli *cli, const Options *options, Error *err) {
        const PruneOptions *o = options->values;
        _cleanup_free_ char *path = prune_path(o);
        _cleanup_json_ json_object *answer = NULL;
        json_object *deleted;
        char size[SIZE_TEXT_MAX];
        int r;

        if (!o->force && !asked(o))
                return 0; /* as docker 28: said no to, nothing is wrong */
        r = api_json(cli, "POST", path, NULL, &answer, err);
        if (r < 0)
                return r;
        deleted = json_member(answer, "CachesDeleted");
        if (json_object_is_type(deleted, json_type_array) &&
            json_object_array_length(deleted) > 0) {
                (void)printf("Deleted build cache objects:\n");
                for (size_t i = 0; i < json_object_array_length(deleted); i++)
                        (void)printf("%s\n",
                                     json_object_get_string(json_object_array_get_idx(deleted, i)));
                (void)printf("\n");
        }
        (void)printf("Total reclaimed space: %s\n",
                     size_human((double)json_number(answer, "SpaceReclaimed"), 4, size));
        return 0;
}

const Command builder_prune_command = { "[OPTIONS]",
                                        "Remove build cache",
                                        { prune_rows, ELEMENTS(prune_rows), sizeof(PruneOptions) },
                                        run_prune,
                                        0,
                                        0 };
