/* containers.c: the commands that are one call a container: stop, restart, kill, rm, pause,
 * unpause, wait, rename; and top and port. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/wait.h"

/* ---- stop, restart, kill ---- */

typedef struct StopOptions {
        char *signal;
        int64_t timeout, old_timeout;
} StopOptions;

static const Option stop_rows[] = {
        { "signal", 's', OPTION_STRING, offsetof(StopOptions, signal), "Signal to send" },
        { "time", 0, OPTION_INT, offsetof(StopOptions, timeout), "Seconds to wait", NULL, NULL,
          OPTION_HIDDEN },
        { "timeout", 't', OPTION_INT, offsetof(StopOptions, timeout),
          "Seconds to wait before it is killed" },
};

static int post_stop(Cli *cli, const Options *options, const char *name, const char *verb,
                     Error *err) {
        const StopOptions *o = options->values;
        _cleanup_free_ char *base = path_format("/containers/%s/", name);
        _cleanup_free_ char *path = str_format("%s%s", base, verb);
        _cleanup_free_ char *seconds = str_format("%lld", (long long)o->timeout);

        if (o->signal)
                path_query(&path, "signal", o->signal);
        if (options_given(options, "timeout") || options_given(options, "time"))
                path_query(&path, "t", seconds);
        return api_do(cli, "POST", path, err);
}

static int stop_one(Cli *cli, const Options *options, const char *name, Error *err) {
        return post_stop(cli, options, name, "stop", err);
}

static int restart_one(Cli *cli, const Options *options, const char *name, Error *err) {
        return post_stop(cli, options, name, "restart", err);
}

static int run_stop(Cli *cli, const Options *options, Error *err) {
        return for_each_argument(cli, options, stop_one);
}

static int run_restart(Cli *cli, const Options *options, Error *err) {
        return for_each_argument(cli, options, restart_one);
}

const Command stop_command = { "[OPTIONS] CONTAINER [CONTAINER...]",
                               "Stop one or more running containers",
                               { stop_rows, ELEMENTS(stop_rows), sizeof(StopOptions) },
                               run_stop,
                               1,
                               -1 };
const Command restart_command = { "[OPTIONS] CONTAINER [CONTAINER...]",
                                  "Restart one or more containers",
                                  { stop_rows, ELEMENTS(stop_rows), sizeof(StopOptions) },
                                  run_restart,
                                  1,
                                  -1 };

static const Option kill_rows[] = {
        { "signal", 's', OPTION_STRING, offsetof(StopOptions, signal), "Signal to send" },
};

static int kill_one(Cli *cli, const Options *options, const char *name, Error *err) {
        const StopOptions *o = options->values;
        _cleanup_free_ char *path = path_format("/containers/%s/kill", name);

        if (!str_empty(o->signal))
                path_query(&path, "signal", o->signal);
        return api_do(cli, "POST", path, err);
}

static int run_kill(Cli *cli, const Options *options, Error *err) {
        return for_each_argument(cli, options, kill_one);
}

const Command kill_command = { "[OPTIONS] CONTAINER [CONTAINER...]",
                               "Kill one or more running containers",
                               { kill_rows, ELEMENTS(kill_rows), sizeof(StopOptions) },
                               run_kill,
                               1,
                               -1 };

/* ---- rm ---- */

typedef struct RmOptions {
        bool force, link, volumes;
} RmOptions;

static const Option rm_rows[] = {
        { "force", 'f', OPTION_BOOL, offsetof(RmOptions, force), "Kill it first if it runs" },
        { "link", 'l', OPTION_BOOL, offsetof(RmOptions, link), "Remove that link" },
        { "volumes", 'v', OPTION_BOOL, offsetof(RmOptions, volumes),
          "Remove its anonymous volumes" },
};

static int rm_one(Cli *cli, const Options *options, const char *name, Error *err) {
        const RmOptions *o = options->values;
        const char *trimmed = name + strspn(name, "/");
        _cleanup_free_ char *path = path_format("/containers/%s", trimmed);

        if (!*trimmed)
                return error_kind(err, ERROR_INVALID, "Container name cannot be empty");
        if (o->force)
                path_query(&path, "force", "1");
        if (o->link)
                path_query(&path, "link", "1");
        if (o->volumes)
                path_query(&path, "v", "1");
        return api_do(cli, "DELETE", path, err);
}

static int run_rm(Cli *cli, const Options *options, Error *err) {
        const RmOptions *o = options->values;
        int code = 0;

        for (size_t i = 0; i < options->count; i++) {
                const char *name = options->arguments[i];
                Error why = {};

                if (rm_one(cli, options, name, &why) == 0) {
                        (void)printf("%s\n", name);
                        continue;
                }
                (void)cli_complain(&why);
                if (!o->force || why.kind != ERROR_NOT_FOUND)
                        code = 1;
        }
        return code;
}

const Command rm_command = { "[OPTIONS] CONTAINER [CONTAINER...]",
                             "Remove one or more containers",
                             { rm_rows, ELEMENTS(rm_rows), sizeof(RmOptions) },
                             run_rm,
                             1,
                             -1 };

/* ---- pause, unpause, wait, rename ---- */

static int pause_one(Cli *cli, const Options *options, const char *name, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/pause", name);

        return api_do(cli, "POST", path, err);
}

static int unpause_one(Cli *cli, const Options *options, const char *name, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/unpause", name);

        return api_do(cli, "POST", path, err);
}

static int run_pause(Cli *cli, const Options *options, Error *err) {
        return for_each_argument(cli, options, pause_one);
}

static int run_unpause(Cli *cli, const Options *options, Error *err) {
        return for_each_argument(cli, options, unpause_one);
}

