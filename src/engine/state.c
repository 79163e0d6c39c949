/* state.c: a container's record: its tables, its writing and reading. What happens to containers is
 * lifecycle's matter. */
#include <errno.h>

#include "engine/container-health.h"
#include "engine/container-limits.h"
#include "engine/engine-private.h"
#include "engine/labels.h"
#include "engine/mounts-change.h"
#include "engine/publish.h"
#include "engine/registry.h"
#include "engine/state.h"

static const char *const status_names[] = {
        [CONTAINER_CREATED] = "created",   [CONTAINER_RUNNING] = "running",
        [CONTAINER_PAUSED] = "paused",     [CONTAINER_RESTARTING] = "restarting",
        [CONTAINER_REMOVING] = "removing", [CONTAINER_EXITED] = "exited",
        [CONTAINER_DEAD] = "dead",
};

const char *container_status_name(ContainerStatus status) {
        return status_names[status];
}

/* ---- tables ---- */

static const JsonField state_fields[] = {
        JSON_FIELD(ContainerState, "status", JSON_INT, status, JSON_REQUIRED),
        JSON_FIELD(ContainerState, "pid", JSON_INT, pid, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "exitCode", JSON_INT, exit_code, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "oomKilled", JSON_BOOL, oom_killed, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "error", JSON_STRING, error, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "startedAt", JSON_INT, started_at, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "finishedAt", JSON_INT, finished_at, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "restartCount", JSON_INT, restart_count, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "stoppedByUser", JSON_BOOL, stopped_by_user, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "checkpointing", JSON_BOOL, checkpointing, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "dumpImages", JSON_STRING, dump_images, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "removeVolumes", JSON_BOOL, remove_volumes, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "removedLinks", JSON_STRINGS, removed_links, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "cgroup", JSON_STRING, cgroup, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "pausedForCommit", JSON_BOOL, paused_for_commit,
                   JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "unhealthyAt", JSON_INT, unhealthy_at, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "volumesBegun", JSON_STRINGS, volumes_begun, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "startBegun", JSON_BOOL, start_begun, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerState, "generation", JSON_INT, generation, JSON_OMIT_EMPTY),
};
const JsonTable container_state_table = JSON_TABLE(ContainerState, "state", state_fields);

static const JsonField endpoint_fields[] = {
        JSON_FIELD(ContainerEndpoint, "networkName", JSON_STRING, network_name, 0),
        JSON_FIELD(ContainerEndpoint, "networkId", JSON_STRING, network_id, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerEndpoint, "endpointId", JSON_STRING, endpoint_id, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerEndpoint, "joined", JSON_BOOL, joined, JSON_OMIT_EMPTY),
        JSON_FIELD(ContainerEndpoint, "ipv6Optional", JSON_BOOL, ipv6_optional, JSON_OMIT_EMPTY),
        JSON_NESTED(ContainerEndpoint, "settings", JSON_INLINE, settings, 0,
                    &endpoint_settings_table),
        JSON_NESTED(ContainerEndpoint, "endpoint", JSON_INLINE, endpoint, 0, &net_endpoint_table),
};
const JsonTable container_endpoint_table =
        JSON_TABLE(ContainerEndpoint, "endpoint", endpoint_fields);

static const JsonField mount_fields[] = {
        JSON_FIELD(MountPoint, "type", JSON_STRING, type, JSON_REQUIRED),
        JSON_FIELD(MountPoint, "name", JSON_STRING, name, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "subpath", JSON_STRING, subpath, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "source", JSON_STRING, source, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "image", JSON_STRING, image, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "imageName", JSON_STRING, image_name, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "donor", JSON_STRING, donor, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "layers", JSON_STRINGS, layers, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "destination", JSON_STRING, destination, JSON_REQUIRED),
        JSON_FIELD(MountPoint, "driver", JSON_STRING, driver, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "mode", JSON_STRING, mode, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "propagation", JSON_STRING, propagation, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "idmap", JSON_STRING, idmap, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "rw", JSON_BOOL, rw, 0),
        JSON_FIELD(MountPoint, "roBelow", JSON_BOOL, ro_below, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "noCopy", JSON_BOOL, no_copy, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "createdHere", JSON_BOOL, created_here, JSON_OMIT_EMPTY),
        JSON_FIELD(MountPoint, "options", JSON_STRINGS, options, JSON_OMIT_EMPTY),
};
const JsonTable mount_point_table = JSON_TABLE(MountPoint, "mount", mount_fields);

/* The two columns of a container's row: what never changes (beside the spec, which is written by
 * its own function) … */
