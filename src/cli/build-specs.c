/* build-specs.c: see build-specs.h. https://docs.docker.com/reference/cli/docker/buildx/build/ */
#include "cli/build-specs.h"

#include <errno.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli/specs.h"
#include "cli/values.h"
#include "format/digest.h"
#include "format/git-source.h"
#include "format/reference.h"

static int set_field(void *spec, const char *field, SpecSetField set, Error *err) {
        size_t length = strcspn(field, "=");
        _cleanup_free_ char *raw = str_copy_n(field, length);
        const char *key = str_lower(str_trim(raw));

        if (!field[length])
                return error_kind(err, ERROR_INVALID, "invalid field '%s' must be a key=value pair",
                                  field);
        return set(spec, key, field + length + 1, err);
}

int spec_fields(void *spec, const char *text, SpecSetField set, Error *err) {
        const char *rest = text;

        for (;;) {
                _cleanup_free_ char *field = csv_field(&rest);
                int r;

                if (!field)
                        return 0;
                r = set_field(spec, field, set, err);
                if (r < 0)
                        return r;
        }
}

static int unexpected_key(const char *key, const char *value, Error *err) {
        return error_kind(err, ERROR_INVALID, "unexpected key '%s' in '%s=%s'", key, key, value);
}

/* ---- secrets ---- */

typedef struct SecretFields {
        SecretSpec spec;
        bool from_env; /* type=env: src names a variable */
} SecretFields;

static int set_secret(void *data, const char *key, const char *value, Error *err) {
        SecretFields *fields = data;
        SecretSpec *spec = &fields->spec;

        if (str_equal(key, "id"))
                str_replace(&spec->id, value);
        else if (str_equal(key, "src") || str_equal(key, "source"))
                str_replace(&spec->path, value);
        else if (str_equal(key, "env"))
                str_replace(&spec->env, value);
        else if (!str_equal(key, "type"))
                return unexpected_key(key, value, err);
        else if (str_equal(value, "env"))
                fields->from_env = true;
        else if (!str_equal(value, "file"))
                return error_kind(err, ERROR_INVALID, "unsupported secret type \"%s\": file or env",
                                  value);
        return 0;
}

static int check_secret(SecretFields *fields, Error *err) {
        SecretSpec *spec = &fields->spec;

        if (fields->from_env && !spec->env)
                spec->env = TAKE_PTR(spec->path);
        if (str_empty(spec->id))
                return error_kind(err, ERROR_INVALID, "an id is missing: id=NAME");
        if (spec->path && spec->env)
                return error_kind(err, ERROR_INVALID,
                                  "both src and env are given: a secret is a file or a variable");
        return 0;
}

int secret_spec_parse(const char *text, SecretSpec *ret, Error *err) {
        SecretFields fields = {};
        int r = spec_fields(&fields, text, set_secret, err);

        if (r == 0)
                r = check_secret(&fields, err);
        if (r < 0) {
                secret_spec_done(&fields.spec);
                return error_prefix(err, "invalid secret '%s'", text);
        }
        *ret = fields.spec;
        return 0;
}

void secret_spec_done(SecretSpec *spec) {
        free(spec->id);
        free(spec->path);
        free(spec->env);
        *spec = (SecretSpec){};
}

/* ---- agents ---- */

int ssh_spec_parse(const char *text, SshSpec *ret, Error *err) {
        size_t length = strcspn(text, "=");
        const char *path = text[length] ? text + length + 1 : NULL;

        if (length == 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid ssh agent '%s': write default, or ID=SOCKET", text);
        if (path && strchr(path, ','))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "invalid ssh agent '%s': several keys for one id are not done: "
                                  "add them to an agent with ssh-add and give its socket",
                                  text);
        *ret = (SshSpec){ .id = str_copy_n(text, length),
                          .path = str_empty(path) ? NULL : str_copy(path) };
        return 0;
}

void ssh_spec_done(SshSpec *spec) {
        free(spec->id);
        free(spec->path);
        *spec = (SshSpec){};
}

/* ---- contexts ---- */

bool is_web_address(const char *text) {
        return str_after(text, "http://") || str_after(text, "https://");
}

/* A directory of that name stands before what looks like one. */
int is_git_address(const char *text, Error *err) {
        GitSource source = {};
        struct stat st;
        int r;

        if (!strstr(text, "://") && stat(text, &st) == 0 && S_ISDIR(st.st_mode))
                return 0;
        r = git_source_parse(text, true, &source, err);
        git_source_done(&source);
        return r;
}

/* PATH[:TAG][@DIGEST], as buildx reads it: what is neither belongs to the path. */
static int set_layout(ContextSpec *spec, const char *text, Error *err) {
        const char *digest = strrchr(text, '@');
        char *colon;

        if (digest && !str_after(digest, "@sha"))
                digest = NULL;
        if (digest && !digest_valid(digest + 1))
                return error_kind(err, ERROR_INVALID,
                                  "'%s' is no digest: sha256: and 64 hexadecimal digits",
                                  digest + 1);
        if (digest)
                spec->digest = str_copy(digest + 1);
        spec->layout = str_copy_n(text, digest ? (size_t)(digest - text) : strlen(text));
        colon = strrchr(spec->layout, ':');
        if (colon && reference_tag_valid(colon + 1)) {
                spec->tag = str_copy(colon + 1);
                *colon = '\0';
        }
        return *spec->layout ? 0
                             : error_kind(err, ERROR_INVALID,
                                          "oci-layout:// is not followed by a directory");
}

static int set_context(ContextSpec *spec, const char *value, Error *err) {
        const char *image = str_after(value, "docker-image://");
        const char *layout = str_after(value, "oci-layout://");
        int git;

        if (layout)
                return set_layout(spec, layout, err);
        if (str_after(value, "target:"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "not done: that is for docker bake: name a stage in the "
                                  "Dockerfile");
        git = is_git_address(value, err);
        if (git < 0)
                return git;
        if (image && !*image)
                return error_kind(err, ERROR_INVALID, "docker-image:// is not followed by a name");
        if (image)
                spec->image = str_copy(image);
        else if (git > 0 || is_web_address(value))
                spec->url = str_copy(value);
        else
                spec->path = str_copy(value);
        return 0;
}

int context_spec_parse(const char *text, ContextSpec *ret, Error *err) {
        size_t length = strcspn(text, "=");
        ContextSpec spec = {};
        int r;

        if (length == 0 || !text[length] || !text[length + 1])
                return error_kind(err, ERROR_INVALID,
                                  "invalid context value '%s': expected key=value", text);
        spec.name = str_copy_n(text, length);
        r = set_context(&spec, text + length + 1, err);
        if (r < 0) {
                context_spec_done(&spec);
                return error_prefix(err, "invalid context value '%s'", text);
        }
        *ret = spec;
        return 0;
}

void context_spec_done(ContextSpec *spec) {
        free(spec->name);
        free(spec->image);
        free(spec->url);
        free(spec->path);
        free(spec->layout);
        free(spec->tag);
        free(spec->digest);
        *spec = (ContextSpec){};
}
