/* ps.c: the list of containers. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/template.h"
#include "cli/values.h"

#define COMMAND_WIDTH 20

typedef struct PsOptions {
        bool all, latest, no_trunc, quiet, size;
        int64_t last;
        char **filters;
        char *format;
} PsOptions;

static const Option ps_rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(PsOptions, all), "Show those that do not run, too" },
        { "filter", 'f', OPTION_FILTER, offsetof(PsOptions, filters),
          "Show only what fits (key=value)" },
        { "format", 0, OPTION_STRING, offsetof(PsOptions, format),
          "Format: table, json, or a Go template" },
        { "last", 'n', OPTION_INT, offsetof(PsOptions, last),
          "Show the last ones created, of any state", NULL, "-1" },
        { "latest", 'l', OPTION_BOOL, offsetof(PsOptions, latest),
          "Show the last one created, of any state" },
        { "no-trunc", 0, OPTION_BOOL, offsetof(PsOptions, no_trunc), "Do not cut the output" },
        { "quiet", 'q', OPTION_BOOL, offsetof(PsOptions, quiet), "Show IDs only" },
        { "size", 's', OPTION_BOOL, offsetof(PsOptions, size), "Show sizes" },
};

static const ListColumn columns[] = {
        { "ID", "CONTAINER ID" },
        { "Image", "IMAGE" },
        { "Command", "COMMAND" },
        { "CreatedAt", "CREATED AT" },
        { "RunningFor", "CREATED" },
        { "Ports", "PORTS" },
        { "State", "STATE" },
        { "Status", "STATUS" },
        { "Size", "SIZE" },
        { "Names", "NAMES" },
        { "Labels", "LABELS" },
        { "Mounts", "MOUNTS" },
        { "LocalVolumes", "LOCAL VOLUMES" },
        { "Networks", "NETWORKS" },
        { "Platform", "PLATFORM" },
};

#define PS_TABLE                                                                                   \
        "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"

static const ListKind kind = {
        "*formatter.ContainerContext", PS_TABLE, "{{.ID}}",        "psFormat",
        "failed to execute template",  columns,  ELEMENTS(columns)
};

/* ---- ports ---- */

typedef struct PortRange {
        const char *ip, *type;
        int private_first, private_last, public_first, public_last; /* public 0: not published */
} PortRange;

static int compare_ports(const void *a, const void *b) {
        json_object *x = *(json_object *const *)a, *y = *(json_object *const *)b;
        const char *const numbers[] = { "PrivatePort", "PublicPort" };
        int order;

        if (json_number(x, "PrivatePort") != json_number(y, "PrivatePort"))
                return json_number(x, "PrivatePort") < json_number(y, "PrivatePort") ? -1 : 1;
        order = strcmp(json_words(x, "IP"), json_words(y, "IP"));
        if (order)
                return order;
        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                if (json_number(x, numbers[i]) != json_number(y, numbers[i]))
                        return json_number(x, numbers[i]) < json_number(y, numbers[i]) ? -1 : 1;
        return strcmp(json_words(x, "Type"), json_words(y, "Type"));
}

static char *range_text(const PortRange *r) {
        _cleanup_free_ char *inside =
                r->private_first == r->private_last
                        ? str_format("%d", r->private_first)
                        : str_format("%d-%d", r->private_first, r->private_last);
        _cleanup_free_ char *outside = NULL;
        bool six = strchr(r->ip, ':') != NULL;

        if (r->public_first == 0)
                return str_format("%s/%s", inside, r->type);
        outside = r->public_first == r->public_last
                          ? str_format("%d", r->public_first)
                          : str_format("%d-%d", r->public_first, r->public_last);
        return str_format("%s%s%s:%s->%s/%s", six ? "[" : "", r->ip, six ? "]" : "", outside,
                          inside, r->type);
}

/* The port follows the range's last one. Published ports make a range only where they have the same
 * number inside and outside. */
static bool extends(const PortRange *r, const PortRange *next) {
        if (!str_equal(r->ip, next->ip) || !str_equal(r->type, next->type) ||
            next->private_first != r->private_last + 1)
                return false;
        if (r->public_first == 0 || next->public_first == 0)
                return r->public_first == next->public_first;
        return r->public_first == r->private_first && next->public_first == next->private_first;
}

