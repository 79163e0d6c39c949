/* reference.c: see reference.h. */
#include "format/reference.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "base/str.h"
#include "format/digest.h"

#define DEFAULT_DOMAIN "docker.io"
#define DEFAULT_NAMESPACE "library/"
#define NAME_MAX_LENGTH 255
#define TAG_MAX_LENGTH 128

static bool is_lower_alnum(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c) {
        return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Where the separator between two words of a path component ends: '.', '_', "__" or dashes; NULL if
 * none begins at text. */
static const char *skip_separator(const char *text) {
        if (*text == '-')
                return text + strspn(text, "-");
        if (text[0] == '_' && text[1] == '_')
                return text + 2;
        return *text == '.' || *text == '_' ? text + 1 : NULL;
}

/* Components of words of lower-case letters and digits, with single separators between. */
static bool path_valid(const char *text) {
        for (;;) {
                const char *start = text, *after;

                while (is_lower_alnum(*text))
                        text++;
                if (text == start)
                        return false;
                if (!*text)
                        return true;
                after = *text == '/' ? text + 1 : skip_separator(text);
                if (!after)
                        return false;
                text = after;
        }
}

static bool port_valid(const char *text) {
        return *text && text[strspn(text, "0123456789")] == '\0';
}

static bool domain_valid(const char *text) {
        if (*text == '[') {
                const char *end = text + 1 + strspn(text + 1, "0123456789abcdefABCDEF:");

                if (*end != ']' || end == text + 1)
                        return false;
                return end[1] == '\0' || (end[1] == ':' && port_valid(end + 2));
        }
        for (;;) {
                const char *start = text;

                while (is_alnum(*text) || *text == '-')
                        text++;
                if (text == start || *start == '-' || text[-1] == '-')
                        return false;
                if (!*text)
                        return true;
                if (*text == ':')
                        return port_valid(text + 1);
                if (*text++ != '.')
                        return false;
        }
}

bool reference_tag_valid(const char *text) {
        size_t length = strlen(text);

        if (length == 0 || length > TAG_MAX_LENGTH || *text == '.' || *text == '-')
                return false;
        for (; *text; text++)
                if (!is_alnum(*text) && !strchr("_.-", *text))
                        return false;
        return true;
}

static bool has_upper(const char *text) {
        for (; *text; text++)
                if (*text >= 'A' && *text <= 'Z')
                        return true;
        return false;
}

/* Whether the part before the slash names a registry: it looks like a host. */
static bool begins_with_domain(const char *name, const char *slash) {
        _cleanup_free_ char *first = slash ? str_copy_n(name, (size_t)(slash - name)) : NULL;

        return first &&
               (strpbrk(first, ".:[") || str_equal(first, "localhost") || has_upper(first));
}

/* Splits "domain/path". */
static void split_domain(const char *name, Reference *ret) {
        const char *slash = strchr(name, '/');

        if (begins_with_domain(name, slash)) {
                ret->domain = str_copy_n(name, (size_t)(slash - name));
                ret->path = str_copy(slash + 1);
        } else {
                ret->domain = str_copy(DEFAULT_DOMAIN);
                ret->path = str_copy(name);
        }
        if (str_equal(ret->domain, "index.docker.io"))
                str_replace(&ret->domain, DEFAULT_DOMAIN);
        if (str_equal(ret->domain, DEFAULT_DOMAIN) && !strchr(ret->path, '/')) {
                char *path = str_format(DEFAULT_NAMESPACE "%s", ret->path);

                free(ret->path);
                ret->path = path;
        }
}

static int check(const char *text, const Reference *reference, Error *err) {
        if (has_upper(reference->path))
                return error_kind(
                        err, ERROR_INVALID,
                        "invalid reference format: repository name (%s) must be lowercase",
                        reference->path);
        if (!path_valid(reference->path) || !domain_valid(reference->domain) ||
            (reference->tag && !reference_tag_valid(reference->tag)))
                return error_kind(err, ERROR_INVALID, "invalid reference format");
        if (strlen(reference->domain) + 1 + strlen(reference->path) > NAME_MAX_LENGTH)
                return error_kind(err, ERROR_INVALID,
                                  "repository name must not be more than %d characters",
                                  NAME_MAX_LENGTH);
        if (reference->digest && !digest_valid(reference->digest))
                return error_kind(err, ERROR_INVALID,
                                  "invalid reference format: digest '%.80s' is not sha256 and 64 "
                                  "hexadecimal digits",
                                  reference->digest);
        if (id_valid(text))
                return error_kind(
                        err, ERROR_INVALID,
                        "invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
                        text);
        return 0;
}

int reference_parse(const char *text, Reference *ret, Error *err) {
        Reference reference = {};
        const char *at = strchr(text, '@');
        _cleanup_free_ char *name = str_copy_n(text, at ? (size_t)(at - text) : strlen(text));
        char *colon = strrchr(name, ':');
        int r;

        if (at)
                reference.digest = str_copy(at + 1);
        if (colon && !strchr(colon, '/')) {
                reference.tag = str_copy(colon + 1);
                *colon = '\0';
        }
        split_domain(name, &reference);
        r = check(text, &reference, err);
        if (r < 0) {
                reference_done(&reference);
                return r;
        }
        *ret = reference;
        return 0;
}

void reference_done(Reference *reference) {
        free(reference->domain);
        free(reference->path);
        free(reference->tag);
        free(reference->digest);
        *reference = (Reference){};
}

void reference_default_tag(Reference *reference) {
        if (!reference->tag && !reference->digest)
                reference->tag = str_copy("latest");
}

static char *with_suffix(char *repository, const Reference *reference) {
        Buf buf = {};

        buf_add_str(&buf, repository);
        free(repository);
        if (reference->tag)
                buf_format(&buf, ":%s", reference->tag);
        if (reference->digest)
                buf_format(&buf, "@%s", reference->digest);
        return buf_take(&buf);
}

char *reference_repository(const Reference *reference) {
        return str_format("%s/%s", reference->domain, reference->path);
}

char *reference_full(const Reference *reference) {
        return with_suffix(reference_repository(reference), reference);
}

char *reference_familiar_repository(const Reference *reference) {
        const char *path = reference->path, *official = str_after(path, DEFAULT_NAMESPACE);

        if (!str_equal(reference->domain, DEFAULT_DOMAIN))
                return reference_repository(reference);
        if (official && !strchr(official, '/'))
                return str_copy(official);
        /* "docker.io/a.b/c" must not come back as the registry a.b's. */
        return begins_with_domain(path, strchr(path, '/')) ? reference_repository(reference)
                                                           : str_copy(path);
}

char *reference_familiar(const Reference *reference) {
        return with_suffix(reference_familiar_repository(reference), reference);
}
