/* guest.c: brig-drill-guest, which runs in a hostile container and tries to get out. `guest NAME`
 * prints a line for each thing that got through; exit code 0: it tried all it was to try, 2: it
 * could not. It changes nothing of the host where it does get through. Links nothing of ours: it is
 * static and runs in a root that holds nothing else. */
#include "drill/guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_alg.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* ---- system calls that the filter refuses ---- */

typedef struct Call {
        const char *name;
        long number, arguments[5];
} Call;

static int try_calls(const Call *calls, size_t count) {
        for (size_t i = 0; i < count; i++) {
                const long *a = calls[i].arguments;

                errno = 0;
                if (syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4]) >= 0)
                        (void)printf("%s succeeded\n", calls[i].name);
                else if (errno != EPERM && errno != ENOSYS)
                        (void)printf("%s reached the kernel: %s\n", calls[i].name, strerror(errno));
        }
        return 0;
}

static int try_keyctl(void) {
        static const Call calls[] = {
                { "keyctl(KEYCTL_GET_KEYRING_ID)", SYS_keyctl, { 0, -3, 0 } },
                { "add_key", SYS_add_key, { (long)"user", (long)"drill", (long)"x", 1, -3 } },
                { "request_key", SYS_request_key, { (long)"user", (long)"drill", 0, 0 } },
        };

        return try_calls(calls, COUNT(calls));
}

static int try_namespaces(void) {
        static const Call calls[] = {
                { "unshare(CLONE_NEWUSER)", SYS_unshare, { CLONE_NEWUSER } },
                { "unshare(CLONE_NEWNS)", SYS_unshare, { CLONE_NEWNS } },
                { "unshare(CLONE_NEWCGROUP)", SYS_unshare, { CLONE_NEWCGROUP } },
                { "mount of a cgroup", SYS_mount, { (long)"x", (long)"/tmp", (long)"cgroup2" } },
                { "mount of version 1", SYS_mount, { (long)"x", (long)"/tmp", (long)"cgroup" } },
        };

        return try_calls(calls, COUNT(calls));
}

#if defined(__x86_64__)
/* i386's call 102, socketcall, with 1, SYS_SOCKET: the kernel reads the family from memory. */
static bool socketcall_opens(int family) {
        uint32_t *list = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        long result;

        if (list == MAP_FAILED)
                return false;
        list[0] = (uint32_t)family;
        list[1] = SOCK_SEQPACKET;
        list[2] = 0;
        __asm__ volatile("int $0x80"
                         : "=a"(result)
                         : "a"(102L), "b"(1L), "c"(list)
                         : "memory", "cc", "r8", "r9", "r10", "r11");
        return (int)result >= 0;
}

/* In a child: a kernel without i386 ends it. */
static bool opens_as_i386(int family) {
        pid_t pid = fork();
        int status = 0;

        if (pid == 0)
                _exit(socketcall_opens(family) ? 0 : 1);
        return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
               WEXITSTATUS(status) == 0;
}
#else
static bool opens_as_i386(int family) {
        (void)family;
        return false;
}
#endif

static void try_family(int family) {
        if (socket(family, SOCK_SEQPACKET, 0) >= 0 || socket(family, SOCK_STREAM, 0) >= 0)
                (void)printf("a socket of family %d\n", family);
        /* The kernel takes the lower 32 bits. */
        if (syscall(SYS_socket, 1L << 32 | family, SOCK_SEQPACKET, 0) >= 0)
                (void)printf("a socket of family %d with a bit above\n", family);
        if (opens_as_i386(family))
                (void)printf("a socket of family %d by i386's socketcall\n", family);
}

static int try_filtered(void) {
        static const Call calls[] = {
                { "bpf", SYS_bpf, { 0, 0, 0 } },
                { "userfaultfd", SYS_userfaultfd, { 1 } },
                { "io_uring_setup", SYS_io_uring_setup, { 1, 0 } },
                { "perf_event_open", SYS_perf_event_open, { 0, 0, 0, -1, 0 } },
                { "open_by_handle_at", SYS_open_by_handle_at, { -1, 0, 0 } },
                { "kexec_load", SYS_kexec_load, { 0, 0, 0, ~0L } },
                { "init_module", SYS_init_module, { 0, 0, 0 } },
        };
        static const int families[] = { AF_ALG, AF_VSOCK };

        for (size_t i = 0; i < COUNT(families); i++)
                try_family(families[i]);
        return try_calls(calls, COUNT(calls));
}

