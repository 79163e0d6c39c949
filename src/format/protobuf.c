/* protobuf.c: see protobuf.h. */
#include "format/protobuf.h"

#include <errno.h>

/* The lowest three bits of a field's key. */
enum { WIRE_NUMBER = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Seven bits a byte, the lowest first; the eighth says that more follow. */
static void add_varint(Buf *buf, uint64_t value) {
        for (; value >= 0x80; value >>= 7)
                buf_add_char(buf, (char)(value | 0x80));
        buf_add_char(buf, (char)value);
}

void protobuf_add_number(Buf *buf, unsigned field, uint64_t value) {
        add_varint(buf, (uint64_t)field << 3 | WIRE_NUMBER);
        add_varint(buf, value);
}

void protobuf_add_bytes(Buf *buf, unsigned field, const void *data, size_t length) {
        add_varint(buf, (uint64_t)field << 3 | WIRE_BYTES);
        add_varint(buf, length);
        buf_add(buf, data, length);
}

void protobuf_add_text(Buf *buf, unsigned field, const char *text) {
        protobuf_add_bytes(buf, field, text, strlen(text));
}

void protobuf_add_message(Buf *buf, unsigned field, const Buf *message) {
        protobuf_add_bytes(buf, field, message->data ?: "", message->length);
}

static int read_varint(ProtobufReader *reader, uint64_t *ret) {
        uint64_t value = 0;

        for (unsigned shift = 0; shift < 64 && reader->length > 0; shift += 7) {
                unsigned char byte = (unsigned char)*reader->data++;

                reader->length--;
                value |= (uint64_t)(byte & 0x7f) << shift;
                if (!(byte & 0x80)) {
                        *ret = value;
                        return 0;
                }
        }
        return -EBADMSG;
}

/* Little-endian. */
static int read_fixed(ProtobufReader *reader, size_t size, uint64_t *ret) {
        uint64_t value = 0;

        if (reader->length < size)
                return -EBADMSG;
        for (size_t i = size; i-- > 0;)
                value = value << 8 | (unsigned char)reader->data[i];
        reader->data += size;
        reader->length -= size;
        *ret = value;
        return 0;
}

static int read_bytes(ProtobufReader *reader, ProtobufField *ret) {
        uint64_t length;

        if (read_varint(reader, &length) < 0 || length > reader->length)
                return -EBADMSG;
        ret->data = reader->data;
        ret->length = (size_t)length;
        reader->data += length;
        reader->length -= (size_t)length;
        return 0;
}

int protobuf_next(ProtobufReader *reader, ProtobufField *ret) {
        ProtobufField field = {};
        uint64_t key;
        int r;

        if (reader->length == 0)
                return 0;
        if (read_varint(reader, &key) < 0 || key >> 3 == 0 || key >> 3 > 0x1fffffff)
                return -EBADMSG;
        field.number = (unsigned)(key >> 3);
        switch (key & 7) {
        case WIRE_NUMBER:
                r = read_varint(reader, &field.value);
                break;
        case WIRE_FIXED64:
                r = read_fixed(reader, 8, &field.value);
                break;
        case WIRE_FIXED32:
                r = read_fixed(reader, 4, &field.value);
                break;
        case WIRE_BYTES:
                r = read_bytes(reader, &field);
                break;
        default:
                return -EBADMSG;
        }
        if (r < 0)
                return r;
        *ret = field;
        return 1;
}
