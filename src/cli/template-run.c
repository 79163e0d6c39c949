/* template-run.c: walks the tree over a document; see template.h. Values live until the run ends,
 * so that no caller counts references. */
#include <errno.h>
#include <stdarg.h>

#include "cli/template-private.h"

#define OUTPUT_MAX (64u << 20)
#define RANGE_MAX 100000 /* turns over a number */

typedef struct Variable {
        const char *name; /* the tree's */
        Value value;
} Variable;

typedef struct Run {
        const Template *template;
        const TemplateData *data;
        Buf *out;
        Error *err;
        Variable *variables;
        size_t variable_count;
        json_object **kept;
        size_t kept_count;
} Run;

/* What running a list of nodes came to: 0, a negative errno, or one of these. */
enum { JUMP_BREAK = 1, JUMP_CONTINUE = 2 };

static int evaluate(Run *run, const Pipeline *pipeline, Value dot, Value *ret);
static int run_nodes(Run *run, const Node *node, Value dot);

/* An object that the run made; freed at its end. */
static Value keep(Run *run, Value value) {
        if (value.object) {
                GROW(run->kept, run->kept_count);
                run->kept[run->kept_count++] = value.object;
        }
        return value;
}

static int fail_at(Run *run, size_t start, size_t end, size_t position, const char *format, ...)
        PRINTF_LIKE(5, 6);

static int fail_at(Run *run, size_t start, size_t end, size_t position, const char *format, ...) {
        const char *text = run->template->text;
        char words[512];
        unsigned line = 1;
        size_t column = position;
        va_list arguments;

        for (size_t i = 0; i < position; i++)
                if (text[i] == '\n') {
                        line++;
                        column = position - i - 1;
                }
        va_start(arguments, format);
        (void)vsnprintf(words, sizeof(words), format, arguments);
        va_end(arguments);
        while (end > start && strchr(" \t\r\n", text[end - 1]))
                end--;
        return error_kind(run->err, ERROR_INVALID,
                          "template: :%u:%zu: executing \"\" at <%.*s>: %s", line, column,
                          (int)(end - start), text + start, words);
}

/* ---- members ---- */

typedef enum Absent { ABSENT_NO, ABSENT_LIST, ABSENT_MAP, ABSENT_POINTER, ABSENT_TEXT } Absent;

/* Members that Docker's document types have, and that its JSON leaves out or has as null: what Go
 * sees instead. */
static Absent absent_member(const char *name) {
        static const char *const lists[] = {
                "Args",           "Binds",         "CapAdd",
                "CapDrop",        "Cmd",           "DeviceCgroupRules",
                "DeviceRequests", "Devices",       "Dns",
                "DnsOptions",     "DnsSearch",     "DNSNames",
                "Entrypoint",     "Env",           "ExecIDs",
                "ExtraHosts",     "GroupAdd",      "Links",
                "Aliases",        "MaskedPaths",   "Mounts",
                "OnBuild",        "ReadonlyPaths", "RepoDigests",
                "RepoTags",       "SecurityOpt",   "Shell",
                "Ulimits",        "VolumesFrom",   "Layers",
        };
        static const char *const maps[] = { "Annotations", "DriverOpts", "ExposedPorts",
                                            "Labels",      "Options",    "PortBindings",
                                            "Ports",       "StorageOpt", "Sysctls",
                                            "Tmpfs",       "Volumes",    "Containers",
                                            "Networks" };
        static const char *const pointers[] = { "Health",      "Healthcheck",      "IPAMConfig",
                                                "Init",        "MemorySwappiness", "OomKillDisable",
                                                "PidsLimit",   "SizeRootFs",       "SizeRw",
                                                "StopTimeout", "UsageData" };
        static const char *const texts[] = { "MacAddress", "StopSignal", "Variant",
                                             "RestartCount" };
        static const struct {
                const char *const *names;
                size_t count;
                Absent absent;
        } sets[] = { { lists, ELEMENTS(lists), ABSENT_LIST },
                     { maps, ELEMENTS(maps), ABSENT_MAP },
                     { pointers, ELEMENTS(pointers), ABSENT_POINTER },
                     { texts, ELEMENTS(texts), ABSENT_TEXT } };

        for (size_t i = 0; i < ELEMENTS(sets); i++)
                for (size_t j = 0; j < sets[i].count; j++)
                        if (str_equal(sets[i].names[j], name))
                                return sets[i].absent;
        return ABSENT_NO;
}

