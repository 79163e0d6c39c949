/* host.c: the host as it is: what no drill may change. The daemon's namespaces are the daemon's
 * process's; its files are reached through its root. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "drill/drill.h"
#include "format/digest.h"
#include "os/procfs.h"

#define FILE_MAX ((size_t)64 << 20)
#define DEPTH_MAX 12
#define PROGRAMS_MAX 16
#define SETTLE (5 * NSEC_PER_SEC)
#define UNREAD "unread file "
#define PIDFILE "/run/brig/brigd.pid" /* brigd's default */

/* ---- begin and end ---- */

/* By its program's name, to which proc(5) adds whether the file has been replaced since. */
static bool is_brigd(pid_t pid) {
        static const char *const names[] = { "brigd", "brigd (deleted)", NULL };
        _cleanup_free_ char *link = str_format("/proc/%d/exe", (int)pid);
        char program[4096];
        ssize_t length = readlink(link, program, sizeof(program) - 1);
        const char *slash;

        program[MAX(length, 0)] = '\0';
        slash = strrchr(program, '/');
        return slash && strv_has((char *const *)names, slash + 1);
}

static bool read_pidfile(pid_t *ret) {
        _cleanup_free_ char *text = NULL;
        Error ignored = {};

        return file_read_at(AT_FDCWD, PIDFILE, 64, &text, NULL, &ignored) == 0 &&
               str_to_int_in(str_trim(text), 1, INT_MAX, ret) == 0;
}

char **host_descriptors(pid_t pid) {
        _cleanup_free_ char *path = str_format("/proc/%d/fd", (int)pid);
        _cleanup_(cleanup_closedirp) DIR *dir = opendir(path);
        const struct dirent *entry;
        char target[PATH_MAX], **list = NULL;

        while (dir && (entry = readdir(dir))) {
                ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

                target[MAX(length, 0)] = '\0';
                if (length > 0)
                        strv_add(&list, target);
        }
        return list;
}

/* Whether a descriptor of the process is the socket. */
static bool has_socket(pid_t pid, unsigned long inode) {
        _cleanup_free_ char *wanted = str_format("socket:[%lu]", inode);
        _cleanup_strv_ char **descriptors = host_descriptors(pid);

        return strv_has(descriptors, wanted);
}

/* Whether the process listens on the socket, by whatever path it or its opener has bound it:
 * proc(5), /proc/net/unix, whose flag 0x10000 is a socket that listens. */
static bool listens(pid_t pid, const char *socket_path) {
        _cleanup_free_ char *table = str_format("/proc/%d/net/unix", (int)pid);
        _cleanup_(cleanup_fclosep) FILE *file = fopen(table, "re");
        char line[4096], bound[sizeof(line)];
        struct stat ours, theirs;
        unsigned long inode;
        unsigned flags;

        if (!file || stat(socket_path, &ours) < 0)
                return false;
        while (fgets(line, sizeof(line), file)) {
                _cleanup_free_ char *path = NULL;

                if (sscanf(line, "%*s %*s %*s %x %*s %*s %lu %4095s", &flags, &inode, bound) != 3 ||
                    !(flags & 0x10000) || bound[0] != '/')
                        continue;
                path = str_format("/proc/%d/root%s", (int)pid, bound);
                if (stat(path, &theirs) == 0 && theirs.st_dev == ours.st_dev &&
                    theirs.st_ino == ours.st_ino && has_socket(pid, inode))
                        return true;
        }
        return false;
}

/* Who listens on the socket: unix(7), SO_PEERCRED. Where systemd opened the socket that is systemd,
 * and the daemon's own file says which process it is. */
