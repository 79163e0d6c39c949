/* reference-fuzz.c: any text as an image's name; what is taken must come back the same. */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "format/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = str_copy_n((const char *)data, size), *full = NULL,
                            *again = NULL, *familiar = NULL;
        Reference reference = {}, second = {};

        if (reference_parse(text, &reference, NULL) < 0)
                return 0;
        reference_default_tag(&reference);
        full = reference_full(&reference);
        familiar = reference_familiar(&reference);
        if (reference_parse(familiar, &second, NULL) == 0) {
                again = reference_full(&second);
                if (!str_equal(full, again))
                        abort();
        }
        reference_done(&reference);
        reference_done(&second);
        return 0;
}
