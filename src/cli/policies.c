/* policies.c: brig policy: network policies in Kubernetes' form. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/network-map.h"

#define FILE_MAX ((size_t)4 * 1024 * 1024)
#define MATRIX_MAX 8 /* containers; of more the table is a list */

/* "namespace/name", or a name in the option's namespace, else the default one. The caller's. */
static char *policy_path(const char *name, const char *namespace) {
        const char *slash = strchr(name, '/');
        _cleanup_free_ char *before = slash ? str_copy_n(name, (size_t)(slash - name)) : NULL;

        return path_format("/brig/policies/%s/%s",
                           before ?: (str_empty(namespace) ? "default" : namespace),
                           slash ? slash + 1 : name);
}

char *policy_inspect_path(const char *name) {
        return policy_path(name, NULL);
}

/* ---- apply ---- */

typedef struct ApplyOptions {
        char *file, *namespace;
} ApplyOptions;

static const Option apply_rows[] = {
        { "file", 'f', OPTION_STRING, offsetof(ApplyOptions, file),
          "File of policies, or - for standard input" },
        { "namespace", 'n', OPTION_STRING, offsetof(ApplyOptions, namespace),
          "Namespace of policies that name none", NULL, "\"default\"" },
};

static int read_input(const char *path, Buf *ret, Error *err) {
        _cleanup_close_ int opened = -1;
        int fd = STDIN_FILENO;

        if (!str_equal(path, "-")) {
                fd = opened = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return error_set(err, errno, "open '%s'", path);
        }
        for (;;) {
                char data[16384];
                ssize_t length = read(fd, data, sizeof(data));

                if (length < 0 && errno == EINTR)
                        continue;
                if (length < 0)
                        return error_set(err, errno, "read '%s'", path);
                if (length == 0)
                        return 0;
                buf_add(ret, data, (size_t)length);
                if (ret->length > FILE_MAX)
                        return error_kind(err, ERROR_INVALID, "'%s' is larger than 4 MiB", path);
        }
}

static int run_apply(Cli *cli, const Options *options, Error *err) {
        const ApplyOptions *o = options->values;
        _cleanup_free_ char *path = str_copy("/brig/policies");
        _cleanup_buf_ Buf text = {}, held = {};
        HttpRequest request = { .method = "POST", .content_type = "application/yaml" };
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_json_ json_object *answer = NULL;
        int r;

        if (str_empty(o->file))
                return error_kind(err, ERROR_INVALID, "give a file of policies: -f FILE, or -f -");
        r = read_input(o->file, &text, err);
        if (r < 0)
                return r;
        request.body = text.data ?: "";
        request.length = text.length;
        if (!str_empty(o->namespace))
                path_query(&path, "namespace", o->namespace);
        r = api_send(cli, &request, path, &reply, err);
        if (r == 0)
                r = api_next_json(reply, &held, &answer, err);
        if (r < 0)
                return r;
        for (size_t i = 0;
             json_object_is_type(answer, json_type_array) && i < json_object_array_length(answer);
             i++) {
                json_object *one = json_object_array_get_idx(answer, i);

                (void)printf("networkpolicy %s/%s %s\n", json_words(one, "Namespace"),
                             json_words(one, "Name"), json_words(one, "Action"));
        }
        return 0;
}

const Command policy_apply_command = { "-f FILE",
                                       "Put network policies from a file in force",
                                       { apply_rows, ELEMENTS(apply_rows), sizeof(ApplyOptions) },
                                       run_apply,
                                       0,
                                       0 };

/* ---- ls ---- */

typedef struct LsOptions {
        bool quiet;
        char *format, *namespace;
} LsOptions;

static const Option ls_rows[] = {
        { "format", 0, OPTION_STRING, offsetof(LsOptions, format),
          "Format: table, json, or a Go template" },
        { "namespace", 'n', OPTION_STRING, offsetof(LsOptions, namespace),
          "Show those of this namespace only" },
        { "quiet", 'q', OPTION_BOOL, offsetof(LsOptions, quiet), "Show names only" },
};

static const ListColumn columns[] = {
        { "Namespace", "NAMESPACE" },
        { "Name", "NAME" },
        { "Selector", "CONTAINERS" },
        { "Types", "TYPES" },
};

static const ListKind kind = { "*policy.Context",
                               "{{.Namespace}}\t{{.Name}}\t{{.Selector}}\t{{.Types}}",
                               "{{.Namespace}}/{{.Name}}",
                               NULL,
                               NULL,
                               columns,
                               ELEMENTS(columns) };

