/* image-archives.c: load, save and import: images as tar archives. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "format/reference.h"

static int open_input(const char *path, int *ret, Error *err) {
        *ret = open(path, O_RDONLY | O_CLOEXEC);
        if (*ret >= 0)
                return 0;
        return error_kind(err, ERROR_INVALID, "open %s: %s", path,
                          errno == ENOENT ? "no such file or directory" : strerror(errno));
}

/* ---- load ---- */

typedef struct LoadOptions {
        char *input, *platform;
        bool quiet;
} LoadOptions;

static const Option load_rows[] = {
        { "input", 'i', OPTION_STRING, offsetof(LoadOptions, input),
          "Read this file instead of STDIN" },
        { "platform", 0, OPTION_STRING, offsetof(LoadOptions, platform),
          "Load this platform's image only, os/architecture" },
        { "quiet", 'q', OPTION_BOOL, offsetof(LoadOptions, quiet), "Do not show how it goes" },
};

static int run_load(Cli *cli, const Options *options, Error *err) {
        const LoadOptions *o = options->values;
        HttpRequest request = { .method = "POST",
                                .has_body_fd = true,
                                .body_fd = STDIN_FILENO,
                                .content_type = "application/x-tar" };
        bool quiet = o->quiet || !isatty(STDOUT_FILENO);
        _cleanup_free_ char *path =
                str_copy(quiet ? "/images/load?quiet=1" : "/images/load?quiet=0");
        _cleanup_close_ int fd = -1;
        _cleanup_reply_ HttpReply *reply = NULL;
        int r = path_platform(cli, &path, o->platform, err);

        if (r < 0)
                return r;
        if (!str_empty(o->input)) {
                r = open_input(o->input, &fd, err);
                request.body_fd = fd;
        } else if (isatty(STDIN_FILENO)) {
                r = error_kind(err, ERROR_INVALID, "requested load from stdin, but stdin is empty");
        }
        if (r == 0)
                r = api_send(cli, &request, path, &reply, err);
        return r < 0 ? r : progress_show(reply, stdout, false, err);
}

const Command load_command = { "[OPTIONS]",
                               "Load images from a tar archive or STDIN",
                               { load_rows, ELEMENTS(load_rows), sizeof(LoadOptions) },
                               run_load,
                               0,
                               0 };

/* ---- save ---- */

typedef struct SaveOptions {
        char *output, *platform;
} SaveOptions;

static const Option save_rows[] = {
        { "output", 'o', OPTION_STRING, offsetof(SaveOptions, output),
          "Write to this file instead of STDOUT" },
        { "platform", 0, OPTION_STRING, offsetof(SaveOptions, platform),
          "Save this platform's image only, os/architecture" },
};

static int copy_reply(HttpReply *reply, int fd, Error *err) {
        _cleanup_free_ char *data = NEW_ARRAY(char, 65536);

        for (;;) {
                ssize_t got = http_reply_read(reply, data, 65536, err);
                int r;

                if (got <= 0)
                        return (int)got;
                r = fd_write_full(fd, data, (size_t)got);
                if (r < 0)
                        return error_set(err, -r, "write the archive");
        }
}

static char *save_path(const Options *options) {
        char *path;

        if (options->count == 1)
                return path_format("/images/%s/get", options->arguments[0]);
        path = str_copy("/images/get");
        for (size_t i = 0; i < options->count; i++)
                path_query(&path, "names", options->arguments[i]);
        return path;
}

/* A device or pipe is written to: a file that takes its name would take its place (/dev/null). */
static int copy_to_special(HttpReply *reply, const char *output, const char *failure, Error *err) {
        _cleanup_close_ int fd = output_file_open(output);

        if (fd < 0)
                return error_set(err, errno, "%s: open '%s'", failure, output);
        return copy_reply(reply, fd, err);
}

