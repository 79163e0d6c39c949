/* build-classic-test.c: POST /build in Docker's form, with the fake engine's scripted builds. */
#include "api/ask.h"
#include "api/build.h"
#include "api/fake-engine.h"
#include "base/test.h"

#define IMAGE "sha256:abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
#define S(text) "{\"stream\":\"" text "\"}\r\n"

TEST(classic_text) {
        size_t before = open_fds();

        ask("POST /v1.41/build?t=x", "Content-Type: application/x-tar\r\n", "FROM busybox");
        ASSERT_INT(status(), 200);
        ASSERT(strstr(answer, "\r\nContent-Type: application/json\r\n"));
        ASSERT_STR(
                chunks(),
                "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1500,\"total\":3000},"
                "\"progress\":\"[=========================>                         ]    "
                "1.5kB/3kB\",\"id\":\"aa\"}\r\n" S("Step 1/3 : FROM busybox") S("\\n") S(
                        " ---> Using cache\\n") S(" ---> 0123456789ab\\n") S("Step 2/3 : RUN x")
                        S("\\n") S(" ---> miss: the command changed\\n")
                                S(" ---> Running in fedcba987654\\n") S("hi \\\"you\\\"\\n") S(
                                        "\\u001b[91mo\\ufffdps\\n\\u001b[0m")
                                        S(" ---> Removed intermediate container fedcba987654\\n") S(
                                                " ---> 0123456789ab\\n") S("Step 3/3 : CMD x")
                                                S("\\n") "{\"aux\":{\"ID\":\"" IMAGE "\"}}\r\n" S(
                                                        "[Warning] no sense\\n")
                                                        S("Successfully built abcdef012345\\n") S(
                                                                "Successfully tagged t:latest\\n"));
        ASSERT_STR(fake_build,
                   "file Dockerfile\ncontext '' [FROM busybox]\n"
                   "tags docker.io/library/x:latest\nnetwork default\noutput image 0 owner 0\n");
        ASSERT_INT(fake_contexts, 0);
        ASSERT_INT(open_fds(), before);
}

TEST(classic_arguments_before_from_are_steps) {
        ask("POST /build?target=arguments", "", "tar");
        ASSERT_INT(status(), 200);
        ASSERT(str_after(chunks(), S("Step 1/3 : ARG A=1\\n") S("Step 2/3 : ARG b\\n")
                                           S("Step 3/3 : FROM x") S("\\n")));
}

/* As Docker tells of them: they are no steps, and FROM's layer is the last one's. */
TEST(classic_triggers_are_no_steps) {
        ask("POST /build?target=triggers", "", "FROM x");
        ASSERT_STR(
                chunks(),
                S("Step 1/2 : FROM x") S("\\n") S("# Executing 2 build triggers\\n") S(
                        " ---> Running in c1\\n") S("a1\\n") S(" ---> Removed intermediate "
                                                               "container c1\\n")
                        S(" ---> Using cache\\n") S(" ---> 0123456789ab\\n") S(
                                "Step 2/2 : RUN c") S("\\n") S(" ---> Using cache\\n")
                                S(" ---> 0123456789ab\\n") "{\"aux\":{\"ID\":\"" IMAGE "\"}}\r\n" S(
                                        "Successfully built abcdef012345\\n"));
}

TEST(classic_quiet) {
        ask("POST /build?q=1&rm=0", "", "FROM x");
        ASSERT_STR(chunks(), "{\"aux\":{\"ID\":\"" IMAGE "\"}}\r\n" S(IMAGE "\\n"));
        ask("POST /v1.29/build?q=1", "", "FROM x");
        ASSERT_STR(chunks(), S(IMAGE "\\n"));
        /* What was said comes out where it failed. */
        ask("POST /build?q=1&target=failing", "", "FROM x");
        ASSERT_INT(status(), 200);
        ASSERT(str_after(chunks(), S("Step 1/4 : RUN a") S("\\n") S("a1\\n")));
        ask("POST /build?rm=0", "", "FROM x");
        ASSERT(!strstr(chunks(), "Removed"));
}