static char *joined(json_object *array, const char *separator) {
        _cleanup_strv_ char **words = NULL;

        for (size_t i = 0;
             json_object_is_type(array, json_type_array) && i < json_object_array_length(array);
             i++)
                strv_add(&words, json_object_get_string(json_object_array_get_idx(array, i)));
        return words ? strv_join(words, separator) : str_copy("");
}

static void add_expression(json_object *expression, char ***parts) {
        const char *key = json_words(expression, "key"), *op = json_words(expression, "operator");
        _cleanup_free_ char *values = joined(json_member(expression, "values"), ",");

        if (str_equal(op, "Exists"))
                strv_add(parts, key);
        else if (str_equal(op, "DoesNotExist"))
                strv_format(parts, "!%s", key);
        else
                strv_format(parts, "%s %s (%s)", key, str_equal(op, "In") ? "in" : "notin", values);
}

/* As kubectl writes a selector: "app=web,tier notin (db)". */
static char *selector_text(json_object *selector) {
        json_object *labels = json_member(selector, "matchLabels");
        json_object *expressions = json_member(selector, "matchExpressions");
        _cleanup_strv_ char **parts = NULL;

        if (json_object_is_type(labels, json_type_object)) {
                json_object_object_foreach(labels, name, value)
                        strv_format(&parts, "%s=%s", name, json_object_get_string(value));
        }
        for (size_t i = 0; json_object_is_type(expressions, json_type_array) &&
                           i < json_object_array_length(expressions);
             i++)
                add_expression(json_object_array_get_idx(expressions, i), &parts);
        return parts ? strv_join(parts, ",") : str_copy("<all>");
}

static json_object *make_row(json_object *policy) {
        json_object *row = json_object_new_object();
        json_object *metadata = json_member(policy, "metadata");
        json_object *spec = json_member(policy, "spec");

        row_put(row, "Namespace", json_words(metadata, "namespace"));
        row_put(row, "Name", json_words(metadata, "name"));
        row_take(row, "Selector", selector_text(json_member(spec, "podSelector")));
        row_take(row, "Types", joined(json_member(spec, "policyTypes"), ","));
        return row;
}

static int run_ls(Cli *cli, const Options *options, Error *err) {
        const LsOptions *o = options->values;
        _cleanup_free_ char *path = str_copy("/brig/policies");
        _cleanup_json_ json_object *all = NULL;
        _cleanup_(list_done) List list = {};
        int r;

        if (!str_empty(o->namespace))
                path_query(&path, "namespace", o->namespace);
        r = api_json(cli, "GET", path, NULL, &all, err);
        if (r < 0)
                return r;
        for (size_t i = 0;
             json_object_is_type(all, json_type_array) && i < json_object_array_length(all); i++)
                list_add(&list, make_row(json_object_array_get_idx(all, i)), NULL);
        return list_print(&kind, list_format(cli, &kind, o->format, o->quiet), NULL, o->quiet,
                          &list, err);
}

const Command policy_ls_command = { "[OPTIONS]",
                                    "List network policies",
                                    { ls_rows, ELEMENTS(ls_rows), sizeof(LsOptions) },
                                    run_ls,
                                    0,
                                    0 };

/* ---- rm ---- */

typedef struct RmOptions {
        char *namespace;
} RmOptions;

static const Option rm_rows[] = {
        { "namespace", 'n', OPTION_STRING, offsetof(RmOptions, namespace),
          "Namespace of names without one", NULL, "\"default\"" },
};

static int remove_one(Cli *cli, const Options *options, const char *name, Error *err) {
        const RmOptions *o = options->values;
        _cleanup_free_ char *path = policy_path(name, o->namespace);

        return api_do(cli, "DELETE", path, err);
}

static int run_rm(Cli *cli, const Options *options, Error *err) {
        (void)err; /* each failure is told with its name */
        return for_each_argument(cli, options, remove_one);
}

const Command policy_rm_command = { "[OPTIONS] [NAMESPACE/]NAME [[NAMESPACE/]NAME...]",
                                    "Remove network policies",
                                    { rm_rows, ELEMENTS(rm_rows), sizeof(RmOptions) },
                                    run_rm,
                                    1,
                                    -1 };

/* ---- test ---- */

typedef struct TestOptions {
        char *format;
} TestOptions;

static const Option test_rows[] = {
        { "format", 0, OPTION_STRING, offsetof(TestOptions, format), "Format: table or json" },
};

