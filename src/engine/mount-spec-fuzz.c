/* mount-spec-fuzz.c: the words of -v, --tmpfs and --volumes-from. What is accepted has an absolute
 * destination without "..". */
#include "engine/mount-spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(MountPoint *point) {
        _cleanup_free_ char *clean = point->destination ? path_clean(point->destination) : NULL;

        if (clean && (!str_equal(clean, point->destination) || str_equal(clean, "/")))
                abort();
        json_done(&mount_point_table, point);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = str_copy_n((const char *)data, size), *ref = NULL;
        MountPoint bind = { 0 }, tmpfs = { 0 };
        bool read_only;
        Error err = { 0 };

        (void)mount_parse_bind(text, &bind, &err);
        check(&bind);
        (void)mount_parse_tmpfs(text, text, &tmpfs, &err);
        check(&tmpfs);
        (void)mount_parse_from(text, &ref, &read_only, &err);
        return 0;
}
