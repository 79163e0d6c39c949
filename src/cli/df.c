/* df.c: brig system df: what the engine's disk space is used for. GET /system/df. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/values.h"

typedef struct DfOptions {
        bool verbose;
        char *format;
} DfOptions;

static const Option df_rows[] = {
        { "format", 0, OPTION_STRING, offsetof(DfOptions, format),
          "Format: table, json, or a Go template" },
        { "verbose", 'v', OPTION_BOOL, offsetof(DfOptions, verbose), "Show each object" },
};

/* ---- sums ---- */

typedef struct Usage {
        size_t total, active;
        int64_t size, reclaimable;
} Usage;

/* What one element of a kind adds. */
typedef void (*AddUsage)(Usage *usage, json_object *element);

static size_t count_of(json_object *array) {
        return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static void add_image(Usage *usage, json_object *image) {
        int64_t size = json_number(image, "Size"), shared = json_number(image, "SharedSize");

        if (json_number(image, "Containers") <= 0)
                return;
        usage->active++;
        if (size != -1 && shared != -1)
                usage->reclaimable -= size - shared;
}

static void add_container(Usage *usage, json_object *container) {
        const char *state = json_words(container, "State");
        int64_t size = json_number(container, "SizeRw");

        usage->size += size;
        if (str_equal(state, "running") || str_equal(state, "paused") ||
            str_equal(state, "restarting"))
                usage->active++;
        else
                usage->reclaimable += size;
}

static void add_volume(Usage *usage, json_object *volume) {
        json_object *data = json_member(volume, "UsageData");
        int64_t size = json_number(data, "Size");
        bool used = json_number(data, "RefCount") > 0;

        usage->active += used;
        if (size < 0)
                return;
        usage->size += size;
        usage->reclaimable += used ? 0 : size;
}

static void add_cache(Usage *usage, json_object *entry) {
        bool used = json_truth(entry, "InUse");
        int64_t size = json_truth(entry, "Shared") ? 0 : json_number(entry, "Size");

        usage->active += used;
        usage->size += size;
        usage->reclaimable += used ? 0 : size;
}

static const struct {
        const char *type, *member;
        AddUsage add;
        bool percent;
} kinds[] = {
        { "Images", "Images", add_image, true },
        { "Containers", "Containers", add_container, true },
        { "Local Volumes", "Volumes", add_volume, true },
        { "Build Cache", "BuildCache", add_cache, false },
};

static Usage sum_up(json_object *document, size_t kind) {
        json_object *array = json_member(document, kinds[kind].member);
        Usage usage = { .total = count_of(array) };

        if (kinds[kind].add == add_image) /* layers are shared: their sum is told apart */
                usage.size = usage.reclaimable = json_number(document, "LayersSize");
        for (size_t i = 0; i < usage.total; i++)
                kinds[kind].add(&usage, json_object_array_get_idx(array, i));
        return usage;
}

/* ---- the summary ---- */

static const ListColumn columns[] = { { "Type", "TYPE" },
                                      { "TotalCount", "TOTAL" },
                                      { "Active", "ACTIVE" },
                                      { "Size", "SIZE" },
                                      { "Reclaimable", "RECLAIMABLE" } };

static const ListKind usage_kind = {
        "*formatter.diskUsageContext",
        "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
        "",
        NULL,
        NULL,
        columns,
        ELEMENTS(columns)
};

static json_object *usage_row(json_object *document, size_t kind) {
        Usage usage = sum_up(document, kind);
        json_object *row = json_object_new_object();
        char size[SIZE_TEXT_MAX], free_size[SIZE_TEXT_MAX];

        (void)size_human((double)usage.reclaimable, 4, free_size);
        row_take(row, "Active", str_format("%zu", usage.active));
        if (kinds[kind].percent && usage.size > 0)
                row_take(row, "Reclaimable",
                         str_format("%s (%lld%%)", free_size,
                                    (long long)(usage.reclaimable * 100 / usage.size)));
        else
                row_put(row, "Reclaimable", free_size);
        row_put(row, "Size", size_human((double)usage.size, 4, size));
        row_take(row, "TotalCount", str_format("%zu", usage.total));
        row_put(row, "Type", kinds[kind].type);
        return row;
}

static int print_summary(Cli *cli, const char *format, json_object *document, Error *err) {
        _cleanup_(list_done) List list = {};

        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                list_add(&list, usage_row(document, i), NULL);
        return list_print(&usage_kind, list_format(cli, &usage_kind, format, false), NULL, false,
                          &list, err);
}

/* ---- each object ---- */

static void add_size(Buf *out, int64_t bytes) {
        char size[SIZE_TEXT_MAX];

        buf_add_str(out, size_human((double)MAX(bytes, 0), 4, size));
}

static void add_ago(Buf *out, int64_t seconds) {
        _cleanup_free_ char *text = seconds > 0 ? time_ago(seconds) : str_copy("N/A");

        buf_add_str(out, text);
}

static void add_ago_text(Buf *out, const char *time) {
        int64_t when = 0;

        add_ago(out, clock_parse(time, &when) == 0 ? when / NSEC_PER_SEC : 0);
}

static void image_line(Buf *out, json_object *image) {
        json_object *tags = json_member(image, "RepoTags");
        const char *name = count_of(tags) > 0
                                   ? json_object_get_string(json_object_array_get_idx(tags, 0))
                                   : "<none>:<none>";
        const char *colon = strrchr(name, ':') ?: name + strlen(name);
        _cleanup_free_ char *id = short_id(json_words(image, "Id"));
        int64_t size = json_number(image, "Size"), shared = json_number(image, "SharedSize");

        buf_format(out, "%.*s\t%s\t%s\t", (int)(colon - name), name, *colon ? colon + 1 : "", id);
        add_ago(out, json_number(image, "Created"));
        buf_add_char(out, '\t');
        add_size(out, size);
        buf_add_char(out, '\t');
        add_size(out, shared);
        buf_add_char(out, '\t');
        add_size(out, size - MAX(shared, 0));
        buf_format(out, "\t%lld\n", (long long)json_number(image, "Containers"));
}

static size_t local_volumes(json_object *container) {
        json_object *mounts = json_member(container, "Mounts");
        size_t count = 0;

        for (size_t i = 0; i < count_of(mounts); i++)
                count += str_equal(json_words(json_object_array_get_idx(mounts, i), "Type"),
                                   "volume");
        return count;
}

static void container_line(Buf *out, json_object *container) {
        _cleanup_free_ char *id = short_id(json_words(container, "Id"));
        _cleanup_free_ char *command = text_ellipsis(json_words(container, "Command"), 20);
        json_object *names = json_member(container, "Names");
        const char *name = count_of(names) > 0
                                   ? json_object_get_string(json_object_array_get_idx(names, 0))
                                   : "";

        buf_format(out, "%s\t%s\t\"%s\"\t%zu\t", id, json_words(container, "Image"), command,
                   local_volumes(container));
        add_size(out, json_number(container, "SizeRw"));
        buf_add_char(out, '\t');
        add_ago(out, json_number(container, "Created"));
        buf_format(out, "\t%s\t%s\n", json_words(container, "Status"), name + (*name == '/'));
}

static void volume_line(Buf *out, json_object *volume) {
        json_object *data = json_member(volume, "UsageData");

        buf_format(out, "%s\t%lld\t", json_words(volume, "Name"),
                   (long long)json_number(data, "RefCount"));
        if (json_number(data, "Size") < 0)
                buf_add_str(out, "N/A"); /* not measured */
        else
                add_size(out, json_number(data, "Size"));
        buf_add_char(out, '\n');
}

static void cache_line(Buf *out, json_object *entry) {
        _cleanup_free_ char *id = short_id(json_words(entry, "ID"));

        buf_format(out, "%s\t%s\t", id, json_words(entry, "Type"));
        add_size(out, json_number(entry, "Size"));
        buf_add_char(out, '\t');
        add_ago_text(out, json_words(entry, "CreatedAt"));
        buf_add_char(out, '\t');
        add_ago_text(out, json_words(entry, "LastUsedAt"));
        buf_format(out, "\t%lld\t%s\n", (long long)json_number(entry, "UsageCount"),
                   json_truth(entry, "Shared") ? "true" : "false");
}

static const struct {
        const char *title, *member, *head;
        void (*add)(Buf *out, json_object *element);
} details[] = {
        { "Images space usage:", "Images",
          "REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE\tSHARED SIZE\tUNIQUE SIZE\tCONTAINERS\n",
          image_line },
        { "Containers space usage:", "Containers",
          "CONTAINER ID\tIMAGE\tCOMMAND\tLOCAL VOLUMES\tSIZE\tCREATED\tSTATUS\tNAMES\n",
          container_line },
        { "Local Volumes space usage:", "Volumes", "VOLUME NAME\tLINKS\tSIZE\n", volume_line },
        { "Build cache usage:", "BuildCache",
          "CACHE ID\tCACHE TYPE\tSIZE\tCREATED\tLAST USED\tUSAGE\tSHARED\n", cache_line },
};

static void print_details(json_object *document) {
        for (size_t i = 0; i < ELEMENTS(details); i++) {
                json_object *array = json_member(document, details[i].member);
                _cleanup_buf_ Buf out = {};
                char size[SIZE_TEXT_MAX] = "";

                if (details[i].add == cache_line)
                        (void)size_human((double)sum_up(document, i).size, 4, size);
                (void)printf("%s%s%s%s\n\n", i ? "\n" : "", details[i].title, *size ? " " : "",
                             size);
                buf_add_str(&out, details[i].head);
                for (size_t j = 0; j < count_of(array); j++)
                        details[i].add(&out, json_object_array_get_idx(array, j));
                table_print(out.data, 10, 3, stdout);
        }
}

static int run_df(Cli *cli, const Options *options, Error *err) {
        const DfOptions *o = options->values;
        _cleanup_json_ json_object *document = NULL;
        int r;

        if (o->verbose && !str_empty(o->format))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "--format of each object is not done: leave out -v, or ask for "
                                  "the objects with images, ps and volume ls");
        r = api_json(cli, "GET", "/system/df", NULL, &document, err);
        if (r < 0)
                return r;
        if (!o->verbose)
                return print_summary(cli, o->format, document, err);
        print_details(document);
        return 0;
}

const Command df_command = { "[OPTIONS]",
                             "Show how much disk is used",
                             { df_rows, ELEMENTS(df_rows), sizeof(DfOptions) },
                             run_df,
                             0,
                             0 };
