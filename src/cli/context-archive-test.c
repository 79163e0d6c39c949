/* context-archive-test.c: archives that docker takes, and what must not come out of one. */
#include "cli/context-archive.h"

#include "base/test.h"
#include "format/tar.h"

static Buf told;

static int note(void *data, const char *path, const void *bytes, size_t length, Error *err) {
        (void)data;
        (void)err;
        buf_format(&told, "%s=%.*s;", path, (int)MIN(length, (size_t)20), (const char *)bytes);
        return 0;
}

/* What was read, or why nothing was. */
static const char *read_archive(const void *bytes, size_t length) {
        Error err = { 0 };

        buf_clear(&told);
        if (context_archive_read(bytes, length, note, NULL, &err) < 0) {
                buf_clear(&told);
                buf_add_str(&told, err.message);
        }
        buf_add(&told, "", 1);
        return told.data;
}

static void put(Buf *tar, const char *name, char type, const char *text) {
        static const char zeros[TAR_BLOCK];
        const TarHeader header = { .name = name, .type = type, .mode = 0644, .size = strlen(text) };
        unsigned char block[TAR_BLOCK];

        tar_header(&header, block);
        buf_add(tar, block, sizeof(block));
        buf_add_str(tar, text);
        buf_add(tar, zeros, (TAR_BLOCK - strlen(text) % TAR_BLOCK) % TAR_BLOCK);
}

TEST(tar) {
        _cleanup_buf_ Buf tar = { 0 };

        put(&tar, "meta.json", '0', "{}");
        put(&tar, "tls", '5', "");
        put(&tar, "x", 'x', "20 mtime=12.5\n");
        put(&tar, "tls/docker/ca.pem", '0', "CA");
        put(&tar, "link", '2', "");
        ASSERT_STR(read_archive(tar.data, tar.length), "meta.json={};tls/docker/ca.pem=CA;");
        /* A tar may end without its blocks of zeros, or within the last padding. */
        ASSERT_STR(read_archive(tar.data, TAR_BLOCK + 2), "meta.json={};");
        ASSERT_STR(read_archive(tar.data, TAR_BLOCK + 1),
                   "the archive of a context is damaged: a file is cut off");
        tar.data[3] ^= 1;
        ASSERT(strstr(read_archive(tar.data, tar.length), "neither tar nor zip"));
}

