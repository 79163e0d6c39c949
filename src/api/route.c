/* route.c: every path of Docker's Engine API 1.44 is here by name, those that brig does not serve
 * yet too, so that a client is told what is missing. Names of images contain slashes, and those of
 * networks may. */
#include "api/route.h"

#define GET HTTP_GET
#define HEAD HTTP_HEAD
#define POST HTTP_POST
#define PUT HTTP_PUT
#define DELETE HTTP_DELETE

static const Route routes[] = {
        { GET, "/_ping", on_ping, NULL },
        { GET, "/version", on_version, NULL },
        { GET, "/info", on_info, NULL },
        { GET, "/events", on_events, NULL },
        { GET, "/system/df", on_disk_usage, NULL },
        { POST, "/auth", on_auth, NULL },

        { GET, "/containers/json", on_container_list, NULL },
        { POST, "/containers/create", on_container_create, NULL },
        { POST, "/containers/prune", on_container_prune, NULL },
        { GET, "/containers/{id}/json", on_container_inspect, NULL },
        { GET, "/containers/{id}/top", on_container_top, NULL },
        { GET, "/containers/{id}/logs", on_container_logs, NULL },
        { POST, "/containers/{id}/logs/clear", on_container_logs_clear, NULL }, /* brig's own */
        { GET, "/containers/{id}/changes", on_container_changes, NULL },
        { GET, "/containers/{id}/export", on_container_export, NULL },
        { GET, "/containers/{id}/stats", on_container_stats, NULL },
        { GET, "/containers/{id}/attach/ws", on_container_attach_ws, NULL },
        { GET, "/containers/{id}/archive", on_archive_get, NULL },
        { HEAD, "/containers/{id}/archive", on_archive_stat, NULL },
        { PUT, "/containers/{id}/archive", on_archive_put, NULL },
        { GET, "/containers/{id}/checkpoints", on_checkpoint_list, NULL },
        { POST, "/containers/{id}/checkpoints", on_checkpoint_create, NULL },
        { DELETE, "/containers/{id}/checkpoints/{name}", on_checkpoint_remove, NULL },
        { POST, "/containers/{id}/start", on_container_start, NULL },
        { POST, "/containers/{id}/stop", on_container_stop, NULL },
        { POST, "/containers/{id}/restart", on_container_restart, NULL },
        { POST, "/containers/{id}/kill", on_container_kill, NULL },
        { POST, "/containers/{id}/pause", on_container_pause, NULL },
        { POST, "/containers/{id}/unpause", on_container_unpause, NULL },
        { POST, "/containers/{id}/rename", on_container_rename, NULL },
        { POST, "/containers/{id}/resize", on_container_resize, NULL },
        { POST, "/containers/{id}/wait", on_container_wait, NULL },
        { POST, "/containers/{id}/attach", on_container_attach, NULL },
        { POST, "/containers/{id}/update", on_container_update, NULL },
        { POST, "/containers/{id}/exec", on_exec_create, NULL },
        { DELETE, "/containers/{id}", on_container_remove, NULL },
        { DELETE, "/containers/{id}/{alias}", on_link_remove, NULL },
        { POST, "/commit", on_commit, NULL },

        { POST, "/exec/{id}/start", on_exec_start, NULL },
        { POST, "/exec/{id}/resize", on_exec_resize, NULL },
        { GET, "/exec/{id}/json", on_exec_inspect, NULL },
        { GET, "/exec/json", on_exec_list, NULL },       /* brig's own */
        { POST, "/exec/{id}/kill", on_exec_kill, NULL }, /* brig's own */

        { GET, "/images/json", on_image_list, NULL },
        { GET, "/images/search", on_image_search, NULL },
        { GET, "/images/get", on_image_save, NULL },
        { POST, "/images/create", on_image_create, NULL },
        { POST, "/images/load", on_image_load, NULL },
        { POST, "/images/prune", on_image_prune, NULL },
        { GET, "/images/{name*}/json", on_image_inspect, NULL },
        { GET, "/images/{name*}/history", on_image_history, NULL },
        { GET, "/images/{name*}/explore", on_image_explore, NULL }, /* brig's own */
        { GET, "/images/{name*}/get", on_image_save_one, NULL },
        { POST, "/images/{name*}/tag", on_image_tag, NULL },
        { POST, "/images/{name*}/push", on_image_push, NULL },
        { DELETE, "/images/{name*}", on_image_remove, NULL },
        { GET, "/distribution/{name*}/json", on_distribution, NULL },
        { GET, "/distribution/{name*}/manifest", on_manifest, NULL },       /* brig's own */
        { POST, "/distribution/{name*}/manifest", on_manifest_push, NULL }, /* brig's own */
        { POST, "/build", on_build, NULL },
        { POST, "/build/prune", on_build_prune, NULL },
        { GET, "/build/mounts", on_build_mounts_export, NULL },  /* brig's own */
        { POST, "/build/mounts", on_build_mounts_import, NULL }, /* brig's own */
        { POST, "/build/cancel", on_unsupported,
          "ending a build by its id (it ends with its client's connection)" },
        { POST, "/session", on_unsupported, "BuildKit sessions" },
        { POST, "/grpc", on_unsupported, "BuildKit" },

        { GET, "/networks", on_network_list, NULL },
        { GET, "/networks/", on_network_list, NULL },
        { POST, "/networks/create", on_network_create, NULL },
        { POST, "/networks/prune", on_network_prune, NULL },
        { GET, "/networks/{id*}", on_network_inspect, NULL },
        { POST, "/networks/{id*}/connect", on_network_connect, NULL },
        { POST, "/networks/{id*}/disconnect", on_network_disconnect, NULL },
        { DELETE, "/networks/{id*}", on_network_remove, NULL },

        /* brig's own */
        { POST, "/brig/check", on_check, NULL },
        { GET, "/brig/policies", on_policy_list, NULL },
        { POST, "/brig/policies", on_policy_apply, NULL },
        { GET, "/brig/policies/test", on_policy_test, NULL },
        { GET, "/brig/policies/{namespace}/{name}", on_policy_inspect, NULL },
        { DELETE, "/brig/policies/{namespace}/{name}", on_policy_remove, NULL },

        { GET, "/volumes", on_volume_list, NULL },
        { POST, "/volumes/create", on_volume_create, NULL },
        { POST, "/volumes/prune", on_volume_prune, NULL },
        { GET, "/volumes/{name}", on_volume_inspect, NULL },
        { PUT, "/volumes/{name}", on_no_swarm, NULL },
        { DELETE, "/volumes/{name}", on_volume_remove, NULL },

        { POST, "/swarm/init", on_unsupported, "swarm" },
        { POST, "/swarm/join", on_unsupported, "swarm" },
        { POST, "/swarm/leave", on_no_swarm, "This node is not part of a swarm" },
        { GET, "/swarm/{rest*}", on_no_swarm, NULL },
        { POST, "/swarm/{rest*}", on_no_swarm, NULL },
        { GET, "/swarm", on_no_swarm, NULL },
        { GET, "/nodes", on_no_swarm, NULL },
        { GET, "/nodes/{rest*}", on_no_swarm, NULL },
        { POST, "/nodes/{rest*}", on_no_swarm, NULL },
        { DELETE, "/nodes/{rest*}", on_no_swarm, NULL },
        { GET, "/services", on_no_swarm, NULL },
        { GET, "/services/{rest*}", on_no_swarm, NULL },
        { POST, "/services/{rest*}", on_no_swarm, NULL },
        { DELETE, "/services/{rest*}", on_no_swarm, NULL },
        { GET, "/tasks", on_no_swarm, NULL },
        { GET, "/tasks/{rest*}", on_no_swarm, NULL },
        { GET, "/secrets", on_no_swarm, NULL },
        { GET, "/secrets/{rest*}", on_no_swarm, NULL },
        { POST, "/secrets/{rest*}", on_no_swarm, NULL },
        { DELETE, "/secrets/{rest*}", on_no_swarm, NULL },
        { GET, "/configs", on_no_swarm, NULL },
        { GET, "/configs/{rest*}", on_no_swarm, NULL },
        { POST, "/configs/{rest*}", on_no_swarm, NULL },
        { DELETE, "/configs/{rest*}", on_no_swarm, NULL },

        { GET, "/plugins", on_plugin_list, NULL },
        { GET, "/plugins/privileges", on_unsupported, "installing plugins" },
        { POST, "/plugins/pull", on_unsupported, "installing plugins" },
        { POST, "/plugins/create", on_unsupported, "installing plugins" },
        { GET, "/plugins/{name*}/json", on_no_plugin, NULL },
        { POST, "/plugins/{name*}/enable", on_no_plugin, NULL },
        { POST, "/plugins/{name*}/disable", on_no_plugin, NULL },
        { POST, "/plugins/{name*}/set", on_no_plugin, NULL },
        { POST, "/plugins/{name*}/push", on_no_plugin, NULL },
        { POST, "/plugins/{name*}/upgrade", on_no_plugin, NULL },
        { DELETE, "/plugins/{name*}", on_no_plugin, NULL },
};

