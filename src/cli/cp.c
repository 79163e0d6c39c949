/* cp.c: brig cp: files between a container and the host. What the paths mean is cp-path.c's, the
 * host's files are cp-local.c's, the container's are the daemon's; here goes the archive between.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/cp-local.h"
#include "cli/cp-path.h"
#include "cli/values.h"

#define CHUNK ((size_t)65536)
#define STAT_HEADER "X-Docker-Container-Path-Stat"
#define GO_DIRECTORY ((int64_t)1 << 31)
#define GO_LINK ((int64_t)1 << 27)
#define GO_DEVICE ((int64_t)1 << 26)
#define SHOW_AFTER (200 * NSEC_PER_MSEC)

typedef struct CpOptions {
        bool archive, follow, quiet;
} CpOptions;

static const Option cp_rows[] = {
        { "archive", 'a', OPTION_BOOL, offsetof(CpOptions, archive),
          "Give the files to the container's user" },
        { "follow-link", 'L', OPTION_BOOL, offsetof(CpOptions, follow),
          "Copy what a link as the source leads to" },
        { "quiet", 'q', OPTION_BOOL, offsetof(CpOptions, quiet),
          "Do not show how it goes; so by itself where there is no terminal" },
};

typedef struct Cp {
        Cli *cli;
        const CpOptions *options;
        bool quiet, follow;
        char *container, *source, *destination;
        int64_t bytes, shown_at; /* of the archive; ns, monotonic */
        const char *doing;       /* "Copying to container" */
} Cp;

static void cp_done(Cp *cp) {
        free(cp->container);
        free(cp->source);
        free(cp->destination);
}

/* ---- how it goes ---- */

static void count(Cp *cp, size_t bytes) {
        char size[SIZE_TEXT_MAX];
        int64_t now;

        cp->bytes += (int64_t)bytes;
        if (cp->quiet || !isatty(STDERR_FILENO))
                return;
        now = clock_monotonic();
        if (now - cp->shown_at < SHOW_AFTER)
                return;
        cp->shown_at = now;
        (void)fprintf(stderr, "\r\033[K%s - %s", cp->doing, size_human((double)cp->bytes, 3, size));
}

static void show_end(const Cp *cp, const char *container, const char *path, bool well) {
        char size[SIZE_TEXT_MAX];

        if (cp->quiet)
                return;
        if (isatty(STDERR_FILENO))
                (void)fputs("\r\033[K", stderr);
        if (well)
                (void)fprintf(stderr, "Successfully copied %s to %s%s%s\n",
                              size_human((double)cp->bytes, 3, size), container ?: "",
                              container ? ":" : "", path);
}

/* ---- what is at a path of the container ---- */

typedef struct RemoteStat {
        int64_t mode; /* Go's */
        char *link;
} RemoteStat;

static const JsonField stat_fields[] = {
        JSON_FIELD(RemoteStat, "mode", JSON_INT, mode, 0),
        JSON_FIELD(RemoteStat, "linkTarget", JSON_STRING, link, 0),
};
static const JsonTable stat_table = JSON_TABLE(RemoteStat, "path", stat_fields);

static char *archive_path(const Cp *cp, const char *path) {
        char *url = path_format("/containers/%s/archive", cp->container);

        path_query(&url, "path", path);
        return url;
}

static int read_stat(const HttpReply *reply, RemoteStat *ret, Error *err) {
        const char *header = http_reply_header(reply, STAT_HEADER);
        _cleanup_free_ char *text = NULL;
        size_t length = 0;
        int r = header ? base64_decode(header, &text, &length, err)
                       : error_kind(err, ERROR_INTERNAL, "the answer has no " STAT_HEADER);

        return r < 0 ? error_prefix(err, "unable to decode container path stat header")
                     : json_parse(&stat_table, text, length, ret, err);
}

static int ask_stat(const Cp *cp, const char *path, RemoteStat *ret, Error *err) {
        _cleanup_free_ char *url = archive_path(cp, path);
        _cleanup_reply_ HttpReply *reply = NULL;
        int r = api_call(cp->cli, "HEAD", url, NULL, &reply, err);

        return r < 0 ? r : read_stat(reply, ret, err);
}

static void stat_done(RemoteStat *stat) {
        json_done(&stat_table, stat);
}

/* ---- from a container ---- */

/* Makes the destination absolute, as errors and the end show it. */
static int set_output(Cp *cp, Error *err) {
        _cleanup_free_ char *directory = NULL, *name = NULL, *clean = NULL;
        char *path = cp_path_absolute(cp->destination);
        struct stat st;

        if (!path)
                return error_set(err, errno, "find the working directory");
        free(cp->destination);
        cp->destination = path;
        clean = cp_path_clean(path);

        cp_path_split(clean, &directory, &name);
        if (stat(directory, &st) < 0 && errno == ENOENT)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "invalid output path: directory \"%s\" does not exist",
                                  directory);
        if (stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
                return error_kind(err, ERROR_INVALID,
                                  "invalid output path: \"%s\" must be a directory or a regular "
                                  "file: got a device",
                                  path);
        return 0;
}

