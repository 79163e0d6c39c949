/* create.c: the parent's side of a container's making: prepares everything that can be prepared
 * outside, clones init, does what only the host may do for it (maps of ids, hooks), and undoes it
 * all if a step fails. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "os/mount.h"
#include "os/pidfd.h"
#include "os/procfs.h"
#include "runtime/init.h"
#include "runtime/scope.h"

#define KILL_TIMEOUT                                                                               \
        10000000000LL /* ns: a process that the kernel cannot end in that time is stuck in it */

void runtime_container_done(RuntimeContainer *container) {
        close_fd(&container->pidfd);
        free(container->cgroup);
        container->cgroup = NULL;
}

/* ---- preparing ---- */

void setup_init(Setup *setup) {
        *setup = (Setup){ .root_fd = -1, .proc_fd = -1, .own_map_fd = -1, .sync_fd = -1 };
        namespaces_init(&setup->ns);
}

void setup_done(Setup *setup) {
        size_t mounts = setup->config->mounts.count;

        namespaces_done(&setup->ns);
        close_fd(&setup->root_fd);
        close_fd(&setup->proc_fd);
        close_fd(&setup->own_map_fd);
        close_fd(&setup->sync_fd);
        for (size_t i = 0; i < mounts && setup->source_fds; i++)
                close_fd(&setup->source_fds[i]);
        for (size_t i = 0; i < mounts && setup->mount_options; i++)
                mount_options_done(&setup->mount_options[i]);
        free(setup->source_fds);
        free(setup->mount_options);
}

/* A detached copy of the root's mount; a root that is detached already (an overlay) is used as it
 * is. */
