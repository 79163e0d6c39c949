/* log-driver.c: see log-driver.h. */
#include "engine/log-driver.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <sys/stat.h>

#include "base/str.h"
#include "monitor/lognames.h"

#define INVALID(...) error_kind(err, ERROR_INVALID, __VA_ARGS__)
#define INITIALIZE "failed to initialize logging driver: "

static int check_syslog(const Pairs *options, Error *err);

static const char *const json_keys[] = { "max-file",  "max-size",     "compress",
                                         "labels",    "labels-regex", "env",
                                         "env-regex", "tag",          NULL };
static const char *const local_keys[] = { "max-file", "max-size", "compress", NULL };
static const char *const journald_keys[] = { "labels",    "labels-regex", "env",
                                             "env-regex", "tag",          NULL };
static const char *const syslog_keys[] = { "env",
                                           "env-regex",
                                           "labels",
                                           "labels-regex",
                                           "syslog-address",
                                           "syslog-facility",
                                           "syslog-format",
                                           "syslog-tls-ca-cert",
                                           "syslog-tls-cert",
                                           "syslog-tls-key",
                                           "syslog-tls-skip-verify",
                                           "tag",
                                           NULL };
static const char *const no_keys[] = { NULL };
/* Of every driver. */
static const char *const common_keys[] = { "mode",
                                           "max-buffer-size",
                                           "cache-disabled",
                                           "cache-max-size",
                                           "cache-max-file",
                                           "cache-compress",
                                           NULL };

/* Bounded, unlike Docker's json-file: a chatty container must not fill the disk. */
static const LogDriver drivers[] = {
        { "json-file", "json-file", json_keys, false, { 100000000, 3, false }, NULL },
        { "local", "local", local_keys, false, { 20000000, 5, true }, NULL },
        { "syslog", NULL, syslog_keys, true, { 20000000, 5, true }, check_syslog },
        { "journald", NULL, journald_keys, true, { 20000000, 5, true }, NULL },
        { "none", NULL, no_keys, false, { 0 }, NULL },
};

const LogDriver *log_driver_find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(drivers); i++)
                if (str_equal(drivers[i].name, name))
                        return &drivers[i];
        return NULL;
}

/* ---- values ---- */

/* "10m", "1g", "512": decimal units, as Docker has them here; "-1" is unlimited. */
static int size_parse(const char *text, int64_t *ret) {
        static const char units[] = "kmgt";
        double number;
        int64_t factor = 1;

        if (str_equal(text, "-1")) {
                *ret = 0;
                return 0;
        }
        _cleanup_free_ char *digits = str_copy(text);
        size_t length = strlen(digits);
        while (length > 0 && isalpha((unsigned char)digits[length - 1]))
                length--;
        const char *unit = text + length;
        if (*unit && tolower((unsigned char)*unit) != 'b') {
                const char *known = strchr(units, tolower((unsigned char)*unit));
                if (!known)
                        return -EINVAL;
                for (const char *step = units; step <= known; step++)
                        factor *= 1000;
        }
        digits[length] = '\0';
        if (str_to_double(digits, &number) < 0 || number < 0 || number * (double)factor > 1e18)
                return -EINVAL;
        *ret = (int64_t)(number * (double)factor);
        return 0;
}

