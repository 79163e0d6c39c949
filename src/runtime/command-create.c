/* command-create.c: create, run and restore. create leaves init waiting at a socket in the
 * container's directory, for start; run lets it go at once, and so does restore, which makes it
 * from images. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "os/pidfd.h"
#include "runtime/checkpoint-options.h"
#include "runtime/cli.h"
#include "runtime/private.h"
#include "runtime/seccomp.h"

#define CREATE_OPTIONS                                                                             \
        { "bundle", 'b', OPTION_TEXT, offsetof(Options, bundle),                                   \
          "directory of config.json (default: the current one)" },                                 \
                { "console-socket", 0, OPTION_TEXT, offsetof(Options, console_socket),             \
                  "Unix socket that receives the terminal" },                                      \
                { "pid-file", 0, OPTION_TEXT, offsetof(Options, pid_file),                         \
                  "file for init's process number" },                                              \
                { "no-pivot", 0, OPTION_FLAG, offsetof(Options, no_pivot),                         \
                  "change the root without pivot_root" },                                          \
                { "no-new-keyring", 0, OPTION_FLAG, offsetof(Options, no_new_keyring),             \
                  "keep the caller's session keyring" },                                           \
        {                                                                                          \
                "preserve-fds", 0, OPTION_NUMBER, offsetof(Options, preserve_fds),                 \
                        "pass on so many descriptors after 2"                                      \
        }

static const CommandOption create_options[] = { CREATE_OPTIONS, {} };
static const CommandOption run_options[] = {
        CREATE_OPTIONS,
        { "detach", 'd', OPTION_FLAG, offsetof(Options, detach), "return once the program runs" },
        { "keep", 0, OPTION_FLAG, offsetof(Options, keep),
          "do not delete the container after it has ended" },
        { "no-subreaper", 0, OPTION_FLAG, offsetof(Options, no_subreaper),
          "accepted: this program adopts nobody" },
        {},
};

/* As runc's, which has more that are another machine's business or refused: command-checkpoint.c.
 */
static const CommandOption restore_options[] = {
        CREATE_OPTIONS,
        CHECKPOINT_OPTIONS,
        { "detach", 'd', OPTION_FLAG, offsetof(Options, detach), "return once the processes run" },
        { "keep", 0, OPTION_FLAG, offsetof(Options, keep),
          "do not delete the container after it has ended" },
        { "no-subreaper", 0, OPTION_FLAG, offsetof(Options, no_subreaper),
          "accepted: this program adopts nobody" },
        { "lsm-profile", 0, OPTION_TEXT, offsetof(Options, lsm_profile),
          "TYPE:NAME of the profile in place of the dumped one" },
        { "lsm-mount-context", 0, OPTION_TEXT, offsetof(Options, lsm_mount_context), "refused" },
        {},
};

typedef enum CreationKind { CREATE, RUN, RESTORE } CreationKind;

typedef struct Creation {
        const Options *options;
        const char *id;
        CreationKind kind;
        bool is_run, let_go; /* is_run: also of a restore */
        CheckpointOptions checkpoint;
        RuntimeRestore *restore;
        OciConfig config;
        char *config_text, *bundle_path;
        SeccompProgram seccomp;
        RuntimeContainer container;
        int bundle_fd, root_fd, dir_fd, gate_fd, release_fd, console_fd, master_fd;
} Creation;

static void creation_done(Creation *creation) {
        int *const fds[] = { &creation->bundle_fd, &creation->root_fd,    &creation->dir_fd,
                             &creation->gate_fd,   &creation->release_fd, &creation->console_fd,
                             &creation->master_fd };

        (void)runtime_restore_free(creation->restore);
        checkpoint_options_done(&creation->checkpoint);
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                close_fd(fds[i]);
        json_done(&oci_config_table, &creation->config);
        free(creation->config_text);
        free(creation->bundle_path);
        seccomp_program_done(&creation->seccomp);
        runtime_container_done(&creation->container);
}

/* ---- before ---- */

static int read_bundle(Creation *creation, Error *err) {
        int r = dir_open_at(AT_FDCWD, creation->options->bundle ?: ".", 0, &creation->bundle_fd,
                            err);

        if (r == 0)
                r = config_read(creation->bundle_fd, CONFIG_FILE, &creation->config,
                                &creation->config_text, err);
        if (r == 0)
                r = runtime_validate(&creation->config, err);
        return r;
}

static int check_terminal(Creation *creation, Error *err) {
        bool terminal = creation->config.process->terminal,
             detached = !creation->is_run || creation->options->detach;

        if (terminal && detached && !creation->options->console_socket)
                return error_kind(err, ERROR_INVALID,
                                  "cannot allocate tty if detached without setting console socket");
        if (creation->options->console_socket && (!terminal || !detached))
                return error_kind(
                        err, ERROR_INVALID,
                        "cannot use console socket if not detached or without process.terminal");
        return creation->options->console_socket
                       ? connect_console(creation->options->console_socket, &creation->console_fd,
                                         err)
                       : 0;
}