static int prepare_root(Setup *setup, Error *err) {
        const OciConfig *config = setup->config;
        _cleanup_close_ int fd = -1;
        int r;

        if (setup->options->root_fd >= 0)
                fd = fcntl(setup->options->root_fd, F_DUPFD_CLOEXEC, 3);
        else
                fd = openat(setup->options->bundle_fd, config->root->path,
                            O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set(err, errno, "root '%s'", config->root->path);
        r = mount_clone(fd, true, &setup->root_fd, err);
        if (r == -EINVAL && setup->options->root_fd >= 0) {
                setup->root_fd = TAKE_FD(fd);
                return 0;
        }
        /* The copy must not tell the host's mount of what happens to it. */
        if (r == 0)
                r = mount_change(setup->root_fd, true, 0, 0, MS_PRIVATE, err);
        return r < 0 ? error_prefix(err, "root '%s'", config->root->path) : 0;
}

int setup_prepare(Setup *setup, Error *err) {
        const OciLinux *linux_ = setup->config->linux_;
        int r = namespaces_plan(linux_, setup->options->netns_fd, &setup->ns, err);

        if (r == 0)
                r = procfs_open(&setup->proc_fd, err);
        if (r == 0)
                r = sysctls_check(setup, err);
        if (r == 0)
                r = prepare_root(setup, err);
        if (r == 0)
                r = mounts_prepare(setup, err);
        setup->user_mapped = setup->ns.create & CLONE_NEWUSER;
        setup->bind_devices = setup->user_mapped || setup->ns.join[NAMESPACE_USER] >= 0;
        return r;
}

char *runtime_cgroup_path(const OciConfig *config, const char *id, const char *parent) {
        const char *path = config->linux_ ? config->linux_->cgroups_path : NULL;

        if (!path || !*path)
                return str_format("%s%s/%s", parent && parent[0] != '/' ? "/" : "", parent ?: "",
                                  id);
        return str_format("%s%s", path[0] == '/' ? "" : "/", path);
}

/* ---- while init sets itself up ---- */

static int write_map(int proc_fd, pid_t pid, const char *file, const JsonArray *mappings,
                     Error *err) {
        const OciIdMapping *list = mappings->items;
        _cleanup_free_ char *path = str_format("%d/%s", (int)pid, file);
        _cleanup_buf_ Buf text = {};

        for (size_t i = 0; i < mappings->count; i++)
                buf_format(&text, "%lld %lld %lld\n", (long long)list[i].container_id,
                           (long long)list[i].host_id, (long long)list[i].size);
        return procfs_write(proc_fd, path, text.data, err);
}

static int map_ids(const Setup *setup, pid_t pid, int sync_fd, Error *err) {
        const OciLinux *linux_ = setup->config->linux_;
        int r = write_map(setup->proc_fd, pid, "uid_map", &linux_->uid_mappings, err);

        if (r == 0)
                r = write_map(setup->proc_fd, pid, "gid_map", &linux_->gid_mappings, err);
        if (r < 0)
                return r;
        r = sync_send(sync_fd, SYNC_GO, -1);
        return r < 0 ? error_set(err, -r, "tell init to go on") : 0;
}

static HookState creating_state(const Setup *setup, pid_t pid) {
        return (HookState){ .id = setup->options->id,
                            .status = "creating",
                            .bundle = setup->bundle,
                            .pid = pid,
                            .annotations = &setup->config->annotations,
                            .version = setup->config->version };
}

static int deliver_listener(const Setup *setup, int pidfd, pid_t pid, int number, int sync_fd,
                            Error *err) {
        HookState state = creating_state(setup, pid);
        _cleanup_free_ char *text = hook_state_text(&state);

        return listener_deliver(setup->plan->seccomp, pidfd, pid, number, text,
                                setup->config->version, sync_fd, err);
}

int setup_run_hooks(const Setup *setup, pid_t pid, Error *err) {
        HookState state = creating_state(setup, pid);
        int r;

        /* To these, which are older than the others, the container has been created: so
         * runtime-spec 1.0 has it, and its validation. */
        state.status = "created";
        r = hooks_run(&setup->config->hooks->prestart, "prestart", &state, environ, err);
        state.status = "creating";
        if (r == 0)
                r = hooks_run(&setup->config->hooks->create_runtime, "createRuntime", &state,
                              environ, err);
        return r;
}

static int run_hooks(const Setup *setup, pid_t pid, int sync_fd, Error *err) {
        int r = setup_run_hooks(setup, pid, err);

        if (r < 0)
                return r;
        r = sync_send(sync_fd, SYNC_GO, -1);
        return r < 0 ? error_set(err, -r, "tell init to go on") : 0;
}

/* The groups and their limits are made while init mounts; it joins them before anything of the
 * user's runs. */
static int make_cgroups(const Setup *setup, int sync_fd, Error *err) {
        const OciLinux *linux_ = setup->config->linux_;
        int fds[CGROUP_HIERARCHIES_MAX];
        size_t count = 0;
        int r = setup->scope ? cgroup_create_below(setup->scope->path, setup->cgroup, err)
                             : cgroup_create(setup->cgroup, err);

        if (r == 0 && linux_->resources)
                r = resources_apply(setup->cgroup, linux_->resources, err);
        if (r == 0)
                r = cgroup_join_fds(setup->cgroup, fds, &count, err);
        if (r == 0 && (r = sync_send_fds(sync_fd, SYNC_CGROUPS, fds, count)) < 0)
                r = sync_expect(sync_fd, SYNC_READY, NULL, "the container's init",
                                err); /* it says why it has gone */
        while (count > 0)
                close_fd(&fds[--count]);
        return r;
}

/* What init needs before it can become ready. */
static int prepare_init(const Setup *setup, pid_t pid, int sync_fd, Error *err) {
        int r = setup->user_mapped ? map_ids(setup, pid, sync_fd, err) : 0;

        if (r == 0)
                r = make_cgroups(setup, sync_fd, err);
        return r == 0 ? oom_score_write(setup->proc_fd, pid, setup->config->process, err) : r;
}

/* Serves what init asks for until it is ready. */
static int accompany(const Setup *setup, int pidfd, pid_t pid, int sync_fd, Error *err) {
        int r = 0;

        while (r == 0) {
                SyncKind kind;
                int passed = -1, number = -1;

                r = sync_receive_listener(sync_fd, &kind, &passed, &number, "the container's init",
                                          err);
                if (r < 0 || kind == SYNC_READY)
                        return r;
                if (kind == SYNC_LISTENER)
                        r = deliver_listener(setup, pidfd, pid, number, sync_fd, err);
                else if (kind == SYNC_HOOKS)
                        r = run_hooks(setup, pid, sync_fd, err);
                else if (kind == SYNC_CONSOLE)
                        r = console_take(setup->io, passed, err);
                else
                        r = error_kind(err, ERROR_INTERNAL, "the container's init said %d",
                                       (int)kind);
        }
        return r;
}

/* ---- clone ---- */

/* Some kernels start a child on its parent's processor though another one idles, and it then waits
 * until the parent sleeps. Whoever moves away for a moment lets both work at once: 3 % of a whole
 * run. */
static void leave_processor(void) {
        cpu_set_t all, others;
        int own = sched_getcpu();

        if (own < 0 || sched_getaffinity(0, sizeof(all), &all) < 0 || CPU_COUNT(&all) < 2)
                return;
        others = all;
        CPU_CLR((size_t)own, &others);
        if (sched_setaffinity(0, sizeof(others), &others) == 0)
                (void)sched_setaffinity(0, sizeof(all), &all);
}

static int spawn_init(Setup *setup, int *ret_sync, int *ret_pidfd, pid_t *ret_pid, Error *err) {
        _cleanup_close_ int cgroup_fd = -1, mine = -1;
        int pair[2], r = cgroup_clone_fd(setup->cgroup, &cgroup_fd, err);

        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, errno, "socketpair");
        mine = pair[0];
        setup->sync_fd = setup->plan->sync_fd = pair[1];
        r = namespaces_clone(&setup->ns, cgroup_fd, ret_pidfd, ret_pid, err);
        if (r < 0)
                return r;
        if (*ret_pid == 0) {
                close_fd(&mine);
                init_run(setup);
        }
        if (setup->options->make_room)
                leave_processor();
        close_fd(&setup->sync_fd);
        *ret_sync = TAKE_FD(mine);
        return 0;
}

