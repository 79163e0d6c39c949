/* build-document.c: POST /build in brig's own form: a document that names the descriptors that came
 * along, and the progress that answers it. spec/build.h has the documents. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "api/build.h"
#include "base/base64.h"
#include "base/clock.h"
#include "spec/build.h"

void build_fds_done(BuildFds *fds) {
        for (size_t i = 0; i < fds->count; i++)
                close_fd(&fds->fds[i]);
        fds->count = 0;
}

/* ---- descriptors ---- */

static int check_fd(int fd, const BuildFdWanted *wanted, Error *err) {
        struct stat info;
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fstat(fd, &info) < 0)
                return error_set(err, errno, "%s '%s'", wanted->what, wanted->name);
        if (wanted->type == S_IFDIR && !S_ISDIR(info.st_mode))
                return error_kind(err, ERROR_INVALID, "%s '%s': its descriptor is no directory",
                                  wanted->what, wanted->name);
        if (wanted->type == S_IFSOCK && !S_ISSOCK(info.st_mode))
                return error_kind(err, ERROR_INVALID, "%s '%s': its descriptor is no socket",
                                  wanted->what, wanted->name);
        /* Who could not open it for reading shall not have it read here. */
        if (wanted->type == S_IFDIR && (flags & O_PATH))
                return error_kind(err, ERROR_INVALID,
                                  "%s '%s': its descriptor is not open for reading", wanted->what,
                                  wanted->name);
        if (wanted->read &&
            (S_ISDIR(info.st_mode) || (flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY))
                return error_kind(err, ERROR_INVALID, "%s '%s': its descriptor cannot be read from",
                                  wanted->what, wanted->name);
        if (wanted->type == 0 && !wanted->read &&
            (S_ISDIR(info.st_mode) || (flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY))
                return error_kind(err, ERROR_INVALID,
                                  "%s '%s': its descriptor cannot be written to", wanted->what,
                                  wanted->name);
        return 0;
}

int build_take_fd(BuildFds *fds, int64_t position, const BuildFdWanted *wanted, int *ret,
                  Error *err) {
        int r;

        if (position < 0 || position >= (int64_t)fds->count)
                return error_kind(err, ERROR_INVALID,
                                  "%s '%s': descriptor %lld did not come along with the request, "
                                  "which brought %zu",
                                  wanted->what, wanted->name, (long long)position, fds->count);
        if (fds->fds[position] < 0)
                return error_kind(err, ERROR_INVALID, "%s '%s': descriptor %lld is named twice",
                                  wanted->what, wanted->name, (long long)position);
        r = check_fd(fds->fds[position], wanted, err);
        if (r < 0)
                return r;
        *ret = TAKE_FD(fds->fds[position]);
        return 0;
}

/* ---- the document's parts ---- */

static bool has_own_context(const BuildRequest *request) {
        for (size_t i = 0; i < request->context_count; i++)
                if (!*request->contexts[i].name)
                        return true;
        return false;
}

static int add_layout(BuildContextDocument *document, BuildFds *fds, BuildContext *ret,
                      Error *err) {
        const BuildFdWanted directory = { "context", ret->name, S_IFDIR, false };

        ret->image = str_format(BUILD_LAYOUT "%s", ret->name);
        ret->path = TAKE_PTR(document->path);
        ret->tag = TAKE_PTR(document->tag);
        ret->digest = TAKE_PTR(document->digest);
        return build_take_fd(fds, *document->layout, &directory, &ret->layout_fd, err);
}

static int add_context(BuildContextDocument *document, BuildFds *fds, BuildRequest *ret,
                       Error *err) {
        BuildFdWanted directory = { "context", document->name, S_IFDIR, false };
        BuildFdWanted archive = { "context", document->name, 0, true };
        BuildContext *context;

        if (!!document->fd + !!document->tar + !!document->image + !!document->url +
                    !!document->layout !=
            1)
                return error_kind(err, ERROR_INVALID,
                                  "context '%s': give one of 'fd', 'tar', 'image', 'url' and "
                                  "'layout'",
                                  document->name);
        if ((document->path || document->tag || document->digest) && !document->layout)
                return error_kind(err, ERROR_INVALID,
                                  "context '%s': 'path', 'tag' and 'digest' are of a 'layout'",
                                  document->name);
        if (!*document->name && (document->image || document->layout || has_own_context(ret)))
                return error_kind(err, ERROR_INVALID,
                                  "the build's own context is one directory, archive or URL");
        GROW(ret->contexts, ret->context_count);
        context = &ret->contexts[ret->context_count++];
        *context = (BuildContext){ .dir_fd = -1, .tar_fd = -1, .layout_fd = -1 };
        context->name = TAKE_PTR(document->name);
        context->image = TAKE_PTR(document->image);
        context->url = TAKE_PTR(document->url);
        context->growing = TAKE_PTR(document->growing);
        directory.name = archive.name = context->name;
        if (document->layout)
                return add_layout(document, fds, context, err);
        if (document->tar)
                return build_take_fd(fds, *document->tar, &archive, &context->tar_fd, err);
        return document->fd ? build_take_fd(fds, *document->fd, &directory, &context->dir_fd, err)
                            : 0;
}

static int add_secret(BuildSecretDocument *document, BuildRequest *ret, Error *err) {
        BuildSecret secret = { 0 };
        int r = base64_decode(document->value, &secret.data, &secret.length, err);

        if (r < 0)
                return error_prefix(err, "secret '%s'", document->id);
        secret.id = TAKE_PTR(document->id);
        GROW(ret->secrets, ret->secret_count);
        ret->secrets[ret->secret_count++] = secret;
        return 0;
}

static int add_ssh(BuildSshDocument *document, BuildFds *fds, BuildRequest *ret, Error *err) {
        BuildFdWanted agent = { "ssh", document->id, S_IFSOCK, false };
        BuildSsh *ssh;

        GROW(ret->ssh, ret->ssh_count);
        ssh = &ret->ssh[ret->ssh_count++];
        *ssh = (BuildSsh){ .socket_fd = -1 };
        ssh->id = TAKE_PTR(document->id);
        return build_take_fd(fds, document->fd, &agent, &ssh->socket_fd, err);
}

/* ---- caches ---- */

static int add_place(BuildCacheDocument *document, BuildFds *fds, bool to, BuildCachePlace *ret,
                     Error *err) {
        BuildFdWanted directory = { "cache", document->type, S_IFDIR, false };
        bool local = str_equal(document->type, "local"), registry;

        registry = str_equal(document->type, "registry");
        *ret = (BuildCachePlace){ .dir_fd = -1,
                                  .kind = local      ? BUILD_CACHE_LOCAL
                                          : registry ? BUILD_CACHE_REGISTRY
                                                     : BUILD_CACHE_INLINE };
        if (!local && !registry && !(to && str_equal(document->type, "inline")))
                return error_kind(err, ERROR_INVALID, "a cache of the type '%s' cannot be %s",
                                  document->type, to ? "written" : "read");
        if (registry != !str_empty(document->ref) || local != (document->fd != NULL))
                return error_kind(err, ERROR_INVALID,
                                  "cache '%s': give 'ref' for a registry, 'fd' for a directory",
                                  document->type);
        ret->max = document->max;
        ret->ignore_error = document->ignore_error;
        ret->reference = TAKE_PTR(document->ref);
        ret->tag = TAKE_PTR(document->tag);
        ret->digest = TAKE_PTR(document->digest);
        ret->path = TAKE_PTR(document->path);
        return document->fd ? build_take_fd(fds, *document->fd, &directory, &ret->dir_fd, err) : 0;
}

static int add_places(JsonArray *documents, BuildFds *fds, bool to, BuildCachePlace **ret,
                      size_t *ret_count, Error *err) {
        BuildCacheDocument *items = documents->items;
        int r = 0;

        *ret = NEW_ARRAY(BuildCachePlace, documents->count + 1);
        for (size_t i = 0; r >= 0 && i < documents->count; i++)
                r = add_place(&items[i], fds, to, &(*ret)[(*ret_count)++], err);
        return r;
}

static int add_caches(BuildDocument *document, BuildFds *fds, BuildRequest *ret, Error *err) {
        int r = add_places(&document->cache_from, fds, false, &ret->cache_from,
                           &ret->cache_from_count, err);

        return r < 0 ? r
                     : add_places(&document->cache_to, fds, true, &ret->cache_to,
                                  &ret->cache_to_count, err);
}

static int add_parts(BuildDocument *document, BuildFds *fds, BuildRequest *ret, Error *err) {
        BuildContextDocument *contexts = document->contexts.items;
        BuildSecretDocument *secrets = document->secrets.items;
        BuildSshDocument *ssh = document->ssh.items;
        BuildOutputDocument *outputs = document->outputs.items;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < document->contexts.count; i++)
                r = add_context(&contexts[i], fds, ret, err);
        for (size_t i = 0; r >= 0 && i < document->secrets.count; i++)
                r = add_secret(&secrets[i], ret, err);
        for (size_t i = 0; r >= 0 && i < document->ssh.count; i++)
                r = add_ssh(&ssh[i], fds, ret, err);
        for (size_t i = 0; r >= 0 && i < document->outputs.count; i++)
                r = build_output_add(&outputs[i], fds, ret, err);
        if (r >= 0 && !document->dockerfile && !has_own_context(ret))
                return error_kind(err, ERROR_INVALID,
                                  "give the Dockerfile's text ('dockerfile') or a context that has "
                                  "it");
        return r;
}