/* create: a socket with a name, since another process will release init. */
static int make_gate(Creation *creation, Error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int pair[2];

        if (creation->is_run) {
                if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                        return error_set(err, errno, "socketpair");
                creation->release_fd = pair[0];
                creation->gate_fd = pair[1];
                return 0;
        }
        creation->gate_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                       creation->dir_fd, START_SOCKET);
        if (creation->gate_fd < 0 ||
            bind(creation->gate_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(creation->gate_fd, 4) < 0)
                return error_set(err, errno, "make the start socket");
        return 0;
}

/* ---- the record ---- */

static char *absolute(int dir_fd) {
        char link[64], path[4096];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
        n = readlinkat(AT_FDCWD, link, path, sizeof(path));
        return str_copy_n(path, n > 0 ? (size_t)n : 0);
}

static int write_record(const Creation *creation, const RuntimeContainer *container, Error *err) {
        const char *root = creation->config.root->path;
        Record record = { .version = str_copy(creation->config.version),
                          .id = str_copy(creation->id),
                          .pid = container->pid,
                          .bundle = absolute(creation->bundle_fd),
                          .cgroup = str_copy(container->cgroup),
                          .owner = str_copy(geteuid() == 0 ? "root" : ""),
                          .created = clock_now() };
        int r = process_start_time(container->pid, &record.start_time, err);

        record.rootfs = root[0] == '/' ? str_copy(root) : str_format("%s/%s", record.bundle, root);
        pairs_copy(&record.annotations, &creation->config.annotations);
        if (r == 0)
                r = record_write(creation->dir_fd, &record, err);
        record_done(&record);
        return r;
}

