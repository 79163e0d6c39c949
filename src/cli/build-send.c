/* build-send.c: a build as brigd takes it: the document of spec/build.h, and the descriptors that
 * go along with it. */
#include <errno.h>
#include <fcntl.h>

#include "base/base64.h"
#include "base/fd.h"
#include "cli/build-options.h"
#include "cli/credentials.h"
#include "http/head.h"

static bool wants_classic(void) {
        return str_equal(getenv("DOCKER_BUILDKIT"), "0");
}

bool build_takes_descriptors(const Cli *cli) {
        return cli->is_brigd && str_after(cli->host, "unix://") && !wants_classic();
}

int build_needs_descriptors(const char *what, const char *instead, const char *other, Error *err) {
        if (wants_classic())
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "%s is not in the classic request, which DOCKER_BUILDKIT=0 asks "
                                  "for: unset DOCKER_BUILDKIT, or %s",
                                  what, instead);
        return error_kind(err, ERROR_UNSUPPORTED,
                          "%s needs brigd on a Unix socket of this machine: %s, or %s", what,
                          instead, other);
}

static int add_archive(Build *build, char *const *left_out, BuildContextDocument *context,
                       Error *err) {
        int fd, r = build_pump_start(&build->source, left_out, &build->pump, &fd, err);

        if (r < 0)
                return r;
        context->tar = NEW(int64_t);
        *context->tar = build_fds_add(&build->fds, fd);
        return 0;
}

static int add_source(Build *build, Error *err) {
        static const JsonTable size = { .size = sizeof(BuildContextDocument) };
        _cleanup_(build_written_done) BuildWritten written = {};
        BuildDocument *document = &build->document;
        BuildContextDocument *context;

        document->dockerfile = str_copy(build->source.dockerfile);
        document->dockerfile_name = str_copy(build->source.name);
        document->ignore = str_copy(build->source.ignore);
        document->ignore_name = str_copy(build->source.ignore_name);
        if (build->source.kind == SOURCE_DOCKERFILE)
                return 0;
        context = json_append(&document->contexts, &size);
        context->name = str_copy("");
        context->url = str_copy(build->source.url);
        build_source_written(&build->source, &build->outputs, &written);
        if (build->source.kind == SOURCE_ARCHIVE || written.archive)
                return add_archive(build, written.left_out, context, err);
        context->growing = TAKE_PTR(written.growing);
        if (build->source.kind == SOURCE_DIRECTORY) {
                context->fd = NEW(int64_t);
                *context->fd = build_fds_add(&build->fds, TAKE_FD(build->source.dir_fd));
        }
        return 0;
}

/* ---- named contexts ---- */

/* source becomes the descriptors' or a pump's, on error too. */
static int add_directory(Build *build, BuildSource *source, BuildContextDocument *context,
                         Error *err) {
        _cleanup_(build_written_done) BuildWritten written = {};
        int fd, r;

        build_source_written(source, &build->outputs, &written);
        if (!written.archive) {
                context->growing = TAKE_PTR(written.growing);
                context->fd = NEW(int64_t);
                *context->fd = build_fds_add(&build->fds, TAKE_FD(source->dir_fd));
                return 0;
        }
        r = build_pump_start_named(source, written.left_out, &build->pump, &fd, err);
        if (r < 0)
                return r;
        context->tar = NEW(int64_t);
        *context->tar = build_fds_add(&build->fds, fd);
        return 0;
}

