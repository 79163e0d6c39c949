/* wait.c: waiting for a container's end or removal. A wait is an eventfd that exit.c and remove.c
 * fire, so that it can be polled together with the client's socket. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "engine/locks.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/stop.h"

struct EngineWait {
        Container *container; /* a reference */
        WaitCondition condition;
        int event_fd;

        /* Guarded by the container's state_lock. */
        bool listed, fired;
        char *error; /* why what was waited for does not come, or NULL */
        int64_t exit_code;
        EngineWait *next;
};

/* state_lock held. */
static void wait_fire(EngineWait *wait, int64_t exit_code) {
        wait->fired = true;
        wait->exit_code = exit_code;
        (void)eventfd_write(wait->event_fd, 1);
}

static bool wait_is_for(const EngineWait *wait, WaitEvent event) {
        return wait->condition == WAIT_REMOVED ? event == WAIT_EVENT_REMOVED : true;
}

static void fire(Container *container, WaitEvent event, const char *error) {
        const ContainerState *state = &container->state;

        lock_take(&container->state_lock, LOCK_STATE);
        for (EngineWait **slot = &container->waits; *slot;) {
                EngineWait *wait = *slot;
                if (!wait_is_for(wait, event)) {
                        slot = &wait->next;
                        continue;
                }
                *slot = wait->next;
                wait->listed = false;
                wait->error = error ? str_copy(error) : NULL;
                wait_fire(wait, state->exit_code);
        }
        lock_drop(&container->state_lock, LOCK_STATE);
}

void waits_fire(Container *container, WaitEvent event) {
        fire(container, event, NULL);
}

void waits_fire_kept(Container *container, const char *why) {
        _cleanup_free_ char *error =
                str_format("container %s was not removed: %s", container->id, why);

        fire(container, WAIT_EVENT_REMOVED, error);
}

EngineWait *wait_register(Container *container, WaitCondition condition) {
        EngineWait *wait = NEW(EngineWait);
        bool over;

        wait->container = container_ref(container);
        wait->condition = condition;
        wait->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        /* Without an eventfd (too many open files) wait_poll answers -EMFILE. */
        switch (condition) {
        case WAIT_NOT_RUNNING:
                over = !container_is_running(container) &&
                       container->state.status != CONTAINER_RESTARTING;
                break;
        case WAIT_REMOVED:
                over = container->state.status == CONTAINER_REMOVING;
                break;
        default:
                over = container->state.status == CONTAINER_REMOVING; /* it never starts again */
        }
        lock_take(&container->state_lock, LOCK_STATE);
        if (over) {
                wait_fire(wait, container->state.exit_code);
        } else {
                wait->next = container->waits;
                container->waits = wait;
                wait->listed = true;
        }
        lock_drop(&container->state_lock, LOCK_STATE);
        return wait;
}

/* How long poll may wait: in ms, rounded up. */
static int poll_time(int64_t deadline) {
        if (deadline < 0)
                return -1;
        int64_t left = deadline - clock_monotonic();
        return left <= 0 ? 0 : (int)MIN((left + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC, INT32_MAX);
}

int wait_poll(EngineWait *wait, int64_t timeout, int cancel_fd) {
        struct pollfd fds[] = { { .fd = wait->event_fd, .events = POLLIN },
                                { .fd = cancel_fd, .events = POLLRDHUP } };
        int64_t deadline = timeout < 0 ? -1 : clock_monotonic() + timeout;

        if (wait->event_fd < 0)
                return -EMFILE;
        for (;;) {
                int r = poll(fds, cancel_fd >= 0 ? 2 : 1, poll_time(deadline));
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r <= 0 && deadline >= 0 && clock_monotonic() >= deadline)
                        return -ETIMEDOUT;
                if (r > 0 && fds[0].revents)
                        return 0;
                if (r > 0 && fds[1].revents)
                        return -ECANCELED;
        }
}

int wait_fd(const EngineWait *wait) {
        return wait->event_fd;
}

EngineWait *wait_free(EngineWait *wait) {
        if (!wait)
                return NULL;
        Container *container = wait->container;
        lock_take(&container->state_lock, LOCK_STATE);
        for (EngineWait **slot = &container->waits; wait->listed && *slot; slot = &(*slot)->next) {
                if (*slot != wait)
                        continue;
                *slot = wait->next;
                break;
        }
        lock_drop(&container->state_lock, LOCK_STATE);
        container_unref(container);
        close_fd(&wait->event_fd);
        free(wait->error);
        free(wait);
        return NULL;
}

int engine_wait_begin(Engine *engine, const char *ref, WaitCondition condition, EngineWait **ret,
                      Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        *ret = wait_register(container, condition);
        return 0;
}

int engine_wait_end(EngineWait *wait, int cancel_fd, int64_t *ret_exit_code, char **ret_error,
                    Error *err) {
        int r = wait_poll(wait, -1, cancel_fd);

        if (r == -ECANCELED)
                error_set(err, ECANCELED, "wait for container '%s'", wait->container->id);
        else if (r < 0)
                error_set(err, -r, "wait for container '%s'", wait->container->id);
        if (r == 0) {
                lock_take(&wait->container->state_lock, LOCK_STATE);
                *ret_exit_code = wait->exit_code;
                /* Why a container did not start, start has said; Docker's clients would print it
                 * twice. */
                *ret_error = TAKE_PTR(wait->error);
                lock_drop(&wait->container->state_lock, LOCK_STATE);
        }
        wait_free(wait);
        return r;
}
