/* tree-place.c: names below a root. Links are followed by hand, a component and a descriptor at a
 * time, so that what was resolved is known as a path without links; the kernel then refuses any
 * other (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS). */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "build/tree-private.h"

#define ATTEMPTS 16

/* EAGAIN: something was renamed meanwhile. */
int tree_open(int root_fd, const char *path, int flags) {
        struct open_how how = {
                .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };

        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
                int fd = (int)syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));

                if (fd >= 0)
                        return fd;
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
        }
        return -EAGAIN;
}

char *tree_path(const char *directory, const char *name) {
        return *directory ? str_format("%s/%s", directory, name) : str_copy(name);
}

const char *tree_base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

char *tree_parent(const char *path) {
        const char *slash = strrchr(path, '/');

        return str_copy_n(path, slash ? (size_t)(slash - path) : 0);
}

int tree_check_cancelled(const TreeJob *job, Error *err) {
        return job && job->cancelled && job->cancelled(job->data)
                       ? error_set(err, ECANCELED, "the build was cancelled")
                       : 0;
}

/* ---- resolving ---- */

void resolver_done(Resolver *resolver) {
        buf_done(&resolver->done);
        resolver->made = strv_free(resolver->made);
}

static void drop_component(Buf *path) {
        const char *slash = path->length ? strrchr(path->data, '/') : NULL;

        path->length = slash ? (size_t)(slash - path->data) : 0;
        if (path->data)
                path->data[path->length] = '\0';
}

static void add_component(Buf *path, const char *component) {
        if (path->length > 0)
                buf_add_char(path, '/');
        buf_add_str(path, component);
}

static const char *done_path(const Resolver *resolver) {
        return resolver->done.length ? resolver->done.data : "";
}

static uint32_t id_or_root(int64_t id) {
        return id < 0 ? 0 : (uint32_t)id;
}

static int make_component(Resolver *resolver, const char *component) {
        _cleanup_close_ int parent_fd =
                tree_open(resolver->root_fd, done_path(resolver), O_RDONLY | O_DIRECTORY);
        _cleanup_close_ int fd = -1;

        if (parent_fd < 0)
                return parent_fd;
        if (mkdirat(parent_fd, component, 0755) < 0)
                return -errno;
        fd = openat(parent_fd, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        /* Again the mode: mkdir's goes through the umask and a set-group-id parent. */
        if (fd < 0 || fchown(fd, id_or_root(resolver->uid), id_or_root(resolver->gid)) < 0 ||
            fchmod(fd, 0755) < 0)
                return -errno;
        return 0;
}

static int replace_link(Resolver *resolver, const char *component) {
        _cleanup_close_ int parent_fd =
                tree_open(resolver->root_fd, done_path(resolver), O_RDONLY | O_DIRECTORY);

        if (parent_fd < 0)
                return parent_fd;
        if (unlinkat(parent_fd, component, 0) < 0)
                return -errno;
        return make_component(resolver, component);
}

/* Puts the link's target before the rest of the path. */
static int follow(Resolver *resolver, int link_fd, const char *path, char **rest) {
        _cleanup_free_ char *target = NULL;
        char *joined;
        int r;

        if (ignore_matches(resolver->hidden, path, NULL))
                return -ENOENT;
        r = link_target(link_fd, "", path, &target, NULL);
        if (r < 0)
                return r;
        if (*target == '/')
                buf_clear(&resolver->done);
        joined = str_format("%s/%s", target, *rest);
        free(*rest);
        *rest = joined;
        return 0;
}

typedef enum Step { STEP_TAKEN, STEP_FOLLOWED } Step;

/* last: nothing comes behind the component. */
static int take_component(Resolver *resolver, const char *component, bool last, char **rest) {
        _cleanup_free_ char *path = tree_path(done_path(resolver), component);
        _cleanup_close_ int fd = tree_open(resolver->root_fd, path, O_PATH | O_NOFOLLOW);
        struct stat status;
        int r = fd < 0 ? fd : 0;

        if (r == -ENOENT && resolver->make) {
                r = make_component(resolver, component);
                if (r == 0)
                        strv_add(&resolver->made, path);
                return r < 0 ? r : STEP_TAKEN;
        }
        if (r < 0)
                return r;
        if (fstat(fd, &status) < 0)
                return -errno;
        if (S_ISLNK(status.st_mode)) {
                if (!resolver->replace)
                        return follow(resolver, fd, path, rest) ?: STEP_FOLLOWED;
                r = replace_link(resolver, component);
                if (r == 0)
                        strv_add(&resolver->made, path);
                return r < 0 ? r : STEP_TAKEN;
        }
        if (!S_ISDIR(status.st_mode) && (!last || resolver->make))
                return -ENOTDIR;
        return STEP_TAKEN;
}

int resolver_run(Resolver *resolver, const char *path) {
        _cleanup_free_ char *rest = str_copy(path);
        unsigned links = 0;

        buf_clear(&resolver->done);
        for (;;) {
                const char *start = rest + strspn(rest, "/");
                size_t length = strcspn(start, "/");
                _cleanup_free_ char *component = str_copy_n(start, length);
                _cleanup_free_ char *after = str_copy(start + length);
                int r;

                if (length == 0)
                        return 0;
                free(rest);
                rest = TAKE_PTR(after);
                if (str_equal(component, "."))
                        continue;
                if (str_equal(component, "..")) {
                        drop_component(&resolver->done);
                        continue;
                }
                r = take_component(resolver, component, rest[strspn(rest, "/")] == '\0', &rest);
                if (r < 0)
                        return r;
                if (r == STEP_FOLLOWED && ++links > LINKS_MAX)
                        return -ELOOP;
                if (r == STEP_TAKEN)
                        add_component(&resolver->done, component);
        }
}

int tree_make_directory(int root_fd, const char *path, int64_t uid, int64_t gid, bool *ret_made,
                        Error *err) {
        _cleanup_(resolver_done)
                Resolver resolver = { .root_fd = root_fd, .make = true, .uid = uid, .gid = gid };
        int r = resolver_run(&resolver, path);

        if (r == -ENOTDIR)
                return error_kind(err, ERROR_INVALID,
                                  "cannot make directory '%s': something on its way is no "
                                  "directory",
                                  path);
        if (r < 0)
                return error_set(err, r, "make directory '%s'", path);
        if (ret_made)
                *ret_made = resolver.made != NULL;
        return 0;
}
