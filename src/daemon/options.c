/* options.c: reads brigd's flags and daemon.json. The rows are options-table.c's, what dockerd has
 * beyond them options-fixed.c's; what the values say together is options-check.c's. */
#include "daemon/options.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "daemon/options-private.h"

#define CONFIG_MAX ((size_t)1024 * 1024)

/* ---- flags ---- */

typedef struct Flag {
        const Option *option; /* one of both */
        const FixedOption *fixed;
        const char *value; /* NULL: none was given with it */
} Flag;

static int unknown_flag(const char *flag, Error *err) {
        return error_kind(err, ERROR_INVALID, "unknown flag: %s\nSee 'brigd --help'.", flag);
}

static int read_name(const char *word, Flag *ret, Error *err) {
        *ret = (Flag){ 0 };
        if (word[0] != '-' || !word[1])
                return error_kind(err, ERROR_INVALID,
                                  "\"brigd\" accepts no arguments, but was given '%s'.\nSee "
                                  "'brigd --help'.",
                                  word);
        if (word[1] == '-') {
                size_t length = strcspn(word + 2, "=");

                ret->option = option_find(word + 2, length);
                ret->fixed = fixed_find(word + 2, length);
                ret->value = word[2 + length] ? word + 2 + length + 1 : NULL;
        } else {
                ret->option = option_find_letter(word[1]);
                ret->fixed = word[1] == 's' ? fixed_find("storage-driver", 14) : NULL;
                ret->value = word[2] ? word + 2 + (word[2] == '=') : NULL;
        }
        return ret->option || ret->fixed ? 0 : unknown_flag(word, err);
}

static const char *switch_text(const char *value) {
        if (!value || str_equal(value, "1"))
                return "true";
        return str_equal(value, "0") ? "false" : value;
}

static int take_fixed(const FixedOption *fixed, const char *value, DaemonOptions *values,
                      Error *err) {
        if (fixed->member && !strv_has(values->given, fixed->member))
                strv_add(&values->given, fixed->member);
        return fixed_check(fixed, fixed->is_switch ? switch_text(value) : value, err);
}

/* One flag at argv[*at]; moves *at behind it and its value. */
static int read_flag(int argc, char *const *argv, int *at, DaemonOptions *values, Error *err) {
        const char *word = argv[(*at)++];
        Flag flag;
        int r = read_name(word, &flag, err);

        if (r < 0)
                return r;
        if (!flag.value && !(flag.option ? option_is_switch(flag.option) : flag.fixed->is_switch)) {
                if (*at >= argc)
                        return error_kind(err, ERROR_INVALID, "flag needs an argument: %s", word);
                flag.value = argv[(*at)++];
        }
        return flag.option ? option_set(values, flag.option, flag.value, err)
                           : take_fixed(flag.fixed, flag.value, values, err);
}

/* ---- the file ---- */

static bool has_field(const JsonTable *table, const char *name) {
        for (size_t i = 0; i < table->count; i++)
                if (str_equal(table->fields[i].name, name))
                        return true;
        return false;
}

/* A bound that is misspelt would be none. */
static int check_image_gc(json_object *value, const char *path, Error *err) {
        if (!json_object_is_type(value, json_type_object))
                return 0; /* reading it says what is wrong */
        json_object_object_foreach(value, name, bound) {
                (void)bound;
                if (!has_field(&image_gc_table, name))
                        return error_kind(err, ERROR_INVALID,
                                          "unable to configure the daemon with file %s: the "
                                          "following directives don't match any configuration "
                                          "option: image-gc.%s",
                                          path, name);
        }
        return 0;
}

