/* credentials-read.c: the forms that credentials have in config.json, in a helper's answer and in a
 * header. See credentials.h. */
#include "cli/credentials.h"

#include <string.h>

#include "base/base64.h"

void credentials_done(Credentials *credentials) {
        char *const members[] = { credentials->username, credentials->password,
                                  credentials->identity_token, credentials->registry_token };

        for (size_t i = 0; i < ELEMENTS(members); i++) {
                if (members[i])
                        explicit_bzero(members[i], strlen(members[i]));
                free(members[i]);
        }
        *credentials = (Credentials){};
}

bool credentials_empty(const Credentials *credentials) {
        return str_empty(credentials->username) && str_empty(credentials->password) &&
               str_empty(credentials->identity_token) && str_empty(credentials->registry_token);
}

/* ---- base64 ---- */

char *credentials_encode(const char *text, bool url) {
        return url ? base64_url_encode(text, strlen(text)) : base64_encode(text, strlen(text));
}

char *credentials_decode(const char *text) {
        _cleanup_buf_ Buf out = {};

        if (base64_decode_any(text, &out) < 0 || (out.data && strlen(out.data) != out.length))
                return NULL; /* no text has a NUL */
        return buf_take(&out);
}

/* ---- documents ---- */

static void take(char **slot, const char *value) {
        if (!str_empty(value))
                str_replace(slot, value);
}

bool credentials_from_helper(const char *text, size_t length, Credentials *ret) {
        _cleanup_json_ json_object *answer = NULL;
        const char *user, *secret;

        if (json_parse_any(text, length, &answer, NULL) < 0)
                return false;
        user = json_member_string(answer, "Username");
        secret = json_member_string(answer, "Secret");
        if (!secret)
                return false;
        if (str_equal(user, "<token>")) {
                take(&ret->identity_token, secret);
        } else {
                take(&ret->username, user);
                take(&ret->password, secret);
        }
        return true;
}

bool credentials_same_server(const char *key, const char *server) {
        const char *host = str_after(key, "https://") ?: str_after(key, "http://") ?: key;
        size_t length = strcspn(host, "/");

        return str_equal(key, server) ||
               (strlen(server) == length && strncmp(host, server, length) == 0);
}

static void read_entry(json_object *entry, Credentials *ret) {
        _cleanup_free_ char *pair = credentials_decode(json_member_string(entry, "auth") ?: "");
        char *colon = pair ? strchr(pair, ':') : NULL;

        if (colon) {
                *colon = '\0';
                take(&ret->username, pair);
                take(&ret->password, colon + 1);
        }
        take(&ret->identity_token, json_member_string(entry, "identitytoken"));
        take(&ret->registry_token, json_member_string(entry, "registrytoken"));
}

/* The server's own key before one that only means it. */
void credentials_from_auths(json_object *auths, const char *server, Credentials *ret) {
        json_object *own = json_member(auths, server);

        if (own) {
                read_entry(own, ret);
                return;
        }
        if (!json_object_is_type(auths, json_type_object))
                return;
        json_object_object_foreach(auths, key, entry) {
                if (!credentials_same_server(key, server))
                        continue;
                read_entry(entry, ret);
                return;
        }
}

static void put(json_object *object, const char *name, const char *value) {
        if (!str_empty(value))
                (void)json_object_object_add(object, name, json_object_new_string(value));
}

json_object *credentials_entry(const Credentials *credentials) {
        json_object *entry = json_object_new_object();
        _cleanup_free_ char *pair = NULL, *encoded = NULL;

        if (!str_empty(credentials->username)) {
                pair = str_format("%s:%s", credentials->username, credentials->password ?: "");
                encoded = credentials_encode(pair, false);
                explicit_bzero(pair, strlen(pair));
        }
        put(entry, "auth", encoded);
        put(entry, "identitytoken", credentials->identity_token);
        put(entry, "registrytoken", credentials->registry_token);
        return entry;
}
