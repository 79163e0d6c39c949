/* form-check.c: what is asked for as an image's form, checked; see image.h. Knows no store, so that
 * the API's tests link it alone. */
#include "image/image.h"

static const struct {
        const char *name;
        LayerCompression wish;
        int level_max; /* -1: it has no levels, and any is ignored, as BuildKit does */
} names[] = {
        { "gzip", LAYERS_GZIP, 9 },
        { "zstd", LAYERS_ZSTD, 22 },
        { "uncompressed", LAYERS_UNCOMPRESSED, -1 },
};

int layer_compression_parse(const char *text, LayerCompression *ret, Error *err) {
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (str_equal(text, names[i].name)) {
                        *ret = names[i].wish;
                        return 0;
                }
        if (str_equal(text, "estargz"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "compression estargz is not done: gzip, zstd or uncompressed");
        return error_kind(err, ERROR_INVALID,
                          "invalid compression '%s': gzip, zstd or uncompressed", text);
}

static int check_level(size_t i, int level, Error *err) {
        if (names[i].level_max < 0)
                return 0;
        if (level < 0 || level > names[i].level_max)
                return error_kind(err, ERROR_INVALID, "compression level %d: %s has 0 to %d", level,
                                  names[i].name, names[i].level_max);
        return 0;
}

int image_form_check(const ImageForm *form, Error *err) {
        LayerCompression wish = form->compression ?: LAYERS_GZIP;

        for (size_t i = 0; form->has_level && i < ELEMENTS(names); i++)
                if (names[i].wish == wish)
                        return check_level(i, form->level, err);
        return 0;
}
