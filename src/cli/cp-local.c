/* cp-local.c: see cp-local.h. */
#include "cli/cp-local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/program.h"
#include "base/str.h"

#define COMPLAINT_MAX 4096
#define NOT_READ 2 /* brig-image's exit code where nobody reads its archive */

/* Beside this program, as brigd has it, or where the build makes it. The caller's; NULL: nowhere.
 */
static char *find_program(void) {
        static const char *const places[] = { "", "../libexec/brig/", "../image/" };
        char self[PATH_MAX];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *slash;

        if (length <= 0)
                return NULL;
        self[length] = '\0';
        slash = strrchr(self, '/');
        *slash = '\0';
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                _cleanup_free_ char *path = str_format("%s/%sbrig-image", self, places[i]);

                if (access(path, X_OK) == 0)
                        return TAKE_PTR(path);
        }
        return NULL;
}

/* fds: its standard streams. */
static int start(const char *const words[4], const int fds[3], pid_t *ret, Error *err) {
        _cleanup_free_ char *program = find_program();
        char *argv[] = { (char *)"brig-image", (char *)words[0], (char *)words[1],
                         (char *)words[2],     (char *)words[3], NULL };
        char *environment[] = { (char *)"LC_CTYPE=C.UTF-8", NULL };
        const SpawnFd given[] = { { fds[0], 0 }, { fds[1], 1 }, { fds[2], 2 } };
        const Spawn spawn = { .program = program,
                              .argv = argv,
                              .environment = environment,
                              .fds = given,
                              .fd_count = ELEMENTS(given) };
        int r;

        if (!program)
                return error_kind(
                        err, ERROR_NOT_FOUND,
                        "the program brig-image, which packs and unpacks files for cp, is "
                        "not there: install brig as a whole, or use '-' and tar");
        r = program_spawn(&spawn, ret);
        return r < 0 ? error_set(err, r, "start '%s'", program) : 0;
}

static int make_pipe(int ends[2], Error *err) {
        return pipe2(ends, O_CLOEXEC) < 0 ? error_set(err, errno, "make a pipe") : 0;
}

static int run(const char *const words[4], bool unpacks, LocalCopy *ret, Error *err) {
        _cleanup_close_ int ours = -1, theirs = -1, errors = -1, complaints = -1;
        int ends[2], r = make_pipe(ends, err);
        pid_t pid;

        if (r < 0)
                return r;
        ours = ends[unpacks ? 1 : 0];
        theirs = ends[unpacks ? 0 : 1];
        r = make_pipe(ends, err);
        if (r < 0)
                return r;
        errors = ends[0];
        complaints = ends[1];
        const int fds[3] = { unpacks ? theirs : -1, unpacks ? -1 : theirs, complaints };
        r = start(words, fds, &pid, err);
        if (r == 0)
                *ret = (LocalCopy){ pid, TAKE_FD(ours), TAKE_FD(errors) };
        return r;
}

int local_pack(const char *directory, const char *name, const char *as, LocalCopy *ret,
               Error *err) {
        const char *const words[] = { "pack-local", directory, name, as };

        return run(words, false, ret, err);
}

int local_unpack(const char *directory, const char *from, const char *to, LocalCopy *ret,
                 Error *err) {
        const char *const words[] = { "unpack-local", directory, from, to ?: "" };

        return run(words, true, ret, err);
}

int local_end(LocalCopy *copy, Error *err) {
        _cleanup_buf_ Buf complaint = {};
        int status = 0;

        close_fd(&copy->stream_fd);
        (void)fd_read_all(copy->error_fd, COMPLAINT_MAX, &complaint);
        close_fd(&copy->error_fd);
        while (waitpid(copy->pid, &status, 0) < 0 && errno == EINTR)
                ;
        copy->pid = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_READ)
                return -EPIPE;
        return error_kind(err, ERROR_INVALID, "%s",
                          complaint.length > 0 ? str_trim(complaint.data) : "brig-image was ended");
}
