/* exec.c: further processes in a container. */
#include "api/stream.h"

int on_exec_create(ApiRequest *request, Error *err) {
        ExecConfig config = { 0 };
        _cleanup_free_ char *id = NULL;
        int r = api_body(request, &exec_config_table, &config, err);

        if (r >= 0 && strv_length(config.cmd) == 0)
                r = error_kind(err, ERROR_INVALID, "No exec command specified");
        if (r >= 0)
                r = engine_exec_create(request->engine, api_name(request), &config, &id, err);
        json_done(&exec_config_table, &config);
        return r < 0 ? r : api_answer_id(request, id, "");
}

typedef struct ExecStart {
        bool detach, tty;
        JsonArray console_size; /* height, width */
} ExecStart;

static const JsonField exec_start_fields[] = {
        JSON_FIELD(ExecStart, "Detach", JSON_BOOL, detach, 0),
        JSON_FIELD(ExecStart, "Tty", JSON_BOOL, tty, 0),
        JSON_FIELD(ExecStart, "ConsoleSize", JSON_INTS, console_size, 0),
};
static const JsonTable exec_start_table =
        JSON_TABLE(ExecStart, "ExecStartConfig", exec_start_fields);

static int start_detached(ApiRequest *request, Error *err) {
        AttachOptions options = { 0 };
        int r = engine_exec_start(request->engine, api_name(request), &options, -1, 0, 0, err);

        return r < 0 ? r : api_answer_empty(request, 200);
}

static int start_attached(ApiRequest *request, bool tty, int width, int height, Error *err) {
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf early = { 0 };
        AttachOptions options = {
                .stream = true, .stdin_ = true, .stdout_ = true, .stderr_ = true, .raw = tty
        };
        int r;

        http_early_bytes(request->exchange, &early);
        r = http_hijack(request->exchange, stream_type(request, tty), &fd, err);
        if (r < 0)
                return r;
        options.early = early.data;
        options.early_length = early.length;
        r = engine_exec_start(request->engine, api_name(request), &options, fd, width, height, err);
        if (r < 0)
                api_stream_error(fd, tty, err);
        return r;
}

int on_exec_start(ApiRequest *request, Error *err) {
        ExecStart start = { 0 };
        const int64_t *size;
        int width = 0, height = 0;
        bool tty, detach;
        int r = api_body(request, &exec_start_table, &start, err);

        size = start.console_size.items;
        if (start.console_size.count == 2 && size[0] > 0 && size[0] <= 0xffff && size[1] > 0 &&
            size[1] <= 0xffff) {
                height = (int)size[0];
                width = (int)size[1];
        }
        detach = start.detach;
        tty = start.tty;
        json_done(&exec_start_table, &start);
        if (r >= 0)
                r = engine_exec_start_check(request->engine, api_name(request), err);
        if (r < 0)
                return r;
        return detach ? start_detached(request, err)
                      : start_attached(request, tty, width, height, err);
}

int on_exec_inspect(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_exec_inspect(request->engine, api_name(request), &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_exec_resize(ApiRequest *request, Error *err) {
        int width = 0, height = 0, r = api_size(request, &width, &height, err);

        if (r < 0)
                return r;
        r = engine_exec_resize(request->engine, api_name(request), width, height, err);
        return r < 0 ? r : api_answer_empty(request, 200);
}

int on_exec_list(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        const char *container = api_query(request, "container");
        int r = engine_exec_list(request->engine, str_empty(container) ? NULL : container,
                                 api_flag(request, "all"), &json, err);

        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_exec_kill(ApiRequest *request, Error *err) {
        int r = engine_exec_kill(request->engine, api_name(request), api_query(request, "signal"),
                                 err);

        return api_answer_done(request, r);
}
