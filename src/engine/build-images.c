/* build-images.c: the images that a build names. What one is, the image store says, its registry,
 * or an OCI layout of the client's; of these no layer is asked for before somebody needs its files.
 */
#include <errno.h>

#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "format/reference.h"
#include "image/assembly.h"
#include "os/binfmt.h"

const RegistryAuth *build_auth(const Build *build, const char *name) {
        const BuildRequest *request = build->request;
        const char *slash = strchr(name, '/');
        _cleanup_free_ char *host = slash ? str_copy_n(name, (size_t)(slash - name)) : NULL;
        bool is_host = host && (strpbrk(host, ".:") || str_equal(host, "localhost"));

        for (size_t i = 0; i < strv_length(request->auth_hosts); i++) {
                const char *known = request->auth_hosts[i];

                if (is_host ? str_equal(known, host)
                            : str_equal(known, "docker.io") || strstr(known, "index.docker.io"))
                        return &request->auths[i];
        }
        return NULL;
}

/* name with its tag; the caller's. */
static char *tagged(const char *name) {
        const char *last = strrchr(name, '/') ?: name;

        return strchr(name, '@') || strchr(last, ':') ? str_copy(name)
                                                      : str_format("%s:latest", name);
}

/* ---- what it is ---- */

static void take_key(SolveImage *image) {
        size_t count = strv_length(image->layers);

        if (count > 0)
                (void)snprintf(image->key, sizeof(image->key), "%s", image->layers[count - 1]);
}

/* -ENOENT: the image store has none for that platform. What it has is held as it is found. */
static int find_here(Build *build, const char *name, const char *platform, SolveImage *ret,
                     Error *err) {
        Image image = {};
        int r = image_take(build->engine->images, name, platform, build->holder, &image, err);

        if (r == 0) {
                json_copy(&image_config_table, &image.config, &ret->config);
                image_config_inherit(&ret->config);
                ret->layers = strv_copy(image.chain_ids);
                take_key(ret);
        }
        image_done(&image);
        return r;
}

static void take_remote(ImageRemote *remote, SolveImage *ret) {
        ret->config = remote->config;
        ret->layers = TAKE_PTR(remote->chain_ids);
        ret->digest = TAKE_PTR(remote->digest);
        image_config_inherit(&ret->config);
        remote->config = (ImageConfig){};
        image_remote_done(remote);
        take_key(ret);
}

/* Whether the image that the store has by that name is of that manifest or index. */
static bool is_here(const Build *build, const char *name, const char *digest) {
        Image image = {};
        bool found = false;

        if (image_find(build->engine->images, name, &image, NULL) == 0)
                for (char **known = image.digests; known && *known && !found; known++)
                        found = strchr(*known, '@') && str_equal(strchr(*known, '@') + 1, digest);
        image_done(&image);
        return found;
}

static int tell_resolved(Build *build, const char *name, const char *digest) {
        Reference reference = {};
        _cleanup_free_ char *familiar = NULL;

        if (reference_parse(name, &reference, NULL) >= 0)
                familiar = reference_familiar(&reference);
        reference_done(&reference);
        const BuildEvent event = { .kind = BUILD_RESOLVED,
                                   .name = familiar ?: name,
                                   .layer = digest,
                                   .current = is_here(build, name, digest) };
        return build_event(build, &event);
}

static int find_there(Build *build, const char *name, const char *platform, SolveImage *ret,
                      Error *err) {
        _cleanup_free_ char *full = tagged(name);
        ImageRemote remote = {};
        int r = image_remote(build->engine->images, full, platform, build_auth(build, name),
                             engine_registry(build->engine), &remote, err);

        if (r < 0)
                return error_prefix(err, "%s: failed to resolve source metadata", name);
        take_remote(&remote, ret);
        return build->request->pull ? tell_resolved(build, full, ret->digest) : 0;
}

/* ---- a named context that is an OCI layout ---- */

/* NULL: the name is another image's. */
static const BuildContext *find_layout(const Build *build, const char *name) {
        const BuildRequest *request = build->request;

        for (size_t i = 0; i < request->context_count; i++)
                if (request->contexts[i].layout_fd >= 0 &&
                    str_equal(request->contexts[i].image, name))
                        return &request->contexts[i];
        return NULL;
}

static ImageLayout layout_of(const BuildContext *context) {
        return (ImageLayout){ .dir_fd = context->layout_fd,
                              .path = context->path,
                              .tag = context->tag,
                              .digest = context->digest };
}

/* Once a build: a tag that was asked for and is not there may be a mistake. */
static int tell_other(Build *build, const BuildContext *context, Error *err) {
        bool told;

        (void)pthread_mutex_lock(&build->lock);
        told = strv_has(build->layouts_told, context->name);
        if (!told)
                strv_add(&build->layouts_told, context->name);
        (void)pthread_mutex_unlock(&build->lock);
        return told ? 0
                    : build_warn(build, err,
                                 "context '%s': the OCI layout '%.200s' has no tag '%.128s': the "
                                 "one image that it has is taken",
                                 context->name, context->path ?: "", context->tag);
}

