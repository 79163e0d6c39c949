/* websocket-test.c: what RFC 6455 says of a client's frames. */
#include "http/websocket.h"

#include "base/test.h"

/* What comes of bytes that arrive `step` at a time: pieces as they are, "<ping …>", "<close N>",
 * "<error N>". */
static void read_frames(const char *frames, size_t length, size_t step, Buf *told) {
        _cleanup_free_ char *bytes = alloc_copy(frames, length);
        Websocket websocket = { 0 };
        WebsocketEvent event = { 0 };

        for (size_t at = 0; at < length && event.kind < WEBSOCKET_CLOSED;) {
                at += websocket_read(&websocket, bytes + at, MIN(step, length - at), &event);
                if (event.kind == WEBSOCKET_DATA)
                        buf_add(told, event.data, event.length);
                else if (event.kind == WEBSOCKET_PINGED)
                        buf_format(told, "<ping %.*s>", (int)event.length,
                                   (const char *)event.data);
                else if (event.kind != WEBSOCKET_MORE)
                        buf_format(told, "<%s %u>",
                                   event.kind == WEBSOCKET_CLOSED ? "close" : "error", event.code);
        }
        buf_add(told, "", 1);
}

typedef struct Case {
        const char *frames;
        size_t length;
        const char *told;
} Case;

#define CASE(frames, told)                                                                         \
        { frames, sizeof(frames) - 1, told }
#define HELLO "\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" /* the mask and text of RFC 6455, 5.7 */
#define NO_MASK "\0\0\0\0"

static const Case cases[] = {
        CASE("\x81\x85" HELLO, "Hello"),
        CASE("\x82\x85" HELLO, "Hello"),
        CASE("\x01\x82" NO_MASK "He\x80\x83" NO_MASK "llo", "Hello"),
        CASE("\x01\x82" NO_MASK "He\x89\x81" NO_MASK "x\x80\x83" NO_MASK "llo", "He<ping x>llo"),
        CASE("\x82\x80" NO_MASK "\x8a\x81" NO_MASK "y\x89\x80" NO_MASK, "<ping >"),
        CASE("\x88\x80" NO_MASK, "<close 1005>"),
        CASE("\x88\x84" NO_MASK "\x03\xe8ok\x82\x80" NO_MASK, "<close 1000>"),
        CASE("\x82\xfe\x00\x7e" NO_MASK, ""),                          /* 126 bytes follow */
        CASE("\x81\x05Hello", "<error 1002>"),                         /* not masked */
        CASE("\xc1\x85" HELLO, "<error 1002>"),                        /* a reserved bit */
        CASE("\x83\x80" NO_MASK, "<error 1002>"),                      /* an unknown opcode */
        CASE("\x8b\x80" NO_MASK, "<error 1002>"),                      /* the same, of control */
        CASE("\x80\x80" NO_MASK, "<error 1002>"),                      /* continues nothing */
        CASE("\x01\x81" NO_MASK "a\x81\x80" NO_MASK, "a<error 1002>"), /* begins within another */
        CASE("\x09\x80" NO_MASK, "<error 1002>"),                      /* control in fragments */
        CASE("\x89\xfe\x00\x7e" NO_MASK, "<error 1002>"),              /* control that is long */
        CASE("\x82\xfe\x00\x7d" NO_MASK, "<error 1002>"),              /* not the shortest form */
        CASE("\x82\xff\0\0\0\0\0\0\xff\xff" NO_MASK, "<error 1002>"),
        CASE("\x82\xff\x80\0\0\0\0\0\0\0" NO_MASK, "<error 1002>"), /* longer than there is */
        CASE("\x88\x81" NO_MASK "\x03", "<error 1002>"),            /* half a code */
        CASE("\x88\x82" NO_MASK "\x03\xed", "<error 1002>"),        /* 1005 may not be sent */
};

TEST(frames) {
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (size_t step = 1; step < 32; step += 6) {
                        _cleanup_buf_ Buf told = { 0 };

                        read_frames(cases[i].frames, cases[i].length, step, &told);
                        ASSERT_STR(told.data, cases[i].told);
                }
}

TEST(a_long_frame_is_unmasked_across_pieces) {
        enum { LENGTH = 70000, HEAD = 14 };
        _cleanup_free_ char *frame = alloc_zero(1, HEAD + LENGTH);
        _cleanup_buf_ Buf told = { 0 };

        memcpy(frame,
               "\x82\xff\0\0\0\0\0\x01\x11\x70"
               "abcd",
               HEAD);
        for (size_t i = 0; i < LENGTH; i++)
                frame[HEAD + i] = (char)('x' ^ "abcd"[i % 4]);
        read_frames(frame, HEAD + LENGTH, 4099, &told);
        ASSERT_INT(told.length, LENGTH + 1);
        ASSERT_INT(strspn(told.data, "x"), LENGTH);
}

TEST(headers) {
        unsigned char header[WEBSOCKET_HEADER_MAX];

        ASSERT_INT(websocket_header(header, WEBSOCKET_BINARY, 125), 2);
        ASSERT(memcmp(header, "\x82\x7d", 2) == 0);
        ASSERT_INT(websocket_header(header, WEBSOCKET_TEXT, 126), 4);
        ASSERT(memcmp(header, "\x81\x7e\x00\x7e", 4) == 0);
        ASSERT_INT(websocket_header(header, WEBSOCKET_BINARY, 65536), 10);
        ASSERT(memcmp(header, "\x82\x7f\0\0\0\0\0\x01\0\0", 10) == 0);
}

TEST(accept) {
        char text[WEBSOCKET_ACCEPT_SIZE];

        ASSERT(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", text)); /* RFC 6455, 1.3 */
        ASSERT_STR(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        ASSERT(!websocket_accept("c2hvcnQ=", text));
        ASSERT(!websocket_accept("no base64 at all!", text));
}

TEST_MAIN()