static int take_limits(BuildDocument *document, BuildRequest *ret, Error *err) {
        const struct {
                const char *name;
                int64_t value, low, *place;
        } numbers[] = {
                { "shmSize", document->shm_size, 0, &ret->shm_size },
                { "memory", document->memory, 0, &ret->memory },
                { "memorySwap", document->memory_swap, -1, &ret->memory_swap },
                { "cpuShares", document->cpu_shares, 0, &ret->cpu_shares },
                { "cpuPeriod", document->cpu_period, 0, &ret->cpu_period },
                { "cpuQuota", document->cpu_quota, -1, &ret->cpu_quota },
        };

        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                if (numbers[i].value < numbers[i].low)
                        return error_kind(err, ERROR_INVALID, "%s: %lld is too small",
                                          numbers[i].name, (long long)numbers[i].value);
                *numbers[i].place = numbers[i].value;
        }
        ret->cpuset_cpus = TAKE_PTR(document->cpuset_cpus);
        ret->cpuset_mems = TAKE_PTR(document->cpuset_mems);
        ret->cgroup_parent = TAKE_PTR(document->cgroup_parent);
        return 0;
}

/* Moves what needs no look. */
static void move_plain(BuildDocument *document, BuildRequest *ret) {
        ret->dockerfile_length = document->dockerfile ? strlen(document->dockerfile) : 0;
        ret->dockerfile = TAKE_PTR(document->dockerfile);
        ret->dockerfile_name = str_empty(document->dockerfile_name)
                                       ? str_copy("Dockerfile")
                                       : TAKE_PTR(document->dockerfile_name);
        ret->ignore_length = document->ignore ? strlen(document->ignore) : 0;
        ret->ignore = TAKE_PTR(document->ignore);
        ret->ignore_name = TAKE_PTR(document->ignore_name);
        ret->args = TAKE_PTR(document->args);
        ret->labels = TAKE_PTR(document->labels);
        ret->no_cache_filter = TAKE_PTR(document->no_cache_filter);
        ret->extra_hosts = TAKE_PTR(document->extra_hosts);
        ret->allow = TAKE_PTR(document->allow);
        ret->target = TAKE_PTR(document->target);
        ret->platforms = build_platforms_read(document->platform);
        ret->network = TAKE_PTR(document->network);
        ret->ulimits = document->ulimits;
        document->ulimits = (JsonArray){ 0 };
        ret->annotations = document->annotations;
        document->annotations = (JsonArray){ 0 };
        ret->no_cache = document->no_cache;
        ret->pull = document->pull;
        ret->texts = document->texts;
}

