/* checkpoint.c: checkpoints of containers: directories of images, made of one that runs, listed and
 * removed. A start takes one in place of the program's beginning (start.c). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/cgroup.h"
#include "engine/checkpoint.h"
#include "engine/container-health.h"
#include "engine/documents.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/exec-private.h"
#include "engine/ocispec.h"
#include "engine/outside.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/stop.h"
#include "os/pidfd.h"
#include "os/procfs.h"
#include "runtime/runtime.h"

#define END_TIMEOUT (10 * NSEC_PER_SEC)
#define KILL_TIMEOUT (2 * NSEC_PER_SEC) /* of who has been killed */
#define WORK_DIRECTORY "criu"           /* in the container's */

/* ---- directories ---- */

/* As dockerd's; no path can be made of it. */
static int check_name(const char *name, Error *err) {
        size_t length = str_empty(name) ? 0
                                        : strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

        if (length == 0 || name[length] || strchr("_.-", name[0]) || length > 255)
                return error_kind(err, ERROR_INVALID,
                                  "Invalid checkpoint ID (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
                                  "allowed",
                                  name ?: "");
        return 0;
}

/* A restore makes what the images say, as root: nobody else may have put them there, nor may change
 * them. */
static int check_owner(int fd, const char *path, Error *err) {
        struct stat status;

        if (fstat(fd, &status) < 0)
                return error_set(err, errno, "look at the directory '%s'", path);
        if (status.st_uid != geteuid())
                return error_kind(err, ERROR_FORBIDDEN,
                                  "the directory '%s' of checkpoints belongs to user %u, who could "
                                  "change what is restored: use one of root's (chown root)",
                                  path, status.st_uid);
        if (status.st_mode & 022)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "the directory '%s' of checkpoints has mode %03o, and others "
                                  "could change what is restored: chmod go-w it, or use another",
                                  path, status.st_mode & 07777);
        return 0;
}

