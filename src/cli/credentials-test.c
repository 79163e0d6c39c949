/* credentials-test.c: the forms of credentials. */
#include "cli/credentials.h"

#include "base/test.h"

static void parse(const char *text, json_object **ret) {
        if (json_parse_any(text, strlen(text), ret, NULL) < 0)
                abort();
}

TEST(base64) {
        static const char *const pairs[][2] = {
                { "", "" },
                { "f", "Zg==" },
                { "fo", "Zm8=" },
                { "foo", "Zm9v" },
                { "foobar", "Zm9vYmFy" },
                { "user:secret", "dXNlcjpzZWNyZXQ=" },
                { "\xfb\xff", "+/8=" },
        };

        for (size_t i = 0; i < ELEMENTS(pairs); i++) {
                _cleanup_free_ char *encoded = credentials_encode(pairs[i][0], false);
                _cleanup_free_ char *decoded = credentials_decode(pairs[i][1]);

                ASSERT_STR(encoded, pairs[i][1]);
                ASSERT_STR(decoded, pairs[i][0]);
        }
        {
                _cleanup_free_ char *url = credentials_encode("\xfb\xff", true);
                _cleanup_free_ char *decoded = credentials_decode("-_8");

                ASSERT_STR(url, "-_8=");
                ASSERT_STR(decoded, "\xfb\xff");
        }
        ASSERT(!credentials_decode("a*b"));
        ASSERT(!credentials_decode("AAAA")); /* NUL */
}

TEST(a_helper_answers) {
        static const char password[] = "{\"ServerURL\":\"h\",\"Username\":\"u\",\"Secret\":\"s\"}";
        static const char token[] = "{\"Username\":\"<token>\",\"Secret\":\"t\"}";
        Credentials credentials = {};

        ASSERT(credentials_from_helper(password, strlen(password), &credentials));
        ASSERT_STR(credentials.username, "u");
        ASSERT_STR(credentials.password, "s");
        credentials_done(&credentials);
        ASSERT(credentials_from_helper(token, strlen(token), &credentials));
        ASSERT(!credentials.username);
        ASSERT_STR(credentials.identity_token, "t");
        credentials_done(&credentials);
        ASSERT(!credentials_from_helper("{}", 2, &credentials));
        ASSERT(!credentials_from_helper("not found", 9, &credentials));
        ASSERT(credentials_empty(&credentials));
}

TEST(auths_by_server) {
        _cleanup_json_ json_object *auths = NULL;
        Credentials credentials = {};

        parse("{\"http://127.0.0.1:5000/v2/\":{\"auth\":\"dTpw\"},"
              "\"127.0.0.1:5000\":{\"auth\":\"b3duOnA6cQ==\"},"
              "\"https://index.docker.io/v1/\":{\"identitytoken\":\"t\"},\"h\":\"odd\"}",
              &auths);
        credentials_from_auths(auths, "127.0.0.1:5000", &credentials);
        ASSERT_STR(credentials.username, "own");
        ASSERT_STR(credentials.password, "p:q");
        credentials_done(&credentials);
        json_object_object_del(auths, "127.0.0.1:5000");
        credentials_from_auths(auths, "127.0.0.1:5000", &credentials);
        ASSERT_STR(credentials.username, "u");
        credentials_done(&credentials);
        credentials_from_auths(auths, HUB_KEY, &credentials);
        ASSERT_STR(credentials.identity_token, "t");
        credentials_done(&credentials);
        credentials_from_auths(auths, "h", &credentials);
        credentials_from_auths(auths, "127.0.0.1:500", &credentials);
        credentials_from_auths(NULL, "h", &credentials);
        ASSERT(credentials_empty(&credentials));
}

TEST(an_entry_is_what_is_read_again) {
        const Credentials given = { .username = (char *)"user", .password = (char *)"p:w" };
        _cleanup_json_ json_object *auths = json_object_new_object();
        Credentials read = {};

        (void)json_object_object_add(auths, "h", credentials_entry(&given));
        credentials_from_auths(auths, "h", &read);
        ASSERT_STR(read.username, "user");
        ASSERT_STR(read.password, "p:w");
        credentials_done(&read);
}

TEST_MAIN()
