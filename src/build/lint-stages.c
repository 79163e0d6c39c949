/* lint-stages.c: the checks that follow a build's stages in order, with the variables that each
 * instruction sees: what a build would expand is expanded, nothing is run. */
#include <errno.h>

#include "build/lint-private.h"
#include "build/stages.h"
#include "build/words.h"
#include "format/reference.h"

typedef struct Stage {
        const Instruction *from;
        size_t first, end; /* instructions: first … end - 1 */
        char *name;        /* in lower case; NULL: none */
        char *base_name;   /* expanded */
        struct Stage *base;
        char **env;
        bool env_known; /* else a base image may have set more */
        char **args;    /* names that ARG declared */
        bool workdir_set, shell_set;
        const Instruction *cmd, *entrypoint, *healthcheck;
        SourceRange cmd_at, entrypoint_at, healthcheck_at;
        bool reached, done;
} Stage;

typedef struct Walk {
        const Lint *lint;
        Stage *stages;
        size_t count;
        char **global;      /* the environment of FROM */
        char **global_args; /* names that ARG declared before the first FROM */
} Walk;

static void walk_done(Walk *walk) {
        for (size_t i = 0; i < walk->count; i++) {
                free(walk->stages[i].name);
                free(walk->stages[i].base_name);
                strv_free(walk->stages[i].env);
                strv_free(walk->stages[i].args);
        }
        free(walk->stages);
        strv_free(walk->global);
        strv_free(walk->global_args);
}

static int expand(const Walk *walk, const char *word, char *const *env, char ***unmatched,
                  char **ret, Error *err) {
        WordRules rules = { .escape = walk->lint->file->directives.escape,
                            .env = env,
                            .unmatched = unmatched };

        return word_expand(word, &rules, ret, err);
}

/* ---- before the first stage ---- */

static void default_env(Walk *walk, const char *target) {
        const LintOptions *options = walk->lint->options;
        _cleanup_free_ char *machine = platform_machine();

        platform_args_put(&walk->global, machine, options->platform ?: machine, target,
                          options->build_args);
}

/* FROM by the defaults alone must name an image that could be. */
static void check_defaults(const Walk *walk) {
        _cleanup_strv_ char **env = strv_copy(walk->global);

        if (global_args_put(walk->lint->file, NULL, &env, NULL) < 0)
                return;
        for (size_t i = 0; i < walk->count; i++) {
                const Instruction *from = walk->stages[i].from;
                _cleanup_free_ char *base = NULL;
                Reference reference = {};

                if (expand(walk, from->words[0], env, NULL, &base, NULL) < 0)
                        return;
                if (reference_parse(base, &reference, NULL) < 0)
                        lint_report(walk->lint, NULL, RULE_INVALID_DEFAULT_ARG, from->at,
                                    "Default value for ARG %s results in empty or invalid base "
                                    "image name",
                                    from->words[0]);
                reference_done(&reference);
        }
}

/* ---- FROM ---- */

static void report_from_args(const Walk *walk, const Instruction *from, char *const *unmatched) {
        for (; unmatched && *unmatched; unmatched++) {
                _cleanup_strv_ char **known = strv_copy(walk->global_args);
                _cleanup_free_ char *hint = NULL;

                if (strv_has(known, *unmatched))
                        continue;
                for (char **one = walk->global; one && *one; one++)
                        strv_add(&known, *one);
                hint = name_hint(*unmatched, known);
                lint_report(walk->lint, from, RULE_UNDEFINED_ARG_IN_FROM, from->at,
                            "FROM argument '%s' is not declared%s", *unmatched, hint);
        }
}

/* A constant is fine where the stage's name says that it is for that platform. */
static void check_constant(const Walk *walk, const Stage *stage, const char *platform) {
        _cleanup_strv_ char **parts = str_split(platform, '/');
        const char *name = stage->name ?: "";

        for (char **part = parts; part && *part && part < parts + 2; part++)
                if (strstr(name, *part))
                        return;
        lint_report(walk->lint, stage->from, RULE_FROM_PLATFORM_CONST, stage->from->at,
                    "FROM --platform flag should not use constant value \"%s\"", platform);
}

