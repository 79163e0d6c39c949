/* build-platforms.c: what a build for several platforms gives: an index of the images, which has
 * the names; or a directory for each. */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/build-private.h"
#include "image/pack.h"

/* What there is of each platform: a plan, a result, and what is made of them. */
typedef struct Platforms {
        Build *build;
        Plan *const *plans;
        SolveResult *results;
        size_t count;
} Platforms;

/* "linux_arm64", as BuildKit calls its directory; the caller's. */
static char *directory_of(const Plan *plan) {
        char *name = str_copy(plan_target_platform(plan));

        for (char *c = name; *c; c++)
                if (*c == '/')
                        *c = '_';
        return name;
}

/* ---- files ---- */

static int write_directory(const Platforms *platforms, size_t number, Error *err) {
        const BuildRequest *request = platforms->build->request;
        const Plan *plan = platforms->plans[number];
        _cleanup_free_ char *name = directory_of(plan);
        _cleanup_close_ int root_fd = -1, dir_fd = -1;
        int r = dir_open_at(request->output_fd, name, 0755, &dir_fd, err);

        if (r == 0 && request->output_uid != -1 &&
            fchown(dir_fd, (uid_t)request->output_uid, (gid_t)request->output_gid) < 0)
                r = error_set(err, errno, "give '%s' its owner", name);
        if (r == 0)
                r = build_open_root(platforms->build, &platforms->results[number], &root_fd, err);
        return r < 0 ? r : build_write_files(platforms->build, plan, root_fd, dir_fd, err);
}

static int write_directories(const Platforms *platforms, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < platforms->count; i++)
                r = write_directory(platforms, i, err);
        return r;
}

static int write_tar(const Platforms *platforms, Error *err) {
        Build *build = platforms->build;
        const PackOptions options = { .epoch = plan_source_date_epoch(platforms->plans[0]),
                                      .cancelled = build_cancelled,
                                      .data = build };
        PackPart *parts = NEW_ARRAY(PackPart, platforms->count);
        int r = 0;

        for (size_t i = 0; i < platforms->count; i++) {
                parts[i] = (PackPart){ .dir_fd = -1, .name = directory_of(platforms->plans[i]) };
                if (r == 0)
                        r = build_open_root(build, &platforms->results[i], &parts[i].dir_fd, err);
        }
        if (r == 0)
                r = pack_parts(parts, platforms->count, build->request->output_fd, &options, err);
        for (size_t i = 0; i < platforms->count; i++) {
                close_fd(&parts[i].dir_fd);
                free(parts[i].name);
        }
        free(parts);
        return r;
}

/* ---- images ---- */

static int make_index(const Platforms *platforms, char *const *names, char **ret, Error *err) {
        Build *build = platforms->build;
        _cleanup_strv_ char **ids = NULL;
        char digest[DIGEST_TEXT_MAX];
        int r = 0;

        for (size_t i = 0; r == 0 && i < platforms->count; i++) {
                char *id = NULL;

                r = build_make_image(build, platforms->plans[i], &platforms->results[i], NULL, &id,
                                     err);
                strv_take(&ids, id);
        }
        if (r == 0)
                r = image_index_make(build->engine->images, ids, names,
                                     &build->request->annotations, digest, err);
        if (r == 0)
                *ret = str_copy(digest);
        return r;
}

/* By one of its names: the others, which mean the same, come with it. */
static int write_archive(const Platforms *platforms, char *const *names, Error *err) {
        Build *build = platforms->build;

        return image_save(build->engine->images, names, build->request->output_fd, err);
}

static bool wants_image(const BuildRequest *request) {
        return request->output_image || request->output_fd < 0 ||
               str_equal(request->output, "docker") || str_equal(request->output, "oci");
}

int build_platforms_check(const Build *build, Error *err) {
        const BuildRequest *request = build->request;

        if (strv_length(build->platforms) < 2 || !wants_image(request) ||
            (request->tags && *request->tags))
                return 0;
        return error_kind(
                err, ERROR_INVALID,
                "an image of several platforms needs a name, by which it is kept: give one "
                "with -t");
}

int build_export_platforms(Build *build, Plan *const *plans, SolveResult *results, char **ret_id,
                           Error *err) {
        const BuildRequest *request = build->request;
        const char *output = request->output_fd >= 0 ? request->output : NULL;
        const Platforms platforms = { build, plans, results, strv_length(build->platforms) };
        bool archive = output && (str_equal(output, "docker") || str_equal(output, "oci"));
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *digest = NULL;
        int r = build_names(build, &names, err);

        if (r == 0 && wants_image(request)) {
                r = make_index(&platforms, names, &digest, err);
                if (r == 0)
                        r = build_tell_image(build, digest, names, err);
        }
        if (r == 0 && archive)
                r = write_archive(&platforms, names, err);
        else if (r == 0 && output)
                r = str_equal(output, "tar") ? write_tar(&platforms, err)
                                             : write_directories(&platforms, err);
        if (r == 0)
                *ret_id = TAKE_PTR(digest);
        return r;
}
