/* signals.c: signals by name, and sending them to a container's init through its pidfd. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/stop.h"

#define SIGNAL_MAX 64

static const struct {
        const char *name;
        int number;
} aliases[] = {
        { "CLD", SIGCHLD },
        { "IOT", SIGABRT },
        { "POLL", SIGIO },
};

static int signal_by_name(const char *name) {
        int offset;

        for (int number = 1; number < __SIGRTMIN; number++) {
                const char *known = sigabbrev_np(number);
                if (known && strcasecmp(known, name) == 0)
                        return number;
        }
        for (size_t i = 0; i < ELEMENTS(aliases); i++)
                if (strcasecmp(aliases[i].name, name) == 0)
                        return aliases[i].number;
        /* glibc keeps the first two realtime signals to itself: RTMIN is 34 in a container as here.
         */
        if (strcasecmp(name, "RTMIN") == 0)
                return SIGRTMIN;
        if (strcasecmp(name, "RTMAX") == 0)
                return SIGRTMAX;
        if (strncasecmp(name, "RTMIN+", 6) == 0 &&
            str_to_int_in(name + 6, 0, SIGRTMAX - SIGRTMIN, &offset) == 0)
                return SIGRTMIN + offset;
        if (strncasecmp(name, "RTMAX-", 6) == 0 &&
            str_to_int_in(name + 6, 0, SIGRTMAX - SIGRTMIN, &offset) == 0)
                return SIGRTMAX - offset;
        return 0;
}

int signal_parse(const char *text, int *ret, Error *err) {
        int number;

        if (isdigit((unsigned char)text[0])) {
                if (str_to_int_in(text, 1, SIGNAL_MAX, &number) < 0)
                        return error_kind(err, ERROR_INVALID, "Invalid signal: %s", text);
        } else {
                number = signal_by_name(strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text);
                if (number == 0)
                        return error_kind(err, ERROR_INVALID, "Invalid signal: %s", text);
        }
        *ret = number;
        return 0;
}

int container_signal(Container *container, int signal, Error *err) {
        if (container->pidfd < 0)
                return error_kind(err, ERROR_CONFLICT, "Container %s is not running",
                                  container->id);
        if (syscall(SYS_pidfd_send_signal, container->pidfd, signal, NULL, 0) == 0)
                return 0;
        /* It has just ended: what the signal was for has happened. */
        if (errno == ESRCH)
                return 0;
        return error_set(err, errno, "send signal %d to container %s", signal, container->id);
}
