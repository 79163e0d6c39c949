/* build-test.c: the documents of a build, there and back. */
#include "base/test.h"
#include "spec/build.h"

TEST(document_there_and_back) {
        static const char text[] =
                "{\"dockerfile\":\"FROM scratch\\n\",\"dockerfileName\":\"D\",\"ignore\":\"\","
                "\"contexts\":[{\"name\":\"\",\"fd\":0},{\"name\":\"a\",\"image\":\"busybox\"},"
                "{\"name\":\"b\",\"url\":\"http://x/"
                "y.tar\"}],\"args\":[\"A=b\"],\"labels\":[\"c=d\"],"
                "\"tags\":[\"t:1\"],\"noCacheFilter\":[\"s\"],\"extraHosts\":[\"h:10.0.0.1\"],"
                "\"target\":\"s\",\"platform\":\"linux/amd64\",\"network\":\"none\","
                "\"ulimits\":[{\"Name\":\"nofile\",\"Hard\":20,\"Soft\":10}],\"shmSize\":65536,"
                "\"annotations\":[{\"of\":\"index\",\"key\":\"k\",\"value\":\"v\"}],\"secrets\":[{"
                "\"id\":\"s\",\"value\":\"eA==\"}],"
                "\"ssh\":[{\"id\":\"default\",\"fd\":1}],\"noCache\":true,\"pull\":true,"
                "\"outputs\":[{\"type\":\"tar\",\"fd\":2,\"layout\":true},{\"type\":\"image\","
                "\"names\":[\"n\"],"
                "\"push\":true,\"byDigest\":true,\"compression\":\"zstd\",\"compressionLevel\":0,"
                "\"forceCompression\":true,\"dockerMediaTypes\":true,"
                "\"annotations\":[{\"of\":\"index\",\"key\":\"k\",\"value\":\"v\"}]}]}";
        BuildDocument document = { 0 };
        Error err = { 0 };
        _cleanup_free_ char *again = NULL;

        ASSERT_OK(json_parse(&build_document_table, text, strlen(text), &document, &err), &err);
        ASSERT_INT(document.contexts.count, 3);
        ASSERT_STR(document.ignore, "");
        ASSERT_INT(document.outputs.count, 2);
        ASSERT_INT(*((BuildOutputDocument *)document.outputs.items)[0].fd, 2);
        again = json_text(&build_document_table, &document);
        json_done(&build_document_table, &document);
        ASSERT_STR(again, text);
}

TEST(an_empty_document) {
        BuildDocument document = { 0 };
        Error err = { 0 };
        _cleanup_free_ char *text = json_text(&build_document_table, &document);

        ASSERT_STR(text, "{}");
        ASSERT_OK(json_parse(&build_document_table, "{}", 2, &document, &err), &err);
        ASSERT(!document.dockerfile && !document.ignore && document.outputs.count == 0);
        json_done(&build_document_table, &document);
}

TEST(documents_refused) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "{\"contexts\":[{\"fd\":0}]}", "contexts[0].name: is missing" },
                { "{\"contexts\":[{\"name\":\"\",\"fd\":\"0\"}]}",
                  "contexts[0].fd: must be a whole number" },
                { "{\"ssh\":[{\"id\":\"a\"}]}", "ssh[0].fd: is missing" },
                { "{\"secrets\":[{\"id\":\"a\"}]}", "secrets[0].value: is missing" },
                { "{\"args\":[1]}", "args: must be a string" },
                { "[]", "build: must be an object" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                BuildDocument document = { 0 };
                Error err = { 0 };

                ASSERT(json_parse(&build_document_table, cases[i].text, strlen(cases[i].text),
                                  &document, &err) < 0);
                json_done(&build_document_table, &document);
                ASSERT_STR(err.message, cases[i].message);
        }
}

TEST(progress_there_and_back) {
        static const char text[] =
                "{\"kind\":\"output\",\"step\":3,\"total\":9,\"current\":7,\"stream\":2,\"time\":5,"
                "\"line\":1,\"endLine\":2,\"name\":\"[build 1/2] RUN "
                "x\",\"why\":\"w\",\"text\":\"/w==\","
                "\"status\":\"Downloading\",\"layer\":\"\",\"encoded\":true,\"error\":\"e\","
                "\"image\":\"i\"}";
        BuildProgress progress = { 0 };
        Error err = { 0 };
        _cleanup_free_ char *again = NULL;

        ASSERT_OK(json_parse(&build_progress_table, text, strlen(text), &progress, &err), &err);
        again = json_text(&build_progress_table, &progress);
        json_done(&build_progress_table, &progress);
        ASSERT_STR(again, text);
}

TEST_MAIN()
