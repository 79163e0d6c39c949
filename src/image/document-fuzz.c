/* document-fuzz.c: any bytes as a manifest, an index, or an image's configuration. */
#include "image/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The index of an OCI layout is one like any. */
static void look_for_tags(const ImageIndex *index) {
        bool other;
        const Descriptor *found = layout_find_tag(index, "latest", &other);

        free(layout_list_tags(index));
        if (found ? other && index->manifests.count != 1 : index->manifests.count == 1)
                abort();
}

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
                if (document.is_index)
                        look_for_tags(&document.index);
        }
        document_done(&document);
        platform_done(&platform);
        if (json_parse(&image_config_table, (const char *)data, size, &config, &err) == 0)
                free(json_text(&image_config_table, &config));
        json_done(&image_config_table, &config);
        return 0;
}
