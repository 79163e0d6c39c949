/* dockerfile-fuzz.c: any bytes as a Dockerfile. */
#include "build/dockerfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Dockerfile file;
        Error err = {};
        if (dockerfile_parse("Dockerfile", (const char *)data, size, &file, &err) < 0)
                return 0;
        for (size_t i = 0; i < file.count; i++) {
                free(instruction_source(&file.instructions[i]));
                (void)dockerfile_error(&file, file.instructions[i].at, &err, "x");
        }
        dockerfile_done(&file);
        return 0;
}
