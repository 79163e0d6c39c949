/* prune.c: removes containers, networks and volumes that nothing uses. Each is taken through its
 * own removal, which looks again: what is taken into use meanwhile stays. Images are images.c's,
 * the build cache build-prune.c's. */
#include "engine/prune.h"
#include "engine/events.h"
#include "engine/labels.h"
#include "engine/networks.h"
#include "engine/registry.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "engine/documents.h"
#include "engine/filters.h"
#include "engine/room.h"
#include "engine/volumes.h"

/* ---- filters ---- */

int prune_filter_read(const Filters *filters, const char *const *accepted, PruneFilter *ret,
                      Error *err) {
        _cleanup_strv_ char **all = strv_copy((char *const *)accepted);

        *ret = (PruneFilter){ .filters = filters };
        strv_add(&all, "label");
        strv_add(&all, "label!");
        int r = filters_check(filters, (const char *const *)all, err);
        if (r == 0)
                r = filter_time(filters, "until", &ret->until, err);
        return r < 0 ? r : filter_time(filters, "unused-for", &ret->used, err);
}

/* Several values of label! keep what has all of them, as Docker has it. */
bool prune_filter_passes(const PruneFilter *filter, int64_t created, const Pairs *labels) {
        char *const *without = filters_get(filter->filters, "label!");

        if (filter->until && created > filter->until)
                return false;
        return labels_match(labels, filters_get(filter->filters, "label")) &&
               !(without && labels_match(labels, without));
}

/* ---- answers ---- */

void prune_answer_add(PruneAnswer *answer, json_object *item, int64_t bytes) {
        if (!answer->deleted)
                answer->deleted = json_object_new_array();
        (void)json_object_array_add(answer->deleted, item);
        answer->bytes += bytes;
        answer->count++;
}

void prune_answer_end(Engine *engine, PruneAnswer *answer, Buf *json) {
        _cleanup_free_ char *reclaimed = str_format("%lld", (long long)answer->bytes);
        json_object *document = json_object_new_object();
        Pairs attributes = { 0 };

        pairs_put(&attributes, "reclaimed", reclaimed);
        engine_event_emit(engine, answer->kind, "prune", "", &attributes);
        pairs_done(&attributes);
        json_put(document, answer->member, answer->deleted);
        if (!str_equal(answer->kind, "network")) /* networks have no bytes */
                json_put_int(document, "SpaceReclaimed", answer->bytes);
        json_add_object(json, document);
        answer->deleted = NULL;
}

void prune_failed(const PruneAnswer *answer, const char *name, const Error *error) {
        if (error->kind != ERROR_CONFLICT && error->kind != ERROR_FORBIDDEN &&
            error->kind != ERROR_NOT_FOUND)
                log_warn("prune %s %s: %s", answer->kind, name, error->message);
}

/* ---- containers ---- */

static bool is_stopped(const ContainerSnapshot *snapshot) {
        int64_t status = snapshot->state.status;

        return status == CONTAINER_CREATED || status == CONTAINER_EXITED ||
               status == CONTAINER_DEAD;
}

static bool is_unused(Container *container, const PruneFilter *filter) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);

        return is_stopped(snapshot) && prune_filter_passes(filter, container->created,
                                                           snapshot_labels(container, snapshot));
}

static void prune_container(Container *container, PruneAnswer *answer) {
        int64_t bytes = container_size_rw(container);
        Error error = { 0 };

        if (failpoint("prune.container", &error) < 0 ||
            engine_container_remove(container->engine, container->id, false, false, &error) < 0)
                prune_failed(answer, container->id, &error);
        else
                prune_answer_add(answer, json_object_new_string(container->id), bytes);
}

int engine_container_prune(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        static const char *const accepted[] = { "until", NULL };
        PruneAnswer answer = { .kind = "container", .member = "ContainersDeleted" };
        PruneFilter filter;

        ROOM_TO_REMOVE(engine);
        int r = prune_filter_read(filters, accepted, &filter, err);
        if (r < 0)
                return r;
        _cleanup_roster_ Roster *containers = containers_all(engine);
        for (size_t i = 0; i < containers->count; i++)
                if (is_unused(containers->items[i], &filter))
                        prune_container(containers->items[i], &answer);
        prune_answer_end(engine, &answer, json);
        return 0;
}

/* ---- networks ---- */

static void prune_network(Engine *engine, const NetworkObject *network, PruneAnswer *answer) {
        Error error = { 0 };

        if (failpoint("prune.network", &error) < 0 ||
            engine_network_remove(engine, network->config.id, &error) < 0)
                prune_failed(answer, network->config.name, &error);
        else
                prune_answer_add(answer, json_object_new_string(network->config.name), 0);
}

int engine_network_prune(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        static const char *const accepted[] = { "until", NULL };
        PruneAnswer answer = { .kind = "network", .member = "NetworksDeleted" };
        PruneFilter filter;
        NetworkObject **networks;
        size_t count;

        int r = prune_filter_read(filters, accepted, &filter, err);
        if (r < 0)
                return r;
        networks_all(engine, &networks, &count);
        for (size_t i = 0; i < count; i++)
                if (!networks[i]->predefined && !networks[i]->config_only &&
                    prune_filter_passes(&filter, networks[i]->created, &networks[i]->labels))
                        prune_network(engine, networks[i], &answer);
        networks_all_free(networks, count);
        prune_answer_end(engine, &answer, json);
        return 0;
}

/* ---- volumes ---- */

/* As with rm -v: see mounts_release. */
static int refuse_volume(const char *name, Error *err) {
        return error_kind(err, ERROR_CONFLICT,
                          "no volume is pruned: a container that the record, which was restored, "
                          "does not know may have volume %s. Remove it by name (docker volume rm "
                          "%s), or the file '" RECORD_NAME
                          ".damaged' of the data root once nothing is missed",
                          name, name);
}

static bool is_prunable(const VolumeInfo *volume, bool all, const PruneFilter *filter) {
        return volume->users == 0 && (all || pairs_get(&volume->labels, VOLUME_ANONYMOUS)) &&
               prune_filter_passes(filter, 0, &volume->labels);
}

static void prune_volume(Engine *engine, const VolumeInfo *volume, PruneAnswer *answer) {
        int64_t bytes = MAX(volume_size(engine, volume), 0);
        const char *name = volume->name;
        Error error = { 0 };

        if (failpoint("prune.volume", &error) < 0 ||
            engine_volume_remove(engine, name, false, &error) < 0)
                prune_failed(answer, name, &error);
        else
                prune_answer_add(answer, json_object_new_string(name), bytes);
}

int engine_volume_prune(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        static const char *const accepted[] = { "all", NULL };
        PruneAnswer answer = { .kind = "volume", .member = "VolumesDeleted" };
        PruneFilter filter;
        VolumeInfo *volumes;
        size_t count;
        bool all = false;

        ROOM_TO_REMOVE(engine);
        int r = prune_filter_read(filters, accepted, &filter, err);
        if (r == 0)
                r = filter_bool(filters, "all", false, &all, err);
        if (r < 0)
                return r;
        const bool restored = engine_record_was_restored(engine);
        volumes_all(engine, &volumes, &count);
        for (size_t i = 0; r == 0 && i < count; i++) {
                if (!is_prunable(&volumes[i], all, &filter))
                        continue;
                if (restored)
                        r = refuse_volume(volumes[i].name, err);
                else
                        prune_volume(engine, &volumes[i], &answer);
        }
        volumes_free_all(volumes, count);
        if (r == 0)
                prune_answer_end(engine, &answer, json);
        return r;
}
