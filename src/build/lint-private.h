/* lint-private.h: what the files of the checks share: rules and who may report them, then stages,
 * then printing. */
#pragma once

#include "build/lint.h"

typedef enum Rule {
        RULE_STAGE_NAME_CASING,
        RULE_FROM_AS_CASING,
        RULE_NO_EMPTY_CONTINUATION,
        RULE_CONSISTENT_INSTRUCTION_CASING,
        RULE_DUPLICATE_STAGE_NAME,
        RULE_RESERVED_STAGE_NAME,
        RULE_JSON_ARGS_RECOMMENDED,
        RULE_MAINTAINER_DEPRECATED,
        RULE_UNDEFINED_ARG_IN_FROM,
        RULE_WORKDIR_RELATIVE_PATH,
        RULE_UNDEFINED_VAR,
        RULE_MULTIPLE_INSTRUCTIONS,
        RULE_LEGACY_KEY_VALUE,
        RULE_REDUNDANT_TARGET_PLATFORM,
        RULE_SECRETS,
        RULE_INVALID_DEFAULT_ARG,
        RULE_FROM_PLATFORM_CONST,
        RULE_COPY_IGNORED_FILE,
        RULE_DEFINITION_DESCRIPTION,
        RULE_EXPOSE_PROTO_CASING,
        RULE_EXPOSE_INVALID_FORMAT,
        RULE_INVALID_BASE_IMAGE_PLATFORM,
        RULES
} Rule;

typedef struct RuleRow {
        const char *name, *description, *url;
        bool experimental; /* off unless asked for */
} RuleRow;

extern const RuleRow lint_rules[RULES];

typedef struct Lint {
        const Dockerfile *file;
        const LintOptions *options;
        char **skip, **experimental; /* of the file or the build argument */
        Findings *findings;
} Lint;

/* Adds a finding unless the file or a comment above instruction (NULL: none) turns the rule off. */
void lint_report(const Lint *lint, const Instruction *instruction, Rule rule, SourceRange at,
                 const char *format, ...) PRINTF_LIKE(5, 6);
/* What needs no variables: names, casing, forms. */
void lint_words(const Lint *lint);
/* What follows the stages and their variables. */
int lint_stages(const Lint *lint, Error *err);
