/* logconfig.c: what a container's log options mean for it: what its monitor writes and passes on.
 * log-driver.c knows the options, logs.c reads the log. */
#include <errno.h>
#include <regex.h>

#include "engine/engine-private.h"
#include "engine/labels.h"
#include "engine/log-driver.h"
#include "engine/log-tag.h"
#include "engine/logconfig.h"

#define TAG_DEFAULT "{{.ID}}"

const char *container_log_driver(const Container *container) {
        const char *own = container->spec.host.log_config.type;
        const char *daemon = container->engine->options.log.type;

        return !str_empty(own) ? own : !str_empty(daemon) ? daemon : "json-file";
}

static const LogDriver *driver_of(const Container *container) {
        return log_driver_find(container_log_driver(container));
}

static const Pairs *options_of(const Container *container) {
        return &container->spec.host.log_config.config;
}

const char *container_log_form(const Container *container) {
        const LogDriver *driver = driver_of(container);

        if (!driver)
                return NULL;
        return driver->forwards && log_has_cache(options_of(container)) ? "local" : driver->file;
}

char *container_log_path(const Container *container) {
        return str_equal(container_log_form(container), "local")
                       ? str_copy("local.log")
                       : str_format("%s-json.log", container->id);
}

/* ---- the tag ---- */

static void put_short(Pairs *fields, const char *name, const char *text) {
        _cleanup_free_ char *start = str_copy_n(text, MIN(strlen(text), (size_t)12));

        pairs_put(fields, name, start);
}

/* Docker's names, its methods and its members. */
static void tag_fields(const Container *container, Pairs *fields) {
        const char *image = container->spec.config.image ?: "";
        const char *image_id = container->image_id ?: "";
        _cleanup_free_ char *name = str_format("/%s", container->name ?: "");

        put_short(fields, "ID", container->id);
        pairs_put(fields, "FullID", container->id);
        pairs_put(fields, "Name", container->name ?: "");
        put_short(fields, "ImageID", image_id);
        pairs_put(fields, "ImageFullID", image_id);
        pairs_put(fields, "ImageName", image);
        pairs_put(fields, "ImageFullName", image);
        pairs_put(fields, "DaemonName", "docker");
        pairs_put(fields, "ContainerID", container->id);
        pairs_put(fields, "ContainerName", name);
        pairs_put(fields, "ContainerImageID", image_id);
        pairs_put(fields, "ContainerImageName", image);
}

int container_log_tag(const Container *container, const char *without, char **ret, Error *err) {
        _cleanup_(pairs_done) Pairs fields = { 0 };
        const char *template = pairs_get(options_of(container), "tag");

        tag_fields(container, &fields);
        int r = log_tag_expand(str_empty(template) ? without : template, &fields, ret, err);
        return r < 0 ? error_prefix(err, "failed to initialize logging driver") : 0;
}

/* ---- attributes: labels and environment ---- */

typedef char *(*KeyForm)(const char *key);

static char *plain_key(const char *key) {
        return str_copy(key);
}

/* The journal's names are capitals, digits and underscores, of which none leads. */
static char *journal_key(const char *key) {
        Buf name = { 0 };

        for (; *key; key++) {
                bool letter = (*key >= 'a' && *key <= 'z') || (*key >= 'A' && *key <= 'Z');
                bool digit = *key >= '0' && *key <= '9';
                char c = letter ? (char)(*key & ~0x20) : digit ? *key : '_';

                if (name.length > 0 || c != '_')
                        buf_add_char(&name, c);
        }
        return buf_take(&name);
}

static void put_attribute(Pairs *attributes, KeyForm form, const Pair *pair) {
        _cleanup_free_ char *key = form(pair->key);

        if (*key)
                pairs_put(attributes, key, pair->value);
}

static void put_listed(Pairs *attributes, KeyForm form, const char *list, const Pairs *all) {
        _cleanup_strv_ char **names = str_empty(list) ? NULL : str_split(list, ',');

        for (char **name = names; name && *name; name++) {
                const char *value = pairs_get(all, *name);

                if (value)
                        put_attribute(attributes, form, &(Pair){ *name, (char *)value });
        }
}

