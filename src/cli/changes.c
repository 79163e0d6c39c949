/* changes.c: commit, diff and export: what a container did to its root. */
#include "cli/commands.h"
#include "format/reference.h"

/* ---- commit ---- */

typedef struct CommitOptions {
        char *author, *message, **changes;
        bool pause;
} CommitOptions;

static const Option commit_rows[] = {
        { "author", 'a', OPTION_STRING, offsetof(CommitOptions, author),
          "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")" },
        { "change", 'c', OPTION_LIST, offsetof(CommitOptions, changes),
          "Apply a Dockerfile instruction to the image" },
        { "message", 'm', OPTION_STRING, offsetof(CommitOptions, message), "Commit message" },
        { "pause", 'p', OPTION_BOOL, offsetof(CommitOptions, pause),
          "Pause the container meanwhile", .initial = "true" },
};

/* Adds repo and tag to the path. */
static int add_name(char **path, const char *name, Error *err) {
        _cleanup_(reference_done) Reference reference = {};
        _cleanup_free_ char *repository = NULL;
        int r = reference_parse(name, &reference, err);

        if (r < 0)
                return r;
        if (reference.digest)
                return error_kind(err, ERROR_INVALID,
                                  "cannot commit to digest reference '%s': name a tag", name);
        reference_default_tag(&reference);
        repository = reference_familiar(&reference);
        *strrchr(repository, ':') = '\0';
        path_query(path, "repo", repository);
        path_query(path, "tag", reference.tag);
        return 0;
}

static int run_commit(Cli *cli, const Options *options, Error *err) {
        const CommitOptions *o = options->values;
        bool pause = o->pause || !options_given(options, "pause");
        _cleanup_free_ char *path = str_copy("/commit");
        _cleanup_json_ json_object *answer = NULL;
        int r = 0;

        path_query(&path, "container", options->arguments[0]);
        if (options->count > 1)
                r = add_name(&path, options->arguments[1], err);
        if (r < 0)
                return r;
        if (!str_empty(o->author))
                path_query(&path, "author", o->author);
        if (!str_empty(o->message))
                path_query(&path, "comment", o->message);
        for (char **change = o->changes; change && *change; change++)
                path_query(&path, "changes", *change);
        path_query(&path, "pause", pause ? "1" : "0");
        r = api_json(cli, "POST", path, NULL, &answer, err);
        if (r == 0)
                (void)printf("%s\n", json_member_string(answer, "Id") ?: "");
        return r;
}

const Command commit_command = { "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
                                 "Create an image from a container's changes",
                                 { commit_rows, ELEMENTS(commit_rows), sizeof(CommitOptions) },
                                 run_commit,
                                 1,
                                 2 };

/* ---- diff ---- */

static int run_diff(Cli *cli, const Options *options, Error *err) {
        static const char letters[] = "CAD"; /* by the API's numbers */
        _cleanup_free_ char *path = path_format("/containers/%s/changes", options->arguments[0]);
        _cleanup_json_ json_object *answer = NULL;
        int r = api_json(cli, "GET", path, NULL, &answer, err);

        for (size_t i = 0; r == 0 && json_object_is_type(answer, json_type_array) &&
                           i < json_object_array_length(answer);
             i++) {
                json_object *change = json_object_array_get_idx(answer, i);
                int kind = json_object_get_int(json_member(change, "Kind"));

                if (kind >= 0 && kind < (int)strlen(letters))
                        (void)printf("%c %s\n", letters[kind],
                                     json_member_string(change, "Path") ?: "");
        }
        return r;
}

const Command diff_command = { "CONTAINER", "Show what changed in a container's file system",
                               {},          run_diff,
                               1,           1 };

/* ---- export ---- */

typedef struct ExportOptions {
        char *output;
} ExportOptions;

static const Option export_rows[] = {
        { "output", 'o', OPTION_STRING, offsetof(ExportOptions, output),
          "Write to this file instead of STDOUT" },
};

static int run_export(Cli *cli, const Options *options, Error *err) {
        const ExportOptions *o = options->values;
        _cleanup_free_ char *path = path_format("/containers/%s/export", options->arguments[0]);
        _cleanup_reply_ HttpReply *reply = NULL;
        int r;

        if (str_empty(o->output) && isatty(STDOUT_FILENO))
                return error_kind(err, ERROR_INVALID,
                                  "cowardly refusing to save to a terminal. Use the -o flag or "
                                  "redirect");
        r = api_call(cli, "GET", path, NULL, &reply, err);
        return r < 0 ? r
                     : reply_to_file(reply, str_empty(o->output) ? NULL : o->output,
                                     "failed to export container", err);
}

const Command export_command = { "[OPTIONS] CONTAINER",
                                 "Write a container's file system as a tar archive",
                                 { export_rows, ELEMENTS(export_rows), sizeof(ExportOptions) },
                                 run_export,
                                 1,
                                 1 };
