/* containers.c: the calls on containers that are one question and one answer; streams are in
 * streams.c. */
#include <limits.h>
#include <strings.h>

#include "api/request.h"
#include "api/versions.h"

/* A part of a list. */
static int write_part(void *data, const Buf *json) {
        HttpExchange *exchange = data;
        int r = http_answered(exchange) ? 0 : http_begin(exchange, 200, "application/json");

        return r < 0 ? r : http_write(exchange, json->data, json->length);
}

int on_container_list(ApiRequest *request, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        ListOptions options = { .all = api_flag(request, "all"),
                                .size = api_flag(request, "size"),
                                .annotations = request->version >= 46,
                                .filters = &filters,
                                .take = write_part,
                                .data = request->exchange };
        int r = api_filters(request, &filters, err);

        if (r >= 0)
                r = http_query_int(&request->query, "limit", &options.limit, err);
        if (r < 0)
                return r;
        options.limit = MAX(options.limit, 0);
        r = engine_container_list(request->engine, &options, &json, err);
        if (!http_answered(request->exchange))
                return r < 0 ? r : api_answer(request, 200, &json);
        buf_add_char(&json, '\n');
        if (r == 0)
                (void)http_write(request->exchange, json.data, json.length);
        return 0; /* else the client has gone */
}

/* Whether body has a member of Config, and not only its two companions. */
static bool has_config(json_object *body) {
        if (!json_object_is_type(body, json_type_object))
                return false;
        json_object_object_foreach(body, name, value) {
                (void)value;
                if (strcasecmp(name, "HostConfig") != 0 &&
                    strcasecmp(name, "NetworkingConfig") != 0)
                        return true;
        }
        return false;
}

static int read_create(ApiRequest *request, ContainerCreate *create, Error *err) {
        _cleanup_json_ json_object *body = NULL;
        int r = api_body_any(request, &body, err);

        if (r < 0)
                return r;
        if (request->head->length == 0 && !request->head->chunked)
                return error_kind(err, ERROR_INVALID,
                                  "invalid JSON: got EOF while reading request body");
        if (!has_config(body))
                return error_kind(err, ERROR_INVALID,
                                  "Config cannot be empty in order to create a container");
        return container_create_read(body, create, err);
}

static void drop_if_none(int64_t **value, int64_t least) {
        if (*value && **value < least) {
                free(*value);
                *value = NULL;
        }
}

/* Clients say "no limit" in numbers too; from here on it is said by absence alone. */
static void normalise(HostConfig *host) {
        drop_if_none(&host->pids_limit, 1);
        if (host->memory_swappiness && *host->memory_swappiness == -1)
                drop_if_none(&host->memory_swappiness, 0);
}

static void add_warnings(Buf *json, char *const *warnings) {
        buf_add_str(json, ",\"Warnings\":[");
        for (size_t i = 0; i < strv_length(warnings); i++) {
                if (i > 0)
                        buf_add_char(json, ',');
                json_add_quoted(json, warnings[i]);
        }
        buf_add_char(json, ']');
}

/* What older versions do not know is refused or dropped, in dockerd's words. */
static int check_version(const ApiRequest *request, ContainerCreate *create, char ***warnings,
                         Error *err) {
        const MountSpec *mounts = create->host.mounts.items;
        bool ambiguous = false;

        for (size_t i = 0; i < create->host.mounts.count; i++) {
                const MountVolumeOptions *volume = mounts[i].volume;

                if (request->version < 45 && volume && !str_empty(volume->subpath))
                        return error_kind(err, ERROR_INVALID,
                                          "VolumeOptions.Subpath needs API v1.45 or newer");
                if (request->version < 48 && str_equal(mounts[i].type, "image"))
                        return error_kind(err, ERROR_INVALID,
                                          "Mount type \"Image\" needs API v1.48 or newer");
                ambiguous |= str_equal(mounts[i].type, "volume") &&
                             !(volume && volume->driver_config &&
                               !str_empty(volume->driver_config->name));
        }
        if (request->version >= 48 && ambiguous && !str_empty(create->host.volume_driver))
                strv_add(warnings,
                         "WARNING: the container-wide volume-driver configuration is ignored for "
                         "volumes specified via 'mount'. Use '--mount "
                         "type=volume,volume-driver=...' instead");
        return 0;
}

