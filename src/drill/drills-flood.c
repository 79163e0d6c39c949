/* drills-flood.c: drills that ask for more than they take: output that nobody reads, attaches that
 * nobody ends. What holds a container's streams, the daemon and its monitor, stays as it is. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "drill/drill.h"

#define UNREAD_EXECS 4
#define READ_BYTES ((int64_t)12 << 20)
#define MORE_KIB (32 << 10) /* of memory, for all the rest */
#define MORE_THREADS 16
#define ATTACHES 100
#define ATTACHES_EARLY 300 /* more than may wait for one container's start */
#define PATIENCE (10 * NSEC_PER_SEC)
#define SETTLE (5 * NSEC_PER_SEC)

/* ---- what a process uses ---- */

typedef struct Usage {
        int64_t kib, threads, descriptors;
} Usage;

/* proc(5), /proc/PID/status. */
static int64_t status_number(const char *text, const char *name) {
        const char *at = text ? strstr(text, name) : NULL;

        return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static int read_status(pid_t pid, char **ret, Error *err) {
        _cleanup_free_ char *path = str_format("/proc/%d/status", (int)pid);

        return file_read_at(AT_FDCWD, path, 65536, ret, NULL, err);
}

static int usage_of(pid_t pid, Usage *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **descriptors = host_descriptors(pid);
        int r = read_status(pid, &text, err);

        if (r < 0)
                return r;
        *ret = (Usage){ status_number(text, "\nVmRSS:"), status_number(text, "\nThreads:"),
                        (int64_t)strv_length(descriptors) };
        return 0;
}

/* Who has it: the daemon, and the container's monitor, the parent of its first process. */
typedef struct Holder {
        const char *name;
        pid_t pid;
        Usage before;
} Holder;
#define HOLDERS 2

static int find_holders(const Attempt *attempt, const char *id, Holder ret[HOLDERS], Error *err) {
        _cleanup_free_ char *path = str_format("/containers/%s/json", id), *text = NULL;
        _cleanup_json_ json_object *answer = NULL;
        int64_t parent = -1;
        int r = api_json(attempt->cli, "GET", path, NULL, &answer, err);

        if (r == 0)
                r = read_status((pid_t)json_number(json_member(answer, "State"), "Pid"), &text,
                                err);
        if (r < 0)
                return r;
        parent = status_number(text, "\nPPid:");
        if (parent <= 1 || parent > INT_MAX)
                return error_kind(err, ERROR_UNSUPPORTED, "the container has no monitor");
        ret[0] = (Holder){ .name = "the daemon", .pid = attempt->host->daemon };
        ret[1] = (Holder){ .name = "the container's monitor", .pid = (pid_t)parent };
        for (size_t i = 0; r == 0 && i < HOLDERS; i++)
                r = usage_of(ret[i].pid, &ret[i].before, err);
        return r;
}

static int look_for_more(const Holder *holder, Buf *got, Error *err) {
        Usage now;
        int r = usage_of(holder->pid, &now, err);

        if (r < 0)
                return r;
        if (now.kib > holder->before.kib + MORE_KIB)
                buf_format(got, "%s keeps output that nobody takes: it grew by %lld MiB\n",
                           holder->name, (long long)(now.kib - holder->before.kib) >> 10);
        if (now.threads > holder->before.threads + MORE_THREADS)
                buf_format(got, "%s has %lld threads more\n", holder->name,
                           (long long)(now.threads - holder->before.threads));
        return 0;
}

/* Within some seconds: a client's end is noticed, not told. */
static int look_for_descriptors(const Holder *holder, Buf *got, Error *err) {
        int64_t end = clock_monotonic() + SETTLE;
        Usage now = {};
        int r = usage_of(holder->pid, &now, err);

        while (r == 0 && now.descriptors > holder->before.descriptors && clock_monotonic() < end) {
                (void)poll(NULL, 0, 50);
                r = usage_of(holder->pid, &now, err);
        }
        if (r == 0 && now.descriptors > holder->before.descriptors)
                buf_format(got, "%s keeps %lld descriptors of clients that have gone\n",
                           holder->name, (long long)(now.descriptors - holder->before.descriptors));
        return r;
}

/* ---- streams ---- */

/* A connection that the engine hands over: the caller's. */
static int open_stream(Cli *cli, const char *path, const char *body, int *ret, Error *err) {
        HttpRequest request = { .method = "POST",
                                .upgrade = true,
                                .content_type = "application/json",
                                .body = body,
                                .length = strlen(body) };
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf early = {};
        int r = api_send(cli, &request, path, &reply, err);

        if (r < 0)
                return r;
        *ret = http_reply_take_stream(reply, &early);
        return *ret < 0 ? error_kind(err, ERROR_INTERNAL, "POST %s gives no stream", path) : 0;
}

static int open_flood(Cli *cli, const char *id, int *ret, Error *err) {
        _cleanup_json_ json_object *request = json_object_new_object(), *created = NULL;
        _cleanup_free_ char *path = str_format("/containers/%s/exec", id), *start = NULL;
        int r;

        (void)json_object_object_add(request, "AttachStdout", json_object_new_boolean(true));
        (void)json_object_object_add(request, "Cmd", box_words("/guest", "flood"));
        r = api_json(cli, "POST", path, request, &created, err);
        if (r < 0)
                return r;
        start = str_format("/exec/%s/start", json_words(created, "Id"));
        return open_stream(cli, start, "{\"Detach\":false}", ret, err);
}

static int read_flood(int fd, int64_t bytes, Error *err) {
        static char data[65536];
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

        while (bytes > 0) {
                ssize_t n = poll(&poll_fd, 1, (int)(PATIENCE / NSEC_PER_MSEC)) == 1
                                    ? read(fd, data, sizeof(data))
                                    : -1;

                if (n <= 0)
                        return error_kind(err, ERROR_INTERNAL, "the flood ended %lld bytes early",
                                          (long long)bytes);
                bytes -= n;
        }
        return 0;
}

/* Others are served meanwhile. */
static int run_beside(const Attempt *attempt, const char *id, Error *err) {
        _cleanup_(box_end_done) BoxEnd end = {};
        int r = box_exec(attempt->cli, id, box_words("/guest", "directory"), NULL, &end, err);

        if (r == 0 && (end.refused || end.code != 0))
                return error_kind(err, ERROR_INTERNAL, "another exec did not run: %s (code %d)",
                                  end.output, end.code);
        return r;
}

/* ---- the drills ---- */

/* One is read, which shows that the others could have flowed as far. */
static int flood_execs(Attempt *attempt, const char *id, Error *err) {
        int fds[1 + UNREAD_EXECS] = { [0 ... UNREAD_EXECS] = -1 };
        Holder holders[HOLDERS] = {};
        int r = run_beside(attempt, id, err);

        if (r == 0)
                r = find_holders(attempt, id, holders, err);
        for (size_t i = 0; r == 0 && i < ELEMENTS(fds); i++)
                r = open_flood(attempt->cli, id, &fds[i], err);
        if (r == 0)
                r = read_flood(fds[0], READ_BYTES, err);
        if (r == 0)
                r = run_beside(attempt, id, err);
        for (size_t i = 0; r == 0 && i < HOLDERS; i++)
                r = look_for_more(&holders[i], attempt->got, err);
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                close_fd(&fds[i]);
        return r;
}

static int run_flood(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);
        _cleanup_free_ char *id = NULL;
        int r = box_begin(attempt->cli, request, &id, err);

        return r < 0 ? r : box_end(attempt->cli, id, flood_execs(attempt, id, err), err);
}

