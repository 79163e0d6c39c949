/* command-events.c: events prints a container's use of resources, once or at intervals, and each
 * time that the kernel kills one of its processes for want of memory, in runc's words, which
 * containerd reads. What a hierarchy lacks is 0 or left out. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "os/cgroup.h"
#include "os/pidfd.h"
#include "runtime/cli.h"

static const CommandOption events_options[] = {
        { "interval", 0, OPTION_TEXT, offsetof(Options, interval),
          "time between two reports, as 500ms, 5s, 1m (default: 5s)" },
        { "stats", 0, OPTION_FLAG, offsetof(Options, stats), "print one report and end" },
        {},
};

/* ---- numbers from the groups' files ---- */

static uint64_t number_in(const char *cgroup, const char *controller, const char *file) {
        _cleanup_free_ char *text = NULL;
        uint64_t number;

        if (cgroup_read(cgroup, controller, file, &text, NULL) < 0 ||
            str_to_uint64(str_trim(text), &number) < 0)
                return 0;
        return number;
}

/* The number after "key " in a file of lines. */
static uint64_t number_of(const char *text, const char *key) {
        for (const char *line = text; line && *line;
             line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                const char *value = str_after(line, key);
                _cleanup_free_ char *digits = NULL;
                uint64_t number;

                if (!value || *value != ' ')
                        continue;
                digits = str_copy_n(value + 1, strspn(value + 1, "0123456789"));
                return str_to_uint64(digits, &number) < 0 ? 0 : number;
        }
        return 0;
}

static char *text_in(const char *cgroup, const char *controller, const char *file) {
        char *text = NULL;

        return cgroup_read(cgroup, controller, file, &text, NULL) < 0 ? str_copy("") : text;
}

static void add_number(Buf *to, const char *name, uint64_t number) {
        buf_format(to, "%s\"%s\":%llu", to->data[to->length - 1] == '{' ? "" : ",", name,
                   (unsigned long long)number);
}

/* ---- the parts of a report ---- */

static void add_per_cpu(Buf *to, const char *cgroup) {
        _cleanup_free_ char *text = text_in(cgroup, "cpuacct", "cpuacct.usage_percpu");
        _cleanup_strv_ char **words = str_split(str_trim(text), ' ');

        if (str_empty(text))
                return;
        buf_add_str(to, ",\"percpu\":[");
        for (size_t i = 0; words && words[i]; i++)
                buf_format(to, "%s%s", i ? "," : "", words[i]);
        buf_add_char(to, ']');
}

static void add_cpu(Buf *to, const char *cgroup, const CgroupStats *stats, bool v2) {
        _cleanup_free_ char *text = text_in(cgroup, "cpu", "cpu.stat");

        buf_add_str(to, "\"cpu\":{\"usage\":{");
        add_number(to, "total", stats->cpu_total);
        if (!v2)
                add_per_cpu(to, cgroup);
        add_number(to, "kernel", stats->cpu_system);
        add_number(to, "user", stats->cpu_user);
        buf_add_str(to, "},\"throttling\":{");
        add_number(to, "periods", number_of(text, "nr_periods"));
        add_number(to, "throttledPeriods", number_of(text, "nr_throttled"));
        add_number(to, "throttledTime",
                   v2 ? number_of(text, "throttled_usec") * 1000
                      : number_of(text, "throttled_time"));
        buf_add_str(to, "}},");
}

static void add_memory_entry(Buf *to, const char *name, const char *cgroup, const char *prefix,
                             bool v2) {
        static const char *const v1_files[] = { "limit_in_bytes", "usage_in_bytes",
                                                "max_usage_in_bytes", "failcnt" },
                                 *const v2_files[] = { "max", "current", "peak", NULL },
                                 *const names[] = { "limit", "usage", "max", "failcnt" };
        const char *const *files = v2 ? v2_files : v1_files;

        buf_format(to, "\"%s\":{", name);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                _cleanup_free_ char *file = files[i] ? str_format("%s.%s", prefix, files[i]) : NULL;

                add_number(to, names[i], file ? number_in(cgroup, "memory", file) : 0);
        }
        buf_add_str(to, "},");
}

/* memory.stat as it is. */
static void add_raw(Buf *to, const char *text) {
        _cleanup_strv_ char **lines = str_split(text, '\n');

        buf_add_str(to, "\"raw\":{");
        for (char **line = lines; line && *line; line++) {
                size_t length = strcspn(*line, " ");
                _cleanup_free_ char *key = str_copy_n(*line, length);

                if ((*line)[length] == ' ')
                        add_number(to, key, number_of(*line, key));
        }
        buf_add_str(to, "}},");
}

