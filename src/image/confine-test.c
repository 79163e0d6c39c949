/* confine-test.c: what a confined child can and cannot do. Needs root. */
#include "image/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/test.h"

/* What the child found; each is one of its exits. */
enum { GOOD, NOT_CONFINED, NO_DEVICE, DEVICE_OPENED, HOST_SEEN };

/* A device can be made, as layers hold them, but not opened. */
static int try_device(int directory_fd) {
        if (confine_to_directory(directory_fd, NULL) < 0)
                return NOT_CONFINED;
        if (mknodat(directory_fd, "null", S_IFCHR | 0666, makedev(1, 3)) < 0)
                return NO_DEVICE;
        if (openat(directory_fd, "null", O_RDWR | O_CLOEXEC) >= 0 || errno != EACCES)
                return DEVICE_OPENED;
        return GOOD;
}

static int try_root(int directory_fd) {
        if (confine_to_directory(directory_fd, NULL) < 0)
                return NOT_CONFINED;
        return openat(directory_fd, "../../../etc/passwd", O_RDONLY | O_CLOEXEC) < 0 &&
                               openat(AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC) < 0
                       ? GOOD
                       : HOST_SEEN;
}

static int in_child(int (*try)(int directory_fd)) {
        char path[] = "/tmp/brig-confine-XXXXXX";
        _cleanup_close_ int fd = -1;
        int status = -1;
        pid_t pid;

        if (!mkdtemp(path) || dir_open_at(AT_FDCWD, path, 0755, &fd, NULL) < 0)
                abort();
        pid = fork();
        if (pid == 0)
                _exit(try(fd));
        (void)waitpid(pid, &status, 0);
        (void)dir_remove_at(AT_FDCWD, path, NULL);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(devices_are_made_and_not_opened) {
        ASSERT_INT(in_child(try_device), GOOD);
}

TEST(nothing_of_the_host_is_seen) {
        ASSERT_INT(in_child(try_root), GOOD);
}

TEST_MAIN()
