/* tree-copy-test.c: copying into another root: Docker's rules for the destination, what is kept,
 * and what must not lead out. */
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "build/test-tree.h"

/* Two directories, and what lies beside the second: nothing may be written there. */
typedef struct Both {
        Place from, to, outside;
} Both;

static Both both_new(void) {
        Both both = { place_new(), place_new(), place_new() };

        put(both.from.fd, "a.txt", "a");
        put(both.from.fd, "b.txt", "b");
        put(both.from.fd, "dir/one", "1");
        put(both.from.fd, "dir/sub/two", "2");
        return both;
}

static void both_done(Both *both) {
        place_done(&both->from);
        place_done(&both->to);
        place_done(&both->outside);
}
#define _cleanup_both_ _cleanup_(both_done)

static const CopyOptions defaults = { .uid = -1, .gid = -1, .epoch = -1 };

/* patterns: parted by '|'. */
static int copy_as(const Both *both, const char *patterns, const char *dest, CopyOptions options,
                   Error *err) {
        const Tree tree = { .root_fd = both->from.fd };
        _cleanup_strv_ char **split = str_split(patterns, '|');
        _cleanup_(selection_done) Selection selection = {};
        const SelectOptions select = { .patterns = split,
                                       .parents = options.parents,
                                       .excludes = options.excludes };
        int r = tree_select(&tree, &select, &selection, err);

        options.dest = dest;
        return r < 0 ? r : tree_copy(&tree, &selection, both->to.fd, &options, NULL, err);
}

static int copy(const Both *both, const char *patterns, const char *dest, Error *err) {
        return copy_as(both, patterns, dest, defaults, err);
}

/* ---- the destination ---- */

TEST(a_file_to_a_name) {
        _cleanup_both_ Both both = both_new();
        Error err = {};

        ASSERT_OK(copy(&both, "a.txt", "/new", &err), &err);
        ASSERT_FILE(both.to.fd, "new", "a");
        ASSERT_OK(copy(&both, "b.txt", "/new", &err), &err);
        ASSERT_FILE(both.to.fd, "new", "b");
        ASSERT_OK(copy(&both, "a.txt", "/deep/er/new", &err), &err);
        ASSERT_FILE(both.to.fd, "deep/er/new", "a");
        ASSERT_INT(mode_of(both.to.fd, "deep/er"), 0755);
}

TEST(a_file_into_a_directory) {
        _cleanup_both_ Both both = both_new();
        Error err = {};

        ASSERT_OK(copy(&both, "a.txt", "/", &err), &err);
        ASSERT_FILE(both.to.fd, "a.txt", "a");
        ASSERT_OK(copy(&both, "a.txt", "/made/", &err), &err);
        ASSERT_FILE(both.to.fd, "made/a.txt", "a");
        ASSERT_OK(copy(&both, "b.txt", "/made", &err), &err);
        ASSERT_FILE(both.to.fd, "made/b.txt", "b");
        ASSERT_OK(copy(&both, "dir/one", "/made/.", &err), &err);
        ASSERT_FILE(both.to.fd, "made/one", "1");
}

TEST(a_directorys_content) {
        _cleanup_both_ Both both = both_new();
        Error err = {};

        put(both.to.fd, "there/kept", "kept");
        put(both.to.fd, "there/one", "old");
        ASSERT_INT(fchmodat(both.to.fd, "there", 0711, 0), 0);
        ASSERT_INT(fchmodat(both.from.fd, "dir", 0700, 0), 0);
        ASSERT_INT(fchmodat(both.from.fd, "dir/sub", 0750, 0), 0);
        ASSERT_OK(copy(&both, "dir", "/there", &err), &err);
        ASSERT_FILE(both.to.fd, "there/kept", "kept");
        ASSERT_FILE(both.to.fd, "there/one", "1");
        ASSERT_FILE(both.to.fd, "there/sub/two", "2");
        ASSERT_INT(mode_of(both.to.fd, "there"), 0711);
        ASSERT_INT(mode_of(both.to.fd, "there/sub"), 0750);
        ASSERT_OK(copy(&both, "dir", "/made/here", &err), &err);
        ASSERT_FILE(both.to.fd, "made/here/sub/two", "2");
        ASSERT_INT(mode_of(both.to.fd, "made/here"), 0755); /* as BuildKit */
        /* A directory in it is itself copied, so its mode counts. */
        ASSERT_INT(fchmodat(both.to.fd, "there/sub", 0777, 0), 0);
        ASSERT_OK(copy(&both, "dir", "/there/", &err), &err);
        ASSERT_INT(mode_of(both.to.fd, "there/sub"), 0750);
        ASSERT_OK(copy(&both, ".", "/", &err), &err);
        ASSERT_FILE(both.to.fd, "dir/sub/two", "2");
}

