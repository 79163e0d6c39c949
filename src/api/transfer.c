/* transfer.c: images that come and go: pull, import, load, save; and containers' roots: export;
 * and cache mounts. The engine moves the bytes; here they are tied to the connection, and progress
 * becomes Docker's objects. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>

#include "api/auth.h"
#include "api/stream.h"
#include "base/fd.h"
#include "engine/build.h"

#define SAVE_PIECE ((size_t)128 * 1024)
#define SAVE_STACK ((size_t)512 * 1024)

/* ---- pull ---- */

/* A name without tag and digest, and none beside it: every tag, as Docker has it. */
static bool means_all_tags(const char *name) {
        const char *last = strrchr(name, '/') ?: name;

        return !strchr(last, ':') && !strchr(last, '@');
}

static int pull(ApiRequest *request, Error *err) {
        const char *tag = api_query(request, "tag"), *platform = api_query(request, "platform");
        _cleanup_free_ char *name = NULL;
        RegistryAuth auth = { 0 };
        Progress progress = { .exchange = request->exchange };
        int r;

        name = api_image_name(api_query(request, "fromImage"), tag);
        api_registry_auth(request, &auth);
        r = means_all_tags(name) ? engine_image_pull_tags(request->engine, name, platform, &auth,
                                                          progress_send, &progress, err)
                                 : engine_image_pull(request->engine, name, platform, &auth,
                                                     progress_send, &progress, err);
        api_registry_auth_done(&auth);
        if (r < 0)
                api_registry_refused(err);
        return r < 0 ? progress_fail(&progress, r, err) : 0;
}

/* ---- import ---- */

