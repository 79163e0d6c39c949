/* context.c: context create, inspect, ls, rm, show, update and use: docker's contexts, in docker's
 * place. Which of them counts is endpoint.c's. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/config.h"
#include "cli/context-store.h"
#include "cli/endpoint.h"
#include "cli/list.h"

#define DEFAULT_NAME "default"
#define DEFAULT_DESCRIPTION "Current DOCKER_HOST based configuration"

static int refuse_default(const char *what, Error *err) {
        return error_kind(err, ERROR_INVALID, "context \"" DEFAULT_NAME "\" cannot be %s", what);
}

static void take_endpoint(Endpoint *endpoint, Context *ret) {
        ret->host = TAKE_PTR(endpoint->host);
        ret->ca = TAKE_PTR(endpoint->ca);
        ret->cert = TAKE_PTR(endpoint->cert);
        ret->key = TAKE_PTR(endpoint->key);
        ret->skip_verify = endpoint->tls && !endpoint->verify;
}

int context_find(Cli *cli, const char *name, Context *ret, Error *err) {
        Endpoint endpoint = { 0 };
        char *chosen = cli->context;
        int r;

        if (!str_equal(name, DEFAULT_NAME))
                return context_read(cli, name, ret, err);
        /* A host that is said means it without a word. */
        cli->context = strv_length(cli->hosts) > 0 ? NULL : (char *)DEFAULT_NAME;
        r = endpoint_find(cli, &endpoint, err);
        cli->context = chosen;
        if (r == 0) {
                ret->name = str_copy(name);
                ret->description = str_copy(DEFAULT_DESCRIPTION);
                take_endpoint(&endpoint, ret);
        }
        endpoint_done(&endpoint);
        return r;
}

/* ---- create, update ---- */

typedef struct WriteOptions {
        char *description, *from;
        Pairs docker;
} WriteOptions;

#define DESCRIPTION_ROW                                                                            \
        {                                                                                          \
                "description", 0, OPTION_STRING, offsetof(WriteOptions, description),              \
                        "Description of the context"                                               \
        }
#define DOCKER_ROW                                                                                 \
        {                                                                                          \
                "docker", 0, OPTION_MAP, offsetof(WriteOptions, docker),                           \
                        "The daemon: host=, ca=, cert=, key=, skip-tls-verify=, from="             \
        }

static const Option create_rows[] = {
        DESCRIPTION_ROW,
        DOCKER_ROW,
        { "from", 0, OPTION_STRING, offsetof(WriteOptions, from), "Copy this context" },
};
static const Option update_rows[] = { DESCRIPTION_ROW, DOCKER_ROW };

/* "host=x,ca=y": the option's value is one text with commas between. */
static int spread(const Pairs *given, Pairs *ret, Error *err) {
        static const char *const known[] = {
                "host", "ca", "cert", "key", "skip-tls-verify", "from"
        };

        for (size_t i = 0; i < given->count; i++) {
                _cleanup_free_ char *text =
                        str_format("%s=%s", given->items[i].key, given->items[i].value);
                _cleanup_strv_ char **words = str_split(text, ',');

                for (char **word = words; word && *word; word++) {
                        char *equals = strchr(*word, '=');
                        bool valid = false;

                        if (equals)
                                *equals = '\0';
                        for (size_t k = 0; k < ELEMENTS(known); k++)
                                valid |= str_equal(*word, known[k]);
                        if (!valid || !equals)
                                return error_kind(err, ERROR_INVALID, "unrecognized config key: %s",
                                                  *word);
                        pairs_put(ret, *word, equals + 1);
                }
        }
        return 0;
}

static void take_file(char **slot, const Pairs *given, const char *name) {
        const char *value = pairs_get(given, name);

        if (value)
                str_replace(slot, str_empty(value) ? NULL : value);
}

