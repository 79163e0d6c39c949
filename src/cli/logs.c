/* logs.c: what a container wrote. */
#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/times.h"

typedef struct LogsOptions {
        bool clear, details, follow, timestamps;
        char *since, *until, *tail;
} LogsOptions;

static const Option logs_rows[] = {
        { "clear", 0, OPTION_BOOL, offsetof(LogsOptions, clear),
          "Forget what it wrote so far (nothing is shown)" },
        { "details", 0, OPTION_BOOL, offsetof(LogsOptions, details),
          "Show the attributes given by the log driver" },
        { "follow", 'f', OPTION_BOOL, offsetof(LogsOptions, follow), "Go on as it writes" },
        { "since", 0, OPTION_STRING, offsetof(LogsOptions, since),
          "Lines since a time (\"2013-01-02T13:23:37Z\") or a while ago (\"42m\")" },
        { "tail", 'n', OPTION_STRING, offsetof(LogsOptions, tail), "Number of lines from the end",
          NULL, "\"all\"" },
        { "timestamps", 't', OPTION_BOOL, offsetof(LogsOptions, timestamps), "Show times" },
        { "until", 0, OPTION_STRING, offsetof(LogsOptions, until),
          "Lines before a time or a while ago" },
};

static int add_time(char **path, const char *name, const char *text, Error *err) {
        _cleanup_free_ char *stamp = NULL;
        int r;

        if (str_empty(text))
                return 0;
        r = time_stamp(text, &stamp);
        if (r < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid value for \"%s\": failed to parse value as time or "
                                  "duration: \"%s\"",
                                  name, text);
        path_query(path, name, stamp);
        return 0;
}

/* ---- following ---- */

/* Where a followed log is, so that it goes on there after the daemon was away: every line comes
 * with its time, which is printed only if the user wants it. */
typedef struct Follow {
        bool show_times;
        char last[CLOCK_TEXT_MAX]; /* the newest line's time; "": none came yet */
        size_t printed;            /* lines of that time */
        size_t skip;               /* how many of them come once more */
} Follow;

static int print_line(void *data, int fd, const char *bytes, size_t length, Error *err) {
        Follow *follow = data;
        const char *space = memchr(bytes, ' ', length);
        size_t time = space ? (size_t)(space - bytes) : SIZE_MAX;
        int r;

        if (time >= sizeof(follow->last))
                return error_kind(err, ERROR_INTERNAL, "the daemon sent a line without its time");
        if (strlen(follow->last) != time || memcmp(follow->last, bytes, time) != 0) {
                memcpy(follow->last, bytes, time);
                follow->last[time] = '\0';
                follow->printed = follow->skip = 0;
        }
        if (follow->skip > 0) {
                follow->skip--;
                return 0;
        }
        follow->printed++;
        r = follow->show_times ? fd_write_full(fd, bytes, length)
                               : fd_write_full(fd, space + 1, length - time - 1);
        return r < 0 ? error_set(err, -r, "write output") : 0;
}

typedef struct Log {
        Cli *cli;
        const LogsOptions *options;
        json_object *info;
        bool tty;
        Follow follow;
        char *since; /* of the next call; NULL: the option's */
} Log;

static void log_done(Log *log) {
        (void)json_object_put(log->info);
        free(log->since);
}

static int log_path(const Log *log, char **ret, Error *err) {
        const LogsOptions *o = log->options;
        _cleanup_free_ char *path =
                path_format("/containers/%s/logs?stdout=1&stderr=1", json_words(log->info, "Id"));
        int r;

        if (o->details)
                path_query(&path, "details", "1");
        if (o->follow)
                path_query(&path, "follow", "1");
        if (o->timestamps || (o->follow && !log->tty))
                path_query(&path, "timestamps", "1");
        path_query(&path, "tail", log->since || !o->tail ? "all" : o->tail);
        r = add_time(&path, "since", log->since ?: o->since, err);
        if (r == 0)
                r = add_time(&path, "until", o->until, err);
        if (r == 0)
                *ret = TAKE_PTR(path);
        return r;
}

static int copy_log(Log *log, Error *err) {
        _cleanup_free_ char *path = NULL;
        _cleanup_reply_ HttpReply *reply = NULL;
        int r = log_path(log, &path, err);

        if (r == 0)
                r = api_call(log->cli, "GET", path, NULL, &reply, err);
        if (r < 0)
                return r;
        return log->options->follow && !log->tty ? frames_read(reply, print_line, &log->follow, err)
                                                 : frames_copy(reply, log->tty, err);
}

/* A terminal's output has no frames, and so no lines to count: it goes on with what is written from
 * now on. */
static void remember_place(Log *log) {
        char now[CLOCK_TEXT_MAX];

        if (log->tty)
                str_replace(&log->since, clock_format_fixed(clock_now(), now));
        else if (log->follow.last[0])
                str_replace(&log->since, log->follow.last);
        log->follow.skip = log->follow.printed;
}

static int clear_log(Cli *cli, const char *container, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/logs/clear", container);

        return api_do(cli, "POST", path, err);
}

static int run_logs(Cli *cli, const Options *options, Error *err) {
        const LogsOptions *o = options->values;
        _cleanup_(log_done) Log log = { .cli = cli, .options = o };
        _cleanup_free_ char *inspect = path_format("/containers/%s/json", options->arguments[0]);
        int r;

        if (o->clear)
                return clear_log(cli, options->arguments[0], err);
        r = api_json(cli, "GET", inspect, NULL, &log.info, err);
        if (r < 0)
                return r;
        log.tty = json_truth(json_member(log.info, "Config"), "Tty");
        log.follow.show_times = o->timestamps;
        r = copy_log(&log, err);
        while (r < 0 && o->follow && cli_lost(err)) {
                remember_place(&log);
                r = cli_reconnect(cli, -1, err);
                if (r == 0)
                        r = copy_log(&log, err);
                else
                        return r;
        }
        return r;
}

const Command logs_command = { "[OPTIONS] CONTAINER",
                               "Show what a container wrote",
                               { logs_rows, ELEMENTS(logs_rows), sizeof(LogsOptions) },
                               run_logs,
                               1,
                               1 };
