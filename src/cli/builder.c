/* builder.c: brig builder: empties the build cache; cache mounts as archives. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

#include "cli/cells.h"
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

/* ---- cache mounts ---- */

typedef struct ExportOptions {
        bool all;
        char *output;
} ExportOptions;

static const Option export_rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(ExportOptions, all), "Every cache mount" },
        { "output", 'o', OPTION_STRING, offsetof(ExportOptions, output),
          "Write to this file instead of STDOUT, which \"-\" is, too" },
};

static int run_export(Cli *cli, const Options *options, Error *err) {
        const ExportOptions *o = options->values;
        const char *output = str_empty(o->output) || str_equal(o->output, "-") ? NULL : o->output;
        _cleanup_free_ char *path = str_copy("/build/mounts");
        _cleanup_reply_ HttpReply *reply = NULL;
        int r;

        if (o->all == (options->count > 0))
                return error_kind(err, ERROR_INVALID,
                                  "give the ids of cache mounts, or --all: an id is what "
                                  "--mount=type=cache says, else its target");
        if (!output && isatty(STDOUT_FILENO))
                return error_kind(err, ERROR_INVALID,
                                  "refusing to write an archive to a terminal: give -o FILE, or "
                                  "redirect it");
        for (size_t i = 0; i < options->count; i++)
                path_query(&path, "id", options->arguments[i]);
        r = api_call(cli, "GET", path, NULL, &reply, err);
        return r < 0 ? r : reply_to_file(reply, output, "failed to export cache mounts", err);
}

const Command mounts_export_command = { "[OPTIONS] [ID...]",
                                        "Write what cache mounts hold as a tar archive",
                                        { export_rows, ELEMENTS(export_rows),
                                          sizeof(ExportOptions) },
                                        run_export,
                                        0,
                                        -1 };

static int run_import(Cli *cli, const Options *options, Error *err) {
        const char *input = options->arguments[0];
        HttpRequest request = { .method = "POST",
                                .has_body_fd = true,
                                .body_fd = STDIN_FILENO,
                                .content_type = "application/x-tar" };
        _cleanup_close_ int fd = -1;
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_json_ json_object *answer = NULL;
        _cleanup_buf_ Buf held = {};
        json_object *mounts;
        int r = 0;

        if (!str_equal(input, "-")) {
                fd = open(input, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return error_set(err, errno, "open '%s'", input);
                request.body_fd = fd;
        }
        r = api_send(cli, &request, "/build/mounts", &reply, err);
        if (r == 0)
                r = api_next_json(reply, &held, &answer, err);
        if (r < 0)
                return r;
        mounts = json_member(answer, "Mounts");
        for (size_t i = 0;
             json_object_is_type(mounts, json_type_array) && i < json_object_array_length(mounts);
             i++) {
                /* The archive's maker chose it. */
                _cleanup_free_ char *id =
                        visible_text(json_object_get_string(json_object_array_get_idx(mounts, i)));

                (void)printf("Imported cache mount: %s\n", id);
        }
        return 0;
}

const Command mounts_import_command = { "file|-",
                                        "Read cache mounts from an archive that export wrote",
                                        { NULL, 0, 0 },
                                        run_import,
                                        1,
                                        1 };
