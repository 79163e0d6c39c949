/* target-user-test.c: what is taken of a container's files: entries of archives, lines of accounts.
 */
#include "cli/target-user.h"

#include "base/test.h"
#include "format/tar.h"

static void put(Buf *tar, char type, const char *link, const char *text) {
        static const char zeros[TAR_BLOCK];
        const TarHeader header = {
                .name = "passwd", .link = link, .type = type, .mode = 0644, .size = strlen(text)
        };
        unsigned char block[TAR_BLOCK];

        tar_header(&header, block);
        buf_add(tar, block, sizeof(block));
        buf_add_str(tar, text);
        buf_add(tar, zeros, (TAR_BLOCK - strlen(text) % TAR_BLOCK) % TAR_BLOCK);
}

static void check(const Buf *tar, const char *text, const char *link) {
        _cleanup_free_ char *has_text = NULL, *has_link = NULL;

        archive_entry(tar->data, tar->length, &has_text, &has_link);
        ASSERT_STR(has_text, text);
        ASSERT_STR(has_link ?: "none", link);
}

TEST(an_entry_is_what_follows_its_records) {
        _cleanup_buf_ Buf plain = { 0 }, marked = { 0 };

        check(&plain, "", "none");
        put(&plain, '0', NULL, "root:x:0:0\n");
        check(&plain, "root:x:0:0\n", "none");
        put(&marked, 'g', NULL, "20 mtime=1234567890\n");
        put(&marked, 'x', NULL, "25 SCHILY.xattr.user.a=b\n");
        check(&marked, "", "none");
        put(&marked, '0', NULL, "root:x:0:0\n");
        check(&marked, "root:x:0:0\n", "none");
        marked.length -= TAR_BLOCK - 4; /* cut off */
        check(&marked, "root", "none");
}

TEST(a_link_leads_on) {
        _cleanup_buf_ Buf plain = { 0 }, other = { 0 }, recorded = { 0 }, damaged = { 0 };

        put(&plain, '2', "static/passwd", "");
        check(&plain, "", "static/passwd");
        put(&other, 'x', NULL, "38 SCHILY.xattr.user.a=1 linkpath=/no\n");
        put(&other, '2', "static/passwd", "");
        check(&other, "", "static/passwd");
        put(&recorded, 'x', NULL, "11 mtime=1\n20 linkpath=/a long\n");
        put(&recorded, '2', "/a lo", "");
        check(&recorded, "", "/a long");
        put(&damaged, 'x', NULL, "99999999999999999999 linkpath=/a\n");
        put(&damaged, '2', "b", "");
        check(&damaged, "", "b");
}

TEST(accounts) {
        static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:7:8::/:\n";

        ASSERT_INT(account_number(passwd, "app", 2), 7);
        ASSERT_INT(account_number(passwd, "app", 3), 8);
        ASSERT_INT(account_number(passwd, "7", 3), 8);
        ASSERT_INT(account_number(passwd, "root", 3), 0);
        ASSERT_INT(account_number(passwd, "broken", 2), -1);
        ASSERT_INT(account_number(passwd, "none", 2), -1);
        ASSERT_INT(account_number("", "app", 2), -1);
}

TEST_MAIN()
