/* cp-path.c: see cp-path.h. */
#include "cli/cp-path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

#define LINKS_MAX 10 /* Docker's */

void cp_end_done(CpEnd *end) {
        free(end->path);
        free(end->name);
        *end = (CpEnd){};
}

void cp_argument_split(const char *argument, char **ret_container, char **ret_path) {
        const char *colon = strchr(argument, ':');
        bool local = *argument == '/' || *argument == '.' || !colon;

        *ret_container = local ? NULL : str_copy_n(argument, (size_t)(colon - argument));
        *ret_path = str_copy(local ? argument : colon + 1);
}

/* ---- text ---- */

static const char *last_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static bool ends_with_dot(const char *path) {
        return !*path || str_equal(last_name(path), ".");
}

static bool says_directory(const char *path) {
        return ends_with_dot(path) || str_ends(path, "/");
}

static void drop_name(Buf *clean) {
        while (clean->length > 0 && clean->data[--clean->length] != '/')
                ;
        clean->data[clean->length] = '\0';
}

char *cp_path_clean(const char *path) {
        bool absolute = *path == '/';
        _cleanup_buf_ Buf clean = {};

        buf_add_str(&clean, "");
        for (const char *c = path + strspn(path, "/"); *c; c += strspn(c, "/")) {
                size_t length = strcspn(c, "/");
                bool up = length == 2 && c[0] == '.' && c[1] == '.';
                bool above = clean.length == 0 || str_equal(last_name(clean.data), "..");

                if (up && !above) {
                        drop_name(&clean);
                } else if ((up && !absolute) || (!up && (length != 1 || *c != '.'))) {
                        if (clean.length > 0)
                                buf_add_char(&clean, '/');
                        buf_add(&clean, c, length);
                }
                c += length;
        }
        if (absolute)
                return str_format("/%s", clean.data);
        return clean.length > 0 ? buf_take(&clean) : str_copy(".");
}

void cp_path_split(const char *path, char **ret_directory, char **ret_name) {
        _cleanup_free_ char *clean = cp_path_clean(path), *dotted = NULL;
        const char *whole = clean, *slash;

        if (ends_with_dot(path)) {
                dotted = str_format("%s/.", str_equal(clean, "/") ? "" : clean);
                whole = dotted;
        }
        slash = strrchr(whole, '/');
        *ret_name = str_copy(str_equal(whole, "/") ? "/" : slash ? slash + 1 : whole);
        *ret_directory = !slash           ? str_copy(".")
                         : slash == whole ? str_copy("/")
                                          : str_copy_n(whole, (size_t)(slash - whole));
}

char *cp_path_join_link(const char *link, const char *target) {
        _cleanup_free_ char *directory = NULL, *name = NULL, *joined = NULL;

        if (*target == '/')
                return str_copy(target);
        cp_path_split(link, &directory, &name);
        joined = str_format("%s/%s", directory, target);
        return cp_path_clean(joined);
}

/* ---- links ---- */

/* The last name of the cleaned path, "/" for the root. */
static char *base_of(const char *path) {
        char *directory, *name;

        cp_path_split(path, &directory, &name);
        free(directory);
        return name;
}

void cp_end_follow(CpEnd *end, const char *path, const char *target) {
        const char *ending = ends_with_dot(path) && !ends_with_dot(target)   ? "/."
                             : str_ends(path, "/") && !str_ends(target, "/") ? "/"
                                                                             : "";
        char *resolved = str_format("%s%s", target, ending);
        _cleanup_free_ char *before = base_of(path), *after = base_of(resolved);

        free(end->path);
        end->path = resolved;
        if (!str_equal(before, after))
                str_replace(&end->name, before);
}

static int local_failed(const char *path, Error *err) {
        ErrorKind kind = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_INVALID;

        return error_kind(err, kind, "lstat %s: %s", path,
                          errno == ENOENT    ? "no such file or directory"
                          : errno == ENOTDIR ? "not a directory"
                                             : strerror(errno));
}

char *cp_path_absolute(const char *path) {
        char here[PATH_MAX];
        _cleanup_free_ char *joined = NULL, *clean = NULL;

        if (*path != '/' && !getcwd(here, sizeof(here)))
                return NULL;
        joined = *path == '/' ? str_copy(path) : str_format("%s/%s", here, path);
        clean = cp_path_clean(joined);
        if (str_equal(clean, "/"))
                return str_copy(ends_with_dot(path) ? "/." : "/");
        return str_format("%s%s", clean,
                          ends_with_dot(path)   ? "/."
                          : str_ends(path, "/") ? "/"
                                                : "");
}

