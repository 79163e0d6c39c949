/* test-archive.h: for the tests of this folder: tar archives made in memory, compressed as asked.
 */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"

typedef struct TestEntry {
        const char *name;
        char type; /* f file, d directory, l symbolic link, h hard link, c and b devices, p FIFO */
        const char *data; /* of a file; target of a link */
        unsigned mode;    /* 0: 0644, directories 0755 */
        unsigned uid, gid;
        unsigned major, minor;
        const char *xattr, *xattr_value;
        size_t length; /* of data; 0: strlen */
} TestEntry;

static inline la_ssize_t test_archive_write(struct archive *archive, void *data, const void *bytes,
                                            size_t length) {
        (void)archive;
        buf_add(data, bytes, length);
        return (la_ssize_t)length;
}

static inline mode_t test_archive_type(char type) {
        switch (type) {
        case 'd':
                return S_IFDIR;
        case 'l':
                return S_IFLNK;
        case 'c':
                return S_IFCHR;
        case 'b':
                return S_IFBLK;
        case 'p':
                return S_IFIFO;
        default:
                return S_IFREG;
        }
}

static inline void test_archive_entry(struct archive *archive, const TestEntry *entry) {
        struct archive_entry *out = archive_entry_new();
        size_t length = entry->length ? entry->length : entry->data ? strlen(entry->data) : 0;

        archive_entry_set_pathname(out, entry->name);
        archive_entry_set_filetype(out, test_archive_type(entry->type));
        archive_entry_set_perm(out, entry->mode ? entry->mode : entry->type == 'd' ? 0755 : 0644);
        archive_entry_set_uid(out, entry->uid);
        archive_entry_set_gid(out, entry->gid);
        archive_entry_set_mtime(out, 1000000000, 123456789);
        archive_entry_set_rdevmajor(out, entry->major);
        archive_entry_set_rdevminor(out, entry->minor);
        if (entry->xattr)
                archive_entry_xattr_add_entry(out, entry->xattr, entry->xattr_value,
                                              strlen(entry->xattr_value));
        if (entry->type == 'l')
                archive_entry_set_symlink(out, entry->data);
        if (entry->type == 'h')
                archive_entry_set_hardlink(out, entry->data);
        archive_entry_set_size(out, entry->type == 'f' ? (la_int64_t)length : 0);
        if (archive_write_header(archive, out) < ARCHIVE_WARN)
                abort();
        if (entry->type == 'f' && length > 0 &&
            archive_write_data(archive, entry->data, length) < 0)
                abort();
        archive_entry_free(out);
}

/* filter: an ARCHIVE_FILTER_ number, 0 for none. */
static inline Buf test_archive(const TestEntry *entries, size_t count, int filter) {
        Buf buf = {};
        struct archive *archive = archive_write_new();

        if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
            (filter && archive_write_add_filter(archive, filter) != ARCHIVE_OK) ||
            archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK ||
            archive_write_open(archive, &buf, NULL, test_archive_write, NULL) != ARCHIVE_OK)
                abort();
        for (size_t i = 0; i < count; i++)
                test_archive_entry(archive, &entries[i]);
        if (archive_write_close(archive) != ARCHIVE_OK)
                abort();
        archive_write_free(archive);
        return buf;
}

/* A descriptor that reads the bytes. */
static inline int test_archive_fd(const Buf *buf) {
        int fd = memfd_create("archive", MFD_CLOEXEC);

        if (fd < 0 || fd_write_full(fd, buf->data, buf->length) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                abort();
        return fd;
}
