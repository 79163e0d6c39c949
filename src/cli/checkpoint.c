/* checkpoint.c: checkpoint create, ls and rm. */
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/values.h"

typedef struct CheckpointOptions {
        char *directory, *format;
        bool leave_running, quiet;
} CheckpointOptions;

#define DIRECTORY                                                                                  \
        {                                                                                          \
                "checkpoint-dir", 0, OPTION_STRING, offsetof(CheckpointOptions, directory),        \
                        "Directory that holds checkpoints, on the daemon's host (default: the "    \
                        "container's own)"                                                         \
        }

/* ---- create ---- */

static const Option create_rows[] = {
        DIRECTORY,
        { "leave-running", 0, OPTION_BOOL, offsetof(CheckpointOptions, leave_running),
          "Let the container run on" },
};

static int run_create(Cli *cli, const Options *options, Error *err) {
        const CheckpointOptions *o = options->values;
        const char *name = options->arguments[1];
        _cleanup_free_ char *path =
                path_format("/containers/%s/checkpoints", options->arguments[0]);
        _cleanup_json_ json_object *body = json_object_new_object();
        _cleanup_reply_ HttpReply *reply = NULL;
        int r;

        row_put(body, "CheckpointID", name);
        row_put(body, "CheckpointDir", o->directory ?: "");
        (void)json_object_object_add(body, "Exit", json_object_new_boolean(!o->leave_running));
        r = api_call(cli, "POST", path, body, &reply, err);
        if (r == 0)
                (void)printf("%s\n", name);
        return r;
}

const Command checkpoint_create_command = { "[OPTIONS] CONTAINER CHECKPOINT",
                                            "Save a running container, to be started from there",
                                            { create_rows, ELEMENTS(create_rows),
                                              sizeof(CheckpointOptions) },
                                            run_create,
                                            2,
                                            2 };

/* ---- ls ---- */

static const Option ls_rows[] = {
        DIRECTORY,
        { "format", 0, OPTION_STRING, offsetof(CheckpointOptions, format),
          "Format: table, json, or a Go template" },
        { "quiet", 'q', OPTION_BOOL, offsetof(CheckpointOptions, quiet), "Show names only" },
};

static const ListColumn columns[] = { { "Name", "CHECKPOINT NAME" } };

static const ListKind kind = { "*checkpoint.checkpointContext",
                               "{{.Name}}",
                               "{{.Name}}",
                               NULL,
                               NULL,
                               columns,
                               ELEMENTS(columns) };

static int run_ls(Cli *cli, const Options *options, Error *err) {
        const CheckpointOptions *o = options->values;
        _cleanup_free_ char *path =
                path_format("/containers/%s/checkpoints", options->arguments[0]);
        _cleanup_json_ json_object *all = NULL;
        _cleanup_(list_done) List list = {};
        int r;

        if (!str_empty(o->directory))
                path_query(&path, "dir", o->directory);
        r = api_json(cli, "GET", path, NULL, &all, err);
        if (r < 0)
                return r;
        for (size_t i = 0;
             json_object_is_type(all, json_type_array) && i < json_object_array_length(all); i++) {
                json_object *row = json_object_new_object();

                row_put(row, "Name", json_words(json_object_array_get_idx(all, i), "Name"));
                list_add(&list, row, NULL);
        }
        return list_print(&kind, list_format(cli, &kind, o->format, o->quiet), NULL, o->quiet,
                          &list, err);
}

const Command checkpoint_ls_command = { "[OPTIONS] CONTAINER",
                                        "List the checkpoints of a container",
                                        { ls_rows, ELEMENTS(ls_rows), sizeof(CheckpointOptions) },
                                        run_ls,
                                        1,
                                        1 };

/* ---- rm ---- */

static const Option rm_rows[] = { DIRECTORY };

static int run_rm(Cli *cli, const Options *options, Error *err) {
        const CheckpointOptions *o = options->values;
        _cleanup_free_ char *path = path_format("/containers/%s/checkpoints/%s",
                                                options->arguments[0], options->arguments[1]);

        if (!str_empty(o->directory))
                path_query(&path, "dir", o->directory);
        return api_do(cli, "DELETE", path, err);
}

const Command checkpoint_rm_command = { "[OPTIONS] CONTAINER CHECKPOINT",
                                        "Remove a checkpoint",
                                        { rm_rows, ELEMENTS(rm_rows), sizeof(CheckpointOptions) },
                                        run_rm,
                                        2,
                                        2 };