TEST(several_need_a_directory) {
        _cleanup_both_ Both both = both_new();
        Error err = {};

        ASSERT(copy(&both, "a.txt|b.txt", "/new", &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT(strstr(err.message, "must be a directory and end with a /"));
        ASSERT_FILE(both.to.fd, "new", "(none)");
        ASSERT(copy(&both, "*.txt", "/new", &err) < 0);
        ASSERT_OK(copy(&both, "*.txt", "/new/", &err), &err);
        ASSERT_FILE(both.to.fd, "new/b.txt", "b");
        ASSERT_OK(copy(&both, "dir|a.txt", "/new", &err), &err);
        ASSERT_FILE(both.to.fd, "new/sub/two", "2");
        /* A wildcard that finds one is one: COPY target/x-*.jar app.jar. */
        ASSERT_OK(copy(&both, "a.*", "/app.jar", &err), &err);
        ASSERT_FILE(both.to.fd, "app.jar", "a");
}

TEST(kinds_that_do_not_fit) {
        _cleanup_both_ Both both = both_new();
        Error err = {};

        put(both.to.fd, "file", "file");
        put(both.to.fd, "in/sub", "file");
        put_directory(both.to.fd, "in2/one");
        ASSERT(copy(&both, "dir", "/file", &err) < 0);
        ASSERT(strstr(err.message, "cannot copy to non-directory: /file"));
        ASSERT(copy(&both, "a.txt", "/file/", &err) < 0);
        ASSERT(copy(&both, "a.txt", "/file/x", &err) < 0);
        ASSERT(strstr(err.message, "cannot copy to non-directory: /file"));
        ASSERT(copy(&both, "dir", "/in", &err) < 0);
        ASSERT(strstr(err.message, "cannot copy to non-directory: /in/sub"));
        ASSERT(copy(&both, "dir", "/in2", &err) < 0);
        ASSERT(strstr(err.message, "cannot replace directory /in2/one with a file"));
        ASSERT_FILE(both.to.fd, "file", "file");
        ASSERT_FILE(both.to.fd, "in/sub", "file");
}

/* ---- links in the destination ---- */

TEST(links_do_not_lead_out) {
        _cleanup_both_ Both both = both_new();
        Error err = {};

        put(both.outside.fd, "one", "outside");
        put_link(both.to.fd, "out", both.outside.path);
        put_link(both.to.fd, "up", "../../../../../../../in");
        ASSERT_OK(copy(&both, "a.txt", "/out/x", &err), &err);
        ASSERT_FILE(both.outside.fd, "x", "(none)");
        ASSERT_OK(copy(&both, "dir", "/out", &err), &err);
        ASSERT_FILE(both.outside.fd, "one", "outside");
        {
                _cleanup_free_ char *inside = str_format("%s/one", both.outside.path + 1);
                ASSERT_FILE(both.to.fd, inside, "1");
        }
        ASSERT_OK(copy(&both, "dir/one", "/up/there", &err), &err);
        ASSERT_FILE(both.to.fd, "in/there", "1");
        ASSERT_OK(copy(&both, "a.txt", "/up", &err), &err);
        ASSERT_FILE(both.to.fd, "in/a.txt", "a");
}

TEST(links_at_the_name_are_followed_and_below_it_replaced) {
        _cleanup_both_ Both both = both_new();
        _cleanup_free_ char *out = str_format("%s/victim", both.outside.path);
        char target[16];
        Error err = {};

        put(both.outside.fd, "victim", "victim");
        put(both.to.fd, "inner", "inner");
        put_link(both.to.fd, "d/one", out);
        put_link(both.to.fd, "file", "inner");
        put_link(both.to.fd, "d2/sub", both.outside.path);
        put_link(both.to.fd, "loop", "loop");
        ASSERT_OK(copy(&both, "dir", "/d", &err), &err);
        ASSERT_FILE(both.to.fd, "d/one", "1");
        ASSERT_OK(copy(&both, "a.txt", "/file", &err), &err);
        ASSERT_FILE(both.to.fd, "inner", "a");
        ASSERT_INT(readlinkat(both.to.fd, "file", target, sizeof(target)), strlen("inner"));
        /* Nothing need be there yet, and the way goes over more links, never out. */
        put_link(both.to.fd, "first", "d/second");
        put_link(both.to.fd, "d/second", "../../../new/file/");
        ASSERT_OK(copy(&both, "a.txt", "/first", &err), &err);
        ASSERT_FILE(both.to.fd, "new/file", "a");
        put_link(both.to.fd, "odd", "none/..");
        ASSERT_OK(copy(&both, "a.txt", "/odd", &err), &err);
        ASSERT_FILE(both.to.fd, "a.txt", "a");
        put_link(both.to.fd, "out", out);
        ASSERT_OK(copy(&both, "a.txt", "/out", &err), &err);
        ASSERT_FILE(both.to.fd, out + 1, "a");
        ASSERT_INT(copy(&both, "a.txt", "/loop", &err), -ELOOP);
        ASSERT(strstr(err.message, "follow the links of '/loop'"));
        ASSERT_FILE(both.outside.fd, "victim", "victim");
        /* A directory is not put through a link. */
        ASSERT(copy(&both, "dir", "/d2", &err) < 0);
        ASSERT(strstr(err.message, "cannot copy to non-directory: /d2/sub"));
        ASSERT_FILE(both.outside.fd, "two", "(none)");
}

TEST(a_loop_is_an_error) {
        _cleanup_both_ Both both = both_new();
        Error err = {};

        put_link(both.to.fd, "loop", "loop");
        ASSERT_INT(copy(&both, "a.txt", "/loop/x", &err), -ELOOP);
        ASSERT_INT(tree_make_directory(both.to.fd, "/loop/x", 0, 0, NULL, &err), -ELOOP);
}

TEST(link_copies_replace_links_on_the_way) {
        _cleanup_both_ Both both = both_new();
        CopyOptions options = defaults;
        Error err = {};

        options.replace_links = true;
        put(both.to.fd, "real/kept", "kept");
        put_link(both.to.fd, "bin", "real");
        ASSERT_OK(copy_as(&both, "a.txt", "/bin/tool", options, &err), &err);
        ASSERT_FILE(both.to.fd, "bin", "(directory)");
        ASSERT_FILE(both.to.fd, "bin/tool", "a");
        ASSERT_FILE(both.to.fd, "real/tool", "(none)");
        ASSERT_OK(copy_as(&both, "b.txt", "/bin", options, &err), &err);
        ASSERT_FILE(both.to.fd, "bin/b.txt", "b");
        put_link(both.to.fd, "lib", "real");
        ASSERT_OK(copy_as(&both, "dir", "/lib", options, &err), &err);
        ASSERT_FILE(both.to.fd, "lib/one", "1");
        ASSERT_FILE(both.to.fd, "real/one", "(none)");
        put_link(both.to.fd, "etc", "real");
        ASSERT_OK(copy_as(&both, "b.txt", "/etc", options, &err), &err);
        ASSERT_FILE(both.to.fd, "etc", "b");
        ASSERT_FILE(both.to.fd, "real/kept", "kept");
}

/* ---- what is kept ---- */

TEST(attributes_are_kept) {
        _cleanup_both_ Both both = both_new();
        const struct timespec times[2] = { { 1000, 123456789 }, { 2000, 987654321 } };
        static const unsigned char capability[20] = { 1, 0, 0, 2, 0, 4 };
        _cleanup_close_ int fd = openat(both.from.fd, "dir/one", O_RDONLY | O_CLOEXEC);
        struct stat status;
        char value[64];
        Error err = {};

        ASSERT_INT(fchown(fd, 12, 34), 0);
        ASSERT_INT(fchmod(fd, 06751), 0);
        ASSERT_INT(fsetxattr(fd, "user.note", "hello", 5, 0), 0);
        ASSERT_INT(fsetxattr(fd, "trusted.note", "t", 1, 0), 0);
        ASSERT_INT(fsetxattr(fd, "trusted.overlay.note", "t", 1, 0), 0);
        ASSERT_INT(fsetxattr(fd, "security.capability", capability, sizeof(capability), 0), 0);
        ASSERT_INT(futimens(fd, times), 0);
        ASSERT_INT(fchownat(both.from.fd, "dir/sub", 5, 6, 0), 0);
        ASSERT_INT(utimensat(both.from.fd, "dir/sub", times, 0), 0);
        put_link(both.from.fd, "dir/link", "nowhere");
        ASSERT_INT(fchownat(both.from.fd, "dir/link", 7, 8, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT_OK(copy(&both, "dir", "/d", &err), &err);
        close_fd(&fd);
        fd = openat(both.to.fd, "d/one", O_RDONLY | O_NOATIME | O_CLOEXEC);
        ASSERT_INT(fstat(fd, &status), 0);
        ASSERT_INT(status.st_uid, 12);
        ASSERT_INT(status.st_gid, 34);
        ASSERT_INT(status.st_mode & 07777, 06751);
        ASSERT_INT(status.st_mtim.tv_sec, 2000);
        ASSERT_INT(status.st_mtim.tv_nsec, 987654321);
        ASSERT_INT(status.st_atim.tv_sec, 1000);
        ASSERT_INT(status.st_atim.tv_nsec, 123456789);
        ASSERT_INT(fgetxattr(fd, "user.note", value, sizeof(value)), 5);
        ASSERT(fgetxattr(fd, "trusted.note", value, sizeof(value)) < 0);
        ASSERT_INT(fgetxattr(fd, "security.capability", value, sizeof(value)), 20);
        ASSERT(fgetxattr(fd, "trusted.overlay.note", value, sizeof(value)) < 0);
        ASSERT_INT(fstatat(both.to.fd, "d/sub", &status, 0), 0);
        ASSERT(status.st_uid == 5 && status.st_gid == 6 && status.st_mtim.tv_sec == 2000);
        ASSERT_INT(fstatat(both.to.fd, "d/link", &status, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT(S_ISLNK(status.st_mode) && status.st_uid == 7 && status.st_gid == 8);
}

/* As a step has it mounted; a context's root is everybody's. */
TEST(a_directory_itself) {
        _cleanup_both_ Both both = both_new();
        CopyOptions itself = defaults;
        const Tree context = { .root_fd = both.from.fd, .neutral_owner = true };
        char *root[] = { (char *)"", NULL };
        const SelectOptions select = { .patterns = root };
        _cleanup_(selection_done) Selection selection = {};
        struct stat status;
        Error err = {};

        itself.itself = true;
        ASSERT_INT(fchmodat(both.from.fd, "dir", 0751, 0), 0);
        ASSERT_INT(fchownat(both.from.fd, "dir", 5, 6, 0), 0);
        ASSERT_OK(copy_as(&both, "dir", "/", itself, &err), &err);
        ASSERT_INT(fstat(both.to.fd, &status), 0);
        ASSERT_INT(status.st_mode & 07777, 0751);
        ASSERT_INT(status.st_uid, 5);
        ASSERT_INT(fchmod(both.from.fd, 0700), 0);
        itself.dest = "/";
        ASSERT_OK(tree_select(&context, &select, &selection, &err), &err);
        ASSERT_OK(tree_copy(&context, &selection, both.to.fd, &itself, NULL, &err), &err);
        ASSERT_INT(fstat(both.to.fd, &status), 0);
        ASSERT_INT(status.st_mode & 07777, 0751);
}

TEST(a_users_copy_is_harmless) {
        _cleanup_both_ Both both = both_new();
        static const unsigned char capability[20] = { 1, 0, 0, 2, 0x80 };
        CopyOptions options = defaults;
        char value[64];
        struct stat status;
        Error err = {};
        _cleanup_close_ int fd = openat(both.from.fd, "a.txt", O_RDONLY | O_CLOEXEC);

        ASSERT_INT(fsetxattr(fd, "user.note", "hello", 5, 0), 0);
        ASSERT_INT(fsetxattr(fd, "trusted.note", "t", 1, 0), 0);
        ASSERT_INT(fsetxattr(fd, "security.capability", capability, sizeof(capability), 0), 0);
        ASSERT_INT(mknodat(both.from.fd, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
        options.harmless = true;
        ASSERT_OK(copy_as(&both, ".", "/", options, &err), &err);
        ASSERT_FILE(both.to.fd, "dir/sub/two", "2");
        ASSERT(fstatat(both.to.fd, "null", &status, AT_SYMLINK_NOFOLLOW) < 0);
        _cleanup_close_ int copied = openat(both.to.fd, "a.txt", O_RDONLY | O_CLOEXEC);
        ASSERT_INT(fgetxattr(copied, "user.note", value, sizeof(value)), 5);
        ASSERT(fgetxattr(copied, "trusted.note", value, sizeof(value)) < 0);
        ASSERT(fgetxattr(copied, "security.capability", value, sizeof(value)) < 0);
}

TEST(where_a_directorys_content_goes_has_its_times) {
        static const char *const targets[] = { "made/d", "there" };
        const struct timespec old[2] = { { .tv_sec = 5 }, { .tv_sec = 900000000 } };
        _cleanup_both_ Both both = both_new();
        CopyOptions options = defaults;
        struct stat status;
        Error err = {};

        ASSERT_INT(mkdirat(both.to.fd, "there", 0755), 0);
        ASSERT_INT(utimensat(both.from.fd, "dir", old, 0), 0);
        for (int i = 0; i < 4; i++) {
                const char *target = targets[i % 2];

                options.epoch = i < 2 ? -1 : 1000000000;
                ASSERT_OK(copy_as(&both, "dir", target, options, &err), &err);
                ASSERT_INT(fstatat(both.to.fd, target, &status, 0), 0);
                ASSERT_INT(status.st_mtim.tv_sec, 900000000);
        }
        ASSERT_INT(fstatat(both.to.fd, "made", &status, 0), 0);
        ASSERT(status.st_mtim.tv_sec > 1000000000);
}

TEST(attributes_are_overridden) {
        _cleanup_both_ Both both = both_new();
        CopyOptions options = defaults;
        struct stat status;
        Error err = {};

        options.uid = 70;
        options.gid = 71;
        options.chmod = "u=rwX,go=";
        options.epoch = 1234;
        ASSERT_INT(fchownat(both.from.fd, "dir/one", 12, 34, 0), 0);
        ASSERT_OK(copy_as(&both, "dir", "/made/d", options, &err), &err);
        ASSERT_INT(fstatat(both.to.fd, "made/d/one", &status, 0), 0);
        ASSERT(status.st_uid == 70 && status.st_gid == 71);
        ASSERT_INT(status.st_mode & 07777, 0600);
        ASSERT_INT(status.st_mtim.tv_sec, 1234);
        ASSERT_INT(status.st_mtim.tv_nsec, 0);
        ASSERT_INT(fstatat(both.to.fd, "made/d", &status, 0), 0);
        ASSERT_INT(status.st_mode & 07777, 0700);
        ASSERT_INT(status.st_mtim.tv_sec, 1234);
        ASSERT_INT(fstatat(both.to.fd, "made", &status, 0), 0);
        ASSERT(status.st_uid == 70 && (status.st_mode & 07777) == 0755);
        ASSERT_INT(status.st_mtim.tv_sec, 1234);
        options.chmod = "u+";
        ASSERT_OK(copy_as(&both, "a.txt", "/x", options, &err), &err);
        options.chmod = "nonsense";
        ASSERT(copy_as(&both, "a.txt", "/y", options, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
}

TEST(neutral_owners) {
        _cleanup_both_ Both both = both_new();
        const Tree tree = { .root_fd = both.from.fd, .neutral_owner = true };
        Selected item = { (char *)"dir", (char *)"", true };
        const Selection selection = { .items = &item, .count = 1 };
        CopyOptions options = defaults;
        struct stat status;
        Error err = {};

        options.dest = "/d";
        ASSERT_INT(fchownat(both.from.fd, "dir/one", 12, 34, 0), 0);
        ASSERT_OK(tree_copy(&tree, &selection, both.to.fd, &options, NULL, &err), &err);
        ASSERT_INT(fstatat(both.to.fd, "d/one", &status, 0), 0);
        ASSERT(status.st_uid == 0 && status.st_gid == 0);
}

TEST(hard_links_stay) {
        _cleanup_both_ Both both = both_new();
        struct stat one, three, other;
        Error err = {};

        ASSERT_INT(linkat(both.from.fd, "dir/one", both.from.fd, "dir/sub/three", 0), 0);
        ASSERT_INT(linkat(both.from.fd, "dir/one", both.from.fd, "b/../beside", 0), -1);
        ASSERT_INT(linkat(both.from.fd, "dir/one", both.from.fd, "beside", 0), 0);
        ASSERT_OK(copy(&both, "dir|beside", "/d/", &err), &err);
        ASSERT_INT(fstatat(both.to.fd, "d/one", &one, 0), 0);
        ASSERT_INT(fstatat(both.to.fd, "d/sub/three", &three, 0), 0);
        ASSERT_INT(fstatat(both.to.fd, "d/beside", &other, 0), 0);
        ASSERT_INT(one.st_nlink, 3);
        ASSERT(one.st_ino == three.st_ino && one.st_ino == other.st_ino);
        ASSERT_FILE(both.to.fd, "d/sub/three", "1");
}

TEST(a_replaced_copy_is_not_linked_to) {
        _cleanup_both_ Both both = both_new();
        Error err = {};

        /* d1/x and d3/y are one file; d2/x replaces the copy of the first before the other comes.
         */
        put(both.from.fd, "d1/x", "linked");
        put(both.from.fd, "d2/x", "other");
        put_directory(both.from.fd, "d3");
        ASSERT_INT(linkat(both.from.fd, "d1/x", both.from.fd, "d3/y", 0), 0);
        ASSERT_OK(copy(&both, "d1|d2|d3", "/d/", &err), &err);
        ASSERT_FILE(both.to.fd, "d/x", "other");
        ASSERT_FILE(both.to.fd, "d/y", "linked");
}

TEST(special_files) {
        _cleanup_both_ Both both = both_new();
        _cleanup_close_ int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        struct stat status;
        Error err = {};

        (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/dir/socket", both.from.path);
        ASSERT_INT(bind(made, (struct sockaddr *)&name, sizeof(name)), 0);
        ASSERT_INT(mkfifoat(both.from.fd, "dir/fifo", 0600), 0);
        ASSERT_INT(mknodat(both.from.fd, "dir/null", S_IFCHR | 0666, makedev(1, 3)), 0);
        ASSERT_INT(fchmodat(both.from.fd, "dir/null", 0666, 0), 0);
        ASSERT_OK(copy(&both, "dir", "/d", &err), &err);
        ASSERT_INT(fstatat(both.to.fd, "d/fifo", &status, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT(S_ISFIFO(status.st_mode) && (status.st_mode & 07777) == 0600);
        ASSERT_INT(fstatat(both.to.fd, "d/null", &status, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT(S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3));
        ASSERT_INT(status.st_mode & 07777, 0666);
        ASSERT_INT(fstatat(both.to.fd, "d/socket", &status, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT(S_ISREG(status.st_mode) && status.st_size == 0); /* as BuildKit makes of it */
        ASSERT_OK(copy(&both, "dir/socket", "/s", &err), &err);
        ASSERT_FILE(both.to.fd, "s", "");
        ASSERT_OK(copy(&both, "dir/fifo", "/fifo", &err), &err);
        ASSERT_INT(fstatat(both.to.fd, "fifo", &status, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT(S_ISFIFO(status.st_mode));
}

TEST(a_large_file_is_whole) {
        _cleanup_both_ Both both = both_new();
        _cleanup_free_ char *data = alloc_zero(1, 3 << 20), *got = NULL;
        size_t length = 0;
        Error err = {};

        for (size_t i = 0; i < 3 << 20; i++)
                data[i] = (char)(i * 2654435761u >> 13);
        ASSERT_OK(file_replace_at(both.from.fd, "large", data, 3 << 20, 0644, false, &err), &err);
        ASSERT_OK(copy(&both, "large", "/large", &err), &err);
        ASSERT_OK(file_read_at(both.to.fd, "large", 4 << 20, &got, &length, &err), &err);
        ASSERT_INT(length, 3 << 20);
        ASSERT_INT(memcmp(got, data, length), 0);
        /* Another file system: neither clones nor ranges. */
        {
                _cleanup_place_ Place place = place_elsewhere();
                Both across = both;

                across.to = place;
                ASSERT_OK(copy(&across, "large|dir", "/x/", &err), &err);
                free(TAKE_PTR(got));
                ASSERT_OK(file_read_at(place.fd, "x/large", 4 << 20, &got, &length, &err), &err);
                ASSERT(length == 3 << 20 && !memcmp(got, data, length));
        }
}

/* ---- parents and excludes ---- */

TEST(parents) {
        _cleanup_both_ Both both = both_new();
        CopyOptions options = defaults;
        struct stat status;
        Error err = {};

        options.parents = true;
        ASSERT_INT(fchmodat(both.from.fd, "dir/sub", 0750, 0), 0);
        ASSERT_INT(fchmodat(both.from.fd, "dir", 0710, 0), 0);
        ASSERT_INT(fchownat(both.from.fd, "dir", 3, 4, 0), 0);
        ASSERT_OK(copy_as(&both, "dir/sub/two|a.txt", "/d", options, &err), &err);
        ASSERT_FILE(both.to.fd, "d/dir/sub/two", "2");
        ASSERT_FILE(both.to.fd, "d/dir/one", "(none)");
        ASSERT_FILE(both.to.fd, "d/a.txt", "a");
        ASSERT_INT(mode_of(both.to.fd, "d/dir/sub"), 0750);
        ASSERT_INT(fstatat(both.to.fd, "d/dir", &status, 0), 0);
        ASSERT(status.st_uid == 3 && (status.st_mode & 07777) == 0710);
        /* One that is there keeps its own. */
        put_directory(both.to.fd, "e/dir");
        ASSERT_OK(copy_as(&both, "dir/sub/two", "/e", options, &err), &err);
        ASSERT_INT(mode_of(both.to.fd, "e/dir"), 0755);
        ASSERT_OK(copy_as(&both, "dir/./sub", "/f", options, &err), &err);
        ASSERT_FILE(both.to.fd, "f/sub/two", "2");
        ASSERT_OK(copy_as(&both, "**/one|**/two", "/g", options, &err), &err);
        ASSERT_FILE(both.to.fd, "g/dir/one", "1");
        ASSERT_FILE(both.to.fd, "g/dir/sub/two", "2");
}

TEST(excludes) {
        _cleanup_both_ Both both = both_new();
        char *excludes[] = { (char *)"one", (char *)"b.*", (char *)"sub", (char *)"!sub/keep",
                             NULL };
        CopyOptions options = defaults;
        Error err = {};

        options.excludes = excludes;
        ASSERT_OK(copy_as(&both, "dir", "/d", options, &err), &err);
        ASSERT_FILE(both.to.fd, "d/one", "(none)");
        ASSERT_FILE(both.to.fd, "d/sub", "(none)");
        put(both.from.fd, "dir/sub/keep", "k");
        ASSERT_OK(copy_as(&both, "dir", "/d", options, &err), &err);
        ASSERT_FILE(both.to.fd, "d/sub/keep", "k");
        ASSERT_FILE(both.to.fd, "d/sub/two", "(none)");
        ASSERT_OK(copy_as(&both, "*.txt", "/x", options, &err), &err);
        ASSERT_FILE(both.to.fd, "x", "a");
        ASSERT_OK(copy_as(&both, "b.txt", "/none/", options, &err), &err);
        ASSERT_FILE(both.to.fd, "none", "(none)");
}

/* ---- archives ---- */

typedef struct Unpacked {
        unsigned asked, done;
} Unpacked;

static int test_unpack(void *data, int file_fd, int target_fd, Error *err) {
        Unpacked *unpacked = data;
        char byte = 0;

        if (read(file_fd, &byte, 1) != 1)
                return error_set(err, EIO, "read");
        unpacked->asked += target_fd < 0;
        unpacked->done += target_fd >= 0;
        if (target_fd >= 0 && byte == 'a')
                put(target_fd, "from-archive", "x");
        return byte == 'a';
}

TEST(archives_are_unpacked) {
        _cleanup_both_ Both both = both_new();
        Unpacked unpacked = {};
        CopyOptions options = defaults;
        Error err = {};

        options.unpack = test_unpack;
        options.unpack_data = &unpacked;
        put(both.from.fd, "inner/archive", "a");
        ASSERT_OK(copy_as(&both, "a.txt", "/x/y", options, &err), &err);
        ASSERT_FILE(both.to.fd, "x/y/from-archive", "x");
        ASSERT_OK(copy_as(&both, "b.txt", "/b", options, &err), &err);
        ASSERT_FILE(both.to.fd, "b", "b");
        ASSERT_INT(unpacked.asked, 2);
        ASSERT_INT(unpacked.done, 1);
        /* Those in a directory are files. */
        ASSERT_OK(copy_as(&both, "inner", "/inner", options, &err), &err);
        ASSERT_FILE(both.to.fd, "inner/archive", "a");
        ASSERT_INT(unpacked.asked, 2);
        ASSERT(copy_as(&both, "a.txt", "/b", options, &err) < 0);
        ASSERT(strstr(err.message, "cannot copy to non-directory: /b"));
}

/* ---- one file and directories ---- */

TEST(put_file) {
        _cleanup_both_ Both both = both_new();
        _cleanup_free_ char *out = str_format("%s/victim", both.outside.path);
        CopyOptions options = defaults;
        struct stat status;
        Error err = {};

        put(both.outside.fd, "victim", "victim");
        put_link(both.to.fd, "link", out);
        options.uid = 5;
        options.epoch = 1000;
        options.dest = "/etc/conf";
        ASSERT_OK(tree_put_file(both.to.fd, "EOF", "text", 4, 0640, &options, &err), &err);
        ASSERT_FILE(both.to.fd, "etc/conf", "text");
        ASSERT_INT(fstatat(both.to.fd, "etc/conf", &status, 0), 0);
        ASSERT(status.st_uid == 5 && status.st_gid == 0 && (status.st_mode & 07777) == 0640);
        ASSERT_INT(status.st_mtim.tv_sec, 1000);
        options.dest = "/etc";
        options.chmod = "700";
        ASSERT_OK(tree_put_file(both.to.fd, "EOF", "", 0, 0640, &options, &err), &err);
        ASSERT_FILE(both.to.fd, "etc/EOF", "");
        ASSERT_INT(mode_of(both.to.fd, "etc/EOF"), 0700);
        options.dest = "/link";
        ASSERT_OK(tree_put_file(both.to.fd, "EOF", "new", 3, 0640, &options, &err), &err);
        ASSERT_FILE(both.to.fd, out + 1, "new");
        ASSERT_FILE(both.outside.fd, "victim", "victim");
        ASSERT(tree_put_file(both.to.fd, "../x", "new", 3, 0640, &options, &err) < 0);
        ASSERT(tree_put_file(both.to.fd, "..", "new", 3, 0640, &options, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
}

TEST(make_directory) {
        _cleanup_both_ Both both = both_new();
        struct stat status;
        bool made = false;
        Error err = {};

        ASSERT_OK(tree_make_directory(both.to.fd, "/srv/app", 9, 10, &made, &err), &err);
        ASSERT(made);
        ASSERT_INT(fstatat(both.to.fd, "srv/app", &status, 0), 0);
        ASSERT(status.st_uid == 9 && status.st_gid == 10 && (status.st_mode & 07777) == 0755);
        ASSERT_OK(tree_make_directory(both.to.fd, "/srv/app/", 0, 0, &made, &err), &err);
        ASSERT(!made);
        ASSERT_INT(fstatat(both.to.fd, "srv/app", &status, 0), 0);
        ASSERT_INT(status.st_uid, 9);
        put_link(both.to.fd, "out", both.outside.path);
        ASSERT_OK(tree_make_directory(both.to.fd, "/out/new", -1, -1, &made, &err), &err);
        ASSERT_FILE(both.outside.fd, "new", "(none)");
        ASSERT_OK(tree_make_directory(both.to.fd, "/", 0, 0, &made, &err), &err);
        ASSERT(!made);
        put(both.to.fd, "file", "");
        ASSERT(tree_make_directory(both.to.fd, "/file/x", 0, 0, &made, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT(tree_make_directory(both.to.fd, "/file", 0, 0, &made, &err) < 0);
}

/* ---- while it runs ---- */

static bool at_the_second(void *data) {
        return ++*(unsigned *)data >= 2;
}

TEST(cancelling) {
        _cleanup_both_ Both both = both_new();
        _cleanup_place_ Place from = place_elsewhere();
        const Tree tree = { .root_fd = from.fd };
        Selected item = { (char *)"big", (char *)"big", false };
        const Selection selection = { .items = &item, .count = 1 };
        unsigned asked = 0;
        const TreeJob job = { .cancelled = at_the_second, .data = &asked };
        CopyOptions options = defaults;
        Error err = {};
        _cleanup_close_ int fd = openat(from.fd, "big", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        options.dest = "/";
        ASSERT_INT(ftruncate(fd, 40 << 20), 0);
        ASSERT_INT(tree_copy(&tree, &selection, both.to.fd, &options, &job, &err), -ECANCELED);
        ASSERT_INT(asked, 2);
}

/* Changes the file that is being copied: the job is asked between its parts. */
static bool change_source(void *data) {
        _cleanup_close_ int fd = openat(*(int *)data, "big", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || pwrite(fd, "x", 1, 0) != 1)
                abort();
        return false;
}

TEST(a_change_meanwhile_is_noticed) {
        _cleanup_both_ Both both = both_new();
        _cleanup_place_ Place from = place_elsewhere();
        const Tree tree = { .root_fd = from.fd };
        Selected item = { (char *)"big", (char *)"big", false };
        const Selection selection = { .items = &item, .count = 1 };
        TreeJob job = { .cancelled = change_source, .data = &from.fd };
        const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
        CopyOptions options = defaults;
        Error err = {};
        _cleanup_close_ int fd = openat(from.fd, "big", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        options.dest = "/";
        ASSERT_INT(ftruncate(fd, 20 << 20), 0);
        ASSERT(tree_copy(&tree, &selection, both.to.fd, &options, &job, &err) < 0);
        ASSERT_INT(err.kind, ERROR_CONFLICT);
        ASSERT(strstr(err.message, "'big' changed during the build"));
        /* Nor is a source that stays as it is called changed. */
        job.cancelled = NULL;
        ASSERT_INT(futimens(fd, old), 0);
        ASSERT_OK(tree_copy(&tree, &selection, both.to.fd, &options, &job, &err), &err);
}

static bool append_to_source(void *data) {
        _cleanup_close_ int fd = openat(*(int *)data, "big", O_WRONLY | O_APPEND | O_CLOEXEC);

        if (fd < 0 || write(fd, "x", 1) != 1)
                abort();
        return false;
}

TEST(of_a_file_that_grows_what_it_had_is_copied) {
        _cleanup_both_ Both both = both_new();
        _cleanup_place_ Place from = place_elsewhere();
        Selected item = { (char *)"big", (char *)"big", false };
        const Selection selection = { .items = &item, .count = 1 };
        const TreeJob job = { .cancelled = append_to_source, .data = &from.fd };
        struct stat then = {}, copied = {};
        const Tree tree = { .root_fd = from.fd, .growing = &then, .growing_count = 1 };
        CopyOptions options = defaults;
        Error err = {};
        _cleanup_close_ int fd = openat(from.fd, "big", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        options.dest = "/";
        ASSERT_INT(ftruncate(fd, 20 << 20), 0);
        ASSERT_INT(fstat(fd, &then), 0);
        ASSERT_OK(tree_copy(&tree, &selection, both.to.fd, &options, &job, &err), &err);
        ASSERT_INT(fstatat(both.to.fd, "big", &copied, 0), 0);
        ASSERT_INT(copied.st_size, 20 << 20);
        ASSERT_INT(fstat(fd, &then), 0);
        ASSERT(then.st_size > copied.st_size);
}

TEST_MAIN()
