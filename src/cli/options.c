/* options.c: see options.h. The values' own grammars are in values.c. */
#include "cli/options.h"

#include <errno.h>

#include "cli/values.h"

static const struct {
        const char *kind;
        int (*parse)(void *member, const char *text, Error *err);
} types[] = {
        [OPTION_BOOL] = { "", value_bool },
        [OPTION_STRING] = { "string", value_string },
        [OPTION_LIST] = { "list", value_list },
        [OPTION_STRINGS] = { "strings", value_strings },
        [OPTION_FILTER] = { "filter", value_filter },
        [OPTION_ENV] = { "list", value_env },
        [OPTION_LABEL] = { "list", value_label },
        [OPTION_INT] = { "int", value_int },
        [OPTION_UINT16] = { "uint16", value_uint16 },
        [OPTION_BYTES] = { "bytes", value_bytes },
        [OPTION_SWAP] = { "bytes", value_swap },
        [OPTION_CPUS] = { "decimal", value_cpus },
        [OPTION_DURATION] = { "duration", value_duration },
        [OPTION_MAP] = { "map", value_map },
        [OPTION_PARSED] = { "value", NULL },
};

const char *option_kind(const Option *option) {
        return option->kind ?: types[option->type].kind;
}

const Option *option_find(const OptionTable *table, const char *name, size_t length) {
        for (size_t i = 0; i < table->count; i++)
                if (strlen(table->rows[i].name) == length &&
                    strncmp(table->rows[i].name, name, length) == 0)
                        return &table->rows[i];
        return NULL;
}

const Option *option_by_letter(const OptionTable *table, char letter) {
        for (size_t i = 0; i < table->count; i++)
                if (table->rows[i].letter == letter)
                        return &table->rows[i];
        return NULL;
}

static int compare_names(const void *a, const void *b) {
        return strcmp((*(const Option *const *)a)->name, (*(const Option *const *)b)->name);
}

const Option **options_shown(const OptionTable *table, size_t *count) {
        const Option **shown = NEW_ARRAY(const Option *, table->count + 1);

        *count = 0;
        for (size_t i = 0; i < table->count; i++)
                if (!(table->rows[i].flags & OPTION_HIDDEN))
                        shown[(*count)++] = &table->rows[i];
        if (*count > 1)
                qsort(shown, *count, sizeof(const Option *), compare_names);
        return shown;
}

static char *spelled(const Option *option) {
        return option->letter ? str_format("-%c, --%s", option->letter, option->name)
                              : str_format("--%s", option->name);
}

static int set_option(Options *options, const Option *option, const char *text, Error *err) {
        int (*parse)(void *, const char *, Error *) = option->parse ?: types[option->type].parse;
        _cleanup_free_ char *name = spelled(option);
        Error why = {};

        if (option->flags & OPTION_REFUSED)
                return error_kind(err, ERROR_UNSUPPORTED, "'--%s' is not done yet: %s",
                                  option->name,
                                  option->remedy ?: "leave it out, or use an engine that has it");
        if (parse((char *)options->values + option->offset, text, &why) < 0)
                return error_kind(err, ERROR_INVALID, "invalid argument \"%s\" for \"%s\" flag: %s",
                                  text, name, why.message);
        options->given[option - options->table->rows] = true;
        return 0;
}

/* The nearest option's name, or NULL if none is near. */
static const char *nearest(const OptionTable *table, const char *name) {
        unsigned distance = MIN(str_distance("help", name), 3u); /* a flag that every table has */
        const char *best = distance < 3 ? "help" : NULL;

        for (size_t i = 0; i < table->count; i++) {
                unsigned d = str_distance(table->rows[i].name, name);

                if (d < distance && !(table->rows[i].flags & (OPTION_HIDDEN | OPTION_REFUSED))) {
                        best = table->rows[i].name;
                        distance = d;
                }
        }
        return best;
}