static int check_member(const DaemonOptions *flags, const char *name, json_object *value,
                        const char *path, Error *err) {
        const FixedOption *fixed = fixed_find_member(name);

        if (!fixed && !option_find_member(name))
                return error_kind(err, ERROR_INVALID,
                                  "unable to configure the daemon with file %s: the "
                                  "following directives don't match any configuration "
                                  "option: %s",
                                  path, name);
        if (strv_has(flags->given, name))
                return error_kind(err, ERROR_INVALID,
                                  "unable to configure the daemon with file %s: the "
                                  "following directives are specified both as a flag and "
                                  "in the configuration file: %s: remove one of them",
                                  path, name);
        if (fixed && fixed_check_json(fixed, value, err) < 0)
                return error_prefix(err, "unable to configure the daemon with file %s", path);
        return str_equal(name, "image-gc") ? check_image_gc(value, path, err) : 0;
}

/* Each member is known, and not set by a flag too. */
static int check_members(json_object *file, const DaemonOptions *flags, const char *path,
                         Error *err) {
        json_object_object_foreach(file, name, value) {
                int r = check_member(flags, name, value, path, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_file(DaemonOptions *values, Error *err) {
        const char *path = values->config_file ?: OPTIONS_CONFIG_FILE;
        _cleanup_json_ json_object *file = NULL;
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &length, err);

        if (r == -ENOENT && !values->config_file)
                return 0;
        if (r < 0)
                return r;
        if (!*str_trim(text))
                return 0;
        r = json_parse_any(text, strlen(text), &file, err);
        if (r >= 0 && !json_object_is_type(file, json_type_object))
                r = error_kind(err, ERROR_INVALID, "must be an object");
        if (r < 0)
                return error_prefix(err, "unable to configure the daemon with file %s", path);
        r = check_members(file, values, path, err);
        if (r < 0)
                return r;
        r = json_read(&options_file_table, file, values, err);
        return r < 0 ? error_prefix(err, "unable to configure the daemon with file %s", path) : 0;
}

/* ---- all of it ---- */

int options_read(int argc, char *const *argv, DaemonOptions *ret, Error *err) {
        int at = 1, r;

        while (at < argc) {
                r = read_flag(argc, argv, &at, ret, err);
                if (r < 0)
                        return r;
        }
        if (ret->help || ret->version)
                return 0;
        r = read_file(ret, err);
        return r < 0 ? r : options_complete(ret, err);
}

void options_done(DaemonOptions *values) {
        json_done(&options_file_table, values);
        free(values->build_cache_max);
        free(values->config_file);
        free(values->defaults.seccomp);
        strv_free(values->given);
        *values = (DaemonOptions){ 0 };
}

static bool reloads(const char *member) {
        const Option *option = option_find_member(member);

        return option && (option->flags & OPTION_RELOADS);
}

char **options_need_restart(const DaemonOptions *running, const DaemonOptions *fresh) {
        _cleanup_json_ json_object *before = json_write(&options_file_table, running);
        _cleanup_json_ json_object *after = json_write(&options_file_table, fresh);
        char **list = NULL;

        json_object_object_foreach(after, name, value) {
                if (!reloads(name) && !json_object_equal(value, json_member(before, name)))
                        strv_add(&list, name);
        }
        json_object_object_foreach(before, gone, was) {
                (void)was;
                if (!reloads(gone) && !json_object_object_get_ex(after, gone, NULL))
                        strv_add(&list, gone);
        }
        return list;
}

static void print_row(char letter, const char *name, const char *argument, const char *help) {
        char left[64];

        if (letter)
                (void)snprintf(left, sizeof(left), "-%c, --%s %s", letter, name, argument ?: "");
        else
                (void)snprintf(left, sizeof(left), "    --%s %s", name, argument ?: "");
        printf("  %-34s %s\n", left, help);
}

void options_print_help(void) {
        printf("Usage:  brigd [OPTIONS]\n\nA container engine that speaks Docker's "
               "API.\n\nOptions:\n");
        for (size_t i = 0; i < option_row_count; i++)
                print_row(option_rows[i].letter, option_rows[i].name, option_rows[i].argument,
                          option_rows[i].help);
        printf("\nOthers of dockerd's are taken with the values that change nothing.\n");
}
