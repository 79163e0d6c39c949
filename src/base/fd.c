/* fd.c: see fd.h. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

ssize_t fd_read_full(int fd, void *data, size_t length) {
        size_t done = 0;

        while (done < length) {
                ssize_t n = read(fd, (char *)data + done, length - done);

                if (n == 0)
                        break;
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

int fd_write_full(int fd, const void *data, size_t length) {
        for (size_t done = 0; done < length;) {
                ssize_t n = write(fd, (const char *)data + done, length - done);

                if (n >= 0)
                        done += (size_t)n;
                else if (errno == EAGAIN)
                        (void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
                else if (errno != EINTR)
                        return -errno;
        }
        return 0;
}

int fd_read_all(int fd, size_t limit, Buf *buf) {
        for (;;) {
                ssize_t n;

                buf_reserve(buf, 16384);
                n = read(fd, buf->data + buf->length, 16384);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                buf->length += (size_t)n;
                buf->data[buf->length] = '\0';
                if (n == 0)
                        return 0;
                if (buf->length > limit)
                        return -EFBIG;
        }
}

int file_read_at(int dir_fd, const char *path, size_t limit, char **ret, size_t *ret_length,
                 Error *err) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        _cleanup_buf_ Buf buf = {};
        int r;

        if (fd < 0)
                return error_set(err, errno, "open '%s'", path);
        r = fd_read_all(fd, limit, &buf);
        if (r < 0)
                return error_set(err, r, "read '%s'", path);
        if (ret_length)
                *ret_length = buf.length;
        *ret = buf_take(&buf);
        return 0;
}

int file_write_control_at(int dir_fd, const char *path, const char *text, Error *err) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        ssize_t n;

        if (fd < 0)
                return error_set(err, errno, "open '%s'", path);
        do
                n = write(fd, text, strlen(text));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_set(err, errno, "write '%s' to '%s'", text, path);
        return 0;
}

static int sync_parent(int dir_fd, const char *path) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent =
                slash ? str_copy_n(path, (size_t)(slash - path) + 1) : str_copy(".");
        _cleanup_close_ int fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_replace_at(int dir_fd, const char *path, const void *data, size_t length, mode_t mode,
                    bool durable, Error *err) {
        _cleanup_free_ char *temporary =
                str_format("%s.%d.%p.tmp", path, (int)getpid(), (void *)&temporary);
        _cleanup_close_ int fd =
                openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        int r;

        if (fd < 0)
                return error_set(err, errno, "create '%s'", temporary);
        r = fd_write_full(fd, data, length);
        if (r == 0 && durable && fdatasync(fd) < 0)
                r = -errno;
        if (r == 0 && renameat(dir_fd, temporary, dir_fd, path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dir_fd, temporary, 0);
        else if (durable)
                r = sync_parent(dir_fd, path);
        return r < 0 ? error_set(err, r, "write '%s'", path) : 0;
}

int dir_make_at(int dir_fd, const char *path, mode_t mode, Error *err) {
        _cleanup_free_ char *prefix = str_copy(path);

        for (char *c = prefix; *c;) {
                char kept;

                while (*c == '/')
                        c++;
                c = strchrnul(c, '/');
                kept = *c;
                *c = '\0';
                if (*prefix && mkdirat(dir_fd, prefix, mode) < 0 && errno != EEXIST)
                        return error_set(err, errno, "make directory '%s'", prefix);
                *c = kept;
        }
        return 0;
}

int dir_open_at(int dir_fd, const char *path, mode_t create_mode, int *ret_fd, Error *err) {
        int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

        if (fd < 0 && errno == ENOENT && create_mode != 0) {
                r = dir_make_at(dir_fd, path, create_mode, err);
                if (r < 0)
                        return r;
                fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        if (fd < 0)
                return error_set(err, errno, "open directory '%s'", path);
        *ret_fd = fd;
        return 0;
}

int dir_open_real_at(int dir_fd, const char *path, int *ret_fd, Error *err) {
        int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return error_set(err, errno, "open directory '%s'", path);
        *ret_fd = fd;
        return 0;
}

int fd_set_nonblocking(int fd, bool on) {
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
                return -errno;
        return 0;
}

int fd_set_cloexec(int fd, bool on) {
        return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_send(int socket_fd, const void *data, size_t length, const int *fds, size_t fd_count) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        } control = {};
        struct iovec iov = { .iov_base = (void *)data, .iov_len = length };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        ssize_t n;

        if (fd_count > FDS_MAX)
                return -E2BIG;
        if (fd_count > 0) {
                struct cmsghdr *header;

                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
                memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
        }
        do
                n = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return (size_t)n < length ? -EMSGSIZE : 0;
}

ssize_t fd_receive(int socket_fd, void *data, size_t length, int *fds, size_t fd_max,
                   size_t *ret_fd_count) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        } control;
        struct iovec iov = { .iov_base = data, .iov_len = length };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof(control.bytes),
        };
        size_t count = 0;
        ssize_t n;

        do
                n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
             header = CMSG_NXTHDR(&message, header)) {
                size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < here; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
                        if (count < fd_max)
                                fds[count++] = fd;
                        else
                                (void)close(fd);
                }
        }
        *ret_fd_count = count;
        if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
                for (size_t i = 0; i < count; i++)
                        close_fd(&fds[i]);
                *ret_fd_count = 0;
                return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : -EMFILE;
        }
        return n;
}