static Value absent_value(Run *run, Absent absent) {
        Value value = { .pointer = absent == ABSENT_POINTER,
                        .nil = absent == ABSENT_LIST || absent == ABSENT_MAP };

        if (absent == ABSENT_LIST)
                value.object = json_object_new_array();
        else if (absent == ABSENT_MAP)
                value.object = json_object_new_object();
        else if (absent == ABSENT_TEXT)
                value.object = json_object_new_string("");
        return keep(run, value);
}

static int look_up(Run *run, const Term *term, Value from, const char *name, bool first,
                   Value *ret) {
        json_object *found = NULL;
        Absent absent = run->data->typed ? absent_member(name) : ABSENT_NO;

        if (from.object && !json_object_is_type(from.object, json_type_object))
                return fail_at(run, term->start, term->end, term->position,
                               "can't evaluate field %s in type %s", name,
                               run->data->typed ? "interface {}" : value_type(from));
        if (from.object && json_object_object_get_ex(from.object, name, &found) &&
            (found || absent == ABSENT_NO)) {
                *ret = (Value){ .object = found };
                return 0;
        }
        if (first && run->data->type && from.object == run->data->dot)
                return fail_at(run, term->start, term->end, term->position,
                               "can't evaluate field %s in type %s", name, run->data->type);
        if (from.object && absent != ABSENT_NO) {
                *ret = absent_value(run, absent);
                return 0;
        }
        if (!from.object && !from.pointer)
                return fail_at(run, term->start, term->end, term->position,
                               "nil pointer evaluating interface {}.%s", name);
        return fail_at(run, term->start, term->end, term->position,
                       "map has no entry for key \"%s\"", name);
}

static int look_up_chain(Run *run, const Term *term, Value from, Value *ret) {
        for (char **name = term->chain; name && *name; name++) {
                int r;

                /* Docker looks again in the plain document, which lacks what the type has as nil.
                 */
                if (!from.object && from.pointer && name > term->chain)
                        return fail_at(run, term->start, term->end, term->position,
                                       "map has no entry for key \"%s\"", name[-1]);
                r = look_up(run, term, from, *name, name == term->chain, &from);
                if (r < 0)
                        return r;
        }
        *ret = from;
        return 0;
}

/* ---- terms ---- */

static Variable *find_variable(Run *run, const char *name) {
        for (size_t i = run->variable_count; i > 0; i--)
                if (str_equal(run->variables[i - 1].name, name))
                        return &run->variables[i - 1];
        return NULL;
}

static void push_variable(Run *run, const char *name, Value value) {
        GROW(run->variables, run->variable_count);
        run->variables[run->variable_count++] = (Variable){ name, value };
}

/* What a function does otherwise on Docker's rows: heads of columns pass through, and a row as JSON
 * escapes what HTML would. */
static bool special_call(Run *run, const Function *function, const Value *arguments, size_t count,
                         Value *ret) {
        static const char *const passing[] = { "json",  "split", "join",     "title",
                                               "lower", "upper", "truncate", "pad" };
        Buf out = {};

        for (size_t i = 0; run->data->headers && i < ELEMENTS(passing); i++)
                if (str_equal(passing[i], function->name)) {
                        *ret = arguments[0];
                        return true;
                }
        if (!str_equal(function->name, "json") || !run->data->type || count != 1)
                return false;
        json_add_go(&out, arguments[0].nil ? NULL : arguments[0].object, true);
        *ret = keep(run, (Value){ .object = json_object_new_string(out.data ?: "") });
        buf_done(&out);
        return true;
}

