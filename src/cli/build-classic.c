/* build-classic.c: the build as any Docker daemon takes it: POST /build with an archive as its
 * body, answered with a stream of messages. For daemons that cannot be passed a descriptor. Engine
 * API 1.44, ImageBuild. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "base/fd.h"
#include "base/id.h"
#include "cli/build-options.h"
#include "cli/credentials.h"
#include "cli/specs.h"

/* ---- the archive, written by a thread while it is sent ---- */

typedef struct Producer {
        BuildSource *source;
        Pairs extra;
        int fd; /* the pipe's end to write to */
        pthread_t thread;
        int r;
        Error err;
} Producer;

static int copy_input(Producer *producer) {
        enum { CHUNK = 65536 };
        _cleanup_free_ char *data = NEW_ARRAY(char, CHUNK);
        int r = fd_write_full(producer->fd, producer->source->head.data,
                              producer->source->head.length);

        while (r == 0) {
                ssize_t got = read(STDIN_FILENO, data, CHUNK);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return error_set(&producer->err, errno, "read standard input");
                if (got == 0)
                        break;
                r = fd_write_full(producer->fd, data, (size_t)got);
        }
        return r < 0 ? error_set(&producer->err, r, "send the context") : 0;
}

static void *produce(void *data) {
        Producer *producer = data;
        BuildSource *source = producer->source;
        const BuildTar tar = { .fd = producer->fd,
                               .stop_fd = -1,
                               .dir_fd = source->dir_fd,
                               .ignore = source->ignore,
                               .ignore_length = source->ignore_length,
                               .extra = &producer->extra };
        sigset_t all;

        (void)sigemptyset(&all);
        (void)sigaddset(&all, SIGPIPE); /* a daemon that refuses early reads no further */
        (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
        producer->r = source->kind == SOURCE_ARCHIVE ? copy_input(producer)
                                                     : build_tar_write(&tar, &producer->err);
        close_fd(&producer->fd);
        return NULL;
}

/* What stands in place of the directory's own files: the Dockerfile, whatever the ignore file says,
 * and the ignore file that is in force. *ret_name: the Dockerfile's, the caller's. */
static void add_extra(const BuildSource *source, Pairs *extra, char **ret_name) {
        _cleanup_free_ char *ignore = str_copy(source->ignore);
        char random[ID_LENGTH + 1];

        if (source->below) {
                *ret_name = str_copy(source->below);
        } else {
                id_new(random);
                *ret_name = str_format(".dockerfile.%.20s", random);
                free(ignore);
                ignore = str_format("%s\n%s\n.dockerignore\n", source->ignore ?: "", *ret_name);
        }
        if (ignore)
                pairs_put(extra, ".dockerignore", ignore);
        pairs_put(extra, *ret_name, source->dockerfile);
}

static int send_with_body(Cli *cli, HttpRequest *request, const char *path, Producer *producer,
                          HttpReply **ret, Error *err) {
        _cleanup_close_ int read_fd = -1;
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set(err, errno, "pipe");
        read_fd = ends[0];
        producer->fd = ends[1];
        r = pthread_create(&producer->thread, NULL, produce, producer);
        if (r != 0) {
                close_fd(&producer->fd);
                return error_set(err, r, "start a thread");
        }
        request->body_fd = read_fd;
        request->has_body_fd = true;
        r = api_send(cli, request, path, ret, err);
        close_fd(&read_fd);
        (void)pthread_join(producer->thread, NULL);
        /* The daemon's answer says more than that it stopped reading. */
        if (producer->r < 0 && producer->r != -EPIPE) {
                *err = producer->err;
                return producer->r;
        }
        return r;
}

/* ---- the request ---- */

/* Adds {"NAME":"value"} of NAME=value words; a NAME alone has no value. */
static void add_words(char **path, const char *key, char *const *words) {
        _cleanup_json_ json_object *object = json_object_new_object();

        if (strv_length(words) == 0)
                return;
        for (; *words; words++) {
                size_t length = strcspn(*words, "=");
                _cleanup_free_ char *name = str_copy_n(*words, length);

                (void)json_object_object_add(
                        object, name,
                        json_object_new_string((*words)[length] ? *words + length + 1 : ""));
        }
        path_query(path, key, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
}

static void add_ulimits(char **path, const JsonArray *ulimits) {
        _cleanup_json_ json_object *array = json_object_new_array();

        if (ulimits->count == 0)
                return;
        for (size_t i = 0; i < ulimits->count; i++)
                (void)json_object_array_add(
                        array, json_write(&ulimit_table, (const Ulimit *)ulimits->items + i));
        path_query(path, "ulimits", json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN));
}

static void add_optional(char **path, const char *key, const char *value) {
        if (!str_empty(value))
                path_query(path, key, value);
}

static void add_limits(char **path, const BuildOptions *options) {
        const struct {
                const char *key;
                int64_t value;
        } numbers[] = {
                { "shmsize", options->shm_size },     { "memory", options->memory },
                { "memswap", options->memory_swap },  { "cpushares", options->cpu_shares },
                { "cpuperiod", options->cpu_period }, { "cpuquota", options->cpu_quota },
        };

        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                char number[24];

                (void)snprintf(number, sizeof(number), "%lld", (long long)numbers[i].value);
                if (numbers[i].value != 0)
                        path_query(path, numbers[i].key, number);
        }
        add_optional(path, "cpusetcpus", options->cpuset_cpus);
        add_optional(path, "cpusetmems", options->cpuset_mems);
        add_optional(path, "cgroupparent", options->cgroup_parent);
}

