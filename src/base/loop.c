/* loop.c: one epoll instance, one timerless wait bound by the nearest timer, one eventfd for other
 * threads. */
#include "base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/alloc.h"
#include "base/clock.h"

typedef struct SourceList {
        LoopSource *first, *last;
} SourceList;

struct LoopSource {
        Loop *loop;
        SourceList *list;
        LoopSource *previous, *next; /* in list or loop->removed */
        int fd;                      /* -1: none that epoll knows of */
        int64_t when;
        LoopFdHandler on_fd;
        LoopHandler on_time;
        void *data;
        bool removed;
};

typedef struct Posted {
        struct Posted *next;
        LoopHandler handler;
        void *data;
} Posted;

struct Loop {
        int epoll_fd, wake_fd;
        SourceList descriptors, timers; /* the latter by their time */
        LoopSource *removed;
        pthread_mutex_t lock; /* guards posted */
        Posted *posted, **posted_end;
        atomic_bool stopped;
};

int loop_new(Loop **ret, Error *err) {
        _cleanup_(loop_freep) Loop *loop = NEW(Loop);
        struct epoll_event event = { .events = EPOLLIN };

        loop->posted_end = &loop->posted;
        (void)pthread_mutex_init(&loop->lock, NULL);
        loop->wake_fd = -1;
        loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll_fd < 0)
                return error_set(err, errno, "epoll_create1");
        loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (loop->wake_fd < 0)
                return error_set(err, errno, "eventfd");
        if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
                return error_set(err, errno, "epoll_ctl");
        *ret = TAKE_PTR(loop);
        return 0;
}

static void free_list(LoopSource **list) {
        while (*list) {
                LoopSource *source = *list;

                *list = source->next;
                free(source);
        }
}

Loop *loop_free(Loop *loop) {
        if (!loop)
                return NULL;
        free_list(&loop->descriptors.first);
        free_list(&loop->timers.first);
        free_list(&loop->removed);
        while (loop->posted) {
                Posted *posted = loop->posted;

                loop->posted = posted->next;
                free(posted);
        }
        close_fd(&loop->wake_fd);
        close_fd(&loop->epoll_fd);
        (void)pthread_mutex_destroy(&loop->lock);
        free(loop);
        return NULL;
}

/* Behind previous, NULL: first. */
static LoopSource *add_source(SourceList *list, LoopSource *previous, LoopSource model) {
        LoopSource *source = alloc_copy(&model, sizeof(model));

        source->list = list;
        source->previous = previous;
        source->next = previous ? previous->next : list->first;
        *(previous ? &previous->next : &list->first) = source;
        *(source->next ? &source->next->previous : &list->last) = source;
        return source;
}

static void drop_source(LoopSource *source) {
        SourceList *list = source->list;

        *(source->previous ? &source->previous->next : &list->first) = source->next;
        *(source->next ? &source->next->previous : &list->last) = source->previous;
}

int loop_add_fd(Loop *loop, int fd, uint32_t events, LoopFdHandler handler, void *data,
                LoopSource **ret, Error *err) {
        const LoopSource model = { .loop = loop, .fd = fd, .on_fd = handler, .data = data };
        LoopSource *source = add_source(&loop->descriptors, NULL, model);
        struct epoll_event event = { .events = events, .data.ptr = source };

        if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
                int number = errno;

                source->fd = -1; /* nothing to take out of epoll */
                loop_remove(source);
                return error_set(err, number, "watch descriptor %d", fd);
        }
        if (ret)
                *ret = source;
        return 0;
}

int loop_change_fd(LoopSource *source, uint32_t events) {
        struct epoll_event event = { .events = events, .data.ptr = source };

        return epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno
                                                                                        : 0;
}

LoopSource *loop_add_timer(Loop *loop, int64_t when, LoopHandler handler, void *data) {
        const LoopSource model = {
                .loop = loop, .fd = -1, .when = when, .on_time = handler, .data = data
        };
        LoopSource *previous = loop->timers.last; /* most are later than those before them */

        while (previous && previous->when > when)
                previous = previous->previous;
        return add_source(&loop->timers, previous, model);
}

LoopSource *loop_remove(LoopSource *source) {
        Loop *loop = source ? source->loop : NULL;

        if (!source || source->removed)
                return NULL;
        if (source->fd >= 0)
                (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
        drop_source(source);
        /* Events of this wait may still name it: it is freed once they have been handled. */
        source->removed = true;
        source->next = loop->removed;
        loop->removed = source;
        return NULL;
}

void loop_post(Loop *loop, LoopHandler handler, void *data) {
        Posted *posted = NEW(Posted);
        uint64_t one = 1;

        posted->handler = handler;
        posted->data = data;
        (void)pthread_mutex_lock(&loop->lock);
        *loop->posted_end = posted;
        loop->posted_end = &posted->next;
        (void)pthread_mutex_unlock(&loop->lock);
        if (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
                abort(); /* an eventfd of our own: only a bug gets here */
}

static void run_posted(Loop *loop) {
        Posted *list;
        uint64_t count;

        if (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
                abort();
        (void)pthread_mutex_lock(&loop->lock);
        list = loop->posted;
        loop->posted = NULL;
        loop->posted_end = &loop->posted;
        (void)pthread_mutex_unlock(&loop->lock);
        while (list) {
                Posted *posted = list;

                list = posted->next;
                posted->handler(posted->data);
                free(posted);
        }
}

static int wait_time(Loop *loop, int timeout_ms) {
        LoopSource *timer = loop->timers.first;
        int64_t left;

        if (!timer)
                return timeout_ms;
        left = MAX((timer->when - clock_monotonic() + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC, 0);
        return timeout_ms >= 0 && timeout_ms < left ? timeout_ms : (int)MIN(left, 1 << 30);
}

static void run_timers(Loop *loop) {
        int64_t now = clock_monotonic();

        for (;;) {
                LoopSource *timer = loop->timers.first;
                LoopHandler handler;
                void *data;

                if (!timer || timer->when > now)
                        return;
                handler = timer->on_time;
                data = timer->data;
                loop_remove(timer);
                handler(data);
        }
}

int loop_step(Loop *loop, int timeout_ms, Error *err) {
        struct epoll_event events[64];
        int count =
                epoll_wait(loop->epoll_fd, events, ELEMENTS(events), wait_time(loop, timeout_ms));

        if (count < 0 && errno != EINTR)
                return error_set(err, errno, "epoll_wait");
        for (int i = 0; i < count; i++) {
                LoopSource *source = events[i].data.ptr;

                if (!source)
                        run_posted(loop);
                else if (!source->removed)
                        source->on_fd(source->data, source->fd, events[i].events);
        }
        run_timers(loop);
        free_list(&loop->removed);
        return 0;
}

int loop_run(Loop *loop, Error *err) {
        while (!loop->stopped) {
                int r = loop_step(loop, -1, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int loop_fd(const Loop *loop) {
        return loop->epoll_fd;
}

static void wake(void *data) {
        (void)data;
}

void loop_stop(Loop *loop) {
        loop->stopped = true;
        loop_post(loop, wake, NULL);
}
