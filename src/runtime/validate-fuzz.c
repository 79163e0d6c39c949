/* validate-fuzz.c: whatever document is read, checking it and compiling its filter end with a
 * verdict. */
#include <stdint.h>

#include "runtime/seccomp-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Few enough conditions for libseccomp to come to an end; with more a child compiles, where the
 * fuzzer sees nothing but the verdict. */
#define CONDITIONS_HERE 8

static size_t condition_count(const OciSeccomp *document) {
        const OciSyscall *rules = document->syscalls.items;
        size_t count = 0;

        for (size_t i = 0; i < document->syscalls.count; i++)
                count += rules[i].args.count;
        return count;
}

static void compile(const OciSeccomp *document) {
        SeccompProgram program = {};
        uint32_t standard;

        if (condition_count(document) > CONDITIONS_HERE)
                (void)seccomp_compile(document, -1, &program, NULL);
        else if (seccomp_action_of(document->default_action, document->default_errno_ret, &standard,
                                   NULL) == 0)
                (void)seccomp_compile_here(document, standard, &program, NULL);
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