TEST(classic_one_step_after_the_other) {
        ask("POST /build?target=parallel", "", "FROM x");
        ASSERT_STR(
                chunks(),
                S("Step 1/4 : RUN a") S("\\n") S("a1\\n") S("a2\\n") S(" ---> 0123456789ab\\n") S(
                        "Step 2/4 : RUN b") S("\\n") S("b1\\n") S("b2\\n") S(" ---> "
                                                                             "0123456789ab\\n")
                        S("Step 3/4 : RUN c") S("\\n") S("c1\\n") S(" ---> 0123456789ab\\n") S(
                                "Step 4/4 : RUN d") S("\\n") S("d1\\n") S("d2\\n")
                                S(" ---> 0123456789ab\\n") "{\"aux\":{\"ID\":\"" IMAGE "\"}}\r\n" S(
                                        "Successfully built abcdef012345\\n"));
}

static size_t count_of(const char *text, const char *part) {
        size_t count = 0;

        while ((text = strstr(text, part)) != NULL) {
                count++;
                text += strlen(part);
        }
        return count;
}

TEST(classic_holds_much_back) {
        size_t before = open_fds();
        char *first, *last;

        ask("POST /build?target=much", "", "FROM x");
        ASSERT_INT(count_of(answer, "{\"stream\":\""), 2 + 2 + 200 + 1 + 2);
        first = strstr(answer, "Step 2/2 : RUN b");
        last = strstr(answer, "the last");
        ASSERT(first && last && first < strstr(answer, "aaaaaa") &&
               strstr(answer, "rrrrrr") < last);
        ASSERT(!strstr(answer, "clipped"));
        ASSERT_INT(open_fds(), before);
}

TEST(classic_holds_not_all_back) {
        size_t before = open_fds();

        ask("POST /build?target=too-much", "", "FROM x");
        ASSERT_INT(count_of(answer, "output clipped"), 1);
        ASSERT(!strstr(answer, "the last"));
        ASSERT(strstr(answer, "Step 2/2 : RUN b"));
        ASSERT(str_ends(answer, "\r\n0\r\n\r\n"));
        ASSERT_INT(open_fds(), before);
}

TEST(classic_errors) {
        size_t before = open_fds();

        ask("POST /build?target=failing", "", "FROM x");
        ASSERT_INT(status(), 200);
        ASSERT_STR(chunks(),
                   S("Step 1/4 : RUN a") S("\\n") S("a1\\n") S("Step 3/4 : RUN c") S("\\n")
                           S("c1\\n") "{\"errorDetail\":{\"code\":7,\"message\":\"The command "
                                      "'/bin/sh -c c' returned a "
                                      "non-zero code: 7\"},\"error\":\"The command '/bin/sh -c c' "
                                      "returned a non-zero "
                                      "code: 7\"}\r\n");
        ask("POST /build?target=early", "", "FROM x");
        ASSERT_INT(status(), 400);
        ASSERT_STR(body(), "{\"message\":\"Dockerfile:1:1: unknown instruction\"}\n");
        ask("POST /build", "", "bad");
        ASSERT_INT(status(), 400);
        ASSERT_STR(body(), "{\"message\":\"the context is no archive\"}\n");
        ASSERT_INT(fake_contexts, 0);
        ASSERT_INT(open_fds(), before);
}

TEST(classic_parameters) {
        /* {"https://index.docker.io/v1/":{"username":"u","password":"p"},"h:5":{"auth":"YTpi"},"x":1}
         */
        ask("POST /build?dockerfile=D&t=a:1&t=a:1&t=h:5/b&nocache=1&pull=1&platform=linux/arm64"
            "&buildargs=%7B%22A%22:%221%22,%22B%22:null,%22C%22:%22%22%7D&labels=%7B%22l%22:%22v%"
            "22%7D"
            "&networkmode=bridge&extrahosts=a:1&extrahosts=b:2&shmsize=1&memory=2&memswap=-1"
            "&cpushares=4&cpuperiod=5&cpuquota=6&cpusetcpus=0-1&cpusetmems=0&cgroupparent=/p"
            "&ulimits=%5B%7B%22Name%22:%22core%22,%22Soft%22:1,%22Hard%22:2%7D%5D"
            "&cachefrom=%5B%22a%22%5D&version=1&session=&forcerm=1&outputs=&isolation=default",
            "X-Registry-Config: "
            "eyJodHRwczovL2luZGV4LmRvY2tlci5pby92MS8iOnsidXNlcm5hbWUiOiJ1IiwicGFz"
            "c3dvcmQiOiJwIn0sImg6NSI6eyJhdXRoIjoiWVRwaSJ9LCJ4IjoxfQ==\r\n",
            "tar");
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_build, "file D\ncontext '' [tar]\nauth docker.io u p\nauth h:5 a b\n"
                               "ulimit core 1:2\nargs A=1 C=\nlabels l=v\n"
                               "tags docker.io/library/a:1 h:5/b:latest\nhosts a:1 b:2\n"
                               "platform linux/arm64\nnetwork default\nshm 1\nmemory 2\nswap -1\n"
                               "shares 4\nperiod 5\nquota 6\ncpus 0-1\nmems 0\nparent /p\n"
                               "nocache 1\npull 1\noutput image 0 owner 0\n");
        ask("POST /build?remote=github.com/x/y%23v1:dir", "", NULL);
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_build, "file Dockerfile\ncontext '' github.com/x/y#v1:dir\nnetwork "
                               "default\noutput image 0 owner 0\n");
        ask("POST "
            "/build?remote=http://x/y.tar&extrahosts=%5B%22a:1%22,%22b:2%22%5D&networkmode=none",
            "X-Registry-Config: !\r\n", NULL);
        ASSERT_STR(fake_build, "file Dockerfile\ncontext '' http://x/y.tar\nhosts a:1 b:2\n"
                               "network none\noutput image 0 owner 0\n");
}