static int call_function(Run *run, const Stage *stage, const Function *function,
                         const Value *arguments, size_t count, Value *ret) {
        const Term *first = stage->terms;
        Value result = {};
        Error why = {};

        if (count < (size_t)function->least ||
            (function->most >= 0 && count > (size_t)function->most))
                return fail_at(run, first->start, first->end, first->position,
                               "wrong number of args for %s: want %s%d got %zu", function->name,
                               function->most < 0 ? "at least " : "", function->least, count);
        if (special_call(run, function, arguments, count, ret))
                return 0;
        if (function->call(arguments, count, &result, &why) < 0) {
                if (str_after(why.message, "wrong type"))
                        return fail_at(run, stage->start, stage->end, first->position, "%s",
                                       why.message);
                return fail_at(run, stage->start, stage->end, first->position,
                               "error calling %s: %s", function->name, why.message);
        }
        *ret = keep(run, result);
        return 0;
}

/* A term that stands for a value: all but a function with arguments. */
static int evaluate_term(Run *run, const Stage *stage, const Term *term, Value dot, Value *ret) {
        Variable *variable;
        Value value = {};
        int r = 0;

        switch (term->type) {
        case TERM_DOT:
        case TERM_FIELD:
                value = dot;
                break;
        case TERM_VARIABLE:
                variable = find_variable(run, term->name);
                value = variable ? variable->value : (Value){};
                break;
        case TERM_LITERAL:
                value.object = term->literal;
                break;
        case TERM_NIL:
                break;
        case TERM_PIPELINE:
                r = evaluate(run, term->pipeline, dot, &value);
                break;
        case TERM_FUNCTION:
                r = call_function(run, stage, term->function, NULL, 0, &value);
                break;
        }
        if (r == 0)
                r = look_up_chain(run, term, value, &value);
        if (r == 0)
                *ret = value;
        return r;
}

/* ---- pipelines ---- */

/* and, or: the arguments after the one that decides are not evaluated. */
static int short_circuit(Run *run, const Stage *stage, Value dot, const Value *last, bool is_and,
                         Value *ret) {
        const Term *term = stage->terms->next;
        bool any = false;

        for (; term; term = term->next) {
                int r = evaluate_term(run, stage, term, dot, ret);

                if (r < 0)
                        return r;
                any = true;
                if (value_true(*ret) != is_and)
                        return 0;
        }
        if (last)
                *ret = *last;
        if (!any && !last)
                return fail_at(run, stage->start, stage->end, stage->start,
                               "wrong number of args for %s: want at least 1 got 0",
                               stage->terms->function->name);
        return 0;
}

/* What stands over a label's column: its name's last part. */
static json_object *label_head(const char *name) {
        _cleanup_free_ char *head = str_copy(strrchr(name, '.') ? strrchr(name, '.') + 1 : name);

        for (char *next = head; *next; next++)
                if (*next == '-' || *next == '_')
                        *next = ' ';
        return json_object_new_string(head);
}

/* .Label "name", which Docker's rows have. */
static int call_label(Run *run, const Stage *stage, Value argument, Value *ret) {
        const char *name = json_object_is_type(argument.object, json_type_string)
                                   ? json_object_get_string(argument.object)
                                   : NULL;
        json_object *found = NULL;

        if (!name)
                return fail_at(run, stage->start, stage->end, stage->start,
                               "wrong type for value; expected string; got %s",
                               value_type(argument));
        if (run->data->headers)
                *ret = keep(run, (Value){ .object = label_head(name) });
        else if (json_object_object_get_ex(run->data->labels, name, &found))
                *ret = (Value){ .object = found };
        else
                *ret = keep(run, (Value){ .object = json_object_new_string("") });
        return 0;
}

static bool is_label_call(const Run *run, const Term *term) {
        return (run->data->labels || run->data->headers) && term->type == TERM_FIELD &&
               strv_length(term->chain) == 1 && str_equal(term->chain[0], "Label");
}

