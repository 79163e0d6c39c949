/* exec.c: exec and attach: a process in a running container, or the container's own. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/specs.h"
#include "cli/stream.h"
#include "cli/wait.h"

/* ---- exec ---- */

typedef struct ExecOptions {
        bool detach, interactive, tty, privileged;
        char *detach_keys, *user, *workdir;
        char **env, **env_files;
} ExecOptions;

static const Option exec_rows[] = {
        { "detach", 'd', OPTION_BOOL, offsetof(ExecOptions, detach),
          "Run the command in the background" },
        { "detach-keys", 0, OPTION_STRING, offsetof(ExecOptions, detach_keys),
          "Keys that detach from the container" },
        { "env", 'e', OPTION_ENV, offsetof(ExecOptions, env), "Set environment variables" },
        { "env-file", 0, OPTION_LIST, offsetof(ExecOptions, env_files),
          "Read environment variables from a file" },
        { "interactive", 'i', OPTION_BOOL, offsetof(ExecOptions, interactive),
          "Keep STDIN open even if not attached" },
        { "privileged", 0, OPTION_BOOL, offsetof(ExecOptions, privileged),
          "Give the command every privilege" },
        { "tty", 't', OPTION_BOOL, offsetof(ExecOptions, tty), "Give it a terminal" },
        { "user", 'u', OPTION_STRING, offsetof(ExecOptions, user),
          "User (<name|uid>[:<group|gid>])" },
        { "workdir", 'w', OPTION_STRING, offsetof(ExecOptions, workdir), "Working directory" },
};

static json_object *console_size(void) {
        json_object *size;
        unsigned rows, columns;

        if (!terminal_size(STDOUT_FILENO, &rows, &columns))
                return NULL;
        size = json_object_new_array();
        (void)json_object_array_add(size, json_object_new_int64(rows));
        (void)json_object_array_add(size, json_object_new_int64(columns));
        return size;
}

static int fill_exec(Cli *cli, const ExecOptions *o, char **command, ExecConfig *config,
                     Error *err) {
        config->user = str_copy(o->user);
        config->working_dir = str_copy(o->workdir);
        config->detach_keys = str_copy(chosen_detach_keys(cli, o->detach_keys));
        config->privileged = o->privileged;
        config->tty = o->tty;
        config->attach_stdin = !o->detach && o->interactive;
        config->attach_stdout = config->attach_stderr = !o->detach;
        config->cmd = strv_copy(command);
        if (o->tty)
                config->console_size = console_size();
        return variables_read(o->env_files, o->env, true, &config->env, err);
}

static json_object *start_body(const ExecOptions *o) {
        json_object *body = json_object_new_object();
        json_object *size = o->tty && !o->detach ? console_size() : NULL;

        (void)json_object_object_add(body, "Detach", json_object_new_boolean(o->detach));
        (void)json_object_object_add(body, "Tty", json_object_new_boolean(o->tty));
        if (size)
                (void)json_object_object_add(body, "ConsoleSize", size);
        return body;
}

