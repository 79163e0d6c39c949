/* fake-engine.c: an engine for the tests of the API: it knows the container "c", the image "i" and
 * nothing else, notes what it was asked for, and does nothing. */
#include <errno.h>
#include <unistd.h>

#include "api/fake-engine.h"
#include "base/fd.h"

char fake_asked[1024];

#define note(...) (void)snprintf(fake_asked, sizeof(fake_asked), __VA_ARGS__)

static int known(const char *ref, Error *err) {
        if (str_equal(ref, "c"))
                return 0;
        return error_kind(err, ERROR_NOT_FOUND, "No such container: %s", ref);
}

static int document(int r, Buf *json, const char *text) {
        if (r >= 0)
                buf_add_str(json, text);
        return r;
}

int engine_container_create(Engine *engine, const char *name, const char *platform,
                            const ContainerCreate *create, char **ret_id, char ***warnings,
                            Error *err) {
        note("create %s %s %s", name ?: "-", create->config.image,
             create->host.network_mode ?: "-");
        if (!str_equal(create->config.image, "i"))
                return error_kind(err, ERROR_NOT_FOUND, "No such image: %s", create->config.image);
        *ret_id = str_copy("abc");
        strv_add(warnings, "a \"warning\"");
        return 0;
}

int engine_container_start(Engine *engine, const char *ref, const CheckpointPlace *checkpoint,
                           Error *err) {
        if (checkpoint)
                note("start %s from %s/%s", ref, checkpoint->directory ?: "", checkpoint->name);
        else
                note("start %s", ref);
        return str_equal(ref, "running") ? ENGINE_UNCHANGED : known(ref, err);
}

int engine_checkpoint_create(Engine *engine, const char *ref, const CheckpointCreate *create,
                             Error *err) {
        note("checkpoint %s %s/%s%s", ref, create->directory ?: "", create->id ?: "-",
             create->exit ? " exit" : "");
        return known(ref, err);
}

int engine_checkpoint_list(Engine *engine, const char *ref, const char *directory, Buf *json,
                           Error *err) {
        note("checkpoints %s %s", ref, directory ?: "-");
        buf_add_str(json, "[{\"Name\":\"one\"}]");
        return known(ref, err);
}

int engine_checkpoint_remove(Engine *engine, const char *ref, const CheckpointPlace *place,
                             Error *err) {
        note("remove checkpoint %s %s/%s", ref, place->directory ?: "", place->name);
        return known(ref, err);
}

static int noted_stop(const char *what, const char *ref, const char *signal, const int64_t *timeout,
                      Error *err) {
        note("%s %s %s %lld", what, ref, signal ?: "-", timeout ? (long long)*timeout : -100);
        return known(ref, err);
}

int engine_container_stop(Engine *engine, const char *ref, const char *signal,
                          const int64_t *timeout_s, int cancel_fd, Error *err) {
        (void)cancel_fd;
        return noted_stop("stop", ref, signal, timeout_s, err);
}

int engine_container_restart(Engine *engine, const char *ref, const char *signal,
                             const int64_t *timeout_s, int cancel_fd, Error *err) {
        (void)cancel_fd;
        return noted_stop("restart", ref, signal, timeout_s, err);
}

int engine_container_kill(Engine *engine, const char *ref, const char *signal, Error *err) {
        note("kill %s %s", ref, signal ?: "-");
        return known(ref, err);
}

int engine_container_remove(Engine *engine, const char *ref, bool force, bool volumes, Error *err) {
        note("remove %s %d %d", ref, force, volumes);
        return known(ref, err);
}

int engine_container_pause(Engine *engine, const char *ref, Error *err) {
        return known(ref, err);
}

int engine_container_unpause(Engine *engine, const char *ref, Error *err) {
        return known(ref, err);
}

int engine_container_rename(Engine *engine, const char *ref, const char *name, Error *err) {
        note("rename %s %s", ref, name);
        return error_kind(err, ERROR_CONFLICT, "the name \"%s\" is taken", name);
}

int engine_container_update(Engine *engine, const char *ref, const ContainerUpdate *update,
                            Error *err) {
        json_object *document = container_update_write(update);

        note("update %s %s", ref, json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN));
        (void)json_object_put(document);
        return known(ref, err);
}

