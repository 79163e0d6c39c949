/* drills-runtime.c: drills in which a container tries to get out by itself, or asks for a process
 * that would. */
#include <fcntl.h>

#include "base/fd.h"
#include "drill/drill.h"

static void set(json_object *object, const char *name, const char *text) {
        (void)json_object_object_add(object, name, json_object_new_string(text));
}

/* The guest in a container as anybody would make it. */
static int run_guest(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);

        return box_attempt(attempt, request, err);
}

static int run_on_network(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);

        set(box_host(request), "NetworkMode", "default");
        return box_attempt(attempt, request, err);
}

static int run_in_host_network(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);

        set(box_host(request), "NetworkMode", "host");
        return box_attempt(attempt, request, err);
}

static int run_with_terminal(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);

        (void)json_object_object_add(request, "Tty", json_object_new_boolean(true));
        return box_attempt(attempt, request, err);
}

static int run_as_web(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);

        set(request, "User", "web");
        return box_attempt(attempt, request, err);
}

/* Refused, or at least not root's. */
static int run_user_range(const Drill *drill, Attempt *attempt, Error *err) {
        static const char *const users[] = { "4294967296", "18446744073709551616", "-1",
                                             "1000:4294967296", "web\n" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(users); i++) {
                _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);
                _cleanup_(box_end_done) BoxEnd end = {};

                set(request, "User", users[i]);
                r = box_run(attempt->cli, request, &end, err);
                if (r == 0 && !end.refused)
                        buf_format(attempt->got, "user '%s' runs: %s\n", users[i], end.output);
        }
        return r;
}

/* A value in which a second setting hides, and settings that are the host's. core_pattern is given
 * the value that it has, so that nothing comes of it where it is let through. */
static int run_sysctls(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *pattern = NULL;
        int r = file_read_at(AT_FDCWD, "/proc/sys/kernel/core_pattern", 4096, &pattern, NULL, err);

        if (r < 0)
                return r;
        const struct {
                const char *name, *value;
        } settings[] = { { "kernel.core_pattern", str_trim(pattern) },
                         { "kernel.shm_rmid_forced/../core_pattern", pattern },
                         { "net/../kernel/core_pattern", pattern },
                         { "net.//.kernel.core_pattern", pattern },
                         { "net.ipv4.ping_group_range", "0 0+kernel.core_pattern=core" } };
        for (size_t i = 0; r == 0 && i < ELEMENTS(settings); i++) {
                _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);
                _cleanup_(box_end_done) BoxEnd end = {};
                json_object *sysctls = json_object_new_object();

                set(sysctls, settings[i].name, settings[i].value);
                (void)json_object_object_add(box_host(request), "Sysctls", sysctls);
                r = box_run(attempt->cli, request, &end, err);
                if (r == 0 && !end.refused)
                        buf_format(attempt->got, "a container runs with %s=%s\n", settings[i].name,
                                   settings[i].value);
        }
        return r;
}

/* The runtime's descriptors have small numbers; a few are enough to find one that is open. */
static int run_working_directory(const Drill *drill, Attempt *attempt, Error *err) {
        int r = 0;

        for (int fd = FIRST_FD; r == 0 && fd < END_FD; fd++) {
                _cleanup_json_ json_object *request = box_request(attempt->image, drill->guest);
                _cleanup_free_ char *directory = str_format("/proc/self/fd/%d", fd);
                _cleanup_(box_end_done) BoxEnd end = {};

                set(request, "WorkingDir", directory);
                r = box_run(attempt->cli, request, &end, err);
                if (r == 0 && !end.refused)
                        buf_format(attempt->got, "a process works in %s: %s\n", directory,
                                   end.output);
        }
        return r;
}

