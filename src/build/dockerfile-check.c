/* dockerfile-check.c: what an instruction must have to mean anything, whatever stage it is in. The
 * words of errors are BuildKit's where it has them. What variables stand for is unknown here, so
 * what they may change is left to the build. */
#include <strings.h>

#include "base/clock.h"
#include "build/dockerfile-private.h"

typedef enum FlagType { FLAG_TEXT, FLAG_BOOL, FLAG_MANY } FlagType;

typedef struct FlagRule {
        InstructionKind kind;
        const char *name;
        FlagType type;
} FlagRule;

static const FlagRule flag_rules[] = {
        { INSTRUCTION_ADD, "checksum", FLAG_TEXT },
        { INSTRUCTION_ADD, "chmod", FLAG_TEXT },
        { INSTRUCTION_ADD, "chown", FLAG_TEXT },
        { INSTRUCTION_ADD, "exclude", FLAG_MANY },
        { INSTRUCTION_ADD, "keep-git-dir", FLAG_BOOL },
        { INSTRUCTION_ADD, "link", FLAG_BOOL },
        { INSTRUCTION_ADD, "unpack", FLAG_BOOL },
        { INSTRUCTION_COPY, "chmod", FLAG_TEXT },
        { INSTRUCTION_COPY, "chown", FLAG_TEXT },
        { INSTRUCTION_COPY, "exclude", FLAG_MANY },
        { INSTRUCTION_COPY, "from", FLAG_TEXT },
        { INSTRUCTION_COPY, "link", FLAG_BOOL },
        { INSTRUCTION_COPY, "parents", FLAG_BOOL },
        { INSTRUCTION_FROM, "platform", FLAG_TEXT },
        { INSTRUCTION_HEALTHCHECK, "interval", FLAG_TEXT },
        { INSTRUCTION_HEALTHCHECK, "retries", FLAG_TEXT },
        { INSTRUCTION_HEALTHCHECK, "start-interval", FLAG_TEXT },
        { INSTRUCTION_HEALTHCHECK, "start-period", FLAG_TEXT },
        { INSTRUCTION_HEALTHCHECK, "timeout", FLAG_TEXT },
        { INSTRUCTION_RUN, "device", FLAG_MANY },
        { INSTRUCTION_RUN, "mount", FLAG_MANY },
        { INSTRUCTION_RUN, "network", FLAG_TEXT },
        { INSTRUCTION_RUN, "security", FLAG_TEXT },
};

/* ---- suggestions ---- */

/* Further apart than this, a name is no slip of another one. */
#define SLIP_DISTANCE 2

typedef struct Suggestion {
        const char *word;
        unsigned distance;
} Suggestion;

static void consider(Suggestion *best, const char *given, const char *candidate) {
        unsigned distance = str_distance(given, candidate);
        if (distance > SLIP_DISTANCE || (best->word && best->distance <= distance))
                return;
        *best = (Suggestion){ candidate, distance };
}

/* " (did you mean RUN?)", in lower case where the keyword was; "" without one. The caller's. */
static char *suggestion_text(const char *word, bool lower) {
        _cleanup_free_ char *shown = word ? str_copy(word) : NULL;
        if (shown && lower)
                str_lower(shown);
        return shown ? str_format(" (did you mean %s?)", shown) : str_copy("");
}

static int unknown_instruction(const Dockerfile *file, const Instruction *instruction, Error *err) {
        _cleanup_free_ char *lower = str_lower(str_copy(instruction->keyword));
        Suggestion best = {};
        /* A distance takes the product of the lengths. */
        for (InstructionKind kind = 0; kind < INSTRUCTION_KINDS && strlen(lower) < 32; kind++) {
                _cleanup_free_ char *name = str_lower(str_copy(instruction_name(kind)));
                Suggestion before = best;
                consider(&best, lower, name);
                if (best.word != before.word)
                        best.word = instruction_name(kind);
        }
        _cleanup_free_ char *hint =
                suggestion_text(best.word, str_equal(lower, instruction->keyword));
        return dockerfile_parse_error(file, instruction->at, err, "unknown instruction: %.200s%s",
                                      instruction->keyword, hint);
}

/* ---- flags ---- */

static const FlagRule *find_rule(InstructionKind kind, const char *name) {
        for (size_t i = 0; i < ELEMENTS(flag_rules); i++)
                if (flag_rules[i].kind == kind && str_equal(flag_rules[i].name, name))
                        return &flag_rules[i];
        return NULL;
}

