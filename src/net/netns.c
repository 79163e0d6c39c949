/* netns.c: network namespaces are a thread's own, so a visit is setns there and back; sockets that
 * are opened meanwhile stay in the namespace. */
#include "net/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"

static int open_own(int *ret_fd, Error *err) {
        int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return error_set(err, errno, "open this thread's network namespace");
        *ret_fd = fd;
        return 0;
}

int netns_enter(int netns_fd, int *ret_home, Error *err) {
        _cleanup_close_ int home = -1;
        int r = open_own(&home, err);

        if (r < 0)
                return r;
        if (setns(netns_fd, CLONE_NEWNET) < 0)
                return error_set(err, errno, "enter a network namespace");
        *ret_home = TAKE_FD(home);
        return 0;
}

void netns_return(int *home) {
        if (*home < 0)
                return;
        /* A thread that stayed in a container's namespace would serve other containers from it. */
        if (setns(*home, CLONE_NEWNET) < 0)
                abort();
        close_fd(home);
}

static int bring_up_loopback(Error *err) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                return error_set(err, errno, "bring up lo in a new network namespace");
        return 0;
}

int netns_new(int *ret_fd, Error *err) {
        _cleanup_netns_ int home = -1;
        _cleanup_close_ int fd = -1;
        int r = open_own(&home, err);

        if (r < 0)
                return r;
        if (unshare(CLONE_NEWNET) < 0) {
                r = error_set(err, errno, "make a network namespace");
                close_fd(&home);
                return r;
        }
        r = open_own(&fd, err);
        if (r == 0)
                r = bring_up_loopback(err);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int netns_bring_up(int netns_fd, Error *err) {
        _cleanup_netns_ int home = -1;
        int r = netns_enter(netns_fd, &home, err);

        return r < 0 ? r : bring_up_loopback(err);
}

static int write_sysctl(int dir_fd, const char *path, bool optional, const char *value,
                        Error *err) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT && optional)
                return 0;
        if (fd < 0)
                return error_set(err, errno, "open sysctl '%s'", path);
        if (write(fd, value, strlen(value)) < 0)
                return error_set(err, errno, "write '%s' to sysctl '%s'", value, path);
        return 0;
}

int sysctl_write(const char *path, const char *value, Error *err) {
        _cleanup_free_ char *full = str_format("/proc/sys/net/%s", path);

        return write_sysctl(AT_FDCWD, full, str_after(path, "ipv6/") != NULL, value, err);
}

int sysctl_write_at(int dir_fd, const char *path, const char *value, Error *err) {
        return write_sysctl(dir_fd, path, true, value, err);
}

char sysctl_read(const char *path) {
        _cleanup_free_ char *full = str_format("/proc/sys/net/%s", path), *text = NULL;
        size_t length;

        return file_read_at(AT_FDCWD, full, 4096, &text, &length, NULL) == 0 ? text[0] : '\0';
}

int sysctl_write_link(const char *family, const char *link, const char *key, const char *value,
                      Error *err) {
        _cleanup_free_ char *path = str_format("%s/conf/%s/%s", family, link, key);

        return sysctl_write(path, value, err);
}

/* "net.ipv4.conf.eth0.forwarding" → "ipv4/conf/eth0/forwarding"; as in sysctl(8), a name that has
 * slashes keeps its dots. */
static char *sysctl_path(const char *name) {
        bool slashes = strchr(name, '/') != NULL;
        char *path = str_copy(name + strlen("net."));

        for (char *c = path; *c && !slashes; c++)
                if (*c == '.')
                        *c = '/';
        return path;
}

int netns_sysctl(int netns_fd, const char *name, const char *value, Error *err) {
        _cleanup_netns_ int home = -1;
        _cleanup_free_ char *path = NULL, *probe = NULL;
        int r;

        if (!str_after(name, "net.") && !str_after(name, "net/"))
                return error_kind(err, ERROR_INVALID, "sysctl '%s' is not of a network namespace",
                                  name);
        path = sysctl_path(name);
        probe = str_format("/%s/", path);
        if (strstr(probe, "/../") || strstr(probe, "//"))
                return error_kind(err, ERROR_INVALID, "invalid sysctl name '%s'", name);
        r = netns_enter(netns_fd, &home, err);
        return r < 0 ? r : sysctl_write(path, value, err);
}
