/* retry.c: see retry.h. */
#include "image/retry.h"

#include <poll.h>

#include "image/message.h"

#define RETRY_WAIT_MS 500
#define RETRY_WAIT_MAX_S 60

bool retry_may_help(const HttpGet *get) {
        return get->transport_failed || get->status == 429 || get->status == 502 ||
               get->status == 503 || get->status == 504;
}

int retry_pause(Retry *retry, const HttpGet *get) {
        int64_t pause = retry->pause > 0 ? retry->pause : RETRY_WAIT_MS;

        retry->pause = MIN(pause * 2, RETRY_WAIT_MAX_S * 1000);
        if (get->retry_after > 0)
                pause = MIN(get->retry_after, RETRY_WAIT_MAX_S) * 1000;
        return (int)MIN(pause, RETRY_WAIT_MAX_S * 1000);
}

/* True if time passed; false if brigd has gone meanwhile. */
static bool wait_for(int milliseconds) {
        struct pollfd socket = { .fd = IMAGE_FD_SOCKET, .events = POLLRDHUP };

        return poll(&socket, 1, milliseconds) == 0;
}

bool retry_wait(Retry *retry, const HttpGet *get, int64_t position) {
        if (position - retry->begun >= PROGRESS_MIN)
                *retry = (Retry){ .begun = position, .most = retry->most };
        if (++retry->attempts >= (retry->most > 0 ? retry->most : ATTEMPTS_MAX))
                return false;
        return wait_for(retry_pause(retry, get));
}
