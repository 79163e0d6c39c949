/* auth.c: see auth.h. */
#include "api/auth.h"

static const JsonField auth_fields[] = {
        JSON_FIELD(RegistryAuth, "username", JSON_STRING, username, 0),
        JSON_FIELD(RegistryAuth, "password", JSON_STRING, password, 0),
        JSON_FIELD(RegistryAuth, "identitytoken", JSON_STRING, identity_token, 0),
        JSON_FIELD(RegistryAuth, "registrytoken", JSON_STRING, registry_token, 0),
};
static const JsonTable auth_table = JSON_TABLE(RegistryAuth, "X-Registry-Auth", auth_fields);

static int digit_value(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        if (c == '+' || c == '-')
                return 62;
        if (c == '/' || c == '_')
                return 63;
        return -1;
}

bool base64_decode_any(const char *text, Buf *ret) {
        size_t length = strlen(text);
        unsigned bits = 0;
        int held = 0;

        while (length > 0 && text[length - 1] == '=')
                length--;
        if (length % 4 == 1)
                return false;
        for (size_t i = 0; i < length; i++) {
                int value = digit_value(text[i]);

                if (value < 0)
                        return false;
                bits = (bits << 6 | (unsigned)value) & 0xfff;
                held += 6;
                if (held >= 8) {
                        held -= 8;
                        buf_add_char(ret, (char)(bits >> held & 0xff));
                }
        }
        return true;
}

void api_registry_auth(const ApiRequest *request, RegistryAuth *ret) {
        const char *header = http_head_get(request->head, "X-Registry-Auth");
        _cleanup_buf_ Buf text = { 0 };

        if (str_empty(header) || !base64_decode_any(header, &text))
                return;
        if (json_parse(&auth_table, text.data, text.length, ret, NULL) < 0)
                api_registry_auth_done(ret);
        if (text.data)
                explicit_bzero(text.data, text.length);
}

void api_registry_auth_done(RegistryAuth *auth) {
        json_done(&auth_table, auth);
}

void api_registry_refused(Error *err) {
        if (err->kind == ERROR_UNAUTHORIZED)
                err->kind = ERROR_INTERNAL;
}
