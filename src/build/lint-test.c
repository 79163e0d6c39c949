/* lint-test.c: which checks fire, where, and what turns them off. */
#include "base/test.h"
#include "build/lint.h"

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

static char **known_env(void *context, const char *image) {
        char **env = NULL;

        if (!strcmp(image, "known"))
                strv_add(&env, "PATH=/bin");
        return env;
}

/* "line rule" of each finding, parted by commas; an error's message after '!'. The caller's. */
static char *lint(const char *text, LintOptions options) {
        Dockerfile file = {};
        Findings findings = {};
        _cleanup_buf_ Buf all = {};
        Error err = {};

        options.base_env = known_env;
        if (dockerfile_parse("Dockerfile", text, strlen(text), &file, &err) < 0)
                return str_format("parse: %s", err.message);
        if (dockerfile_lint(&file, &options, &findings, &err) < 0)
                buf_add_str(&all, "!,");
        for (size_t i = 0; i < findings.count; i++)
                buf_format(&all, "%u %s,", findings.list[i].at.line, findings.list[i].rule);
        findings_done(&findings);
        dockerfile_done(&file);
        return buf_take(&all);
}

#define ASSERT_LINT(text, expected, ...)                                                           \
        do {                                                                                       \
                _cleanup_free_ char *found_ = lint(text, (LintOptions){ __VA_ARGS__ });            \
                ASSERT_STR(found_, expected);                                                      \
        } while (0)

TEST(words) {
        ASSERT_LINT("FROM scratch AS app\nCOPY a b\n", "");
        ASSERT_LINT("FROM scratch as App\n", "1 StageNameCasing,1 FromAsCasing,");
        ASSERT_LINT("From scratch\nRUN [\"a\"]\n", "1 ConsistentInstructionCasing,");
        ASSERT_LINT("FROM scratch AS a\nFROM scratch AS a\nFROM a AS context\n",
                    "2 DuplicateStageName,3 ReservedStageName,");
        ASSERT_LINT("FROM scratch\nMAINTAINER me\nCOPY a \\\n\n b\n",
                    "2 MaintainerDeprecated,5 NoEmptyContinuation,");
}

TEST(stages_follow_their_base) {
        ASSERT_LINT("FROM scratch AS a\nWORKDIR /x\nSHELL [\"s\"]\nARG v=1\nFROM a\nWORKDIR y\n"
                    "CMD c\nCOPY $v d\n",
                    "");
        ASSERT_LINT(
                "FROM scratch\nWORKDIR x\nCMD a\nENTRYPOINT [\"b\"]\nENTRYPOINT [\"c\"]\n",
                "2 WorkdirRelativePath,3 JSONArgsRecommended,4 MultipleInstructionsDisallowed,");
        ASSERT_LINT("FROM scratch AS a\nONBUILD WORKDIR x\nFROM a\n", "3 WorkdirRelativePath,");
}

TEST(variables) {
        ASSERT_LINT("FROM known\nENV A=$PATH B=$NO\n", "2 UndefinedVar,");
        /* What an unknown image sets can't be missed. */
        ASSERT_LINT("FROM unknown\nENV A=$JAVA_HOME\n", "");
        ASSERT_LINT("FROM known:$TAG\n", "1 InvalidDefaultArgInFrom,1 UndefinedArgInFrom,");
        ASSERT_LINT(
                "FROM --platform=$TARGETPLATFORM scratch\nFROM --platform=linux/s390x scratch\n",
                "1 RedundantTargetPlatform,2 FromPlatformFlagConstDisallowed,");
        ASSERT_LINT("FROM --platform=$BULIDPLATFORM scratch\n", "!,1 UndefinedArgInFrom,");
        ASSERT_LINT("FROM scratch\nARG API_TOKEN\nENV PUBLIC_KEY=1 secret=2\nLABEL a b\n",
                    "2 SecretsUsedInArgOrEnv,3 SecretsUsedInArgOrEnv,4 LegacyKeyValueFormat,");
        ASSERT_LINT("FROM scratch\nEXPOSE 80/TCP 1:2\n",
                    "2 ExposeProtoCasing,2 ExposeInvalidFormat,");
}

TEST(target) {
        static const char text[] =
                "FROM scratch AS a\nCMD x\nFROM scratch AS b\nCOPY --from=a x y\nFROM scratch AS "
                "c\nCMD z\n";

        ASSERT_LINT(text, "2 JSONArgsRecommended,6 JSONArgsRecommended,");
        ASSERT_LINT(text, "2 JSONArgsRecommended,", .target = "b");
        ASSERT_LINT(text, "!,", .target = "d");
}

TEST(ignored_files) {
        _cleanup_(ignore_freep) IgnorePatterns *plain = NULL, *back = NULL;

        ASSERT(ignore_parse("a\n", 2, &plain, NULL) == 0);
        ASSERT(ignore_parse("*\n!b\n", 5, &back, NULL) == 0);
        ASSERT_LINT("FROM scratch AS s\nCOPY ./a/x b /\nADD . /\nCOPY --from=s a c\n",
                    "2 CopyIgnoredFile,", .ignored = plain);
        ASSERT_LINT("FROM scratch\nCOPY a /\n", "", .ignored = back);
}