static int apply(Context *context, const Pairs *given, Error *err) {
        const char *skip = pairs_get(given, "skip-tls-verify");

        if (pairs_get(given, "host"))
                str_replace(&context->host, pairs_get(given, "host"));
        take_file(&context->ca, given, "ca");
        take_file(&context->cert, given, "cert");
        take_file(&context->key, given, "key");
        if (skip)
                context->skip_verify = str_equal(skip, "true") || str_equal(skip, "1");
        if (str_empty(context->host))
                return error_kind(err, ERROR_INVALID,
                                  "unable to create docker endpoint config: give --docker host=…");
        if (!strstr(context->host, "://"))
                return error_kind(err, ERROR_INVALID, "unable to parse docker host `%s`",
                                  context->host);
        return 0;
}

static void drop_endpoint(Context *context) {
        char **owned[] = { &context->host, &context->ca, &context->cert, &context->key };

        for (size_t i = 0; i < ELEMENTS(owned); i++)
                str_replace(owned[i], NULL);
        context->skip_verify = false;
}

/* Another's way to its daemon; its description says nothing of this one. */
static int copy_endpoint(Cli *cli, const char *from, Context *context, Error *err) {
        _cleanup_(context_done) Context other = { 0 };
        int r = context_find(cli, from, &other, err);

        if (r < 0)
                return r;
        context->host = TAKE_PTR(other.host);
        context->ca = TAKE_PTR(other.ca);
        context->cert = TAKE_PTR(other.cert);
        context->key = TAKE_PTR(other.key);
        context->skip_verify = other.skip_verify;
        return 0;
}

static int write_context(Cli *cli, const char *name, const WriteOptions *o, Context *context,
                         Error *err) {
        Pairs given = { 0 };
        int r = spread(&o->docker, &given, err);

        /* A way that is said is the whole way: a file or a doubt of the old one is not of it. */
        if (given.count > 0)
                drop_endpoint(context);
        if (r == 0 && pairs_get(&given, "from"))
                r = copy_endpoint(cli, pairs_get(&given, "from"), context, err);
        str_replace(&context->name, name);
        if (o->description)
                str_replace(&context->description, o->description);
        if (r == 0)
                r = apply(context, &given, err);
        if (r == 0)
                r = context_write(cli, context, err);
        pairs_done(&given);
        return r;
}

int context_new_check(const Cli *cli, const char *name, Error *err) {
        int r = context_name_check(name, err);

        if (r == 0 && str_equal(name, DEFAULT_NAME))
                r = error_kind(err, ERROR_INVALID, "\"default\" is a reserved context name");
        if (r == 0 && context_exists(cli, name))
                r = error_kind(err, ERROR_CONFLICT, "context \"%s\" already exists", name);
        return r;
}

static int run_create(Cli *cli, const Options *options, Error *err) {
        const WriteOptions *o = options->values;
        const char *name = options->arguments[0];
        _cleanup_(context_done) Context context = { 0 };
        int r = context_new_check(cli, name, err);

        if (r == 0 && o->from)
                r = context_find(cli, o->from, &context, err);
        /* What is copied says nothing of the new one. */
        if (r == 0 && str_equal(o->from, DEFAULT_NAME))
                str_replace(&context.description, NULL);
        if (r == 0)
                r = write_context(cli, name, o, &context, err);
        if (r < 0)
                return r;
        (void)printf("%s\n", name);
        (void)fprintf(stderr, "Successfully created context \"%s\"\n", name);
        return 0;
}

static int run_update(Cli *cli, const Options *options, Error *err) {
        const char *name = options->arguments[0];
        _cleanup_(context_done) Context context = { 0 };
        int r = str_equal(name, DEFAULT_NAME) ? refuse_default("updated", err)
                                              : context_read(cli, name, &context, err);

        if (r == 0)
                r = write_context(cli, name, options->values, &context, err);
        if (r < 0)
                return r;
        (void)printf("%s\n", name);
        (void)fprintf(stderr, "Successfully updated context \"%s\"\n", name);
        return 0;
}

const Command context_create_command = { "[OPTIONS] CONTEXT",
                                         "Create a context",
                                         { create_rows, ELEMENTS(create_rows),
                                           sizeof(WriteOptions) },
                                         run_create,
                                         1,
                                         1 };
