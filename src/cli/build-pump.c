/* build-pump.c: an archive on standard input goes to the daemon through a pipe, as what was read of
 * it to know that it is one cannot be put back. See build-options.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "cli/build-options.h"

#define CHUNK ((size_t)65536)

struct BuildPump {
        pthread_t thread;
        int fd, stop_fd;
        char data[CHUNK];
        size_t begin, end; /* what of data is not written yet */
        bool input_ended;
};

/* 0: go on; anything else ends it: the input's end, a reader that is gone, an order to stop. */
static int step(BuildPump *pump) {
        bool full = pump->begin < pump->end;
        struct pollfd fds[] = { { pump->stop_fd, POLLIN, 0 },
                                { pump->fd, full ? POLLOUT : 0, 0 },
                                { full ? -1 : STDIN_FILENO, POLLIN, 0 } };
        ssize_t n;

        if (!full && pump->input_ended)
                return 1;
        if (poll(fds, ELEMENTS(fds), -1) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[0].revents || (fds[1].revents & POLLERR))
                return 1;
        if (full && fds[1].revents) {
                n = write(pump->fd, pump->data + pump->begin, pump->end - pump->begin);
                if (n < 0)
                        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
                pump->begin += (size_t)n;
        } else if (!full && fds[2].revents) {
                n = read(STDIN_FILENO, pump->data, CHUNK);
                if (n < 0)
                        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
                pump->input_ended = n == 0;
                pump->begin = 0;
                pump->end = (size_t)n;
        }
        return 0;
}

/* What goes wrong here the daemon says: the archive ends early. */
static void *run(void *data) {
        BuildPump *pump = data;

        while (step(pump) == 0)
                ;
        close_fd(&pump->fd);
        return NULL;
}

static int start_thread(BuildPump *pump, Error *err) {
        sigset_t all, before;
        int r;

        /* Signals are the main thread's; a reader that leaves shall end nobody. */
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&pump->thread, NULL, run, pump);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r != 0 ? error_set(err, r, "start a thread") : 0;
}

int build_pump_start(const BuildSource *source, BuildPump **ret, int *ret_fd, Error *err) {
        _cleanup_close_ int read_fd = -1, write_fd = -1, stop_fd = eventfd(0, EFD_CLOEXEC);
        _cleanup_free_ BuildPump *pump = NEW(BuildPump);
        int ends[2], r;

        if (stop_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
                return error_set(err, errno, "make a pipe for the context");
        read_fd = ends[0];
        write_fd = ends[1];
        if (fcntl(write_fd, F_SETFL, O_NONBLOCK) < 0)
                return error_set(err, errno, "make a pipe for the context");
        pump->end = MIN(source->head.length, CHUNK);
        memcpy(pump->data, source->head.data, pump->end);
        pump->fd = write_fd;
        pump->stop_fd = stop_fd;
        r = start_thread(pump, err);
        if (r < 0)
                return r;
        TAKE_FD(write_fd);
        TAKE_FD(stop_fd);
        *ret_fd = TAKE_FD(read_fd);
        *ret = TAKE_PTR(pump);
        return 0;
}

BuildPump *build_pump_stop(BuildPump *pump) {
        const uint64_t one = 1;

        if (!pump)
                return NULL;
        (void)fd_write_full(pump->stop_fd, (const char *)&one, sizeof(one));
        (void)pthread_join(pump->thread, NULL);
        close_fd(&pump->stop_fd);
        free(pump);
        return NULL;
}