/* The document as it was, for start's, exec's and delete's sake: the bundle may change. */
static int keep_config(const Creation *creation, Error *err) {
        _cleanup_close_ int fd = openat(creation->dir_fd, CONFIG_FILE,
                                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        int r = fd < 0 ? -errno
                       : fd_write_full(fd, creation->config_text, strlen(creation->config_text));

        return r < 0 ? error_set(err, -r, "keep config.json") : 0;
}

static void forget(const Creation *creation) {
        static const char *const files[] = { START_SOCKET, STATE_FILE, CONFIG_FILE };

        for (size_t i = 0; i < ELEMENTS(files); i++)
                (void)unlinkat(creation->dir_fd, files[i], 0); /* not all of them were made */
        if (unlinkat(creation->root_fd, creation->id, AT_REMOVEDIR) < 0)
                (void)dir_remove_at(creation->root_fd, creation->id, NULL);
}

static void destroy(const Creation *creation) {
        (void)container_destroy(&creation->config, &creation->container, creation->id, NULL);
}

/* While init sets itself up. What `run` runs need not wait for this process to hear that init is
 * ready, unless a file has to name it first: two changes of process less. */
static int write_down(void *data, const RuntimeContainer *container, Error *err) {
        Creation *creation = data;
        int r = keep_config(creation, err);

        if (r == 0)
                r = write_record(creation, container, err);
        if (r < 0 || creation->kind != RUN || creation->options->pid_file)
                return r;
        creation->let_go = true;
        return container_let_go(creation->release_fd, err);
}

/* ---- the steps ---- */

static void warn(void *data, const char *message) {
        const Creation *creation = data;

        log_line(creation->options, "warning", message);
}

static int make_container(Creation *creation, Error *err) {
        ProcessIo io = { .stdin_fd = 0,
                         .stdout_fd = 1,
                         .stderr_fd = 2,
                         .console_socket = creation->console_fd };
        RuntimeOptions options = { .id = creation->id,
                                   .bundle_fd = creation->bundle_fd,
                                   .root_fd = -1,
                                   .netns_fd = -1,
                                   .seccomp = &creation->seccomp,
                                   .systemd_cgroup = creation->options->systemd_cgroup,
                                   .no_pivot = creation->options->no_pivot,
                                   .keep_keyring = creation->options->no_new_keyring,
                                   .make_room = true,
                                   .gate_fd = creation->gate_fd,
                                   .may_share_cgroup = true,
                                   .program_first = true,
                                   .while_setting_up = write_down,
                                   .data = creation,
                                   .warn = warn };
        int r = check_preserved(creation->options, &io.listen_fds, err);

        if (creation->is_run && !creation->options->detach)
                io.ret_console = &creation->master_fd;
        log_line(creation->options, "debug", "nsexec container setup");
        creation->checkpoint.stage_fd = creation->dir_fd;
        if (r == 0 && creation->kind == RESTORE)
                r = container_restore(&creation->config, &options, &creation->checkpoint, &io,
                                      &creation->container, &creation->restore, err);
        else if (r == 0)
                r = container_create(&creation->config, &options, &io, &creation->container, err);
        if (r < 0)
                return r;
        creation->container.spares_others = config_has_own_pids(&creation->config);
        creation->container.bundle = creation->bundle_path = absolute(creation->bundle_fd);
        log_line(creation->options, "debug", "child process in init()");
        log_line(creation->options, "debug", "init: closing the pipe to signal completion");
        return 0;
}

static int create(Creation *creation, Error *err) {
        /* What is restored has its filter from the images, and no gate. */
        int r = creation->kind == RESTORE
                        ? 0
                        : config_compile_seccomp(creation->options, &creation->config,
                                                 &creation->seccomp, err);

        if (r == 0 && creation->kind != RESTORE)
                r = make_gate(creation, err);
        if (r == 0)
                r = make_container(creation, err);
        if (r < 0)
                return r;
        close_fd(&creation->gate_fd);
        if (creation->options->pid_file)
                r = write_pid_file(creation->options->pid_file, creation->container.pid, err);
        if (r < 0)
                destroy(creation);
        return r;
}

static int poststart(const Creation *creation, Error *err) {
        HookState state = { .id = creation->id,
                            .status = "running",
                            .pid = creation->container.pid,
                            .annotations = &creation->config.annotations,
                            .version = creation->config.version };
        _cleanup_free_ char *bundle = NULL;

        if (!creation->config.hooks || creation->config.hooks->poststart.count == 0)
                return 0;
        state.bundle = bundle = absolute(creation->bundle_fd);
        return hooks_run(&creation->config.hooks->poststart, "poststart", &state, environ, err);
}

static int release(Creation *creation, Error *err) {
        int r = creation->let_go ? 0 : container_let_go(creation->release_fd, err);

        return r < 0 ? r : container_expect_exec(creation->release_fd, err);
}

/* run and restore, after create: the exit code, or an error and nothing is left. */
static int run(Creation *creation, Error *err) {
        int code = 0, r = creation->kind == RESTORE
                                  ? runtime_restore_finish(TAKE_PTR(creation->restore), err)
                                  : release(creation, err);

        if (r == 0)
                r = poststart(creation, err);
        if (r == 0 && creation->options->detach)
                return 0;
        if (r == 0)
                code = r = foreground_wait(creation->container.pidfd, creation->master_fd, err);
        if (creation->options->keep && r >= 0)
                return code;
        if (r < 0)
                destroy(creation);
        else
                r = container_destroy(&creation->config, &creation->container, creation->id, err);
        forget(creation);
        return r < 0 ? r : code;
}

static int make(const Options *options, const char *id, CreationKind kind, Error *err) {
        Creation creation = { .options = options,
                              .id = id,
                              .kind = kind,
                              .is_run = kind != CREATE,
                              .checkpoint = { .images_fd = -1, .work_fd = -1 },
                              .container.pidfd = -1,
                              .bundle_fd = -1,
                              .root_fd = -1,
                              .dir_fd = -1,
                              .gate_fd = -1,
                              .release_fd = -1,
                              .console_fd = -1,
                              .master_fd = -1 };
        int r = read_bundle(&creation, err);

        if (r == 0)
                r = check_terminal(&creation, err);
        if (r == 0 && kind == RESTORE)
                r = checkpoint_options(options, false, &creation.checkpoint, err);
        if (r == 0 && creation.is_run && !options->detach)
                r = foreground_prepare();
        if (r == 0)
                r = record_directory_make(options, id, &creation.root_fd, &creation.dir_fd, err);
        if (r == 0) {
                r = create(&creation, err);
                if (r < 0)
                        forget(&creation);
                else if (creation.is_run)
                        r = run(&creation, err);
        }
        creation_done(&creation);
        return r;
}

static int run_create(const Options *options, char **words, Error *err) {
        return make(options, words[0], CREATE, err);
}

static int run_run(const Options *options, char **words, Error *err) {
        return make(options, words[0], RUN, err);
}

static int run_restore(const Options *options, char **words, Error *err) {
        return make(options, words[0], RESTORE, err);
}

const Command command_create = { "create",       "<container-id>", "create a container", 1, 1,
                                 create_options, run_create };
const Command command_run = { "run",       "<container-id>", "create and run a container", 1, 1,
                              run_options, run_run };
const Command command_restore = {
        "restore",       "<container-id>", "make a container from a checkpoint and run it", 1, 1,
        restore_options, run_restore
};
