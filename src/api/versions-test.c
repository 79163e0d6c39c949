/* versions-test.c: documents of older versions. */
#include "api/versions.h"
#include "base/test.h"

static const VersionRule rules[] = {
        { .path = "*/New", .since = 48 },
        { .path = "*/Config/Old", .until = 49 },
        { .path = "*/VirtualSize", .until = 43, .copy = "Size" },
        { .path = "*/Containers", .until = 50, .put = "-1" },
};

static char *as_of(int version) {
        Buf json = { 0 };
        Error err = { 0 };

        buf_add_str(&json, "[{\"New\":1,\"Config\":{\"Old\":\"\",\"Cmd\":null},\"Size\":7,"
                           "\"Containers\":2},{\"Size\":8}]");
        if (version_edit(rules, ELEMENTS(rules), version, NULL, &json, &err) < 0)
                buf_clear(&json);
        return buf_take(&json);
}

TEST(rules_by_version) {
        static const struct {
                int version;
                const char *text;
        } cases[] = {
                { 51, "[{\"New\":1,\"Config\":{\"Cmd\":null},\"Size\":7,\"Containers\":2},"
                      "{\"Size\":8}]" },
                { 49, "[{\"New\":1,\"Config\":{\"Old\":\"\",\"Cmd\":null},\"Size\":7,"
                      "\"Containers\":-1},{\"Size\":8,\"Containers\":-1}]" },
                { 43, "[{\"Config\":{\"Old\":\"\",\"Cmd\":null},\"Size\":7,\"Containers\":-1,"
                      "\"VirtualSize\":7},{\"Size\":8,\"VirtualSize\":8,\"Containers\":-1}]" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *text = as_of(cases[i].version);

                ASSERT_STR(text, cases[i].text);
        }
}

TEST(aliases) {
        _cleanup_buf_ Buf json = { 0 };
        Error err = { 0 };

        buf_add_str(&json, "{\"Id\":\"0123456789abcdef\",\"Config\":{\"Hostname\":\"box\"},"
                           "\"NetworkSettings\":{\"Networks\":{\"own\":{\"Aliases\":null,"
                           "\"DNSNames\":[\"x\",\"0123456789ab\"]},\"later\":{\"Aliases\":null,"
                           "\"DNSNames\":[\"x\"]},\"bridge\":{\"Aliases\":null}}}}");
        ASSERT_OK(version_edit(NULL, 0, 44, version_aliases, &json, &err), &err);
        ASSERT(strstr(json.data, "\"own\":{\"Aliases\":[\"0123456789ab\",\"box\"]"));
        ASSERT(strstr(json.data, "\"bridge\":{\"Aliases\":null}"));
        ASSERT(strstr(json.data, "\"later\":{\"Aliases\":null,"));
}

TEST(not_json) {
        _cleanup_buf_ Buf json = { 0 };
        Error err = { 0 };

        buf_add_str(&json, "[");
        ASSERT(version_edit(rules, ELEMENTS(rules), 43, NULL, &json, &err) < 0);
}

TEST_MAIN()