static int import(ApiRequest *request, Error *err) {
        const char *source = api_query(request, "fromSrc");
        const char *repository = api_query(request, "repo");
        _cleanup_strv_ char **changes = NULL;
        _cleanup_free_ char *name = NULL;
        _cleanup_free_ char *id = NULL;
        _cleanup_close_ int fd = -1;
        Progress progress = { .exchange = request->exchange };
        int r;

        if (!str_equal(source, "-"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "import from '%s' is not supported by brig yet: download it and "
                                  "import the file",
                                  source);
        if (!str_empty(repository))
                name = api_image_name(repository, api_query(request, "tag"));
        changes = http_query_all(&request->query, "changes");
        r = http_request_body_fd(request->exchange, &fd, err);
        if (r < 0)
                return r;
        r = engine_image_import(request->engine, fd, name, api_query(request, "message"), changes,
                                &id, err);
        if (r < 0)
                return r;
        (void)progress_text(&progress, "status", id); /* or the client left */
        return 0;
}

int on_image_create(ApiRequest *request, Error *err) {
        int r;

        if (!str_empty(api_query(request, "fromImage")))
                r = pull(request, err);
        else if (!str_empty(api_query(request, "fromSrc")))
                r = import(request, err);
        else
                r = error_kind(err, ERROR_INVALID,
                               "give what to make the image from: 'fromImage' or 'fromSrc'");
        (void)malloc_trim(0);
        return r;
}

/* ---- load ---- */

/* Older versions do not know it, and do not look at it. */
static int archive_platform(const ApiRequest *request, char **ret, Error *err) {
        return request->version < 48 ? 0 : api_platform(request, ret, err);
}

int on_image_load(ApiRequest *request, Error *err) {
        Progress progress = { .exchange = request->exchange, .quiet = api_flag(request, "quiet") };
        _cleanup_strv_ char **loaded = NULL;
        _cleanup_free_ char *platform = NULL;
        _cleanup_close_ int fd = -1;
        int r = archive_platform(request, &platform, err);

        if (r == 0)
                r = http_request_body_fd(request->exchange, &fd, err);
        if (r < 0)
                return r;
        r = engine_image_load(request->engine, fd, platform, progress_send, &progress, &loaded,
                              err);
        close_fd(&fd);
        if (http_begin(request->exchange, 200, "application/json") < 0)
                return 0; /* the client left */
        for (size_t i = 0; i < strv_length(loaded); i++) {
                _cleanup_free_ char *line = str_format("%s\n", loaded[i]);

                if (progress_text(&progress, "stream", line) < 0)
                        return 0;
        }
        (void)malloc_trim(0);
        return r < 0 ? progress_fail(&progress, r, err) : 0;
}

/* ---- save and export ---- */

typedef struct Save {
        Engine *engine;
        char **refs;           /* images */
        const char *platform;  /* theirs, or NULL */
        const char *container; /* or a container */
        bool mounts;           /* or cache mounts: refs are their ids, none: all */
        const char *type;      /* of the answer */
        int fd;                /* where the archive goes; the thread's */
        int result;
        Error err;
} Save;

static void *run_save(void *data) {
        Save *save = data;

        save->result = save->mounts ? engine_build_mounts_export(save->engine, save->refs, save->fd,
                                                                 &save->err)
                       : save->container ? engine_container_export(save->engine, save->container,
                                                                   save->fd, &save->err)
                                         : engine_image_save(save->engine, save->refs,
                                                             save->platform, save->fd, &save->err);
        close_fd(&save->fd);
        return NULL;
}

static int start_save(Save *save, pthread_t *ret, Error *err) {
        pthread_attr_t attributes;
        int r;

        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setstacksize(&attributes, SAVE_STACK);
        r = pthread_create(ret, &attributes, run_save, save);
        (void)pthread_attr_destroy(&attributes);
        if (r != 0) {
                close_fd(&save->fd);
                return error_set(err, r, "start a thread for the archive");
        }
        return 0;
}

int api_send_archive(ApiRequest *request, const char *type, int fd) {
        _cleanup_free_ char *piece = alloc_zero(1, SAVE_PIECE);

        for (;;) {
                ssize_t n = read(fd, piece, SAVE_PIECE);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return (int)n;
                r = http_begin(request->exchange, 200, type);
                if (r >= 0)
                        r = http_write(request->exchange, piece, (size_t)n);
                if (r < 0)
                        return r;
        }
}

static int save_as(ApiRequest *request, Save *save, Error *err) {
        _cleanup_close_ int fd = -1;
        pthread_t thread;
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set(err, errno, "pipe2");
        fd = ends[0];
        save->fd = ends[1];
        r = start_save(save, &thread, err);
        if (r < 0)
                return r;
        (void)api_send_archive(request, save->type, fd);
        close_fd(&fd); /* a client that left ends the saving */
        (void)pthread_join(thread, NULL);
        if (save->result < 0 && http_answered(request->exchange))
                http_abort(request->exchange);
        if (save->result < 0 && err)
                *err = save->err;
        return save->result;
}

static int save_images(ApiRequest *request, char **refs, Error *err) {
        _cleanup_free_ char *platform = NULL;
        int r = archive_platform(request, &platform, err);
        Save save = { .engine = request->engine,
                      .refs = refs,
                      .platform = platform,
                      .type = "application/x-tar" };

        return r < 0 ? r : save_as(request, &save, err);
}

int on_container_export(ApiRequest *request, Error *err) {
        Save save = { .engine = request->engine,
                      .container = api_name(request),
                      .type = "application/octet-stream" };

        return save_as(request, &save, err);
}

int on_image_save(ApiRequest *request, Error *err) {
        _cleanup_strv_ char **names = http_query_all(&request->query, "names");

        if (strv_length(names) == 0)
                return error_kind(err, ERROR_INVALID, "give the images to save: 'names'");
        return save_images(request, names, err);
}

int on_image_save_one(ApiRequest *request, Error *err) {
        _cleanup_strv_ char **names = NULL;

        strv_add(&names, api_name(request));
        return save_images(request, names, err);
}

/* ---- cache mounts ---- */

int on_build_mounts_export(ApiRequest *request, Error *err) {
        _cleanup_strv_ char **ids = http_query_all(&request->query, "id");
        Save save = {
                .engine = request->engine, .mounts = true, .refs = ids, .type = "application/x-tar"
        };

        return save_as(request, &save, err);
}

int on_build_mounts_import(ApiRequest *request, Error *err) {
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf json = { 0 };
        int r = http_request_body_fd(request->exchange, &fd, err);

        if (r >= 0)
                r = engine_build_mounts_import(request->engine, fd, &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}