/* 1: there is a checkpoint, 0: there is none, negative: that cannot be told. */
static int look_at_images(int holder_fd, const char *name, Error *err) {
        _cleanup_free_ char *path = str_format("%s/" RUNTIME_CHECKPOINT_FILE, name);

        if (faccessat(holder_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 1;
        return errno == ENOENT ? 0
                               : error_set(err, errno, "look for '" RUNTIME_CHECKPOINT_FILE "'");
}

/* A look at a directory that a client named. */
typedef struct Look {
        char *path;
        bool make; /* it, where it is missing */
        int fd;    /* out */
        int r;
        Error error;
} Look;

static void look_free(void *data) {
        Look *look = data;

        close_fd(&look->fd);
        free(look->path);
        free(look);
}

static void look_for_holder(void *data) {
        Look *look = data;

        look->r = dir_open_at(AT_FDCWD, look->path, look->make ? 0700 : 0, &look->fd, &look->error);
        if (look->r == 0)
                look->r = check_owner(look->fd, look->path, &look->error);
}

static void look_for_images(void *data) {
        Look *look = data;

        look->r = dir_open_at(AT_FDCWD, look->path, 0, &look->fd, &look->error);
        if (look->r == 0)
                look->r = look_at_images(look->fd, ".", &look->error);
}

/* No lock held. ret_fd: the directory, the caller's; NULL: nobody wants it. */
static int look_elsewhere(void (*run)(void *look), const char *path, bool make, int *ret_fd,
                          Error *err) {
        Look *look = NEW(Look);

        *look = (Look){ .path = str_copy(path), .make = make, .fd = -1 };
        int r = outside_look(path, run, look, look_free, err);
        if (r < 0)
                return r;
        r = look->r;
        if (r < 0 && err)
                *err = look->error;
        if (r >= 0 && ret_fd)
                *ret_fd = TAKE_FD(look->fd);
        look_free(look);
        return r;
}

/* The directory that the client named; make: also where it is missing. None: nothing is done. */
static int open_named(const char *directory, bool make, int *ret_fd, Error *err) {
        if (str_empty(directory))
                return 0;
        if (directory[0] != '/')
                return error_kind(err, ERROR_INVALID,
                                  "the directory of checkpoints '%s' must be an absolute path",
                                  directory);
        return look_elsewhere(look_for_holder, directory, make, ret_fd, err);
}

static int open_own(const Container *container, bool make, int *ret_fd, Error *err) {
        _cleanup_free_ char *path = str_format("%s/checkpoints", container->id);

        return dir_open_at(container->engine->containers_fd, path, make ? 0700 : 0, ret_fd, err);
}

/* The directory that holds a container's checkpoints: what open_named has opened, or else the
 * container's own. */
static int open_holder(const Container *container, const char *directory, bool make, int *holder_fd,
                       Error *err) {
        return str_empty(directory) ? open_own(container, make, holder_fd, err) : 0;
}

static int open_images(int holder_fd, const char *name, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = dir_open_real_at(holder_fd, name, &fd, err);

        if (r == 0)
                r = check_owner(fd, name, err);
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

/* What a dump that was interrupted leaves is none. */
static bool is_whole(int holder_fd, const char *name) {
        _cleanup_free_ char *path = str_format("%s/" RUNTIME_CHECKPOINT_FILE, name);

        return faccessat(holder_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int missing(const Container *container, const char *name, Error *err) {
        return error_kind(err, ERROR_NOT_FOUND, "checkpoint %s does not exist for container %s",
                          name, container->name);
}

int checkpoint_open_holder(const Container *container, const CheckpointPlace *place, int *ret_fd,
                           Error *err) {
        int r = check_name(place->name, err);

        if (r == 0)
                r = open_named(place->directory, false, ret_fd, err);
        return r == -ENOENT ? missing(container, place->name, err) : r;
}

int checkpoint_open(const Container *container, const CheckpointPlace *place, int *holder_fd,
                    int *ret_fd, Error *err) {
        int r = open_holder(container, place->directory, false, holder_fd, err);

        if (r == -ENOENT || (r == 0 && !is_whole(*holder_fd, place->name)))
                return missing(container, place->name, err);
        return r < 0 ? r : open_images(*holder_fd, place->name, ret_fd, err);
}

/* What makes it a checkpoint goes first, so that no half of one looks whole. */
static int remove_images(int holder_fd, const char *name, Error *err) {
        _cleanup_free_ char *path = str_format("%s/" RUNTIME_CHECKPOINT_FILE, name);

        if (unlinkat(holder_fd, path, 0) < 0 && errno != ENOENT)
                return error_set(err, errno, "remove '%s'", path);
        return dir_remove_at(holder_fd, name, err);
}

static int already_there(const Container *container, int holder_fd, const CheckpointCreate *create,
                         Error *err) {
        if (is_whole(holder_fd, create->id))
                return error_kind(err, ERROR_CONFLICT,
                                  "checkpoint with name %s already exists for container %s",
                                  create->id, container->name);
        return error_kind(err, ERROR_CONFLICT,
                          "'%s/%s' already exists, and is no checkpoint: take another name, or "
                          "remove it",
                          create->directory ?: "", create->id);
}

/* A directory that the client names may hold anything of the host's: only in the container's own
 * is what is no checkpoint what an interrupted dump has left. */
static int make_directory(const Container *container, int holder_fd, const CheckpointCreate *create,
                          int *ret_fd, Error *err) {
        bool own = str_empty(create->directory);
        int r = own && !is_whole(holder_fd, create->id) ? dir_remove_at(holder_fd, create->id, err)
                                                        : 0;

        if (r < 0)
                return r;
        if (mkdirat(holder_fd, create->id, 0700) < 0)
                return errno == EEXIST
                               ? already_there(container, holder_fd, create, err)
                               : error_set(err, errno, "make the directory of checkpoint %s",
                                           create->id);
        r = open_images(holder_fd, create->id, ret_fd, err);
        if (r < 0)
                (void)unlinkat(holder_fd, create->id, AT_REMOVEDIR);
        return r;
}

/* ---- making one ---- */

static void forget_dump(ContainerState *state) {
        state->checkpointing = false;
        str_replace(&state->dump_images, NULL);
}

void container_end_checkpointing(Container *container, bool ended) {
        ContainerState *state = &container->state;

        state->stopped_by_user = state->stopped_by_user || (ended && state->checkpointing);
        forget_dump(state);
}

static bool has_running_exec(Container *container) {
        bool found = false;
        size_t count;
        Exec **execs = execs_of(container->engine, container, &count);

        for (size_t i = 0; i < count; i++) {
                execs_lock(container->engine);
                found = found || execs[i]->running;
                execs_unlock(container->engine);
                exec_unref(execs[i]);
        }
        free(execs);
        return found;
}

static int refuse(const Container *container, const char *why, Error *err) {
        return error_kind(err, ERROR_CONFLICT, "Cannot checkpoint container %s: %s",
                          container->name, why);
}

/* What would fail later, or lose the container. */
static int check_dumpable(Container *container, bool exits, Error *err) {
        const HostConfig *host = &container->spec.host;
        int r = container_require_running(container, err);

        if (r < 0)
                return r;
        if (container->state.status == CONTAINER_PAUSED)
                return refuse(container, "it is paused: unpause it first", err);
        if (!str_empty(host->runtime) && !runtime_is_own(host->runtime))
                return refuse(container, "it has another runtime than brig's own", err);
        if (str_after(host->pid_mode ?: "", "container:") ||
            str_after(host->ipc_mode ?: "", "container:"))
                return refuse(container, "it shares another container's processes or IPC", err);
        if (exits && host->auto_remove)
                return refuse(container,
                              "it would be removed, with --rm, as soon as it has ended: leave it "
                              "running (--leave-running)",
                              err);
        if (has_running_exec(container))
                return refuse(container,
                              "an exec runs in it, which no checkpoint can hold: end it "
                              "first",
                              err);
        return 0;
}

/* Not before one who waits for the lock to kill it. */
static int begin_dumping(Container *container, Error *err) {
        lock_take(&container->state_lock, LOCK_STATE);
        container->dumping = container->killers == 0;
        int r = container->dumping ? 0 : refuse(container, "it is being killed", err);
        lock_drop(&container->state_lock, LOCK_STATE);
        return r;
}

static void end_dumping(Container *container) {
        lock_take(&container->kill_lock, LOCK_KILL);
        lock_take(&container->state_lock, LOCK_STATE);
        container->dumping = false;
        lock_drop(&container->state_lock, LOCK_STATE);
        lock_drop(&container->kill_lock, LOCK_KILL);
}

/* kill_lock held, it is being dumped: who has its lock waits for criu, and then for kill_lock. That
 * a user ended it is on the disk first, so that no policy starts it again, whoever learns of its
 * end, this daemon or the next. */
static bool kill_dumped(Container *container) {
        Error error = { 0 };

        container->state.stopped_by_user = true;
        if (container_save(container, false, &error) < 0)
                log_error("record that container %s is to stay down: %s", container->id,
                          error.message);
        return container_signal(container, SIGKILL, NULL) == 0;
}

bool container_lock_to_kill(Container *container) {
        lock_take(&container->kill_lock, LOCK_KILL);
        lock_take(&container->state_lock, LOCK_STATE);
        container->killers++;
        bool dumping = container->dumping;
        lock_drop(&container->state_lock, LOCK_STATE);
        bool killed = dumping && kill_dumped(container);
        lock_drop(&container->kill_lock, LOCK_KILL);
        container_lock(container);
        lock_take(&container->state_lock, LOCK_STATE);
        container->killers--;
        lock_drop(&container->state_lock, LOCK_STATE);
        return killed;
}

static int dump(Container *container, int images_fd, int work_fd, bool exits, Error *err) {
        _cleanup_free_ char *path = container_cgroups_path(container),
                            *cgroup = container_cgroup(container);
        const OcispecContext context = { .cgroup = path,
                                         .netfiles_id = container->id,
                                         .own_netns = container->netns_fd >= 0 };
        const RuntimeContainer running = { .pid = (pid_t)container->state.pid,
                                           .pidfd = container->pidfd,
                                           .cgroup = cgroup };
        const CheckpointOptions options = { .images_fd = images_fd,
                                            .work_fd = work_fd,
                                            .leave_running = !exits,
                                            .file_locks = true,
                                            .stage_fd = -1 };
        OciConfig config = { 0 };
        int r = ocispec_build(container, &context, &config, err);

        if (r == 0)
                r = begin_dumping(container, err);
        if (r == 0) {
                r = container_checkpoint(&config, &running, &options, err);
                end_dumping(container);
        }
        json_done(&oci_config_table, &config);
        return r;
}

/* criu's log outlives the images of a dump that failed: it says why, until the next dump. */
static int dump_with_log(Container *container, int images_fd, bool exits, Error *err) {
        _cleanup_free_ char *path = str_format("%s/" WORK_DIRECTORY, container->id);
        int containers_fd = container->engine->containers_fd;
        _cleanup_close_ int work_fd = -1;
        Error error = { 0 };
        int r = dir_remove_at(containers_fd, path, err);

        if (r == 0)
                r = dir_open_at(containers_fd, path, 0700, &work_fd, err);
        if (r < 0)
                return r;
        r = dump(container, images_fd, work_fd, exits, err);
        if (r < 0 && faccessat(work_fd, "dump.log", F_OK, 0) == 0)
                return error_prefix(err, "with the log in containers/%s of the data root", path);
        close_fd(&work_fd);
        if (dir_remove_at(containers_fd, path, &error) < 0)
                log_warn("%s", error.message);
        return r;
}

/* Also where the container runs on: an earlier dump that failed may stand there still, which
 * could not be taken back, and must not be taken for this one. */
static int save_dump(Container *container, const CheckpointCreate *create, Error *err) {
        ContainerState *state = &container->state;

        forget_dump(state);
        state->checkpointing = create->exit;
        if (create->exit)
                state->dump_images =
                        str_empty(create->directory)
                                ? str_format("%s/checkpoints/%s", container->id, create->id)
                                : str_format("%s/%s", create->directory, create->id);
        return container_save(container, false, err);
}

static void undo_failed(const Container *container, const Error *error) {
        log_warn("after a failed checkpoint of container %s: %s", container->id, error->message);
}

/* One step that fails keeps no other from being done. Without its images the record of a dump says
 * nothing: they go first. */
static void undo(Container *container, const CheckpointCreate *create, int holder_fd) {
        Error error = { 0 };

        prober_pause(container, false);
        if (remove_images(holder_fd, create->id, &error) < 0)
                undo_failed(container, &error);
        forget_dump(&container->state);
        int r = failpoint("checkpoint.undo", &error);
        if (r == 0 && create->exit)
                r = container_save(container, false, &error);
        if (r < 0)
                undo_failed(container, &error);
}

/* lock held. Who is checkpointed to an end stays down, as one that was stopped; if that fails it is
 * as before. */
static int dump_or_undo(Container *container, const CheckpointCreate *create, int holder_fd,
                        Error *err) {
        _cleanup_close_ int images_fd = -1;
        int r = make_directory(container, holder_fd, create, &images_fd, err);

        if (r < 0)
                return r;
        prober_pause(container, true);
        r = save_dump(container, create, err);
        if (r == 0)
                r = dump_with_log(container, images_fd, create->exit, err);
        if (r == 0) {
                container_event(container, "checkpoint", NULL);
                if (create->exit)
                        container_end_checkpointing(container, true);
                else
                        prober_pause(container, false);
                return failpoint("checkpoint.made", err);
        }
        undo(container, create, holder_fd);
        return error_prefix(err, "Cannot checkpoint container %s", container->name);
}

/* No directory is made for what is refused. */
static int check_dumpable_unlocked(Container *container, bool exits, Error *err) {
        CONTAINER_LOCKED(container);

        return check_dumpable(container, exits, err);
}

/* *holder_fd: as of open_holder; *ret_wait: for the end; NULL where it runs on. */
static int create_locked(Container *container, const CheckpointCreate *create, int *holder_fd,
                         EngineWait **ret_wait, Error *err) {
        CONTAINER_LOCKED(container);
        _cleanup_(wait_freep) EngineWait *wait = NULL;
        int r = check_dumpable(container, create->exit, err);

        if (r == 0)
                r = open_holder(container, create->directory, true, holder_fd, err);
        if (r < 0)
                return r;
        if (create->exit)
                wait = wait_register(container, WAIT_NEXT_EXIT);
        r = dump_or_undo(container, create, *holder_fd, err);
        if (r == 0)
                *ret_wait = TAKE_PTR(wait);
        return r;
}

int engine_checkpoint_create(Engine *engine, const char *ref, const CheckpointCreate *create,
                             Error *err) {
        _cleanup_(wait_freep) EngineWait *wait = NULL;
        _cleanup_container_ Container *container = NULL;
        _cleanup_close_ int holder_fd = -1;
        int r = container_lookup(engine, ref, &container, err);

        if (r == 0)
                r = check_name(create->id, err);
        if (r == 0 && !str_empty(create->directory))
                r = check_dumpable_unlocked(container, create->exit, err);
        if (r == 0)
                r = open_named(create->directory, true, &holder_fd, err);
        if (r == 0)
                r = create_locked(container, create, &holder_fd, &wait, err);
        /* So that who starts it next does not find it running. */
        if (r == 0 && wait)
                r = wait_poll(wait, END_TIMEOUT, -1);
        if (r == 0 || !wait)
                return r;
        if (r == -ETIMEDOUT)
                return error_kind(err, ERROR_INTERNAL, "container %s was saved, and does not end",
                                  container->id);
        return error_set(err, -r, "wait for the end of container %s, which was saved",
                         container->id);
}

/* ---- the others ---- */

/* A directory without what makes it a checkpoint. What cannot be told is left alone. */
static bool is_unfinished(int holder_fd, const struct dirent *entry) {
        return entry->d_type == DT_DIR && !is_whole(holder_fd, entry->d_name) && errno == ENOENT;
}

/* The names in holder that are whole checkpoints, or else unfinished ones; no order. */
static int read_names(int holder_fd, bool whole, char ***ret, Error *err) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_close_ int fd = openat(holder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return error_set(err, errno, "read the directory of checkpoints");
        fd = -1; /* dir's now */
        for (struct dirent *entry; (entry = readdir(dir));)
                if (entry->d_name[0] != '.' &&
                    (whole ? is_whole(holder_fd, entry->d_name) : is_unfinished(holder_fd, entry)))
                        strv_add(ret, entry->d_name);
        return 0;
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_names(int holder_fd, char ***ret, Error *err) {
        int r = read_names(holder_fd, true, ret, err);

        if (r == 0 && *ret)
                qsort(*ret, strv_length(*ret), sizeof(char *), compare);
        return r;
}

int engine_checkpoint_list(Engine *engine, const char *ref, const char *directory, Buf *json,
                           Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_close_ int holder_fd = -1;
        _cleanup_strv_ char **names = NULL;
        int r = container_lookup(engine, ref, &container, err);

        if (r == 0)
                r = open_named(directory, false, &holder_fd, err);
        if (r == 0)
                r = open_holder(container, directory, false, &holder_fd, err);
        if (r == 0)
                r = list_names(holder_fd, &names, err);
        if (r < 0 && !(container && r == -ENOENT)) /* none was ever made there */
                return r;
        json_object *array = json_object_new_array();
        for (char **name = names; name && *name; name++) {
                json_object *row = json_object_new_object();

                json_put_text(row, "Name", *name);
                (void)json_object_array_add(array, row);
        }
        json_add_object(json, array);
        return 0;
}

int engine_checkpoint_remove(Engine *engine, const char *ref, const CheckpointPlace *place,
                             Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_close_ int holder_fd = -1, images_fd = -1;
        int r = container_lookup(engine, ref, &container, err);

        if (r == 0)
                r = checkpoint_open_holder(container, place, &holder_fd, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        r = open_holder(container, place->directory, false, &holder_fd, err);
        /* In the container's own directory also what an interrupted dump has left. */
        if (r == -ENOENT ||
            (r == 0 && !str_empty(place->directory) && !is_whole(holder_fd, place->name)))
                return missing(container, place->name, err);
        if (r == 0)
                r = open_images(holder_fd, place->name, &images_fd, err);
        if (r == -ENOENT)
                return missing(container, place->name, err);
        return r < 0 ? r : remove_images(holder_fd, place->name, err);
}

/* ---- after a daemon that was killed ---- */

void checkpoints_sweep(const Container *container) {
        _cleanup_close_ int holder_fd = -1;
        _cleanup_strv_ char **names = NULL;
        Error error = { 0 };
        int r = open_own(container, false, &holder_fd, &error);

        if (r == -ENOENT)
                return;
        if (r == 0)
                r = read_names(holder_fd, false, &names, &error);
        if (r < 0)
                log_warn("container %s: %s", container->id, error.message);
        for (char **name = names; name && *name; name++) {
                log_info("removing the unfinished checkpoint %s of container %s", *name,
                         container->id);
                if (dir_remove_at(holder_fd, *name, &error) < 0)
                        log_warn("container %s: %s", container->id, error.message);
        }
}

/* The process that traces another, as criu does from the first look to the end. */
static int open_tracer(pid_t pid, int *ret_pidfd, Error *err) {
        _cleanup_close_ int proc_fd = -1;
        _cleanup_free_ char *path = str_format("%d/status", (int)pid), *text = NULL, *number = NULL;
        const char *line = NULL;
        int tracer = 0, r = procfs_open(&proc_fd, err);

        if (r == 0)
                r = procfs_read(proc_fd, path, &text, err);
        if (r == 0)
                line = strstr(text, "\nTracerPid:\t");
        if (!line)
                return r;
        line += strlen("\nTracerPid:\t");
        number = str_copy_n(line, strcspn(line, "\n"));
        if (str_to_int_in(number, 1, INT32_MAX, &tracer) < 0) /* 0: none */
                return 0;
        return pidfd_of(tracer, ret_pidfd, err);
}

static int64_t at_most(int64_t nsec, int64_t until) {
        return MAX(MIN(nsec, until - clock_monotonic()), 0);
}

/* In the container's own directory what is not there is none. One that a client named may be on a
 * disk that is away, or was taken to where the container goes on: unfinished is only what is there,
 * and can be looked into. */
bool checkpoint_may_have_ended(const Container *container) {
        const char *images = container->state.dump_images;
        Error error = { 0 };

        if (!container->state.checkpointing || !images)
                return container->state.checkpointing;
        int r = images[0] == '/' ? look_elsewhere(look_for_images, images, false, NULL, &error)
                                 : look_at_images(container->engine->containers_fd, images, &error);
        if (r < 0)
                log_warn("whether the checkpoint '%s' of container %s is whole cannot be told, and "
                         "it counts as if: %s",
                         images, container->id, error.message);
        return r != 0;
}

bool checkpoint_await_end(const Container *container, int64_t until) {
        _cleanup_close_ int tracer_fd = -1;
        Error error = { 0 };

        if (!checkpoint_may_have_ended(container))
                return false;
        /* Gone is as good as never there. */
        if (open_tracer((pid_t)container->state.pid, &tracer_fd, &error) < 0)
                log_debug("container %s: %s", container->id, error.message);
        if (tracer_fd >= 0) {
                log_info("waiting for the end of the dump of container %s, which an earlier "
                         "daemon began",
                         container->id);
                (void)pidfd_wait_end(tracer_fd, at_most(END_TIMEOUT, until));
        }
        return pidfd_wait_end(container->pidfd, at_most(KILL_TIMEOUT, until)) == 0;
}