static const JsonField document_fields[] = {
        JSON_FIELD(Container, "created", JSON_INT, created, JSON_REQUIRED),
        JSON_FIELD(Container, "image", JSON_STRING, image_id, JSON_OMIT_EMPTY),
        JSON_FIELD(Container, "lowers", JSON_STRINGS, lowers, 0),
        JSON_FIELD(Container, "path", JSON_STRING, path, 0),
        JSON_FIELD(Container, "args", JSON_STRINGS, args, 0),
        JSON_FIELD(Container, "platform", JSON_STRING, platform, JSON_OMIT_EMPTY),
        JSON_NESTED(Container, "mounts", JSON_ARRAY, mounts, 0, &mount_point_table),
};
static const JsonTable document_table = JSON_TABLE(Container, "container", document_fields);

/* … and what does. */
static const JsonField changing_fields[] = {
        JSON_NESTED(Container, "state", JSON_INLINE, state, JSON_REQUIRED, &container_state_table),
        JSON_NESTED(Container, "endpoints", JSON_ARRAY, endpoints, 0, &container_endpoint_table),
};
static const JsonTable changing_table = JSON_TABLE(Container, "container state", changing_fields);

/* ---- the record ---- */

/* The text of the column that changes; the caller's. */
static char *state_text(const Container *container) {
        _cleanup_json_ json_object *state = json_write(&changing_table, container);
        json_object *health = container_health_write((Container *)container);

        if (health)
                json_object_object_add(state, "health", health);
        container_labels_write(container, state);
        container_limits_write(container, state);
        container_publish_write(container, state);
        container_mounts_write(container, state);
        return str_copy(json_object_to_json_string_ext(
                state, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int state_read(const char *text, Container *container, Error *err) {
        _cleanup_json_ json_object *state = NULL;
        int r = json_parse_any(text, strlen(text), &state, err);

        if (r == 0)
                r = json_read(&changing_table, state, container, err);
        if (r == 0)
                r = container_labels_read(container, state, err);
        if (r == 0)
                r = container_limits_read(container, state, err);
        if (r == 0)
                r = container_publish_read(container, state, err);
        if (r == 0)
                r = container_mounts_read(container, state, err);
        return r < 0 ? r : container_health_read(container, json_member(state, "health"), err);
}

bool container_is_kept(const Container *container) {
        return !container->spec.host.auto_remove;
}

int container_save_new(Container *container, Error *err) {
        _cleanup_json_ json_object *document = json_write(&document_table, container);
        _cleanup_free_ char *state = state_text(container);

        json_object_object_add(document, "spec", container_create_write(&container->spec));
        const DbRecord record = {
                .id = container->id,
                .name = container->name,
                .document = json_object_to_json_string_ext(
                        document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                .state = state,
        };
        return db_insert(container->engine->db, DB_CONTAINERS, &record,
                         container_is_kept(container), err);
}

static int save(Container *container, const char *name, bool durable, Error *err) {
        _cleanup_free_ char *state = state_text(container);
        const DbRecord record = { .id = container->id, .name = name, .state = state };

        return db_update(container->engine->db, DB_CONTAINERS, &record, durable, err);
}

int container_save_name(Container *container, bool durable, Error *err) {
        int r = save(container, container->name, durable, err);

        container->name_unsaved = r < 0;
        return r;
}

int container_save(Container *container, bool durable, Error *err) {
        return container->name_unsaved ? container_save_name(container, durable, err)
                                       : save(container, NULL, durable, err);
}

/* No user can give such a name, so the old one is free for the next container. */
char *container_removed_name(const Container *container) {
        return str_format("-%s", container->id);
}

int container_save_removing(Container *container, Error *err) {
        _cleanup_free_ char *name = container_removed_name(container);

        return save(container, name, false, err);
}

int container_load(Engine *engine, const DbRecord *record, Container **ret, Error *err) {
        _cleanup_json_ json_object *document = NULL;

        if (!id_valid(record->id) || !record->name || !record->document || !record->state)
                return error_kind(err, ERROR_INTERNAL,
                                  "container '%s' in the record: columns are missing", record->id);
        _cleanup_container_ Container *container = container_new(engine, record->id);
        container->name = str_copy(record->name);
        int r = json_parse_any(record->document, strlen(record->document), &document, err);
        if (r == 0)
                r = json_read(&document_table, document, container, err);
        if (r == 0)
                r = container_create_read(json_member(document, "spec"), &container->spec, err);
        if (r == 0)
                r = state_read(record->state, container, err);
        if (r == 0 && (container->state.status < 0 || container->state.status > CONTAINER_DEAD))
                r = error_kind(err, ERROR_INTERNAL, "unknown status %lld",
                               (long long)container->state.status);
        if (r < 0)
                return error_prefix(err, "container '%s' in the record", record->id);
        if (container->spec.host.links)
                atomic_store(&engine->linked, true);
        *ret = TAKE_PTR(container);
        return 0;
}

bool container_is_running(const Container *container) {
        return container->state.status == CONTAINER_RUNNING ||
               container->state.status == CONTAINER_PAUSED;
}

int container_require_running(const Container *container, Error *err) {
        if (container_is_running(container))
                return 0;
        return error_kind(err, ERROR_CONFLICT, "Container %s is not running", container->id);
}