int engine_container_stats(Engine *engine, const char *ref, const StatsOptions *options,
                           StatsSink sink, void *data, int cancel_fd, Error *err) {
        int r = known(ref, err);

        note("stats %s %d %d", ref, options->stream, options->one_shot);
        for (int i = 0; r == 0 && i < (options->stream ? 2 : 1); i++)
                r = sink(data, "{\"read\":1}");
        return r;
}

int engine_container_resize(Engine *engine, const char *ref, int width, int height, Error *err) {
        note("resize %s %d %d", ref, width, height);
        return known(ref, err);
}

int engine_wait_begin(Engine *engine, const char *ref, WaitCondition condition, EngineWait **ret,
                      Error *err) {
        note("wait %s %d", ref, (int)condition);
        *ret = NULL;
        return known(ref, err);
}

int engine_wait_end(EngineWait *wait, int cancel_fd, int64_t *ret_exit_code, char **ret_error,
                    Error *err) {
        *ret_exit_code = 42;
        return 0;
}

int engine_container_inspect(Engine *engine, const char *ref, bool size, Buf *json, Error *err) {
        note("inspect %s %d", ref, size);
        return document(known(ref, err), json, "{\"Id\":\"abc\"}");
}

int engine_container_list(Engine *engine, const ListOptions *options, Buf *json, Error *err) {
        char *const *names = filters_get(options->filters, "name");

        note("list %d %d %lld %s%s", options->all, options->size, (long long)options->limit,
             names ? names[0] : "-", options->annotations ? "" : " plain");
        if (names && str_equal(names[0], "parts")) {
                buf_add_str(json, "[1,");
                int r = options->take(options->data, json);

                buf_clear(json);
                if (r == 0)
                        buf_add_str(json, "2]");
                return r;
        }
        return document(0, json, "[]");
}

int engine_container_top(Engine *engine, const char *ref, const char *ps_args, Buf *json,
                         Error *err) {
        note("top %s %s", ref, ps_args ?: "-");
        return document(known(ref, err), json, "{}");
}

int engine_container_logs_check(Engine *engine, const char *ref, bool *ret_tty, Error *err) {
        *ret_tty = str_equal(ref, "tty");
        return *ret_tty ? 0 : known(ref, err);
}

int engine_container_logs(Engine *engine, const char *ref, const LogOptions *options, LogSink sink,
                          void *data, int cancel_fd, Error *err) {
        note("logs %s %d%d%d%d %lld %lld %lld", ref, options->follow, options->stdout_,
             options->stderr_, options->timestamps, (long long)options->since,
             (long long)options->until, (long long)options->tail);
        if (sink(data, 1, "out\n", 4) < 0 || sink(data, 2, "err\n", 4) < 0)
                return -EPIPE;
        return error_kind(err, ERROR_INTERNAL, "the log is damaged");
}

int engine_container_logs_clear(Engine *engine, const char *ref, Error *err) {
        note("logs clear %s", ref);
        return known(ref, err);
}

int engine_container_attach_check(Engine *engine, const char *ref, bool *ret_tty, Error *err) {
        return engine_container_logs_check(engine, ref, ret_tty, err);
}

int engine_container_attach(Engine *engine, const char *ref, const AttachOptions *options,
                            int client_fd, Error *err) {
        note("attach %s %d%d%d%d%d %s %.*s", ref, options->logs, options->stream, options->stdin_,
             options->stdout_, options->stderr_, options->detach_keys ?: "-",
             (int)options->early_length, options->early ? (const char *)options->early : "");
        if (options->ready(options->ready_data, err) < 0)
                return -EPIPE;
        return fd_write_full(client_fd, "attached", 8);
}

int engine_link_remove(Engine *engine, const char *ref, const char *alias, Error *err) {
        note("unlink %s %s", ref, alias);
        return known(ref, err);
}

int engine_exec_create(Engine *engine, const char *ref, const ExecConfig *config, char **ret_id,
                       Error *err) {
        *ret_id = str_copy("e");
        return known(ref, err);
}

