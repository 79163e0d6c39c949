/* disk-usage.c: GET /system/df: what takes how much of the disk, put together from the lists that
 * the API has of each kind. */
#include "engine/build.h"
#include "engine/documents.h"
#include "engine/engine-private.h"
#include "engine/volumes.h"

static int add_images(Engine *engine, Buf *json, Error *err) {
        const ImageListOptions options = { .shared_size = true, .containers = true };

        return engine_image_list(engine, &options, json, err);
}

static int add_containers(Engine *engine, Buf *json, Error *err) {
        const ListOptions options = { .all = true, .size = true, .annotations = true };

        return engine_container_list(engine, &options, json, err);
}

static json_object *usage_document(const Engine *engine, const VolumeInfo *volume) {
        json_object *object = volume_document(engine, volume), *usage = json_object_new_object();

        json_put_int(usage, "RefCount", (int64_t)volume->users);
        json_put_int(usage, "Size", volume_size(engine, volume));
        json_put(object, "UsageData", usage);
        return object;
}

static int add_volumes(Engine *engine, Buf *json, Error *err) {
        json_object *list = json_object_new_array();
        VolumeInfo *volumes;
        size_t count;

        (void)err;
        volumes_all(engine, &volumes, &count);
        for (size_t i = 0; i < count; i++)
                (void)json_object_array_add(list, usage_document(engine, &volumes[i]));
        volumes_free_all(volumes, count);
        json_add_object(json, list);
        return 0;
}

static const struct {
        const char *type, *member;
        int (*add)(Engine *engine, Buf *json, Error *err);
} parts[] = {
        { "image", "Images", add_images },
        { "container", "Containers", add_containers },
        { "volume", "Volumes", add_volumes },
        { "build-cache", "BuildCache", engine_build_cache_list },
};

/* What is not wanted is null, as in Docker's answer. */
int engine_disk_usage(Engine *engine, char *const *types, Buf *json, Error *err) {
        bool all = strv_length(types) == 0;
        _cleanup_buf_ Buf text = { 0 };
        int64_t layers = 0;
        int r = all || strv_has(types, "image") ? image_layers_size(engine->images, &layers, err)
                                                : 0;

        buf_format(&text, "{\"LayersSize\":%lld", (long long)layers);
        for (size_t i = 0; r == 0 && i < ELEMENTS(parts); i++) {
                buf_format(&text, ",\"%s\":", parts[i].member);
                if (all || strv_has(types, parts[i].type))
                        r = parts[i].add(engine, &text, err);
                else
                        buf_add_str(&text, "null");
        }
        if (r < 0)
                return r;
        buf_add_char(&text, '}');
        buf_add(json, text.data, text.length);
        return 0;
}
