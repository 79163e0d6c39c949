/* volume-documents.c: volumes as Docker's API shows them: inspect and list. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/size.h"
#include "engine/documents.h"
#include "engine/engine-private.h"
#include "engine/filters.h"
#include "engine/volumes.h"

static json_object *pairs_or_null(const Pairs *pairs) {
        return pairs->count ? json_write_pairs(pairs) : NULL;
}

json_object *volume_document(const Engine *engine, const VolumeInfo *info) {
        json_object *object = json_object_new_object();
        _cleanup_free_ char *mountpoint = volume_mountpoint(engine, info->name);

        json_put_time(object, "CreatedAt", info->created / NSEC_PER_SEC * NSEC_PER_SEC);
        json_put_text(object, "Driver", "local");
        json_put(object, "Labels", pairs_or_null(&info->labels));
        json_put_text(object, "Mountpoint", mountpoint);
        json_put_text(object, "Name", info->name);
        json_put(object, "Options", pairs_or_null(&info->options));
        json_put_text(object, "Scope", "local");
        return object;
}

int64_t volume_size(const Engine *engine, const VolumeInfo *info) {
        _cleanup_free_ char *path = str_format("volumes/%s/_data", info->name);
        int fd;

        if (info->options.count > 0)
                return -1;
        return dir_open_at(engine->data_root_fd, path, 0, &fd, NULL) < 0 ? 0 : directory_size(fd);
}

int engine_volume_inspect(Engine *engine, const char *name, Buf *json, Error *err) {
        _cleanup_(volume_info_done) VolumeInfo info = { 0 };

        int r = volume_info(engine, name, &info, err);
        if (r == 0)
                json_add_object(json, volume_document(engine, &info));
        return r;
}

/* ---- list ---- */

static bool volume_matches(const VolumeInfo *info, const Filters *filters) {
        char *const *drivers = filters_get(filters, "driver");
        char *const *dangling = filters_get(filters, "dangling");

        if (!text_matches(info->name, filters_get(filters, "name")))
                return false;
        if (drivers && !strv_has(drivers, "local"))
                return false;
        if (dangling && filter_is_true(dangling[0]) != (info->users == 0))
                return false;
        return labels_match(&info->labels, filters_get(filters, "label"));
}

int engine_volume_list(Engine *engine, const Filters *filters, Buf *json, Error *err) {
        static const char *const accepted[] = { "dangling", "driver", "label", "name", NULL };
        json_object *answer, *list;
        VolumeInfo *volumes;
        size_t count;

        int r = filters_check(filters, accepted, err);
        if (r < 0)
                return r;
        answer = json_object_new_object();
        list = json_object_new_array();
        volumes_all(engine, &volumes, &count);
        for (size_t i = 0; i < count; i++)
                if (volume_matches(&volumes[i], filters))
                        (void)json_object_array_add(list, volume_document(engine, &volumes[i]));
        volumes_free_all(volumes, count);
        json_put(answer, "Volumes", list);
        json_put(answer, "Warnings", NULL);
        json_add_object(json, answer);
        return 0;
}