TEST(classic_refused) {
        static const struct {
                const char *query;
                int status;
                const char *part; /* of the message */
        } cases[] = {
                { "remote=client-session", 501, "set DOCKER_BUILDKIT=0" },
                { "version=2", 501, "set DOCKER_BUILDKIT=0" },
                { "session=x", 501, "set DOCKER_BUILDKIT=0" },
                { "squash=1", 501, "squash: " },
                { "outputs=%5B%7B%7D%5D", 501, "outputs: " },
                { "securityopt=%5B%22x%22%5D", 501, "securityopt: " },
                { "isolation=hyperv", 501, "isolation: " },
                { "remote=ftp://x/y.tar", 501, "remote: 'ftp://x/y.tar'" },
                { "remote=git://x/y%23a..b", 400, "remote: invalid git ref 'a..b'" },
                { "networkmode=container:x", 501,
                  "networkmode: network 'container:x': steps have" },
                { "t=A", 400, "invalid reference format" },
                { "t=a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                  400, "a name with a digest" },
                { "buildargs=%5B%5D", 400, "buildargs: must be an object" },
                { "buildargs=%7B%22A%22:1%7D", 400, "buildargs.A: must be a string" },
                { "buildargs=%7B", 400, "buildargs: " },
                { "labels=%7B%22A%22:null%7D", 400, "labels.A: must be a string" },
                { "ulimits=%5B1%5D", 400, "ulimits: " },
                { "cachefrom=%5B1%5D", 400, "cachefrom: must be an array of strings" },
                { "memory=x", 400, "memory: 'x' is not a whole number" },
                { "memory=-5", 400, "memory: -5 is too small" },
        };
        size_t before = open_fds();

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *line = str_format("POST /build?%s", cases[i].query);

                fake_build[0] = '\0';
                ask(line, "", "tar");
                ASSERT_INT(status(), cases[i].status);
                ASSERT(strstr(body(), cases[i].part));
                ASSERT_STR(fake_build, "");
        }
        ASSERT_INT(open_fds(), before);
}

TEST(text) {
        static const struct {
                const char *text;
                size_t length;
                bool good;
                const char *quoted;
        } cases[] = {
                { "a\tb\"\\\n\r", 7, true, "\"a\\u0009b\\\"\\\\\\n\\u000d\"" },
                { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, true,
                  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
                { "a\0b", 3, false, "\"a\\u0000b\"" },
                { "\xc3", 1, false, "\"\\ufffd\"" },
                { "\xc0\x80", 2, false, "\"\\ufffd\\ufffd\"" },
                { "\xed\xa0\x80", 3, false, "\"\\ufffd\\ufffd\\ufffd\"" },
                { "\xf4\x90\x80\x80", 4, false, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
                { "\x7f", 1, true, "\"\\u007f\"" },
                { "", 0, true, "\"\"" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_buf_ Buf json = { 0 };

                ASSERT_INT(text_is_utf8(cases[i].text, cases[i].length), cases[i].good);
                text_add_quoted(&json, cases[i].text, cases[i].length);
                ASSERT_STR(json.data, cases[i].quoted);
        }
}

TEST(release) {
        ask_done(); /* so that a leak checker sees nothing of ours */
}

TEST_MAIN()