/* ---- the kernel's files ---- */

static int try_masked(void) {
        static const char *const files[] = { "/proc/kcore", "/proc/keys", "/proc/timer_list",
                                             "/proc/latency_stats", "/proc/sched_debug" };
        static const char *const directories[] = { "/proc/acpi", "/proc/scsi", "/sys/firmware",
                                                   "/sys/devices/virtual/powercap" };
        int tried = 0;
        char byte;

        for (size_t i = 0; i < COUNT(files); i++) {
                int fd = open(files[i], O_RDONLY | O_CLOEXEC);

                tried += fd >= 0 || errno != ENOENT;
                if (fd >= 0 && read(fd, &byte, 1) == 1)
                        (void)printf("%s is read\n", files[i]);
                if (fd >= 0)
                        (void)close(fd);
        }
        for (size_t i = 0; i < COUNT(directories); i++) {
                DIR *dir = opendir(directories[i]);
                const struct dirent *entry;

                tried += dir || errno != ENOENT;
                while (dir && (entry = readdir(dir)))
                        if (entry->d_name[0] != '.')
                                (void)printf("%s/%s is seen\n", directories[i], entry->d_name);
                if (dir)
                        (void)closedir(dir);
        }
        return tried > 0 ? 0 : 2;
}

/* Opened for writing, and not written to. */
static int try_writable(void) {
        static const char *const files[] = { "/proc/sysrq-trigger",
                                             "/proc/sys/kernel/core_pattern",
                                             "/proc/sys/kernel/modprobe",
                                             "/proc/sys/vm/panic_on_oom",
                                             "/proc/sys/fs/binfmt_misc/register",
                                             "/proc/irq/default_smp_affinity",
                                             "/sys/kernel/uevent_helper",
                                             "/sys/fs/cgroup/cgroup.procs" };
        int tried = 0;

        for (size_t i = 0; i < COUNT(files); i++) {
                int fd = open(files[i], O_WRONLY | O_CLOEXEC);

                tried += fd >= 0 || errno != ENOENT;
                if (fd < 0)
                        continue;
                (void)printf("%s opens for writing\n", files[i]);
                (void)close(fd);
        }
        return tried > 0 ? 0 : 2;
}

/* A node of a device may be made, as Docker lets it; the device filter refuses that it is opened,
 * whether or not such a device is there. */
