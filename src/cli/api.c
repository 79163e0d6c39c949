/* api.c: the calls to the daemon: paths, error documents, JSON answers. Where the daemon is, is
 * connect.c's. */
#include <ctype.h>
#include <errno.h>
#include <json-c/json_tokener.h>
#include <stdarg.h>

#include "cli/cells.h"
#include "cli/cli.h"
#include "cli/config.h"

#define ANSWER_MAX (256u << 20)

char *path_format(const char *format, ...) {
        Buf buf = {};
        va_list arguments;

        va_start(arguments, format);
        for (; *format; format++)
                if (format[0] == '%' && format[1] == 's') {
                        http_escape(&buf, va_arg(arguments, const char *));
                        format++;
                } else {
                        buf_add_char(&buf, *format);
                }
        va_end(arguments);
        return buf_take(&buf);
}

void path_query(char **path, const char *key, const char *value) {
        Buf buf = {};

        buf_add_str(&buf, *path);
        buf_add_char(&buf, strchr(*path, '?') ? '&' : '?');
        http_escape(&buf, key);
        buf_add_char(&buf, '=');
        http_escape(&buf, value);
        free(*path);
        *path = buf_take(&buf);
}

int path_platform(Cli *cli, char **path, const char *platform, Error *err) {
        int r = str_empty(platform) ? 0 : cli_connect(cli, err);

        if (r < 0 || str_empty(platform))
                return r;
        if (!cli->is_brigd)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "--platform is not in version " API_VERSION
                                  " of Docker's API, which is spoken here: leave it out, or use a "
                                  "brigd");
        path_query(path, "platform", platform);
        return 0;
}

void path_filters(char **path, char *const *filters) {
        _cleanup_json_ json_object *all = json_object_new_object();

        if (strv_length(filters) == 0)
                return;
        for (; *filters; filters++) {
                const char *equals = strchr(*filters, '=');
                _cleanup_free_ char *key = str_copy_n(*filters, (size_t)(equals - *filters));
                json_object *values = json_member(all, key);

                if (!values) {
                        values = json_object_new_object();
                        (void)json_object_object_add(all, key, values);
                }
                (void)json_object_object_add(values, equals + 1, json_object_new_boolean(true));
        }
        path_query(path, "filters", json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN));
}

static ErrorKind kind_of(int status) {
        static const struct {
                int status;
                ErrorKind kind;
        } kinds[] = {
                { 400, ERROR_INVALID },     { 401, ERROR_UNAUTHORIZED }, { 403, ERROR_FORBIDDEN },
                { 404, ERROR_NOT_FOUND },   { 409, ERROR_CONFLICT },     { 501, ERROR_UNSUPPORTED },
                { 503, ERROR_UNAVAILABLE },
        };

        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (kinds[i].status == status)
                        return kinds[i].kind;
        return ERROR_INTERNAL;
}

/* Turns an answer of 400 and more into err. */
static int daemon_error(HttpReply *reply, Error *err) {
        _cleanup_buf_ Buf text = {};
        _cleanup_json_ json_object *document = NULL;
        int status = http_reply_status(reply);
        const char *message = NULL;
        Error ignored = {};

        if (http_reply_read_all(reply, 1 << 20, &text, &ignored) == 0 && text.length > 0 &&
            json_parse_any(text.data, text.length, &document, &ignored) == 0)
                message = json_member_string(document, "message");
        if (!message)
                message = text.length > 0 ? str_trim(text.data) : "no reason was given";
        return error_kind(err, kind_of(status), "Error response from daemon: %s", message);
}

int api_send(Cli *cli, HttpRequest *request, const char *path, HttpReply **ret, Error *err) {
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_free_ char *versioned = NULL;
        int r;

        r = cli_connect(cli, err);
        if (r < 0)
                return r;
        versioned = str_format("/v%s%s", cli->api, path);
        if (cli->debug)
                (void)fprintf(stderr, "%s %s\n", request->method, versioned);
        request->path = versioned;
        r = http_client_send(cli->http, request, &reply, err);
        request->path = NULL;
        if (r < 0)
                return error_prefix(err, "error during connect");
        if (http_reply_status(reply) >= 400)
                return daemon_error(reply, err);
        *ret = TAKE_PTR(reply);
        return 0;
}

int api_call(Cli *cli, const char *method, const char *path, json_object *body, HttpReply **ret,
             Error *err) {
        HttpRequest request = { .method = method };

        if (body) {
                request.body = json_object_to_json_string_ext(
                        body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
                request.length = strlen(request.body);
                request.content_type = "application/json";
        }
        return api_send(cli, &request, path, ret, err);
}

int api_json(Cli *cli, const char *method, const char *path, json_object *body, json_object **ret,
             Error *err) {
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf text = {};
        int r;

        r = api_call(cli, method, path, body, &reply, err);
        if (r == 0)
                r = http_reply_read_all(reply, ANSWER_MAX, &text, err);
        if (r == 0)
                r = json_parse_any(text.length ? text.data : "", text.length, ret, err);
        return r;
}

int api_do(Cli *cli, const char *method, const char *path, Error *err) {
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf text = {};
        int r;

        r = api_call(cli, method, path, NULL, &reply, err);
        if (r == 0)
                r = http_reply_read_all(reply, ANSWER_MAX, &text, err);
        return r;
}

/* The length of the document at the start of the buffer, 0 if it is not whole yet. Counts braces
 * and brackets outside of strings. */
static size_t document_length(const Buf *held) {
        size_t depth = 0;
        bool quoted = false;

        for (size_t i = 0; i < held->length; i++) {
                char character = held->data[i];

                if (quoted) {
                        if (character == '\\')
                                i++;
                        else if (character == '"')
                                quoted = false;
                } else if (character == '"') {
                        quoted = true;
                } else if (character == '{' || character == '[') {
                        depth++;
                } else if ((character == '}' || character == ']') && depth > 0 && --depth == 0) {
                        return i + 1;
                }
        }
        return 0;
}

int api_next_json(HttpReply *reply, Buf *held, json_object **ret, Error *err) {
        for (;;) {
                size_t length = document_length(held);
                ssize_t got;

                if (length > 0) {
                        int r = json_parse_any(held->data, length, ret, err);

                        buf_drop_front(held, length);
                        return r < 0 ? r : 1;
                }
                buf_reserve(held, 16384);
                got = http_reply_read(reply, held->data + held->length, 16384, err);
                if (got <= 0)
                        return (int)got;
                held->length += (size_t)got;
                held->data[held->length] = '\0';
        }
}

int cli_complain(const Error *err) {
        /* Names in it may be anybody's. */
        _cleanup_free_ char *text = visible_text(err->message);

        (void)fflush(stdout);
        (void)fprintf(stderr, "%s\n", text);
        return 1;
}

int for_each_argument(Cli *cli, const Options *options, ForOne act) {
        int code = 0;

        for (size_t i = 0; i < options->count; i++) {
                Error err = {};

                if (act(cli, options, options->arguments[i], &err) < 0)
                        code = cli_complain(&err);
                else
                        (void)printf("%s\n", options->arguments[i]);
        }
        return code;
}

int64_t json_number(json_object *object, const char *name) {
        return json_object_get_int64(json_member(object, name));
}

bool json_truth(json_object *object, const char *name) {
        json_object *member = json_member(object, name);

        return json_object_is_type(member, json_type_boolean) && json_object_get_boolean(member);
}

const char *json_words(json_object *object, const char *name) {
        return json_member_string(object, name) ?: "";
}
