/* drills-bundle.c: drills that are bundles of our own for the engine's runtime, whose directories
 * are shared with somebody who exchanges them for links while it makes the container: what a
 * volume that two containers share is to it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json_tokener.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/program.h"
#include "drill/drill.h"
#include "os/pidfd.h"

#define OUTPUT_MAX ((size_t)1 << 20)
#define RUN_TIMEOUT (60 * NSEC_PER_SEC)
#define END_TIMEOUT (10 * NSEC_PER_SEC) /* once nothing is said any more */

/* A root that holds the guest, and "shared", which the drills with a race bind into it. */
typedef struct Bundle {
        char *directory; /* NULL: none */
        int fd;          /* that directory */
        char *runtime;
        json_object *config;
        pid_t swapper; /* 0: none */
        int64_t runs;
} Bundle;

static const char first_config[] =
        "{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\","
        "\"noNewPrivileges\":true},\"root\":{\"path\":\"rootfs\"},\"mounts\":["
        "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
        "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
        "{\"type\":\"uts\"},{\"type\":\"mount\"}],"
        "\"maskedPaths\":[\"/proc/kcore\",\"/proc/keys\",\"/proc/timer_list\"],"
        "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\"]}}";

/* ---- making one ---- */

static int make_directories(int fd, Error *err) {
        static const char *const names[] = { "rootfs",           "rootfs/dev", "rootfs/proc",
                                             "rootfs/sys",       "rootfs/tmp", "rootfs/v",
                                             "rootfs/elsewhere", "shared" };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (mkdirat(fd, names[i], 0755) < 0)
                        return error_set(err, errno, "make '%s'", names[i]);
        return 0;
}

static int put_guest(int fd, Error *err) {
        _cleanup_free_ char *guest = NULL;
        size_t length;
        int r = box_guest(&guest, &length, err);

        return r < 0 ? r : file_replace_at(fd, "rootfs/guest", guest, length, 0755, false, err);
}

static int bundle_begin(const Attempt *attempt, const char *guest, Bundle *ret, Error *err) {
        json_object *process;
        int r;

        *ret = (Bundle){ .fd = -1 };
        ret->runtime = host_runtime(attempt->host);
        if (!ret->runtime)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "the engine's runtime is not beside its daemon");
        r = run_place(true, &ret->directory, err);
        if (r < 0)
                return r;
        ret->fd = open(ret->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ret->fd < 0)
                return error_set(err, errno, "open '%s'", ret->directory);
        r = make_directories(ret->fd, err);
        if (r == 0)
                r = put_guest(ret->fd, err);
        if (r < 0)
                return r;
        ret->config = json_tokener_parse(first_config);
        process = json_member(ret->config, "process");
        (void)json_object_object_add(process, "args", box_words("/guest", guest));
        return 0;
}

static void end_swapper(Bundle *bundle) {
        if (bundle->swapper > 0) {
                (void)kill(bundle->swapper, SIGKILL);
                (void)waitpid(bundle->swapper, NULL, 0);
        }
        bundle->swapper = 0;
}

static void bundle_done(Bundle *bundle) {
        Error ignored = {};

        end_swapper(bundle);
        close_fd(&bundle->fd);
        if (bundle->directory)
                (void)dir_remove_at(AT_FDCWD, bundle->directory, &ignored);
        free(bundle->directory);
        free(bundle->runtime);
        json_putp(&bundle->config);
}
#define _cleanup_bundle_ _cleanup_(bundle_done)

static void add_mount(const Bundle *bundle, const char *destination, const char *type,
                      const char *source, const char *option) {
        json_object *mount = json_object_new_object(), *options = json_object_new_array();

        (void)json_object_object_add(mount, "destination", json_object_new_string(destination));
        (void)json_object_object_add(mount, "type", json_object_new_string(type));
        (void)json_object_object_add(mount, "source", json_object_new_string(source));
        (void)json_object_array_add(options, json_object_new_string(option));
        (void)json_object_object_add(mount, "options", options);
        (void)json_object_array_add(json_member(bundle->config, "mounts"), mount);
}

