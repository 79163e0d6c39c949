/* tree-target.c: where a copy goes in the destination's root, by Docker's rules. The links of a
 * destination are followed within the root, the last one too, also where nothing is there yet; a
 * link that a copied directory meets is replaced. */
#include "build/tree-target.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fd.h"

void target_done(Target *target) {
        close_fd(&target->dir_fd);
        free(target->dir);
        free(target->name);
        target->dir = target->name = NULL;
}

void made_directories_done(MadeDirectories *made) {
        made->paths = strv_free(made->paths);
        made->count = 0;
}

void made_directories_drop(MadeDirectories *made, const char *path) {
        size_t kept = 0;

        for (size_t i = 0; i < made->count; i++)
                if (str_equal(made->paths[i], path))
                        free(made->paths[i]);
                else
                        made->paths[kept++] = made->paths[i];
        if (made->paths)
                made->paths[kept] = NULL;
        made->count = kept;
}

/* Those that were there before keep their times. */
int made_directories_finish(const MadeDirectories *made, int root_fd, int64_t epoch, Error *err) {
        const struct timespec times[2] = { { .tv_sec = epoch }, { .tv_sec = epoch } };

        for (size_t i = 0; epoch >= 0 && i < made->count; i++) {
                _cleanup_close_ int fd = tree_open(root_fd, made->paths[i], O_RDONLY | O_DIRECTORY);

                if (fd < 0 || futimens(fd, times) < 0)
                        return error_set(err, fd < 0 ? -fd : errno, "set the time of '/%s'",
                                         made->paths[i]);
        }
        return 0;
}

int not_directory(const char *path, Error *err) {
        path += strspn(path, "/");
        return error_kind(err, ERROR_INVALID,
                          "cannot copy to non-directory: /%s: name a directory, or remove it "
                          "before",
                          path);
}

int clear_target(int dir_fd, const char *name, const char *path, Error *err) {
        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno == EISDIR)
                return error_kind(err, ERROR_INVALID,
                                  "cannot replace directory /%s with a file: remove it before",
                                  path);
        return error_set(err, errno, "replace '/%s'", path);
}

static bool asks_for_directory(const char *dest) {
        size_t length = strlen(dest);

        return length == 0 || dest[length - 1] == '/' || str_ends(dest, "/.") ||
               str_equal(dest, ".");
}

/* Without slashes at either end. The caller's. */
static char *clean_dest(const char *dest) {
        _cleanup_free_ char *rooted = str_format("/%s", dest);
        _cleanup_free_ char *clean = ignore_clean_path(rooted);

        return str_copy(clean + 1);
}

/* Whether a path, links followed within the root, is a directory; *ret_path is it without links. */
static bool is_directory(int root_fd, const char *path, char **ret_path) {
        _cleanup_(resolver_done) Resolver resolver = { .root_fd = root_fd };
        _cleanup_close_ int fd = -1;

        if (resolver_run(&resolver, path) < 0)
                return false;
        fd = tree_open(root_fd, resolver.done.length ? resolver.done.data : "",
                       O_PATH | O_DIRECTORY);
        if (fd < 0)
                return false;
        if (ret_path)
                *ret_path = buf_take(&resolver.done);
        return true;
}

int target_require_directory(int root_fd, const CopyOptions *options, Error *err) {
        if (options->parents || asks_for_directory(options->dest) ||
            is_directory(root_fd, options->dest, NULL))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "when using COPY or ADD with more than one source file, the destination "
                          "must be a directory and end with a /: '%s' does not",
                          options->dest);
}

/* Opens the directory at path, made where it is missing. */
static int enter(Target *target, const CopyOptions *options, const char *path,
                 MadeDirectories *made, Error *err) {
        _cleanup_(resolver_done) Resolver resolver = { .root_fd = target->root_fd,
                                                       .make = true,
                                                       .replace = options->replace_links,
                                                       .uid = options->uid,
                                                       .gid = options->gid };
        int r = resolver_run(&resolver, path);

        target_done(target);
        for (char **each = resolver.made; each && *each; each++)
                strv_take_at(&made->paths, made->count++, str_copy(*each));
        if (r == -ENOTDIR)
                return not_directory(path, err);
        if (r < 0)
                return error_set(err, r, "make directory '/%s'", path);
        target->dir = buf_take(&resolver.done);
        target->dir_fd = tree_open(target->root_fd, target->dir, O_RDONLY | O_DIRECTORY);
        if (target->dir_fd < 0)
                return error_set(err, target->dir_fd, "open directory '/%s'", target->dir);
        return 0;
}

