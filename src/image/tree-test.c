/* tree-test.c: archives unpacked as they are by the confined program, well-meant and hostile, and
 * what is no archive; files downloaded from a server of the test's own. */
#include <errno.h>
#include <sys/sysmacros.h>

#include "image/test-registry.h"
#include "image/test-store.h"

typedef struct Target {
        char path[40]; /* holds root/ and canary */
        int fd, root_fd;
} Target;

static void target_done(Target *target) {
        close_fd(&target->fd);
        close_fd(&target->root_fd);
        (void)dir_remove_at(AT_FDCWD, target->path, NULL);
}

static Target new_target(void) {
        Target target = { .path = "/tmp/brig-tree-XXXXXX" };

        if (!mkdtemp(target.path) ||
            dir_open_at(AT_FDCWD, target.path, 0755, &target.fd, NULL) < 0 ||
            file_replace_at(target.fd, "canary", "alive", 5, 0600, false, NULL) < 0 ||
            dir_open_at(target.fd, "root", 0755, &target.root_fd, NULL) < 0)
                abort();
        return target;
}

static char *content(int fd, const char *path) {
        static char *text;

        free(text);
        text = NULL;
        return file_read_at(fd, path, 1000, &text, NULL, NULL) < 0 ? (char *)"(none)" : text;
}

static int unpack(const TestStore *test, const Target *target, const TestEntry *entries,
                  size_t count, int filter, const TreeUnpack *options, Error *err) {
        _cleanup_buf_ Buf archive = test_archive(entries, count, filter);
        _cleanup_close_ int fd = test_archive_fd(&archive);

        return image_unpack_tree(test->store, fd, target->root_fd, options, err);
}

TEST(names_are_plain) {
        const TestEntry entries[] = {
                { "./", 'd', NULL, 0700 },
                { "a/", 'd', NULL, 01777, 5, 6 },
                { "a/.wh.x", 'f', "plain", 04711, 7, 8 },
                { "a/.wh..wh..opq", 'f', "opq" },
                { ".wh.d/", 'd' },
                { ".wh.d/below", 'f', "b" },
                { ".wh..wh.plnk", 'f', "p" },
                { "link", 'l', "a" },
                { "hard", 'h', "a/.wh.x" },
                { "pipe", 'p' },
        };
        static const int filters[] = { 0, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD,
                                       ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_BZIP2 };
        const TreeUnpack options = {};
        _cleanup_(test_store_done) TestStore test = test_store();
        struct stat st;
        Error err = {};

        for (size_t i = 0; i < ELEMENTS(filters); i++) {
                _cleanup_(target_done) Target target = new_target();

                ASSERT_INT(unpack(&test, &target, entries, ELEMENTS(entries), filters[i], &options,
                                  &err),
                           1);
                ASSERT_STR(content(target.root_fd, "a/.wh.x"), "plain");
                ASSERT_STR(content(target.root_fd, "a/.wh..wh..opq"), "opq");
                ASSERT_STR(content(target.root_fd, ".wh.d/below"), "b");
                ASSERT_STR(content(target.root_fd, ".wh..wh.plnk"), "p");
                ASSERT_INT(fstatat(target.root_fd, "hard", &st, 0), 0);
                ASSERT(st.st_mode == (S_IFREG | 04711) && st.st_uid == 7 && st.st_gid == 8 &&
                       st.st_nlink == 2);
                ASSERT_INT(fstatat(target.root_fd, "a", &st, 0), 0);
                ASSERT(st.st_mode == (S_IFDIR | 01777) && st.st_uid == 5 &&
                       st.st_mtim.tv_sec == 1000000000);
        }
}

TEST(directories_are_merged) {
        const TestEntry entries[] = { { "d/", 'd', NULL, 0700 },
                                      { "d/new", 'f', "new" },
                                      { "f", 'f', "replaced" } };
        const TreeUnpack options = {};
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(target_done) Target target = new_target();
        Error err = {};

        ASSERT_OK(dir_make_at(target.root_fd, "d/old", 0755, &err), &err);
        ASSERT_OK(file_replace_at(target.root_fd, "f", "was", 3, 0600, false, &err), &err);
        ASSERT_INT(unpack(&test, &target, entries, ELEMENTS(entries), 0, &options, &err), 1);
        ASSERT_STR(content(target.root_fd, "d/new"), "new");
        ASSERT_STR(content(target.root_fd, "f"), "replaced");
        ASSERT_INT(faccessat(target.root_fd, "d/old", F_OK, 0), 0);
}

