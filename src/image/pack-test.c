/* pack-test.c: trees of every kind of file, packed; read back by libarchive, GNU tar and our own
 * unpacking; the same tree gives the same bytes. Needs root, as layers do. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "image/layer-form.h"
#include "image/pack.h"
#include "image/store.h"
#include "image/test-store.h"

#define LONG_NAME                                                                                  \
        "a-name-that-is-as-long-as-names-may-be-and-a-little-longer-than-a-ustar-header-has-"      \
        "room-for-which-is-one-hundred-bytes"

typedef struct Tree {
        char path[40];
        int fd; /* of its root */
} Tree;

static void tree_done(Tree *tree) {
        close_fd(&tree->fd);
        (void)dir_remove_at(AT_FDCWD, tree->path, NULL);
}

static Tree new_tree(void) {
        Tree tree = { .path = "/tmp/brig-pack-XXXXXX", .fd = -1 };

        if (!mkdtemp(tree.path) || chmod(tree.path, 0755) < 0 ||
            dir_open_at(AT_FDCWD, tree.path, 0, &tree.fd, NULL) < 0)
                abort();
        return tree;
}

static void must(bool done) {
        if (done)
                return;
        printf("# %s\n", strerror(errno));
        abort();
}

/* ---- what is in a tree ---- */

static void set_time(const Tree *tree, const char *path, int64_t seconds) {
        const struct timespec times[2] = { { .tv_sec = seconds, .tv_nsec = 5 },
                                           { .tv_sec = seconds, .tv_nsec = 5 } };

        must(utimensat(tree->fd, path, times, AT_SYMLINK_NOFOLLOW) == 0);
}

