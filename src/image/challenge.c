/* challenge.c: see challenge.h. */
#include "image/challenge.h"

#include <strings.h>

#include "base/cleanup.h"
#include "base/str.h"

void challenge_done(Challenge *challenge) {
        free(challenge->realm);
        free(challenge->service);
        free(challenge->scope);
        *challenge = (Challenge){};
}

static const char *skip(const char *text, const char *set) {
        return text + strspn(text, set);
}

/* RFC 9110's token. */
static const char *token_end(const char *text) {
        return text + strspn(text,
                             "!#$%&'*+-.^_`|~"
                             "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* A quoted string at text, or a token; that registries leave out the quotes of a URL is put up
 * with. NULL: neither. */
static const char *read_value(const char *text, char **ret) {
        Buf value = {};

        if (*text != '"') {
                const char *end = text + strcspn(text, " \t,\"");

                *ret = str_copy_n(text, (size_t)(end - text));
                return end == text ? NULL : end;
        }
        for (text++; *text && *text != '"'; text++) {
                if (*text == '\\' && text[1])
                        text++;
                buf_add_char(&value, *text);
        }
        *ret = buf_take(&value);
        return *text == '"' ? text + 1 : NULL;
}

static void keep(Challenge *challenge, const char *name, const char *value) {
        const struct {
                const char *name;
                char **slot;
        } slots[] = {
                { "realm", &challenge->realm },
                { "service", &challenge->service },
                { "scope", &challenge->scope },
        };

        for (size_t i = 0; i < ELEMENTS(slots); i++)
                if (strcasecmp(slots[i].name, name) == 0 && !*slots[i].slot)
                        *slots[i].slot = str_copy(value);
}

/* One "name=value" at text: where it ends, or NULL if what stands there is none (a new scheme, the
 * end, damage). */
static const char *read_parameter(const char *text, Challenge *challenge) {
        const char *end = token_end(text), *equals = skip(end, " \t");
        _cleanup_free_ char *name = NULL, *value = NULL;

        if (end == text || *equals != '=')
                return NULL;
        name = str_copy_n(text, (size_t)(end - text));
        end = read_value(skip(equals + 1, " \t"), &value);
        if (end)
                keep(challenge, name, value);
        return end;
}

bool challenge_parse(const char *header, const char *scheme, Challenge *ret) {
        const char *text = skip(header, " \t,");

        while (*text) {
                Challenge challenge = {};
                const char *end = token_end(text), *next;
                bool wanted = (size_t)(end - text) == strlen(scheme) &&
                              strncasecmp(text, scheme, strlen(scheme)) == 0;

                if (end == text)
                        return false;
                text = skip(end, " \t");
                while ((next = read_parameter(text, &challenge)))
                        text = skip(next, " \t,");
                if (wanted) {
                        *ret = challenge;
                        return true;
                }
                challenge_done(&challenge);
                if (text == end && *text) /* no blank after a scheme: damaged */
                        text = skip(text, " \t,");
                if (text == end && *text)
                        return false;
        }
        return false;
}
