/* inspect.c: documents as the daemon gives them: inspect of any kind. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/endpoint.h"
#include "cli/list.h"

typedef struct InspectOptions {
        char *format, *type, *platform;
        bool size, verbose;
} InspectOptions;

#define FORMAT_ROW                                                                                 \
        {                                                                                          \
                "format", 'f', OPTION_STRING, offsetof(InspectOptions, format),                    \
                        "Format: json, or a Go template"                                           \
        }
#define SIZE_ROW                                                                                   \
        {                                                                                          \
                "size", 's', OPTION_BOOL, offsetof(InspectOptions, size),                          \
                        "Show sizes, if it is a container"                                         \
        }

static const Option any_rows[] = {
        FORMAT_ROW,
        SIZE_ROW,
        { "type", 0, OPTION_STRING, offsetof(InspectOptions, type), "Look for this kind only" },
};
static const Option container_rows[] = { FORMAT_ROW, SIZE_ROW };
static const Option plain_rows[] = { FORMAT_ROW };
static const Option image_rows[] = {
        FORMAT_ROW,
        { "platform", 0, OPTION_STRING, offsetof(InspectOptions, platform),
          "Inspect this platform's image, os/architecture" },
};
static const Option network_rows[] = {
        FORMAT_ROW,
        { "verbose", 'v', OPTION_BOOL, offsetof(InspectOptions, verbose),
          "Say more, for diagnosis" },
};

/* ---- getting a document ---- */

typedef int (*Get)(Cli *cli, const InspectOptions *o, const char *name, json_object **ret,
                   Error *err);

static int get_container(Cli *cli, const InspectOptions *o, const char *name, json_object **ret,
                         Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/json", name);

        if (o->size)
                path_query(&path, "size", "1");
        return api_json(cli, "GET", path, NULL, ret, err);
}

static int get_image(Cli *cli, const InspectOptions *o, const char *name, json_object **ret,
                     Error *err) {
        _cleanup_free_ char *path = path_format("/images/%s/json", name);
        int r = path_platform(cli, &path, o->platform, err);

        return r < 0 ? r : api_json(cli, "GET", path, NULL, ret, err);
}

static int get_network(Cli *cli, const InspectOptions *o, const char *name, json_object **ret,
                       Error *err) {
        _cleanup_free_ char *path = path_format("/networks/%s", name);

        if (o->verbose)
                path_query(&path, "verbose", "true");
        return api_json(cli, "GET", path, NULL, ret, err);
}

static int get_volume(Cli *cli, const InspectOptions *o, const char *name, json_object **ret,
                      Error *err) {
        _cleanup_free_ char *path = path_format("/volumes/%s", name);

        return api_json(cli, "GET", path, NULL, ret, err);
}

static int get_policy(Cli *cli, const InspectOptions *o, const char *name, json_object **ret,
                      Error *err) {
        _cleanup_free_ char *path = policy_inspect_path(name);

        (void)o;
        return api_json(cli, "GET", path, NULL, ret, err);
}

static int get_context(Cli *cli, const InspectOptions *o, const char *name, json_object **ret,
                       Error *err) {
        (void)o;
        return context_describe(cli, name, ret, err);
}

static const struct {
        const char *type;
        Get get; /* NULL: not done, as it is Swarm's or a plugin */
} kinds[] = {
        { "container", get_container },
        { "image", get_image },
        { "network", get_network },
        { "volume", get_volume },
        { "service", NULL },
        { "task", NULL },
        { "node", NULL },
        { "plugin", NULL },
        { "secret", NULL },
        { "config", NULL },
};

/* The kinds in their order; the first that knows the name. */
static int get_any(Cli *cli, const InspectOptions *o, const char *name, json_object **ret,
                   Error *err) {
        for (size_t i = 0; i < ELEMENTS(kinds) && kinds[i].get; i++) {
                int r = kinds[i].get(cli, o, name, ret, err);

                if (r == 0 || err->kind != ERROR_NOT_FOUND)
                        return r;
        }
        return error_kind(err, ERROR_NOT_FOUND, "Error: No such object: %s", name);
}

/* ---- printing ---- */

/* As Go's json.MarshalIndent with four spaces. */
static void add_indented(Buf *out, json_object *value, unsigned depth) {
        bool array = json_object_is_type(value, json_type_array);
        size_t count = array ? json_object_array_length(value)
                       : json_object_is_type(value, json_type_object)
                               ? (size_t)json_object_object_length(value)
                               : 0;
        size_t i = 0;

        if (count == 0) {
                json_add_go(out, value, false);
                return;
        }
        buf_add_str(out, array ? "[\n" : "{\n");
        if (array) {
                for (; i < count; i++) {
                        buf_format(out, "%*s", (int)(depth + 1) * 4, "");
                        add_indented(out, json_object_array_get_idx(value, i), depth + 1);
                        buf_add_str(out, i + 1 < count ? ",\n" : "\n");
                }
        } else {
                json_object_object_foreach(value, name, member) {
                        _cleanup_json_ json_object *key = json_object_new_string(name);

                        buf_format(out, "%*s", (int)(depth + 1) * 4, "");
                        json_add_go(out, key, false);
                        buf_add_str(out, ": ");
                        add_indented(out, member, depth + 1);
                        buf_add_str(out, ++i < count ? ",\n" : "\n");
                }
        }
        buf_format(out, "%*s%c", (int)depth * 4, "", array ? ']' : '}');
}