/* The source itself, or what it leads to under -L. What can't be asked now fails later. */
static void find_remote_source(const Cp *cp, CpEnd *source) {
        _cleanup_(stat_done) RemoteStat stat = {};

        source->path = str_copy(cp->source);
        source->exists = true;
        if (cp->follow && ask_stat(cp, cp->source, &stat, NULL) == 0 && stat.mode & GO_LINK) {
                _cleanup_free_ char *target = cp_path_join_link(cp->source, stat.link ?: "");

                cp_end_follow(source, cp->source, target);
        }
}

static int pump_reply(Cp *cp, HttpReply *reply, int fd, Error *err) {
        _cleanup_free_ char *data = NEW_ARRAY(char, CHUNK);

        for (;;) {
                ssize_t got = http_reply_read(reply, data, CHUNK, err);
                int r;

                if (got <= 0)
                        return (int)got;
                r = fd_write_full(fd, data, (size_t)got);
                if (r < 0)
                        return error_set(err, r, "write the archive");
                count(cp, (size_t)got);
        }
}

static int unpack_reply(Cp *cp, HttpReply *reply, const CpEnd *source, Error *err) {
        _cleanup_(cp_end_done) CpEnd destination = {};
        _cleanup_free_ char *directory = NULL, *to = NULL, *parent = NULL, *from = NULL,
                            *into = NULL;
        LocalCopy local = { .stream_fd = -1, .error_fd = -1 };
        Error why = {};
        int end, r = cp_local_destination(cp->destination, &destination, err);

        if (r == 0)
                r = cp_plan(source, &destination, &directory, &to, err);
        if (r < 0)
                return r;
        cp_path_split(source->path, &parent, &from);
        into = cp_path_clean(directory);
        r = local_unpack(into, str_equal(from, "/") ? "" : from, to ?: source->name, &local, err);
        if (r < 0)
                return r;
        r = pump_reply(cp, reply, local.stream_fd, err);
        end = local_end(&local, &why);
        /* What the unpacking complained of is the reason for which nobody took the archive. */
        if (end < 0 && (r == 0 || r == -EPIPE)) {
                *err = why;
                r = end;
        }
        return r;
}

static int from_container(Cp *cp, Error *err) {
        _cleanup_(cp_end_done) CpEnd source = {};
        _cleanup_(stat_done) RemoteStat stat = {};
        _cleanup_free_ char *url = NULL;
        _cleanup_reply_ HttpReply *reply = NULL;
        bool to_output = str_equal(cp->destination, "-");
        int r = to_output ? 0 : set_output(cp, err);

        if (r < 0)
                return r;
        cp->doing = "Copying from container";
        find_remote_source(cp, &source);
        url = archive_path(cp, source.path);
        r = api_call(cp->cli, "GET", url, NULL, &reply, err);
        if (r == 0)
                r = read_stat(reply, &stat, err);
        if (r < 0)
                return r;
        if (to_output)
                return pump_reply(cp, reply, STDOUT_FILENO, err);
        source.directory = stat.mode & GO_DIRECTORY;
        r = unpack_reply(cp, reply, &source, err);
        show_end(cp, NULL, cp->destination, r == 0);
        return r;
}

/* ---- to a container ---- */

/* Where there is nothing, the parent may be: the daemon says. */
static int find_remote_destination(const Cp *cp, CpEnd *ret, Error *err) {
        _cleanup_(stat_done) RemoteStat stat = {};
        _cleanup_free_ char *target = NULL;
        int r;

        ret->path = str_copy(cp->destination);
        r = ask_stat(cp, ret->path, &stat, NULL);
        if (r == 0 && stat.mode & GO_LINK) {
                target = cp_path_join_link(ret->path, stat.link ?: "");
                str_replace(&ret->path, target);
                stat_done(&stat);
                r = ask_stat(cp, ret->path, &stat, NULL);
        }
        if (r < 0)
                return 0;
        if (stat.mode & GO_DEVICE)
                return error_kind(
                        err, ERROR_INVALID,
                        "destination \"%s:%s\" must be a directory or a regular file: got "
                        "a device",
                        cp->container, cp->destination);
        ret->exists = true;
        ret->directory = stat.mode & GO_DIRECTORY;
        return 0;
}

static int send_archive(Cp *cp, const char *directory, int fd, Error *err) {
        _cleanup_free_ char *url = archive_path(cp, directory);
        _cleanup_reply_ HttpReply *reply = NULL;
        HttpRequest request = { .method = "PUT",
                                .body_fd = fd,
                                .has_body_fd = true,
                                .answer_ends_body = true,
                                .content_type = "application/x-tar" };

        path_query(&url, "noOverwriteDirNonDir", "true");
        if (cp->options->archive)
                path_query(&url, "copyUIDGID", "true");
        return api_send(cp->cli, &request, url, &reply, err);
}

