/* protobuf-fuzz.c: any bytes as a message: each field is read within them, or the rest is refused.
 */
#include "base/str.h"
#include "format/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *)data, *end = text + size;
        ProtobufReader reader = { text, size };
        ProtobufField field;

        while (protobuf_next(&reader, &field) > 0) {
                if (field.number == 0 || reader.data + reader.length != end)
                        abort();
                if (field.data && (field.data < text || field.data + field.length > end))
                        abort();
        }
        return 0;
}
