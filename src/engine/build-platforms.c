/* build-platforms.c: what a build for several platforms gives: an index of the images, which has
 * the names; or a directory for each. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/build-private.h"
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

int build_platforms_check(const Build *build, Error *err) {
        const BuildRequest *request = build->request;
        _cleanup_strv_ char **names = NULL;
        int r;

        if (strv_length(build->platforms) < 2)
                return 0;
        if (request->cache_to_count > 0)
                return error_kind(err, ERROR_INVALID,
                                  "a build for several platforms gives no cache away (--cache-to): "
                                  "build for one platform at a time with a cache each");
        for (size_t i = 0; i < request->output_count; i++) {
                const BuildOutput *output = &request->outputs[i];

                if (build_is_image(output) && output->fd >= 0 &&
                    output->form.compression != LAYERS_AS_KEPT &&
                    output->form.compression != LAYERS_UNCOMPRESSED)
                        return error_kind(err, ERROR_INVALID,
                                          "compression=… of an archive of several platforms is not "
                                          "done: push the image (type=registry), or build for one "
                                          "platform at a time");
        }
        if (!build_wants_image(request))
                return 0;
        r = build_names(build, &names, err);
        if (r < 0 || names)
                return r;
        return error_kind(
                err, ERROR_INVALID,
                "an image of several platforms needs a name, by which it is kept: give one "
                "with -t, or name=… of the output");
}

static int write_output(const Platforms *platforms, const BuildOutput *output, const char *digest,
                        char *const *names, Error *err) {
        if (str_equal(output->type, "tar"))
                return write_tar(platforms, output->fd, err);
        if (!build_is_image(output))
                return write_directories(platforms, output->fd, err);
        if (output->fd >= 0)
                return build_write_archive(platforms->build, output, digest, names, err);
        return output->push ? build_push_output(platforms->build, output, err) : 0;
}

int build_export_platforms(Build *build, Plan *const *plans, SolveResult *results, char **ret_id,
                           Error *err) {
        const BuildRequest *request = build->request;
        const Platforms platforms = { build, plans, results, strv_length(build->platforms) };
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *digest = NULL;
        int r = build_names(build, &names, err);

        if (r == 0 && build_wants_image(request)) {
                r = make_index(&platforms, names, &digest, err);
                if (r == 0)
                        r = build_tell_image(build, digest, names, err);
        }
        build->delivering = r == 0;
        for (size_t i = 0; r == 0 && i < request->output_count; i++)
                r = write_output(&platforms, &request->outputs[i], digest, names, err);
        if (r == 0)
                *ret_id = TAKE_PTR(digest);
        return r;
}
