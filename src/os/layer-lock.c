#include "os/layer-lock.h"

#include <errno.h>
#include <poll.h>
#include <sys/file.h>

#include "base/clock.h"

#define LOOK_AGAIN_MS 5

int layer_lock(int upper_fd, int watch_fd, int max_ms, Error *err) {
        struct pollfd watched = { .fd = watch_fd, .events = POLLRDHUP };
        int64_t end = clock_monotonic() + max_ms * NSEC_PER_MSEC;

        while (flock(upper_fd, LOCK_EX | LOCK_NB) < 0) {
                if ((errno != EWOULDBLOCK && errno != EINTR) || clock_monotonic() >= end)
                        return 0;
                if (poll(&watched, 1, LOOK_AGAIN_MS) > 0)
                        return error_set(err, ECANCELED, "lock the container's layer");
        }
        return 0;
}
