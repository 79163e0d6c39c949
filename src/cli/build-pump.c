/* build-pump.c: a context that goes to the daemon through a pipe as an archive: one on standard
 * input, as what was read of it to know that it is one cannot be put back; a directory that is
 * being written to. See build-options.h. */
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
        BuildPump *next;
        const BuildSource *source;
        BuildSource own; /* a named context's, which is what source is then */
        char **left_out;
        pthread_t thread;
        int fd, stop_fd;
        char data[CHUNK];
        size_t begin, end; /* what of data is not written yet */
        bool input_ended;
        int r; /* the thread's, until it is joined */
        Error err;
};

/* ---- an archive ---- */

static int failed(BuildPump *pump, int number, const char *what) {
        return error_set(&pump->err, number, "%s", what);
}

static int move_on(BuildPump *pump, const struct pollfd fds[3]) {
        bool full = pump->begin < pump->end;
        ssize_t n;

        if (full && fds[1].revents) {
                n = write(pump->fd, pump->data + pump->begin, pump->end - pump->begin);
                if (n < 0)
                        return errno == EINTR || errno == EAGAIN
                                       ? 0
                                       : failed(pump, errno, "send the context");
                pump->begin += (size_t)n;
        } else if (!full && fds[2].revents) {
                n = read(STDIN_FILENO, pump->data, CHUNK);
                if (n < 0)
                        return errno == EINTR || errno == EAGAIN
                                       ? 0
                                       : failed(pump, errno, "read standard input");
                pump->input_ended = n == 0;
                pump->begin = 0;
                pump->end = (size_t)n;
        }
        return 0;
}

/* 0: go on; 1: the input's end, a reader that is gone, an order to stop. */
static int step(BuildPump *pump) {
        bool full = pump->begin < pump->end;
        struct pollfd fds[] = { { pump->stop_fd, POLLIN, 0 },
                                { pump->fd, full ? POLLOUT : 0, 0 },
                                { full ? -1 : STDIN_FILENO, POLLIN, 0 } };

        if (!full && pump->input_ended)
                return 1;
        if (poll(fds, ELEMENTS(fds), -1) < 0)
                return errno == EINTR ? 0 : failed(pump, errno, "poll");
        if (fds[0].revents || (fds[1].revents & POLLERR))
                return 1;
        return move_on(pump, fds);
}

static int copy_input(BuildPump *pump) {
        int r;

        while ((r = step(pump)) == 0)
                ;
        return MIN(r, 0);
}

/* ---- a directory ---- */

static int pack_directory(BuildPump *pump) {
        static const Pairs none;
        const BuildTar tar = { .fd = pump->fd,
                               .stop_fd = pump->stop_fd,
                               .dir_fd = pump->source->dir_fd,
                               .ignore = pump->source->ignore,
                               .ignore_length = pump->source->ignore_length,
                               .left_out = pump->left_out,
                               .attributes = true,
                               .extra = &none };

        return build_tar_write(&tar, &pump->err);
}

/* ---- the thread ---- */

static void *run(void *data) {
        BuildPump *pump = data;

        pump->r = pump->source->kind == SOURCE_DIRECTORY ? pack_directory(pump) : copy_input(pump);
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

static BuildPump *pump_free(BuildPump *pump) {
        close_fd(&pump->fd);
        close_fd(&pump->stop_fd);
        build_source_done(&pump->own);
        (void)strv_free(pump->left_out);
        free(pump);
        return NULL;
}

/* Frees pump, unless it is added to *pumps. */
static int start(BuildPump *pump, char *const *left_out, BuildPump **pumps, int *ret_fd,
                 Error *err) {
        const BuildSource *source = pump->source;
        int ends[2] = { -1, -1 }, r = 0;

        pump->left_out = strv_copy(left_out);
        pump->end = MIN(source->head.length, CHUNK);
        memcpy(pump->data, source->head.data ?: "", pump->end);
        pump->stop_fd = eventfd(0, EFD_CLOEXEC);
        if (pump->stop_fd < 0 || pipe2(ends, O_CLOEXEC) < 0 ||
            fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0)
                r = error_set(err, errno, "make a pipe for the context");
        pump->fd = ends[1];
        if (r == 0)
                r = start_thread(pump, err);
        if (r < 0) {
                close_fd(&ends[0]);
                (void)pump_free(pump);
                return r;
        }
        *ret_fd = ends[0];
        pump->next = *pumps;
        *pumps = pump;
        return 0;
}

int build_pump_start(const BuildSource *source, char *const *left_out, BuildPump **pumps,
                     int *ret_fd, Error *err) {
        BuildPump *pump = NEW(BuildPump);

        pump->source = source;
        pump->own.dir_fd = -1;
        return start(pump, left_out, pumps, ret_fd, err);
}

int build_pump_start_named(BuildSource *source, char *const *left_out, BuildPump **pumps,
                           int *ret_fd, Error *err) {
        BuildPump *pump = NEW(BuildPump);

        pump->own = *source;
        *source = (BuildSource){ .dir_fd = -1 };
        pump->source = &pump->own;
        return start(pump, left_out, pumps, ret_fd, err);
}

static int end(BuildPump *pump, Error *err) {
        const uint64_t one = 1;
        int r;

        (void)fd_write_full(pump->stop_fd, (const char *)&one, sizeof(one));
        (void)pthread_join(pump->thread, NULL);
        r = pump->r == -EPIPE || pump->r == -ECANCELED ? 0 : pump->r;
        if (r < 0 && err)
                *err = pump->err;
        (void)pump_free(pump);
        return r;
}

int build_pump_end(BuildPump **pumps, Error *err) {
        int result = 0;

        while (*pumps) {
                BuildPump *pump = *pumps;
                int r;

                *pumps = pump->next;
                r = end(pump, err);
                if (r < 0)
                        result = r;
        }
        return result;
}