static void put_file(const Tree *tree, const char *path, const char *text, unsigned mode) {
        _cleanup_close_ int fd = openat(tree->fd, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        must(fd >= 0 && fd_write_full(fd, text, strlen(text)) == 0 && fchmod(fd, mode) == 0);
        set_time(tree, path, 1000000000);
}

static void put_directory(const Tree *tree, const char *path) {
        must(mkdirat(tree->fd, path, 0755) == 0);
}

static void put_xattr(const Tree *tree, const char *path, const char *name, const char *value,
                      size_t length) {
        _cleanup_close_ int fd = openat(tree->fd, path, O_RDONLY | O_CLOEXEC);

        must(fd >= 0 && fsetxattr(fd, name, value, length, 0) == 0);
}

/* What both an archive and a layer can have. */
static void fill_plain(const Tree *tree) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_close_ int sparse = -1;

        put_directory(tree, "d");
        put_directory(tree, "d/" LONG_NAME);
        put_file(tree, "d/" LONG_NAME "/" LONG_NAME, "deep", 0644);
        put_file(tree, "d/\xff\xfe" LONG_NAME, "no UTF-8", 0600);
        put_file(tree, "d.b", "sorted after d/", 04755);
        put_file(tree, "short-\xff", "no UTF-8", 0600);
        put_file(tree, "n\xc3\xa9", "UTF-8", 0600);
        must(linkat(tree->fd, "d.b", tree->fd, "d/hard", 0) == 0);
        must(linkat(tree->fd, "d/" LONG_NAME "/" LONG_NAME, tree->fd, "z-hard", 0) == 0);
        must(symlinkat("/usr/bin/sh", tree->fd, "link") == 0);
        must(symlinkat(LONG_NAME "/" LONG_NAME, tree->fd, "long-link") == 0);
        set_time(tree, "link", 1);
        set_time(tree, "long-link", -7);
        put_file(tree, "owned", "", 0640);
        must(fchownat(tree->fd, "owned", 3000000000u, 4000000000u, 0) == 0);
        put_file(tree, "old", "", 0644);
        set_time(tree, "old", -100);
        put_xattr(tree, "old", "user.b", "1\0=\n2", 5);
        put_xattr(tree, "old", "user.a", "", 0);
        put_xattr(tree, "d", "user.dir", "yes", 3);
        must(mknodat(tree->fd, "null", S_IFCHR | 0666, makedev(1, 3)) == 0);
        must(mknodat(tree->fd, "disk", S_IFBLK | 0600, makedev(4000, 1000000)) == 0);
        must(mknodat(tree->fd, "pipe", S_IFIFO | 0622, 0) == 0);
        sparse = openat(tree->fd, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        must(sparse >= 0 && pwrite(sparse, "middle", 6, 3 << 20) == 6 &&
             ftruncate(sparse, (5 << 20) + 1) == 0);
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", tree->path);
        must(bind(server, (struct sockaddr *)&address, sizeof(address)) == 0);
}

static void fill_layer(const Tree *tree) {
        fill_plain(tree);
        must(mknodat(tree->fd, "d/gone", S_IFCHR, 0) == 0);
        must(linkat(tree->fd, "d/gone", tree->fd, "gone", 0) == 0); /* as overlayfs does */
        put_directory(tree, "opaque");
        put_file(tree, "opaque/new", "1", 0644);
        put_xattr(tree, "opaque", OPAQUE_XATTR, "y", 1);
        put_xattr(tree, ".", OPAQUE_XATTR, "y", 1);
        put_xattr(tree, "opaque/new", "trusted.overlay.origin", "x", 1);
        set_time(tree, "opaque", 77);
        set_time(tree, "d", 78);
        set_time(tree, "d/" LONG_NAME, 79);
}

/* ---- what a tree is, as text ---- */

static int by_name(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted: file systems list them in any order. */
static void describe_xattrs(int fd, Buf *out) {
        char names[4096], value[256], hex[600];
        ssize_t length = flistxattr(fd, names, sizeof(names));
        _cleanup_strv_ char **list = NULL;

        for (const char *name = names; name < names + length; name += strlen(name) + 1) {
                ssize_t n = fgetxattr(fd, name, value, sizeof(value));

                must(n >= 0);
                for (ssize_t i = 0; i < n; i++)
                        (void)snprintf(hex + 2 * i, 3, "%02x", (unsigned char)value[i]);
                if (!str_equal(name, "trusted.overlay.origin"))
                        strv_format(&list, " %s=%.*s", name, (int)(2 * n), hex);
        }
        if (list)
                qsort(list, strv_length(list), sizeof(char *), by_name);
        for (size_t i = 0; list && list[i]; i++)
                buf_add_str(out, list[i]);
}

static void describe_content(int fd, Buf *out) {
        _cleanup_buf_ Buf content = {};
        char digest[DIGEST_TEXT_MAX];

        must(fd_read_all(fd, 64 << 20, &content) == 0);
        digest_of(content.data, content.length, digest);
        buf_format(out, " %s", digest);
}

static void describe_directory(int fd, const char *path, Buf *out);

static void describe_one(int dir_fd, const char *name, const char *path, Buf *out) {
        struct stat st;
        char target[4096] = "";

        must(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
        if (S_ISSOCK(st.st_mode))
                return;
        buf_format(out, "%s %o %u %u", path, st.st_mode, st.st_uid, st.st_gid);
        if (!is_whiteout(&st))
                buf_format(out, " t%lld", (long long)st.st_mtim.tv_sec);
        if (!S_ISDIR(st.st_mode) && !is_whiteout(&st))
                buf_format(out, " n%lu %llx", (unsigned long)st.st_nlink,
                           (unsigned long long)st.st_rdev);
        if (S_ISLNK(st.st_mode)) {
                must(readlinkat(dir_fd, name, target, sizeof(target) - 1) > 0);
                buf_format(out, " -> %s", target);
        }
        if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
                _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

                describe_xattrs(fd, out);
                if (S_ISREG(st.st_mode))
                        describe_content(fd, out);
                buf_add_char(out, '\n');
                if (S_ISDIR(st.st_mode))
                        describe_directory(fd, path, out);
        } else {
                buf_add_char(out, '\n');
        }
}

static int compare(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static void describe_directory(int fd, const char *path, Buf *out) {
        struct dirent **entries;
        int count = scandirat(fd, ".", &entries, NULL, compare);

        must(count >= 0);
        for (int i = 0; i < count; i++) {
                _cleanup_free_ char *below = str_format("%s/%s", path, entries[i]->d_name);

                if (!str_equal(entries[i]->d_name, ".") && !str_equal(entries[i]->d_name, ".."))
                        describe_one(fd, entries[i]->d_name, below, out);
                free(entries[i]);
        }
        free(entries);
}

static char *describe(int fd) {
        Buf out = {};

        buf_add_str(&out, "");
        describe_directory(fd, "", &out);
        return out.data;
}

/* True if both are the same; else says where they differ. */
static bool same_tree(int left_fd, int right_fd) {
        _cleanup_free_ char *left = describe(left_fd), *right = describe(right_fd);
        _cleanup_strv_ char **a = str_split(left, '\n'), **b = str_split(right, '\n');

        for (size_t i = 0; a[i] || b[i]; i++) {
                if (str_equal(a[i], b[i]))
                        continue;
                printf("# %s\n# %s\n", a[i] ? a[i] : "(end)", b[i] ? b[i] : "(end)");
                return false;
        }
        return true;
}

/* ---- packing ---- */

static const PackOptions as_layer = { .overlay = true, .epoch = -1 },
                         as_files = { .overlay = false, .epoch = -1 };

/* A memory file with the archive, at its start. */
static int pack(int dir_fd, const PackOptions *options, char digest[DIGEST_TEXT_MAX], Error *err) {
        _cleanup_close_ int fd = memfd_create("packed", MFD_CLOEXEC);
        int64_t size = 0;
        struct stat st;
        int r = pack_directory(dir_fd, fd, options, digest, &size, err);

        if (r < 0)
                return r;
        must(fstat(fd, &st) == 0 && st.st_size == size && lseek(fd, 0, SEEK_SET) == 0);
        return TAKE_FD(fd);
}

TEST(a_layer_comes_back_as_it_was) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(tree_done) Tree tree = new_tree();
        _cleanup_(unpack_done) Unpack unpack = {};
        char first[DIGEST_TEXT_MAX], again[DIGEST_TEXT_MAX];
        _cleanup_close_ int fd = -1;
        _cleanup_close_ int copy_fd = -1;
        _cleanup_free_ char *path = NULL;
        int64_t files = 0;
        PackOptions options = as_layer;
        Error err = {};

        fill_layer(&tree);
        options.files = &files;
        fd = pack(tree.fd, &options, first, &err);
        ASSERT_OK(fd, &err);
        ASSERT_OK(unpack_start(test.store, fd, -1, &unpack, &err), &err);
        ASSERT_OK(unpack_finish(&unpack, &err), &err);
        ASSERT_STR(unpack.diff, first);
        ASSERT_INT(unpack.size, files);
        path = str_format("tmp/%s/fs", unpack.name);
        ASSERT_OK(dir_open_at(test.fd, path, 0, &copy_fd, &err), &err);
        ASSERT(same_tree(tree.fd, copy_fd));
        ASSERT_OK(pack_directory(copy_fd, -1, &as_layer, again, NULL, &err), &err);
        ASSERT_STR(again, first);
}

TEST(files_come_back_as_they_were) {
        const TreeUnpack options = { .devices = true };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(tree_done) Tree tree = new_tree();
        _cleanup_(tree_done) Tree copy = new_tree();
        char first[DIGEST_TEXT_MAX], again[DIGEST_TEXT_MAX];
        _cleanup_close_ int fd = -1;
        Error err = {};

        fill_plain(&tree);
        put_file(&tree, ".wh.plain", "a name like others", 0644);
        fd = pack(tree.fd, &as_files, first, &err);
        ASSERT_OK(fd, &err);
        ASSERT_OK(pack_directory(tree.fd, -1, &as_files, again, NULL, &err), &err);
        ASSERT_STR(again, first);
        ASSERT_INT(image_unpack_tree(test.store, fd, copy.fd, &options, &err), 1);
        ASSERT(same_tree(tree.fd, copy.fd));
        ASSERT_OK(pack_directory(copy.fd, -1, &as_files, again, NULL, &err), &err);
        ASSERT_STR(again, first);
}

TEST(gnu_tar_reads_it) {
        _cleanup_(tree_done) Tree tree = new_tree();
        _cleanup_(tree_done) Tree copy = new_tree();
        _cleanup_free_ char *command = NULL;
        char digest[DIGEST_TEXT_MAX];
        _cleanup_close_ int fd = -1;
        Error err = {};

        fill_plain(&tree);
        fd = pack(tree.fd, &as_files, digest, &err);
        ASSERT_OK(fd, &err);
        command = str_format("tar --numeric-owner --xattrs --xattrs-include='*' --same-owner -xpf "
                             "/proc/%d/fd/%d -C %s",
                             (int)getpid(), fd, copy.path);
        ASSERT_INT(system(command), 0);
        ASSERT(same_tree(tree.fd, copy.fd));
}

/* ---- what is written ---- */

static char **names_of(int fd) {
        struct archive *archive = archive_read_new();
        struct archive_entry *entry;
        char **names = NULL;

        must(archive_read_support_format_tar(archive) == ARCHIVE_OK &&
             archive_read_open_fd(archive, fd, 10240) == ARCHIVE_OK);
        while (archive_read_next_header(archive, &entry) == ARCHIVE_OK)
                strv_format(&names, "%s:%o:%lld%s%s", archive_entry_pathname(entry),
                            archive_entry_perm(entry), (long long)archive_entry_mtime(entry),
                            archive_entry_hardlink(entry) ? "=" : "",
                            archive_entry_hardlink(entry) ? archive_entry_hardlink(entry) : "");
        archive_read_free(archive);
        return names;
}

static Tree small_tree(void) {
        Tree tree = new_tree();

        put_directory(&tree, "a");
        put_file(&tree, "a.b", "x", 0644);
        put_file(&tree, "a/file", "x", 0600);
        must(linkat(tree.fd, "a/file", tree.fd, "hard", 0) == 0);
        must(mknodat(tree.fd, "a/gone", S_IFCHR, 0) == 0);
        put_xattr(&tree, "a", OPAQUE_XATTR, "y", 1);
        set_time(&tree, "a", 5);
        return tree;
}

static char *packed_names(const Tree *tree, const PackOptions *options) {
        static char *text;
        char digest[DIGEST_TEXT_MAX];
        Error err = {};
        _cleanup_close_ int fd = pack(tree->fd, options, digest, &err);
        _cleanup_strv_ char **names = fd < 0 ? NULL : names_of(fd);

        free(text);
        text = fd < 0 ? str_copy(err.message) : strv_join(names, " ");
        return text;
}

TEST(entries_are_in_order) {
        _cleanup_(tree_done) Tree tree = small_tree();
        PackOptions options = as_layer;

        ASSERT_STR(packed_names(&tree, &options),
                   "a/:755:5 a/.wh..wh..opq:600:0 a/file:600:1000000000 a/.wh.gone:600:0 "
                   "a.b:644:1000000000 hard:600:1000000000=a/file");
        options.epoch = 9;
        options.overlay = false;
        ASSERT_STR(packed_names(&tree, &options),
                   "a/:755:5 a/file:600:9 a/gone:0:9 a.b:644:9 hard:600:9=a/file");
}

TEST(one_path_of_a_tree) {
        _cleanup_(tree_done) Tree tree = small_tree();
        PackOptions options = as_layer;

        options.base = "a";
        ASSERT_STR(packed_names(&tree, &options),
                   "a/:755:5 a/.wh..wh..opq:600:0 a/file:600:1000000000 a/.wh.gone:600:0");
        options.base = "a/file";
        ASSERT_STR(packed_names(&tree, &options), "a/file:600:1000000000");
        options.base = "none";
        ASSERT_STR(packed_names(&tree, &options), "open 'none': No such file or directory");
        must(symlinkat("/etc", tree.fd, "out") == 0);
        options.base = "out/passwd";
        ASSERT_STR(packed_names(&tree, &options),
                   "open 'out/passwd': Too many levels of symbolic links");
}

TEST(other_file_systems_are_not_entered) {
        _cleanup_close_ int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        PackOptions options = { .epoch = -1, .base = "proc" };
        char digest[DIGEST_TEXT_MAX];
        Error err = {};
        _cleanup_close_ int fd = pack(root, &options, digest, &err);
        _cleanup_strv_ char **names = fd < 0 ? NULL : names_of(fd);

        ASSERT_OK(fd, &err);
        ASSERT_INT(strv_length(names), 1);
}

/* ---- what is refused ---- */

TEST(what_a_layer_cannot_have) {
        static const struct {
                const char *name, *attribute, *expected;
        } cases[] = {
                { ".wh.x", NULL, "can't be part of a layer" },
                { "x", "user.a=b", "no way to write a name with '=' in it" },
                { "x", "trusted.overlay.redirect", "its content is in another layer" },
                { "x", "trusted.overlay.metacopy", "its content is in another layer" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(tree_done) Tree tree = new_tree();

                put_file(&tree, cases[i].name, "", 0644);
                if (cases[i].attribute)
                        put_xattr(&tree, cases[i].name, cases[i].attribute, "y", 1);
                ASSERT(strstr(packed_names(&tree, &as_layer), cases[i].expected));
        }
}

/* Twenty components of 250 bytes: longer than any path, but no step of it is. */
TEST(too_deep_a_path) {
        _cleanup_(tree_done) Tree tree = new_tree();
        char name[251] = "";
        _cleanup_close_ int fd = dup(tree.fd);

        memset(name, 'n', 250);
        for (int i = 0; i < 20; i++) {
                int below;

                must(mkdirat(fd, name, 0755) == 0);
                below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                must(below >= 0);
                close_fd(&fd);
                fd = below;
        }
        ASSERT(strstr(packed_names(&tree, &as_files), "its path is longer than 4,095 bytes"));
}

/* A thousand levels, on a thread's small stack. */
static void *pack_deep(void *data) {
        const Tree *tree = data;

        return strstr(packed_names(tree, &as_files), "1/1/file:644:1000000000") ? data : NULL;
}

TEST(a_deep_tree_needs_no_stack) {
        _cleanup_(tree_done) Tree tree = new_tree();
        _cleanup_buf_ Buf path = {};
        pthread_attr_t attributes;
        pthread_t thread = 0;
        void *result = NULL;

        for (int i = 0; i < 1000; i++) {
                buf_add_str(&path, i ? "/1" : "1");
                must(mkdirat(tree.fd, path.data, 0755) == 0);
        }
        buf_add_str(&path, "/file");
        put_file(&tree, path.data, "x", 0644);
        must(pthread_attr_init(&attributes) == 0 &&
             pthread_attr_setstacksize(&attributes, 128 * 1024) == 0 &&
             pthread_create(&thread, &attributes, pack_deep, &tree) == 0);
        ASSERT_INT(pthread_join(thread, &result), 0);
        (void)pthread_attr_destroy(&attributes);
        ASSERT(result == &tree);
}

static bool stop(void *data) {
        return ++*(int *)data == 3;
}

TEST(it_can_be_cancelled) {
        _cleanup_(tree_done) Tree tree = small_tree();
        int calls = 0;
        PackOptions options = { .epoch = -1, .cancelled = stop, .data = &calls };
        Error err = {};

        ASSERT_INT(pack_directory(tree.fd, -1, &options, NULL, NULL, &err), -ECANCELED);
        ASSERT_INT(calls, 3);
}

TEST(a_reader_that_goes_is_told) {
        _cleanup_(tree_done) Tree tree = new_tree();
        _cleanup_close_ int sparse = openat(tree.fd, "large", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        int pipe_fds[2];
        Error err = {};

        must(ftruncate(sparse, 64 << 20) == 0 && pipe2(pipe_fds, O_CLOEXEC) == 0);
        (void)signal(SIGPIPE, SIG_IGN);
        close_fd(&pipe_fds[0]);
        ASSERT_INT(pack_directory(tree.fd, pipe_fds[1], &as_files, NULL, NULL, &err), -EPIPE);
        close_fd(&pipe_fds[1]);
        ASSERT(strstr(err.message, "write the archive"));
}

/* The names of an archive's entries, and of links what they lead to; the caller's. */
static char *names_in(int fd) {
        struct archive *archive = archive_read_new();
        struct archive_entry *entry;
        Buf names = {};

        must(lseek(fd, 0, SEEK_SET) == 0 &&
             archive_read_support_format_tar(archive) == ARCHIVE_OK &&
             archive_read_open_fd(archive, fd, 10240) == ARCHIVE_OK);
        while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
                const char *link = archive_entry_hardlink(entry);

                buf_format(&names, "%s%s%s ", archive_entry_pathname(entry), link ? "=" : "",
                           link ?: "");
        }
        archive_read_free(archive);
        return buf_take(&names);
}

TEST(several_directories_are_one_archive_without_links_between_them) {
        _cleanup_(tree_done) Tree tree = new_tree();
        const PackPart parts[] = { { tree.fd, (char *)"a" }, { tree.fd, (char *)"b" } };
        _cleanup_close_ int fd = memfd_create("parts", MFD_CLOEXEC);
        _cleanup_free_ char *names = NULL;
        Error err = {};

        put_file(&tree, "one", "text", 0644);
        must(linkat(tree.fd, "one", tree.fd, "two", 0) == 0);
        ASSERT_OK(pack_parts(parts, ELEMENTS(parts), fd, &as_files, &err), &err);
        names = names_in(fd);
        ASSERT_STR(names, "a/ a/one a/two=a/one b/ b/one b/two=b/one ");
}

TEST_MAIN()
