/* lint.c: the rules' names and texts, what turns them on and off, and the checks that look at one
 * instruction or at all of them, without variables. Those are lint-stages.c's. */
#include "build/lint-private.h"

#include <stdarg.h>

#define PAGE(name) "https://docs.docker.com/go/dockerfile/rule/" name "/"

const RuleRow lint_rules[RULES] = {
        { "StageNameCasing", "Stage names should be lowercase", PAGE("stage-name-casing"), false },
        { "FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword",
          PAGE("from-as-casing"), false },
        { "NoEmptyContinuation", "Empty continuation lines will become errors in a future release",
          PAGE("no-empty-continuation"), false },
        { "ConsistentInstructionCasing",
          "All commands within the Dockerfile should use the same casing (either upper or lower)",
          PAGE("consistent-instruction-casing"), false },
        { "DuplicateStageName", "Stage names should be unique", PAGE("duplicate-stage-name"),
          false },
        { "ReservedStageName", "Reserved words should not be used as stage names",
          PAGE("reserved-stage-name"), false },
        { "JSONArgsRecommended",
          "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to "
          "OS signals",
          PAGE("json-args-recommended"), false },
        { "MaintainerDeprecated",
          "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
          PAGE("maintainer-deprecated"), false },
        { "UndefinedArgInFrom", "FROM command must use declared ARGs",
          PAGE("undefined-arg-in-from"), false },
        { "WorkdirRelativePath",
          "Relative workdir without an absolute workdir declared within the build can have "
          "unexpected results if the base image changes",
          PAGE("workdir-relative-path"), false },
        { "UndefinedVar", "Variables should be defined before their use", PAGE("undefined-var"),
          false },
        { "MultipleInstructionsDisallowed",
          "Multiple instructions of the same type should not be used in the same stage",
          PAGE("multiple-instructions-disallowed"), false },
        { "LegacyKeyValueFormat",
          "Legacy key/value format with whitespace separator should not be used",
          PAGE("legacy-key-value-format"), false },
        { "RedundantTargetPlatform",
          "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the "
          "default behavior",
          PAGE("redundant-target-platform"), false },
        { "SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands",
          PAGE("secrets-used-in-arg-or-env"), false },
        { "InvalidDefaultArgInFrom",
          "Default value for global ARG results in an empty or invalid base image name",
          PAGE("invalid-default-arg-in-from"), false },
        { "FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value",
          PAGE("from-platform-flag-const-disallowed"), false },
        { "CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore",
          PAGE("copy-ignored-file"), false },
        { "InvalidDefinitionDescription",
          "Comment for build stage or argument should follow the format: `# <arg/stage name> "
          "<description>`. If this is not intended to be a description comment, add an empty line "
          "or comment between the instruction and the comment.",
          PAGE("invalid-definition-description"), true },
        { "ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase",
          PAGE("expose-proto-casing"), false },
        { "ExposeInvalidFormat",
          "IP address and host-port mapping should not be used in EXPOSE instruction. This will "
          "become an error in a future release",
          PAGE("expose-invalid-format"), false },
        { "InvalidBaseImagePlatform", "Base image platform does not match expected target platform",
          PAGE("invalid-base-image-platform"), false },
};

/* ---- what is turned on and off ---- */

typedef struct Switches {
        char **skip, **experimental;
        bool error;
} Switches;

static void switches_done(Switches *switches) {
        strv_free(switches->skip);
        strv_free(switches->experimental);
}

/* "skip=A,B;experimental=all;error=true", up to the first space. */
static void read_switches(const char *text, Switches *ret) {
        _cleanup_free_ char *value = str_copy_n(text, strcspn(text, " "));
        _cleanup_strv_ char **parts = str_split(value, ';');

        for (char **part = parts; part && *part; part++) {
                const char *names;

                if ((names = str_after(*part, "skip=")))
                        ret->skip = str_split(names, ',');
                else if ((names = str_after(*part, "experimental=")))
                        ret->experimental = str_split(names, ',');
                else if ((names = str_after(*part, "error=")))
                        ret->error = !strcmp(names, "true") || !strcmp(names, "1");
        }
}

/* The value of a comment that is "check=…", or NULL. */
static const char *check_comment(const char *comment) {
        const char *value = comment + strspn(comment, " \t");

        if (strncasecmp(value, "check", 5) != 0)
                return NULL;
        value += 5 + strspn(value + 5, " \t");
        return *value == '=' ? value + 1 + strspn(value + 1, " \t") : NULL;
}

static bool names_rule(char *const *names, Rule rule) {
        return strv_has(names, lint_rules[rule].name);
}

