/* document-fuzz.c: any bytes as a manifest, an index, or an image's configuration. */
#include "image/assembly.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Document document = {};
        ImageConfig config = {};
        ImagePlatform platform = {};
        Error err = {};

        if (platform_parse("linux/arm/v7", &platform, NULL) < 0)
                abort();
        if (document_parse((const char *)data, size, NULL, &document, &err) == 0) {
                const Descriptor *chosen =
                        document.is_index ? index_choose(&document.index, &platform) : NULL;

                if (chosen && !digest_valid(chosen->digest))
                        abort();
        }
        document_done(&document);
        platform_done(&platform);
        if (json_parse(&image_config_table, (const char *)data, size, &config, &err) == 0)
                free(json_text(&image_config_table, &config));
        json_done(&image_config_table, &config);
        return 0;
}
