/* validate-fuzz.c: whatever document is read, checking it and compiling its filter, if its
 * conditions are few, end with a verdict. */
#include <stdint.h>

#include "runtime/seccomp-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Few enough conditions for libseccomp to come to an end: nobody ends it here (seccomp-process.c).
 */
#define CONDITIONS_MAX 8

static size_t condition_count(const OciSeccomp *document) {
        const OciSyscall *rules = document->syscalls.items;
        size_t count = 0;

        for (size_t i = 0; i < document->syscalls.count; i++)
                count += rules[i].args.count;
        return count;
}

static void compile(const OciSeccomp *document) {
        SeccompProgram program = {};

        if (condition_count(document) <= CONDITIONS_MAX)
                (void)seccomp_compile_here(document, &program, NULL);
        seccomp_program_done(&program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        OciConfig config = {};

        if (json_parse(&oci_config_table, (const char *)data, size, &config, NULL) == 0) {
                (void)runtime_validate(&config, NULL);
                if (config.linux_ && config.linux_->seccomp)
                        compile(config.linux_->seccomp);
        }
        json_done(&oci_config_table, &config);
        return 0;
}
