/* message.c: see message.h. */
#include "monitor/message.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "monitor/protocol.h"

int memfd_with(const char *name, const void *data, size_t length, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return error_set(err, errno, "make a memory file for %s", name);
        r = fd_write_full(fd, data, length);
        if (r < 0)
                return error_set(err, -r, "write %s to a memory file", name);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int memfd_read(int fd, size_t limit, char **ret, size_t *ret_length, Error *err) {
        _cleanup_free_ char *data = NULL;
        struct stat st;
        size_t done = 0;

        if (fstat(fd, &st) < 0)
                return error_set(err, errno, "look at a memory file");
        if (!S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > limit)
                return error_kind(err, ERROR_INVALID,
                                  "a document is no regular file of at most %zu bytes", limit);
        data = alloc_zero(1, (size_t)st.st_size + 1);
        while (done < (size_t)st.st_size) {
                /* pread: sender and receiver share the offset, which stands at the end. */
                ssize_t n = pread(fd, data + done, (size_t)st.st_size - done, (off_t)done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set(err, errno, "read a memory file");
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        data[done] = '\0';
        *ret = TAKE_PTR(data);
        *ret_length = done;
        return 0;
}

/* Puts the document into a memfd before the other descriptors. */
static int send_in_memfd(int socket_fd, const char *text, size_t length, const int *fds,
                         size_t fd_count, Error *err) {
        static const char mark = MESSAGE_IN_MEMFD;
        _cleanup_close_ int fd = -1;
        int all[MESSAGE_FDS_MAX + 1], r;

        r = memfd_with("monitor-message", text, length, &fd, err);
        if (r < 0)
                return r;
        all[0] = fd;
        for (size_t i = 0; i < fd_count; i++)
                all[i + 1] = fds[i];
        r = fd_send(socket_fd, &mark, 1, all, fd_count + 1);
        return r < 0 ? error_set(err, -r, "send a message") : 0;
}

int message_send(int socket_fd, const JsonTable *table, const void *thing, const int *fds,
                 size_t fd_count, Error *err) {
        _cleanup_free_ char *text = json_text(table, thing);
        size_t length = strlen(text);
        int r;

        if (fd_count > MESSAGE_FDS_MAX)
                return error_kind(err, ERROR_INVALID, "%zu descriptors in one message", fd_count);
        if (length > MONITOR_MESSAGE_MAX)
                return error_kind(err, ERROR_INVALID, "a %s of %zu bytes is over the limit of %d",
                                  table->name, length, MONITOR_MESSAGE_MAX);
        if (length > MESSAGE_INLINE)
                return send_in_memfd(socket_fd, text, length, fds, fd_count, err);
        r = fd_send(socket_fd, text, length, fds, fd_count);
        return r < 0 ? error_set(err, -r, "send a %s", table->name) : 0;
}

/* Reads the document out of fds[0] and takes that descriptor out of the list. */
static int parse_memfd(const JsonTable *table, void *thing, int *fds, size_t *fd_count,
                       Error *err) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        size_t length = 0;
        int r;

        if (*fd_count == 0)
                return error_kind(err, ERROR_INVALID, "a message lacks its document's descriptor");
        fd = fds[0];
        (*fd_count)--;
        memmove(fds, fds + 1, *fd_count * sizeof(*fds));
        r = memfd_read(fd, MONITOR_MESSAGE_MAX, &text, &length, err);
        if (r < 0)
                return r;
        return json_parse(table, text, length, thing, err);
}

int message_receive(int socket_fd, const JsonTable *table, void *thing, int fds[MESSAGE_FDS_MAX],
                    size_t *ret_fd_count, Error *err) {
        char text[MESSAGE_INLINE];
        int all[MESSAGE_FDS_MAX + 1];
        size_t count = 0;
        ssize_t n = fd_receive(socket_fd, text, sizeof(text), all, ELEMENTS(all), &count);
        int r;

        if (n < 0)
                return error_set(err, (int)-n, "receive a %s", table->name);
        if (n == 0 && count == 0)
                return 0;
        if (n == 1 && text[0] == MESSAGE_IN_MEMFD)
                r = parse_memfd(table, thing, all, &count, err);
        else
                r = json_parse(table, text, (size_t)n, thing, err);
        if (r == 0 && count > MESSAGE_FDS_MAX)
                r = error_kind(err, ERROR_INVALID, "%zu descriptors in one message", count);
        if (r < 0) {
                for (size_t i = 0; i < count; i++)
                        close_fd(&all[i]);
                json_done(table, thing);
                return r;
        }
        memcpy(fds, all, count * sizeof(*fds));
        *ret_fd_count = count;
        return 1;
}
