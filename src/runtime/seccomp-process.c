/* seccomp-process.c: both ends of the confined process that compiles seccomp documents. Documents
 * come from clients, and libseccomp may search its tree of conditions for ever (three rules of six
 * conditions for one system call can be enough), which nothing can interrupt but the process's end.
 */
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/program.h"
#include "base/sanitizer.h"
#include "os/pidfd.h"
#include "runtime/seccomp-private.h"

#define PROGRAM_NAME "brig-seccomp"

/* Processor time, more than a hundred times what the longest profile in use takes. */
#define COMPILE_SECONDS 2
#define COMPILE_TIMEOUT (60 * NSEC_PER_SEC) /* for whoever gets next to none of a processor */
#define MEMORY_MAX (512ull << 20)           /* 20 MB are enough for Docker's profile */
#define FILES_MAX 8                         /* standard ones, and what is made on the way */
#define DOCUMENT_MAX (32 << 20)             /* twice the longest config.json */
#define ANSWER_MAX (1 << 20)                /* the kernel takes 32 KiB of instructions */

/* What the process leaves in its standard output, a file: this, then the program. */
typedef struct Answer {
        int r;
        Error error;
} Answer;

/* ---- the process ---- */

static int limit(int resource, rlim_t soft, rlim_t hard, Error *err) {
        struct rlimit now;

        if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
                return error_set(err, errno, "read a resource limit");
        now.rlim_max = MIN(now.rlim_max, hard); /* a lower one that is there already stays */
        now.rlim_cur = MIN(now.rlim_max, soft);
        return setrlimit((__rlimit_resource_t)resource, &now) < 0
                       ? error_set(err, errno, "set a resource limit")
                       : 0;
}

static int set_limits(Error *err) {
        /* At the soft limit comes SIGXCPU, which is told from other deaths; a second later,
         * SIGKILL. */
        int r = limit(RLIMIT_CPU, COMPILE_SECONDS, COMPILE_SECONDS + 1, err);

        if (r == 0 && !SANITIZED) /* which maps terabytes */
                r = limit(RLIMIT_AS, MEMORY_MAX, MEMORY_MAX, err);
        if (r == 0)
                r = limit(RLIMIT_CORE, 0, 0, err);
        /* Files in memory are in no address space: no more than a few, and short. */
        if (r == 0)
                r = limit(RLIMIT_FSIZE, ANSWER_MAX, ANSWER_MAX, err);
        if (r == 0)
                r = limit(RLIMIT_NOFILE, FILES_MAX, FILES_MAX, err);
        return r;
}

static int drop_privileges(Error *err) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

        /* The end with whoever waits; and nobody's to look into. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, none) < 0)
                return error_set(err, errno, "drop privileges");
        return 0;
}

/* What reading a document, libseccomp, and writing a program take; measured with strace(1). Another
 * C library's may want more, and is told that it may not. */
static const int calls[] = {
        SCMP_SYS(read),       SCMP_SYS(pread64),      SCMP_SYS(write),
        SCMP_SYS(lseek),      SCMP_SYS(close),        SCMP_SYS(memfd_create),
        SCMP_SYS(brk),        SCMP_SYS(mmap),         SCMP_SYS(munmap),
        SCMP_SYS(mremap),     SCMP_SYS(madvise),      SCMP_SYS(futex),
        SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(getrandom),
        SCMP_SYS(sysinfo), /* qsort(3) asks it for the size of the memory */
};

static void filter_freep(scmp_filter_ctx *filter) {
        seccomp_release(*filter);
}

