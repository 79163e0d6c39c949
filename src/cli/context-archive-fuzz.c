/* context-archive-fuzz.c: archives of contexts from anywhere: whatever comes, names are plain ones
 * and files within their bounds. */
#include "cli/context-archive.h"

#include <stdint.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(void *data, const char *path, const void *bytes, size_t length, Error *err) {
        const char *names = str_after(path, "tls/"), *slash = names ? strchr(names, '/') : NULL;
        unsigned *sum = data;

        (void)err;
        if (!str_equal(path, "meta.json") &&
            (!slash || *names == '.' || slash == names || slash[1] == '.' || slash[1] == '\0' ||
             strchr(slash + 1, '/')))
                abort();
        if (length > CONTEXT_ARCHIVE_MAX)
                abort();
        for (size_t i = 0; i < length; i++)
                *sum += ((const unsigned char *)bytes)[i];
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        unsigned sum = 0;

        (void)context_archive_read(data, size, check, &sum, NULL);
        return 0;
}