static int attach_and_leave(const Attempt *attempt, const char *id, int times, Error *err) {
        _cleanup_free_ char *path =
                str_format("/containers/%s/attach?stream=1&stdout=1&stderr=1", id);
        int r = 0;

        for (int i = 0; r == 0 && i < times; i++) {
                _cleanup_close_ int fd = -1;

                r = open_stream(attempt->cli, path, "", &fd, err);
        }
        return r;
}

/* To a container that says nothing: only the client's end tells of it. */
static int abandon_attaches(Attempt *attempt, const char *id, Error *err) {
        Holder holders[HOLDERS] = {};
        int r = attach_and_leave(attempt, id, 1, err);

        if (r == 0)
                r = find_holders(attempt, id, holders, err);
        if (r == 0)
                r = attach_and_leave(attempt, id, ATTACHES, err);
        for (size_t i = 0; r == 0 && i < HOLDERS; i++) {
                r = look_for_more(&holders[i], attempt->got, err);
                if (r == 0)
                        r = look_for_descriptors(&holders[i], attempt->got, err);
        }
        return r;
}

/* Those who wait for a start and leave are no reason to refuse another. */
static int run_early_attaches(Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, "directory");
        _cleanup_free_ char *id = NULL;
        int r = box_create(attempt->cli, request, &id, err);

        return r < 0 ? r
                     : box_end(attempt->cli, id, attach_and_leave(attempt, id, ATTACHES_EARLY, err),
                               err);
}

static int run_attaches(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);
        _cleanup_free_ char *id = NULL;
        int r = box_begin(attempt->cli, request, &id, err);

        if (r == 0)
                r = box_end(attempt->cli, id, abandon_attaches(attempt, id, err), err);
        return r < 0 ? r : run_early_attaches(attempt, err);
}

static const Drill drills[] = {
        { "exec-flood", "", "The output of several execs that nobody reads",
          "report it: output that is not taken is kept without bound", run_flood, "wait" },
        { "attaches", "", "Attaches that are abandoned, before a start and after it",
          "report it: clients that have gone are kept", run_attaches, "wait" },
};

const DrillSet flood_drills = { drills, ELEMENTS(drills) };
