/* explore-findings.c: files that look like secrets: by name, and where names lie too often (a .pem
 * is a certificate more often than a key) by what stands in them. Tells the reason, never the
 * content. */
#include <fnmatch.h>

#include "base/fd.h"
#include "image/explore.h"

#define HEAD_MAX 128               /* bytes of any file that are looked at */
#define KEY_FILE_MAX (1024 * 1024) /* nobody's private key is longer */
#define TEXT_MAX (256 * 1024)      /* of a file whose name is one of those below */

typedef struct SecretName {
        const char *pattern;   /* fnmatch(3) of the path with a slash in front */
        const char *needle[3]; /* one of them must stand in it; none: the name is enough */
        const char *reason;
} SecretName;

static const SecretName secret_names[] = {
        { "*/id_rsa", {}, "an SSH private key by its name" },
        { "*/id_dsa", {}, "an SSH private key by its name" },
        { "*/id_ecdsa", {}, "an SSH private key by its name" },
        { "*/id_ed25519", {}, "an SSH private key by its name" },
        { "*/.env", {}, "an environment file" },
        { "*/.netrc", { "password" }, "logins of netrc" },
        { "*/.npmrc", { "_authToken", "_password", "_auth=" }, "an npm token" },
        { "*/.pypirc", { "password", "token" }, "a PyPI token" },
        { "*/.aws/credentials", {}, "AWS credentials" },
        { "*/.docker/config.json", { "\"auth\"", "identitytoken" }, "a registry's credentials" },
        { "*/.git-credentials", {}, "Git credentials" },
        { "*/.kube/config", { "client-key-data", "token:", "password:" }, "a cluster's login" },
        { "*/.pgpass", {}, "PostgreSQL passwords" },
        { "*.pem", { "PRIVATE KEY-----" }, "a private key" },
        { "*.p12", {}, "a PKCS #12 key store by its name" },
        { "*.pfx", {}, "a PKCS #12 key store by its name" },
};

/* A .key is one unless it says that it is public. */
static const char *const public_heads[] = { "-----BEGIN PGP PUBLIC", "-----BEGIN PUBLIC",
                                            "-----BEGIN CERTIFICATE", "-----BEGIN RSA PUBLIC" };

static bool has(const Buf *text, const char *needle) {
        return text->length > 0 && memmem(text->data, text->length, needle, strlen(needle));
}

/* "-----BEGIN … PRIVATE KEY" in the first line. */
static bool begins_as_key(const char *head, size_t length) {
        static const char begin[] = "-----BEGIN ", key[] = "PRIVATE KEY";
        const char *end = length > 0 ? memchr(head, '\n', length) : NULL;

        length = end ? (size_t)(end - head) : length;
        return length > sizeof(begin) - 1 && memcmp(head, begin, sizeof(begin) - 1) == 0 &&
               memmem(head, length, key, sizeof(key) - 1);
}

static bool begins_as_public(const char *head, size_t length) {
        for (size_t i = 0; i < ELEMENTS(public_heads); i++)
                if (head && length >= strlen(public_heads[i]) &&
                    memcmp(head, public_heads[i], strlen(public_heads[i])) == 0)
                        return true;
        return false;
}

static const char *by_name(const char *path, const char *head, size_t length, const Buf *text) {
        for (size_t i = 0; i < ELEMENTS(secret_names); i++) {
                const SecretName *row = &secret_names[i];
                bool found = !row->needle[0];

                if (fnmatch(row->pattern, path, 0) != 0)
                        continue;
                for (size_t j = 0; j < ELEMENTS(row->needle) && row->needle[j]; j++)
                        found = found || has(text, row->needle[j]);
                if (found)
                        return row->reason;
        }
        if (str_ends(path, ".key") && !begins_as_public(head, length))
                return "a private key by its name";
        return NULL;
}

static bool name_is_listed(const char *path) {
        for (size_t i = 0; i < ELEMENTS(secret_names); i++)
                if (secret_names[i].needle[0] && fnmatch(secret_names[i].pattern, path, 0) == 0)
                        return true;
        return false;
}

int explore_secret(int fd, const char *path, int64_t size, const char **ret, Error *err) {
        _cleanup_free_ char *rooted = str_format("/%s", path);
        bool listed = name_is_listed(rooted);
        size_t most = listed ? TEXT_MAX : HEAD_MAX;
        _cleanup_buf_ Buf text = {};
        ssize_t n;

        *ret = NULL;
        if (size == 0)
                return 0;
        if (size <= KEY_FILE_MAX || listed) {
                buf_reserve(&text, most);
                n = fd_read_full(fd, text.data, most);
                if (n < 0)
                        return error_set(err, (int)n, "read '%s'", path);
                text.length = (size_t)n;
        }
        *ret = by_name(rooted, text.data, text.length, &text);
        if (!*ret && size <= KEY_FILE_MAX && begins_as_key(text.data, text.length))
                *ret = "a private key by its first line";
        return 0;
}
