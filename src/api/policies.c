/* policies.c: network policies, brig's own calls: docs/api.md, "Network policies". */
#include "api/request.h"

int on_policy_apply(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf text = { 0 }, json = { 0 };
        int r = http_request_body(request->exchange, API_BODY_MAX, &text, err);

        if (r >= 0)
                r = engine_policy_apply(request->engine, text.data ?: "", text.length,
                                        api_query(request, "namespace"), &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_policy_list(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_policy_list(request->engine, api_query(request, "namespace"), &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_policy_inspect(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_policy_inspect(request->engine, request->captures[0], request->captures[1],
                                      &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_policy_remove(ApiRequest *request, Error *err) {
        return api_answer_done(request, engine_policy_remove(request->engine, request->captures[0],
                                                             request->captures[1], err));
}

/* Without from, to and port: the table of all. */
int on_policy_test(ApiRequest *request, Error *err) {
        const char *from = api_query(request, "from"), *to = api_query(request, "to");
        const char *protocol = api_query(request, "protocol");
        _cleanup_buf_ Buf json = { 0 };
        int port, r;

        if (str_empty(from) && str_empty(to)) {
                r = engine_policy_table(request->engine, &json, err);
        } else {
                if (str_empty(from) || str_empty(to) ||
                    str_to_int_in(api_query(request, "port") ?: "", 1, 65535, &port) < 0)
                        return error_kind(err, ERROR_INVALID,
                                          "give from, to and port (a number from 1 to 65535), or "
                                          "none of them");
                r = engine_policy_test(request->engine, from, to, port,
                                       str_empty(protocol) ? "tcp" : protocol, &json, err);
        }
        return r < 0 ? r : api_answer(request, 200, &json);
}