static bool all_of(char *const *names) {
        return names && names[0] && !strcmp(names[0], "all");
}

static bool wanted(const Lint *lint, const Instruction *instruction, Rule rule) {
        _cleanup_(switches_done) Switches here = {};

        for (char **comment = instruction ? instruction->comments : NULL; comment && *comment;
             comment++) {
                const char *value = check_comment(*comment);

                if (value) {
                        read_switches(value, &here);
                        break;
                }
        }
        if (lint_rules[rule].experimental)
                return all_of(lint->experimental) || names_rule(lint->experimental, rule) ||
                       all_of(here.experimental) || names_rule(here.experimental, rule);
        return !all_of(lint->skip) && !names_rule(lint->skip, rule) && !all_of(here.skip) &&
               !names_rule(here.skip, rule);
}

void lint_report(const Lint *lint, const Instruction *instruction, Rule rule, SourceRange at,
                 const char *format, ...) {
        Findings *findings = lint->findings;
        char *detail = NULL;
        va_list list;

        if (!wanted(lint, instruction, rule))
                return;
        va_start(list, format);
        if (vasprintf(&detail, format, list) < 0)
                abort();
        va_end(list);
        GROW(findings->list, findings->count);
        findings->list[findings->count++] =
                (Finding){ lint_rules[rule].name, lint_rules[rule].description, detail,
                           lint_rules[rule].url, at };
}

/* ---- checks without variables ---- */

static bool is_lower(const char *text) {
        _cleanup_free_ char *lower = str_lower(str_copy(text));

        return !strcmp(lower, text);
}

static bool is_upper(const char *text) {
        for (; *text; text++)
                if (*text >= 'a' && *text <= 'z')
                        return false;
        return true;
}

static void check_from(const Lint *lint, const Instruction *from) {
        const char *keyword = from->keyword, *as = from->word_count >= 3 ? from->words[1] : NULL;

        if (!as)
                return;
        if (!is_lower(from->words[2]))
                lint_report(lint, from, RULE_STAGE_NAME_CASING, from->at,
                            "Stage name '%s' should be lowercase", from->words[2]);
        if ((is_lower(keyword) && !is_lower(as)) || (is_upper(keyword) && !is_upper(as)))
                lint_report(lint, from, RULE_FROM_AS_CASING, from->at,
                            "'%s' and '%s' keywords' casing do not match", as, keyword);
}

/* The last comment above FROM or ARG must begin with the name that is defined. */
static void check_description(const Lint *lint, const Instruction *instruction) {
        bool from = instruction->kind == INSTRUCTION_FROM;
        size_t comments = strv_length(instruction->comments), names = 0;
        _cleanup_free_ char *word = NULL, *stage = NULL;

        if (comments == 0 || (from && instruction->word_count < 3))
                return;
        word = str_copy_n(instruction->comments[comments - 1],
                          strcspn(instruction->comments[comments - 1], " "));
        if (from) {
                stage = str_lower(str_copy(instruction->words[2]));
                if (strcmp(word, stage) != 0)
                        lint_report(lint, instruction, RULE_DEFINITION_DESCRIPTION, instruction->at,
                                    "Comment for FROM should follow the format: `# %s "
                                    "<description>`",
                                    stage);
                return;
        }
        for (size_t i = 0; i < instruction->word_count; i += 2, names++)
                if (!strcmp(word, instruction->words[i]))
                        return;
        lint_report(lint, instruction, RULE_DEFINITION_DESCRIPTION, instruction->at,
                    "Comment for ARG should follow the format: `# %s <description>`",
                    names > 1 ? "<arg_key>" : instruction->words[0]);
}

static void check_stage_names(const Lint *lint) {
        _cleanup_strv_ char **seen = NULL;

        for (size_t i = 0; i < lint->file->count; i++) {
                const Instruction *from = &lint->file->instructions[i];
                _cleanup_free_ char *name = NULL;

                if (from->kind != INSTRUCTION_FROM || from->word_count < 3)
                        continue;
                name = str_lower(str_copy(from->words[2]));
                if (!strcmp(name, "scratch") || !strcmp(name, "context"))
                        lint_report(lint, NULL, RULE_RESERVED_STAGE_NAME, from->at,
                                    "Stage name should not use the same name as reserved stage "
                                    "\"%s\"",
                                    name);
                if (strv_has(seen, name))
                        lint_report(lint, NULL, RULE_DUPLICATE_STAGE_NAME, from->at,
                                    "Duplicate stage name \"%s\", stage names should be unique",
                                    name);
                strv_add(&seen, name);
        }
}

