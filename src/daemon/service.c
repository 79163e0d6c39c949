/* service.c: see service.h. */
#include "daemon/service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define PREDECESSOR_PATIENCE (3 * NSEC_PER_SEC)

/* Who has the file locked, as far as it says. */
static void read_pid(int fd, char ret[16]) {
        ssize_t n = pread(fd, ret, 15, 0);

        ret[MAX(n, 0)] = '\0';
        ret[strspn(ret, "0123456789")] = '\0';
}

static bool process_exists(const char *pid) {
        int number;

        return str_to_int_in(pid, 1, INT_MAX, &number) == 0 &&
               (kill(number, 0) == 0 || errno == EPERM);
}

/* A daemon that was killed while it started a program leaves that with its descriptors until the
 * exec, and with them its lock. */
static int lock_after_predecessor(int fd) {
        const int64_t end = clock_monotonic() + PREDECESSOR_PATIENCE;
        char pid[16];

        for (;;) {
                if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                        return 0;
                if (errno != EWOULDBLOCK)
                        return -errno;
                read_pid(fd, pid);
                if (process_exists(pid) || clock_monotonic() >= end)
                        return -EWOULDBLOCK;
                (void)poll(NULL, 0, 5);
        }
}

/* Locks fd; conflict, with the process id that the file holds, where another has it. */
static int lock_file(int fd, const char *what, const char *remedy, Error *err) {
        char pid[16];
        int r = lock_after_predecessor(fd);

        if (r == 0)
                return 0;
        if (r != -EWOULDBLOCK)
                return error_set(err, -r, "lock '%s'", what);
        read_pid(fd, pid);
        return error_kind(err, ERROR_CONFLICT, "another brigd (process %s) uses '%s': %s",
                          *pid ? pid : "unknown", what, remedy);
}

static int write_pid(int fd, const char *what, Error *err) {
        char text[24];
        int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

        if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
                return error_set(err, errno, "write '%s'", what);
        return 0;
}

int service_lock_root(const char *path, mode_t mode, int *ret_lock_fd, Error *err) {
        _cleanup_close_ int root = -1;
        _cleanup_close_ int fd = -1;
        int r = dir_open_at(AT_FDCWD, path, mode, &root, err);

        if (r < 0)
                return r;
        fd = openat(root, "brigd.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return error_set(err, errno, "open '%s/brigd.lock'", path);
        r = lock_file(fd, path, "stop it, or give this one roots of its own", err);
        if (r >= 0)
                r = write_pid(fd, path, err);
        if (r < 0)
                return r;
        *ret_lock_fd = TAKE_FD(fd);
        return 0;
}

int service_close_root(const char *path, mode_t mode, Error *err) {
        struct stat st;

        if (stat(path, &st) < 0)
                return error_set(err, errno, "look at '%s'", path);
        if (st.st_mode & S_ISVTX || !(st.st_mode & ALLPERMS & ~mode))
                return 0;
        return chmod(path, st.st_mode & mode) < 0
                       ? error_set(err, errno, "close '%s' to others", path)
                       : 0;
}

int service_write_pid(const char *path, int *ret_fd, Error *err) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent = NULL;
        _cleanup_close_ int fd = -1;
        int r = 0;

        if (slash && slash != path) {
                parent = str_copy_n(path, (size_t)(slash - path));
                r = dir_make_at(AT_FDCWD, parent, 0755, err);
        }
        if (r < 0)
                return r;
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return error_set(err, errno, "open the pid file '%s'", path);
        r = lock_file(fd, path, "stop it, or give this one a --pidfile of its own", err);
        if (r >= 0)
                r = write_pid(fd, path, err);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

void service_remove_pid(const char *path, int *fd) {
        if (*fd >= 0)
                (void)unlink(path);
        close_fd(fd);
}

void service_notify(const char *state) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;
        size_t length = path ? strlen(path) : 0;
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);

        if (length < 2 || length >= sizeof(address.sun_path))
                return;
        memcpy(address.sun_path, path, length);
        if (path[0] == '@')
                address.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                             (const struct sockaddr *)&address, size) < 0)
                log_warn("tell the service manager '%s': %s", state, strerror(errno));
}

int service_find_program(const char *name, const char *build_folder, char **ret, Error *err) {
        char self[PATH_MAX];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        _cleanup_free_ char *beside = NULL, *built = NULL, *installed = NULL;
        char *slash;

        if (length < 0)
                return error_set(err, errno, "readlink /proc/self/exe");
        self[length] = '\0';
        slash = strrchr(self, '/');
        *slash = '\0';
        beside = str_format("%s/%s", self, name);
        built = str_format("%s/../%s/%s", self, build_folder, name);
        installed = str_format("%s/../libexec/brig/%s", self, name);
        if (access(beside, X_OK) == 0)
                *ret = TAKE_PTR(beside);
        else if (access(installed, X_OK) == 0)
                *ret = TAKE_PTR(installed);
        else if (access(built, X_OK) == 0)
                *ret = TAKE_PTR(built);
        else
                return error_kind(err, ERROR_NOT_FOUND,
                                  "the program %s is neither at '%s' nor at '%s': install brig as "
                                  "a whole",
                                  name, beside, installed);
        return 0;
}
