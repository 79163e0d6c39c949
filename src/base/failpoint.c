/* failpoint.c: see failpoint.h. */
#include "base/failpoint.h"

#ifdef BRIG_FAILPOINTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* Until the gate, a FIFO, has a writer. */
static void hold(void) {
        const char *gate = getenv("BRIG_FAILPOINT_GATE");
        int fd = gate ? open(gate, O_RDONLY | O_CLOEXEC) : -1;

        if (fd < 0)
                abort();
        (void)close(fd);
}

/* The points as they are set now; the caller's. */
static char **points_now(void) {
        const char *text = getenv("BRIG_FAILPOINT"), *path = str_after(text, "@");
        char line[256];
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);

        if (!path)
                return str_split(text, ',');
        line[n > 0 ? n : 0] = '\0';
        return str_split(line, ',');
}

/* A file tells once: its new name says that the point was passed. */
static void mark_passed(void) {
        const char *path = str_after(getenv("BRIG_FAILPOINT"), "@");
        _cleanup_free_ char *passed = path ? str_format("%s.passed", path) : NULL;

        if (path && rename(path, passed) < 0)
                abort();
}

int failpoint(const char *name, Error *err) {
        static atomic_int passes;
        _cleanup_strv_ char **points = points_now();

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
                if (atomic_fetch_add(&passes, 1) + 1 < wanted)
                        continue;
                mark_passed();
                (void)raise(SIGKILL);
        }
        return 0;
}

#endif
