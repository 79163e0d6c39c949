/* tar-test.c: what tar.c writes, libarchive reads. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/test.h"
#include "format/tar.h"

static void read_freep(struct archive **archive) {
        (void)archive_read_free(*archive);
}

TEST(an_archive_reads_back) {
        _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
        _cleanup_close_ int in = memfd_create("in", MFD_CLOEXEC);
        _cleanup_(read_freep) struct archive *archive = archive_read_new();
        struct archive_entry *entry;
        char data[600];
        Error err = {};

        memset(data, 'x', sizeof(data));
        ASSERT_INT(fd_write_full(in, data, sizeof(data)), 0);
        ASSERT_OK(tar_put_directory(out, "d/", 7, &err), &err);
        ASSERT_OK(tar_put_bytes(out, "d/bytes", "hello", 5, 8, &err), &err);
        ASSERT_OK(tar_put_file(out, "d/file", in, sizeof(data), 9, &err), &err);
        ASSERT_OK(tar_end(out, &err), &err);
        ASSERT_INT(lseek(out, 0, SEEK_SET), 0);

        ASSERT_INT(archive_read_support_format_tar(archive), ARCHIVE_OK);
        ASSERT_INT(archive_read_open_fd(archive, out, 512), ARCHIVE_OK);
        ASSERT_INT(archive_read_next_header(archive, &entry), ARCHIVE_OK);
        ASSERT_STR(archive_entry_pathname(entry), "d/");
        ASSERT_INT(archive_entry_filetype(entry), AE_IFDIR);
        ASSERT_INT(archive_entry_mtime(entry), 7);
        ASSERT_INT(archive_read_next_header(archive, &entry), ARCHIVE_OK);
        ASSERT_STR(archive_entry_pathname(entry), "d/bytes");
        ASSERT_INT(archive_read_data(archive, data, sizeof(data)), 5);
        ASSERT_INT(archive_read_next_header(archive, &entry), ARCHIVE_OK);
        ASSERT_INT(archive_entry_size(entry), 600);
        ASSERT_INT(archive_read_data(archive, data, sizeof(data)), 600);
        ASSERT_INT(data[599], 'x');
        ASSERT_INT(archive_read_next_header(archive, &entry), ARCHIVE_EOF);
}

TEST(what_does_not_fit_is_refused) {
        _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
        _cleanup_close_ int in = memfd_create("in", MFD_CLOEXEC);
        char name[102] = "";

        memset(name, 'n', 101);
        ASSERT(tar_put_directory(out, name, 0, NULL) < 0);
        ASSERT(tar_put_file(out, "short", in, 10, 0, NULL) < 0);
}

TEST_MAIN()
