/* build-cache-to.c: what a build knows of its steps, written to where other engines find it: a
 * document of keys and results, and the layers that hold them. docs/build.md, "The cache
 * elsewhere". */
#include <errno.h>
#include <sys/stat.h>

#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "format/reference.h"

typedef struct Collecting {
        Build *build;
        const BuildCachePlace *place; /* NULL: inline */
        CacheDocument document;
        CacheLayer *layers; /* as the document's; strings are the document's */
        size_t count;
        Map by_chain; /* chain → its place + 1 */
} Collecting;

static void collecting_done(Collecting *collecting) {
        cache_document_done(&collecting->document);
        map_done(&collecting->by_chain, NULL);
        free(collecting->layers);
}

/* ---- layers ---- */

static bool same_repository(const char *a, const char *b) {
        Reference left = {}, right = {};
        bool same = a && b && reference_parse(a, &left, NULL) == 0 &&
                    reference_parse(b, &right, NULL) == 0 && str_equal(left.domain, right.domain) &&
                    str_equal(left.path, right.path);

        reference_done(&left);
        reference_done(&right);
        return same;
}

/* A layer that is not here was found elsewhere and not needed. Where it is sent to may have it. */
static int find_blob(Collecting *collecting, const char *chain, const Descriptor **ret,
                     char parent[DIGEST_TEXT_MAX], char diff[DIGEST_TEXT_MAX], Error *err) {
        Build *build = collecting->build;
        size_t index = 0;
        const BuildImport *import = build_import_of(build, chain, &index);
        char *chains[] = { (char *)chain, NULL };
        const DocumentLayer *layer;
        int64_t size = -1;
        int r;

        if (image_hold_layer(build->engine->images, chain, build->holder, NULL) == 0)
                return image_layer_ids(build->engine->images, chain, parent, diff, err);
        if (import && import->manifest.layers.count > 0 &&
            same_repository(import->place->reference, collecting->place->reference)) {
                layer = cache_document_layer(&import->document, index);
                (void)snprintf(parent, DIGEST_TEXT_MAX, "%s", layer->parent ?: "");
                (void)snprintf(diff, DIGEST_TEXT_MAX, "%s", layer->diff);
                *ret = (const Descriptor *)import->manifest.layers.items + index;
                return 0;
        }
        r = build_bring(build, chains, &size, err);
        if (r == 0 && size < 0)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "layer %s is no more where the cache came from: build without "
                                  "--cache-from",
                                  chain);
        return r < 0 ? r : image_layer_ids(build->engine->images, chain, parent, diff, err);
}

static int add_layer(Collecting *collecting, const char *chain, int64_t *ret, Error *err) {
        char parent[DIGEST_TEXT_MAX] = "", diff[DIGEST_TEXT_MAX] = "";
        uintptr_t known = (uintptr_t)map_get(&collecting->by_chain, chain);
        const Descriptor *blob = NULL;
        int r;

        *ret = (int64_t)known - 1;
        if (known)
                return 0;
        r = find_blob(collecting, chain, &blob, parent, diff, err);
        if (r < 0)
                return r;
        cache_document_add_layer(&collecting->document, parent, diff);
        GROW(collecting->layers, collecting->count);
        collecting->layers[collecting->count++] = (CacheLayer){ .blob = blob };
        (void)map_put(&collecting->by_chain, chain, (void *)(uintptr_t)collecting->count);
        *ret = (int64_t)collecting->count - 1;
        return 0;
}

/* Once the document's list moves no more. */
static void name_layers(Collecting *collecting) {
        for (size_t i = 0; i < collecting->count; i++) {
                const DocumentLayer *layer = cache_document_layer(&collecting->document, i);

                collecting->layers[i].chain = layer->chain;
                collecting->layers[i].parent = layer->parent;
                collecting->layers[i].diff = layer->diff;
        }
}

/* ---- records ---- */

