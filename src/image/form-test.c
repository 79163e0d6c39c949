/* form-test.c: what becomes of each layer, levels, media types, the form as text. */
#include "image/form.h"

#include "base/test.h"
#include "image/assembly.h"

#define GZIP MEDIA_OCI_LAYER "+gzip"
#define ZSTD MEDIA_OCI_LAYER "+zstd"

TEST(what_a_layer_becomes) {
        static const struct {
                ImageForm form;
                const char *media_type;
                bool registry;
                Compression expected;
        } cases[] = {
                { {}, MEDIA_OCI_LAYER, true, COMPRESSION_GZIP },
                { {}, MEDIA_OCI_LAYER, false, FORM_KEEP },
                { {}, ZSTD, true, FORM_KEEP },
                { { .compression = LAYERS_ZSTD }, MEDIA_OCI_LAYER, true, COMPRESSION_ZSTD },
                { { .compression = LAYERS_ZSTD }, MEDIA_OCI_LAYER, false, COMPRESSION_ZSTD },
                { { .compression = LAYERS_ZSTD }, GZIP, true, FORM_KEEP },
                { { .compression = LAYERS_ZSTD, .force = true }, GZIP, true, COMPRESSION_ZSTD },
                { { .compression = LAYERS_ZSTD, .force = true }, ZSTD, true, FORM_KEEP },
                { { .compression = LAYERS_UNCOMPRESSED }, MEDIA_OCI_LAYER, true, FORM_KEEP },
                { { .compression = LAYERS_UNCOMPRESSED }, GZIP, true, FORM_KEEP },
                { { .compression = LAYERS_UNCOMPRESSED, .force = true },
                  GZIP,
                  false,
                  COMPRESSION_NONE },
                { { .force = true }, ZSTD, true, FORM_KEEP },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                ASSERT_INT(form_of_layer(&cases[i].form, cases[i].media_type, cases[i].registry),
                           cases[i].expected);
}

TEST(names_and_levels) {
        static const struct {
                const char *name;
                int level;
                const char *error;
        } cases[] = {
                { "gzip", 0, NULL },
                { "gzip", 9, NULL },
                { "gzip", 10, "compression level 10: gzip has 0 to 9" },
                { "zstd", 22, NULL },
                { "zstd", -1, "compression level -1: zstd has 0 to 22" },
                { "uncompressed", 99, NULL },
                { "estargz", 1, "compression estargz is not done: gzip, zstd or uncompressed" },
                { "xz", 1, "invalid compression 'xz': gzip, zstd or uncompressed" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                ImageForm form = { .has_level = true, .level = cases[i].level };
                Error err = {};
                int r = layer_compression_parse(cases[i].name, &form.compression, &err);

                if (r == 0)
                        r = image_form_check(&form, &err);
                ASSERT_INT(r < 0, cases[i].error != NULL);
                ASSERT_STR(err.message, cases[i].error ?: "");
        }
}

TEST(as_text_and_back) {
        const ImageForm form = {
                .compression = LAYERS_ZSTD, .has_level = true, .level = 22, .force = true
        };
        char text[FORM_TEXT_MAX], key[FORM_TEXT_MAX];
        ImageForm again;

        form_text(&form, text);
        again = form_read(text);
        ASSERT_INT(again.compression, LAYERS_ZSTD);
        ASSERT_INT(again.level, 22);
        ASSERT(again.has_level && again.force && !again.docker);
        ASSERT(form_is_default(&(ImageForm){}));
        ASSERT(!form_is_default(&again));
        ASSERT(form_is_default((ImageForm[]){ form_read("nonsense") }));
        ASSERT(form_is_default((ImageForm[]){ form_read("9 0 0 0 0") }));
        ASSERT(form_is_default((ImageForm[]){ form_read(NULL) }));
        form_key(&form, COMPRESSION_ZSTD, key);
        ASSERT_STR(key, "zstd:22");
        form_key(&(ImageForm){}, COMPRESSION_GZIP, key);
        ASSERT_STR(key, "gzip");
}

TEST_MAIN()
