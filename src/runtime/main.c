/* main.c: brig-runtime: runc's command line over the runtime library, so that dockerd, containerd,
 * podman and CRI-O can use it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/build-info.h"
#include "base/clock.h"
#include "base/fd.h"
#include "runtime/cli.h"
#include "runtime/seccomp.h"

#define DEFAULT_ROOT "/run/brig-runtime"

static const CommandOption global_options[] = {
        { "root", 0, OPTION_TEXT, offsetof(Options, root),
          "directory of the containers' state (default: " DEFAULT_ROOT ")" },
        { "log", 0, OPTION_TEXT, offsetof(Options, log), "file for errors, beside standard error" },
        { "log-format", 0, OPTION_TEXT, offsetof(Options, log_format), "text or json" },
        { "debug", 0, OPTION_FLAG, offsetof(Options, debug),
          "tell what is done, in the log or on standard error" },
        { "systemd-cgroup", 0, OPTION_FLAG, offsetof(Options, systemd_cgroup),
          "let systemd make a scope: linux.cgroupsPath is SLICE:PREFIX:NAME" },
        { "rootless", 0, OPTION_TEXT, offsetof(Options, rootless_word),
          "accepted: auto or false; true is refused" },
        { "criu", 0, OPTION_TEXT, offsetof(Options, criu),
          "criu, for checkpoint and restore (default: the one in PATH)" },
        { "version", 'v', OPTION_FLAG, offsetof(Options, version), "print the version" },
        {},
};

static const Command *const commands[] = {
        &command_create,     &command_delete,  &command_exec,   &command_kill,   &command_list,
        &command_pause,      &command_ps,      &command_resume, &command_run,    &command_spec,
        &command_start,      &command_state,   &command_update, &command_events, &command_features,
        &command_checkpoint, &command_restore,
};

/* What it was called by: tools that expect runc call it so. */
static const char *name_of(const char *path) {
        const char *slash = path ? strrchr(path, '/') : NULL;

        return slash ? slash + 1 : path ?: "brig-runtime";
}

static void print_version(const char *program) {
        (void)printf("%s version %s\ncommit: %s\nspec: %s\n", name_of(program), BRIG_VERSION,
                     build_info.commit, SPEC_VERSION);
}

static void print_help(const char *program) {
        (void)printf("NAME:\n   %s - Open Container Initiative runtime\n\nUSAGE:\n   %s [options] "
                     "command [options] [arguments]\n\nCOMMANDS:\n",
                     name_of(program), name_of(program));
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                (void)printf("   %-10s %s\n", commands[i]->name, commands[i]->help);
        (void)puts("\nOPTIONS:");
        options_print(global_options);
}

static void print_command_help(const char *program, const Command *command) {
        (void)printf("NAME:\n   %s %s - %s\n\nUSAGE:\n   %s %s [options] %s\n\nOPTIONS:\n",
                     name_of(program), command->name, command->help, name_of(program),
                     command->name, command->arguments);
        options_print(command->options);
}

/* Callers (containerd, dockerd) read the reason from the log's last line. */
static void log_to_file(const Options *options, const char *level, const char *message) {
        _cleanup_close_ int fd = options->log
                                         ? openat(AT_FDCWD, options->log,
                                                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
                                         : -1;
        bool json = str_equal(options->log_format, "json");
        char when[CLOCK_TEXT_MAX];
        _cleanup_buf_ Buf line = {};

        if (options->log && fd < 0)
                return;
        (void)clock_format(clock_now(), when);
        buf_format(&line, json ? "{\"level\":\"%s\",\"msg\":" : "level=%s msg=", level);
        json_add_quoted(&line, message);
        buf_format(&line, json ? ",\"time\":\"%s\"}\n" : " time=\"%s\"\n", when);
        /* Nobody else could be told that it cannot be told. */
        (void)fd_write_full(fd >= 0 ? fd : STDERR_FILENO, line.data, line.length);
}

void log_line(const Options *options, const char *level, const char *message) {
        if (options->debug || !str_equal(level, "debug"))
                log_to_file(options, level, message);
}

static int fail(const Options *options, const char *command, const Error *err) {
        _cleanup_free_ char *message =
                command ? str_format("brig-runtime %s failed: %s", command, err->message)
                        : str_copy(err->message);

        (void)fprintf(stderr, "%s\n", message);
        if (options->log) /* it is on standard error already */
                log_to_file(options, "error", message);
        return str_equal(command, "exec") ? 255 : 1;
}

static const Command *find_command(const char *name, Error *err) {
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (str_equal(commands[i]->name, name))
                        return commands[i];
        (void)error_kind(err, ERROR_INVALID,
                         "No help topic for '%s': no such command, see brig-runtime --help", name);
        return NULL;
}

static int check_globals(const Options *options, Error *err) {
        if (str_equal(options->rootless_word, "true"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "--rootless=true is not done: run as root");
        if (options->log_format && !str_equal(options->log_format, "text") &&
            !str_equal(options->log_format, "json"))
                return error_kind(err, ERROR_INVALID, "--log-format '%s': text and json are known",
                                  options->log_format);
        return 0;
}

/* Options may follow the words, but for exec and ps, whose words are a program's. */
static int parse_words(const Command *command, char **words, Options *options, char ***ret_rest,
                       Error *err) {
        char **from = words, **to;
        int r = options_parse(command->options, from, options, &from, err);

        if (r < 0 || command == &command_exec || command == &command_ps) {
                *ret_rest = from;
                return r;
        }
        /* In an array of its own: the program may have to be executed again with what it was given.
         */
        to = options->words = NEW_ARRAY(char *, strv_length(words) + 1);
        while (r == 0 && *from) {
                *to++ = *from++;
                if (from - 2 >= words && str_equal(from[-2], "--"))
                        while (*from)
                                *to++ = *from++;
                r = options_parse(command->options, from, options, &from, err);
        }
        *ret_rest = options->words;
        return r;
}

static int run_command(const Command *command, char **argv, char **words, Options *options,
                       Error *err) {
        int count, r = parse_words(command, words, options, &words, err);

        if (r < 0)
                return r;
        if (options->help) {
                print_command_help(argv[0], command);
                return 0;
        }
        count = (int)strv_length(words);
        if (count < command->minimum || (command->maximum >= 0 && count > command->maximum))
                return error_kind(err, ERROR_INVALID, "\"%s\" requires %s: brig-runtime %s %s",
                                  command->name,
                                  command->minimum == command->maximum ? "exactly its arguments"
                                                                       : "other arguments",
                                  command->name, command->arguments);
        if (command == &command_create || command == &command_run || command == &command_exec ||
            command == &command_restore)
                r = runtime_protect_program(argv, err);
        return r < 0 ? r : command->run(options, words, err);
}

int main(int argc, char **argv) {
        Options options = { .root = DEFAULT_ROOT };
        const Command *command = NULL;
        Error err = {};
        char **words = argv;
        int r;

        (void)argc;
        if (seccomp_compiler_is_meant(argv))
                return seccomp_compiler_run();
        r = options_parse(global_options, argv + 1, &options, &words, &err);
        /* A parent's that ignores it is inherited, and then no child's end can be learnt. */
        (void)signal(SIGCHLD, SIG_DFL);
        if (r == 0)
                r = check_globals(&options, &err);
        if (r == 0 && options.version) {
                print_version(argv[0]);
                return 0;
        }
        if (r == 0 && (options.help || !words[0] || str_equal(words[0], "help"))) {
                print_help(argv[0]);
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
