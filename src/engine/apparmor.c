/* apparmor.c: the default profile and its way to the kernel, which takes compiled profiles only: by
 * apparmor_parser(8), as there is no other compiler. */
#include "engine/apparmor.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/program.h"
#include "os/apparmor.h"
#include "os/pidfd.h"

#define PARSER_TIMEOUT (60 * NSEC_PER_SEC)
#define PARSER_WORDS_MAX 4096 /* bytes of what it says */

/* The parser's table of what rules mean, for the version that the text was written for: a later
 * kernel then refuses nothing that the text could not know of. */
#define ABI_FILE "/etc/apparmor.d/abi/3.0"
#define ABI "abi <abi/3.0>,\n"

/* apparmor.d(5). What a container may do is left to capabilities, seccomp and mounts, but for what
 * reaches the host all the same where one of them has a hole: procfs and sysfs, whatever they are
 * mounted on, mounts, and processes that are no container's.
 *
 * Of procfs, that of a container that is looked into (/target of brig debug), too, the directories
 * of processes can be written, and of the host's settings those of shared memory, which belong to a
 * namespace. Of sysfs the control groups can. */
#define PROC "/{,target/}proc"
#define SYS "/{,target/}sys"
static const char profile_text[] =
        "profile " APPARMOR_DEFAULT " flags=(attach_disconnected, mediate_deleted) {\n"
        "  file,\n"
        "  network,\n"
        "  unix,\n"
        "  capability,\n"
        "  umount,\n"
        "  deny mount,\n"
        "\n"
        "  signal (send, receive) peer=" APPARMOR_DEFAULT ",\n"
        "  signal (receive) peer=unconfined,\n"
        "  signal (receive) peer=runc,\n"
        "  signal (receive) peer=crun,\n"
        "  ptrace (trace, read, tracedby, readby) peer=" APPARMOR_DEFAULT ",\n"
        "\n"
        "  deny " PROC "/* w,\n"
        "  deny " PROC "/[^0-9s]*/** w,\n"
        "  deny " PROC "/s[^y]*/** w,\n"
        "  deny " PROC "/sy[^s]*/** w,\n"
        "  deny " PROC "/sys[^/]*/** w,\n"
        "  deny " PROC "/sys/[^k]** w,\n"
        "  deny " PROC "/sys/kernel/[^s]** w,\n"
        "  deny " PROC "/sys/kernel/s[^h]** w,\n"
        "  deny " PROC "/sys/kernel/sh[^m]** w,\n"
        "  deny " PROC "/sysrq-trigger rwklx,\n"
        "  deny " PROC "/kcore rwklx,\n"
        "\n"
        "  deny " SYS "/[^f]*/** wklx,\n"
        "  deny " SYS "/f[^s]*/** wklx,\n"
        "  deny " SYS "/fs/[^c]*/** wklx,\n"
        "  deny " SYS "/fs/c[^g]*/** wklx,\n"
        "  deny " SYS "/fs/cg[^r]*/** wklx,\n"
        "  deny " SYS "/firmware/** rwklx,\n"
        "  deny " SYS "/devices/virtual/powercap/** rwklx,\n"
        "  deny " SYS "/kernel/security/** rwklx,\n";

static const char *parser(void) {
        static const char *const places[] = { "/usr/sbin/apparmor_parser",
                                              "/sbin/apparmor_parser" };

        for (size_t i = 0; i < ELEMENTS(places); i++)
                if (access(places[i], X_OK) == 0)
                        return places[i];
        return NULL;
}

/* Its text in memory. A daemon that is confined itself signals its containers under its own name.
 */
static int write_profile(Error *err) {
        _cleanup_close_ int fd = memfd_create("profile", MFD_CLOEXEC);
        _cleanup_free_ char *own = NULL;
        _cleanup_buf_ Buf text = {};

        if (access(ABI_FILE, R_OK) == 0)
                buf_add_str(&text, ABI);
        buf_add_str(&text, profile_text);
        if (apparmor_of(getpid(), &own, NULL) == 0 && !str_equal(own, APPARMOR_UNCONFINED))
                buf_format(&text, "  signal (receive) peer=\"%s\",\n", own);
        buf_add_str(&text, "}\n");
        int r = fd < 0 ? -errno : fd_write_full(fd, text.data, text.length);
        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        return r < 0 ? error_set(err, -r, "write the profile") : TAKE_FD(fd);
}

/* What it said, in one line. */
static int parser_failed(int words_fd, Error *err) {
        _cleanup_buf_ Buf words = {};

        if (lseek(words_fd, 0, SEEK_SET) < 0 ||
            fd_read_all(words_fd, PARSER_WORDS_MAX, &words) < 0 || words.length == 0)
                return error_kind(err, ERROR_INTERNAL, "apparmor_parser failed");
        for (char *at = words.data; *at; at++)
                *at = *at == '\n' ? ' ' : *at;
        return error_kind(err, ERROR_INTERNAL, "apparmor_parser: %s", str_trim(words.data));
}

static int run_parser(const char *program, int text_fd, int words_fd, Error *err) {
        static const char *const argv[] = { "apparmor_parser", "--skip-cache", "--replace",
                                            "--quiet", NULL };
        const SpawnFd fds[] = { { text_fd, STDIN_FILENO }, { words_fd, STDERR_FILENO } };
        const Spawn spawn = { .program = program,
                              .argv = (char *const *)argv,
                              .environment = environ,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds) };
        _cleanup_close_ int pidfd = -1;
        int status = 0;
        pid_t pid;

        int r = program_spawn(&spawn, &pid);
        if (r < 0)
                return error_set(err, -r, "start '%s'", program);
        r = pidfd_of_child(pid, &pidfd, err);
        if (r == 0)
                r = pidfd_wait_or_kill(&pidfd, PARSER_TIMEOUT, &status, err);
        if (r < 0)
                return error_prefix(err, "wait for '%s'", program);
        return status == 0 ? 0 : parser_failed(words_fd, err);
}

static int load(Error *err) {
        const char *program = parser();
        _cleanup_close_ int text_fd = -1, words_fd = memfd_create("words", MFD_CLOEXEC);

        if (!program)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "there is no apparmor_parser: install the package apparmor");
        if (words_fd < 0)
                return error_set(err, errno, "make a file in memory");
        text_fd = write_profile(err);
        return text_fd < 0 ? text_fd : run_parser(program, text_fd, words_fd, err);
}

/* One that is there is left as it is: the administrator may have loaded his own. */
static int ensure(Error *err) {
        bool there = false;
        int r = apparmor_has(APPARMOR_DEFAULT, &there, err);

        if (r == 0 && !there)
                r = load(err);
        return r < 0 ? error_prefix(err, "AppArmor profile '" APPARMOR_DEFAULT "'") : 0;
}

void apparmor_start(Engine *engine) {
        Error err = { 0 };

        if (!apparmor_enabled())
                return;
        engine->apparmor = ensure(&err) == 0;
        if (!engine->apparmor)
                log_warn("%s; containers run without it", err.message);
}

int apparmor_ensure(const Engine *engine, Error *err) {
        return engine->apparmor ? ensure(err) : 0;
}

const char *apparmor_profile(const Engine *engine, const HostConfig *host,
                             const SecurityOptions *security) {
        const char *profile = security->apparmor;

        if (!profile)
                profile = host->privileged ? APPARMOR_UNCONFINED : APPARMOR_DEFAULT;
        if (!engine->apparmor &&
            (str_equal(profile, APPARMOR_UNCONFINED) || str_equal(profile, APPARMOR_DEFAULT)))
                return NULL;
        return profile;
}