static int exec_exit_code(Cli *cli, const char *id, Error *err) {
        _cleanup_free_ char *path = path_format("/exec/%s/json", id);
        _cleanup_json_ json_object *info = NULL;
        int r;

        while ((r = api_json(cli, "GET", path, NULL, &info, err)) < 0 && cli_lost(err)) {
                r = cli_reconnect(cli, -1, err);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : (int)json_number(info, "ExitCode") & 0xFF;
}

static int exec_attached(Cli *cli, const ExecOptions *o, const ExecConfig *config, const char *id,
                         Error *err) {
        _cleanup_json_ json_object *body = start_body(o);
        _cleanup_free_ char *path = path_format("/exec/%s/start", id);
        _cleanup_stream_ Stream stream;
        int r;

        stream_init(&stream, cli, o->tty);
        stream.with_stdin = config->attach_stdin;
        stream.with_stdout = stream.with_stderr = true;
        if (o->tty)
                stream.resize = path_format("/exec/%s/resize", id);
        r = detach_keys_parse(config->detach_keys, &stream.detach, err);
        if (r == 0)
                r = stream_open(&stream, path, body, err);
        if (r < 0)
                return r;
        stream_resize(&stream);
        r = stream_run(&stream, err);
        if (r == STREAM_DETACHED)
                return error_kind(err, ERROR_INVALID, "read escape sequence");
        return r < 0 ? r : exec_exit_code(cli, id, err);
}

static int exec_detached(Cli *cli, const ExecOptions *o, const char *id, Error *err) {
        _cleanup_json_ json_object *body = start_body(o);
        _cleanup_free_ char *path = path_format("/exec/%s/start", id);
        _cleanup_reply_ HttpReply *reply = NULL;

        return api_call(cli, "POST", path, body, &reply, err);
}

static int run_exec(Cli *cli, const Options *options, Error *err) {
        const ExecOptions *o = options->values;
        const char *container = options->arguments[0];
        _cleanup_free_ char *path = path_format("/containers/%s/exec", container);
        _cleanup_free_ char *inspect = path_format("/containers/%s/json", container);
        _cleanup_json_ json_object *body = NULL, *answer = NULL;
        ExecConfig config = {};
        const char *id;
        int r;

        r = fill_exec(cli, o, options->arguments + 1, &config, err);
        /* A container that is not there is told before a terminal that is not there. */
        if (r == 0)
                r = api_do(cli, "GET", inspect, err);
        if (r == 0 && !o->detach && o->tty && o->interactive && !isatty(STDIN_FILENO))
                r = error_kind(err, ERROR_INVALID, "the input device is not a TTY");
        if (r == 0) {
                body = json_write(&exec_config_table, &config);
                r = api_json(cli, "POST", path, body, &answer, err);
        }
        id = json_words(answer, "Id");
        if (r == 0)
                r = o->detach ? exec_detached(cli, o, id, err)
                              : exec_attached(cli, o, &config, id, err);
        json_done(&exec_config_table, &config);
        return r;
}

const Command exec_command = { "[OPTIONS] CONTAINER COMMAND [ARG...]",
                               "Execute a command in a running container",
                               { exec_rows, ELEMENTS(exec_rows), sizeof(ExecOptions) },
                               run_exec,
                               2,
                               -1,
                               COMMAND_FIRST };

/* ---- attach ---- */

typedef struct AttachOptions {
        char *detach_keys;
        bool no_stdin, sig_proxy;
} AttachOptions;

static const Option attach_rows[] = {
        { "detach-keys", 0, OPTION_STRING, offsetof(AttachOptions, detach_keys),
          "Keys that detach from the container" },
        { "no-stdin", 0, OPTION_BOOL, offsetof(AttachOptions, no_stdin), "Do not attach STDIN" },
        { "sig-proxy", 0, OPTION_BOOL, offsetof(AttachOptions, sig_proxy),
          "Pass signals that brig gets on to the process", NULL, "true" },
};

static int check_attachable(json_object *info, Error *err) {
        json_object *state = json_member(info, "State");

        if (!json_truth(state, "Running"))
                return error_kind(err, ERROR_CONFLICT,
                                  "You cannot attach to a stopped container, start it first");
        if (json_truth(state, "Paused"))
                return error_kind(err, ERROR_CONFLICT,
                                  "You cannot attach to a paused container, unpause it first");
        if (json_truth(state, "Restarting"))
                return error_kind(err, ERROR_CONFLICT,
                                  "You cannot attach to a restarting container, wait until it is "
                                  "running");
        return 0;
}

static int run_attach(Cli *cli, const Options *options, Error *err) {
        const AttachOptions *o = options->values;
        _cleanup_free_ char *path = path_format("/containers/%s/json", options->arguments[0]);
        _cleanup_json_ json_object *info = NULL;
        _cleanup_stream_ Stream stream;
        _cleanup_waiting_ Waiting waiting = {};
        json_object *config;
        const char *id;
        int r;

        stream_init(&stream, cli, false);
        r = api_json(cli, "GET", path, NULL, &info, err);
        if (r == 0)
                r = check_attachable(info, err);
        if (r < 0)
                return r;
        id = json_words(info, "Id");
        config = json_member(info, "Config");
        stream.tty = json_truth(config, "Tty");
        stream.with_stdin = !o->no_stdin && json_truth(config, "OpenStdin");
        stream.with_stdout = stream.with_stderr = true;
        if (stream.tty && stream.with_stdin && !isatty(STDIN_FILENO))
                return error_kind(err, ERROR_INVALID, "the input device is not a TTY");
        if (!options_given(options, "sig-proxy") || o->sig_proxy)
                stream.proxy = stream.tty ? NULL : id;
        /* Before the output: once it has ended --rm may be faster. */
        r = waiting_open(&waiting, cli, id, "not-running", err);
        if (r == 0)
                r = stream_attach(&stream, id, chosen_detach_keys(cli, o->detach_keys), err);
        if (r < 0)
                return r;
        stream.waiting = &waiting;
        stream_redraw(&stream);
        r = stream_run(&stream, err);
        if (r == STREAM_DETACHED)
                return error_kind(err, ERROR_INVALID, "read escape sequence");
        if (r == 0)
                r = waiting_end(&waiting, stream.signal_fd, err);
        return r < 0 ? r : waiting_code(&waiting);
}

const Command attach_command = { "[OPTIONS] CONTAINER",
                                 "Attach our input and output to a running container",
                                 { attach_rows, ELEMENTS(attach_rows), sizeof(AttachOptions) },
                                 run_attach,
                                 1,
                                 1 };
