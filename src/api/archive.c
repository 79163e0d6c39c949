/* archive.c: GET, HEAD and PUT of /containers/{id}/archive: files of a container as tar archives.
 * The engine moves the bytes; here they are tied to the connection. */
#include <sys/stat.h>

#include "api/stream.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"

#define STAT_HEADER "X-Docker-Container-Path-Stat"

/* Go's os.FileMode. */
static const struct {
        mode_t type;
        uint64_t bits;
} go_types[] = {
        { S_IFDIR, 1u << 31 }, { S_IFLNK, 1u << 27 },  { S_IFBLK, 1u << 26 },
        { S_IFIFO, 1u << 25 }, { S_IFSOCK, 1u << 24 }, { S_IFCHR, 1u << 26 | 1u << 21 },
};

static uint64_t go_mode(mode_t mode) {
        uint64_t bits = mode & 0777;

        for (size_t i = 0; i < ELEMENTS(go_types); i++)
                if ((mode & S_IFMT) == go_types[i].type)
                        bits |= go_types[i].bits;
        bits |= mode & S_ISUID ? 1u << 23 : 0;
        bits |= mode & S_ISGID ? 1u << 22 : 0;
        bits |= mode & S_ISVTX ? 1u << 20 : 0;
        return bits;
}

static void say_stat(ApiRequest *request, const CopyStat *stat) {
        char when[CLOCK_TEXT_MAX];
        _cleanup_buf_ Buf json = { 0 };
        _cleanup_free_ char *text = NULL;

        buf_add_str(&json, "{\"name\":");
        json_add_quoted(&json, stat->name);
        buf_format(&json, ",\"size\":%lld,\"mode\":%llu,\"mtime\":\"%s\",\"linkTarget\":",
                   (long long)stat->size, (unsigned long long)go_mode((mode_t)stat->mode),
                   clock_format_known(stat->time, when));
        json_add_quoted(&json, stat->link ?: "");
        buf_add_char(&json, '}');
        text = base64_encode(json.data, json.length);
        http_header(request->exchange, STAT_HEADER, text);
}

static int find_path(const ApiRequest *request, const char **ret, Error *err) {
        *ret = api_query(request, "path");
        return str_empty(*ret)
                       ? error_kind(err, ERROR_INVALID, "bad parameter: path cannot be empty")
                       : 0;
}

int on_archive_stat(ApiRequest *request, Error *err) {
        CopyStat stat = { 0 };
        const char *path;
        int r = find_path(request, &path, err);

        if (r == 0)
                r = engine_copy_stat(request->engine, api_name(request), path,
                                     http_request_socket(request->exchange), &stat, err);
        if (r < 0)
                return r;
        say_stat(request, &stat);
        copy_stat_done(&stat);
        return api_answer_empty(request, 200);
}

int on_archive_get(ApiRequest *request, Error *err) {
        _cleanup_(engine_copy_freep) EngineCopy *copy = NULL;
        _cleanup_close_ int fd = -1;
        CopyStat stat = { 0 };
        const char *path;
        int r = find_path(request, &path, err);

        if (r == 0)
                r = engine_copy_out(request->engine, api_name(request), path,
                                    http_request_socket(request->exchange), &stat, &fd, &copy, err);
        if (r < 0)
                return r;
        say_stat(request, &stat);
        copy_stat_done(&stat);
        r = api_send_archive(request, "application/x-tar", fd);
        close_fd(&fd); /* a client that left ends the copy */
        if (r == 0)
                r = engine_copy_out_end(copy, err);
        if (r < 0 && http_answered(request->exchange))
                http_abort(request->exchange);
        return r;
}

int on_archive_put(ApiRequest *request, Error *err) {
        CopyInOptions options = { .as_user = api_flag(request, "copyUIDGID"),
                                  .keep_types = api_flag(request, "noOverwriteDirNonDir") };
        _cleanup_close_ int fd = -1;
        int r = find_path(request, &options.path, err);

        if (r == 0)
                r = http_request_body_fd(request->exchange, &fd, err);
        if (r == 0)
                r = engine_copy_in(request->engine, api_name(request), &options, fd,
                                   http_request_socket(request->exchange), err);
        close_fd(&fd);
        return r < 0 ? r : api_answer_empty(request, 200);
}