static void put_matching(Pairs *attributes, KeyForm form, const char *pattern, const Pairs *all) {
        regex_t regex;

        if (str_empty(pattern) || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return; /* log_config_check has refused what is none */
        for (size_t i = 0; i < all->count; i++)
                if (regexec(&regex, all->items[i].key, 0, NULL, 0) == 0)
                        put_attribute(attributes, form, &all->items[i]);
        regfree(&regex);
}

static void put_attributes(const Container *container, KeyForm form, Pairs *attributes) {
        const Pairs *options = options_of(container), *labels = container_labels(container);
        _cleanup_(pairs_done) Pairs environment = { 0 };

        for (char **entry = container->spec.config.env; entry && *entry; entry++) {
                const char *equals = strchr(*entry, '=');
                _cleanup_free_ char *name =
                        equals ? str_copy_n(*entry, (size_t)(equals - *entry)) : NULL;

                if (name)
                        pairs_put(&environment, name, equals + 1);
        }
        put_listed(attributes, form, pairs_get(options, "labels"), labels);
        put_matching(attributes, form, pairs_get(options, "labels-regex"), labels);
        put_listed(attributes, form, pairs_get(options, "env"), &environment);
        put_matching(attributes, form, pairs_get(options, "env-regex"), &environment);
}

/* ---- drivers ---- */

static int read_json_file(const Container *container, MonitorLog *log, Error *err) {
        _cleanup_free_ char *tag = NULL;

        put_attributes(container, plain_key, &log->attributes);
        int r = container_log_tag(container, "", &tag, err);
        if (r == 0 && *tag)
                pairs_put(&log->attributes, "tag", tag);
        return r;
}

static int read_syslog(const Container *container, LoggerOptions *forward, Error *err) {
        const Pairs *options = options_of(container);

        forward->address = str_copy(pairs_get(options, "syslog-address"));
        forward->format = str_copy(pairs_get(options, "syslog-format"));
        forward->tls_ca = str_copy(pairs_get(options, "syslog-tls-ca-cert"));
        forward->tls_cert = str_copy(pairs_get(options, "syslog-tls-cert"));
        forward->tls_key = str_copy(pairs_get(options, "syslog-tls-key"));
        int r = log_bool_read(options, "syslog-tls-skip-verify", false, &forward->tls_skip_verify,
                              err);
        if (r == 0)
                r = log_facility_read(options, &forward->facility, err);
        return r < 0 ? r : container_log_tag(container, TAG_DEFAULT, &forward->tag, err);
}

static int read_journald(const Container *container, LoggerOptions *forward, Error *err) {
        Pairs *fields = &forward->fields;
        int r = container_log_tag(container, TAG_DEFAULT, &forward->tag, err);

        if (r < 0)
                return r;
        put_short(fields, "CONTAINER_ID", container->id);
        pairs_put(fields, "CONTAINER_ID_FULL", container->id);
        pairs_put(fields, "CONTAINER_NAME", container->name ?: "");
        pairs_put(fields, "CONTAINER_TAG", forward->tag);
        pairs_put(fields, "IMAGE_NAME", container->spec.config.image ?: "");
        pairs_put(fields, "SYSLOG_IDENTIFIER", forward->tag);
        put_attributes(container, journal_key, fields);
        return 0;
}

static int read_forward(const Container *container, const LogDriver *driver, MonitorLog *log,
                        Error *err) {
        log->forward = NEW(LoggerOptions);
        log->forward->driver = str_copy(driver->name);
        int r = log_buffer_read(options_of(container), &log->non_blocking, &log->max_buffer, err);
        if (r < 0)
                return r;
        return str_equal(driver->name, "syslog") ? read_syslog(container, log->forward, err)
                                                 : read_journald(container, log->forward, err);
}

static int read_options(const Container *container, const LogDriver *driver, MonitorLog *log,
                        Error *err) {
        const char *form = container_log_form(container);
        LogLimits limits = { .files = 1 };
        int r = 0;

        log->driver = str_copy(form ?: "none");
        log->path = container_log_path(container);
        log->logger = str_copy(container->engine->options.logger_program);
        if (form)
                r = log_limits_read(driver, driver->forwards ? "cache-" : "", options_of(container),
                                    &limits, err);
        log->max_size = limits.size;
        log->max_files = limits.files;
        log->compress = limits.compress;
        if (r == 0 && str_equal(driver->name, "json-file"))
                r = read_json_file(container, log, err);
        if (r == 0 && driver->forwards)
                r = read_forward(container, driver, log, err);
        return r;
}

int container_log_options(const Container *container, MonitorLog *ret, Error *err) {
        const LogDriver *driver = driver_of(container);
        MonitorLog log = { 0 };

        if (!driver)
                return error_kind(err, ERROR_INVALID,
                                  "error looking up logging plugin %s: plugin \"%s\" not found",
                                  container_log_driver(container), container_log_driver(container));
        int r = read_options(container, driver, &log, err);
        if (r < 0)
                container_log_options_done(&log);
        else
                *ret = log;
        return r;
}

void container_log_options_done(MonitorLog *log) {
        json_done(&monitor_log_table, log);
}