/* A directory that a directory's content makes is a directory that was copied, so chmod counts. */
static int apply_chmod(const Target *target, const CopyOptions *options, Error *err) {
        unsigned mode;
        int r = mode_apply(options->chmod, 0755, true, &mode, err);

        if (r == 0 && fchmod(target->dir_fd, mode) < 0)
                r = error_set(err, errno, "change the mode of '/%s'", target->dir);
        return r;
}

int target_directory(Target *target, const CopyOptions *options, MadeDirectories *made,
                     Error *err) {
        _cleanup_free_ char *path = clean_dest(options->dest);
        size_t before = made->count;
        int r = enter(target, options, path, made, err);

        if (r == 0 && options->chmod && made->count > before)
                r = apply_chmod(target, options, err);
        return r;
}

/* The directory that a file at path lies in; *ret_directory where path itself is one. */
static int enter_parent(Target *target, const CopyOptions *options, const char *path,
                        MadeDirectories *made, char **ret_directory, Error *err) {
        _cleanup_free_ char *parent = tree_parent(path), *whole = NULL;
        _cleanup_close_ int fd = -1;
        int r = enter(target, options, parent, made, err);

        if (r < 0)
                return r;
        whole = tree_path(target->dir, tree_base_name(path));
        fd = tree_open(target->root_fd, whole, O_PATH | O_DIRECTORY);
        if (fd >= 0)
                *ret_directory = TAKE_PTR(whole);
        return 0;
}

/* What a link at *path itself names becomes *path; its parent may still have links, and what keeps
 * it from being reached is for enter to tell. */
static int follow_link(int root_fd, char **path, bool *ret_followed, Error *err) {
        _cleanup_(resolver_done) Resolver resolver = { .root_fd = root_fd };
        _cleanup_free_ char *parent = tree_parent(*path), *whole = NULL, *names = NULL;
        _cleanup_close_ int fd = -1;
        struct stat status;
        int r;

        *ret_followed = false;
        if (resolver_run(&resolver, parent) < 0)
                return 0;
        whole = tree_path(resolver.done.length ? resolver.done.data : "", tree_base_name(*path));
        fd = tree_open(root_fd, whole, O_PATH | O_NOFOLLOW);
        if (fd < 0)
                return 0;
        if (fstat(fd, &status) < 0)
                return error_set(err, errno, "look at '/%s'", whole);
        if (!S_ISLNK(status.st_mode))
                return 0;
        r = link_target(fd, "", whole, &names, err);
        if (r < 0)
                return r;
        for (size_t length = strlen(names); length > 1 && names[length - 1] == '/'; length--)
                names[length - 1] = '\0';
        free(*path);
        *path = *names == '/' ? str_copy(names)
                              : tree_path(resolver.done.length ? resolver.done.data : "", names);
        *ret_followed = true;
        return 0;
}

static int follow_links(int root_fd, char **path, Error *err) {
        _cleanup_free_ char *first = str_copy(*path);
        bool followed = true;

        for (unsigned links = 0; followed; links++) {
                int r = links > LINKS_MAX
                                ? error_set(err, ELOOP, "follow the links of '/%s'", first)
                                : follow_link(root_fd, path, &followed, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int target_file(Target *target, const CopyOptions *options, const char *name, MadeDirectories *made,
                Error *err) {
        _cleanup_free_ char *path = clean_dest(options->dest), *directory = NULL;
        int r = 0;

        if (asks_for_directory(options->dest)) {
                directory = str_copy(path);
        } else if (options->replace_links || !is_directory(target->root_fd, path, &directory)) {
                if (!options->replace_links)
                        r = follow_links(target->root_fd, &path, err);
                if (r == 0)
                        r = enter_parent(target, options, path, made, &directory, err);
        }
        if (r == 0 && directory)
                r = enter(target, options, directory, made, err);
        if (r == 0)
                target->name = str_copy(directory ? name : tree_base_name(path));
        return r;
}
