/* query.c: see query.h. */
#include "http/query.h"

#include <strings.h>

#include "base/str.h"
#include "http/head.h"

static int add_item(HttpQuery *query, const char *text, size_t length, Error *err) {
        _cleanup_free_ char *name = str_copy_n(text, length);
        _cleanup_free_ char *value = NULL;
        char *equals = strchr(name, '=');

        if (equals)
                *equals = '\0';
        value = str_copy(equals ? equals + 1 : "");
        if (!http_percent_decode(name, true) || !http_percent_decode(value, true))
                return error_kind(err, ERROR_INVALID,
                                  "malformed escape in the query parameter '%s'", name);
        GROW(query->items, query->count);
        query->items[query->count++] = (Pair){ TAKE_PTR(name), TAKE_PTR(value) };
        return 0;
}

int http_query_parse(const char *text, HttpQuery *ret, Error *err) {
        while (*text) {
                size_t length = strcspn(text, "&");
                int r = length ? add_item(ret, text, length, err) : 0;

                if (r < 0)
                        return r;
                text += length + (text[length] == '&');
        }
        return 0;
}

void http_query_done(HttpQuery *query) {
        for (size_t i = 0; i < query->count; i++) {
                free(query->items[i].key);
                free(query->items[i].value);
        }
        free(query->items);
        *query = (HttpQuery){ 0 };
}

const char *http_query_get(const HttpQuery *query, const char *name) {
        for (size_t i = 0; i < query->count; i++)
                if (str_equal(query->items[i].key, name))
                        return query->items[i].value;
        return NULL;
}

char **http_query_all(const HttpQuery *query, const char *name) {
        char **list = NULL;

        for (size_t i = 0; i < query->count; i++)
                if (str_equal(query->items[i].key, name))
                        strv_add(&list, query->items[i].value);
        return list;
}

bool http_query_bool(const HttpQuery *query, const char *name, bool fallback) {
        static const char *const no[] = { "", "0", "no", "false", "none" };
        const char *value = http_query_get(query, name);
        _cleanup_free_ char *copy = NULL;
        const char *word;

        if (!value)
                return fallback;
        copy = str_copy(value);
        word = str_trim(copy);
        for (size_t i = 0; i < ELEMENTS(no); i++)
                if (strcasecmp(word, no[i]) == 0)
                        return false;
        return true;
}

int http_query_int(const HttpQuery *query, const char *name, int64_t *ret, Error *err) {
        const char *value = http_query_get(query, name);

        if (str_empty(value) || str_to_int64(value, ret) == 0)
                return 0;
        return error_kind(err, ERROR_INVALID, "%s: '%s' is not a whole number", name, value);
}
