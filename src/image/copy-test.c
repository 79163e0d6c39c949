/* copy-test.c: who waits for a copy whose program says nothing stops as the client leaves, or as
 * the time is over. The program is a script here, which gives no answer. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "image/copy.h"
#include "image/store.h"

static int start(char directory[], ImageCopy **ret, Error *err) {
        static const char script[] = "#!/bin/sh\nexec sleep 1000\n";
        const CopyRequest request = { .action = COPY_PLACES, .input_fd = -1 };
        const CopyRoot root = { .fd = -1 };
        _cleanup_free_ char *path = NULL;
        int r;

        if (!mkdtemp(directory))
                return error_set(err, errno, "mkdtemp");
        path = str_format("%s/silent", directory);
        r = file_replace_at(AT_FDCWD, path, script, strlen(script), 0700, false, err);
        if (r == 0)
                r = image_copy_start(&(ImageStore){ .helper = path }, &root, &request, ret, err);
        return r;
}

TEST(a_copy_without_an_answer_ends_with_its_client) {
        char directory[] = "/tmp/copy-test.XXXXXX";
        _cleanup_(image_copy_freep) ImageCopy *copy = NULL;
        CopyStat stat = { 0 };
        Error err = {};
        int pair[2];

        ASSERT_OK(start(directory, &copy, &err), &err);
        ASSERT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        ASSERT_INT(close(pair[1]), 0);
        const CopyPatience patience = { pair[0], -1 };
        ASSERT_INT(image_copy_found(copy, &patience, &stat, &err), -ECANCELED);
        ASSERT_INT(image_copy_finish(copy, &patience, &err), -ECANCELED);
        ASSERT_INT(close(pair[0]), 0);
        copy = image_copy_free(copy);
        ASSERT_OK(dir_remove_at(AT_FDCWD, directory, &err), &err);
}

TEST(a_copy_without_an_answer_ends_in_time) {
        char directory[] = "/tmp/copy-test.XXXXXX";
        const CopyPatience patience = { -1, NSEC_PER_MSEC };
        _cleanup_(image_copy_freep) ImageCopy *copy = NULL;
        Error err = {};

        ASSERT_OK(start(directory, &copy, &err), &err);
        ASSERT_INT(image_copy_finish(copy, &patience, &err), -ETIMEDOUT);
        copy = image_copy_free(copy);
        ASSERT_OK(dir_remove_at(AT_FDCWD, directory, &err), &err);
}

TEST_MAIN()