TEST(devices_only_where_asked) {
        const TestEntry device = { "null", 'c', NULL, 0666, 0, 0, 1, 3 };
        const TreeUnpack without = {}, with = { .devices = true };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(target_done) Target target = new_target();
        struct stat st;
        Error err = {};

        ASSERT(unpack(&test, &target, &device, 1, 0, &without, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT_STR(err.message,
                   "refused archive entry 'null': a device, which this archive may not have");
        ASSERT(fstatat(target.root_fd, "null", &st, 0) < 0);
        ASSERT_INT(unpack(&test, &target, &device, 1, 0, &with, &err), 1);
        ASSERT_INT(fstatat(target.root_fd, "null", &st, 0), 0);
        ASSERT(st.st_rdev == makedev(1, 3));
}

TEST(hostile_entries_stay_inside) {
        static const TestEntry cases[][2] = {
                { { "../canary", 'f', "x" } },
                { { "a/../../canary", 'f', "x" } },
                { { "l", 'l', "../canary" }, { "h", 'h', "../canary" } },
                { { "h", 'h', "missing" } },
                { { "f", 'f', "" }, { "f/x", 'f', "" } },
                { { "zero", 'c', NULL, 0, 0, 0, 0, 0 } },
        };
        const TreeUnpack options = { .devices = true, .detect = true };
        _cleanup_(test_store_done) TestStore test = test_store();

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(target_done) Target target = new_target();
                Error err = {};

                printf("# case %zu\n", i);
                ASSERT(unpack(&test, &target, cases[i], cases[i][1].name ? 2 : 1, 0, &options,
                              &err) < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
                ASSERT_STR(content(target.fd, "canary"), "alive");
        }
}

TEST(links_lead_nowhere_else) {
        const TestEntry entries[] = { { "/", 'l', "/etc" },
                                      { "up", 'l', "../../../.." },
                                      { "up/canary", 'f', "mine" },
                                      { "/abs", 'f', "in" } };
        const TreeUnpack options = {};
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(target_done) Target target = new_target();
        Error err = {};

        ASSERT_INT(unpack(&test, &target, entries, ELEMENTS(entries), 0, &options, &err), 1);
        ASSERT_STR(content(target.root_fd, "canary"), "mine");
        ASSERT_STR(content(target.root_fd, "abs"), "in");
        ASSERT_STR(content(target.fd, "canary"), "alive");
}

/* ---- no archive ---- */

static Buf gzipped(const char *text) {
        Buf buf = {};
        struct archive *archive = archive_write_new();
        struct archive_entry *entry = archive_entry_new();

        archive_entry_set_pathname(entry, "data");
        archive_entry_set_filetype(entry, AE_IFREG);
        if (archive_write_set_format_raw(archive) != ARCHIVE_OK ||
            archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
            archive_write_open(archive, &buf, NULL, test_archive_write, NULL) != ARCHIVE_OK ||
            archive_write_header(archive, entry) != ARCHIVE_OK ||
            archive_write_data(archive, text, strlen(text)) < 0 ||
            archive_write_close(archive) != ARCHIVE_OK)
                abort();
        archive_entry_free(entry);
        archive_write_free(archive);
        return buf;
}

static Buf bytes_of(const void *data, size_t length) {
        Buf buf = {};

        buf_add(&buf, data, length);
        return buf;
}

TEST(what_is_no_archive_is_left_alone) {
        static const char zeros[1024];
        Buf cases[] = {
                bytes_of("", 0),
                bytes_of("#!/bin/sh\necho hello\n", 21),
                bytes_of(zeros, sizeof(zeros)), /* an empty archive */
                bytes_of("\x1f\x8b\x08", 3),
                bytes_of("\x1f\x8b\x08 no gzip at all, but it begins so", 36),
                gzipped("a text"),
        };
        const TreeUnpack detect = { .detect = true }, insist = {};
        _cleanup_(test_store_done) TestStore test = test_store();

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(target_done) Target target = new_target();
                _cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);
                Error err = {};

                printf("# case %zu\n", i);
                ASSERT(fd_write_full(fd, "before", 6) == 0 &&
                       fd_write_full(fd, cases[i].data, cases[i].length) == 0);
                ASSERT_INT(lseek(fd, 6, SEEK_SET), 6);
                ASSERT_OK(image_unpack_tree(test.store, fd, target.root_fd, &detect, &err), &err);
                ASSERT_INT(lseek(fd, 0, SEEK_CUR), 6);
                if (i == 1 || i > 2)
                        ASSERT(image_unpack_tree(test.store, fd, target.root_fd, &insist, &err) <
                               0);
                buf_done(&cases[i]);
        }
}

