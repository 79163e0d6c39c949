/* images.c: the engine's calls on images: the store's, with what only the engine knows: which
 * container uses an image, and events. What they look like is image-documents.c's. */
#include <errno.h>

#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/filters.h"
#include "engine/image-collect.h"
#include "engine/image-mount.h"
#include "engine/prune.h"
#include "engine/registry.h"
#include "engine/room.h"

static void image_event(Engine *engine, const char *action, const char *actor, const char *name) {
        Pairs attributes = { 0 };

        if (name)
                pairs_put(&attributes, "name", name);
        engine_event_emit(engine, "image", action, actor, &attributes);
        if (!str_equal(action, "untag") && !str_equal(action, "delete"))
                image_collect_soon(engine);
        pairs_done(&attributes);
}

static void event_of(Engine *engine, const char *action, const char *ref) {
        Image image = { 0 };

        if (image_find(engine->images, ref, &image, NULL) < 0)
                return; /* gone again already */
        image_event(engine, action, image.id, ref);
        image_done(&image);
}

int engine_image_pull(Engine *engine, const char *name, const char *platform,
                      const RegistryAuth *auth, ImageProgressFn progress, void *data, Error *err) {
        _cleanup_free_ char *id = NULL;

        int r = image_pull(engine->images, name, platform, auth, engine_registry(engine), progress,
                           data, &id, err);
        if (r == 0)
                image_event(engine, "pull", name, name);
        return r;
}

int engine_image_pull_tags(Engine *engine, const char *repository, const char *platform,
                           const RegistryAuth *auth, ImageProgressFn progress, void *data,
                           Error *err) {
        int r = image_pull_tags(engine->images, repository, platform, auth, engine_registry(engine),
                                progress, data, err);

        if (r == 0)
                image_event(engine, "pull", repository, repository);
        return r;
}

int engine_image_load(Engine *engine, int fd, const char *platform, ImageProgressFn progress,
                      void *data, char ***loaded, Error *err) {
        int r = image_load_platform(engine->images, fd, platform, progress, data, loaded, err);

        for (char **line = *loaded; r == 0 && line && *line; line++) {
                const char *name = str_after(*line, "Loaded image: ");
                const char *ref = name ? name : str_after(*line, "Loaded image ID: ");
                if (ref)
                        event_of(engine, "load", ref);
        }
        return r;
}

/* Docker repeats here what was asked for, and does not complete it with a tag. */
static int all_exist(Engine *engine, char *const *refs, const char *platform, Error *err) {
        for (; *refs; refs++) {
                Image image = { 0 };
                int r = image_find_platform(engine->images, *refs, platform, &image, err);

                if (r == -ENOENT && str_empty(platform))
                        return error_kind(err, ERROR_NOT_FOUND, "No such image: %s", *refs);
                if (r < 0)
                        return r;
                image_done(&image);
        }
        return 0;
}

int engine_image_save(Engine *engine, char *const *refs, const char *platform, int fd, Error *err) {
        int r = all_exist(engine, refs, platform, err);

        if (r == 0)
                r = image_save_as(engine->images,
                                  &(ImageSave){ .refs = refs, .platform = platform }, fd, err);

        for (char *const *ref = refs; r == 0 && *ref; ref++)
                event_of(engine, "save", *ref);
        return r;
}

int engine_image_import(Engine *engine, int fd, const char *name, const char *message,
                        char *const *changes, char **ret_id, Error *err) {
        int r = image_import(engine->images, fd, name, message, changes, ret_id, err);

        if (r == 0)
                image_event(engine, "import", *ret_id, name ? name : *ret_id);
        return r;
}

int engine_image_tag(Engine *engine, const char *source, const char *target, Error *err) {
        int r = image_tag(engine->images, source, target, err);

        if (r == 0)
                event_of(engine, "tag", target);
        return r;
}

/* ---- removal ---- */

