/* copy.c: files out of and into a container, as archives. Each copy is a run of the confined
 * program (image/copy.h), which holds no lock of the engine's while it goes on. What it does hold
 * is the container's layer, mounted: that of one that runs with it; that of one that doesn't alone
 * where it writes, with others that read where it doesn't. A start or a removal ends it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "engine/copy.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/locks.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/stop.h"
#include "os/pidfd.h"

#define KILL_TIMEOUT (30 * NSEC_PER_SEC)
#define PLACES_TIMEOUT (60 * NSEC_PER_SEC) /* the container's lock is held so long */
#define END_TIMEOUT (10 * NSEC_PER_SEC)    /* of a container whose program is gone already */

struct EngineCopy {
        Container *container; /* a reference */
        char *ref, *path;
        ImageCopy *copy;

        /* Of those that hold the layer; guarded by the container's state_lock. */
        bool listed;
        bool shares;       /* it only reads, below a layer that nobody writes to */
        const char *ended; /* by whom, if by the container's own life */
        EngineCopy *next;
        int cancel_fd; /* the client's; -1: none; lasts as long as the copy */
};

/* ---- who holds the layer ---- */

static void enlist(EngineCopy *copy, bool shares) {
        Container *container = copy->container;

        copy->shares = shares;

        lock_take(&container->state_lock, LOCK_STATE);
        copy->next = container->copies;
        container->copies = copy;
        copy->listed = true;
        lock_drop(&container->state_lock, LOCK_STATE);
}

static void delist(EngineCopy *copy) {
        Container *container = copy->container;

        if (!container)
                return;
        lock_take(&container->state_lock, LOCK_STATE);
        for (EngineCopy **slot = &container->copies; copy->listed && *slot; slot = &(*slot)->next)
                if (*slot == copy) {
                        *slot = copy->next;
                        break;
                }
        copy->listed = false;
        lock_drop(&container->state_lock, LOCK_STATE);
}

EngineCopy *engine_copy_free(EngineCopy *copy) {
        if (!copy)
                return NULL;
        delist(copy);
        copy->copy = image_copy_free(copy->copy);
        container_unref(copy->container);
        free(copy->ref);
        free(copy->path);
        free(copy);
        return NULL;
}

/* 1: there is one whose program has not ended yet, and *ret is a descriptor of that, the caller's.
 * 0: there is none. Without a descriptor left to wait with, an error, for the layer is held. why:
 * says to all of them that they are ended; without it those that share the layer do not count. */
static int find_holder(Container *container, const char *why, int *ret, Error *err) {
        int r = 0;

        lock_take(&container->state_lock, LOCK_STATE);
        for (EngineCopy *copy = container->copies; copy && r == 0; copy = copy->next) {
                struct pollfd ended = { .fd = image_copy_process(copy->copy), .events = POLLIN };

                if (why)
                        copy->ended = why;
                if ((!why && copy->shares) || poll(&ended, 1, 0) > 0)
                        continue;
                *ret = fcntl(ended.fd, F_DUPFD_CLOEXEC, 3);
                r = *ret < 0 ? error_set(err, errno, "wait for a copy of container %s",
                                         container->id)
                             : 1;
        }
        lock_drop(&container->state_lock, LOCK_STATE);
        return r;
}

int container_copies_end(Container *container, const char *why, Error *err) {
        int fd, r;

        while ((r = find_holder(container, why, &fd, err)) > 0) {
                _cleanup_close_ UNUSED int holder = fd;

                (void)pidfd_signal(fd, SIGKILL, NULL); /* or it ends by itself */
                r = pidfd_wait_end(fd, KILL_TIMEOUT);
                if (r < 0)
                        return error_set(err, r, "wait for a copy of container %s to end",
                                         container->id);
        }
        return r;
}

/* ---- waiting ---- */

static int cancelled(Error *err) {
        return error_set(err, ECANCELED, "copy");
}

/* Until another one's program has ended. No lock held. */
static int wait_for_holder(int fd, int cancel_fd, Error *err) {
        struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                                { .fd = cancel_fd, .events = POLLRDHUP } };

        while (poll(fds, ELEMENTS(fds), -1) < 0)
                if (errno != EINTR)
                        return error_set(err, errno, "wait for another copy");
        return fds[0].revents ? 0 : cancelled(err);
}