int engine_exec_start_check(Engine *engine, const char *id, Error *err) {
        return str_equal(id, "e")
                       ? 0
                       : error_kind(err, ERROR_NOT_FOUND, "No such exec instance: %s", id);
}

int engine_exec_start(Engine *engine, const char *id, const AttachOptions *options, int client_fd,
                      int width, int height, Error *err) {
        note("exec %s %d %d %d", id, client_fd >= 0, width, height);
        return client_fd < 0 ? 0 : error_kind(err, ERROR_INVALID, "no such file");
}

int engine_exec_inspect(Engine *engine, const char *id, Buf *json, Error *err) {
        return document(0, json, "{}");
}

int engine_check(Engine *engine, const CheckSink *sink, bool contents, Error *err) {
        const CheckFinding finding = { .kind = (char *)"blob",
                                       .name = (char *)"b",
                                       .size = 7,
                                       .repairable = true,
                                       .repaired = sink->repair };
        int r = contents ? sink->progress(sink->data, "blobs", 1, 2) : 0;

        return r < 0 ? r : sink->found(sink->data, &finding);
}

int engine_exec_list(Engine *engine, const char *container, bool all, Buf *json, Error *err) {
        note("execs %s %d", container ?: "-", all);
        buf_add_str(json, "[]");
        return 0;
}

int engine_exec_kill(Engine *engine, const char *ref, const char *signal, Error *err) {
        note("exec kill %s %s", ref, signal ?: "-");
        return str_equal(ref, "ended") ? ENGINE_UNCHANGED : 0;
}

int engine_exec_resize(Engine *engine, const char *id, int width, int height, Error *err) {
        return 0;
}

int engine_image_pull(Engine *engine, const char *name, const char *platform,
                      const RegistryAuth *auth, ImageProgressFn progress, void *data, Error *err) {
        note("pull %s %s %s", name, platform ?: "-", auth->username ?: "-");
        if (str_equal(name, "nothing:latest"))
                return error_kind(err, ERROR_NOT_FOUND, "no such repository");
        (void)progress(data, &(ImageProgress){ .id = "latest", .status = "Pulling from x" });
        (void)progress(data, &(ImageProgress){ "aa", "Downloading", 1500, 3000 });
        (void)progress(data, &(ImageProgress){ NULL, "Status: done", 0, 0 });
        return str_equal(name, "i:latest") ? 0
                                           : error_kind(err, ERROR_INTERNAL, "the disk is full");
}

int engine_image_pull_tags(Engine *engine, const char *repository, const char *platform,
                           const RegistryAuth *auth, ImageProgressFn progress, void *data,
                           Error *err) {
        note("pull all %s %s %s", repository, platform ?: "-", auth->username ?: "-");
        (void)progress(data, &(ImageProgress){ NULL, "Status: done", 0, 0 });
        return 0;
}

static void read_archive(int fd) {
        Buf buf = { 0 };
        int r = fd_read_all(fd, 1000, &buf);

        note("archive %d %s", r, buf.data ?: "");
        buf_done(&buf);
}

int engine_image_load(Engine *engine, int fd, const char *platform, ImageProgressFn progress,
                      void *data, char ***loaded, Error *err) {
        read_archive(fd);
        if (strstr(fake_asked, "bad"))
                return error_kind(err, ERROR_INVALID, "this is no archive");
        strv_format(loaded, "Loaded image: i:%s", platform ?: "latest");
        return 0;
}

int engine_image_remove_platforms(Engine *engine, const char *ref, char *const *platforms,
                                  bool force, Buf *json, Error *err) {
        note("remove %s of %s %s %d", ref, platforms[0], platforms[1] ?: "-", force);
        buf_add_str(json, "[]");
        return 0;
}

int engine_image_save(Engine *engine, char *const *refs, const char *platform, int fd, Error *err) {
        note("save %s %s%s%s", refs[0], refs[1] ?: "-", platform ? " " : "", platform ?: "");
        if (str_equal(refs[0], "nothing"))
                return error_kind(err, ERROR_NOT_FOUND, "No such image: nothing");
        if (fd_write_full(fd, "archive", 7) < 0)
                return -EPIPE;
        return str_equal(refs[0], "half") ? error_kind(err, ERROR_INTERNAL, "a blob is missing")
                                          : 0;
}

