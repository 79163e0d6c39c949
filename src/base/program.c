/* program.c: see program.h. */
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

static void actions_donep(posix_spawn_file_actions_t *actions) {
        (void)posix_spawn_file_actions_destroy(actions);
}

static void attributes_donep(posix_spawnattr_t *attributes) {
        (void)posix_spawnattr_destroy(attributes);
}

static int set_attributes(posix_spawnattr_t *attributes, unsigned flags) {
        short wanted = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        sigset_t none, all;
        int r;

        (void)sigemptyset(&none);
        (void)sigfillset(&all);
        if (flags & SPAWN_GROUP)
                wanted |=
                        POSIX_SPAWN_SETPGROUP; /* 0, the group of its own number, is the default */
        if (flags & SPAWN_SESSION)
                wanted |= POSIX_SPAWN_SETSID;
        r = -posix_spawnattr_setsigmask(attributes, &none);
        if (r == 0)
                r = -posix_spawnattr_setsigdefault(attributes, &all);
        return r < 0 ? r : -posix_spawnattr_setflags(attributes, wanted);
}

/* The first number above all that the program gets. */
static int above(const Spawn *spawn) {
        int result = STDERR_FILENO + 1;

        for (size_t i = 0; i < spawn->fd_count; i++)
                result = MAX(result, spawn->fds[i].theirs + 1);
        return result;
}

static bool is_given(const Spawn *spawn, int theirs) {
        for (size_t i = 0; i < spawn->fd_count; i++)
                if (spawn->fds[i].theirs == theirs && spawn->fds[i].ours >= 0)
                        return true;
        return false;
}

/* A standard descriptor that is closed would become the next file that the program opens. */
static int without(posix_spawn_file_actions_t *actions, int fd) {
        return fd <= STDERR_FILENO
                       ? -posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0)
                       : -posix_spawn_file_actions_addclose(actions, fd);
}

static int add_actions(posix_spawn_file_actions_t *actions, const Spawn *spawn, const int *copies) {
        int r = 0, end = above(spawn);

        for (size_t i = 0; r == 0 && i < spawn->fd_count; i++)
                if (copies[i] >= 0)
                        r = -posix_spawn_file_actions_adddup2(actions, copies[i],
                                                              spawn->fds[i].theirs);
        for (int fd = 0; r == 0 && fd < end; fd++)
                if (!is_given(spawn, fd))
                        r = without(actions, fd);
        /* Who started us may have left us more than we know of. */
        return r < 0 ? r : -posix_spawn_file_actions_addclosefrom_np(actions, end);
}

/* Held for reading from before the new process is there until its exec. A writer is not overtaken:
 * programs are started all the time. */
static pthread_rwlock_t starting = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

void program_settle(void) {
        pthread_rwlock_wrlock(&starting);
        pthread_rwlock_unlock(&starting);
}

static int start(const Spawn *spawn, const int *copies, pid_t *ret) {
        _cleanup_(actions_donep) posix_spawn_file_actions_t actions;
        _cleanup_(attributes_donep) posix_spawnattr_t attributes;
        int r;

        if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0)
                abort();
        r = set_attributes(&attributes, spawn->flags);
        if (r == 0)
                r = add_actions(&actions, spawn, copies);
        if (r < 0)
                return r;
        pthread_rwlock_rdlock(&starting);
        r = -posix_spawn(ret, spawn->program, &actions, &attributes, spawn->argv,
                         spawn->environment);
        pthread_rwlock_unlock(&starting);
        return r;
}

int program_spawn(const Spawn *spawn, pid_t *ret) {
        int copies[SPAWN_FDS_MAX], r = 0, lowest = above(spawn);

        if (spawn->fd_count > SPAWN_FDS_MAX)
                return -E2BIG;
        /* Copied to numbers that none of the program's has, so that one dup2 can't take another's
         * source. */
        for (size_t i = 0; i < spawn->fd_count; i++) {
                int ours = spawn->fds[i].ours;

                copies[i] = ours < 0 ? -1 : fcntl(ours, F_DUPFD_CLOEXEC, lowest);
                if (ours >= 0 && copies[i] < 0)
                        r = -errno;
        }
        if (r == 0)
                r = start(spawn, copies, ret);
        for (size_t i = 0; i < spawn->fd_count; i++)
                close_fd(&copies[i]);
        return r;
}

char *program_find(const char *name) {
        _cleanup_strv_ char **folders = NULL;

        if (strchr(name, '/'))
                return access(name, X_OK) == 0 ? str_copy(name) : NULL;
        folders = str_split(getenv("PATH") ?: "/usr/sbin:/usr/bin:/sbin:/bin", ':');
        for (char **folder = folders; folder && *folder; folder++) {
                _cleanup_free_ char *path = str_format("%s/%s", **folder ? *folder : ".", name);

                if (access(path, X_OK) == 0)
                        return TAKE_PTR(path);
        }
        return NULL;
}

const char *program_hint(int number) {
        return number == EAGAIN
                       ? " (a limit of processes is reached: TasksMax of brig's unit, pids.max of "
                         "its control group; raise it)"
                       : "";
}
