/* steps.c: runs what steps.h describes; each step is a failpoint too. */
#include "engine/steps.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"

void steps_undo(const JobStep *steps, size_t count, void *job) {
        while (count-- > 0)
                if (steps[count].undo)
                        steps[count].undo(job);
}

int steps_run(const JobStep *steps, size_t count, void *job, Error *err) {
        size_t done = 0;
        int r = 0;

        for (; done < count; done++) {
                int64_t began = clock_monotonic();
                r = failpoint(steps[done].name, err);
                if (r == 0)
                        r = steps[done].run(job, err);
                log_debug("step %s: %lld us", steps[done].name,
                          (long long)(clock_monotonic() - began) / 1000);
                if (r < 0)
                        break;
        }
        if (r >= 0)
                return 0;
        log_debug("step %s failed: %s", steps[done].name, err ? err->message : "");
        steps_undo(steps, done, job);
        return r;
}