int log_bool_read(const Pairs *options, const char *key, bool not_given, bool *ret, Error *err) {
        static const char *const words[] = { "0", "f", "F", "false", "FALSE", "False",
                                             "1", "t", "T", "true",  "TRUE",  "True" };
        const char *text = pairs_get(options, key);

        if (!text) {
                *ret = not_given;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (str_equal(words[i], text)) {
                        *ret = i >= ELEMENTS(words) / 2;
                        return 0;
                }
        return INVALID(INITIALIZE "%s: strconv.ParseBool: parsing \"%s\": invalid syntax", key,
                       text);
}

int log_limits_read(const LogDriver *driver, const char *prefix, const Pairs *options,
                    LogLimits *ret, Error *err) {
        _cleanup_free_ char *size_key = str_format("%smax-size", prefix);
        _cleanup_free_ char *files_key = str_format("%smax-file", prefix);
        _cleanup_free_ char *compress_key = str_format("%scompress", prefix);
        const char *size = pairs_get(options, size_key), *files = pairs_get(options, files_key);
        LogLimits limits = driver->limits;

        if (size && size_parse(size, &limits.size) < 0)
                return INVALID(INITIALIZE "%s: invalid size: '%s'", size_key, size);
        if (size && limits.size == 0 && !str_equal(size, "-1"))
                return INVALID(INITIALIZE "%s must be a positive number", size_key);
        if (files && str_to_int64(files, &limits.files) < 0)
                return INVALID(INITIALIZE "%s: strconv.Atoi: parsing \"%s\": invalid syntax",
                               files_key, files);
        if (limits.files < 1)
                return INVALID(INITIALIZE "%s cannot be less than 1", files_key);
        limits.files = MIN(limits.files, LOG_NUMBERS_MAX); /* more are not looked for */
        int r = log_bool_read(options, compress_key, limits.compress, &limits.compress, err);
        if (r < 0)
                return r;
        if (limits.compress && (limits.files == 1 || limits.size == 0)) {
                if (pairs_get(options, compress_key))
                        return INVALID(INITIALIZE "%s cannot be true when %s is less than 2 or %s "
                                                  "is not set",
                                       compress_key, files_key, size_key);
                limits.compress = false;
        }
        *ret = limits;
        return 0;
}

bool log_has_cache(const Pairs *options) {
        bool disabled;

        return log_bool_read(options, "cache-disabled", false, &disabled, NULL) < 0 || !disabled;
}

int log_buffer_read(const Pairs *options, bool *ret_non_blocking, int64_t *ret_size, Error *err) {
        const char *mode = pairs_get(options, "mode"),
                   *size = pairs_get(options, "max-buffer-size");
        bool non_blocking = str_equal(mode, "non-blocking");
        int64_t bytes = LOG_BUFFER_DEFAULT;

        if (!str_empty(mode) && !non_blocking && !str_equal(mode, "blocking"))
                return INVALID("logger: logging mode not supported: %s", mode);
        if (size && !non_blocking)
                return INVALID("logger: max-buffer-size option is only supported with "
                               "'mode=non-blocking'");
        if (size && str_to_size(size, &bytes) < 0)
                return INVALID("error parsing option max-buffer-size: invalid size: '%s'", size);
        *ret_non_blocking = non_blocking;
        *ret_size = bytes;
        return 0;
}

/* ---- syslog ---- */

int log_facility_read(const Pairs *options, int64_t *ret, Error *err) {
        static const struct {
                const char *name;
                int number;
        } facilities[] = {
                { "kern", 0 },    { "user", 1 },    { "mail", 2 },      { "daemon", 3 },
                { "auth", 4 },    { "syslog", 5 },  { "lpr", 6 },       { "news", 7 },
                { "uucp", 8 },    { "cron", 9 },    { "authpriv", 10 }, { "ftp", 11 },
                { "local0", 16 }, { "local1", 17 }, { "local2", 18 },   { "local3", 19 },
                { "local4", 20 }, { "local5", 21 }, { "local6", 22 },   { "local7", 23 },
        };
        const char *text = pairs_get(options, "syslog-facility");
        int number;

        if (str_empty(text))
                text = "daemon";
        for (size_t i = 0; i < ELEMENTS(facilities); i++)
                if (str_equal(facilities[i].name, text)) {
                        *ret = facilities[i].number;
                        return 0;
                }
        if (str_to_int_in(text, 0, 23, &number) < 0)
                return INVALID("invalid syslog facility");
        *ret = number;
        return 0;
}

static int check_address(const char *address, Error *err) {
        static const char *const nets[] = { "udp://", "tcp://", "tcp+tls://" };
        const char *path;
        struct stat status;

        if (str_empty(address))
                return 0;
        path = str_after(address, "unix://") ?: str_after(address, "unixgram://");
        if (path)
                return stat(path, &status) == 0
                               ? 0
                               : INVALID("stat %s: %s", path,
                                         errno == ENOENT ? "no such file or directory"
                                                         : "permission denied");
        for (size_t i = 0; i < ELEMENTS(nets); i++) {
                const char *host = str_after(address, nets[i]);

                if (host && *host && *host != ':' && !strchr(host, '/'))
                        return 0;
        }
        return INVALID("syslog-address should be in form proto://address, got %s", address);
}

static int check_syslog(const Pairs *options, Error *err) {
        static const char *const formats[] = { "rfc3164", "rfc5424", "rfc5424micro" };
        const char *format = pairs_get(options, "syslog-format");
        bool known = str_empty(format), skip;
        int64_t facility;

        int r = check_address(pairs_get(options, "syslog-address"), err);
        if (r == 0)
                r = log_facility_read(options, &facility, err);
        if (r == 0)
                r = log_bool_read(options, "syslog-tls-skip-verify", false, &skip, err);
        for (size_t i = 0; i < ELEMENTS(formats); i++)
                known |= str_equal(formats[i], format);
        if (r == 0 && !known)
                r = INVALID("Invalid syslog format");
        return r;
}

/* ---- the whole ---- */

static bool is_among(const char *const *keys, const char *key) {
        for (; *keys; keys++)
                if (str_equal(*keys, key))
                        return true;
        return false;
}

static int check_keys(const LogDriver *driver, const Pairs *options, Error *err) {
        for (size_t i = 0; i < options->count; i++) {
                const char *key = options->items[i].key;

                if (!is_among(common_keys, key) && !is_among(driver->keys, key))
                        return INVALID(str_equal(driver->name, "local")
                                               ? "unknown log opt '%s' for log driver %s"
                                               : "unknown log opt '%s' for %s log driver",
                                       key, driver->name);
        }
        return 0;
}

static int check_regex(const Pairs *options, const char *key, Error *err) {
        const char *text = pairs_get(options, key);
        char words[200];
        regex_t regex;
        int r;

        if (!text)
                return 0;
        r = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
        if (r == 0) {
                regfree(&regex);
                return 0;
        }
        (void)regerror(r, &regex, words, sizeof(words));
        return INVALID(INITIALIZE "%s: error parsing regexp: %s: `%s`", key, words, text);
}

static int check_values(const LogDriver *driver, const Pairs *options, Error *err) {
        LogLimits limits;
        bool disabled;
        int r = 0;

        if (driver->file)
                r = log_limits_read(driver, "", options, &limits, err);
        if (r == 0 && driver->forwards)
                r = log_limits_read(driver, "cache-", options, &limits, err);
        if (r == 0 && log_bool_read(options, "cache-disabled", false, &disabled, NULL) < 0)
                r = INVALID("invalid value for option cache-disabled: %s",
                            pairs_get(options, "cache-disabled"));
        if (r == 0)
                r = check_regex(options, "labels-regex", err);
        if (r == 0)
                r = check_regex(options, "env-regex", err);
        if (r == 0 && driver->check)
                r = driver->check(options, err);
        return r;
}

/* What is about the cache goes to every driver's containers. */
static void merge_defaults(const LogConfig *daemon, LogConfig *config) {
        const char *type = str_empty(daemon->type) ? "json-file" : daemon->type;

        if (str_empty(config->type))
                str_replace(&config->type, type);
        for (size_t i = 0; i < daemon->config.count; i++) {
                const Pair *option = &daemon->config.items[i];

                if ((str_equal(config->type, type) || str_after(option->key, "cache-")) &&
                    !pairs_get(&config->config, option->key))
                        pairs_put(&config->config, option->key, option->value);
        }
}

int log_config_check(const LogConfig *daemon, LogConfig *config, Error *err) {
        const LogDriver *driver;
        bool non_blocking;
        int64_t size;

        merge_defaults(daemon, config);
        driver = log_driver_find(config->type);
        if (!driver)
                return INVALID("error looking up logging plugin %s: plugin \"%s\" not found",
                               config->type, config->type);
        if (str_equal(driver->name, "none"))
                return 0;
        int r = log_buffer_read(&config->config, &non_blocking, &size, err);
        if (r == 0)
                r = check_keys(driver, &config->config, err);
        return r < 0 ? r : check_values(driver, &config->config, err);
}
