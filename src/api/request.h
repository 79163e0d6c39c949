/* request.h: what the handlers share: the request as they see it, and the forms of answers. Inside
 * api only. */
#pragma once

#include "api/api.h"
#include "http/query.h"

#define API_BODY_MAX ((size_t)4 * 1024 * 1024) /* of a JSON document */
#define API_CAPTURES 2

struct Api {
        Engine *engine;
};

typedef struct ApiRequest {
        Engine *engine;
        HttpExchange *exchange;
        const HttpHead *head;
        HttpQuery query;
        int version;                  /* minor of 1.x; what the path says, else ours */
        char *captures[API_CAPTURES]; /* what stood for {…} in the path */
        const struct Route *route;
} ApiRequest;

/* 0 once the request is answered, or a negative errno with the error that is to be its answer. */
typedef int (*ApiHandler)(ApiRequest *request, Error *err);

/* The first {…} of the path. */
static inline const char *api_name(const ApiRequest *request) {
        return request->captures[0];
}

/* ---- what was asked ---- */
static inline const char *api_query(const ApiRequest *request, const char *name) {
        return http_query_get(&request->query, name);
}
static inline bool api_flag(const ApiRequest *request, const char *name) {
        return http_query_bool(&request->query, name, false);
}
/* ?filters=…; filters_done it. */
int api_filters(const ApiRequest *request, Filters *ret, Error *err);
/* A query time "sec[.nsec]" in ns; 0 where absent. */
int api_time(const ApiRequest *request, const char *name, int64_t *ret, Error *err);
/* The JSON body, the caller's reference; NULL where there is none. Demands Docker's content type
 * of it. */
int api_body_any(ApiRequest *request, json_object **ret, Error *err);
/* The same where there must be one: invalid without. */
int api_body_object(ApiRequest *request, json_object **ret, Error *err);
/* The JSON body through a table; `thing` must be zeroed and be freed with json_done in any case.
 * invalid where there is none. */
int api_body(ApiRequest *request, const JsonTable *table, void *thing, Error *err);
/* The query's terminal size, w and h in characters. */
int api_size(const ApiRequest *request, int *ret_width, int *ret_height, Error *err);
/* "name:tag", or "name@digest" where tag is one; name alone where it is empty. The caller's. */
char *api_image_name(const char *name, const char *tag);
/* The query's platform, be it Docker's JSON ({"os":"linux","architecture":"arm64"}) or
 * "os/arch[/variant]", as the latter: the caller's; NULL where absent. */
int api_platform(const ApiRequest *request, char **ret, Error *err);
/* The same of a text, which is not empty. */
int api_platform_parse(const char *text, char **ret, Error *err);
/* unsupported, naming it, where the query has a parameter that is not empty and false. */
int api_refuse_query(const ApiRequest *request, const char *name, Error *err);

/* ---- answers; each returns 0 ---- */
int api_answer(ApiRequest *request, int status, Buf *json); /* appends a newline to json */
int api_answer_empty(ApiRequest *request, int status);
/* 204, or 304 where r is ENGINE_UNCHANGED; passes an error on. */
int api_answer_done(ApiRequest *request, int r);
/* {"Id": …} and what the rest of a document adds. */
int api_answer_id(ApiRequest *request, const char *id, const char *rest);
/* {"message": …} with the status of err's kind; what a handler's error becomes. */
void api_answer_error(ApiRequest *request, const Error *err);
int api_status_of(ErrorKind kind);

/* ---- what several handlers are ---- */
/* POST /…/prune: the filters to the engine, its document back. */
typedef int (*PruneCall)(Engine *engine, const Filters *filters, Buf *json, Error *err);
int api_prune(ApiRequest *request, PruneCall prune, Error *err);