/* Links on the way are followed; what comes behind the last slash is not. */
static int resolve_parent(const char *path, CpEnd *end, Error *err) {
        const char *name = last_name(path);
        _cleanup_free_ char *parent = str_copy_n(path, (size_t)(name - path));
        char resolved[PATH_MAX];

        if (!realpath(parent, resolved))
                return local_failed(parent, err);
        end->path = str_format("%s/%s", str_equal(resolved, "/") ? "" : resolved, name);
        if (str_ends(path, "/")) {
                _cleanup_free_ char *before = base_of(path), *after = base_of(end->path);

                if (!str_equal(before, after))
                        end->name = str_copy(before);
        }
        return 0;
}

int cp_local_source(const char *path, bool follow, CpEnd *ret, Error *err) {
        _cleanup_(cp_end_done) CpEnd end = { .exists = true };
        _cleanup_free_ char *absolute = cp_path_absolute(path);
        char resolved[PATH_MAX];
        struct stat st;
        int r = 0;

        if (!absolute)
                return error_set(err, errno, "find the working directory");
        if (!follow)
                r = resolve_parent(absolute, &end, err);
        else if (!realpath(absolute, resolved))
                r = local_failed(resolved, err); /* realpath(3): as far as it came */
        else
                cp_end_follow(&end, absolute, resolved);
        if (r < 0)
                return r;
        if (lstat(end.path, &st) < 0)
                return local_failed(end.path, err);
        end.directory = S_ISDIR(st.st_mode);
        *ret = end;
        end = (CpEnd){};
        return 0;
}

/* ---- a local destination ---- */

static int check_parent(const char *path, Error *err) {
        _cleanup_free_ char *directory = NULL, *name = NULL;
        struct stat st;

        cp_path_split(path, &directory, &name);
        if (stat(directory, &st) < 0)
                return local_failed(directory, err);
        return S_ISDIR(st.st_mode) ? 0 : error_kind(err, ERROR_INVALID, "not a directory");
}

/* The path behind the link that *path is, if it is one. 1: it was. */
static int follow_link(char **path, const struct stat *st, Error *err) {
        char target[PATH_MAX];
        ssize_t length;
        char *next;

        if (!S_ISLNK(st->st_mode))
                return 0;
        length = readlink(*path, target, sizeof(target) - 1);
        if (length < 0)
                return error_set(err, errno, "read link '%s'", *path);
        target[length] = '\0';
        next = cp_path_join_link(*path, target);
        free(*path);
        *path = next;
        return 1;
}

int cp_local_destination(const char *path, CpEnd *ret, Error *err) {
        _cleanup_(cp_end_done) CpEnd end = { .path = cp_path_absolute(path) };
        int r = 1;

        if (!end.path)
                return error_set(err, errno, "find the working directory");
        for (int links = 0; r > 0; links++) {
                struct stat st;

                if (links > LINKS_MAX)
                        return error_kind(err, ERROR_INVALID, "too many symlinks in %s", path);
                if (lstat(end.path, &st) < 0) {
                        if (errno != ENOENT)
                                return local_failed(end.path, err);
                        r = check_parent(end.path, err);
                        break;
                }
                end.exists = true;
                end.directory = S_ISDIR(st.st_mode);
                r = follow_link(&end.path, &st, err);
                if (r > 0)
                        end.exists = end.directory = false;
        }
        if (r < 0)
                return r;
        *ret = end;
        end = (CpEnd){};
        return 0;
}

/* ---- both ---- */

int cp_plan(const CpEnd *source, const CpEnd *destination, char **ret_directory, char **ret_name,
            Error *err) {
        if (destination->exists && destination->directory) {
                *ret_directory = str_copy(destination->path);
                *ret_name = NULL;
                return 0;
        }
        if (destination->exists && source->directory)
                return error_kind(err, ERROR_INVALID, "cannot copy directory");
        if (!destination->exists && !source->directory && says_directory(destination->path))
                return error_kind(err, ERROR_INVALID, "no such directory");
        cp_path_split(destination->path, ret_directory, ret_name);
        return 0;
}