TEST(names_that_lead_elsewhere) {
        static const struct {
                const char *path, *why;
        } cases[] = {
                { "../evil", "../evil: unexpected context file" },
                { "/etc/passwd", "/etc/passwd: unexpected context file" },
                { "./meta.json", "./meta.json: unexpected context file" },
                { "other", "other: unexpected context file" },
                { "tls/x", "tls/x: archive format is invalid" },
                { "tls/docker/../../evil", "tls/docker/../../evil: unexpected path format" },
                { "tls/../ca.pem", "tls/../ca.pem: unexpected path format" },
                { "tls/docker/..", "tls/docker/..: unexpected path format" },
                { "tls//ca.pem", "tls//ca.pem: unexpected path format" },
                { "tls/docker/", "tls/docker/: unexpected path format" },
                { "tls/docker/a/b", "tls/docker/a/b: unexpected path format" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_buf_ Buf tar = { 0 };

                put(&tar, "meta.json", '0', "{}");
                put(&tar, cases[i].path, '0', "x");
                ASSERT_STR(read_archive(tar.data, tar.length), cases[i].why);
        }
}

TEST(what_is_too_much) {
        _cleanup_buf_ Buf tar = { 0 }, twice = { 0 }, named = { 0 };

        ASSERT_STR(read_archive("", 0), "invalid context: no metadata found");
        for (int i = 0; i < 65; i++) {
                _cleanup_free_ char *name = str_format("tls/docker/%d", i);

                put(&tar, name, '0', "x");
        }
        ASSERT_STR(read_archive(tar.data, tar.length),
                   "the archive of a context has more than 64 files");
        put(&twice, "meta.json", '0', "{}");
        put(&twice, "meta.json", '0', "{}");
        ASSERT(strstr(read_archive(twice.data, twice.length), "two meta.json"));
        put(&named, "x", 'x', "16 path=../evil\n");
        put(&named, "meta.json", '0', "{}");
        ASSERT(strstr(read_archive(named.data, named.length), "apart from its file"));
}

/* A zip of meta.json, deflated, and tls/docker/ca.pem, stored; made by Python's zipfile. */
static const char zip[] = {
        0x50,       0x4b,       0x03, 0x04,       0x14, 0x00,       0x00,       0x00,
        0x08,       0x00,       0x00, 0x00,       0x21, 0x00,       (char)0xa0, 0x43,
        0x76,       0x61,       0x11, 0x00,       0x00, 0x00,       0x34,       0x00,
        0x00,       0x00,       0x09, 0x00,       0x00, 0x00,       0x6d,       0x65,
        0x74,       0x61,       0x2e, 0x6a,       0x73, 0x6f,       0x6e,       (char)0xab,
        0x56,       (char)0xf2, 0x4b, (char)0xcc, 0x4d, 0x55,       (char)0xb2, 0x52,
        0x50,       0x4a,       0x24, 0x12,       0x28, (char)0xd5, 0x02,       0x00,
        0x50,       0x4b,       0x03, 0x04,       0x14, 0x00,       0x00,       0x00,
        0x00,       0x00,       0x00, 0x00,       0x21, 0x00,       0x3f,       0x7f,
        0x56,       (char)0x9b, 0x02, 0x00,       0x00, 0x00,       0x02,       0x00,
        0x00,       0x00,       0x11, 0x00,       0x00, 0x00,       0x74,       0x6c,
        0x73,       0x2f,       0x64, 0x6f,       0x63, 0x6b,       0x65,       0x72,
        0x2f,       0x63,       0x61, 0x2e,       0x70, 0x65,       0x6d,       0x43,
        0x41,       0x50,       0x4b, 0x01,       0x02, 0x14,       0x03,       0x14,
        0x00,       0x00,       0x00, 0x08,       0x00, 0x00,       0x00,       0x21,
        0x00,       (char)0xa0, 0x43, 0x76,       0x61, 0x11,       0x00,       0x00,
        0x00,       0x34,       0x00, 0x00,       0x00, 0x09,       0x00,       0x00,
        0x00,       0x00,       0x00, 0x00,       0x00, 0x00,       0x00,       0x00,
        0x00,       (char)0x80, 0x01, 0x00,       0x00, 0x00,       0x00,       0x6d,
        0x65,       0x74,       0x61, 0x2e,       0x6a, 0x73,       0x6f,       0x6e,
        0x50,       0x4b,       0x01, 0x02,       0x14, 0x03,       0x14,       0x00,
        0x00,       0x00,       0x00, 0x00,       0x00, 0x00,       0x21,       0x00,
        0x3f,       0x7f,       0x56, (char)0x9b, 0x02, 0x00,       0x00,       0x00,
        0x02,       0x00,       0x00, 0x00,       0x11, 0x00,       0x00,       0x00,
        0x00,       0x00,       0x00, 0x00,       0x00, 0x00,       0x00,       0x00,
        (char)0x80, 0x01,       0x38, 0x00,       0x00, 0x00,       0x74,       0x6c,
        0x73,       0x2f,       0x64, 0x6f,       0x63, 0x6b,       0x65,       0x72,
        0x2f,       0x63,       0x61, 0x2e,       0x70, 0x65,       0x6d,       0x50,
        0x4b,       0x05,       0x06, 0x00,       0x00, 0x00,       0x00,       0x02,
        0x00,       0x02,       0x00, 0x76,       0x00, 0x00,       0x00,       0x69,
        0x00,       0x00,       0x00, 0x00,       0x00,
};

TEST(zip_of_both_methods) {
        _cleanup_free_ char *copy = alloc_copy(zip, sizeof(zip));

        ASSERT_STR(read_archive(zip, sizeof(zip)),
                   "meta.json={\"Name\": \"aaaaaaaaaa;tls/docker/ca.pem=CA;");
        for (size_t length = 4; length < sizeof(zip); length++)
                ASSERT(strstr(read_archive(zip, length), "damaged"));
        copy[45] ^= 1; /* of the deflated bytes */
        ASSERT(strstr(read_archive(copy, sizeof(zip)), "damaged"));
        buf_done(&told);
}

TEST_MAIN()