/* Published ports that differ inside and outside are listed one by one, others as ranges: so does
 * Docker. */
static char *ports_text(json_object *ports) {
        size_t count =
                json_object_is_type(ports, json_type_array) ? json_object_array_length(ports) : 0;
        _cleanup_free_ json_object **sorted = NEW_ARRAY(json_object *, count + 1);
        _cleanup_strv_ char **words = NULL;
        PortRange held = {};

        for (size_t i = 0; i < count; i++)
                sorted[i] = json_object_array_get_idx(ports, i);
        qsort(sorted, count, sizeof(*sorted), compare_ports);
        for (size_t i = 0; i < count; i++) {
                int inside = (int)json_number(sorted[i], "PrivatePort");
                int outside = (int)json_number(sorted[i], "PublicPort");
                PortRange next = { json_words(sorted[i], "IP"),
                                   json_words(sorted[i], "Type"),
                                   inside,
                                   inside,
                                   outside,
                                   outside };

                if (held.type && extends(&held, &next)) {
                        held.private_last = inside;
                        held.public_last = outside;
                        continue;
                }
                if (held.type)
                        strv_take(&words, range_text(&held));
                held = next;
        }
        if (held.type)
                strv_take(&words, range_text(&held));
        return words ? strv_join(words, ", ") : str_copy("");
}

/* ---- rows ---- */

/* "/name" without its slash; those with a second one are other containers' links. */
static char *names_text(json_object *names, bool whole) {
        _cleanup_strv_ char **words = NULL;

        for (size_t i = 0;
             json_object_is_type(names, json_type_array) && i < json_object_array_length(names);
             i++) {
                const char *name = json_object_get_string(json_object_array_get_idx(names, i));

                name += *name == '/';
                if (whole || !strchr(name, '/'))
                        strv_add(&words, name);
        }
        return words ? strv_join(words, ",") : str_copy("");
}

static char *mounts_text(json_object *mounts, bool whole, size_t *ret_local) {
        _cleanup_strv_ char **words = NULL;

        *ret_local = 0;
        for (size_t i = 0;
             json_object_is_type(mounts, json_type_array) && i < json_object_array_length(mounts);
             i++) {
                json_object *mount = json_object_array_get_idx(mounts, i);
                const char *name = json_words(mount, "Name");

                *ret_local += str_equal(json_words(mount, "Driver"), "local");
                if (!*name)
                        name = json_words(mount, "Source");
                strv_take(&words, whole ? str_copy(name) : text_ellipsis(name, 15));
        }
        return words ? strv_join(words, ",") : str_copy("");
}

static char *networks_text(json_object *container) {
        json_object *networks = json_member(json_member(container, "NetworkSettings"), "Networks");
        _cleanup_strv_ char **words = NULL;

        if (!json_object_is_type(networks, json_type_object))
                return str_copy("");
        json_object_object_foreach(networks, name, value) {
                (void)value;
                strv_add(&words, name);
        }
        return words ? strv_join(words, ",") : str_copy("");
}

static char *size_text(json_object *container) {
        char own[SIZE_TEXT_MAX], all[SIZE_TEXT_MAX];
        int64_t whole = json_number(container, "SizeRootFs");

        (void)size_human((double)json_number(container, "SizeRw"), 3, own);
        return whole > 0 ? str_format("%s (virtual %s)", own, size_human((double)whole, 3, all))
                         : str_copy(own);
}

static char *image_text(json_object *container, bool whole) {
        const char *image = json_words(container, "Image"), *id = json_words(container, "ImageID");
        _cleanup_free_ char *cut_image = short_id(image), *cut_id = short_id(id);
        const char *at;

        if (!*image)
                return str_copy("<no image>");
        if (whole)
                return str_copy(image);
        if (str_equal(cut_image, cut_id))
                return TAKE_PTR(cut_image);
        at = strstr(image, "@sha256:"); /* a tag and a digest: the digest goes */
        return at ? str_copy_n(image, (size_t)(at - image)) : str_copy(image);
}

static char *command_text(json_object *container, bool whole) {
        const char *command = json_words(container, "Command");
        _cleanup_free_ char *cut =
                whole ? str_copy(command) : text_ellipsis(command, COMMAND_WIDTH);
        Buf out = {};

        json_add_quoted(&out, cut);
        return buf_take(&out);
}

