/* interrupt.c: a run that is to end ends between two steps, with nothing left. */
#include <signal.h>
#include <string.h>

#include "drill/drill.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

void interrupt_begin(void) {
        sigset_t set;

        (void)sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                (void)sigaddset(&set, signals[i]);
        (void)sigprocmask(SIG_BLOCK, &set, NULL); /* it fails for a wrong first argument only */
}

int interrupt_signal(void) {
        sigset_t set;

        if (sigpending(&set) < 0)
                return 0;
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                if (sigismember(&set, signals[i]) == 1)
                        return signals[i];
        return 0;
}

int interrupt_check(Error *err) {
        int number = interrupt_signal();

        return number > 0 ? error_kind(err, ERROR_UNAVAILABLE, "interrupted by SIG%s",
                                       sigabbrev_np(number))
                          : 0;
}
