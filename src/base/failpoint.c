/* failpoint.c: see failpoint.h. */
#include "base/failpoint.h"

#ifdef BRIG_FAILPOINTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

/* Until the gate, a FIFO, has a writer. */
static void hold(void) {
        const char *gate = getenv("BRIG_FAILPOINT_GATE");
        int fd = gate ? open(gate, O_RDONLY | O_CLOEXEC) : -1;

        if (fd < 0)
                abort();
        (void)close(fd);
}

int failpoint(const char *name, Error *err) {
        static atomic_int passes;
        _cleanup_strv_ char **points = str_split(getenv("BRIG_FAILPOINT"), ',');

        for (size_t i = 0; points && points[i]; i++) {
                const char *action = str_after(points[i], name);
                const char *nth;
                int wanted = 1;

                action = action ? str_after(action, "=") : NULL;
                if (!action)
                        continue;
                if (str_equal(action, "error"))
                        return error_kind(err, ERROR_INTERNAL, "failpoint '%s'", name);
                if (str_equal(action, "hold")) {
                        hold();
                        continue;
                }
                nth = str_after(action, "kill@");
                if (nth && str_to_int_in(nth, 1, 1 << 30, &wanted) < 0)
                        abort();
                if (atomic_fetch_add(&passes, 1) + 1 >= wanted)
                        (void)raise(SIGKILL);
        }
        return 0;
}

#endif