static int find_daemon(Cli *cli, pid_t *ret, Error *err) {
        struct ucred peer = {};
        pid_t pid = -1;
        socklen_t length = sizeof(peer);
        int r = cli_connect(cli, err);
        _cleanup_close_ int fd = r < 0 ? -1 : http_client_dial(cli->http, err);

        if (r < 0 || fd < 0)
                return r < 0 ? r : fd;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.pid <= 0)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "the daemon at %s is not a process of this host", cli->host);
        pid = peer.pid;
        if (!is_brigd(pid) && (!read_pidfile(&pid) || !is_brigd(pid) ||
                               !listens(pid, str_after(cli->host, "unix://"))))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "process %d, which opened the daemon's socket %s, is no brigd, "
                                  "and " PIDFILE " names none that listens there: give brigd "
                                  "--pidfile " PIDFILE,
                                  (int)peer.pid, cli->host);
        *ret = pid;
        return 0;
}

/* What cannot be read is the same before and after, whatever is done to it. */
static int check_readable(const Host *host, Error *err) {
        _cleanup_strv_ char **list = host_snapshot(host);

        for (char *const *line = list; line && *line; line++)
                if (str_after(*line, UNREAD))
                        return error_kind(err, ERROR_INTERNAL, "the host cannot be watched: %s",
                                          *line);
        return 0;
}

static int put_canary(const char *directory, Error *err) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? error_set(err, errno, "open '%s'", directory)
                      : file_replace_at(fd, "canary", CANARY, strlen(CANARY), 0600, false, err);
}

int host_renew(const Host *host, Error *err) {
        int r = dir_remove_at(AT_FDCWD, host->directory, err);

        if (r < 0)
                return r;
        if (mkdir(host->directory, 0700) < 0)
                return error_set(err, errno, "make '%s'", host->directory);
        return put_canary(host->directory, err);
}

int host_begin(Cli *cli, Host *ret, Error *err) {
        pid_t daemon = -1;
        int r = find_daemon(cli, &daemon, err);

        if (r < 0)
                return r;
        *ret = (Host){ .daemon = daemon };
        r = run_place(false, &ret->directory, err);
        if (r == 0)
                r = put_canary(ret->directory, err);
        if (r == 0)
                r = check_readable(ret, err);
        if (r < 0)
                host_done(ret);
        return r;
}

void host_done(Host *host) {
        Error ignored = {};

        if (host->directory)
                (void)dir_remove_at(AT_FDCWD, host->directory, &ignored);
        free(host->directory);
        *host = (Host){};
}

/* ---- what is looked at ---- */

static void add_digest(char ***list, const char *name, const char *path) {
        _cleanup_free_ char *data = NULL;
        char digest[DIGEST_TEXT_MAX];
        Error ignored = {};
        size_t length;
        int r = file_read_at(AT_FDCWD, path, FILE_MAX, &data, &length, &ignored);

        if (r == -ENOENT || r == -ENOTDIR) {
                strv_format(list, "missing file %s", name);
        } else if (r < 0) {
                strv_format(list, UNREAD "%s: %s", name, strerror(-r));
        } else {
                digest_of(data, length, digest);
                strv_format(list, "file %s %s", name, digest);
        }
}

/* A program's digest is taken again once its file is another or has been changed, which no write
 * hides: stat(2), st_ctime. */
