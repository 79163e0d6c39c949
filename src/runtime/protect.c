/* protect.c: the runtime's own file is out of a container's reach. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bug.h"
#include "os/mount.h"
#include "runtime/private.h"

/* A process that is about to become a container's may be made to open its own /proc/self/exe, by a
 * script that names it as its interpreter for one (CVE-2019-5736). The file is then reached through
 * the mount that the program was started from; a detached read-only one can be made writable again
 * by nobody. */
int runtime_protect_program(char **argv, Error *err) {
        _cleanup_close_ int fd = openat(AT_FDCWD, "/proc/self/exe", O_PATH | O_CLOEXEC),
                            copy_fd = -1;
        struct statvfs info;
        int r;

        if (fd < 0 || fstatvfs(fd, &info) < 0)
                return error_set(err, errno, "open this program");
        if ((info.f_flag & ST_RDONLY) || BUG("runtime-program"))
                return 0;
        r = mount_clone(fd, false, &copy_fd, err);
        if (r == 0)
                r = mount_change(copy_fd, false, MOUNT_ATTR_RDONLY, 0, 0, err);
        if (r < 0)
                return error_prefix(err, "protect this program");
        (void)execveat(copy_fd, "", argv, environ, AT_EMPTY_PATH);
        return error_set(err, errno, "start this program from a read-only mount");
}
