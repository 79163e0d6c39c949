/* init.c: the container's first process from clone to exec, as a list of steps. It shares the
 * parent's memory as it was at the clone, and tells the parent over sync_fd how it fares, then
 * whoever starts the container over the gate. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fd.h"
#include "os/mount.h"
#include "os/procfs.h"
#include "runtime/init.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

typedef struct Init {
        const Setup *setup;
        int root_fd, slave_fd;
} Init;

typedef struct InitStep {
        const char *name;
        int (*run)(Init *init, Error *err);
} InitStep;

static const OciHooks no_hooks;

static const OciHooks *hooks_of(const Setup *setup) {
        return setup->config->hooks ?: &no_hooks;
}

/* Of hooks that run on this side. */
static char *const *init_environment(const Init *init) {
        static char *const none[] = { NULL };
        const OciProcess *process = init->setup->config->process;

        return process && process->env ? process->env : none;
}

/* ---- the steps ---- */

static int write_joins(int *fds, size_t count, Error *err) {
        int r = 0;

        for (size_t i = 0; i < count; i++) {
                if (r == 0 && write(fds[i], "0", 1) < 0)
                        r = error_set(err, errno, "join the container's cgroup");
                close_fd(&fds[i]);
        }
        return r;
}

int cgroups_join(const Setup *setup, Error *err) {
        int fds[CGROUP_HIERARCHIES_MAX], r;
        SyncKind kind;
        size_t count = 0;

        if (*setup->in_cgroups)
                return 0;
        *setup->in_cgroups = true;
        r = sync_receive_fds(setup->sync_fd, &kind, fds, ELEMENTS(fds), &count, "the runtime", err);
        if (r == 0 && kind != SYNC_CGROUPS)
                return error_kind(err, ERROR_INTERNAL, "the runtime said %d", (int)kind);
        if (r == 0)
                r = write_joins(fds, count, err);
        /* The namespace's root is the group that its maker is in. */
        if (r == 0 && (setup->ns.create & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
                r = error_set(err, errno, "make the cgroup namespace");
        return r;
}

static int join_cgroups(Init *init, Error *err) {
        return cgroups_join(init->setup, err);
}

/* The parent has written the maps of ids by the time that it says go. */
static int become_root(Init *init, Error *err) {
        if (!init->setup->user_mapped)
                return 0;
        if (sync_expect(init->setup->sync_fd, SYNC_GO, NULL, "the runtime", err) < 0)
                return -EIO;
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return error_set(err, errno,
                                 "become root of the user namespace: are the ids 0 mapped?");
        return 0;
}

static int join_namespaces(Init *init, Error *err) {
        return namespaces_join(&init->setup->ns, err);
}

static int loopback_up(Error *err) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                return error_set(err, errno, "set the loopback interface up");
        return 0;
}

static int name_host(Init *init, Error *err) {
        const OciConfig *config = init->setup->config;

        if (!str_empty(config->hostname) &&
            sethostname(config->hostname, strlen(config->hostname)) < 0)
                return error_set(err, errno, "set the host name '%s'", config->hostname);
        if (!str_empty(config->domainname) &&
            setdomainname(config->domainname, strlen(config->domainname)) < 0)
                return error_set(err, errno, "set the domain name '%s'", config->domainname);
        if (init->setup->ns.create & CLONE_NEWNET)
                return loopback_up(err);
        return 0;
}

static bool has_create_hooks(const Setup *setup) {
        const OciHooks *hooks = hooks_of(setup);

        return hooks->prestart.count + hooks->create_runtime.count + hooks->create_container.count >
               0;
}

/* The root goes on top of "/": no directory of the host is needed to hold it, and it goes with the
 * namespace. Hooks that enter the namespace before it is its root look for it at its own path, and
 * for the host's files beside it: for them it lies there. */
static int open_place(const Setup *setup, int host_root, int *ret_fd, Error *err) {
        const char *root = setup->config->root->path;
        _cleanup_free_ char *path =
                root[0] == '/' ? str_copy(root) : str_format("%s/%s", setup->bundle, root);

        *ret_fd = has_create_hooks(setup) && setup->options->root_fd < 0
                          ? openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC)
                          : fcntl(host_root, F_DUPFD_CLOEXEC, 3);
        return *ret_fd < 0 ? error_set(err, errno, "open '%s'", path) : 0;
}