/* Whether the kernel has put init where systemd counts the scope's processes. */
static bool is_cloned_into_group(void) {
        CgroupMode mode;

        return cgroup_mode(&mode, NULL) == 0 && mode != CGROUP_V1;
}

static int create_process(Setup *setup, ScopeHolder *holder, RuntimeContainer *ret, Error *err) {
        _cleanup_close_ int sync_fd = -1;
        int r = spawn_init(setup, &sync_fd, &ret->pidfd, &ret->pid, err);

        if (is_cloned_into_group())
                scope_holder_end(holder);
        if (r == 0)
                r = prepare_init(setup, ret->pid, sync_fd, err);
        if (r == 0 && setup->options->while_setting_up)
                r = setup->options->while_setting_up(setup->options->data, ret, err);
        if (r == 0)
                r = accompany(setup, ret->pidfd, ret->pid, sync_fd, err);
        if (r == 0)
                r = failpoint("runtime.ready", err);
        if (r < 0 && ret->pidfd >= 0) {
                (void)pidfd_signal(ret->pidfd, SIGKILL, NULL); /* it may have ended already */
                (void)pidfd_wait(ret->pidfd, NULL, NULL);
        }
        return r;
}

/* The first error is the one to tell. */
void setup_remove_cgroup(const Setup *setup) {
        if (!setup->options->may_share_cgroup || !(setup->ns.create & CLONE_NEWPID))
                (void)cgroup_kill(setup->cgroup, KILL_TIMEOUT, NULL);
        (void)cgroup_remove(setup->cgroup, NULL);
        runtime_scope_release(setup->cgroup);
}

static int create(Setup *setup, RuntimeContainer *ret, Error *err) {
        ScopeHolder holder = { .pidfd = -1 };
        int r = setup_prepare(setup, err);

        if (r == 0 && setup->scope) {
                r = scope_enter(setup->scope, setup->options->id, &holder, err);
                if (r < 0)
                        return r; /* the group may be another's */
        }
        if (r < 0)
                return r;
        if (!setup->scope)
                r = cgroup_create_unified(setup->cgroup, err);
        if (r == 0)
                r = create_process(setup, &holder, ret, err);
        scope_holder_end(&holder);
        if (r < 0)
                setup_remove_cgroup(setup);
        return r;
}

static void warn_of_members(const RuntimeOptions *options, size_t count) {
        _cleanup_free_ char *text =
                str_format("container's cgroup is not empty: %zu process(es) found", count);

        if (options->warn)
                options->warn(options->data, text);
}

/* A group with processes in it is somebody's: to use it would be to kill them later. One that is
 * frozen would never let init go on. */
int setup_check_cgroup(const RuntimeOptions *options, const char *path, Error *err) {
        _cleanup_free_ pid_t *pids = NULL;
        bool frozen = false;
        size_t count = 0;
        int r;

        if (!cgroup_exists(path))
                return 0;
        r = cgroup_pids(path, &pids, &count, err);
        if (r == 0 && count > 0 && !options->may_share_cgroup)
                return error_kind(err, ERROR_CONFLICT,
                                  "cgroup '%s' is in use by process %d: give the container another "
                                  "linux.cgroupsPath",
                                  path, (int)pids[0]);
        if (r == 0 && cgroup_is_frozen(path, &frozen, NULL) == 0 && frozen)
                return error_kind(err, ERROR_CONFLICT,
                                  "container's cgroup unexpectedly frozen: thaw '%s', or give the "
                                  "container another linux.cgroupsPath",
                                  path);
        if (r == 0 && count > 0)
                warn_of_members(options, count);
        return r;
}

