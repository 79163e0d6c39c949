/* main.c: the program brig (or docker, if called so): global options, the words that lead to a
 * command, and how errors end. Commands are in files of their own. */
#include <errno.h>
#include <signal.h>

#include "base/build-info.h"
#include "cli/commands.h"
#include "cli/config.h"

#define EXIT_USAGE 125

static const Option global_rows[] = {
        { "config", 0, OPTION_STRING, offsetof(Cli, config_dir), "Where config.json is", NULL,
          "\"~/.docker\"" },
        { "context", 'c', OPTION_STRING, offsetof(Cli, context),
          "Name of the context, in place of DOCKER_CONTEXT and the one of \"context use\"" },
        { "debug", 'D', OPTION_BOOL, offsetof(Cli, debug), "Show the calls to the daemon" },
        { "host", 'H', OPTION_LIST, offsetof(Cli, hosts), "Daemon to connect to" },
        { "log-level", 'l', OPTION_STRING, offsetof(Cli, log_level),
          "Which messages to show (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")", NULL,
          "\"info\"" },
        { "tls", 0, OPTION_BOOL, offsetof(Cli, tls), "Use TLS; implied by --tlsverify" },
        { "tlscacert", 0, OPTION_STRING, offsetof(Cli, tls_ca), "Authority to trust", NULL,
          "\"~/.docker/ca.pem\"" },
        { "tlscert", 0, OPTION_STRING, offsetof(Cli, tls_cert), "Certificate to show", NULL,
          "\"~/.docker/cert.pem\"" },
        { "tlskey", 0, OPTION_STRING, offsetof(Cli, tls_key), "Its key", NULL,
          "\"~/.docker/key.pem\"" },
        { "tlsverify", 0, OPTION_BOOL, offsetof(Cli, tls_verify), "Use TLS and verify the daemon" },
        { "version", 'v', OPTION_BOOL, offsetof(Cli, version), "Print the version and quit" },
};

const OptionTable global_option_table = { global_rows, ELEMENTS(global_rows), sizeof(Cli) };

/* ---- errors ---- */

void cli_hint(const Cli *cli, const char *message) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "%s: %s\n\nRun '%s --help' for more information\n", cli->program,
                      message, cli->path);
}

static int usage_error(const Cli *cli, const Command *command, const char *message) {
        (void)fprintf(stderr, "%s\n\nUsage:  %s %s\n\nRun '%s --help' for more information\n",
                      message, cli->path,
                      command ? command->arguments : "[OPTIONS] COMMAND [ARG...]", cli->path);
        return EXIT_USAGE;
}

static const char *plural(int count) {
        return count == 1 ? "" : "s";
}

static int check_count(const Cli *cli, const Command *command, size_t count) {
        int least = command->least, most = command->most;
        char words[128];

        if (count >= (size_t)least && (most < 0 || count <= (size_t)most))
                return 0;
        if (most == 0)
                (void)snprintf(words, sizeof(words), "accepts no arguments");
        else if (most == least)
                (void)snprintf(words, sizeof(words), "requires %d argument%s", least,
                               plural(least));
        else if (most < 0)
                (void)snprintf(words, sizeof(words), "requires at least %d argument%s", least,
                               plural(least));
        else if (count > (size_t)most && least == 0)
                (void)snprintf(words, sizeof(words), "requires at most %d argument%s", most,
                               plural(most));
        else
                (void)snprintf(words, sizeof(words),
                               "requires at least %d and at most %d arguments", least, most);
        (void)fprintf(stderr,
                      "%s: '%s' %s\n\nUsage:  %s %s\n\n"
                      "%s '%s --help' for more information\n",
                      cli->program, cli->path, words, cli->path, command->arguments,
                      command->flags & COMMAND_FIRST ? "See" : "Run", cli->path);
        return 1;
}

/* The message of an error that a command returned, and the exit code. */
static int end_with(const Cli *cli, const Command *command, const Error *err) {
        if (command->flags & COMMAND_RUNS) {
                cli_hint(cli, err->message);
                return EXIT_USAGE;
        }
        return cli_complain(err);
}

/* ---- running a command ---- */

static int run_command_row(Cli *cli, const Command *command, char **words) {
        const OptionTable *table = command->shared ?: &command->table;
        Options options = { .values = alloc_zero(1, MAX(table->size, (size_t)1)) };
        Error err = {};
        int r;

        r = options_parse(table, words, !(command->flags & COMMAND_FIRST), &options, &err);
        if (r < 0 && err.kind == ERROR_UNSUPPORTED) {
                (void)fprintf(stderr, "%s: %s\n", cli->program, err.message);
                r = command->flags & COMMAND_RUNS ? EXIT_USAGE : 1;
        } else if (r < 0) {
                r = usage_error(cli, command, err.message);
        } else if (options.help) {
                help_command(cli, command, stdout);
        } else {
                r = check_count(cli, command, options.count);
                if (r == 0)
                        r = command->run(cli, &options, &err);
                if (r < 0)
                        r = end_with(cli, command, &err);
        }
        options_done(&options);
        free(options.values);
        return r;
}

/* ---- finding it ---- */

static const Entry *find_entry(const Group *group, const char *name) {
        for (size_t i = 0; i < group->count; i++)
                if (str_equal(group->entries[i].name, name))
                        return &group->entries[i];
        return NULL;
}

