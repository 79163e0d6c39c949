/* download-name-test.c: names out of URLs and headers, well-meant and hostile. */
#include "base/test.h"
#include "image/download-name.h"

TEST(names) {
        static const struct {
                const char *url, *disposition, *expected;
        } cases[] = {
                { "http://h/a/file.tar.gz", NULL, "file.tar.gz" },
                { "http://h/a/file%20x?q=/other#/frag", NULL, "file x" },
                { "http://h/a/dir/", NULL, "dir" },
                { "http://h/", NULL, "" },
                { "http://h", NULL, "" },
                { "http://h?x=/y", NULL, "" },
                { "http://h/..", NULL, "" },
                { "http://h/a%2f..", NULL, "" },
                { "http://h/a%2fb", NULL, "b" },
                { "http://h/a%00b", NULL, "" },
                { "http://h/a%zz", NULL, "" },
                { "http://h/100%", NULL, "" },
                { "http://h/%41%4a", NULL, "AJ" },
                { "http://h/x", "attachment; filename=\"a b\\\".txt\"; size=3", "a b\".txt" },
                { "http://h/x", "attachment; FileName = tok.en", "tok.en" },
                { "http://h/x", "attachment; filename=\"../../etc/passwd\"", "passwd" },
                { "http://h/x", "attachment; filename=\"..\"", "x" },
                { "http://h/x", "attachment; filename=\"dir/\"", "x" },
                { "http://h/x", "attachment; filename=plain; filename*=UTF-8''n%C3%A9",
                  "n\xc3\xa9" },
                { "http://h/x", "attachment; filename*=iso-8859-1''n%e9", "x" },
                { "http://h/x", "attachment; a=\"; filename=no\"; filename=yes", "yes" },
                { "http://h/x", "attachment; filename=\"open", "open" },
                { "http://h/x", "attachment;;; filename", "x" },
                { "http://h/x", "inline", "x" },
                { "http://h/x", "", "x" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *name = download_name(cases[i].url, cases[i].disposition);

                printf("# case %zu\n", i);
                ASSERT_STR(name, cases[i].expected);
        }
}

TEST_MAIN()