static void add_shared(const Bundle *bundle, const char *destination) {
        _cleanup_free_ char *source = str_format("%s/shared", bundle->directory);

        add_mount(bundle, destination, "bind", source, "rbind");
}

/* What of "shared" is a directory, and what a link. */
static int add_directory(const Bundle *bundle, const char *path, Error *err) {
        return mkdirat(bundle->fd, path, 0755) < 0 ? error_set(err, errno, "make '%s'", path) : 0;
}

static int add_link(const Bundle *bundle, const char *path, const char *target, Error *err) {
        return symlinkat(target, bundle->fd, path) < 0 ? error_set(err, errno, "link '%s'", path)
                                                       : 0;
}

static int add_null(const Bundle *bundle, Error *err) {
        return mknodat(bundle->fd, "shared/null", S_IFCHR | 0666, makedev(1, 3)) < 0
                       ? error_set(err, errno, "make a null device")
                       : 0;
}

/* ---- running it ---- */

static int write_config(const Bundle *bundle, Error *err) {
        const char *text = json_object_to_json_string(bundle->config);

        return file_replace_at(bundle->fd, "config.json", text, strlen(text), 0644, false, err);
}

/* run: of the bundle in that directory; else what is left of the container is deleted. */
static int spawn_runtime(const char *runtime, const char *directory, const char *id, bool run,
                         int output, pid_t *ret, Error *err) {
        _cleanup_free_ char *state = str_format("%s/state", directory);
        _cleanup_free_ char *from = str_format("--bundle=%s", directory);
        char *const argv[] = { (char *)runtime,
                               (char *)"--root",
                               state,
                               run ? (char *)"run" : (char *)"delete",
                               run ? from : (char *)"--force",
                               (char *)id,
                               NULL };
        const SpawnFd fds[] = { { output, 1 }, { output, 2 } };
        const Spawn spawn = { .program = runtime,
                              .argv = argv,
                              .environment = environ,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds) };
        int r = program_spawn(&spawn, ret);

        return r < 0 ? error_set(err, -r, "start '%s'", runtime) : 0;
}

/* To its end. What is more than OUTPUT_MAX is dropped, so that nobody waits for room. */
static int read_output(int fd, Buf *output, Error *err) {
        int64_t end = clock_monotonic() + RUN_TIMEOUT;
        char bytes[16384];

        for (;;) {
                struct pollfd wait = { .fd = fd, .events = POLLIN };
                int64_t left = MAX(end - clock_monotonic(), 0);
                int r = poll(&wait, 1, (int)(left / NSEC_PER_MSEC));
                ssize_t n;

                if (r < 0 && errno == EINTR)
                        continue;
                if (r == 0)
                        return error_kind(err, ERROR_INTERNAL,
                                          "the guest did not end within %lld s",
                                          (long long)(RUN_TIMEOUT / NSEC_PER_SEC));
                n = r < 0 ? -1 : read(fd, bytes, sizeof(bytes));
                if (n < 0)
                        return error_set(err, errno, "read what the guest says");
                if (n == 0)
                        return 0;
                buf_add(output, bytes, MIN((size_t)n, OUTPUT_MAX - output->length));
        }
}

/* Of a runtime that was killed the container may be left. */
static void delete_left(const char *runtime, const char *directory, const char *id) {
        _cleanup_close_ int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC), pidfd = -1;
        Error ignored = {};
        int status;
        pid_t pid;

        if (null_fd < 0 ||
            spawn_runtime(runtime, directory, id, false, null_fd, &pid, &ignored) < 0)
                return;
        if (pidfd_of(pid, &pidfd, &ignored) == 0)
                (void)pidfd_wait_or_kill(&pidfd, END_TIMEOUT, &status, &ignored);
}

void bundle_delete_left(const Host *host, const char *directory) {
        _cleanup_free_ char *state = str_format("%s/state", directory);
        _cleanup_free_ char *runtime = host_runtime(host);
        _cleanup_(cleanup_closedirp) DIR *dir = runtime ? opendir(state) : NULL;
        const struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        delete_left(runtime, directory, entry->d_name);
}