/* ImageUse.container_of: one that runs before one that does not. */
static char *container_of_image(void *data, const char *image_id, bool *running) {
        Engine *engine = data;
        char *found = NULL;

        *running = false;
        _cleanup_roster_ Roster *containers = containers_all(engine);
        for (size_t i = 0; i < containers->count && !*running; i++) {
                Container *container = containers->items[i];
                _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
                if (!str_equal(container->image_id, image_id) &&
                    !image_mount_is_used(container, snapshot, image_id))
                        continue;
                *running = snapshot->state.status == CONTAINER_RUNNING ||
                           snapshot->state.status == CONTAINER_PAUSED ||
                           snapshot->state.status == CONTAINER_RESTARTING;
                if (!found || *running)
                        str_replace(&found, container->id);
        }
        return found;
}

static void removal_events(Engine *engine, const char *id, const ImageRemoval *removals,
                           size_t count) {
        for (size_t i = 0; i < count; i++) {
                if (removals[i].untagged)
                        image_event(engine, "untag", id, id);
                else if (str_equal(removals[i].deleted, id))
                        image_event(engine, "delete", id, id);
        }
}

/* What went is appended. */
static int remove_one(Engine *engine, const char *ref, bool force, bool no_prune,
                      JsonArray *removals, Error *err) {
        const ImageUse use = { container_of_image, engine };
        const size_t before = removals->count;
        _cleanup_free_ char *id = NULL;
        int r = image_find_id(engine->images, ref, &id, err);

        if (r == 0)
                r = image_remove(engine->images, ref, force, no_prune, &use, removals, err);
        if (r == 0)
                removal_events(engine, id, (ImageRemoval *)removals->items + before,
                               removals->count - before);
        return r;
}

/* Waits for what was removed, and frees removals. */
static void answer_removals(Engine *engine, JsonArray *removals, Buf *json) {
        ImageRemoval *items = removals->items;

        image_removed_wait(engine->images, PRUNE_PATIENCE);
        buf_add_char(json, '[');
        for (size_t i = 0; i < removals->count; i++) {
                if (i > 0)
                        buf_add_char(json, ',');
                json_add_text(json, &image_removal_table, &items[i]);
                json_done(&image_removal_table, &items[i]);
        }
        buf_add_char(json, ']');
        free(items);
}

int engine_image_remove(Engine *engine, const char *ref, bool force, bool no_prune, Buf *json,
                        Error *err) {
        JsonArray removals = { 0 };

        ROOM_TO_REMOVE(engine);
        int r = remove_one(engine, ref, force, no_prune, &removals, err);
        if (r == 0)
                answer_removals(engine, &removals, json);
        return r;
}

/* By its id where its index has others here, which keep the names; else as ref. */
static int find_platforms(Engine *engine, const char *ref, char *const *platforms, char ***ret,
                          Error *err) {
        int r = 0;

        for (; r == 0 && *platforms; platforms++) {
                Image image = { 0 };

                r = image_find_platform(engine->images, ref, *platforms, &image, err);
                if (r == 0)
                        strv_add(ret, image.variant ? image.id : ref);
                image_done(&image);
        }
        return r;
}

int engine_image_remove_platforms(Engine *engine, const char *ref, char *const *platforms,
                                  bool force, Buf *json, Error *err) {
        _cleanup_strv_ char **refs = NULL;
        JsonArray removals = { 0 };
        int r = find_platforms(engine, ref, platforms, &refs, err);

        ROOM_TO_REMOVE(engine);
        for (char **one = refs; r == 0 && one && *one; one++)
                r = remove_one(engine, *one, force, false, &removals, err);
        /* What went before an error is gone; the events have told it. */
        if (r == 0) {
                answer_removals(engine, &removals, json);
                return 0;
        }
        for (size_t i = 0; i < removals.count; i++)
                json_done(&image_removal_table, (ImageRemoval *)removals.items + i);
        free(removals.items);
        return r;
}

/* ---- prune ---- */

/* Bytes of a layer, 0 where id is none. */
static int64_t layer_size(const ImagePrune *prune, const char *id) {
        for (size_t i = 0; i < prune->count; i++)
                for (size_t j = 0; prune->images[i].chain_ids && prune->images[i].chain_ids[j]; j++)
                        if (str_equal(prune->images[i].chain_ids[j], id))
                                return prune->images[i].layer_sizes[j];
        return 0;
}

