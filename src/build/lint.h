/* lint.h: BuildKit's checks of a Dockerfile under their own names
 * (docs.docker.com/reference/build-checks). Reads the Dockerfile only: no images, no files. */
#pragma once

#include "build/dockerfile.h"
#include "build/ignore.h"

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
        char *error;          /* why the file can't be built, or NULL */
        SourceRange error_at; /* line 0: nowhere in the file */
} Findings;

typedef struct LintOptions {
        char *const *build_args;       /* NAME=value, as given to the build; among them may be
                                          BUILDKIT_DOCKERFILE_CHECK, in place of `# check=` */
        const char *platform;          /* "linux/amd64", the build's target; NULL: the machine's */
        const char *target;            /* stage; NULL: all of them */
        const IgnorePatterns *ignored; /* .dockerignore, for CopyIgnoredFile; NULL: there is none */
        /* The environment of a base image, NAME=value, as a list that is the caller's; NULL: not
         * known, and then UndefinedVar is not asked of what is built on it. May be NULL: none is
         * known. */
        char **(*base_env)(void *context, const char *image);
        void *base_env_context;
} LintOptions;

/* All findings in the order of their lines, without those that `check=skip` names, of the file or
 * of the instruction. Errors are those of a build: a stage that is not there, a bad substitution;
 * *ret holds what was found before, and is the caller's to findings_done in any case. */
int dockerfile_lint(const Dockerfile *file, const LintOptions *options, Findings *ret, Error *err);
/* What only a build can find, which knows the base of the FROM at `at`: that it is another
 * platform's than the stage is for (InvalidBaseImagePlatform). */
void dockerfile_lint_base(const Dockerfile *file, const LintOptions *options, SourceRange at,
                          const char *image, const char *actual, const char *expected,
                          Findings *ret);
void findings_done(Findings *findings);
/* Whether findings fail a build: `check=error=true`, of the file or of the build argument. */
bool dockerfile_lint_fails(const Dockerfile *file, const LintOptions *options);

typedef enum LintFormat { LINT_TEXT, LINT_JSON, LINT_SARIF } LintFormat;
/* Text as `docker build --check` prints it, without the error; BuildKit's lint JSON, with the error
 * as `buildError`; SARIF 2.1.0, with it as a result of the level error. */
void findings_print(const Dockerfile *file, const Findings *findings, LintFormat format, Buf *ret);
