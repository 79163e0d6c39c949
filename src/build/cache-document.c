/* cache-document.c: see cache-document.h. */
#include "build/cache-document.h"

#define VERSION 1
#define KEYS_MAX 64 /* of one record; a step has two, and more only where results were alike */

static const JsonField layer_fields[] = {
        JSON_FIELD(DocumentLayer, "parent", JSON_STRING, parent, JSON_OMIT_EMPTY),
        JSON_FIELD(DocumentLayer, "diff", JSON_STRING, diff, JSON_REQUIRED),
};
static const JsonTable layer_table = JSON_TABLE(DocumentLayer, "layer", layer_fields);

static const JsonField record_fields[] = {
        JSON_FIELD(DocumentRecord, "keys", JSON_STRINGS, keys, JSON_REQUIRED),
        JSON_FIELD(DocumentRecord, "result", JSON_STRING, result, JSON_REQUIRED),
        JSON_FIELD(DocumentRecord, "layer", JSON_MAYBE_INT, layer, JSON_PRESENT),
        JSON_FIELD(DocumentRecord, "created", JSON_INT, created_at, JSON_OMIT_EMPTY),
};
static const JsonTable record_table = JSON_TABLE(DocumentRecord, "record", record_fields);

static const JsonField document_fields[] = {
        JSON_FIELD(CacheDocument, "version", JSON_INT, version, JSON_REQUIRED),
        JSON_NESTED(CacheDocument, "layers", JSON_ARRAY, layers, JSON_OMIT_EMPTY, &layer_table),
        JSON_NESTED(CacheDocument, "records", JSON_ARRAY, records, JSON_OMIT_EMPTY, &record_table),
};
static const JsonTable document_table = JSON_TABLE(CacheDocument, "build cache", document_fields);

const DocumentLayer *cache_document_layer(const CacheDocument *document, size_t index) {
        return (const DocumentLayer *)document->layers.items + index;
}

void cache_document_done(CacheDocument *document) {
        map_done(&document->by_key, NULL);
        json_done(&document_table, document);
}

/* ---- reading ---- */

static int check_layers(CacheDocument *document, Error *err) {
        DocumentLayer *layers = document->layers.items;

        for (size_t i = 0; i < document->layers.count; i++) {
                if (!digest_valid(layers[i].diff) ||
                    (layers[i].parent && !digest_valid(layers[i].parent)))
                        return error_kind(err, ERROR_INVALID,
                                          "layer %zu is not named by sha256 digests", i);
                digest_chain(layers[i].parent, layers[i].diff, layers[i].chain);
        }
        return 0;
}

static int check_record(const CacheDocument *document, const DocumentRecord *record, size_t i,
                        Error *err) {
        size_t count = strv_length(record->keys);

        if (count == 0 || count > KEYS_MAX || !digest_valid(record->result) ||
            record->created_at < 0)
                return error_kind(err, ERROR_INVALID,
                                  "record %zu lacks a key, a result or a time, or has too many", i);
        for (size_t k = 0; k < count; k++)
                if (!digest_valid(record->keys[k]))
                        return error_kind(err, ERROR_INVALID,
                                          "record %zu: a key is no sha256 digest", i);
        if (record->layer &&
            (*record->layer < 0 || *record->layer >= (int64_t)document->layers.count))
                return error_kind(err, ERROR_INVALID, "record %zu: there is no layer %lld", i,
                                  (long long)*record->layer);
        return 0;
}

static int index_records(CacheDocument *document, Error *err) {
        DocumentRecord *records = document->records.items;

        for (size_t i = 0; i < document->records.count; i++) {
                int r = check_record(document, &records[i], i, err);

                if (r < 0)
                        return r;
                for (char **key = records[i].keys; *key; key++)
                        if (!map_get(&document->by_key, *key))
                                (void)map_put(&document->by_key, *key, &records[i]);
        }
        return 0;
}

/* An image's layers stand in for the document's. */
static int take_diffs(CacheDocument *document, char *const *diffs, Error *err) {
        if (document->layers.count > 0)
                return error_kind(err, ERROR_INVALID, "layers are named beside the image's own");
        for (size_t i = 0; diffs[i]; i++) {
                const char *below = i > 0 ? cache_document_layer(document, i - 1)->chain : NULL;

                if (!digest_valid(diffs[i]))
                        return error_kind(err, ERROR_INVALID, "'%.80s' is no sha256 digest",
                                          diffs[i]);
                cache_document_add_layer(document, below, diffs[i]);
        }
        return 0;
}

static int check(CacheDocument *document, char *const *diffs, size_t layer_count, Error *err) {
        int r = 0;

        if (document->version != VERSION)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "it is of version %lld; this brig reads version %d",
                                  (long long)document->version, VERSION);
        if (diffs)
                r = take_diffs(document, diffs, err);
        if (r == 0 && document->layers.count != layer_count)
                r = error_kind(err, ERROR_INVALID,
                               "it names %zu layers, and the manifest that it came with %zu",
                               document->layers.count, layer_count);
        if (r == 0)
                r = check_layers(document, err);
        return r < 0 ? r : index_records(document, err);
}

int cache_document_read(const char *text, size_t length, char *const *diffs, size_t layer_count,
                        CacheDocument *ret, Error *err) {
        CacheDocument document = {};
        int r = length > CACHE_DOCUMENT_MAX
                        ? error_kind(err, ERROR_INVALID, "it has %zu bytes", length)
                        : json_parse(&document_table, text, length, &document, err);

        if (r == 0)
                r = check(&document, diffs, layer_count, err);
        if (r < 0) {
                cache_document_done(&document);
                return error_prefix(err, "the build cache's document can't be used");
        }
        *ret = document;
        return 0;
}

/* ---- writing ---- */

void cache_document_add_layer(CacheDocument *document, const char *parent, const char *diff) {
        /* First: the parent's text may be another layer's, which the new one moves. */
        char *below = str_empty(parent) ? NULL : str_copy(parent);
        DocumentLayer *layer = json_append(&document->layers, &layer_table);

        layer->parent = below;
        layer->diff = str_copy(diff);
        digest_chain(layer->parent, diff, layer->chain);
}

void cache_document_add_record(CacheDocument *document, char *const *keys, const char *result,
                               int64_t layer, int64_t created_at) {
        DocumentRecord *record = json_append(&document->records, &record_table);

        record->keys = strv_copy(keys);
        record->result = str_copy(result);
        record->created_at = created_at;
        if (layer >= 0) {
                record->layer = NEW(int64_t);
                *record->layer = layer;
        }
}

json_object *cache_document_write(CacheDocument *document) {
        document->version = VERSION;
        return json_write(&document_table, document);
}
