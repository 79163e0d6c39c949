/* execs.c: container exec-ls and exec-kill, brig's own: what exec has running in containers, and
 * its end. */
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/values.h"

#define COMMAND_WIDTH 40

/* ---- exec-ls ---- */

typedef struct LsOptions {
        bool all, no_trunc, quiet;
        char *format;
} LsOptions;

static const Option ls_rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(LsOptions, all), "Show those that do not run, too" },
        { "format", 0, OPTION_STRING, offsetof(LsOptions, format),
          "Format: table, json, or a Go template" },
        { "no-trunc", 0, OPTION_BOOL, offsetof(LsOptions, no_trunc), "Do not cut the output" },
        { "quiet", 'q', OPTION_BOOL, offsetof(LsOptions, quiet), "Show IDs only" },
};

static const ListColumn columns[] = {
        { "ID", "EXEC ID" },
        { "Container", "CONTAINER" },
        { "ContainerID", "CONTAINER ID" },
        { "Command", "COMMAND" },
        { "User", "USER" },
        { "RunningFor", "STARTED" },
        { "Status", "STATUS" },
        { "Pid", "PID" },
};

static const ListKind kind = {
        "execContext",
        "{{.ID}}\t{{.Container}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Pid}}",
        "{{.ID}}",
        NULL,
        NULL,
        columns,
        ELEMENTS(columns)
};

static char *exec_status(json_object *exec) {
        if (json_truth(exec, "Running"))
                return str_copy("Running");
        if (!json_member(exec, "ExitCode"))
                return str_copy("Created");
        return str_format("Exited (%lld)", (long long)json_number(exec, "ExitCode"));
}

static json_object *make_row(json_object *exec, const LsOptions *o) {
        json_object *row = json_object_new_object();
        const char *id = json_words(exec, "ID"), *container = json_words(exec, "ContainerID");
        const char *command = json_words(exec, "Command");
        const int64_t started = json_number(exec, "Started"), pid = json_number(exec, "Pid");

        row_take(row, "ID", o->no_trunc ? str_copy(id) : short_id(id));
        row_put(row, "Container", json_words(exec, "ContainerName"));
        row_take(row, "ContainerID", o->no_trunc ? str_copy(container) : short_id(container));
        row_take(row, "Command",
                 o->no_trunc ? str_copy(command) : text_ellipsis(command, COMMAND_WIDTH));
        row_put(row, "User", json_words(exec, "User"));
        row_take(row, "RunningFor", started > 0 ? time_ago(started) : str_copy(""));
        row_take(row, "Status", exec_status(exec));
        row_take(row, "Pid", pid > 0 ? str_format("%lld", (long long)pid) : str_copy(""));
        return row;
}

static int run_exec_ls(Cli *cli, const Options *options, Error *err) {
        const LsOptions *o = options->values;
        _cleanup_free_ char *path = str_copy("/exec/json");
        _cleanup_json_ json_object *all = NULL;
        _cleanup_(list_done) List list = {};
        int r = cli_need_brigd(cli, "execs are listed and killed", err);

        if (o->all)
                path_query(&path, "all", "1");
        if (options->count > 0)
                path_query(&path, "container", options->arguments[0]);
        if (r == 0)
                r = api_json(cli, "GET", path, NULL, &all, err);
        if (r < 0)
                return r;
        for (size_t i = 0;
             json_object_is_type(all, json_type_array) && i < json_object_array_length(all); i++)
                list_add(&list, make_row(json_object_array_get_idx(all, i), o), NULL);
        return list_print(&kind, list_format(cli, &kind, o->format, o->quiet), NULL, o->quiet,
                          &list, err);
}

const Command exec_ls_command = { "[OPTIONS] [CONTAINER]",
                                  "List what exec runs in containers",
                                  { ls_rows, ELEMENTS(ls_rows), sizeof(LsOptions) },
                                  run_exec_ls,
                                  0,
                                  1 };

/* ---- exec-kill ---- */

typedef struct KillOptions {
        char *signal;
} KillOptions;

static const Option kill_rows[] = {
        { "signal", 's', OPTION_STRING, offsetof(KillOptions, signal), "Signal to send", NULL,
          "\"KILL\"" },
};

static int kill_one(Cli *cli, const Options *options, const char *name, Error *err) {
        const KillOptions *o = options->values;
        _cleanup_free_ char *path = path_format("/exec/%s/kill", name);

        if (!str_empty(o->signal))
                path_query(&path, "signal", o->signal);
        return api_do(cli, "POST", path, err);
}

static int run_exec_kill(Cli *cli, const Options *options, Error *err) {
        int r = cli_need_brigd(cli, "execs are listed and killed", err);

        return r < 0 ? r : for_each_argument(cli, options, kill_one);
}

const Command exec_kill_command = { "[OPTIONS] EXEC [EXEC...]",
                                    "Kill one or more execs, each with its process group",
                                    { kill_rows, ELEMENTS(kill_rows), sizeof(KillOptions) },
                                    run_exec_kill,
                                    1,
                                    -1 };
