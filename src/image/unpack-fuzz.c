/* unpack-fuzz.c: any bytes as a layer, applied to a directory of its own below /tmp, which is
 * emptied after each. Root is not needed: what it may not do, it reports. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "image/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char place[] = "/tmp/brig-unpack-fuzz-XXXXXX";

static void remove_place(void) {
        (void)dir_remove_at(AT_FDCWD, place, NULL);
}

static void make_place(void) {
        static bool made;

        if (made)
                return;
        if (!mkdtemp(place) || atexit(remove_place) != 0)
                abort();
        made = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const UnpackLimits limits = { .entries = 200, .bytes = 1 << 20, .stream = 8 << 20 };
        _cleanup_(tar_stream_freep) TarStream *stream = NULL;
        _cleanup_close_ int input_fd = memfd_create("layer", MFD_CLOEXEC);
        _cleanup_close_ int place_fd = -1;
        _cleanup_close_ int target_fd = -1;
        char digest[DIGEST_TEXT_MAX];
        int64_t bytes;
        Error err = {};

        make_place();
        if (input_fd < 0 || fd_write_full(input_fd, data, size) < 0 ||
            lseek(input_fd, 0, SEEK_SET) < 0 ||
            dir_open_at(AT_FDCWD, place, 0, &place_fd, NULL) < 0 ||
            dir_open_at(place_fd, "root", 0755, &target_fd, NULL) < 0)
                abort();
        if (tar_stream_new(input_fd, -1, limits.stream, &stream, &err) == 0 &&
            unpack_layer(stream, target_fd, &limits, NULL, NULL, &bytes, &err) == 0)
                (void)tar_stream_finish(stream, digest, &err);
        (void)fchmod(target_fd, 0700);
        if (dir_remove_at(place_fd, "root", NULL) < 0 && geteuid() == 0)
                abort();
        return 0;
}
