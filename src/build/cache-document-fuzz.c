/* cache-document-fuzz.c: a build cache's document is from anybody: it is refused, or what it says
 * is whole. */
#include "build/cache-document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t layer_count = size > 0 ? data[0] % 4 : 0;
        CacheDocument document = {};
        Error err = {};
        const char *key;
        DocumentRecord *record;

        if (size == 0 || cache_document_read((const char *)data + 1, size - 1, NULL, layer_count,
                                             &document, &err) < 0)
                return 0;
        if (document.layers.count != layer_count)
                abort();
        MAP_EACH(&document.by_key, key, record)
                if (!digest_valid(key) || !digest_valid(record->result) ||
                    (record->layer &&
                     !digest_valid(cache_document_layer(&document, (size_t)*record->layer)->chain)))
                        abort();
        json_object *written = cache_document_write(&document);
        (void)json_object_put(written);
        cache_document_done(&document);
        return 0;
}