static json_object *make_row(json_object *container, const PsOptions *o) {
        json_object *row = json_object_new_object();
        const char *id = json_words(container, "Id");
        int64_t created = json_number(container, "Created");
        size_t local;
        char *mounts = mounts_text(json_member(container, "Mounts"), o->no_trunc, &local);

        row_take(row, "Command", command_text(container, o->no_trunc));
        row_take(row, "CreatedAt", go_time(created));
        row_take(row, "ID", o->no_trunc ? str_copy(id) : short_id(id));
        row_take(row, "Image", image_text(container, o->no_trunc));
        row_take(row, "Labels", labels_text(json_member(container, "Labels")));
        row_take(row, "LocalVolumes", str_format("%zu", local));
        row_take(row, "Mounts", mounts);
        row_take(row, "Names", names_text(json_member(container, "Names"), o->no_trunc));
        row_take(row, "Networks", networks_text(container));
        (void)json_object_object_add(row, "Platform", NULL);
        row_take(row, "Ports", ports_text(json_member(container, "Ports")));
        row_take(row, "RunningFor", time_ago(created));
        row_take(row, "Size", size_text(container));
        row_put(row, "State", json_words(container, "State"));
        row_put(row, "Status", json_words(container, "Status"));
        return row;
}

/* ---- the command ---- */

/* Docker tries a format before there are containers. Where a member is none it is no format; what
 * else goes wrong may be a matter of an empty row. */
static int check_format(const char *format, Error *err) {
        _cleanup_json_ json_object *nothing = json_object_new_object();
        _cleanup_(list_done) List list = {};
        _cleanup_free_ char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        Error why = {};
        int r;

        if (!out)
                return error_set(err, errno, "open_memstream");
        list_add(&list, make_row(nothing, &(PsOptions){ 0 }), NULL);
        r = list_write(&kind, format, NULL, false, &list, out, &why);
        (void)fclose(out);
        if (r == 0 || !strstr(why.message, "can't evaluate field"))
                return 0;
        *err = why;
        return r;
}

static char *list_path(const PsOptions *o, const Options *options, const char *format) {
        char *path = str_copy("/containers/json");
        int64_t limit = o->latest ? 1 : options_given(options, "last") ? o->last : -1;

        if (o->all)
                path_query(&path, "all", "1");
        path_filters(&path, o->filters);
        if (limit > 0) {
                _cleanup_free_ char *text = str_format("%lld", (long long)limit);

                path_query(&path, "limit", text);
        }
        /* Sizes are slow to find: only where they are shown. */
        if (o->size || (format && (strstr(format, ".Size") || strstr(format, "json .}"))))
                path_query(&path, "size", "1");
        return path;
}

static int run_ps(Cli *cli, const Options *options, Error *err) {
        const PsOptions *o = options->values;
        const char *format = list_format(cli, &kind, o->quiet ? NULL : o->format, o->quiet);
        _cleanup_free_ char *path = list_path(o, options, format);
        _cleanup_json_ json_object *all = NULL;
        _cleanup_(list_done) List list = {};
        int r;

        if (o->quiet && !str_empty(o->format))
                (void)fprintf(stderr, "WARNING: Ignoring custom format, because both --format and "
                                      "--quiet are set.\n");
        r = api_json(cli, "GET", path, NULL, &all, err);
        if (r < 0)
                return r;
        for (size_t i = 0;
             json_object_is_type(all, json_type_array) && i < json_object_array_length(all); i++) {
                json_object *container = json_object_array_get_idx(all, i);

                list_add(&list, make_row(container, o),
                         json_object_get(json_member(container, "Labels")));
        }
        if (format && list.count == 0)
                r = check_format(format, err);
        if (r < 0)
                return r;
        return list_print(&kind, format, o->size ? PS_TABLE "\t{{.Size}}" : NULL, o->quiet, &list,
                          err);
}

const Command ps_command = { "[OPTIONS]",
                             "List containers",
                             { ps_rows, ELEMENTS(ps_rows), sizeof(PsOptions) },
                             run_ps,
                             0,
                             0 };
