/* command-exec.c: exec: another process in a running container, from a document or from words. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/cli.h"
#include "runtime/private.h"
#include "runtime/seccomp.h"

#define PROCESS_MAX (1 << 20)

static const CommandOption exec_options[] = {
        { "process", 'p', OPTION_TEXT, offsetof(Options, process),
          "file with an OCI process document" },
        { "tty", 't', OPTION_FLAG, offsetof(Options, tty), "give the process a terminal" },
        { "cwd", 0, OPTION_TEXT, offsetof(Options, cwd), "working directory" },
        { "env", 'e', OPTION_LIST, offsetof(Options, env), "environment variable NAME=value" },
        { "user", 'u', OPTION_TEXT, offsetof(Options, user), "uid[:gid]" },
        { "additional-gids", 'g', OPTION_LIST, offsetof(Options, additional_gids),
          "additional group" },
        { "cap", 'c', OPTION_LIST, offsetof(Options, caps), "capability to add" },
        { "no-new-privs", 0, OPTION_FLAG, offsetof(Options, no_new_privs),
          "forbid gaining privileges" },
        { "detach", 'd', OPTION_FLAG, offsetof(Options, detach), "return once the program runs" },
        { "pid-file", 0, OPTION_TEXT, offsetof(Options, pid_file), "file for the process number" },
        { "console-socket", 0, OPTION_TEXT, offsetof(Options, console_socket),
          "Unix socket that receives the terminal" },
        { "preserve-fds", 0, OPTION_NUMBER, offsetof(Options, preserve_fds),
          "pass on so many descriptors after 2" },
        { "cgroup", 0, OPTION_LIST, offsetof(Options, cgroups),
          "[controllers:]path of a group below the container's, to run in" },
        { "ignore-paused", 0, OPTION_FLAG, offsetof(Options, ignore_paused),
          "run in a paused container, too, as soon as it is resumed" },
        { "apparmor", 0, OPTION_TEXT, offsetof(Options, apparmor), "AppArmor profile" },
        { "process-label", 0, OPTION_TEXT, offsetof(Options, process_label),
          "refused: SELinux is not done" },
        {},
};

/* Strictly numbers: a name that cannot be read must not become 0. */
static int parse_user(const char *text, OciUser *user, Error *err) {
        _cleanup_strv_ char **parts = str_split(text, ':');
        int uid, gid = 0;

        if (strv_length(parts) > 2 || str_to_int_in(parts[0], 0, INT32_MAX, &uid) < 0 ||
            (parts[1] && str_to_int_in(parts[1], 0, INT32_MAX, &gid) < 0))
                return error_kind(err, ERROR_INVALID,
                                  "--user '%s': must be uid or uid:gid, in numbers", text);
        user->uid = uid;
        if (parts[1])
                user->gid = gid;
        return 0;
}

static int add_groups(char *const *texts, OciUser *user, Error *err) {
        for (; texts && *texts; texts++) {
                int64_t number, *items;

                if (str_to_int64(*texts, &number) < 0 || number < 0 || number > UINT32_MAX)
                        return error_kind(err, ERROR_INVALID,
                                          "--additional-gids '%s': is not a number of a group",
                                          *texts);
                items = alloc_resize(user->additional_gids.items, user->additional_gids.count + 1,
                                     sizeof(*items));
                items[user->additional_gids.count++] = number;
                user->additional_gids.items = items;
        }
        return 0;
}

static void add_capabilities(char *const *names, OciProcess *process) {
        OciCapabilities *sets =
                process->capabilities ?: (process->capabilities = NEW(OciCapabilities));

        for (; names && *names; names++) {
                strv_add(&sets->bounding, *names);
                strv_add(&sets->effective, *names);
                strv_add(&sets->permitted, *names);
        }
}

