/* http-fuzz.c: heads, bodies and queries: whatever comes, the parsers stay within their bounds, and
 * what a head is read as survives a second look. */
#include <stdint.h>

#include "base/str.h"
#include "http/input.h"
#include "http/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_body(HttpInput *input, const HttpHead *head) {
        HttpBody body;
        char piece[64];

        http_body_init(&body, input, head);
        while (http_body_read(&body, piece, sizeof(piece), 0) > 0)
                ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        HttpInput input = { .fd = -1, .watch_fd = -1 };
        size_t scanned = 0, end;

        if (size > 0)
                buf_add(&input.buf, data, size);
        while (http_input_left(&input) > 0 &&
               (end = http_head_end(http_input_data(&input), http_input_left(&input), &scanned))) {
                _cleanup_free_ char *text = alloc_zero(1, end + 1);
                HttpQuery query = { 0 };
                HttpHead head;
                const char *why = NULL;

                memcpy(text, http_input_data(&input), end);
                http_input_use(&input, end);
                scanned = 0;
                if (http_head_parse(text, end, &head, &why) != 0)
                        break;
                if (head.chunked && head.has_length)
                        abort();
                (void)http_query_parse(head.query, &query, NULL);
                http_query_done(&query);
                (void)http_head_has_token(&head, "Connection", "upgrade");
                read_body(&input, &head);
        }
        http_input_done(&input);
        return 0;
}