static void add_program(char ***list, const char *name, const char *path) {
        static struct { char *name, *state, *line; } seen[PROGRAMS_MAX];
        _cleanup_free_ char *state = NULL;
        _cleanup_strv_ char **lines = NULL;
        struct stat status;
        size_t i = 0;

        if (stat(path, &status) < 0) {
                add_digest(list, name, path);
                return;
        }
        state = str_format("%llu %llu %lld %lld.%09ld", (unsigned long long)status.st_dev,
                           (unsigned long long)status.st_ino, (long long)status.st_size,
                           (long long)status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
        while (i < PROGRAMS_MAX - 1 && seen[i].name && !str_equal(seen[i].name, name))
                i++;
        if (!str_equal(seen[i].name, name) || !str_equal(seen[i].state, state)) {
                add_digest(&lines, name, path);
                str_replace(&seen[i].name, name);
                str_replace(&seen[i].state, state);
                str_replace(&seen[i].line, lines[0]);
        }
        strv_add(list, seen[i].line);
}

/* The daemon's own folder, the caller's; NULL: not known. */
static char *find_folder(const Host *host) {
        _cleanup_free_ char *link = str_format("/proc/%d/exe", (int)host->daemon);
        char program[PATH_MAX];
        ssize_t length = readlink(link, program, sizeof(program) - 1);
        const char *slash;

        program[MAX(length, 0)] = '\0';
        slash = strrchr(program, '/');
        return slash ? str_copy_n(program, (size_t)(slash - program)) : NULL;
}

char *host_runtime(const Host *host) {
        static const char *const places[] = { "brig-runtime", "../bin/brig-runtime",
                                              "../runtime/brig-runtime" };
        _cleanup_free_ char *folder = find_folder(host);

        for (size_t i = 0; folder && i < ELEMENTS(places); i++) {
                char *path = str_format("%s/%s", folder, places[i]);

                if (access(path, X_OK) == 0)
                        return path;
                free(path);
        }
        return NULL;
}

/* The programs where the daemon looks for them, which is its own folder or beside it. */
static void add_programs(const Host *host, char ***list) {
        static const char *const places[] = { "brig-runtime",
                                              "../bin/brig-runtime",
                                              "../runtime/brig-runtime",
                                              "brig-monitor",
                                              "../monitor/brig-monitor",
                                              "../libexec/brig/brig-monitor",
                                              "../libexec/brig/brig-image",
                                              "../image/brig-image" };
        _cleanup_free_ char *link = str_format("/proc/%d/exe", (int)host->daemon);
        _cleanup_free_ char *folder = find_folder(host);

        add_program(list, "brigd", link);
        for (size_t i = 0; folder && i < ELEMENTS(places); i++) {
                _cleanup_free_ char *path =
                        str_format("/proc/%d/root%s/%s", (int)host->daemon, folder, places[i]);

                add_program(list, places[i], path);
        }
}

static void add_canaries(const Host *host, char ***list) {
        static const char *const files[] = { "/etc/passwd", "/etc/shadow", "/etc/hostname",
                                             "/proc/sys/kernel/core_pattern",
                                             "/proc/sys/kernel/modprobe" };
        _cleanup_(cleanup_closedirp) DIR *dir = opendir(host->directory);
        const struct dirent *entry;
        struct stat status;

        for (size_t i = 0; i < ELEMENTS(files); i++)
                add_digest(list, files[i], files[i]);
        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *path = str_format("%s/%s", host->directory, entry->d_name);

                if (entry->d_name[0] == '.')
                        continue;
                if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
                        strv_format(list, "name %s, mode %o, owner %u", path,
                                    (unsigned)status.st_mode, (unsigned)status.st_uid);
                add_digest(list, path, path);
        }
}

/* A line each, its numbers left out: those count what is used. */
static void add_mounts(const Host *host, char ***list) {
        _cleanup_free_ char *path = str_format("/proc/%d/mountinfo", (int)host->daemon);
        _cleanup_(cleanup_fclosep) FILE *file = fopen(path, "re");
        char line[8192], root[4096], place[4096];

        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "%*s %*s %*s %4095s %4095s", root, place) == 2) {
                        mountinfo_unescape(place);
                        strv_format(list, "mount %s at %s", root, place);
                }
}

static void add_links(const Host *host, char ***list) {
        _cleanup_free_ char *path = str_format("/proc/%d/net/dev", (int)host->daemon);
        _cleanup_(cleanup_fclosep) FILE *file = fopen(path, "re");
        char line[1024], name[64];

        while (file && fgets(line, sizeof(line), file))
                if (strchr(line, ':') && sscanf(line, " %63[^:]", name) == 1)
                        strv_format(list, "link %s", name);
}

