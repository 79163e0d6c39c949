/* build-platforms.c: what a build for several platforms gives: an index of the images, which has
 * the names; or a directory for each. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
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

/* What the client's directory has of that name leads nowhere else: no link is followed out of it.
 */
static int open_directory(int into_fd, const char *name, int *ret_fd, Error *err) {
        if (mkdirat(into_fd, name, 0755) < 0 && errno != EEXIST)
                return error_set(err, errno, "make the directory '%s'", name);
        *ret_fd = open_in_root(into_fd, name, O_RDONLY | O_DIRECTORY,
                               RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
        return *ret_fd < 0 ? error_set(err, errno, "open the output's directory '%s'", name) : 0;
}

static int write_directory(const Platforms *platforms, size_t number, int into_fd, Error *err) {
        const BuildRequest *request = platforms->build->request;
        const Plan *plan = platforms->plans[number];
        _cleanup_free_ char *name = directory_of(plan);
        _cleanup_close_ int root_fd = -1, dir_fd = -1;
        int r = open_directory(into_fd, name, &dir_fd, err);

        if (r == 0 && request->output_uid != -1 &&
            fchown(dir_fd, (uid_t)request->output_uid, (gid_t)request->output_gid) < 0)
                r = error_set(err, errno, "give '%s' its owner", name);
        if (r == 0)
                r = build_open_root(platforms->build, &platforms->results[number], &root_fd, err);
        return r < 0 ? r : build_write_files(platforms->build, plan, root_fd, dir_fd, err);
}

static int write_directories(const Platforms *platforms, int into_fd, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < platforms->count; i++)
                r = write_directory(platforms, i, into_fd, err);
        return r;
}

static int write_tar(const Platforms *platforms, int tar_fd, Error *err) {
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
                r = pack_parts(parts, platforms->count, tar_fd, &options, err);
        for (size_t i = 0; i < platforms->count; i++) {
                close_fd(&parts[i].dir_fd);
                free(parts[i].name);
        }
        free(parts);
        return r;
}

/* ---- images ---- */

static int make_images(const Platforms *platforms, char ***ret, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < platforms->count; i++) {
                char *id = NULL;

                r = build_make_image(platforms->build, platforms->plans[i], i,
                                     &platforms->results[i], NULL, &id, err);
                strv_take(ret, id);
        }
        return r;
}

/* The store has one manifest of an image. */
static int check_shared(const Platforms *platforms, char *const *ids,
                        const ImageAnnotations *annotations, Error *err) {
        char *const *names = platforms->build->platforms;

        for (size_t i = 0; i < platforms->count; i++)
                for (size_t j = 0; j < i; j++)
                        if (str_equal(ids[i], ids[j]) &&
                            !pairs_equal(&annotations->manifests[i].manifest,
                                         &annotations->manifests[j].manifest))
                                return error_kind(err, ERROR_UNSUPPORTED,
                                                  "%s and %s are the same image, and so have one "
                                                  "manifest: annotate both in the same way, or "
                                                  "their descriptors (manifest-descriptor)",
                                                  names[j], names[i]);
        return 0;
}

/* The build has a lease of the images until it ends: nobody removes them before the index is there.
 * *ret_new: it was not there before. */
static int make_index(const Platforms *platforms, char *const *names, char **ret, bool *ret_new,
                      Error *err) {
        Build *build = platforms->build;
        _cleanup_strv_ char **ids = NULL;
        char digest[DIGEST_TEXT_MAX];
        int r = make_images(platforms, &ids, err);
        ImageAnnotations annotations = build_annotations_of_all(build);
        const IndexMake make = { .ids = ids,
                                 .platforms = build->platforms,
                                 .names = names,
                                 .annotations = &annotations,
                                 .lease = build->holder };

        if (r == 0)
                r = failpoint("build.platforms", err);
        if (r == 0)
                r = check_shared(platforms, ids, &annotations, err);
        if (r == 0)
                r = image_index_make(build->engine->images, &make, digest, ret_new, err);
        image_annotations_done(&annotations);
        if (r == 0)
                *ret = str_copy(digest);
        return r;
}

/* What a registry has names the layers that it has, and so has another digest: that is the build's
 * outcome then, here, too. */
static int settle_digest(const Platforms *platforms, char *const *names, bool is_new, char **digest,
                         Error *err) {
        Build *build = platforms->build;
        int r = 0;

        if (*build->pushed.digest)
                r = image_index_replace(build->engine->images, *digest, build->pushed.digest, names,
                                        is_new ? build->holder : NULL, err);
        if (r == 0 && *build->pushed.digest)
                str_replace(digest, build->pushed.digest);
        return r < 0 ? r : build_tell_image(build, *digest, names, err);
}

static int write_output(const Platforms *platforms, const BuildOutput *output, const char *digest,
                        Error *err) {
        if (str_equal(output->type, "tar"))
                return write_tar(platforms, output->fd, err);
        if (!build_is_image(output))
                return write_directories(platforms, output->fd, err);
        if (output->fd >= 0)
                return build_write_archive(platforms->build, output, digest, err);
        return output->push ? build_push_output(platforms->build, output, digest, err) : 0;
}

int build_export_platforms(Build *build, Plan *const *plans, SolveResult *results, char **ret_id,
                           Error *err) {
        const BuildRequest *request = build->request;
        const Platforms platforms = { build, plans, results, strv_length(build->platforms) };
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *digest = NULL;
        bool is_new = false;
        int r = build_names(build, &names, err);

        if (r == 0 && build_wants_image(request))
                r = make_index(&platforms, names, &digest, &is_new, err);
        build->delivering = r == 0;
        for (size_t i = 0; r == 0 && i < request->output_count; i++)
                r = write_output(&platforms, &request->outputs[i], digest, err);
        if (r == 0 && digest)
                r = settle_digest(&platforms, names, is_new, &digest, err);
        if (r == 0)
                r = build_send_caches(build, results, platforms.count,
                                      plan_source_date_epoch(plans[0]), err);
        if (r == 0)
                *ret_id = TAKE_PTR(digest);
        return r;
}
