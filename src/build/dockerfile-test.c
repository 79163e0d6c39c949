/* dockerfile-test.c: Dockerfiles as text, what they are read to, and what is refused in which
 * words. */
#include "base/test.h"
#include "build/dockerfile.h"

#define _cleanup_dockerfile_ _cleanup_(dockerfile_done)

static int parse(const char *text, Dockerfile *ret, Error *err) {
        return dockerfile_parse("Dockerfile", text, strlen(text), ret, err);
}

/* Its words, joined by '|'. */
static char *words_of(const Instruction *instruction) {
        return strv_join(instruction->words, "|");
}

TEST(places) {
        _cleanup_dockerfile_ Dockerfile file = {};
        Error err = {};
        ASSERT_OK(parse("\n# one\n#\n# two\n# three\nFROM a\n\n  run --network=none \\\n# no\n\n  "
                        "x  \\\n"
                        "\ty\nCMD z",
                        &file, &err),
                  &err);
        ASSERT_INT(file.count, 3);
        const Instruction *from = &file.instructions[0], *run = &file.instructions[1];
        ASSERT_INT(from->kind, INSTRUCTION_FROM);
        ASSERT_INT(from->at.line, 6);
        ASSERT_INT(from->at.end_line, 6);
        ASSERT_INT(strv_length(from->comments), 2);
        ASSERT_STR(from->comments[1], "three");
        ASSERT_STR(run->keyword, "run");
        ASSERT_STR(run->text, "run --network=none   x  \ty");
        ASSERT_STR(run->rest, "x  \ty");
        ASSERT_INT(run->at.line, 8);
        ASSERT_INT(run->at.column, 3);
        ASSERT_INT(run->at.end_line, 12);
        ASSERT_INT(run->empty_continuation, 12);
        ASSERT(!run->comments);
        ASSERT_INT(run->flags[0].at.line, 8);
        ASSERT_INT(run->flags[0].at.column, 7);
        ASSERT_STR(instruction_flag(run, "network"), "none");
        ASSERT(!instruction_flag(run, "mount"));
        ASSERT_INT(file.instructions[2].at.line, 13);
}

