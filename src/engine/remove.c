/* remove.c: removing and renaming containers. A removal is acknowledged once the record says so and
 * the name is free; files, the hold on the image and the row itself go on a worker, in batches. A
 * daemon killed in between finds the row and finishes. */
#include <errno.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/attach.h"
#include "engine/checkpoint.h"
#include "engine/copy.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/image-collect.h"
#include "engine/lifecycle.h"
#include "engine/mounts-change.h"
#include "engine/mounts.h"
#include "engine/registry.h"
#include "engine/room.h"
#include "engine/state.h"
#include "engine/stop.h"

struct Removals {
        pthread_mutex_t lock;
        Container **waiting; /* references */
        size_t count;
        bool running;
};

Removals *removals_new(void) {
        Removals *removals = NEW(Removals);

        pthread_mutex_init(&removals->lock, NULL);
        return removals;
}

/* After workers_stop, so nothing waits any more. */
Removals *removals_free(Removals *removals) {
        if (!removals)
                return NULL;
        pthread_mutex_destroy(&removals->lock);
        free(removals->waiting);
        free(removals);
        return NULL;
}

/* Each part is idempotent, so that a later daemon can begin again. */
static int removal_finish(Container *container, Error *err) {
        Engine *engine = container->engine;

        int r = failpoint("rm.run-directory", err);
        if (r == 0)
                r = dir_remove_at(engine->run_fd, container->id, err);
        if (r == 0)
                r = failpoint("rm.directory", err);
        if (r == 0)
                r = dir_remove_at(engine->containers_fd, container->id, err);
        if (r == 0)
                r = failpoint("rm.image", err);
        if (r == 0)
                r = image_release(engine->images, container->id, err);
        if (r == 0)
                r = failpoint("rm.row", err);
        if (r == 0)
                r = db_delete(engine->db, DB_CONTAINERS, container->id, false, err);
        return r;
}

/* NULL: nothing waits, and the next post starts a job again. */
static Container **removals_take(Removals *removals, size_t *ret_count) {
        pthread_mutex_lock(&removals->lock);
        Container **batch = TAKE_PTR(removals->waiting);
        *ret_count = removals->count;
        removals->count = 0;
        if (!batch)
                removals->running = false;
        pthread_mutex_unlock(&removals->lock);
        return batch;
}

/* Their rows say so on the disk before the first file goes: after a power cut no container that
 * somebody kept is back without its files. One sync takes along all that was written before. */
static void sync_rows(Container *const *batch, size_t count) {
        const Container *kept = NULL;
        Error error = { 0 };

        for (size_t i = 0; i < count; i++)
                if (container_is_kept(batch[i]))
                        kept = batch[i];
        if (!kept)
                return;
        _cleanup_free_ char *name = container_removed_name(kept);
        const DbRecord record = { .id = kept->id, .name = name };
        /* Without room for it the files go all the same: that makes room. */
        if (db_update(kept->engine->db, DB_CONTAINERS, &record, true, &error) < 0)
                log_warn("sync the removal of container %s: %s", kept->id, error.message);
}

static void removals_run(void *data) {
        Removals *removals = data;
        Container **batch;
        size_t count;

        while ((batch = removals_take(removals, &count))) {
                sync_rows(batch, count);
                for (size_t i = 0; i < count; i++) {
                        Error error = { 0 };
                        if (removal_finish(batch[i], &error) < 0)
                                log_error("finish the removal of container %s: %s. The next start "
                                          "of the daemon tries "
                                          "again",
                                          batch[i]->id, error.message);
                        container_unref(batch[i]);
                }
                free(batch);
        }
}

void removal_finish_later(Container *container) {
        Removals *removals = container->engine->removals;

        pthread_mutex_lock(&removals->lock);
        GROW(removals->waiting, removals->count);
        removals->waiting[removals->count++] = container_ref(container);
        bool start = !removals->running;
        removals->running = true;
        pthread_mutex_unlock(&removals->lock);
        if (start)
                workers_post(container->engine->workers, removals_run, removals);
}

int container_remove_locked(Container *container, bool volumes, Error *err) {
        Error error = { 0 };
        int r = failpoint("rm.record", err);
        if (r < 0)
                return r;
        ContainerStatus before = (ContainerStatus)container->state.status;
        container->state.status = CONTAINER_REMOVING;
        container->state.remove_volumes = volumes;
        r = container_save_removing(container, err);
        if (r < 0) {
                container->state.status = before;
                return r;
        }
        /* Before nothing uses its image any more: it was used until now. */
        if (image_used(container->engine->images, container->image_id, &error) < 0)
                log_warn("note the last use of image %s: %s", container->image_id, error.message);
        mounts_note_use(container, container_mounts(container));
        registry_drop(container->engine, container);
        if (container_copies_end(container, "was removed", &error) < 0)
                log_error("%s", error.message);
        container_publish(container); /* before its execs go: see engine_exec_create */
        attach_drop_pending(container);
        exec_container_removed(container);
        mounts_release(container, volumes);
        container_event(container, "destroy", NULL);
        image_collect_soon(container->engine);
        waits_fire(container, WAIT_EVENT_EXIT);
        waits_fire(container, WAIT_EVENT_REMOVED);
        removal_finish_later(container);
        return 0;
}

