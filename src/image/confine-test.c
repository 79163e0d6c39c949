/* confine-test.c: what a confined child can and cannot do. Needs root. */
#include "image/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/test.h"

/* What the child found; each is one of its exits. */
enum { GOOD, NOT_CONFINED, NO_DEVICE, DEVICE_OPENED, HOST_SEEN, REACHED, NOT_REACHED, ROOT };

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

/* The length; owner: whose number is in the name. */
static socklen_t abstract_address(pid_t owner, struct sockaddr_un *ret) {
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        int length = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "brig-confine-%d",
                              (int)owner);

        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

/* By Landlock, from Linux 6.12 on: before, there is nothing that could keep it from one. */
static int try_abstract(int directory_fd) {
        bool scoped =
                syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 6;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address;
        socklen_t length = abstract_address(getppid(), &address);
        int r;

        (void)directory_fd;
        if (confine_to_network(NULL) < 0)
                return NOT_CONFINED;
        r = connect(fd, (struct sockaddr *)&address, length);
        return scoped && r == 0 ? REACHED : !scoped && r < 0 ? NOT_REACHED : GOOD;
}

static int try_user(int directory_fd) {
        (void)directory_fd;
        if (confine_to_user(65523, NULL) < 0)
                return NOT_CONFINED;
        return getuid() == 65523 && geteuid() == 65523 && getgid() == 65523 &&
                               getgroups(0, NULL) == 0 && setresuid(0, 0, 0) < 0 &&
                               prctl(PR_CAPBSET_READ, CAP_NET_BIND_SERVICE, 0, 0, 0) == 0 &&
                               prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
                       ? GOOD
                       : ROOT;
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

TEST(no_abstract_socket_is_reached) {
        struct sockaddr_un address;
        socklen_t length = abstract_address(getpid(), &address);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ASSERT_INT(bind(fd, (struct sockaddr *)&address, length), 0);
        ASSERT_INT(listen(fd, 1), 0);
        ASSERT_INT(in_child(try_abstract), GOOD);
}

TEST(a_user_without_rights) {
        ASSERT_INT(in_child(try_user), GOOD);
}

TEST_MAIN()