static int try_devices(void) {
        static const struct {
                const char *name;
                mode_t type;
                unsigned major, minor;
        } devices[] = { { "a disk (8:0)", S_IFBLK, 8, 0 },
                        { "a disk (254:0)", S_IFBLK, 254, 0 },
                        { "a loop device (7:0)", S_IFBLK, 7, 0 },
                        { "the loop control (10:237)", S_IFCHR, 10, 237 },
                        { "FUSE (10:229)", S_IFCHR, 10, 229 },
                        { "the kernel's log (1:11)", S_IFCHR, 1, 11 } };
        int tried = 0;

        for (size_t i = 0; i < COUNT(devices); i++) {
                int fd;

                (void)unlink("/tmp/device");
                if (mknod("/tmp/device", devices[i].type | 0600,
                          makedev(devices[i].major, devices[i].minor)) < 0)
                        continue;
                tried++;
                fd = open("/tmp/device", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
                if (fd >= 0 || errno != EPERM)
                        (void)printf("%s is let through to the kernel\n", devices[i].name);
                if (fd >= 0)
                        (void)close(fd);
        }
        return tried > 0 ? 0 : 2;
}

/* ---- ids and capabilities ---- */

static int try_capabilities(void) {
        static const char *const names[] = { "CapInh:\t", "CapAmb:\t" };
        char line[256];
        size_t tried = 0;
        FILE *file = fopen("/proc/self/status", "re");

        if (!file)
                return 2;
        while (fgets(line, sizeof(line), file))
                for (size_t i = 0; i < COUNT(names); i++) {
                        if (strncmp(line, names[i], strlen(names[i])) != 0)
                                continue;
                        tried++;
                        if (strtoull(line + strlen(names[i]), NULL, 16) != 0)
                                (void)printf("not empty: %s", line);
                }
        (void)fclose(file);
        return tried == COUNT(names) ? 0 : 2;
}

static int try_groups(void) {
        gid_t groups[64];
        int count = getgroups(COUNT(groups), groups);

        if (count < 0 || getegid() == 0)
                return 2;
        for (int i = 0; i < count; i++)
                if (groups[i] == getegid())
                        return 0;
        (void)printf("group %u is not among the further groups: setgroups drops a rule\n",
                     (unsigned)getegid());
        return 0;
}

static int try_user(void) {
        if (getuid() == 0 || geteuid() == 0)
                (void)printf("the process is root's\n");
        return 0;
}

/* ---- descriptors ---- */

static int try_descriptors(void) {
        static const char *const directories[] = { "/proc/self/fd", "/proc/1/fd" };
        int tried = 0;

        for (size_t i = 0; i < COUNT(directories); i++) {
                DIR *dir = opendir(directories[i]);
                const struct dirent *entry;

                tried += dir != NULL;
                while (dir && (entry = readdir(dir)))
                        if (strtol(entry->d_name, NULL, 10) > 2 &&
                            strtol(entry->d_name, NULL, 10) != dirfd(dir))
                                (void)printf("%s/%s is open\n", directories[i], entry->d_name);
                if (dir)
                        (void)closedir(dir);
        }
        return tried > 0 ? 0 : 2;
}

/* Run with a directory to work in that is a descriptor of the runtime's: where it began at all. */
static int try_directory(void) {
        char path[4096];

        if (syscall(SYS_getcwd, path, sizeof(path)) <= 0 || path[0] != '/')
                (void)printf("the directory to work in lies outside the root\n");
        return 0;
}

/* ---- terminal ---- */

/* Its own, and no way to type into one that is not. */
static int try_terminal(void) {
        struct stat status;

        if (!isatty(0) || fstat(0, &status) < 0)
                return 2;
        if (getsid(0) != getpid() && getsid(0) != 1)
                (void)printf("the terminal's session %d is another's\n", (int)getsid(0));
        if (tcgetpgrp(0) != getpgrp())
                (void)printf("the terminal's group %d is another's\n", (int)tcgetpgrp(0));
        if (stat("/dev/pts/0", &status) < 0 || access("/dev/pts/1", F_OK) == 0)
                (void)printf("/dev/pts is not the container's own\n");
        return 0;
}

/* ---- mounts ---- */

static int is_mounted(const char *where, const char *type) {
        char line[4096], place[2048], kind[128];
        FILE *file = fopen("/proc/self/mounts", "re");
        int found = 0;

        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "%*s %2047s %127s", place, kind) == 2 &&
                    strcmp(place, where) == 0 && strcmp(kind, type) == 0)
                        found = 1;
        if (file)
                (void)fclose(file);
        return found;
}

/* Of an image in which /proc and /sys are links to below /elsewhere. */
static int try_linked_proc(void) {
        if (access("/elsewhere/proc/self", F_OK) == 0 || access("/elsewhere/sys/kernel", F_OK) == 0)
                (void)printf("a file system of the kernel's is mounted where the link leads\n");
        if (!is_mounted("/proc", "proc"))
                (void)printf("/proc is not mounted as it was asked for\n");
        return 0;
}

/* A tmpfs where a mount's place was made a link to. */
static int try_covered(void) {
        if (access("/proc/tty", F_OK) < 0)
                return 2;
        if (is_mounted("/proc/tty", "tmpfs"))
                (void)printf("a file system is mounted over /proc/tty\n");
        return 0;
}

/* What lies over a masked file is the null device, or nothing is hidden. */
static int try_masks(void) {
        static const char *const files[] = { "/proc/kcore", "/proc/keys", "/proc/timer_list" };
        struct stat status;
        int tried = 0;

        for (size_t i = 0; i < COUNT(files); i++) {
                if (stat(files[i], &status) < 0)
                        continue;
                tried++;
                if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
                        (void)printf("%s is masked by another file than /dev/null\n", files[i]);
        }
        return tried > 0 ? 0 : 2;
}