TEST(arguments) {
        static const struct {
                const char *line, *wanted;
                bool json;
        } cases[] = {
                { "RUN echo 'a  b' \"$c\"", "echo 'a  b' \"$c\"" },
                { "RUN [\"a\", \"b\\u00e9\\ud83d\\ude00\\n\"]", "a|b\xc3\xa9\xf0\x9f\x98\x80\n",
                  true },
                { "RUN ['a']", "['a']" },
                { "RUN [\"a\",]", "[\"a\",]" },
                { "RUN [\"a\"] b", "[\"a\"] b" },
                { "CMD []", "", true },
                { "COPY a\t b  c", "a|b|c" },
                { "COPY [\"a b\", \"c\"]", "a b|c", true },
                { "ENV a b  c", "a|b  c" },
                { "ENV a=b c='d e' f=\\ g", "a|b|c|'d e'|f|\\ g" },
                { "LABEL a=\"b=c\" d=", "a|\"b=c\"|d|" },
                { "ARG a b= c=d", "a||b||c|d" },
                { "EXPOSE 80 53/udp 1-3", "80|53/udp|1-3" },
                { "HEALTHCHECK --interval=5s CMD curl  x", "CMD|curl  x" },
                { "HEALTHCHECK CMD [\"a\", \"b\"]", "CMD|a|b", true },
                { "HEALTHCHECK none", "none" },
                { "VOLUME /a /b", "/a|/b" },
                { "WORKDIR /a b", "/a b" },
                { "SHELL [\"sh\", \"-c\"]", "sh|-c", true },
                { "STOPSIGNAL $s", "$s" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_dockerfile_ Dockerfile file = {};
                Error err = {};
                _cleanup_free_ char *text = str_format("FROM a\n%s\n", cases[i].line);
                ASSERT_OK(parse(text, &file, &err), &err);
                _cleanup_free_ char *got = words_of(&file.instructions[1]);
                ASSERT_STR(got, cases[i].wanted);
                ASSERT_INT(file.instructions[1].is_json, cases[i].json);
        }
}

TEST(arg_values_and_old_pairs) {
        _cleanup_dockerfile_ Dockerfile file = {};
        Error err = {};
        ASSERT_OK(parse("ARG a b= c=d\nFROM x\nENV a b\nENV a=b\n", &file, &err), &err);
        ASSERT(!file.instructions[0].has_value[0]);
        ASSERT(file.instructions[0].has_value[1]);
        ASSERT(file.instructions[0].has_value[2]);
        ASSERT(file.instructions[2].old_pairs);
        ASSERT(!file.instructions[3].old_pairs);
}

TEST(flags) {
        _cleanup_dockerfile_ Dockerfile file = {};
        Error err = {};
        ASSERT_OK(parse("FROM a\nCOPY --link --chown=\"a b\":c\\ d --exclude=x --exclude=y -- --z "
                        "/\n",
                        &file, &err),
                  &err);
        const Instruction *copy = &file.instructions[1];
        ASSERT_INT(copy->flag_count, 4);
        ASSERT_STR(copy->flags[0].name, "link");
        ASSERT(!copy->flags[0].value);
        ASSERT_STR(copy->flags[1].value, "a b:c d");
        ASSERT_STR(copy->flags[3].value, "y");
        _cleanup_free_ char *words = words_of(copy);
        ASSERT_STR(words, "--z|/");
}

TEST(heredocs) {
        _cleanup_dockerfile_ Dockerfile file = {};
        Error err = {};
        ASSERT_OK(parse("FROM a\nCOPY <<one <<-'two' /\nFROM x\none\n\t\ta\n\t$b\n\ttwo\nRUN echo "
                        "it's <<no\n"
                        "RUN \"<<no\"\nRUN <<end\nend\nRUN x\n",
                        &file, &err),
                  &err);
        ASSERT_INT(file.count, 6);
        const Instruction *copy = &file.instructions[1];
        ASSERT_INT(copy->heredoc_count, 2);
        ASSERT_STR(copy->heredocs[0].name, "one");
        ASSERT_STR(copy->heredocs[0].content, "FROM x\n");
        ASSERT(copy->heredocs[0].expand);
        ASSERT_INT(copy->heredocs[0].at.line, 3);
        ASSERT_STR(copy->heredocs[1].content, "a\n$b\n");
        ASSERT(!copy->heredocs[1].expand);
        ASSERT_INT(copy->heredocs[1].at.end_line, 6);
        ASSERT_INT(copy->at.end_line, 7);
        ASSERT_INT(file.instructions[2].heredoc_count, 0);
        ASSERT_STR(file.instructions[4].heredocs[0].content, "");
        ASSERT_INT(file.instructions[5].at.line, 12);
        ASSERT(heredoc_word("3<<-x", NULL));
        ASSERT(!heredoc_word("<<<x", NULL));
        ASSERT(!heredoc_word("a<<x", NULL));
}

TEST(onbuild) {
        _cleanup_dockerfile_ Dockerfile file = {};
        Error err = {};
        ASSERT_OK(parse("FROM a\nONBUILD  copy --link <<x \\\n  /y\nz\nx\nONBUILD CMD [\"a\"]\n",
                        &file, &err),
                  &err);
        ASSERT_INT(file.count, 3);
        const Instruction *inner = file.instructions[1].onbuild;
        ASSERT(inner);
        ASSERT_INT(inner->kind, INSTRUCTION_COPY);
        ASSERT_INT(inner->at.column, 10);
        ASSERT_INT(inner->heredoc_count, 1);
        _cleanup_free_ char *source = instruction_source(inner);
        ASSERT_STR(source, "copy --link <<x   /y\nz\nx");
        ASSERT(file.instructions[2].onbuild->is_json);
}

TEST(directives) {
        _cleanup_dockerfile_ Dockerfile file = {}, after_shebang = {}, late = {};
        Error err = {};
        ASSERT_OK(parse("\xef\xbb\xbf# Syntax = docker/dockerfile:1 x\n#escape=`\n"
                        "# check=skip=A, B;error=true\n# text\nFROM a\nRUN a `\n  \\b\n",
                        &file, &err),
                  &err);
        ASSERT_STR(file.directives.syntax, "docker/dockerfile:1");
        ASSERT_INT(file.directives.escape, '`');
        ASSERT_STR(file.directives.skip[0], "A");
        ASSERT_INT(strv_length(file.instructions[0].comments), 1);
        ASSERT_STR(file.instructions[1].words[0], "a   \\b");
        ASSERT_OK(parse("#!/usr/bin/build\n# syntax=x\n# escape=`\nFROM a\n", &after_shebang, &err),
                  &err);
        ASSERT_STR(after_shebang.directives.syntax, "x");
        ASSERT_INT(after_shebang.directives.escape, '\\');
        ASSERT_OK(parse("# text\n# escape=`\nFROM a\n", &late, &err), &err);
        ASSERT_INT(late.directives.escape, '\\');
}

TEST(line_ends) {
        _cleanup_dockerfile_ Dockerfile file = {};
        Error err = {};
        ASSERT_OK(parse("FROM a\r\nRUN a \\ \t\r\nb\\\\\r\nRUN <<x\r\ny\r\nx\r\nRUN z \\", &file,
                        &err),
                  &err);
        ASSERT_INT(file.count, 4);
        ASSERT_STR(file.instructions[1].words[0], "a b\\\\");
        ASSERT_STR(file.instructions[2].heredocs[0].content, "y\r\n");
        ASSERT_STR(file.instructions[3].words[0], "z");
}

/* What a text is refused with: the first line of the error is where and what. */
static const struct {
        const char *text, *wanted;
} mistakes[] = {
        { "", "Dockerfile: file with no instructions" },
        { "# only\n\n", "Dockerfile: file with no instructions" },
        { "FROM a\nRUNN x\n",
          "2:1: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)" },
        { "FROM a\n copyy x\n", "2:2: dockerfile parse error on line 2: unknown instruction: copyy "
                                "(did you mean copy?)" },
        { "FROM a\nINCLUDE x\n", "unknown instruction: INCLUDE\n" },
        { "FROM a\nCOPY \\\n  --form=b x y\n",
          "3:3: dockerfile parse error on line 2: unknown flag: --form (did you mean from?)" },
        { "FROM a\nENV --x a=b\n", "unknown flag: --x" },
        { "FROM a\nCOPY --from a b\n", "2:6: dockerfile parse error on line 2: missing a value on "
                                       "flag: --from" },
        { "FROM a\nCOPY --link=x a b\n", "expecting boolean value for flag --link, not: x" },
        { "FROM a\nCOPY --link --link a b\n", "2:13: dockerfile parse error on line 2: duplicate "
                                              "flag specified: --link" },
        { "FROM\n", "FROM requires either one or three arguments" },
        { "FROM a b\n", "FROM requires either one or three arguments" },
        { "FROM a IS b\n", "FROM requires either one or three arguments" },
        { "FROM a AS 1b\n", "invalid name for build stage: \"1b\"" },
        { "FROM a AS b/c\n", "invalid name for build stage: \"b/c\"" },
        { "RUN x\n", "no build stage in current context" },
        { "FROM a\nCOPY x\n", "COPY requires at least two arguments, but only one was provided. "
                              "Destination could not be determined" },
        { "FROM a\nCOPY x <<y\ny\n", "COPY cannot accept a heredoc as a destination" },
        { "FROM a\nRUN <<x\ny\n", "2:1: dockerfile parse error on line 2: unterminated heredoc" },
        { "FROM a\nENV a\n", "ENV must have two arguments" },
        { "FROM a\nENV a=b c\n", "Syntax error - can't find = in \"c\"" },
        { "FROM a\nENV =b\n", "ENV names can not be blank" },
        { "FROM a\nARG =b\n", "ARG names can not be blank" },
        { "FROM a\nARG\n", "ARG requires at least one argument" },
        { "FROM a\nEXPOSE\n", "EXPOSE requires at least one argument" },
        { "FROM a\nEXPOSE 80/http\n", "invalid port: \"80/http\": invalid proto: http" },
        { "FROM a\nEXPOSE 90-80\n",
          "2:1: dockerfile parse error on line 2: invalid containerPort: 90-80" },
        { "FROM a\nUSER\n", "USER requires exactly one argument" },
        { "FROM a\nVOLUME [\" \"]\n", "VOLUME specified can not be an empty string" },
        { "FROM a\nSHELL sh\n", "SHELL requires the arguments to be in JSON form" },
        { "FROM a\nCMD [\"a\", 1]\n", "arrays must be comprised of strings only" },
        { "FROM a\nCMD [\"a\\u0000\"]\n", "cannot hold the character \\u0000" },
        { "FROM a\nONBUILD\n", "ONBUILD requires at least one argument" },
        { "FROM a\nONBUILD onbuild RUN x\n",
          "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" },
        { "FROM a\nONBUILD FROM b\n", "FROM isn't allowed as an ONBUILD trigger" },
        { "FROM a\nONBUILD COPYY b\n",
          "2:9: dockerfile parse error on line 2: unknown instruction: "
          "COPYY (did you mean COPY?)" },
        { "FROM a\nHEALTHCHECK\n", "HEALTHCHECK requires at least one argument" },
        { "FROM a\nHEALTHCHECK TCP 1\n", "Unknown type \"TCP\" in HEALTHCHECK (try CMD)" },
        { "FROM a\nHEALTHCHECK CMD\n", "Missing command after HEALTHCHECK CMD" },
        { "FROM a\nHEALTHCHECK NONE x\n", "HEALTHCHECK NONE takes no arguments" },
        { "FROM a\nHEALTHCHECK --interval=50ns CMD x\n", "cannot be less than 1ms" },
        { "FROM a\nHEALTHCHECK --timeout=soon CMD x\n", "invalid duration \"soon\"" },
        { "FROM a\nHEALTHCHECK --retries=-1 CMD x\n", "--retries cannot be negative (-1)" },
        { "FROM a\nRUN --network=bridge x\n", "invalid network mode \"bridge\"" },
        { "FROM a\nRUN --security=off x\n", "security \"off\" is not valid" },
        { "# escape=x\nFROM a\n", "invalid escape token 'x' does not match ` or \\" },
        { "# escape=`\n# escape=`\nFROM a\n",
          "2:1: dockerfile parse error on line 2: only one escape parser directive can be used" },
        { "# check=slip=A\nFROM a\n", "invalid check option \"slip\"" },
        { "# check=error=maybe\nFROM a\n", "failed to parse check option" },
};

TEST(refusals) {
        for (size_t i = 0; i < ELEMENTS(mistakes); i++) {
                Dockerfile file;
                Error err = {};
                ASSERT(parse(mistakes[i].text, &file, &err) < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
                ASSERT(!file.instructions);
                if (!strstr(err.message, mistakes[i].wanted))
                        ASSERT_STR(err.message, mistakes[i].wanted);
        }
}

TEST(quoted_lines) {
        Dockerfile file;
        Error err = {};
        ASSERT(parse("FROM a\n\nRUN x\nCOPYY \\\n  y\nRUN z\n", &file, &err) < 0);
        ASSERT_STR(err.message, "Dockerfile:4:1: dockerfile parse error on line 4: unknown "
                                "instruction: COPYY (did you mean COPY?)\n"
                                "--------------------\n"
                                "   3 |     RUN x\n"
                                "   4 | >>> COPYY \\\n"
                                "   5 | >>>   y\n"
                                "   6 |     RUN z\n"
                                "--------------------");
        _cleanup_dockerfile_ Dockerfile good = {};
        ASSERT_OK(parse("FROM a\nRUN x\n", &good, &err), &err);
        ASSERT(dockerfile_error(&good, good.instructions[1].at, &err, "no %s", "luck") < 0);
        ASSERT(str_after(err.message, "Dockerfile:2:1: no luck\n-----"));
}

TEST(exposed_ports) {
        static const struct {
                const char *word, *wanted;
                bool mapped, cased;
        } cases[] = {
                { "80", "80-80/tcp" },
                { "53/UDP", "53-53/udp", .cased = true },
                { "1-3/sctp", "1-3/sctp" },
                { "80/", "80-80/tcp" },
                { "8080:80", "80-80/tcp", .mapped = true },
                { "127.0.0.1:1-2:3-4", "3-4/tcp", .mapped = true },
                { "[::1]::80", "80-80/tcp", .mapped = true },
                { "", NULL },
                { "/tcp", NULL },
                { "http", NULL },
                { "65536", NULL },
                { "3-1", NULL },
                { "80-", NULL },
                { "x:80", NULL },
                { "1-2:3-5", NULL },
                { "300.0.0.1:1:2", NULL },
                { "80/icmp", NULL },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                ExposedPorts ports;
                Error err = {};
                int r = exposed_ports_read(cases[i].word, &ports, &err);
                ASSERT_INT(r < 0, !cases[i].wanted);
                if (r < 0)
                        continue;
                _cleanup_free_ char *got =
                        str_format("%u-%u/%s", ports.first, ports.last, ports.protocol);
                ASSERT_STR(got, cases[i].wanted);
                ASSERT_INT(ports.mapped, cases[i].mapped);
                ASSERT_INT(ports.cased, cases[i].cased);
        }
}

TEST(bytes_that_are_no_text) {
        Dockerfile file;
        Error err = {};
        ASSERT(dockerfile_parse("Dockerfile", "FROM a\nRUN \0x\n", 14, &file, &err) < 0);
        ASSERT(strstr(err.message, "Dockerfile:2: a NUL character"));
}

static size_t right_of(const char *text) {
        _cleanup_dockerfile_ Dockerfile file = {};
        dockerfile_parse_start("Dockerfile", text, strlen(text), &file);
        return file.count;
}

TEST(what_stands_before_the_wrong_instruction) {
        static const struct {
                const char *text;
                size_t right;
        } cases[] = {
                { "FROM a\nRUN b\n", 2 },
                { "FROM a\nRUN b\nRUNN c\nRUN d\n", 2 },
                { "FROM a\nRUN --wrong b\n", 1 },
                { "FROM a\nRUN <<END\nRUN c\n", 1 },
                { "ARG a\nRUN b\nFROM c\n", 1 },
                { "# escape=x\nFROM a\n", 0 },
                { "", 0 },
                { "\n", 0 },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                ASSERT_INT(right_of(cases[i].text), cases[i].right);
        Dockerfile file;
        dockerfile_parse_start("Dockerfile", "FROM a\n\0", 8, &file);
        ASSERT_INT(file.count, 0);
        dockerfile_done(&file);
}

/* ---- errors as they are read again ---- */

TEST(errors_are_read_again) {
        static const struct {
                const char *text, *words;
                unsigned line, end_line;
        } cases[] = {
                { "FROM a\n RUN x | >>> y\nBAD \\\n  a | >>> b\nRUN c\n",
                  "dockerfile parse error on line 3: unknown instruction: BAD "
                  "(did you mean ADD?)",
                  3, 4 },
                { "BAD\n",
                  "dockerfile parse error on line 1: unknown instruction: BAD "
                  "(did you mean ADD?)",
                  1, 1 },
        };
        SourceRange at;
        char *words;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Dockerfile file = {};
                Error err = {};

                ASSERT(dockerfile_parse("a:1", cases[i].text, strlen(cases[i].text), &file, &err) <
                       0);
                ASSERT(dockerfile_error_read("a:1", err.message, &at, &words));
                ASSERT_STR(words, cases[i].words);
                ASSERT_INT(at.line, cases[i].line);
                ASSERT_INT(at.end_line, cases[i].end_line);
                free(words);
        }
        ASSERT(!dockerfile_error_read("D", "D", &at, &words));
        ASSERT(!dockerfile_error_read("D", "D:1:", &at, &words));
        ASSERT(!dockerfile_error_read("D", "target stage \"x\" could not be found", &at, &words));
        ASSERT(dockerfile_error_read("D", "D:7:2: x", &at, &words));
        ASSERT_INT(at.line + at.end_line + at.column, 16);
        ASSERT_STR(words, "x");
        free(words);
}

TEST_MAIN()