static int read_document(BuildDocument *document, BuildFds *fds, BuildRequest *ret, Error *err) {
        int r = take_limits(document, ret, err);

        if (r >= 0)
                r = build_allow_check(document->allow, err);
        if (r >= 0)
                r = build_network_check(document->network, err);
        if (r >= 0)
                r = build_tags_read(document->tags, &ret->tags, err);
        if (r >= 0)
                r = build_annotations_check(&document->annotations, err);
        if (r >= 0)
                r = add_parts(document, fds, ret, err);
        if (r >= 0)
                r = add_caches(document, fds, ret, err);
        if (r >= 0)
                move_plain(document, ret);
        return r;
}

int build_document_read(const char *text, size_t length, BuildFds *fds, BuildRequest *ret,
                        Error *err) {
        BuildDocument document = { 0 };
        int r = json_parse(&build_document_table, text, length, &document, err);

        if (r >= 0)
                r = read_document(&document, fds, ret, err);
        for (size_t i = 0; i < document.secrets.count; i++) {
                char *value = ((BuildSecretDocument *)document.secrets.items)[i].value;

                if (value)
                        explicit_bzero(value, strlen(value));
        }
        json_done(&build_document_table, &document);
        return r;
}

/* ---- progress ---- */

static int send_line(HttpExchange *exchange, const BuildProgress *progress) {
        _cleanup_buf_ Buf line = { 0 };
        int r = http_begin(exchange, 200, BUILD_DOCUMENT_TYPE);

        if (r < 0)
                return r;
        json_add_text(&line, &build_progress_table, progress);
        buf_add_char(&line, '\n');
        return http_write(exchange, line.data, line.length);
}

