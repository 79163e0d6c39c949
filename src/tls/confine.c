/* confine.c: see confine.h. Whoever reaches the port speaks to this process before he has shown a
 * certificate. */
#include "tls/confine.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/macro.h"
#include "base/sanitizer.h"

#define MEMORY_MAX (256ull << 20)
#define FILES_MAX 64

/* Sockets that are open, memory, the clock, and the end. Nothing is opened, no one is called or
 * signalled. */
static const int calls[] = {
        SCMP_SYS(read),
        SCMP_SYS(readv),
        SCMP_SYS(write),
        SCMP_SYS(writev),
        SCMP_SYS(recvfrom),
        SCMP_SYS(recvmsg),
        SCMP_SYS(sendto),
        SCMP_SYS(sendmsg),
        SCMP_SYS(poll),
        SCMP_SYS(ppoll),
        SCMP_SYS(close),
        SCMP_SYS(shutdown),
        SCMP_SYS(socketpair),
        SCMP_SYS(setsockopt),
        SCMP_SYS(getsockopt),
        SCMP_SYS(getpeername),
        SCMP_SYS(getsockname),
        SCMP_SYS(fcntl),
        SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(brk),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        SCMP_SYS(futex),
        SCMP_SYS(getrandom),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(time),
        SCMP_SYS(getpid),
        SCMP_SYS(gettid),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
};

static int allow(scmp_filter_ctx filter) {
        const int mapping[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(calls); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        /* Memory, but none that becomes a program. */
        for (size_t i = 0; r == 0 && i < ELEMENTS(mapping); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, mapping[i], 1,
                                     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        return r;
}

int tls_filter_new(scmp_filter_ctx *ret, Error *err) {
        _cleanup_(seccomp_releasep) scmp_filter_ctx filter = NULL;
        int r;

        *ret = NULL;
        if (SANITIZED)
                return 0;
        filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        if (!filter)
                return error_kind(err, ERROR_INTERNAL, "make a system call filter");
        r = allow(filter);
        if (r < 0)
                return error_set(err, -r, "make a system call filter");
        *ret = TAKE_PTR(filter);
        return 0;
}

int tls_confine_client(scmp_filter_ctx filter, Error *err) {
        const struct {
                int resource;
                rlim_t value;
        } limits[] = {
                { RLIMIT_AS, SANITIZED ? RLIM_INFINITY : MEMORY_MAX },
                { RLIMIT_NOFILE, FILES_MAX },
                { RLIMIT_NPROC, 0 },
                { RLIMIT_CORE, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                struct rlimit limit = {};

                if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
                        return error_set(err, errno, "read a resource limit");
                limit.rlim_max = MIN(limit.rlim_max, limits[i].value);
                limit.rlim_cur = limit.rlim_max;
                if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
                        return error_set(err, errno, "set a resource limit");
        }
        int r = filter ? seccomp_load(filter) : 0;
        return r < 0 ? error_set(err, -r, "load the system call filter") : 0;
}
