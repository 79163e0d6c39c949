/* auth.c: see auth.h. */
#include "api/auth.h"

#include "base/base64.h"

static const JsonField auth_fields[] = {
        JSON_FIELD(RegistryAuth, "username", JSON_STRING, username, 0),
        JSON_FIELD(RegistryAuth, "password", JSON_STRING, password, 0),
        JSON_FIELD(RegistryAuth, "identitytoken", JSON_STRING, identity_token, 0),
        JSON_FIELD(RegistryAuth, "registrytoken", JSON_STRING, registry_token, 0),
};
static const JsonTable auth_table = JSON_TABLE(RegistryAuth, "X-Registry-Auth", auth_fields);

void api_registry_auth(const ApiRequest *request, RegistryAuth *ret) {
        const char *header = http_head_get(request->head, "X-Registry-Auth");
        _cleanup_buf_ Buf text = { 0 };

        if (str_empty(header) || base64_decode_any(header, &text) < 0)
                return;
        if (json_parse(&auth_table, text.data, text.length, ret, NULL) < 0)
                api_registry_auth_done(ret);
        if (text.data)
                explicit_bzero(text.data, text.length);
}

void api_registry_auth_done(RegistryAuth *auth) {
        json_done(&auth_table, auth);
}

/* "https://index.docker.io/v1/" → "docker.io", "http://a:5/x" → "a:5"; the caller's. */
static char *host_of(const char *key) {
        const char *host = strstr(key, "://");
        _cleanup_free_ char *name = NULL;

        host = host ? host + 3 : key;
        name = str_copy_n(host, strcspn(host, "/"));
        return str_copy(str_equal(name, "index.docker.io") ? "docker.io" : name);
}

/* Configuration files have "auth": base64 of "name:password". */
static void split_auth(json_object *entry, RegistryAuth *ret) {
        const char *text = json_member_string(entry, "auth");
        _cleanup_buf_ Buf pair = { 0 };
        char *colon;

        if (!str_empty(ret->username) || str_empty(text) || base64_decode_any(text, &pair) < 0 ||
            pair.length == 0 || !(colon = strchr(pair.data, ':')))
                return;
        *colon = '\0';
        str_replace(&ret->username, pair.data);
        str_replace(&ret->password, colon + 1);
        explicit_bzero(pair.data, pair.length);
}

static void add_auth(const char *key, json_object *entry, RegistryAuth **auths, char ***hosts) {
        size_t count = strv_length(*hosts);
        RegistryAuth auth = { 0 };

        if (json_read(&auth_table, entry, &auth, NULL) < 0) {
                api_registry_auth_done(&auth);
                return;
        }
        split_auth(entry, &auth);
        GROW(*auths, count);
        (*auths)[count] = auth;
        strv_take(hosts, host_of(key));
}

void api_registry_auths(const ApiRequest *request, RegistryAuth **auths, char ***hosts) {
        const char *header = http_head_get(request->head, "X-Registry-Config");
        _cleanup_json_ json_object *object = NULL;
        _cleanup_buf_ Buf text = { 0 };

        if (str_empty(header) || base64_decode_any(header, &text) < 0 || text.length == 0)
                return;
        if (json_parse_any(text.data, text.length, &object, NULL) >= 0 &&
            json_object_is_type(object, json_type_object)) {
                json_object_object_foreach(object, key, entry) {
                        add_auth(key, entry, auths, hosts);
                }
        }
        explicit_bzero(text.data, text.length);
}

void api_registry_refused(Error *err) {
        if (err->kind == ERROR_UNAUTHORIZED)
                err->kind = ERROR_INTERNAL;
}