static void prune_ref(ImagePrune *prune, const Image *image, const char *ref, bool force) {
        const ImageUse use = { container_of_image, prune->engine, true, image->used_at };
        JsonArray removals = { 0 };
        Error error = { 0 };

        if (image_remove(prune->engine->images, ref, force, false, &use, &removals, &error) < 0)
                prune_failed(&prune->answer, ref, &error);
        ImageRemoval *items = removals.items;
        removal_events(prune->engine, image->id, items, removals.count);
        for (size_t i = 0; i < removals.count; i++) {
                prune_answer_add(&prune->answer, json_write(&image_removal_table, &items[i]),
                                 items[i].deleted ? layer_size(prune, items[i].deleted) : 0);
                json_done(&image_removal_table, &items[i]);
        }
        free(items);
}

static bool passes(const PruneFilter *filter, const Image *image) {
        return (filter->used == 0 || image->used_at <= filter->used) &&
               prune_filter_passes(filter, image->config.created, &image->config.config.labels);
}

static bool is_used(const ImagePrune *prune, const Image *image) {
        bool running;
        _cleanup_free_ char *container = container_of_image(prune->engine, image->id, &running);

        return container != NULL;
}

/* An image that a container uses keeps all of its names: Docker takes all but the last. */
static void prune_image(ImagePrune *prune, const Image *image) {
        if (is_used(prune, image))
                return;
        if (image->variant) { /* it goes; its names stay, for the others of its index */
                prune_ref(prune, image, image->id, true);
                return;
        }
        for (char **name = image->names; name && *name; name++)
                prune_ref(prune, image, *name, false);
        for (char **digest = image->digests; digest && *digest; digest++)
                prune_ref(prune, image, *digest, false); /* those that did not go with their tags */
        if (!image->names && !image->digests)
                prune_ref(prune, image, image->id, false);
}

bool image_prune_unused(ImagePrune *prune, const Image *image) {
        const int64_t before = prune->answer.count;

        prune_image(prune, image);
        return prune->answer.count > before;
}

/* Indexes that no name means, whole: also those whose images other names mean, too. */
static int prune_indexes(ImagePrune *prune, const PruneFilter *filter, Error *err) {
        _cleanup_strv_ char **digests = NULL;
        int r = image_list_dangling_indexes(prune->engine->images, &digests, err);

        for (size_t i = 0; r == 0 && digests && digests[i]; i++) {
                Image image = { 0 };

                if (image_find(prune->engine->images, digests[i], &image, NULL) == 0 &&
                    passes(filter, &image) && !is_used(prune, &image))
                        prune_ref(prune, &image, digests[i], false);
                image_done(&image);
        }
        return r;
}

int engine_image_prune(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        static const char *const accepted[] = { "dangling", "until", "unused-for", NULL };
        PruneAnswer answer = { .kind = "image", .member = "ImagesDeleted" };
        PruneFilter filter;
        Image *images = NULL;
        size_t count = 0;
        bool dangling = true;

        ROOM_TO_REMOVE(engine);
        int r = prune_filter_read(filters, accepted, &filter, err);
        if (r == 0)
                r = filter_bool(filters, "dangling", true, &dangling, err);
        if (r == 0)
                r = image_list(engine->images, &images, &count, err);
        if (r < 0)
                return r;
        ImagePrune prune = { engine, answer, images, count };
        r = prune_indexes(&prune, &filter, err);
        for (size_t i = 0; r == 0 && i < count; i++)
                if (!(dangling && images[i].names) && passes(&filter, &images[i]))
                        prune_image(&prune, &images[i]);
        for (size_t i = 0; i < count; i++)
                image_done(&images[i]);
        free(images);
        image_removed_wait(engine->images, PRUNE_PATIENCE);
        prune_answer_end(engine, &prune.answer, json);
        return r;
}
