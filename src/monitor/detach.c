/* detach.c: see detach.h. */
#include "monitor/detach.h"

#include <string.h>

/* The byte of one key's name, or -1. */
static int key_code(const char *name) {
        const char *control = str_after(name, "ctrl-");

        if (name[0] != '\0' && name[1] == '\0')
                return (unsigned char)name[0];
        if (str_equal(name, "DEL"))
                return 127;
        if (!control || control[0] == '\0' || control[1] != '\0')
                return -1;
        if (control[0] >= 'a' && control[0] <= 'z')
                return control[0] - 'a' + 1;
        /* The control characters that are no letters: 0 and 27 to 31. */
        if (control[0] == '@' || (control[0] >= '[' && control[0] <= '_'))
                return control[0] - '@';
        return -1;
}

int detach_keys_parse(const char *text, DetachKeys *ret, Error *err) {
        _cleanup_strv_ char **names = str_split(str_empty(text) ? DETACH_KEYS_DEFAULT : text, ',');
        DetachKeys keys = {};

        for (size_t i = 0; names[i]; i++) {
                int code = key_code(names[i]);

                if (code < 0)
                        return error_kind(err, ERROR_INVALID, "Unknown character: '%s'", names[i]);
                if (keys.count == DETACH_KEYS_MAX)
                        return error_kind(err, ERROR_INVALID, "more than %d detach keys in '%s'",
                                          DETACH_KEYS_MAX, text);
                keys.codes[keys.count++] = (unsigned char)code;
        }
        *ret = keys;
        return 0;
}

/* After a byte that does not go on with the keys: the longest start of them that what was typed so
 * far still ends with. */
static size_t shorter_match(const DetachKeys *keys) {
        for (size_t length = keys->matched - 1; length > 0; length--)
                if (memcmp(keys->codes, keys->codes + keys->matched - length, length) == 0)
                        return length;
        return 0;
}

bool detach_keys_filter(DetachKeys *keys, const void *data, size_t length, Buf *out) {
        const unsigned char *bytes = data;

        for (size_t i = 0; i < length; i++) {
                while (keys->matched > 0 && bytes[i] != keys->codes[keys->matched]) {
                        size_t kept = shorter_match(keys);

                        buf_add(out, keys->codes, keys->matched - kept);
                        keys->matched = kept;
                }
                if (keys->count == 0 || bytes[i] != keys->codes[keys->matched]) {
                        buf_add(out, bytes + i, 1);
                        continue;
                }
                if (++keys->matched == keys->count) {
                        keys->matched = 0;
                        return true;
                }
        }
        return false;
}