/* As moby/buildkit's validateCopySourcePath has it with moby/patternmatcher, which was asked of 784
 * pairs of an ignore file and a source: what is named, not what a wildcard or a directory finds;
 * and nothing at all where anything is taken back. */
TEST(ignored_by_patterns_for_all_directories) {
        static const char text[] =
                "FROM scratch\nCOPY . /\nCOPY README.md /\nCOPY docs/a.md /\nCOPY docs /\nCOPY "
                "*.md /\nCOPY /README.md /\nCOPY docs/../b.md /\nCOPY a.txt /\n";
        _cleanup_(ignore_freep) IgnorePatterns *all = NULL, *but = NULL, *everything = NULL;

        ASSERT(ignore_parse("**/*.md\n", 8, &all, NULL) == 0);
        ASSERT(ignore_parse("**/*.md\n!README.md\n", 19, &but, NULL) == 0);
        ASSERT(ignore_parse("**\n", 3, &everything, NULL) == 0);
        ASSERT_LINT(text,
                    "3 CopyIgnoredFile,4 CopyIgnoredFile,6 CopyIgnoredFile,7 CopyIgnoredFile,8 "
                    "CopyIgnoredFile,",
                    .ignored = all);
        ASSERT_LINT(text, "", .ignored = but);
        ASSERT_LINT("FROM scratch\nCOPY . /\n", "2 CopyIgnoredFile,", .ignored = everything);
}

TEST(turned_off_and_on) {
        char *given[] = { (char *)"BUILDKIT_DOCKERFILE_CHECK=skip=FromAsCasing", NULL };

        ASSERT_LINT("# check=skip=all\nFROM scratch as A\n", "");
        ASSERT_LINT("# check=skip=FromAsCasing\nFROM scratch as A\n", "2 StageNameCasing,");
        ASSERT_LINT("# check=skip=all\nFROM scratch as A\n", "2 StageNameCasing,",
                    .build_args = given);
        ASSERT_LINT("FROM scratch\n# check=skip=SecretsUsedInArgOrEnv // known\nARG key\nARG key\n",
                    "4 SecretsUsedInArgOrEnv,");
        ASSERT_LINT("# check=experimental=all\n# x\nARG a\nFROM scratch\n",
                    "3 InvalidDefinitionDescription,");
        ASSERT_LINT("# x\nARG a\nFROM scratch\n", "");
}

static char *base_finding(const char *text, const LintOptions *options, unsigned line) {
        Dockerfile file = {};
        Findings findings = {};
        char *found = NULL;

        if (dockerfile_parse("D", text, strlen(text), &file, NULL) == 0)
                dockerfile_lint_base(&file, options, (SourceRange){ .line = line }, "busybox",
                                     "linux/amd64", "linux/arm64", &findings);
        if (findings.count == 1)
                found = str_format("%s: %s", findings.list[0].rule, findings.list[0].detail);
        findings_done(&findings);
        dockerfile_done(&file);
        return found;
}

TEST(base_of_another_platform) {
        char *const given[] = { (char *)"BUILDKIT_DOCKERFILE_CHECK=skip=all", NULL };
        const LintOptions plain = {}, skipping = { .build_args = given };
        _cleanup_free_ char *found = base_finding("FROM busybox\n", &plain, 1);
        _cleanup_free_ char *file_skips =
                base_finding("# check=skip=InvalidBaseImagePlatform\nFROM busybox\n", &plain, 2);
        _cleanup_free_ char *from_skips = base_finding(
                "FROM a\n# check=skip=InvalidBaseImagePlatform\nFROM busybox\n", &plain, 3);
        _cleanup_free_ char *argument_skips = base_finding("FROM busybox\n", &skipping, 1);

        ASSERT_STR(found, "InvalidBaseImagePlatform: Base image busybox was pulled with platform "
                          "\"linux/amd64\", expected \"linux/arm64\" for current build");
        ASSERT(!file_skips && !from_skips && !argument_skips);
}

TEST(printed) {
        Dockerfile file = {};
        Findings findings = {};
        _cleanup_buf_ Buf text = {};
        LintOptions options = {};

        ASSERT(dockerfile_parse("D", "FROM scratch\nCMD a\n", 19, &file, NULL) == 0);
        ASSERT(dockerfile_lint(&file, &options, &findings, NULL) == 0);
        findings_print(&file, &findings, LINT_TEXT, &text);
        ASSERT(str_after(text.data, "Check complete, 1 warning has been found!\n\nWARNING: "
                                    "JSONArgsRecommended - https://docs.docker.com/go/dockerfile/"
                                    "rule/json-args-recommended/\n"));
        ASSERT(str_ends(text.data, "D:2\n--------------------\n   1 |     FROM scratch\n   2 | >>> "
                                   "CMD a\n   3 |     \n--------------------\n"));
        findings_done(&findings);
        dockerfile_done(&file);
}

TEST_MAIN()
