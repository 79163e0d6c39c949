/* protobuf.h: the wire format of protocol buffers (protobuf.dev/programming-guides/encoding):
 * numbers and byte strings by the numbers of their fields. Knows no message. */
#pragma once

#include "base/str.h"

/* A whole number, an enum or a bool. A negative int32 is given as the sign-extended 64 bits. */
void protobuf_add_number(Buf *buf, unsigned field, uint64_t value);
void protobuf_add_bytes(Buf *buf, unsigned field, const void *data, size_t length);
void protobuf_add_text(Buf *buf, unsigned field, const char *text);
/* A message within. */
void protobuf_add_message(Buf *buf, unsigned field, const Buf *message);

typedef struct ProtobufReader {
        const char *data; /* borrowed */
        size_t length;
} ProtobufReader;

typedef struct ProtobufField {
        unsigned number;
        uint64_t value; /* of a number; 0 for byte strings */
        const char
                *data; /* of a byte string or message: borrowed, without an end mark; else NULL */
        size_t length;
} ProtobufField;

/* The next field: 1, 0 at the end, -EBADMSG for what is no message. Groups, which nobody uses any
 * more, are -EBADMSG, too. */
int protobuf_next(ProtobufReader *reader, ProtobufField *ret);
