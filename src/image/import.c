/* import.c: a root file system, as a tar archive, becomes an image of one layer. See image.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "format/reference.h"
#include "image/assembly.h"
#include "image/change.h"

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

static void config_done(ImageConfig *config) {
        json_done(&image_config_table, config);
}

static int parse_name(const char *name, char **ret, Error *err) {
        _cleanup_(reference_donep) Reference reference = {};
        int r = str_empty(name) ? 0 : reference_parse(name, &reference, err);

        if (r < 0 || str_empty(name))
                return r;
        if (reference.digest)
                return error_kind(err, ERROR_INVALID, "cannot import digest reference");
        reference_default_tag(&reference);
        *ret = reference_full(&reference);
        return 0;
}

static int make_config(ImageConfig *config, const char *message, char *const *changes, Error *err) {
        ImageHistory *history = json_append(&config->history, &image_history_table);
        ImagePlatform platform = {};
        int r = platform_parse(NULL, &platform, err);

        if (r < 0)
                return r;
        config->created = clock_now();
        config->os = TAKE_PTR(platform.os);
        config->architecture = TAKE_PTR(platform.architecture);
        config->variant = TAKE_PTR(platform.variant);
        config->comment = str_copy(str_empty(message) ? NULL : message);
        config->rootfs.type = str_copy("layers");
        history->created = config->created;
        history->comment = str_copy(str_empty(message) ? NULL : message);
        for (size_t i = 0; changes && changes[i]; i++) {
                r = change_apply(&config->config, changes[i], err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The layer is known by its content only when it is unpacked, so it is claimed after. */
static int record(Assembly *assembly, ImageConfig *config, Unpack *unpack, BlobTemp *temp,
                  Error *err) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(layer_done) Layer layer = {};
        struct stat st;
        bool present;
        int r;

        strv_add(&config->rootfs.diff_ids, unpack->diff);
        text = json_text(&image_config_table, config);
        r = assembly_begin(assembly, text, strlen(text), 1, err);
        if (r < 0)
                return r;
        assembly_layer(assembly, 0, &layer);
        memcpy(layer.blob, layer.diff, DIGEST_TEXT_MAX);
        pins_add(&assembly->pins, layer.blob);
        r = assembly_claim(assembly, &layer, &present, err);
        if (r < 0 || present)
                return r;
        if (fstat(temp->fd, &st) < 0) {
                r = error_set(err, errno, "look at the layer");
                layer_give_up(assembly->store, layer.chain);
                return r;
        }
        layer.blob_size = st.st_size;
        str_replace(&unpack->media_type,
                    MEDIA_OCI_LAYER); /* it was stored as it was after decompression */
        return layer_land(&layer, unpack, blob_exists(assembly->store, layer.blob) ? NULL : temp,
                          err);
}

int image_import(ImageStore *store, int fd, const char *name, const char *message,
                 char *const *changes, char **ret_id, Error *err) {
        _cleanup_(assembly_done) Assembly assembly = {};
        _cleanup_(config_done) ImageConfig config = {};
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        _cleanup_(unpack_done) Unpack unpack = {};
        _cleanup_free_ char *full = NULL;
        int r = parse_name(name, &full, err);

        if (r == 0)
                r = make_config(&config, message, changes, err);
        if (r == 0)
                r = blob_temp_new(store, &temp, err);
        if (r == 0)
                r = unpack_start(store, fd, temp.fd, &unpack, err);
        if (r == 0)
                r = unpack_finish(&unpack, err);
        if (r < 0)
                return r;
        assembly_init(&assembly, store, NULL, NULL);
        r = record(&assembly, &config, &unpack, &temp, err);
        if (r < 0)
                return r;
        if (full)
                strv_take(&assembly.record.names, TAKE_PTR(full));
        r = assembly_commit(&assembly, err);
        if (r == 0)
                *ret_id = str_copy(assembly.record.id);
        return r;
}
