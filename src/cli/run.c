/* run.c: run, create and start: the calls in the order that loses no output and no exit code
 * (create, attach, wait, start), and the process's exit code as our own. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/container-options.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/wait.h"
#include "format/reference.h"

#define EXIT_DAEMON 125
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

/* ---- create ---- */

static int pull_missing(Cli *cli, const ContainerOptions *o, const char *image, Error *err) {
        return image_pull(cli, image, o->platform, stderr, o->quiet, err);
}

static int try_create(Cli *cli, const ContainerOptions *o, json_object *body, json_object **ret,
                      Error *err) {
        _cleanup_free_ char *path = str_copy("/containers/create");

        if (!str_empty(o->name))
                path_query(&path, "name", o->name);
        if (!str_empty(o->platform) && api_at_least(cli, 41))
                path_query(&path, "platform", o->platform);
        return api_json(cli, "POST", path, body, ret, err);
}

/* The image's familiar name with its tag, the caller's. */
static int familiar_name(const char *image, char **ret, Error *err) {
        _cleanup_(reference_done) Reference reference = {};
        int r = reference_parse(image, &reference, err);

        if (r < 0)
                return r;
        reference_default_tag(&reference);
        *ret = reference_familiar(&reference);
        return 0;
}

static bool is_image_id(const char *image) {
        const char *digits = str_after(image, "sha256:") ?: image;

        return strlen(digits) == 64 && strspn(digits, "0123456789abcdef") == 64;
}

static int create_pulling(Cli *cli, const ContainerOptions *o, const char *image, json_object *body,
                          json_object **ret, Error *err) {
        _cleanup_free_ char *name = NULL;
        int r = 0;

        if (!is_image_id(image)) {
                r = familiar_name(image, &name, err);
                if (r == 0 && str_equal(o->pull, "always"))
                        r = pull_missing(cli, o, name, err);
                if (r < 0)
                        return r;
        }
        r = try_create(cli, o, body, ret, err);
        if (r == 0 || err->kind != ERROR_NOT_FOUND || !name || !strcasestr(err->message, "image") ||
            (o->pull && !str_equal(o->pull, "missing")))
                return r;
        if (!o->quiet)
                (void)fprintf(stderr, "Unable to find image '%s' locally\n", name);
        r = pull_missing(cli, o, name, err);
        return r < 0 ? r : try_create(cli, o, body, ret, err);
}

static int check_pull(const ContainerOptions *o, Error *err) {
        if (!o->pull || !*o->pull || str_equal(o->pull, "always") ||
            str_equal(o->pull, "missing") || str_equal(o->pull, "never"))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "invalid pull option: '%s': must be one of \"always\", \"missing\" or "
                          "\"never\"",
                          o->pull);
}