static void add_memory(Buf *to, const char *cgroup, bool v2) {
        _cleanup_free_ char *text = text_in(cgroup, "memory", "memory.stat");

        buf_add_str(to, "\"memory\":{");
        add_number(to, "cache", number_of(text, v2 ? "file" : "cache"));
        buf_add_char(to, ',');
        add_memory_entry(to, "usage", cgroup, "memory", v2);
        add_memory_entry(to, "swap", cgroup, v2 ? "memory.swap" : "memory.memsw", v2);
        if (!v2) {
                add_memory_entry(to, "kernel", cgroup, "memory.kmem", false);
                add_memory_entry(to, "kernelTCP", cgroup, "memory.kmem.tcp", false);
        }
        add_raw(to, text);
}

/* One line of blkio.throttle.…: "8:0 Read 4096"; of io.stat: "8:0 rbytes=4096 wbytes=0 …". */
static void add_io_entry(Buf *to, uint64_t major_, uint64_t minor_, const char *operation,
                         const char *value) {
        uint64_t number;

        if (str_to_uint64(value, &number) < 0)
                return;
        buf_format(to, "%s{\"major\":%llu,\"minor\":%llu,\"op\":",
                   to->data[to->length - 1] == '[' ? "" : ",", (unsigned long long)major_,
                   (unsigned long long)minor_);
        json_add_quoted(to, operation);
        buf_format(to, ",\"value\":%llu}", (unsigned long long)number);
}

static bool device_of(const char *word, uint64_t *ret_major, uint64_t *ret_minor) {
        _cleanup_strv_ char **parts = str_split(word, ':');

        return strv_length(parts) == 2 && str_to_uint64(parts[0], ret_major) == 0 &&
               str_to_uint64(parts[1], ret_minor) == 0;
}

static void add_io_line(Buf *to, const char *line, const char *read_key, const char *write_key) {
        _cleanup_strv_ char **words = str_split(line, ' ');
        uint64_t major_, minor_;

        if (!words || !words[0] || !device_of(words[0], &major_, &minor_))
                return;
        if (!read_key && words[1] && words[2])
                add_io_entry(to, major_, minor_, words[1], words[2]);
        for (char **word = words + 1; read_key && *word; word++) {
                const char *read = str_after(*word, read_key),
                           *written = str_after(*word, write_key);

                if (read)
                        add_io_entry(to, major_, minor_, "Read", read);
                if (written)
                        add_io_entry(to, major_, minor_, "Write", written);
        }
}

static void add_io_list(Buf *to, const char *name, const char *text, const char *read_key,
                        const char *write_key) {
        _cleanup_strv_ char **lines = str_split(text, '\n');

        buf_format(to, "\"%s\":[", name);
        for (char **line = lines; line && *line; line++)
                add_io_line(to, *line, read_key, write_key);
        buf_add_char(to, ']');
}

static void add_io(Buf *to, const char *cgroup, bool v2) {
        _cleanup_free_ char *bytes = text_in(cgroup, v2 ? "" : "blkio",
                                             v2 ? "io.stat" : "blkio.throttle.io_service_bytes"),
                            *count = v2 ? str_copy(bytes)
                                        : text_in(cgroup, "blkio", "blkio.throttle.io_serviced");

        buf_add_str(to, "\"blkio\":{");
        add_io_list(to, "ioServiceBytesRecursive", bytes, v2 ? "rbytes=" : NULL, "wbytes=");
        buf_add_char(to, ',');
        add_io_list(to, "ioServicedRecursive", count, v2 ? "rios=" : NULL, "wios=");
        buf_add_str(to, "},");
}

static int print_report(const char *id, const char *cgroup, Error *err) {
        _cleanup_buf_ Buf text = {};
        CgroupStats stats = {};
        CgroupMode mode;
        int r = cgroup_mode(&mode, err);

        if (r == 0)
                r = cgroup_stats(cgroup, &stats, err);
        if (r < 0)
                return r;
        buf_add_str(&text, "{\"type\":\"stats\",\"id\":");
        json_add_quoted(&text, id);
        buf_add_str(&text, ",\"data\":{");
        add_cpu(&text, cgroup, &stats, mode == CGROUP_V2);
        add_memory(&text, cgroup, mode == CGROUP_V2);
        buf_add_str(&text, "\"pids\":{");
        add_number(&text, "current", stats.pids_current);
        add_number(&text, "limit", stats.pids_limit);
        buf_add_str(&text, "},");
        add_io(&text, cgroup, mode == CGROUP_V2);
        buf_add_str(&text, "\"hugetlb\":{},\"intel_rdt\":{},\"network_interfaces\":null}}");
        cgroup_stats_done(&stats);
        (void)puts(text.data);
        (void)fflush(stdout);
        return 0;
}