/* ---- handlers, by the file that has them ---- */
int on_container_list(ApiRequest *request, Error *err); /* containers.c */
int on_container_create(ApiRequest *request, Error *err);
int on_container_inspect(ApiRequest *request, Error *err);
int on_container_top(ApiRequest *request, Error *err);
int on_container_start(ApiRequest *request, Error *err);
int on_container_stop(ApiRequest *request, Error *err);
int on_container_restart(ApiRequest *request, Error *err);
int on_container_kill(ApiRequest *request, Error *err);
int on_container_pause(ApiRequest *request, Error *err);
int on_container_unpause(ApiRequest *request, Error *err);
int on_container_rename(ApiRequest *request, Error *err);
int on_container_update(ApiRequest *request, Error *err);
int on_container_resize(ApiRequest *request, Error *err);
int on_link_remove(ApiRequest *request, Error *err);
int on_container_remove(ApiRequest *request, Error *err);
int on_checkpoint_create(ApiRequest *request, Error *err); /* checkpoints.c */
int on_checkpoint_list(ApiRequest *request, Error *err);
int on_checkpoint_remove(ApiRequest *request, Error *err);
int on_container_prune(ApiRequest *request, Error *err);
int on_container_changes(ApiRequest *request, Error *err);
int on_commit(ApiRequest *request, Error *err);
int on_container_wait(ApiRequest *request, Error *err); /* streams.c */
int on_container_logs(ApiRequest *request, Error *err);
int on_container_logs_clear(ApiRequest *request, Error *err);
int on_container_attach(ApiRequest *request, Error *err);
int on_container_attach_ws(ApiRequest *request, Error *err); /* websocket.c */
int on_container_stats(ApiRequest *request, Error *err);
int on_exec_create(ApiRequest *request, Error *err); /* exec.c */
int on_exec_start(ApiRequest *request, Error *err);
int on_exec_inspect(ApiRequest *request, Error *err);
int on_check(ApiRequest *request, Error *err); /* check.c */
int on_exec_list(ApiRequest *request, Error *err);
int on_exec_kill(ApiRequest *request, Error *err);
int on_exec_resize(ApiRequest *request, Error *err);
int on_image_list(ApiRequest *request, Error *err); /* images.c */
int on_image_inspect(ApiRequest *request, Error *err);
int on_image_history(ApiRequest *request, Error *err);
int on_image_explore(ApiRequest *request, Error *err); /* explore.c */
int on_image_tag(ApiRequest *request, Error *err);
int on_image_remove(ApiRequest *request, Error *err);
int on_image_prune(ApiRequest *request, Error *err);
int on_image_create(ApiRequest *request, Error *err); /* transfer.c */
int on_image_load(ApiRequest *request, Error *err);
int on_image_save(ApiRequest *request, Error *err);
int on_image_save_one(ApiRequest *request, Error *err);
int on_build_mounts_export(ApiRequest *request, Error *err);
int on_build_mounts_import(ApiRequest *request, Error *err);
int on_container_export(ApiRequest *request, Error *err);
int on_archive_stat(ApiRequest *request, Error *err); /* archive.c */
int on_archive_get(ApiRequest *request, Error *err);
int on_archive_put(ApiRequest *request, Error *err);
int on_build(ApiRequest *request, Error *err); /* build.c */
int on_build_prune(ApiRequest *request, Error *err);
int on_image_push(ApiRequest *request, Error *err); /* registry.c */
int on_auth(ApiRequest *request, Error *err);
int on_distribution(ApiRequest *request, Error *err);
int on_manifest(ApiRequest *request, Error *err);
int on_manifest_push(ApiRequest *request, Error *err);
int on_image_search(ApiRequest *request, Error *err);
int on_network_list(ApiRequest *request, Error *err); /* networks.c */
int on_network_inspect(ApiRequest *request, Error *err);
int on_network_create(ApiRequest *request, Error *err);
int on_network_connect(ApiRequest *request, Error *err);
int on_network_disconnect(ApiRequest *request, Error *err);
int on_network_remove(ApiRequest *request, Error *err);
int on_network_prune(ApiRequest *request, Error *err);
int on_policy_apply(ApiRequest *request, Error *err); /* policies.c */
int on_policy_list(ApiRequest *request, Error *err);
int on_policy_inspect(ApiRequest *request, Error *err);
int on_policy_remove(ApiRequest *request, Error *err);
int on_policy_test(ApiRequest *request, Error *err);
int on_volume_list(ApiRequest *request, Error *err); /* volumes.c */
int on_volume_inspect(ApiRequest *request, Error *err);
int on_volume_create(ApiRequest *request, Error *err);
int on_volume_remove(ApiRequest *request, Error *err);
int on_volume_prune(ApiRequest *request, Error *err);
int on_ping(ApiRequest *request, Error *err); /* system.c */
int on_version(ApiRequest *request, Error *err);
int on_info(ApiRequest *request, Error *err);
int on_events(ApiRequest *request, Error *err);
int on_disk_usage(ApiRequest *request, Error *err);
int on_unsupported(ApiRequest *request, Error *err); /* route.c */
int on_plugin_list(ApiRequest *request, Error *err);
int on_no_plugin(ApiRequest *request, Error *err);
int on_no_swarm(ApiRequest *request, Error *err);