static int find_in_layout(Build *build, const BuildContext *context, const char *platform,
                          SolveImage *ret, Error *err) {
        const ImageLayout layout = layout_of(context);
        ImageRemote remote = {};
        int r = image_layout_find(build->engine->images, &layout, platform, &remote, err);

        if (r < 0)
                return error_prefix(err, "context '%s'", context->name);
        take_remote(&remote, ret);
        return r == IMAGE_LAYOUT_OTHER && !str_empty(context->tag) ? tell_other(build, context, err)
                                                                   : 0;
}

int build_image(void *data, const char *name, const char *platform, SolveImage *ret, Error *err) {
        Build *build = data;
        const BuildContext *layout = find_layout(build, name);
        int r;

        if (layout)
                return find_in_layout(build, layout, platform, ret, err);
        r = build->request->pull ? -ENOENT : find_here(build, name, platform, ret, err);

        return r == -ENOENT ? find_there(build, name, platform, ret, err) : r;
}

/* ---- its layers ---- */

typedef struct PullReport {
        Build *build;
        const char *name;
} PullReport;

static int report_pull(void *data, const ImageProgress *progress) {
        const PullReport *report = data;
        _cleanup_free_ char *status = str_format("%s: %s%s%s", report->name, progress->id ?: "",
                                                 progress->id ? " " : "", progress->status ?: "");
        const BuildEvent event = { .kind = BUILD_STATUS,
                                   .status = status,
                                   .current = progress->current,
                                   .total = progress->total };

        if (build_cancelled(report->build))
                return -ECANCELED;
        return build_event(report->build, &event);
}

/* -ENOENT: one of them is not here. Those before it are held, which does no harm. */
static int hold_layers(Build *build, char *const *layers, Error *err) {
        int r = 0;

        for (; r == 0 && layers && *layers; layers++)
                r = image_hold_layer(build->engine->images, *layers, build->holder, err);
        return r;
}

static int pull(Build *build, const char *name, const char *platform, const SolveImage *image,
                Error *err) {
        Engine *engine = build->engine;
        _cleanup_free_ char *full = tagged(name), *id = NULL;
        PullReport report = { .build = build, .name = name };
        Pairs attributes = {};
        int r = image_pull_remote(engine->images, full, image->digest, platform, build->holder,
                                  build_auth(build, name), engine_registry(engine), report_pull,
                                  &report, &id, err);

        if (r < 0)
                return error_prefix(err, "%s: failed to fetch its layers", name);
        pairs_put(&attributes, "name", full);
        engine_event_emit(engine, "image", "pull", full, &attributes);
        pairs_done(&attributes);
        return 0;
}

static int bring_from_layout(Build *build, const BuildContext *context, const SolveImage *image,
                             Error *err) {
        _cleanup_free_ char *name = str_format("context '%s'", context->name);
        PullReport report = { .build = build, .name = name };
        ImageLayout layout = layout_of(context);
        int r;

        layout.digest = image->digest; /* whatever the tag means by now */
        r = image_layout_bring(build->engine->images, &layout, build->holder, report_pull, &report,
                               err);
        return r < 0 ? error_prefix(err, "%s", name) : 0;
}

int build_image_bring(void *data, const char *name, const char *platform, const SolveImage *image,
                      Error *err) {
        const BuildContext *layout = find_layout(data, name);
        int r = image->digest ? hold_layers(data, image->layers, err) : 0;

        if (r != -ENOENT)
                return r;
        return layout ? bring_from_layout(data, layout, image, err)
                      : pull(data, name, platform, image, err);
}

/* ---- platforms ---- */

char *build_host_platform(void) {
        ImagePlatform platform = {};
        char *text;

        (void)platform_parse(NULL, &platform, NULL);
        text = platform_text(&platform);
        platform_done(&platform);
        return text;
}

bool build_can_run(void *data, const char *platform) {
        _cleanup_strv_ char **parts = str_split(platform, '/');

        return str_equal(parts[0], "linux") && parts[1] && machine_runs(parts[1]);
}

int build_mismatch(void *data, const Stage *stage, const ImageConfig *base, Error *err) {
        Build *build = data;
        const LintOptions options = { .build_args = build->request->args };
        const ImagePlatform platform = { .os = base->os,
                                         .architecture = base->architecture,
                                         .variant = base->variant };
        _cleanup_free_ char *actual = platform_text(&platform);
        _cleanup_(findings_done) Findings findings = {};

        dockerfile_lint_base(build->file, &options, stage->at, stage->base.name, actual,
                             stage->platform, &findings);
        /* A stage that several platforms have in common is planned for each of them. */
        if (findings.count == 0 || strv_has(build->mismatches, findings.list[0].detail))
                return 0;
        strv_add(&build->mismatches, findings.list[0].detail);
        return build_findings(build, &options, &findings, err);
}