/* ---- watching ---- */

/* The kernel tells of a death for want of memory by changing a file: memory.events of version 2,
 * memory.oom_control of version 1, which it does not announce: it is read at each beat. */
typedef struct Watch {
        const char *id, *cgroup;
        uint64_t kills;
        int inotify_fd; /* -1: version 1 */
} Watch;

#define BEAT_NS (100 * 1000000LL)

static int watch_open(Watch *watch, Error *err) {
        _cleanup_free_ char *path = NULL;
        CgroupStats stats = {};
        CgroupMode mode;
        int r = cgroup_mode(&mode, err);

        if (r == 0)
                r = cgroup_stats(watch->cgroup, &stats, err);
        if (r < 0)
                return r;
        watch->kills = stats.oom_kills;
        cgroup_stats_done(&stats);
        if (mode != CGROUP_V2)
                return 0;
        path = str_format("/sys/fs/cgroup%s/memory.events", watch->cgroup);
        watch->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (watch->inotify_fd < 0 || inotify_add_watch(watch->inotify_fd, path, IN_MODIFY) < 0)
                return error_set(err, errno, "watch '%s'", path);
        return 0;
}

static void print_deaths(Watch *watch) {
        CgroupStats stats = {};
        char events[4096];

        if (watch->inotify_fd >= 0)
                while (read(watch->inotify_fd, events, sizeof(events)) > 0)
                        ;
        if (cgroup_stats(watch->cgroup, &stats, NULL) < 0)
                return; /* it is about to go */
        for (; watch->kills < stats.oom_kills; watch->kills++) {
                _cleanup_buf_ Buf text = {};

                buf_add_str(&text, "{\"type\":\"oom\",\"id\":");
                json_add_quoted(&text, watch->id);
                buf_add_char(&text, '}');
                (void)puts(text.data);
        }
        cgroup_stats_done(&stats);
        (void)fflush(stdout);
}

static int watch_loop(Watch *watch, int pidfd, int64_t interval, Error *err) {
        int64_t next = clock_monotonic() + interval;
        int r;

        for (;;) {
                struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN },
                                        { .fd = watch->inotify_fd, .events = POLLIN } };
                int64_t left = MAX(next - clock_monotonic(), 0);

                if (watch->inotify_fd < 0)
                        left = MIN(left, BEAT_NS);
                if (poll(fds, ELEMENTS(fds), (int)(left / 1000000 + 1)) < 0 && errno != EINTR)
                        return error_set(err, errno, "poll");
                print_deaths(watch);
                if (fds[0].revents)
                        return 0;
                if (clock_monotonic() < next)
                        continue;
                next += interval;
                r = print_report(watch->id, watch->cgroup, err);
                if (r < 0) /* its group may have gone with it */
                        return pidfd_wait_end(pidfd, 0) == 0 ? 0 : r;
        }
}

static int events(const Options *options, const char *id, const Record *record, int pidfd,
                  Error *err) {
        Watch watch = { .id = id, .cgroup = record->cgroup, .inotify_fd = -1 };
        int64_t interval = 5 * NSEC_PER_SEC;
        int r;

        if (options->interval &&
            (duration_parse(options->interval, &interval) < 0 || interval <= 0))
                return error_kind(err, ERROR_INVALID,
                                  "--interval '%s': duration interval must be greater than 0",
                                  options->interval);
        if (options->stats)
                return print_report(id, record->cgroup, err);
        r = watch_open(&watch, err);
        if (r == 0)
                r = watch_loop(&watch, pidfd, interval, err);
        close_fd(&watch.inotify_fd);
        return r;
}

static int run_events(const Options *options, char **words, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        ContainerStatus status = STATUS_STOPPED;
        Record record = {};
        int r = record_load(options, words[0], &record, &dir_fd, &pidfd, &status, err);

        if (r == 0 && status == STATUS_STOPPED)
                r = error_kind(err, ERROR_CONFLICT, "container with id %s is not running",
                               words[0]);
        if (r == 0)
                r = events(options, words[0], &record, pidfd, err);
        record_done(&record);
        return r;
}

const Command command_events = { "events",
                                 "<container-id>",
                                 "print use of resources, and deaths for want of memory",
                                 1,
                                 1,
                                 events_options,
                                 run_events };
