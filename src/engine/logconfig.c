/* logconfig.c: what a container's log options mean. The monitor writes the log, logs.c reads it. */
#include <ctype.h>
#include <errno.h>

#include "engine/internal.h"

/* Bounded, unlike Docker's: a chatty container must not fill the disk. */
#define DEFAULT_MAX_SIZE (100LL * 1000 * 1000)
#define DEFAULT_MAX_FILES 3

const char *container_log_driver(const Container *container) {
        const char *own = container->spec.host.log_config.type;
        const char *daemon = container->engine->options.log.type;

        return !str_empty(own) ? own : !str_empty(daemon) ? daemon : "json-file";
}

char *container_log_path(const Container *container) {
        return str_format("%s-json.log", container->id);
}

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

static const char *option(const Container *container, const char *name) {
        const char *own = pairs_get(&container->spec.host.log_config.config, name);
        bool same = str_empty(container->spec.host.log_config.type) ||
                    str_equal(container->spec.host.log_config.type,
                              container->engine->options.log.type);

        return own || !same ? own : pairs_get(&container->engine->options.log.config, name);
}

int container_log_options(const Container *container, MonitorLog *ret, Error *err) {
        const char *size = option(container, "max-size"), *files = option(container, "max-file");
        int64_t max_size = DEFAULT_MAX_SIZE, max_files = DEFAULT_MAX_FILES;

        if (size && size_parse(size, &max_size) < 0)
                return error_kind(err, ERROR_INVALID, "invalid log option max-size: \"%s\"", size);
        if (files && (str_to_int64(files, &max_files) < 0 || max_files < 1))
                return error_kind(err, ERROR_INVALID, "invalid log option max-file: \"%s\"", files);
        ret->driver = (char *)container_log_driver(container);
        ret->path = container_log_path(container);
        ret->max_size = max_size;
        ret->max_files = max_files;
        return 0;
}
