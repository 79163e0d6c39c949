/* credentials-fuzz.c: what a credential helper answers, and config.json's auths. */
#include <stdint.h>

#include "cli/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_json_ json_object *auths = NULL;
        _cleanup_free_ char *text = str_copy_n((const char *)data, size);
        _cleanup_free_ char *decoded = credentials_decode(text);
        Credentials credentials = {};

        (void)credentials_from_helper((const char *)data, size, &credentials);
        credentials_done(&credentials);
        if (json_parse_any((const char *)data, size, &auths, NULL) == 0) {
                _cleanup_json_ json_object *entry = NULL;

                credentials_from_auths(auths, "127.0.0.1:5000", &credentials);
                entry = credentials_entry(&credentials);
                credentials_done(&credentials);
        }
        if (decoded) { /* what was decoded comes back */
                _cleanup_free_ char *encoded = credentials_encode(decoded, true);
                _cleanup_free_ char *again = credentials_decode(encoded);

                if (!again || !str_equal(again, decoded))
                        __builtin_trap();
        }
        return 0;
}