/* Its program has ended and the engine is about to hear of it. No lock held. */
static int wait_for_end(EngineWait *registered, int cancel_fd, Error *err) {
        _cleanup_(wait_freep) EngineWait *wait = registered;
        int r = wait_poll(wait, END_TIMEOUT, cancel_fd);

        return r == -ECANCELED ? cancelled(err)
               : r < 0         ? error_set(err, r, "wait for the container to end")
                               : 0;
}

/* ---- beginning ---- */

typedef struct Begin {
        EngineCopy *copy;
        const CopyRequest *request;
        int cancel_fd;
        int holder;       /* out: another copy to wait for, or -1 */
        EngineWait *wait; /* out: the container's end, to wait for */
} Begin;

static int spawn(const Begin *begin, const ContainerRoot *root, const CopyRequest *request,
                 Error *err) {
        int r = failpoint("copy.start", err);

        return r < 0 ? r
                     : image_copy_start(begin->copy->container->engine->images, &root->root,
                                        request, &begin->copy->copy, err);
}

static int begin_live(Begin *begin, Error *err) {
        Container *container = begin->copy->container;
        _cleanup_(container_root_done) ContainerRoot root = { .fd = -1 };
        struct pollfd ended = { .fd = container->pidfd, .events = POLLIN };
        int r;

        if (poll(&ended, 1, 0) > 0) {
                begin->wait = wait_register(container, WAIT_NEXT_EXIT);
                return 0;
        }
        r = container_root_live(container, &root, err);
        if (r == 0)
                r = spawn(begin, &root, begin->request, err);
        if (r == 0)
                enlist(begin->copy, false);
        return r;
}

/* Makes the places of mounts that the container's layer lacks, as a start would. */
static int make_places(Container *container, int cancel_fd, Error *err) {
        const CopyPatience patience = { cancel_fd, PLACES_TIMEOUT };
        const CopyRequest request = { .action = COPY_PLACES };
        _cleanup_(container_root_done) ContainerRoot root = { .fd = -1 };
        _cleanup_(image_copy_freep) ImageCopy *copy = NULL;
        int r = container_root_build(container, true, &root, err);

        if (r == 0)
                r = image_copy_start(container->engine->images, &root.root, &request, &copy, err);
        return r < 0 ? r : image_copy_finish(copy, &patience, err);
}

static int begin_stopped(Begin *begin, Error *err) {
        Container *container = begin->copy->container;
        bool writes = begin->request->action == COPY_IN;
        _cleanup_(container_root_done) ContainerRoot root = { .fd = -1 };
        int r = writes ? find_holder(container, NULL, &begin->holder, err) : 0;

        if (r != 0)
                return MIN(r, 0);
        r = container_root_build(container, writes, &root, err);
        if (r == 0 && root.incomplete) {
                container_root_done(&root);
                r = find_holder(container, NULL, &begin->holder, err);
                if (r != 0)
                        return MIN(r, 0);
                r = make_places(container, begin->cancel_fd, err);
                if (r == 0)
                        r = container_root_build(container, false, &root, err);
        }
        if (r == 0)
                r = spawn(begin, &root, begin->request, err);
        if (r == 0)
                enlist(begin->copy, !writes);
        return r;
}

/* 1: begun; 0: something is to be waited for first. */
static int try_begin(Begin *begin, Error *err) {
        Container *container = begin->copy->container;
        int r;

        CONTAINER_LOCKED(container);
        begin->holder = -1;
        begin->wait = NULL;
        r = container_check_exists(container, "copy from or to", err);
        if (r == 0)
                r = failpoint("copy.root", err);
        if (r == 0)
                r = container_is_running(container) ? begin_live(begin, err)
                                                    : begin_stopped(begin, err);
        return r < 0 ? r : begin->holder < 0 && !begin->wait;
}

static int begin_copy(Engine *engine, const char *ref, const CopyRequest *request, int cancel_fd,
                      EngineCopy **ret, Error *err) {
        _cleanup_(engine_copy_freep) EngineCopy *copy = NEW(EngineCopy);
        Begin begin = { .copy = copy, .request = request, .cancel_fd = cancel_fd };
        int r = container_lookup(engine, ref, &copy->container, err);

        copy->ref = str_copy(ref);
        copy->path = str_copy(request->path);
        copy->cancel_fd = cancel_fd;
        while (r == 0 && (r = try_begin(&begin, err)) == 0) {
                if (begin.holder >= 0)
                        r = wait_for_holder(begin.holder, cancel_fd, err);
                else
                        r = wait_for_end(begin.wait, cancel_fd, err);
                close_fd(&begin.holder);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(copy);
        return 0;
}

/* ---- errors ---- */

/* In Docker's words; and one that was ended says by whom. */
static int explain(EngineCopy *copy, int r, Error *err) {
        const char *ended;

        if (r >= 0)
                return r;
        lock_take(&copy->container->state_lock, LOCK_STATE);
        ended = copy->ended;
        lock_drop(&copy->container->state_lock, LOCK_STATE);
        if (ended)
                return error_kind(err, ERROR_CONFLICT,
                                  "container %s %s while files were copied: what was copied is not "
                                  "whole",
                                  copy->container->id, ended);
        if (r == -ENOENT)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "Could not find the file %s in container %s", copy->path,
                                  copy->ref);
        return r;
}