static int attach_root(Init *init, Error *err) {
        _cleanup_close_ int host_root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC),
                            place_fd = -1;
        int r = host_root < 0 ? error_set(err, errno, "open /")
                              : mounts_enter_namespace(init->setup, host_root, err);

        if (r == 0)
                r = open_place(init->setup, host_root, &place_fd, err);
        if (r == 0)
                r = mount_attach(init->setup->root_fd, place_fd, err);
        if (r < 0)
                return error_prefix(err, "root '%s'", init->setup->config->root->path);
        init->root_fd = init->setup->root_fd;
        return 0;
}

static int make_mounts(Init *init, Error *err) {
        return mounts_make(init->setup, init->root_fd, err);
}

static int make_devices(Init *init, Error *err) {
        return devices_make(init->setup, init->root_fd, err);
}

/* As runc does: a process may ask for a directory that its image lacks. */
static int make_working_directory(Init *init, Error *err) {
        _cleanup_close_ int fd = -1, existing = -1;
        const char *cwd = init->setup->config->process->cwd;

        if (root_open(init->root_fd, cwd, O_PATH | O_CLOEXEC, &existing, NULL) == 0)
                return 0;
        return root_make(init->root_fd, cwd, true, &fd, err);
}

static HookState hook_state(const Setup *setup, const char *status) {
        return (HookState){ .id = setup->options->id,
                            .status = status,
                            .bundle = setup->bundle,
                            .pid = setup->ns.create & CLONE_NEWPID ? 1 : getpid(),
                            .annotations = &setup->config->annotations,
                            .version = setup->config->version };
}

/* prestart and createRuntime run in the runtime's namespaces, so the parent runs them;
 * createContainer in the container's, but with paths of the host. */
static int run_create_hooks(Init *init, Error *err) {
        const OciHooks *hooks = hooks_of(init->setup);
        HookState state = hook_state(init->setup, "creating");
        int r = 0;

        if (hooks->prestart.count + hooks->create_runtime.count > 0) {
                r = sync_send(init->setup->sync_fd, SYNC_HOOKS, -1);
                if (r < 0)
                        return error_set(err, -r, "ask for hooks");
                r = sync_expect(init->setup->sync_fd, SYNC_GO, NULL, "the runtime", err);
        }
        if (r < 0 || hooks->create_container.count == 0)
                return r;
        /* They run in the root's directory. */
        if (fchdir(init->root_fd) < 0)
                return error_set(err, errno, "enter the container's root");
        return hooks_run(&hooks->create_container, "createContainer", &state,
                         init_environment(init), err);
}

static int open_console(Init *init, Error *err) {
        const Setup *setup = init->setup;
        _cleanup_close_ int master = -1;
        int r;

        if (!setup->config->process->terminal)
                return 0;
        r = console_open(init->root_fd, setup->config->process, &master, &init->slave_fd, err);
        if (r == 0)
                r = console_bind(init->root_fd, init->slave_fd, err);
        if (r < 0)
                return r;
        return console_deliver(setup->io, setup->sync_fd, master, err);
}

static int enter_root(Init *init, Error *err) {
        int r = process_set_stdio(init->setup->io, init->root_fd, init->slave_fd,
                                  init->setup->config->process, err);

        if (r == 0)
                r = root_enter(init->setup, init->root_fd, err);
        return r < 0 ? r : root_finish(init->setup, err);
}

static int protect_paths(Init *init, Error *err) {
        int r = sysctls_write(init->setup, err);

        if (r == 0)
                r = paths_make_readonly(init->setup, err);
        return r < 0 ? r : paths_mask(init->setup, err);
}

/* After what the host runs for the container (createContainer), before what the image may. */
static int set_profile(Init *init, Error *err) {
        return process_set_profile(init->setup->proc_fd, init->setup->plan, err);
}

/* The program gets none of the runtime's descriptors, and the wait at the gate holds none open: not
 * the creator's end of the gate either, so that its death is seen. Before the filter is there,
 * which may forbid it. */
static int close_all_but_gate(Init *init, Error *err) {
        unsigned first = (unsigned)(3 + init->setup->io->listen_fds),
                 one = (unsigned)init->setup->options->gate_fd,
                 two = (unsigned)init->setup->sync_fd, lower = MIN(one, two), upper = MAX(one, two);

        if (BUG("working-directory"))
                return 0;
        if ((lower > first && close_range(first, lower - 1, 0) < 0) ||
            (upper > lower + 1 && close_range(lower + 1, upper - 1, 0) < 0) ||
            close_range(upper + 1, ~0u, 0) < 0)
                return error_set(err, errno, "close the runtime's descriptors");
        return 0;
}

