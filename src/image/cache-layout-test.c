/* cache-layout-test.c: a build cache's directory on a file system whose locks fail. */
#include "image/cache-layout.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"

/* In the C library's place. */
static int flock_errno;

int flock(int fd, int operation) {
        (void)fd;
        (void)operation;
        errno = flock_errno;
        return flock_errno ? -1 : 0;
}

typedef struct Told {
        char *last;
} Told;

static int on_progress(void *data, const ImageProgress *progress) {
        str_replace(&((Told *)data)->last, progress->status);
        return 0;
}

/* Sends a cache without layers to a directory of its own. */
static int send(int number, Told *told, bool *ret_index, bool *ret_lock, Error *err) {
        char path[] = "/tmp/brig-layout-XXXXXX";
        CachePlace place = { .dir_fd = -1, .uid = -1, .gid = -1 };
        Push push = { .image = { .id = (char *)"sha256:x", .config_text = (char *)"{}" } };
        struct stat st;
        int r;

        flock_errno = number;
        if (!mkdtemp(path) || dir_open_at(AT_FDCWD, path, 0700, &place.dir_fd, err) < 0)
                abort();
        assembly_init(&push.assembly, NULL, on_progress, told);
        r = cache_layout_send(&place, &push, err);
        *ret_index = fstatat(place.dir_fd, "index.json", &st, 0) == 0 && st.st_size > 2;
        *ret_lock = fstatat(place.dir_fd, "index.json.lock", &st, 0) == 0;
        free(push.manifest);
        free(push.manifest_type);
        assembly_done(&push.assembly);
        close_fd(&place.dir_fd);
        (void)dir_remove_at(AT_FDCWD, path, NULL);
        return r;
}

TEST(a_file_system_without_locks_is_written_to_without) {
        static const int numbers[] = { ENOLCK, ENOSYS, EOPNOTSUPP };

        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                bool index = false, lock = true;
                Told told = {};
                Error err = {};

                ASSERT_OK(send(numbers[i], &told, &index, &lock, &err), &err);
                ASSERT(index && !lock);
                ASSERT_STR(told.last, "Writing without a lock, which the file system has not");
                free(told.last);
        }
}

TEST(another_error_is_told_and_leaves_no_lock) {
        bool index = true, lock = true;
        Told told = {};
        Error err = {};

        ASSERT_INT(send(EIO, &told, &index, &lock, &err), -EIO);
        ASSERT(!index && !lock);
        ASSERT(strstr(err.message, "lock 'index.json.lock'"));
        ASSERT_OK(send(0, &told, &index, &lock, &err), &err);
        ASSERT(index && !lock && !told.last);
}

TEST_MAIN()
