/* build-fuzz.c: bodies of POST /build in brig's form; what was read must be written and read again.
 */
#include "spec/build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        BuildDocument document = { 0 }, again = { 0 };
        Error err = { 0 };

        if (json_parse(&build_document_table, (const char *)data, size, &document, &err) >= 0) {
                _cleanup_free_ char *text = json_text(&build_document_table, &document);

                if (json_parse(&build_document_table, text, strlen(text), &again, &err) < 0)
                        abort();
                json_done(&build_document_table, &again);
        }
        json_done(&build_document_table, &document);
        return 0;
}
