/* foreign.c: another OCI runtime in place of the library: a program with runc's command line. It
 * makes the container's processes and ends; this monitor, as their subreaper, becomes the parent.
 * Where the bundle and the runtime's own records are: in the container's run directory. The root is
 * mounted there, too, in a mount namespace of the monitor's, which nobody else sees. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/program.h"
#include "monitor/supervisor.h"
#include "os/cgroup.h"
#include "os/mount.h"
#include "os/pidfd.h"

#define ROOT_NAME "rootfs"
#define STATE_NAME "runtime"
#define CONFIG_NAME "config.json"
#define PROCESS_NAME "process.json"
#define PID_NAME "init.pid"
#define LOG_NAME "runtime.log"
#define CONSOLE_NAME "console"
#define LOG_MAX ((size_t)1 << 20)
/* Of one command. The monitor does nothing else meanwhile, and its hooks may take their time. */
#define COMMAND_WAIT (120 * 1000000000LL)
#define KILL_WAIT (10 * 1000000000LL)

extern char **environ;

/* ---- what it is told ---- */

/* By this process's descriptor, which is short enough for a socket's address. The caller's. */
static char *run_path(const Supervisor *supervisor, const char *name) {
        return str_format("/proc/%d/fd/%d/%s", (int)getpid(), supervisor->run_fd, name);
}

static int real_run_path(const Supervisor *supervisor, char **ret, Error *err) {
        char link[32], path[PATH_MAX];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", supervisor->run_fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return error_set(err, errno, "the run directory");
        path[n] = '\0';
        *ret = str_copy(path);
        return 0;
}

/* "runc ARGS --root DIR --log FILE --log-format json COMMAND"; the caller's. */
static char **command_of(const Supervisor *supervisor, const char *command) {
        _cleanup_free_ char *directory = NULL, *log = run_path(supervisor, LOG_NAME);
        char **words = strv_copy(supervisor->runtime_words);

        (void)real_run_path(supervisor, &directory, NULL);
        strv_add(&words, "--root");
        strv_format(&words, "%s/" STATE_NAME, directory ?: "");
        strv_add(&words, "--log");
        strv_add(&words, log);
        strv_add(&words, "--log-format");
        strv_add(&words, "json");
        strv_add(&words, command);
        return words;
}

/* ---- running it ---- */

/* The last error of the runtime's own log. The caller's, or NULL. */
static char *last_error(const Supervisor *supervisor) {
        _cleanup_free_ char *text = NULL;
        char *found = NULL;
        size_t length;

        if (file_read_at(supervisor->run_fd, LOG_NAME, LOG_MAX, &text, &length, NULL) < 0)
                return NULL;
        _cleanup_strv_ char **lines = str_split(text, '\n');
        for (char **line = lines; line && *line; line++) {
                _cleanup_json_ json_object *entry = NULL;
                const char *level;

                if (json_parse_any(*line, strlen(*line), &entry, NULL) < 0)
                        continue;
                level = json_member_string(entry, "level");
                if (str_equal(level, "error") || str_equal(level, "fatal"))
                        str_replace(&found, json_member_string(entry, "msg"));
        }
        return found;
}

/* What the words of runc and crun mean: clients tell 127 and 126 by it. */
static int say_why(const Supervisor *supervisor, const char *command, Error *err) {
        _cleanup_free_ char *words = last_error(supervisor);
        ErrorKind kind = ERROR_INTERNAL;

        if (words && (strcasestr(words, "not found in $PATH") ||
                      strcasestr(words, "no such file or directory")))
                kind = ERROR_NOT_FOUND;
        else if (words && strcasestr(words, "permission denied"))
                kind = ERROR_FORBIDDEN;
        return error_kind(err, kind, "%s %s: %s", supervisor->runtime_words[0], command,
                          words ?: "it failed and did not say why");
}

static int run(const Supervisor *supervisor, char **words, const ProcessIo *io, const char *command,
               Error *err) {
        const SpawnFd fds[] = { { io ? io->stdin_fd : -1, STDIN_FILENO },
                                { io ? io->stdout_fd : -1, STDOUT_FILENO },
                                { io ? io->stderr_fd : -1, STDERR_FILENO } };
        const Spawn spawn = { .program = words[0],
                              .argv = words,
                              .environment = environ,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds) };
        _cleanup_close_ int pidfd = -1;
        int status = 0, r;
        pid_t pid;

        (void)unlinkat(supervisor->run_fd, LOG_NAME, 0);
        r = program_spawn(&spawn, &pid);
        if (r < 0)
                return error_set(err, -r, "start the runtime '%s'", words[0]);
        r = pidfd_of_child(pid, &pidfd, err);
        if (r == 0)
                r = pidfd_wait_or_kill(&pidfd, COMMAND_WAIT, &status, err);
        if (r < 0)
                return error_prefix(err, "%s %s", words[0], command);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0
                                                             : say_why(supervisor, command, err);
}

