/* websocket.h: the WebSocket protocol, RFC 6455, as a server has it: the handshake's key, the
 * frames that a client sends, read as they come, and the heads of those that it gets. Knows no
 * sockets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        WEBSOCKET_HEADER_MAX = 14,
        WEBSOCKET_CONTROL_MAX = 125, /* RFC 6455, 5.5 */
        WEBSOCKET_ACCEPT_SIZE = 29,  /* with its NUL */
};

/* RFC 6455, 5.2 */
typedef enum WebsocketOpcode {
        WEBSOCKET_CONTINUATION = 0,
        WEBSOCKET_TEXT = 1,
        WEBSOCKET_BINARY = 2,
        WEBSOCKET_CLOSE = 8,
        WEBSOCKET_PING = 9,
        WEBSOCKET_PONG = 10,
} WebsocketOpcode;

/* RFC 6455, 7.4.1 */
enum {
        WEBSOCKET_NORMAL = 1000,
        WEBSOCKET_GOING_AWAY = 1001,
        WEBSOCKET_PROTOCOL_ERROR = 1002,
        WEBSOCKET_NO_CODE = 1005, /* never sent: a close frame without one */
};

/* What a client sends, so far. All zero at its begin. A message is not put together, and so may be
 * of any length: its bytes are told as they come. */
typedef struct Websocket {
        unsigned char header[WEBSOCKET_HEADER_MAX];
        size_t header_length;
        bool in_payload, fragmented;
        WebsocketOpcode opcode;
        uint64_t left; /* of the frame's payload */
        uint64_t position;
        unsigned char mask[4];
        unsigned char control[WEBSOCKET_CONTROL_MAX];
} Websocket;

typedef enum WebsocketKind {
        WEBSOCKET_MORE, /* all was taken, and nothing is to be done */
        WEBSOCKET_DATA, /* a piece of a text or binary message: data, length */
        WEBSOCKET_PINGED,
        WEBSOCKET_CLOSED, /* code; nothing may follow */
        WEBSOCKET_ERROR,  /* code is what to close with, why in words; nothing may follow */
} WebsocketKind;

typedef struct WebsocketEvent {
        WebsocketKind kind;
        const void *data; /* borrowed from the bytes given or, of a ping, from the Websocket */
        size_t length;
        unsigned code;
        const char *why; /* constant */
} WebsocketEvent;

/* Takes bytes, which are changed, up to and with the first event; returns how many. */
size_t websocket_read(Websocket *websocket, void *bytes, size_t length, WebsocketEvent *ret);

/* The head of an unfragmented frame to a client; returns its length, 10 at the most. */
size_t websocket_header(unsigned char header[WEBSOCKET_HEADER_MAX], WebsocketOpcode opcode,
                        uint64_t length);

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455, 4.2.2). False where the key is not the
 * base64 of sixteen bytes. */
bool websocket_accept(const char *key, char accept[WEBSOCKET_ACCEPT_SIZE]);
