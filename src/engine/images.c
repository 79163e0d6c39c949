/* images.c: the API's calls on images: documents of what the image store holds, and events of what
 * happens to it. The store itself is image/. */
#include "engine/documents.h"

#include <fnmatch.h>

#include "base/clock.h"
#include "engine/filters.h"
#include "format/reference.h"

/* ---- events ---- */

static void image_event(Engine *engine, const char *action, const char *id, const char *name) {
        Pairs attributes = { 0 };

        if (!str_empty(name))
                pairs_put(&attributes, "name", name);
        engine_event_emit(engine, "image", action, id, &attributes);
        pairs_done(&attributes);
}

/* ---- jobs of the store ---- */

int engine_image_pull(Engine *engine, const char *name, const char *platform,
                      const RegistryAuth *auth, ImageProgressFn progress, void *data, Error *err) {
        _cleanup_free_
        char *id = NULL;

        int r = image_pull(engine->images, name, platform, auth, &engine->options.registry,
                           progress, data, &id, err);
        if (r == 0)
                image_event(engine, "pull", name, name);
        return r;
}

int engine_image_load(Engine *engine, int fd, ImageProgressFn progress, void *data, char ***loaded,
                      Error *err) {
        int r = image_load(engine->images, fd, progress, data, loaded, err);

        for (char **line = r == 0 && loaded ? *loaded : NULL; line && *line; line++) {
                const char *name = str_after(*line, "Loaded image: ");
                Image image = { 0 };

                if (!name)
                        name = str_after(*line, "Loaded image ID: ");
                if (name && image_find(engine->images, name, &image, NULL) == 0)
                        image_event(engine, "load", image.id, name);
                image_done(&image);
        }
        return r;
}

int engine_image_save(Engine *engine, char *const *refs, int fd, Error *err) {
        int r = image_save(engine->images, refs, fd, err);

        for (char *const *ref = r == 0 ? refs : NULL; ref && *ref; ref++) {
                Image image = { 0 };

                if (image_find(engine->images, *ref, &image, NULL) == 0)
                        image_event(engine, "save", image.id, image.id);
                image_done(&image);
        }
        return r;
}

int engine_image_import(Engine *engine, int fd, const char *name, const char *message,
                        char *const *changes, char **ret_id, Error *err) {
        int r = image_import(engine->images, fd, name, message, changes, ret_id, err);

        if (r == 0)
                image_event(engine, "import", *ret_id, name);
        return r;
}

int engine_image_tag(Engine *engine, const char *source, const char *target, Error *err) {
        Image image = { 0 };

        int r = image_tag(engine->images, source, target, err);
        if (r == 0 && image_find(engine->images, target, &image, NULL) == 0)
                image_event(engine, "tag", image.id, target);
        image_done(&image);
        return r;
}

/* ---- removal ---- */

/* A container that uses the image: a running one rather than one that has ended. */
static char *container_of(void *data, const char *image_id, bool *running) {
        Container **containers;
        size_t count;
        char *found = NULL;

        *running = false;
        containers_all(data, &containers, &count);
        for (size_t i = 0; i < count && !*running; i++) {
                if (!str_equal(containers[i]->image_id, image_id))
                        continue;
                _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(containers[i]);
                *running = snapshot->state.status == CONTAINER_RUNNING ||
                           snapshot->state.status == CONTAINER_PAUSED ||
                           snapshot->state.status == CONTAINER_RESTARTING;
                str_replace(&found, containers[i]->id);
        }
        containers_free(containers, count);
        return found;
}

int engine_image_remove(Engine *engine, const char *ref, bool force, bool no_prune, Buf *json,
                        Error *err) {
        const ImageUse use = { container_of, engine };
        JsonArray removals = { 0 };
        Image image = { 0 };
        json_object *array;

        (void)image_find(engine->images, ref, &image, NULL);
        int r = image_remove(engine->images, ref, force, no_prune, &use, &removals, err);
        array = json_object_new_array();
        ImageRemoval *items = removals.items;
        for (size_t i = 0; i < removals.count; i++) {
                (void)json_object_array_add(array, json_write(&image_removal_table, &items[i]));
                if (r == 0 && items[i].untagged)
                        image_event(engine, "untag", image.id ?: ref, items[i].untagged);
                if (r == 0 && items[i].deleted)
                        image_event(engine, "delete", items[i].deleted, items[i].deleted);
                json_done(&image_removal_table, &items[i]);
        }
        free(items);
        image_done(&image);
        if (r < 0) {
                (void)json_object_put(array);
                return r;
        }
        json_add_object(json, array);
        return 0;
}

/* ---- inspect ---- */

