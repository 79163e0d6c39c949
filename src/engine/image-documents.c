/* image-documents.c: images as Docker's API shows them: list, inspect, history. */
#include <fnmatch.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine-private.h"
#include "engine/filters.h"
#include "engine/registry.h"

static void image_donep(Image *image) {
        image_done(image);
}
#define _cleanup_image_ _cleanup_(image_donep)

static json_object *text_or_empty(const char *text) {
        return json_object_new_string(text ? text : "");
}

static json_object *strings(char *const *list) {
        json_object *array = json_object_new_array();

        for (; list && *list; list++)
                json_object_array_add(array, json_object_new_string(*list));
        return array;
}

static json_object *time_text(int64_t when) {
        char text[CLOCK_TEXT_MAX];

        return json_object_new_string(clock_format(when, text));
}

static void add_object(Buf *json, json_object *object) {
        buf_add_str(json, json_object_to_json_string_ext(
                                  object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* ---- inspect ---- */

/* The image's run configuration in the form of a container's; every pointer is lent. */
static json_object *run_config(const ImageRunConfig *run, const char *hostname) {
        ContainerConfig config = {
                .hostname = (char *)hostname,
                .domainname = (char *)"",
                .user = run->user ? run->user : (char *)"",
                .working_dir = run->working_dir ? run->working_dir : (char *)"",
                .image = (char *)"",
                .stop_signal = run->stop_signal,
                .env = run->env,
                .cmd = run->cmd,
                .entrypoint = run->entrypoint,
                .shell = run->shell,
                .on_build = run->on_build,
                .exposed_ports = run->exposed_ports,
                .volumes = run->volumes,
                .labels = run->labels,
                .args_escaped = run->args_escaped,
                .health = run->health,
        };
        json_object *object = json_write(&container_config_table, &config);

        /* Go's nil, where the image has none. */
        if (!run->cmd)
                json_object_object_add(object, "Cmd", NULL);
        if (!run->entrypoint)
                json_object_object_add(object, "Entrypoint", NULL);
        if (!run->env)
                json_object_object_add(object, "Env", NULL);
        if (run->labels.count == 0)
                json_object_object_add(object, "Labels", NULL);
        return object;
}

static char *layer_path(const Engine *engine, const char *chain_id) {
        return str_format("%s/image/snapshots/%s/fs", engine->options.data_root,
                          str_after(chain_id, "sha256:"));
}

static json_object *graph_driver(const Engine *engine, const Image *image) {
        json_object *driver = json_object_new_object(), *data = json_object_new_object();
        size_t count = strv_length(image->chain_ids);
        _cleanup_strv_ char **lowers = NULL;

        for (size_t i = count; i-- > 0;)
                strv_take(&lowers, layer_path(engine, image->chain_ids[i]));
        if (count > 1) {
                _cleanup_free_ char *lower = strv_join(lowers + 1, ":");
                json_object_object_add(data, "LowerDir", json_object_new_string(lower));
        }
        if (count > 0)
                json_object_object_add(data, "UpperDir", json_object_new_string(lowers[0]));
        json_object_object_add(driver, "Data", data);
        json_object_object_add(driver, "Name", json_object_new_string("overlay2"));
        return driver;
}

static json_object *root_fs(const Image *image) {
        json_object *root = json_object_new_object();

        json_object_object_add(root, "Type", json_object_new_string("layers"));
        if (image->config.rootfs.diff_ids)
                json_object_object_add(root, "Layers", strings(image->config.rootfs.diff_ids));
        return root;
}

static json_object *metadata(const Image *image) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "LastTagTime", time_text(image->tagged_at));
        json_object_object_add(object, "LastUsedTime", time_text(image->used_at));
        return object;
}

/* The index that the image is of: what docker has of a store that keeps indexes. */
static int add_descriptor(const Engine *engine, const Image *image, json_object *object,
                          Error *err) {
        Descriptor descriptor = { 0 };
        int r = image->index
                        ? image_index_descriptor(engine->images, image->index, &descriptor, err)
                        : 0;

        if (r == 0 && image->index)
                json_object_object_add(object, "Descriptor",
                                       json_write(&descriptor_table, &descriptor));
        json_done(&descriptor_table, &descriptor);
        return r;
}

static void inspect_tail(const Engine *engine, const Image *image, json_object *object) {
        const ImageConfig *config = &image->config;

        json_object_object_add(object, "Architecture", text_or_empty(config->architecture));
        if (!str_empty(config->variant))
                json_object_object_add(object, "Variant", text_or_empty(config->variant));
        json_object_object_add(object, "Os", text_or_empty(config->os));
        if (!str_empty(config->os_version))
                json_object_object_add(object, "OsVersion", text_or_empty(config->os_version));
        json_object_object_add(object, "Size", json_object_new_int64(image->size));
        json_object_object_add(object, "GraphDriver", graph_driver(engine, image));
        json_object_object_add(object, "RootFS", root_fs(image));
        json_object_object_add(object, "Metadata", metadata(image));
}

int engine_image_inspect(Engine *engine, const char *ref, const char *platform, Buf *json,
                         Error *err) {
        _cleanup_image_ Image image = { 0 };
        const ImageConfig *config = &image.config;
        ImageRunConfig step = { 0 };
        Error why = { 0 };

        int r = image_find_platform(engine->images, ref, platform, &image, err);
        if (r < 0)
                return err && err->kind == ERROR_NOT_FOUND
                               ? error_prefix(err, "no such image: %s", ref)
                               : r;
        _cleanup_json_ json_object *object = json_object_new_object();
        json_object_object_add(object, "Id", json_object_new_string(image.id));
        json_object_object_add(object, "RepoTags", strings(image.names));
        json_object_object_add(object, "RepoDigests", strings(image.digests));
        json_object_object_add(object, "Parent", text_or_empty(config->parent));
        json_object_object_add(object, "Comment", text_or_empty(config->comment));
        json_object_object_add(object, "Created", time_text(config->created));
        json_object_object_add(object, "Container", text_or_empty(config->container));
        step.volumes = config->config.volumes; /* borrowed: compose 1 looks for them only here */
        json_object_object_add(object, "ContainerConfig",
                               config->container_config ? json_object_get(config->container_config)
                                                        : run_config(&step, ""));
        json_object_object_add(object, "DockerVersion", text_or_empty(config->docker_version));
        json_object_object_add(object, "Author", text_or_empty(config->author));
        json_object_object_add(object, "Config", run_config(&config->config, ""));
        inspect_tail(engine, &image, object);
        r = add_descriptor(engine, &image, object, &why);
        if (r < 0 && why.kind != ERROR_NOT_FOUND) { /* an index that was removed just now */
                if (err)
                        *err = why;
                return r;
        }
        add_object(json, object);
        return 0;
}

/* ---- history ---- */

static void history_add(const Image *image, size_t index, int64_t size, bool top,
                        json_object *array) {
        const ImageHistory *entry = (const ImageHistory *)image->config.history.items + index;
        json_object *object = json_object_new_object();

        json_object_object_add(object, "Comment", text_or_empty(entry->comment));
        json_object_object_add(object, "Created",
                               json_object_new_int64(entry->created / NSEC_PER_SEC));
        json_object_object_add(object, "CreatedBy", text_or_empty(entry->created_by));
        json_object_object_add(object, "Id", json_object_new_string(top ? image->id : "<missing>"));
        json_object_object_add(object, "Size", json_object_new_int64(size));
        json_object_object_add(object, "Tags", top && image->names ? strings(image->names) : NULL);
        json_object_array_add(array, object);
}

/* Newest first; each that made a layer has the size of the next layer from the base. */
int engine_image_history(Engine *engine, const char *ref, const char *platform, Buf *json,
                         Error *err) {
        _cleanup_image_ Image image = { 0 };

        int r = image_find_platform(engine->images, ref, platform, &image, err);
        if (r < 0)
                return r;
        const ImageHistory *entries = image.config.history.items;
        size_t count = image.config.history.count, layer = 0, layers = strv_length(image.chain_ids);
        int64_t *sizes = NEW_ARRAY(int64_t, count + 1);
        for (size_t i = 0; i < count; i++)
                if (!entries[i].empty_layer && layer < layers)
                        sizes[i] = image.layer_sizes[layer++];
        _cleanup_json_ json_object *array = json_object_new_array();
        for (size_t i = count; i-- > 0;)
                history_add(&image, i, sizes[i], i == count - 1, array);
        free(sizes);
        add_object(json, array);
        return 0;
}

/* ---- list ---- */

static bool reference_matches(const char *name, const char *pattern) {
        const char *slash = strrchr(name, '/'), *colon = strrchr(name, ':');
        size_t length = colon && (!slash || colon > slash) ? (size_t)(colon - name) : strlen(name);
        _cleanup_free_ char *bare = str_copy_n(name, length);

        return fnmatch(pattern, name, FNM_PATHNAME) == 0 ||
               fnmatch(pattern, bare, FNM_PATHNAME) == 0;
}

/* Drops the names that no pattern fits; false if there were patterns and none is left. */
static bool filter_names(Image *image, char *const *patterns) {
        char **kept = NULL;

        if (!patterns)
                return true;
        for (char **name = image->names; name && *name; name++)
                for (char *const *pattern = patterns; *pattern; pattern++)
                        if (reference_matches(*name, *pattern)) {
                                strv_add(&kept, *name);
                                break;
                        }
        strv_free(image->names);
        image->names = kept;
        return kept != NULL;
}

typedef struct ImageFilter {
        const Filters *filters;
        int64_t before, since, until; /* ns; 0: no such filter */
} ImageFilter;

static int created_of(Engine *engine, const Filters *filters, const char *key, int64_t *ret,
                      Error *err) {
        char *const *values = filters_get(filters, key);
        _cleanup_image_ Image image = { 0 };

        if (!values || !*values)
                return 0;
        int r = image_find(engine->images, *values, &image, err);
        if (r == 0)
                *ret = image.config.created;
        return r;
}

static int filter_prepare(Engine *engine, const Filters *filters, ImageFilter *ret, Error *err) {
        static const char *const accepted[] = { "dangling",  "label", "before", "since",
                                                "reference", "until", NULL };

        ret->filters = filters;
        int r = filters_check(filters, accepted, err);
        if (r == 0)
                r = created_of(engine, filters, "before", &ret->before, err);
        if (r == 0)
                r = created_of(engine, filters, "since", &ret->since, err);
        return r < 0 ? r : filter_time(filters, "until", &ret->until, err);
}

static bool filter_passes(const ImageFilter *filter, Image *image) {
        char *const *dangling = filters_get(filter->filters, "dangling");
        int64_t created = image->config.created;

        if (dangling && *dangling && filter_is_true(*dangling) != (image->names == NULL))
                return false;
        if ((filter->before && created >= filter->before) ||
            (filter->since && created <= filter->since) ||
            (filter->until && created >= filter->until))
                return false;
        return labels_match(&image->config.config.labels, filters_get(filter->filters, "label")) &&
               filter_names(image, filters_get(filter->filters, "reference"));
}

static json_object *summary(const Image *image, int64_t containers, int64_t shared_size) {
        static char *const no_tags[] = { (char *)"<none>:<none>", NULL };
        static char *const no_digests[] = { (char *)"<none>@<none>", NULL };
        bool nameless = !image->names && !image->digests;
        json_object *object = json_object_new_object();
        const Pairs *pairs = &image->config.config.labels;
        json_object *labels = pairs->count > 0 ? json_write_pairs(pairs) : NULL;

        json_object_object_add(object, "Containers", json_object_new_int64(containers));
        json_object_object_add(object, "Created",
                               json_object_new_int64(image->config.created / NSEC_PER_SEC));
        json_object_object_add(object, "Id", json_object_new_string(image->id));
        json_object_object_add(object, "Labels", labels);
        json_object_object_add(object, "ParentId", text_or_empty(image->config.parent));
        json_object_object_add(object, "RepoDigests",
                               nameless         ? strings(no_digests)
                               : image->digests ? strings(image->digests)
                                                : NULL);
        json_object_object_add(object, "RepoTags",
                               nameless       ? strings(no_tags)
                               : image->names ? strings(image->names)
                                              : NULL);
        json_object_object_add(object, "SharedSize", json_object_new_int64(shared_size));
        json_object_object_add(object, "Size", json_object_new_int64(image->size));
        return object;
}

/* ---- counts: a Map whose values are numbers ---- */

static size_t counted(const Map *counts, const char *key) {
        return (uintptr_t)map_get(counts, key);
}

static void count_one(Map *counts, const char *key) {
        (void)map_put(counts, key, (void *)(uintptr_t)(counted(counts, key) + 1));
}

static void map_donep(Map *map) {
        map_done(map, NULL);
}

/* By the ids of their images. */
static void count_containers(Engine *engine, Map *counts) {
        _cleanup_roster_ Roster *containers = containers_all(engine);
        for (size_t i = 0; i < containers->count; i++)
                if (containers->items[i]->image_id)
                        count_one(counts, containers->items[i]->image_id);
}

static void count_layers(const Image *images, size_t count, Map *counts) {
        for (size_t i = 0; i < count; i++)
                for (char **chain = images[i].chain_ids; chain && *chain; chain++)
                        count_one(counts, *chain);
}

/* Bytes of its layers that other images of the list have, too. */
static int64_t shared_size(const Image *image, const Map *layers) {
        int64_t size = 0;

        for (size_t i = 0; image->chain_ids && image->chain_ids[i]; i++)
                if (counted(layers, image->chain_ids[i]) > 1)
                        size += image->layer_sizes[i];
        return size;
}

static json_object *summaries(Engine *engine, const ImageListOptions *options, const Image *images,
                              size_t count) {
        _cleanup_(map_donep) Map containers = { 0 }, layers = { 0 };
        json_object *array = json_object_new_array();

        if (options->containers)
                count_containers(engine, &containers);
        if (options->shared_size)
                count_layers(images, count, &layers);
        for (size_t i = 0; i < count; i++) {
                int64_t users =
                        options->containers ? (int64_t)counted(&containers, images[i].id) : -1;
                int64_t shared = options->shared_size ? shared_size(&images[i], &layers) : -1;

                json_object *object = summary(&images[i], users, shared);
                Error why = { 0 };

                if (add_descriptor(engine, &images[i], object, &why) < 0 &&
                    why.kind != ERROR_NOT_FOUND) /* removed since the list was read */
                        log_warn("image %s: %s", images[i].id, why.message);
                json_object_array_add(array, object);
        }
        return array;
}

int engine_image_list(Engine *engine, const ImageListOptions *options, Buf *json, Error *err) {
        static const Filters none;
        ImageFilter filter = { 0 };
        Image *images = NULL;
        size_t count = 0, kept = 0;

        /* options->all adds untagged parents of builds, which this store has none of. */
        int r = filter_prepare(engine, options->filters ?: &none, &filter, err);
        if (r == 0)
                r = image_list(engine->images, &images, &count, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++) {
                if (filter_passes(&filter, &images[i]))
                        images[kept++] = images[i];
                else
                        image_done(&images[i]);
        }
        _cleanup_json_ json_object *array = summaries(engine, options, images, kept);
        for (size_t i = 0; i < kept; i++)
                image_done(&images[i]);
        free(images);
        add_object(json, array);
        return 0;
}
