/* volumes.c: volume create, ls and rm. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/values.h"
#include "spec/container.h"

/* ---- create ---- */

typedef struct CreateOptions {
        char *driver, *name;
        char **labels;
        Pairs opts;
} CreateOptions;

#define CLUSTER(name_, type_)                                                                      \
        { .name = name_, .type = type_, .help = "Of cluster volumes", .flags = OPTION_REFUSED }

static const Option create_rows[] = {
        CLUSTER("availability", OPTION_STRING),
        { "driver", 'd', OPTION_STRING, offsetof(CreateOptions, driver), "Driver of the volume",
          NULL, "\"local\"" },
        CLUSTER("group", OPTION_STRING),
        { "label", 0, OPTION_LABEL, offsetof(CreateOptions, labels), "Set labels" },
        CLUSTER("limit-bytes", OPTION_BYTES),
        { "name", 0, OPTION_STRING, offsetof(CreateOptions, name), "Name of the volume", NULL, NULL,
          OPTION_HIDDEN },
        { "opt", 'o', OPTION_MAP, offsetof(CreateOptions, opts), "Options of the driver" },
        CLUSTER("required-bytes", OPTION_BYTES),
        CLUSTER("scope", OPTION_STRING),
        CLUSTER("secret", OPTION_MAP),
        CLUSTER("sharing", OPTION_STRING),
        CLUSTER("topology-preferred", OPTION_LIST),
        CLUSTER("topology-required", OPTION_LIST),
        CLUSTER("type", OPTION_STRING),
};

static int run_create(Cli *cli, const Options *options, Error *err) {
        const CreateOptions *o = options->values;
        VolumeCreate create = {};
        _cleanup_json_ json_object *body = NULL, *answer = NULL;
        int r;

        if (o->name && options->count > 0)
                return error_kind(err, ERROR_INVALID,
                                  "conflicting options: cannot specify a volume name through both "
                                  "--name and as a positional arg");
        create.name = str_copy(options->count > 0 ? options->arguments[0] : o->name);
        create.driver = str_copy(o->driver ?: "local");
        pairs_copy(&create.driver_opts, &o->opts);
        for (char **label = o->labels; label && *label; label++)
                (void)value_map(&create.labels, *label, NULL);
        body = json_write(&volume_create_table, &create);
        r = api_json(cli, "POST", "/volumes/create", body, &answer, err);
        json_done(&volume_create_table, &create);
        if (r == 0)
                (void)printf("%s\n", json_words(answer, "Name"));
        return r;
}

const Command volume_create_command = { "[OPTIONS] [VOLUME]",
                                        "Create a volume",
                                        { create_rows, ELEMENTS(create_rows),
                                          sizeof(CreateOptions) },
                                        run_create,
                                        0,
                                        1 };

/* ---- ls ---- */

typedef struct LsOptions {
        bool quiet;
        char **filters, *format;
} LsOptions;

static const Option ls_rows[] = {
        CLUSTER("cluster", OPTION_BOOL),
        { "filter", 'f', OPTION_FILTER, offsetof(LsOptions, filters),
          "Show only what fits (\"dangling=true\")" },
        { "format", 0, OPTION_STRING, offsetof(LsOptions, format),
          "Format: table, json, or a Go template" },
        { "quiet", 'q', OPTION_BOOL, offsetof(LsOptions, quiet), "Show names only" },
};

static const ListColumn columns[] = {
        { "Driver", "DRIVER" }, { "Name", "VOLUME NAME" },      { "Scope", "SCOPE" },
        { "Labels", "LABELS" }, { "Mountpoint", "MOUNTPOINT" }, { "Links", "LINKS" },
        { "Size", "SIZE" },     { "Group", "GROUP" },           { "Availability", "AVAILABILITY" },
        { "Status", "STATUS" },
};

static const ListKind kind = { "*formatter.volumeContext",
                               "{{.Driver}}\t{{.Name}}",
                               "{{.Name}}",
                               "volumesFormat",
                               NULL,
                               columns,
                               ELEMENTS(columns) };

static json_object *make_row(json_object *volume) {
        json_object *row = json_object_new_object();

        row_put(row, "Availability", "N/A");
        row_put(row, "Driver", json_words(volume, "Driver"));
        row_put(row, "Group", "N/A");
        row_take(row, "Labels", labels_text(json_member(volume, "Labels")));
        row_put(row, "Links", "N/A");
        row_put(row, "Mountpoint", json_words(volume, "Mountpoint"));
        row_put(row, "Name", json_words(volume, "Name"));
        row_put(row, "Scope", json_words(volume, "Scope"));
        row_put(row, "Size", "N/A");
        row_put(row, "Status", "N/A");
        return row;
}

static int compare_rows(const void *a, const void *b) {
        return strcmp(json_words(((const ListRow *)a)->fields, "Name"),
                      json_words(((const ListRow *)b)->fields, "Name"));
}

static int run_ls(Cli *cli, const Options *options, Error *err) {
        const LsOptions *o = options->values;
        _cleanup_free_ char *path = str_copy("/volumes");
        _cleanup_json_ json_object *answer = NULL;
        _cleanup_(list_done) List list = {};
        json_object *all;
        int r;

        path_filters(&path, o->filters);
        r = api_json(cli, "GET", path, NULL, &answer, err);
        if (r < 0)
                return r;
        all = json_member(answer, "Volumes");
        for (size_t i = 0;
             json_object_is_type(all, json_type_array) && i < json_object_array_length(all); i++) {
                json_object *volume = json_object_array_get_idx(all, i);

                list_add(&list, make_row(volume), json_object_get(json_member(volume, "Labels")));
        }
        if (list.count > 0)
                qsort(list.rows, list.count, sizeof(*list.rows), compare_rows);
        return list_print(&kind, list_format(cli, &kind, o->format, o->quiet), NULL, o->quiet,
                          &list, err);
}

const Command volume_ls_command = {
        "[OPTIONS]", "List volumes", { ls_rows, ELEMENTS(ls_rows), sizeof(LsOptions) }, run_ls, 0, 0
};

/* ---- rm ---- */

typedef struct RmOptions {
        bool force;
} RmOptions;

static const Option rm_rows[] = {
        { "force", 'f', OPTION_BOOL, offsetof(RmOptions, force),
          "Remove it by force; one that is not there is no error" },
};

static int rm_one(Cli *cli, const Options *options, const char *name, Error *err) {
        const RmOptions *o = options->values;
        _cleanup_free_ char *path = path_format("/volumes/%s", name);

        if (o->force)
                path_query(&path, "force", "1");
        return api_do(cli, "DELETE", path, err);
}

static int run_rm(Cli *cli, const Options *options, Error *err) {
        return for_each_argument(cli, options, rm_one);
}

const Command volume_rm_command = { "[OPTIONS] VOLUME [VOLUME...]",
                                    "Remove one or more volumes that no container uses",
                                    { rm_rows, ELEMENTS(rm_rows), sizeof(RmOptions) },
                                    run_rm,
                                    1,
                                    -1 };
