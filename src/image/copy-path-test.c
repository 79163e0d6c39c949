/* copy-path-test.c: paths inside a root: what they name, where links lead, and that none leads out.
 */
#include "image/copy-path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/test.h"
#include "image/confine.h"

static char top[] = "/tmp/copy-path-test.XXXXXX";
static int top_fd = -1, root_fd = -1;

static int make(void) {
        static const char *const links[][2] = {
                { "f", "d/l" },
                { "/d", "dl" },
                { "../outside", "out" },
                { "/nowhere/../x", "dangling" },
                { "b", "a" },
                { "a", "b" },
                { "../../../../d/l", "d/up" },
        };
        int fd;

        if (root_fd >= 0)
                return 0;
        if (!mkdtemp(top))
                return -1;
        top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)mkdirat(top_fd, "root", 0700);
        (void)mkdirat(top_fd, "outside", 0700);
        root_fd = openat(top_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        (void)mkdirat(root_fd, "d", 0755);
        fd = openat(root_fd, "d/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        (void)close(fd);
        for (size_t i = 0; i < ELEMENTS(links); i++)
                if (symlinkat(links[i][0], root_fd, links[i][1]) < 0)
                        return -1;
        return 0;
}

TEST(places) {
        static const struct {
                const char *path, *shown, *name, *link;
                mode_t type; /* 0: number */
                int number;
        } rows[] = {
                { "/", "/", ".", NULL, S_IFDIR, 0 },
                { "/d", "d", "d", NULL, S_IFDIR, 0 },
                { "d/", "d", ".", NULL, S_IFDIR, 0 },
                { "/d/.", ".", ".", NULL, S_IFDIR, 0 },
                { "/d/f", "f", "f", NULL, S_IFREG, 0 },
                { "/d/l", "l", "l", "/d/f", S_IFLNK, 0 },
                { "/dl", "dl", "dl", "/d", S_IFLNK, 0 },
                { "/dl/", "dl", ".", NULL, S_IFDIR, 0 },
                { "/dl/f", "f", "f", NULL, S_IFREG, 0 },
                { "/d/up", "up", "up", "/d/f", S_IFLNK, 0 },
                { "/dangling", "dangling", "dangling", "/x", S_IFLNK, 0 },
                { "/../../d/x/../f", "f", "f", NULL, S_IFREG, 0 },
                { "/out", "out", "out", "/outside", S_IFLNK, 0 },
                { "/out/", NULL, NULL, NULL, 0, ENOENT },
                { "/none", NULL, NULL, NULL, 0, ENOENT },
                { "/d/f/", NULL, NULL, NULL, 0, EINVAL },
                { "/d/f/x", NULL, NULL, NULL, 0, EINVAL },
                { "/a/x", NULL, NULL, NULL, 0, EINVAL },
        };

        ASSERT_INT(make(), 0);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(copy_place_done) CopyPlace place = { .parent_fd = -1 };
                Error err = {};
                int r = copy_place_find(root_fd, rows[i].path, &place, &err);

                ASSERT_INT(r, -rows[i].number);
                ASSERT_STR(place.shown, rows[i].shown);
                ASSERT_STR(place.name, rows[i].name);
                ASSERT_STR(place.link, rows[i].link);
                ASSERT_INT(place.st.st_mode & S_IFMT, rows[i].type);
        }
}

TEST(links_that_never_end) {
        _cleanup_free_ char *path = NULL;

        ASSERT_INT(make(), 0);
        path = copy_path_follow(root_fd, "/a/x");
        ASSERT(path);
}

/* A link that names itself many times over. */
TEST(links_that_grow_are_followed_no_further_than_a_path_goes) {
        _cleanup_free_ char *path = NULL;
        _cleanup_buf_ Buf target = {};

        ASSERT_INT(make(), 0);
        buf_add_str(&target, "grow");
        for (int i = 0; i < 800; i++)
                buf_add_str(&target, "/n");
        ASSERT_INT(symlinkat(target.data, root_fd, "d/grow"), 0);
        path = copy_path_follow(root_fd, "/d/grow/x");
        ASSERT(path && strlen(path) <= PATH_MAX);
}

TEST(no_path_leads_out) {
        ASSERT_INT(make(), 0);
        ASSERT_INT(root_open(root_fd, "/out", O_PATH | O_DIRECTORY), -ENOENT);
        ASSERT_INT(root_open(root_fd, "../outside", O_PATH | O_DIRECTORY), -ENOENT);
        (void)close(root_fd);
        (void)close(top_fd);
        ASSERT_INT(dir_remove_at(AT_FDCWD, top, NULL), 0);
}

TEST_MAIN()
