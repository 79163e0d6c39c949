/* check.c: brig build --check: the Dockerfile and its ignore file are read here, and checked
 * without a daemon. Building itself is refused by name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "build/lint.h"
#include "cli/commands.h"

#define DOCKERFILE_LIMIT ((size_t)16 << 20)

typedef struct BuildOptions {
        bool check;
        char *file, *target, *platform, *format;
        char **build_args;
} BuildOptions;

static const Option build_rows[] = {
        { "build-arg", 0, OPTION_ENV, offsetof(BuildOptions, build_args),
          "Set build-time variables" },
        { "check", 0, OPTION_BOOL, offsetof(BuildOptions, check), "Check the Dockerfile only" },
        { "file", 'f', OPTION_STRING, offsetof(BuildOptions, file), "Name of the Dockerfile", NULL,
          "\"PATH/Dockerfile\"" },
        { "format", 0, OPTION_STRING, offsetof(BuildOptions, format),
          "Format of the check: text, json, or sarif", NULL, "\"text\"" },
        { "platform", 0, OPTION_STRING, offsetof(BuildOptions, platform),
          "Platform that is built for" },
        { "target", 0, OPTION_STRING, offsetof(BuildOptions, target), "Stage to check" },
};

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

/* The file named by -f ("-": standard input), else the Dockerfile in the context. */
static int read_dockerfile(const char *path, Dockerfile *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        _cleanup_buf_ Buf input = {};
        size_t length = 0;
        int r;

        if (!strcmp(path, "-")) {
                r = fd_read_all(STDIN_FILENO, DOCKERFILE_LIMIT, &input);
                if (r < 0)
                        return error_set(err, r, "read the Dockerfile from standard input");
                return dockerfile_parse("Dockerfile", input.data ?: "", input.length, ret, err);
        }
        r = file_read_at(AT_FDCWD, path, DOCKERFILE_LIMIT, &text, &length, err);
        if (r < 0)
                return error_prefix(err, "failed to read dockerfile");
        return dockerfile_parse(strrchr(path, '/') ? strrchr(path, '/') + 1 : path, text, length,
                                ret, err);
}

/* NAME.dockerignore before the context's .dockerignore; neither is needed. */
static int read_ignore(const char *file, const char *context, IgnorePatterns **ret, Error *err) {
        _cleanup_free_ char *own = str_format("%s.dockerignore", file);
        _cleanup_free_ char *shared = str_format("%s/.dockerignore", context);
        const char *paths[] = { own, shared };

        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                _cleanup_free_ char *text = NULL;
                size_t length = 0;
                int r = file_read_at(AT_FDCWD, paths[i], DOCKERFILE_LIMIT, &text, &length, err);

                if (r == -ENOENT)
                        continue;
                if (r == 0)
                        r = ignore_parse(text, length, ret, err);
                return r < 0 ? error_prefix(err, "%s", paths[i]) : 0;
        }
        return 0;
}

static int read_format(const char *text, LintFormat *ret, Error *err) {
        static const char *const names[] = {
                [LINT_TEXT] = "text", [LINT_JSON] = "json", [LINT_SARIF] = "sarif"
        };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (!strcmp(text ?: "text", names[i])) {
                        *ret = (LintFormat)i;
                        return 0;
                }
        return error_kind(err, ERROR_INVALID, "invalid format \"%s\": text, json or sarif", text);
}

static int run_build(Cli *cli, const Options *options, Error *err) {
        const BuildOptions *o = options->values;
        const char *context = options->arguments[0];
        _cleanup_free_ char *path =
                o->file ? str_copy(o->file) : str_format("%s/Dockerfile", context);
        _cleanup_(ignore_freep) IgnorePatterns *ignored = NULL;
        _cleanup_(dockerfile_done) Dockerfile file = {};
        _cleanup_(findings_done) Findings findings = {};
        _cleanup_buf_ Buf text = {};
        LintFormat format = LINT_TEXT;
        int r;

        if (!o->check)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "'%s build' is not done yet: the builder is missing; 'build "
                                  "--check' checks the Dockerfile",
                                  cli->program);
        r = read_format(o->format, &format, err);
        if (r == 0)
                r = read_dockerfile(path, &file, err);
        if (r == 0)
                r = read_ignore(path, context, &ignored, err);
        if (r < 0)
                return r;
        r = dockerfile_lint(&file,
                            &(LintOptions){ .build_args = o->build_args,
                                            .platform = o->platform,
                                            .target = o->target,
                                            .ignored = ignored },
                            &findings, err);
        if (r == 0 || findings.count > 0) {
                findings_print(&file, &findings, format, &text);
                (void)fputs(text.data, stdout);
        }
        return r < 0 ? r : findings.count > 0;
}

const Command build_command = { "[OPTIONS] PATH",
                                "Build an image from a Dockerfile",
                                { build_rows, ELEMENTS(build_rows), sizeof(BuildOptions) },
                                run_build,
                                1,
                                1 };
