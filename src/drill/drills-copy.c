/* drills-copy.c: a drill that looks at the process which copies into a container while it does. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "drill/drill.h"

#define PATIENCE (10 * NSEC_PER_SEC)
#define FILE_BYTES ((size_t)2 << 20)

/* A copy that has begun, and goes on until the connection is closed: half an archive. It ends up in
 * the container, more than pipes hold. */
static int begin_copy(Cli *cli, const char *id, int *ret, Error *err) {
        const struct timeval patience = { .tv_sec = PATIENCE / NSEC_PER_SEC };
        _cleanup_close_ int fd = http_client_dial(cli->http, err);
        _cleanup_free_ char *zeros = alloc_zero(FILE_BYTES, 1);
        _cleanup_buf_ Buf request = {}, tar = {};
        int r;

        if (fd < 0)
                return fd;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        tar_add(&tar, &(TarEntry){ "tmp/big", NULL, TAR_FILE, 0644, zeros, FILE_BYTES, NULL });
        buf_format(&request,
                   "PUT /containers/%s/archive?path=/ HTTP/1.1\r\nHost: brig\r\n"
                   "Content-Type: application/x-tar\r\nContent-Length: %zu\r\n\r\n",
                   id, 2 * tar.length);
        buf_add(&request, tar.data, tar.length);
        r = fd_write_full(fd, request.data, request.length);
        if (r < 0)
                return error_set(err, -r, "send half of a copy");
        *ret = TAKE_FD(fd);
        return 0;
}

static bool same_mounts(pid_t one, pid_t two) {
        _cleanup_free_ char *first = str_format("/proc/%d/ns/mnt", (int)one);
        _cleanup_free_ char *second = str_format("/proc/%d/ns/mnt", (int)two);
        struct stat a, b;

        return stat(first, &a) < 0 || stat(second, &b) < 0 || a.st_ino == b.st_ino;
}

/* The mounts of a child of the daemon that has a mount namespace of its own, in which there is no
 * device: proc(5). The caller's; NULL: it is none. */
static char *mounts_of_copy(pid_t daemon, const char *name) {
        _cleanup_free_ char *stat_path = str_format("/proc/%s/stat", name), *stat_text = NULL;
        _cleanup_free_ char *path = str_format("/proc/%s/mountinfo", name), *text = NULL;
        char program[17];
        Error ignored = {};
        int pid, parent;

        if (file_read_at(AT_FDCWD, stat_path, 4096, &stat_text, NULL, &ignored) < 0 ||
            sscanf(stat_text, "%d (%16[^)]) %*c %d", &pid, program, &parent) != 3 ||
            parent != daemon || !str_equal(program, "brig-image") || same_mounts(daemon, pid) ||
            file_read_at(AT_FDCWD, path, 1 << 20, &text, NULL, &ignored) < 0 ||
            !strstr(text, "nodev"))
                return NULL;
        return TAKE_PTR(text);
}

static char *find_mounts(pid_t daemon) {
        _cleanup_(cleanup_closedirp) DIR *dir = opendir("/proc");
        const struct dirent *entry;
        char *mounts = NULL;

        while (dir && !mounts && (entry = readdir(dir)))
                if (entry->d_name[0] > '0' && entry->d_name[0] <= '9')
                        mounts = mounts_of_copy(daemon, entry->d_name);
        return mounts;
}

/* Where programs may run and libraries may be loaded. */
static void look_at_mounts(const char *text, Buf *got) {
        _cleanup_strv_ char **lines = str_split(text, '\n');
        char place[4096], options[4096];

        for (char *const *line = lines; line && *line; line++)
                if (sscanf(*line, "%*s %*s %*s %*s %4095s %4095s", place, options) == 2 &&
                    !strstr(options, "noexec"))
                        buf_format(got, "a copy can load what is at the container's %s\n", place);
}

/* What a copy would load of a container is seen from what it can load. */
static int look_at_copy(Attempt *attempt, const char *id, Error *err) {
        int64_t end = clock_monotonic() + PATIENCE;
        _cleanup_free_ char *mounts = NULL;
        _cleanup_close_ int fd = -1;
        int r = begin_copy(attempt->cli, id, &fd, err);

        while (r == 0 && !mounts && clock_monotonic() < end) {
                mounts = find_mounts(attempt->host->daemon);
                if (!mounts)
                        (void)poll(NULL, 0, 10);
        }
        if (r == 0 && !mounts)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "no process of the daemon's was seen to copy");
        if (r == 0)
                look_at_mounts(mounts, attempt->got);
        return r;
}

static int run_programs(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);
        _cleanup_free_ char *id = NULL;
        int r = box_begin(attempt->cli, request, &id, err);

        return r < 0 ? r : box_end(attempt->cli, id, look_at_copy(attempt, id, err), err);
}

static const Drill drills[] = {
        { "copy-programs", "CVE-2019-14271", "Libraries of a container, seen by who copies into it",
          "report it: a copy can load what a container has", run_programs, "wait" },
};

const DrillSet copy_drills = { drills, ELEMENTS(drills) };
