/* mode-fuzz.c: any text as a mode. The first bytes are the mode that it is applied to. */
#include <stdint.h>

#include "base/str.h"
#include "build/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = NULL;
        unsigned mode, result = 0x10000, again = 0x10000;
        Error err = {};
        bool directory;

        if (size < 2)
                return 0;
        mode = (unsigned)data[0] << 4 | (data[1] & 15);
        directory = data[1] & 16;
        text = str_copy_n((const char *)data + 2, size - 2);
        if (mode_apply(text, mode, directory, &result, &err) < 0) {
                if (result != 0x10000 || err.kind != ERROR_INVALID)
                        abort();
                return 0;
        }
        /* The file's type makes no difference, and none comes out. */
        if (mode_apply(text, mode | 0100000, directory, &again, NULL) < 0 || again != result ||
            result > 07777)
                abort();
        return 0;
}