static int unknown_flag(const OptionTable *table, const char *name, size_t length, Error *err) {
        _cleanup_free_ char *word = str_copy_n(name, length);
        const char *near = nearest(table, word);

        if (near)
                return error_kind(err, ERROR_INVALID, "unknown flag: --%s\nDid you mean '--%s'?",
                                  word, near);
        return error_kind(err, ERROR_INVALID, "unknown flag: --%s", word);
}

/* word is what follows "--". */
static int parse_long(Options *options, const char *word, char ***rest, Error *err) {
        size_t length = strcspn(word, "=");
        const char *value = word[length] ? word + length + 1 : NULL;
        const Option *option = option_find(options->table, word, length);

        if (length == 0 || *word == '-')
                return error_kind(err, ERROR_INVALID, "bad flag syntax: --%s", word);
        if (!option && length == 4 && strncmp(word, "help", 4) == 0) {
                options->help = true;
                return 0;
        }
        if (!option)
                return unknown_flag(options->table, word, length, err);
        if (value)
                return set_option(options, option, value, err);
        if (option->type == OPTION_BOOL)
                return set_option(options, option, "true", err);
        if (!**rest)
                return error_kind(err, ERROR_INVALID, "flag needs an argument: --%s", option->name);
        return set_option(options, option, *(*rest)++, err);
}

/* cluster is what follows "-": letters of bools, the last of which may take a value. */
static int parse_letters(Options *options, const char *cluster, char ***rest, Error *err) {
        for (const char *next = cluster; *next; next++) {
                const Option *option = option_by_letter(options->table, *next);
                const char *value;
                int r;

                if (!option && *next == 'h') {
                        options->help = true;
                        return 0;
                }
                if (!option)
                        return error_kind(err, ERROR_INVALID, "unknown shorthand flag: '%c' in -%s",
                                          *next, next);
                if (next[1] == '=' && next[2])
                        value = next + 2;
                else if (option->type == OPTION_BOOL)
                        value = NULL;
                else if (next[1])
                        value = next + 1;
                else if (**rest)
                        value = *(*rest)++;
                else
                        return error_kind(err, ERROR_INVALID, "flag needs an argument: '%c' in -%s",
                                          *next, next);
                r = set_option(options, option, value ?: "true", err);
                if (r < 0 || value)
                        return r;
        }
        return 0;
}

int options_parse(const OptionTable *table, char **words, bool interspersed, Options *ret,
                  Error *err) {
        ret->table = table;
        ret->arguments = NEW_ARRAY(char *, strv_length(words) + 1);
        while (*words) {
                char *word = *words++;
                int r = 0;

                if (str_equal(word, "--")) {
                        while (*words)
                                ret->arguments[ret->count++] = *words++;
                } else if (word[0] == '-' && word[1] == '-') {
                        r = parse_long(ret, word + 2, &words, err);
                } else if (word[0] == '-' && word[1]) {
                        r = parse_letters(ret, word + 1, &words, err);
                } else {
                        ret->arguments[ret->count++] = word;
                        while (!interspersed && *words)
                                ret->arguments[ret->count++] = *words++;
                }
                if (r < 0)
                        return r;
                if (ret->help)
                        return 0;
        }
        return 0;
}

bool options_given(const Options *options, const char *name) {
        const Option *option = option_find(options->table, name, strlen(name));

        return option && options->given[option - options->table->rows];
}

void options_done(Options *options) {
        for (size_t i = 0; options->values && options->table && i < options->table->count; i++) {
                const Option *option = &options->table->rows[i];
                void *member = (char *)options->values + option->offset;

                if (option->flags & OPTION_REFUSED)
                        continue;
                if (option->type == OPTION_STRING) {
                        free(*(char **)member);
                        *(char **)member = NULL;
                } else if (option->type == OPTION_MAP) {
                        pairs_done(member);
                } else if (option->type == OPTION_LIST || option->type == OPTION_STRINGS ||
                           option->type == OPTION_FILTER || option->type == OPTION_ENV ||
                           option->type == OPTION_LABEL) {
                        *(char ***)member = strv_free(*(char ***)member);
                }
        }
        if (options->values && options->table && options->table->done)
                options->table->done(options->values);
        free(options->arguments);
        options->arguments = NULL;
}
