/* copy-path.c: see copy-path.h. Descriptors are the kernel's to find, by root_open; the one path
 * that is put together here, a link's target, is text for the client. */
#include "image/copy-path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "image/confine.h"

#define LINKS_MAX 40 /* the kernel's: path_resolution(7) */

void copy_place_done(CopyPlace *place) {
        close_fd(&place->parent_fd);
        free(place->name);
        free(place->shown);
        free(place->link);
        *place = (CopyPlace){ .parent_fd = -1 };
}

/* ---- text ---- */

static void drop_name(Buf *path) {
        while (path->length > 0 && path->data[--path->length] != '/')
                ;
        path->data[path->length] = '\0';
}

/* "/a/b", without the slash for the root. */
static void add_names(Buf *path, const char *text) {
        buf_add_str(path, "");
        for (const char *c = text + strspn(text, "/"); *c; c += strspn(c, "/")) {
                size_t length = strcspn(c, "/");

                if (length == 2 && c[0] == '.' && c[1] == '.') {
                        drop_name(path);
                } else if (length != 1 || *c != '.') {
                        buf_add_char(path, '/');
                        buf_add(path, c, length);
                }
                c += length;
        }
}

char *copy_path_clean(const char *path) {
        _cleanup_buf_ Buf clean = {};

        add_names(&clean, path);
        return clean.length > 0 ? buf_take(&clean) : str_copy("/");
}

static bool ends_with_dot(const char *path) {
        const char *slash = strrchr(path, '/');

        return str_equal(slash ? slash + 1 : path, ".");
}

/* ---- links ---- */

/* The link's target, or NULL where there is none. */
static char *read_link(int root_fd, const char *path) {
        char target[PATH_MAX + 1];
        _cleanup_close_ int fd = root_open(root_fd, path, O_PATH | O_NOFOLLOW);
        ssize_t length = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target));

        return length > 0 && (size_t)length < sizeof(target) ? str_copy_n(target, (size_t)length)
                                                             : NULL;
}

/* Adds a name to done, which is a directory's path; the target, if it is a link's. */
static char *add_name(int root_fd, Buf *done, const char *name, size_t length) {
        size_t before = done->length;
        _cleanup_free_ char *copy = str_copy_n(name, length);

        add_names(done, copy);
        return done->length > before ? read_link(root_fd, done->data) : NULL;
}

/* Behind LINKS_MAX links, or where the path would become longer than the kernel takes one, links
 * are names: no path leads there, and a container may not make this take long. */
char *copy_path_follow(int root_fd, const char *path) {
        _cleanup_free_ char *rest = str_copy(path);
        _cleanup_buf_ Buf done = {};
        const char *at = rest + strspn(rest, "/");
        int links = 0;

        buf_add_str(&done, "");
        while (*at) {
                size_t before = done.length, length = strcspn(at, "/");
                _cleanup_free_ char *target = add_name(root_fd, &done, at, length);
                char *next;

                at += length + strspn(at + length, "/");
                if (!target || links == LINKS_MAX ||
                    before + strlen(target) + strlen(at) >= PATH_MAX)
                        continue;
                links++;
                done.length = *target == '/' ? 0 : before;
                done.data[done.length] = '\0';
                next = str_format("%s/%s", target, at);
                free(rest);
                rest = next;
                at = rest + strspn(rest, "/");
        }
        return done.length > 0 ? buf_take(&done) : str_copy("/");
}

/* ---- places ---- */

static int not_found(int number, const char *path, Error *err) {
        if (number == ENOTDIR || number == ELOOP)
                return error_kind(err, ERROR_INVALID, "%s: %s", path,
                                  number == ENOTDIR ? "not a directory"
                                                    : "too many levels of symbolic links");
        return error_set(err, number, "%s", path);
}

int copy_place_find(int root_fd, const char *path, CopyPlace *ret, Error *err) {
        _cleanup_(copy_place_done) CopyPlace place = { .parent_fd = -1 };
        bool dot = ends_with_dot(path), directory = dot || str_ends(path, "/");
        _cleanup_buf_ Buf clean = {};
        const char *slash;
        _cleanup_free_ char *parent = NULL;

        add_names(&clean, path);
        directory = directory || clean.length == 0;
        slash = clean.length > 0 ? strrchr(clean.data, '/') : NULL;
        parent = directory ? str_format("%s/", clean.data)
                           : str_copy_n(clean.data, (size_t)(slash + 1 - clean.data));
        place.name = str_copy(directory ? "." : slash + 1);
        place.shown = str_copy(dot ? "." : slash ? slash + 1 : "/");
        place.parent_fd = root_open(root_fd, parent, O_PATH | O_DIRECTORY);
        if (place.parent_fd < 0)
                return not_found(-place.parent_fd, path, err);
        if (fstatat(place.parent_fd, place.name, &place.st, AT_SYMLINK_NOFOLLOW) < 0)
                return not_found(errno, path, err);
        if (S_ISLNK(place.st.st_mode))
                place.link = copy_path_follow(root_fd, clean.data);
        *ret = place;
        place = (CopyPlace){ .parent_fd = -1 };
        return 0;
}
