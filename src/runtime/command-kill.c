/* command-kill.c: kill, delete, pause and resume: what ends a container or holds it still. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "os/cgroup.h"
#include "os/pidfd.h"
#include "runtime/cli.h"

#define FREEZE_TIMEOUT (10 * NSEC_PER_SEC)
#define END_TIMEOUT (10 * NSEC_PER_SEC)

static const CommandOption kill_options[] = {
        { "all", 'a', OPTION_FLAG, offsetof(Options, all),
          "send the signal to every process of the container" },
        {},
};
static const CommandOption delete_options[] = {
        { "force", 'f', OPTION_FLAG, offsetof(Options, force),
          "kill the container first if it runs" },
        {},
};

/* "KILL", "SIGKILL", "9", "RTMIN+3". */
static int signal_parse(const char *text, int *ret, Error *err) {
        const char *name = str_after(text, "SIG") ?: text, *more;
        int number;

        if (str_to_int_in(text, 0, SIGRTMAX, ret) == 0) /* 0: only asks whether it may be sent */
                return 0;
        more = str_after(name, "RTMIN+");
        if (more && str_to_int_in(more, 0, SIGRTMAX - SIGRTMIN, &number) == 0) {
                *ret = SIGRTMIN + number;
                return 0;
        }
        for (number = 1; number < NSIG; number++)
                if (sigabbrev_np(number) && str_equal(sigabbrev_np(number), name)) {
                        *ret = number;
                        return 0;
                }
        return error_kind(err, ERROR_INVALID, "unknown signal \"%s\"", text);
}

static int signal_all(const char *cgroup, int signal, Error *err) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t count = 0;
        int r;

        if (signal == SIGKILL)
                return cgroup_kill(cgroup, END_TIMEOUT, err);
        /* Frozen meanwhile, so that nobody is born unsignalled. */
        r = cgroup_freeze(cgroup, true, FREEZE_TIMEOUT, err);
        if (r == 0)
                r = cgroup_pids(cgroup, &pids, &count, err);
        for (size_t i = 0; r == 0 && i < count; i++) {
                _cleanup_close_ int pidfd = -1;

                if (pidfd_of(pids[i], &pidfd, NULL) == 0)
                        (void)pidfd_signal(pidfd, signal,
                                           NULL); /* fails for one that has just ended */
        }
        if (cgroup_freeze(cgroup, false, FREEZE_TIMEOUT, r < 0 ? NULL : err) < 0 && r == 0)
                r = -EIO;
        return r;
}

static int run_kill(const Options *options, char **words, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        ContainerStatus status = STATUS_STOPPED;
        Record record = {};
        int signal = SIGTERM, r = words[1] ? signal_parse(words[1], &signal, err) : 0;

        if (r == 0)
                r = record_load(options, words[0], &record, &dir_fd, &pidfd, &status, err);
        if (r == 0 && options->all)
                r = signal_all(record.cgroup, signal, err);
        else if (r == 0 && status == STATUS_STOPPED)
                r = error_kind(err, ERROR_CONFLICT, "container not running");
        else if (r == 0)
                r = pidfd_signal(pidfd, signal, err);
        record_done(&record);
        return r;
}

/* ---- delete ---- */

static int destroy(int dir_fd, Record *record, Error *err) {
        RuntimeContainer container = { .pid = (pid_t)record->pid,
                                       .pidfd = -1,
                                       .cgroup = record->cgroup,
                                       .bundle = record->bundle };
        OciConfig config = {};
        int r = config_read(dir_fd, CONFIG_FILE, &config, NULL, err);

        container.spares_others = config_has_own_pids(&config);
        if (r == 0)
                r = container_destroy(&config, &container, record->id, err);
        json_done(&oci_config_table, &config);
        return r;
}

int record_delete(const Options *options, int dir_fd, int pidfd, Record *record,
                  ContainerStatus status, bool force, Error *err) {
        _cleanup_close_ int root_fd = -1;
        int r = 0;

        if (status != STATUS_STOPPED && status != STATUS_CREATED && !force)
                return error_kind(err, ERROR_CONFLICT,
                                  "cannot delete container %s that is not stopped: %s", record->id,
                                  status_names[status]);
        if (pidfd >= 0) {
                (void)pidfd_signal(pidfd, SIGKILL, NULL); /* it may have ended since */
                if (status == STATUS_PAUSED)
                        (void)cgroup_freeze(record->cgroup, false, FREEZE_TIMEOUT, NULL);
                r = pidfd_wait_end(pidfd, END_TIMEOUT);
                if (r < 0)
                        return error_set(err, -r, "process %lld does not end",
                                         (long long)record->pid);
        }
        r = destroy(dir_fd, record, err);
        if (r == 0)
                r = root_directory(options, false, &root_fd, err);
        return r < 0 ? r : dir_remove_at(root_fd, record->id, err);
}

/* A directory without a record is what a creator that was killed leaves behind: nothing of it runs
 * but what init's missing parent ends. */
static int delete_halfway(const Options *options, const char *id, Error *err) {
        _cleanup_close_ int root_fd = -1;
        int r = root_directory(options, false, &root_fd, NULL);

        if (r == -ENOENT)
                return 0;
        return r < 0 ? error_set(err, -r, "open '%s'", options->root)
                     : dir_remove_at(root_fd, id, err);
}

static int run_delete(const Options *options, char **words, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        ContainerStatus status = STATUS_STOPPED;
        Record record = {};
        int r = record_load(options, words[0], &record, &dir_fd, &pidfd, &status, err);

        if (r == 0)
                r = record_delete(options, dir_fd, pidfd, &record, status, options->force, err);
        else if (r == -ENOENT && options->force)
                r = delete_halfway(options, words[0], err);
        record_done(&record);
        return r;
}

/* ---- pause, resume ---- */

static int set_frozen(const Options *options, const char *id, bool frozen, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        ContainerStatus status = STATUS_STOPPED;
        Record record = {};
        int r = record_load(options, id, &record, &dir_fd, &pidfd, &status, err);

        if (r == 0 && frozen && status != STATUS_RUNNING && status != STATUS_CREATED)
                r = error_kind(err, ERROR_CONFLICT, "container not running or created: %s",
                               status_names[status]);
        else if (r == 0 && !frozen && status != STATUS_PAUSED)
                r = error_kind(err, ERROR_CONFLICT, "container not paused");
        if (r == 0)
                r = cgroup_freeze(record.cgroup, frozen, FREEZE_TIMEOUT, err);
        record_done(&record);
        return r;
}

static int run_pause(const Options *options, char **words, Error *err) {
        return set_frozen(options, words[0], true, err);
}

static int run_resume(const Options *options, char **words, Error *err) {
        return set_frozen(options, words[0], false, err);
}

const Command command_kill = { "kill",
                               "<container-id> [signal]",
                               "send a signal to init (default: SIGTERM)",
                               1,
                               2,
                               kill_options,
                               run_kill };
const Command command_delete = {
        "delete",       "<container-id>", "delete what is left of a container", 1, 1,
        delete_options, run_delete
};
const Command command_pause = {
        "pause", "<container-id>", "suspend all processes of a container", 1, 1, NULL, run_pause
};
const Command command_resume = { "resume", "<container-id>", "resume a paused container", 1, 1,
                                 NULL,     run_resume };
