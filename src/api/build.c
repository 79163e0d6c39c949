/* build.c: the calls on building: POST /build in both of its forms, and its cache. */
#include <errno.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/auth.h"
#include "api/build.h"
#include "spec/build.h"

/* The user at the other end of a Unix socket; -1: of another, which has none. */
static int64_t client_uid(const ApiRequest *request) {
        int socket_fd = http_request_socket(request->exchange);
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (http_request_origin(request->exchange) == HTTP_RELAYED)
                return -1;
        return getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                               peer.uid != (uid_t)-1
                       ? (int64_t)peer.uid
                       : -1;
}

/* Freed and closed in any case. */
static BuildRequest new_request(const ApiRequest *request) {
        BuildRequest build = { .client_uid = client_uid(request),
                               .output_uid = -1,
                               .output_gid = -1,
                               .cache_uid = -1,
                               .cache_gid = -1 };

        api_registry_auths(request, &build.auths, &build.auth_hosts);
        return build;
}

/* ---- brig's own form ---- */

/* Whether the client could write to the directories that it names for outputs and caches, and
 * connect to the agents' sockets: the daemon does, as root. */
static int check_client(int socket_fd, const BuildRequest *build, Error *err) {
        for (size_t i = 0; i < build->output_count; i++) {
                const BuildOutput *output = &build->outputs[i];

                if ((output->layout || str_equal(output->type, "local")) &&
                    peer_may(socket_fd, output->fd, W_OK | X_OK, err) < 0)
                        return error_prefix(err, "output '%s'", output->type);
        }
        for (size_t i = 0; i < build->cache_to_count; i++)
                if (build->cache_to[i].kind == BUILD_CACHE_LOCAL &&
                    peer_may(socket_fd, build->cache_to[i].dir_fd, W_OK | X_OK, err) < 0)
                        return error_prefix(err, "cache 'local'");
        for (size_t i = 0; i < build->ssh_count; i++)
                if (peer_may(socket_fd, build->ssh[i].socket_fd, W_OK, err) < 0)
                        return error_prefix(err, "ssh agent '%s'", build->ssh[i].id);
        return 0;
}

/* What is written to a directory is its sender's, who must be one who may write there. */
static int set_owner(const ApiRequest *request, BuildRequest *build, Error *err) {
        int socket_fd = http_request_socket(request->exchange);
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return error_set(err, errno, "ask who the client is");
        build->cache_uid = peer.uid;
        build->cache_gid = peer.gid;
        build->output_uid = peer.uid;
        build->output_gid = peer.gid;
        return check_client(socket_fd, build, err);
}

static int run_document(ApiRequest *request, const BuildRequest *build, Error *err) {
        _cleanup_free_ char *image = NULL;
        int r = engine_build(request->engine, build, build_progress_send, request->exchange,
                             http_request_socket(request->exchange), &image, err);

        if (r < 0 && !http_answered(request->exchange))
                return r;
        build_progress_end(request->exchange, image, r < 0 ? err : NULL);
        return 0;
}

static int build_of_document(ApiRequest *request, Error *err) {
        _cleanup_(build_request_done) BuildRequest build = new_request(request);
        _cleanup_(build_fds_done) BuildFds fds = { 0 };
        _cleanup_buf_ Buf text = { 0 };
        int r = http_request_body(request->exchange, API_BODY_MAX, &text, err);

        if (r >= 0)
                r = http_request_fds(request->exchange, fds.fds, &fds.count, err);
        if (r >= 0)
                r = build_document_read(text.data ?: "", text.length, &fds, &build, err);
        if (text.data)
                explicit_bzero(text.data, text.length); /* it has the secrets */
        build_fds_done(&fds);                           /* those that it does not name */
        if (r >= 0)
                r = set_owner(request, &build, err);
        if (r < 0)
                return r;
        return run_document(request, &build, err);
}

/* ---- Docker's form ---- */

static bool wants_removal(const ApiRequest *request) {
        const char *remove = api_query(request, "rm");

        return api_flag(request, "forcerm") || str_empty(remove) || api_flag(request, "rm");
}

static int run_classic(ApiRequest *request, const BuildRequest *build, Error *err) {
        ClassicOptions options = { .quiet = api_flag(request, "q"),
                                   .remove = wants_removal(request),
                                   .aux = request->version >= 30 };
        _cleanup_(classic_freep) ClassicBuild *classic = classic_new(request->exchange, &options);
        _cleanup_free_ char *image = NULL;
        int r = engine_build(request->engine, build, classic_send, classic,
                             http_request_socket(request->exchange), &image, err);

        return classic_end(classic, r, image, err);
}

/* The body is the context. */
static int run_with_body(ApiRequest *request, BuildRequest *build, Error *err) {
        _cleanup_close_ int tar_fd = -1;
        int dir_fd, r = http_request_body_fd(request->exchange, &tar_fd, err);

        if (r < 0)
                return r;
        r = engine_build_context(request->engine, tar_fd, &dir_fd, err);
        if (r < 0)
                return r;
        close_fd(&tar_fd);
        GROW(build->contexts, build->context_count);
        build->contexts[build->context_count++] = (BuildContext){ .name = str_copy(""),
                                                                  .dir_fd = dir_fd,
                                                                  .unpacked = true,
                                                                  .tar_fd = -1,
                                                                  .layout_fd = -1 };
        r = run_classic(request, build, err);
        build->contexts[build->context_count - 1].dir_fd = -1;
        engine_build_context_done(request->engine, dir_fd);
        return r;
}

static int build_of_query(ApiRequest *request, Error *err) {
        _cleanup_(build_request_done) BuildRequest build = new_request(request);
        int r = build_query_read(request, &build, err);

        if (r < 0)
                return r;
        return build.context_count > 0 ? run_classic(request, &build, err)
                                       : run_with_body(request, &build, err);
}

int on_build(ApiRequest *request, Error *err) {
        const char *type = http_head_get(request->head, "Content-Type");

        return type && strcasecmp(type, BUILD_DOCUMENT_TYPE) == 0 ? build_of_document(request, err)
                                                                  : build_of_query(request, err);
}

/* ---- the cache ---- */

int on_build_prune(ApiRequest *request, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        int64_t keep = 0;
        /* 1.48 gave it the other name; both count from then on, as with dockerd. */
        int r = http_query_int(&request->query, "keep-storage", &keep, err);

        if (r >= 0 && request->version >= 48)
                r = http_query_int(&request->query, "reserved-space", &keep, err);
        if (r >= 0 && request->version >= 48)
                r = api_refuse_query(request, "max-used-space", err);
        if (r >= 0 && request->version >= 48)
                r = api_refuse_query(request, "min-free-space", err);
        if (r >= 0 && keep < 0)
                r = error_kind(err, ERROR_INVALID, "keep-storage: %lld is no number of bytes",
                               (long long)keep);
        if (r >= 0)
                r = api_filters(request, &filters, err);
        if (r >= 0)
                r = engine_build_prune(request->engine, api_flag(request, "all"), keep, &filters,
                                       &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}
