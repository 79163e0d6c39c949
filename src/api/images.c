/* images.c: the calls on images that are one question and one answer; what carries archives or
 * progress is in transfer.c. */
#include "api/request.h"
#include "api/versions.h"

static const VersionRule list_rules[] = {
        { .path = "*/VirtualSize", .until = 43, .copy = "Size" },
        { .path = "*/Descriptor", .since = 48 },
};

/* Those of Config are a container's: no image has them. Container and ContainerConfig stay, though
 * 1.45 has them no more: compose 1.29 speaks the newest version and cannot do without. */
static const VersionRule inspect_rules[] = {
        { .path = "VirtualSize", .until = 43, .copy = "Size" },
        { .path = "Descriptor", .since = 48 },
        { .path = "Config/Hostname", .until = 49 },
        { .path = "Config/Domainname", .until = 49 },
        { .path = "Config/AttachStdin", .until = 49 },
        { .path = "Config/AttachStdout", .until = 49 },
        { .path = "Config/AttachStderr", .until = 49 },
        { .path = "Config/Tty", .until = 49 },
        { .path = "Config/OpenStdin", .until = 49 },
        { .path = "Config/StdinOnce", .until = 49 },
        { .path = "Config/Image", .until = 49 },
        { .path = "Config/NetworkDisabled", .until = 49 },
        { .path = "Config/MacAddress", .until = 49 },
        { .path = "Config/StopTimeout", .until = 49 },
};

/* A parameter that older versions do not know, and do not look at. */
static int platform_since(ApiRequest *request, int version, char **ret, Error *err) {
        return request->version < version ? 0 : api_platform(request, ret, err);
}

int on_image_list(ApiRequest *request, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        ImageListOptions options = { .all = api_flag(request, "all"),
                                     .shared_size = api_flag(request, "shared-size"),
                                     .containers = request->version >= 51, /* before: -1 */
                                     .filters = &filters };
        int r = api_filters(request, &filters, err);

        if (r < 0)
                return r;
        r = engine_image_list(request->engine, &options, &json, err);
        if (r == 0)
                r = version_edit(list_rules, ELEMENTS(list_rules), request->version, NULL, &json,
                                 err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_image_inspect(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        _cleanup_free_ char *platform = NULL;
        int r = platform_since(request, 49, &platform, err);

        if (r == 0 && platform && api_flag(request, "manifests"))
                r = error_kind(err, ERROR_INVALID,
                               "conflicting options: manifests and platform options cannot both "
                               "be set");
        if (r == 0)
                r = engine_image_inspect(request->engine, api_name(request), platform, &json, err);
        if (r == 0)
                r = version_edit(inspect_rules, ELEMENTS(inspect_rules), request->version, NULL,
                                 &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_image_history(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        _cleanup_free_ char *platform = NULL;
        int r = platform_since(request, 48, &platform, err);

        if (r == 0)
                r = engine_image_history(request->engine, api_name(request), platform, &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

char *api_image_name(const char *name, const char *tag) {
        if (str_empty(tag))
                return str_copy(name);
        return str_format("%s%c%s", name, strchr(tag, ':') ? '@' : ':', tag);
}

int on_image_tag(ApiRequest *request, Error *err) {
        _cleanup_free_ char *target =
                api_image_name(api_query(request, "repo") ?: "", api_query(request, "tag"));
        int r = engine_image_tag(request->engine, api_name(request), target, err);

        return r < 0 ? r : api_answer_empty(request, 201);
}

/* The words of 'platforms', which came with 1.50. */
static int removed_platforms(const ApiRequest *request, char ***ret, Error *err) {
        _cleanup_strv_ char **texts = http_query_all(&request->query, "platforms");
        int r = 0;

        for (char **text = texts; r == 0 && request->version >= 50 && text && *text; text++) {
                char *platform = NULL;

                r = str_empty(*text) ? 0 : api_platform_parse(*text, &platform, err);
                if (platform)
                        strv_take(ret, platform);
        }
        return r;
}

int on_image_remove(ApiRequest *request, Error *err) {
        _cleanup_strv_ char **platforms = NULL;
        _cleanup_buf_ Buf json = { 0 };
        int r = removed_platforms(request, &platforms, err);

        if (r < 0)
                return r;
        r = platforms ? engine_image_remove_platforms(request->engine, api_name(request), platforms,
                                                      api_flag(request, "force"), &json, err)
                      : engine_image_remove(request->engine, api_name(request),
                                            api_flag(request, "force"),
                                            api_flag(request, "noprune"), &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_image_prune(ApiRequest *request, Error *err) {
        return api_prune(request, engine_image_prune, err);
}