static int wait_runtime(const Bundle *bundle, const char *id, pid_t pid, int reads, Buf *output,
                        int *ret_status, Error *err) {
        _cleanup_close_ int pidfd = -1;
        Error ignored = {};
        int r = pidfd_of(pid, &pidfd, err), ended;

        if (r < 0) {
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                return r;
        }
        r = read_output(reads, output, err);
        ended = pidfd_wait_or_kill(&pidfd, r < 0 ? 0 : END_TIMEOUT, ret_status,
                                   r < 0 ? &ignored : err);
        if (r < 0 || ended < 0)
                delete_left(bundle->runtime, bundle->directory, id);
        return r < 0 ? r : ended;
}

/* Runs it once. What the guest says got through; a refusal has why in its words. 1: it was
 * refused. */
static int bundle_run(Bundle *bundle, const char *why, Buf *got, Error *err) {
        _cleanup_close_ int reads = -1, writes = -1;
        _cleanup_free_ char *id = NULL;
        _cleanup_buf_ Buf output = {};
        int ends[2], status = 0, r = interrupt_check(err);
        pid_t pid;

        if (r < 0)
                return r;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set(err, errno, "make a pipe");
        reads = ends[0];
        writes = ends[1];
        bundle->runs++;
        id = str_format("%s-%lld", strrchr(bundle->directory, '/') + 1, (long long)bundle->runs);
        r = spawn_runtime(bundle->runtime, bundle->directory, id, true, writes, &pid, err);
        if (r < 0)
                return r;
        close_fd(&writes);
        r = wait_runtime(bundle, id, pid, reads, &output, &status, err);
        if (r < 0)
                return error_prefix(err, "run '%s'", bundle->runtime);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                if (output.data)
                        buf_add_str(got, output.data);
                return 0;
        }
        if (output.data && why && strstr(output.data, why))
                return 1;
        return error_kind(err, ERROR_INTERNAL, "the guest did not try it: %s",
                          output.data ? str_trim(output.data) : "no word, and no success");
}

/* Exchanges two names of "shared" until it is killed. renameat2(2) */
static int begin_swapper(Bundle *bundle, const char *one, const char *two, Error *err) {
        pid_t parent = getpid(), pid = fork();

        if (pid < 0)
                return error_set(err, errno, "fork");
        if (pid > 0) {
                bundle->swapper = pid;
                return 0;
        }
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(1);
        while (syscall(SYS_renameat2, bundle->fd, one, bundle->fd, two, RENAME_EXCHANGE) == 0)
                ;
        _exit(1);
}

/* Once with all in its place, which must run; then with the two names exchanged all the time, until
 * something gets through. */
static int race(Bundle *bundle, const char *one, const char *two, const char *why, int64_t rounds,
                Buf *got, Error *err) {
        int r = write_config(bundle, err);

        if (r == 0)
                r = bundle_run(bundle, NULL, got, err);
        if (r == 0)
                r = begin_swapper(bundle, one, two, err);
        for (int64_t round = 0; r >= 0 && round < rounds && got->length == 0; round++)
                r = bundle_run(bundle, why, got, err);
        if (r >= 0 && waitpid(bundle->swapper, NULL, WNOHANG) != 0) {
                bundle->swapper = 0;
                return error_kind(err, ERROR_INTERNAL, "'%s' and '%s' could not be exchanged", one,
                                  two);
        }
        return MIN(r, 0);
}

/* ---- the drills ---- */

/* A round starts a container, and finds a link in every second one. */
static int64_t half(int64_t rounds) {
        return (rounds + 1) / 2;
}

/* procfs is mounted on a volume's directory. */
static int run_proc_race(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_bundle_ Bundle bundle;
        int r = bundle_begin(attempt, drill->guest, &bundle, err);

        if (r == 0)
                r = mkdirat(bundle.fd, "rootfs/elsewhere/proc", 0755) < 0
                            ? error_set(err, errno, "make a directory")
                            : add_directory(&bundle, "shared/proc", err);
        if (r == 0)
                r = add_link(&bundle, "shared/link", "/elsewhere/proc", err);
        if (r < 0)
                return r;
        add_shared(&bundle, "/v");
        add_mount(&bundle, "/v/proc", "proc", "proc", "nosuid");
        return race(&bundle, "shared/proc", "shared/link", "must be mounted on ordinary directory",
                    half(attempt->rounds), attempt->got, err);
}

