/* unpack-test.c: layers applied to a directory of the test's own, well-meant and hostile. Beside
 * the directory lies a canary that must never change. Needs root, as layers do. */
#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/test.h"
#include "image/test-archive.h"
#include "image/unpack.h"

typedef struct Place {
        char path[40]; /* holds root/ and canary */
        int fd, root_fd;
} Place;

static void place_done(Place *place) {
        close_fd(&place->fd);
        close_fd(&place->root_fd);
        (void)dir_remove_at(AT_FDCWD, place->path, NULL);
}

static Place new_place(void) {
        Place place = { .path = "/tmp/brig-unpack-XXXXXX" };

        if (!mkdtemp(place.path) || dir_open_at(AT_FDCWD, place.path, 0755, &place.fd, NULL) < 0 ||
            file_replace_at(place.fd, "canary", "alive", 5, 0600, false, NULL) < 0 ||
            dir_open_at(place.fd, "root", 0755, &place.root_fd, NULL) < 0)
                abort();
        return place;
}

static int apply_archive(const Place *place, const Buf *archive, const UnpackLimits *limits,
                         Error *err) {
        _cleanup_close_ int fd = test_archive_fd(archive);
        _cleanup_(tar_stream_freep) TarStream *stream = NULL;
        char digest[DIGEST_TEXT_MAX];
        int64_t size = 0;
        int r = tar_stream_new(fd, -1, limits->stream, &stream, err);

        if (r == 0)
                r = unpack_layer(stream, place->root_fd, limits, NULL, NULL, &size, err);
        return r < 0 ? r : tar_stream_finish(stream, digest, err);
}

static int apply(const Place *place, const TestEntry *entries, size_t count,
                 const UnpackLimits *limits, Error *err) {
        _cleanup_buf_ Buf archive = test_archive(entries, count, ARCHIVE_FILTER_GZIP);

        return apply_archive(place, &archive, limits, err);
}
#define APPLY(place, err, ...)                                                                     \
        ({                                                                                         \
                const TestEntry list_[] = { __VA_ARGS__ };                                         \
                apply(place, list_, ELEMENTS(list_), &unpack_limits, err);                         \
        })

static bool canary_lives(const Place *place) {
        _cleanup_free_ char *text = NULL;
        struct stat st;

        return file_read_at(place->fd, "canary", 100, &text, NULL, NULL) == 0 &&
               str_equal(text, "alive") && fstatat(place->fd, "canary", &st, 0) == 0 &&
               st.st_nlink == 1 && (st.st_mode & 0777) == 0600;
}

static char *content(const Place *place, const char *path) {
        static char *text;

        free(text);
        text = NULL;
        return file_read_at(place->root_fd, path, 1000, &text, NULL, NULL) < 0 ? (char *)"(none)"
                                                                               : text;
}

