/* reference-test.c: names as users write them, their normal and familiar forms, and what is
 * refused. */
#include "base/test.h"
#include "format/reference.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

typedef struct Case {
        const char *text, *full, *familiar; /* full NULL: refused */
} Case;

static const Case cases[] = {
        { "busybox", "docker.io/library/busybox:latest", "busybox:latest" },
        { "busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36" },
        { "docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest" },
        { "index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest" },
        { "user/app:v1", "docker.io/user/app:v1", "user/app:v1" },
        { "library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest" },
        { "localhost/app", "localhost/app:latest", "localhost/app:latest" },
        { "localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest" },
        { "127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t" },
        { "[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest" },
        { "ghcr.io/o/app@sha256:" HEX, "ghcr.io/o/app@sha256:" HEX, "ghcr.io/o/app@sha256:" HEX },
        { "app:t@sha256:" HEX, "docker.io/library/app:t@sha256:" HEX, "app:t@sha256:" HEX },
        { "a__b/c--d/e.f_g", "docker.io/a__b/c--d/e.f_g:latest", "a__b/c--d/e.f_g:latest" },
        { "Upper.example/app", "Upper.example/app:latest", "Upper.example/app:latest" },
        { "docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest" },
        { "", NULL, NULL },
        { "Busybox", NULL, NULL },
        { "user/App", NULL, NULL },
        { ":tag", NULL, NULL },
        { "app:", NULL, NULL },
        { "app:.t", NULL, NULL },
        { "a..b", NULL, NULL },
        { "a___b", NULL, NULL },
        { "-a", NULL, NULL },
        { "a-", NULL, NULL },
        { "a//b", NULL, NULL },
        { "a/", NULL, NULL },
        { "/a", NULL, NULL },
        { "../a", NULL, NULL },
        { "a/../b", NULL, NULL },
        { "host:port/app", NULL, NULL },
        { "-host.x/app", NULL, NULL },
        { "app@sha256:12", NULL, NULL },
        { "app@sha512:" HEX, NULL, NULL },
        { "app name", NULL, NULL },
        { HEX, NULL, NULL },
};

TEST(names) {
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Reference reference = {};
                Error err = {};
                int r = reference_parse(cases[i].text, &reference, &err);

                if (!cases[i].full) {
                        if (r >= 0)
                                printf("# '%s' was taken\n", cases[i].text);
                        ASSERT(r < 0);
                        ASSERT_INT(err.kind, ERROR_INVALID);
                        continue;
                }
                ASSERT_OK(r, &err);
                reference_default_tag(&reference);
                _cleanup_free_ char *full = reference_full(&reference);
                _cleanup_free_ char *familiar = reference_familiar(&reference);
                ASSERT_STR(full, cases[i].full);
                ASSERT_STR(familiar, cases[i].familiar);
                reference_done(&reference);
        }
}

TEST(lengths) {
        Reference reference = {};
        char name[300] = "", tag[140];

        memset(name, 'a', 299);
        ASSERT(reference_parse(name, &reference, NULL) < 0);
        (void)snprintf(tag, sizeof(tag), "a:%0129d", 0);
        ASSERT(reference_parse(tag, &reference, NULL) < 0);
        (void)snprintf(tag, sizeof(tag), "a:%0128d", 0);
        ASSERT(reference_parse(tag, &reference, NULL) == 0);
        reference_done(&reference);
}

TEST(words_for_upper_case) {
        Reference reference = {};
        Error err = {};

        ASSERT(reference_parse("user/App", &reference, &err) < 0);
        ASSERT_STR(err.message,
                   "invalid reference format: repository name (user/App) must be lowercase");
}

TEST_MAIN()
