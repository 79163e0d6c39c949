/* options-set.c: a flag's value, by the option's kind, into its place. */
#include <limits.h>

#include "daemon/options-private.h"

static int invalid(const Option *option, const char *value, const char *remedy, Error *err) {
        return error_kind(err, ERROR_INVALID, "invalid argument \"%s\" for \"--%s\": %s", value,
                          option->name, remedy);
}

static int set_string(void *slot, const Option *option, const char *value, Error *err) {
        str_replace(slot, value);
        return 0;
}

static int add_word(void *slot, const Option *option, const char *value, Error *err) {
        strv_add(slot, value);
        return 0;
}

static int set_bool(void *slot, const Option *option, const char *value, Error *err) {
        bool *flag = slot;

        if (!value || str_equal(value, "true") || str_equal(value, "1"))
                *flag = true;
        else if (str_equal(value, "false") || str_equal(value, "0"))
                *flag = false;
        else
                return invalid(option, value, "give true or false", err);
        return 0;
}

/* "key=…": *ret_key is the caller's. The value's begin, or NULL. */
static const char *split_pair(const char *text, char **ret_key) {
        const char *equals = strchr(text, '=');

        if (!equals || equals == text || !equals[1])
                return NULL;
        *ret_key = str_copy_n(text, (size_t)(equals - text));
        return equals + 1;
}

static int add_pair(void *slot, const Option *option, const char *value, Error *err) {
        _cleanup_free_ char *key = NULL;
        const char *equals = strchr(value, '=');

        if (!equals || equals == value)
                return invalid(option, value, "give KEY=VALUE", err);
        key = str_copy_n(value, (size_t)(equals - value));
        pairs_put(slot, key, equals + 1);
        return 0;
}

static int set_maybe_bool(void *slot, const Option *option, const char *value, Error *err) {
        bool **flag = slot;

        if (!*flag)
                *flag = NEW(bool);
        return set_bool(*flag, option, value, err);
}

static int set_maybe_int(void *slot, const Option *option, const char *value, Error *err) {
        int64_t **place = slot;
        int number;

        if (str_to_int_in(value, INT_MIN, INT_MAX, &number) < 0)
                return invalid(option, value, "give a whole number", err);
        if (!*place)
                *place = NEW(int64_t);
        **place = number;
        return 0;
}

static int set_size(void *slot, const Option *option, const char *value, Error *err) {
        json_object **place = slot;

        (void)json_object_put(*place);
        *place = json_object_new_string(value);
        return 0;
}

/* "base=10.10.0.0/16,size=24" */
static int add_pool(void *slot, const Option *option, const char *value, Error *err) {
        _cleanup_strv_ char **words = str_split(value, ',');
        const char *base = NULL;
        int size = -1;

        for (char **word = words; word && *word; word++) {
                const char *number = str_after(*word, "size=");
                const char *subnet = str_after(*word, "base=");

                if (subnet)
                        base = subnet;
                if (number && str_to_int_in(number, 0, 128, &size) < 0)
                        size = -1;
        }
        if (strv_length(words) != 2 || !base || size < 0)
                return invalid(option, value, "give base=10.10.0.0/16,size=24", err);
        AddressPoolSpec *source = json_append(slot, &address_pool_spec_table);
        source->base = str_copy(base);
        source->size = size;
        return 0;
}

/* "nofile=512:1024"; one number is both, -1 is no limit. */
static int add_ulimit(void *slot, const Option *option, const char *value, Error *err) {
        _cleanup_free_ char *name = NULL;
        const char *limits = split_pair(value, &name);
        _cleanup_strv_ char **words = limits ? str_split(limits, ':') : NULL;
        size_t count = strv_length(words);
        int64_t soft, hard;

        if (count < 1 || count > 2 || str_to_int64(words[0], &soft) < 0 ||
            str_to_int64(words[count - 1], &hard) < 0)
                return invalid(option, value, "give NAME=SOFT[:HARD], as in nofile=512:1024", err);
        Ulimit *limit = json_append(slot, &default_ulimit_table);
        limit->name = TAKE_PTR(name);
        limit->soft = soft;
        limit->hard = hard;
        return 0;
}

static int add_runtime(void *slot, const Option *option, const char *value, Error *err) {
        _cleanup_free_ char *name = NULL;
        const char *path = split_pair(value, &name);

        if (!path)
                return invalid(option, value, "give NAME=PATH", err);
        RuntimeSpec *runtime = json_append(slot, &runtime_spec_table);
        runtime->name = TAKE_PTR(name);
        runtime->path = str_copy(path);
        return 0;
}

static int add_feature(void *slot, const Option *option, const char *value, Error *err) {
        _cleanup_free_ char *name = NULL;
        const char *text = split_pair(value, &name);
        json_object **place = slot;
        bool on = true;
        int r = text ? set_bool(&on, option, text, err) : 0;

        if (r < 0)
                return r;
        if (!*place)
                *place = json_object_new_object();
        (void)json_object_object_add(*place, name ?: value, json_object_new_boolean(on));
        return 0;
}

static const struct {
        int (*set)(void *slot, const Option *option, const char *value, Error *err);
        bool is_switch;
} kinds[] = {
        [OPTION_STRING] = { set_string, false },
        [OPTION_LIST] = { add_word, false },
        [OPTION_PAIR] = { add_pair, false },
        [OPTION_BOOL] = { set_bool, true },
        [OPTION_MAYBE_BOOL] = { set_maybe_bool, true },
        [OPTION_MAYBE_INT] = { set_maybe_int, false },
        [OPTION_SIZE] = { set_size, false },
        [OPTION_POOL] = { add_pool, false },
        [OPTION_ULIMIT] = { add_ulimit, false },
        [OPTION_RUNTIME] = { add_runtime, false },
        [OPTION_FEATURE] = { add_feature, false },
};

bool option_is_switch(const Option *option) {
        return kinds[option->kind].is_switch;
}

int option_set(DaemonOptions *values, const Option *option, const char *value, Error *err) {
        if (option->member && !strv_has(values->given, option->member))
                strv_add(&values->given, option->member);
        return kinds[option->kind].set((char *)values + option->offset, option, value, err);
}
