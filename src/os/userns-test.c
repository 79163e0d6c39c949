/* userns-test.c: namespaces and views on this machine's own temporary directory; needs root. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/test.h"
#include "os/mount.h"
#include "os/userns.h"

#define OUTSIDE 100000

static const IdRange ranges[] = { { 0, OUTSIDE, 65536 } };
static const IdMap map = { ranges, ranges, 1, 1 };

static const char *inode_of(int fd, char text[64]) {
        struct stat status;

        if (fstat(fd, &status) < 0)
                return "?";
        (void)snprintf(text, 64, "%lu", (unsigned long)status.st_ino);
        return text;
}

TEST(a_namespace_is_new_and_leaves_no_process) {
        _cleanup_close_ int fd = -1, other_fd = -1, netns_fd = -1;
        _cleanup_close_ int own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
        char a[64], b[64], c[64];
        Error err = {};

        if (geteuid() != 0)
                return;
        ASSERT_OK(userns_new(&map, &fd, NULL, &err), &err);
        ASSERT_OK(userns_new(&map, &other_fd, &netns_fd, &err), &err);
        ASSERT(!str_equal(inode_of(fd, a), inode_of(other_fd, b)));
        ASSERT(!str_equal(a, inode_of(own, c)));
        ASSERT(netns_fd >= 0);
        ASSERT(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
}

TEST(what_the_kernel_does_not_take_is_refused) {
        static const IdRange twice[] = { { 0, OUTSIDE, 10 }, { 5, OUTSIDE + 100, 10 } };
        const IdMap overlapping = { twice, twice, 2, 2 }, empty = {};
        int fd = -1;
        Error err = {};

        if (geteuid() != 0)
                return;
        ASSERT(userns_new(&overlapping, &fd, NULL, &err) < 0);
        ASSERT(strstr(err.message, "uid_map"));
        ASSERT(userns_new(&empty, &fd, NULL, &err) < 0);
        ASSERT_INT(fd, -1);
        ASSERT(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
}

/* An overlay whose layers lie in the view. */
static int mount_layers(void *data, int view_fd, int *ret_fd, Error *err) {
        _cleanup_close_ int lower = -1, upper = -1, work = -1;
        int r = dir_open_at(view_fd, "lower", 0, &lower, err);

        (void)data;
        if (r == 0)
                r = dir_open_at(view_fd, "upper", 0, &upper, err);
        if (r == 0)
                r = dir_open_at(view_fd, "work", 0, &work, err);
        return r < 0 ? r : overlay_mount(&lower, 1, upper, work, 0, ret_fd, err);
}

static int fail(void *data, int view_fd, int *ret_fd, Error *err) {
        (void)data;
        (void)view_fd;
        (void)ret_fd;
        return error_kind(err, ERROR_CONFLICT, "not today");
}

TEST(an_overlay_shows_mapped_owners_and_stores_plain_ones) {
        char path[] = "/tmp/userns-test.XXXXXX";
        _cleanup_close_ int dir_fd = -1, fd = -1, root = -1;
        struct stat status;
        Error err = {};

        if (geteuid() != 0)
                return;
        ASSERT(mkdtemp(path));
        dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(dir_make_at(dir_fd, "lower", 0755, &err), &err);
        ASSERT_OK(dir_make_at(dir_fd, "upper", 0755, &err), &err);
        ASSERT_OK(dir_make_at(dir_fd, "work", 0755, &err), &err);
        ASSERT_OK(file_replace_at(dir_fd, "lower/file", "x", 1, 0644, false, &err), &err);
        ASSERT_OK(userns_new(&map, &fd, NULL, &err), &err);
        int r = userns_with_view(dir_fd, fd, mount_layers, NULL, &root, &err);
        if (r == 0) {
                ASSERT(fstatat(root, "file", &status, 0) == 0);
                ASSERT_INT(status.st_uid, OUTSIDE);
                ASSERT(fchownat(root, "file", OUTSIDE + 7, OUTSIDE + 8, 0) == 0);
                ASSERT(fstatat(dir_fd, "upper/file", &status, 0) == 0);
                ASSERT_INT(status.st_uid, 7);
                ASSERT_INT(status.st_gid, 8);
        } else { /* a kernel or a file system that cannot says so */
                ASSERT_INT(err.kind, ERROR_UNSUPPORTED);
        }
        close_fd(&root);
        r = userns_with_view(dir_fd, fd, fail, NULL, &root, &err);
        ASSERT(r < 0);
        ASSERT(err.kind == ERROR_CONFLICT || err.kind == ERROR_UNSUPPORTED);
        ASSERT_OK(dir_remove_at(AT_FDCWD, path, &err), &err);
}

TEST_MAIN()
