/* copy-test.c: who waits for a copy whose program says nothing stops as the client leaves, or as
 * the time is over. The program is a script here, which gives no answer. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

static bool stuck; /* what is killed does not end */
static int collected;

int __real_pidfd_wait_end(int pidfd, int64_t timeout);
int __wrap_pidfd_wait_end(int pidfd, int64_t timeout);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);

/* The linker puts both in the way of the helper's end. */
int __wrap_pidfd_wait_end(int pidfd, int64_t timeout) {
        return stuck && timeout >= 0 ? -ETIMEDOUT : __real_pidfd_wait_end(pidfd, timeout);
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options) {
        pid_t r;

        if (stuck && options & WNOHANG)
                return 0;
        if (stuck)
                abort(); /* it would wait without bound */
        r = __real_waitpid(pid, status, options);
        collected += r > 0;
        return r;
}

/* As where its files are a server's that is away. */
TEST(a_killed_copy_that_does_not_end_is_collected_later) {
        char directory[] = "/tmp/copy-test.XXXXXX", other[] = "/tmp/copy-test.XXXXXX";
        _cleanup_(image_copy_freep) ImageCopy *copy = NULL;
        Error err = {};

        ASSERT_OK(start(directory, &copy, &err), &err);
        stuck = true;
        collected = 0;
        copy = image_copy_free(copy);
        stuck = false;
        ASSERT_INT(collected, 0);
        ASSERT_OK(start(other, &copy, &err), &err);
        /* It has ended in truth, and would be collected here. */
        siginfo_t info;
        ASSERT_INT(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
        copy = image_copy_free(copy);
        ASSERT_INT(collected, 2);
        ASSERT_INT(__real_waitpid(-1, NULL, WNOHANG), -1);
        ASSERT_INT(errno, ECHILD);
        ASSERT_OK(dir_remove_at(AT_FDCWD, directory, &err), &err);
        ASSERT_OK(dir_remove_at(AT_FDCWD, other, &err), &err);
}

TEST_MAIN()
