/* log-driver-test.c: log drivers and their options as Docker takes and refuses them; tags. */
#include "base/test.h"
#include "engine/log-driver.h"
#include "engine/log-tag.h"
#include "format/json.h"

/* "driver key=value key=value". */
static void config_of(const char *text, LogConfig *ret) {
        _cleanup_strv_ char **words = str_split(text, ' ');

        *ret = (LogConfig){ .type = str_copy(words[0]) };
        for (char **word = words + 1; *word; word++) {
                char *equals = strchr(*word, '=');

                *equals = '\0';
                pairs_put(&ret->config, *word, equals + 1);
        }
}

static void config_done(LogConfig *config) {
        free(config->type);
        pairs_done(&config->config);
}

TEST(what_is_taken) {
        static const char *const taken[] = {
                "json-file max-size=10m max-file=3 compress=true labels=a env=b tag={{.ID}} "
                "labels-regex=^a env-regex=^b mode=non-blocking max-buffer-size=4m",
                "json-file max-size=-1",
                "local max-size=10k max-file=2 compress=false",
                "local max-file=1",
                "json-file max-size=1m max-file=2000",
                "syslog syslog-address=udp://127.0.0.1:514 syslog-facility=local7 "
                "syslog-format=rfc5424micro tag=x labels=a env=b cache-disabled=true",
                "syslog syslog-address=tcp+tls://h syslog-tls-ca-cert=/a syslog-tls-cert=/b "
                "syslog-tls-key=/c syslog-tls-skip-verify=true syslog-facility=23",
                "journald tag=x labels=a env=b cache-max-size=1m cache-max-file=2 "
                "cache-compress=true",
                "none max-size=1m nonsense=1",
        };
        const LogConfig daemon = { 0 };

        for (size_t i = 0; i < ELEMENTS(taken); i++) {
                _cleanup_(config_done) LogConfig config;
                Error err;

                config_of(taken[i], &config);
                ASSERT_OK(log_config_check(&daemon, &config, &err), &err);
        }
}

TEST(what_is_refused) {
        static const struct {
                const char *config, *error;
        } refused[] = {
                { "nonsense",
                  "error looking up logging plugin nonsense: plugin \"nonsense\" not found" },
                { "json-file syslog-address=x",
                  "unknown log opt 'syslog-address' for json-file log driver" },
                { "local tag=x", "unknown log opt 'tag' for log driver local" },
                { "journald max-size=1m", "unknown log opt 'max-size' for journald log driver" },
                { "syslog max-file=1", "unknown log opt 'max-file' for syslog log driver" },
                { "json-file mode=x", "logger: logging mode not supported: x" },
                { "json-file max-buffer-size=1m",
                  "logger: max-buffer-size option is only supported with 'mode=non-blocking'" },
                { "json-file mode=non-blocking max-buffer-size=x",
                  "error parsing option max-buffer-size: invalid size: 'x'" },
                { "json-file max-size=x",
                  "failed to initialize logging driver: max-size: invalid size: 'x'" },
                { "json-file max-size=0",
                  "failed to initialize logging driver: max-size must be a positive number" },
                { "json-file max-file=0",
                  "failed to initialize logging driver: max-file cannot be less than 1" },
                { "json-file compress=x", "failed to initialize logging driver: compress: "
                                          "strconv.ParseBool: parsing \"x\": invalid syntax" },
                { "json-file compress=true max-file=1",
                  "failed to initialize logging driver: compress cannot be true when max-file is "
                  "less than 2 or max-size is not set" },
                { "json-file env-regex=(", "failed to initialize logging driver: env-regex: error "
                                           "parsing regexp: Unmatched ( or \\(: `(`" },
                { "syslog syslog-address=127.0.0.1:514",
                  "syslog-address should be in form proto://address, got 127.0.0.1:514" },
                { "syslog syslog-address=unix:///nothing/here",
                  "stat /nothing/here: no such file or directory" },
                { "syslog syslog-facility=x", "invalid syslog facility" },
                { "syslog syslog-format=x", "Invalid syslog format" },
                { "syslog cache-disabled=x", "invalid value for option cache-disabled: x" },
        };
        const LogConfig daemon = { 0 };

        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                _cleanup_(config_done) LogConfig config;
                Error err;

                config_of(refused[i].config, &config);
                ASSERT(log_config_check(&daemon, &config, &err) < 0);
                ASSERT_STR(err.message, refused[i].error);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

TEST(defaults_of_the_daemon) {
        _cleanup_(config_done) LogConfig daemon, none, other;
        Error err;

        config_of("local max-size=1m cache-max-size=2m", &daemon);
        config_of("local max-file=7", &none);
        str_replace(&none.type, "");
        ASSERT_OK(log_config_check(&daemon, &none, &err), &err);
        ASSERT_STR(none.type, "local");
        ASSERT_STR(pairs_get(&none.config, "max-size"), "1m");
        ASSERT_STR(pairs_get(&none.config, "max-file"), "7");
        config_of("journald tag=x", &other);
        ASSERT_OK(log_config_check(&daemon, &other, &err), &err);
        ASSERT(!pairs_get(&other.config, "max-size"));
        ASSERT_STR(pairs_get(&other.config, "cache-max-size"), "2m");
}

/* Nothing is unbounded that nobody has asked to be. */
TEST(limits) {
        static const struct {
                const char *driver;
                int64_t size, files;
                bool compress;
        } wanted[] = { { "json-file", 100000000, 3, false },
                       { "local", 20000000, 5, true },
                       { "syslog", 20000000, 5, true },
                       { "journald", 20000000, 5, true } };

        for (size_t i = 0; i < ELEMENTS(wanted); i++) {
                const Pairs none = { 0 };
                LogLimits limits;
                Error err;

                ASSERT_OK(log_limits_read(log_driver_find(wanted[i].driver), "", &none, &limits,
                                          &err),
                          &err);
                ASSERT_INT(limits.size, wanted[i].size);
                ASSERT_INT(limits.files, wanted[i].files);
                ASSERT_INT(limits.compress, wanted[i].compress);
        }
}

TEST(tags) {
        static const struct {
                const char *text, *wanted;
        } tags[] = {
                { "{{.Name}}", "web" },
                { "a/{{.Name}}-{{ .ID }}/b", "a/web-0123/b" },
                { "a {{- .Name -}} b", "awebb" },
                { "plain }} {", "plain }} {" },
                { "", "" },
                { "{{index .Name}}", NULL },
                { "{{.Nonsense}}", NULL },
                { "{{.Name", NULL },
                { "{{}}", NULL },
        };
        _cleanup_(pairs_done) Pairs fields = { 0 };
        Error err;

        pairs_put(&fields, "Name", "web");
        pairs_put(&fields, "ID", "0123");
        for (size_t i = 0; i < ELEMENTS(tags); i++) {
                _cleanup_free_ char *tag = NULL;
                int r = log_tag_expand(tags[i].text, &fields, &tag, &err);

                ASSERT(tags[i].wanted ? r == 0 : r < 0);
                ASSERT_STR(tag, tags[i].wanted);
        }
        _cleanup_free_ char *tag = NULL;
        ASSERT(log_tag_expand("{{.Nonsense}}", &fields, &tag, &err) < 0);
        ASSERT_STR(err.message, "invalid log tag: \"{{.Nonsense}}\" is not supported; use "
                                "{{.Name}}, {{.ID}}");
}

TEST_MAIN()
