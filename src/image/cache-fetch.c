/* cache-fetch.c: a build cache's manifest and document, and its layers when they are needed; see
 * cache.h. Registries here, directories in cache-layout.c. */
#include <errno.h>

#include "base/fd.h"
#include "image/cache-layout.h"
#include "image/crew.h"
#include "image/pull.h"

void cache_found_done(CacheFound *found) {
        json_done(&image_manifest_table, &found->manifest);
        free(found->config);
        *found = (CacheFound){};
}

static int start(Pull *pull, const CachePlace *place, Session *session, Error *err) {
        pull->options = (SessionOptions){ .store = pull->assembly.store,
                                          .reference = &pull->reference,
                                          .auth = place->auth,
                                          .options = place->options };
        int r = pull_prepare(pull, place->reference, place->platform, err);

        return r < 0 ? r : session_start(&pull->options, NULL, session, err);
}

static int fetch(ImageStore *store, const CachePlace *place, ImageProgressFn progress, void *data,
                 CacheFound *ret, Error *err) {
        _cleanup_(pull_done) Pull pull = {};
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        _cleanup_buf_ Buf config = {};
        int r;

        assembly_init(&pull.assembly, store, progress, data);
        r = start(&pull, place, &session, err);
        if (r == 0)
                r = pull_manifest(&pull, &session, err);
        ret->of_index = pull.index.length > 0;
        if (r == 0)
                r = pull_config(&pull, &session, &config, err);
        if (r < 0)
                return r;
        ret->manifest = pull.document.manifest;
        pull.document.manifest = (ImageManifest){};
        ret->length = config.length;
        ret->config = buf_take(&config);
        return 0;
}

int image_cache_fetch(ImageStore *store, const CachePlace *place, ImageProgressFn progress,
                      void *data, CacheFound *ret, Error *err) {
        *ret = (CacheFound){};
        return place->reference ? fetch(store, place, progress, data, ret, err)
                                : cache_layout_fetch(place, ret, err);
}

/* ---- layers ---- */

bool cache_layer_valid(const CacheLayer *layer) {
        return digest_valid(layer->chain) && digest_valid(layer->diff) && layer->blob &&
               digest_valid(layer->blob->digest) && layer->blob->size >= 0;
}

void cache_layer_take(const CacheLayer *layer, Layer *ret) {
        *ret = (Layer){ .blob_size = layer->blob->size };
        memcpy(ret->chain, layer->chain, DIGEST_TEXT_MAX);
        memcpy(ret->diff, layer->diff, DIGEST_TEXT_MAX);
        memcpy(ret->blob, layer->blob->digest, DIGEST_TEXT_MAX);
        if (layer->parent)
                memcpy(ret->parent, layer->parent, DIGEST_TEXT_MAX);
}

typedef struct Bringing {
        ImageStore *store;
        const CachePlace *place;
        const char *holder;
        ImageProgressFn progress;
        void *data;
} Bringing;

static int bring_from_registry(const Bringing *bringing, Pull *pull, const CacheLayer *layers,
                               size_t count, Error *err) {
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        _cleanup_free_ Layer *wanted = NEW_ARRAY(Layer, count + 1);
        const Crew crew = { .assembly = &pull->assembly,
                            .options = &pull->options,
                            .count = count,
                            .most = crew_pulls(pull->options.options),
                            .work = pull_layer,
                            .data = pull };
        int r = start(pull, bringing->place, &session, err);

        for (size_t i = 0; i < count; i++) {
                cache_layer_take(&layers[i], &wanted[i]);
                json_copy(&descriptor_table, layers[i].blob,
                          json_append(&pull->document.manifest.layers, &descriptor_table));
        }
        pull->layers = wanted;
        if (r == 0)
                r = crew_run(&crew, &session, err);
        pull->layers = NULL;
        return r;
}

static int bring(const Bringing *bringing, CacheLayer *layers, size_t count, bool *ret_cancelled,
                 Error *err) {
        _cleanup_(pull_done) Pull pull = {};
        int r = 0;

        assembly_init(&pull.assembly, bringing->store, bringing->progress, bringing->data);
        if (bringing->place->reference)
                r = bring_from_registry(bringing, &pull, layers, count, err);
        for (size_t i = 0; r == 0 && !bringing->place->reference && i < count; i++)
                r = cache_layout_bring(bringing->place, &pull.assembly, &layers[i], err);
        for (size_t i = 0; i < count; i++) /* pinned still */
                layers[i].there = image_hold_layer(bringing->store, layers[i].chain,
                                                   bringing->holder, NULL) == 0;
        *ret_cancelled = r == -ECANCELED;
        return r;
}

int image_cache_bring(ImageStore *store, const CachePlace *place, CacheLayer *layers, size_t count,
                      const char *holder, ImageProgressFn progress, void *data, Error *err) {
        const Bringing bringing = { store, place, holder, progress, data };
        bool cancelled = false;
        int r, one;

        for (size_t i = 0; i < count; i++)
                if (!cache_layer_valid(&layers[i]))
                        return error_kind(err, ERROR_INVALID,
                                          "a layer of the build cache has no valid name");
        r = bring(&bringing, layers, count, &cancelled, err);
        /* The first that fails ends the others' work, too. */
        for (size_t i = 0; r < 0 && !cancelled && count > 1 && i < count; i++) {
                if (layers[i].there)
                        continue;
                one = bring(&bringing, &layers[i], 1, &cancelled, err);
                r = one < 0 ? one : r;
        }
        return r;
}

int image_layer_ids(ImageStore *store, const char *chain, char ret_parent[], char ret_diff[],
                    Error *err) {
        STORE_LOCKED(store);
        _cleanup_(layer_done) Layer layer = {};
        int r = layer_load(store, chain, &layer, err);

        if (r < 0)
                return r;
        memcpy(ret_parent, layer.parent, DIGEST_TEXT_MAX);
        memcpy(ret_diff, layer.diff, DIGEST_TEXT_MAX);
        return 0;
}