/* What stands before the first FROM belongs to no stage and is not counted. */
static void check_casing(const Lint *lint) {
        size_t lower = 0, upper = 0, first = 0;
        const Dockerfile *file = lint->file;

        while (first < file->count && file->instructions[first].kind != INSTRUCTION_FROM)
                first++;
        for (size_t i = first; i < file->count; i++) {
                lower += is_lower(file->instructions[i].keyword);
                upper += is_upper(file->instructions[i].keyword);
        }
        for (size_t i = first; i < file->count; i++) {
                const Instruction *at = &file->instructions[i];
                bool fits = lower > upper ? is_lower(at->keyword) : is_upper(at->keyword);

                if (!fits)
                        lint_report(lint, NULL, RULE_CONSISTENT_INSTRUCTION_CASING, at->at,
                                    "Command '%s' should match the case of the command majority "
                                    "(%s)",
                                    at->keyword, lower > upper ? "lowercase" : "uppercase");
        }
}

void lint_words(const Lint *lint) {
        for (size_t i = 0; i < lint->file->count; i++) {
                const Instruction *at = &lint->file->instructions[i];
                unsigned line = at->empty_continuation;

                if (line)
                        lint_report(lint, NULL, RULE_NO_EMPTY_CONTINUATION,
                                    (SourceRange){ line, 0, line }, "Empty continuation line");
        }
        for (size_t i = 0; i < lint->file->count; i++) {
                const Instruction *at = &lint->file->instructions[i];

                if (at->kind == INSTRUCTION_FROM)
                        check_from(lint, at);
                if (at->kind == INSTRUCTION_FROM || at->kind == INSTRUCTION_ARG)
                        check_description(lint, at);
                if (at->kind == INSTRUCTION_MAINTAINER)
                        lint_report(lint, at, RULE_MAINTAINER_DEPRECATED, at->at,
                                    "Maintainer instruction is deprecated in favor of using "
                                    "label");
        }
        check_stage_names(lint);
        check_casing(lint);
}

/* ---- the whole ---- */

/* In the order of lines; of one line, in the order in which they were found. */
static void sort_findings(Findings *findings) {
        for (size_t i = 1; i < findings->count; i++) {
                Finding moved = findings->list[i];
                size_t k = i;

                for (; k > 0 && findings->list[k - 1].at.line > moved.at.line; k--)
                        findings->list[k] = findings->list[k - 1];
                findings->list[k] = moved;
        }
}

/* The build argument stands in place of the file's directive. switches: the caller's. */
static Lint lint_of(const Dockerfile *file, const LintOptions *options, Switches *switches,
                    Findings *findings) {
        const char *given = env_get(options->build_args, "BUILDKIT_DOCKERFILE_CHECK");
        Lint lint = { file, options, file->directives.skip, file->directives.experimental,
                      findings };

        if (given) {
                read_switches(given, switches);
                lint.skip = switches->skip;
                lint.experimental = switches->experimental;
        }
        return lint;
}

int dockerfile_lint(const Dockerfile *file, const LintOptions *options, Findings *ret, Error *err) {
        _cleanup_(switches_done) Switches switches = {};
        Lint lint = lint_of(file, options, &switches, ret);
        int r;

        lint_words(&lint);
        r = lint_stages(&lint, err);
        sort_findings(ret);
        return r;
}

void dockerfile_lint_base(const Dockerfile *file, const LintOptions *options, SourceRange at,
                          const char *image, const char *actual, const char *expected,
                          Findings *ret) {
        _cleanup_(switches_done) Switches switches = {};
        Lint lint = lint_of(file, options, &switches, ret);
        const Instruction *from = NULL;

        for (size_t i = 0; i < file->count; i++)
                if (file->instructions[i].kind == INSTRUCTION_FROM &&
                    file->instructions[i].at.line == at.line)
                        from = &file->instructions[i];
        lint_report(&lint, from, RULE_INVALID_BASE_IMAGE_PLATFORM, at,
                    "Base image %s was pulled with platform \"%s\", expected \"%s\" for current "
                    "build",
                    image, actual, expected);
}

bool dockerfile_lint_fails(const Dockerfile *file, const LintOptions *options) {
        const char *given = env_get(options->build_args, "BUILDKIT_DOCKERFILE_CHECK");
        _cleanup_(switches_done) Switches switches = {};

        if (!given)
                return file->directives.error;
        read_switches(given, &switches);
        return switches.error;
}

void findings_done(Findings *findings) {
        for (size_t i = 0; i < findings->count; i++)
                free(findings->list[i].detail);
        free(findings->list);
        free(findings->error);
        *findings = (Findings){};
}