static int copy_to_new(HttpReply *reply, const char *output, const char *failure, Error *err) {
        _cleanup_free_ char *temporary = str_format("%s.tmp-%d", output, (int)getpid());
        const char *slash = strrchr(output, '/');
        _cleanup_close_ int fd = -1;
        int r;

        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno == ENOENT)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "%s: invalid output path: stat %.*s: no such file or directory",
                                  failure, slash ? (int)(slash - output) : 1, slash ? output : ".");
        if (fd < 0)
                return error_set(err, errno, "%s: open '%s'", failure, temporary);
        r = copy_reply(reply, fd, err);
        if (r == 0 && rename(temporary, output) < 0)
                r = error_set(err, errno, "%s: rename to '%s'", failure, output);
        if (r < 0)
                (void)unlink(temporary);
        return r;
}

int reply_to_file(HttpReply *reply, const char *output, const char *failure, Error *err) {
        if (!output)
                return copy_reply(reply, STDOUT_FILENO, err);
        return output_file_is_new(output) ? copy_to_new(reply, output, failure, err)
                                          : copy_to_special(reply, output, failure, err);
}

static int run_save(Cli *cli, const Options *options, Error *err) {
        const SaveOptions *o = options->values;
        _cleanup_free_ char *path = save_path(options);
        _cleanup_reply_ HttpReply *reply = NULL;
        int r;

        if (str_empty(o->output) && isatty(STDOUT_FILENO))
                return error_kind(err, ERROR_INVALID,
                                  "cowardly refusing to save to a terminal. Use the -o flag or "
                                  "redirect");
        r = path_platform(cli, &path, o->platform, err);
        if (r == 0)
                r = api_call(cli, "GET", path, NULL, &reply, err);
        if (r < 0)
                return r;
        return reply_to_file(reply, str_empty(o->output) ? NULL : o->output, "failed to save image",
                             err);
}

const Command save_command = { "[OPTIONS] IMAGE [IMAGE...]",
                               "Save images as a tar archive, to STDOUT or a file",
                               { save_rows, ELEMENTS(save_rows), sizeof(SaveOptions) },
                               run_save,
                               1,
                               -1 };

/* ---- import ---- */

typedef struct ImportOptions {
        char **changes, *message, *platform;
} ImportOptions;

static const Option import_rows[] = {
        { "change", 'c', OPTION_LIST, offsetof(ImportOptions, changes),
          "Apply a Dockerfile instruction to the image" },
        { "message", 'm', OPTION_STRING, offsetof(ImportOptions, message),
          "Message of the image's history" },
        { "platform", 0, OPTION_STRING, offsetof(ImportOptions, platform),
          "Platform of the image, os/architecture" },
};

static bool is_url(const char *text) {
        return str_after(text, "http://") || str_after(text, "https://");
}

static int import_path(const Options *options, char **ret, Error *err) {
        const ImportOptions *o = options->values;
        const char *source = options->arguments[0];
        char *path = str_copy("/images/create");

        path_query(&path, "fromSrc", is_url(source) ? source : "-");
        if (!str_empty(o->message))
                path_query(&path, "message", o->message);
        if (options->count > 1) {
                _cleanup_(reference_done) Reference reference = {};
                int r = reference_parse(options->arguments[1], &reference, err);

                if (r < 0) {
                        free(path);
                        return r;
                }
                path_query(&path, "repo", options->arguments[1]);
        }
        for (char **change = o->changes; change && *change; change++)
                path_query(&path, "changes", *change);
        if (!str_empty(o->platform))
                path_query(&path, "platform", o->platform);
        *ret = path;
        return 0;
}

static int run_import(Cli *cli, const Options *options, Error *err) {
        const char *source = options->arguments[0];
        HttpRequest request = { .method = "POST",
                                .body_fd = STDIN_FILENO,
                                .has_body_fd = !is_url(source),
                                .content_type = "text/plain" };
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        _cleanup_reply_ HttpReply *reply = NULL;
        int r = import_path(options, &path, err);

        if (r == 0 && !is_url(source) && !str_equal(source, "-")) {
                r = open_input(source, &fd, err);
                request.body_fd = fd;
        }
        if (r == 0)
                r = api_send(cli, &request, path, &reply, err);
        return r < 0 ? r : progress_show(reply, stdout, false, err);
}

const Command import_command = { "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
                                 "Make an image of a tar archive of a file system",
                                 { import_rows, ELEMENTS(import_rows), sizeof(ImportOptions) },
                                 run_import,
                                 1,
                                 2 };