/* last is what the stage before it came to: one argument more. */
static int evaluate_call(Run *run, const Stage *stage, Value dot, const Value *last, Value *ret) {
        const Term *first = stage->terms;
        Value arguments[ARGUMENTS_MAX + 1] = { 0 };
        size_t count = 0;

        for (const Term *term = first->next; term; term = term->next) {
                int r = evaluate_term(run, stage, term, dot, &arguments[count++]);

                if (r < 0)
                        return r;
        }
        if (last)
                arguments[count++] = *last;
        if (first->type == TERM_FUNCTION)
                return call_function(run, stage, first->function, arguments, count, ret);
        if (is_label_call(run, first) && count == 1)
                return call_label(run, stage, arguments[0], ret);
        if (first->type == TERM_FIELD || first->type == TERM_VARIABLE)
                return fail_at(run, first->start, first->end, first->position,
                               "%s is not a method but has arguments",
                               first->chain ? first->chain[strv_length(first->chain) - 1]
                                            : first->name);
        return fail_at(run, first->start, first->end, first->position,
                       "can't give argument to non-function %.*s", (int)(first->end - first->start),
                       run->template->text + first->start);
}

static int evaluate_stage(Run *run, const Stage *stage, Value dot, const Value *last, Value *ret) {
        const Term *first = stage->terms;

        if (first->type == TERM_FUNCTION &&
            (str_equal(first->function->name, "and") || str_equal(first->function->name, "or")))
                return short_circuit(run, stage, dot, last, first->function->name[0] == 'a', ret);
        if (first->type == TERM_NIL)
                return fail_at(run, first->start, first->end, first->position,
                               "nil is not a command");
        if (first->next || last)
                return evaluate_call(run, stage, dot, last, ret);
        return evaluate_term(run, stage, first, dot, ret);
}

static void set_variables(Run *run, const Pipeline *pipeline, Value value) {
        for (size_t i = 0; i < pipeline->name_count; i++) {
                Variable *variable = find_variable(run, pipeline->names[i]);

                if (pipeline->assigns && variable)
                        variable->value = value;
                else
                        push_variable(run, pipeline->names[i], value);
        }
}

static int evaluate(Run *run, const Pipeline *pipeline, Value dot, Value *ret) {
        Value value = {};

        for (const Stage *stage = pipeline->stages; stage; stage = stage->next) {
                Value last = value;
                int r = evaluate_stage(run, stage, dot, stage == pipeline->stages ? NULL : &last,
                                       &value);

                if (r < 0)
                        return r;
        }
        *ret = value;
        return 0;
}

/* ---- nodes ---- */

static int run_action(Run *run, const Node *node, Value dot) {
        Value value;
        int r = evaluate(run, node->pipeline, dot, &value);

        if (r < 0)
                return r;
        set_variables(run, node->pipeline, value);
        if (node->pipeline->name_count == 0)
                value_print(run->out, value);
        return 0;
}

static int run_condition(Run *run, const Node *node, Value dot) {
        size_t scope = run->variable_count;
        Value value;
        int r = evaluate(run, node->pipeline, dot, &value);

        if (r < 0)
                return r;
        set_variables(run, node->pipeline, value);
        if (value_true(value))
                r = run_nodes(run, node->body, node->type == NODE_WITH ? value : dot);
        else
                r = run_nodes(run, node->otherwise, dot);
        run->variable_count = scope;
        return r;
}