/* Ends it if it runs; ENGINE_UNCHANGED: it has gone by itself meanwhile. */
static int remove_running(Container *container, bool force, Error *err) {
        bool killed = false;

        if (force)
                killed = container_lock_to_kill(container);
        else
                container_lock(container);
        ContainerStatus status = (ContainerStatus)container->state.status;
        container_unlock(container);
        if (status == CONTAINER_REMOVING && killed)
                return ENGINE_UNCHANGED; /* with --rm */
        if (status == CONTAINER_REMOVING)
                return error_kind(err, ERROR_CONFLICT,
                                  "removal of container %s is already in progress", container->id);
        bool running = status == CONTAINER_RUNNING || status == CONTAINER_RESTARTING;
        if (status == CONTAINER_PAUSED && !force)
                return error_kind(err, ERROR_CONFLICT,
                                  "You cannot remove a paused container %s. Unpause and then stop "
                                  "the container before "
                                  "attempting removal or force remove",
                                  container->id);
        if (running && !force)
                return error_kind(err, ERROR_CONFLICT,
                                  "You cannot remove a %s container %s. Stop the container before "
                                  "attempting removal "
                                  "or force remove",
                                  container_status_name(status), container->id);
        return force ? container_end(container, err) : 0;
}

int engine_container_remove(Engine *engine, const char *ref, bool force, bool volumes, Error *err) {
        _cleanup_container_ Container *container = NULL;

        ROOM_TO_REMOVE(engine);
        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        r = remove_running(container, force, err);
        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        /* An --rm container that was just killed has removed itself. */
        if (container->state.status == CONTAINER_REMOVING)
                return 0;
        if (container_is_running(container))
                return error_kind(err, ERROR_CONFLICT,
                                  "You cannot remove a running container %s. Stop the container "
                                  "before attempting "
                                  "removal or force remove",
                                  container->id);
        return container_remove_locked(container, volumes, err);
}

/* ---- renaming ---- */

/* Record and networks: all or, as far as they can still be written, nothing. */
static int rename_everywhere(Container *container, const char *name, Error *err) {
        _cleanup_free_ char *old = str_copy(container->name);
        Error undo = { 0 };

        registry_set_name(container, name);
        int r = failpoint("rename.record", err);
        if (r == 0)
                r = container_save_name(container, container_is_kept(container), err);
        if (r < 0) {
                registry_set_name(container, old);
                return r;
        }
        r = failpoint("rename.networks", err);
        if (r == 0)
                r = endpoints_rename(container, err);
        if (r == 0)
                return 0;
        registry_set_name(container, old);
        int renamed = endpoints_rename(container, &undo);
        if (container_save_name(container, container_is_kept(container), &undo) < 0 || renamed < 0)
                log_error("take back the name of container %s: %s", container->id, undo.message);
        return r;
}

int engine_container_rename(Engine *engine, const char *ref, const char *name, Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_free_ char *old = NULL;
        const char *wanted = name && name[0] == '/' ? name + 1 : name;
        Pairs attributes = { 0 };

        if (str_empty(wanted))
                return error_kind(err, ERROR_INVALID, "Neither old nor new names may be empty");
        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        if (!name_valid(wanted))
                return error_kind(
                        err, ERROR_INVALID,
                        "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                        name);
        CONTAINER_LOCKED(container);
        if (str_equal(container->name, wanted))
                return error_kind(err, ERROR_INVALID,
                                  "Renaming a container with the same name as its current name");
        old = str_copy(container->name);
        r = registry_reserve_name(engine, wanted, container->id, err);
        if (r < 0)
                return error_prefix(err, "Error when allocating new name");
        r = rename_everywhere(container, wanted, err);
        /* One that the record may still have is nobody else's. */
        if (r == 0 || !container->name_unsaved)
                registry_release_name(engine, r < 0 ? wanted : old);
        if (r < 0)
                return r;
        container_publish(container);
        _cleanup_free_ char *former = str_format("/%s", old);
        pairs_put(&attributes, "oldName", former);
        container_event(container, "rename", &attributes);
        pairs_done(&attributes);
        return 0;
}
