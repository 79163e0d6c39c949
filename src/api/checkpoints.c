/* checkpoints.c: the calls on checkpoints of containers. */
#include "api/request.h"

static const JsonField create_fields[] = {
        JSON_FIELD(CheckpointCreate, "CheckpointID", JSON_STRING, id, 0),
        JSON_FIELD(CheckpointCreate, "CheckpointDir", JSON_STRING, directory, 0),
        JSON_FIELD(CheckpointCreate, "Exit", JSON_BOOL, exit, 0),
};
static const JsonTable create_table = JSON_TABLE(CheckpointCreate, "checkpoint", create_fields);

int on_checkpoint_create(ApiRequest *request, Error *err) {
        CheckpointCreate create = { 0 };
        int r = api_body(request, &create_table, &create, err);

        if (r == 0)
                r = engine_checkpoint_create(request->engine, api_name(request), &create, err);
        json_done(&create_table, &create);
        return r < 0 ? r : api_answer_empty(request, 201);
}

int on_checkpoint_list(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_checkpoint_list(request->engine, api_name(request),
                                       api_query(request, "dir"), &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_checkpoint_remove(ApiRequest *request, Error *err) {
        const CheckpointPlace place = { request->captures[1], api_query(request, "dir") };

        return api_answer_done(
                request, engine_checkpoint_remove(request->engine, api_name(request), &place, err));
}