static int check_platform(const Walk *walk, const Stage *stage, const char *written, Error *err) {
        const Instruction *from = stage->from;
        _cleanup_strv_ char **names = word_names(written, walk->lint->file->directives.escape);
        _cleanup_strv_ char **unmatched = NULL;
        _cleanup_free_ char *platform = NULL;
        int r = expand(walk, written, walk->global, &unmatched, &platform, err);

        report_from_args(walk, from, unmatched);
        if (r < 0)
                return dockerfile_error(walk->lint->file, from->at, NULL, "%s", written);
        if (strv_length(names) == 1 && !strcmp(names[0], "TARGETPLATFORM") && !unmatched &&
            str_equal(platform, env_get(walk->global, "TARGETPLATFORM")))
                lint_report(walk->lint, from, RULE_REDUNDANT_TARGET_PLATFORM, from->at,
                            "Setting platform to predefined %s in FROM is redundant as this is "
                            "the default behavior",
                            written);
        if (!names)
                check_constant(walk, stage, platform);
        if (*platform == '\0') {
                _cleanup_free_ char *hint = name_hint(unmatched ? *unmatched : "", walk->global);

                return dockerfile_error(walk->lint->file, from->at, err,
                                        "empty platform value from expression %s%s", written, hint);
        }
        return 0;
}

static Stage *find_stage(const Walk *walk, const char *name, size_t before) {
        _cleanup_free_ char *lower = str_lower(str_copy(name));
        int number;

        for (size_t i = before; i-- > 0;)
                if (walk->stages[i].name && !strcmp(walk->stages[i].name, lower))
                        return &walk->stages[i];
        if (str_to_int_in(name, 0, (int)before - 1, &number) == 0)
                return &walk->stages[number];
        return NULL;
}

static int read_from(Walk *walk, Stage *stage, size_t index, Error *err) {
        const Instruction *from = stage->from;
        const char *platform = instruction_flag(from, "platform");
        _cleanup_strv_ char **unmatched = NULL;
        int r = expand(walk, from->words[0], walk->global, &unmatched, &stage->base_name, err);

        report_from_args(walk, from, unmatched);
        if (r < 0)
                return r;
        if (*stage->base_name == '\0')
                return dockerfile_error(walk->lint->file, from->at, err,
                                        "base name (%s) should not be blank", from->words[0]);
        for (size_t i = index; i-- > 0 && !stage->base;)
                if (str_equal(walk->stages[i].name, stage->base_name))
                        stage->base = &walk->stages[i];
        return platform ? check_platform(walk, stage, platform, err) : 0;
}

/* ---- the instructions of a stage ---- */

typedef struct Place {
        const Walk *walk;
        Stage *stage;
        const Instruction *instruction;
        SourceRange at; /* FROM's, for what a base stage keeps with ONBUILD */
} Place;

static void report_variables(const Place *place, char *const *unmatched) {
        const Stage *stage = place->stage;

        for (; unmatched && *unmatched && stage->env_known; unmatched++) {
                _cleanup_free_ char *hint = NULL;

                if (strv_has(stage->args, *unmatched) ||
                    !strncmp(*unmatched, "BUILDKIT_SBOM_SCAN_", strlen("BUILDKIT_SBOM_SCAN_")))
                        continue;
                hint = name_nearest(*unmatched, stage->env);
                lint_report(place->walk->lint, place->instruction, RULE_UNDEFINED_VAR, place->at,
                            "Usage of undefined variable '$%s'%s%s%s", *unmatched,
                            hint ? " (did you mean $" : "", hint ?: "", hint ? "?)" : "");
        }
}

static int expand_word(const Place *place, const char *word, char **ret, Error *err) {
        _cleanup_strv_ char **unmatched = NULL;
        Error why = {};
        int r = expand(place->walk, word, place->stage->env, &unmatched, ret, &why);

        report_variables(place, unmatched);
        if (r < 0)
                return dockerfile_error(place->walk->lint->file, place->at, err, "%s", why.message);
        return 0;
}

static int expand_only(const Place *place, const char *word, Error *err) {
        _cleanup_free_ char *unused = NULL;

        return word ? expand_word(place, word, &unused, err) : 0;
}

/* Words of a name that are parted by '_': one of the first list, none of the second. */
static bool is_secret(const char *name) {
        static const char *const secret[] = { "apikey", "auth",  "credential", "credentials",
                                              "key",    "pword", "password",   "passwd",
                                              "secret", "token", NULL };
        static const char *const harmless[] = { "public", "file", "version", NULL };
        _cleanup_free_ char *lower = str_lower(str_copy(name));
        _cleanup_strv_ char **words = str_split(lower, '_');
        bool found = false;

        for (char **word = words; word && *word; word++) {
                if (strv_has((char *const *)harmless, *word))
                        return false;
                found = found || strv_has((char *const *)secret, *word);
        }
        return found;
}

