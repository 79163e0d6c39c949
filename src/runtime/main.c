/* main.c: brig-runtime: runc's command line over the runtime library, so that dockerd, containerd,
 * podman and CRI-O can use it. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/cli.h"

#define DEFAULT_ROOT "/run/brig-runtime"
#define SPEC_VERSION "1.2.0"

static const CommandOption global_options[] = {
        { "root", 0, OPTION_TEXT, offsetof(Options, root),
          "directory of the containers' state (default: " DEFAULT_ROOT ")" },
        { "log", 0, OPTION_TEXT, offsetof(Options, log), "file for errors, beside standard error" },
        { "log-format", 0, OPTION_TEXT, offsetof(Options, log_format), "text or json" },
        { "debug", 0, OPTION_FLAG, offsetof(Options, debug), "accepted: there is no debug output" },
        { "systemd-cgroup", 0, OPTION_FLAG, offsetof(Options, systemd_cgroup),
          "refused: control groups are made directly" },
        { "rootless", 0, OPTION_TEXT, offsetof(Options, rootless_word),
          "accepted: auto or false; true is refused" },
        { "criu", 0, OPTION_TEXT, offsetof(Options, criu), "accepted and unused" },
        { "version", 'v', OPTION_FLAG, offsetof(Options, version), "print the version" },
        {},
};

static const Command *const commands[] = {
        &command_create, &command_delete, &command_exec,  &command_kill,
        &command_list,   &command_pause,  &command_ps,    &command_resume,
        &command_run,    &command_spec,   &command_start, &command_state,
};

/* runc's other commands. */
static const char *const refused[] = { "checkpoint", "restore", "update", "events", "features" };

static void print_version(void) {
        (void)printf("brig-runtime version %s\nspec: %s\n", BRIG_VERSION, SPEC_VERSION);
}

static void print_help(void) {
        (void)puts("brig-runtime: runs containers from OCI bundles\n\nUsage: brig-runtime "
                   "[options] command [options] [arguments]\n\nCommands:");
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                (void)printf("   %-10s %s\n", commands[i]->name, commands[i]->help);
        (void)puts("\nOptions:");
        options_print(global_options);
}

static void print_command_help(const Command *command) {
        (void)printf("Usage: brig-runtime %s [options] %s\n\n%s\n\nOptions:\n", command->name,
                     command->arguments, command->help);
        options_print(command->options);
}

/* Callers (containerd, dockerd) read the reason from the log's last line. */
static void log_failure(const Options *options, const char *message) {
        _cleanup_close_ int fd = options->log
                                         ? openat(AT_FDCWD, options->log,
                                                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
                                         : -1;
        bool json = str_equal(options->log_format, "json");
        char when[CLOCK_TEXT_MAX];
        _cleanup_buf_ Buf line = {};

        if (fd < 0)
                return;
        (void)clock_format(clock_now(), when);
        buf_add_str(&line, json ? "{\"level\":\"error\",\"msg\":" : "level=error msg=");
        json_add_quoted(&line, message);
        buf_format(&line, json ? ",\"time\":\"%s\"}\n" : " time=\"%s\"\n", when);
        (void)fd_write_full(fd, line.data, line.length); /* the message is on standard error, too */
}

static int fail(const Options *options, const char *command, const Error *err) {
        _cleanup_free_ char *message =
                command ? str_format("brig-runtime %s failed: %s", command, err->message)
                        : str_copy(err->message);

        (void)fprintf(stderr, "%s\n", message);
        log_failure(options, message);
        return str_equal(command, "exec") ? 255 : 1;
}

static const Command *find_command(const char *name, Error *err) {
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (str_equal(commands[i]->name, name))
                        return commands[i];
        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (str_equal(refused[i], name)) {
                        (void)error_kind(err, ERROR_UNSUPPORTED, "the command '%s' is not done",
                                         name);
                        return NULL;
                }
        (void)error_kind(err, ERROR_INVALID, "no command '%s': see brig-runtime --help", name);
        return NULL;
}

static int check_globals(const Options *options, Error *err) {
        if (options->systemd_cgroup)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "--systemd-cgroup is not done: control groups are made directly");
        if (str_equal(options->rootless_word, "true"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "--rootless=true is not done: run as root");
        if (options->log_format && !str_equal(options->log_format, "text") &&
            !str_equal(options->log_format, "json"))
                return error_kind(err, ERROR_INVALID, "--log-format '%s': text and json are known",
                                  options->log_format);
        return 0;
}

static int run_command(const Command *command, char **argv, char **words, Options *options,
                       Error *err) {
        int count, r = options_parse(command->options, words, options, &words, err);

        if (r < 0)
                return r;
        if (options->help) {
                print_command_help(command);
                return 0;
        }
        count = (int)strv_length(words);
        if (count < command->minimum || (command->maximum >= 0 && count > command->maximum))
                return error_kind(err, ERROR_INVALID, "\"%s\" requires %s: brig-runtime %s %s",
                                  command->name,
                                  command->minimum == command->maximum ? "exactly its arguments"
                                                                       : "other arguments",
                                  command->name, command->arguments);
        if (command == &command_create || command == &command_run || command == &command_exec)
                r = runtime_protect_program(argv, err);
        return r < 0 ? r : command->run(options, words, err);
}

int main(int argc, char **argv) {
        Options options = { .root = DEFAULT_ROOT };
        const Command *command = NULL;
        Error err = {};
        char **words = argv;
        int r = options_parse(global_options, argv + 1, &options, &words, &err);

        (void)argc;
        if (r == 0)
                r = check_globals(&options, &err);
        if (r == 0 && options.version) {
                print_version();
                return 0;
        }
        if (r == 0 && (options.help || !words[0] || str_equal(words[0], "help"))) {
                print_help();
                return 0;
        }
        if (r == 0) {
                command = find_command(words[0], &err);
                r = command ? run_command(command, argv, words + 1, &options, &err) : -EINVAL;
        }
        if (r < 0)
                r = fail(&options, command ? command->name : NULL, &err);
        options_done(&options);
        return r;
}