/* text of an output, the caller's. */
static char *output_text(const BuildEvent *event, bool *encoded) {
        *encoded = !text_is_utf8(event->text, event->length);
        return *encoded ? base64_encode(event->text, event->length)
                        : str_copy_n(event->text, event->length);
}

int build_progress_send(void *data, const BuildEvent *event) {
        static const char *const kinds[] = {
                [BUILD_PLANNED] = "planned", [BUILD_STARTED] = "started",
                [BUILD_CACHED] = "cached",   [BUILD_OUTPUT] = "output",
                [BUILD_STATUS] = "status",   [BUILD_DONE] = "done",
                [BUILD_FAILED] = "failed",   [BUILD_WARNING] = "warning",
                [BUILD_IMAGE] = "image",     [BUILD_TAGGED] = "tagged",
                [BUILD_PUSHING] = "pushing", [BUILD_PUSHED] = "pushed",
                [BUILD_READING] = "reading", [BUILD_DOCKERFILE] = "dockerfile",
                [BUILD_IGNORE] = "ignore",
        };
        if (event->kind == BUILD_RESOLVED)
                return 0; /* for classic clients */
        /* Strings are borrowed: the line is written at once. */
        BuildProgress progress = {
                .kind = (char *)kinds[event->kind],
                .step = (int64_t)event->step,
                .total = event->total,
                .current = event->current,
                .stream = event->stream,
                .time = event->time,
                .line = event->at.line,
                .end_line = event->at.end_line,
                .name = (char *)event->name,
                .why = (char *)event->why,
                .text = (char *)event->text,
                .status = (char *)event->status,
                .layer = (char *)event->layer,
        };
        _cleanup_free_ int64_t *inputs = NEW_ARRAY(int64_t, event->input_count + 1);
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < event->input_count; i++)
                inputs[i] = (int64_t)event->inputs[i];
        progress.inputs = (JsonArray){ inputs, event->input_count };
        if (event->kind == BUILD_PLANNED)
                progress.text = NULL; /* for classic clients */
        if (event->kind == BUILD_OUTPUT || event->kind == BUILD_DOCKERFILE ||
            event->kind == BUILD_IGNORE)
                progress.text = text = output_text(event, &progress.encoded);
        return send_line(data, &progress);
}

void build_progress_end(HttpExchange *exchange, const char *image, const Error *err) {
        BuildProgress progress = { .kind = (char *)"end",
                                   .time = clock_now(),
                                   .image = (char *)image,
                                   .error = err ? (char *)err->message : NULL };

        (void)send_line(exchange, &progress); /* or the client left */
}