static bool is_opaque(const Place *place, const char *path) {
        _cleanup_close_ int fd = openat(place->root_fd, path, O_RDONLY | O_CLOEXEC);
        char value = 0;

        return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static int apply_cut(const Place *place, size_t length) {
        const TestEntry entries[] = { { "first", 'f', "1" }, { "last", 'f', "the last file" } };
        _cleanup_buf_ Buf archive = test_archive(entries, ELEMENTS(entries), 0);

        archive.length = length;
        return apply_archive(place, &archive, &unpack_limits, NULL);
}

/* Go's tar writer, not closed: what docker sends where it adds a Dockerfile to a context. */
TEST(the_last_block_need_not_be_filled) {
        _cleanup_(place_done) Place place = new_place();
        const size_t data = 3 * 512; /* behind two headers and the first file's block */

        ASSERT(apply_cut(&place, data + strlen("the last file")) == 0);
        ASSERT_STR(content(&place, "last"), "the last file");
        ASSERT(apply_cut(&place, data + strlen("the last fil")) < 0);
        ASSERT(apply_cut(&place, data) < 0);
        ASSERT(apply_cut(&place, data + 100) < 0);
        ASSERT(apply_cut(&place, 512 + 100) < 0);
}

TEST(attributes_are_kept) {
        _cleanup_(place_done) Place place = new_place();
        struct stat st;
        char value[8] = "";
        Error err = {};

        ASSERT_OK(APPLY(&place, &err, { "./", 'd', NULL, 01777 }, { "bin/", 'd' },
                        { "bin/su", 'f', "su", 04755, 7, 8, 0, 0, "user.note", "hi" },
                        { "bin/sh", 'l', "/bin/su" }, { "bin/copy", 'h', "bin/su" },
                        { "null", 'c', NULL, 0666, 0, 5, 1, 3 }, { "pipe", 'p', NULL, 0600 },
                        { "deep/er/file", 'f', "x" }),
                  &err);
        ASSERT_INT(fstatat(place.root_fd, "bin/su", &st, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT_INT(st.st_mode, S_IFREG | 04755);
        ASSERT_INT(st.st_uid, 7);
        ASSERT_INT(st.st_gid, 8);
        ASSERT_INT(st.st_nlink, 2);
        ASSERT_INT(st.st_mtim.tv_sec, 1000000000);
        ASSERT_INT(st.st_mtim.tv_nsec, 123456789);
        ASSERT_INT(fstatat(place.root_fd, "bin", &st, 0), 0);
        ASSERT_INT(st.st_mtim.tv_sec, 1000000000);
        ASSERT_INT(fstat(place.root_fd, &st), 0);
        ASSERT_INT(st.st_mode & 07777, 01777);
        ASSERT_INT(fstatat(place.root_fd, "null", &st, 0), 0);
        ASSERT(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) && st.st_gid == 5);
        ASSERT_INT(fstatat(place.root_fd, "pipe", &st, 0), 0);
        ASSERT(S_ISFIFO(st.st_mode));
        ASSERT_INT(readlinkat(place.root_fd, "bin/sh", value, sizeof(value)), 7);
        ASSERT_STR(content(&place, "deep/er/file"), "x");
        _cleanup_close_ int fd = openat(place.root_fd, "bin/su", O_RDONLY | O_CLOEXEC);
        ASSERT_INT(fgetxattr(fd, "user.note", value, sizeof(value)), 2);
}

TEST(whiteouts) {
        _cleanup_(place_done) Place place = new_place();
        struct stat st;
        Error err = {};

        ASSERT_OK(APPLY(&place, &err, { "a/.wh.gone", 'f', "" }, { "o/", 'd' },
                        { "o/.wh..wh..opq", 'f', "" }, { "o/new", 'f', "1" },
                        { "r/.wh.back", 'f', "" }, { "r/back/", 'd' }, { "k/", 'd' },
                        { ".wh.k", 'f', "" }, { ".wh..wh.plnk/", 'd' },
                        { ".wh..wh.plnk/1.2", 'f', "x" }),
                  &err);
        ASSERT_INT(fstatat(place.root_fd, "a/gone", &st, 0), 0);
        ASSERT(S_ISCHR(st.st_mode) && st.st_rdev == 0);
        ASSERT(is_opaque(&place, "o") && is_opaque(&place, "r/back") && is_opaque(&place, "k"));
        ASSERT(fstatat(place.root_fd, ".wh..wh.plnk", &st, 0) < 0);
}

TEST(replaced_kinds) {
        _cleanup_(place_done) Place place = new_place();
        struct stat st;
        Error err = {};

        ASSERT_OK(APPLY(&place, &err, { "x", 'f', "1" }, { "x/", 'd' }, { "x/y", 'f', "2" },
                        { "x", 'f', "3" }, { "x", 'l', "y" }, { "x", 'f', "4" }),
                  &err);
        ASSERT_INT(fstatat(place.root_fd, "x", &st, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT(S_ISREG(st.st_mode));
        ASSERT_STR(content(&place, "x"), "4");
}

TEST(overlay_attributes_are_dropped) {
        _cleanup_(place_done) Place place = new_place();
        Error err = {};

        ASSERT_OK(APPLY(&place, &err,
                        { "d/", 'd', NULL, 0755, 0, 0, 0, 0, "trusted.overlay.opaque", "y" },
                        { "e/", 'd', NULL, 0755, 0, 0, 0, 0, "user.overlay.opaque", "y" },
                        { "f", 'f', "", 0644, 0, 0, 0, 0, "trusted.overlay.redirect", "/etc" }),
                  &err);
        ASSERT(!is_opaque(&place, "d"));
        _cleanup_close_ int fd = openat(place.root_fd, "e", O_RDONLY | O_CLOEXEC);
        ASSERT_INT(flistxattr(fd, NULL, 0), 0);
}

TEST(symbolic_links_stay_inside) {
        _cleanup_(place_done) Place place = new_place();
        Error err = {};

        /* Absolute and climbing links are resolved as if the directory were the root. */
        ASSERT_OK(APPLY(&place, &err, { "usr/lib/", 'd' }, { "lib", 'l', "/usr/lib" },
                        { "lib/x", 'f', "in" }, { "up", 'l', "../../../.." },
                        { "up/canary", 'f', "mine" }, { "abs", 'l', "/canary" },
                        { "abs", 'f', "replaced" }),
                  &err);
        ASSERT_STR(content(&place, "usr/lib/x"), "in");
        ASSERT_STR(content(&place, "canary"), "mine");
        ASSERT_STR(content(&place, "abs"), "replaced");
        ASSERT(canary_lives(&place));
}

TEST(absolute_names_stay_inside) {
        _cleanup_(place_done) Place place = new_place();
        Error err = {};

        ASSERT_OK(APPLY(&place, &err, { "/tmp/evil", 'f', "x" }, { "//a//./b", 'f', "y" }), &err);
        ASSERT_STR(content(&place, "tmp/evil"), "x");
        ASSERT_STR(content(&place, "a/b"), "y");
}

TEST(hostile_entries_are_refused) {
        static const TestEntry cases[][2] = {
                { { "../canary", 'f', "x" } },
                { { "a/../../canary", 'f', "x" } },
                { { "l", 'l', "../canary" }, { "h", 'h', "../canary" } },
                { { "h", 'h', "missing" } },
                { { "h", 'h', "h" } },
                { { "f", 'f', "" }, { "f/x", 'f', "" } },
                { { "zero", 'c', NULL, 0, 0, 0, 0, 0 } },
                { { ".wh.", 'f', "" } },
                { { ".wh..", 'f', "" } },
                { { ".wh...", 'f', "" } },
                { { "a/.wh...", 'f', "" } },
                { { ".wh.x/y", 'f', "" } },
                { { "a/.wh.x/y", 'f', "" } },
                { { ".", 'f', "" } },
                { { "/", 'l', "/etc" } },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(place_done) Place place = new_place();
                Error err = {};
                int r = apply(&place, cases[i], cases[i][1].name ? 2 : 1, &unpack_limits, &err);

                if (r >= 0)
                        printf("# case %zu was taken\n", i);
                ASSERT(r < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
                ASSERT(canary_lives(&place));
        }
}

TEST(hard_links_do_not_follow) {
        _cleanup_(place_done) Place place = new_place();
        struct stat st;
        Error err = {};

        ASSERT_OK(APPLY(&place, &err, { "l", 'l', "/../canary" }, { "h", 'h', "l" },
                        { "up", 'l', ".." }, { "own", 'f', "x" }, { "g", 'h', "up/own" }),
                  &err);
        ASSERT_INT(fstatat(place.root_fd, "h", &st, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT(S_ISLNK(st.st_mode));
        ASSERT_STR(content(&place, "g"), "x");
        ASSERT(canary_lives(&place));
}

TEST(limits_hold) {
        const UnpackLimits few = { .entries = 2, .bytes = 10, .stream = 1 << 20 };
        _cleanup_(place_done) Place place = new_place();
        char long_name[300] = "";

        ASSERT(apply(&place,
                     (const TestEntry[]){ { "a", 'f', "" }, { "b", 'f', "" }, { "c", 'f', "" } }, 3,
                     &few, NULL) < 0);
        ASSERT(apply(&place, (const TestEntry[]){ { "a", 'f', "123456" }, { "b", 'f', "123456" } },
                     2, &few, NULL) < 0);
        ASSERT(apply(&place, (const TestEntry[]){ { "a", 'f', "12345" }, { "b", 'f', "12345" } }, 2,
                     &few, NULL) == 0);
        memset(long_name, 'n', 256);
        ASSERT(APPLY(&place, NULL, { long_name, 'f', "" }) < 0);
        long_name[255] = '\0';
        ASSERT(APPLY(&place, NULL, { long_name, 'f', "" }) == 0);
}

static void add_zeros(Buf *buf, size_t length) {
        _cleanup_free_ char *zeros = alloc_zero(1, length);

        buf_add(buf, zeros, length);
}

TEST(what_follows_the_end_is_padding_only) {
        const TestEntry entry = { "a", 'f', "x" };
        _cleanup_(place_done) Place place = new_place();
        _cleanup_buf_ Buf archive = test_archive(&entry, 1, 0);
        Error err = {};

        add_zeros(&archive, 4 << 20);
        ASSERT_OK(apply_archive(&place, &archive, &unpack_limits, &err), &err);
        add_zeros(&archive, 13 << 20);
        ASSERT(apply_archive(&place, &archive, &unpack_limits, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT(strstr(err.message, "follow the end of the archive"));
}

/* Entries that leave nothing on the disk are inflated nevertheless. */
TEST(a_stream_has_a_limit) {
        const UnpackLimits limits = { .entries = 10, .bytes = 1 << 20, .stream = 1 << 20 };
        _cleanup_(place_done) Place place = new_place();
        _cleanup_buf_ Buf zeros = {};
        Error err = {};

        add_zeros(&zeros, 2 << 20);
        ASSERT(apply(&place,
                     (const TestEntry[]){ { .name = ".wh..wh.plnk/1",
                                            .type = 'f',
                                            .data = zeros.data,
                                            .length = zeros.length } },
                     1, &limits, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT(strstr(err.message, "when it is inflated"));
}

__attribute__((constructor)) static void need_root(void) {
        if (geteuid() == 0)
                return;
        printf("1..0 # SKIP needs root\n");
        exit(0);
}

TEST_MAIN()