static void check_secret(const Place *place, const char *kind, const char *name) {
        if (is_secret(name))
                lint_report(place->walk->lint, place->instruction, RULE_SECRETS, place->at,
                            "Do not use ARG or ENV instructions for sensitive data (%s \"%s\")",
                            kind, name);
}

static int on_pairs(const Place *place, Error *err) {
        const Instruction *at = place->instruction;
        _cleanup_strv_ char **made = NULL;

        for (size_t i = 0; i < at->word_count; i++) {
                char *word = NULL;
                int r = expand_word(place, at->words[i], &word, err);

                if (r < 0)
                        return r;
                strv_take_at(&made, i, word);
        }
        for (size_t i = 0; i + 1 < at->word_count; i += 2) {
                if (at->old_pairs)
                        lint_report(place->walk->lint, at, RULE_LEGACY_KEY_VALUE, place->at,
                                    "\"%s key=value\" should be used instead of legacy \"%s key "
                                    "value\" format",
                                    at->keyword, at->keyword);
                if (at->kind != INSTRUCTION_ENV)
                        continue;
                check_secret(place, "ENV", made[i]);
                env_put(&place->stage->env, made[i], made[i + 1]);
        }
        return 0;
}

static int on_arg(const Place *place, Error *err) {
        const Instruction *at = place->instruction;

        for (size_t i = 0; i + 1 < at->word_count; i += 2) {
                const char *name = at->words[i];
                const char *value = env_get(place->walk->lint->options->build_args, name);
                _cleanup_free_ char *made = NULL;

                check_secret(place, "ARG", name);
                if (!value && at->has_value[i / 2]) {
                        int r = expand_word(place, at->words[i + 1], &made, err);

                        if (r < 0)
                                return r;
                        value = made;
                } else if (!value) {
                        value = env_get(place->walk->global, name);
                }
                if (value)
                        env_put(&place->stage->env, name, value);
                strv_add(&place->stage->args, name);
        }
        return 0;
}

static bool is_remote(const char *source) {
        return strstr(source, "://") || str_after(source, "git@");
}

static void check_ignored(const Place *place, const char *source) {
        const IgnorePatterns *ignored = place->walk->lint->options->ignored;
        _cleanup_free_ char *clean = ignore_clean_path(source);
        bool add = place->instruction->kind == INSTRUCTION_ADD;

        if (!ignored || ignore_has_exceptions(ignored) || (add && is_remote(source)) ||
            instruction_flag(place->instruction, "from"))
                return;
        if ((!strcmp(clean, ".") || !strcmp(clean, "/")) && !ignore_covers_all(ignored))
                return;
        if (ignore_matches(ignored, clean, NULL))
                lint_report(place->walk->lint, place->instruction, RULE_COPY_IGNORED_FILE,
                            place->at,
                            "Attempting to %s file \"%s\" that is excluded by .dockerignore",
                            add ? "Add" : "Copy", clean);
}

static int on_copy(const Place *place, Error *err) {
        static const char *const flags[] = { "chown", "chmod", "checksum" };
        const Instruction *at = place->instruction;
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(flags) && r == 0; i++)
                r = expand_only(place, instruction_flag(at, flags[i]), err);
        for (size_t i = 0; i < at->word_count && r == 0; i++) {
                _cleanup_free_ char *word = NULL;

                if (i + 1 < at->word_count && heredoc_word(at->words[i], NULL))
                        continue;
                r = expand_word(place, at->words[i], &word, err);
                if (r == 0 && i + 1 < at->word_count)
                        check_ignored(place, word);
        }
        for (size_t i = 0; i < at->heredoc_count && r == 0; i++) {
                _cleanup_strv_ char **unmatched = NULL;
                _cleanup_free_ char *unused = NULL;
                WordRules rules = { .escape = '\\',
                                    .env = place->stage->env,
                                    .plain_quotes = true,
                                    .unmatched = &unmatched };

                if (!at->heredocs[i].expand)
                        continue;
                r = word_expand(at->heredocs[i].content, &rules, &unused, err);
                report_variables(place, unmatched);
        }
        return r;
}

static int on_words(const Place *place, Error *err) {
        int r = 0;

        for (size_t i = 0; i < place->instruction->word_count && r == 0; i++)
                r = expand_only(place, place->instruction->words[i], err);
        return r;
}