/* Connections come and go, to the databases as well; what else is open stays. */
static void add_descriptors(const Host *host, char ***list) {
        _cleanup_strv_ char **descriptors = host_descriptors(host->daemon);

        for (char *const *target = descriptors; target && *target; target++)
                if (**target == '/' && !strstr(*target, ".db"))
                        strv_format(list, "descriptor %s", *target);
}

/* Only those of the drills' own containers: other engines' come and go meanwhile. */
static bool is_ours(const char *text) {
        for (char *const *id = box_ids(); id && *id; id++)
                if (strstr(text, *id))
                        return true;
        return false;
}

static void add_groups(const char *path, int depth, char ***list) {
        _cleanup_(cleanup_closedirp) DIR *dir = depth > 0 ? opendir(path) : NULL;
        const struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *below = NULL;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                below = str_format("%s/%s", path, entry->d_name);
                if (is_ours(entry->d_name))
                        strv_format(list, "cgroup %s", below);
                add_groups(below, depth - 1, list);
        }
}

/* A process that is left holds its namespaces. */
static void add_processes(char ***list) {
        _cleanup_(cleanup_closedirp) DIR *dir = opendir("/proc");
        const struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *path = str_format("%s/cgroup", entry->d_name), *text = NULL;
                Error ignored = {};

                if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
                        continue;
                if (file_read_at(dirfd(dir), path, 65536, &text, NULL, &ignored) == 0 &&
                    is_ours(text))
                        strv_format(list, "process %s of a container that is removed",
                                    entry->d_name);
        }
}

static int by_text(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

char **host_snapshot(const Host *host) {
        char **list = NULL;

        add_processes(&list);
        add_programs(host, &list);
        add_canaries(host, &list);
        add_mounts(host, &list);
        add_links(host, &list);
        add_descriptors(host, &list);
        add_groups("/sys/fs/cgroup", DEPTH_MAX, &list);
        if (list)
                qsort(list, strv_length(list), sizeof(*list), by_text);
        return list;
}

/* ---- before and after ---- */

void host_settle(const Host *host) {
        int64_t end = clock_monotonic() + SETTLE;
        bool settled = false;

        while (!settled && clock_monotonic() < end) {
                _cleanup_strv_ char **list = host_snapshot(host);

                settled = true;
                for (char *const *line = list; settled && line && *line; line++)
                        settled = !is_ours(*line);
                if (!settled)
                        (void)poll(NULL, 0, 50);
        }
}

/* Whether it is of a mount whose directory is no longer there. Who removes that elsewhere, in a
 * mount namespace in which nothing is mounted there, takes the mount off here: rmdir(2) detaches.
 */
static bool went_with_directory(const char *line) {
        const char *rest = str_after(line, "mount "), *at = rest ? strstr(rest, " at ") : NULL;

        return at && faccessat(AT_FDCWD, at + strlen(" at "), F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
               errno == ENOENT;
}

/* What a daemon or a container that is removed had open meanwhile, and lets go of, is no harm: only
 * more of that is. */
static bool may_go(const char *line) {
        return went_with_directory(line) || str_after(line, "descriptor ") ||
               str_after(line, "cgroup ") || str_after(line, "process ");
}

void host_differences(char *const *before, char *const *after, Buf *got) {
        while (*before || *after) {
                int order = !*before ? 1 : !*after ? -1 : strcmp(*before, *after);

                if (order < 0 && !may_go(*before))
                        buf_format(got, "gone from the host: %s\n", *before);
                if (order > 0)
                        buf_format(got, "new on the host: %s\n", *after);
                before += order <= 0;
                after += order >= 0;
        }
}

void host_compare(const Host *host, char *const *before, Buf *got) {
        int64_t end = clock_monotonic() + SETTLE;

        for (;;) {
                _cleanup_strv_ char **after = host_snapshot(host);
                _cleanup_buf_ Buf differences = {};

                host_differences(before, after, &differences);
                if (differences.length == 0)
                        return;
                if (clock_monotonic() >= end) {
                        buf_add_str(got, differences.data);
                        return;
                }
                (void)poll(NULL, 0, 50);
        }
}
