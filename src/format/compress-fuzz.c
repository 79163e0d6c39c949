/* compress-fuzz.c: any bytes as a stream, compressed or not. */
#include <sys/mman.h>

#include "base/fd.h"
#include "format/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        enum { OUTPUT_MAX = 1 << 22 };
        static char chunk[8192];
        _cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
        _cleanup_(inflater_freep) Inflater *inflater = NULL;
        Error err = {};

        if (fd < 0 || fd_write_full(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                abort();
        if (inflater_new(fd, &inflater, &err) < 0)
                return 0;
        for (ssize_t n, total = 0; total < OUTPUT_MAX; total += n) {
                n = inflater_read(inflater, chunk, sizeof(chunk), &err);
                if (n <= 0)
                        break;
        }
        return 0;
}