/* Counts what goes through. */
typedef struct Counter {
        Cp *cp;
        int in_fd, out_fd;
        pthread_t thread;
} Counter;

static void *run_counter(void *data) {
        Counter *counter = data;
        _cleanup_free_ char *bytes = NEW_ARRAY(char, CHUNK);
        ssize_t got;

        while ((got = read(counter->in_fd, bytes, CHUNK)) > 0 || (got < 0 && errno == EINTR)) {
                if (got < 0)
                        continue;
                if (fd_write_full(counter->out_fd, bytes, (size_t)got) < 0)
                        break;
                count(counter->cp, (size_t)got);
        }
        close_fd(&counter->out_fd);
        close_fd(&counter->in_fd); /* whoever packs hears of it if nobody reads any more */
        return NULL;
}

static int send_counted(Cp *cp, const char *directory, LocalCopy *local, Error *err) {
        Counter counter = { .cp = cp };
        _cleanup_close_ int fd = -1;
        int ends[2], r;

        if (pipe(ends) < 0)
                return error_set(err, errno, "make a pipe");
        fd = ends[0];
        counter.in_fd = TAKE_FD(local->stream_fd);
        counter.out_fd = ends[1];
        r = pthread_create(&counter.thread, NULL, run_counter, &counter);
        if (r != 0) {
                close_fd(&counter.in_fd);
                close_fd(&counter.out_fd);
                return error_set(err, r, "start a thread");
        }
        r = send_archive(cp, directory, fd, err);
        close_fd(&fd);
        (void)pthread_join(counter.thread, NULL);
        return r;
}

static int pack_and_send(Cp *cp, const CpEnd *source, const CpEnd *destination, Error *err) {
        _cleanup_free_ char *directory = NULL, *as = NULL, *parent = NULL, *name = NULL;
        LocalCopy local = { .stream_fd = -1, .error_fd = -1 };
        Error why = {};
        int end, r = cp_plan(source, destination, &directory, &as, err);

        if (r < 0)
                return r;
        cp_path_split(source->path, &parent, &name);
        r = local_pack(parent, name, as ?: source->name ?: name, &local, err);
        if (r < 0)
                return r;
        r = send_counted(cp, directory, &local, err);
        end = local_end(&local, &why);
        /* A file that can't be read is the reason for which the daemon got half an archive. */
        if (end < 0 && end != -EPIPE) {
                *err = why;
                r = end;
        }
        return r;
}

static int to_container(Cp *cp, Error *err) {
        _cleanup_(cp_end_done) CpEnd source = {}, destination = {};
        int r = find_remote_destination(cp, &destination, err);

        if (r < 0)
                return r;
        cp->doing = "Copying to container";
        if (str_equal(cp->source, "-")) {
                if (!destination.directory)
                        return error_kind(err, ERROR_INVALID,
                                          "destination \"%s:%s\" must be a directory",
                                          cp->container, cp->destination);
                return send_archive(cp, destination.path, STDIN_FILENO, err);
        }
        r = cp_local_source(cp->source, cp->follow, &source, err);
        if (r == 0)
                r = pack_and_send(cp, &source, &destination, err);
        show_end(cp, cp->container, destination.path, r == 0);
        return r;
}

/* ---- the command ---- */

static int run_cp(Cli *cli, const Options *options, Error *err) {
        const CpOptions *o = options->values;
        _cleanup_(cp_done) Cp cp = { .cli = cli, .options = o, .follow = o->follow };
        _cleanup_free_ char *from = NULL, *to = NULL;

        if (!*options->arguments[0] || !*options->arguments[1])
                return error_kind(err, ERROR_INVALID, "%s can not be empty",
                                  *options->arguments[0] ? "destination" : "source");
        cp.quiet = options_given(options, "quiet") ? o->quiet : !isatty(STDOUT_FILENO);
        cp_argument_split(options->arguments[0], &from, &cp.source);
        cp_argument_split(options->arguments[1], &to, &cp.destination);
        if (from && to)
                return error_kind(err, ERROR_INVALID,
                                  "copying between containers is not supported");
        if (!from && !to)
                return error_kind(err, ERROR_INVALID, "must specify at least one container source");
        (void)signal(SIGPIPE, SIG_IGN); /* who stops reading says why by other means */
        cp.shown_at = clock_monotonic();
        cp.container = str_copy(from ?: to);
        return from ? from_container(&cp, err) : to_container(&cp, err);
}

const Command cp_command = { "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-",
                             "Copy files between a container and the host",
                             { cp_rows, ELEMENTS(cp_rows), sizeof(CpOptions) },
                             run_cp,
                             2,
                             2 };