TEST(a_probe_tells_an_archive_and_writes_nothing) {
        const TestEntry entries[] = { { "a", 'f', "first" }, { "../b", 'f', "hostile" } };
        const TreeUnpack probe = { .detect = true, .probe = true };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(target_done) Target target = new_target();
        _cleanup_buf_ Buf archive = test_archive(entries, ELEMENTS(entries), ARCHIVE_FILTER_GZIP);
        _cleanup_buf_ Buf text = gzipped("a text");
        _cleanup_close_ int fd = test_archive_fd(&archive), no_fd = test_archive_fd(&text);
        Error err = {};

        ASSERT_INT(image_unpack_tree(test.store, fd, target.root_fd, &probe, &err), 1);
        ASSERT_INT(lseek(fd, 0, SEEK_CUR), 0);
        ASSERT_STR(content(target.root_fd, "a"), "(none)");
        ASSERT_INT(image_unpack_tree(test.store, no_fd, target.root_fd, &probe, &err), 0);
        ASSERT_INT(lseek(no_fd, 0, SEEK_CUR), 0);
}

TEST(what_is_unpacked_is_counted_and_has_a_limit) {
        const TestEntry entries[] = { { "a", 'f', "first" }, { "b", 'f', "second" } };
        int64_t bytes = 0;
        TreeUnpack options = { .limit = 11, .ret_bytes = &bytes };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(target_done) Target target = new_target(), less = new_target();
        Error err = {};

        ASSERT_INT(unpack(&test, &target, entries, ELEMENTS(entries), 0, &options, &err), 1);
        ASSERT_INT(bytes, 11);
        options.limit = 10;
        ASSERT_INT(unpack(&test, &less, entries, ELEMENTS(entries), 0, &options, &err), -EFBIG);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT(strstr(err.message, "'b'") && strstr(err.message, "10 bytes"));
}

