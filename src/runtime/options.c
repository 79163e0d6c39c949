/* options.c: command lines by tables, in the manner of runc's: --name value, --name=value, -n
 * value; the first other word ends them. */
#include <errno.h>

#include "runtime/cli.h"

void options_done(Options *options) {
        (void)strv_free(options->env);
        (void)strv_free(options->additional_gids);
        (void)strv_free(options->caps);
        (void)strv_free(options->cgroups);
        (void)strv_free(options->empty_namespaces);
        free(options->words);
}

/* The name's option; *ret_value is what follows '='. */
static const CommandOption *find(const CommandOption *table, const char *word,
                                 const char **ret_value) {
        const char *name = word + (word[1] == '-' ? 2 : 1);
        size_t length = strcspn(name, "=");

        *ret_value = name[length] == '=' ? name + length + 1 : NULL;
        for (const CommandOption *option = table; option && option->name; option++) {
                if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
                        return option;
                if (length == 1 && option->letter == name[0])
                        return option;
        }
        return NULL;
}

static int store(const CommandOption *option, const char *value, Options *options, Error *err) {
        void *slot = (char *)options + option->offset;

        switch (option->type) {
        case OPTION_FLAG:
                if (value && !str_equal(value, "true") && !str_equal(value, "false"))
                        return error_kind(err, ERROR_INVALID,
                                          "--%s: '%s' is neither true nor false", option->name,
                                          value);
                *(bool *)slot = !str_equal(value, "false");
                return 0;
        case OPTION_TEXT:
                *(const char **)slot = value;
                return 0;
        case OPTION_LIST:
                strv_add((char ***)slot, value);
                return 0;
        case OPTION_NUMBER:
                if (str_to_int64(value, (int64_t *)slot) < 0)
                        return error_kind(err, ERROR_INVALID, "--%s: '%s' is not a number",
                                          option->name, value);
                return 0;
        }
        return 0;
}

int options_parse(const CommandOption *table, char **words, Options *options, char ***ret_rest,
                  Error *err) {
        for (; *words && (*words)[0] == '-' && (*words)[1]; words++) {
                const CommandOption *option;
                const char *value;
                int r;

                if (str_equal(*words, "--")) {
                        words++;
                        break;
                }
                option = find(table, *words, &value);
                if (!option && (str_equal(*words, "--help") || str_equal(*words, "-h"))) {
                        options->help = true;
                        continue;
                }
                if (!option)
                        return error_kind(err, ERROR_INVALID, "flag provided but not defined: %s",
                                          *words);
                if (option->type != OPTION_FLAG && !value && !words[1])
                        return error_kind(err, ERROR_INVALID, "flag needs an argument: %s", *words);
                if (option->type != OPTION_FLAG && !value)
                        value = *++words;
                r = store(option, value, options, err);
                if (r < 0)
                        return r;
        }
        *ret_rest = words;
        return 0;
}

void options_print(const CommandOption *table) {
        for (const CommandOption *option = table; option && option->name; option++) {
                const char *value = option->type == OPTION_FLAG ? "" : " value";
                _cleanup_free_ char *text = option->letter
                                                    ? str_format("--%s%s, -%c%s", option->name,
                                                                 value, option->letter, value)
                                                    : str_format("--%s%s", option->name, value);

                (void)printf("   %-36s %s\n", text, option->help);
        }
}
