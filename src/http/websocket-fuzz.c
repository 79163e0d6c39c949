/* websocket-fuzz.c: a client's frames: whatever comes, the reader stays within its bounds, takes
 * all, and tells the same whether the bytes come at once or one by one. */
#include "http/websocket.h"

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was told, in one text: pieces of a message joined, as they depend on how bytes come. */
static void note(Buf *told, const WebsocketEvent *event) {
        static const char *const names[] = { "", "", "ping ", "close ", "error " };

        if (event->kind > WEBSOCKET_DATA)
                buf_format(told, "\n%s%u ", names[event->kind], event->code);
        buf_add(told, event->data, event->length);
}

/* step: how many bytes come at a time. */
static void read_all(const uint8_t *data, size_t size, size_t step, Buf *told) {
        _cleanup_free_ unsigned char *bytes = alloc_zero(1, size + 1);
        Websocket websocket = { 0 };
        WebsocketEvent event = { 0 };
        size_t at = 0;

        if (size > 0)
                memcpy(bytes, data, size);
        while (at < size && event.kind < WEBSOCKET_CLOSED) {
                size_t come = MIN(step, size - at);
                size_t used = websocket_read(&websocket, bytes + at, come, &event);

                if (used == 0 || used > come || (event.kind == WEBSOCKET_MORE && used < come) ||
                    event.length > come + WEBSOCKET_CONTROL_MAX)
                        abort();
                if (event.kind != WEBSOCKET_MORE)
                        note(told, &event);
                at += used;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_buf_ Buf at_once = { 0 }, by_one = { 0 };

        read_all(data, size, size, &at_once);
        read_all(data, size, 1, &by_one);
        if (at_once.length != by_one.length ||
            (by_one.length > 0 && memcmp(at_once.data, by_one.data, by_one.length) != 0))
                abort();
        return 0;
}