/* runc passes these on to systemd. */
static void warn_of_properties(const OciConfig *config, const RuntimeOptions *options) {
        const Pairs *annotations = &config->annotations;

        for (size_t i = 0; options->warn && i < annotations->count; i++) {
                const char *key = annotations->items[i].key;
                _cleanup_free_ char *text = NULL;

                if (!str_after(key, "org.systemd.property."))
                        continue;
                text = str_format("annotation %s: properties are not passed on to systemd", key);
                options->warn(options->data, text);
        }
}

int setup_cgroup(const OciConfig *config, const RuntimeOptions *options, RuntimeScope *ret_scope,
                 char **ret, Error *err) {
        int r;

        if (!options->systemd_cgroup) {
                *ret = runtime_cgroup_path(config, options->id, options->cgroup_parent);
                return 0;
        }
        r = runtime_scope_parse(config->linux_->cgroups_path, options->id, ret_scope, err);
        if (r < 0)
                return r;
        warn_of_properties(config, options);
        *ret = str_copy(ret_scope->cgroup);
        return 0;
}

char *setup_bundle_path(int bundle_fd) {
        char link[64], path[4096];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", bundle_fd);
        n = readlinkat(AT_FDCWD, link, path, sizeof(path));
        return n > 0 ? str_copy_n(path, (size_t)n) : str_copy("");
}

int container_create(const OciConfig *config, const RuntimeOptions *options, const ProcessIo *io,
                     RuntimeContainer *ret, Error *err) {
        _cleanup_free_ char *cgroup = NULL, *bundle = NULL, *keyring = NULL;
        RuntimeContainer made = { .pidfd = -1 };
        ProcessPlan plan = {};
        _cleanup_(runtime_scope_done) RuntimeScope scope = { 0 };
        bool in_cgroups = false;
        Setup setup;
        int r = runtime_validate(config, err);

        if (r < 0)
                return r;
        r = setup_cgroup(config, options, &scope, &cgroup, err);
        if (r < 0)
                return r;
        bundle = setup_bundle_path(options->bundle_fd);
        keyring = str_format("_ses.%s", options->id);
        setup_init(&setup);
        setup.config = config;
        setup.options = options;
        setup.io = io;
        setup.cgroup = cgroup;
        setup.scope = options->systemd_cgroup ? &scope : NULL;
        setup.bundle = bundle;
        setup.plan = &plan;
        setup.in_cgroups = &in_cgroups;
        plan.process = config->process;
        plan.seccomp = options->seccomp;
        plan.profile = process_profile(config->process);
        plan.personality = config->linux_->personality;
        plan.keyring = options->keep_keyring ? NULL : keyring;
        plan.listen_fds = io->listen_fds;
        made.cgroup = cgroup;
        r = setup.scope ? 0 : setup_check_cgroup(options, cgroup, err);
        if (r == 0)
                r = create(&setup, &made, err);
        setup_done(&setup);
        if (r < 0) {
                close_fd(&made.pidfd);
                return r;
        }
        cgroup = NULL; /* made's now */
        *ret = made;
        return 0;
}

/* ---- after it ---- */

int container_let_go(int gate_fd, Error *err) {
        int r = sync_send(gate_fd, SYNC_GO, -1);

        return r < 0 ? error_set(err, -r, "the container's init has gone") : 0;
}

int container_expect_exec(int gate_fd, Error *err) {
        return sync_expect_exec(gate_fd, "the container's init", err);
}

int container_release(int gate_fd, Error *err) {
        int r = container_let_go(gate_fd, err);

        return r < 0 ? r : container_expect_exec(gate_fd, err);
}

int container_destroy(const OciConfig *config, const RuntimeContainer *container, const char *id,
                      Error *err) {
        HookState state = { .id = id, .status = "stopped", .bundle = container->bundle ?: "" };
        bool gone;
        int r = 0;

        /* A pid namespace took all that was in it with it. */
        gone = !container->cgroup || cgroup_remove_empty(container->cgroup);
        if (!gone && container->spares_others) {
                (void)cgroup_remove(container->cgroup, NULL); /* groups made inside; or in use */
        } else if (!gone) {
                r = cgroup_kill(container->cgroup, KILL_TIMEOUT, err);
                if (r == 0)
                        r = cgroup_remove(container->cgroup, err);
        }
        if (container->cgroup)
                runtime_scope_release(container->cgroup);
        if (r < 0 || !config || !config->hooks)
                return r;
        state.annotations = &config->annotations;
        state.version = config->version;
        return hooks_run(&config->hooks->poststop, "poststop", &state, environ, err);
}
