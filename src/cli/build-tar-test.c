/* build-tar-test.c: what a directory's archive holds, as tar(1)'s format has it: names of every
 * length, links, modes, what is ignored, what stands in place of a file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/test.h"
#include "cli/build-options.h"

static char root[] = "/tmp/brig-build-tar.XXXXXX";

static int write_file(int dir_fd, const char *name, const char *text, mode_t mode) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, mode);

        return fd < 0 || fchmod(fd, mode) < 0 ? -1 : fd_write_full(fd, text, strlen(text));
}

static char *long_name(void) {
        Buf buf = {};

        for (size_t i = 0; i < 150; i++)
                buf_add_char(&buf, 'n');
        return buf_take(&buf);
}

static uint64_t octal(const char *field, size_t width) {
        uint64_t value = 0;

        for (size_t i = 0; i < width && field[i] >= '0' && field[i] <= '7'; i++)
                value = value * 8 + (uint64_t)(field[i] - '0');
        return value;
}

/* "type mode name[=content][>link]" of each entry, pax names in force; the caller's. */
static char *list_archive(const char *data, size_t length) {
        _cleanup_free_ char *path = NULL;
        Buf out = {};

        for (size_t at = 0; at + 512 <= length && data[at];) {
                const char *header = data + at, *content = header + 512;
                size_t size = octal(header + 124, 12);

                at += 512 + (size + 511) / 512 * 512;
                if (header[156] == 'x') {
                        const char *begin = strstr(content, " path=");

                        free(path);
                        path = begin ? str_copy_n(begin + 6, strcspn(begin + 6, "\n")) : NULL;
                        continue;
                }
                buf_format(&out, "%c %04llo ", header[156],
                           (unsigned long long)octal(header + 100, 8));
                buf_format(&out, "%.100s", path ?: header);
                if (header[156] == '0')
                        buf_format(&out, "=%.*s", (int)size, content);
                if (header[156] == '2')
                        buf_format(&out, ">%.100s", header + 157);
                buf_add_char(&out, '\n');
                free(path);
                path = NULL;
        }
        return buf_take(&out);
}

static char *archive_of(int dir_fd, const char *ignore, const Pairs *extra) {
        _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
        _cleanup_strv_ char **left_out = str_split("dir/out,not there", ',');
        const BuildTar tar = { .fd = fd,
                               .stop_fd = -1,
                               .dir_fd = dir_fd,
                               .ignore = ignore,
                               .ignore_length = strlen(ignore ?: ""),
                               .left_out = left_out,
                               .extra = extra };
        _cleanup_buf_ Buf data = {};
        Error err = {};

        if (build_tar_write(&tar, &err) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
            fd_read_all(fd, 1 << 20, &data) < 0)
                return str_copy(err.message);
        if (data.length % 512 != 0 || data.length < 1024)
                return str_copy("no whole blocks");
        return list_archive(data.data, data.length);
}

TEST(an_archive_of_a_directory) {
        _cleanup_free_ char *name = long_name(), *all = NULL, *some = NULL, *expected = NULL;
        _cleanup_close_ int fd = -1;
        Pairs none = {}, extra = {};
        Error err = {};

        ASSERT(mkdtemp(root));
        fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT(fd >= 0);
        ASSERT_INT(mkdirat(fd, "dir", 0755), 0);
        ASSERT_INT(write_file(fd, "a", "text", 0640), 0);
        ASSERT_INT(write_file(fd, "dir/keep", "k", 0755), 0);
        ASSERT_INT(write_file(fd, "dir/drop", "d", 0644), 0);
        ASSERT_INT(write_file(fd, "dir/out", "o", 0644), 0);
        ASSERT_INT(write_file(fd, name, "", 0644), 0);
        ASSERT_INT(symlinkat("dir/keep", fd, "link"), 0);
        all = archive_of(fd, NULL, &none);
        expected = str_format("0 0640 a=text\n5 0755 dir/\n0 0644 dir/drop=d\n0 0755 dir/keep=k\n"
                              "2 0777 link>dir/keep\n0 0644 %.100s=\n",
                              name);
        pairs_put(&extra, "a", "other");
        some = archive_of(fd, "a\ndir\n!dir/keep\nn*\n", &extra);
        pairs_done(&extra);
        ASSERT_OK(dir_remove_at(AT_FDCWD, root, &err), &err);
        ASSERT_STR(all, expected);
        ASSERT_STR(some, "0 0644 a=other\n0 0755 dir/keep=k\n2 0777 link>dir/keep\n");
}

/* Nobody reads the pipe: the writer ends when it is told to. */
TEST(it_can_be_stopped) {
        _cleanup_close_ int dir_fd = -1, stop_fd = eventfd(1, EFD_CLOEXEC);
        char place[] = "/tmp/brig-build-tar.XXXXXX";
        static const Pairs none;
        BuildTar tar = { .stop_fd = stop_fd, .extra = &none };
        int ends[2];
        Error err = {};

        ASSERT(mkdtemp(place) && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
        dir_fd = tar.dir_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT(dir_fd >= 0);
        tar.fd = ends[1];
        ASSERT_INT(build_tar_write(&tar, &err), -ECANCELED);
        ASSERT_INT(close(ends[0]), 0);
        ASSERT_INT(close(ends[1]), 0);
        ASSERT_OK(dir_remove_at(AT_FDCWD, place, &err), &err);
}

TEST_MAIN()
