/* logs.c: what a container wrote. */
#include <errno.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/times.h"

typedef struct LogsOptions {
        bool details, follow, timestamps;
        char *since, *until, *tail;
} LogsOptions;

static const Option logs_rows[] = {
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

static int run_logs(Cli *cli, const Options *options, Error *err) {
        const LogsOptions *o = options->values;
        _cleanup_free_ char *inspect = path_format("/containers/%s/json", options->arguments[0]);
        _cleanup_json_ json_object *info = NULL;
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_free_ char *path = NULL;
        int r = api_json(cli, "GET", inspect, NULL, &info, err);

        if (r < 0)
                return r;
        path = path_format("/containers/%s/logs?stdout=1&stderr=1", json_words(info, "Id"));
        if (o->details)
                path_query(&path, "details", "1");
        if (o->follow)
                path_query(&path, "follow", "1");
        if (o->timestamps)
                path_query(&path, "timestamps", "1");
        path_query(&path, "tail", o->tail ?: "all");
        r = add_time(&path, "since", o->since, err);
        if (r == 0)
                r = add_time(&path, "until", o->until, err);
        if (r == 0)
                r = api_call(cli, "GET", path, NULL, &reply, err);
        return r < 0 ? r : frames_copy(reply, json_truth(json_member(info, "Config"), "Tty"), err);
}

const Command logs_command = { "[OPTIONS] CONTAINER",
                               "Show what a container wrote",
                               { logs_rows, ELEMENTS(logs_rows), sizeof(LogsOptions) },
                               run_logs,
                               1,
                               1 };
