/* log-tag.c: see log-tag.h. */
#include "engine/log-tag.h"

#include <ctype.h>

#include "base/str.h"

static int refuse(const char *action, size_t length, const Pairs *fields, Error *err) {
        _cleanup_buf_ Buf known = { 0 };

        for (size_t i = 0; i < fields->count; i++)
                buf_format(&known, "%s{{.%s}}", i > 0 ? ", " : "", fields->items[i].key);
        return error_kind(err, ERROR_INVALID,
                          "invalid log tag: \"{{%.*s}}\" is not supported; use %s",
                          (int)MIN(length, 100), action, known.data ?: "no templates");
}

static const char *skip_blanks(const char *at, const char *end) {
        while (at < end && isspace((unsigned char)*at))
                at++;
        return at;
}

/* The value of what stands between the braces; NULL where that is no field. */
static const char *value_of(const char *at, const char *end, const Pairs *fields) {
        at = skip_blanks(at, end);
        while (end > at && isspace((unsigned char)end[-1]))
                end--;
        if (at == end || *at != '.')
                return NULL;
        _cleanup_free_ char *name = str_copy_n(at + 1, (size_t)(end - at - 1));
        return pairs_get(fields, name);
}

static void trim_end(Buf *buf) {
        while (buf->length > 0 && isspace((unsigned char)buf->data[buf->length - 1]))
                buf->data[--buf->length] = '\0';
}

int log_tag_expand(const char *text, const Pairs *fields, char **ret, Error *err) {
        _cleanup_buf_ Buf tag = { 0 };
        const char *open, *close;

        while ((open = strstr(text, "{{")) != NULL) {
                buf_add(&tag, text, (size_t)(open - text));
                open += 2;
                close = strstr(open, "}}");
                if (!close)
                        return error_kind(err, ERROR_INVALID,
                                          "invalid log tag: unclosed action in \"%.100s\"",
                                          open - 2);
                bool trims_before = open[0] == '-' && isspace((unsigned char)open[1]);
                bool trims_after =
                        close - open > 2 && close[-1] == '-' && isspace((unsigned char)close[-2]);
                const char *value = value_of(open + trims_before, close - trims_after, fields);
                if (!value)
                        return refuse(open, (size_t)(close - open), fields, err);
                if (trims_before)
                        trim_end(&tag);
                buf_add_str(&tag, value);
                text = close + 2;
                if (trims_after)
                        text = skip_blanks(text, text + strlen(text));
        }
        buf_add_str(&tag, text);
        *ret = buf_take(&tag);
        return 0;
}