/* devpts(5): major numbers 136 to 143. */
static int try_console(void) {
        struct stat status;

        if (stat("/dev/console", &status) < 0)
                return 2;
        if (!S_ISCHR(status.st_mode) || major(status.st_rdev) < 136 || major(status.st_rdev) > 143)
                (void)printf("/dev/console is another file than the terminal\n");
        return 0;
}

static int try_group(const char *directory) {
        char path[512];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : 1;
        (void)printf("%s opens for writing\n", path);
        (void)close(fd);
        return 1;
}

/* Version 2 has one group there, version 1 a directory for each hierarchy. Opened for writing, and
 * not written to. */
static int try_groups_of_control(void) {
        char path[300];
        DIR *dir = opendir("/sys/fs/cgroup");
        const struct dirent *entry;
        int tried = try_group("/sys/fs/cgroup");

        while (dir && (entry = readdir(dir))) {
                (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", entry->d_name);
                if (entry->d_name[0] != '.')
                        tried += try_group(path);
        }
        if (dir)
                (void)closedir(dir);
        return tried > 0 ? 0 : 2;
}

/* Run by a step of a build that must fail: 0 where it got what it was after, 1 where it did not. */
static int is_host_mounted(void) {
        return access("/m/canary", F_OK) == 0 ? 0 : 1;
}

static int has_strange_environment(void) {
        static const char *const own[] = { "PATH=",       "HOME=",        "HOSTNAME=",  "TERM=",
                                           "HTTP_PROXY=", "HTTPS_PROXY=", "FTP_PROXY=", "NO_PROXY=",
                                           "ALL_PROXY=",  "container=" };

        for (char **item = environ; *item; item++) {
                size_t i = 0;

                while (i < COUNT(own) && strncasecmp(*item, own[i], strlen(own[i])) != 0)
                        i++;
                if (i == COUNT(own))
                        return 0;
        }
        return 1;
}

/* Of an image in which /abs leads to the host's directory, and is a volume. */
static int try_copied(void) {
        if (access("/abs/canary", F_OK) == 0)
                (void)printf("the host's files are in a volume\n");
        return 0;
}

/* ---- files that the engine writes ---- */

static int has_line(const char *path) {
        char line[4096];
        FILE *file = fopen(path, "re");
        int found = 0;

        while (file && fgets(line, sizeof(line), file)) {
                char *carriage = strchr(line, '\r');

                found |= strncmp(line, "intruder", 8) == 0 ||
                         (carriage && strncmp(carriage + 1, "intruder", 8) == 0);
        }
        if (file)
                (void)fclose(file);
        return found;
}

static int try_lines(void) {
        static const char *const files[] = { "/etc/passwd", "/etc/group", "/etc/hosts",
                                             "/etc/hostname", "/etc/resolv.conf" };

        for (size_t i = 0; i < COUNT(files); i++)
                if (has_line(files[i]))
                        (void)printf("%s has a line that is nobody's\n", files[i]);
        return 0;
}

/* ---- sockets ---- */

/* In the host's network namespace, where whoever may connect to a daemon's abstract socket is in.
 */
static int try_abstract(void) {
        char line[4096];
        FILE *file = fopen("/proc/net/unix", "re");

        if (!file)
                return 2;
        while (fgets(line, sizeof(line), file)) {
                const char *name = strchr(line, '@');

                if (name && (strstr(name, "brig") || strstr(name, "containerd")))
                        (void)printf("an engine's abstract socket: %s", name);
        }
        (void)fclose(file);
        return 0;
}

/* ---- races ---- */

/* /tmp/place is now a directory of the container's, now a link to the host's directory, until this
 * is killed. The directory is made here: overlayfs renames none of an image's. The link is the
 * image's, or is made to what LINK says: for one who mounts several times and gives up where a
 * name changes under him, there is a pause between two exchanges. renameat2(2). */
static int swap_forever(void) {
        const char *target = getenv("LINK");
        int fd;

        if (mkdir("/tmp/place", 0755) < 0 || (target && symlink(target, "/tmp/link") < 0))
                return 2;
        fd = open("/tmp/place/canary", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, "own\n", 4) != 4)
                return 2;
        (void)close(fd);
        (void)puts("exchanging");
        if (fflush(stdout) != 0)
                return 2;
        for (;;) {
                if (syscall(SYS_renameat2, AT_FDCWD, "/tmp/place", AT_FDCWD, "/tmp/link",
                            RENAME_EXCHANGE) < 0)
                        return 2;
                if (target)
                        (void)usleep(200);
        }
}

