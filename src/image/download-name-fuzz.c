/* download-name-fuzz.c: any URL and any header give one component, or nothing. */
#include "base/str.h"
#include "image/download-name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = str_copy_n((const char *)data, size);
        char *newline = strchr(text, '\n');
        _cleanup_free_ char *name = NULL;

        if (newline)
                *newline++ = '\0';
        name = download_name(text, newline);
        if (strchr(name, '/') || str_equal(name, ".") || str_equal(name, ".."))
                abort();
        return 0;
}
