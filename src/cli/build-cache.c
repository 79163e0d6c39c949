/* build-cache.c: what --cache-from and --cache-to ask for, in a build's two requests; the
 * directories that they name are opened here. */
#include <errno.h>
#include <fcntl.h>

#include "cli/build-options.h"

static int check(char *const *texts, bool to, Error *err) {
        for (; texts && *texts; texts++) {
                _cleanup_(cache_spec_done) CacheSpec spec = {};
                int r = cache_spec_parse(*texts, to, &spec, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int build_caches_check(const BuildOptions *options, Error *err) {
        int r = check(options->cache_from, false, err);

        return r < 0 ? r : check(options->cache_to, true, err);
}

/* A directory that is read and is not there is a cache that is lost, which is no error. */
static int open_path(const CacheSpec *spec, bool to, int *ret_fd, Error *err) {
        if (to)
                return build_directory_open(spec->path, "a cache", ret_fd, err);
        *ret_fd = open(spec->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*ret_fd >= 0)
                return 0;
        return errno == ENOENT ? 0 : error_set(err, errno, "cache '%s'", spec->path);
}

static int add_cache(const char *text, bool to, JsonArray *documents, BuildFds *fds, Error *err) {
        static const JsonTable size = { .size = sizeof(BuildCacheDocument) };
        _cleanup_(cache_spec_done) CacheSpec spec = {};
        BuildCacheDocument *document;
        int fd = -1;
        int r = cache_spec_parse(text, to, &spec, err);

        if (r == 0 && spec.path)
                r = open_path(&spec, to, &fd, err);
        if (r < 0)
                return r;
        if (spec.path && fd < 0) {
                (void)fprintf(stderr, "WARNING: cache '%s' is not there: it is not used\n",
                              spec.path);
                return 0;
        }
        document = json_append(documents, &size);
        document->type = TAKE_PTR(spec.type);
        document->ref = TAKE_PTR(spec.ref);
        document->tag = TAKE_PTR(spec.tag);
        document->digest = TAKE_PTR(spec.digest);
        document->path = TAKE_PTR(spec.path);
        document->max = spec.max;
        document->ignore_error = spec.ignore_error;
        if (fd >= 0) {
                document->fd = NEW(int64_t);
                *document->fd = build_fds_add(fds, fd);
        }
        return 0;
}

int build_caches_add(const BuildOptions *options, BuildDocument *document, BuildFds *fds,
                     Error *err) {
        int r = 0;

        for (char **text = options->cache_from; r == 0 && text && *text; text++)
                r = add_cache(*text, false, &document->cache_from, fds, err);
        for (char **text = options->cache_to; r == 0 && text && *text; text++)
                r = add_cache(*text, true, &document->cache_to, fds, err);
        return r;
}

int build_caches_classic(BuildOptions *options, Error *err) {
        for (char **text = options->cache_from; text && *text; text++) {
                _cleanup_(cache_spec_done) CacheSpec spec = {};
                int r = cache_spec_parse(*text, false, &spec, err);

                if (r < 0)
                        return r;
                if (!spec.ref)
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "cache '%s': a daemon that is reached this way reads "
                                          "caches of images only: type=registry",
                                          *text);
                strv_add(&options->cache_names, spec.ref);
        }
        for (char **text = options->cache_to; text && *text; text++) {
                _cleanup_(cache_spec_done) CacheSpec spec = {};
                int r = cache_spec_parse(*text, true, &spec, err);

                if (r < 0)
                        return r;
                if (!str_equal(spec.type, "inline"))
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "cache '%s': a daemon that is reached this way writes "
                                          "caches into images only: type=inline",
                                          *text);
                strv_add(&options->args, "BUILDKIT_INLINE_CACHE=1");
        }
        return 0;
}
