/* assembly.c: see assembly.h. The documents' own rules are in document.c. */
#include "image/assembly.h"

#include <errno.h>

void assembly_init(Assembly *assembly, ImageStore *store, ImageProgressFn progress, void *data) {
        *assembly = (Assembly){
                .store = store,
                .pins = { .store = store },
                .progress = progress,
                .data = data,
                .lock = PTHREAD_MUTEX_INITIALIZER,
        };
}

void assembly_done(Assembly *assembly) {
        if (!assembly->store)
                return;
        pins_release(&assembly->pins);
        json_done(&image_config_table, &assembly->config);
        image_record_done(&assembly->record);
        (void)pthread_mutex_destroy(&assembly->lock);
        *assembly = (Assembly){};
}

static int check_config(const ImageConfig *config, size_t layer_count, Error *err) {
        size_t count = strv_length(config->rootfs.diff_ids);

        if (config->rootfs.type && !str_equal(config->rootfs.type, "layers"))
                return error_kind(
                        err, ERROR_INVALID,
                        "image configuration: rootfs of type '%s', only 'layers' is known",
                        config->rootfs.type);
        if (count != layer_count)
                return error_kind(err, ERROR_INVALID,
                                  "the image's configuration names %zu layers, its manifest %zu",
                                  count, layer_count);
        if (config->os && !str_equal(config->os, "linux"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "image operating system \"%s\" cannot be used on this platform",
                                  config->os);
        for (size_t i = 0; i < count; i++)
                if (!digest_valid(config->rootfs.diff_ids[i]))
                        return error_kind(err, ERROR_INVALID,
                                          "image configuration: '%.80s' is no sha256 digest",
                                          config->rootfs.diff_ids[i]);
        return 0;
}

int assembly_read(Assembly *assembly, const char *config, size_t length, size_t layer_count,
                  Error *err) {
        char chain[DIGEST_TEXT_MAX] = "";
        int r = json_parse(&image_config_table, config, length, &assembly->config, err);

        if (r == 0)
                r = check_config(&assembly->config, layer_count, err);
        if (r < 0)
                return r;
        digest_of(config, length, assembly->record.id);
        pins_add(&assembly->pins, assembly->record.id);
        for (size_t i = 0; i < layer_count; i++) {
                char next[DIGEST_TEXT_MAX];

                digest_chain(i > 0 ? chain : NULL, assembly->config.rootfs.diff_ids[i], next);
                memcpy(chain, next, sizeof(chain));
                strv_add(&assembly->record.chains, chain);
        }
        return 0;
}

int assembly_begin(Assembly *assembly, const char *config, size_t length, size_t layer_count,
                   Error *err) {
        int r = length <= DOCUMENT_MAX
                        ? assembly_read(assembly, config, length, layer_count, err)
                        : error_kind(err, ERROR_INVALID,
                                     "the image's configuration comes to %zu bytes, and no more "
                                     "than %u can be read again or pushed: give it fewer or "
                                     "shorter variables, labels and instructions",
                                     length, DOCUMENT_MAX);

        return r < 0 ? r : blob_put(assembly->store, config, length, assembly->record.id, err);
}

void assembly_layer(const Assembly *assembly, size_t position, Layer *ret) {
        *ret = (Layer){};
        memcpy(ret->chain, assembly->record.chains[position], DIGEST_TEXT_MAX);
        memcpy(ret->diff, assembly->config.rootfs.diff_ids[position], DIGEST_TEXT_MAX);
        if (position > 0)
                memcpy(ret->parent, assembly->record.chains[position - 1], DIGEST_TEXT_MAX);
}

static int check_cancelled(void *data) {
        return assembly_report(data, NULL, NULL, 0, 0, NULL);
}

int assembly_claim(Assembly *assembly, const Layer *layer, bool *ret_present, Error *err) {
        return layer_claim(&assembly->pins, layer->chain, check_cancelled, assembly, ret_present,
                           err);
}

int assembly_commit(Assembly *assembly, Error *err) {
        return image_record(assembly->store, &assembly->record, err);
}

int assembly_report(Assembly *assembly, const char *id, const char *status, int64_t current,
                    int64_t total, Error *err) {
        const ImageProgress progress = {
                .id = id, .status = status, .current = current, .total = total
        };
        int r;

        (void)pthread_mutex_lock(&assembly->lock);
        if (assembly->progress && status && assembly->cancelled == 0)
                assembly->cancelled = MIN(assembly->progress(assembly->data, &progress), 0);
        r = assembly->cancelled;
        (void)pthread_mutex_unlock(&assembly->lock);
        return r < 0 ? error_set(err, ECANCELED, "stopped") : 0;
}
