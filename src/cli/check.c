/* check.c: brig build --check: the Dockerfile and its ignore file are checked here, without a
 * daemon. */
#include <errno.h>
#include <stdio.h>

#include "build/lint.h"
#include "build/plan.h"
#include "build/stages.h"
#include "cli/build-options.h"

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

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

static int read_ignored(const BuildSource *source, IgnorePatterns **ret, Error *err) {
        int r = source->ignore ? ignore_parse(source->ignore, source->ignore_length, ret, err) : 0;

        return r < 0 ? error_prefix(err, "%s", source->ignore_name ?: ".dockerignore") : 0;
}

/* After an error *file has what stands before it. */
static int read_dockerfile(const BuildSource *source, Dockerfile *file, Error *err) {
        const char *slash = strrchr(source->name, '/'), *name = slash ? slash + 1 : source->name;
        int r = dockerfile_parse(name, source->dockerfile, source->dockerfile_length, file, err);

        if (r < 0)
                dockerfile_parse_start(name, source->dockerfile, source->dockerfile_length, file);
        return r;
}

static char **context_names(char *const *specs) {
        char **names = NULL;

        for (; specs && *specs; specs++)
                strv_take(&names, str_copy_n(*specs, strcspn(*specs, "=")));
        return names;
}

/* What a build finds out before it looks at an image: stages that are not there, circles. */
static int check_plan(const BuildOptions *options, const Dockerfile *file, Error *err) {
        _cleanup_free_ char *machine = platform_machine();
        _cleanup_strv_ char **contexts = context_names(options->contexts);
        _cleanup_(plan_freep) Plan *plan = NULL;
        const PlanOptions plan_options = {
                .args = options->args,
                .target = options->target,
                .build_platform = machine,
                .target_platform = options->platforms ? options->platforms[0] : NULL,
                .contexts = contexts,
                .no_cache_filter = options->no_cache_filter,
                .network = options->network,
                .labels = options->labels,
                .source_date_epoch = -1,
        };

        return plan_new(file, &plan_options, &plan, err);
}

/* What ends a build: the results have it as it is, without its quoted lines. */
static void add_error(const Dockerfile *file, const Error *err, Findings *findings) {
        if (!dockerfile_error_read(file->name ?: "", err->message, &findings->error_at,
                                   &findings->error))
                findings->error = str_copy(err->message);
}

int build_check(const BuildOptions *options, const BuildSource *source, Error *err) {
        _cleanup_(ignore_freep) IgnorePatterns *ignored = NULL;
        _cleanup_(dockerfile_done) Dockerfile file = {};
        _cleanup_(findings_done) Findings findings = {};
        _cleanup_buf_ Buf text = {};
        LintFormat format = LINT_TEXT;
        LintOptions lint = { .build_args = options->args,
                             .platform = options->platforms ? options->platforms[0] : NULL,
                             .target = options->target };
        int r, linted;

        r = read_format(options->format, &format, err);
        if (r == 0)
                r = read_ignored(source, &ignored, err);
        if (r < 0)
                return r;
        lint.ignored = ignored;
        r = read_dockerfile(source, &file, err);
        linted = dockerfile_lint(&file, &lint, &findings, r < 0 ? NULL : err);
        r = r < 0 ? r : linted;
        if (r == 0)
                r = check_plan(options, &file, err);
        if (r < 0)
                add_error(&file, err, &findings);
        if (r == 0 || findings.count > 0 || format != LINT_TEXT) {
                findings_print(&file, &findings, format, &text);
                (void)fputs(text.data, stdout);
        }
        return r < 0 ? r : findings.count > 0 && !options->ignore_status;
}
