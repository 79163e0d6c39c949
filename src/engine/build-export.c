/* build-export.c: what a build gives: an image with its names, an archive of it, or the files. */
#include <errno.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/image-collect.h"
#include "engine/image-push.h"
#include "format/reference.h"
#include "image/pack.h"

static int full_names(char *const *tags, char ***ret, Error *err) {
        _cleanup_strv_ char **names = NULL;

        for (; tags && *tags; tags++) {
                Reference reference = {};
                int r = reference_parse(*tags, &reference, err);

                if (r == 0 && reference.digest)
                        r = error_kind(err, ERROR_INVALID,
                                       "invalid tag \"%s\": a digest cannot be given to an image",
                                       *tags);
                if (r == 0) {
                        reference_default_tag(&reference);
                        strv_take(&names, reference_full(&reference));
                }
                reference_done(&reference);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(names);
        return 0;
}

static int tell(Build *build, BuildEventKind kind, const char *text, Error *err) {
        const BuildEvent event = { .kind = kind, .text = text, .length = strlen(text) };

        return build_event(build, &event) < 0 ? error_set(err, ECANCELED, "the build was cancelled")
                                              : 0;
}

int build_tell_image(Build *build, const char *id, char *const *names, Error *err) {
        int r = tell(build, BUILD_IMAGE, id, err);

        for (; r == 0 && names && *names; names++) {
                Reference reference = {};
                _cleanup_free_ char *familiar = NULL;

                r = reference_parse(*names, &reference, err);
                if (r == 0) {
                        familiar = reference_familiar(&reference);
                        r = tell(build, BUILD_TAGGED, familiar, err);
                        engine_event_emit(build->engine, "image", "tag", id, NULL);
                        image_collect_soon(build->engine);
                }
                reference_done(&reference);
        }
        return r;
}

/* ---- the image ---- */

bool build_is_image(const BuildOutput *output) {
        return !str_equal(output->type, "tar") && !str_equal(output->type, "local");
}

bool build_wants_image(const BuildRequest *request) {
        for (size_t i = 0; i < request->output_count; i++)
                if (build_is_image(&request->outputs[i]))
                        return true;
        return false;
}

static void add_names(char ***tags, const BuildOutput *output) {
        for (char **name = output->names; name && *name; name++)
                if (!strv_has(*tags, *name))
                        strv_add(tags, *name);
}

int build_names(const Build *build, char ***ret, Error *err) {
        const BuildRequest *request = build->request;
        _cleanup_strv_ char **tags = strv_copy(request->tags);

        for (size_t i = 0; i < request->output_count; i++)
                if (!request->outputs[i].by_digest)
                        add_names(&tags, &request->outputs[i]);
        return full_names(tags, ret, err);
}

/* The first output that is an image says in what form it leaves later; its manifest has the
 * annotations of all. */
int build_make_image(Build *build, const Plan *plan, size_t number, SolveResult *result,
                     char *const *names, char **ret_id, Error *err) {
        const BuildRequest *request = build->request;
        _cleanup_strv_ char **chains = NULL;
        ImageAnnotations annotations;
        ImageMake make = { .config = &result->config, .names = names, .lease = build->holder };
        int r = builder_store_layers(build, result->layers, plan_source_date_epoch(plan), &chains,
                                     err);

        if (r == 0)
                r = failpoint("build.layers", err);
        if (r == 0 && build_wants_inline(build))
                r = build_add_inline(build, result, err);
        if (r < 0)
                return r;
        make.chains = chains;
        for (size_t i = 0; i < request->output_count; i++) {
                const BuildOutput *output = &request->outputs[i];

                if (!make.form && build_is_image(output) && output->fd < 0)
                        make.form = &output->form;
        }
        annotations = build_annotations_of_all(build);
        make.annotations = &annotations.manifests[number].manifest;
        r = image_make_as(build->engine->images, &make, ret_id, err);
        image_annotations_done(&annotations);
        return r < 0 ? r : failpoint("build.made", err);
}

/* ---- to a registry ---- */

typedef struct PushReport {
        Build *build;
        const char *name;
} PushReport;

static int report_push(void *data, const ImageProgress *progress) {
        const PushReport *report = data;
        const BuildEvent event = { .kind = BUILD_PUSHING,
                                   .text = report->name,
                                   .length = strlen(report->name),
                                   .status = progress->status,
                                   .layer = progress->id,
                                   .current = progress->current,
                                   .total = progress->total };

        if (build_cancelled(report->build))
                return -ECANCELED;
        return progress->id ? build_event(report->build, &event) : 0;
}

/* A name of an index means what went up under it. */
static int adopt(Build *build, const char *source, const char *name, Error *err) {
        char *const names[] = { (char *)name, NULL };

        return strv_length(build->platforms) < 2
                       ? 0
                       : image_index_replace(build->engine->images, source, build->pushed.digest,
                                             names, NULL, err);
}

static int push_name(Build *build, const BuildOutput *output, const char *source, const char *name,
                     Error *err) {
        PushReport report = { .build = build, .name = name };
        ImageAnnotations annotations = build_annotations_of(build, output);
        ImagePushed *pushed = &build->pushed;
        const ImagePush push = { .source = source,
                                 .by_digest = output->by_digest,
                                 .adopt = build->holder,
                                 .auth = build_auth(build, name),
                                 .options = engine_registry(build->engine),
                                 .form = &output->form,
                                 .annotations = &annotations,
                                 .progress = report_push,
                                 .data = &report,
                                 .pushed = pushed };
        BuildEvent told = {
                .kind = BUILD_PUSHED, .text = name, .length = strlen(name), .layer = pushed->digest
        };
        int r = engine_image_push_as(build->engine, name, &push, err);

        image_annotations_done(&annotations);
        if (r < 0)
                return error_prefix(err, "failed to push %s", name);
        r = adopt(build, source, name, err);
        if (r < 0)
                return r;
        told.status = pushed->media_type;
        told.total = pushed->size;
        return build_event(build, &told) < 0 ? error_set(err, ECANCELED, "the build was cancelled")
                                             : 0;
}

int build_push_output(Build *build, const BuildOutput *output, const char *source, Error *err) {
        _cleanup_strv_ char **names = output->by_digest ? strv_copy(output->names) : NULL;
        int r = output->by_digest ? 0
                                  : full_names(output->names ?: build->request->tags, &names, err);

        if (r == 0 && !names)
                return error_kind(err, ERROR_INVALID,
                                  "tag is needed when pushing to registry: give one with -t, or "
                                  "name=… of the output");
        for (char **name = names; r == 0 && name && *name; name++)
                r = push_name(build, output, source, *name, err);
        return r;
}

/* ---- files ---- */

static int write_tar(Build *build, const Plan *plan, const BuildOutput *output, int root_fd,
                     Error *err) {
        const PackOptions options = { .epoch = plan_source_date_epoch(plan),
                                      .cancelled = build_cancelled,
                                      .data = build };

        return pack_directory(root_fd, output->fd, &options, NULL, NULL, err);
}

static bool is_cancelled(void *data) {
        return build_cancelled(data);
}

int build_write_files(Build *build, const Plan *plan, int root_fd, int dir_fd, Error *err) {
        static char *const everything[] = { (char *)"", NULL };
        const BuildRequest *request = build->request;
        const SelectOptions select = { .patterns = everything };
        const CopyOptions options = { .dest = "/",
                                      .uid = request->output_uid,
                                      .gid = request->output_gid,
                                      .harmless = request->output_uid != 0,
                                      .epoch = plan_source_date_epoch(plan) };
        const Tree tree = { .root_fd = root_fd };
        const TreeJob job = { .cancelled = is_cancelled, .data = build };
        _cleanup_(selection_done) Selection selection = {};
        int r = tree_select(&tree, &select, &selection, err);

        return r < 0 ? r : tree_copy(&tree, &selection, dir_fd, &options, &job, err);
}

int build_open_root(Build *build, const SolveResult *result, int *ret_fd, Error *err) {
        return builder_mount(build->builder, result->layers, -1, ret_fd, err);
}

static int write_root(Build *build, const Plan *plan, const BuildOutput *output,
                      const SolveResult *result, Error *err) {
        _cleanup_close_ int root_fd = -1;
        int r = build_open_root(build, result, &root_fd, err);

        if (r < 0)
                return r;
        return str_equal(output->type, "tar")
                       ? write_tar(build, plan, output, root_fd, err)
                       : build_write_files(build, plan, root_fd, output->fd, err);
}

static int write_layout(Build *build, const BuildOutput *output, const ImageSave *save,
                        Error *err) {
        const ImageLayoutPlace place = { .dir_fd = output->fd,
                                         .uid = build->request->output_uid,
                                         .gid = build->request->output_gid,
                                         .cancelled = is_cancelled,
                                         .data = build };

        return image_save_layout(build->engine->images, save, &place, err);
}

int build_write_archive(Build *build, const BuildOutput *output, const char *source, Error *err) {
        char *const refs[] = { (char *)source, NULL };
        _cleanup_strv_ char **tags = strv_copy(build->request->tags), **names = NULL;
        ImageAnnotations annotations = build_annotations_of(build, output);
        ImageSave save = { .refs = refs, .form = &output->form, .annotations = &annotations };
        int r;

        add_names(&tags, output);
        r = full_names(tags, &names, err);
        save.names = names;
        if (r == 0)
                r = output->layout ? write_layout(build, output, &save, err)
                                   : image_save_as(build->engine->images, &save, output->fd, err);
        image_annotations_done(&annotations);
        return r;
}

/* ---- all of it ---- */

static int write_output(Build *build, const Plan *plan, const BuildOutput *output,
                        const SolveResult *result, const char *id, Error *err) {
        if (!build_is_image(output))
                return write_root(build, plan, output, result, err);
        if (output->fd >= 0)
                return build_write_archive(build, output, id, err);
        return output->push ? build_push_output(build, output, id, err) : 0;
}

int build_export(Build *build, Plan *plan, SolveResult *result, char **ret_id, Error *err) {
        const BuildRequest *request = build->request;
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *id = NULL;
        int r = build_names(build, &names, err);

        if (r == 0 && build_wants_image(request))
                r = build_make_image(build, plan, 0, result, names, &id, err);
        if (r == 0 && id)
                r = build_tell_image(build, id, names, err);
        build->delivering = r == 0;
        for (size_t i = 0; r == 0 && i < request->output_count; i++)
                r = write_output(build, plan, &request->outputs[i], result, id, err);
        if (r == 0)
                r = build_send_caches(build, result, 1, plan_source_date_epoch(plan), err);
        if (r == 0)
                *ret_id = TAKE_PTR(id);
        return r;
}
