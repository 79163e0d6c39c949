/* validate-fuzz.c: whatever document is read, checking it and compiling its filter end with a
 * verdict. */
#include <stdint.h>

#include "runtime/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        SeccompProgram program = {};
        OciConfig config = {};

        if (json_parse(&oci_config_table, (const char *)data, size, &config, NULL) == 0) {
                (void)runtime_validate(&config, NULL);
                if (config.linux_)
                        (void)seccomp_compile(config.linux_->seccomp, -1, &program, NULL);
        }
        seccomp_program_done(&program);
        json_done(&oci_config_table, &config);
        return 0;
}