/* A tmpfs is mounted on a volume's directory, which becomes a link into procfs, where the runtime
 * or a tool would write. */
static int run_proc_cover(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_bundle_ Bundle bundle;
        int r = bundle_begin(attempt, drill->guest, &bundle, err);

        if (r == 0)
                r = add_directory(&bundle, "shared/place", err);
        if (r == 0)
                r = add_link(&bundle, "shared/link", "/proc/tty", err);
        if (r < 0)
                return r;
        add_shared(&bundle, "/v");
        add_mount(&bundle, "/v/place", "tmpfs", "tmpfs", "nosuid");
        return race(&bundle, "shared/place", "shared/link", "because it is inside /proc",
                    half(attempt->rounds), attempt->got, err);
}

/* A directory is made in a volume's, which becomes a link to the host's. What is made there, the
 * oracle sees. */
static int run_mount_race(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_bundle_ Bundle bundle;
        int r = bundle_begin(attempt, drill->guest, &bundle, err);

        if (r == 0)
                r = add_directory(&bundle, "shared/place", err);
        if (r == 0)
                r = add_link(&bundle, "shared/link", attempt->directory, err);
        if (r < 0)
                return r;
        add_shared(&bundle, "/v");
        add_mount(&bundle, "/v/place/made", "tmpfs", "tmpfs", "nosuid");
        return race(&bundle, "shared/place", "shared/link", "in the container's root",
                    half(attempt->rounds), attempt->got, err);
}

/* /dev is a volume, in which the null device becomes a link. */
static int run_mask_race(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_bundle_ Bundle bundle;
        int r = bundle_begin(attempt, drill->guest, &bundle, err);

        if (r == 0)
                r = add_null(&bundle, err);
        if (r == 0)
                r = add_link(&bundle, "shared/link", "/proc/version", err);
        if (r < 0)
                return r;
        add_shared(&bundle, "/dev");
        return race(&bundle, "shared/null", "shared/link", "is not the null device",
                    half(attempt->rounds), attempt->got, err);
}

static int put_terminals(const Bundle *bundle, Error *err) {
        static const char *const links[][2] = { { "shared/pts/0", "/proc/version" },
                                                { "shared/other/0", "/proc/version" } };
        int r = add_null(bundle, err);

        if (r == 0)
                r = add_directory(bundle, "shared/pts", err);
        if (r == 0)
                r = add_directory(bundle, "shared/other", err);
        for (size_t i = 0; r == 0 && i < ELEMENTS(links); i++)
                r = add_link(bundle, links[i][0], links[i][1], err);
        return r;
}

/* /dev is a volume, in which the directory that the terminals are mounted on becomes one where the
 * first terminal is a link. It must be one at the first step and the other at the second, so there
 * are twice as many rounds. */
static int run_console_race(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_bundle_ Bundle bundle;
        int r = bundle_begin(attempt, drill->guest, &bundle, err);

        if (r == 0)
                r = put_terminals(&bundle, err);
        if (r < 0)
                return r;
        (void)json_object_object_add(json_member(bundle.config, "process"), "terminal",
                                     json_object_new_boolean(true));
        add_shared(&bundle, "/dev");
        add_mount(&bundle, "/dev/pts", "devpts", "devpts", "newinstance");
        return race(&bundle, "shared/pts", "shared/other", "/dev/pts", attempt->rounds,
                    attempt->got, err);
}

#define WRITTEN "shared/sys/net/ipv4/ip_unprivileged_port_start"