static void print_list(json_object *pairs) {
        _cleanup_buf_ Buf out = {};

        buf_add_str(&out, "FROM\tTO\tPORTS\n");
        for (size_t i = 0; i < json_object_array_length(pairs); i++) {
                json_object *pair = json_object_array_get_idx(pairs, i);
                _cleanup_free_ char *ports = policy_ports_text(pair);

                buf_format(&out, "%s\t%s\t%s\n", json_words(pair, "From"), json_words(pair, "To"),
                           ports);
        }
        table_print(out.data, 0, 3, stdout);
}

/* A row for each that speaks, a column for each that is spoken to. */
static void print_matrix(json_object *containers, json_object *pairs) {
        const size_t count = json_object_array_length(containers);
        _cleanup_buf_ Buf out = {};

        buf_add_str(&out, "FROM \\ TO");
        for (size_t i = 0; i < count; i++)
                buf_format(&out, "\t%s",
                           json_words(json_object_array_get_idx(containers, i), "Name"));
        for (size_t i = 0; i < json_object_array_length(pairs); i++) {
                json_object *pair = json_object_array_get_idx(pairs, i);
                _cleanup_free_ char *ports = policy_ports_text(pair);

                if (count > 0 && i % count == 0)
                        buf_format(&out, "\n%s", json_words(pair, "From"));
                buf_format(&out, "\t%s", ports);
        }
        buf_add_char(&out, '\n');
        table_print(out.data, 0, 3, stdout);
}

static int print_table(Cli *cli, bool json, Error *err) {
        _cleanup_json_ json_object *answer = NULL;
        json_object *containers, *pairs;
        int r = api_json(cli, "GET", "/brig/policies/test", NULL, &answer, err);

        if (r < 0)
                return r;
        containers = json_member(answer, "Containers");
        pairs = json_member(answer, "Pairs");
        if (json)
                (void)printf("%s\n",
                             json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN));
        else if (!json_object_is_type(containers, json_type_array) ||
                 !json_object_is_type(pairs, json_type_array) ||
                 json_object_array_length(containers) == 0)
                (void)printf("No container that runs has an address.\n");
        else if (json_object_array_length(containers) > MATRIX_MAX)
                print_list(pairs);
        else
                print_matrix(containers, pairs);
        return 0;
}

static int answer_one(Cli *cli, const Options *options, bool json, Error *err) {
        _cleanup_strv_ char **port = str_split(options->arguments[2], '/');
        _cleanup_free_ char *path = str_copy("/brig/policies/test");
        _cleanup_json_ json_object *answer = NULL;
        const char *why;
        int r;

        path_query(&path, "from", options->arguments[0]);
        path_query(&path, "to", options->arguments[1]);
        path_query(&path, "port", port && port[0] ? port[0] : "");
        path_query(&path, "protocol", strv_length(port) > 1 ? str_lower(port[1]) : "tcp");
        r = api_json(cli, "GET", path, NULL, &answer, err);
        if (r < 0)
                return r;
        why = json_words(answer, "Reason");
        if (json) {
                (void)printf("%s\n",
                             json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN));
        } else {
                (void)printf("%s\n", json_truth(answer, "Allowed") ? "allowed" : "denied");
                if (*why)
                        (void)printf("%s\n", why);
                else
                        (void)printf("from %s: %s\nto %s: %s\n", options->arguments[0],
                                     json_words(json_member(answer, "Egress"), "Reason"),
                                     options->arguments[1],
                                     json_words(json_member(answer, "Ingress"), "Reason"));
        }
        return json_truth(answer, "Allowed") ? 0 : 1;
}

/* As grep: 0 yes, 1 no, 2 an error. */
static int run_test(Cli *cli, const Options *options, Error *err) {
        const TestOptions *o = options->values;
        const bool json = str_equal(o->format, "json");
        int r;

        if (!str_empty(o->format) && !json && !str_equal(o->format, "table"))
                r = error_kind(err, ERROR_INVALID, "format '%s' is neither table nor json",
                               o->format);
        else if (options->count == 0)
                r = print_table(cli, json, err);
        else if (options->count == 3)
                r = answer_one(cli, options, json, err);
        else
                r = error_kind(err, ERROR_INVALID, "give FROM, TO and PORT, or none of them");
        if (r >= 0)
                return r;
        (void)cli_complain(err);
        return 2;
}

const Command policy_test_command = { "[OPTIONS] [FROM TO PORT[/PROTOCOL]]",
                                      "Show who may reach whom, or why one may or may not",
                                      { test_rows, ELEMENTS(test_rows), sizeof(TestOptions) },
                                      run_test,
                                      0,
                                      3 };
