/* change.c: see change.h. The grammar of each instruction is the Dockerfile reference's, without
 * substitution: there is no build whose arguments could be meant. */
#include "image/change.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "base/clock.h"
#include "base/str.h"

typedef int (*ChangeFn)(ImageRunConfig *config, const char *rest, Error *err);

/* ---- words ---- */

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* Splits at blanks outside quotes; quotes and backslashes go. */
static int split_words(const char *text, char ***ret, Error *err) {
        _cleanup_strv_ char **words = NULL;

        while (*text) {
                _cleanup_buf_ Buf word = {};
                char quote = '\0';

                while (is_blank(*text))
                        text++;
                if (!*text)
                        break;
                for (; *text && (quote || !is_blank(*text)); text++) {
                        if (quote ? *text == quote : (*text == '"' || *text == '\''))
                                quote = quote ? '\0' : *text;
                        else if (*text == '\\' && text[1] && quote != '\'')
                                buf_add_char(&word, *++text);
                        else
                                buf_add_char(&word, *text);
                }
                if (quote)
                        return error_kind(err, ERROR_INVALID, "a quote is not closed");
                strv_take(&words, buf_take(&word));
        }
        *ret = TAKE_PTR(words);
        return 0;
}

/* 1 and the list if text is a JSON array of strings, else 0. */
static int read_json_words(const char *text, char ***ret) {
        _cleanup_json_ json_object *array = NULL;
        _cleanup_strv_ char **words = NULL;

        if (*text != '[' || json_parse_any(text, strlen(text), &array, NULL) < 0)
                return 0;
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                json_object *item = json_object_array_get_idx(array, i);

                if (!json_object_is_type(item, json_type_string))
                        return 0;
                strv_add(&words, json_object_get_string(item));
        }
        *ret = TAKE_PTR(words);
        return 1;
}

/* The exec form as it is, the shell form for the shell. */
static void read_command(const char *text, char ***ret) {
        char **words = NULL;

        if (read_json_words(text, &words) == 0) {
                strv_add(&words, "/bin/sh");
                strv_add(&words, "-c");
                strv_add(&words, text);
        }
        (void)strv_free(*ret);
        *ret = words;
}

/* NAME=value …, or the old form NAME value. Calls put for each. */
static int read_pairs(const char *text, Pairs *pairs, Error *err) {
        _cleanup_strv_ char **words = NULL;
        int r = split_words(text, &words, err);

        if (r < 0)
                return r;
        if (words && !strchr(words[0], '=')) {
                const char *value = text + strcspn(text, " \t");

                if (!words[1])
                        return error_kind(err, ERROR_INVALID, "'%s' has no value", words[0]);
                value += strspn(value, " \t");
                pairs_put(pairs, words[0], value);
                return 0;
        }
        for (size_t i = 0; words && words[i]; i++) {
                char *equals = strchr(words[i], '=');

                if (!equals || equals == words[i])
                        return error_kind(err, ERROR_INVALID, "'%s' must be NAME=value", words[i]);
                *equals = '\0';
                pairs_put(pairs, words[i], equals + 1);
        }
        return 0;
}

/* ---- instructions ---- */

static int change_cmd(ImageRunConfig *config, const char *rest, Error *err) {
        (void)err;
        read_command(rest, &config->cmd);
        return 0;
}

static int change_entrypoint(ImageRunConfig *config, const char *rest, Error *err) {
        (void)err;
        read_command(rest, &config->entrypoint);
        return 0;
}

static int change_env(ImageRunConfig *config, const char *rest, Error *err) {
        Pairs pairs = {};
        int r = read_pairs(rest, &pairs, err);

        for (size_t i = 0; r == 0 && i < pairs.count; i++)
                env_put(&config->env, pairs.items[i].key, pairs.items[i].value);
        pairs_done(&pairs);
        return r;
}

static int change_label(ImageRunConfig *config, const char *rest, Error *err) {
        return read_pairs(rest, &config->labels, err);
}

static int check_port(const char *text, Error *err) {
        _cleanup_free_ char *number = str_copy_n(text, strcspn(text, "/-"));
        const char *dash = strchr(text, '-'), *slash = strchr(text, '/');
        _cleanup_free_ char *last =
                dash ? str_copy_n(dash + 1, strcspn(dash + 1, "/")) : str_copy(number);
        int port;

        if (str_to_int_in(number, 1, 65535, &port) < 0 ||
            str_to_int_in(last, port, 65535, &port) < 0 ||
            (slash && !str_equal(slash, "/tcp") && !str_equal(slash, "/udp") &&
             !str_equal(slash, "/sctp")))
                return error_kind(err, ERROR_INVALID, "'%s' is no port such as 80 or 53/udp", text);
        return 0;
}

static int change_expose(ImageRunConfig *config, const char *rest, Error *err) {
        _cleanup_strv_ char **words = NULL;
        int r = split_words(rest, &words, err);

        for (size_t i = 0; r == 0 && words && words[i]; i++) {
                _cleanup_free_ char *port =
                        str_format("%s%s", words[i], strchr(words[i], '/') ? "" : "/tcp");

                r = check_port(port, err);
                if (r == 0 && !strv_has(config->exposed_ports, port))
                        strv_add(&config->exposed_ports, port);
        }
        return r;
}

static int change_volume(ImageRunConfig *config, const char *rest, Error *err) {
        _cleanup_strv_ char **words = NULL;
        int r = read_json_words(rest, &words) ? 0 : split_words(rest, &words, err);

        for (size_t i = 0; r == 0 && words && words[i]; i++)
                if (!strv_has(config->volumes, words[i]))
                        strv_add(&config->volumes, words[i]);
        return r;
}

