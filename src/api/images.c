/* images.c: the calls on images that are one question and one answer; what carries archives or
 * progress is in transfer.c. */
#include "api/request.h"

int on_image_list(ApiRequest *request, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        ImageListOptions options = { .all = api_flag(request, "all"),
                                     .shared_size = api_flag(request, "shared-size"),
                                     .filters = &filters };
        int r = api_filters(request, &filters, err);

        if (r < 0)
                return r;
        r = engine_image_list(request->engine, &options, &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_image_inspect(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        _cleanup_free_ char *platform = NULL;
        int r = api_platform(request, &platform, err);

        if (r == 0)
                r = engine_image_inspect(request->engine, api_name(request), platform, &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_image_history(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        _cleanup_free_ char *platform = NULL;
        int r = api_platform(request, &platform, err);

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

int on_image_remove(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_image_remove(request->engine, api_name(request), api_flag(request, "force"),
                                    api_flag(request, "noprune"), &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_image_prune(ApiRequest *request, Error *err) {
        return api_prune(request, engine_image_prune, err);
}