static const char *nearest_entry(const Group *group, const char *name) {
        const char *best = NULL;
        unsigned distance = 3;

        for (size_t i = 0; i < group->count; i++) {
                unsigned d = str_distance(group->entries[i].name, name);

                if (d < distance && (2 * d <= strlen(name) || *group->entries[i].name == *name)) {
                        best = group->entries[i].name;
                        distance = d;
                }
        }
        return best;
}

static int unknown_command(const Cli *cli, const Group *group, const char *name) {
        const char *near = nearest_entry(group, name);

        (void)fprintf(stderr, "%s: unknown command: %s %s\n", cli->program, cli->path, name);
        if (near)
                (void)fprintf(stderr, "\nDid you mean '%s %s'?\n", cli->path, near);
        if (group != &root_group)
                (void)fprintf(stderr, "\nUsage:  %s\n", cli->path);
        (void)fprintf(stderr, "\nRun '%s --help' for more information\n", cli->path);
        return 1;
}

static int not_done(const Cli *cli, const Entry *entry) {
        (void)fprintf(stderr,
                      "%s: '%s %s' is not done yet: another client of the same daemon may have "
                      "it\n",
                      cli->program, cli->path, entry->name);
        return 1;
}

static void extend_path(Cli *cli, const char *word) {
        char *path = str_format("%s %s", cli->path, word);

        free(cli->path);
        cli->path = path;
}

/* "--help" or "-h" anywhere among a group's words. */
static bool asks_for_help(const char *word) {
        return str_equal(word, "--help") || str_equal(word, "-h");
}

static int dispatch(Cli *cli, const Group *group, char **words) {
        const Entry *entry;

        if (!words[0] || asks_for_help(words[0])) {
                if (group == &root_group)
                        help_root(cli, words[0] ? stdout : stderr);
                else
                        help_group(cli, group, words[0] ? stdout : stderr);
                return 0;
        }
        if (words[0][0] == '-') {
                _cleanup_free_ char *message = str_format("unknown flag: %s", words[0]);

                return usage_error(cli, NULL, message);
        }
        entry = find_entry(group, words[0]);
        if (!entry)
                return unknown_command(cli, group, words[0]);
        if (!entry->command && !entry->group)
                return not_done(cli, entry);
        extend_path(cli, entry->name);
        return entry->group ? dispatch(cli, entry->group, words + 1)
                            : run_command_row(cli, entry->command, words + 1);
}

/* "brig help container ls": the words lead to what --help would show. */
static int run_help(Cli *cli, char **words) {
        const Group *group = &root_group;
        const Entry *entry = NULL;

        for (; *words; words++) {
                entry = group ? find_entry(group, *words) : NULL;
                if (!entry) {
                        (void)fprintf(stderr, "unknown help topic: %s\n", *words);
                        return 1;
                }
                if (!entry->command && !entry->group)
                        return not_done(cli, entry);
                extend_path(cli, *words);
                group = entry->group;
        }
        if (!entry)
                help_root(cli, stdout);
        else if (entry->group)
                help_group(cli, entry->group, stdout);
        else
                help_command(cli, entry->command, stdout);
        return 0;
}

static int run_words(Cli *cli, char **words) {
        Error err = {};

        if (str_equal(words[0], "help"))
                return run_help(cli, words + 1);
        if (str_equal(words[0], "__complete")) {
                complete(cli, words + 1);
                return 0;
        }
        if (str_equal(words[0], "__manual") && words[1])
                return manual_write(cli, words[1], &err) < 0 ? cli_complain(&err) : 0;
        return dispatch(cli, &root_group, words);
}

static int set_log_level(const Cli *cli) {
        static const char *const levels[] = { "debug", "info",  "warn", "error",
                                              "fatal", "panic", "trace" };

        for (size_t i = 0; i < ELEMENTS(levels); i++)
                if (str_equal(cli->log_level, levels[i]))
                        return 0;
        (void)fprintf(stderr, "unable to parse logging level: %s\n", cli->log_level);
        return 1;
}

static int run_program(Cli *cli, char **words) {
        Options options = { .values = cli };
        Error err = {};
        int r = options_parse(&global_option_table, words, false, &options, &err);

        if (r < 0)
                r = usage_error(cli, NULL, err.message);
        else if (options.help)
                help_root(cli, stdout);
        else if (cli->version)
                (void)printf("%s version " BRIG_VERSION ", build %s\n",
                             str_equal(cli->program, "docker") ? "Docker" : "brig",
                             *build_info.commit ? build_info.commit : "unknown");
        else if (cli->log_level && set_log_level(cli))
                r = 1;
        else
                r = run_words(cli, options.arguments);
        options_done(&options);
        return r;
}

int main(int argc, char **argv) {
        const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
        const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "brig";
        Cli cli = { .program = str_equal(name, "docker") ? "docker" : "brig" };
        int code;

        (void)signal(SIGPIPE, SIG_DFL);
        cli.path = str_copy(cli.program);
        code = run_program(&cli, argv + (argc > 0));
        cli_disconnect(&cli);
        (void)json_object_put(cli.config);
        free(cli.api);
        free(cli.path);
        if (fflush(stdout) != 0 && code == 0) {
                (void)fprintf(stderr, "%s: write to standard output: %s\n", cli.program,
                              strerror(errno));
                code = 1;
        }
        return code;
}
