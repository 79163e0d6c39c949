/* build-export.c: what a build gives: an image with its names, an archive of it, or the files. */
#include <errno.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "engine/build-private.h"
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

int build_names(const Build *build, char ***ret, Error *err) {
        return full_names(build->request->tags, ret, err);
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
                }
                reference_done(&reference);
        }
        return r;
}

int build_make_image(Build *build, const Plan *plan, SolveResult *result, char *const *names,
                     char **ret_id, Error *err) {
        _cleanup_strv_ char **chains = NULL;
        int r = builder_store_layers(build, result->layers, plan_source_date_epoch(plan), &chains,
                                     err);

        if (r == 0)
                r = failpoint("build.layers", err);
        if (r == 0 && build_wants_inline(build))
                r = build_add_inline(build, result, err);
        if (r < 0)
                return r;
        r = image_make(build->engine->images, &result->config, chains, names,
                       &build->request->annotations, ret_id, err);
        return r < 0 ? r : failpoint("build.made", err);
}

/* ---- files ---- */

static int write_tar(Build *build, const Plan *plan, int root_fd, Error *err) {
        const PackOptions options = { .epoch = plan_source_date_epoch(plan),
                                      .cancelled = build_cancelled,
                                      .data = build };

        return pack_directory(root_fd, build->request->output_fd, &options, NULL, NULL, err);
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

static int write_root(Build *build, const Plan *plan, const SolveResult *result, Error *err) {
        _cleanup_close_ int root_fd = -1;
        int r = build_open_root(build, result, &root_fd, err);

        if (r < 0)
                return r;
        return str_equal(build->request->output, "tar")
                       ? write_tar(build, plan, root_fd, err)
                       : build_write_files(build, plan, root_fd, build->request->output_fd, err);
}

static int write_archive(Build *build, const char *id, char *const *names, Error *err) {
        char *by_id[] = { (char *)id, NULL };

        return image_save(build->engine->images, names && *names ? names : by_id,
                          build->request->output_fd, err);
}

int build_export(Build *build, Plan *plan, SolveResult *result, char **ret_id, Error *err) {
        const BuildRequest *request = build->request;
        const char *output = request->output_fd >= 0 ? request->output : NULL;
        bool archive = output && (str_equal(output, "docker") || str_equal(output, "oci"));
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *id = NULL;
        int r = build_names(build, &names, err);

        if (r == 0 && (request->output_image || archive || !output))
                r = build_make_image(build, plan, result, names, &id, err);
        if (r == 0 && id)
                r = build_tell_image(build, id, names, err);
        build->delivering = r == 0;
        if (r == 0 && archive)
                r = write_archive(build, id, names, err);
        else if (r == 0 && output)
                r = write_root(build, plan, result, err);
        if (r == 0)
                r = build_send_caches(build, result, plan_source_date_epoch(plan), err);
        if (r == 0)
                *ret_id = TAKE_PTR(id);
        return r;
}