static int drop_privileges(Init *init, Error *err) {
        return process_restrict(init->setup->plan, err);
}

/* The caller of unshare stays where it is: only its children would be inside. */
static int make_time_namespace(Init *init, Error *err) {
        const Setup *setup = init->setup;
        const OciTimeOffset *list = setup->config->linux_->time_offsets.items;
        _cleanup_close_ int fd = -1;
        int r = 0;

        if (!(setup->ns.create & CLONE_NEWTIME))
                return 0;
        if (unshare(CLONE_NEWTIME) < 0)
                return error_set(err, errno, "make the time namespace");
        for (size_t i = 0; r == 0 && i < setup->config->linux_->time_offsets.count; i++) {
                _cleanup_free_ char *text =
                        str_format("%s %lld %lld", list[i].clock, (long long)list[i].secs,
                                   (long long)list[i].nanosecs);

                r = procfs_write(setup->proc_fd, "self/timens_offsets", text, err);
        }
        if (r < 0)
                return error_prefix(err, "linux.timeOffsets");
        fd = openat(setup->proc_fd, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWTIME) < 0)
                return error_set(err, errno, "enter the time namespace");
        return 0;
}

static int find_program(Init *init, Error *err) {
        return init->setup->options->program_first ? process_find_program(init->setup->plan, err)
                                                   : 0;
}

static const InitStep steps[] = {
        { "user namespace", become_root },
        { "namespaces", join_namespaces },
        { "time namespace", make_time_namespace },
        { "host name", name_host },
        { "root", attach_root },
        { "mounts", make_mounts },
        { "devices", make_devices },
        { "cgroup", join_cgroups },
        { "hooks", run_create_hooks },
        { "directory", make_working_directory },
        { "console", open_console },
        { "enter root", enter_root },
        { "paths", protect_paths },
        { "profile", set_profile },
        { "descriptors", close_all_but_gate },
        { "privileges", drop_privileges },
        { "program", find_program },
};

/* ---- the gate ---- */

/* The gate is one end of a pair, or a listening socket on which whoever starts the container
 * connects. */
static int open_gate(int gate_fd, Error *err) {
        int listening = 0, fd;
        socklen_t length = sizeof(listening);

        if (getsockopt(gate_fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0)
                return error_set(err, errno, "gate");
        if (!listening)
                return gate_fd;
        do
                /* cppcheck-suppress nullPointer */
                fd = accept4(gate_fd, NULL, NULL, SOCK_CLOEXEC);
        while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
        return fd < 0 ? error_set(err, errno, "gate") : fd;
}

/* Waits for the word; -EPIPE when whoever would give it has gone. A connection that brings none is
 * somebody's probe. */
static int wait_at_gate(int gate_fd, int *ret_fd, Error *err) {
        for (;;) {
                SyncKind kind;
                int r, fd = open_gate(gate_fd, err);

                if (fd < 0)
                        return fd;
                r = sync_receive(fd, &kind, NULL, "whoever starts the container", err);
                if (r == 0 && kind == SYNC_GO) {
                        *ret_fd = fd;
                        return 0;
                }
                if (fd == gate_fd)
                        return -EPIPE;
                close_fd(&fd);
        }
}

static void start(Init *init, int gate_fd) {
        HookState state = hook_state(init->setup, "created");
        Error err = {};
        const JsonArray *hooks = &hooks_of(init->setup)->start_container;
        int r = hooks->count > 0 ? process_load_filter(init->setup->plan, &err) : 0;

        if (r == 0)
                r = hooks_run(hooks, "startContainer", &state, init_environment(init), &err);
        if (r == 0)
                (void)process_exec(init->setup->plan, &err);
        (void)sync_send_error(gate_fd, &err);
}

static int set_up(Init *init, Error *err) {
        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                int r = steps[i].run(init, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

void init_run(const Setup *setup) {
        Init init = { .setup = setup, .root_fd = -1, .slave_fd = -1 };
        int sync_fd = setup->sync_fd, gate_fd = -1;
        Error err = {};

        process_reset_signals();
        if (!BUG("terminal"))
                (void)setsid();
        if (set_up(&init, &err) < 0) {
                (void)sync_send_error(sync_fd, &err);
                _exit(1);
        }
        if (sync_send(sync_fd, SYNC_READY, -1) < 0)
                _exit(1);
        close_fd(&sync_fd);
        if (wait_at_gate(setup->options->gate_fd, &gate_fd, &err) == 0)
                start(&init, gate_fd);
        _exit(1);
}