/* The container's own process, changed as the options say. */
static int from_words(const Options *options, const OciConfig *config, char **words,
                      OciProcess *ret, Error *err) {
        int r = 0;

        json_copy(&oci_process_table, config->process, ret);
        ret->args = (strv_freep(&ret->args), strv_copy(words));
        ret->terminal = options->tty;
        if (options->cwd)
                str_replace(&ret->cwd, options->cwd);
        for (char **pair = options->env; pair && *pair; pair++) {
                const char *equals = strchr(*pair, '=');
                _cleanup_free_ char *name =
                        equals ? str_copy_n(*pair, (size_t)(equals - *pair)) : NULL;

                if (!equals)
                        return error_kind(err, ERROR_INVALID, "--env '%s': must be NAME=value",
                                          *pair);
                env_put(&ret->env, name, equals + 1);
        }
        if (options->no_new_privs)
                ret->no_new_privileges = true;
        if (options->apparmor)
                str_replace(&ret->apparmor_profile, options->apparmor);
        if (options->process_label)
                str_replace(&ret->selinux_label, options->process_label);
        if (options->user)
                r = parse_user(options->user, &ret->user, err);
        if (r == 0)
                r = add_groups(options->additional_gids, &ret->user, err);
        if (r == 0 && options->caps)
                add_capabilities(options->caps, ret);
        return r;
}

static int read_process(const Options *options, const OciConfig *config, char **words,
                        OciProcess *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r;

        if (!options->process && !words[0])
                return error_kind(err, ERROR_INVALID,
                                  "exec args cannot be empty: name a program, or give --process");
        if (!options->process)
                return from_words(options, config, words, ret, err);
        r = file_read_at(AT_FDCWD, options->process, PROCESS_MAX, &text, &length, err);
        if (r == 0)
                r = json_parse(&oci_process_table, text, length, ret, err);
        return r < 0 ? error_prefix(err, "%s", options->process) : 0;
}

static int exec(const Options *options, const OciConfig *config, const Record *record,
                const OciProcess *process, Error *err) {
        _cleanup_close_ int console_fd = -1, master_fd = -1, pidfd = -1;
        ProcessIo io = { .stdin_fd = 0, .stdout_fd = 1, .stderr_fd = 2, .console_socket = -1 };
        HookState now = { .id = record->id,
                          .status = "running",
                          .bundle = record->bundle,
                          .pid = (pid_t)record->pid,
                          .annotations = &record->annotations,
                          .version = record->version };
        _cleanup_free_ char *state = NULL;
        SeccompProgram seccomp = {};
        pid_t pid = -1;
        int r = check_preserved(options, &io.listen_fds, err);

        if (r == 0 && process->terminal && options->detach && !options->console_socket)
                r = error_kind(err, ERROR_INVALID,
                               "cannot allocate tty if detached without setting console socket");
        if (r == 0 && options->console_socket)
                r = connect_console(options->console_socket, &console_fd, err);
        if (r == 0)
                r = config_compile_seccomp(options, config, &seccomp, err);
        if (r == 0 && !options->detach)
                r = foreground_prepare();
        io.subgroups = options->cgroups;
        io.state = state = hook_state_text(&now);
        log_line(options, "debug", "nsexec container setup");
        io.console_socket = console_fd;
        io.ret_console = options->detach ? NULL : &master_fd;
        if (r == 0)
                r = container_exec(process, (pid_t)record->pid, record->cgroup, &seccomp, &io, true,
                                   &pid, &pidfd, err);
        seccomp_program_done(&seccomp);
        if (r == 0) {
                log_line(options, "debug", "child process in init()");
                log_line(options, "debug", "setns_init: about to exec");
        }
        if (r == 0 && options->pid_file)
                r = write_pid_file(options->pid_file, pid, err);
        return r < 0 || options->detach ? r : foreground_wait(pidfd, master_fd, err);
}

static int run_exec(const Options *options, char **words, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        ContainerStatus status = STATUS_STOPPED;
        Record record = {};
        OciConfig config = {};
        OciProcess process = {};
        int r = record_load(options, words[0], &record, &dir_fd, &pidfd, &status, err);

        if (r == 0 && status == STATUS_STOPPED)
                r = error_kind(err, ERROR_CONFLICT, "cannot exec in a stopped container");
        else if (r == 0 && status == STATUS_PAUSED && !options->ignore_paused)
                r = error_kind(err, ERROR_CONFLICT,
                               "cannot exec in a paused container: resume it first");
        if (r == 0)
                r = config_read(dir_fd, CONFIG_FILE, &config, NULL, err);
        if (r == 0)
                r = read_process(options, &config, words + 1, &process, err);
        if (r == 0)
                r = exec(options, &config, &record, &process, err);
        json_done(&oci_process_table, &process);
        json_done(&oci_config_table, &config);
        record_done(&record);
        return r;
}

const Command command_exec = { "exec",
                               "<container-id> [command [argument...]]",
                               "run another process in a container",
                               1,
                               -1,
                               exec_options,
                               run_exec };
