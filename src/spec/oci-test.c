/* oci-test.c: the runtime document in both directions. */
#include "base/test.h"
#include "spec/oci.h"

static int parse(const char *text, OciConfig *ret, Error *err) {
        return json_parse(&oci_config_table, text, strlen(text), ret, err);
}

TEST(a_document_goes_both_ways) {
        static const char text[] =
                "{\"ociVersion\":\"1.2.0\",\"process\":{\"terminal\":true,\"consoleSize\":{"
                "\"height\":24,\"width\":80},"
                "\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,\"additionalGids\":[3,4]},\"args\":["
                "\"sh\"],\"env\":[\"A=b\"],\"cwd\":\"/\","
                "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":18446744073709551615,\"soft\":0}],"
                "\"oomScoreAdj\":0},"
                "\"root\":{\"path\":\"rootfs\"},\"mounts\":[{\"destination\":\"/"
                "proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
                "\"hooks\":{\"poststop\":[{\"path\":\"/"
                "x\",\"timeout\":3}]},\"annotations\":{\"a\":\"b\"},"
                "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/"
                "n\"}],"
                "\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":1,\"access\":"
                "\"r\"}],\"memory\":{\"limit\":-1},"
                "\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"lo\",\"priority\":"
                "7}]},"
                "\"unified\":{\"memory.high\":\"1\"}},\"maskedPaths\":[\"/x\"]}}";
        OciConfig config = {};
        Error err = {};
        _cleanup_free_ char *again = NULL;

        ASSERT_OK(parse(text, &config, &err), &err);
        again = json_text(&oci_config_table, &config);
        json_done(&oci_config_table, &config);
        ASSERT_STR(again, text);
}

static const struct {
        const char *text, *message;
} refused[] = {
        { "{}", "ociVersion: is missing" },
        { "{\"ociVersion\":1}", "ociVersion: " },
        { "{\"ociVersion\":\"1\",\"root\":{}}", "root.path: is missing" },
        { "{\"ociVersion\":\"1\",\"mounts\":[{}]}", "mounts[0].destination: is missing" },
        { "{\"ociVersion\":\"1\",\"process\":{\"user\":{\"uid\":1.5}}}", "process.user.uid: " },
        { "{\"ociVersion\":\"1\",\"process\":{\"rlimits\":[{\"type\":\"x\",\"soft\":-1,\"hard\":0}]"
          "}}",
          "process.rlimits[0].soft: " },
        { "{\"ociVersion\":\"1\",\"linux\":{\"seccomp\":{\"syscalls\":[]}}}",
          "linux.seccomp.defaultAction: is missing" },
};

TEST(errors_name_the_field) {
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                OciConfig config = {};
                Error err = {};
                int r = parse(refused[i].text, &config, &err);

                json_done(&oci_config_table, &config);
                ASSERT(r < 0);
                if (!str_after(err.message, refused[i].message))
                        ASSERT_STR(err.message, refused[i].message);
        }
}

TEST_MAIN()