/* Where the cache is written to what it was read from. */
static bool same_place(const BuildCachePlace *from, const BuildCachePlace *to) {
        struct stat left, right;

        if (!to || from->reference || to->reference)
                return to && same_repository(from->reference, to->reference);
        return fstat(from->dir_fd, &left) == 0 && fstat(to->dir_fd, &right) == 0 &&
               left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

static const char *layer_of(const CacheDocument *document, const DocumentRecord *record) {
        return record->layer ? cache_document_layer(document, (size_t)*record->layer)->chain : NULL;
}

/* Of a record from elsewhere (that gives the same, in the same layer) what this build asked for;
 * all that its writer lists beside that only where it came from: a cache may say nothing in another
 * one's name. layer: NULL: none is at hand. */
static void add_imported_keys(const Collecting *collecting, const char *result, const char *layer,
                              char ***keys) {
        const Build *build = collecting->build;

        for (size_t i = 0; i < build->import_count; i++) {
                const CacheDocument *document = &build->imports[i].document;
                const DocumentRecord *record = document->records.items;
                bool all = same_place(build->imports[i].place, collecting->place);

                for (size_t k = 0; k < document->records.count; k++, record++) {
                        if (!str_equal(record->result, result) ||
                            !str_equal(layer_of(document, record), layer))
                                continue;
                        for (char **key = record->keys; *key; key++)
                                if ((all || map_get(&build->answered, *key)) &&
                                    !strv_has(*keys, *key))
                                        strv_add(keys, *key);
                }
        }
}

/* What several platforms have in common is one record, with its layer if any of them has that. */
static bool is_known(const Collecting *collecting, const char *result, int64_t layer) {
        DocumentRecord *records = collecting->document.records.items;

        for (size_t i = 0; i < collecting->document.records.count; i++) {
                if (!str_equal(records[i].result, result))
                        continue;
                if (layer >= 0 && !records[i].layer) {
                        records[i].layer = NEW(int64_t);
                        *records[i].layer = layer;
                }
                if (layer < 0 || *records[i].layer == layer)
                        return true;
        }
        return false;
}

static int add_record(Collecting *collecting, const SolveStage *stage, const SolveRecord *record,
                      int64_t layer, Error *err) {
        Build *build = collecting->build;
        _cleanup_strv_ char **keys = NULL;
        int r;

        if (is_known(collecting, record->result, layer))
                return 0;
        r = build_cache_keys(build->builder->cache, record->result, &keys, err);

        if (r < 0)
                return r;
        add_imported_keys(collecting, record->result,
                          record->depth > 0 ? stage->layers[record->depth - 1] : NULL, &keys);
        if (keys) /* collected meanwhile: others will have to run it, too */
                cache_document_add_record(&collecting->document, keys, record->result, layer,
                                          record->created_at);
        return 0;
}

static int add_stage(Collecting *collecting, const SolveStage *stage, bool with_layers,
                     int64_t epoch, Error *err) {
        _cleanup_strv_ char **chains = NULL;
        int r = 0;

        if (with_layers)
                r = builder_store_layers(collecting->build, stage->layers, epoch, &chains, err);
        for (size_t i = 0; r == 0 && i < stage->count; i++) {
                const SolveRecord *record = &stage->records[i];
                int64_t layer = -1;

                if (with_layers && record->depth > 0)
                        r = add_layer(collecting, chains[record->depth - 1], &layer, err);
                if (r == 0)
                        r = add_record(collecting, stage, record, layer, err);
        }
        return r;
}

/* ---- in the image ---- */

bool build_wants_inline(const Build *build) {
        const BuildRequest *request = build->request;
        const char *asked = env_get(request->args, "BUILDKIT_INLINE_CACHE");

        for (size_t i = 0; i < request->cache_to_count; i++)
                if (request->cache_to[i].kind == BUILD_CACHE_INLINE)
                        return true;
        return str_equal(asked, "1") || str_equal(asked, "true");
}

int build_add_inline(Build *build, SolveResult *result, Error *err) {
        _cleanup_(collecting_done) Collecting collecting = { .build = build };
        int r = 0;

        for (size_t i = 0; r == 0 && i < result->stage_count; i++) {
                const SolveStage *stage = &result->stages[i];

                for (size_t k = 0; r == 0 && k < stage->count; k++) {
                        const SolveRecord *record = &stage->records[k];
                        bool has = stage->exported && record->depth > 0;

                        r = add_record(&collecting, stage, record,
                                       has ? (int64_t)record->depth - 1 : -1, err);
                }
        }
        if (r < 0)
                return r;
        image_config_inherit(&result->config);
        result->config.build_cache = cache_document_write(&collecting.document);
        return 0;
}

/* ---- elsewhere ---- */

static int send_document(Collecting *collecting, Error *err) {
        Build *build = collecting->build;
        CacheReport report = { .build = build, .what = "exporting cache" };
        _cleanup_json_ json_object *object = cache_document_write(&collecting->document);
        const char *text = json_object_to_json_string_ext(
                object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        const CacheSend send = { .document = text,
                                 .media_type = MEDIA_BRIG_CACHE,
                                 .layers = collecting->layers,
                                 .count = collecting->count };
        CachePlace place;

        if (strlen(text) > CACHE_DOCUMENT_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "the document has %zu bytes, more than the %zu that a cache may "
                                  "have: write with mode=min",
                                  strlen(text), CACHE_DOCUMENT_MAX);
        build_cache_place(build, collecting->place, &place);
        return image_cache_send(build->engine->images, &place, &send, build_report_cache, &report,
                                err);
}

static int add_result(Collecting *collecting, const SolveResult *result, int64_t epoch,
                      Error *err) {
        bool max = collecting->place->max;
        int r = 0;

        for (size_t i = 0; r == 0 && i < result->stage_count; i++)
                r = add_stage(collecting, &result->stages[i], max || result->stages[i].exported,
                              epoch, err);
        return r;
}

static int send_cache(Build *build, const BuildCachePlace *place, const SolveResult *results,
                      size_t count, int64_t epoch, Error *err) {
        _cleanup_(collecting_done) Collecting collecting = { .build = build, .place = place };
        _cleanup_free_ char *name = build_cache_name(place);
        int r = 0;

        for (size_t i = 0; r == 0 && i < count; i++)
                r = add_result(&collecting, &results[i], epoch, err);
        name_layers(&collecting);
        if (r == 0)
                r = send_document(&collecting, err);
        return r < 0 ? error_prefix(err, "failed to write the build cache to %s", name) : 0;
}

int build_send_caches(Build *build, const SolveResult *results, size_t count, int64_t epoch,
                      Error *err) {
        const BuildRequest *request = build->request;
        int r = 0;

        for (size_t i = 0; r == 0 && i < request->cache_to_count; i++) {
                const BuildCachePlace *place = &request->cache_to[i];
                Error why = {};

                if (place->kind == BUILD_CACHE_INLINE)
                        continue;
                r = send_cache(build, place, results, count, epoch, &why);
                if (r < 0 && place->ignore_error && !build_cancelled(build))
                        r = build_warn(build, err, "%s", why.message);
                else if (r < 0 && err)
                        *err = why;
        }
        return r;
}
