/* registry.c: the calls that a registry answers in the end: push, login, search, distribution. */
#include <malloc.h>

#include "api/auth.h"
#include "api/stream.h"
#include "format/digest.h"

typedef struct AuthRequest {
        char *username, *password, *identity_token, *registry_token, *server_address;
} AuthRequest;

static const JsonField auth_fields[] = {
        JSON_FIELD(AuthRequest, "username", JSON_STRING, username, 0),
        JSON_FIELD(AuthRequest, "password", JSON_STRING, password, 0),
        JSON_FIELD(AuthRequest, "identitytoken", JSON_STRING, identity_token, 0),
        JSON_FIELD(AuthRequest, "registrytoken", JSON_STRING, registry_token, 0),
        JSON_FIELD(AuthRequest, "serveraddress", JSON_STRING, server_address, 0),
};
static const JsonTable auth_request_table = JSON_TABLE(AuthRequest, "credentials", auth_fields);

int on_image_push(ApiRequest *request, Error *err) {
        _cleanup_free_ char *name = api_image_name(api_name(request), api_query(request, "tag"));
        RegistryAuth auth = { 0 };
        _cleanup_free_ char *platform = NULL;
        Progress progress = { .exchange = request->exchange };
        int r = api_platform(request, &platform, err);

        if (r < 0)
                return r;
        api_registry_auth(request, &auth);
        r = engine_image_push_platform(request->engine, name, platform, &auth, progress_send,
                                       &progress, err);
        api_registry_auth_done(&auth);
        (void)malloc_trim(0);
        return r < 0 ? progress_fail(&progress, r, err) : 0;
}

int on_auth(ApiRequest *request, Error *err) {
        AuthRequest asked = { 0 };
        _cleanup_free_ char *token = NULL;
        _cleanup_buf_ Buf json = { 0 };
        int r = api_body(request, &auth_request_table, &asked, err);

        if (r == 0) {
                const RegistryAuth auth = { asked.username, asked.password, asked.identity_token,
                                            asked.registry_token };

                r = engine_auth(request->engine, asked.server_address, &auth, &token, err);
        }
        json_done(&auth_request_table, &asked);
        if (r < 0)
                return r;
        buf_add_str(&json, "{\"Status\":\"Login Succeeded\",\"IdentityToken\":");
        json_add_quoted(&json, token ? token : "");
        buf_add_char(&json, '}');
        return api_answer(request, 200, &json);
}

int on_distribution(ApiRequest *request, Error *err) {
        RegistryAuth auth = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        int r;

        api_registry_auth(request, &auth);
        r = engine_distribution(request->engine, api_name(request), &auth, &json, err);
        api_registry_auth_done(&auth);
        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_manifest(ApiRequest *request, Error *err) {
        RegistryAuth auth = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        int r;

        api_registry_auth(request, &auth);
        r = engine_manifest_get(request->engine, api_name(request), api_flag(request, "insecure"),
                                &auth, &json, err);
        api_registry_auth_done(&auth);
        if (r < 0)
                api_registry_refused(err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

typedef struct ManifestRequest {
        char *raw, *media_type, **sources;
} ManifestRequest;

static const JsonField manifest_fields[] = {
        JSON_FIELD(ManifestRequest, "Raw", JSON_STRING, raw, JSON_REQUIRED),
        JSON_FIELD(ManifestRequest, "MediaType", JSON_STRING, media_type, JSON_REQUIRED),
        JSON_FIELD(ManifestRequest, "Sources", JSON_STRINGS, sources, 0),
};
static const JsonTable manifest_request_table =
        JSON_TABLE(ManifestRequest, "manifest list", manifest_fields);

int on_manifest_push(ApiRequest *request, Error *err) {
        ManifestRequest asked = { 0 };
        RegistryAuth auth = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        char digest[DIGEST_TEXT_MAX] = "";
        int r = api_body(request, &manifest_request_table, &asked, err);

        if (r == 0) {
                const ManifestPush push = { asked.raw, asked.media_type, asked.sources };

                api_registry_auth(request, &auth);
                r = engine_manifest_push(request->engine, api_name(request),
                                         api_flag(request, "insecure"), &push, &auth, digest, err);
                api_registry_auth_done(&auth);
                if (r < 0)
                        api_registry_refused(err);
        }
        json_done(&manifest_request_table, &asked);
        if (r < 0)
                return r;
        buf_format(&json, "{\"Digest\":\"%s\"}", digest);
        return api_answer(request, 200, &json);
}

static int read_limit(const ApiRequest *request, int *ret, Error *err) {
        const char *text = api_query(request, "limit");

        *ret = 0;
        if (str_empty(text) || str_to_int_in(text, 0, 1000000, ret) == 0)
                return 0;
        return error_kind(err, ERROR_INVALID, "invalid limit specified: '%.100s' is no number",
                          text);
}

int on_image_search(ApiRequest *request, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        RegistryAuth auth = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        const char *term = api_query(request, "term");
        int limit = 0, r = api_filters(request, &filters, err);

        if (r == 0)
                r = read_limit(request, &limit, err);
        if (r == 0 && str_empty(term))
                r = error_kind(err, ERROR_INVALID, "give what to search for: 'term'");
        if (r < 0)
                return r;
        api_registry_auth(request, &auth);
        r = engine_image_search(request->engine, term, limit, &filters, &auth, &json, err);
        api_registry_auth_done(&auth);
        if (r < 0)
                api_registry_refused(err);
        return r < 0 ? r : api_answer(request, 200, &json);
}
