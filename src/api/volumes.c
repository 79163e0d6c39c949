/* volumes.c: the calls on volumes. */
#include "api/request.h"

int on_volume_list(ApiRequest *request, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        int r = api_filters(request, &filters, err);

        if (r < 0)
                return r;
        r = engine_volume_list(request->engine, &filters, &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_volume_inspect(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_volume_inspect(request->engine, api_name(request), &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_volume_create(ApiRequest *request, Error *err) {
        VolumeCreate create = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        int r = api_body(request, &volume_create_table, &create, err);

        if (r >= 0)
                r = engine_volume_create(request->engine, &create, &json, err);
        json_done(&volume_create_table, &create);
        return r < 0 ? r : api_answer(request, 201, &json);
}

int on_volume_remove(ApiRequest *request, Error *err) {
        return api_answer_done(request, engine_volume_remove(request->engine, api_name(request),
                                                             api_flag(request, "force"), err));
}

/* Until API 1.41 every unused volume goes; later those without a name of their own, and all if the
 * filter says so. */
int on_volume_prune(ApiRequest *request, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        int r = api_filters(request, &filters, err);

        if (r < 0)
                return r;
        if (request->version < 42)
                filters_add(&filters, "all", "true");
        r = engine_volume_prune(request->engine, &filters, &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}
