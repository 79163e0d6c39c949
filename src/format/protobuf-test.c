/* protobuf-test.c: the examples of the format's own description, both ways, and what is damaged. */
#include <errno.h>

#include "base/test.h"
#include "format/protobuf.h"

/* The description's examples: 150 in field 1, "testing" in field 2, the first within field 3. */
TEST(writes_the_descriptions_examples) {
        _cleanup_buf_ Buf number = {}, text = {}, outer = {};

        protobuf_add_number(&number, 1, 150);
        ASSERT(number.length == 3 && memcmp(number.data, "\x08\x96\x01", 3) == 0);
        protobuf_add_text(&text, 2, "testing");
        ASSERT(text.length == 9 && memcmp(text.data, "\x12\x07testing", 9) == 0);
        protobuf_add_message(&outer, 3, &number);
        ASSERT(outer.length == 5 && memcmp(outer.data, "\x1a\x03\x08\x96\x01", 5) == 0);
}

TEST(reads_what_it_writes) {
        const uint64_t minus_one = (uint64_t)INT64_C(-1);
        _cleanup_buf_ Buf buf = {};
        ProtobufReader reader;
        ProtobufField field;

        protobuf_add_number(&buf, 1, 0);
        protobuf_add_number(&buf, 536870911, minus_one);
        protobuf_add_text(&buf, 16, "");
        reader = (ProtobufReader){ buf.data, buf.length };
        ASSERT(protobuf_next(&reader, &field) == 1);
        ASSERT(field.number == 1 && field.value == 0 && !field.data);
        ASSERT(protobuf_next(&reader, &field) == 1);
        ASSERT(field.number == 536870911 && field.value == minus_one);
        ASSERT(protobuf_next(&reader, &field) == 1);
        ASSERT(field.number == 16 && field.data && field.length == 0);
        ASSERT(protobuf_next(&reader, &field) == 0);
}

TEST(reads_fixed_numbers) {
        ProtobufReader reader = { "\x0d\x01\x02\x00\x00\x11\xff\x00\x00\x00\x00\x00\x00\x80", 14 };
        ProtobufField field;

        ASSERT(protobuf_next(&reader, &field) == 1);
        ASSERT(field.number == 1 && field.value == 0x201);
        ASSERT(protobuf_next(&reader, &field) == 1);
        ASSERT(field.number == 2 && field.value == UINT64_C(0x80000000000000ff));
        ASSERT(protobuf_next(&reader, &field) == 0);
}

TEST(refuses_what_is_damaged) {
        static const struct {
                const char *data;
                size_t length;
        } damaged[] = {
                { "\x08", 1 },                                              /* no value */
                { "\x08\x96", 2 },                                          /* half a value */
                { "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12 }, /* too long */
                { "\x12\x07test", 6 },                                      /* half a text */
                { "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },     /* longer than memory */
                { "\x0d\x01\x02", 3 },                                      /* half a number */
                { "\x0b", 1 },                                              /* a group */
                { "\x00\x01", 2 },                                          /* field 0 */
        };

        for (size_t i = 0; i < ELEMENTS(damaged); i++) {
                ProtobufReader reader = { damaged[i].data, damaged[i].length };
                ProtobufField field;

                ASSERT(protobuf_next(&reader, &field) == -EBADMSG);
        }
}

TEST_MAIN()
