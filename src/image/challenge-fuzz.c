/* challenge-fuzz.c: any bytes as a WWW-Authenticate header. */
#include <stdint.h>

#include "base/str.h"
#include "image/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const schemes[] = { "bearer", "basic" };
        _cleanup_free_ char *header = str_copy_n((const char *)data, size);

        for (size_t i = 0; i < ELEMENTS(schemes); i++) {
                Challenge challenge = {};

                (void)challenge_parse(header, schemes[i], &challenge);
                challenge_done(&challenge);
        }
        return 0;
}
