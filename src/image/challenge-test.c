/* challenge-test.c: WWW-Authenticate as registries send it, and as nobody should. */
#include "base/test.h"
#include "image/challenge.h"

TEST(bearer) {
        Challenge challenge = {};

        ASSERT(challenge_parse(
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
                "scope=\"repository:library/busybox:pull,push\"",
                "bearer", &challenge));
        ASSERT_STR(challenge.realm, "https://auth.docker.io/token");
        ASSERT_STR(challenge.service, "registry.docker.io");
        ASSERT_STR(challenge.scope, "repository:library/busybox:pull,push");
        challenge_done(&challenge);
}

TEST(several_in_one_header) {
        const char *header =
                "Basic realm=\"a \\\"b\\\"\", Negotiate, BEARER realm = https://x , service=y";
        Challenge challenge = {};

        ASSERT(challenge_parse(header, "bearer", &challenge));
        ASSERT_STR(challenge.service, "y");
        challenge_done(&challenge);
        ASSERT(challenge_parse(header, "basic", &challenge));
        ASSERT_STR(challenge.realm, "a \"b\"");
        challenge_done(&challenge);
        ASSERT(challenge_parse(header, "negotiate", &challenge));
        ASSERT(!challenge.realm);
        challenge_done(&challenge);
        ASSERT(!challenge_parse(header, "digest", &challenge));
}

TEST(damage) {
        static const char *const headers[] = {
                "",         ",,,", "=",   "Bearer realm=\"", "\"Bearer\"",
                "Bearer=x", "@",   "a@b", "Basic @ Bearer",
        };

        for (size_t i = 0; i < ELEMENTS(headers); i++) {
                Challenge challenge = {};

                (void)challenge_parse(headers[i], "bearer", &challenge);
                ASSERT(!challenge.realm || !*challenge.realm);
                challenge_done(&challenge);
        }
}

TEST_MAIN()
