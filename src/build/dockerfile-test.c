/* dockerfile-test.c: Dockerfiles as text, what they are read to, and what is refused in which
 * words. */
#include "base/test.h"
#include "build/dockerfile.h"

#define _cleanup_dockerfile_ _cleanup_(dockerfile_done)

static int parse(const char *text, Dockerfile *ret, Error *err) {
        return dockerfile_parse("Dockerfile", text, strlen(text), ret, err);
}

TEST(simple) {
        _cleanup_dockerfile_ Dockerfile file = {};
        Error err = {};
        ASSERT_OK(parse("FROM a\nrun x\n", &file, &err), &err);
        ASSERT_INT(file.count, 2);
        ASSERT_STR(file.instructions[1].keyword, "run");
        ASSERT_INT(file.instructions[1].kind, INSTRUCTION_RUN);
        ASSERT_STR(file.instructions[1].words[0], "x");
        ASSERT_INT(file.instructions[1].at.line, 2);
}

TEST_MAIN()