const Command context_update_command = { "[OPTIONS] CONTEXT",
                                         "Update a context",
                                         { update_rows, ELEMENTS(update_rows),
                                           sizeof(WriteOptions) },
                                         run_update,
                                         1,
                                         1 };

/* ---- use, show ---- */

static int run_use(Cli *cli, const Options *options, Error *err) {
        const char *name = options->arguments[0];
        _cleanup_(context_done) Context context = { 0 };
        json_object *config = NULL;
        int r = str_equal(name, DEFAULT_NAME) ? 0 : context_read(cli, name, &context, err);

        if (r == 0)
                r = config_edit(cli, &config, err);
        if (r < 0)
                return r;
        if (str_equal(name, DEFAULT_NAME))
                json_object_object_del(config, "currentContext");
        else
                (void)json_object_object_add(config, "currentContext",
                                             json_object_new_string(name));
        r = config_write(cli, err);
        if (r < 0)
                return r;
        (void)printf("%s\n", name);
        (void)fprintf(stderr, "Current context is now \"%s\"\n", name);
        if (!str_empty(getenv("DOCKER_HOST")))
                (void)fprintf(stderr,
                              "Warning: DOCKER_HOST environment variable overrides the active "
                              "context. To use \"%s\", either set the global --context flag, or "
                              "unset DOCKER_HOST environment variable.\n",
                              name);
        return 0;
}

static int run_show(Cli *cli, const Options *options, Error *err) {
        (void)options;
        (void)err;
        (void)printf("%s\n", endpoint_context(cli));
        return 0;
}

const Command context_use_command = { .arguments = "CONTEXT",
                                      .summary = "Set the current context",
                                      .run = run_use,
                                      .least = 1,
                                      .most = 1 };
const Command context_show_command = { .arguments = "",
                                       .summary = "Print the name of the current context",
                                       .run = run_show };

/* ---- rm ---- */

typedef struct RmOptions {
        bool force;
} RmOptions;

static const Option rm_rows[] = {
        { "force", 'f', OPTION_BOOL, offsetof(RmOptions, force),
          "Force the removal of a context in use" },
};

static int remove_one(Cli *cli, const Options *options, const char *name, Error *err) {
        const RmOptions *o = options->values;
        bool current = str_equal(config_string(cli, "currentContext"), name);
        json_object *config;
        int r = 0;

        if (str_equal(name, DEFAULT_NAME))
                return refuse_default("removed", err);
        if (!context_exists(cli, name))
                return o->force ? 0
                                : error_kind(err, ERROR_NOT_FOUND, "context \"%s\" does not exist",
                                             name);
        if (current && !o->force)
                return error_kind(err, ERROR_CONFLICT,
                                  "context \"%s\" is in use, set -f flag to force remove", name);
        if (current) {
                r = config_edit(cli, &config, err);
                if (r == 0)
                        json_object_object_del(config, "currentContext");
                if (r == 0)
                        r = config_write(cli, err);
        }
        if (r == 0)
                r = context_remove(cli, name, err);
        if (r == 0)
                (void)printf("%s\n", name);
        return r;
}

static int run_rm(Cli *cli, const Options *options, Error *err) {
        return for_each_argument(cli, options, remove_one);
}

const Command context_rm_command = { "CONTEXT [CONTEXT...]",
                                     "Remove one or more contexts",
                                     { rm_rows, ELEMENTS(rm_rows), sizeof(RmOptions) },
                                     run_rm,
                                     1,
                                     -1 };

/* ---- ls ---- */

typedef struct LsOptions {
        char *format;
        bool quiet;
} LsOptions;

static const Option ls_rows[] = {
        { "format", 0, OPTION_STRING, offsetof(LsOptions, format),
          "Format: table, json, or a Go template" },
        { "quiet", 'q', OPTION_BOOL, offsetof(LsOptions, quiet), "Only show context names" },
};