/* ---- copies: "/half" breaks off ---- */

struct EngineCopy {
        bool half;
};

void copy_stat_done(CopyStat *stat) {
        free(stat->name);
        free(stat->link);
}

int engine_copy_stat(Engine *engine, const char *ref, const char *path, int cancel_fd,
                     CopyStat *ret, Error *err) {
        note("stat %s %s", ref, path);
        if (str_equal(path, "/none"))
                return error_kind(err, ERROR_NOT_FOUND,
                                  "Could not find the file %s in container %s", path, ref);
        *ret = (CopyStat){ .name = str_copy("a\"b"),
                           .link = str_equal(path, "/link") ? str_copy("/x") : NULL,
                           .size = 5,
                           .mode = str_equal(path, "/link") ? 0120777 : 0107644,
                           .time = str_equal(path, "/1970") ? 0 : 1500000000 };
        return known(ref, err);
}

int engine_copy_out(Engine *engine, const char *ref, const char *path, int cancel_fd,
                    CopyStat *ret_stat, int *ret_fd, EngineCopy **ret, Error *err) {
        int ends[2], r = engine_copy_stat(engine, ref, path, cancel_fd, ret_stat, err);

        if (r < 0)
                return r;
        if (pipe(ends) < 0 || fd_write_full(ends[1], "archive", 7) < 0)
                return -EPIPE;
        (void)close(ends[1]);
        *ret_fd = ends[0];
        *ret = NEW(EngineCopy);
        (*ret)->half = str_equal(path, "/half");
        return 0;
}

int engine_copy_out_end(EngineCopy *copy, Error *err) {
        return copy->half ? error_kind(err, ERROR_INTERNAL, "a file became shorter") : 0;
}

EngineCopy *engine_copy_free(EngineCopy *copy) {
        free(copy);
        return NULL;
}

int engine_copy_in(Engine *engine, const char *ref, const CopyInOptions *options, int input_fd,
                   int cancel_fd, Error *err) {
        Buf buf = { 0 };
        int r = fd_read_all(input_fd, 1000, &buf);

        note("in %s %s %d %d %d %s", ref, options->path, options->keep_types, options->as_user, r,
             buf.data ?: "");
        buf_done(&buf);
        return known(ref, err);
}

int engine_container_changes(Engine *engine, const char *ref, Buf *json, Error *err) {
        note("changes %s", ref);
        return document(0, json, "null");
}

int engine_container_export(Engine *engine, const char *ref, int fd, Error *err) {
        note("export %s", ref);
        if (str_equal(ref, "nothing"))
                return error_kind(err, ERROR_NOT_FOUND, "No such container: nothing");
        return fd_write_full(fd, "root", 4);
}

int engine_container_commit(Engine *engine, const CommitOptions *options, char **ret_id,
                            Error *err) {
        note("commit %s %s %d", options->container, options->name ?: "-", options->pause);
        *ret_id = str_format("sha256:%s", options->changes ? options->changes[0] : "-");
        return 0;
}

int engine_image_import(Engine *engine, int fd, const char *name, const char *message,
                        char *const *changes, char **ret_id, Error *err) {
        read_archive(fd);
        *ret_id = str_format("sha256:%s:%s:%s", name ?: "-", message ?: "-", changes[1]);
        return 0;
}

int engine_image_tag(Engine *engine, const char *source, const char *target, Error *err) {
        note("tag %s %s", source, target);
        return 0;
}

int engine_image_remove(Engine *engine, const char *ref, bool force, bool no_prune, Buf *json,
                        Error *err) {
        note("rmi %s %d %d", ref, force, no_prune);
        return document(0, json, "[]");
}

int engine_image_list(Engine *engine, const ImageListOptions *options, Buf *json, Error *err) {
        note("images %d %d %d", options->all, options->shared_size, options->containers);
        return document(0, json, "[]");
}

int engine_image_inspect(Engine *engine, const char *ref, const char *platform, Buf *json,
                         Error *err) {
        note("image %s%s%s", ref, platform ? " " : "", platform ?: "");
        return document(0, json, "{}");
}

