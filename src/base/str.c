/* str.c: see str.h. */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static char *format_args(const char *format, va_list args) {
        char *text = NULL;

        if (vasprintf(&text, format, args) < 0)
                abort();
        return text;
}

char *str_format(const char *format, ...) {
        va_list args;
        char *text;

        va_start(args, format);
        text = format_args(format, args);
        va_end(args);
        return text;
}

char *str_copy(const char *text) {
        return text ? alloc_copy(text, strlen(text) + 1) : NULL;
}

char *str_copy_n(const char *text, size_t length) {
        char *copy = alloc_zero(length + 1, 1);

        memcpy(copy, text, length);
        return copy;
}

void str_replace(char **slot, const char *text) {
        char *copy = str_copy(text);

        free(*slot);
        *slot = copy;
}

bool str_equal(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_empty(const char *text) {
        return !text || !*text;
}

const char *str_after(const char *text, const char *prefix) {
        size_t length = strlen(prefix);

        return text && strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

bool str_ends(const char *text, const char *suffix) {
        size_t length = text ? strlen(text) : 0, tail = strlen(suffix);

        return text && length >= tail && strcmp(text + length - tail, suffix) == 0;
}

char *str_trim(char *text) {
        size_t length;

        while (isspace((unsigned char)*text))
                text++;
        length = strlen(text);
        while (length > 0 && isspace((unsigned char)text[length - 1]))
                text[--length] = '\0';
        return text;
}

char *str_lower(char *text) {
        for (char *c = text; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        return text;
}

int str_to_int64(const char *text, int64_t *ret) {
        char *end;
        intmax_t value;

        if (str_empty(text) || isspace((unsigned char)*text))
                return -EINVAL;
        errno = 0;
        value = strtoimax(text, &end, 10);
        if (errno != 0)
                return -errno;
        if (*end != '\0')
                return -EINVAL;
        *ret = value;
        return 0;
}

int str_to_uint64(const char *text, uint64_t *ret) {
        char *end;
        uintmax_t value;

        if (str_empty(text) || !isdigit((unsigned char)*text))
                return -EINVAL;
        errno = 0;
        value = strtoumax(text, &end, 10);
        if (errno != 0)
                return -errno;
        if (*end != '\0')
                return -EINVAL;
        *ret = value;
        return 0;
}

int str_to_int_in(const char *text, int low, int high, int *ret) {
        int64_t value = 0;
        int r = str_to_int64(text, &value);

        if (r < 0)
                return r;
        if (value < low || value > high)
                return -ERANGE;
        *ret = (int)value;
        return 0;
}

int str_to_double(const char *text, double *ret) {
        char *end;
        double value;

        /* strtod also takes "nan", "inf" and hexadecimal. */
        if (str_empty(text) || text[strspn(text, "0123456789+-.eE")] != '\0')
                return -EINVAL;
        errno = 0;
        value = strtod(text, &end);
        if (errno != 0 || *end != '\0')
                return errno != 0 ? -errno : -EINVAL;
        *ret = value;
        return 0;
}

int str_to_size(const char *text, int64_t *ret) {
        static const char letters[] = "kmgtpe";
        size_t digits = strspn(text, "0123456789.");
        _cleanup_free_ char *number = str_copy_n(text, digits);
        const char *suffix = text + digits;
        const char *letter;
        double value = 0, scale = 1;

        if (digits == 0 || str_to_double(number, &value) < 0)
                return -EINVAL;
        while (*suffix == ' ')
                suffix++;
        letter = *suffix ? strchr(letters, tolower((unsigned char)*suffix)) : NULL;
        if (letter) {
                for (const char *step = letters; step <= letter; step++)
                        scale *= 1024;
                suffix++;
                if (tolower((unsigned char)*suffix) == 'i' &&
                    tolower((unsigned char)suffix[1]) == 'b')
                        suffix++;
        }
        if (*suffix && !(tolower((unsigned char)*suffix) == 'b' && !suffix[1]))
                return -EINVAL;
        if (value * scale >= 9.2e18)
                return -ERANGE;
        *ret = (int64_t)(value * scale);
        return 0;
}

unsigned str_distance(const char *a, const char *b) {
        size_t width = strlen(b) + 1;
        _cleanup_free_ unsigned *rows = NEW_ARRAY(unsigned, 3 * width);
        unsigned *before = rows, *above = rows + width, *row = rows + 2 * width;

        for (size_t j = 0; j < width; j++)
                above[j] = (unsigned)j;
        for (size_t i = 0; a[i]; i++) {
                unsigned *spare = before;

                row[0] = (unsigned)i + 1;
                for (size_t j = 1; j < width; j++) {
                        unsigned change = above[j - 1] + (a[i] != b[j - 1]);

                        row[j] = MIN(change, MIN(above[j], row[j - 1]) + 1);
                        if (i > 0 && j > 1 && a[i] == b[j - 2] && a[i - 1] == b[j - 1])
                                row[j] = MIN(row[j], before[j - 2] + 1);
                }
                before = above;
                above = row;
                row = spare;
        }
        return above[width - 1];
}

size_t strv_length(char *const *list) {
        size_t length = 0;

        while (list && list[length])
                length++;
        return length;
}

/* As large as strv_take takes a list of that length to be. */
char **strv_new(size_t length) {
        size_t room = 2;

        while (room <= length)
                room *= 2;
        return NEW_ARRAY(char *, room);
}

char **strv_copy(char *const *list) {
        size_t length = strv_length(list);
        char **copy = length > 0 ? strv_new(length) : NULL;

        for (size_t i = 0; i < length; i++)
                copy[i] = str_copy(list[i]);
        return copy;
}

char **strv_free(char **list) {
        for (size_t i = 0; list && list[i]; i++)
                free(list[i]);
        free(list);
        return NULL;
}

void strv_take_at(char ***list, size_t length, char *text) {
        /* Grows by doubling: the list holds length + 1 pointers, and is enlarged as that reaches a
         * power of two. */
        if (((length + 1) & length) == 0)
                *list = alloc_resize(*list, (length + 1) * 2, sizeof(char *));
        (*list)[length] = text;
        (*list)[length + 1] = NULL;
}

void strv_take(char ***list, char *text) {
        strv_take_at(list, strv_length(*list), text);
}

void strv_add(char ***list, const char *text) {
        strv_take(list, str_copy(text));
}

void strv_format(char ***list, const char *format, ...) {
        va_list args;

        va_start(args, format);
        strv_take(list, format_args(format, args));
        va_end(args);
}

bool strv_has(char *const *list, const char *text) {
        for (size_t i = 0; list && list[i]; i++)
                if (strcmp(list[i], text) == 0)
                        return true;
        return false;
}

static void drop_at(char **list, size_t index) {
        free(list[index]);
        for (; list[index]; index++)
                list[index] = list[index + 1];
}

bool strv_drop(char **list, const char *text) {
        for (size_t i = 0; list && list[i]; i++)
                if (strcmp(list[i], text) == 0) {
                        drop_at(list, i);
                        return true;
                }
        return false;
}

char **str_split(const char *text, char separator) {
        char **list = NULL;

        if (str_empty(text))
                return NULL;
        for (;;) {
                const char *end = strchrnul(text, separator);

                strv_take(&list, str_copy_n(text, (size_t)(end - text)));
                if (!*end)
                        return list;
                text = end + 1;
        }
}

char *strv_join(char *const *list, const char *separator) {
        Buf buf = {};

        for (size_t i = 0; list && list[i]; i++) {
                if (i > 0)
                        buf_add_str(&buf, separator);
                buf_add_str(&buf, list[i]);
        }
        return buf_take(&buf);
}

static size_t env_find(char *const *env, const char *name) {
        size_t length = strlen(name), i = 0;

        for (; env && env[i]; i++)
                if (strncmp(env[i], name, length) == 0 && env[i][length] == '=')
                        break;
        return i;
}

const char *env_get(char *const *env, const char *name) {
        size_t i = env_find(env, name);

        return env && env[i] ? env[i] + strlen(name) + 1 : NULL;
}

void env_put(char ***env, const char *name, const char *value) {
        size_t i = env_find(*env, name);
        char *text = str_format("%s=%s", name, value);

        if (*env && (*env)[i]) {
                free((*env)[i]);
                (*env)[i] = text;
        } else
                strv_take(env, text);
}

void env_drop(char **env, const char *name) {
        size_t i = env_find(env, name);

        if (env && env[i])
                drop_at(env, i);
}

void buf_done(Buf *buf) {
        free(buf->data);
        *buf = (Buf){};
}

void buf_clear(Buf *buf) {
        buf->length = 0;
        if (buf->data)
                buf->data[0] = '\0';
}

void buf_reserve(Buf *buf, size_t more) {
        size_t need = buf->length + more + 1;

        if (need < more)
                abort();
        if (need <= buf->capacity)
                return;
        buf->capacity = MAX(need, buf->capacity * 2);
        buf->data = alloc_resize(buf->data, buf->capacity, 1);
}

void buf_add(Buf *buf, const void *data, size_t length) {
        buf_reserve(buf, length);
        if (length > 0)
                memcpy(buf->data + buf->length, data, length);
        buf->length += length;
        buf->data[buf->length] = '\0';
}

void buf_add_str(Buf *buf, const char *text) {
        buf_add(buf, text, strlen(text));
}

void buf_add_char(Buf *buf, char character) {
        buf_add(buf, &character, 1);
}

void buf_format(Buf *buf, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list args;

        va_start(args, format);
        text = format_args(format, args);
        va_end(args);
        buf_add_str(buf, text);
}

void buf_drop_front(Buf *buf, size_t length) {
        length = MIN(length, buf->length);
        if (length == 0)
                return;
        memmove(buf->data, buf->data + length, buf->length - length);
        buf->length -= length;
        buf->data[buf->length] = '\0';
}

char *buf_take(Buf *buf) {
        char *text = buf->data ? buf->data : str_copy("");

        *buf = (Buf){};
        return text;
}
