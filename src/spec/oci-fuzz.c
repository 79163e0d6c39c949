/* oci-fuzz.c: whatever config.json holds, it is read or refused; what was read is written so that
 * it reads the same again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "spec/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *first = NULL, *second = NULL;
        OciConfig config = {}, again = {};

        if (json_parse(&oci_config_table, (const char *)data, size, &config, NULL) == 0) {
                first = json_text(&oci_config_table, &config);
                if (json_parse(&oci_config_table, first, strlen(first), &again, NULL) < 0)
                        abort();
                second = json_text(&oci_config_table, &again);
                if (!str_equal(first, second))
                        abort();
        }
        json_done(&oci_config_table, &config);
        json_done(&oci_config_table, &again);
        return 0;
}