static int add_layout(Build *build, ContextSpec *spec, Error *err) {
        static const JsonTable size = { .size = sizeof(BuildContextDocument) };
        int fd = open(spec->layout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        BuildContextDocument *context;

        if (fd < 0)
                return error_set(err, errno, "build context '%s': open '%s'", spec->name,
                                 spec->layout);
        context = json_append(&build->document.contexts, &size);
        context->name = TAKE_PTR(spec->name);
        context->path = TAKE_PTR(spec->layout);
        context->tag = TAKE_PTR(spec->tag);
        context->digest = TAKE_PTR(spec->digest);
        context->layout = NEW(int64_t);
        *context->layout = build_fds_add(&build->fds, fd);
        return 0;
}

static int add_context(Build *build, ContextSpec *spec, Error *err) {
        static const JsonTable size = { .size = sizeof(BuildContextDocument) };
        _cleanup_(build_source_done)
                BuildSource source = { .kind = SOURCE_DIRECTORY, .dir_fd = -1 };
        BuildContextDocument *context;

        if (spec->path) {
                source.dir_fd = open(spec->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (source.dir_fd < 0)
                        return error_set(err, errno, "build context '%s': open '%s'", spec->name,
                                         spec->path);
                /* What is wrong with it the daemon says. */
                (void)build_source_read_ignore(spec->path, &source, NULL);
        }
        context = json_append(&build->document.contexts, &size);
        context->name = TAKE_PTR(spec->name);
        context->image = TAKE_PTR(spec->image);
        context->url = TAKE_PTR(spec->url);
        return spec->path ? add_directory(build, &source, context, err) : 0;
}

static int add_contexts(Build *build, Error *err) {
        for (char **text = build->options->contexts; text && *text; text++) {
                _cleanup_(context_spec_done) ContextSpec spec = {};
                int r = context_spec_parse(*text, &spec, err);

                if (r == 0)
                        r = spec.layout ? add_layout(build, &spec, err)
                                        : add_context(build, &spec, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- the document ---- */

static void add_limits(const BuildOptions *options, BuildDocument *document) {
        document->shm_size = options->shm_size;
        document->memory = options->memory;
        document->memory_swap = options->memory_swap;
        document->cpu_shares = options->cpu_shares;
        document->cpu_period = options->cpu_period;
        document->cpu_quota = options->cpu_quota;
        document->cpuset_cpus = str_copy(options->cpuset_cpus);
        document->cpuset_mems = str_copy(options->cpuset_mems);
        document->cgroup_parent = str_copy(options->cgroup_parent);
}

static void add_plain_options(const BuildOptions *options, BuildDocument *document) {
        document->args = strv_copy(options->args);
        document->labels = strv_copy(options->labels);
        document->no_cache_filter = strv_copy(options->no_cache_filter);
        document->extra_hosts = strv_copy(options->hosts);
        document->allow = strv_copy(options->allow);
        document->target = str_copy(options->target);
        document->platform = options->platforms ? strv_join(options->platforms, ",") : NULL;
        document->network = str_copy(options->network);
        add_limits(options, document);
        document->no_cache = options->no_cache;
        document->pull = options->pull;
        for (size_t i = 0; i < options->ulimits.count; i++)
                json_copy(&ulimit_table, (const Ulimit *)options->ulimits.items + i,
                          json_append(&document->ulimits, &ulimit_table));
}

static int make_document(Build *build, Error *err) {
        const BuildOptions *options = build->options;
        BuildDocument *document = &build->document;
        int r = add_source(build, err);

        add_plain_options(options, document);
        document->tags = strv_copy(build->tags);
        if (r == 0)
                r = add_contexts(build, err);
        if (r == 0)
                r = build_secrets_add(options->secrets, document, err);
        if (r == 0)
                r = build_ssh_add(options->ssh, document, &build->fds, err);
        if (r == 0)
                r = build_caches_add(options, document, &build->fds, err);
        for (char **text = options->annotations; r == 0 && text && *text; text++)
                r = annotation_parse(*text, &document->annotations, err);
        return r < 0 ? r
                     : build_outputs_add(&build->outputs, build->tags, document, &build->fds, err);
}

int build_send(Build *build, HttpReply **ret, Error *err) {
        _cleanup_free_ char *registries = credentials_all_header(build->cli), *text = NULL;
        HttpRequest request = { .method = "POST", .content_type = BUILD_DOCUMENT_TYPE };
        Pairs headers = {};
        int r = make_document(build, err);

        if (r < 0)
                return r;
        if (build->fds.count > HTTP_FDS_MAX)
                return error_kind(
                        err, ERROR_UNSUPPORTED,
                        "%zu contexts, agents, caches and outputs are more than the %d that one "
                        "build may have",
                        build->fds.count, HTTP_FDS_MAX);
        text = json_text(&build_document_table, &build->document);
        pairs_put(&headers, "X-Registry-Config", registries);
        request.headers = &headers;
        request.body = text;
        request.length = strlen(text);
        request.fds = build->fds.fds;
        request.fd_count = build->fds.count;
        r = api_send(build->cli, &request, "/build", ret, err);
        explicit_bzero(text, request.length); /* secrets are in it */
        pairs_done(&headers);
        /* The daemon has its own now. The end of an output is seen once all have closed it. */
        build_fds_done(&build->fds);
        return r;
}

/* ---- the texts alone, for a check ---- */

static int take_text(BuildProgress *event, char **place, size_t *length, Error *err) {
        _cleanup_buf_ Buf bytes = {};

        if (event->encoded && base64_decode_any(event->text, &bytes) < 0)
                return error_kind(err, ERROR_INTERNAL, "the daemon's %s is no base64", event->kind);
        if (!event->encoded)
                buf_add_str(&bytes, event->text ?: "");
        free(*place);
        *length = bytes.length;
        *place = buf_take(&bytes);
        return 0;
}

static int take_texts(BuildSource *source, BuildProgress *event, Error *err) {
        if (str_equal(event->kind, "end") && event->error)
                return error_kind(err, ERROR_INVALID, "%s", event->error);
        if (str_equal(event->kind, "dockerfile"))
                return take_text(event, &source->dockerfile, &source->dockerfile_length, err);
        if (!str_equal(event->kind, "ignore"))
                return 0;
        str_replace(&source->ignore_name, event->name);
        return take_text(event, &source->ignore, &source->ignore_length, err);
}

static int read_texts(HttpReply *reply, BuildSource *source, Error *err) {
        _cleanup_buf_ Buf held = {};

        for (;;) {
                _cleanup_json_ json_object *object = NULL;
                BuildProgress event = {};
                int r = api_next_json(reply, &held, &object, err);

                if (r <= 0)
                        return r;
                r = json_read(&build_progress_table, object, &event, err);
                if (r == 0)
                        r = take_texts(source, &event, err);
                json_done(&build_progress_table, &event);
                if (r < 0)
                        return r;
        }
}

int build_fetch_texts(Build *build, Error *err) {
        _cleanup_reply_ HttpReply *reply = NULL;
        int r = cli_connect(build->cli, err);

        if (r < 0)
                return r;
        if (!build_takes_descriptors(build->cli))
                return build_needs_descriptors("a check of what is no directory",
                                               "give a directory", "the Dockerfile with -f -", err);
        build->document.texts = true;
        r = build_send(build, &reply, err);
        if (r == 0)
                r = read_texts(reply, &build->source, err);
        if (r < 0) { /* unless it is but what became of an error here */
                int sent = build_pump_end(&build->pump, err);

                return sent < 0 ? sent : r;
        }
        return build->source.dockerfile
                       ? 0
                       : error_kind(err, ERROR_INTERNAL, "the daemon sent no Dockerfile");
}