static json_object *strings(char *const *list) {
        json_object *array = json_object_new_array();

        for (; list && *list; list++)
                (void)json_object_array_add(array, json_object_new_string(*list));
        return array;
}

static json_object *member_or(json_object *config, const char *name, json_object *other) {
        json_object *value = json_member(config, name);

        if (!value)
                return other;
        if (other)
                (void)json_object_put(other);
        return json_object_get(value);
}

/* The config's "config", with the members that Docker shows even where the image has none. */
static json_object *run_config(const Image *image) {
        ContainerConfig config = { 0 };
        _cleanup_json_
        json_object *from = json_write(&image_run_config_table, &image->config.config);

        (void)json_read(&container_config_table, from, &config, NULL);
        config.has_cmd = config.cmd != NULL;
        config.has_entrypoint = config.entrypoint != NULL;
        json_object *object = container_config_write(&config);
        if (config.labels.count == 0)
                json_put(object, "Labels", NULL);
        json_done(&container_config_table, &config);
        return object;
}

static json_object *root_fs(const Image *image) {
        json_object *object = json_object_new_object();

        json_put_text(object, "Type", "layers");
        json_put(object, "Layers", strings(image->config.rootfs.diff_ids));
        return object;
}

static json_object *graph_driver(void) {
        json_object *object = json_object_new_object();

        json_put(object, "Data", json_object_new_object());
        json_put_text(object, "Name", "overlay2");
        return object;
}

static json_object *image_document(const Image *image) {
        json_object *object = json_object_new_object(), *metadata = json_object_new_object();
        const ImageConfig *config = &image->config;
        _cleanup_json_
        json_object *document = NULL;

        (void)json_parse_any(image->config_text ?: "{}", strlen(image->config_text ?: "{}"),
                             &document, NULL);
        json_put_text(object, "Id", image->id);
        json_put(object, "RepoTags", strings(image->names));
        json_put(object, "RepoDigests", strings(image->digests));
        json_put_text(object, "Parent", config->parent);
        json_put_text(object, "Comment", config->comment);
        json_put_time(object, "Created", config->created);
        json_put_text(object, "Container", json_member_string(document, "container"));
        json_put(object, "ContainerConfig", member_or(document, "container_config", NULL));
        json_put_text(object, "DockerVersion", config->docker_version);
        json_put_text(object, "Author", config->author);
        json_put(object, "Config", run_config(image));
        json_put_text(object, "Architecture", config->architecture);
        if (!str_empty(config->variant))
                json_put_text(object, "Variant", config->variant);
        json_put_text(object, "Os", config->os);
        json_put_int(object, "Size", image->size);
        json_put_int(object, "VirtualSize", image->size);
        json_put(object, "GraphDriver", graph_driver());
        json_put(object, "RootFS", root_fs(image));
        json_put_time(metadata, "LastTagTime", image->tagged_at);
        json_put(object, "Metadata", metadata);
        return object;
}

int engine_image_inspect(Engine *engine, const char *ref, Buf *json, Error *err) {
        Image image = { 0 };

        int r = image_find(engine->images, ref, &image, err);
        if (r == 0)
                json_add_object(json, image_document(&image));
        else if (err && err->kind == ERROR_NOT_FOUND)
                r = error_prefix(err, "no such image: %s", ref);
        image_done(&image);
        return r;
}

/* ---- history ---- */

static json_object *history_entry(const Image *image, const ImageHistory *history, size_t *layer,
                                  bool newest) {
        json_object *object = json_object_new_object();
        size_t layers = strv_length(image->config.rootfs.diff_ids);
        int64_t size = 0;

        if (!history->empty_layer && *layer < layers)
                size = image->layer_sizes ? image->layer_sizes[*layer] : 0;
        json_put_text(object, "Id", newest ? image->id : "<missing>");
        json_put_int(object, "Created", history->created / NSEC_PER_SEC);
        json_put_text(object, "CreatedBy", history->created_by);
        json_put(object, "Tags", newest && image->names ? strings(image->names) : NULL);
        json_put_int(object, "Size", size);
        json_put_text(object, "Comment", history->comment);
        *layer += !history->empty_layer;
        return object;
}

int engine_image_history(Engine *engine, const char *ref, Buf *json, Error *err) {
        Image image = { 0 };

        int r = image_find(engine->images, ref, &image, err);
        if (r < 0) {
                image_done(&image);
                return r;
        }
        const ImageHistory *history = image.config.history.items;
        size_t count = image.config.history.count, layer = 0;
        json_object **entries = NEW_ARRAY(json_object *, count + 1);
        for (size_t i = 0; i < count; i++)
                entries[i] = history_entry(&image, &history[i], &layer, i + 1 == count);
        json_object *array = json_object_new_array();
        for (size_t i = count; i-- > 0;)
                (void)json_object_array_add(array, entries[i]);
        free(entries);
        json_add_object(json, array);
        image_done(&image);
        return 0;
}