int on_unsupported(ApiRequest *request, Error *err) {
        return error_kind(err, ERROR_UNSUPPORTED, "%s is not supported by brig yet",
                          request->route->what);
}

int on_no_swarm(ApiRequest *request, Error *err) {
        return error_kind(err, ERROR_UNAVAILABLE, "%s",
                          request->route->what
                                  ?: "This node is not a swarm manager. Use \"docker swarm init\" "
                                     "or \"docker swarm join\" to connect this node to swarm and "
                                     "try again.");
}

/* There are none: none can be installed. */
int on_plugin_list(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };

        (void)err;
        buf_add_str(&json, "[]");
        return api_answer(request, 200, &json);
}

int on_no_plugin(ApiRequest *request, Error *err) {
        return error_kind(err, ERROR_NOT_FOUND, "plugin \"%s\" not found", api_name(request));
}

static void free_captures(char *captures[API_CAPTURES]) {
        for (size_t i = 0; i < API_CAPTURES; i++) {
                free(captures[i]);
                captures[i] = NULL;
        }
}

/* How many bytes {…} takes from path, or 0 if it cannot match. `rest` is the pattern behind it. */
static size_t capture_length(const char *path, const char *rest, bool slashes) {
        size_t length = strlen(path), tail = strlen(rest);

        if (!slashes)
                return strcspn(path, "/");
        /* A {name*} is the last of its pattern: what follows it is plain text at the path's end. */
        return length > tail && strcmp(path + length - tail, rest) == 0 ? length - tail : 0;
}

