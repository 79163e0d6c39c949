/* websocket.c: see websocket.h. */
#include "http/websocket.h"

#include "base/base64.h"
#include "format/digest.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum {
        FINAL = 0x80,
        RESERVED = 0x70,
        OPCODE = 0x0f,
        CONTROL = 0x08,
        MASKED = 0x80,
        LENGTH = 0x7f,
        LENGTH_16 = 126,
        LENGTH_64 = 127,
};

static void fail(WebsocketEvent *event, const char *why) {
        *event = (WebsocketEvent){ .kind = WEBSOCKET_ERROR,
                                   .code = WEBSOCKET_PROTOCOL_ERROR,
                                   .why = why };
}

/* ---- heads ---- */

/* What the first two bytes say is wrong, or NULL. */
static const char *refusal(const Websocket *websocket) {
        unsigned first = websocket->header[0], second = websocket->header[1];
        unsigned opcode = first & OPCODE, length = second & LENGTH;

        if (first & RESERVED)
                return "a reserved bit is set, but no extension was agreed upon";
        if (!(second & MASKED))
                return "the client's frame is not masked";
        if (opcode & CONTROL) {
                if (opcode > WEBSOCKET_PONG)
                        return "unknown opcode";
                if (!(first & FINAL))
                        return "a control frame is fragmented";
                return length > WEBSOCKET_CONTROL_MAX ? "a control frame is over 125 bytes" : NULL;
        }
        if (opcode > WEBSOCKET_BINARY)
                return "unknown opcode";
        if (opcode == WEBSOCKET_CONTINUATION)
                return websocket->fragmented ? NULL : "a continuation of no message";
        return websocket->fragmented ? "a message begins within another" : NULL;
}

static size_t header_size(const Websocket *websocket) {
        unsigned length;

        if (websocket->header_length < 2)
                return 2;
        length = websocket->header[1] & LENGTH;
        return 2 + 4 + (length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0);
}

/* False where the length is not in its shortest form, or too long (RFC 6455, 5.2). */
static bool read_length(Websocket *websocket) {
        unsigned form = websocket->header[1] & LENGTH;
        size_t bytes = form == LENGTH_64 ? 8 : form == LENGTH_16 ? 2 : 0;
        uint64_t length = bytes == 0 ? form : 0;

        for (size_t i = 0; i < bytes; i++)
                length = length << 8 | websocket->header[2 + i];
        websocket->left = length;
        for (size_t i = 0; i < sizeof(websocket->mask); i++)
                websocket->mask[i] = websocket->header[2 + bytes + i];
        return bytes == 0   ? true
               : bytes == 2 ? length >= LENGTH_16
                            : length > UINT16_MAX && length <= INT64_MAX;
}

static void begin_frame(Websocket *websocket, WebsocketEvent *event) {
        if (!read_length(websocket)) {
                fail(event, "the frame's length is not in its shortest form");
                return;
        }
        websocket->opcode = websocket->header[0] & OPCODE;
        if (!(websocket->opcode & CONTROL))
                websocket->fragmented = !(websocket->header[0] & FINAL);
        websocket->header_length = 0;
        websocket->position = 0;
        websocket->in_payload = true;
}

static size_t read_header(Websocket *websocket, const unsigned char *bytes, size_t length,
                          WebsocketEvent *event) {
        size_t used = 0;

        while (used < length && websocket->header_length < header_size(websocket)) {
                const char *why;

                websocket->header[websocket->header_length++] = bytes[used++];
                why = websocket->header_length == 2 ? refusal(websocket) : NULL;
                if (why) {
                        fail(event, why);
                        return used;
                }
        }
        if (websocket->header_length == header_size(websocket))
                begin_frame(websocket, event);
        return used;
}

/* ---- payloads ---- */

static bool code_valid(unsigned code) {
        return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
               (code >= 3000 && code <= 4999);
}

static void end_close(const Websocket *websocket, WebsocketEvent *event) {
        unsigned code = WEBSOCKET_NO_CODE;

        if (websocket->position == 1) {
                fail(event, "a close frame has half a code");
                return;
        }
        if (websocket->position >= 2) {
                code = (unsigned)websocket->control[0] << 8 | websocket->control[1];
                if (!code_valid(code)) {
                        fail(event, "a close frame has a code that may not be sent");
                        return;
                }
        }
        *event = (WebsocketEvent){ .kind = WEBSOCKET_CLOSED, .code = code };
}

static void end_frame(Websocket *websocket, WebsocketEvent *event) {
        websocket->in_payload = false;
        if (websocket->opcode == WEBSOCKET_CLOSE)
                end_close(websocket, event);
        else if (websocket->opcode == WEBSOCKET_PING)
                *event = (WebsocketEvent){ .kind = WEBSOCKET_PINGED,
                                           .data = websocket->control,
                                           .length = (size_t)websocket->position };
}

static size_t read_payload(Websocket *websocket, unsigned char *bytes, size_t length,
                           WebsocketEvent *event) {
        size_t n = websocket->left < length ? (size_t)websocket->left : length;
        bool control = websocket->opcode & CONTROL;

        for (size_t i = 0; i < n; i++) {
                bytes[i] ^= websocket->mask[websocket->position & 3];
                if (control)
                        websocket->control[websocket->position] = bytes[i];
                websocket->position++;
        }
        websocket->left -= n;
        if (!control && n > 0)
                *event = (WebsocketEvent){ .kind = WEBSOCKET_DATA, .data = bytes, .length = n };
        if (websocket->left == 0)
                end_frame(websocket, event);
        return n;
}

size_t websocket_read(Websocket *websocket, void *bytes, size_t length, WebsocketEvent *ret) {
        unsigned char *at = bytes;
        size_t used = 0;

        *ret = (WebsocketEvent){ .kind = WEBSOCKET_MORE };
        while (ret->kind == WEBSOCKET_MORE && used < length) {
                used += websocket->in_payload
                                ? read_payload(websocket, at + used, length - used, ret)
                                : read_header(websocket, at + used, length - used, ret);
                if (ret->kind == WEBSOCKET_MORE && websocket->in_payload && websocket->left == 0)
                        end_frame(websocket, ret);
        }
        return used;
}

/* ---- to the client ---- */

size_t websocket_header(unsigned char header[WEBSOCKET_HEADER_MAX], WebsocketOpcode opcode,
                        uint64_t length) {
        size_t bytes = length > UINT16_MAX ? 8 : length >= LENGTH_16 ? 2 : 0;

        header[0] = (unsigned char)(FINAL | opcode);
        header[1] = (unsigned char)(bytes == 8 ? LENGTH_64 : bytes == 2 ? LENGTH_16 : length);
        for (size_t i = 0; i < bytes; i++)
                header[2 + i] = (unsigned char)(length >> (8 * (bytes - 1 - i)));
        return 2 + bytes;
}

bool websocket_accept(const char *key, char accept[WEBSOCKET_ACCEPT_SIZE]) {
        _cleanup_free_ char *nonce = NULL, *both = str_format("%s" GUID, key), *text = NULL;
        unsigned char sum[SHA1_SIZE];
        size_t length;

        if (base64_decode(key, &nonce, &length, NULL) < 0 || length != 16)
                return false;
        sha1_of(both, strlen(both), sum);
        text = base64_encode(sum, sizeof(sum));
        memcpy(accept, text, WEBSOCKET_ACCEPT_SIZE);
        return true;
}