const Command pause_command = { "CONTAINER [CONTAINER...]",
                                "Pause all processes of one or more containers",
                                {},
                                run_pause,
                                1,
                                -1 };
const Command unpause_command = {
        "CONTAINER [CONTAINER...]", "Let paused containers run on", {}, run_unpause, 1, -1
};

static int wait_for_one(Cli *cli, const char *name, Error *err) {
        _cleanup_waiting_ Waiting waiting;
        int r = waiting_open(&waiting, cli, name, "not-running", err);

        if (r == 0)
                r = waiting_end(&waiting, -1, err);
        if (r == 0)
                (void)printf("%lld\n", (long long)json_number(waiting.answer, "StatusCode"));
        return r;
}

static int run_wait(Cli *cli, const Options *options, Error *err) {
        int code = 0;

        for (size_t i = 0; i < options->count; i++) {
                Error why = {};

                if (wait_for_one(cli, options->arguments[i], &why) < 0)
                        code = cli_complain(&why);
                (void)fflush(stdout);
        }
        return code;
}

const Command wait_command = { "CONTAINER [CONTAINER...]",
                               "Wait until containers stop, then print their exit codes",
                               {},
                               run_wait,
                               1,
                               -1 };

static int run_rename(Cli *cli, const Options *options, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/rename", options->arguments[0]);

        path_query(&path, "name", options->arguments[1]);
        if (api_do(cli, "POST", path, err) == 0)
                return 0;
        (void)cli_complain(err);
        (void)fprintf(stderr, "Error: failed to rename container named %s\n",
                      options->arguments[0]);
        return 1;
}

const Command rename_command = { "CONTAINER NEW_NAME", "Rename a container", {}, run_rename, 2, 2 };

/* ---- top ---- */

static void add_cells(Buf *out, json_object *cells) {
        size_t count =
                json_object_is_type(cells, json_type_array) ? json_object_array_length(cells) : 0;

        for (size_t i = 0; i < count; i++)
                buf_format(out, "%s%s",
                           json_object_get_string(json_object_array_get_idx(cells, i)) ?: "",
                           i + 1 < count ? "\t" : "\n");
}

static int run_top(Cli *cli, const Options *options, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/top", options->arguments[0]);
        _cleanup_free_ char *words = NULL;
        _cleanup_json_ json_object *answer = NULL;
        _cleanup_buf_ Buf out = {};
        json_object *processes;
        int r;

        if (options->count > 1) {
                words = strv_join(options->arguments + 1, " ");
                path_query(&path, "ps_args", words);
        }
        r = api_json(cli, "GET", path, NULL, &answer, err);
        if (r < 0)
                return r;
        add_cells(&out, json_member(answer, "Titles"));
        processes = json_member(answer, "Processes");
        for (size_t i = 0; json_object_is_type(processes, json_type_array) &&
                           i < json_object_array_length(processes);
             i++)
                add_cells(&out, json_object_array_get_idx(processes, i));
        table_print(out.data ?: "", 20, 3, stdout);
        return 0;
}

const Command top_command = { "CONTAINER [ps OPTIONS]",
                              "Show the processes of a container",
                              {},
                              run_top,
                              1,
                              -1,
                              COMMAND_FIRST };

/* ---- port ---- */

static void add_bindings(char ***lines, const char *port, json_object *bindings, bool named) {
        for (size_t i = 0; json_object_is_type(bindings, json_type_array) &&
                           i < json_object_array_length(bindings);
             i++) {
                json_object *binding = json_object_array_get_idx(bindings, i);
                const char *ip = json_words(binding, "HostIp");
                bool six = strchr(ip, ':') != NULL;

                strv_format(lines, "%s%s%s%s%s:%s", named ? port : "", named ? " -> " : "",
                            six ? "[" : "", ip, six ? "]" : "", json_words(binding, "HostPort"));
        }
}

/* By the port's number, then as texts. */
static int compare_lines(const void *a, const void *b) {
        const char *x = *(char *const *)a, *y = *(char *const *)b;
        long i = strtol(x, NULL, 10), j = strtol(y, NULL, 10);

        return i != j ? (i > j) - (i < j) : strcmp(x, y);
}

static int print_port(json_object *ports, const char *container, const char *wanted, Error *err) {
        _cleanup_free_ char *port = str_format("%s%s", wanted, strchr(wanted, '/') ? "" : "/tcp");
        _cleanup_strv_ char **lines = NULL;

        add_bindings(&lines, port, json_member(ports, port), false);
        if (!lines)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "Error: No public port '%s' published for %s", wanted, container);
        for (char **line = lines; *line; line++)
                (void)printf("%s\n", *line);
        return 0;
}

static int run_port(Cli *cli, const Options *options, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/json", options->arguments[0]);
        _cleanup_json_ json_object *answer = NULL;
        _cleanup_strv_ char **lines = NULL;
        json_object *ports;
        int r = api_json(cli, "GET", path, NULL, &answer, err);

        if (r < 0)
                return r;
        ports = json_member(json_member(answer, "NetworkSettings"), "Ports");
        if (options->count > 1)
                return print_port(ports, options->arguments[0], options->arguments[1], err);
        if (!json_object_is_type(ports, json_type_object))
                return 0;
        json_object_object_foreach(ports, port, bindings)
                add_bindings(&lines, port, bindings, true);
        if (lines)
                qsort(lines, strv_length(lines), sizeof(*lines), compare_lines);
        for (char **line = lines; line && *line; line++)
                (void)printf("%s\n", *line);
        return 0;
}

const Command port_command = { "CONTAINER [PRIVATE_PORT[/PROTO]]",
                               "List the published ports of a container",
                               {},
                               run_port,
                               1,
                               2 };