/* Zeros without end, to whoever takes them. */
static int flood(void) {
        static const char zeros[32768];

        while (write(STDOUT_FILENO, zeros, sizeof(zeros)) > 0)
                ;
        return 2;
}

/* For as long as the container is wanted. */
static int wait_forever(void) {
        while (pause() < 0 && errno == EINTR)
                ;
        return 2;
}

/* ---- the runtime's program ---- */

/* Whether the file could be written to once it no longer runs: only the mount, through which it was
 * started, can be in the way. fstatvfs(3) */
static int can_write(int file) {
        struct statvfs info;

        return fstatvfs(file, &info) < 0 || !(info.f_flag & ST_RDONLY);
}

/* 1: the process runs another program than this one, whose file is looked at. */
static int look_at_program(DIR *proc, const char *pid, const struct stat *own) {
        char path[300];
        struct stat status;
        int fd, is_other;

        (void)snprintf(path, sizeof(path), "%s/exe", pid);
        fd = openat(dirfd(proc), path, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return 0;
        is_other = fstat(fd, &status) == 0 &&
                   (status.st_ino != own->st_ino || status.st_dev != own->st_dev);
        if (is_other && can_write(fd))
                (void)printf("a program that is not the container's can be written to\n");
        (void)close(fd);
        return is_other;
}

/* Until one of the container's processes is seen to run what is not the container's. */
static int watch_programs(void) {
        DIR *proc = opendir("/proc");
        const struct dirent *entry;
        struct stat own;
        int seen = 0;

        if (!proc || stat("/guest", &own) < 0)
                return 2;
        while (!seen) {
                rewinddir(proc);
                while (!seen && (entry = readdir(proc)))
                        if (entry->d_name[0] > '0' && entry->d_name[0] <= '9')
                                seen = look_at_program(proc, entry->d_name, &own);
        }
        (void)closedir(proc);
        return 0;
}

/* ---- which ---- */

static const struct {
        const char *name;
        int (*run)(void);
} attacks[] = {
        { "keyctl", try_keyctl },
        { "namespaces", try_namespaces },
        { "filtered-calls", try_filtered },
        { "masked-paths", try_masked },
        { "read-only-paths", try_writable },
        { "devices", try_devices },
        { "capabilities", try_capabilities },
        { "groups", try_groups },
        { "user", try_user },
        { "descriptors", try_descriptors },
        { "directory", try_directory },
        { "terminal", try_terminal },
        { "linked-proc", try_linked_proc },
        { "advertisements", try_advertisements },
        { "abstract-sockets", try_abstract },
        { "swap", swap_forever },
        { "wait", wait_forever },
        { "programs", watch_programs },
        { "copied", try_copied },
        { "ports", try_ports },
        { "covered", try_covered },
        { "masks", try_masks },
        { "console", try_console },
        { "cgroups", try_groups_of_control },
        { "flood", flood },
        { "mounted", is_host_mounted },
        { "environment", has_strange_environment },
        { "peers", try_peers },
        { "lines", try_lines },
        { "ask", ask_name },
        { "names", serve_names },
        { "source", look_at_source },
        { "claim", claim_address },
        { "send", send_forever },
};

int main(int argc, char **argv) {
        for (size_t i = 0; argc == 2 && i < COUNT(attacks); i++)
                if (strcmp(attacks[i].name, argv[1]) == 0) {
                        int code = attacks[i].run();

                        return fflush(stdout) == 0 ? code : 2;
                }
        (void)fprintf(stderr, "usage: brig-drill-guest NAME, in a container\n");
        return 2;
}
