/* drills-exec.c: drills that start a process in a container which runs already: what leads from it
 * to the host, and what it gets of the runtime's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/fd.h"
#include "drill/drill.h"

typedef int (*Use)(Attempt *attempt, const char *id, Error *err);

/* A container whose guest does what waiting names, for as long as it takes to use it. */
static int with_container(Attempt *attempt, const char *waiting, Use use, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, waiting);
        _cleanup_free_ char *id = NULL;
        int r = box_begin(attempt->cli, request, &id, err);

        return r < 0 ? r : box_end(attempt->cli, id, use(attempt, id, err), err);
}

/* ---- what a process is given ---- */

static int look_inside(Attempt *attempt, const char *id, Error *err) {
        static const char *const guests[] = { "capabilities", "descriptors" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(guests); i++) {
                _cleanup_(box_end_done) BoxEnd end = {};

                r = box_exec(attempt->cli, id, box_words("/guest", guests[i]), NULL, &end, err);
                if (r == 0)
                        r = box_take(attempt, &end, err);
        }
        return r;
}

static int run_exec(const Drill *drill, Attempt *attempt, Error *err) {
        return with_container(attempt, drill->guest, look_inside, err);
}

/* ---- descriptors of the runtime's that lead out ---- */

static int work_outside(Attempt *attempt, const char *id, Error *err) {
        int r = 0;

        for (int fd = FIRST_FD; r == 0 && fd < END_FD; fd++) {
                _cleanup_free_ char *directory = str_format("/proc/self/fd/%d", fd);
                _cleanup_(box_end_done) BoxEnd end = {};

                r = box_exec(attempt->cli, id, box_words("/guest", "directory"), directory, &end,
                             err);
                if (r == 0 && !end.refused)
                        buf_format(attempt->got, "a process works in %s: %s\n", directory,
                                   end.output);
        }
        return r;
}

static int run_directory(const Drill *drill, Attempt *attempt, Error *err) {
        return with_container(attempt, drill->guest, work_outside, err);
}

/* The host's own copy of the guest is the program that is reached for. */
static int start_outside(Attempt *attempt, const char *id, Error *err) {
        char self[PATH_MAX];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        int r = 0;

        self[MAX(length, 0)] = '\0';
        for (int fd = FIRST_FD; r == 0 && fd < END_FD; fd++) {
                _cleanup_free_ char *program =
                        str_format("/proc/self/fd/%d/../../../../../../../..%s-guest", fd, self);
                _cleanup_(box_end_done) BoxEnd end = {};

                r = box_exec(attempt->cli, id, box_words(program, "user"), NULL, &end, err);
                if (r == 0 && !end.refused)
                        buf_format(attempt->got, "a program of the host's runs: %s\n", program);
        }
        return r;
}

static int run_program_outside(const Drill *drill, Attempt *attempt, Error *err) {
        return with_container(attempt, drill->guest, start_outside, err);
}

/* ---- the runtime's program ---- */

#define STARTS_MAX 200
#define LOADER_MAX ((size_t)4 << 20)

/* Until the guest has seen one of the runtime's processes, which takes a few starts. */
static int start_runtime(Attempt *attempt, const char *id, Error *err) {
        _cleanup_(box_end_done) BoxEnd seen = {};
        bool running = true;
        int r = 0;

        for (int i = 0; r == 0 && running && i < STARTS_MAX; i++) {
                _cleanup_(box_end_done) BoxEnd end = {};

                r = box_exec(attempt->cli, id, box_words("/proc/self/exe", "wait"), NULL, &end,
                             err);
                if (r == 0 || err->kind == ERROR_CONFLICT)
                        r = box_running(attempt->cli, id, &running, err);
        }
        if (r == 0 && running)
                return error_kind(err, ERROR_INTERNAL,
                                  "the guest saw no process of the runtime's in %d starts",
                                  STARTS_MAX);
        if (r == 0)
                r = box_finish(attempt->cli, id, &seen, err);
        return r < 0 ? r : box_take(attempt, &seen, err);
}

/* The runtime's program by itself is one that the image has a loader for, where it needs one: it is
 * seen by the guest while that looks for its libraries. */
static int add_loader(Buf *tar, Error *err) {
        static const char *const loaders[] = { "lib64/ld-linux-x86-64.so.2",
                                               "lib/ld-linux-aarch64.so.1" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(loaders); i++) {
                _cleanup_free_ char *path = str_format("/%s", loaders[i]), *data = NULL;
                size_t length;

                r = file_read_at(AT_FDCWD, path, LOADER_MAX, &data, &length, err);
                if (r == 0)
                        tar_add(tar, &(TarEntry){ loaders[i], NULL, TAR_FILE, 0755, data, length,
                                                  NULL });
                else if (r == -ENOENT || r == -ENOTDIR)
                        r = 0;
        }
        return r;
}

static int run_programs(const Drill *drill, Attempt *attempt, Error *err) {
        Attempt own = *attempt;
        _cleanup_buf_ Buf tar = {};
        int r = box_guest_tar(&tar, err);

        if (r == 0)
                r = add_loader(&tar, err);
        if (r < 0)
                return r;
        tar_end(&tar);
        own.image = "brig-drill:loader";
        r = box_import(attempt->cli, "loader", &tar, NULL, err);
        return r < 0 ? r : with_container(&own, drill->guest, start_runtime, err);
}

static const Drill drills[] = {
        { "exec", "CVE-2022-29162", "Capabilities and descriptors of a process that exec starts",
          "report it: exec hands on what is the runtime's", run_exec, "wait" },
        { "exec-directory", "CVE-2024-21626", "exec in a working directory of /proc/self/fd",
          "report it: the runtime lets a process work outside its root", run_directory, "wait" },
        { "exec-program", "CVE-2024-21626", "exec of a program of the host's through /proc/self/fd",
          "report it: the runtime starts a program outside the container's root",
          run_program_outside, "wait" },
        { "runtime-program", "CVE-2019-5736", "The runtime's own program as a container's",
          "report it: a container can replace the runtime's program", run_programs, "programs" },
};

const DrillSet exec_drills = { drills, ELEMENTS(drills) };