static const ListColumn columns[] = {
        { "Name", "NAME" },
        { "Current", "" }, /* beside the name */
        { "Description", "DESCRIPTION" },
        { "DockerEndpoint", "DOCKER ENDPOINT" },
        { "Error", "ERROR" },
};

static const ListKind context_kind = {
        .type = "*formatter.clientContextContext",
        .table = "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}"
                 "\t{{.Error}}",
        .quiet = "{{.Name}}",
        .columns = columns,
        .count = ELEMENTS(columns),
};

static void add_row(Cli *cli, List *list, const char *name) {
        _cleanup_(context_done) Context context = { 0 };
        json_object *row = json_object_new_object();
        Error why = { 0 };
        int r = context_find(cli, name, &context, &why);

        (void)json_object_object_add(
                row, "Current", json_object_new_boolean(str_equal(endpoint_context(cli), name)));
        (void)json_object_object_add(row, "Description",
                                     json_object_new_string(context.description ?: ""));
        (void)json_object_object_add(row, "DockerEndpoint",
                                     json_object_new_string(context.host ?: ""));
        (void)json_object_object_add(row, "Error",
                                     json_object_new_string(r < 0 ? why.message : ""));
        (void)json_object_object_add(row, "Name", json_object_new_string(name));
        list_add(list, row, NULL);
}

static int run_ls(Cli *cli, const Options *options, Error *err) {
        const LsOptions *o = options->values;
        _cleanup_strv_ char **names = context_names(cli);
        List list = { 0 };
        int r;

        add_row(cli, &list, DEFAULT_NAME);
        for (char **name = names; name && *name; name++)
                add_row(cli, &list, *name);
        r = list_print(&context_kind, list_format(cli, &context_kind, o->format, o->quiet), NULL,
                       o->quiet, &list, err);
        list_done(&list);
        return r;
}

const Command context_ls_command = { "[OPTIONS]",
                                     "List contexts",
                                     { ls_rows, ELEMENTS(ls_rows), sizeof(LsOptions) },
                                     run_ls,
                                     0,
                                     0 };

/* ---- inspect ---- */

static json_object *words_of(const Context *context) {
        json_object *array = json_object_new_array();

        if (context->ca)
                (void)json_object_array_add(array, json_object_new_string("ca.pem"));
        if (context->cert)
                (void)json_object_array_add(array, json_object_new_string("cert.pem"));
        if (context->key)
                (void)json_object_array_add(array, json_object_new_string("key.pem"));
        return array;
}

static json_object *describe(const Cli *cli, const Context *context) {
        json_object *object = json_object_new_object(), *material = json_object_new_object();
        json_object *metadata, *storage = json_object_new_object();
        bool in_memory = str_equal(context->name, DEFAULT_NAME);
        _cleanup_free_ char *meta = context_meta_folder(cli, context->name);
        _cleanup_free_ char *tls = context_tls_folder(cli, context->name);

        metadata = in_memory ? json_object_new_object() : context_metadata(context);
        if (context->ca || context->cert || context->key)
                (void)json_object_object_add(material, "docker", words_of(context));
        if (!in_memory)
                tls[strlen(tls) - strlen("/docker")] = '\0';
        (void)json_object_object_add(storage, "MetadataPath",
                                     json_object_new_string(in_memory ? "<IN MEMORY>" : meta));
        (void)json_object_object_add(storage, "TLSPath",
                                     json_object_new_string(in_memory ? "<IN MEMORY>" : tls));
        (void)json_object_object_add(object, "Name", json_object_new_string(context->name));
        (void)json_object_object_add(object, "Metadata", metadata);
        (void)json_object_object_add(object, "Endpoints", context_endpoints(context));
        (void)json_object_object_add(object, "TLSMaterial", material);
        (void)json_object_object_add(object, "Storage", storage);
        return object;
}

int context_describe(Cli *cli, const char *name, json_object **ret, Error *err) {
        _cleanup_(context_done) Context context = { 0 };
        int r = context_find(cli, name, &context, err);

        if (r == 0)
                *ret = describe(cli, &context);
        return r;
}
