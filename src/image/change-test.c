/* change-test.c: each instruction that --change takes, and those that it refuses. */
#include "base/test.h"
#include "image/change.h"

static const char *apply(const char *const *instructions, size_t count, Error *err) {
        static char *text;
        ImageRunConfig config = {};
        int r = 0;

        for (size_t i = 0; r == 0 && i < count; i++)
                r = change_apply(&config, instructions[i], err);
        free(text);
        text = json_text(&image_run_config_table, &config);
        json_done(&image_run_config_table, &config);
        return r < 0 ? "error" : text;
}
#define APPLY(...)                                                                                 \
        ({                                                                                         \
                const char *const list_[] = { __VA_ARGS__ };                                       \
                apply(list_, ELEMENTS(list_), NULL);                                               \
        })

TEST(commands) {
        ASSERT_STR(APPLY("CMD [\"a\", \"b c\"]"), "{\"Cmd\":[\"a\",\"b c\"]}");
        ASSERT_STR(APPLY("cmd echo  hi"), "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo  hi\"]}");
        ASSERT_STR(APPLY("ENTRYPOINT [\"/x\"]"), "{\"Entrypoint\":[\"/x\"]}");
}

TEST(pairs) {
        ASSERT_STR(APPLY("ENV A=1 B=\"two words\" C=d\\ e"),
                   "{\"Env\":[\"A=1\",\"B=two words\",\"C=d e\"]}");
        ASSERT_STR(APPLY("ENV A=1", "ENV A old form"), "{\"Env\":[\"A=old form\"]}");
        ASSERT_STR(APPLY("LABEL a.b='x y'"), "{\"Labels\":{\"a.b\":\"x y\"}}");
        ASSERT_STR(APPLY("ENV A"), "error");
        ASSERT_STR(APPLY("ENV A=\"x"), "error");
        ASSERT_STR(APPLY("ENV =x"), "error");
}

TEST(the_rest) {
        ASSERT_STR(APPLY("EXPOSE 80 53/udp", "EXPOSE 80/tcp"),
                   "{\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}}}");
        ASSERT_STR(APPLY("VOLUME /a /b"), "{\"Volumes\":{\"/a\":{},\"/b\":{}}}");
        ASSERT_STR(APPLY("VOLUME [\"/a b\"]"), "{\"Volumes\":{\"/a b\":{}}}");
        ASSERT_STR(APPLY("USER app:app", "STOPSIGNAL SIGINT"),
                   "{\"User\":\"app:app\",\"StopSignal\":\"SIGINT\"}");
        ASSERT_STR(APPLY("WORKDIR /a", "WORKDIR b"), "{\"WorkingDir\":\"/a/b\"}");
        ASSERT_STR(APPLY("ONBUILD RUN x"), "{\"OnBuild\":[\"RUN x\"]}");
        ASSERT_STR(APPLY("HEALTHCHECK --interval=5s --retries=2 CMD [\"x\"]"),
                   "{\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5000000000,\"Retries\":"
                   "2}}");
        ASSERT_STR(APPLY("HEALTHCHECK NONE"), "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}");
}

TEST(what_is_refused) {
        Error err = {};

        ASSERT_STR(APPLY("EXPOSE 0"), "error");
        ASSERT_STR(APPLY("EXPOSE 70000"), "error");
        ASSERT_STR(APPLY("EXPOSE 80/icmp"), "error");
        ASSERT_STR(APPLY("ONBUILD FROM x"), "error");
        ASSERT_STR(APPLY("HEALTHCHECK --nope=1 CMD x"), "error");
        ASSERT_STR(APPLY("HEALTHCHECK RUN x"), "error");
        ASSERT_STR(APPLY("CMD"), "error");
        ASSERT_STR(apply((const char *[]){ "RUN x" }, 1, &err), "error");
        ASSERT(strstr(err.message, "RUN is not a valid change command"));
}

TEST_MAIN()
