/* procfs.c: openat2(2) below a checked root of procfs. */
#include "os/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "os/mount.h"

#define PROC_ROOT_INODE 1

static int check(int fd, bool root) {
        struct statfs info;
        struct stat status;

        if (fstatfs(fd, &info) < 0 || fstat(fd, &status) < 0)
                return -errno;
        if (BUG("proc-writes") && !root)
                return 0;
        if (info.f_type != PROC_SUPER_MAGIC || (root && status.st_ino != PROC_ROOT_INODE))
                return -EXDEV;
        return 0;
}

int procfs_open(int *ret_fd, Error *err) {
        _cleanup_close_ int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? -errno : check(fd, true);

        if (r == -EXDEV || r == -ENOENT)
                return error_set(err, -r, "/proc is not the process file system: mount it first");
        if (r < 0)
                return error_set(err, -r, "open /proc");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Making one and dropping it takes the kernel as long as the way through some hundred entries. */
#define CALLERS_MAX 64

static struct {
        pthread_mutex_t lock;
        int fd;
        unsigned callers;
} young = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* Lock held. The one before, which is dropped without the lock, as the kernel has its work with it.
 */
static int renew(void) {
        const uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        int fd = -1, old = -1;

        if (mount_new("proc", NULL, NULL, attributes, &fd, NULL) == 0) {
                old = young.fd;
                young.fd = fd;
        }
        return old;
}

int procfs_open_young(int *ret_fd, Error *err) {
        int fd = -1, old = -1;

        (void)pthread_mutex_lock(&young.lock);
        if (young.callers++ % CALLERS_MAX == 0)
                old = renew();
        if (young.fd >= 0)
                fd = fcntl(young.fd, F_DUPFD_CLOEXEC, 0);
        (void)pthread_mutex_unlock(&young.lock);
        close_fd(&old);
        if (fd < 0)
                return procfs_open(ret_fd, err);
        *ret_fd = fd;
        return 0;
}

/* "self" is a link of procfs itself, so links are allowed in the first component only: the caller's
 * directory is opened first. */
static int open_below(int proc_fd, const char *path, int flags) {
        struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
                                .resolve =
                                        RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS };
        _cleanup_close_ int self_fd = -1;
        const char *rest = path;
        int fd, r;

        if (strncmp(path, "self/", 5) == 0) {
                self_fd = openat(proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (self_fd < 0)
                        return -errno;
                rest = path + 5;
        }
        fd = (int)syscall(SYS_openat2, self_fd >= 0 ? self_fd : proc_fd, rest, &how, sizeof(how));
        if (fd < 0)
                return -errno;
        r = check(fd, false);
        if (r < 0)
                close_fd(&fd);
        return r < 0 ? r : fd;
}

int procfs_write(int proc_fd, const char *path, const char *text, Error *err) {
        _cleanup_close_ int fd = open_below(proc_fd, path, O_WRONLY);

        if (fd < 0)
                return error_set(err, -fd, "open /proc/%s", path);
        if (write(fd, text, strlen(text)) < 0)
                return error_set(err, errno, "write '%s' to /proc/%s", text, path);
        return 0;
}

int procfs_read(int proc_fd, const char *path, char **ret, Error *err) {
        _cleanup_close_ int fd = open_below(proc_fd, path, O_RDONLY);
        _cleanup_buf_ Buf text = {};
        int r = fd < 0 ? fd : fd_read_all(fd, 1 << 20, &text);

        if (r < 0)
                return error_set(err, -r, "read /proc/%s", path);
        *ret = buf_take(&text);
        return 0;
}

int procfs_reopen(int proc_fd, int fd, int flags, int *ret_fd, Error *err) {
        _cleanup_close_ int fds = open_below(proc_fd, "self/fd", O_PATH | O_DIRECTORY);
        char name[12];
        int opened;

        if (fds < 0)
                return error_set(err, -fds, "open /proc/self/fd");
        (void)snprintf(name, sizeof(name), "%d", fd);
        opened = openat(fds, name, flags | O_CLOEXEC);
        if (opened < 0)
                return error_set(err, errno, "open /proc/self/fd/%d", fd);
        *ret_fd = opened;
        return 0;
}

static bool is_octal(const char *text) {
        return text[0] >= '0' && text[0] <= '3' && strspn(text, "01234567") >= 3;
}

void mountinfo_unescape(char *text) {
        char *to = text;

        for (const char *from = text; *from; to++) {
                if (*from == '\\' && is_octal(from + 1)) {
                        *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
                        from += 4;
                } else {
                        *to = *from++;
                }
        }
        *to = '\0';
}
