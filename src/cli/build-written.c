/* build-written.c: whether a context is written to while it is read: `brig build . >build.log`. The
 * daemon, which reads the directory itself, would find other files at the end than at the
 * beginning; so it gets an archive, in which a file is what it was when it was packed. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "build/ignore.h"
#include "cli/build-options.h"

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

static bool read_path(int fd, char path[PATH_MAX]) {
        char link[32];
        ssize_t length;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        length = readlink(link, path, PATH_MAX - 1);
        if (length <= 0)
                return false;
        path[length] = '\0';
        return true;
}

/* The name of the file that fd is open for, as seen from the directory; NULL: it is not in it. The
 * caller's. */
static char *name_below(int dir_fd, int fd) {
        char file[PATH_MAX], top[PATH_MAX];
        struct stat opened, found;
        const char *rest;

        if (fstat(fd, &opened) < 0 || !S_ISREG(opened.st_mode) || !read_path(fd, file) ||
            !read_path(dir_fd, top))
                return NULL;
        rest = str_after(file, str_equal(top, "/") ? "" : top);
        if (!rest || *rest != '/' || !rest[1] ||
            fstatat(dir_fd, rest + 1, &found, AT_SYMLINK_NOFOLLOW) < 0)
                return NULL;
        return found.st_ino == opened.st_ino && found.st_dev == opened.st_dev ? str_copy(rest + 1)
                                                                              : NULL;
}

/* Whether it is open for writing. */
static bool is_written(int fd) {
        int flags = fcntl(fd, F_GETFL);

        return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

bool build_source_is_written(const BuildSource *source, const BuildOutputs *outputs,
                             char ***left_out) {
        static const int streams[] = { STDOUT_FILENO, STDERR_FILENO };
        _cleanup_(ignore_freep) IgnorePatterns *ignored = NULL;
        bool found = false;

        /* What is wrong with the ignore file the daemon says. */
        if (source->kind != SOURCE_DIRECTORY ||
            (source->ignore &&
             ignore_parse(source->ignore, source->ignore_length, &ignored, NULL) < 0))
                return false;
        for (size_t i = 0; i < ELEMENTS(streams); i++) {
                _cleanup_free_ char *name =
                        is_written(streams[i]) ? name_below(source->dir_fd, streams[i]) : NULL;

                found |= name && !ignore_matches(ignored, name, NULL);
        }
        for (size_t i = 0; i < outputs->count; i++) {
                const BuildOutput *output = &outputs->list[i];
                char *name = output->named ? name_below(source->dir_fd, output->fd) : NULL;

                if (name && !ignore_matches(ignored, name, NULL)) {
                        found = true;
                        strv_add(left_out, name);
                }
                free(name);
        }
        return found;
}
