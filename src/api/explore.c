/* explore.c: GET /images/{name}/explore, brig's own call: lines of JSON, spec/explore.h, sent in
 * blocks while the layers are still being read. */
#include "spec/explore.h"
#include "api/request.h"

#define BLOCK ((size_t)64 * 1024)

typedef struct Lines {
        HttpExchange *exchange;
        Buf held;
} Lines;

static int send_held(Lines *lines) {
        int r = http_begin(lines->exchange, 200, "application/x-ndjson");

        if (r >= 0)
                r = http_write(lines->exchange, lines->held.data, lines->held.length);
        buf_clear(&lines->held);
        return r;
}

static int put_line(void *data, const char *json) {
        Lines *lines = data;

        buf_add_str(&lines->held, json);
        buf_add_char(&lines->held, '\n');
        return lines->held.length < BLOCK ? 0 : send_held(lines);
}

int on_image_explore(ApiRequest *request, Error *err) {
        Lines lines = { .exchange = request->exchange };
        int r = engine_image_explore(request->engine, api_name(request), put_line, &lines, err);

        if (r < 0 && http_answered(request->exchange)) {
                const ExploreLine line = { .error = err->message };
                _cleanup_free_ char *json = json_text(&explore_line_table, &line);

                buf_clear(&lines.held);
                (void)put_line(&lines, json);
                r = 0;
        }
        if (r == 0 && lines.held.length > 0)
                (void)send_held(&lines); /* a client that left does not hear it */
        buf_done(&lines.held);
        return r;
}