static void add_caches(char **path, char *const *names) {
        _cleanup_json_ json_object *array = json_object_new_array();

        for (; names && *names; names++)
                (void)json_object_array_add(array, json_object_new_string(*names));
        if (json_object_array_length(array) > 0)
                path_query(path, "cachefrom",
                           json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN));
}

static char *request_path(const BuildOptions *options, char *const *tags, const BuildSource *source,
                          const char *dockerfile) {
        char *path = str_copy("/build?version=1&rm=1");

        for (; tags && *tags; tags++)
                path_query(&path, "t", *tags);
        add_optional(&path, "remote", source->url);
        path_query(&path, "dockerfile", dockerfile);
        if (options->quiet)
                path_query(&path, "q", "1");
        if (options->no_cache)
                path_query(&path, "nocache", "1");
        if (options->pull)
                path_query(&path, "pull", "1");
        add_words(&path, "buildargs", options->args);
        add_words(&path, "labels", options->labels);
        add_optional(&path, "target", options->target);
        add_optional(&path, "platform", options->platforms ? options->platforms[0] : NULL);
        add_optional(&path, "networkmode", options->network);
        for (char **host = options->hosts; host && *host; host++)
                path_query(&path, "extrahosts", *host);
        add_limits(&path, options);
        add_ulimits(&path, &options->ulimits);
        add_caches(&path, options->cache_names);
        return path;
}

/* What only a request with descriptors can say. */
static int check_classic(const BuildOptions *options, const BuildSource *source, Error *err) {
        const struct {
                const char *name;
                bool given;
        } options_given[] = {
                { "--secret", options->secrets != NULL },
                { "--ssh", options->ssh != NULL },
                { "--output", options->outputs != NULL },
                { "--push", options->push },
                { "--build-context", options->contexts != NULL },
                { "--annotation", options->annotations != NULL },
                { "--allow", options->allow != NULL },
                { "--no-cache-filter", options->no_cache_filter != NULL },
                { "several of --platform", strv_length(options->platforms) > 1 },
        };

        for (size_t i = 0; i < ELEMENTS(options_given); i++)
                if (options_given[i].given)
                        return build_needs_descriptors(options_given[i].name, "leave it out",
                                                       "build with -H unix:///run/brig/brig.sock",
                                                       err);
        if (source->dockerfile && (source->kind == SOURCE_ARCHIVE || source->kind == SOURCE_URL))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "a Dockerfile on standard input needs a directory as the context "
                                  "here: download or unpack '%s' and give the directory",
                                  source->url ?: "the archive");
        return 0;
}

/* ---- the answer ---- */

typedef struct Answer {
        char *image;
        Buf last; /* quiet: what the stream said, which is the id */
        bool quiet;
} Answer;

static int take_message(Answer *answer, json_object *message, Error *err) {
        json_object *detail = json_member(message, "errorDetail");
        const char *error = json_member_string(detail, "message");
        const char *stream = json_member_string(message, "stream");
        const char *id = json_member_string(json_member(message, "aux"), "ID");

        error = error ?: json_member_string(message, "error");
        if (error)
                return error_kind(err, ERROR_INTERNAL, "%s", error);
        if (id)
                str_replace(&answer->image, id);
        if (stream && answer->quiet)
                buf_add_str(&answer->last, stream);
        else if (stream)
                (void)fputs(stream, stdout);
        else if (!answer->quiet && *json_words(message, "status") &&
                 !json_member(message, "progressDetail"))
                (void)printf("%s%s%s\n", json_words(message, "id"),
                             *json_words(message, "id") ? ": " : "", json_words(message, "status"));
        (void)fflush(stdout);
        return 0;
}

static int read_answer(HttpReply *reply, Answer *answer, Error *err) {
        _cleanup_buf_ Buf held = {};

        for (;;) {
                _cleanup_json_ json_object *message = NULL;
                int r = api_next_json(reply, &held, &message, err);

                if (r <= 0)
                        return r;
                r = take_message(answer, message, err);
                if (r < 0)
                        return r;
        }
}

static int send_build(Cli *cli, const BuildOptions *options, char *const *tags, BuildSource *source,
                      HttpReply **ret, Error *err) {
        Producer producer = { .source = source, .fd = -1 };
        _cleanup_free_ char *path = NULL, *name = NULL, *registries = credentials_all_header(cli);
        bool fetched = source->kind == SOURCE_URL;
        HttpRequest request = { .method = "POST",
                                .content_type = fetched ? NULL : "application/x-tar" };
        Pairs headers = {};
        int r;

        if (source->kind == SOURCE_DIRECTORY || source->kind == SOURCE_DOCKERFILE)
                add_extra(source, &producer.extra, &name);
        pairs_put(&headers, "X-Registry-Config", registries);
        request.headers = &headers;
        path = request_path(options, tags, source, name ?: source->name);
        r = fetched ? api_send(cli, &request, path, ret, err)
                    : send_with_body(cli, &request, path, &producer, ret, err);
        pairs_done(&headers);
        pairs_done(&producer.extra);
        return r;
}

int build_classic(Cli *cli, BuildOptions *options, char *const *tags, BuildSource *source,
                  char **ret_image, Error *err) {
        _cleanup_reply_ HttpReply *reply = NULL;
        Answer answer = { .quiet = options->quiet };
        int r = check_classic(options, source, err);

        if (r == 0)
                r = build_caches_classic(options, err);
        if (r == 0)
                r = send_build(cli, options, tags, source, &reply, err);
        if (r == 0)
                r = read_answer(reply, &answer, err);
        if (!answer.image && answer.last.length > 0)
                answer.image = str_copy(str_trim(answer.last.data));
        buf_done(&answer.last);
        if (r < 0) {
                free(answer.image);
                return r;
        }
        *ret_image = answer.image;
        return 0;
}