static int on_workdir(const Place *place, Error *err) {
        _cleanup_free_ char *path = NULL;
        int r = expand_word(place, place->instruction->words[0], &path, err);

        if (r < 0)
                return r;
        if (!place->stage->workdir_set && *path != '/')
                lint_report(place->walk->lint, place->instruction, RULE_WORKDIR_RELATIVE_PATH,
                            place->at,
                            "Relative workdir \"%s\" can have unexpected results if the base "
                            "image changes",
                            path);
        place->stage->workdir_set = true;
        return 0;
}

static int on_run(const Place *place, Error *err) {
        const Instruction *at = place->instruction;
        int r = 0;

        for (size_t i = 0; i < at->flag_count && r == 0; i++)
                if (!strcmp(at->flags[i].name, "mount"))
                        r = expand_only(place, at->flags[i].value, err);
        return r;
}

/* Of several only the last counts; the ones before it are reported. */
static void use_once(const Place *place, const Instruction **before, SourceRange *before_at) {
        if (*before)
                lint_report(place->walk->lint, place->instruction, RULE_MULTIPLE_INSTRUCTIONS,
                            *before_at,
                            "Multiple %s instructions should not be used in the same stage "
                            "because only the last one will be used",
                            place->instruction->keyword);
        *before = place->instruction;
        *before_at = place->at;
}

static void check_form(const Place *place) {
        if (!place->instruction->is_json && !place->stage->shell_set)
                lint_report(place->walk->lint, place->instruction, RULE_JSON_ARGS_RECOMMENDED,
                            place->at,
                            "JSON arguments recommended for %s to prevent unintended behavior "
                            "related to OS signals",
                            place->instruction->keyword);
}

static int on_cmd(const Place *place, Error *err) {
        use_once(place, &place->stage->cmd, &place->stage->cmd_at);
        check_form(place);
        return 0;
}

static int on_entrypoint(const Place *place, Error *err) {
        use_once(place, &place->stage->entrypoint, &place->stage->entrypoint_at);
        check_form(place);
        return 0;
}

static int on_healthcheck(const Place *place, Error *err) {
        use_once(place, &place->stage->healthcheck, &place->stage->healthcheck_at);
        return 0;
}

static int on_shell(const Place *place, Error *err) {
        place->stage->shell_set = true;
        return 0;
}

