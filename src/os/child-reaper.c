/* child-reaper.c: a pidfd of each in the loop: readable once the process has ended. One that
 * another process traces is that one's first; it is asked after again later. waitid(2), ptrace(2)
 */
#include "os/child-reaper.h"

#include <fcntl.h>
#include <sys/epoll.h>

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

static void begin(void *data) {
        Left *left = data;

        left->next = left->reaper->left;
        left->reaper->left = left;
        look(left);
}

void child_reaper_take(ChildReaper *reaper, int pidfd) {
        Left *left = NEW(Left);

        *left = (Left){ .reaper = reaper, .pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 0) };
        if (left->pidfd < 0) {
                log_error("a process that does not end is not reaped: no descriptor is left");
                left_free(left);
                return;
        }
        loop_post(reaper->loop, begin, left);
}

static void take(void *data, int pidfd) {
        child_reaper_take(data, pidfd);
}

ChildReaper *child_reaper_new(Loop *loop) {
        ChildReaper *reaper = NEW(ChildReaper);

        reaper->loop = loop;
        pidfd_set_keeper(take, reaper);
        return reaper;
}

size_t child_reaper_count(const ChildReaper *reaper) {
        size_t count = 0;

        for (const Left *left = reaper->left; left; left = left->next)
                count++;
        return count;
}

ChildReaper *child_reaper_free(ChildReaper *reaper) {
        if (!reaper)
                return NULL;
        pidfd_set_keeper(NULL, NULL);
        (void)loop_step(reaper->loop, 0, NULL); /* what was posted */
        for (Left *left = reaper->left, *next; left; left = next) {
                next = left->next;
                left_free(left);
        }
        free(reaper);
        return NULL;
}