/* One turn of a range. */
static int run_turn(Run *run, const Node *node, Value key, Value element) {
        const Pipeline *pipeline = node->pipeline;
        size_t scope = run->variable_count;
        int r;

        for (size_t i = 0; i < pipeline->name_count; i++) {
                bool is_key = i == 0 && pipeline->name_count == 2;
                Variable *variable = find_variable(run, pipeline->names[i]);

                if (pipeline->assigns && variable)
                        variable->value = is_key ? key : element;
                else
                        push_variable(run, pipeline->names[i], is_key ? key : element);
        }
        r = run_nodes(run, node->body, element);
        run->variable_count = scope;
        if (run->out->length > OUTPUT_MAX)
                return error_kind(run->err, ERROR_INVALID, "template: the output is too long");
        return r;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int range_object(Run *run, const Node *node, json_object *object) {
        size_t count = (size_t)json_object_object_length(object), i = 0;
        _cleanup_free_ const char **names = NEW_ARRAY(const char *, count + 1);
        int r = 0;

        json_object_object_foreach(object, name, element) {
                (void)element;
                names[i++] = name;
        }
        qsort(names, count, sizeof(*names), compare_names);
        for (i = 0; i < count && r >= 0 && r != JUMP_BREAK; i++) {
                Value key = keep(run, (Value){ .object = json_object_new_string(names[i]) });

                r = run_turn(run, node, key,
                             (Value){ .object = json_object_object_get(object, names[i]) });
        }
        return MIN(r, 0);
}

static int range_array(Run *run, const Node *node, json_object *array) {
        size_t count = json_object_array_length(array);
        int r = 0;

        for (size_t i = 0; i < count && r >= 0 && r != JUMP_BREAK; i++) {
                Value key = keep(run, (Value){ .object = json_object_new_int64((int64_t)i) });

                r = run_turn(run, node, key,
                             (Value){ .object = json_object_array_get_idx(array, i) });
        }
        return MIN(r, 0);
}

/* Go ranges over a number as over 0 up to it. */
static int range_number(Run *run, const Node *node, int64_t count) {
        int r = 0;

        for (int64_t i = 0; i < MIN(count, (int64_t)RANGE_MAX) && r >= 0 && r != JUMP_BREAK; i++) {
                Value number = keep(run, (Value){ .object = json_object_new_int64(i) });

                r = run_turn(run, node, number, number);
        }
        return MIN(r, 0);
}

static int run_range(Run *run, const Node *node, Value dot) {
        const Pipeline *pipeline = node->pipeline;
        size_t scope = run->variable_count;
        Value value;
        int r = evaluate(run, pipeline, dot, &value);

        if (r < 0)
                return r;
        if (value.object && !json_object_is_type(value.object, json_type_array) &&
            !json_object_is_type(value.object, json_type_object) &&
            !json_object_is_type(value.object, json_type_int)) {
                _cleanup_buf_ Buf printed = {};

                value_print(&printed, value);
                return fail_at(run, pipeline->start, pipeline->end, pipeline->start,
                               "range can't iterate over %.100s", printed.data ?: "");
        }
        if (!value_true(value))
                r = run_nodes(run, node->otherwise, dot);
        else if (json_object_is_type(value.object, json_type_array))
                r = range_array(run, node, value.object);
        else if (json_object_is_type(value.object, json_type_int))
                r = range_number(run, node, json_object_get_int64(value.object));
        else
                r = range_object(run, node, value.object);
        run->variable_count = scope;
        return r;
}

static int run_nodes(Run *run, const Node *node, Value dot) {
        for (; node; node = node->next) {
                int r = 0;

                switch (node->type) {
                case NODE_TEXT:
                        buf_add_str(run->out, node->text);
                        break;
                case NODE_ACTION:
                        r = run_action(run, node, dot);
                        break;
                case NODE_IF:
                case NODE_WITH:
                        r = run_condition(run, node, dot);
                        break;
                case NODE_RANGE:
                        r = run_range(run, node, dot);
                        break;
                case NODE_BREAK:
                        return JUMP_BREAK;
                case NODE_CONTINUE:
                        return JUMP_CONTINUE;
                }
                if (r != 0)
                        return r;
        }
        return 0;
}

int template_run(const Template *template, const TemplateData *data, Buf *out, Error *err) {
        Run run = { .template = template, .data = data, .out = out, .err = err };
        Value dot = { .object = data->dot };
        int r;

        push_variable(&run, "$", dot);
        r = run_nodes(&run, template->nodes, dot);
        for (size_t i = 0; i < run.kept_count; i++)
                (void)json_object_put(run.kept[i]);
        free(run.kept);
        free(run.variables);
        return MIN(r, 0);
}