static int on_expose(const Place *place, Error *err) {
        WordRules rules = { .escape = place->walk->lint->file->directives.escape,
                            .env = place->stage->env };

        for (size_t i = 0; i < place->instruction->word_count; i++) {
                _cleanup_strv_ char **words = NULL;
                int r = words_expand(place->instruction->words[i], &rules, &words, err);

                for (char **word = words; word && *word && r == 0; word++) {
                        ExposedPorts ports;

                        r = exposed_ports_read(*word, &ports, err);
                        if (r < 0)
                                return r;
                        if (ports.cased)
                                lint_report(place->walk->lint, place->instruction,
                                            RULE_EXPOSE_PROTO_CASING, place->at,
                                            "Defined protocol '%s' in EXPOSE instruction should "
                                            "be lowercase",
                                            *word);
                        if (ports.mapped)
                                lint_report(place->walk->lint, place->instruction,
                                            RULE_EXPOSE_INVALID_FORMAT, place->at,
                                            "EXPOSE instruction should not define an IP address "
                                            "or host-port mapping, found '%s'",
                                            *word);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

static int (*const on_instruction[INSTRUCTION_KINDS])(const Place *place, Error *err) = {
        [INSTRUCTION_ADD] = on_copy,
        [INSTRUCTION_ARG] = on_arg,
        [INSTRUCTION_CMD] = on_cmd,
        [INSTRUCTION_COPY] = on_copy,
        [INSTRUCTION_ENTRYPOINT] = on_entrypoint,
        [INSTRUCTION_ENV] = on_pairs,
        [INSTRUCTION_EXPOSE] = on_expose,
        [INSTRUCTION_HEALTHCHECK] = on_healthcheck,
        [INSTRUCTION_LABEL] = on_pairs,
        [INSTRUCTION_RUN] = on_run,
        [INSTRUCTION_SHELL] = on_shell,
        [INSTRUCTION_STOPSIGNAL] = on_words,
        [INSTRUCTION_USER] = on_words,
        [INSTRUCTION_VOLUME] = on_words,
        [INSTRUCTION_WORKDIR] = on_workdir,
};

/* ---- stages ---- */

static void begin_stage(const Walk *walk, Stage *stage) {
        const LintOptions *options = walk->lint->options;

        if (stage->base) {
                stage->env = strv_copy(stage->base->env);
                stage->env_known = stage->base->env_known;
                stage->args = strv_copy(stage->base->args);
                stage->workdir_set = stage->base->workdir_set;
                stage->shell_set = stage->base->shell_set;
                return;
        }
        if (!strcmp(stage->base_name, "scratch"))
                strv_add(&stage->env, "PATH=" DEFAULT_PATH);
        else if (options->base_env)
                stage->env = options->base_env(options->base_env_context, stage->base_name);
        stage->env_known = stage->env != NULL;
}

static int run_stage(const Walk *walk, Stage *stage, Error *err) {
        const Instruction *all = walk->lint->file->instructions;
        int r = 0;

        begin_stage(walk, stage);
        for (size_t i = stage->base ? stage->base->first : 0;
             stage->base && i < stage->base->end && r == 0; i++)
                if (all[i].onbuild && on_instruction[all[i].onbuild->kind])
                        r = on_instruction[all[i].onbuild->kind](
                                &(Place){ walk, stage, all[i].onbuild, stage->from->at }, err);
        for (size_t i = stage->first; i < stage->end && r == 0; i++)
                if (on_instruction[all[i].kind])
                        r = on_instruction[all[i].kind](&(Place){ walk, stage, &all[i], all[i].at },
                                                        err);
        return r;
}

/* Marks what stage needs: its base and the stages that it copies or mounts from. */
static void reach(const Walk *walk, Stage *stage) {
        const Instruction *all = walk->lint->file->instructions;

        if (!stage || stage->reached)
                return;
        stage->reached = true;
        reach(walk, stage->base);
        for (size_t i = stage->first; i < stage->end; i++)
                for (size_t k = 0; k < all[i].flag_count; k++) {
                        const char *value = all[i].flags[k].value ?: "";
                        bool mount = !strcmp(all[i].flags[k].name, "mount");
                        const char *from = mount ? strstr(value, "from=") : value;
                        _cleanup_free_ char *name = NULL;

                        if (!from || (!mount && strcmp(all[i].flags[k].name, "from") != 0))
                                continue;
                        from += mount ? strlen("from=") : 0;
                        name = str_copy_n(from, strcspn(from, ","));
                        reach(walk, find_stage(walk, name, (size_t)(stage - walk->stages)));
                }
}

static void collect_stages(Walk *walk) {
        const Dockerfile *file = walk->lint->file;

        for (size_t i = 0; i < file->count; i++) {
                const Instruction *at = &file->instructions[i];

                if (at->kind == INSTRUCTION_FROM) {
                        GROW(walk->stages, walk->count);
                        walk->stages[walk->count++] = (Stage){
                                .from = at,
                                .first = i + 1,
                                .name = at->word_count >= 3 ? str_lower(str_copy(at->words[2]))
                                                            : NULL,
                        };
                } else if (walk->count == 0 && at->kind == INSTRUCTION_ARG) {
                        for (size_t k = 0; k < at->word_count; k += 2)
                                strv_add(&walk->global_args, at->words[k]);
                }
                if (walk->count)
                        walk->stages[walk->count - 1].end = i + 1;
        }
}

static int choose_target(const Walk *walk, Error *err) {
        const char *target = walk->lint->options->target;
        Stage *stage = target ? find_stage(walk, target, walk->count) : NULL;

        if (target && !stage) {
                _cleanup_strv_ char **names = NULL;

                for (size_t i = 0; i < walk->count; i++)
                        if (walk->stages[i].name)
                                strv_add(&names, walk->stages[i].name);
                return target_error(target, names, err);
        }
        for (size_t i = 0; i < walk->count; i++)
                if (stage)
                        reach(walk, stage);
                else
                        walk->stages[i].reached = true;
        return 0;
}

int lint_stages(const Lint *lint, Error *err) {
        _cleanup_(walk_done) Walk walk = { .lint = lint };
        int r;

        collect_stages(&walk);
        default_env(&walk, lint->options->target
                                   ?: (walk.count ? walk.stages[walk.count - 1].name : NULL));
        check_defaults(&walk);
        r = global_args_put(lint->file, lint->options->build_args, &walk.global, err);
        for (size_t i = 0; i < walk.count && r == 0; i++)
                r = read_from(&walk, &walk.stages[i], i, err);
        if (r == 0)
                r = choose_target(&walk, err);
        for (size_t i = 0; i < walk.count && r == 0; i++)
                if (walk.stages[i].reached)
                        r = run_stage(&walk, &walk.stages[i], err);
        return r;
}
