/* build-images.c: the images that a build names. What one is, the image store says, or its
 * registry, of which no layer is asked for before somebody needs its files. */
#include <errno.h>

#include "engine/build-private.h"
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

static int find_there(Build *build, const char *name, const char *platform, SolveImage *ret,
                      Error *err) {
        _cleanup_free_ char *full = tagged(name);
        ImageRemote remote = {};
        int r = image_remote(build->engine->images, full, platform, build_auth(build, name),
                             &build->engine->options.registry, &remote, err);

        if (r < 0)
                return error_prefix(err, "%s: failed to resolve source metadata", name);
        ret->config = remote.config;
        ret->layers = TAKE_PTR(remote.chain_ids);
        ret->digest = TAKE_PTR(remote.digest);
        image_config_inherit(&ret->config);
        remote.config = (ImageConfig){};
        image_remote_done(&remote);
        take_key(ret);
        return 0;
}

int build_image(void *data, const char *name, const char *platform, SolveImage *ret, Error *err) {
        Build *build = data;
        int r = build->request->pull ? -ENOENT : find_here(build, name, platform, ret, err);

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
                                  build_auth(build, name), &engine->options.registry, report_pull,
                                  &report, &id, err);

        if (r < 0)
                return error_prefix(err, "%s: failed to fetch its layers", name);
        pairs_put(&attributes, "name", full);
        engine_event_emit(engine, "image", "pull", full, &attributes);
        pairs_done(&attributes);
        return 0;
}

int build_image_bring(void *data, const char *name, const char *platform, const SolveImage *image,
                      Error *err) {
        int r = image->digest ? hold_layers(data, image->layers, err) : 0;

        return r == -ENOENT ? pull(data, name, platform, image, err) : r;
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
