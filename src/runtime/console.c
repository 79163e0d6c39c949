/* console.c: a pseudo-terminal from the container's own devpts, handed to whoever holds the master,
 * and bound to /dev/console. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fd.h"
#include "os/mount.h"
#include "runtime/private.h"

#define PTS_MAJOR_FIRST 136
#define PTS_MAJOR_LAST 143

/* What an image calls ptmx is used only if it is the multiplexer of a devpts (CVE-2025-52565). */
static int check(int fd, bool master, Error *err) {
        struct statfs info;
        struct stat status;
        bool good;

        if (fstatfs(fd, &info) < 0 || fstat(fd, &status) < 0)
                return error_set(err, errno, "terminal");
        good = info.f_type == DEVPTS_SUPER_MAGIC && S_ISCHR(status.st_mode);
        if (good && master)
                good = status.st_rdev == makedev(5, 2);
        else if (good)
                good = major(status.st_rdev) >= PTS_MAJOR_FIRST &&
                       major(status.st_rdev) <= PTS_MAJOR_LAST;
        return good ? 0
                    : error_kind(err, ERROR_FORBIDDEN,
                                 "terminal: the container's /dev/pts is not a devpts file system");
}

static void set_size(int fd, const OciProcess *process) {
        struct winsize size = {};

        if (!process->console_size)
                return;
        size.ws_row = (unsigned short)process->console_size->height;
        size.ws_col = (unsigned short)process->console_size->width;
        (void)ioctl(fd, TIOCSWINSZ, &size);
}

int console_open(int root_fd, const OciProcess *process, int *ret_master, int *ret_slave,
                 Error *err) {
        _cleanup_close_ int path_fd = -1, master = -1, slave = -1;
        int unlock = 0, r = root_open(root_fd, "/dev/pts/ptmx", O_PATH | O_NOFOLLOW, &path_fd, err);

        if (r == 0) /* before it is opened for use: opening a stranger's device may do something */
                r = check(path_fd, true, err);
        if (r < 0)
                return error_prefix(err, "the terminal needs a devpts mount at /dev/pts");
        r = root_open(root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, &master, err);
        if (r == 0)
                r = check(master, true, err);
        if (r < 0)
                return r;
        if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
                return error_set(err, errno, "unlock the terminal");
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0)
                return error_set(err, errno, "open the terminal's other side");
        r = check(slave, false, err);
        if (r < 0)
                return r;
        set_size(master, process);
        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        return 0;
}

/* The terminal itself: its name may be another's by now. */
static int clone_slave(int root_fd, int slave_fd, int *ret_fd, Error *err) {
        _cleanup_close_ int named_fd = -1;
        int r = 0;

        if (BUG("console-race")) {
                r = root_open(root_fd, "/dev/pts/0", O_PATH, &named_fd, err);
                return r < 0 ? r : mount_clone(named_fd, false, ret_fd, err);
        }
        r = mount_clone(slave_fd, false, ret_fd, err);
        return r < 0 ? r : check(*ret_fd, false, err);
}

int console_bind(int root_fd, int slave_fd, Error *err) {
        _cleanup_close_ int parent_fd = -1, file_fd = -1, target_fd = -1, copy_fd = -1;
        const char *name;
        int r = root_make_parent(root_fd, "/dev/console", &parent_fd, &name, err);

        if (r < 0)
                return r;
        file_fd = openat(parent_fd, name,
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0620);
        if (file_fd < 0 && errno != EEXIST)
                return error_set(err, errno, "make /dev/console");
        target_fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (target_fd < 0)
                return error_set(err, errno, "open /dev/console");
        r = clone_slave(root_fd, slave_fd, &copy_fd, err);
        if (r == 0)
                r = mount_attach(copy_fd, target_fd, err);
        return r < 0 ? error_prefix(err, "/dev/console") : 0;
}

/* As runc does: the terminal's name as the data. */
static int send_master(int console_socket, int master_fd, Error *err) {
        static const char name[] = "/dev/ptmx";
        int r = fd_send(console_socket, name, sizeof(name) - 1, &master_fd, 1);

        return r < 0 ? error_set(err, -r, "send the terminal over the console socket") : 0;
}

int console_deliver(const ProcessIo *io, int sync_fd, int master_fd, Error *err) {
        int r;

        if (io->console_socket >= 0)
                return send_master(io->console_socket, master_fd, err);
        r = sync_send(sync_fd, SYNC_CONSOLE, master_fd);
        return r < 0 ? error_set(err, -r, "send the terminal") : 0;
}

int console_take(const ProcessIo *io, int master_fd, Error *err) {
        if (!io->ret_console) {
                close_fd(&master_fd);
                return error_kind(err, ERROR_INVALID,
                                  "process.terminal is set, but there is no console socket to send "
                                  "the terminal to");
        }
        *io->ret_console = master_fd;
        return 0;
}
