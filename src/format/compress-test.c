/* compress-test.c: every compression, members and frames in a row, and what is damaged. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/test.h"
#include "format/compress.h"

static la_ssize_t add(struct archive *archive, void *data, const void *bytes, size_t length) {
        (void)archive;
        buf_add(data, bytes, length);
        return (la_ssize_t)length;
}

/* text, compressed with an ARCHIVE_FILTER_ number. */
static Buf compressed(const char *text, size_t length, int filter) {
        struct archive *archive = archive_write_new();
        struct archive_entry *entry = archive_entry_new();
        Buf buf = {};

        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_pathname(entry, "data");
        if (archive_write_set_format_raw(archive) != ARCHIVE_OK ||
            archive_write_add_filter(archive, filter) != ARCHIVE_OK ||
            archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK ||
            archive_write_open(archive, &buf, NULL, add, NULL) != ARCHIVE_OK ||
            archive_write_header(archive, entry) != ARCHIVE_OK ||
            archive_write_data(archive, text, length) != (la_ssize_t)length ||
            archive_write_close(archive) != ARCHIVE_OK)
                abort();
        archive_entry_free(entry);
        archive_write_free(archive);
        return buf;
}

static int inflate(const Buf *input, Buf *output, Compression *compression, Error *err) {
        _cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
        _cleanup_(inflater_freep) Inflater *inflater = NULL;
        char chunk[1000];
        ssize_t n;
        int r;

        if (fd < 0 || fd_write_full(fd, input->data, input->length) < 0 ||
            lseek(fd, 0, SEEK_SET) < 0)
                abort();
        r = inflater_new(fd, &inflater, err);
        if (r < 0)
                return r;
        *compression = inflater_compression(inflater);
        while ((n = inflater_read(inflater, chunk, sizeof(chunk), err)) > 0)
                buf_add(output, chunk, (size_t)n);
        if (n == 0 && inflater_consumed(inflater) != (int64_t)input->length)
                return -EIO;
        return (int)n;
}

/* Some 700 kB that compress, but not to nothing. */
static Buf sample(void) {
        Buf text = {};

        for (unsigned i = 0; i < 100000; i++)
                buf_format(&text, "%x,", i * 2654435761u);
        return text;
}

static const struct {
        int filter;
        Compression compression;
} filters[] = {
        { ARCHIVE_FILTER_GZIP, COMPRESSION_GZIP }, { ARCHIVE_FILTER_ZSTD, COMPRESSION_ZSTD },
        { ARCHIVE_FILTER_XZ, COMPRESSION_XZ },     { ARCHIVE_FILTER_BZIP2, COMPRESSION_BZIP2 },
        { ARCHIVE_FILTER_NONE, COMPRESSION_NONE },
};

TEST(every_compression) {
        _cleanup_buf_ Buf text = sample();

        for (size_t i = 0; i < ELEMENTS(filters); i++) {
                _cleanup_buf_ Buf input = compressed(text.data, text.length, filters[i].filter);
                _cleanup_buf_ Buf output = {};
                Compression compression;
                Error err = {};

                ASSERT_OK(inflate(&input, &output, &compression, &err), &err);
                ASSERT_INT(compression, filters[i].compression);
                ASSERT_INT(output.length, text.length);
                ASSERT(memcmp(output.data, text.data, text.length) == 0);
        }
}

TEST(members_in_a_row) {
        for (size_t i = 0; i < 2; i++) {
                _cleanup_buf_ Buf one = compressed("first ", 6, filters[i].filter);
                _cleanup_buf_ Buf two = compressed("second", 6, filters[i].filter);
                _cleanup_buf_ Buf output = {};
                Compression compression;
                Error err = {};

                buf_add(&one, two.data, two.length);
                if (filters[i].compression == COMPRESSION_GZIP)
                        buf_add(&one, "\0\0\0\0", 4); /* as tapes pad */
                ASSERT_OK(inflate(&one, &output, &compression, &err), &err);
                ASSERT_STR(output.data, "first second");
        }
}

TEST(cut_streams_are_errors) {
        _cleanup_buf_ Buf text = sample();

        for (size_t i = 0; i < 4; i++) {
                _cleanup_buf_ Buf input = compressed(text.data, text.length, filters[i].filter);
                _cleanup_buf_ Buf output = {};
                Compression compression;
                Error err = {};

                input.length /= 2;
                ASSERT_INT(inflate(&input, &output, &compression, &err), -EBADMSG);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

TEST(damage_is_seen) {
        _cleanup_buf_ Buf text = sample();
        _cleanup_buf_ Buf input = compressed(text.data, text.length, ARCHIVE_FILTER_GZIP);
        _cleanup_buf_ Buf output = {};
        Compression compression;

        input.data[input.length - 6] ^= 1; /* the sum */
        ASSERT_INT(inflate(&input, &output, &compression, NULL), -EBADMSG);
        input.data[input.length - 6] ^= 1;
        buf_add(&input, "garbage", 7);
        buf_clear(&output);
        ASSERT_INT(inflate(&input, &output, &compression, NULL), -EBADMSG);
}

TEST(empty_streams) {
        _cleanup_buf_ Buf nothing = {};
        _cleanup_buf_ Buf output = {};
        Compression compression;

        buf_add(&nothing, "", 0);
        ASSERT_INT(inflate(&nothing, &output, &compression, NULL), 0);
        ASSERT_INT(output.length, 0);
        ASSERT_INT(compression, COMPRESSION_NONE);
}

TEST_MAIN()