int on_container_create(ApiRequest *request, Error *err) {
        _cleanup_(container_create_done) ContainerCreate create = { 0 };
        _cleanup_free_ char *id = NULL;
        _cleanup_strv_ char **warnings = NULL;
        _cleanup_buf_ Buf rest = { 0 };
        int r = read_create(request, &create, err);

        if (r < 0)
                return r;
        r = check_version(request, &create, &warnings, err);
        if (r < 0)
                return r;
        EndpointSettings *endpoints = create.endpoints.items;
        for (size_t i = 0; request->version < 48 && i < create.endpoints.count; i++)
                endpoints[i].gw_priority = 0;
        normalise(&create.host);
        if (request->version < 40 && str_empty(create.host.ipc_mode))
                str_replace(&create.host.ipc_mode, "shareable"); /* the default, until 1.40 */
        create.shallow_read_only = request->version < 44;
        create.ipv6_optional = request->version < 44; /* later ones refuse it, as dockerd 25 does */
        if (create.config.health && request->version < 44)
                create.config.health->start_interval = 0; /* it came with 1.44 */
        r = engine_container_create(request->engine, api_query(request, "name"),
                                    api_query(request, "platform"), &create, &id, &warnings, err);
        if (r < 0)
                return r;
        add_warnings(&rest, warnings);
        return api_answer_id(request, id, rest.data);
}