bool route_match(const char *pattern, const char *path, char *captures[API_CAPTURES]) {
        size_t count = 0;

        memset(captures, 0, sizeof(captures[0]) * API_CAPTURES);
        while (*pattern) {
                const char *end;
                size_t length;

                if (*pattern != '{') {
                        if (*pattern != *path)
                                break;
                        pattern++;
                        path++;
                        continue;
                }
                end = strchr(pattern, '}');
                length = capture_length(path, end + 1, end[-1] == '*');
                if (length == 0 || count == API_CAPTURES)
                        break;
                captures[count++] = str_copy_n(path, length);
                path += length;
                pattern = end + 1;
        }
        if (!*pattern && !*path)
                return true;
        free_captures(captures);
        return false;
}

static const Route *find(HttpMethod method, const char *path, char *captures[API_CAPTURES]) {
        for (size_t i = 0; i < ELEMENTS(routes); i++)
                if (routes[i].method == method && route_match(routes[i].pattern, path, captures))
                        return &routes[i];
        return NULL;
}

const Route *route_find(HttpMethod method, const char *path, char *captures[API_CAPTURES]) {
        const Route *route = find(method, path, captures);

        return route || method != HTTP_HEAD ? route : find(HTTP_GET, path, captures);
}

static bool read_number(const char **text, int *ret) {
        const char *digits = *text;
        size_t length = strspn(digits, "0123456789");

        if (length == 0 || length > 6)
                return false;
        *ret = 0;
        for (size_t i = 0; i < length; i++)
                *ret = *ret * 10 + (digits[i] - '0');
        *text += length;
        return true;
}

bool route_version(const char **path, int *major, int *minor) {
        const char *text = *path + 2;

        *minor = -1;
        if (strncmp(*path, "/v", 2) != 0 || *text < '0' || *text > '9')
                return true;
        if (!read_number(&text, major))
                return false;
        *minor = 0;
        if (*text == '.') {
                text++;
                if (!read_number(&text, minor))
                        return false;
        }
        if (*text != '/')
                return false;
        *path = text;
        return true;
}
