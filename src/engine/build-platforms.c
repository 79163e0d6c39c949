/* build-platforms.c: what a build for several platforms gives: a directory for each. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/build-private.h"

static bool is_split(const BuildRequest *request) {
        return request->output_fd >= 0 && request->output && str_equal(request->output, "local");
}

int build_platforms_check(const Build *build, Error *err) {
        const BuildRequest *request = build->request;

        if (strv_length(build->platforms) < 2 || (is_split(request) && !request->output_image))
                return 0;
        return error_kind(err, ERROR_UNSUPPORTED,
                          "an image of several platforms is not done: give --output "
                          "type=local,dest=DIRECTORY, or build for one platform after the other");
}

/* "linux_arm64", as BuildKit calls it; the caller's to close. */
static int open_part(const Build *build, const Plan *plan, int *ret_fd, Error *err) {
        const BuildRequest *request = build->request;
        _cleanup_free_ char *name = str_copy(plan_target_platform(plan));

        for (char *c = name; *c; c++)
                if (*c == '/')
                        *c = '_';
        int r = dir_open_at(request->output_fd, name, 0755, ret_fd, err);
        if (r == 0 && request->output_uid != -1 &&
            fchown(*ret_fd, (uid_t)request->output_uid, (gid_t)request->output_gid) < 0)
                r = error_set(err, errno, "give '%s' its owner", name);
        return r;
}

int build_export_platforms(Build *build, Plan *const *plans, SolveResult *results, char **ret_id,
                           Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < strv_length(build->platforms); i++) {
                _cleanup_close_ int part_fd = -1;

                r = open_part(build, plans[i], &part_fd, err);
                if (r == 0)
                        r = build_write_files(build, plans[i], &results[i], part_fd, err);
        }
        *ret_id = NULL;
        return r;
}
