/* build-written.c: what of a context is written to while it is read: `brig build . >build.log`. The
 * daemon, which reads the directory itself, is told of a file that grows, and takes it for what it
 * was at the beginning. Where that is not enough it gets an archive, in which a file is what it was
 * when it was packed. */
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

/* Whether what is written to it leaves what it has now as it is. */
static bool is_appended(int fd) {
        int flags = fcntl(fd, F_GETFL);
        struct stat info;

        return flags >= 0 && ((flags & O_APPEND) ||
                              (fstat(fd, &info) == 0 && lseek(fd, 0, SEEK_CUR) >= info.st_size));
}

void build_written_done(BuildWritten *written) {
        (void)strv_free(written->growing);
        (void)strv_free(written->left_out);
        *written = (BuildWritten){};
}

static void look_at_streams(const BuildSource *source, const IgnorePatterns *ignored,
                            BuildWritten *ret) {
        static const int streams[] = { STDOUT_FILENO, STDERR_FILENO };

        for (size_t i = 0; i < ELEMENTS(streams); i++) {
                _cleanup_free_ char *name =
                        is_written(streams[i]) ? name_below(source->dir_fd, streams[i]) : NULL;

                if (!name || ignore_matches(ignored, name, NULL))
                        continue;
                ret->archive |= !is_appended(streams[i]);
                if (!strv_has(ret->growing, name))
                        strv_add(&ret->growing, name);
        }
}

void build_source_written(const BuildSource *source, const BuildOutputs *outputs,
                          BuildWritten *ret) {
        _cleanup_(ignore_freep) IgnorePatterns *ignored = NULL;

        *ret = (BuildWritten){};
        /* What is wrong with the ignore file the daemon says. */
        if (source->kind != SOURCE_DIRECTORY ||
            (source->ignore &&
             ignore_parse(source->ignore, source->ignore_length, &ignored, NULL) < 0))
                return;
        look_at_streams(source, ignored, ret);
        for (size_t i = 0; i < outputs->count; i++) {
                const BuildOutput *output = &outputs->list[i];
                char *name = output->named ? name_below(source->dir_fd, output->fd) : NULL;

                if (name && !ignore_matches(ignored, name, NULL)) {
                        ret->archive = true;
                        strv_add(&ret->left_out, name);
                }
                free(name);
        }
}