static int allow_calls(Error *err) {
        _cleanup_(filter_freep) scmp_filter_ctx filter = NULL;
        int r = 0;

        if (SANITIZED) /* which makes calls of its own */
                return 0;
        filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        if (!filter)
                return error_kind(err, ERROR_INTERNAL, "make a system call filter");
        for (size_t i = 0; r == 0 && i < ELEMENTS(calls); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (r == 0)
                r = seccomp_load(filter);
        return r < 0 ? error_set(err, -r, "load the system call filter") : 0;
}

static int confine(Error *err) {
        int r = set_limits(err);

        if (r == 0)
                r = drop_privileges(err);
        (void)prctl(PR_SET_NAME, PROGRAM_NAME); /* else "exe" */
        return r < 0 ? r : allow_calls(err);
}

static int read_document(OciSeccomp *ret, Error *err) {
        _cleanup_buf_ Buf text = {};
        int r = fd_read_all(STDIN_FILENO, DOCUMENT_MAX, &text);

        return r < 0 ? error_set(err, -r, "linux.seccomp: read the document")
                     : json_parse(&oci_seccomp_table, text.data, text.length, ret, err);
}

static int compile(SeccompProgram *ret, Error *err) {
        OciSeccomp document = {};
        int r = confine(err);

        if (r < 0)
                return error_prefix(err, "confine the seccomp compiler");
        r = read_document(&document, err);
        if (r == 0)
                r = seccomp_compile_here(&document, ret, err);
        json_done(&oci_seccomp_table, &document);
        return r;
}

bool seccomp_compiler_is_meant(char *const *argv) {
        return str_equal(argv[0], PROGRAM_NAME);
}

int seccomp_compiler_run(void) {
        SeccompProgram program = {};
        Answer answer = {};
        int r;

        answer.r = compile(&program, &answer.error);
        r = fd_write_full(STDOUT_FILENO, &answer, sizeof(answer));
        if (r == 0)
                r = fd_write_full(STDOUT_FILENO, program.filter, program.length);
        seccomp_program_done(&program);
        return r < 0;
}

/* ---- who asks ---- */

/* libseccomp and json-c do so where they are given no memory. */
static bool has_crashed(int status) {
        return WIFSIGNALED(status) && (WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGSEGV);
}

static int wait_compiler(pid_t pid, Error *err) {
        _cleanup_close_ int pidfd = -1;
        int status = 0, r = pidfd_of_child(pid, &pidfd, err);

        if (r == 0)
                r = pidfd_wait_or_kill(&pidfd, COMPILE_TIMEOUT, &status, err);
        if (r < 0)
                return error_prefix(err, "compile the seccomp document");
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
                return error_kind(err, ERROR_INVALID,
                                  "linux.seccomp: libseccomp has not compiled the document in %d "
                                  "seconds: have fewer rules with several conditions for one "
                                  "system call",
                                  COMPILE_SECONDS);
        if (has_crashed(status))
                return error_kind(err, ERROR_INVALID,
                                  "linux.seccomp: libseccomp was ended by signal %d, for want of "
                                  "more than its %llu MiB or by a fault of its own: have fewer "
                                  "rules",
                                  WTERMSIG(status), MEMORY_MAX >> 20);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return error_kind(err, ERROR_INTERNAL,
                                  "linux.seccomp: the compiler ended with status %#x",
                                  (unsigned)status);
        return 0;
}

/* Said by a process that has read what a client wrote: nothing in it is taken for granted. */
static int refuse(Answer *answer, Error *err) {
        Error *told = &answer->error;
        bool known = told->kind >= ERROR_INTERNAL && told->kind <= ERROR_UNSUPPORTED;

        told->message[sizeof(told->message) - 1] = '\0';
        return error_kind(err, known ? told->kind : ERROR_INTERNAL, "%s", told->message);
}

static int read_answer(int fd, SeccompProgram *ret, Error *err) {
        _cleanup_buf_ Buf file = {};
        Answer answer;
        int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, ANSWER_MAX, &file);

        if (r < 0 || file.length < sizeof(answer))
                return error_set(err, r < 0 ? -r : EIO, "read the compiled seccomp program");
        memcpy(&answer, file.data, sizeof(answer));
        if (answer.r < 0)
                return refuse(&answer, err);
        if (!seccomp_program_fits(file.length - sizeof(answer)))
                return error_kind(err, ERROR_INTERNAL,
                                  "linux.seccomp: the compiler answered %zu bytes",
                                  file.length - sizeof(answer));
        ret->length = file.length - sizeof(answer);
        ret->filter = alloc_copy(file.data + sizeof(answer), ret->length);
        return 0;
}

/* A file with that text, from its beginning; or a negative errno. */
static int file_of(const char *text) {
        _cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
        int r = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));

        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        return r < 0 ? r : TAKE_FD(fd);
}

int seccomp_compile_apart(const OciSeccomp *document, const char *compiler, SeccompProgram *ret,
                          Error *err) {
        char *argv[] = { (char *)PROGRAM_NAME, NULL };
        _cleanup_free_ char *text = json_text(&oci_seccomp_table, document);
        _cleanup_close_ int in = file_of(text), out = file_of("");
        const SpawnFd fds[] = { { in, STDIN_FILENO }, { out, STDOUT_FILENO } };
        const Spawn spawn = { .program = compiler,
                              .argv = argv,
                              .environment = argv + 1,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds) };
        pid_t pid;
        int r = MIN(in, out);

        if (r >= 0)
                r = program_spawn(&spawn, &pid);
        if (r < 0)
                return error_set(err, -r, "start the compiler of seccomp documents%s",
                                 program_hint(-r));
        r = wait_compiler(pid, err);
        return r < 0 ? r : read_answer(out, ret, err);
}