/* A client that waits for files that do not come may go away; nobody else can tell that they won't.
 */
static int found(EngineCopy *copy, CopyStat *ret, Error *err) {
        const CopyPatience patience = { copy->cancel_fd, -1 };

        return explain(copy, image_copy_found(copy->copy, &patience, ret, err), err);
}

static int finish(EngineCopy *copy, Error *err) {
        const CopyPatience patience = { copy->cancel_fd, -1 };

        return explain(copy, image_copy_finish(copy->copy, &patience, err), err);
}

/* ---- the engine's calls ---- */

int engine_copy_stat(Engine *engine, const char *ref, const char *path, int cancel_fd,
                     CopyStat *ret, Error *err) {
        const CopyRequest request = { .action = COPY_STAT, .path = path, .input_fd = -1 };
        _cleanup_(engine_copy_freep) EngineCopy *copy = NULL;
        int r = begin_copy(engine, ref, &request, cancel_fd, &copy, err);

        return r < 0 ? r : found(copy, ret, err);
}

int engine_copy_out(Engine *engine, const char *ref, const char *path, int cancel_fd,
                    CopyStat *ret_stat, int *ret_fd, EngineCopy **ret, Error *err) {
        const CopyRequest request = { .action = COPY_OUT, .path = path, .input_fd = -1 };
        _cleanup_(engine_copy_freep) EngineCopy *copy = NULL;
        CopyStat stat = { 0 };
        int r = begin_copy(engine, ref, &request, cancel_fd, &copy, err);

        if (r < 0)
                return r;
        r = found(copy, &stat, err);
        if (r == 0)
                r = image_copy_read(copy->copy, ret_fd, err);
        if (r < 0) {
                copy_stat_done(&stat);
                return r;
        }
        container_lock(copy->container);
        container_event(copy->container, "archive-path", NULL);
        container_unlock(copy->container);
        *ret_stat = stat;
        *ret = TAKE_PTR(copy);
        return 0;
}

int engine_copy_out_end(EngineCopy *copy, Error *err) {
        return finish(copy, err);
}

/* Its user's ids, where it has one. */
static int find_owner(Engine *engine, const char *ref, int64_t *uid, int64_t *gid, Error *err) {
        _cleanup_container_ Container *container = NULL;
        OciUser user = { 0 };
        int r = container_lookup(engine, ref, &container, err);

        if (r < 0 || str_empty(container->spec.config.user))
                return r;
        r = user_resolve(container, container->spec.config.user, NULL, &user, err);
        if (r == 0) {
                *uid = user.uid;
                *gid = user.gid;
        }
        free(user.additional_gids.items);
        free(user.username);
        return r < 0 ? r : 1;
}

int engine_copy_in(Engine *engine, const char *ref, const CopyInOptions *options, int input_fd,
                   int cancel_fd, Error *err) {
        _cleanup_(engine_copy_freep) EngineCopy *copy = NULL;
        int64_t uid = 0, gid = 0;
        int owner = options->as_user ? find_owner(engine, ref, &uid, &gid, err) : 0;
        const CopyRequest request = { .action = COPY_IN,
                                      .path = options->path,
                                      .input_fd = input_fd,
                                      .keep_types = options->keep_types,
                                      .uid = owner > 0 ? &uid : NULL,
                                      .gid = owner > 0 ? &gid : NULL };
        int r = owner < 0 ? owner : begin_copy(engine, ref, &request, cancel_fd, &copy, err);

        if (r == 0)
                r = finish(copy, err);
        if (r < 0)
                return r;
        container_lock(copy->container);
        container_event(copy->container, "extract-to-dir", NULL);
        container_unlock(copy->container);
        return 0;
}
