/* lint.h: BuildKit's checks of a Dockerfile under their own names
 * (docs.docker.com/reference/build-checks). */
#pragma once

#include "build/dockerfile.h"

typedef struct Finding {
        const char *rule;        /* "StageNameCasing" */
        const char *description; /* of the rule */
        char *detail;            /* of this finding */
        const char *url;         /* of the rule's page, or NULL */
        SourceRange at;
} Finding;

typedef struct Findings {
        Finding *list;
        size_t count;
} Findings;

typedef struct LintOptions {
        char *const *build_args;    /* NAME=value, as given to the build */
        const char *platform;       /* "linux/amd64", the build's target */
        const char *target;         /* stage; NULL: the last */
        char *const *ignored_files; /* .dockerignore's patterns as lines; for CopyIgnoredFile */
} LintOptions;

/* All findings in the file's order, those that its `check=skip` names left out. */
int dockerfile_lint(const Dockerfile *file, const LintOptions *options, Findings *ret, Error *err);
void findings_done(Findings *findings);

typedef enum LintFormat { LINT_TEXT, LINT_JSON, LINT_SARIF } LintFormat;
/* Text as `docker build --check` prints it; BuildKit's lint JSON; SARIF 2.1.0. */
void findings_print(const Dockerfile *file, const Findings *findings, LintFormat format, Buf *ret);