/* An image in which /proc and /sys lead elsewhere. */
static int run_linked_proc(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request("brig-drill:linked", drill->guest);
        _cleanup_buf_ Buf tar = {};
        int r = box_guest_tar(&tar, err);

        if (r < 0)
                return r;
        tar_add(&tar, &(TarEntry){ .path = "elsewhere", .type = TAR_DIRECTORY, .mode = 0755 });
        tar_add(&tar, &(TarEntry){ .path = "proc", .target = "/elsewhere/proc", .type = TAR_LINK });
        tar_add(&tar, &(TarEntry){ .path = "sys", .target = "/elsewhere/sys", .type = TAR_LINK });
        tar_end(&tar);
        r = box_import(attempt->cli, "linked", &tar, NULL, err);
        return r < 0 ? r : box_attempt(attempt, request, err);
}

#define FILTER                                                                                     \
        "leave the default seccomp profile on: no seccomp=unconfined in daemon.json's "            \
        "seccomp-profile"

static const Drill drills[] = {
        { "keyctl", "", "The host's keys, by keyctl, add_key and request_key", FILTER, run_guest,
          "keyctl" },
        { "namespaces", "CVE-2022-0492", "A user namespace, and a cgroup mounted in it", FILTER,
          run_guest, "namespaces" },
        { "filtered-calls", "", "bpf, userfaultfd, io_uring, AF_ALG, AF_VSOCK and more", FILTER,
          run_guest, "filtered-calls" },
        { "masked-paths", "", "/proc/kcore, /proc/keys, /sys/firmware are read",
          "report it: the engine no longer masks Docker's list of paths", run_guest,
          "masked-paths" },
        { "read-only-paths", "", "/proc/sysrq-trigger and core_pattern are opened for writing",
          "report it: the engine no longer has Docker's list of read-only paths", run_guest,
          "read-only-paths" },
        { "devices", "", "Nodes of disks and kernel devices, made by mknod, are opened",
          "let the engine load BPF into cgroups: the kernel needs CONFIG_CGROUP_BPF", run_guest,
          "devices" },
        { "capabilities", "CVE-2022-24769", "Inheritable and ambient capabilities",
          "report it: a container's process has capabilities that it hands on", run_guest,
          "capabilities" },
        { "groups", "CVE-2022-36109", "The main group is dropped from the further ones",
          "report it: the user's main group is missing in its list of groups", run_as_web,
          "groups" },
        { "user-range", "CVE-2024-40635", "User ids beyond 32 bits, which wrap to root's",
          "report it: ids are no longer read strictly", run_user_range, "user" },
        { "descriptors", "CVE-2016-9962", "Descriptors of the runtime that a container inherits",
          "report it: the runtime leaves a descriptor open", run_guest, "descriptors" },
        { "working-directory", "CVE-2024-21626", "A working directory in /proc/self/fd",
          "report it: the runtime lets a process work outside its root", run_working_directory,
          "directory" },
        { "terminal", "CVE-2017-5226", "The terminal of a container is its own",
          "report it: a container shares a terminal, into which it can type", run_with_terminal,
          "terminal" },
        { "engine-ports", "CVE-2025-9074", "A container asks for the engine's API on the network",
          "end what listens on the port named, or give it TLS: whoever reaches it is the host's "
          "root",
          run_on_network, "ports" },
        { "linked-proc", "CVE-2019-19921", "An image whose /proc and /sys are links",
          "report it: the kernel's file systems are mounted where an image's links lead",
          run_linked_proc, "linked-proc" },
        { "sysctls", "CVE-2022-0811", "Settings that are the host's, or hide in another's value",
          "report it: a setting of the whole host is taken from a container's options", run_sysctls,
          "user" },
        { "abstract-sockets", "CVE-2020-15257",
          "Abstract sockets of the engine on the host network",
          "end what listens on the sockets named: an engine beside brig opens them",
          run_in_host_network, "abstract-sockets" },
        { "router-advertisements", "CVE-2020-13401", "A container listens to a neighbour's routes",
          "report it: a container's link takes router advertisements", run_on_network,
          "advertisements" },
};

const DrillSet runtime_drills = { drills, ELEMENTS(drills) };