static int unknown_flag(const Dockerfile *file, const Instruction *instruction,
                        const InstructionFlag *flag, Error *err) {
        Suggestion best = {};
        for (size_t i = 0; i < ELEMENTS(flag_rules) && strlen(flag->name) < 32; i++)
                if (flag_rules[i].kind == instruction->kind)
                        consider(&best, flag->name, flag_rules[i].name);
        _cleanup_free_ char *hint = suggestion_text(best.word, false);
        return dockerfile_parse_error(file, flag->at, err, "unknown flag: --%.200s%s", flag->name,
                                      hint);
}

static int check_flag_value(const Dockerfile *file, const InstructionFlag *flag, FlagType type,
                            Error *err) {
        const char *value = flag->value;
        if (type == FLAG_BOOL ? value && !*value : !value)
                return dockerfile_parse_error(file, flag->at, err, "missing a value on flag: --%s",
                                              flag->name);
        if (type == FLAG_BOOL && value && strcasecmp(value, "true") != 0 &&
            strcasecmp(value, "false") != 0)
                return dockerfile_parse_error(file, flag->at, err,
                                              "expecting boolean value for flag --%s, not: %.200s",
                                              flag->name, value);
        return 0;
}

static int check_flags(const Dockerfile *file, const Instruction *instruction, Error *err) {
        bool seen[ELEMENTS(flag_rules)] = {};
        for (size_t i = 0; i < instruction->flag_count; i++) {
                const InstructionFlag *flag = &instruction->flags[i];
                const FlagRule *rule = find_rule(instruction->kind, flag->name);
                if (!rule)
                        return unknown_flag(file, instruction, flag, err);
                if (seen[rule - flag_rules] && rule->type != FLAG_MANY)
                        return dockerfile_parse_error(file, flag->at, err,
                                                      "duplicate flag specified: --%s", flag->name);
                seen[rule - flag_rules] = true;
                int r = check_flag_value(file, flag, rule->type, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const InstructionFlag *find_flag(const Instruction *instruction, const char *name) {
        for (size_t i = 0; i < instruction->flag_count; i++)
                if (str_equal(instruction->flags[i].name, name))
                        return &instruction->flags[i];
        return NULL;
}

/* ---- arguments ---- */

static int need_one(const Dockerfile *file, const Instruction *instruction, Error *err) {
        if (instruction->word_count == 1)
                return 0;
        return dockerfile_parse_error(file, instruction->at, err,
                                      "%s requires exactly one argument",
                                      instruction_name(instruction->kind));
}

static int need_some(const Dockerfile *file, const Instruction *instruction, Error *err) {
        if (instruction->word_count || instruction->onbuild)
                return 0;
        return dockerfile_parse_error(file, instruction->at, err,
                                      "%s requires at least one argument",
                                      instruction_name(instruction->kind));
}

static int check_pairs(const Dockerfile *file, const Instruction *instruction, Error *err) {
        int r = need_some(file, instruction, err);
        for (size_t i = 0; r == 0 && i < instruction->word_count; i += 2)
                if (!*instruction->words[i])
                        r = dockerfile_parse_error(file, instruction->at, err,
                                                   "%s names can not be blank",
                                                   instruction_name(instruction->kind));
        return r;
}

static int check_files(const Dockerfile *file, const Instruction *instruction, Error *err) {
        const char *name = instruction_name(instruction->kind);
        if (instruction->word_count < 2)
                return dockerfile_parse_error(file, instruction->at, err,
                                              "%s requires at least two arguments, but only one "
                                              "was provided. Destination could not be determined",
                                              name);
        if (heredoc_word(instruction->words[instruction->word_count - 1], NULL))
                return dockerfile_parse_error(file, instruction->at, err,
                                              "%s cannot accept a heredoc as a destination", name);
        return 0;
}

/* A letter, then letters, digits, '-', '_' and '.'; the case does not matter. */
static bool is_stage_name(const char *name) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_.";
        return *name && !strchr("0123456789-_.", *name) && !name[strspn(name, allowed)];
}

static int check_from(const Dockerfile *file, const Instruction *instruction, Error *err) {
        size_t count = instruction->word_count;
        bool named = count == 3 && !strcasecmp(instruction->words[1], "as");
        if (count != 1 && !named)
                return dockerfile_parse_error(file, instruction->at, err,
                                              "FROM requires either one or three arguments");
        if (named && !is_stage_name(instruction->words[2]))
                return dockerfile_parse_error(file, instruction->at, err,
                                              "invalid name for build stage: \"%.200s\", name "
                                              "can't start with a number or contain symbols",
                                              instruction->words[2]);
        return 0;
}

static bool one_of(const char *value, const char *const *choices) {
        while (*choices && !str_equal(value, *choices))
                choices++;
        return *choices != NULL;
}

static int check_run(const Dockerfile *file, const Instruction *instruction, Error *err) {
        static const char *const networks[] = { "default", "none", "host", NULL };
        static const char *const securities[] = { "sandbox", "insecure", NULL };
        const InstructionFlag *network = find_flag(instruction, "network");
        const InstructionFlag *security = find_flag(instruction, "security");
        if (network && !one_of(network->value, networks))
                return dockerfile_parse_error(file, network->at, err,
                                              "invalid network mode \"%.200s\" (default, none and "
                                              "host are known)",
                                              network->value);
        if (security && !one_of(security->value, securities))
                return dockerfile_parse_error(file, security->at, err,
                                              "security \"%.200s\" is not valid (sandbox and "
                                              "insecure are known)",
                                              security->value);
        return 0;
}

static int check_volume(const Dockerfile *file, const Instruction *instruction, Error *err) {
        int r = need_some(file, instruction, err);
        for (size_t i = 0; r == 0 && i < instruction->word_count; i++)
                if (!instruction->words[i][strspn(instruction->words[i], "\t\n\v\f\r ")])
                        r = dockerfile_parse_error(file, instruction->at, err,
                                                   "VOLUME specified can not be an empty string");
        return r;
}

static int check_shell(const Dockerfile *file, const Instruction *instruction, Error *err) {
        int r = need_some(file, instruction, err);
        if (r < 0 || instruction->is_json)
                return r;
        return dockerfile_parse_error(file, instruction->at, err,
                                      "SHELL requires the arguments to be in JSON form");
}

static int check_onbuild(const Dockerfile *file, const Instruction *instruction, Error *err) {
        int r = need_some(file, instruction, err);
        if (r < 0)
                return r;
        InstructionKind kind = instruction->onbuild->kind;
        if (kind == INSTRUCTION_FROM || kind == INSTRUCTION_MAINTAINER)
                return dockerfile_parse_error(file, instruction->at, err,
                                              "%s isn't allowed as an ONBUILD trigger",
                                              instruction_name(kind));
        return 0;
}

/* Words that variables, quotes or escapes may still change wait for the build. */
static int check_expose(const Dockerfile *file, const Instruction *instruction, Error *err) {
        int r = need_some(file, instruction, err);
        for (size_t i = 0; r == 0 && i < instruction->word_count; i++) {
                ExposedPorts ports;
                Error reason = {};
                const char *word = instruction->words[i];
                if (!strpbrk(word, "$'\"\\`") && exposed_ports_read(word, &ports, &reason) < 0)
                        r = dockerfile_parse_error(file, instruction->at, err, "%s",
                                                   reason.message);
        }
        return r;
}

/* ---- HEALTHCHECK ---- */

#define SHORTEST_INTERVAL 1000000 /* nanoseconds */

static int check_interval(const Dockerfile *file, const InstructionFlag *flag, Error *err) {
        int64_t duration;
        if (!*flag->value)
                return 0;
        if (duration_parse(flag->value, &duration) < 0)
                return dockerfile_parse_error(file, flag->at, err,
                                              "invalid duration \"%.200s\" of flag --%s: write "
                                              "30s, 1m30s or 500ms",
                                              flag->value, flag->name);
        if (duration && duration < SHORTEST_INTERVAL)
                return dockerfile_parse_error(
                        file, flag->at, err, "Interval \"%s\" cannot be less than 1ms", flag->name);
        return 0;
}

static int check_retries(const Dockerfile *file, const InstructionFlag *flag, Error *err) {
        int64_t retries;
        if (!*flag->value)
                return 0;
        if (str_to_int64(flag->value, &retries) < 0 || retries > INT32_MAX)
                return dockerfile_parse_error(file, flag->at, err,
                                              "invalid number \"%.200s\" of flag --retries",
                                              flag->value);
        if (retries < 0)
                return dockerfile_parse_error(file, flag->at, err,
                                              "--retries cannot be negative (%lld)",
                                              (long long)retries);
        return 0;
}

static int check_health_flags(const Dockerfile *file, const Instruction *instruction, Error *err) {
        int r = 0;
        for (size_t i = 0; r == 0 && i < instruction->flag_count; i++) {
                const InstructionFlag *flag = &instruction->flags[i];
                r = str_equal(flag->name, "retries") ? check_retries(file, flag, err)
                                                     : check_interval(file, flag, err);
        }
        return r;
}

static int check_health(const Dockerfile *file, const Instruction *instruction, Error *err) {
        int r = need_some(file, instruction, err);
        if (r < 0)
                return r;
        const char *type = instruction->words[0];
        if (!strcasecmp(type, "NONE"))
                return instruction->word_count == 1
                               ? 0
                               : dockerfile_parse_error(file, instruction->at, err,
                                                        "HEALTHCHECK NONE takes no arguments");
        if (strcasecmp(type, "CMD") != 0)
                return dockerfile_parse_error(file, instruction->at, err,
                                              "Unknown type \"%.200s\" in HEALTHCHECK (try CMD)",
                                              type);
        if (instruction->word_count < 2)
                return dockerfile_parse_error(file, instruction->at, err,
                                              "Missing command after HEALTHCHECK CMD");
        return check_health_flags(file, instruction, err);
}

/* ---- all ---- */

static int (*const checks[INSTRUCTION_KINDS])(const Dockerfile *, const Instruction *, Error *) = {
        [INSTRUCTION_ADD] = check_files,
        [INSTRUCTION_ARG] = check_pairs,
        [INSTRUCTION_COPY] = check_files,
        [INSTRUCTION_ENV] = check_pairs,
        [INSTRUCTION_EXPOSE] = check_expose,
        [INSTRUCTION_FROM] = check_from,
        [INSTRUCTION_HEALTHCHECK] = check_health,
        [INSTRUCTION_LABEL] = check_pairs,
        [INSTRUCTION_MAINTAINER] = need_one,
        [INSTRUCTION_ONBUILD] = check_onbuild,
        [INSTRUCTION_RUN] = check_run,
        [INSTRUCTION_SHELL] = check_shell,
        [INSTRUCTION_STOPSIGNAL] = need_one,
        [INSTRUCTION_USER] = need_one,
        [INSTRUCTION_VOLUME] = check_volume,
        [INSTRUCTION_WORKDIR] = need_one,
};

static int check_instruction(const Dockerfile *file, const Instruction *instruction, Error *err) {
        if (instruction->kind == INSTRUCTION_KINDS)
                return unknown_instruction(file, instruction, err);
        for (size_t i = 0; instruction->is_json && i < instruction->word_count; i++)
                if (strstr(instruction->words[i], JSON_NUL))
                        return dockerfile_parse_error(file, instruction->at, err,
                                                      "an argument cannot hold the character "
                                                      "\\u0000");
        int r = check_flags(file, instruction, err);
        if (r == 0 && checks[instruction->kind])
                r = checks[instruction->kind](file, instruction, err);
        return r;
}

int dockerfile_check_trigger(const Dockerfile *file, const Instruction *instruction, Error *err) {
        InstructionKind kind = instruction->kind;
        if (kind == INSTRUCTION_FROM || kind == INSTRUCTION_MAINTAINER ||
            kind == INSTRUCTION_ONBUILD)
                return dockerfile_parse_error(file, instruction->at, err,
                                              "%s isn't allowed as an ONBUILD trigger",
                                              instruction_name(kind));
        return check_instruction(file, instruction, err);
}

int dockerfile_check(const Dockerfile *file, size_t *ret_right, Error *err) {
        bool staged = false;
        for (size_t i = 0; i < file->count; i++) {
                if (ret_right)
                        *ret_right = i;
                const Instruction *instruction = &file->instructions[i];
                int r = check_instruction(file, instruction, err);
                if (r == 0 && instruction->onbuild)
                        r = check_instruction(file, instruction->onbuild, err);
                if (r < 0)
                        return r;
                staged |= instruction->kind == INSTRUCTION_FROM;
                if (!staged && instruction->kind != INSTRUCTION_ARG)
                        return dockerfile_parse_error(file, instruction->at, err,
                                                      "no build stage in current context: only "
                                                      "ARG may stand before the first FROM");
        }
        if (ret_right)
                *ret_right = file->count;
        return 0;
}