static int change_user(ImageRunConfig *config, const char *rest, Error *err) {
        (void)err;
        str_replace(&config->user, rest);
        return 0;
}

static int change_workdir(ImageRunConfig *config, const char *rest, Error *err) {
        _cleanup_free_ char *path = NULL;

        (void)err;
        if (*rest == '/')
                path = str_copy(rest);
        else
                path = str_format("%s/%s",
                                  str_empty(config->working_dir) ||
                                                  str_equal(config->working_dir, "/")
                                          ? ""
                                          : config->working_dir,
                                  rest);
        str_replace(&config->working_dir, path);
        return 0;
}

static int change_stopsignal(ImageRunConfig *config, const char *rest, Error *err) {
        if (rest[strcspn(rest, " \t")])
                return error_kind(err, ERROR_INVALID, "it takes one signal");
        str_replace(&config->stop_signal, rest);
        return 0;
}

static int change_onbuild(ImageRunConfig *config, const char *rest, Error *err) {
        if (strncasecmp(rest, "ONBUILD ", 8) == 0 || strncasecmp(rest, "FROM ", 5) == 0 ||
            strncasecmp(rest, "MAINTAINER ", 11) == 0)
                return error_kind(err, ERROR_INVALID, "'%.20s' can't be a trigger", rest);
        strv_add(&config->on_build, rest);
        return 0;
}

/* ---- HEALTHCHECK ---- */

static int set_health_option(HealthConfig *health, const char *word, Error *err) {
        const struct {
                const char *name;
                int64_t *duration;
        } options[] = {
                { "--interval=", &health->interval },
                { "--timeout=", &health->timeout },
                { "--start-period=", &health->start_period },
                { "--start-interval=", &health->start_interval },
        };
        const char *value = str_after(word, "--retries=");

        if (value)
                return str_to_int64(value, &health->retries) < 0 || health->retries < 0
                               ? error_kind(err, ERROR_INVALID, "'%s' needs a whole number", word)
                               : 0;
        for (size_t i = 0; i < ELEMENTS(options); i++) {
                value = str_after(word, options[i].name);
                if (value)
                        return duration_parse(value, options[i].duration) < 0 ||
                                               *options[i].duration < 0
                                       ? error_kind(err, ERROR_INVALID,
                                                    "'%s' needs a duration such as 30s", word)
                                       : 0;
        }
        return error_kind(err, ERROR_INVALID, "there is no option '%s'", word);
}

static int read_health(HealthConfig *health, const char *rest, Error *err) {
        char **command = NULL;

        while (str_after(rest, "--")) {
                _cleanup_free_ char *word = str_copy_n(rest, strcspn(rest, " \t"));
                int r = set_health_option(health, word, err);

                if (r < 0)
                        return r;
                rest += strlen(word);
                rest += strspn(rest, " \t");
        }
        if (strcasecmp(rest, "NONE") == 0) {
                strv_add(&health->test, "NONE");
                return 0;
        }
        if (strncasecmp(rest, "CMD", 3) != 0 || !is_blank(rest[3]))
                return error_kind(err, ERROR_INVALID, "it must be NONE or [options] CMD command");
        rest += 3 + strspn(rest + 3, " \t");
        if (!*rest)
                return error_kind(err, ERROR_INVALID, "CMD has no command");
        if (read_json_words(rest, &command)) {
                strv_add(&health->test, "CMD");
                for (size_t i = 0; command && command[i]; i++)
                        strv_add(&health->test, command[i]);
                (void)strv_free(command);
                return 0;
        }
        strv_add(&health->test, "CMD-SHELL");
        strv_add(&health->test, rest);
        return 0;
}

static int change_healthcheck(ImageRunConfig *config, const char *rest, Error *err) {
        HealthConfig *health = NEW(HealthConfig);
        int r = read_health(health, rest, err);

        if (r < 0) {
                json_free(&health_config_table, health);
                return r;
        }
        json_free(&health_config_table, config->health);
        config->health = health;
        return 0;
}

static const struct {
        const char *name;
        ChangeFn apply;
} changes[] = {
        { "CMD", change_cmd },
        { "ENTRYPOINT", change_entrypoint },
        { "ENV", change_env },
        { "EXPOSE", change_expose },
        { "HEALTHCHECK", change_healthcheck },
        { "LABEL", change_label },
        { "ONBUILD", change_onbuild },
        { "STOPSIGNAL", change_stopsignal },
        { "USER", change_user },
        { "VOLUME", change_volume },
        { "WORKDIR", change_workdir },
};

int change_apply(ImageRunConfig *config, const char *instruction, Error *err) {
        _cleanup_free_ char *copy = str_copy(instruction);
        char *text = str_trim(copy), *rest = text + strcspn(text, " \t");

        if (*rest)
                *rest++ = '\0';
        rest += strspn(rest, " \t");
        for (size_t i = 0; i < ELEMENTS(changes); i++) {
                if (strcasecmp(changes[i].name, text) != 0)
                        continue;
                if (!*rest)
                        return error_kind(err, ERROR_INVALID, "%s requires at least one argument",
                                          changes[i].name);
                return changes[i].apply(config, rest, err) < 0
                               ? error_prefix(err, "%s", changes[i].name)
                               : 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "%s is not a valid change command: there are CMD, ENTRYPOINT, ENV, "
                          "EXPOSE, HEALTHCHECK, LABEL, "
                          "ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR",
                          text);
}
