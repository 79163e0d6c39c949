/* idmap-spec.c: reads the option idmap. What a kernel can map is the runtime's to say. */
#include "engine/idmap-spec.h"

#include "os/mount.h"
#include "runtime/idmap.h"
#include "spec/oci.h"

#define WORD "idmap"

static const JsonField idmap_fields[] = {
        JSON_NESTED(IdmapSpec, "uids", JSON_ARRAY, uids, 0, &oci_id_mapping_table),
        JSON_NESTED(IdmapSpec, "gids", JSON_ARRAY, gids, 0, &oci_id_mapping_table),
};
static const JsonTable idmap_table = JSON_TABLE(IdmapSpec, "idmap", idmap_fields);

static int invalid(const char *text, const char *why, Error *err) {
        return error_kind(err, ERROR_INVALID,
                          "invalid mount option '%s': %s: give " WORD " or " WORD
                          "=uids=ON_DISK-ON_MOUNT-COUNT[#…];gids=…",
                          text, why);
}

static int parse_range(const char *word, OciIdMapping *ret) {
        _cleanup_strv_ char **numbers = str_split(word, '-');
        int64_t values[3];

        if (strv_length(numbers) != ELEMENTS(values))
                return -1;
        for (size_t i = 0; i < ELEMENTS(values); i++)
                if (str_to_int64(numbers[i], &values[i]) < 0 || values[i] < 0 ||
                    values[i] > UINT32_MAX)
                        return -1;
        if (values[2] == 0 || values[0] > UINT32_MAX - values[2] ||
            values[1] > UINT32_MAX - values[2])
                return -1;
        *ret = (OciIdMapping){ values[0], values[1], values[2] };
        return 0;
}

static int parse_ranges(const char *text, const char *list, JsonArray *ret, Error *err) {
        _cleanup_strv_ char **words = str_split(list, '#');

        if (ret->count > 0)
                return invalid(text, "ids are given twice", err);
        if (*list == '@')
                return invalid(text, "ids relative to the container's are not done", err);
        for (char **word = words; word && *word; word++) {
                OciIdMapping mapping;

                if (parse_range(*word, &mapping) < 0)
                        return invalid(text, *word, err);
                *(OciIdMapping *)json_append(ret, &oci_id_mapping_table) = mapping;
        }
        return ret->count > 0 ? 0 : invalid(text, "no ids", err);
}

static int parse_parts(const char *text, const char *rest, IdmapSpec *ret, Error *err) {
        _cleanup_strv_ char **parts = str_split(rest, ';');
        int r = 0;

        for (char **part = parts; r == 0 && part && *part; part++) {
                const char *uids = str_after(*part, "uids="), *gids = str_after(*part, "gids=");

                if (uids || gids)
                        r = parse_ranges(text, uids ?: gids, uids ? &ret->uids : &ret->gids, err);
                else
                        r = invalid(text, *part, err);
        }
        if (r == 0 && (ret->uids.count == 0 || ret->gids.count == 0))
                r = invalid(text, "both are needed, uids and gids", err);
        return r;
}

int idmap_parse(const char *text, IdmapSpec *ret, Error *err) {
        const char *rest = str_after(text, WORD "=");

        if (str_equal(text, WORD))
                return 0;
        return rest ? parse_parts(text, rest, ret, err) : invalid(text, "no option", err);
}

void idmap_done(IdmapSpec *spec) {
        json_done(&idmap_table, spec);
}

int idmap_apply(const char *text, int mount_fd, Error *err) {
        _cleanup_idmap_ IdmapSpec spec = {};
        _cleanup_close_ int userns_fd = -1;
        int r = idmap_parse(text, &spec, err);

        if (r < 0 || spec.uids.count == 0)
                return r;
        r = idmap_userns(&spec.uids, &spec.gids, &userns_fd, err);
        return r < 0 ? r : mount_map_ids(mount_fd, false, userns_fd, err);
}