/* The file is made before the container, so that none is made without it. */
static int open_cidfile(const ContainerOptions *o, int *ret, Error *err) {
        if (str_empty(o->cidfile))
                return 0;
        *ret = open(o->cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (*ret < 0 && errno == EEXIST)
                return error_kind(err, ERROR_CONFLICT,
                                  "container ID file found, make sure the other container isn't "
                                  "running or delete %s",
                                  o->cidfile);
        return *ret < 0 ? error_set(err, errno, "failed to create the container ID file '%s'",
                                    o->cidfile)
                        : 0;
}

static void show_warnings(json_object *answer) {
        json_object *warnings = json_member(answer, "Warnings");

        for (size_t i = 0; json_object_is_type(warnings, json_type_array) &&
                           i < json_object_array_length(warnings);
             i++)
                (void)fprintf(stderr, "WARNING: %s\n",
                              json_object_get_string(json_object_array_get_idx(warnings, i)));
}

/* Creates the container; *ret_id is the caller's. */
static int create_container(Cli *cli, const ContainerOptions *o, const ContainerCreate *create,
                            char **ret_id, Error *err) {
        _cleanup_json_ json_object *body = container_create_write(create), *answer = NULL;
        _cleanup_close_ int cid_fd = -1;
        const char *id;
        int r;

        r = open_cidfile(o, &cid_fd, err);
        if (r < 0)
                return r;
        r = create_pulling(cli, o, create->config.image, body, &answer, err);
        if (r < 0) {
                if (cid_fd >= 0)
                        (void)unlink(o->cidfile);
                return r;
        }
        id = json_words(answer, "Id");
        show_warnings(answer);
        if (cid_fd >= 0)
                (void)fd_write_full(cid_fd, id, strlen(id));
        *ret_id = str_copy(id);
        return 0;
}

/* ---- attaching ---- */

static char *attach_path(const char *id, const Stream *stream, const char *keys) {
        char *path = path_format("/containers/%s/attach", id);

        if (!str_empty(keys))
                path_query(&path, "detachKeys", keys);
        if (stream->with_stderr)
                path_query(&path, "stderr", "1");
        if (stream->with_stdin)
                path_query(&path, "stdin", "1");
        if (stream->with_stdout)
                path_query(&path, "stdout", "1");
        path_query(&path, "stream", "1");
        return path;
}

int stream_attach(Stream *stream, const char *id, const char *keys, Error *err) {
        _cleanup_free_ char *path = NULL;
        int r = detach_keys_parse(keys, &stream->detach, err);

        if (r < 0)
                return r;
        if (stream->tty)
                stream->resize = path_format("/containers/%s/resize", id);
        path = attach_path(id, stream, keys);
        return stream_open(stream, path, NULL, err);
}

const char *chosen_detach_keys(Cli *cli, const char *option) {
        return option ?: config_string(cli, "detachKeys");
}

/* The process's exit code at the end of its output, or a negative errno. */
static int run_stream(Stream *stream, Waiting *waiting, Error *err) {
        int r;

        stream->waiting = waiting;
        stream_resize(stream);
        r = stream_run(stream, err);
        if (r != 0)
                return r == STREAM_DETACHED ? 0 : r;
        r = waiting_end(waiting, stream->signal_fd, err);
        return r < 0 ? r : waiting_code(waiting);
}

/* Of a container that does not run yet. */
static const char *end_condition(bool removes) {
        return removes ? "removed" : "next-exit";
}

/* ---- run ---- */

/* What a shell would exit with where the command could not be started. */
static int start_failure(const Error *err) {
        static const struct {
                const char *words;
                int code;
        } causes[] = {
                { "executable file not found", EXIT_NOT_FOUND },
                { "no such file or directory", EXIT_NOT_FOUND },
                { "system cannot find the file specified", EXIT_NOT_FOUND },
                { "permission denied", EXIT_CANNOT_RUN },
                { "is a directory", EXIT_CANNOT_RUN },
                { "not a directory", EXIT_NOT_FOUND },
        };

        for (size_t i = 0; i < ELEMENTS(causes); i++)
                if (strcasestr(err->message, causes[i].words))
                        return causes[i].code;
        return EXIT_DAEMON;
}

static int start(Cli *cli, const char *id, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/start", id);

        return api_do(cli, "POST", path, err);
}

static int report_failure(const Cli *cli, const Error *err) {
        cli_hint(cli, err->message);
        return start_failure(err);
}

/* Of a container that did not start, under --rm. The daemon removes it, unless it had no means to
 * begin the start or to end it. */
static void remove_unstarted(Cli *cli, const char *id) {
        _cleanup_free_ char *path = path_format("/containers/%s", id);
        Error why = {};

        path_query(&path, "v", "1");
        if (api_do(cli, "DELETE", path, &why) < 0 && why.kind != ERROR_NOT_FOUND &&
            why.kind != ERROR_CONFLICT)
                (void)fprintf(stderr, "%s: container %s was not removed: %s\n", cli->program, id,
                              why.message);
}

static int run_detached(Cli *cli, const ContainerCreate *create, const char *id, Error *err) {
        if (start(cli, id, err) < 0) {
                if (create->host.auto_remove && !cli_lost(err))
                        remove_unstarted(cli, id);
                return report_failure(cli, err);
        }
        (void)printf("%s\n", id);
        return 0;
}

static int run_attached(Cli *cli, const ContainerOptions *o, const ContainerCreate *create,
                        const char *id, Error *err) {
        _cleanup_stream_ Stream stream;
        _cleanup_waiting_ Waiting waiting = {};
        int r;

        stream_init(&stream, cli, create->config.tty);
        stream.with_stdin = create->config.attach_stdin;
        stream.with_stdout = create->config.attach_stdout;
        stream.with_stderr = create->config.attach_stderr;
        stream.proxy = o->sig_proxy && !create->config.tty ? id : NULL;
        r = stream_attach(&stream, id, chosen_detach_keys(cli, o->detach_keys), err);
        if (r == 0)
                r = waiting_open(&waiting, cli, id, end_condition(create->host.auto_remove), err);
        if (r < 0)
                return r;
        if (start(cli, id, err) < 0) {
                /* Its name is free when we are gone. */
                if (create->host.auto_remove && cli_lost(err))
                        (void)waiting_end(&waiting, stream.signal_fd, &(Error){});
                else if (create->host.auto_remove && err->number != EINTR)
                        remove_unstarted(cli, id);
                return report_failure(cli, err);
        }
        return run_stream(&stream, &waiting, err);
}

/* -i and -t need a terminal to read from. */
static int check_terminal(const ContainerCreate *create, Error *err) {
        if (!create->config.tty || !create->config.attach_stdin || isatty(STDIN_FILENO))
                return 0;
        (void)error_kind(err, ERROR_INVALID, "the input device is not a TTY");
        return cli_complain(err);
}

int run_options_check(Cli *cli, const ContainerOptions *o, Error *err) {
        DetachKeys keys;
        int r = check_pull(o, err);

        return r < 0 ? r : detach_keys_parse(chosen_detach_keys(cli, o->detach_keys), &keys, err);
}

int container_run(Cli *cli, const ContainerOptions *o, ContainerCreate *create, Error *err) {
        _cleanup_free_ char *id = NULL;
        unsigned rows, columns;
        int r = o->detach ? 0 : check_terminal(create, err);

        if (r != 0)
                return r;
        if (terminal_size(STDOUT_FILENO, &rows, &columns)) {
                create->host.console_height = rows;
                create->host.console_width = columns;
        }
        r = create_container(cli, o, create, &id, err);
        if (r < 0)
                return r;
        if (o->detach || (!create->config.attach_stdin && !create->config.attach_stdout &&
                          !create->config.attach_stderr))
                return run_detached(cli, create, id, err);
        return run_attached(cli, o, create, id, err);
}

static int run_request(Cli *cli, const Options *options, ContainerCreate *create, Error *err) {
        const ContainerOptions *o = options->values;
        int r;

        if (o->detach && o->attach) {
                (void)error_kind(err, ERROR_INVALID,
                                 "conflicting options: cannot specify both --attach and --detach");
                return cli_complain(err);
        }
        r = run_options_check(cli, o, err);
        if (r == 0)
                r = container_request(cli, options, create, err);
        return r != 0 ? r : container_run(cli, o, create, err);
}

static int run_run(Cli *cli, const Options *options, Error *err) {
        ContainerOptions *o = options->values;
        ContainerCreate create = {};
        int r;

        if (!options_given(options, "sig-proxy"))
                o->sig_proxy = true;
        r = run_request(cli, options, &create, err);
        container_create_done(&create);
        return r;
}

const Command run_command = { "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                              "Create and run a new container from an image",
                              {},
                              run_run,
                              1,
                              -1,
                              COMMAND_RUNS | COMMAND_FIRST,
                              &run_option_table };

/* ---- create ---- */

static int run_create(Cli *cli, const Options *options, Error *err) {
        ContainerOptions *o = options->values;
        ContainerCreate create = {};
        _cleanup_free_ char *id = NULL;
        int r = check_pull(o, err);

        if (r == 0)
                r = container_request(cli, options, &create, err);
        if (r == 0 && create_container(cli, o, &create, &id, err) < 0)
                r = cli_complain(err);
        else if (r == 0)
                (void)printf("%s\n", id);
        container_create_done(&create);
        return r;
}

const Command create_command = {
        "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a new container", {}, run_create, 1, -1,
        COMMAND_RUNS | COMMAND_FIRST,         &create_option_table
};

/* ---- start ---- */

typedef struct StartOptions {
        bool attach, interactive;
        char *detach_keys, *checkpoint, *checkpoint_dir;
} StartOptions;

static const Option start_rows[] = {
        { "attach", 'a', OPTION_BOOL, offsetof(StartOptions, attach),
          "Attach STDOUT and STDERR, and pass signals on" },
        { "checkpoint", 0, OPTION_STRING, offsetof(StartOptions, checkpoint),
          "Go on from this checkpoint" },
        { "checkpoint-dir", 0, OPTION_STRING, offsetof(StartOptions, checkpoint_dir),
          "Directory that holds it, on the daemon's host (default: the container's own)" },
        { "detach-keys", 0, OPTION_STRING, offsetof(StartOptions, detach_keys),
          "Keys that detach from the container" },
        { "interactive", 'i', OPTION_BOOL, offsetof(StartOptions, interactive),
          "Attach the container's STDIN" },
};

/* With a checkpoint it goes on from there. */
static int start_from(Cli *cli, const StartOptions *o, const char *id, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/start", id);

        if (!str_empty(o->checkpoint))
                path_query(&path, "checkpoint", o->checkpoint);
        if (!str_empty(o->checkpoint_dir))
                path_query(&path, "checkpoint-dir", o->checkpoint_dir);
        return api_do(cli, "POST", path, err);
}

static int start_each(Cli *cli, const Options *options) {
        _cleanup_strv_ char **failed = NULL;
        _cleanup_free_ char *names = NULL;

        for (size_t i = 0; i < options->count; i++) {
                Error err = {};

                if (start_from(cli, options->values, options->arguments[i], &err) == 0) {
                        (void)printf("%s\n", options->arguments[i]);
                        continue;
                }
                (void)cli_complain(&err);
                strv_add(&failed, options->arguments[i]);
        }
        if (!failed)
                return 0;
        names = strv_join(failed, ", ");
        (void)fprintf(stderr, "Error: failed to start containers: %s\n", names);
        return 1;
}

static int start_attached(Cli *cli, const Options *options, Error *err) {
        const StartOptions *o = options->values;
        _cleanup_json_ json_object *info = NULL;
        _cleanup_free_ char *path = path_format("/containers/%s/json", options->arguments[0]);
        _cleanup_stream_ Stream stream;
        _cleanup_waiting_ Waiting waiting = {};
        json_object *config;
        const char *id;
        bool removes;
        int r;

        stream_init(&stream, cli, false);
        if (options->count > 1)
                return error_kind(err, ERROR_INVALID,
                                  "you cannot start and attach multiple containers at once");
        r = api_json(cli, "GET", path, NULL, &info, err);
        if (r < 0)
                return r;
        id = json_words(info, "Id");
        config = json_member(info, "Config");
        removes = json_truth(json_member(info, "HostConfig"), "AutoRemove");
        stream.tty = json_truth(config, "Tty");
        stream.with_stdin = o->interactive && json_truth(config, "OpenStdin");
        stream.with_stdout = stream.with_stderr = true;
        stream.proxy = stream.tty ? NULL : id;
        r = stream_attach(&stream, id, chosen_detach_keys(cli, o->detach_keys), err);
        if (r == 0)
                r = waiting_open(&waiting, cli, id, end_condition(removes), err);
        if (r == 0)
                r = start_from(cli, o, id, err);
        if (r < 0)
                return r;
        return run_stream(&stream, &waiting, err);
}

static int run_start(Cli *cli, const Options *options, Error *err) {
        const StartOptions *o = options->values;

        if (!str_empty(o->checkpoint) && options->count > 1)
                return error_kind(err, ERROR_INVALID,
                                  "you cannot restore multiple containers at once");
        return o->attach || o->interactive ? start_attached(cli, options, err)
                                           : start_each(cli, options);
}

const Command start_command = { "[OPTIONS] CONTAINER [CONTAINER...]",
                                "Start one or more stopped containers",
                                { start_rows, ELEMENTS(start_rows), sizeof(StartOptions) },
                                run_start,
                                1,
                                -1 };