int engine_image_explore(Engine *engine, const char *ref, ExploreLineSink sink, void *data,
                         Error *err) {
        const char *file = "{\"File\":{\"Path\":\"a\",\"Layer\":0}}";
        int r = str_equal(ref, "i") || str_equal(ref, "long")
                        ? 0
                        : error_kind(err, ERROR_NOT_FOUND, "No such image: %s", ref);

        for (size_t i = 0; r == 0 && i < (str_equal(ref, "long") ? 4000 : 1); i++)
                r = sink(data, file);
        if (r == 0 && str_equal(ref, "long"))
                return error_kind(err, ERROR_INTERNAL, "the disk is \"gone\"");
        return r == 0 ? sink(data, "{\"Summary\":{}}") : r;
}

int engine_image_history(Engine *engine, const char *ref, const char *platform, Buf *json,
                         Error *err) {
        note("history %s%s%s", ref, platform ? " " : "", platform ?: "");
        return document(0, json, "[]");
}

int engine_image_push_platform(Engine *engine, const char *name, const char *platform,
                               const RegistryAuth *auth, ImageProgressFn progress, void *data,
                               Error *err) {
        note("push %s %s%s%s", name, auth->username ?: "-", platform ? " " : "", platform ?: "");
        if (str_equal(name, "nothing"))
                return error_kind(err, ERROR_NOT_FOUND, "no such thing");
        (void)progress(data, &(ImageProgress){ .id = "aa", .status = "Preparing" });
        (void)progress(data, &(ImageProgress){ .aux = "{\"Tag\":\"v1\"}" });
        return str_equal(name, "i:v1") ? 0 : error_kind(err, ERROR_FORBIDDEN, "denied: no");
}

int engine_auth(Engine *engine, const char *address, const RegistryAuth *auth, char **ret_token,
                Error *err) {
        note("auth %s %s %s", address ?: "-", auth->username ?: "-", auth->password ?: "-");
        if (str_equal(auth->password, "wrong"))
                return error_kind(err, ERROR_UNAUTHORIZED, "unauthorized: incorrect");
        *ret_token = str_copy(str_equal(auth->password, "token") ? "a \"token\"" : NULL);
        return 0;
}

int engine_distribution(Engine *engine, const char *name, const RegistryAuth *auth, Buf *json,
                        Error *err) {
        note("distribution %s %s", name, auth->username ?: "-");
        return document(0, json, "{}");
}

int engine_manifest_get(Engine *engine, const char *name, bool insecure, const RegistryAuth *auth,
                        Buf *json, Error *err) {
        note("manifest %s %d %s", name, insecure, auth->username ?: "-");
        return str_equal(name, "nothing") ? error_kind(err, ERROR_UNAUTHORIZED, "no such thing")
                                          : document(0, json, "{}");
}

int engine_manifest_push(Engine *engine, const char *name, bool insecure, const ManifestPush *push,
                         const RegistryAuth *auth, char ret_digest[], Error *err) {
        note("manifest push %s %d %s %s %s", name, insecure, push->media_type, push->text,
             push->sources ? push->sources[0] : "-");
        memcpy(ret_digest, "sha256:1", 9);
        return 0;
}

int engine_image_search(Engine *engine, const char *term, int limit, const Filters *filters,
                        const RegistryAuth *auth, Buf *json, Error *err) {
        note("search %s %d %s", term, limit,
             filters_get(filters, "stars") ? filters_get(filters, "stars")[0] : "-");
        return document(0, json, "[]");
}

int engine_network_create(Engine *engine, const NetworkCreate *create, char **ret_id,
                          char **ret_warning, Error *err) {
        const IpamPoolSpec *pool = create->ipam ? create->ipam->config.items : NULL;

        note("network %s %s%s%s%s%s", create->name, create->driver ?: "-", pool ? " " : "",
             pool ? pool->subnet : "", pool && pool->ip_range ? " " : "",
             pool && pool->ip_range ? pool->ip_range : "");
        *ret_id = str_copy("n");
        return 0;
}

int engine_network_list(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        return document(0, json, "[]");
}

int engine_network_inspect(Engine *engine, const char *ref, bool verbose, Buf *json, Error *err) {
        return document(0, json, "{}");
}