/* ---- list ---- */

static bool glob_matches(const char *text, const char *pattern) {
        return fnmatch(pattern, text, FNM_PATHNAME) == 0;
}

/* "busybox", "busybox:latest", "*box*", with or without the registry. */
static bool pattern_matches(const char *name, const char *pattern) {
        Reference reference = { 0 };
        bool found = glob_matches(name, pattern);

        if (!found && reference_parse(name, &reference, NULL) == 0) {
                _cleanup_free_
                char *repository = reference_familiar_repository(&reference);
                _cleanup_free_
                char *full = reference_full(&reference);

                found = glob_matches(repository, pattern) || glob_matches(full, pattern);
        }
        reference_done(&reference);
        return found;
}

static char **names_matching(const Image *image, char *const *patterns) {
        char **names = NULL;

        for (char **name = image->names; name && *name; name++) {
                bool found = !patterns;

                for (char *const *pattern = patterns; pattern && *pattern; pattern++)
                        found |= pattern_matches(*name, *pattern);
                if (found)
                        strv_add(&names, *name);
        }
        return names;
}

typedef struct ImageFilter {
        const Filters *filters;
        int64_t before, since; /* creation times; 0: none */
} ImageFilter;

static int time_of(Engine *engine, const Filters *filters, const char *key, int64_t *ret,
                   Error *err) {
        for (char *const *ref = filters_get(filters, key); ref && *ref; ref++) {
                Image image = { 0 };

                int r = image_find(engine->images, *ref, &image, err);
                *ret = image.config.created;
                image_done(&image);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool image_matches(const ImageFilter *filter, const Image *image) {
        char *const *dangling = filters_get(filter->filters, "dangling");

        if (dangling && filter_is_true(dangling[0]) != (strv_length(image->names) == 0))
                return false;
        if ((filter->before && image->config.created >= filter->before) ||
            (filter->since && image->config.created <= filter->since))
                return false;
        return labels_match(&image->config.config.labels, filters_get(filter->filters, "label"));
}

static json_object *list_entry(Engine *engine, const Image *image, char *const *names) {
        json_object *object = json_object_new_object(), *labels = NULL;
        const Pairs *pairs = &image->config.config.labels;

        if (pairs->count > 0)
                labels = json_object_new_object();
        for (size_t i = 0; i < pairs->count; i++)
                json_put_text(labels, pairs->items[i].key, pairs->items[i].value);
        json_put_int(object, "Containers", -1);
        json_put_int(object, "Created", image->config.created / NSEC_PER_SEC);
        json_put_text(object, "Id", image->id);
        json_put(object, "Labels", labels);
        json_put_text(object, "ParentId", image->config.parent);
        json_put(object, "RepoDigests", strings(image->digests));
        json_put(object, "RepoTags", strings(names));
        json_put_int(object, "SharedSize", -1);
        json_put_int(object, "Size", image->size);
        json_put_int(object, "VirtualSize", image->size);
        return object;
}

static int filter_new(Engine *engine, const Filters *filters, ImageFilter *ret, Error *err) {
        static const char *const accepted[] = { "before",    "dangling", "label",
                                                "reference", "since",    NULL };
        char *const *dangling = filters_get(filters, "dangling");

        *ret = (ImageFilter){ .filters = filters };
        int r = filters_check(filters, accepted, err);
        if (r == 0 && dangling && !filter_is_bool(dangling[0]))
                r = error_kind(err, ERROR_INVALID, "Invalid filter 'dangling=%s'", dangling[0]);
        if (r == 0)
                r = time_of(engine, filters, "before", &ret->before, err);
        return r < 0 ? r : time_of(engine, filters, "since", &ret->since, err);
}

int engine_image_list(Engine *engine, bool all, const Filters *filters, Buf *json, Error *err) {
        char *const *patterns = filters_get(filters, "reference");
        ImageFilter filter;
        Image *images;
        size_t count;

        int r = filter_new(engine, filters, &filter, err);
        if (r == 0)
                r = image_list(engine->images, &images, &count, err);
        if (r < 0)
                return r;
        json_object *array = json_object_new_array();
        for (size_t i = 0; i < count; i++) {
                _cleanup_strv_
                char **names = names_matching(&images[i], patterns);

                if (image_matches(&filter, &images[i]) && (!patterns || names))
                        (void)json_object_array_add(array, list_entry(engine, &images[i], names));
                image_done(&images[i]);
        }
        free(images);
        json_add_object(json, array);
        return 0;
}
