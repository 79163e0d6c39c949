/* child-reaper.c: a pidfd of each in the loop: readable once the process has ended. One that
 * another process traces is that one's first; it is asked after again later. waitid(2), ptrace(2)
 */
#include "os/child-reaper.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "os/pidfd.h"

#define AGAIN NSEC_PER_SEC

typedef struct Left {
        ChildReaper *reaper;
        struct Left *next;
        int pidfd;
        LoopSource *source;
} Left;

struct ChildReaper {
        Loop *loop;
        Left *left;
        int wake_fd; /* an eventfd: others were given */
        LoopSource *wake;
        pthread_mutex_t lock;
        Left *given; /* it guards them */
};

static void left_free(Left *left) {
        (void)loop_remove(left->source);
        close_fd(&left->pidfd);
        free(left);
}

static void look(void *data);

static void on_end(void *data, int fd, uint32_t events) {
        (void)fd;
        (void)events;
        look(data);
}

/* Whatever woke it. */
static void look(void *data) {
        Left *left = data;
        Error error = {};

        left->source = loop_remove(left->source);
        if (pidfd_reap(left->pidfd)) {
                Left **place = &left->reaper->left;

                while (*place != left)
                        place = &(*place)->next;
                *place = left->next;
                left_free(left);
        } else if (pidfd_wait_end(left->pidfd, 0) == 0) {
                left->source =
                        loop_add_timer(left->reaper->loop, clock_monotonic() + AGAIN, look, left);
        } else if (loop_add_fd(left->reaper->loop, left->pidfd, EPOLLIN, on_end, left,
                               &left->source, &error) < 0) {
                log_error("wait for a process that does not end: %s", error.message);
                left->source =
                        loop_add_timer(left->reaper->loop, clock_monotonic() + AGAIN, look, left);
        }
}

static void on_given(void *data, int fd, uint32_t events) {
        ChildReaper *reaper = data;
        uint64_t count;
        Left *given;

        (void)events;
        if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
                abort(); /* an eventfd of our own: only a bug gets here */
        (void)pthread_mutex_lock(&reaper->lock);
        given = TAKE_PTR(reaper->given);
        (void)pthread_mutex_unlock(&reaper->lock);
        for (Left *next; given; given = next) {
                next = given->next;
                given->next = reaper->left;
                reaper->left = given;
                look(given);
        }
}

void child_reaper_take(ChildReaper *reaper, int pidfd) {
        Left *left = NEW(Left);
        uint64_t one = 1;

        *left = (Left){ .reaper = reaper, .pidfd = pidfd };
        (void)pthread_mutex_lock(&reaper->lock);
        left->next = reaper->given;
        reaper->given = left;
        (void)pthread_mutex_unlock(&reaper->lock);
        if (write(reaper->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
                abort();
}

static void take(void *data, int pidfd) {
        child_reaper_take(data, pidfd);
}

int child_reaper_new(Loop *loop, ChildReaper **ret, Error *err) {
        _cleanup_(child_reaper_freep) ChildReaper *reaper = NEW(ChildReaper);
        int r;

        (void)pthread_mutex_init(&reaper->lock, NULL);
        reaper->loop = loop;
        reaper->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (reaper->wake_fd < 0)
                return error_set(err, errno, "eventfd");
        r = loop_add_fd(loop, reaper->wake_fd, EPOLLIN, on_given, reaper, &reaper->wake, err);
        if (r < 0)
                return r;
        pidfd_set_keeper(take, reaper);
        *ret = TAKE_PTR(reaper);
        return 0;
}

size_t child_reaper_count(const ChildReaper *reaper) {
        size_t count = 0;

        for (const Left *left = reaper->left; left; left = left->next)
                count++;
        return count;
}

static void free_all(Left *left) {
        for (Left *next; left; left = next) {
                next = left->next;
                left_free(left);
        }
}

ChildReaper *child_reaper_free(ChildReaper *reaper) {
        if (!reaper)
                return NULL;
        pidfd_set_keeper(NULL, NULL);
        (void)loop_remove(reaper->wake);
        close_fd(&reaper->wake_fd);
        free_all(reaper->given);
        free_all(reaper->left);
        (void)pthread_mutex_destroy(&reaper->lock);
        free(reaper);
        return NULL;
}