int on_container_inspect(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_container_inspect(request->engine, api_name(request),
                                         api_flag(request, "size"), &json, err);

        if (r == 0 && request->version < 45)
                r = version_edit(NULL, 0, request->version, version_aliases, &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_container_top(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_container_top(request->engine, api_name(request),
                                     api_query(request, "ps_args"), &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_container_changes(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_container_changes(request->engine, api_name(request), &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

/* Docker's client sends null; who sends a configuration wants it merged. */
static int refuse_body(ApiRequest *request, Error *err) {
        _cleanup_json_ json_object *body = NULL;
        int r = api_body_any(request, &body, err);

        if (r < 0 || !body || json_object_object_length(body) == 0)
                return r;
        return error_kind(err, ERROR_UNSUPPORTED,
                          "commit with a configuration in the request's body is not supported by "
                          "brig yet: give Dockerfile instructions as 'changes'");
}

int on_commit(ApiRequest *request, Error *err) {
        const char *repository = api_query(request, "repo");
        _cleanup_strv_ char **changes = http_query_all(&request->query, "changes");
        _cleanup_free_ char *name = str_empty(repository)
                                            ? NULL
                                            : api_image_name(repository, api_query(request, "tag"));
        const CommitOptions options = {
                .container = api_query(request, "container"),
                .name = name,
                .comment = api_query(request, "comment"),
                .author = api_query(request, "author"),
                .changes = changes,
                .pause = http_query_bool(&request->query, "pause", true),
        };
        _cleanup_free_ char *id = NULL;
        int r = refuse_body(request, err);

        if (r == 0 && str_empty(options.container))
                r = error_kind(err, ERROR_INVALID, "give the container to commit: 'container'");
        if (r == 0)
                r = engine_container_commit(request->engine, &options, &id, err);
        return r < 0 ? r : api_answer_id(request, id, "");
}

int on_container_start(ApiRequest *request, Error *err) {
        const CheckpointPlace place = { api_query(request, "checkpoint"),
                                        api_query(request, "checkpoint-dir") };
        int r;

        /* Before API 1.24 a host configuration could come along. */
        if (request->head->length > 7)
                return error_kind(err, ERROR_INVALID,
                                  "starting container with non-empty request body was deprecated "
                                  "since API v1.22 and removed in v1.24");
        r = engine_container_start(request->engine, api_name(request),
                                   str_empty(place.name) ? NULL : &place, err);
        return api_answer_done(request, r);
}

typedef int (*StopCall)(Engine *engine, const char *ref, const char *signal,
                        const int64_t *timeout_s, int cancel_fd, Error *err);

static int stop_by(ApiRequest *request, StopCall call, Error *err) {
        int64_t timeout = 0;
        int r = http_query_int(&request->query, "t", &timeout, err);

        if (r < 0)
                return r;
        r = call(request->engine, api_name(request), api_query(request, "signal"),
                 str_empty(api_query(request, "t")) ? NULL : &timeout,
                 http_request_socket(request->exchange), err);
        return api_answer_done(request, r);
}

int on_container_stop(ApiRequest *request, Error *err) {
        return stop_by(request, engine_container_stop, err);
}

int on_container_restart(ApiRequest *request, Error *err) {
        return stop_by(request, engine_container_restart, err);
}

int on_container_kill(ApiRequest *request, Error *err) {
        int r = engine_container_kill(request->engine, api_name(request),
                                      api_query(request, "signal"), err);

        return api_answer_done(request, r);
}

int on_container_pause(ApiRequest *request, Error *err) {
        return api_answer_done(request,
                               engine_container_pause(request->engine, api_name(request), err));
}

int on_container_unpause(ApiRequest *request, Error *err) {
        return api_answer_done(request,
                               engine_container_unpause(request->engine, api_name(request), err));
}

int on_container_rename(ApiRequest *request, Error *err) {
        int r = engine_container_rename(request->engine, api_name(request),
                                        api_query(request, "name") ?: "", err);

        return api_answer_done(request, r);
}

int on_container_update(ApiRequest *request, Error *err) {
        _cleanup_(container_update_done) ContainerUpdate update = { 0 };
        _cleanup_json_ json_object *body = NULL;
        _cleanup_buf_ Buf json = { 0 };
        int r = api_body_any(request, &body, err);

        if (r >= 0)
                r = container_update_read(body, &update, err);
        if (request->version < 40) /* it came to updates with 1.40 */
                free(TAKE_PTR(update.limits.pids_limit));
        if (r >= 0)
                r = engine_container_update(request->engine, api_name(request), &update, err);
        if (r < 0)
                return r;
        buf_add_str(&json, "{\"Warnings\":null}");
        return api_answer(request, 200, &json);
}

int api_size(const ApiRequest *request, int *ret_width, int *ret_height, Error *err) {
        static const char *const names[] = { "w", "h" };
        int64_t sizes[2] = { 0 };

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                int r = http_query_int(&request->query, names[i], &sizes[i], err);

                if (r < 0)
                        return r;
                if (sizes[i] < 0 || sizes[i] > USHRT_MAX)
                        return error_kind(err, ERROR_INVALID,
                                          "%s: a terminal's size lies between 0 and %d", names[i],
                                          USHRT_MAX);
        }
        *ret_width = (int)sizes[0];
        *ret_height = (int)sizes[1];
        return 0;
}

int on_container_resize(ApiRequest *request, Error *err) {
        int width = 0, height = 0, r = api_size(request, &width, &height, err);

        if (r < 0)
                return r;
        r = engine_container_resize(request->engine, api_name(request), width, height, err);
        return r < 0 ? r : api_answer_empty(request, 200);
}

int on_container_remove(ApiRequest *request, Error *err) {
        int r;

        if (api_flag(request, "link")) /* "name/alias" is another path */
                return error_kind(err, ERROR_CONFLICT,
                                  "Conflict, cannot remove the default link name of the container");
        r = engine_container_remove(request->engine, api_name(request), api_flag(request, "force"),
                                    api_flag(request, "v"), err);
        return api_answer_done(request, r);
}

int on_link_remove(ApiRequest *request, Error *err) {
        const char *alias = request->captures[1];

        if (!api_flag(request, "link"))
                return error_kind(err, ERROR_NOT_FOUND, "No such container: %s/%s",
                                  api_name(request), alias);
        return api_answer_done(request,
                               engine_link_remove(request->engine, api_name(request), alias, err));
}

int on_container_prune(ApiRequest *request, Error *err) {
        return api_prune(request, engine_container_prune, err);
}