int engine_network_remove(Engine *engine, const char *ref, Error *err) {
        return error_kind(err, ERROR_FORBIDDEN, "%s is in use", ref);
}

int engine_network_connect(Engine *engine, const char *ref, const char *container,
                           const EndpointSettings *settings, Error *err) {
        note("connect %s %s %s%s", ref, container,
             settings && settings->ipam ? settings->ipam->ipv4_address : "-",
             settings && settings->gw_priority != 0 ? " first" : "");
        return 0;
}

int engine_network_disconnect(Engine *engine, const char *ref, const char *container, bool force,
                              Error *err) {
        note("disconnect %s %s %d", ref, container, force);
        return 0;
}

int engine_volume_create(Engine *engine, const VolumeCreate *create, Buf *json, Error *err) {
        note("volume %s", create->name ?: "-");
        return document(0, json, "{}");
}

int engine_policy_apply(Engine *engine, const char *text, size_t length, const char *namespace,
                        Buf *json, Error *err) {
        note("policies %.*s %s", (int)length, text, namespace ?: "-");
        return document(0, json, "[]");
}

int engine_policy_list(Engine *engine, const char *namespace, Buf *json, Error *err) {
        note("policies of %s", namespace ?: "-");
        return document(0, json, "[]");
}

int engine_policy_inspect(Engine *engine, const char *namespace, const char *name, Buf *json,
                          Error *err) {
        note("policy %s/%s", namespace, name);
        return document(0, json, "{}");
}

int engine_policy_remove(Engine *engine, const char *namespace, const char *name, Error *err) {
        return error_kind(err, ERROR_NOT_FOUND, "No such policy: %s/%s", namespace, name);
}

int engine_policy_table(Engine *engine, Buf *json, Error *err) {
        note("table");
        return document(0, json, "{}");
}

int engine_policy_test(Engine *engine, const char *from, const char *to, int port,
                       const char *protocol, Buf *json, Error *err) {
        note("test %s %s %d/%s", from, to, port, protocol);
        return document(0, json, "{}");
}

int engine_volume_list(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        return document(0, json, "{}");
}

int engine_volume_inspect(Engine *engine, const char *name, Buf *json, Error *err) {
        return document(0, json, "{}");
}

int engine_volume_remove(Engine *engine, const char *name, bool force, Error *err) {
        note("volume rm %s %d", name, force);
        return 0;
}

int engine_events_check(const Filters *filters, Error *err) {
        return filters_get(filters, "wrong") ? error_kind(err, ERROR_INVALID, "Invalid filter") : 0;
}

int engine_events(Engine *engine, int64_t since, int64_t until, const Filters *filters,
                  EventSink sink, void *data, int cancel_fd, Error *err) {
        note("events %lld %lld", (long long)since, (long long)until);
        return sink(data, "{\"Type\":\"container\"}");
}

/* Notes the filters that clients of prunes send. */
static int noted_prune(const char *what, const Filters *filters, Buf *json, Error *err) {
        static const char *const keys[] = { "until", "label", "label!", "dangling", "all" };
        _cleanup_buf_ Buf text = { 0 };

        if (filters_get(filters, "wrong"))
                return error_kind(err, ERROR_INVALID, "Invalid filter 'wrong'");
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                char *const *values = filters_get(filters, keys[i]);
                _cleanup_free_ char *joined = strv_join(values, ",");

                if (values)
                        buf_format(&text, " %s=%s", keys[i], joined);
        }
        note("%s prune%s", what, text.data ?: "");
        return document(0, json, "{\"SpaceReclaimed\":0}");
}

int engine_container_prune(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        return noted_prune("container", filters, json, err);
}

int engine_image_prune(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        return noted_prune("image", filters, json, err);
}

int engine_network_prune(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        return noted_prune("network", filters, json, err);
}

int engine_volume_prune(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        return noted_prune("volume", filters, json, err);
}

int engine_disk_usage(Engine *engine, char *const *types, Buf *json, Error *err) {
        _cleanup_free_ char *wanted = strv_join(types, ",");

        note("df %s", wanted);
        return document(0, json, "{\"LayersSize\":0}");
}

int engine_info(Engine *engine, Buf *json, Error *err) {
        return document(0, json, "{}");
}