/* ---- terminals ---- */

static int listen_console(const Supervisor *supervisor, int *ret_fd, Error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_free_ char *path = run_path(supervisor, CONSOLE_NAME);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)unlinkat(supervisor->run_fd, CONSOLE_NAME, 0);
        if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
                return error_set(err, fd < 0 ? errno : ENAMETOOLONG, "the console's socket");
        memcpy(address.sun_path, path, strlen(path));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
                return error_set(err, errno, "listen for the console");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* After the runtime has succeeded: what it sent waits here. */
static int take_console(const Supervisor *supervisor, int listen_fd, int *ret_console, Error *err) {
        struct sockaddr_un address;
        socklen_t size = sizeof(address);
        _cleanup_close_ int fd = accept4(listen_fd, (struct sockaddr *)&address, &size,
                                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        size_t count = 0;
        char name[256];

        (void)unlinkat(supervisor->run_fd, CONSOLE_NAME, 0);
        if (fd < 0)
                return error_set(err, errno, "the runtime sent no console");
        if (fd_receive(fd, name, sizeof(name), ret_console, 1, &count) <= 0 || count != 1)
                return error_kind(err, ERROR_INTERNAL, "the runtime sent no console");
        return 0;
}

/* Runs a command that makes a process, with its streams or its terminal. */
static int run_with_io(const Supervisor *supervisor, char ***words, bool terminal,
                       const ProcessIo *io, const char *command, Error *err) {
        _cleanup_close_ int listen_fd = -1;
        _cleanup_free_ char *pid_file = run_path(supervisor, PID_NAME);
        int r = terminal ? listen_console(supervisor, &listen_fd, err) : 0;

        if (r < 0)
                return r;
        (void)unlinkat(supervisor->run_fd, PID_NAME, 0);
        strv_add(words, "--pid-file");
        strv_add(words, pid_file);
        if (terminal) {
                _cleanup_free_ char *console = run_path(supervisor, CONSOLE_NAME);

                strv_add(words, "--console-socket");
                strv_add(words, console);
        }
        strv_add(words, supervisor->id);
        /* Nobody accepts yet: the console waits in the socket until the runtime has ended. */
        if (terminal)
                (void)fd_set_nonblocking(listen_fd, true);
        r = run(supervisor, *words, terminal ? NULL : io, command, err);
        return r == 0 && terminal ? take_console(supervisor, listen_fd, io->ret_console, err) : r;
}

static int read_pid(const Supervisor *supervisor, pid_t *ret_pid, int *ret_pidfd, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int number, r = file_read_at(supervisor->run_fd, PID_NAME, 64, &text, &length, err);

        if (r < 0)
                return error_prefix(err, "the runtime's pid file");
        if (str_to_int_in(str_trim(text), 1, INT_MAX, &number) < 0)
                return error_kind(err, ERROR_INTERNAL, "the runtime's pid file says '%s'", text);
        *ret_pid = number;
        return pidfd_of(number, ret_pidfd, err);
}

/* ---- the bundle ---- */

/* The run directory as the runtime sees it has the root mounted; outside it has not. */
static int mount_bundle(const Supervisor *supervisor, int root_fd, const char *directory,
                        Error *err) {
        _cleanup_free_ char *target = str_format("%s/" ROOT_NAME, directory);

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return error_set(err, errno, "make a mount namespace");
        if (mkdir(target, 0700) < 0 && errno != EEXIST)
                return error_set(err, errno, "make '%s'", target);
        return mount_attach_at(root_fd, AT_FDCWD, target, err);
}

/* Namespaces that came open are named by this process's descriptors. */
static void name_namespace(OciConfig *config, const char *type, int fd) {
        OciNamespace *namespaces = config->linux_ ? config->linux_->namespaces.items : NULL;

        for (size_t i = 0; fd >= 0 && namespaces && i < config->linux_->namespaces.count; i++) {
                if (!str_equal(namespaces[i].type, type))
                        continue;
                free(namespaces[i].path);
                namespaces[i].path = str_format("/proc/%d/fd/%d", (int)getpid(), fd);
        }
}

static int write_bundle(Supervisor *supervisor, const RuntimeOptions *options, Error *err) {
        OciConfig *config = supervisor->config;
        _cleanup_free_ char *directory = NULL, *text = NULL;
        int r = real_run_path(supervisor, &directory, err);

        if (r == 0)
                r = mount_bundle(supervisor, options->root_fd, directory, err);
        if (r < 0)
                return r;
        if (!config->root)
                config->root = NEW(OciRoot);
        free(config->root->path);
        config->root->path = str_format("%s/" ROOT_NAME, directory);
        name_namespace(config, "network", options->netns_fd);
        name_namespace(config, "pid", supervisor->foreign_pidns_fd);
        name_namespace(config, "ipc", supervisor->foreign_ipcns_fd);
        text = json_text(&oci_config_table, config);
        return file_replace_at(supervisor->run_fd, CONFIG_NAME, text, strlen(text), 0600, false,
                               err);
}

/* ---- the four ways ---- */

static void delete_it(const Supervisor *supervisor) {
        _cleanup_strv_ char **words = command_of(supervisor, "delete");

        strv_add(&words, "--force");
        strv_add(&words, supervisor->id);
        (void)run(supervisor, words, NULL, "delete", NULL);
        (void)dir_remove_at(supervisor->run_fd, STATE_NAME, NULL);
}

static int foreign_create(Supervisor *supervisor, const RuntimeOptions *options,
                          const ProcessIo *io, RuntimeContainer *ret, Error *err) {
        _cleanup_strv_ char **words = NULL;
        _cleanup_free_ char *directory = NULL;
        int r = write_bundle(supervisor, options, err);

        if (r == 0)
                r = real_run_path(supervisor, &directory, err);
        /* What an earlier run left, whose monitor was killed. */
        if (r == 0)
                r = dir_remove_at(supervisor->run_fd, STATE_NAME, err);
        if (r < 0)
                return r;
        words = command_of(supervisor, "create");
        strv_add(&words, "--bundle");
        strv_add(&words, directory);
        r = run_with_io(supervisor, &words, supervisor->config->process->terminal, io, "create",
                        err);
        if (r == 0)
                r = read_pid(supervisor, &ret->pid, &ret->pidfd, err);
        if (r < 0) {
                delete_it(supervisor);
                return r;
        }
        ret->cgroup = str_copy(supervisor->config->linux_->cgroups_path);
        return 0;
}

static int foreign_release(Supervisor *supervisor, Error *err) {
        _cleanup_strv_ char **words = command_of(supervisor, "start");

        strv_add(&words, supervisor->id);
        return run(supervisor, words, NULL, "start", err);
}

static int foreign_exec(Supervisor *supervisor, const OciProcess *process,
                        const SeccompProgram *seccomp, const ProcessIo *io, pid_t *ret_pid,
                        int *ret_pidfd, Error *err) {
        _cleanup_strv_ char **words = command_of(supervisor, "exec");
        _cleanup_free_ char *path = run_path(supervisor, PROCESS_NAME);
        _cleanup_free_ char *text = json_text(&oci_process_table, process);
        int r = file_replace_at(supervisor->run_fd, PROCESS_NAME, text, strlen(text), 0600, false,
                                err);

        (void)seccomp; /* the container's document has it */
        if (r < 0)
                return r;
        strv_add(&words, "--detach");
        strv_add(&words, "--process");
        strv_add(&words, path);
        r = run_with_io(supervisor, &words, process->terminal, io, "exec", err);
        (void)unlinkat(supervisor->run_fd, PROCESS_NAME, 0); /* its environment may have secrets */
        return r < 0 ? r : read_pid(supervisor, ret_pid, ret_pidfd, err);
}

static int foreign_destroy(Supervisor *supervisor, Error *err) {
        const char *cgroup = supervisor->container.cgroup;
        int r;

        delete_it(supervisor);
        if (!cgroup)
                return 0;
        /* A runtime that has lost its records leaves both. */
        r = cgroup_kill(cgroup, KILL_WAIT, err);
        return r < 0 ? r : cgroup_remove(cgroup, err);
}

const RuntimeKind foreign_runtime = { foreign_create, foreign_release, foreign_exec,
                                      foreign_destroy };