TEST(a_damaged_archive_is_an_error) {
        const TestEntry entries[] = { { "a", 'f', "first" }, { "b", 'f', "second" } };
        const TreeUnpack detect = { .detect = true };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(target_done) Target target = new_target();
        _cleanup_buf_ Buf archive = test_archive(entries, ELEMENTS(entries), 0);
        _cleanup_close_ int fd = -1;
        Error err = {};

        archive.length = 512 * 3 + 100;
        fd = test_archive_fd(&archive);
        ASSERT(image_unpack_tree(test.store, fd, target.root_fd, &detect, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
}

TEST(a_pipe_is_unpacked) {
        const TestEntry entry = { "a", 'f', "piped" };
        const TreeUnpack options = {};
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(target_done) Target target = new_target();
        _cleanup_buf_ Buf archive = test_archive(&entry, 1, 0);
        int fds[2];
        Error err = {};

        ASSERT(pipe2(fds, O_CLOEXEC) == 0 &&
               fd_write_full(fds[1], archive.data, archive.length) == 0);
        close_fd(&fds[1]);
        ASSERT_INT(image_unpack_tree(test.store, fds[0], target.root_fd, &options, &err), 1);
        close_fd(&fds[0]);
        ASSERT_STR(content(target.root_fd, "a"), "piped");
}

/* ---- downloads ---- */

static void answer(TestRegistry *registry, const TestRequest *request, Buf *out) {
        const char *body = "hello, file\n";

        (void)registry;
        if (str_equal(request->path, "/dir/file%20one.txt?x=1"))
                test_answer(out, "200 OK", "Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n", body,
                            strlen(body));
        else if (str_equal(request->path, "/named"))
                test_answer(out, "200 OK",
                            "Content-Disposition: attachment; filename=\"../of server.tar\"\r\n",
                            body, strlen(body));
        else if (str_equal(request->path, "/moved"))
                test_answer(out, "302 Found", "Location: /dir/file%20one.txt?x=1\r\n", "gone", 4);
        else if (str_equal(request->path, "/short"))
                buf_format(out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n%s", body);
        else if (str_equal(request->path, "/"))
                test_answer(out, "200 OK", "", "", 0);
        else
                test_answer(out, "404 Not Found", "", "no such thing", 13);
}

typedef struct Got {
        int64_t time;
        char *name;
        char digest[DIGEST_TEXT_MAX];
        Buf body;
} Got;

static void got_done(Got *got) {
        free(got->name);
        buf_done(&got->body);
}

static int download(const TestStore *test, int port, const char *path, int64_t limit, Got *ret,
                    Error *err) {
        _cleanup_free_ char *url = str_format("http://127.0.0.1:%d%s", port, path);
        _cleanup_close_ int fd = memfd_create("download", MFD_CLOEXEC);
        int r;

        got_done(ret);
        *ret = (Got){};
        r = image_download(test->store, url, fd, limit, NULL, NULL, &ret->time, &ret->name,
                           ret->digest, err);
        if (r == 0 && (lseek(fd, 0, SEEK_SET) < 0 || fd_read_all(fd, 1 << 20, &ret->body) < 0))
                abort();
        return r;
}

TEST(downloads) {
        _cleanup_(test_registry_stop) TestRegistry server = {};
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(got_done) Got got = {};
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        digest_of("hello, file\n", 12, digest);
        test_registry_start(&server, answer, NULL);
        ASSERT_OK(download(&test, server.port, "/dir/file%20one.txt?x=1", 12, &got, &err), &err);
        ASSERT_STR(got.body.data, "hello, file\n");
        ASSERT_STR(got.name, "file one.txt");
        ASSERT_STR(got.digest, digest);
        ASSERT_INT(got.time, 1000000000);
        ASSERT_OK(download(&test, server.port, "/named", 100, &got, &err), &err);
        ASSERT_STR(got.name, "of server.tar");
        ASSERT_INT(got.time, 0);
        ASSERT_OK(download(&test, server.port, "/moved", 100, &got, &err), &err);
        ASSERT_STR(got.name, "moved");
        ASSERT_STR(got.digest, digest);
        ASSERT_OK(download(&test, server.port, "/", 0, &got, &err), &err);
        ASSERT_STR(got.name, "");
}

TEST(failed_downloads) {
        static const struct {
                const char *path;
                int64_t limit;
                ErrorKind kind;
                const char *expected;
        } cases[] = {
                { "/none", 100, ERROR_NOT_FOUND, "/none\": invalid response status 404" },
                { "/named", 11, ERROR_INVALID, "larger than the 11 bytes" },
                { "/short", 100, ERROR_UNAVAILABLE, "/short\": " },
        };
        _cleanup_(test_registry_stop) TestRegistry server = {};
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(got_done) Got got = {};
        Error err = {};
        int port;

        test_registry_start(&server, answer, NULL);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                ASSERT(download(&test, server.port, cases[i].path, cases[i].limit, &got, &err) < 0);
                ASSERT_INT(err.kind, cases[i].kind);
                ASSERT(strstr(err.message, cases[i].expected));
        }
        (void)close(test_listen(&port)); /* nobody listens there now */
        ASSERT(download(&test, port, "/", 1, &got, &err) < 0);
        ASSERT(strstr(err.message, "connection refused"));
        ASSERT(image_download(test.store, "file:///etc/passwd", 1, 9, NULL, NULL, &got.time,
                              &got.name, got.digest, &err) < 0);
        ASSERT_STR(err.message,
                   "Get \"file:///etc/passwd\": only http and https URLs can be fetched");
        ASSERT(image_download(test.store, "http://", 1, 9, NULL, NULL, &got.time, &got.name,
                              got.digest, &err) < 0);
        ASSERT(strstr(err.message, "no URL of a server"));
}

TEST_MAIN()