/* The container's /proc is a directory of a volume, with a file where a sysctl would be. */
static int put_false_proc(const Bundle *bundle, Error *err) {
        static const char *const names[] = { "shared/sys", "shared/sys/net",
                                             "shared/sys/net/ipv4" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(names); i++)
                r = add_directory(bundle, names[i], err);
        return r < 0 ? r : file_replace_at(bundle->fd, WRITTEN, "own\n", 4, 0644, false, err);
}

static int run_proc_writes(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_bundle_ Bundle bundle;
        _cleanup_free_ char *text = NULL;
        int r = bundle_begin(attempt, drill->guest, &bundle, err);

        if (r == 0)
                r = put_false_proc(&bundle, err);
        if (r < 0)
                return r;
        (void)json_object_object_del(bundle.config, "mounts");
        (void)json_object_object_add(bundle.config, "mounts", json_object_new_array());
        add_shared(&bundle, "/proc");
        (void)json_object_object_add(
                json_member(bundle.config, "linux"), "sysctl",
                json_tokener_parse("{\"net.ipv4.ip_unprivileged_port_start\":\"1023\"}"));
        r = write_config(&bundle, err);
        if (r == 0) /* 1: refused */
                r = bundle_run(&bundle, "it is not of type proc", attempt->got, err);
        if (r == 0)
                r = file_read_at(bundle.fd, WRITTEN, 4096, &text, NULL, err);
        if (r == 0 && !str_equal(text, "own\n"))
                buf_format(attempt->got,
                           "what was meant for the kernel is in a volume's file: %s\n", text);
        return MIN(r, 0);
}

/* One id each, for what is not the runtime's: the host's own, so that no mode is in the way. */
static void add_user_namespace(const Bundle *bundle) {
        json_object *linux_ = json_member(bundle->config, "linux");
        json_object *item = json_tokener_parse("{\"type\":\"user\"}");

        (void)json_object_array_add(json_member(linux_, "namespaces"), item);
        for (size_t i = 0; i < 2; i++)
                (void)json_object_object_add(
                        linux_, i == 0 ? "uidMappings" : "gidMappings",
                        json_tokener_parse("[{\"containerID\":0,\"hostID\":0,\"size\":65536}]"));
}

/* A user namespace and no cgroup namespace: control groups are bound, not mounted, there. */
static int run_user_cgroups(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_bundle_ Bundle bundle;
        int r = bundle_begin(attempt, drill->guest, &bundle, err);

        if (r < 0)
                return r;
        add_user_namespace(&bundle);
        add_mount(&bundle, "/sys", "sysfs", "sysfs", "ro");
        add_mount(&bundle, "/sys/fs/cgroup", "cgroup", "cgroup", "ro");
        r = write_config(&bundle, err);
        return r < 0 ? r : MIN(bundle_run(&bundle, NULL, attempt->got, err), 0);
}

static const Drill drills[] = {
        { "proc-race", "CVE-2023-27561", "procfs on a volume's directory that becomes a link",
          "report it: the kernel's file systems are mounted where a link leads", run_proc_race,
          "linked-proc" },
        { "proc-cover", "CVE-2025-52881", "A mount whose place becomes a link into procfs",
          "report it: a mount hides what is written to procfs", run_proc_cover, "covered" },
        { "proc-writes", "CVE-2025-52881", "A container whose /proc is a directory of a volume",
          "report it: what the runtime writes to procfs goes where a container has chosen",
          run_proc_writes, "directory" },
        { "mount-race", "CVE-2024-45310", "A mount's place is made while its parent becomes a link",
          "report it: the runtime makes files outside of the container", run_mount_race,
          "directory" },
        { "mask-race", "CVE-2025-31133", "/dev/null becomes a link while paths are masked",
          "report it: a path is masked by what a container has chosen", run_mask_race, "masks" },
        { "console-race", "CVE-2025-52565", "The terminals' directory is exchanged for another",
          "report it: the console is what a container has chosen", run_console_race, "console" },
        { "user-cgroups", "CVE-2023-25809", "Control groups in a user namespace are written to",
          "report it: a container in a user namespace can write to its control groups",
          run_user_cgroups, "cgroups" },
};

const DrillSet bundle_drills = { drills, ELEMENTS(drills) };