static void print_documents(json_object *documents, const char *format) {
        _cleanup_buf_ Buf out = {};

        if (str_equal(format, "json"))
                json_add_go(&out, documents, false);
        else
                add_indented(&out, documents, 0);
        (void)printf("%s\n", out.data);
}

static int print_formatted(json_object *documents, const Template *template, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < json_object_array_length(documents); i++) {
                TemplateData data = { .dot = json_object_array_get_idx(documents, i),
                                      .typed = true };
                _cleanup_buf_ Buf out = {};

                r = template_run(template, &data, &out, err);
                (void)printf("%s\n", r == 0 && out.data ? out.data : "");
        }
        return r < 0 ? error_prefix(err, "template parsing error") : 0;
}

static int inspect(Cli *cli, const Options *options, Get get, Error *err) {
        const InspectOptions *o = options->values;
        bool plain = str_empty(o->format) || str_equal(o->format, "json");
        _cleanup_(template_freep) Template *template = NULL;
        _cleanup_json_ json_object *documents = json_object_new_array();
        Error failed = {};
        int code = 0, r;

        if (!plain && template_parse(o->format, &template, err) < 0)
                return format_refused("template parsing error", err);
        for (size_t i = 0; i < options->count; i++) {
                json_object *document = NULL;

                if (get(cli, o, options->arguments[i], &document, &failed) < 0) {
                        code = 1;
                        break;
                }
                (void)json_object_array_add(documents, document);
        }
        if (plain)
                print_documents(documents, o->format);
        else if (json_object_array_length(documents) == 0)
                (void)printf("\n");
        r = plain ? 0 : print_formatted(documents, template, err);
        if (r < 0)
                return r;
        return code ? cli_complain(&failed) : 0;
}

/* ---- commands ---- */

static int run_inspect(Cli *cli, const Options *options, Error *err) {
        const InspectOptions *o = options->values;

        if (!options_given(options, "type"))
                return inspect(cli, options, get_any, err);
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                if (!str_equal(kinds[i].type, o->type))
                        continue;
                if (!kinds[i].get)
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "inspect of type '%s' is not done yet", o->type);
                return inspect(cli, options, kinds[i].get, err);
        }
        return error_kind(err, ERROR_INVALID,
                          "unknown type: \"%s\": must be one of \"config\", \"container\", "
                          "\"image\", \"network\", \"node\", \"plugin\", \"secret\", \"service\", "
                          "\"task\", \"volume\"",
                          o->type ?: "");
}

static int run_container(Cli *cli, const Options *options, Error *err) {
        return inspect(cli, options, get_container, err);
}

static int run_image(Cli *cli, const Options *options, Error *err) {
        return inspect(cli, options, get_image, err);
}

static int run_network(Cli *cli, const Options *options, Error *err) {
        return inspect(cli, options, get_network, err);
}

static int run_volume(Cli *cli, const Options *options, Error *err) {
        return inspect(cli, options, get_volume, err);
}

/* Without a name, the one that counts. */
static int run_context(Cli *cli, const Options *options, Error *err) {
        char *words[] = { (char *)endpoint_context(cli), NULL };
        Options current = *options;

        if (current.count == 0) {
                current.arguments = words;
                current.count = 1;
        }
        return inspect(cli, &current, get_context, err);
}

static int run_policy(Cli *cli, const Options *options, Error *err) {
        return inspect(cli, options, get_policy, err);
}

#define TABLE(rows)                                                                                \
        { rows, ELEMENTS(rows), sizeof(InspectOptions) }

const Command inspect_command = { "[OPTIONS] NAME|ID [NAME|ID...]",
                                  "Show the documents behind objects",
                                  TABLE(any_rows),
                                  run_inspect,
                                  1,
                                  -1 };
const Command container_inspect_command = { "[OPTIONS] CONTAINER [CONTAINER...]",
                                            "Show the documents behind containers",
                                            TABLE(container_rows),
                                            run_container,
                                            1,
                                            -1 };
const Command image_inspect_command = { "[OPTIONS] IMAGE [IMAGE...]",
                                        "Show the documents behind images",
                                        TABLE(image_rows),
                                        run_image,
                                        1,
                                        -1 };
const Command network_inspect_command = { "[OPTIONS] NETWORK [NETWORK...]",
                                          "Show the documents behind networks",
                                          TABLE(network_rows),
                                          run_network,
                                          1,
                                          -1 };
const Command context_inspect_command = {
        "[OPTIONS] [CONTEXT] [CONTEXT...]", "Show contexts", TABLE(plain_rows), run_context, 0, -1
};
const Command policy_inspect_command = { "[OPTIONS] [NAMESPACE/]NAME [[NAMESPACE/]NAME...]",
                                         "Show the documents of network policies",
                                         TABLE(plain_rows),
                                         run_policy,
                                         1,
                                         -1 };
const Command volume_inspect_command = { "[OPTIONS] VOLUME [VOLUME...]",
                                         "Show the documents behind volumes",
                                         TABLE(plain_rows),
                                         run_volume,
                                         1,
                                         -1 };
