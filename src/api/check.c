/* check.c: POST /brig/check, brig's own: lines of JSON, spec/check.h, sent as they come. A client
 * that leaves is noticed at the next line, and ends the check. */
#include "spec/check.h"
#include "api/request.h"

typedef struct Lines {
        HttpExchange *exchange;
        CheckSummary summary;
} Lines;

static int put_line(Lines *lines, const CheckLine *line) {
        _cleanup_free_ char *json = json_text(&check_line_table, line);
        _cleanup_free_ char *text = str_format("%s\n", json);
        int r = http_begin(lines->exchange, 200, "application/x-ndjson");

        return r < 0 ? r : http_write(lines->exchange, text, strlen(text));
}

static int on_found(void *data, const CheckFinding *finding) {
        Lines *lines = data;
        const CheckLine line = { .finding = (CheckFinding *)finding };

        lines->summary.found++;
        lines->summary.repaired += finding->repaired;
        lines->summary.size += finding->repairable && !finding->keeps ? finding->size : 0;
        return put_line(lines, &line);
}

static int on_progress(void *data, const char *step, int64_t current, int64_t total) {
        CheckProgress progress = { (char *)step, current, total };
        const CheckLine line = { .progress = &progress };

        return put_line(data, &line);
}

int on_check(ApiRequest *request, Error *err) {
        Lines lines = { .exchange = request->exchange };
        const CheckSink sink = { .repair = api_flag(request, "repair"),
                                 .found = on_found,
                                 .progress = on_progress,
                                 .data = &lines };
        const CheckLine last = { .summary = &lines.summary };
        int r = engine_check(request->engine, &sink, !api_flag(request, "quick"), err);

        if (r < 0 && http_answered(request->exchange)) {
                const CheckLine line = { .error = err->message };

                (void)put_line(&lines, &line); /* a client that left does not hear it */
                return 0;
        }
        return r < 0 ? r : put_line(&lines, &last);
}
